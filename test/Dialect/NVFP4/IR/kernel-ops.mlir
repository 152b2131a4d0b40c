// RUN: nvfp4-opt %s --verify-roundtrip | FileCheck %s

/// Destination-style ops on tensors, and on memrefs without results.

// CHECK-LABEL: func.func @global_scale_into_dynamic_f32(
//       CHECK:   nvfp4.global_scale_into format <nvfp4<global = row>> ins(%{{.+}} : tensor<?x384xf32>) outs(%{{.+}} : tensor<?xf32>) -> tensor<?xf32>
//       CHECK:   nvfp4.global_scale_into format <nvfp4<convention = divide>> ins(%{{.+}} : memref<?x384xf32>) outs(%{{.+}} : memref<f32>){{$}}
func.func @global_scale_into_dynamic_f32(%x: tensor<?x384xf32>, %init: tensor<?xf32>,
                                         %y: memref<?x384xf32>, %out: memref<f32>) -> tensor<?xf32> {
  %g = nvfp4.global_scale_into format <nvfp4<global = row>>
      ins(%x : tensor<?x384xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  nvfp4.global_scale_into format <nvfp4<convention = divide>> ins(%y : memref<?x384xf32>) outs(%out : memref<f32>)
  return %g : tensor<?xf32>
}

// CHECK-LABEL: func.func @quantize_into_static_bf16(
//       CHECK:   nvfp4.quantize_into as !nvfp4.tensor<64x384, nvfp4> ins(
//       CHECK:   nvfp4.quantize_into as !nvfp4.tensor<64x384, nvfp4> rounding<stochastic> ins(
func.func @quantize_into_static_bf16(%x: tensor<64x384xbf16>, %g: tensor<f32>, %s: tensor<2xi64>,
                                     %c: tensor<64x192xi8>, %t: tensor<64x24xi8>) -> tensor<64x24xi8> {
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<64x384, nvfp4> rounding<nearest_even>
      ins(%x, %g : tensor<64x384xbf16>, tensor<f32>)
      outs(%c, %t : tensor<64x192xi8>, tensor<64x24xi8>) -> tensor<64x192xi8>, tensor<64x24xi8>
  %r:2 = nvfp4.quantize_into as !nvfp4.tensor<64x384, nvfp4> rounding<stochastic>
      ins(%x, %g, %s : tensor<64x384xbf16>, tensor<f32>, tensor<2xi64>)
      outs(%q#0, %q#1 : tensor<64x192xi8>, tensor<64x24xi8>) -> tensor<64x192xi8>, tensor<64x24xi8>
  return %r#1 : tensor<64x24xi8>
}

/// A strided view is as good as a buffer of its own.
// CHECK-LABEL: func.func @quantize_into_memref(
//       CHECK:   nvfp4.quantize_into as !nvfp4.tensor<?x64, mxfp4> ins(%{{.+}} : memref<?x64xf16, strided<[128, 1], offset: ?>>) outs(%{{.+}}, %{{.+}} : memref<?x32xi8>, memref<?x2xi8>){{$}}
func.func @quantize_into_memref(%x: memref<?x64xf16, strided<[128, 1], offset: ?>>, %c: memref<?x32xi8>, %s: memref<?x2xi8>) {
  nvfp4.quantize_into as !nvfp4.tensor<?x64, mxfp4>
      ins(%x : memref<?x64xf16, strided<[128, 1], offset: ?>>) outs(%c, %s : memref<?x32xi8>, memref<?x2xi8>)
  return
}

// CHECK-LABEL: func.func @dequantize_into(
//       CHECK:   nvfp4.dequantize_into from !nvfp4.tensor<64x64, nvfp4, layout = tiled> ins(%{{.+}} : tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
//       CHECK:   nvfp4.dequantize_into from !nvfp4.tensor<2x64x64, mxfp4> ins({{.+}}) outs(%{{.+}} : memref<2x64x64xbf16>){{$}}
func.func @dequantize_into(%c: tensor<64x32xi8>, %s: tensor<512xi8>, %g: tensor<f32>, %init: tensor<64x64xf32>,
                           %d: memref<2x64x32xi8>, %t: memref<2x64x2xi8>, %out: memref<2x64x64xbf16>) -> tensor<64x64xf32> {
  %x = nvfp4.dequantize_into from !nvfp4.tensor<64x64, nvfp4, layout = tiled>
      ins(%c, %s, %g : tensor<64x32xi8>, tensor<512xi8>, tensor<f32>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  nvfp4.dequantize_into from !nvfp4.tensor<2x64x64, mxfp4>
      ins(%d, %t : memref<2x64x32xi8>, memref<2x64x2xi8>) outs(%out : memref<2x64x64xbf16>)
  return %x : tensor<64x64xf32>
}

// CHECK-LABEL: func.func @scaled_matmul(
//       CHECK:   nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>> rhs !nvfp4.tensor<8x64, nvfp4> ins(
//       CHECK:   nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, nvfp4> ins(
//       CHECK:   nvfp4.scaled_matmul lhs !nvfp4.tensor<8x64, nvfp4> ins({{.+}}) outs(%{{.+}} : memref<8x?xf32>){{$}}
//       CHECK:   nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>> rhs !nvfp4.tensor<8x64, nvfp4>
//  CHECK-SAME:       ins(%{{.+}} : tensor<?x64xbf16>, tensor<?xf32>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<f32>)
func.func @scaled_matmul(%ac: tensor<?x32xi8>, %as: tensor<?x4xi8>, %ag: tensor<?xf32>, %x: tensor<?x64xbf16>,
                         %bc: tensor<8x32xi8>, %bs: tensor<8x4xi8>, %bg: tensor<f32>, %init: tensor<?x8xf32>,
                         %mc: memref<8x32xi8>, %ms: memref<8x4xi8>, %mg: memref<f32>, %my: memref<?x64xf32>,
                         %out: memref<8x?xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>> rhs !nvfp4.tensor<8x64, nvfp4>
      ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x32xi8>, tensor<?x4xi8>, tensor<?xf32>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<f32>)
      outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %e = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, nvfp4>
      ins(%x, %bc, %bs, %bg : tensor<?x64xbf16>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<f32>)
      outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  nvfp4.scaled_matmul lhs !nvfp4.tensor<8x64, nvfp4>
      ins(%mc, %ms, %mg, %my : memref<8x32xi8>, memref<8x4xi8>, memref<f32>, memref<?x64xf32>) outs(%out : memref<8x?xf32>)
  %decoded = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x64, nvfp4<global = row>> rhs !nvfp4.tensor<8x64, nvfp4>
      ins(%x, %ag, %bc, %bs, %bg : tensor<?x64xbf16>, tensor<?xf32>, tensor<8x32xi8>, tensor<8x4xi8>, tensor<f32>)
      outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %d, %e : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @hadamard_into(
//       CHECK:   nvfp4.hadamard_into signs <0xD7E8> ins(%{{.+}} : tensor<?x64xbf16>)
//       CHECK:   nvfp4.hadamard_into signs <0x0001> ins(%{{.+}} : memref<16xf32>) outs(%{{.+}} : memref<16xf32>){{$}}
func.func @hadamard_into(%x: tensor<?x64xbf16>, %init: tensor<?x64xbf16>, %y: memref<16xf32>, %out: memref<16xf32>) -> tensor<?x64xbf16> {
  %r = nvfp4.hadamard_into signs<0xD7E8> ins(%x : tensor<?x64xbf16>) outs(%init : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  nvfp4.hadamard_into signs<1> ins(%y : memref<16xf32>) outs(%out : memref<16xf32>)
  return %r : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @relayout_into(
//       CHECK:   nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4> to !nvfp4.tensor<64x64, nvfp4, layout = tiled> ins(
//       CHECK:   nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4, layout = tiled> to !nvfp4.tensor<64x64, nvfp4> ins({{.+}}) outs(%{{.+}}, %{{.+}} : memref<64x32xi8>, memref<64x4xi8>){{$}}
func.func @relayout_into(%c: tensor<64x32xi8>, %s: tensor<64x4xi8>, %tc: tensor<64x32xi8>, %ts: tensor<512xi8>,
                         %mc: memref<64x32xi8>, %ms: memref<512xi8>, %oc: memref<64x32xi8>, %os: memref<64x4xi8>) -> tensor<512xi8> {
  %q:2 = nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4> to !nvfp4.tensor<64x64, nvfp4, layout = tiled>
      ins(%c, %s : tensor<64x32xi8>, tensor<64x4xi8>)
      outs(%tc, %ts : tensor<64x32xi8>, tensor<512xi8>) -> tensor<64x32xi8>, tensor<512xi8>
  nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4, layout = tiled> to !nvfp4.tensor<64x64, nvfp4>
      ins(%mc, %ms : memref<64x32xi8>, memref<512xi8>) outs(%oc, %os : memref<64x32xi8>, memref<64x4xi8>)
  return %q#1 : tensor<512xi8>
}

// CHECK-LABEL: func.func @transpose_into(
//       CHECK:   nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>> ins({{.+}}) outs(%{{.+}}, %{{.+}} : tensor<64x16xi8>, tensor<4x2xi8>) -> tensor<64x16xi8>, tensor<4x2xi8>
//       CHECK:   nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>> ins({{.+}}) outs(%{{.+}}, %{{.+}} : memref<64x16xi8>, memref<4x2xi8>){{$}}
func.func @transpose_into(%c: tensor<32x32xi8>, %s: tensor<2x4xi8>, %tc: tensor<64x16xi8>, %ts: tensor<4x2xi8>,
                          %mc: memref<32x32xi8>, %ms: memref<2x4xi8>, %oc: memref<64x16xi8>, %os: memref<4x2xi8>) -> tensor<4x2xi8> {
  %q:2 = nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
      ins(%c, %s : tensor<32x32xi8>, tensor<2x4xi8>)
      outs(%tc, %ts : tensor<64x16xi8>, tensor<4x2xi8>) -> tensor<64x16xi8>, tensor<4x2xi8>
  nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>>
      ins(%mc, %ms : memref<32x32xi8>, memref<2x4xi8>) outs(%oc, %os : memref<64x16xi8>, memref<4x2xi8>)
  return %q#1 : tensor<4x2xi8>
}

// CHECK-LABEL: func.func @record_error(
//       CHECK:   nvfp4.record_error %{{.+}} messages ["id out of range", "other"] : tensor<i32>
//       CHECK:   nvfp4.record_error %{{.+}} messages ["id out of range"] : memref<i32>
func.func @record_error(%t: tensor<i32>, %m: memref<i32>) {
  nvfp4.record_error %t messages ["id out of range", "other"] : tensor<i32>
  nvfp4.record_error %m messages ["id out of range"] : memref<i32>
  return
}
