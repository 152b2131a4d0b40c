//===- Warpgroup.h - wgmma operations in flight ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Four warps issue a `wgmma.mma_async` together; each owns 16 rows of the
// result. The operations of a warpgroup happen in order. What they read of
// shared memory is told to the ordering checks by each warp when it issues, as
// one component of the warpgroup, whose clock counts operations: so one warp
// that has waited knows that the reads of all four are over (R10). The values
// are read, and the accumulators written, when the operation lands: for the
// whole warpgroup at once where possible.
//
// Registers are watched, too. Only those that some `wgmma` of the function
// names, and their copies, cost anything.
//
// Source: PTX ISA 9.7.15; rule R10.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_WARPGROUP_H
#define NVFP4_SIMULATOR_PTX_MACHINE_WARPGROUP_H

#include "Machine.h"
#include "Matrix/Warpgroup.h"

#include <array>
#include <deque>

namespace nvfp4::ptx {

constexpr unsigned kWarpsPerGroup = 4;
constexpr unsigned kFragmentRegisters = 4;

/// The instruction. A is `a`, or in shared memory.
struct WarpgroupPlan final : Plan {
  WarpgroupDescriptor descriptor;
  TensorCore tensorCore = TensorCore::Hopper;
  std::vector<OperandRef> d, a;
  OperandRef descriptorA, descriptorB, scaleD;
};

/// One `wgmma.mma_async`.
struct WarpgroupOp {
  const Inst *inst = nullptr;
  uint64_t descriptorA = 0, descriptorB = 0;
  /// scale-d: D = A * B + D rather than A * B.
  bool accumulates = false;
  /// Offsets in shared memory, as SharedMatrix::listChunks lists them.
  std::vector<uint32_t> chunksA, chunksB;
  /// The warps that have issued it, and those whose part has happened.
  uint32_t issued = 0, landed = 0;
  /// Cluster::issue's number, once all warps have issued it.
  uint64_t effect = 0;
  /// What a warp brings: A's registers were read when it issued.
  struct Part {
    Frame *frame = nullptr;
    std::array<std::array<uint32_t, kLanes>, kFragmentRegisters> a = {};
    std::array<std::array<uint32_t, kLanes>, kFragmentRegisters> undefinedA =
        {};
  };
  std::array<Part, kWarpsPerGroup> parts;
};

/// The operands of an operation that happens, as panels, and their undefined
/// bits. Kept for the next one.
struct WarpgroupOperands {
  std::vector<uint32_t> a, b, c, d;
  std::vector<uint32_t> undefinedA, undefinedB, undefinedC, undefinedD;
  /// Of a matrix in shared memory.
  std::vector<uint8_t> bytes, masks;
  std::vector<uint32_t> lines, undefinedLines;
  bool isTainted = false;
};

struct Warpgroup {
  Cta *cta = nullptr;
  uint32_t firstWarp = 0;
  /// Operations that have not happened as a whole; the first has number
  /// `firstNumber`, and operations count from 1.
  std::deque<WarpgroupOp> ops;
  uint32_t firstNumber = 1;
  struct Member {
    /// Numbers of the last operation issued, and of the last one waited for.
    uint32_t issued = 0, waited = 0;
    /// `wgmma.fence` executed.
    uint32_t fences = 0;
    /// By group that was committed and not waited for: its last operation.
    std::deque<uint32_t> groups;
  };
  std::array<Member, kWarpsPerGroup> members;
  /// Of the ordering checks; ~0: none yet.
  uint32_t component = ~0u;
  WarpgroupOperands operands;

  Warp &getWarp(unsigned i) const { return *cta->getWarps()[firstWarp + i]; }
  WarpgroupOp *find(uint32_t number) {
    return number >= firstNumber && number - firstNumber < ops.size()
               ? &ops[number - firstNumber]
               : nullptr;
  }
};

/// The warpgroup of a warp; null when four whole warps are not there. Made on
/// first use.
Warpgroup *findWarpgroup(Warp &warp);
inline unsigned getMemberIndex(const Warp &warp) {
  return warp.getIndex() % kWarpsPerGroup;
}

/// Makes what these warps have issued up to operation `number` happen.
void landOps(Warpgroup &group, uint32_t members, uint32_t number);
/// Makes all that a warp has issued happen.
void landOwnOps(Warp &warp);

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// What is known of a register that a `wgmma` names.
struct WatchedRegister {
  /// In flight until the warp has waited for this operation; 0: not.
  uint32_t op = 0;
  bool isAccumulator = false;
  /// Of an accumulator: operations that may follow without a wait.
  uint32_t shape = 0;
  uint32_t opLine = 0;
  /// The fences of the warp when it was last read and written, plus 1, and
  /// where; 0: never.
  uint32_t readAt = 0, writtenAt = 0;
  uint32_t readLine = 0, writeLine = 0;
};

/// Finds the registers to watch in a decoded function.
void watchRegisters(const Module &module, Code &code);
/// An instruction is about to use watched registers.
void useWatched(Warp &warp, const Inst &inst);
/// Checks the registers of operation `number`, and notes that they are in
/// flight. `shape` tells shapes of accumulators apart.
void issueWatched(Warp &warp, const Inst &inst, const Warpgroup::Member &member,
                  uint32_t number, uint32_t shape);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_WARPGROUP_H
