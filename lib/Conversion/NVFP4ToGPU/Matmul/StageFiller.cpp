//===- StageFiller.cpp - Warps that copy, and the tiles of a block --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StageFiller.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

int64_t nvfp4::getColumnsOffset(const MatmulConfig &config,
                                const MatmulParts &parts) {
  const OperandPath &rows = config.swapped ? *parts.rhs : *parts.lhs;
  return roundUpTo(rows.getImageBytes(), kImageAlignment);
}

int64_t nvfp4::getStageBytes(const MatmulConfig &config,
                             const MatmulParts &parts) {
  const OperandPath &columns = config.swapped ? *parts.lhs : *parts.rhs;
  return getColumnsOffset(config, parts) +
         roundUpTo(columns.getImageBytes(), kImageAlignment);
}

//===----------------------------------------------------------------------===//
// TileLoop
//===----------------------------------------------------------------------===//

void TileLoop::begin() {
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  numTiles = scheduler.emitNumTiles(kernel);
  Arithmetic a(b);
  const MatmulConfig &config = scheduler.getConfig();
  numBlocks =
      a.div(NVVM::GridDimXOp::create(b, b.getI32Type()), config.clusters);
  rank = emitClusterRank(kernel, config);
}

LogicalResult TileLoop::forEach(ValueRange start, Body body,
                                SmallVectorImpl<Value> *last) {
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  Value first =
      Arithmetic(b).div(kernel.getBlockId(0), scheduler.getConfig().clusters);
  auto loop = scf::ForOp::create(b, first, numTiles, numBlocks, start);
  if (last)
    last->assign(loop.getResults().begin(), loop.getResults().end());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  MatmulTile tile = scheduler.emitTile(kernel, loop.getInductionVar());
  FailureOr<SmallVector<Value>> state =
      body(tile, SmallVector<Value>(loop.getRegionIterArgs()));
  if (failed(state))
    return failure();
  scf::YieldOp::create(b, *state);
  return success();
}

//===----------------------------------------------------------------------===//
// StageFiller
//===----------------------------------------------------------------------===//

int64_t StageFiller::getArrivals() const {
  bool isBulk = rows.getBulkBytes() + columns.getBulkBytes() != 0;
  int64_t warps = copiesByThreads() ? config.getFillers() / 32 : 0;
  return (isBulk ? 1 : 0) + warps * config.getTilesAtOnce();
}

void StageFiller::emit(Value thread, Value numTilesOfK, TileLoop &tiles,
                       Value firstTileOfK) {
  this->firstTileOfK = firstTileOfK;
  this->numTilesOfK = numTilesOfK;
  CtaContext cta(b, config, thread);
  const MatmulExtents &extents = parts.extents;
  if (config.isPair())
    isFirstOfPair = a.equal(tiles.getRank(), 0);
  auto fill = [&](const MatmulTile &tile, SmallVector<Value> state) {
    parts.lhs->beginCopies(cta, {tile.m, extents.m, tile.slice});
    parts.rhs->beginCopies(
        cta, {tile.n, extents.n, parts.rhsIsBatched ? tile.slice : Value()});
    return FailureOr<SmallVector<Value>>(
        copiesByThreads() ? fillByThreads(cta, std::move(state))
                          : fillInBulk(std::move(state)));
  };
  SmallVector<Value> last;
  (void)tiles.forEach(ring.start(), fill, &last);
  if (config.isPair())
    waitForAll(std::move(last));
}

/// Arrivals from another CTA need this one.
void StageFiller::waitForAll(SmallVector<Value> state) {
  auto loop =
      scf::ForOp::create(b, a.i32(0), a.i32(config.stages), a.i32(1), state);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ring.waitEmpty(loop.getRegionIterArgs());
  scf::YieldOp::create(b, ring.next(loop.getRegionIterArgs()));
}

/// Where nothing but bulk copies fills stages, one thread begins them all.
SmallVector<Value> StageFiller::fillInBulk(SmallVector<Value> state) {
  auto loop = scf::ForOp::create(b, a.i32(0), numTilesOfK, a.i32(1), state);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> filled(loop.getRegionIterArgs());
  ring.waitEmpty(filled);
  copyBulk(filled, getTileOfK(loop.getInductionVar()));
  scf::YieldOp::create(b, ring.next(filled));
  return SmallVector<Value>(loop.getResults());
}

