//===- MatrixLoad.cpp - ldmatrix, stmatrix and movmatrix ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lane i supplies the address of row i; rows are accessed as one piece of 16
// bytes each. Where the bytes of the rows go is Matrix/MatrixMoves.h.
//
// Source: PTX ISA 9.7.14.5.15 to 9.7.14.5.17.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "Machine/Observe.h"
#include "Machine/Ordering.h"
#include "Matrix/MatrixMoves.h"
#include "MemoryQualifiers.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

using ordering::AccessKind;

namespace {
using Row = uint8_t[kMatrixRowBytes];

struct MatrixMovePlan final : Plan {
  AddressSpace space = AddressSpace::Generic;
  MatrixLoad load;
  MatrixStore store;
  unsigned numRows = 0;
  std::vector<OperandRef> registers;
};

/// The rows of one instruction, and what is undefined of them.
struct Rows {
  alignas(64) Row bytes[kLanes] = {};
  alignas(64) Row undefined[kLanes] = {};
  bool isAnyUndefined = false;
};

/// An access to one region, about to take place.
struct RowAccess {
  const Region &region;
  const uint64_t *offsets;
  Row *bytes;
};
} // namespace

template <bool kIsStore> static void moveRows(void *context, uint32_t lanes) {
  auto &access = *static_cast<const RowAccess *>(context);
  forEachLane(lanes, [&](unsigned lane) {
    uint8_t *memory = access.region.data + access.offsets[lane];
    uint8_t *row = access.bytes[lane];
    std::memcpy(kIsStore ? memory : row, kIsStore ? row : memory,
                kMatrixRowBytes);
  });
}

/// Undefined bits of rows, from memory or to it.
template <bool kIsStore>
static void moveUndefined(const Region &region, const uint64_t *offsets,
                          uint32_t lanes, Rows &rows) {
  if (!region.undefined)
    return;
  if (!kIsStore && !rows.isAnyUndefined) {
    forEachLane(lanes, [&](unsigned lane) {
      rows.isAnyUndefined |=
          region.undefined->any(offsets[lane], kMatrixRowBytes);
    });
    if (!rows.isAnyUndefined)
      return;
  }
  forEachLane(lanes, [&](unsigned lane) {
    if (!kIsStore)
      region.undefined->read(offsets[lane], kMatrixRowBytes,
                             rows.undefined[lane]);
    else if (rows.isAnyUndefined)
      region.undefined->write(offsets[lane], kMatrixRowBytes,
                              rows.undefined[lane]);
    else
      region.undefined->markDefined(offsets[lane], kMatrixRowBytes);
  });
}

/// Reads or writes the rows whose addresses `lanes` supply.
template <bool kIsStore>
static Outcome accessRows(Warp &warp, const Inst &inst, uint32_t lanes,
                          Rows &rows) {
  auto &plan = static_cast<const MatrixMovePlan &>(*inst.plan);
  uint64_t addresses[kLanes];
  if (!warp.readAddresses(inst, inst.a, inst.imm, lanes, addresses))
    return Outcome::Stop;
  const Options &options = warp.getLaunch().options;
  auto visit = [&](const Region &region, uint32_t lanes,
                   const uint64_t *offsets) {
    if (region.kind != Region::Kind::Shared)
      return warp.trap(inst, "bounds", unsigned(__builtin_ctz(lanes)),
                       "expected the address of a row in shared memory");
    if (options.collectStatistics)
      countAccess(warp, inst, region.kind, offsets, kMatrixRowBytes, lanes);
    RowAccess access{region, offsets, rows.bytes};
    ordering::Effect effect{moveRows<kIsStore>, &access};
    OrderedAccess ordered;
    ordered.kind = kIsStore ? AccessKind::Write : AccessKind::Read;
    ordered.values = kIsStore ? rows.bytes[0] : nullptr;
    orderAccess(warp, inst, region, offsets, kMatrixRowBytes, lanes, ordered,
                effect);
    if (options.checkDefinedness)
      moveUndefined<kIsStore>(region, offsets, lanes, rows);
    return Outcome::Next;
  };
  return warp.forEachRegion(inst, plan.space, addresses, kMatrixRowBytes,
                            kMatrixRowBytes, lanes, visit);
}

