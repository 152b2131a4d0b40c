//===- Tcgen05.cpp - Tensor memory: allocation, transfers, commit ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tcgen05.alloc, dealloc, relinquish_alloc_permit, ld, st, wait, fence and
// commit, of one CTA. Products and copies from shared memory are in
// Tcgen05Mma.cpp.
//
// Source: PTX ISA 9.7.16; rules R9, R13, R14.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "Machine/Mbarrier.h"
#include "Machine/TensorMemory.h"
#include "MemoryQualifiers.h"

#include <algorithm>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::AsyncActor;
using ordering::AsyncKind;

/// The same defined value in all lanes. False after a trap.
static bool readUniform(Warp &warp, const Inst &inst, const OperandRef &ref,
                        const char *what, uint32_t &value) {
  if (!warp.requireDefined(ref, kAllLanes, inst, what))
    return false;
  value = uint32_t(warp.readLane(ref, 0));
  for (unsigned lane = 1; lane < kLanes; ++lane)
    if (uint32_t(warp.readLane(ref, lane)) != value) {
      warp.trap(inst, "uniform", lane,
                std::string("expected the same ") + what +
                    " in all lanes, but lane 0 has another");
      return false;
    }
  return true;
}

static Outcome fail(Warp &warp, const Inst &inst, const std::string &message) {
  return warp.trap(inst, "R9", 0, message);
}

//===----------------------------------------------------------------------===//
// Allocation
//===----------------------------------------------------------------------===//

/// The first free columns at a multiple of their number; none: too few.
static std::optional<uint32_t> findColumns(const TensorMemory &memory,
                                           uint32_t columns) {
  for (uint32_t first = 0; first < kTensorColumns; first += columns) {
    bool isFree = true;
    for (const auto &[begin, allocation] : memory.allocations)
      isFree &= begin >= first + columns || begin + allocation.columns <= first;
    if (isFree)
      return first;
  }
  return std::nullopt;
}

