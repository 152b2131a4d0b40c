//===- WideSum.cpp - Exact sums of doubles --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two's complement throughout: a negative addend is added as its complement.
//
//===----------------------------------------------------------------------===//

#include "WideSum.h"

#include <cassert>
#include <cmath>

using namespace nvfp4::ptx;

void WideSum::add(double value) {
  if (value == 0)
    return;
  int exponent;
  // 53 bits before the binary point.
  const double fraction = std::frexp(std::fabs(value), &exponent);
  uint64_t significand = uint64_t(std::ldexp(fraction, 53));
  int shift = exponent - 53 - kLowestExponent;
  if (shift < 0) {
    // Low zeros only, since the value is a multiple of the unit.
    significand >>= -shift;
    shift = 0;
  }
  const int word = shift / 64;
  assert(word + 1 < kWords && "beyond the range of operand products");
  const unsigned __int128 wide = (unsigned __int128)significand << shift % 64;
  const uint64_t parts[2] = {uint64_t(wide), uint64_t(wide >> 64)};
  const uint64_t flip = value < 0 ? ~uint64_t(0) : 0;
  unsigned __int128 carry = value < 0 ? 1 : 0;
  // Below `word` the complement's ones plus the carry are zero and a carry.
  for (int i = word; i < kWords; ++i) {
    const uint64_t part = i - word < 2 ? parts[i - word] : 0;
    carry += (unsigned __int128)words[i] + (part ^ flip);
    words[i] = uint64_t(carry);
    carry >>= 64;
  }
}

double WideSum::roundToOdd() const {
  std::array<uint64_t, kWords> magnitude = words;
  const bool isNegative = words[kWords - 1] >> 63;
  uint64_t carry = isNegative;
  for (uint64_t &word : magnitude) {
    word = (isNegative ? ~word : word) + carry;
    carry = carry && word == 0;
  }
  int top = kWords - 1;
  while (top > 0 && magnitude[top] == 0)
    --top;
  if (magnitude[top] == 0)
    return 0;
  // The 53 highest bits, and whether anything is below them.
  const int highBit = top * 64 + 63 - __builtin_clzll(magnitude[top]);
  const int lowBit = highBit > 52 ? highBit - 52 : 0;
  const int word = lowBit / 64, offset = lowBit % 64;
  uint64_t bits = magnitude[word] >> offset;
  if (offset && word + 1 < kWords)
    bits |= magnitude[word + 1] << (64 - offset);
  bits &= (uint64_t(1) << 53) - 1;
  bool isInexact = offset && magnitude[word] << (64 - offset);
  for (int i = 0; i < word; ++i)
    isInexact |= magnitude[i] != 0;
  const double result =
      std::ldexp(double(bits | isInexact), lowBit + kLowestExponent);
  return isNegative ? -result : result;
}
