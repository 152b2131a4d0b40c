//===- HalfTest.cpp - f16 and bf16 instructions ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every spelling of f16, f16x2, bf16 and bf16x2. The reference is the exact
// number, in f64 or in two of them, rounded by a search among all values of the
// type.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"
#include "WarpKernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace nvfp4::ptx;

namespace {

/// One of the two types, by its exponent.
struct Form {
  const char *name;
  int exponentBits, mantissaBits;

  uint16_t getInfinity() const {
    return uint16_t(((1 << exponentBits) - 1) << mantissaBits);
  }
  bool isNaN(uint64_t bits) const { return (bits & 0x7FFF) > getInfinity(); }
  uint16_t getSmallestNormal() const { return uint16_t(1 << mantissaBits); }

  double decode(uint64_t bits) const {
    int field = int(bits >> mantissaBits) & ((1 << exponentBits) - 1);
    double mantissa = double(bits & ((1u << mantissaBits) - 1)), value;
    int bias = (1 << (exponentBits - 1)) - 1;
    if (field == (1 << exponentBits) - 1)
      value = mantissa != 0 ? NAN : HUGE_VAL;
    else
      value = field == 0 ? std::ldexp(mantissa, 1 - bias - mantissaBits)
                         : std::ldexp(mantissa + double(1 << mantissaBits),
                                      field - bias - mantissaBits);
    return bits >> 15 & 1 ? -value : value;
  }

  /// The nearest of all values to high + low, where |low| is below what f64
  /// tells apart at high. A tie goes to the even code.
  uint16_t round(double high, double low = 0) const {
    if (std::isnan(high))
      return 0x7FFF;
    uint16_t sign = std::signbit(high) ? 0x8000 : 0;
    if (sign != 0)
      high = -high, low = -low;
    // The first code that is not below, by bisection; infinity stands for the
    // power of two that would follow the largest value.
    unsigned below = 0, above = getInfinity();
    if (std::isinf(high))
      return sign | getInfinity();
    while (above - below > 1) {
      unsigned middle = (below + above) / 2;
      double value = decode(middle);
      (high > value || (high == value && low >= 0) ? below : above) = middle;
    }
    // Exact: both lie close to `high`, or one is 0.
    double next = above == getInfinity()
                      ? 2 * decode(above - 1) - decode(above - 2)
                      : decode(above);
    double half = (decode(below) + next) / 2;
    bool up = high > half || (high == half && low > 0) ||
              (high == half && low == 0 && below % 2 == 1);
    return uint16_t(sign | (up ? above : below));
  }
};
constexpr Form kForms[] = {{"f16", 5, 10}, {"bf16", 8, 7}};

struct Modifiers {
  bool ftz = false, sat = false, relu = false;
};

uint16_t flush(const Form &form, uint64_t bits) {
  bool isTiny = (bits & 0x7FFF) < form.getSmallestNormal();
  return uint16_t(isTiny ? bits & 0x8000 : bits);
}

/// Rounds high + low as the modifiers say.
uint16_t finish(const Form &form, Modifiers modifiers, double high,
                double low = 0) {
  uint16_t bits = form.round(high, low);
  if (modifiers.ftz)
    bits = flush(form, bits);
  bool isNegative = (bits & 0x8000) != 0;
  if (modifiers.relu && isNegative)
    return 0;
  if (modifiers.sat) {
    uint16_t one = form.round(1.0);
    return isNegative || form.isNaN(bits) ? 0 : std::min(bits, one);
  }
  return bits;
}

uint16_t compute(const Form &form, char operation, Modifiers modifiers,
                 const uint64_t *sources) {
  double values[3];
  for (unsigned i = 0; i < (operation == 'f' ? 3u : 2u); ++i)
    values[i] = form.decode(modifiers.ftz ? flush(form, sources[i])
                                          : uint16_t(sources[i]));
  if (operation == '*')
    return finish(form, modifiers, values[0] * values[1]);
  double a = values[0], b = operation == '-' ? -values[1] : values[1];
  if (operation == 'f') {
    a = values[0] * values[1]; // exact
    b = values[2];
  }
  // Two-sum: what the rounded sum lacks.
  double sum = a + b, fromB = sum - a;
  double error = (a - (sum - fromB)) + (b - fromB);
  return finish(form, modifiers, sum, std::isfinite(sum) ? error : 0.0);
}

/// Values of 2^-14, subnormals that round up to it: the numerics test what
/// `.ftz` makes of them.
bool isAtFlushBound(const Form &form, uint16_t bits) {
  return (bits & 0x7FFF) == form.getSmallestNormal();
}

std::vector<uint64_t> edges(const Form &form) {
  std::vector<uint64_t> result;
  unsigned normal = form.getSmallestNormal(), infinity = form.getInfinity(),
           one = form.round(1.0);
  for (unsigned magnitude :
       {0u, 1u, normal - 1, normal, normal + 1, one - 1, one, one + 1,
        one + normal, infinity - 1, infinity, infinity + 1, 0x7FF7u, 0x7FFFu})
    for (unsigned sign : {0u, 0x8000u})
      result.push_back(magnitude | sign);
  return result;
}

/// Rows of single values, or of pairs of them.
std::vector<OperandRow> makeHalfRows(const Form &form, unsigned count,
                                     bool isPair) {
  std::mt19937 engine(7);
  unsigned one = form.round(1.0);
  auto random = [&]() -> uint64_t {
    uint32_t bits = engine();
    if (engine() % 3 != 0)
      bits = (one - 900 + bits % 1800) | (engine() & 0x8000);
    return bits & 0xFFFF;
  };
  std::vector<OperandRow> rows = makeRows(count, edges(form), random);
  if (!isPair)
    return rows;
  // The other half is another row.
  std::vector<OperandRow> pairs = rows;
  for (size_t i = 0; i < rows.size(); ++i)
    for (unsigned k = 0; k < count; ++k)
      pairs[i][k] |= rows[(i * 7 + 3) % rows.size()][k] << 16;
  return pairs;
}

/// Checks single values and pairs against a function of single ones.
void checkHalves(
    const Form &form, const std::string &spelling, unsigned count,
    const std::function<uint16_t(const uint64_t *)> &expected,
    const std::function<bool(uint16_t)> &isOpen = [](uint16_t) {
      return false;
    }) {
  for (bool isPair : {false, true})
    checkAll(spelling + "." + form.name + (isPair ? "x2" : ""),
             std::string(count + 1, isPair ? 'w' : 'h'),
             makeHalfRows(form, count, isPair),
             [&](const OperandRow &row, uint64_t result) {
               for (unsigned shift : isPair ? std::vector<unsigned>{0, 16}
                                            : std::vector<unsigned>{0}) {
                 uint64_t sources[3] = {};
                 for (unsigned i = 0; i < count; ++i)
                   sources[i] = row[i] >> shift & 0xFFFF;
                 uint16_t right = expected(sources);
                 if (right != uint16_t(result >> shift) && !isOpen(right))
                   return false;
               }
               return true;
             });
}

} // namespace

