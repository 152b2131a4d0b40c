//===- ConvertPackedTest.cpp - cvt of packed values -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pairs and fours of values, scales, stochastic rounding, cvt.pack.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include <gtest/gtest.h>

using namespace nvfp4::ptx;

using Modifiers = ConvertModifiers;

//===----------------------------------------------------------------------===//
// Packed
//===----------------------------------------------------------------------===//

TEST(Convert, PairsOfHalves) {
  for (const Format &to : {kF16, kBF16})
    for (const ModeRow &mode : {kModes[0], kModes[1]})
      for (bool isRelu : {false, true})
        for (bool isFinite : {false, true}) {
          Modifiers modifiers = {false, false, isRelu, isFinite};
          checkAll(std::string("cvt") + mode.name + modifiers.getText() + "." +
                       to.name + "x2.f32",
                   "www", makeCodes(kF32, 2),
                   [&](const OperandRow &n, uint64_t result) {
                     uint64_t a = convert(n[0], kF32, to, mode.mode, modifiers);
                     uint64_t b = convert(n[1], kF32, to, mode.mode, modifiers);
                     return result == (a << 16 | b);
                   });
        }
}

TEST(Convert, PairsOfSmallFloats) {
  for (const Format &small : {kE4M3, kE5M2, kE2M3, kE3M2, kE2M1})
    for (bool isRelu : {false, true}) {
      bool isNibble = small.getBits() == 4;
      int bits = isNibble ? 4 : 8, shift = bits;
      std::string name = std::string(small.name) + "x2";
      std::string relu = isRelu ? ".relu." : ".";
      std::string size(1, isNibble ? 'b' : 'h');
      Modifiers modifiers = {false, false, isRelu, true};
      auto expect = [&](uint64_t a, uint64_t b, const Format &from) {
        return convert(a, from, small, Mode::Nearest, modifiers) << shift |
               convert(b, from, small, Mode::Nearest, modifiers);
      };
      checkAll("cvt.rn.satfinite" + relu + name + ".f32", size + "ww",
               makeCodes(kF32, 2), [&](const OperandRow &n, uint64_t result) {
                 return result == expect(n[0], n[1], kF32);
               });
      std::vector<OperandRow> halves, codes;
      for (uint64_t code = 0; code < 65536; ++code) {
        halves.push_back({code << 16 | (code * 40503 & 0xFFFF)});
        codes.push_back({code});
      }
      checkAll("cvt.rn.satfinite" + relu + name + ".f16x2", size + "w", halves,
               [&](const OperandRow &n, uint64_t result) {
                 return result == expect(n[0] >> 16, n[0] & 0xFFFF, kF16);
               });
      checkAll("cvt.rn" + relu + "f16x2." + name, "w" + size, codes,
               [&](const OperandRow &n, uint64_t result) {
                 uint64_t mask = (uint64_t(1) << small.getBits()) - 1;
                 Modifiers plain = {false, false, isRelu};
                 auto widen = [&](uint64_t code) {
                   return convert(code & mask, small, kF16, Mode::Nearest,
                                  plain);
                 };
                 return result == (widen(n[0] >> shift) << 16 | widen(n[0]));
               });
    }
}

TEST(Convert, PairOfNibblesInWiderRegisters) {
  // How nvcc and people move a byte that there is no other instruction for.
  checkAll("cvt.rn.satfinite.e2m1x2.f32 %sb0, $1, $2; "
           "mov.b32 $0, {%sb0, %sb0, %sb0, %sb0};",
           "www", makeCodes(kF32, 2), [](const OperandRow &n, uint64_t result) {
             Modifiers finite = {false, false, false, true};
             uint64_t byte = convert(n[0], kF32, kE2M1, Mode::Nearest, finite)
                                 << 4 |
                             convert(n[1], kF32, kE2M1, Mode::Nearest, finite);
             return result == byte * 0x01010101;
           });
  checkAll("mov.b32 {%sb0, %sb1, _, _}, $1; cvt.rn.f16x2.e2m1x2 $0, %sb1;",
           "ww", makePatterns(), [](const OperandRow &n, uint64_t result) {
             auto widen = [](uint64_t code) {
               return encode(decode(code & 15, kE2M1), kF16, Mode::Nearest);
             };
             return result == (widen(n[0] >> 12) << 16 | widen(n[0] >> 8 & 15));
           });
}

