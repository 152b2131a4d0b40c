//===- ConvertRows.h - The tables of cvt -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every row converts between registers of exactly its types. Convert.cpp adds
// what registers of other widths need.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_CONVERTROWS_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_CONVERTROWS_H

#include "Arithmetic.h"

#include <array>

namespace nvfp4::ptx {

/// What kernels convert all the time, per instruction set.
AluTable getFastConvertRows();
/// The other conversions of single values.
AluTable getSlowConvertRows();
/// Conversions of packed values.
AluTable getPackedConvertRows();

/// Types of single values, integers first.
inline constexpr std::string_view kScalarNames[] = {
    "u8",  "s8",  "u16", "s16",  "u32", "s32",
    "u64", "s64", "f16", "bf16", "f32", "f64"};
inline constexpr unsigned kU8 = 0, kU32 = 4, kS32 = 5, kNumIntegers = 8;
inline constexpr unsigned kF16 = 8, kBF16 = 9, kF32 = 10, kF64 = 11;
inline constexpr unsigned kScalarBytes[] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};

template <unsigned Index>
using ScalarType = std::tuple_element_t<
    Index, std::tuple<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t,
                      uint64_t, int64_t, uint16_t, uint16_t, float, double>>;

/// "u32.f16" for two indices.
template <unsigned To, unsigned From> struct ScalarPair {
  static constexpr std::array<char, 12> makeText() {
    std::array<char, 12> text{};
    size_t next = 0;
    for (char c : kScalarNames[To])
      text[next++] = c;
    text[next++] = '.';
    for (char c : kScalarNames[From])
      text[next++] = c;
    return text;
  }
  static constexpr std::array<char, 12> kText = makeText();
  static constexpr std::string_view kName = {
      kText.data(), kScalarNames[To].size() + 1 + kScalarNames[From].size()};
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_CONVERTROWS_H
