//===- CompareTest.cpp - setp and set -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every comparison of every type, with every combination and both results.
//
//===----------------------------------------------------------------------===//

#include "Elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace nvfp4::ptx;

namespace {

/// What two operands are to each other.
enum Relation { Less = 1, Equal = 2, Greater = 4, Unordered = 8 };

struct CompareRow {
  const char *name;
  int holds;
};
constexpr CompareRow kOrdered[] = {
    {"eq", Equal},        {"ne", Less | Greater}, {"lt", Less},
    {"le", Less | Equal}, {"gt", Greater},        {"ge", Greater | Equal},
};
constexpr CompareRow kUnsigned[] = {{"lo", Less},
                                    {"ls", Less | Equal},
                                    {"hi", Greater},
                                    {"hs", Greater | Equal}};
constexpr CompareRow kUnordered[] = {
    {"equ", Equal | Unordered},      {"neu", Less | Greater | Unordered},
    {"ltu", Less | Unordered},       {"leu", Less | Equal | Unordered},
    {"gtu", Greater | Unordered},    {"geu", Greater | Equal | Unordered},
    {"num", Less | Equal | Greater}, {"nan", Unordered},
};

template <typename T> Relation compare(T a, T b) {
  return a < b ? Less : a > b ? Greater : a == b ? Equal : Unordered;
}

/// Exponent and mantissa bits of a floating-point type.
struct FloatForm {
  int exponentBits, mantissaBits;
};

double decode(uint64_t bits, FloatForm form, bool ftz) {
  int width = form.exponentBits + form.mantissaBits;
  uint64_t fraction = bits & ((uint64_t(1) << form.mantissaBits) - 1);
  uint64_t field =
      bits >> form.mantissaBits & ((uint64_t(1) << form.exponentBits) - 1);
  int bias = (1 << (form.exponentBits - 1)) - 1;
  double value = std::ldexp(double(fraction), 1 - bias - form.mantissaBits);
  if (field == (uint64_t(1) << form.exponentBits) - 1)
    value = fraction ? NAN : HUGE_VAL;
  else if (field)
    value =
        std::ldexp(double(fraction) + double(uint64_t(1) << form.mantissaBits),
                   int(field) - bias - form.mantissaBits);
  else if (ftz)
    value = 0;
  return bits >> width & 1 ? -value : value;
}

struct TypeRow {
  const char *name;
  char size;
  char kind; ///< u, s, b, f
  FloatForm form;
};
constexpr TypeRow kTypes[] = {
    {"u16", 'h', 'u', {}},       {"s16", 'h', 's', {}},
    {"b16", 'h', 'b', {}},       {"u32", 'w', 'u', {}},
    {"s32", 'w', 's', {}},       {"b32", 'w', 'b', {}},
    {"u64", 'd', 'u', {}},       {"s64", 'd', 's', {}},
    {"b64", 'd', 'b', {}},       {"f32", 'w', 'f', {8, 23}},
    {"f64", 'd', 'f', {11, 52}}, {"f16", 'h', 'f', {5, 10}},
    {"bf16", 'h', 'f', {8, 7}},
};

unsigned getBits(const TypeRow &type) {
  return type.size == 'h' ? 16 : type.size == 'w' ? 32 : 64;
}

Relation relate(const TypeRow &type, uint64_t a, uint64_t b, bool ftz) {
  unsigned shift = 64 - getBits(type);
  if (type.kind == 'f')
    return compare(decode(a, type.form, ftz), decode(b, type.form, ftz));
  if (type.kind == 's')
    return compare(int64_t(a << shift), int64_t(b << shift));
  return compare(a << shift, b << shift);
}

std::vector<uint64_t> makeEdges(const TypeRow &type) {
  unsigned bits = getBits(type);
  uint64_t sign = uint64_t(1) << (bits - 1);
  std::vector<uint64_t> edges = {0, 1, sign, sign | 1, sign - 1, 2 * sign - 1};
  if (type.kind != 'f')
    return edges;
  uint64_t infinity = ((uint64_t(1) << type.form.exponentBits) - 1)
                      << type.form.mantissaBits;
  uint64_t least = uint64_t(1) << type.form.mantissaBits;
  for (uint64_t bits : {infinity, infinity | 1, least, least - 1, infinity / 2})
    edges.insert(edges.end(), {bits, bits | sign});
  return edges;
}

std::vector<OperandRow> makeOperands(const TypeRow &type) {
  static std::mt19937_64 random(2);
  return makeRows(2, makeEdges(type), [] { return random(); }, 500);
}

void checkComparison(const TypeRow &type, const CompareRow &row, bool ftz) {
  std::string name = std::string(row.name) + (ftz ? ".ftz." : ".");
  std::string sizes = std::string("w") + type.size + type.size;
  std::vector<OperandRow> rows = makeOperands(type);
  auto holds = [&](const OperandRow &n) {
    return (row.holds & relate(type, n[0], n[1], ftz)) != 0;
  };
  checkAll("setp." + name + type.name +
               " %sp0, $1, $2; selp.u32 $0, 1, 0, %sp0;",
           sizes, rows, [&](const OperandRow &n, uint64_t result) {
             return result == uint64_t(holds(n));
           });
  if (type.kind != 'f' || type.size != 'h')
    checkAll("setp." + name + type.name +
                 " %sp0|%sp1, $1, $2; selp.u32 %sw0, 1, 0, %sp0; "
                 "selp.u32 $0, 2, %sw0, %sp1;",
             sizes, rows, [&](const OperandRow &n, uint64_t result) {
               return result == (holds(n) ? 1u : 2u);
             });
  checkAll("set." + name + "u32." + type.name, sizes, rows,
           [&](const OperandRow &n, uint64_t result) {
             return result == (holds(n) ? 0xFFFFFFFFu : 0u);
           });
  if (type.size == 'h' && type.kind == 'f')
    return;
  checkAll("set." + name + "f32." + type.name, sizes, rows,
           [&](const OperandRow &n, uint64_t result) {
             return result == (holds(n) ? 0x3F800000u : 0u);
           });
}

} // namespace

