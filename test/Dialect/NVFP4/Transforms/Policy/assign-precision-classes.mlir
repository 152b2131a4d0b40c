// RUN: nvfp4-opt %s --nvfp4-assign-precision --split-input-file | FileCheck %s

#ids = affine_map<(b, s, h) -> (b, s)>
#out = affine_map<(b, s, h) -> (b, s, h)>
/// A linear layer whose weight is also gathered is a head, whatever its name.
// CHECK-LABEL: func.func @tied_head(
//       CHECK:   linalg.generic
//  CHECK-SAME:     nvfp4.class = "embedding", nvfp4.precision = #nvfp4.precision<keep>, nvfp4.rule = "inference:embeddings", nvfp4.site = "model.embed_tokens"
//       CHECK:   linalg.matmul {nvfp4.class = "head", nvfp4.precision = #nvfp4.precision<bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "model.embed_tokens"}
func.func @tied_head(%ids: tensor<2x8xi64>, %w: tensor<256x64xf32> {nvfp4.weight = "model.embed_tokens.weight"},
                     %e: tensor<2x8x64xf32>, %t: tensor<64x256xf32>, %d: tensor<16x256xf32>) -> tensor<16x256xf32> {
  %x = linalg.generic {indexing_maps = [#ids, #out], iterator_types = ["parallel", "parallel", "parallel"]}
         ins(%ids : tensor<2x8xi64>) outs(%e : tensor<2x8x64xf32>) {
  ^bb0(%id: i64, %o: f32):
    %row = arith.index_cast %id : i64 to index
    %col = linalg.index 2 : index
    %v = tensor.extract %w[%row, %col] : tensor<256x64xf32>
    linalg.yield %v : f32
  } -> tensor<2x8x64xf32>
  %c = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x8x64xf32> into tensor<16x64xf32>
  %wt = linalg.transpose ins(%w : tensor<256x64xf32>) outs(%t : tensor<64x256xf32>) permutation = [1, 0]
  %y = linalg.matmul ins(%c, %wt : tensor<16x64xf32>, tensor<64x256xf32>) outs(%d : tensor<16x256xf32>) -> tensor<16x256xf32>
  return %y : tensor<16x256xf32>
}

// -----

// CHECK-LABEL: func.func @gather(
//       CHECK:   tensor.gather {{.*}}nvfp4.class = "embedding"{{.*}}nvfp4.site = "wte"
func.func @gather(%ids: tensor<8x1xindex>, %w: tensor<256x64xf32> {nvfp4.weight = "wte.weight"}) -> tensor<8x64xf32> {
  %x = tensor.gather %w[%ids] gather_dims([0]) : (tensor<256x64xf32>, tensor<8x1xindex>) -> tensor<8x64xf32>
  return %x : tensor<8x64xf32>
}

// -----

#out = affine_map<(b, h) -> (b, h)>
/// Reading by loop indices alone is a copy; a table of integers is no embedding.
// CHECK-LABEL: func.func @negative_embedding(
//   CHECK-NOT:   nvfp4.site
//       CHECK:   return
func.func @negative_embedding(%ids: tensor<2x8xi64>, %w: tensor<8x64xf32> {nvfp4.weight = "scale"},
                              %p: tensor<8xi64> {nvfp4.weight = "position_ids"},
                              %e: tensor<2x64xf32>, %f: tensor<2x8xi64>) -> (tensor<2x64xf32>, tensor<2x8xi64>) {
  %c0 = arith.constant 0 : index
  %x = linalg.generic {indexing_maps = [#out], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<2x64xf32>) {
  ^bb0(%o: f32):
    %col = linalg.index 1 : index
    %v = tensor.extract %w[%c0, %col] : tensor<8x64xf32>
    linalg.yield %v : f32
  } -> tensor<2x64xf32>
  %y = linalg.generic {indexing_maps = [#out, #out], iterator_types = ["parallel", "parallel"]}
         ins(%ids : tensor<2x8xi64>) outs(%f : tensor<2x8xi64>) {
  ^bb0(%id: i64, %o: i64):
    %row = arith.index_cast %id : i64 to index
    %v = tensor.extract %p[%row] : tensor<8xi64>
    linalg.yield %v : i64
  } -> tensor<2x8xi64>
  return %x, %y : tensor<2x64xf32>, tensor<2x8xi64>
}

// -----

/// Activation products are named after what stands around them; a product of two
/// weights (an adapter that is merged in) is left alone.
// CHECK-LABEL: func.func @products(
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "attention"{{.*}}nvfp4.site = "model.layers.0.attention.0"
//       CHECK:   linalg.matmul {{.*}}nvfp4.site = "model.layers.0.self_attn.v_proj"
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "attention"{{.*}}nvfp4.site = "model.layers.0.self_attn.attention.0"
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "attention"{{.*}}nvfp4.site = "model.layers.0.self_attn.attention.1"
//       CHECK:   linalg.matmul {{.*}}nvfp4.site = "model.layers.0.self_attn.o_proj"
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "attention"{{.*}}nvfp4.site = "model.layers.0.attention.1"
//       CHECK:   linalg.matmul {{.*}}nvfp4.site = "model.layers.1.self_attn.v_proj"
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "weight_product", nvfp4.precision = #nvfp4.precision<keep>, nvfp4.rule = "default"
//  CHECK-SAME:     nvfp4.site = "model.layers.1.self_attn.o_proj#0"
//       CHECK:   linalg.matmul {{.*}}nvfp4.class = "linear"{{.*}}nvfp4.site = "model.layers.1.self_attn.o_proj#1"
func.func @products(%x: tensor<64x64xf32>, %d: tensor<64x64xf32>,
    %v0: tensor<64x64xf32> {nvfp4.weight = "model.layers.0.self_attn.v_proj.weight"},
    %o0: tensor<64x64xf32> {nvfp4.weight = "model.layers.0.self_attn.o_proj.weight"},
    %v1: tensor<64x64xf32> {nvfp4.weight = "model.layers.1.self_attn.v_proj.weight"},
    %o1: tensor<64x64xf32> {nvfp4.weight = "model.layers.1.self_attn.o_proj.weight"}) -> () {
  %0 = linalg.matmul ins(%x, %x : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = linalg.matmul ins(%x, %v0 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %2 = linalg.matmul ins(%x, %1 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %3 = linalg.matmul ins(%2, %1 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %4 = linalg.matmul ins(%3, %o0 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %5 = linalg.matmul ins(%4, %4 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %6 = linalg.matmul ins(%5, %v1 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %7 = linalg.matmul ins(%v1, %o1 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  %8 = linalg.matmul ins(%6, %o1 : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  return
}

// -----

/// Without a named weight nearby there is nothing to name it after.
// CHECK-LABEL: func.func @unnamed(
//       CHECK:   linalg.matmul {{.*}}nvfp4.site = "attention.0"
func.func @unnamed(%x: tensor<64x64xf32>, %d: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = linalg.matmul ins(%x, %x : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}

// -----

/// Packing functions prepare weights; nothing in them is a layer.
// CHECK-LABEL: func.func private @pack.w(
//   CHECK-NOT:   nvfp4.site
func.func private @pack.w(%x: tensor<64x64xf32>, %d: tensor<64x64xf32>) -> tensor<64x64xf32> attributes {nvfp4.pack = "w"} {
  %0 = linalg.matmul ins(%x, %x : tensor<64x64xf32>, tensor<64x64xf32>) outs(%d : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}
