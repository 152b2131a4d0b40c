//===- Compare.cpp - setp, set, testp -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A comparison is a row; what is done with its outcome (combine it with a
// predicate, complement it, turn it into a number) are further instructions on
// hidden registers. Packed halves are compared one after the other.
//
// Source: PTX ISA 9.7.6 and 9.7.7 (comparison), 9.7.3.1 (testp).
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Instructions/Compare.cpp"
#include "Targets.h"
#include <hwy/foreach_target.h>

#include "Lanes-inl.h"

#include "Float16.h"
#include "Float64.h"
#include "Integer.h"
#include "Taint.h"

#include <functional>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::ptx::HWY_NAMESPACE {

using namespace modifier;

template <Compare C, bool Flush> HWY_INLINE bool compareF32(float a, float b) {
  return compareFloat<C>(inputF32<Flush>(a), inputF32<Flush>(b));
}
template <Compare C> HWY_INLINE bool compareF64(double a, double b) {
  return compareFloat<C>(a, b);
}

template <typename T>
static constexpr std::array<AluRow, 2> makeEquality(std::string_view type) {
  return {{
      row<compareInt<Compare::EQ, T>>("setp", type, EQ),
      row<compareInt<Compare::NE, T>>("setp", type, NE),
  }};
}

template <typename T>
static constexpr std::array<AluRow, 4> makeOrder(std::string_view type,
                                                 Modifiers lt, Modifiers le,
                                                 Modifiers gt, Modifiers ge) {
  return {{
      row<compareInt<Compare::LT, T>>("setp", type, lt),
      row<compareInt<Compare::LE, T>>("setp", type, le),
      row<compareInt<Compare::GT, T>>("setp", type, gt),
      row<compareInt<Compare::GE, T>>("setp", type, ge),
  }};
}

template <typename U, typename S>
static constexpr auto makeInteger(std::string_view b, std::string_view u,
                                  std::string_view s) {
  return joinRows(makeEquality<U>(b), makeEquality<U>(u), makeEquality<U>(s),
                  makeOrder<U>(u, LT, LE, GT, GE),
                  makeOrder<U>(u, Lo, LS, Hi, HS),
                  makeOrder<S>(s, LT, LE, GT, GE));
}

/// The comparison C of every floating-point type.
template <Compare C>
static constexpr std::array<AluRow, 6> makeFloat(Modifiers name) {
  return {{
      row<compareF32<C, false>>("setp", "f32", name),
      row<compareF32<C, true>>("setp", "f32", name | Ftz),
      row<compareF64<C>>("setp", "f64", name),
      row<compareF16<C, false>>("setp", "f16", name),
      row<compareF16<C, true>>("setp", "f16", name | Ftz),
      row<compareBF16<C>>("setp", "bf16", name),
  }};
}

template <FloatClass C>
static constexpr std::array<AluRow, 2> makeTest(Modifiers name) {
  return {{
      row<testF32<C>>("testp", "f32", name),
      row<testF64<C>>("testp", "f64", name),
  }};
}

template <unsigned Half> HWY_INLINE uint16_t getHalf(uint32_t a) {
  return uint16_t(a >> (16 * Half));
}
static constexpr std::array<AluRow, 2> kHalves = {{
    row<getHalf<0>>("half", "b32", Lo, taintMoved),
    row<getHalf<1>>("half", "b32", Hi, taintMoved),
}};

static AluTable getCompareRows() {
  static constexpr auto kRows =
      joinRows(makeInteger<uint32_t, int32_t>("b32", "u32", "s32"),
               makeInteger<uint64_t, int64_t>("b64", "u64", "s64"),
               makeInteger<uint16_t, int16_t>("b16", "u16", "s16"),
               makeFloat<Compare::EQ>(EQ), makeFloat<Compare::NE>(NE),
               makeFloat<Compare::LT>(LT), makeFloat<Compare::LE>(LE),
               makeFloat<Compare::GT>(GT), makeFloat<Compare::GE>(GE),
               makeFloat<Compare::EQU>(EQU), makeFloat<Compare::NEU>(NEU),
               makeFloat<Compare::LTU>(LTU), makeFloat<Compare::LEU>(LEU),
               makeFloat<Compare::GTU>(GTU), makeFloat<Compare::GEU>(GEU),
               makeFloat<Compare::Num>(Num), makeFloat<Compare::Nan>(Nan),
               makeTest<FloatClass::Finite>(Finite),
               makeTest<FloatClass::Infinite>(Infinite),
               makeTest<FloatClass::Number>(Number),
               makeTest<FloatClass::NotANumber>(NotANumber),
               makeTest<FloatClass::Normal>(Normal),
               makeTest<FloatClass::Subnormal>(Subnormal), kHalves);
  return {kRows.data(), kRows.size()};
}

} // namespace nvfp4::ptx::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4::ptx {

HWY_EXPORT(getCompareRows);

static constexpr Modifiers kCombinations =
    modifier::And | modifier::Or | modifier::Xor;

