//===- Convert.cpp - cvt
//---------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A conversion is a row of ConvertRows.h, and steps around it: a register may
// be wider than the type that it holds, and some pairs of types go through a
// third one that holds every value of the source.
//
// Source: PTX ISA 9.7.9, cvt; 9.4.1, operands wider than the type.
//
//===----------------------------------------------------------------------===//

#include "ChipFeatures.h"
#include "ConvertRows.h"

namespace nvfp4::ptx {

using namespace modifier;

/// False after an error: the target lacks formats of 4 and 6 bits and ue8m0, or
/// stochastic rounding.
static bool checkTarget(DecodeContext &context, const Spelling &spelling) {
  if (spelling.modifiers & RS)
    return requireFeature(context, ChipFeature::StochasticConversion);
  for (std::string_view format : {"e2m1", "e2m3", "e3m2", "ue8m0"})
    if (spelling.types.find(format) != std::string_view::npos)
      return requireFeature(context, ChipFeature::NarrowConversion);
  return true;
}

//===----------------------------------------------------------------------===//
// Registers wider than the type
//===----------------------------------------------------------------------===//

static const AluRow *findConversion(std::string_view types, Modifiers modifiers,
                                    unsigned numSources) {
  for (const AluTable &table :
       {getFastConvertRows(), getSlowConvertRows(), getPackedConvertRows()})
    if (const AluRow *row = table.find("cvt", types, modifiers, numSources))
      return row;
  return nullptr;
}

static Inst &emitConversion(DecodeContext &context, const AluRow &row,
                            OperandRef d, OperandRef a,
                            OperandRef b = OperandRef(),
                            OperandRef c = OperandRef()) {
  Inst &inst = context.emitAlu(InstClass::Convert, row.fn, d, a, b, c);
  inst.taint = row.taint;
  return inst;
}

static std::string getIntegerName(unsigned bytes, bool isSigned) {
  return (isSigned ? "s" : "u") + std::to_string(8 * bytes);
}

/// d = a, truncated or extended.
static void emitCast(DecodeContext &context, OperandRef d, OperandRef a,
                     bool isSigned) {
  const AluRow *row = findConversion(getIntegerName(d.bytes, false) + "." +
                                         getIntegerName(a.bytes, isSigned),
                                     None, 1);
  emitConversion(context, *row, d, a);
}

static OperandRef makeRegisterOf(DecodeContext &context, unsigned bytes) {
  constexpr Type kTypes[] = {Type::B8, Type::B16, Type::B32, Type::B64};
  return context.makeRegister(kTypes[__builtin_ctz(bytes)]);
}

/// A source operand cut to the size of its type. Not present after an error.
static OperandRef readSource(DecodeContext &context, const Operand &operand,
                             Type type) {
  OperandRef a = context.readOperand(operand, type, true);
  unsigned bytes = getByteSize(type);
  if (!a.isPresent || a.bytes == bytes)
    return a;
  if (a.bytes < bytes || a.bytes > 8) {
    context.error("expected a source of " + std::to_string(8 * bytes) +
                  " bits or more, but got " + std::to_string(8 * a.bytes));
    return OperandRef();
  }
  OperandRef cut = makeRegisterOf(context, bytes);
  emitCast(context, cut, a, false);
  return cut;
}

namespace {
/// Where a conversion writes, and the register that gets it extended.
struct Result {
  OperandRef target, wide;
  bool isSigned = false;
};
} // namespace

static bool readResult(DecodeContext &context, Type type, bool isSigned,
                       Result &result) {
  OperandRef d = context.writeOperand(0, type, true);
  unsigned bytes = getByteSize(type);
  if (!d.isPresent)
    return false;
  if (d.bytes < bytes || d.bytes > 8)
    return !context.error("expected a result of " + std::to_string(8 * bytes) +
                          " bits or more, but got " +
                          std::to_string(8 * d.bytes));
  result.isSigned = isSigned;
  result.target = d;
  if (d.bytes == bytes)
    return true;
  result.wide = d;
  result.target = makeRegisterOf(context, bytes);
  return true;
}

static void emitExtension(DecodeContext &context, const Result &result) {
  if (result.wide.isPresent)
    emitCast(context, result.wide, result.target, result.isSigned);
}

//===----------------------------------------------------------------------===//
// Single values
//===----------------------------------------------------------------------===//

static int findScalar(std::string_view name) {
  // A tf32 is an f32 with zeros at the end.
  if (name == "tf32")
    name = "f32";
  for (unsigned i = 0; i < std::size(kScalarNames); ++i)
    if (kScalarNames[i] == name)
      return int(i);
  return -1;
}

static bool isSignedInteger(unsigned scalar) {
  return scalar < kNumIntegers && scalar % 2;
}

/// The type to convert to first; `from` itself if none.
static unsigned findStep(unsigned to, unsigned from) {
  bool isToFloat = to >= kNumIntegers;
  if (from < kU32 && isToFloat)
    return isSignedInteger(from) ? kS32 : kU32;
  bool isHalf = from == kF16 || from == kBF16;
  if (isHalf && (!isToFloat || ((to == kF16 || to == kBF16) && to != from)))
    return kF32;
  return from;
}

static bool decodeScalar(DecodeContext &context, std::string_view toName,
                         std::string_view fromName, Modifiers modifiers) {
  int to = findScalar(toName), first = findScalar(fromName);
  if (to < 0 || first < 0)
    return context.error("expected a conversion that the simulator knows");
  if (modifiers & Ftz && to != int(kF32) && first != int(kF32))
    return context.error("expected .ftz with .f32 only");
  if (!context.expectOperands(2))
    return true;
  unsigned from = findStep(unsigned(to), unsigned(first));
  bool isToInt = to < int(kNumIntegers), isFromInt = from < kNumIntegers;
  // Float to integer saturates anyway; no integer is a subnormal.
  bool saturatesAfter = !isToInt && isFromInt && modifiers & Sat;
  if (isToInt != isFromInt)
    modifiers &= ~(isToInt ? Sat : Sat | Ftz);
  // A rounding may be written where bf16 becomes wider, and does nothing.
  if (first == int(kBF16) && to >= int(kF32))
    modifiers &= ~(RN | RZ | RM | RP);
  const AluRow *row = findConversion(
      std::string(toName) + "." +
          std::string(int(from) == first ? fromName : kScalarNames[from]),
      modifiers, 1);
  if (!row)
    return context.error("expected a conversion that the simulator knows");
  Type sourceType = parseType(kScalarNames[first]);
  OperandRef a = readSource(context, context.getOperand(1), sourceType);
  Result result;
  if (!a.isPresent || !readResult(context, row->operands.result,
                                  isSignedInteger(unsigned(to)), result))
    return true;
  if (int(from) != first) {
    OperandRef step = makeRegisterOf(context, kScalarBytes[from]);
    const AluRow *exact = findConversion(std::string(kScalarNames[from]) + "." +
                                             std::string(kScalarNames[first]),
                                         None, 1);
    emitConversion(context, *exact, step, a);
    a = step;
  }
  emitConversion(context, *row, result.target, a);
  if (saturatesAfter) {
    std::string same = std::string(toName) + "." + std::string(toName);
    const AluRow *saturation = findConversion(same, Sat, 1);
    if (!saturation)
      return context.error("expected a conversion that the simulator knows");
    emitConversion(context, *saturation, result.target, result.target);
  }
  emitExtension(context, result);
  return true;
}

//===----------------------------------------------------------------------===//
// Packed values
//===----------------------------------------------------------------------===//

/// `cvt.rs…x4.f32 d, {a, b, e, f}, random`.
static bool decodeFour(DecodeContext &context, const Spelling &spelling) {
  const AluRow *high =
      findConversion(spelling.types, spelling.modifiers | Hi, 3);
  const AluRow *low =
      findConversion(spelling.types, spelling.modifiers | Lo, 3);
  const AluRow *join =
      findConversion(spelling.types, spelling.modifiers | Pack, 2);
  if (!high || !low || !join)
    return context.error("expected a conversion that the simulator knows");
  if (!context.expectOperands(3))
    return true;
  std::vector<OperandRef> sources =
      context.readVector(context.getOperand(1), Type::F32);
  if (sources.size() != 4)
    return context.error("expected a vector of 4 sources, but got " +
                         std::to_string(sources.size()));
  OperandRef random = context.readOperand(2, Type::B32);
  Result result;
  if (!readResult(context, join->operands.result, false, result))
    return true;
  OperandRef upper = context.makeRegister(high->operands.result);
  OperandRef lower = context.makeRegister(low->operands.result);
  emitConversion(context, *high, upper, sources[0], sources[1], random);
  emitConversion(context, *low, lower, sources[2], sources[3], random);
  emitConversion(context, *join, result.target, upper, lower);
  emitExtension(context, result);
  return true;
}

static bool decodePacked(DecodeContext &context, const Spelling &spelling) {
  if (context.getNumOperands() < 2)
    return context.error("expected two operands or more");
  unsigned numSources = context.getNumOperands() - 1;
  const AluRow *row =
      findConversion(spelling.types, spelling.modifiers, numSources);
  if (!row)
    return context.error("expected a conversion that the simulator knows");
  OperandRef sources[3];
  for (unsigned i = 0; i < numSources; ++i) {
    sources[i] = readSource(context, context.getOperand(i + 1),
                            row->operands.sources[i]);
    if (!sources[i].isPresent)
      return true;
  }
  Result result;
  if (!readResult(context, row->operands.result, false, result))
    return true;
  emitConversion(context, *row, result.target, sources[0], sources[1],
                 sources[2]);
  emitExtension(context, result);
  return true;
}

static bool decodeConvert(DecodeContext &context) {
  Spelling spelling;
  if (!takeSpelling(context, spelling))
    return false;
  if (!checkTarget(context, spelling))
    return true;
  std::string_view types = spelling.types;
  size_t dot = types.find('.');
  if (dot == std::string_view::npos)
    return context.error("expected two types");
  std::string_view to = types.substr(0, dot), from = types.substr(dot + 1);
  if (to.substr(to.size() - 2) == "x4")
    return decodeFour(context, spelling);
  bool isPacked = spelling.modifiers & Pack || findScalar(to) < 0;
  return isPacked ? decodePacked(context, spelling)
                  : decodeScalar(context, to, from, spelling.modifiers);
}

OpcodeTable getConvertOpcodes() {
  static constexpr OpcodeRow kRows[] = {{"cvt", decodeConvert}};
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
