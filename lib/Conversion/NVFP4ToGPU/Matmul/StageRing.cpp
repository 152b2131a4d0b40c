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
#include "HopperPTX.h"

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

void StageRing::waitFor(int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(b, pending);
  if (isReadByUnit)
    HopperPTX(b).fenceAsyncProxy();
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
  for (int64_t tile = 0; tile < stages; ++tile) {
    fillIfThere(a.offset(base, tile * stageBytes), a.i32(tile), fill);
    NVVM::CpAsyncCommitGroupOp::create(b);
  }
  waitFor(stages - 1);
  return {a.i32(0), a.i32((stages - 1) * stageBytes)};
}

SmallVector<Value> StageRing::advance(ValueRange state) {
  waitFor(stages - 2);
  return {next(state[0]), state[0]};
}

void StageRing::refill(ValueRange state, Value tile, Fill fill) {
  Arithmetic a(b);
  // With a known number of tiles that all began, nothing is left to fill.
  std::optional<int64_t> known = getConstantIntValue(numTiles);
  if (!known || *known > stages) {
    Value image = getImageAt(state[1]), ahead = a.add(tile, stages);
    if (isOpen)
      fill(image, ahead);
    else
      fillIfThere(image, ahead, fill);
  }
  // Groups are counted: also where nothing is copied.
  NVVM::CpAsyncCommitGroupOp::create(b);
}

void StageRing::finish() { waitFor(/*pending=*/0); }

//===----------------------------------------------------------------------===//
// Barriers in shared memory
//===----------------------------------------------------------------------===//

static constexpr int64_t kBarrierSize = 8;

void BarrierRing::initialize(int64_t fullArrivals, int64_t emptyArrivals) {
  Arithmetic a(b);
  HopperPTX ptx(b);
  for (int64_t i = 0; i < stages; ++i) {
    ptx.initBarrier(a.offset(base, i * kBarrierSize), fullArrivals);
    ptx.initBarrier(a.offset(base, (stages + i) * kBarrierSize), emptyArrivals);
  }
  ptx.fenceBarrierInit();
}

SmallVector<Value> BarrierRing::start() {
  Arithmetic a(b);
  return {a.i32(0), a.i32(0)};
}

SmallVector<Value> BarrierRing::next(ValueRange state) {
  Arithmetic a(b);
  Value stage = a.add(state[0], 1);
  Value wraps = a.equal(stage, stages);
  return {a.select(wraps, a.i32(0), stage),
          a.select(wraps, a.bitXor(state[1], 1), state[1])};
}

Value BarrierRing::getImage(ValueRange state) {
  Arithmetic a(b);
  return a.offset(a.offset(base, kBarrierBytes), a.mul(state[0], stageBytes));
}

Value BarrierRing::getFullBarrier(ValueRange state) {
  Arithmetic a(b);
  return a.offset(base, a.mul(state[0], kBarrierSize));
}

Value BarrierRing::getEmptyBarrier(ValueRange state) {
  return Arithmetic(b).offset(getFullBarrier(state), stages * kBarrierSize);
}

void BarrierRing::waitFull(ValueRange state, bool isOfCluster) {
  HopperPTX ptx(b);
  if (isOfCluster)
    ptx.waitForCluster(getFullBarrier(state), state[1]);
  else
    ptx.waitForParity(getFullBarrier(state), state[1]);
}

/// All stages are empty at first: as if a phase before the first were complete.
void BarrierRing::waitEmpty(ValueRange state) {
  HopperPTX(b).waitForParity(getEmptyBarrier(state),
                             Arithmetic(b).bitXor(state[1], 1));
}
