//===- ConvertTest.cpp - cvt of single values -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pair of types with every rounding and modifier.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include <gtest/gtest.h>

using namespace nvfp4::ptx;

using Modifiers = ConvertModifiers;

namespace {

char getSize(int bits) {
  return bits == 8 ? 'b' : bits == 16 ? 'h' : bits == 32 ? 'w' : 'd';
}
std::string getSizes(int to, int from) { return {getSize(to), getSize(from)}; }

uint64_t cutTo(char size, uint64_t value) {
  int bits = size == 'b' ? 8 : size == 'h' ? 16 : size == 'w' ? 32 : 64;
  return value & (~uint64_t(0) >> (64 - bits));
}

} // namespace

TEST(Convert, IntegerToIntegerInRegistersOfAnyWidth) {
  std::vector<OperandRow> rows = makePatterns();
  for (const IntegerType &to : kIntegers)
    for (const IntegerType &from : kIntegers)
      for (int toRegister : {8, 16, 32, 64})
        for (int fromRegister : {8, 16, 32, 64}) {
          if (toRegister < to.bits || fromRegister < from.bits)
            continue;
          std::string sizes = getSizes(toRegister, fromRegister);
          std::string types = to.getName() + "." + from.getName();
          checkAll("cvt." + types, sizes, rows,
                   [&](const OperandRow &row, uint64_t result) {
                     __int128 value =
                         to.toNumber(uint64_t(from.toNumber(row[0])));
                     return result == cutTo(sizes[0], uint64_t(value));
                   });
          if (toRegister != to.bits)
            continue;
          checkAll("cvt.sat." + types, sizes, rows,
                   [&](const OperandRow &row, uint64_t result) {
                     __int128 value =
                         std::min(std::max(from.toNumber(row[0]), to.getMin()),
                                  to.getMax());
                     return result == cutTo(sizes[0], uint64_t(value));
                   });
        }
}

TEST(Convert, IntegerToFloat) {
  std::vector<OperandRow> rows = makePatterns();
  for (const IntegerType &from : kIntegers)
    for (const Format &to : {kF16, kBF16, kF32, kF64})
      for (const ModeRow &mode : kModes)
        for (bool isSaturated : {false, true}) {
          if (isSaturated && to.getBits() == 16 && to.exponentBits == 8)
            continue;
          std::string spelling = std::string("cvt") + mode.name +
                                 (isSaturated ? ".sat." : ".") + to.name + "." +
                                 from.getName();
          checkAll(spelling, getSizes(to.getBits(), from.bits), rows,
                   [&](const OperandRow &row, uint64_t result) {
                     Real value = Real(from.toNumber(row[0]));
                     if (isSaturated)
                       value = saturate(value);
                     return result == encode(value, to, mode.mode);
                   });
        }
}

TEST(Convert, FloatToInteger) {
  for (const Format &from : {kF16, kF32, kF64})
    for (const IntegerType &to : kIntegers)
      for (const ModeRow &mode : kModes)
        for (bool isFlushed : {false, true}) {
          if (isFlushed && from.getBits() != 32)
            continue;
          std::string spelling = std::string("cvt") + mode.integral +
                                 (isFlushed ? ".ftz." : ".") + to.getName() +
                                 "." + from.name;
          std::string sizes = getSizes(to.bits, from.getBits());
          checkAll(spelling, sizes, makeCodes(from),
                   [&](const OperandRow &row, uint64_t result) {
                     Real value = decode(row[0], from);
                     if (isFlushed)
                       value = flush(value);
                     uint64_t expected;
                     if (std::isnan(value))
                       expected = from.getBits() == 64 || to.bits == 64
                                      ? uint64_t(1) << (to.bits - 1)
                                      : 0;
                     else if (value >= Real(to.getMax()))
                       expected = uint64_t(to.getMax());
                     else if (value <= Real(to.getMin()))
                       expected = uint64_t(to.getMin());
                     else
                       expected =
                           uint64_t(__int128(roundToInteger(value, mode.mode)));
                     return result == cutTo(sizes[0], expected);
                   });
        }
}

//===----------------------------------------------------------------------===//
// Floating point
//===----------------------------------------------------------------------===//

namespace {

/// NaN of f64, and to it, keeps payloads; that is tested with the numerics.
bool isSame(uint64_t result, uint64_t expected, const Format &from,
            const Format &to) {
  if (from.getBits() == 64 || to.getBits() == 64)
    if (isNaNCode(expected, to) || (to.getBits() == 64 && !expected))
      return isNaNCode(result, to) || result == expected;
  return result == expected;
}

void checkFloat(const std::string &prefix, const Format &to, const Format &from,
                Mode mode, Modifiers modifiers) {
  std::string spelling =
      prefix + modifiers.getText() + "." + to.name + "." + from.name;
  checkAll(spelling, getSizes(to.getBits(), from.getBits()), makeCodes(from),
           [&](const OperandRow &row, uint64_t result) {
             uint64_t expected = convert(row[0], from, to, mode, modifiers);
             // Flushing decides before rounding: the numerics test it.
             if (modifiers.ftz && to.getBits() == 32 && from.getBits() == 64 &&
                 (expected & 0x7FFFFFFF) == 0x00800000)
               return true;
             return isSame(result, expected, from, to);
           });
}

} // namespace

