//===- ThreadPool.cpp - Loops over several threads ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop is a job on its caller's stack. Threads take pieces of it with an
// atomic counter; the caller takes the loop back when no thread is in it.
//
// Loops of a model follow each other within microseconds, and waking a thread
// that sleeps takes some ten: threads look for the next loop, and callers for
// the end of theirs, for a while before they sleep.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

using namespace nvfp4;

namespace {

/// Tells the processor that this thread waits for another.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits for `condition` without sleeping, for some 50 microseconds at most,
/// which is what threads of a pool lose if nothing comes.
template <typename Condition> void spinUntil(Condition condition) {
  constexpr std::chrono::microseconds kLimit(50);
  constexpr int kChecksPerLook = 32;
  auto end = std::chrono::steady_clock::now() + kLimit;
  do {
    for (int i = 0; i < kChecksPerLook; ++i) {
      if (condition())
        return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
}

struct Job {
  int64_t count, piece;
  ThreadPool::Body body;
  void *state;
  std::atomic<int64_t> next{0};
  /// Threads inside the job, its caller not counted. Changed under the mutex.
  std::atomic<unsigned> numHelpers{0};

  void work() {
    while (true) {
      // Cannot overflow: at most one more piece per thread beyond `count`.
      int64_t begin = next.fetch_add(piece, std::memory_order_relaxed);
      if (begin >= count)
        return;
      body(state, begin, std::min(count - begin, piece) + begin);
    }
  }
};

} // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable jobAdded, helperLeft;
  std::deque<Job *> jobs;
  /// The length of `jobs`, for those that look without the mutex.
  std::atomic<size_t> numJobs{0};
  unsigned numSleeping = 0;
  std::vector<std::thread> threads;
  std::atomic<bool> isStopping{false};

  void addJob(Job *job) {
    jobs.push_back(job);
    numJobs = jobs.size();
  }

  void removeJob(Job *job) {
    auto it = std::find(jobs.begin(), jobs.end(), job);
    if (it != jobs.end())
      jobs.erase(it);
    numJobs = jobs.size();
  }

  void help() {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      if (jobs.empty() && !isStopping) {
        lock.unlock();
        spinUntil([&] { return numJobs != 0 || isStopping; });
        lock.lock();
      }
      ++numSleeping;
      jobAdded.wait(lock, [&] { return isStopping || !jobs.empty(); });
      --numSleeping;
      if (isStopping)
        return;
      Job *job = jobs.front();
      ++job->numHelpers;
      lock.unlock();
      job->work();
      lock.lock();
      // No piece is left, so nobody else needs to find it.
      removeJob(job);
      if (--job->numHelpers == 0)
        helperLeft.notify_all();
    }
  }
};

ThreadPool::ThreadPool(unsigned numThreads) : state(std::make_unique<State>()) {
  if (numThreads == 0)
    numThreads = std::max(1u, std::thread::hardware_concurrency());
  try {
    for (unsigned i = 1; i < numThreads; ++i)
      state->threads.emplace_back([this] { state->help(); });
  } catch (const std::system_error &) { // NOLINT(bugprone-empty-catch)
    // Out of threads: the loops run on those there are.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    state->isStopping = true;
  }
  state->jobAdded.notify_all();
  for (std::thread &thread : state->threads)
    thread.join();
}

unsigned ThreadPool::getNumThreads() const {
  return static_cast<unsigned>(state->threads.size()) + 1;
}

void ThreadPool::parallelFor(int64_t count, Body body, void *bodyState) {
  if (count <= 0)
    return;
  if (count == 1 || state->threads.empty())
    return body(bodyState, 0, count);
  // A few pieces per thread even out what one thread takes longer for.
  constexpr int64_t kPiecesPerThread = 4;
  int64_t pieces = std::min<int64_t>(count, getNumThreads() * kPiecesPerThread);
  Job job{count, (count - 1) / pieces + 1, body, bodyState, {}, {}};
  bool isSleeping;
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    state->addJob(&job);
    isSleeping = state->numSleeping != 0;
  }
  if (isSleeping)
    state->jobAdded.notify_all();
  job.work();
  std::unique_lock<std::mutex> lock(state->mutex);
  state->removeJob(&job);
  if (job.numHelpers != 0) {
    lock.unlock();
    spinUntil([&] { return job.numHelpers == 0; });
    lock.lock();
  }
  state->helperLeft.wait(lock, [&] { return job.numHelpers == 0; });
}
