//===- Convert.h - The instruction cvt, one value ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `cvt` among integers, f16, bf16, f32, f64, tf32 and the 8, 6 and 4-bit
// floats. Packed forms (x2, x4) are built by callers out of single values;
// which bits of `rbits` belong to which element of an x4 form is in
// StochasticBits.
//
// * Float to integer always saturates. NaN gives 0 if the source is at most 32
//   bits and the destination is too, else the bit pattern 100…0.
// * Anything to f16, bf16, f32 or less: canonical NaN, except that f64 keeps
//   the sign and the upper payload, quiet. f32, f16 and bf16 to f64 keep all of
//   it, quiet. `cvt.rna.tf32` truncates a NaN, which can leave infinity.
// * `.sat`: [+0, 1] and NaN to +0. `.relu`: negative to +0, NaN stays.
//   `.satfinite`: what is beyond the largest finite value, infinity included,
//   becomes it; NaN becomes NaN, or +max where the format has none.
// * `.ftz` concerns f32 only, as input and as result.
//
// Sources: PTX ISA, section cvt; NaN measured on an H200.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_NUMERICS_CONVERT_H
#define NVFP4_SIMULATOR_PTX_NUMERICS_CONVERT_H

#include "Float16.h"
#include "Float64.h"
#include "Integer.h"

#include "nvfp4/Support/Codecs.h"

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// Rounding to an integral value
//===----------------------------------------------------------------------===//

/// f32 or f64; RN, RZ, RM or RP stand for `.rni`, `.rzi`, `.rmi`, `.rpi`. The
/// sign of a zero is that of the input. NaN stays some NaN.
template <Rounding R, typename T> NVFP4_PTX_INLINE T roundToIntegral(T value) {
  // Adding 2^23 or 2^52 leaves no room for a fraction. Larger values have none.
  constexpr T kNoFraction = sizeof(T) == 4 ? T(0x1p23) : T(0x1p52);
  T magnitude = magnitudeOf(value);
  T nearest = (magnitude + kNoFraction) - kNoFraction;
  if constexpr (R == Rounding::RZ)
    nearest = nearest > magnitude ? nearest - T(1) : nearest;
  auto sign = toBits(value) & toBits(T(-0.0));
  T rounded = fromBits(decltype(sign)(toBits(nearest) | sign));
  if constexpr (R == Rounding::RM)
    rounded = rounded > value ? rounded - T(1) : rounded;
  if constexpr (R == Rounding::RP)
    rounded = rounded < value ? rounded + T(1) : rounded;
  // -0.5 toward +inf came out as -1 + 1 = +0.
  rounded = fromBits(decltype(sign)(toBits(rounded) | sign));
  return magnitude < kNoFraction ? rounded : value;
}

/// cvt.{rni,rzi,rmi,rpi}.f32.f32 and its likes.
template <Rounding R, bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float roundF32(float a) {
  return finishF32<Sat>(roundToIntegral<R>(inputF32<Ftz>(a)));
}
template <Rounding R, bool Sat = false>
NVFP4_PTX_INLINE uint16_t roundF16(uint16_t a) {
  return narrowF16(finishF32<Sat>(roundToIntegral<R>(widenF16(a))));
}
template <Rounding R> NVFP4_PTX_INLINE uint16_t roundBF16(uint16_t a) {
  return narrowBF16(roundToIntegral<R>(widenBF16(a)));
}

namespace detail {

NVFP4_PTX_INLINE double saturateF64(double value) {
  double positive = value > 0.0 ? value : 0.0;
  return positive < 1.0 ? positive : 1.0;
}

} // namespace detail

template <Rounding R, bool Sat = false>
NVFP4_PTX_INLINE double roundF64(double a) {
  double rounded = detail::finishF64(roundToIntegral<R>(a), a, a);
  return Sat ? detail::saturateF64(rounded) : rounded;
}

//===----------------------------------------------------------------------===//
// Float to integer, integer to integer
//===----------------------------------------------------------------------===//

