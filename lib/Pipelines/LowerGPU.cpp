//===- LowerGPU.cpp - The Lower stage of chips ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: quantized IR: linalg, tensor, arith, math, scf, cf and nvfp4 on
//          tensors; entry functions of one block; kernels chosen.
// Leaves:  the LLVM dialect behind `nvfp4_program`, one device module as
// images.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Pipelines/LowerGPU.h"

#include "LowerSteps.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Pipelines/LowerCPU.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nvfp4::registerLowerGPUDialects(DialectRegistry &registry) {
  registerLowerCPUDialects(registry);
}

/// Device code with the arithmetic of the CPU, as LLVM takes it.
static void addDeviceConversion(OpPassManager &pm, const std::string &chip) {
  // First, because LLVM and conversions end the process on what a chip lacks.
  nvfp4::VerifyChipPassOptions verify;
  verify.chip = chip;
  pm.addPass(nvfp4::createVerifyChipPass(verify));
  // Functions and arithmetic of narrow floats go through f32, as on the CPU…
  pm.addPass(math::createMathExtendToSupportedTypes());
  pm.addPass(arith::createArithEmulateUnsupportedFloats(
      {/*sourceTypeStrs=*/{"bf16", "f16"}, /*targetTypeStr=*/"f32"}));
  // …with every rounding, whatever shares a loop…
  pm.addPass(nvfp4::createKeepRoundingPass());
  // …and functions become arithmetic, and one instruction: no libdevice.
  pm.addPass(nvfp4::createExpandMathPass());
  // Index arithmetic leaves loops while they are loops.
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(nvfp4::createConvertNVFP4DeviceToLLVMPass());
  pm.addPass(createCSEPass());
}

void nvfp4::buildLowerDevicePipeline(OpPassManager &pm,
                                     const LowerGPUOptions &options) {
  ConvertNVFP4KernelsToGPUPassOptions kernels;
  kernels.chip = options.chip;
  pm.addPass(createConvertNVFP4KernelsToGPUPass(kernels));
  addDeviceConversion(pm.nest<gpu::GPUModuleOp>(), options.chip);
  SerializeDevicePassOptions serialize;
  serialize.chip = options.chip;
  serialize.assemble = options.assemble;
  pm.addPass(createSerializeDevicePass(serialize));
}

void nvfp4::buildLowerGPUPipeline(OpPassManager &pm,
                                  const LowerGPUOptions &options) {
  // One value per component: kernels see codes, scales and global scales.
  pm.addPass(createExpandTensorsPass());
  // Units that multiply bf16 alone read what was quantized as that.
  pm.addNestedPass<func::FuncOp>(createDecodeActivationsPass());
  // Rows are what kernels reduce.
  pm.addNestedPass<func::FuncOp>(createSplitGlobalScalesPass());
  addFusion(pm);
  // What runs in one kernel becomes a function, while ops are still values; the
  // host is left with dispatches, shapes and checks.
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pm.addPass(createFormDispatchesPass());
  addBufferization(pm);
  // The error word is the device's too.
  PlanWorkspacePassOptions plan;
  plan.device = true;
  pm.addPass(createPlanWorkspacePass(plan));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  VerifyStagePassOptions verify;
  verify.stage = "dispatch";
  pm.addPass(createVerifyStagePass(verify));
  if (options.stopAtDispatches)
    return;
  buildLowerDevicePipeline(pm, options);
  addHostConversion(pm, /*hasDevice=*/true);
}

void nvfp4::registerLowerGPUPipelines() {
  PassPipelineRegistration<LowerGPUOptions>(
      "nvfp4-lower-gpu",
      "Lowers tensors to kernels, and host code behind the program ABI",
      buildLowerGPUPipeline);
  PassPipelineRegistration<LowerGPUOptions>(
      "nvfp4-lower-device", "Lowers dispatches of kernels to device images",
      buildLowerDevicePipeline);
}
