//===- ConvertPacked.cpp - Conversions of packed values -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pairs: the first source operand becomes the upper element. Fours, which are
// always rounded stochastically, are made of two pairs.
//
// Source: PTX ISA 9.7.9, cvt and cvt.pack.
//
//===----------------------------------------------------------------------===//

#include "Lanes-inl.h"

#include "Convert.h"
#include "ConvertRows.h"

namespace nvfp4::ptx {

using namespace HWY_NAMESPACE;
using namespace modifier;

//===----------------------------------------------------------------------===//
// f16x2 and bf16x2 from f32
//===----------------------------------------------------------------------===//

template <auto F> static uint32_t joinHalves(float a, float b) {
  return uint32_t(F(a)) << 16 | F(b);
}
/// Bits 28:16 (or 31:16) of `random` serve a, the low ones b.
template <auto F>
static uint32_t joinStochastic(float a, float b, uint32_t random) {
  return uint32_t(F(a, random >> 16)) << 16 | F(b, random & 0xFFFF);
}

template <Modifiers M> static constexpr std::array<AluRow, 2> makeHalves() {
  constexpr Rounding R = getRounding(M);
  constexpr bool P = M & Relu, T = M & Satfinite;
  return {{
      row<joinHalves<cvtF16F32<R, false, false, P, T>>>("cvt", "f16x2.f32", M),
      row<joinHalves<cvtBF16F32<R, false, false, P, T>>>("cvt", "bf16x2.f32",
                                                         M),
  }};
}
template <Modifiers M> static constexpr std::array<AluRow, 2> makeStochastic() {
  constexpr bool P = M & Relu, T = M & Satfinite;
  return {{
      row<joinStochastic<cvtF16Stochastic<P, T>>>("cvt", "f16x2.f32", M | RS),
      row<joinStochastic<cvtBF16Stochastic<P, T>>>("cvt", "bf16x2.f32", M | RS),
  }};
}

//===----------------------------------------------------------------------===//
// Formats of 8, 6 and 4 bits
//===----------------------------------------------------------------------===//

template <auto F> static uint16_t encodeTwo(float a, float b) {
  return uint16_t(F(a) << 8 | F(b));
}
template <auto F> static uint8_t encodeTwoNibbles(float a, float b) {
  return uint8_t(F(a) << 4 | F(b));
}
template <auto F> static uint16_t encodeTwoF16(uint32_t a) {
  return encodeTwo<F>(widenF16(uint16_t(a >> 16)), widenF16(uint16_t(a)));
}
template <auto F> static uint16_t encodeTwoBF16(uint32_t a) {
  return encodeTwo<F>(widenBF16(uint16_t(a >> 16)), widenBF16(uint16_t(a)));
}
template <auto F> static uint8_t encodeTwoNibblesF16(uint32_t a) {
  return encodeTwoNibbles<F>(widenF16(uint16_t(a >> 16)),
                             widenF16(uint16_t(a)));
}
template <auto F> static uint32_t decodeTwo(uint16_t a) {
  return uint32_t(F(uint8_t(a >> 8))) << 16 | F(uint8_t(a));
}
template <auto F> static uint32_t decodeTwoNibbles(uint8_t a) {
  return uint32_t(F(uint8_t(a >> 4))) << 16 | F(uint8_t(a & 15));
}

/// Without `.relu` and with it.
template <bool P> static constexpr std::array<AluRow, 15> makeSmall() {
  constexpr Modifiers M = P ? RN | Relu : RN;
  constexpr Modifiers To = M | Satfinite;
  return {{
      row<encodeTwo<cvtE4M3F32<P>>>("cvt", "e4m3x2.f32", To),
      row<encodeTwo<cvtE5M2F32<P>>>("cvt", "e5m2x2.f32", To),
      row<encodeTwo<cvtE2M3F32<P>>>("cvt", "e2m3x2.f32", To),
      row<encodeTwo<cvtE3M2F32<P>>>("cvt", "e3m2x2.f32", To),
      row<encodeTwoNibbles<cvtE2M1F32<P>>>("cvt", "e2m1x2.f32", To),
      row<encodeTwoF16<cvtE4M3F32<P>>>("cvt", "e4m3x2.f16x2", To),
      row<encodeTwoF16<cvtE5M2F32<P>>>("cvt", "e5m2x2.f16x2", To),
      row<encodeTwoF16<cvtE2M3F32<P>>>("cvt", "e2m3x2.f16x2", To),
      row<encodeTwoF16<cvtE3M2F32<P>>>("cvt", "e3m2x2.f16x2", To),
      row<encodeTwoNibblesF16<cvtE2M1F32<P>>>("cvt", "e2m1x2.f16x2", To),
      row<decodeTwo<cvtF16E4M3<P>>>("cvt", "f16x2.e4m3x2", M),
      row<decodeTwo<cvtF16E5M2<P>>>("cvt", "f16x2.e5m2x2", M),
      row<decodeTwo<cvtF16E2M3<P>>>("cvt", "f16x2.e2m3x2", M),
      row<decodeTwo<cvtF16E3M2<P>>>("cvt", "f16x2.e3m2x2", M),
      row<decodeTwoNibbles<cvtF16E2M1<P>>>("cvt", "f16x2.e2m1x2", M),
  }};
}

template <Modifiers M> static constexpr std::array<AluRow, 2> makeScales() {
  constexpr auto kEncode = cvtUE8M0F32<getRounding(M), bool(M & Satfinite)>;
  return {{
      row<encodeTwo<kEncode>>("cvt", "ue8m0x2.f32", M),
      row<encodeTwoBF16<kEncode>>("cvt", "ue8m0x2.bf16x2", M),
  }};
}

static constexpr std::array<AluRow, 1> kFromScales = {{
    row<decodeTwo<cvtBF16UE8M0>>("cvt", "bf16x2.ue8m0x2", RN),
}};

//===----------------------------------------------------------------------===//
// Four elements: two rows for the pairs, one that joins them
//===----------------------------------------------------------------------===//

template <auto Encode, auto Split, unsigned kFirst>
static uint16_t encodePair(float a, float b, uint32_t random) {
  StochasticBits bits = Split(random);
  return uint16_t(Encode(a, bits.element[kFirst]) << 8 |
                  Encode(b, bits.element[kFirst + 1]));
}
template <auto Encode, unsigned kFirst>
static uint8_t encodeNibbles(float a, float b, uint32_t random) {
  StochasticBits bits = splitRandomBitsE2M1(random);
  return uint8_t(Encode(a, bits.element[kFirst]) << 4 |
                 Encode(b, bits.element[kFirst + 1]));
}
static uint32_t joinPairs(uint16_t high, uint16_t low) {
  return uint32_t(high) << 16 | low;
}
static uint16_t joinNibbles(uint8_t high, uint8_t low) {
  return uint16_t(high << 8 | low);
}

template <auto Encode>
static constexpr std::array<AluRow, 3> makeFours(std::string_view types,
                                                 Modifiers modifiers) {
  constexpr auto kSplit = splitRandomBitsFP8;
  return {{
      row<encodePair<Encode, kSplit, 0>>("cvt", types, modifiers | Hi),
      row<encodePair<Encode, kSplit, 2>>("cvt", types, modifiers | Lo),
      row<joinPairs>("cvt", types, modifiers | Pack),
  }};
}
template <bool P> static constexpr auto makeAllFours() {
  constexpr Modifiers M = RS | Satfinite | (P ? Relu : None);
  constexpr auto kE2M1 = cvtE2M1Stochastic<P>;
  return joinRows(makeFours<cvtE4M3Stochastic<P>>("e4m3x4.f32", M),
                  makeFours<cvtE5M2Stochastic<P>>("e5m2x4.f32", M),
                  makeFours<cvtE2M3Stochastic<P>>("e2m3x4.f32", M),
                  makeFours<cvtE3M2Stochastic<P>>("e3m2x4.f32", M),
                  std::array<AluRow, 3>{{
                      row<encodeNibbles<kE2M1, 0>>("cvt", "e2m1x4.f32", M | Hi),
                      row<encodeNibbles<kE2M1, 2>>("cvt", "e2m1x4.f32", M | Lo),
                      row<joinNibbles>("cvt", "e2m1x4.f32", M | Pack),
                  }});
}

//===----------------------------------------------------------------------===//
// cvt.pack
//===----------------------------------------------------------------------===//

template <unsigned kBits, bool kIsSigned> static uint32_t clampTo(int32_t a) {
  constexpr int32_t kMax = (1 << (kBits - kIsSigned)) - 1;
  constexpr int32_t kMin = kIsSigned ? -kMax - 1 : 0;
  a = a > kMax ? kMax : a < kMin ? kMin : a;
  return uint32_t(a) & ((1u << kBits) - 1);
}
template <bool kIsSigned> static uint32_t packTwo(int32_t a, int32_t b) {
  return clampTo<16, kIsSigned>(a) << 16 | clampTo<16, kIsSigned>(b);
}
/// c moves up to make room.
template <unsigned kBits, bool kIsSigned>
static uint32_t packInto(int32_t a, int32_t b, uint32_t c) {
  return c << (2 * kBits) | clampTo<kBits, kIsSigned>(a) << kBits |
         clampTo<kBits, kIsSigned>(b);
}

static constexpr std::array<AluRow, 8> kPacks = {{
    row<packTwo<false>>("cvt", "u16.s32", Pack | Sat),
    row<packTwo<true>>("cvt", "s16.s32", Pack | Sat),
    row<packInto<8, false>>("cvt", "u8.s32.b32", Pack | Sat),
    row<packInto<8, true>>("cvt", "s8.s32.b32", Pack | Sat),
    row<packInto<4, false>>("cvt", "u4.s32.b32", Pack | Sat),
    row<packInto<4, true>>("cvt", "s4.s32.b32", Pack | Sat),
    row<packInto<2, false>>("cvt", "u2.s32.b32", Pack | Sat),
    row<packInto<2, true>>("cvt", "s2.s32.b32", Pack | Sat),
}};

AluTable getPackedConvertRows() {
  static constexpr auto kRows = joinRows(
      makeHalves<RN | Relu>(), makeHalves<RN | Satfinite>(),
      makeHalves<RN | Relu | Satfinite>(), makeHalves<RZ>(),
      makeHalves<RZ | Relu>(), makeHalves<RZ | Satfinite>(),
      makeHalves<RZ | Relu | Satfinite>(), makeStochastic<None>(),
      makeStochastic<Relu>(), makeStochastic<Satfinite>(),
      makeStochastic<Relu | Satfinite>(), makeSmall<false>(), makeSmall<true>(),
      makeScales<RZ>(), makeScales<RP>(), makeScales<RZ | Satfinite>(),
      makeScales<RP | Satfinite>(), kFromScales, makeAllFours<false>(),
      makeAllFours<true>(), kPacks);
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx
