//===- Float64Test.cpp - f64 against exact numbers and the host -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Float64.h"
#include "Exact.h"

#include <cfenv>
#include <gtest/gtest.h>

using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;

namespace {

template <typename Operation>
double onHost(int mode, double a, double b, double c, Operation operation) {
  volatile double va = a, vb = b, vc = c;
  std::fesetround(mode);
  volatile double result = operation(va, vb, vc);
  std::fesetround(FE_TONEAREST);
  return result;
}

#define EXPECT_BITS(actual, expected, a, b, c)                                 \
  ASSERT_EQ(toBits(actual), toBits(expected))                                  \
      << std::hexfloat << "a " << a << " b " << b << " c " << c

/// A NaN's bits are tested apart.
double plain(double value) { return std::isnan(value) ? HUGE_VAL : value; }

template <Rounding R> void checkMode(int mode, double a, double b, double c) {
  EXPECT_BITS(plain(addF64<R>(a, b)),
              plain(onHost(mode, a, b, c,
                           [](double x, double y, double) { return x + y; })),
              a, b, c);
  EXPECT_BITS(plain(subF64<R>(a, b)),
              plain(onHost(mode, a, b, c,
                           [](double x, double y, double) { return x - y; })),
              a, b, c);
  EXPECT_BITS(plain(mulF64<R>(a, b)),
              plain(onHost(mode, a, b, c,
                           [](double x, double y, double) { return x * y; })),
              a, b, c);
  EXPECT_BITS(plain(fmaF64<R>(a, b, c)),
              plain(onHost(mode, a, b, c,
                           [](double x, double y, double z) {
                             return std::fma(x, y, z);
                           })),
              a, b, c);
  EXPECT_BITS(plain(divF64<R>(a, b)),
              plain(onHost(mode, a, b, c,
                           [](double x, double y, double) { return x / y; })),
              a, b, c);
  EXPECT_BITS(plain(rcpF64<R>(a)),
              plain(onHost(mode, 1, a, c,
                           [](double x, double y, double) { return x / y; })),
              a, b, c);
  EXPECT_BITS(
      plain(sqrtF64<R>(a)),
      plain(onHost(mode, a, b, c,
                   [](double x, double, double) { return std::sqrt(x); })),
      a, b, c);
}

template <Rounding R> void checkExact(double a, double b, double c) {
  if (!std::isfinite(a) || !std::isfinite(b) || !std::isfinite(c))
    return;
  Exact sum = addExact(exactOf(a) * exactOf(b), exactOf(c), R);
  EXPECT_BITS(fmaF64<R>(a, b, c), roundToDouble(sum, kF64, R), a, b, c);
}

void checkAll(double a, double b, double c) {
  checkMode<Rounding::RN>(FE_TONEAREST, a, b, c);
  checkMode<Rounding::RZ>(FE_TOWARDZERO, a, b, c);
  checkMode<Rounding::RM>(FE_DOWNWARD, a, b, c);
  checkMode<Rounding::RP>(FE_UPWARD, a, b, c);
  checkExact<Rounding::RN>(a, b, c);
  checkExact<Rounding::RZ>(a, b, c);
  checkExact<Rounding::RM>(a, b, c);
  checkExact<Rounding::RP>(a, b, c);
}

std::vector<double> edgesF64() {
  std::vector<double> result;
  for (double magnitude : {0.0,
                           0x1p-1074,
                           0x1.8p-1073,
                           0x1p-1022 - 0x1p-1074,
                           0x1p-1022,
                           0x1p-1021,
                           0x1p-537,
                           0x1p-511,
                           0.5,
                           1 - 0x1p-53,
                           1.0,
                           1 + 0x1p-52,
                           1.5,
                           3.0,
                           0x1p53,
                           0x1p53 + 2,
                           0x1p511,
                           0x1p1023,
                           0x1.fffffffffffffp1023,
                           HUGE_VAL,
                           std::nan("")})
    for (double sign : {1.0, -1.0})
      result.push_back(std::copysign(magnitude, sign));
  return result;
}

} // namespace

