// RUN: nvfp4-opt %s --nvfp4-assign-precision --split-input-file | FileCheck %s

/// Every way to write a product with a weight is the same linear layer.

// CHECK-LABEL: func.func @matmul(
//       CHECK:   linalg.matmul {
//  CHECK-SAME:     nvfp4.class = "linear"
//  CHECK-SAME:     nvfp4.precision = #nvfp4.precision<nvfp4>
//  CHECK-SAME:     nvfp4.rule = "inference:linear-layers"
//  CHECK-SAME:     nvfp4.site = "fc"
//   CHECK-NOT:     nvfp4.requested
func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"},
                  %d: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %y = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>)
                     outs(%d : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
// CHECK-LABEL: func.func @matmul_transposed_b(
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "linear"{{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "fc"
func.func @matmul_transposed_b(%x: tensor<8x64xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"},
                               %d: tensor<8x32xf32>) -> tensor<8x32xf32> {
  %y = linalg.matmul indexing_maps = [#a, #b, #c]
         ins(%x, %w : tensor<8x64xf32>, tensor<32x64xf32>)
         outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// CHECK-LABEL: func.func @matmul_weight_left(
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "linear"{{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "fc"
func.func @matmul_weight_left(%x: tensor<64x8xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"},
                              %d: tensor<32x8xf32>) -> tensor<32x8xf32> {
  %y = linalg.matmul ins(%w, %x : tensor<32x64xf32>, tensor<64x8xf32>)
                     outs(%d : tensor<32x8xf32>) -> tensor<32x8xf32>
  return %y : tensor<32x8xf32>
}

// -----

#a = affine_map<(b, s, n, k) -> (b, s, k)>
#w = affine_map<(b, s, n, k) -> (n, k)>
#d = affine_map<(b, s, n, k) -> (b, s, n)>
// CHECK-LABEL: func.func @contract_rank_3(
//       CHECK:   linalg.contract {{.*}}nvfp4.class = "linear"{{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "fc"
func.func @contract_rank_3(%x: tensor<2x8x64xf32>, %w: tensor<32x64xf32> {nvfp4.weight = "fc.weight"},
                           %d: tensor<2x8x32xf32>) -> tensor<2x8x32xf32> {
  %y = linalg.contract indexing_maps = [#a, #w, #d]
         ins(%x, %w : tensor<2x8x64xf32>, tensor<32x64xf32>)
         outs(%d : tensor<2x8x32xf32>) -> tensor<2x8x32xf32>
  return %y : tensor<2x8x32xf32>
}

// -----

#x = affine_map<(s, b, n, k) -> (b, s, k)>
#w = affine_map<(s, b, n, k) -> (k, n)>
#d = affine_map<(s, b, n, k) -> (b, s, n)>
/// bf16 operands, widened in the body, f32 accumulation.
// CHECK-LABEL: func.func @generic_bf16(
//       CHECK:   linalg.generic
//  CHECK-SAME:     attrs =  {nvfp4.class = "linear", nvfp4.precision = #nvfp4.precision<nvfp4>
func.func @generic_bf16(%x: tensor<2x8x64xbf16>, %w: tensor<64x32xbf16> {nvfp4.weight = "fc.weight"},
                        %d: tensor<2x8x32xf32>) -> tensor<2x8x32xf32> {
  %y = linalg.generic {indexing_maps = [#x, #w, #d],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
         ins(%x, %w : tensor<2x8x64xbf16>, tensor<64x32xbf16>) outs(%d : tensor<2x8x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %c: f32):
    %0 = arith.extf %a : bf16 to f32
    %1 = arith.extf %b : bf16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %c, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8x32xf32>
  return %y : tensor<2x8x32xf32>
}

// -----

// CHECK-LABEL: func.func @batch_matmul_experts(
//       CHECK:   linalg.batch_matmul {{.*}}nvfp4.class = "expert"{{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "mlp.experts.down_proj"
func.func @batch_matmul_experts(%x: tensor<4x8x64xf32>,
                                %w: tensor<4x64x32xf32> {nvfp4.weight = "mlp.experts.down_proj"},
                                %d: tensor<4x8x32xf32>) -> tensor<4x8x32xf32> {
  %y = linalg.batch_matmul ins(%x, %w : tensor<4x8x64xf32>, tensor<4x64x32xf32>)
                           outs(%d : tensor<4x8x32xf32>) -> tensor<4x8x32xf32>
  return %y : tensor<4x8x32xf32>
}

// -----

#in = affine_map<(b, k, n) -> (k, n)>
#out = affine_map<(b, k, n) -> (b, k, n)>
/// One weight broadcast over a batch is a linear layer, not one expert each.
// CHECK-LABEL: func.func @batch_matmul_broadcast(
//       CHECK:   linalg.batch_matmul {{.*}}nvfp4.class = "linear"{{.*}}#nvfp4.precision<nvfp4>{{.*}}nvfp4.site = "fc"
func.func @batch_matmul_broadcast(%x: tensor<?x8x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"},
                                  %e: tensor<?x64x32xf32>, %d: tensor<?x8x32xf32>) -> tensor<?x8x32xf32> {
  %wb = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%w : tensor<64x32xf32>) outs(%e : tensor<?x64x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    linalg.yield %a : f32
  } -> tensor<?x64x32xf32>
  %y = linalg.batch_matmul ins(%x, %wb : tensor<?x8x64xf32>, tensor<?x64x32xf32>)
                           outs(%d : tensor<?x8x32xf32>) -> tensor<?x8x32xf32>
  return %y : tensor<?x8x32xf32>
}

// -----

/// Products with vectors have no M or no N.
// CHECK-LABEL: func.func @vectors(
//       CHECK:   linalg.matvec {{.*}}#nvfp4.precision<bf16>{{.*}}nvfp4.reason = "a product with a vector has no M"{{.*}}nvfp4.requested = #nvfp4.precision<nvfp4>
//       CHECK:   linalg.vecmat {{.*}}#nvfp4.precision<bf16>{{.*}}nvfp4.reason = "a product with a vector has no M"
//       CHECK:   linalg.matvec {{.*}}#nvfp4.precision<bf16>{{.*}}nvfp4.reason = "a product with a vector has no N"
//       CHECK:   linalg.dot {{.*}}nvfp4.class = "linear"{{.*}}#nvfp4.precision<bf16>{{.*}}nvfp4.reason = "a product with a vector has no N"
//       CHECK:   linalg.dot {{.*}}nvfp4.class = "attention"{{.*}}#nvfp4.precision<bf16>
//   CHECK-NOT:     nvfp4.reason
//  CHECK-SAME:   ins
func.func @vectors(%x: tensor<64xf32>, %m: tensor<8x64xf32>,
                   %w: tensor<32x64xf32> {nvfp4.weight = "a.weight"},
                   %v: tensor<64x32xf32> {nvfp4.weight = "b.weight"},
                   %u: tensor<64xf32> {nvfp4.weight = "c.weight"},
                   %d: tensor<32xf32>, %e: tensor<8xf32>, %s: tensor<f32>)
    -> (tensor<32xf32>, tensor<32xf32>, tensor<8xf32>, tensor<f32>, tensor<f32>) {
  %0 = linalg.matvec ins(%w, %x : tensor<32x64xf32>, tensor<64xf32>) outs(%d : tensor<32xf32>) -> tensor<32xf32>
  %1 = linalg.vecmat ins(%x, %v : tensor<64xf32>, tensor<64x32xf32>) outs(%d : tensor<32xf32>) -> tensor<32xf32>
  %2 = linalg.matvec ins(%m, %u : tensor<8x64xf32>, tensor<64xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %3 = linalg.dot ins(%x, %u : tensor<64xf32>, tensor<64xf32>) outs(%s : tensor<f32>) -> tensor<f32>
  %4 = linalg.dot ins(%x, %x : tensor<64xf32>, tensor<64xf32>) outs(%s : tensor<f32>) -> tensor<f32>
  return %0, %1, %2, %3, %4 : tensor<32xf32>, tensor<32xf32>, tensor<8xf32>, tensor<f32>, tensor<f32>
}

// -----

// CHECK-LABEL: func.func @conv(
//       CHECK:   linalg.conv_1d_nwc_wcf {{.*}}nvfp4.class = "conv"{{.*}}#nvfp4.precision<bf16>{{.*}}nvfp4.site = "mixer.conv1d"
//       CHECK:   linalg.depthwise_conv_1d_nwc_wc {{.*}}nvfp4.class = "conv"{{.*}}nvfp4.site = "mixer.dw"
func.func @conv(%x: tensor<1x10x16xf32>, %w: tensor<3x16x32xf32> {nvfp4.weight = "mixer.conv1d.weight"},
                %u: tensor<3x16xf32> {nvfp4.weight = "mixer.dw.weight"},
                %d: tensor<1x8x32xf32>, %e: tensor<1x8x16xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x16xf32>) {
  %y = linalg.conv_1d_nwc_wcf ins(%x, %w : tensor<1x10x16xf32>, tensor<3x16x32xf32>)
         outs(%d : tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
  %z = linalg.depthwise_conv_1d_nwc_wc ins(%x, %u : tensor<1x10x16xf32>, tensor<3x16xf32>)
         outs(%e : tensor<1x8x16xf32>) -> tensor<1x8x16xf32>
  return %y, %z : tensor<1x8x32xf32>, tensor<1x8x16xf32>
}

// -----

#x = affine_map<(m, k) -> (m, k)>
#d = affine_map<(m, k) -> (m)>
/// The sum of squares of a norm has the loops of a contraction, and is none; nor
/// is pooling a convolution.
// CHECK-LABEL: func.func @negative_reductions(
//   CHECK-NOT:   nvfp4.site
//       CHECK:   return
func.func @negative_reductions(%x: tensor<8x64xf32>, %d: tensor<8xf32>, %i: tensor<1x10x16xf32>,
                               %f: tensor<3xf32>, %e: tensor<1x8x16xf32>) -> (tensor<8xf32>, tensor<1x8x16xf32>) {
  %y = linalg.generic {indexing_maps = [#x, #x, #d], iterator_types = ["parallel", "reduction"]}
         ins(%x, %x : tensor<8x64xf32>, tensor<8x64xf32>) outs(%d : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  %z = linalg.pooling_nwc_sum ins(%i, %f : tensor<1x10x16xf32>, tensor<3xf32>)
         outs(%e : tensor<1x8x16xf32>) -> tensor<1x8x16xf32>
  return %y, %z : tensor<8xf32>, tensor<1x8x16xf32>
}
