//===- StreamMatmul.cpp - Few rows at the speed of memory -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product of few rows takes as long as its weights take to read. So weights
// are the only thing that moves while a kernel runs: clusters of CTAs go
// through tiles of 64 columns of the result, the CTAs of a cluster share K, and
// each keeps the activations of its part of K in shared memory from the start.
//
//   a copying thread     bulk copies of weights and scales, in the order of
//                        memory, to a ring of stages; the first ones before
//                        anything else, also before an earlier kernel has ended
//   warps that multiply  in groups of four, which take turns at the stages:
//                        decode in registers, multiply, and send their sums to
//                        the CTA that finishes them
//   warps that finish    add up what all groups of the cluster sent, in a fixed
//                        order, and compute the results, while the others are
//                        at the next tile
//
// Weights are the unit's rows, activations its columns. Activations lie in
// shared memory as [K / 64][M][128 bytes], a line in the order in which lanes
// read it: two times 16 bytes are what lane q of four holds of its column for
// two steps each, so that the lanes of a column that all read the same, as
// where there is one row, take a single access. Lanes of columns beyond M read
// the last row, and nobody reads their sums.
//
// Sums cross the cluster by stores that complete on a barrier of the receiver,
// which counts their bytes; a receiver tells the senders when it has read them.
//
// Expects: a body with one `nvfp4.scaled_matmul` of plain rows and weights in
//          the registers layout, without batch. No kernel writes the weights.
//
//===----------------------------------------------------------------------===//

#include "../ElementEvaluator.h"
#include "../GridWait.h"
#include "Arithmetic.h"
#include "FloatMatmul.h"
#include "GlobalScales.h"
#include "HopperPTX.h"
#include "MatmulKernel.h"
#include "RegisterDecode.h"
#include "StreamConfig.h"
#include "WeightDecode.h"

#include "nvfp4/Support/RegisterLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace nvfp4 {
namespace {

constexpr int64_t kBarrierBytes = 8;
/// Elements of K that a thread brings to shared memory at once.
constexpr int64_t kChunk = 8;
/// Of one row, for one half of a tile; a lane's part of it for two steps.
constexpr int64_t kLineBytes = 128, kPieceBytes = 16;
/// Sets of partial sums in flight.
constexpr int64_t kPartialSets = 2;

class StreamKernel {
public:
  StreamKernel(KernelBuilder &kernel, const StreamConfig &config,
               const MatmulConfig &unit, const MatmulConfig &results,
               Epilogue &epilogue, ScaledMatmulOp root)
      : kernel(kernel), b(kernel.getBuilder()), a(b), ptx(b), config(config),
        unit(unit), results(results), epilogue(epilogue), root(root),
        evaluator(kernel),
        atom(createWarpMma(WarpMmaKind::BF16,
                           {kRegisterTileRows, unit.warpsN, false},
                           {unit.tileM, unit.warpsM, false})) {}

  LogicalResult emit();
  int64_t getSharedBytes() const {
    return getActivationsOffset() + config.getActivationBytes();
  }
  KernelVariant getVariant();

private:
  //===--------------------------------------------------------------------===//
  // Where things are in shared memory
  //===--------------------------------------------------------------------===//

  int64_t getSetBytes() const {
    return config.getSlabs() * epilogue.getSlabBytes();
  }
  int64_t getBarriersOffset() const {
    return config.getRingBytes() + kPartialSets * getSetBytes();
  }
  int64_t getActivationsOffset() const {
    int64_t barriers = 2 * (config.stages + kPartialSets);
    return llvm::alignTo(getBarriersOffset() + barriers * kBarrierBytes, 128);
  }
  /// Of stage or set `index` (i32): it holds what its readers wait for; they
  /// are done with it.
  Value getBarrier(int64_t first, Value index) {
    return a.offset(shared, a.add(a.mul(index, kBarrierBytes),
                                  getBarriersOffset() + first * kBarrierBytes));
  }
  Value getFull(Value stage) { return getBarrier(0, stage); }
  Value getEmpty(Value stage) { return getBarrier(config.stages, stage); }
  Value getArrived(Value set) { return getBarrier(2 * config.stages, set); }
  Value getDrained(Value set) {
    return getBarrier(2 * config.stages + kPartialSets, set);
  }
  Value getStage(Value stage) {
    return a.offset(shared, a.mul(stage, config.getStageBytes()));
  }
  Value getSet(Value set) {
    return a.offset(shared,
                    a.add(a.mul(set, getSetBytes()), config.getRingBytes()));
  }

