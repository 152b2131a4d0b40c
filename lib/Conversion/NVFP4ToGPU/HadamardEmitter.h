//===- HadamardEmitter.h - Groups that a thread transforms ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The random Hadamard transform of 16 neighbours (docs/Format.md, section 6).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_HADAMARDEMITTER_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_HADAMARDEMITTER_H

#include "CodeEmitter.h"

namespace nvfp4 {

/// f32 outputs 0 … count - 1 of `terms`, quarters of 16 inputs in f32, summed
/// in order.
llvm::SmallVector<mlir::Value>
emitHadamardSums(mlir::ImplicitLocOpBuilder &b,
                 llvm::ArrayRef<mlir::Value> terms, int64_t count,
                 int64_t signs);

/// All 16 outputs of a group, the same bits: of bf16, in 64 additions instead
/// of 171 where no sum is rounded.
llvm::SmallVector<mlir::Value> emitHadamardGroup(mlir::ImplicitLocOpBuilder &b,
                                                 const Elements &group,
                                                 int64_t signs);

/// f32 values as `type`, neighbours of bf16 by one instruction.
llvm::SmallVector<mlir::Value> emitFromF32(mlir::ImplicitLocOpBuilder &b,
                                           llvm::ArrayRef<mlir::Value> values,
                                           mlir::Type type);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_HADAMARDEMITTER_H
