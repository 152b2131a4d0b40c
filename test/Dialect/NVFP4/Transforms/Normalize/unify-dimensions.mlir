// RUN: nvfp4-opt %s --split-input-file --nvfp4-unify-dimensions --canonicalize --cse | FileCheck %s

/// Equal names are one value, so that the broadcast check folds.
// CHECK-LABEL: func.func @named_dimensions(
//  CHECK-SAME:     %[[A:[^:]+]]: tensor<?x4xf32>
//   CHECK-DAG:   %[[C0:.+]] = arith.constant 0 : index
//       CHECK:   %[[BATCH:.+]] = tensor.dim %[[A]], %[[C0]]
//   CHECK-NOT:   cf.assert
//       CHECK:   return %[[BATCH]], %[[BATCH]]
func.func @named_dimensions(
    %a: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]},
    %b: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]}) -> (index, index) {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %a, %c0 : tensor<?x4xf32>
  %n = tensor.dim %b, %c0 : tensor<?x4xf32>
  %same = arith.cmpi eq, %m, %n : index
  cf.assert %same, "mismatched size for broadcast"
  return %m, %n : index, index
}

// -----

/// torch's view: flatten, then divide the rows again. Nothing is left to divide.
// CHECK-LABEL: func.func @exact_quotients(
//   CHECK-DAG:   %[[C32:.+]] = arith.constant 32 : index
//   CHECK-DAG:   %[[C12:.+]] = arith.constant 12 : i64
//       CHECK:   %[[BATCH:.+]] = tensor.dim
//       CHECK:   %[[ROWS:.+]] = arith.muli %[[BATCH]], %[[C32]]
//   CHECK-NOT:   div
//       CHECK:   return %[[ROWS]], %[[BATCH]], %[[C12]]
func.func @exact_quotients(
    %a: tensor<?x32xf32> {nvfp4.shape = ["batch", 32]}) -> (index, index, i64) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %c1024 = arith.constant 1024 : i64
  %c12288 = arith.constant 12288 : i64
  %batch = tensor.dim %a, %c0 : tensor<?x32xf32>
  %rows = affine.apply affine_map<()[s0] -> (s0 * 32)>()[%batch]
  %back = arith.divsi %rows, %c32 : index
  %batch64 = arith.index_cast %back : index to i64
  %size = arith.muli %batch64, %c12288 : i64
  %known = arith.muli %batch64, %c1024 : i64
  %inferred = arith.divsi %size, %known : i64
  return %rows, %back, %inferred : index, index, i64
}

// -----

/// Two names of arguments multiply; the product is known through views.
// CHECK-LABEL: func.func @products_through_views(
//   CHECK-DAG:   %[[B:.+]] = tensor.dim %{{.+}}, %c0
//   CHECK-DAG:   %[[S:.+]] = tensor.dim %{{.+}}, %c1
//       CHECK:   %[[ROWS:.+]] = arith.muli %[[B]], %[[S]]
//   CHECK-NOT:   cf.assert
//       CHECK:   return %[[ROWS]]
func.func @products_through_views(
    %a: tensor<?x?x8xf32> {nvfp4.shape = ["batch", "sequence", 8]},
    %b: tensor<?x8xf32> {nvfp4.shape = ["rows", 8]}) -> index {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %flat = tensor.collapse_shape %a [[0, 1], [2]] : tensor<?x?x8xf32> into tensor<?x8xf32>
  %rows = tensor.dim %flat, %c0 : tensor<?x8xf32>
  %sequence = tensor.dim %a, %c1 : tensor<?x?x8xf32>
  %batch = arith.divsi %rows, %sequence : index
  %batch_again = tensor.dim %a, %c0 : tensor<?x?x8xf32>
  %same = arith.cmpi eq, %batch, %batch_again : index
  cf.assert %same, "mismatched"
  return %rows : index
}

// -----

/// A maximum bounds what a comparison may see; the other direction stays open.
// CHECK-LABEL: func.func @bounds(
//       CHECK:   %[[FITS:.+]] = arith.cmpi slt, %{{.+}}, %c8
//       CHECK:   return %true, %[[FITS]]
func.func @bounds(%a: tensor<?xf32> {nvfp4.shape = ["batch"]}) -> (i1, i1)
    attributes {nvfp4.dimensions = {batch = [1, 64]}} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c65 = arith.constant 65 : index
  %batch = tensor.dim %a, %c0 : tensor<?xf32>
  %always = arith.cmpi slt, %batch, %c65 : index
  %sometimes = arith.cmpi slt, %batch, %c8 : index
  return %always, %sometimes : i1, i1
}

// -----

