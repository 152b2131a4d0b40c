//===- Float32Test.cpp - f32 against exact numbers and the host -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two references: exact numbers (Exact.h), and the host's own directed rounding
// set by fesetround.
//
//===----------------------------------------------------------------------===//

#include "Float32.h"
#include "Exact.h"

#include <cfenv>
#include <gtest/gtest.h>

using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;

namespace {

constexpr int kRandomCases = 60000;

int hostRounding(Rounding rounding) {
  switch (rounding) {
  case Rounding::RZ:
    return FE_TOWARDZERO;
  case Rounding::RM:
    return FE_DOWNWARD;
  case Rounding::RP:
    return FE_UPWARD;
  case Rounding::RN:
  case Rounding::RNA:
    break;
  }
  return FE_TONEAREST;
}

/// What the host computes in another rounding mode. `volatile` keeps the
/// compiler from moving or folding the operation.
template <typename Operation>
float onHost(Rounding rounding, float a, float b, float c,
             Operation operation) {
  volatile float va = a, vb = b, vc = c;
  std::fesetround(hostRounding(rounding));
  volatile float result = operation(va, vb, vc);
  std::fesetround(FE_TONEAREST);
  return result != result ? toF32(kCanonicalNaNF32) : float(result);
}

float exactSum(const Exact &value, Rounding rounding, bool ftz) {
  if (ftz && isFlushed(value, kUnboundedF32, -126, rounding))
    return value.negative ? -0.0f : 0.0f;
  return float(roundToDouble(value, kF32, rounding));
}

float flushed(float value) {
  return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value;
}

/// `a * b + c` with everything that is not finite left to the host.
float exactFma(Rounding rounding, bool ftz, float a, float b, float c) {
  if (ftz)
    a = flushed(a), b = flushed(b), c = flushed(c);
  if (!std::isfinite(a) || !std::isfinite(b) || !std::isfinite(c)) {
    float result = std::fma(a, b, c);
    return result != result ? toF32(kCanonicalNaNF32) : result;
  }
  return exactSum(addExact(exactOf(a) * exactOf(b), exactOf(c), rounding),
                  rounding, ftz);
}

float exactMul(Rounding rounding, bool ftz, float a, float b) {
  if (ftz)
    a = flushed(a), b = flushed(b);
  if (!std::isfinite(a) || !std::isfinite(b)) {
    float result = a * b;
    return result != result ? toF32(kCanonicalNaNF32) : result;
  }
  return exactSum(exactOf(a) * exactOf(b), rounding, ftz);
}

#define EXPECT_BITS(actual, expected, a, b, c)                                 \
  ASSERT_EQ(toBits(actual), toBits(expected))                                  \
      << std::hexfloat << "a " << a << " b " << b << " c " << c

template <Rounding R, bool Ftz>
void checkAgainstExact(float a, float b, float c) {
  float one = 1.0f;
  EXPECT_BITS((addF32<R, Ftz>(a, b)), exactFma(R, Ftz, a, one, b), a, b, 0);
  EXPECT_BITS((subF32<R, Ftz>(a, b)), exactFma(R, Ftz, a, one, -b), a, b, 0);
  EXPECT_BITS((mulF32<R, Ftz>(a, b)), exactMul(R, Ftz, a, b), a, b, 0);
  float fma = exactFma(R, Ftz, a, b, c);
  EXPECT_BITS((fmaF32<R, Ftz, false, false>(a, b, c)), fma, a, b, c);
  EXPECT_BITS((fmaF32<R, Ftz, false, true>(a, b, c)), fma, a, b, c);
  float saturated = fma > 0 ? std::min(fma, 1.0f) : 0.0f;
  EXPECT_BITS((fmaF32<R, Ftz, true>(a, b, c)), saturated, a, b, c);
}

template <Rounding R> void checkAgainstHost(float a, float b, float c) {
  EXPECT_BITS((addF32<R>(a, b)),
              onHost(R, a, b, 0, [](float x, float y, float) { return x + y; }),
              a, b, 0);
  EXPECT_BITS((mulF32<R>(a, b)),
              onHost(R, a, b, 0, [](float x, float y, float) { return x * y; }),
              a, b, 0);
  EXPECT_BITS(
      (fmaF32<R>(a, b, c)),
      onHost(R, a, b, c,
             [](float x, float y, float z) { return std::fma(x, y, z); }),
      a, b, c);
  EXPECT_BITS((divF32<R>(a, b)),
              onHost(R, a, b, 0, [](float x, float y, float) { return x / y; }),
              a, b, 0);
  EXPECT_BITS((rcpF32<R>(a)),
              onHost(R, 1, a, 0, [](float x, float y, float) { return x / y; }),
              a, 0, 0);
  EXPECT_BITS(
      (sqrtF32<R>(a)),
      onHost(R, a, 0, 0, [](float x, float, float) { return std::sqrt(x); }), a,
      0, 0);
}

template <Rounding R> void checkAll(float a, float b, float c) {
  checkAgainstHost<R>(a, b, c);
  checkAgainstExact<R, false>(a, b, c);
  checkAgainstExact<R, true>(a, b, c);
}

void checkAllModes(float a, float b, float c) {
  checkAll<Rounding::RN>(a, b, c);
  checkAll<Rounding::RZ>(a, b, c);
  checkAll<Rounding::RM>(a, b, c);
  checkAll<Rounding::RP>(a, b, c);
}

} // namespace