static uint32_t getRowLanes(const MatrixMovePlan &plan) {
  return kAllLanes >> (kLanes - plan.numRows);
}

static Outcome execLoadMatrix(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MatrixMovePlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  Rows rows;
  // Lanes that do not exist supply no row.
  forEachLane(getRowLanes(plan) & ~mask, [&](unsigned lane) {
    std::memset(rows.undefined[lane], 0xFF, kMatrixRowBytes);
    rows.isAnyUndefined = true;
  });
  outcome = accessRows<false>(warp, inst, getRowLanes(plan) & mask, rows);
  if (outcome != Outcome::Next)
    return outcome;
  uint32_t *registers[kMaxMoveRegisters] = {};
  for (size_t i = 0; i < plan.registers.size(); ++i)
    registers[i] = warp.write<uint32_t>(plan.registers[i]);
  plan.load.distribute(rows.bytes, registers);
  if (!rows.isAnyUndefined) {
    for (const OperandRef &ref : plan.registers)
      warp.markDefined(ref, mask);
    return Outcome::Next;
  }
  uint32_t bits[kMaxMoveRegisters][kLanes];
  for (unsigned i = 0; i < kMaxMoveRegisters; ++i)
    registers[i] = bits[i];
  plan.load.distribute(rows.undefined, registers);
  for (size_t i = 0; i < plan.registers.size(); ++i)
    warp.writeUndefined(plan.registers[i], mask, bits[i]);
  return Outcome::Next;
}

static Outcome execStoreMatrix(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const MatrixMovePlan &>(*inst.plan);
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  Rows rows;
  const uint32_t *registers[kMaxMoveRegisters] = {};
  for (size_t i = 0; i < plan.registers.size(); ++i) {
    registers[i] = warp.read<uint32_t>(plan.registers[i]);
    rows.isAnyUndefined |= warp.getTainted(plan.registers[i], mask) != 0;
  }
  plan.store.collect(registers, rows.bytes);
  if (rows.isAnyUndefined) {
    uint32_t bits[kMaxMoveRegisters][kLanes];
    for (size_t i = 0; i < plan.registers.size(); ++i) {
      warp.readUndefined(plan.registers[i], mask, bits[i]);
      registers[i] = bits[i];
    }
    plan.store.collect(registers, rows.undefined);
  }
  return accessRows<true>(warp, inst, getRowLanes(plan) & mask, rows);
}

