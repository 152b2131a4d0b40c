// RUN: nvfp4-opt %s --split-input-file --verify-diagnostics --convert-nvfp4-kernels-to-gpu=chip=sm_120a

module @kernels {
  func.func @stages(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 1>]} {
    // expected-error@below {{expected at least 2 stages, but got 1}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@stages
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @tile_k(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x96, warps = 2x2x1, stages = 4>]} {
    // expected-error@below {{expected a tile whose K is 64 times a power of two up to 16, a multiple of 1 (warps along K), but got 96}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@tile_k
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @warps_k(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 1x1x4, stages = 4>]} {
    // expected-error@below {{expected a tile whose K is 64 times a power of two up to 16, a multiple of 4 (warps along K), but got 128}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@warps_k
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @tile_m(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 40x128x128, warps = 2x2x1, stages = 4>]} {
    // expected-error@below {{expected a tile whose M is a multiple of 16 for each of 2 warps, but got 40}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@tile_m
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @tile_n(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x192x128, warps = 2x2x1, stages = 4>]} {
    // expected-error@below {{expected a tile whose N is a power of two up to 128 or a multiple of 128, but got 192}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@tile_n
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @warps_n(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 512, tile = 128x128x128, warps = 2x8x1, stages = 4>]} {
    // expected-error@below {{expected warps that share whole groups of 32 of a tile's N, but got 8 for 128}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@warps_n
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @linear(%ac: tensor<?x64xi8>, %as: tensor<?x8xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<64x8xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>]} {
    // expected-error@below {{expected operands in tiled layout, but got '!nvfp4.tensor<?x128, nvfp4>'}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4> rhs !nvfp4.tensor<64x128, nvfp4>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?x8xi8>, tensor<f32>, tensor<64x64xi8>, tensor<64x8xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?x8xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<64x8xi8>, %bg: memref<f32>, %init: memref<?x64xf32>) {
  nvfp4.dispatch @kernels::@linear
      ins(%ac, %as, %ag, %bc, %bs, %bg : memref<?x64xi8>, memref<?x8xi8>, memref<f32>, memref<64x64xi8>, memref<64x8xi8>, memref<f32>)
      outs(%init : memref<?x64xf32>)
  return
}

// -----

module @kernels {
  func.func @slice(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                   %empty: tensor<?x64xf32>, %init: tensor<?x32xf32>) -> tensor<?x32xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
    %c0 = arith.constant 0 : index
    %m = tensor.dim %ac, %c0 : tensor<?x64xi8>
    // expected-error@below {{expected an element-wise op, a permutation or a reshape after a matmul, but got tensor.extract_slice}}
    %s = tensor.extract_slice %d[0, 0] [%m, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
    return %s : tensor<?x32xf32>
  }
}
func.func @main(%ac: memref<?x64xi8>, %as: memref<?xi8>, %ag: memref<f32>, %bc: memref<64x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %empty: memref<?x64xf32>, %init: memref<?x32xf32>) {
  nvfp4.dispatch @kernels::@slice
      ins(%ac, %as, %ag, %bc, %bs, %bg, %empty : memref<?x64xi8>, memref<?xi8>, memref<f32>, memref<64x64xi8>, memref<1024xi8>, memref<f32>, memref<?x64xf32>)
      outs(%init : memref<?x32xf32>)
  return
}

// -----

module @kernels {
  func.func @blocks(%ac: tensor<128x64xi8>, %as: tensor<1024xi8>, %ag: tensor<f32>, %bc: tensor<48x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                    %empty: tensor<128x48xf32>, %codes: tensor<128x32xi8>, %scales: tensor<512xi8>) -> (tensor<128x32xi8>, tensor<512xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<128x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<48x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<128x64xi8>, tensor<1024xi8>, tensor<f32>, tensor<48x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%empty : tensor<128x48xf32>) -> tensor<128x48xf32>
    // expected-error@below {{expected blocks that are part of a row of the matmul and of a tile with 128 columns, but got '!nvfp4.tensor<128x48, mxfp4, layout = tiled>'}}
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<128x48, mxfp4, layout = tiled> ins(%d : tensor<128x48xf32>)
        outs(%codes, %scales : tensor<128x32xi8>, tensor<512xi8>) -> tensor<128x32xi8>, tensor<512xi8>
    return %q#0, %q#1 : tensor<128x32xi8>, tensor<512xi8>
  }
}
func.func @main(%ac: memref<128x64xi8>, %as: memref<1024xi8>, %ag: memref<f32>, %bc: memref<48x64xi8>, %bs: memref<1024xi8>, %bg: memref<f32>, %empty: memref<128x48xf32>,
                %codes: memref<128x32xi8>, %scales: memref<512xi8>) {
  nvfp4.dispatch @kernels::@blocks
      ins(%ac, %as, %ag, %bc, %bs, %bg, %empty : memref<128x64xi8>, memref<1024xi8>, memref<f32>, memref<48x64xi8>, memref<1024xi8>, memref<f32>, memref<128x48xf32>)
      outs(%codes, %scales : memref<128x32xi8>, memref<512xi8>)
  return
}

