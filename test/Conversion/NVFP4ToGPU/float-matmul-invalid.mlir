// RUN: nvfp4-opt %s --convert-nvfp4-kernels-to-gpu=chip=sm_120a --split-input-file --verify-diagnostics

#a = affine_map<(d0, d1, d2) -> (d0, d2)>
#b = affine_map<(d0, d1, d2) -> (d1, d2)>
#d = affine_map<(d0, d1, d2) -> (d0, d1)>
module @kernels {
  func.func @mixed(%a: tensor<16x32xbf16>, %b: tensor<32x32xf16>, %d: tensor<16x32xf32>) -> tensor<16x32xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2>]} {
    // expected-error@below {{expected two operands of bf16 or of f16 and sums of f32, but got 'bf16', 'f16' and 'f32'}}
    %r = linalg.generic {indexing_maps = [#a, #b, #d], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%a, %b : tensor<16x32xbf16>, tensor<32x32xf16>) outs(%d : tensor<16x32xf32>) {
    ^bb0(%x: bf16, %y: f16, %s: f32):
      %xw = arith.extf %x : bf16 to f32
      %yw = arith.extf %y : f16 to f32
      %p = arith.mulf %xw, %yw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<16x32xf32>
    return %r : tensor<16x32xf32>
  }
}
func.func @main(%a: memref<16x32xbf16>, %b: memref<32x32xf16>, %d: memref<16x32xf32>) {
  nvfp4.dispatch @kernels::@mixed ins(%a, %b : memref<16x32xbf16>, memref<32x32xf16>) outs(%d : memref<16x32xf32>)
  return
}

// -----

module @kernels {
  func.func @step(%a: tensor<16x64xbf16>, %c: tensor<32x32xi8>, %s: tensor<512xi8>, %d: tensor<16x32xf32>) -> tensor<16x32xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x64, warps = 2x2x1, stages = 2>]} {
    // expected-error@below {{expected a tile whose K is a multiple of 128, but got 64}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<32x64, mxfp4, layout = tiled>
        ins(%a, %c, %s : tensor<16x64xbf16>, tensor<32x32xi8>, tensor<512xi8>) outs(%d : tensor<16x32xf32>) -> tensor<16x32xf32>
    return %r : tensor<16x32xf32>
  }
}
func.func @main(%a: memref<16x64xbf16>, %c: memref<32x32xi8>, %s: memref<512xi8>, %d: memref<16x32xf32>) {
  nvfp4.dispatch @kernels::@step ins(%a, %c, %s : memref<16x64xbf16>, memref<32x32xi8>, memref<512xi8>) outs(%d : memref<16x32xf32>)
  return
}

// -----

module @kernels {
  func.func @linear(%a: tensor<16x64xbf16>, %c: tensor<32x32xi8>, %s: tensor<32x4xi8>, %g: tensor<f32>, %d: tensor<16x32xf32>) -> tensor<16x32xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x64, warps = 2x2x1, stages = 2>]} {
    // expected-error@below {{expected weights in tiled layout with a static K, but got '!nvfp4.tensor<32x64, nvfp4>'}}
    %r = nvfp4.scaled_matmul rhs !nvfp4.tensor<32x64, nvfp4>
        ins(%a, %c, %s, %g : tensor<16x64xbf16>, tensor<32x32xi8>, tensor<32x4xi8>, tensor<f32>) outs(%d : tensor<16x32xf32>) -> tensor<16x32xf32>
    return %r : tensor<16x32xf32>
  }
}
func.func @main(%a: memref<16x64xbf16>, %c: memref<32x32xi8>, %s: memref<32x4xi8>, %g: memref<f32>, %d: memref<16x32xf32>) {
  nvfp4.dispatch @kernels::@linear ins(%a, %c, %s, %g : memref<16x64xbf16>, memref<32x32xi8>, memref<32x4xi8>, memref<f32>) outs(%d : memref<16x32xf32>)
  return
}

// -----

module @kernels {
  func.func @stream(%a: tensor<16x64xbf16>, %b: tensor<64x32xbf16>, %d: tensor<16x32xf32>) -> tensor<16x32xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<stream, threads = 192, tile = 16x64x128, warps = 1x4x1, stages = 4, max_rows = 16>]} {
    // expected-error@below {{expected a matmul schedule, but got #nvfp4.kernel<stream, threads = 192,}}
    %r = linalg.matmul ins(%a, %b : tensor<16x64xbf16>, tensor<64x32xbf16>) outs(%d : tensor<16x32xf32>) -> tensor<16x32xf32>
    return %r : tensor<16x32xf32>
  }
}
func.func private @other()