/// From f32 or f64; f16 and bf16 are widened to f32 first. Under `.ftz` the
/// caller flushes the input.
template <typename Int, Rounding R, typename T>
NVFP4_PTX_INLINE Int convertToInt(T value) {
  constexpr unsigned kBits = sizeof(Int) * 8;
  constexpr Int kMin =
      std::is_signed_v<Int> ? Int(uint64_t(1) << (kBits - 1)) : Int(0);
  constexpr Int kMax = Int(~kMin);
  constexpr Int kNaN = sizeof(T) == 8 || sizeof(Int) == 8
                           ? Int(uint64_t(1) << (kBits - 1))
                           : Int(0);
  constexpr T kAbove = T(uint64_t(1) << (kBits - 2)) *
                       (std::is_signed_v<Int> ? T(2) : T(4)); // kMax + 1
  T rounded = roundToIntegral<R>(value);
  bool low = rounded <= T(kMin), high = rounded >= kAbove;
  bool inside = (rounded > T(kMin)) & (rounded < kAbove);
  Int result = Int(inside ? rounded : T(0));
  result = low ? kMin : result;
  result = high ? kMax : result;
  return value != value ? kNaN : result;
}

/// With `.sat`, else plain truncation or extension (a C++ cast).
template <typename To, typename From>
NVFP4_PTX_INLINE To saturateInt(From value) {
  using Big = __int128;
  constexpr Big kMax =
      Big(To(~To(0)) < To(0) ? (uint64_t(1) << (sizeof(To) * 8 - 1)) - 1
                             : uint64_t(To(~To(0))));
  constexpr Big kMin = std::is_signed_v<To> ? -kMax - 1 : Big(0);
  Big wide = value;
  return To(wide > kMax ? kMax : (wide < kMin ? kMin : wide));
}

//===----------------------------------------------------------------------===//
// Rounding f32 to a smaller format, any mode
//===----------------------------------------------------------------------===//

/// A format with sign, exponent and mantissa, subnormals and no more than the
/// range of f32. A code is a magnitude plus `sign`.
struct SmallFormat {
  int mantissaBits;
  int bias;
  uint32_t maxCode;  ///< Of the largest finite value.
  uint32_t infinity; ///< maxCode + 1, or maxCode if the format has none.
  uint32_t nan;
  uint32_t sign;
};

inline constexpr SmallFormat kFormatF16 = {10,     15,     0x7BFF,
                                           0x7C00, 0x7FFF, 0x8000};
inline constexpr SmallFormat kFormatBF16 = {7,      127,    0x7F7F,
                                            0x7F80, 0x7FFF, 0x8000};
inline constexpr SmallFormat kFormatE5M2 = {2, 15, 0x7B, 0x7C, 0x7F, 0x80};
inline constexpr SmallFormat kFormatE4M3 = {3, 7, 0x7E, 0x7E, 0x7F, 0x80};
inline constexpr SmallFormat kFormatE2M3 = {3, 1, 0x1F, 0x1F, 0x1F, 0x20};
inline constexpr SmallFormat kFormatE3M2 = {2, 3, 0x1F, 0x1F, 0x1F, 0x20};

