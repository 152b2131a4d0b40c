//===- Printing.cpp - Parsed PTX as text for tests ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Printing.h"

#include <cinttypes>
#include <cstdio>

using namespace nvfp4;
using namespace nvfp4::ptx;

static std::string printOffset(int64_t offset) {
  return offset == 0  ? ""
         : offset < 0 ? std::to_string(offset)
                      : "+" + std::to_string(offset);
}

static std::string printVariable(const Module &module, const Function &function,
                                 const Operand &operand) {
  std::string offset = printOffset(operand.integer);
  if (!operand.isLocalVariable)
    return "global " + std::string(module.variables.at(operand.index).name) +
           offset;
  uint32_t index = operand.index & ~(kParameterBit | kResultBit);
  if (operand.index & kResultBit)
    return "result " + std::string(function.results.at(index).name) + offset;
  if (operand.index & kParameterBit)
    return "param " + std::string(function.parameters.at(index).name) + offset;
  return "local " + std::string(function.variables.at(index).name) + offset;
}

static std::string printChildren(const Module &module, const Function &function,
                                 const Operand &operand, uint32_t first,
                                 const char *separator) {
  std::string text;
  for (uint32_t i = first; i < operand.numChildren; ++i) {
    text += i == first ? "" : separator;
    text += printOperand(module, function,
                         function.operands.at(operand.firstChild + i));
  }
  return text;
}

static std::string printBits(const char *format, int64_t bits) {
  char text[40];
  std::snprintf(text, sizeof(text), format, uint64_t(bits));
  return text;
}

std::string ptx::printOperand(const Module &module, const Function &function,
                              const Operand &operand) {
  using Kind = Operand::Kind;
  std::string name(operand.name);
  switch (operand.kind) {
  case Kind::Register:
    return (operand.isNegated ? "not " : "") +
           std::string(function.registers.at(operand.index).name) + name;
  case Kind::Integer:
    return std::to_string(operand.integer);
  case Kind::Float32:
    return printBits("f32:%08" PRIx64, operand.integer);
  case Kind::Float64:
    return printBits("f64:%016" PRIx64, operand.integer);
  case Kind::Variable:
    return printVariable(module, function, operand);
  case Kind::Function:
    return "@" + std::string(module.functions.at(operand.index).name);
  case Kind::Label:
    return "->" + std::to_string(function.labels.at(operand.index).instruction);
  case Kind::Special:
    return "special " + name;
  case Kind::Address: {
    std::string more = printChildren(module, function, operand, 1, ", ");
    return "[" +
           printOperand(module, function,
                        function.operands.at(operand.firstChild)) +
           printOffset(operand.integer) + (more.empty() ? "" : ", " + more) +
           "]";
  }
  case Kind::Vector:
    return "{" + printChildren(module, function, operand, 0, ", ") + "}";
  case Kind::Pair:
    return printChildren(module, function, operand, 0, "|");
  case Kind::Sink:
    return "_";
  case Kind::Name:
    if (operand.isPrototype)
      return "prototype " +
             std::string(function.prototypes.at(operand.index).name);
    return "targets " +
           std::string(function.targetLists.at(operand.index).name);
  }
  return "?";
}

std::string ptx::printInstruction(const Module &module,
                                  const Function &function,
                                  const Instruction &instruction) {
  std::string text;
  if (instruction.hasGuard)
    text = (instruction.isGuardNegated ? "@!" : "@") +
           std::string(function.registers.at(instruction.guard).name) + " ";
  text += instruction.opcode;
  for (unsigned i = 0; i < instruction.numQualifiers; ++i)
    text +=
        "." + std::string(module.qualifiers.at(instruction.firstQualifier + i));
  for (unsigned i = 0; i < instruction.numOperands; ++i)
    text += (i ? ", " : " ") +
            printOperand(module, function,
                         function.operands.at(instruction.firstOperand + i));
  return text;
}

std::string ptx::printInstructions(const Module &module,
                                   const Function &function) {
  std::string text;
  for (const Instruction &instruction : function.instructions)
    text += (text.empty() ? "" : " ") +
            printInstruction(module, function, instruction) + ";";
  return text;
}

std::string ptx::wrapBody(const std::string &declarations,
                          const std::string &body) {
  return ".version 8.7\n.target sm_120a\n.address_size 64\n" + declarations +
         "\n.visible .entry k(.param .u64 in, .param .align 8 .b8 "
         "box[24])\n{\n" +
         body + "\n}\n";
}
