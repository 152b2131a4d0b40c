//===- WarpgroupMatmul.cpp - Warps that copy, warps that multiply ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The composition of a matmul whose CTA has a warpgroup that copies and one or
// more that multiply. Each runs through the same tiles of the result and of K:
//
//   The first waits, for each tile of K, until the stage is empty, fills it,
//   and says that an earlier one is full.
//
//   The others wait, for each tile of K, until the stage is full, multiply
//   while the next tile is staged, and say that the stage before is empty.
//   After the last tile of K they compute results.
//
// Copies for the next tile of the result go on while results are computed.
//
// Registers move from the threads that copy to those that multiply.
//
//===----------------------------------------------------------------------===//

#include "StageFiller.h"
#include "WgmmaAtom.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

/// Registers of a thread that copies: addresses of 16 chunks, or nothing but
/// coordinates.
static constexpr int64_t kCopierRegisters = 88, kBulkCopierRegisters = 40;
/// A multiprocessor's registers, and the most that a thread can have.
static constexpr int64_t kRegisters = 65536, kMostRegisters = 255;

namespace {
class WarpgroupKernel {
public:
  WarpgroupKernel(KernelBuilder &kernel, const MatmulConfig &config,
                  Epilogue &epilogue, MatmulParts &parts,
                  ElementEvaluator &evaluator, Value shared)
      : kernel(kernel), b(kernel.getBuilder()), a(b), ptx(b), config(config),
        epilogue(epilogue), parts(parts), evaluator(evaluator),
        rows(config.swapped ? *parts.rhs : *parts.lhs),
        columns(config.swapped ? *parts.lhs : *parts.rhs),
        columnsOffset(getColumnsOffset(config, parts)),
        scheduler(config, parts.extents),
        ring(b, shared, config.stages, getStageBytes(config, parts)),
        filler(kernel, config, parts, evaluator, ring),
        tiles(kernel, scheduler, evaluator),
        staging(a.offset(shared, ring.getBytes())) {}

  LogicalResult emit();
  int64_t getSharedBytes() const {
    return ring.getBytes() + epilogue.getStagingBytes();
  }
  const TileScheduler &getScheduler() const { return scheduler; }

private:
  /// What goes from tile to tile along K: sums, the stage, and what else the
  /// schedule of a product needs.
  struct Step {
    SmallVector<Value> sums, stage, other;
  };

  LogicalResult emitProducts(Value thread);
  Step forEachTileOfK(const Step &start,
                      function_ref<Step(Value tile, const Step &)> body);
  Step multiplyShared(const CtaContext &cta, ValueRange stage);
  Step multiplyStaged(const CtaContext &cta, ValueRange stage);
  void waitFullIf(Value condition, ValueRange stage);
  /// By one lane of each warp that multiplies, if `condition` holds.
  void giveBackIf(const CtaContext &cta, Value condition, ValueRange stage);
  int64_t getCopierRegisters() const {
    return filler.copiesByThreads() ? kCopierRegisters : kBulkCopierRegisters;
  }
  int64_t getWorkerRegisters() const;
  Value getColumnsImage(ValueRange state) {
    return a.offset(ring.getImage(state), columnsOffset);
  }

  KernelBuilder &kernel;
  ImplicitLocOpBuilder &b;
  Arithmetic a;
  HopperPTX ptx;
  const MatmulConfig &config;
  Epilogue &epilogue;
  MatmulParts &parts;
  ElementEvaluator &evaluator;
  OperandPath &rows, &columns;
  int64_t columnsOffset;
  TileScheduler scheduler;
  BarrierRing ring;
  StageFiller filler;
  TileLoop tiles;
  Value staging;
  /// i32.
  Value numTilesOfK;
};
} // namespace

//===----------------------------------------------------------------------===//
// Warps that multiply
//===----------------------------------------------------------------------===//

LogicalResult WarpgroupKernel::emitProducts(Value thread) {
  CtaContext cta(b, config, thread);
  const MatmulExtents &extents = parts.extents;
  return tiles.forEach(
      ring.start(),
      [&](const MatmulTile &tile,
          SmallVector<Value> state) -> FailureOr<SmallVector<Value>> {
        parts.lhs->beginLoads(cta, {tile.m, extents.m, tile.slice});
        parts.rhs->beginLoads(cta, {tile.n, extents.n,
                                    parts.rhsIsBatched ? tile.slice : Value()});
        Step last = rows.stagesRegisters() ? multiplyStaged(cta, state)
                                           : multiplyShared(cta, state);
        if (failed(epilogue.emit(
                {kernel, cta, extents, tile, *parts.finish, staging},
                *parts.atom, last.sums)))
          return failure();
        // What lanes stored is behind the next arrival of their warp.
        ptx.syncWarp();
        return last.stage;
      });
}

WarpgroupKernel::Step WarpgroupKernel::forEachTileOfK(
    const Step &start, function_ref<Step(Value tile, const Step &)> body) {
  auto flatten = [](const Step &step) {
    return llvm::to_vector(
        llvm::concat<const Value>(step.sums, step.stage, step.other));
  };
  auto split = [&](ValueRange values) {
    size_t numSums = start.sums.size(), numStage = start.stage.size();
    return Step{SmallVector<Value>(values.take_front(numSums)),
                SmallVector<Value>(values.slice(numSums, numStage)),
                SmallVector<Value>(values.drop_front(numSums + numStage))};
  };
  auto loop =
      scf::ForOp::create(b, a.i32(0), numTilesOfK, a.i32(1), flatten(start));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Step next = body(loop.getInductionVar(), split(loop.getRegionIterArgs()));
  scf::YieldOp::create(b, flatten(next));
  return split(loop.getResults());
}

