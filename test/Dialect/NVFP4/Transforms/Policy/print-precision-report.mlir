// RUN: nvfp4-opt %s --nvfp4-assign-precision --nvfp4-print-precision-report 2>&1 >/dev/null | FileCheck %s --match-full-lines --strict-whitespace
// RUN: nvfp4-opt %s --nvfp4-assign-precision --nvfp4-print-precision-report=json 2>&1 >/dev/null | FileCheck %s --check-prefix=JSON

/// Equal layers share a row; dynamic extents carry the entry's names; a weight
/// that two sites read counts once.

//      CHECK:keep (inference:embeddings)
// CHECK-NEXT:  embed_tokens                                   embedding  256 x 64              65.5 KB -> 65.5 KB
// CHECK-NEXT:nvfp4 (inference:linear-layers)
// CHECK-NEXT:  model.layers.{0-2,5}.mlp.up_proj               linear     batch*32 x 96 x 64    98.3 KB -> 13.8 KB
// CHECK-NEXT:  model.layers.5.mlp.a_n.._be_shown_for_a_table  expert     3 x 2 x 96 x 64       73.7 KB -> 10.4 KB
// CHECK-NEXT:bf16 instead of nvfp4 (inference:linear-layers)
// CHECK-NEXT:  model.layers.5.mlp.odd                         linear     batch*32 x 96 x 24    9.2 KB -> 4.6 KB
// CHECK-NEXT:      K = 24 is not a multiple of 16
// CHECK-NEXT:bf16 (inference:activation-products)
// CHECK-NEXT:  model.layers.5.attention.0                     attention  batch x 32 x 32 x 64
// CHECK-NEXT:bf16 (inference:heads)
// CHECK-NEXT:  embed_tokens                                   head       batch*32 x 256 x 64   65.5 KB -> 32.8 KB
// CHECK-NEXT:9 sites: 1 keep, 5 nvfp4, 3 bf16; 1 not as requested
// CHECK-NEXT:weights of these sites: 247 KB -> 127 KB

//      JSON: [
// JSON-NEXT:   {
// JSON-NEXT:     "bytes_after": 65536,
// JSON-NEXT:     "bytes_before": 65536,
// JSON-NEXT:     "class": "embedding",
// JSON-NEXT:     "realised": "keep",
// JSON-NEXT:     "reason": null,
// JSON-NEXT:     "requested": "keep",
// JSON-NEXT:     "rule": "inference:embeddings",
// JSON-NEXT:     "shape": [
// JSON-NEXT:       256,
// JSON-NEXT:       64
// JSON-NEXT:     ],
// JSON-NEXT:     "site": "embed_tokens",
// JSON-NEXT:     "sqnr_db": null,
// JSON-NEXT:     "weight": "embed_tokens.weight"
// JSON-NEXT:   },
//      JSON:     "bytes_after": 3460,
// JSON-NEXT:     "bytes_before": 24576,
//      JSON:     "shape": [
// JSON-NEXT:       "batch*32",
// JSON-NEXT:       96,
// JSON-NEXT:       64
// JSON-NEXT:     ],
// JSON-NEXT:     "site": "model.layers.0.mlp.up_proj",
//      JSON:     "realised": "bf16",
// JSON-NEXT:     "reason": "K = 24 is not a multiple of 16",
// JSON-NEXT:     "requested": "nvfp4",

