//===- DecodeOperandPath.cpp - Weights decoded in registers ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In shared memory a row of codes takes 32 bytes per step of 64 elements, of
// which lane t of four loads the 8 bytes of its 16 elements. Scales lie in
// their tiles of 512 bytes (Support/ScaleLayout.h): a word for each row holds
// the scales of four blocks, from which a lane picks its own.
//
// Expects: tiled layout, blocks of 16 or 32 along K.
// Leaves:  what lies beyond K is 0, because all padding is.
//
//===----------------------------------------------------------------------===//

#include "DecodeOperandPath.h"

#include "Arithmetic.h"
#include "WeightDecode.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace nvfp4 {

static constexpr int64_t kChunkBytes = 16;
/// Bytes of codes of a row in a step, and of a lane of four.
static constexpr int64_t kStepBytes = getStepK(FragmentOrder::Blocks) / 2;
static constexpr int64_t kLaneBytes = kStepBytes / 4;

namespace {

class DecodePath final : public OperandPath {
public:
  DecodePath(UnitSide side, const MatmulConfig &config, BlockTensorType type,
             Value codes, Value scales);

  int64_t getImageBytes() const override {
    return codeImage.getBytes() + scaleImage.getBytes();
  }
  void begin(const CtaContext &cta, const OperandTile &tile) override;
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override;
  SmallVector<Value> stage(ImplicitLocOpBuilder &b, Value image,
                           int64_t step) override;

private:
  /// One unit of 16 bytes: where it comes from at the first tile of K, and what
  /// of K it holds: bytes of a row of codes, or the tile of scales (i32).
  struct Copy {
    ImageUnit unit;
    Value source, position;
  };

  void beginCodes(const CtaContext &cta, const OperandTile &tile);
  void beginScales(const CtaContext &cta, const OperandTile &tile);
  void beginLoads(const CtaContext &cta, const OperandTile &tile) override;
  void copyUnits(ImplicitLocOpBuilder &b, ArrayRef<Copy> copies, Value image,
                 Value first, int64_t extent, int64_t perTile,
                 int64_t bytesPerPosition);
  /// The multipliers of two neighbouring octets.
  std::array<Value, 2> loadMultipliers(ImplicitLocOpBuilder &b, Value image,
                                       int64_t octet, int64_t step);

  UnitSide side;
  const MatmulConfig &config;
  StorageLayout layout;
  OctetMap octets;
  Value codes, scales;
  /// Tiles of scales along K, in a stage and in all.
  int64_t tilesPerStage, tilesOfK;
  LineImage codeImage, scaleImage;
  SmallVector<Copy> codeCopies, scaleCopies;
  /// i32: the lane's offsets at step 0 and octet 0, in codes and scales.
  Value codeOffset, scaleOffset;
  Value laneInGroup;
};

} // namespace

DecodePath::DecodePath(UnitSide side, const MatmulConfig &config,
                       BlockTensorType type, Value codes, Value scales)
    : side(side), config(config),
      layout(getStorageLayout(type.getFormat().getFormat(), BlockLayout::Tiled,
                              /*rows=*/1, type.getShape().back())),
      octets(getOctetsOfPlain(side, config)), codes(codes), scales(scales) {
  tilesPerStage = config.tileK / (kScaleTileCols * layout.format.blockCols);
  tilesOfK = layout.paddedScaleCols / kScaleTileCols;
  // Four rows are read at once, 32 bytes of each.
  codeImage = {octets.extent, config.tileK / 2, kStepBytes};
  scaleImage = {ceilDiv(octets.extent, kScaleTileRows) * tilesPerStage,
                kScaleTileBytes, kScaleTileBytes};
}

//===----------------------------------------------------------------------===//
// Before the loop
//===----------------------------------------------------------------------===//

void DecodePath::beginCodes(const CtaContext &cta, const OperandTile &tile) {
  Arithmetic a(cta.b);
  for (const ImageUnit &unit : getUnits(cta, codeImage, kChunkBytes)) {
    // Rows beyond the last are copies of it.
    Value row =
        a.min(a.add(tile.row, a.toIndex(unit.line)), a.sub(tile.rows, 1));
    if (tile.slice)
      row = a.add(row, a.mul(tile.slice, tile.rows));
    Value first = a.add(a.mul(row, layout.codePitch), a.toIndex(unit.byte));
    codeCopies.push_back({unit, a.offset(codes, a.toI64(first)), unit.byte});
  }
}

void DecodePath::beginScales(const CtaContext &cta, const OperandTile &tile) {
  Arithmetic a(cta.b);
  Value panels = a.ceilDiv(tile.rows, kScaleTileRows);
  Value firstPanel = a.div(tile.row, kScaleTileRows);
  for (const ImageUnit &unit : getUnits(cta, scaleImage, kChunkBytes)) {
    Value panel =
        a.min(a.add(firstPanel, a.toIndex(a.div(unit.line, tilesPerStage))),
              a.sub(panels, 1));
    if (tile.slice)
      panel = a.add(panel, a.mul(tile.slice, panels));
    Value inStage = a.rem(unit.line, tilesPerStage);
    Value number = a.add(a.mul(panel, tilesOfK), a.toIndex(inStage));
    Value first = a.add(a.mul(number, kScaleTileBytes), a.toIndex(unit.byte));
    scaleCopies.push_back({unit, a.offset(scales, a.toI64(first)), inStage});
  }
}

