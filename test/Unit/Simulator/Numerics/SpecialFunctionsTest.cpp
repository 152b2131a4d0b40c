//===- SpecialFunctionsTest.cpp - Bounds and edges of .approx -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Against long double, within the bounds that the manual states (we are within
// half an ulp, which is tighter), and against its tables at the edges.
//
//===----------------------------------------------------------------------===//

#include "SpecialFunctions.h"
#include "Exact.h"

#include <gtest/gtest.h>

using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;

namespace {

using Long = long double;

constexpr uint32_t kInfinity = 0x7F800000;
constexpr uint32_t kNaN = kCanonicalNaNF32;

/// The bits of a result at an edge.
struct EdgeRow {
  const char *name;
  float (*function)(float);
  /// For -inf, -1, -subnormal, -0, +0, +subnormal, +inf.
  uint32_t results[7];
};

/// 2^-140, flushed by `.ftz`; kAny is checked elsewhere.
constexpr float kSubnormal = 0x1p-140f;
constexpr uint32_t kAny = 0x12345678;
constexpr uint32_t kOne = 0x3F800000, kMinus = 0x80000000;

const EdgeRow kEdges[] = {
    {"rcp.ftz",
     rcpApproxF32<true>,
     {kMinus, kOne | kMinus, kInfinity | kMinus, kInfinity | kMinus, kInfinity,
      kInfinity, 0}},
    {"rcp",
     rcpApproxF32<false>,
     {kMinus, kOne | kMinus, kInfinity | kMinus, kInfinity | kMinus, kInfinity,
      kInfinity, 0}},
    {"sqrt.ftz",
     sqrtApproxF32<true>,
     {kNaN, kNaN, kMinus, kMinus, 0, 0, kInfinity}},
    {"sqrt",
     sqrtApproxF32<false>,
     {kNaN, kNaN, kNaN, kMinus, 0, kAny, kInfinity}},
    {"rsqrt.ftz",
     rsqrtApproxF32<true>,
     {kNaN, kNaN, kInfinity | kMinus, kInfinity | kMinus, kInfinity, kInfinity,
      0}},
    {"rsqrt",
     rsqrtApproxF32<false>,
     {kNaN, kNaN, kNaN, kInfinity | kMinus, kInfinity, kAny, 0}},
    {"sin.ftz", sinApproxF32<true>, {kNaN, kAny, kMinus, kMinus, 0, 0, kNaN}},
    {"cos.ftz", cosApproxF32<true>, {kNaN, kAny, kOne, kOne, kOne, kOne, kNaN}},
    {"lg2.ftz",
     lg2ApproxF32<true>,
     {kNaN, kNaN, kInfinity | kMinus, kInfinity | kMinus, kInfinity | kMinus,
      kInfinity | kMinus, kInfinity}},
    {"lg2",
     lg2ApproxF32<false>,
     {kNaN, kNaN, kNaN, kInfinity | kMinus, kInfinity | kMinus, 0xC30C0000,
      kInfinity}},
    {"ex2.ftz",
     ex2ApproxF32<true>,
     {0, 0x3F000000, kOne, kOne, kOne, kOne, kInfinity}},
    {"ex2",
     ex2ApproxF32<false>,
     {0, 0x3F000000, kOne, kOne, kOne, kOne, kInfinity}},
    {"tanh", tanhApproxF32, {kOne | kMinus, kAny, kAny, kMinus, 0, kAny, kOne}},
};

/// Off by how many ulp of f32 at `exact`.
Long ulps(float value, Long exact) {
  int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return std::fabs((Long(value) - exact) / std::ldexp(Long(1), exponent - 23));
}

constexpr Long kHalf = 0.5001L;

} // namespace

