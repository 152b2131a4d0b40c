//===- Control.cpp - Branches, calls, exits -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA 9.7.12 (control flow), 7.1 (functions and parameters).
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

static Outcome execBranch(Warp &warp, const Inst &inst, uint32_t mask) {
  return warp.branch(inst, mask, mask, uint32_t(inst.imm));
}

static bool decodeBranch(DecodeContext &context) {
  context.takeHints({"uni"});
  if (!context.expectOperands(1))
    return true;
  const Operand &target = context.getOperand(0);
  if (target.kind != Operand::Kind::Label)
    return context.error("expected a label");
  context.emitExec(InstClass::Control, execBranch);
  context.patchLabel(target.index);
  return true;
}

static Outcome execIndexedBranch(Warp &warp, const Inst &inst, uint32_t mask) {
  if (!warp.requireDefined(inst.a, mask, inst, "branch index"))
    return Outcome::Stop;
  // The targets follow as jumps, one an index.
  uint32_t first = warp.getPath().pc + 1;
  uint32_t targets[kLanes] = {};
  uint32_t bad = kLanes;
  forEachLane(mask, [&](unsigned lane) {
    uint64_t index = warp.readLane(inst.a, lane);
    if (index >= inst.imm)
      bad = lane;
    targets[lane] = first + uint32_t(index);
  });
  if (bad < kLanes)
    return warp.trap(inst, "bounds", bad,
                     "expected a branch index below " +
                         std::to_string(inst.imm) + ", but got " +
                         std::to_string(warp.readLane(inst.a, bad)));
  // Lanes that the guard turned off skip the jumps.
  if (mask != warp.getPath().mask) {
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if (!((mask >> lane) & 1))
        targets[lane] = first + uint32_t(inst.imm);
    return warp.branchIndexed(warp.getPath().mask, targets);
  }
  return warp.branchIndexed(mask, targets);
}

static bool decodeIndexedBranch(DecodeContext &context) {
  if (!context.take("idx"))
    return false;
  context.takeHints({"uni"});
  if (!context.expectOperands(2))
    return true;
  OperandRef index = context.readOperand(0, Type::U32);
  const auto &lists = context.getFunction().targetLists;
  std::string_view name = context.getOperand(1).name;
  auto list = std::find_if(lists.begin(), lists.end(),
                           [&](auto &list) { return list.name == name; });
  if (list == lists.end())
    return context.error(
        "expected the name of a .branchtargets list, but got '" +
        std::string(name) + "'");
  Inst &inst = context.emitExec(InstClass::Control, execIndexedBranch);
  inst.a = index;
  inst.imm = list->labels.size();
  for (uint32_t label : list->labels) {
    Inst &jump = context.emitExec(InstClass::Control, execBranch);
    jump.guard = OperandRef();
    context.patchLabel(label);
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

namespace {
/// Where a caller keeps an argument or takes a result: a register, or bytes of
/// its local memory.
struct Passed {
  OperandRef reg;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};
struct CallPlan final : Plan {
  std::vector<Passed> results, arguments;
  /// Direct calls.
  uint32_t function = ~0u;
};
/// The values of one Passed, all lanes.
struct Carried {
  std::vector<uint8_t> bytes, undefined;
};
} // namespace

static Carried carry(Warp &warp, const Frame &frame, const Passed &passed,
                     uint32_t mask) {
  Carried carried;
  carried.bytes.resize(passed.bytes * kLanes);
  carried.undefined.resize(passed.bytes * kLanes);
  if (passed.reg.isPresent) {
    std::memcpy(carried.bytes.data(), warp.read<uint8_t>(passed.reg),
                carried.bytes.size());
    warp.readUndefined(passed.reg, mask, carried.undefined.data());
    return carried;
  }
  Region region = warp.findRegion(AddressSpace::Local, frame.localBase);
  forEachLane(mask, [&](unsigned lane) {
    uint64_t from = lane * region.laneStride + frame.localBase + passed.offset;
    std::memcpy(carried.bytes.data() + lane * passed.bytes, region.data + from,
                passed.bytes);
    if (region.undefined)
      region.undefined->read(from, passed.bytes,
                             carried.undefined.data() + lane * passed.bytes);
  });
  return carried;
}

static void deliver(Warp &warp, Frame &frame, const Passed &passed,
                    const Carried &carried, uint32_t mask) {
  if (passed.reg.isPresent) {
    size_t bytes = passed.reg.bytes;
    forEachLane(mask, [&](unsigned lane) {
      std::memcpy(frame.values + passed.reg.offset + lane * bytes,
                  carried.bytes.data() + lane * bytes, bytes);
    });
    warp.writeUndefinedIn(frame, passed.reg, mask, carried.undefined.data());
    return;
  }
  Region region = warp.findRegion(AddressSpace::Local, frame.localBase);
  forEachLane(mask, [&](unsigned lane) {
    uint64_t to = lane * region.laneStride + frame.localBase + passed.offset;
    std::memcpy(region.data + to, carried.bytes.data() + lane * passed.bytes,
                passed.bytes);
    if (region.undefined)
      region.undefined->write(to, passed.bytes,
                              carried.undefined.data() + lane * passed.bytes);
  });
}

/// The formal parameters or results of `code`, seen from inside.
static std::vector<Passed> getFormals(const Code &code, bool isResult) {
  const Function &function = *code.function;
  const auto &variables = isResult ? function.results : function.parameters;
  const auto &registers =
      isResult ? code.resultRegisters : code.parameterRegisters;
  const auto &offsets = isResult ? code.resultOffsets : code.parameterOffsets;
  std::vector<Passed> formals;
  for (size_t i = 0; i < variables.size(); ++i) {
    Passed formal;
    if (i < registers.size() && registers[i].isPresent)
      formal.reg = registers[i];
    formal.offset = offsets[i];
    formal.bytes = formal.reg.isPresent ? formal.reg.bytes : variables[i].size;
    formals.push_back(formal);
  }
  return formals;
}

static bool agree(const std::vector<Passed> &a, const std::vector<Passed> &b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](auto &x, auto &y) { return x.bytes == y.bytes; });
}

