//===- SpecialFunctionsTest.cpp - Approximate instructions ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every spelling against the C library, within a bound of the manual, and the
// edges that all of them have in common: NaN, and subnormals under `.ftz`.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace nvfp4::ptx;

namespace {

/// How a type is read and what it rounds to.
struct Form {
  const char *name;
  char size;
  int exponentBits, mantissaBits;

  double decode(uint64_t bits) const {
    int field = int(bits >> mantissaBits) & ((1 << exponentBits) - 1);
    double mantissa = double(bits & ((uint64_t(1) << mantissaBits) - 1)), value;
    int bias = (1 << (exponentBits - 1)) - 1;
    if (field == (1 << exponentBits) - 1)
      value = mantissa != 0 ? NAN : HUGE_VAL;
    else
      value = std::ldexp(field == 0 ? mantissa
                                    : mantissa + std::ldexp(1, mantissaBits),
                         std::max(field, 1) - bias - mantissaBits);
    return bits >> (exponentBits + mantissaBits) & 1 ? -value : value;
  }
  double getSmallestNormal() const {
    return std::ldexp(1, 2 - (1 << (exponentBits - 1)));
  }
  /// Of subnormal values.
  double getUnit() const {
    return std::ldexp(getSmallestNormal(), -mantissaBits);
  }
};
constexpr Form kF64 = {"f64", 'd', 11, 52};
constexpr Form kF32 = {"f32", 'w', 8, 23};
constexpr Form kF16 = {"f16", 'h', 5, 10};
constexpr Form kBF16 = {"bf16", 'h', 8, 7};

double rcp(double a) { return 1 / a; }
double rsqrt(double a) { return a == 0 ? rcp(a) : 1 / std::sqrt(a); }

/// An instruction of one operand: the function, and bounds of relative and
/// absolute error between `low` and `high` (further out only the edges count).
struct FunctionRow {
  const char *spelling;
  Form form;
  double (*function)(double);
  double relative, absolute, low, high;
  bool ftz = false;
};
const FunctionRow kFunctions[] = {
    {"rcp.approx.f32", kF32, rcp, 0x1p-23, 0, -1e38, 1e38},
    {"rcp.approx.ftz.f32", kF32, rcp, 0x1p-23, 0, -1e37, 1e37, true},
    {"sqrt.approx.f32", kF32, std::sqrt, 0x1p-23, 0, -1e38, 1e38},
    {"sqrt.approx.ftz.f32", kF32, std::sqrt, 0x1p-23, 0, -1e38, 1e38, true},
    {"rsqrt.approx.f32", kF32, rsqrt, 0x1p-22, 0, -1e38, 1e38},
    {"rsqrt.approx.ftz.f32", kF32, rsqrt, 0x1p-22, 0, -1e38, 1e38, true},
    {"sin.approx.f32", kF32, std::sin, 0, 0x1p-20, -3.2, 3.2},
    {"sin.approx.ftz.f32", kF32, std::sin, 0, 0x1p-20, -3.2, 3.2, true},
    {"cos.approx.f32", kF32, std::cos, 0, 0x1p-20, -3.2, 3.2},
    {"cos.approx.ftz.f32", kF32, std::cos, 0, 0x1p-20, -3.2, 3.2, true},
    {"lg2.approx.f32", kF32, std::log2, 0x1p-22, 0x1p-22, -1e38, 1e38},
    {"lg2.approx.ftz.f32", kF32, std::log2, 0x1p-22, 0x1p-22, -1e38, 1e38,
     true},
    {"ex2.approx.f32", kF32, std::exp2, 0x1p-22, 0, -149, 127},
    {"ex2.approx.ftz.f32", kF32, std::exp2, 0x1p-22, 0, -125, 127, true},
    {"tanh.approx.f32", kF32, std::tanh, 0x1p-11, 0, -10, 10},
    {"ex2.approx.f16", kF16, std::exp2, 0x1p-9, 0, -24, 15},
    {"tanh.approx.f16", kF16, std::tanh, 0x1p-10, 0, -10, 10},
    {"ex2.approx.ftz.bf16", kBF16, std::exp2, 0x1p-7, 0, -125, 127, true},
    {"tanh.approx.bf16", kBF16, std::tanh, 0x1p-8, 0, -10, 10},
    {"rcp.approx.ftz.f64", kF64, rcp, 0x1p-20, 0, -1e300, 1e300, true},
    {"rsqrt.approx.ftz.f64", kF64, rsqrt, 0x1p-20, 0, -1e300, 1e300, true},
    {"rsqrt.approx.f64", kF64, rsqrt, 0x1p-51, 0, -1e300, 1e300},
};

bool isRight(const FunctionRow &row, uint64_t source, uint64_t result) {
  // These two read the upper half of a double, whatever the lower one is.
  if (row.ftz && row.form.size == 'd')
    source &= 0xFFFFFFFF00000000;
  double a = row.form.decode(source), got = row.form.decode(result);
  double normal = row.form.getSmallestNormal();
  if (row.ftz && std::fabs(a) < normal)
    a = std::copysign(0.0, a);
  double expected = row.function(a);
  if (std::isnan(expected))
    return std::isnan(got);
  if (row.form.size == 'w')
    expected = double(float(expected)); // overflow
  if (std::isinf(expected) || expected == 0)
    return got == expected && std::signbit(got) == std::signbit(expected);
  if (a < row.low || a > row.high)
    return true;
  if (row.ftz && std::fabs(expected) < normal)
    return std::fabs(got) <= normal * (1 + row.relative);
  double bound = std::fabs(expected) * row.relative + row.absolute;
  return std::fabs(got - expected) <=
         bound + (row.ftz ? 0 : row.form.getUnit());
}

std::vector<OperandRow> makeOperands(const Form &form) {
  std::vector<OperandRow> rows;
  if (form.size == 'h') {
    for (uint64_t bits = 0; bits < 0x10000; ++bits)
      rows.push_back({bits});
    return rows;
  }
  int signBit = form.exponentBits + form.mantissaBits;
  uint64_t one = ((uint64_t(1) << (form.exponentBits - 1)) - 1)
                 << form.mantissaBits;
  uint64_t normal = uint64_t(1) << form.mantissaBits;
  uint64_t infinity = (uint64_t(1) << signBit) - normal;
  for (uint64_t magnitude :
       {uint64_t(0), uint64_t(1), normal - 1, normal, normal + 1, one - 1, one,
        one + 1, one + normal, infinity - normal, infinity - 1, infinity,
        infinity + 1, infinity + normal / 2})
    for (uint64_t sign : {0, 1})
      rows.push_back({magnitude | sign << signBit});
  std::mt19937_64 engine(3);
  for (unsigned i = 0; i < 4000; ++i) {
    uint64_t bits = engine() >> (63 - signBit);
    // Mostly between 2^-12 and 2^8.
    if (i % 4 != 0)
      bits = (bits & (normal - 1)) | (one + (engine() % 20 - 12) * normal) |
             (bits >> signBit << signBit);
    rows.push_back({bits});
  }
  return rows;
}

float asF32(uint64_t bits) { return float(kF32.decode(bits)); }

} // namespace

