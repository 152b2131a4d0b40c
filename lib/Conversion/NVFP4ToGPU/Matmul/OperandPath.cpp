//===- OperandPath.cpp - From global memory to the unit -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything that a lane needs is computed once: offsets of its rows in global
// memory, and of its chunk in an image. Along K, global addresses grow by a
// constant, and a step of K flips constant bits of the image address.
//
//===----------------------------------------------------------------------===//

#include "OperandPath.h"

#include "Arithmetic.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

/// Bytes of a copy, and of a row in a matrix of `ldmatrix`.
static constexpr int64_t kChunk = 16;
/// Bytes of a row in a step of K.
static constexpr int64_t kStepBytes = 32;

/// Copies `bytes` bytes; where `isThere` is false, writes zeros.
static void emitCopy(ImplicitLocOpBuilder &b, Value to, Value from,
                     int64_t bytes, Value isThere) {
  Arithmetic a(b);
  Value size = a.select(isThere, a.i32(bytes), a.i32(0));
  auto cache = bytes == kChunk ? NVVM::LoadCacheModifierKind::CG
                               : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(b, to, from, bytes, cache, size);
}

/// `pointer`, through an instruction that LLVM does not look into. Otherwise it
/// would hoist pointer + constant out of the loop, and add the rest to each.
static Value emitOpaque(ImplicitLocOpBuilder &b, Value pointer) {
  return LLVM::InlineAsmOp::create(b, pointer.getType(), ValueRange{pointer},
                                   "mov.b64 $0, $1;", "=l,l",
                                   /*has_side_effects=*/false,
                                   /*is_align_stack=*/false,
                                   LLVM::TailCallKind::None,
                                   LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

/// Calls `emit` where `condition` holds; everywhere if it is null.
static void emitWhere(ImplicitLocOpBuilder &b, Value condition,
                      function_ref<void()> emit) {
  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(
        scf::IfOp::create(b, condition, /*withElseRegion=*/false).thenBlock());
  emit();
}

//===----------------------------------------------------------------------===//
// RowImage
//===----------------------------------------------------------------------===//

/// The chunk where chunk 0 of a row is stored; others by exclusive or.
static Value emitSwizzle(Arithmetic &a, Value row, int64_t rowBytes) {
  int64_t chunks = std::min<int64_t>(rowBytes / kChunk, 8);
  return a.rem(a.div(row, 8 / chunks), chunks);
}

void RowImage::begin(const CtaContext &cta, const OperandTile &tile,
                     Value base) {
  Arithmetic a(cta.b);
  pointer = base;
  int64_t chunks = rowBytes / kChunk;
  int64_t rowsPerPass = cta.config.threads / chunks;
  Value row = a.div(cta.thread, chunks), chunk = a.rem(cta.thread, chunks);
  copyChunk = a.toI64(a.mul(chunk, kChunk));
  Value last = a.sub(tile.rows, 1);
  for (int64_t first = 0; first < octets.extent; first += rowsPerPass) {
    Value rowInTile = a.add(row, first);
    Value rowInMatrix = a.min(a.add(tile.row, a.toIndex(rowInTile)), last);
    if (tile.slice)
      rowInMatrix = a.add(rowInMatrix, a.mul(tile.slice, tile.rows));
    Copy copy;
    copy.from = a.toI64(a.mul(rowInMatrix, pitch));
    copy.to = a.add(
        a.mul(rowInTile, rowBytes),
        a.mul(a.bitXor(chunk, emitSwizzle(a, rowInTile, rowBytes)), kChunk));
    if (first + rowsPerPass > octets.extent)
      copy.condition = a.less(rowInTile, octets.extent);
    copies.push_back(copy);
  }
  // Passes of whole octets keep the swizzle, so that offsets are constant; in
  // global memory they are where no row is beyond the last.
  if (rowsPerPass % 8 == 0) {
    passBytes = rowsPerPass * rowBytes;
    for (Copy &copy : copies)
      copy.to = copies[0].to;
  }
  std::optional<int64_t> rows = getConstantIntValue(tile.rows);
  if (rows && *rows % octets.extent == 0) {
    passPitch = rowsPerPass * pitch;
    for (Copy &copy : copies)
      copy.from = copies[0].from;
  }

  // A lane addresses row `lane mod 8` of matrix `lane / 8`. Rows: two octets of
  // the lower half of K, then of the upper. Columns: both halves of an octet,
  // then of the next.
  Value matrix = a.div(cta.lane, 8);
  bool isRows = side == UnitSide::Rows;
  Value octet = isRows ? a.rem(matrix, 2) : a.div(matrix, 2);
  Value half = isRows ? a.div(matrix, 2) : a.rem(matrix, 2);
  int64_t nextOctet = octets.getNumOctets() > 1 ? octets.getRow(1) : 0;
  Value loadRow = a.add(a.add(octets.emitWarpRow(cta.b, cta.getWarp(side)),
                              a.mul(octet, nextOctet)),
                        a.rem(cta.lane, 8));
  int64_t steps = rowBytes / kStepBytes / cta.config.warpsK;
  Value firstChunk = a.add(a.mul(cta.warpK, 2 * steps), half);
  loadOffset = a.add(
      a.mul(loadRow, rowBytes),
      a.mul(a.bitXor(firstChunk, emitSwizzle(a, loadRow, rowBytes)), kChunk));
}

void RowImage::copy(ImplicitLocOpBuilder &b, Value image, Value tile) {
  Arithmetic a(b);
  Value column = a.add(a.toI64(a.mul(tile, rowBytes)), copyChunk);
  Value isThere = a.less(column, bytes);
  column = a.select(isThere, column, a.like(column, 0));
  Value base;
  if (passPitch != 0)
    base = emitOpaque(b, a.offset(pointer, a.add(copies[0].from, column)));
  for (auto [i, copy] : llvm::enumerate(copies)) {
    Value from = base ? a.offset(base, i * passPitch)
                      : a.offset(pointer, a.add(copy.from, column));
    Value to = a.offset(a.offset(image, copy.to), i * passBytes);
    emitWhere(b, copy.condition,
              [&] { emitCopy(b, to, from, kChunk, isThere); });
  }
}

/// `ldmatrix` of 2 or 4 matrices, appended to `registers`.
static void emitLoadMatrix(ImplicitLocOpBuilder &b, Value pointer,
                           int64_t count, SmallVector<Value> &registers) {
  SmallVector<Type> types(count, b.getI32Type());
  Type type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
  Value matrices =
      NVVM::LdMatrixOp::create(b, type, pointer, count, NVVM::MMALayout::row,
                               shape, NVVM::LdStMatrixEltType::B16);
  for (int64_t i = 0; i < count; ++i)
    registers.push_back(LLVM::ExtractValueOp::create(b, matrices, i));
}

SmallVector<Value> RowImage::load(ImplicitLocOpBuilder &b, Value image,
                                  int64_t step) {
  Arithmetic a(b);
  Value base = a.offset(image, a.bitXor(loadOffset, step * kStepBytes));
  SmallVector<Value> registers;
  int64_t numOctets = octets.getNumOctets();
  for (int64_t octet = 0; octet < numOctets; octet += 2)
    emitLoadMatrix(b, a.offset(base, octets.getRow(octet) * rowBytes),
                   numOctets == 1 ? 2 : 4, registers);
  return registers;
}

//===----------------------------------------------------------------------===//
// ScaleImage
//===----------------------------------------------------------------------===//

namespace {
/// Tiles of scales, 512 bytes for 128 rows and four blocks, as they are in
/// global memory: those of 128 rows follow each other along K, then come the
/// next 128 rows. Of a tile with fewer rows only the chunks with these rows are
/// there: a chunk has the four rows that are equal mod 32.
class ScaleImage {
public:
  ScaleImage(UnitSide side, OctetMap octets, int64_t tilesPerStage,
             int64_t tilesOfK, int64_t stepsPerTile, Value pointer)
      : side(side), octets(octets), tilesPerStage(tilesPerStage),
        tilesOfK(tilesOfK), stepsPerTile(stepsPerTile), pointer(pointer) {}

  int64_t getBytes() const {
    return getNumPanels() * tilesPerStage * getChunksPerTile() * kChunk;
  }
  void begin(const CtaContext &cta, const OperandTile &tile);
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile);
  /// One register per four octets.
  SmallVector<Value> load(ImplicitLocOpBuilder &b, Value image, int64_t step);

private:
  int64_t getNumPanels() const {
    return ceilDiv(octets.extent, kScaleTileRows);
  }
  int64_t getChunksPerTile() const {
    return std::min<int64_t>(octets.extent, 32);
  }
  int64_t getTileBytes() const { return getChunksPerTile() * kChunk; }
  void beginCopies(const CtaContext &cta, const OperandTile &tile);

  UnitSide side;
  OctetMap octets;
  int64_t tilesPerStage, tilesOfK, stepsPerTile;
  Value pointer;
  /// Bytes of a copy.
  int64_t unit = kChunk;
  /// What a thread copies: i64 and i32 byte offsets, the tile along K in its
  /// stage (i32), and whether there is anything (null: always).
  struct Copy {
    Value from, to, tile, condition;
  };
  SmallVector<Copy> copies;
  Value loadOffset;
};
} // namespace

void ScaleImage::beginCopies(const CtaContext &cta, const OperandTile &tile) {
  Arithmetic a(cta.b);
  int64_t threads = cta.config.threads;
  // All threads copy, if they can: 4, 8 or 16 bytes.
  unit = std::clamp<int64_t>(llvm::bit_floor<uint64_t>(getBytes() / threads), 4,
                             kChunk);
  int64_t unitsPerTile = getTileBytes() / unit, total = getBytes() / unit;
  Value panels = a.ceilDiv(tile.rows, kScaleTileRows);
  Value panelOfTile = a.div(tile.row, kScaleTileRows);
  for (int64_t first = 0; first < total; first += threads) {
    Copy copy;
    Value id = a.add(cta.thread, first);
    if (first + threads > total)
      copy.condition = a.less(id, total);
    copy.to = a.mul(id, unit);
    copy.tile = a.rem(a.div(id, unitsPerTile), tilesPerStage);
    Value panel = a.min(
        a.add(panelOfTile, a.toIndex(a.div(id, unitsPerTile * tilesPerStage))),
        a.sub(panels, 1));
    if (tile.slice)
      panel = a.add(panel, a.mul(tile.slice, panels));
    Value inTile = a.toIndex(a.mul(a.rem(id, unitsPerTile), unit));
    if (getChunksPerTile() < 32)
      inTile = a.add(inTile, a.mul(a.rem(tile.row, 32), kChunk));
    copy.from =
        a.toI64(a.add(a.mul(panel, tilesOfK * kScaleTileBytes), inTile));
    copies.push_back(copy);
  }
}

void ScaleImage::begin(const CtaContext &cta, const OperandTile &tile) {
  beginCopies(cta, tile);
  // Lane 4 g + t: row g of octet t.
  Arithmetic a(cta.b);
  int64_t used = std::min<int64_t>(octets.getNumOctets(), 4);
  int64_t apart = used > 1 ? octets.getRow(1) : 0;
  Value row =
      a.add(a.add(octets.emitWarpRow(cta.b, cta.getWarp(side)), cta.laneGroup),
            a.mul(a.rem(cta.laneInGroup, used), apart));
  Value inPanel = a.rem(row, kScaleTileRows);
  if (octets.extent < kScaleTileRows)
    inPanel = a.add(row, a.toI32(a.rem(tile.row, kScaleTileRows)));
  loadOffset =
      a.add(a.mul(a.div(row, kScaleTileRows), tilesPerStage * getTileBytes()),
            a.add(a.mul(a.rem(row, getChunksPerTile()), kChunk),
                  a.mul(a.div(inPanel, 32), 4)));
  int64_t tilesPerWarp = tilesPerStage / cta.config.warpsK;
  loadOffset =
      a.add(loadOffset, a.mul(cta.warpK, tilesPerWarp * getTileBytes()));
}

void ScaleImage::copy(ImplicitLocOpBuilder &b, Value image, Value tile) {
  Arithmetic a(b);
  Value first = a.mul(tile, tilesPerStage);
  for (const Copy &copy : copies) {
    Value tileOfK = a.add(first, copy.tile);
    Value isThere = a.less(tileOfK, tilesOfK);
    tileOfK = a.select(isThere, tileOfK, a.i32(0));
    Value column = a.toI64(a.mul(tileOfK, kScaleTileBytes));
    Value from = a.offset(pointer, a.add(copy.from, column));
    Value to = a.offset(image, copy.to);
    emitWhere(b, copy.condition, [&] { emitCopy(b, to, from, unit, isThere); });
  }
}

SmallVector<Value> ScaleImage::load(ImplicitLocOpBuilder &b, Value image,
                                    int64_t step) {
  Arithmetic a(b);
  Value base = a.offset(image, loadOffset);
  SmallVector<Value> words;
  for (int64_t octet = 0; octet < octets.getNumOctets(); octet += 4) {
    // Rows 8 apart are 8 chunks apart; rows 32 apart, a word.
    int64_t row = octets.getRow(octet);
    int64_t offset = row / kScaleTileRows * tilesPerStage * getTileBytes() +
                     row % 32 * kChunk + row % kScaleTileRows / 32 * 4 +
                     step / stepsPerTile * getTileBytes();
    words.push_back(LLVM::LoadOp::create(b, b.getI32Type(),
                                         a.offset(base, offset),
                                         /*alignment=*/4));
  }
  return words;
}

//===----------------------------------------------------------------------===//
// Paths
//===----------------------------------------------------------------------===//

namespace {
class BlockScaledPath final : public OperandPath {
public:
  BlockScaledPath(RowImage codes, ScaleImage scales, Value pointer)
      : codes(codes), scales(scales), pointer(pointer) {}

  int64_t getImageBytes() const override {
    return codes.getBytes() + roundUpTo(scales.getBytes(), 128);
  }
  void begin(const CtaContext &cta, const OperandTile &tile) override {
    codes.begin(cta, tile, pointer);
    scales.begin(cta, tile);
  }
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override {
    codes.copy(b, image, tile);
    scales.copy(b, getScales(b, image), tile);
  }
  bool copiesAnyTile() const override { return true; }
  SmallVector<Value> stage(ImplicitLocOpBuilder &b, Value image,
                           int64_t step) override {
    SmallVector<Value> values = codes.load(b, image, step);
    llvm::append_range(values, scales.load(b, getScales(b, image), step));
    return values;
  }

private:
  Value getScales(ImplicitLocOpBuilder &b, Value image) {
    return Arithmetic(b).offset(image, codes.getBytes());
  }

  RowImage codes;
  ScaleImage scales;
  Value pointer;
};

class PlainPath final : public OperandPath {
public:
  PlainPath(RowImage rows, Value pointer) : rows(rows), pointer(pointer) {}

  int64_t getImageBytes() const override { return rows.getBytes(); }
  void begin(const CtaContext &cta, const OperandTile &tile) override {
    rows.begin(cta, tile, pointer);
  }
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override {
    rows.copy(b, image, tile);
  }
  bool copiesAnyTile() const override { return true; }
  SmallVector<Value> stage(ImplicitLocOpBuilder &b, Value image,
                           int64_t step) override {
    return rows.load(b, image, step);
  }

private:
  RowImage rows;
  Value pointer;
};
} // namespace

OctetMap nvfp4::getOctetsOfScaled(UnitSide side, const MatmulConfig &config) {
  int64_t extent = config.getExtent(side);
  return {extent, config.getWarps(side), extent >= kScaleTileRows};
}

OctetMap nvfp4::getOctetsOfPlain(UnitSide side, const MatmulConfig &config) {
  return {config.getExtent(side), config.getWarps(side), false};
}

std::unique_ptr<OperandPath>
nvfp4::createBlockScaledPath(UnitSide side, const MatmulConfig &config,
                             BlockTensorType type, Value codes, Value scales) {
  OctetMap octets = getOctetsOfScaled(side, config);
  BlockFormat format = type.getFormat().getFormat();
  StorageLayout layout = getStorageLayout(format, BlockLayout::Tiled,
                                          /*rows=*/1, type.getShape().back());
  int64_t tileColumns = kScaleTileCols * format.blockCols;
  RowImage image(side, octets, config.tileK / 2, layout.codePitch,
                 layout.codePitch);
  ScaleImage scaleImage(side, octets, config.tileK / tileColumns,
                        layout.paddedScaleCols / kScaleTileCols,
                        tileColumns / kTiledCodeCols, scales);
  return std::make_unique<BlockScaledPath>(image, scaleImage, codes);
}

std::unique_ptr<OperandPath>
nvfp4::createPlainPath(UnitSide side, const MatmulConfig &config, int64_t k,
                       int64_t elementBytes, Value pointer) {
  RowImage image(side, getOctetsOfPlain(side, config),
                 config.tileK * elementBytes, k * elementBytes,
                 k * elementBytes);
  return std::make_unique<PlainPath>(image, pointer);
}
