//===- Policy.cpp - The Policy stage --------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: normalized IR. Leaves: a precision on every contraction, convolution
// and embedding; nothing else changes.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Pipelines/Policy.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

namespace nvfp4 {

void buildPolicyPipeline(OpPassManager &pm, const PolicyOptions &options) {
  AssignPrecisionPassOptions assign;
  assign.policy = options.policy;
  assign.strict = options.strict;
  // Alone: the stage is one decision, and what it saw is what Quantize sees.
  pm.addPass(createAssignPrecisionPass(assign));
  VerifyStagePassOptions verify;
  verify.stage = "policy";
  pm.addPass(createVerifyStagePass(verify));
}

void registerPolicyPipeline() {
  PassPipelineRegistration<PolicyOptions>(
      "nvfp4-policy", "Decides the precision of every contraction",
      buildPolicyPipeline);
}

} // namespace nvfp4
