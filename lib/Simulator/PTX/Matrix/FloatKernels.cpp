//===- FloatKernels.cpp - Products of floating-point elements -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// multiplyExact and multiplyFused, eight columns at a time in double.
//
// Exact: a product of two elements is exact in double, and so is every partial
// sum while no bit lies 2^53 below the largest possible sum. That is checked
// per row and column from the largest and smallest magnitudes; what fails is
// summed again in pairs of doubles, and if these are not exact either, in fixed
// point (WideSum). C joins with one addition that is
// rounded to odd, so that the final rounding is the only one.
//
// Fused: terms are scaled by 2^(fractionBits - E) and cut to integers; below
// 2^53 their sums are exact. Where no product can leave the range of f32, it is
// exact there, too, and the integers have 32 bits: twice as many at once.
//
// Infinities and NaNs take part as zeros and are put in place afterwards.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "FloatKernels.cpp"
#include <hwy/foreach_target.h>

#include "Vectors-inl.h"
#include "WideSum.h"

#include "nvfp4/Support/Codecs.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

namespace {

/// Rows whose sums are in registers together.
constexpr int kRowsAtOnce = 4;
/// Stands for the exponent of zero: below that of any term, and two of them
/// still fit 16 bits.
constexpr int16_t kZeroExponent = -8192;
/// Where the largest exponent is cut off, so that 2^-E is a double. Terms with
/// smaller exponents do not exist.
constexpr int64_t kLowestExponent = -700;
/// Elements of a narrow panel that are not zero have exponents within this: a
/// product, and 2^-E if E is that of a product, are normal in f32.
constexpr int16_t kNarrowExponent = 50;

/// A panel as numbers, with K outermost.
struct DecodedPanel {
  alignas(64) double values[kMaxFloatK][kPanelLines];
  /// Of fused sums: the same as f32.
  alignas(32) float narrowValues[kMaxFloatK][kPanelLines];
  alignas(16) int16_t exponents[kMaxFloatK][kPanelLines];
  bool isNarrow;
  /// Of each line: no element is larger than the first, none but zeros smaller
  /// than the second.
  alignas(64) double largest[kPanelLines];
  alignas(64) double smallest[kPanelLines];
  bool hasSpecials;
};

/// What to decode.
struct PanelSource {
  const FloatFormat &format;
  const uint32_t *words;
  const uint8_t *scales; ///< Of the eight lines, or null.
  int k;
  int pairWidth; ///< FusedRule::pairWidth
};

} // namespace

/// Where element `k` goes: with two steps, the elements of the first come
/// first.
HWY_INLINE int getPosition(const PanelSource &source, int k) {
  const int width = source.pairWidth;
  if (!width)
    return k;
  return k / (2 * width) * width + k % width + k / width % 2 * (source.k / 2);
}

/// The magnitudes of `containers` as f32 bits, specials as zero.
HWY_INLINE V8u decodeMagnitudes(const FloatFormat &format, V8u containers,
                                V8u &specials) {
  const uint32_t mask = (1u << (format.signBit - format.lowBit)) - 1;
  V8u code = containers >> format.lowBit & mask;
  // The fields of an f32 with another bias; subnormals come out right, too.
  V8f value = castBits<V8f>(code << (23 - format.mantissaBits)) *
              floatOfBits(uint32_t(254 - format.bias) << 23);
  V8u isSpecial = V8u(code > format.maxFinite);
  specials |= isSpecial;
  return castBits<V8u>(value) & ~isSpecial;
}

/// Exponents of f32 magnitudes that came from a type with `minExponent`.
HWY_INLINE V8i getExponents(V8u magnitude, int minExponent) {
  V8i exponent = V8i(magnitude >> 23) - 127;
  exponent = __builtin_elementwise_max(exponent, V8i{} + minExponent);
  return select(V8i(magnitude == 0), V8i{} + kZeroExponent, exponent);
}

