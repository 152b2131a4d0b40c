// RUN: nvfp4-opt %s --nvfp4-fold-transposes --cse | FileCheck %s

// The key of an attention: behind the fold it is split into heads like the query.

// CHECK-DAG: #[[LAST:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#id = affine_map<(b, i, j) -> (b, i, j)>
#a = affine_map<(b, m, n, k) -> (b, m, k)>
#b = affine_map<(b, m, n, k) -> (b, k, n)>
#c = affine_map<(b, m, n, k) -> (b, m, n)>

// CHECK-LABEL: func @key(
// CHECK-SAME: %[[Q:.*]]: tensor<?x32x16xbf16>, %[[K:.*]]: tensor<?x32x12x16xf32>
// CHECK: %[[BATCH:.*]] = tensor.dim %[[K]]
// CHECK: %[[E:.*]] = tensor.empty(%[[BATCH]]) : tensor<?x12x32x16xf32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[K]] : {{.*}}) outs(%[[E]] : {{.*}}) permutation = [0, 2, 1, 3]
// CHECK: %[[F:.*]] = tensor.collapse_shape %[[T]] {{.*}} into tensor<?x32x16xf32>
// CHECK: %[[HEADS:.*]] = tensor.dim %[[F]]
// CHECK: %[[BE:.*]] = tensor.empty(%[[HEADS]]) : tensor<?x32x16xbf16>
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[F]] : {{.*}}) outs(%[[BE]]
// CHECK: linalg.generic {indexing_maps = [#[[LAST]], #[[ROWS]], #{{.*}}]{{.*}} ins(%[[Q]], %[[B]] :
func.func @key(%q: tensor<?x32x16xbf16>, %k: tensor<?x32x12x16xf32>, %z: tensor<?x32x32xf32>) -> tensor<?x32x32xf32> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %k, %c0 : tensor<?x32x12x16xf32>
  %0 = tensor.empty(%batch) : tensor<?x12x16x32xf32>
  %t = linalg.transpose ins(%k : tensor<?x32x12x16xf32>) outs(%0 : tensor<?x12x16x32xf32>) permutation = [0, 2, 3, 1]
  %f = tensor.collapse_shape %t [[0, 1], [2], [3]] : tensor<?x12x16x32xf32> into tensor<?x16x32xf32>
  %heads = tensor.dim %f, %c0 : tensor<?x16x32xf32>
  %1 = tensor.empty(%heads) : tensor<?x16x32xbf16>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%f : tensor<?x16x32xf32>) outs(%1 : tensor<?x16x32xbf16>) {
  ^bb0(%x: f32, %out: bf16):
    %y = arith.truncf %x : f32 to bf16
    linalg.yield %y : bf16
  } -> tensor<?x16x32xbf16>
  %s = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %b : tensor<?x32x16xbf16>, tensor<?x16x32xbf16>) outs(%z : tensor<?x32x32xf32>) {
  ^bb0(%x: bf16, %y: bf16, %sum: f32):
    %wx = arith.extf %x : bf16 to f32
    %wy = arith.extf %y : bf16 to f32
    %p = arith.mulf %wx, %wy : f32
    %n = arith.addf %sum, %p : f32
    linalg.yield %n : f32
  } -> tensor<?x32x32xf32>
  return %s : tensor<?x32x32xf32>
}

// A named contraction keeps its attributes. A transpose that does nothing else
// goes, extents are those of the other dimension, and groups of heads are repeated
// on the way.

