//===- Move.cpp - mov, cvta and their kin ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.9 (mov, cvta, isspacep), 5.1.5 (generic addresses).
//
//===----------------------------------------------------------------------===//

#include "Alu.h"
#include "Decoder.h"
#include "Taint.h"

#include <cstring>

namespace nvfp4::ptx {

namespace {
struct Wide {
  uint64_t low, high;
};
} // namespace

template <typename T> static void moveLanes(const AluArgs &args) {
  lanes1<T, T>(args, [](T a) { return a; });
}

/// 16 bytes do not fit a vector element.
static void moveWide(const AluArgs &args) {
  forEachLane(args.mask, [&](unsigned lane) {
    static_cast<Wide *>(args.d)[lane] = static_cast<const Wide *>(args.a)[lane];
  });
}

static void movePredicate(const AluArgs &args) {
  storePredicate(args.d, *static_cast<const uint32_t *>(args.a), args.mask);
}

static AluFn selectMove(unsigned bytes) {
  switch (bytes) {
  case 0:
    return movePredicate;
  case 1:
    return moveLanes<uint8_t>;
  case 2:
    return moveLanes<uint16_t>;
  case 4:
    return moveLanes<uint32_t>;
  case 8:
    return moveLanes<uint64_t>;
  default:
    return moveWide;
  }
}

//===----------------------------------------------------------------------===//
// Packing and unpacking
//===----------------------------------------------------------------------===//

/// d = {a, b, c, f}, lowest first; two or four parts.
template <typename D, typename A, unsigned kParts>
static void packLanes(const AluArgs &args) {
  D *d = static_cast<D *>(args.d);
  const void *sources[4] = {args.a, args.b, args.c, args.f};
  forEachLane(args.mask, [&](unsigned lane) {
    A parts[kParts];
    for (unsigned i = 0; i < kParts; ++i)
      parts[i] = static_cast<const A *>(sources[i])[lane];
    std::memcpy(&d[lane], parts, sizeof(D));
  });
}

static void pack16x2(const AluArgs &args) {
  lanes2<uint32_t, uint16_t>(args, [](uint16_t a, uint16_t b) {
    return uint32_t(a) | uint32_t(b) << 16;
  });
}
static void pack32x2(const AluArgs &args) {
  lanes2<uint64_t, uint32_t>(args, [](uint32_t a, uint32_t b) {
    return uint64_t(a) | uint64_t(b) << 32;
  });
}

/// d = part `aux` of a.
template <typename D, typename A> static void unpackLanes(const AluArgs &args) {
  unsigned shift = args.aux * 8 * sizeof(D);
  lanes1<D, A>(args, [=](A a) { return D(a >> shift); });
}
template <typename D> static void unpackWide(const AluArgs &args) {
  const auto *a = static_cast<const uint8_t *>(args.a);
  D *d = static_cast<D *>(args.d);
  forEachLane(args.mask, [&](unsigned lane) {
    std::memcpy(&d[lane], a + lane * 16 + args.aux * sizeof(D), sizeof(D));
  });
}

namespace {
struct PackRow {
  unsigned whole, part;
  AluFn pack, unpack;
};
} // namespace

static constexpr PackRow kPackRows[] = {
    {2, 1, packLanes<uint16_t, uint8_t, 2>, unpackLanes<uint8_t, uint16_t>},
    {4, 1, packLanes<uint32_t, uint8_t, 4>, unpackLanes<uint8_t, uint32_t>},
    {4, 2, pack16x2, unpackLanes<uint16_t, uint32_t>},
    {8, 2, packLanes<uint64_t, uint16_t, 4>, unpackLanes<uint16_t, uint64_t>},
    {8, 4, pack32x2, unpackLanes<uint32_t, uint64_t>},
    {16, 4, packLanes<Wide, uint32_t, 4>, unpackWide<uint32_t>},
    {16, 8, packLanes<Wide, uint64_t, 2>, unpackWide<uint64_t>},
};

static Type getBitsType(unsigned bytes) {
  switch (bytes) {
  case 1:
    return Type::B8;
  case 2:
    return Type::B16;
  case 4:
    return Type::B32;
  case 8:
    return Type::B64;
  default:
    return Type::B128;
  }
}

static const PackRow *findPackRow(unsigned whole, unsigned parts) {
  for (const PackRow &row : kPackRows)
    if (row.whole == whole && row.part * parts == whole)
      return &row;
  return nullptr;
}

static bool decodePack(DecodeContext &context, Type type) {
  const Operand &list = context.getOperand(1);
  const PackRow *row = findPackRow(getByteSize(type), list.numChildren);
  if (!row)
    return context.error("expected a vector that fills the type, but got " +
                         std::to_string(list.numChildren) + " elements");
  std::vector<OperandRef> parts =
      context.readVector(list, getBitsType(row->part));
  OperandRef d = context.writeOperand(0, type);
  parts.resize(4);
  context
      .emitAlu(InstClass::Move, row->pack, d, parts[0], parts[1], parts[2],
               parts[3])
      .taint = taintMoved;
  return true;
}

static bool decodeUnpack(DecodeContext &context, Type type) {
  const Operand &list = context.getOperand(0);
  const PackRow *row = findPackRow(getByteSize(type), list.numChildren);
  if (!row)
    return context.error("expected a vector that fills the type, but got " +
                         std::to_string(list.numChildren) + " elements");
  OperandRef a = context.readOperand(1, type);
  // A part may be the source itself: read all before the first is written.
  OperandRef copy = context.makeRegister(getBitsType(row->whole));
  context.emitAlu(InstClass::Move, selectMove(row->whole), copy, a).taint =
      taintMoved;
  for (unsigned i = 0; i < list.numChildren; ++i) {
    const Operand &part = context.getChild(list, i);
    if (part.kind == Operand::Kind::Sink)
      continue;
    OperandRef d = context.writeOperand(part, getBitsType(row->part));
    Inst &inst = context.emitAlu(InstClass::Move, row->unpack, d, copy);
    inst.aux = i;
    inst.taint = taintMoved;
  }
  return true;
}

static bool decodeMove(DecodeContext &context) {
  Type type = context.takeType();
  if (type == Type::None || !context.expectOperands(2))
    return context.error("expected a type");
  bool isVector = context.getOperand(1).kind == Operand::Kind::Vector;
  // `{ %r1 }` is `%r1`.
  if (isVector && context.getOperand(1).numChildren > 1)
    return decodePack(context, type);
  if (context.getOperand(0).kind == Operand::Kind::Vector &&
      context.getOperand(0).numChildren > 1)
    return decodeUnpack(context, type);
  OperandRef a = context.readVector(context.getOperand(1), type)[0];
  OperandRef d = context.writeVector(context.getOperand(0), type)[0];
  context.emitAlu(InstClass::Move, selectMove(d.bytes), d, a).taint =
      taintMoved;
  return true;
}

//===----------------------------------------------------------------------===//
// Generic addresses
//===----------------------------------------------------------------------===//

namespace {
struct Window {
  uint64_t base;
  bool isWindow;
};
} // namespace

static constexpr Choice<Window> kWindows[] = {
    {"global", {0, false}},
    {"const", {0, false}},
    {"shared", {kSharedWindow, true}},
    {"shared::cta", {kSharedWindow, true}},
    {"shared::cluster", {kSharedWindow, true}},
    {"local", {kLocalWindow, true}},
    {"param", {kParamWindow, true}},
    {"param::entry", {kParamWindow, true}},
};

static bool decodeConvertAddress(DecodeContext &context) {
  bool isFromGeneric = context.take("to");
  Window window = context.choose(kWindows, Window{~uint64_t(0), false});
  Type type = context.takeType();
  if (window.base == ~uint64_t(0) || type == Type::None)
    return context.error("expected a state space and a size");
  if (!context.expectOperands(2))
    return true;
  OperandRef a = context.readOperand(1, type);
  OperandRef d = context.writeOperand(0, type);
  if (!window.isWindow) {
    context.emitAlu(InstClass::Move, selectMove(d.bytes), d, a).taint =
        taintMoved;
    return true;
  }
  if (d.bytes != 8)
    return context.error("expected 64-bit addresses");
  AluFn toGeneric = [](const AluArgs &args) {
    uint64_t base = uint64_t(args.aux) << 40;
    lanes1<uint64_t, uint64_t>(args, [=](uint64_t a) { return a + base; });
  };
  AluFn fromGeneric = [](const AluArgs &args) {
    uint64_t base = uint64_t(args.aux) << 40;
    lanes1<uint64_t, uint64_t>(args, [=](uint64_t a) { return a - base; });
  };
  context
      .emitAlu(InstClass::Move, isFromGeneric ? fromGeneric : toGeneric, d, a)
      .aux = uint32_t(window.base >> 40);
  return true;
}

static bool decodeIsSpace(DecodeContext &context) {
  bool isLocalCta = context.has("shared::cta") || context.has("shared");
  Window window = context.choose(kWindows, Window{~uint64_t(0), false});
  if (window.base == ~uint64_t(0) || !context.expectOperands(2))
    return context.error("expected a state space");
  OperandRef d = context.writeOperand(0, Type::Pred);
  OperandRef a = context.readOperand(1, Type::U64, true);
  Inst &inst = context.emitExec(
      InstClass::Move, [](Warp &warp, const Inst &inst, uint32_t mask) {
        uint32_t bits = 0;
        uint64_t addresses[kLanes];
        warp.readUnsigned(inst.a, addresses);
        for (unsigned lane = 0; lane < kLanes; ++lane) {
          bool isIn = inst.imm ? addresses[lane] - inst.imm < kWindowBytes
                               : addresses[lane] >= kGlobalBase;
          // The CTA's own part of the shared window.
          if (inst.aux)
            isIn &= (addresses[lane] - inst.imm) >> kSharedRankShift ==
                    warp.getCta().getRank();
          bits |= uint32_t(isIn) << lane;
        }
        storePredicate(warp.write<uint32_t>(inst.d), bits, mask);
        uint32_t undefined = warp.getTainted(inst.a, mask);
        warp.markDefined(inst.d, mask & ~undefined);
        warp.markUndefined(inst.d, undefined);
        return Outcome::Next;
      });
  inst.d = d, inst.a = a;
  inst.imm = window.base;
  inst.aux = isLocalCta;
  return true;
}

OpcodeTable getMoveOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"mov", decodeMove},
      {"cvta", decodeConvertAddress},
      {"isspacep", decodeIsSpace},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
