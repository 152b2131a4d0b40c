//===- LowerCPU.cpp - The Lower stage of the target cpu -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: quantized IR: linalg, tensor, arith, math, scf, cf and nvfp4 on
//          tensors; entry functions of one block.
// Leaves:  the LLVM dialect behind `nvfp4_program`.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Pipelines/LowerCPU.h"

#include "LowerSteps.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/AllInterfaces.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/AllocationOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/BufferViewFlowOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nvfp4::registerLowerCPUDialects(DialectRegistry &registry) {
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  cf::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerAllDialectInterfaceImplementations(registry);
  memref::registerAllocationOpInterfaceExternalModels(registry);
  memref::registerBufferViewFlowOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
}

/// Upstream dialects, and what the runtime computes.
static void addExpansion(OpPassManager &pm) {
  // One value per component…
  pm.addPass(nvfp4::createExpandTensorsPass());
  // …and each op its definition, unless the runtime has a kernel.
  nvfp4::ConvertNVFP4ToLinalgPassOptions options;
  options.runtimeKernels = true;
  pm.addPass(nvfp4::createConvertNVFP4ToLinalgPass(options));
}

/// Only arithmetic that every CPU of the architecture has.
static void addArithmetic(OpPassManager &pm) {
  // Functions and arithmetic of narrow floats go through f32…
  pm.addPass(math::createMathExtendToSupportedTypes());
  pm.addPass(arith::createArithEmulateUnsupportedFloats(
      {/*sourceTypeStrs=*/{"bf16", "f16"}, /*targetTypeStr=*/"f32"}));
  // …with every rounding, whatever shares a loop…
  pm.addPass(nvfp4::createKeepRoundingPass());
  // …conversions from and to bf16 become integer arithmetic, and rounded
  // divisions plain ones…
  arith::ArithExpandOpsPassOptions options;
  options.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(options));
  // …which this one guards; functions become polynomials.
  pm.addPass(nvfp4::createExpandMathPass());
}

/// Loops, one function per distinct nest, all buffers in one workspace.
static void addLoops(OpPassManager &pm) {
  // A copy of a view would call upstream's runtime library.
  pm.addNestedPass<func::FuncOp>(nvfp4::createCopiesToLoopsPass());
  // Products of matrices are calls of the runtime…
  pm.addNestedPass<func::FuncOp>(nvfp4::createContractionsToCallsPass());
  // …and the others loops. Before the planner, because they need buffers.
  pm.addNestedPass<func::FuncOp>(nvfp4::createContractionsToLoopsPass());
  // Before the planner, because ops that share a loop are alive together.
  pm.addNestedPass<func::FuncOp>(nvfp4::createRowsToLoopsPass());
  // Before the planner, because it makes divisions safe to repeat early.
  addArithmetic(pm);
  nvfp4::addCanonicalization(pm);
  pm.addPass(createCSEPass());
  pm.addPass(nvfp4::createPlanWorkspacePass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  nvfp4::addCanonicalization(pm);
  pm.addPass(createCSEPass());
  // Equal nests are one function, and LLVM learns which buffers are disjoint.
  pm.addPass(nvfp4::createOutlineLoopsPass());
}

void nvfp4::buildLowerCPUPipeline(OpPassManager &pm,
                                  const LowerCPUOptions &options) {
  addExpansion(pm);
  addFusion(pm, /*throughReshapes=*/true);
  // After CSE, which shares fills, and before buffers, which would be copied.
  pm.addNestedPass<func::FuncOp>(nvfp4::createUnshareFillsPass());
  addBufferization(pm);
  addLoops(pm);
  if (options.stopAtLoops)
    return;
  addHostConversion(pm, /*hasDevice=*/false);
  // Knows what a loop uses of its operands only now.
  pm.addPass(nvfp4::createParallelizeLoopsPass());
}

void nvfp4::registerLowerCPUPipeline() {
  PassPipelineRegistration<LowerCPUOptions>(
      "nvfp4-lower-cpu", "Lowers tensors to host code behind the program ABI",
      buildLowerCPUPipeline);
}