static bool decodeTest(DecodeContext &context) {
  return decodeRow(context, HWY_DYNAMIC_DISPATCH(getCompareRows)(),
                   InstClass::Predicate);
}

//===----------------------------------------------------------------------===//
// What becomes of an outcome
//===----------------------------------------------------------------------===//

static uint32_t readWord(const void *predicate) {
  return *static_cast<const uint32_t *>(predicate);
}

/// d = a op b.
template <typename F> static void combineOne(const AluArgs &args) {
  storePredicate(args.d, F()(readWord(args.a), readWord(args.b)), args.mask);
}
/// d = a op c and e = b op c; b is the complement of a, or the other half.
template <typename F, bool kIsPacked>
static void combineBoth(const AluArgs &args) {
  uint32_t a = readWord(args.a), b = kIsPacked ? readWord(args.b) : ~a;
  uint32_t c = readWord(args.c);
  storePredicate(args.d, F()(a, c), args.mask);
  storePredicate(args.e, F()(b, c), args.mask);
}

namespace {
struct First {
  uint32_t operator()(uint32_t t, uint32_t) const { return t; }
};
struct CombineRow {
  Modifiers modifier;
  AluFn one, complement, halves;
  /// Of `one`.
  TaintFn taint;
};
} // namespace

template <typename F>
static constexpr CombineRow makeCombineRow(Modifiers modifier, TaintFn taint) {
  return {modifier, combineOne<F>, combineBoth<F, false>, combineBoth<F, true>,
          taint};
}

static constexpr CombineRow kCombineRows[] = {
    makeCombineRow<std::bit_and<uint32_t>>(modifier::And, taintAnd),
    makeCombineRow<std::bit_or<uint32_t>>(modifier::Or, taintOr),
    makeCombineRow<std::bit_xor<uint32_t>>(modifier::Xor, taintXor),
    makeCombineRow<First>(modifier::None, taintKept),
};

static const CombineRow *findCombine(Modifiers modifiers) {
  for (const CombineRow &row : kCombineRows)
    if (row.modifier == (modifiers & kCombinations))
      return &row;
  return nullptr;
}

