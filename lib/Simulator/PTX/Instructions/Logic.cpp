//===- Logic.cpp - Logic, shifts, permutation, selection ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions that move bits: undefined bits are followed exactly.
//
// Source: PTX ISA 9.7.6 (selection), 9.7.8 (logic and shift), 9.7.9 (prmt).
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/Logic.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "Float32.h"
#include "Integer.h"
#include "Taint.h"

#include <functional>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

template <typename T> HWY_INLINE T andBits(T a, T b) { return T(a & b); }
template <typename T> HWY_INLINE T orBits(T a, T b) { return T(a | b); }
template <typename T> HWY_INLINE T xorBits(T a, T b) { return T(a ^ b); }
template <typename T> HWY_INLINE T notBits(T a) { return T(~a); }
template <typename T> HWY_INLINE T isZero(T a) { return a == 0; }
template <typename T> HWY_INLINE T selectBits(T a, T b, bool p) {
  return p ? a : b;
}
template <typename T> HWY_INLINE T selectBySign(T a, T b, int32_t c) {
  return c >= 0 ? a : b;
}
/// -0 counts as zero, NaN as negative.
template <typename T, bool Flush>
HWY_INLINE T selectBySignF32(T a, T b, float c) {
  return inputF32<Flush>(c) >= 0.0f ? a : b;
}

template <typename T>
static constexpr std::array<AluRow, 6> makeLogic(std::string_view type) {
  return {{
      row<andBits<T>>("and", type, None, taintAnd),
      row<orBits<T>>("or", type, None, taintOr),
      row<xorBits<T>>("xor", type, None, taintXor),
      row<notBits<T>>("not", type, None, taintKept),
      row<isZero<T>>("cnot", type),
      row<shlInt<T>>("shl", type, None, taintMovedBy),
  }};
}

template <typename T>
static constexpr std::array<AluRow, 1> makeShift(std::string_view type) {
  return {{row<shrInt<T>>("shr", type, None, taintMovedBy)}};
}

template <typename T>
static constexpr std::array<AluRow, 4> makeSelect(std::string_view type,
                                                  std::string_view bySign,
                                                  std::string_view byFloat) {
  return {{
      row<selectBits<T>>("selp", type, None, taintSelect),
      row<selectBySign<T>>("slct", bySign),
      row<selectBySignF32<T, false>>("slct", byFloat),
      row<selectBySignF32<T, true>>("slct", byFloat, Ftz),
  }};
}

static constexpr std::array<AluRow, 11> kPermutations = {{
    row<shfLeft<true>>("shf", "b32", L | Clamp, taintMovedBy2),
    row<shfLeft<false>>("shf", "b32", L | Wrap, taintMovedBy2),
    row<shfRight<true>>("shf", "b32", R | Clamp, taintMovedBy2),
    row<shfRight<false>>("shf", "b32", R | Wrap, taintMovedBy2),
    row<prmt<PermuteMode::Index>>("prmt", "b32", None, taintMovedBy2),
    row<prmt<PermuteMode::F4E>>("prmt", "b32", F4E, taintMovedBy2),
    row<prmt<PermuteMode::B4E>>("prmt", "b32", B4E, taintMovedBy2),
    row<prmt<PermuteMode::RC8>>("prmt", "b32", RC8, taintMovedBy2),
    row<prmt<PermuteMode::ECL>>("prmt", "b32", ECL, taintMovedBy2),
    row<prmt<PermuteMode::ECR>>("prmt", "b32", ECR, taintMovedBy2),
    row<prmt<PermuteMode::RC16>>("prmt", "b32", RC16, taintMovedBy2),
}};

static AluTable getLogicRows() {
  static constexpr auto kRows = joinRows(
      makeLogic<uint32_t>("b32"), makeLogic<uint64_t>("b64"),
      makeLogic<uint16_t>("b16"), makeShift<uint32_t>("b32"),
      makeShift<uint32_t>("u32"), makeShift<int32_t>("s32"),
      makeShift<uint64_t>("b64"), makeShift<uint64_t>("u64"),
      makeShift<int64_t>("s64"), makeShift<uint16_t>("b16"),
      makeShift<uint16_t>("u16"), makeShift<int16_t>("s16"),
      makeSelect<uint32_t>("b32", "b32.s32", "b32.f32"),
      makeSelect<uint32_t>("u32", "u32.s32", "u32.f32"),
      makeSelect<uint32_t>("s32", "s32.s32", "s32.f32"),
      makeSelect<float>("f32", "f32.s32", "f32.f32"),
      makeSelect<uint64_t>("b64", "b64.s32", "b64.f32"),
      makeSelect<uint64_t>("u64", "u64.s32", "u64.f32"),
      makeSelect<uint64_t>("s64", "s64.s32", "s64.f32"),
      makeSelect<double>("f64", "f64.s32", "f64.f32"),
      makeSelect<uint16_t>("b16", "b16.s32", "b16.f32"),
      makeSelect<uint16_t>("u16", "u16.s32", "u16.f32"),
      makeSelect<uint16_t>("s16", "s16.s32", "s16.f32"), kPermutations);
  return {kRows.data(), kRows.size()};
}

/// aux: the table of the function.
static void lop3Lanes(const AluArgs &args) {
  auto *a = static_cast<const uint32_t *>(args.a);
  auto *b = static_cast<const uint32_t *>(args.b);
  auto *c = static_cast<const uint32_t *>(args.c);
  uint32_t table = args.aux;
  storeLanes<uint32_t>(
      args, [=](unsigned i) HWY_ATTR { return lop3(a[i], b[i], c[i], table); });
}
static AluFn getLop3() { return lop3Lanes; }

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getLogicRows);
HWY_EXPORT(getLop3);

