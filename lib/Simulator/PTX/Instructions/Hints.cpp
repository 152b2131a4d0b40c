//===- Hints.cpp - Instructions that ask for speed ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What changes no value is checked and forgotten. The exception is discard: it
// leaves memory undefined.
//
// Source: PTX ISA 9.7.9.16 (discard), 9.7.9.18 (createpolicy), 9.7.13.14
// (griddepcontrol), 9.7.19 (nanosleep, setmaxnreg).
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "MemoryQualifiers.h"

#include <algorithm>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// discard
//===----------------------------------------------------------------------===//

constexpr uint32_t kDiscardBytes = 128;
/// The widest access of a lane that the order of accesses is kept for.
constexpr uint32_t kPieceBytes = 32;

static Outcome execDiscard(Warp &warp, const Inst &inst, uint32_t mask) {
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, mask, addresses))
    return Outcome::Stop;
  return warp.forEachRegion(
      inst, AddressSpace(inst.aux), addresses, kDiscardBytes, kDiscardBytes,
      mask, [&](const Region &region, uint32_t lanes, const uint64_t *offsets) {
        if (region.kind != Region::Kind::Global)
          return warp.trap(inst, "bounds", unsigned(__builtin_ctz(lanes)),
                           "expected an address of global memory");
        OrderedAccess access;
        access.kind = ordering::AccessKind::Write;
        ordering::Effect nothing{[](void *, uint32_t) {}, nullptr};
        for (uint32_t piece = 0; piece < kDiscardBytes; piece += kPieceBytes) {
          uint64_t places[kLanes];
          std::transform(offsets, offsets + kLanes, places,
                         [&](uint64_t offset) { return offset + piece; });
          orderAccess(warp, inst, region, places, kPieceBytes, lanes, access,
                      nothing);
        }
        if (warp.getLaunch().options.checkDefinedness)
          forEachLane(lanes, [&](unsigned lane) {
            region.undefined->markUndefined(offsets[lane], kDiscardBytes);
          });
        return Outcome::Next;
      });
}

static bool decodeDiscard(DecodeContext &context) {
  AddressSpace space = takeSpace(context);
  int64_t bytes = 0;
  if (!context.take("L2") || !context.expectOperands(2) ||
      !context.readImmediate(context.getOperand(1), bytes))
    return context.error("expected discard.global.L2 [a], 128");
  if (bytes != kDiscardBytes)
    return context.error("expected 128 bytes, but got " +
                         std::to_string(bytes));
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(0), address))
    return true;
  Inst &inst = context.emitExec(InstClass::Store, execDiscard);
  inst.a = address.base;
  inst.imm = address.offset;
  inst.aux = uint32_t(space);
  return true;
}

//===----------------------------------------------------------------------===//
// Policies
//===----------------------------------------------------------------------===//

/// A policy is opaque: only cache hints take it.
static bool decodeCreatePolicy(DecodeContext &context) {
  context.takeHints({"fractional", "range", "cvt", "global", "L2"});
  while (!context.takePrefix("L2::").empty())
    ;
  if (context.takeType() != Type::B64 || !context.expectOperands(1, 4))
    return context.error("expected a policy of type .b64");
  OperandRef d = context.writeOperand(0, Type::B64);
  ExecFn exec = [](Warp &warp, const Inst &inst, uint32_t mask) {
    forEachLane(mask, [&](unsigned lane) { warp.writeLane(inst.d, lane, 0); });
    warp.markDefined(inst.d, mask);
    return Outcome::Next;
  };
  context.emitExec(InstClass::Move, exec).d = d;
  return true;
}

//===----------------------------------------------------------------------===//
// Registers, time and grids
//===----------------------------------------------------------------------===//

static bool decodeSetMaxRegisters(DecodeContext &context) {
  context.takeHints({"sync", "aligned", "u32"});
  int64_t count = 0;
  if ((!context.take("inc") && !context.take("dec")) ||
      !context.expectOperands(1) ||
      !context.readImmediate(context.getOperand(0), count))
    return context.error("expected .inc or .dec and a number of registers");
  if (count < 24 || count > 256 || count % 8)
    return context.error("expected a multiple of 8 from 24 to 256, but got " +
                         std::to_string(count));
  if (!requireFeature(context, ChipFeature::RegisterReallocation))
    return true;
  ExecFn exec = [](Warp &warp, const Inst &inst, uint32_t mask) {
    return warp.converge(inst, mask, kAllLanes);
  };
  context.emitExec(InstClass::Control, exec);
  return true;
}

static bool decodeSleep(DecodeContext &context) {
  if (context.takeType() != Type::U32 || !context.expectOperands(1))
    return context.error("expected nanosleep.u32");
  context.readOperand(0, Type::U32);
  return true;
}

/// Grids run one after the other (R14).
static bool decodeGridDependency(DecodeContext &context) {
  if (!context.take("launch_dependents") && !context.take("wait"))
    return context.error("expected .launch_dependents or .wait");
  return true;
}

OpcodeTable getHintOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"discard", decodeDiscard},
      {"createpolicy", decodeCreatePolicy},
      {"setmaxnreg", decodeSetMaxRegisters},
      {"nanosleep", decodeSleep},
      {"griddepcontrol", decodeGridDependency},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
