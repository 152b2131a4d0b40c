//===- Formats.cpp - Number formats of conversions ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

namespace nvfp4::ptx {

Real decode(uint64_t code, const Format &format) {
  uint64_t magnitude = code & (format.getSign() - 1);
  Real sign = code & format.getSign() ? -1 : 1;
  if (magnitude > format.getMaxCode()) {
    bool isInfinite =
        format.top == Top::Ieee && magnitude == format.getInfinity();
    return isInfinite ? sign * Real(INFINITY) : Real(NAN);
  }
  int field = int(magnitude >> format.mantissaBits);
  Real mantissa = Real(magnitude & ((uint64_t(1) << format.mantissaBits) - 1));
  if (field)
    mantissa += Real(uint64_t(1) << format.mantissaBits);
  return sign * std::ldexp(mantissa, std::max(field, 1) - format.getBias() -
                                         format.mantissaBits);
}

Real roundToInteger(Real value, Mode mode) {
  Real below = std::floor(value), fraction = value - below;
  bool isOdd = std::fmod(below, Real(2)) != 0;
  bool up = false;
  switch (mode) {
  case Mode::Nearest:
    up = fraction > 0.5L || (fraction == 0.5L && isOdd);
    break;
  case Mode::NearestAway:
    up = fraction > 0.5L || (fraction == 0.5L && value > 0);
    break;
  case Mode::Zero:
    up = value < 0 && fraction != 0;
    break;
  case Mode::Down:
    break;
  case Mode::Up:
    up = fraction != 0;
    break;
  }
  return std::copysign(up ? below + 1 : below, value);
}

uint64_t encode(Real value, const Format &format, Mode mode, bool isFinite) {
  if (std::isnan(value))
    return format.nan;
  uint64_t sign = std::signbit(value) ? format.getSign() : 0;
  if (value == 0)
    return sign;
  uint64_t infinity = isFinite ? format.getMaxCode() : format.getInfinity();
  if (std::isinf(value))
    return sign | infinity;
  int exponent;
  std::frexp(value, &exponent); // 2^(exponent - 1) <= |value|
  int unit = std::max(exponent - 1, 1 - format.getBias()) - format.mantissaBits;
  Real units = std::fabs(roundToInteger(std::ldexp(value, -unit), mode));
  // The hidden bit and the carry count themselves into the exponent.
  uint64_t code = uint64_t(units) +
                  (uint64_t(unit + format.getBias() - 1 + format.mantissaBits)
                   << format.mantissaBits);
  if (code <= format.getMaxCode())
    return sign | code;
  bool isAway = mode == Mode::Nearest || mode == Mode::NearestAway ||
                mode == (sign ? Mode::Down : Mode::Up);
  return sign | (isAway ? infinity : format.getMaxCode());
}

Real saturate(Real value) { return value > 0 ? std::min(value, 1.0L) : 0.0L; }
Real flush(Real value) {
  return std::fabs(value) < 0x1p-126L ? std::copysign(0.0L, value) : value;
}

uint64_t convert(uint64_t code, const Format &from, const Format &to, Mode mode,
                 ConvertModifiers modifiers) {
  Real value = decode(code, from);
  bool touchesF32 =
      from.name == std::string("f32") || to.name == std::string("f32");
  if (modifiers.ftz && from.name == std::string("f32"))
    value = flush(value);
  if (modifiers.sat)
    value = saturate(value);
  if (modifiers.relu && value <= 0)
    value = 0;
  uint64_t result = encode(value, to, mode, modifiers.satfinite);
  if (modifiers.ftz && touchesF32 && to.name == std::string("f32") &&
      std::fabs(decode(result, to)) < 0x1p-126L)
    result &= to.getSign();
  return result;
}

std::mt19937_64 &getRandom() {
  static std::mt19937_64 random(5);
  return random;
}

std::vector<OperandRow> makeCodes(const Format &format, unsigned count) {
  if (format.getBits() == 16 && count == 1) {
    std::vector<OperandRow> rows;
    for (uint64_t code = 0; code < 65536; ++code)
      rows.push_back({code});
    return rows;
  }
  std::vector<uint64_t> edges;
  uint64_t least = uint64_t(1) << format.mantissaBits;
  for (uint64_t code :
       {uint64_t(0), uint64_t(1), least - 1, least, format.getMaxCode(),
        format.getInfinity(), format.getInfinity() + 1, format.getSign() - 1})
    edges.insert(edges.end(), {code, code | format.getSign()});
  for (Real value :
       {0.25L, 0.5L, 0.75L, 1.0L, 1.5L, 2.5L, 3.5L, 5.0L, 6.0L, 7.0L, 448.0L,
        464.0L, 465.0L, 65504.0L, 65520.0L, 2147483648.0L, 4294967296.0L,
        9223372036854775808.0L, 18446744073709551616.0L})
    for (Real sign : {1, -1}) {
      uint64_t code = encode(sign * value, format, Mode::Nearest);
      edges.insert(edges.end(), {code, code - 1, code + 1});
    }
  return makeRows(count, edges, [format] {
    uint64_t bits = getRandom()();
    if (bits % 4 == 0)
      return bits >> (64 - format.getBits());
    int exponent = int(bits / 4 % 100) - 30;
    Real value =
        std::ldexp(1 + Real(bits >> 20) / (Real(1ull << 44)), exponent);
    return encode(bits & 8 ? -value : value, format, Mode::Nearest);
  });
}

std::vector<OperandRow> makePatterns() {
  std::vector<uint64_t> edges = {0, 1, 2, ~uint64_t(0)};
  for (int bits : {7, 8, 15, 16, 24, 31, 32, 53, 63})
    for (uint64_t add : {uint64_t(0), uint64_t(1), ~uint64_t(0)}) {
      edges.push_back((uint64_t(1) << bits) + add);
      edges.push_back(~((uint64_t(1) << bits) + add));
    }
  return makeRows(1, edges, [] {
    uint64_t bits = getRandom()();
    return bits >> (bits % 64);
  });
}

} // namespace nvfp4::ptx
