// RUN: nvfp4-opt %inputs/minilm.mlir --nvfp4-normalize | FileCheck %s

/// A real encoder: all shape asserts are proved, each gather has one check, and
/// the copies that broadcast the attention operands are gone.
// CHECK-NOT: {{cf.assert|f64|tensor.reshape}}
//     CHECK: nvfp4.record_error %{{.+}} messages ["expected an element of 'embeddings.position_ids' < 512
//     CHECK: nvfp4.record_error %{{.+}} messages ["index out of range in a gather of 'embeddings.word_embeddings.weight': expected 0 <= index < 30522 for an element of 'input_ids'"]
// CHECK-NOT: {{cf.assert|f64|tensor.reshape}}
//     CHECK: nvfp4.record_error %{{.+}} messages ["index out of range in a gather of 'embeddings.position_embeddings.weight': expected 0 <= index < 512 for an element of 'embeddings.position_ids'"]
// CHECK-NOT: {{cf.assert|f64|tensor.reshape|tensor.extract |nvfp4.record_error}}
//     CHECK: tensor.extract %arg1[
// CHECK-NOT: {{cf.assert|f64|tensor.reshape|tensor.extract |nvfp4.record_error}}
//     CHECK: linalg.batch_matmul
// CHECK-NOT: {{cf.assert|f64|tensor.reshape|tensor.extract |nvfp4.record_error}}
//     CHECK: return
