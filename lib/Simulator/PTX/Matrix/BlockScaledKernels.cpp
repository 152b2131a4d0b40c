//===- BlockScaledKernels.cpp - Products of packed e2m1 -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// multiplyBlockScaledExact and multiplyBlockScaledFused. Codes become the
// integers 2 * value in 16 bits, and a quarter of K one 32-bit dot product: an
// integer P4 = 4 * P with |P4| <= 4608. The rest is done per output in double.
//
// Exact: with ue4m3 scales all four scaled sums are multiples of 2^-20 below
// 2^32: double arithmetic is exact. With ue8m0 it is while the exponents of the
// four differ by 36 at most, and otherwise WideSum takes over.
//
// Fused: a term scaled by 2^(35 - E) is below 2^50, so integers in double hold
// it and the sum of all five.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "BlockScaledKernels.cpp"
#include <hwy/foreach_target.h>

#include "Vectors-inl.h"
#include "WideSum.h"

#include "nvfp4/Support/Codecs.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

namespace {

constexpr int kGroups = 4;
constexpr int kMaxBlockScaledWords = 128 / 8;
/// Of the fused rule.
constexpr int kFractionBits = 35;
/// The exponent of a zero scale and of a zero C.
constexpr int kZeroExponent = -126;
constexpr int kRowsAtOnce = 4;
/// Exponents of the groups may differ by this much: 13 bits of P4, 2 of the sum
/// and 36 make 51.
constexpr int kMaxExactSpread = 36;

/// Codes as pairs of 16-bit integers: word w gives four pairs of each line.
struct DecodedCodes {
  alignas(64) uint32_t pairs[kMaxBlockScaledWords * 4][kPanelLines];
};

/// Scales of the eight lines of a panel, per group.
struct DecodedScales {
  alignas(64) double values[kGroups][kPanelLines];
  alignas(32) int32_t exponents[kGroups][kPanelLines];
  /// Over the groups, for ue8m0.
  alignas(32) int32_t spread[kPanelLines];
};

} // namespace

/// Twice the value of the codes in the low four bits of signed bytes.
HWY_INLINE Vec<int8_t, 32> decodeNibbles(Vec<int8_t, 32> codes) {
  using Bytes = Vec<int8_t, 32>;
  // 0 1 2 3, then steps of two from 4 on and of four from 6 on.
  Bytes magnitude = codes & 7;
  Bytes value = magnitude +
                __builtin_elementwise_max(Bytes(magnitude - 4), Bytes{}) +
                2 * __builtin_elementwise_max(Bytes(magnitude - 6), Bytes{});
  Bytes negative = Bytes((codes & 8) != 0);
  return (value ^ negative) - negative;
}

/// Of eight words, one per line. Which codes meet in a pair does not matter, as
/// long as A and B agree.
static void decodeCodes(const uint32_t *words, int numWords,
                        DecodedCodes &decoded) {
  for (int w = 0; w < numWords; ++w) {
    V8u word = loadVector<V8u>(words + w * kPanelLines);
    using Bytes = Vec<int8_t, 32>;
    Bytes halves[2] = {castBits<Bytes>(V8u(word & 0x0F0F0F0F)),
                       castBits<Bytes>(V8u(word >> 4 & 0x0F0F0F0F))};
    for (int i = 0; i < 2; ++i) {
      V16s values = castBits<V16s>(decodeNibbles(halves[i]));
      V16s even = (values << 8) >> 8, odd = values >> 8;
      storeVector(even, decoded.pairs[4 * w + 2 * i]);
      storeVector(odd, decoded.pairs[4 * w + 2 * i + 1]);
    }
  }
}

/// Scale codes of one group of eight lines, as values and exponents. The top
/// bit of a ue4m3 byte is ignored.
HWY_INLINE void decodeGroupScales(ScaleType type, V8u code, V8d &value,
                                  V8i &exponent) {
  const double nan = NAN;
  if (type == ScaleType::UE8M0) {
    exponent = V8i(code) - kUE8M0Bias;
    value = exp2(__builtin_convertvector(exponent, V8l));
    V8l isNaN = __builtin_convertvector(V8i(code == kUE8M0NaN), V8l);
    value = select(isNaN, V8d{} + nan, value);
    return;
  }
  code &= 0x7F;
  V8f magnitude = castBits<V8f>(code << 20) * 0x1p120f;
  V8l isNaN = __builtin_convertvector(V8i(code == kE4M3NaN), V8l);
  value = select(isNaN, V8d{} + nan, __builtin_convertvector(magnitude, V8d));
  exponent = __builtin_elementwise_max(
      V8i(castBits<V8u>(magnitude) >> 23) - 127, V8i{} + (1 - 7));
  exponent = select(V8i(code == 0), V8i{} + kZeroExponent, exponent);
}

