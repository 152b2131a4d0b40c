//===- QuantizeEmitter.h - How threads quantize -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of `nvfp4.quantize_into` for a thread that holds a *run*: 4, 8 or
// 16 neighbouring elements of a row, as f32, first at a multiple of their
// number. Lanes that are neighbours hold runs that are neighbours, so that a
// block is a few lanes of a warp, which exchange their largest magnitudes.
//
// Bytes are those of the reference lowering: the conversion instructions of the
// chip where they are exact, the codecs of ScalarCodecs.h elsewhere. Scales go
// straight to where the layout wants them, and padding becomes zero, because
// threads are asked to cover it, too. Besides, or instead, the values that
// codes and scales stand for are stored as bf16, in which they are exact.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_QUANTIZEEMITTER_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_QUANTIZEEMITTER_H

#include "CodeEmitter.h"
#include "ElementEvaluator.h"

#include "nvfp4/Conversion/ScalarCodecs.h"

namespace nvfp4 {

/// The largest of an f32 among lanes whose numbers differ in the bits of
/// `lanes` alone, each a power of two below 32. All lanes of the warp take
/// part.
mlir::Value emitMaxOfLanes(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                           llvm::ArrayRef<int32_t> lanes);

/// The arguments of a kernel that what a quantization makes goes to; null where
/// nobody reads that.
struct QuantizeTargets {
  mlir::BlockArgument codes, scales;
  /// Decoded, without the global scale.
  mlir::BlockArgument values;

  /// One that has the dimensions of the tensor, the last one perhaps halved.
  mlir::BlockArgument getShaped() const { return codes ? codes : values; }
  bool contains(mlir::BlockArgument argument) const {
    return argument == codes || argument == scales || argument == values;
  }
};

/// Those of `op` among the results of a kernel's body, each of which is the
/// argument of its position from the last. An error if there are neither codes
/// nor values.
mlir::FailureOr<QuantizeTargets> getQuantizeTargets(mlir::func::FuncOp body,
                                                    QuantizeIntoOp op);

/// The one quantization whose codes, scales and decoded values are all results
/// of a body; null for any other.
QuantizeIntoOp getOnlyQuantization(mlir::func::FuncOp body);

class QuantizeEmitter {
public:
  /// Whether the row and the column of a run exist, and whether its place must
  /// be covered: nothing is stored elsewhere. Null: yes.
  struct Presence {
    mlir::Value row, column, covered;
  };

  /// Code that all runs share goes to where the kernel's builder stands.
  QuantizeEmitter(KernelBuilder &kernel, ElementEvaluator &evaluator,
                  QuantizeIntoOp op, const QuantizeTargets &targets);

  //===--------------------------------------------------------------------===//
  // What must be covered
  //===--------------------------------------------------------------------===//

  /// Rows and columns of the matrix (one slice of the tensor), and those that
  /// have room in the layout: a run of each must be emitted exactly once.
  mlir::Value getRows() const { return rows; }
  mlir::Value getColumns() const { return columns; }
  mlir::Value getCoveredRows();
  mlir::Value getCoveredColumns();
  /// The latter, or ShapedType::kDynamic.
  int64_t getCoveredColumnCount() const;
  /// The same for the host. Covered rows are a multiple of 128 where they
  /// differ from the matrix's.
  mlir::AffineExpr getCoveredRowsExpr();
  mlir::AffineExpr getCoveredColumnsExpr();
  /// Extents of the dimensions before rows and columns.
  llvm::ArrayRef<mlir::Value> getLeadExtents() const { return leadExtents; }
  llvm::SmallVector<mlir::AffineExpr> getLeadExtentExprs();
  /// Whether there is padding to cover.
  bool isTiled() const {
    return type.getLayout() == BlockLayout::Tiled &&
           (targets.codes || targets.scales);
  }

  //===--------------------------------------------------------------------===//
  // Emitting
  //===--------------------------------------------------------------------===//

