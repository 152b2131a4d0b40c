//===- Normalize.h - From a framework's export to tied dimensions -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_NORMALIZE_H
#define NVFP4_PIPELINES_NORMALIZE_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace nvfp4 {

struct NormalizeOptions : mlir::PassPipelineOptions<NormalizeOptions> {
  Option<bool> strict{
      *this, "strict",
      llvm::cl::desc("An unnamed dynamic dimension of an argument is an error"),
      llvm::cl::init(false)};
  Option<bool> keepF64{*this, "keep-f64",
                       llvm::cl::desc("Compute in f64 what the model does"),
                       llvm::cl::init(false)};
  Option<int64_t> constantThreshold{
      *this, "constant-threshold",
      llvm::cl::desc("Bytes up to which a constant stays in the graph"),
      llvm::cl::init(4096)};
};

/// Adds the Normalize stage. Expects linalg on tensors, one or more public
/// functions with a body, of one block each. Afterwards: no assert but on
/// dimensions and at function level, no read out of bounds, every dynamic
/// dimension of an argument has a name, no tensor.reshape, no f64 but at the
/// border of an entry, no constant above the threshold.
void buildNormalizePipeline(mlir::OpPassManager &manager,
                            const NormalizeOptions &options);

/// Registers the stage as --nvfp4-normalize.
void registerNormalizePipeline();

} // namespace nvfp4

#endif // NVFP4_PIPELINES_NORMALIZE_H
