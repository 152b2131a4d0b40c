//===- Ordering.cpp - The machine's side of the ordering checks -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering.h"
#include "TensorMemory.h"

#include <cstdio>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::Conflict;
using ordering::ConflictKind;

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

LaunchShadows::LaunchShadows(const DeviceMemory::Impl &memory) {
  buffers.resize(memory.nextIndex);
  for (const auto &[address, buffer] : memory.buffers)
    buffers[buffer->index] = std::make_unique<ordering::Shadow>(
        ordering::Shadow::Space::Global, buffer->size);
}
LaunchShadows::~LaunchShadows() = default;

void Cluster::startOrdering() {
  if (!launch.shadows)
    return;
  ordering::ClusterShape shape;
  shape.numCtas = uint32_t(ctas.size());
  const auto &warps = ctas.front()->getWarps();
  shape.warpsPerCta = uint32_t(warps.size());
  shape.lastWarpLanes = warps.back()->getAllLanes();
  shape.sharedBytes = getTensorShadow(launch) + kTensorMemoryBytes;
  if (worker.orderings.empty()) {
    ordering = std::make_unique<ordering::ClusterOrdering>(
        launch.shadows->launch, shape);
  } else {
    ordering = std::move(worker.orderings.back());
    worker.orderings.pop_back();
  }
  Status status = ordering->begin(uint32_t(linearId));
  if (!status.ok())
    launch.reportLimit(status.getMessage());
}

void Cluster::finishOrdering() {
  if (!ordering)
    return;
  if (const char *limit = ordering->getLimit())
    launch.reportLimit(limit);
  worker.orderings.push_back(std::move(ordering));
}

ordering::WarpOrder *getOrder(Warp &warp) {
  ordering::ClusterOrdering *cluster = getOrder(warp.getCluster());
  if (!cluster)
    return nullptr;
  return &cluster->getWarp(warp.getCta().getRank() *
                               cluster->getShape().warpsPerCta +
                           warp.getIndex());
}

ordering::ClusterOrdering *getOrder(Cluster &cluster) {
  return cluster.getOrdering();
}

uint32_t getInstructionId(const Warp &warp, const Inst &inst) {
  const Code &code = *const_cast<Warp &>(warp).getFrame().code;
  return code.firstInstruction + uint32_t(&inst - code.insts.data());
}

uint32_t getLineOf(const Program::Impl &program, uint32_t instructionId) {
  for (const auto &code : program.codes)
    if (code && instructionId - code->firstInstruction < code->insts.size())
      return code->insts[instructionId - code->firstInstruction].line;
  return 0;
}

//===----------------------------------------------------------------------===//
// Verdicts
//===----------------------------------------------------------------------===//

static std::string describePlace(const Region *region, uint64_t offset) {
  char text[96];
  if (!region)
    return "";
  if (region->kind == Region::Kind::Global) {
    std::snprintf(text, sizeof(text), "byte %llu of '",
                  (unsigned long long)offset);
    return text + region->buffer->name + "'";
  }
  if (region->kind == Region::Kind::Tensor) {
    uint64_t cell = (offset - region->base) / kTensorCell;
    return "lane " + std::to_string(cell % kTensorLanes) + ", column " +
           std::to_string(cell / kTensorLanes) + " of tensor memory";
  }
  std::snprintf(text, sizeof(text), "shared address 0x%llx",
                (unsigned long long)(region->base + offset));
  return text;
}

