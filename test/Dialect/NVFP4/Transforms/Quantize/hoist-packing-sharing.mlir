// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: nvfp4-opt %s --nvfp4-hoist-packing --split-input-file | FileCheck %s

/// Equal chains, written differently, are one packed tensor.
// CHECK-LABEL: func.func @same_key(
//  CHECK-SAME:     %[[A:[^:]+]]: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.w})
//  CHECK-NEXT:   return %[[A]], %[[A]]
//       CHECK: func.func private @pack.w(
//   CHECK-NOT: func.func
func.func @same_key(%w: tensor<64x32xf32> {nvfp4.weight = "w"}) -> (!nvfp4.tensor<32x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4>) {
  %e = tensor.empty() : tensor<32x64xf32>
  %t0 = linalg.transpose ins(%w : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) permutation = [1, 0]
  %g0 = nvfp4.global_scale %t0 : tensor<32x64xf32> -> tensor<f32>
  %q0 = nvfp4.quantize %t0 global_scale %g0 : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  %t1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<32x64xf32>
  // The maximum over a weight does not depend on its order.
  %g1 = nvfp4.global_scale %w : tensor<64x32xf32> -> tensor<f32>
  %q1 = nvfp4.quantize %t1 global_scale %g1 : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %q0, %q1 : !nvfp4.tensor<32x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4>
}

// -----

/// Two entries share what is equal.
// CHECK-LABEL: func.func @first(%{{.+}}: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.w})
// CHECK-LABEL: func.func @second(%{{.+}}: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.w})
//       CHECK: func.func private @pack.w(
//   CHECK-NOT: func.func
func.func @first(%w: tensor<32x64xf32> {nvfp4.weight = "w"}) -> !nvfp4.tensor<32x64, nvfp4> {
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %q : !nvfp4.tensor<32x64, nvfp4>
}
func.func @second(%w: tensor<32x64xf32> {nvfp4.weight = "w"}) -> !nvfp4.tensor<32x64, nvfp4> {
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %q : !nvfp4.tensor<32x64, nvfp4>
}

// -----

/// A tied weight, gathered and multiplied: once per precision, and the raw one
/// keeps the weight's name.
// CHECK-LABEL: func.func @gathered_and_multiplied(
//  CHECK-SAME:     %[[ID:[^:]+]]: tensor<4xi64>, %[[RAW:[^:]+]]: tensor<32x64xf32> {nvfp4.weight = "embed_tokens.weight"},
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor<32x64, nvfp4> {nvfp4.packed = @pack.embed_tokens.weight.nvfp4},
//  CHECK-SAME:     %[[M:[^:]+]]: !nvfp4.tensor<32x64, mxfp4> {nvfp4.packed = @pack.embed_tokens.weight.mxfp4})
//       CHECK:   tensor.extract %[[RAW]]
//       CHECK:   nvfp4.matmul %{{.+}}, %[[Q]]
//       CHECK:   nvfp4.matmul %{{.+}}, %[[M]]
func.func @gathered_and_multiplied(%ids: tensor<4xi64>, %w: tensor<32x64xf32> {nvfp4.weight = "embed_tokens.weight"})
    -> (tensor<4x32xf32>, tensor<4x32xf32>) {
  %e = tensor.empty() : tensor<4x64xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<4xi64>) outs(%e : tensor<4x64xf32>) {
  ^bb0(%in: i64, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %col = linalg.index 1 : index
    %v = tensor.extract %w[%row, %col] : tensor<32x64xf32>
    linalg.yield %v : f32
  } -> tensor<4x64xf32>
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  %m = nvfp4.quantize %w : tensor<32x64xf32> -> !nvfp4.tensor<32x64, mxfp4>
  %y0 = nvfp4.matmul %x, %q : tensor<4x64xf32>, !nvfp4.tensor<32x64, nvfp4> -> tensor<4x32xf32>
  %y1 = nvfp4.matmul %x, %m : tensor<4x64xf32>, !nvfp4.tensor<32x64, mxfp4> -> tensor<4x32xf32>
  return %y0, %y1 : tensor<4x32xf32>, tensor<4x32xf32>
}

// -----

/// One weight in two arguments is one weight.
// CHECK-LABEL: func.func @tied_arguments(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<4xf32>, %[[W:[^:]+]]: tensor<4xf32> {nvfp4.weight = "w"})
//       CHECK:   linalg.add ins(%[[X]], %[[W]]
//       CHECK:   linalg.mul ins(%{{.+}}, %[[W]]
func.func @tied_arguments(%x: tensor<4xf32>, %w0: tensor<4xf32> {nvfp4.weight = "w"}, %w1: tensor<4xf32> {nvfp4.weight = "w"},
                          %unused: tensor<4xf32> {nvfp4.weight = "unused"}) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.add ins(%x, %w0 : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.mul ins(%0, %w1 : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

/// A name that another tensor of the package has is not used again.
// CHECK-LABEL: func.func @name_taken(
//  CHECK-SAME:     {nvfp4.weight = "w.codes"}
//  CHECK-SAME:     {nvfp4.packed = @pack.w.nvfp4}
func.func @name_taken(%c: tensor<4xf32> {nvfp4.weight = "w.codes"}, %w: tensor<32x64xf32> {nvfp4.weight = "w"})
    -> (tensor<4xf32>, !nvfp4.tensor<32x64, nvfp4>) {
  %g = nvfp4.global_scale %w : tensor<32x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
  return %c, %q : tensor<4xf32>, !nvfp4.tensor<32x64, nvfp4>
}
