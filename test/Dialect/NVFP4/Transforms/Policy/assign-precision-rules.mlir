// RUN: split-file %s %t
// RUN: nvfp4-opt %t/model.mlir --nvfp4-assign-precision=policy=%t/rules.json | FileCheck %s
// RUN: nvfp4-opt %t/model.mlir --nvfp4-assign-precision=policy=%t/rules.json --nvfp4-assign-precision=policy=%t/rules.json | FileCheck %s
// RUN: nvfp4-opt %t/model.mlir --nvfp4-assign-precision=policy=%t/rules.json --nvfp4-assign-precision=policy=none \
// RUN:   | FileCheck %s --check-prefix=AGAIN

/// The last match wins; a second run decides anew, but for what a user wrote.

//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4, activations = dynamic<tensor>>, nvfp4.rule = "rules:everything-else"
//  CHECK-SAME:   nvfp4.site = "blocks.0.fc1#0"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<mxfp4>, nvfp4.rule = "rules:1", nvfp4.site = "blocks.0.fc1#1"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4, activations = static<"blocks.1.fc1.input_scale">>
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<f32>, nvfp4.rule = "user", nvfp4.site = "blocks.2.fc1"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "K = 40 is not a multiple of 16", nvfp4.requested = #nvfp4.precision<nvfp4_weight_only>, nvfp4.rule = "user", nvfp4.site = "blocks.3.fc1"

//       AGAIN: linalg.matmul {{.*}}#nvfp4.precision<keep>, nvfp4.rule = "default", nvfp4.site = "blocks.0.fc1#0"
//       AGAIN: linalg.matmul {{.*}}#nvfp4.precision<keep>, nvfp4.rule = "default", nvfp4.site = "blocks.0.fc1#1"
//       AGAIN: linalg.matmul {{.*}}#nvfp4.precision<keep>, nvfp4.rule = "default", nvfp4.site = "blocks.1.fc1"
//       AGAIN: linalg.matmul {{.*}}#nvfp4.precision<f32>, nvfp4.rule = "user", nvfp4.site = "blocks.2.fc1"
//       AGAIN: linalg.matmul {{.*}}#nvfp4.precision<bf16>, {{.*}}nvfp4.requested = #nvfp4.precision<nvfp4_weight_only>, nvfp4.rule = "user", nvfp4.site = "blocks.3.fc1"

//--- rules.json
{
  "version": 1,
  "rules": [
    {"name": "everything-else", "match": {"class": "linear"}, "precision": "nvfp4", "activations": "dynamic<tensor>"},
    {"match": {"site": "blocks.0.*", "use": 1}, "precision": "mxfp4"},
    {"match": {"weight": "blocks.1.*.weight"}, "activations": {"static": "{site}.input_scale"}}
  ]
}

//--- model.mlir
func.func @main(%x: tensor<8x32xf32>, %d: tensor<8x32xf32>, %z: tensor<8x40xf32>,
    %w0: tensor<32x32xf32> {nvfp4.weight = "blocks.0.fc1.weight"},
    %w1: tensor<32x32xf32> {nvfp4.weight = "blocks.1.fc1.weight"},
    %w2: tensor<32x32xf32> {nvfp4.weight = "blocks.2.fc1.weight"},
    %w3: tensor<40x32xf32> {nvfp4.weight = "blocks.3.fc1.weight"}) -> () {
  %0 = linalg.matmul ins(%x, %w0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = linalg.matmul ins(%0, %w0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %2 = linalg.matmul ins(%1, %w1 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %3 = linalg.matmul {nvfp4.precision = #nvfp4.precision<f32>}
         ins(%2, %w2 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %4 = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4_weight_only>}
         ins(%z, %w3 : tensor<8x40xf32>, tensor<40x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}
