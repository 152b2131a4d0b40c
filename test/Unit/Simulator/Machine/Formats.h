//===- Formats.h - Number formats of conversions ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference of the tests of cvt: one decoder and one rounding function for
// all formats, on long double, which holds every value of every source type.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SIMULATOR_MACHINE_FORMATS_H
#define NVFP4_TEST_UNIT_SIMULATOR_MACHINE_FORMATS_H

#include "Elementwise.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace nvfp4::ptx {

using Real = long double;

/// How a format spends the codes of its largest exponent.
enum class Top { Ieee, OneNaN, Finite };

struct Format {
  const char *name;
  int exponentBits, mantissaBits;
  Top top;
  uint64_t nan;

  int getBits() const { return 1 + exponentBits + mantissaBits; }
  int getBias() const { return (1 << (exponentBits - 1)) - 1; }
  uint64_t getSign() const { return uint64_t(1) << (getBits() - 1); }
  /// The code of the largest finite value.
  uint64_t getMaxCode() const {
    uint64_t all = getSign() - 1;
    if (top == Top::Ieee)
      return all - (uint64_t(1) << mantissaBits);
    return top == Top::OneNaN ? all - 1 : all;
  }
  /// Infinity, or the largest finite value.
  uint64_t getInfinity() const {
    return getMaxCode() + (top == Top::Ieee ? 1 : 0);
  }
};

inline constexpr Format kF16 = {"f16", 5, 10, Top::Ieee, 0x7FFF};
inline constexpr Format kBF16 = {"bf16", 8, 7, Top::Ieee, 0x7FFF};
inline constexpr Format kF32 = {"f32", 8, 23, Top::Ieee, 0x7FFFFFFF};
inline constexpr Format kF64 = {"f64", 11, 52, Top::Ieee, 0};
inline constexpr Format kE4M3 = {"e4m3", 4, 3, Top::OneNaN, 0x7F};
inline constexpr Format kE5M2 = {"e5m2", 5, 2, Top::Ieee, 0x7F};
inline constexpr Format kE2M3 = {"e2m3", 2, 3, Top::Finite, 0x1F};
inline constexpr Format kE3M2 = {"e3m2", 3, 2, Top::Finite, 0x1F};
inline constexpr Format kE2M1 = {"e2m1", 2, 1, Top::Finite, 0x7};

Real decode(uint64_t code, const Format &format);

enum class Mode { Nearest, Zero, Down, Up, NearestAway };

Real roundToInteger(Real value, Mode mode);

/// The code of the rounded value. `isFinite`: .satfinite.
uint64_t encode(Real value, const Format &format, Mode mode,
                bool isFinite = false);

inline bool isNaNCode(uint64_t code, const Format &format) {
  return std::isnan(decode(code, format));
}

struct ModeRow {
  const char *name, *integral;
  Mode mode;
};
inline constexpr ModeRow kModes[] = {
    {".rn", ".rni", Mode::Nearest},
    {".rz", ".rzi", Mode::Zero},
    {".rm", ".rmi", Mode::Down},
    {".rp", ".rpi", Mode::Up},
};

/// Modifiers of a conversion.
struct ConvertModifiers {
  bool ftz = false, sat = false, relu = false, satfinite = false;

  std::string getText() const {
    return std::string(ftz ? ".ftz" : "") + (sat ? ".sat" : "") +
           (relu ? ".relu" : "") + (satfinite ? ".satfinite" : "");
  }
};

/// `.sat`, and `.ftz` of f32.
Real saturate(Real value);
Real flush(Real value);
/// From one format to another.
uint64_t convert(uint64_t code, const Format &from, const Format &to, Mode mode,
                 ConvertModifiers modifiers);

struct IntegerType {
  int bits;
  bool isSigned;

  std::string getName() const {
    return (isSigned ? "s" : "u") + std::to_string(bits);
  }
  __int128 toNumber(uint64_t pattern) const {
    __int128 number = pattern & (~uint64_t(0) >> (64 - bits));
    bool isNegative = isSigned && (pattern >> (bits - 1) & 1);
    return isNegative ? number - (__int128(1) << bits) : number;
  }
  __int128 getMax() const { return (__int128(1) << (bits - isSigned)) - 1; }
  __int128 getMin() const { return isSigned ? -getMax() - 1 : 0; }
};
inline constexpr IntegerType kIntegers[] = {
    {8, false},  {8, true},  {16, false}, {16, true},
    {32, false}, {32, true}, {64, false}, {64, true},
};

/// Random numbers, the same in every run.
std::mt19937_64 &getRandom();
/// Codes of a format: all of 16 bits, or edges and random ones, most of them
/// of a size that the small formats can hold.
std::vector<OperandRow> makeCodes(const Format &format, unsigned count = 1);
/// Bits of integers.
std::vector<OperandRow> makePatterns();

} // namespace nvfp4::ptx

#endif // NVFP4_TEST_UNIT_SIMULATOR_MACHINE_FORMATS_H
