//===- Half.cpp - f16 and bf16 arithmetic ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16, bf16 and their packed pairs.
//
// Source: PTX ISA 9.7.4 (half precision floating point).
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/Half.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "Float16.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

/// F for single values and for pairs.
template <auto F>
static constexpr std::array<AluRow, 2> makeF16(std::string_view opcode,
                                               Modifiers modifiers = None) {
  return {{row<F>(opcode, "f16", modifiers),
           pairRow<F>(opcode, "f16x2", modifiers)}};
}
template <auto F>
static constexpr std::array<AluRow, 2> makeBF16(std::string_view opcode,
                                                Modifiers modifiers = None) {
  return {{row<F>(opcode, "bf16", modifiers),
           pairRow<F>(opcode, "bf16x2", modifiers)}};
}

template <Modifiers M> static constexpr auto makeArithmetic() {
  constexpr bool F = M & Ftz, S = M & Sat;
  return joinRows(
      makeF16<addF16<F, S>>("add", M), makeF16<subF16<F, S>>("sub", M),
      makeF16<mulF16<F, S>>("mul", M), makeF16<fmaF16<F, S>>("fma", M));
}

template <Modifiers M> static constexpr auto makeMinMaxF16() {
  constexpr bool N = M & NaN, F = M & Ftz;
  return joinRows(makeF16<minF16<N, F>>("min", M),
                  makeF16<maxF16<N, F>>("max", M),
                  makeF16<minF16<N, F, true>>("min", M | XorSign | Abs),
                  makeF16<maxF16<N, F, true>>("max", M | XorSign | Abs));
}
template <Modifiers M> static constexpr auto makeMinMaxBF16() {
  constexpr bool N = M & NaN;
  return joinRows(makeBF16<minBF16<N>>("min", M),
                  makeBF16<maxBF16<N>>("max", M),
                  makeBF16<minBF16<N, true>>("min", M | XorSign | Abs),
                  makeBF16<maxBF16<N, true>>("max", M | XorSign | Abs));
}

static AluTable getHalfRows() {
  static constexpr auto kRows = joinRows(
      makeArithmetic<RN>(), makeArithmetic<RN | Ftz>(),
      makeArithmetic<RN | Sat>(), makeArithmetic<RN | Ftz | Sat>(),
      makeF16<fmaF16<false, false, true>>("fma", RN | Relu),
      makeF16<fmaF16<true, false, true>>("fma", RN | Ftz | Relu),
      makeF16<fmaOobF16<false>>("fma", RN | Oob),
      makeF16<fmaOobF16<true>>("fma", RN | Oob | Relu),
      makeF16<absF16<false>>("abs"), makeF16<absF16<true>>("abs", Ftz),
      makeF16<negF16<false>>("neg"), makeF16<negF16<true>>("neg", Ftz),
      makeMinMaxF16<None>(), makeMinMaxF16<Ftz>(), makeMinMaxF16<NaN>(),
      makeMinMaxF16<NaN | Ftz>(), makeBF16<addBF16<false>>("add", RN),
      makeBF16<subBF16<false>>("sub", RN), makeBF16<mulBF16<false>>("mul", RN),
      makeBF16<fmaBF16<false>>("fma", RN),
      makeBF16<fmaBF16<true>>("fma", RN | Relu),
      makeBF16<fmaOobBF16<false>>("fma", RN | Oob),
      makeBF16<fmaOobBF16<true>>("fma", RN | Oob | Relu),
      makeBF16<absBF16>("abs"), makeBF16<negBF16>("neg"),
      makeMinMaxBF16<None>(), makeMinMaxBF16<NaN>());
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getHalfRows);

static bool decodeHalf(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getHalfRows)(),
                   InstClass::Half);
}

OpcodeTable getHalfOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"add", decodeHalf}, {"sub", decodeHalf}, {"mul", decodeHalf},
      {"fma", decodeHalf}, {"abs", decodeHalf}, {"neg", decodeHalf},
      {"min", decodeHalf}, {"max", decodeHalf},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