  void emitPlace();
  void emitBarriers();
  LogicalResult emitActivations();
  LogicalResult emitChunk(Value row, Value chunk);
  void storeChunk(Value row, Value chunk, Value values);
  void emitFills(Value from, Value to, bool waits);
  void emitFill(Value number, bool waits);
  void emitProducts();
  SmallVector<Value> emitStage(Value unitOfK, Value number,
                               SmallVector<Value> sums);
  SmallVector<Value> emitTile(Value stage, Value tile, int64_t inStage,
                              SmallVector<Value> sums);
  SmallVector<Value> loadActivations(Value tile, int64_t half, int64_t octet);
  void sendSums(ValueRange sums, Value set, Value round);
  LogicalResult emitResults();
  void expectSums(Value set);
  void whereLaterTile(Value round, int64_t later, function_ref<void()> body);

  /// `stage` and parity (i32) of use `number` of a ring of `count`.
  std::pair<Value, Value> getUse(Value number, int64_t count) {
    return {a.rem(number, count), a.rem(a.div(number, count), 2)};
  }
  void where(Value condition, function_ref<void()> body) {
    auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    body();
  }

  KernelBuilder &kernel;
  ImplicitLocOpBuilder &b;
  Arithmetic a;
  HopperPTX ptx;
  const StreamConfig &config;
  /// Of the warps that multiply, and of those that finish.
  const MatmulConfig &unit, &results;
  Epilogue &epilogue;
  ScaledMatmulOp root;
  ElementEvaluator evaluator;
  std::unique_ptr<MmaAtom> atom;
  MatmulExtents extents;

  /// i32: who the thread is; the cluster, and the CTA in it.
  Value shared, thread, warp, lane, cluster, rank;
  /// i32: rows of the product; the first of the CTA's tiles of K and how many
  /// there are; stages that hold them; tiles of the result for this cluster.
  Value rows, firstTile, numTiles, numUnits, numRounds;
};

} // namespace

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
  numRounds = a.div(
      a.add(a.sub(a.i32(config.rowTiles), cluster), config.numClusters - 1),
      config.numClusters);
}

