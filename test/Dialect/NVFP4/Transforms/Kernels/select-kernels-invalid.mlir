// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_120a --split-input-file --verify-diagnostics
// RUN: not nvfp4-opt %s --nvfp4-select-kernels=chip=sm_90a --split-input-file 2>&1 | FileCheck %s --check-prefix=HOPPER
// RUN: not nvfp4-opt %s --nvfp4-select-kernels=chip=sm_120 --split-input-file 2>&1 | FileCheck %s --check-prefix=SUFFIX

// HOPPER: error: 'nvfp4.matmul' op expected a linear left operand, which is decoded for sm_90a, but got '!nvfp4.tensor<4x64, nvfp4, layout = tiled>'
// HOPPER: error: 'nvfp4.matmul' op expected an array of #nvfp4.kernel<matmul, …> as nvfp4.kernel, but got [#nvfp4.kernel<stream,
// HOPPER: error: 'nvfp4.matmul' op expected an array of #nvfp4.kernel<matmul, …> or <stream, …> as nvfp4.kernel, but got [#nvfp4.kernel<row, threads = 128>]
// SUFFIX: error: expected one of the chips sm_90a{{.*}}, but got 'sm_120'; write 'sm_120a': only with that suffix

func.func @linear(%a: tensor<4x16xf32>, %b: !nvfp4.tensor<8x16, nvfp4>) -> tensor<4x8xf32> {
  // expected-error@below {{expected tiled operands, but got '!nvfp4.tensor<8x16, nvfp4>'}}
  %d = nvfp4.matmul %a, %b : tensor<4x16xf32>, !nvfp4.tensor<8x16, nvfp4> -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

!w = !nvfp4.tensor<8x16, nvfp4_ue5m3, layout = tiled>
func.func @encoding(%a: tensor<4x16xf32>, %b: !w) -> tensor<4x8xf32> {
  // expected-error@below {{expected scales of e4m3 or e8m0, which the matrix unit reads, but got}}
  %d = nvfp4.matmul %a, %b : tensor<4x16xf32>, !w -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

func.func @no_array(%a: tensor<4x16xbf16>, %b: tensor<16x8xbf16>, %z: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error@below {{expected an array of #nvfp4.kernel<matmul, …> as nvfp4.kernel, but got #nvfp4.kernel<row, threads = 128>}}
  %d = linalg.matmul {nvfp4.kernel = #nvfp4.kernel<row, threads = 128>}
      ins(%a, %b : tensor<4x16xbf16>, tensor<16x8xbf16>) outs(%z : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

func.func @too_large(%a: tensor<4x16xbf16>, %b: tensor<16x8xbf16>, %z: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error@below {{expected stages of at most 101376 bytes of shared memory on sm_120a, but got 131072 bytes for}}
  %d = linalg.matmul {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x64, warps = 2x2x1, stages = 4>]}
      ins(%a, %b : tensor<4x16xbf16>, tensor<16x8xbf16>) outs(%z : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

// Each CTA of a pair has half of the columns' codes.
!a = !nvfp4.tensor<4x512, nvfp4, layout = tiled>
!b = !nvfp4.tensor<8x512, nvfp4, layout = tiled>
func.func @too_large_pair(%a: !a, %b: !b) -> tensor<4x8xf32> {
  // expected-error@below {{expected stages of at most 101376 bytes of shared memory on sm_120a, but got 116736 bytes for}}
  %d = nvfp4.matmul %a, %b {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 3, clusters = 2>]}
      : !a, !b -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

// CTAs that share K have all of both operands' tiles.
!a = !nvfp4.tensor<4x512, nvfp4, layout = tiled>
!b = !nvfp4.tensor<8x512, nvfp4, layout = tiled>
func.func @too_large_shared_depth(%a: !a, %b: !b) -> tensor<4x8xf32> {
  // expected-error@below {{expected stages of at most 101376 bytes of shared memory on sm_120a, but got 114688 bytes for}}
  %d = nvfp4.matmul %a, %b {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 64x128x256, warps = 1x4x1, stages = 4, swapped = true, clusters = 2>]}
      : !a, !b -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

func.func @not_on_unit(%a: tensor<4x16xf32>, %b: tensor<16x8xf32>, %z: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error@below {{expected no nvfp4.kernel on a contraction that the matrix unit does not compute}}
  %d = linalg.matmul {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2>]}
      ins(%a, %b : tensor<4x16xf32>, tensor<16x8xf32>) outs(%z : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

!a = !nvfp4.tensor<4x16, nvfp4, layout = tiled>
func.func @plain_right(%a: !a, %b: tensor<8x16xf32>) -> tensor<4x8xf32> {
  // expected-error@below {{expected a block-scaled right operand, but got 'tensor<8x16xf32>'}}
  %d = nvfp4.matmul %a, %b : !a, tensor<8x16xf32> -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

// What sm_90a lacks; sm_120a has it.
!a = !nvfp4.tensor<4x64, nvfp4, layout = tiled>
!b = !nvfp4.tensor<8x64, nvfp4, layout = tiled>
func.func @block_scaled(%a: !a, %b: !b) -> tensor<4x8xf32> {
  %d = nvfp4.matmul %a, %b : !a, !b -> tensor<4x8xf32>
  return %d : tensor<4x8xf32>
}

// -----

// Weights that a kernel writes are not there when a stream begins to read.
!w = !nvfp4.tensor<64x256, nvfp4, layout = registers>
func.func @stream_of_unpacked(%x: tensor<4x256xbf16>, %w: !w) -> tensor<4x64xf32> {
  // expected-error@below {{expected tiled operands, but got}}
  %d = nvfp4.matmul %x, %w {nvfp4.kernel = [
      #nvfp4.kernel<stream, threads = 192, tile = 8x64x128, warps = 1x4x1, stages = 2, swapped = true, max_rows = 8, clusters = 2>]}
      : tensor<4x256xbf16>, !w -> tensor<4x64xf32>
  return %d : tensor<4x64xf32>
}

// -----

!w = !nvfp4.tensor<64x256, nvfp4, layout = registers>
func.func @row_of_packed(%x: tensor<4x256xbf16>, %w: !w {nvfp4.packed = @pack.fc}) -> tensor<4x64xf32> {
  // expected-error@below {{expected tiled operands, but got}}
  %d = nvfp4.matmul %x, %w {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} : tensor<4x256xbf16>, !w -> tensor<4x64xf32>
  return %d : tensor<4x64xf32>
}
