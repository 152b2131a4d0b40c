//===- Quantize.cpp - From precisions to quantized values -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Pipelines/Quantize.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nvfp4::buildQuantizePipeline(OpPassManager &manager) {
  manager.addPass(createQuantizeContractionsPass());
  // q, k and v quantize the same activation: once is enough.
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  // Before interfaces are recorded, because it changes arguments.
  manager.addPass(createHoistPackingPass());
  // What prepared hoisted weights is dead.
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  manager.addPass(createRecordEntryPass());
  VerifyStagePassOptions verify;
  verify.stage = "quantize";
  manager.addPass(createVerifyStagePass(verify));
}

void nvfp4::registerQuantizePipeline() {
  PassPipelineRegistration<>(
      "nvfp4-quantize", "The Quantize stage: from precisions to packed weights",
      [](OpPassManager &manager) { buildQuantizePipeline(manager); });
}
