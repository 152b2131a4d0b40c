//===- RuntimeKernels.h - What the runtime computes ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_CONVERSION_NVFP4TOLINALG_RUNTIMEKERNELS_H
#define LIB_CONVERSION_NVFP4TOLINALG_RUNTIMEKERNELS_H

#include "mlir/IR/Operation.h"

namespace nvfp4 {

/// On a kernel-level op that becomes a call of the runtime and is not
/// decomposed.
inline constexpr llvm::StringLiteral kRuntimeKernelAttrName = "nvfp4.runtime";

/// Writes the attribute on the ops of entry functions below `root` that the
/// runtime has kernels for.
void markRuntimeKernels(mlir::Operation *root);

} // namespace nvfp4

#endif // LIB_CONVERSION_NVFP4TOLINALG_RUNTIMEKERNELS_H
