// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_120a --split-input-file --remarks-filter-missed="nvfp4.*" --remark-format=emitRemark 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK <%t.remarks

!a = !nvfp4.tensor<?x384, nvfp4<global = row>, layout = tiled>
!b = !nvfp4.tensor<384x384, nvfp4, layout = tiled>

// CHECK-LABEL: func @any_rows
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 16x64x256, warps = 1x1x4, stages = 2, swapped = true, max_rows = 16>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 3>]}
func.func @any_rows(%a: !a, %b: !b) -> tensor<?x384xf32> {
  %d = nvfp4.matmul %a, %b : !a, !b -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}

// Rows in multiples of 32 are never few.

// CHECK-LABEL: func @flattened
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 128x128x128, warps = 2x2x1, stages = 3>]}
func.func @flattened(%x: tensor<?x32x384xf32>, %b: !b) -> tensor<?x384xf32> {
  %c = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x32x384xf32> into tensor<?x384xf32>
  %g = nvfp4.global_scale %c per_row : tensor<?x384xf32> -> tensor<?xf32>
  %q = nvfp4.quantize %c global_scale %g : tensor<?x384xf32>, tensor<?xf32> -> !a
  %d = nvfp4.matmul %q, %b : !a, !b -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}

// -----

// Small products: tiles shrink, and few rows need no second kernel.

// CHECK-LABEL: func @small
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 16x64x64, warps = 1x4x1, stages = 2, swapped = true, max_rows = 16>]}
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 64x32x128, warps = 2x2x1, stages = 2>]}
func.func @small(%a: !nvfp4.tensor<5x16, nvfp4, layout = tiled>, %b: !nvfp4.tensor<7x16, nvfp4, layout = tiled>,
                 %c: !nvfp4.tensor<40x48, mxfp4, layout = tiled>, %d: !nvfp4.tensor<7x48, mxfp4, layout = tiled>)
    -> (tensor<5x7xf32>, tensor<40x7xf32>) {
  %0 = nvfp4.matmul %a, %b : !nvfp4.tensor<5x16, nvfp4, layout = tiled>, !nvfp4.tensor<7x16, nvfp4, layout = tiled> -> tensor<5x7xf32>
  %1 = nvfp4.matmul %c, %d : !nvfp4.tensor<40x48, mxfp4, layout = tiled>, !nvfp4.tensor<7x48, mxfp4, layout = tiled> -> tensor<40x7xf32>
  return %0, %1 : tensor<5x7xf32>, tensor<40x7xf32>
}

// -----

// Weight-only: activations are 16 bits wide in shared memory. Decoding takes
// registers, so few rows have half as many columns, and more twice as many warps.

// CHECK-LABEL: func @weight_only
// REMARK: remark: [Missed] SelectKernels{{.*}}activations of f32 are rounded to bf16, too
// CHECK: #nvfp4.kernel<matmul, threads = 128, tile = 16x32x256, warps = 1x1x4, stages = 2, swapped = true, max_rows = 16>
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 256, tile = 128x64x64, warps = 4x2x1, stages = 4>
func.func @weight_only(%a: tensor<?x384xf32>, %b: !nvfp4.tensor<384x384, nvfp4, layout = tiled>) -> tensor<?x384xf32> {
  %d = nvfp4.matmul %a, %b : tensor<?x384xf32>, !nvfp4.tensor<384x384, nvfp4, layout = tiled> -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}

// A user's choice stays.

// CHECK-LABEL: func @written
// CHECK: {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 64, tile = 32x32x64, warps = 1x2x1, stages = 3>]}
func.func @written(%a: tensor<?x384xf32>, %b: !nvfp4.tensor<384x384, nvfp4, layout = tiled>) -> tensor<?x384xf32> {
  %d = nvfp4.matmul %a, %b {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 64, tile = 32x32x64, warps = 1x2x1, stages = 3>]}
      : tensor<?x384xf32>, !nvfp4.tensor<384x384, nvfp4, layout = tiled> -> tensor<?x384xf32>
  return %d : tensor<?x384xf32>
}

// -----

