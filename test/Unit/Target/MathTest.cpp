//===- MathTest.cpp - Expanded functions against the C library ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles one function per math op and compares it with the C library in long
// double, on a grid over the bit patterns of f32 and on the special values.
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

std::string getModule(const std::string &op, const std::string &type,
                      bool isBinary) {
  std::string tensor = "tensor<?x" + type + ">";
  std::string second =
      isBinary ? ", %y: " + tensor + " {nvfp4.shape = [\"n\"]}" : "";
  return "#id = affine_map<(d0) -> (d0)>\n"
         "func.func @main(%x: " +
         tensor + " {nvfp4.shape = [\"n\"]}" + second + ") -> (" + tensor +
         " {nvfp4.shape = [\"n\"]}) {\n"
         "  %c0 = arith.constant 0 : index\n"
         "  %n = tensor.dim %x, %c0 : " +
         tensor +
         "\n"
         "  %e = tensor.empty(%n) : " +
         tensor +
         "\n"
         "  %r = linalg.generic {indexing_maps = [#id" +
         (isBinary ? ", #id" : "") +
         ", #id], iterator_types = [\"parallel\"]}"
         " ins(%x" +
         (isBinary ? ", %y" : "") + " : " + tensor +
         (isBinary ? ", " + tensor : "") + ") outs(%e : " + tensor +
         ") {\n"
         "  ^bb0(%a: " +
         type + (isBinary ? ", %b: " + type : "") + ", %o: " + type +
         "):\n"
         "    %v = " +
         op + " %a" + (isBinary ? ", %b" : "") + " : " + type +
         "\n    linalg.yield %v : " + type +
         "\n"
         "  } -> " +
         tensor +
         "\n"
         "  return %r : " +
         tensor + "\n}\n";
}

/// Distance in units in the last place of the expected value.
double getUlps(float actual, long double expected) {
  float rounded = static_cast<float>(expected);
  if (std::isnan(rounded) || std::isnan(actual))
    return std::isnan(rounded) == std::isnan(actual)
               ? 0
               : std::numeric_limits<double>::infinity();
  if (std::isinf(rounded) || std::isinf(actual))
    return rounded == actual ? 0 : std::numeric_limits<double>::infinity();
  int exponent;
  std::frexp(rounded, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::abs(double(actual - expected)) / unit;
}

/// Values of every exponent, both signs, and the special ones.
std::vector<float> getInputs() {
  std::vector<float> inputs;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 64997)
    inputs.push_back(llvm::bit_cast<float>(uint32_t(bits)));
  for (float x = -20; x < 20; x += 0.00173f)
    inputs.push_back(x);
  for (float x : {0.0f, 1.0f, 0.5f, 2.0f, 3.0f, 88.7f, 103.9f, 10.1f})
    inputs.insert(inputs.end(), {x, -x});
  float inf = std::numeric_limits<float>::infinity();
  inputs.insert(inputs.end(), {inf, -inf, std::nanf("")});
  return inputs;
}

using UnaryFn = long double (*)(long double);

struct UnaryCase {
  const char *op;
  UnaryFn expected;
  /// Inputs beyond are not checked: no reduction of larger angles.
  float limit;
  /// The bound that the documentation states.
  double ulps;
};

void PrintTo(const UnaryCase &value, std::ostream *os) { *os << value.op; }

long double rsqrtl(long double x) { return 1 / sqrtl(x); }

