//===- StoringDecodePath.cpp - Weights decoded to shared memory -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An image has what the unit reads and, behind it, what it is decoded from. Of
// 64 elements along K a row has:
//
//   lines             128 bytes, chunk c of row r at c ^ (r mod 8)
//   first codes        16 bytes
//   last codes         16 bytes
//   word of scales      4 bytes: of 4 blocks
//
// A thread has whole rows, so that it waits for nobody but itself. In each
// part, neighbouring threads are at neighbouring places: no bank is met twice.
//
// Expects: tiled layout, blocks of 16 or 32 along K, tiles of K of 64.
// Leaves:  what lies beyond K is 0, because all padding is; beyond the last row
//          copies of it.
//
//===----------------------------------------------------------------------===//

#include "StoringDecodePath.h"

#include "Arithmetic.h"
#include "LineImage.h"
#include "WeightDecode.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace nvfp4 {

/// What a thread copies, loads and stores at once; K of a tile, and bytes of a
/// row's line and codes in it.
static constexpr int64_t kChunkBytes = 16;
static constexpr int64_t kTileK = 64;
static constexpr int64_t kLineBytes = 2 * kTileK, kCodeBytes = kTileK / 2;
static constexpr int64_t kCodeChunks = kCodeBytes / kChunkBytes;
/// Of codes, each of which becomes a chunk of a line.
static constexpr int64_t kWords = kLineBytes / kChunkBytes;
static constexpr int64_t kWordsPerChunk = kWords / kCodeChunks;
/// The scales of a row in a scale tile.
static constexpr int64_t kScaleBytes = kScaleTileCols;

namespace {

class StoringDecodePath final : public OperandPath {
public:
  StoringDecodePath(UnitSide side, const MatmulConfig &config,
                    BlockTensorType type, Value codes, Value scales)
      : extent(config.getExtent(side)),
        layout(getStorageLayout(type.getFormat().getFormat(),
                                BlockLayout::Tiled, /*rows=*/1,
                                type.getShape().back())),
        codes(codes), scales(scales) {}

  int64_t getImageBytes() const override {
    return extent * (kLineBytes + kCodeBytes + kScaleBytes);
  }
  void beginCopies(const CtaContext &cta, const OperandTile &tile) override;
  bool stagesRegisters() const override { return false; }
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override;
  bool completesCopies() const override { return true; }
  void complete(ImplicitLocOpBuilder &b, Value image, Value tile) override;

private:
  /// A thread's row in the image (i32), and its codes and scales at the first
  /// tile.
  struct Row {
    Value line, codes, scales;
  };

  Value getCodes(Arithmetic &a, Value line, int64_t chunk) const {
    return a.add(a.mul(line, kChunkBytes),
                 extent * (kLineBytes + chunk * kChunkBytes));
  }
  Value getScales(Arithmetic &a, Value line) const {
    return a.add(a.mul(line, kScaleBytes), extent * (kLineBytes + kCodeBytes));
  }
  int64_t getTilesPerScaleTile() const {
    return kScaleTileCols * layout.format.blockCols / kTileK;
  }
  SmallVector<Value> loadMultipliers(ImplicitLocOpBuilder &b, Value image,
                                     Value line, Value tile);

  int64_t extent;
  StorageLayout layout;
  Value codes, scales;
  SmallVector<Row> rows;
};

} // namespace

void StoringDecodePath::beginCopies(const CtaContext &cta,
                                    const OperandTile &tile) {
  Arithmetic a(cta.b);
  Value panels = a.ceilDiv(tile.rows, kScaleTileRows);
  int64_t panelBytes =
      layout.paddedScaleCols / kScaleTileCols * kScaleTileBytes;
  rows.clear();
  for (int64_t first = 0; first < extent; first += kStoredRows) {
    Value line = a.add(cta.thread, first);
    Value row = a.min(a.add(tile.row, a.toIndex(line)), a.sub(tile.rows, 1));
    Value inPanel = a.rem(row, kScaleTileRows);
    Value panel = a.div(row, kScaleTileRows);
    if (tile.slice) {
      row = a.add(row, a.mul(tile.slice, tile.rows));
      panel = a.add(panel, a.mul(tile.slice, panels));
    }
    Value inTile = a.add(a.mul(a.rem(inPanel, 32), kChunkBytes),
                         a.mul(a.div(inPanel, 32), kScaleBytes));
    Value scale = a.add(a.mul(panel, panelBytes), inTile);
    rows.push_back({line,
                    a.offset(codes, a.toI64(a.mul(row, layout.codePitch))),
                    a.offset(scales, a.toI64(scale))});
  }
}

