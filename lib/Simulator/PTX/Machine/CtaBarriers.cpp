//===- CtaBarriers.cpp - Barriers of a CTA and of a cluster ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp counts with all its 32 threads as soon as every lane of it that is
// still running has arrived.
//
// Source: PTX ISA 9.7.13.1 (bar, barrier), 9.7.13.4 (barrier.cluster).
//
//===----------------------------------------------------------------------===//

#include "ClusterBarrier.h"
#include "Ordering.h"

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// CTA
//===----------------------------------------------------------------------===//

void Cta::completeIfFull(CtaBarrier &barrier) {
  uint32_t expected =
      barrier.expectsAll ? numLiveWarps * kLanes : barrier.expected;
  if (barrier.arrived < expected || barrier.arrived == 0)
    return;
  uint64_t result =
      uint64_t(barrier.numTrue) << 32 | uint64_t(barrier.numVoters);
  for (const CtaBarrier::Waiter &waiter : barrier.waiters) {
    waiter.warp->release(waiter.lanes, result);
    if (ordering::WarpOrder *order = getOrder(*waiter.warp)) {
      barrier.clock->acquire(*order, waiter.lanes);
      syncLanes(*waiter.warp, waiter.lanes);
    }
  }
  if (barrier.clock)
    barrier.clock->clear();
  barrier.arrived = barrier.expected = 0;
  barrier.numVoters = barrier.numTrue = 0;
  barrier.waiters.clear();
  barrier.lanes.assign(barrier.lanes.size(), 0);
}

Outcome Cta::arrive(Warp &warp, const Inst &inst, uint32_t mask,
                    const BarrierArrival &arrival) {
  Path &path = warp.getPath();
  unsigned lane = unsigned(__builtin_ctz(mask));
  CtaBarrier &barrier = barriers[arrival.id];
  barrier.lanes.resize(warps.size());
  bool isFirst = barrier.arrived == 0;
  if (isFirst) {
    barrier.expectsAll = arrival.count == 0;
    barrier.expected = arrival.count;
  } else if (barrier.expectsAll != (arrival.count == 0) ||
             (arrival.count && barrier.expected != arrival.count)) {
    return warp.trap(inst, "barrier", lane,
                     "expected the thread count of the others at barrier " +
                         std::to_string(arrival.id) + ", " +
                         std::to_string(barrier.expected) + ", but got " +
                         std::to_string(arrival.count));
  }
  uint32_t &there = barrier.lanes[warp.getIndex()];
  if (arrival.isAligned || (there & mask)) {
    barrier.arrived += kLanes;
  } else {
    // The last lanes of a warp stand for those that never existed.
    bool isComplete =
        ((there | mask) & warp.getLiveLanes()) == warp.getLiveLanes();
    barrier.arrived += isComplete ? kLanes - uint32_t(__builtin_popcount(there))
                                  : uint32_t(__builtin_popcount(mask));
  }
  there |= mask;
  barrier.numVoters += uint32_t(__builtin_popcount(mask));
  barrier.numTrue += uint32_t(__builtin_popcount(mask & arrival.votes));
  if (!barrier.expectsAll && barrier.arrived > barrier.expected)
    return warp.trap(inst, "barrier", lane,
                     "expected " + std::to_string(barrier.expected) +
                         " threads at barrier " + std::to_string(arrival.id) +
                         ", but got " + std::to_string(barrier.arrived));
  if (ordering::WarpOrder *order = getOrder(warp)) {
    if (!barrier.clock)
      barrier.clock = std::make_unique<ordering::SyncClock>(
          getOrder(cluster)->makeSyncClock());
    syncLanes(warp, mask);
    barrier.clock->release(*order);
  }
  warp.noteEffect();
  if (arrival.waits) {
    path.state = Path::State::Barrier;
    barrier.waiters.push_back({&warp, mask});
  }
  completeIfFull(barrier);
  return arrival.waits ? Outcome::Block : Outcome::Next;
}

