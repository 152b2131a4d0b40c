//===- Atomic.cpp - atom and red ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lanes act one after the other, lowest first.
//
// Source: PTX ISA 9.7.13.5 (atom), 9.7.13.7 (red).
//
//===----------------------------------------------------------------------===//

#include "Machine/Observe.h"
#include "MemoryQualifiers.h"
#include "Reduce.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::MemoryOrder;

namespace {
struct AtomicPlan final : Plan {
  AccessQualifiers qualifiers;
  /// Bytes of one element, and elements (vector forms).
  uint32_t elementBytes = 0;
  uint32_t numElements = 1;
  bool isCompareAndSwap = false;
  ReduceFn reduce = nullptr;
  std::vector<OperandRef> results, values, desired;

  uint32_t getBytes() const { return elementBytes * numElements; }
};

/// An atomic access to one region, about to take place.
struct AtomicAccess {
  Warp &warp;
  const AtomicPlan &plan;
  const Region &region;
  const uint64_t *offsets;
  bool hasChanged = false;

  void perform(uint32_t lanes);
  void performElement(unsigned lane, uint32_t element);
  void updateUndefined(unsigned lane, uint32_t element, uint8_t *memory,
                       uint64_t offset);
};
} // namespace

/// Undefined bits of one lane of an operand, 16 bytes at most.
static bool readLaneUndefined(Warp &warp, const OperandRef &ref, unsigned lane,
                              uint8_t bits[16]) {
  std::memset(bits, 0, 16);
  if (!ref.isPresent || !warp.getTainted(ref, 1u << lane))
    return false;
  uint8_t all[16 * kLanes];
  warp.readUndefined(ref, 1u << lane, all);
  std::memcpy(bits, all + size_t(ref.bytes) * lane, ref.bytes);
  return true;
}

void AtomicAccess::updateUndefined(unsigned lane, uint32_t element,
                                   uint8_t *memory, uint64_t offset) {
  uint32_t bytes = plan.elementBytes;
  uint8_t old[16] = {}, value[16], desired[16];
  bool isTainted = region.undefined && !region.undefined->isClean() &&
                   region.undefined->read(offset, bytes, old);
  isTainted |= readLaneUndefined(warp, plan.values[element], lane, value);
  if (plan.isCompareAndSwap)
    isTainted |= readLaneUndefined(warp, plan.desired[element], lane, desired);
  const OperandRef *result =
      plan.results.empty() ? nullptr : &plan.results[element];
  if (result && result->isPresent) {
    alignas(16) uint8_t all[16 * kLanes] = {};
    std::memcpy(all + size_t(result->bytes) * lane, old, result->bytes);
    warp.writeUndefined(*result, 1u << lane, all);
  }
  if (!isTainted || !region.undefined)
    return;
  bool isExchange = !plan.isCompareAndSwap && plan.reduce &&
                    plan.reduce == selectReduction("exch", Type::B32);
  uint8_t after[16];
  std::memset(after, 0xFF, sizeof(after));
  region.undefined->write(offset, bytes, isExchange ? value : after);
}

void AtomicAccess::performElement(unsigned lane, uint32_t element) {
  uint32_t bytes = plan.elementBytes;
  uint64_t offset = offsets[lane] + uint64_t(element) * bytes;
  uint8_t *memory = region.data + offset;
  if (warp.getLaunch().options.checkDefinedness)
    updateUndefined(lane, element, memory, offset);
  uint8_t old[16];
  std::memcpy(old, memory, bytes);
  auto laneOf = [&](const OperandRef &ref) {
    return warp.read<uint8_t>(ref) + size_t(ref.bytes) * lane;
  };
  if (!plan.isCompareAndSwap)
    plan.reduce(memory, laneOf(plan.values[element]));
  else if (!std::memcmp(old, laneOf(plan.values[element]), bytes))
    std::memcpy(memory, laneOf(plan.desired[element]), bytes);
  hasChanged |= std::memcmp(old, memory, bytes) != 0;
  if (!plan.results.empty() && plan.results[element].isPresent)
    std::memcpy(warp.write<uint8_t>(plan.results[element]) +
                    size_t(plan.results[element].bytes) * lane,
                old, bytes);
}

