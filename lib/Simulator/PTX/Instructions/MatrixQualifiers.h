//===- MatrixQualifiers.h - What mma and wmma share ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_MATRIXQUALIFIERS_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_MATRIXQUALIFIERS_H

#include "Decoder.h"
#include "Matrix/Mma.h"

namespace nvfp4::ptx {

/// Takes `.m16n8k64`. False after an error.
bool takeShape(DecodeContext &context, MatrixShape &shape);
/// Takes the first qualifier that is left, which must be an element type.
/// False after an error.
bool takeElementType(DecodeContext &context, ElementType &type);
/// Takes the types that are all that is left. False after an error.
bool takeElementTypes(DecodeContext &context, std::vector<ElementType> &types);
/// The type of registers with elements of a type.
Type getRegisterType(ElementType type);
/// The tensor cores of ".target sm_…".
TensorCore getTensorCore(std::string_view target);
/// Checks the number of registers of an operand. False after an error.
bool expectRegisters(DecodeContext &context, const char *name,
                     const std::vector<OperandRef> &refs, int count);

/// The 32 values of a register, or what is undefined of them.
struct RegisterBits {
  alignas(64) uint64_t bits[kLanes];
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_MATRIXQUALIFIERS_H