namespace detail {

/// |value| as significand * 2^exponent, and how many of the significand's bits
/// are below the unit of `F`, at least 0 and clamped to 31.
template <const SmallFormat &F> struct InUnits {
  uint32_t significand; ///< below 2^24
  int dropped;
  int binade; ///< units counted from that of the subnormals

  NVFP4_PTX_INLINE explicit InUnits(uint32_t magnitude) {
    uint32_t field = magnitude >> 23;
    significand = (magnitude & 0x7FFFFF) | (field ? 0x800000u : 0u);
    int exponent = (field ? int(field) : 1) - 150;
    constexpr int kMinUnit = 1 - F.bias - F.mantissaBits;
    int unit = exponent + 23 - F.mantissaBits;
    unit = unit < kMinUnit ? kMinUnit : unit;
    binade = unit - kMinUnit;
    // A significand has 24 bits: whatever is dropped further is below half.
    dropped = unit - exponent > 31 ? 31 : unit - exponent;
  }

  /// The code of the magnitude that was truncated to `units`, plus one if `up`.
  /// Hidden bit and carry add themselves to the exponent.
  NVFP4_PTX_INLINE uint32_t code(uint32_t units, bool up) const {
    return (uint32_t(binade) << F.mantissaBits) + units + (up ? 1u : 0u);
  }
};

template <const SmallFormat &F, bool Relu, bool Satfinite>
NVFP4_PTX_INLINE uint32_t finishSmall(float value, uint32_t code,
                                      bool keepFinite) {
  uint32_t magnitude = toBits(value) & 0x7FFFFFFF;
  bool infinite = magnitude == 0x7F800000;
  uint32_t beyond =
      Satfinite || (keepFinite && !infinite) ? F.maxCode : F.infinity;
  code = infinite || code > F.maxCode ? beyond : code;
  code |= isNegative(value) ? F.sign : 0u;
  code = Relu && isNegative(value) ? 0u : code;
  return magnitude > 0x7F800000 ? F.nan : code;
}

} // namespace detail

/// `value` must be exact, or rounded to odd.
template <const SmallFormat &F, Rounding R, bool Relu = false,
          bool Satfinite = false>
NVFP4_PTX_INLINE uint32_t encodeSmall(float value) {
  detail::InUnits<F> in(toBits(value) & 0x7FFFFFFF);
  uint32_t units = in.significand >> in.dropped;
  uint32_t rest = in.significand & ((1u << in.dropped) - 1);
  uint32_t half = (1u << in.dropped) >> 1;
  bool negative = isNegative(value), up = false, keepFinite = false;
  if constexpr (R == Rounding::RN)
    up = (rest > half) | ((rest == half) & (half != 0) & bool(units & 1));
  if constexpr (R == Rounding::RNA)
    up = (rest >= half) & (half != 0);
  if constexpr (R == Rounding::RM || R == Rounding::RP) {
    bool away = negative == (R == Rounding::RM);
    up = (rest != 0) & away;
    keepFinite = !away;
  }
  if constexpr (R == Rounding::RZ)
    keepFinite = true;
  return detail::finishSmall<F, Relu, Satfinite>(value, in.code(units, up),
                                                 keepFinite);
}

/// `.rs`: the topmost `Bits` discarded bits plus `random`, which has as many;
/// the carry rounds the magnitude up.
template <const SmallFormat &F, unsigned Bits, bool Relu = false,
          bool Satfinite = false>
inline uint32_t encodeSmallStochastic(float value, uint32_t random) {
  detail::InUnits<F> in(toBits(value) & 0x7FFFFFFF);
  // With 31 dropped bits or more (the count is clamped) the value is below
  // 2^-7 units, and its bits must not move up: count them anew.
  uint32_t magnitude = toBits(value) & 0x7FFFFFFF;
  int field = magnitude >> 23 ? int(magnitude >> 23) : 1;
  constexpr int kMinUnit = 1 - F.bias - F.mantissaBits;
  int dropped = in.dropped < 31 ? in.dropped : kMinUnit - (field - 150);
  dropped = dropped > 63 ? 63 : dropped;
  uint64_t significand = in.significand;
  uint64_t units = significand >> dropped;
  uint64_t rest = significand & ((uint64_t(1) << dropped) - 1);
  uint64_t top = dropped >= int(Bits) ? rest >> (dropped - int(Bits))
                                      : rest << (int(Bits) - dropped);
  bool up = (top + (random & ((1u << Bits) - 1))) >> Bits != 0;
  return detail::finishSmall<F, Relu, Satfinite>(
      value, in.code(uint32_t(units), up), /*keepFinite=*/false);
}

//===----------------------------------------------------------------------===//
// To f16 and bf16
//===----------------------------------------------------------------------===//

