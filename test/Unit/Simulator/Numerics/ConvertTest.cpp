//===- ConvertTest.cpp - cvt against exact numbers ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integers: std::floor and its likes, then a comparison with the bounds.
// Floats: exact numbers rounded by Exact.h. All 16-bit inputs, all 8-bit codes;
// edges and random values of f32 and f64.
//
//===----------------------------------------------------------------------===//

#include "Convert.h"
#include "Exact.h"

#include <gtest/gtest.h>
#include <limits>

using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;

namespace {

template <Rounding R> double integral(double value) {
  switch (R) {
  case Rounding::RZ:
    return std::trunc(value);
  case Rounding::RM:
    return std::floor(value);
  case Rounding::RP:
    return std::ceil(value);
  case Rounding::RN:
  case Rounding::RNA:
    break;
  }
  double below = std::floor(value), fraction = value - below;
  bool odd = std::fmod(below, 2) != 0;
  double result =
      fraction > 0.5 || (fraction == 0.5 && odd) ? below + 1 : below;
  return std::copysign(result, value);
}

template <typename Int, Rounding R, typename T> void checkToInt(T value) {
  using Limits = std::numeric_limits<Int>;
  Int expected;
  if (std::isnan(value)) {
    bool zero = sizeof(T) < 8 && sizeof(Int) < 8;
    expected = zero ? Int(0) : Int(uint64_t(1) << (sizeof(Int) * 8 - 1));
  } else {
    long double rounded = integral<R>(double(value));
    expected = rounded <= (long double)(Limits::min())   ? Limits::min()
               : rounded >= (long double)(Limits::max()) ? Limits::max()
                                                         : Int(rounded);
  }
  ASSERT_EQ((convertToInt<Int, R>(value)), expected)
      << std::hexfloat << value << " " << sizeof(Int) << int(R);
}

template <Rounding R, typename T> void checkToIntegers(T value) {
  checkToInt<uint8_t, R>(value);
  checkToInt<int8_t, R>(value);
  checkToInt<uint16_t, R>(value);
  checkToInt<int16_t, R>(value);
  checkToInt<uint32_t, R>(value);
  checkToInt<int32_t, R>(value);
  checkToInt<uint64_t, R>(value);
  checkToInt<int64_t, R>(value);
  if (!std::isnan(value))
    ASSERT_EQ(toBits(roundToIntegral<R>(value)),
              toBits(T(integral<R>(double(value)))))
        << std::hexfloat << value;
}

template <typename T> void checkToIntegersAllModes(T value) {
  checkToIntegers<Rounding::RN>(value);
  checkToIntegers<Rounding::RZ>(value);
  checkToIntegers<Rounding::RM>(value);
  checkToIntegers<Rounding::RP>(value);
}

} // namespace

TEST(Convert, All16BitFloatsToIntegers) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    checkToIntegersAllModes(widenF16(uint16_t(i)));
    checkToIntegersAllModes(widenBF16(uint16_t(i)));
    if (HasFatalFailure())
      return;
  }
}

TEST(Convert, FloatsToIntegers) {
  Inputs inputs(51);
  for (int i = 0; i < 100000; ++i) {
    // Around every power of two, with and without fractions.
    int exponent = int(inputs.bits() % 70) - 3;
    double value = std::ldexp(double(inputs.bits() >> 11), exponent - 53);
    if (i & 1)
      value =
          std::ldexp(1.0, exponent) + double(int(inputs.bits() % 9) - 4) / 4;
    value = inputs.bits() & 1 ? value : -value;
    checkToIntegersAllModes(value);
    checkToIntegersAllModes(float(value));
    checkToIntegersAllModes(inputs.f32());
    if (HasFatalFailure())
      return;
  }
  for (float edge : edgesF32()) {
    checkToIntegersAllModes(edge);
    checkToIntegersAllModes(double(edge));
  }
}

