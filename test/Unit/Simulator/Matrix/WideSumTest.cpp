//===- WideSumTest.cpp - Exact sums of doubles ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matrix/WideSum.h"
#include "MmaReference.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nvfp4::ptx;

namespace {

TEST(WideSum, RoundsToOdd) {
  WideSum sum;
  sum.add(1);
  EXPECT_EQ(sum.roundToOdd(), 1);
  sum.add(0x1p-200);
  EXPECT_EQ(sum.roundToOdd(), 1 + 0x1p-52);
  sum.add(-0x1p-199);
  EXPECT_EQ(sum.roundToOdd(), 1 - 0x1p-53);
  sum.add(-1);
  EXPECT_EQ(sum.roundToOdd(), -0x1p-200);
  sum.add(0x1p-200);
  EXPECT_EQ(sum.roundToOdd(), 0);
  EXPECT_FALSE(std::signbit(sum.roundToOdd()));
}

TEST(WideSum, CancelsOverItsWholeRange) {
  WideSum sum;
  sum.add(0x1.8p300);
  sum.add(-0x1p-383);
  sum.add(-0x1.8p300);
  EXPECT_EQ(sum.roundToOdd(), -0x1p-383);
}

TEST(WideSum, AgreesWithDigits) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 2000; ++round) {
    WideSum sum;
    test::DigitSum digits;
    for (int i = 0; i < 20; ++i) {
      const double value = std::ldexp(double(int64_t(random()) >> 40),
                                      int(random() % 300) - 150);
      sum.add(value);
      digits.add(value);
    }
    // Rounded once more, to f32.
    EXPECT_EQ(float(sum.roundToOdd()), float(digits.round(24, -126, 127)));
  }
}

} // namespace
