// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file | FileCheck %s

/// A sum per row, what follows along the rows, and the elements before it are
/// one kernel.
// CHECK-LABEL: func.func @row_64(
//  CHECK-SAME:     %[[X:[^ ]+]]: tensor<?x64xf32>, %[[OUT:[^ ]+]]: tensor<?x64xf32>) -> tensor<?x64xf32>
//  CHECK-SAME:     nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]
//       CHECK:   %[[ROWS:.+]] = tensor.dim %[[X]]
//       CHECK:   tensor.empty(%[[ROWS]])
//       CHECK:   linalg.exp
//       CHECK:   iterator_types = ["parallel", "reduction"]
//       CHECK:   linalg.generic {{.*}} outs(%[[OUT]]
//       CHECK:   return
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:     %[[X:[^ ]+]]: tensor<?x64xf32>
//       CHECK:   %[[ROWS:.+]] = tensor.dim %[[X]]
//  CHECK-NEXT:   %[[INIT:.+]] = tensor.empty(%[[ROWS]])
//  CHECK-NEXT:   %[[Y:.+]] = nvfp4.dispatch @kernels::@row_64 ins(%[[X]] : tensor<?x64xf32>) outs(%[[INIT]]
//  CHECK-NEXT:   return %[[Y]]
func.func @main(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %s = tensor.empty(%rows) : tensor<?xf32>
  %exp = linalg.exp ins(%x : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%s : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%exp : tensor<?x64xf32>) outs(%fill : tensor<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %a, %o : f32
    linalg.yield %p : f32
  } -> tensor<?xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%exp, %sum : tensor<?x64xf32>, tensor<?xf32>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.divf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
