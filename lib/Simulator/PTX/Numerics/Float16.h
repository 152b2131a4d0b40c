//===- Float16.h - f16 and bf16 arithmetic, bit for bit ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// add, sub, mul, fma, min, max, abs, neg and comparisons of `.f16` and `.bf16`,
// values held in uint16_t. Packed forms are built by callers out of halves.
//
// Every result is rounded once, to nearest even, although all arithmetic runs
// in f32 and f64:
//
// * f16 add, sub, mul in f32. f32 has 24 >= 2 * 11 + 2 bits, so rounding a sum
//   twice is harmless (Figueroa 1995); sums in f16's subnormal range and all
//   products (22 bits, above 2^-48) are exact in f32.
// * f16 fma: the product is exact in f32, the sum is rounded to odd there.
//   24 >= 11 + 2, and no f32 involved is subnormal.
// * bf16 add, sub: as for f16, 24 >= 2 * 8 + 2; subnormal sums are exact.
// * bf16 mul: 16 bits, so exact in f32 while it is a multiple of 2^-149. Below
//   that it is under 2^-133 and f32 can move it onto, never across, a midpoint
//   of bf16; the only one there is 2^-134, and what is moved onto it goes to
//   the even side, 0, like the values just below it. Those just above it are
//   multiples of 2^-149.
// * bf16 fma: products reach 2^-266, so product and sum are f64 (16 bits,
// exact;
//   rounded to odd), narrowed to f32 by rounding to odd again.
//
// NaN results are 0x7FFF. `.sat` clamps to [+0, 1], NaN to +0. `.relu` makes
// what is negative +0 and keeps NaN. `.ftz` (f16 only) flushes subnormal inputs
// and results, results by their value before rounding, as in Float32.h.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT16_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT16_H

#include "Float32.h"