void StreamKernel::emitBarriers() {
  for (int64_t stage = 0; stage < config.stages; ++stage) {
    ptx.initBarrier(getFull(a.i32(stage)), 1);
    ptx.initBarrier(getEmpty(a.i32(stage)), kWarpsPerGroup);
  }
  for (int64_t set = 0; set < kPartialSets; ++set) {
    ptx.initBarrier(getArrived(a.i32(set)), 1);
    ptx.initBarrier(getDrained(a.i32(set)), config.clusters);
  }
  ptx.fenceBarrierInit();
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// All threads, once. Neighbouring threads write neighbouring rows of a chunk;
/// of more than eight rows eight, and then the next chunk, so that they read
/// whole sectors.
LogicalResult StreamKernel::emitActivations() {
  Value chunks = a.mul(numTiles, kRegisterTileCols / kChunk);
  bool isOctets = unit.tileM > kChunk;
  Value count =
      a.mul(chunks, isOctets ? a.mul(a.ceilDiv(rows, kChunk), kChunk) : rows);
  auto loop = scf::ForOp::create(b, thread, count, a.i32(config.threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value i = loop.getInductionVar();
  if (!isOctets)
    return emitChunk(a.rem(i, rows), a.div(i, rows));
  Value octets = a.div(i, kChunk);
  Value row = a.add(a.mul(a.div(octets, chunks), kChunk), a.rem(i, kChunk));
  LogicalResult result = success();
  where(a.less(row, rows),
        [&] { result = emitChunk(row, a.rem(octets, chunks)); });
  return result;
}

LogicalResult StreamKernel::emitChunk(Value row, Value chunk) {
  auto type = VectorType::get(kChunk, b.getBF16Type());
  Value global = a.add(a.mul(firstTile, kRegisterTileCols / kChunk), chunk);
  auto branch = scf::IfOp::create(b, type, a.less(global, config.k / kChunk),
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.elseBlock());
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(type));
    scf::YieldOp::create(b, zeros);
    b.setInsertionPointToStart(branch.thenBlock());
    ElementEvaluator::Scope scope(evaluator);
    Value column = evaluator.mul(a.toIndex(global), evaluator.constant(kChunk));
    evaluator.assumeMultiple(column, kChunk);
    FailureOr<SmallVector<Value>> run = evaluator.getRun(
        root.getLhsComponents().front(), {a.toIndex(row), column}, kChunk);
    if (failed(run))
      return failure();
    for (Value &value : *run) {
      if (value.getType().isF16())
        value = arith::ExtFOp::create(b, b.getF32Type(), value);
      if (!value.getType().isBF16())
        value = arith::TruncFOp::create(b, b.getBF16Type(), value);
    }
    Value vector = vector::FromElementsOp::create(b, type, *run);
    scf::YieldOp::create(b, vector);
  }
  storeChunk(row, chunk, branch.getResult(0));
  return success();
}

/// Of step s a lane q has columns 2q, 2q + 1 (one chunk) and 2q + 8, 2q + 9
/// (the next one), a word each; four words, of two steps, are a piece. Pieces
/// of odd rows swap halves of the line, so that neighbouring rows share no
/// bank.
void StreamKernel::storeChunk(Value row, Value chunk, Value values) {
  Value line = a.add(a.mul(a.div(chunk, 8), rows), row);
  Value inLine = a.rem(chunk, 8);
  Value half = a.bitXor(a.div(inLine, 4), a.rem(row, 2));
  Value first =
      a.add(a.mul(line, kLineBytes),
            a.add(a.mul(half, kLineBytes / 2), a.mul(a.rem(inLine, 4), 4)));
  Value words =
      LLVM::BitcastOp::create(b, VectorType::get(4, b.getI32Type()), values);
  Value target = a.offset(shared, a.add(first, getActivationsOffset()));
  for (int64_t lane = 0; lane < 4; ++lane)
    LLVM::StoreOp::create(
        b, LLVM::ExtractElementOp::create(b, words, a.i32(lane)),
        a.offset(target, lane * kPieceBytes), /*alignment=*/4);
}

//===----------------------------------------------------------------------===//
// The copying thread
//===----------------------------------------------------------------------===//

void StreamKernel::emitFills(Value from, Value to, bool waits) {
  auto loop = scf::ForOp::create(b, from, to, a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  emitFill(loop.getInductionVar(), waits);
}

/// Fill number `number` of this CTA: tiles of one stage of one tile of the
/// result, which are contiguous.
void StreamKernel::emitFill(Value number, bool waits) {
  auto [stage, parity] = getUse(number, config.stages);
  if (waits)
    ptx.waitForParity(getEmpty(stage), a.bitXor(parity, 1));
  Value round = a.div(number, numUnits);
  Value first = a.mul(a.sub(number, a.mul(round, numUnits)), config.stageTiles);
  Value count = a.min(a.sub(numTiles, first), config.stageTiles);
  Value rowTile = a.add(cluster, a.mul(round, config.numClusters));
  Value tile =
      a.toI64(a.add(a.mul(rowTile, config.tiles), a.add(firstTile, first)));
  Value full = getFull(stage), image = getStage(stage);
  ptx.arriveAndExpect(full, a.mul(count, config.getTileBytes()));
  auto copy = [&](unsigned component, Value target, int64_t bytes) {
    Value source = kernel.getPointer(
        cast<BlockArgument>(root.getRhsComponents()[component]));
    ptx.copyBulkOnce(target, a.offset(source, a.mul(tile, bytes)),
                     a.mul(count, bytes), full);
  };
  copy(0, image, kRegisterTileCodeBytes);
  copy(1, a.offset(image, config.stageTiles * kRegisterTileCodeBytes),
       kRegisterTileScaleBytes);
}

//===----------------------------------------------------------------------===//
// Warps that multiply
//===----------------------------------------------------------------------===//

void StreamKernel::emitProducts() {
  auto rounds = scf::ForOp::create(b, a.i32(0), numRounds, a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rounds.getBody());
  Value round = rounds.getInductionVar();
  CtaContext cta(b, unit, thread);
  // A group always takes the same stages, so that it knows when one was last
  // full: it takes fills by their number in all rounds.
  Value before = a.rem(a.mul(round, numUnits), config.groups);
  Value firstUnit =
      a.rem(a.sub(a.add(cta.warpK, config.groups), before), config.groups);
  auto units = scf::ForOp::create(b, firstUnit, numUnits, a.i32(config.groups),
                                  atom->begin(cta));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(units.getBody());
    Value unitOfK = units.getInductionVar();
    Value number = a.add(a.mul(round, numUnits), unitOfK);
    scf::YieldOp::create(
        b, emitStage(unitOfK, number,
                     SmallVector<Value>(units.getRegionIterArgs())));
  }
  auto [set, parity] = getUse(round, kPartialSets);
  ptx.waitForCluster(getDrained(set), a.bitXor(parity, 1));
  sendSums(units.getResults(), set, round);
}

SmallVector<Value> StreamKernel::emitStage(Value unitOfK, Value number,
                                           SmallVector<Value> sums) {
  auto [stage, parity] = getUse(number, config.stages);
  ptx.waitForParity(getFull(stage), parity);
  Value first = a.mul(unitOfK, config.stageTiles);
  for (int64_t i = 0; i < config.stageTiles; ++i) {
    Value tile = a.add(first, i);
    if (i == 0 || config.hasWholeStages()) {
      sums = emitTile(stage, tile, i, sums);
      continue;
    }
    auto branch = scf::IfOp::create(b, ValueRange(sums).getTypes(),
                                    a.less(tile, numTiles),
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, sums);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, emitTile(stage, tile, i, sums));
    sums = branch.getResults();
  }
  ptx.syncWarp();
  ptx.arriveIf(getEmpty(stage), a.equal(lane, 0));
  return sums;
}

