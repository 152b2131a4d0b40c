//===- RegisterOperandPath.cpp - Weights decoded for warpgroups -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stage has, of each 64 rows, the codes of 64 columns (half a tile of the
// layout) and, because copies of fewer bytes cost as much, all scales of the
// tile:
//
//   codes of panel 0, panel 1, …    2048 bytes each
//   scales of panel 0, panel 1, …    512 bytes each
//
// Expects: the layout of Support/RegisterLayout.h, tiles of K of 64.
// Leaves:  what lies beyond K is 0, because all padding is.
//
//===----------------------------------------------------------------------===//

#include "RegisterOperandPath.h"

#include "Arithmetic.h"
#include "HopperPTX.h"
#include "RegisterDecode.h"
#include "WgmmaAtom.h"

#include "nvfp4/Support/RegisterLayout.h"

using namespace mlir;

namespace nvfp4 {

/// What a warpgroup has of a stage.
static constexpr int64_t kStageCodeBytes = kRegisterTileCodeBytes / 2;
/// A thread's codes of a stage, and scales of a tile.
static constexpr int64_t kThreadCodeBytes = kStageCodeBytes / kWarpgroupThreads;
static constexpr int64_t kThreadScaleBytes =
    kRegisterTileScaleBytes / kWarpgroupThreads;

namespace {

class RegisterPath final : public OperandPath {
public:
  RegisterPath(const MatmulConfig &config, BlockTensorType type, Value codes,
               Value scales)
      : panels(config.getExtent(UnitSide::Rows) / kRegisterTileRows),
        codes(codes), scales(scales) {
    ArrayRef<int64_t> shape = type.getShape();
    tilesOfK = llvm::divideCeil(shape.back(), kRegisterTileCols);
    panelsOfRows = llvm::divideCeil(shape[shape.size() - 2], kRegisterTileRows);
  }

