// RUN: nvfp4-opt %s --nvfp4-verify-stage=stage=lower --split-input-file --verify-diagnostics

func.func @good(%x: memref<8x64xf32>) {
  return
}

// -----

func.func @tensor_level(%q: tensor<8x64xf32>) -> tensor<f32> {
  // expected-error@below {{expected no op of nvfp4 after Lower}}
  %g = nvfp4.global_scale %q : tensor<8x64xf32> -> tensor<f32>
  return %g : tensor<f32>
}

// -----

func.func @kernel_level(%x: memref<8x64xf32>, %y: memref<8x64xf32>) {
  // expected-error@below {{expected no op of nvfp4 after Lower}}
  nvfp4.hadamard_into signs<0> ins(%x : memref<8x64xf32>) outs(%y : memref<8x64xf32>)
  return
}
