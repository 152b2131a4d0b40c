//===- Mbarrier.cpp - mbarrier instructions -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.13.15.
//
//===----------------------------------------------------------------------===//

#include "Machine/Mbarrier.h"
#include "Alu.h"
#include "MemoryQualifiers.h"

#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::MemoryOrder;
using ordering::Scope;

//===----------------------------------------------------------------------===//
// Objects
//===----------------------------------------------------------------------===//

Mbarrier *findMbarrierAt(Cta &cta, uint64_t offset) {
  auto it = cta.mbarriers.find(offset);
  return it == cta.mbarriers.end() ? nullptr : it->second.get();
}

/// The CTA and offset that an address names. Traps outside of shared memory.
static bool locate(Warp &warp, const Inst &inst, AddressSpace space,
                   uint64_t address, uint32_t lane, Region &region,
                   uint64_t &offset) {
  uint64_t addresses[kLanes] = {};
  uint64_t offsets[kLanes];
  addresses[lane] = address;
  if (!warp.gatherRegion(inst, space, addresses, kMbarrierBytes, kMbarrierBytes,
                         1u << lane, region, offsets))
    return false;
  offset = offsets[lane];
  if (region.kind == Region::Kind::Shared)
    return true;
  warp.trap(inst, "R8", lane,
            "expected the address of an mbarrier in shared memory");
  return false;
}

Mbarrier *findMbarrier(Warp &warp, const Inst &inst, AddressSpace space,
                       uint64_t address, uint32_t lane) {
  Region region;
  uint64_t offset;
  if (!locate(warp, inst, space, address, lane, region, offset))
    return nullptr;
  if (Mbarrier *found = findMbarrierAt(*region.cta, offset))
    return found;
  warp.trap(inst, "R8", lane,
            "expected an initialized mbarrier at shared offset " +
                std::to_string(offset + kSharedBase) +
                ", but there is no object");
  return nullptr;
}

bool checkInit(Warp &warp, const Inst &inst, const Mbarrier &barrier,
               uint32_t lane) {
  if (!barrier.initOrder ||
      getOrder(warp)->getNow().covers(
          ordering::View::Ordinary, uint32_t(warp.getCluster().getLinearId()),
          barrier.initOrder->component, barrier.initOrder->clock))
    return true;
  warp.report(Finding::Severity::Error, inst, "R4", lane,
              "race: expected an order between this operation, which completes "
              "on the mbarrier at shared offset " +
                  std::to_string(barrier.offset + kSharedBase) + " of CTA " +
                  std::to_string(barrier.cta->getRank()) +
                  " of the cluster, and its mbarrier.init, but there is none",
              barrier.initLine);
  return false;
}

void completePhase(Mbarrier &barrier) {
  if (barrier.pending || barrier.transactions)
    return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  if (!barrier.current)
    return;
  ordering::ClusterOrdering &home = *barrier.cta->getCluster().getOrdering();
  uint32_t clock = uint32_t(barrier.phase);
  for (ordering::AsyncOp op : barrier.landed)
    home.completeOp(op, barrier.component, clock);
  barrier.landed.clear();
  barrier.completed->join(*barrier.current);
  barrier.completed->include(barrier.component, clock);
}

bool arriveOn(Warp &warp, const Inst &inst, Mbarrier &barrier, uint32_t lane,
              uint32_t count) {
  if (count > barrier.pending) {
    warp.trap(inst, "R8", lane,
              "expected at most " + std::to_string(barrier.pending) +
                  " more arrivals in this phase of the mbarrier, but got " +
                  std::to_string(count));
    return false;
  }
  barrier.pending -= count;
  completePhase(barrier);
  return true;
}

bool addTransactions(Warp &warp, const Inst &inst, Mbarrier &barrier,
                     uint32_t lane, int64_t count) {
  barrier.transactions += count;
  if (std::abs(barrier.transactions) > kMaxTransactions) {
    warp.trap(inst, "R8", lane,
              "expected a transaction count within +-" +
                  std::to_string(kMaxTransactions) + ", but got " +
                  std::to_string(barrier.transactions));
    return false;
  }
  return true;
}

