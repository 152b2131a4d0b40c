//===- Kernels.cpp - How a chip computes each product ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Pipelines/Kernels.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nvfp4::buildKernelsPipeline(OpPassManager &manager,
                                 const KernelsOptions &options) {
  AssignLayoutsPassOptions layouts;
  layouts.chip = options.chip;
  manager.addPass(createAssignLayoutsPass(layouts));
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createFoldTransposesPass());
  // Two relayouts of one value are one.
  functions.addPass(createCSEPass());
  SelectKernelsPassOptions select;
  select.chip = options.chip;
  manager.addPass(createSelectKernelsPass(select));
  VerifyStagePassOptions verify;
  verify.stage = "kernels";
  manager.addPass(createVerifyStagePass(verify));
}

void nvfp4::registerKernelsPipeline() {
  PassPipelineRegistration<KernelsOptions>(
      "nvfp4-kernels", "The Kernels stage: how a chip computes each product",
      buildKernelsPipeline);
}