TEST(Convert, RoundingToIntegralKeepsTheType) {
  EXPECT_EQ(toBits(roundF32<Rounding::RP>(-0.5f)), kSignF32);
  EXPECT_EQ(toBits(roundF32<Rounding::RN>(toF32(0xFF812345u))), 0x7FFFFFFFu);
  EXPECT_EQ((roundF32<Rounding::RM, false, true>(1.5f)), 1.0f);
  EXPECT_EQ((roundF32<Rounding::RP, true>(0x1p-140f)), 0.0f);
  EXPECT_EQ((roundF32<Rounding::RP, false>(0x1p-140f)), 1.0f);
  EXPECT_EQ(roundF16<Rounding::RN>(0x3E00), 0x4000); // 1.5 -> 2
  EXPECT_EQ(roundF16<Rounding::RN>(0xFC01), 0x7FFF);
  EXPECT_EQ(roundBF16<Rounding::RZ>(0xBFC0), 0xBF80); // -1.5 -> -1
  EXPECT_EQ(roundF64<Rounding::RM>(-0.25), -1.0);
  EXPECT_EQ((roundF64<Rounding::RM, true>(-0.25)), 0.0);
  EXPECT_EQ(toBits(roundF64<Rounding::RN>(toF64(0xFFF0000000000007))),
            0xFFF8000000000007);
}

//===----------------------------------------------------------------------===//
// Integers to floats and integers
//===----------------------------------------------------------------------===//

namespace {

uint16_t halfBits(const Exact &value, const Format &format, Rounding rounding) {
  double rounded = roundToDouble(value, format, rounding);
  if (format.precision == kBF16.precision)
    return uint16_t(toBits(float(rounded)) >> 16);
  // Exactly representable: a search would do, the encoder of Support does.
  return nvfp4::encodeF16(float(rounded));
}

template <Rounding R, typename Int> void checkFromInt(Int value) {
  bool negative = value < 0;
  Exact exact = exactInteger(negative, negative ? uint64_t(0) - uint64_t(value)
                                                : uint64_t(value));
  ASSERT_EQ(toBits(convertToF32<R>(value)),
            toBits(float(roundToDouble(exact, kF32, R))))
      << value;
  ASSERT_EQ(toBits(convertToF64<R>(value)),
            toBits(roundToDouble(exact, kF64, R)))
      << value;
  ASSERT_EQ(convertToF16<R>(value), halfBits(exact, kF16, R)) << value;
  ASSERT_EQ(convertToBF16<R>(value), halfBits(exact, kBF16, R)) << value;
}

template <typename Int> void checkFromIntAllModes(Int value) {
  checkFromInt<Rounding::RN>(value);
  checkFromInt<Rounding::RZ>(value);
  checkFromInt<Rounding::RM>(value);
  checkFromInt<Rounding::RP>(value);
}

} // namespace

TEST(Convert, IntegersToFloats) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    checkFromIntAllModes(uint16_t(i));
    checkFromIntAllModes(int16_t(i));
    if (HasFatalFailure())
      return;
  }
  Inputs inputs(52);
  for (int i = 0; i < 40000; ++i) {
    // Ones, zeros, and a last bit somewhere: ties and their neighbours.
    uint64_t value = inputs.bits() >> inputs.bits() % 64;
    uint64_t cut = ~uint64_t(0) << inputs.bits() % 64;
    value = i & 1 ? (value & cut) + inputs.bits() % 3 - 1 : value | ~cut;
    checkFromIntAllModes(uint64_t(value));
    checkFromIntAllModes(int64_t(value));
    checkFromIntAllModes(uint32_t(value));
    checkFromIntAllModes(int32_t(value));
    if (HasFatalFailure())
      return;
  }
  checkFromIntAllModes(INT64_MIN);
  checkFromIntAllModes(UINT64_MAX);
}

