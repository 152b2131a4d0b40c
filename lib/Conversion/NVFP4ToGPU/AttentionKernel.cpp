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

#include "Matmul/Arithmetic.h"
#include "Matmul/ResultMaps.h"
#include "RowKernel.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

static constexpr int64_t kWarp = 32;
/// Elements of a head that a thread reads at once.
static constexpr int64_t kRun = 8;
/// Threads that share a key, at most: a key of 128 elements is theirs.
static constexpr int64_t kMaxLanes = 16;
/// Keys and values of which a thread has loads in flight.
static constexpr int64_t kInFlight = 4;
/// `shared::cluster` of NVPTX.
static constexpr unsigned kClusterSpace = 7;

/// Shared memory, in bytes: what RowEmitter uses, one scalar per reduction for
/// the cluster, and the scores.
static constexpr int64_t kSlotsOffset = 1024, kSlotBytes = 8, kNumSlots = 64;
static constexpr int64_t kScoresOffset = kSlotsOffset + kSlotBytes * kNumSlots;

namespace {
class AttentionGenerator {
public:
  explicit AttentionGenerator(const KernelRequest &request)
      : body(request.body), attr(request.attr), kernel(request),
        evaluator(kernel), builder(kernel.getBuilder()), a(builder) {}

  FailureOr<KernelVariant> run();

private:
  /// Keys that are in shared memory: from `first` on, of all keys.
  struct Block {
    Value first, count;
  };

  LogicalResult plan();
  LogicalResult emit();
  LogicalResult emitPlaces();
  FailureOr<Value> emitQueries();
  LogicalResult emitScores(const Block &block);
  FailureOr<Value> emitScore(Value key);
  FailureOr<Run> forEachBlock(
      ValueRange carried,
      llvm::function_ref<FailureOr<Run>(const Block &, ValueRange)> visit);
  void bindScores(const Block &block);
  LogicalResult emitReduction(linalg::LinalgOp op);
  Value combineCluster(Value value,
                       llvm::function_ref<Value(Value, Value)> combine);
  LogicalResult bindScalar(OpResult result, Value scalar);
  LogicalResult emitWeights(const Block &block);
  FailureOr<Run> emitValues(const Block &block, ValueRange sums);
  FailureOr<Run> addValues(Value key, Value first, ValueRange sums);
  LogicalResult emitResult(ValueRange sums);
  LogicalResult storeResult(Value column);

  Value loadShared(Value element, int64_t base);
  void storeShared(Value value, Value element, int64_t base);
  void synchronizeCluster();
  Value getPeer(Value pointer, int64_t rank);
  /// The index of an operand of `op` at `loops`.
  Run getIndex(linalg::LinalgOp op, OpOperand *operand, ValueRange loops);

  func::FuncOp body;
  KernelAttr attr;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  ImplicitLocOpBuilder &builder;
  Arithmetic a;

  Attention attention;
  linalg::LinalgOp scores, values;
  /// Queries and keys of `scores`.
  OpOperand *queries = nullptr, *keys = nullptr;
  AttentionExtents extents;
  ResultMaps maps;
  int64_t ctas, maxKeys, threads;
  unsigned scoresDepth, scoresColumn, valuesDepth;
  /// Threads that share a key, and those that share the columns of a value.
  int64_t lanes, columnLanes;
  int64_t partialsOffset, sumsOffset, sharedBytes;
  unsigned numSlots = 0;

  std::optional<RowEmitter> rows;
  Value shared, rank, thread, numKeys, firstKey, keysOfCta, numBlocks;
  /// Loops of both products at this row; the other loops are 0.
  Run scoresLoops, valuesLoops;
  /// The row of each of the values' dimensions but the last.
  Run coordinates;
  /// This thread's part of the query, in f32.
  Run query;
};
} // namespace

static unsigned getReductionLoop(linalg::LinalgOp op) {
  SmallVector<unsigned> loops;
  op.getReductionDims(loops);
  return loops.front();
}

static unsigned getColumnLoop(linalg::LinalgOp op) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return map.getDimPosition(map.getNumResults() - 1);
}

