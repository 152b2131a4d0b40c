// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu --verify-diagnostics

module @kernels {
  func.func @copy(%x: tensor<64xf32>, %y: tensor<64xf32>) -> tensor<64xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<block, threads = 128>]} {
    // expected-error@below {{expected the codes and scales of one quantize_into, or what they decode to, as results of a kernel with the block schedule}}
    return %x : tensor<64xf32>
  }
}
func.func @host(%x: memref<64xf32>, %y: memref<64xf32>) {
  nvfp4.dispatch @kernels::@copy ins(%x : memref<64xf32>) outs(%y : memref<64xf32>)
  return
}

// -----

module @kernels {
  func.func @threads(%x: tensor<64x64xf32>, %g: tensor<f32>, %c: tensor<64x32xi8>, %s: tensor<64x4xi8>) -> (tensor<64x32xi8>, tensor<64x4xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<block, threads = 96>]} {
    // expected-error@below {{expected threads whose rows divide 128, but 96 threads have 48 rows}}
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<64x64, nvfp4> ins(%x, %g : tensor<64x64xf32>, tensor<f32>)
        outs(%c, %s : tensor<64x32xi8>, tensor<64x4xi8>) -> tensor<64x32xi8>, tensor<64x4xi8>
    return %q#0, %q#1 : tensor<64x32xi8>, tensor<64x4xi8>
  }
}
func.func @host(%x: memref<64x64xf32>, %g: memref<f32>, %c: memref<64x32xi8>, %s: memref<64x4xi8>) {
  nvfp4.dispatch @kernels::@threads ins(%x, %g : memref<64x64xf32>, memref<f32>) outs(%c, %s : memref<64x32xi8>, memref<64x4xi8>)
  return
}

// -----

module @kernels {
  func.func @turned(%x: tensor<64x64xf32>, %g: tensor<f32>, %c: tensor<64x32xi8>, %s: tensor<64x4xi8>) -> (tensor<64x32xi8>, tensor<64x4xi8>)
      attributes {nvfp4.kernel = [#nvfp4.kernel<block, threads = 32>]} {
    %e = tensor.empty() : tensor<64x64xf32>
    %t = linalg.transpose ins(%x : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) permutation = [1, 0]
    // expected-error@below {{expected a power of two from 64 to 256 threads to quantize a transpose, but got 32}}
    %q:2 = nvfp4.quantize_into as !nvfp4.tensor<64x64, nvfp4> ins(%t, %g : tensor<64x64xf32>, tensor<f32>)
        outs(%c, %s : tensor<64x32xi8>, tensor<64x4xi8>) -> tensor<64x32xi8>, tensor<64x4xi8>
    return %q#0, %q#1 : tensor<64x32xi8>, tensor<64x4xi8>
  }
}
func.func @host(%x: memref<64x64xf32>, %g: memref<f32>, %c: memref<64x32xi8>, %s: memref<64x4xi8>) {
  nvfp4.dispatch @kernels::@turned ins(%x, %g : memref<64x64xf32>, memref<f32>) outs(%c, %s : memref<64x32xi8>, memref<64x4xi8>)
  return
}
