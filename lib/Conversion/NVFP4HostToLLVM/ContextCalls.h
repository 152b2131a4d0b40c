//===- ContextCalls.h - Calls of the runtime -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls through `nvfp4_context` of ProgramABI.h. Those with a result return the
// i32 status.
// `context` is the address of the struct.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_CONTEXTCALLS_H
#define NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_CONTEXTCALLS_H

#include "mlir/IR/Builders.h"

namespace nvfp4 {

/// `fail(user, message)`
mlir::Value emitFail(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value context, mlir::Value message);

/// `parallel_for(user, count, body, state)`; `count` is an i64, `body` and
/// `state` are addresses.
void emitParallelFor(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value context, mlir::Value count, mlir::Value body,
                     mlir::Value state);

/// What `launch` takes: i32, three pointers, i32, pointer.
struct LaunchOperands {
  mlir::Value kernel, grid, block, sharedBytes, arguments;
};
mlir::Value emitLaunch(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value context, const LaunchOperands &operands);

/// `copy(user, target, source, bytes)`; `bytes` is an i64.
mlir::Value emitCopy(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value context, mlir::Value target,
                     mlir::Value source, mlir::Value bytes);

/// `fill(user, target, value, valueBytes, count)`; `value` is an address and
/// `count` an i64.
mlir::Value emitFill(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value context, mlir::Value target, mlir::Value value,
                     unsigned valueBytes, mlir::Value count);

/// The functions of the context that compute.
enum class RuntimeKernel { GemmF32, ScaledProduct, Quantize, Dequantize };

/// `kernel(user, operands)`; `operands` is the address of the function's
/// struct.
mlir::Value emitKernelCall(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value context, RuntimeKernel kernel,
                           mlir::Value operands);

/// `tensor_map(user, map, target)`, addresses of an `nvfp4_tensor_map` and of
/// its 128 bytes.
mlir::Value emitTensorMap(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value context, mlir::Value map,
                          mlir::Value target);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4HOSTTOLLVM_CONTEXTCALLS_H
