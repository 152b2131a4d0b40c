//===- Passes.td - The passes, in pipeline order -----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_TD
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

include "nvfp4/Dialect/NVFP4/Transforms/NormalizePasses.td"
include "nvfp4/Dialect/NVFP4/Transforms/PolicyPasses.td"
include "nvfp4/Dialect/NVFP4/Transforms/QuantizePasses.td"
include "nvfp4/Dialect/NVFP4/Transforms/KernelsPasses.td"
include "nvfp4/Dialect/NVFP4/Transforms/LowerPasses.td"

//===----------------------------------------------------------------------===//
// Contracts between the stages
//===----------------------------------------------------------------------===//

def VerifyStagePass : Pass<"nvfp4-verify-stage", "::mlir::ModuleOp"> {
  let summary = "Checks what a stage promises to the next";
  let description = [{
    Reports an error at the first op that breaks a promise of the stage:

    | stage | promise |
    | --- | --- |
    | `normalize` | no calls, no assert below function level, no `tensor.reshape`, dynamic dimensions of arguments are named |
    | `policy` | every contraction has a precision |
    | `quantize` | no precision is left, every entry is recorded |
    | `kernels` | every `nvfp4.matmul` has tiled operands and `nvfp4.kernel` |
    | `dispatch` | host code touches no element of a buffer |
    | `lower` | no op of nvfp4 |

    After every stage, only nvfp4, func, scf, cf, `arith.select` and `ub.poison`
    carry block-scaled tensors.
  }];
  let options = [
    Option<"stage", "stage", "std::string", /*default=*/"\"\"",
           "The stage that has just run">,
  ];
}

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_TD
