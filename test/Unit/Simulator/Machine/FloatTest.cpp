//===- FloatTest.cpp - f32 and f64 instructions ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every spelling of the arithmetic of f32, f32x2, f64 and mixed precision
// against the host, which computes in the rounding mode of the instruction.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace nvfp4::ptx;

namespace {

constexpr uint32_t kNaN = 0x7FFFFFFF;

float asF32(uint64_t bits) {
  uint32_t word = uint32_t(bits);
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}
double asF64(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, 8);
  return value;
}
uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
uint64_t bitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, 8);
  return bits;
}
/// From the fields, for the 5 or 8 bits of exponent of f16 and bf16.
float widen(uint64_t bits, int exponentBits) {
  if (exponentBits == 8)
    return asF32(bits << 16);
  int field = int(bits >> 10 & 31);
  double mantissa = double(bits & 1023), value;
  if (field == 31)
    value = mantissa != 0 ? NAN : HUGE_VAL;
  else
    value = field == 0 ? std::ldexp(mantissa, -24)
                       : std::ldexp(mantissa + 1024, field - 25);
  return float(bits >> 15 & 1 ? -value : value);
}

//===----------------------------------------------------------------------===//
// The host
//===----------------------------------------------------------------------===//

enum class Operation { Add, Sub, Mul, Fma, Div, Rcp, Sqrt };
struct OperationRow {
  const char *opcode;
  Operation operation;
  unsigned numSources;
};
constexpr OperationRow kOperations[] = {
    {"add", Operation::Add, 2}, {"sub", Operation::Sub, 2},
    {"mul", Operation::Mul, 2}, {"fma", Operation::Fma, 3},
    {"mad", Operation::Fma, 3}, {"div", Operation::Div, 2},
    {"rcp", Operation::Rcp, 1}, {"sqrt", Operation::Sqrt, 1},
};
struct ModeRow {
  const char *name;
  int mode;
};
constexpr ModeRow kModes[] = {{".rn", FE_TONEAREST},
                              {".rz", FE_TOWARDZERO},
                              {".rm", FE_DOWNWARD},
                              {".rp", FE_UPWARD}};

/// Volatile, so that everything happens between the two changes of the mode.
template <typename T>
T computeOnHost(Operation operation, int mode, T a, T b, T c) {
  volatile T va = a, vb = b, vc = c, result = T(0);
  std::fesetround(mode);
  switch (operation) {
  case Operation::Add:
    result = va + vb;
    break;
  case Operation::Sub:
    result = va - vb;
    break;
  case Operation::Mul:
    result = va * vb;
    break;
  case Operation::Fma:
    result = std::fma(T(va), T(vb), T(vc));
    break;
  case Operation::Div:
    result = va / vb;
    break;
  case Operation::Rcp:
    result = T(1) / va;
    break;
  case Operation::Sqrt:
    result = std::sqrt(T(va));
    break;
  }
  std::fesetround(FE_TONEAREST);
  return result;
}

float flush(float value) {
  return std::fabs(value) < std::numeric_limits<float>::min()
             ? std::copysign(0.0f, value)
             : value;
}
/// [+0, 1]; NaN is +0.
float saturate(float value) {
  return value > 0 ? std::fmin(value, 1.0f) : 0.0f;
}

