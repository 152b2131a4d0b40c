// RUN: nvfp4-opt %s --nvfp4-kernels=chip=sm_120a --dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=PASSES
// RUN: nvfp4-opt %s --nvfp4-kernels=chip=sm_120a --nvfp4-expand-tensors --nvfp4-fuse-elementwise | FileCheck %s

// PASSES:      nvfp4-assign-layouts{chip=sm_120a}
// PASSES-NEXT: func.func(
// PASSES-NEXT: nvfp4-fold-transposes
// PASSES-NEXT: cse
// PASSES:      nvfp4-select-kernels{chip=sm_120a}
// PASSES-NEXT: nvfp4-verify-stage{stage=kernels}

// What was chosen outlives the first passes of Lower: on the kernel-level op,
// and on contractions that become generic and lose their transpositions.

// CHECK-LABEL: func private @main
// CHECK: nvfp4.scaled_matmul {{.*}}nvfp4.kernel = [#nvfp4.kernel<matmul
func.func private @main(%x: tensor<32x64xf32>, %w: tensor<8x64xf32>, %k: tensor<32x64xbf16>, %z: tensor<32x32xf32>)
    -> (tensor<32x8xf32>, tensor<32x32xf32>) {
  %a = nvfp4.quantize %x : tensor<32x64xf32> -> !nvfp4.tensor<32x64, mxfp4>
  %b = nvfp4.quantize %w : tensor<8x64xf32> -> !nvfp4.tensor<8x64, mxfp4>
  %y = nvfp4.matmul %a, %b : !nvfp4.tensor<32x64, mxfp4>, !nvfp4.tensor<8x64, mxfp4> -> tensor<32x8xf32>

  // CHECK-NOT: linalg.transpose
  // CHECK: linalg.generic {{.*}}"reduction"]{{.*}} attrs = {nvfp4.kernel = [#nvfp4.kernel<matmul
  %empty = tensor.empty() : tensor<64x32xbf16>
  %t = linalg.transpose ins(%k : tensor<32x64xbf16>) outs(%empty : tensor<64x32xbf16>) permutation = [1, 0]
  %s = linalg.matmul ins(%k, %t : tensor<32x64xbf16>, tensor<64x32xbf16>) outs(%z : tensor<32x32xf32>) -> tensor<32x32xf32>
  return %y, %s : tensor<32x8xf32>, tensor<32x32xf32>
}
