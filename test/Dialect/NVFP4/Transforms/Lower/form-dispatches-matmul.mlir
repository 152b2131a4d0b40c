// RUN: nvfp4-opt %s --nvfp4-form-dispatches --split-input-file | FileCheck %s

/// Bias, residual and a second result; a transposition that only a product
/// reads. The kernel keeps what was chosen for the product.
// CHECK-LABEL: func.func @matmul_64x32(
//  CHECK-SAME:     -> (tensor<?x4x64xf32>, tensor<4x64x?xbf16>)
//  CHECK-SAME:     nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 32, tile = 16x64x64, warps = 1x1x1, stages = 2>]
//       CHECK:   nvfp4.scaled_matmul
//       CHECK:   arith.addf
//       CHECK:   arith.truncf
//       CHECK:   return
// CHECK-LABEL: func.func @epilogue(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//  CHECK-SAME:     {nvfp4.site = "fc"}
//   CHECK-NOT:   nvfp4.dispatch
func.func @epilogue(%x: tensor<?x16xi8>, %xs: tensor<?x2xi8>, %xg: tensor<f32>, %w: tensor<64x16xi8>, %ws: tensor<64x2xi8>, %wg: tensor<f32>,
                    %bias: tensor<64xf32>, %residual: tensor<?x4x64xf32>) -> (tensor<?x4x64xf32>, tensor<4x64x?xbf16>) {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x16xi8>
  %batch = tensor.dim %residual, %c0 : tensor<?x4x64xf32>
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %p = nvfp4.scaled_matmul lhs !nvfp4.tensor<?x32, nvfp4> rhs !nvfp4.tensor<64x32, nvfp4>
      ins(%x, %xs, %xg, %w, %ws, %wg : tensor<?x16xi8>, tensor<?x2xi8>, tensor<f32>, tensor<64x16xi8>, tensor<64x2xi8>, tensor<f32>)
      outs(%e : tensor<?x64xf32>)
      {nvfp4.site = "fc", nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 32, tile = 16x64x64, warps = 1x1x1, stages = 2>]} -> tensor<?x64xf32>
  %x3 = tensor.expand_shape %p [[0, 1], [2]] output_shape [%batch, 4, 64] : tensor<?x64xf32> into tensor<?x4x64xf32>
  %e3 = tensor.empty(%batch) : tensor<?x4x64xf32>
  %sum = linalg.generic {
      indexing_maps = [affine_map<(b, i, j) -> (b, i, j)>, affine_map<(b, i, j) -> (j)>, affine_map<(b, i, j) -> (b, i, j)>, affine_map<(b, i, j) -> (b, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x3, %bias, %residual : tensor<?x4x64xf32>, tensor<64xf32>, tensor<?x4x64xf32>) outs(%e3 : tensor<?x4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %r: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    %t = arith.addf %s, %r : f32
    linalg.yield %t : f32
  } -> tensor<?x4x64xf32>
  %et = tensor.empty(%batch) : tensor<4x64x?xbf16>
  %half = linalg.generic {
      indexing_maps = [affine_map<(i, j, b) -> (b, i, j)>, affine_map<(i, j, b) -> (i, j, b)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%sum : tensor<?x4x64xf32>) outs(%et : tensor<4x64x?xbf16>) {
  ^bb0(%a: f32, %o: bf16):
    %t = arith.truncf %a : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<4x64x?xbf16>
  return %sum, %half : tensor<?x4x64xf32>, tensor<4x64x?xbf16>
}

// -----

/// Products of one left operand are one kernel, each with an epilogue of its
/// own: what combines them is another kernel, as is a product of another operand.
// CHECK-LABEL: func.func @matmul_2x64x32(
//       CHECK:   nvfp4.scaled_matmul
//       CHECK:   nvfp4.scaled_matmul
//   CHECK-NOT:   linalg.mul
//       CHECK:   return %{{[0-9]+}}, %{{[0-9]+}} : tensor<8x64xf32>, tensor<8x64xf32>
// CHECK-LABEL: func.func @siblings(
//       CHECK:   %[[PQ:.+]]:2 = nvfp4.dispatch @kernels::@matmul_2x64x32
//       CHECK:   nvfp4.dispatch @kernels::@matmul_64x32
//       CHECK:   nvfp4.dispatch @kernels::@element_8x64 ins(%[[PQ]]#0, %[[PQ]]#1
func.func @siblings(%x: tensor<8x16xi8>, %xs: tensor<8x2xi8>, %y: tensor<8x16xi8>, %g: tensor<f32>,
                    %u: tensor<64x16xi8>, %v: tensor<64x16xi8>, %ws: tensor<64x2xi8>) -> (tensor<8x64xf32>, tensor<8x64xf32>) {
  %e = tensor.empty() : tensor<8x64xf32>
  %p = nvfp4.scaled_matmul lhs !nvfp4.tensor<8x32, nvfp4> rhs !nvfp4.tensor<64x32, nvfp4>
      ins(%x, %xs, %g, %u, %ws, %g : tensor<8x16xi8>, tensor<8x2xi8>, tensor<f32>, tensor<64x16xi8>, tensor<64x2xi8>, tensor<f32>)
      outs(%e : tensor<8x64xf32>) -> tensor<8x64xf32>
  %r = nvfp4.scaled_matmul lhs !nvfp4.tensor<8x32, nvfp4> rhs !nvfp4.tensor<64x32, nvfp4>
      ins(%y, %xs, %g, %u, %ws, %g : tensor<8x16xi8>, tensor<8x2xi8>, tensor<f32>, tensor<64x16xi8>, tensor<64x2xi8>, tensor<f32>)
      outs(%e : tensor<8x64xf32>) -> tensor<8x64xf32>
  %q = nvfp4.scaled_matmul lhs !nvfp4.tensor<8x32, nvfp4> rhs !nvfp4.tensor<64x32, nvfp4>
      ins(%x, %xs, %g, %v, %ws, %g : tensor<8x16xi8>, tensor<8x2xi8>, tensor<f32>, tensor<64x16xi8>, tensor<64x2xi8>, tensor<f32>)
      outs(%e : tensor<8x64xf32>) -> tensor<8x64xf32>
  %m = linalg.mul ins(%p, %q : tensor<8x64xf32>, tensor<8x64xf32>) outs(%e : tensor<8x64xf32>) -> tensor<8x64xf32>
  return %m, %r : tensor<8x64xf32>, tensor<8x64xf32>
}

// -----

/// A sum of the product with its transpose reads two elements of it.
// CHECK-LABEL: func.func @negative_two_orders(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_16x32
//       CHECK:   nvfp4.dispatch @kernels::@element_16x16
func.func @negative_two_orders(%x: tensor<16x16xi8>, %xs: tensor<16x2xi8>, %g: tensor<f32>) -> tensor<16x16xf32> {
  %e = tensor.empty() : tensor<16x16xf32>
  %p = nvfp4.scaled_matmul lhs !nvfp4.tensor<16x32, nvfp4> rhs !nvfp4.tensor<16x32, nvfp4>
      ins(%x, %xs, %g, %x, %xs, %g : tensor<16x16xi8>, tensor<16x2xi8>, tensor<f32>, tensor<16x16xi8>, tensor<16x2xi8>, tensor<f32>)
      outs(%e : tensor<16x16xf32>) -> tensor<16x16xf32>
  %s = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%p, %p : tensor<16x16xf32>, tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<16x16xf32>
  return %s : tensor<16x16xf32>
}

// -----

/// A product reads buffers: what is moved in between is stored by whoever
/// computes it, and a contraction without a chosen kernel is left to threads.
// CHECK-LABEL: func.func @element_4x8(
//       CHECK:   linalg.matmul
//       CHECK:   arith.truncf
//       CHECK:   return
// CHECK-LABEL: func.func @matmul_4x8(
//  CHECK-SAME:     %[[A:[^ ]+]]: tensor<4x8xbf16>, %[[B:[^ ]+]]: tensor<8x8xbf16>
//   CHECK-NOT:   tensor.extract_slice
//       CHECK:   return
// CHECK-LABEL: func.func @materialized(
//       CHECK:   nvfp4.dispatch @kernels::@element_4x8
//       CHECK:   nvfp4.dispatch @kernels::@element_8x8
//       CHECK:   nvfp4.dispatch @kernels::@matmul_4x8
func.func @materialized(%x: tensor<4x8xbf16>, %w: tensor<8x8xbf16>, %long: tensor<9x8xbf16>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<4x8xbf16>, tensor<8x8xbf16>) outs(%fill : tensor<4x8xf32>) -> tensor<4x8xf32>
  %eh = tensor.empty() : tensor<4x8xbf16>
  %half = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<4x8xf32>) outs(%eh : tensor<4x8xbf16>) {
  ^bb0(%a: f32, %o: bf16):
    %t = arith.truncf %a : f32 to bf16
    linalg.yield %t : bf16
  } -> tensor<4x8xbf16>
  %slice = tensor.extract_slice %long[1, 0] [8, 8] [1, 1] : tensor<9x8xbf16> to tensor<8x8xbf16>
  %q = linalg.matmul {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 128, tile = 32x32x32, warps = 2x2x1, stages = 2>]}
      ins(%half, %slice : tensor<4x8xbf16>, tensor<8x8xbf16>) outs(%fill : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %q : tensor<4x8xf32>
}

// -----

/// A cache and what a product appends to it are two tensors: the transposition
/// of both is no epilogue of the product.
// CHECK-LABEL: func.func @matmul_8x32(
//   CHECK-NOT:   tensor.concat
//       CHECK: func.func @row_5(
//       CHECK:   tensor.concat
// CHECK-LABEL: func.func @appended(
//       CHECK:   nvfp4.dispatch @kernels::@matmul_8x32
//       CHECK:   nvfp4.dispatch @kernels::@row_5
func.func @appended(%cache: tensor<4x8xf32>, %x: tensor<1x16xi8>, %xs: tensor<1x2xi8>, %xg: tensor<f32>, %w: tensor<8x16xi8>, %ws: tensor<8x2xi8>,
                    %wg: tensor<f32>, %zero: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<1x8xf32>
  %p = nvfp4.scaled_matmul lhs !nvfp4.tensor<1x32, nvfp4> rhs !nvfp4.tensor<8x32, nvfp4>
      ins(%x, %xs, %xg, %w, %ws, %wg : tensor<1x16xi8>, tensor<1x2xi8>, tensor<f32>, tensor<8x16xi8>, tensor<8x2xi8>, tensor<f32>)
      outs(%e : tensor<1x8xf32>)
      {nvfp4.kernel = [#nvfp4.kernel<matmul, threads = 32, tile = 16x64x64, warps = 1x1x1, stages = 2>]} -> tensor<1x8xf32>
  %all = tensor.concat dim(0) %cache, %p : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<5x8xf32>
  %et = tensor.empty() : tensor<8x5xf32>
  %t = linalg.transpose ins(%all : tensor<5x8xf32>) outs(%et : tensor<8x5xf32>) permutation = [1, 0]
  %sum = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<8x5xf32>) outs(%zero : tensor<8xf32>) {
  ^bb0(%a: f32, %s: f32):
    %n = arith.addf %a, %s : f32
    linalg.yield %n : f32
  } -> tensor<8xf32>
  return %sum : tensor<8xf32>
}
