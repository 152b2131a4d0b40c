//===- Float16Test.cpp - f16 and bf16 against tables and exact numbers ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16: every finite value is an integer of units 2^-24, so sums and products
// are exact 128-bit integers of 2^-48, and rounding is a search in the table of
// all values. bf16: exact numbers (Exact.h).
//
//===----------------------------------------------------------------------===//

#include "Float16.h"
#include "Exact.h"

#include <gtest/gtest.h>

using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;

namespace {

using Fixed = __int128;

/// The value of a small float, from its fields.
double decodeFields(uint32_t code, int exponentBits, int mantissaBits) {
  int bias = (1 << (exponentBits - 1)) - 1;
  int field = int(code >> mantissaBits) & ((1 << exponentBits) - 1);
  double mantissa = double(code & ((1u << mantissaBits) - 1));
  double value = field == 0 ? std::ldexp(mantissa, 1 - bias - mantissaBits)
                            : std::ldexp(mantissa + double(1u << mantissaBits),
                                         field - bias - mantissaBits);
  return code >> (exponentBits + mantissaBits) & 1 ? -value : value;
}

bool isFiniteF16(uint16_t bits) { return (bits & 0x7C00) != 0x7C00; }

/// A finite f16 in units of 2^-24, and 2^16 for 0x7C00.
int64_t unitsOf(uint16_t bits) {
  return int64_t(decodeFields(bits, 5, 10) * 0x1p24);
}

/// All magnitudes in units of 2^-48, 0x7C00 included as 2^16.
const std::vector<Fixed> &tableF16() {
  static const std::vector<Fixed> table = [] {
    std::vector<Fixed> result;
    for (unsigned code = 0; code <= 0x7C00; ++code)
      result.push_back(Fixed(unitsOf(uint16_t(code))) << 24);
    return result;
  }();
  return table;
}

/// To nearest: the closer neighbour in the table, the even code in a tie. With
/// `ftz`: 0 below 2^-14 * (1 - 2^-12), from where 11 bits round up to 2^-14.
uint16_t roundFixed(Fixed value, bool negative, bool ftz) {
  Fixed magnitude = value < 0 ? -value : value;
  uint16_t sign = negative ? 0x8000 : 0;
  if (ftz && magnitude < ((Fixed(1) << 34) - (Fixed(1) << 22)))
    return sign;
  const std::vector<Fixed> &table = tableF16();
  if (magnitude >= table.back())
    return sign | 0x7C00;
  size_t above = size_t(
      std::upper_bound(table.begin(), table.end(), magnitude) - table.begin());
  Fixed below = magnitude - table[above - 1], gap = table[above] - magnitude;
  bool up = gap < below || (gap == below && above % 2 == 0);
  return uint16_t(sign | (up ? above : above - 1));
}

uint16_t flushed(uint16_t bits) {
  return (bits & 0x7C00) == 0 ? bits & 0x8000 : bits;
}

/// a * b + c for finite operands. The sign of an exact zero: + unless both
/// terms are negative.
uint16_t fixedFma(uint16_t a, uint16_t b, uint16_t c, bool ftz) {
  if (ftz)
    a = flushed(a), b = flushed(b), c = flushed(c);
  Fixed product = Fixed(unitsOf(a)) * unitsOf(b);
  Fixed sum = product + (Fixed(unitsOf(c)) << 24);
  bool negative = sum != 0 ? sum < 0 : ((a ^ b) & c) >> 15;
  return roundFixed(sum, negative, ftz);
}

/// As fixedFma without c, whose zero would change the sign of a zero.
uint16_t fixedMul(uint16_t a, uint16_t b, bool ftz) {
  if (ftz)
    a = flushed(a), b = flushed(b);
  Fixed product = Fixed(unitsOf(a)) * unitsOf(b);
  return roundFixed(product, (a ^ b) >> 15, ftz);
}

constexpr uint16_t kOne = 0x3C00;

uint16_t saturated(uint16_t bits) {
  if ((bits & 0x8000) || (bits & 0x7FFF) > 0x7C00)
    return 0;
  return std::min(bits, kOne);
}

template <bool Ftz> void checkF16(uint16_t a, uint16_t b, uint16_t c) {
  uint16_t sum = fixedFma(a, kOne, b, Ftz);
  uint16_t fma = fixedFma(a, b, c, Ftz);
  ASSERT_EQ((addF16<Ftz>(a, b)), sum) << std::hex << a << " " << b;
  ASSERT_EQ((subF16<Ftz>(a, b ^ 0x8000)), sum) << std::hex << a << " " << b;
  ASSERT_EQ((mulF16<Ftz>(a, b)), fixedMul(a, b, Ftz))
      << std::hex << a << " " << b;
  ASSERT_EQ((fmaF16<Ftz>(a, b, c)), fma)
      << std::hex << a << " " << b << " " << c;
  ASSERT_EQ((fmaF16<Ftz, true>(a, b, c)), saturated(fma));
  ASSERT_EQ((fmaF16<Ftz, false, true>(a, b, c)), fma & 0x8000 ? 0 : fma);
}

std::vector<uint16_t> edges16() {
  std::vector<uint16_t> result;
  for (unsigned magnitude :
       {0x0000, 0x0001, 0x0002, 0x03FF, 0x0400, 0x0401, 0x07FF, 0x1400,
        0x1000, 0x3BFF, 0x3C00, 0x3C01, 0x3555, 0x4000, 0x7BFF, 0x7800,
        0x7C00, 0x7C01, 0x7E00, 0x7FFF, 0x007F, 0x0080, 0x0081, 0x3F80,
        0x3F7F, 0x7F7F, 0x7F80, 0x7F81, 0x7F00, 0x1F80, 0x2000, 0x5F00})
    for (unsigned sign : {0x0000, 0x8000})
      result.push_back(uint16_t(magnitude | sign));
  return result;
}

} // namespace

