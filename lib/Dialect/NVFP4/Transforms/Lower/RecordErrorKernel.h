//===- RecordErrorKernel.h - Errors that a device records ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_RECORDERRORKERNEL_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_RECORDERRORKERNEL_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

namespace nvfp4 {

/// What the error word `old` (i32) becomes: `base` plus `status`, if `status`
/// is not 0 and the word is.
mlir::Value emitNextErrorWord(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value status, mlir::Value old,
                              int64_t base);

/// Dispatches, in place of `op`, a kernel that does so with its status and
/// `word` (`memref<i32>`). `op` stays.
void dispatchRecordError(RecordErrorOp op, mlir::Value word, int64_t base);

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_RECORDERRORKERNEL_H
