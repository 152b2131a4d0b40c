//===- BulkCopy.cpp - cp.async.bulk and cp.reduce.async.bulk --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One-dimensional bulk copies. Each lane that executes the instruction issues a
// copy of its own.
//
// Source: PTX ISA 9.7.9.25.4; rules R5, R7, R13.
//
//===----------------------------------------------------------------------===//

#include "BulkTransfer.h"
#include "MemoryQualifiers.h"
#include "Reduce.h"

#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;

constexpr uint32_t kBulkAlignment = 16;

namespace {
struct BulkPlan final : Plan {
  AddressSpace to = AddressSpace::Generic, from = AddressSpace::Generic;
  OperandRef destination, source, size, barrier, ctaMask, byteMask;
  uint64_t destinationOffset = 0, sourceOffset = 0, barrierOffset = 0;
  bool isMulticast = false;
  /// Completes on an mbarrier; else in a bulk group.
  bool hasBarrier = false;
  /// Null: a plain copy.
  ReduceFn reduce = nullptr;
  uint32_t elementBytes = 1;
};

/// One side of a copy.
struct Side {
  Region region;
  uint64_t offset = 0;
};

/// One copy of one lane.
struct Bulk {
  Warp &warp;
  const Inst &inst;
  const BulkPlan &plan;
  unsigned lane;
  uint32_t bytes = 0;
  uint16_t byteMask = 0xFFFF;
  Side from;

  bool fail(const std::string &rule, const std::string &message) {
    warp.trap(inst, rule, lane, message);
    return false;
  }
  bool locate(AddressSpace space, uint64_t address, Side &side);
  BulkTransfer makeTransfer(Side to);
  std::function<bool()> makeMove(Side to);
  void orderSides(const Side &to, const AsyncActor &reader,
                  const AsyncActor &writer);
};
} // namespace

bool Bulk::locate(AddressSpace space, uint64_t address, Side &side) {
  uint64_t addresses[kLanes] = {}, offsets[kLanes];
  addresses[lane] = address;
  if (!warp.gatherRegion(inst, space, addresses, std::max(bytes, 1u),
                         kBulkAlignment, 1u << lane, side.region, offsets))
    return false;
  side.offset = offsets[lane];
  return true;
}

/// What moves the bytes when the copy lands.
std::function<bool()> Bulk::makeMove(Side to) {
  Side from = this->from;
  uint32_t bytes = this->bytes;
  uint16_t byteMask = this->byteMask;
  ReduceFn reduce = plan.reduce;
  uint32_t elementBytes = plan.elementBytes;
  LaunchState *launch = &warp.getLaunch();
  return [=] {
    uint8_t *target = to.region.data + to.offset;
    const uint8_t *source = from.region.data + from.offset;
    bool checks = launch->options.checkDefinedness;
    if (reduce) {
      // Elements are added one at a time, each atomically.
      for (uint32_t i = 0; i < bytes; i += elementBytes) {
        std::lock_guard<std::mutex> lock(
            launch->getAtomicMutex(to.region.base + to.offset + i));
        reduce(target + i, source + i);
      }
      if (checks && from.region.undefined->any(from.offset, bytes))
        to.region.undefined->markUndefined(to.offset, bytes);
      return true;
    }
    if (byteMask == 0xFFFF) {
      std::memmove(target, source, bytes);
    } else {
      for (uint32_t i = 0; i < bytes; ++i)
        if ((byteMask >> (i % 16)) & 1)
          target[i] = source[i];
    }
    if (!checks)
      return true;
    if (from.region.undefined &&
        from.region.undefined->any(from.offset, bytes)) {
      std::vector<uint8_t> masks(bytes);
      from.region.undefined->read(from.offset, bytes, masks.data());
      to.region.undefined->write(to.offset, bytes, masks.data());
    } else {
      to.region.undefined->markDefined(to.offset, bytes);
    }
    return true;
  };
}

/// Tells the ordering checks about both sides.
void Bulk::orderSides(const Side &to, const AsyncActor &reader,
                      const AsyncActor &writer) {
  if (!bytes)
    return;
  orderRange(warp, inst, from.region, from.offset, bytes, lane,
             AccessKind::Read, reader);
  orderRange(warp, inst, to.region, to.offset, bytes, lane,
             plan.reduce ? AccessKind::Reduction : AccessKind::Write, writer);
}

