//===- LoadStore.cpp - ld, st and cache hints -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An access of a warp is split by the region of memory that lanes address. Most
// warps address consecutive elements of one region; that case is a copy.
//
// Source: PTX ISA 9.7.9.8 to 9.7.9.17.
//
//===----------------------------------------------------------------------===//

#include "Alu.h"
#include "Machine/LaneAddresses.h"
#include "Machine/Observe.h"
#include "MemoryQualifiers.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;
using ordering::MemoryOrder;

namespace {
struct Wide {
  uint64_t low, high;
};

/// Moves one element of every lane between memory and a register. `stride` is
/// the distance of consecutive lanes in bytes, or 0: then `offsets` tell.
using CopyFn = void (*)(uint8_t *memory, const uint64_t *offsets,
                        uint32_t stride, uint32_t mask, void *reg);

struct LoadStorePlan final : Plan {
  AccessQualifiers qualifiers;
  uint32_t elementBytes = 0;
  uint32_t numElements = 1;
  bool isSigned = false;
  /// By element: sources or results. Not present: a sink.
  std::vector<OperandRef> registers;
  std::vector<CopyFn> copies;

  uint32_t getBytes() const { return elementBytes * numElements; }
};
} // namespace

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

template <typename Mem, typename Reg>
static void loadLanes(uint8_t *memory, const uint64_t *offsets, uint32_t stride,
                      uint32_t mask, void *reg) {
  Reg *d = static_cast<Reg *>(reg);
  auto load = [&](uint64_t offset) {
    Mem value;
    std::memcpy(&value, memory + offset, sizeof(Mem));
    return static_cast<Reg>(value);
  };
  if (stride == sizeof(Mem)) {
    for (unsigned i = 0; i < kLanes; ++i)
      d[i] = load(i * sizeof(Mem));
    return;
  }
  if (stride) {
    for (unsigned i = 0; i < kLanes; ++i)
      d[i] = load(uint64_t(i) * stride);
    return;
  }
  forEachLane(mask, [&](unsigned lane) { d[lane] = load(offsets[lane]); });
}

template <typename Mem, typename Reg>
static void storeLanesTo(uint8_t *memory, const uint64_t *offsets,
                         uint32_t stride, uint32_t mask, void *reg) {
  const Reg *s = static_cast<const Reg *>(reg);
  auto store = [&](uint64_t offset, Reg value) {
    Mem narrow = static_cast<Mem>(value);
    std::memcpy(memory + offset, &narrow, sizeof(Mem));
  };
  if (stride == sizeof(Mem)) {
    for (unsigned i = 0; i < kLanes; ++i)
      store(i * sizeof(Mem), s[i]);
    return;
  }
  if (stride) {
    for (unsigned i = 0; i < kLanes; ++i)
      store(uint64_t(i) * stride, s[i]);
    return;
  }
  forEachLane(mask, [&](unsigned lane) { store(offsets[lane], s[lane]); });
}

template <typename Mem>
static CopyFn selectCopyTo(unsigned registerBytes, bool isStore) {
  switch (registerBytes) {
  case 1:
    return isStore ? storeLanesTo<Mem, uint8_t> : loadLanes<Mem, uint8_t>;
  case 2:
    return isStore ? storeLanesTo<Mem, uint16_t> : loadLanes<Mem, uint16_t>;
  case 4:
    return isStore ? storeLanesTo<Mem, uint32_t> : loadLanes<Mem, uint32_t>;
  case 8:
    return isStore ? storeLanesTo<Mem, uint64_t> : loadLanes<Mem, uint64_t>;
  default:
    return nullptr;
  }
}

static CopyFn selectCopy(unsigned bytes, bool isSigned, unsigned registerBytes,
                         bool isStore) {
  switch (bytes) {
  case 1:
    return isSigned ? selectCopyTo<int8_t>(registerBytes, isStore)
                    : selectCopyTo<uint8_t>(registerBytes, isStore);
  case 2:
    return isSigned ? selectCopyTo<int16_t>(registerBytes, isStore)
                    : selectCopyTo<uint16_t>(registerBytes, isStore);
  case 4:
    return isSigned ? selectCopyTo<int32_t>(registerBytes, isStore)
                    : selectCopyTo<uint32_t>(registerBytes, isStore);
  case 8:
    return selectCopyTo<uint64_t>(registerBytes, isStore);
  default:
    return isStore ? storeLanesTo<Wide, Wide> : loadLanes<Wide, Wide>;
  }
}