const float kAll = std::numeric_limits<float>::infinity();
const UnaryCase kUnaryCases[] = {
    {"math.exp", expl, kAll, 1.5},      {"math.exp2", exp2l, kAll, 0.51},
    {"math.expm1", expm1l, kAll, 0.51}, {"math.log", logl, kAll, 0.51},
    {"math.log2", log2l, kAll, 0.51},   {"math.log10", log10l, kAll, 0.51},
    {"math.log1p", log1pl, kAll, 0.51}, {"math.cbrt", cbrtl, kAll, 0.51},
    {"math.sin", sinl, 0x1p50f, 0.51},  {"math.cos", cosl, 0x1p50f, 0.51},
    {"math.tan", tanl, 0x1p50f, 0.51},  {"math.asin", asinl, kAll, 0.51},
    {"math.acos", acosl, kAll, 0.51},   {"math.atan", atanl, kAll, 0.51},
    {"math.sinh", sinhl, kAll, 0.51},   {"math.cosh", coshl, kAll, 0.51},
    {"math.tanh", tanhl, kAll, 1.5},    {"math.asinh", asinhl, kAll, 0.51},
    {"math.acosh", acoshl, kAll, 0.51}, {"math.atanh", atanhl, kAll, 0.51},
    {"math.erf", erfl, kAll, 1.5},      {"math.erfc", erfcl, kAll, 0.52},
    {"math.rsqrt", rsqrtl, kAll, 1.5},  {"math.sqrt", sqrtl, kAll, 0.51},
    {"math.floor", floorl, kAll, 0},    {"math.ceil", ceill, kAll, 0},
    {"math.round", roundl, kAll, 0},    {"math.trunc", truncl, kAll, 0},
};

class UnaryMathTest : public ::testing::TestWithParam<UnaryCase> {};

TEST_P(UnaryMathTest, AgreesWithTheCLibrary) {
  const UnaryCase &param = GetParam();
  CompiledProgram program(getModule(param.op, "f32", /*isBinary=*/false));
  ASSERT_TRUE(program.isLoaded());
  std::vector<float> x = getInputs();
  std::vector<float> y =
      program.run(0, {int64_t(x.size())}, {x.data()}, {1}, {4}).get<float>(0);
  double worst = 0;
  float where = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::abs(x[i]) > param.limit)
      continue;
    double ulps = getUlps(y[i], param.expected(x[i]));
    if (!(ulps <= worst)) {
      worst = ulps;
      where = x[i];
    }
  }
  EXPECT_LE(worst, param.ulps) << "at " << where;
  RecordProperty("worst_ulps", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(F32, UnaryMathTest, ::testing::ValuesIn(kUnaryCases),
                         [](const auto &info) {
                           return std::string(info.param.op).substr(5);
                         });

using BinaryFn = long double (*)(long double, long double);

double getWorst(const std::string &op, BinaryFn expected) {
  CompiledProgram program(getModule(op, "f32", /*isBinary=*/true));
  if (!program.isLoaded())
    return -1;
  float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {
      0.0f,   -0.0f,   1.0f,  -1.0f,   0.5f,  -0.5f, 2.0f, -2.0f,
      3.0f,   -3.0f,   1.5f,  7.25f,   -9.0f, 1e-3f, 1e3f, 1e10f,
      1e-10f, -1e-40f, 1e30f, 0.9999f, 17.3f, inf,   -inf, std::nanf("")};
  for (float x = -6; x < 6; x += 0.37f)
    values.push_back(x);
  std::vector<float> x, y;
  for (float a : values)
    for (float b : values) {
      x.push_back(a);
      y.push_back(b);
    }
  std::vector<float> z =
      program.run(0, {int64_t(x.size())}, {x.data(), y.data()}, {1}, {4})
          .get<float>(0);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double ulps = getUlps(z[i], expected(x[i], y[i]));
    if (!(ulps <= 0.51))
      ADD_FAILURE() << op << "(" << x[i] << ", " << y[i] << ") = " << z[i]
                    << ", expected " << (float)expected(x[i], y[i]);
    worst = std::max(worst, ulps);
  }
  return worst;
}

TEST(BinaryMathTest, Powf) { EXPECT_GE(getWorst("math.powf", powl), 0); }
TEST(BinaryMathTest, Atan2) { EXPECT_GE(getWorst("math.atan2", atan2l), 0); }