#ids = affine_map<(b, s, h) -> (b, s)>
#out = affine_map<(b, s, h) -> (b, s, h)>
func.func @main(%ids: tensor<?x32xi64> {nvfp4.name = "ids", nvfp4.shape = ["batch", 32]},
                %z: tensor<?x32x24xf32> {nvfp4.name = "z", nvfp4.shape = ["batch", 32, 24]},
                %g: tensor<3x2x64xf32>, %t: tensor<64x256xf32>, %f: tensor<3x2x96xf32>, %tk: tensor<?x64x32xf32>,
                %w: tensor<256x64xf32> {nvfp4.weight = "embed_tokens.weight"},
                %w0: tensor<64x96xf32> {nvfp4.weight = "model.layers.0.mlp.up_proj.weight"},
                %w1: tensor<64x96xf32> {nvfp4.weight = "model.layers.1.mlp.up_proj.weight"},
                %w2: tensor<64x96xf32> {nvfp4.weight = "model.layers.2.mlp.up_proj.weight"},
                %w5: tensor<64x96xf32> {nvfp4.weight = "model.layers.5.mlp.up_proj.weight"},
                %we: tensor<3x64x96xf32> {nvfp4.weight = "model.layers.5.mlp.a_name_that_is_much_too_long_to_be_shown_for_a_table"},
                %wo: tensor<24x96xf32> {nvfp4.weight = "model.layers.5.mlp.odd.weight"}) -> () {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %ids, %c0 : tensor<?x32xi64>
  %rows = affine.apply affine_map<()[s0] -> (s0 * 32)>()[%batch]
  %e = tensor.empty(%batch) : tensor<?x32x64xf32>
  %x = linalg.generic {indexing_maps = [#ids, #out], iterator_types = ["parallel", "parallel", "parallel"]}
         ins(%ids : tensor<?x32xi64>) outs(%e : tensor<?x32x64xf32>) {
  ^bb0(%id: i64, %o: f32):
    %row = arith.index_cast %id : i64 to index
    %col = linalg.index 2 : index
    %v = tensor.extract %w[%row, %col] : tensor<256x64xf32>
    linalg.yield %v : f32
  } -> tensor<?x32x64xf32>
  %c = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x32x64xf32> into tensor<?x64xf32>
  %d = tensor.empty(%rows) : tensor<?x96xf32>
  %0 = linalg.matmul ins(%c, %w0 : tensor<?x64xf32>, tensor<64x96xf32>) outs(%d : tensor<?x96xf32>) -> tensor<?x96xf32>
  %1 = linalg.matmul ins(%c, %w1 : tensor<?x64xf32>, tensor<64x96xf32>) outs(%d : tensor<?x96xf32>) -> tensor<?x96xf32>
  %2 = linalg.matmul ins(%c, %w2 : tensor<?x64xf32>, tensor<64x96xf32>) outs(%d : tensor<?x96xf32>) -> tensor<?x96xf32>
  %3 = linalg.matmul ins(%c, %w5 : tensor<?x64xf32>, tensor<64x96xf32>) outs(%d : tensor<?x96xf32>) -> tensor<?x96xf32>
  %4 = linalg.batch_matmul ins(%g, %we : tensor<3x2x64xf32>, tensor<3x64x96xf32>) outs(%f : tensor<3x2x96xf32>) -> tensor<3x2x96xf32>
  %zc = tensor.collapse_shape %z [[0, 1], [2]] : tensor<?x32x24xf32> into tensor<?x24xf32>
  %5 = linalg.matmul ins(%zc, %wo : tensor<?x24xf32>, tensor<24x96xf32>) outs(%d : tensor<?x96xf32>) -> tensor<?x96xf32>
  %s = tensor.empty(%batch) : tensor<?x32x32xf32>
  %6 = linalg.batch_matmul ins(%x, %tk : tensor<?x32x64xf32>, tensor<?x64x32xf32>) outs(%s : tensor<?x32x32xf32>) -> tensor<?x32x32xf32>
  %wt = linalg.transpose ins(%w : tensor<256x64xf32>) outs(%t : tensor<64x256xf32>) permutation = [1, 0]
  %h = tensor.empty(%rows) : tensor<?x256xf32>
  %7 = linalg.matmul ins(%c, %wt : tensor<?x64xf32>, tensor<64x256xf32>) outs(%h : tensor<?x256xf32>) -> tensor<?x256xf32>
  return
}
