//===- AsyncStore.cpp - st.async and red.async ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stores to the shared memory of a cluster that complete a transaction on an
// mbarrier of the same CTA.
//
// Source: PTX ISA 9.7.9.13 (st.async), 9.7.13.8 (red.async); rules R7, R8.
//
//===----------------------------------------------------------------------===//

#include "Machine/Async.h"
#include "Machine/Mbarrier.h"
#include "MemoryQualifiers.h"
#include "Reduce.h"

#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;

namespace {
struct AsyncStorePlan final : Plan {
  AccessQualifiers qualifiers;
  uint32_t elementBytes = 0;
  std::vector<OperandRef> values;
  OperandRef target, barrier;
  uint64_t targetOffset = 0, barrierOffset = 0;
  /// Null: a store.
  ReduceFn reduce = nullptr;

  uint32_t getBytes() const { return elementBytes * uint32_t(values.size()); }
};

/// What one lane stores, taken at issue.
struct Stored {
  uint8_t bytes[16];
  uint8_t undefined[16];
};
} // namespace

static Stored takeValues(Warp &warp, const AsyncStorePlan &plan,
                         unsigned lane) {
  Stored stored = {};
  uint8_t bits[16 * kLanes];
  for (size_t i = 0; i < plan.values.size(); ++i) {
    const OperandRef &ref = plan.values[i];
    std::memcpy(stored.bytes + i * plan.elementBytes,
                warp.read<uint8_t>(ref) + size_t(ref.bytes) * lane,
                plan.elementBytes);
    if (warp.readUndefined(ref, 1u << lane, bits))
      std::memcpy(stored.undefined + i * plan.elementBytes,
                  bits + size_t(ref.bytes) * lane, plan.elementBytes);
  }
  return stored;
}

namespace {
/// The stores of an instruction's lanes to one CTA, which land together: an
/// effect for each lane makes launches with many of them slow.
struct Landing {
  struct Lane {
    unsigned lane;
    uint64_t offset, barrier;
    ordering::AsyncOp op;
    Stored stored;
  };
  Warp *issuer;
  const Inst *inst;
  const AsyncStorePlan *plan;
  Cta *cta;
  std::vector<Lane> lanes;

  bool operator()() const;
};
} // namespace

bool Landing::operator()() const {
  uint32_t bytes = plan->getBytes();
  bool checksDefinedness = issuer->getLaunch().options.checkDefinedness;
  for (const Lane &lane : lanes) {
    uint8_t *memory = cta->shared.data() + lane.offset;
    if (plan->reduce)
      plan->reduce(memory, lane.stored.bytes);
    else
      std::memcpy(memory, lane.stored.bytes, bytes);
    if (checksDefinedness)
      cta->sharedUndefined.write(lane.offset, bytes, lane.stored.undefined);
    if (!landOnMbarrier(*issuer, *inst, *cta, lane.barrier, lane.lane, bytes,
                        lane.op))
      return false;
  }
  return true;
}

/// Checks what one lane stores, and adds it to what lands.
static bool storeLane(Warp &warp, const Region &region, uint64_t offset,
                      uint64_t barrierAddress, unsigned lane,
                      Landing &landing) {
  const Inst &inst = *landing.inst;
  const AsyncStorePlan &plan = *landing.plan;
  Mbarrier *barrier =
      findMbarrier(warp, inst, plan.qualifiers.space, barrierAddress, lane);
  if (!barrier)
    return false;
  if (barrier->cta != region.cta) {
    warp.trap(inst, "R8", lane,
              "expected an mbarrier in the CTA that is stored to");
    return false;
  }
  checkInit(warp, inst, *barrier, lane);
  ++barrier->numInFlight;
  ordering::AsyncOp op = 0;
  if (ordering::WarpOrder *order = getOrder(warp)) {
    op = getOrder(warp.getCluster())->beginOp(ordering::AsyncKind::Bulk);
    ordering::AsyncActor actor(*order, op, false);
    orderRange(warp, inst, region, offset, plan.getBytes(), lane,
               plan.reduce ? AccessKind::Reduction : AccessKind::Write, actor);
  }
  landing.lanes.push_back(
      {lane, offset, barrier->offset, op, takeValues(warp, plan, lane)});
  return true;
}

static Outcome execAsyncStore(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const AsyncStorePlan &>(*inst.plan);
  if (mask != 0 && warp.getCluster().getCtas().size() < 2) {
    warp.trap(inst, "cluster", unsigned(__builtin_ctz(mask)),
              "expected a cluster of at least 2 CTAs, without which it is an "
              "illegal instruction of an H200");
    return Outcome::Stop;
  }
  uint64_t to[kLanes], barrier[kLanes];
  if (!warp.readAddresses(inst, plan.target, plan.targetOffset, mask, to) ||
      !warp.readAddresses(inst, plan.barrier, plan.barrierOffset, mask,
                          barrier))
    return Outcome::Stop;
  return warp.forEachRegion(
      inst, plan.qualifiers.space, to, plan.getBytes(), plan.getBytes(), mask,
      [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        if (region.kind != Region::Kind::Shared)
          return warp.trap(inst, "bounds", unsigned(__builtin_ctz(lanes)),
                           "expected an address in shared memory");
        Landing landing{&warp, &inst, &plan, region.cta, {}};
        landing.lanes.reserve(size_t(__builtin_popcount(lanes)));
        bool isGood = true;
        forEachLane(lanes, [&](unsigned lane) {
          isGood = isGood && storeLane(warp, region, offsets[lane],
                                       barrier[lane], lane, landing);
        });
        Effect effect;
        effect.line = inst.line;
        effect.land = std::move(landing);
        isGood = isGood && warp.getCluster().issue(std::move(effect)) != 0;
        return isGood ? Outcome::Next : Outcome::Stop;
      });
}

static bool decodeAsyncStore(DecodeContext &context) {
  if (!context.has("async") || context.has("bulk"))
    return false;
  context.takeHints({"async", "weak", "relaxed", "cluster"});
  AsyncStorePlan &plan = context.makePlan<AsyncStorePlan>();
  plan.qualifiers.space = takeSpace(context);
  if (plan.qualifiers.space == AddressSpace::Generic)
    plan.qualifiers.space = AddressSpace::SharedCluster;
  if (!context.take("mbarrier::complete_tx::bytes"))
    return context.error("expected .mbarrier::complete_tx::bytes");
  std::string_view operation;
  for (std::string_view name :
       {"add", "min", "max", "inc", "dec", "and", "or", "xor"})
    if (operation.empty() && context.take(name))
      operation = name;
  context.takeHints({"v2", "v4"});
  Type type = context.takeType();
  if (type == Type::None || !context.expectOperands(3))
    return context.error("expected a type");
  if (context.getOpcode() == "red") {
    plan.reduce = selectReduction(operation, type);
    if (!plan.reduce)
      return context.error("expected an operation that PTX has for the type");
  }
  DecodeContext::Address target, barrier;
  if (!context.readAddress(context.getOperand(0), target) ||
      !context.readAddress(context.getOperand(2), barrier))
    return true;
  plan.values = context.readVector(context.getOperand(1), type);
  plan.elementBytes = getByteSize(type);
  if (plan.getBytes() > 16)
    return context.error("expected at most 16 bytes");
  plan.target = target.base, plan.targetOffset = target.offset;
  plan.barrier = barrier.base, plan.barrierOffset = barrier.offset;
  context.emitExec(InstClass::Async, execAsyncStore).plan = &plan;
  return true;
}

OpcodeTable getAsyncStoreOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"st", decodeAsyncStore},
                                        {"red", decodeAsyncStore}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
