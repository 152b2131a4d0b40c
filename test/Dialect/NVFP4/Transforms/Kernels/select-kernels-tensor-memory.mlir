// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_100a | FileCheck %s

// Rows of many batches are never few, and one kernel serves them all.

// CHECK-LABEL: func @flattened
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x128x256, warps = 4x1x1, stages = 5>]}
func.func @flattened(%x: tensor<?x8192x256xf32>, %g: tensor<f32>, %w: !nvfp4.tensor<384x256, nvfp4, layout = tiled>)
    -> tensor<?x384xf32> {
  %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x8192x256xf32> into tensor<?x256xf32>
  %q = nvfp4.quantize %rows global_scale %g : tensor<?x256xf32>, tensor<f32> -> !nvfp4.tensor<?x256, nvfp4, layout = tiled>
  %d = nvfp4.matmul %q, %w : !nvfp4.tensor<?x256, nvfp4, layout = tiled>, !nvfp4.tensor<384x256, nvfp4, layout = tiled> -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}
