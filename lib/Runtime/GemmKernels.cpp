//===- GemmKernels.cpp - The inner loops of dense products ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of C, two vectors wide and as high as registers permit, stays in
// registers while a panel of B streams from the first cache. Compiled once per
// instruction set.
//
//===----------------------------------------------------------------------===//

// The accumulators are an array, which vectors of unknown width do not permit.
#define HWY_DISABLED_TARGETS                                                   \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "GemmKernels.cpp"
#include <hwy/foreach_target.h>

#include "GemmKernels.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
using DU = hn::RebindToUnsigned<DF>;
using DU16 = hn::Rebind<uint16_t, DF>;

/// With 32 registers 24 accumulators, with 16 registers 12; both hide the
/// latency of the multiply-add units and leave room for two vectors of B.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif
/// Rows whose addresses are multiples of one stride from one pointer.
constexpr int kRowsPerPointer = 3;

static int64_t getLanes() { return int64_t(hn::Lanes(DF())); }
static int64_t getPanelColumnsImpl() { return 2 * getLanes(); }
static int64_t getTileRowsImpl() { return kTileRows; }

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

static VF loadBF16(const uint16_t *source) {
  auto bits = hn::PromoteTo(DU(), hn::LoadU(DU16(), source));
  return hn::BitCast(DF(), hn::ShiftLeft<16>(bits));
}

static float loadScalar(FloatType type, const uint8_t *source) {
  uint16_t bits;
  switch (type) {
  case FloatType::F32: {
    float value;
    std::memcpy(&value, source, sizeof(value));
    return value;
  }
  case FloatType::BF16:
    std::memcpy(&bits, source, sizeof(bits));
    return decodeBF16(bits);
  case FloatType::F16:
    std::memcpy(&bits, source, sizeof(bits));
    return decodeF16(bits);
  }
  __builtin_unreachable();
}

/// One row of neighbours.
static void copyRow(FloatType type, const uint8_t *source, int64_t count,
                    float *target) {
  if (type == FloatType::F32) {
    std::memcpy(target, source, size_t(count) * sizeof(float));
    return;
  }
  int64_t i = 0;
  if (type == FloatType::BF16)
    for (; i + getLanes() <= count; i += getLanes())
      hn::StoreU(loadBF16(reinterpret_cast<const uint16_t *>(source) + i), DF(),
                 target + i);
  for (; i < count; ++i)
    target[i] = loadScalar(type, source + 2 * i);
}

#if HWY_TARGET != HWY_SCALAR
/// Four neighbours of each of Lanes() rows: lane 4 * b + i of part `part` is
/// element i of row 4 * b + part.
HWY_INLINE VF loadQuarter(const float *source, int64_t stride, int part) {
  const hn::FixedTag<float, 4> d4;
  const auto load = [&](int block) HWY_ATTR {
    return hn::LoadU(d4, source + (4 * block + part) * stride);
  };
#if HWY_MAX_BYTES >= 64 && HWY_TARGET <= HWY_AVX3
  const hn::FixedTag<float, 8> d8;
  return hn::Combine(DF(), hn::Combine(d8, load(3), load(2)),
                     hn::Combine(d8, load(1), load(0)));
#elif HWY_TARGET == HWY_AVX2
  return hn::Combine(DF(), load(1), load(0));
#else
  return load(0);
#endif
}

/// Lanes() rows of 4 neighbours become 4 rows of Lanes() neighbours.
HWY_INLINE void transposeTile(const float *source, int64_t sourceStride,
                              float *target, int64_t targetStride) {
  const DF d;
  const hn::Repartition<uint64_t, DF> d64;
  const VF a = loadQuarter(source, sourceStride, 0);
  const VF b = loadQuarter(source, sourceStride, 1);
  const VF c = loadQuarter(source, sourceStride, 2);
  const VF e = loadQuarter(source, sourceStride, 3);
  const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
  const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
  const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
  const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
  const auto store = [&](auto value, int row) HWY_ATTR {
    hn::StoreU(hn::BitCast(d, value), d, target + row * targetStride);
  };
  store(hn::InterleaveLower(d64, ab0, ce0), 0);
  store(hn::InterleaveUpper(d64, ab0, ce0), 1);
  store(hn::InterleaveLower(d64, ab1, ce1), 2);
  store(hn::InterleaveUpper(d64, ab1, ce1), 3);
}
#endif