  /// Whether all rows have the same global scale.
  bool hasOneGlobalScale() {
    mlir::Value scale = op.getGlobalScale();
    return scale &&
           mlir::cast<mlir::ShapedType>(scale.getType()).getRank() == 0;
  }
  /// What the global scale of the row at `index` (lead …, row) makes of it;
  /// null values in formats without one.
  mlir::FailureOr<EmittedFactors> getFactors(mlir::ValueRange index);

  /// The largest magnitude of the block of a run along its row: of the run, and
  /// of the lanes that hold the rest of the block. `isColumn` is the presence
  /// of the run's column: what is absent counts as zeros.
  mlir::Value emitBlockAmax(const Elements &run, mlir::Value isColumn);

  /// Encodes a run at `index` (lead …, row, column), which is a covered one,
  /// and stores its codes, its values and, where the run begins a block, the
  /// scale. `amax` is the block's.
  mlir::LogicalResult emitRun(mlir::ValueRange index, Presence presence,
                              const Elements &run, mlir::Value amax,
                              const EmittedFactors &factors);

  /// The same for a run whose block is one of a row: finds `amax`, too. A run
  /// that is the whole block takes one branch for all that is rare.
  mlir::LogicalResult emitRow(mlir::ValueRange index, Presence presence,
                              const Elements &run,
                              const EmittedFactors &factors);

  /// Makes the scales of rows that do not exist zero, if only rows that exist
  /// are emitted. `lane` of `lanes`, a multiple of 32 or of getPaddingLanes(),
  /// has the row at `index` (lead …, row); an i1 says whether it exists, null
  /// if it does.
  void emitRowPadding(mlir::ValueRange index, mlir::Value isRow,
                      mlir::Value lane, int64_t lanes);

  /// Emits a whole block at `index`, which exists, and that share of all
  /// padding which is its own: nothing else needs to be covered. Columns are
  /// static and whole blocks.
  mlir::LogicalResult emitBlock(mlir::ValueRange index, const Elements &block,
                                const EmittedFactors &factors);

private:
  mlir::AffineExpr getExtentExpr(unsigned dim);
  /// Of a row of the tiled layout: words of four scales, and as many lanes or a
  /// few more.
  int64_t getScaleWords() const;
  int64_t getPaddingLanes() const;
  void emitColumnPadding(mlir::ValueRange index);
  EmittedBlockScale emitScale(mlir::Value amax, const EmittedFactors &factors);
  EmittedBlockScale emitPlainScale(mlir::Value amax,
                                   const EmittedFactors &factors);
  /// A byte of each element, as i32.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emitRandomBytes(mlir::ValueRange index, int64_t count);
  void storeRun(mlir::ValueRange index, Presence presence,
                llvm::ArrayRef<mlir::Value> words, mlir::Value byte,
                int64_t count);
  void storeCodes(mlir::ValueRange index, Presence presence,
                  llvm::ArrayRef<mlir::Value> words, int64_t count);
  void storeValues(mlir::ValueRange index, Presence presence,
                   llvm::ArrayRef<mlir::Value> words, mlir::Value scale,
                   int64_t count);
  mlir::Value getLine(mlir::ValueRange index);
  void storeWords(llvm::ArrayRef<mlir::Value> words,
                  mlir::BlockArgument argument, mlir::Value offset,
                  int64_t bytes);
  void storeScale(mlir::ValueRange index, Presence presence, mlir::Value byte,
                  int64_t count);
  mlir::Value getScaleOffset(mlir::ValueRange index);
  /// Number of the slice at `index`.
  mlir::Value getSlice(mlir::ValueRange index);
  void store(mlir::Value value, mlir::BlockArgument argument,
             mlir::Value offset, int64_t alignment);

  KernelBuilder &kernel;
  ElementEvaluator &evaluator;
  mlir::ImplicitLocOpBuilder &b;
  QuantizeIntoOp op;
  BlockTensorType type;
  QuantizeTargets targets;
  CodeEmitter encoder;
  llvm::SmallVector<mlir::Value> leadExtents;
  mlir::Value rows, columns;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_QUANTIZEEMITTER_H
