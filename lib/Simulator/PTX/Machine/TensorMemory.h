//===- TensorMemory.h - Tensor memory and its pipes ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 128 lanes of 512 columns of 32 bits, for each CTA. To the ordering checks it
// lies behind the CTA's shared memory.
//
// `mma` and `cp` of a thread form a pipe: they happen in order, and a `commit`
// tells an mbarrier how far the pipe has come. What they access is told to the
// checks at issue, under the pipe's component, whose clock counts operations.
// `ld` and `st` have a component per warp each.
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

/// `mma` and `cp` of one thread.
struct TensorPipe {
  uint32_t component = ~0u;
  uint32_t issued = 0, landed = 0;
  /// Those that have not happened.
  std::deque<std::function<void()>> operations;
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
  /// By warp and lane.
  std::map<std::pair<uint32_t, uint32_t>, TensorPipe> pipes;
  /// By warp.
  struct Transfers {
    uint32_t loadComponent = ~0u, storeComponent = ~0u;
    uint32_t loads = 0, stores = 0;
  };
  std::map<uint32_t, Transfers> transfers;

  bool isAllocated(uint32_t column, uint32_t columns) const;
  uint32_t readWord(uint32_t lane, uint32_t column) const;
  void writeWord(uint32_t lane, uint32_t column, uint32_t value);
  /// Undefined bits of a cell.
  uint32_t readUndefined(uint32_t lane, uint32_t column) const;
  void writeUndefined(uint32_t lane, uint32_t column, uint32_t bits);
};

/// Made on first use.
TensorMemory &getTensorMemory(Cta &cta);
/// Where a CTA's tensor memory begins in the history of its shared memory.
uint64_t getTensorShadow(const LaunchState &launch);

/// Some columns of some consecutive lanes.
struct TensorRange {
  uint32_t lane = 0, lanes = 0, column = 0, columns = 0;
};
/// Whether a warp may use the range: within an allocation. False after a trap.
bool checkTensorRange(Warp &warp, const Inst &inst, unsigned lane,
                      const TensorRange &range);
/// Tells the ordering checks that an operation, or the warp itself, accesses
/// the range.
void orderTensor(Warp &warp, const Inst &inst, const TensorRange &range,
                 unsigned lane, ordering::AccessKind kind,
                 const ordering::AsyncActor &actor);
void orderTensorNow(Warp &warp, const Inst &inst, const TensorRange &range,
                    ordering::AccessKind kind);

/// The pipe of a thread, with a component if order is checked.
TensorPipe &getPipe(Warp &warp, unsigned lane);
/// Issues an operation that was told to the checks under clock `issued + 1`.
/// False after a trap.
bool issueInPipe(Warp &warp, const Inst &inst, TensorPipe &pipe,
                 std::function<void()> operation);
/// Makes operations happen up to number `number`.
void landPipe(TensorPipe &pipe, uint32_t number);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_TENSORMEMORY_H
