//===- Exact.h - Exact binary numbers and one way to round them -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference of these tests: numbers of any length, sign * integer * 2^e,
// with exact sums and products, and one rounding function for any format. Slow
// and simple on purpose; it shares no formula with the code under test.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SIMULATOR_NUMERICS_EXACT_H
#define NVFP4_TEST_UNIT_SIMULATOR_NUMERICS_EXACT_H

#include "Rounding.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace nvfp4::ptx::test {

/// A nonnegative integer, 32 bits per digit, lowest first, no leading zeros.
using Digits = std::vector<uint32_t>;

inline void trim(Digits &digits) {
  while (!digits.empty() && digits.back() == 0)
    digits.pop_back();
}

inline int compareDigits(const Digits &a, const Digits &b) {
  if (a.size() != b.size())
    return a.size() < b.size() ? -1 : 1;
  for (size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i])
      return a[i] < b[i] ? -1 : 1;
  return 0;
}

inline Digits shiftLeft(const Digits &a, unsigned count) {
  Digits result(a.size() + count / 32 + 1);
  for (size_t i = 0; i < a.size(); ++i) {
    uint64_t wide = uint64_t(a[i]) << (count % 32);
    result[i + count / 32] |= uint32_t(wide);
    result[i + count / 32 + 1] |= uint32_t(wide >> 32);
  }
  trim(result);
  return result;
}

inline Digits addDigits(const Digits &a, const Digits &b) {
  Digits result(std::max(a.size(), b.size()) + 1);
  uint64_t carry = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    carry += uint64_t(i < a.size() ? a[i] : 0) + (i < b.size() ? b[i] : 0);
    result[i] = uint32_t(carry);
    carry >>= 32;
  }
  trim(result);
  return result;
}

/// a - b for a >= b.
inline Digits subDigits(const Digits &a, const Digits &b) {
  Digits result(a.size());
  int64_t borrow = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    borrow += int64_t(a[i]) - (i < b.size() ? int64_t(b[i]) : 0);
    result[i] = uint32_t(borrow);
    borrow >>= 32;
  }
  trim(result);
  return result;
}

inline Digits mulDigits(const Digits &a, const Digits &b) {
  Digits result(a.size() + b.size() + 1);
  for (size_t i = 0; i < a.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < b.size() || carry; ++j) {
      carry += result[i + j];
      if (j < b.size())
        carry += uint64_t(a[i]) * b[j];
      result[i + j] = uint32_t(carry);
      carry >>= 32;
    }
  }
  trim(result);
  return result;
}

inline int bitLength(const Digits &a) {
  if (a.empty())
    return 0;
  int bits = int(a.size() - 1) * 32;
  for (uint32_t top = a.back(); top; top >>= 1)
    ++bits;
  return bits;
}

inline bool testBit(const Digits &a, int bit) {
  return bit >= 0 && size_t(bit / 32) < a.size() &&
         (a[bit / 32] >> bit % 32 & 1);
}

/// sign * digits * 2^exponent. Zeros have a sign as well.
struct Exact {
  bool negative = false;
  Digits digits;
  int exponent = 0;

  bool isZero() const { return digits.empty(); }
};

/// The value of a finite double.
inline Exact exactOf(double value) {
  int exponent;
  double fraction = std::frexp(std::fabs(value), &exponent);
  uint64_t integer = uint64_t(std::ldexp(fraction, 53));
  Exact result = {std::signbit(value),
                  {uint32_t(integer), uint32_t(integer >> 32)},
                  exponent - 53};
  trim(result.digits);
  return result;
}

inline Exact exactInteger(bool negative, uint64_t magnitude) {
  Exact result = {
      negative, {uint32_t(magnitude), uint32_t(magnitude >> 32)}, 0};
  trim(result.digits);
  return result;
}

/// A product of zero keeps the sign of the factors.
inline Exact operator*(const Exact &a, const Exact &b) {
  return {a.negative != b.negative, mulDigits(a.digits, b.digits),
          a.exponent + b.exponent};
}

inline int compareMagnitude(const Exact &a, const Exact &b) {
  int exponent = std::min(a.exponent, b.exponent);
  return compareDigits(shiftLeft(a.digits, unsigned(a.exponent - exponent)),
                       shiftLeft(b.digits, unsigned(b.exponent - exponent)));
}