/// Writes the address to shared memory, as an ordinary store of the warp.
static Outcome storeAddress(Warp &warp, const Inst &inst, uint32_t column) {
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, 1, addresses))
    return Outcome::Stop;
  return warp.forEachRegion(
      inst, AddressSpace(inst.aux), addresses, kTensorCell, kTensorCell, 1,
      [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        if (region.kind != Region::Kind::Shared)
          return warp.trap(inst, "bounds", 0,
                           "expected an address in shared memory");
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

static Outcome execAlloc(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  uint32_t columns = 0;
  if (outcome != Outcome::Next)
    return outcome;
  if (!readUniform(warp, inst, inst.b, "number of columns", columns))
    return Outcome::Stop;
  TensorMemory &memory = getTensorMemory(warp.getCta());
  if (!isColumnCount(columns))
    return fail(warp, inst,
                "expected a power of two from 32 to 512 columns, but got " +
                    std::to_string(columns));
  if (memory.isRelinquished)
    return fail(warp, inst,
                "expected no tcgen05.alloc after "
                "tcgen05.relinquish_alloc_permit");
  if (columns > memory.lastColumns)
    return fail(warp, inst,
                "expected at most " + std::to_string(memory.lastColumns) +
                    " columns, the last allocation's, but got " +
                    std::to_string(columns));
  std::optional<uint32_t> first = findColumns(memory, columns);
  if (!first) {
    // Somebody else may free some.
    warp.getPath().state = Path::State::Polling;
    return Outcome::Block;
  }
  memory.lastColumns = columns;
  memory.allocations[*first] = {columns, inst.line};
  for (uint32_t lane = 0; lane < kTensorLanes; ++lane)
    memory.undefined.markUndefined(uint64_t(lane) * kTensorLaneBytes +
                                       *first * kTensorCell,
                                   columns * kTensorCell);
  warp.noteEffect();
  return storeAddress(warp, inst, *first);
}

static Outcome execDealloc(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  uint32_t address = 0, columns = 0;
  if (outcome != Outcome::Next)
    return outcome;
  if (!readUniform(warp, inst, inst.a, "address of tensor memory", address) ||
      !readUniform(warp, inst, inst.b, "number of columns", columns))
    return Outcome::Stop;
  TensorMemory &memory = getTensorMemory(warp.getCta());
  auto it = memory.allocations.find(address);
  if (it == memory.allocations.end() || it->second.columns != columns)
    return fail(warp, inst,
                "expected an allocation of " + std::to_string(columns) +
                    " columns at this address, but there is none");
  // Whoever still uses the columns is in conflict with this.
  orderTensorNow(warp, inst, {0, kTensorLanes, address, columns},
                 AccessKind::Write);
  memory.allocations.erase(it);
  warp.noteEffect();
  return Outcome::Next;
}

static Outcome execRelinquish(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome == Outcome::Next)
    getTensorMemory(warp.getCta()).isRelinquished = true;
  return outcome;
}

//===----------------------------------------------------------------------===//
// ld, st, wait
//===----------------------------------------------------------------------===//

namespace {
struct TransferPlan final : Plan {
  std::vector<OperandRef> registers;
  OperandRef address;
  uint64_t offset = 0;
  bool isLoad = false;
};
} // namespace

/// Thread t of warp w has lane 32 (w mod 4) + t, register c column c.
static Outcome execTransfer(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const TransferPlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  uint32_t bits = 0;
  if (outcome != Outcome::Next)
    return outcome;
  if (!readUniform(warp, inst, plan.address, "address of tensor memory", bits))
    return Outcome::Stop;
  TensorAddress address = TensorAddress::decode(bits + uint32_t(plan.offset));
  uint32_t own = warp.getIndex() % 4 * kLanes;
  if (address.lane != own)
    return fail(warp, inst,
                "expected lane " + std::to_string(own) +
                    ", where the lanes of this warp begin, but got " +
                    std::to_string(address.lane));
  TensorRange range{own, kLanes, address.column,
                    uint32_t(plan.registers.size())};
  if (!checkTensorRange(warp, inst, 0, range))
    return Outcome::Stop;
  TensorMemory &memory = getTensorMemory(warp.getCta());
  TensorMemory::Transfers &state = memory.transfers[warp.getIndex()];
  if (ordering::WarpOrder *order = getOrder(warp)) {
    uint32_t &component =
        plan.isLoad ? state.loadComponent : state.storeComponent;
    if (component == ~0u)
      component = getOrder(warp.getCluster())->addComponent(AsyncKind::Tcgen05);
    uint32_t clock = ++(plan.isLoad ? state.loads : state.stores);
    orderTensor(warp, inst, range, 0,
                plan.isLoad ? AccessKind::Read : AccessKind::Write,
                AsyncActor(*order, component, clock, false));
  }
  for (uint32_t i = 0; i < range.columns; ++i) {
    const OperandRef &ref = plan.registers[i];
    uint32_t undefined[kLanes] = {};
    if (!plan.isLoad)
      warp.readUndefined(ref, kAllLanes, undefined);
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      uint32_t row = own + lane, column = range.column + i;
      if (plan.isLoad) {
        warp.writeLane(ref, lane, memory.readWord(row, column));
        undefined[lane] = memory.readUndefined(row, column);
      } else {
        memory.writeWord(row, column, uint32_t(warp.readLane(ref, lane)));
        memory.writeUndefined(row, column, undefined[lane]);
      }
    }
    if (plan.isLoad)
      warp.writeUndefined(ref, kAllLanes, undefined);
  }
  return Outcome::Next;
}

