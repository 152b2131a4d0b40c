//===- ClusterExit.cpp - What must not be left at the end -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rule R13. Whether something was waited for does not depend on when it
// happened: a copy that nobody observed is in flight, also when its bytes
// moved long ago.
//
//===----------------------------------------------------------------------===//

#include "Async.h"
#include "Mbarrier.h"
#include "Ordering.h"
#include "TensorMemory.h"

namespace nvfp4::ptx {

static void reportExit(Cta &cta, uint32_t warp, uint32_t lane, uint32_t line,
                       const std::string &message) {
  cta.getLaunch().add(Finding::Severity::Error, "R13", line, cta.getId(), warp,
                      lane, message);
}

static void checkBulkGroups(Cta &cta) {
  for (auto &warp : cta.getWarps()) {
    if (!warp->hasAsync())
      continue;
    for (const auto &[lane, state] : warp->getAsync().bulkLanes)
      for (const WarpAsync::BulkCopy &copy : state.copies)
        if (!copy.isRead)
          reportExit(cta, warp->getIndex(), lane, copy.line,
                     "expected cp.async.bulk.wait_group before exit: the copy "
                     "still reads shared memory");
  }
}

static void checkMbarriers(Cta &cta) {
  for (const auto &[offset, barrier] : cta.mbarriers)
    for (const Mbarrier::Unobserved &copy : barrier->unobserved)
      reportExit(cta, 0, 0, copy.line,
                 "expected a wait for the copy before exit: no thread saw it "
                 "complete");
}

static void checkTensorMemory(Cta &cta) {
  if (!cta.tensorMemory)
    return;
  for (const auto &[column, allocation] : cta.tensorMemory->allocations)
    reportExit(cta, 0, 0, allocation.line,
               "expected tcgen05.dealloc before exit of the " +
                   std::to_string(allocation.columns) +
                   " columns of tensor memory from " + std::to_string(column));
}

/// A CTA may only exit once it knows that nobody uses its shared memory.
static void checkRemoteAccesses(Cluster &cluster) {
  ordering::ClusterOrdering *home = getOrder(cluster);
  if (!home)
    return;
  uint32_t perCta = home->getShape().warpsPerCta;
  uint32_t id = uint32_t(cluster.getLinearId());
  for (const auto &[key, access] : cluster.remoteAccesses) {
    auto [rank, component] = key;
    bool isKnown = false;
    for (uint32_t i = 0; i < perCta; ++i)
      isKnown |=
          home->getWarp(rank * perCta + i)
              .getNow()
              .covers(ordering::View::Ordinary, id, component, access.clock);
    if (isKnown)
      continue;
    reportExit(access.warp->getCta(), access.warp->getIndex(), access.lane,
               access.line,
               "expected CTA " + std::to_string(rank) +
                   " of the cluster to wait before exit until this access to "
                   "its shared memory is done");
  }
}

void checkClusterExit(Cluster &cluster) {
  for (auto &cta : cluster.getCtas()) {
    checkBulkGroups(*cta);
    checkMbarriers(*cta);
    checkTensorMemory(*cta);
  }
  checkRemoteAccesses(cluster);
}

} // namespace nvfp4::ptx
