//===- Float64.cpp - f64 arithmetic in integers ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Addition, multiplication, division and square root of f64 with any rounding:
// an exact 128-bit significand, a flag for what lies below it, one rounding.
// What involves an infinity or a NaN does not round, so the host computes it.
//
//===----------------------------------------------------------------------===//

#include "Float64.h"

#include <utility>

using namespace nvfp4::ptx;

namespace {

using Significand = unsigned __int128;

/// The value significand * 2^exponent, plus something between 0 and 1 times
/// 2^exponent if `sticky`. A sticky significand has at least 55 bits.
struct Exact {
  bool negative;
  int exponent;
  Significand significand;
  bool sticky = false;
};

} // namespace

static int countBits(Significand value) {
  uint64_t high = uint64_t(value >> 64), low = uint64_t(value);
  if (high)
    return 128 - __builtin_clzll(high);
  return low ? 64 - __builtin_clzll(low) : 0;
}

static bool isFinite(double value) {
  return magnitudeOf(value) <=
         __builtin_bit_cast(double, 0x7FEFFFFFFFFFFFFFull);
}

/// For finite values.
static Exact unpack(double value) {
  uint64_t bits = toBits(value);
  uint64_t fraction = bits & 0x000FFFFFFFFFFFFF;
  int field = int(bits >> 52 & 0x7FF);
  if (field == 0)
    return {isNegative(value), -1074, fraction};
  return {isNegative(value), field - 1075, fraction | 0x0010000000000000};
}

/// Does rounding increase the magnitude? `odd`: of the truncated value;
/// `versusHalf`: the discarded part against half a unit.
static bool roundsUp(Rounding rounding, bool negative, bool odd, bool inexact,
                     int versusHalf) {
  switch (rounding) {
  case Rounding::RN:
    return versusHalf > 0 || (versusHalf == 0 && odd);
  case Rounding::RNA:
    return versusHalf >= 0;
  case Rounding::RZ:
    return false;
  case Rounding::RM:
    return inexact && negative;
  case Rounding::RP:
    return inexact && !negative;
  }
  __builtin_unreachable();
}

static double packOverflow(bool negative, Rounding rounding) {
  // Infinity is where a value beyond the largest one would round up to.
  bool infinite = roundsUp(rounding, negative, /*odd=*/true, true, 1);
  uint64_t magnitude = infinite ? 0x7FF0000000000000 : 0x7FEFFFFFFFFFFFFF;
  return toF64(magnitude | (negative ? kSignF64 : 0));
}

static double pack(const Exact &value, Rounding rounding) {
  uint64_t sign = value.negative ? kSignF64 : 0;
  Significand significand = value.significand;
  if (significand == 0)
    return toF64(sign);
  // The unit of the result: 53 bits, but not below that of subnormals.
  int unit = value.exponent + countBits(significand) - 53;
  unit = unit < -1074 ? -1074 : unit;
  int dropped = unit - value.exponent;
  uint64_t mantissa;
  bool inexact = value.sticky;
  int versusHalf = -1;
  if (dropped <= 0) {
    mantissa = uint64_t(significand << -dropped);
  } else if (dropped > 127) {
    // Far below half of the smallest subnormal.
    mantissa = 0;
    inexact = true;
  } else {
    mantissa = uint64_t(significand >> dropped);
    Significand rest = significand & ((Significand(1) << dropped) - 1);
    Significand half = Significand(1) << (dropped - 1);
    inexact |= rest != 0;
    versusHalf = rest < half ? -1 : (rest > half || value.sticky ? 1 : 0);
  }
  if (roundsUp(rounding, value.negative, mantissa & 1, inexact, versusHalf))
    ++mantissa;
  // The hidden bit, and a carry, add themselves to the exponent.
  uint64_t bits = (uint64_t(unit + 1074) << 52) + mantissa;
  if (unit > 971 || bits >= 0x7FF0000000000000)
    return packOverflow(value.negative, rounding);
  return toF64(sign | bits);
}

/// Moves the most significant bit of a nonzero value to bit 124: there is room
/// for a carry, and 53 or 106 bits keep zeros below them.
static void normalize(Exact &value) {
  int shift = 125 - countBits(value.significand);
  value.significand <<= shift;
  value.exponent -= shift;
}

/// The exact sum, rounded.
static double addExact(Exact a, Exact b, Rounding rounding) {
  if (a.significand == 0 && b.significand == 0) {
    bool negative =
        a.negative == b.negative ? a.negative : rounding == Rounding::RM;
    return toF64(negative ? kSignF64 : 0);
  }
  if (a.significand == 0)
    return pack(b, rounding);
  if (b.significand == 0)
    return pack(a, rounding);
  normalize(a);
  normalize(b);
  if (a.exponent < b.exponent ||
      (a.exponent == b.exponent && a.significand < b.significand))
    std::swap(a, b);
  // What is shifted out is only below a value that is much smaller than the
  // other, so that even a difference keeps more than 120 bits above it.
  int shift = a.exponent - b.exponent;
  if (shift > 127) {
    b.significand = 0;
    a.sticky = true;
  } else if (shift > 0) {
    a.sticky = (b.significand & ((Significand(1) << shift) - 1)) != 0;
    b.significand >>= shift;
  }
  if (a.negative == b.negative) {
    a.significand += b.significand;
  } else {
    a.significand -= b.significand + (a.sticky ? 1 : 0);
    if (a.significand == 0 && !a.sticky)
      a.negative = rounding == Rounding::RM;
  }
  return pack(a, rounding);
}

static Exact multiply(double a, double b) {
  Exact x = unpack(a), y = unpack(b);
  return {x.negative != y.negative, x.exponent + y.exponent,
          x.significand * y.significand};
}

double detail::fmaF64(double a, double b, double c, Rounding rounding) {
  if (!isFinite(a) || !isFinite(b) || !isFinite(c)) {
    // A finite product must not overflow on the way to an infinite c.
    double result = isFinite(a) && isFinite(b) ? c : a * b + c;
    return finishF64(result, a, b, c);
  }
  return addExact(multiply(a, b), unpack(c), rounding);
}

double detail::mulF64(double a, double b, Rounding rounding) {
  if (!isFinite(a) || !isFinite(b))
    return finishF64(a * b, a, b);
  return pack(multiply(a, b), rounding);
}

double detail::divF64(double a, double b, Rounding rounding) {
  if (!isFinite(a) || !isFinite(b) || a == 0.0 || b == 0.0)
    return finishF64(a / b, b, a);
  Exact x = unpack(a), y = unpack(b);
  normalize(x);
  Significand quotient = x.significand / y.significand;
  bool sticky = x.significand % y.significand != 0;
  // 125 bits by at most 53 leave at least 72.
  return pack(
      {x.negative != y.negative, x.exponent - y.exponent, quotient, sticky},
      rounding);
}

double detail::sqrtF64(double a, Rounding rounding) {
  if (!isFinite(a) || a <= 0.0)
    return finishF64(rootOf(a), a, a);
  Exact x = unpack(a);
  normalize(x);
  if (x.exponent & 1) {
    x.significand <<= 1;
    --x.exponent;
  }
  // The largest root with root * root <= significand, bit by bit: 63 bits.
  Significand root = 0, rest = x.significand;
  for (Significand bit = Significand(1) << 124; bit; bit >>= 2) {
    Significand trial = root + bit;
    root >>= 1;
    if (rest >= trial) {
      rest -= trial;
      root += bit;
    }
  }
  return pack({false, x.exponent / 2, root, rest != 0}, rounding);
}
