//===- CodecsTest.cpp - Every code, every scale byte, every bf16 ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each encoder is compared with a search over all codes in f64, which shares
// nothing with the implementation: on every bf16 value, on every f16 value, and
// on the floats around every point where the result changes.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/Codecs.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

using namespace nvfp4;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();

/// One format as this test sees it: the magnitudes of codes 0, 1, 2, …
struct Magnitudes {
  std::vector<double> values;
  bool hasSign;
  uint8_t signBit;
  uint8_t nan; ///< What NaN encodes to.
};

Magnitudes makeE2M1() { return {{0, 0.5, 1, 1.5, 2, 3, 4, 6}, true, 0x8, 0x7}; }

/// Magnitudes by the definition: field by field, with std::pow.
Magnitudes makeSmallFloat(int exponents, int bias, int last, bool hasSign,
                          uint8_t nan) {
  Magnitudes result{{}, hasSign, 0x80, nan};
  for (int code = 0; code <= last; ++code) {
    int exponent = code / 8, mantissa = code % 8;
    result.values.push_back(exponent == 0
                                ? std::pow(2.0, 1 - bias) * (mantissa / 8.0)
                                : std::pow(2.0, exponent - bias) *
                                      (1.0 + mantissa / 8.0));
  }
  EXPECT_LE(last / 8, exponents);
  return result;
}
Magnitudes makeE4M3() { return makeSmallFloat(15, 7, 0x7E, true, kE4M3NaN); }
Magnitudes makeUE5M3() {
  return makeSmallFloat(30, 15, 0xF7, false, kUE5M3NaN);
}

/// Nearest code, ties to even; by search.
uint8_t searchNearest(const Magnitudes &format, float value) {
  if (std::isnan(value))
    return format.nan;
  if (!format.hasSign && std::signbit(value))
    return 0;
  // Saturate first: far away all codes are at the same distance in f64.
  double magnitude = std::min(std::fabs(double(value)), format.values.back());
  size_t best = 0;
  for (size_t code = 1; code < format.values.size(); ++code) {
    double distance = std::fabs(format.values[code] - magnitude);
    double bestDistance = std::fabs(format.values[best] - magnitude);
    if (distance < bestDistance || (distance == bestDistance && code % 2 == 0))
      best = code;
  }
  return uint8_t(best | (std::signbit(value) ? format.signBit : 0));
}

/// Smallest code that is not below the value; by search.
uint8_t searchRoundUp(const Magnitudes &format, float value) {
  if (std::isnan(value))
    return format.nan;
  if (!format.hasSign && std::signbit(value))
    return 0;
  double magnitude = std::fabs(double(value));
  size_t last = format.values.size() - 1;
  size_t code = 0;
  if (std::signbit(value)) {
    while (code < last && format.values[code + 1] <= magnitude)
      ++code;
    return uint8_t(code | format.signBit);
  }
  while (code < last && format.values[code] < magnitude)
    ++code;
  return uint8_t(code);
}

/// Floats at which an encoder may be wrong: all bf16, all f16, and 64 floats to
/// either side of each code and each midpoint, with both signs.
std::vector<float> makeInputs(const Magnitudes &format) {
  std::vector<float> inputs;
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    inputs.push_back(decodeBF16(uint16_t(bits)));
    inputs.push_back(decodeF16(uint16_t(bits)));
  }
  auto addAround = [&](double center) {
    uint32_t bits = bitsOfFloat(float(center));
    for (int delta = -64; delta <= 64; ++delta)
      for (uint32_t sign : {0u, 0x80000000u})
        if (int64_t(bits) + delta >= 0)
          inputs.push_back(floatOfBits(uint32_t(bits + delta) | sign));
  };
  for (size_t i = 0; i + 1 < format.values.size(); ++i) {
    addAround(format.values[i]);
    addAround((format.values[i] + format.values[i + 1]) / 2);
  }
  addAround(format.values.back());
  for (float value : {kInf, -kInf, kNaN, -kNaN, FLT_MAX, -FLT_MAX, FLT_MIN,
                      FLT_TRUE_MIN, -FLT_TRUE_MIN, 0.0f, -0.0f})
    inputs.push_back(value);
  return inputs;
}

