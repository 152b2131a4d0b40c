//===- MatrixMoves.cpp - ldmatrix, stmatrix and movmatrix -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Four lanes of a register hold a row of 16 bytes: loads and stores that do not
// transpose are copies.
//
//===----------------------------------------------------------------------===//

#include "MatrixMoves.h"

#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {

/// A family of forms.
struct MoveRow {
  MoveShape shape;
  MoveFormat format;
  bool canBeStraight, canBeTransposed;
  int maxCount; ///< 1, 2 or 4 matrices.
};

constexpr MoveRow kLoads[] = {
    {MoveShape::M8N8, MoveFormat::B16, true, true, 4},
    {MoveShape::M8N16, MoveFormat::B8x16FromB4x16P64, true, false, 4},
    {MoveShape::M8N16, MoveFormat::B8x16FromB6x16P32, true, false, 4},
    {MoveShape::M16N16, MoveFormat::B8, false, true, 2},
    {MoveShape::M16N16, MoveFormat::B8x16FromB4x16P64, false, true, 2},
    {MoveShape::M16N16, MoveFormat::B8x16FromB6x16P32, false, true, 2},
};
constexpr MoveRow kStores[] = {
    {MoveShape::M8N8, MoveFormat::B16, true, true, 4},
    {MoveShape::M16N8, MoveFormat::B8, false, true, 4},
};

} // namespace

static std::string stringifyMove(MoveShape shape, MoveFormat format,
                                 const char *count, bool transposed) {
  constexpr const char *shapes[] = {".m8n8", ".m8n16", ".m16n16", ".m16n8"};
  constexpr const char *formats[] = {".b16", ".b8", ".b8x16.b4x16_p64",
                                     ".b8x16.b6x16_p32"};
  return std::string(shapes[int(shape)]) + count +
         (transposed ? ".trans" : "") + formats[int(format)];
}

template <size_t kSize>
static Status checkMove(const char *name, const MoveRow (&rows)[kSize],
                        MoveShape shape, int count, bool transposed,
                        MoveFormat format) {
  const bool isCount = count == 1 || count == 2 || count == 4;
  for (const MoveRow &row : rows)
    if (row.shape == shape && row.format == format && isCount &&
        count <= row.maxCount &&
        (transposed ? row.canBeTransposed : row.canBeStraight))
      return Status();
  std::string legal;
  for (const MoveRow &row : rows)
    for (bool isTransposed : {false, true}) {
      if (!(isTransposed ? row.canBeTransposed : row.canBeStraight))
        continue;
      legal += legal.empty() ? "" : ", ";
      legal += stringifyMove(row.shape, row.format,
                             row.maxCount == 4 ? ".x{1,2,4}" : ".x{1,2}",
                             isTransposed);
    }
  return Status::error(
      std::string(name) + ": expected one of " + legal + ", but got " +
      stringifyMove(shape, format, (".x" + std::to_string(count)).c_str(),
                    transposed));
}

//===----------------------------------------------------------------------===//
// ldmatrix
//===----------------------------------------------------------------------===//

Result<MatrixLoad> MatrixLoad::create(MoveShape shape, int count,
                                      bool transposed, MoveFormat format) {
  if (Status status =
          checkMove("ldmatrix", kLoads, shape, count, transposed, format);
      !status)
    return status;
  MatrixLoad load;
  load.shape = shape;
  load.count = uint8_t(count);
  load.transposed = transposed;
  load.format = format;
  return load;
}

int MatrixLoad::getNumRows() const {
  return (shape == MoveShape::M16N16 ? 16 : 8) * count;
}

int MatrixLoad::getRowBytes() const {
  switch (format) {
  case MoveFormat::B16:
  case MoveFormat::B8:
    return 16;
  case MoveFormat::B8x16FromB4x16P64:
    return 8;
  case MoveFormat::B8x16FromB6x16P32:
    return 12;
  }
}

int MatrixLoad::getNumRegisters() const {
  return (shape == MoveShape::M16N16 ? 2 : 1) * count;
}

