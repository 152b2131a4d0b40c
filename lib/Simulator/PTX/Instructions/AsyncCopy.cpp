//===- AsyncCopy.cpp - cp.async and its groups ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.9.25.3 (cp.async), 9.7.13.15.17
// (cp.async.mbarrier.arrive); rule R6.
//
//===----------------------------------------------------------------------===//

#include "Machine/Async.h"
#include "Machine/Mbarrier.h"
#include "Machine/Observe.h"
#include "MemoryQualifiers.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;

WarpAsync &Warp::getAsync() {
  if (!async)
    async = std::make_unique<WarpAsync>();
  return *async;
}

namespace {
struct CopyPlan final : Plan {
  uint32_t bytes = 0;
  OperandRef destination, source, sourceSize, ignoreSource;
  uint64_t destinationOffset = 0, sourceOffset = 0;
  AddressSpace sourceSpace = AddressSpace::Global;
};

/// What one lane copies.
struct LaneCopy {
  uint8_t *to = nullptr;
  UndefinedBits *toUndefined = nullptr;
  uint64_t toOffset = 0;
  const uint8_t *from = nullptr;
  const UndefinedBits *fromUndefined = nullptr;
  uint64_t fromOffset = 0;
  uint32_t size = 0;
};
} // namespace

static void copyLane(const LaneCopy &copy, uint32_t bytes,
                     bool checksDefinedness) {
  std::memset(copy.to + copy.toOffset, 0, bytes);
  if (copy.size)
    std::memcpy(copy.to + copy.toOffset, copy.from + copy.fromOffset,
                copy.size);
  if (!checksDefinedness || !copy.toUndefined)
    return;
  uint8_t masks[16] = {};
  if (copy.size && copy.fromUndefined)
    copy.fromUndefined->read(copy.fromOffset, copy.size, masks);
  copy.toUndefined->write(copy.toOffset, bytes, masks);
}

/// Tells the ordering checks about both sides of a copy.
static void orderCopy(Warp &warp, const Inst &inst, WarpAsync &async,
                      const Region &region, const uint64_t *offsets,
                      uint32_t bytes, uint32_t lanes, AccessKind kind) {
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return;
  if (async.copyComponent == ~0u)
    async.copyComponent =
        getOrder(warp.getCluster())->addComponent(ordering::AsyncKind::CpAsync);
  // cp.async belongs to the ordinary proxy (R6).
  ordering::AsyncActor actor(*order, async.copyComponent, async.numCopies + 1,
                             false);
  orderAsyncAccess(warp, inst, region, offsets, bytes, lanes, kind, actor);
}

static bool readSizes(Warp &warp, const Inst &inst, const CopyPlan &plan,
                      uint32_t mask, uint32_t sizes[kLanes]) {
  std::fill(sizes, sizes + kLanes, plan.bytes);
  if (plan.sourceSize.isPresent) {
    if (!warp.requireDefined(plan.sourceSize, mask, inst, "source size"))
      return false;
    bool isGood = true;
    forEachLane(mask, [&](unsigned lane) {
      sizes[lane] = uint32_t(warp.readLane(plan.sourceSize, lane));
      if (sizes[lane] <= plan.bytes || !isGood)
        return;
      isGood = false;
      warp.trap(inst, "bounds", lane,
                "expected a source size of at most " +
                    std::to_string(plan.bytes) + ", but got " +
                    std::to_string(sizes[lane]));
    });
    return isGood;
  }
  if (plan.ignoreSource.isPresent) {
    if (!warp.requireDefined(plan.ignoreSource, mask, inst,
                             "ignore-src predicate"))
      return false;
    uint32_t ignored = warp.readPredicate(plan.ignoreSource);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if ((ignored >> lane) & 1)
        sizes[lane] = 0;
  }
  return true;
}

