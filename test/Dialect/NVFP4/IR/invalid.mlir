// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics

/// One case per numbered constraint, named after it.

// MXFP4 has no global scale.
func.func @global_scale_c1(%x: tensor<64x384xf32>) {
  // expected-error@below {{expected a format with a global scale, but got #nvfp4.format<mxfp4>}}
  %g = nvfp4.global_scale %x format <mxfp4> : tensor<64x384xf32> -> tensor<f32>
  return
}

// -----

func.func @global_scale_c1_rank(%x: tensor<384xf32>) {
  // expected-error@below {{expected a source of rank 2 or more, but got 'tensor<384xf32>'}}
  %g = nvfp4.global_scale %x : tensor<384xf32> -> tensor<f32>
  return
}

// -----

func.func @global_scale_c2_tensor(%x: tensor<64x384xf32>) {
  // expected-error@below {{expected a result of type 'tensor<f32>', but got 'tensor<64xf32>'}}
  %g = nvfp4.global_scale %x : tensor<64x384xf32> -> tensor<64xf32>
  return
}

// -----

func.func @global_scale_c2_slice(%x: tensor<8x64x384xf32>) {
  // expected-error@below {{expected a result of type 'tensor<8xf32>', but got 'tensor<8x64xf32>'}}
  %g = nvfp4.global_scale %x per_slice : tensor<8x64x384xf32> -> tensor<8x64xf32>
  return
}

// -----

