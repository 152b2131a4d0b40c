//===- Codecs.cpp - Single values of the 4, 8 and 16-bit formats ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// e2m1, e4m3 and ue5m3 are one formula with three sets of constants
// (docs/Format.md, section 1). Clarity comes first here.
//
// Sources: PTX ISA 5.2.3 (formats) and 9.7.9.21 (conversions); OCP MX 1.0.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/Codecs.h"

#include <algorithm>
#include <cmath>

using namespace nvfp4;

namespace {

/// A small float without sign bit. A code with exponent field E and mantissa
/// field m is m * 2^(1-bias-M) if E is 0, else (2^M + m) * 2^(E-bias-M).
struct SmallFloat {
  int mantissaBits; ///< M
  int bias;
  uint8_t maxCode; ///< Of the largest finite value.
  float maxValue;
};

constexpr SmallFloat kE2M1 = {1, 1, 0x7, kE2M1Max};
constexpr SmallFloat kE4M3 = {3, 7, 0x7E, kE4M3Max};
constexpr SmallFloat kUE5M3 = {3, 15, 0xF7, kUE5M3Max};

} // namespace

static bool isNegative(float value) { return bitsOfFloat(value) >> 31; }

/// 2^exponent for a normal result.
static float exp2Normal(int exponent) {
  return floatOfBits(uint32_t(exponent + 127) << 23);
}

/// The exponent e with 2^e <= value < 2^(e+1); -127 for subnormals and zero.
static int floorLog2(float value) {
  return int(bitsOfFloat(value) >> 23 & 0xFF) - 127;
}

/// Nearest integer, ties to even, for 0 <= value < 2^22.
static float roundHalfToEven(float value) {
  constexpr float kUlpIsOne = 0x1p23f;
  return (value + kUlpIsOne) - kUlpIsOne;
}

/// |value| in units of the spacing of its binade: with 2^e <= |value| <
/// 2^(e+1), or e = 1 - bias below the normal range, the unit is 2^(e-M).
/// Every step is exact.
struct InUnits {
  int exponent;
  float count; ///< In [2^M, 2^(M+1)), or below 2^M for subnormals.
};
static InUnits toUnits(float magnitude, const SmallFloat &format) {
  int exponent = std::max(floorLog2(magnitude), 1 - format.bias);
  return {exponent, magnitude * exp2Normal(format.mantissaBits - exponent)};
}

/// The code that is `count` units into the binade of `exponent`. A count of
/// 2^(M+1) carries into the next binade, which is what rounding up means.
static uint8_t fromUnits(int exponent, int count, const SmallFloat &format) {
  int code = ((exponent + format.bias - 1) << format.mantissaBits) + count;
  return uint8_t(std::min<int>(code, format.maxCode));
}

static uint8_t encodeNearest(float magnitude, const SmallFloat &format) {
  InUnits units = toUnits(std::min(magnitude, format.maxValue), format);
  return fromUnits(units.exponent, int(roundHalfToEven(units.count)), format);
}

static uint8_t encodeTowardInfinity(float magnitude, const SmallFloat &format) {
  InUnits units = toUnits(std::min(magnitude, format.maxValue), format);
  return fromUnits(units.exponent, int(std::ceil(units.count)), format);
}

static uint8_t encodeTowardZero(float magnitude, const SmallFloat &format) {
  InUnits units = toUnits(std::min(magnitude, format.maxValue), format);
  return fromUnits(units.exponent, int(units.count), format);
}

static float decodeMagnitude(unsigned code, const SmallFloat &format) {
  unsigned hidden = 1u << format.mantissaBits;
  int exponent = int(code >> format.mantissaBits);
  unsigned mantissa = code & (hidden - 1);
  if (exponent == 0)
    return float(mantissa) * exp2Normal(1 - format.bias - format.mantissaBits);
  return float(hidden + mantissa) *
         exp2Normal(exponent - format.bias - format.mantissaBits);
}

//===----------------------------------------------------------------------===//
// e2m1
//===----------------------------------------------------------------------===//

uint8_t nvfp4::encodeE2M1(float value) {
  if (std::isnan(value))
    return 0x7;
  uint8_t sign = isNegative(value) ? 0x8 : 0x0;
  return sign | encodeNearest(std::fabs(value), kE2M1);
}

uint8_t nvfp4::encodeE2M1Stochastic(float value, uint8_t random) {
  if (std::isnan(value))
    return 0x7;
  uint8_t sign = isNegative(value) ? 0x8 : 0x0;
  InUnits units = toUnits(std::min(std::fabs(value), kE2M1Max), kE2M1);
  int below = int(units.count);
  int frac256 = int((units.count - float(below)) * 256.0f);
  int up = frac256 + random >= 256 ? 1 : 0;
  return sign | fromUnits(units.exponent, below + up, kE2M1);
}

float nvfp4::decodeE2M1(uint8_t code) {
  float magnitude = decodeMagnitude(code & 0x7, kE2M1);
  return code & 0x8 ? -magnitude : magnitude;
}

//===----------------------------------------------------------------------===//
// Scale encodings
//===----------------------------------------------------------------------===//

uint8_t nvfp4::encodeE4M3(float value) {
  if (std::isnan(value))
    return kE4M3NaN;
  uint8_t sign = isNegative(value) ? 0x80 : 0x00;
  return sign | encodeNearest(std::fabs(value), kE4M3);
}

uint8_t nvfp4::encodeE4M3RoundUp(float value) {
  if (std::isnan(value))
    return kE4M3NaN;
  if (isNegative(value))
    return 0x80 | encodeTowardZero(-value, kE4M3);
  return encodeTowardInfinity(value, kE4M3);
}