TEST(SpecialFunctions, Edges) {
  const float inputs[7] = {-HUGE_VALF, -1.0f,      -kSubnormal, -0.0f,
                           0.0f,       kSubnormal, HUGE_VALF};
  for (const EdgeRow &row : kEdges) {
    for (int i = 0; i < 7; ++i)
      if (row.results[i] != kAny) {
        EXPECT_EQ(toBits(row.function(inputs[i])), row.results[i])
            << row.name << " " << inputs[i];
      }
    EXPECT_EQ(toBits(row.function(toF32(0xFF812345u))), kNaN) << row.name;
  }
}

TEST(SpecialFunctions, WithinBounds) {
  Inputs inputs(41);
  for (int i = 0; i < 200000; ++i) {
    float a = inputs.f32();
    if (!std::isfinite(a))
      continue;
    Long x = a;
    if (std::fabs(a) < 1000) {
      ASSERT_LE(ulps(sinApproxF32(a), std::sin(x)), kHalf) << a;
      ASSERT_LE(ulps(cosApproxF32(a), std::cos(x)), kHalf) << a;
    }
    if (std::fabs(a) < 126)
      ASSERT_LE(ulps(ex2ApproxF32(a), std::exp2(x)), kHalf) << a;
    ASSERT_LE(ulps(tanhApproxF32(a), std::tanh(x)), kHalf) << a;
    if (a <= 0)
      continue;
    ASSERT_LE(ulps(lg2ApproxF32(a), std::log2(x)), kHalf) << a;
    ASSERT_LE(ulps(rsqrtApproxF32(a), 1 / std::sqrt(x)), kHalf) << a;
    ASSERT_LE(ulps(sqrtApproxF32(a), std::sqrt(x)), kHalf) << a;
  }
  EXPECT_EQ(ex2ApproxF32(-149.0f), 0x1p-149f);
  EXPECT_EQ(ex2ApproxF32(-151.0f), 0.0f);
  EXPECT_EQ(ex2ApproxF32<true>(-126.0f), 0x1p-126f);
  EXPECT_EQ(ex2ApproxF32<true>(-126.5f), 0.0f);
  EXPECT_EQ(ex2ApproxF32(128.0f), HUGE_VALF);
}

TEST(SpecialFunctions, Division) {
  Inputs inputs(42);
  for (int i = 0; i < 100000; ++i) {
    float a = inputs.f32(), b = inputs.f32();
    float exact = divF32(a, b);
    ASSERT_EQ(toBits(divFullF32(a, b)), toBits(exact));
    if (std::fabs(b) <= 0x1p126f)
      ASSERT_EQ(toBits(divApproxF32(a, b)), toBits(exact));
  }
  EXPECT_EQ(toBits(divApproxF32(3.0f, -0x1.8p126f)), kMinus);
  EXPECT_EQ(toBits(divApproxF32(HUGE_VALF, 0x1.8p126f)), kNaN);
  EXPECT_EQ(divApproxF32(0x1p127f, 0x1p126f), 2.0f);
  EXPECT_EQ(toBits(divApproxF32(1.0f, HUGE_VALF)), 0u);
}

namespace {

/// No neighbour of `code` is closer to `exact`; magnitudes above the range
/// count as the infinity.
template <typename Widen>
bool isNearest(uint16_t code, Long exact, uint16_t infinity, Widen widen) {
  uint16_t magnitude = code & 0x7FFF;
  exact = std::fabs(exact);
  auto distance = [&](uint16_t bits) {
    // Infinity stands where the next value would be.
    Long value = bits < infinity ? Long(widen(bits))
                                 : 2 * Long(widen(uint16_t(infinity - 1))) -
                                       Long(widen(uint16_t(infinity - 2)));
    return std::fabs(exact - value);
  };
  if (magnitude == infinity)
    return exact >= (Long(widen(uint16_t(infinity - 1))));
  bool ok = distance(magnitude) <= distance(uint16_t(magnitude + 1));
  return ok && (magnitude == 0 ||
                distance(magnitude) <= distance(uint16_t(magnitude - 1)));
}

} // namespace