TEST(Convert, SaturatingIntegers) {
  EXPECT_EQ((saturateInt<uint8_t>(int32_t(-5))), 0);
  EXPECT_EQ((saturateInt<uint8_t>(uint64_t(256))), 255);
  EXPECT_EQ((saturateInt<int8_t>(int64_t(-129))), -128);
  EXPECT_EQ((saturateInt<int8_t>(uint32_t(128))), 127);
  EXPECT_EQ((saturateInt<int64_t>(UINT64_MAX)), INT64_MAX);
  EXPECT_EQ((saturateInt<uint64_t>(int64_t(-1))), 0u);
  EXPECT_EQ((saturateInt<uint32_t>(int64_t(0x100000000))), 0xFFFFFFFFu);
  EXPECT_EQ((saturateInt<int32_t>(int64_t(-0x80000001ll))), INT32_MIN);
  for (int i = -40000; i < 70000; ++i) {
    ASSERT_EQ(saturateInt<int16_t>(i), std::min(std::max(i, -32768), 32767));
    ASSERT_EQ(saturateInt<uint16_t>(i), std::min(std::max(i, 0), 65535));
  }
}

//===----------------------------------------------------------------------===//
// Floats to smaller floats
//===----------------------------------------------------------------------===//

namespace {

/// How a code of a small format is put together.
struct Code {
  Format format;
  int mantissaBits;
  uint32_t sign;
  uint32_t nan;
  bool alwaysFinite;
};

constexpr Code kCodeF16 = {kF16, 10, 0x8000, 0x7FFF, false};
constexpr Code kCodeBF16 = {kBF16, 7, 0x8000, 0x7FFF, false};
constexpr Code kCodeE5M2 = {kE5M2, 2, 0x80, 0x7F, true};
constexpr Code kCodeE4M3 = {kE4M3, 3, 0x80, 0x7F, true};
constexpr Code kCodeE2M3 = {kE2M3, 3, 0x20, 0x1F, true};
constexpr Code kCodeE3M2 = {kE3M2, 2, 0x20, 0x1F, true};
constexpr Code kCodeE2M1 = {kE2M1, 1, 0x8, 0x7, true};

/// The magnitude of mantissa * 2^unit as a code.
uint32_t codeOf(const Code &code, uint64_t mantissa, int unit) {
  return (uint32_t(unit - code.format.minUnit) << code.mantissaBits) +
         uint32_t(mantissa);
}

uint32_t expectedCode(const Code &code, double value, Rounding rounding,
                      bool relu, bool satfinite) {
  if (std::isnan(value))
    return code.nan;
  bool negative = std::signbit(value);
  if (relu && negative)
    return 0;
  uint32_t largest = codeOf(code, code.format.maxMantissa, code.format.maxUnit);
  uint32_t result;
  bool overflow = std::isinf(value), infinite = overflow;
  if (!infinite) {
    Rounded rounded = roundExact(exactOf(value), code.format, rounding);
    overflow = rounded.overflow;
    result = codeOf(code, rounded.mantissa, rounded.unit);
  }
  if (overflow) {
    bool stays = rounding == Rounding::RZ ||
                 rounding == (negative ? Rounding::RP : Rounding::RM);
    bool finite = satfinite || code.alwaysFinite || (stays && !infinite);
    result = finite ? largest : largest + 1;
  }
  return result | (negative ? code.sign : 0);
}

template <Rounding R> void checkHalves(float value) {
  ASSERT_EQ(cvtF16F32<R>(value), expectedCode(kCodeF16, value, R, 0, 0))
      << std::hexfloat << value;
  ASSERT_EQ((cvtF16F32<R, false, false, true, true>(value)),
            expectedCode(kCodeF16, value, R, 1, 1))
      << std::hexfloat << value;
  ASSERT_EQ(cvtBF16F32<R>(value), expectedCode(kCodeBF16, value, R, 0, 0))
      << std::hexfloat << value;
  ASSERT_EQ((cvtBF16F32<R, false, false, false, true>(value)),
            expectedCode(kCodeBF16, value, R, 0, 1))
      << std::hexfloat << value;
  ASSERT_EQ((cvtBF16F32<R, false, false, true>(value)),
            expectedCode(kCodeBF16, value, R, 1, 0))
      << std::hexfloat << value;
  float clamped = value > 0 ? std::min(value, 1.0f) : 0.0f;
  ASSERT_EQ((cvtF16F32<R, false, true>(value)),
            expectedCode(kCodeF16, clamped, R, 0, 0))
      << std::hexfloat << value;
}

template <Rounding R> void checkFromF64(double value) {
  if (std::isnan(value))
    return;
  ASSERT_EQ(cvtF16F64<R>(value), expectedCode(kCodeF16, value, R, 0, 0))
      << std::hexfloat << value;
  ASSERT_EQ(cvtBF16F64<R>(value), expectedCode(kCodeBF16, value, R, 0, 0))
      << std::hexfloat << value;
  float expected = float(value), ftz = expected;
  if (std::isfinite(value)) {
    Exact exact = exactOf(value);
    ftz = expected = float(roundToDouble(exact, kF32, R));
    if (isFlushed(exact, kUnboundedF32, -126, R))
      ftz = std::copysign(0.0f, expected);
  }
  ASSERT_EQ(toBits(cvtF32F64<R>(value)), toBits(expected))
      << std::hexfloat << value;
  ASSERT_EQ(toBits(cvtF32F64<R, true>(value)), toBits(ftz))
      << std::hexfloat << value;
}

/// All formats that are always finite, and tf32.
void checkSmall(float value) {
  constexpr Rounding RN = Rounding::RN;
  auto expect = [&](const Code &code, bool relu) {
    return expectedCode(code, value, RN, relu, true);
  };
  ASSERT_EQ(cvtE4M3F32(value), expect(kCodeE4M3, false)) << value;
  ASSERT_EQ(cvtE4M3F32<true>(value), expect(kCodeE4M3, true)) << value;
  ASSERT_EQ(cvtE5M2F32(value), expect(kCodeE5M2, false)) << value;
  ASSERT_EQ(cvtE5M2F32<true>(value), expect(kCodeE5M2, true)) << value;
  ASSERT_EQ(cvtE2M3F32(value), expect(kCodeE2M3, false)) << value;
  ASSERT_EQ(cvtE2M3F32<true>(value), expect(kCodeE2M3, true)) << value;
  ASSERT_EQ(cvtE3M2F32(value), expect(kCodeE3M2, false)) << value;
  ASSERT_EQ(cvtE3M2F32<true>(value), expect(kCodeE3M2, true)) << value;
  ASSERT_EQ(cvtE2M1F32(value), expect(kCodeE2M1, false)) << value;
  ASSERT_EQ(cvtE2M1F32<true>(value), expect(kCodeE2M1, true)) << value;
}

template <Rounding R> void checkTF32(float value) {
  if (std::isnan(value))
    return;
  float expected = value, largest = std::ldexp(2047.0f, 117);
  if (std::isfinite(value))
    expected = float(roundToDouble(exactOf(value), kTF32, R));
  ASSERT_EQ(cvtTF32<R>(value), toBits(expected)) << std::hexfloat << value;
  float finite =
      std::isinf(expected) ? std::copysign(largest, value) : expected;
  ASSERT_EQ((cvtTF32<R, false, true>(value)), toBits(finite));
  ASSERT_EQ((cvtTF32<R, true, false>(value)),
            std::signbit(value) ? 0 : toBits(expected));
}

void checkF32Source(float value) {
  checkHalves<Rounding::RN>(value);
  checkHalves<Rounding::RZ>(value);
  checkHalves<Rounding::RM>(value);
  checkHalves<Rounding::RP>(value);
  checkTF32<Rounding::RN>(value);
  checkTF32<Rounding::RZ>(value);
  checkTF32<Rounding::RNA>(value);
  checkSmall(value);
}

void checkF64Source(double value) {
  checkFromF64<Rounding::RN>(value);
  checkFromF64<Rounding::RZ>(value);
  checkFromF64<Rounding::RM>(value);
  checkFromF64<Rounding::RP>(value);
}

} // namespace

