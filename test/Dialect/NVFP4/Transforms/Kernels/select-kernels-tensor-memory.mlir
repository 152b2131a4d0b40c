// RUN: nvfp4-opt %s --nvfp4-select-kernels=chip=sm_100a --split-input-file -o %t.mlir && FileCheck %s < %t.mlir
// The text of a choice is one that can be written.
// RUN: nvfp4-opt %t.mlir --split-input-file | FileCheck %s

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

// -----

// Few rows stand in the unit's columns, and CTAs share K if that keeps more multiprocessors busy; where a chip is busy for three rounds, pairs of CTAs multiply.

// CHECK-LABEL: func @any_rows
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 16x128x256, warps = 1x4x1, stages = 6, swapped = true, max_rows = 16, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 288, tile = 64x128x256, warps = 1x4x1, {{.*}} swapped = true, max_rows = 64, clusters = 2>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 288, tile = 128x128x256, warps = 4x1x1, {{.*}} max_rows = 256>,
// CHECK-SAME: #nvfp4.kernel<matmul, threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 5, clusters = 2>]}
func.func @any_rows(%a: !nvfp4.tensor<?x8192, nvfp4<global = row>, layout = tiled>, %b: !nvfp4.tensor<8192x8192, nvfp4, layout = tiled>)
    -> tensor<?x8192xf32> {
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<?x8192, nvfp4<global = row>, layout = tiled>, !nvfp4.tensor<8192x8192, nvfp4, layout = tiled> -> tensor<?x8192xf32>
  return %d : tensor<?x8192xf32>
}

// -----

// CHECK-LABEL: func @large
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 5, clusters = 2>]}
func.func @large(%a: !nvfp4.tensor<4096x4096, mxfp4, layout = tiled>, %b: !nvfp4.tensor<4096x4096, mxfp4, layout = tiled>) -> tensor<4096x4096xf32> {
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<4096x4096, mxfp4, layout = tiled>, !nvfp4.tensor<4096x4096, mxfp4, layout = tiled> -> tensor<4096x4096xf32>
  return %d : tensor<4096x4096xf32>
}

// -----

// One round.

// CHECK-LABEL: func @one_round
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x256, warps = 4x1x1, stages = 3>]}
func.func @one_round(%a: !nvfp4.tensor<2048x4096, nvfp4, layout = tiled>, %b: !nvfp4.tensor<2048x4096, nvfp4, layout = tiled>) -> tensor<2048x2048xf32> {
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<2048x4096, nvfp4, layout = tiled>, !nvfp4.tensor<2048x4096, nvfp4, layout = tiled> -> tensor<2048x2048xf32>
  return %d : tensor<2048x2048xf32>
}

// -----

// Columns of which 192 leave fewer multiprocessors without work than 256 do, or none of the unit's columns empty.

// CHECK-LABEL: func @middle
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x192x256, warps = 4x1x1, stages = 4>]}
func.func @middle(%a: !nvfp4.tensor<4096x1024, nvfp4, layout = tiled>, %b: !nvfp4.tensor<1536x1024, nvfp4, layout = tiled>) -> tensor<4096x1536xf32> {
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<4096x1024, nvfp4, layout = tiled>, !nvfp4.tensor<1536x1024, nvfp4, layout = tiled> -> tensor<4096x1536xf32>
  return %d : tensor<4096x1536xf32>
}

// -----

// Pairs of them.

// CHECK-LABEL: func @middle_pairs
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x192x256, warps = 4x1x1, stages = 5, clusters = 2>]}
func.func @middle_pairs(%a: !nvfp4.tensor<9472x1024, nvfp4, layout = tiled>, %b: !nvfp4.tensor<1152x1024, nvfp4, layout = tiled>) -> tensor<9472x1152xf32> {
  %d = nvfp4.matmul %a, %b : !nvfp4.tensor<9472x1024, nvfp4, layout = tiled>, !nvfp4.tensor<1152x1024, nvfp4, layout = tiled> -> tensor<9472x1152xf32>
  return %d : tensor<9472x1152xf32>
}

// -----

// Operands of 16 bits.

// CHECK-LABEL: func @middle_plain
// CHECK: linalg.matmul {{.*}}nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x192x64, warps = 4x1x1, stages = 4>]
func.func @middle_plain(%a: tensor<4096x1024xbf16>, %b: tensor<1024x1536xbf16>, %init: tensor<4096x1536xf32>) -> tensor<4096x1536xf32> {
  %d = linalg.matmul ins(%a, %b : tensor<4096x1024xbf16>, tensor<1024x1536xbf16>) outs(%init : tensor<4096x1536xf32>) -> tensor<4096x1536xf32>
  return %d : tensor<4096x1536xf32>
}

// -----

// CHECK-LABEL: func @plain_pairs
// CHECK: linalg.matmul {{.*}}nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 128x256x64, warps = 4x1x1, stages = 6, clusters = 2>]
func.func @plain_pairs(%a: tensor<4096x4096xbf16>, %b: tensor<4096x4096xbf16>, %init: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> {
  %d = linalg.matmul ins(%a, %b : tensor<4096x4096xbf16>, tensor<4096x4096xbf16>) outs(%init : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %d : tensor<4096x4096xf32>
}

// -----

// Weights that are decoded are not multiplied in pairs.

// CHECK-LABEL: func @weights
// CHECK: nvfp4.matmul {{.*}} {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 288, tile = 256x128x64, warps = 1x4x1, stages = 3, swapped = true>]}
func.func @weights(%a: tensor<4096x4096xbf16>, %b: !nvfp4.tensor<4096x4096, nvfp4, layout = tiled>) -> tensor<4096x4096xf32> {
  %d = nvfp4.matmul %a, %b : tensor<4096x4096xbf16>, !nvfp4.tensor<4096x4096, nvfp4, layout = tiled> -> tensor<4096x4096xf32>
  return %d : tensor<4096x4096xf32>
}
