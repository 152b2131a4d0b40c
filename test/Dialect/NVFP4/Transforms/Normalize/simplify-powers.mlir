// RUN: nvfp4-opt %s --nvfp4-simplify-powers | FileCheck %s

// CHECK-LABEL: func.func @square(
//  CHECK-SAME:     %[[X:.+]]: f32
//       CHECK:   %[[Y:.+]] = arith.mulf %[[X]], %[[X]] : f32
//       CHECK:   return %[[Y]]
func.func @square(%x: f32) -> f32 {
  %c2 = arith.constant 2 : i64
  %y = math.fpowi %x, %c2 : f32, i64
  return %y : f32
}

// CHECK-LABEL: func.func @fifth(
//   CHECK-NOT:   math
//       CHECK:   return
func.func @fifth(%x: f32) -> f32 {
  %c5 = arith.constant 5 : i64
  %y = math.fpowi %x, %c5 : f32, i64
  return %y : f32
}

// CHECK-LABEL: func.func @root(
//       CHECK:   math.sqrt
func.func @root(%x: f32) -> f32 {
  %half = arith.constant 0.5 : f32
  %y = math.powf %x, %half : f32
  return %y : f32
}

/// An exponent that has no form of its own, and one that is not known.
// CHECK-LABEL: func.func @negative_general(
//       CHECK:   math.powf
//       CHECK:   math.powf
func.func @negative_general(%x: f32, %e: f32) -> (f32, f32) {
  %third = arith.constant 0.333333 : f32
  %y = math.powf %x, %third : f32
  %z = math.powf %x, %e : f32
  return %y, %z : f32, f32
}