TEST(Convert, PairsOfScales) {
  struct Row {
    const char *name;
    bool isUp, isFinite;
  };
  auto encodeScale = [](Real value, bool isUp, bool isFinite) -> uint64_t {
    value = std::fabs(value);
    if (std::isnan(value))
      return 0xFF;
    if (std::isinf(value))
      return isFinite ? 0xFE : 0xFF;
    if (value <= 0x1p-127L)
      return 0;
    int exponent;
    Real fraction = std::frexp(value, &exponent);
    int power = isUp && fraction != 0.5L ? exponent : exponent - 1;
    if (power > 127)
      return isFinite ? 0xFE : 0xFF;
    return uint64_t(power + 127);
  };
  for (Row row :
       {Row{"cvt.rz", false, false}, Row{"cvt.rz.satfinite", false, true},
        Row{"cvt.rp", true, false}, Row{"cvt.rp.satfinite", true, true}}) {
    checkAll(std::string(row.name) + ".ue8m0x2.f32", "hww", makeCodes(kF32, 2),
             [&](const OperandRow &n, uint64_t result) {
               uint64_t a =
                   encodeScale(decode(n[0], kF32), row.isUp, row.isFinite);
               uint64_t b =
                   encodeScale(decode(n[1], kF32), row.isUp, row.isFinite);
               return result == (a << 8 | b);
             });
    std::vector<OperandRow> halves;
    for (uint64_t code = 0; code < 65536; ++code)
      halves.push_back({code << 16 | (code * 40503 & 0xFFFF)});
    checkAll(std::string(row.name) + ".ue8m0x2.bf16x2", "hw", halves,
             [&](const OperandRow &n, uint64_t result) {
               uint64_t a = encodeScale(decode(n[0] >> 16, kBF16), row.isUp,
                                        row.isFinite);
               uint64_t b = encodeScale(decode(n[0] & 0xFFFF, kBF16), row.isUp,
                                        row.isFinite);
               return result == (a << 8 | b);
             });
  }
  checkAll("cvt.rn.bf16x2.ue8m0x2", "wh", makeCodes(kF16),
           [](const OperandRow &n, uint64_t result) {
             auto widen = [](uint64_t code) {
               Real value =
                   code == 255 ? Real(NAN) : std::ldexp(1.0L, int(code) - 127);
               return encode(value, kBF16, Mode::Nearest);
             };
             return result == (widen(n[0] >> 8) << 16 | widen(n[0] & 255));
           });
}

//===----------------------------------------------------------------------===//
// Stochastic rounding
//===----------------------------------------------------------------------===//

namespace {

/// The discarded part, cut to `bits` bits, plus `random` carries or not.
uint64_t encodeStochastic(Real value, const Format &format, unsigned bits,
                          uint64_t random, Modifiers modifiers) {
  if (modifiers.relu && value <= 0)
    value = 0;
  if (!std::isfinite(value) || value == 0)
    return encode(value, format, Mode::Zero, modifiers.satfinite);
  int exponent;
  std::frexp(value, &exponent);
  int unit = std::max(exponent - 1, 1 - format.getBias()) - format.mantissaBits;
  Real units = std::ldexp(std::fabs(value), -unit);
  Real whole = std::floor(units);
  uint64_t rest = uint64_t(std::ldexp(units - whole, int(bits)));
  if (rest + random >= uint64_t(1) << bits)
    whole += 1;
  Real rounded = std::copysign(std::ldexp(whole, unit), value);
  return encode(rounded, format, Mode::Nearest, modifiers.satfinite);
}

} // namespace

