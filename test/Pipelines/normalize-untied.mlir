// RUN: sed 's/nvfp4.name = "attention_mask", nvfp4.shape = \["batch", 32\]/nvfp4.name = "attention_mask"/' %inputs/minilm.mlir > %t.mlir
// RUN: nvfp4-opt %t.mlir --nvfp4-normalize 2> %t.warnings | FileCheck %s
// RUN: FileCheck %s --check-prefix=WARNING < %t.warnings

/// An encoder whose export left two batches untied, which read out of bounds
/// with ids of [8, 32] and a mask of [1, 32]. The host compares them first.
// WARNING: warning: expected 'nvfp4.shape' to name every dynamic dimension of an argument, but dimension 0 of 'attention_mask' is an unnamed dynamic dimension
// WARNING: note: it becomes 'attention_mask.dim0', which is tied to no other dimension
//     CHECK: %arg103: tensor<?x32xi64> {nvfp4.name = "attention_mask", nvfp4.shape = ["attention_mask.dim0", 32]}
//     CHECK: cf.assert %{{.+}}, "expected attention_mask.dim0 == batch
// CHECK-NOT: tensor.reshape
//     CHECK: nvfp4.record_error
// CHECK-NOT: cf.assert
