//===- RegisterWatch.cpp - Registers that wgmma uses asynchronously -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accumulators and fragments of A belong to the operation until the warp has
// waited for it. A copy of such a register is one, too (R10): compilers copy
// what an instruction ties to its result. Before an operation, accesses need a
// `wgmma.fence`, except by an operation of the same shape.
//
// Source: PTX ISA 9.7.15.7; rule R10.
//
//===----------------------------------------------------------------------===//

#include "Observe.h"
#include "Warpgroup.h"

#include <algorithm>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// Finding them
//===----------------------------------------------------------------------===//

static bool isMultiply(const Module &module, const Instruction &instruction) {
  return instruction.opcode == "wgmma" && instruction.numQualifiers &&
         module.qualifiers[instruction.firstQualifier] == "mma_async";
}

static bool isCopy(const Instruction &instruction) {
  return instruction.opcode == "mov";
}

static void collect(const Function &function, const Operand &operand,
                    std::vector<uint32_t> &registers) {
  if (operand.kind == Operand::Kind::Register)
    registers.push_back(operand.index);
  for (uint32_t i = 0; i < operand.numChildren; ++i)
    collect(function, function.operands[operand.firstChild + i], registers);
}

/// D, and A if it is a vector of registers.
static RegisterUses findMultiplyUses(const Function &function,
                                     const Instruction &instruction) {
  RegisterUses uses;
  const Operand *operands = &function.operands[instruction.firstOperand];
  collect(function, operands[0], uses.results);
  if (operands[1].kind == Operand::Kind::Vector)
    collect(function, operands[1], uses.sources);
  return uses;
}

namespace {
/// Registers of a function that are watched.
struct Watches {
  std::vector<uint32_t> ofRegister;
  uint32_t count = 0;

  bool has(uint32_t reg) const { return ofRegister[reg] != ~0u; }
  bool add(uint32_t reg) {
    if (has(reg))
      return false;
    ofRegister[reg] = count++;
    return true;
  }
};
} // namespace

/// Copies of copies count.
static void addCopies(const Function &function,
                      const std::vector<RegisterUses> &uses, Watches &watches) {
  for (bool isChanging = true; isChanging;) {
    isChanging = false;
    for (size_t i = 0; i < uses.size(); ++i) {
      const auto &[sources, results, isBarrier] = uses[i];
      if (isCopy(function.instructions[i]) &&
          std::any_of(sources.begin(), sources.end(),
                      [&](uint32_t reg) { return watches.has(reg); }))
        for (uint32_t reg : results)
          isChanging |= watches.add(reg);
    }
  }
}

void watchRegisters(const Module &module, Code &code) {
  const Function &function = *code.function;
  const auto &instructions = function.instructions;
  if (std::none_of(instructions.begin(), instructions.end(),
                   [&](auto &each) { return isMultiply(module, each); }))
    return;
  Watches watches;
  watches.ofRegister.assign(function.registers.size(), ~0u);
  std::vector<RegisterUses> uses;
  for (const Instruction &instruction : instructions) {
    bool isOp = isMultiply(module, instruction);
    uses.push_back(isOp ? findMultiplyUses(function, instruction)
                        : findRegisterUses(module, function, instruction));
    if (!isOp)
      continue;
    for (const auto *registers : {&uses.back().sources, &uses.back().results})
      for (uint32_t reg : *registers)
        watches.add(reg);
  }
  addCopies(function, uses, watches);
  code.numWatches = watches.count;
  uint32_t last = ~0u;
  for (Inst &inst : code.insts) {
    // The first of what an instruction became speaks for all.
    if (inst.source == last)
      continue;
    last = inst.source;
    inst.firstWatch = uint32_t(code.watches.size());
    for (uint32_t reg : uses[inst.source].sources)
      if (watches.has(reg))
        code.watches.push_back({watches.ofRegister[reg], false});
    for (uint32_t reg : uses[inst.source].results)
      if (watches.has(reg))
        code.watches.push_back({watches.ofRegister[reg], true});
    inst.numWatches = uint16_t(code.watches.size() - inst.firstWatch);
    inst.isCopy = isCopy(instructions[inst.source]);
    inst.isMultiply = isMultiply(module, instructions[inst.source]);
  }
}

//===----------------------------------------------------------------------===//
// Other instructions
//===----------------------------------------------------------------------===//

