//===- LaneAddresses.h - Arithmetic on the addresses of a warp -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over 32 addresses of 64 bits, compiled per instruction set of the host:
// every access to memory runs them.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_LANEADDRESSES_H
#define NVFP4_SIMULATOR_PTX_MACHINE_LANEADDRESSES_H

#include "Code.h"

namespace nvfp4::ptx {

/// result[i] = addresses[i] + offset
void addToAddresses(const uint64_t addresses[kLanes], uint64_t offset,
                    uint64_t result[kLanes]);

/// What is wrong with an access of some lanes.
struct AddressFaults {
  bool isMisaligned = false;
  /// A lane, maybe none of the mask, is beyond the limit.
  bool mayBeOutside = false;
};
/// offsets[i] = addresses[i] - base, which may be at most `limit` (below 2^63).
AddressFaults subtractBase(const uint64_t addresses[kLanes], uint64_t base,
                           uint64_t limit, uint64_t alignment, uint32_t mask,
                           uint64_t offsets[kLanes]);

/// Whether every lane is `bytes` behind the one before.
bool areConsecutive(const uint64_t offsets[kLanes], uint64_t bytes);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_LANEADDRESSES_H