TEST(Float16, WidenAll) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t bits = uint16_t(i);
    if (isFiniteF16(bits))
      ASSERT_EQ(toBits(widenF16(bits)), toBits(float(decodeFields(i, 5, 10))));
    if ((bits & 0x7F80) != 0x7F80)
      ASSERT_EQ(toBits(widenBF16(bits)), toBits(float(decodeFields(i, 8, 7))));
  }
  EXPECT_EQ(widenF16(0x7C00), HUGE_VALF);
  EXPECT_EQ(widenF16(0xFC00), -HUGE_VALF);
  EXPECT_TRUE(std::isnan(widenF16(0x7C01)));
  EXPECT_TRUE(std::isnan(widenF16(0xFFFF)));
}

/// Around every value and every midpoint of the format.
TEST(Float16, NarrowAroundEveryMidpoint) {
  for (uint32_t i = 0; i < 0x7C00; ++i) {
    float low = widenF16(uint16_t(i));
    float high = i + 1 == 0x7C00 ? 65536.0f : widenF16(uint16_t(i + 1));
    float middle = (low + high) / 2;
    for (float value : {low, middle, std::nextafterf(middle, 0),
                        std::nextafterf(middle, HUGE_VALF)}) {
      uint16_t up = value > middle || (value == middle && (i & 1));
      ASSERT_EQ(narrowF16(value), i + up) << std::hexfloat << value;
      ASSERT_EQ(narrowF16(-value), 0x8000 | (i + up)) << std::hexfloat << value;
    }
  }
  for (uint32_t i = 0; i < 0x7F80; ++i) {
    uint32_t bits = i << 16;
    for (uint32_t offset : {0u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      uint32_t up = offset > 0x8000 || (offset == 0x8000 && (i & 1));
      ASSERT_EQ(narrowBF16(toF32(bits + offset)), i + up);
      ASSERT_EQ(narrowBF16(toF32(bits + offset + kSignF32)), 0x8000 | (i + up));
    }
  }
  EXPECT_EQ(narrowF16(HUGE_VALF), 0x7C00);
  EXPECT_EQ(narrowF16(toF32(0xFF800001u)), 0x7FFF);
  EXPECT_EQ(narrowBF16(toF32(0xFF800001u)), 0x7FFF);
}

TEST(Float16, ArithmeticOfAllAgainstSome) {
  Inputs inputs(11);
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t a = uint16_t(i);
    if (!isFiniteF16(a))
      continue;
    for (int j = 0; j < 24; ++j) {
      uint16_t b = uint16_t(inputs.bits()), c = uint16_t(inputs.bits());
      if (j % 3 == 1) // exponents that meet
        b = uint16_t((b & 0x83FF) | 0x3800 | (b & 0x0400));
      if (j % 3 == 2) // c nearly cancels the product
        c = uint16_t((mulF16(a, b) ^ 0x8000) + int(inputs.bits() % 5) - 2);
      if (!isFiniteF16(b) || !isFiniteF16(c))
        continue;
      checkF16<false>(a, b, c);
      checkF16<true>(a, b, c);
      if (HasFatalFailure())
        return;
    }
  }
}

