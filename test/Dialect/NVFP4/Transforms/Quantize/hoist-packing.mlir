// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: nvfp4-opt %s --nvfp4-hoist-packing --split-input-file | FileCheck %s

/// The common case: a transposed weight is quantized; its raw form disappears.
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<8x128xf32>,
//  CHECK-SAME:     %[[W:[^:]+]]: !nvfp4.tensor<64x128, nvfp4> {nvfp4.packed = @pack.query.weight})
//  CHECK-NEXT:   %[[D:.+]] = nvfp4.matmul %[[X]], %[[W]]
//  CHECK-NEXT:   return %[[D]]
// CHECK-LABEL: func.func private @pack.query.weight(
//  CHECK-SAME:     %[[W:[^:]+]]: tensor<128x64xbf16> {nvfp4.weight = "query.weight"})
//  CHECK-SAME:     attributes {nvfp4.pack = "query.weight"}
//       CHECK:   %[[T:.+]] = linalg.transpose ins(%[[W]]
//       CHECK:   %[[G:.+]] = nvfp4.global_scale %[[T]]
//       CHECK:   %[[Q:.+]] = nvfp4.quantize %[[T]] global_scale %[[G]]
//       CHECK:   return %[[Q]]
func.func @main(%w: tensor<128x64xbf16> {nvfp4.weight = "query.weight"}, %x: tensor<8x128xf32>) -> tensor<8x64xf32> {
  %e = tensor.empty() : tensor<64x128xbf16>
  %t = linalg.transpose ins(%w : tensor<128x64xbf16>) outs(%e : tensor<64x128xbf16>) permutation = [1, 0]
  %g = nvfp4.global_scale %t : tensor<64x128xbf16> -> tensor<f32>
  %q = nvfp4.quantize %t global_scale %g : tensor<64x128xbf16>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
  %d = nvfp4.matmul %x, %q : tensor<8x128xf32>, !nvfp4.tensor<64x128, nvfp4> -> tensor<8x64xf32>
  return %d : tensor<8x64xf32>
}

// -----

/// Casts and relayout belong to the chain; the layout is the result's.
// CHECK-LABEL: func.func @casts_relayout(
//  CHECK-SAME:     !nvfp4.tensor<64x128, nvfp4, layout = tiled> {nvfp4.packed = @pack.w})
//  CHECK-NEXT:   return
// CHECK-LABEL: func.func private @pack.w(
//       CHECK:   arith.extf
//       CHECK:   nvfp4.quantize
//       CHECK:   nvfp4.relayout
func.func @casts_relayout(%w: tensor<64x128xbf16> {nvfp4.weight = "w"}) -> !nvfp4.tensor<64x128, nvfp4, layout = tiled> {
  %e = tensor.empty() : tensor<64x128xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x128xbf16>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %0 = arith.extf %in : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<64x128xf32>
  %g = nvfp4.global_scale %c : tensor<64x128xf32> -> tensor<f32>
  %q = nvfp4.quantize %c global_scale %g : tensor<64x128xf32>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
  %r = nvfp4.relayout %q : !nvfp4.tensor<64x128, nvfp4> -> !nvfp4.tensor<64x128, nvfp4, layout = tiled>
  return %r : !nvfp4.tensor<64x128, nvfp4, layout = tiled>
}

// -----

