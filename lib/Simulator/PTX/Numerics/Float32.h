//===- Float32.h - f32 arithmetic, bit for bit ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// add, sub, mul, fma, div, rcp, sqrt, min, max, abs, neg, copysign, testp and
// comparisons of `.f32`, with `.rn/.rz/.rm/.rp`, `.ftz` and `.sat`.
//
// * Every NaN result is 0x7FFFFFFF. `.sat` clamps to [+0, 1], NaN to +0.
// * `.ftz`: a subnormal input is a zero of the same sign. A result is flushed
//   by its value rounded to 24 bits with *unbounded exponent*, so
//   (1 - 2^-24) * 2^-126 becomes 0 and (1 - 2^-46) * 2^-126 becomes 2^-126,
//   although both round to 2^-126 in f32.
// * Rounding to nearest runs on the host's f32 instructions. The directed
//   modes go through f64, in which products of f32 are exact and sums keep
//   their rounding error in the last bit (Rounding.h).
//
// Mixed precision (`add.f32.f16`, `fma.f32.bf16`) is this arithmetic on widened
// inputs: every f16 and bf16 is an f32.
//
// Sources: PTX ISA, floating-point instructions; the `.ftz` and NaN results
// were measured on an H200.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT32_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT32_H

#include "Rounding.h"

