//===- QuantizePadding.cpp - Zeros behind rows and columns ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tiled layout has room for whole tiles of scales, 128 rows times 4 blocks,
// and for codes of 64 columns. What does not exist there is zero, and belongs
// to what does: padding of a row to its last block, and rows behind the last
// one to all blocks, in turns.
//
//===----------------------------------------------------------------------===//

#include "QuantizeEmitter.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

/// Elements of one run.
static constexpr int64_t kRun = 16;

static Value getZero(ImplicitLocOpBuilder &b, unsigned width) {
  return arith::ConstantOp::create(b, b.getZeroAttr(b.getIntegerType(width)));
}

int64_t QuantizeEmitter::getScaleWords() const {
  return getCoveredColumnCount() / type.getFormat().getBlockColumns() /
         kScaleTileCols;
}

int64_t QuantizeEmitter::getPaddingLanes() const {
  return llvm::PowerOf2Ceil(getScaleWords());
}

/// Row m of M that exist takes rows m + M, m + 2M, … of those behind. Four
/// neighbouring columns are neighbours in memory; lanes share as many of them
/// as there are, and rows if there are few.
void QuantizeEmitter::emitRowPadding(ValueRange index, Value isRow, Value lane,
                                     int64_t lanes) {
  std::optional<int64_t> fixedRows = getConstantIntValue(rows);
  if (!isTiled() || !targets.scales ||
      (fixedRows && *fixedRows % kScaleTileRows == 0))
    return;
  int64_t blockColumns = type.getFormat().getBlockColumns();
  int64_t columnLanes = std::min(getPaddingLanes(), lanes);
  Value firstWord = evaluator.rem(lane, evaluator.constant(columnLanes));
  Value rowLane = evaluator.div(lane, evaluator.constant(columnLanes));
  Value first = evaluator.add(evaluator.add(rows, index.back()),
                              evaluator.mul(rowLane, rows));
  Value step = evaluator.mul(rows, evaluator.constant(lanes / columnLanes));
  Value end = getCoveredRows();

  OpBuilder::InsertionGuard guard(b);
  if (isRow)
    b.setInsertionPointToStart(
        scf::IfOp::create(b, isRow, /*withElseRegion=*/false).thenBlock());
  auto rowLoop = scf::ForOp::create(b, first, end, step);
  b.setInsertionPointToStart(rowLoop.getBody());
  auto wordLoop =
      scf::ForOp::create(b, firstWord, evaluator.constant(getScaleWords()),
                         evaluator.constant(columnLanes));
  b.setInsertionPointToStart(wordLoop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  SmallVector<Value> place(index.drop_back());
  llvm::append_values(
      place, rowLoop.getInductionVar(),
      evaluator.mul(wordLoop.getInductionVar(),
                    evaluator.constant(kScaleTileCols * blockColumns)));
  store(getZero(b, 32), targets.scales, getScaleOffset(place), kScaleTileCols);
}

/// Behind the last block of the row at `index`.
void QuantizeEmitter::emitColumnPadding(ValueRange index) {
  int64_t count = type.getShape().back(), covered = getCoveredColumnCount();
  int64_t blockColumns = type.getFormat().getBlockColumns();
  if (!isTiled() || covered == count)
    return;
  Value isLast =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, index.back(),
                            evaluator.constant(count - blockColumns));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(
      scf::IfOp::create(b, isLast, /*withElseRegion=*/false).thenBlock());
  ElementEvaluator::Scope scope(evaluator);
  SmallVector<Value> place(index);
  SmallVector<Value> words(kRun / kCodesPerWord, getZero(b, 32));
  for (int64_t column = count; column < covered; column += kRun) {
    place.back() = evaluator.constant(column);
    if (targets.codes)
      storeCodes(place, Presence(), words, kRun);
    if (targets.scales && column % blockColumns == 0)
      storeScale(place, Presence(), getZero(b, 8), blockColumns);
  }
}

LogicalResult QuantizeEmitter::emitBlock(ValueRange index,
                                         const Elements &block,
                                         const EmittedFactors &factors) {
  if (block.size() == kRun) {
    if (failed(emitRow(index, Presence(), block, factors)))
      return failure();
  } else {
    Value amax = emitAmax(b, block);
    for (int64_t first = 0; first < block.size(); first += kRun) {
      SmallVector<Value> place(index);
      place.back() = evaluator.add(index.back(), evaluator.constant(first));
      evaluator.assumeMultiple(place.back(), kRun);
      if (failed(emitRun(place, Presence(), block.slice(first, kRun), amax,
                         factors)))
        return failure();
    }
  }
  if (!isTiled())
    return success();
  emitColumnPadding(index);
  // As many blocks of a row as share the work evenly.
  int64_t blocks = type.getShape().back() / block.size();
  int64_t lanes = blocks / getPaddingLanes() * getPaddingLanes();
  Value lane = evaluator.div(index.back(), evaluator.constant(block.size()));
  Value isSharing;
  if (lanes != blocks)
    isSharing = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, lane,
                                      evaluator.constant(lanes));
  emitRowPadding(index.drop_back(), isSharing, lane, lanes);
  return success();
}
