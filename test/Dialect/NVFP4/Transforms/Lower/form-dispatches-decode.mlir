// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file | FileCheck %s

!row = !nvfp4.tensor<?x64, nvfp4<global = row>>
!decoded = !nvfp4.tensor<?x64, nvfp4<convention = multiply>>

/// The kernel that quantizes stores decoded values and global scales alone.
// CHECK-LABEL: func.func @row_64(
//  CHECK-SAME:     -> (tensor<?xf32>, tensor<?x64xbf16>)
//       CHECK:   nvfp4.global_scale_into
//       CHECK:   nvfp4.quantize_into
//       CHECK:   nvfp4.dequantize_into
// CHECK-LABEL: func.func @rows(
//       CHECK:   nvfp4.dispatch @kernels::@row_64
//   CHECK-NOT:   nvfp4.dispatch
func.func @rows(%x: tensor<?x64xf32>) -> (tensor<?xf32>, tensor<?x64xbf16>) {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x64xf32>
  %eg = tensor.empty(%m) : tensor<?xf32>
  %g = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%x : tensor<?x64xf32>) outs(%eg : tensor<?xf32>) -> tensor<?xf32>
  %ec = tensor.empty(%m) : tensor<?x32xi8>
  %es = tensor.empty(%m) : tensor<?x4xi8>
  %q:2 = nvfp4.quantize_into as !row ins(%x, %g : tensor<?x64xf32>, tensor<?xf32>)
      outs(%ec, %es : tensor<?x32xi8>, tensor<?x4xi8>) -> tensor<?x32xi8>, tensor<?x4xi8>
  %one = arith.constant dense<1.0> : tensor<f32>
  %ev = tensor.empty(%m) : tensor<?x64xbf16>
  %v = nvfp4.dequantize_into from !decoded ins(%q#0, %q#1, %one : tensor<?x32xi8>, tensor<?x4xi8>, tensor<f32>)
      outs(%ev : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %g, %v : tensor<?xf32>, tensor<?x64xbf16>
}

// -----

!square = !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
!decoded = !nvfp4.tensor<32x64, nvfp4<block = 16x16, convention = multiply>>

/// So does one of blocks of several rows. Codes that somebody reads are stored, too.
// CHECK-LABEL: func.func @block_32x32(
//  CHECK-SAME:     -> (tensor<32x32xi8>, tensor<2x4xi8>, tensor<32x64xbf16>)
// CHECK-LABEL: func.func @squares(
//       CHECK:   nvfp4.dispatch @kernels::@block_32x32
//   CHECK-NOT:   nvfp4.dispatch
func.func @squares(%x: tensor<32x64xf32>, %g: tensor<f32>) -> (tensor<32x32xi8>, tensor<2x4xi8>, tensor<32x64xbf16>) {
  %ec = tensor.empty() : tensor<32x32xi8>
  %es = tensor.empty() : tensor<2x4xi8>
  %q:2 = nvfp4.quantize_into as !square ins(%x, %g : tensor<32x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<32x32xi8>, tensor<2x4xi8>) -> tensor<32x32xi8>, tensor<2x4xi8>
  %one = arith.constant dense<1.0> : tensor<f32>
  %ev = tensor.empty() : tensor<32x64xbf16>
  %v = nvfp4.dequantize_into from !decoded ins(%q#0, %q#1, %one : tensor<32x32xi8>, tensor<2x4xi8>, tensor<f32>)
      outs(%ev : tensor<32x64xbf16>) -> tensor<32x64xbf16>
  return %q#0, %q#1, %v : tensor<32x32xi8>, tensor<2x4xi8>, tensor<32x64xbf16>
}

// -----

!square = !nvfp4.tensor<32x64, nvfp4>

/// With the global scale, values are not exact in bf16: that is another kernel.
// CHECK-LABEL: func.func @negative_scaled(
//       CHECK:   nvfp4.dispatch @kernels::@row_64
//       CHECK:   nvfp4.dispatch @kernels::@element_32x64
func.func @negative_scaled(%x: tensor<32x64xf32>, %g: tensor<f32>) -> tensor<32x64xbf16> {
  %ec = tensor.empty() : tensor<32x32xi8>
  %es = tensor.empty() : tensor<32x4xi8>
  %q:2 = nvfp4.quantize_into as !square ins(%x, %g : tensor<32x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<32x32xi8>, tensor<32x4xi8>) -> tensor<32x32xi8>, tensor<32x4xi8>
  %ev = tensor.empty() : tensor<32x64xbf16>
  %v = nvfp4.dequantize_into from !square ins(%q#0, %q#1, %g : tensor<32x32xi8>, tensor<32x4xi8>, tensor<f32>)
      outs(%ev : tensor<32x64xbf16>) -> tensor<32x64xbf16>
  return %v : tensor<32x64xbf16>
}
