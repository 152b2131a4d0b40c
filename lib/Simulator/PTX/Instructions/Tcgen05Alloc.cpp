//===- Tcgen05Alloc.cpp - Columns of tensor memory ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.alloc, dealloc and relinquish_alloc_permit. For a pair of CTAs a warp
// of each executes them; the first one may wait for the second, so it does.
//
// Source: PTX ISA 9.7.16.5, 9.7.16.7; rules R9, R13, R14.
//
//===----------------------------------------------------------------------===//

#include "MemoryQualifiers.h"
#include "Tcgen05.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using Collective = TensorCollective;

namespace {
struct AllocPlan final : Plan {
  Collective::Kind kind = Collective::Kind::None;
  uint32_t groupSize = 1;
  AddressSpace space = AddressSpace::Generic;
  /// Where alloc writes the address, or what dealloc frees.
  OperandRef address, columns;
  uint64_t offset = 0;
};
} // namespace

static Outcome fail(Warp &warp, const Inst &inst, const std::string &message) {
  return warp.trap(inst, "R9", 0, message);
}

//===----------------------------------------------------------------------===//
// What each does
//===----------------------------------------------------------------------===//

/// The first columns at a multiple of their number that are free in all CTAs;
/// none: too few.
static std::optional<uint32_t> findColumns(const std::vector<Cta *> &ctas,
                                           uint32_t columns) {
  for (uint32_t first = 0; first < kTensorColumns; first += columns) {
    bool isFree = true;
    for (Cta *cta : ctas)
      for (const auto &[begin, allocation] : getTensorMemory(*cta).allocations)
        isFree &=
            begin >= first + columns || begin + allocation.columns <= first;
    if (isFree)
      return first;
  }
  return std::nullopt;
}

static void allocate(Cta &cta, uint32_t first, uint32_t columns,
                     uint32_t line) {
  TensorMemory &memory = getTensorMemory(cta);
  memory.lastColumns = columns;
  memory.allocations[first] = {columns, line};
  for (uint32_t lane = 0; lane < kTensorLanes; ++lane)
    memory.undefined.markUndefined(uint64_t(lane) * kTensorLaneBytes +
                                       first * kTensorCell,
                                   columns * kTensorCell);
}

/// Writes the address to shared memory, as an ordinary store of the warp.
static Outcome storeAddress(Warp &warp, const Inst &inst, const AllocPlan &plan,
                            uint32_t column) {
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, plan.address, plan.offset, 1, addresses))
    return Outcome::Stop;
  return warp.forEachRegion(
      inst, plan.space, addresses, kTensorCell, kTensorCell, 1,
      [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        if (region.kind != Region::Kind::Shared || region.cta != &warp.getCta())
          return warp.trap(inst, "bounds", 0,
                           "expected an address in shared memory of the CTA");
        OrderedAccess access;
        access.kind = AccessKind::Write;
        orderAccess(warp, inst, region, offsets, kTensorCell, lanes, access,
                    {[](void *, uint32_t) {}, nullptr});
        std::memcpy(region.data + offsets[0], &column, kTensorCell);
        region.undefined->markDefined(offsets[0], kTensorCell);
        return Outcome::Next;
      });
}

static bool isColumnCount(uint32_t columns) {
  return columns >= kMinTensorColumns && columns <= kTensorColumns &&
         !(columns & (columns - 1));
}

/// Whether this CTA may do what it asks for.
static Outcome checkRequest(Warp &warp, const Inst &inst,
                            const Collective &request) {
  const TensorMemory &memory = getTensorMemory(warp.getCta());
  const std::string count = std::to_string(request.columns);
  if (request.kind == Collective::Kind::Relinquish)
    return Outcome::Next;
  if (request.kind == Collective::Kind::Dealloc) {
    auto it = memory.allocations.find(request.address);
    if (it != memory.allocations.end() && it->second.columns == request.columns)
      return Outcome::Next;
    return fail(warp, inst,
                "expected an allocation of " + count +
                    " columns at this address, but there is none");
  }
  if (!isColumnCount(request.columns))
    return fail(warp, inst,
                "expected a power of two from 32 to 512 columns, but got " +
                    count);
  if (memory.isRelinquished)
    return fail(warp, inst,
                "expected no tcgen05.alloc after "
                "tcgen05.relinquish_alloc_permit");
  if (request.columns > memory.lastColumns)
    return fail(warp, inst,
                "expected at most " + std::to_string(memory.lastColumns) +
                    " columns, the last allocation's, but got " + count);
  return Outcome::Next;
}

