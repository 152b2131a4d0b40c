//===- AccessSets.cpp - Interned sets of unordered accesses ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering/AccessSets.h"

#include <algorithm>

using namespace nvfp4::ptx::ordering;

AccessSets::AccessSets(size_t maxBytes)
    : maxBytes(maxBytes), blocks(new std::atomic<const Node *>[kBlocks]()) {}

static uint64_t hashMembers(const SetMembers &members) {
  uint64_t hash = members.size();
  for (const SetMember &member : members) {
    hash = (hash ^ member.record.bits) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 29 ^ member.instruction) * 0xbf58476d1ce4e5b9u;
  }
  return hash ^ hash >> 32;
}

/// Copies the members to where they stay.
const SetMember *AccessSets::store(const SetMembers &members) {
  size_t size = std::max(kArenaMembers, members.size());
  if (arenaUsed + members.size() > kArenaMembers) {
    arena.push_back(std::make_unique<SetMember[]>(size));
    arenaUsed = 0;
    bytes.fetch_add(size * sizeof(SetMember), std::memory_order_relaxed);
  }
  SetMember *place = arena.back().get() + arenaUsed;
  std::copy(members.begin(), members.end(), place);
  arenaUsed += members.size();
  return place;
}

std::optional<uint64_t> AccessSets::intern(SetMembers &members) {
  std::sort(members.begin(), members.end(),
            [](const SetMember &a, const SetMember &b) {
              return std::pair(a.record.bits, a.instruction) <
                     std::pair(b.record.bits, b.instruction);
            });
  uint64_t hash = hashMembers(members);
  std::lock_guard<std::mutex> guard(mutex);
  auto [begin, end] = byHash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    View view = get(it->second);
    if (std::equal(view.begin(), view.end(), members.begin(), members.end()))
      return it->second;
  }
  if (getBytes() > maxBytes || numSets == kBlockSets * kBlocks)
    return std::nullopt;
  uint64_t id = numSets++;
  if (id % kBlockSets == 0) {
    ownedBlocks.push_back(std::make_unique<Node[]>(kBlockSets));
    blocks[id / kBlockSets].store(ownedBlocks.back().get(),
                                  std::memory_order_release);
  }
  ownedBlocks.back()[id % kBlockSets] = {store(members),
                                         uint32_t(members.size())};
  byHash.emplace(hash, id);
  // What a node of the hash table takes, roughly.
  bytes.fetch_add(sizeof(Node) + 40, std::memory_order_relaxed);
  return id;
}

void AccessSets::clear() {
  numSets = 0;
  byHash.clear();
  arena.clear();
  arenaUsed = kArenaMembers;
  ownedBlocks.clear();
  bytes.store(0, std::memory_order_relaxed);
}
