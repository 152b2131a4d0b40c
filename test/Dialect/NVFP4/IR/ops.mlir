// RUN: nvfp4-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func @global_scale_dynamic_f32(
//       CHECK:   nvfp4.global_scale %{{.+}} : tensor<?x384xf32> -> tensor<f32>
//       CHECK:   nvfp4.global_scale %{{.+}} per_row : tensor<?x384xf32> -> tensor<?xf32>
//       CHECK:   nvfp4.global_scale %{{.+}} format <nvfp4<convention = multiply>> : tensor<?x384xf32> -> tensor<f32>
func.func @global_scale_dynamic_f32(%x: tensor<?x384xf32>) -> (tensor<f32>, tensor<?xf32>, tensor<f32>) {
  %t = nvfp4.global_scale %x : tensor<?x384xf32> -> tensor<f32>
  %r = nvfp4.global_scale %x per_row : tensor<?x384xf32> -> tensor<?xf32>
  %m = nvfp4.global_scale %x format <nvfp4<convention = multiply>> : tensor<?x384xf32> -> tensor<f32>
  return %t, %r, %m : tensor<f32>, tensor<?xf32>, tensor<f32>
}

// CHECK-LABEL: func.func @global_scale_slice(
//       CHECK:   nvfp4.global_scale %{{.+}} per_slice : tensor<8x64x32xf32> -> tensor<8xf32>
func.func @global_scale_slice(%x: tensor<8x64x32xf32>) -> tensor<8xf32> {
  %r = nvfp4.global_scale %x per_slice : tensor<8x64x32xf32> -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// CHECK-LABEL: func.func @quantize_dynamic_bf16(
//       CHECK:   nvfp4.quantize %{{.+}} global_scale %{{.+}} : tensor<?x384xbf16>, tensor<?xf32> -> !nvfp4.tensor<?x384, nvfp4<global = row>>
func.func @quantize_dynamic_bf16(%x: tensor<?x384xbf16>, %g: tensor<?xf32>) -> !nvfp4.tensor<?x384, nvfp4<global = row>> {
  %q = nvfp4.quantize %x global_scale %g rounding<nearest_even> : tensor<?x384xbf16>, tensor<?xf32> -> !nvfp4.tensor<?x384, nvfp4<global = row>>
  return %q : !nvfp4.tensor<?x384, nvfp4<global = row>>
}

// CHECK-LABEL: func.func @quantize_static_stochastic(
//       CHECK:   nvfp4.quantize %{{.+}} global_scale %{{.+}} rounding<stochastic> state %{{.+}} : tensor<64x384xf32>, tensor<f32>, tensor<2xi64> -> !nvfp4.tensor<64x384, nvfp4>
func.func @quantize_static_stochastic(%x: tensor<64x384xf32>, %g: tensor<f32>, %s: tensor<2xi64>) -> !nvfp4.tensor<64x384, nvfp4> {
  %q = nvfp4.quantize %x global_scale %g rounding<stochastic> state %s : tensor<64x384xf32>, tensor<f32>, tensor<2xi64> -> !nvfp4.tensor<64x384, nvfp4>
  return %q : !nvfp4.tensor<64x384, nvfp4>
}

// CHECK-LABEL: func.func @quantize_static_mxfp4(
//       CHECK:   nvfp4.quantize %{{[^ ]+}} : tensor<64x48xf16> -> !nvfp4.tensor<64x48, mxfp4>
func.func @quantize_static_mxfp4(%x: tensor<64x48xf16>) -> !nvfp4.tensor<64x48, mxfp4> {
  %q = nvfp4.quantize %x : tensor<64x48xf16> -> !nvfp4.tensor<64x48, mxfp4>
  return %q : !nvfp4.tensor<64x48, mxfp4>
}

// CHECK-LABEL: func.func @types(
//  CHECK-SAME:   !nvfp4.tensor<384x384, nvfp4<block = 16x16>>
//  CHECK-SAME:   !nvfp4.tensor<8x384x384, nvfp4<global = slice>, layout = tiled>
//  CHECK-SAME:   !nvfp4.tensor<64x64, nvfp4<convention = multiply, bound = 256>>
//  CHECK-SAME:   !nvfp4.tensor<64x64, nvfp4_ue5m3>
func.func @types(%a: !nvfp4.tensor<384x384, nvfp4<block = 16x16>>,
                 %b: !nvfp4.tensor<8x384x384, nvfp4<global = slice>, layout = tiled>,
                 %c: !nvfp4.tensor<64x64, nvfp4<global = tensor, convention = multiply, bound = 256>>,
                 %d: !nvfp4.tensor<64x64, nvfp4_ue5m3>) {
  return
}

// CHECK-LABEL: func.func @attributes
// CHECK-SAME:    b = #nvfp4.precision<nvfp4, activations = dynamic<tensor>>
// CHECK-SAME:    c = #nvfp4.precision<mxfp4_weight_only>
// CHECK-SAME:    d = #nvfp4.precision<nvfp4, activations = static<"fc1.input_scale">>
// CHECK-SAME:    e = #nvfp4.format<nvfp4<block = 16x16>>
// CHECK-SAME:    nvfp4.precision = #nvfp4.precision<nvfp4>
func.func @attributes() attributes {
    nvfp4.precision = #nvfp4.precision<nvfp4, activations = dynamic<row>>,
    b = #nvfp4.precision<nvfp4, activations = dynamic<tensor>>,
    c = #nvfp4.precision<mxfp4_weight_only>,
    d = #nvfp4.precision<nvfp4, activations = static<"fc1.input_scale">>,
    e = #nvfp4.format<nvfp4<block = 16x16>>} {
  return
}

// CHECK-LABEL: func.func @matmul_dynamic_f32(
//       CHECK:   nvfp4.matmul
//       CHECK:   nvfp4.matmul
func.func @matmul_dynamic_f32(%a: !nvfp4.tensor<?x384, nvfp4<global = row>>, %x: tensor<?x7x384xf32>,
                  %b: !nvfp4.tensor<1536x384, nvfp4>) -> (tensor<?x1536xf32>, tensor<?x7x1536xbf16>) {
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<?x384, nvfp4<global = row>>, !nvfp4.tensor<1536x384, nvfp4> -> tensor<?x1536xf32>
  %e = nvfp4.matmul %x, %b : tensor<?x7x384xf32>, !nvfp4.tensor<1536x384, nvfp4> -> tensor<?x7x1536xbf16>
  return %d, %e : tensor<?x1536xf32>, tensor<?x7x1536xbf16>
}

// CHECK-LABEL: func.func @control_flow(
//       CHECK:   arith.select
//       CHECK:   scf.if
func.func @control_flow(%c: i1, %a: !nvfp4.tensor<?x64, nvfp4>, %b: !nvfp4.tensor<?x64, nvfp4>) -> !nvfp4.tensor<?x64, nvfp4> {
  %s = arith.select %c, %a, %b : !nvfp4.tensor<?x64, nvfp4>
  %r = scf.if %c -> !nvfp4.tensor<?x64, nvfp4> {
    scf.yield %s : !nvfp4.tensor<?x64, nvfp4>
  } else {
    scf.yield %b : !nvfp4.tensor<?x64, nvfp4>
  }
  return %r : !nvfp4.tensor<?x64, nvfp4>
}

// CHECK-LABEL: func.func @dequantize_dynamic_bf16(
//       CHECK:   nvfp4.dequantize %{{.+}} : !nvfp4.tensor<?x384, nvfp4> -> tensor<?x384xbf16>
func.func @dequantize_dynamic_bf16(%q: !nvfp4.tensor<?x384, nvfp4>) -> tensor<?x384xbf16> {
  %x = nvfp4.dequantize %q : !nvfp4.tensor<?x384, nvfp4> -> tensor<?x384xbf16>
  return %x : tensor<?x384xbf16>
}

// CHECK-LABEL: func.func @hadamard_dynamic_bf16(
//       CHECK:   nvfp4.hadamard %{{.+}} signs <0xD7E8> : tensor<?x64xbf16>
//       CHECK:   nvfp4.hadamard %{{.+}} signs <0x0000> : tensor<?x64xbf16>
func.func @hadamard_dynamic_bf16(%x: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<?x64xbf16>
  %s = nvfp4.hadamard %r signs<0> : tensor<?x64xbf16>
  return %s : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @layouts_static(
//       CHECK:   nvfp4.transpose %{{.+}} : !nvfp4.tensor<384x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x384, nvfp4<block = 16x16>>
//       CHECK:   nvfp4.relayout %{{.+}} : !nvfp4.tensor<64x384, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x384, nvfp4<block = 16x16>, layout = tiled>
//       CHECK:   nvfp4.cast %{{.+}} : !nvfp4.tensor<64x384, nvfp4<block = 16x16>, layout = tiled> to !nvfp4.tensor<?x384, nvfp4<block = 16x16>, layout = tiled>
//       CHECK:   nvfp4.dim %{{.+}}, 0 : !nvfp4.tensor<?x384, nvfp4<block = 16x16>, layout = tiled>
func.func @layouts_static(%q: !nvfp4.tensor<384x64, nvfp4<block = 16x16>>) -> index {
  %t = nvfp4.transpose %q : !nvfp4.tensor<384x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x384, nvfp4<block = 16x16>>
  %l = nvfp4.relayout %t : !nvfp4.tensor<64x384, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x384, nvfp4<block = 16x16>, layout = tiled>
  %c = nvfp4.cast %l : !nvfp4.tensor<64x384, nvfp4<block = 16x16>, layout = tiled> to !nvfp4.tensor<?x384, nvfp4<block = 16x16>, layout = tiled>
  %m = nvfp4.dim %c, 0 : !nvfp4.tensor<?x384, nvfp4<block = 16x16>, layout = tiled>
  return %m : index
}

// CHECK-LABEL: func.func @components_static(
//       CHECK:   nvfp4.assemble %{{.+}}, %{{.+}} global_scale %{{.+}} : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4<convention = multiply>>
//       CHECK:   nvfp4.disassemble %{{.+}} : !nvfp4.tensor<64x384, nvfp4<convention = multiply>> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
func.func @components_static(%c: tensor<64x192xi8>, %s: tensor<64x24xf8E4M3FN>, %g: tensor<f32>) -> tensor<64x24xi8> {
  %q = nvfp4.assemble %c, %s global_scale %g
      : tensor<64x192xi8>, tensor<64x24xf8E4M3FN>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4<convention = multiply>>
  %d, %t, %h = nvfp4.disassemble %q
      : !nvfp4.tensor<64x384, nvfp4<convention = multiply>> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  return %t : tensor<64x24xi8>
}

// CHECK-LABEL: func.func @components_dynamic(
//       CHECK:   nvfp4.assemble %{{.+}}, %{{.+}} : tensor<?x32xi8>, tensor<?x2xf8E8M0FNU> -> !nvfp4.tensor<?x64, mxfp4>
//       CHECK:   nvfp4.disassemble %{{.+}} convention divide : !nvfp4.tensor<?x64, nvfp4> -> tensor<?x32xi8>, tensor<?x4xf8E4M3FN>, tensor<f32>
func.func @components_dynamic(%c: tensor<?x32xi8>, %s: tensor<?x2xf8E8M0FNU>, %q: !nvfp4.tensor<?x64, nvfp4>) -> !nvfp4.tensor<?x64, mxfp4> {
  %r = nvfp4.assemble %c, %s : tensor<?x32xi8>, tensor<?x2xf8E8M0FNU> -> !nvfp4.tensor<?x64, mxfp4>
  %d, %t, %h = nvfp4.disassemble %q convention divide
      : !nvfp4.tensor<?x64, nvfp4> -> tensor<?x32xi8>, tensor<?x4xf8E4M3FN>, tensor<f32>
  return %r : !nvfp4.tensor<?x64, mxfp4>
}

// CHECK-LABEL: func.func @constant(
//       CHECK:   nvfp4.constant <codes = dense<34> : tensor<2x8xi8>, scales = dense<56> : tensor<2x1xi8>, globalScale = dense<2.688000e+03> : tensor<f32>> : !nvfp4.tensor<2x16, nvfp4>
//       CHECK:   nvfp4.constant <codes = dense<34> : tensor<2x8xi8>, scales = dense<127> : tensor<2x1xi8>> : !nvfp4.tensor<2x16, mxfp4>
func.func @constant() -> (!nvfp4.tensor<2x16, nvfp4>, !nvfp4.tensor<2x16, mxfp4>) {
  %q = nvfp4.constant <codes = dense<0x22> : tensor<2x8xi8>, scales = dense<0x38> : tensor<2x1xi8>,
      globalScale = dense<2688.0> : tensor<f32>> : !nvfp4.tensor<2x16, nvfp4>
  %r = nvfp4.constant <codes = dense<0x22> : tensor<2x8xi8>, scales = dense<0x7F> : tensor<2x1xi8>> : !nvfp4.tensor<2x16, mxfp4>
  return %q, %r : !nvfp4.tensor<2x16, nvfp4>, !nvfp4.tensor<2x16, mxfp4>
}

// CHECK-LABEL: func.func @record_error(
//       CHECK:   nvfp4.record_error %{{.+}} messages ["token id out of range", "mask is not 0 or 1"] : tensor<i32>
func.func @record_error(%status: tensor<i32>) {
  nvfp4.record_error %status messages ["token id out of range", "mask is not 0 or 1"] : tensor<i32>
  return
}

// CHECK-LABEL: module @kernels
module @kernels {
  // CHECK: @twice
  // CHECK-SAME: nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]
  func.func @twice(%x: tensor<?xf32>, %init: tensor<?xf32>) -> tensor<?xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %y = linalg.add ins(%x, %x : tensor<?xf32>, tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
    return %y : tensor<?xf32>
  }
}

// CHECK-LABEL: func.func @dispatch
func.func @dispatch(%x: tensor<?xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
  // CHECK: nvfp4.dispatch @kernels::@twice ins(%{{.*}} : tensor<?xf32>) outs(%{{.*}} : tensor<?xf32>) -> tensor<?xf32>
  %y = nvfp4.dispatch @kernels::@twice ins(%x : tensor<?xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// CHECK-LABEL: func.func @dispatch_buffers
func.func @dispatch_buffers(%x: memref<?xf32>, %init: memref<?xf32>) {
  // CHECK: nvfp4.dispatch @kernels::@twice ins(%{{.*}} : memref<?xf32>) outs(%{{.*}} : memref<?xf32>)
  nvfp4.dispatch @kernels::@twice ins(%x : memref<?xf32>) outs(%init : memref<?xf32>)
  return
}

// CHECK-LABEL: func.func private @schedules
func.func private @schedules() attributes {nvfp4.kernel = [
  // CHECK-SAME: #nvfp4.kernel<matmul, threads = 128, tile = 16x64x128, warps = 1x1x4, stages = 4, swapped = true, max_rows = 16>
  #nvfp4.kernel<matmul, threads = 128, tile = 16x64x128, warps = 1x1x4, stages = 4, swapped = true, max_rows = 16>,
  // CHECK-SAME: #nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>
  #nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>,
  // CHECK-SAME: #nvfp4.kernel<stream, threads = 576, tile = 8x64x256, warps = 1x4x4, stages = 8, clusters = 2>
  #nvfp4.kernel<stream, clusters = 2, threads = 576, tile = 8x64x256, warps = 1x4x4, stages = 8>,
  // CHECK-SAME: #nvfp4.kernel<row, threads = 32>
  #nvfp4.kernel<row, threads = 32>]}
