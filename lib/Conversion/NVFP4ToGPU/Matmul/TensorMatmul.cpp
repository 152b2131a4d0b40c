//===- TensorMatmul.cpp - Warps that copy, multiply, and give out ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The composition of a matmul whose sums are in tensor memory. Three roles walk
// through the same tiles of the result.
//
//   Warpgroup 0 copies. For each tile of K it
//     - waits until the stage is empty,
//     - fills it.
//
//   Warp 8 multiplies. It waits until the sums are free, for each tile of K
//     - waits until the stage is full,
//     - copies its scales and multiplies,
//     - has the stage empty when that is done,
//   and has the sums complete when the last tile is done.
//
//   Warps 4 to 7 give out. They wait until the sums are complete, for each
//   slice
//     - load it to registers, and from there to shared memory,
//     - compute results,
//   and free the sums as soon as the next but one tile can be written (where
//   sums overlap: the next one).
//
// There are two sums, so that results of a tile are given out while the next
// one is multiplied.
//
// Where CTAs of a cluster share K, each has some of its tiles, and its warps 4
// to 7 send their sums to the first CTA, which adds them up in the order of K.
//
//===----------------------------------------------------------------------===//

#include "StageFiller.h"
#include "TensorMemoryPTX.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

/// Behind the ring's barriers: those of the two sums (complete, then free), the
/// address of tensor memory, and the atom's table.
static constexpr int64_t kSumsBarriers = BarrierRing::kBarrierBytes / 2;
static constexpr int64_t kBarrierSize = 8;
static constexpr int64_t kAddressSlot = kSumsBarriers + 4 * kBarrierSize;
/// Where CTAs share K: those of parts of the sums (all there, then read).
static constexpr int64_t kPartsBarriers = kAddressSlot + 16;
static constexpr int64_t kTable = kPartsBarriers + 2 * kBarrierSize;

/// The first warp that gives out results.
static constexpr int64_t kFirstWorker = MatmulConfig::kCopiers / 32;

namespace {
class TensorKernel {
public:
  TensorKernel(KernelBuilder &kernel, const MatmulConfig &config,
               Epilogue &epilogue, MatmulParts &parts,
               ElementEvaluator &evaluator, Value shared)
      : kernel(kernel), b(kernel.getBuilder()), a(b), ptx(b),
        tensor(b, config.isPair()), config(config), epilogue(epilogue),
        parts(parts), atom(*parts.tensorAtom), evaluator(evaluator),
        shared(shared), stageBytes(getStageBytes(config, parts)),
        scheduler(config, parts.extents),
        ring(b, shared, config.stages, stageBytes),
        filler(kernel, config, parts, evaluator, ring),
        tiles(kernel, scheduler, evaluator) {}

  LogicalResult emit();
  int64_t getSharedBytes(const ChipModel &chip) const {
    int64_t bytes =
        ring.getBytes() + epilogue.getStagingBytes() * getNumParts();
    // A CTA waits for all of a multiprocessor's tensor memory, and then for the
    // others of its cluster. Of two on a multiprocessor, one would wait for the
    // memory of the other, which waits for the first one's cluster: clusters
    // would wait for each other, or for themselves. So there is no room for
    // two.
    int64_t half = getSharedBytesOfEach(chip.sharedBytes, 2);
    return config.clusters == 1 ? bytes : std::max(bytes, half + 1);
  }
  const TileScheduler &getScheduler() const { return scheduler; }

private:
  Block *enterIf(Value condition);
  void emitSetup(Value warp);
  void emitProducts();
  SmallVector<Value> multiplyTile(ValueRange scales, Value image,
                                  SmallVector<Value> state);
  SmallVector<Value> multiplyStage(ValueRange scales, Value image, Value sums,
                                   Value accumulates, ValueRange stage,
                                   int64_t steps);
  LogicalResult emitResults(Value thread, Value warp);
  LogicalResult emitTile(const CtaContext &cta, const MatmulTile &tile,
                         ValueRange sums, Value address);
  LogicalResult emitParts(const CtaContext &cta, const MatmulTile &tile,
                          ValueRange sums, Value address);
  void sendSums(const CtaContext &cta, Value address);
  void shareTilesOfK();
  void synchronizeCluster();
  /// Of the sums of a tile, in CTAs that share K.
  int64_t getNumParts() const { return config.sharesK() ? config.clusters : 1; }

