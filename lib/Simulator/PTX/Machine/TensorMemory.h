//===- TensorMemory.h - Tensor memory and its pipes ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 128 lanes of 512 columns of 32 bits, for each CTA. To the ordering checks it
// lies behind the CTA's shared memory.
//
// `mma`, `cp` and `shift` of a thread form a pipe: they happen in order, and a
// `commit` tells an mbarrier how far the pipe has come. What they access is
// told to the checks at issue, under the pipe's component, whose clock counts
// operations. `ld` and `st` have a component per warp each.
//
// Operations of all pipes of a pair of CTAs happen in the order of their issue:
// what is not ordered otherwise is a finding, so that nothing depends on it.
//
// Source: PTX ISA 9.7.16; rules R9, R13.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_TENSORMEMORY_H
#define NVFP4_SIMULATOR_PTX_MACHINE_TENSORMEMORY_H

#include "Machine.h"
#include "Ordering.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>

namespace nvfp4::ptx {

constexpr uint32_t kTensorLanes = 128, kTensorColumns = 512;
constexpr uint32_t kTensorCell = 4;
constexpr uint32_t kTensorLaneBytes = kTensorColumns * kTensorCell;
constexpr uint32_t kTensorMemoryBytes = kTensorLanes * kTensorLaneBytes;
/// Columns that an allocation begins with; the fewest and the most.
constexpr uint32_t kMinTensorColumns = 32;

/// An address: the lane in the upper half, the column in the lower one.
struct TensorAddress {
  uint32_t lane = 0, column = 0;
  static TensorAddress decode(uint32_t bits) {
    return {bits >> 16, bits & 0xFFFF};
  }
};

/// `mma`, `cp` and `shift` of one thread.
struct TensorPipe {
  uint32_t component = ~0u;
  uint32_t issued = 0;
  /// What the collector buffer holds: operand A of the product that filled it.
  std::optional<uint64_t> collected;
};

/// The operations of a pair of CTAs that have not happened.
struct TensorQueue {
  uint64_t issued = 0, landed = 0;
  std::deque<std::function<void()>> operations;
};

/// What two warps, one in each CTA of a pair, do together.
struct TensorCollective {
  enum class Kind : uint8_t { None, Alloc, Dealloc, Relinquish };
  Kind kind = Kind::None;
  uint32_t columns = 0, address = 0;
  /// Who waits here.
  const Warp *warp = nullptr;
  /// Set by the warp of the other CTA.
  bool isDone = false;
};

struct TensorMemory {
  TensorMemory();

  std::vector<uint8_t> data;
  UndefinedBits undefined;
  /// By first column: how many, and where.
  struct Allocation {
    uint32_t columns = 0, line = 0;
  };
  std::map<uint32_t, Allocation> allocations;
  /// No more may follow; those that follow may not be larger.
  bool isRelinquished = false;
  uint32_t lastColumns = kTensorColumns;
  /// Of `.cta_group`, as the first instruction has it; 0: none yet.
  uint32_t groupSize = 0;
  TensorCollective collective;
  /// Of the pair; in its CTA of even rank.
  TensorQueue queue;
  /// By warp and lane.
  std::map<std::pair<uint32_t, uint32_t>, TensorPipe> pipes;
  /// By warp.
  struct Transfers {
    uint32_t loadComponent = ~0u, storeComponent = ~0u;
    uint32_t loads = 0, stores = 0;
  };
  std::map<uint32_t, Transfers> transfers;

  bool isAllocated(uint32_t column, uint32_t columns) const;
  /// Some columns of a lane, and their undefined bits. A read of these returns
  /// whether there are any.
  void read(uint32_t lane, uint32_t column, uint32_t columns,
            uint32_t *values) const;
  void write(uint32_t lane, uint32_t column, uint32_t columns,
             const uint32_t *values);
  bool readUndefined(uint32_t lane, uint32_t column, uint32_t columns,
                     uint32_t *bits) const;
  void writeUndefined(uint32_t lane, uint32_t column, uint32_t columns,
                      const uint32_t *bits);
  void markDefined(uint32_t lane, uint32_t column, uint32_t columns);
  bool isUndefined(uint32_t lane, uint32_t column, uint32_t columns) const;
};

/// Made on first use.
TensorMemory &getTensorMemory(Cta &cta);
/// Where a CTA's tensor memory begins in the history of its shared memory.
uint64_t getTensorShadow(const LaunchState &launch);

/// Some columns of some consecutive lanes.
struct TensorRange {
  uint32_t lane = 0, lanes = 0, column = 0, columns = 0;
};
/// Whether an instruction may use a range of a CTA's tensor memory: within an
/// allocation. False after a trap.
bool checkTensorRange(Warp &warp, const Inst &inst, unsigned lane, Cta &cta,
                      const TensorRange &range);
/// Tells the ordering checks that an operation, or the warp itself, accesses
/// the range.
void orderTensor(Warp &warp, const Inst &inst, Cta &cta,
                 const TensorRange &range, unsigned lane,
                 ordering::AccessKind kind, const ordering::AsyncActor &actor);
void orderTensorNow(Warp &warp, const Inst &inst, const TensorRange &range,
                    ordering::AccessKind kind);

/// The CTAs that an instruction of `.cta_group::size` works on, the one of even
/// rank first. False after a trap: no other CTA, one that has exited, or
/// another size than in earlier instructions.
bool findTensorGroup(Warp &warp, const Inst &inst, unsigned lane, uint32_t size,
                     std::vector<Cta *> &ctas);

/// The pipe of a thread, with a component if order is checked.
TensorPipe &getPipe(Warp &warp, unsigned lane);
/// The queue of the pair that a CTA belongs to.
TensorQueue &getTensorQueue(Cta &cta);
/// Tells the checks what the next operation of a pipe is, before its accesses;
/// returns its actor in shared memory, or null without checks.
std::optional<ordering::AsyncActor> beginInPipe(Warp &warp, TensorPipe &pipe,
                                                const ordering::PipeOp &op);
/// Issues the operation. False after a trap.
bool issueInPipe(Warp &warp, const Inst &inst, TensorPipe &pipe,
                 std::function<void()> operation);
/// Makes operations happen up to number `number`.
void landTensorQueue(TensorQueue &queue, uint64_t number);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_TENSORMEMORY_H
