// RUN: nvfp4-opt %s --split-input-file --nvfp4-check-extents | FileCheck %s

#id = affine_map<(d0) -> (d0)>

/// The case that reads out of bounds without an error: ids and mask untied.
// CHECK-LABEL: func.func @untied(
//       CHECK:   %[[FITS:.+]] = arith.cmpi eq, %[[ROWS:.+]], %[[BATCH:.+]] : index
//       CHECK:   cf.assert %[[FITS]], "expected dimension 0 of 'mask' (rows) to equal dimension 0 of 'ids' (batch)"
//       CHECK:   linalg.generic
func.func @untied(%ids: tensor<?xi64> {nvfp4.name = "ids", nvfp4.shape = ["batch"]},
                  %mask: tensor<?xi64> {nvfp4.name = "mask", nvfp4.shape = ["rows"]}) -> tensor<?xi64> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %ids, %c0 : tensor<?xi64>
  %empty = tensor.empty(%batch) : tensor<?xi64>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%ids, %mask : tensor<?xi64>, tensor<?xi64>) outs(%empty : tensor<?xi64>) {
  ^bb0(%a: i64, %b: i64, %out: i64):
    %s = arith.addi %a, %b : i64
    linalg.yield %s : i64
  } -> tensor<?xi64>
  return %y : tensor<?xi64>
}

// -----

#id = affine_map<(d0) -> (d0)>