TEST(Float16, FmaWithTiesAndUnderflow) {
  Inputs inputs(12);
  for (int i = 0; i < 1000000; ++i) {
    // Few mantissa bits and small exponents.
    auto draw = [&] {
      uint32_t bits = uint32_t(inputs.bits());
      uint32_t keep = 0x3FFu << (inputs.bits() % 11) & 0x3FF;
      return uint16_t((bits & 0x8000) | (bits >> 16 & 0x1C00) | (bits & keep));
    };
    uint16_t a = draw(), b = draw() | 0x2000, c = draw();
    checkF16<false>(a, b, c);
    checkF16<true>(a, b, c);
    if (HasFatalFailure())
      return;
  }
}

TEST(Float16, InfinitiesAndNaN) {
  for (uint16_t a : edges16())
    for (uint16_t b : edges16())
      for (uint16_t c : {0x0000, 0x8000, 0x3C00, 0x7C00, 0xFC00, 0x7E01}) {
        double product = double(widenF16(a)) * widenF16(b);
        double sum = product + widenF16(c);
        if (std::isfinite(product) && isFiniteF16(uint16_t(c)))
          continue;
        uint16_t expected = std::isnan(sum) ? 0x7FFF
                            : sum < 0       ? 0xFC00
                                            : 0x7C00;
        EXPECT_EQ(fmaF16(a, b, c), expected);
        EXPECT_EQ((fmaF16<false, true>(a, b, c)),
                  expected == 0x7C00 ? kOne : 0);
      }
}

namespace {

uint16_t roundBF16(const Exact &value) {
  return uint16_t(toBits(float(roundToDouble(value, kBF16, Rounding::RN))) >>
                  16);
}

uint16_t exactFmaBF16(uint16_t a, uint16_t b, uint16_t c) {
  float x = widenBF16(a), y = widenBF16(b), z = widenBF16(c);
  if (!std::isfinite(x) || !std::isfinite(y) || !std::isfinite(z)) {
    float result = std::fma(x, y, z);
    return std::isnan(result) ? 0x7FFF : uint16_t(toBits(result) >> 16);
  }
  return roundBF16(addExact(exactOf(x) * exactOf(y), exactOf(z), Rounding::RN));
}

uint16_t exactMulBF16(uint16_t a, uint16_t b) {
  float x = widenBF16(a), y = widenBF16(b);
  if (!std::isfinite(x) || !std::isfinite(y)) {
    float result = x * y;
    return std::isnan(result) ? 0x7FFF : uint16_t(toBits(result) >> 16);
  }
  return roundBF16(exactOf(x) * exactOf(y));
}

void checkBF16(uint16_t a, uint16_t b, uint16_t c) {
  uint16_t sum = exactFmaBF16(a, 0x3F80, b), fma = exactFmaBF16(a, b, c);
  ASSERT_EQ(addBF16(a, b), sum) << std::hex << a << " " << b;
  ASSERT_EQ(subBF16(a, b ^ 0x8000), sum) << std::hex << a << " " << b;
  ASSERT_EQ(mulBF16(a, b), exactMulBF16(a, b)) << std::hex << a << " " << b;
  ASSERT_EQ(fmaBF16(a, b, c), fma) << std::hex << a << " " << b << " " << c;
  ASSERT_EQ(fmaBF16<true>(a, b, c), fma & 0x8000 ? 0 : fma);
}

} // namespace