TEST(BinaryMathTest, Remf) {
  CompiledProgram program(getModule("arith.remf", "f32", /*isBinary=*/true));
  ASSERT_TRUE(program.isLoaded());
  std::vector<float> x = {5.5f, -5.5f, 1e6f, 3.0f, 0.1f, -0.0f, 7.0f};
  std::vector<float> y = {2.0f, 2.0f, 0.3f, INFINITY, -3.0f, 2.0f, 0.0f};
  std::vector<float> z =
      program.run(0, {int64_t(x.size())}, {x.data(), y.data()}, {1}, {4})
          .get<float>(0);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(getUlps(z[i], fmodl(x[i], y[i])), 0)
        << x[i] << " mod " << y[i] << " = " << z[i];
}

TEST(UnaryMathTest, F64IsAccurateToo) {
  const UnaryCase cases[] = {
      {"math.exp", expl, 700, 0},   {"math.log", logl, kAll, 0},
      {"math.sin", sinl, 1e6, 0},   {"math.tanh", tanhl, kAll, 0},
      {"math.erf", erfl, kAll, 0},  {"math.erfc", erfcl, 20, 0},
      {"math.atan", atanl, kAll, 0}};
  for (const UnaryCase &param : cases) {
    CompiledProgram program(getModule(param.op, "f64", /*isBinary=*/false));
    ASSERT_TRUE(program.isLoaded());
    std::vector<double> x;
    for (double v = -25; v < 25; v += 0.00371)
      x.push_back(v);
    x.insert(x.end(), {1e-300, 1e300, 1e-5, 1.0, 0.0});
    std::vector<double> y =
        program.run(0, {int64_t(x.size())}, {x.data()}, {1}, {8})
            .get<double>(0);
    for (size_t i = 0; i < x.size(); ++i) {
      long double expected = param.expected(x[i]);
      if (std::abs(x[i]) > param.limit || !std::isfinite(double(expected)))
        continue;
      // Near a zero of the sine only the absolute error is small.
      double scale = std::max<double>(std::abs(double(expected)),
                                      param.expected == sinl ? 1e-3 : 0);
      EXPECT_LE(std::abs(double(y[i] - expected)), 2e-13 * scale)
          << param.op << "(" << x[i] << ")";
    }
  }
}

TEST(UnaryMathTest, NarrowFloatsAreComputedInF32) {
  for (const char *type : {"f16", "bf16"}) {
    CompiledProgram program(getModule("math.tanh", type, /*isBinary=*/false));
    ASSERT_TRUE(program.isLoaded());
    // 0.5 in either type; tanh(0.5) = 0.46212.
    bool isHalf = std::string(type) == "f16";
    uint16_t x = isHalf ? 0x3800 : 0x3f00;
    uint16_t y = program.run(0, {1}, {&x}, {1}, {2}).get<uint16_t>(0).front();
    EXPECT_EQ(y, isHalf ? 0x3765 : 0x3eed) << type;
  }
}

TEST(DivisionTest, IsTotal) {
  for (const char *op :
       {"arith.divsi", "arith.remsi", "arith.divui", "arith.remui",
        "arith.floordivsi", "arith.ceildivsi"}) {
    CompiledProgram program(getModule(op, "i32", /*isBinary=*/true));
    ASSERT_TRUE(program.isLoaded());
    std::vector<int32_t> x = {7, std::numeric_limits<int32_t>::min(), -7, 9};
    std::vector<int32_t> y = {0, -1, 2, 3};
    std::vector<int32_t> z =
        program.run(0, {4}, {x.data(), y.data()}, {1}, {4}).get<int32_t>(0);
    std::string name(op);
    if (name == "arith.divsi")
      EXPECT_EQ(z, (std::vector<int32_t>{7, x[1], -3, 3}));
    if (name == "arith.remsi")
      EXPECT_EQ(z, (std::vector<int32_t>{0, 0, -1, 0}));
    if (name == "arith.floordivsi")
      EXPECT_EQ(z[2], -4);
    if (name == "arith.ceildivsi")
      EXPECT_EQ(z[2], -3);
  }
}

} // namespace