/// A tile of 64 rows x 128 columns: this warp's 16 rows.
SmallVector<Value> StreamKernel::emitTile(Value stage, Value tile,
                                          int64_t inStage,
                                          SmallVector<Value> sums) {
  Value member = a.rem(thread, kGroupThreads), image = getStage(stage);
  Value codes = a.offset(a.offset(image, a.mul(member, 16)),
                         inStage * kRegisterTileCodeBytes);
  Value scales =
      LLVM::LoadOp::create(b, b.getI32Type(),
                           a.offset(a.offset(image, a.mul(member, 4)),
                                    config.stageTiles * kRegisterTileCodeBytes +
                                        inStage * kRegisterTileScaleBytes),
                           /*alignment=*/4);
  auto piece = VectorType::get(4, b.getI32Type());
  SmallVector<Value> pieces;
  for (int64_t half = 0; half < 2; ++half)
    pieces.push_back(LLVM::LoadOp::create(b, piece,
                                          a.offset(codes, half * 2048),
                                          /*alignment=*/16));
  ScaleEncoding encoding = root.getRhsType().getFormat().getScaleEncoding();
  for (int64_t half = 0; half < 2; ++half) {
    SmallVector<Value> words;
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(
          LLVM::ExtractElementOp::create(b, pieces[half], a.i32(i)));
    Value pair = half ? arith::ShRUIOp::create(b, scales, a.i32(16)).getResult()
                      : scales;
    // Columns: two registers per octet and step.
    SmallVector<SmallVector<Value>> columns(kDecodeSteps);
    for (int64_t octet = 0; octet < unit.tileM / kChunk; ++octet) {
      SmallVector<Value> registers = loadActivations(tile, half, octet);
      for (int64_t step = 0; step < kDecodeSteps; ++step)
        llvm::append_range(columns[step],
                           ArrayRef(registers).slice(2 * step, 2));
    }
    auto steps = emitDecodeRegisters(b, encoding, words, pair, lane);
    for (auto [step, registers] : llvm::enumerate(steps))
      sums = atom->issue(b, sums, ValueRange(registers), columns[step], step);
  }
  return sums;
}

/// Eight columns of activations for 64 of K: of each step two registers.
SmallVector<Value> StreamKernel::loadActivations(Value tile, int64_t half,
                                                 int64_t octet) {
  Value row = a.min(a.add(a.div(lane, 4), octet * 8), a.sub(rows, a.i32(1)));
  Value place =
      a.add(a.mul(row, kLineBytes), a.add(a.mul(a.rem(lane, 4), kPieceBytes),
                                          a.mul(a.rem(row, 2), 64)));
  Value line = a.mul(a.mul(a.add(a.mul(tile, 2), half), rows), kLineBytes);
  auto type = VectorType::get(4, b.getI32Type());
  SmallVector<Value> registers;
  for (int64_t piece = 0; piece < 2; ++piece) {
    Value offset = a.add(line, a.bitXor(place, piece * 64));
    Value words = LLVM::LoadOp::create(
        b, type, a.offset(shared, a.add(offset, getActivationsOffset())),
        /*alignment=*/kPieceBytes);
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(LLVM::ExtractElementOp::create(b, words, a.i32(i)));
  }
  return registers;
}

