//===- Synchronise.cpp - Release and acquire through memory ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strong accesses to a variable hand over clocks (rule R2): a release store or
// read-modify-write publishes, an acquire takes over; relaxed ones do so
// through the fences around them. A read-modify-write continues what was
// published before it, a store begins anew, a weak store ends it. A scope that
// is too narrow is a warning (R3).
//
//===----------------------------------------------------------------------===//

#include "Ordering/Checker.h"

#include <algorithm>

using namespace nvfp4::ptx::ordering;

/// One strong access at `offset`, by lanes with one address.
void Checker::synchronise(Shadow::Page &page, uint64_t offset, uint32_t lanes) {
  bool acquires =
      order == MemoryOrder::Acquire || order == MemoryOrder::AcquireRelease;
  bool releases =
      order == MemoryOrder::Release || order == MemoryOrder::AcquireRelease;
  uint32_t lane = __builtin_ctz(lanes);
  uint32_t within = offset % kPageBytes;
  SyncVariable *variable = nullptr;
  if (page.variables)
    if (auto it = page.variables->find(within); it != page.variables->end())
      variable = &it->second;

  bool observes = kind == AccessKind::Read || kind == AccessKind::Atomic;
  if (observes && variable) {
    if (acquires) {
      variable->clock.acquire(warp, lanes);
      for (const Publisher &publisher : {variable->narrowest, variable->last})
        if (std::optional<Conflict> conflict = checkScope(
                publisher, warp, lane, scope, offset + 0 * bytesPerLane))
          report(*conflict);
    } else {
      warp.addPending(variable->clock, variable->narrowest, lane, scope);
      variable->clock.acquireTensorMemory(warp);
    }
  }
  if (!isWrite)
    return;

  if (releases)
    warp.closeEpoch();
  const Snapshot *published = releases ? &now : warp.getFenced();
  // Relaxed operations order what fences of tensor memory enclose.
  const bool isOfTensorMemory = !published && warp.hasTensorMemoryView();
  if (!published && !isOfTensorMemory) {
    if (variable && kind == AccessKind::Write)
      page.variables->erase(within);
    return;
  }
  if (!variable) {
    if (!page.variables)
      page.variables = std::make_unique<std::map<uint32_t, SyncVariable>>();
    variable = &(*page.variables)[within];
    if (shadow.space == Shadow::Space::Shared)
      variable->clock = home.makeSyncClock();
  }
  Publisher publisher{
      now.cluster,   warp.getCta(),
      now.component, lane,
      instruction,   releases ? scope : std::min(scope, warp.getFencedScope())};
  if (kind == AccessKind::Write)
    variable->clock.clear();
  if (variable->clock.empty() || publisher.scope < variable->narrowest.scope)
    variable->narrowest = publisher;
  variable->last = publisher;
  if (isOfTensorMemory)
    variable->clock.publishTensorMemory(now);
  else
    variable->clock.publish(*published);
}
