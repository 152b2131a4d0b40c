//===- LaneAddresses.cpp - Arithmetic on the addresses of a warp ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Machine/LaneAddresses.cpp"
#include "Instructions/Targets.h"
#include <hwy/foreach_target.h>

#include "LaneAddresses.h"

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

static void add(const uint64_t *addresses, uint64_t offset, uint64_t *result) {
  for (unsigned i = 0; i < kLanes; ++i)
    result[i] = addresses[i] + offset;
}

static AddressFaults subtract(const uint64_t *__restrict addresses,
                              uint64_t base, uint64_t limit, uint64_t alignment,
                              uint32_t mask, uint64_t *__restrict offsets) {
  uint64_t misaligned = 0, signs = 0, low = alignment - 1;
  for (unsigned i = 0; i < kLanes; ++i) {
    uint64_t isIn = -uint64_t((mask >> i) & 1);
    offsets[i] = addresses[i] - base;
    misaligned |= addresses[i] & low & isIn;
    // Beyond the limit one of the two is negative.
    signs |= offsets[i] | (limit - offsets[i]);
  }
  return {misaligned != 0, (signs >> 63) != 0};
}

static bool compare(const uint64_t *offsets, uint64_t bytes) {
  uint64_t different = 0;
  for (unsigned i = 0; i < kLanes; ++i)
    different |= offsets[i] ^ (offsets[0] + i * bytes);
  return different == 0;
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(add);
HWY_EXPORT(subtract);
HWY_EXPORT(compare);

void addToAddresses(const uint64_t addresses[kLanes], uint64_t offset,
                    uint64_t result[kLanes]) {
  HWY_DYNAMIC_DISPATCH(add)(addresses, offset, result);
}
AddressFaults subtractBase(const uint64_t addresses[kLanes], uint64_t base,
                           uint64_t limit, uint64_t alignment, uint32_t mask,
                           uint64_t offsets[kLanes]) {
  return HWY_DYNAMIC_DISPATCH(subtract)(addresses, base, limit, alignment, mask,
                                        offsets);
}
bool areConsecutive(const uint64_t offsets[kLanes], uint64_t bytes) {
  return HWY_DYNAMIC_DISPATCH(compare)(offsets, bytes);
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