LogicalResult AttentionGenerator::plan() {
  std::optional<std::string> reason = "it has no op";
  for (Operation &op : llvm::reverse(body.front()))
    if (reason)
      reason = findAttention(&op, attention);
  if (reason)
    return body.emitError("expected an attention in a kernel of the schedule "
                          "'attention', but ")
           << *reason;
  scores = attention.scores;
  values = attention.values;
  scoresDepth = getReductionLoop(scores);
  scoresColumn = getColumnLoop(scores);
  valuesDepth = getReductionLoop(values);
  queries = scores.getDpsInputOperand(0);
  keys = scores.getDpsInputOperand(1);
  if (scores.getMatchingIndexingMap(queries).isFunctionOfDim(scoresColumn))
    std::swap(queries, keys);
  extents = getExtents(attention);
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
  FailureOr<ResultMaps> found = ResultMaps::get(body, values->getResult(0));
  if (failed(found))
    return failure();
  maps = std::move(*found);
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
  return LLVM::LoadOp::create(builder, builder.getF32Type(), address,
                              /*alignment=*/4);
}

void AttentionGenerator::storeShared(Value value, Value element, int64_t base) {
  Value address = a.offset(a.offset(shared, base), a.mul(a.toI64(element), 4));
  LLVM::StoreOp::create(builder, value, address, /*alignment=*/4);
}

/// Every thread of the cluster sees what any wrote to shared memory before.
void AttentionGenerator::synchronizeCluster() {
  NVVM::ClusterArriveOp::create(builder, builder.getUnitAttr());
  NVVM::ClusterWaitOp::create(builder, builder.getUnitAttr());
}

Value AttentionGenerator::getPeer(Value pointer, int64_t rank) {
  auto type = LLVM::LLVMPointerType::get(builder.getContext(), kClusterSpace);
  return NVVM::MapaOp::create(builder, type, pointer, a.i32(rank));
}

Run AttentionGenerator::getIndex(linalg::LinalgOp op, OpOperand *operand,
                                 ValueRange loops) {
  Run index;
  for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    index.push_back(dim ? loops[dim.getPosition()] : evaluator.constant(0));
  }
  return index;
}

static Value toF32(ImplicitLocOpBuilder &builder, Value value) {
  if (value.getType().isF32())
    return value;
  return arith::ExtFOp::create(builder, builder.getF32Type(), value);
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

  auto place = [&](linalg::LinalgOp op, ArrayRef<Value> resultExtents) {
    Run loops(op.getNumLoops(), evaluator.constant(0));
    Run position =
        evaluator.delinearize(rows->getRow(), resultExtents.drop_back());
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    for (auto [dim, at] : llvm::enumerate(position))
      loops[map.getDimPosition(dim)] = at;
    coordinates = position;
    return loops;
  };
  scoresLoops = place(scores, *scoresExtents);
  valuesLoops = place(values, *valuesExtents);

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
LogicalResult AttentionGenerator::emit() {
  if (failed(emitPlaces()))
    return failure();
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
      query.push_back(toF32(builder, element));
  }
  for (Operation *op : attention.ops) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    bool isProduct = op == scores || op == values;
    if (linalgOp && !isProduct && linalgOp.getNumReductionLoops() > 0 &&
        failed(emitReduction(linalgOp)))
      return failure();
  }
  Run zeros(kRun,
            arith::ConstantOp::create(builder, builder.getF32FloatAttr(0)));
  FailureOr<Run> sums = forEachBlock(
      zeros, [&](const Block &block, ValueRange carried) -> FailureOr<Run> {
        if (failed(emitWeights(block)))
          return failure();
        return emitValues(block, carried);
      });
  return failed(sums) ? failure() : emitResult(*sums);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// Calls `visit` with all keys of this CTA, part by part, while their scores
/// are in shared memory and bound. Scores of one part are computed once.
FailureOr<Run> AttentionGenerator::forEachBlock(
    ValueRange carried,
    llvm::function_ref<FailureOr<Run>(const Block &, ValueRange)> visit) {
  auto loop = scf::ForOp::create(builder, evaluator.constant(0), numBlocks,
                                 evaluator.constant(1), carried);
  bool isFirst = numSlots == 0;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  Value start = evaluator.min(
      evaluator.mul(loop.getInductionVar(), evaluator.constant(maxKeys)),
      keysOfCta);
  Block block{evaluator.add(firstKey, start),
              evaluator.min(evaluator.constant(maxKeys),
                            evaluator.sub(keysOfCta, start))};
  {
    OpBuilder::InsertionGuard guard(builder);
    ElementEvaluator::Scope scope(evaluator);
    if (!isFirst) {
      Value isMany = arith::CmpIOp::create(builder, arith::CmpIPredicate::ugt,
                                           numBlocks, evaluator.constant(1));
      auto branch = scf::IfOp::create(builder, isMany);
      builder.setInsertionPointToStart(branch.thenBlock());
    }
    // Until now others may read the scores of the part before.
    NVVM::BarrierOp::create(builder);
    if (failed(emitScores(block)))
      return failure();
    NVVM::BarrierOp::create(builder);
  }
  bindScores(block);
  FailureOr<Run> next = visit(block, loop.getRegionIterArgs());
  evaluator.unbind(scores->getResult(0));
  if (failed(next))
    return failure();
  scf::YieldOp::create(builder, *next);
  return Run(loop.getResults());
}