static void transposeF32Impl(const float *source, int64_t sourceStride,
                             int64_t rows, int64_t columns, float *target,
                             int64_t targetStride) {
  int64_t fullRows = 0, fullColumns = 0;
#if HWY_TARGET != HWY_SCALAR
  fullRows = rows / getLanes() * getLanes();
  fullColumns = columns / 4 * 4;
  for (int64_t row = 0; row < fullRows; row += getLanes())
    for (int64_t column = 0; column < fullColumns; column += 4)
      transposeTile(source + row * sourceStride + column, sourceStride,
                    target + column * targetStride + row, targetStride);
#endif
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = row < fullRows ? fullColumns : 0; column < columns;
         ++column)
      target[column * targetStride + row] = source[row * sourceStride + column];
}

/// Rows of the buffer through which elements that are no f32 are transposed.
constexpr int64_t kStripRows = 16;

static void copyToF32Impl(const StridedMatrix &source, int64_t rows,
                          int64_t columns, float *target,
                          int64_t targetStride) {
  const auto *data = static_cast<const uint8_t *>(source.data);
  int64_t bytes = getFloatTypeBytes(source.type);
  if (source.columnStride == 1 || columns == 1) {
    for (int64_t row = 0; row < rows; ++row)
      copyRow(source.type, data + row * source.rowStride * bytes, columns,
              target + row * targetStride);
    return;
  }
  if (source.rowStride != 1) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        target[row * targetStride + column] =
            loadScalar(source.type, data + (row * source.rowStride +
                                            column * source.columnStride) *
                                               bytes);
    return;
  }
  if (source.type == FloatType::F32)
    return transposeF32Impl(reinterpret_cast<const float *>(data),
                            source.columnStride, columns, rows, target,
                            targetStride);
  alignas(64) float strip[kStripRows * kMaxDepth];
  for (int64_t column = 0; column < columns; column += kStripRows)
    for (int64_t row = 0; row < rows; row += kMaxDepth) {
      int64_t count = std::min(kStripRows, columns - column);
      int64_t length = std::min(kMaxDepth, rows - row);
      for (int64_t i = 0; i < count; ++i)
        copyRow(source.type,
                data + ((column + i) * source.columnStride + row) * bytes,
                length, strip + i * kMaxDepth);
      transposeF32Impl(strip, kMaxDepth, count, length,
                       target + row * targetStride + column, targetStride);
    }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// kRows rows of A times one panel; all columns of C exist.
