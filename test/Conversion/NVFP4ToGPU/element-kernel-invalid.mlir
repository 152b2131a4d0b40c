// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu=chip=sm_120a --verify-diagnostics

module { module @kernels {
  func.func @negative_large_constant(%i: tensor<40xi32>) -> tensor<40xi32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    // expected-error@below {{expected a constant of at most 32 elements in a kernel: pass larger ones as arguments}}
    %k = arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39]> : tensor<40xi32>
    return %k : tensor<40xi32>
  }
}}

// -----

module { module @kernels {
  func.func @negative_softmax(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    // expected-error@below {{expected an op whose elements a kernel can compute one by one, but got 'linalg.softmax'}}
    %y = linalg.softmax dimension(1) ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}}

// -----

module { module @kernels {
  // expected-error@below {{expected elements of 1, 2, 4 or 8 bytes in a kernel's argument, but got 'i4'}}
  func.func @negative_i4(%x: tensor<8xi4>, %i: tensor<8xi8>) -> tensor<8xi8>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %y = arith.extsi %x : tensor<8xi4> to tensor<8xi8>
    return %y : tensor<8xi8>
  }
}}