/// The sum of a key's products, which all threads that share it get. All lanes
/// of a warp are here.
FailureOr<Value> AttentionGenerator::emitScore(Value key) {
  Value lane = evaluator.rem(thread, evaluator.constant(lanes));
  Value sum;
  for (int64_t run = 0; run < extents.depth / kRun / lanes; ++run) {
    Run loops = scoresLoops;
    loops[scoresColumn] = key;
    loops[scoresDepth] =
        evaluator.mul(evaluator.add(lane, evaluator.constant(run * lanes)),
                      evaluator.constant(kRun));
    FailureOr<Run> part =
        evaluator.getRun(keys->get(), getIndex(scores, keys, loops), kRun);
    if (failed(part))
      return failure();
    for (auto [i, element] : llvm::enumerate(*part)) {
      Value wide = toF32(builder, element);
      Value factor = query[run * kRun + i];
      sum = sum ? math::FmaOp::create(builder, wide, factor, sum).getResult()
                : arith::MulFOp::create(builder, wide, factor).getResult();
    }
  }
  for (int64_t distance = lanes / 2; distance > 0; distance /= 2) {
    Value other = NVVM::ShflOp::create(builder, sum.getType(), a.i32(-1), sum,
                                       a.i32(distance), a.i32(kWarp - 1),
                                       NVVM::ShflKind::bfly, UnitAttr());
    sum = arith::AddFOp::create(builder, sum, other);
  }
  return sum;
}

LogicalResult AttentionGenerator::emitScores(const Block &block) {
  int64_t perStep = threads / lanes;
  Value steps = evaluator.div(
      evaluator.add(block.count, evaluator.constant(kInFlight * perStep - 1)),
      evaluator.constant(kInFlight * perStep));
  auto loop = scf::ForOp::create(builder, evaluator.constant(0), steps,
                                 evaluator.constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
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
    Value isStored = arith::AndIOp::create(builder, isFirstLane,
                                           a.less(position, block.count));
    auto branch = scf::IfOp::create(builder, isStored);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
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

LogicalResult AttentionGenerator::bindScalar(OpResult result, Value scalar) {
  evaluator.bind(
      result,
      [scalar](OpBuilder &, ValueRange, int64_t count) -> FailureOr<Run> {
        return Run(count, scalar);
      });
  return success();
}

/// A scalar of each CTA, in the order of ranks; all threads get the result.
Value AttentionGenerator::combineCluster(
    Value value, llvm::function_ref<Value(Value, Value)> combine) {
  Value slot = a.offset(shared, kSlotsOffset + kSlotBytes * numSlots++);
  auto branch = scf::IfOp::create(builder, a.equal(thread, 0));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    LLVM::StoreOp::create(builder, value, slot, kSlotBytes);
  }
  synchronizeCluster();
  Value total;
  for (int64_t cta = 0; cta < ctas; ++cta) {
    Value part = LLVM::LoadOp::create(builder, value.getType(),
                                      getPeer(slot, cta), kSlotBytes);
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
        builder, *arith::getNeutralElement(combiners.back())));
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
      return builder.clone(*op, mapping)->getResult(0);
    };
    Value total =
        combineCluster(rows->combineThreads((*sums)[number], combine), combine);
    OpOperand *init = op.getDpsInitOperand(number);
    FailureOr<Run> start =
        evaluator.getRun(init->get(), getIndex(op, init, loops), 1);
    if (failed(start) || failed(bindScalar(op->getResult(number),
                                           combine(start->front(), total))))
      return failure();
  }
  return success();
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
        loops[valuesDepth] = evaluator.add(block.first, run.clamped);
        FailureOr<Run> weight = evaluator.getRun(
            weights->get(), getIndex(values, weights, loops), 1);
        if (failed(weight))
          return failure();
        Value wide = toF32(builder, weight->front());
        // The last step has threads without a key.
        auto branch = scf::IfOp::create(builder, run.isPresent);
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToStart(branch.thenBlock());
        storeShared(wide, run.clamped, kScoresOffset);
        return Run();
      });
  NVVM::BarrierOp::create(builder);
  return success(succeeded(done));
}

