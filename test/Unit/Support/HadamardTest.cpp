//===- HadamardTest.cpp - The transform is orthogonal ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/Hadamard.h"

#include "TestMatrices.h"

#include "gtest/gtest.h"

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

/// Fact sheet example H.
TEST(Hadamard, ExampleH) {
  float group[16] = {16};
  applyHadamard(group);
  for (float value : group)
    EXPECT_EQ(value, 4.0f);

  // s[3] = -1, and row 3 of the matrix is + - - + ….
  float other[16] = {0, 0, 0, 16};
  applyHadamard(other);
  const float expected[4] = {-4, 4, 4, -4};
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(other[i], expected[i % 4]);
}

TEST(Hadamard, SignsAreThoseOfTransformerEngine) {
  const char *signs = "+++-+------+-+--";
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(kDefaultHadamardSigns >> i & 1, signs[i] == '-') << i;
}

TEST(Hadamard, MatrixIsSylvesters) {
  // H(2n) = [[H, H], [H, -H]].
  for (int size = 1; size < 16; size *= 2)
    for (int row = 0; row < size; ++row)
      for (int col = 0; col < size; ++col) {
        int entry = getHadamardEntry(row, col);
        EXPECT_EQ(getHadamardEntry(row + size, col), entry);
        EXPECT_EQ(getHadamardEntry(row, col + size), entry);
        EXPECT_EQ(getHadamardEntry(row + size, col + size), -entry);
      }
}

/// (x R) . (y R) is x . y; with small integers even without rounding error.
TEST(Hadamard, CancelsInADotProduct) {
  Random random(1);
  for (int trial = 0; trial < 100; ++trial) {
    uint16_t signs =
        trial == 0 ? kDefaultHadamardSigns : uint16_t(random.next32());
    float x[16], y[16];
    double expected = 0, actual = 0;
    for (int i = 0; i < 16; ++i) {
      x[i] = float(int(random.below(201)) - 100);
      y[i] = float(int(random.below(201)) - 100);
      expected += double(x[i]) * y[i];
    }
    applyHadamard(x, signs);
    applyHadamard(y, signs);
    for (int i = 0; i < 16; ++i)
      actual += double(x[i]) * y[i];
    EXPECT_EQ(actual, expected);
  }
}

} // namespace
