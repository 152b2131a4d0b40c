//===- Kernels-inl.h - Codecs on vectors ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vector forms of Codecs.h, compiled once per instruction set. They use bit
// tricks where Codecs.cpp uses formulas, and must agree with it on every bit
// pattern: the unit tests compare them on each instruction set that the machine
// has. Scales are never negative here, because magnitudes are not.
//
// All functions take and return vectors of 32-bit lanes; codes and bytes sit in
// the low bits of i32 lanes.
//
//===----------------------------------------------------------------------===//

#if defined(NVFP4_LIB_SUPPORT_KERNELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NVFP4_LIB_SUPPORT_KERNELS_INL_H
#undef NVFP4_LIB_SUPPORT_KERNELS_INL_H
#else
#define NVFP4_LIB_SUPPORT_KERNELS_INL_H
#endif

#include "QuantizeDetail.h"

#include <hwy/highway.h>

#include <cfloat>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

namespace hn = hwy::HWY_NAMESPACE;

/// At most 16 lanes, so that blocks of 16 are whole vectors.
using DF = hn::CappedTag<float, 16>;
using DI = hn::RebindToSigned<DF>;
using DU = hn::RebindToUnsigned<DF>;
using DU8 = hn::Rebind<uint8_t, DF>;
using DU16 = hn::Rebind<uint16_t, DF>;
using VF = hn::Vec<DF>;
using VI = hn::Vec<DI>;
using VU = hn::Vec<DU>;

constexpr int32_t kMagnitudeMask = 0x7FFFFFFF;
constexpr int32_t kInfBits = 0x7F800000;

HWY_INLINE VI bitsOf(VF value) { return hn::BitCast(DI(), value); }
HWY_INLINE VF floatOf(VI bits) { return hn::BitCast(DF(), bits); }
HWY_INLINE VI magnitudeBits(VF value) {
  return hn::And(bitsOf(value), hn::Set(DI(), kMagnitudeMask));
}

//===----------------------------------------------------------------------===//
// Loads and stores of the three source types
//===----------------------------------------------------------------------===//

struct F32Access {
  using Bits = int32_t;
  static constexpr FloatType kType = FloatType::F32;
  static constexpr Bits kInfinity = 0x7F800000;
  static HWY_INLINE VF load(const uint8_t *address) {
    return hn::LoadU(DF(), reinterpret_cast<const float *>(address));
  }
  /// Two vectors of neighbours, those at even places apart from the others.
  static HWY_INLINE void loadPairs(const uint8_t *address, VF &even, VF &odd) {
    const DF d;
    VF low = load(address);
    VF high = load(address + hn::Lanes(d) * sizeof(float));
    even = hn::ConcatEven(d, high, low);
    odd = hn::ConcatOdd(d, high, low);
  }
  static HWY_INLINE void store(VF value, uint8_t *address) {
    hn::StoreU(value, DF(), reinterpret_cast<float *>(address));
  }
};

struct BF16Access {
  using Bits = int16_t;
  static constexpr FloatType kType = FloatType::BF16;
  static constexpr Bits kInfinity = 0x7F80;
  static HWY_INLINE VF load(const uint8_t *address) {
    auto half = hn::LoadU(DU16(), reinterpret_cast<const uint16_t *>(address));
    return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(DU(), half)));
  }
  static HWY_INLINE void loadPairs(const uint8_t *address, VF &even, VF &odd) {
    const DU d;
    VU pairs = hn::LoadU(d, reinterpret_cast<const uint32_t *>(address));
    even = hn::BitCast(DF(), hn::ShiftLeft<16>(pairs));
    odd = hn::BitCast(DF(), hn::And(pairs, hn::Set(d, 0xFFFF0000)));
  }
  static HWY_INLINE void store(VF value, uint8_t *address) {
    const DU d;
    VU bits = hn::BitCast(d, value);
    VU magnitude = hn::And(bits, hn::Set(d, kMagnitudeMask));
    VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
    VU rounded = hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7FFF)));
    VU quiet = hn::Or(bits, hn::Set(d, 0x400000));
    auto isNaN = hn::Gt(hn::BitCast(DI(), magnitude), hn::Set(DI(), kInfBits));
    VU result = hn::IfThenElse(hn::RebindMask(d, isNaN), quiet, rounded);
    hn::StoreU(hn::TruncateTo(DU16(), hn::ShiftRight<16>(result)), DU16(),
               reinterpret_cast<uint16_t *>(address));
  }
};