/// From f32, and from f16 and bf16 widened to it. RN, RZ, RM, RP.
template <Rounding R, bool Ftz = false, bool Sat = false, bool Relu = false,
          bool Satfinite = false>
NVFP4_PTX_INLINE uint16_t cvtF16F32(float a) {
  a = inputF32<Ftz>(a);
  a = Sat ? saturateF32(a) : a;
  if constexpr (R == Rounding::RN && !Relu && !Satfinite)
    return narrowF16(a);
  return uint16_t(encodeSmall<kFormatF16, R, Relu, Satfinite>(a));
}
template <Rounding R, bool Ftz = false, bool Sat = false, bool Relu = false,
          bool Satfinite = false>
NVFP4_PTX_INLINE uint16_t cvtBF16F32(float a) {
  a = inputF32<Ftz>(a);
  a = Sat ? saturateF32(a) : a;
  if constexpr (R == Rounding::RN && !Relu && !Satfinite)
    return narrowBF16(a);
  return uint16_t(encodeSmall<kFormatBF16, R, Relu, Satfinite>(a));
}

namespace detail {

/// NaN keeps sign and upper payload, quiet.
template <const SmallFormat &F, Rounding R, bool Sat>
NVFP4_PTX_INLINE uint16_t encodeSmallF64(double a) {
  uint64_t bits = toBits(a) | kQuietF64;
  constexpr unsigned kDropped = 52 - F.mantissaBits;
  uint32_t payload = uint32_t(bits >> kDropped) & ((1u << F.mantissaBits) - 1);
  uint32_t nan = uint32_t(bits >> 63 << 15) | F.infinity | payload;
  a = Sat ? saturateF64(a) : a;
  uint32_t code = encodeSmall<F, R>(narrowToOdd(a));
  return uint16_t(a != a ? nan : code);
}

} // namespace detail

template <Rounding R, bool Sat = false>
NVFP4_PTX_INLINE uint16_t cvtF16F64(double a) {
  return detail::encodeSmallF64<kFormatF16, R, Sat>(a);
}
template <Rounding R, bool Sat = false>
NVFP4_PTX_INLINE uint16_t cvtBF16F64(double a) {
  return detail::encodeSmallF64<kFormatBF16, R, Sat>(a);
}
/// `cvt.f16.f16`: only its `.sat` does anything, apart from NaN.
template <bool Sat = false> NVFP4_PTX_INLINE uint16_t cvtF16F16(uint16_t a) {
  return narrowF16(finishF32<Sat>(widenF16(a)));
}

/// cvt.rs.{f16x2,bf16x2}.f32: one element with its 13 or 16 bits, which are the
/// low ones of the upper half of `rbits` for a, of the lower half for b.
template <bool Relu = false, bool Satfinite = false>
inline uint16_t cvtF16Stochastic(float a, uint32_t random) {
  return uint16_t(
      encodeSmallStochastic<kFormatF16, 13, Relu, Satfinite>(a, random));
}
template <bool Relu = false, bool Satfinite = false>
inline uint16_t cvtBF16Stochastic(float a, uint32_t random) {
  return uint16_t(
      encodeSmallStochastic<kFormatBF16, 16, Relu, Satfinite>(a, random));
}

//===----------------------------------------------------------------------===//
// To f32, tf32 and f64
//===----------------------------------------------------------------------===//

/// `cvt.f32.f32` without a modifier is a move.
template <bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float cvtF32F32(float a) {
  if constexpr (!Ftz && !Sat)
    return a;
  return finishF32<Sat>(inputF32<Ftz>(a));
}
/// `.ftz` changes nothing: no f16 is a subnormal f32.
template <bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float cvtF32F16(uint16_t a) {
  return finishF32<Sat>(widenF16(a));
}
/// Without `.ftz` this is a shift, for NaN too.
template <bool Ftz = false> NVFP4_PTX_INLINE float cvtF32BF16(uint16_t a) {
  float value = widenBF16(a);
  return Ftz ? canonicalizeF32(flushF32(value)) : value;
}