TEST(Convert, EdgesToSmallerFloats) {
  for (float value : edgesF32()) {
    checkF32Source(value);
    checkF64Source(double(value));
    if (HasFatalFailure())
      return;
  }
}

TEST(Convert, RandomValuesToSmallerFloats) {
  Inputs inputs(53);
  for (int i = 0; i < 60000; ++i) {
    float value = inputs.f32();
    if (i & 1) // within the range of fp8
      value = toF32((toBits(value) & 0x807FFFFF) |
                    uint32_t(110 + inputs.bits() % 34) << 23);
    checkF32Source(value);
    double wide = inputs.f64();
    if (i & 1) // within the range of f32, subnormals included
      wide = toF64((toBits(wide) & 0x800FFFFFFFFFFFFF) |
                   (uint64_t(1023 - 152 + inputs.bits() % 282) << 52));
    checkF64Source(wide);
    if (HasFatalFailure())
      return;
  }
}

TEST(Convert, All16BitFloatsToSmallerOnes) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    float f16 = widenF16(uint16_t(i)), bf16 = widenBF16(uint16_t(i));
    checkSmall(f16);
    checkSmall(bf16);
    checkHalves<Rounding::RN>(f16);
    checkHalves<Rounding::RZ>(f16);
    checkHalves<Rounding::RM>(bf16);
    checkHalves<Rounding::RP>(bf16);
    if (HasFatalFailure())
      return;
    ASSERT_EQ(cvtF16F16(uint16_t(i)), std::isnan(f16) ? 0x7FFF : i);
  }
}

