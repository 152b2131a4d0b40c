// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is wrong with weights is said with the tensor's name, and leaves no
// package behind.
//
// RUN: rm -rf %t && mkdir -p %t
// RUN: %python %inputs/make_weights.py %t/good.safetensors w:F32:64x128 bias:F32:64
// RUN: nvfp4-compile %s --weights %t/good.safetensors --policy=none -o %t/good.nvfp4pkg
// RUN: ls %t/good.nvfp4pkg | FileCheck %s --check-prefix=GOOD
// GOOD: manifest.json
// GOOD: program.so
// GOOD: weights.safetensors
//
// A checkpoint in bf16 for a graph in f32: exact, with a remark.
// RUN: %python %inputs/make_weights.py %t/bf16.safetensors w:BF16:64x128 bias:BF16:64
// RUN: nvfp4-compile %s --weights %t/bf16.safetensors --policy=none -o %t/bf16.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=BF16
// BF16: remark: weight '{{w|bias}}': stored in a narrower float than the graph declares; widened, which is exact
//
// RUN: %python %inputs/make_weights.py %t/missing.safetensors w:F32:64x128 biass:F32:64
// RUN: not nvfp4-compile %s --weights %t/missing.safetensors --policy=none -o %t/bad.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: {{.*}}missing.safetensors{{.*}}'bias'{{.*}}; did you mean 'biass'?
//
// RUN: %python %inputs/make_weights.py %t/shape.safetensors w:F32:128x64 bias:F32:64
// RUN: not nvfp4-compile %s --weights %t/shape.safetensors --policy=none -o %t/bad.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: error: {{.*}}shape.safetensors': tensor 'w': expected F32 [64, 128], as the graph declares it, but got F32 [128, 64]
//
// RUN: %python %inputs/make_weights.py %t/dtype.safetensors w:I64:64x128 bias:F32:64
// RUN: not nvfp4-compile %s --weights %t/dtype.safetensors --policy=none -o %t/bad.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=DTYPE
// DTYPE: error: {{.*}}dtype.safetensors': tensor 'w': expected F32 [64, 128], as the graph declares it, but got I64 [64, 128]
//
// RUN: %python %inputs/make_weights.py %t/nan.safetensors w:F32:64x128:nan bias:F32:64
// RUN: not nvfp4-compile %s --weights %t/nan.safetensors --policy=none -o %t/bad.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=NAN
// NAN: error: weight 'w': expected finite values in a tensor that is quantized to nvfp4, but got 1 NaN and 0 infinite of 8192
//
// Elsewhere infinity is allowed, and said.
// RUN: %python %inputs/make_weights.py %t/inf.safetensors w:F32:64x128 bias:F32:64:inf
// RUN: nvfp4-compile %s --weights %t/inf.safetensors --policy=none -o %t/inf.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=INF
// INF: remark: weight 'bias': holds 0 NaN and 1 infinite of 64 values
//
// RUN: not nvfp4-compile %s --policy=none -o %t/bad.nvfp4pkg 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: expected a weights file (--weights), because the module reads
//
// Nothing of the failures is left.
// RUN: ls -A %t | FileCheck %s --check-prefix=LEFT
// LEFT-NOT: bad

func.func @main(%w: tensor<64x128xf32> {nvfp4.weight = "w"}, %bias: tensor<64xf32> {nvfp4.weight = "bias"},
                %x: tensor<8x128xf32> {nvfp4.name = "x"}) -> (tensor<8x64xf32> {nvfp4.name = "y"}) {
  %g = nvfp4.global_scale %w : tensor<64x128xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<64x128xf32>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
  %y = nvfp4.matmul %x, %q : tensor<8x128xf32>, !nvfp4.tensor<64x128, nvfp4> -> tensor<8x64xf32>
  %e = tensor.empty() : tensor<8x64xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%y, %bias : tensor<8x64xf32>, tensor<64xf32>) outs(%e : tensor<8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<8x64xf32>
  return %z : tensor<8x64xf32>
}