static Outcome execCopy(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const CopyPlan &>(*inst.plan);
  uint64_t to[kLanes], from[kLanes];
  uint32_t sizes[kLanes];
  if (!warp.readAddresses(inst, plan.destination, plan.destinationOffset, mask,
                          to) ||
      !readSizes(warp, inst, plan, mask, sizes))
    return Outcome::Stop;
  uint32_t reading = 0;
  forEachLane(mask, [&](unsigned lane) {
    reading |= uint32_t(sizes[lane] > 0) << lane;
  });
  // Source size 0 touches no global memory: its address may be anything.
  if (reading &&
      !warp.readAddresses(inst, plan.source, plan.sourceOffset, reading, from))
    return Outcome::Stop;
  WarpAsync &async = warp.getAsync();
  bool isCounting = warp.getLaunch().options.collectStatistics;
  auto copies = std::make_shared<std::array<LaneCopy, kLanes>>();
  Outcome outcome = warp.forEachRegion(
      inst, plan.sourceSpace, from, 1, plan.bytes, reading,
      [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        Outcome inBounds = Outcome::Next;
        forEachLane(lanes, [&](unsigned lane) {
          if (offsets[lane] + sizes[lane] > region.size)
            inBounds = warp.trap(inst, "bounds", lane,
                                 "expected " + std::to_string(sizes[lane]) +
                                     " source bytes within a buffer of " +
                                     std::to_string(region.size) +
                                     ", but got offset " +
                                     std::to_string(offsets[lane]));
          LaneCopy &copy = (*copies)[lane];
          copy.from = region.data;
          copy.fromUndefined = region.undefined;
          copy.fromOffset = offsets[lane];
          copy.size = sizes[lane];
        });
        if (inBounds != Outcome::Next)
          return inBounds;
        if (isCounting)
          countAccess(warp, inst, region.kind, offsets, plan.bytes, lanes);
        uint32_t whole = 0;
        forEachLane(lanes, [&](unsigned lane) {
          whole |= uint32_t(sizes[lane] == plan.bytes) << lane;
        });
        orderCopy(warp, inst, async, region, offsets, plan.bytes, whole,
                  AccessKind::Read);
        forEachLane(lanes & ~whole, [&](unsigned lane) {
          uint64_t bytes[kLanes];
          for (uint32_t i = 0; i < sizes[lane]; ++i) {
            bytes[lane] = offsets[lane] + i;
            orderCopy(warp, inst, async, region, bytes, 1, 1u << lane,
                      AccessKind::Read);
          }
        });
        return Outcome::Next;
      });
  if (outcome != Outcome::Next)
    return outcome;
  outcome = warp.forEachRegion(
      inst, AddressSpace::Shared, to, plan.bytes, plan.bytes, mask,
      [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        forEachLane(lanes, [&](unsigned lane) {
          LaneCopy &copy = (*copies)[lane];
          copy.to = region.data;
          copy.toUndefined = region.undefined;
          copy.toOffset = offsets[lane];
        });
        if (isCounting)
          countAccess(warp, inst, region.kind, offsets, plan.bytes, lanes);
        orderCopy(warp, inst, async, region, offsets, plan.bytes, lanes,
                  AccessKind::Write);
        return Outcome::Next;
      });
  if (outcome != Outcome::Next)
    return outcome;
  bool checksDefinedness = warp.getLaunch().options.checkDefinedness;
  uint32_t bytes = plan.bytes;
  Effect effect;
  effect.line = inst.line;
  effect.land = [copies, mask, bytes, checksDefinedness] {
    forEachLane(mask, [&](unsigned lane) {
      copyLane((*copies)[lane], bytes, checksDefinedness);
    });
    return true;
  };
  WarpAsync::Copy copy;
  copy.number = ++async.numCopies;
  copy.lanes = mask;
  copy.group = async.committed;
  copy.effect = warp.getCluster().issue(std::move(effect));
  if (!copy.effect)
    return Outcome::Stop;
  async.copies.push_back(copy);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

bool landCopies(Warp &warp, uint32_t lanes, uint32_t number) {
  WarpAsync &async = warp.getAsync();
  for (auto it = async.copies.begin(); it != async.copies.end();) {
    if (it->number > number || !(it->lanes & lanes)) {
      ++it;
      continue;
    }
    if (!warp.getCluster().land(it->effect))
      return false;
    it->lanes &= ~lanes;
    it = it->lanes ? it + 1 : async.copies.erase(it);
  }
  return true;
}

static Outcome execCommit(Warp &warp, const Inst &, uint32_t mask) {
  WarpAsync &async = warp.getAsync();
  forEachLane(mask, [&](unsigned lane) { ++async.committed[lane]; });
  return Outcome::Next;
}

/// `imm` groups may stay pending; ~0: wait_all.
static Outcome execWaitGroup(Warp &warp, const Inst &inst, uint32_t mask) {
  WarpAsync &async = warp.getAsync();
  bool isAll = inst.aux != 0;
  uint32_t last = 0;
  for (auto it = async.copies.begin(); it != async.copies.end();) {
    uint32_t done = 0;
    forEachLane(it->lanes & mask, [&](unsigned lane) {
      bool isDone =
          isAll || uint64_t(it->group[lane]) + inst.imm < async.committed[lane];
      done |= uint32_t(isDone) << lane;
    });
    if (!done) {
      ++it;
      continue;
    }
    if (!warp.getCluster().land(it->effect))
      return Outcome::Stop;
    last = std::max(last, it->number);
    it->lanes &= ~done;
    it = it->lanes ? it + 1 : async.copies.erase(it);
  }
  ordering::WarpOrder *order = getOrder(warp);
  if (order && last)
    order->observe(async.copyComponent, last);
  return Outcome::Next;
}

static Outcome execArriveOnCopies(Warp &warp, const Inst &inst, uint32_t mask) {
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  WarpAsync &async = warp.getAsync();
  uint32_t number = async.numCopies;
  bool isCounted = inst.aux == 0;
  Outcome outcome = Outcome::Next;
  forEachLane(mask, [&](unsigned lane) {
    if (outcome != Outcome::Next)
      return;
    Mbarrier *barrier =
        findMbarrier(warp, inst, AddressSpace::Shared, addresses[lane], lane);
    if (!barrier) {
      outcome = Outcome::Stop;
      return;
    }
    checkInit(warp, inst, *barrier, lane);
    // Without .noinc the arrival that follows is made up for here.
    barrier->pending += isCounted;
    ++barrier->numInFlight;
    Effect effect;
    effect.line = inst.line;
    Cta *cta = barrier->cta;
    uint64_t offset = barrier->offset;
    effect.land = [&warp, &inst, cta, offset, lane, number] {
      if (!landCopies(warp, 1u << lane, number))
        return false;
      Mbarrier *barrier = findMbarrierAt(*cta, offset);
      if (!barrier)
        return true;
      --barrier->numInFlight;
      if (barrier->current && number)
        barrier->current->include(warp.getAsync().copyComponent, number);
      warp.noteEffect();
      return arriveOn(warp, inst, *barrier, lane, 1);
    };
    if (!warp.getCluster().issue(std::move(effect)))
      outcome = Outcome::Stop;
  });
  return outcome;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool decodeGroup(DecodeContext &context) {
  if (context.take("commit_group")) {
    context.emitExec(InstClass::Async, execCommit);
    return context.expectOperands(0), true;
  }
  bool isAll = context.take("wait_all");
  if (!isAll && !context.take("wait_group"))
    return false;
  int64_t count = 0;
  if (!context.expectOperands(isAll ? 0 : 1) ||
      (!isAll && !context.readImmediate(context.getOperand(0), count)))
    return true;
  if (count < 0)
    return context.error("expected a count of groups of at least 0, but got " +
                         std::to_string(count));
  Inst &inst = context.emitExec(InstClass::Async, execWaitGroup);
  inst.imm = uint64_t(count);
  inst.aux = isAll;
  return true;
}

static bool decodeArriveOnCopies(DecodeContext &context) {
  context.take("mbarrier");
  context.take("arrive");
  bool isUncounted = context.take("noinc");
  takeSpace(context);
  context.take("b64");
  DecodeContext::Address address;
  if (!context.expectOperands(1) ||
      !context.readAddress(context.getOperand(0), address))
    return true;
  Inst &inst = context.emitExec(InstClass::Async, execArriveOnCopies);
  inst.a = address.base;
  inst.imm = address.offset;
  inst.aux = isUncounted;
  return true;
}

static bool decodeCopy(DecodeContext &context) {
  if (!context.has("async") || context.has("bulk"))
    return false;
  context.take("async");
  if (context.has("mbarrier"))
    return decodeArriveOnCopies(context);
  if (context.has("commit_group") || context.has("wait_group") ||
      context.has("wait_all"))
    return decodeGroup(context);
  CopyPlan &plan = context.makePlan<CopyPlan>();
  if (takeSpace(context) != AddressSpace::Shared ||
      takeSpace(context) != AddressSpace::Global)
    return context.error("expected a copy from global to shared memory");
  unsigned count = takeCacheHints(context);
  DecodeContext::Address to, from;
  int64_t bytes = 0;
  if (count < 3 || count > 4)
    return context.error("expected 3 or 4 operands, but got " +
                         std::to_string(count));
  if (!context.readAddress(context.getOperand(0), to) ||
      !context.readAddress(context.getOperand(1), from) ||
      !context.readImmediate(context.getOperand(2), bytes))
    return true;
  if (bytes != 4 && bytes != 8 && bytes != 16)
    return context.error("expected 4, 8 or 16 bytes, but got " +
                         std::to_string(bytes));
  plan.bytes = uint32_t(bytes);
  plan.destination = to.base, plan.destinationOffset = to.offset;
  plan.source = from.base, plan.sourceOffset = from.offset;
  if (count == 4) {
    const Operand &last = context.getOperand(3);
    bool isPredicate =
        last.kind == Operand::Kind::Register &&
        context.getFunction().registers[last.index].type == Type::Pred;
    if (isPredicate)
      plan.ignoreSource = context.readOperand(last, Type::Pred);
    else
      plan.sourceSize = context.readOperand(last, Type::U32);
  }
  context.emitExec(InstClass::Async, execCopy).plan = &plan;
  return true;
}

OpcodeTable getAsyncCopyOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"cp", decodeCopy}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
