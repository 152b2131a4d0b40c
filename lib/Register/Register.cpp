//===- Register.cpp - Everything of this project, for a tool --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Register.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/BufferizableOpInterfaceImpl.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Pipelines/Kernels.h"
#include "nvfp4/Pipelines/LowerCPU.h"
#include "nvfp4/Pipelines/LowerGPU.h"
#include "nvfp4/Pipelines/Normalize.h"
#include "nvfp4/Pipelines/Policy.h"
#include "nvfp4/Pipelines/Quantize.h"

using namespace mlir;

void nvfp4::registerNVFP4Dialects(DialectRegistry &registry) {
  registry.insert<NVFP4Dialect>();
  registerBufferizableOpInterfaceExternalModels(registry);
}

void nvfp4::registerNVFP4Passes() {
  registerNVFP4TransformsPasses();
  registerNormalizePipeline();
  registerPolicyPipeline();
  registerQuantizePipeline();
  registerKernelsPipeline();
  registerLowerCPUPipeline();
  registerLowerGPUPipelines();
}
