//===- History.cpp - What the history of a cell means ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules R4 to R7 on one cell, and how an access becomes part of its history.
//
// An older access is dropped from the history when the new one is ordered after
// it: whoever is ordered after the new one is ordered after both. A strong
// access does not replace a weak one, though, because a later strong access may
// be in conflict with the weak one only.
//
//===----------------------------------------------------------------------===//

#include "Ordering/Checker.h"

#include <algorithm>
#include <cstring>

using namespace nvfp4::ptx::ordering;

namespace {
/// Accesses of other clusters that a set keeps. They are mostly unordered with
/// everybody else, so that any of them shows the race.
constexpr size_t kMaxForeignMembers = 16;

/// By AsyncKind: the rule that an unobserved completion breaks.
constexpr const char *kAsyncRules[] = {"R6", "R7", "R10", "R9"};
} // namespace

bool Checker::covers(View view, Record record) const {
  if (!record.is(Record::Op))
    return now.covers(view, record.cluster(), record.component(),
                      record.clock());
  AsyncOps::State op = home.getLaunch().ops.get(record.id());
  return op.clock && now.covers(view, op.cluster, op.component, op.clock);
}

//===----------------------------------------------------------------------===//
// Verdicts
//===----------------------------------------------------------------------===//

/// Compares with a whole history. Returns whether there is no conflict; then
/// `harmless` becomes its key, unless that depends on the lanes.
bool Checker::checkHistory(Record history, bool historyWrites,
                           uint32_t historyInstruction, Record record,
                           const Run &run, uint64_t at, uint32_t size,
                           uint64_t &harmless) {
  bool clean = true;
  if (history.is(Record::Set)) {
    for (const SetMember &member : sets.get(history.id()))
      if (!isOwnWarp(member.record))
        clean &= checkMember(member.record, historyWrites, member.instruction,
                             record, run, at, size);
  } else if (isOwnWarp(history)) {
    if (!(history.strong() && isStrong) &&
        !warp.ordersAllLanes(history.clock()))
      return checkLanes(history, historyWrites, historyInstruction, record,
                        run.offset + at, size);
  } else {
    clean = checkMember(history, historyWrites, historyInstruction, record, run,
                        at, size);
  }
  if (clean)
    harmless = history.key();
  return clean;
}

/// Whether both are operations of one component that happen in order (R9).
bool Checker::isSamePipe(Record member) const {
  return !self.is(Record::Op) && !member.is(Record::Op) &&
         member.component() == self.component() &&
         member.cluster() == self.cluster() && !home.isWarp(self.component()) &&
         home.getAsyncKind(self.component()) == AsyncKind::Tcgen05;
}

/// Two operations of one pipe: the manual names fewer pairs that happen in
/// order than kernels rely on.
bool Checker::checkPipe(Record member, bool memberWrites,
                        uint32_t memberInstruction, uint64_t offset,
                        uint32_t lane) {
  if (!home.getLaunch().isStrict)
    return true;
  const PipeOp *first = home.findPipeOp(member.component(), member.clock());
  const PipeOp *next = home.findPipeOp(self.component(), self.clock());
  if (!first || !next || first->isBefore(*next))
    return true;
  report(ConflictKind::PipeOrder, "R9", member, memberWrites, memberInstruction,
         offset, lane, member.laneOf(0));
  return true;
}

/// What is ordered before an operation on tensor memory needs fences, too:
/// those between `component` at `clock` and this warp. A warning changes no
/// order.
bool Checker::checkTensorFence(Record member, uint32_t component,
                               uint32_t clock, bool memberWrites,
                               uint32_t memberInstruction, uint64_t offset,
                               uint32_t lane) {
  if (!warp.hasFencedTensorMemory(component, clock))
    report(ConflictKind::MissingTensorFence, "R9", member, memberWrites,
           memberInstruction, offset, lane, member.laneOf(0));
  return true;
}

/// Whether relaxed operations, with fences, order an operation before this one.
bool Checker::coversTensorMember(Record member) const {
  return isTensorMemory && member.cluster() == now.cluster &&
         warp.hasFencedTensorMemory(member.component(), member.clock());
}