static Outcome execTranspose(Warp &warp, const Inst &inst, uint32_t mask) {
  Outcome outcome = warp.converge(inst, mask, kAllLanes);
  if (outcome != Outcome::Next)
    return outcome;
  uint32_t result[kLanes], from[kLanes], bits[kLanes];
  transposeMatrix(warp.read<uint32_t>(inst.a), result);
  bool isTainted = warp.getTainted(inst.a, mask);
  if (isTainted) {
    warp.readUndefined(inst.a, mask, from);
    transposeMatrix(from, bits);
  }
  std::copy(result, result + kLanes, warp.write<uint32_t>(inst.d));
  warp.markDefined(inst.d, mask);
  if (isTainted)
    warp.writeUndefined(inst.d, mask, bits);
  return Outcome::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// What ldmatrix and stmatrix say.
namespace {
struct Form {
  MoveShape shape;
  int count = 0;
  bool isTransposed = false;
  MoveFormat format;
};
} // namespace

/// Takes all qualifiers. False after an error.
static bool takeForm(DecodeContext &context, MatrixMovePlan &plan, Form &form) {
  static constexpr Choice<int> kShapes[] = {
      {"m8n8", int(MoveShape::M8N8)},
      {"m8n16", int(MoveShape::M8N16)},
      {"m16n16", int(MoveShape::M16N16)},
      {"m16n8", int(MoveShape::M16N8)},
  };
  static constexpr Choice<int> kCounts[] = {{"x1", 1}, {"x2", 2}, {"x4", 4}};
  static constexpr Choice<int> kFormats[] = {
      {"b16", int(MoveFormat::B16)},
      {"b8", int(MoveFormat::B8)},
      {"b4x16_p64", int(MoveFormat::B8x16FromB4x16P64)},
      {"b6x16_p32", int(MoveFormat::B8x16FromB6x16P32)},
  };
  context.takeHints({"sync", "aligned"});
  int shape = context.choose(kShapes, -1);
  form.count = context.choose(kCounts, 0);
  form.isTransposed = context.take("trans");
  plan.space = takeSpace(context);
  int format = context.choose(kFormats, -1);
  if (shape < 0 || !form.count || format < 0) {
    context.error("expected a shape, .x1, .x2 or .x4, and a type");
    return false;
  }
  form.shape = MoveShape(shape);
  form.format = MoveFormat(format);
  bool isWidening = form.format == MoveFormat::B8x16FromB4x16P64 ||
                    form.format == MoveFormat::B8x16FromB6x16P32;
  if (isWidening != context.take("b8x16")) {
    context.error("expected .b8x16 exactly with .b4x16_p64 and .b6x16_p32");
    return false;
  }
  if (plan.space != AddressSpace::Generic &&
      plan.space != AddressSpace::Shared) {
    context.error("expected .shared or a generic address");
    return false;
  }
  return form.shape == MoveShape::M8N8 ||
         requireFeature(context, ChipFeature::NarrowMatrixLoad);
}

/// Everything but the form itself.
static bool finishMove(DecodeContext &context, MatrixMovePlan &plan,
                       size_t numRegisters, bool isStore) {
  if (!context.expectOperands(2))
    return true;
  const Operand &list = context.getOperand(isStore ? 1 : 0);
  plan.registers = isStore ? context.readVector(list, Type::B32)
                           : context.writeVector(list, Type::B32);
  if (plan.registers.size() != numRegisters)
    return context.error("expected " + std::to_string(numRegisters) +
                         " registers, but got " +
                         std::to_string(plan.registers.size()));
  DecodeContext::Address address;
  if (!context.readAddress(context.getOperand(isStore ? 0 : 1), address))
    return true;
  Inst &inst = context.emitExec(isStore ? InstClass::Store : InstClass::Load,
                                isStore ? execStoreMatrix : execLoadMatrix);
  inst.plan = &plan;
  inst.a = address.base;
  inst.imm = address.offset;
  return true;
}

static bool decodeLoadMatrix(DecodeContext &context) {
  MatrixMovePlan &plan = context.makePlan<MatrixMovePlan>();
  Form form;
  if (!takeForm(context, plan, form))
    return true;
  Result<MatrixLoad> load = MatrixLoad::create(form.shape, form.count,
                                               form.isTransposed, form.format);
  if (!load)
    return context.error(load.getStatus().getMessage());
  plan.load = *load;
  plan.numRows = unsigned(load->getNumRows());
  return finishMove(context, plan, size_t(load->getNumRegisters()), false);
}

static bool decodeStoreMatrix(DecodeContext &context) {
  MatrixMovePlan &plan = context.makePlan<MatrixMovePlan>();
  Form form;
  if (!takeForm(context, plan, form))
    return true;
  Result<MatrixStore> store = MatrixStore::create(
      form.shape, form.count, form.isTransposed, form.format);
  if (!store)
    return context.error(store.getStatus().getMessage());
  plan.store = *store;
  plan.numRows = unsigned(store->getNumRows());
  return finishMove(context, plan, size_t(store->getNumRegisters()), true);
}

static bool decodeMoveMatrix(DecodeContext &context) {
  context.takeHints({"sync", "aligned"});
  if (!context.take("m8n8") || !context.take("trans") || !context.take("b16"))
    return context.error("expected movmatrix.sync.aligned.m8n8.trans.b16");
  if (!context.expectOperands(2))
    return true;
  OperandRef d = context.writeOperand(0, Type::B32);
  OperandRef a = context.readOperand(1, Type::B32);
  Inst &inst = context.emitExec(InstClass::Warp, execTranspose);
  inst.d = d, inst.a = a;
  return true;
}

OpcodeTable getMatrixMoveOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"ldmatrix", decodeLoadMatrix},
      {"stmatrix", decodeStoreMatrix},
      {"movmatrix", decodeMoveMatrix},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
