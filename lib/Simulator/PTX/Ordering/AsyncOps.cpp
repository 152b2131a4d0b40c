//===- AsyncOps.cpp - Operations whose completion is named later ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One word per operation, written once when the completion is known:
//
//   bits   0-2    3-14        15-34     42-63
//          kind   component   cluster   clock (0 while in flight)
//
//===----------------------------------------------------------------------===//

#include "Ordering/AsyncOps.h"

using namespace nvfp4::ptx::ordering;

namespace {
constexpr unsigned kComponentShift = 3, kClusterShift = 15, kClockShift = 42;
} // namespace

AsyncOps::AsyncOps() : blocks(new std::atomic<Slot *>[kBlocks]()) {}

std::optional<AsyncOp> AsyncOps::begin(Range &range, uint32_t cluster,
                                       AsyncKind kind) {
  if (range.next == range.end) {
    std::lock_guard<std::mutex> guard(mutex);
    uint64_t block = ownedBlocks.size();
    if (block == kBlocks)
      return std::nullopt;
    ownedBlocks.push_back(std::make_unique<Slot[]>(kBlockOps));
    blocks[block].store(ownedBlocks.back().get(), std::memory_order_release);
    range = {block * kBlockOps, (block + 1) * kBlockOps};
  }
  AsyncOp op = range.next++;
  slot(op).store(uint64_t(kind) | uint64_t(cluster) << kClusterShift,
                 std::memory_order_release);
  return op;
}

void AsyncOps::complete(AsyncOp op, uint32_t component, uint32_t clock) {
  Slot &word = slot(op);
  // The first completion is the one that others may rely on.
  uint64_t old = word.load(std::memory_order_acquire);
  if (old >> kClockShift)
    return;
  word.store(old | uint64_t(component) << kComponentShift |
                 uint64_t(clock) << kClockShift,
             std::memory_order_release);
}

AsyncOps::State AsyncOps::get(AsyncOp op) const {
  uint64_t word = slot(op).load(std::memory_order_acquire);
  return {AsyncKind(word & 7), uint32_t(word >> kClusterShift) & 0xfffff,
          uint32_t(word >> kComponentShift) & 0xfff,
          uint32_t(word >> kClockShift)};
}