static std::string describeOther(Warp &warp, const ordering::OtherAccess &other,
                                 uint32_t line) {
  std::string text = other.async ? "the asynchronous " : "the ";
  text += other.write ? "write" : "read";
  text += " of line " + std::to_string(line) + " by ";
  Cluster &cluster = warp.getCluster();
  const ordering::ClusterOrdering &home = *getOrder(cluster);
  bool isHere = other.cluster == cluster.getLinearId();
  uint32_t perCta = home.getShape().warpsPerCta;
  if (!home.isWarp(other.component))
    return text + (isHere ? "an operation of this cluster"
                          : "an operation of cluster " +
                                std::to_string(other.cluster));
  uint32_t rank = other.component / perCta;
  const auto &id = cluster.getCtas()[rank]->getId();
  if (isHere)
    text += "CTA " + std::to_string(id[0]) + "," + std::to_string(id[1]) + "," +
            std::to_string(id[2]);
  else
    text += "CTA " + std::to_string(rank) + " of cluster " +
            std::to_string(other.cluster);
  text += ", warp " + std::to_string(other.component % perCta);
  if (other.lane != ordering::kUnknownLane)
    text += ", lane " + std::to_string(other.lane);
  return text;
}

static const char *getScopeName(ordering::Scope scope) {
  static constexpr const char *kNames[] = {".cta", ".cluster", ".gpu", ".sys"};
  return kNames[unsigned(scope)];
}

void reportConflict(Warp &warp, const Inst &inst, const Region *region,
                    const Conflict &conflict) {
  uint32_t line =
      getLineOf(warp.getLaunch().program, conflict.other.instruction);
  std::string other = describeOther(warp, conflict.other, line);
  std::string place = describePlace(region, conflict.offset);
  std::string message;
  switch (conflict.kind) {
  case ConflictKind::Race:
    message = "race: expected an order between this access to " + place +
              " and " + other + ", but there is none";
    break;
  case ConflictKind::EqualWrites:
    message =
        "unordered writes of equal bytes to " + place + ": this and " + other;
    break;
  case ConflictKind::IntraWarp:
    message = "expected bar.warp.sync between this access to " + place +
              " and " + other + ", a lane of the same warp";
    break;
  case ConflictKind::ScopeTooNarrow:
    message = std::string("synchronizes at scope ") +
              getScopeName(conflict.scope) + " with scope " +
              getScopeName(conflict.otherScope) + ", which does not contain " +
              other;
    break;
  case ConflictKind::MissingProxyFence:
    message =
        "expected fence.proxy.async between this asynchronous access to " +
        place + " and " + other + ", but there is none";
    break;
  case ConflictKind::MissingMapFence:
    message = "expected fence.proxy.tensormap between this use of a tensor map "
              "at " +
              place + " and " + other + ", but there is none";
    break;
  case ConflictKind::MissingTensorFence:
    message = "expected tcgen05.fence::before_thread_sync and "
              "tcgen05.fence::after_thread_sync between " +
              other + " and this access to " + place +
              ", but only another order is there";
    break;
  case ConflictKind::PipeOrder:
    message = "expected tcgen05.commit and a wait between " + other +
              " and this access to " + place +
              ": the manual does not say that these happen in order";
    break;
  case ConflictKind::InFlight:
    message = "expected " + other + " to be complete before this access to " +
              place + ", but nobody waited for it";
    break;
  }
  warp.report(ordering::isWarning(conflict.kind) ? Finding::Severity::Warning
                                                 : Finding::Severity::Error,
              inst, conflict.rule, conflict.lane, message, line);
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

void syncLanes(Warp &warp, uint32_t lanes) {
  warp.unsyncedWrites &= ~lanes;
  warp.unsyncedReads &= ~lanes;
  if (ordering::WarpOrder *order = getOrder(warp))
    order->syncLanes(lanes);
}

void checkReleasingLanes(Warp &warp, const Inst &inst, uint32_t lanes,
                         bool freesShared) {
  // What the releasing lanes did themselves is covered from now on.
  warp.unsyncedWrites &= ~lanes;
  warp.unsyncedReads &= ~lanes;
  uint32_t others =
      warp.unsyncedWrites | (freesShared ? warp.unsyncedReads : 0);
  if (!others || !getOrder(warp))
    return;
  unsigned other = unsigned(__builtin_ctz(others));
  bool isWrite = (warp.unsyncedWrites >> other) & 1;
  warp.report(
      Finding::Severity::Warning, inst, "R4", unsigned(__builtin_ctz(lanes)),
      "expected bar.warp.sync before this release: lane " +
          std::to_string(other) + " of the same warp " +
          (isWrite ? "wrote" : "read") + " memory, and nothing orders it");
}

/// A strong write that publishes: a release, or any after a fence.
static bool isReleasing(const OrderedAccess &access,
                        const ordering::WarpOrder &order) {
  using ordering::MemoryOrder;
  if (access.kind == AccessKind::Read || access.order == MemoryOrder::Weak ||
      access.order == MemoryOrder::Acquire)
    return false;
  return access.order != MemoryOrder::Relaxed || order.getFenced();
}

/// Keeps track of what lanes did and do not release themselves.
static void followLanes(Warp &warp, const Inst &inst, const Region &region,
                        uint32_t lanes, const OrderedAccess &access,
                        const ordering::WarpOrder &order) {
  if (isReleasing(access, order))
    checkReleasingLanes(warp, inst, lanes);
  else if (access.kind == AccessKind::Write)
    warp.unsyncedWrites |= lanes;
  else if (access.kind == AccessKind::Read &&
           access.order == ordering::MemoryOrder::Weak && region.cta)
    warp.unsyncedReads |= lanes;
}

static ordering::Shadow *findShadow(Warp &warp, const Region &region) {
  if (region.kind == Region::Kind::Shared ||
      region.kind == Region::Kind::Tensor)
    return &getOrder(warp.getCluster())->getShared(region.cta->getRank());
  if (region.kind == Region::Kind::Global)
    return warp.getLaunch().shadows->buffers[region.buffer->index].get();
  return nullptr;
}

void orderAccess(Warp &warp, const Inst &inst, const Region &region,
                 const uint64_t offsets[kLanes], uint32_t bytes, uint32_t lanes,
                 const OrderedAccess &access, ordering::Effect effect) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order) {
    effect.perform(effect.context, lanes);
    return;
  }
  if (region.cta && region.cta != &warp.getCta())
    warp.getCluster()
        .remoteAccesses[{region.cta->getRank(), order->getComponent()}] = {
        order->useEpoch(), unsigned(__builtin_ctz(lanes)), inst.line, &warp};
  if (!access.isSyncObject)
    followLanes(warp, inst, region, lanes, access, *order);
  ordering::AccessEvent event;
  event.offsets = offsets;
  event.lanes = lanes;
  event.bytesPerLane = bytes;
  event.kind = access.kind;
  event.order = access.order;
  event.scope = access.scope;
  event.instruction = getInstructionId(warp, inst);
  event.memory = access.values ? region.data : nullptr;
  event.values = access.values;
  event.effect = effect;
  if (auto conflict = findShadow(warp, region)->access(*order, event))
    reportConflict(warp, inst, &region, *conflict);
}

