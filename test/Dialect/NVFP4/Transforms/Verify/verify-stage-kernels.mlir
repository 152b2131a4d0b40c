// RUN: nvfp4-opt %s --nvfp4-verify-stage=stage=kernels --split-input-file --verify-diagnostics

!w = !nvfp4.tensor<8x64, nvfp4, layout = tiled>

func.func private @good(%x: tensor<4x64xf32>, %w: !w) -> tensor<4x8xf32> {
  %y = nvfp4.matmul %x, %w {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2>]}
      : tensor<4x64xf32>, !w -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

func.func private @no_kernel(%x: tensor<4x64xf32>, %w: !w) -> tensor<4x8xf32> {
  // expected-error@below {{expected nvfp4.kernel on every matmul after Kernels}}
  %y = nvfp4.matmul %x, %w : tensor<4x64xf32>, !w -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func private @linear(%x: tensor<4x64xf32>, %w: !nvfp4.tensor<8x64, nvfp4>) -> tensor<4x8xf32> {
  // expected-error@below {{expected no linear right operand after Kernels, but got '!nvfp4.tensor<8x64, nvfp4>'}}
  %y = nvfp4.matmul %x, %w : tensor<4x64xf32>, !nvfp4.tensor<8x64, nvfp4> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