  int64_t getImageBytes() const override { return getBulkBytes(); }
  void begin(const CtaContext &cta, const OperandTile &tile) override {
    beginCopies(cta, tile);
    beginLoads(cta, tile);
  }
  void beginCopies(const CtaContext &cta, const OperandTile &tile) override;
  void beginLoads(const CtaContext &cta, const OperandTile &tile) override;
  bool copiesByThreads() const override { return false; }
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override {}
  int64_t getBulkBytes() const override {
    return panels * (kStageCodeBytes + kRegisterTileScaleBytes);
  }
  void copyBulk(ImplicitLocOpBuilder &b, Value image, Value tile,
                Value barrier) override;
  SmallVector<Value> stage(ImplicitLocOpBuilder &b, Value image,
                           int64_t step) override {
    llvm_unreachable("tiles of this path are staged by their number");
  }
  SmallVector<Value> stageTile(ImplicitLocOpBuilder &b, Value image,
                               Value tile) override;

private:
  /// In a stage; of a slice; tiles of the layout along K.
  int64_t panels, panelsOfRows, tilesOfK;
  Value codes, scales;
  /// i64: of each panel of the stage, the number of its first tile.
  SmallVector<Value> firstTiles;
  /// i32: the thread's offsets in an image.
  Value codeOffset, scaleOffset;
};

} // namespace

void RegisterPath::beginCopies(const CtaContext &cta, const OperandTile &tile) {
  Arithmetic a(cta.b);
  Value first = a.div(tile.row, kRegisterTileRows);
  firstTiles.clear();
  for (int64_t i = 0; i < panels; ++i) {
    // Panels beyond the last are copies of it.
    Value panel = a.min(a.add(first, i), panelsOfRows - 1);
    if (tile.slice)
      panel = a.add(panel, a.mul(tile.slice, panelsOfRows));
    firstTiles.push_back(a.toI64(a.mul(panel, tilesOfK)));
  }
}

void RegisterPath::beginLoads(const CtaContext &cta, const OperandTile &) {
  Arithmetic a(cta.b);
  Value group = a.div(cta.thread, kWarpgroupThreads);
  Value inGroup = a.rem(cta.thread, kWarpgroupThreads);
  codeOffset =
      a.add(a.mul(group, kStageCodeBytes), a.mul(inGroup, kThreadCodeBytes));
  scaleOffset = a.add(a.add(a.mul(group, kRegisterTileScaleBytes),
                            a.mul(inGroup, kThreadScaleBytes)),
                      panels * kStageCodeBytes);
}

void RegisterPath::copyBulk(ImplicitLocOpBuilder &b, Value image, Value tile,
                            Value barrier) {
  Arithmetic a(b);
  HopperPTX ptx(b);
  Value half = a.rem(tile, 2), inRow = a.toI64(a.div(tile, 2));
  for (int64_t i = 0; i < panels; ++i) {
    Value number = a.add(firstTiles[i], inRow);
    Value from = a.add(a.mul(number, kRegisterTileCodeBytes),
                       a.mul(a.toI64(half), kStageCodeBytes));
    ptx.copyBulk(a.offset(image, i * kStageCodeBytes), a.offset(codes, from),
                 a.i32(kStageCodeBytes), barrier);
    int64_t to = panels * kStageCodeBytes + i * kRegisterTileScaleBytes;
    ptx.copyBulk(a.offset(image, to),
                 a.offset(scales, a.mul(number, kRegisterTileScaleBytes)),
                 a.i32(kRegisterTileScaleBytes), barrier);
  }
}

SmallVector<Value> RegisterPath::stageTile(ImplicitLocOpBuilder &b, Value image,
                                           Value tile) {
  Arithmetic a(b);
  Value vector = LLVM::LoadOp::create(b, VectorType::get(4, b.getI32Type()),
                                      a.offset(image, codeOffset),
                                      /*alignment=*/kThreadCodeBytes);
  SmallVector<Value> words;
  for (int64_t i = 0; i < 4; ++i)
    words.push_back(LLVM::ExtractElementOp::create(b, vector, a.i32(i)));
  Value half = a.mul(a.rem(tile, 2), kThreadScaleBytes / 2);
  Value pair = LLVM::LoadOp::create(b, b.getI16Type(),
                                    a.offset(image, a.add(scaleOffset, half)),
                                    /*alignment=*/2);
  words.push_back(a.toI32(pair));
  return words;
}

namespace {
/// Decodes the rows' handles before each issue.
class DecodingMma final : public MmaAtom {
public:
  DecodingMma(std::unique_ptr<MmaAtom> inner, ScaleEncoding encoding)
      : inner(std::move(inner)), encoding(encoding) {}

  SmallVector<Value> begin(const CtaContext &cta) override {
    lane = cta.lane;
    return inner->begin(cta);
  }
  SmallVector<Value> issue(ImplicitLocOpBuilder &b, ValueRange accumulators,
                           ValueRange rows, ValueRange columns,
                           int64_t step) override {
    SmallVector<Value> words(rows.drop_back()), registers;
    for (const DecodedStep &decoded :
         emitDecodeRegisters(b, encoding, words, rows.back(), lane))
      llvm::append_range(registers, decoded);
    return inner->issue(b, accumulators, registers, columns, step);
  }
  SmallVector<Value> wait(ImplicitLocOpBuilder &b, ValueRange accumulators,
                          int64_t pending) override {
    return inner->wait(b, accumulators, pending);
  }
  void drain(const CtaContext &cta, ValueRange accumulators,
             function_ref<void(const AccumulatorChunk &)> visit) override {
    inner->drain(cta, accumulators, visit);
  }

private:
  std::unique_ptr<MmaAtom> inner;
  ScaleEncoding encoding;
  Value lane;
};
} // namespace

std::unique_ptr<MmaAtom> createDecodingMma(std::unique_ptr<MmaAtom> inner,
                                           ScaleEncoding encoding) {
  return std::make_unique<DecodingMma>(std::move(inner), encoding);
}

std::unique_ptr<OperandPath> createRegisterPath(const MatmulConfig &config,
                                                BlockTensorType type,
                                                Value codes, Value scales) {
  return std::make_unique<RegisterPath>(config, type, codes, scales);
}

} // namespace nvfp4