void StoringDecodePath::copy(ImplicitLocOpBuilder &b, Value image, Value tile) {
  Arithmetic a(b);
  Value number = a.toI64(tile);
  Value codeOffset = a.mul(number, kCodeBytes);
  Value scaleOffset =
      a.mul(a.div(number, getTilesPerScaleTile()), kScaleTileBytes);
  auto copyUnit = [&](Value to, Value from, int64_t bytes) {
    emitAsyncCopy(b, {Value(), Value(), to, Value()}, image, from, bytes,
                  /*isInside=*/Value());
  };
  for (const Row &row : rows) {
    Value from = a.offset(row.codes, codeOffset);
    for (int64_t chunk = 0; chunk < kCodeChunks; ++chunk)
      copyUnit(getCodes(a, row.line, chunk),
               a.offset(from, chunk * kChunkBytes), kChunkBytes);
    copyUnit(getScales(a, row.line), a.offset(row.scales, scaleOffset),
             kScaleBytes);
  }
}

/// Of the blocks of a row in a tile.
SmallVector<Value> StoringDecodePath::loadMultipliers(ImplicitLocOpBuilder &b,
                                                      Value image, Value line,
                                                      Value tile) {
  Arithmetic a(b);
  Value bytes = LLVM::LoadOp::create(b, b.getI32Type(),
                                     a.offset(image, getScales(a, line)),
                                     /*alignment=*/kScaleBytes);
  int64_t blocks = kTileK / layout.format.blockCols;
  if (int64_t tiles = getTilesPerScaleTile(); tiles > 1)
    bytes =
        arith::ShRUIOp::create(b, bytes, a.mul(a.rem(tile, tiles), 8 * blocks));
  SmallVector<Value> multipliers;
  for (int64_t block = 0; block < blocks; block += 2) {
    Value pair = bytes;
    if (block != 0)
      pair = arith::ShRUIOp::create(b, bytes, a.i32(8 * block));
    llvm::append_range(multipliers, emitScaleMultipliers(
                                        b, layout.format.scaleEncoding, pair));
  }
  return multipliers;
}

void StoringDecodePath::complete(ImplicitLocOpBuilder &b, Value image,
                                 Value tile) {
  Arithmetic a(b);
  auto type = VectorType::get(4, b.getI32Type());
  LineImage lines = {extent, kLineBytes};
  int64_t wordsPerBlock = kWords * layout.format.blockCols / kTileK;
  for (const Row &row : rows) {
    SmallVector<Value> multipliers = loadMultipliers(b, image, row.line, tile);
    Value first =
        a.add(a.mul(row.line, kLineBytes), lines.emitSwizzle(b, row.line));
    Value words;
    for (int64_t i = 0; i < kWords; ++i) {
      if (i % kWordsPerChunk == 0)
        words = LLVM::LoadOp::create(
            b, type, a.offset(image, getCodes(a, row.line, i / kWordsPerChunk)),
            kChunkBytes);
      Value word =
          LLVM::ExtractElementOp::create(b, words, a.i32(i % kWordsPerChunk));
      std::array<Value, 4> pairs = emitDecodeCodes(
          b, layout.format.scaleEncoding, word, multipliers[i / wordsPerBlock]);
      LLVM::StoreOp::create(
          b, vector::FromElementsOp::create(b, type, ValueRange(pairs)),
          a.offset(image, a.bitXor(first, i * kChunkBytes)), kChunkBytes);
    }
  }
}

std::unique_ptr<OperandPath>
createStoringDecodePath(UnitSide side, const MatmulConfig &config,
                        BlockTensorType type, Value codes, Value scales) {
  return std::make_unique<StoringDecodePath>(side, config, type, codes, scales);
}

} // namespace nvfp4