/// One equality is checked once, also where it appears 32 times as large.
// CHECK-LABEL: func.func @implied(
// CHECK-COUNT-1: cf.assert
//   CHECK-NOT:   cf.assert
func.func @implied(%a: tensor<?x32xf32> {nvfp4.shape = ["m", 32]},
                   %b: tensor<?x32xf32> {nvfp4.shape = ["n", 32]},
                   %e0: tensor<?x32xf32> {nvfp4.shape = ["m", 32]},
                   %e1: tensor<?xf32> {nvfp4.shape = ["k"]}) -> (tensor<?x32xf32>, tensor<?xf32>) {
  %x = linalg.add ins(%a, %b : tensor<?x32xf32>, tensor<?x32xf32>) outs(%e0 : tensor<?x32xf32>) -> tensor<?x32xf32>
  %fa = tensor.collapse_shape %a [[0, 1]] : tensor<?x32xf32> into tensor<?xf32>
  %fb = tensor.collapse_shape %b [[0, 1]] : tensor<?x32xf32> into tensor<?xf32>
  %fe = tensor.collapse_shape %e0 [[0, 1]] : tensor<?x32xf32> into tensor<?xf32>
  %y = linalg.add ins(%fa, %fb : tensor<?xf32>, tensor<?xf32>) outs(%fe : tensor<?xf32>) -> tensor<?xf32>
  return %x, %y : tensor<?x32xf32>, tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @named_result(
//       CHECK:   cf.assert %{{.+}}, "expected dimension 0 of argument 0 (m), result 0 of the entry, to equal n"
func.func @named_result(%a: tensor<?xf32> {nvfp4.shape = ["m"]}, %b: tensor<?xf32> {nvfp4.shape = ["n"]})
    -> (tensor<?xf32> {nvfp4.shape = ["n"]}) {
  return %a : tensor<?xf32>
}

// -----

/// A slice that a bound of the dimension keeps inside, and one that it does not.
// CHECK-LABEL: func.func @slices(
// CHECK-COUNT-1: cf.assert %{{.+}}, "expected a slice of dimension 0 of argument 0 (length) to end within it, at most at 9"
//   CHECK-NOT:   cf.assert
//       CHECK:   tensor.extract_slice
func.func @slices(%a: tensor<?xf32> {nvfp4.shape = ["length"]}) -> (tensor<4xf32>, tensor<5xf32>)
    attributes {nvfp4.dimensions = {length = [8, 64]}} {
  %x = tensor.extract_slice %a[4] [4] [1] : tensor<?xf32> to tensor<4xf32>
  %y = tensor.extract_slice %a[0] [5] [2] : tensor<?xf32> to tensor<5xf32>
  return %x, %y : tensor<4xf32>, tensor<5xf32>
}

// -----

/// Windows of a convolution.
// CHECK-LABEL: func.func @convolution(
//       CHECK:   cf.assert %{{.+}}, "expected dimension 0 of argument 0 (length) to be more than out + 1"
func.func @convolution(%x: tensor<?xf32> {nvfp4.shape = ["length"]}, %k: tensor<3xf32>,
                       %init: tensor<?xf32> {nvfp4.shape = ["out"]}) -> tensor<?xf32> {
  %y = linalg.conv_1d ins(%x, %k : tensor<?xf32>, tensor<3xf32>) outs(%init : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

/// A static type claims what the dynamic one must keep.
// CHECK-LABEL: func.func @casts(
//       CHECK:   cf.assert %{{.+}}, "expected dimension 0 of argument 0 (m) to equal 8"
func.func @casts(%x: tensor<?xf32> {nvfp4.shape = ["m"]}) -> tensor<8xf32> {
  %y = tensor.cast %x : tensor<?xf32> to tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

/// Arithmetic on whole tensors, whose results have the extents of operands.
// CHECK-LABEL: func.func @elementwise(
//       CHECK:   cf.assert %{{.+}}, "expected dimension 0 of argument 1 (m) to equal dimension 0 of argument 0 (n)"
//   CHECK-NOT:   cf.assert
//       CHECK:   arith.cmpf
func.func @elementwise(%x: tensor<?xf32> {nvfp4.shape = ["n"]}, %y: tensor<?xf32> {nvfp4.shape = ["m"]},
                       %init: tensor<?xi1> {nvfp4.shape = ["n"]}) -> tensor<?xi1> {
  %less = arith.cmpf olt, %x, %y : tensor<?xf32>
  %z = linalg.copy ins(%less : tensor<?xi1>) outs(%init : tensor<?xi1>) -> tensor<?xi1>
  return %z : tensor<?xi1>
}

// -----

/// All that named dimensions prove needs no check.
// CHECK-LABEL: func.func @negative_proved(
//   CHECK-NOT:   cf.assert
func.func @negative_proved(%a: tensor<?x?xf32> {nvfp4.shape = ["m", "k"]},
                           %b: tensor<?x?xf32> {nvfp4.shape = ["k", "n"]},
                           %c: tensor<?x?xf32> {nvfp4.shape = ["m", "n"]})
    -> (tensor<?x?xf32> {nvfp4.shape = ["m", "n"]}) {
  %y = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>) outs(%c : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

/// The last row, as PyTorch writes it: `-1` counts from the end where it is
/// negative, and is limited to the rows. Only their absence is an error.
// CHECK-LABEL: func.func @last_row(
//       CHECK:   cf.assert %{{.+}}, "expected {{.+}}rows{{.+}}"
//   CHECK-NOT:   cf.assert
//       CHECK:   tensor.extract_slice
func.func @last_row(%x: tensor<?x8xf32> {nvfp4.name = "x", nvfp4.shape = ["rows", 8]}) -> tensor<1x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %minus = arith.constant -1 : i64
  %dim = tensor.dim %x, %c0 : tensor<?x8xf32>
  %rows = arith.index_cast %dim : index to i64
  %last = arith.addi %rows, %minus : i64
  %wrapped = arith.addi %last, %rows : i64
  %inside = arith.cmpi sge, %last, %zero : i64
  %chosen = arith.select %inside, %last, %wrapped : i64
  %low = arith.maxsi %chosen, %zero : i64
  %high = arith.minsi %low, %rows : i64
  %start = arith.index_cast %high : i64 to index
  %y = tensor.extract_slice %x[%start, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<1x8xf32>
  return %y : tensor<1x8xf32>
}