/// Compares with an access of another component.
bool Checker::checkMember(Record member, bool memberWrites,
                          uint32_t memberInstruction, Record record,
                          const Run &run, uint64_t at, uint32_t size) {
  uint64_t offset = run.offset + at;
  // Lanes of one operation.
  if (!isSync && member.key() == self.key())
    return true;
  if (!isSync && isSamePipe(member))
    return checkPipe(member, memberWrites, memberInstruction, offset,
                     record.lane());
  const bool isTransfer = isTensorMemory && !member.is(Record::Op) &&
                          member.cluster() == now.cluster &&
                          !home.isWarp(member.component());
  if (isTransfer &&
      (covers(View::Ordinary, member) || coversTensorMember(member)))
    return checkTensorFence(member, member.component(), member.clock(),
                            memberWrites, memberInstruction, offset,
                            record.lane());
  if (isTransfer) {
    // Threads that are ordered share a pipe.
    const PipeOp *first = home.findPipeOp(member.component(), member.clock());
    const PipeOp *next = home.findPipeOp(self.component(), self.clock());
    if (first && next && first->isBefore(*next) &&
        (now.covers(View::Ordinary, now.cluster, first->issuer, first->epoch) ||
         warp.hasFencedTensorMemory(first->issuer, first->epoch))) {
      home.addEarlierPipe(self.component(), member.component(), member.clock());
      return checkTensorFence(member, first->issuer, first->epoch, memberWrites,
                              memberInstruction, offset, record.lane());
    }
  }
  if (covers(View::Ordinary, member)) {
    // R5: only what ordinary stores wrote is hidden from the other proxy.
    View view = isTensorMap                             ? View::TensorMap
                : shadow.space == Shadow::Space::Shared ? View::AsyncShared
                                                        : View::AsyncGlobal;
    if (!isAsyncProxy || !memberWrites || member.async() ||
        covers(view, member))
      return true;
    report(isTensorMap ? ConflictKind::MissingMapFence
                       : ConflictKind::MissingProxyFence,
           "R5", member, memberWrites, memberInstruction, offset, record.lane(),
           member.lane());
    return false;
  }
  if (member.strong() && isStrong)
    return true;
  bool isAsync = member.is(Record::Op) || !home.isWarp(member.component());
  ConflictKind conflict = isAsync ? ConflictKind::InFlight : ConflictKind::Race;
  const char *rule = isAsync ? getAsyncRule(member) : "R4";
  if (!isAsync && isSync && isWrite && memberWrites && run.values &&
      std::memcmp(memory + offset, run.values + at, size) == 0)
    conflict = ConflictKind::EqualWrites;
  uint32_t lane = record.laneOf(0);
  report(conflict, rule, member, memberWrites, memberInstruction, offset,
         lane == kUnknownLane ? run.lane : lane, member.laneOf(0));
  return false;
}

/// Compares with an access of the same warp: other lanes need a
/// `bar.warp.sync`.
bool Checker::checkLanes(Record member, bool memberWrites,
                         uint32_t memberInstruction, Record record,
                         uint64_t offset, uint32_t size) {
  for (uint32_t byte = 0; byte < size; ++byte) {
    uint32_t ours = record.laneOf(byte), theirs = member.laneOf(byte);
    if (ours == theirs && ours != kUnknownLane)
      continue;
    if (ours != kUnknownLane && warp.ordersLane(ours, member.clock()))
      continue;
    report(ConflictKind::IntraWarp, "R4", member, memberWrites,
           memberInstruction, offset + byte,
           ours == kUnknownLane ? record.lane() : ours, theirs);
    return false;
  }
  return true;
}

const char *Checker::getAsyncRule(Record member) const {
  if (member.is(Record::Op))
    return kAsyncRules[unsigned(home.getLaunch().ops.get(member.id()).kind)];
  // The components of other clusters are not known here; what is left of their
  // asynchronous work in global memory is mostly bulk stores.
  if (member.cluster() != now.cluster)
    return member.async() ? "R7" : "R6";
  return kAsyncRules[unsigned(home.getAsyncKind(member.component()))];
}

void Checker::report(ConflictKind kind, const char *rule, Record member,
                     bool memberWrites, uint32_t memberInstruction,
                     uint64_t offset, uint32_t lane, uint32_t otherLane) {
  Conflict conflict{kind, rule, offset, lane, {}};
  bool isOp = member.is(Record::Op);
  OtherAccess &other = conflict.other;
  if (isOp) {
    AsyncOps::State op = home.getLaunch().ops.get(member.id());
    other.cluster = op.cluster;
    other.component = op.component;
  } else {
    other.cluster = member.cluster();
    other.component = member.component();
  }
  other.lane = otherLane;
  other.instruction = memberInstruction;
  other.write = memberWrites;
  other.strong = member.strong();
  other.async = isOp || !home.isWarp(member.component());
  report(conflict);
}