void StreamKernel::sendSums(ValueRange sums, Value set, Value round) {
  CtaContext cta(b, unit, thread);
  Value slab = a.add(a.mul(rank, config.groups), cta.warpK);
  Value base = a.offset(getSet(set), a.mul(slab, epilogue.getSlabBytes()));
  atom->drain(cta, sums, [&](const AccumulatorChunk &chunk) {
    Value n = a.add(chunk.row, chunk.rowOffset);
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
void StreamKernel::expectSums(Value set) {
  ptx.arriveAndExpect(getArrived(set),
                      a.mul(rows, 4 * config.groups * kRegisterTileRows));
}

void StreamKernel::whereLaterTile(Value round, int64_t later,
                                  function_ref<void()> body) {
  where(a.less(a.add(round, later), numRounds), body);
}

LogicalResult StreamKernel::emitResults() {
  Value own = a.sub(thread, config.getFirstFinisher());
  Value isFirst = a.equal(own, 0);
  where(isFirst, [&] {
    expectSums(a.i32(0));
    whereLaterTile(a.i32(0), 1, [&] { expectSums(a.i32(1)); });
  });
  auto finish = createGlobalScales(
      kernel, root,
      getDecodeFactor(root.getRhsType().getFormat().getScaleEncoding()));
  auto loop = scf::ForOp::create(b, a.i32(0), numRounds, a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value round = loop.getInductionVar();
  Value set, parity;
  std::tie(set, parity) = getUse(round, kPartialSets);
  ptx.waitForCluster(getArrived(set), parity);
  CtaContext cta(b, results, own);
  Value rowTile = a.add(cluster, a.mul(round, config.numClusters));
  Value first =
      a.add(a.mul(rowTile, kRegisterTileRows), a.mul(rank, results.tileN));
  MatmulTile tile{a.index(0), a.toIndex(first), a.index(0), {}};
  LogicalResult result = success();
  auto emitTile = [&] {
    result = epilogue.emitStaged(kernel, cta, extents, tile, *finish,
                                 getSet(set), config.getSlabs());
  };
  // The last tile may end before this CTA's columns.
  if (config.n % kRegisterTileRows != 0)
    where(a.less(first, config.n), emitTile);
  else
    emitTile();
  if (failed(result))
    return failure();
  // Before others overwrite what has been read.
  ptx.syncThreads(1, results.threads);
  ptx.syncWarp();
  whereLaterTile(round, kPartialSets, [&] {
    where(isFirst, [&] { expectSums(set); });
    where(a.less(own, config.clusters),
          [&] { ptx.arriveRemote(ptx.mapToRank(getDrained(set), own)); });
  });
  return success();
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

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
  if (unit.tileM <= 8)
    kernel.getFunction()->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                                  b.getI32IntegerAttr(kResident));
  // Weights are fetched before that.
  deferGridWait(kernel.getFunction());
  emitPlace();
  Value total = a.mul(numRounds, numUnits);
  Value early = a.min(total, config.stages);
  where(a.equal(thread, config.getCopier()), [&] {
    emitBarriers();
    emitFills(a.i32(0), early, /*waits=*/false);
  });
  // The others' barriers exist when this ends: its fences run under the copies.
  if (config.clusters > 1) {
    ptx.syncWarp();
    ptx.beginClusterSync();
  }
  emitGridWait(b);
  if (failed(emitActivations()))
    return failure();
  NVVM::BarrierOp::create(b);
  if (config.clusters > 1)
    ptx.endClusterSync();

  auto products = scf::IfOp::create(
      b, a.less(warp, config.groups * kWarpsPerGroup), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(products.thenBlock());
  emitProducts();
  b.setInsertionPointToStart(products.elseBlock());
  auto copies =
      scf::IfOp::create(b, a.equal(warp, config.groups * kWarpsPerGroup),
                        /*withElseRegion=*/true);
  b.setInsertionPointToStart(copies.thenBlock());
  where(a.equal(lane, 0), [&] { emitFills(early, total, /*waits=*/true); });
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
      getServedSet(kernel, unit, extents), config.threads, getSharedBytes()};
  variant.clusters = config.clusters;
  return variant;
}

FailureOr<KernelVariant> generateStreamMatmul(const KernelRequest &request,
                                              ScaledMatmulOp root) {
  FailureOr<StreamConfig> config =
      StreamConfig::get(root, request.attr, request.chip);
  if (failed(config))
    return failure();
  MatmulConfig unit = config->getUnit(), results = config->getResults();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(request.body, root.getResult(0), results);
  if (failed(epilogue))
    return failure();
  KernelBuilder kernel(request);
  StreamKernel stream(kernel, *config, unit, results, *epilogue, root);
  if (succeeded(stream.emit()))
    return stream.getVariant();
  kernel.getFunction().erase();
  return failure();
}

} // namespace nvfp4