// -----

module @kernels {
  func.func @clusters(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4, clusters = 2>]} {
    // expected-error@below {{expected a warp that multiplies in tensor memory for clusters of CTAs, but got #nvfp4.kernel<matmul, threads = 128,}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func private @other()

// -----

module @kernels {
  func.func @warps_m(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 96, tile = 384x128x128, warps = 3x1x1, stages = 2>]} {
    // expected-error@below {{expected a power of two as warps along M, but got 3}}
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func private @other()

// -----

module @kernels {
  // expected-error@below {{expected at most 101376 bytes of shared memory, which is what sm_120a has, but #nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 8> takes 147456}}
  func.func @shared_bytes(%ac: tensor<?x64xi8>, %as: tensor<?xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                 %init: tensor<?x64xf32>) -> tensor<?x64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 8>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<?x64xi8>, tensor<?xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
    return %d : tensor<?x64xf32>
  }
}
func.func private @other()

// -----

module @kernels {
  func.func @square(%ac: tensor<128x64xi8>, %as: tensor<1024xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                    %empty: tensor<128x64xf32>, %codes: tensor<128x32xi8>, %scales: tensor<8x4xi8>) -> (tensor<128x32xi8>, tensor<8x4xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<128x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<128x64xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%empty : tensor<128x64xf32>) -> tensor<128x64xf32>
    // expected-error@below {{expected blocks that are part of a row of the matmul and of a tile with 128 columns, but got '!nvfp4.tensor<128x64, nvfp4<block = 16x16>>'}}
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<128x64, nvfp4<block = 16x16>> ins(%d, %ag : tensor<128x64xf32>, tensor<f32>)
        outs(%codes, %scales : tensor<128x32xi8>, tensor<8x4xi8>) -> tensor<128x32xi8>, tensor<8x4xi8>
    return %q#0, %q#1 : tensor<128x32xi8>, tensor<8x4xi8>
  }
}
func.func private @other()

// -----

module @kernels {
  func.func @registers(%ac: tensor<128x64xi8>, %as: tensor<1024xi8>, %ag: tensor<f32>, %bc: tensor<64x64xi8>, %bs: tensor<1024xi8>, %bg: tensor<f32>,
                    %empty: tensor<128x64xf32>, %codes: tensor<8192xi8>, %scales: tensor<1024xi8>) -> (tensor<8192xi8>, tensor<1024xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 4>]} {
    %d = nvfp4.scaled_matmul lhs !nvfp4.tensor<128x128, nvfp4, layout = tiled> rhs !nvfp4.tensor<64x128, nvfp4, layout = tiled>
        ins(%ac, %as, %ag, %bc, %bs, %bg : tensor<128x64xi8>, tensor<1024xi8>, tensor<f32>, tensor<64x64xi8>, tensor<1024xi8>, tensor<f32>)
        outs(%empty : tensor<128x64xf32>) -> tensor<128x64xf32>
    // expected-error@below {{expected blocks that are part of a row of the matmul and of a tile with 128 columns, but got '!nvfp4.tensor<128x64, nvfp4, layout = registers>'}}
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<128x64, nvfp4, layout = registers> ins(%d, %ag : tensor<128x64xf32>, tensor<f32>)
        outs(%codes, %scales : tensor<8192xi8>, tensor<1024xi8>) -> tensor<8192xi8>, tensor<1024xi8>
    return %q#0, %q#1 : tensor<8192xi8>, tensor<1024xi8>
  }
}
func.func private @other()