struct F32Modifiers {
  int mode = FE_TONEAREST;
  bool ftz = false, sat = false;
};
bool isRightF32(Operation operation, F32Modifiers modifiers, float a, float b,
                float c, uint32_t result) {
  if (modifiers.ftz)
    a = flush(a), b = flush(b), c = flush(c);
  float expected = computeOnHost(operation, modifiers.mode, a, b, c);
  // What rounds to 2^-126 is flushed or not by rules of its own; the numerics
  // have a test for them.
  if (modifiers.ftz && std::fabs(expected) == std::numeric_limits<float>::min())
    return true;
  if (modifiers.ftz)
    expected = flush(expected);
  if (modifiers.sat)
    return result == bitsOf(saturate(expected));
  return result == (std::isnan(expected) ? kNaN : bitsOf(expected));
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

std::vector<uint64_t> edgesF32() {
  std::vector<uint64_t> edges;
  for (uint32_t magnitude :
       {0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x00800001, 0x33800000,
        0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x40400000, 0x4B800001,
        0x7F000000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC12345})
    for (uint32_t sign : {0u, 0x80000000u})
      edges.push_back(magnitude | sign);
  return edges;
}
std::vector<uint64_t> edgesF64() {
  std::vector<uint64_t> edges;
  for (uint64_t magnitude : std::initializer_list<uint64_t>{
           0x0000000000000000, 0x0000000000000001, 0x000FFFFFFFFFFFFF,
           0x0010000000000000, 0x0010000000000001, 0x3CA0000000000000,
           0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF0000000000001,
           0x4008000000000000, 0x4340000000000001, 0x7FE0000000000000,
           0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF0000000000001,
           0x7FF8123456789ABC})
    for (uint64_t sign : {uint64_t(0), uint64_t(1) << 63})
      edges.push_back(magnitude | sign);
  return edges;
}
/// Any bits, or an exponent near that of 1.
struct RandomBits {
  std::mt19937_64 engine{42};
  uint64_t f32() {
    uint32_t bits = uint32_t(engine());
    if (engine() % 4 == 0)
      return bits;
    return (bits & 0x807FFFFF) | uint32_t(115 + engine() % 26) << 23;
  }
  uint64_t f64() {
    uint64_t bits = engine();
    if (engine() % 4 == 0)
      return bits;
    return (bits & 0x800FFFFFFFFFFFFF) | (990 + engine() % 66) << 52;
  }
};

std::vector<OperandRow> rowsF32(unsigned count) {
  RandomBits random;
  return makeRows(count, edgesF32(), [&] { return random.f32(); });
}
std::vector<OperandRow> rowsF64(unsigned count) {
  RandomBits random;
  return makeRows(count, edgesF64(), [&] { return random.f64(); });
}
uint64_t get(const OperandRow &row, size_t i) {
  return i < row.size() ? row[i] : 0;
}

} // namespace

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

TEST(Float32, RoundsInEveryMode) {
  for (const OperationRow &operation : kOperations) {
    std::vector<OperandRow> rows = rowsF32(operation.numSources);
    bool saturates = operation.operation < Operation::Div;
    for (const ModeRow &mode : kModes)
      for (unsigned flags = 0; flags < (saturates ? 4u : 2u); ++flags) {
        F32Modifiers modifiers{mode.mode, (flags & 1) != 0, (flags & 2) != 0};
        std::string spelling = operation.opcode + std::string(mode.name) +
                               (modifiers.ftz ? ".ftz" : "") +
                               (modifiers.sat ? ".sat" : "") + ".f32";
        checkAll(spelling, std::string(operation.numSources + 1, 'w'), rows,
                 [&](const OperandRow &row, uint64_t result) {
                   return isRightF32(operation.operation, modifiers,
                                     asF32(row[0]), asF32(get(row, 1)),
                                     asF32(get(row, 2)), uint32_t(result));
                 });
      }
  }
}

TEST(Float32, RoundsToNearestByDefault) {
  for (const char *opcode : {"add", "sub", "mul"}) {
    std::vector<OperandRow> rows = rowsF32(2);
    EXPECT_EQ(applyToAll(std::string(opcode) + ".f32", "www", rows),
              applyToAll(std::string(opcode) + ".rn.f32", "www", rows));
  }
}

