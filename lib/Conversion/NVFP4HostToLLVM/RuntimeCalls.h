//===- RuntimeCalls.h - Kernels of the runtime -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_RUNTIMECALLS_H
#define NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_RUNTIMECALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nvfp4 {

/// Turns the kernel-level ops of an entry function, whose first argument is the
/// context, into calls of the context's functions; a bad status returns.
/// `usesKernels` is set if there is one.
mlir::LogicalResult lowerRuntimeCalls(mlir::func::FuncOp func,
                                      bool &usesKernels);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_RUNTIMECALLS_H
