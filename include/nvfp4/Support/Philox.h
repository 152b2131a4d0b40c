//===- Philox.h - Random bits for stochastic rounding -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Philox 4x32 with 10 rounds, a counter-based generator: the bits of an element
// depend on the state and on its place alone, so every target, and every split
// into panels or threads, rounds alike. Which bits serve which element is part
// of the format (docs/Format.md, section 4):
//
//   element e of a tensor, counted in row-major order without padding,
//   uses byte e mod 4 (0 is the lowest) of word (e / 4) mod 4 of
//   philox(counter = offset + e / 16, key = seed).
//
// Source: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_PHILOX_H
#define NVFP4_SUPPORT_PHILOX_H

#include <array>
#include <cstdint>

namespace nvfp4 {

/// The state of the generator. A tensor of n elements uses the counters
/// offset … offset + ceil(n / 16) - 1, modulo 2^64.
struct PhiloxState {
  uint64_t seed = 0;
  uint64_t offset = 0;
};

/// How many counters the elements of a tensor use; the next tensor of the same
/// stream starts that much further.
constexpr uint64_t getNumPhiloxCounters(uint64_t numElements) {
  return numElements / 16 + (numElements % 16 != 0);
}

/// Multipliers of the two halves, and what is added to the key every round.
constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53;
constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9;
constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85;
constexpr int kPhiloxRounds = 10;

/// The function itself: 128 bits of counter and 64 bits of key to 128 bits.
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    uint64_t product0 = uint64_t(kPhiloxMultiplier0) * counter[0];
    uint64_t product1 = uint64_t(kPhiloxMultiplier1) * counter[2];
    counter = {
        uint32_t(product1 >> 32) ^ counter[1] ^ key[0], uint32_t(product1),
        uint32_t(product0 >> 32) ^ counter[3] ^ key[1], uint32_t(product0)};
    key[0] += kPhiloxWeyl0;
    key[1] += kPhiloxWeyl1;
  }
  return counter;
}

/// The four words of the 64-bit counter `counter`; the upper half of the
/// 128-bit counter is zero.
constexpr std::array<uint32_t, 4> getPhiloxWords(uint64_t seed,
                                                 uint64_t counter) {
  return philox4x32({uint32_t(counter), uint32_t(counter >> 32), 0, 0},
                    {uint32_t(seed), uint32_t(seed >> 32)});
}

/// The eight random bits of one element.
constexpr uint8_t getRandomByte(const PhiloxState &state, uint64_t element) {
  std::array<uint32_t, 4> words =
      getPhiloxWords(state.seed, state.offset + element / 16);
  return uint8_t(words[element / 4 % 4] >> (element % 4 * 8));
}

/// Writes the random bytes of the elements first … first + count - 1.
void fillRandomBytes(const PhiloxState &state, uint64_t first, uint64_t count,
                     uint8_t *bytes);

} // namespace nvfp4

#endif // NVFP4_SUPPORT_PHILOX_H
