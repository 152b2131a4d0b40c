// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics

/// One case per numbered constraint of the kernel level, named after it.

func.func @global_scale_into_c1_count(%x: tensor<4x64xf32>, %init: tensor<f32>) {
  // expected-error@below {{expected 1 input, but got 2}}
  %g = nvfp4.global_scale_into format <nvfp4> ins(%x, %x : tensor<4x64xf32>, tensor<4x64xf32>) outs(%init : tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @global_scale_into_c1_source(%x: tensor<4x64xi8>, %init: tensor<f32>) {
  // expected-error@below {{expected a source of float elements and shape [4, 64], but got 'tensor<4x64xi8>'}}
  %g = nvfp4.global_scale_into format <nvfp4> ins(%x : tensor<4x64xi8>) outs(%init : tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @global_scale_into_c1_format(%x: tensor<4x64xf32>, %init: tensor<f32>) {
  // expected-error@below {{expected a format with a global scale and a source of rank 2 or more, but got #nvfp4.format<mxfp4> and 'tensor<4x64xf32>'}}
  %g = nvfp4.global_scale_into format <mxfp4> ins(%x : tensor<4x64xf32>) outs(%init : tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @global_scale_into_c1_shape(%x: memref<4x64xf32>, %init: memref<f32>) {
  // expected-error@below {{expected a global scale of shape and element type 'tensor<4xf32>', but got 'memref<f32>'}}
  nvfp4.global_scale_into format <nvfp4<global = row>> ins(%x : memref<4x64xf32>) outs(%init : memref<f32>)
  return
}

// -----

func.func @quantize_into_c1_count(%x: tensor<4x64xf32>, %c: tensor<4x32xi8>, %s: tensor<4x4xi8>) {
  // expected-error@below {{expected 2 inputs, but got 1}}
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x64, nvfp4> ins(%x : tensor<4x64xf32>) outs(%c, %s : tensor<4x32xi8>, tensor<4x4xi8>) -> tensor<4x32xi8>, tensor<4x4xi8>
  return
}

// -----

func.func @quantize_into_c1_source(%x: tensor<4x32xf32>, %c: tensor<4x32xi8>, %s: tensor<4x2xi8>) {
  // expected-error@below {{expected a source of float elements and shape [4, 64], but got 'tensor<4x32xf32>'}}
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> ins(%x : tensor<4x32xf32>) outs(%c, %s : tensor<4x32xi8>, tensor<4x2xi8>) -> tensor<4x32xi8>, tensor<4x2xi8>
  return
}

// -----

func.func @quantize_into_c1_global_scale(%x: tensor<4x64xf32>, %g: tensor<4xf32>, %c: tensor<4x32xi8>, %s: tensor<4x4xi8>) {
  // expected-error@below {{expected a global scale of shape and element type 'tensor<f32>', but got 'tensor<4xf32>'}}
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x64, nvfp4> ins(%x, %g : tensor<4x64xf32>, tensor<4xf32>) outs(%c, %s : tensor<4x32xi8>, tensor<4x4xi8>) -> tensor<4x32xi8>, tensor<4x4xi8>
  return
}

// -----

func.func @quantize_into_c1_state(%x: tensor<4x64xf32>, %st: tensor<1xi64>, %c: tensor<4x32xi8>, %s: tensor<4x2xi8>) {
  // expected-error@below {{expected a random state of shape and element type 'tensor<2xi64>', but got 'tensor<1xi64>'}}
  %q:2 = nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> rounding<stochastic> ins(%x, %st : tensor<4x64xf32>, tensor<1xi64>) outs(%c, %s : tensor<4x32xi8>, tensor<4x2xi8>) -> tensor<4x32xi8>, tensor<4x2xi8>
  return
}

// -----

func.func @quantize_into_c2_count(%x: tensor<4x64xf32>, %c: tensor<4x32xi8>) {
  // expected-error@below {{expected 2 inits, but got 1}}
  %q = nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> ins(%x : tensor<4x64xf32>) outs(%c : tensor<4x32xi8>) -> tensor<4x32xi8>
  return
}

// -----

func.func @quantize_into_c2_codes(%x: memref<4x64xf32>, %c: memref<4x64xi8>, %s: memref<4x2xi8>) {
  // expected-error@below {{expected codes of shape and element type 'tensor<4x32xi8>', but got 'memref<4x64xi8>'}}
  nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> ins(%x : memref<4x64xf32>) outs(%c, %s : memref<4x64xi8>, memref<4x2xi8>)
  return
}

// -----

func.func @quantize_into_c2_scales(%x: memref<4x64xf32>, %c: memref<4x32xi8>, %s: memref<4x4xi8>) {
  // expected-error@below {{expected scales of shape and element type 'tensor<4x2xi8>', but got 'memref<4x4xi8>'}}
  nvfp4.quantize_into as !nvfp4.tensor<4x64, mxfp4> ins(%x : memref<4x64xf32>) outs(%c, %s : memref<4x32xi8>, memref<4x4xi8>)
  return
}

// -----

func.func @dequantize_into_c1_count(%c: tensor<4x32xi8>, %s: tensor<4x4xi8>, %init: tensor<4x64xf32>) {
  // expected-error@below {{expected 3 inputs, but got 2}}
  %d = nvfp4.dequantize_into from !nvfp4.tensor<4x64, nvfp4> ins(%c, %s : tensor<4x32xi8>, tensor<4x4xi8>) outs(%init : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

func.func @dequantize_into_c1_scales(%c: tensor<4x32xi8>, %s: tensor<4x4xi8>, %init: tensor<4x64xf32>) {
  // expected-error@below {{expected scales of shape and element type 'tensor<4x2xi8>', but got 'tensor<4x4xi8>'}}
  %d = nvfp4.dequantize_into from !nvfp4.tensor<4x64, mxfp4> ins(%c, %s : tensor<4x32xi8>, tensor<4x4xi8>) outs(%init : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

func.func @dequantize_into_c2(%c: tensor<4x32xi8>, %s: tensor<4x2xi8>, %init: tensor<4x32xf32>) {
  // expected-error@below {{expected a result of float elements and shape [4, 64], but got 'tensor<4x32xf32>'}}
  %d = nvfp4.dequantize_into from !nvfp4.tensor<4x64, mxfp4> ins(%c, %s : tensor<4x32xi8>, tensor<4x2xi8>) outs(%init : tensor<4x32xf32>) -> tensor<4x32xf32>
  return
}

// -----

func.func @scaled_matmul_c1(%a: tensor<4x64xf32>, %b: tensor<8x64xf32>, %init: tensor<4x8xf32>) {
  // expected-error@below {{expected the type of a block-scaled lhs or rhs}}
  %d = nvfp4.scaled_matmul ins(%a, %b : tensor<4x64xf32>, tensor<8x64xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @scaled_matmul_c2_count(%a: tensor<4x64xf32>, %c: tensor<8x32xi8>, %s: tensor<8x4xi8>, %init: tensor<4x8xf32>) {
  // expected-error@below {{expected 4 inputs, but got 3}}
  %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, nvfp4> ins(%a, %c, %s : tensor<4x64xf32>, tensor<8x32xi8>, tensor<8x4xi8>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @scaled_matmul_c2_rhs(%a: tensor<4x64xf32>, %c: tensor<8x64xi8>, %s: tensor<8x2xi8>, %init: tensor<4x8xf32>) {
  // expected-error@below {{expected rhs codes of shape and element type 'tensor<8x32xi8>', but got 'tensor<8x64xi8>'}}
  %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, mxfp4> ins(%a, %c, %s : tensor<4x64xf32>, tensor<8x64xi8>, tensor<8x2xi8>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @scaled_matmul_c2_lhs(%a: tensor<4x64xi8>, %c: tensor<8x32xi8>, %s: tensor<8x2xi8>, %init: tensor<4x8xf32>) {
  // expected-error@below {{expected lhs of float elements and shape [4, 64], but got 'tensor<4x64xi8>'}}
  %d = nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, mxfp4> ins(%a, %c, %s : tensor<4x64xi8>, tensor<8x32xi8>, tensor<8x2xi8>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @scaled_matmul_c2_decoded(%a: tensor<4x64xf32>, %c: tensor<8x32xi8>, %s: tensor<8x2xi8>, %init: tensor<4x8xf32>) {
  // expected-error@below {{expected lhs values of shape and element type 'tensor<4x64xbf16>', but got 'tensor<4x64xf32>'}}
  %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<4x64, mxfp4> rhs !nvfp4.tensor<8x64, mxfp4>
      ins(%a, %c, %s : tensor<4x64xf32>, tensor<8x32xi8>, tensor<8x2xi8>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @scaled_matmul_c2_decoded_scale(%a: tensor<4x64xbf16>, %g: tensor<f32>, %c: tensor<8x32xi8>, %s: tensor<8x2xi8>,
                                          %init: tensor<4x8xf32>) {
  // expected-error@below {{expected lhs global scale of shape and element type 'tensor<4xf32>', but got 'tensor<f32>'}}
  %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<4x64, nvfp4<global = row>> rhs !nvfp4.tensor<8x64, mxfp4>
      ins(%a, %g, %c, %s : tensor<4x64xbf16>, tensor<f32>, tensor<8x32xi8>, tensor<8x2xi8>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @scaled_matmul_c3_k(%a: memref<4x32xf32>, %c: memref<8x32xi8>, %s: memref<8x2xi8>, %init: memref<4x8xf32>) {
  // expected-error@below {{expected A[.., M, K] and B[.., N, K], but got lhs [4, 32], rhs [8, 64] and result [4, 8]}}
  nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, mxfp4> ins(%a, %c, %s : memref<4x32xf32>, memref<8x32xi8>, memref<8x2xi8>) outs(%init : memref<4x8xf32>)
  return
}

// -----

func.func @scaled_matmul_c3_result(%a: memref<4x64xf32>, %c: memref<8x32xi8>, %s: memref<8x2xi8>, %init: memref<8x4xf32>) {
  // expected-error@below {{expected a result of shape [.., M, N], but got lhs [4, 64], rhs [8, 64] and result [8, 4]}}
  nvfp4.scaled_matmul rhs !nvfp4.tensor<8x64, mxfp4> ins(%a, %c, %s : memref<4x64xf32>, memref<8x32xi8>, memref<8x2xi8>) outs(%init : memref<8x4xf32>)
  return
}

// -----

func.func @hadamard_into_c1_multiple(%x: tensor<4x24xf32>, %init: tensor<4x24xf32>) {
  // expected-error@below {{expected a last dimension that is a multiple of 16, but got 'tensor<4x24xf32>'}}
  %r = nvfp4.hadamard_into signs<0x0000> ins(%x : tensor<4x24xf32>) outs(%init : tensor<4x24xf32>) -> tensor<4x24xf32>
  return
}

// -----

func.func @hadamard_into_c1_type(%x: tensor<4x64xf32>, %init: tensor<4x64xbf16>) {
  // expected-error@below {{expected a result of shape and element type 'tensor<4x64xf32>', but got 'tensor<4x64xbf16>'}}
  %r = nvfp4.hadamard_into signs<0x0000> ins(%x : tensor<4x64xf32>) outs(%init : tensor<4x64xbf16>) -> tensor<4x64xbf16>
  return
}

// -----

func.func @hadamard_into_c1_signs(%x: tensor<4x64xf32>, %init: tensor<4x64xf32>) {
  // expected-error@below {{expected a mask of 16 signs, but got 65536}}
  %r = nvfp4.hadamard_into signs<0x10000> ins(%x : tensor<4x64xf32>) outs(%init : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

func.func @relayout_into_c1_types(%c: tensor<64x32xi8>, %s: tensor<64x4xi8>, %tc: tensor<64x32xi8>, %ts: tensor<512xi8>) {
  // expected-error@below {{expected types that differ in layout only, but got '!nvfp4.tensor<64x64, nvfp4>' and '!nvfp4.tensor<64x64, nvfp4<global = row>, layout = tiled>'}}
  %q:2 = nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4> to !nvfp4.tensor<64x64, nvfp4<global = row>, layout = tiled> ins(%c, %s : tensor<64x32xi8>, tensor<64x4xi8>) outs(%tc, %ts : tensor<64x32xi8>, tensor<512xi8>) -> tensor<64x32xi8>, tensor<512xi8>
  return
}

// -----

func.func @relayout_into_c1_inputs(%c: tensor<64x32xi8>, %s: tensor<512xi8>, %tc: tensor<64x32xi8>, %ts: tensor<512xi8>) {
  // expected-error@below {{expected source scales of shape and element type 'tensor<64x4xi8>', but got 'tensor<512xi8>'}}
  %q:2 = nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4> to !nvfp4.tensor<64x64, nvfp4, layout = tiled> ins(%c, %s : tensor<64x32xi8>, tensor<512xi8>) outs(%tc, %ts : tensor<64x32xi8>, tensor<512xi8>) -> tensor<64x32xi8>, tensor<512xi8>
  return
}

// -----

func.func @relayout_into_c1_inits(%c: memref<64x32xi8>, %s: memref<64x4xi8>, %tc: memref<64x32xi8>, %ts: memref<256xi8>) {
  // expected-error@below {{expected result scales of shape and element type 'tensor<512xi8>', but got 'memref<256xi8>'}}
  nvfp4.relayout_into from !nvfp4.tensor<64x64, nvfp4> to !nvfp4.tensor<64x64, nvfp4, layout = tiled> ins(%c, %s : memref<64x32xi8>, memref<64x4xi8>) outs(%tc, %ts : memref<64x32xi8>, memref<256xi8>)
  return
}

// -----

func.func @transpose_into_c1_blocks(%c: tensor<32x32xi8>, %s: tensor<32x4xi8>, %tc: tensor<64x16xi8>, %ts: tensor<64x2xi8>) {
  // expected-error@below {{expected square blocks, but got '!nvfp4.tensor<32x64, nvfp4>'}}
  %q:2 = nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4> ins(%c, %s : tensor<32x32xi8>, tensor<32x4xi8>) outs(%tc, %ts : tensor<64x16xi8>, tensor<64x2xi8>) -> tensor<64x16xi8>, tensor<64x2xi8>
  return
}

// -----

func.func @transpose_into_c1_inits(%c: tensor<32x32xi8>, %s: tensor<2x4xi8>, %tc: tensor<64x16xi8>, %ts: tensor<2x4xi8>) {
  // expected-error@below {{expected result scales of shape and element type 'tensor<4x2xi8>', but got 'tensor<2x4xi8>'}}
  %q:2 = nvfp4.transpose_into from !nvfp4.tensor<32x64, nvfp4<block = 16x16>> ins(%c, %s : tensor<32x32xi8>, tensor<2x4xi8>) outs(%tc, %ts : tensor<64x16xi8>, tensor<2x4xi8>) -> tensor<64x16xi8>, tensor<2x4xi8>
  return
}

// -----

func.func @gemm_c1_tensor(%x: tensor<4x8xf32>, %y: tensor<4x4xf32>) {
  // expected-error@below {{expected memrefs of f32, bf16 or f16, but got 'tensor<4x8xf32>'}}
  %z = nvfp4.gemm [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %x : tensor<4x8xf32>, tensor<4x8xf32>) outs(%y : tensor<4x4xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @gemm_c1_inputs(%x: memref<4x8xf32>, %y: memref<4x4xf32>) {
  // expected-error@below {{expected 2 inputs, but got 1}}
  nvfp4.gemm [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x : memref<4x8xf32>) outs(%y : memref<4x4xf32>)
  return
}

// -----

func.func @gemm_c2(%x: memref<4x8xf32>, %y: memref<4x4xf32>) {
  // expected-error@below {{expected a projected permutation of 3 dimensions to those of 'memref<4x8xf32>', but got affine_map<(d0, d1, d2) -> (d0 + d1, d2)>}}
  nvfp4.gemm [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (m + n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %x : memref<4x8xf32>, memref<4x8xf32>) outs(%y : memref<4x4xf32>)
  return
}

// -----

func.func @gemm_c3(%x: memref<4x8xf32>, %w: memref<4xf32>, %y: memref<4xf32>) {
  // expected-error@below {{expected every dimension in two maps, but got d1 in fewer}}
  nvfp4.gemm [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>, affine_map<(m, k) -> (m)>] ins(%x, %w : memref<4x8xf32>, memref<4xf32>) outs(%y : memref<4xf32>)
  return
}

// -----

/// Results are the inits after the op: as many, of the same types.
func.func @destination_style(%x: tensor<4x64xf32>, %init: tensor<4x64xf32>) {
  // expected-error@below {{expected the number of tensor results (0) to be equal to the number of output tensors (1)}}
  nvfp4.hadamard_into signs<0x0000> ins(%x : tensor<4x64xf32>) outs(%init : tensor<4x64xf32>)
  return
}