using Encoder = uint8_t (*)(float);
using Search = uint8_t (*)(const Magnitudes &, float);

void expectEqualEverywhere(const Magnitudes &format, Encoder encode,
                           Search search) {
  for (float value : makeInputs(format))
    ASSERT_EQ(encode(value), search(format, value))
        << "value " << value << ", bits " << std::hex << bitsOfFloat(value);
}

TEST(E2M1, DecodesAllCodes) {
  const float values[16] = {0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                            -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  for (int code = 0; code < 256; ++code)
    EXPECT_EQ(bitsOfFloat(decodeE2M1(uint8_t(code))),
              bitsOfFloat(values[code & 15]));
}

TEST(E2M1, RoundTripsAllCodes) {
  for (uint8_t code = 0; code < 16; ++code)
    EXPECT_EQ(encodeE2M1(decodeE2M1(code)), code);
}

TEST(E2M1, EncodesNearest) {
  expectEqualEverywhere(makeE2M1(), encodeE2M1, searchNearest);
}

TEST(E2M1, EqualsTheThreeRoundingsFormula) {
  // code = min(RNE(2a), RNE(a) + 2, RNE(a/2) + 4, 7), Format.md 1.1.
  for (float value : makeInputs(makeE2M1())) {
    double a = std::fabs(double(value));
    if (std::isnan(value) || a > 1e6)
      continue;
    double code = std::min({std::nearbyint(2 * a), std::nearbyint(a) + 2,
                            std::nearbyint(a / 2) + 4, 7.0});
    ASSERT_EQ(encodeE2M1(value) & 7, int(code)) << value;
  }
}

TEST(E2M1, KeepsSigns) {
  EXPECT_EQ(encodeE2M1(-0.0f), 0x8);
  EXPECT_EQ(encodeE2M1(-0.1f), 0x8);
  EXPECT_EQ(encodeE2M1(-FLT_TRUE_MIN), 0x8);
  EXPECT_EQ(encodeE2M1(-kInf), 0xF);
  EXPECT_EQ(encodeE2M1(kInf), 0x7);
  EXPECT_EQ(encodeE2M1(kNaN), 0x7);
  EXPECT_EQ(encodeE2M1(-kNaN), 0x7);
}

/// The rule of cvt.rs in f64: position between neighbours, eight bits of it.
uint8_t searchStochastic(float value, int random) {
  Magnitudes format = makeE2M1();
  if (std::isnan(value))
    return 7;
  double magnitude = std::min(std::fabs(double(value)), 6.0);
  int lower = 0;
  while (lower < 7 && format.values[lower + 1] <= magnitude)
    ++lower;
  int code = lower;
  if (lower < 7) {
    double step = format.values[lower + 1] - format.values[lower];
    double frac = (magnitude - format.values[lower]) / step;
    code += int(std::floor(256 * frac)) + random >= 256;
  }
  return uint8_t(code | (std::signbit(value) ? 8 : 0));
}

TEST(E2M1, EncodesStochastically) {
  for (float value : makeInputs(makeE2M1()))
    for (int random : {0, 1, 2, 100, 127, 128, 253, 254, 255})
      ASSERT_EQ(encodeE2M1Stochastic(value, uint8_t(random)),
                searchStochastic(value, random))
          << value << " with " << random;
}

TEST(E2M1, StochasticProbabilityIsThatOfEightBits) {
  // P(up) = floor(256 frac) / 256 for every position between two codes.
  for (int lower = 0; lower < 7; ++lower) {
    float low = decodeE2M1(uint8_t(lower));
    float high = decodeE2M1(uint8_t(lower + 1));
    for (int part = 0; part < 1024; ++part) {
      float value = low + (high - low) * float(part) / 1024;
      int ups = 0;
      for (int random = 0; random < 256; ++random) {
        uint8_t code = encodeE2M1Stochastic(value, uint8_t(random));
        ASSERT_TRUE(code == lower || code == lower + 1);
        ups += code == lower + 1;
      }
      ASSERT_EQ(ups, part / 4) << value;
    }
  }
}

TEST(E4M3, DecodesAllBytes) {
  Magnitudes format = makeE4M3();
  for (int byte = 0; byte < 256; ++byte) {
    float value = decodeE4M3(uint8_t(byte));
    if ((byte & 0x7F) == 0x7F) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    EXPECT_EQ(double(std::fabs(value)), format.values[byte & 0x7F]);
    EXPECT_EQ(std::signbit(value), byte >= 0x80);
    EXPECT_EQ(encodeE4M3(value), byte);
    EXPECT_EQ(encodeE4M3RoundUp(value), byte);
  }
  EXPECT_EQ(decodeE4M3(0x38), 1.0f);
  EXPECT_EQ(decodeE4M3(0x20), 0.125f);
  EXPECT_EQ(decodeE4M3(0x68), 64.0f);
  EXPECT_EQ(decodeE4M3(0x7E), 448.0f);
  EXPECT_EQ(decodeE4M3(0x78), 256.0f);
}

TEST(E4M3, EncodesNearest) {
  expectEqualEverywhere(makeE4M3(), encodeE4M3, searchNearest);
}

TEST(E4M3, EncodesRoundUp) {
  expectEqualEverywhere(makeE4M3(), encodeE4M3RoundUp, searchRoundUp);
}

TEST(UE5M3, DecodesAllBytes) {
  Magnitudes format = makeUE5M3();
  EXPECT_EQ(format.values.back(), 61440.0);
  EXPECT_EQ(format.values[1], std::pow(2.0, -17));
  for (int byte = 0; byte < 256; ++byte) {
    float value = decodeUE5M3(uint8_t(byte));
    if (byte > 0xF7) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    EXPECT_EQ(double(value), format.values[byte]);
    EXPECT_EQ(encodeUE5M3(value), byte);
    EXPECT_EQ(encodeUE5M3RoundUp(value), byte);
  }
}

TEST(UE5M3, EncodesNearest) {
  expectEqualEverywhere(makeUE5M3(), encodeUE5M3, searchNearest);
}

TEST(UE5M3, EncodesRoundUp) {
  expectEqualEverywhere(makeUE5M3(), encodeUE5M3RoundUp, searchRoundUp);
}

TEST(E8M0, DecodesAllBytes) {
  for (int byte = 0; byte < 255; ++byte) {
    float value = decodeE8M0(uint8_t(byte));
    EXPECT_EQ(double(value), std::pow(2.0, byte - 127));
    EXPECT_EQ(encodeE8M0Floor(value), byte);
    EXPECT_EQ(encodeE8M0RoundUp(value), byte);
    EXPECT_EQ(encodeE8M0Even(value), byte);
  }
  EXPECT_TRUE(std::isnan(decodeE8M0(0xFF)));
}

std::vector<float> makeE8M0Inputs() {
  std::vector<float> inputs;
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits)
    inputs.push_back(decodeBF16(uint16_t(bits)));
  for (uint32_t exponent = 0; exponent < 255; ++exponent)
    for (uint32_t mantissa : {0x000000u, 0x400000u, 0x600000u})
      for (int delta = -4; delta <= 4; ++delta)
        inputs.push_back(floatOfBits(
            uint32_t(int64_t(exponent << 23 | mantissa) + delta) & 0x7FFFFFFF));
  return inputs;
}