/// The distance of lanes when all 32 address consecutive pieces; else 0.
static uint32_t findStride(const uint64_t offsets[kLanes], uint32_t bytes,
                           uint32_t lanes) {
  return lanes == kAllLanes && areConsecutive(offsets, bytes) ? bytes : 0;
}

namespace {
/// An access to one region, about to take place.
struct Transfer {
  Warp &warp;
  const LoadStorePlan &plan;
  const Region &region;
  const uint64_t *offsets;
  uint32_t lanes;

  void copy(uint32_t lanes) const {
    uint32_t stride = findStride(offsets, plan.getBytes(), lanes);
    if (region.laneStride)
      stride = 0;
    uint8_t *memory = region.data + (stride ? offsets[0] : 0);
    for (uint32_t i = 0; i < plan.numElements; ++i) {
      const OperandRef &ref = plan.registers[i];
      if (ref.isPresent)
        plan.copies[i](memory + uint64_t(i) * plan.elementBytes, offsets,
                       stride, lanes,
                       const_cast<uint8_t *>(warp.read<uint8_t>(ref)));
    }
  }
  ordering::Effect asEffect() const {
    return {[](void *context, uint32_t lanes) {
              static_cast<const Transfer *>(context)->copy(lanes);
            },
            const_cast<Transfer *>(this)};
  }
};
} // namespace

/// Offsets with the lane's copy of local memory added.
static const uint64_t *addLaneStride(const Region &region,
                                     const uint64_t *offsets,
                                     uint64_t moved[kLanes]) {
  if (!region.laneStride)
    return offsets;
  for (unsigned i = 0; i < kLanes; ++i)
    moved[i] = offsets[i] + i * region.laneStride;
  return moved;
}

//===----------------------------------------------------------------------===//
// Undefined bits
//===----------------------------------------------------------------------===//

static void loadUndefined(const Transfer &transfer) {
  const LoadStorePlan &plan = transfer.plan;
  Warp &warp = transfer.warp;
  for (uint32_t i = 0; i < plan.numElements; ++i) {
    const OperandRef &ref = plan.registers[i];
    if (!ref.isPresent)
      continue;
    alignas(64) uint8_t bits[16 * kLanes] = {};
    forEachLane(transfer.lanes, [&](unsigned lane) {
      uint8_t mask[16] = {};
      transfer.region.undefined->read(transfer.offsets[lane] +
                                          uint64_t(i) * plan.elementBytes,
                                      plan.elementBytes, mask);
      // Sign extension copies the last bit.
      if (plan.isSigned && mask[plan.elementBytes - 1] & 0x80)
        std::memset(mask + plan.elementBytes, 0xFF, 16 - plan.elementBytes);
      std::memcpy(bits + size_t(lane) * ref.bytes, mask, ref.bytes);
    });
    warp.writeUndefined(ref, transfer.lanes, bits);
  }
}

static bool isAnyUndefined(const Transfer &transfer) {
  const UndefinedBits &undefined = *transfer.region.undefined;
  if (undefined.isClean())
    return false;
  uint32_t bytes = transfer.plan.getBytes();
  if (findStride(transfer.offsets, bytes, transfer.lanes) &&
      !transfer.region.laneStride)
    return undefined.any(transfer.offsets[0], uint64_t(bytes) * kLanes);
  bool any = false;
  forEachLane(transfer.lanes, [&](unsigned lane) {
    any = any || undefined.any(transfer.offsets[lane], bytes);
  });
  return any;
}