TEST(Float64, ArithmeticOfEdges) {
  for (double a : edgesF64())
    for (double b : edgesF64())
      for (double c : edgesF64()) {
        checkAll(a, b, c);
        if (HasFatalFailure())
          return;
      }
}

TEST(Float64, ArithmeticOfRandomValues) {
  Inputs inputs(21);
  for (int i = 0; i < 100000; ++i) {
    double a = inputs.f64(), b = inputs.f64(), c = inputs.f64();
    if (i % 3 == 0)
      c = toF64(toBits(-(a * b)) + inputs.bits() % 5 - 2);
    if (i % 5 == 0) // an addend at the very end of the product
      c = std::ldexp(c, std::ilogb(a) + std::ilogb(b) - std::ilogb(c) -
                            int(inputs.bits() % 120));
    checkAll(a, b, c);
    if (HasFatalFailure())
      return;
  }
}

TEST(Float64, NaNKeepsThePayload) {
  double signaling = toF64(0xFFF0000000001234),
         quiet = toF64(0x7FF8000000000042);
  constexpr uint64_t kQuiet = 0xFFF8000000001234;
  EXPECT_EQ(toBits(addF64(signaling, 1.0)), kQuiet);
  EXPECT_EQ(toBits(addF64<Rounding::RZ>(1.0, signaling)), kQuiet);
  EXPECT_EQ(toBits(subF64(1.0, signaling)), kQuiet);
  EXPECT_EQ(toBits(subF64<Rounding::RM>(1.0, signaling)), kQuiet);
  EXPECT_EQ(toBits(mulF64<Rounding::RP>(quiet, signaling)), kQuiet);
  EXPECT_EQ(toBits(divF64(signaling, quiet)), kQuiet);
  EXPECT_EQ(toBits(fmaF64(quiet, 1.0, signaling)), kQuiet);
  EXPECT_EQ(toBits(fmaF64<Rounding::RZ>(quiet, signaling, quiet)), kQuiet);
  EXPECT_EQ(toBits(sqrtF64(signaling)), kQuiet);
  EXPECT_EQ(toBits(minF64(quiet, signaling)), kQuiet);
  EXPECT_EQ(toBits(absF64(signaling)), kQuiet);
  EXPECT_EQ(toBits(negF64(signaling)), kQuiet);
  EXPECT_EQ(toBits(addF64(HUGE_VAL, -HUGE_VAL)), kInvalidNaNF64);
  EXPECT_EQ(toBits(mulF64<Rounding::RZ>(0.0, -HUGE_VAL)), kInvalidNaNF64);
  EXPECT_EQ(toBits(sqrtF64<Rounding::RZ>(-1.0)), kInvalidNaNF64);
  EXPECT_EQ(toBits(sqrtF64(-1.0)), kInvalidNaNF64);
}

TEST(Float64, MinMaxAndClasses) {
  for (double a : edgesF64()) {
    int kind = std::fpclassify(a);
    EXPECT_EQ(testF64<FloatClass::Finite>(a), std::isfinite(a));
    EXPECT_EQ(testF64<FloatClass::Infinite>(a), kind == FP_INFINITE);
    EXPECT_EQ(testF64<FloatClass::Number>(a), !std::isnan(a));
    EXPECT_EQ(testF64<FloatClass::NotANumber>(a), kind == FP_NAN);
    EXPECT_EQ(testF64<FloatClass::Normal>(a),
              kind == FP_NORMAL || kind == FP_ZERO);
    EXPECT_EQ(testF64<FloatClass::Subnormal>(a), kind == FP_SUBNORMAL);
    for (double b : edgesF64()) {
      if (std::isnan(a) && std::isnan(b))
        continue;
      double low = std::isnan(a) || b < a ? b : a;
      double high = std::isnan(a) || b > a ? b : a;
      if (a == b) // zeros
        low = std::signbit(a) ? a : b, high = std::signbit(a) ? b : a;
      EXPECT_EQ(toBits(minF64(a, b)), toBits(low));
      EXPECT_EQ(toBits(maxF64(a, b)), toBits(high));
      EXPECT_EQ(toBits(copysignF64(a, b)), toBits(std::copysign(b, a)));
    }
  }
}