template <Rounding R, bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE float cvtF32F64(double a) {
  uint64_t bits = toBits(a);
  uint32_t nan = uint32_t(bits >> 63 << 31) | 0x7FC00000u |
                 (uint32_t(bits >> 29) & 0x3FFFFF);
  float result = detail::narrowF64<R, Ftz>(a);
  if constexpr (Sat)
    return saturateF32(result);
  return a != a ? toF32(nan) : result;
}

namespace detail {

/// f32 to f64, NaN quiet with its payload, whatever the host does.
NVFP4_PTX_INLINE double widenF32(float a) {
  uint32_t bits = toBits(a);
  uint64_t nan = uint64_t(bits >> 31) << 63 | 0x7FF8000000000000 |
                 uint64_t(bits & 0x7FFFFF) << 29;
  return a != a ? toF64(nan) : double(a);
}

} // namespace detail

/// `.ftz` makes a NaN canonical on the way.
template <bool Ftz = false, bool Sat = false>
NVFP4_PTX_INLINE double cvtF64F32(float a) {
  double value = detail::widenF32(Ftz ? canonicalizeF32(flushF32(a)) : a);
  return Sat ? detail::saturateF64(value) : value;
}
template <bool Sat = false> NVFP4_PTX_INLINE double cvtF64F16(uint16_t a) {
  double value = detail::widenF32(widenF16(a));
  return Sat ? detail::saturateF64(value) : value;
}
NVFP4_PTX_INLINE double cvtF64BF16(uint16_t a) {
  return detail::widenF32(widenBF16(a));
}
template <bool Sat = false> NVFP4_PTX_INLINE double cvtF64F64(double a) {
  return Sat ? detail::saturateF64(a) : a;
}

/// tf32 is held as an f32 whose low 13 bits are zero. RN and RZ: NaN gives
/// 0x7FFFE000. RNA: NaN is truncated, unless `.satfinite` asks for a NaN.
template <Rounding R, bool Relu = false, bool Satfinite = false>
NVFP4_PTX_INLINE uint32_t cvtTF32(float a) {
  constexpr uint32_t kCut = 0x1FFF, kHalf = 0x1000, kNaN = 0x7FFFE000;
  uint32_t magnitude = toBits(a) & 0x7FFFFFFF;
  uint32_t sign = toBits(a) & kSignF32;
  bool isNaN = magnitude > 0x7F800000;
  uint32_t bits = magnitude;
  if constexpr (R == Rounding::RN)
    bits += kHalf - 1 + ((magnitude >> 13) & 1);
  if constexpr (R == Rounding::RNA)
    bits += kHalf;
  bits &= ~kCut;
  if constexpr (Satfinite)
    bits = bits >= 0x7F800000 ? 0x7F7FE000 : bits;
  bits |= sign;
  bits = Relu && sign ? 0u : bits;
  if constexpr (R == Rounding::RNA && !Satfinite)
    return isNaN ? toBits(a) & ~kCut : bits;
  return isNaN ? kNaN : bits;
}

//===----------------------------------------------------------------------===//
// Integer to float
//===----------------------------------------------------------------------===//

namespace detail {

/// An f64 that rounds like the integer in formats of at most 42 bits.
template <typename Int> NVFP4_PTX_INLINE double integerToOdd(Int value) {
  if constexpr (sizeof(Int) < 8)
    return double(value);
  bool negative = value < Int(0);
  uint64_t magnitude =
      negative ? uint64_t(0) - uint64_t(value) : uint64_t(value);
  // Bits 63:11 fit into an f64. Bit 11 stands for what is below it as well.
  uint64_t low = magnitude & 0x7FF;
  uint64_t cut = (magnitude - low) | (low ? 0x800u : 0u);
  magnitude = magnitude >> 53 ? cut : magnitude;
  double result = double(magnitude);
  return negative ? -result : result;
}

} // namespace detail

