//===- Decoding.h - Operands that are decoded before a product --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A decoded operand of a product is code times block scale, exact in bf16
// (docs/Format.md, sections 1 and 3), and the global scale beside it, which is
// applied to sums as it is where codes are multiplied.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_DECODING_H
#define NVFP4_DIALECT_NVFP4_IR_DECODING_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

namespace nvfp4 {

/// Whether components of an operand with a type are decoded values and perhaps
/// a global scale, not codes and scales.
bool areDecoded(mlir::ValueRange components);

/// What the global scale of an operand is left out of: the type to decode it
/// with, whose global scale, if it has one, is 1.
BlockTensorType getUnscaledType(BlockTensorType type);

/// The quantization whose results `op` decodes to bf16 without the global
/// scale, straight from its codes and scales of e4m3 or e8m0; null for any
/// other.
QuantizeIntoOp getDecodedQuantization(DequantizeIntoOp op);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_IR_DECODING_H