template <bool kFused>
static void decodePanel(const PanelSource &source, DecodedPanel &panel) {
  const FloatFormat &format = source.format;
  const int perWord = 32 / format.containerBits;
  // Two steps take elements that have become f16.
  const int minExponent = source.pairWidth
                              ? getFloatFormat(ElementType::F16).minExponent()
                              : format.minExponent();
  V8d factor = V8d{} + 1;
  V8i scaleExponent = {};
  V8u specials = {};
  if (source.scales) {
    V8u code = __builtin_convertvector(
        (loadVector<Vec<uint8_t, 8>>(source.scales)), V8u);
    specials |= V8u(code == kUE8M0NaN);
    scaleExponent = V8i(code) - kUE8M0Bias;
    factor = exp2(__builtin_convertvector(scaleExponent, V8l));
  }
  V8d largest = {}, smallest = V8d{} + HUGE_VAL;
  V8s isWide = {};
  for (int k = 0; k < source.k; ++k) {
    V8u word = loadVector<V8u>(source.words + k / perWord * kPanelLines);
    word = word >> (k % perWord * format.containerBits);
    V8u magnitude = decodeMagnitudes(format, word, specials);
    V8u sign = (word >> format.signBit) << 31;
    V8d value =
        factor * __builtin_convertvector(castBits<V8f>(magnitude | sign), V8d);
    const int position = getPosition(source, k);
    storeVector(value, panel.values[position]);
    if constexpr (kFused) {
      V8i exponent = getExponents(magnitude, minExponent);
      V8s stored = __builtin_convertvector(exponent + scaleExponent, V8s);
      storeVector(stored, panel.exponents[position]);
      storeVector(__builtin_convertvector(value, V8f),
                  panel.narrowValues[position]);
      isWide |=
          V8s(stored > kNarrowExponent) |
          (V8s(stored < -kNarrowExponent) & V8s(stored > kZeroExponent / 2));
    } else {
      V8d size = __builtin_elementwise_abs(value);
      largest = __builtin_elementwise_max(largest, size);
      smallest = __builtin_elementwise_min(
          smallest, select(V8l(size == 0), smallest, size));
    }
  }
  if constexpr (!kFused) {
    storeVector(largest, panel.largest);
    storeVector(smallest, panel.smallest);
  }
  panel.isNarrow = !isAnySet(isWide);
  panel.hasSpecials = isAnySet(specials);
}

static PanelSource getSourceA(const FloatProduct &product, int panel,
                              int pairWidth) {
  const FloatFormat &format = getFloatFormat(product.typeA);
  const int words = product.k * format.containerBits / 32;
  const uint8_t *scales =
      product.scaleA ? product.scaleA + panel * kPanelLines : nullptr;
  return {format, product.a + panel * words * kPanelLines, scales, product.k,
          pairWidth};
}

static PanelSource getSourceB(const FloatProduct &product, int panel,
                              int pairWidth) {
  const FloatFormat &format = getFloatFormat(product.typeB);
  const int words = product.k * format.containerBits / 32;
  return {format, product.b + panel * words * kPanelLines, product.scaleB,
          product.k, pairWidth};
}

/// Where the elements of C and D begin for a panel of A and one of B.
static int getOffsetC(const FloatProduct &product, int panel, int colPanel) {
  return (colPanel * product.rowPanels + panel) * kPanelLines * kPanelLines;
}

//===----------------------------------------------------------------------===//
// Infinities and NaNs
//===----------------------------------------------------------------------===//

namespace {
/// The sum of the terms that are infinite or NaN; 0 if there are none.
struct SpecialSum {
  double value = 0;
  void add(double term) {
    if (!std::isfinite(term))
      value += term;
  }
};
} // namespace

/// One element of a panel, from its words.
static float getElement(const PanelSource &source, int line, int k) {
  const int perWord = 32 / source.format.containerBits;
  const uint32_t word = source.words[k / perWord * kPanelLines + line];
  return decodeElement(source.format,
                       word >> k % perWord * source.format.containerBits);
}

/// Replaces the results that infinities or NaNs reach.
static void placeSpecials(const FloatProduct &product, int panel,
                          int colPanel) {
  const PanelSource a = getSourceA(product, panel, 0);
  const PanelSource b = getSourceB(product, colPanel, 0);
  const int offset = getOffsetC(product, panel, colPanel);
  for (int line = 0; line < kPanelLines; ++line)
    for (int col = 0; col < kPanelLines; ++col) {
      const int row = panel * kPanelLines + line;
      const int place = offset + line * kPanelLines + col;
      const uint64_t present = product.present ? product.present[row] : ~0ull;
      SpecialSum sum;
      sum.add(floatOfBits(product.c[place]));
      if ((a.scales && a.scales[line] == kUE8M0NaN) ||
          (b.scales && b.scales[col] == kUE8M0NaN))
        sum.add(NAN);
      for (int k = 0; k < product.k; ++k)
        if (present >> k & 1)
          sum.add(double(getElement(a, line, k)) * getElement(b, col, k));
      if (sum.value == 0)
        continue;
      const bool isNaN = std::isnan(sum.value);
      const bool isNegative = sum.value < 0;
      product.d[place] = product.toF16 ? (isNaN        ? kCanonicalNaN16
                                          : isNegative ? 0xFC00u
                                                       : 0x7C00u)
                                       : (isNaN        ? kCanonicalNaN32
                                          : isNegative ? 0xFF800000u
                                                       : 0x7F800000u);
    }
}

