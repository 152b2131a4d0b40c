//===- Arithmetic.h - Tables of arithmetic instructions --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An arithmetic instruction is a row: its spelling, the function that computes
// 32 lanes, and the types of its operands. The rows of a family are compiled
// once per instruction set of the host (Lanes-inl.h); decoding finds the row of
// the spelling and reads the operands that the row names.
//
// A spelling is the opcode, the types as they are written ("f32", "u32.s32"),
// and the set of all other qualifiers in any order.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_INSTRUCTIONS_ARITHMETIC_H
#define NVFP4_SIMULATOR_PTX_INSTRUCTIONS_ARITHMETIC_H

#include "Decoder.h"
#include "Rounding.h"

#include <string>
#include <string_view>

namespace nvfp4::ptx {

OpcodeTable getIntegerOpcodes();
OpcodeTable getIntegerSlowOpcodes();
OpcodeTable getLogicOpcodes();
OpcodeTable getCompareOpcodes();
OpcodeTable getFloat32Opcodes();
OpcodeTable getFloat64Opcodes();
OpcodeTable getHalfOpcodes();
OpcodeTable getConvertOpcodes();
OpcodeTable getSpecialFunctionOpcodes();
/// All of these.
std::vector<OpcodeTable> getArithmeticFamilies();

/// Qualifiers that are no types, one bit each.
using Modifiers = uint64_t;
namespace modifier {
inline constexpr Modifiers None = 0;
// Rounding.
inline constexpr Modifiers RN = Modifiers(1) << 0;
inline constexpr Modifiers RZ = Modifiers(1) << 1;
inline constexpr Modifiers RM = Modifiers(1) << 2;
inline constexpr Modifiers RP = Modifiers(1) << 3;
inline constexpr Modifiers RNA = Modifiers(1) << 4;
inline constexpr Modifiers RS = Modifiers(1) << 5;
inline constexpr Modifiers RNI = Modifiers(1) << 6;
inline constexpr Modifiers RZI = Modifiers(1) << 7;
inline constexpr Modifiers RMI = Modifiers(1) << 8;
inline constexpr Modifiers RPI = Modifiers(1) << 9;
// Floating point.
inline constexpr Modifiers Ftz = Modifiers(1) << 10;
inline constexpr Modifiers Sat = Modifiers(1) << 11;
inline constexpr Modifiers Satfinite = Modifiers(1) << 12;
inline constexpr Modifiers Relu = Modifiers(1) << 13;
inline constexpr Modifiers NaN = Modifiers(1) << 14;
inline constexpr Modifiers XorSign = Modifiers(1) << 15;
inline constexpr Modifiers Abs = Modifiers(1) << 16;
inline constexpr Modifiers Approx = Modifiers(1) << 17;
inline constexpr Modifiers Full = Modifiers(1) << 18;
// Integers. Lo and Hi are comparisons too.
inline constexpr Modifiers Lo = Modifiers(1) << 19;
inline constexpr Modifiers Hi = Modifiers(1) << 20;
inline constexpr Modifiers Wide = Modifiers(1) << 21;
inline constexpr Modifiers CC = Modifiers(1) << 22;
inline constexpr Modifiers L = Modifiers(1) << 23;
inline constexpr Modifiers R = Modifiers(1) << 24;
inline constexpr Modifiers Clamp = Modifiers(1) << 25;
inline constexpr Modifiers Wrap = Modifiers(1) << 26;
inline constexpr Modifiers ShiftAmount = Modifiers(1) << 27;
// prmt.
inline constexpr Modifiers F4E = Modifiers(1) << 28;
inline constexpr Modifiers B4E = Modifiers(1) << 29;
inline constexpr Modifiers RC8 = Modifiers(1) << 30;
inline constexpr Modifiers ECL = Modifiers(1) << 31;
inline constexpr Modifiers ECR = Modifiers(1) << 32;
inline constexpr Modifiers RC16 = Modifiers(1) << 33;
// Comparisons.
inline constexpr Modifiers EQ = Modifiers(1) << 34;
inline constexpr Modifiers NE = Modifiers(1) << 35;
inline constexpr Modifiers LT = Modifiers(1) << 36;
inline constexpr Modifiers LE = Modifiers(1) << 37;
inline constexpr Modifiers GT = Modifiers(1) << 38;
inline constexpr Modifiers GE = Modifiers(1) << 39;
inline constexpr Modifiers LS = Modifiers(1) << 40;
inline constexpr Modifiers HS = Modifiers(1) << 41;
inline constexpr Modifiers EQU = Modifiers(1) << 42;
inline constexpr Modifiers NEU = Modifiers(1) << 43;
inline constexpr Modifiers LTU = Modifiers(1) << 44;
inline constexpr Modifiers LEU = Modifiers(1) << 45;
inline constexpr Modifiers GTU = Modifiers(1) << 46;
inline constexpr Modifiers GEU = Modifiers(1) << 47;
inline constexpr Modifiers Num = Modifiers(1) << 48;
inline constexpr Modifiers Nan = Modifiers(1) << 49;
// Combinations of predicates.
inline constexpr Modifiers And = Modifiers(1) << 50;
inline constexpr Modifiers Or = Modifiers(1) << 51;
inline constexpr Modifiers Xor = Modifiers(1) << 52;
// testp.
inline constexpr Modifiers Finite = Modifiers(1) << 53;
inline constexpr Modifiers Infinite = Modifiers(1) << 54;
inline constexpr Modifiers Number = Modifiers(1) << 55;
inline constexpr Modifiers NotANumber = Modifiers(1) << 56;
inline constexpr Modifiers Normal = Modifiers(1) << 57;
inline constexpr Modifiers Subnormal = Modifiers(1) << 58;
inline constexpr Modifiers Pack = Modifiers(1) << 59;
inline constexpr Modifiers Oob = Modifiers(1) << 60;
} // namespace modifier

/// RN when there is none.
constexpr Rounding getRounding(Modifiers modifiers) {
  return modifiers & modifier::RZ    ? Rounding::RZ
         : modifiers & modifier::RM  ? Rounding::RM
         : modifiers & modifier::RP  ? Rounding::RP
         : modifiers & modifier::RNA ? Rounding::RNA
                                     : Rounding::RN;
}

/// The qualifiers of an instruction, sorted out.
struct Spelling {
  /// In the order in which they are written, with dots in between.
  std::string types;
  Modifiers modifiers = 0;
};
/// False, with nothing taken, when a qualifier is neither a modifier nor a type
/// of values. Takes all of them otherwise.
bool takeSpelling(DecodeContext &context, Spelling &spelling);

/// The types of result and sources; Type::None ends the sources.
struct OperandTypes {
  Type result = Type::None;
  Type sources[4] = {Type::None, Type::None, Type::None, Type::None};
  unsigned numSources = 0;
};

struct AluRow {
  std::string_view opcode, types;
  Modifiers modifiers;
  AluFn fn;
  OperandTypes operands;
  TaintFn taint;
};
struct AluTable {
  const AluRow *rows;
  size_t size;

  /// Null if there is none for these operands.
  const AluRow *find(std::string_view opcode, std::string_view types,
                     Modifiers modifiers, unsigned numSources) const;
};

/// Decodes an instruction that is one row. False, with nothing taken, when the
/// table does not have it. Without a rounding, add, sub and mul are the rows
/// with `.rn`; other instructions that round must say how.
bool decodeRow(DecodeContext &context, const AluTable &table,
               InstClass instClass);
/// Emits a row with the instruction's operands.
void emitRow(DecodeContext &context, const AluRow &row, InstClass instClass);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_INSTRUCTIONS_ARITHMETIC_H
