// RUN: nvfp4-opt %s --nvfp4-plan-workspace --canonicalize --cse --split-input-file | FileCheck %s

#entry = {
  dimensions = [{name = "batch", min = 0, max = -1}],
  arguments = [{kind = "input", name = "x", dtype = "F32", shape = ["batch", 4]}],
  results = [{name = "y", dtype = "F32", shape = ["batch", 4]}]
}

/// Offsets are arithmetic in the dimensions, here and in the plan: the header,
/// then 16 bytes per row, rounded up to 64.
// CHECK-LABEL: func.func private @main.plan(
//  CHECK-SAME:     %[[B:.+]]: index) -> (index, index, index)
//   CHECK-DAG:   %[[C4:.+]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C16:.+]] = arith.constant 16 : index
//   CHECK-DAG:   %[[C63:.+]] = arith.constant 63 : index
//   CHECK-DAG:   %[[C64:.+]] = arith.constant 64 : index
//   CHECK-DAG:   %[[MASK:.+]] = arith.constant -64 : index
//       CHECK:   %[[BYTES:.+]] = arith.muli %[[B]], %[[C16]]
//       CHECK:   %[[UP:.+]] = arith.addi %[[BYTES]], %[[C63]]
//       CHECK:   %[[ROUNDED:.+]] = arith.andi %[[UP]], %[[MASK]]
//       CHECK:   %[[END:.+]] = arith.addi %[[ROUNDED]], %[[C64]]
//       CHECK:   return %[[B]], %[[C4]], %[[END]]
//
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:     %[[X:[^ ]+]]: memref<?x4xf32>, %[[OUT:[^ ]+]]: memref<?x4xf32> {nvfp4.result = 0 : i64}, %[[WORKSPACE:[^ ]+]]: memref<?xi8>)
//  CHECK-SAME:     nvfp4.checks = []
//       CHECK:   %[[C64:.+]] = arith.constant 64 : index
//       CHECK:   %[[ROWS:.+]] = memref.dim %[[X]]
//       CHECK:   memref.view %[[WORKSPACE]][%[[C64]]][%[[ROWS]]] : memref<?xi8> to memref<?x4xf32>
//   CHECK-NOT:   memref.alloc
//       CHECK:   return{{$}}
func.func @main(%x: memref<?x4xf32>, %out: memref<?x4xf32> {nvfp4.result = 0}) -> index
    attributes {nvfp4.entry = #entry} {
  %c0 = arith.constant 0 : index
  %rows = memref.dim %x, %c0 : memref<?x4xf32>
  %t = memref.alloc(%rows) : memref<?x4xf32>
  linalg.exp ins(%x : memref<?x4xf32>) outs(%t : memref<?x4xf32>)
  linalg.exp ins(%t : memref<?x4xf32>) outs(%out : memref<?x4xf32>)
  return %rows : index
}

// -----

/// The first violated check wins; its number counts all messages of the entry.
// CHECK-LABEL: func.func @checks(
//  CHECK-SAME:     %[[A:[^ ]+]]: memref<i32>, %[[WORKSPACE:[^ ]+]]: memref<?xi8>)
//  CHECK-SAME:     nvfp4.checks = ["one", "two", "three"]
//   CHECK-DAG:   %[[C2:.+]] = arith.constant 2 : i32
//   CHECK-DAG:   %[[ZERO:.+]] = arith.constant 0 : i32
//   CHECK-DAG:   %[[WORD:.+]] = memref.view %[[WORKSPACE]]
//       CHECK:   memref.store %{{.+}}, %[[WORD]]
//       CHECK:   %[[STATUS:.+]] = memref.load %[[A]]
//       CHECK:   %[[OLD:.+]] = memref.load %[[WORD]]
//       CHECK:   %[[FIRST:.+]] = arith.cmpi eq, %[[OLD]], %[[ZERO]]
//       CHECK:   %[[BAD:.+]] = arith.cmpi ne, %[[STATUS]], %[[ZERO]]
//       CHECK:   %[[BOTH:.+]] = arith.andi %[[FIRST]], %[[BAD]]
//       CHECK:   %[[NUMBER:.+]] = arith.addi %[[STATUS]], %[[C2]]
//       CHECK:   %[[NEXT:.+]] = arith.select %[[BOTH]], %[[NUMBER]], %[[OLD]]
//       CHECK:   memref.store %[[NEXT]], %[[WORD]]
func.func @checks(%a: memref<i32>)
    attributes {nvfp4.entry = {dimensions = [], arguments = [{name = "a", dtype = "I32", shape = []}], results = []}} {
  nvfp4.record_error %a messages ["one", "two"] : memref<i32>
  nvfp4.record_error %a messages ["three"] : memref<i32>
  return
}
