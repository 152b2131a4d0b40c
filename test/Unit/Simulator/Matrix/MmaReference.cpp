//===- MmaReference.cpp - Matrix instructions, slowly ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources: PTX ISA 9.7.14.5 (fragments, block scaling); the fused rules as
// sequences of frexp, trunc and ldexp.
//
//===----------------------------------------------------------------------===//

#include "MmaReference.h"

#include "nvfp4/Support/Codecs.h"

#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

using namespace nvfp4;
using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;

using Type = ElementType;

MmaInputs Warp::getInputs() const {
  MmaInputs inputs;
  for (int i = 0; i < 8; ++i) {
    inputs.a.words[i] = a[i];
    inputs.b.words[i] = b[i];
    inputs.c.words[i] = c[i];
    inputs.a.doubles[i] = a64[i];
    inputs.b.doubles[i] = b64[i];
    inputs.c.doubles[i] = c64[i];
  }
  inputs.scaleA = {scaleA, byteIdA, threadIdA};
  inputs.scaleB = {scaleB, byteIdB, threadIdB};
  inputs.metadata = metadata;
  inputs.sparsitySelector = sparsitySelector;
  return inputs;
}

MutableFragment Warp::getOutputs() {
  MutableFragment outputs;
  for (int i = 0; i < 8; ++i) {
    outputs.words[i] = d[i];
    outputs.doubles[i] = d64[i];
  }
  return outputs;
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

int test::getBits(const MmaDescriptor &descriptor, ElementType type) {
  const bool isPacked =
      descriptor.kind == MmaKind::MXF4 || descriptor.kind == MmaKind::MXF4NVF4;
  // In the order of ElementType, from F64 to B1.
  constexpr int bits[] = {64, 32, 32, 16, 16, 8, 8, 8, 8, 8, 32, 8, 8, 4, 4, 1};
  return type == Type::E2M1 && isPacked ? 4 : bits[int(type)];
}

MatrixPosition test::placeA(const MmaDescriptor &descriptor, int lane, int reg,
                            int i) {
  const int group = lane >> 2, inGroup = lane % 4;
  const int bits = getBits(descriptor, descriptor.a);
  // The manual numbers the elements a0, a1, … through the registers.
  const int perRegister = (bits == 64 ? 64 : 32) / bits;
  const int e = reg * perRegister + i;
  if (descriptor.a == Type::F64) {
    if (descriptor.shape.m == 8)
      return {group, inGroup};
    if (descriptor.shape.k == 4)
      return {e == 0 ? group : group + 8, inGroup};
    if (descriptor.shape.k == 8)
      return {e == 0 || e == 2 ? group : group + 8,
              e < 2 ? inGroup : inGroup + 4};
    return {e % 2 == 0 ? group : group + 8,
            e % 2 == 0 ? e * 2 + inGroup : e * 2 - 2 + inGroup};
  }
  if (descriptor.shape.m == 8)
    return {group, inGroup * perRegister + i};
  // Of m16: the rows alternate by register, the second half of K begins with
  // the third register.
  const int n = perRegister;
  const bool isLow = (0 <= e && e < n) || (2 * n <= e && e < 3 * n);
  const int half = descriptor.shape.k / 2;
  const bool hasHalves = descriptor.shape.k == 8 * n;
  return {isLow ? group : group + 8,
          inGroup * n + i + (hasHalves && e >= 2 * n ? half : 0)};
}

MatrixPosition test::placeB(const MmaDescriptor &descriptor, int lane, int reg,
                            int i) {
  const int group = lane >> 2, inGroup = lane % 4;
  const int bits = getBits(descriptor, descriptor.b);
  const int perRegister = (bits == 64 ? 64 : 32) / bits;
  // Every further register continues a full quad of lanes later.
  return {inGroup * perRegister + i + reg * 4 * perRegister, group};
}

MatrixPosition test::placeC(const MmaDescriptor &descriptor, bool isF16,
                            int lane, int reg, int i) {
  const int group = lane >> 2, inGroup = lane % 4;
  const int e = isF16 ? reg * 2 + i : reg;
  return {e < 2 ? group : group + 8, inGroup * 2 + (e & 1)};
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static double decodeMini(uint32_t code, int exponentBits, int mantissaBits,
                         int bias) {
  const int sign = code >> (exponentBits + mantissaBits) & 1;
  const int exponent = int(code >> mantissaBits & ((1u << exponentBits) - 1));
  const double fraction =
      double(code & ((1u << mantissaBits) - 1)) / (1 << mantissaBits);
  const double value = exponent
                           ? (1 + fraction) * std::pow(2.0, exponent - bias)
                           : fraction * std::pow(2.0, 1 - bias);
  return sign ? -value : value;
}

static double decode(ElementType type, int bits, uint32_t container) {
  switch (type) {
  case Type::F32:
    return floatOfBits(container);
  case Type::TF32:
    return floatOfBits(container & 0xFFFFE000);
  case Type::BF16:
    return decodeBF16(uint16_t(container));
  case Type::F16:
    return decodeF16(uint16_t(container));
  case Type::E4M3:
    return decodeE4M3(uint8_t(container));
  case Type::E5M2:
    return decodeF16(uint16_t(container << 8));
  case Type::E3M2:
    return decodeMini(container & 0x3F, 3, 2, 3);
  case Type::E2M3:
    return decodeMini(container & 0x3F, 2, 3, 1);
  case Type::E2M1:
    return decodeE2M1(uint8_t(bits == 8 ? container >> 2 & 15 : container));
  case Type::S8:
    return int8_t(container);
  case Type::U8:
    return uint8_t(container);
  case Type::S4:
    return int(container & 7) - int(container & 8);
  case Type::U4:
    return container & 15;
  default:
    return container & 1;
  }
}

static int getMinExponent(ElementType type) {
  // From F32 to E2M1.
  constexpr int exponents[] = {-126, -126, -126, -14, -6, -14, -2, 0, 0};
  return exponents[int(type) - int(Type::F32)];
}

/// Significand in [1, 2), or below 1 with the smallest exponent.
static double split(double value, int minExponent, int &exponent) {
  double significand = 2 * std::frexp(value, &exponent);
  exponent -= 1;
  if (exponent < minExponent) {
    significand = std::ldexp(significand, exponent - minExponent);
    exponent = minExponent;
  }
  return significand;
}

//===----------------------------------------------------------------------===//
// Exact sums
//===----------------------------------------------------------------------===//

void DigitSum::add(double value) {
  if (value == 0)
    return;
  int exponent;
  int64_t integer = int64_t(std::ldexp(std::frexp(value, &exponent), 53));
  exponent -= 53;
  const bool isNegative = integer < 0;
  uint64_t magnitude = uint64_t(isNegative ? -integer : integer);
  while (magnitude % 2 == 0) {
    magnitude /= 2;
    ++exponent;
  }
  const int position = exponent - kLowest;
  unsigned __int128 wide = (unsigned __int128)magnitude << position % 32;
  for (int i = position / 32; wide; ++i, wide >>= 32)
    digits[i] += (isNegative ? -1 : 1) * int64_t(uint32_t(wide));
}

double DigitSum::round(int precision, int minExponent, int maxExponent) const {
  int64_t sum[kDigits];
  std::copy(digits, digits + kDigits, sum);
  const auto carry = [&] {
    for (int i = 0; i + 1 < kDigits; ++i) {
      const int64_t low = sum[i] & 0xFFFFFFFF;
      sum[i + 1] += (sum[i] - low) / (int64_t(1) << 32);
      sum[i] = low;
    }
  };
  carry();
  const bool isNegative = sum[kDigits - 1] < 0;
  if (isNegative) {
    for (int64_t &digit : sum)
      digit = -digit;
    carry();
  }
  const auto bit = [&](int i) { return sum[i / 32] >> i % 32 & 1; };
  int top = kDigits * 32 - 1;
  while (top >= 0 && !bit(top))
    --top;
  if (top < 0)
    return 0;
  const int low =
      std::max(top - precision + 1, minExponent - precision + 1 - kLowest);
  uint64_t integer = 0;
  for (int i = top; i >= low; --i)
    integer = integer << 1 | uint64_t(bit(i));
  bool isHalf = bit(low - 1), isMore = false;
  for (int i = low - 2; i >= 0 && !isMore; i = (i & ~31) - 1)
    isMore = sum[i / 32] & ((int64_t(2) << i % 32) - 1);
  integer += isHalf && (isMore || integer % 2);
  double result = std::ldexp(double(integer), low + kLowest);
  if (result >= std::ldexp(1.0, maxExponent + 1))
    result = HUGE_VAL;
  return isNegative ? -result : result;
}

//===----------------------------------------------------------------------===//
// The instruction
//===----------------------------------------------------------------------===//

namespace {
/// The operands as matrices.
struct Matrices {
  int m, n, k;
  std::vector<double> a, b, c;
  /// Scales of A [m][k] and of B [k][n].
  std::vector<double> scaleA, scaleB;
  /// Of A, what is stored.
  std::vector<bool> present;
};
} // namespace

static double decodeScaleByte(ScaleType type, uint8_t byte) {
  if (type == ScaleType::UE4M3)
    return decodeE4M3(byte & 0x7F);
  return byte == 0xFF ? NAN : std::ldexp(1.0, int(byte) - 127);
}

static void placeScales(const MmaDescriptor &descriptor, const Warp &warp,
                        Matrices &matrices) {
  const auto [m, n, k] = std::tuple(matrices.m, matrices.n, matrices.k);
  matrices.scaleA.assign(m * k, 1);
  matrices.scaleB.assign(k * n, 1);
  if (descriptor.scaleVec == 0)
    return;
  const int block = k / descriptor.scaleVec;
  for (int l = 0; l < k; ++l) {
    const int shiftA = 8 * (int(warp.byteIdA) + l / block);
    const int shiftB = 8 * (int(warp.byteIdB) + l / block);
    for (int row = 0; row < m; ++row) {
      const int lane = 4 * (row % 8) + 2 * int(warp.threadIdA) + row / 8;
      matrices.scaleA[row * k + l] = decodeScaleByte(
          descriptor.scaleType, uint8_t(warp.scaleA[lane] >> shiftA));
    }
    for (int col = 0; col < n; ++col) {
      const int lane = 4 * col + int(warp.threadIdB);
      matrices.scaleB[l * n + col] = decodeScaleByte(
          descriptor.scaleType, uint8_t(warp.scaleB[lane] >> shiftB));
    }
  }
}

/// The metadata of a row of A: four bits per chunk.
static std::vector<uint32_t> readMetadata(const MmaDescriptor &descriptor,
                                          const Warp &warp, int row) {
  const int bits = getBits(descriptor, descriptor.a);
  const uint32_t *quad = warp.metadata + row % 8 * 4;
  std::vector<uint32_t> codes;
  // Two lanes of f16 have 16 bits for a row of K = 32; four lanes of s8 have 32
  // bits for a row of K = 64, two for the upper and two for the lower rows.
  const int bitsOfRow = descriptor.shape.k * bits / (bits >= 16 ? 16 : 8);
  for (int lane = 0; lane < 4 && int(codes.size()) * 4 < bitsOfRow; ++lane) {
    if (bits >= 16) {
      const int first = int(warp.sparsitySelector) * bitsOfRow / 16;
      for (int i = 0; i < 4 && lane >= first; ++i)
        codes.push_back(quad[lane] >> (row < 8 ? 0 : 16) >> 4 * i & 15);
    } else if (lane >= int(warp.sparsitySelector) * 2 &&
               lane % 2 == (row < 8 ? 0 : 1)) {
      for (int i = 0; i < 8; ++i)
        codes.push_back(quad[lane] >> 4 * i & 15);
    }
  }
  return codes;
}

/// Where on K the stored element `col` of a sparse row is.
static int placeStored(const MmaDescriptor &descriptor,
                       const std::vector<uint32_t> &codes, int col) {
  switch (getBits(descriptor, descriptor.a)) {
  case 32: // one of two
    return col * 2 + (codes[col] == 0b1110);
  case 4: // two pairs of four
    return col / 4 * 8 + (codes[col / 4] >> col / 2 % 2 * 2 & 3) * 2 + col % 2;
  default: // two of four
    return col / 2 * 4 + (codes[col / 2] >> col % 2 * 2 & 3);
  }
}

static Matrices placeMatrices(const MmaDescriptor &descriptor,
                              const Warp &warp) {
  Matrices matrices;
  matrices.m = descriptor.shape.m;
  matrices.n = descriptor.shape.n;
  matrices.k = descriptor.shape.k;
  const auto [m, n, k] = std::tuple(matrices.m, matrices.n, matrices.k);
  const bool isSparse = descriptor.sparsity != Sparsity::Dense;
  matrices.a.assign(m * k, isSparse ? 0 : NAN);
  matrices.present.assign(m * k, !isSparse);
  MmaDescriptor stored = descriptor;
  stored.shape.k /= isSparse ? 2 : 1;
  matrices.b.assign(k * n, NAN);
  matrices.c.assign(m * n, NAN);
  const bool isF64 = descriptor.a == Type::F64;
  const int bitsA = getBits(descriptor, descriptor.a);
  const int bitsB = getBits(descriptor, descriptor.b);
  const int width = isF64 ? 64 : 32;
  const auto asDouble = [](uint64_t bits) {
    double value;
    std::memcpy(&value, &bits, 8);
    return value;
  };
  for (int lane = 0; lane < 32; ++lane) {
    for (int reg = 0; reg < m * stored.shape.k * bitsA / 32 / width; ++reg)
      for (int i = 0; i < width / bitsA; ++i) {
        auto [row, col] = placeA(stored, lane, reg, i);
        if (isSparse)
          col =
              placeStored(descriptor, readMetadata(descriptor, warp, row), col);
        matrices.present[row * k + col] = true;
        matrices.a[row * k + col] =
            isF64 ? asDouble(warp.a64[reg][lane])
                  : decode(descriptor.a, bitsA, warp.a[reg][lane] >> i * bitsA);
      }
    for (int reg = 0; reg < n * k * bitsB / 32 / width; ++reg)
      for (int i = 0; i < width / bitsB; ++i) {
        auto [row, col] = placeB(descriptor, lane, reg, i);
        matrices.b[row * n + col] =
            isF64 ? asDouble(warp.b64[reg][lane])
                  : decode(descriptor.b, bitsB, warp.b[reg][lane] >> i * bitsB);
      }
    const bool isF16 = descriptor.c == Type::F16;
    for (int reg = 0; reg < m * n / 32 / (isF16 ? 2 : 1); ++reg)
      for (int i = 0; i < (isF16 ? 2 : 1); ++i) {
        auto [row, col] = placeC(descriptor, isF16, lane, reg, i);
        const uint32_t bits = warp.c[reg][lane] >> 16 * i;
        matrices.c[row * n + col] = isF64 ? asDouble(warp.c64[reg][lane])
                                    : descriptor.c == Type::S32
                                        ? double(int32_t(bits))
                                        : decode(descriptor.c, 32, bits);
      }
  }
  placeScales(descriptor, warp, matrices);
  return matrices;
}

namespace {
/// One output: its terms and what they are made of.
struct Dot {
  const MmaDescriptor &descriptor;
  std::vector<double> a, b, scaleA, scaleB;
  double c;
};
} // namespace

static uint64_t encodeResult(const MmaDescriptor &descriptor, double value) {
  if (descriptor.d == Type::F16)
    return std::isnan(value) ? 0x7FFF : encodeF16(float(value));
  return std::isnan(value) ? 0x7FFFFFFF : bitsOfFloat(float(value));
}

/// NaN, infinity, or 0 if every term is finite.
static double sumSpecials(const Dot &dot) {
  double sum = std::isfinite(dot.c) ? 0 : dot.c;
  for (size_t k = 0; k < dot.a.size(); ++k) {
    const double term = dot.a[k] * dot.b[k] * dot.scaleA[k] * dot.scaleB[k];
    if (!std::isfinite(term))
      sum += term;
  }
  return sum;
}

static uint64_t computeExact(const Dot &dot) {
  if (double special = sumSpecials(dot); special != 0)
    return encodeResult(dot.descriptor, special);
  DigitSum sum;
  sum.add(dot.c);
  for (size_t k = 0; k < dot.a.size(); ++k)
    sum.add(dot.a[k] * dot.b[k] * dot.scaleA[k] * dot.scaleB[k]);
  return encodeResult(dot.descriptor, dot.descriptor.d == Type::F16
                                          ? sum.round(11, -14, 15)
                                          : sum.round(24, -126, 127));
}

/// Adds significand * 2^exponent terms as a tensor core does.
static double fuse(const std::vector<std::pair<double, int>> &terms,
                   int fractionBits) {
  int largest = -100000;
  for (auto [significand, exponent] : terms)
    if (significand != 0)
      largest = std::max(largest, exponent);
  double sum = 0;
  for (auto [significand, exponent] : terms)
    if (significand != 0)
      sum += std::trunc(
          std::ldexp(significand, fractionBits + exponent - largest));
  return sum == 0 ? 0 : std::ldexp(sum, largest - fractionBits);
}

/// To f32 with `bits` significant bits toward zero; zeros are positive.
static double cut(double value, int bits) {
  int exponent;
  const double significand = split(value, -126, exponent);
  const double kept = std::ldexp(std::trunc(std::ldexp(significand, bits - 1)),
                                 exponent - bits + 1);
  if (exponent > 127)
    return std::copysign(HUGE_VAL, value);
  return kept == 0 ? 0 : kept;
}

static double roundHalf(double value) {
  DigitSum sum;
  sum.add(value);
  return sum.round(11, -14, 15);
}

static uint64_t computeFused(const Dot &dot, TensorCore tensorCore) {
  if (double special = sumSpecials(dot); special != 0)
    return encodeResult(dot.descriptor, special);
  const MmaDescriptor &descriptor = dot.descriptor;
  const bool isFP8 = getBits(descriptor, descriptor.a) == 8;
  if (descriptor.kind != MmaKind::Plain)
    tensorCore = TensorCore::Blackwell;
  const bool isOld =
      tensorCore == TensorCore::Ampere || tensorCore == TensorCore::Ada;
  const bool isAdaFP8 = tensorCore == TensorCore::Ada && isFP8;
  const int bits = isAdaFP8 ? 13 : isOld ? 24 : 25;
  const int n = int(dot.a.size());
  // The sets of k that are added at once.
  std::vector<std::vector<int>> steps(1);
  const bool isPairs = tensorCore == TensorCore::Hopper && isFP8;
  const bool isSparse = descriptor.sparsity != Sparsity::Dense;
  const int perStep =
      isOld ? (isSparse ? 256 : 128) / getBits(descriptor, descriptor.a) : n;
  if (isPairs)
    steps.resize(2);
  for (int k = 0; k < n; ++k) {
    if (isPairs) {
      steps[isSparse ? k % 8 >= 4 : k % 4 >= 2].push_back(k);
      continue;
    }
    if (int(steps.back().size()) == perStep)
      steps.emplace_back();
    steps.back().push_back(k);
  }
  const bool isHalf = descriptor.d == Type::F16;
  double running = isPairs ? 0 : dot.c;
  for (const std::vector<int> &step : steps) {
    if (std::isinf(running))
      break;
    std::vector<std::pair<double, int>> terms(1);
    terms[0].first = split(running, isHalf ? -14 : -126, terms[0].second);
    for (int k : step) {
      int exponentA, exponentB;
      const double a = split(
          dot.a[k], isPairs ? -14 : getMinExponent(descriptor.a), exponentA);
      const double b = split(
          dot.b[k], isPairs ? -14 : getMinExponent(descriptor.b), exponentB);
      terms.emplace_back(a * b, exponentA + exponentB +
                                    std::ilogb(dot.scaleA[k]) +
                                    std::ilogb(dot.scaleB[k]));
    }
    const double sum = fuse(terms, bits);
    running = isHalf ? roundHalf(sum) : cut(sum, isAdaFP8 ? 14 : 24);
    if (running == 0)
      running = 0;
  }
  if (isPairs && !std::isinf(running)) {
    DigitSum sum;
    sum.add(running);
    sum.add(dot.c);
    running = isHalf ? sum.round(11, -14, 15) : sum.round(24, -126, 127);
  }
  return encodeResult(descriptor, running);
}

/// The rule of packed e2m1, with the groups of 16 (32 in a sparse form).
static uint64_t computeBlockScaled(const Dot &dot) {
  const int n = int(dot.a.size()), group = n / 4;
  if (std::isnan(dot.c))
    return kCanonicalNaN32;
  for (int k = 0; k < n; ++k)
    if (std::isnan(dot.scaleA[k]) || std::isnan(dot.scaleB[k]))
      return kCanonicalNaN32;
  if (std::isinf(dot.c))
    return bitsOfFloat(float(dot.c));
  const bool isE4M3 = dot.descriptor.scaleType == ScaleType::UE4M3;
  std::vector<std::pair<double, int>> terms(1);
  const auto splitOrZero = [](double value, int minExponent, int &exponent) {
    const double significand = split(value, minExponent, exponent);
    if (value == 0)
      exponent = -126;
    return significand;
  };
  terms[0].first = splitOrZero(dot.c, -126, terms[0].second);
  for (int g = 0; g < 4; ++g) {
    double sum = 0;
    for (int k = g * group; k < (g + 1) * group; ++k)
      sum += dot.a[k] * dot.b[k];
    int exponentA, exponentB;
    const double a =
        splitOrZero(dot.scaleA[g * group], isE4M3 ? -6 : -127, exponentA);
    const double b =
        splitOrZero(dot.scaleB[g * group], isE4M3 ? -6 : -127, exponentB);
    terms.emplace_back(sum * a * b, exponentA + exponentB);
  }
  int largest = terms[0].second;
  for (auto [significand, exponent] : terms)
    largest = std::max(largest, exponent);
  double sum = 0;
  for (auto [significand, exponent] : terms)
    sum += std::trunc(std::ldexp(significand, 35 + exponent - largest));
  return bitsOfFloat(
      float(sum == 0 ? 0 : cut(std::ldexp(sum, largest - 35), 24)));
}

static uint64_t computeInteger(const Dot &dot) {
  int64_t sum = int64_t(dot.c);
  for (size_t k = 0; k < dot.a.size(); ++k) {
    const int64_t a = int64_t(dot.a[k]), b = int64_t(dot.b[k]);
    if (dot.descriptor.bitOperation == BitOperation::Xor)
      sum += a != b;
    else
      sum += a * b;
  }
  if (dot.descriptor.satfinite)
    sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
  return uint32_t(sum);
}

static uint64_t computeDouble(const Dot &dot) {
  double sum = dot.c;
  for (size_t k = 0; k < dot.a.size(); ++k)
    sum = std::fma(dot.a[k], dot.b[k], sum);
  uint64_t bits;
  std::memcpy(&bits, &sum, 8);
  return bits;
}

std::vector<uint64_t> test::computeReference(const MmaDescriptor &descriptor,
                                             const Warp &warp, MmaMode mode) {
  const Matrices matrices = placeMatrices(descriptor, warp);
  const auto [m, n, k] = std::tuple(matrices.m, matrices.n, matrices.k);
  std::vector<uint64_t> results;
  for (int row = 0; row < m; ++row)
    for (int col = 0; col < n; ++col) {
      Dot dot = {descriptor, {}, {}, {}, {}, matrices.c[row * n + col]};
      for (int l = 0; l < k; ++l) {
        dot.a.push_back(matrices.a[row * k + l]);
        dot.b.push_back(matrices.present[row * k + l] ? matrices.b[l * n + col]
                                                      : 0);
        dot.scaleA.push_back(matrices.scaleA[row * k + l]);
        dot.scaleB.push_back(matrices.scaleB[l * n + col]);
      }
      if (descriptor.a == Type::F64)
        results.push_back(computeDouble(dot));
      else if (descriptor.d == Type::S32)
        results.push_back(computeInteger(dot));
      else if (mode.accumulation == Accumulation::Exact)
        results.push_back(computeExact(dot));
      else if (getBits(descriptor, descriptor.a) == 4)
        results.push_back(computeBlockScaled(dot));
      else
        results.push_back(computeFused(dot, mode.tensorCore));
    }
  return results;
}

std::vector<uint64_t> test::readD(const MmaDescriptor &descriptor,
                                  const Warp &warp) {
  const auto [m, n, k] = descriptor.shape;
  std::vector<uint64_t> results(m * n);
  const bool isF16 = descriptor.d == Type::F16;
  for (int lane = 0; lane < 32; ++lane)
    for (int reg = 0; reg < m * n / 32 / (isF16 ? 2 : 1); ++reg)
      for (int i = 0; i < (isF16 ? 2 : 1); ++i) {
        auto [row, col] = placeC(descriptor, isF16, lane, reg, i);
        results[row * n + col] = descriptor.d == Type::F64 ? warp.d64[reg][lane]
                                 : isF16
                                     ? (warp.d[reg][lane] >> 16 * i & 0xFFFF)
                                     : warp.d[reg][lane];
      }
  return results;
}

void test::forEachInstructionSet(const std::function<void()> &function) {
  for (int64_t rest = hwy::SupportedTargets(); rest; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    function();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}