template <int kRows>
static HWY_NOINLINE void
multiplyTile(const float *HWY_RESTRICT a, int64_t aStride,
             const float *HWY_RESTRICT panel, int64_t depth,
             float *HWY_RESTRICT c, int64_t cStride, bool accumulate) {
  const DF d;
  const int64_t lanes = getLanes();
  VF sums[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    sums[r][0] = accumulate ? hn::LoadU(d, c + r * cStride) : hn::Zero(d);
    sums[r][1] =
        accumulate ? hn::LoadU(d, c + r * cStride + lanes) : hn::Zero(d);
  }
  constexpr int kPointers = (kRows + kRowsPerPointer - 1) / kRowsPerPointer;
  const float *rows[kPointers];
  for (int i = 0; i < kPointers; ++i)
    rows[i] = a + i * kRowsPerPointer * aStride;
  for (int64_t k = 0; k < depth; ++k) {
    const VF b0 = hn::Load(d, panel);
    const VF b1 = hn::Load(d, panel + lanes);
    panel += 2 * lanes;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const VF x = hn::Set(
          d, rows[r / kRowsPerPointer][r % kRowsPerPointer * aStride + k]);
      sums[r][0] = hn::MulAdd(x, b0, sums[r][0]);
      sums[r][1] = hn::MulAdd(x, b1, sums[r][1]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    hn::StoreU(sums[r][0], d, c + r * cStride);
    hn::StoreU(sums[r][1], d, c + r * cStride + lanes);
  }
}

/// The same for the last panel, of which C has `columns` columns.
template <int kRows>
static void multiplyEdge(const float *a, int64_t aStride, const float *panel,
                         int64_t columns, int64_t depth, float *c,
                         int64_t cStride, bool accumulate) {
  alignas(64) float tile[kRows * kMaxPanelColumns] = {};
  const int64_t stride = 2 * getLanes();
  const size_t bytes = size_t(columns) * sizeof(float);
  if (accumulate)
    for (int r = 0; r < kRows; ++r)
      std::memcpy(tile + r * stride, c + r * cStride, bytes);
  multiplyTile<kRows>(a, aStride, panel, depth, tile, stride, accumulate);
  for (int r = 0; r < kRows; ++r)
    std::memcpy(c + r * cStride, tile + r * stride, bytes);
}

/// kRows rows at a time while there are so many; returns the first that is
/// left.
template <int kRows>
static int64_t multiplyRows(int64_t row, const float *a, int64_t aStride,
                            int64_t rows, const float *panel, int64_t columns,
                            int64_t depth, float *c, int64_t cStride,
                            bool accumulate) {
  bool isFull = columns >= 2 * getLanes();
  for (; row + kRows <= rows; row += kRows) {
    if (isFull)
      multiplyTile<kRows>(a + row * aStride, aStride, panel, depth,
                          c + row * cStride, cStride, accumulate);
    else
      multiplyEdge<kRows>(a + row * aStride, aStride, panel, columns, depth,
                          c + row * cStride, cStride, accumulate);
  }
  return row;
}

static void multiplyPanelsImpl(const float *a, int64_t aStride, int64_t rows,
                               const float *panels, int64_t columns,
                               int64_t depth, float *c, int64_t cStride,
                               bool accumulate) {
  const int64_t width = 2 * getLanes();
  for (int64_t column = 0; column < columns; column += width) {
    const float *panel = panels + column * depth;
    const auto multiply = [&](auto multiplyFn, int64_t row) {
      return multiplyFn(row, a, aStride, rows, panel, columns - column, depth,
                        c + column, cStride, accumulate);
    };
    int64_t row = multiply(multiplyRows<kTileRows>, 0);
    if constexpr (kTileRows > 8)
      row = multiply(multiplyRows<8>, row);
    row = multiply(multiplyRows<4>, row);
    row = multiply(multiplyRows<2>, row);
    multiply(multiplyRows<1>, row);
  }
}

static void scaleProductImpl(float *c, int64_t cStride, int64_t rows,
                             int64_t columns, const float *left,
                             const float *right, float factor) {
  const DF d;
  for (int64_t row = 0; row < rows; ++row) {
    float *line = c + row * cStride;
    const VF common = hn::Set(d, factor), l = hn::Set(d, left[row]);
    int64_t column = 0;
    for (; column + getLanes() <= columns; column += getLanes()) {
      VF alpha = hn::Mul(hn::Mul(l, hn::LoadU(d, right + column)), common);
      hn::StoreU(hn::Mul(hn::LoadU(d, line + column), alpha), d, line + column);
    }
    for (; column < columns; ++column)
      line[column] *= (left[row] * right[column]) * factor;
  }
}

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4 {

void copyFromF32(const float *source, int64_t sourceStride, int64_t rows,
                 int64_t columns, void *data, const StridedMatrix &target) {
  auto *bytes = static_cast<uint8_t *>(data);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      float value = source[row * sourceStride + column];
      uint8_t *address =
          bytes + (row * target.rowStride + column * target.columnStride) *
                      getFloatTypeBytes(target.type);
      if (target.type == FloatType::F32) {
        std::memcpy(address, &value, sizeof(value));
        continue;
      }
      uint16_t bits =
          target.type == FloatType::BF16 ? encodeBF16(value) : encodeF16(value);
      std::memcpy(address, &bits, sizeof(bits));
    }
}

HWY_EXPORT(getPanelColumnsImpl);
HWY_EXPORT(getTileRowsImpl);
HWY_EXPORT(copyToF32Impl);
HWY_EXPORT(transposeF32Impl);
HWY_EXPORT(multiplyPanelsImpl);
HWY_EXPORT(scaleProductImpl);

int64_t getPanelColumns() {
  return HWY_DYNAMIC_DISPATCH(getPanelColumnsImpl)();
}
int64_t getTileRows() { return HWY_DYNAMIC_DISPATCH(getTileRowsImpl)(); }

void copyToF32(const StridedMatrix &source, int64_t rows, int64_t columns,
               float *target, int64_t targetStride) {
  HWY_DYNAMIC_DISPATCH(copyToF32Impl)
  (source, rows, columns, target, targetStride);
}

void transposeF32(const float *source, int64_t sourceStride, int64_t rows,
                  int64_t columns, float *target, int64_t targetStride) {
  HWY_DYNAMIC_DISPATCH(transposeF32Impl)
  (source, sourceStride, rows, columns, target, targetStride);
}

void multiplyPanels(const float *a, int64_t aStride, int64_t rows,
                    const float *panels, int64_t columns, int64_t depth,
                    float *c, int64_t cStride, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(multiplyPanelsImpl)
  (a, aStride, rows, panels, columns, depth, c, cStride, accumulate);
}

void scaleProduct(float *c, int64_t cStride, int64_t rows, int64_t columns,
                  const float *left, const float *right, float factor) {
  HWY_DYNAMIC_DISPATCH(scaleProductImpl)
  (c, cStride, rows, columns, left, right, factor);
}

} // namespace nvfp4

#endif // HWY_ONCE
