//===- StreamMatmul.cpp - Few rows at the speed of memory -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product of few rows takes as long as its weights take to read. So weights
// are what moves while a kernel runs: clusters of CTAs go through tiles of 64
// columns of the result, one or some at once (a round), and the CTAs of a
// cluster share K.
//
//   a copying thread     bulk copies of weights and scales, in the order of
//                        memory, to a ring of stages; the first ones before
//                        anything else, also before an earlier kernel has ended
//   warps that multiply  in groups of four, which take turns at the stages, and
//                        at the tiles of a stage: decode in registers,
//                        multiply, and send their sums to the CTA that finishes
//                        them
//   warps that finish    add up what all groups of the cluster sent, in a fixed
//                        order, and compute the results, while the others are
//                        at the next round
//
// Weights are the unit's rows, activations its columns. Up to eight of them
// stay in shared memory (StreamResident.cpp), more come with the weights
// (StreamStaged.cpp).
//
// Sums cross the cluster by stores that complete on a barrier of the receiver,
// which counts their bytes; a receiver tells the senders when it has read them.
//
// Expects: a body with one `nvfp4.scaled_matmul` of plain rows and weights in
//          the registers layout, without batch. No kernel writes the weights.
//
//===----------------------------------------------------------------------===//

#include "StreamKernel.h"

#include "../GridWait.h"
#include "FloatMatmul.h"
#include "GlobalScales.h"
#include "WeightDecode.h"

#include "nvfp4/Support/RegisterLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace nvfp4 {

Value StreamKernel::getBarrier(int64_t first, Value index) {
  constexpr int64_t kBytes = StreamMemory::kBarrierBytes;
  return a.offset(shared, a.add(a.mul(index, kBytes),
                                config.getBarriersOffset() + first * kBytes));
}

