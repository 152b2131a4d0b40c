// RUN: nvfp4-opt %s --nvfp4-contractions-to-loops --canonicalize --cse --split-input-file | FileCheck %s

/// Panels of 16 columns; tiles of 4 rows, then single rows; k innermost with the
/// accumulators carried.
// CHECK-LABEL: func.func @matmul(
//  CHECK-SAME:     %[[A:[^ ]+]]: memref<?x8xf32>, %[[B:[^ ]+]]: memref<8x32xf32>, %[[C:[^ ]+]]: memref<?x32xf32>)
//       CHECK:   %[[PANEL:.+]] = memref.alloc() : memref<8x16xf32>
//       CHECK:   scf.for %[[COLUMN:.+]] = %c0 to %c32 step %c16
//       CHECK:     memref.store %{{.+}}, %[[PANEL]]
//       CHECK:     scf.for %[[ROW:.+]] = %c0 to %{{.+}} step %c4
//       CHECK:       scf.for %[[K:.+]] = %c0 to %c8 step %c1 iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
//       CHECK:         %[[COLUMNS:.+]] = vector.load %[[PANEL]][%[[K]], %c0]
//       CHECK:         %[[X:.+]] = memref.load %[[A]][%[[ROW]], %[[K]]]
//       CHECK:         %[[XS:.+]] = vector.broadcast %[[X]]
//       CHECK:         vector.fma %[[XS]], %[[COLUMNS]]
//       CHECK:     scf.for
//       CHECK:       scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>)
func.func @matmul(%a: memref<?x8xf32>, %b: memref<8x32xf32>, %c: memref<?x32xf32>) {
  linalg.matmul ins(%a, %b : memref<?x8xf32>, memref<8x32xf32>) outs(%c : memref<?x32xf32>)
  return
}

// -----

/// The panel widens bf16 once; an f16 result is rounded at the end.
// CHECK-LABEL: func.func @narrow(
//       CHECK:   memref.alloc() : memref<8x16xf32>
//       CHECK:   arith.extf %{{.+}} : bf16 to f32
//       CHECK:   vector.fma {{.*}} : vector<16xf32>
//       CHECK:   arith.truncf %{{.+}} : f32 to f16
func.func @narrow(%a: memref<4x8xbf16>, %b: memref<8x32xbf16>, %c: memref<4x32xf16>) {
  linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x8xbf16>, memref<8x32xbf16>) outs(%c : memref<4x32xf16>) {
  ^bb0(%x: bf16, %y: bf16, %o: f16):
    %xe = arith.extf %x : bf16 to f32
    %ye = arith.extf %y : bf16 to f32
    %oe = arith.extf %o : f16 to f32
    %p = arith.mulf %xe, %ye : f32
    %s = arith.addf %oe, %p : f32
    %r = arith.truncf %s : f32 to f16
    linalg.yield %r : f16
  }
  return
}

// -----

/// Sums of integers are exact in any order: LLVM does better alone.
// CHECK-LABEL: func.func @negative_integer(
//       CHECK:   linalg.matmul
func.func @negative_integer(%a: memref<4x8xi32>, %b: memref<8x32xi32>, %c: memref<4x32xi32>) {
  linalg.matmul ins(%a, %b : memref<4x8xi32>, memref<8x32xi32>) outs(%c : memref<4x32xi32>)
  return
}

// -----

/// The kernel accumulates in f32.
// CHECK-LABEL: func.func @negative_f64(
//       CHECK:   linalg.matmul
func.func @negative_f64(%a: memref<4x8xf64>, %b: memref<8x32xf64>, %c: memref<4x32xf64>) {
  linalg.matmul ins(%a, %b : memref<4x8xf64>, memref<8x32xf64>) outs(%c : memref<4x32xf64>)
  return
}

// -----

/// A window is no projected permutation.
// CHECK-LABEL: func.func @negative_convolution(
//       CHECK:   linalg.conv_1d
func.func @negative_convolution(%a: memref<9xf32>, %b: memref<2xf32>, %c: memref<8xf32>) {
  linalg.conv_1d ins(%a, %b : memref<9xf32>, memref<2xf32>) outs(%c : memref<8xf32>)
  return
}
