//===- MatrixMovesTest.cpp - ldmatrix, stmatrix and movmatrix -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every byte of every form, from numbered rows; what must invert, inverts.
//
//===----------------------------------------------------------------------===//

#include "Matrix/MatrixMoves.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

using namespace nvfp4::ptx;

namespace {

struct Rows {
  uint8_t bytes[32][16];

  /// Byte c of row r is 16 * r + c, modulo 256; with a seed, random.
  explicit Rows(unsigned seed = 0) {
    std::mt19937 random(seed);
    for (int row = 0; row < 32; ++row)
      for (int col = 0; col < 16; ++col)
        bytes[row][col] = uint8_t(seed ? random() : 16 * row + col);
  }
};

struct Registers {
  uint32_t words[4][32] = {};
  uint32_t *pointers[4] = {words[0], words[1], words[2], words[3]};
  const uint32_t *constPointers[4] = {words[0], words[1], words[2], words[3]};

  uint8_t getByte(int reg, int lane, int i) const {
    return uint8_t(words[reg][lane] >> 8 * i);
  }
};

TEST(MatrixLoad, HalvesStraightAndTransposed) {
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) {
      auto load = MatrixLoad::create(MoveShape::M8N8, count, transposed,
                                     MoveFormat::B16);
      ASSERT_TRUE(load.ok());
      EXPECT_EQ(load->getNumRows(), 8 * count);
      EXPECT_EQ(load->getRowBytes(), 16);
      EXPECT_EQ(load->getNumRegisters(), count);
      Rows rows(count);
      Registers registers;
      load->distribute(rows.bytes, registers.pointers);
      for (int matrix = 0; matrix < count; ++matrix)
        for (int row = 0; row < 8; ++row)
          for (int col = 0; col < 8; ++col) {
            // Lane and half of element (row, col) of the register's matrix.
            const uint32_t got =
                registers.words[matrix][row * 4 + col / 2] >> col % 2 * 16;
            const int sourceRow = transposed ? col : row;
            const int sourceCol = transposed ? row : col;
            uint16_t expected;
            std::memcpy(&expected,
                        &rows.bytes[matrix * 8 + sourceRow][sourceCol * 2], 2);
            EXPECT_EQ(uint16_t(got), expected);
          }
    }
}

TEST(MatrixLoad, PackedCodesBecomeBytes) {
  auto load = MatrixLoad::create(MoveShape::M8N16, 2, false,
                                 MoveFormat::B8x16FromB4x16P64);
  ASSERT_TRUE(load.ok());
  EXPECT_EQ(load->getRowBytes(), 8);
  Rows rows(9);
  Registers registers;
  load->distribute(rows.bytes, registers.pointers);
  for (int row = 0; row < 16; ++row)
    for (int i = 0; i < 16; ++i)
      EXPECT_EQ(registers.getByte(row / 8, row % 8 * 4 + i / 4, i % 4),
                rows.bytes[row][i / 2] >> i % 2 * 4 & 15);
  load = MatrixLoad::create(MoveShape::M8N16, 4, false,
                            MoveFormat::B8x16FromB6x16P32);
  ASSERT_TRUE(load.ok());
  EXPECT_EQ(load->getRowBytes(), 12);
  load->distribute(rows.bytes, registers.pointers);
  for (int row = 0; row < 32; ++row)
    for (int i = 0; i < 16; ++i) {
      int expected = 0;
      for (int bit = 6 * i; bit < 6 * i + 6; ++bit)
        expected |= (rows.bytes[row][bit / 8] >> bit % 8 & 1) << (bit - 6 * i);
      EXPECT_EQ(registers.getByte(row / 8, row % 8 * 4 + i / 4, i % 4),
                expected);
    }
}

