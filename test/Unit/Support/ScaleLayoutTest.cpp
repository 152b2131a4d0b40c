//===- ScaleLayoutTest.cpp - Offsets, padding, pack and unpack ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tiled layout is checked against its other definition: reshape to
// (R/128, 4, 32, C/4, 4), permute (0, 3, 2, 1, 4).
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/ScaleLayout.h"
#include "nvfp4/Support/RegisterLayout.h"

#include "gtest/gtest.h"

#include <cstring>
#include <vector>

using namespace nvfp4;

namespace {

std::vector<uint8_t> makeBytes(int64_t count) {
  std::vector<uint8_t> bytes(count);
  for (int64_t i = 0; i < count; ++i)
    bytes[i] = uint8_t(1 + (i * 37 + i / 251) % 255); // never zero
  return bytes;
}

TEST(ScaleLayout, TiledOffsetIsTheReshapeAndPermutation) {
  const int64_t rows = 384, cols = 20;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t col = 0; col < cols; ++col) {
      // Coordinates in (R/128, 4, 32, C/4, 4) …
      int64_t i0 = row / 128, i1 = row % 128 / 32, i2 = row % 32;
      int64_t i3 = col / 4, i4 = col % 4;
      // … linearised in the order 0, 3, 2, 1, 4.
      int64_t offset = (((i0 * (cols / 4) + i3) * 32 + i2) * 4 + i1) * 4 + i4;
      ASSERT_EQ(getTiledScaleOffset(row, col, cols), offset);
    }
}

TEST(ScaleLayout, TiledOffsetsArePermutation) {
  const int64_t rows = 256, cols = 12;
  std::vector<bool> seen(rows * cols);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t col = 0; col < cols; ++col) {
      int64_t offset = getTiledScaleOffset(row, col, cols);
      ASSERT_LT(offset, rows * cols);
      ASSERT_FALSE(seen[offset]);
      seen[offset] = true;
    }
}

TEST(ScaleLayout, Sizes) {
  StorageLayout linear =
      getStorageLayout(getNVFP4Format(), BlockLayout::Linear, 3, 40);
  EXPECT_EQ(linear.codePitch, 20);
  EXPECT_EQ(linear.codeBytes, 60);
  EXPECT_EQ(linear.scaleCols, 3);
  EXPECT_EQ(linear.scaleBytes, 9);

  StorageLayout tiled =
      getStorageLayout(getNVFP4Format(), BlockLayout::Tiled, 129, 80);
  EXPECT_EQ(tiled.codePitch, 64);
  EXPECT_EQ(tiled.codeBytes, 129 * 64);
  EXPECT_EQ(tiled.scaleCols, 5);
  EXPECT_EQ(tiled.paddedScaleRows, 256);
  EXPECT_EQ(tiled.paddedScaleCols, 8);
  EXPECT_EQ(tiled.scaleBytes, 2048);

  StorageLayout mx =
      getStorageLayout(getMXFP4Format(), BlockLayout::Tiled, 1, 48);
  EXPECT_EQ(mx.scaleCols, 2);
  EXPECT_EQ(mx.scaleBytes, 512);

  StorageLayout square = getStorageLayout(getNVFP4Format().withBlock(16, 16),
                                          BlockLayout::Linear, 33, 17);
  EXPECT_EQ(square.scaleRows, 3);
  EXPECT_EQ(square.scaleCols, 2);
  EXPECT_EQ(square.codePitch, 9);

  StorageLayout empty =
      getStorageLayout(getNVFP4Format(), BlockLayout::Tiled, 0, 64);
  EXPECT_EQ(empty.codeBytes, 0);
  EXPECT_EQ(empty.scaleBytes, 0);
}

struct Shape {
  int64_t rows, cols;
};
const Shape kShapes[] = {{1, 16},   {1, 1},    {5, 33},    {128, 64},
                         {129, 65}, {200, 80}, {257, 272}, {384, 384}};