TEST(E8M0, EncodesByDefinition) {
  for (float value : makeE8M0Inputs()) {
    if (std::isnan(value)) {
      EXPECT_EQ(encodeE8M0Floor(value), 0xFF);
      EXPECT_EQ(encodeE8M0RoundUp(value), 0xFF);
      EXPECT_EQ(encodeE8M0Even(value), 0xFF);
      continue;
    }
    double magnitude = std::fabs(double(value));
    int floor = 0, up = 0, even = 0;
    while (floor < 254 && std::pow(2.0, floor + 1 - 127) <= magnitude)
      ++floor;
    while (up < 254 && std::pow(2.0, up - 127) < magnitude)
      ++up;
    while (even < 254 && 1.75 * std::pow(2.0, even - 127) <= magnitude)
      ++even;
    ASSERT_EQ(encodeE8M0Floor(value), floor) << value;
    ASSERT_EQ(encodeE8M0RoundUp(value), up) << value;
    // Below the smallest normal float the mantissa has no hidden bit.
    if (magnitude >= FLT_MIN)
      ASSERT_EQ(encodeE8M0Even(value), even) << value;
  }
  // Just above 2^-17, where ceil(log2(x)) in f32 gives 0x6E.
  EXPECT_EQ(encodeE8M0RoundUp(0x1.800002p-15f / 6), 0x6F);
}

