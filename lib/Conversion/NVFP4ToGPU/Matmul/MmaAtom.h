//===- MmaAtom.h - The unit that multiplies ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Multiplies staged handles into accumulators. Accumulators are values that a
// loop carries and that only the atom understands (registers, or where they lie
// in tensor memory), until `drain` gives them out in chunks.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MMAATOM_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MMAATOM_H

#include "MatmulConfig.h"

namespace nvfp4 {

/// f32 values of one row and neighbouring columns of the unit's tile. The first
/// stands at (row + rowOffset, column + columnOffset).
struct AccumulatorChunk {
  llvm::SmallVector<mlir::Value> values;
  /// i32, the same of all chunks that differ in the offsets only.
  mlir::Value row, column;
  int64_t rowOffset, columnOffset;
};

/// Where sums are when a tile is complete.
class AccumulatorSource {
public:
  virtual ~AccumulatorSource() = default;

  /// Visits this thread's chunks in `count` of the unit's columns from `first`
  /// (i32) on, from where their offsets count. Emits no control flow.
  virtual void
  drainColumns(const CtaContext &cta, mlir::ValueRange accumulators,
               mlir::Value first, int64_t count,
               llvm::function_ref<void(const AccumulatorChunk &)> visit) = 0;
};

class MmaAtom : public AccumulatorSource {
public:
  /// Accumulators that are zero.
  virtual llvm::SmallVector<mlir::Value> begin(const CtaContext &cta) = 0;
  /// The accumulators after the warp's K step `step` of a stage.
  virtual llvm::SmallVector<mlir::Value>
  issue(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange accumulators,
        mlir::ValueRange rows, mlir::ValueRange columns, int64_t step) = 0;
  /// The accumulators once all but the youngest `pending` issues are complete.
  /// Units that work asynchronously own them, and the registers of operands,
  /// until then.
  virtual llvm::SmallVector<mlir::Value> wait(mlir::ImplicitLocOpBuilder &b,
                                              mlir::ValueRange accumulators,
                                              int64_t pending) {
    return accumulators;
  }
  /// Visits all chunks of this thread. Emits no control flow.
  virtual void
  drain(const CtaContext &cta, mlir::ValueRange accumulators,
        llvm::function_ref<void(const AccumulatorChunk &)> visit) = 0;
  /// `first` is a constant. A slice is part of a tile only if all threads have
  /// all its columns.
  void drainColumns(
      const CtaContext &cta, mlir::ValueRange accumulators, mlir::Value first,
      int64_t count,
      llvm::function_ref<void(const AccumulatorChunk &)> visit) override;
};

/// Visits accumulators that warps hold as fragments of m16n8: four for each 16
/// rows and 8 columns (MmaAtom.cpp says which).
void drainFragments(const CtaContext &cta, const OctetMap &rows,
                    const OctetMap &columns, mlir::ValueRange accumulators,
                    llvm::function_ref<void(const AccumulatorChunk &)> visit);

/// A warp-level instruction m16n8 with four f32 accumulators.
enum class WarpMmaKind {
  NVFP4, ///< k64, e2m1, an e4m3 scale per 16.
  MXFP4, ///< k64, e2m1, an e8m0 scale per 32.
  BF16,  ///< k16.
  F16,   ///< k16.
};

/// K of an instruction.
int64_t getStepK(WarpMmaKind kind);

std::unique_ptr<MmaAtom> createWarpMma(WarpMmaKind kind, OctetMap rows,
                                       OctetMap columns);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MMAATOM_H
