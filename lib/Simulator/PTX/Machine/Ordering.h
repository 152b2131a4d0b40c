//===- Ordering.h - The machine's side of the ordering checks --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tells the happens-before engine (lib/Simulator/PTX/Ordering) what warps do,
// and turns its verdicts into findings that name lines.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_ORDERING_H
#define NVFP4_SIMULATOR_PTX_MACHINE_ORDERING_H

#include "Machine.h"
#include "Ordering/Actors.h"
#include "Ordering/Shadow.h"

namespace nvfp4::ptx {

/// Who accessed which byte of global memory last.
struct LaunchShadows {
  explicit LaunchShadows(const DeviceMemory::Impl &memory);
  ~LaunchShadows();

  ordering::LaunchOrdering launch;
  /// By GlobalBuffer::index.
  std::vector<std::unique_ptr<ordering::Shadow>> buffers;
};

/// What a host thread keeps from cluster to cluster.
struct Worker {
  std::vector<std::unique_ptr<ordering::ClusterOrdering>> orderings;
};

/// One access of a warp to one region.
struct OrderedAccess {
  ordering::AccessKind kind = ordering::AccessKind::Read;
  ordering::MemoryOrder order = ordering::MemoryOrder::Weak;
  ordering::Scope scope = ordering::Scope::Sys;
  /// Bytes to be written, `bytes` for each of 32 lanes: tells equal writes.
  const uint8_t *values = nullptr;
  /// An mbarrier, whose instructions say what they release.
  bool isSyncObject = false;
};

/// Checks and records an access, and calls `perform(context, lanes)` for the
/// lanes that it takes place for: at once when nothing is checked. Region must
/// be global or shared; others are private. `alignment` divides the offsets
/// when `bytes` is not a power of two.
void orderAccess(Warp &warp, const Inst &inst, const Region &region,
                 const uint64_t offsets[kLanes], uint32_t bytes, uint32_t lanes,
                 const OrderedAccess &access, ordering::Effect effect);

/// An asynchronous operation reads or writes consecutive bytes of a region.
void orderRange(Warp &warp, const Inst &inst, const Region &region,
                uint64_t offset, uint64_t bytes, uint32_t lane,
                ordering::AccessKind kind, const ordering::AsyncActor &actor);

/// An asynchronous operation accesses `bytes` bytes for each lane.
void orderAsyncAccess(Warp &warp, const Inst &inst, const Region &region,
                      const uint64_t offsets[kLanes], uint32_t bytes,
                      uint32_t lanes, ordering::AccessKind kind,
                      const ordering::AsyncActor &actor);

/// Lanes of a warp meet at a barrier.
void syncLanes(Warp &warp, uint32_t lanes);
/// Lanes of a warp release: a warning when other lanes wrote and did not meet
/// them (R4). Clocks are kept by warp, so the edge itself covers all lanes.
/// `freesShared`: the release says that shared memory was read and may be
/// filled again, so reads of other lanes count too.
void checkReleasingLanes(Warp &warp, const Inst &inst, uint32_t lanes,
                         bool freesShared = false);

/// Null when ordering is not checked.
ordering::WarpOrder *getOrder(Warp &warp);
ordering::ClusterOrdering *getOrder(Cluster &cluster);

/// Reports a verdict at an instruction.
void reportConflict(Warp &warp, const Inst &inst, const Region *region,
                    const ordering::Conflict &conflict);

/// The number of an instruction in the whole program, and back to its line.
uint32_t getInstructionId(const Warp &warp, const Inst &inst);
uint32_t getLineOf(const Program::Impl &program, uint32_t instructionId);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_ORDERING_H
