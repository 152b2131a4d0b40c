//===- Warp.cpp - Paths, frames and undefined bits of a warp --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Async.h"
#include "Machine.h"
#include "Ordering.h"
#include "Warpgroup.h"

#include <algorithm>
#include <cstring>

namespace nvfp4::ptx {

/// Backward branches that a path takes before others get their turn.
constexpr uint32_t kBackEdgesPerTurn = 128;

Warp::Warp(Cta &cta, uint32_t index, uint32_t lanes)
    : cta(cta), index(index), allLanes(lanes), liveLanes(lanes),
      checksDefinedness(cta.getLaunch().options.checkDefinedness) {
  const Code &entry = *getLaunch().entry;
  Frame *first = makeFrame(entry, nullptr, 0);
  Path path;
  path.mask = lanes;
  path.frame = first;
  first->numUsers = 1;
  paths.push_back(path);
}

Warp::~Warp() = default;
Frame::Frame() = default;
Frame::~Frame() = default;

//===----------------------------------------------------------------------===//
// Frames
//===----------------------------------------------------------------------===//

Frame *Warp::makeFrame(const Code &code, Frame *parent, uint32_t callPc) {
  auto same = std::find_if(freeFrames.begin(), freeFrames.end(),
                           [&](auto &frame) { return frame->code == &code; });
  std::unique_ptr<Frame> made;
  size_t bytes = code.frameBytes;
  size_t taintBytes = sizeof(uint32_t) * code.numSlots;
  if (same != freeFrames.end()) {
    made = std::move(*same);
    freeFrames.erase(same);
  } else {
    made = std::make_unique<Frame>();
    // Vectors of 32 values are aligned to 64 bytes.
    size_t total = bytes * (checksDefinedness ? 2 : 1) + taintBytes + 64;
    made->storage.reset(new uint8_t[total]);
    auto start = reinterpret_cast<uintptr_t>(made->storage.get());
    made->values = made->storage.get() + (-start & 63);
    made->undefined = made->values + bytes;
    made->tainted = reinterpret_cast<uint32_t *>(
        made->values + bytes * (checksDefinedness ? 2 : 1));
    made->code = &code;
  }
  // What nobody wrote reads as zero in every run.
  std::memset(made->values, 0, bytes);
  if (checksDefinedness) {
    std::memset(made->undefined, 0xFF, bytes);
    std::memset(made->tainted, 0xFF, taintBytes);
  }
  made->tainted[0] = 0;
  made->watched.assign(code.numWatches, WatchedRegister());
  made->constants =
      getLaunch()
          .constants[cta.getRank() * getLaunch().program.codes.size() +
                     code.index]
          .data();
  made->parent = parent;
  made->callPc = callPc;
  made->numUsers = 0;
  made->localBase = localTop;
  localTop += (code.localBytes + 15) & ~uint64_t(15);
  if (parent)
    ++parent->numUsers;
  frames.push_back(std::move(made));
  return frames.back().get();
}

void Warp::dropFrame(Frame *frame) {
  while (frame && --frame->numUsers == 0) {
    Frame *parent = frame->parent;
    auto it = std::find_if(frames.begin(), frames.end(),
                           [&](auto &owned) { return owned.get() == frame; });
    freeFrames.push_back(std::move(*it));
    frames.erase(it);
    // The stack shrinks to the end of the calls that are left.
    localTop = 0;
    for (auto &other : frames)
      localTop = std::max(localTop,
                          other->localBase +
                              ((other->code->localBytes + 15) & ~uint64_t(15)));
    frame = parent;
  }
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

uint64_t Warp::readLane(const OperandRef &ref, unsigned lane) const {
  if (ref.bytes == 0)
    return (readPredicate(ref) >> lane) & 1;
  uint64_t value = 0;
  std::memcpy(&value, read<uint8_t>(ref) + size_t(ref.bytes) * lane,
              std::min<size_t>(ref.bytes, 8));
  return value;
}

void Warp::writeLane(const OperandRef &ref, unsigned lane, uint64_t value) {
  if (ref.bytes == 0) {
    uint32_t &bits = *write<uint32_t>(ref);
    bits = (bits & ~(1u << lane)) | (uint32_t(value & 1) << lane);
    return;
  }
  std::memcpy(write<uint8_t>(ref) + size_t(ref.bytes) * lane, &value,
              std::min<size_t>(ref.bytes, 8));
}

void Warp::readUnsigned(const OperandRef &ref, uint64_t values[kLanes]) const {
  switch (ref.bytes) {
  case 8:
    std::memcpy(values, read<uint64_t>(ref), 8 * kLanes);
    return;
  case 4: {
    const uint32_t *source = read<uint32_t>(ref);
    for (unsigned i = 0; i < kLanes; ++i)
      values[i] = source[i];
    return;
  }
  default:
    for (unsigned i = 0; i < kLanes; ++i)
      values[i] = readLane(ref, i);
  }
}

void Warp::markUndefined(const OperandRef &ref, uint32_t mask) {
  if (!checksDefinedness || !mask || !ref.isPresent)
    return;
  frame->tainted[ref.slot] |= mask;
  uint8_t *bits = frame->undefined + ref.offset;
  if (ref.bytes == 0) {
    uint32_t word;
    std::memcpy(&word, bits, 4);
    word |= mask;
    std::memcpy(bits, &word, 4);
    return;
  }
  forEachLane(mask, [&](unsigned lane) {
    std::memset(bits + size_t(ref.bytes) * lane, 0xFF, ref.bytes);
  });
}

uint32_t Warp::readUndefined(const OperandRef &ref, uint32_t mask,
                             void *bits) const {
  size_t bytes = ref.bytes ? size_t(ref.bytes) * kLanes : 4;
  std::memset(bits, 0, bytes);
  uint32_t lanes = getTainted(ref, mask);
  if (!lanes)
    return 0;
  const uint8_t *source = frame->undefined + ref.offset;
  if (ref.bytes == 0) {
    uint32_t word;
    std::memcpy(&word, source, 4);
    word &= lanes;
    std::memcpy(bits, &word, 4);
    return word;
  }
  forEachLane(lanes, [&](unsigned lane) {
    std::memcpy(static_cast<uint8_t *>(bits) + size_t(ref.bytes) * lane,
                source + size_t(ref.bytes) * lane, ref.bytes);
  });
  return lanes;
}

void Warp::writeUndefinedIn(Frame &owner, const OperandRef &ref, uint32_t mask,
                            const void *bits) {
  if (!checksDefinedness)
    return;
  uint32_t &tainted = owner.tainted[ref.slot];
  uint8_t *target = owner.undefined + ref.offset;
  if (ref.bytes == 0) {
    uint32_t word, old;
    std::memcpy(&word, bits, 4);
    std::memcpy(&old, target, 4);
    word &= mask;
    old = (old & tainted & ~mask) | word;
    std::memcpy(target, &old, 4);
    tainted = (tainted & ~mask) | word;
    return;
  }
  forEachLane(mask, [&](unsigned lane) {
    auto *source = static_cast<const uint8_t *>(bits) + ref.bytes * lane;
    std::memcpy(target + size_t(ref.bytes) * lane, source, ref.bytes);
    bool any = std::any_of(source, source + ref.bytes,
                           [](uint8_t byte) { return byte != 0; });
    tainted = any ? tainted | (1u << lane) : tainted & ~(1u << lane);
  });
}

bool Warp::requireDefined(const OperandRef &ref, uint32_t mask,
                          const Inst &inst, const char *what) {
  uint32_t lanes = getTainted(ref, mask);
  if (lanes && ref.bytes == 0) {
    uint32_t bits;
    std::memcpy(&bits, frame->undefined + ref.offset, 4);
    lanes &= bits;
  }
  if (!lanes)
    return true;
  trap(inst, "R11", unsigned(__builtin_ctz(lanes)),
       std::string("expected a defined ") + what +
           ", but got one that depends on data that nobody wrote");
  return false;
}

//===----------------------------------------------------------------------===//
// Paths
//===----------------------------------------------------------------------===//

void Warp::enterPath(size_t chosen) {
  current = chosen;
  Path &path = paths[current];
  frame = path.frame;
  nextStop = ~0u;
  for (const Path &other : paths)
    if (&other != &path && other.frame == path.frame && other.pc > path.pc)
      nextStop = std::min(nextStop, other.pc);
}

void Warp::removePath(size_t removed) {
  Frame *left = paths[removed].frame;
  paths.erase(paths.begin() + ptrdiff_t(removed));
  dropFrame(left);
}

void Warp::mergePaths() {
  auto canMerge = [](const Path &path) {
    return path.state == Path::State::Ready ||
           path.state == Path::State::Converging;
  };
  for (size_t i = 0; i < paths.size(); ++i) {
    for (size_t j = paths.size() - 1; j > i; --j) {
      Path &a = paths[i], &b = paths[j];
      if (a.frame != b.frame || a.pc != b.pc || !canMerge(a) || !canMerge(b) ||
          a.isReleased || b.isReleased)
        continue;
      // Different membermasks: none is what the other waits for.
      if (a.state == Path::State::Converging &&
          b.state == Path::State::Converging && a.awaited != b.awaited)
        continue;
      a.mask |= b.mask;
      a.state = Path::State::Ready;
      a.backEdges = std::min(a.backEdges, b.backEdges);
      removePath(j);
    }
  }
}

/// Whether `a` is behind `b`: deeper in calls, or earlier in the code.
static bool isBehind(const Path &a, const Path &b) {
  if (a.frame == b.frame)
    return a.pc < b.pc;
  for (const Frame *frame = a.frame->parent; frame; frame = frame->parent)
    if (frame == b.frame)
      return true;
  for (const Frame *frame = b.frame->parent; frame; frame = frame->parent)
    if (frame == a.frame)
      return false;
  return a.frame->callPc < b.frame->callPc;
}

bool Warp::selectPath() {
  if (paths.size() > 1)
    mergePaths();
  size_t chosen = paths.size();
  for (size_t i = 0; i < paths.size(); ++i) {
    const Path &path = paths[i];
    if (path.state != Path::State::Ready)
      continue;
    if (chosen == paths.size()) {
      chosen = i;
      continue;
    }
    // Paths that used up their turn stand back.
    uint32_t turnsA = path.backEdges / kBackEdgesPerTurn;
    uint32_t turnsB = paths[chosen].backEdges / kBackEdgesPerTurn;
    if (turnsA != turnsB ? turnsA < turnsB : isBehind(path, paths[chosen]))
      chosen = i;
  }
  if (chosen == paths.size())
    return false;
  enterPath(chosen);
  return true;
}

Outcome Warp::branch(const Inst &inst, uint32_t taken, uint32_t mask,
                     uint32_t target) {
  Path &path = getPath();
  uint32_t here = path.pc;
  if (taken == path.mask) {
    path.pc = target;
    if (target <= here && ++path.backEdges % kBackEdgesPerTurn == 0 &&
        paths.size() > 1)
      return Outcome::Resched;
    return target >= nextStop || (paths.size() > 1) ? Outcome::Resched
                                                    : Outcome::Jump;
  }
  if (!taken)
    return Outcome::Next;
  Path other = path;
  other.mask = taken;
  other.pc = target;
  if (target <= here)
    ++other.backEdges;
  path.mask &= ~taken;
  path.pc = here + 1;
  ++path.frame->numUsers;
  paths.push_back(other);
  return Outcome::Resched;
}

Outcome Warp::branchIndexed(uint32_t mask, const uint32_t targets[kLanes]) {
  Path &path = getPath();
  uint32_t rest = mask;
  uint32_t staying = path.mask & ~mask;
  Path original = path;
  bool isFirst = !staying;
  if (staying) {
    path.mask = staying;
    ++path.pc;
  }
  while (rest) {
    uint32_t target = targets[__builtin_ctz(rest)];
    uint32_t lanes = 0;
    forEachLane(rest, [&](unsigned lane) {
      if (targets[lane] == target)
        lanes |= 1u << lane;
    });
    Path next = original;
    next.mask = lanes;
    next.pc = target;
    if (target <= original.pc)
      ++next.backEdges;
    if (isFirst) {
      paths[current] = next;
      isFirst = false;
    } else {
      ++next.frame->numUsers;
      paths.push_back(next);
    }
    rest &= ~lanes;
  }
  return Outcome::Resched;
}

Outcome Warp::split(uint32_t lanes) {
  Path &path = getPath();
  Path other = path;
  other.mask = lanes;
  path.mask &= ~lanes;
  ++path.frame->numUsers;
  // The same place: merging would undo the split, so this path goes first.
  other.state = Path::State::Polling;
  paths.push_back(other);
  return Outcome::Resched;
}

Outcome Warp::exitLanes(uint32_t mask) {
  Path &path = getPath();
  liveLanes &= ~mask;
  if (ordering::WarpOrder *order = getOrder(*this))
    order->setLiveLanes(liveLanes);
  noteEffect();
  if (ordering::WarpOrder *order = getOrder(*this))
    order->setLiveLanes(liveLanes);
  path.mask &= ~mask;
  ++path.pc;
  if (!path.mask)
    removePath(current);
  // Who waited for these lanes looks again.
  for (Path &other : paths)
    if (other.state == Path::State::Converging)
      other.state = Path::State::Ready;
  cta.noteExit(*this);
  return Outcome::Resched;
}

Outcome Warp::call(const Inst &inst, uint32_t mask, const Code &callee,
                   Frame *&made) {
  Path &path = getPath();
  Frame *caller = path.frame;
  made = makeFrame(callee, caller, path.pc);
  if (!growLocal(localTop)) {
    return trap(inst, "limit", unsigned(__builtin_ctz(mask)),
                "expected calls within the limit of memory, but the stack of "
                "a thread needs " +
                    std::to_string(localTop) + " bytes");
  }
  made->numUsers = 1;
  if (mask == path.mask) {
    // The frame of the caller stays in use by its child instead of the path.
    --caller->numUsers;
    path.frame = made;
    path.pc = 0;
    return Outcome::Resched;
  }
  Path other = path;
  other.mask = mask;
  other.frame = made;
  other.pc = 0;
  path.mask &= ~mask;
  ++path.pc;
  paths.push_back(other);
  return Outcome::Resched;
}

Outcome Warp::ret(const Inst &inst, uint32_t mask) {
  Path &path = getPath();
  Frame *parent = path.frame->parent;
  if (!parent)
    return exitLanes(mask);
  // The registers are gone when the call returns.
  if (path.frame->code->numWatches)
    landOwnOps(*this);
  uint32_t resume = path.frame->callPc + 1;
  ++parent->numUsers;
  if (mask == path.mask) {
    Frame *left = path.frame;
    path.frame = parent;
    path.pc = resume;
    dropFrame(left);
    return Outcome::Resched;
  }
  Path other = path;
  other.mask = mask;
  other.frame = parent;
  other.pc = resume;
  path.mask &= ~mask;
  ++path.pc;
  paths.push_back(other);
  return Outcome::Resched;
}

void Warp::release(uint32_t lanes, uint64_t value) {
  for (Path &path : paths) {
    if (path.state != Path::State::Barrier || !(path.mask & lanes))
      continue;
    path.state = Path::State::Ready;
    path.isReleased = true;
    path.value = value;
  }
}

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

const Inst &Warp::getCurrentInst() const {
  return frame->code->insts[paths[current].pc];
}

void Warp::report(Finding::Severity severity, const Inst &inst,
                  const std::string &rule, uint32_t lane,
                  const std::string &message, uint32_t otherLine) {
  getLaunch().add(severity, rule, inst.line, cta.getId(), index, lane, message,
                  otherLine);
}

Outcome Warp::trap(const Inst &inst, const std::string &rule, uint32_t lane,
                   const std::string &message) {
  report(Finding::Severity::Error, inst, rule, lane, message);
  getLaunch().isStopped = true;
  return Outcome::Stop;
}

bool Warp::isRepeatedLoad(const Inst &inst, uint64_t address, uint64_t value) {
  bool isSame = lastLoad.inst == &inst && lastLoad.address == address &&
                lastLoad.value == value;
  lastLoad = {&inst, address, value};
  return isSame;
}

} // namespace nvfp4::ptx
