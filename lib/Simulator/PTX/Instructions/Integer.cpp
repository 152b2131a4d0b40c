//===- Integer.cpp - Integer arithmetic -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// add, sub, mul, mad, sad, abs, neg, min, max, bit counts and bit fields.
// What has a loop or a branch in a lane: IntegerSlow.cpp.
//
// Source: PTX ISA 9.7.1 (integer arithmetic), 9.7.9 (szext, bmsk).
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/Integer.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "Integer.h"
#include "Taint.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

// Wrapping instructions do the same for both signs.
template <typename U, typename S>
static constexpr std::array<AluRow, 12> makeWrapping(std::string_view u,
                                                     std::string_view s) {
  return {{
      row<addInt<U>>("add", u),
      row<addInt<U>>("add", s),
      row<subInt<U>>("sub", u),
      row<subInt<U>>("sub", s),
      row<mulLo<U>>("mul", u, Lo),
      row<mulLo<U>>("mul", s, Lo),
      row<madLo<U>>("mad", u, Lo),
      row<madLo<U>>("mad", s, Lo),
      row<negInt<U>>("neg", s),
      row<absInt<S>>("abs", s),
      row<sadInt<U>>("sad", u),
      row<sadInt<S>>("sad", s),
  }};
}

template <typename T>
static constexpr std::array<AluRow, 4> makeSigned(std::string_view type) {
  return {{
      row<mulHi<T>>("mul", type, Hi),
      row<madHi<T>>("mad", type, Hi),
      row<minInt<false, T>>("min", type),
      row<maxInt<false, T>>("max", type),
  }};
}

template <typename T>
static constexpr std::array<AluRow, 2> makeWide(std::string_view type) {
  return {{
      row<mulWide<T>>("mul", type, modifier::Wide),
      row<madWide<T>>("mad", type, modifier::Wide),
  }};
}

template <typename T>
static constexpr std::array<AluRow, 4> make24(std::string_view type) {
  return {{
      row<mul24Lo<T>>("mul24", type, Lo),
      row<mul24Hi<T>>("mul24", type, Hi),
      row<mad24Lo<T>>("mad24", type, Lo),
      row<mad24Hi<T>>("mad24", type, Hi),
  }};
}

static constexpr std::array<AluRow, 4> kSaturating = {{
    row<addSat>("add", "s32", Sat),
    row<subSat>("sub", "s32", Sat),
    row<madHiSat>("mad", "s32", Hi | Sat),
    row<mad24HiSat>("mad24", "s32", Hi | Sat),
}};

static constexpr std::array<AluRow, 10> kPacked = {{
    pairRow<addInt<uint16_t>>("add", "u16x2"),
    pairRow<addInt<uint16_t>>("add", "s16x2"),
    pairRow<minInt<false, uint16_t>>("min", "u16x2"),
    pairRow<maxInt<false, uint16_t>>("max", "u16x2"),
    pairRow<minInt<false, int16_t>>("min", "s16x2"),
    pairRow<maxInt<false, int16_t>>("max", "s16x2"),
    pairRow<minInt<true, int16_t>>("min", "s16x2", Relu),
    pairRow<maxInt<true, int16_t>>("max", "s16x2", Relu),
    row<minInt<true, int32_t>>("min", "s32", Relu),
    row<maxInt<true, int32_t>>("max", "s32", Relu),
}};

template <typename U, typename S>
static constexpr std::array<AluRow, 10>
makeBits(std::string_view b, std::string_view u, std::string_view s) {
  return {{
      row<popc<U>>("popc", b),
      row<clz<U>>("clz", b),
      row<brev<U>>("brev", b, None, taintMoved),
      row<bfind<false, U>>("bfind", u),
      row<bfind<false, S>>("bfind", s),
      row<bfind<true, U>>("bfind", u, ShiftAmount),
      row<bfind<true, S>>("bfind", s, ShiftAmount),
      row<bfe<U>>("bfe", u, None, taintMovedBy),
      row<bfe<S>>("bfe", s, None, taintMovedBy),
      row<bfi<U>>("bfi", b, None, taintMovedBy2),
  }};
}

static constexpr std::array<AluRow, 10> kFields = {{
    row<szext<true, uint32_t>>("szext", "u32", Clamp, taintMovedBy),
    row<szext<true, int32_t>>("szext", "s32", Clamp, taintMovedBy),
    row<szext<false, uint32_t>>("szext", "u32", Wrap, taintMovedBy),
    row<szext<false, int32_t>>("szext", "s32", Wrap, taintMovedBy),
    row<bmsk<true>>("bmsk", "b32", Clamp),
    row<bmsk<false>>("bmsk", "b32", Wrap),
    row<dp4a<uint32_t, uint32_t>>("dp4a", "u32.u32"),
    row<dp4a<uint32_t, int32_t>>("dp4a", "u32.s32"),
    row<dp4a<int32_t, uint32_t>>("dp4a", "s32.u32"),
    row<dp4a<int32_t, int32_t>>("dp4a", "s32.s32"),
}};

template <bool IsHigh>
static constexpr std::array<AluRow, 4> makeDp2a(Modifiers half) {
  return {{
      row<dp2a<IsHigh, uint32_t, uint32_t>>("dp2a", "u32.u32", half),
      row<dp2a<IsHigh, uint32_t, int32_t>>("dp2a", "u32.s32", half),
      row<dp2a<IsHigh, int32_t, uint32_t>>("dp2a", "s32.u32", half),
      row<dp2a<IsHigh, int32_t, int32_t>>("dp2a", "s32.s32", half),
  }};
}

static AluTable getIntegerRows() {
  static constexpr auto kRows =
      joinRows(makeWrapping<uint32_t, int32_t>("u32", "s32"),
               makeWrapping<uint64_t, int64_t>("u64", "s64"),
               makeWrapping<uint16_t, int16_t>("u16", "s16"),
               makeSigned<uint32_t>("u32"), makeSigned<int32_t>("s32"),
               makeSigned<uint64_t>("u64"), makeSigned<int64_t>("s64"),
               makeSigned<uint16_t>("u16"), makeSigned<int16_t>("s16"),
               makeWide<uint32_t>("u32"), makeWide<int32_t>("s32"),
               makeWide<uint16_t>("u16"), makeWide<int16_t>("s16"),
               make24<uint32_t>("u32"), make24<int32_t>("s32"), kSaturating,
               kPacked, makeBits<uint32_t, int32_t>("b32", "u32", "s32"),
               makeBits<uint64_t, int64_t>("b64", "u64", "s64"), kFields,
               makeDp2a<false>(Lo), makeDp2a<true>(Hi));
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getIntegerRows);

static bool decodeInteger(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getIntegerRows)(),
                   InstClass::Integer);
}

OpcodeTable getIntegerOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"add", decodeInteger},   {"sub", decodeInteger},
      {"mul", decodeInteger},   {"mad", decodeInteger},
      {"neg", decodeInteger},   {"abs", decodeInteger},
      {"sad", decodeInteger},   {"min", decodeInteger},
      {"max", decodeInteger},   {"mul24", decodeInteger},
      {"mad24", decodeInteger}, {"popc", decodeInteger},
      {"clz", decodeInteger},   {"brev", decodeInteger},
      {"bfind", decodeInteger}, {"bfe", decodeInteger},
      {"bfi", decodeInteger},   {"szext", decodeInteger},
      {"bmsk", decodeInteger},  {"dp4a", decodeInteger},
      {"dp2a", decodeInteger},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
