//===- ScaleLayout.h - Where codes and scales lie in memory -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Codes are packed two to a byte, the element with the even column in the low
// nibble. Two layouts exist (docs/Format.md, section 5):
//
//   Linear  codes:  [rows, ceil(cols/2)] bytes
//           scales: [ceil(rows/blockRows), ceil(cols/blockCols)] bytes
//   Tiled   codes:  [rows, roundup(cols,64)/2] bytes
//           scales: one per row (a block of several rows repeats its scale),
//                   padded to [roundup(rows,128), roundup(C,4)] with C =
//                   ceil(cols/blockCols), in tiles of 128 x 4 = 512 bytes, the
//                   order in which the MMA units read them
//   Registers  codes and scales in tiles of 64 rows x 128 columns, in the order
//           and with the bits in which the threads of a warpgroup decode them
//           (RegisterLayout.h)
//
// All padding is written as zero. A batch is its slices one after the other,
// each padded by itself; the rows of a slice may be written in panels of a
// multiple of 128, since the tiles of such a panel are contiguous.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_SCALELAYOUT_H
#define NVFP4_SUPPORT_SCALELAYOUT_H

#include "nvfp4/Support/Formats.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace nvfp4 {

/// ceil(a / b) and the next multiple of b, for a >= 0 and b > 0.
constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUpTo(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

/// Rows and columns of one tile of scales; its bytes.
constexpr int64_t kScaleTileRows = 128;
constexpr int64_t kScaleTileCols = 4;
constexpr int64_t kScaleTileBytes = kScaleTileRows * kScaleTileCols;
/// Columns to which tiled codes are padded, and the alignment of their base.
constexpr int64_t kTiledCodeCols = 64;
constexpr int64_t kTiledCodeAlignment = 128;

enum class BlockLayout {
  Linear,
  Tiled,
  Registers,
};

/// "linear", "tiled", "registers".
std::string_view stringifyBlockLayout(BlockLayout layout);
std::optional<BlockLayout> parseBlockLayout(std::string_view name);

/// Byte offset of scale (row, col) of a tiled [*, cols] scale matrix.
constexpr int64_t getTiledScaleOffset(int64_t row, int64_t col, int64_t cols) {
  int64_t tile = row / kScaleTileRows * ceilDiv(cols, kScaleTileCols) +
                 col / kScaleTileCols;
  return tile * kScaleTileBytes + row % 32 * 16 +
         row % kScaleTileRows / 32 * 4 + col % kScaleTileCols;
}

/// Sizes of the stored form of one [rows, cols] matrix, in bytes unless said
/// otherwise. Sizes of a batch are those times the number of slices.
struct StorageLayout {
  BlockLayout layout;
  BlockFormat format;
  /// Elements of the matrix.
  int64_t rows;
  int64_t cols;

  /// From one row of codes to the next; 0 where codes of rows are interleaved.
  int64_t codePitch;
  int64_t codeBytes;

  /// Scales, without and with padding. Unless linear, there is one row per row
  /// of the matrix whatever the block, and in registers one column per 16
  /// columns.
  int64_t scaleRows;
  int64_t scaleCols;
  int64_t paddedScaleRows;
  int64_t paddedScaleCols;
  int64_t scaleBytes;

  /// Offset of the scale in scale row `row` and scale column `col`.
  int64_t getScaleOffset(int64_t row, int64_t col) const;
  /// Rows and columns of the matrix that share a stored scale.
  int64_t getRowsPerScale() const {
    return layout == BlockLayout::Linear ? format.blockRows : 1;
  }
  int64_t getColsPerScale() const;
  /// Offset of the scale of the element (row, col) of the matrix.
  int64_t getScaleOffsetOfElement(int64_t row, int64_t col) const {
    return getScaleOffset(row / getRowsPerScale(), col / getColsPerScale());
  }
  /// Offset of the byte with the code of the element (row, col), where rows of
  /// codes have a pitch.
  int64_t getCodeOffset(int64_t row, int64_t col) const {
    return row * codePitch + col / 2;
  }
};

/// Sizes of a [rows, cols] matrix; extents are not negative.
StorageLayout getStorageLayout(const BlockFormat &format, BlockLayout layout,
                               int64_t rows, int64_t cols);

/// Writes linear scales ([ceil(rows/blockRows), scaleCols], `linearPitch` bytes
/// from row to row) in the layout `to`, all of its scaleBytes bytes.
void packScales(const StorageLayout &to, const uint8_t *linear,
                int64_t linearPitch, uint8_t *out);

/// The inverse of packScales; padding is dropped. Where a scale is stored
/// several times its copies must agree: returns false, and leaves `linear`
/// unspecified, if they do not.
[[nodiscard]] bool unpackScales(const StorageLayout &from, const uint8_t *in,
                                uint8_t *linear, int64_t linearPitch);

/// Copies rows of codes to the places of `to`, all of its codeBytes bytes; the
/// unused nibble of an odd row and the padding become zero.
void packCodes(const StorageLayout &to, const uint8_t *codes, int64_t pitch,
               uint8_t *out);
/// The inverse of packCodes: ceil(cols/2) bytes per row.
void unpackCodes(const StorageLayout &from, const uint8_t *in, uint8_t *codes,
                 int64_t pitch);

} // namespace nvfp4

#endif // NVFP4_SUPPORT_SCALELAYOUT_H
