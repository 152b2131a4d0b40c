// RUN: nvfp4-opt %s --nvfp4-contractions-to-calls --split-input-file | FileCheck %s

#x = affine_map<(b, m, n, k) -> (b, m, k)>
#w = affine_map<(b, m, n, k) -> (n, k)>
#y = affine_map<(b, m, n, k) -> (b, m, n)>

/// A fill with zeros becomes part of the product.
// CHECK-LABEL: func.func @linear(
//   CHECK-NOT:   linalg
//       CHECK:   nvfp4.gemm [{{.*}}] ins(%{{.+}}, %{{.+}} : memref<?x32x64xf32>, memref<16x64xf32>) outs(
func.func @linear(%x: memref<?x32x64xf32>, %w: memref<16x64xf32>, %y: memref<?x32x16xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x32x16xf32>)
  linalg.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w : memref<?x32x64xf32>, memref<16x64xf32>) outs(%y : memref<?x32x16xf32>)
  return
}

// -----

/// What the result holds counts: another value, or one that somebody has read.
// CHECK-LABEL: func.func @accumulate(
//       CHECK:   linalg.fill
//       CHECK:   nvfp4.gemm [{{.*}}] accumulate ins
//       CHECK:   linalg.fill
//       CHECK:   memref.load
//       CHECK:   nvfp4.gemm [{{.*}}] accumulate ins
func.func @accumulate(%x: memref<4x8xf16>, %w: memref<8x4xf16>, %y: memref<4x4xf16>) -> f16 {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f16
  linalg.fill ins(%one : f16) outs(%y : memref<4x4xf16>)
  linalg.matmul ins(%x, %w : memref<4x8xf16>, memref<8x4xf16>) outs(%y : memref<4x4xf16>)
  %zero = arith.constant 0.0 : f16
  linalg.fill ins(%zero : f16) outs(%y : memref<4x4xf16>)
  %v = memref.load %y[%c0, %c0] : memref<4x4xf16>
  linalg.matmul ins(%x, %w : memref<4x8xf16>, memref<8x4xf16>) outs(%y : memref<4x4xf16>)
  return %v : f16
}

// -----

/// A contracted dimension that is not one in memory, other element types, and
/// products below the level of the entry stay.
// CHECK-LABEL: func.func @others(
//   CHECK-NOT:   nvfp4.gemm
//       CHECK:   linalg.contract
//       CHECK:   linalg.matmul
//       CHECK:   scf.for
//       CHECK:     linalg.matmul
func.func @others(%x: memref<4x3x8xf32, strided<[48, 16, 1]>>, %w: memref<3x8x4xf32>, %y: memref<4x4xf32>,
                  %a: memref<4x4xf64>, %n: index) {
  linalg.contract indexing_maps = [affine_map<(m, n, i, k) -> (m, i, k)>, affine_map<(m, n, i, k) -> (i, k, n)>,
                                   affine_map<(m, n, i, k) -> (m, n)>]
      ins(%x, %w : memref<4x3x8xf32, strided<[48, 16, 1]>>, memref<3x8x4xf32>) outs(%y : memref<4x4xf32>)
  linalg.matmul ins(%a, %a : memref<4x4xf64>, memref<4x4xf64>) outs(%a : memref<4x4xf64>)
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    linalg.matmul ins(%y, %y : memref<4x4xf32>, memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  }
  return
}

// -----

// CHECK-LABEL: func.func private @callee(
//       CHECK:   linalg.matmul
func.func private @callee(%x: memref<4x4xf32>, %y: memref<4x4xf32>) {
  linalg.matmul ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  return
}