static Outcome callFunction(Warp &warp, const Inst &inst, uint32_t mask,
                            const Code &callee) {
  auto &plan = static_cast<const CallPlan &>(*inst.plan);
  std::vector<Passed> formals = getFormals(callee, false);
  unsigned lane = unsigned(__builtin_ctz(mask));
  if (!agree(formals, plan.arguments) ||
      !agree(getFormals(callee, true), plan.results))
    return warp.trap(inst, "call", lane,
                     "expected arguments and results like those of '" +
                         std::string(callee.function->name) + "'");
  std::vector<Carried> arguments;
  for (const Passed &argument : plan.arguments)
    arguments.push_back(carry(warp, warp.getFrame(), argument, mask));
  Frame *made = nullptr;
  Outcome outcome = warp.call(inst, mask, callee, made);
  if (outcome == Outcome::Stop)
    return outcome;
  for (size_t i = 0; i < formals.size(); ++i)
    deliver(warp, *made, formals[i], arguments[i], mask);
  return outcome;
}

static Outcome execCall(Warp &warp, const Inst &inst, uint32_t mask) {
  auto &plan = static_cast<const CallPlan &>(*inst.plan);
  const Program::Impl &program = warp.getLaunch().program;
  if (plan.function != ~0u)
    return callFunction(warp, inst, mask, *program.codes[plan.function]);
  if (!warp.requireDefined(inst.a, mask, inst, "function address"))
    return Outcome::Stop;
  // Lanes that call another function than the first come back for theirs.
  unsigned first = unsigned(__builtin_ctz(mask));
  uint64_t address = warp.readLane(inst.a, first);
  uint64_t index = address - kCodeBase;
  if (index >= program.codes.size() || !program.codes[index])
    return warp.trap(inst, "call", first,
                     "expected the address of a function, but got " +
                         std::to_string(address));
  uint32_t lanes = 0;
  forEachLane(mask, [&](unsigned lane) {
    if (warp.readLane(inst.a, lane) == address)
      lanes |= 1u << lane;
  });
  if (lanes != mask)
    return warp.split(mask & ~lanes);
  return callFunction(warp, inst, mask, *program.codes[index]);
}