TEST(Float32, ComputesPairs) {
  RandomBits random;
  auto pair = [&] { return random.f32() | random.f32() << 32; };
  std::vector<uint64_t> edges;
  for (uint64_t edge : edgesF32())
    edges.push_back(edge << 32 | 0x3F800000);
  for (const OperationRow &operation : kOperations) {
    if (operation.operation > Operation::Fma ||
        operation.opcode == std::string("mad"))
      continue;
    std::vector<OperandRow> rows = makeRows(operation.numSources, edges, pair);
    for (const ModeRow &mode : kModes)
      for (bool ftz : {false, true})
        checkAll(operation.opcode + std::string(mode.name) +
                     (ftz ? ".ftz" : "") + ".f32x2",
                 std::string(operation.numSources + 1, 'd'), rows,
                 [&](const OperandRow &row, uint64_t result) {
                   for (unsigned shift : {0, 32})
                     if (!isRightF32(operation.operation, {mode.mode, ftz},
                                     asF32(row[0] >> shift),
                                     asF32(row[1] >> shift),
                                     asF32(get(row, 2) >> shift),
                                     uint32_t(result >> shift)))
                       return false;
                   return true;
                 });
  }
}

TEST(Float32, MixesWithHalves) {
  RandomBits random;
  struct Half {
    const char *type;
    int exponentBits;
  };
  for (const Half &half : {Half{".f16", 5}, Half{".bf16", 8}})
    for (const ModeRow &mode : kModes)
      for (bool sat : {false, true})
        for (const OperationRow &operation : kOperations) {
          bool isFma = operation.opcode == std::string("fma");
          if (operation.operation > Operation::Sub && !isFma)
            continue;
          std::vector<OperandRow> rows;
          for (unsigned i = 0; i < 2000; ++i) {
            rows.push_back({random.engine() & 0xFFFF});
            if (isFma)
              rows.back().push_back(random.engine() & 0xFFFF);
            rows.back().push_back(random.f32());
          }
          checkAll(operation.opcode + std::string(mode.name) +
                       (sat ? ".sat" : "") + ".f32" + half.type,
                   isFma ? "whhw" : "whw", rows,
                   [&](const OperandRow &row, uint64_t result) {
                     float a = widen(row[0], half.exponentBits);
                     float b = isFma ? widen(row[1], half.exponentBits)
                                     : asF32(row[1]);
                     return isRightF32(operation.operation,
                                       {mode.mode, false, sat}, a, b,
                                       asF32(get(row, 2)), uint32_t(result));
                   });
        }
}

TEST(Float64, RoundsInEveryMode) {
  for (const OperationRow &operation : kOperations) {
    std::vector<OperandRow> rows = rowsF64(operation.numSources);
    for (const ModeRow &mode : kModes)
      checkAll(operation.opcode + std::string(mode.name) + ".f64",
               std::string(operation.numSources + 1, 'd'), rows,
               [&](const OperandRow &row, uint64_t result) {
                 double expected = computeOnHost(
                     operation.operation, mode.mode, asF64(row[0]),
                     asF64(get(row, 1)), asF64(get(row, 2)));
                 return std::isnan(expected) ? std::isnan(asF64(result))
                                             : result == bitsOf(expected);
               });
  }
}

//===----------------------------------------------------------------------===//
// min, max, signs
//===----------------------------------------------------------------------===//

/// Skips NaN unless told otherwise; -0 is below +0.
template <typename T> static T pick(bool max, bool isNaNKept, T a, T b) {
  if (std::isnan(a) || std::isnan(b)) {
    if (isNaNKept)
      return std::numeric_limits<T>::quiet_NaN();
    return std::isnan(a) ? b : a;
  }
  if (a == b)
    return std::signbit(a) == max ? b : a;
  return (a < b) == max ? b : a;
}

static bool equals(float expected, uint64_t result) {
  return result == (std::isnan(expected) ? kNaN : bitsOf(expected));
}
static bool equals(double expected, uint64_t result) {
  return std::isnan(expected) ? std::isnan(asF64(result))
                              : result == bitsOf(expected);
}