//===----------------------------------------------------------------------===//
// Exact sums
//===----------------------------------------------------------------------===//

/// sums[r][n] = sum over k of a[k][row + r] * b[k][n].
HWY_INLINE void sumProducts(const DecodedPanel &a, int row,
                            const DecodedPanel &b, int numK,
                            V8d (&sums)[kRowsAtOnce]) {
  for (V8d &sum : sums)
    sum = V8d{};
  for (int k = 0; k < numK; ++k) {
    V8d line = loadVector<V8d>(b.values[k]);
    for (int r = 0; r < kRowsAtOnce; ++r)
      sums[r] += a.values[k][row + r] * line;
  }
}

/// The sum of products of a row and a column, plus `c`, to odd.
static double sumWide(const DecodedPanel &a, int line, const DecodedPanel &b,
                      int col, int numK, double c) {
  WideSum sum;
  for (int k = 0; k < numK; ++k)
    sum.add(a.values[k][line] * b.values[k][col]);
  sum.add(c);
  return sum.roundToOdd();
}

/// Sums a row in pairs of doubles, C included, to odd. Returns the lanes where
/// even a pair is not exact.
HWY_INLINE V8l sumPairs(const DecodedPanel &a, int line, const DecodedPanel &b,
                        int numK, V8d c, V8d &sum) {
  V8d high = {}, low = {};
  V8l isInexact = {};
  for (int k = 0; k < numK; ++k) {
    V8d error =
        addWithError(high, a.values[k][line] * loadVector<V8d>(b.values[k]));
    isInexact |= addWithError(low, error) != 0;
  }
  isInexact |= addWithError(low, addWithError(high, c)) != 0;
  sum = addToOdd(high, low);
  return isInexact;
}

/// Replaces the lanes of `sums`, C included, whose columns are not exact.
static void repairRow(const DecodedPanel &a, int line, const DecodedPanel &b,
                      int numK, V8l isInexact, V8d c, V8d &sums) {
  // An infinite or NaN C is the sum already.
  isInexact &= __builtin_elementwise_abs(c) < HUGE_VAL;
  V8d better;
  V8l isWide = sumPairs(a, line, b, numK, c, better);
  sums = select(isInexact, better, sums);
  isWide &= isInexact;
  if (HWY_LIKELY(!isAnySet(isWide)))
    return;
  for (int col = 0; col < kPanelLines; ++col)
    if (isWide[col])
      sums[col] = sumWide(a, line, b, col, numK, c[col]);
}

/// One panel of A and one of B.
static void multiplyPanelsExact(const FloatProduct &product,
                                const DecodedPanel &a, const DecodedPanel &b,
                                int offset) {
  // A product is a multiple of 2^-precisionBits of its own size.
  const int precisionBits = getFloatFormat(product.typeA).precision() +
                            getFloatFormat(product.typeB).precision();
  const double tolerance = std::ldexp(1.0 / product.k, 53 - precisionBits);
  const V8d smallestSum = loadVector<V8d>(b.smallest) * tolerance;
  const V8d largestB = loadVector<V8d>(b.largest);
  for (int first = 0; first < kPanelLines; first += kRowsAtOnce) {
    V8d sums[kRowsAtOnce];
    sumProducts(a, first, b, product.k, sums);
    for (int r = 0; r < kRowsAtOnce; ++r) {
      const int line = first + r;
      const int place = offset + line * kPanelLines;
      V8d c = __builtin_convertvector(loadVector<V8f>(product.c + place), V8d);
      V8d sum = addToOdd(sums[r], c);
      V8l isInexact =
          a.largest[line] * largestB > a.smallest[line] * smallestSum;
      if (HWY_UNLIKELY(isAnySet(isInexact)))
        repairRow(a, line, b, product.k, isInexact, c, sum);
      storeVector(roundToNearest(sum, product.toF16), product.d + place);
    }
  }
}

static void multiplyExactImpl(const FloatProduct &product) {
  DecodedPanel a[kMaxRowPanels], b;
  for (int panel = 0; panel < product.rowPanels; ++panel)
    decodePanel<false>(getSourceA(product, panel, 0), a[panel]);
  for (int col = 0; col < product.colPanels; ++col) {
    decodePanel<false>(getSourceB(product, col, 0), b);
    for (int panel = 0; panel < product.rowPanels; ++panel) {
      multiplyPanelsExact(product, a[panel], b,
                          getOffsetC(product, panel, col));
      if (HWY_UNLIKELY(a[panel].hasSpecials || b.hasSpecials))
        placeSpecials(product, panel, col);
    }
  }
}

