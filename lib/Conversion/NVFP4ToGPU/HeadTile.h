//===- HeadTile.h - Rows of a head in shared memory -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Some neighbouring rows of one head's queries, keys or values, of bf16 or f16,
// as an image for units that multiply these: panels of up to 64 elements of all
// rows, in lines of a power of two bytes (AttentionMemory.h), permuted as
// `LineImage` says.
//
// Rows that lie in memory as the body's value is, however often heads repeat or
// in which order dimensions stand, are copied asynchronously; everything else
// is evaluated and stored.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_HEADTILE_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_HEADTILE_H

#include "ElementEvaluator.h"
#include "Matmul/FloatOperandPath.h"

#include "nvfp4/Support/AttentionMemory.h"

namespace nvfp4 {

class HeadTile {
public:
  /// `size` elements of each of `rows` rows. `threads` fill an image.
  HeadTile(FloatContext context, mlir::Value tensor, int64_t rows, int64_t size,
           int64_t threads);

  int64_t getPanelBytes() const { return panel.getBytes(); }
  /// Whether lines are those that units of warpgroups read.
  bool hasFullLines() const { return panel.lineBytes == kWgmmaLineBytes; }

  /// `index` is that of element 0 of row 0 of the head, whose rows are
  /// dimension `rowDim` and whose elements the last; there are `numRows` of
  /// them (an index).
  mlir::LogicalResult begin(mlir::Value thread, mlir::ValueRange index,
                            unsigned rowDim, mlir::Value numRows);
  /// Fills an image with rows from `first` (an index) on, zeros beyond the
  /// last. Copies are complete with the thread's `cp.async` groups.
  mlir::LogicalResult copy(mlir::Value image, mlir::Value first);

  /// How a lane (i32) finds its part of matrices.
  void beginLoads(mlir::Value lane);
  /// Registers of the unit's 16 rows from `firstRow` (i32), elements 16 `step`
  /// and behind.
  llvm::SmallVector<mlir::Value> loadRows(mlir::Value image,
                                          mlir::Value firstRow, int64_t step);
  /// Of the unit's columns: all rows of the image, the same elements.
  llvm::SmallVector<mlir::Value> loadColumns(mlir::Value image, int64_t step);
  /// Of the unit's columns: all elements; its K is 16 rows of the image.
  llvm::SmallVector<mlir::Value> loadTransposed(mlir::Value image,
                                                int64_t step);

private:
  /// What a thread copies at once: 8 elements of a row.
  struct Unit {
    /// i32.
    mlir::Value row, offset, element;
    mlir::Value exists;
  };
  Unit getUnit(mlir::Value number, int64_t first);
  int64_t getNumUnits() const { return rows * size / kUnitElements; }
  void findSource(mlir::ValueRange index, unsigned rowDim);
  mlir::LogicalResult copyEvaluated(mlir::Value image, mlir::Value first);
  void copyAsync(mlir::Value image, mlir::Value first);
  /// Four 8x8 matrices of a panel, from `row` and `element` behind the lane's
  /// own `place`.
  llvm::SmallVector<mlir::Value> load(mlir::Value image, mlir::Value place,
                                      int64_t panelNumber, int64_t row,
                                      int64_t element, bool isTransposed);

  static constexpr int64_t kUnitElements = 8;
  static constexpr int64_t kElementBytes = AttentionMemory::kElementBytes;
  static constexpr int64_t kUnitBytes = kUnitElements * kElementBytes;

  FloatContext context;
  mlir::ImplicitLocOpBuilder &b;
  mlir::Value tensor;
  int64_t rows, size, threads;
  LineImage panel;

  /// i32; indices.
  mlir::Value thread;
  llvm::SmallVector<mlir::Value> index;
  unsigned rowDim = 0;
  mlir::Value numRows;
  /// Element 0 of row 0, and bytes (i64) from row to row; null: evaluated.
  mlir::Value source, rowBytes;
  /// i32: bytes of the lane's places in the three kinds of loads.
  mlir::Value rowPlace, columnPlace, transposedPlace;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_HEADTILE_H
