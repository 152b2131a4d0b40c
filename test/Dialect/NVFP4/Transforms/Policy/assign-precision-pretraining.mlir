// RUN: nvfp4-opt %s --nvfp4-assign-precision=policy=nvidia-pretraining | FileCheck %s

/// Of 62 blocks the first 2 and the last 8 stay in BF16, as in the 12B model of
/// arXiv 2509.25149; blocks without a linear layer count too (the last weight).

// CHECK: <bf16>, nvfp4.rule = "nvidia-pretraining:first-blocks", nvfp4.site = "model.layers.0.fc"
// CHECK: <bf16>, nvfp4.rule = "nvidia-pretraining:first-blocks", nvfp4.site = "model.layers.1.fc"
// CHECK: <nvfp4, activations = dynamic<tensor>>, nvfp4.rule = "nvidia-pretraining:scale-per-tensor", nvfp4.site = "model.layers.2.fc"
// CHECK: <nvfp4, activations = dynamic<tensor>>, nvfp4.rule = "nvidia-pretraining:scale-per-tensor", nvfp4.site = "model.layers.53.fc"
// CHECK: <bf16>, nvfp4.rule = "nvidia-pretraining:last-blocks", nvfp4.site = "model.layers.54.fc"
// CHECK: <bf16>, nvfp4.rule = "inference:heads", nvfp4.site = "lm_head"
// CHECK: <bf16>, nvfp4.rule = "inference:activation-products"

func.func @main(%x: tensor<8x32xf32>, %m: tensor<32x32xf32>, %d: tensor<8x32xf32>,
    %w0: tensor<32x32xf32> {nvfp4.weight = "model.layers.0.fc.weight"},
    %w1: tensor<32x32xf32> {nvfp4.weight = "model.layers.1.fc.weight"},
    %w2: tensor<32x32xf32> {nvfp4.weight = "model.layers.2.fc.weight"},
    %w53: tensor<32x32xf32> {nvfp4.weight = "model.layers.53.fc.weight"},
    %w54: tensor<32x32xf32> {nvfp4.weight = "model.layers.54.fc.weight"},
    %n: tensor<32xf32> {nvfp4.weight = "model.layers.61.norm.weight"},
    %h: tensor<32x32xf32> {nvfp4.weight = "lm_head.weight"}) -> () {
  %0 = linalg.matmul ins(%x, %w0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = linalg.matmul ins(%x, %w1 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %2 = linalg.matmul ins(%x, %w2 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %3 = linalg.matmul ins(%x, %w53 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %4 = linalg.matmul ins(%x, %w54 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %5 = linalg.matmul ins(%x, %h : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %6 = linalg.matmul ins(%x, %m : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}
