// RUN: nvfp4-opt %s --nvfp4-fuse-elementwise=through-reshapes | FileCheck %s

#row = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>
#all = affine_map<(b, m, n) -> (b, m, n)>

/// The bias is added where the function is applied: behind the reshape.
// CHECK-LABEL: func.func @bias(
//  CHECK-SAME:     %[[X:[^ ]+]]: tensor<?x8xf32>
//       CHECK:   %[[Y:.+]] = tensor.expand_shape %[[X]]
//       CHECK:   linalg.generic {{.*}} ins(%[[Y]],
//       CHECK:     arith.addf
//       CHECK:     math.tanh
//   CHECK-NOT:   linalg.generic
//       CHECK:   return
func.func @bias(%x: tensor<?x8xf32>, %b: tensor<8xf32>, %rows: index, %batch: index) -> tensor<?x4x8xf32> {
  %e = tensor.empty(%rows) : tensor<?x8xf32>
  %0 = linalg.generic {indexing_maps = [#row, #column, #row], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<?x8xf32>, tensor<8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %s = arith.addf %in, %bias : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [%batch, 4, 8] : tensor<?x8xf32> into tensor<?x4x8xf32>
  %f = tensor.empty(%batch) : tensor<?x4x8xf32>
  %2 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%1 : tensor<?x4x8xf32>) outs(%f : tensor<?x4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %t = math.tanh %in : f32
    linalg.yield %t : f32
  } -> tensor<?x4x8xf32>
  return %2 : tensor<?x4x8xf32>
}