static void storeUndefined(const Transfer &transfer) {
  const LoadStorePlan &plan = transfer.plan;
  UndefinedBits &undefined = *transfer.region.undefined;
  uint32_t tainted = 0;
  for (const OperandRef &ref : plan.registers)
    tainted |= transfer.warp.getTainted(ref, transfer.lanes);
  if (!tainted) {
    if (undefined.isClean())
      return;
    uint32_t bytes = plan.getBytes();
    if (findStride(transfer.offsets, bytes, transfer.lanes) &&
        !transfer.region.laneStride)
      return undefined.markDefined(transfer.offsets[0],
                                   uint64_t(bytes) * kLanes);
    return forEachLane(transfer.lanes, [&](unsigned lane) {
      undefined.markDefined(transfer.offsets[lane], bytes);
    });
  }
  for (uint32_t i = 0; i < plan.numElements; ++i) {
    alignas(64) uint8_t bits[16 * kLanes] = {};
    const OperandRef &ref = plan.registers[i];
    transfer.warp.readUndefined(ref, transfer.lanes, bits);
    forEachLane(transfer.lanes, [&](unsigned lane) {
      undefined.write(transfer.offsets[lane] + uint64_t(i) * plan.elementBytes,
                      std::min<uint64_t>(plan.elementBytes, ref.bytes),
                      bits + size_t(lane) * ref.bytes);
    });
  }
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Bytes that a store writes, lane by lane, for the check of equal writes.
static void gatherStored(const Transfer &transfer, uint8_t *values) {
  const LoadStorePlan &plan = transfer.plan;
  uint32_t bytes = plan.getBytes();
  for (uint32_t i = 0; i < plan.numElements; ++i) {
    const OperandRef &ref = plan.registers[i];
    const uint8_t *source = transfer.warp.read<uint8_t>(ref);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      std::memcpy(values + lane * bytes + i * plan.elementBytes,
                  source + size_t(lane) * ref.bytes,
                  std::min<size_t>(plan.elementBytes, ref.bytes));
  }
}

template <bool kIsStore>
static Outcome execAccess(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const LoadStorePlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  const Options &options = warp.getLaunch().options;
  bool isStrong = plan.qualifiers.order != MemoryOrder::Weak;
  bool isRepeated = false;
  Outcome outcome = warp.forEachRegion(
      inst, plan.qualifiers.space, addresses, plan.getBytes(), plan.getBytes(),
      mask, [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        uint64_t moved[kLanes];
        Transfer transfer{warp, plan, region,
                          addLaneStride(region, offsets, moved), lanes};
        if (options.collectStatistics)
          countAccess(warp, inst, region.kind, offsets, plan.getBytes(), lanes);
        if (kIsStore && region.kind == Region::Kind::Param)
          return warp.trap(inst, "bounds", unsigned(__builtin_ctz(lanes)),
                           "expected a store to memory, but got one to the "
                           "parameters of the kernel");
        bool isShareable = region.kind == Region::Kind::Global ||
                           region.kind == Region::Kind::Shared;
        if (options.checkOrdering && isShareable) {
          alignas(64) uint8_t values[32 * kLanes];
          OrderedAccess access{kIsStore ? AccessKind::Write : AccessKind::Read,
                               plan.qualifiers.order, plan.qualifiers.scope,
                               nullptr, false};
          if (kIsStore) {
            gatherStored(transfer, values);
            access.values = values;
          }
          orderAccess(warp, inst, region, transfer.offsets, plan.getBytes(),
                      lanes, access, transfer.asEffect());
        } else {
          transfer.copy(lanes);
        }
        if (options.checkDefinedness) {
          if (kIsStore) {
            if (region.undefined)
              storeUndefined(transfer);
          } else if (region.undefined && isAnyUndefined(transfer)) {
            loadUndefined(transfer);
          } else {
            for (const OperandRef &ref : plan.registers)
              warp.markDefined(ref, lanes);
          }
        }
        if (!kIsStore && isStrong) {
          unsigned lane = unsigned(__builtin_ctz(lanes));
          isRepeated |= warp.isRepeatedLoad(
              inst, addresses[lane], warp.readLane(plan.registers[0], lane));
        }
        return Outcome::Next;
      });
  if (outcome == Outcome::Next && isRepeated)
    return Outcome::Polled;
  return outcome;
}

template <typename T> static void repeatFirst(void *values) {
  T *lanes = static_cast<T *>(values);
  T first = lanes[0];
  for (unsigned i = 0; i < kLanes; ++i)
    lanes[i] = first;
}
/// The value of lane 0 in all lanes.
static void repeatFirstLane(void *values, unsigned bytes) {
  switch (bytes) {
  case 1:
    return repeatFirst<uint8_t>(values);
  case 2:
    return repeatFirst<uint16_t>(values);
  case 4:
    return repeatFirst<uint32_t>(values);
  case 8:
    return repeatFirst<uint64_t>(values);
  default:
    return repeatFirst<Wide>(values);
  }
}

/// Kernel parameters: the same in all lanes, always defined.
static Outcome execLoadParameter(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const LoadStorePlan &>(*inst.plan);
  const uint8_t *bytes = warp.getLaunch().parameters.data() + inst.imm;
  for (uint32_t i = 0; i < plan.numElements; ++i) {
    const OperandRef &ref = plan.registers[i];
    if (!ref.isPresent)
      continue;
    uint64_t zeros[kLanes] = {};
    void *values = warp.write<void>(ref);
    bool isWhole = mask == kAllLanes;
    plan.copies[i](const_cast<uint8_t *>(bytes) + i * plan.elementBytes, zeros,
                   0, isWhole ? 1 : mask, values);
    if (isWhole)
      repeatFirstLane(values, ref.bytes);
    warp.markDefined(ref, mask);
  }
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// `.v2`, `.v4`, `.v8`.
static unsigned takeVectorSize(DecodeContext &context) {
  static constexpr Choice<unsigned> kSizes[] = {
      {"v2", 2}, {"v4", 4}, {"v8", 8}};
  return context.choose(kSizes, 1u);
}

/// A parameter variable of a function, and the space that it really is in.
static AddressSpace resolveParameter(const DecodeContext &context,
                                     const DecodeContext::Address &address) {
  bool isEntryParameter =
      context.getFunction().isEntry &&
      (!address.variable || (address.variable->index & kParameterBit));
  return isEntryParameter ? AddressSpace::Param : AddressSpace::Local;
}

static bool decodeAccess(DecodeContext &context, bool isStore) {
  LoadStorePlan &plan = context.makePlan<LoadStorePlan>();
  takeOrder(context, plan.qualifiers, MemoryOrder::Weak);
  plan.qualifiers.space = takeSpace(context);
  unsigned count = takeCacheHints(context);
  plan.numElements = takeVectorSize(context);
  Type type = context.takeType();
  if (type == Type::None || type == Type::Pred)
    return context.error("expected a type");
  if (count != 2)
    return context.error("expected 2 operands, but got " +
                         std::to_string(count));
  plan.elementBytes = getByteSize(type);
  plan.isSigned =
      !isStore && (type == Type::S8 || type == Type::S16 || type == Type::S32);
  const Operand &value = context.getOperand(isStore ? 1 : 0);
  plan.registers = isStore ? context.readVector(value, type, true)
                           : context.writeVector(value, type, true);
  if (plan.registers.size() != plan.numElements)
    return context.error("expected " + std::to_string(plan.numElements) +
                         " elements, but got " +
                         std::to_string(plan.registers.size()));
  if (plan.getBytes() > 32)
    return context.error("expected at most 32 bytes for each lane");
  for (const OperandRef &ref : plan.registers) {
    if (!ref.isPresent)
      return true;
    CopyFn copy =
        ref.bytes < plan.elementBytes
            ? nullptr
            : selectCopy(plan.elementBytes, plan.isSigned, ref.bytes, isStore);
    if (!copy)
      return context.error("expected registers of at least " +
                           std::to_string(plan.elementBytes) + " bytes");
    plan.copies.push_back(copy);
  }
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(isStore ? 0 : 1), address))
    return true;
  if (plan.qualifiers.space == AddressSpace::Param)
    plan.qualifiers.space = resolveParameter(context, address);
  bool isDirect = plan.qualifiers.space == AddressSpace::Param &&
                  address.variable && !isStore;
  if (isDirect) {
    uint32_t index = address.variable->index & ~kParameterBit;
    uint64_t place = uint64_t(address.variable->integer) + address.offset;
    const Variable &parameter = context.getFunction().parameters[index];
    if (place > parameter.size || plan.getBytes() > parameter.size - place)
      return context.error("expected a load within the " +
                           std::to_string(parameter.size) + " bytes of '" +
                           std::string(parameter.name) + "'");
    Inst &inst = context.emitExec(InstClass::Load, execLoadParameter);
    inst.plan = &plan;
    inst.imm = context.getCode().parameterOffsets[index] + place;
    return true;
  }
  Inst &inst = context.emitExec(isStore ? InstClass::Store : InstClass::Load,
                                isStore ? execAccess<true> : execAccess<false>);
  inst.plan = &plan;
  inst.a = address.base;
  inst.imm = address.offset;
  return true;
}

static bool decodeLoad(DecodeContext &context) {
  return decodeAccess(context, false);
}
static bool decodeStore(DecodeContext &context) {
  return !context.has("async") && decodeAccess(context, true);
}

/// Prefetches and priorities move no values (R14).
static bool decodeHint(DecodeContext &context) {
  takeSpace(context);
  for (unsigned i = 0; i < 3; ++i)
    context.takePrefix("L");
  context.takeHints({"tensormap"});
  return true;
}

OpcodeTable getMemoryOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"ld", decodeLoad},        {"ldu", decodeLoad},
      {"st", decodeStore},       {"prefetch", decodeHint},
      {"prefetchu", decodeHint}, {"applypriority", decodeHint},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
