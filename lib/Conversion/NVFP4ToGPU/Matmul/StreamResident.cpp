//===- StreamResident.cpp - Activations that stay in shared memory --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CTA keeps the activations of its part of K from the start. They lie there
// as [K / 64][M][128 bytes], a line in the order in which lanes read it: two
// times 16 bytes are what lane q of four holds of its column for two steps
// each, so that the lanes of a column that all read the same, as where there is
// one row, take a single access. Lanes of columns beyond M read the last row,
// and nobody reads their sums.
//
// A warp multiplies what it has read with the weights of all tiles of a round.
//
//===----------------------------------------------------------------------===//

#include "RegisterDecode.h"
#include "StreamKernel.h"

#include "nvfp4/Support/RegisterLayout.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace nvfp4 {

/// Elements of K that a thread brings to shared memory at once.
static constexpr int64_t kChunk = 8;
/// Of one row, for one half of a tile; a lane's part of it for two steps.
static constexpr int64_t kLineBytes = 128, kPieceBytes = 16;
static constexpr int64_t kLineChunks = kLineBytes / (2 * kChunk);

namespace {
class ResidentStream final : public StreamKernel {
public:
  ResidentStream(KernelBuilder &kernel, const StreamConfig &config,
                 Epilogue &epilogue, ScaledMatmulOp root)
      : StreamKernel(kernel, config, epilogue, root,
                     createWarpMma(WarpMmaKind::BF16,
                                   {kRegisterTileRows, kWarpsPerGroup, false},
                                   {config.tileM, 1, false})) {}

private:
  LogicalResult emitActivations() override;
  void emitRound(Value round) override;

