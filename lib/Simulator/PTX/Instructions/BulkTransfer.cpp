//===- BulkTransfer.cpp - How bulk copies complete ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BulkTransfer.h"

namespace nvfp4::ptx {

using ordering::AsyncActor;

/// An order and a fence are wanted between mbarrier.init and the copy that
/// names it (R4, R5).
static void checkInitFence(Warp &warp, const Inst &inst,
                           const Mbarrier &barrier, unsigned lane) {
  if (!barrier.initOrder || !checkInit(warp, inst, barrier, lane))
    return;
  ordering::WarpOrder &order = *getOrder(warp);
  if (!order.getNow().covers(ordering::View::AsyncShared,
                             uint32_t(warp.getCluster().getLinearId()),
                             barrier.initOrder->component,
                             barrier.initOrder->clock))
    warp.report(Finding::Severity::Warning, inst, "R5", lane,
                "expected a fence (fence.mbarrier_init or fence.proxy.async) "
                "between mbarrier.init and the first copy that completes on it",
                barrier.initLine);
}

bool BulkTransfer::completeOn(Cta &cta, uint64_t barrierAddress) const {
  uint64_t inCta = barrierAddress & kSharedOffsetMask;
  Mbarrier *barrier =
      inCta < kSharedBase ? nullptr : findMbarrierAt(cta, inCta - kSharedBase);
  if (!barrier) {
    warp.trap(inst, "R8", lane,
              "expected an initialized mbarrier at shared offset " +
                  std::to_string(inCta) + ", but there is no object");
    return false;
  }
  ++barrier->numInFlight;
  ordering::AsyncOp op = 0;
  Cluster &cluster = warp.getCluster();
  if (ordering::WarpOrder *warpOrder = getOrder(warp)) {
    checkInitFence(warp, inst, *barrier, lane);
    op = getOrder(cluster)->beginOp(ordering::AsyncKind::Bulk);
    AsyncActor actor(*warpOrder, op, true);
    order(actor, actor);
  }
  Effect effect;
  effect.line = inst.line;
  Warp *issuer = &warp;
  const Inst *instruction = &inst;
  Cta *target = &cta;
  uint64_t place = inCta - kSharedBase;
  effect.land = [=, move = move, count = bytes, issuingLane = lane] {
    move();
    return landOnMbarrier(*issuer, *instruction, *target, place, issuingLane,
                          count, op);
  };
  return cluster.issue(std::move(effect)) != 0;
}

bool BulkTransfer::completeInGroup() const {
  WarpAsync::BulkLane &state = warp.getAsync().bulkLanes[lane];
  Cluster &cluster = warp.getCluster();
  if (ordering::WarpOrder *warpOrder = getOrder(warp)) {
    ordering::ClusterOrdering &home = *getOrder(cluster);
    if (state.readComponent == ~0u) {
      state.readComponent = home.addComponent(ordering::AsyncKind::Bulk);
      state.writeComponent = home.addComponent(ordering::AsyncKind::Bulk);
    }
    uint32_t clock = state.committed + 1;
    AsyncActor reader(*warpOrder, state.readComponent, clock, true);
    AsyncActor writer(*warpOrder, state.writeComponent, clock, true);
    order(reader, writer);
  }
  Effect effect;
  effect.line = inst.line;
  effect.land = move;
  WarpAsync::BulkCopy copy;
  copy.group = state.committed;
  copy.line = inst.line;
  copy.effect = cluster.issue(std::move(effect));
  state.copies.push_back(copy);
  return copy.effect != 0;
}

bool readMulticast(Warp &warp, const Inst &inst, const OperandRef &ref,
                   unsigned lane, uint32_t &ctas) {
  ctas = uint32_t(warp.readLane(ref, lane)) & 0xFFFF;
  size_t count = warp.getCluster().getCtas().size();
  if (!(ctas >> count))
    return true;
  warp.trap(inst, "bounds", lane,
            "expected a multicast to CTAs of a cluster of " +
                std::to_string(count) + ", but got mask " +
                std::to_string(ctas));
  return false;
}

} // namespace nvfp4::ptx
