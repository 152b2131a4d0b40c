//===- AttentionScores.cpp - Scores in shared memory, and reductions ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: the place of the thread, and its part of the query.
// Leaves:  scores where threads of the CTA read them, and a scalar for each
//          reduction of a row, which all threads of the cluster know.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// Calls `visit` with all keys of this CTA, part by part, while their scores
/// are in shared memory and bound. Scores of one part are computed once.
FailureOr<Run> AttentionGenerator::forEachBlock(
    ValueRange carried,
    llvm::function_ref<FailureOr<Run>(const Block &, ValueRange)> visit) {
  auto loop = scf::ForOp::create(b, evaluator.constant(0), numBlocks,
                                 evaluator.constant(1), carried);
  bool isFirst = numSlots == 0;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  Value start = evaluator.min(
      evaluator.mul(loop.getInductionVar(), evaluator.constant(maxKeys)),
      keysOfCta);
  Block block{evaluator.add(firstKey, start),
              evaluator.min(evaluator.constant(maxKeys),
                            evaluator.sub(keysOfCta, start))};
  {
    OpBuilder::InsertionGuard guard(b);
    ElementEvaluator::Scope scope(evaluator);
    if (!isFirst) {
      Value isMany = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt,
                                           numBlocks, evaluator.constant(1));
      auto branch = scf::IfOp::create(b, isMany);
      b.setInsertionPointToStart(branch.thenBlock());
    }
    // Until now others may read the scores of the part before.
    NVVM::BarrierOp::create(b);
    if (failed(emitScores(block)))
      return failure();
    NVVM::BarrierOp::create(b);
  }
  bindScores(block);
  FailureOr<Run> next = visit(block, loop.getRegionIterArgs());
  evaluator.unbind(scores->getResult(0));
  if (failed(next))
    return failure();
  scf::YieldOp::create(b, *next);
  return Run(loop.getResults());
}

/// The sum of a key's products, which all threads that share it get. All lanes
/// of a warp are here.
FailureOr<Value> AttentionGenerator::emitScore(Value key) {
  Value lane = evaluator.rem(thread, evaluator.constant(lanes));
  Value sum;
  for (int64_t run = 0; run < extents.depth / kRun / lanes; ++run) {
    Run loops = scoresLoops;
    loops[scoresKey] = key;
    loops[scoresDepth] =
        evaluator.mul(evaluator.add(lane, evaluator.constant(run * lanes)),
                      evaluator.constant(kRun));
    FailureOr<Run> part =
        evaluator.getRun(keys->get(), getIndex(scores, keys, loops), kRun);
    if (failed(part))
      return failure();
    for (auto [i, element] : llvm::enumerate(*part)) {
      Value wide = toF32(element);
      Value factor = query[run * kRun + i];
      sum = sum ? math::FmaOp::create(b, wide, factor, sum).getResult()
                : arith::MulFOp::create(b, wide, factor).getResult();
    }
  }
  for (int64_t distance = lanes / 2; distance > 0; distance /= 2) {
    Value other = NVVM::ShflOp::create(b, sum.getType(), a.i32(-1), sum,
                                       a.i32(distance), a.i32(kWarp - 1),
                                       NVVM::ShflKind::bfly, UnitAttr());
    sum = arith::AddFOp::create(b, sum, other);
  }
  return sum;
}