  LogicalResult emitChunk(Value row, Value chunk);
  void storeChunk(Value row, Value chunk, Value values);
  SmallVector<Value> emitStage(Value round, Value unitOfK, Value number,
                               SmallVector<Value> sums);
  SmallVector<Value> emitTile(Value round, Value image, Value tile,
                              int64_t inStage, SmallVector<Value> sums);
  SmallVector<Value> multiply(const Weights &weights, int64_t half,
                              ArrayRef<SmallVector<Value>> columns,
                              SmallVector<Value> sums);
  SmallVector<Value> loadActivations(Value tile, int64_t half, int64_t octet);
  /// `body` if there is a tile `number` (i32), or else `sums`.
  SmallVector<Value>
  whereTile(Value number, Value count, SmallVector<Value> sums,
            function_ref<SmallVector<Value>(SmallVector<Value>)> body);
};
} // namespace

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// All threads, once. Neighbouring threads write neighbouring rows of a chunk;
/// of more than eight rows eight, and then the next chunk, so that they read
/// whole sectors.
LogicalResult ResidentStream::emitActivations() {
  Value chunks = a.mul(numTiles, kRegisterTileCols / kChunk);
  bool isOctets = unit.tileM > kOctet;
  Value count =
      a.mul(chunks, isOctets ? a.mul(a.ceilDiv(rows, kOctet), kOctet) : rows);
  auto loop = scf::ForOp::create(b, thread, count, a.i32(config.threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value i = loop.getInductionVar();
  if (!isOctets)
    return emitChunk(a.rem(i, rows), a.div(i, rows));
  Value octets = a.div(i, kOctet);
  Value row = a.add(a.mul(a.div(octets, chunks), kOctet), a.rem(i, kOctet));
  LogicalResult result = success();
  where(a.less(row, rows),
        [&] { result = emitChunk(row, a.rem(octets, chunks)); });
  return result;
}

LogicalResult ResidentStream::emitChunk(Value row, Value chunk) {
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
void ResidentStream::storeChunk(Value row, Value chunk, Value values) {
  Value line = a.add(a.mul(a.div(chunk, kLineChunks), rows), row);
  Value inLine = a.rem(chunk, kLineChunks);
  Value half = a.bitXor(a.div(inLine, kLineChunks / 2), a.rem(row, 2));
  Value first = a.add(a.mul(line, kLineBytes),
                      a.add(a.mul(half, kLineBytes / 2),
                            a.mul(a.rem(inLine, kLineChunks / 2), 4)));
  Value words =
      LLVM::BitcastOp::create(b, VectorType::get(4, b.getI32Type()), values);
  Value target = a.offset(shared, a.add(first, config.getActivationsOffset()));
  for (int64_t lane = 0; lane < 4; ++lane)
    LLVM::StoreOp::create(
        b, LLVM::ExtractElementOp::create(b, words, a.i32(lane)),
        a.offset(target, lane * kPieceBytes), /*alignment=*/4);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

SmallVector<Value> ResidentStream::whereTile(
    Value number, Value count, SmallVector<Value> sums,
    function_ref<SmallVector<Value>(SmallVector<Value>)> body) {
  auto branch =
      scf::IfOp::create(b, ValueRange(sums).getTypes(), a.less(number, count),
                        /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, sums);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, body(sums));
  return SmallVector<Value>(branch.getResults());
}

void ResidentStream::emitRound(Value round) {
  CtaContext cta(b, unit, thread);
  SmallVector<Value> zeros;
  for (int64_t i = 0; i < config.rowTilesAtOnce; ++i)
    llvm::append_range(zeros, atom->begin(cta));
  auto units = scf::ForOp::create(b, getFirstUnit(round, cta.warpK), numUnits,
                                  a.i32(config.groups), zeros);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(units.getBody());
    Value unitOfK = units.getInductionVar();
    Value number = a.add(a.mul(round, numUnits), unitOfK);
    scf::YieldOp::create(
        b, emitStage(round, unitOfK, number,
                     SmallVector<Value>(units.getRegionIterArgs())));
  }
  waitForReceivers(round);
  size_t count = zeros.size() / config.rowTilesAtOnce;
  for (int64_t i = 0; i < config.rowTilesAtOnce; ++i) {
    ValueRange sums = units.getResults().slice(i * count, count);
    auto send = [&] { sendSums(cta, sums, round, a.i32(i)); };
    if (i == 0)
      send();
    else
      where(a.less(a.i32(i), getTilesOfRound(round)), send);
  }
}

SmallVector<Value> ResidentStream::emitStage(Value round, Value unitOfK,
                                             Value number,
                                             SmallVector<Value> sums) {
  auto [stage, parity] = getUse(number, config.stages);
  ptx.waitForParity(getFull(stage), parity);
  Value first = a.mul(unitOfK, config.stageTiles), image = getStage(stage);
  for (int64_t i = 0; i < config.stageTiles; ++i) {
    Value tile = a.add(first, i);
    auto emit = [&](SmallVector<Value> before) {
      return emitTile(round, image, tile, i, std::move(before));
    };
    sums = i == 0 || config.hasWholeStages()
               ? emit(std::move(sums))
               : whereTile(tile, numTiles, std::move(sums), emit);
  }
  ptx.syncWarp();
  ptx.arriveIf(getEmpty(stage), a.equal(lane, 0));
  return sums;
}

/// 128 of K: this warp's 16 rows of each tile of the round.
SmallVector<Value> ResidentStream::emitTile(Value round, Value image,
                                            Value tile, int64_t inStage,
                                            SmallVector<Value> sums) {
  // Columns of each half: two registers per octet and step.
  std::array<SmallVector<SmallVector<Value>>, 2> columns;
  auto loadColumns = [&](int64_t half) {
    columns[half].resize(kDecodeSteps);
    for (int64_t octet = 0; octet < unit.tileM / kOctet; ++octet) {
      SmallVector<Value> registers = loadActivations(tile, half, octet);
      for (int64_t step = 0; step < kDecodeSteps; ++step)
        llvm::append_range(columns[half][step],
                           ArrayRef(registers).slice(2 * step, 2));
    }
  };
  size_t count = sums.size() / config.rowTilesAtOnce;
  for (int64_t i = 0; i < config.rowTilesAtOnce; ++i) {
    auto emit = [&](SmallVector<Value> before) {
      Weights weights =
          loadWeights(image, a.i32(i * config.stageTiles + inStage));
      for (int64_t half = 0; half < 2; ++half) {
        if (i == 0)
          loadColumns(half);
        before = multiply(weights, half, columns[half], before);
      }
      return before;
    };
    SmallVector<Value> ofTile(ArrayRef(sums).slice(i * count, count));
    ofTile = i == 0 ? emit(std::move(ofTile))
                    : whereTile(a.i32(i), getTilesOfRound(round),
                                std::move(ofTile), emit);
    llvm::copy(ofTile, sums.begin() + i * count);
  }
  return sums;
}

SmallVector<Value>
ResidentStream::multiply(const Weights &weights, int64_t half,
                         ArrayRef<SmallVector<Value>> columns,
                         SmallVector<Value> sums) {
  ScaleEncoding encoding = root.getRhsType().getFormat().getScaleEncoding();
  auto steps = emitDecodeRegisters(b, encoding, weights.codes[half],
                                   weights.scales[half], lane);
  for (auto [step, registers] : llvm::enumerate(steps))
    sums = atom->issue(b, sums, ValueRange(registers), columns[step], step);
  return sums;
}

/// Eight columns of activations for 64 of K: of each step two registers.
SmallVector<Value> ResidentStream::loadActivations(Value tile, int64_t half,
                                                   int64_t octet) {
  Value row =
      a.min(a.add(a.div(lane, 4), octet * kOctet), a.sub(rows, a.i32(1)));
  Value place = a.add(a.mul(row, kLineBytes),
                      a.add(a.mul(a.rem(lane, 4), kPieceBytes),
                            a.mul(a.rem(row, 2), kLineBytes / 2)));
  Value line = a.mul(a.mul(a.add(a.mul(tile, 2), half), rows), kLineBytes);
  auto type = VectorType::get(4, b.getI32Type());
  SmallVector<Value> registers;
  for (int64_t piece = 0; piece < 2; ++piece) {
    Value offset = a.add(line, a.bitXor(place, piece * (kLineBytes / 2)));
    Value words = LLVM::LoadOp::create(
        b, type, a.offset(shared, a.add(offset, config.getActivationsOffset())),
        /*alignment=*/kPieceBytes);
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(LLVM::ExtractElementOp::create(b, words, a.i32(i)));
  }
  return registers;
}

std::unique_ptr<StreamKernel> createResidentStream(KernelBuilder &kernel,
                                                   const StreamConfig &config,
                                                   Epilogue &epilogue,
                                                   ScaledMatmulOp root) {
  return std::make_unique<ResidentStream>(kernel, config, epilogue, root);
}

} // namespace nvfp4