void AtomicAccess::perform(uint32_t lanes) {
  forEachLane(lanes, [&](unsigned lane) {
    std::unique_lock<std::mutex> lock;
    if (region.kind == Region::Kind::Global)
      lock = std::unique_lock<std::mutex>(
          warp.getLaunch().getAtomicMutex(region.base + offsets[lane]));
    for (uint32_t i = 0; i < plan.numElements; ++i)
      performElement(lane, i);
  });
}

static Outcome execAtomic(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const AtomicPlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  bool hasChanged = false;
  uint32_t bytes = plan.getBytes();
  const Options &options = warp.getLaunch().options;
  Outcome outcome = warp.forEachRegion(
      inst, plan.qualifiers.space, addresses, bytes, bytes, mask,
      [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        if (region.kind != Region::Kind::Global &&
            region.kind != Region::Kind::Shared)
          return warp.trap(inst, "bounds", unsigned(__builtin_ctz(lanes)),
                           "expected an atomic access to global or shared "
                           "memory");
        if (options.collectStatistics)
          countAccess(warp, inst, region.kind, offsets, bytes, lanes);
        AtomicAccess atomic{warp, plan, region, offsets};
        ordering::Effect effect{[](void *context, uint32_t lanes) {
                                  static_cast<AtomicAccess *>(context)->perform(
                                      lanes);
                                },
                                &atomic};
        OrderedAccess access;
        access.kind =
            plan.results.empty() ? AccessKind::Reduction : AccessKind::Atomic;
        access.order = plan.qualifiers.order;
        access.scope = plan.qualifiers.scope;
        orderAccess(warp, inst, region, offsets, bytes, lanes, access, effect);
        hasChanged |= atomic.hasChanged;
        return Outcome::Next;
      });
  if (outcome != Outcome::Next || hasChanged || plan.results.empty())
    return outcome;
  // A lock that is taken, or a flag that is read by an atomic.
  return Outcome::Polled;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool takeOperation(DecodeContext &context, std::string_view &operation) {
  for (std::string_view name :
       {"add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas"}) {
    if (!context.take(name))
      continue;
    operation = name;
    return true;
  }
  return false;
}

static bool decodeAtomic(DecodeContext &context) {
  bool isReduction = context.getOpcode() == "red";
  if (context.has("async"))
    return false;
  AtomicPlan &plan = context.makePlan<AtomicPlan>();
  takeOrder(context, plan.qualifiers, MemoryOrder::Relaxed);
  plan.qualifiers.space = takeSpace(context);
  std::string_view operation;
  if (!takeOperation(context, operation))
    return context.error("expected an operation such as .add");
  unsigned count = takeCacheHints(context);
  context.take("noftz");
  static constexpr Choice<unsigned> kSizes[] = {
      {"v2", 2}, {"v4", 4}, {"v8", 8}};
  plan.numElements = context.choose(kSizes, 1u);
  Type type = context.takeType();
  plan.isCompareAndSwap = operation == "cas";
  if (plan.isCompareAndSwap) {
    if (type != Type::B16 && type != Type::B32 && type != Type::B64 &&
        type != Type::B128 && type != Type::U32 && type != Type::U64)
      return context.error("expected .b16, .b32, .b64 or .b128");
  } else {
    plan.reduce = selectReduction(operation, type);
    if (!plan.reduce)
      return context.error("expected an operation that PTX has for the type");
  }
  plan.elementBytes = getByteSize(type);
  unsigned first = isReduction ? 0 : 1;
  unsigned wanted = first + 2 + plan.isCompareAndSwap;
  if (count != wanted)
    return context.error("expected " + std::to_string(wanted) +
                         " operands, but got " + std::to_string(count));
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(first), address))
    return true;
  plan.values = context.readVector(context.getOperand(first + 1), type);
  if (plan.isCompareAndSwap)
    plan.desired = context.readVector(context.getOperand(first + 2), type);
  if (!isReduction && context.getOperand(0).kind != Operand::Kind::Sink)
    plan.results = context.writeVector(context.getOperand(0), type);
  if (plan.values.size() != plan.numElements ||
      (!plan.results.empty() && plan.results.size() != plan.numElements))
    return context.error("expected " + std::to_string(plan.numElements) +
                         " elements");
  Inst &inst = context.emitExec(InstClass::Atomic, execAtomic);
  inst.plan = &plan;
  inst.a = address.base;
  inst.imm = address.offset;
  return true;
}

OpcodeTable getAtomicOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"atom", decodeAtomic},
                                        {"red", decodeAtomic}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