TEST(BFloat16, ArithmeticOfAllAgainstSome) {
  Inputs inputs(13);
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t a = uint16_t(i), b = uint16_t(inputs.bits());
    uint16_t c = uint16_t(inputs.bits());
    checkBF16(a, b, c);
    // A product where f32 and bf16 are subnormal, c close to it.
    int want = int(inputs.bits() % 24) - 5;
    int field = want + 127 - int(a >> 7 & 0xFF);
    b = uint16_t((b & 0x807F) | (std::min(std::max(field, 0), 254) << 7));
    c = uint16_t(inputs.bits() % 4 ? (mulBF16(a, b) ^ 0x8000) + (c & 1)
                                   : c & 0x80FF);
    checkBF16(a, b, c);
    if (HasFatalFailure())
      return;
  }
}

TEST(BFloat16, ArithmeticOfEdges) {
  for (uint16_t a : edges16())
    for (uint16_t b : edges16())
      for (uint16_t c : edges16()) {
        checkBF16(a, b, c);
        if (HasFatalFailure())
          return;
      }
}

TEST(Float16, OutOfBounds) {
  for (uint16_t marker : {0x7FF7, 0xFFF7}) {
    EXPECT_EQ(fmaOobF16(marker, 0x3C00, 0x4000), 0);
    EXPECT_EQ(fmaOobBF16(0x3F80, marker, 0x4000), 0);
    EXPECT_EQ(fmaOobF16(0x3C00, 0x3C00, marker), 0x7FFF);
  }
  EXPECT_EQ(fmaOobF16(0x7FF6, 0x3C00, 0x4000), 0x7FFF);
  EXPECT_EQ(fmaOobF16<true>(0x3C00, 0xBC00, 0), 0);
  EXPECT_EQ(fmaOobF16(0x3C00, 0xBC00, 0), 0xBC00);
}

namespace {

/// min and max in f32, whose own test is in Float32Test.cpp.
template <bool NaN, bool Xor> void checkSelect(uint16_t a, uint16_t b) {
  auto f16 = [](float value) { return narrowF16(value); };
  float x = widenF16(a), y = widenF16(b);
  ASSERT_EQ((minF16<NaN, false, Xor>(a, b)),
            f16(minF32<NaN, false, Xor>(x, y)));
  ASSERT_EQ((maxF16<NaN, false, Xor>(a, b)),
            f16(maxF32<NaN, false, Xor>(x, y)));
  float fx = widenF16(flushed(a)), fy = widenF16(flushed(b));
  ASSERT_EQ((minF16<NaN, true, Xor>(a, b)),
            f16(minF32<NaN, false, Xor>(fx, fy)));
  ASSERT_EQ((maxF16<NaN, true, Xor>(a, b)),
            f16(maxF32<NaN, false, Xor>(fx, fy)));
  x = widenBF16(a), y = widenBF16(b);
  ASSERT_EQ((minBF16<NaN, Xor>(a, b)),
            narrowBF16(minF32<NaN, false, Xor>(x, y)));
  ASSERT_EQ((maxBF16<NaN, Xor>(a, b)),
            narrowBF16(maxF32<NaN, false, Xor>(x, y)));
}

} // namespace

TEST(Float16, MinMaxCompareAndSigns) {
  std::vector<uint16_t> edges = edges16();
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t a = uint16_t(i);
    bool nan = isNaNBits16(a, kInfinityF16),
         nanB = isNaNBits16(a, kInfinityBF16);
    ASSERT_EQ(absF16(a), nan ? 0x7FFF : a & 0x7FFF);
    ASSERT_EQ(negF16(a), nan ? 0x7FFF : a ^ 0x8000);
    ASSERT_EQ(absBF16(a), nanB ? 0x7FFF : a & 0x7FFF);
    ASSERT_EQ(negBF16(a), nanB ? 0x7FFF : a ^ 0x8000);
    for (uint16_t b : edges) {
      checkSelect<false, false>(a, b);
      checkSelect<true, false>(a, b);
      checkSelect<false, true>(a, b);
      if (HasFatalFailure())
        return;
      ASSERT_EQ(compareF16<Compare::LT>(a, b), widenF16(a) < widenF16(b));
      ASSERT_EQ(compareBF16<Compare::GEU>(a, b),
                !(widenBF16(a) < widenBF16(b)));
      ASSERT_EQ((compareF16<Compare::EQ, true>(a, b)),
                widenF16(flushed(a)) == widenF16(flushed(b)));
    }
  }
}