/// Registers or variables between the parentheses of a call.
static bool readPassed(DecodeContext &context, const Operand &list,
                       bool isResult, std::vector<Passed> &passed) {
  const Function &function = context.getFunction();
  for (unsigned i = 0; i < list.numChildren; ++i) {
    const Operand &operand = context.getChild(list, i);
    Passed item;
    if (operand.kind == Operand::Kind::Variable && operand.isLocalVariable &&
        !(operand.index & kParameterBit)) {
      item.offset = context.getCode().variableOffsets[operand.index];
      item.bytes = function.variables[operand.index].size;
    } else if (operand.kind == Operand::Kind::Register) {
      Type type = function.registers[operand.index].type;
      item.reg = isResult ? context.writeOperand(operand, type)
                          : context.readOperand(operand, type);
      item.bytes = item.reg.bytes;
    } else {
      context.error("expected registers or .param variables of the caller as "
                    "arguments and results");
      return false;
    }
    passed.push_back(item);
  }
  return true;
}

static bool decodeCall(DecodeContext &context) {
  context.takeHints({"uni"});
  if (!context.expectOperands(3, 4))
    return true;
  CallPlan &plan = context.makePlan<CallPlan>();
  if (!readPassed(context, context.getOperand(0), true, plan.results) ||
      !readPassed(context, context.getOperand(2), false, plan.arguments))
    return true;
  const Operand &callee = context.getOperand(1);
  OperandRef address;
  if (callee.kind == Operand::Kind::Function) {
    const Function &function = context.getModule().functions[callee.index];
    if (function.isDeclaration)
      return context.error("expected a function with a body, but '" +
                           std::string(function.name) +
                           "' is only declared in this file");
    plan.function = callee.index;
  } else {
    address = context.readOperand(callee, Type::U64);
  }
  Inst &inst = context.emitExec(InstClass::Control, execCall);
  inst.plan = &plan;
  inst.a = address;
  return true;
}

static Outcome execReturn(Warp &warp, const Inst &inst, uint32_t mask) {
  Frame &frame = warp.getFrame();
  if (!frame.parent)
    return warp.exitLanes(mask);
  const Inst &call = frame.parent->code->insts[frame.callPc];
  auto &plan = static_cast<const CallPlan &>(*call.plan);
  std::vector<Passed> formals = getFormals(*frame.code, true);
  std::vector<Carried> results;
  for (const Passed &formal : formals)
    results.push_back(carry(warp, frame, formal, mask));
  for (size_t i = 0; i < formals.size(); ++i)
    deliver(warp, *frame.parent, plan.results[i], results[i], mask);
  return warp.ret(inst, mask);
}

static bool decodeReturn(DecodeContext &context) {
  context.takeHints({"uni"});
  context.emitExec(InstClass::Control, execReturn);
  return true;
}

//===----------------------------------------------------------------------===//
// Ends
//===----------------------------------------------------------------------===//

static bool decodeExit(DecodeContext &context) {
  context.emitExec(InstClass::Control,
                   [](Warp &warp, const Inst &, uint32_t mask) {
                     return warp.exitLanes(mask);
                   });
  return true;
}

static bool decodeTrap(DecodeContext &context) {
  context.emitExec(
      InstClass::Control, [](Warp &warp, const Inst &inst, uint32_t mask) {
        return warp.trap(inst, "trap", unsigned(__builtin_ctz(mask)),
                         "the program executed a trap");
      });
  return true;
}

/// Nothing to do: profiler events and scheduling hints.
static bool decodeNothing(DecodeContext &context) {
  context.takeHints({"mask"});
  return true;
}

OpcodeTable getControlOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"bra", decodeBranch}, {"brx", decodeIndexedBranch}, {"call", decodeCall},
      {"ret", decodeReturn}, {"exit", decodeExit},         {"trap", decodeTrap},
      {"brkpt", decodeTrap}, {"pmevent", decodeNothing},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
