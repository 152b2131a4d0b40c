//===- Page.h - One page of shadow memory ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_PAGE_H
#define NVFP4_SIMULATOR_PTX_ORDERING_PAGE_H

#include "Ordering/Shadow.h"

#include <thread>

namespace nvfp4::ptx::ordering {

constexpr uint32_t kPageBytes = 4096, kChunkBytes = 16, kWordBytes = 4;

struct Shadow::Page {
  std::atomic<bool> locked{false};
  uint32_t generation = 0;
  std::array<Cell, kPageBytes / kChunkBytes> chunks;
  /// Made when the first chunk, or the first word, of the page is broken.
  std::unique_ptr<Cell[]> words;
  std::unique_ptr<Cell[]> singles;
  /// By their offset in the page.
  std::unique_ptr<std::map<uint32_t, SyncVariable>> variables;

  void forget(uint32_t newGeneration);
  void breakChunk(uint32_t chunk, std::atomic<uint64_t> &bytes) {
    if (!chunks[chunk].write.is(Record::Expanded))
      splitChunk(chunk, bytes);
  }
  void breakWord(uint32_t word, std::atomic<uint64_t> &bytes) {
    if (!words[word].write.is(Record::Expanded))
      splitWord(word, bytes);
  }

  void lock() {
    unsigned spins = 0;
    while (locked.exchange(true, std::memory_order_acquire))
      while (locked.load(std::memory_order_relaxed))
        if (++spins % 64 == 0)
          std::this_thread::yield();
  }
  void unlock() { locked.store(false, std::memory_order_release); }

private:
  void splitChunk(uint32_t chunk, std::atomic<uint64_t> &bytes);
  void splitWord(uint32_t word, std::atomic<uint64_t> &bytes);
};

inline Shadow::Page &Shadow::getPage(uint64_t number) {
  Page *page = pages[number].load(std::memory_order_acquire);
  return page ? *page : makePage(number);
}

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_PAGE_H
