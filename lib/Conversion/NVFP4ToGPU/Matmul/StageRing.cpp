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

SmallVector<Value> StageRing::start(Fill fill) {
  Arithmetic a(b);
  for (int64_t tile = 0; tile < stages - 1; ++tile) {
    if (tile < numTiles)
      fill(a.offset(base, tile * stageBytes), a.i32(tile));
    NVVM::CpAsyncCommitGroupOp::create(b);
  }
  waitForOldest(b, stages);
  return {a.i32(0), a.i32((stages - 1) * stageBytes)};
}

void StageRing::refill(ValueRange state, Value tile, Fill fill) {
  Arithmetic a(b);
  if (numTiles >= stages) {
    Value ahead = a.add(tile, stages - 1);
    auto branch = scf::IfOp::create(b, a.less(ahead, numTiles),
                                    /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    fill(getImageAt(state[1]), ahead);
  }
  // Groups are counted: also where nothing is copied.
  NVVM::CpAsyncCommitGroupOp::create(b);
}

SmallVector<Value> StageRing::advance(ValueRange state) {
  waitForOldest(b, stages);
  return {next(state[0]), state[0]};
}

void StageRing::finish() { NVVM::BarrierOp::create(b); }