struct F16Access {
  using Bits = int16_t;
  static constexpr FloatType kType = FloatType::F16;
  static constexpr Bits kInfinity = 0x7C00;
  static HWY_INLINE VF load(const uint8_t *address) {
    auto half = hn::LoadU(DU16(), reinterpret_cast<const uint16_t *>(address));
    return decode(hn::PromoteTo(DU(), half));
  }
  static HWY_INLINE void loadPairs(const uint8_t *address, VF &even, VF &odd) {
    const DU d;
    VU pairs = hn::LoadU(d, reinterpret_cast<const uint32_t *>(address));
    even = decode(hn::And(pairs, hn::Set(d, 0xFFFF)));
    odd = decode(hn::ShiftRight<16>(pairs));
  }
  /// Moves the fields into place and corrects the exponent by a multiplication
  /// with 2^112, which also normalises subnormals.
  static HWY_INLINE VF decode(VU bits) {
    const DU d;
    VU magnitude = hn::And(bits, hn::Set(d, 0x7FFF));
    VU sign = hn::ShiftLeft<16>(hn::Xor(bits, magnitude));
    VU fields = hn::ShiftLeft<13>(magnitude);
    VF finite = hn::Mul(hn::BitCast(DF(), fields), hn::Set(DF(), 0x1p112f));
    auto isSpecial =
        hn::Gt(hn::BitCast(DI(), magnitude), hn::Set(DI(), 0x7BFF));
    VU special = hn::Or(fields, hn::Set(d, kInfBits));
    VU result = hn::IfThenElse(hn::RebindMask(d, isSpecial), special,
                               hn::BitCast(d, finite));
    return hn::BitCast(DF(), hn::Or(result, sign));
  }
  static HWY_INLINE void store(VF value, uint8_t *address) {
    const DI d;
    VI bits = bitsOf(value);
    VI magnitude = magnitudeBits(value);
    VI sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude));
    sign = hn::And(sign, hn::Set(d, 0x8000));
    // Normal: add half a unit less one, plus one if odd; rebias by 112.
    VI odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d, 1));
    VI normal = hn::Add(magnitude, hn::Add(odd, hn::Set(d, 0xFFF)));
    normal = hn::Sub(hn::ShiftRight<13>(normal), hn::Set(d, 112 << 10));
    // Subnormal: 0.5 has the spacing 2^-24.
    const VF half = hn::Set(DF(), 0.5f);
    VI subnormal =
        hn::Sub(bitsOf(hn::Add(floatOf(magnitude), half)), bitsOf(half));
    auto isNormal =
        hn::Gt(magnitude, hn::Set(d, int32_t(bitsOfFloat(0x1p-14f)) - 1));
    VI code = hn::IfThenElse(isNormal, normal, subnormal);
    code = hn::Min(code, hn::Set(d, 0x7C00));
    auto isNaN = hn::Gt(magnitude, hn::Set(d, kInfBits));
    code = hn::Or(hn::IfThenElse(isNaN, hn::Set(d, 0x7E00), code), sign);
    hn::StoreU(hn::TruncateTo(DU16(), hn::BitCast(DU(), code)), DU16(),
               reinterpret_cast<uint16_t *>(address));
  }
};

//===----------------------------------------------------------------------===//
// e2m1
//===----------------------------------------------------------------------===//

/// Rounds |value| to the spacing of `magic` and returns the multiple, plus
/// `first`. The sum's mantissa holds the multiple, since |value| < magic; what
/// is larger, infinity and NaN give something large.
template <int32_t first>
HWY_INLINE VI roundToSpacing(VF magnitude, float magic) {
  VI sum = bitsOf(hn::Add(magnitude, hn::Set(DF(), magic)));
  return hn::Sub(sum, hn::Set(DI(), int32_t(bitsOfFloat(magic)) - first));
}

