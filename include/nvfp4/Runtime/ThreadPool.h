//===- ThreadPool.h - Loops over several threads ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands behind a program's `parallel_for` on the CPU.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_THREADPOOL_H
#define NVFP4_RUNTIME_THREADPOOL_H

#include <cstdint>
#include <memory>

namespace nvfp4 {

/// A fixed set of threads that any number of callers share. The caller of a
/// loop works on it too, so loops may nest and a pool of one thread starts
/// none.
class ThreadPool {
public:
  using Body = void (*)(void *state, int64_t begin, int64_t end);

  /// `numThreads` counts the caller; 0 means one per hardware thread. Where the
  /// system refuses threads the pool has fewer.
  explicit ThreadPool(unsigned numThreads);
  ~ThreadPool();

  unsigned getNumThreads() const;
  /// Calls `body` on disjoint ranges that cover [0, count); returns when all
  /// calls have. `body` does not throw.
  void parallelFor(int64_t count, Body body, void *state);

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace nvfp4

#endif // NVFP4_RUNTIME_THREADPOOL_H