TEST(Float32, ArithmeticOfEdges) {
  std::vector<float> edges = edgesF32();
  Inputs inputs(1);
  for (float a : edges)
    for (float b : edges) {
      float c = edges[inputs.bits() % edges.size()];
      checkAllModes(a, b, c);
      if (HasFatalFailure())
        return;
    }
}

TEST(Float32, ArithmeticOfRandomValues) {
  Inputs inputs(2);
  for (int i = 0; i < kRandomCases; ++i) {
    float a = inputs.f32(), b = inputs.f32(), c = inputs.f32();
    // A third of the time c nearly cancels the product.
    if (inputs.bits() % 3 == 0)
      c = toF32(toBits(-(a * b)) + uint32_t(inputs.bits() % 5) - 2);
    checkAllModes(a, b, c);
    if (HasFatalFailure())
      return;
  }
}

TEST(Float32, FlushDecidesByTheUnboundedResult) {
  constexpr Rounding RN = Rounding::RN;
  // (1 - 2^-24) * 2^-126: a tie in f32, an odd 24-bit value below 2^-126.
  float below = 1 - 0x1p-24f;
  EXPECT_EQ((mulF32<RN, false>(below, 0x1p-126f)), 0x1p-126f);
  EXPECT_EQ((mulF32<RN, true>(below, 0x1p-126f)), 0.0f);
  // (1 - 2^-46) * 2^-126.
  float a = 1 + 0x1p-23f, b = (1 - 0x1p-23f) * 0x1p-126f;
  EXPECT_EQ((mulF32<RN, true>(a, 0x1p-126f * (1 - 0x1p-23f) * 2)),
            (mulF32<RN, false>(a, 0x1p-126f * (1 - 0x1p-23f) * 2)));
  EXPECT_EQ((fmaF32<RN, true>(0x1p-86f, -0x1p-86f, 0x1p-126f)), 0x1p-126f);
  EXPECT_EQ((mulF32<RN, true>(a, b)), 0.0f); // b itself is flushed
}

/// Results around 2^-126 in every mode, where ftz and rounding interact.
TEST(Float32, FlushNearTheSmallestNormal) {
  Inputs inputs(3);
  for (int i = 0; i < kRandomCases; ++i) {
    int exponent = int(inputs.bits() % 40) - 20;
    float a =
        std::ldexp(1 + float(inputs.bits() % 64) * 0x1p-23f, -63 + exponent);
    float b =
        std::ldexp(1 - float(inputs.bits() % 64) * 0x1p-24f, -63 - exponent);
    float c = std::ldexp(float(int(inputs.bits() % 5) - 2), -149);
    c = inputs.bits() & 1 ? c : 0x1p-126f;
    b = inputs.bits() & 1 ? b : -b;
    checkAllModes(a, b, c);
    if (HasFatalFailure())
      return;
  }
}

namespace {

/// a / b with .ftz, by comparing exact products: the flush bound times b.
template <Rounding R> void checkDivFtz(float a, float b) {
  float x = flushed(a), y = flushed(b);
  float expected = divF32<R>(x, y); // checked against the host above
  if (std::isfinite(x) && std::isfinite(y) && x != 0 && y != 0) {
    bool negative = std::signbit(x) != std::signbit(y);
    bool away = R == (negative ? Rounding::RM : Rounding::RP);
    // |x| against bound * |y|
    double bound = R == Rounding::RN ? (1 - 0x1p-25) * 0x1p-126
                   : away            ? (1 - 0x1p-24) * 0x1p-126
                                     : 0x1p-126;
    int order = compareMagnitude(exactOf(x), exactOf(bound) * exactOf(y));
    if (order < 0 || (away && order == 0))
      expected = negative ? -0.0f : 0.0f;
  }
  EXPECT_BITS((divF32<R, true>(a, b)), expected, a, b, 0);
}

} // namespace

TEST(Float32, DivisionFlushes) {
  Inputs inputs(4);
  for (int i = 0; i < kRandomCases; ++i) {
    float a = inputs.f32(), b = inputs.f32();
    if (i & 1) { // quotients around 2^-126
      int exponent = int(inputs.bits() % 100);
      a = std::ldexp(1 + float(inputs.bits() % 8) * 0x1p-23f, -126 + exponent);
      b = std::ldexp(1 + float(inputs.bits() % 8) * 0x1p-23f, exponent);
    }
    checkDivFtz<Rounding::RN>(a, b);
    checkDivFtz<Rounding::RZ>(a, b);
    checkDivFtz<Rounding::RM>(a, b);
    checkDivFtz<Rounding::RP>(a, b);
    if (HasFatalFailure())
      return;
  }
  EXPECT_EQ(toBits(sqrtF32<Rounding::RN, true>(-0x1p-140f)), kSignF32);
  EXPECT_EQ(toBits(sqrtF32<Rounding::RN>(-0x1p-140f)), kCanonicalNaNF32);
}