TEST(Convert, NaN) {
  float f32 = toF32(0xFF812345u);
  double f64 = toF64(0xFFF2345678901234);
  EXPECT_EQ(toBits(cvtF32F32(f32)), 0xFF812345u); // a move
  EXPECT_EQ(toBits(cvtF32F32<true>(f32)), 0x7FFFFFFFu);
  EXPECT_EQ(toBits(cvtF64F32(f32)), 0xFFF82468A0000000);
  EXPECT_EQ(toBits(cvtF64F32<true>(f32)), 0x7FFFFFFFE0000000);
  EXPECT_EQ(toBits(cvtF64F32<false, true>(f32)), 0u);
  EXPECT_EQ(toBits(cvtF32F64<Rounding::RN>(f64)), 0xFFD1A2B3u);
  EXPECT_EQ((cvtF32F64<Rounding::RN, false, true>(f64)), 0.0f);
  EXPECT_EQ(cvtF16F64<Rounding::RZ>(f64), 0xFE8D);
  EXPECT_EQ(cvtBF16F64<Rounding::RM>(f64), 0xFFD1);
  EXPECT_EQ((cvtF16F64<Rounding::RN, true>(f64)), 0);
  EXPECT_EQ(toBits(cvtF32F16(0xFC01)), 0x7FFFFFFFu);
  EXPECT_EQ(toBits(cvtF32BF16(0xFF81)), 0xFF810000u);
  EXPECT_EQ(toBits(cvtF64F16(0xFC01)), 0xFFF8040000000000);
  EXPECT_EQ(toBits(cvtF64BF16(0x7F81)), 0x7FF8200000000000);
  EXPECT_EQ(cvtTF32<Rounding::RN>(f32), 0x7FFFE000u);
  EXPECT_EQ((cvtTF32<Rounding::RZ, true>(f32)), 0x7FFFE000u);
  // Truncated, even to an infinity.
  EXPECT_EQ(cvtTF32<Rounding::RNA>(f32), 0xFF812000u);
  EXPECT_EQ(cvtTF32<Rounding::RNA>(toF32(0x7F801FFFu)), 0x7F800000u);
  EXPECT_EQ((cvtTF32<Rounding::RNA, false, true>(f32)), 0x7FFFE000u);
}