void orderAsyncAccess(Warp &warp, const Inst &inst, const Region &region,
                      const uint64_t offsets[kLanes], uint32_t bytes,
                      uint32_t lanes, AccessKind kind,
                      const ordering::AsyncActor &actor) {
  if (!lanes)
    return;
  ordering::AccessEvent event;
  event.offsets = offsets;
  event.lanes = lanes;
  event.bytesPerLane = bytes;
  event.kind = kind;
  event.instruction = getInstructionId(warp, inst);
  if (auto conflict = findShadow(warp, region)->access(actor, event))
    reportConflict(warp, inst, &region, *conflict);
}

void orderRange(Warp &warp, const Inst &inst, const Region &region,
                uint64_t offset, uint64_t bytes, uint32_t lane, AccessKind kind,
                const ordering::AsyncActor &actor) {
  ordering::RangeEvent event;
  event.offset = offset;
  event.size = bytes;
  event.kind = kind;
  // Bulk reductions are atomic by element.
  if (kind == AccessKind::Reduction)
    event.order = ordering::MemoryOrder::Relaxed;
  event.lane = lane;
  event.instruction = getInstructionId(warp, inst);
  if (auto conflict = findShadow(warp, region)->access(actor, event))
    reportConflict(warp, inst, &region, *conflict);
}

} // namespace nvfp4::ptx