TEST(Convert, StochasticPairs) {
  for (const Format &to : {kF16, kBF16})
    for (bool isRelu : {false, true})
      for (bool isFinite : {false, true}) {
        Modifiers modifiers = {false, false, isRelu, isFinite};
        unsigned bits = to.mantissaBits == 10 ? 13 : 16;
        uint64_t mask = (uint64_t(1) << bits) - 1;
        checkAll("cvt.rs" + modifiers.getText() + "." + to.name + "x2.f32",
                 "wwww", makeCodes(kF32, 3),
                 [&](const OperandRow &n, uint64_t result) {
                   uint64_t a = encodeStochastic(decode(n[0], kF32), to, bits,
                                                 n[2] >> 16 & mask, modifiers);
                   uint64_t b = encodeStochastic(decode(n[1], kF32), to, bits,
                                                 n[2] & mask, modifiers);
                   return result == (a << 16 | b);
                 });
      }
}

TEST(Convert, StochasticFours) {
  for (const Format &to : {kE4M3, kE5M2, kE2M3, kE3M2, kE2M1})
    for (bool isRelu : {false, true}) {
      Modifiers modifiers = {false, false, isRelu, true};
      bool isNibble = to.getBits() == 4;
      unsigned shift = isNibble ? 4 : 8;
      // Which byte of the random bits serves a, b, e, f.
      const unsigned nibbleBytes[] = {3, 1, 2, 0}, byteBytes[] = {3, 2, 1, 0};
      const unsigned *bytes = isNibble ? nibbleBytes : byteBytes;
      std::vector<OperandRow> rows = makeCodes(kF32, 3);
      for (OperandRow &row : rows)
        row.insert(row.end(), {row[0] ^ 0x80400000, getRandom()()});
      checkAll("cvt.rs" + modifiers.getText() + "." + to.name +
                   "x4.f32 $0, {$1, $2, $3, $4}, $5;",
               std::string(isNibble ? "h" : "w") + "wwwww", rows,
               [&](const OperandRow &n, uint64_t result) {
                 uint64_t expected = 0;
                 for (unsigned i = 0; i < 4; ++i)
                   expected = expected << shift |
                              encodeStochastic(decode(n[i], kF32), to, 8,
                                               n[4] >> (8 * bytes[i]) & 255,
                                               modifiers);
                 return result == expected;
               });
    }
}

TEST(Convert, PackIntegers) {
  for (bool isSigned : {false, true}) {
    std::string sign = isSigned ? "s" : "u";
    auto clamp = [=](uint64_t pattern, int bits) {
      IntegerType type = {bits, isSigned};
      __int128 value = std::min<__int128>(
          std::max<__int128>(int32_t(pattern), type.getMin()), type.getMax());
      return uint64_t(value) & ((uint64_t(1) << bits) - 1);
    };
    std::vector<OperandRow> rows = makeRows(
        3, {0, 1, 7, 8, 127, 128, 255, 256, 65535, 65536, 0x80000000, ~0u},
        [] { return getRandom()() >> (32 + getRandom()() % 32); });
    std::vector<OperandRow> pairs = rows;
    for (OperandRow &row : pairs)
      row.pop_back();
    checkAll("cvt.pack.sat." + sign + "16.s32", "www", pairs,
             [&](const OperandRow &n, uint64_t result) {
               return result == (clamp(n[0], 16) << 16 | clamp(n[1], 16));
             });
    for (int bits : {8, 4, 2})
      checkAll("cvt.pack.sat." + sign + std::to_string(bits) + ".s32.b32",
               "wwww", rows, [&](const OperandRow &n, uint64_t result) {
                 uint64_t expected = n[2] << (2 * bits) |
                                     clamp(n[0], bits) << bits |
                                     clamp(n[1], bits);
                 return result == (expected & 0xFFFFFFFF);
               });
  }
}
