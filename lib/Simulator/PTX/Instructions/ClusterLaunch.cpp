//===- ClusterLaunch.cpp - Clusters that take over others' work -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// clusterlaunchcontrol.try_cancel and query_cancel. A request takes the next
// cluster that has not begun; with effects at random times some requests fail
// although there is one. The response is opaque: its bits are ours.
//
// Source: PTX ISA 9.7.13.17, 9.7.13.18; rules R5, R7, R11, R13.
//
//===----------------------------------------------------------------------===//

#include "Alu.h"
#include "BulkTransfer.h"
#include "ChipFeatures.h"
#include "MemoryQualifiers.h"

#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;

namespace {
constexpr uint32_t kResponseBytes = 16;
/// What tells a response from other bytes.
constexpr uint32_t kTag = 0x5C4E0000, kSuccess = 1;

struct Response {
  std::array<uint32_t, 3> cta = {};
  uint32_t tag = kTag;

  bool isSuccess() const { return tag == (kTag | kSuccess); }
};
static_assert(sizeof(Response) == kResponseBytes);

struct CancelPlan final : Plan {
  AddressSpace space = AddressSpace::Generic;
  bool isMulticast = false;
  OperandRef target, barrier;
  uint64_t targetOffset = 0, barrierOffset = 0;
};

struct QueryPlan final : Plan {
  OperandRef response;
  /// A predicate, or coordinates from `first` on.
  std::vector<OperandRef> results;
  unsigned first = 0;
  bool isPredicate = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// try_cancel
//===----------------------------------------------------------------------===//

/// Some requests fail for no reason that a program can see.
static bool failsByChance(Warp &warp) {
  const LaunchState &launch = warp.getLaunch();
  if (launch.options.asynchrony != Asynchrony::Random)
    return false;
  uint64_t hash = (launch.options.seed + warp.getInstructionCount() +
                   warp.getCluster().getLinearId() * 977) *
                  0x9e3779b97f4a7c15u;
  return (hash >> 60) < 4;
}

static Response request(Warp &warp) {
  LaunchState &launch = warp.getLaunch();
  Response response;
  uint64_t index = 0;
  if (failsByChance(warp))
    return response;
  if (auto cluster = launch.takeCluster(index)) {
    for (unsigned i = 0; i < 3; ++i)
      response.cta[i] = (*cluster)[i] * launch.launch.cluster[i];
    response.tag |= kSuccess;
  }
  return response;
}

/// Where an address of this CTA lies. False after a trap.
static bool locate(Warp &warp, const Inst &inst, AddressSpace space,
                   uint64_t address, uint32_t bytes, unsigned lane,
                   uint64_t &offset) {
  uint64_t addresses[kLanes] = {}, offsets[kLanes];
  Region region;
  addresses[lane] = address;
  if (!warp.gatherRegion(inst, space, addresses, bytes, bytes, 1u << lane,
                         region, offsets))
    return false;
  offset = offsets[lane];
  if (region.kind == Region::Kind::Shared && region.cta == &warp.getCta())
    return true;
  warp.trap(inst, "bounds", lane,
            "expected an address in shared memory of the CTA");
  return false;
}

static bool sendTo(Cta &cta, Warp &warp, const Inst &inst, unsigned lane,
                   uint64_t offset, uint64_t barrier,
                   const Response &response) {
  if (cta.hasExited()) {
    warp.trap(inst, "R13", lane,
              "expected all CTAs of the cluster to be there for a response, "
              "but CTA " +
                  std::to_string(cta.getRank()) + " has exited");
    return false;
  }
  Cta *target = &cta;
  const BulkTransfer transfer = {
      warp,
      inst,
      lane,
      kResponseBytes,
      [&](const AsyncActor &, const AsyncActor &writer) {
        Region region;
        region.kind = Region::Kind::Shared;
        region.cta = target;
        region.base =
            (uint64_t(target->getRank()) << kSharedRankShift) + kSharedBase;
        orderRange(warp, inst, region, offset, kResponseBytes, lane,
                   AccessKind::Write, writer);
      },
      [target, offset, response] {
        std::memcpy(&target->shared[offset], &response, kResponseBytes);
        target->sharedUndefined.markDefined(offset, kResponseBytes);
        return true;
      }};
  return transfer.completeOn(cta, barrier + kSharedBase);
}

static bool cancel(Warp &warp, const Inst &inst, const CancelPlan &plan,
                   unsigned lane, uint64_t address, uint64_t barrierAddress) {
  uint64_t offset = 0, barrier = 0;
  if (!locate(warp, inst, plan.space, address, kResponseBytes, lane, offset) ||
      !locate(warp, inst, plan.space, barrierAddress, kMbarrierBytes, lane,
              barrier))
    return false;
  if (warp.getCta().hasSeenLastCluster) {
    warp.trap(inst, "cancel", lane,
              "expected no request behind one that was seen to fail");
    return false;
  }
  const Response response = request(warp);
  if (!plan.isMulticast)
    return sendTo(warp.getCta(), warp, inst, lane, offset, barrier, response);
  bool isGood = true;
  for (auto &cta : warp.getCluster().getCtas())
    isGood =
        isGood && sendTo(*cta, warp, inst, lane, offset, barrier, response);
  return isGood;
}

static Outcome execTryCancel(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const CancelPlan &>(*inst.plan);
  uint64_t targets[kLanes], barriers[kLanes];
  if (!warp.readAddresses(inst, plan.target, plan.targetOffset, mask,
                          targets) ||
      !warp.readAddresses(inst, plan.barrier, plan.barrierOffset, mask,
                          barriers))
    return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    isGood =
        isGood && cancel(warp, inst, plan, lane, targets[lane], barriers[lane]);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

//===----------------------------------------------------------------------===//
// query_cancel
//===----------------------------------------------------------------------===//

static bool readResponse(Warp &warp, const Inst &inst, const QueryPlan &plan,
                         unsigned lane, Response &response) {
  std::memcpy(&response,
              warp.read<uint8_t>(plan.response) + lane * kResponseBytes,
              kResponseBytes);
  if ((response.tag & ~kSuccess) != kTag) {
    warp.trap(inst, "cancel", lane,
              "expected the response to a request, but got other bytes");
    return false;
  }
  if (!response.isSuccess())
    warp.getCta().hasSeenLastCluster = true;
  if (plan.isPredicate || response.isSuccess())
    return true;
  warp.trap(inst, "cancel", lane,
            "expected the response to a request that was granted, but it was "
            "not");
  return false;
}

static Outcome execQuery(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const QueryPlan &>(*inst.plan);
  if (!warp.requireDefined(plan.response, mask, inst, "response to a request"))
    return Outcome::Stop;
  uint32_t successes = 0;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    Response response;
    isGood = isGood && readResponse(warp, inst, plan, lane, response);
    successes |= uint32_t(response.isSuccess()) << lane;
    for (size_t i = 0; isGood && !plan.isPredicate && i < plan.results.size();
         ++i)
      // The fourth of a vector is unspecified.
      warp.writeLane(plan.results[i], lane,
                     plan.first + i < 3 ? response.cta[plan.first + i] : 0);
  });
  if (!isGood)
    return Outcome::Stop;
  if (plan.isPredicate)
    storePredicate(warp.write<uint32_t>(plan.results[0]), successes, mask);
  for (size_t i = 0; i < plan.results.size(); ++i)
    if (plan.first + i < 3)
      warp.markDefined(plan.results[i], mask);
    else
      warp.markUndefined(plan.results[i], mask);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool decodeTryCancel(DecodeContext &context) {
  CancelPlan &plan = context.makePlan<CancelPlan>();
  context.takeHints({"async", "b128"});
  plan.space = takeSpace(context);
  plan.isMulticast = context.take("multicast::cluster::all");
  if (!context.take("mbarrier::complete_tx::bytes"))
    return context.error("expected .mbarrier::complete_tx::bytes");
  if (plan.isMulticast &&
      !requireFeature(context, ChipFeature::ClusterMulticast))
    return true;
  DecodeContext::Address target, barrier;
  if (!context.expectOperands(2) ||
      !context.readAddress(context.getOperand(0), target) ||
      !context.readAddress(context.getOperand(1), barrier))
    return true;
  plan.target = target.base, plan.targetOffset = target.offset;
  plan.barrier = barrier.base, plan.barrierOffset = barrier.offset;
  context.emitExec(InstClass::Async, execTryCancel).plan = &plan;
  return true;
}

static bool decodeQuery(DecodeContext &context) {
  static constexpr Choice<unsigned> kCoordinates[] = {
      {"get_first_ctaid::x", 0},
      {"get_first_ctaid::y", 1},
      {"get_first_ctaid::z", 2},
      {"get_first_ctaid", 3},
  };
  constexpr unsigned kAll = 3;
  QueryPlan &plan = context.makePlan<QueryPlan>();
  context.takeHints({"pred", "v4", "b32", "b128"});
  plan.isPredicate = context.take("is_canceled");
  plan.first = context.choose(kCoordinates, kAll + 1);
  if (!context.expectOperands(2))
    return true;
  if (plan.isPredicate)
    plan.results = {context.writeOperand(0, Type::Pred)}, plan.first = 0;
  else if (plan.first > kAll)
    return context.error("expected .is_canceled or .get_first_ctaid");
  else
    plan.results = context.writeVector(context.getOperand(0), Type::B32);
  if (!plan.isPredicate &&
      plan.results.size() != (plan.first == kAll ? 4u : 1u))
    return context.error("expected a vector of four for .get_first_ctaid, or "
                         "one register for a dimension");
  if (plan.first == kAll)
    plan.first = 0;
  plan.response = context.readOperand(1, Type::B128);
  context.emitExec(InstClass::Move, execQuery).plan = &plan;
  return true;
}

static bool decodeClusterLaunch(DecodeContext &context) {
  if (!requireFeature(context, ChipFeature::ClusterLaunchControl))
    return true;
  if (context.take("try_cancel"))
    return decodeTryCancel(context);
  if (context.take("query_cancel"))
    return decodeQuery(context);
  return context.error("expected .try_cancel or .query_cancel");
}

OpcodeTable getClusterLaunchOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"clusterlaunchcontrol", decodeClusterLaunch}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