TEST(MatrixLoad, TransposedBytes) {
  for (int count : {1, 2}) {
    auto load =
        MatrixLoad::create(MoveShape::M16N16, count, true, MoveFormat::B8);
    ASSERT_TRUE(load.ok());
    EXPECT_EQ(load->getNumRows(), 16 * count);
    EXPECT_EQ(load->getNumRegisters(), 2 * count);
    Rows rows(4);
    Registers registers;
    load->distribute(rows.bytes, registers.pointers);
    for (int matrix = 0; matrix < count; ++matrix)
      for (int row = 0; row < 16; ++row)
        for (int col = 0; col < 16; ++col)
          EXPECT_EQ(registers.getByte(2 * matrix + col / 8,
                                      col % 8 * 4 + row / 4, row % 4),
                    rows.bytes[16 * matrix + row][col]);
  }
  auto load = MatrixLoad::create(MoveShape::M16N16, 1, true,
                                 MoveFormat::B8x16FromB4x16P64);
  ASSERT_TRUE(load.ok());
  Rows rows(5);
  Registers registers;
  load->distribute(rows.bytes, registers.pointers);
  for (int row = 0; row < 16; ++row)
    for (int col = 0; col < 16; ++col)
      EXPECT_EQ(registers.getByte(col / 8, col % 8 * 4 + row / 4, row % 4),
                rows.bytes[row][col / 2] >> col % 2 * 4 & 15);
}

TEST(MatrixStore, InvertsLoads) {
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) {
      auto load = MatrixLoad::create(MoveShape::M8N8, count, transposed,
                                     MoveFormat::B16);
      auto store = MatrixStore::create(MoveShape::M8N8, count, transposed,
                                       MoveFormat::B16);
      ASSERT_TRUE(store.ok());
      EXPECT_EQ(store->getNumRows(), 8 * count);
      Rows rows(11), back;
      Registers registers;
      load->distribute(rows.bytes, registers.pointers);
      store->collect(registers.constPointers, back.bytes);
      EXPECT_EQ(std::memcmp(rows.bytes, back.bytes, 128 * count), 0);
    }
}

TEST(MatrixStore, TransposedBytes) {
  auto store = MatrixStore::create(MoveShape::M16N8, 2, true, MoveFormat::B8);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(store->getNumRegisters(), 2);
  EXPECT_EQ(store->getNumRows(), 16);
  Registers registers;
  for (int lane = 0; lane < 32; ++lane)
    for (int reg = 0; reg < 2; ++reg)
      // As accumulators lie: rows g and g + 8, columns 2t and 2t + 1.
      for (int i = 0; i < 4; ++i) {
        const int row = lane / 4 + i / 2 * 8, col = lane % 4 * 2 + i % 2;
        registers.words[reg][lane] |= uint32_t(reg * 128 + row * 8 + col)
                                      << 8 * i;
      }
  Rows rows;
  store->collect(registers.constPointers, rows.bytes);
  for (int reg = 0; reg < 2; ++reg)
    for (int col = 0; col < 8; ++col)
      for (int row = 0; row < 16; ++row)
        EXPECT_EQ(rows.bytes[8 * reg + col][row], reg * 128 + row * 8 + col);
}

TEST(MoveMatrix, Transposes) {
  uint32_t source[32], result[32];
  for (int row = 0; row < 8; ++row)
    for (int col = 0; col < 8; col += 2)
      source[row * 4 + col / 2] =
          uint32_t(row * 8 + col) | uint32_t(row * 8 + col + 1) << 16;
  transposeMatrix(source, result);
  for (int row = 0; row < 8; ++row)
    for (int col = 0; col < 8; ++col)
      EXPECT_EQ(result[row * 4 + col / 2] >> col % 2 * 16 & 0xFFFF,
                uint32_t(col * 8 + row));
}

TEST(MatrixMoves, NamesWhatIsLegal) {
  EXPECT_EQ(
      MatrixStore::create(MoveShape::M16N8, 1, false, MoveFormat::B8)
          .getMessage(),
      "stmatrix: expected one of .m8n8.x{1,2,4}.b16, .m8n8.x{1,2,4}.trans.b16, "
      ".m16n8.x{1,2,4}.trans.b8, but got .m16n8.x1.b8");
  EXPECT_FALSE(
      MatrixLoad::create(MoveShape::M8N8, 3, false, MoveFormat::B16).ok());
  EXPECT_FALSE(
      MatrixLoad::create(MoveShape::M16N16, 4, true, MoveFormat::B8).ok());
  EXPECT_FALSE(MatrixLoad::create(MoveShape::M8N16, 1, true,
                                  MoveFormat::B8x16FromB4x16P64)
                   .ok());
}

} // namespace
