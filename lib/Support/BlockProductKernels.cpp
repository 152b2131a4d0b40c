//===- BlockProductKernels.cpp - Few rows times a block-scaled matrix -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lane i of a vector takes byte i of the codes, which holds elements 2i and
// 2i + 1; x is reordered once to match:
//
//   codes   c0 c1 | c2 c3 | …        one byte per lane
//   x       x0 x2 x4 …, x1 x3 x5 …   two vectors per group of 2 * lanes
//
// Per group: two decoded vectors times their scales, then two multiply-adds per
// row. Two rows of weights at a time keep the units busy and share the loads of
// x.
//
//===----------------------------------------------------------------------===//

// The accumulators are an array, which vectors of unknown width do not permit.
#define HWY_DISABLED_TARGETS                                                   \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "BlockProductKernels.cpp"
#include <hwy/foreach_target.h>

#include "Kernels-inl.h"

#include "nvfp4/Support/BlockProduct.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <hwy/cache_control.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// One lane, which Highway falls back to for a few compilers.
static void prepareImpl(const float *source, int64_t depth, float *target) {
  std::copy(source, source + depth, target);
}
static void multiplyImpl(const BlockFormat &format,
                         const ConstQuantizedRef &weights, int64_t columns,
                         int64_t depth, const float *x, int64_t rows, float *y,
                         int64_t yStride) {
  multiplyBlockRowsReference(format, weights, columns, depth, x,
                             getPreparedLength(depth), rows, y, yStride);
}

static void decodePanelImpl(const BlockFormat &format,
                            const ConstQuantizedRef &weights, int64_t rows,
                            int64_t depth, float *panel, int64_t panelColumns) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < depth; ++k) {
      uint8_t byte = weights.codes[row * weights.codePitch + k / 2];
      uint8_t scale =
          weights.scales[row * weights.scalePitch + k / format.blockCols];
      panel[k * panelColumns + row] =
          decodeE2M1(uint8_t(byte >> (k % 2 * 4) & 15)) *
          decodeScale(format.scaleEncoding, scale);
    }
}

#else

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

static void prepareImpl(const float *source, int64_t depth, float *target) {
  const DF d;
  const int64_t lanes = hn::Lanes(d), group = 2 * lanes;
  alignas(64) float rest[2 * HWY_MAX_BYTES / sizeof(float)];
  const int64_t length = getPreparedLength(depth);
  for (int64_t k = 0; k < length; k += group) {
    const float *part = source + k;
    if (k + group > depth) {
      std::fill(rest, rest + group, 0.0f);
      if (k < depth)
        std::copy(part, source + depth, rest);
      part = rest;
    }
    VF low = hn::LoadU(d, part), high = hn::LoadU(d, part + lanes);
    hn::Store(hn::ConcatEven(d, high, low), d, target + k);
    hn::Store(hn::ConcatOdd(d, high, low), d, target + k + lanes);
  }
}