  /// Of the sums in use: which (i32: 0 or 1) and the parity of their phase.
  SmallVector<Value> startSums() { return {a.i32(0), a.i32(0)}; }
  SmallVector<Value> nextSums(ValueRange sums) {
    return {a.bitXor(sums[0], 1), a.bitXor(sums[1], sums[0])};
  }
  Value getCompleteBarrier(Value which) {
    return a.offset(a.offset(shared, kSumsBarriers),
                    a.mul(which, kBarrierSize));
  }
  Value getFreeBarrier(Value which) {
    return a.offset(getCompleteBarrier(which), 2 * kBarrierSize);
  }
  Value getSumsAddress(Value which) {
    return a.add(base, a.mul(which, atom.getForm().getSecondColumn()));
  }
  Value getArrivedBarrier() { return a.offset(shared, kPartsBarriers); }
  Value getReadBarrier() {
    return a.offset(shared, kPartsBarriers + kBarrierSize);
  }
  Value getStaging() { return a.offset(shared, ring.getBytes()); }
  bool sumsOverlap() const { return atom.getForm().getOverlap() > 0; }

  KernelBuilder &kernel;
  ImplicitLocOpBuilder &b;
  Arithmetic a;
  HopperPTX ptx;
  TensorMemoryPTX tensor;
  const MatmulConfig &config;
  Epilogue &epilogue;
  MatmulParts &parts;
  TensorMemoryAtom &atom;
  ElementEvaluator &evaluator;
  Value shared;
  int64_t stageBytes;
  TileScheduler scheduler;
  BarrierRing ring;
  StageFiller filler;
  TileLoop tiles;
  /// i32: tiles of K, the first one where CTAs share them, and the address of
  /// tensor memory.
  Value numTilesOfK, firstTileOfK, base;
};
} // namespace

//===----------------------------------------------------------------------===//
// The warp that multiplies
//===----------------------------------------------------------------------===//

/// By one thread.
void TensorKernel::emitProducts() {
  SmallVector<Value> scales = atom.begin(b, base, a.offset(shared, kTable));
  Value address = ptx.getAddress(a.offset(shared, BarrierRing::kBarrierBytes));
  Value image = a.div(a.rem(address, int64_t(descriptor::kAddressMask) + 1),
                      int64_t(1) << descriptor::kUnitShift);
  SmallVector<Value> start = ring.start();
  llvm::append_range(start, startSums());
  (void)tiles.forEach(
      start, [&](const MatmulTile &tile, SmallVector<Value> state) {
        Value column = config.swapped ? a.toI32(tile.m) : a.toI32(tile.n);
        if (config.hasOneTileOfRows())
          column = a.i32(0);
        return FailureOr<SmallVector<Value>>(multiplyTile(
            atom.getScalesOf(b, scales, column), image, std::move(state)));
      });
}

/// A stage, which is empty when its products are complete. Returns the next.
SmallVector<Value> TensorKernel::multiplyStage(ValueRange scales, Value image,
                                               Value sums, Value accumulates,
                                               ValueRange stage,
                                               int64_t steps) {
  ring.waitFull(stage, config.isPair() && filler.copiesByThreads());
  tensor.fenceAfter();
  int64_t stageUnits = getDescriptorDistance(stageBytes);
  atom.issue(b, a.add(image, a.mul(stage[0], stageUnits)), sums, accumulates,
             scales, steps);
  tensor.commit(ring.getEmptyBarrier(stage));
  return ring.next(stage);
}

