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

// A stream that is there wins.

// CHECK-LABEL: func @written
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 192, tile = 8x64x128, warps = 1x4x1, stages = 2, swapped = true, max_rows = 8, clusters = 2>]}
func.func @written(%x: tensor<5x384xbf16>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<5x384xbf16> {
  %d = nvfp4.matmul %x, %w {nvfp4.kernel = [
      #nvfp4.kernel<stream, threads = 192, tile = 8x64x128, warps = 1x4x1, stages = 2, swapped = true, max_rows = 8, clusters = 2>]}
      : tensor<5x384xbf16>, !w -> tensor<5x384xbf16>
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

// More than four tiles for each of 66 clusters: one CTA of 20 warps has a
// multiprocessor to itself.

// CHECK-LABEL: func @wide
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 704, tile = 8x64x256, warps = 1x4x5, stages = 15, swapped = true, max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, threads = 704, tile = 8x64x256, warps = 1x4x5, stages = 15, swapped = true, max_rows = 8, clusters = 2>,
func.func @wide(%x: tensor<?x8192xbf16>, %w: !nvfp4.tensor<28672x8192, nvfp4, layout = registers> {nvfp4.packed = @pack.wide}) -> tensor<?x28672xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x8192xbf16>, !nvfp4.tensor<28672x8192, nvfp4, layout = registers> -> tensor<?x28672xf32>
  return %d : tensor<?x28672xf32>
}

// CHECK-LABEL: func @wide_by_one
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 704, tile = 8x64x256, warps = 1x4x5, stages = 15, swapped = true, max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, threads = 704, tile = 8x64x256, warps = 1x4x5, stages = 15, swapped = true, max_rows = 8, clusters = 2>,
func.func @wide_by_one(%x: tensor<?x4096xbf16>, %w: !nvfp4.tensor<16960x4096, nvfp4, layout = registers> {nvfp4.packed = @pack.wide_by_one}) -> tensor<?x16960xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x4096xbf16>, !nvfp4.tensor<16960x4096, nvfp4, layout = registers> -> tensor<?x16960xf32>
  return %d : tensor<?x16960xf32>
}

// CHECK-LABEL: func @four_tiles
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 576, tile = 8x64x256, warps = 1x4x4, stages = 8, swapped = true, max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, threads = 576, tile = 8x64x256, warps = 1x4x4, stages = 8, swapped = true, max_rows = 8, clusters = 2>,
func.func @four_tiles(%x: tensor<?x4096xbf16>, %w: !nvfp4.tensor<16896x4096, nvfp4, layout = registers> {nvfp4.packed = @pack.four_tiles}) -> tensor<?x16896xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x4096xbf16>, !nvfp4.tensor<16896x4096, nvfp4, layout = registers> -> tensor<?x16896xf32>
  return %d : tensor<?x16896xf32>
}

// Nor do eight rows of a longer K leave room for fifteen stages.

// CHECK-LABEL: func @wide_and_deep
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 704, tile = 8x64x256, warps = 1x4x5, stages = 15, swapped = true, max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, threads = 576, tile = 8x64x256, warps = 1x4x4, stages = 8, swapped = true, max_rows = 8, clusters = 2>,
func.func @wide_and_deep(%x: tensor<?x16384xbf16>, %w: !nvfp4.tensor<28672x16384, nvfp4, layout = registers> {nvfp4.packed = @pack.wide_and_deep}) -> tensor<?x28672xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x16384xbf16>, !nvfp4.tensor<28672x16384, nvfp4, layout = registers> -> tensor<?x28672xf32>
  return %d : tensor<?x28672xf32>
}

// One tile for a cluster: as many stages as leave room for a second CTA, or else
// longer copies.

// CHECK-LABEL: func @square
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 576, tile = 8x64x128, warps = 1x4x4, stages = 16, swapped = true, max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, threads = 576, tile = 8x64x128, warps = 1x4x4, stages = 12, swapped = true, max_rows = 8, clusters = 2>,
func.func @square(%x: tensor<?x4096xbf16>, %w: !nvfp4.tensor<4096x4096, nvfp4, layout = registers> {nvfp4.packed = @pack.square}) -> tensor<?x4096xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x4096xbf16>, !nvfp4.tensor<4096x4096, nvfp4, layout = registers> -> tensor<?x4096xf32>
  return %d : tensor<?x4096xf32>
}

// CHECK-LABEL: func @deep
// CHECK: nvfp4.kernel = [#nvfp4.kernel<stream, threads = 576, tile = 8x64x128, warps = 1x4x4, stages = 16, swapped = true, max_rows = 2, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<stream, threads = 576, tile = 8x64x512, warps = 1x4x4, stages = 8, swapped = true, max_rows = 8, clusters = 2>,
func.func @deep(%x: tensor<?x8192xbf16>, %w: !nvfp4.tensor<4096x8192, nvfp4, layout = registers> {nvfp4.packed = @pack.deep}) -> tensor<?x4096xf32> {
  %d = nvfp4.matmul %x, %w : tensor<?x8192xbf16>, !nvfp4.tensor<4096x8192, nvfp4, layout = registers> -> tensor<?x4096xf32>
  return %d : tensor<?x4096xf32>
}

// Eight rows of so long a K do not stay in shared memory: they come with the
// weights, as sixteen do.

// REMARK: remark: [Missed] SelectKernels{{.*}}no stream for up to 8 rows: what K of 131072 needs does not fit 232448 bytes of shared memory; the stream for more rows serves them, up to 64

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

// A stream has no batch.

// REMARK: remark: [Missed] SelectKernels{{.*}}no stream for up to 8, 16, 32, 64 rows: operands have batch dimensions

// CHECK-LABEL: func @batched
// CHECK: nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 256, {{.*}}>]}
func.func @batched(%x: tensor<2x5x384xbf16>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<2x5x384xf32> {
  %d = nvfp4.matmul %x, %w : tensor<2x5x384xbf16>, !w -> tensor<2x5x384xf32>
  return %d : tensor<2x5x384xf32>
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