bool landOnMbarrier(Warp &warp, const Inst &inst, Cta &cta, uint64_t offset,
                    uint32_t lane, uint32_t bytes, ordering::AsyncOp op) {
  Mbarrier *barrier = findMbarrierAt(cta, offset);
  if (!barrier)
    return true;
  --barrier->numInFlight;
  barrier->unobserved.push_back({barrier->phase, inst.line});
  if (barrier->current)
    barrier->landed.push_back(op);
  warp.noteEffect();
  if (!addTransactions(warp, inst, *barrier, lane, -int64_t(bytes)))
    return false;
  completePhase(*barrier);
  return true;
}

/// Whether a thread waits for the object, having found nothing yet.
static bool isAwaited(Cluster &cluster, const Mbarrier &barrier) {
  for (auto &cta : cluster.getCtas())
    for (auto &warp : cta->getWarps())
      for (const Path &path : warp->getPaths())
        if (path.state == Path::State::Polling &&
            path.awaitedObject == &barrier)
          return true;
  return false;
}

/// Whether the object may go: R8 forbids it with operations in flight or
/// threads waiting.
static bool isInUse(const Mbarrier &barrier) {
  return barrier.numInFlight || barrier.transactions ||
         isAwaited(barrier.cta->getCluster(), barrier);
}

/// Records that the object was touched: `init` is an ordinary write, all other
/// operations are strong.
static void orderObject(Warp &warp, const Inst &inst, Cta &cta, uint64_t offset,
                        uint32_t lane, AccessKind kind, MemoryOrder order) {
  Region region;
  region.kind = Region::Kind::Shared;
  region.base = (uint64_t(cta.getRank()) << kSharedRankShift) + kSharedBase;
  region.size = cta.shared.size();
  region.data = cta.shared.data();
  region.cta = &cta;
  uint64_t offsets[kLanes] = {};
  offsets[lane] = offset;
  OrderedAccess access;
  access.kind = kind;
  access.order = order;
  access.scope = Scope::Cluster;
  access.isSyncObject = true;
  orderAccess(warp, inst, region, offsets, kMbarrierBytes, 1u << lane, access,
              {[](void *, uint32_t) {}, nullptr});
}

//===----------------------------------------------------------------------===//
// init, inval
//===----------------------------------------------------------------------===//

namespace {
struct MbarrierPlan final : Plan {
  AccessQualifiers qualifiers;
  /// Arrivals: takes part in the count of expected ones for good (arrive_drop).
  bool isDrop = false;
  bool isNoComplete = false;
  bool expectsTransactions = false;
  /// Waits.
  bool isParity = false;
  bool hasCount = false;
};
} // namespace

static Outcome execInit(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MbarrierPlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses) ||
      !warp.requireDefined(inst.b, mask, inst, "arrival count"))
    return Outcome::Stop;
  Outcome outcome = Outcome::Next;
  forEachLane(mask, [&](unsigned lane) {
    Region region;
    uint64_t offset;
    if (outcome == Outcome::Stop ||
        !locate(warp, inst, plan.qualifiers.space, addresses[lane], lane,
                region, offset)) {
      outcome = Outcome::Stop;
      return;
    }
    uint64_t count = warp.readLane(inst.b, lane);
    if (count < 1 || count > kMaxArrivals) {
      outcome = warp.trap(inst, "R8", lane,
                          "expected an arrival count from 1 to 1048575, but "
                          "got " +
                              std::to_string(count));
      return;
    }
    std::unique_ptr<Mbarrier> &slot = region.cta->mbarriers[offset];
    if (slot && isInUse(*slot)) {
      outcome = warp.trap(inst, "R8", lane,
                          "expected no operation in flight and no thread "
                          "waiting on the mbarrier that is initialized again");
      return;
    }
    if (slot)
      warp.report(Finding::Severity::Warning, inst, "R8", lane,
                  "initializes an mbarrier over a live one, without "
                  "mbarrier.inval",
                  slot->initLine);
    orderObject(warp, inst, *region.cta, offset, lane, AccessKind::Write,
                MemoryOrder::Weak);
    slot = std::make_unique<Mbarrier>();
    slot->cta = region.cta;
    slot->offset = offset;
    slot->expected = slot->pending = uint32_t(count);
    slot->initLine = inst.line;
    if (ordering::ClusterOrdering *home = getOrder(warp.getCluster())) {
      slot->current =
          std::make_unique<ordering::SyncClock>(home->makeSyncClock());
      slot->completed =
          std::make_unique<ordering::SyncClock>(home->makeSyncClock());
      slot->component = home->addComponent(ordering::AsyncKind::Bulk);
      ordering::WarpOrder &order = *getOrder(warp);
      slot->initOrder = {order.getComponent(), order.useEpoch()};
    }
    std::memcpy(region.data + offset, &count, kMbarrierBytes);
    region.undefined->markDefined(offset, kMbarrierBytes);
  });
  return outcome;
}

