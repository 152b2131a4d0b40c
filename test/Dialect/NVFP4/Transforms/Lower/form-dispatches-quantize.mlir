// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file | FileCheck %s
// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

!x = !nvfp4.tensor<?x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<?x64, nvfp4<convention = multiply>, layout = tiled>

/// With a global scale that is given, the product and what follows are not stored.
// CHECK-LABEL: func.func @matmul_64x32(
//  CHECK-SAME:     -> (tensor<?x32xi8>, tensor<?xi8>)
//       CHECK:   nvfp4.scaled_matmul
//       CHECK:   linalg.exp
//       CHECK:   nvfp4.quantize_into
// CHECK-LABEL: func.func @given(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//   CHECK-NOT:   nvfp4.dispatch
func.func @given(%x: tensor<?x32xi8>, %xs: tensor<?xi8>, %g: tensor<f32>, %w: tensor<64x32xi8>, %ws: tensor<512xi8>, %s: tensor<f32>)
    -> (tensor<?x32xi8>, tensor<?xi8>) {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x32xi8>
  %bytes = tensor.dim %xs, %c0 : tensor<?xi8>
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<?x32xi8>, tensor<?xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %y = linalg.exp ins(%p : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %ec = tensor.empty(%rows) : tensor<?x32xi8>
  %es = tensor.empty(%bytes) : tensor<?xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%y, %s : tensor<?x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<?x32xi8>, tensor<?xi8>) -> tensor<?x32xi8>, tensor<?xi8>
  return %q#0, %q#1 : tensor<?x32xi8>, tensor<?xi8>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x64, nvfp4<global = row>, layout = tiled>
!m = !nvfp4.tensor<256x64, mxfp4, layout = tiled>

/// Blocks of two sizes, and a scale for each row that is given.
// CHECK-LABEL: func.func @matmul_64x32(
//  CHECK-SAME:     -> (tensor<256x64xf32>, tensor<256x32xi8>, tensor<1024xi8>, tensor<256x32xi8>, tensor<1024xi8>)
// CHECK-COUNT-2:  nvfp4.quantize_into
// CHECK-LABEL: func.func @two(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//   CHECK-NOT:   nvfp4.dispatch
func.func @two(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %w: tensor<64x32xi8>, %ws: tensor<512xi8>, %s: tensor<256xf32>)
    -> (tensor<256x64xf32>, tensor<256x32xi8>, tensor<1024xi8>, tensor<256x32xi8>, tensor<1024xi8>) {
  %e = tensor.empty() : tensor<256x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %ec = tensor.empty() : tensor<256x32xi8>
  %es = tensor.empty() : tensor<1024xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p, %s : tensor<256x64xf32>, tensor<256xf32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  %m:2 = nvfp4.quantize_into as !m ins(%p : tensor<256x64xf32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  return %p, %q#0, %q#1, %m#0, %m#1 : tensor<256x64xf32>, tensor<256x32xi8>, tensor<1024xi8>, tensor<256x32xi8>, tensor<1024xi8>
}

// -----

!x = !nvfp4.tensor<3x?x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<3x48x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<?x144, nvfp4, layout = tiled>

/// Heads side by side are whole blocks; who else reads them does not change that.
// CHECK-LABEL: func.func @matmul_3x48x32(
//  CHECK-SAME:     -> (tensor<?x3x48xf32>, tensor<?x96xi8>, tensor<?xi8>)
// CHECK-LABEL: func.func @heads(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_3x48x32
//   CHECK-NOT:   nvfp4.dispatch
func.func @heads(%x: tensor<3x?x32xi8>, %xs: tensor<3x?xi8>, %g: tensor<f32>, %w: tensor<3x48x32xi8>, %ws: tensor<3x512xi8>)
    -> (tensor<?x144xf32>, tensor<?x96xi8>, tensor<?xi8>) {
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %x, %c1 : tensor<3x?x32xi8>
  %c512 = arith.constant 512 : index
  %bytes = arith.muli %rows, %c512 : index
  %e = tensor.empty(%rows) : tensor<3x?x48xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<3x?x32xi8>, tensor<3x?xi8>, tensor<f32>, tensor<3x48x32xi8>, tensor<3x512xi8>, tensor<f32>)
      outs(%e : tensor<3x?x48xf32>) -> tensor<3x?x48xf32>
  %et = tensor.empty(%rows) : tensor<?x3x48xf32>
  %t = linalg.transpose ins(%p : tensor<3x?x48xf32>) outs(%et : tensor<?x3x48xf32>) permutation = [1, 0, 2]
  %y = tensor.collapse_shape %t [[0], [1, 2]] : tensor<?x3x48xf32> into tensor<?x144xf32>
  %ec = tensor.empty(%rows) : tensor<?x96xi8>
  %es = tensor.empty(%bytes) : tensor<?xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%y, %g : tensor<?x144xf32>, tensor<f32>)
      outs(%ec, %es : tensor<?x96xi8>, tensor<?xi8>) -> tensor<?x96xi8>, tensor<?xi8>
  return %y, %q#0, %q#1 : tensor<?x144xf32>, tensor<?x96xi8>, tensor<?xi8>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x64, nvfp4, layout = tiled>

/// Products of one operand share a launch, which quantizes each.
// CHECK-LABEL: func.func @matmul_2x64x32(
//  CHECK-SAME:     -> (tensor<256x32xi8>, tensor<1024xi8>, tensor<256x32xi8>, tensor<1024xi8>)
// CHECK-COUNT-2:  nvfp4.quantize_into
// CHECK-LABEL: func.func @siblings(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_2x64x32
//   CHECK-NOT:   nvfp4.dispatch
func.func @siblings(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %u: tensor<64x32xi8>, %v: tensor<64x32xi8>,
                    %ws: tensor<512xi8>) -> (tensor<256x32xi8>, tensor<1024xi8>, tensor<256x32xi8>, tensor<1024xi8>) {
  %e = tensor.empty() : tensor<256x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %u, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %r = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %v, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %ec = tensor.empty() : tensor<256x32xi8>
  %es = tensor.empty() : tensor<1024xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p, %g : tensor<256x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  %z:2 = nvfp4.quantize_into as !q ins(%r, %g : tensor<256x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  return %q#0, %q#1, %z#0, %z#1 : tensor<256x32xi8>, tensor<1024xi8>, tensor<256x32xi8>, tensor<1024xi8>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x64, nvfp4, layout = tiled>

/// Products of one operand share a launch; what combines two of them is quantized by another kernel.
// CHECK-LABEL: func.func @negative_gated(
//       CHECK:   %[[G:.+]]:2 = nvfp4.dispatch @kernels::@matmul_2x64x32
//       CHECK:   nvfp4.dispatch @kernels::@row_64 ins(%[[G]]#0, %[[G]]#1
func.func @negative_gated(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %u: tensor<64x32xi8>, %v: tensor<64x32xi8>,
                 %ws: tensor<512xi8>) -> (tensor<256x32xi8>, tensor<1024xi8>) {
  %e = tensor.empty() : tensor<256x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %u, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %r = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %v, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %y = linalg.mul ins(%p, %r : tensor<256x64xf32>, tensor<256x64xf32>) outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %ec = tensor.empty() : tensor<256x32xi8>
  %es = tensor.empty() : tensor<1024xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%y, %g : tensor<256x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  return %q#0, %q#1 : tensor<256x32xi8>, tensor<1024xi8>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x64, nvfp4<global = row>, layout = tiled>

/// A row's largest magnitude is in several tiles.
// CHECK-LABEL: func.func @negative_dynamic(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//       CHECK:   nvfp4.dispatch @kernels::@row_64
// REMARK: 'nvfp4.global_scale_into' does not join 'nvfp4.scaled_matmul': the largest magnitude of a row is known behind all of its tiles
func.func @negative_dynamic(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %w: tensor<64x32xi8>, %ws: tensor<512xi8>)
    -> (tensor<256x32xi8>, tensor<1024xi8>, tensor<256xf32>) {
  %e = tensor.empty() : tensor<256x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %eg = tensor.empty() : tensor<256xf32>
  %s = nvfp4.global_scale_into format <nvfp4<global = row>> ins(%p : tensor<256x64xf32>) outs(%eg : tensor<256xf32>) -> tensor<256xf32>
  %ec = tensor.empty() : tensor<256x32xi8>
  %es = tensor.empty() : tensor<1024xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p, %s : tensor<256x64xf32>, tensor<256xf32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  return %q#0, %q#1, %s : tensor<256x32xi8>, tensor<1024xi8>, tensor<256xf32>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<48x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x48, mxfp4, layout = tiled>

/// The last block of 32 columns is half full.
// CHECK-LABEL: func.func @negative_half_block(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_48x32
//       CHECK:   nvfp4.dispatch @kernels::@row_48
// REMARK: 'nvfp4.quantize_into' does not join 'nvfp4.scaled_matmul': its blocks are not part of the product's rows
func.func @negative_half_block(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %w: tensor<48x32xi8>, %ws: tensor<512xi8>)
    -> (tensor<256x32xi8>, tensor<1024xi8>) {
  %e = tensor.empty() : tensor<256x48xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<48x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x48xf32>) -> tensor<256x48xf32>
  %ec = tensor.empty() : tensor<256x32xi8>
  %es = tensor.empty() : tensor<1024xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p : tensor<256x48xf32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  return %q#0, %q#1 : tensor<256x32xi8>, tensor<1024xi8>
}

// -----

!x = !nvfp4.tensor<16x128, nvfp4>
!w = !nvfp4.tensor<64x128, nvfp4>
!q = !nvfp4.tensor<16x64, nvfp4>

/// Eight CTAs of a cluster have eight columns each.
// CHECK-LABEL: func.func @negative_small_tile(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x128
//       CHECK:   nvfp4.dispatch @kernels::@row_64
// REMARK: 'nvfp4.quantize_into' does not join 'nvfp4.scaled_matmul': its blocks are larger than what a CTA has of the product's rows
func.func @negative_small_tile(%x: tensor<16x64xi8>, %xs: tensor<16x8xi8>, %g: tensor<f32>, %w: tensor<64x64xi8>, %ws: tensor<64x8xi8>)
    -> (tensor<16x32xi8>, tensor<16x4xi8>) {
  %e = tensor.empty() : tensor<16x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<16x64xi8>, tensor<16x8xi8>, tensor<f32>, tensor<64x64xi8>, tensor<64x8xi8>, tensor<f32>)
      outs(%e : tensor<16x64xf32>)
      {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 192, tile = 16x64x128, warps = 1x4x1, stages = 4, max_rows = 16, clusters = 8>]} -> tensor<16x64xf32>
  %ec = tensor.empty() : tensor<16x32xi8>
  %es = tensor.empty() : tensor<16x4xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p, %g : tensor<16x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<16x32xi8>, tensor<16x4xi8>) -> tensor<16x32xi8>, tensor<16x4xi8>
  return %q#0, %q#1 : tensor<16x32xi8>, tensor<16x4xi8>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x64, nvfp4, layout = tiled>

/// What each block is scaled by is one of the results.
// CHECK-LABEL: func.func @negative_own_scale(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//       CHECK:   nvfp4.dispatch @kernels::@row_64
// REMARK: 'nvfp4.quantize_into' does not join 'nvfp4.scaled_matmul': its global scale is known behind all of the product
func.func @negative_own_scale(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %w: tensor<64x32xi8>, %ws: tensor<512xi8>)
    -> (tensor<256x32xi8>, tensor<1024xi8>) {
  %e = tensor.empty() : tensor<256x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %first = tensor.extract_slice %p[0, 0] [1, 1] [1, 1] : tensor<256x64xf32> to tensor<1x1xf32>
  %s = tensor.collapse_shape %first [] : tensor<1x1xf32> into tensor<f32>
  %ec = tensor.empty() : tensor<256x32xi8>
  %es = tensor.empty() : tensor<1024xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p, %s : tensor<256x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<256x32xi8>, tensor<1024xi8>) -> tensor<256x32xi8>, tensor<1024xi8>
  return %q#0, %q#1 : tensor<256x32xi8>, tensor<1024xi8>
}

// -----

!x = !nvfp4.tensor<256x32, nvfp4, layout = tiled>
!w = !nvfp4.tensor<64x32, nvfp4, layout = tiled>
!q = !nvfp4.tensor<256x64, nvfp4, layout = registers>

/// Codes of a thread of a later kernel come from several rows.
// CHECK-LABEL: func.func @negative_registers(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//       CHECK:   nvfp4.dispatch @kernels::@row_64
// REMARK: 'nvfp4.quantize_into' does not join 'nvfp4.scaled_matmul': its codes do not lie in rows
func.func @negative_registers(%x: tensor<256x32xi8>, %xs: tensor<1024xi8>, %g: tensor<f32>, %w: tensor<64x32xi8>, %ws: tensor<512xi8>)
    -> (tensor<16384xi8>, tensor<2048xi8>) {
  %e = tensor.empty() : tensor<256x64xf32>
  %p = nvfp4.scaled_matmul lhs !x rhs !w
      ins(%x, %xs, %g, %w, %ws, %g : tensor<256x32xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x32xi8>, tensor<512xi8>, tensor<f32>)
      outs(%e : tensor<256x64xf32>) -> tensor<256x64xf32>
  %ec = tensor.empty() : tensor<16384xi8>
  %es = tensor.empty() : tensor<2048xi8>
  %q:2 = nvfp4.quantize_into as !q ins(%p, %g : tensor<256x64xf32>, tensor<f32>)
      outs(%ec, %es : tensor<16384xi8>, tensor<2048xi8>) -> tensor<16384xi8>, tensor<2048xi8>
  return %q#0, %q#1 : tensor<16384xi8>, tensor<2048xi8>
}

// -----

/// A CTA of an attention has parts of rows.
// CHECK-LABEL: func.func @negative_attention(
//       CHECK:   nvfp4.dispatch @kernels::@attention_3x2x16
//       CHECK:   nvfp4.dispatch @kernels::@row_16
// REMARK: 'nvfp4.quantize_into' does not join 'linalg.contract': an attention leaves its results as they are
func.func @negative_attention(%q: tensor<3x2x16xf32>, %k: tensor<3x32x16xf32>, %v: tensor<3x32x16xf32>, %g: tensor<f32>)
    -> (tensor<3x2x32xi8>, tensor<3x512xi8>) {
  %es = tensor.empty() : tensor<3x2x32xf32>
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %er = tensor.empty() : tensor<3x2xf32>
  %ey = tensor.empty() : tensor<3x2x16xf32>
  %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %zy = linalg.fill ins(%zero : f32) outs(%ey : tensor<3x2x16xf32>) -> tensor<3x2x16xf32>
  %r = linalg.fill ins(%least : f32) outs(%er : tensor<3x2xf32>) -> tensor<3x2xf32>
  %s = linalg.contract indexing_maps = [affine_map<(h, m, n, d) -> (h, m, d)>, affine_map<(h, m, n, d) -> (h, n, d)>,
                                        affine_map<(h, m, n, d) -> (h, m, n)>]
      ins(%q, %k : tensor<3x2x16xf32>, tensor<3x32x16xf32>) outs(%zs : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %max = linalg.reduce { arith.maximumf } ins(%s : tensor<3x2x32xf32>) outs(%r : tensor<3x2xf32>) dimensions = [2]
  %spread = linalg.broadcast ins(%max : tensor<3x2xf32>) outs(%es : tensor<3x2x32xf32>) dimensions = [2]
  %p = linalg.sub ins(%s, %spread : tensor<3x2x32xf32>, tensor<3x2x32xf32>) outs(%es : tensor<3x2x32xf32>) -> tensor<3x2x32xf32>
  %y = linalg.contract indexing_maps = [affine_map<(h, m, c, n) -> (h, m, n)>, affine_map<(h, m, c, n) -> (h, n, c)>,
                                        affine_map<(h, m, c, n) -> (h, m, c)>]
      ins(%p, %v : tensor<3x2x32xf32>, tensor<3x32x16xf32>) outs(%zy : tensor<3x2x16xf32>)
      {nvfp4.kernel = [#nvfp4.kernel<attention, threads = 128, tile = 1x32>]} -> tensor<3x2x16xf32>
  %ec = tensor.empty() : tensor<3x2x32xi8>
  %e = tensor.empty() : tensor<3x512xi8>
  %c:2 = nvfp4.quantize_into as !nvfp4.tensor<3x2x16, nvfp4, layout = tiled> ins(%y, %g : tensor<3x2x16xf32>, tensor<f32>)
      outs(%ec, %e : tensor<3x2x32xi8>, tensor<3x512xi8>) -> tensor<3x2x32xi8>, tensor<3x512xi8>
  return %c#0, %c#1 : tensor<3x2x32xi8>, tensor<3x512xi8>
}
