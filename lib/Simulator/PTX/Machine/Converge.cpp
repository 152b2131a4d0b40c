//===- Converge.cpp - Lanes that wait for each other ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `.sync` instructions name by a membermask who must take part; `.aligned` ones
// need every live lane (R14). A lane that misses others waits as part of a
// Converging path, which becomes Ready when another path arrives at the same
// instruction or a lane exits, and then looks again. When every path of a warp
// waits like this, nothing can change any more.
//
// Sources: PTX ISA 9.7.9.6 (shfl.sync), 9.7.13.4 (bar.warp.sync), 9.7.14.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include <algorithm>
#include <cstdio>

namespace nvfp4::ptx {

static std::string toHex(uint32_t mask) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

static const Instruction &getSource(const Path &path) {
  const Code &code = *path.frame->code;
  return code.function->instructions[code.insts[path.pc].source];
}

static std::string getSpelling(const Module &module,
                               const Instruction &instruction) {
  std::string text(instruction.opcode);
  for (unsigned i = 0; i < instruction.numQualifiers; ++i)
    text +=
        "." + std::string(module.qualifiers[instruction.firstQualifier + i]);
  return text;
}

/// `bar` is `barrier.aligned`.
static bool isAligned(const Module &module, const Path &path) {
  const Instruction &source = getSource(path);
  auto first = module.qualifiers.begin() + source.firstQualifier;
  auto last = first + source.numQualifiers;
  if (source.opcode == "bar")
    return std::find(first, last, "warp") == last;
  return std::find(first, last, "aligned") != last;
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

Outcome Warp::converge(const Inst &inst, uint32_t mask, uint32_t members) {
  Path &path = getPath();
  members &= liveLanes;
  uint32_t missing = members & ~mask;
  if (!missing)
    return Outcome::Next;
  // Lanes that stand here and do not execute it will not come.
  if (uint32_t off = missing & path.mask)
    return trap(inst, "R14", unsigned(__builtin_ctz(off)),
                "expected all live lanes of the warp, " + toHex(members) +
                    ", to execute this .aligned instruction, but its guard is "
                    "false in lanes " +
                    toHex(off));
  path.awaited = members;
  path.state = Path::State::Converging;
  return Outcome::Block;
}

unsigned Warp::formGroups(const Inst &inst, uint32_t mask,
                          const OperandRef &membermask,
                          MemberGroup groups[kLanes]) {
  if (!requireDefined(membermask, mask, inst, "membermask"))
    return 0;
  const uint32_t *masks = read<uint32_t>(membermask);
  unsigned count = 0;
  for (uint32_t rest = mask; rest; rest &= ~groups[count++].lanes) {
    MemberGroup &group = groups[count];
    group = {masks[__builtin_ctz(rest)], 0, false};
    forEachLane(rest, [&](unsigned lane) {
      group.lanes |= uint32_t(masks[lane] == group.members) << lane;
    });
    if (uint32_t strangers = group.lanes & ~group.members) {
      trap(inst, "convergence", unsigned(__builtin_ctz(strangers)),
           "expected a membermask that names the lane itself, but got " +
               toHex(group.members));
      return 0;
    }
    group.isComplete = (group.members & liveLanes) == group.lanes;
  }
  return count;
}

Outcome Warp::leaveIncomplete(const MemberGroup *groups, unsigned count) {
  Path original = getPath();
  uint32_t left = 0;
  for (unsigned i = 0; i < count; ++i)
    left |= groups[i].isComplete ? 0 : groups[i].lanes;
  if (!left)
    return Outcome::Next;
  bool isReused = false;
  if (uint32_t rest = original.mask & ~left) {
    getPath().mask = rest;
    ++getPath().pc;
    isReused = true;
  }
  for (unsigned i = 0; i < count; ++i) {
    if (groups[i].isComplete)
      continue;
    Path waiting = original;
    waiting.mask = groups[i].lanes;
    waiting.awaited = groups[i].members;
    waiting.state = Path::State::Converging;
    if (!isReused) {
      paths[current] = waiting;
      isReused = true;
      continue;
    }
    ++waiting.frame->numUsers;
    paths.push_back(waiting);
  }
  return original.mask == left ? Outcome::Block : Outcome::Resched;
}

//===----------------------------------------------------------------------===//
// Waiting in vain
//===----------------------------------------------------------------------===//

bool Warp::isWaitingAligned() const {
  const Module &module = *getLaunch().program.module;
  return std::any_of(paths.begin(), paths.end(), [&](const Path &path) {
    return path.state == Path::State::Converging && isAligned(module, path);
  });
}

bool Warp::isStuck() const {
  return !paths.empty() &&
         std::all_of(paths.begin(), paths.end(), [](const Path &path) {
           return path.state == Path::State::Converging;
         });
}

std::string Warp::describePath(const Path &path) const {
  const Module &module = *getLaunch().program.module;
  const Inst &inst = path.frame->code->insts[path.pc];
  std::string text = "lanes " + toHex(path.mask) + " at " + module.fileName +
                     ":" + std::to_string(inst.line) + " '" +
                     getSpelling(module, getSource(path)) + "'";
  if (path.state == Path::State::Converging)
    text += " for lanes " + toHex(path.awaited & liveLanes & ~path.mask);
  return text;
}

void Warp::reportStuck() {
  const Module &module = *getLaunch().program.module;
  auto first = std::find_if(paths.begin(), paths.end(), [&](const Path &path) {
    return isAligned(module, path);
  });
  bool hasAligned = first != paths.end();
  if (!hasAligned)
    first = paths.begin();
  std::string message =
      hasAligned ? "expected all live lanes of the warp to execute this "
                   ".aligned instruction, but they wait apart: "
                 : "deadlock: expected the lanes of the membermask to execute "
                   "this instruction, but they wait for each other: ";
  for (const Path &path : paths)
    message += (&path == paths.data() ? "" : "; ") + describePath(path);
  trap(first->frame->code->insts[first->pc], hasAligned ? "R14" : "R12",
       unsigned(__builtin_ctz(first->mask)), message);
}

} // namespace nvfp4::ptx
