// RUN: nvfp4-opt %s --pass-pipeline="builtin.module(func.func(nvfp4-fuse-elementwise,cse))" --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @chain(
//       CHECK:   linalg.generic
//       CHECK:     math.exp
//       CHECK:     math.tanh
//   CHECK-NOT:   linalg.generic
func.func @chain(%x: tensor<4x8xf32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = linalg.exp ins(%x : tensor<4x8xf32>) outs(%out : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.tanh ins(%0 : tensor<4x8xf32>) outs(%out : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

/// Fusion would compute each root eight times.
// CHECK-LABEL: func.func @negative_broadcast_work(
//       CHECK:   linalg.generic
//       CHECK:     math.rsqrt
//       CHECK:   linalg.generic
//       CHECK:     arith.mulf
func.func @negative_broadcast_work(%x: tensor<4xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.rsqrt ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %e2 = tensor.empty() : tensor<4x8xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%r, %y : tensor<4xf32>, tensor<4x8xf32>) outs(%e2 : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<4x8xf32>
  return %z : tensor<4x8xf32>
}

// -----

/// Two consumers: the exponential is computed once.
// CHECK-LABEL: func.func @negative_two_uses(
//       CHECK:   math.exp
//   CHECK-NOT:   math.exp
func.func @negative_two_uses(%x: tensor<8xf32>, %out: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = linalg.exp ins(%x : tensor<8xf32>) outs(%out : tensor<8xf32>) -> tensor<8xf32>
  %1 = linalg.tanh ins(%0 : tensor<8xf32>) outs(%out : tensor<8xf32>) -> tensor<8xf32>
  %2 = linalg.abs ins(%0 : tensor<8xf32>) outs(%out : tensor<8xf32>) -> tensor<8xf32>
  return %1, %2 : tensor<8xf32>, tensor<8xf32>
}

// -----

/// A contraction reads its operand transposed, but takes no arithmetic.
// CHECK-LABEL: func.func @contraction(
//  CHECK-SAME:     %[[X:[^ ]+]]: tensor<4x8xf32>, %[[W:[^ ]+]]: tensor<16x8xf32>
//       CHECK:   %[[EXP:.+]] = linalg.generic
//       CHECK:     math.exp
//       CHECK:   linalg.generic {{.*}} ins(%[[EXP]], %[[W]] :
//       CHECK:     arith.mulf
//       CHECK:     arith.addf
func.func @contraction(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %out: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.exp ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %et = tensor.empty() : tensor<8x16xf32>
  %t = linalg.transpose ins(%w : tensor<16x8xf32>) outs(%et : tensor<8x16xf32>) permutation = [1, 0]
  %1 = linalg.matmul ins(%0, %t : tensor<4x8xf32>, tensor<8x16xf32>) outs(%out : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}