/// The sign of a code: bit 3, clear for NaN.
template <bool kIsFinite = false>
HWY_INLINE VI codeSign(VF value, VI magnitude) {
  const DI d;
  VI sign = hn::And(hn::ShiftRight<28>(bitsOf(value)), hn::Set(d, 8));
  if constexpr (kIsFinite)
    return sign;
  auto isNaN = hn::Gt(magnitude, hn::Set(d, kInfBits));
  return hn::IfThenZeroElse(isNaN, sign);
}

/// encodeE2M1: with a = |value|, min(RNE(2a), RNE(a) + 2, RNE(a/2) + 4, 7).
/// `kIsFinite` promises that the value is not NaN.
template <bool kIsFinite = false> HWY_INLINE VI encodeE2M1(VF value) {
  VI magnitude = magnitudeBits(value);
  VF a = floatOf(magnitude);
  VI code =
      hn::Min(roundToSpacing<0>(a, 0x1p22f), roundToSpacing<2>(a, 0x1p23f));
  code = hn::Min(code, roundToSpacing<4>(a, 0x1p24f));
  code = hn::Min(code, hn::Set(DI(), 7));
  return hn::Or(code, codeSign<kIsFinite>(value, magnitude));
}

/// A number whose lowest byte is the code of a magnitude, which is no NaN. As
/// above, but the constants are moved so that no subtraction is left: a sum
/// with 2^23 + 2 ends with the bits of RNE(a) + 2.
HWY_INLINE VU encodeMagnitude(VF magnitude) {
  const DF d;
  const VF a = hn::Min(magnitude, hn::Set(d, 6.0f));
  const auto add = [&](float magic) HWY_ATTR {
    return bitsOf(hn::Add(a, hn::Set(d, magic)));
  };
  if constexpr (!HWY_HAVE_SCALABLE && hn::MaxLanes(DF()) == 16) {
    // RNE(2a), 0 to 12, says which of the three sums is the smallest.
    alignas(64) static constexpr float kMagic[16] = {
        0x1p22f,     0x1p22f,     0x1p22f,     0x1p22f,
        0x1p22f,     0x1p23f + 2, 0x1p23f + 2, 0x1p23f + 2,
        0x1p23f + 2, 0x1p24f + 8, 0x1p24f + 8, 0x1p24f + 8,
        0x1p24f + 8, 0x1p24f + 8, 0x1p24f + 8, 0x1p24f + 8};
    auto index =
        hn::IndicesFromVec(d, hn::And(add(0x1p22f), hn::Set(DI(), 0xF)));
    VF magic = hn::TableLookupLanes(hn::Load(d, kMagic), index);
    return hn::BitCast(DU(), hn::Add(a, magic));
  }
  // The exponents differ, but end above the lower half.
  const hn::Repartition<uint16_t, DF> d16;
  auto code = hn::Min(hn::BitCast(d16, add(0x1p22f)),
                      hn::BitCast(d16, add(0x1p23f + 2)));
  code = hn::Min(code, hn::BitCast(d16, add(0x1p24f + 8)));
  return hn::BitCast(DU(), code);
}

/// encodeE2M1 of values that are no NaN, two to a lane: a byte of codes in the
/// lowest bits of each lane, and anything above.
HWY_INLINE VU encodeE2M1Pairs(VF even, VF odd) {
  const DU d;
  VU evenSign =
      hn::And(hn::ShiftRight<28>(hn::BitCast(d, even)), hn::Set(d, 8));
  VU oddSign =
      hn::And(hn::ShiftRight<24>(hn::BitCast(d, odd)), hn::Set(d, 0x80));
  VU codes = hn::Or(encodeMagnitude(hn::Abs(even)),
                    hn::ShiftLeft<4>(encodeMagnitude(hn::Abs(odd))));
  return hn::Or(codes, hn::Or(evenSign, oddSign));
}

