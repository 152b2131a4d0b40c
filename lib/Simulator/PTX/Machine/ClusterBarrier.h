//===- ClusterBarrier.h - barrier.cluster ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_CLUSTERBARRIER_H
#define NVFP4_SIMULATOR_PTX_MACHINE_CLUSTERBARRIER_H

#include "Machine.h"
#include "Ordering.h"

namespace nvfp4::ptx {

/// The one barrier of a cluster. Every thread that has not exited arrives once
/// a phase.
struct ClusterBarrier {
  uint64_t phase = 0;
  uint32_t arrived = 0;
  /// By warp of the cluster: lanes that arrived in this phase, and the phase
  /// that the warp waits for next.
  std::vector<uint32_t> arrivedLanes;
  std::vector<uint64_t> waitPhase;
  std::vector<CtaBarrier::Waiter> waiters;
  /// What arrivals of this phase, and of the finished ones, publish.
  std::unique_ptr<ordering::SyncClock> current, completed;

  Outcome arrive(Warp &warp, const Inst &inst, uint32_t mask, bool isRelease);
  Outcome wait(Warp &warp, const Inst &inst, uint32_t mask, bool isAcquire);
  void completeIfFull(Cluster &cluster);

private:
  static size_t getIndex(const Warp &warp, const Cluster &cluster);
  uint32_t getArrived(const Warp &warp, const Cluster &cluster) const;
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_CLUSTERBARRIER_H
