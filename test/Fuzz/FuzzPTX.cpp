//===- FuzzPTX.cpp - Any bytes as PTX -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is accepted has no index that leaves its list; everything else is an
// error with a message that names the file.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Syntax.h"

#include <cstdlib>

using namespace nvfp4;
using namespace nvfp4::ptx;

static void require(bool condition) {
  if (!condition)
    std::abort();
}

static void checkVariable(const Module &module, const Function &function,
                          const Operand &operand) {
  uint32_t index = operand.index & ~(kParameterBit | kResultBit);
  if (!operand.isLocalVariable)
    require(operand.index < module.variables.size());
  else if (operand.index & kResultBit)
    require(index < function.results.size());
  else if (operand.index & kParameterBit)
    require(index < function.parameters.size());
  else
    require(index < function.variables.size());
}

static void checkOperand(const Module &module, const Function &function,
                         const Operand &operand, size_t position) {
  using Kind = Operand::Kind;
  // Children come before their parent: walking them ends.
  require(operand.firstChild <= function.operands.size() &&
          operand.numChildren <= function.operands.size());
  if (operand.numChildren)
    require(operand.firstChild + operand.numChildren <= position);
  switch (operand.kind) {
  case Kind::Register:
    return require(operand.index < function.registers.size() &&
                   !function.registers[operand.index].name.empty());
  case Kind::Variable:
    return checkVariable(module, function, operand);
  case Kind::Function:
    return require(operand.index < module.functions.size());
  case Kind::Label:
    return require(operand.index < function.labels.size());
  case Kind::Name:
    return require(operand.index < (operand.isPrototype
                                        ? function.prototypes.size()
                                        : function.targetLists.size()));
  case Kind::Special:
    return require(!operand.name.empty());
  case Kind::Address:
    return require(operand.numChildren >= 1);
  case Kind::Pair:
    return require(operand.numChildren == 2);
  case Kind::Integer:
  case Kind::Float32:
  case Kind::Float64:
  case Kind::Vector:
  case Kind::Sink:
    return;
  }
}

static void checkInitializers(const Module &module,
                              const std::vector<Variable> &variables) {
  for (const Variable &variable : variables) {
    for (const Initializer &initializer : variable.initializers) {
      require(initializer.offset + initializer.size <= variable.size);
      if (initializer.variable)
        require(*initializer.variable < module.variables.size());
      if (initializer.function)
        require(*initializer.function < module.functions.size());
    }
  }
}

static void checkFunction(const Module &module, const Function &function) {
  require(!function.name.empty());
  require(function.results.size() == function.resultRegisters.size());
  require(function.parameters.size() == function.parameterRegisters.size());
  for (size_t i = 0; i < function.operands.size(); ++i)
    checkOperand(module, function, function.operands[i], i);
  for (const Instruction &instruction : function.instructions) {
    require(size_t(instruction.firstQualifier) + instruction.numQualifiers <=
            module.qualifiers.size());
    require(size_t(instruction.firstOperand) + instruction.numOperands <=
            function.operands.size());
    require(!instruction.hasGuard ||
            instruction.guard < function.registers.size());
  }
  for (const Label &label : function.labels)
    require(label.instruction <= function.instructions.size());
  for (const TargetList &list : function.targetLists) {
    for (uint32_t label : list.labels)
      require(label < function.labels.size());
    for (uint32_t target : list.functions)
      require(target < module.functions.size());
  }
  checkInitializers(module, function.variables);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  Result<std::unique_ptr<Module>> module = parseModule(std::move(text), "f");
  if (!module) {
    require(module.getMessage().rfind("f:", 0) == 0);
    return 0;
  }
  checkInitializers(**module, (*module)->variables);
  for (const Function &function : (*module)->functions)
    checkFunction(**module, function);
  return 0;
}