static void decodeScales(ScaleType type, const uint32_t *words,
                         DecodedScales &scales) {
  V8u word = loadVector<V8u>(words);
  V8i largest = V8i{} - 1024, smallest = V8i{} + 1024;
  for (int group = 0; group < kGroups; ++group) {
    V8d value;
    V8i exponent;
    decodeGroupScales(type, word >> 8 * group & 0xFF, value, exponent);
    storeVector(value, scales.values[group]);
    storeVector(exponent, scales.exponents[group]);
    largest = __builtin_elementwise_max(largest, exponent);
    smallest = __builtin_elementwise_min(smallest, exponent);
  }
  storeVector(type == ScaleType::UE8M0 ? largest - smallest : V8i{},
              scales.spread);
}

namespace {
/// A panel of A or B.
struct DecodedSide {
  DecodedCodes codes;
  DecodedScales scales;
};
/// A decoded product of two panels.
struct Decoded {
  const DecodedSide &a, &b;
};
} // namespace

/// Dot products of rows `row`…: one per group, as 4 * P.
HWY_INLINE void sumGroups(const Decoded &decoded, int row, int pairsPerGroup,
                          V8i (&sums)[kRowsAtOnce][kGroups]) {
  for (int group = 0; group < kGroups; ++group) {
    V8i partial[kRowsAtOnce] = {};
    for (int i = 0; i < pairsPerGroup; ++i) {
      const int pair = group * pairsPerGroup + i;
      V16s b = loadVector<V16s>(decoded.b.codes.pairs[pair]);
      for (int r = 0; r < kRowsAtOnce; ++r) {
        V8u a = V8u{} + decoded.a.codes.pairs[pair][row + r];
        partial[r] += multiplyPairs(castBits<V16s>(a), b);
      }
    }
    for (int r = 0; r < kRowsAtOnce; ++r)
      sums[r][group] = partial[r];
  }
}

/// P of a group, scaled: a double without rounding.
HWY_INLINE V8d scaleGroup(const Decoded &decoded, int row, int group, V8i sum) {
  V8d scale = loadVector<V8d>(decoded.b.scales.values[group]) *
              (0.25 * decoded.a.scales.values[group][row]);
  return __builtin_convertvector(sum, V8d) * scale;
}

/// The lanes of a row whose groups lie too far apart for double, summed wide.
static void repairRow(const V8d (&terms)[kGroups], V8l isInexact, V8f c,
                      V8d &sum) {
  for (int col = 0; col < kPanelLines; ++col) {
    if (!isInexact[col] || !std::isfinite(sum[col]))
      continue;
    WideSum wide;
    for (const V8d &term : terms)
      wide.add(term[col]);
    wide.add(c[col]);
    sum[col] = wide.roundToOdd();
  }
}

HWY_INLINE V8u finishExact(const Decoded &decoded, int row,
                           const V8i (&groups)[kGroups], V8f c) {
  V8d terms[kGroups], sum = {};
  for (int group = 0; group < kGroups; ++group) {
    terms[group] = scaleGroup(decoded, row, group, groups[group]);
    sum += terms[group];
  }
  sum = addToOdd(sum, __builtin_convertvector(c, V8d));
  V8i spread =
      loadVector<V8i>(decoded.b.scales.spread) + decoded.a.scales.spread[row];
  V8i isWide = spread > kMaxExactSpread;
  if (HWY_UNLIKELY(isAnySet(isWide)))
    repairRow(terms, __builtin_convertvector(isWide, V8l), c, sum);
  return roundToNearest(sum, /*toF16=*/false);
}

