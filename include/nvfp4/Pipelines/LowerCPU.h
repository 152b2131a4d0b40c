//===- LowerCPU.h - The Lower stage of the target cpu ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_LOWERCPU_H
#define NVFP4_PIPELINES_LOWERCPU_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace nvfp4 {

struct LowerCPUOptions : mlir::PassPipelineOptions<LowerCPUOptions> {
  Option<bool> stopAtLoops{
      *this, "stop-at-loops",
      llvm::cl::desc("Stop before the conversion to the LLVM dialect"),
      llvm::cl::init(false)};
};

/// Adds the Lower stage of the target cpu: from linalg on tensors, and the ops
/// of the dialect, to the LLVM dialect behind the program ABI.
void buildLowerCPUPipeline(mlir::OpPassManager &pm,
                           const LowerCPUOptions &options);

/// Registers the stage as --nvfp4-lower-cpu.
void registerLowerCPUPipeline();

/// Adds the dialects and interface models that the pipeline needs.
void registerLowerCPUDialects(mlir::DialectRegistry &registry);

} // namespace nvfp4

#endif // NVFP4_PIPELINES_LOWERCPU_H
