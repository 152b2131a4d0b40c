// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file | FileCheck %s

/// Slices, concatenations and broadcasts are repeated in the kernel that reads
/// them; functions that read the same elements are one.
// CHECK-LABEL: func.func @element_4x16(
//  CHECK-SAME:     %[[X:[^ ]+]]: tensor<4x8xf32>
//       CHECK:   tensor.concat
//       CHECK:   linalg.generic
//       CHECK:   linalg.generic
//       CHECK:   return
// CHECK-LABEL: func.func @moves(
//       CHECK:   nvfp4.dispatch @kernels::@element_4x16 ins(%{{[^ ]+}} : tensor<4x8xf32>)
//   CHECK-NOT:   nvfp4.dispatch
func.func @moves(%x: tensor<4x8xf32>) -> (tensor<4x16xf32>, tensor<4x16xf32>) {
  %c = tensor.concat dim(1) %x, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x16xf32>
  %e = tensor.empty() : tensor<4x16xf32>
  %sin = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.sin %a : f32
    linalg.yield %p : f32
  } -> tensor<4x16xf32>
  %cos = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.cos %a : f32
    linalg.yield %p : f32
  } -> tensor<4x16xf32>
  return %sin, %cos : tensor<4x16xf32>, tensor<4x16xf32>
}

// -----

/// An exponential that a broadcast reads eight times is computed once.
// CHECK-LABEL: func.func @negative_repeated(
//       CHECK:   nvfp4.dispatch @kernels::@element_4
//       CHECK:   nvfp4.dispatch @kernels::@element_4x8
func.func @negative_repeated(%x: tensor<4xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %exp = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %e2 = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%exp : tensor<4xf32>) outs(%e2 : tensor<4x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.negf %a : f32
    linalg.yield %p : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

/// Equal kernels are one, whatever they work on; others get a number.
// CHECK-LABEL: module @kernels
//       CHECK:   func.func @element_d(
//       CHECK:   func.func @element_d_1(
//   CHECK-NOT:   func.func
// CHECK-LABEL: func.func @equal(
//       CHECK:   %[[A:.+]] = nvfp4.dispatch @kernels::@element_d ins(%arg0
//       CHECK:   nvfp4.dispatch @kernels::@element_d ins(%arg1
//       CHECK:   nvfp4.dispatch @kernels::@element_d_1 ins(%[[A]]
func.func @equal(%x: tensor<?xf32>, %y: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %dx = tensor.dim %x, %c0 : tensor<?xf32>
  %dy = tensor.dim %y, %c0 : tensor<?xf32>
  %ex = tensor.empty(%dx) : tensor<?xf32>
  %ey = tensor.empty(%dy) : tensor<?xf32>
  %a = linalg.exp ins(%x : tensor<?xf32>) outs(%ex : tensor<?xf32>) -> tensor<?xf32>
  %s = tensor.pad %a low[1] high[1] {
  ^bb0(%i: index):
    %zero = arith.constant 0.0 : f32
    tensor.yield %zero : f32
  } : tensor<?xf32> to tensor<?xf32>
  %b = linalg.exp ins(%y : tensor<?xf32>) outs(%ey : tensor<?xf32>) -> tensor<?xf32>
  return %a, %s, %b : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}

// -----

/// An extent that no operand has comes from an argument of the entry; a result
/// is written in the shape that is returned; host code stays behind the kernel
/// that it needs, and before the first one if it needs none.
// CHECK-LABEL: func.func @element_d(
//  CHECK-SAME:     %[[X:[^ ]+]]: tensor<?x8xf32>, %[[N:[^ ]+]]: tensor<?xi64>, %{{[^ ]+}}: tensor<?xf32>) -> tensor<?xf32>
//       CHECK:   tensor.dim %[[N]]
//       CHECK:   tensor.collapse_shape
//  CHECK-NEXT:   return
// CHECK-LABEL: func.func @host(
//       CHECK:   cf.assert
//       CHECK:   nvfp4.dispatch @kernels::@row_all
//  CHECK-NEXT:   nvfp4.record_error
//       CHECK:   %[[Y:.+]] = nvfp4.dispatch @kernels::@element_d
//  CHECK-NEXT:   return %[[Y]]
func.func @host(%x: tensor<?x8xf32>, %n: tensor<?xi64>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i32
  %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
  %dn = tensor.dim %n, %c0 : tensor<?xi64>
  %es = tensor.empty() : tensor<i32>
  %fs = linalg.fill ins(%zero : i32) outs(%es : tensor<i32>) -> tensor<i32>
  %status = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%n : tensor<?xi64>) outs(%fs : tensor<i32>) {
  ^bb0(%a: i64, %o: i32):
    %t = arith.trunci %a : i64 to i32
    %m = arith.maxsi %t, %o : i32
    linalg.yield %m : i32
  } -> tensor<i32>
  nvfp4.record_error %status messages ["expected zeros"] : tensor<i32>
  %e = tensor.empty(%rows) : tensor<?x8xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %i = arith.index_cast %dn : index to i64
    %f = arith.sitofp %i : i64 to f32
    %p = arith.divf %a, %f : f32
    linalg.yield %p : f32
  } -> tensor<?x8xf32>
  %flat = tensor.collapse_shape %y [[0, 1]] : tensor<?x8xf32> into tensor<?xf32>
  %ok = arith.cmpi sge, %dn, %c0 : index
  cf.assert %ok, "expected elements"
  return %flat : tensor<?xf32>
}