namespace {

float minByDefinition(float a, float b, bool max, bool nan, bool xorSign) {
  bool negative = std::signbit(a) != std::signbit(b);
  if (xorSign)
    a = std::fabs(a), b = std::fabs(b);
  if ((a != a && b != b) || (nan && (a != a || b != b)))
    return toF32(kCanonicalNaNF32);
  float result;
  if (a != a || b != b)
    result = a != a ? b : a;
  else if (a == b) // zeros of either sign
    result = std::signbit(a) == max ? b : a;
  else
    result = (a < b) == max ? b : a;
  return xorSign ? std::copysign(result, negative ? -1.0f : 1.0f) : result;
}

} // namespace

TEST(Float32, MinMax) {
  std::vector<float> edges = edgesF32();
  for (float a : edges)
    for (float b : edges) {
      float x = flushed(a), y = flushed(b);
      EXPECT_BITS(minF32(a, b), minByDefinition(a, b, 0, 0, 0), a, b, 0);
      EXPECT_BITS(maxF32(a, b), minByDefinition(a, b, 1, 0, 0), a, b, 0);
      EXPECT_BITS(minF32<true>(a, b), minByDefinition(a, b, 0, 1, 0), a, b, 0);
      EXPECT_BITS(maxF32<true>(a, b), minByDefinition(a, b, 1, 1, 0), a, b, 0);
      EXPECT_BITS((minF32<false, false, true>(a, b)),
                  minByDefinition(a, b, 0, 0, 1), a, b, 0);
      EXPECT_BITS((maxF32<true, true, true>(a, b)),
                  minByDefinition(x, y, 1, 1, 1), a, b, 0);
      EXPECT_BITS(
          (min3F32<false, true>(a, b, 1.0f)),
          minByDefinition(minByDefinition(x, y, 0, 0, 0), 1.0f, 0, 0, 0), a, b,
          0);
    }
}

TEST(Float32, SignsAndClasses) {
  for (float a : edgesF32()) {
    bool nan = std::isnan(a);
    int kind = std::fpclassify(a);
    EXPECT_EQ(testF32<FloatClass::Finite>(a), std::isfinite(a));
    EXPECT_EQ(testF32<FloatClass::Infinite>(a), kind == FP_INFINITE);
    EXPECT_EQ(testF32<FloatClass::Number>(a), !nan);
    EXPECT_EQ(testF32<FloatClass::NotANumber>(a), nan);
    EXPECT_EQ(testF32<FloatClass::Normal>(a),
              kind == FP_NORMAL || kind == FP_ZERO);
    EXPECT_EQ(testF32<FloatClass::Subnormal>(a), kind == FP_SUBNORMAL);
    if (nan)
      continue;
    EXPECT_EQ(toBits(absF32(a)), toBits(std::fabs(a)));
    EXPECT_EQ(toBits(negF32(a)), toBits(-a));
    EXPECT_EQ(toBits(absF32<true>(a)), toBits(std::fabs(flushed(a))));
    EXPECT_EQ(toBits(negF32<true>(a)), toBits(-flushed(a)));
    EXPECT_EQ(toBits(copysignF32(a, 3.0f)), toBits(std::copysign(3.0f, a)));
  }
}

TEST(Float32, Comparisons) {
  std::vector<float> edges = edgesF32();
  for (float a : edges)
    for (float b : edges) {
      bool nan = std::isnan(a) || std::isnan(b);
      EXPECT_EQ(compareFloat<Compare::EQ>(a, b), !nan && a == b);
      EXPECT_EQ(compareFloat<Compare::NE>(a, b), !nan && a != b);
      EXPECT_EQ(compareFloat<Compare::LT>(a, b), !nan && a < b);
      EXPECT_EQ(compareFloat<Compare::LE>(a, b), !nan && a <= b);
      EXPECT_EQ(compareFloat<Compare::GT>(a, b), !nan && a > b);
      EXPECT_EQ(compareFloat<Compare::GE>(a, b), !nan && a >= b);
      EXPECT_EQ(compareFloat<Compare::EQU>(a, b), nan || a == b);
      EXPECT_EQ(compareFloat<Compare::NEU>(a, b), nan || a != b);
      EXPECT_EQ(compareFloat<Compare::LTU>(a, b), nan || a < b);
      EXPECT_EQ(compareFloat<Compare::LEU>(a, b), nan || a <= b);
      EXPECT_EQ(compareFloat<Compare::GTU>(a, b), nan || a > b);
      EXPECT_EQ(compareFloat<Compare::GEU>(a, b), nan || a >= b);
      EXPECT_EQ(compareFloat<Compare::Num>(a, b), !nan);
      EXPECT_EQ(compareFloat<Compare::Nan>(a, b), nan);
    }
}
