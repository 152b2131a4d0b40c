//===- ScaleLayout.cpp - Where codes and scales lie in memory -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Moves codes and scales between the layouts of ScaleLayout.h. Values do not
// change, only their position.
//
// Source: PTX ISA, scale factor layout of block-scaled MMA.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/ScaleLayout.h"

#include "nvfp4/Support/RegisterLayout.h"

#include <algorithm>
#include <cstring>

using namespace nvfp4;

std::string_view nvfp4::stringifyBlockLayout(BlockLayout layout) {
  switch (layout) {
  case BlockLayout::Linear:
    return "linear";
  case BlockLayout::Tiled:
    return "tiled";
  case BlockLayout::Registers:
    return "registers";
  }
  __builtin_unreachable();
}

std::optional<BlockLayout> nvfp4::parseBlockLayout(std::string_view name) {
  for (BlockLayout layout :
       {BlockLayout::Linear, BlockLayout::Tiled, BlockLayout::Registers})
    if (stringifyBlockLayout(layout) == name)
      return layout;
  return std::nullopt;
}

StorageLayout nvfp4::getStorageLayout(const BlockFormat &format,
                                      BlockLayout layout, int64_t rows,
                                      int64_t cols) {
  StorageLayout result{};
  result.layout = layout;
  result.format = format;
  result.rows = rows;
  result.cols = cols;
  result.scaleCols = ceilDiv(cols, format.blockCols);
  switch (layout) {
  case BlockLayout::Linear:
    result.codePitch = ceilDiv(cols, 2);
    result.scaleRows = ceilDiv(rows, format.blockRows);
    result.paddedScaleRows = result.scaleRows;
    result.paddedScaleCols = result.scaleCols;
    break;
  case BlockLayout::Tiled:
    result.codePitch = roundUpTo(cols, kTiledCodeCols) / 2;
    result.scaleRows = rows;
    result.paddedScaleRows = roundUpTo(rows, kScaleTileRows);
    result.paddedScaleCols = roundUpTo(result.scaleCols, kScaleTileCols);
    break;
  case BlockLayout::Registers:
    result.codePitch = 0;
    result.scaleRows = rows;
    result.scaleCols = ceilDiv(cols, kRegisterScaleCols);
    result.paddedScaleRows = roundUpTo(rows, kRegisterTileRows);
    result.paddedScaleCols =
        roundUpTo(cols, kRegisterTileCols) / kRegisterScaleCols;
    break;
  }
  result.codeBytes = layout == BlockLayout::Registers
                         ? result.paddedScaleRows * result.paddedScaleCols *
                               kRegisterScaleCols / 2
                         : rows * result.codePitch;
  result.scaleBytes = result.paddedScaleRows * result.paddedScaleCols;
  return result;
}

static int64_t divide(int64_t a, int64_t b) { return a / b; }

/// Tiles of the registers layout along columns.
static int64_t getRegisterTiles(const StorageLayout &layout) {
  return ceilDiv(layout.cols, kRegisterTileCols);
}

int64_t StorageLayout::getScaleOffset(int64_t row, int64_t col) const {
  switch (layout) {
  case BlockLayout::Linear:
    return row * paddedScaleCols + col;
  case BlockLayout::Tiled:
    return getTiledScaleOffset(row, col, scaleCols);
  case BlockLayout::Registers:
    return getRegisterScaleOffset(row, col, getRegisterTiles(*this), divide);
  }
  __builtin_unreachable();
}

int64_t StorageLayout::getColsPerScale() const {
  return layout == BlockLayout::Registers ? kRegisterScaleCols
                                          : format.blockCols;
}

void nvfp4::packScales(const StorageLayout &to, const uint8_t *linear,
                       int64_t linearPitch, uint8_t *out) {
  std::memset(out, 0, size_t(to.scaleBytes));
  int64_t rowRepeats = to.format.blockRows / to.getRowsPerScale();
  int64_t colRepeats = to.format.blockCols / to.getColsPerScale();
  for (int64_t row = 0; row < to.scaleRows; ++row) {
    const uint8_t *source = linear + row / rowRepeats * linearPitch;
    switch (to.layout) {
    case BlockLayout::Linear:
      std::memcpy(out + row * to.paddedScaleCols, source, size_t(to.scaleCols));
      break;
    case BlockLayout::Tiled:
      // Within a tile four neighbouring columns are contiguous.
      for (int64_t col = 0; col < to.scaleCols; col += kScaleTileCols)
        std::memcpy(out + to.getScaleOffset(row, col), source + col,
                    size_t(std::min(kScaleTileCols, to.scaleCols - col)));
      break;
    case BlockLayout::Registers:
      for (int64_t col = 0; col < to.scaleCols; ++col)
        out[to.getScaleOffset(row, col)] = source[col / colRepeats];
      break;
    }
  }
}