TEST(Half, RoundsArithmeticOnce) {
  struct Row {
    const char *opcode;
    char operation;
  };
  for (const Form &form : kForms)
    for (const Row &row :
         {Row{"add", '+'}, Row{"sub", '-'}, Row{"mul", '*'}, Row{"fma", 'f'}})
      for (unsigned flags = 0; flags < 8; ++flags) {
        Modifiers modifiers{(flags & 1) != 0, (flags & 2) != 0,
                            (flags & 4) != 0};
        bool isF16 = form.exponentBits == 5;
        if ((modifiers.relu && (row.operation != 'f' || modifiers.sat)) ||
            (!isF16 && (modifiers.ftz || modifiers.sat)))
          continue;
        checkHalves(
            form,
            row.opcode + std::string(".rn") + (modifiers.ftz ? ".ftz" : "") +
                (modifiers.sat ? ".sat" : "") + (modifiers.relu ? ".relu" : ""),
            row.operation == 'f' ? 3 : 2,
            [&](const uint64_t *sources) {
              return compute(form, row.operation, modifiers, sources);
            },
            [&](uint16_t right) {
              return modifiers.ftz && isAtFlushBound(form, right);
            });
      }
}

TEST(Half, SkipsWhatIsOutOfBounds) {
  for (const Form &form : kForms)
    for (bool relu : {false, true})
      checkHalves(form, relu ? "fma.rn.oob.relu" : "fma.rn.oob", 3,
                  [&](const uint64_t *sources) -> uint16_t {
                    for (unsigned i : {0, 1})
                      if ((sources[i] & 0x7FFF) == 0x7FF7)
                        return 0;
                    return compute(form, 'f', {false, false, relu}, sources);
                  });
}

