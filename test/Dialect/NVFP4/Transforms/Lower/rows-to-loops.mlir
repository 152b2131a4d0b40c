// RUN: nvfp4-opt %s --nvfp4-rows-to-loops --canonicalize --cse --split-input-file | FileCheck %s
// RUN: nvfp4-opt %s --nvfp4-rows-to-loops --split-input-file -o /dev/null \
// RUN:     --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

#row = affine_map<(m, n) -> (m, n)>
#one = affine_map<(m, n) -> (m, 0)>
#column = affine_map<(m, n) -> (n)>

/// What is the same along a row is read before the loop over its vectors.
// CHECK-LABEL: func.func @elements(
//  CHECK-SAME:     %[[X:[^ ]+]]: memref<?x32xf32>, %[[S:[^ ]+]]: memref<?x1xf32>, %[[B:[^ ]+]]: memref<32xf32>, %[[Y:[^ ]+]]: memref<?x32xf32>)
//       CHECK:   scf.parallel (%[[M:.+]]) = (%c0) to (%{{.+}}) step (%c1) {
//       CHECK:     %[[SM:.+]] = memref.load %[[S]][%[[M]], %c0]
//       CHECK:     scf.for %[[N:.+]] = %c0 to %c32 step %c16 {
//   CHECK-DAG:       %[[XV:.+]] = vector.load %[[X]][%[[M]], %[[N]]] : memref<?x32xf32>, vector<16xf32>
//   CHECK-DAG:       %[[BV:.+]] = vector.load %[[B]][%[[N]]] : memref<32xf32>, vector<16xf32>
//   CHECK-DAG:       %[[SV:.+]] = vector.broadcast %[[SM]] : f32 to vector<16xf32>
//       CHECK:       %[[P:.+]] = arith.mulf %[[XV]], %[[SV]] : vector<16xf32>
//       CHECK:       %[[R:.+]] = arith.addf %[[P]], %[[BV]] : vector<16xf32>
//       CHECK:       vector.store %[[R]], %[[Y]][%[[M]], %[[N]]]
//   CHECK-NOT:     scf.for
//       CHECK:   } {nvfp4.grain = {{[0-9]+}} : i64}
func.func @elements(%x: memref<?x32xf32>, %s: memref<?x1xf32>, %b: memref<32xf32>, %y: memref<?x32xf32>) {
  linalg.generic {indexing_maps = [#row, #one, #column, #row], iterator_types = ["parallel", "parallel"]}
      ins(%x, %s, %b : memref<?x32xf32>, memref<?x1xf32>, memref<32xf32>) outs(%y : memref<?x32xf32>) {
  ^bb0(%in: f32, %scale: f32, %bias: f32, %out: f32):
    %0 = arith.mulf %in, %scale : f32
    %1 = arith.addf %0, %bias : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>
#sum = affine_map<(m, n) -> (m)>

/// One sum per lane, halves, the initial value, then what is left over.
// CHECK-LABEL: func.func @sum(
//  CHECK-SAME:     %[[X:[^ ]+]]: memref<?x?xf32>, %[[Y:[^ ]+]]: memref<?xf32>)
//       CHECK:   scf.parallel (%[[M:.+]]) =
//       CHECK:     %[[REST:.+]] = arith.remui %[[N:.+]], %c16
//       CHECK:     %[[WHOLE:.+]] = arith.subi %[[N]], %[[REST]]
//       CHECK:     %[[LANES:.+]] = scf.for %[[I:.+]] = %c0 to %[[WHOLE]] step %c16 iter_args(%[[A:.+]] = %{{.+}}) -> (vector<16xf32>) {
//       CHECK:       %[[V:.+]] = vector.load %[[X]][%[[M]], %[[I]]]
//       CHECK:       arith.addf %[[V]], %[[A]] : vector<16xf32>
//       CHECK:     %[[INIT:.+]] = memref.load %[[Y]][%[[M]]]
//       CHECK:     vector.shuffle %[[LANES]], %[[LANES]] [0, 1, 2, 3, 4, 5, 6, 7]
//       CHECK:     vector.shuffle %[[LANES]], %[[LANES]] [8, 9, 10, 11, 12, 13, 14, 15]
//       CHECK:     arith.addf {{.*}} : vector<8xf32>
//       CHECK:     arith.addf {{.*}} : vector<1xf32>
//       CHECK:     %[[ALL:.+]] = arith.addf %[[INIT]], %{{.+}} : f32
//       CHECK:     %[[SUM:.+]] = scf.for %{{.+}} = %[[WHOLE]] to %[[N]] step %c1 iter_args(%{{.+}} = %[[ALL]]) -> (f32)
//       CHECK:     memref.store %[[SUM]], %[[Y]][%[[M]]]
func.func @sum(%x: memref<?x?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#row, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>
#sum = affine_map<(m, n) -> (m)>

/// bf16 sums round after every element: their order stays.
// REMARK: RowsToLoops{{.*}}one element at a time: the reduction keeps its order
// CHECK-LABEL: func.func @negative_sum_bf16(
//   CHECK-NOT:   vector
//       CHECK:   scf.for
//   CHECK-NOT:   vector
//       CHECK:   return
func.func @negative_sum_bf16(%x: memref<?x32xbf16>, %y: memref<?xbf16>) {
  linalg.generic {indexing_maps = [#row, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x32xbf16>) outs(%y : memref<?xbf16>) {
  ^bb0(%in: bf16, %out: bf16):
    %0 = arith.addf %in, %out : bf16
    linalg.yield %0 : bf16
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>
#sum = affine_map<(m, n) -> (m)>

/// A softmax without a maximum: three ops over the same rows, one loop.
// CHECK-LABEL: func.func @group(
//       CHECK:   memref.alloc
//       CHECK:   scf.parallel
//       CHECK:     math.exp %{{.+}} : vector<16xf32>
//       CHECK:     arith.addf %{{.+}} : vector<16xf32>
//       CHECK:     arith.divf %{{.+}} : vector<16xf32>
//       CHECK:   }
//   CHECK-NOT:   scf.parallel
//       CHECK:   return
func.func @group(%x: memref<?x64xf32>, %y: memref<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %rows = memref.dim %x, %c0 : memref<?x64xf32>
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x64xf32>) outs(%y : memref<?x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  }
  %s = memref.alloc(%rows) : memref<?x1xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<?x1xf32>)
  %sums = memref.collapse_shape %s [[0, 1]] : memref<?x1xf32> into memref<?xf32>
  linalg.generic {indexing_maps = [#row, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%y : memref<?x64xf32>) outs(%sums : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#row, #sum, #row], iterator_types = ["parallel", "parallel"]}
      ins(%y, %sums : memref<?x64xf32>, memref<?xf32>) outs(%y : memref<?x64xf32>) {
  ^bb0(%in: f32, %sum: f32, %out: f32):
    %0 = arith.divf %in, %sum : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>
#across = affine_map<(m, n) -> (n, m)>

/// The second op reads other rows than the first has written so far.
// REMARK: RowsToLoops{{.*}}one element at a time: operand 0 is not contiguous along the innermost dimension
// CHECK-LABEL: func.func @negative_across_rows(
// CHECK-COUNT-2: scf.parallel
func.func @negative_across_rows(%x: memref<32x32xf32>, %y: memref<32x32xf32>, %z: memref<32x32xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<32x32xf32>) outs(%y : memref<32x32xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#across, #row], iterator_types = ["parallel", "parallel"]}
      ins(%y : memref<32x32xf32>) outs(%z : memref<32x32xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>
#first = affine_map<(m, n) -> (m)>

/// A gather of rows reads vectors; an i1, which is a byte in memory and a bit
/// in a vector, is read as one element.
// CHECK-LABEL: func.func @gather(
//  CHECK-SAME:     %[[TABLE:[^ ]+]]: memref<100x32xf32>
//       CHECK:   %[[BIT:.+]] = memref.load %{{.+}} : memref<?xi1>
//       CHECK:   scf.for %[[N:.+]] = %c0 to %c32 step %c16
//       CHECK:     %[[V:.+]] = vector.load %[[TABLE]][%{{.+}}, %[[N]]] : memref<100x32xf32>, vector<16xf32>
//       CHECK:     arith.select %[[BIT]], %[[V]], %{{.+}} : vector<16xf32>
func.func @gather(%table: memref<100x32xf32>, %ids: memref<?xi64>, %mask: memref<?xi1>, %y: memref<?x32xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#first, #first, #row], iterator_types = ["parallel", "parallel"]}
      ins(%ids, %mask : memref<?xi64>, memref<?xi1>) outs(%y : memref<?x32xf32>) {
  ^bb0(%id: i64, %bit: i1, %out: f32):
    %m = arith.index_cast %id : i64 to index
    %n = linalg.index 1 : index
    %0 = memref.load %table[%m, %n] : memref<100x32xf32>
    %1 = arith.select %bit, %0, %zero : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>

/// Vectors of i1 would be read as bits: one element at a time.
// CHECK-LABEL: func.func @negative_i1(
//   CHECK-NOT:   vector
//       CHECK:   memref.load %{{.+}} : memref<?x32xi1>
func.func @negative_i1(%mask: memref<?x32xi1>, %y: memref<?x32xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
      ins(%mask : memref<?x32xi1>) outs(%y : memref<?x32xf32>) {
  ^bb0(%bit: i1, %out: f32):
    %0 = arith.uitofp %bit : i1 to f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>

/// What is no entry has no context, and so no threads.
// CHECK-LABEL: func.func private @negative_no_entry(
//   CHECK-NOT:   scf.parallel
//       CHECK:   return
func.func private @negative_no_entry(%x: memref<?x32xf32>, %y: memref<?x32xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x32xf32>) outs(%y : memref<?x32xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// -----

#row = affine_map<(m, n) -> (m, n)>

/// What is left over of a dynamic extent: one vector of 8, one of 4, single elements.
// CHECK-LABEL: func.func @left_over(
//       CHECK:   scf.for {{.*}} step %c16 {
//       CHECK:     math.exp %{{.+}} : vector<16xf32>
//       CHECK:   scf.for {{.*}} step %c8 {
//       CHECK:     math.exp %{{.+}} : vector<8xf32>
//       CHECK:   scf.for {{.*}} step %c4 {
//       CHECK:     math.exp %{{.+}} : vector<4xf32>
//       CHECK:   scf.for {{.*}} step %c1 {
//       CHECK:     math.exp %{{.+}} : f32
func.func @left_over(%x: memref<?x?xf32>, %y: memref<?x?xf32>) {
  linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x?xf32>) outs(%y : memref<?x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  }
  return
}
