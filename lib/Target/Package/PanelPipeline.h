//===- PanelPipeline.h - Panels made in parallel, used in order -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Panels are made in batches. While the threads make one batch, one of them
// first uses the panels of the batch before, so that reading, computing and
// writing overlap, and what is written is in order:
//
//   threads:  make 0-6 | use 0-6, make 7-13 | use 7-13, make 14-20 | …
//
// Memory: two batches of panels, whatever their number.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_PACKAGE_PANELPIPELINE_H
#define NVFP4_LIB_TARGET_PACKAGE_PANELPIPELINE_H

#include "nvfp4/Runtime/ThreadPool.h"
#include "nvfp4/Support/Status.h"

#include <algorithm>
#include <vector>

namespace nvfp4 {

/// `Panel` is what becomes of one panel, `Scratch` what making it needs beyond;
/// both are kept for later panels.
template <typename Panel, typename Scratch> class PanelPipeline {
public:
  /// Without a pool the caller does everything.
  explicit PanelPipeline(ThreadPool *pool) : pool(pool) {
    // With the panels that are used, four pieces for each thread; more than
    // this only takes memory.
    constexpr int64_t kMaxBatch = 15;
    int64_t threads = pool ? pool->getNumThreads() : 1;
    batchSize = std::min(4 * threads - 1, kMaxBatch);
    scratch.resize(size_t(batchSize));
    made.resize(size_t(batchSize));
    used.resize(size_t(batchSize));
  }

  /// Calls `make(index, panel, scratch)` for each index below `count`, on any
  /// thread, and `use(panel)` for each panel in order, on one thread at a time.
  /// Both return a Status. Stops after the batch with an error and returns that
  /// of the first panel that has one.
  template <typename Make, typename Use>
  Status run(int64_t count, Make make, Use use) {
    int64_t before = 0; // panels in `used`
    for (int64_t first = 0; first < count || before > 0; first += batchSize) {
      int64_t now = std::clamp<int64_t>(count - first, 0, batchSize);
      std::vector<Status> status(size_t(now) + 1);
      auto work = [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          status[size_t(i)] =
              i == 0 ? useAll(before, use)
                     : make(first + i - 1, made[size_t(i) - 1].panel,
                            scratch[size_t(i) - 1].scratch);
      };
      runParallel(now + 1, work);
      for (Status &each : status)
        if (!each)
          return std::move(each);
      std::swap(made, used);
      before = now;
    }
    return {};
  }

private:
  // Not next to each other: threads write to them.
  struct alignas(64) PanelSlot {
    Panel panel;
  };
  struct alignas(64) ScratchSlot {
    Scratch scratch;
  };

  template <typename Use> Status useAll(int64_t count, Use &use) {
    for (int64_t i = 0; i < count; ++i)
      if (Status status = use(used[size_t(i)].panel); !status)
        return status;
    return {};
  }

  template <typename Work> void runParallel(int64_t count, Work &work) {
    if (!pool)
      return work(0, count);
    pool->parallelFor(
        count,
        [](void *state, int64_t begin, int64_t end) {
          (*static_cast<Work *>(state))(begin, end);
        },
        &work);
  }

  ThreadPool *pool;
  int64_t batchSize;
  std::vector<ScratchSlot> scratch;
  std::vector<PanelSlot> made, used;
};

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_PACKAGE_PANELPIPELINE_H