/// The nearest f16 and bf16 of all results.
TEST(SpecialFunctions, HalfPrecision) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    uint16_t bits = uint16_t(i);
    Long x = widenF16(bits), y = widenBF16(bits);
    if (std::isnan(x)) {
      ASSERT_EQ(ex2ApproxF16(bits), 0x7FFF);
      ASSERT_EQ(tanhApproxF16(bits), 0x7FFF);
    } else {
      uint16_t power = ex2ApproxF16(bits), tanh = tanhApproxF16(bits);
      ASSERT_TRUE(isNearest(power, std::exp2(x), kInfinityF16, widenF16)) << x;
      ASSERT_TRUE(isNearest(tanh, std::tanh(x), kInfinityF16, widenF16)) << x;
      ASSERT_EQ(power >> 15, 0);
      ASSERT_EQ(tanh >> 15, bits >> 15);
    }
    if (std::isnan(y)) {
      ASSERT_EQ(ex2ApproxBF16(bits), 0x7FFF);
      ASSERT_EQ(tanhApproxBF16(bits), 0x7FFF);
    } else {
      uint16_t power = ex2ApproxBF16(bits), tanh = tanhApproxBF16(bits);
      Long exact = std::exp2(y);
      if (exact < 0x1.FEp-127L) // the last value that does not round to 2^-126
        ASSERT_EQ(power, 0) << y;
      else
        ASSERT_TRUE(isNearest(power, exact, kInfinityBF16, widenBF16)) << y;
      ASSERT_TRUE(isNearest(tanh, std::tanh(y), kInfinityBF16, widenBF16)) << y;
      ASSERT_EQ(tanh >> 15, bits >> 15);
    }
  }
}

TEST(SpecialFunctions, UpperHalfOfF64) {
  Inputs inputs(43);
  constexpr uint64_t kLow = 0xFFFFFFFF;
  for (int i = 0; i < 100000; ++i) {
    double a = inputs.f64();
    double upper = toF64(toBits(a) & ~kLow);
    double rcp = rcpApproxFtzF64(a), rsqrt = rsqrtApproxFtzF64(a);
    ASSERT_EQ(toBits(rcp) & kLow, 0u);
    ASSERT_EQ(toBits(rsqrt) & kLow, 0u);
    if (!std::isnormal(upper))
      continue;
    Long exact = 1 / Long(upper);
    if (std::fabs(exact) >= 0x1p-1022L) // half a unit of 20 bits
      ASSERT_LE(std::fabs(rcp - exact), std::fabs(exact) * 0x1.0001p-21L) << a;
    if (upper < 0)
      continue;
    exact = 1 / std::sqrt(Long(upper));
    ASSERT_LE(std::fabs(rsqrt - exact), exact * 0x1.0001p-21L) << a;
    exact = 1 / std::sqrt(Long(a));
    ASSERT_LE(std::fabs(rsqrtApproxF64(a) - exact), exact * 0x1p-52L) << a;
  }
  constexpr double kInf = HUGE_VAL;
  struct Row {
    double input, rcp, rsqrt;
  };
  for (const Row &row : {Row{-0.0, -kInf, -kInf}, Row{0.0, kInf, kInf},
                         Row{0x1p-1060, kInf, kInf},
                         Row{-0x1p-1060, -kInf, -kInf}, Row{kInf, 0.0, 0.0}}) {
    EXPECT_EQ(toBits(rcpApproxFtzF64(row.input)), toBits(row.rcp));
    EXPECT_EQ(toBits(rsqrtApproxFtzF64(row.input)), toBits(row.rsqrt));
  }
  EXPECT_EQ(toBits(rcpApproxFtzF64(-kInf)), toBits(-0.0));
  EXPECT_EQ(toBits(rcpApproxFtzF64(0x1p1023)), toBits(0.0)); // flushed
  EXPECT_EQ(toBits(rsqrtApproxFtzF64(-1.0)), 0x7FFFFFFF00000000);
  EXPECT_EQ(toBits(rcpApproxFtzF64(std::nan(""))), 0x7FFFFFFF00000000);
}
