// RUN: nvfp4-opt %s --split-input-file --nvfp4-outline-constants=threshold=16 --mlir-print-local-scope | FileCheck %s

//       CHECK: module attributes {nvfp4.constants = {
//   CHECK-DAG:   constant.0 = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00]> : tensor<5xf32>
//   CHECK-DAG:   constant.table = dense_resource<table> : tensor<8xi64>
//       CHECK: func.func @main(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<5xf32>,
//  CHECK-SAME:     %[[A:[^:]+]]: tensor<5xf32> {nvfp4.weight = "constant.0"},
//  CHECK-SAME:     %[[T:[^:]+]]: tensor<8xi64> {nvfp4.weight = "constant.table"})
func.func @main(%x: tensor<5xf32>)
    -> (tensor<5xf32>, tensor<5xf32>, tensor<8xi64>, tensor<8xf32>, tensor<4xf32>) {
  // Equal constants are one argument.
  %a = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  %t = arith.constant dense_resource<table> : tensor<8xi64> loc("table")
  // Neither a splat nor what is small is data to store.
  // CHECK-DAG: %[[SPLAT:.+]] = arith.constant dense<0.000000e+00> : tensor<8xf32>
  // CHECK-DAG: %[[SMALL:.+]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]> : tensor<4xf32>
  %splat = arith.constant dense<0.0> : tensor<8xf32>
  %small = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  // CHECK: return %[[A]], %[[A]], %[[T]], %[[SPLAT]], %[[SMALL]]
  return %a, %b, %t, %splat, %small
      : tensor<5xf32>, tensor<5xf32>, tensor<8xi64>, tensor<8xf32>, tensor<4xf32>
}

/// One name for one tensor of the file, an argument in each entry.
//       CHECK: func.func @second(%{{.+}}: tensor<5xf32> {nvfp4.weight = "constant.0"})
func.func @second() -> tensor<5xf32> {
  %a = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  return %a : tensor<5xf32>
}

{-#
  dialect_resources: {
    builtin: {
      table: "0x0800000000000000000000000100000000000000020000000000000003000000000000000400000000000000050000000000000006000000000000000700000000000000"
    }
  }
#-}

// -----

/// A name of the weights file is taken.
//       CHECK: func.func @taken_name(
//  CHECK-SAME:     {nvfp4.weight = "constant.0"}
//  CHECK-SAME:     {nvfp4.weight = "constant.0.1"}
func.func @taken_name(%w: tensor<5xf32> {nvfp4.weight = "constant.0"}) -> tensor<5xf32> {
  %a = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  return %a : tensor<5xf32>
}