#a = affine_map<(b, m, n, k) -> (b, m, k)>
#b = affine_map<(b, m, n, k) -> (b, k, n)>
#d = affine_map<(b, m, n, k) -> (b, m, n)>

// CHECK-LABEL: func @attention
// CHECK: linalg.generic {{.*}} attrs = {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2>]}
// CHECK: linalg.batch_matmul {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 16x64x128, warps = 1x1x4, stages = 4, swapped = true, max_rows = 16>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 256, tile = 128x128x64, warps = 4x2x1, stages = 3>]}
// REMARK: remark: [Missed] SelectKernels{{.*}}a thread computes each sum: expected two operands of bf16 or of f16, but got f32 and f32
// CHECK: linalg.batch_matmul ins
func.func @attention(%q: tensor<?x32x32xbf16>, %k: tensor<?x32x32xbf16>, %init: tensor<?x32x32xf32>,
                     %x: tensor<2x?x?xf16>, %y: tensor<2x?x?xf16>, %z: tensor<2x?x?xf32>,
                     %u: tensor<2x?x?xf32>, %v: tensor<2x?x?xf32>)
    -> (tensor<?x32x32xf32>, tensor<2x?x?xf32>, tensor<2x?x?xf32>) {
  %s = linalg.generic {indexing_maps = [#a, #b, #d], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<?x32x32xbf16>, tensor<?x32x32xbf16>) outs(%init : tensor<?x32x32xf32>) {
  ^bb0(%l: bf16, %r: bf16, %o: f32):
    %0 = arith.extf %l : bf16 to f32
    %1 = arith.extf %r : bf16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %o, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<?x32x32xf32>
  %t = linalg.batch_matmul ins(%x, %y : tensor<2x?x?xf16>, tensor<2x?x?xf16>) outs(%z : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %w = linalg.batch_matmul ins(%u, %v : tensor<2x?x?xf32>, tensor<2x?x?xf32>) outs(%z : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  return %s, %t, %w : tensor<?x32x32xf32>, tensor<2x?x?xf32>, tensor<2x?x?xf32>
}

// -----

// What the generator of 16-bit products does not take stays with threads.

#x = affine_map<(m, n, k) -> (m, k)>
#y = affine_map<(m, n, k) -> (k, n)>
#flipped = affine_map<(m, n, k) -> (n, m)>

// REMARK: remark: [Missed] SelectKernels{{.*}}expected sums of f32, but got bf16
// REMARK: remark: [Missed] SelectKernels{{.*}}expected sums along one K only
// CHECK-LABEL: func @not_on_unit
// CHECK: linalg.matmul ins
// CHECK: linalg.contract
// CHECK-NOT: nvfp4.kernel
// A result [n, m] has its rows in the second operand.
// CHECK: linalg.contract {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x64x32, warps = 2x2x1, stages = 2>]}
func.func @not_on_unit(%a: tensor<64x32xbf16>, %b: tensor<32x32xbf16>, %c: tensor<64x32xbf16>, %z: tensor<64x32xf32>,
                       %u: tensor<64x4x8xbf16>, %v: tensor<4x8x32xbf16>, %w: tensor<32x64xf32>)
    -> (tensor<64x32xbf16>, tensor<64x32xf32>, tensor<32x64xf32>) {
  %0 = linalg.matmul ins(%a, %b : tensor<64x32xbf16>, tensor<32x32xbf16>) outs(%c : tensor<64x32xbf16>) -> tensor<64x32xbf16>
  %1 = linalg.contract indexing_maps = [affine_map<(m, n, k, l) -> (m, k, l)>, affine_map<(m, n, k, l) -> (k, l, n)>,
                                        affine_map<(m, n, k, l) -> (m, n)>]
      ins(%u, %v : tensor<64x4x8xbf16>, tensor<4x8x32xbf16>) outs(%z : tensor<64x32xf32>) -> tensor<64x32xf32>
  %2 = linalg.contract indexing_maps = [#x, #y, #flipped]
      ins(%a, %b : tensor<64x32xbf16>, tensor<32x32xbf16>) outs(%w : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %0, %1, %2 : tensor<64x32xbf16>, tensor<64x32xf32>, tensor<32x64xf32>
}