/// A convolution's extent is no polynomial, but the same in both places.
// CHECK-LABEL: func.func @rounded_quotients(
//       CHECK:   %[[HALF:.+]] = arith.ceildivsi
//   CHECK-NOT:   cf.assert
//       CHECK:   return %[[HALF]]
func.func @rounded_quotients(%a: tensor<?xf32> {nvfp4.shape = ["length"]},
                             %b: tensor<?xf32> {nvfp4.shape = ["length"]}) -> index {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %m = tensor.dim %a, %c0 : tensor<?xf32>
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  %p = arith.ceildivsi %m, %c2 : index
  %q = affine.apply affine_map<()[s0] -> (s0 ceildiv 2)>()[%n]
  %same = arith.cmpi eq, %p, %q : index
  cf.assert %same, "mismatched"
  return %q : index
}

// -----

/// `extent == 1 ? 0 : i` is `i` for every i below the extent.
// CHECK-LABEL: func.func @broadcast_in_place(
//       CHECK:   linalg.generic
//       CHECK:     %[[I:.+]] = linalg.index 0
//  CHECK-NEXT:     tensor.extract %{{.+}}[%[[I]]]
func.func @broadcast_in_place(
    %a: tensor<?xf32> {nvfp4.shape = ["batch"]}) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %batch = tensor.dim %a, %c0 : tensor<?xf32>
  %empty = tensor.empty(%batch) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%empty : tensor<?xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %is_one = arith.cmpi eq, %batch, %c1 : index
    %j = arith.select %is_one, %c0, %i : index
    %x = tensor.extract %a[%j] : tensor<?xf32>
    linalg.yield %x : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

/// An index below another extent is not.
// CHECK-LABEL: func.func @negative_broadcast_other_extent(
//       CHECK:     arith.select
func.func @negative_broadcast_other_extent(
    %a: tensor<?xf32> {nvfp4.shape = ["m"]},
    %b: tensor<?xf32> {nvfp4.shape = ["n"]}) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %a, %c0 : tensor<?xf32>
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%empty : tensor<?xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %is_one = arith.cmpi eq, %m, %c1 : index
    %j = arith.select %is_one, %c0, %i : index
    %x = tensor.extract %a[%j] : tensor<?xf32>
    linalg.yield %x : f32
  } -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

/// Arithmetic on what a tensor holds may wrap, so nothing follows from it.
// CHECK-LABEL: func.func @negative_contents_may_wrap(
//       CHECK:     arith.cmpi sgt
func.func @negative_contents_may_wrap(%a: tensor<4xi64>) -> tensor<4xi1> {
  %c1 = arith.constant 1 : i64
  %empty = tensor.empty() : tensor<4xi1>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%a : tensor<4xi64>) outs(%empty : tensor<4xi1>) {
  ^bb0(%in: i64, %out: i1):
    %next = arith.addi %in, %c1 : i64
    %greater = arith.cmpi sgt, %next, %in : i64
    linalg.yield %greater : i1
  } -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

/// Two elements of one tensor are not equal because the tensor is.
// CHECK-LABEL: func.func @negative_two_elements(
//       CHECK:   arith.cmpi eq
func.func @negative_two_elements(%a: tensor<4xi64>) -> i1 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tensor.extract %a[%c0] : tensor<4xi64>
  %y = tensor.extract %a[%c1] : tensor<4xi64>
  %same = arith.cmpi eq, %x, %y : i64
  return %same : i1
}

// -----

/// A result's dimension gets the name of the argument's.
// CHECK-LABEL: func.func @name_results(
//  CHECK-SAME:     -> (tensor<?x4xf32> {nvfp4.shape = ["batch", 4]})
func.func @name_results(
    %a: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]}) -> tensor<?x4xf32> {
  return %a : tensor<?x4xf32>
}

// -----

/// Ops of the dialect say what their extents are.
// CHECK-LABEL: func.func @quantize_only(
//  CHECK-SAME:     -> (tensor<?x32xi8> {nvfp4.shape = ["rows", 32]}, tensor<?x4xi8> {nvfp4.shape = ["rows", 4]}, tensor<f32>, index)
//       CHECK:   %[[ROWS:.+]] = tensor.dim
//   CHECK-NOT:   nvfp4.dim
//       CHECK:   return %{{.+}}, %{{.+}}, %{{.+}}, %[[ROWS]]
func.func @quantize_only(%x: tensor<?x64xf32> {nvfp4.shape = ["rows", 64]})
    -> (tensor<?x32xi8>, tensor<?x4xi8>, tensor<f32>, index) {
  %g = nvfp4.global_scale %x : tensor<?x64xf32> -> tensor<f32>
  %q = nvfp4.quantize %x global_scale %g : tensor<?x64xf32>, tensor<f32> -> !nvfp4.tensor<?x64, nvfp4>
  %rows = nvfp4.dim %q, 0 : !nvfp4.tensor<?x64, nvfp4>
  %codes, %scales, %global = nvfp4.disassemble %q
      : !nvfp4.tensor<?x64, nvfp4> -> tensor<?x32xi8>, tensor<?x4xi8>, tensor<f32>
  return %codes, %scales, %global, %rows : tensor<?x32xi8>, tensor<?x4xi8>, tensor<f32>, index
}