/// encodeE2M1Stochastic with the random bits in the low byte of each lane.
HWY_INLINE VI encodeE2M1Stochastic(VF value, VI random) {
  const DI d;
  VI magnitude = magnitudeBits(value);
  VI clamped = hn::Min(magnitude, hn::Set(d, int32_t(bitsOfFloat(6.0f))));
  // From 1 on: the random bits meet the upper eight discarded mantissa bits,
  // and the carry arrives in the code.
  VI sum = hn::Add(clamped, hn::ShiftLeft<14>(random));
  VI normal = hn::Sub(hn::ShiftRight<22>(sum), hn::Set(d, 252));
  // Below 1 the spacing is 1/2, so 256 * frac is 512 * value less the code.
  VI units = hn::ConvertTo(d, hn::Mul(floatOf(clamped), hn::Set(DF(), 512.0f)));
  VI subnormal = hn::ShiftRight<8>(hn::Add(units, random));
  auto isNormal = hn::Gt(clamped, hn::Set(d, int32_t(bitsOfFloat(1.0f)) - 1));
  VI code = hn::IfThenElse(isNormal, normal, subnormal);
  return hn::Or(code, codeSign(value, magnitude));
}

/// decodeE2M1 without sign: 0, 0.5, then mantissa and exponent moved in place.
HWY_INLINE VF decodeE2M1Magnitude(VI code) {
  const DI d;
  VI magnitude = hn::And(code, hn::Set(d, 7));
  VF normal = floatOf(hn::ShiftLeft<22>(hn::Add(magnitude, hn::Set(d, 252))));
  VF small = hn::Mul(hn::ConvertTo(DF(), magnitude), hn::Set(DF(), 0.5f));
  return hn::IfThenElse(hn::RebindMask(DF(), hn::Gt(magnitude, hn::Set(d, 1))),
                        normal, small);
}

/// decodeE2M1.
HWY_INLINE VF decodeE2M1(VI code) {
  VI sign = hn::ShiftLeft<28>(hn::And(code, hn::Set(DI(), 8)));
  return floatOf(hn::Or(bitsOf(decodeE2M1Magnitude(code)), sign));
}

//===----------------------------------------------------------------------===//
// Scales with three mantissa bits: e4m3 and ue5m3
//===----------------------------------------------------------------------===//

/// What differs between the two.
struct E4M3Traits {
  static constexpr int kBias = 7;
  static constexpr int32_t kMaxCode = 0x7E;
  static constexpr float kMax = kE4M3Max;
  static constexpr int32_t kSignBit = 0x80;
  /// 2^23 times the smallest subnormal; 1 over it; what moves the exponent.
  static constexpr float kMagic = 0x1p14f;
  static constexpr float kUnits = 0x1p9f;
  static constexpr float kRebias = 0x1p120f;
  static constexpr float kMinNormal = 0x1p-6f;
};
struct UE5M3Traits {
  static constexpr int kBias = 15;
  static constexpr int32_t kMaxCode = 0xF7;
  static constexpr float kMax = kUE5M3Max;
  static constexpr int32_t kSignBit = 0;
  static constexpr float kMagic = 0x1p6f;
  static constexpr float kUnits = 0x1p17f;
  static constexpr float kRebias = 0x1p112f;
  static constexpr float kMinNormal = 0x1p-14f;
};

/// The code of a scale >= 0; `roundUp` toward infinity, else to nearest even.
template <class Traits, bool roundUp> HWY_INLINE VI encodeScale(VF scale) {
  const DI d;
  VF clamped = hn::Min(scale, hn::Set(DF(), Traits::kMax));
  VI bits = bitsOf(clamped);
  VI rounding;
  VI subnormal;
  if constexpr (roundUp) {
    rounding = hn::Set(d, 0xFFFFF);
    VF units = hn::Mul(clamped, hn::Set(DF(), Traits::kUnits));
    VI below = hn::ConvertTo(d, units);
    auto isMore = hn::Lt(hn::ConvertTo(DF(), below), units);
    subnormal = hn::Sub(below, hn::VecFromMask(d, hn::RebindMask(d, isMore)));
  } else {
    VI odd = hn::And(hn::ShiftRight<20>(bits), hn::Set(d, 1));
    rounding = hn::Add(odd, hn::Set(d, 0x7FFFF));
    subnormal = roundToSpacing<0>(clamped, Traits::kMagic);
  }
  VI normal = hn::Sub(hn::ShiftRight<20>(hn::Add(bits, rounding)),
                      hn::Set(d, (127 - Traits::kBias) << 3));
  auto isNormal = hn::Ge(clamped, hn::Set(DF(), Traits::kMinNormal));
  return hn::IfThenElse(hn::RebindMask(d, isNormal), normal, subnormal);
}

