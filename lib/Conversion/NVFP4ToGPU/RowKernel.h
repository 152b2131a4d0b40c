//===- RowKernel.h - Threads that share a row -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row is what some lanes of a warp, a warp or a CTA compute together. Its
// columns are dealt out in runs of neighbours: lane after lane, then step after
// step.
//
//       step 0                          step 1
//     | lane 0 | lane 1 | … | lane T-1 | lane 0 | lane 1 | …
//       run of V columns
//
// Runs of neighbouring lanes are neighbours, so that a block of 16 or 32
// columns is held by adjacent lanes of one warp.
//
// All threads take part in every step. Where a row or a run does not exist,
// they compute an existing one again, and must not store: nothing is read out
// of bounds, and a value that several steps of a chain need is evaluated once
// and stays in registers, because no branch hides it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_ROWKERNEL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_ROWKERNEL_H

#include "ElementEvaluator.h"

namespace nvfp4 {

/// The op that adds to the sum of result `number` of a reduction: of two
/// operands, one the sum so far, the other independent of all sums. Several
/// terms are added by several ops of one kind. Null if there is no such op.
mlir::Operation *getCombiner(mlir::linalg::LinalgOp op, unsigned number);

/// How rows are shared among threads.
struct RowSharing {
  /// Columns of a run, a power of two.
  int64_t runLength;
  /// A power of two up to 32, or all threads of a CTA.
  int64_t threadsPerRow;
  int64_t rowsPerBlock;
  /// Whether columns stay in registers between the steps of a chain.
  bool isUnrolled;
  /// Neighbouring CTAs that share a row, each with columns of its own.
  int64_t blocksPerRow = 1;
};

class RowEmitter {
public:
  using Run = ElementEvaluator::Run;

  /// A run of a thread.
  struct Columns {
    /// The first one, and the first one of the run to compute: equal where the
    /// run exists.
    mlir::Value position, clamped;
    /// An i1; null: the run exists.
    mlir::Value isPresent;
  };

  /// A kernel computes rows [0, coveredRows), of which the first `rows` exist.
  RowEmitter(KernelBuilder &kernel, ElementEvaluator &evaluator,
             const RowSharing &sharing, mlir::Value rows,
             mlir::Value coveredRows);

  mlir::ImplicitLocOpBuilder &getBuilder() { return builder; }
  const RowSharing &getSharing() const { return sharing; }
  /// The row of this thread, and the row to compute: equal where it exists.
  mlir::Value getRowPosition() const { return rowPosition; }
  mlir::Value getRow() const { return row; }
  /// i1; null: it exists.
  mlir::Value isRowPresent() const { return rowIsPresent; }
  /// This thread's number among those of the row, an index.
  mlir::Value getLane() const { return lane; }
  /// Shared memory that the kernel needs in the end.
  int64_t getSharedBytes() const { return sharedBytes; }

  /// Calls `visit` for every run of this thread in [0, covered), of which the
  /// first `columns` exist; both are multiples of a run. It gets what it has
  /// returned for the run before, `carried` for the first.
  mlir::FailureOr<Run>
  forEachRun(mlir::Value columns, mlir::Value covered, mlir::ValueRange carried,
             llvm::function_ref<mlir::FailureOr<Run>(const Columns &,
                                                     mlir::ValueRange)>
                 visit);

  /// Combines a scalar of each thread of the row in a fixed order; all threads
  /// get the result. Once per place in the code: not in a loop.
  mlir::Value combineThreads(
      mlir::Value value,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);

  /// Conjunction of two i1, of which either may be null.
  mlir::Value conjoin(mlir::Value lhs, mlir::Value rhs);

private:
  mlir::Value shuffle(mlir::Value value, int32_t distance);
  Columns getColumns(mlir::Value step, mlir::Value columns);

  KernelBuilder &kernel;
  ElementEvaluator &evaluator;
  mlir::ImplicitLocOpBuilder &builder;
  RowSharing sharing;
  mlir::Value lane, thread, rowPosition, row, rowIsPresent;
  int64_t sharedBytes = 0;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ROWKERNEL_H