//===----------------------------------------------------------------------===//
// Fused sums
//===----------------------------------------------------------------------===//

/// f32 values of f16 bits that are not NaN.
HWY_INLINE V8f widenF16(V8u bits) {
  V8u infinities = {};
  V8u magnitude =
      decodeMagnitudes(getFloatFormat(ElementType::F16), bits, infinities);
  return castBits<V8f>(magnitude | (infinities & 0x7F800000) |
                       (bits >> 15) << 31);
}

/// Of four rows: E of a step from `firstK` on.
HWY_INLINE void findLargest(const DecodedPanel &a, int row,
                            const DecodedPanel &b, int firstK, int endK,
                            int minExponentC, const V8f (&c)[kRowsAtOnce],
                            V8l (&largest)[kRowsAtOnce]) {
  V8s exponents[kRowsAtOnce];
  for (int r = 0; r < kRowsAtOnce; ++r)
    exponents[r] = __builtin_convertvector(
        getExponents(castBits<V8u>(c[r]) & 0x7FFFFFFF, minExponentC), V8s);
  for (int k = firstK; k < endK; ++k) {
    V8s line = loadVector<V8s>(b.exponents[k]);
    for (int r = 0; r < kRowsAtOnce; ++r)
      exponents[r] = __builtin_elementwise_max(
          exponents[r], V8s(line + a.exponents[k][row + r]));
  }
  for (int r = 0; r < kRowsAtOnce; ++r)
    largest[r] = __builtin_elementwise_max(
        __builtin_convertvector(exponents[r], V8l), V8l{} + kLowestExponent);
}

/// Adds the cut products of a step to `sums`.
HWY_INLINE void addProducts(const DecodedPanel &a, int row,
                            const DecodedPanel &b, int firstK, int endK,
                            const V8d (&scales)[kRowsAtOnce],
                            V8d (&sums)[kRowsAtOnce]) {
  for (int k = firstK; k < endK; ++k) {
    V8d line = loadVector<V8d>(b.values[k]);
    for (int r = 0; r < kRowsAtOnce; ++r)
      sums[r] +=
          __builtin_elementwise_trunc(a.values[k][row + r] * line * scales[r]);
  }
}

/// The same for narrow panels. A product is below 2^(fractionBits + 2), so half
/// of a step's 16 fit 32 bits with 25 fractional bits.
HWY_INLINE void addNarrowProducts(const DecodedPanel &a, int row,
                                  const DecodedPanel &b, int firstK, int endK,
                                  int fractionBits,
                                  const V8l (&largest)[kRowsAtOnce],
                                  V8d (&sums)[kRowsAtOnce]) {
  constexpr int kProductsAtOnce = 8;
  V8f scales[kRowsAtOnce];
  for (int r = 0; r < kRowsAtOnce; ++r) {
    // Where E is too small for this, there are only zeros.
    V8l exponent =
        __builtin_elementwise_min(fractionBits - largest[r], V8l{} + 126);
    scales[r] =
        castBits<V8f>((__builtin_convertvector(exponent, V8i) + 127) << 23);
  }
  for (int first = firstK; first < endK; first += kProductsAtOnce) {
    V8i parts[kRowsAtOnce] = {};
    for (int k = first; k < std::min(first + kProductsAtOnce, endK); ++k) {
      V8f line = loadVector<V8f>(b.narrowValues[k]);
      for (int r = 0; r < kRowsAtOnce; ++r)
        parts[r] += __builtin_convertvector(
            a.narrowValues[k][row + r] * line * scales[r], V8i);
    }
    for (int r = 0; r < kRowsAtOnce; ++r)
      sums[r] += __builtin_convertvector(parts[r], V8d);
  }
}

/// One step of four rows from `firstK` on: the exact sums of the cut terms.
HWY_INLINE void sumFused(const DecodedPanel &a, int row, const DecodedPanel &b,
                         int firstK, const FusedRule &rule, int minExponentC,
                         const V8f (&c)[kRowsAtOnce],
                         V8d (&sums)[kRowsAtOnce]) {
  const int endK = firstK + rule.productsPerStep;
  V8l largest[kRowsAtOnce];
  findLargest(a, row, b, firstK, endK, minExponentC, c, largest);
  V8d scales[kRowsAtOnce];
  for (int r = 0; r < kRowsAtOnce; ++r) {
    scales[r] = exp2(rule.fractionBits - largest[r]);
    // A sum of zeros is +0, whatever their signs.
    sums[r] = V8d{} + __builtin_elementwise_trunc(
                          __builtin_convertvector(c[r], V8d) * scales[r]);
  }
  if (HWY_LIKELY(a.isNarrow && b.isNarrow && rule.fractionBits <= 25))
    addNarrowProducts(a, row, b, firstK, endK, rule.fractionBits, largest,
                      sums);
  else
    addProducts(a, row, b, firstK, endK, scales, sums);
  for (int r = 0; r < kRowsAtOnce; ++r)
    sums[r] *= exp2(largest[r] - rule.fractionBits);
}

