// RUN: nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu --verify-diagnostics
// RUN: not nvfp4-opt %s --split-input-file --convert-nvfp4-kernels-to-gpu=chip=sm_120 2>&1 | FileCheck %s

// CHECK: expected one of the chips {{.*}}, but got 'sm_120'; write 'sm_120a'

module @kernels {
  // expected-error@below {{expected an array of kernel attributes in 'nvfp4.kernel', but got []}}
  func.func @zeros(%init: tensor<256xf32>) -> tensor<256xf32>
      attributes {nvfp4.kernel = []} {
    return %init : tensor<256xf32>
  }
}
func.func private @other()

// -----

module @kernels {
  func.func @zeros(%init: tensor<4x4xf32>) -> tensor<4x4xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %zero = arith.constant 0.0 : f32
    %y = linalg.fill ins(%zero : f32) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
    return %y : tensor<4x4xf32>
  }
}
func.func @strided(%y: memref<4x4xf32, strided<[8, 1]>>) {
  // expected-error@below {{expected memrefs of identity layout, but got 'memref<4x4xf32, strided<[8, 1]>>'}}
  nvfp4.dispatch @kernels::@zeros outs(%y : memref<4x4xf32, strided<[8, 1]>>)
  return
}