HWY_INLINE V8u finishFused(const Decoded &decoded, int row,
                           const V8i (&groups)[kGroups], V8f c) {
  V8i magnitude = castBits<V8i>(c) & 0x7FFFFFFF;
  V8i largest = __builtin_elementwise_max(V8i(magnitude >> 23) - 127,
                                          V8i{} + kZeroExponent);
  for (int group = 0; group < kGroups; ++group)
    largest = __builtin_elementwise_max(
        largest, V8i(loadVector<V8i>(decoded.b.scales.exponents[group]) +
                     decoded.a.scales.exponents[group][row]));
  V8l shift = kFractionBits - __builtin_convertvector(largest, V8l);
  V8d unit = exp2(shift);
  // A sum of zeros is +0, whatever their signs.
  V8d sum = V8d{} +
            __builtin_elementwise_trunc(__builtin_convertvector(c, V8d) * unit);
  for (int group = 0; group < kGroups; ++group)
    sum += __builtin_elementwise_trunc(
        scaleGroup(decoded, row, group, groups[group]) * unit);
  V8u bits = roundFusedSum(sum * exp2(-shift));
  V8l isFinite = __builtin_elementwise_abs(sum) < HUGE_VAL;
  V8u isNaN = __builtin_convertvector(V8l(sum != sum), V8u);
  bits = select(isNaN, V8u{} + kCanonicalNaN32, bits);
  // An infinite C stays; the published model says nothing about it.
  return select(V8u(__builtin_convertvector(isFinite, V8u) | isNaN), bits,
                castBits<V8u>(c));
}

static void decodeSide(const BlockScaledProduct &product, const uint32_t *codes,
                       const uint32_t *scales, DecodedSide &side) {
  decodeCodes(codes, product.k / 8, side.codes);
  decodeScales(product.scaleType, scales, side.scales);
}

/// The product of two panels: `c` and `d` are its eight rows.
template <bool kFused>
HWY_INLINE void multiplyPanels(const Decoded &decoded, int words,
                               const uint32_t *c, uint32_t *d) {
  for (int first = 0; first < kPanelLines; first += kRowsAtOnce) {
    V8i sums[kRowsAtOnce][kGroups];
    // Four pairs per word; a quarter of the words makes a group.
    sumGroups(decoded, first, words, sums);
    for (int r = 0; r < kRowsAtOnce; ++r) {
      const int row = first + r;
      V8f values = loadVector<V8f>(c + row * kPanelLines);
      V8u bits = kFused ? finishFused(decoded, row, sums[r], values)
                        : finishExact(decoded, row, sums[r], values);
      storeVector(bits, d + row * kPanelLines);
    }
  }
}

template <bool kFused>
HWY_INLINE void multiplyBlockScaled(const BlockScaledProduct &product) {
  const int words = product.k / 8, panelWords = words * kPanelLines;
  DecodedSide a[kMaxRowPanels], b;
  for (int panel = 0; panel < product.rowPanels; ++panel)
    decodeSide(product, product.a + panel * panelWords,
               product.scaleA + panel * kPanelLines, a[panel]);
  for (int col = 0; col < product.colPanels; ++col) {
    decodeSide(product, product.b + col * panelWords,
               product.scaleB + col * kPanelLines, b);
    for (int panel = 0; panel < product.rowPanels; ++panel) {
      const int offset =
          (col * product.rowPanels + panel) * kPanelLines * kPanelLines;
      multiplyPanels<kFused>({a[panel], b}, words, product.c + offset,
                             product.d + offset);
    }
  }
}

static void multiplyBlockScaledExactImpl(const BlockScaledProduct &product) {
  multiplyBlockScaled<false>(product);
}

static void multiplyBlockScaledFusedImpl(const BlockScaledProduct &product) {
  multiplyBlockScaled<true>(product);
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(multiplyBlockScaledExactImpl);
HWY_EXPORT(multiplyBlockScaledFusedImpl);

void multiplyBlockScaledExact(const BlockScaledProduct &product) {
  HWY_DYNAMIC_DISPATCH(multiplyBlockScaledExactImpl)(product);
}

void multiplyBlockScaledFused(const BlockScaledProduct &product) {
  HWY_DYNAMIC_DISPATCH(multiplyBlockScaledFusedImpl)(product);
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
