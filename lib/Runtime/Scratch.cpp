//===- Scratch.cpp - Memory for the time of a task ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scratch.h"

#include <cstdint>

using namespace nvfp4;

Scratch::Scratch(ScratchPool &pool) : pool(pool) {
  std::lock_guard<std::mutex> lock(pool.mutex);
  if (pool.buffers.empty())
    return;
  buffer = std::move(pool.buffers.back());
  pool.buffers.pop_back();
}

Scratch::~Scratch() {
  if (!buffer.memory)
    return;
  std::lock_guard<std::mutex> lock(pool.mutex);
  pool.buffers.push_back(std::move(buffer));
}

float *Scratch::getFloats(size_t count) {
  constexpr size_t kAlignment = 64;
  if (count > (SIZE_MAX - kAlignment) / sizeof(float))
    return nullptr;
  // A size of aligned_alloc is a multiple of the alignment, and not 0.
  size_t bytes = (count * sizeof(float) / kAlignment + 1) * kAlignment;
  if (bytes > buffer.bytes) {
    buffer.memory.reset();
    buffer.memory.reset(std::aligned_alloc(kAlignment, bytes));
    buffer.bytes = buffer.memory ? bytes : 0;
  }
  return static_cast<float *>(buffer.memory.get());
}