TEST(Float32, FindsMinimaAndMaxima) {
  for (bool max : {false, true})
    for (bool ftz : {false, true})
      for (bool isNaNKept : {false, true})
        for (unsigned numSources : {2u, 3u})
          for (bool abs : {false, true}) {
            bool xorSign = abs && numSources == 2;
            std::string spelling =
                std::string(max ? "max" : "min") + (ftz ? ".ftz" : "") +
                (isNaNKept ? ".NaN" : "") + (xorSign ? ".xorsign" : "") +
                (abs ? ".abs" : "") + ".f32";
            checkAll(
                spelling, std::string(numSources + 1, 'w'), rowsF32(numSources),
                [&](const OperandRow &row, uint64_t result) {
                  float values[3] = {};
                  bool isNegative = false;
                  for (unsigned i = 0; i < numSources; ++i) {
                    values[i] = ftz ? flush(asF32(row[i])) : asF32(row[i]);
                    isNegative ^= std::signbit(values[i]);
                    if (abs)
                      values[i] = std::fabs(values[i]);
                  }
                  float expected = pick(max, isNaNKept, values[0], values[1]);
                  if (numSources == 3)
                    expected = pick(max, isNaNKept, expected, values[2]);
                  if (xorSign)
                    expected = std::copysign(expected, isNegative ? -1.f : 1.f);
                  return equals(expected, result);
                });
          }
}

TEST(Float64, FindsMinimaAndMaxima) {
  for (bool max : {false, true})
    checkAll(max ? "max.f64" : "min.f64", "ddd", rowsF64(2),
             [&](const OperandRow &row, uint64_t result) {
               return equals(pick(max, false, asF64(row[0]), asF64(row[1])),
                             result);
             });
}

TEST(Float32, ChangesSigns) {
  for (bool ftz : {false, true}) {
    std::string suffix = ftz ? ".ftz.f32" : ".f32";
    auto read = [&](uint64_t bits) {
      return ftz ? flush(asF32(bits)) : asF32(bits);
    };
    checkAll("abs" + suffix, "ww", rowsF32(1),
             [&](const OperandRow &row, uint64_t result) {
               return equals(std::fabs(read(row[0])), result);
             });
    checkAll("neg" + suffix, "ww", rowsF32(1),
             [&](const OperandRow &row, uint64_t result) {
               return equals(-read(row[0]), result);
             });
  }
  checkAll("copysign.f32", "www", rowsF32(2),
           [&](const OperandRow &row, uint64_t result) {
             return result == ((row[0] & 0x80000000) | (row[1] & 0x7FFFFFFF));
           });
}

