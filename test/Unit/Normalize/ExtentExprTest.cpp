//===- ExtentExprTest.cpp - Polynomials over extents ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExtentExpr.h"

#include "gtest/gtest.h"

using namespace nvfp4;

namespace {

const ExtentExpr kBatch = ExtentExpr::getSymbol(0);
const ExtentExpr kSequence = ExtentExpr::getSymbol(1);

std::string print(const std::optional<ExtentExpr> &expr) {
  if (!expr)
    return "none";
  return expr->toString(
      [](SymbolId id) { return id == 0 ? "batch" : "sequence"; });
}

ExtentExpr times(const ExtentExpr &lhs, const ExtentExpr &rhs) {
  return *multiply(lhs, rhs);
}

TEST(ExtentExpr, HasOneNormalForm) {
  ExtentExpr square = times(*add(kBatch, kSequence), *add(kBatch, kSequence));
  ExtentExpr twice = times(ExtentExpr(2), times(kSequence, kBatch));
  ExtentExpr sum =
      *add(*add(times(kBatch, kBatch), twice), times(kSequence, kSequence));
  EXPECT_EQ(square, sum);
  EXPECT_TRUE(subtract(square, sum)->isZero());
}

TEST(ExtentExpr, PrintsConstantsLast) {
  EXPECT_EQ(print(ExtentExpr(0)), "0");
  EXPECT_EQ(print(subtract(times(ExtentExpr(32), kBatch), ExtentExpr(1))),
            "32 * batch - 1");
  EXPECT_EQ(print(multiply(kBatch, ExtentExpr(-1))), "-batch");
  EXPECT_EQ(print(times(kBatch, kSequence)), "batch * sequence");
  EXPECT_EQ(print(ExtentExpr(INT64_MIN)), "-9223372036854775808");
}

TEST(ExtentExpr, DividesExactlyOrNotAtAll) {
  ExtentExpr rows = times(kBatch, kSequence);
  EXPECT_EQ(print(divideExactly(times(ExtentExpr(12288), kBatch),
                                times(ExtentExpr(1024), kBatch))),
            "12");
  EXPECT_EQ(print(divideExactly(rows, kSequence)), "batch");
  EXPECT_EQ(print(divideExactly(kBatch, kSequence)), "none");
  EXPECT_EQ(print(divideExactly(kBatch, ExtentExpr(2))), "none");
  EXPECT_EQ(print(divideExactly(kBatch, ExtentExpr(0))), "none");
  EXPECT_EQ(print(divideExactly(ExtentExpr(0), kBatch)), "0");
  // A divisor with several terms.
  ExtentExpr difference = *subtract(kBatch, kSequence);
  EXPECT_EQ(print(divideExactly(times(ExtentExpr(32), difference), difference)),
            "32");
  EXPECT_EQ(print(divideExactly(ExtentExpr(INT64_MIN), ExtentExpr(-1))),
            "none");
}

TEST(ExtentExpr, RefusesToOverflow) {
  ExtentExpr large(INT64_MAX);
  EXPECT_EQ(print(add(large, ExtentExpr(1))), "none");
  EXPECT_EQ(print(multiply(times(large, kBatch), ExtentExpr(2))), "none");
  EXPECT_EQ(print(subtract(ExtentExpr(0), ExtentExpr(INT64_MIN))), "none");
  // 2^16 terms, and a degree beyond any shape.
  std::optional<ExtentExpr> power = kBatch;
  for (int i = 0; i < 20 && power; ++i)
    power = multiply(*power, kBatch);
  EXPECT_EQ(print(power), "none");
}

TEST(ExtentExpr, SubstitutesEveryPower) {
  ExtentExpr square = times(kBatch, kBatch);
  EXPECT_EQ(print(square.substitute(0, ExtentExpr(3))), "9");
  EXPECT_EQ(print(square.substitute(1, ExtentExpr(3))), "batch * batch");
  EXPECT_EQ(
      print(add(square, kBatch)->substitute(0, *add(kSequence, ExtentExpr(1)))),
      "3 * sequence + sequence * sequence + 2");
}

TEST(ExtentExpr, KnowsConstantsAndSymbols) {
  EXPECT_EQ(ExtentExpr(7).getConstant(), 7);
  EXPECT_EQ(ExtentExpr(0).getConstant(), 0);
  EXPECT_EQ(kBatch.getConstant(), std::nullopt);
  EXPECT_EQ(kSequence.getSingleSymbol(), 1u);
  EXPECT_EQ(times(ExtentExpr(2), kBatch).getSingleSymbol(), std::nullopt);
  EXPECT_EQ(times(kSequence, kBatch).getSymbols().size(), 2u);
}

} // namespace
