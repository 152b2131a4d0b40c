//===- ConvertFast.cpp - Common conversions, per instruction set ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.9, cvt.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/ConvertFast.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "Convert.h"
#include "ConvertRows.h"
#include "Taint.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

/// Truncation, zero extension, sign extension.
template <typename To, typename From> HWY_INLINE To castInt(From a) {
  return To(a);
}

/// The result's signedness changes nothing.
template <unsigned From, unsigned... To>
static constexpr std::array<AluRow, sizeof...(To)>
makeCasts(std::integer_sequence<unsigned, To...>) {
  return {{row<castInt<std::make_unsigned_t<ScalarType<To>>, ScalarType<From>>>(
      "cvt", ScalarPair<To, From>::kName, None, taintMoved)...}};
}
template <unsigned... From>
static constexpr auto
makeAllCasts(std::integer_sequence<unsigned, From...> indices) {
  return joinRows(makeCasts<From>(indices)...);
}

template <unsigned From> static constexpr std::array<AluRow, 2> makeToFloat() {
  using Int = ScalarType<From>;
  return {{
      row<convertToF32<Rounding::RN, Int>>("cvt", ScalarPair<kF32, From>::kName,
                                           RN),
      row<convertToF64<Rounding::RN, Int>>("cvt", ScalarPair<kF64, From>::kName,
                                           RN),
  }};
}

template <Rounding R>
static constexpr std::array<AluRow, 4> makeToInt(Modifiers name) {
  return {{
      row<convertToInt<uint32_t, R, float>>("cvt", "u32.f32", name),
      row<convertToInt<int32_t, R, float>>("cvt", "s32.f32", name),
      row<roundF32<R>>("cvt", "f32.f32", name),
      row<roundF32<R, true>>("cvt", "f32.f32", name | Ftz),
  }};
}

/// d = {b, a}, a the upper half.
template <auto F> HWY_INLINE uint32_t joinHalves(float a, float b) {
  return uint32_t(F(a)) << 16 | F(b);
}

static constexpr std::array<AluRow, 20> kFloats = {{
    row<cvtF32F32<false, true>>("cvt", "f32.f32", Sat),
    row<cvtF32F32<true, false>>("cvt", "f32.f32", Ftz),
    row<cvtF32F32<true, true>>("cvt", "f32.f32", Ftz | Sat),
    row<cvtF32F16<false, false>>("cvt", "f32.f16"),
    row<cvtF32F16<true, false>>("cvt", "f32.f16", Ftz),
    row<cvtF32F16<false, true>>("cvt", "f32.f16", Sat),
    row<cvtF32F16<true, true>>("cvt", "f32.f16", Ftz | Sat),
    row<cvtF32BF16<false>>("cvt", "f32.bf16"),
    row<cvtF32BF16<true>>("cvt", "f32.bf16", Ftz),
    row<cvtF16F32<Rounding::RN>>("cvt", "f16.f32", RN),
    row<cvtF16F32<Rounding::RN, true>>("cvt", "f16.f32", RN | Ftz),
    row<cvtBF16F32<Rounding::RN>>("cvt", "bf16.f32", RN),
    row<cvtF32F64<Rounding::RN>>("cvt", "f32.f64", RN),
    row<cvtF32F64<Rounding::RN, true>>("cvt", "f32.f64", RN | Ftz),
    row<cvtF64F32<false>>("cvt", "f64.f32"),
    row<cvtF64F32<true>>("cvt", "f64.f32", Ftz),
    row<cvtTF32<Rounding::RNA>>("cvt", "tf32.f32", RNA),
    row<joinHalves<cvtF16F32<Rounding::RN>>>("cvt", "f16x2.f32", RN),
    row<joinHalves<cvtBF16F32<Rounding::RN>>>("cvt", "bf16x2.f32", RN),
    row<joinHalves<cvtBF16F32<Rounding::RN, false, false, true>>>(
        "cvt", "bf16x2.f32", RN | Relu),
}};

static AluTable getRows() {
  static constexpr auto kRows = joinRows(
      makeAllCasts(std::make_integer_sequence<unsigned, kNumIntegers>()),
      makeToFloat<kU32>(), makeToFloat<kS32>(), makeToFloat<kU32 + 2>(),
      makeToFloat<kS32 + 2>(), makeToInt<Rounding::RN>(RNI),
      makeToInt<Rounding::RZ>(RZI), makeToInt<Rounding::RM>(RMI),
      makeToInt<Rounding::RP>(RPI), kFloats);
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getRows);

AluTable getFastConvertRows() { return HWY_DYNAMIC_DISPATCH(getRows)(); }

} // namespace nvfp4::ptx

#endif // HWY_ONCE