float nvfp4::decodeE4M3(uint8_t byte) {
  uint8_t magnitude = byte & 0x7F;
  float value = magnitude > kE4M3.maxCode ? floatOfBits(0x7FC00000)
                                          : decodeMagnitude(magnitude, kE4M3);
  return byte & 0x80 ? -value : value;
}

/// The exponent field of |value|, at most 0xFE; NaN gives 0xFF. A subnormal
/// value has field 0, which reads as 2^-127, the smallest scale.
uint8_t nvfp4::encodeE8M0Floor(float value) {
  if (std::isnan(value))
    return kE8M0NaN;
  return uint8_t(std::min<uint32_t>(bitsOfFloat(value) << 1 >> 24, 0xFE));
}

uint8_t nvfp4::encodeE8M0RoundUp(float value) {
  uint8_t floor = encodeE8M0Floor(value);
  if (floor >= 0xFE)
    return floor;
  return std::fabs(value) > decodeE8M0(floor) ? floor + 1 : floor;
}

uint8_t nvfp4::encodeE8M0Even(float value) {
  if (std::isnan(value))
    return kE8M0NaN;
  // Half of the spacing of a one-bit mantissa; a carry moves to the exponent.
  constexpr uint32_t kHalfUnit = 1u << 21;
  uint32_t magnitude = bitsOfFloat(value) & 0x7FFFFFFF;
  return uint8_t(std::min<uint32_t>((magnitude + kHalfUnit) >> 23, 0xFE));
}

float nvfp4::decodeE8M0(uint8_t byte) {
  if (byte == kE8M0NaN)
    return floatOfBits(0x7FC00000);
  // 2^-127 is a subnormal float.
  return byte == 0 ? 0x1p-127f : exp2Normal(int(byte) - 127);
}

uint8_t nvfp4::encodeUE5M3(float value) {
  if (std::isnan(value))
    return kUE5M3NaN;
  return isNegative(value) ? 0 : encodeNearest(value, kUE5M3);
}

uint8_t nvfp4::encodeUE5M3RoundUp(float value) {
  if (std::isnan(value))
    return kUE5M3NaN;
  return isNegative(value) ? 0 : encodeTowardInfinity(value, kUE5M3);
}

float nvfp4::decodeUE5M3(uint8_t byte) {
  return byte > kUE5M3.maxCode ? floatOfBits(0x7FC00000)
                               : decodeMagnitude(byte, kUE5M3);
}

float nvfp4::decodeScale(ScaleEncoding encoding, uint8_t byte) {
  switch (encoding) {
  case ScaleEncoding::E4M3:
    return decodeE4M3(byte);
  case ScaleEncoding::E8M0:
    return decodeE8M0(byte);
  case ScaleEncoding::UE5M3:
    return decodeUE5M3(byte);
  }
  __builtin_unreachable();
}

float nvfp4::getMaxScale(ScaleEncoding encoding) {
  switch (encoding) {
  case ScaleEncoding::E4M3:
    return kE4M3Max;
  case ScaleEncoding::E8M0:
    return 0x1p127f;
  case ScaleEncoding::UE5M3:
    return kUE5M3Max;
  }
  __builtin_unreachable();
}

static constexpr struct {
  ScaleEncoding encoding;
  std::string_view name;
} kScaleEncodings[] = {
    {ScaleEncoding::E4M3, "e4m3"},
    {ScaleEncoding::E8M0, "e8m0"},
    {ScaleEncoding::UE5M3, "ue5m3"},
};

std::string_view nvfp4::stringifyScaleEncoding(ScaleEncoding encoding) {
  for (const auto &row : kScaleEncodings)
    if (row.encoding == encoding)
      return row.name;
  return {};
}

std::optional<ScaleEncoding> nvfp4::parseScaleEncoding(std::string_view name) {
  for (const auto &row : kScaleEncodings)
    if (row.name == name)
      return row.encoding;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// bf16 and f16
//===----------------------------------------------------------------------===//

uint16_t nvfp4::encodeBF16(float value) {
  uint32_t bits = bitsOfFloat(value);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x0040); // quiet
  // Half a unit, less one unless the result would be odd.
  uint32_t bias = 0x7FFF + (bits >> 16 & 1);
  return uint16_t((bits + bias) >> 16);
}

float nvfp4::decodeF16(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t exponent = bits >> 10 & 0x1F;
  uint32_t mantissa = bits & 0x3FF;
  if (exponent == 0x1F)
    return floatOfBits(sign | 0x7F800000 | mantissa << 13);
  float magnitude =
      exponent == 0 ? float(mantissa) * 0x1p-24f
                    : float(0x400 + mantissa) * exp2Normal(int(exponent) - 25);
  return floatOfBits(sign | bitsOfFloat(magnitude));
}

uint16_t nvfp4::encodeF16(float value) {
  uint16_t sign = uint16_t(bitsOfFloat(value) >> 16 & 0x8000);
  if (std::isnan(value))
    return uint16_t(sign | 0x7E00);
  // The formula of the small floats, with an infinity above the largest code.
  float magnitude = std::min(std::fabs(value), 0x1p16f);
  int exponent = std::max(floorLog2(magnitude), -14);
  float count = roundHalfToEven(magnitude * exp2Normal(10 - exponent));
  uint32_t code = (uint32_t(exponent + 14) << 10) + uint32_t(count);
  return uint16_t(sign | std::min<uint32_t>(code, 0x7C00));
}
