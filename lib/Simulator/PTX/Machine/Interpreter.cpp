//===- Interpreter.cpp - The loop that runs a warp ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop is compiled twice: plain, and observed for statistics and traces.
// Arithmetic on defined values never leaves it. Lanes with undefined bits take
// `runTainted`, which computes both the value and what is undefined of it.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Observe.h"
#include "Warpgroup.h"

#include <cstring>

namespace nvfp4::ptx {

/// Any undefined bit of a lane's sources makes its whole result undefined.
static uint32_t findTaintedLanes(const OperandRef &ref, const void *bits) {
  if (!ref.isPresent)
    return 0;
  if (ref.bytes == 0) {
    uint32_t word;
    std::memcpy(&word, bits, 4);
    return word;
  }
  uint32_t lanes = 0;
  auto *bytes = static_cast<const uint8_t *>(bits);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned i = 0; i < ref.bytes; ++i)
      if (bytes[lane * ref.bytes + i])
        lanes |= 1u << lane;
  return lanes;
}

void Warp::runTainted(const Inst &inst, uint32_t mask, AluArgs args) {
  struct Bits {
    alignas(64) uint8_t bytes[16 * kLanes];
  };
  Bits ua, ub, uc, uf, ud, ue;
  auto load = [&](const OperandRef &ref, Bits &bits) {
    if (ref.isPresent)
      readUndefined(ref, mask, bits.bytes);
  };
  load(inst.a, ua);
  load(inst.b, ub);
  load(inst.c, uc);
  load(inst.f, uf);
  if (inst.taint) {
    std::memset(ud.bytes, 0, sizeof(ud.bytes));
    std::memset(ue.bytes, 0, sizeof(ue.bytes));
    inst.taint({inst, ud.bytes, ue.bytes, args.a, args.b, args.c, args.f,
                ua.bytes, ub.bytes, uc.bytes, uf.bytes});
    args.mask = mask;
    inst.alu(args);
    writeUndefined(inst.d, mask, ud.bytes);
    if (inst.e.isPresent)
      writeUndefined(inst.e, mask, ue.bytes);
    return;
  }
  uint32_t lanes =
      findTaintedLanes(inst.a, ua.bytes) | findTaintedLanes(inst.b, ub.bytes) |
      findTaintedLanes(inst.c, uc.bytes) | findTaintedLanes(inst.f, uf.bytes);
  inst.alu(args);
  markDefined(inst.d, mask & ~lanes);
  markUndefined(inst.d, mask & lanes);
  if (inst.e.isPresent) {
    markDefined(inst.e, mask & ~lanes);
    markUndefined(inst.e, mask & lanes);
  }
}

/// Classes whose instructions change what others may wait for.
static bool hasEffect(InstClass instClass) {
  constexpr uint32_t kClasses =
      1u << unsigned(InstClass::Store) | 1u << unsigned(InstClass::Atomic) |
      1u << unsigned(InstClass::Barrier) | 1u << unsigned(InstClass::Async);
  return (kClasses >> unsigned(instClass)) & 1;
}

/// An arithmetic instruction. Whether the lanes of `unsure` execute it depends
/// on undefined data.
inline void Warp::runAlu(const Inst &inst, uint32_t mask, uint32_t unsure) {
  AluArgs args{write<void>(inst.d),
               inst.e.isPresent ? write<void>(inst.e) : nullptr,
               read<void>(inst.a),
               read<void>(inst.b),
               read<void>(inst.c),
               read<void>(inst.f),
               mask,
               inst.aux};
  if (!checksDefinedness)
    return inst.alu(args);
  uint32_t *tainted = frame->tainted;
  uint32_t sources = tainted[inst.a.slot] | tainted[inst.b.slot] |
                     tainted[inst.c.slot] | tainted[inst.f.slot];
  if ((sources & mask) | unsure) [[unlikely]] {
    runTainted(inst, mask, args);
    // Whether these lanes were written is not known: neither is the value.
    markUndefined(inst.d, unsure);
    markUndefined(inst.e, unsure);
    return;
  }
  inst.alu(args);
  tainted[inst.d.slot] &= ~mask;
  tainted[inst.e.slot] &= ~mask;
}

/// Runs the current path until it gives way: Resched; Next: the budget is used
/// up; Stop.
template <bool IsObserved> Outcome Warp::runPath(uint32_t &budget) {
  const Inst *insts = frame->code->insts.data();
  uint32_t pc = paths[current].pc;
  const uint32_t pathMask = paths[current].mask;
  while (budget) {
    --budget;
    const Inst &inst = insts[pc];
    uint32_t mask = pathMask, unsure = 0;
    if (inst.guard.isPresent) {
      mask &= readPredicate(inst.guard);
      unsure = getTainted(inst.guard, pathMask);
    }
    if constexpr (IsObserved) {
      paths[current].pc = pc;
      observe(*this, inst, mask);
    }
    if (inst.numWatches && mask) [[unlikely]]
      useWatched(*this, inst);
    if (inst.alu) {
      if (mask | unsure)
        runAlu(inst, mask, unsure);
      if (++pc < nextStop)
        continue;
      break;
    }
    paths[current].pc = pc;
    if (unsure && !requireDefined(inst.guard, pathMask, inst,
                                  "guard of an instruction with an effect"))
      return Outcome::Stop;
    Outcome outcome = mask ? inst.exec(*this, inst, mask) : Outcome::Next;
    if (outcome == Outcome::Next) {
      numEffects += mask && hasEffect(inst.instClass);
      if (++pc < nextStop)
        continue;
      break;
    }
    if (outcome == Outcome::Jump) {
      pc = paths[current].pc;
      continue;
    }
    if (outcome == Outcome::Polled) {
      ++paths[current].pc;
      paths[current].state = Path::State::Polling;
    }
    // A path that waits executes the instruction again.
    if constexpr (IsObserved)
      if (outcome == Outcome::Block)
        unobserve(*this, inst, mask);
    return outcome == Outcome::Stop ? outcome : Outcome::Resched;
  }
  paths[current].pc = pc;
  return budget ? Outcome::Resched : Outcome::Next;
}

template <bool IsObserved> Warp::RunResult Warp::runPaths(uint32_t budget) {
  const uint32_t start = budget;
  const uint64_t effects = numEffects;
  RunResult result = RunResult::Progress;
  while (budget && !hasExited() && selectPath()) {
    if (runPath<IsObserved>(budget) == Outcome::Stop) {
      result = RunResult::Stopped;
      break;
    }
  }
  numInstructions += start - budget;
  if (hasExited())
    return RunResult::Exited;
  if (result == RunResult::Stopped || budget == 0)
    return result;
  if (isStuck()) {
    reportStuck();
    return RunResult::Stopped;
  }
  return effects == numEffects ? RunResult::Blocked : RunResult::Progress;
}

Warp::RunResult Warp::run(uint32_t budget) {
  for (Path &path : paths)
    if (path.state == Path::State::Polling) {
      path.state = Path::State::Ready;
      path.awaitedObject = nullptr;
    }
  const Options &options = getLaunch().options;
  bool isObserved = options.collectStatistics || options.trace.file;
  return isObserved ? runPaths<true>(budget) : runPaths<false>(budget);
}

} // namespace nvfp4::ptx
