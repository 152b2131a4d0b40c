//===- Elements.h - Element types of the matrix instructions ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The element types that PTX matrix instructions name, and the facts about each
// that the arithmetic needs, one row per type.
//
// Sources: PTX ISA 5.2 (types, alternate floating-point formats) and 9.7.14
// (matrix fragments); OCP MX 1.0.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_ELEMENTS_H
#define NVFP4_SIMULATOR_PTX_MATRIX_ELEMENTS_H

#include <cstdint>
#include <limits>
#include <string_view>

namespace nvfp4::ptx {

enum class ElementType : uint8_t {
  F64,
  F32,
  TF32,
  BF16,
  F16,
  E4M3,
  E5M2,
  E3M2,
  E2M3,
  E2M1,
  S32,
  S8,
  U8,
  S4,
  U4,
  B1,
};
constexpr int kNumElementTypes = 16;

enum class ScaleType : uint8_t { None, UE4M3, UE8M0 };

/// A floating-point operand element in its container. A code is the magnitude
/// bits without the sign.
struct FloatFormat {
  uint8_t containerBits; ///< 32, 16 or 8.
  uint8_t signBit;       ///< Position of the sign in the container.
  uint8_t lowBit;        ///< Position of the lowest mantissa bit.
  uint8_t mantissaBits;
  int16_t bias;
  uint32_t maxFinite; ///< Largest code of a number.
  uint32_t infinity;  ///< Code of the infinity; 0 if there is none.

  constexpr int minExponent() const { return 1 - bias; }
  constexpr int precision() const { return mantissaBits + 1; }
};

namespace detail {
constexpr FloatFormat kFloatFormats[] = {
    // tf32 is an f32 whose low 13 bits are ignored.
    /*TF32*/ {32, 31, 13, 10, 127, 0x3FBFF, 0x3FC00},
    /*BF16*/ {16, 15, 0, 7, 127, 0x7F7F, 0x7F80},
    /*F16*/ {16, 15, 0, 10, 15, 0x7BFF, 0x7C00},
    /*E4M3*/ {8, 7, 0, 3, 7, 0x7E, 0},
    /*E5M2*/ {8, 7, 0, 2, 15, 0x7B, 0x7C},
    // 6 bits in a byte, from bit 0; 4 bits in a byte, from bit 2.
    /*E3M2*/ {8, 5, 0, 2, 3, 0x1F, 0},
    /*E2M3*/ {8, 5, 0, 3, 1, 0x1F, 0},
    /*E2M1*/ {8, 5, 2, 1, 1, 0x7, 0},
};
} // namespace detail

/// The format of a floating-point operand from TF32 to E2M1. E2M1 is the one in
/// byte containers (`kind::f8f6f4`); packed nibbles have a core of their own.
constexpr const FloatFormat &getFloatFormat(ElementType type) {
  return detail::kFloatFormats[int(type) - int(ElementType::TF32)];
}

constexpr bool isFloatOperand(ElementType type) {
  return type >= ElementType::TF32 && type <= ElementType::E2M1;
}

/// Whether some code of the type is an infinity or a NaN.
constexpr bool hasSpecials(ElementType type) {
  return type <= ElementType::E5M2;
}

/// "f16", "e4m3", …, as PTX spells the type.
std::string_view stringifyElementType(ElementType type);

/// The value of the code in the low bits of `container`; any NaN gives a NaN.
float decodeElement(const FloatFormat &format, uint32_t container);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_ELEMENTS_H
