// RUN: nvfp4-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize --cse | FileCheck %s

/// Extents of results are found without the op that computes them.

// CHECK: #[[$TILES:.+]] = affine_map<()[s0] -> ((s0 ceildiv 128) * 512)>

// CHECK-LABEL: func.func @global_scale(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x?x384xf32>
//   CHECK-DAG:   %[[C0:.+]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.+]] = arith.constant 1 : index
//   CHECK-DAG:   %[[M:.+]] = tensor.dim %[[X]], %[[C0]]
//   CHECK-DAG:   %[[N:.+]] = tensor.dim %[[X]], %[[C1]]
//       CHECK:   return %[[M]], %[[N]]
func.func @global_scale(%x: tensor<?x?x384xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %g = nvfp4.global_scale %x per_row : tensor<?x?x384xf32> -> tensor<?x?xf32>
  %m = tensor.dim %g, %c0 : tensor<?x?xf32>
  %n = tensor.dim %g, %c1 : tensor<?x?xf32>
  return %m, %n : index, index
}

// CHECK-LABEL: func.func @dequantize(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//       CHECK:   %[[M:.+]] = nvfp4.dim %[[Q]], 0
//       CHECK:   return %[[M]]
func.func @dequantize(%q: !nvfp4.tensor<?x384, nvfp4>) -> index {
  %c0 = arith.constant 0 : index
  %x = nvfp4.dequantize %q : !nvfp4.tensor<?x384, nvfp4> -> tensor<?x384xf32>
  %m = tensor.dim %x, %c0 : tensor<?x384xf32>
  return %m : index
}

/// M comes from the lhs, N from the rhs.
// CHECK-LABEL: func.func @matmul(
//  CHECK-SAME:     %[[A:[^:]+]]: tensor<3x?x64xf32>, %[[B:[^:]+]]: !nvfp4.tensor
//   CHECK-DAG:   %[[C1:.+]] = arith.constant 1 : index
//   CHECK-DAG:   %[[M:.+]] = tensor.dim %[[A]], %[[C1]]
//   CHECK-DAG:   %[[N:.+]] = nvfp4.dim %[[B]], 0
//       CHECK:   return %[[M]], %[[N]]
func.func @matmul(%a: tensor<3x?x64xf32>, %b: !nvfp4.tensor<?x64, nvfp4>) -> (index, index) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %d = nvfp4.matmul %a, %b : tensor<3x?x64xf32>, !nvfp4.tensor<?x64, nvfp4> -> tensor<3x?x?xf32>
  %m = tensor.dim %d, %c1 : tensor<3x?x?xf32>
  %n = tensor.dim %d, %c2 : tensor<3x?x?xf32>
  return %m, %n : index, index
}

// CHECK-LABEL: func.func @hadamard(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x64xbf16>
//       CHECK:   %[[M:.+]] = tensor.dim %[[X]]
//       CHECK:   return %[[M]]
func.func @hadamard(%x: tensor<?x64xbf16>) -> index {
  %c0 = arith.constant 0 : index
  %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<?x64xbf16>
  %m = tensor.dim %r, %c0 : tensor<?x64xbf16>
  return %m : index
}

/// Rows of codes are rows of the tensor; a tiled row of scales is padded to 128.
// CHECK-LABEL: func.func @disassemble_linear(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//       CHECK:   %[[M:.+]] = nvfp4.dim %[[Q]], 0
//       CHECK:   return %[[M]], %[[M]]
func.func @disassemble_linear(%q: !nvfp4.tensor<?x64, nvfp4>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c, %s, %g = nvfp4.disassemble %q : !nvfp4.tensor<?x64, nvfp4> -> tensor<?x32xi8>, tensor<?x4xi8>, tensor<f32>
  %m = tensor.dim %c, %c0 : tensor<?x32xi8>
  %n = tensor.dim %s, %c0 : tensor<?x4xi8>
  return %m, %n : index, index
}

// CHECK-LABEL: func.func @disassemble_tiled(
//  CHECK-SAME:     %[[Q:[^:]+]]: !nvfp4.tensor
//       CHECK:   %[[M:.+]] = nvfp4.dim %[[Q]], 0
//       CHECK:   %[[S:.+]] = affine.apply #[[$TILES]]()[%[[M]]]
//       CHECK:   return %[[S]]
func.func @disassemble_tiled(%q: !nvfp4.tensor<?x64, nvfp4, layout = tiled>) -> index {
  %c0 = arith.constant 0 : index
  %c, %s, %g = nvfp4.disassemble %q : !nvfp4.tensor<?x64, nvfp4, layout = tiled> -> tensor<?x32xi8>, tensor<?xi8>, tensor<f32>
  %n = tensor.dim %s, %c0 : tensor<?xi8>
  return %n : index
}

/// A destination-style op has the extents of its destination.
// CHECK-LABEL: func.func @kernel_op(
//  CHECK-SAME:     %[[M:[^:]+]]: index
//       CHECK:   return %[[M]]
func.func @kernel_op(%m: index, %x: tensor<?x64xbf16>) -> index {
  %c0 = arith.constant 0 : index
  %init = tensor.empty(%m) : tensor<?x64xbf16>
  %r = nvfp4.hadamard_into signs<0xD7E8> ins(%x : tensor<?x64xbf16>) outs(%init : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %d = tensor.dim %r, %c0 : tensor<?x64xbf16>
  return %d : index
}
