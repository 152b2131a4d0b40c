//===- SpecialFunctions.cpp - Approximate instructions --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// div, rcp, sqrt, rsqrt, sin, cos, lg2, ex2, tanh with `.approx`, div.full.
//
// Source: PTX ISA 9.7.3 and 9.7.4.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/SpecialFunctions.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "SpecialFunctions.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

/// With and without `.ftz`.
template <Modifiers M> static constexpr std::array<AluRow, 5> makeQuotients() {
  constexpr bool F = M & Ftz;
  return {{
      row<divApproxF32<F>>("div", "f32", M | Approx),
      row<divFullF32<F>>("div", "f32", M | Full),
      row<rcpApproxF32<F>>("rcp", "f32", M | Approx),
      row<sqrtApproxF32<F>>("sqrt", "f32", M | Approx),
      row<rsqrtApproxF32<F>>("rsqrt", "f32", M | Approx),
  }};
}

static AluTable getQuotientRows() {
  static constexpr auto kRows =
      joinRows(makeQuotients<None>(), makeQuotients<Ftz>());
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getQuotientRows);

static bool decodeQuotient(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getQuotientRows)(),
                   InstClass::Special);
}

/// Functions of the C library: nothing to gain from vectors.
static bool decodeFunction(DecodeContext &context) {
  using namespace HWY_NAMESPACE;
  static constexpr AluRow kRows[] = {
      row<sinApproxF32<false>>("sin", "f32", Approx),
      row<sinApproxF32<true>>("sin", "f32", Approx | Ftz),
      row<cosApproxF32<false>>("cos", "f32", Approx),
      row<cosApproxF32<true>>("cos", "f32", Approx | Ftz),
      row<lg2ApproxF32<false>>("lg2", "f32", Approx),
      row<lg2ApproxF32<true>>("lg2", "f32", Approx | Ftz),
      row<ex2ApproxF32<false>>("ex2", "f32", Approx),
      row<ex2ApproxF32<true>>("ex2", "f32", Approx | Ftz),
      row<tanhApproxF32>("tanh", "f32", Approx),
      row<ex2ApproxF16>("ex2", "f16", Approx),
      pairRow<ex2ApproxF16>("ex2", "f16x2", Approx),
      row<ex2ApproxBF16>("ex2", "bf16", Approx | Ftz),
      pairRow<ex2ApproxBF16>("ex2", "bf16x2", Approx | Ftz),
      row<tanhApproxF16>("tanh", "f16", Approx),
      pairRow<tanhApproxF16>("tanh", "f16x2", Approx),
      row<tanhApproxBF16>("tanh", "bf16", Approx),
      pairRow<tanhApproxBF16>("tanh", "bf16x2", Approx),
      row<rcpApproxFtzF64>("rcp", "f64", Approx | Ftz),
      row<rsqrtApproxFtzF64>("rsqrt", "f64", Approx | Ftz),
      row<rsqrtApproxF64>("rsqrt", "f64", Approx),
  };
  return decodeRow(context, {kRows, std::size(kRows)}, InstClass::Special);
}

OpcodeTable getSpecialFunctionOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"div", decodeQuotient},  {"rcp", decodeQuotient},
      {"sqrt", decodeQuotient}, {"rsqrt", decodeQuotient},
      {"rcp", decodeFunction},  {"rsqrt", decodeFunction},
      {"sin", decodeFunction},  {"cos", decodeFunction},
      {"lg2", decodeFunction},  {"ex2", decodeFunction},
      {"tanh", decodeFunction},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
