//===- WarpOpsData.cpp - Shuffles and reductions in a warp ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.9.6 (shfl.sync), 9.7.13.12 (redux.sync).
//
//===----------------------------------------------------------------------===//

#include "Alu.h"
#include "ChipFeatures.h"
#include "WarpOps.h"

#include <algorithm>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// shfl
//===----------------------------------------------------------------------===//

namespace {
struct Source {
  uint32_t lane;
  bool isInRange;
};
/// Where `lane` reads from: `b` is the distance or lane, `c` packs the clamp
/// (bits 4:0) and the mask that divides the warp into segments (bits 12:8).
using SourceFn = Source (*)(uint32_t lane, uint32_t b, uint32_t c);
} // namespace

static uint32_t getLast(uint32_t lane, uint32_t c) {
  uint32_t segment = (c >> 8) & 31;
  return (lane & segment) | (c & 31 & ~segment);
}
static Source getUp(uint32_t lane, uint32_t b, uint32_t c) {
  int32_t source = int32_t(lane) - int32_t(b & 31);
  return {uint32_t(source), source >= int32_t(getLast(lane, c))};
}
static Source getDown(uint32_t lane, uint32_t b, uint32_t c) {
  uint32_t source = lane + (b & 31);
  return {source, source <= getLast(lane, c)};
}
static Source getButterfly(uint32_t lane, uint32_t b, uint32_t c) {
  uint32_t source = lane ^ (b & 31);
  return {source, source <= getLast(lane, c)};
}
static Source getIndexed(uint32_t lane, uint32_t b, uint32_t c) {
  uint32_t segment = (c >> 8) & 31;
  uint32_t source = (lane & segment) | (b & 31 & ~segment);
  return {source, source <= getLast(lane, c)};
}

/// The undefined bits of a shuffle move with the values. All are undefined
/// where the source takes no part or is not known.
static void shuffleUndefined(Warp &warp, const Inst &inst, uint32_t lanes,
                             const uint32_t sources[kLanes], uint32_t absent) {
  uint32_t unsure =
      warp.getTainted(inst.b, lanes) | warp.getTainted(inst.c, lanes);
  if (unsure | absent | warp.getTainted(inst.a, lanes)) {
    uint32_t from[kLanes], bits[kLanes];
    warp.readUndefined(inst.a, lanes, from);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      bits[lane] =
          ((absent | unsure) >> lane) & 1 ? ~0u : from[sources[lane] & 31];
    warp.writeUndefined(inst.d, lanes, bits);
  } else {
    warp.markDefined(inst.d, lanes);
  }
  warp.markDefined(inst.e, lanes);
  warp.markUndefined(inst.e, unsure);
}

template <SourceFn find>
static void shuffle(Warp &warp, const Inst &inst, uint32_t lanes) {
  const uint32_t *a = warp.read<uint32_t>(inst.a);
  const uint32_t *b = warp.read<uint32_t>(inst.b);
  const uint32_t *c = warp.read<uint32_t>(inst.c);
  uint32_t sources[kLanes], parts[kLanes], absences[kLanes], values[kLanes];
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    Source source = find(lane, b[lane], c[lane]);
    sources[lane] = source.isInRange ? source.lane : lane;
    parts[lane] = uint32_t(source.isInRange) << lane;
    absences[lane] = (~lanes >> (sources[lane] & 31) & 1) << lane;
  }
  uint32_t inRange = 0, absent = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    inRange |= parts[lane];
    absent |= absences[lane];
    values[lane] = a[sources[lane] & 31];
  }
  absent &= lanes;
  uint32_t *d = warp.write<uint32_t>(inst.d);
  shuffleUndefined(warp, inst, lanes, sources, absent);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    uint32_t value = (absent >> lane) & 1 ? 0 : values[lane];
    d[lane] = (lanes >> lane) & 1 ? value : d[lane];
  }
  if (inst.e.isPresent)
    storePredicate(warp.write<uint32_t>(inst.e), inRange, lanes);
}

static bool decodeShuffle(DecodeContext &context) {
  static constexpr Choice<SyncForms> kModes[] = {
      {"up", getForms<shuffle<getUp>>()},
      {"down", getForms<shuffle<getDown>>()},
      {"bfly", getForms<shuffle<getButterfly>>()},
      {"idx", getForms<shuffle<getIndexed>>()},
  };
  bool isSync = context.take("sync");
  SyncForms forms = context.choose(kModes, SyncForms());
  if (!forms.sync || context.takeType() != Type::B32)
    return context.error("expected .up, .down, .bfly or .idx of type .b32");
  if (!context.expectOperands(isSync ? 5 : 4))
    return true;
  const Operand &results = context.getOperand(0);
  bool isPair = results.kind == Operand::Kind::Pair;
  OperandRef d = context.writeOperand(
      isPair ? context.getChild(results, 0) : results, Type::B32);
  OperandRef e, members;
  if (isPair)
    e = context.writeOperand(context.getChild(results, 1), Type::Pred);
  OperandRef a = context.readOperand(1, Type::B32);
  OperandRef b = context.readOperand(2, Type::B32);
  OperandRef c = context.readOperand(3, Type::B32);
  if (isSync)
    members = context.readOperand(4, Type::B32);
  Inst &inst =
      context.emitExec(InstClass::Warp, isSync ? forms.sync : forms.legacy);
  inst.d = d, inst.e = e;
  inst.a = a, inst.b = b, inst.c = c, inst.f = members;
  return true;
}

