// RUN: nvfp4-opt %s --split-input-file --nvfp4-unify-dimensions --nvfp4-legalize-reshapes --canonicalize --cse | FileCheck %s

/// Attention heads: only the last dimension splits.
// CHECK-LABEL: func.func @split_heads(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x32x384xf32>
//       CHECK:   %[[BATCH:.+]] = tensor.dim
//       CHECK:   tensor.expand_shape %[[X]] {{\[\[}}0], [1], [2, 3]] output_shape [%[[BATCH]], 32, 12, 32]
//   CHECK-NOT:   tensor.reshape
func.func @split_heads(%x: tensor<?x32x384xf32> {nvfp4.shape = ["batch", 32, 384]})
    -> tensor<?x32x12x32xf32> {
  %c0 = arith.constant 0 : index
  %c12 = arith.constant 12 : i64
  %c32 = arith.constant 32 : i64
  %batch = tensor.dim %x, %c0 : tensor<?x32x384xf32>
  %batch64 = arith.index_cast %batch : index to i64
  %sizes = tensor.from_elements %batch64, %c32, %c12, %c32 : tensor<4xi64>
  %y = tensor.reshape %x(%sizes) : (tensor<?x32x384xf32>, tensor<4xi64>) -> tensor<?x32x12x32xf32>
  return %y : tensor<?x32x12x32xf32>
}

// -----

// CHECK-LABEL: func.func @merge_heads(
//       CHECK:   tensor.collapse_shape %{{.+}} {{\[\[}}0], [1], [2, 3]]
func.func @merge_heads(%x: tensor<?x32x12x32xf32> {nvfp4.shape = ["batch", 32, 12, 32]})
    -> tensor<?x32x384xf32> {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c384 = arith.constant 384 : index
  %batch = tensor.dim %x, %c0 : tensor<?x32x12x32xf32>
  %sizes = tensor.from_elements %batch, %c32, %c384 : tensor<3xindex>
  %y = tensor.reshape %x(%sizes) : (tensor<?x32x12x32xf32>, tensor<3xindex>) -> tensor<?x32x384xf32>
  return %y : tensor<?x32x384xf32>
}

// -----

/// Neither shape refines the other: collapse, then expand.
// CHECK-LABEL: func.func @regroup(
//       CHECK:   %[[FLAT:.+]] = tensor.collapse_shape %{{.+}} {{\[\[}}0, 1]] : tensor<4x6xf32> into tensor<24xf32>
//       CHECK:   tensor.expand_shape %[[FLAT]] {{\[\[}}0, 1]] output_shape [6, 4]
func.func @regroup(%x: tensor<4x6xf32>) -> tensor<6x4xf32> {
  %sizes = arith.constant dense<[6, 4]> : tensor<2xi64>
  %y = tensor.reshape %x(%sizes) : (tensor<4x6xf32>, tensor<2xi64>) -> tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}

// -----

/// Two dynamic dimensions swap sides of a product.
// CHECK-LABEL: func.func @regroup_dynamic(
//       CHECK:   %[[FLAT:.+]] = tensor.collapse_shape %{{.+}} {{\[\[}}0, 1]] : tensor<?x?xf32> into tensor<?xf32>
//       CHECK:   tensor.expand_shape %[[FLAT]] {{\[\[}}0, 1]] output_shape [%{{.+}}, %{{.+}}]
//   CHECK-NOT:   cf.assert
func.func @regroup_dynamic(%x: tensor<?x?xf32> {nvfp4.shape = ["m", "n"]}) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %sizes = tensor.from_elements %n, %m : tensor<2xindex>
  %y = tensor.reshape %x(%sizes) : (tensor<?x?xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @to_scalar(
//       CHECK:   tensor.collapse_shape %{{.+}} [] : tensor<1x1xf32> into tensor<f32>
func.func @to_scalar(%x: tensor<1x1xf32>) -> tensor<f32> {
  %sizes = arith.constant dense<[]> : tensor<0xi64>
  %y = tensor.reshape %x(%sizes) : (tensor<1x1xf32>, tensor<0xi64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// CHECK-LABEL: func.func @from_scalar(
//       CHECK:   tensor.expand_shape %{{.+}} [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
func.func @from_scalar(%x: tensor<f32>) -> tensor<1x1xf32> {
  %sizes = arith.constant dense<1> : tensor<2xi64>
  %y = tensor.reshape %x(%sizes) : (tensor<f32>, tensor<2xi64>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

/// What is not known to have as many elements is checked first.
// CHECK-LABEL: func.func @checked(
//       CHECK:   cf.assert %{{.+}}, "expected a reshape of m elements to have as many, but got 4 * n"
//       CHECK:   tensor.expand_shape
func.func @checked(%x: tensor<?xf32> {nvfp4.shape = ["m"]},
                   %other: tensor<?xf32> {nvfp4.shape = ["n"]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %n = tensor.dim %other, %c0 : tensor<?xf32>
  %sizes = tensor.from_elements %n, %c4 : tensor<2xindex>
  %y = tensor.reshape %x(%sizes) : (tensor<?xf32>, tensor<2xindex>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
