// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_90a | FileCheck %s

!w = !nvfp4.tensor<384x384, nvfp4, layout = registers>

// Any number of rows: streams of weights for up to 64, warpgroups beyond.

// CHECK-LABEL: func @any_rows
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, {{.*}} max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, {{.*}} max_rows = 8, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, {{.*}} max_rows = 16, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, {{.*}} max_rows = 32, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, {{.*}} max_rows = 64, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 256, tile = 64x64x64, {{.*}} max_rows = 256>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 384, tile = 128x128x64, warps = 1x8x1, stages = 6, swapped = true>]
func.func @any_rows(%x: tensor<?x384xf32>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<?x384xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x384xf32>, !w -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}

// As many as are known.

// CHECK-LABEL: func @five
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, {{.*}} max_rows = 8, clusters = 2>]}
func.func @five(%x: tensor<5x384xbf16>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<5x384xbf16> {
  %d = nvfp4.matmul %x, %w : tensor<5x384xbf16>, !w -> tensor<5x384xbf16>
  return %d : tensor<5x384xbf16>
}

// Streams copy weights before earlier kernels end: weights of a run may not be
// there yet.

// CHECK-LABEL: func @weights_of_a_run
// CHECK: nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 256, {{.*}}>]}
func.func @weights_of_a_run(%x: tensor<5x384xf32>, %w: !w) -> tensor<5x384xf32> {
  %d = nvfp4.matmul %x, %w : tensor<5x384xf32>, !w -> tensor<5x384xf32>
  return %d : tensor<5x384xf32>
}

func.func private @pack.fc(%w: tensor<384x384xf32> {nvfp4.weight = "fc.weight"}) -> !w
    attributes {nvfp4.pack = "fc.weight"} {
  %g = nvfp4.global_scale %w : tensor<384x384xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<384x384xf32>, tensor<f32> -> !w
  return %q : !w
}