TEST(Half, FindsMinimaAndMaxima) {
  for (const Form &form : kForms)
    for (bool max : {false, true})
      for (unsigned flags = 0; flags < 8; ++flags) {
        bool ftz = flags & 1, isNaNKept = flags & 2, xorSign = flags & 4;
        if (ftz && form.exponentBits != 5)
          continue;
        auto expected = [&](const uint64_t *sources) -> uint16_t {
          uint16_t values[2], sign = 0;
          for (unsigned i : {0, 1}) {
            values[i] = ftz ? flush(form, sources[i]) : uint16_t(sources[i]);
            sign ^= xorSign ? values[i] & 0x8000 : 0;
            values[i] &= xorSign ? 0x7FFF : 0xFFFF;
          }
          bool nans[] = {form.isNaN(values[0]), form.isNaN(values[1])};
          if ((nans[0] && nans[1]) || (isNaNKept && (nans[0] || nans[1])))
            return 0x7FFF;
          if (nans[0] || nans[1])
            return sign | values[nans[0]];
          double a = form.decode(values[0]), b = form.decode(values[1]);
          bool isALess = a != b ? a < b : std::signbit(a);
          return sign | values[isALess == max];
        };
        checkHalves(form,
                    std::string(max ? "max" : "min") + (ftz ? ".ftz" : "") +
                        (isNaNKept ? ".NaN" : "") +
                        (xorSign ? ".xorsign.abs" : ""),
                    2, expected);
      }
}

TEST(Half, ChangesSigns) {
  for (const Form &form : kForms)
    for (bool ftz : {false, true}) {
      if (ftz && form.exponentBits != 5)
        continue;
      for (bool isAbs : {false, true})
        checkHalves(form,
                    std::string(isAbs ? "abs" : "neg") + (ftz ? ".ftz" : ""), 1,
                    [&](const uint64_t *sources) -> uint16_t {
                      uint16_t bits =
                          ftz ? flush(form, sources[0]) : uint16_t(sources[0]);
                      if (form.isNaN(bits))
                        return 0x7FFF;
                      return isAbs ? bits & 0x7FFF : bits ^ 0x8000;
                    });
    }
}

TEST(Half, ComparesBothHalves) {
  for (const Form &form : kForms) {
    std::string type = std::string(form.name) + "x2";
    uint64_t one = form.round(1.0);
    checkAll("set.ltu." + type + "." + type, "www", makeHalfRows(form, 2, true),
             [&](const OperandRow &row, uint64_t result) {
               uint64_t expected = 0;
               for (unsigned shift : {0, 16}) {
                 double a = form.decode(row[0] >> shift & 0xFFFF),
                        b = form.decode(row[1] >> shift & 0xFFFF);
                 expected |= (a >= b ? 0 : one) << shift;
               }
               return result == expected;
             });
    checkAll(std::string("set.gt.u16.") + form.name, "hhh",
             makeHalfRows(form, 2, false),
             [&](const OperandRow &row, uint64_t result) {
               return result ==
                      (form.decode(row[0]) > form.decode(row[1]) ? 0xFFFF : 0);
             });
  }
}

TEST(Half, KeepsUndefinedHalvesApart) {
  WarpKernel kernel;
  kernel.inputs = makeInputs([](unsigned lane, unsigned) { return lane; });
  kernel.numOutputs = 3;
  // The upper half of %r1 is never written.
  kernel.body = "mov.b16 %h1, 0x3C00;\n"
                "mov.b32 %r1, {%h1, %h2};\n"
                "fma.rn.f16x2 %out0, %r1, %r1, %r1;\n"
                "neg.bf16x2 %out1, %r1;\n"
                "add.f16x2 %r2, %r1, %r1;\n"
                "mov.b32 {%h3, %h4}, %r2;\n"
                "cvt.u32.u16 %out2, %h3;\n";
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.loadError, "");
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(outcome.undefined[lane][0], 0xFFFF0000u);
    EXPECT_EQ(outcome.undefined[lane][1], 0xFFFF0000u);
    EXPECT_EQ(outcome.undefined[lane][2], 0u);
    EXPECT_EQ(outcome.outputs[lane][2], 0x4000u);
  }
}

TEST(Half, RejectsModifiersThatDoNotBelong) {
  for (const char *spelling :
       {"add.rz.f16", "add.relu.f16", "add.sat.bf16", "mul.ftz.bf16",
        "min.relu.f16", "min.rn.f16", "max.ftz.bf16", "min.abs.f16",
        "copysign.f16", "div.rn.f16", "mul.rn.rn.f16"})
    EXPECT_FALSE(canLoad(spelling, "hhh")) << spelling;
  for (const char *spelling :
       {"fma.rn.sat.relu.f16", "fma.rz.bf16", "fma.rn.oob.ftz.f16",
        "fma.rn.oob.sat.f16", "fma.rn.ftz.bf16", "min.f16"})
    EXPECT_FALSE(canLoad(spelling, "hhhh")) << spelling;
  for (const char *spelling : {"abs.sat.f16", "neg.ftz.bf16", "sqrt.rn.f16"})
    EXPECT_FALSE(canLoad(spelling, "hh")) << spelling;
}