/// e2m1 from the low 4 bits of each lane.
HWY_INLINE VF decodeLowNibble(VI code) {
  const DF d;
  const DI di;
  alignas(64) static constexpr float kValues[16] = {
      0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
      -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
  if constexpr (hn::MaxLanes(DF()) == 16) {
    auto index = hn::IndicesFromVec(d, hn::And(code, hn::Set(di, 15)));
    return hn::TableLookupLanes(hn::Load(d, kValues), index);
  } else if constexpr (hn::MaxLanes(DF()) == 8) {
    auto index = hn::IndicesFromVec(d, hn::And(code, hn::Set(di, 7)));
    VF magnitude = hn::TableLookupLanes(hn::Load(d, kValues), index);
    VI sign = hn::ShiftLeft<28>(hn::And(code, hn::Set(di, 8)));
    return floatOf(hn::Or(bitsOf(magnitude), sign));
  } else {
    return decodeE2M1(code);
  }
}

/// The scales of `count` neighbouring blocks, one per lane.
HWY_INLINE VF loadScales(ScaleEncoding encoding, const uint8_t *bytes,
                         int64_t count) {
  const int64_t lanes = hn::Lanes(DF());
  alignas(64) uint8_t padded[16] = {};
  if (HWY_UNLIKELY(count < lanes)) {
    std::copy(bytes, bytes + count, padded);
    bytes = padded;
  }
  return decodeScaleOf(encoding, hn::PromoteTo(DI(), hn::LoadU(DU8(), bytes)));
}

/// Which of the scales that were loaded the lanes of a group need: the first
/// group those of `getFirstIndices`. A group of 32 elements has two blocks of
/// 16; others have one.
template <int64_t kBlockColumns> HWY_INLINE VI getFirstIndices() {
  const DI d;
  if constexpr (kBlockColumns == 16 && hn::MaxLanes(DF()) == 16)
    return hn::ShiftRight<3>(hn::Iota(d, 0));
  return hn::Zero(d);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Asks for what follows the next `count` blocks of row `row` in memory: the
/// units that do so by themselves stop at the end of a page, which may be that
/// of a row.
HWY_INLINE void prefetchBatch(const ConstQuantizedRef &weights, int64_t row,
                              int64_t block, int64_t blockColumns,
                              int64_t count) {
  constexpr int64_t kLine = 64, kCodesAhead = 8192, kScalesAhead = 1024;
  const uint8_t *codes = weights.codes + row * weights.codePitch +
                         block * blockColumns / 2 + kCodesAhead;
  for (int64_t i = 0; i < count * blockColumns / 2; i += kLine)
    hwy::Prefetch(codes + i);
  hwy::Prefetch(weights.scales + row * weights.scalePitch + block +
                kScalesAhead);
}

/// kColumns rows of weights times kRows rows of x.
template <int64_t kBlockColumns, int kRows, int kColumns>
static HWY_NOINLINE void
multiplyGroup(ScaleEncoding encoding, const ConstQuantizedRef &weights,
              int64_t depth, const float *HWY_RESTRICT x, float *HWY_RESTRICT y,
              int64_t yStride) {
  const DF d;
  const int64_t lanes = hn::Lanes(d), group = 2 * lanes;
  const int64_t xStride = getPreparedLength(depth);
  const int64_t blocks = ceilDiv(depth, kBlockColumns);
  VF sums[kRows][kColumns];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
      sums[r][c] = hn::Zero(d);
  VF scales[kColumns];
  const VI firstIndices = getFirstIndices<kBlockColumns>();

  const auto add = [&](const uint8_t *const *codes, int64_t k,
                       int64_t column) HWY_ATTR __attribute__((always_inline)) {
    const auto indices = hn::IndicesFromVec(
        d,
        hn::Add(firstIndices, hn::Set(DI(), int32_t(column / kBlockColumns))));
    VF even[kColumns], odd[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      VI bytes = hn::PromoteTo(DI(), hn::LoadU(DU8(), codes[c]));
      VF scale = hn::TableLookupLanes(scales[c], indices);
      even[c] = hn::Mul(decodeLowNibble(bytes), scale);
      odd[c] = hn::Mul(decodeLowNibble(hn::ShiftRight<4>(bytes)), scale);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const VF x0 = hn::Load(d, x + r * xStride + k);
      const VF x1 = hn::Load(d, x + r * xStride + k + lanes);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        sums[r][c] = hn::MulAdd(even[c], x0, sums[r][c]);
        sums[r][c] = hn::MulAdd(odd[c], x1, sums[r][c]);
      }
    }
  };

  for (int64_t block = 0; block < blocks; block += lanes) {
    int64_t count = std::min(lanes, blocks - block);
    for (int c = 0; c < kColumns; ++c)
      prefetchBatch(weights, c, block, kBlockColumns, lanes);
    for (int c = 0; c < kColumns; ++c)
      scales[c] = loadScales(
          encoding, weights.scales + c * weights.scalePitch + block, count);
    const int64_t first = block * kBlockColumns;
    const int64_t length = std::min(count * kBlockColumns, depth - first);
    const uint8_t *codes[kColumns];
    int64_t column = 0;
    for (; column + group <= length; column += group) {
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c)
        codes[c] = weights.codes + c * weights.codePitch + (first + column) / 2;
      add(codes, first + column, column);
    }
    // The rest of the last batch: its codes may end with the memory.
    if (column < length) {
      alignas(64) uint8_t rest[kColumns][16] = {};
      for (int c = 0; c < kColumns; ++c) {
        const uint8_t *source =
            weights.codes + c * weights.codePitch + (first + column) / 2;
        std::copy(source, source + ceilDiv(length - column, 2), rest[c]);
        codes[c] = rest[c];
      }
      add(codes, first + column, column);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kColumns; ++c)
      y[r * yStride + c] = hn::GetLane(hn::SumOfLanes(d, sums[r][c]));
}

/// All columns, two at a time; a last one by itself.
template <int64_t kBlockColumns, int kRows>
static void multiplyRows(const BlockFormat &format,
                         const ConstQuantizedRef &weights, int64_t columns,
                         int64_t depth, const float *x, float *y,
                         int64_t yStride) {
  auto from = [&](int64_t column) {
    return ConstQuantizedRef{
        weights.codes + column * weights.codePitch, weights.codePitch,
        weights.scales + column * weights.scalePitch, weights.scalePitch};
  };
  int64_t column = 0;
  for (; column + 2 <= columns; column += 2)
    multiplyGroup<kBlockColumns, kRows, 2>(format.scaleEncoding, from(column),
                                           depth, x, y + column, yStride);
  if (column == columns)
    return;
  // Twice the same row of weights: the same bits as with a neighbour.
  ConstQuantizedRef last = from(column);
  last.codePitch = last.scalePitch = 0;
  float pair[kRows * 2];
  multiplyGroup<kBlockColumns, kRows, 2>(format.scaleEncoding, last, depth, x,
                                         pair, 2);
  for (int r = 0; r < kRows; ++r)
    y[r * yStride + column] = pair[2 * r];
}

template <int64_t kBlockColumns>
static void multiplyBlocks(const BlockFormat &format,
                           const ConstQuantizedRef &weights, int64_t columns,
                           int64_t depth, const float *x, int64_t rows,
                           float *y, int64_t yStride) {
  const int64_t xStride = getPreparedLength(depth);
  const auto call = [&](auto function, int64_t count) {
    function(format, weights, columns, depth, x, y, yStride);
    x += count * xStride;
    y += count * yStride;
    rows -= count;
  };
  while (rows >= 8)
    call(multiplyRows<kBlockColumns, 8>, 8);
  if (rows >= 4)
    call(multiplyRows<kBlockColumns, 4>, 4);
  if (rows >= 2)
    call(multiplyRows<kBlockColumns, 2>, 2);
  if (rows >= 1)
    call(multiplyRows<kBlockColumns, 1>, 1);
}

static void multiplyImpl(const BlockFormat &format,
                         const ConstQuantizedRef &weights, int64_t columns,
                         int64_t depth, const float *x, int64_t rows, float *y,
                         int64_t yStride) {
  switch (format.blockCols) {
  case 16:
    return multiplyBlocks<16>(format, weights, columns, depth, x, rows, y,
                              yStride);
  case 32:
    return multiplyBlocks<32>(format, weights, columns, depth, x, rows, y,
                              yStride);
  default:
    // verifyQuantizeOptions admits no other.
    return multiplyBlocks<64>(format, weights, columns, depth, x, rows, y,
                              yStride);
  }
}

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

/// Rows and bytes of a square of bytes.
constexpr int64_t kSquare = 16;

/// Up to 16 bytes at `offset` of each of 16 rows, transposed:
/// target[byte][row]. Rows from `rows` on repeat the last one; bytes from
/// `count` on are 0.
static void transposeBytes(const uint8_t *source, int64_t pitch, int64_t rows,
                           int64_t count, uint8_t *target) {
  const hn::FixedTag<uint8_t, kSquare> d;
  hn::Vec<decltype(d)> a[kSquare], b[kSquare];
  for (int64_t i = 0; i < kSquare; ++i) {
    const uint8_t *row = source + std::min(i, rows - 1) * pitch;
    if (HWY_LIKELY(count >= kSquare)) {
      a[i] = hn::LoadU(d, row);
      continue;
    }
    alignas(16) uint8_t padded[kSquare] = {};
    std::copy(row, row + count, padded);
    a[i] = hn::Load(d, padded);
  }
  // Four perfect shuffles of all bytes.
  const auto shuffle = [](const auto &from, auto &to) HWY_ATTR {
    for (int64_t i = 0; i < kSquare / 2; ++i) {
      to[2 * i] = hn::InterleaveLower(from[i], from[i + kSquare / 2]);
      to[2 * i + 1] = hn::InterleaveUpper(hn::FixedTag<uint8_t, kSquare>(),
                                          from[i], from[i + kSquare / 2]);
    }
  };
  shuffle(a, b);
  shuffle(b, a);
  shuffle(a, b);
  shuffle(b, a);
  for (int64_t i = 0; i < kSquare; ++i)
    hn::Store(a[i], d, target + i * kSquare);
}

/// 16 columns of a panel, or all if there are fewer.
static void decodeColumns(const BlockFormat &format,
                          const ConstQuantizedRef &weights, int64_t rows,
                          int64_t depth, float *panel, int64_t panelColumns) {
  const DF d;
  const int64_t lanes = hn::Lanes(d);
  const int64_t width = std::min(kSquare, panelColumns);
  const int64_t blocks = ceilDiv(depth, format.blockCols);
  alignas(64) uint8_t scaleBytes[kSquare * kSquare];
  alignas(64) uint8_t codes[kSquare * kSquare];
  alignas(64) float scales[kSquare];
  for (int64_t k = 0; k < depth; k += 2 * kSquare) {
    // Blocks begin with a group, since both are multiples of 16 columns.
    int64_t block = k / format.blockCols;
    if (k % (kSquare * format.blockCols) == 0)
      transposeBytes(weights.scales + block, weights.scalePitch, rows,
                     std::min(kSquare, blocks - block), scaleBytes);
    int64_t length = std::min(2 * kSquare, depth - k);
    transposeBytes(weights.codes + k / 2, weights.codePitch, rows,
                   ceilDiv(length, 2), codes);
    for (int64_t i = 0; i < length; i += 2) {
      if ((k + i) % format.blockCols == 0) {
        const uint8_t *bytes =
            scaleBytes + (k + i) / format.blockCols % kSquare * kSquare;
        for (int64_t v = 0; v < width; v += lanes)
          hn::Store(
              decodeScaleOf(format.scaleEncoding,
                            hn::PromoteTo(DI(), hn::Load(DU8(), bytes + v))),
              d, scales + v);
      }
      float *target = panel + (k + i) * panelColumns;
      for (int64_t v = 0; v < width; v += lanes) {
        VI byte =
            hn::PromoteTo(DI(), hn::Load(DU8(), codes + i / 2 * kSquare + v));
        VF scale = hn::Load(d, scales + v);
        hn::StoreU(hn::Mul(decodeLowNibble(byte), scale), d, target + v);
        hn::StoreU(hn::Mul(decodeLowNibble(hn::ShiftRight<4>(byte)), scale), d,
                   target + panelColumns + v);
      }
    }
  }
}

static void decodePanelImpl(const BlockFormat &format,
                            const ConstQuantizedRef &weights, int64_t rows,
                            int64_t depth, float *panel, int64_t panelColumns) {
  for (int64_t row = 0; row < rows; row += kSquare) {
    ConstQuantizedRef part = {
        weights.codes + row * weights.codePitch, weights.codePitch,
        weights.scales + row * weights.scalePitch, weights.scalePitch};
    decodeColumns(format, part, std::min(kSquare, rows - row), depth,
                  panel + row, panelColumns);
  }
}

#endif // HWY_SCALAR

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4 {

HWY_EXPORT(prepareImpl);
HWY_EXPORT(multiplyImpl);
HWY_EXPORT(decodePanelImpl);

int64_t getPreparedLength(int64_t depth) {
  // Groups of every vector width that Kernels-inl.h uses.
  constexpr int64_t kLargestGroup = 32;
  return roundUpTo(depth, kLargestGroup);
}

void prepareBlockProductRow(const float *source, int64_t depth, float *target) {
  HWY_DYNAMIC_DISPATCH(prepareImpl)(source, depth, target);
}

void multiplyBlockRows(const BlockFormat &format,
                       const ConstQuantizedRef &weights, int64_t columns,
                       int64_t depth, const float *x, int64_t rows, float *y,
                       int64_t yStride) {
  HWY_DYNAMIC_DISPATCH(multiplyImpl)
  (format, weights, columns, depth, x, rows, y, yStride);
}

void decodePanel(const BlockFormat &format, const ConstQuantizedRef &weights,
                 int64_t rows, int64_t depth, float *panel,
                 int64_t panelColumns) {
  HWY_DYNAMIC_DISPATCH(decodePanelImpl)
  (format, weights, rows, depth, panel, panelColumns);
}

void multiplyBlockRowsReference(const BlockFormat &format,
                                const ConstQuantizedRef &weights,
                                int64_t columns, int64_t depth, const float *x,
                                int64_t xStride, int64_t rows, float *y,
                                int64_t yStride) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      float sum = 0.0f;
      for (int64_t k = 0; k < depth; ++k) {
        uint8_t byte = weights.codes[column * weights.codePitch + k / 2];
        float scale = decodeScale(
            format.scaleEncoding,
            weights.scales[column * weights.scalePitch + k / format.blockCols]);
        sum += decodeE2M1(uint8_t(byte >> (k % 2 * 4) & 15)) * scale *
               x[row * xStride + k];
      }
      y[row * yStride + column] = sum;
    }
}

} // namespace nvfp4

#endif // HWY_ONCE