/// 16 codes of `bits`, low ones first, one to a byte.
static void widenRow(const uint8_t *row, int bits, uint8_t *bytes) {
  for (int i = 0; i < 16; ++i) {
    const int bit = i * bits;
    uint32_t two = row[bit / 8];
    if (bit % 8 + bits > 8)
      two |= uint32_t(row[bit / 8 + 1]) << 8;
    bytes[i] = uint8_t(two >> bit % 8 & ((1u << bits) - 1));
  }
}

/// Rows of bytes to the lanes of matrices of eight rows.
static void loadStraight(const uint8_t (*rows)[kMatrixRowBytes], int numRows,
                         uint32_t *const *registers) {
  for (int row = 0; row < numRows; ++row)
    std::memcpy(registers[row / 8] + row % 8 * 4, rows[row], kMatrixRowBytes);
}

static void loadTransposedHalves(const uint8_t (*rows)[kMatrixRowBytes],
                                 int count, uint32_t *const *registers) {
  for (int matrix = 0; matrix < count; ++matrix)
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      const int row = matrix * 8 + lane % 4 * 2;
      uint16_t halves[2];
      for (int half = 0; half < 2; ++half)
        std::memcpy(&halves[half], rows[row + half] + lane / 4 * 2, 2);
      registers[matrix][lane] = halves[0] | uint32_t(halves[1]) << 16;
    }
}

static void loadTransposedBytes(const uint8_t (*rows)[kMatrixRowBytes],
                                int count, uint32_t *const *registers) {
  for (int reg = 0; reg < 2 * count; ++reg)
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      uint32_t word = 0;
      for (int i = 0; i < 4; ++i)
        word |=
            uint32_t(
                rows[reg / 2 * 16 + lane % 4 * 4 + i][lane / 4 + reg % 2 * 8])
            << 8 * i;
      registers[reg][lane] = word;
    }
}

void MatrixLoad::distribute(const uint8_t (*rows)[kMatrixRowBytes],
                            uint32_t *const *registers) const {
  uint8_t widened[kWarpLanes][kMatrixRowBytes];
  if (getRowBytes() != kMatrixRowBytes) {
    for (int row = 0; row < getNumRows(); ++row)
      widenRow(rows[row], getRowBytes() / 2, widened[row]);
    rows = widened;
  }
  if (!transposed)
    loadStraight(rows, getNumRows(), registers);
  else if (format == MoveFormat::B16)
    loadTransposedHalves(rows, count, registers);
  else
    loadTransposedBytes(rows, count, registers);
}

//===----------------------------------------------------------------------===//
// stmatrix and movmatrix
//===----------------------------------------------------------------------===//

Result<MatrixStore> MatrixStore::create(MoveShape shape, int count,
                                        bool transposed, MoveFormat format) {
  if (Status status =
          checkMove("stmatrix", kStores, shape, count, transposed, format);
      !status)
    return status;
  MatrixStore store;
  store.shape = shape;
  store.count = uint8_t(count);
  store.transposed = transposed;
  return store;
}

void MatrixStore::collect(const uint32_t *const *registers,
                          uint8_t (*rows)[kMatrixRowBytes]) const {
  for (int matrix = 0; matrix < count; ++matrix) {
    uint8_t (*target)[kMatrixRowBytes] = rows + 8 * matrix;
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      const uint32_t word = registers[matrix][lane];
      const int column = lane / 4, pair = lane % 4 * 2;
      if (!transposed) {
        std::memcpy(target[column] + 2 * pair, &word, 4);
      } else if (shape == MoveShape::M8N8) {
        for (int half = 0; half < 2; ++half) {
          const uint16_t element = uint16_t(word >> 16 * half);
          std::memcpy(target[pair + half] + 2 * column, &element, 2);
        }
      } else {
        for (int i = 0; i < 4; ++i)
          target[pair + i % 2][column + i / 2 * 8] = uint8_t(word >> 8 * i);
      }
    }
  }
}

void nvfp4::ptx::transposeMatrix(const uint32_t *source, uint32_t *result) {
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    const int row = lane / 4;
    uint32_t word = 0;
    for (int half = 0; half < 2; ++half) {
      const int col = lane % 4 * 2 + half;
      // The element (col, row) of the source.
      word |= (source[col * 4 + row / 2] >> row % 2 * 16 & 0xFFFF) << 16 * half;
    }
    result[lane] = word;
  }
}
