//===- Float64.cpp - f64 arithmetic ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What rounds to nearest is compiled per instruction set; the directed modes
// are integer arithmetic behind a call, once.
//
// Source: PTX ISA 9.7.3 (floating point).
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/Float64.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "Float64.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

template <Modifiers M> static constexpr std::array<AluRow, 8> makeRounded() {
  constexpr Rounding R = getRounding(M);
  return {{
      row<addF64<R>>("add", "f64", M),
      row<subF64<R>>("sub", "f64", M),
      row<mulF64<R>>("mul", "f64", M),
      row<fmaF64<R>>("fma", "f64", M),
      row<fmaF64<R>>("mad", "f64", M),
      row<divF64<R>>("div", "f64", M),
      row<rcpF64<R>>("rcp", "f64", M),
      row<sqrtF64<R>>("sqrt", "f64", M),
  }};
}

static AluTable getFloat64Rows() {
  static constexpr std::array<AluRow, 5> kSigns = {{
      row<minF64>("min", "f64"),
      row<maxF64>("max", "f64"),
      row<absF64>("abs", "f64"),
      row<negF64>("neg", "f64"),
      row<copysignF64>("copysign", "f64"),
  }};
  static constexpr auto kRows = joinRows(makeRounded<modifier::RN>(), kSigns);
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getFloat64Rows);

static bool decodeFloat64(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getFloat64Rows)(),
                   InstClass::Double);
}

static bool decodeDirected(DecodeContext &context) {
  using namespace HWY_NAMESPACE;
  static constexpr auto kRows =
      joinRows(makeRounded<modifier::RZ>(), makeRounded<modifier::RM>(),
               makeRounded<modifier::RP>());
  return decodeRow(context, {kRows.data(), kRows.size()}, InstClass::Double);
}

OpcodeTable getFloat64Opcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"add", decodeFloat64},      {"sub", decodeFloat64},
      {"mul", decodeFloat64},      {"fma", decodeFloat64},
      {"mad", decodeFloat64},      {"div", decodeFloat64},
      {"rcp", decodeFloat64},      {"sqrt", decodeFloat64},
      {"min", decodeFloat64},      {"max", decodeFloat64},
      {"abs", decodeFloat64},      {"neg", decodeFloat64},
      {"copysign", decodeFloat64}, {"add", decodeDirected},
      {"sub", decodeDirected},     {"mul", decodeDirected},
      {"fma", decodeDirected},     {"mad", decodeDirected},
      {"div", decodeDirected},     {"rcp", decodeDirected},
      {"sqrt", decodeDirected},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