/// Does it for all CTAs. False: there are too few columns now.
static bool perform(const std::vector<Cta *> &ctas, uint32_t line,
                    Collective &request) {
  if (request.kind == Collective::Kind::Alloc) {
    std::optional<uint32_t> first = findColumns(ctas, request.columns);
    if (!first)
      return false;
    request.address = *first;
  }
  for (Cta *cta : ctas) {
    TensorMemory &memory = getTensorMemory(*cta);
    if (request.kind == Collective::Kind::Alloc)
      allocate(*cta, request.address, request.columns, line);
    else if (request.kind == Collective::Kind::Dealloc)
      memory.allocations.erase(request.address);
    else
      memory.isRelinquished = true;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Meeting the other CTA
//===----------------------------------------------------------------------===//

static Outcome wait(Warp &warp) {
  warp.getPath().state = Path::State::Polling;
  return Outcome::Block;
}

/// Both warps of a pair must ask for the same.
static Outcome meet(Warp &warp, const Inst &inst,
                    const std::vector<Cta *> &ctas, Collective &request) {
  TensorMemory &memory = getTensorMemory(warp.getCta());
  Cta *other = ctas[0] == &warp.getCta() ? ctas[1] : ctas[0];
  Collective &ours = memory.collective;
  Collective &theirs = getTensorMemory(*other).collective;
  if (theirs.kind == Collective::Kind::None || theirs.isDone) {
    ours = request;
    return wait(warp);
  }
  if (theirs.kind != request.kind || theirs.columns != request.columns ||
      (request.kind == Collective::Kind::Dealloc &&
       theirs.address != request.address))
    return fail(warp, inst,
                "expected both CTAs of the pair to allocate or free the same "
                "columns together, but the other one does something else");
  if (!perform(ctas, inst.line, request)) {
    ours = request;
    return wait(warp);
  }
  ours = Collective();
  theirs.address = request.address;
  theirs.isDone = true;
  return Outcome::Next;
}

static Outcome execute(Warp &warp, const Inst &inst, const AllocPlan &plan,
                       Collective &request) {
  std::vector<Cta *> ctas;
  Collective &ours = getTensorMemory(warp.getCta()).collective;
  if (ours.kind != Collective::Kind::None) {
    // One at a time in each CTA.
    if (ours.warp != &warp)
      return wait(warp);
    if (ours.isDone) {
      request = ours;
      ours = Collective();
      return Outcome::Next;
    }
  }
  const bool isRetry = ours.warp == &warp;
  if (!findTensorGroup(warp, inst, 0, plan.groupSize, ctas))
    return Outcome::Stop;
  if (Outcome outcome = checkRequest(warp, inst, request);
      outcome != Outcome::Next)
    return outcome;
  // Whoever still uses the columns is in conflict with this.
  if (request.kind == Collective::Kind::Dealloc && !isRetry)
    orderTensorNow(warp, inst,
                   {0, kTensorLanes, request.address, request.columns},
                   AccessKind::Write);
  if (ctas.size() > 1)
    return meet(warp, inst, ctas, request);
  return perform(ctas, inst.line, request) ? Outcome::Next : wait(warp);
}

static Outcome execCollective(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const AllocPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  Collective request;
  request.kind = plan.kind;
  request.warp = &warp;
  if (plan.columns.isPresent &&
      !readUniform(warp, inst, plan.columns, "number of columns",
                   request.columns))
    return Outcome::Stop;
  const bool isDealloc = plan.kind == Collective::Kind::Dealloc;
  if (isDealloc && !readUniform(warp, inst, plan.address,
                                "address of tensor memory", request.address))
    return Outcome::Stop;
  outcome = execute(warp, inst, plan, request);
  if (outcome != Outcome::Next)
    return outcome;
  warp.noteEffect();
  return plan.kind == Collective::Kind::Alloc
             ? storeAddress(warp, inst, plan, request.address)
             : Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool takeForm(DecodeContext &context, AllocPlan &plan,
                     Collective::Kind kind) {
  plan.kind = kind;
  context.takeHints({"sync", "aligned"});
  return takeGroup(context, plan.groupSize);
}

bool decodeTensorAlloc(DecodeContext &context) {
  AllocPlan &plan = context.makePlan<AllocPlan>();
  if (!takeForm(context, plan, Collective::Kind::Alloc))
    return true;
  plan.space = takeSpace(context);
  context.take("b32");
  DecodeContext::Address address;
  if (!context.expectOperands(2) ||
      !context.readAddress(context.getOperand(0), address))
    return true;
  plan.address = address.base, plan.offset = address.offset;
  plan.columns = context.readOperand(1, Type::B32);
  context.emitExec(InstClass::Async, execCollective).plan = &plan;
  return true;
}

bool decodeTensorDealloc(DecodeContext &context) {
  AllocPlan &plan = context.makePlan<AllocPlan>();
  if (!takeForm(context, plan, Collective::Kind::Dealloc))
    return true;
  context.take("b32");
  if (!context.expectOperands(2))
    return true;
  plan.address = context.readOperand(0, Type::B32);
  plan.columns = context.readOperand(1, Type::B32);
  context.emitExec(InstClass::Async, execCollective).plan = &plan;
  return true;
}

bool decodeTensorRelinquish(DecodeContext &context) {
  AllocPlan &plan = context.makePlan<AllocPlan>();
  if (takeForm(context, plan, Collective::Kind::Relinquish) &&
      context.expectOperands(0))
    context.emitExec(InstClass::Async, execCollective).plan = &plan;
  return true;
}

} // namespace nvfp4::ptx
