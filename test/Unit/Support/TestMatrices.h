//===- TestMatrices.h - Awkward matrices and instruction sets ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs for the quantizer's tests: reproducible matrices full of values on
// which an implementation may go wrong, buffers with guard bytes, and a loop
// over the instruction sets of the machine.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SUPPORT_TESTMATRICES_H
#define NVFP4_TEST_UNIT_SUPPORT_TESTMATRICES_H

#include "nvfp4/Support/Quantize.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace nvfp4::test {

/// xorshift64*: the same numbers everywhere.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15 + 1) {}
  uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1D;
  }
  uint32_t next32() { return uint32_t(next() >> 32); }
  uint64_t below(uint64_t bound) { return next32() % bound; }
  /// In [0, 1).
  float uniform() { return float(next32() >> 8) * 0x1p-24f; }
  /// Roughly normal: the sum of four uniform numbers.
  float normal() {
    return (uniform() + uniform() + uniform() + uniform() - 2.0f) * 1.7320508f;
  }

private:
  uint64_t state;
};

/// Kinds of content.
enum class Content {
  Normal,    ///< Gaussian times a power of ten.
  Bits,      ///< Random bit patterns: every exponent, NaN, infinity.
  Ties,      ///< Multiples of 1/16 up to 6 times powers of two.
  Specials,  ///< Gaussian with zeros, -0, subnormals, NaN and infinities.
  Outliers,  ///< Tiny values with one large one per row: scales underflow.
  Subnormal, ///< Nothing but zeros and subnormals.
  NumContents,
};

inline float makeValue(Random &random, Content content, float magnitude) {
  const float inf = std::numeric_limits<float>::infinity();
  switch (content) {
  case Content::Normal:
    return random.normal() * magnitude;
  case Content::Bits:
    return floatOfBits(random.next32());
  case Content::Ties: {
    float value = float(random.below(97)) / 16.0f *
                  std::ldexp(1.0f, int(random.below(5)) - 2);
    return random.below(2) ? -value : value;
  }
  case Content::Specials: {
    switch (random.below(12)) {
    case 0:
      return 0.0f;
    case 1:
      return -0.0f;
    case 2:
      return floatOfBits(random.next32() & 0x807FFFFF);
    case 3:
      return random.below(8) ? random.normal()
                             : floatOfBits(0x7F800001 | random.next32());
    case 4:
      return random.below(8) ? random.normal()
                             : std::copysign(inf, random.normal());
    default:
      return random.normal() * magnitude;
    }
  }
  case Content::Outliers:
    return random.below(40) == 0 ? random.normal() * 1e4f * magnitude
                                 : random.normal() * 1e-4f * magnitude;
  case Content::Subnormal:
    return random.below(4) == 0 ? 0.0f
                                : floatOfBits(random.next32() & 0x807FFFFF);
  case Content::NumContents:
    break;
  }
  return 0.0f;
}

/// A matrix with its memory. Rows may have gaps.
struct TestMatrix {
  std::vector<uint8_t> bytes;
  FloatType type;
  int64_t rows, cols, rowStride;

  MatrixRef ref(int64_t firstRow = 0, int64_t numRows = -1) const {
    return {bytes.data() + firstRow * rowStride * getFloatTypeBytes(type), type,
            numRows < 0 ? rows : numRows, cols, rowStride};
  }
  float get(int64_t row, int64_t col) const {
    const uint8_t *address =
        bytes.data() + (row * rowStride + col) * getFloatTypeBytes(type);
    if (type == FloatType::F32) {
      float value;
      std::memcpy(&value, address, 4);
      return value;
    }
    uint16_t bits;
    std::memcpy(&bits, address, 2);
    return type == FloatType::BF16 ? decodeBF16(bits) : decodeF16(bits);
  }
  void set(int64_t row, int64_t col, float value) {
    uint8_t *address =
        bytes.data() + (row * rowStride + col) * getFloatTypeBytes(type);
    if (type == FloatType::F32) {
      std::memcpy(address, &value, 4);
      return;
    }
    uint16_t bits =
        type == FloatType::BF16 ? encodeBF16(value) : encodeF16(value);
    std::memcpy(address, &bits, 2);
  }
};