BulkTransfer Bulk::makeTransfer(Side to) {
  return {warp,
          inst,
          lane,
          bytes,
          [this, to](const AsyncActor &reader, const AsyncActor &writer) {
            orderSides(to, reader, writer);
          },
          makeMove(to)};
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

static bool execBulkLane(Bulk &bulk, uint64_t to, uint64_t from,
                         uint64_t barrier) {
  const BulkPlan &plan = bulk.plan;
  Warp &warp = bulk.warp;
  bulk.bytes = uint32_t(warp.readLane(plan.size, bulk.lane));
  if (bulk.bytes % kBulkAlignment)
    return bulk.fail("alignment",
                     "expected a size that is a multiple of 16, but got " +
                         std::to_string(bulk.bytes));
  if (plan.byteMask.isPresent)
    bulk.byteMask = uint16_t(warp.readLane(plan.byteMask, bulk.lane));
  Side target;
  if (!bulk.locate(plan.from, from, bulk.from))
    return false;
  if (!plan.isMulticast)
    return bulk.locate(plan.to, to, target) &&
           (plan.hasBarrier ? bulk.makeTransfer(target).completeOn(
                                  *target.region.cta, barrier)
                            : bulk.makeTransfer(target).completeInGroup());
  uint32_t ctas = 0;
  if (!readMulticast(warp, bulk.inst, plan.ctaMask, bulk.lane, ctas))
    return false;
  bool isGood = true;
  forEachLane(ctas, [&](unsigned rank) {
    uint64_t moved = (to & ~(uint64_t(0xFF) << kSharedRankShift)) |
                     uint64_t(rank) << kSharedRankShift;
    isGood = isGood && bulk.locate(plan.to, moved, target) &&
             bulk.makeTransfer(target).completeOn(*target.region.cta, barrier);
  });
  return isGood;
}

static Outcome execBulk(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const BulkPlan &>(*inst.plan);
  uint64_t to[kLanes], from[kLanes], barrier[kLanes] = {};
  if (!warp.readAddresses(inst, plan.destination, plan.destinationOffset, mask,
                          to) ||
      !warp.readAddresses(inst, plan.source, plan.sourceOffset, mask, from) ||
      (plan.hasBarrier &&
       !warp.readAddresses(inst, plan.barrier, plan.barrierOffset, mask,
                           barrier)) ||
      !warp.requireDefined(plan.size, mask, inst, "size of a bulk copy"))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    Bulk bulk{warp, inst, plan, lane, 0, 0xFFFF, {}};
    isGood = isGood && execBulkLane(bulk, to[lane], from[lane], barrier[lane]);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

static Outcome execBulkCommit(Warp &warp, const Inst &, uint32_t mask) {
  forEachLane(mask, [&](unsigned lane) {
    ++warp.getAsync().bulkLanes[lane].committed;
  });
  return Outcome::Next;
}

/// aux: only the sources have to be read.
static Outcome execBulkWait(Warp &warp, const Inst &inst, uint32_t mask) {
  bool isGood = true;
  ordering::WarpOrder *order = getOrder(warp);
  forEachLane(mask, [&](unsigned lane) {
    WarpAsync::BulkLane &state = warp.getAsync().bulkLanes[lane];
    for (auto it = state.copies.begin(); it != state.copies.end() && isGood;) {
      if (it->group + inst.imm >= state.committed) {
        ++it;
        continue;
      }
      isGood = warp.getCluster().land(it->effect);
      it->isRead = true;
      it = inst.aux ? it + 1 : state.copies.erase(it);
    }
    if (!order || state.readComponent == ~0u || state.committed < inst.imm)
      return;
    uint32_t clock = state.committed - uint32_t(inst.imm);
    order->observe(state.readComponent, clock);
    if (!inst.aux)
      order->observe(state.writeComponent, clock);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool decodeBulkGroup(DecodeContext &context) {
  if (context.take("commit_group")) {
    context.emitExec(InstClass::Async, execBulkCommit);
    return true;
  }
  context.take("wait_group");
  bool isRead = context.take("read");
  int64_t count = 0;
  if (!context.expectOperands(1) ||
      !context.readImmediate(context.getOperand(0), count))
    return true;
  Inst &inst = context.emitExec(InstClass::Async, execBulkWait);
  inst.imm = uint64_t(count);
  inst.aux = isRead;
  return true;
}

static bool decodeBulkPrefetch(DecodeContext &context) {
  context.takeHints({"prefetch", "L2", "global", "L2::cache_hint"});
  return true;
}

static bool decodeBulkOperands(DecodeContext &context, BulkPlan &plan) {
  unsigned count = context.getNumOperands();
  bool hasHint = context.take("L2::cache_hint");
  unsigned wanted = 3 + plan.hasBarrier + plan.isMulticast + hasHint;
  bool hasByteMask = context.take("cp_mask");
  wanted += hasByteMask;
  if (count != wanted)
    return context.error("expected " + std::to_string(wanted) +
                         " operands, but got " + std::to_string(count));
  DecodeContext::Address to, from, barrier;
  if (!context.readAddress(context.getOperand(0), to) ||
      !context.readAddress(context.getOperand(1), from))
    return true;
  plan.destination = to.base, plan.destinationOffset = to.offset;
  plan.source = from.base, plan.sourceOffset = from.offset;
  plan.size = context.readOperand(2, Type::U32);
  unsigned next = 3;
  if (plan.hasBarrier) {
    if (!context.readAddress(context.getOperand(next++), barrier))
      return true;
    plan.barrier = barrier.base, plan.barrierOffset = barrier.offset;
  }
  if (plan.isMulticast)
    plan.ctaMask = context.readOperand(next++, Type::U16);
  next += hasHint;
  if (hasByteMask)
    plan.byteMask = context.readOperand(next, Type::U16);
  context.emitExec(InstClass::Async, execBulk).plan = &plan;
  return true;
}

static bool decodeBulk(DecodeContext &context) {
  bool isReduction = context.getOpcode() == "cp" && context.has("reduce");
  if (!context.has("bulk") || context.has("tensor"))
    return false;
  context.takeHints({"async", "bulk", "reduce"});
  if (context.has("commit_group") || context.has("wait_group"))
    return decodeBulkGroup(context);
  if (context.has("prefetch"))
    return decodeBulkPrefetch(context);
  BulkPlan &plan = context.makePlan<BulkPlan>();
  plan.to = takeSpace(context);
  plan.from = takeSpace(context);
  plan.hasBarrier = context.take("mbarrier::complete_tx::bytes");
  plan.isMulticast = context.take("multicast::cluster");
  bool hasGroup = context.take("bulk_group");
  if (plan.hasBarrier == hasGroup)
    return context.error("expected .mbarrier::complete_tx::bytes or "
                         ".bulk_group");
  bool isGlobalToShared = plan.from == AddressSpace::Global &&
                          plan.to != AddressSpace::Global && plan.hasBarrier;
  bool isSharedToShared = plan.from == AddressSpace::Shared &&
                          plan.to == AddressSpace::SharedCluster &&
                          plan.hasBarrier;
  bool isSharedToGlobal = plan.from == AddressSpace::Shared &&
                          plan.to == AddressSpace::Global && hasGroup;
  if (!isGlobalToShared && !isSharedToShared && !isSharedToGlobal)
    return context.error("expected a copy from global to shared memory, to "
                         "the shared memory of a cluster, or from shared to "
                         "global memory");
  if (isReduction) {
    std::string_view operation;
    for (std::string_view name :
         {"add", "min", "max", "inc", "dec", "and", "or", "xor"})
      if (operation.empty() && context.take(name))
        operation = name;
    context.take("noftz");
    Type type = context.takeType();
    plan.elementBytes = getByteSize(type);
    plan.reduce = selectReduction(operation, type);
    if (!plan.reduce)
      return context.error("expected a reduction that bulk copies have");
  }
  return decodeBulkOperands(context, plan);
}

OpcodeTable getBulkCopyOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"cp", decodeBulk}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