void WarpgroupKernel::waitFullIf(Value condition, ValueRange stage) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  ring.waitFull(stage);
}

void WarpgroupKernel::giveBackIf(const CtaContext &cta, Value condition,
                                 ValueRange stage) {
  ptx.arriveIf(
      ring.getEmptyBarrier(stage),
      a.select(condition, a.equal(cta.lane, 0), a.constant(b.getI1Type(), 0)));
}

/// Both operands from shared memory: a stage is free when the multiplication
/// after it has begun and its own is complete. Beside the stage goes the one
/// before.
WarpgroupKernel::Step WarpgroupKernel::multiplyShared(const CtaContext &cta,
                                                      ValueRange stage) {
  Step start{parts.atom->begin(cta), SmallVector<Value>(stage),
             SmallVector<Value>(stage)};
  Step last = forEachTileOfK(start, [&](Value tile, const Step &step) {
    ring.waitFull(step.stage);
    SmallVector<Value> sums = parts.atom->issue(
        b, step.sums, rows.stage(b, ring.getImage(step.stage), 0),
        columns.stage(b, getColumnsImage(step.stage), 0), 0);
    sums = parts.atom->wait(b, sums, 1);
    giveBackIf(cta, a.less(a.i32(0), tile), step.other);
    return Step{sums, ring.next(step.stage), step.stage};
  });
  last.sums = parts.atom->wait(b, last.sums, 0);
  giveBackIf(cta, a.less(a.i32(0), numTilesOfK), last.other);
  return last;
}

/// Rows from registers: the next tile is loaded while the unit works. What it
/// decodes that to is computed when it has stopped: ptxas serialises the
/// instructions of a unit whose operands change beside it. Warpgroups take
/// turns: one decodes while another multiplies. Beside the stage go its rows.
WarpgroupKernel::Step WarpgroupKernel::multiplyStaged(const CtaContext &cta,
                                                      ValueRange stage) {
  SmallVector<Value> sums = parts.atom->begin(cta);
  waitFullIf(a.less(a.i32(0), numTilesOfK), stage);
  Step start{sums, SmallVector<Value>(stage),
             rows.stageTile(b, ring.getImage(stage), a.i32(0))};
  return forEachTileOfK(start, [&](Value tile, const Step &step) {
    SmallVector<Value> sums = parts.atom->issue(
        b, step.sums, step.other,
        columns.stageTile(b, getColumnsImage(step.stage), tile), 0);
    SmallVector<Value> next = ring.next(step.stage);
    Value ahead = a.add(tile, 1);
    Value isThere = a.less(ahead, numTilesOfK);
    waitFullIf(isThere, next);
    // After the last tile, what is still there is loaded again, for nothing.
    SmallVector<Value> loaded;
    for (auto [after, now] : llvm::zip_equal(next, step.stage))
      loaded.push_back(a.select(isThere, after, now));
    SmallVector<Value> handles =
        rows.stageTile(b, ring.getImage(loaded), ahead);
    sums = parts.atom->wait(b, sums, 0);
    // All lanes have read their part of the stage. racecheck does not count
    // this barrier (docs/Targets.md); all lanes' arrivals would cost time.
    ptx.syncWarp();
    giveBackIf(cta, a.constant(b.getI1Type(), 1), step.stage);
    return Step{sums, next, handles};
  });
}

//===----------------------------------------------------------------------===//
// Composition
//===----------------------------------------------------------------------===//

int64_t WarpgroupKernel::getWorkerRegisters() const {
  int64_t copiers = config.getFillers() * getCopierRegisters();
  int64_t most = (kRegisters - copiers) / config.getWorkers();
  return std::min(most, kMostRegisters) / 8 * 8;
}

LogicalResult WarpgroupKernel::emit() {
  Value thread = kernel.getThreadId();
  tiles.begin();
  numTilesOfK = a.toI32(a.ceilDiv(parts.extents.k, config.tileK));
  auto first = scf::IfOp::create(b, a.equal(thread, 0),
                                 /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(first.thenBlock());
    ring.initialize(filler.getArrivals(), config.getWorkers() / 32);
  }
  NVVM::BarrierOp::create(b);

  auto roles = scf::IfOp::create(b, a.less(thread, config.getFillers()),
                                 /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(roles.thenBlock());
  ptx.giveRegisters(getCopierRegisters());
  {
    OpBuilder::InsertionGuard inCopies(b);
    if (!filler.copiesByThreads())
      b.setInsertionPointToStart(
          scf::IfOp::create(b, a.equal(thread, 0), /*withElseRegion=*/false)
              .thenBlock());
    ElementEvaluator::Scope scope(evaluator);
    filler.emit(thread, numTilesOfK, tiles);
  }
  b.setInsertionPointToStart(roles.elseBlock());
  ptx.takeRegisters(getWorkerRegisters());
  ElementEvaluator::Scope scope(evaluator);
  return emitProducts(a.sub(thread, config.getFillers()));
}

FailureOr<KernelVariant>
nvfp4::composeWarpgroupMatmul(KernelBuilder &kernel, const ChipModel &chip,
                              const MatmulConfig &config, Epilogue &epilogue,
                              MatmulParts &parts, ElementEvaluator &evaluator) {
  WarpgroupKernel composition(kernel, config, epilogue, parts, evaluator,
                              kernel.getSharedMemory());
  if (failed(composition.emit()))
    return failure();
  // One block has a multiprocessor for itself, so that registers can move.
  kernel.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                                kernel.getBuilder().getI32IntegerAttr(1));
  return KernelVariant{
      kernel.getFunction(),
      composition.getScheduler().getPersistentGrid(kernel, chip),
      getServedSet(kernel, config, parts.extents), config.threads,
      composition.getSharedBytes()};
}