SmallVector<Value> TensorKernel::multiplyTile(ValueRange scales, Value image,
                                              SmallVector<Value> state) {
  SmallVector<Value> sums(state.begin() + 2, state.end());
  // The first ones are free from the start. Where the second ones overlap them,
  // those are when the first have been given out for the first time.
  Value parity = sumsOverlap() ? a.bitXor(sums[1], a.bitXor(sums[0], 1))
                               : a.bitXor(sums[1], 1);
  if (config.isPair())
    ptx.waitForCluster(getFreeBarrier(sums[0]), parity);
  else
    ptx.waitForParity(getFreeBarrier(sums[0]), parity);
  tensor.fenceAfter();
  Value address = getSumsAddress(sums[0]);

  // With a known K, the last stage has the steps that there are. What lies
  // beyond K is zero, too.
  int64_t lastSteps = 0;
  Value numStages = numTilesOfK;
  std::optional<int64_t> k = getConstantIntValue(parts.extents.k);
  if (k && *k > 0 && !config.sharesK()) {
    lastSteps = llvm::divideCeil(*k % config.tileK, atom.getForm().getStepK());
    numStages = a.i32(*k / config.tileK);
  }
  SmallVector<Value> stage(state.begin(), state.begin() + 2);
  auto loop = scf::ForOp::create(b, a.i32(0), numStages, a.i32(1), stage);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value accumulates = a.less(a.i32(0), loop.getInductionVar());
    scf::YieldOp::create(b,
                         multiplyStage(scales, image, address, accumulates,
                                       loop.getRegionIterArgs(), kTensorSteps));
  }
  stage.assign(loop.getResults().begin(), loop.getResults().end());
  if (lastSteps != 0)
    stage = multiplyStage(scales, image, address, a.less(a.i32(0), numStages),
                          stage, lastSteps);
  tensor.commit(getCompleteBarrier(sums[0]));
  llvm::append_range(stage, nextSums(sums));
  return stage;
}

//===----------------------------------------------------------------------===//
// Warps that give out results
//===----------------------------------------------------------------------===//

LogicalResult TensorKernel::emitResults(Value thread, Value warp) {
  CtaContext cta(b, config, thread);
  Value lanes =
      a.mul(a.sub(warp, kFirstWorker), kTensorLanesPerWarp * kTensorLaneUnit);
  return tiles.forEach(
      startSums(),
      [&](const MatmulTile &tile,
          SmallVector<Value> sums) -> FailureOr<SmallVector<Value>> {
        ptx.waitForParity(getCompleteBarrier(sums[0]), sums[1]);
        tensor.fenceAfter();
        Value address = a.add(getSumsAddress(sums[0]), lanes);
        if (failed(config.sharesK() ? emitParts(cta, tile, sums, address)
                                    : emitTile(cta, tile, sums, address)))
          return failure();
        return nextSums(sums);
      });
}

LogicalResult TensorKernel::emitTile(const CtaContext &cta,
                                     const MatmulTile &tile, ValueRange sums,
                                     Value address) {
  int64_t overlap =
      sumsOverlap() ? atom.getForm().getOverlap() : atom.getForm().columns;
  int64_t lastSlice = llvm::divideCeil(overlap, epilogue.getSliceColumns()) - 1;
  Value isFirst = a.equal(sums[0], 0);
  // The first sums are overlapped in their last columns.
  Value isReversed = sumsOverlap() ? isFirst : a.constant(b.getI1Type(), 0);
  Value freed = sumsOverlap() ? a.bitXor(sums[0], 1) : sums[0];
  auto giveBack = [&](Value slice) {
    Value arrives = a.select(a.equal(slice, lastSlice), a.equal(cta.thread, 0),
                             a.constant(b.getI1Type(), 0));
    // The first CTA of a pair multiplies for both.
    if (config.isPair())
      ptx.arriveRemoteIf(arrives,
                         ptx.mapToRank(getFreeBarrier(freed), a.i32(0)));
    else
      ptx.arriveIf(getFreeBarrier(freed), arrives);
  };
  return epilogue.emitSlices(
      {kernel, cta, parts.extents, tile, *parts.finish, getStaging()}, atom,
      address, isReversed, giveBack);
}