inline TestMatrix makeMatrix(FloatType type, int64_t rows, int64_t cols,
                             int64_t gap = 0) {
  TestMatrix matrix{{}, type, rows, cols, cols + gap};
  matrix.bytes.resize(
      size_t(rows * matrix.rowStride * getFloatTypeBytes(type)));
  return matrix;
}

inline TestMatrix makeMatrix(FloatType type, int64_t rows, int64_t cols,
                             int64_t gap, Content content, uint64_t seed,
                             float magnitude = 1.0f) {
  TestMatrix matrix = makeMatrix(type, rows, cols, gap);
  Random random(seed);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t col = 0; col < cols; ++col)
      matrix.set(row, col, makeValue(random, content, magnitude));
  return matrix;
}

inline TestMatrix makeMatrix(const std::vector<std::vector<float>> &rows) {
  TestMatrix matrix = makeMatrix(FloatType::F32, int64_t(rows.size()),
                                 int64_t(rows.front().size()));
  for (size_t row = 0; row < rows.size(); ++row)
    for (size_t col = 0; col < rows[row].size(); ++col)
      matrix.set(int64_t(row), int64_t(col), rows[row][col]);
  return matrix;
}

/// A quantized matrix with its memory, filled with a pattern first, so that
/// bytes that are not written, or written beyond the end, show.
struct TestQuantized {
  StorageLayout layout;
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  int64_t codePitch, scalePitch;

  QuantizedRef ref(int64_t firstRow = 0) {
    return {codes.data() + firstRow * codePitch, codePitch,
            scales.data() + firstRow / layout.format.blockRows * scalePitch,
            scalePitch};
  }
  ConstQuantizedRef constRef() const {
    return {codes.data(), codePitch, scales.data(), scalePitch};
  }
  uint8_t getCode(int64_t row, int64_t col) const {
    return uint8_t(codes[row * codePitch + col / 2] >> (col % 2 * 4) & 0xF);
  }
  uint8_t getScale(int64_t row, int64_t col) const {
    return scales[row / layout.format.blockRows * scalePitch +
                  col / layout.format.blockCols];
  }
  bool operator==(const TestQuantized &other) const {
    return codes == other.codes && scales == other.scales;
  }
};

inline TestQuantized makeQuantized(const BlockFormat &format, int64_t rows,
                                   int64_t cols, int64_t padding = 0) {
  constexpr int64_t kGuardBytes = 64;
  TestQuantized result;
  result.layout = getStorageLayout(format, BlockLayout::Linear, rows, cols);
  result.codePitch = result.layout.codePitch + padding;
  result.scalePitch = result.layout.scaleCols + padding;
  result.codes.assign(rows * result.codePitch + kGuardBytes, 0xA5);
  result.scales.assign(
      result.layout.scaleRows * result.scalePitch + kGuardBytes, 0xA5);
  return result;
}

/// The global scales that `options` asks for, from the matrix itself.
inline std::vector<float> makeGlobalScales(const QuantizeOptions &options,
                                           const TestMatrix &matrix) {
  std::vector<float> rows(size_t(matrix.rows) + 1);
  AmaxResult all = computeAmaxReference(matrix.ref(), rows.data());
  rows.pop_back();
  if (options.granularity != GlobalScaleGranularity::Row)
    rows.assign(1, all.amax);
  for (float &value : rows)
    value = globalScaleFromAmax(value, options.convention,
                                options.format.scaleBound);
  return rows;
}

/// Calls `body` once for each instruction set that the machine has.
template <typename Body> void forEachInstructionSet(Body body) {
  int64_t all = hwy::SupportedTargets();
  for (int64_t rest = all; rest != 0; rest &= rest - 1) {
    int64_t target = rest & -rest;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    body(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_SUPPORT_TESTMATRICES_H