/// The value of a scale byte; sign and NaN included.
template <class Traits> HWY_INLINE VF decodeScale(VI byte) {
  const DI d;
  VI sign = hn::And(byte, hn::Set(d, Traits::kSignBit));
  VI code = hn::Xor(byte, sign);
  VF value =
      hn::Mul(floatOf(hn::ShiftLeft<20>(code)), hn::Set(DF(), Traits::kRebias));
  auto isNaN = hn::Gt(code, hn::Set(d, Traits::kMaxCode));
  VI bits = hn::IfThenElse(isNaN, hn::Set(d, 0x7FC00000), bitsOf(value));
  return floatOf(hn::Or(bits, hn::ShiftLeft<24>(sign)));
}

//===----------------------------------------------------------------------===//
// e8m0
//===----------------------------------------------------------------------===//

/// The value of an e8m0 byte.
HWY_INLINE VF decodeE8M0(VI byte) {
  const DI d;
  VI bits = hn::ShiftLeft<23>(byte);
  bits = hn::IfThenElse(hn::Eq(byte, hn::Zero(d)),
                        hn::Set(d, int32_t(bitsOfFloat(0x1p-127f))), bits);
  bits = hn::IfThenElse(hn::Eq(byte, hn::Set(d, kE8M0NaN)),
                        hn::Set(d, 0x7FC00000), bits);
  return floatOf(bits);
}

/// encodeE8M0RoundUp of a magnitude: the exponent field, plus one if the value
/// is above the power of two that the field stands for.
HWY_INLINE VI encodeE8M0RoundUp(VF magnitude) {
  const DI d;
  VI floor = hn::ShiftRight<23>(bitsOf(magnitude));
  auto isAbove = hn::RebindMask(d, hn::Gt(magnitude, decodeE8M0(floor)));
  VI up = hn::Sub(floor, hn::VecFromMask(d, isAbove));
  return hn::Min(up, hn::Set(d, 0xFE));
}

/// chooseE8M0 of Quantize.cpp.
HWY_INLINE VI chooseE8M0(E8M0Rule rule, VF amax) {
  const DI d;
  if (rule == E8M0Rule::RoundUp)
    return encodeE8M0RoundUp(hn::Mul(amax, hn::Set(DF(), detail::kSixth)));
  VI bits = bitsOf(amax);
  auto isInf = hn::Eq(bits, hn::Set(d, kInfBits));
  if (rule == E8M0Rule::Even)
    bits = hn::Add(bits, hn::Set(d, 1 << 21));
  VI byte =
      hn::Max(hn::Sub(hn::ShiftRight<23>(bits), hn::Set(d, 2)), hn::Zero(d));
  return hn::IfThenElse(isInf, hn::Set(d, 0xFE), byte);
}

/// The value of a scale byte of any encoding.
HWY_INLINE VF decodeScaleOf(ScaleEncoding encoding, VI byte) {
  switch (encoding) {
  case ScaleEncoding::E4M3:
    return decodeScale<E4M3Traits>(byte);
  case ScaleEncoding::E8M0:
    return decodeE8M0(byte);
  case ScaleEncoding::UE5M3:
    return decodeScale<UE5M3Traits>(byte);
  }
  __builtin_unreachable();
}

/// fmin(value, FLT_MAX): NaN gives FLT_MAX.
HWY_INLINE VF minFloatMax(VF value) {
  const VF limit = hn::Set(DF(), FLT_MAX);
  return hn::IfThenElse(hn::Lt(value, limit), value, limit);
}

/// decodedBlockScale of Formats.h for one row: `scale` are block scales.
HWY_INLINE VF decodedBlockScale(VF scale, const QuantizeOptions &options,
                                float globalScale) {
  const DF d;
  if (options.granularity == GlobalScaleGranularity::None)
    return scale;
  const VF g = hn::Set(d, globalScale);
  switch (options.convention) {
  case GlobalScaleConvention::Amax:
    return hn::Mul(hn::Mul(scale, g),
                   hn::Set(d, 1.0f / options.format.getMaxProduct()));
  case GlobalScaleConvention::Multiply:
    return hn::Mul(scale, g);
  case GlobalScaleConvention::Divide:
    return hn::Div(scale, g);
  }
  __builtin_unreachable();
}

#endif // HWY_SCALAR

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
