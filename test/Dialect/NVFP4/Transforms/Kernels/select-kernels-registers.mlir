// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_90a --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --implicit-check-not="no stream" <%t.remarks

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

// Without rows there is a kernel too, which nobody launches.

// CHECK-LABEL: func @none
// CHECK: nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 384, {{.*}} swapped = true>]}
func.func @none(%x: tensor<0x384xbf16>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<0x384xbf16> {
  %d = nvfp4.matmul %x, %w : tensor<0x384xbf16>, !w -> tensor<0x384xbf16>
  return %d : tensor<0x384xbf16>
}

// K of a tile of weights leaves no part for a second CTA of a cluster. Where
// there is no stream a remark says so.

// REMARK: remark: [Missed] SelectKernels{{.*}}no stream for up to 8, 16, 32, 64 rows: K of 128 has no part of 128 for each of 2 CTAs

// CHECK-LABEL: func @short
// CHECK: nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 256, tile = 64x64x64, {{.*}} swapped = true>]}
func.func @short(%x: tensor<5x128xbf16>, %w: !nvfp4.tensor<384x128, nvfp4, layout = registers> {nvfp4.packed = @pack.short})
    -> tensor<5x384xbf16> {
  %d = nvfp4.matmul %x, %w : tensor<5x128xbf16>, !nvfp4.tensor<384x128, nvfp4, layout = registers> -> tensor<5x384xbf16>
  return %d : tensor<5x384xbf16>
}

// Eight rows of so long a K do not stay in shared memory: they come with the
// weights, as sixteen do.

// CHECK-LABEL: func @long
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, {{.*}} max_rows = 2, clusters = 4>,
// CHECK-SAME: #nvfp4.kernel<stream, {{.*}} max_rows = 16, clusters = 2>,
func.func @long(%x: tensor<?x131072xbf16>, %w: !nvfp4.tensor<64x131072, nvfp4, layout = registers> {nvfp4.packed = @pack.long})
    -> tensor<?x64xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x131072xbf16>, !nvfp4.tensor<64x131072, nvfp4, layout = registers> -> tensor<?x64xf32>
  return %d : tensor<?x64xf32>
}

// Streams copy weights before earlier kernels end: weights of a run may not be
// there yet.

// REMARK: remark: [Missed] SelectKernels{{.*}}no stream for up to 8, 16, 32, 64 rows: weights are not the package's, and may not be there before the run

// CHECK-LABEL: func @weights_of_a_run
// CHECK: nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 256, {{.*}}>]}
func.func @weights_of_a_run(%x: tensor<5x384xf32>, %w: !w) -> tensor<5x384xf32> {
  %d = nvfp4.matmul %x, %w : tensor<5x384xf32>, !w -> tensor<5x384xf32>
  return %d : tensor<5x384xf32>
}

// Rows of many batches are never few, whoever rounds them.

// CHECK-LABEL: func @flattened
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, {{.*}} max_rows = 64, clusters = 2>,
func.func @flattened(%x: tensor<?x64x384xf32>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<?x384xf32> {
  %c = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x64x384xf32> into tensor<?x384xf32>
  %r = arith.truncf %c : tensor<?x384xf32> to tensor<?x384xbf16>
  %d = nvfp4.matmul %r, %w : tensor<?x384xbf16>, !w -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}

func.func private @pack.long(%w: tensor<64x131072xf32> {nvfp4.weight = "long.weight"})
    -> !nvfp4.tensor<64x131072, nvfp4, layout = registers> attributes {nvfp4.pack = "long.weight"} {
  %g = nvfp4.global_scale %w : tensor<64x131072xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<64x131072xf32>, tensor<f32> -> !nvfp4.tensor<64x131072, nvfp4, layout = registers>
  return %q : !nvfp4.tensor<64x131072, nvfp4, layout = registers>
}

func.func private @pack.short(%w: tensor<384x128xf32> {nvfp4.weight = "short.weight"})
    -> !nvfp4.tensor<384x128, nvfp4, layout = registers> attributes {nvfp4.pack = "short.weight"} {
  %g = nvfp4.global_scale %w : tensor<384x128xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<384x128xf32>, tensor<f32> -> !nvfp4.tensor<384x128, nvfp4, layout = registers>
  return %q : !nvfp4.tensor<384x128, nvfp4, layout = registers>
}

func.func private @pack.fc(%w: tensor<384x384xf32> {nvfp4.weight = "fc.weight"}) -> !w
    attributes {nvfp4.pack = "fc.weight"} {
  %g = nvfp4.global_scale %w : tensor<384x384xf32> -> tensor<f32>
  %q = nvfp4.quantize %w global_scale %g : tensor<384x384xf32>, tensor<f32> -> !w
  return %q : !w
}
