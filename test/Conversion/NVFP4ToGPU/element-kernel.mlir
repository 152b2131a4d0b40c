// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu=chip=sm_120a --canonicalize | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
module { module @kernels {
  /// A run of four is one load and one store; the position serves both.
  // CHECK-LABEL: gpu.func @twice(
  //  CHECK-SAME:     %[[X:[^:]+]]: !llvm.ptr<1> {llvm.readonly}, %[[Y:[^:]+]]: !llvm.ptr<1> {llvm.noalias}
  //       CHECK:   %[[T:.+]] = arith.muli %{{.+}}, %c4 : index
  //       CHECK:   scf.if
  //   CHECK-NOT:     arith.remui
  //       CHECK:     %[[P:.+]] = arith.index_cast %[[T]] : index to i64
  //       CHECK:     %[[A:.+]] = llvm.getelementptr inbounds %[[X]][%[[P]]]
  //       CHECK:     llvm.load %[[A]] invariant {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  // CHECK-COUNT-4:   arith.addf
  //       CHECK:     %[[B:.+]] = llvm.getelementptr inbounds %[[Y]][%[[P]]]
  //       CHECK:     llvm.store %{{.+}}, %[[B]] {alignment = 16 : i64} : vector<4xf32>
  func.func @twice(%x: tensor<?x12xf32>, %init: tensor<?x12xf32>) -> tensor<?x12xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %y = linalg.add ins(%x, %x : tensor<?x12xf32>, tensor<?x12xf32>) outs(%init : tensor<?x12xf32>) -> tensor<?x12xf32>
    return %y : tensor<?x12xf32>
  }
}}

// -----

#column = affine_map<(d0, d1) -> (d0)>
#id = affine_map<(d0, d1) -> (d0, d1)>
module { module @kernels {
  /// A row of a table is found once for the run, and loaded as a run.
  // CHECK-LABEL: gpu.func @gather(
  //       CHECK:   llvm.load %{{.+}} invariant {alignment = 8 : i64} : !llvm.ptr<1> -> i64
  //       CHECK:   llvm.load %{{.+}} invariant {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  //   CHECK-NOT:   llvm.load
  func.func @gather(%ids: tensor<?xi64>, %table: tensor<10x16xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %y = linalg.generic {indexing_maps = [#column, #id], iterator_types = ["parallel", "parallel"]}
        ins(%ids : tensor<?xi64>) outs(%init : tensor<?x16xf32>) {
      ^bb0(%id: i64, %out: f32):
        %row = arith.index_cast %id : i64 to index
        %k = linalg.index 1 : index
        %v = tensor.extract %table[%row, %k] : tensor<10x16xf32>
        linalg.yield %v : f32
    } -> tensor<?x16xf32>
    return %y : tensor<?x16xf32>
  }
}}

// -----

module { module @kernels {
  /// Results of different shapes take blocks of their own, one after the other.
  // CHECK-LABEL: gpu.func @spaces(
  //       CHECK:   %[[IS_FIRST:.+]] = arith.cmpi ult, %[[BLOCK:.+]], %{{.+}} : index
  //       CHECK:   scf.if %[[IS_FIRST]] {
  //       CHECK:     llvm.store {{.+}} : vector<4xf32>
  //       CHECK:   } else {
  //       CHECK:     arith.subi %[[BLOCK]]
  //       CHECK:     llvm.store {{.+}} : f32
  func.func @spaces(%x: tensor<?x8xf32>, %y: tensor<?xf32>, %i: tensor<?x8xf32>, %j: tensor<?xf32>)
      -> (tensor<?x8xf32>, tensor<?xf32>) attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %a = linalg.exp ins(%x : tensor<?x8xf32>) outs(%i : tensor<?x8xf32>) -> tensor<?x8xf32>
    %b = linalg.exp ins(%y : tensor<?xf32>) outs(%j : tensor<?xf32>) -> tensor<?xf32>
    return %a, %b : tensor<?x8xf32>, tensor<?xf32>
  }
}}
