// RUN: nvfp4-opt %s --nvfp4-quantize-contractions --canonicalize --split-input-file | FileCheck %s

/// B[N, K] is the transpose of what linalg.matmul reads. Each row of the
/// activation has a global scale, so that it does not depend on its batch. The
/// policy's attributes go, but for the site.
// CHECK-LABEL: func.func @matmul_static_f32(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<8x64xf32>, %[[W:[^:]+]]: tensor<64x32xf32>
//       CHECK:   %[[T:.+]] = linalg.transpose ins(%[[W]] : {{.+}} permutation = [1, 0]
//       CHECK:   %[[WG:.+]] = nvfp4.global_scale %[[T]] : tensor<32x64xf32> -> tensor<f32>
//       CHECK:   %[[WQ:.+]] = nvfp4.quantize %[[T]] global_scale %[[WG]]
//       CHECK:   %[[XG:.+]] = nvfp4.global_scale %[[X]] per_row : tensor<8x64xf32> -> tensor<8xf32>
//       CHECK:   %[[XQ:.+]] = nvfp4.quantize %[[X]] global_scale %[[XG]]
//       CHECK:   %[[Y:.+]] = nvfp4.matmul %[[XQ]], %[[WQ]] {nvfp4.site = "fc"}
//  CHECK-SAME:     : !nvfp4.tensor<8x64, nvfp4<global = row>>, !nvfp4.tensor<32x64, nvfp4> -> tensor<8x32xf32>
//       CHECK:   return %[[Y]]
func.func @matmul_static_f32(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}) -> tensor<8x32xf32> {
  %zero = arith.constant 0.0 : f32
  %init = tensor.empty() : tensor<8x32xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4>, nvfp4.site = "fc", nvfp4.class = "linear", nvfp4.rule = "all"}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

