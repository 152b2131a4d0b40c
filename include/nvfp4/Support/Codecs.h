//===- Codecs.h - Single values of the 4, 8 and 16-bit formats --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The only definition of every number format of the project, one value at a
// time. The functions read like the formulas of docs/Format.md, section 1;
// Quantize.h has the fast versions, which agree with these bit for bit.
//
// All functions are pure and total: every input, NaN and infinity included,
// has a documented result. They need the default floating-point environment
// (subnormals kept, round to nearest).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_CODECS_H
#define NVFP4_SUPPORT_CODECS_H

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace nvfp4 {

/// Largest magnitude of e2m1.
constexpr float kE2M1Max = 6.0f;
/// Largest value of e4m3 (0x7E), of ue5m3 (0xF7).
constexpr float kE4M3Max = 448.0f;
constexpr float kUE5M3Max = 61440.0f;
/// The scale byte that stands for NaN, per encoding.
constexpr uint8_t kE4M3NaN = 0x7F;
constexpr uint8_t kE8M0NaN = 0xFF;
constexpr uint8_t kUE5M3NaN = 0xFF;

/// The IEEE bits of `value`, and back.
inline uint32_t bitsOfFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float floatOfBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

//===----------------------------------------------------------------------===//
// e2m1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; no infinity, no NaN
//===----------------------------------------------------------------------===//

/// Nearest code, ties to the even code, saturating at +-6. The sign of a zero
/// is kept: -0 and what rounds to it give 0x8. NaN gives 0x7 (+6), as the
/// conversion instructions do.
uint8_t encodeE2M1(float value);

/// Rounds up in magnitude iff floor(256 * frac) + random >= 256, where frac is
/// the position of |value| between its two neighbours: the rule of
/// `cvt.rs.satfinite.e2m1x4.f32`. Magnitudes above 6, signs and NaN as above.
uint8_t encodeE2M1Stochastic(float value, uint8_t random);

/// The value of the low four bits of `code`; 0x8 is -0.
float decodeE2M1(uint8_t code);

//===----------------------------------------------------------------------===//
// Scale encodings: one byte each
//===----------------------------------------------------------------------===//

/// How a block scale is stored.
enum class ScaleEncoding {
  E4M3,  ///< 1-4-3, bias 7, "FN": no infinity, NaN 0x7F and 0xFF, max 448
  E8M0,  ///< 2^(byte - 127), NaN 0xFF; no zero, no sign, no infinity
  UE5M3, ///< 5-3 without sign, bias 15, NaN 0xF8..0xFF, max 61440
};

/// Nearest e4m3 value, ties to even, saturating at +-448. NaN gives 0x7F.
uint8_t encodeE4M3(float value);
/// Smallest e4m3 value that is not below `value`; above 448 saturates.
uint8_t encodeE4M3RoundUp(float value);
float decodeE4M3(uint8_t byte);

/// Largest power of two not above |value|. Saturates at 2^-127 (also for 0)
/// and 2^127 (also for infinity). NaN gives 0xFF. The sign is ignored.
uint8_t encodeE8M0Floor(float value);
/// Smallest power of two not below |value|, otherwise as above: the rule of
/// `cvt.rp.satfinite.ue8m0x2.f32`.
uint8_t encodeE8M0RoundUp(float value);
/// Floor after |value| was rounded to one mantissa bit, ties up: mantissas
/// from 1.75 on go to the next power of two.
uint8_t encodeE8M0Even(float value);
float decodeE8M0(uint8_t byte);

/// As the e4m3 functions; negative values have no code and give 0.
uint8_t encodeUE5M3(float value);
uint8_t encodeUE5M3RoundUp(float value);
float decodeUE5M3(uint8_t byte);

/// The value of a scale byte.
float decodeScale(ScaleEncoding encoding, uint8_t byte);
/// Largest finite value of an encoding: 448, 2^127, 61440.
float getMaxScale(ScaleEncoding encoding);
/// "e4m3", "e8m0", "ue5m3".
std::string_view stringifyScaleEncoding(ScaleEncoding encoding);
std::optional<ScaleEncoding> parseScaleEncoding(std::string_view name);

//===----------------------------------------------------------------------===//
// bf16 and f16, held in uint16_t
//===----------------------------------------------------------------------===//

/// Exact; the payload of a NaN is kept.
inline float decodeBF16(uint16_t bits) {
  return floatOfBits(uint32_t(bits) << 16);
}
/// Exact, subnormals included; the payload of a NaN is kept.
float decodeF16(uint16_t bits);
/// Nearest, ties to even; overflow gives infinity, NaN gives a quiet NaN.
uint16_t encodeBF16(float value);
uint16_t encodeF16(float value);

} // namespace nvfp4

#endif // NVFP4_SUPPORT_CODECS_H