static Outcome execInval(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MbarrierPlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  Outcome outcome = Outcome::Next;
  forEachLane(mask, [&](unsigned lane) {
    if (outcome == Outcome::Stop)
      return;
    Mbarrier *barrier =
        findMbarrier(warp, inst, plan.qualifiers.space, addresses[lane], lane);
    if (!barrier) {
      outcome = Outcome::Stop;
      return;
    }
    if (isInUse(*barrier)) {
      outcome = warp.trap(inst, "R8", lane,
                          "expected no operation in flight and no thread "
                          "waiting on an mbarrier that is invalidated");
      return;
    }
    orderObject(warp, inst, *barrier->cta, barrier->offset, lane,
                AccessKind::Write, MemoryOrder::Weak);
    barrier->cta->mbarriers.erase(barrier->offset);
  });
  return outcome;
}

//===----------------------------------------------------------------------===//
// Arrivals and transactions
//===----------------------------------------------------------------------===//

/// What lane does to its object: arrive, expect_tx, complete_tx or a
/// combination.
static bool execArrival(Warp &warp, const Inst &inst, const MbarrierPlan &plan,
                        Mbarrier &barrier, unsigned lane, uint64_t &token) {
  uint64_t count = plan.hasCount ? warp.readLane(inst.b, lane) : 1;
  if (count < 1 || count > kMaxArrivals) {
    warp.trap(inst, "R8", lane,
              "expected an arrival count from 1 to 1048575, but got " +
                  std::to_string(count));
    return false;
  }
  if (plan.expectsTransactions &&
      !addTransactions(warp, inst, barrier, lane,
                       int64_t(warp.readLane(inst.c, lane))))
    return false;
  token = barrier.getToken();
  if (plan.isNoComplete && count >= barrier.pending) {
    warp.trap(inst, "R8", lane,
              "expected an arrival that does not complete the phase "
              "(.noComplete), but it does");
    return false;
  }
  if (barrier.current) {
    ordering::WarpOrder &order = *getOrder(warp);
    if (plan.qualifiers.order != MemoryOrder::Relaxed)
      barrier.current->release(order);
    else
      barrier.current->publishRelaxed(order);
    if (barrier.cta != &warp.getCta()) {
      ordering::Publisher publisher;
      publisher.cluster = uint32_t(warp.getCluster().getLinearId());
      publisher.cta = warp.getCta().getRank();
      publisher.component = order.getComponent();
      publisher.lane = lane;
      publisher.instruction = getInstructionId(warp, inst);
      publisher.scope = plan.qualifiers.scope;
      barrier.remote = publisher;
    }
  }
  if (plan.isDrop) {
    if (count > barrier.expected) {
      warp.trap(inst, "R8", lane,
                "expected at most " + std::to_string(barrier.expected) +
                    " dropped arrivals, but got " + std::to_string(count));
      return false;
    }
    barrier.expected -= uint32_t(count);
  }
  return arriveOn(warp, inst, barrier, lane, uint32_t(count));
}

template <typename F>
static Outcome forEachObject(Warp &warp, const Inst &inst, uint32_t mask,
                             AccessKind kind, F f) {
  auto &plan = static_cast<const MbarrierPlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  for (const OperandRef *ref : {&inst.b, &inst.c})
    if (ref->isPresent &&
        !warp.requireDefined(*ref, mask, inst, "operand of an mbarrier"))
      return Outcome::Stop;
  bool isGood = true;
  forEachLane(mask, [&](unsigned lane) {
    if (!isGood)
      return;
    Mbarrier *barrier =
        findMbarrier(warp, inst, plan.qualifiers.space, addresses[lane], lane);
    isGood = barrier != nullptr;
    if (!isGood)
      return;
    orderObject(warp, inst, *barrier->cta, barrier->offset, lane, kind,
                MemoryOrder::Relaxed);
    isGood = f(*barrier, lane);
  });
  return isGood ? Outcome::Next : Outcome::Stop;
}

