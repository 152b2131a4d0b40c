//===- Async.h - Asynchronous copies in flight -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A copy has two lives. Its accesses are told to the ordering checks when it is
// issued, under the component and clock by which somebody will see it complete;
// so verdicts do not depend on when it happens. Its bytes move when the Effect
// lands: late, early or at random.
//
// Source: PTX ISA 9.7.9.25 (cp.async, cp.async.bulk); rules R5 to R7.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_ASYNC_H
#define NVFP4_SIMULATOR_PTX_MACHINE_ASYNC_H

#include "Machine.h"

#include <array>
#include <deque>

namespace nvfp4::ptx {

/// Copies of a warp that `wait_group` waits for.
struct WarpAsync {
  /// One `cp.async` of the warp.
  struct Copy {
    /// Counts the `cp.async` of the warp from 1: its clock.
    uint32_t number = 0;
    uint64_t effect = 0;
    uint32_t lanes = 0;
    /// By lane: how many groups had been committed before.
    std::array<uint32_t, kLanes> group = {};
  };
  std::deque<Copy> copies;
  uint32_t numCopies = 0;
  std::array<uint32_t, kLanes> committed = {};
  /// Of the ordering checks; ~0: none yet.
  uint32_t copyComponent = ~0u;

  /// Bulk copies of one lane that belong to bulk groups.
  struct BulkCopy {
    uint32_t group = 0;
    uint64_t effect = 0;
    uint32_t line = 0;
    bool isRead = false;
  };
  struct BulkLane {
    std::deque<BulkCopy> copies;
    uint32_t committed = 0;
    uint32_t readComponent = ~0u, writeComponent = ~0u;
  };
  std::map<uint32_t, BulkLane> bulkLanes;
};

/// Lands every `cp.async` of these lanes up to copy `number`. False: trap.
bool landCopies(Warp &warp, uint32_t lanes, uint32_t number);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_ASYNC_H
