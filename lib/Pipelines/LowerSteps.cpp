//===- LowerSteps.cpp - Steps that Lower stages share ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerSteps.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nvfp4::addCanonicalization(OpPassManager &pm) {
  GreedyRewriteConfig config;
  config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
  pm.addPass(createCanonicalizerPass(config));
}

void nvfp4::addFusion(OpPassManager &pm, bool throughReshapes) {
  // Arithmetic on whole tensors becomes linalg like everything else.
  pm.addPass(createConvertElementwiseToLinalgPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(
      nvfp4::createFuseElementwisePass({throughReshapes}));
  pm.addPass(createCSEPass());
}

void nvfp4::addBufferization(OpPassManager &pm) {
  // The caller provides the memory of the results.
  pm.addNestedPass<func::FuncOp>(nvfp4::createResultsToDestinationsPass());
  // The extents of results become arithmetic on dimensions before the ops that
  // compute the results write to a buffer of unknown extent.
  pm.addPass(memref::createResolveRankedShapeTypeResultDimsPass());
  // The op that computes a result writes to the caller's buffer.
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(options));
  // Sizes that are one value become one SSA value: the planner compares them.
  pm.addPass(createLowerAffinePass());
  addCanonicalization(pm);
  pm.addPass(createCSEPass());
}

void nvfp4::addHostConversion(OpPassManager &pm, bool hasDevice) {
  // Views become pointers, sizes and strides.
  pm.addPass(createLowerExpandShapesPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  ConvertNVFP4HostToLLVMPassOptions options;
  options.device = hasDevice;
  pm.addPass(createConvertNVFP4HostToLLVMPass(options));
  addCanonicalization(pm);
  pm.addPass(createCSEPass());
}
