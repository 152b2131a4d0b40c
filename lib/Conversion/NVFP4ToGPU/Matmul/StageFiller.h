//===- StageFiller.h - Warps that copy, and a block's tiles -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels whose warps have roles share, whatever multiplies: each role
// walks through the same tiles of the result, and a warpgroup fills stages:
//
//   for each tile of the result:
//     for each tile of K:
//       wait until the stage is empty, fill it,
//       say that an earlier one is full
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STAGEFILLER_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STAGEFILLER_H

#include "Arithmetic.h"
#include "HopperPTX.h"
#include "MatmulKernel.h"

namespace nvfp4 {

/// Where the image of the columns begins in a stage, behind that of the rows,
/// and bytes of a stage.
int64_t getColumnsOffset(const MatmulConfig &config, const MatmulParts &parts);
int64_t getStageBytes(const MatmulConfig &config, const MatmulParts &parts);

/// The tiles of the result that a persistent block computes.
class TileLoop {
public:
  TileLoop(KernelBuilder &kernel, const TileScheduler &scheduler,
           ElementEvaluator &evaluator)
      : kernel(kernel), scheduler(scheduler), evaluator(evaluator) {}

  /// Emits what all roles need, before them.
  void begin();
  using Body =
      llvm::function_ref<mlir::FailureOr<llvm::SmallVector<mlir::Value>>(
          const MatmulTile &tile, llvm::SmallVector<mlir::Value> state)>;
  /// i32: which block of its cluster this is.
  mlir::Value getRank() const { return rank; }
  /// A loop around the role's state, which `body` returns for the next tile.
  /// `last` gets the state behind all tiles.
  mlir::LogicalResult
  forEach(mlir::ValueRange start, Body body,
          llvm::SmallVectorImpl<mlir::Value> *last = nullptr);

private:
  KernelBuilder &kernel;
  const TileScheduler &scheduler;
  ElementEvaluator &evaluator;
  /// i32: tiles, and those that are computed at once; for pairs of CTAs, pairs
  /// of tiles.
  mlir::Value numTiles, numBlocks, rank;
};

class StageFiller {
public:
  StageFiller(KernelBuilder &kernel, const MatmulConfig &config,
              MatmulParts &parts, ElementEvaluator &evaluator,
              BarrierRing &ring)
      : b(kernel.getBuilder()), a(b), ptx(b), config(config), parts(parts),
        evaluator(evaluator), rows(config.swapped ? *parts.rhs : *parts.lhs),
        columns(config.swapped ? *parts.lhs : *parts.rhs), ring(ring),
        columnsOffset(getColumnsOffset(config, parts)) {}

  bool copiesByThreads() const {
    return rows.copiesByThreads() || columns.copiesByThreads();
  }
  /// Arrivals that make a stage full.
  int64_t getArrivals() const;
  /// By a warpgroup, whose threads count from 0, or by thread 0 of it where no
  /// thread copies by itself.
  /// Tiles of K from `firstTileOfK` (i32, or null: the first) on.
  void emit(mlir::Value thread, mlir::Value numTilesOfK, TileLoop &tiles,
            mlir::Value firstTileOfK = {});

private:
  void copyBulk(mlir::ValueRange state, mlir::Value tile);
  void complete(mlir::ValueRange state, mlir::Value tile, mlir::Value isLate);
  /// Until the stages are empty: whoever reads them, or says so, is done.
  void waitForAll(llvm::SmallVector<mlir::Value> state);
  llvm::SmallVector<mlir::Value>
  fillInBulk(llvm::SmallVector<mlir::Value> state);
  llvm::SmallVector<mlir::Value>
  fillByThreads(const CtaContext &cta, llvm::SmallVector<mlir::Value> state);
  /// The `number`-th tile of K that this CTA has (i32).
  mlir::Value getTileOfK(mlir::Value number) {
    return firstTileOfK ? a.add(firstTileOfK, number) : number;
  }
  mlir::Value getColumns(mlir::ValueRange state) {
    return a.offset(ring.getImage(state), columnsOffset);
  }

  mlir::ImplicitLocOpBuilder &b;
  Arithmetic a;
  HopperPTX ptx;
  const MatmulConfig &config;
  MatmulParts &parts;
  ElementEvaluator &evaluator;
  OperandPath &rows, &columns;
  BarrierRing &ring;
  int64_t columnsOffset;
  /// i32.
  mlir::Value numTilesOfK, firstTileOfK;
  /// i1: of a pair of CTAs, whether it is the first, whose barriers count.
  mlir::Value isFirstOfPair;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STAGEFILLER_H