TEST(CompareInstructions, EveryComparisonOfEveryType) {
  for (const TypeRow &type : kTypes) {
    for (const CompareRow &row : kOrdered) {
      bool isEquality = !(row.holds & Less) == !(row.holds & Greater);
      if (type.kind != 'b' || isEquality)
        checkComparison(type, row, false);
    }
    for (const CompareRow &row : kUnsigned)
      if (type.kind == 'u')
        checkComparison(type, row, false);
    for (const CompareRow &row : kUnordered)
      if (type.kind == 'f')
        checkComparison(type, row, false);
    bool hasFtz =
        type.name == std::string("f32") || type.name == std::string("f16");
    for (const CompareRow &row : kOrdered)
      if (hasFtz)
        checkComparison(type, row, true);
    for (const CompareRow &row : kUnordered)
      if (hasFtz)
        checkComparison(type, row, true);
  }
}

TEST(CompareInstructions, Combinations) {
  struct CombineRow {
    const char *name;
    bool (*combine)(bool t, bool c);
  };
  constexpr CombineRow kCombinations[] = {
      {"and", [](bool t, bool c) { return t && c; }},
      {"or", [](bool t, bool c) { return t || c; }},
      {"xor", [](bool t, bool c) { return t != c; }},
  };
  std::mt19937_64 random(3);
  std::vector<OperandRow> rows =
      makeRows(3, {0, 1, 2, 0xFFFFFFFF}, [&] { return random() % 4; }, 200);
  // c: the third operand is odd.
  std::string setup = "and.b32 %sw0, $3, 1; setp.eq.u32 %sp0, %sw0, 1; ";
  for (const CombineRow &row : kCombinations)
    for (bool isNegated : {false, true}) {
      std::string c = isNegated ? "!%sp0" : "%sp0";
      auto expect = [=](const OperandRow &n, bool isSecond) {
        bool t = uint32_t(n[0]) < uint32_t(n[1]);
        return row.combine(t != isSecond, (n[2] & 1) != isNegated);
      };
      std::string name = std::string("lt.") + row.name + ".u32 ";
      checkAll(setup + "setp." + name + "%sp1, $1, $2, " + c +
                   "; selp.u32 $0, 1, 0, %sp1;",
               "wwww", rows, [&](const OperandRow &n, uint64_t result) {
                 return result == uint64_t(expect(n, false));
               });
      // The combining predicate may be a result.
      checkAll(setup + "setp." + name + "%sp0|%sp1, $1, $2, " + c +
                   "; selp.u32 %sw1, 1, 0, %sp0; selp.u32 %sw2, 2, 0, %sp1; "
                   "or.b32 $0, %sw1, %sw2;",
               "wwww", rows, [&](const OperandRow &n, uint64_t result) {
                 return result == uint64_t(expect(n, false)) +
                                      2 * uint64_t(expect(n, true));
               });
      checkAll(setup + "set.lt." + row.name + ".u32.u32 $0, $1, $2, " + c + ";",
               "wwww", rows, [&](const OperandRow &n, uint64_t result) {
                 return result == (expect(n, false) ? 0xFFFFFFFFu : 0u);
               });
    }
}

TEST(CompareInstructions, PackedHalves) {
  std::mt19937_64 random(4);
  for (std::string type : {"f16x2", "bf16x2"}) {
    FloatForm form = type[0] == 'f' ? FloatForm{5, 10} : FloatForm{8, 7};
    std::vector<OperandRow> rows = makeRows(
        2, {0, 0x3C003C00, 0x7FFF3C00, 0x80000000, 0x3C007FFF},
        [&] { return random(); }, 500);
    auto isLess = [=](const OperandRow &n, unsigned shift) {
      return decode(n[0] >> shift & 0xFFFF, form, false) <
             decode(n[1] >> shift & 0xFFFF, form, false);
    };
    checkAll("setp.lt." + type +
                 " %sp0|%sp1, $1, $2; selp.u32 %sw1, 1, 0, %sp0; "
                 "selp.u32 %sw2, 2, 0, %sp1; or.b32 $0, %sw1, %sw2;",
             "www", rows, [&](const OperandRow &n, uint64_t result) {
               return result ==
                      uint64_t(isLess(n, 0)) + 2 * uint64_t(isLess(n, 16));
             });
    checkAll("set.lt.u32." + type, "www", rows,
             [&](const OperandRow &n, uint64_t result) {
               return result == (isLess(n, 0) ? 0xFFFFu : 0u) +
                                    (isLess(n, 16) ? 0xFFFF0000u : 0u);
             });
    uint32_t one = type[0] == 'f' ? 0x3C00 : 0x3F80;
    checkAll("set.lt." + type + "." + type, "www", rows,
             [&](const OperandRow &n, uint64_t result) {
               return result == (isLess(n, 0) ? one : 0u) +
                                    (isLess(n, 16) ? one << 16 : 0u);
             });
  }
}

TEST(CompareInstructions, UnknownSpellingsDoNotLoad) {
  for (const char *spelling :
       {"set.lt.u32.b32", "set.lo.u32.s32", "set.equ.u32.u32", "set.lt.u32",
        "set.lt.le.u32.u32", "set.lt.ftz.u32.s32", "set.lt.and.u32.u32"})
    EXPECT_FALSE(canLoad(spelling, "www")) << spelling;
}
