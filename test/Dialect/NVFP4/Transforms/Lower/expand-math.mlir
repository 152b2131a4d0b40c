// RUN: nvfp4-opt %s --nvfp4-expand-math --split-input-file | FileCheck %s

/// An f32 function is computed in f64 and rounded once.
// CHECK-LABEL: func.func @log(
//  CHECK-SAME:     %[[X:.+]]: f32)
//       CHECK:   arith.extf %[[X]] : f32 to f64
//   CHECK-NOT:   math.log
//       CHECK:   %[[Y:.+]] = arith.truncf %{{.+}} : f64 to f32
//       CHECK:   return %[[Y]]
func.func @log(%x: f32) -> f32 {
  %y = math.log %x : f32
  return %y : f32
}

// -----

/// Frequent ones stay in f32.
// CHECK-LABEL: func.func @tanh(
//   CHECK-NOT:   f64
//   CHECK-NOT:   math.{{tanh|exp}}
//       CHECK:   return %{{.+}} : f32
func.func @tanh(%x: f32) -> f32 {
  %y = math.tanh %x : f32
  return %y : f32
}

// -----

// CHECK-LABEL: func.func @vector(
//   CHECK-NOT:   f64
//       CHECK:   math.fma %{{.+}} : vector<8xf32>
//   CHECK-NOT:   math.{{erf|exp}}
//       CHECK:   return %{{.+}} : vector<8xf32>
func.func @vector(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.erf %x : vector<8xf32>
  return %y : vector<8xf32>
}

// -----

// CHECK-LABEL: func.func @rsqrt(
//  CHECK-SAME:     %[[X:.+]]: f32)
//   CHECK-DAG:   %[[ONE:.+]] = arith.constant 1.0
//   CHECK-DAG:   %[[ROOT:.+]] = math.sqrt %[[X]]
//       CHECK:   arith.divf %[[ONE]], %[[ROOT]]
func.func @rsqrt(%x: f32) -> f32 {
  %y = math.rsqrt %x : f32
  return %y : f32
}

// -----

/// Small powers are products.
// CHECK-LABEL: func.func @square(
//  CHECK-SAME:     %[[X:.+]]: f32)
//       CHECK:   %[[Y:.+]] = arith.mulf %[[X]], %[[X]]
//  CHECK-NEXT:   return %[[Y]]
func.func @square(%x: f32) -> f32 {
  %two = arith.constant 2.0 : f32
  %y = math.powf %x, %two : f32
  return %y : f32
}

// -----

// CHECK-LABEL: func.func @division(
//  CHECK-SAME:     %[[X:.+]]: i32, %[[Y:.+]]: i32)
//   CHECK-DAG:   %[[IS0:.+]] = arith.cmpi eq, %[[Y]], %c0_i32
//   CHECK-DAG:   %[[SAFE0:.+]] = arith.select %[[IS0]], %c1_i32, %[[Y]]
//   CHECK-DAG:   %[[ISM1:.+]] = arith.cmpi eq, %[[Y]], %c-1_i32
//   CHECK-DAG:   %[[SAFE:.+]] = arith.select %[[ISM1]], %c1_i32, %[[SAFE0]]
//       CHECK:   %[[Q:.+]] = arith.divsi %[[X]], %[[SAFE]]
//       CHECK:   %[[NEG:.+]] = arith.subi %{{.+}}, %[[X]]
//       CHECK:   %[[R:.+]] = arith.select %[[ISM1]], %[[NEG]], %[[Q]]
//       CHECK:   return %[[R]]
func.func @division(%x: i32, %y: i32) -> i32 {
  %q = arith.divsi %x, %y : i32
  return %q : i32
}

// -----

// CHECK-LABEL: func.func @negative_constant_divisor(
//  CHECK-SAME:     %[[X:.+]]: index)
//       CHECK:   arith.divsi %[[X]], %c12
//   CHECK-NOT:   arith.select
func.func @negative_constant_divisor(%x: index) -> index {
  %c12 = arith.constant 12 : index
  %q = arith.divsi %x, %c12 : index
  return %q : index
}

// -----

/// One instruction each.
// CHECK-LABEL: func.func @negative_native(
//       CHECK:   math.floor
//       CHECK:   math.sqrt
func.func @negative_native(%x: f32) -> f32 {
  %y = math.floor %x : f32
  %z = math.sqrt %y : f32
  return %z : f32
}
