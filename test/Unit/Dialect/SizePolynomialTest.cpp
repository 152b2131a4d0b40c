//===- SizePolynomialTest.cpp - Sizes that can be compared ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SizePolynomial.h"

#include <gtest/gtest.h>

using namespace nvfp4;

namespace {

SizePolynomial number(int64_t value) { return SizePolynomial::constant(value); }
SizePolynomial n() { return SizePolynomial::symbol(0); }
SizePolynomial m() { return SizePolynomial::symbol(1); }

/// n >= 0, m >= 2, nothing known of others.
std::optional<int64_t> getMinimum(unsigned symbol) {
  if (symbol > 1)
    return std::nullopt;
  return symbol == 0 ? 0 : 2;
}

bool isAtMost(const SizePolynomial &lhs, const SizePolynomial &rhs) {
  return lhs.isAtMost(rhs, getMinimum);
}

TEST(SizePolynomialTest, Arithmetic) {
  SizePolynomial square = (n() + number(3)) * (n() - number(3));
  EXPECT_TRUE(square == n() * n() - number(9));
  EXPECT_TRUE(n() * m() == m() * n());
  EXPECT_EQ((n() - n()).getConstant(), 0);
  EXPECT_EQ(number(7).getConstant(), 7);
  EXPECT_EQ(n().getConstant(), std::nullopt);
  EXPECT_EQ((number(4) * n() * m() + number(64)).str([](unsigned symbol) {
    return symbol ? "m" : "n";
  }),
            "4*n*m + 64");
}

TEST(SizePolynomialTest, DividesOnlyExactly) {
  SizePolynomial bytes = number(128) * n() + number(64);
  EXPECT_TRUE(bytes.divideExactly(64) == number(2) * n() + number(1));
  EXPECT_FALSE(bytes.divideExactly(128).has_value());
}

TEST(SizePolynomialTest, OrdersByCoefficients) {
  EXPECT_TRUE(isAtMost(number(4) * n(), number(8) * n()));
  EXPECT_FALSE(isAtMost(number(8) * n(), number(4) * n()));
  EXPECT_TRUE(isAtMost(n() * n(), n() * n() + number(1)));
  // n may be 0.
  EXPECT_FALSE(isAtMost(number(1), n()));
  // m is at least 2.
  EXPECT_TRUE(isAtMost(number(2), m()));
  EXPECT_TRUE(isAtMost(number(2) * n(), n() * m()));
  EXPECT_FALSE(isAtMost(number(3), m()));
  // n and m are not comparable.
  EXPECT_FALSE(isAtMost(n(), m()));
  EXPECT_FALSE(isAtMost(m(), n()));
}

TEST(SizePolynomialTest, KnowsNothingOfOtherSymbols) {
  SizePolynomial opaque = SizePolynomial::symbol(2);
  EXPECT_FALSE(isAtMost(number(0), opaque));
  EXPECT_FALSE(isAtMost(opaque, number(2) * opaque));
  EXPECT_TRUE(isAtMost(opaque, opaque + number(1)));
}

} // namespace