static Outcome execArrive(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MbarrierPlan &>(*inst.plan);
  if (plan.qualifiers.order != MemoryOrder::Relaxed)
    checkReleasingLanes(warp, inst, mask, !plan.expectsTransactions);
  return forEachObject(
      warp, inst, mask, AccessKind::Reduction,
      [&](Mbarrier &barrier, unsigned lane) {
        uint64_t token = 0;
        if (!execArrival(warp, inst, plan, barrier, lane, token))
          return false;
        if (inst.d.isPresent) {
          warp.writeLane(inst.d, lane, token);
          warp.markDefined(inst.d, 1u << lane);
        }
        return true;
      });
}

static Outcome execTransactions(Warp &warp, const Inst &inst, uint32_t mask) {
  int64_t sign = inst.aux ? -1 : 1;
  return forEachObject(
      warp, inst, mask, AccessKind::Reduction,
      [&](Mbarrier &barrier, unsigned lane) {
        int64_t count = int64_t(uint32_t(warp.readLane(inst.c, lane)));
        if (!addTransactions(warp, inst, barrier, lane, sign * count))
          return false;
        if (inst.aux)
          completePhase(barrier);
        return true;
      });
}

//===----------------------------------------------------------------------===//
// Waits
//===----------------------------------------------------------------------===//

/// A wait that returned true: what the phase published is seen.
static void observe(Warp &warp, const Inst &inst, const MbarrierPlan &plan,
                    Mbarrier &barrier, unsigned lane, uint64_t phase) {
  auto &list = barrier.unobserved;
  for (size_t i = 0; i < list.size() && barrier.phase;)
    if (list[i].phase <= phase)
      list.erase(list.begin() + ptrdiff_t(i));
    else
      ++i;
  ordering::WarpOrder *order = getOrder(warp);
  if (!order)
    return;
  if (plan.qualifiers.order == MemoryOrder::Relaxed) {
    barrier.completed->acquireTensorMemory(*order);
    // A fence behind it acquires.
    ordering::Publisher publisher;
    publisher.cluster = order->getNow().cluster;
    publisher.cta = order->getCta();
    order->addPending(*barrier.completed, publisher, lane,
                      plan.qualifiers.scope);
    return;
  }
  barrier.completed->acquire(*order, 1u << lane);
  if (!barrier.remote)
    return;
  if (auto conflict = ordering::checkScope(
          *barrier.remote, *order, lane, plan.qualifiers.scope, barrier.offset))
    reportConflict(warp, inst, nullptr, *conflict);
}

static Outcome execWait(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MbarrierPlan &>(*inst.plan);
  uint32_t done = 0;
  const Mbarrier *missed = nullptr;
  Outcome outcome = forEachObject(
      warp, inst, mask, AccessKind::Read,
      [&](Mbarrier &barrier, unsigned lane) {
        uint64_t operand = warp.readLane(inst.b, lane);
        // The phase that the parity names is the current one or that before.
        uint64_t phase = plan.isParity
                             ? barrier.phase - ((barrier.phase ^ operand) & 1)
                             : operand >> 20;
        bool isDone = plan.isParity ? ((barrier.phase ^ operand) & 1) != 0
                                    : barrier.isComplete(phase);
        if (isDone) {
          done |= 1u << lane;
          observe(warp, inst, plan, barrier, lane, phase);
        } else {
          missed = &barrier;
        }
        return true;
      });
  if (outcome != Outcome::Next)
    return outcome;
  storePredicate(warp.write<uint32_t>(inst.d), done, mask);
  warp.markDefined(inst.d, mask);
  if (!done) {
    warp.getPath().awaitedObject = missed;
    return Outcome::Polled;
  }
  warp.noteEffect();
  return Outcome::Next;
}

