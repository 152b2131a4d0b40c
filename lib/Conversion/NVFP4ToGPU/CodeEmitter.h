//===- CodeEmitter.h - Codes of neighbouring elements -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thread's e2m1 codes of some neighbouring elements of one block, packed: by
// the conversion instructions of the chip where it has them, else by arithmetic
// that packs eight elements at a time. Bytes are those of the codecs.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_CODEEMITTER_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_CODEEMITTER_H

#include "Kernel.h"

namespace nvfp4 {

/// Elements whose codes fill a register.
constexpr int64_t kCodesPerWord = 8;

/// Some neighbouring elements of a row: as f32 and, where they are bf16 that a
/// thread holds two to a register, in which half of which i32.
struct Elements {
  struct Half {
    mlir::Value word;
    bool isUpper;
  };
  llvm::SmallVector<mlir::Value> values;
  /// Empty, or one per value.
  llvm::SmallVector<Half> halves;

  int64_t size() const { return values.size(); }
  Elements slice(int64_t first, int64_t count) const;
  /// Appends the two bf16 of a word, or one of them.
  void appendBoth(mlir::ImplicitLocOpBuilder &b, mlir::Value word);
  void appendHalf(mlir::ImplicitLocOpBuilder &b, mlir::Value word,
                  bool isUpper);
};

/// A run of neighbouring floats, which begins at an even place.
Elements getElements(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange run);

/// The largest magnitude of elements, f32: NaN if there is one, or without
/// NaN, 0 if nothing is left.
mlir::Value emitLargest(mlir::ImplicitLocOpBuilder &b,
                        const Elements &elements);
mlir::Value emitAmax(mlir::ImplicitLocOpBuilder &b, const Elements &elements);

class CodeEmitter {
public:
  CodeEmitter(mlir::ImplicitLocOpBuilder &b, const ChipModel &chip)
      : b(b), chip(chip) {}

  /// Words of 8 codes (i32), or one of 4 (i16), of a run times `encode`: the
  /// element that comes first is the lowest. `random` is empty or has an i32 in
  /// 0 … 255 per element.
  llvm::SmallVector<mlir::Value> emitWords(const Elements &run,
                                           mlir::Value encode,
                                           llvm::ArrayRef<mlir::Value> random);

  /// Whether `emitWords` computes, with a branch for what is rare. These are
  /// its two sides: for every element and factor, and for elements that are no
  /// NaN and the exact eighth of a factor. Words are i32.
  bool isArithmetic(bool isStochastic) const {
    return !chip.hasE2M1Conversion ||
           (isStochastic && !chip.hasStochasticConversion);
  }
  llvm::SmallVector<mlir::Value>
  emitWordsByCodec(const Elements &run, mlir::Value encode,
                   llvm::ArrayRef<mlir::Value> random);
  llvm::SmallVector<mlir::Value>
  emitWordsByArithmetic(const Elements &run, mlir::Value eighth,
                        llvm::ArrayRef<mlir::Value> random);

private:
  mlir::Value emitByInstruction(const Elements &run, mlir::Value encode);
  mlir::Value emitByRandomInstruction(const Elements &run, mlir::Value encode,
                                      llvm::ArrayRef<mlir::Value> random);
  mlir::Value emitByCodec(const Elements &run, mlir::Value encode,
                          llvm::ArrayRef<mlir::Value> random);
  mlir::Value emitByArithmetic(const Elements &run, mlir::Value eighth,
                               llvm::ArrayRef<mlir::Value> random);
  mlir::Value emitMagnitude(mlir::Value value, mlir::Value eighth,
                            mlir::Value random);
  mlir::Value emitSigns(const Elements &run);
  mlir::Value emitAsm(llvm::StringRef text, mlir::Type type,
                      llvm::StringRef constraints, mlir::ValueRange operands);

  mlir::ImplicitLocOpBuilder &b;
  const ChipModel &chip;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_CODEEMITTER_H