/// The transpose of the weight is one already: nothing is moved.
// CHECK-LABEL: func.func @matmul_dynamic_transposed(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x64xf32>, %[[W:[^:]+]]: tensor<32x64xf32>
//   CHECK-NOT:   linalg.transpose
//       CHECK:   %[[WQ:.+]] = nvfp4.quantize %[[W]]
//       CHECK:   %[[XG:.+]] = nvfp4.global_scale %[[X]] : tensor<?x64xf32> -> tensor<f32>
//       CHECK:   %[[XQ:.+]] = nvfp4.quantize %[[X]] global_scale %[[XG]]
//       CHECK:   nvfp4.matmul %[[XQ]], %[[WQ]] : !nvfp4.tensor<?x64, nvfp4>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
func.func @matmul_dynamic_transposed(%x: tensor<?x64xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"},
                                     %init: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
  %empty = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%w : tensor<32x64xf32>) outs(%empty : tensor<64x32xf32>) permutation = [1, 0]
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4, activations = dynamic<tensor>>}
      ins(%x, %t : tensor<?x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

/// torch-mlir repeats a weight for each matrix of a batch. It is used once, and
/// the batch becomes rows.
#repeated = affine_map<(b, k, n) -> (k, n)>
#whole = affine_map<(b, k, n) -> (b, k, n)>
// CHECK-LABEL: func.func @batch_matmul_broadcast(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<?x7x64xf32>, %[[W:[^:]+]]: tensor<32x64xf32>
//   CHECK-NOT:   linalg.generic
//       CHECK:   %[[ROWS:.+]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]]
//       CHECK:   %[[WQ:.+]] = nvfp4.quantize %[[W]]
//       CHECK:   %[[XG:.+]] = nvfp4.global_scale %[[ROWS]] per_row
//       CHECK:   %[[XQ:.+]] = nvfp4.quantize %[[ROWS]] global_scale %[[XG]]
//       CHECK:   %[[D:.+]] = nvfp4.matmul %[[XQ]], %[[WQ]]
//       CHECK:   %[[Y:.+]] = tensor.expand_shape %[[D]] {{\[\[}}0, 1], [2]] output_shape [%{{.+}}, 7, 32]
//       CHECK:   return %[[Y]]
func.func @batch_matmul_broadcast(%x: tensor<?x7x64xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"}, %b: index) -> tensor<?x7x32xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%w : tensor<32x64xf32>) outs(%e0 : tensor<64x32xf32>) permutation = [1, 0]
  %e1 = tensor.empty(%b) : tensor<?x64x32xf32>
  %many = linalg.generic {indexing_maps = [#repeated, #whole], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%t : tensor<64x32xf32>) outs(%e1 : tensor<?x64x32xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x64x32xf32>
  %e2 = tensor.empty(%b) : tensor<?x7x32xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x7x32xf32>) -> tensor<?x7x32xf32>
  %y = linalg.batch_matmul {nvfp4.precision = #nvfp4.precision<nvfp4>}
      ins(%x, %many : tensor<?x7x64xf32>, tensor<?x64x32xf32>) outs(%zeros : tensor<?x7x32xf32>) -> tensor<?x7x32xf32>
  return %y : tensor<?x7x32xf32>
}

// -----

/// W X is the transpose of X^T W^T. The activation stays a float tensor.
// CHECK-LABEL: func.func @matmul_weight_on_lhs(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<64x?xf32>, %[[W:[^:]+]]: tensor<32x64xf32>
//       CHECK:   %[[T:.+]] = linalg.transpose ins(%[[X]] : {{.+}} permutation = [1, 0]
//       CHECK:   %[[WQ:.+]] = nvfp4.quantize %[[W]]
//       CHECK:   %[[D:.+]] = nvfp4.matmul %[[T]], %[[WQ]] : tensor<?x64xf32>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
//       CHECK:   linalg.transpose ins(%[[D]] : {{.+}} permutation = [1, 0]
func.func @matmul_weight_on_lhs(%x: tensor<64x?xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"}, %init: tensor<32x?xf32>) -> tensor<32x?xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<32x?xf32>) -> tensor<32x?xf32>
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4_weight_only>}
      ins(%w, %x : tensor<32x64xf32>, tensor<64x?xf32>) outs(%zeros : tensor<32x?xf32>) -> tensor<32x?xf32>
  return %y : tensor<32x?xf32>
}

// -----

/// One matrix per expert: each has its global scale.
// CHECK-LABEL: func.func @batch_matmul_experts(
//       CHECK:   linalg.transpose {{.+}} permutation = [0, 2, 1]
//       CHECK:   %[[G:.+]] = nvfp4.global_scale %[[T:.+]] per_slice : tensor<4x32x64xf32> -> tensor<4xf32>
//       CHECK:   nvfp4.quantize %[[T]] global_scale %[[G]]
//       CHECK:   nvfp4.matmul {{.+}} : !nvfp4.tensor<4x?x64, nvfp4<global = row>>, !nvfp4.tensor<4x32x64, nvfp4<global = slice>> -> tensor<4x?x32xf32>
func.func @batch_matmul_experts(%x: tensor<4x?x64xf32>, %w: tensor<4x64x32xf32> {nvfp4.weight = "experts"}, %init: tensor<4x?x32xf32>) -> tensor<4x?x32xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<4x?x32xf32>) -> tensor<4x?x32xf32>
  %y = linalg.batch_matmul {nvfp4.precision = #nvfp4.precision<nvfp4>}
      ins(%x, %w : tensor<4x?x64xf32>, tensor<4x64x32xf32>) outs(%zeros : tensor<4x?x32xf32>) -> tensor<4x?x32xf32>
  return %y : tensor<4x?x32xf32>
}

// -----

/// What the contraction accumulates into is added: nvfp4.matmul starts from
/// nothing. MXFP4 has no global scale.
// CHECK-LABEL: func.func @matmul_bias_as_init(
//  CHECK-SAME:     %[[BIAS:[^:]+]]: tensor<8x32xf32>) ->
//   CHECK-NOT:   nvfp4.global_scale
//       CHECK:   %[[D:.+]] = nvfp4.matmul {{.+}} : !nvfp4.tensor<8x64, mxfp4>, !nvfp4.tensor<32x64, mxfp4> -> tensor<8x32xf32>
//       CHECK:   %[[Y:.+]] = linalg.add ins(%[[D]], %[[BIAS]] :
//       CHECK:   return %[[Y]]
func.func @matmul_bias_as_init(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}, %bias: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<mxfp4>}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%bias : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

/// A calibrated scale is a scalar of the weights file, read once by all.
// CHECK-LABEL: func.func @matmul_static_scale(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<8x64xf32>
//  CHECK-SAME:     , %[[G:[^:]+]]: tensor<f32> {nvfp4.weight = "fc.input_scale"}) ->
//       CHECK:   nvfp4.quantize %[[X]] global_scale %[[G]] : tensor<8x64xf32>, tensor<f32> -> !nvfp4.tensor<8x64, nvfp4<convention = multiply>>
//       CHECK:   nvfp4.quantize %[[X]] global_scale %[[G]]
func.func @matmul_static_scale(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}) -> (tensor<8x32xf32>, tensor<8x32xf32>) {
  %zero = arith.constant 0.0 : f32
  %init = tensor.empty() : tensor<8x32xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4, activations = static<"fc.input_scale">>}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<8x32xf32>) -> tensor<8x32xf32>
  %z = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4, activations = static<"fc.input_scale">>}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y, %z : tensor<8x32xf32>, tensor<8x32xf32>
}

// -----

