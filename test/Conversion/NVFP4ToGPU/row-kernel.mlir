// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu=chip=sm_120a --canonicalize --cse | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
module { module @kernels {
  /// A warp holds a row in registers: three loads serve the sum and the result,
  /// no branch but that of the stores.
  // CHECK-LABEL: gpu.func @center_384(
  // CHECK-COUNT-3: llvm.load %{{.+}} invariant {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  //   CHECK-NOT:   llvm.load
  // CHECK-COUNT-5: nvvm.shfl.sync bfly
  //   CHECK-NOT:   nvvm.barrier
  //   CHECK-NOT:   llvm.load
  // CHECK-COUNT-3: llvm.store %{{.+}} {alignment = 16 : i64} : vector<4xf32>
  func.func @center_384(%x: tensor<?x384xf32>, %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %d = tensor.dim %x, %c0 : tensor<?x384xf32>
    %e = tensor.empty(%d) : tensor<?xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
    %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x384xf32>) outs(%z : tensor<?xf32>) {
      ^bb0(%a: f32, %out: f32):
        %r = arith.addf %a, %out : f32
        linalg.yield %r : f32
    } -> tensor<?xf32>
    %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
        ins(%x, %s : tensor<?x384xf32>, tensor<?xf32>) outs(%init : tensor<?x384xf32>) {
      ^bb0(%a: f32, %b: f32, %out: f32):
        %r = arith.subf %a, %b : f32
        linalg.yield %r : f32
    } -> tensor<?x384xf32>
    return %y : tensor<?x384xf32>
  }
}}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
module { module @kernels {
  /// Eight lanes share a row of 32, so that four rows share a warp.
  // CHECK-LABEL: gpu.func @max_32(
  // CHECK-COUNT-3: nvvm.shfl.sync bfly
  //   CHECK-NOT:   nvvm.shfl.sync
  func.func @max_32(%x: tensor<?x32xf32>, %init: tensor<?xf32>) -> tensor<?xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %low = arith.constant 0xFF800000 : f32
    %z = linalg.fill ins(%low : f32) outs(%init : tensor<?xf32>) -> tensor<?xf32>
    %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x32xf32>) outs(%z : tensor<?xf32>) {
      ^bb0(%a: f32, %out: f32):
        %r = arith.maximumf %a, %out : f32
        linalg.yield %r : f32
    } -> tensor<?xf32>
    return %m : tensor<?xf32>
  }
}}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
module { module @kernels {
  /// One CTA reduces everything: a loop, a warp, then shared memory.
  // CHECK-LABEL: gpu.func @max_all(
  //       CHECK:   scf.for
  // CHECK-COUNT-5: nvvm.shfl.sync bfly
  //       CHECK:   nvvm.barrier
  // CHECK-COUNT-4: llvm.load %{{.+}} : !llvm.ptr<3> -> i32
  //       CHECK:   llvm.store %{{.+}} : i32, !llvm.ptr<1>
  func.func @max_all(%x: tensor<?x32xi32>, %init: tensor<i32>) -> tensor<i32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %low = arith.constant 0 : i32
    %z = linalg.fill ins(%low : i32) outs(%init : tensor<i32>) -> tensor<i32>
    %m = linalg.generic {indexing_maps = [#id, #none], iterator_types = ["reduction", "reduction"]}
        ins(%x : tensor<?x32xi32>) outs(%z : tensor<i32>) {
      ^bb0(%a: i32, %out: i32):
        %r = arith.maxsi %a, %out : i32
        linalg.yield %r : i32
    } -> tensor<i32>
    return %m : tensor<i32>
  }
}}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
module { module @kernels {
  /// What is computed from positions alone has the extents of what it was sized
  /// by: its rows are those of the argument.
  // CHECK-LABEL: gpu.func @masked(
  //       CHECK:   nvvm.shfl.sync bfly
  func.func @masked(%x: tensor<?x?xf32>, %init: tensor<?x?xf32>) -> tensor<?x?xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %x, %c0 : tensor<?x?xf32>
    %places = tensor.empty(%rows, %rows) : tensor<?x?xf32>
    %mask = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%places : tensor<?x?xf32>) {
      ^bb0(%out: f32):
        %i = linalg.index 0 : index
        %j = linalg.index 1 : index
        %hidden = arith.cmpi ugt, %j, %i : index
        %one = arith.constant 1.0 : f32
        %m = arith.select %hidden, %zero, %one : f32
        linalg.yield %m : f32
    } -> tensor<?x?xf32>
    %shown = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%mask, %x : tensor<?x?xf32>, tensor<?x?xf32>) outs(%places : tensor<?x?xf32>) {
      ^bb0(%m: f32, %a: f32, %out: f32):
        %p = arith.mulf %m, %a : f32
        linalg.yield %p : f32
    } -> tensor<?x?xf32>
    %e = tensor.empty(%rows) : tensor<?xf32>
    %start = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
    %sum = linalg.reduce { arith.addf } ins(%shown : tensor<?x?xf32>) outs(%start : tensor<?xf32>) dimensions = [1]
    %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
        ins(%shown, %sum : tensor<?x?xf32>, tensor<?xf32>) outs(%init : tensor<?x?xf32>) {
      ^bb0(%a: f32, %s: f32, %out: f32):
        %q = arith.divf %a, %s : f32
        linalg.yield %q : f32
    } -> tensor<?x?xf32>
    return %y : tensor<?x?xf32>
  }
}}