template <Rounding R, typename Int>
NVFP4_PTX_INLINE float convertToF32(Int value) {
  if constexpr (R == Rounding::RN)
    return float(value);
  return detail::narrowF64<R, false>(detail::integerToOdd(value));
}

template <Rounding R, typename Int>
NVFP4_PTX_INLINE double convertToF64(Int value) {
  double nearest = double(value);
  if constexpr (sizeof(Int) < 8 || R == Rounding::RN)
    return nearest;
  // Step back where rounding to nearest went the wrong way.
  __int128 exact = value, rounded = __int128(nearest);
  bool away = rounded < 0 ? rounded < exact : rounded > exact;
  bool wrong = R == Rounding::RZ   ? away
               : R == Rounding::RM ? rounded > exact
                                   : rounded < exact;
  uint64_t bits = toBits(nearest);
  return toF64(wrong ? (away ? bits - 1 : bits + 1) : bits);
}

template <Rounding R, typename Int>
NVFP4_PTX_INLINE uint16_t convertToF16(Int value) {
  return cvtF16F64<R>(detail::integerToOdd(value));
}
template <Rounding R, typename Int>
NVFP4_PTX_INLINE uint16_t convertToBF16(Int value) {
  return cvtBF16F64<R>(detail::integerToOdd(value));
}

//===----------------------------------------------------------------------===//
// fp8, fp6, fp4, ue8m0: always satfinite, from f32 (f16 and bf16 widened)
//===----------------------------------------------------------------------===//

namespace detail {

/// `.relu` before rounding: a negative value becomes +0, NaN stays.
template <bool Relu> NVFP4_PTX_INLINE float reluF32(float a) {
  return Relu && isNegative(a) && a == a ? 0.0f : a;
}

} // namespace detail

template <bool Relu = false> inline uint8_t cvtE4M3F32(float a) {
  return encodeE4M3(detail::reluF32<Relu>(a));
}
template <bool Relu = false> inline uint8_t cvtE5M2F32(float a) {
  return uint8_t(encodeSmall<kFormatE5M2, Rounding::RN, Relu, true>(a));
}
template <bool Relu = false> inline uint8_t cvtE2M3F32(float a) {
  return uint8_t(encodeSmall<kFormatE2M3, Rounding::RN, Relu, true>(a));
}
template <bool Relu = false> inline uint8_t cvtE3M2F32(float a) {
  return uint8_t(encodeSmall<kFormatE3M2, Rounding::RN, Relu, true>(a));
}
template <bool Relu = false> inline uint8_t cvtE2M1F32(float a) {
  return encodeE2M1(detail::reluF32<Relu>(a));
}

/// cvt.{rz,rp}{.satfinite}.ue8m0: the sign is ignored. What is above 2^127,
/// infinity included, is NaN (0xFF) without `.satfinite`.
template <Rounding R, bool Satfinite = true>
inline uint8_t cvtUE8M0F32(float a) {
  bool above = R == Rounding::RP ? magnitudeOf(a) > 0x1p127f
                                 : magnitudeOf(a) == toF32(0x7F800000u);
  if (!Satfinite && above)
    return kE8M0NaN;
  return R == Rounding::RP ? encodeE8M0RoundUp(a) : encodeE8M0Floor(a);
}

/// The random bits of the four elements of an x4 form, a first.
struct StochasticBits {
  uint8_t element[4];
};

/// e2m1x4: a and b take the upper bytes of the two halves of `rbits`, e and f
/// the lower ones, and the first of a pair its byte of the upper half. (The
/// manual shows which half serves whom in a figure only.)
inline StochasticBits splitRandomBitsE2M1(uint32_t rbits) {
  return {{uint8_t(rbits >> 24), uint8_t(rbits >> 8), uint8_t(rbits >> 16),
           uint8_t(rbits)}};
}
/// fp8x4 and fp6x4: a and b share the upper half of `rbits`, e and f the lower.
inline StochasticBits splitRandomBitsFP8(uint32_t rbits) {
  return {{uint8_t(rbits >> 24), uint8_t(rbits >> 16), uint8_t(rbits >> 8),
           uint8_t(rbits)}};
}

