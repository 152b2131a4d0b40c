// RUN: nvfp4-opt %s --split-input-file --nvfp4-narrow-f64 | FileCheck %s
// RUN: nvfp4-opt %s --split-input-file --nvfp4-narrow-f64=keep | FileCheck %s --check-prefix=KEEP

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

/// The variance of a layer norm, as torch-mlir writes it.
// CHECK-LABEL: func.func @statistics(
//   CHECK-NOT:   f64
//       CHECK:   linalg.generic
//       CHECK:   ^{{.+}}(%[[IN:.+]]: f32, %{{.+}}: f32):
//  CHECK-NEXT:     linalg.yield %[[IN]] : f32
//       CHECK:   linalg.fill ins(%{{.+}} : f32)
//       CHECK:     arith.addf %{{.+}} : f32
//       CHECK:   return
// KEEP-LABEL: func.func @statistics(
//       KEEP:   arith.extf %{{.+}} : f32 to f64
func.func @statistics(%x: tensor<4x8xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f64
  %eps = arith.constant 9.9999999999999998E-13 : f64
  %e0 = tensor.empty() : tensor<4x8xf64>
  %wide = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e0 : tensor<4x8xf64>) {
  ^bb0(%in: f32, %out: f64):
    %w = arith.extf %in : f32 to f64
    linalg.yield %w : f64
  } -> tensor<4x8xf64>
  %e1 = tensor.empty() : tensor<4xf64>
  %init = linalg.fill ins(%zero : f64) outs(%e1 : tensor<4xf64>) -> tensor<4xf64>
  %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%wide : tensor<4x8xf64>) outs(%init : tensor<4xf64>) {
  ^bb0(%in: f64, %out: f64):
    %s = arith.addf %in, %out : f64
    linalg.yield %s : f64
  } -> tensor<4xf64>
  %e2 = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%sum : tensor<4xf64>) outs(%e2 : tensor<4xf32>) {
  ^bb0(%in: f64, %out: f32):
    %t = arith.truncf %in : f64 to f32
    %c = arith.truncf %eps : f64 to f32
    %s = arith.addf %t, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

/// An entry's interface is the caller's: cast at the border.
// CHECK-LABEL: func.func @border(
//  CHECK-SAME:     %[[X:.+]]: tensor<?xf64>, %[[S:.+]]: f64) -> (tensor<?xf64>, f64)
//   CHECK-DAG:   %[[SCALE:.+]] = arith.truncf %[[S]] : f64 to f32
//   CHECK-DAG:   arith.truncf %{{.+}} : f64 to f32
//       CHECK:   arith.mulf %{{.+}}, %[[SCALE]] : f32
//       CHECK:   arith.extf %{{.+}} : f32 to f64
//       CHECK:   %[[R:.+]] = arith.extf %[[SCALE]] : f32 to f64
//       CHECK:   return %{{.+}}, %[[R]] : tensor<?xf64>, f64
func.func @border(%x: tensor<?xf64>, %s: f64) -> (tensor<?xf64>, f64) {
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      outs(%x : tensor<?xf64>) {
  ^bb0(%out: f64):
    %p = arith.mulf %out, %s : f64
    linalg.yield %p : f64
  } -> tensor<?xf64>
  return %y, %s : tensor<?xf64>, f64
}

// -----

/// What guards a division must not become 0. Infinity, as in masks, stays.
// CHECK-LABEL: func.func @constants(
//   CHECK-DAG:   arith.constant 1.17549435E-38 : f32
//   CHECK-DAG:   arith.constant 0xFF800000 : f32
//   CHECK-DAG:   arith.constant dense<[1.000000e+00, -1.17549435E-38]> : tensor<2xf32>
func.func @constants() -> (f32, f32, tensor<2xf32>) {
  %tiny = arith.constant 1.0e-300 : f64
  %mask = arith.constant 0xFFF0000000000000 : f64
  %pair = arith.constant dense<[1.0, -1.0e-42]> : tensor<2xf64>
  %a = arith.truncf %tiny : f64 to f32
  %b = arith.truncf %mask : f64 to f32
  %c = arith.truncf %pair : tensor<2xf64> to tensor<2xf32>
  return %a, %b, %c : f32, f32, tensor<2xf32>
}

// -----

/// A private function is ours, and so is its interface.
// CHECK-LABEL: func.func private @callee(
//  CHECK-SAME:     %{{.+}}: f32) -> f32
func.func private @callee(%x: f64) -> f64 {
  return %x : f64
}

//       CHECK: func.func @caller(%{{.+}}: f32) -> f32
//       CHECK:   call @callee(%{{.+}}) : (f32) -> f32
func.func @caller(%x: f32) -> f32 {
  %w = arith.extf %x : f32 to f64
  %r = func.call @callee(%w) : (f64) -> f64
  %n = arith.truncf %r : f64 to f32
  return %n : f32
}