namespace nvfp4::ptx {

inline constexpr uint32_t kCanonicalNaNF32 = 0x7FFFFFFF;
inline constexpr uint32_t kSignF32 = 0x80000000;

NVFP4_PTX_INLINE bool isNaNF32(float value) { return value != value; }

NVFP4_PTX_INLINE float canonicalizeF32(float value) {
  return value != value ? toF32(kCanonicalNaNF32) : value;
}

/// Subnormals become zeros of the same sign.
NVFP4_PTX_INLINE float flushF32(float value) {
  uint32_t bits = toBits(value);
  return toF32((bits & 0x7F800000) == 0 ? bits & kSignF32 : bits);
}

/// An input under `.ftz` or not.
template <bool Ftz> NVFP4_PTX_INLINE float inputF32(float value) {
  return Ftz ? flushF32(value) : value;
}

/// `.sat`.
NVFP4_PTX_INLINE float saturateF32(float value) {
  float positive = value > 0.0f ? value : 0.0f;
  return positive < 1.0f ? positive : 1.0f;
}

/// What is left to do with a rounded result.
template <bool Sat> NVFP4_PTX_INLINE float finishF32(float value) {
  return Sat ? saturateF32(value) : canonicalizeF32(value);
}

namespace detail {

/// Is an exact value (or one rounded to odd in f64) below the normal range once
/// rounded to 24 bits with unbounded exponent?
template <Rounding R> NVFP4_PTX_INLINE bool isFlushedF32(double value) {
  double magnitude = magnitudeOf(value);
  // The tie between the last value below 2^-126 and 2^-126 goes up.
  if constexpr (R == Rounding::RN)
    return magnitude < (1 - 0x1p-25) * 0x1p-126;
  if constexpr (R == Rounding::RZ)
    return magnitude < 0x1p-126;
  bool away = isNegative(value) == (R == Rounding::RM);
  return away ? magnitude <= (1 - 0x1p-24) * 0x1p-126 : magnitude < 0x1p-126;
}

/// Rounds an exact value (or one rounded to odd in f64) to f32.
template <Rounding R, bool Ftz> NVFP4_PTX_INLINE float narrowF64(double value) {
  float nearest = float(value);
  uint32_t bits = toBits(nearest);
  if constexpr (R != Rounding::RN) {
    // Step back where rounding to nearest went the wrong way.
    double rounded = double(nearest);
    bool down = rounded > value, up = rounded < value;
    bool negative = bits >> 31;
    bool increase = R != Rounding::RM && up && (R == Rounding::RP || negative);
    bool decrease =
        R != Rounding::RP && down && (R == Rounding::RM || !negative);
    uint32_t larger = negative ? ~0u : 1u; // toward +inf
    bits += increase ? larger : 0u;
    bits -= decrease ? larger : 0u;
  }
  if constexpr (Ftz)
    bits = isFlushedF32<R>(value) ? bits & kSignF32 : bits;
  return toF32(bits);
}

/// a + b, exact or rounded to odd, with the sign that an exact zero gets.
template <Rounding R> NVFP4_PTX_INLINE double sumF64(double a, double b) {
  double sum = addToOdd(a, b);
  if constexpr (R == Rounding::RM) {
    // x + -x is -0 here; 0 + 0 stays +0.
    double zero = toF64((toBits(a) | toBits(b)) & toBits(-0.0));
    sum = sum == 0.0 ? zero : sum;
  }
  return sum;
}

} // namespace detail

//===----------------------------------------------------------------------===//
// add, sub, mul, fma
//===----------------------------------------------------------------------===//

template <Rounding R = Rounding::RN, bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float addF32(float a, float b) {
  a = inputF32<Ftz>(a);
  b = inputF32<Ftz>(b);
  if constexpr (R == Rounding::RN) {
    // A sum of two f32 is a multiple of 2^-149: if it is subnormal it is exact.
    float sum = a + b;
    return finishF32<Sat>(Ftz ? flushF32(sum) : sum);
  }
  return finishF32<Sat>(
      detail::narrowF64<R, Ftz>(detail::sumF64<R>(double(a), double(b))));
}

template <Rounding R = Rounding::RN, bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float subF32(float a, float b) {
  return addF32<R, Ftz, Sat>(a, toF32(toBits(b) ^ kSignF32));
}

template <Rounding R = Rounding::RN, bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float mulF32(float a, float b) {
  a = inputF32<Ftz>(a);
  b = inputF32<Ftz>(b);
  if constexpr (R == Rounding::RN) {
    float product = a * b;
    if constexpr (Ftz) {
      // The same product 2^64 higher has room for its 24 bits. It overflows
      // only where the product is nowhere near 2^-126, or is a zero.
      float scaled = (a * 0x1p64f) * b;
      bool tiny = magnitudeOf(scaled) < 0x1p-62f;
      product = tiny ? toF32(toBits(product) & kSignF32) : product;
    }
    return finishF32<Sat>(product);
  }
  return finishF32<Sat>(detail::narrowF64<R, Ftz>(double(a) * double(b)));
}

/// `HasFma`: the code around this call is compiled for an instruction set with
/// a fused multiply-add. Both ways give the same bits.
template <Rounding R = Rounding::RN, bool Ftz = false, bool Sat = false,
          bool HasFma = kBaselineHasFma>
NVFP4_PTX_INLINE float fmaF32(float a, float b, float c) {
  a = inputF32<Ftz>(a);
  b = inputF32<Ftz>(b);
  c = inputF32<Ftz>(c);
  if constexpr (R == Rounding::RN && HasFma) {
    float result = __builtin_elementwise_fma(a, b, c);
    if constexpr (Ftz) {
      // As in mulF32. Where a or c overflow, the exact result is a zero or far
      // from 2^-126: it is a multiple of 2^-110.
      float scaled = __builtin_elementwise_fma(a * 0x1p64f, b, c * 0x1p64f);
      bool tiny = magnitudeOf(scaled) < 0x1p-62f;
      result = tiny ? toF32(toBits(result) & kSignF32) : result;
    }
    return finishF32<Sat>(result);
  }
  double product = double(a) * double(b); // exact: 48 bits
  return finishF32<Sat>(
      detail::narrowF64<R, Ftz>(detail::sumF64<R>(product, double(c))));
}

//===----------------------------------------------------------------------===//
// Exact div, rcp, sqrt
//===----------------------------------------------------------------------===//

/// The f64 quotient of two f32 lies on the same side of every f32, of every
/// midpoint of two and of the bounds of `.ftz` as the exact one: were they
/// different and closer than 2^-50, a - q*b would be a nonzero multiple of its
/// last place, which is above 2^-50 * a. So rounding it again is harmless.
template <Rounding R = Rounding::RN, bool Ftz = false>
NVFP4_PTX_INLINE float divF32(float a, float b) {
  a = inputF32<Ftz>(a);
  b = inputF32<Ftz>(b);
  if constexpr (R == Rounding::RN && !Ftz)
    return canonicalizeF32(a / b);
  return canonicalizeF32(detail::narrowF64<R, Ftz>(double(a) / double(b)));
}

template <Rounding R = Rounding::RN, bool Ftz = false>
NVFP4_PTX_INLINE float rcpF32(float a) {
  return divF32<R, Ftz>(1.0f, a);
}

namespace detail {

/// The root as the host has it; what is below zero gives 0xFF..F, a NaN. Asking
/// the host about |a| keeps LLVM from dropping the selection of that NaN: it
/// takes `a < 0 ? NaN : sqrt(a)` to be sqrt(a), whatever the bits of the NaN.
template <typename T> NVFP4_PTX_INLINE T rootOf(T a) {
  auto sign = toBits(a) & toBits(T(-0.0));
  auto root = toBits(T(__builtin_elementwise_sqrt(magnitudeOf(a)))) | sign;
  return fromBits(a >= T(0) ? root : ~decltype(root)(0));
}

} // namespace detail

/// The same argument holds for the f64 root. A root is never subnormal.
template <Rounding R = Rounding::RN, bool Ftz = false>
NVFP4_PTX_INLINE float sqrtF32(float a) {
  a = inputF32<Ftz>(a);
  if constexpr (R == Rounding::RN)
    return canonicalizeF32(detail::rootOf(a));
  return canonicalizeF32(
      detail::narrowF64<R, false>(detail::rootOf(double(a))));
}

//===----------------------------------------------------------------------===//
// min, max, abs, neg, copysign
//===----------------------------------------------------------------------===//

namespace detail {

/// Maps the bits of a float to integers in the order of the values, -0 below
/// +0. It is its own inverse.
NVFP4_PTX_INLINE int32_t orderF32(uint32_t bits) {
  int32_t key = int32_t(bits);
  return key ^ ((key >> 31) & 0x7FFFFFFF);
}

template <bool Max, bool NaN, bool Ftz, bool XorSign>
NVFP4_PTX_INLINE float selectF32(float a, float b) {
  a = inputF32<Ftz>(a);
  b = inputF32<Ftz>(b);
  uint32_t sign = (toBits(a) ^ toBits(b)) & kSignF32;
  uint32_t keep = XorSign ? ~kSignF32 : ~0u;
  uint32_t bitsA = toBits(a) & keep, bitsB = toBits(b) & keep;
  int32_t keyA = orderF32(bitsA), keyB = orderF32(bitsB);
  bool takeA = Max ? keyA > keyB : keyA < keyB;
  bool nanA = a != a, nanB = b != b;
  uint32_t bits = takeA ? bitsA : bitsB;
  bits = nanA ? bitsB : bits;
  bits = nanB ? bitsA : bits;
  bits |= XorSign ? sign : 0u;
  bool isNaN = NaN ? nanA | nanB : nanA & nanB;
  return toF32(isNaN ? kCanonicalNaNF32 : bits);
}

} // namespace detail

/// -0 is below +0. One NaN: the other operand, or NaN with `.NaN`. With
/// `.xorsign.abs` magnitudes are compared and the result has the product of the
/// signs, unless it is NaN.
template <bool NaN = false, bool Ftz = false, bool XorSign = false>
NVFP4_PTX_INLINE float minF32(float a, float b) {
  return detail::selectF32<false, NaN, Ftz, XorSign>(a, b);
}
template <bool NaN = false, bool Ftz = false, bool XorSign = false>
NVFP4_PTX_INLINE float maxF32(float a, float b) {
  return detail::selectF32<true, NaN, Ftz, XorSign>(a, b);
}

NVFP4_PTX_INLINE float copysignF32(float sign, float magnitude) {
  return toF32((toBits(sign) & kSignF32) | (toBits(magnitude) & ~kSignF32));
}

template <bool Ftz = false> NVFP4_PTX_INLINE float absF32(float a) {
  return canonicalizeF32(magnitudeOf(inputF32<Ftz>(a)));
}
template <bool Ftz = false> NVFP4_PTX_INLINE float negF32(float a) {
  return canonicalizeF32(toF32(toBits(inputF32<Ftz>(a)) ^ kSignF32));
}

/// Three operands: `min.f32 d, a, b, c`. `Abs` compares magnitudes.
template <bool NaN = false, bool Ftz = false, bool Abs = false>
NVFP4_PTX_INLINE float min3F32(float a, float b, float c) {
  if constexpr (Abs)
    a = magnitudeOf(a), b = magnitudeOf(b), c = magnitudeOf(c);
  return minF32<NaN, Ftz>(minF32<NaN, Ftz>(a, b), c);
}
template <bool NaN = false, bool Ftz = false, bool Abs = false>
NVFP4_PTX_INLINE float max3F32(float a, float b, float c) {
  if constexpr (Abs)
    a = magnitudeOf(a), b = magnitudeOf(b), c = magnitudeOf(c);
  return maxF32<NaN, Ftz>(maxF32<NaN, Ftz>(a, b), c);
}

//===----------------------------------------------------------------------===//
// Comparisons and classes, for f32 and f64
//===----------------------------------------------------------------------===//

/// f32 and f64. Under `.ftz` the caller flushes f32 operands.
template <Compare C, typename T> NVFP4_PTX_INLINE bool compareFloat(T a, T b) {
  if constexpr (C == Compare::EQ)
    return a == b;
  if constexpr (C == Compare::NE)
    return (a < b) | (a > b);
  if constexpr (C == Compare::LT)
    return a < b;
  if constexpr (C == Compare::LE)
    return a <= b;
  if constexpr (C == Compare::GT)
    return a > b;
  if constexpr (C == Compare::GE)
    return a >= b;
  if constexpr (C == Compare::EQU)
    return !((a < b) | (a > b));
  if constexpr (C == Compare::NEU)
    return a != b;
  if constexpr (C == Compare::LTU)
    return !(a >= b);
  if constexpr (C == Compare::LEU)
    return !(a > b);
  if constexpr (C == Compare::GTU)
    return !(a <= b);
  if constexpr (C == Compare::GEU)
    return !(a < b);
  if constexpr (C == Compare::Num)
    return (a == a) & (b == b);
  if constexpr (C == Compare::Nan)
    return (a != a) | (b != b);
}

/// `testp`. Zeros count as normal, subnormals do not.
enum class FloatClass : uint8_t {
  Finite,
  Infinite,
  Number,
  NotANumber,
  Normal,
  Subnormal
};

template <FloatClass C> NVFP4_PTX_INLINE bool testF32(float a) {
  uint32_t magnitude = toBits(a) & 0x7FFFFFFF;
  if constexpr (C == FloatClass::Finite)
    return magnitude < 0x7F800000;
  if constexpr (C == FloatClass::Infinite)
    return magnitude == 0x7F800000;
  if constexpr (C == FloatClass::Number)
    return magnitude <= 0x7F800000;
  if constexpr (C == FloatClass::NotANumber)
    return magnitude > 0x7F800000;
  if constexpr (C == FloatClass::Normal)
    return (magnitude - 0x00800000 < 0x7F000000u) | (magnitude == 0);
  if constexpr (C == FloatClass::Subnormal)
    return magnitude - 1 < 0x007FFFFFu;
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT32_H
