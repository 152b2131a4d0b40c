//===- Philox-inl.h - Random bytes on vectors -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Philox.h for as many counters at once as a vector has 64-bit lanes. Each word
// of the state occupies the low half of a lane, because the products need all
// 64 bits.
//
//===----------------------------------------------------------------------===//

#if defined(NVFP4_LIB_SUPPORT_PHILOX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NVFP4_LIB_SUPPORT_PHILOX_INL_H
#undef NVFP4_LIB_SUPPORT_PHILOX_INL_H
#else
#define NVFP4_LIB_SUPPORT_PHILOX_INL_H
#endif

#include "nvfp4/Support/Philox.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

/// Bytes of one counter.
constexpr uint64_t kPhiloxBytes = 16;

/// Writes the 16 bytes of Lanes(d) counters from `counter` on, in order.
template <class D64>
HWY_INLINE void storePhilox(D64 d, uint64_t seed, uint64_t counter,
                            uint8_t *bytes) {
  using V = hn::Vec<D64>;
  const hn::Repartition<uint32_t, D64> d32;
  const V lowHalf = hn::Set(d, 0xFFFFFFFFu);
  const auto multiply = [&](V a, uint32_t b) HWY_ATTR {
    return hn::MulEven(hn::BitCast(d32, a), hn::Set(d32, b));
  };
  V counters = hn::Add(hn::Iota(d, 0), hn::Set(d, counter));
  V c0 = hn::And(counters, lowHalf), c1 = hn::ShiftRight<32>(counters);
  V c2 = hn::Zero(d), c3 = hn::Zero(d);
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    V product0 = multiply(c0, kPhiloxMultiplier0);
    V product1 = multiply(c2, kPhiloxMultiplier1);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), hn::Set(d, key0));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), hn::Set(d, key1));
    c1 = hn::And(product1, lowHalf);
    c3 = hn::And(product0, lowHalf);
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  V low = hn::Or(c0, hn::ShiftLeft<32>(c1));
  V high = hn::Or(c2, hn::ShiftLeft<32>(c3));
  hn::StoreInterleaved2(low, high, d, reinterpret_cast<uint64_t *>(bytes));
}

/// fillRandomBytes of Philox.h.
inline void fillRandomBytesImpl(const PhiloxState &state, uint64_t first,
                                uint64_t count, uint8_t *bytes) {
  const hn::CappedTag<uint64_t, 8> d;
  const uint64_t bytesPerStep = kPhiloxBytes * hn::Lanes(d);
  alignas(64) uint8_t buffer[8 * kPhiloxBytes];
  uint64_t counter = state.offset + first / kPhiloxBytes;
  // Bytes of the first counter that belong to elements before `first`.
  uint64_t skip = first % kPhiloxBytes;
  for (uint64_t done = 0; done < count;) {
    storePhilox(d, state.seed, counter, buffer);
    uint64_t used = std::min(count - done, bytesPerStep - skip);
    std::memcpy(bytes + done, buffer + skip, used);
    done += used;
    skip = 0;
    counter += hn::Lanes(d);
  }
}

#else // one lane: the definition

inline void fillRandomBytesImpl(const PhiloxState &state, uint64_t first,
                                uint64_t count, uint8_t *bytes) {
  for (uint64_t i = 0; i < count; ++i)
    bytes[i] = getRandomByte(state, first + i);
}

#endif

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