void Cta::noteExit(Warp &warp) {
  if (warp.hasExited())
    --numLiveWarps;
  for (CtaBarrier &barrier : barriers)
    if (barrier.expectsAll && barrier.arrived)
      completeIfFull(barrier);
  cluster.noteExit();
}

//===----------------------------------------------------------------------===//
// Cluster
//===----------------------------------------------------------------------===//

void Cluster::noteExit() { barrier->completeIfFull(*this); }

void ClusterBarrier::completeIfFull(Cluster &cluster) {
  if (!arrived)
    return;
  uint32_t alive = 0;
  for (auto &cta : cluster.getCtas())
    for (auto &warp : cta->getWarps())
      // Threads that arrived and then exited still count as arrived.
      alive += uint32_t(__builtin_popcount(warp->getLiveLanes() &
                                           ~getArrived(*warp, cluster)));
  if (alive)
    return;
  ++phase;
  arrived = 0;
  arrivedLanes.clear();
  if (current) {
    completed->join(*current);
    current->clear();
  }
  for (const CtaBarrier::Waiter &waiter : waiters)
    waiter.warp->release(waiter.lanes);
  waiters.clear();
}

size_t ClusterBarrier::getIndex(const Warp &warp, const Cluster &cluster) {
  const Cta &cta = warp.getCta();
  return cta.getRank() * const_cast<Cta &>(cta).getWarps().size() +
         warp.getIndex();
}

uint32_t ClusterBarrier::getArrived(const Warp &warp,
                                    const Cluster &cluster) const {
  size_t index = getIndex(warp, cluster);
  return index < arrivedLanes.size() ? arrivedLanes[index] : 0;
}

Outcome ClusterBarrier::arrive(Warp &warp, const Inst &inst, uint32_t mask,
                               bool isRelease) {
  Cluster &cluster = warp.getCluster();
  size_t index = getIndex(warp, cluster);
  size_t numWarps = cluster.getCtas().size() * warp.getCta().getWarps().size();
  arrivedLanes.resize(numWarps);
  waitPhase.resize(numWarps, ~uint64_t(0));
  if (arrivedLanes[index] & mask)
    return warp.trap(inst, "barrier",
                     unsigned(__builtin_ctz(arrivedLanes[index] & mask)),
                     "expected barrier.cluster.wait between two "
                     "barrier.cluster.arrive of a thread");
  if (ordering::WarpOrder *order = getOrder(warp)) {
    if (!current) {
      ordering::SyncClock clock = getOrder(cluster)->makeSyncClock();
      current = std::make_unique<ordering::SyncClock>(clock);
      completed = std::make_unique<ordering::SyncClock>(clock);
    }
    // A relaxed arrival publishes what a fence before it released.
    if (isRelease)
      current->release(*order);
    else if (order->getFenced() &&
             order->getFencedScope() >= ordering::Scope::Cluster)
      current->publish(*order->getFenced());
    if (!isRelease)
      current->publishTensorMemory(order->getNow());
  }
  arrived += uint32_t(__builtin_popcount(mask));
  arrivedLanes[index] |= mask;
  waitPhase[index] = phase;
  warp.noteEffect();
  completeIfFull(cluster);
  return Outcome::Next;
}

Outcome ClusterBarrier::wait(Warp &warp, const Inst &inst, uint32_t mask,
                             bool isAcquire) {
  Path &path = warp.getPath();
  size_t index = getIndex(warp, warp.getCluster());
  path.isReleased = false;
  if (index >= waitPhase.size() || waitPhase[index] == ~uint64_t(0))
    return warp.trap(inst, "barrier", unsigned(__builtin_ctz(mask)),
                     "expected barrier.cluster.arrive before "
                     "barrier.cluster.wait");
  if (phase <= waitPhase[index]) {
    path.state = Path::State::Barrier;
    waiters.push_back({&warp, mask});
    return Outcome::Block;
  }
  ordering::WarpOrder *order = getOrder(warp);
  if (order && isAcquire)
    completed->acquire(*order, mask);
  return Outcome::Next;
}

} // namespace nvfp4::ptx
