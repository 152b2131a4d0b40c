// RUN: nvfp4-opt %s --split-input-file --nvfp4-lift-extracts --mlir-print-local-scope | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>

/// A copy by index is an operand, here a transposed one.
// CHECK-LABEL: func.func @transposed(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<8x4xf32>
//       CHECK:   linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>]
//  CHECK-SAME:       ins(%[[X]] : tensor<8x4xf32>)
//  CHECK-NEXT:   ^bb0(%[[IN:.+]]: f32, %{{.+}}: f32):
//  CHECK-NEXT:     linalg.yield %[[IN]]
func.func @transposed(%x: tensor<8x4xf32>) -> tensor<4x8xf32> {
  %empty = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<4x8xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %v = tensor.extract %x[%j, %i] : tensor<8x4xf32>
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

/// A constant index is a slice.
// CHECK-LABEL: func.func @row(
//       CHECK:   %[[ROW:.+]] = tensor.extract_slice %{{.+}}[1, 0] [1, 4] [1, 1] : tensor<2x4xf32> to tensor<4xf32>
//       CHECK:   linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>,
//  CHECK-SAME:       ins(%[[ROW]] : tensor<4xf32>)
func.func @row(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  %c1 = arith.constant 1 : index
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%empty : tensor<4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %x[%c1, %i] : tensor<2x4xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

/// Indexing with a range, as attention masks do: the range's elements are known
/// through views, so its tensor is not read at all.
// CHECK-LABEL: func.func @range(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x4xf32>
//       CHECK:   linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>]
//  CHECK-SAME:       ins(%[[X]] : tensor<?x4xf32>)
//   CHECK-NOT:     tensor.extract
//       CHECK:   return
func.func @range(%x: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e0 = tensor.empty(%batch) : tensor<?xi64>
  %range = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%e0 : tensor<?xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %v = arith.index_cast %i : index to i64
    linalg.yield %v : i64
  } -> tensor<?xi64>
  %column = tensor.expand_shape %range [[0, 1]] output_shape [%batch, 1] : tensor<?xi64> into tensor<?x1xi64>
  %e1 = tensor.empty(%batch) : tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, d1)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%column : tensor<?x1xi64>) outs(%e1 : tensor<?x4xf32>) {
  ^bb0(%in: i64, %out: f32):
    %i = arith.index_cast %in : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %x[%i, %j] : tensor<?x4xf32>
    linalg.yield %v : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

/// The position of a maximum that nobody asks for.
// CHECK-LABEL: func.func @unused_position(
//       CHECK:   linalg.generic
//  CHECK-SAME:       outs(%{{[^,]+}} : tensor<4xf32>)
//   CHECK-NOT:     linalg.index
//       CHECK:   return
func.func @unused_position(%x: tensor<4x8xf32>, %low: tensor<4xf32>, %zero: tensor<4xi64>) -> tensor<4xf32> {
  %max, %position = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%low, %zero : tensor<4xf32>, tensor<4xi64>) {
  ^bb0(%in: f32, %out: f32, %out_position: i64):
    %j = linalg.index 1 : index
    %j64 = arith.index_cast %j : index to i64
    %m = arith.maximumf %in, %out : f32
    %greater = arith.cmpf ogt, %in, %out : f32
    %p = arith.select %greater, %j64, %out_position : i64
    linalg.yield %m, %p : f32, i64
  } -> (tensor<4xf32>, tensor<4xi64>)
  return %max : tensor<4xf32>
}

// -----

/// An index from data stays an index.
// CHECK-LABEL: func.func @negative_gather(
//       CHECK:   tensor.extract
func.func @negative_gather(%x: tensor<8xf32>, %ids: tensor<4xindex>) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%ids : tensor<4xindex>) outs(%empty : tensor<4xf32>) {
  ^bb0(%id: index, %out: f32):
    %v = tensor.extract %x[%id] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

/// An operand's extent defines the loop's; this tensor has more elements.
// CHECK-LABEL: func.func @negative_part(
//       CHECK:   tensor.extract
func.func @negative_part(%x: tensor<8xf32>) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%empty : tensor<4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %x[%i] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
