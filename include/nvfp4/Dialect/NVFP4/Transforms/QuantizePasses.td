//===- QuantizePasses.td - The passes of the Quantize stage *- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In pipeline order. From precisions to block-scaled values and packed weights.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_QUANTIZEPASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_QUANTIZEPASSES_TD

include "mlir/Pass/PassBase.td"

def QuantizeContractionsPass
    : Pass<"nvfp4-quantize-contractions", "::mlir::ModuleOp"> {
  let summary = "Rewrites contractions to the precision written on them";
  let description = [{
    Obeys `nvfp4.precision`: a block-scaled contraction becomes `nvfp4.matmul` on
    a quantized weight and, unless it is weight-only, a quantized activation; a
    bf16 one gets bf16 operands and f32 accumulation. Operands are brought into
    the form `A[.., M, K] * B[.., N, K]`; a weight that is only repeated over a
    batch is used once.

    Needs: normalized IR with precisions. Leaves: no `nvfp4.precision` and no
    other attribute of the policy but `nvfp4.site` on `nvfp4.matmul`. Comes first
    in Quantize, before `nvfp4-hoist-packing`.

    Before:

    ```mlir
    func.func @before(%x: tensor<?x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"},
                      %init: tensor<?x32xf32>) -> tensor<?x32xf32> {
      %zero = arith.constant 0.0 : f32
      %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
      %y = linalg.matmul {nvfp4.precision = #nvfp4.precision<nvfp4_weight_only>, nvfp4.site = "fc"}
          ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<?x32xf32>) -> tensor<?x32xf32>
      return %y : tensor<?x32xf32>
    }
    ```

    After:

    ```mlir
    func.func @after(%x: tensor<?x64xf32>, %w: tensor<64x32xf32> {nvfp4.weight = "fc.weight"}) -> tensor<?x32xf32> {
      %init = tensor.empty() : tensor<32x64xf32>
      %t = linalg.transpose ins(%w : tensor<64x32xf32>) outs(%init : tensor<32x64xf32>) permutation = [1, 0]
      %g = nvfp4.global_scale %t : tensor<32x64xf32> -> tensor<f32>
      %q = nvfp4.quantize %t global_scale %g : tensor<32x64xf32>, tensor<f32> -> !nvfp4.tensor<32x64, nvfp4>
      %y = nvfp4.matmul %x, %q {nvfp4.site = "fc"} : tensor<?x64xf32>, !nvfp4.tensor<32x64, nvfp4> -> tensor<?x32xf32>
      return %y : tensor<?x32xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numBlockScaled", "num-block-scaled", "Contractions in a block-scaled format">,
    Statistic<"numBF16", "num-bf16", "Contractions with bf16 operands">,
  ];
  let dependentDialects = [
    "::nvfp4::NVFP4Dialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def HoistPackingPass : Pass<"nvfp4-hoist-packing", "::mlir::ModuleOp"> {
  let summary = "Moves what prepares a weight into one packing function each";
  let description = [{
    Needs: quantization is explicit (`nvfp4-quantize-contractions`). Leaves: no
    `nvfp4.quantize` of a weight in an entry function, except with stochastic
    rounding, whose bits are not known yet. Comes before `nvfp4-record-entry`.

    A value moves if it is made of weights by views (`linalg.transpose`,
    `linalg.broadcast`, a copying `linalg.generic`, `tensor.expand_shape`,
    `tensor.collapse_shape`, `tensor.extract_slice`, `tensor.concat`,
    `tensor.cast`), then casts between f32, bf16 and f16, then optionally
    `nvfp4.quantize` and `nvfp4.relayout`, and is not larger than its sources. A
    reshape alone stays: it moves no byte. Views move before widening casts, so that
    a bf16 weight that is read in f32 is transposed in its own size and only the cast
    stays. Equal values (same sources, view, casts,
    format and layout) share one packing function, also across entries. Weights
    that no op reads any more disappear from the entry; two arguments for one
    weight become one. Other arithmetic on weights stays, with a missed remark.

    Before:

    ```mlir
    func.func @main(%w: tensor<64x128xf32> {nvfp4.weight = "query"}) -> !nvfp4.tensor<64x128, nvfp4> {
      %g = nvfp4.global_scale %w : tensor<64x128xf32> -> tensor<f32>
      %q = nvfp4.quantize %w global_scale %g : tensor<64x128xf32>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
      return %q : !nvfp4.tensor<64x128, nvfp4>
    }
    ```

    After: `%q` is an argument of the entry. `@pack.query` is never compiled; when
    the package is written it is carried out on the weights file, with the codecs
    that the runtime uses, so both agree bit for bit.

    ```mlir
    func.func @main(%q: !nvfp4.tensor<64x128, nvfp4> {nvfp4.packed = @pack.query}) -> !nvfp4.tensor<64x128, nvfp4> {
      return %q : !nvfp4.tensor<64x128, nvfp4>
    }
    func.func private @pack.query(%w: tensor<64x128xf32> {nvfp4.weight = "query"})
        -> !nvfp4.tensor<64x128, nvfp4> attributes {nvfp4.pack = "query"} {
      %g = nvfp4.global_scale %w : tensor<64x128xf32> -> tensor<f32>
      %q = nvfp4.quantize %w global_scale %g : tensor<64x128xf32>, tensor<f32> -> !nvfp4.tensor<64x128, nvfp4>
      return %q : !nvfp4.tensor<64x128, nvfp4>
    }
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numPacked", "num-packed", "Packing functions made">,
    Statistic<"numStayed", "num-stayed", "Ops on weights alone that stay in an entry">
  ];
}

def RecordEntryPass : Pass<"nvfp4-record-entry", "::mlir::ModuleOp"> {
  let summary = "Writes the interface of each entry function into one attribute";
  let description = [{
    Needs: hoisted packing. Leaves: every entry function (a public function with a
    body) has the attribute `nvfp4.entry`, which later stages and the manifest read
    instead of argument attributes. Comes last in the Quantize stage.

    ```mlir-fragment
    nvfp4.entry = {
      dimensions = [{name = "batch", min = 1, max = -1} ],
      arguments = [{kind = "input", name = "input_ids", dtype = "I64", shape = ["batch", 32]},
                   {kind = "weight", name = "query", dtype = "nvfp4", shape = [64, 128]} ],
      results = [{name = "result0", dtype = "F32", shape = ["batch", 64]} ]
    }
    ```

    `arguments` has one element per argument of the function; the dtype of a packed
    tensor is the name of its format until `nvfp4-expand-tensors` replaces the
    element by one per component. Without `nvfp4.name` arguments are called `arg0`…
    and results `result0`…. A dynamic dimension without a name is called after its
    tensor, `arg0.dim1`, in an argument, and is -1 in a result. A dimension without
    bounds in `nvfp4.dimensions` has `min = 0, max = -1`; -1 is no bound.

    Errors: names that are not unique; a shape that does not fit its type; a
    dimension that only results have; a type that no tensor file can hold.
  }];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_QUANTIZEPASSES_TD
