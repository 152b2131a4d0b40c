//===- IntegerSlow.cpp - Division, extended precision, fns ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer instructions that vectors do not help: compiled once.
//
// The condition code is a hidden predicate (DecodeContext::getCarryFlag): the
// second result of `.cc`, and the last source of addc, subc and madc. A
// subtraction adds the complement, so its flag is 1 when no borrow is due. The
// manual does not say so, but programs see it: the 128-bit division that nvcc
// inlines reads the flag of a subtraction with addc.
//
// Source: PTX ISA 9.7.1 (div, rem, fns), 9.7.2 (extended precision).
//
//===----------------------------------------------------------------------===//

#include "Lanes-inl.h"

#include "Integer.h"

namespace nvfp4::ptx {

using namespace HWY_NAMESPACE;
using namespace modifier;

//===----------------------------------------------------------------------===//
// Division
//===----------------------------------------------------------------------===//

template <typename T> static T getQuotient(T a, T b) {
  return divide(a, b).quotient;
}
template <typename T> static T getRemainder(T a, T b) {
  return divide(a, b).remainder;
}

static bool decodeSlow(DecodeContext &context) {
  static constexpr AluRow kRows[] = {
      row<getQuotient<uint16_t>>("div", "u16"),
      row<getQuotient<uint32_t>>("div", "u32"),
      row<getQuotient<uint64_t>>("div", "u64"),
      row<getQuotient<int16_t>>("div", "s16"),
      row<getQuotient<int32_t>>("div", "s32"),
      row<getQuotient<int64_t>>("div", "s64"),
      row<getRemainder<uint16_t>>("rem", "u16"),
      row<getRemainder<uint32_t>>("rem", "u32"),
      row<getRemainder<uint64_t>>("rem", "u64"),
      row<getRemainder<int16_t>>("rem", "s16"),
      row<getRemainder<int32_t>>("rem", "s32"),
      row<getRemainder<int64_t>>("rem", "s64"),
      row<fns>("fns", "b32"),
  };
  return decodeRow(context, {kRows, std::size(kRows)}, InstClass::Integer);
}

//===----------------------------------------------------------------------===//
// Extended precision
//===----------------------------------------------------------------------===//

namespace {
enum class Product { None, Low, High };
} // namespace

/// d = x ± (y + carry), x the product of a and b if there is one.
template <typename T, Product P, bool IsSubtraction, bool ReadsCarry>
static void carryLanes(const AluArgs &args) {
  using U = std::make_unsigned_t<T>;
  auto *a = static_cast<const T *>(args.a), *b = static_cast<const T *>(args.b);
  auto *c = static_cast<const T *>(args.c);
  auto *d = static_cast<U *>(args.d);
  uint32_t carries = 0;
  if constexpr (ReadsCarry)
    carries =
        *static_cast<const uint32_t *>(args.f) ^ (IsSubtraction ? ~0u : 0);
  uint32_t carriesOut = 0;
  for (unsigned i = 0; i < kLanes; ++i) {
    U x = U(a[i]), y = U(b[i]);
    if constexpr (P != Product::None) {
      x = U(P == Product::Low ? mulLo(a[i], b[i]) : mulHi(a[i], b[i]));
      y = U(c[i]);
    }
    U carry = (carries >> i) & 1, carryOut = 0;
    U value = IsSubtraction ? subBorrow(x, y, carry, carryOut)
                            : addCarry(x, y, carry, carryOut);
    d[i] = (args.mask >> i) & 1 ? value : d[i];
    carriesOut |= uint32_t(carryOut) << i;
  }
  if (args.e)
    storePredicate(args.e, IsSubtraction ? ~carriesOut : carriesOut, args.mask);
}

namespace {
struct CarryRow {
  std::string_view opcode;
  Modifiers product;
  bool readsCarry;
  /// By type: u32, s32, u64, s64.
  AluFn fns[4];
};
} // namespace

template <Product P, bool IsSubtraction, bool ReadsCarry>
static constexpr CarryRow makeCarryRow(std::string_view opcode,
                                       Modifiers product) {
  return {opcode,
          product,
          ReadsCarry,
          {carryLanes<uint32_t, P, IsSubtraction, ReadsCarry>,
           carryLanes<int32_t, P, IsSubtraction, ReadsCarry>,
           carryLanes<uint64_t, P, IsSubtraction, ReadsCarry>,
           carryLanes<int64_t, P, IsSubtraction, ReadsCarry>}};
}

static constexpr CarryRow kCarryRows[] = {
    makeCarryRow<Product::None, false, false>("add", None),
    makeCarryRow<Product::None, false, true>("addc", None),
    makeCarryRow<Product::None, true, false>("sub", None),
    makeCarryRow<Product::None, true, true>("subc", None),
    makeCarryRow<Product::Low, false, false>("mad", Lo),
    makeCarryRow<Product::High, false, false>("mad", Hi),
    makeCarryRow<Product::Low, false, true>("madc", Lo),
    makeCarryRow<Product::High, false, true>("madc", Hi),
};

static int findCarryType(std::string_view type) {
  constexpr std::string_view kTypes[] = {"u32", "s32", "u64", "s64"};
  for (int i = 0; i < 4; ++i)
    if (kTypes[i] == type)
      return i;
  return -1;
}

static bool decodeCarry(DecodeContext &context) {
  if (!context.has("cc") && context.getOpcode().back() != 'c')
    return false;
  Spelling spelling;
  if (!takeSpelling(context, spelling))
    return false;
  int type = findCarryType(spelling.types);
  for (const CarryRow &row : kCarryRows) {
    if (row.opcode != context.getOpcode() ||
        row.product != (spelling.modifiers & ~CC) || type < 0)
      continue;
    bool hasProduct = row.product != None;
    if (!context.expectOperands(hasProduct ? 4 : 3))
      return true;
    Type size = type < 2 ? Type::B32 : Type::B64;
    OperandRef a = context.readOperand(1, size);
    OperandRef b = context.readOperand(2, size);
    OperandRef c = hasProduct ? context.readOperand(3, size) : OperandRef();
    OperandRef d = context.writeOperand(0, size);
    OperandRef carry = context.getCarryFlag();
    Inst &inst = context.emitAlu(InstClass::Integer, row.fns[type], d, a, b, c,
                                 row.readsCarry ? carry : OperandRef());
    if (spelling.modifiers & CC)
      inst.e = carry;
    return true;
  }
  return context.error("expected an instruction that the simulator knows, but "
                       "got this form of '" +
                       std::string(context.getOpcode()) + "'");
}

OpcodeTable getIntegerSlowOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"div", decodeSlow},   {"rem", decodeSlow},   {"fns", decodeSlow},
      {"add", decodeCarry},  {"addc", decodeCarry}, {"sub", decodeCarry},
      {"subc", decodeCarry}, {"mad", decodeCarry},  {"madc", decodeCarry},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
