//===- ConvertSlow.cpp - Rare conversions, compiled once ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Directed rounding, saturation, and f64.
//
// Source: PTX ISA 9.7.9, cvt.
//
//===----------------------------------------------------------------------===//

#include "Lanes-inl.h"

#include "Convert.h"
#include "ConvertRows.h"
#include "Taint.h"

namespace nvfp4::ptx {

using namespace HWY_NAMESPACE;
using namespace modifier;

template <unsigned... I> using Indices = std::integer_sequence<unsigned, I...>;
using Integers = std::make_integer_sequence<unsigned, kNumIntegers>;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

template <unsigned From, unsigned... To>
static constexpr std::array<AluRow, sizeof...(To)>
makeSaturations(Indices<To...>) {
  return {{row<saturateInt<ScalarType<To>, ScalarType<From>>>(
      "cvt", ScalarPair<To, From>::kName, Sat)...}};
}
template <unsigned... From>
static constexpr auto makeAllSaturations(Indices<From...> indices) {
  return joinRows(makeSaturations<From>(indices)...);
}

template <Modifiers M, unsigned From>
static constexpr std::array<AluRow, 4> makeFromInt() {
  using Int = ScalarType<From>;
  constexpr Rounding R = getRounding(M);
  return {{
      row<convertToF16<R, Int>>("cvt", ScalarPair<kF16, From>::kName, M),
      row<convertToBF16<R, Int>>("cvt", ScalarPair<kBF16, From>::kName, M),
      row<convertToF32<R, Int>>("cvt", ScalarPair<kF32, From>::kName, M),
      row<convertToF64<R, Int>>("cvt", ScalarPair<kF64, From>::kName, M),
  }};
}
template <Modifiers M> static constexpr auto makeAllFromInt() {
  return joinRows(makeFromInt<M, kU32>(), makeFromInt<M, kS32>(),
                  makeFromInt<M, kU32 + 2>(), makeFromInt<M, kS32 + 2>());
}

template <typename Int, Rounding R> static Int convertFlushed(float a) {
  return convertToInt<Int, R>(flushF32(a));
}

template <Rounding R, unsigned... To>
static constexpr auto makeToInt(Modifiers name, Indices<To...>) {
  return joinRows(std::array<AluRow, 3>{{
      row<convertToInt<ScalarType<To>, R, float>>(
          "cvt", ScalarPair<To, kF32>::kName, name),
      row<convertFlushed<ScalarType<To>, R>>("cvt", ScalarPair<To, kF32>::kName,
                                             name | Ftz),
      row<convertToInt<ScalarType<To>, R, double>>(
          "cvt", ScalarPair<To, kF64>::kName, name),
  }}...);
}

//===----------------------------------------------------------------------===//
// Floating point
//===----------------------------------------------------------------------===//

/// To an integral value. What has no `.ftz` is not in ConvertFast.cpp.
template <Rounding R>
static constexpr std::array<AluRow, 7> makeIntegral(Modifiers name) {
  return {{
      row<roundF32<R, false, true>>("cvt", "f32.f32", name | Sat),
      row<roundF32<R, true, true>>("cvt", "f32.f32", name | Ftz | Sat),
      row<roundF64<R>>("cvt", "f64.f64", name),
      row<roundF64<R, true>>("cvt", "f64.f64", name | Sat),
      row<roundF16<R>>("cvt", "f16.f16", name),
      row<roundF16<R, true>>("cvt", "f16.f16", name | Sat),
      row<roundBF16<R>>("cvt", "bf16.bf16", name),
  }};
}

template <Modifiers M> static constexpr std::array<AluRow, 2> makeFromF32() {
  constexpr Rounding R = getRounding(M);
  constexpr bool F = M & Ftz, S = M & Sat, P = M & Relu, T = M & Satfinite;
  return {{
      row<cvtF16F32<R, F, S, P, T>>("cvt", "f16.f32", M),
      row<cvtBF16F32<R, F, S, P, T>>("cvt", "bf16.f32", M),
  }};
}
template <Modifiers M> static constexpr auto makeAllFromF32() {
  return joinRows(makeFromF32<M>(), makeFromF32<M | Sat>(),
                  makeFromF32<M | Relu>(), makeFromF32<M | Satfinite>(),
                  makeFromF32<M | Relu | Satfinite>());
}

template <Modifiers M> static constexpr std::array<AluRow, 4> makeFromF64() {
  constexpr Rounding R = getRounding(M);
  constexpr bool S = M & Sat;
  return {{
      row<cvtF16F64<R, S>>("cvt", "f16.f64", M),
      row<cvtBF16F64<R, S>>("cvt", "bf16.f64", M),
      row<cvtF32F64<R, false, S>>("cvt", "f32.f64", M),
      row<cvtF32F64<R, true, S>>("cvt", "f32.f64", M | Ftz),
  }};
}

template <Modifiers M> static constexpr std::array<AluRow, 2> makeTF32() {
  constexpr Rounding R = getRounding(M);
  return {{
      row<cvtTF32<R, bool(M & Relu), bool(M & Satfinite)>>("cvt", "tf32.f32",
                                                           M),
      row<cvtTF32<R, bool(M & Relu), true>>("cvt", "tf32.f32", M | Satfinite),
  }};
}

template <typename T> static T copyValue(T a) { return a; }

static constexpr std::array<AluRow, 11> kMore = {{
    row<cvtF64F32<false, true>>("cvt", "f64.f32", Sat),
    row<cvtF64F32<true, true>>("cvt", "f64.f32", Ftz | Sat),
    row<cvtF64F16<false>>("cvt", "f64.f16"),
    row<cvtF64F16<true>>("cvt", "f64.f16", Sat),
    row<cvtF64BF16>("cvt", "f64.bf16"),
    row<cvtF16F16<true>>("cvt", "f16.f16", Sat),
    row<cvtF64F64<true>>("cvt", "f64.f64", Sat),
    row<copyValue<uint64_t>>("cvt", "f64.f64", None, taintMoved),
    row<copyValue<uint16_t>>("cvt", "f16.f16", None, taintMoved),
    row<copyValue<uint16_t>>("cvt", "bf16.bf16", None, taintMoved),
    row<copyValue<uint32_t>>("cvt", "f32.f32", None, taintMoved),
}};

AluTable getSlowConvertRows() {
  static constexpr auto kRows = joinRows(
      makeAllSaturations(Integers()), makeAllFromInt<RN>(),
      makeAllFromInt<RZ>(), makeAllFromInt<RM>(), makeAllFromInt<RP>(),
      makeToInt<Rounding::RN>(RNI, Integers()),
      makeToInt<Rounding::RZ>(RZI, Integers()),
      makeToInt<Rounding::RM>(RMI, Integers()),
      makeToInt<Rounding::RP>(RPI, Integers()), makeIntegral<Rounding::RN>(RNI),
      makeIntegral<Rounding::RZ>(RZI), makeIntegral<Rounding::RM>(RMI),
      makeIntegral<Rounding::RP>(RPI), makeAllFromF32<RN>(),
      makeAllFromF32<RZ>(), makeAllFromF32<RM>(), makeAllFromF32<RP>(),
      makeAllFromF32<RN | Ftz>(), makeAllFromF32<RZ | Ftz>(),
      makeAllFromF32<RM | Ftz>(), makeAllFromF32<RP | Ftz>(), makeFromF64<RN>(),
      makeFromF64<RZ>(), makeFromF64<RM>(), makeFromF64<RP>(),
      makeFromF64<RN | Sat>(), makeFromF64<RZ | Sat>(), makeFromF64<RM | Sat>(),
      makeFromF64<RP | Sat>(), makeTF32<RN>(), makeTF32<RN | Relu>(),
      makeTF32<RZ>(), makeTF32<RZ | Relu>(), makeTF32<RNA>(), kMore);
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx
