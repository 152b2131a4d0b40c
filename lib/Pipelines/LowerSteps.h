//===- LowerSteps.h - Steps that Lower stages share ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_PIPELINES_LOWERSTEPS_H
#define NVFP4_LIB_PIPELINES_LOWERSTEPS_H

#include "mlir/Pass/PassManager.h"

namespace nvfp4 {

/// Canonicalizes without looking for dead and equal blocks, which takes as long
/// as all patterns together: structured control flow has none.
void addCanonicalization(mlir::OpPassManager &pm);

/// Fewer, larger loops, while ops are still values.
void addFusion(mlir::OpPassManager &pm, bool throughReshapes = false);

/// From tensors to buffers that the caller owns.
void addBufferization(mlir::OpPassManager &pm);

/// From buffers in one workspace, which may be a device's, to the program ABI.
void addHostConversion(mlir::OpPassManager &pm, bool hasDevice);

} // namespace nvfp4

#endif // NVFP4_LIB_PIPELINES_LOWERSTEPS_H
