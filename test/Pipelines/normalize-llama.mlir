// RUN: nvfp4-opt %inputs/llama.mlir --nvfp4-normalize | FileCheck %s
// RUN: nvfp4-opt %inputs/llama_bf16.mlir --nvfp4-normalize | FileCheck %s
// RUN: nvfp4-opt %inputs/llama_dynamic.mlir --nvfp4-normalize | FileCheck %s

/// Rotary embeddings, grouped queries, and with two dynamic dimensions: one
/// gather is left, everything else about shapes is proved.
// CHECK-NOT: {{cf.assert|f64|tensor.reshape|tensor.extract }}
//     CHECK: nvfp4.record_error %{{.+}} messages ["index out of range in a gather of 'model.embed_tokens.weight': expected 0 <= index < 256 for an element of 'input_ids'"]
// CHECK-NOT: {{cf.assert|f64|tensor.reshape|tensor.extract |nvfp4.record_error}}
//     CHECK: tensor.extract %arg0[
// CHECK-NOT: {{cf.assert|f64|tensor.reshape|tensor.extract |nvfp4.record_error|tensor.dim}}
//     CHECK: return