TEST(BF16, RoundTripsAndRoundsToNearestEven) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    float value = decodeBF16(uint16_t(bits));
    ASSERT_EQ(bitsOfFloat(value), bits << 16);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(decodeBF16(encodeBF16(value))));
      continue;
    }
    ASSERT_EQ(encodeBF16(value), bits);
    if (std::isinf(value))
      continue;
    uint16_t away = uint16_t(bits + 1);
    ASSERT_EQ(encodeBF16(floatOfBits(bits << 16 | 0x7FFF)), bits);
    ASSERT_EQ(encodeBF16(floatOfBits(bits << 16 | 0x8000)),
              bits & 1 ? away : bits);
    ASSERT_EQ(encodeBF16(floatOfBits(bits << 16 | 0x8001)), away);
  }
  EXPECT_TRUE(std::isnan(decodeBF16(encodeBF16(floatOfBits(0x7F800001)))));
}

TEST(F16, DecodesAndRoundTripsAllValues) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    int exponent = int(bits >> 10 & 31), mantissa = int(bits & 1023);
    float value = decodeF16(uint16_t(bits));
    ASSERT_EQ(std::signbit(value), bits >= 0x8000);
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(value), mantissa != 0);
      ASSERT_EQ(std::isinf(value), mantissa == 0);
      ASSERT_EQ(std::isnan(decodeF16(encodeF16(value))), mantissa != 0);
      continue;
    }
    double magnitude =
        exponent == 0 ? mantissa * std::pow(2.0, -24)
                      : std::pow(2.0, exponent - 15) * (1 + mantissa / 1024.0);
    ASSERT_EQ(std::fabs(double(value)), magnitude);
    ASSERT_EQ(encodeF16(value), bits);
    // Halfway to the next value, and one float to either side.
    double next = exponent == 30 && mantissa == 1023
                      ? 65536.0
                      : std::fabs(double(decodeF16(uint16_t(bits + 1))));
    float half = std::copysign(float((magnitude + next) / 2), value);
    ASSERT_EQ(encodeF16(half), bits & 1 ? bits + 1 : bits);
    ASSERT_EQ(encodeF16(floatOfBits(bitsOfFloat(half) - 1)), bits);
    ASSERT_EQ(encodeF16(floatOfBits(bitsOfFloat(half) + 1)), bits + 1);
  }
  EXPECT_EQ(encodeF16(FLT_MAX), 0x7C00);
  EXPECT_EQ(encodeF16(-kInf), 0xFC00);
  EXPECT_EQ(encodeF16(FLT_TRUE_MIN), 0x0000);
}

TEST(ScaleEncoding, NamesRoundTrip) {
  for (ScaleEncoding encoding :
       {ScaleEncoding::E4M3, ScaleEncoding::E8M0, ScaleEncoding::UE5M3})
    EXPECT_EQ(parseScaleEncoding(stringifyScaleEncoding(encoding)), encoding);
  EXPECT_EQ(parseScaleEncoding("e5m2"), std::nullopt);
}

} // namespace
