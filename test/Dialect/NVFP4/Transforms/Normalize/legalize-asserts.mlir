// RUN: nvfp4-opt %s --split-input-file --nvfp4-legalize-asserts --canonicalize --cse --mlir-print-local-scope | FileCheck %s

#ids = affine_map<(d0, d1) -> (d0)>
#id = affine_map<(d0, d1) -> (d0, d1)>

/// An embedding as torch-mlir writes it. The reduction reads the ids only, not
/// once per column.
// CHECK-LABEL: func.func @gather(
//  CHECK-SAME:     %[[TABLE:[^:]+]]: tensor<30522x384xf32>
//  CHECK-SAME:     %[[IDS:[^:]+]]: tensor<?xi64>
//       CHECK:   %[[STATUS:.+]] = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
//  CHECK-SAME:       ins(%[[IDS]] : tensor<?xi64>) outs(%{{.+}} : tensor<i32>)
//       CHECK:     %[[BAD:.+]] = arith.cmpi uge, %{{.+}}, %c30522
//       CHECK:     %[[NUMBER:.+]] = arith.extui %[[BAD]] : i1 to i32
//       CHECK:     arith.maxsi %{{.+}}, %[[NUMBER]]
//       CHECK:   nvfp4.record_error %[[STATUS]] messages ["index out of range in a gather of 'word_embeddings': expected 0 <= index < 30522 for an element of 'input_ids'"]
//       CHECK:   linalg.generic
//       CHECK:     %[[LOW:.+]] = arith.maxsi %{{.+}}, %c0
//       CHECK:     %[[ROW:.+]] = arith.minsi %[[LOW]], %c30521
//       CHECK:     tensor.extract %[[TABLE]][%[[ROW]], %{{.+}}]
//   CHECK-NOT:   cf.assert
func.func @gather(%table: tensor<30522x384xf32> {nvfp4.weight = "word_embeddings"},
                  %ids: tensor<?xi64> {nvfp4.name = "input_ids", nvfp4.shape = ["batch"]})
    -> tensor<?x384xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %size = arith.constant 30522 : index
  %batch = tensor.dim %ids, %c0 : tensor<?xi64>
  %empty = tensor.empty(%batch) : tensor<?x384xf32>
  %y = linalg.generic {indexing_maps = [#ids, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?xi64>) outs(%empty : tensor<?x384xf32>) {
  ^bb0(%id: i64, %out: f32):
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 1 : index
    %below = arith.cmpi slt, %row, %size : index
    cf.assert %below, "index must be smaller than dim size"
    %positive = arith.cmpi sge, %id, %zero : i64
    cf.assert %positive, "index must be larger or equal to 0"
    %v = tensor.extract %table[%row, %column] : tensor<30522x384xf32>
    linalg.yield %v : f32
  } -> tensor<?x384xf32>
  return %y : tensor<?x384xf32>
}

// -----

/// Negative indices that the graph wraps keep their meaning; only what is out
/// of range after that is an error.
// CHECK-LABEL: func.func @wrapped_gather(
//       CHECK:   linalg.generic
//       CHECK:     arith.addi %{{.+}}, %c8
//       CHECK:   nvfp4.record_error %{{.+}} messages ["index out of range in a gather of argument 0: expected 0 <= index < 8"]
//       CHECK:   linalg.generic
//       CHECK:     %[[WRAPPED:.+]] = arith.select
//       CHECK:     %[[INDEX:.+]] = arith.index_cast %[[WRAPPED]]
//       CHECK:     arith.maxsi %[[INDEX]]
func.func @wrapped_gather(%x: tensor<8xf32>, %ids: tensor<4xi64>) -> tensor<4xf32> {
  %zero = arith.constant 0 : i64
  %size = arith.constant 8 : i64
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%ids : tensor<4xi64>) outs(%empty : tensor<4xf32>) {
  ^bb0(%id: i64, %out: f32):
    %negative = arith.cmpi slt, %id, %zero : i64
    %from_end = arith.addi %id, %size : i64
    %wrapped = arith.select %negative, %from_end, %id : i64
    %index = arith.index_cast %wrapped : i64 to index
    %v = tensor.extract %x[%index] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

/// An assert that says more than the read needs has a message of its own.
// CHECK-LABEL: func.func @own_message(
//       CHECK:   nvfp4.record_error %{{.+}} messages ["expected an element of argument 0 < 5 (only five classes)"]
//  CHECK-SAME:     : tensor<i32>
//   CHECK-NOT:   cf.assert
func.func @own_message(%ids: tensor<4xi64>) -> tensor<4xi64> {
  %five = arith.constant 5 : i64
  %empty = tensor.empty() : tensor<4xi64>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%ids : tensor<4xi64>) outs(%empty : tensor<4xi64>) {
  ^bb0(%id: i64, %out: i64):
    %below = arith.cmpi slt, %id, %five : i64
    cf.assert %below, "only five classes"
    linalg.yield %id : i64
  } -> tensor<4xi64>
  return %y : tensor<4xi64>
}

// -----

