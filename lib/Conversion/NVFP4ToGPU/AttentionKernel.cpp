//===- AttentionKernel.cpp - A cluster computes a row of attention --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For few rows per head, as when a model writes one token after the other: the
// keys and values of a head are read once, and all CTAs of a cluster share
// them.
//
//   each CTA    scores of its keys, in shared memory
//   for each reduction of the body, in its order:
//     threads -> CTA -> cluster, in fixed orders; its result is that scalar
//   each CTA    weights of its keys, in place of the scores; times its values
//   cluster     sums of all CTAs; each computes a part of the result
//
// What happens to scores between the products is the body's: the element
// evaluator computes it, so that softmax is not known here, and every rounding
// is the body's. More keys than the scores have room for are computed again in
// each pass.
//
// Expects: a body with one attention (Attention.h), and element-wise ops,
//          permutations and reshapes after it.
// Leaves:  one function, whose clusters are rows.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernel.h"
#include "AttentionTiles.h"
#include "Matmul/Arithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

LogicalResult AttentionGenerator::plan() {
  if (failed(findAttentionOfBody()))
    return failure();
  threads = attr.getThreads();
  ctas = attr.getTile()[0];
  maxKeys = attr.getTile()[1];
  lanes = std::min(kMaxLanes, extents.depth / kRun);
  columnLanes = extents.columns / kRun;
  if (extents.depth % kRun != 0 || !llvm::isPowerOf2_64(lanes) ||
      extents.depth % (lanes * kRun) != 0 || extents.columns % kRun != 0 ||
      threads % std::max<int64_t>(columnLanes, 1) != 0)
    return body.emitError("expected heads that ")
           << threads << " threads share in runs of " << kRun << ", but got "
           << extents.depth << " and " << extents.columns << " elements";
  partialsOffset = llvm::alignTo(kScoresOffset + 4 * maxKeys, 16);
  sumsOffset = partialsOffset + 4 * kRun * threads;
  sharedBytes = sumsOffset + 4 * extents.columns;
  return success();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value AttentionGenerator::loadShared(Value element, int64_t base) {
  Value address = a.offset(a.offset(shared, base), a.mul(a.toI64(element), 4));
  return LLVM::LoadOp::create(b, b.getF32Type(), address,
                              /*alignment=*/4);
}

void AttentionGenerator::storeShared(Value value, Value element, int64_t base) {
  Value address = a.offset(a.offset(shared, base), a.mul(a.toI64(element), 4));
  LLVM::StoreOp::create(b, value, address, /*alignment=*/4);
}

/// Every thread of the cluster sees what any wrote to shared memory before.
void AttentionGenerator::synchronizeCluster() {
  NVVM::ClusterArriveOp::create(b, b.getUnitAttr());
  NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
}

Value AttentionGenerator::getPeer(Value pointer, int64_t rank) {
  auto type = LLVM::LLVMPointerType::get(b.getContext(), kClusterSpace);
  return NVVM::MapaOp::create(b, type, pointer, a.i32(rank));
}

Value AttentionGenerator::toF32(Value value) {
  if (value.getType().isF32())
    return value;
  return arith::ExtFOp::create(b, b.getF32Type(), value);
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// Rows go to clusters, keys to the CTAs of a cluster, in equal parts.
LogicalResult AttentionGenerator::emitPlaces() {
  FailureOr<Run> scoresExtents = evaluator.getExtents(scores->getResult(0));
  FailureOr<Run> valuesExtents = evaluator.getExtents(values->getResult(0));
  if (failed(scoresExtents) || failed(valuesExtents))
    return failure();
  Value count = evaluator.constant(1);
  for (Value extent : ArrayRef(*scoresExtents).drop_back())
    count = evaluator.mul(count, extent);
  RowSharing sharing{/*runLength=*/1, /*threadsPerRow=*/threads,
                     /*rowsPerBlock=*/1, /*isUnrolled=*/false,
                     /*blocksPerRow=*/ctas};
  rows.emplace(kernel, evaluator, sharing, count, count);
  shared = kernel.getSharedMemory();
  thread = rows->getLane();
  rank =
      evaluator.rem(a.toIndex(kernel.getBlockId(0)), evaluator.constant(ctas));

  auto place = [&](ArrayRef<Value> all) {
    return evaluator.delinearize(rows->getRow(), all.drop_back());
  };
  scoresLoops = getLoops(scores, place(*scoresExtents));
  coordinates = place(*valuesExtents);
  valuesLoops = getLoops(values, coordinates);

  numKeys = scoresExtents->back();
  Value part =
      evaluator.div(evaluator.add(numKeys, evaluator.constant(ctas - 1)),
                    evaluator.constant(ctas));
  firstKey = evaluator.min(evaluator.mul(rank, part), numKeys);
  keysOfCta = evaluator.min(part, evaluator.sub(numKeys, firstKey));
  // As many for each CTA of the cluster.
  numBlocks =
      evaluator.div(evaluator.add(part, evaluator.constant(maxKeys - 1)),
                    evaluator.constant(maxKeys));
  return success();
}

/// What this thread multiplies of every key.
LogicalResult AttentionGenerator::loadQuery() {
  Value lane = evaluator.rem(thread, evaluator.constant(lanes));
  for (int64_t run = 0; run < extents.depth / kRun / lanes; ++run) {
    Value depth =
        evaluator.mul(evaluator.add(lane, evaluator.constant(run * lanes)),
                      evaluator.constant(kRun));
    Run loops = scoresLoops;
    loops[scoresDepth] = depth;
    FailureOr<Run> part = evaluator.getRun(
        queries->get(), getIndex(scores, queries, loops), kRun);
    if (failed(part))
      return failure();
    for (Value element : *part)
      query.push_back(toF32(element));
  }
  return success();
}

LogicalResult AttentionGenerator::emit() {
  if (failed(emitPlaces()) || failed(loadQuery()))
    return failure();
  for (Operation *op : attention.ops) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    bool isProduct = op == scores || op == values;
    if (linalgOp && !isProduct && linalgOp.getNumReductionLoops() > 0 &&
        failed(emitReduction(linalgOp)))
      return failure();
  }
  Run zeros(kRun, arith::ConstantOp::create(b, b.getF32FloatAttr(0)));
  FailureOr<Run> sums = forEachBlock(
      zeros, [&](const Block &block, ValueRange carried) -> FailureOr<Run> {
        if (failed(emitWeights(block)))
          return failure();
        return emitValues(block, carried);
      });
  return failed(sums) ? failure() : emitResult(*sums);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// A weight depends on its own score only, so it takes the score's place.
LogicalResult AttentionGenerator::emitWeights(const Block &block) {
  OpOperand *weights = values.getDpsInputOperand(0);
  FailureOr<Run> done = rows->forEachRun(
      block.count, block.count, {},
      [&](const RowEmitter::Columns &run, ValueRange) -> FailureOr<Run> {
        Run loops = valuesLoops;
        loops[valuesKey] = evaluator.add(block.first, run.clamped);
        FailureOr<Run> weight = evaluator.getRun(
            weights->get(), getIndex(values, weights, loops), 1);
        if (failed(weight))
          return failure();
        Value wide = toF32(weight->front());
        // The last step has threads without a key.
        auto branch = scf::IfOp::create(b, run.isPresent);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(branch.thenBlock());
        storeShared(wide, run.clamped, kScoresOffset);
        return Run();
      });
  NVVM::BarrierOp::create(b);
  return success(succeeded(done));
}

/// Adds a value to the sums of this thread's columns. `first` is the first key
/// of the part, whose weight is the first in shared memory.
FailureOr<Run> AttentionGenerator::addValues(Value key, Value first,
                                             ValueRange sums) {
  OpOperand *operand = values.getDpsInputOperand(1);
  Run loops = valuesLoops;
  loops[valuesKey] = evaluator.add(first, key);
  loops[valuesColumn] =
      evaluator.mul(evaluator.rem(thread, evaluator.constant(columnLanes)),
                    evaluator.constant(kRun));
  FailureOr<Run> run =
      evaluator.getRun(operand->get(), getIndex(values, operand, loops), kRun);
  if (failed(run))
    return failure();
  Value weight = loadShared(key, kScoresOffset);
  Run next;
  for (auto [element, sum] : llvm::zip_equal(*run, sums))
    next.push_back(math::FmaOp::create(b, weight, toF32(element), sum));
  return next;
}

FailureOr<Run> AttentionGenerator::emitValues(const Block &block,
                                              ValueRange sums) {
  int64_t perStep = threads / columnLanes;
  Value own = evaluator.div(thread, evaluator.constant(columnLanes));
  auto emitLoop = [&](Value from, Value to, int64_t unroll,
                      ValueRange carried) -> FailureOr<Run> {
    auto loop = scf::ForOp::create(
        b, from, to, evaluator.constant(unroll * perStep), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ElementEvaluator::Scope scope(evaluator);
    Run next(loop.getRegionIterArgs());
    for (int64_t i = 0; i < unroll; ++i) {
      FailureOr<Run> step =
          addValues(evaluator.add(loop.getInductionVar(),
                                  evaluator.constant(i * perStep)),
                    block.first, next);
      if (failed(step))
        return failure();
      next = *step;
    }
    scf::YieldOp::create(b, next);
    return Run(loop.getResults());
  };
  // As many keys for every thread, several at once; then what is left.
  Value whole = evaluator.mul(
      evaluator.div(block.count, evaluator.constant(kInFlight * perStep)),
      evaluator.constant(kInFlight * perStep));
  FailureOr<Run> most = emitLoop(own, whole, kInFlight, sums);
  if (failed(most))
    return failure();
  return emitLoop(evaluator.add(whole, own), block.count, 1, *most);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Adds up threads, then CTAs, and stores this CTA's part of the columns.
LogicalResult AttentionGenerator::emitResult(ValueRange sums) {
  Value place = evaluator.mul(thread, evaluator.constant(kRun));
  for (auto [i, sum] : llvm::enumerate(sums))
    storeShared(sum, evaluator.add(place, evaluator.constant(i)),
                partialsOffset);
  NVVM::BarrierOp::create(b);
  auto columns =
      scf::ForOp::create(b, thread, evaluator.constant(extents.columns),
                         evaluator.constant(threads));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(columns.getBody());
    ElementEvaluator::Scope scope(evaluator);
    Value column = columns.getInductionVar(), total;
    for (int64_t group = 0; group < threads / columnLanes; ++group) {
      Value part = loadShared(
          evaluator.add(column, evaluator.constant(group * extents.columns)),
          partialsOffset);
      total = total ? arith::AddFOp::create(b, total, part).getResult() : part;
    }
    storeShared(total, column, sumsOffset);
  }
  synchronizeCluster();

  int64_t run = maps.keepsRuns(kRun) ? kRun : 1;
  Value first = evaluator.mul(
      evaluator.add(evaluator.mul(rank, evaluator.constant(threads)), thread),
      evaluator.constant(run));
  auto loop = scf::ForOp::create(b, first, evaluator.constant(extents.columns),
                                 evaluator.constant(ctas * threads * run));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ElementEvaluator::Scope scope(evaluator);
    evaluator.assumeMultiple(loop.getInductionVar(), run);
    if (failed(storeResult(loop.getInductionVar())))
      return failure();
  }
  // Others may still read this CTA's sums.
  synchronizeCluster();
  return success();
}

LogicalResult AttentionGenerator::storeResult(Value column) {
  int64_t count = maps.keepsRuns(kRun) ? kRun : 1;
  Run sums;
  for (int64_t cta = 0; cta < ctas; ++cta) {
    Value peer = getPeer(a.offset(shared, sumsOffset), cta);
    for (int64_t i = 0; i < count; ++i) {
      Value element = evaluator.add(column, evaluator.constant(i));
      Value part = LLVM::LoadOp::create(
          b, b.getF32Type(), a.offset(peer, a.mul(a.toI64(element), 4)),
          /*alignment=*/4);
      if (cta == 0)
        sums.push_back(part);
      else
        sums[i] = arith::AddFOp::create(b, sums[i], part);
    }
  }
  OpOperand *init = values.getDpsInitOperand(0);
  Run at(coordinates);
  at.push_back(column);
  FailureOr<Run> start = evaluator.getRun(init->get(), at, count);
  if (failed(start))
    return failure();
  for (auto [sum, value] : llvm::zip_equal(sums, *start))
    sum = arith::AddFOp::create(b, value, sum);
  return storeResults(at, sums);
}

FailureOr<KernelVariant> AttentionGenerator::run() {
  if (failed(plan()) || failed(emit())) {
    kernel.getFunction().erase();
    return failure();
  }
  kernel.getFunction()->setAttr(NVVM::NVVMDialect::getClusterDimAttrName(),
                                b.getDenseI32ArrayAttr({int32_t(ctas), 1, 1}));
  // Every result holds each element of the product once.
  AffineExpr one = b.getAffineConstantExpr(1), elements = one;
  BlockArgument init = maps.results.front().init;
  for (int64_t dim = 0; dim < cast<ShapedType>(init.getType()).getRank(); ++dim)
    elements = elements * kernel.getExtentExpr(init, dim);
  return KernelVariant{
      kernel.getFunction(),
      kernel.getGrid(elements.floorDiv(extents.columns) * ctas, one, one),
      /*serves=*/IntegerSet(),
      threads,
      sharedBytes,
      ctas};
}

FailureOr<KernelVariant>
nvfp4::generateAttentionKernel(const KernelRequest &request) {
  if (!request.attr.getWarps().empty())
    return generateTiledAttention(request);
  return AttentionGenerator(request).run();
}