/// Adds a value to the sums of this thread's columns. `first` is the first key
/// of the part, whose weight is the first in shared memory.
FailureOr<Run> AttentionGenerator::addValues(Value key, Value first,
                                             ValueRange sums) {
  OpOperand *operand = values.getDpsInputOperand(1);
  Run loops = valuesLoops;
  loops[valuesDepth] = evaluator.add(first, key);
  loops[getColumnLoop(values)] =
      evaluator.mul(evaluator.rem(thread, evaluator.constant(columnLanes)),
                    evaluator.constant(kRun));
  FailureOr<Run> run =
      evaluator.getRun(operand->get(), getIndex(values, operand, loops), kRun);
  if (failed(run))
    return failure();
  Value weight = loadShared(key, kScoresOffset);
  Run next;
  for (auto [element, sum] : llvm::zip_equal(*run, sums))
    next.push_back(
        math::FmaOp::create(builder, weight, toF32(builder, element), sum));
  return next;
}

FailureOr<Run> AttentionGenerator::emitValues(const Block &block,
                                              ValueRange sums) {
  int64_t perStep = threads / columnLanes;
  Value own = evaluator.div(thread, evaluator.constant(columnLanes));
  auto emitLoop = [&](Value from, Value to, int64_t unroll,
                      ValueRange carried) -> FailureOr<Run> {
    auto loop = scf::ForOp::create(
        builder, from, to, evaluator.constant(unroll * perStep), carried);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
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
    scf::YieldOp::create(builder, next);
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
  NVVM::BarrierOp::create(builder);
  auto columns =
      scf::ForOp::create(builder, thread, evaluator.constant(extents.columns),
                         evaluator.constant(threads));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(columns.getBody());
    ElementEvaluator::Scope scope(evaluator);
    Value column = columns.getInductionVar(), total;
    for (int64_t group = 0; group < threads / columnLanes; ++group) {
      Value part = loadShared(
          evaluator.add(column, evaluator.constant(group * extents.columns)),
          partialsOffset);
      total = total ? arith::AddFOp::create(builder, total, part).getResult()
                    : part;
    }
    storeShared(total, column, sumsOffset);
  }
  synchronizeCluster();

  int64_t run = maps.keepsRuns(kRun) ? kRun : 1;
  Value first = evaluator.mul(
      evaluator.add(evaluator.mul(rank, evaluator.constant(threads)), thread),
      evaluator.constant(run));
  auto loop =
      scf::ForOp::create(builder, first, evaluator.constant(extents.columns),
                         evaluator.constant(ctas * threads * run));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
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
          builder, builder.getF32Type(),
          a.offset(peer, a.mul(a.toI64(element), 4)), /*alignment=*/4);
      if (cta == 0)
        sums.push_back(part);
      else
        sums[i] = arith::AddFOp::create(builder, sums[i], part);
    }
  }
  OpOperand *init = values.getDpsInitOperand(0);
  Run at(coordinates);
  at.push_back(column);
  FailureOr<Run> start = evaluator.getRun(init->get(), at, count);
  if (failed(start))
    return failure();
  for (auto [sum, value] : llvm::zip_equal(sums, *start))
    sum = arith::AddFOp::create(builder, value, sum);
  evaluator.bind(values->getResult(0),
                 [sums](OpBuilder &, ValueRange, int64_t) -> FailureOr<Run> {
                   return sums;
                 });
  for (const ResultMap &result : maps.results) {
    FailureOr<Run> index = maps.emitIndex(evaluator, result, at);
    if (failed(index))
      return failure();
    FailureOr<Run> stored = evaluator.getRun(result.value, *index, count);
    if (failed(stored))
      return failure();
    evaluator.storeRun(result.init, *index, *stored);
  }
  evaluator.unbind(values->getResult(0));
  return success();
}

FailureOr<KernelVariant> AttentionGenerator::run() {
  if (failed(plan()) || failed(emit())) {
    kernel.getFunction().erase();
    return failure();
  }
  kernel.getFunction()->setAttr(
      NVVM::NVVMDialect::getClusterDimAttrName(),
      builder.getDenseI32ArrayAttr({int32_t(ctas), 1, 1}));
  // Every result holds each element of the product once.
  AffineExpr one = builder.getAffineConstantExpr(1), elements = one;
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
  return AttentionGenerator(request).run();
}
