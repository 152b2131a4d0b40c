//===- WarpgroupMatmul.cpp - Warps that copy, warps that multiply ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The composition of a matmul whose CTA has a warpgroup that copies and one or
// more that multiply. Each runs through the same tiles of the result and of K:
//
//   copying                          multiplying
//   for each tile of the result:     for each tile of the result:
//     for each tile of K:              for each tile of K:
//       wait until the stage is          wait until the stage is full
//       empty, fill it,                  multiply, while the next tile is
//       staged say that an earlier one          say that the stage before is
//       empty is full                        compute results
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
  LogicalResult emitProducts(Value thread);
  SmallVector<Value> multiplyShared(const CtaContext &cta,
                                    SmallVector<Value> &state);
  SmallVector<Value> multiplyStaged(const CtaContext &cta,
                                    SmallVector<Value> &state);
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
        SmallVector<Value> sums = rows.stagesRegisters()
                                      ? multiplyStaged(cta, state)
                                      : multiplyShared(cta, state);
        if (failed(epilogue.emit(kernel, cta, *parts.atom, sums, extents, tile,
                                 *parts.finish, staging)))
          return failure();
        // What lanes stored is behind the next arrival of their warp.
        ptx.syncWarp();
        return state;
      });
}

/// Both operands from shared memory: a stage is free when the multiplication
/// after it has begun and its own is complete.
SmallVector<Value> WarpgroupKernel::multiplyShared(const CtaContext &cta,
                                                   SmallVector<Value> &state) {
  SmallVector<Value> sums = parts.atom->begin(cta);
  Value isFirstLane = a.equal(cta.lane, 0);
  // Carried: accumulators, the state, and the stage before.
  SmallVector<Value> carried(sums);
  llvm::append_range(carried, state);
  llvm::append_range(carried, state);
  auto loop = scf::ForOp::create(b, a.i32(0), numTilesOfK, a.i32(1), carried);
  size_t numSums = sums.size();
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ValueRange arguments = loop.getRegionIterArgs();
    SmallVector<Value> current(arguments.slice(numSums, 2));
    SmallVector<Value> before(arguments.slice(numSums + 2, 2));
    ring.waitFull(current);
    SmallVector<Value> next =
        parts.atom->issue(b, arguments.take_front(numSums),
                          rows.stage(b, ring.getImage(current), 0),
                          columns.stage(b, getColumnsImage(current), 0), 0);
    next = parts.atom->wait(b, next, 1);
    Value isFirst = a.equal(loop.getInductionVar(), 0);
    ptx.arriveIf(ring.getEmptyBarrier(before),
                 a.select(isFirst, a.constant(b.getI1Type(), 0), isFirstLane));
    llvm::append_range(next, ring.next(current));
    llvm::append_range(next, current);
    scf::YieldOp::create(b, next);
  }
  ValueRange results = loop.getResults();
  state.assign(results.begin() + numSums, results.begin() + numSums + 2);
  sums = parts.atom->wait(b, results.take_front(numSums), 0);
  Value isAny = a.less(a.i32(0), numTilesOfK);
  ptx.arriveIf(ring.getEmptyBarrier(results.drop_front(numSums + 2)),
               a.select(isAny, isFirstLane, a.constant(b.getI1Type(), 0)));
  return sums;
}

/// Rows from registers: the next tile is loaded while the unit works. What it
/// decodes that to is computed when it has stopped: ptxas serialises the
/// instructions of a unit whose operands change beside it. Warpgroups take
/// turns: one decodes while another multiplies.
SmallVector<Value> WarpgroupKernel::multiplyStaged(const CtaContext &cta,
                                                   SmallVector<Value> &state) {
  SmallVector<Value> sums = parts.atom->begin(cta);
  Value isFirstLane = a.equal(cta.lane, 0);
  auto waitIf = [&](Value condition, ValueRange stage) {
    auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    ring.waitFull(stage);
  };
  waitIf(a.less(a.i32(0), numTilesOfK), state);
  SmallVector<Value> handles =
      rows.stageTile(b, ring.getImage(state), a.i32(0));
  SmallVector<Value> carried(sums);
  llvm::append_range(carried, state);
  llvm::append_range(carried, handles);
  auto loop = scf::ForOp::create(b, a.i32(0), numTilesOfK, a.i32(1), carried);
  size_t numSums = sums.size();
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ValueRange arguments = loop.getRegionIterArgs();
    SmallVector<Value> current(arguments.slice(numSums, 2));
    Value t = loop.getInductionVar();
    SmallVector<Value> results = parts.atom->issue(
        b, arguments.take_front(numSums), arguments.drop_front(numSums + 2),
        columns.stageTile(b, getColumnsImage(current), t), 0);
    SmallVector<Value> next = ring.next(current);
    Value ahead = a.add(t, 1);
    Value isThere = a.less(ahead, numTilesOfK);
    waitIf(isThere, next);
    // After the last tile, what is still there is loaded again, for nothing.
    SmallVector<Value> loaded;
    for (auto [after, now] : llvm::zip_equal(next, current))
      loaded.push_back(a.select(isThere, after, now));
    handles = rows.stageTile(b, ring.getImage(loaded), ahead);
    results = parts.atom->wait(b, results, 0);
    // All lanes have read their part of the stage.
    ptx.syncWarp();
    ptx.arriveIf(ring.getEmptyBarrier(current), isFirstLane);
    llvm::append_range(results, next);
    llvm::append_range(results, handles);
    scf::YieldOp::create(b, results);
  }
  ValueRange results = loop.getResults();
  state.assign(results.begin() + numSums, results.begin() + numSums + 2);
  return SmallVector<Value>(results.take_front(numSums));
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
