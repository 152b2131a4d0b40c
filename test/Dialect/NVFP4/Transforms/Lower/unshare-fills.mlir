// RUN: nvfp4-opt %s --nvfp4-unshare-fills | FileCheck %s

#row = affine_map<(m, n) -> (m, n)>
#sum = affine_map<(m, n) -> (m)>

/// Two reductions update two fills.
// CHECK-LABEL: func.func @two(
//       CHECK:   %[[E:.+]] = tensor.empty
//       CHECK:   %[[A:.+]] = linalg.fill {{.*}} outs(%[[E]]
//       CHECK:   linalg.generic {{.*}} outs(%[[A]] : tensor<?xf32>)
//       CHECK:   %[[F:.+]] = tensor.empty
//       CHECK:   %[[B:.+]] = linalg.fill {{.*}} outs(%[[F]]
//       CHECK:   linalg.generic {{.*}} outs(%[[B]] : tensor<?xf32>)
func.func @two(%x: tensor<?x8xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%rows) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %0 = linalg.generic {indexing_maps = [#row, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x8xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %out : f32
    linalg.yield %s : f32
  } -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [#row, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x8xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.maximumf %in, %out : f32
    linalg.yield %m : f32
  } -> tensor<?xf32>
  return %0, %1 : tensor<?xf32>, tensor<?xf32>
}