TEST(Convert, WideningIsExact) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t bits = uint16_t(i);
    float f16 = widenF16(bits), bf16 = widenBF16(bits);
    if (!std::isnan(f16)) {
      ASSERT_EQ(toBits(cvtF32F16(bits)), toBits(f16));
      ASSERT_EQ(toBits(cvtF64F16(bits)), toBits(double(f16)));
      float clamped = f16 > 0 ? std::min(f16, 1.0f) : 0.0f;
      ASSERT_EQ(toBits(cvtF32F16<false, true>(bits)), toBits(clamped));
      ASSERT_EQ(toBits(cvtF64F16<true>(bits)), toBits(double(clamped)));
    }
    if (!std::isnan(bf16)) {
      bool tiny = std::fabs(bf16) < 0x1p-126f;
      ASSERT_EQ(toBits(cvtF32BF16<true>(bits)),
                toBits(tiny ? std::copysign(0.0f, bf16) : bf16));
      ASSERT_EQ(toBits(cvtF64BF16(bits)), toBits(double(bf16)));
    }
  }
}

//===----------------------------------------------------------------------===//
// 8, 6 and 4 bits back to f16
//===----------------------------------------------------------------------===//

namespace {

/// The value of a code from its fields, without infinities and NaN.
float valueOf(const Code &code, uint32_t bits) {
  uint32_t magnitude = bits & (code.sign - 1);
  uint32_t field = magnitude >> code.mantissaBits;
  uint32_t mantissa = magnitude & ((1u << code.mantissaBits) - 1);
  if (field)
    mantissa += 1u << code.mantissaBits;
  float value = std::ldexp(float(mantissa),
                           code.format.minUnit + int(field ? field - 1 : 0));
  return bits & code.sign ? -value : value;
}

uint16_t expectedHalf(float value, bool relu) {
  if (relu && std::signbit(value))
    return 0;
  return nvfp4::encodeF16(value);
}

} // namespace

TEST(Convert, AllCodesToF16) {
  for (uint32_t i = 0; i < 256; ++i) {
    uint8_t code = uint8_t(i);
    for (bool relu : {false, true}) {
      uint32_t magnitude = i & 0x7F;
      uint16_t e4m3 = magnitude == 0x7F
                          ? 0x7FFF
                          : expectedHalf(valueOf(kCodeE4M3, i), relu);
      ASSERT_EQ(relu ? cvtF16E4M3<true>(code) : cvtF16E4M3(code), e4m3) << i;
      uint16_t e5m2 = magnitude > 0x7C   ? 0x7FFF
                      : relu && i > 0x7F ? 0
                                         : uint16_t(i << 8);
      ASSERT_EQ(relu ? cvtF16E5M2<true>(code) : cvtF16E5M2(code), e5m2) << i;
      ASSERT_EQ(relu ? cvtF16E2M3<true>(code) : cvtF16E2M3(code),
                expectedHalf(valueOf(kCodeE2M3, i & 0x3F), relu))
          << i;
      ASSERT_EQ(relu ? cvtF16E3M2<true>(code) : cvtF16E3M2(code),
                expectedHalf(valueOf(kCodeE3M2, i & 0x3F), relu))
          << i;
      ASSERT_EQ(relu ? cvtF16E2M1<true>(code) : cvtF16E2M1(code),
                expectedHalf(valueOf(kCodeE2M1, i & 0xF), relu))
          << i;
    }
    float power = i == 0xFF ? HUGE_VALF : std::ldexp(1.0f, int(i) - 127);
    ASSERT_EQ(cvtBF16UE8M0(code), i == 0xFF ? 0x7FFF : toBits(power) >> 16)
        << i;
  }
}

TEST(Convert, UE8M0) {
  for (float value : edgesF32()) {
    float magnitude = std::fabs(value);
    int down, up; // exponents, as codes
    if (std::isnan(value)) {
      EXPECT_EQ(cvtUE8M0F32<Rounding::RZ>(value), 0xFF);
      EXPECT_EQ((cvtUE8M0F32<Rounding::RP, false>(value)), 0xFF);
      continue;
    }
    for (down = 254; down > 0 && std::ldexp(1.0, down - 127) > magnitude;)
      --down;
    for (up = 0; up < 255 && std::ldexp(1.0, up - 127) < magnitude;)
      ++up;
    EXPECT_EQ(cvtUE8M0F32<Rounding::RZ>(value), down) << value;
    EXPECT_EQ(cvtUE8M0F32<Rounding::RP>(value), std::min(up, 254)) << value;
    EXPECT_EQ((cvtUE8M0F32<Rounding::RP, false>(value)), up) << value;
    EXPECT_EQ((cvtUE8M0F32<Rounding::RZ, false>(value)),
              std::isinf(value) ? 255 : down)
        << value;
  }
}