static bool decodeLogic(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getLogicRows)(),
                   InstClass::Integer);
}

//===----------------------------------------------------------------------===//
// Predicates
//===----------------------------------------------------------------------===//

template <typename F> static void combineWords(const AluArgs &args) {
  uint32_t a = *static_cast<const uint32_t *>(args.a);
  uint32_t b = *static_cast<const uint32_t *>(args.b);
  storePredicate(args.d, F()(a, b), args.mask);
}
static void invertWord(const AluArgs &args) {
  storePredicate(args.d, ~*static_cast<const uint32_t *>(args.a), args.mask);
}

static bool decodePredicateLogic(DecodeContext &context) {
  struct PredicateRow {
    std::string_view opcode;
    unsigned numSources;
    AluFn fn;
    TaintFn taint;
  };
  static constexpr PredicateRow kRows[] = {
      {"and", 2, combineWords<std::bit_and<uint32_t>>, taintAnd},
      {"or", 2, combineWords<std::bit_or<uint32_t>>, taintOr},
      {"xor", 2, combineWords<std::bit_xor<uint32_t>>, taintXor},
      {"not", 1, invertWord, taintKept},
  };
  if (context.getNumQualifiers() != 1 || !context.take("pred"))
    return false;
  for (const PredicateRow &row : kRows) {
    if (row.opcode != context.getOpcode())
      continue;
    if (!context.expectOperands(row.numSources + 1))
      return true;
    OperandRef a = context.readOperand(1, Type::Pred);
    OperandRef b =
        row.numSources > 1 ? context.readOperand(2, Type::Pred) : OperandRef();
    OperandRef d = context.writeOperand(0, Type::Pred);
    context.emitAlu(InstClass::Predicate, row.fn, d, a, b).taint = row.taint;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// lop3
//===----------------------------------------------------------------------===//

/// A result bit is undefined when it differs among the values that the
/// undefined source bits may have.
static void taintLop3(const TaintArgs &args) {
  auto get = [](const void *values, unsigned lane) {
    return static_cast<const uint32_t *>(values)[lane];
  };
  auto *d = static_cast<uint32_t *>(args.d);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    uint32_t a = get(args.va, lane), ua = get(args.ua, lane);
    uint32_t b = get(args.vb, lane), ub = get(args.ub, lane);
    uint32_t c = get(args.vc, lane), uc = get(args.uc, lane);
    uint32_t first = lop3(a, b, c, args.inst.aux), differs = 0;
    for (unsigned which = 1; which < 8; ++which)
      differs |=
          first ^ lop3(a ^ (which & 1 ? ua : 0), b ^ (which & 2 ? ub : 0),
                       c ^ (which & 4 ? uc : 0), args.inst.aux);
    d[lane] = differs;
  }
}

/// `lop3.or.b32 d|p, a, b, c, table, q`: p = (d != 0) or q.
static bool decodeLop3(DecodeContext &context) {
  constexpr Choice<bool> kOperations[] = {{"or", true}, {"and", false}};
  bool hasPredicate = context.has("or") || context.has("and");
  bool isOr = context.choose(kOperations, false);
  int64_t table = 0;
  if (!context.take("b32") || !context.expectOperands(hasPredicate ? 6 : 5) ||
      !context.readImmediate(context.getOperand(4), table))
    return context.error("expected .b32 operands");
  const Operand &result = context.getOperand(0);
  if (hasPredicate && result.kind != Operand::Kind::Pair)
    return context.error("expected two results 'd|p'");
  OperandRef a = context.readOperand(1, Type::B32);
  OperandRef b = context.readOperand(2, Type::B32);
  OperandRef c = context.readOperand(3, Type::B32);
  OperandRef q =
      hasPredicate ? context.readOperand(5, Type::Pred) : OperandRef();
  OperandRef d = context.writeOperand(
      hasPredicate ? context.getChild(result, 0) : result, Type::B32);
  Inst &inst = context.emitAlu(InstClass::Integer,
                               HWY_DYNAMIC_DISPATCH(getLop3)(), d, a, b, c);
  inst.aux = uint32_t(table) & 0xFF;
  inst.taint = taintLop3;
  if (!hasPredicate)
    return true;
  AluFn combine = [](const AluArgs &args) {
    auto *d = static_cast<const uint32_t *>(args.a);
    uint32_t nonzero = 0, q = *static_cast<const uint32_t *>(args.b);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      nonzero |= uint32_t(d[lane] != 0) << lane;
    storePredicate(args.d, args.aux ? nonzero | q : nonzero & q, args.mask);
  };
  OperandRef p = context.writeOperand(context.getChild(result, 1), Type::Pred);
  context.emitAlu(InstClass::Predicate, combine, p, d, q).aux = isOr;
  return true;
}

OpcodeTable getLogicOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"and", decodePredicateLogic}, {"or", decodePredicateLogic},
      {"xor", decodePredicateLogic}, {"not", decodePredicateLogic},
      {"and", decodeLogic},          {"or", decodeLogic},
      {"xor", decodeLogic},          {"not", decodeLogic},
      {"cnot", decodeLogic},         {"shl", decodeLogic},
      {"shr", decodeLogic},          {"shf", decodeLogic},
      {"prmt", decodeLogic},         {"selp", decodeLogic},
      {"slct", decodeLogic},         {"lop3", decodeLop3},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
