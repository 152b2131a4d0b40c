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

#include <algorithm>
#include <cstring>

using namespace nvfp4;

std::string_view nvfp4::stringifyBlockLayout(BlockLayout layout) {
  return layout == BlockLayout::Linear ? "linear" : "tiled";
}

std::optional<BlockLayout> nvfp4::parseBlockLayout(std::string_view name) {
  for (BlockLayout layout : {BlockLayout::Linear, BlockLayout::Tiled})
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
  }
  result.codeBytes = rows * result.codePitch;
  result.scaleBytes = result.paddedScaleRows * result.paddedScaleCols;
  return result;
}

/// The row of linear scales that scale row `row` of `layout` repeats.
static int64_t getLinearScaleRow(const StorageLayout &layout, int64_t row) {
  return layout.layout == BlockLayout::Tiled ? row / layout.format.blockRows
                                             : row;
}

void nvfp4::packScales(const StorageLayout &to, const uint8_t *linear,
                       int64_t linearPitch, uint8_t *out) {
  std::memset(out, 0, size_t(to.scaleBytes));
  for (int64_t row = 0; row < to.scaleRows; ++row) {
    const uint8_t *source = linear + getLinearScaleRow(to, row) * linearPitch;
    if (to.layout == BlockLayout::Linear) {
      std::memcpy(out + row * to.paddedScaleCols, source, size_t(to.scaleCols));
      continue;
    }
    // Within a tile four neighbouring columns are contiguous.
    for (int64_t col = 0; col < to.scaleCols; col += kScaleTileCols)
      std::memcpy(out + to.getScaleOffset(row, col), source + col,
                  size_t(std::min(kScaleTileCols, to.scaleCols - col)));
  }
}

bool nvfp4::unpackScales(const StorageLayout &from, const uint8_t *in,
                         uint8_t *linear, int64_t linearPitch) {
  int64_t previousRow = -1;
  for (int64_t row = 0; row < from.scaleRows; ++row) {
    int64_t linearRow = getLinearScaleRow(from, row);
    uint8_t *target = linear + linearRow * linearPitch;
    bool isCopy = linearRow == previousRow;
    previousRow = linearRow;
    for (int64_t col = 0; col < from.scaleCols; ++col) {
      uint8_t scale = in[from.getScaleOffset(row, col)];
      if (isCopy && target[col] != scale)
        return false;
      target[col] = scale;
    }
  }
  return true;
}

void nvfp4::packCodes(const StorageLayout &to, const uint8_t *codes,
                      int64_t pitch, uint8_t *out) {
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
  for (int64_t row = 0; row < from.rows; ++row)
    std::memcpy(codes + row * pitch, in + row * from.codePitch,
                size_t(ceilDiv(from.cols, 2)));
}