func.func @global_scale_c2_row(%x: tensor<?x64x384xf32>) {
  // expected-error@below {{expected a result of type 'tensor<?x64xf32>', but got 'tensor<?x32xf32>'}}
  %g = nvfp4.global_scale %x per_row : tensor<?x64x384xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @global_scale_source(%x: tensor<64x384xf64>) {
  // expected-error-re@below {{operand #0 must be {{.*}}, but got 'tensor<64x384xf64>'}}
  %g = nvfp4.global_scale %x : tensor<64x384xf64> -> tensor<f32>
  return
}

// -----

func.func @quantize_c1(%x: tensor<64x384xf32>, %g: tensor<f32>) {
  // expected-error@below {{expected source and result of the same shape, but got 'tensor<64x384xf32>' and '!nvfp4.tensor<64x400, nvfp4>'}}
  %q = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x400, nvfp4>
  return
}

// -----

func.func @quantize_c2_missing(%x: tensor<64x384xf32>) {
  // expected-error@below {{expected a global scale for the result '!nvfp4.tensor<64x384, nvfp4>'}}
  %q = nvfp4.quantize %x : tensor<64x384xf32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @quantize_c2_superfluous(%x: tensor<64x384xf32>, %g: tensor<f32>) {
  // expected-error@below {{expected no global scale for the result '!nvfp4.tensor<64x384, mxfp4>'}}
  %q = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, mxfp4>
  return
}

// -----

func.func @quantize_c2_granularity(%x: tensor<64x384xf32>, %g: tensor<f32>) {
  // expected-error@below {{expected a global scale of type 'tensor<64xf32>', but got 'tensor<f32>'}}
  %q = nvfp4.quantize %x global_scale %g : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4<global = row>>
  return
}

// -----

func.func @quantize_c3_missing(%x: tensor<64x384xf32>, %g: tensor<f32>) {
  // expected-error@below {{expected a random state exactly if the rounding is stochastic}}
  %q = nvfp4.quantize %x global_scale %g rounding<stochastic> : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @quantize_c3_superfluous(%x: tensor<64x384xf32>, %g: tensor<f32>, %s: tensor<2xi64>) {
  // expected-error@below {{expected a random state exactly if the rounding is stochastic}}
  %q = nvfp4.quantize %x global_scale %g state %s : tensor<64x384xf32>, tensor<f32>, tensor<2xi64> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @quantize_c3_type(%x: tensor<64x384xf32>, %g: tensor<f32>, %s: tensor<4xi64>) {
  // expected-error@below {{expected a random state of type tensor<2xi64>, but got 'tensor<4xi64>'}}
  %q = nvfp4.quantize %x global_scale %g rounding<stochastic> state %s : tensor<64x384xf32>, tensor<f32>, tensor<4xi64> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @quantize_rounding(%x: tensor<64x384xf32>, %g: tensor<f32>) {
  // expected-error@below {{failed to parse NVFP4_RoundingModeAttr parameter 'value'}}
  // expected-error@below {{expected ::nvfp4::RoundingMode to be one of: nearest_even, stochastic}}
  %q = nvfp4.quantize %x global_scale %g rounding<up> : tensor<64x384xf32>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @dequantize_c1(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{expected source and result of the same shape, but got '!nvfp4.tensor<64x384, nvfp4>' and 'tensor<384x64xf32>'}}
  %x = nvfp4.dequantize %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<384x64xf32>
  return
}

// -----

func.func @matmul_c1(%a: tensor<8x64xf32>, %b: tensor<16x64xf32>) {
  // expected-error@below {{expected a block-scaled operand, but got 'tensor<8x64xf32>' and 'tensor<16x64xf32>'}}
  %d = nvfp4.matmul %a, %b : tensor<8x64xf32>, tensor<16x64xf32> -> tensor<8x16xf32>
  return
}

// -----

func.func @matmul_c2_k(%a: tensor<8x32xf32>, %b: !nvfp4.tensor<16x64, nvfp4>) {
  // expected-error@below {{expected A[.., M, K] and B[.., N, K], but got lhs [8, 32], rhs [16, 64] and result [8, 16]}}
  %d = nvfp4.matmul %a, %b : tensor<8x32xf32>, !nvfp4.tensor<16x64, nvfp4> -> tensor<8x16xf32>
  return
}

// -----

func.func @matmul_c2_rank(%a: tensor<64xf32>, %b: !nvfp4.tensor<16x64, nvfp4>) {
  // expected-error@below {{expected A[.., M, K] and B[.., N, K], but got lhs [64], rhs [16, 64] and result [16]}}
  %d = nvfp4.matmul %a, %b : tensor<64xf32>, !nvfp4.tensor<16x64, nvfp4> -> tensor<16xf32>
  return
}

// -----

func.func @matmul_c3(%a: tensor<2x8x64xf32>, %b: !nvfp4.tensor<3x16x64, nvfp4<global = slice>>) {
  // expected-error@below {{expected an rhs with the batch dimensions of lhs or none, but got lhs [2, 8, 64], rhs [3, 16, 64] and result [2, 8, 16]}}
  %d = nvfp4.matmul %a, %b : tensor<2x8x64xf32>, !nvfp4.tensor<3x16x64, nvfp4<global = slice>> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @matmul_c3_lhs(%a: tensor<8x64xf32>, %b: !nvfp4.tensor<2x16x64, nvfp4<global = slice>>) {
  // expected-error@below {{expected an rhs with the batch dimensions of lhs or none, but got lhs [8, 64], rhs [2, 16, 64] and result [2, 8, 16]}}
  %d = nvfp4.matmul %a, %b : tensor<8x64xf32>, !nvfp4.tensor<2x16x64, nvfp4<global = slice>> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @matmul_c4(%a: tensor<?x64xf32>, %b: !nvfp4.tensor<16x64, nvfp4>) {
  // expected-error@below {{expected a result of shape [.., M, N], but got lhs [?, 64], rhs [16, 64] and result [?, 64]}}
  %d = nvfp4.matmul %a, %b : tensor<?x64xf32>, !nvfp4.tensor<16x64, nvfp4> -> tensor<?x64xf32>
  return
}

// -----

func.func @matmul_c5(%a: !nvfp4.tensor<8x64, nvfp4>, %b: !nvfp4.tensor<16x64, mxfp4>) {
  // expected-error@below {{expected operands of one format, but got '!nvfp4.tensor<8x64, nvfp4>' and '!nvfp4.tensor<16x64, mxfp4>'}}
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<8x64, nvfp4>, !nvfp4.tensor<16x64, mxfp4> -> tensor<8x16xf32>
  return
}

// -----

func.func @hadamard_c1(%x: tensor<8x64xf32>) {
  // expected-error@below {{failed to verify that all of {source, result} have same type}}
  %r = "nvfp4.hadamard"(%x) <{signs = 0 : i32}> : (tensor<8x64xf32>) -> tensor<8x64xbf16>
  return
}

// -----

func.func @hadamard_c2(%x: tensor<8x40xf32>) {
  // expected-error@below {{expected a last dimension that is a multiple of 16, but got 'tensor<8x40xf32>'}}
  %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<8x40xf32>
  return
}

// -----

func.func @hadamard_c2_rank(%x: tensor<f32>) {
  // expected-error@below {{expected a last dimension that is a multiple of 16, but got 'tensor<f32>'}}
  %r = nvfp4.hadamard %x signs<0xD7E8> : tensor<f32>
  return
}

// -----

func.func @hadamard_c3(%x: tensor<8x64xf32>) {
  // expected-error@below {{expected a mask of 16 signs, but got 65536}}
  %r = nvfp4.hadamard %x signs<0x10000> : tensor<8x64xf32>
  return
}

// -----

func.func @hadamard_c3_generic(%x: tensor<8x64xf32>) {
  // expected-error@below {{expected a mask of 16 signs, but got 65536}}
  %r = "nvfp4.hadamard"(%x) <{signs = 65536 : i32}> : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return
}

// -----

/// More bits than the attribute has.
func.func @hadamard_c3_wide(%x: tensor<8x64xf32>) {
  // expected-error@below {{expected a mask of 16 signs, but got 4295022568}}
  %r = nvfp4.hadamard %x signs<0x10000D7E8> : tensor<8x64xf32>
  return
}

// -----

func.func @hadamard_c3_negative(%x: tensor<8x64xf32>) {
  // expected-error@below {{expected a mask of 16 signs, but got -1}}
  %r = nvfp4.hadamard %x signs<-1> : tensor<8x64xf32>
  return
}

// -----

func.func @transpose_c1(%q: !nvfp4.tensor<384x64, nvfp4>) {
  // expected-error@below {{expected square blocks without a global scale per row, but got '!nvfp4.tensor<384x64, nvfp4>'}}
  %t = nvfp4.transpose %q : !nvfp4.tensor<384x64, nvfp4> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @transpose_c2_shape(%q: !nvfp4.tensor<384x64, nvfp4<block = 16x16>>) {
  // expected-error@below {{expected the result '!nvfp4.tensor<64x384, nvfp4<block = 16x16>>', but got '!nvfp4.tensor<384x64, nvfp4<block = 16x16>>'}}
  %t = nvfp4.transpose %q : !nvfp4.tensor<384x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<384x64, nvfp4<block = 16x16>>
  return
}

// -----

func.func @transpose_c2_format(%q: !nvfp4.tensor<384x64, nvfp4<block = 16x16>>) {
  // expected-error@below {{expected the result '!nvfp4.tensor<64x384, nvfp4<block = 16x16>>', but got '!nvfp4.tensor<64x384, nvfp4<block = 16x16, convention = divide>>'}}
  %t = nvfp4.transpose %q : !nvfp4.tensor<384x64, nvfp4<block = 16x16>> -> !nvfp4.tensor<64x384, nvfp4<block = 16x16, convention = divide>>
  return
}

// -----

func.func @relayout_c1_shape(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{expected source and result to differ in layout only, but got '!nvfp4.tensor<64x384, nvfp4>' and '!nvfp4.tensor<?x384, nvfp4, layout = tiled>'}}
  %t = nvfp4.relayout %q : !nvfp4.tensor<64x384, nvfp4> -> !nvfp4.tensor<?x384, nvfp4, layout = tiled>
  return
}

// -----

func.func @relayout_c1_format(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{expected source and result to differ in layout only, but got '!nvfp4.tensor<64x384, nvfp4>' and '!nvfp4.tensor<64x384, nvfp4<convention = multiply>>'}}
  %t = nvfp4.relayout %q : !nvfp4.tensor<64x384, nvfp4> -> !nvfp4.tensor<64x384, nvfp4<convention = multiply>>
  return
}

// -----

func.func @assemble_c1_codes(%c: tensor<64x384xi8>, %s: tensor<64x24xi8>, %g: tensor<f32>) {
  // expected-error@below {{expected codes of type 'tensor<64x192xi8>', but got 'tensor<64x384xi8>'}}
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x384xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @assemble_c1_scales(%c: tensor<64x192xi8>, %s: tensor<64x12xi8>, %g: tensor<f32>) {
  // expected-error@below {{expected scales of type 'tensor<64x24xi8>' or the same with the format's scale encoding, but got 'tensor<64x12xi8>'}}
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x12xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @assemble_c1_scale_encoding(%c: tensor<64x192xi8>, %s: tensor<64x24xf8E8M0FNU>, %g: tensor<f32>) {
  // expected-error@below {{expected scales of type 'tensor<64x24xi8>' or the same with the format's scale encoding, but got 'tensor<64x24xf8E8M0FNU>'}}
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xf8E8M0FNU>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

/// The scales of the tiled layout are one run of bytes.
func.func @assemble_c1_tiled(%c: tensor<64x192xi8>, %s: tensor<64x24xi8>, %g: tensor<f32>) {
  // expected-error@below {{expected scales of type 'tensor<3072xi8>'}}
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32> -> !nvfp4.tensor<64x384, nvfp4, layout = tiled>
  return
}

// -----

func.func @assemble_c1_global_scale_missing(%c: tensor<64x192xi8>, %s: tensor<64x24xi8>) {
  // expected-error@below {{expected a global scale in a tensor of format nvfp4}}
  %q = nvfp4.assemble %c, %s : tensor<64x192xi8>, tensor<64x24xi8> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @assemble_c1_global_scale_superfluous(%c: tensor<64x192xi8>, %s: tensor<64x12xi8>, %g: tensor<f32>) {
  // expected-error@below {{expected no global scale in a tensor of format mxfp4}}
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x12xi8>, tensor<f32> -> !nvfp4.tensor<64x384, mxfp4>
  return
}

// -----

func.func @assemble_c1_global_scale_type(%c: tensor<64x192xi8>, %s: tensor<64x24xi8>, %g: tensor<64xf32>) {
  // expected-error@below {{expected a global scale of type 'tensor<f32>', but got 'tensor<64xf32>'}}
  %q = nvfp4.assemble %c, %s global_scale %g : tensor<64x192xi8>, tensor<64x24xi8>, tensor<64xf32> -> !nvfp4.tensor<64x384, nvfp4>
  return
}

// -----

func.func @disassemble_c1_codes(%q: !nvfp4.tensor<64x384, mxfp4>) {
  // expected-error@below {{expected codes of type 'tensor<64x192xi8>', but got 'tensor<64x96xi8>'}}
  %c, %s = nvfp4.disassemble %q : !nvfp4.tensor<64x384, mxfp4> -> tensor<64x96xi8>, tensor<64x12xi8>
  return
}

// -----

func.func @disassemble_c1_scales(%q: !nvfp4.tensor<64x384, mxfp4>) {
  // expected-error@below {{expected scales of type 'tensor<64x12xi8>' or the same with the format's scale encoding, but got 'tensor<64x12xf8E4M3FN>'}}
  %c, %s = nvfp4.disassemble %q : !nvfp4.tensor<64x384, mxfp4> -> tensor<64x192xi8>, tensor<64x12xf8E4M3FN>
  return
}

// -----

func.func @disassemble_c1_global_scale(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{expected a global scale in a tensor of format nvfp4}}
  %c, %s = nvfp4.disassemble %q : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>
  return
}

// -----

func.func @disassemble_c2_unknown(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{expected the convention amax, multiply or divide, but got 'reciprocal'}}
  %c, %s, %g = nvfp4.disassemble %q convention reciprocal : !nvfp4.tensor<64x384, nvfp4> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  return
}

// -----

func.func @disassemble_c2(%q: !nvfp4.tensor<64x384, nvfp4<convention = multiply>>) {
  // expected-error@below {{expected the source's own convention, because only from amax the others follow without rounding, but got 'divide'}}
  %c, %s, %g = nvfp4.disassemble %q convention divide : !nvfp4.tensor<64x384, nvfp4<convention = multiply>> -> tensor<64x192xi8>, tensor<64x24xi8>, tensor<f32>
  return
}

// -----

func.func @dim_c1(%q: !nvfp4.tensor<?x384, nvfp4>) {
  // expected-error@below {{expected a dimension below the rank 2, but got 2}}
  %m = nvfp4.dim %q, 2 : !nvfp4.tensor<?x384, nvfp4>
  return
}

// -----

func.func @dim_c1_negative(%q: !nvfp4.tensor<?x384, nvfp4>) {
  // expected-error@below {{expected a dimension below the rank 2, but got -1}}
  %m = nvfp4.dim %q, -1 : !nvfp4.tensor<?x384, nvfp4>
  return
}

// -----

func.func @cast_shape(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{operand type '!nvfp4.tensor<64x384, nvfp4>' and result type '!nvfp4.tensor<32x384, nvfp4>' are cast incompatible}}
  %c = nvfp4.cast %q : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<32x384, nvfp4>
  return
}

// -----

func.func @cast_format(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{are cast incompatible}}
  %c = nvfp4.cast %q : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<?x384, mxfp4>
  return
}

// -----

func.func @cast_layout(%q: !nvfp4.tensor<64x384, nvfp4>) {
  // expected-error@below {{are cast incompatible}}
  %c = nvfp4.cast %q : !nvfp4.tensor<64x384, nvfp4> to !nvfp4.tensor<?x384, nvfp4, layout = tiled>
  return
}

// -----

func.func @constant_c1() {
  // expected-error@below {{expected components of types 'tensor<2x8xi8>', 'tensor<2x1xi8>', 'tensor<f32>', but got 'tensor<2x16xi8>', 'tensor<2x1xi8>', 'tensor<f32>'}}
  %q = nvfp4.constant <codes = dense<0> : tensor<2x16xi8>, scales = dense<0> : tensor<2x1xi8>, globalScale = dense<1.0> : tensor<f32>> : !nvfp4.tensor<2x16, nvfp4>
  return
}

// -----

func.func @constant_c1_global_scale() {
  // expected-error@below {{expected components of types 'tensor<2x8xi8>', 'tensor<2x1xi8>', 'tensor<f32>', but got 'tensor<2x8xi8>', 'tensor<2x1xi8>'}}
  %q = nvfp4.constant <codes = dense<0> : tensor<2x8xi8>, scales = dense<0> : tensor<2x1xi8>> : !nvfp4.tensor<2x16, nvfp4>
  return
}

// -----

func.func @constant_static() {
  // expected-error@below {{expected a static type, but got '!nvfp4.tensor<?x16, nvfp4>'}}
  %q = nvfp4.constant <codes = dense<0> : tensor<2x8xi8>, scales = dense<0> : tensor<2x1xi8>, globalScale = dense<1.0> : tensor<f32>> : !nvfp4.tensor<?x16, nvfp4>
  return
}

// -----

func.func @record_error_c1_type(%status: tensor<f32>) {
  // expected-error@below {{operand #0 must be 0-d i32 tensor or memref, but got 'tensor<f32>'}}
  nvfp4.record_error %status messages ["index out of range"] : tensor<f32>
  return
}

// -----

func.func @record_error_c1_rank(%status: memref<1xi32>) {
  // expected-error@below {{operand #0 must be 0-d i32 tensor or memref, but got 'memref<1xi32>'}}
  nvfp4.record_error %status messages ["index out of range"] : memref<1xi32>
  return
}

// -----

func.func @record_error_c2(%status: tensor<i32>) {
  // expected-error@below {{attribute 'messages' failed to satisfy constraint: string array attribute with at least 1 elements}}
  nvfp4.record_error %status messages [] : tensor<i32>
  return
}

// -----

func.func @dispatch_c1(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@below {{expected the name of a function with a body, but got @kernels::@missing}}
  %y = nvfp4.dispatch @kernels::@missing outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

module @kernels {
  func.func @fill(%init: tensor<4xf32>) -> tensor<4xf32> {
    return %init : tensor<4xf32>
  }
}
func.func @dispatch_c2_type(%x: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error@below {{expected an operand of shape and element type 'tensor<4xf32>', but got 'tensor<5xf32>'}}
  %y = nvfp4.dispatch @kernels::@fill outs(%x : tensor<5xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

module @kernels {
  func.func @fill(%init: tensor<4xf32>) -> tensor<4xf32> {
    return %init : tensor<4xf32>
  }
}
func.func @dispatch_c2_count(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@below {{expected 1 arguments, as @kernels::@fill has, but got 2}}
  %y = nvfp4.dispatch @kernels::@fill ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// expected-error@below {{expected a multiple of 32 up to 1024 as 'threads', but got 33}}
func.func private @kernel_threads() attributes {nvfp4.kernel = #nvfp4.kernel<row, threads = 33>}

// -----

// expected-error@below {{expected 'tile', 'warps', 'stages' and 'swapped' of a matmul or a stream only, but got schedule row}}
func.func private @kernel_row_tile() attributes {nvfp4.kernel = #nvfp4.kernel<row, threads = 32, tile = 1x1x1>}

// -----

// expected-error@below {{expected 32 threads for each of 4 warps, 128 more if a warpgroup copies for them, and 32 more if a warp multiplies for them, but got 64}}
func.func private @kernel_warps() attributes {nvfp4.kernel = #nvfp4.kernel<matmul, threads = 64, tile = 64x64x64, warps = 2x2x1>}

// -----

// expected-error@below {{expected 'clusters' of a stream, and 1 or more, or 2 of a matmul and up to 8 of a swapped one, but got 4 and schedule matmul}}
func.func private @kernel_clusters() attributes {nvfp4.kernel = #nvfp4.kernel<matmul, threads = 128, tile = 16x64x64, warps = 1x4x1, stages = 3, clusters = 4>}

// -----

// expected-error@below {{expected up to 8 CTAs x keys as 'tile' of an attention, and only 'threads' besides, but got 2 extents: [16, 1024]}}
func.func private @kernel_attention() attributes {nvfp4.kernel = #nvfp4.kernel<attention, threads = 128, tile = 16x1024>}

// -----

// expected-error@below {{expected rows x keys as 'tile' of an attention with 'warps', n x 1 x 1 of these, and 32 'threads' for each, but got 2 extents: [64, 64], [2, 2, 1] and 128 threads}}
func.func private @kernel_attention_warps() attributes {nvfp4.kernel = #nvfp4.kernel<attention, threads = 128, tile = 64x64, warps = 2x2x1>}
