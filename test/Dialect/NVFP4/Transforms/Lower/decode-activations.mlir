// RUN: nvfp4-opt %s --nvfp4-decode-activations --split-input-file | FileCheck %s

!row = !nvfp4.tensor<?x64, nvfp4<global = row>>
!w = !nvfp4.tensor<32x64, nvfp4, layout = registers>

/// What several products read is decoded once, behind the quantization, without
/// its global scale, which stays an operand.
// CHECK-LABEL: func.func @shared(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x64xf32>, %[[G:[^:]+]]: tensor<?xf32>
//       CHECK:   %[[Q:.+]]:2 = nvfp4.quantize_into
//       CHECK:   %[[ONE:.+]] = arith.constant dense<1.000000e+00> : tensor<f32>
//       CHECK:   %[[EMPTY:.+]] = tensor.empty(%{{.+}}) : tensor<?x64xbf16>
//       CHECK:   %[[V:.+]] = nvfp4.dequantize_into from !nvfp4.tensor<?x64, nvfp4<convention = multiply>>
//  CHECK-SAME:       ins(%[[Q]]#0, %[[Q]]#1, %[[ONE]] : {{.*}}) outs(%[[EMPTY]] : tensor<?x64xbf16>)
//   CHECK-NOT:   nvfp4.dequantize_into
//       CHECK:   nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>> rhs !nvfp4.tensor<32x64, nvfp4, layout = registers>
//  CHECK-SAME:       ins(%[[V]], %[[G]], %{{.+}} : tensor<?x64xbf16>, tensor<?xf32>,
//       CHECK:   nvfp4.scaled_matmul {{.*}} ins(%[[V]], %[[G]],
func.func @shared(%x: tensor<?x64xf32>, %g: tensor<?xf32>, %ic: tensor<?x32xi8>, %is: tensor<?x4xi8>, %wc: tensor<4096xi8>,
                  %ws: tensor<512xi8>, %wg: tensor<f32>, %init: tensor<?x32xf32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  %q:2 = nvfp4.quantize_into as !row ins(%x, %g : tensor<?x64xf32>, tensor<?xf32>)
      outs(%ic, %is : tensor<?x32xi8>, tensor<?x4xi8>) -> tensor<?x32xi8>, tensor<?x4xi8>
  %a = nvfp4.scaled_matmul lhs !row rhs !w
      ins(%q#0, %q#1, %g, %wc, %ws, %wg : tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32>, tensor<4096xi8>, tensor<512xi8>, tensor<f32>)
      outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
  %b = nvfp4.scaled_matmul lhs !row rhs !w
      ins(%q#0, %q#1, %g, %wc, %ws, %wg : tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32>, tensor<4096xi8>, tensor<512xi8>, tensor<f32>)
      outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %a, %b : tensor<?x32xf32>, tensor<?x32xf32>
}

// -----

!a = !nvfp4.tensor<2x?x32, mxfp4>
!b = !nvfp4.tensor<2x16x32, mxfp4>

/// A product of two activations: both are decoded. What no quantization makes
/// here is decoded where it is read, and a format without global scale has none.
// CHECK-LABEL: func.func @both(
//       CHECK:   %[[L:.+]] = nvfp4.dequantize_into from !nvfp4.tensor<2x?x32, mxfp4> ins(%{{[^,]+}}, %{{[^,]+}} : tensor<2x?x16xi8>, tensor<2x?x1xi8>)
//       CHECK:   %[[R:.+]] = nvfp4.dequantize_into from !nvfp4.tensor<2x16x32, mxfp4>
//       CHECK:   nvfp4.scaled_matmul lhs !nvfp4.tensor<2x?x32, mxfp4> rhs !nvfp4.tensor<2x16x32, mxfp4>
//  CHECK-SAME:       ins(%[[L]], %[[R]] : tensor<2x?x32xbf16>, tensor<2x16x32xbf16>)
func.func @both(%lc: tensor<2x?x16xi8>, %ls: tensor<2x?x1xi8>, %rc: tensor<2x16x16xi8>, %rs: tensor<2x16x1xi8>,
                %init: tensor<2x?x16xf32>) -> tensor<2x?x16xf32> {
  %d = nvfp4.scaled_matmul lhs !a rhs !b
      ins(%lc, %ls, %rc, %rs : tensor<2x?x16xi8>, tensor<2x?x1xi8>, tensor<2x16x16xi8>, tensor<2x16x1xi8>)
      outs(%init : tensor<2x?x16xf32>) -> tensor<2x?x16xf32>
  return %d : tensor<2x?x16xf32>
}

// -----

!t = !nvfp4.tensor<16x64, mxfp4, layout = tiled>

/// Units that multiply block-scaled operands read them tiled.
// CHECK-LABEL: func.func @negative_tiled(
//   CHECK-NOT:   nvfp4.dequantize_into
func.func @negative_tiled(%c: tensor<16x32xi8>, %s: tensor<512xi8>, %init: tensor<16x16xf32>) -> tensor<16x16xf32> {
  %d = nvfp4.scaled_matmul lhs !t rhs !t ins(%c, %s, %c, %s : tensor<16x32xi8>, tensor<512xi8>, tensor<16x32xi8>, tensor<512xi8>)
      outs(%init : tensor<16x16xf32>) -> tensor<16x16xf32>
  return %d : tensor<16x16xf32>
}