LogicalResult AttentionGenerator::emitScores(const Block &block) {
  int64_t perStep = threads / lanes;
  Value steps = evaluator.div(
      evaluator.add(block.count, evaluator.constant(kInFlight * perStep - 1)),
      evaluator.constant(kInFlight * perStep));
  auto loop = scf::ForOp::create(b, evaluator.constant(0), steps,
                                 evaluator.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  Value first =
      evaluator.add(evaluator.mul(loop.getInductionVar(),
                                  evaluator.constant(kInFlight * perStep)),
                    evaluator.div(thread, evaluator.constant(lanes)));
  Value last = evaluator.sub(block.count, evaluator.constant(1));
  Run positions, sums;
  for (int64_t i = 0; i < kInFlight; ++i) {
    positions.push_back(evaluator.add(first, evaluator.constant(i * perStep)));
    // Keys that are not there are those of the last one: all lanes shuffle.
    FailureOr<Value> sum = emitScore(
        evaluator.add(block.first, evaluator.min(positions.back(), last)));
    if (failed(sum))
      return failure();
    sums.push_back(*sum);
  }
  Value isFirstLane =
      a.equal(evaluator.rem(thread, evaluator.constant(lanes)), 0);
  for (auto [position, sum] : llvm::zip_equal(positions, sums)) {
    Value isStored =
        arith::AndIOp::create(b, isFirstLane, a.less(position, block.count));
    auto branch = scf::IfOp::create(b, isStored);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    storeShared(sum, position, kScoresOffset);
  }
  return success();
}

void AttentionGenerator::bindScores(const Block &block) {
  evaluator.bind(
      scores->getResult(0),
      [this, first = block.first](OpBuilder &, ValueRange index,
                                  int64_t count) -> FailureOr<Run> {
        Value position = evaluator.sub(index.back(), first);
        Run run;
        for (int64_t i = 0; i < count; ++i)
          run.push_back(loadShared(
              evaluator.add(position, evaluator.constant(i)), kScoresOffset));
        return run;
      });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

void AttentionGenerator::bindScalar(OpResult result, Value scalar) {
  evaluator.bind(
      result,
      [scalar](OpBuilder &, ValueRange, int64_t count) -> FailureOr<Run> {
        return Run(count, scalar);
      });
}

/// A scalar of each CTA, in the order of ranks; all threads get the result.
Value AttentionGenerator::combineCluster(
    Value value, llvm::function_ref<Value(Value, Value)> combine) {
  Value slot = a.offset(shared, kSlotsOffset + kSlotBytes * numSlots++);
  auto branch = scf::IfOp::create(b, a.equal(thread, 0));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    LLVM::StoreOp::create(b, value, slot, kSlotBytes);
  }
  synchronizeCluster();
  Value total;
  for (int64_t cta = 0; cta < ctas; ++cta) {
    Value part = LLVM::LoadOp::create(b, value.getType(), getPeer(slot, cta),
                                      kSlotBytes);
    total = total ? combine(total, part) : part;
  }
  return total;
}

LogicalResult AttentionGenerator::emitReduction(linalg::LinalgOp op) {
  FailureOr<Run> loopExtents = evaluator.getLoopExtents(op);
  if (failed(loopExtents))
    return failure();
  if (numSlots + op->getNumResults() > kNumSlots)
    return op.emitError("expected at most ")
           << kNumSlots << " reductions of scores in a kernel";
  unsigned column = op.getNumLoops() - 1;
  Run loops =
      evaluator.delinearize(rows->getRow(), ArrayRef(*loopExtents).drop_back());
  loops.push_back(evaluator.constant(0));
  Run neutral;
  SmallVector<Operation *> combiners;
  for (OpResult result : op->getResults()) {
    combiners.push_back(getCombiner(op, result.getResultNumber()));
    neutral.push_back(arith::ConstantOp::create(
        b, *arith::getNeutralElement(combiners.back())));
  }
  FailureOr<Run> sums =
      forEachBlock(neutral, [&](const Block &block, ValueRange carried) {
        return rows->forEachRun(
            block.count, block.count, carried,
            [&](const RowEmitter::Columns &run,
                ValueRange parts) -> FailureOr<Run> {
              loops[column] = evaluator.add(block.first, run.clamped);
              FailureOr<Run> next =
                  evaluator.accumulate(op, loops, column, 1, parts);
              if (failed(next) || !run.isPresent)
                return next;
              for (auto [value, part] : llvm::zip_equal(*next, parts))
                value = a.select(run.isPresent, value, part);
              return next;
            });
      });
  if (failed(sums))
    return failure();
  for (auto [number, combiner] : llvm::enumerate(combiners)) {
    auto combine = [&, op = combiner](Value lhs, Value rhs) -> Value {
      IRMapping mapping;
      mapping.map(op->getOperands(), ValueRange{lhs, rhs});
      return b.clone(*op, mapping)->getResult(0);
    };
    Value total =
        combineCluster(rows->combineThreads((*sums)[number], combine), combine);
    OpOperand *init = op.getDpsInitOperand(number);
    FailureOr<Run> start =
        evaluator.getRun(init->get(), getIndex(op, init, loops), 1);
    if (failed(start))
      return failure();
    bindScalar(op->getResult(number), combine(start->front(), total));
  }
  return success();
}
