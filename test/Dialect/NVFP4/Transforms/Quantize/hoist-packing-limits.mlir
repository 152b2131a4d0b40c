// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: nvfp4-opt %s --nvfp4-hoist-packing --split-input-file | FileCheck %s
// RUN: nvfp4-opt %s --nvfp4-hoist-packing --split-input-file --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

/// A broadcast is larger than its source: what feeds it is packed instead.
// CHECK-LABEL: func.func @negative_broadcast(
//  CHECK-SAME:     %[[T:[^:]+]]: tensor<16x8xf32> {nvfp4.packed = @pack.w.transposed})
//       CHECK:   linalg.broadcast ins(%[[T]]
//      REMARK: remark: [Missed] HoistPacking | Category:nvfp4 | Remark="not packed: its 2048 bytes would be more than the 512 bytes of its sources"
func.func @negative_broadcast(%w: tensor<8x16xf32> {nvfp4.weight = "w"}) -> tensor<4x16x8xf32> {
  %e0 = tensor.empty() : tensor<16x8xf32>
  %t = linalg.transpose ins(%w : tensor<8x16xf32>) outs(%e0 : tensor<16x8xf32>) permutation = [1, 0]
  %e1 = tensor.empty() : tensor<4x16x8xf32>
  %b = linalg.broadcast ins(%t : tensor<16x8xf32>) outs(%e1 : tensor<4x16x8xf32>) dimensions = [0]
  return %b : tensor<4x16x8xf32>
}

// -----

/// f32 from bf16 is larger: the cast stays, and the weight is carried as it is.
// CHECK-LABEL: func.func @negative_widening(
//  CHECK-SAME:     %[[W:[^:]+]]: tensor<8x16xbf16> {nvfp4.weight = "w"})
//       CHECK:   arith.extf %[[W]]
//      REMARK: Remark="not packed: its 512 bytes would be more than the 256 bytes of its sources"
func.func @negative_widening(%w: tensor<8x16xbf16> {nvfp4.weight = "w"}) -> tensor<8x16xf32> {
  %0 = arith.extf %w : tensor<8x16xbf16> to tensor<8x16xf32>
  return %0 : tensor<8x16xf32>
}

// -----

/// Of a widened transpose, the transpose is packed in bf16 and the cast stays.
// CHECK-LABEL: func.func @widened_views(
//  CHECK-SAME:     %[[T:[^:]+]]: tensor<2x16x3xbf16> {nvfp4.packed = @pack.w.slice})
//       CHECK:   %[[Y:.+]] = linalg.generic {{.+}} ins(%[[T]] : tensor<2x16x3xbf16>)
//       CHECK:     arith.extf
//       CHECK:   return %[[Y]] : tensor<2x16x3xf32>
func.func @widened_views(%w: tensor<8x16xbf16> {nvfp4.weight = "w"}) -> tensor<2x16x3xf32> {
  %e0 = tensor.empty() : tensor<8x16xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<8x16xbf16>) outs(%e0 : tensor<8x16xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %x = arith.extf %in : bf16 to f32
    linalg.yield %x : f32
  } -> tensor<8x16xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 4, 16] : tensor<8x16xf32> into tensor<2x4x16xf32>
  %2 = tensor.extract_slice %1[0, 1, 0] [2, 3, 16] [1, 1, 1] : tensor<2x4x16xf32> to tensor<2x3x16xf32>
  %e1 = tensor.empty() : tensor<2x16x3xf32>
  %3 = linalg.transpose ins(%2 : tensor<2x3x16xf32>) outs(%e1 : tensor<2x16x3xf32>) permutation = [0, 2, 1]
  return %3 : tensor<2x16x3xf32>
}

// -----

/// A reshape moves no byte.
// CHECK-LABEL: func.func @negative_reshape(
//  CHECK-SAME:     %[[W:[^:]+]]: tensor<16xf32> {nvfp4.weight = "w"})
//       CHECK:   tensor.expand_shape %[[W]]
func.func @negative_reshape(%w: tensor<16xf32> {nvfp4.weight = "w"}) -> tensor<1x16xf32> {
  %0 = tensor.expand_shape %w [[0, 1]] output_shape [1, 16] : tensor<16xf32> into tensor<1x16xf32>
  return %0 : tensor<1x16xf32>
}

// -----

