//===- SyncClock.h - What a synchronisation object hands over --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers, mbarrier phases, cluster barriers and release/acquire variables
// all carry clocks from those who arrive to those who leave (rule R2). One
// object of this class is one such parcel, with every view in it, because a
// release carries the proxy fences before it as well (R5).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_SYNCCLOCK_H
#define NVFP4_SIMULATOR_PTX_ORDERING_SYNCCLOCK_H

#include "Ordering/Clocks.h"

namespace nvfp4::ptx::ordering {

class WarpOrder;

class SyncClock {
public:
  /// `home` is the cluster that uses the object, or `kNoCluster` when all do.
  explicit SyncClock(uint32_t home = kNoCluster) : home(home) {}

  /// Publishes everything that the warp did and knows, and begins its next
  /// epoch: later accesses are not covered.
  void release(WarpOrder &warp);
  /// Takes over everything published so far. `lanes` took part.
  void acquire(WarpOrder &warp, uint32_t lanes = kAllLanes) const;

  /// Publishes a snapshot made earlier, as a fence does.
  void publish(const Snapshot &snapshot);
  /// Publishes that an asynchronous component has reached `clock`; `isFenced`:
  /// to tensor memory, too.
  void include(uint32_t component, uint32_t clock, bool isFenced = false);
  /// What a relaxed operation of a warp carries: what a fence before it
  /// publishes, and the view of tensor memory.
  void publishRelaxed(const WarpOrder &warp);
  void publishTensorMemory(const Snapshot &snapshot);
  void acquireTensorMemory(WarpOrder &warp) const;
  /// Publishes what another object has.
  void join(const SyncClock &other);
  /// Joins into the views of a warp or another object.
  void joinInto(Views &into, uint32_t intoHome) const;

  /// Begins the next phase of an object whose phases are independent. The
  /// phases of an mbarrier are not: arrivals are read-modify-writes of one
  /// object, so a later phase carries the earlier ones.
  void clear();
  bool empty() const { return views[0].empty(); }
  uint32_t getHome() const { return home; }
  /// The epoch of `component` that the object carries in the ordinary view.
  uint32_t get(uint32_t cluster, uint32_t component) const {
    return cluster == home ? views[0].local.get(component)
                           : views[0].foreign.get(cluster).get(component);
  }

private:
  void publishView(const Snapshot &snapshot, unsigned view);
  uint32_t home;
  Views views;
  /// The storage joined last. When all warps left the previous barrier with the
  /// same clock, nothing is compared again.
  std::array<Clock, kNumViews> joined;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_SYNCCLOCK_H
