// RUN: nvfp4-opt %s --nvfp4-record-entry --nvfp4-results-to-destinations --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @dynamic(
//  CHECK-SAME:     %[[X:.+]]: tensor<?x4xf32> {bufferization.writable = false
//  CHECK-SAME:     %[[OUT:.+]]: memref<?x4xf32> {nvfp4.name = "y", nvfp4.result = 0 : i64}
//  CHECK-SAME:     -> index
//       CHECK:   %[[ROWS:.+]] = tensor.dim %[[X]]
//       CHECK:   %[[Y:.+]] = linalg.exp
//       CHECK:   bufferization.materialize_in_destination %[[Y]] in restrict writable %[[OUT]]
//       CHECK:   return %[[ROWS]] : index
func.func @dynamic(%x: tensor<?x4xf32> {nvfp4.shape = ["batch", 4]})
    -> (tensor<?x4xf32> {nvfp4.name = "y"}) {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%b) : tensor<?x4xf32>
  %y = linalg.exp ins(%x : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

/// No destination passes through an expand_shape, so the destination is
/// collapsed instead.
// CHECK-LABEL: func.func @expanded(
//  CHECK-SAME:     %[[OUT:[^ ]+]]: memref<2x3xf32> {nvfp4.result = 0 : i64}
//       CHECK:   %[[FLAT:.+]] = memref.collapse_shape %[[OUT]] {{\[}}[0, 1]] : memref<2x3xf32> into memref<6xf32>
//       CHECK:   %[[Y:.+]] = linalg.exp
//       CHECK:   bufferization.materialize_in_destination %[[Y]] in restrict writable %[[FLAT]]
func.func @expanded(%x: tensor<6xf32>) -> tensor<2x3xf32> {
  %e = tensor.empty() : tensor<6xf32>
  %y = linalg.exp ins(%x : tensor<6xf32>) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %z = tensor.expand_shape %y [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// -----

/// One empty tensor per use: two ops must not compete for one destination.
// CHECK-LABEL: func.func @shared_empty(
//       CHECK:   %[[E0:.+]] = tensor.empty()
//       CHECK:   %[[E1:.+]] = tensor.empty()
//       CHECK:   linalg.exp {{.*}} outs(%[[E0]]
//       CHECK:   linalg.exp {{.*}} outs(%[[E1]]
func.func @shared_empty(%x: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  %e = tensor.empty() : tensor<6xf32>
  %y = linalg.exp ins(%x : tensor<6xf32>) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %z = linalg.exp ins(%y : tensor<6xf32>) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  return %y, %z : tensor<6xf32>, tensor<6xf32>
}

// -----

/// Nor for what is left of a shared tensor when another op has overwritten it:
/// the writes at the end follow each other. A fill is repeated…
// CHECK-LABEL: func.func @shared_fill(
//   CHECK-DAG:   %[[E0:.+]] = tensor.empty()
//   CHECK-DAG:   %[[E1:.+]] = tensor.empty()
//   CHECK-DAG:   %[[Z0:.+]] = linalg.fill {{.*}} outs(%[[E0]]
//   CHECK-DAG:   %[[Z1:.+]] = linalg.fill {{.*}} outs(%[[E1]]
//       CHECK:   linalg.reduce {{.*}} outs(%[[Z1]]
//       CHECK:   linalg.reduce {{.*}} outs(%[[Z0]]
func.func @shared_fill(%x: tensor<6x8xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %sum = linalg.reduce {arith.addf} ins(%x : tensor<6x8xf32>) outs(%z : tensor<6xf32>) dimensions = [1]
  %max = linalg.reduce {arith.maximumf} ins(%x : tensor<6x8xf32>) outs(%z : tensor<6xf32>) dimensions = [1]
  return %sum, %max : tensor<6xf32>, tensor<6xf32>
}

// -----

/// …and what costs more is copied.
// CHECK-LABEL: func.func @shared_init(
//       CHECK:   %[[Y:.+]] = linalg.exp
//       CHECK:   %[[COPY:.+]] = linalg.copy ins(%[[Y]] : tensor<?xf32>)
//       CHECK:   linalg.reduce {{.*}} outs(%[[COPY]]
func.func @shared_init(%x: tensor<?x8xf32>, %b: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = linalg.exp ins(%b : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.reduce {arith.addf} ins(%x : tensor<?x8xf32>) outs(%y : tensor<?xf32>) dimensions = [1]
  return %sum, %y : tensor<?xf32>, tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @loop(
//       CHECK:   scf.for {{.*}} iter_args(%[[CARRIED:.+]] = %
//       CHECK:     %[[NEXT:.+]] = linalg.exp
//       CHECK:     %[[INPLACE:.+]] = bufferization.materialize_in_destination %[[NEXT]] in %[[CARRIED]]
//       CHECK:     scf.yield %[[INPLACE]]
func.func @loop(%x: tensor<6xf32>) -> tensor<6xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %y = scf.for %i = %c0 to %c9 step %c1 iter_args(%t = %x) -> tensor<6xf32> {
    %e = tensor.empty() : tensor<6xf32>
    %n = linalg.exp ins(%t : tensor<6xf32>) outs(%e : tensor<6xf32>) -> tensor<6xf32>
    scf.yield %n : tensor<6xf32>
  }
  return %y : tensor<6xf32>
}

// -----

/// The extent of a branch's result is known outside, if both sides agree.
// CHECK-LABEL: func.func @branch(
//  CHECK-SAME:     %[[X:.+]]: tensor<?xf32> {
//       CHECK:   } else {
//       CHECK:   %[[N:.+]] = tensor.dim %[[X]]
//       CHECK:   return %[[N]]
func.func @branch(%x: tensor<?xf32> {nvfp4.shape = ["n"]}, %c: tensor<i1>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %cond = tensor.extract %c[] : tensor<i1>
  %y = scf.if %cond -> tensor<?xf32> {
    %n = tensor.dim %x, %c0 : tensor<?xf32>
    %e = tensor.empty(%n) : tensor<?xf32>
    %z = linalg.exp ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
    scf.yield %z : tensor<?xf32>
  } else {
    scf.yield %x : tensor<?xf32>
  }
  return %y : tensor<?xf32>
}

// -----

/// Private functions are nobody's entry.
// CHECK-LABEL: func.func private @negative_private(
//  CHECK-SAME:     -> tensor<6xf32>
func.func private @negative_private(%x: tensor<6xf32>) -> tensor<6xf32> {
  return %x : tensor<6xf32>
}