bool nvfp4::unpackScales(const StorageLayout &from, const uint8_t *in,
                         uint8_t *linear, int64_t linearPitch) {
  int64_t rowRepeats = from.format.blockRows / from.getRowsPerScale();
  int64_t colRepeats = from.format.blockCols / from.getColsPerScale();
  for (int64_t row = 0; row < from.scaleRows; ++row) {
    uint8_t *target = linear + row / rowRepeats * linearPitch;
    for (int64_t col = 0; col < from.scaleCols; ++col) {
      uint8_t scale = in[from.getScaleOffset(row, col)];
      bool isCopy = row % rowRepeats != 0 || col % colRepeats != 0;
      if (isCopy && target[col / colRepeats] != scale)
        return false;
      target[col / colRepeats] = scale;
    }
  }
  return true;
}

/// Codes of a row in the order of registers. Bytes beyond it are zero already.
static void packRegisterRow(const StorageLayout &to, const uint8_t *codes,
                            int64_t row, uint8_t *out) {
  int64_t used = ceilDiv(to.cols, 2);
  for (int64_t col = 0; col < to.cols; col += 32)
    for (int64_t quarter = 0; quarter < 4; ++quarter) {
      uint32_t pairs[4];
      for (int64_t pair = 0; pair < 4; ++pair) {
        int64_t byte = col / 2 + pair * 4 + quarter;
        uint8_t two = byte < used ? codes[byte] : 0;
        if (2 * byte + 1 >= to.cols)
          two &= 0x0F;
        pairs[pair] = spreadCodes(two);
      }
      uint32_t word = packRegisterWord(pairs);
      int64_t offset = getRegisterWordOffset(row, col + 2 * quarter,
                                             getRegisterTiles(to), divide);
      for (int i = 0; i < 4; ++i)
        out[offset + i] = uint8_t(word >> (8 * i));
    }
}

static void unpackRegisterRow(const StorageLayout &from, const uint8_t *in,
                              int64_t row, uint8_t *codes) {
  for (int64_t col = 0; col < from.cols; col += 2) {
    int64_t offset =
        getRegisterWordOffset(row, col, getRegisterTiles(from), divide);
    uint32_t word = 0;
    for (int i = 0; i < 4; ++i)
      word |= uint32_t(in[offset + i]) << (8 * i);
    uint32_t pairs[4];
    unpackRegisterWord(word, pairs);
    codes[col / 2] = uint8_t(gatherCodes(pairs[col % 32 / 8]));
  }
}

void nvfp4::packCodes(const StorageLayout &to, const uint8_t *codes,
                      int64_t pitch, uint8_t *out) {
  if (to.layout == BlockLayout::Registers) {
    std::memset(out, 0, size_t(to.codeBytes));
    for (int64_t row = 0; row < to.rows; ++row)
      packRegisterRow(to, codes + row * pitch, row, out);
    return;
  }
  int64_t used = ceilDiv(to.cols, 2);
  for (int64_t row = 0; row < to.rows; ++row) {
    uint8_t *target = out + row * to.codePitch;
    std::memcpy(target, codes + row * pitch, size_t(used));
    if (to.cols % 2)
      target[used - 1] &= 0x0F;
    std::memset(target + used, 0, size_t(to.codePitch - used));
  }
}

void nvfp4::unpackCodes(const StorageLayout &from, const uint8_t *in,
                        uint8_t *codes, int64_t pitch) {
  for (int64_t row = 0; row < from.rows; ++row) {
    if (from.layout == BlockLayout::Registers)
      unpackRegisterRow(from, in, row, codes + row * pitch);
    else
      std::memcpy(codes + row * pitch, in + row * from.codePitch,
                  size_t(ceilDiv(from.cols, 2)));
  }
}