static Outcome execPendingCount(Warp &warp, const Inst &inst, uint32_t mask) {
  forEachLane(mask, [&](unsigned lane) {
    warp.writeLane(inst.d, lane, warp.readLane(inst.a, lane) & kMaxArrivals);
  });
  uint32_t undefined = warp.getTainted(inst.a, mask);
  warp.markDefined(inst.d, mask & ~undefined);
  warp.markUndefined(inst.d, undefined);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

namespace {
enum class Operation { Init, Inval, Expect, Complete, Arrive, Wait, Pending };
} // namespace

static bool setObject(MbarrierPlan &plan, Inst &inst,
                      const DecodeContext::Address &address) {
  inst.plan = &plan;
  inst.a = address.base;
  inst.imm = address.offset;
  return true;
}

static bool decodeArrive(DecodeContext &context, MbarrierPlan &plan) {
  bool hasResult = context.getNumOperands() &&
                   context.getOperand(0).kind != Operand::Kind::Address;
  unsigned next = hasResult ? 1 : 0;
  plan.isNoComplete = context.take("noComplete");
  DecodeContext::Address address;
  if (!context.expectOperands(next + 1, next + 2) ||
      !context.readAddress(context.getOperand(next), address))
    return true;
  OperandRef d;
  if (hasResult && context.getOperand(0).kind != Operand::Kind::Sink)
    d = context.writeOperand(0, Type::B64);
  OperandRef operand;
  if (context.getNumOperands() > next + 1)
    operand = context.readOperand(next + 1, Type::U32);
  else if (plan.expectsTransactions)
    return context.error("expected a transaction count");
  Inst &inst = context.emitExec(InstClass::Barrier, execArrive);
  inst.d = d;
  (plan.expectsTransactions ? inst.c : inst.b) = operand;
  plan.hasCount = operand.isPresent && !plan.expectsTransactions;
  return setObject(plan, inst, address);
}

static bool decodeWait(DecodeContext &context, MbarrierPlan &plan) {
  plan.isParity = context.take("parity");
  DecodeContext::Address address;
  // try_wait may name a time limit; it may return false at any time.
  if (!context.expectOperands(3, 4) ||
      !context.readAddress(context.getOperand(1), address))
    return true;
  OperandRef d = context.writeOperand(0, Type::Pred);
  OperandRef operand =
      context.readOperand(2, plan.isParity ? Type::U32 : Type::B64);
  Inst &inst = context.emitExec(InstClass::Barrier, execWait);
  inst.d = d;
  inst.b = operand;
  return setObject(plan, inst, address);
}

static bool decodeMbarrier(DecodeContext &context) {
  static constexpr Choice<Operation> kOperations[] = {
      {"init", Operation::Init},
      {"inval", Operation::Inval},
      {"expect_tx", Operation::Expect},
      {"complete_tx", Operation::Complete},
      {"test_wait", Operation::Wait},
      {"try_wait", Operation::Wait},
      {"pending_count", Operation::Pending},
  };
  MbarrierPlan &plan = context.makePlan<MbarrierPlan>();
  plan.isDrop = context.take("arrive_drop");
  bool isArrive = context.take("arrive") || plan.isDrop;
  Operation operation = Operation::Arrive;
  if (isArrive)
    plan.expectsTransactions = context.take("expect_tx");
  else
    operation = context.choose(kOperations, Operation::Arrive);
  context.take("b64");
  if (operation == Operation::Pending) {
    if (!context.expectOperands(2))
      return true;
    OperandRef a = context.readOperand(1, Type::B64);
    OperandRef d = context.writeOperand(0, Type::U32);
    Inst &inst = context.emitExec(InstClass::Move, execPendingCount);
    inst.d = d, inst.a = a;
    return true;
  }
  // Waits acquire and arrivals release unless they say .relaxed.
  takeOrder(context, plan.qualifiers,
            operation == Operation::Wait ? MemoryOrder::Acquire
                                         : MemoryOrder::Release);
  bool namesScope = context.has("cta") || context.has("cluster");
  if (!namesScope)
    plan.qualifiers.scope = Scope::Cta;
  plan.qualifiers.space = takeSpace(context);
  if (operation == Operation::Arrive && !isArrive)
    return context.error("expected an mbarrier operation");
  if (isArrive)
    return decodeArrive(context, plan);
  if (operation == Operation::Wait)
    return decodeWait(context, plan);
  bool hasCount = operation != Operation::Inval;
  DecodeContext::Address address;
  if (!context.expectOperands(hasCount ? 2 : 1) ||
      !context.readAddress(context.getOperand(0), address))
    return true;
  OperandRef count;
  if (hasCount)
    count = context.readOperand(1, Type::U32);
  ExecFn fn = operation == Operation::Init    ? execInit
              : operation == Operation::Inval ? execInval
                                              : execTransactions;
  Inst &inst = context.emitExec(InstClass::Barrier, fn);
  (operation == Operation::Init ? inst.b : inst.c) = count;
  inst.aux = operation == Operation::Complete;
  return setObject(plan, inst, address);
}

OpcodeTable getMbarrierOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"mbarrier", decodeMbarrier}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