TEST(Convert, FloatToNarrowerFloat) {
  for (const ModeRow &mode : kModes) {
    std::string prefix = std::string("cvt") + mode.name;
    for (const Format &to : {kF16, kBF16}) {
      for (Modifiers modifiers :
           {Modifiers{}, Modifiers{true}, Modifiers{false, false, true},
            Modifiers{false, false, false, true},
            Modifiers{false, false, true, true}})
        checkFloat(prefix, to, kF32, mode.mode, modifiers);
      checkFloat(prefix, to, kF64, mode.mode, {});
    }
    checkFloat(prefix, kF16, kF32, mode.mode, {false, true});
    checkFloat(prefix, kF16, kF32, mode.mode, {true, true});
    checkFloat(prefix, kF32, kF64, mode.mode, {});
    checkFloat(prefix, kF32, kF64, mode.mode, {true});
    checkFloat(prefix, kF32, kF64, mode.mode, {false, true});
    checkFloat(prefix, kBF16, kF16, mode.mode, {});
    checkFloat(prefix, kF16, kBF16, mode.mode, {});
  }
}

TEST(Convert, FloatToWiderFloat) {
  for (Modifiers modifiers : {Modifiers{}, Modifiers{false, true}}) {
    checkFloat("cvt", kF64, kF32, Mode::Nearest, modifiers);
    checkFloat("cvt", kF64, kF16, Mode::Nearest, modifiers);
    checkFloat("cvt", kF32, kF16, Mode::Nearest, modifiers);
  }
  checkFloat("cvt", kF64, kF32, Mode::Nearest, {true});
  checkFloat("cvt", kF64, kBF16, Mode::Nearest, {});
  checkAll("cvt.f32.bf16", "wh", makeCodes(kBF16),
           [](const OperandRow &row, uint64_t result) {
             return result == row[0] << 16;
           });
}

TEST(Convert, FloatToIntegralValue) {
  for (const ModeRow &mode : kModes)
    for (const Format &format : {kF16, kBF16, kF32, kF64})
      for (bool isSaturated : {false, true}) {
        if (isSaturated && format.name == std::string("bf16"))
          continue;
        std::string name = format.name;
        checkAll("cvt" + std::string(mode.integral) +
                     (isSaturated ? ".sat." : ".") + name + "." + name,
                 getSizes(format.getBits(), format.getBits()),
                 makeCodes(format),
                 [&](const OperandRow &row, uint64_t result) {
                   Real value = decode(row[0], format);
                   if (std::isfinite(value))
                     value = roundToInteger(value, mode.mode);
                   if (isSaturated)
                     value = saturate(value);
                   uint64_t expected = encode(value, format, Mode::Nearest);
                   return isSame(result, expected, format, format);
                 });
      }
}

TEST(Convert, TF32) {
  Format tf32 = {"tf32", 8, 10, Top::Ieee, 0x3FFFF};
  struct Row {
    const char *name;
    Mode mode;
  };
  for (Row row : {Row{".rn", Mode::Nearest}, Row{".rz", Mode::Zero},
                  Row{".rna", Mode::NearestAway}})
    for (bool isRelu : {false, true})
      for (bool isFinite : {false, true}) {
        if (isRelu && row.mode == Mode::NearestAway)
          continue;
        checkAll(
            std::string("cvt") + row.name + (isRelu ? ".relu" : "") +
                (isFinite ? ".satfinite" : "") + ".tf32.f32",
            "ww", makeCodes(kF32), [&](const OperandRow &n, uint64_t result) {
              Real value = decode(n[0], kF32);
              if (std::isnan(value) && row.mode == Mode::NearestAway &&
                  !isFinite)
                return result == (n[0] & ~0x1FFFull);
              if (isRelu && value <= 0)
                value = 0;
              return result == encode(value, tf32, row.mode, isFinite) << 13;
            });
      }
}

//===----------------------------------------------------------------------===//
// What there is not
//===----------------------------------------------------------------------===//

TEST(Convert, RejectsWhatDoesNotExist) {
  for (const char *spelling :
       {"cvt.f16.f32", "cvt.rn.f32.f16", "cvt.u32.f32", "cvt.rni.f32.u32",
        "cvt.rn.u32.u16", "cvt.e4m3x2.f32", "cvt.rz.satfinite.e4m3x2.f32",
        "cvt.rn.e2m1x2.f32", "cvt.rna.f16.f32", "cvt.relu.f32.f32",
        "cvt.rn.tf32.f64", "cvt.rzi.ftz.s32.f16",
        "cvt.rn.satfinite.e2m1x2.bf16x2", "cvt.rn.satfinite.ue8m0x2.f32",
        "cvt.f32"})
    for (const char *sizes : {"hw", "ww", "wh", "bww", "hww"})
      EXPECT_FALSE(canLoad(spelling, sizes)) << spelling;
}

TEST(Convert, NamesTargets) {
  EXPECT_TRUE(canLoad("cvt.rn.satfinite.e4m3x2.f32", "hww", "sm_90a"));
  for (const char *target : {"sm_90a", "sm_100", "sm_120"}) {
    EXPECT_FALSE(canLoad("cvt.rn.satfinite.e2m1x2.f32", "bww", target));
    EXPECT_FALSE(canLoad("cvt.rz.ue8m0x2.f32", "hww", target));
  }
  EXPECT_TRUE(canLoad("cvt.rn.satfinite.e2m1x2.f32", "bww", "sm_103f"));
  EXPECT_TRUE(canLoad("cvt.rs.f16x2.f32", "wwww", "sm_103a"));
  for (const char *target : {"sm_120a", "sm_100f", "sm_110a"})
    EXPECT_FALSE(canLoad("cvt.rs.f16x2.f32", "wwww", target));
}
