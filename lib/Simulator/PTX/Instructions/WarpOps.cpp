//===- WarpOps.cpp - Votes, elections and barriers of a warp --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// None of these but bar.warp.sync orders memory (R2).
//
// Source: PTX ISA 9.7.13.4 (bar.warp.sync), 9.7.13.9 to 9.7.13.13 (vote, match,
// activemask, elect).
//
//===----------------------------------------------------------------------===//

#include "WarpOps.h"
#include "Alu.h"
#include "Machine/Ordering.h"

#include <algorithm>

namespace nvfp4::ptx {

//===----------------------------------------------------------------------===//
// bar.warp.sync
//===----------------------------------------------------------------------===//

static Outcome execWarpBarrier(Warp &warp, const Inst &inst, uint32_t mask);

/// Completes groups with lanes that wait with the same membermask at other
/// instructions, and lets those go on.
static void joinElsewhere(Warp &warp, Warp::MemberGroup &group) {
  auto isPartner = [&](const Path &path) {
    return &path != &warp.getPath() && path.state == Path::State::Converging &&
           path.awaited == group.members &&
           path.frame->code->insts[path.pc].exec == execWarpBarrier;
  };
  uint32_t here = group.lanes;
  for (const Path &path : warp.getPaths())
    here |= isPartner(path) ? path.mask : 0;
  if (group.members & warp.getLiveLanes() & ~here)
    return;
  for (Path &path : warp.getPaths()) {
    if (!isPartner(path))
      continue;
    path.state = Path::State::Ready;
    path.isReleased = true;
  }
  group.isComplete = true;
}

static Outcome execWarpBarrier(Warp &warp, const Inst &inst, uint32_t mask) {
  if (warp.getPath().isReleased) {
    warp.getPath().isReleased = false;
    return Outcome::Next;
  }
  Warp::MemberGroup groups[kLanes];
  unsigned count = warp.formGroups(inst, mask, inst.a, groups);
  if (!count)
    return Outcome::Stop;
  for (unsigned i = 0; i < count; ++i) {
    if (!groups[i].isComplete)
      joinElsewhere(warp, groups[i]);
    if (groups[i].isComplete)
      syncLanes(warp, groups[i].members & warp.getLiveLanes());
  }
  return warp.leaveIncomplete(groups, count);
}

/// `bar.warp.sync membermask`; false for the barriers of a CTA.
static bool decodeWarpBarrier(DecodeContext &context) {
  if (!context.has("warp"))
    return false;
  context.takeHints({"warp", "sync"});
  if (!context.expectOperands(1))
    return true;
  OperandRef members = context.readOperand(0, Type::B32);
  context.emitExec(InstClass::Warp, execWarpBarrier).a = members;
  return true;
}

//===----------------------------------------------------------------------===//
// elect.sync and activemask
//===----------------------------------------------------------------------===//

static Outcome execElect(Warp &warp, const Inst &inst, uint32_t mask) {
  return warp.convergeMembers(inst, mask, inst.a, [&](uint32_t lanes) {
    // A pure function of the mask (R14).
    uint32_t members =
        warp.read<uint32_t>(inst.a)[unsigned(__builtin_ctz(lanes))];
    unsigned leader = unsigned(__builtin_ctz(members));
    forEachLane(lanes,
                [&](unsigned lane) { warp.writeLane(inst.d, lane, leader); });
    storePredicate(warp.write<uint32_t>(inst.e), 1u << leader, lanes);
    warp.markDefined(inst.d, lanes);
    warp.markDefined(inst.e, lanes);
  });
}

static bool decodeElect(DecodeContext &context) {
  if (!context.take("sync") || !context.expectOperands(2))
    return context.error("expected elect.sync");
  const Operand &results = context.getOperand(0);
  if (results.kind != Operand::Kind::Pair)
    return context.error("expected two results, d|p");
  OperandRef d = context.writeOperand(context.getChild(results, 0), Type::B32);
  OperandRef e = context.writeOperand(context.getChild(results, 1), Type::Pred);
  OperandRef members = context.readOperand(1, Type::B32);
  Inst &inst = context.emitExec(InstClass::Warp, execElect);
  inst.d = d, inst.e = e, inst.a = members;
  return true;
}

static bool decodeActiveMask(DecodeContext &context) {
  if (context.takeType() != Type::B32 || !context.expectOperands(1))
    return context.error("expected activemask.b32");
  OperandRef d = context.writeOperand(0, Type::B32);
  ExecFn exec = [](Warp &warp, const Inst &inst, uint32_t mask) {
    forEachLane(mask,
                [&](unsigned lane) { warp.writeLane(inst.d, lane, mask); });
    warp.markDefined(inst.d, mask);
    return Outcome::Next;
  };
  context.emitExec(InstClass::Warp, exec).d = d;
  return true;
}

//===----------------------------------------------------------------------===//
// vote
//===----------------------------------------------------------------------===//

namespace {
/// What a vote of `lanes` says: `votes` are theirs, `unknown` those that are
/// undefined.
struct Verdict {
  bool value;
  bool isUndefined;
};
using JudgeFn = Verdict (*)(uint32_t lanes, uint32_t votes, uint32_t unknown);
} // namespace

/// A vote that is known to be no decides, whatever the unknown ones are.
static Verdict judgeAll(uint32_t lanes, uint32_t votes, uint32_t unknown) {
  bool isDenied = (lanes & ~votes & ~unknown) != 0;
  return {!(lanes & ~votes), unknown && !isDenied};
}
static Verdict judgeAny(uint32_t lanes, uint32_t votes, uint32_t unknown) {
  bool isGranted = (lanes & votes & ~unknown) != 0;
  return {(lanes & votes) != 0, unknown && !isGranted};
}
static Verdict judgeUniform(uint32_t lanes, uint32_t votes, uint32_t unknown) {
  uint32_t known = lanes & ~unknown;
  bool isMixed = (known & votes) && (known & ~votes);
  return {!(lanes & votes) || !(lanes & ~votes), unknown && !isMixed};
}

template <JudgeFn judge>
static void vote(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t unknown = 0;
  if (warp.getTainted(inst.a, lanes))
    warp.readUndefined(inst.a, lanes, &unknown);
  Verdict verdict = judge(lanes, warp.readPredicate(inst.a) & lanes, unknown);
  storePredicate(warp.write<uint32_t>(inst.d), verdict.value ? kAllLanes : 0,
                 lanes);
  warp.markDefined(inst.d, lanes);
  if (verdict.isUndefined)
    warp.markUndefined(inst.d, lanes);
}

/// Every bit of the result is the vote of one lane, and as defined.
static void ballot(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t votes = warp.readPredicate(inst.a) & lanes;
  uint32_t *d = warp.write<uint32_t>(inst.d);
  forEachLane(lanes, [&](unsigned lane) { d[lane] = votes; });
  warp.markDefined(inst.d, lanes);
  if (!warp.getTainted(inst.a, lanes))
    return;
  uint32_t unknown, bits[kLanes];
  warp.readUndefined(inst.a, lanes, &unknown);
  std::fill(bits, bits + kLanes, unknown);
  warp.writeUndefined(inst.d, lanes, bits);
}

static bool decodeVote(DecodeContext &context) {
  static constexpr Choice<SyncForms> kModes[] = {
      {"all", getForms<vote<judgeAll>>()},
      {"any", getForms<vote<judgeAny>>()},
      {"uni", getForms<vote<judgeUniform>>()},
      {"ballot", getForms<ballot>()},
  };
  bool isBallot = context.has("ballot");
  bool isSync = context.take("sync");
  SyncForms forms = context.choose(kModes, SyncForms());
  if (!forms.sync)
    return context.error("expected .all, .any, .uni or .ballot");
  Type type = isBallot ? Type::B32 : Type::Pred;
  if (context.takeType() != type)
    return context.error(std::string("expected type .") +
                         (isBallot ? "b32" : "pred"));
  if (!context.expectOperands(isSync ? 3 : 2))
    return true;
  OperandRef a = context.readOperand(1, Type::Pred);
  OperandRef members;
  if (isSync)
    members = context.readOperand(2, Type::B32);
  OperandRef d = context.writeOperand(0, type);
  Inst &inst =
      context.emitExec(InstClass::Warp, isSync ? forms.sync : forms.legacy);
  inst.d = d, inst.a = a, inst.f = members;
  return true;
}

//===----------------------------------------------------------------------===//
// match
//===----------------------------------------------------------------------===//

static bool isAnyUndefined(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t unsure = warp.getTainted(inst.a, lanes);
  warp.markDefined(inst.d, lanes);
  warp.markDefined(inst.e, lanes);
  if (!unsure)
    return false;
  warp.markUndefined(inst.d, lanes);
  warp.markUndefined(inst.e, lanes);
  return true;
}

static void matchAny(Warp &warp, const Inst &inst, uint32_t lanes) {
  isAnyUndefined(warp, inst, lanes);
  uint64_t values[kLanes];
  warp.readUnsigned(inst.a, values);
  uint32_t *d = warp.write<uint32_t>(inst.d);
  for (uint32_t rest = lanes; rest;) {
    uint64_t value = values[__builtin_ctz(rest)];
    uint32_t same = 0;
    forEachLane(rest, [&](unsigned lane) {
      same |= uint32_t(values[lane] == value) << lane;
    });
    forEachLane(same, [&](unsigned lane) { d[lane] = same; });
    rest &= ~same;
  }
}

static void matchAll(Warp &warp, const Inst &inst, uint32_t lanes) {
  isAnyUndefined(warp, inst, lanes);
  uint64_t values[kLanes];
  warp.readUnsigned(inst.a, values);
  uint64_t first = values[__builtin_ctz(lanes)];
  bool isSame = true;
  forEachLane(lanes, [&](unsigned lane) { isSame &= values[lane] == first; });
  uint32_t *d = warp.write<uint32_t>(inst.d);
  forEachLane(lanes, [&](unsigned lane) { d[lane] = isSame ? lanes : 0; });
  if (inst.e.isPresent)
    storePredicate(warp.write<uint32_t>(inst.e), isSame ? kAllLanes : 0, lanes);
}

static bool decodeMatch(DecodeContext &context) {
  bool isAll = context.take("all");
  if ((!isAll && !context.take("any")) || !context.take("sync"))
    return context.error("expected match.any.sync or match.all.sync");
  Type type = context.takeType();
  if (type != Type::B32 && type != Type::B64)
    return context.error("expected type .b32 or .b64");
  if (!context.expectOperands(3))
    return true;
  const Operand &results = context.getOperand(0);
  OperandRef d, e;
  if (results.kind == Operand::Kind::Pair) {
    if (!isAll)
      return context.error("expected one result, but got d|p");
    d = context.writeOperand(context.getChild(results, 0), Type::B32);
    e = context.writeOperand(context.getChild(results, 1), Type::Pred);
  } else {
    d = context.writeOperand(results, Type::B32);
  }
  OperandRef a = context.readOperand(1, type);
  OperandRef members = context.readOperand(2, Type::B32);
  Inst &inst = context.emitExec(InstClass::Warp, isAll ? execSync<matchAll>
                                                       : execSync<matchAny>);
  inst.d = d, inst.e = e, inst.a = a, inst.f = members;
  return true;
}

OpcodeTable getWarpOpcodes() {
  static constexpr OpcodeRow kRows[] = {
      {"bar", decodeWarpBarrier},       {"elect", decodeElect},
      {"activemask", decodeActiveMask}, {"vote", decodeVote},
      {"match", decodeMatch},
  };
  return {kRows, std::size(kRows)};
}

} // namespace nvfp4::ptx