/// p = outcome op c, and q, if present, the same of `other` or of the
/// complement.
static void emitCombine(DecodeContext &context, const CombineRow &row,
                        OperandRef p, OperandRef q, OperandRef outcome,
                        OperandRef other, OperandRef c) {
  if (!c.isPresent)
    c = outcome; // Not looked at, but every operand is read.
  if (!q.isPresent) {
    context.emitAlu(InstClass::Predicate, row.one, p, outcome, c).taint =
        row.taint;
    return;
  }
  if (other.isPresent)
    context.emitAlu(InstClass::Predicate, row.halves, p, outcome, other, c).e =
        q;
  else
    context
        .emitAlu(InstClass::Predicate, row.complement, p, outcome, outcome, c)
        .e = q;
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

namespace {
/// A comparison of two operands, packed halves or not.
struct Comparison {
  const AluRow *row = nullptr;
  bool isPacked = false;
  InstClass instClass = InstClass::Predicate;
};
} // namespace

static Comparison findComparison(std::string_view type, Modifiers modifiers) {
  Comparison comparison;
  comparison.isPacked = type == "f16x2" || type == "bf16x2";
  if (comparison.isPacked)
    type.remove_suffix(2);
  comparison.row = HWY_DYNAMIC_DISPATCH(getCompareRows)().find(
      "setp", type, modifiers & ~kCombinations, 2);
  return comparison;
}

/// The half of operand i as a hidden register.
static OperandRef emitHalf(DecodeContext &context, unsigned i, Modifiers half) {
  const AluRow *row =
      HWY_DYNAMIC_DISPATCH(getCompareRows)().find("half", "b32", half, 1);
  OperandRef source = context.readOperand(i, Type::B32);
  OperandRef d = context.makeRegister(Type::B16);
  context.emitAlu(InstClass::Half, row->fn, d, source).taint = row->taint;
  return d;
}

/// Compares operands 1 and 2 into a hidden predicate; `half` of packed ones.
static OperandRef emitComparison(DecodeContext &context,
                                 const Comparison &comparison, Modifiers half) {
  OperandRef t = context.makeRegister(Type::Pred);
  OperandRef a, b;
  if (comparison.isPacked) {
    a = emitHalf(context, 1, half);
    b = emitHalf(context, 2, half);
  } else {
    a = context.readOperand(1, comparison.row->operands.sources[0]);
    b = context.readOperand(2, comparison.row->operands.sources[1]);
  }
  context.emitAlu(InstClass::Predicate, comparison.row->fn, t, a, b);
  return t;
}

static bool decodeSetp(DecodeContext &context) {
  Spelling spelling;
  if (!takeSpelling(context, spelling))
    return false;
  const CombineRow *combine = findCombine(spelling.modifiers);
  Comparison comparison = findComparison(spelling.types, spelling.modifiers);
  if (!comparison.row || !combine)
    return context.error("expected a comparison that the simulator knows");
  if (!context.expectOperands(combine->modifier ? 4 : 3))
    return true;
  const Operand &result = context.getOperand(0);
  bool isPair = result.kind == Operand::Kind::Pair;
  OperandRef p = context.writeOperand(
      isPair ? context.getChild(result, 0) : result, Type::Pred);
  OperandRef q =
      isPair ? context.writeOperand(context.getChild(result, 1), Type::Pred)
             : OperandRef();
  if (!isPair && !combine->modifier && !comparison.isPacked) {
    emitRow(context, *comparison.row, InstClass::Predicate);
    return true;
  }
  OperandRef c =
      combine->modifier ? context.readOperand(3, Type::Pred) : OperandRef();
  OperandRef low = emitComparison(context, comparison, modifier::Lo);
  OperandRef high = comparison.isPacked
                        ? emitComparison(context, comparison, modifier::Hi)
                        : OperandRef();
  emitCombine(context, *combine, p, q, low, high, c);
  return true;
}

//===----------------------------------------------------------------------===//
// set
//===----------------------------------------------------------------------===//

namespace {
/// What "true" is in the result.
struct TruthRow {
  std::string_view type;
  Type result;
  uint64_t value;
};
} // namespace

static constexpr TruthRow kTruths[] = {
    {"u32", Type::B32, 0xFFFFFFFF}, {"s32", Type::B32, 0xFFFFFFFF},
    {"u16", Type::B16, 0xFFFF},     {"s16", Type::B16, 0xFFFF},
    {"f32", Type::F32, 0x3F800000}, {"f16", Type::B16, 0x3C00},
    {"bf16", Type::B16, 0x3F80},
};
/// Of one half.
static constexpr TruthRow kPackedTruths[] = {
    {"u32", Type::B32, 0xFFFF},
    {"s32", Type::B32, 0xFFFF},
    {"f16x2", Type::B32, 0x3C00},
    {"bf16x2", Type::B32, 0x3F80},
};

template <size_t N>
static const TruthRow *findTruth(const TruthRow (&rows)[N],
                                 std::string_view type) {
  for (const TruthRow &row : rows)
    if (row.type == type)
      return &row;
  return nullptr;
}

/// d = p ? value : 0
template <typename T> static void selectValue(const AluArgs &args) {
  auto *a = static_cast<const T *>(args.a);
  uint32_t p = readWord(args.b);
  storeLanes<T>(args, [=](unsigned i) { return (p >> i) & 1 ? a[i] : T(0); });
}
static void joinHalves(const AluArgs &args) {
  lanes2<uint32_t, uint32_t>(args,
                             [](uint32_t a, uint32_t b) { return a | b; });
}

static void emitTruth(DecodeContext &context, OperandRef d, uint64_t value,
                      OperandRef p) {
  AluFn fn = d.bytes == 2 ? selectValue<uint16_t> : selectValue<uint32_t>;
  context.emitAlu(InstClass::Predicate, fn, d,
                  context.makeConstant(value, d.bytes), p);
}

static bool decodeSet(DecodeContext &context) {
  Spelling spelling;
  if (!takeSpelling(context, spelling))
    return false;
  std::string_view types = spelling.types;
  size_t dot = types.find('.');
  if (dot == std::string_view::npos)
    return context.error("expected the types of result and operands");
  const CombineRow *combine = findCombine(spelling.modifiers);
  Comparison comparison =
      findComparison(types.substr(dot + 1), spelling.modifiers);
  const TruthRow *truth = comparison.isPacked
                              ? findTruth(kPackedTruths, types.substr(0, dot))
                              : findTruth(kTruths, types.substr(0, dot));
  if (!comparison.row || !combine || !truth)
    return context.error("expected a comparison that the simulator knows");
  if (!context.expectOperands(combine->modifier ? 4 : 3))
    return true;
  OperandRef d = context.writeOperand(0, truth->result);
  OperandRef c =
      combine->modifier ? context.readOperand(3, Type::Pred) : OperandRef();
  auto emitOutcome = [&](Modifiers half) {
    OperandRef t = emitComparison(context, comparison, half);
    if (combine->modifier)
      emitCombine(context, *combine, t, OperandRef(), t, OperandRef(), c);
    return t;
  };
  OperandRef low = emitOutcome(modifier::Lo);
  if (!comparison.isPacked) {
    emitTruth(context, d, truth->value, low);
    return true;
  }
  OperandRef high = emitOutcome(modifier::Hi);
  OperandRef part = context.makeRegister(Type::B32);
  emitTruth(context, part, truth->value << 16, high);
  emitTruth(context, d, truth->value, low);
  context.emitAlu(InstClass::Predicate, joinHalves, d, d, part).taint = taintOr;
  return true;
}

OpcodeTable getCompareOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"setp", decodeSetp},
      {"set", decodeSet},
      {"testp", decodeTest},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx

#endif // HWY_ONCE