/// Attention: bf16 operands, products and sums in f32.
// CHECK-LABEL: func.func @batch_matmul_attention_bf16(
//       CHECK:   %[[A:.+]] = linalg.generic
//       CHECK:     arith.truncf %{{.+}} : f32 to bf16
//       CHECK:   %[[B:.+]] = linalg.generic
//       CHECK:     arith.truncf %{{.+}} : f32 to bf16
//       CHECK:   linalg.generic {{.+}} ins(%[[A]], %[[B]] : tensor<?x12x16xbf16>, tensor<?x16x12xbf16>) outs(%{{.+}} : tensor<?x12x12xf32>)
//       CHECK:     %[[L:.+]] = arith.extf %{{.+}} : bf16 to f32
//       CHECK:     %[[R:.+]] = arith.extf %{{.+}} : bf16 to f32
//       CHECK:     %[[TERM:.+]] = arith.mulf %[[L]], %[[R]] : f32
//       CHECK:     arith.addf %{{.+}}, %[[TERM]] : f32
func.func @batch_matmul_attention_bf16(%q: tensor<?x12x16xf32>, %k: tensor<?x16x12xf32>, %init: tensor<?x12x12xf32>) -> tensor<?x12x12xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<?x12x12xf32>) -> tensor<?x12x12xf32>
  %y = linalg.batch_matmul {nvfp4.precision = #nvfp4.precision<bf16>}
      ins(%q, %k : tensor<?x12x16xf32>, tensor<?x16x12xf32>) outs(%zeros : tensor<?x12x12xf32>) -> tensor<?x12x12xf32>
  return %y : tensor<?x12x12xf32>
}

// -----

/// A linear layer in bf16 brings its weight into the same form [N, K].
// CHECK-LABEL: func.func @matmul_bf16(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<8x64xf32>, %[[W:[^:]+]]: tensor<64x32xf32>
//       CHECK:   linalg.transpose ins(%[[W]] :
//       CHECK:   linalg.generic {{.+}} ins(%{{.+}}, %{{.+}} : tensor<8x64xbf16>, tensor<32x64xbf16>) outs(%{{.+}} : tensor<8x32xf32>)
func.func @matmul_bf16(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}) -> tensor<8x32xf32> {
  %zero = arith.constant 0.0 : f32
  %init = tensor.empty() : tensor<8x32xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<bf16>}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

/// A generic op with two dimensions of rows, written by a user in another order
/// of loops; the result is transposed back.
// CHECK-LABEL: func.func @generic_dynamic_f32(
//  CHECK-SAME:     %[[X:[^:]+]]: tensor<2x?x64xf32>, %[[W:[^:]+]]: tensor<32x64xf32>
//       CHECK:   %[[ROWS:.+]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]]
//       CHECK:   %[[D:.+]] = nvfp4.matmul %{{.+}}, %{{.+}} : !nvfp4.tensor<?x64, nvfp4<global = row>>
//       CHECK:   %[[E:.+]] = tensor.expand_shape %[[D]] {{\[\[}}0, 1], [2]] output_shape [2, %{{.+}}, 32]
//       CHECK:   linalg.transpose ins(%[[E]] : {{.+}} permutation = [2, 0, 1]
func.func @generic_dynamic_f32(%x: tensor<2x?x64xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"}, %init: tensor<32x2x?xf32>) -> tensor<32x2x?xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<32x2x?xf32>) -> tensor<32x2x?xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(k, a, n, b) -> (a, b, k)>, affine_map<(k, a, n, b) -> (n, k)>, affine_map<(k, a, n, b) -> (n, a, b)>],
      iterator_types = ["reduction", "parallel", "parallel", "parallel"]}
      ins(%x, %w : tensor<2x?x64xf32>, tensor<32x64xf32>) outs(%zeros : tensor<32x2x?xf32>)
      attrs = {nvfp4.precision = #nvfp4.precision<nvfp4>} {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %term = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<32x2x?xf32>
  return %y : tensor<32x2x?xf32>
}

// -----

/// `keep` and undecided contractions stay as they are, without the policy's words.
// CHECK-LABEL: func.func @negative_matmul_keep(
//       CHECK:   linalg.matmul ins(
//       CHECK:   linalg.matmul ins(
func.func @negative_matmul_keep(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}, %init: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<keep>, nvfp4.site = "fc", nvfp4.class = "linear", nvfp4.rule = "all",
                      nvfp4.requested = #nvfp4.precision<nvfp4>, nvfp4.reason = "it is a head"}
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  %z = linalg.matmul ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%y : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %z : tensor<8x32xf32>
}

// -----

/// A convolution stays what it is; its operands are rounded.
// CHECK-LABEL: func.func @convolution(
//       CHECK:   arith.truncf %{{.+}} : f32 to bf16
//       CHECK:   %[[X:.+]] = linalg.generic
//       CHECK:   arith.extf %{{.+}} : bf16 to f32
//   CHECK-NOT:   arith.truncf
//       CHECK:   linalg.conv_1d_nwc_wcf ins(%[[X]], %arg1 : tensor<1x10x16xf32>, tensor<3x16x32xbf16>)
func.func @convolution(%x: tensor<1x10x16xf32>, %w: tensor<3x16x32xbf16>, %init: tensor<1x8x32xf32>) -> tensor<1x8x32xf32> {
  %y = linalg.conv_1d_nwc_wcf {nvfp4.precision = #nvfp4.precision<bf16>}
      ins(%x, %w : tensor<1x10x16xf32>, tensor<3x16x32xbf16>) outs(%init : tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
  return %y : tensor<1x8x32xf32>
}
