//===- Rounding.h - Rounding modes and exact scalar sums --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the arithmetic of every floating-point type of PTX rests on: the
// rounding modes, and sums whose rounding error is kept in the last bit.
//
// Everything here and in the other headers of this folder is pure, needs the
// default floating-point environment (nearest, subnormals kept) and must be
// compiled with -ffp-contract=off. The hot functions have no branch and no
// call, so that a loop over the lanes of a warp vectorizes.
//
// Round to odd. `addToOdd(a, b)` is a + b if that is representable, else the
// one of its two neighbours whose last bit is 1. Rounding a value that was
// rounded to odd with at least two bits more than the target (or comparing it
// with a number that has at least one bit less) gives what the exact value
// would have given, in every rounding mode: the odd last bit stands for "not a
// tie, and not representable" (Boldo and Melquiond, "Emulation of FMA and
// correctly rounded sums", IEEE Transactions on Computers 57(4), 2008).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_ROUNDING_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_ROUNDING_H

#include <cstdint>

/// Callers are compiled several times, once per instruction set. Inlining into
/// them is what makes these functions use that instruction set.
#define NVFP4_PTX_INLINE inline __attribute__((always_inline))

namespace nvfp4::ptx {

/// `.rn` (ties to even), `.rz`, `.rm` (toward -inf), `.rp` (toward +inf),
/// `.rna` (nearest, ties away from zero).
enum class Rounding : uint8_t { RN, RZ, RM, RP, RNA };

/// The comparisons of `setp`, `set` and `slct`. Those with U hold as well if an
/// operand is NaN; Num: none is; Nan: one is.
enum class Compare : uint8_t {
  EQ,
  NE,
  LT,
  LE,
  GT,
  GE,
  EQU,
  NEU,
  LTU,
  LEU,
  GTU,
  GEU,
  Num,
  Nan
};

/// Does the translation unit's baseline have a fused multiply-add? Kernels that
/// are compiled for a better instruction set than the baseline pass `true`.
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool kBaselineHasFma = true;
#else
inline constexpr bool kBaselineHasFma = false;
#endif

NVFP4_PTX_INLINE uint32_t toBits(float value) {
  return __builtin_bit_cast(uint32_t, value);
}
NVFP4_PTX_INLINE uint64_t toBits(double value) {
  return __builtin_bit_cast(uint64_t, value);
}
NVFP4_PTX_INLINE float toF32(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
NVFP4_PTX_INLINE double toF64(uint64_t bits) {
  return __builtin_bit_cast(double, bits);
}
NVFP4_PTX_INLINE float fromBits(uint32_t bits) { return toF32(bits); }
NVFP4_PTX_INLINE double fromBits(uint64_t bits) { return toF64(bits); }

NVFP4_PTX_INLINE float magnitudeOf(float value) {
  return toF32(toBits(value) & 0x7FFFFFFFu);
}
NVFP4_PTX_INLINE double magnitudeOf(double value) {
  return toF64(toBits(value) & 0x7FFFFFFFFFFFFFFFull);
}
NVFP4_PTX_INLINE bool isNegative(float value) { return toBits(value) >> 31; }
NVFP4_PTX_INLINE bool isNegative(double value) { return toBits(value) >> 63; }

/// Rounds to odd a `rounded` value that is off by `error` (exact - rounded),
/// both of the same type. A NaN error (the sum was not finite) counts as none.
template <typename T> NVFP4_PTX_INLINE T roundToOdd(T rounded, T error) {
  auto bits = toBits(rounded);
  using Bits = decltype(bits);
  bool inexact = (error > T(0)) | (error < T(0));
  bool fix = inexact & !(bits & 1);
  bool away = isNegative(error) == isNegative(rounded);
  Bits step = away ? Bits(1) : ~Bits(0);
  return fromBits(Bits(bits + (fix ? step : Bits(0))));
}

/// a + b rounded to odd; exact zeros, infinities and NaN as in IEEE 754.
template <typename T> NVFP4_PTX_INLINE T addToOdd(T a, T b) {
  T sum = a + b;
  T fromB = sum - a;
  T error = (a - (sum - fromB)) + (b - fromB); // Knuth's two-sum: exact
  return roundToOdd(sum, error);
}

/// The f32 neighbour of `value` with the odd last bit, or `value` itself.
NVFP4_PTX_INLINE float narrowToOdd(double value) {
  float rounded = float(value);
  double error = value - double(rounded);
  uint32_t bits = toBits(rounded);
  bool inexact = (error > 0.0) | (error < 0.0);
  bool fix = inexact & !(bits & 1);
  bool away = isNegative(error) == isNegative(rounded);
  return toF32(bits + (fix ? (away ? 1u : ~0u) : 0u));
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_ROUNDING_H