namespace nvfp4::ptx {

inline constexpr uint16_t kCanonicalNaN16 = 0x7FFF;
inline constexpr uint16_t kSign16 = 0x8000;
inline constexpr uint16_t kInfinityF16 = 0x7C00;
inline constexpr uint16_t kInfinityBF16 = 0x7F80;

//===----------------------------------------------------------------------===//
// To f32 (exact) and back (to nearest even)
//===----------------------------------------------------------------------===//

NVFP4_PTX_INLINE float widenBF16(uint16_t bits) {
  return toF32(uint32_t(bits) << 16);
}

/// NaN stays NaN, with its payload.
NVFP4_PTX_INLINE float widenF16(uint16_t bits) {
  constexpr uint32_t kRebias = (127 - 15) << 23;
  constexpr uint32_t kMinNormal = kRebias + (1u << 23); // 2^-14
  uint32_t sign = uint32_t(bits & kSign16) << 16;
  uint32_t magnitude = uint32_t(bits & 0x7FFF) << 13;
  // A subnormal's fraction belongs to 2^-14 without the hidden bit.
  uint32_t subnormal = toBits(toF32(kMinNormal | magnitude) - 0x1p-14f);
  uint32_t result = magnitude + kRebias;
  result = magnitude < (1u << 23) ? subnormal : result;
  result = magnitude >= (31u << 23) ? magnitude | 0x7F800000 : result;
  return toF32(sign | result);
}

/// NaN becomes 0x7FFF, overflow infinity.
NVFP4_PTX_INLINE uint16_t narrowBF16(float value) {
  uint32_t bits = toBits(value);
  uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  return uint16_t(value != value ? kCanonicalNaN16 : rounded);
}

NVFP4_PTX_INLINE uint16_t narrowF16(float value) {
  constexpr uint32_t kRebias = (127 - 15) << 23;
  uint32_t sign = (toBits(value) >> 16) & kSign16;
  uint32_t magnitude = toBits(value) & 0x7FFFFFFF;
  uint32_t normal =
      (magnitude - kRebias + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  // The spacing of f32 at 0.5 is that of f16's subnormals: let f32 round.
  uint32_t subnormal = toBits(toF32(magnitude) + 0.5f) - toBits(0.5f);
  uint32_t result = magnitude < 0x38800000 ? subnormal : normal;
  // 65520 is the midpoint of the largest f16 and 2^16.
  result = magnitude >= 0x477FF000 ? kInfinityF16 : result;
  result |= sign;
  return uint16_t(magnitude > 0x7F800000 ? kCanonicalNaN16 : result);
}

//===----------------------------------------------------------------------===//
// f16
//===----------------------------------------------------------------------===//

NVFP4_PTX_INLINE uint16_t flushF16(uint16_t bits) {
  return uint16_t((bits & kInfinityF16) == 0 ? bits & kSign16 : bits);
}

NVFP4_PTX_INLINE uint16_t relu16(uint16_t bits) {
  // The canonical NaN has no sign bit.
  return uint16_t(bits & kSign16 ? 0 : bits);
}

namespace detail {

template <bool Ftz> NVFP4_PTX_INLINE float inputF16(uint16_t bits) {
  return widenF16(Ftz ? flushF16(bits) : bits);
}

/// Rounds an f32 that is exact, or rounded to odd, or innocuously to nearest.
template <bool Ftz, bool Sat, bool Relu>
NVFP4_PTX_INLINE uint16_t finishF16(float value) {
  if constexpr (Sat)
    value = saturateF32(value);
  if constexpr (Ftz) {
    bool tiny = magnitudeOf(value) < (1 - 0x1p-12f) * 0x1p-14f;
    value = tiny ? toF32(toBits(value) & kSignF32) : value;
  }
  uint16_t bits = narrowF16(value);
  return Relu ? relu16(bits) : bits;
}

} // namespace detail

template <bool Ftz = false, bool Sat = false, bool Relu = false>
NVFP4_PTX_INLINE uint16_t addF16(uint16_t a, uint16_t b) {
  return detail::finishF16<Ftz, Sat, Relu>(detail::inputF16<Ftz>(a) +
                                           detail::inputF16<Ftz>(b));
}

template <bool Ftz = false, bool Sat = false, bool Relu = false>
NVFP4_PTX_INLINE uint16_t subF16(uint16_t a, uint16_t b) {
  return detail::finishF16<Ftz, Sat, Relu>(detail::inputF16<Ftz>(a) -
                                           detail::inputF16<Ftz>(b));
}

template <bool Ftz = false, bool Sat = false, bool Relu = false>
NVFP4_PTX_INLINE uint16_t mulF16(uint16_t a, uint16_t b) {
  return detail::finishF16<Ftz, Sat, Relu>(detail::inputF16<Ftz>(a) *
                                           detail::inputF16<Ftz>(b));
}

template <bool Ftz = false, bool Sat = false, bool Relu = false>
NVFP4_PTX_INLINE uint16_t fmaF16(uint16_t a, uint16_t b, uint16_t c) {
  float product = detail::inputF16<Ftz>(a) * detail::inputF16<Ftz>(b);
  return detail::finishF16<Ftz, Sat, Relu>(
      addToOdd(product, detail::inputF16<Ftz>(c)));
}

//===----------------------------------------------------------------------===//
// bf16
//===----------------------------------------------------------------------===//

template <bool Relu = false>
NVFP4_PTX_INLINE uint16_t addBF16(uint16_t a, uint16_t b) {
  uint16_t bits = narrowBF16(widenBF16(a) + widenBF16(b));
  return Relu ? relu16(bits) : bits;
}

template <bool Relu = false>
NVFP4_PTX_INLINE uint16_t subBF16(uint16_t a, uint16_t b) {
  uint16_t bits = narrowBF16(widenBF16(a) - widenBF16(b));
  return Relu ? relu16(bits) : bits;
}

template <bool Relu = false>
NVFP4_PTX_INLINE uint16_t mulBF16(uint16_t a, uint16_t b) {
  uint16_t bits = narrowBF16(widenBF16(a) * widenBF16(b));
  return Relu ? relu16(bits) : bits;
}

template <bool Relu = false>
NVFP4_PTX_INLINE uint16_t fmaBF16(uint16_t a, uint16_t b, uint16_t c) {
  double product = double(widenBF16(a)) * double(widenBF16(b));
  double sum = addToOdd(product, double(widenBF16(c)));
  uint16_t bits = narrowBF16(narrowToOdd(sum));
  return Relu ? relu16(bits) : bits;
}

//===----------------------------------------------------------------------===//
// fma.rn.oob: 0x7FF7 and 0xFFF7 mark elements that were out of bounds
//===----------------------------------------------------------------------===//

/// The pattern that a copy with `.oobfill` NaN leaves, whatever its sign. (An
/// H200 knows no other one, in f16 and in bf16.)
NVFP4_PTX_INLINE bool isOutOfBounds16(uint16_t bits) {
  return (bits & 0x7FFF) == 0x7FF7;
}
template <bool Relu = false>
NVFP4_PTX_INLINE uint16_t fmaOobF16(uint16_t a, uint16_t b, uint16_t c) {
  bool outside = isOutOfBounds16(a) || isOutOfBounds16(b);
  return outside ? uint16_t(0) : fmaF16<false, false, Relu>(a, b, c);
}
template <bool Relu = false>
NVFP4_PTX_INLINE uint16_t fmaOobBF16(uint16_t a, uint16_t b, uint16_t c) {
  bool outside = isOutOfBounds16(a) || isOutOfBounds16(b);
  return outside ? uint16_t(0) : fmaBF16<Relu>(a, b, c);
}

//===----------------------------------------------------------------------===//
// Both: min, max, abs, neg, comparisons
//===----------------------------------------------------------------------===//

namespace detail {

/// `Infinity` tells f16 from bf16.
template <uint16_t Infinity, bool Max, bool NaN, bool Ftz, bool XorSign>
NVFP4_PTX_INLINE uint16_t select16(uint16_t a, uint16_t b) {
  a = Ftz ? flushF16(a) : a;
  b = Ftz ? flushF16(b) : b;
  uint16_t sign = XorSign ? (a ^ b) & kSign16 : 0;
  bool nanA = (a & 0x7FFF) > Infinity, nanB = (b & 0x7FFF) > Infinity;
  a = XorSign ? a & 0x7FFF : a;
  b = XorSign ? b & 0x7FFF : b;
  // In the order of the values, -0 below +0, as orderF32.
  int16_t keyA = int16_t(a ^ (uint16_t(int16_t(a) >> 15) & 0x7FFF));
  int16_t keyB = int16_t(b ^ (uint16_t(int16_t(b) >> 15) & 0x7FFF));
  bool takeA = Max ? keyA > keyB : keyA < keyB;
  uint16_t bits = takeA ? a : b;
  bits = nanA ? b : bits;
  bits = nanB ? a : bits;
  bits |= sign;
  bool isNaN = NaN ? nanA | nanB : nanA & nanB;
  return isNaN ? kCanonicalNaN16 : bits;
}

} // namespace detail

template <bool NaN = false, bool Ftz = false, bool XorSign = false>
NVFP4_PTX_INLINE uint16_t minF16(uint16_t a, uint16_t b) {
  return detail::select16<kInfinityF16, false, NaN, Ftz, XorSign>(a, b);
}
template <bool NaN = false, bool Ftz = false, bool XorSign = false>
NVFP4_PTX_INLINE uint16_t maxF16(uint16_t a, uint16_t b) {
  return detail::select16<kInfinityF16, true, NaN, Ftz, XorSign>(a, b);
}
template <bool NaN = false, bool XorSign = false>
NVFP4_PTX_INLINE uint16_t minBF16(uint16_t a, uint16_t b) {
  return detail::select16<kInfinityBF16, false, NaN, false, XorSign>(a, b);
}
template <bool NaN = false, bool XorSign = false>
NVFP4_PTX_INLINE uint16_t maxBF16(uint16_t a, uint16_t b) {
  return detail::select16<kInfinityBF16, true, NaN, false, XorSign>(a, b);
}

namespace detail {

template <uint16_t Infinity>
NVFP4_PTX_INLINE uint16_t canonicalize16(uint16_t bits) {
  return (bits & 0x7FFF) > Infinity ? kCanonicalNaN16 : bits;
}

} // namespace detail

template <bool Ftz = false> NVFP4_PTX_INLINE uint16_t absF16(uint16_t a) {
  return detail::canonicalize16<kInfinityF16>((Ftz ? flushF16(a) : a) & 0x7FFF);
}
template <bool Ftz = false> NVFP4_PTX_INLINE uint16_t negF16(uint16_t a) {
  return detail::canonicalize16<kInfinityF16>((Ftz ? flushF16(a) : a) ^
                                              kSign16);
}
NVFP4_PTX_INLINE uint16_t absBF16(uint16_t a) {
  return detail::canonicalize16<kInfinityBF16>(a & 0x7FFF);
}
NVFP4_PTX_INLINE uint16_t negBF16(uint16_t a) {
  return detail::canonicalize16<kInfinityBF16>(a ^ kSign16);
}

template <Compare C, bool Ftz = false>
NVFP4_PTX_INLINE bool compareF16(uint16_t a, uint16_t b) {
  return compareFloat<C>(detail::inputF16<Ftz>(a), detail::inputF16<Ftz>(b));
}
template <Compare C> NVFP4_PTX_INLINE bool compareBF16(uint16_t a, uint16_t b) {
  return compareFloat<C>(widenBF16(a), widenBF16(b));
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_FLOAT16_H
