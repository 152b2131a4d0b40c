//===- GridWait.h - Kernels that start before others end --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every kernel lets the next one start at once and waits itself for the one
// before it, so that launching overlaps with computing. KernelBuilder writes
// both as the first instructions. A generator with something to do before the
// wait, such as fetching weights, which no kernel writes, moves it.
//
// Source: PTX ISA, `griddepcontrol`; CUDA programming guide, programmatic
// dependent launch.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_GRIDWAIT_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_GRIDWAIT_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nvfp4 {

/// Lets the next kernel start when all blocks of this one have got here.
void emitLetNextStart(mlir::ImplicitLocOpBuilder &builder);
/// Waits until all that kernels before this one wrote is visible. All threads
/// get here, before any reads what other kernels write, or writes.
void emitGridWait(mlir::ImplicitLocOpBuilder &builder);

/// Removes the wait that KernelBuilder has written: the generator calls
/// `emitGridWait` later.
void deferGridWait(mlir::gpu::GPUFuncOp kernel);
/// Whether a kernel waits for those before it, so that it may start early.
bool waitsForGrid(mlir::gpu::GPUFuncOp kernel);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_GRIDWAIT_H
