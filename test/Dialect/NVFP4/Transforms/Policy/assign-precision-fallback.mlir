// RUN: split-file %s %t
// RUN: nvfp4-opt %t/model.mlir --nvfp4-assign-precision=policy=%t/rules.json --split-input-file | FileCheck %s
// RUN: nvfp4-opt %t/model.mlir --nvfp4-assign-precision=policy=%t/rules.json --split-input-file \
// RUN:   --remarks-filter=nvfp4 --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: not nvfp4-opt %t/model.mlir --nvfp4-assign-precision="policy=%t/rules.json strict" --split-input-file 2>&1 >/dev/null \
// RUN:   | FileCheck %s --check-prefix=STRICT

//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "K = 24 is not a multiple of 16", nvfp4.requested = #nvfp4.precision<mxfp4>, nvfp4.rule = "rules:all", nvfp4.site = "odd"
/// A last block of 32 may be half full.
//       CHECK: linalg.matmul {nvfp4.class = "linear", nvfp4.precision = #nvfp4.precision<mxfp4>, nvfp4.rule = "rules:all", nvfp4.site = "half_block"
//      REMARK: remark: [Missed] AssignPrecision | Category:nvfp4 | Function=static | Remark="odd (linear): bf16 instead of mxfp4 of rule rules:all: K = 24 is not a multiple of 16"
//      REMARK: remark: [Passed] AssignPrecision | Category:nvfp4 | Function=static | Remark="half_block (linear): mxfp4 by rule rules:all: for a test"
//      STRICT: error: expected 'odd' to fit mxfp4 (rule rules:all), but K = 24 is not a multiple of 16

//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "N is dynamic"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "K is dynamic"
//      STRICT: error: expected 'n' to fit mxfp4 (rule rules:all), but N is dynamic
//      STRICT: error: expected 'k' to fit mxfp4 (rule rules:all), but K is dynamic

/// Elements that are no f32, bf16 or f16 stay what they are.
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<keep>, nvfp4.reason = "expected f32, bf16 or f16 elements, but got f64"
//       CHECK: linalg.matmul {{.*}}#nvfp4.precision<keep>, nvfp4.reason = "expected f32, bf16 or f16 elements, but got i32"

//       CHECK: linalg.batch_matmul {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "neither operand is a weight"
//       CHECK: linalg.conv_1d_nwc_wcf {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "a convolution has no block-scaled form"
//       CHECK: linalg.contract {{.*}}#nvfp4.precision<bf16>, nvfp4.reason = "expected a weight of one N, one K and at most one batch dimension, but got 1, 2 and 0"
//       CHECK: tensor.gather {{.*}}#nvfp4.precision<keep>, nvfp4.reason = "a gather multiplies nothing and stays as it is"

//--- rules.json
{"version": 1, "rules": [{"name": "all", "precision": "mxfp4", "why": "for a test"}]}

//--- model.mlir
func.func @static(%x: tensor<8x24xf32>, %v: tensor<24x32xf32> {nvfp4.weight = "odd"},
                  %y: tensor<8x48xf32>, %w: tensor<48x32xf32> {nvfp4.weight = "half_block"}, %d: tensor<8x32xf32>) -> () {
  %0 = linalg.matmul ins(%x, %v : tensor<8x24xf32>, tensor<24x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  %1 = linalg.matmul ins(%y, %w : tensor<8x48xf32>, tensor<48x32xf32>) outs(%d : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}

// -----

func.func @dynamic(%x: tensor<8x32xf32>, %n: tensor<32x?xf32> {nvfp4.weight = "n"}, %d: tensor<8x?xf32>,
                   %y: tensor<8x?xf32>, %k: tensor<?x32xf32> {nvfp4.weight = "k"}, %e: tensor<8x32xf32>) -> () {
  %0 = linalg.matmul ins(%x, %n : tensor<8x32xf32>, tensor<32x?xf32>) outs(%d : tensor<8x?xf32>) -> tensor<8x?xf32>
  %1 = linalg.matmul ins(%y, %k : tensor<8x?xf32>, tensor<?x32xf32>) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  return
}

// -----

func.func @types(%x: tensor<8x32xf64>, %w: tensor<32x32xf64> {nvfp4.weight = "w"}, %d: tensor<8x32xf64>,
                 %y: tensor<8x32xi32>, %v: tensor<32x32xi32> {nvfp4.weight = "v"}, %e: tensor<8x32xi32>) -> () {
  %0 = linalg.matmul ins(%x, %w : tensor<8x32xf64>, tensor<32x32xf64>) outs(%d : tensor<8x32xf64>) -> tensor<8x32xf64>
  %1 = linalg.matmul ins(%y, %v : tensor<8x32xi32>, tensor<32x32xi32>) outs(%e : tensor<8x32xi32>) -> tensor<8x32xi32>
  return
}

// -----

#a = affine_map<(m, n, h, k) -> (m, h, k)>
#b = affine_map<(m, n, h, k) -> (h, k, n)>
#c = affine_map<(m, n, h, k) -> (m, n)>
func.func @forms(%x: tensor<2x8x32xf32>, %y: tensor<2x32x16xf32>, %d: tensor<2x8x16xf32>,
                 %i: tensor<1x10x16xf32>, %f: tensor<3x16x32xf32> {nvfp4.weight = "f"}, %e: tensor<1x8x32xf32>,
                 %p: tensor<8x2x32xf32>, %h: tensor<2x32x16xf32> {nvfp4.weight = "h"}, %g: tensor<8x16xf32>,
                 %ids: tensor<8x1xindex>, %t: tensor<256x64xf32> {nvfp4.weight = "t"}) -> () {
  %0 = linalg.batch_matmul ins(%x, %y : tensor<2x8x32xf32>, tensor<2x32x16xf32>) outs(%d : tensor<2x8x16xf32>) -> tensor<2x8x16xf32>
  %1 = linalg.conv_1d_nwc_wcf ins(%i, %f : tensor<1x10x16xf32>, tensor<3x16x32xf32>)
         outs(%e : tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
  %2 = linalg.contract indexing_maps = [#a, #b, #c]
         ins(%p, %h : tensor<8x2x32xf32>, tensor<2x32x16xf32>) outs(%g : tensor<8x16xf32>) -> tensor<8x16xf32>
  %3 = tensor.gather %t[%ids] gather_dims([0]) : (tensor<256x64xf32>, tensor<8x1xindex>) -> tensor<8x64xf32>
  return
}
