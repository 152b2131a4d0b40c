//===- AsyncOps.h - Operations whose completion is named later -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Records of an asynchronous operation are made when it is issued, so that a
// verdict does not depend on when its effects land. Where the completion is
// known at issue (a group of `cp.async` or bulk copies), the record names it.
// Where it is not (which phase of an mbarrier), the record names an operation
// of this table, and the completion is filled in later.
//
// One table serves a launch: other clusters look operations up concurrently.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_ASYNCOPS_H
#define NVFP4_SIMULATOR_PTX_ORDERING_ASYNCOPS_H

#include "Ordering/Records.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace nvfp4::ptx::ordering {

using AsyncOp = uint64_t;

class AsyncOps {
public:
  struct State {
    AsyncKind kind;
    uint32_t cluster;
    uint32_t component;
    uint32_t clock; ///< 0: in flight, its completion not known yet.
  };
  /// A part of the table that one cluster fills without asking the others.
  struct Range {
    AsyncOp next = 0, end = 0;
  };

  AsyncOps();

  /// Begins an operation; nothing when the table is full.
  std::optional<AsyncOp> begin(Range &range, uint32_t cluster, AsyncKind kind);
  /// States that `op` has happened once `component` has reached `clock`.
  void complete(AsyncOp op, uint32_t component, uint32_t clock);
  State get(AsyncOp op) const;

private:
  static constexpr uint64_t kBlockOps = 4096, kBlocks = 1 << 16;
  using Slot = std::atomic<uint64_t>;

  Slot &slot(AsyncOp op) const {
    return blocks[op / kBlockOps].load(
        std::memory_order_acquire)[op % kBlockOps];
  }

  std::mutex mutex;
  std::vector<std::unique_ptr<Slot[]>> ownedBlocks;
  std::unique_ptr<std::atomic<Slot *>[]> blocks;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_ASYNCOPS_H
