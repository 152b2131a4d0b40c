//===- Elements.cpp - Element types of the matrix instructions ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names and single values; the vector decoder is in Vectors-inl.h.
//
//===----------------------------------------------------------------------===//

#include "Elements.h"

#include <cmath>

using namespace nvfp4::ptx;

std::string_view nvfp4::ptx::stringifyElementType(ElementType type) {
  constexpr std::string_view names[kNumElementTypes] = {
      "f64",  "f32",  "tf32", "bf16", "f16", "e4m3", "e5m2", "e3m2",
      "e2m3", "e2m1", "s32",  "s8",   "u8",  "s4",   "u4",   "b1"};
  return names[int(type)];
}

float nvfp4::ptx::decodeElement(const FloatFormat &format, uint32_t container) {
  const uint32_t codeMask = (1u << (format.signBit - format.lowBit)) - 1;
  const uint32_t code = container >> format.lowBit & codeMask;
  const float sign = container >> format.signBit & 1 ? -1.0f : 1.0f;
  if (code > format.maxFinite)
    return format.infinity && code == format.infinity
               ? sign * std::numeric_limits<float>::infinity()
               : std::numeric_limits<float>::quiet_NaN();
  const int field = int(code >> format.mantissaBits);
  int mantissa = int(code & ((1u << format.mantissaBits) - 1));
  if (field)
    mantissa += 1 << format.mantissaBits;
  const int exponent = (field ? field : 1) - format.bias - format.mantissaBits;
  return sign * std::ldexp(float(mantissa), exponent);
}