void DecodePath::beginLoads(const CtaContext &cta, const OperandTile &tile) {
  Arithmetic a(cta.b);
  int64_t steps =
      config.tileK / getStepK(FragmentOrder::Blocks) / config.warpsK;
  Value row =
      a.add(octets.emitWarpRow(cta.b, cta.getWarp(side)), cta.laneGroup);
  Value byte = a.add(a.mul(cta.warpK, steps * kStepBytes),
                     a.mul(cta.laneInGroup, kLaneBytes));
  codeOffset = a.add(a.mul(row, codeImage.lineBytes),
                     a.bitXor(byte, codeImage.emitSwizzle(cta.b, row)));

  // A tile of fewer than 128 rows is a part of a tile of scales.
  Value inPanel = a.rem(row, kScaleTileRows);
  if (octets.extent < kScaleTileRows)
    inPanel = a.add(row, a.toI32(a.rem(tile.row, kScaleTileRows)));
  Value scaleTile = a.add(a.mul(a.div(row, kScaleTileRows), tilesPerStage),
                          a.mul(cta.warpK, tilesPerStage / config.warpsK));
  scaleOffset = a.add(a.mul(scaleTile, kScaleTileBytes),
                      a.add(a.mul(a.rem(inPanel, 32), kChunkBytes),
                            a.mul(a.div(inPanel, 32), kScaleTileCols)));
  laneInGroup = cta.laneInGroup;
}

void DecodePath::begin(const CtaContext &cta, const OperandTile &tile) {
  beginCodes(cta, tile);
  beginScales(cta, tile);
  beginLoads(cta, tile);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Positions count from `first`; `extent` of them exist, `perTile` in a tile.
void DecodePath::copyUnits(ImplicitLocOpBuilder &b, ArrayRef<Copy> copies,
                           Value image, Value first, int64_t extent,
                           int64_t perTile, int64_t bytesPerPosition) {
  Arithmetic a(b);
  Value offset = a.mul(a.toI64(first), bytesPerPosition);
  for (const Copy &copy : copies) {
    Value isInside;
    if (extent % perTile != 0)
      isInside = a.less(a.add(first, copy.position), extent);
    emitAsyncCopy(b, copy.unit, image, a.offset(copy.source, offset),
                  kChunkBytes, isInside);
  }
}

void DecodePath::copy(ImplicitLocOpBuilder &b, Value image, Value tile) {
  Arithmetic a(b);
  copyUnits(b, codeCopies, image, a.mul(tile, config.tileK / 2),
            layout.codePitch, config.tileK / 2, 1);
  copyUnits(b, scaleCopies, a.offset(image, codeImage.getBytes()),
            a.mul(tile, tilesPerStage), tilesOfK, tilesPerStage,
            kScaleTileBytes);
}

//===----------------------------------------------------------------------===//
// Loads
//===----------------------------------------------------------------------===//

std::array<Value, 2> DecodePath::loadMultipliers(ImplicitLocOpBuilder &b,
                                                 Value image, int64_t octet,
                                                 int64_t step) {
  Arithmetic a(b);
  int64_t blockCols = layout.format.blockCols;
  int64_t firstBlock = step * getStepK(FragmentOrder::Blocks) / blockCols;
  Value base = a.offset(
      a.offset(image, codeImage.getBytes() +
                          firstBlock / kScaleTileCols * kScaleTileBytes),
      scaleOffset);
  std::array<Value, 2> words;
  for (int64_t i = 0; i < 2; ++i) {
    // A warp without a second octet reads the first one twice.
    int64_t row = 8 * std::min(octet + i, octets.getNumOctets() - 1);
    int64_t offset = row / kScaleTileRows * tilesPerStage * kScaleTileBytes +
                     row % 32 * kChunkBytes +
                     row % kScaleTileRows / 32 * kScaleTileCols;
    words[i] = LLVM::LoadOp::create(b, b.getI32Type(), a.offset(base, offset),
                                    /*alignment=*/4);
  }
  // The byte of the lane's block, of both words.
  Value block = a.add(a.div(laneInGroup, blockCols / (kLaneBytes * 2)),
                      firstBlock % kScaleTileCols);
  Value selector = a.add(a.mul(block, 0x11), 0x40);
  Value bytes = NVVM::PermuteOp::create(b, b.getI32Type(), words[0], words[1],
                                        selector, NVVM::PermuteMode::DEFAULT);
  return emitScaleMultipliers(b, layout.format.scaleEncoding, bytes);
}

SmallVector<Value> DecodePath::stage(ImplicitLocOpBuilder &b, Value image,
                                     int64_t step) {
  Arithmetic a(b);
  Value base = a.offset(image, a.bitXor(codeOffset, step * kStepBytes));
  auto type = VectorType::get(2, b.getI32Type());
  SmallVector<SmallVector<Value>> lanes(octets.getNumOctets());
  std::array<Value, 2> multipliers;
  for (auto [octet, registers] : llvm::enumerate(lanes)) {
    if (octet % 2 == 0)
      multipliers = loadMultipliers(b, image, octet, step);
    Value words = LLVM::LoadOp::create(
        b, type, a.offset(base, octet * 8 * codeImage.lineBytes), kLaneBytes);
    for (int64_t i = 0; i < 2; ++i) {
      Value word = LLVM::ExtractElementOp::create(b, words, a.i32(i));
      llvm::append_range(registers,
                         emitDecodeCodes(b, layout.format.scaleEncoding, word,
                                         multipliers[octet % 2]));
    }
  }
  return arrangeBlocks(side, lanes);
}

std::unique_ptr<OperandPath> createDecodePath(UnitSide side,
                                              const MatmulConfig &config,
                                              BlockTensorType type, Value codes,
                                              Value scales) {
  return std::make_unique<DecodePath>(side, config, type, codes, scales);
}

} // namespace nvfp4
