//===- Arithmetic.cpp - Tables of arithmetic instructions -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arithmetic.h"

namespace nvfp4::ptx {

std::vector<OpcodeTable> getArithmeticFamilies() {
  return {getIntegerOpcodes(),        getIntegerSlowOpcodes(),
          getLogicOpcodes(),          getCompareOpcodes(),
          getFloat32Opcodes(),        getFloat64Opcodes(),
          getHalfOpcodes(),           getConvertOpcodes(),
          getSpecialFunctionOpcodes()};
}

static constexpr Choice<Modifiers> kModifierNames[] = {
    {"rn", modifier::RN},
    {"rz", modifier::RZ},
    {"rm", modifier::RM},
    {"rp", modifier::RP},
    {"rna", modifier::RNA},
    {"rs", modifier::RS},
    {"rni", modifier::RNI},
    {"rzi", modifier::RZI},
    {"rmi", modifier::RMI},
    {"rpi", modifier::RPI},
    {"ftz", modifier::Ftz},
    {"sat", modifier::Sat},
    {"satfinite", modifier::Satfinite},
    {"relu", modifier::Relu},
    {"NaN", modifier::NaN},
    {"xorsign", modifier::XorSign},
    {"abs", modifier::Abs},
    {"approx", modifier::Approx},
    {"full", modifier::Full},
    {"lo", modifier::Lo},
    {"hi", modifier::Hi},
    {"wide", modifier::Wide},
    {"cc", modifier::CC},
    {"l", modifier::L},
    {"r", modifier::R},
    {"clamp", modifier::Clamp},
    {"wrap", modifier::Wrap},
    {"shiftamt", modifier::ShiftAmount},
    {"f4e", modifier::F4E},
    {"b4e", modifier::B4E},
    {"rc8", modifier::RC8},
    {"ecl", modifier::ECL},
    {"ecr", modifier::ECR},
    {"rc16", modifier::RC16},
    {"eq", modifier::EQ},
    {"ne", modifier::NE},
    {"lt", modifier::LT},
    {"le", modifier::LE},
    {"gt", modifier::GT},
    {"ge", modifier::GE},
    {"ls", modifier::LS},
    {"hs", modifier::HS},
    {"equ", modifier::EQU},
    {"neu", modifier::NEU},
    {"ltu", modifier::LTU},
    {"leu", modifier::LEU},
    {"gtu", modifier::GTU},
    {"geu", modifier::GEU},
    {"num", modifier::Num},
    {"nan", modifier::Nan},
    {"and", modifier::And},
    {"or", modifier::Or},
    {"xor", modifier::Xor},
    {"finite", modifier::Finite},
    {"infinite", modifier::Infinite},
    {"number", modifier::Number},
    {"notanumber", modifier::NotANumber},
    {"normal", modifier::Normal},
    {"subnormal", modifier::Subnormal},
    {"pack", modifier::Pack},
    {"oob", modifier::Oob},
};

/// Besides those of registers.
static constexpr std::string_view kMoreTypes[] = {
    "u16x2",   "s16x2",  "f32x2",  "tf32",   "e4m3x2", "e5m2x2", "e2m3x2",
    "e3m2x2",  "e2m1x2", "e4m3x4", "e5m2x4", "e2m3x4", "e3m2x4", "e2m1x4",
    "ue8m0x2", "u4",     "s4",     "u2",     "s2"};

static bool isType(std::string_view name) {
  if (parseType(name) != Type::None)
    return true;
  for (std::string_view type : kMoreTypes)
    if (type == name)
      return true;
  return false;
}

static Modifiers findModifier(std::string_view name) {
  for (const Choice<Modifiers> &choice : kModifierNames)
    if (choice.name == name)
      return choice.value;
  return 0;
}

bool takeSpelling(DecodeContext &context, Spelling &spelling) {
  for (unsigned i = 0; i < context.getNumQualifiers(); ++i) {
    std::string_view name = context.getQualifier(i);
    if (isType(name)) {
      if (!spelling.types.empty())
        spelling.types += '.';
      spelling.types += name;
      continue;
    }
    Modifiers modifier = findModifier(name);
    if (!modifier || spelling.modifiers & modifier)
      return false;
    spelling.modifiers |= modifier;
  }
  for (unsigned i = 0; i < context.getNumQualifiers(); ++i)
    context.take(context.getQualifier(i));
  return true;
}

const AluRow *AluTable::find(std::string_view opcode, std::string_view types,
                             Modifiers modifiers, unsigned numSources) const {
  for (const AluRow *row = rows; row != rows + size; ++row)
    if (row->modifiers == modifiers && row->types == types &&
        row->opcode == opcode && row->operands.numSources == numSources)
      return row;
  return nullptr;
}

void emitRow(DecodeContext &context, const AluRow &row, InstClass instClass) {
  OperandRef refs[4];
  for (unsigned i = 0; i < row.operands.numSources; ++i)
    refs[i] = context.readOperand(i + 1, row.operands.sources[i]);
  OperandRef d = context.writeOperand(0, row.operands.result);
  context.emitAlu(instClass, row.fn, d, refs[0], refs[1], refs[2], refs[3])
      .taint = row.taint;
}

bool decodeRow(DecodeContext &context, const AluTable &table,
               InstClass instClass) {
  Spelling spelling;
  if (context.getNumOperands() == 0 || !takeSpelling(context, spelling))
    return false;
  std::string_view opcode = context.getOpcode();
  unsigned numSources = context.getNumOperands() - 1;
  const AluRow *row =
      table.find(opcode, spelling.types, spelling.modifiers, numSources);
  if (!row && (opcode == "add" || opcode == "sub" || opcode == "mul"))
    row = table.find(opcode, spelling.types, spelling.modifiers | modifier::RN,
                     numSources);
  if (!row)
    return false;
  emitRow(context, *row, instClass);
  return true;
}

} // namespace nvfp4::ptx
