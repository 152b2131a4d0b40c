// RUN: split-file %s %t
// RUN: nvfp4-opt %t/model.mlir --nvfp4-assign-precision="policy=%t/rules.json strict" | FileCheck %s

/// q, k and v read one activation: the most precise of their precisions becomes
/// everybody's. That is a decision, not a fallback, so it is fine when strict.

//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "agrees with layers.0.k_proj", nvfp4.requested = #nvfp4.precision<nvfp4>, nvfp4.rule = "rules:0", nvfp4.site = "layers.0.q_proj"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.rule = "rules:1", nvfp4.site = "layers.0.k_proj"

/// The other layer has its own activation and its own mind.
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4>, nvfp4.rule = "rules:0", nvfp4.site = "layers.1.q_proj"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4>, nvfp4.rule = "rules:0", nvfp4.site = "layers.1.k_proj"

/// A user's word stands, and the others follow if it is the more precise one.
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4_weight_only>, nvfp4.rule = "user", nvfp4.site = "layers.2.q_proj"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4_weight_only>, nvfp4.reason = "agrees with layers.2.q_proj"{{.*}}nvfp4.site = "layers.2.k_proj"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<mxfp4>, nvfp4.rule = "user", nvfp4.site = "layers.3.q_proj"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<nvfp4>, nvfp4.rule = "rules:0", nvfp4.site = "layers.3.k_proj"

//--- rules.json
{
  "version": 1,
  "rules": [
    {"match": {"class": "linear"}, "precision": "nvfp4"},
    {"match": {"site": "layers.0.k_proj"}, "precision": "bf16"}
  ],
  "groups": [["*.q_proj", "*.k_proj"]]
}

//--- model.mlir
func.func @main(%x: tensor<8x32xf32>, %d: tensor<8x32xf32>,
    %q0: tensor<32x32xf32> {nvfp4.weight = "layers.0.q_proj.weight"},
    %k0: tensor<32x32xf32> {nvfp4.weight = "layers.0.k_proj.weight"},
    %q1: tensor<32x32xf32> {nvfp4.weight = "layers.1.q_proj.weight"},
    %k1: tensor<32x32xf32> {nvfp4.weight = "layers.1.k_proj.weight"},
    %q2: tensor<32x32xf32> {nvfp4.weight = "layers.2.q_proj.weight"},
    %k2: tensor<32x32xf32> {nvfp4.weight = "layers.2.k_proj.weight"},
    %q3: tensor<32x32xf32> {nvfp4.weight = "layers.3.q_proj.weight"},
    %k3: tensor<32x32xf32> {nvfp4.weight = "layers.3.k_proj.weight"}) -> () {
  %0 = linalg.matmul ins(%x, %q0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = linalg.matmul ins(%x, %k0 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %2 = linalg.matmul ins(%0, %q1 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %3 = linalg.matmul ins(%0, %k1 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %4 = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4_weight_only>}
         ins(%2, %q2 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %5 = linalg.matmul ins(%2, %k2 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %6 = linalg.matmul {nvfp4.precision = #nvfp4.precision<mxfp4>}
         ins(%4, %q3 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %7 = linalg.matmul ins(%4, %k3 : tensor<8x32xf32>, tensor<32x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}