TEST(ScaleLayout, ScalesRoundTripAndPaddingIsZero) {
  for (BlockFormat format :
       {getNVFP4Format(), getMXFP4Format(), getNVFP4Format().withBlock(16, 16)})
    for (BlockLayout kind :
         {BlockLayout::Linear, BlockLayout::Tiled, BlockLayout::Registers})
      for (Shape shape : kShapes) {
        StorageLayout linear = getStorageLayout(format, BlockLayout::Linear,
                                                shape.rows, shape.cols);
        StorageLayout to =
            getStorageLayout(format, kind, shape.rows, shape.cols);
        std::vector<uint8_t> scales = makeBytes(linear.scaleBytes);
        std::vector<uint8_t> packed(to.scaleBytes, 0xAA);
        packScales(to, scales.data(), linear.scaleCols, packed.data());

        int64_t used = 0;
        for (int64_t row = 0; row < to.scaleRows; ++row)
          for (int64_t col = 0; col < to.scaleCols; ++col) {
            int64_t source = row * to.getRowsPerScale() / format.blockRows;
            int64_t column = col * to.getColsPerScale() / format.blockCols;
            uint8_t &scale = packed[to.getScaleOffset(row, col)];
            ASSERT_EQ(scale, scales[source * linear.scaleCols + column]);
            ++used;
          }
        int64_t zeros = 0;
        for (uint8_t byte : packed)
          zeros += byte == 0;
        EXPECT_EQ(zeros, to.scaleBytes - used);

        std::vector<uint8_t> back(linear.scaleBytes);
        EXPECT_TRUE(
            unpackScales(to, packed.data(), back.data(), linear.scaleCols));
        EXPECT_EQ(back, scales);
      }
}

TEST(ScaleLayout, UnpackRejectsTilesThatDisagree) {
  BlockFormat format = getNVFP4Format().withBlock(16, 16);
  StorageLayout tiled = getStorageLayout(format, BlockLayout::Tiled, 32, 32);
  std::vector<uint8_t> scales = makeBytes(4), back(4);
  std::vector<uint8_t> packed(tiled.scaleBytes);
  packScales(tiled, scales.data(), 2, packed.data());
  packed[tiled.getScaleOffset(17, 1)] ^= 1;
  EXPECT_FALSE(unpackScales(tiled, packed.data(), back.data(), 2));
}

TEST(ScaleLayout, CodesRoundTripAndPaddingIsZero) {
  for (BlockLayout kind : {BlockLayout::Linear, BlockLayout::Tiled})
    for (Shape shape : kShapes) {
      StorageLayout to =
          getStorageLayout(getNVFP4Format(), kind, shape.rows, shape.cols);
      int64_t pitch = ceilDiv(shape.cols, 2);
      std::vector<uint8_t> codes = makeBytes(shape.rows * pitch);
      std::vector<uint8_t> packed(to.codeBytes, 0xAA);
      packCodes(to, codes.data(), pitch, packed.data());
      for (int64_t row = 0; row < shape.rows; ++row) {
        if (shape.cols % 2)
          codes[row * pitch + pitch - 1] &= 0x0F;
        for (int64_t i = 0; i < to.codePitch; ++i)
          ASSERT_EQ(packed[row * to.codePitch + i],
                    i < pitch ? codes[row * pitch + i] : 0);
      }
      std::vector<uint8_t> back(codes.size());
      unpackCodes(to, packed.data(), back.data(), pitch);
      EXPECT_EQ(back, codes);
    }
}