/// cvt.rs.satfinite.…x4.f32, one element with its 8 bits.
template <bool Relu = false>
inline uint8_t cvtE2M1Stochastic(float a, uint8_t random) {
  return encodeE2M1Stochastic(detail::reluF32<Relu>(a), random);
}
template <bool Relu = false>
inline uint8_t cvtE4M3Stochastic(float a, uint8_t random) {
  return uint8_t(encodeSmallStochastic<kFormatE4M3, 8, Relu, true>(a, random));
}
template <bool Relu = false>
inline uint8_t cvtE5M2Stochastic(float a, uint8_t random) {
  return uint8_t(encodeSmallStochastic<kFormatE5M2, 8, Relu, true>(a, random));
}
template <bool Relu = false>
inline uint8_t cvtE2M3Stochastic(float a, uint8_t random) {
  return uint8_t(encodeSmallStochastic<kFormatE2M3, 8, Relu, true>(a, random));
}
template <bool Relu = false>
inline uint8_t cvtE3M2Stochastic(float a, uint8_t random) {
  return uint8_t(encodeSmallStochastic<kFormatE3M2, 8, Relu, true>(a, random));
}

namespace detail {

/// Exact: f16 has the range and the bits of all small formats.
template <const SmallFormat &F, bool Relu>
NVFP4_PTX_INLINE uint16_t widenSmall(uint32_t code) {
  constexpr uint32_t kHidden = 1u << F.mantissaBits;
  uint32_t magnitude = code & (F.sign - 1);
  uint32_t field = magnitude >> F.mantissaBits;
  uint32_t mantissa = magnitude & (kHidden - 1);
  uint32_t significand = field ? kHidden | mantissa : mantissa;
  int exponent = int(field ? field : 1) - F.bias - F.mantissaBits;
  float scale = toF32(uint32_t(exponent + 127) << 23);
  uint16_t bits = narrowF16(float(significand) * scale);
  // A pattern above the largest value is the infinity, or a NaN.
  bool isNaN = F.nan != F.maxCode && magnitude > F.maxCode &&
               (F.infinity == F.maxCode || magnitude != F.infinity);
  bits = !isNaN && magnitude > F.maxCode ? kInfinityF16 : bits;
  bits |= code & F.sign ? kSign16 : 0;
  bits = Relu ? relu16(bits) : bits;
  return isNaN ? kCanonicalNaN16 : bits;
}

} // namespace detail

/// cvt.rn{.relu}.f16x2.…x2, one element out of the low bits of `code`.
template <bool Relu = false> inline uint16_t cvtF16E4M3(uint8_t code) {
  return detail::widenSmall<kFormatE4M3, Relu>(code);
}
template <bool Relu = false> inline uint16_t cvtF16E5M2(uint8_t code) {
  return detail::widenSmall<kFormatE5M2, Relu>(code);
}
template <bool Relu = false> inline uint16_t cvtF16E2M3(uint8_t code) {
  return detail::widenSmall<kFormatE2M3, Relu>(code & 0x3F);
}
template <bool Relu = false> inline uint16_t cvtF16E3M2(uint8_t code) {
  return detail::widenSmall<kFormatE3M2, Relu>(code & 0x3F);
}
template <bool Relu = false> inline uint16_t cvtF16E2M1(uint8_t code) {
  uint16_t bits = narrowF16(decodeE2M1(code));
  return Relu ? relu16(bits) : bits;
}

/// cvt.rn.bf16x2.ue8m0x2: 2^-127 is a subnormal bf16.
inline uint16_t cvtBF16UE8M0(uint8_t code) {
  return narrowBF16(decodeE8M0(code));
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_NUMERICS_CONVERT_H