//===----------------------------------------------------------------------===//
// CTAs that share K
//===----------------------------------------------------------------------===//

/// Each has some, in the order of their ranks.
void TensorKernel::shareTilesOfK() {
  Value all = numTilesOfK, rank = tiles.getRank();
  firstTileOfK = a.div(a.mul(rank, all), config.clusters);
  Value end = a.div(a.mul(a.add(rank, 1), all), config.clusters);
  numTilesOfK = a.sub(end, firstTileOfK);
}

/// To this CTA's part in the first CTA's shared memory.
void TensorKernel::sendSums(const CtaContext &cta, Value address) {
  Value part =
      a.offset(getStaging(), a.mul(tiles.getRank(), epilogue.getSlabBytes()));
  Value arrived = ptx.mapToRank(getArrivedBarrier(), a.i32(0));
  Value always = a.constant(b.getI1Type(), 1);
  auto send = [&](const AccumulatorChunk &chunk) {
    // The unit's columns are rows of the product.
    Value first = a.add(a.mul(chunk.column, epilogue.getPitch()), chunk.row);
    Value target = ptx.mapToRank(a.offset(part, a.mul(first, 4)), a.i32(0));
    for (auto [i, value] : llvm::enumerate(chunk.values)) {
      int64_t offset =
          (chunk.columnOffset + i) * epilogue.getPitch() + chunk.rowOffset;
      ptx.storeAsyncIf(always, a.add(target, 4 * offset), value, arrived);
    }
  };
  atom.drainColumns(cta, address, a.i32(0), atom.getForm().columns, send);
}

/// The phase of both barriers of parts is the tile's number.
LogicalResult TensorKernel::emitParts(const CtaContext &cta,
                                      const MatmulTile &tile, ValueRange sums,
                                      Value address) {
  constexpr int64_t kSumBytes = 4;
  Value isOne = a.equal(cta.thread, 0);
  Value isFirst = a.equal(tiles.getRank(), 0);
  int64_t bytes = kSumBytes * atom.getForm().columns * config.getWorkers();
  ptx.arriveAndExpectIf(a.select(isFirst, isOne, a.constant(b.getI1Type(), 0)),
                        getArrivedBarrier(), a.i32(config.clusters * bytes));
  ptx.waitForCluster(getReadBarrier(), a.bitXor(sums[0], 1));
  sendSums(cta, address);
  ptx.syncThreads(kWorkersBarrier, config.getWorkers());
  ptx.arriveIf(getFreeBarrier(sums[0]), isOne);

  OpBuilder::InsertionGuard guard(b);
  auto branch = scf::IfOp::create(b, isFirst, /*withElseRegion=*/false);
  b.setInsertionPointToStart(branch.thenBlock());
  ElementEvaluator::Scope scope(evaluator);
  ptx.waitForCluster(getArrivedBarrier(), sums[0]);
  if (failed(epilogue.emitStaged(
          {kernel, cta, parts.extents, tile, *parts.finish, getStaging()},
          getNumParts())))
    return failure();
  ptx.syncThreads(kWorkersBarrier, config.getWorkers());
  // Of a rank that the cluster does not have there is no address.
  Value rank = a.min(cta.thread, config.clusters - 1);
  ptx.arriveRemoteIf(a.less(cta.thread, config.clusters),
                     ptx.mapToRank(getReadBarrier(), rank));
  return success();
}

//===----------------------------------------------------------------------===//
// Composition
//===----------------------------------------------------------------------===//

/// What is emitted next stands in a branch that some warps, or one thread of a
/// whole warp, take. Returns the other branch.
Block *TensorKernel::enterIf(Value condition) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  return branch.elseBlock();
}

/// Whole warps of the cluster that have not ended: all see what any did before.
void TensorKernel::synchronizeCluster() {
  NVVM::ClusterArriveOp::create(b, b.getUnitAttr());
  NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
}