void StreamKernel::where(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void StreamKernel::emitPlace() {
  shared = kernel.getSharedMemory();
  thread = kernel.getThreadId();
  warp = a.div(thread, 32);
  lane = a.rem(thread, 32);
  Value block = kernel.getBlockId(0);
  cluster = a.div(block, config.clusters);
  rank = a.rem(block, config.clusters);
  rows = a.toI32(extents.m);
  firstTile = a.mul(rank, config.tilesPerRank);
  numTiles = a.min(a.sub(a.i32(config.tiles), firstTile), config.tilesPerRank);
  numUnits = a.ceilDiv(numTiles, config.stageTiles);
  numRowTiles = a.div(
      a.add(a.sub(a.i32(config.rowTiles), cluster), config.numClusters - 1),
      config.numClusters);
  numRounds = a.ceilDiv(numRowTiles, config.rowTilesAtOnce);
}

Value StreamKernel::getTilesOfRound(Value round) {
  if (config.rowTilesAtOnce == 1)
    return a.i32(1);
  return a.min(a.sub(numRowTiles, a.mul(round, config.rowTilesAtOnce)),
               config.rowTilesAtOnce);
}

void StreamKernel::emitBarriers() {
  for (int64_t stage = 0; stage < config.stages; ++stage) {
    ptx.initBarrier(getFull(a.i32(stage)), getFullArrivals());
    ptx.initBarrier(getEmpty(a.i32(stage)), config.groupsN * kWarpsPerGroup);
  }
  for (int64_t set = 0; set < config.getPartialSets(); ++set) {
    ptx.initBarrier(getArrived(a.i32(set)), 1);
    ptx.initBarrier(getDrained(a.i32(set)), config.clusters);
  }
  ptx.fenceBarrierInit();
}

//===----------------------------------------------------------------------===//
// The copying thread
//===----------------------------------------------------------------------===//

/// Neither divisions nor products: one thread issues all copies, between warps
/// that take every turn they get.
StreamKernel::Fill StreamKernel::getNext(const Fill &fill) {
  Value zero = a.i32(0);
  Value unitOfK = a.add(fill.unitOfK, 1), stage = a.add(fill.stage, 1);
  Value isInRound = a.less(unitOfK, numUnits);
  Value isLap = a.equal(stage, config.stages);
  return {a.select(isInRound, fill.round, a.add(fill.round, 1)),
          a.select(isInRound, unitOfK, zero), a.select(isLap, zero, stage),
          a.select(isLap, a.bitXor(fill.parity, 1), fill.parity)};
}

/// Early fills find all stages empty, and activations come later.
void StreamKernel::emitFills(Value from, Value to, const Fill &first,
                             bool isEarly) {
  auto loop = scf::ForOp::create(
      b, from, to, a.i32(1),
      ValueRange{first.round, first.unitOfK, first.stage, first.parity});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Fill fill = getFill(loop.getRegionIterArgs());
  if (!isEarly)
    ptx.waitForParity(getEmpty(fill.stage), fill.parity);
  emitWeights(fill);
  if (!isEarly)
    emitBulkActivations(fill.stage, fill.unitOfK);
  Fill next = getNext(fill);
  scf::YieldOp::create(
      b, ValueRange{next.round, next.unitOfK, next.stage, next.parity});
}

/// Tiles of one stage, which are contiguous, of each tile of the result.
void StreamKernel::emitWeights(const Fill &fill) {
  Value first = a.mul(fill.unitOfK, config.stageTiles);
  Value count = a.min(a.sub(numTiles, first), config.stageTiles);
  Value tilesOfRound = getTilesOfRound(fill.round);
  Value full = getFull(fill.stage);
  Value image =
      a.offset(getStage(fill.stage), config.getStagedActivationBytes());
  Value bytes = a.mul(a.mul(count, tilesOfRound), StreamMemory::kTileBytes);
  ptx.arriveAndExpect(full, a.add(bytes, getBulkBytes()));
  Value rowTile = a.add(
      cluster, a.mul(fill.round, config.rowTilesAtOnce * config.numClusters));
  Value tile =
      a.toI64(a.add(a.mul(rowTile, config.tiles), a.add(firstTile, first)));
  auto emitTile = [&](int64_t i) {
    int64_t ahead = i * config.numClusters * config.tiles;
    auto copy = [&](unsigned component, int64_t target, int64_t size) {
      Value source = kernel.getPointer(
          cast<BlockArgument>(root.getRhsComponents()[component]));
      source = a.offset(source, a.mul(tile, size));
      target += i * config.stageTiles * size;
      ptx.copyBulkOnce(
          a.offset(image, target),
          a.offset(source, a.constant(b.getI64Type(), ahead * size)),
          a.mul(count, size), full);
    };
    copy(0, 0, kRegisterTileCodeBytes);
    copy(1, config.getTilesOfStage() * kRegisterTileCodeBytes,
         kRegisterTileScaleBytes);
  };
  emitTile(0);
  for (int64_t i = 1; i < config.rowTilesAtOnce; ++i)
    where(a.less(a.i32(i), tilesOfRound), [&] { emitTile(i); });
}

void StreamKernel::emitEarlyActivations(Value early) {
  if (getBulkBytes() == 0)
    return;
  Value zero = a.i32(0);
  auto loop = scf::ForOp::create(b, zero, early, a.i32(1), zero);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value unitOfK = loop.getRegionIterArg(0);
  emitBulkActivations(loop.getInductionVar(), unitOfK);
  Value next = a.add(unitOfK, 1);
  scf::YieldOp::create(b, a.select(a.less(next, numUnits), next, zero));
}

/// After the early ones all stages are full, or there is nothing left.
void StreamKernel::emitCopies(Value early, Value total) {
  where(ptx.electThread(), [&] {
    emitEarlyActivations(early);
    Value stages = a.i32(config.stages);
    Fill first{a.div(stages, numUnits), a.rem(stages, numUnits), a.i32(0),
               a.i32(0)};
    emitFills(early, total, first, /*isEarly=*/false);
  });
}

//===----------------------------------------------------------------------===//
// Warps that multiply
//===----------------------------------------------------------------------===//

/// A group always takes the same stages, so that it knows when one was last
/// full: it takes fills by their number in all rounds.
Value StreamKernel::getFirstUnit(Value round, Value group) {
  Value before = a.rem(a.mul(round, numUnits), config.groups);
  return a.rem(a.sub(a.add(group, config.groups), before), config.groups);
}

void StreamKernel::emitProducts() {
  if (config.hasIdleClusters())
    where(a.equal(numRounds, 0), [&] { ptx.endClusterSync(); });
  auto rounds = scf::ForOp::create(b, a.i32(0), numRounds, a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rounds.getBody());
  emitRound(rounds.getInductionVar());
}

StreamKernel::Weights StreamKernel::loadWeights(Value image, Value inStage) {
  Value member = a.rem(thread, kGroupThreads);
  Value weights = a.offset(image, config.getStagedActivationBytes());
  Value codes =
      a.offset(weights, a.add(a.mul(member, 16),
                              a.mul(inStage, kRegisterTileCodeBytes)));
  Value scales = a.offset(
      a.offset(weights, a.add(a.mul(member, 4),
                              a.mul(inStage, kRegisterTileScaleBytes))),
      config.getTilesOfStage() * kRegisterTileCodeBytes);
  Weights loaded;
  loaded.scales[0] = LLVM::LoadOp::create(b, b.getI32Type(), scales,
                                          /*alignment=*/4);
  loaded.scales[1] = arith::ShRUIOp::create(b, loaded.scales[0], a.i32(16));
  auto type = VectorType::get(4, b.getI32Type());
  for (int64_t half = 0; half < 2; ++half) {
    Value piece = LLVM::LoadOp::create(
        b, type, a.offset(codes, half * (kRegisterTileCodeBytes / 2)),
        /*alignment=*/16);
    for (int64_t i = 0; i < 4; ++i)
      loaded.codes[half].push_back(
          LLVM::ExtractElementOp::create(b, piece, a.i32(i)));
  }
  return loaded;
}

/// Only what is sent needs the others.
void StreamKernel::joinCluster(Value round) {
  where(a.equal(round, 0), [&] { ptx.endClusterSync(); });
}

void StreamKernel::waitForReceivers(Value round) {
  joinCluster(round);
  auto [set, parity] = getUse(round, config.getPartialSets());
  ptx.waitForCluster(getDrained(set), a.bitXor(parity, 1));
}

void StreamKernel::sendSums(const CtaContext &cta, ValueRange sums, Value round,
                            Value tile) {
  Value set = a.rem(round, config.getPartialSets());
  Value slab = a.add(a.mul(rank, config.groups), cta.warpK);
  Value base = a.offset(getSet(set), a.add(a.mul(tile, config.getSumBytes()),
                                           a.mul(slab, config.getSlabBytes())));
  atom->drain(cta, sums, [&](const AccumulatorChunk &chunk) {
    Value n = a.rem(a.add(chunk.row, chunk.rowOffset), kRegisterTileRows);
    Value receiver = a.div(n, results.tileN);
    Value barrier = ptx.mapToRank(getArrived(set), receiver);
    Value local = a.offset(base, a.mul(a.rem(n, results.tileN), 4));
    for (auto [i, value] : llvm::enumerate(chunk.values)) {
      Value m = a.add(chunk.column, chunk.columnOffset + i);
      Value target = ptx.mapToRank(
          a.offset(local, a.mul(m, 4 * epilogue.getPitch())), receiver);
      ptx.storeAsyncIf(a.less(m, rows), target, value, barrier);
    }
  });
}

//===----------------------------------------------------------------------===//
// Warps that finish
//===----------------------------------------------------------------------===//

/// One arrival, and the sums of all groups for this CTA's columns.
void StreamKernel::expectSums(Value set, Value round) {
  Value bytes = a.mul(rows, 4 * config.groups * kRegisterTileRows);
  ptx.arriveAndExpect(getArrived(set), a.mul(bytes, getTilesOfRound(round)));
}

void StreamKernel::whereLaterRound(Value round, int64_t later,
                                   function_ref<void()> body) {
  where(a.less(a.add(round, later), numRounds), body);
}

/// Results of the tiles of a round: this CTA's columns of each.
LogicalResult StreamKernel::emitTiles(const CtaContext &cta, Value round,
                                      ProductFinish &finish) {
  Value set = getSet(a.rem(round, config.getPartialSets()));
  auto loop = scf::ForOp::create(b, a.i32(0), getTilesOfRound(round), a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value i = loop.getInductionVar();
  Value rowTile =
      a.add(cluster, a.mul(a.add(a.mul(round, config.rowTilesAtOnce), i),
                           config.numClusters));
  Value first =
      a.add(a.mul(rowTile, kRegisterTileRows), a.mul(rank, results.tileN));
  // The last tile may end before this CTA's columns.
  if (config.n % kRegisterTileRows != 0) {
    auto branch = scf::IfOp::create(b, a.less(first, config.n),
                                    /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
  }
  MatmulTile tile{a.index(0), a.toIndex(first), a.index(0), {}};
  return epilogue.emitStaged({kernel, cta, extents, tile, finish,
                              a.offset(set, a.mul(i, config.getSumBytes()))},
                             config.getSlabs());
}

LogicalResult StreamKernel::emitResults() {
  joinCluster(a.i32(0));
  Value own = a.sub(thread, config.getFirstFinisher());
  Value isFirst = a.equal(own, 0);
  where(isFirst, [&] {
    for (int64_t set = 0; set < config.getPartialSets(); ++set)
      whereLaterRound(a.i32(0), set,
                      [&] { expectSums(a.i32(set), a.i32(set)); });
  });
  auto finish = createGlobalScales(
      kernel, root,
      getDecodeFactor(root.getRhsType().getFormat().getScaleEncoding()));
  auto loop = scf::ForOp::create(b, a.i32(0), numRounds, a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value round = loop.getInductionVar();
  if (failed(emitStages(round, own)))
    return failure();
  Value set, parity;
  std::tie(set, parity) = getUse(round, config.getPartialSets());
  ptx.waitForCluster(getArrived(set), parity);
  if (failed(emitTiles(CtaContext(b, results, own), round, *finish)))
    return failure();
  // Before others overwrite what has been read.
  ptx.syncThreads(kWorkersBarrier, results.threads);
  ptx.syncWarp();
  whereLaterRound(round, config.getPartialSets(), [&] {
    Value later = a.add(round, config.getPartialSets());
    where(isFirst, [&] { expectSums(set, later); });
    where(a.less(own, config.clusters),
          [&] { ptx.arriveRemote(ptx.mapToRank(getDrained(set), own)); });
  });
  return success();
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

Value StreamKernel::isCopier() {
  return a.equal(ptx.getUniform(warp), config.getMultipliers());
}

/// By all threads: barriers, the first weights, and what all must see before
/// anyone goes on.
LogicalResult StreamKernel::emitStart(Value early) {
  where(isCopier(), [&] {
    where(ptx.electThread(), [&] {
      emitBarriers();
      Fill first{a.i32(0), a.i32(0), a.i32(0), a.i32(1)};
      emitFills(a.i32(0), early, first, /*isEarly=*/true);
    });
  });
  // What other lanes write is no part of what those arrivals publish.
  ptx.syncWarp();
  // The others' barriers exist when this ends: its fences run under the copies.
  ptx.beginClusterSync();
  emitGridWait(b);
  LogicalResult loaded = success();
  auto load = [&] { loaded = emitActivations(); };
  if (config.hasIdleClusters())
    where(a.less(a.i32(0), numRounds), load);
  else
    load();
  NVVM::BarrierOp::create(b);
  return loaded;
}

LogicalResult StreamKernel::emit() {
  auto lhs = root.getLhsComponents().front();
  FailureOr<Value> m = evaluator.getExtent(lhs, 0);
  FailureOr<AffineExpr> mExpr = getExtentExpr(kernel, lhs, 0);
  if (failed(m) || failed(mExpr))
    return failure();
  extents.m = *m;
  extents.mExpr = *mExpr;
  extents.n = a.index(config.n);
  extents.nExpr = b.getAffineConstantExpr(config.n);
  extents.k = a.index(config.k);

  // Registers for as many CTAs as a multiprocessor is to hold.
  kernel.getFunction()->setAttr(
      NVVM::NVVMDialect::getMinctasmAttrName(),
      b.getI32IntegerAttr(config.sharesMultiprocessor ? kResidentStreams : 1));
  // Weights are fetched before that.
  deferGridWait(kernel.getFunction());
  emitPlace();
  if (failed(begin()))
    return failure();
  Value total = a.mul(numRounds, numUnits);
  Value early = a.min(total, config.stages);
  if (failed(emitStart(early)))
    return failure();

  auto products = scf::IfOp::create(b, a.less(warp, config.getMultipliers()),
                                    /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(products.thenBlock());
  emitProducts();
  b.setInsertionPointToStart(products.elseBlock());
  auto copies = scf::IfOp::create(b, isCopier(), /*withElseRegion=*/true);
  b.setInsertionPointToStart(copies.thenBlock());
  joinCluster(a.i32(0));
  emitCopies(early, total);
  b.setInsertionPointToStart(copies.elseBlock());
  return emitResults();
}

KernelVariant StreamKernel::getVariant() {
  // A product without rows launches nothing.
  AffineExpr one = extents.mExpr.ceilDiv(config.maxRows);
  AffineExpr constant = b.getAffineConstantExpr(1);
  KernelVariant variant{
      kernel.getFunction(),
      kernel.getGrid(one * (config.numClusters * config.clusters), constant,
                     constant),
      getServedSet(kernel, unit, extents), config.threads, config.getBytes()};
  variant.clusters = config.clusters;
  return variant;
}

FailureOr<KernelVariant> generateStreamMatmul(const KernelRequest &request,
                                              ScaledMatmulOp root) {
  FailureOr<StreamConfig> config =
      StreamConfig::get(root, request.attr, request.chip);
  if (failed(config))
    return failure();
  MatmulConfig results = config->getResults();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(request.body, root.getResult(0), results);
  if (failed(epilogue))
    return failure();
  KernelBuilder kernel(request);
  std::unique_ptr<StreamKernel> stream =
      (config->isStaged ? createStagedStream : createResidentStream)(
          kernel, *config, *epilogue, root);
  if (succeeded(stream->emit()))
    return stream->getVariant();
  kernel.getFunction().erase();
  return failure();
}

} // namespace nvfp4
