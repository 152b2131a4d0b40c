//===- Float32.cpp - f32 arithmetic ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f32, packed f32x2, and f32 with f16 and bf16 operands. Approximations:
// SpecialFunctions.cpp.
//
// Source: PTX ISA 9.7.3 (floating point), 9.7.5 (mixed precision).
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/Float32.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "ChipFeatures.h"
#include "Float16.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

//===----------------------------------------------------------------------===//
// add, sub, mul, fma
//===----------------------------------------------------------------------===//

template <Modifiers M> static constexpr std::array<AluRow, 5> makeArithmetic() {
  constexpr Rounding R = getRounding(M);
  constexpr bool F = M & Ftz, S = M & Sat;
  return {{
      row<addF32<R, F, S>>("add", "f32", M),
      row<subF32<R, F, S>>("sub", "f32", M),
      row<mulF32<R, F, S>>("mul", "f32", M),
      row<fmaF32<R, F, S, kHasFma>>("fma", "f32", M),
      row<fmaF32<R, F, S, kHasFma>>("mad", "f32", M),
  }};
}

template <Modifiers M> static constexpr std::array<AluRow, 4> makePacked() {
  constexpr Rounding R = getRounding(M);
  constexpr bool F = M & Ftz;
  return {{
      pairRow<addF32<R, F>>("add", "f32x2", M),
      pairRow<subF32<R, F>>("sub", "f32x2", M),
      pairRow<mulF32<R, F>>("mul", "f32x2", M),
      pairRow<fmaF32<R, F, false, kHasFma>>("fma", "f32x2", M),
  }};
}

template <auto Widen, auto F> HWY_INLINE float mixed2(uint16_t a, float c) {
  return F(Widen(a), c);
}
template <auto Widen, auto F>
HWY_INLINE float mixed3(uint16_t a, uint16_t b, float c) {
  return F(Widen(a), Widen(b), c);
}

template <auto Widen, Modifiers M>
static constexpr std::array<AluRow, 3> makeMixed(std::string_view types) {
  constexpr Rounding R = getRounding(M);
  constexpr bool S = M & Sat;
  return {{
      row<mixed2<Widen, addF32<R, false, S>>>("add", types, M),
      row<mixed2<Widen, subF32<R, false, S>>>("sub", types, M),
      row<mixed3<Widen, fmaF32<R, false, S, kHasFma>>>("fma", types, M),
  }};
}

/// One rounding in all its forms.
template <Modifiers R> static constexpr auto makeRounded() {
  return joinRows(makeArithmetic<R>(), makeArithmetic<R | Ftz>(),
                  makeArithmetic<R | Sat>(), makeArithmetic<R | Ftz | Sat>());
}
/// The same of ChipFeature::PackedFloat.
template <Modifiers R> static constexpr auto makeRoundedPacked() {
  return joinRows(makePacked<R>(), makePacked<R | Ftz>(),
                  makeMixed<widenF16, R>("f32.f16"),
                  makeMixed<widenF16, R | Sat>("f32.f16"),
                  makeMixed<widenBF16, R>("f32.bf16"),
                  makeMixed<widenBF16, R | Sat>("f32.bf16"));
}

//===----------------------------------------------------------------------===//
// div, rcp, sqrt
//===----------------------------------------------------------------------===//

template <Modifiers M> static constexpr std::array<AluRow, 3> makeQuotients() {
  constexpr Rounding R = getRounding(M);
  constexpr bool F = M & Ftz;
  return {{
      row<divF32<R, F>>("div", "f32", M),
      row<rcpF32<R, F>>("rcp", "f32", M),
      row<sqrtF32<R, F>>("sqrt", "f32", M),
  }};
}

//===----------------------------------------------------------------------===//
// min, max, abs, neg, copysign
//===----------------------------------------------------------------------===//

/// Of two operands, and `.xorsign.abs`.
template <Modifiers M> static constexpr std::array<AluRow, 4> makeMinMax() {
  constexpr bool N = M & NaN, F = M & Ftz;
  return {{
      row<minF32<N, F>>("min", "f32", M),
      row<maxF32<N, F>>("max", "f32", M),
      row<minF32<N, F, true>>("min", "f32", M | XorSign | Abs),
      row<maxF32<N, F, true>>("max", "f32", M | XorSign | Abs),
  }};
}
/// Of three, and `.abs`.
template <Modifiers M> static constexpr std::array<AluRow, 4> makeMinMax3() {
  constexpr bool N = M & NaN, F = M & Ftz;
  return {{
      row<min3F32<N, F>>("min", "f32", M),
      row<max3F32<N, F>>("max", "f32", M),
      row<min3F32<N, F, true>>("min", "f32", M | Abs),
      row<max3F32<N, F, true>>("max", "f32", M | Abs),
  }};
}

static constexpr std::array<AluRow, 5> kSigns = {{
    row<absF32<false>>("abs", "f32"),
    row<absF32<true>>("abs", "f32", Ftz),
    row<negF32<false>>("neg", "f32"),
    row<negF32<true>>("neg", "f32", Ftz),
    row<copysignF32>("copysign", "f32"),
}};

static AluTable getFloat32Rows() {
  static constexpr auto kRows = joinRows(
      makeRounded<RN>(), makeRounded<RZ>(), makeRounded<RM>(),
      makeRounded<RP>(), makeQuotients<RN>(), makeQuotients<RZ>(),
      makeQuotients<RM>(), makeQuotients<RP>(), makeQuotients<RN | Ftz>(),
      makeQuotients<RZ | Ftz>(), makeQuotients<RM | Ftz>(),
      makeQuotients<RP | Ftz>(), makeMinMax<None>(), makeMinMax<Ftz>(),
      makeMinMax<NaN>(), makeMinMax<NaN | Ftz>(), kSigns);
  return {kRows.data(), kRows.size()};
}

static AluTable getPackedFloatRows() {
  static constexpr auto kRows = joinRows(
      makeRoundedPacked<RN>(), makeRoundedPacked<RZ>(), makeRoundedPacked<RM>(),
      makeRoundedPacked<RP>(), makeMinMax3<None>(), makeMinMax3<Ftz>(),
      makeMinMax3<NaN>(), makeMinMax3<NaN | Ftz>());
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getFloat32Rows);
HWY_EXPORT(getPackedFloatRows);

static bool decodeFloat32(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getFloat32Rows)(),
                   InstClass::Float);
}

static bool decodePackedFloat(DecodeContext &context) {
  if (!decodeRow(context, HWY_DYNAMIC_DISPATCH(getPackedFloatRows)(),
                 InstClass::Float))
    return false;
  requireFeature(context, ChipFeature::PackedFloat);
  return true;
}

OpcodeTable getFloat32Opcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"add", decodeFloat32},      {"sub", decodeFloat32},
      {"mul", decodeFloat32},      {"fma", decodeFloat32},
      {"mad", decodeFloat32},      {"div", decodeFloat32},
      {"rcp", decodeFloat32},      {"sqrt", decodeFloat32},
      {"min", decodeFloat32},      {"max", decodeFloat32},
      {"abs", decodeFloat32},      {"neg", decodeFloat32},
      {"copysign", decodeFloat32}, {"add", decodePackedFloat},
      {"sub", decodePackedFloat},  {"mul", decodePackedFloat},
      {"fma", decodePackedFloat},  {"min", decodePackedFloat},
      {"max", decodePackedFloat},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