/// The sign of an exact zero is that of IEEE 754 under `rounding`.
inline Exact addExact(Exact a, Exact b, Rounding rounding) {
  int exponent = std::min(a.exponent, b.exponent);
  a.digits = shiftLeft(a.digits, unsigned(a.exponent - exponent));
  b.digits = shiftLeft(b.digits, unsigned(b.exponent - exponent));
  if (a.negative == b.negative)
    return {a.negative, addDigits(a.digits, b.digits), exponent};
  int order = compareDigits(a.digits, b.digits);
  if (order == 0)
    return {rounding == Rounding::RM, {}, exponent};
  if (order < 0)
    std::swap(a, b);
  return {a.negative, subDigits(a.digits, b.digits), exponent};
}

/// A binary format: `precision` bits, units not below 2^minUnit; the largest
/// finite value is maxMantissa * 2^maxUnit.
struct Format {
  int precision;
  int minUnit;
  uint64_t maxMantissa;
  int maxUnit;
};

constexpr Format kF64 = {53, -1074, (1ull << 53) - 1, 971};
constexpr Format kF32 = {24, -149, (1 << 24) - 1, 104};
constexpr Format kTF32 = {11, -136, (1 << 11) - 1, 117};
constexpr Format kF16 = {11, -24, (1 << 11) - 1, 5};
constexpr Format kBF16 = {8, -133, (1 << 8) - 1, 120};
constexpr Format kE5M2 = {3, -16, 7, 13};
constexpr Format kE4M3 = {4, -9, 14, 5};
constexpr Format kE2M3 = {4, -3, 15, -1};
constexpr Format kE3M2 = {3, -4, 7, 2};
constexpr Format kE2M1 = {2, -1, 3, 1};
/// f32 without its bounds, for the rule of `.ftz`.
constexpr Format kUnboundedF32 = {24, -100000, (1 << 24) - 1, 100000};
constexpr Format kUnboundedF16 = {11, -100000, (1 << 11) - 1, 100000};

/// Rounded: mantissa * 2^unit, `overflow` if beyond the largest value.
struct Rounded {
  bool negative = false;
  uint64_t mantissa = 0;
  int unit = 0;
  bool overflow = false;
};

inline Rounded roundExact(const Exact &value, const Format &format,
                          Rounding rounding) {
  Rounded result;
  result.negative = value.negative;
  result.unit = format.minUnit;
  if (value.isZero())
    return result;
  int top = value.exponent + bitLength(value.digits); // value < 2^top
  result.unit = std::max(top - format.precision, format.minUnit);
  int cut = result.unit - value.exponent; // bits below the unit
  for (int bit = 0; bit < 64; ++bit)
    if (testBit(value.digits, cut + bit))
      result.mantissa |= uint64_t(1) << bit;
  bool half = testBit(value.digits, cut - 1), below = false;
  for (int bit = 0; bit < cut - 1 && bit < bitLength(value.digits); ++bit)
    below |= testBit(value.digits, bit);
  bool inexact = half || below, up = false;
  switch (rounding) {
  case Rounding::RN:
    up = half && (below || (result.mantissa & 1));
    break;
  case Rounding::RNA:
    up = half;
    break;
  case Rounding::RZ:
    break;
  case Rounding::RM:
    up = inexact && value.negative;
    break;
  case Rounding::RP:
    up = inexact && !value.negative;
    break;
  }
  result.mantissa += up;
  if (result.mantissa >> format.precision) {
    result.mantissa >>= 1;
    ++result.unit;
  }
  Exact rounded = exactInteger(false, result.mantissa);
  rounded.exponent = result.unit;
  Exact largest = exactInteger(false, format.maxMantissa);
  largest.exponent = format.maxUnit;
  result.overflow = compareMagnitude(rounded, largest) > 0;
  return result;
}

/// As a double, for formats with at most 53 bits. Overflow: infinity, or the
/// largest value where the rounding does not leave it.
inline double roundToDouble(const Exact &value, const Format &format,
                            Rounding rounding) {
  Rounded rounded = roundExact(value, format, rounding);
  double magnitude = std::ldexp(double(rounded.mantissa), rounded.unit);
  if (rounded.overflow) {
    bool stays = rounding == Rounding::RZ ||
                 rounding == (value.negative ? Rounding::RP : Rounding::RM);
    magnitude = stays ? std::ldexp(double(format.maxMantissa), format.maxUnit)
                      : HUGE_VAL;
  }
  return rounded.negative ? -magnitude : magnitude;
}

/// `.ftz`: flushed if below 2^-126 once rounded with unbounded exponent.
inline bool isFlushed(const Exact &value, const Format &unbounded,
                      int minNormalExponent, Rounding rounding) {
  Rounded rounded = roundExact(value, unbounded, rounding);
  Exact exact = exactInteger(false, rounded.mantissa);
  exact.exponent = rounded.unit;
  return compareMagnitude(exact, exactOf(std::ldexp(1.0, minNormalExponent))) <
         0;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// Zeros, bounds of every range, their neighbours, ties of narrower formats,
/// infinities and NaN.
inline std::vector<float> edgesF32() {
  std::vector<uint32_t> magnitudes = {
      0x00000000, 0x00000001, 0x00000002, 0x00000003, 0x00400000, 0x007FFFFE,
      0x007FFFFF, 0x00800000, 0x00800001, 0x00FFFFFF, 0x01000000, 0x1F800000,
      0x20000000, 0x33000000, 0x33800000, 0x34000000, 0x387FC000, 0x387FE000,
      0x38800000, 0x3E800000, 0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x3F800001,
      0x3F801000, 0x3F808000, 0x3FC00000, 0x40000000, 0x40200000, 0x40490FDB,
      0x43DFFFFF, 0x43E00000, 0x43E80000, 0x43E80001, 0x477FE000, 0x477FEFFF,
      0x477FF000, 0x4B000001, 0x4EFFFFFF, 0x4F000000, 0x4F7FFFFF, 0x4F800000,
      0x5EFFFFFF, 0x5F000000, 0x5F7FFFFF, 0x5F800000, 0x7E7FFFFF, 0x7E800000,
      0x7F000000, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F800000, 0x7F800001,
      0x7F801000, 0x7FC00000, 0x7FFFFFFF};
  std::vector<float> result;
  for (uint32_t magnitude : magnitudes)
    for (uint32_t sign : {0u, 0x80000000u})
      result.push_back(toF32(magnitude | sign));
  return result;
}

/// Random bits, biased towards exponents that meet and towards few set bits.
class Inputs {
public:
  explicit Inputs(uint64_t seed) : engine(seed) {}

  uint64_t bits() { return engine(); }

  float f32() {
    uint32_t bits = uint32_t(engine()), how = uint32_t(engine() >> 60);
    if (how < 4)
      return toF32(bits);
    // A mantissa that ends in zeros or ones makes ties and carries.
    uint32_t tail = uint32_t(engine()) % 24;
    uint32_t mask = (1u << tail) - 1;
    bits = how & 1 ? bits | mask : bits & ~mask;
    if (how < 10) // near 1
      return toF32((bits & 0x807FFFFF) | (uint32_t(120 + engine() % 16) << 23));
    if (how < 13) // where products and quotients are subnormal
      return toF32((bits & 0x807FFFFF) | (uint32_t(55 + engine() % 20) << 23));
    // close to 2^-126, subnormals included
    return toF32((bits & 0x807FFFFF) | (uint32_t(engine() % 26) << 23));
  }

  double f64() {
    uint64_t bits = engine(), how = engine() >> 60;
    if (how < 4)
      return toF64(bits);
    uint64_t mask = (uint64_t(1) << engine() % 53) - 1;
    bits = how & 1 ? bits | mask : bits & ~mask;
    uint64_t field = how < 10   ? 1015 + engine() % 16
                     : how < 13 ? 485 + engine() % 60
                                : engine() % 56;
    return toF64((bits & 0x800FFFFFFFFFFFFF) | field << 52);
  }

private:
  std::mt19937_64 engine;
};

inline bool isNaNBits16(uint16_t bits, uint16_t infinity) {
  return (bits & 0x7FFF) > infinity;
}

} // namespace nvfp4::ptx::test

#endif // NVFP4_TEST_UNIT_SIMULATOR_NUMERICS_EXACT_H