TEST(Float64, ChangesSigns) {
  constexpr uint64_t kSign = uint64_t(1) << 63;
  checkAll("abs.f64", "dd", rowsF64(1),
           [](const OperandRow &row, uint64_t result) {
             return equals(std::fabs(asF64(row[0])), result);
           });
  checkAll("neg.f64", "dd", rowsF64(1),
           [](const OperandRow &row, uint64_t result) {
             return equals(-asF64(row[0]), result);
           });
  checkAll("copysign.f64", "ddd", rowsF64(2),
           [&](const OperandRow &row, uint64_t result) {
             return result == ((row[0] & kSign) | (row[1] & ~kSign));
           });
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

namespace {
/// Which relations make a comparison true.
struct ComparisonRow {
  const char *name;
  bool less, equal, greater, unordered;
};
} // namespace

static constexpr ComparisonRow kComparisons[] = {
    {"eq", false, true, false, false}, {"ne", true, false, true, false},
    {"lt", true, false, false, false}, {"le", true, true, false, false},
    {"gt", false, false, true, false}, {"ge", false, true, true, false},
    {"equ", false, true, false, true}, {"neu", true, false, true, true},
    {"ltu", true, false, false, true}, {"leu", true, true, false, true},
    {"gtu", false, false, true, true}, {"geu", false, true, true, true},
    {"num", true, true, true, false},  {"nan", false, false, false, true},
};

static bool holds(const ComparisonRow &row, double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return row.unordered;
  return a < b ? row.less : a > b ? row.greater : row.equal;
}

TEST(Float32, Compares) {
  for (const ComparisonRow &comparison : kComparisons) {
    checkAll(std::string("set.") + comparison.name + ".u32.f32", "www",
             rowsF32(2), [&](const OperandRow &row, uint64_t result) {
               return result == (holds(comparison, asF32(row[0]), asF32(row[1]))
                                     ? 0xFFFFFFFF
                                     : 0);
             });
    checkAll(std::string("set.") + comparison.name + ".ftz.f32.f32", "www",
             rowsF32(2), [&](const OperandRow &row, uint64_t result) {
               return result == (holds(comparison, flush(asF32(row[0])),
                                       flush(asF32(row[1])))
                                     ? bitsOf(1.0f)
                                     : 0);
             });
  }
}

TEST(Float64, Compares) {
  for (const ComparisonRow &comparison : kComparisons)
    checkAll(std::string("set.") + comparison.name + ".s32.f64", "wdd",
             rowsF64(2), [&](const OperandRow &row, uint64_t result) {
               return result == (holds(comparison, asF64(row[0]), asF64(row[1]))
                                     ? 0xFFFFFFFF
                                     : 0);
             });
}

//===----------------------------------------------------------------------===//
// What is not an instruction
//===----------------------------------------------------------------------===//

TEST(Float32, RejectsModifiersThatDoNotBelong) {
  for (const char *spelling :
       {"abs.rn.f32", "neg.sat.f32", "sqrt.rn.approx.f32", "rcp.full.f32"})
    EXPECT_FALSE(canLoad(spelling, "ww")) << spelling;
  for (const char *spelling :
       {"min.rn.f32", "max.sat.f32", "copysign.ftz.f32", "min.NaN.abs.f32",
        "min.xorsign.f32", "add.relu.f32", "add.rna.f32", "add.rn.rz.f32",
        "div.rn.sat.f32", "div.rn.approx.f32", "div.approx.full.f32"})
    EXPECT_FALSE(canLoad(spelling, "www")) << spelling;
  for (const char *spelling : {"add.sat.f32x2", "div.rn.f32x2", "min.f32x2"})
    EXPECT_FALSE(canLoad(spelling, "ddd")) << spelling;
  for (const char *spelling : {"mul.f32.f16", "add.ftz.f32.f16"})
    EXPECT_FALSE(canLoad(spelling, "whw")) << spelling;
}

TEST(Float64, RejectsModifiersThatDoNotBelong) {
  for (const char *spelling : {"add.ftz.f64", "mul.sat.f64", "min.NaN.f64",
                               "max.ftz.f64", "div.approx.f64"})
    EXPECT_FALSE(canLoad(spelling, "ddd")) << spelling;
  for (const char *spelling : {"abs.ftz.f64", "rcp.approx.f64",
                               "sqrt.approx.f64", "sqrt.approx.ftz.f64"})
    EXPECT_FALSE(canLoad(spelling, "dd")) << spelling;
}

TEST(Float32, NamesTargetsOfNewInstructions) {
  struct Row {
    const char *spelling, *sizes;
  };
  for (const Row &row :
       {Row{"fma.rn.f32x2", "dddd"}, Row{"add.f32.bf16", "whw"},
        Row{"max.NaN.f32", "wwww"}}) {
    EXPECT_FALSE(canLoad(row.spelling, row.sizes, "sm_90a")) << row.spelling;
    EXPECT_TRUE(canLoad(row.spelling, row.sizes, "sm_100")) << row.spelling;
    EXPECT_TRUE(canLoad(row.spelling, row.sizes, "sm_120a")) << row.spelling;
  }
}