/// Barriers, and tensor memory for the whole block.
void TensorKernel::emitSetup(Value warp) {
  {
    OpBuilder::InsertionGuard guard(b);
    enterIf(a.equal(warp, 0));
    enterIf(ptx.electThread());
    for (int64_t which = 0; which < 2; ++which) {
      ptx.initBarrier(getCompleteBarrier(a.i32(which)), 1);
      ptx.initBarrier(getFreeBarrier(a.i32(which)), config.getTilesAtOnce());
    }
    if (config.sharesK()) {
      ptx.initBarrier(getArrivedBarrier(), 1);
      ptx.initBarrier(getReadBarrier(), 1);
    }
    ring.initialize(filler.getArrivals(), /*emptyArrivals=*/1);
  }
  Value slot = a.offset(shared, kAddressSlot);
  {
    OpBuilder::InsertionGuard guard(b);
    enterIf(a.equal(warp, kFirstWorker));
    tensor.allocateAll(slot);
  }
  tensor.fenceBefore();
  if (config.clusters != 1)
    synchronizeCluster();
  else
    NVVM::BarrierOp::create(b);
  tensor.fenceAfter();
  base = LLVM::LoadOp::create(b, b.getI32Type(), slot, /*alignment=*/4);
}

/// Roles do not meet again: each ends the kernel. All conditions are the same
/// in a warp, and ptxas knows it; behind a branch that threads of a warp leave
/// one by one it would not keep operands in registers of the warp.
LogicalResult TensorKernel::emit() {
  Value thread = kernel.getThreadId();
  Value warp = ptx.getUniform(a.div(thread, 32));
  tiles.begin();
  // Sums of nothing are begun, too: what lies beyond K is zero.
  numTilesOfK = a.max(a.toI32(a.ceilDiv(parts.extents.k, config.tileK)), 1);
  if (config.sharesK())
    shareTilesOfK();
  emitSetup(warp);
  OpBuilder::InsertionGuard guard(b);
  Block *others = enterIf(a.less(warp, kFirstWorker));
  {
    ElementEvaluator::Scope scope(evaluator);
    if (!filler.copiesByThreads()) {
      enterIf(a.equal(warp, 0));
      enterIf(ptx.electThread());
    }
    filler.emit(thread, numTilesOfK, tiles, firstTileOfK);
  }
  b.setInsertionPointToStart(others);
  others = enterIf(a.less(warp, kFirstWorker + config.getWorkers() / 32));
  {
    ElementEvaluator::Scope scope(evaluator);
    if (failed(emitResults(a.sub(thread, MatmulConfig::kCopiers), warp)))
      return failure();
    // All products are complete, and all sums were read before the barriers of
    // the last slice. Other CTAs may still read their own, and what they send
    // and their arrivals need this one.
    if (config.clusters != 1) {
      tensor.fenceBefore();
      synchronizeCluster();
    }
    enterIf(a.equal(warp, kFirstWorker));
    tensor.fenceAfter();
    tensor.freeAll(base);
  }
  b.setInsertionPointToStart(others);
  ElementEvaluator::Scope scope(evaluator);
  if (config.isPair())
    enterIf(a.equal(tiles.getRank(), 0));
  enterIf(ptx.electThread());
  emitProducts();
  return success();
}

FailureOr<KernelVariant>
nvfp4::composeTensorMatmul(KernelBuilder &kernel, const ChipModel &chip,
                           const MatmulConfig &config, Epilogue &epilogue,
                           MatmulParts &parts, ElementEvaluator &evaluator) {
  TensorKernel composition(kernel, config, epilogue, parts, evaluator,
                           kernel.getSharedMemory());
  if (failed(composition.emit()))
    return failure();
  // Tensor memory is one block's.
  kernel.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                                kernel.getBuilder().getI32IntegerAttr(1));
  return KernelVariant{
      kernel.getFunction(),
      composition.getScheduler().getPersistentGrid(kernel, chip),
      getServedSet(kernel, config, parts.extents),
      config.threads,
      composition.getSharedBytes(chip),
      config.clusters};
}
