//===- Printing.h - Parsed PTX as text for tests ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One line per instruction, with every operand's kind and what it refers to:
//
//   register      %r1 (its name), .b0 behind it     integer       5
//   float         f32:3f800000, f64:…                variable      global x+4,
//   local variable  local x                                        local x
//   parameter     param x, result x                  label         ->3 (its
//   address       [base+4, more]                                   instruction)
//   vector        {a, b}                             pair          a|b
//   function      @f                                 special       %tid.x
//   list          targets ts, prototype p            sink          _
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_UNIT_SIMULATOR_SYNTAX_PRINTING_H
#define NVFP4_UNIT_SIMULATOR_SYNTAX_PRINTING_H

#include "nvfp4/Simulator/PTX/Syntax.h"

#include <string>

namespace nvfp4::ptx {

std::string printOperand(const Module &module, const Function &function,
                         const Operand &operand);
std::string printInstruction(const Module &module, const Function &function,
                             const Instruction &instruction);
/// All instructions, each followed by ";" and, but the last, by " ".
std::string printInstructions(const Module &module, const Function &function);

/// Text around the body of a kernel `k` with parameters `in` (u64) and `box`
/// (24 bytes).
std::string wrapBody(const std::string &declarations, const std::string &body);

} // namespace nvfp4::ptx

#endif // NVFP4_UNIT_SIMULATOR_SYNTAX_PRINTING_H