/// By one thread, whose arrival is one of those that make the stage full.
void StageFiller::copyBulk(ValueRange state, Value tile) {
  Value barrier = ring.getFullBarrier(state);
  int64_t bytes = rows.getBulkBytes() + columns.getBulkBytes();
  // Of a pair, what both copy.
  if (config.isPair())
    ptx.arriveAndExpectIf(isFirstOfPair, barrier, a.i32(2 * bytes));
  else
    ptx.arriveAndExpect(barrier, a.i32(bytes));
  rows.copyBulk(b, ring.getImage(state), tile, barrier);
  columns.copyBulk(b, getColumns(state), tile, barrier);
}

/// What paths make of their copies of `tile`, unless there are none yet.
void StageFiller::complete(ValueRange state, Value tile, Value isLate) {
  if (!rows.completesCopies() && !columns.completesCopies())
    return;
  auto branch = scf::IfOp::create(b, isLate, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  rows.complete(b, ring.getImage(state), tile);
  columns.complete(b, getColumns(state), tile);
}

/// Copies of a tile are complete some tiles later; then their writers make them
/// visible to the unit, and each warp arrives.
SmallVector<Value> StageFiller::fillByThreads(const CtaContext &cta,
                                              SmallVector<Value> state) {
  int64_t pending = config.stages / 2;
  Value isFirstLane = a.equal(cta.lane, 0);
  // Of the tile that is filled, and of the one that is declared full.
  SmallVector<Value> carried(state);
  llvm::append_range(carried, state);
  auto loop = scf::ForOp::create(b, a.i32(0), a.add(numTilesOfK, pending),
                                 a.i32(1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value t = loop.getInductionVar();
  SmallVector<Value> filled(loop.getRegionIterArgs().take_front(2));
  SmallVector<Value> full(loop.getRegionIterArgs().drop_front(2));
  Value isThere = a.less(t, numTilesOfK);
  auto branch = scf::IfOp::create(b, isThere, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard inBranch(b);
    b.setInsertionPointToStart(branch.thenBlock());
    ElementEvaluator::Scope scope(evaluator);
    ring.waitEmpty(filled);
    Value tile = getTileOfK(t);
    if (rows.getBulkBytes() + columns.getBulkBytes() != 0) {
      auto one = scf::IfOp::create(b, a.equal(cta.thread, 0),
                                   /*withElseRegion=*/false);
      OpBuilder::InsertionGuard inOne(b);
      b.setInsertionPointToStart(one.thenBlock());
      copyBulk(filled, tile);
    }
    rows.copy(b, ring.getImage(filled), tile);
    columns.copy(b, getColumns(filled), tile);
  }
  NVVM::CpAsyncCommitGroupOp::create(b);
  NVVM::CpAsyncWaitGroupOp::create(b, pending);
  Value isLate = a.less(t, pending);
  complete(full, getTileOfK(a.sub(t, pending)), isLate);
  ptx.fenceAsyncProxy();
  ptx.syncWarp();
  Value arrives = a.select(isLate, a.constant(b.getI1Type(), 0), isFirstLane);
  // The first CTA of a pair multiplies for both.
  if (config.isPair())
    ptx.arriveRemoteIf(arrives,
                       ptx.mapToRank(ring.getFullBarrier(full), a.i32(0)));
  else
    ptx.arriveIf(ring.getFullBarrier(full), arrives);
  SmallVector<Value> nextFilled = ring.next(filled), nextFull = ring.next(full);
  SmallVector<Value> results;
  for (auto [next, same] : llvm::zip_equal(nextFilled, filled))
    results.push_back(a.select(isThere, next, same));
  for (auto [next, same] : llvm::zip_equal(nextFull, full))
    results.push_back(a.select(isLate, same, next));
  scf::YieldOp::create(b, results);
  return SmallVector<Value>(loop.getResults().take_front(2));
}
