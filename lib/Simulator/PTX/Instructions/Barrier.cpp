//===- Barrier.cpp - bar, barrier, barrier.cluster, mapa ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.13.1 to 9.7.13.4; 9.7.9.22 (mapa), 9.7.9.23 (getctarank).
//
//===----------------------------------------------------------------------===//

#include "Alu.h"
#include "Decoder.h"
#include "Machine/ClusterBarrier.h"

namespace nvfp4::ptx {

namespace {
enum class Vote : uint8_t { None, Count, And, Or };

struct BarrierPlan final : Plan {
  bool waits = true;
  bool isAligned = true;
  Vote vote = Vote::None;
  bool isVoteNegated = false;
};
} // namespace

/// An operand that must be the same in all lanes.
static bool readUniform(Warp &warp, const Inst &inst, const OperandRef &ref,
                        uint32_t mask, const char *what, uint64_t &value) {
  unsigned first = unsigned(__builtin_ctz(mask));
  value = warp.readLane(ref, first);
  if (!warp.requireDefined(ref, mask, inst, what))
    return false;
  uint32_t different = 0;
  forEachLane(mask, [&](unsigned lane) {
    different |= uint32_t(warp.readLane(ref, lane) != value) << lane;
  });
  if (!different)
    return true;
  warp.trap(inst, "barrier", unsigned(__builtin_ctz(different)),
            std::string("expected the same ") + what +
                " in all lanes of the warp");
  return false;
}

static Outcome finishBarrier(Warp &warp, const Inst &inst, uint32_t mask,
                             const BarrierPlan &plan) {
  Path &path = warp.getPath();
  path.isReleased = false;
  uint32_t voters = uint32_t(path.value);
  uint32_t votes = uint32_t(path.value >> 32);
  if (plan.vote == Vote::Count) {
    forEachLane(mask,
                [&](unsigned lane) { warp.writeLane(inst.d, lane, votes); });
    warp.markDefined(inst.d, mask);
  } else if (plan.vote != Vote::None) {
    bool result = plan.vote == Vote::And ? votes == voters : votes > 0;
    storePredicate(warp.write<uint32_t>(inst.d), result ? kAllLanes : 0, mask);
    warp.markDefined(inst.d, mask);
  }
  return Outcome::Next;
}

static Outcome execBarrier(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const BarrierPlan &>(*inst.plan);
  if (warp.getPath().isReleased)
    return finishBarrier(warp, inst, mask, plan);
  if (plan.isAligned) {
    Outcome outcome = warp.converge(inst, mask, warp.getLiveLanes());
    if (outcome != Outcome::Next)
      return outcome;
  }
  BarrierArrival arrival;
  uint64_t id = 0, count = 0;
  if (!readUniform(warp, inst, inst.a, mask, "barrier number", id) ||
      (inst.b.isPresent &&
       !readUniform(warp, inst, inst.b, mask, "thread count", count)))
    return Outcome::Stop;
  unsigned lane = unsigned(__builtin_ctz(mask));
  if (id > 15)
    return warp.trap(inst, "barrier", lane,
                     "expected a barrier number from 0 to 15, but got " +
                         std::to_string(id));
  if (inst.b.isPresent && (count == 0 || count % kLanes || count > 1024))
    return warp.trap(inst, "barrier", lane,
                     "expected a thread count that is a multiple of 32, but "
                     "got " +
                         std::to_string(count));
  arrival.id = uint32_t(id);
  arrival.count = uint32_t(count);
  arrival.waits = plan.waits;
  arrival.isAligned = plan.isAligned;
  if (plan.vote != Vote::None) {
    if (!warp.requireDefined(inst.c, mask, inst, "predicate of a barrier"))
      return Outcome::Stop;
    arrival.votes = warp.readPredicate(inst.c);
  }
  return warp.getCta().arrive(warp, inst, mask, arrival);
}

static bool decodeClusterBarrier(DecodeContext &context) {
  context.take("cluster");
  bool isArrive = context.take("arrive");
  if (!isArrive && !context.take("wait"))
    return context.error("expected .arrive or .wait");
  bool isRelaxed = context.take("relaxed");
  context.takeHints({"release", "acquire"});
  bool isAligned = context.take("aligned");
  ExecFn arrive = [](Warp &warp, const Inst &inst, uint32_t mask) {
    if (inst.aux & 1) {
      Outcome outcome = warp.converge(inst, mask, warp.getLiveLanes());
      if (outcome != Outcome::Next)
        return outcome;
    }
    return warp.getCluster().getBarrier().arrive(warp, inst, mask,
                                                 !(inst.aux & 2));
  };
  ExecFn wait = [](Warp &warp, const Inst &inst, uint32_t mask) {
    if ((inst.aux & 1) && !warp.getPath().isReleased) {
      Outcome outcome = warp.converge(inst, mask, warp.getLiveLanes());
      if (outcome != Outcome::Next)
        return outcome;
    }
    return warp.getCluster().getBarrier().wait(warp, inst, mask,
                                               !(inst.aux & 2));
  };
  context.emitExec(InstClass::Barrier, isArrive ? arrive : wait).aux =
      uint32_t(isAligned) | uint32_t(isRelaxed) << 1;
  return true;
}

static bool decodeBarrier(DecodeContext &context) {
  if (context.has("warp"))
    return false;
  if (context.has("cluster"))
    return decodeClusterBarrier(context);
  BarrierPlan &plan = context.makePlan<BarrierPlan>();
  context.take("cta");
  plan.isAligned = context.take("aligned") || context.getOpcode() == "bar";
  bool isReduction = context.take("red");
  plan.waits = !context.take("arrive");
  context.take("sync");
  if (isReduction) {
    static constexpr Choice<Vote> kVotes[] = {
        {"popc", Vote::Count}, {"and", Vote::And}, {"or", Vote::Or}};
    plan.vote = context.choose(kVotes, Vote::None);
    context.takeType();
  }
  unsigned first = isReduction ? 1 : 0;
  unsigned count = context.getNumOperands();
  if (!context.expectOperands(first + 1 + isReduction, first + 2 + isReduction))
    return true;
  OperandRef d, c;
  if (isReduction) {
    d = context.writeOperand(0,
                             plan.vote == Vote::Count ? Type::U32 : Type::Pred);
    c = context.readOperand(count - 1, Type::Pred);
  }
  OperandRef a = context.readOperand(first, Type::U32);
  OperandRef b;
  if (count > first + 1 + isReduction)
    b = context.readOperand(first + 1, Type::U32);
  if (!plan.waits && !b.isPresent)
    return context.error("expected a thread count");
  Inst &inst = context.emitExec(InstClass::Barrier, execBarrier);
  inst.plan = &plan;
  inst.a = a, inst.b = b, inst.c = c, inst.d = d;
  return true;
}

//===----------------------------------------------------------------------===//
// Addresses in a cluster
//===----------------------------------------------------------------------===//

/// d = a with the rank bits of b.
static void mapAddress32(const AluArgs &args) {
  lanes2<uint32_t, uint32_t>(args, [](uint32_t a, uint32_t rank) {
    return (a & kSharedOffsetMask) | rank << kSharedRankShift;
  });
}
static void mapAddress64(const AluArgs &args) {
  lanes2<uint64_t, uint64_t, uint32_t>(args, [](uint64_t a, uint32_t rank) {
    uint64_t cleared = a & ~(uint64_t(0xFF) << kSharedRankShift);
    return cleared | uint64_t(rank) << kSharedRankShift;
  });
}
static void getRank32(const AluArgs &args) {
  lanes1<uint32_t, uint32_t>(args,
                             [](uint32_t a) { return a >> kSharedRankShift; });
}
static void getRank64(const AluArgs &args) {
  lanes1<uint32_t, uint64_t>(
      args, [](uint64_t a) { return uint32_t(a) >> kSharedRankShift; });
}

static bool decodeMapAddress(DecodeContext &context) {
  context.takeHints({"shared::cluster", "space"});
  Type type = context.takeType();
  if (!context.expectOperands(3))
    return true;
  OperandRef a = context.readOperand(1, type);
  OperandRef rank = context.readOperand(2, Type::U32);
  OperandRef d = context.writeOperand(0, type);
  context.emitAlu(InstClass::Move,
                  type == Type::U64 ? mapAddress64 : mapAddress32, d, a, rank);
  return true;
}

static bool decodeGetRank(DecodeContext &context) {
  context.takeHints({"shared::cluster"});
  Type type = context.takeType();
  if (!context.expectOperands(2))
    return true;
  OperandRef a = context.readOperand(1, type);
  OperandRef d = context.writeOperand(0, Type::U32);
  context.emitAlu(InstClass::Move, type == Type::U64 ? getRank64 : getRank32, d,
                  a);
  return true;
}

OpcodeTable getBarrierOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"bar", decodeBarrier},
      {"barrier", decodeBarrier},
      {"mapa", decodeMapAddress},
      {"getctarank", decodeGetRank},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