/// Only the second loop counts; nothing else has its extent.
// CHECK-LABEL: func.func @index_only(
//       CHECK:   %[[SHAPE:.+]] = tensor.empty() : tensor<4xi1>
//       CHECK:   linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
//  CHECK-SAME:       ins(%[[SHAPE]] : tensor<4xi1>)
//       CHECK:     linalg.index 0
//       CHECK:   nvfp4.record_error
func.func @index_only(%x: tensor<?xf32> {nvfp4.shape = ["m"]}) -> tensor<8x4xf32>
    attributes {nvfp4.dimensions = {m = [2, -1]}} {
  %empty = tensor.empty() : tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>],
                       iterator_types = ["parallel", "parallel"]}
      outs(%empty : tensor<8x4xf32>) {
  ^bb0(%out: f32):
    %j = linalg.index 1 : index
    %v = tensor.extract %x[%j] : tensor<?xf32>
    linalg.yield %v : f32
  } -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

/// No index fits an empty tensor.
// CHECK-LABEL: func.func @never_empty(
//       CHECK:   cf.assert %{{.+}}, "expected dimension 0 of 'table' (rows) to be at least 1, since it is indexed"
func.func @never_empty(%x: tensor<?xf32> {nvfp4.name = "table", nvfp4.shape = ["rows"]},
                       %ids: tensor<4xindex>) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%ids : tensor<4xindex>) outs(%empty : tensor<4xf32>) {
  ^bb0(%id: index, %out: f32):
    %v = tensor.extract %x[%id] : tensor<?xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

/// A division traps on some processors, so it divides by 1 instead.
// CHECK-LABEL: func.func @division(
//       CHECK:   nvfp4.record_error %{{.+}} messages ["integer division without a quotient: expected a divisor other than 0"]
//       CHECK:   linalg.generic
//       CHECK:     %[[SAFE:.+]] = arith.select %{{.+}}, %{{.+}}, %c1_i64
//       CHECK:     arith.divsi %{{.+}}, %[[SAFE]]
func.func @division(%a: tensor<4xi64>, %b: tensor<4xi64>) -> tensor<4xi64> {
  %empty = tensor.empty() : tensor<4xi64>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%a, %b : tensor<4xi64>, tensor<4xi64>) outs(%empty : tensor<4xi64>) {
  ^bb0(%n: i64, %d: i64, %out: i64):
    %q = arith.divsi %n, %d : i64
    linalg.yield %q : i64
  } -> tensor<4xi64>
  return %y : tensor<4xi64>
}

// -----

/// Dimensions only: the host asks before anything runs.
// CHECK-LABEL: func.func @shape_assert(
//       CHECK:   cf.assert %{{.+}}, "expected m == n (mismatched size for broadcast)"
//       CHECK:   linalg.fill
func.func @shape_assert(%a: tensor<?xf32> {nvfp4.shape = ["m"]}, %b: tensor<?xf32> {nvfp4.shape = ["n"]})
    -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %y = linalg.fill ins(%zero : f32) outs(%a : tensor<?xf32>) -> tensor<?xf32>
  %m = tensor.dim %a, %c0 : tensor<?xf32>
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  %same = arith.cmpi eq, %m, %n : index
  cf.assert %same, "mismatched size for broadcast"
  cf.assert %same, "mismatched size for broadcast"
  return %y : tensor<?xf32>
}

// -----

/// So is the division of dimensions, which must not trap before the check.
// CHECK-LABEL: func.func @shape_division(
//       CHECK:   cf.assert %{{.+}}, "integer division without a quotient: expected a divisor other than 0"
//       CHECK:   %[[SAFE:.+]] = arith.select
//       CHECK:   arith.divsi %{{.+}}, %[[SAFE]]
//   CHECK-NOT:   nvfp4.record_error
func.func @shape_division(%a: tensor<?xf32> {nvfp4.shape = ["m"]}, %b: tensor<?xf32> {nvfp4.shape = ["n"]})
    -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %a, %c0 : tensor<?xf32>
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  %q = arith.divsi %m, %n : index
  %empty = tensor.empty(%q) : tensor<?xf32>
  return %empty : tensor<?xf32>
}

// -----

/// At function level the host reads no tensor: what the check needs is computed
/// in an op without loops.
// CHECK-LABEL: func.func @scalar_from_tensor(
//       CHECK:   %[[STATUS:.+]] = linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []}
//       CHECK:     tensor.extract %{{.+}}[%c0]
//       CHECK:     linalg.yield
//       CHECK:   nvfp4.record_error %[[STATUS]] messages ["expected an element of 'n' > 0 (must be positive)"]
//   CHECK-NOT:   cf.assert
func.func @scalar_from_tensor(%n: tensor<1xi64> {nvfp4.name = "n"}) -> tensor<1xi64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i64
  %v = tensor.extract %n[%c0] : tensor<1xi64>
  %positive = arith.cmpi sgt, %v, %zero : i64
  cf.assert %positive, "must be positive"
  return %n : tensor<1xi64>
}

// -----

/// Nothing to do where every index is in range.
// CHECK-LABEL: func.func @negative_in_range(
//   CHECK-NOT:   nvfp4.record_error
//   CHECK-NOT:   arith.maxsi
func.func @negative_in_range(%x: tensor<8xf32>) -> tensor<4xf32> {
  %c3 = arith.constant 3 : index
  %empty = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%empty : tensor<4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = arith.addi %i, %c3 : index
    %v = tensor.extract %x[%j] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