TEST(SpecialFunctions, StayWithinTheirBounds) {
  for (const FunctionRow &row : kFunctions)
    checkAll(row.spelling, std::string(2, row.form.size),
             makeOperands(row.form),
             [&](const OperandRow &operands, uint64_t result) {
               return isRight(row, operands[0], result);
             });
}

TEST(SpecialFunctions, ComputeBothHalves) {
  for (const char *spelling : {"ex2.approx.f16", "tanh.approx.f16",
                               "ex2.approx.ftz.bf16", "tanh.approx.bf16"}) {
    std::vector<OperandRow> rows = makeOperands(kF16), pairs;
    std::vector<uint64_t> single = applyToAll(spelling, "hh", rows);
    for (size_t i = 0; i < rows.size(); ++i)
      pairs.push_back({rows[i][0] | rows[rows.size() - 1 - i][0] << 16});
    std::vector<uint64_t> packed =
        applyToAll(spelling + std::string("x2"), "ww", pairs);
    ASSERT_EQ(packed.size(), single.size());
    for (size_t i = 0; i < packed.size(); ++i)
      ASSERT_EQ(packed[i], single[i] | single[single.size() - 1 - i] << 16)
          << spelling << " of " << i;
  }
}

TEST(SpecialFunctions, DivideApproximately) {
  std::vector<OperandRow> rows;
  std::vector<OperandRow> values = makeOperands(kF32);
  for (size_t i = 0; i < values.size(); ++i)
    rows.push_back({values[i][0], values[(i * 13 + 5) % values.size()][0]});
  for (const char *spelling : {"div.approx.f32", "div.approx.ftz.f32",
                               "div.full.f32", "div.full.ftz.f32"}) {
    bool ftz = std::strstr(spelling, "ftz");
    checkAll(
        spelling, "www", rows, [&](const OperandRow &row, uint64_t result) {
          double a = asF32(row[0]), b = asF32(row[1]);
          double expected = a / b, got = asF32(result);
          // Beyond 2^126 the result is 0 or NaN; subnormals vary.
          if (std::fabs(b) > 0x1p126 || std::fabs(b) < 0x1p-126 ||
              std::fabs(a) < 0x1p-126)
            return true;
          if (std::isnan(expected))
            return std::isnan(got);
          if (std::fabs(expected) < 0x1p-126)
            return std::fabs(got) <= (ftz ? 0 : 0x1p-126);
          if (std::fabs(expected) >= 0x1p128)
            return std::isinf(got);
          return std::fabs(got - expected) <= std::fabs(expected) * 0x1p-22;
        });
  }
  // 2^127 is where the reciprocal is flushed.
  auto one = applyToAll("div.approx.f32", "www", {{0x7F000000, 0x7F000000}});
  auto full = applyToAll("div.full.f32", "www", {{0x7F000000, 0x7F000000}});
  EXPECT_EQ(one, std::vector<uint64_t>{0});
  EXPECT_EQ(full, std::vector<uint64_t>{0x3F800000});
}

TEST(SpecialFunctions, RejectModifiersThatDoNotBelong) {
  for (const char *spelling :
       {"sin.f32", "cos.rn.approx.f32", "lg2.f32", "ex2.ftz.f32",
        "tanh.approx.ftz.f32", "rsqrt.rn.f32", "rsqrt.f32",
        "sin.approx.sat.f32"})
    EXPECT_FALSE(canLoad(spelling, "ww")) << spelling;
  for (const char *spelling : {"ex2.approx.bf16", "ex2.approx.ftz.f16",
                               "tanh.approx.ftz.bf16", "sin.approx.f16"})
    EXPECT_FALSE(canLoad(spelling, "hh")) << spelling;
  for (const char *spelling :
       {"sin.approx.f64", "ex2.approx.f64", "rsqrt.rn.f64", "tanh.approx.f64"})
    EXPECT_FALSE(canLoad(spelling, "dd")) << spelling;
}
