//===- RegisterWords.h - Words of the registers layout in IR ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emits what Support/RegisterLayout.h says of bits and places, for lowerings of
// relayouts and for kernels that decode.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_CONVERSION_REGISTERWORDS_H
#define NVFP4_CONVERSION_REGISTERWORDS_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"

#include <array>

namespace nvfp4 {

/// The pairs of a word (i32): i32 each, two bf16 of 2^-126 times the values,
/// the first in the low half.
std::array<mlir::Value, 4> emitRegisterPairs(mlir::OpBuilder &builder,
                                             mlir::Location loc,
                                             mlir::Value word);
/// The word (i32) of four bytes (i8) of two codes each, from pair 0 on.
mlir::Value emitRegisterWord(mlir::OpBuilder &builder, mlir::Location loc,
                             llvm::ArrayRef<mlir::Value> bytes);
/// The byte (i8) of two codes in pair `pair` (index) of a word (i32).
mlir::Value emitCodesOfWord(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value word, mlir::Value pair);

/// Byte `number` mod 4 (index) of a word (i32), as i8, and a word of four
/// bytes, the first in the lowest bits.
mlir::Value emitByteOfWord(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value word, mlir::Value number);
mlir::Value emitWordOfBytes(mlir::OpBuilder &builder, mlir::Location loc,
                            llvm::ArrayRef<mlir::Value> bytes);

/// Places in a slice of `type`, which is in the registers layout. From (row,
/// byte of a linear row): the offset of the first byte of its word, and the
/// pair.
mlir::AffineMap getRegisterWordMap(BlockTensorType type);
/// From an offset in the codes: row, and byte of a linear row with pair 0; the
/// other pairs are 4 bytes apart.
mlir::AffineMap getRegisterWordInverse(BlockTensorType type);
/// From (row, column) of the linear scales to the offset in the scales, and
/// from that to the row of the matrix and which 16 of its columns.
mlir::AffineMap getRegisterScaleMap(BlockTensorType type);
mlir::AffineMap getRegisterScaleInverse(BlockTensorType type);

} // namespace nvfp4

#endif // NVFP4_CONVERSION_REGISTERWORDS_H