/// aux: of loads; else of stores.
static Outcome execWait(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  TensorMemory::Transfers &state =
      getTensorMemory(warp.getCta()).transfers[warp.getIndex()];
  uint32_t component = inst.aux ? state.loadComponent : state.storeComponent;
  if (ordering::WarpOrder *order = getOrder(warp); order && component != ~0u)
    order->observe(component, inst.aux ? state.loads : state.stores);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// commit
//===----------------------------------------------------------------------===//

static Outcome execCommit(Warp &warp, const Inst &inst, uint32_t mask) {
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  Outcome outcome = Outcome::Next;
  forEachLane(mask, [&](unsigned lane) {
    Mbarrier *barrier = outcome == Outcome::Next
                            ? findMbarrier(warp, inst, AddressSpace(inst.aux),
                                           addresses[lane], lane)
                            : nullptr;
    if (!barrier) {
      outcome = Outcome::Stop;
      return;
    }
    ++barrier->numInFlight;
    TensorPipe &pipe = getPipe(warp, lane);
    uint32_t number = pipe.issued;
    Effect effect;
    effect.line = inst.line;
    Cta *cta = barrier->cta;
    uint64_t offset = barrier->offset;
    effect.land = [&warp, &inst, &pipe, cta, offset, lane, number] {
      landPipe(pipe, number);
      Mbarrier *barrier = findMbarrierAt(*cta, offset);
      if (!barrier)
        return true;
      --barrier->numInFlight;
      if (barrier->current && number)
        barrier->current->include(pipe.component, number);
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

static bool decodeAlloc(DecodeContext &context) {
  AddressSpace space = takeSpace(context);
  context.take("b32");
  DecodeContext::Address address;
  if (!context.expectOperands(2) ||
      !context.readAddress(context.getOperand(0), address))
    return true;
  OperandRef columns = context.readOperand(1, Type::B32);
  Inst &inst = context.emitExec(InstClass::Async, execAlloc);
  inst.a = address.base, inst.imm = address.offset;
  inst.b = columns;
  inst.aux = uint32_t(space);
  return true;
}

static bool decodeDealloc(DecodeContext &context) {
  context.take("b32");
  if (!context.expectOperands(2))
    return true;
  OperandRef address = context.readOperand(0, Type::B32);
  OperandRef columns = context.readOperand(1, Type::B32);
  Inst &inst = context.emitExec(InstClass::Async, execDealloc);
  inst.a = address, inst.b = columns;
  return true;
}

static bool decodeTransfer(DecodeContext &context, bool isLoad) {
  if (!context.take("32x32b"))
    return context.error("expected shape .32x32b, the one that the simulator "
                         "knows");
  std::string_view repeat = context.takePrefix("x");
  context.take("b32");
  TransferPlan &plan = context.makePlan<TransferPlan>();
  plan.isLoad = isLoad;
  DecodeContext::Address address;
  unsigned registers = isLoad ? 0 : 1;
  if (!context.expectOperands(2) ||
      !context.readAddress(context.getOperand(1 - registers), address))
    return true;
  const Operand &list = context.getOperand(registers);
  plan.registers = isLoad ? context.writeVector(list, Type::B32)
                          : context.readVector(list, Type::B32);
  plan.address = address.base, plan.offset = address.offset;
  if ("x" + std::to_string(plan.registers.size()) != repeat)
    return context.error("expected as many registers as ." +
                         std::string(repeat) + " says, but got " +
                         std::to_string(plan.registers.size()));
  context.emitExec(InstClass::Async, execTransfer).plan = &plan;
  return true;
}

static bool decodeCommit(DecodeContext &context) {
  if (!context.take("mbarrier::arrive::one"))
    return context.error("expected .mbarrier::arrive::one");
  AddressSpace space = takeSpace(context);
  context.take("b64");
  DecodeContext::Address address;
  if (!context.expectOperands(1) ||
      !context.readAddress(context.getOperand(0), address))
    return true;
  Inst &inst = context.emitExec(InstClass::Async, execCommit);
  inst.a = address.base, inst.imm = address.offset;
  inst.aux = uint32_t(space);
  return true;
}

/// False: not one of these.
static bool decodeTcgen05(DecodeContext &context) {
  if (context.has("mma") || context.has("cp"))
    return false;
  if (!requireFeature(context, ChipFeature::TensorMemory))
    return true;
  if (context.has("cta_group::2"))
    return context.error("expected .cta_group::1, the one that the simulator "
                         "knows");
  context.takeHints({"cta_group::1", "sync", "aligned"});
  if (context.take("alloc"))
    return decodeAlloc(context);
  if (context.take("dealloc"))
    return decodeDealloc(context);
  if (context.take("ld"))
    return decodeTransfer(context, true);
  if (context.take("st"))
    return decodeTransfer(context, false);
  if (context.take("commit"))
    return decodeCommit(context);
  if (!context.expectOperands(0))
    return true;
  if (context.take("relinquish_alloc_permit")) {
    context.emitExec(InstClass::Async, execRelinquish);
    return true;
  }
  bool waitsForLoads = context.take("wait::ld");
  if (waitsForLoads || context.take("wait::st")) {
    context.emitExec(InstClass::Async, execWait).aux = waitsForLoads;
    return true;
  }
  // Edges of R2 are enough (R9).
  if (context.take("fence::before_thread_sync") ||
      context.take("fence::after_thread_sync"))
    return true;
  return context.error("expected an operation on tensor memory that the "
                       "simulator knows");
}

OpcodeTable getTcgen05Opcodes() {
  static constexpr OpcodeRow kRows[] = {{"tcgen05", decodeTcgen05}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