/// Narrowing is packed.
// CHECK-LABEL: func.func @narrowing(
//  CHECK-SAME:     tensor<8x16xbf16> {nvfp4.packed = @pack.w.bf16})
//  CHECK-NEXT:   return
func.func @narrowing(%w: tensor<8x16xf32> {nvfp4.weight = "w"}) -> tensor<8x16xbf16> {
  %0 = arith.truncf %w : tensor<8x16xf32> to tensor<8x16xbf16>
  return %0 : tensor<8x16xbf16>
}

// -----

/// Arithmetic stays, and is named. So does what depends on it.
// CHECK-LABEL: func.func @negative_arithmetic(
//  CHECK-SAME:     %[[W:[^:]+]]: tensor<32x64xf32> {nvfp4.weight = "w"})
//       CHECK:   %[[S:.+]] = linalg.add ins(%[[W]], %[[W]]
//       CHECK:   nvfp4.quantize %[[S]]
//      REMARK: Remark="computed from weights in every run: 'linalg.add' is no view, cast or quantize"
//      REMARK: Remark="computed from weights in every run: 'nvfp4.global_scale' is no view, cast or quantize"
func.func @negative_arithmetic(%w: tensor<32x64xf32> {nvfp4.weight = "w"}) -> !nvfp4.tensor<32x64, nvfp4> {
  %e = tensor.empty() : tensor<32x64xf32>
  %s = linalg.add ins(%w, %w : tensor<32x64xf32>, tensor<32x64xf32>) outs(%e : tensor<32x64xf32>) -> tensor<32x64xf32>
  %g = nvfp4.global_scale %s : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %s global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %q : !nvfp4.tensor<32x64, nvfp4>
}

// -----

/// The random bits are known at run time only.
// CHECK-LABEL: func.func @negative_stochastic(
//       CHECK:   nvfp4.quantize
//      REMARK: Remark="computed from weights in every run: stochastic rounding needs random bits that are known at run time only"
func.func @negative_stochastic(%w: tensor<32x64xf32> {nvfp4.weight = "w"}) -> !nvfp4.tensor<32x64, nvfp4> {
  %state = arith.constant dense<[1, 2]> : tensor<2xi64>
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g rounding<stochastic> state %state
      : tensor<32x64xf32>, tensor<f32>, tensor<2xi64> -> !nvfp4.tensor<32x64, nvfp4>
  return %q : !nvfp4.tensor<32x64, nvfp4>
}

// -----

/// A slice across a transpose would be a gather of single elements: what comes
/// before it is packed.
// CHECK-LABEL: func.func @negative_gather(
//  CHECK-SAME:     %[[T:[^:]+]]: tensor<15000xf32> {nvfp4.packed = @pack.w.transposed})
//       CHECK:   tensor.extract_slice %[[T]]
//      REMARK: Remark="computed from weights in every run: expected a view of at most 4096 boxes, but the reshape crosses a transpose or a slice and needs more"
func.func @negative_gather(%w: tensor<3x5000xf32> {nvfp4.weight = "w"}) -> tensor<14998xf32> {
  %e = tensor.empty() : tensor<5000x3xf32>
  %t = linalg.transpose ins(%w : tensor<3x5000xf32>) outs(%e : tensor<5000x3xf32>) permutation = [1, 0]
  %c = tensor.collapse_shape %t [[0, 1]] : tensor<5000x3xf32> into tensor<15000xf32>
  %s = tensor.extract_slice %c[1] [14998] [1] : tensor<15000xf32> to tensor<14998xf32>
  return %s : tensor<14998xf32>
}

// -----

/// Inputs are no weights.
// CHECK-LABEL: func.func @negative_input(
//       CHECK:   linalg.transpose
//   CHECK-NOT: func.func private
func.func @negative_input(%x: tensor<8x16xf32> {nvfp4.name = "x"}) -> tensor<16x8xf32> {
  %e = tensor.empty() : tensor<16x8xf32>
  %t = linalg.transpose ins(%x : tensor<8x16xf32>) outs(%e : tensor<16x8xf32>) permutation = [1, 0]
  return %t : tensor<16x8xf32>
}

// -----

/// A broadcast to a dynamic batch is no work on weights alone: no remark.
// CHECK-LABEL: func.func @negative_dynamic_broadcast(
//       CHECK:   linalg.broadcast
//  REMARK-NOT: remark
func.func @negative_dynamic_broadcast(%w: tensor<16xf32> {nvfp4.weight = "w"}, %n: index) -> tensor<?x16xf32> {
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %b = linalg.broadcast ins(%w : tensor<16xf32>) outs(%e : tensor<?x16xf32>) dimensions = [0]
  return %b : tensor<?x16xf32>
}
