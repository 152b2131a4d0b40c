//===- AccessSets.h - Interned sets of unordered accesses ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// When several accesses to a cell are not ordered among themselves (readers of
// a tile, atomics on a counter) a later access must be compared with each.
// Tiles are read in the same order in every cell, so sets are interned, and
// cells hold the number of a set. Members carry no lanes: with several warps
// involved, only the warps matter.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_ORDERING_ACCESSSETS_H
#define NVFP4_SIMULATOR_PTX_ORDERING_ACCESSSETS_H

#include "Ordering/Records.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace nvfp4::ptx::ordering {

/// One access of a set and the instruction that made it.
struct SetMember {
  Record record;
  uint32_t instruction = 0;

  bool operator==(const SetMember &other) const {
    return record == other.record && instruction == other.instruction;
  }
};

/// The members of a set under construction.
using SetMembers = std::vector<SetMember>;

class AccessSets {
public:
  struct View {
    const SetMember *members;
    uint32_t count;
    const SetMember *begin() const { return members; }
    const SetMember *end() const { return members + count; }
  };

  /// `maxBytes` bounds the storage; `isShared` among host threads.
  AccessSets(size_t maxBytes, bool isShared);

  /// The members of a set. Needs no lock.
  View get(uint64_t id) const {
    const Node *block = blocks[id / kBlockSets].load(std::memory_order_acquire);
    const Node &node = block[id % kBlockSets];
    return {node.members, node.count};
  }
  /// The number of the set with these members, in canonical order; nothing when
  /// the storage is used up.
  std::optional<uint64_t> intern(SetMembers &members);

  size_t getBytes() const { return bytes.load(std::memory_order_relaxed); }
  void clear();

private:
  static constexpr uint64_t kBlockSets = 1024, kBlocks = 1 << 14;
  static constexpr size_t kArenaMembers = 4096;
  struct Node {
    const SetMember *members;
    uint32_t count;
  };

  /// A place of the hash table; `id` counts from 1, 0 is free.
  struct Slot {
    uint64_t hash = 0;
    uint64_t id = 0;
  };

  const SetMember *store(const SetMembers &members);
  void growTable();

  size_t maxBytes;
  bool isShared;
  std::atomic<size_t> bytes{0};
  std::mutex mutex;
  uint64_t numSets = 0;
  std::vector<Slot> table;
  std::vector<std::unique_ptr<SetMember[]>> arena;
  size_t arenaUsed = kArenaMembers;
  std::vector<std::unique_ptr<Node[]>> ownedBlocks;
  std::unique_ptr<std::atomic<const Node *>[]> blocks;
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_SIMULATOR_PTX_ORDERING_ACCESSSETS_H
