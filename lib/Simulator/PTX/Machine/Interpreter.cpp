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

template <bool IsObserved> Warp::RunResult Warp::runPaths(uint32_t budget) {
  const uint32_t start = budget;
  const uint64_t effects = numEffects;
  auto finish = [&](RunResult result) {
    numInstructions += start - budget;
    return result;
  };
  while (selectPath()) {
    Path *path = &paths[current];
    const Inst *insts = frame->code->insts.data();
    uint32_t pc = path->pc;
    const uint32_t pathMask = path->mask;
    for (;;) {
      if (budget == 0) {
        path->pc = pc;
        return finish(RunResult::Progress);
      }
      --budget;
      const Inst &inst = insts[pc];
      uint32_t mask = pathMask;
      if (inst.guard.isPresent) {
        mask &= readPredicate(inst.guard);
        uint32_t unsure = getTainted(inst.guard, pathMask);
        if (unsure) {
          path->pc = pc;
          if (inst.exec) {
            if (!requireDefined(inst.guard, pathMask, inst,
                                "guard of an instruction with an effect"))
              return finish(RunResult::Stopped);
          } else {
            // Whether these lanes wrote is not known: neither is the value.
            AluArgs args{write<void>(inst.d),
                         inst.e.isPresent ? write<void>(inst.e) : nullptr,
                         read<void>(inst.a),
                         read<void>(inst.b),
                         read<void>(inst.c),
                         read<void>(inst.f),
                         mask,
                         inst.aux};
            runTainted(inst, mask, args);
            markUndefined(inst.d, unsure);
            markUndefined(inst.e, unsure);
            ++pc;
            if (pc >= nextStop) {
              path->pc = pc;
              break;
            }
            continue;
          }
        }
      }
      if constexpr (IsObserved) {
        path->pc = pc;
        observe(*this, inst, mask);
      }
      if (inst.alu) {
        if (mask) {
          AluArgs args{write<void>(inst.d),
                       inst.e.isPresent ? write<void>(inst.e) : nullptr,
                       read<void>(inst.a),
                       read<void>(inst.b),
                       read<void>(inst.c),
                       read<void>(inst.f),
                       mask,
                       inst.aux};
          const uint32_t *tainted = frame->tainted;
          if (checksDefinedness &&
              ((tainted[inst.a.slot] | tainted[inst.b.slot] |
                tainted[inst.c.slot] | tainted[inst.f.slot]) &
               mask)) [[unlikely]] {
            runTainted(inst, mask, args);
          } else {
            inst.alu(args);
            if (checksDefinedness) {
              frame->tainted[inst.d.slot] &= ~mask;
              frame->tainted[inst.e.slot] &= ~mask;
            }
          }
        }
        if (++pc >= nextStop) {
          path->pc = pc;
          break;
        }
        continue;
      }
      path->pc = pc;
      Outcome outcome = mask ? inst.exec(*this, inst, mask) : Outcome::Next;
      if (outcome == Outcome::Next) {
        numEffects += hasEffect(inst.instClass);
        if (++pc < nextStop)
          continue;
        paths[current].pc = pc;
        break;
      }
      if (outcome == Outcome::Jump) {
        pc = paths[current].pc;
        continue;
      }
      if (outcome == Outcome::Stop)
        return finish(RunResult::Stopped);
      if (outcome == Outcome::Polled) {
        ++paths[current].pc;
        paths[current].state = Path::State::Polling;
      }
      // A path that waits executes the instruction again.
      if constexpr (IsObserved)
        if (outcome == Outcome::Block)
          unobserve(*this, inst, mask);
      break; // Resched, Block
    }
    if (hasExited())
      return finish(RunResult::Exited);
  }
  if (isStuck()) {
    reportStuck();
    return finish(RunResult::Stopped);
  }
  return finish(effects == numEffects ? RunResult::Blocked
                                      : RunResult::Progress);
}

Warp::RunResult Warp::run(uint32_t budget) {
  for (Path &path : paths)
    if (path.state == Path::State::Polling)
      path.state = Path::State::Ready;
  const Options &options = getLaunch().options;
  bool isObserved = options.collectStatistics || options.trace.file;
  return isObserved ? runPaths<true>(budget) : runPaths<false>(budget);
}

} // namespace nvfp4::ptx