TEST(ScaleLayout, PanelsOfTileRowsAreContiguous) {
  const int64_t rows = 300, cols = 80, scaleCols = 5, pitch = 40;
  BlockFormat format = getNVFP4Format();
  std::vector<uint8_t> scales = makeBytes(rows * scaleCols);
  std::vector<uint8_t> codes = makeBytes(rows * pitch);
  for (BlockLayout kind : {BlockLayout::Tiled, BlockLayout::Registers}) {
    auto pack = [&](int64_t first, int64_t count, std::vector<uint8_t> &to,
                    std::vector<uint8_t> &toCodes) {
      StorageLayout panel = getStorageLayout(format, kind, count, cols);
      std::vector<uint8_t> part(panel.scaleBytes), codePart(panel.codeBytes);
      packScales(panel, scales.data() + first * scaleCols, scaleCols,
                 part.data());
      packCodes(panel, codes.data() + first * pitch, pitch, codePart.data());
      to.insert(to.end(), part.begin(), part.end());
      toCodes.insert(toCodes.end(), codePart.begin(), codePart.end());
    };
    std::vector<uint8_t> packed, joined, packedCodes, joinedCodes;
    pack(0, rows, packed, packedCodes);
    for (int64_t first = 0; first < rows; first += 128)
      pack(first, std::min<int64_t>(128, rows - first), joined, joinedCodes);
    EXPECT_EQ(joined, packed);
    EXPECT_EQ(joinedCodes, packedCodes);
  }
}

/// The code that a thread finds in its word, by the fragment of the matrix
/// instruction, is the one of the matrix.
TEST(ScaleLayout, RegistersHoldFragments) {
  const int64_t rows = 70, cols = 272, tiles = 3;
  StorageLayout to =
      getStorageLayout(getNVFP4Format(), BlockLayout::Registers, rows, cols);
  EXPECT_EQ(to.codeBytes, 2 * tiles * 4096);
  EXPECT_EQ(to.scaleBytes, 2 * tiles * 512);
  std::vector<uint8_t> codes = makeBytes(rows * cols / 2);
  std::vector<uint8_t> packed(to.codeBytes, 0xAA);
  packCodes(to, codes.data(), cols / 2, packed.data());
  int64_t used = 0;
  for (int64_t tile = 0; tile < 2 * tiles; ++tile)
    for (int64_t i = 0; i < 4096; i += 4) {
      int64_t half = i / 2048, thread = i % 2048 / 16, word = i % 16 / 4;
      int64_t row =
          tile / tiles * 64 + thread / 32 * 16 + thread % 32 / 4 + word / 2 * 8;
      uint32_t bits = 0, pairs[4];
      std::memcpy(&bits, &packed[tile * 4096 + i], 4);
      unpackRegisterWord(bits, pairs);
      EXPECT_EQ(packRegisterWord(pairs), bits);
      for (int64_t pair = 0; pair < 4; ++pair)
        for (int64_t e = 0; e < 2; ++e) {
          int64_t step = 2 * (word % 2) + pair / 2, upper = pair % 2;
          int64_t col = tile % tiles * 128 + half * 64 + step * 16 + upper * 8 +
                        thread % 4 * 2 + e;
          uint32_t bf16 = pairs[pair] >> (16 * e) & 0xFFFF;
          uint32_t code = (bf16 >> 6 & 7) | (bf16 >> 12 & 8);
          bool isInside = row < rows && col < cols;
          used += isInside;
          ASSERT_EQ(code, isInside
                              ? codes[row * cols / 2 + col / 2] >> (4 * e) & 15
                              : 0);
        }
    }
  EXPECT_EQ(used, rows * cols);
  std::vector<uint8_t> back(codes.size());
  unpackCodes(to, packed.data(), back.data(), cols / 2);
  EXPECT_EQ(back, codes);
}

TEST(ScaleLayout, NamesRoundTrip) {
  EXPECT_EQ(parseBlockLayout("linear"), BlockLayout::Linear);
  EXPECT_EQ(parseBlockLayout("tiled"), BlockLayout::Tiled);
  EXPECT_EQ(parseBlockLayout("registers"), BlockLayout::Registers);
  EXPECT_EQ(parseBlockLayout("swizzled"), std::nullopt);
}

} // namespace
