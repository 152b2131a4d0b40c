//===- LowerGPU.h - The Lower stage of chips --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_LOWERGPU_H
#define NVFP4_PIPELINES_LOWERGPU_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

#include <string>

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace nvfp4 {

struct LowerGPUOptions : mlir::PassPipelineOptions<LowerGPUOptions> {
  Option<std::string> chip{*this, "chip",
                           llvm::cl::desc("The chip to generate code for"),
                           llvm::cl::init("sm_120a")};
  Option<bool> assemble{*this, "assemble",
                        llvm::cl::desc("Add a cubin if ptxas is in PATH"),
                        llvm::cl::init(true)};
  Option<bool> stopAtDispatches{
      *this, "stop-at-dispatches",
      llvm::cl::desc("Stop before kernels are generated"),
      llvm::cl::init(false)};
};

/// Adds the Lower stage of a chip: from linalg on tensors, and the ops of the
/// dialect, to the LLVM dialect behind the program ABI, kernels as images.
void buildLowerGPUPipeline(mlir::OpPassManager &pm,
                           const LowerGPUOptions &options);

/// Adds the part that works on dispatches of kernels on buffers: from there to
/// launches and a `gpu.binary`.
void buildLowerDevicePipeline(mlir::OpPassManager &pm,
                              const LowerGPUOptions &options);

/// Registers them as --nvfp4-lower-gpu and --nvfp4-lower-device.
void registerLowerGPUPipelines();

/// Adds the dialects and interface models that the pipelines need.
void registerLowerGPUDialects(mlir::DialectRegistry &registry);

} // namespace nvfp4

#endif // NVFP4_PIPELINES_LOWERGPU_H
