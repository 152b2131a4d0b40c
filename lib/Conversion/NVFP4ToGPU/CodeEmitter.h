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

/// The largest magnitude of f32 `values`, without NaN: 0 if nothing is left.
mlir::Value emitAmax(mlir::ImplicitLocOpBuilder &b,
                     llvm::ArrayRef<mlir::Value> values);

/// A run of neighbouring floats, which begins at an even place, as f32.
llvm::SmallVector<mlir::Value> emitAsF32(mlir::ImplicitLocOpBuilder &b,
                                         mlir::ValueRange run);

/// The two bf16 of an i32 as f32, the lower one first.
std::pair<mlir::Value, mlir::Value> emitHalves(mlir::ImplicitLocOpBuilder &b,
                                               mlir::Value word);

class CodeEmitter {
public:
  CodeEmitter(mlir::ImplicitLocOpBuilder &b, const ChipModel &chip)
      : b(b), chip(chip) {}

  /// `emitAmax` of what codes will be emitted of: shares its work with
  /// `emitWords`.
  mlir::Value emitRunAmax(llvm::ArrayRef<mlir::Value> run, bool isStochastic);

  /// Words of 8 codes (i32), or one of 4 (i16), of f32 `run` times `encode`:
  /// the element that comes first is the lowest. `random` is empty or has an
  /// i32 in 0 … 255 per element.
  llvm::SmallVector<mlir::Value> emitWords(llvm::ArrayRef<mlir::Value> run,
                                           mlir::Value encode,
                                           llvm::ArrayRef<mlir::Value> random);

private:
  bool hasInstruction(bool isStochastic) const {
    return chip.hasE2M1Conversion &&
           (!isStochastic || chip.hasStochasticConversion);
  }
  mlir::Value emitHasNaN(llvm::ArrayRef<mlir::Value> run);
  mlir::Value emitByInstruction(llvm::ArrayRef<mlir::Value> run,
                                mlir::Value encode);
  mlir::Value emitByRandomInstruction(llvm::ArrayRef<mlir::Value> run,
                                      mlir::Value encode,
                                      llvm::ArrayRef<mlir::Value> random);
  mlir::Value emitByCodec(llvm::ArrayRef<mlir::Value> run, mlir::Value encode,
                          llvm::ArrayRef<mlir::Value> random);
  mlir::Value emitByArithmetic(llvm::ArrayRef<mlir::Value> run,
                               mlir::Value eighth,
                               llvm::ArrayRef<mlir::Value> random);
  mlir::Value emitMagnitude(mlir::Value value, mlir::Value eighth,
                            mlir::Value random);
  mlir::Value emitSigns(llvm::ArrayRef<mlir::Value> run);
  mlir::Value emitAsm(llvm::StringRef text, mlir::Type type,
                      llvm::StringRef constraints, mlir::ValueRange operands);

  mlir::ImplicitLocOpBuilder &b;
  const ChipModel &chip;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_CODEEMITTER_H
