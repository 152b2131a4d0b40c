//===- PolicyPasses.td - The passes of the Policy stage ---*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In pipeline order. Writes decisions on contractions, and changes nothing else.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_POLICYPASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_POLICYPASSES_TD

include "mlir/Pass/PassBase.td"

def AssignPrecisionPass : Pass<"nvfp4-assign-precision", "::mlir::ModuleOp"> {
  let summary = "Decides the precision of every contraction by policy";
  let description = [{
    Finds every contraction, convolution and embedding gather, names it after its
    weight, and writes what a policy (docs/Policy.md) decides as attributes. It
    changes nothing else; `nvfp4-quantize-contractions` obeys.

    Needs: normalized IR, where entry arguments name their weights.
    Leaves: on each site

    | attribute | |
    | --- | --- |
    | `nvfp4.site` | its name, `#n` appended if its weight is used several times |
    | `nvfp4.class` | `linear`, `head`, `expert`, `attention`, `weight_product`, `conv` or `embedding` |
    | `nvfp4.precision` | the realised precision |
    | `nvfp4.rule` | the rule that decided; `user` if the op came with a precision |
    | `nvfp4.requested` | what was asked for, where that is not what was realised |
    | `nvfp4.reason` | why not |

    A precision that is on the op before the pass wins over every rule. A
    precision that an earlier run of this pass wrote is decided anew.

    What asks for a block-scaled format and does not fit falls back to bf16 (to
    `keep` if its elements are no f32, bf16 or f16), with a missed remark, or with
    an error if `strict` is set.

    Before:

    ```mlir
    func.func @main(%x: tensor<64x384xf32>,
                    %w: tensor<384x384xf32> {nvfp4.weight = "encoder.query.weight"}) -> … {
      %y = linalg.matmul ins(%x, %wt : …) …
    ```

    After:

    ```mlir
      %y = linalg.matmul {nvfp4.class = "linear", nvfp4.precision = #nvfp4.precision<nvfp4>,
                          nvfp4.rule = "inference:linear-layers", nvfp4.site = "encoder.query"} …
    ```
  }];
  let options = [
    Option<"policy", "policy", "std::string", /*default=*/"\"inference\"",
           "A preset (none, inference, weight-only, mlp-only, nvidia-pretraining) or the path of a policy file">,
    Option<"policyText", "policy-text", "std::string", /*default=*/"\"\"",
           "A policy as JSON text, instead of `policy`">,
    Option<"strict", "strict", "bool", /*default=*/"false",
           "Make every fallback an error">,
  ];
  let dependentDialects = ["::nvfp4::NVFP4Dialect"];
  let statistics = [
    Statistic<"numSites", "num-sites", "Contractions, convolutions and embeddings">,
    Statistic<"numBlockScaled", "num-block-scaled", "Sites that get a block-scaled format">,
    Statistic<"numFallbacks", "num-fallbacks", "Sites whose requested precision does not fit">,
  ];
}

def PrintPrecisionReportPass
    : Pass<"nvfp4-print-precision-report", "::mlir::ModuleOp"> {
  let summary = "Prints what precision each site has, and why";
  let description = [{
    Prints the precision report to standard error, as a table or as JSON. Needs:
    the attributes of `nvfp4-assign-precision`. Changes nothing.
  }];
  let options = [
    Option<"json", "json", "bool", /*default=*/"false",
           "Print JSON instead of a table">,
  ];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_POLICYPASSES_TD