/// Every kind of view, in one chain each.
// CHECK-LABEL: func.func @views(
//  CHECK-SAME:     tensor<16x8xf32> {nvfp4.packed = @pack.a.transposed}
//  CHECK-SAME:     tensor<4x16xf32> {nvfp4.packed = @pack.b.slice}
//  CHECK-SAME:     tensor<16x16xf32> {nvfp4.packed = @pack.a.concat}
//  CHECK-SAME:     tensor<8x4x4xf32> {nvfp4.packed = @pack.a.transposed.2}
//  CHECK-SAME:     tensor<32x4xf32> {nvfp4.packed = @pack.b.transposed}
//  CHECK-SAME:     tensor<8x16xf32> {nvfp4.packed = @pack.c.transposed}
//  CHECK-NEXT:   return
func.func @views(%a: tensor<8x16xf32> {nvfp4.weight = "a"}, %b: tensor<8x16xf32> {nvfp4.weight = "b"},
                 %c: tensor<1x16x8xf32> {nvfp4.weight = "c"})
    -> (tensor<16x8xf32>, tensor<4x16xf32>, tensor<16x16xf32>, tensor<8x4x4xf32>, tensor<32x4xf32>, tensor<8x16xf32>) {
  %e0 = tensor.empty() : tensor<16x8xf32>
  %0 = linalg.transpose ins(%a : tensor<8x16xf32>) outs(%e0 : tensor<16x8xf32>) permutation = [1, 0]
  %1 = tensor.extract_slice %b[2, 0] [4, 16] [1, 1] : tensor<8x16xf32> to tensor<4x16xf32>
  %2 = tensor.concat dim(0) %a, %b : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<16x16xf32>
  %3 = tensor.expand_shape %a [[0], [1, 2]] output_shape [8, 4, 4] : tensor<8x16xf32> into tensor<8x4x4xf32>
  %e3 = tensor.empty() : tensor<8x4x4xf32>
  %4 = linalg.transpose ins(%3 : tensor<8x4x4xf32>) outs(%e3 : tensor<8x4x4xf32>) permutation = [0, 2, 1]
  %5 = tensor.expand_shape %b [[0], [1, 2]] output_shape [8, 4, 4] : tensor<8x16xf32> into tensor<8x4x4xf32>
  %6 = linalg.transpose ins(%5 : tensor<8x4x4xf32>) outs(%e3 : tensor<8x4x4xf32>) permutation = [0, 2, 1]
  %7 = tensor.collapse_shape %6 [[0, 1], [2]] : tensor<8x4x4xf32> into tensor<32x4xf32>
  %e8 = tensor.empty() : tensor<8x16xf32>
  %8 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (0, j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<1x16x8xf32>) outs(%e8 : tensor<8x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<8x16xf32>
  return %0, %1, %2, %4, %7, %8 : tensor<16x8xf32>, tensor<4x16xf32>, tensor<16x16xf32>, tensor<8x4x4xf32>, tensor<32x4xf32>, tensor<8x16xf32>
}

// -----

/// A broadcast inside a chain whose result is small enough.
// CHECK-LABEL: func.func @broadcast_quantized(
//  CHECK-SAME:     !nvfp4.tensor<2x32x32, nvfp4> {nvfp4.packed = @pack.w}
//  CHECK-NEXT:   return
func.func @broadcast_quantized(%w: tensor<32x32xf32> {nvfp4.weight = "w"}) -> !nvfp4.tensor<2x32x32, nvfp4> {
  %e = tensor.empty() : tensor<2x32x32xf32>
  %b = linalg.broadcast ins(%w : tensor<32x32xf32>) outs(%e : tensor<2x32x32xf32>) dimensions = [0]
  %g = nvfp4.global_scale %b : tensor<2x32x32xf32> -> tensor<f32>
  %q = nvfp4.quantize %b global_scale %g : tensor<2x32x32xf32>, tensor<f32> -> !nvfp4.tensor<2x32x32, nvfp4>
  return %q : !nvfp4.tensor<2x32x32, nvfp4>
}

// -----

/// Experts: one global scale per leading index.
// CHECK-LABEL: func.func @experts(
//  CHECK-SAME:     !nvfp4.tensor<4x32x64, nvfp4<global = slice>> {nvfp4.packed = @pack.experts}
//  CHECK-NEXT:   return
func.func @experts(%w: tensor<4x64x32xf32> {nvfp4.weight = "experts"}) -> !nvfp4.tensor<4x32x64, nvfp4<global = slice>> {
  %e = tensor.empty() : tensor<4x32x64xf32>
  %t = linalg.transpose ins(%w : tensor<4x64x32xf32>) outs(%e : tensor<4x32x64xf32>) permutation = [0, 2, 1]
  %g = nvfp4.global_scale %t per_slice : tensor<4x32x64xf32> -> tensor<4xf32>
  %q = nvfp4.quantize %t global_scale %g : tensor<4x32x64xf32>, tensor<4xf32> -> !nvfp4.tensor<4x32x64, nvfp4<global = slice>>
  return %q : !nvfp4.tensor<4x32x64, nvfp4<global = slice>>
}