void Checker::report(const Conflict &conflict) {
  bool better = !worst ||
                (isWarning(worst->kind) && !isWarning(conflict.kind)) ||
                (isWarning(conflict.kind) && conflict.kind > worst->kind);
  if (better && !(worst && !isWarning(worst->kind)))
    worst = conflict;
}

/// Several lanes of one store have the same address.
void Checker::reportBroadcast(const AccessEvent &event, const Run &run) {
  bool equal = event.values != nullptr;
  for (uint32_t lane = run.lane + 1; equal && run.lanes >> lane & 1; ++lane) {
    equal = std::memcmp(event.values + size_t(run.lane) * bytesPerLane,
                        event.values + size_t(lane) * bytesPerLane,
                        bytesPerLane) == 0;
    if (lane == kNumLanes - 1)
      break;
  }
  report(equal ? ConflictKind::EqualWrites : ConflictKind::IntraWarp, "R4",
         self, /*memberWrites=*/true, instruction, run.offset, run.lane + 1,
         run.lane);
}

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

void Checker::recordRead(Cell &cell, Record record) {
  Record old = cell.read;
  if (isOwnWarp(old) && !old.is(Record::Set) && (old.strong() || !isStrong) &&
      !warp.ordersAllLanes(old.clock())) {
    // A later write of one lane must wait for the others.
    bool same = uint8_t(old.bits) == uint8_t(record.bits);
    cell.read = same ? record : record.withLane(record.lane(), Layout::Several);
    cell.readInstruction = instruction;
    return;
  }
  cell.read = addTo(old, cell.readInstruction, record);
  readFrom = old.key();
  readFromInstruction = cell.readInstruction;
  readTo = cell.read;
  cell.readInstruction = instruction;
}

/// The history after this access: what it implies is dropped.
Record Checker::addTo(Record history, uint32_t historyInstruction,
                      Record record) {
  if (history.empty() || history.key() == record.key())
    return record;
  if (!history.is(Record::Set) && isImplied(history))
    return record;
  uint64_t instructions = uint64_t(historyInstruction) << 32 | instruction;
  uint64_t numbering = shadow.space == Shadow::Space::Shared
                           ? home.getSetsNumbering()
                           : ClusterOrdering::kGlobalSets;
  ClusterOrdering::Transition &known =
      home.getTransition(history.key(), self.bits, instructions);
  if (known.from == history.key() && known.record == self.bits &&
      known.instructions == instructions && known.sets == numbering) {
    return known.to ? Record{known.to} : record;
  }
  SetMembers &members = home.getScratch();
  auto keep = [&](Record member, uint32_t memberInstruction) {
    if (member.key() != self.key() && !isImplied(member))
      members.push_back(
          {member.withLane(0, Layout::Several), memberInstruction});
  };
  if (history.is(Record::Set))
    for (const SetMember &member : sets.get(history.id()))
      keep(member.record, member.instruction);
  else
    keep(history, historyInstruction);
  Record next;
  if (!members.empty()) {
    members.push_back({self.withLane(0, Layout::Several), instruction});
    next = makeSet(members);
  }
  known = {history.key(), self.bits, instructions, numbering, next.bits};
  return next.empty() ? record : next;
}

/// What a write leaves of the reads before it.
Record Checker::retain(Record history, uint32_t historyInstruction) {
  if (history.empty() || (!history.is(Record::Set) && isImplied(history)))
    return {};
  if (!history.is(Record::Set))
    return history;
  SetMembers &members = home.getScratch();
  for (const SetMember &member : sets.get(history.id()))
    if (!isImplied(member.record))
      members.push_back(member);
  return members.empty() ? Record() : makeSet(members);
}

Record Checker::makeSet(SetMembers &members) {
  Record latest = members.back().record;
  limitForeign(members);
  if (members.size() == 1)
    return members[0].record;
  if (std::optional<uint64_t> id = sets.intern(members))
    return Record::tagged(Record::Set, *id);
  // The storage is used up: the latest access stands for the others.
  return latest;
}

/// Drops members of other clusters beyond the bound, from the middle: the first
/// ones stay, so that a counter that everybody increments settles down.
void Checker::limitForeign(SetMembers &members) const {
  auto isForeign = [&](const SetMember &member) {
    return !member.record.is(Record::Op) &&
           member.record.cluster() != now.cluster;
  };
  size_t foreign = std::count_if(members.begin(), members.end(), isForeign);
  for (size_t index = 0, i = 0;
       i < members.size() && foreign > kMaxForeignMembers;) {
    if (isForeign(members[i]) && ++index > kMaxForeignMembers / 2) {
      members.erase(members.begin() + i);
      --foreign;
    } else {
      ++i;
    }
  }
}