//===----------------------------------------------------------------------===//
// Stochastic rounding
//===----------------------------------------------------------------------===//

namespace {

/// Truncates, then adds one iff the first `bits` discarded bits plus `random`
/// carry.
uint32_t expectedStochastic(const Code &code, float value, unsigned bits,
                            uint32_t random, bool satfinite) {
  if (std::isnan(value))
    return code.nan;
  uint32_t sign = std::signbit(value) ? code.sign : 0;
  uint32_t largest = codeOf(code, code.format.maxMantissa, code.format.maxUnit);
  uint32_t beyond = satfinite || code.alwaysFinite ? largest : largest + 1;
  if (std::isinf(value))
    return sign | beyond;
  Rounded cut = roundExact(exactOf(value), code.format, Rounding::RZ);
  double below = std::ldexp(double(cut.mantissa), cut.unit);
  double fraction = std::ldexp(std::fabs(double(value)) - below, -cut.unit);
  bool up = std::floor(std::ldexp(fraction, int(bits))) + random >=
            std::ldexp(1.0, int(bits));
  uint32_t result = codeOf(code, cut.mantissa + up, cut.unit);
  return sign | (result > largest ? beyond : result);
}

} // namespace

TEST(Convert, Stochastic) {
  Inputs inputs(54);
  for (int i = 0; i < 200000; ++i) {
    float value = inputs.f32();
    if (i & 1)
      value = toF32((toBits(value) & 0x807FFFFF) |
                    uint32_t(100 + inputs.bits() % 44) << 23);
    uint32_t random = uint32_t(inputs.bits());
    if (i % 4 == 0)
      random = i & 8 ? 0 : ~0u;
    uint8_t byte = uint8_t(random);
    ASSERT_EQ(cvtE4M3Stochastic(value, byte),
              expectedStochastic(kCodeE4M3, value, 8, byte, true))
        << value;
    ASSERT_EQ(cvtE5M2Stochastic(value, byte),
              expectedStochastic(kCodeE5M2, value, 8, byte, true))
        << value;
    ASSERT_EQ(cvtE2M3Stochastic(value, byte),
              expectedStochastic(kCodeE2M3, value, 8, byte, true))
        << value;
    ASSERT_EQ(cvtE3M2Stochastic(value, byte),
              expectedStochastic(kCodeE3M2, value, 8, byte, true))
        << value;
    ASSERT_EQ(cvtE2M1Stochastic(value, byte),
              expectedStochastic(kCodeE2M1, value, 8, byte, true))
        << value;
    ASSERT_EQ(cvtF16Stochastic(value, random),
              expectedStochastic(kCodeF16, value, 13, random & 0x1FFF, false))
        << value;
    ASSERT_EQ(cvtBF16Stochastic(value, random),
              expectedStochastic(kCodeBF16, value, 16, random & 0xFFFF, false))
        << value;
    ASSERT_EQ((cvtF16Stochastic<false, true>(value, random)),
              expectedStochastic(kCodeF16, value, 13, random & 0x1FFF, true))
        << value;
    ASSERT_EQ((cvtE4M3Stochastic<true>(value, byte)),
              std::signbit(value) && !std::isnan(value)
                  ? 0
                  : expectedStochastic(kCodeE4M3, value, 8, byte, true));
  }
  StochasticBits e2m1 = splitRandomBitsE2M1(0x11223344);
  EXPECT_EQ(e2m1.element[0], 0x11);
  EXPECT_EQ(e2m1.element[1], 0x33);
  EXPECT_EQ(e2m1.element[2], 0x22);
  EXPECT_EQ(e2m1.element[3], 0x44);
  EXPECT_EQ(splitRandomBitsFP8(0x11223344).element[1], 0x22);
}
