//===- LowerCPU.h - The Lower stage of the target cpu ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_LOWERCPU_H
#define NVFP4_PIPELINES_LOWERCPU_H

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace nvfp4 {

/// Options of the Lower stage for the CPU.
struct LowerCPUOptions {
  /// Stop before the conversion to the LLVM dialect: with loops on memrefs and
  /// a planned workspace.
  bool stopAtLoops = false;
};

/// Adds the passes from linalg on tensors (and `nvfp4.record_error`) to the
/// LLVM dialect behind the program ABI.
void buildLowerCPUPipeline(mlir::OpPassManager &pm,
                           const LowerCPUOptions &options);

/// Adds the dialects and interface models that the pipeline needs.
void registerLowerCPUDialects(mlir::DialectRegistry &registry);

} // namespace nvfp4

#endif // NVFP4_PIPELINES_LOWERCPU_H
