//===- StageRing.cpp - Tiles of operands in flight ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// State: byte offsets of the stage that is read, and of the one read before,
// which is the one to refill.
//
//===----------------------------------------------------------------------===//

#include "StageRing.h"

#include "Arithmetic.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nvfp4;

Value StageRing::getImageAt(Value offset) {
  return Arithmetic(b).offset(base, offset);
}

Value StageRing::getImage(ValueRange state) { return getImageAt(state[0]); }

Value StageRing::next(Value offset) {
  Arithmetic a(b);
  Value sum = a.add(offset, stageBytes);
  return a.select(a.equal(sum, stages * stageBytes), a.i32(0), sum);
}

/// Of the groups of copies, one per tile, all but the youngest `stages - 2` are
/// complete, for all threads.
static void waitForOldest(ImplicitLocOpBuilder &b, int64_t stages) {
  NVVM::CpAsyncWaitGroupOp::create(b, stages - 2);
  NVVM::BarrierOp::create(b);
}

void StageRing::fillIfThere(Value image, Value tile, Fill fill) {
  Value isThere = Arithmetic(b).less(tile, numTiles);
  OpBuilder::InsertionGuard guard(b);
  if (matchPattern(isThere, m_Zero()))
    return;
  if (!matchPattern(isThere, m_One()))
    b.setInsertionPointToStart(
        scf::IfOp::create(b, isThere, /*withElseRegion=*/false).thenBlock());
  fill(image, tile);
}

SmallVector<Value> StageRing::start(Fill fill) {
  Arithmetic a(b);
  for (int64_t tile = 0; tile < stages - 1; ++tile) {
    fillIfThere(a.offset(base, tile * stageBytes), a.i32(tile), fill);
    NVVM::CpAsyncCommitGroupOp::create(b);
  }
  waitForOldest(b, stages);
  return {a.i32(0), a.i32((stages - 1) * stageBytes)};
}

void StageRing::refill(ValueRange state, Value tile, Fill fill) {
  Arithmetic a(b);
  // With a known number of tiles that all began, nothing is left to fill.
  std::optional<int64_t> known = getConstantIntValue(numTiles);
  if (!known || *known >= stages)
    fillIfThere(getImageAt(state[1]), a.add(tile, stages - 1), fill);
  // Groups are counted: also where nothing is copied.
  NVVM::CpAsyncCommitGroupOp::create(b);
}

SmallVector<Value> StageRing::advance(ValueRange state) {
  waitForOldest(b, stages);
  return {next(state[0]), state[0]};
}

void StageRing::finish() { NVVM::BarrierOp::create(b); }