// CHECK-LABEL: func @repeated(
// CHECK-SAME: %[[Q:.*]]: tensor<8x?x16xf16>, %[[K:.*]]: tensor<2x?x16xf16>
// CHECK-NOT: linalg.transpose
// CHECK: %[[N:.*]] = tensor.dim %[[K]], %c1
// CHECK: %[[E:.*]] = tensor.empty(%[[N]]) : tensor<2x4x?x16xf16>
// CHECK: %[[R:.*]] = linalg.broadcast ins(%[[K]] : {{.*}}) outs(%[[E]] : {{.*}}) dimensions = [1]
// CHECK: %[[F:.*]] = tensor.collapse_shape %[[R]] {{.*}} into tensor<8x?x16xf16>
// CHECK: linalg.generic {indexing_maps = [#[[LAST]], #[[ROWS]], #{{.*}}]{{.*}} ins(%[[Q]], %[[F]] : {{.*}} attrs = {nvfp4.site = "attention"}
func.func @repeated(%q: tensor<8x?x16xf16>, %k: tensor<2x?x16xf16>, %z: tensor<8x?x?xf32>) -> tensor<8x?x?xf32> {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %k, %c1 : tensor<2x?x16xf16>
  %0 = tensor.empty(%n) : tensor<2x16x?xf16>
  %t = linalg.transpose ins(%k : tensor<2x?x16xf16>) outs(%0 : tensor<2x16x?xf16>) permutation = [0, 2, 1]
  %columns = tensor.dim %t, %c2 : tensor<2x16x?xf16>
  %1 = tensor.empty(%columns) : tensor<2x4x16x?xf16>
  %r = linalg.broadcast ins(%t : tensor<2x16x?xf16>) outs(%1 : tensor<2x4x16x?xf16>) dimensions = [1]
  %f = tensor.collapse_shape %r [[0, 1], [2], [3]] : tensor<2x4x16x?xf16> into tensor<8x16x?xf16>
  %s = linalg.batch_matmul {nvfp4.site = "attention"} ins(%q, %f : tensor<8x?x16xf16>, tensor<8x16x?xf16>)
      outs(%z : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
  return %s : tensor<8x?x?xf32>
}

// The left operand, and a generic op that permutes and rounds at once.

// CHECK-LABEL: func @left(
// CHECK: %[[A:.*]] = linalg.generic {indexing_maps = [#[[ID:.*]], #[[ID]]]
// CHECK: linalg.generic {{.*}} ins(%[[A]], %{{.*}} : tensor<64x16xbf16>, tensor<16x32xbf16>)
#t = affine_map<(i, j) -> (j, i)>
#id2 = affine_map<(i, j) -> (i, j)>
func.func @left(%x: tensor<64x16xf32>, %y: tensor<16x32xbf16>, %z: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %0 = tensor.empty() : tensor<16x64xbf16>
  %t = linalg.generic {indexing_maps = [#t, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<64x16xf32>) outs(%0 : tensor<16x64xbf16>) {
  ^bb0(%a: f32, %out: bf16):
    %b = arith.truncf %a : f32 to bf16
    linalg.yield %b : bf16
  } -> tensor<16x64xbf16>
  %s = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%t, %y : tensor<16x64xbf16>, tensor<16x32xbf16>) outs(%z : tensor<64x32xf32>) -> tensor<64x32xf32>
  return %s : tensor<64x32xf32>
}

// Untouched: a value, whose innermost dimension stays; a transpose that somebody
// else reads; dimensions that a view has joined; f32, which no matrix unit takes.

// CHECK-LABEL: func @value(
// CHECK: permutation = [1, 0, 2]
// CHECK: linalg.batch_matmul
func.func @value(%p: tensor<12x32x32xbf16>, %v: tensor<32x12x16xbf16>, %z: tensor<12x32x16xf32>) -> tensor<12x32x16xf32> {
  %0 = tensor.empty() : tensor<12x32x16xbf16>
  %t = linalg.transpose ins(%v : tensor<32x12x16xbf16>) outs(%0 : tensor<12x32x16xbf16>) permutation = [1, 0, 2]
  %s = linalg.batch_matmul ins(%p, %t : tensor<12x32x32xbf16>, tensor<12x32x16xbf16>)
      outs(%z : tensor<12x32x16xf32>) -> tensor<12x32x16xf32>
  return %s : tensor<12x32x16xf32>
}

// CHECK-LABEL: func @shared(
// CHECK: permutation = [1, 0]
// CHECK: linalg.matmul
func.func @shared(%x: tensor<64x16xbf16>, %y: tensor<32x16xbf16>, %z: tensor<64x32xf32>) -> (tensor<64x32xf32>, tensor<16x32xbf16>) {
  %0 = tensor.empty() : tensor<16x32xbf16>
  %t = linalg.transpose ins(%y : tensor<32x16xbf16>) outs(%0 : tensor<16x32xbf16>) permutation = [1, 0]
  %s = linalg.matmul ins(%x, %t : tensor<64x16xbf16>, tensor<16x32xbf16>) outs(%z : tensor<64x32xf32>) -> tensor<64x32xf32>
  return %s, %t : tensor<64x32xf32>, tensor<16x32xbf16>
}

// CHECK-LABEL: func @joined(
// CHECK: permutation = [0, 2, 1]
// CHECK: linalg.matmul
func.func @joined(%x: tensor<64x64xbf16>, %y: tensor<4x32x16xbf16>, %z: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %0 = tensor.empty() : tensor<4x16x32xbf16>
  %t = linalg.transpose ins(%y : tensor<4x32x16xbf16>) outs(%0 : tensor<4x16x32xbf16>) permutation = [0, 2, 1]
  %f = tensor.collapse_shape %t [[0, 1], [2]] : tensor<4x16x32xbf16> into tensor<64x32xbf16>
  %s = linalg.matmul ins(%x, %f : tensor<64x64xbf16>, tensor<64x32xbf16>) outs(%z : tensor<64x32xf32>) -> tensor<64x32xf32>
  return %s : tensor<64x32xf32>
}

// CHECK-LABEL: func @f32(
// CHECK: linalg.transpose
// CHECK: linalg.matmul
func.func @f32(%x: tensor<64x16xf32>, %y: tensor<32x16xf32>, %z: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %0 = tensor.empty() : tensor<16x32xf32>
  %t = linalg.transpose ins(%y : tensor<32x16xf32>) outs(%0 : tensor<16x32xf32>) permutation = [1, 0]
  %s = linalg.matmul ins(%x, %t : tensor<64x16xf32>, tensor<16x32xf32>) outs(%z : tensor<64x32xf32>) -> tensor<64x32xf32>
  return %s : tensor<64x32xf32>
}
