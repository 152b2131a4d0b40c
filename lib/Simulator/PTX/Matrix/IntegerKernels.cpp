//===- IntegerKernels.cpp - Products of integers, bits and doubles --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// multiplyIntegers, multiplyBits and multiplyDoubles. Integers become pairs of
// 16-bit values; products of one instruction stay below 2^24, so only the
// addition of C can leave 32 bits.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "IntegerKernels.cpp"
#include <hwy/foreach_target.h>

#include "Vectors-inl.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

namespace {

/// Words of a panel: K = 64 bytes, or 128 nibbles.
constexpr int kMaxWords = 16;

/// A panel as pairs of 16-bit integers, at most four per word.
struct DecodedIntegers {
  alignas(64) uint32_t pairs[kMaxWords * 4][kPanelLines];
};

} // namespace

/// The 16-bit values of the bytes at even positions; call with `words >> 8` for
/// those at odd positions.
HWY_INLINE V16s decodeBytes(V8u words, bool isSigned) {
  V16s halves = castBits<V16s>(words);
  return isSigned ? V16s((halves << 8) >> 8) : V16s(halves & 0xFF);
}

/// The values of every fourth nibble, from the lowest.
HWY_INLINE V16s decodeNibbles(V8u words, bool isSigned) {
  V16s halves = castBits<V16s>(words);
  return isSigned ? V16s((halves << 12) >> 12) : V16s(halves & 0xF);
}

static void decodeIntegers(ElementType type, const uint32_t *words,
                           int numWords, DecodedIntegers &decoded) {
  const bool isSigned = type == ElementType::S8 || type == ElementType::S4;
  const bool isByte = type == ElementType::S8 || type == ElementType::U8;
  auto *target = decoded.pairs;
  for (int w = 0; w < numWords; ++w) {
    V8u word = loadVector<V8u>(words + w * kPanelLines);
    for (int shift = 0; shift < 16; shift += isByte ? 8 : 4) {
      V8u shifted = word >> shift;
      storeVector(isByte ? decodeBytes(shifted, isSigned)
                         : decodeNibbles(shifted, isSigned),
                  *target++);
    }
  }
}

/// c + sum, modulo 2^32 or clamped.
HWY_INLINE V8i addAccumulator(V8i c, V8i sum, bool saturate) {
  V8i wrapped = castBits<V8i>(castBits<V8u>(c) + castBits<V8u>(sum));
  if (!saturate)
    return wrapped;
  // Overflow if both have the sign that the result has not.
  V8i overflow = ((c ^ wrapped) & (sum ^ wrapped)) < 0;
  V8i limit = (c >> 31) ^ INT32_MAX;
  return select(overflow, limit, wrapped);
}

static void multiplyIntegersImpl(const IntegerProduct &product) {
  constexpr int kRowsAtOnce = 4;
  const bool isByte =
      product.typeA == ElementType::S8 || product.typeA == ElementType::U8;
  const int words = product.k / (isByte ? 4 : 8);
  const int pairs = product.k / 2;
  DecodedIntegers a, b;
  decodeIntegers(product.typeB, product.b, words, b);
  for (int panel = 0; panel < product.rowPanels; ++panel) {
    decodeIntegers(product.typeA, product.a + panel * words * kPanelLines,
                   words, a);
    for (int first = 0; first < kPanelLines; first += kRowsAtOnce) {
      V8i sums[kRowsAtOnce] = {};
      for (int pair = 0; pair < pairs; ++pair) {
        V16s line = loadVector<V16s>(b.pairs[pair]);
        for (int r = 0; r < kRowsAtOnce; ++r) {
          V8u element = V8u{} + a.pairs[pair][first + r];
          sums[r] += multiplyPairs(castBits<V16s>(element), line);
        }
      }
      for (int r = 0; r < kRowsAtOnce; ++r) {
        const int offset = (panel * kPanelLines + first + r) * kPanelLines;
        V8i c = loadVector<V8i>(product.c + offset);
        storeVector(addAccumulator(c, sums[r], product.saturate),
                    product.d + offset);
      }
    }
  }
}

static void multiplyBitsImpl(const BitProduct &product) {
  const int words = product.k / 32;
  for (int row = 0; row < product.rowPanels * kPanelLines; ++row)
    for (int col = 0; col < kPanelLines; ++col) {
      const uint32_t *a = product.a + row / kPanelLines * words * kPanelLines +
                          row % kPanelLines;
      uint32_t count = product.c[row * kPanelLines + col];
      for (int w = 0; w < words; ++w) {
        const uint32_t x = a[w * kPanelLines];
        const uint32_t y = product.b[w * kPanelLines + col];
        count += uint32_t(__builtin_popcount(product.isAnd ? x & y : x ^ y));
      }
      product.d[row * kPanelLines + col] = count;
    }
}

static void multiplyDoublesImpl(const DoubleProduct &product) {
  for (int row = 0; row < product.rowPanels * kPanelLines; ++row) {
    const uint64_t *a = product.a +
                        row / kPanelLines * product.k * kPanelLines +
                        row % kPanelLines;
    V8d sum = loadVector<V8d>(product.c + row * kPanelLines);
    for (int k = 0; k < product.k; ++k)
      sum = __builtin_elementwise_fma(
          V8d{} + __builtin_bit_cast(double, a[k * kPanelLines]),
          loadVector<V8d>(product.b + k * kPanelLines), sum);
    storeVector(sum, product.d + row * kPanelLines);
  }
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(multiplyIntegersImpl);
HWY_EXPORT(multiplyBitsImpl);
HWY_EXPORT(multiplyDoublesImpl);

void multiplyIntegers(const IntegerProduct &product) {
  HWY_DYNAMIC_DISPATCH(multiplyIntegersImpl)(product);
}

void multiplyBits(const BitProduct &product) {
  HWY_DYNAMIC_DISPATCH(multiplyBitsImpl)(product);
}

void multiplyDoubles(const DoubleProduct &product) {
  HWY_DYNAMIC_DISPATCH(multiplyDoublesImpl)(product);
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