static void reportUse(Warp &warp, const Inst &inst, const WatchedRegister &reg,
                      bool isWrite) {
  warp.report(
      Finding::Severity::Error, inst, "R10", 0,
      std::string("expected wgmma.wait_group between the wgmma.mma_async of "
                  "line ") +
          std::to_string(reg.opLine) + " and this " +
          (isWrite ? "write to" : "use of") +
          (reg.isAccumulator ? " its accumulator"
                             : " a register with its fragment of A") +
          ", but there is none",
      reg.opLine);
}

void useWatched(Warp &warp, const Inst &inst) {
  Warpgroup *group = findWarpgroup(warp);
  if (inst.isMultiply || !group)
    return;
  const Warpgroup::Member &member = group->members[getMemberIndex(warp)];
  Frame &frame = warp.getFrame();
  const WatchedUse *uses = frame.code->watches.data() + inst.firstWatch;
  const WatchedRegister *inherited = nullptr;
  for (unsigned i = 0; i < inst.numWatches; ++i) {
    WatchedRegister &reg = frame.watched[uses[i].watch];
    bool isInFlight = reg.op > member.waited;
    if (isInFlight && inst.isCopy && !uses[i].isWrite) {
      warp.report(Finding::Severity::Warning, inst, "R10", 0,
                  "copies a register of the wgmma.mma_async of line " +
                      std::to_string(reg.opLine) +
                      " that is in flight: an assembler may wait for it here",
                  reg.opLine);
      inherited = &reg;
      continue;
    }
    if (isInFlight)
      reportUse(warp, inst, reg, uses[i].isWrite);
    if (uses[i].isWrite && inherited) {
      reg = *inherited;
      continue;
    }
    (uses[i].isWrite ? reg.writtenAt : reg.readAt) = member.fences + 1;
    (uses[i].isWrite ? reg.writeLine : reg.readLine) = inst.line;
    if (uses[i].isWrite)
      reg.op = 0;
  }
  // The copy must get the value.
  if (inherited)
    landOwnOps(warp);
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

/// What stands between a register's last uses and an operation that writes it
/// (`isAccumulator`) or reads it; null: nothing.
static const char *findObstacle(const WatchedRegister &reg,
                                const Warpgroup::Member &member,
                                bool isAccumulator, uint32_t shape,
                                uint32_t &line) {
  bool isInFlight = reg.op > member.waited;
  line = reg.opLine;
  if (isInFlight && isAccumulator && !reg.isAccumulator)
    return "wgmma.wait_group between the wgmma.mma_async whose fragment of A "
           "it is and this one, which writes it,";
  if (isInFlight && reg.isAccumulator && !isAccumulator)
    return "wgmma.wait_group between the wgmma.mma_async that writes the "
           "register and this one, whose fragment of A it is,";
  if (isInFlight && isAccumulator && reg.shape != shape)
    return "wgmma.wait_group between wgmma.mma_async of different shapes on "
           "one accumulator";
  line = reg.writeLine;
  if (reg.writtenAt > member.fences)
    return "wgmma.fence between the write to a register and this "
           "wgmma.mma_async, which uses it,";
  line = reg.readLine;
  if (isAccumulator && reg.readAt > member.fences)
    return "wgmma.fence between the use of an accumulator and this "
           "wgmma.mma_async, which writes it,";
  return nullptr;
}

void issueWatched(Warp &warp, const Inst &inst, const Warpgroup::Member &member,
                  uint32_t number, uint32_t shape) {
  Frame &frame = warp.getFrame();
  const WatchedUse *uses = frame.code->watches.data() + inst.firstWatch;
  for (unsigned i = 0; i < inst.numWatches; ++i) {
    WatchedRegister &reg = frame.watched[uses[i].watch];
    bool isAccumulator = uses[i].isWrite;
    uint32_t line = 0;
    if (const char *what =
            findObstacle(reg, member, isAccumulator, shape, line))
      warp.report(Finding::Severity::Error, inst, "R10", 0,
                  std::string("expected ") + what + " but there is none", line);
    reg.op = number;
    reg.isAccumulator = isAccumulator;
    reg.shape = shape;
    reg.opLine = inst.line;
    reg.readAt = reg.writtenAt = 0;
  }
  if (!member.fences)
    warp.report(Finding::Severity::Error, inst, "R10", 0,
                "expected wgmma.fence before the first wgmma.mma_async of a "
                "kernel, but there is none");
}

} // namespace nvfp4::ptx
