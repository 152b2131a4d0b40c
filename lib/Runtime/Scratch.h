//===- Scratch.h - Memory for the time of a task ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tasks of a device borrow buffers and give them back, so that a run allocates
// nothing once the device has as many buffers as threads.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_SCRATCH_H
#define NVFP4_LIB_RUNTIME_SCRATCH_H

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace nvfp4 {

/// The buffers that nobody has borrowed. Safe to use from several threads.
class ScratchPool {
public:
  ScratchPool() = default;
  ScratchPool(const ScratchPool &) = delete;
  ScratchPool &operator=(const ScratchPool &) = delete;

private:
  friend class Scratch;
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  struct Buffer {
    std::unique_ptr<void, Free> memory;
    size_t bytes = 0;
  };

  std::mutex mutex;
  std::vector<Buffer> buffers;
};

/// A borrowed buffer.
class Scratch {
public:
  explicit Scratch(ScratchPool &pool);
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  /// At least `count` floats at a multiple of 64 bytes, or null if there is no
  /// memory. What was there before is lost.
  float *getFloats(size_t count);

private:
  ScratchPool &pool;
  ScratchPool::Buffer buffer;
};

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_SCRATCH_H