/// The accumulator's bits of one step's sums.
HWY_INLINE V8u roundStep(V8d sum, bool toF16, uint32_t keptBits) {
  if (!toF16)
    return roundFusedSum(sum) & keptBits;
  V8u bits = roundToF16(roundFloatToOdd(sum));
  return select(V8u(bits == 0x8000), V8u{}, bits);
}

/// Four rows of the product; `c` and `results` are [4][8].
static void multiplyRowsFused(const FloatProduct &product,
                              const FusedRule &rule, const DecodedPanel &a,
                              int row, const DecodedPanel &b, const uint32_t *c,
                              uint32_t *results) {
  const bool toF16 = product.toF16;
  const uint32_t keptBits = ~0u << (24 - rule.resultBits);
  const int minExponentC =
      toF16 ? getFloatFormat(ElementType::F16).minExponent() : -126;
  V8f running[kRowsAtOnce];
  V8u overflow[kRowsAtOnce] = {};
  V8d sums[kRowsAtOnce];
  for (int r = 0; r < kRowsAtOnce; ++r)
    running[r] = rule.pairWidth ? V8f{} : loadVector<V8f>(c + r * kPanelLines);
  for (int k = 0; k < product.k; k += rule.productsPerStep) {
    sumFused(a, row, b, k, rule, minExponentC, running, sums);
    for (int r = 0; r < kRowsAtOnce; ++r) {
      // What overflows in one step is infinite in the next.
      V8u bits = select(V8u(overflow[r] != 0), overflow[r],
                        roundStep(sums[r], toF16, keptBits));
      overflow[r] = bits & V8u((toF16 ? (bits & 0x7FFF) == 0x7C00
                                      : (bits & 0x7FFFFFFF) == 0x7F800000));
      running[r] = toF16 ? widenF16(bits) : castBits<V8f>(bits);
      storeVector(bits, results + r * kPanelLines);
    }
  }
  if (!rule.pairWidth)
    return;
  for (int r = 0; r < kRowsAtOnce; ++r) {
    V8f addend = loadVector<V8f>(c + r * kPanelLines);
    V8d sum = addToOdd(__builtin_convertvector(running[r], V8d),
                       __builtin_convertvector(addend, V8d));
    storeVector(roundToNearest(sum, toF16), results + r * kPanelLines);
  }
}

/// Whether a C of the panel is infinite or NaN.
static bool hasSpecialC(const uint32_t *c) {
  V8u any = {};
  for (int line = 0; line < kPanelLines; ++line)
    any |= V8u((loadVector<V8u>(c + line * kPanelLines) & 0x7FFFFFFF) >=
               0x7F800000);
  return isAnySet(any);
}

static void multiplyFusedImpl(const FloatProduct &product,
                              const FusedRule &rule) {
  DecodedPanel a[kMaxRowPanels], b;
  for (int panel = 0; panel < product.rowPanels; ++panel)
    decodePanel<true>(getSourceA(product, panel, rule.pairWidth), a[panel]);
  for (int col = 0; col < product.colPanels; ++col) {
    decodePanel<true>(getSourceB(product, col, rule.pairWidth), b);
    for (int panel = 0; panel < product.rowPanels; ++panel) {
      const int offset = getOffsetC(product, panel, col);
      for (int first = 0; first < kPanelLines; first += kRowsAtOnce)
        multiplyRowsFused(product, rule, a[panel], first, b,
                          product.c + offset + first * kPanelLines,
                          product.d + offset + first * kPanelLines);
      if (HWY_UNLIKELY(a[panel].hasSpecials || b.hasSpecials ||
                       hasSpecialC(product.c + offset)))
        placeSpecials(product, panel, col);
    }
  }
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(multiplyExactImpl);
HWY_EXPORT(multiplyFusedImpl);

void multiplyExact(const FloatProduct &product) {
  HWY_DYNAMIC_DISPATCH(multiplyExactImpl)(product);
}

void multiplyFused(const FloatProduct &product, const FusedRule &rule) {
  HWY_DYNAMIC_DISPATCH(multiplyFusedImpl)(product, rule);
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