//===----------------------------------------------------------------------===//
// redux
//===----------------------------------------------------------------------===//

/// What `.abs` and `.NaN` of f32 add to Inst::aux.
constexpr uint32_t kReduxAbs = 1, kReduxNaN = 2;
constexpr uint32_t kCanonicalNaN = 0x7FFFFFFF;

using CombineFn = uint32_t (*)(uint32_t a, uint32_t b);

static bool isNaN(uint32_t bits) { return (bits & 0x7FFFFFFF) > 0x7F800000; }
/// Orders f32 bits as unsigned numbers, -0 below +0.
static uint32_t toOrdered(uint32_t bits) {
  return bits >> 31 ? ~bits : bits | 0x80000000;
}
template <bool kIsMax> static uint32_t combineFloats(uint32_t a, uint32_t b) {
  if (isNaN(a) || isNaN(b))
    return isNaN(a) ? b : a;
  return (toOrdered(a) < toOrdered(b)) == kIsMax ? b : a;
}

template <CombineFn combine>
static void reduce(Warp &warp, const Inst &inst, uint32_t lanes) {
  const uint32_t *a = warp.read<uint32_t>(inst.a);
  uint32_t clear = inst.aux & kReduxAbs ? 0x80000000 : 0;
  uint32_t first = unsigned(__builtin_ctz(lanes));
  uint32_t result = a[first] & ~clear;
  forEachLane(lanes & (lanes - 1), [&](unsigned lane) {
    result = combine(result, a[lane] & ~clear);
  });
  uint32_t *d = warp.write<uint32_t>(inst.d);
  bool isUnsure = warp.getTainted(inst.a, lanes);
  forEachLane(lanes, [&](unsigned lane) { d[lane] = result; });
  warp.markDefined(inst.d, lanes);
  if (isUnsure)
    warp.markUndefined(inst.d, lanes);
}

template <CombineFn combine>
static void reduceFloats(Warp &warp, const Inst &inst, uint32_t lanes) {
  const uint32_t *a = warp.read<uint32_t>(inst.a);
  bool hasNaN = false;
  forEachLane(lanes, [&](unsigned lane) { hasNaN |= isNaN(a[lane]); });
  reduce<combine>(warp, inst, lanes);
  uint32_t *d = warp.write<uint32_t>(inst.d);
  bool isNaNResult =
      isNaN(d[__builtin_ctz(lanes)]) || (hasNaN && inst.aux & kReduxNaN);
  if (isNaNResult)
    forEachLane(lanes, [&](unsigned lane) { d[lane] = kCanonicalNaN; });
}

template <typename T, bool kIsMax>
static uint32_t combineIntegers(uint32_t a, uint32_t b) {
  return uint32_t(kIsMax ? std::max(T(a), T(b)) : std::min(T(a), T(b)));
}
static uint32_t add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t bitAnd(uint32_t a, uint32_t b) { return a & b; }
static uint32_t bitOr(uint32_t a, uint32_t b) { return a | b; }
static uint32_t bitXor(uint32_t a, uint32_t b) { return a ^ b; }

namespace {
struct ReduxRow {
  std::string_view operation;
  Type type;
  ExecFn exec;
};
} // namespace

static constexpr ReduxRow kReduxRows[] = {
    {"add", Type::U32, execSync<reduce<add>>},
    {"add", Type::S32, execSync<reduce<add>>},
    {"min", Type::U32, execSync<reduce<combineIntegers<uint32_t, false>>>},
    {"max", Type::U32, execSync<reduce<combineIntegers<uint32_t, true>>>},
    {"min", Type::S32, execSync<reduce<combineIntegers<int32_t, false>>>},
    {"max", Type::S32, execSync<reduce<combineIntegers<int32_t, true>>>},
    {"and", Type::B32, execSync<reduce<bitAnd>>},
    {"or", Type::B32, execSync<reduce<bitOr>>},
    {"xor", Type::B32, execSync<reduce<bitXor>>},
    {"min", Type::F32, execSync<reduceFloats<combineFloats<false>>>},
    {"max", Type::F32, execSync<reduceFloats<combineFloats<true>>>},
};

static bool decodeRedux(DecodeContext &context) {
  context.take("sync");
  Type type = context.takeType();
  const ReduxRow *found = nullptr;
  for (const ReduxRow &row : kReduxRows)
    if (row.type == type && context.take(row.operation))
      found = &row;
  if (!found)
    return context.error("expected .add, .min or .max of u32 or s32, .and, .or "
                         "or .xor of b32, or .min or .max of f32");
  uint32_t flags = 0;
  if (type == Type::F32) {
    flags |= context.take("abs") ? kReduxAbs : 0;
    flags |= context.take("NaN") ? kReduxNaN : 0;
    if (!requireFeature(context, ChipFeature::FloatRedux))
      return true;
  }
  if (!context.expectOperands(3))
    return true;
  OperandRef d = context.writeOperand(0, type);
  OperandRef a = context.readOperand(1, type);
  OperandRef members = context.readOperand(2, Type::B32);
  Inst &inst = context.emitExec(InstClass::Warp, found->exec);
  inst.d = d, inst.a = a, inst.f = members;
  inst.aux = flags;
  return true;
}

OpcodeTable getWarpDataOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"shfl", decodeShuffle},
      {"redux", decodeRedux},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
