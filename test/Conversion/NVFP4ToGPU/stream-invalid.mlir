// RUN: nvfp4-opt %s --convert-nvfp4-kernels-to-gpu=chip=sm_90a --split-input-file --verify-diagnostics

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @alone(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 16>]} {
    // expected-error @+1 {{expected a power of two from 2 to 8 as 'clusters', but got 1}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@alone ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @shallow(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 576, tile = 16x128x128, warps = 1x8x2, stages = 2, swapped = true, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{expected two stages for each of 2 groups of warps along K}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@shallow ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x384xbf16>
!c = tensor<24576xi8>
!s = tensor<3072xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @parts(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x128x256, warps = 1x8x1, stages = 2, swapped = true, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{expected a K of whole stages for each of 2 CTAs, but got 384}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x384, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x384xbf16>, %bc: memref<24576xi8>, %bs: memref<3072xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@parts ins(%a, %bc, %bs, %bg : memref<16x384xbf16>, memref<24576xi8>, memref<3072xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<8x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<8x128xbf16>

module @kernels {
  func.func @octet(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 8x128x256, warps = 1x8x1, stages = 2, swapped = true, max_rows = 8, clusters = 2>]} {
    // expected-error @+1 {{expected tiles of more than 8 rows for several groups of warps along N}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<8x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<8x128xbf16>) {
  nvfp4.dispatch @kernels::@octet ins(%a, %bc, %bs, %bg : memref<8x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<8x128xbf16>)
  return
}

// -----

!a = tensor<2x16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<2x16x128xbf16>

module @kernels {
  func.func @batched(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{expected operands of a stream without batch, but got 'tensor<2x16x512xbf16>'}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<2x16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<2x16x128xbf16>) {
  nvfp4.dispatch @kernels::@batched ins(%a, %bc, %bs, %bg : memref<2x16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<2x16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @straight(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 4, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{expected weights in the unit's rows, that is 'swapped', but got #nvfp4.kernel<stream}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@straight ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @twelve_rows(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 12x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 12, clusters = 2>]} {
    // expected-error @+1 {{expected a tile of up to 64 rows, in eights, of a multiple of 64 columns, and of a multiple of 128 of K}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@twelve_rows ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @many_rows(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 72x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 72, clusters = 2>]} {
    // expected-error @+1 {{expected a tile of up to 64 rows, in eights}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@many_rows ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @few_warps(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x192x256, warps = 1x8x1, stages = 4, swapped = true, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{expected 4 warps along N, or as many for each 64 columns}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@few_warps ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @no_finisher(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 288, tile = 16x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{and more warps than those that multiply and one that copies}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@no_finisher ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @odd_stages(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 3, swapped = true, max_rows = 16, clusters = 2>]} {
    // expected-error @+1 {{expected at least 2 stages, a multiple of the 2 groups of warps along K, but got 3}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@odd_stages ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @max_rows(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 17, clusters = 2>]} {
    // expected-error @+1 {{expected 'max_rows' of 1 to 16, the tile's, but got 17}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@max_rows ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @any_rows(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 4, swapped = true, clusters = 2>]} {
    // expected-error @+1 {{expected 'max_rows' of 1 to 16, the tile's, but got 0}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@any_rows ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  func.func @short(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 4, swapped = true, max_rows = 16, clusters = 8>]} {
    // expected-error @+1 {{expected a part of K for each CTA of a cluster, but got 4 tiles of 128 for 8}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@short ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}

// -----

!a = tensor<16x512xbf16>
!c = tensor<32768xi8>
!s = tensor<4096xi8>
!d = tensor<16x128xbf16>

module @kernels {
  // expected-error @+1 {{expected at most 232448 bytes of shared memory, which is what sm_90a has, but #nvfp4.kernel<stream}}
  func.func @many_stages(%a: !a, %bc: !c, %bs: !s, %bg: tensor<f32>, %d: !d) -> !d
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 320, tile = 16x64x256, warps = 1x4x2, stages = 40, swapped = true, max_rows = 16, clusters = 2>]} {
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<128x512, nvfp4, layout = registers> ins(%a, %bc, %bs, %bg : !a, !c, !s, tensor<f32>) outs(%d : !d) -> !d
    return %r : !d
  }
}
func.func @main(%a: memref<16x512xbf16>, %bc: memref<32768xi8>, %bs: memref<4096xi8>, %bg: memref<f32>, %d: memref<16x128xbf16>) {
  nvfp4.dispatch @kernels::@many_stages ins(%a, %bc, %bs, %bg : memref<16x512xbf16>, memref<32768xi8>, memref<4096xi8>, memref<f32>) outs(%d : memref<16x128xbf16>)
  return
}
