//===- AccessSets.cpp - Interned sets of unordered accesses ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering/AccessSets.h"

#include <algorithm>

using namespace nvfp4::ptx::ordering;

AccessSets::AccessSets(size_t maxBytes, bool isShared)
    : maxBytes(maxBytes), isShared(isShared),
      blocks(new std::atomic<const Node *>[kBlocks]()) {}

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

void AccessSets::growTable() {
  size_t oldBytes = table.size() * sizeof(Slot);
  std::vector<Slot> old(std::max<size_t>(256, table.size() * 2));
  old.swap(table);
  for (const Slot &slot : old) {
    if (!slot.id)
      continue;
    size_t place = slot.hash & (table.size() - 1);
    while (table[place].id)
      place = (place + 1) & (table.size() - 1);
    table[place] = slot;
  }
  bytes.fetch_add(table.size() * sizeof(Slot) - oldBytes,
                  std::memory_order_relaxed);
}

std::optional<uint64_t> AccessSets::intern(SetMembers &members) {
  std::sort(members.begin(), members.end(),
            [](const SetMember &a, const SetMember &b) {
              return std::pair(a.record.bits, a.instruction) <
                     std::pair(b.record.bits, b.instruction);
            });
  uint64_t hash = hashMembers(members);
  std::unique_lock<std::mutex> lock(mutex, std::defer_lock);
  if (isShared)
    lock.lock();
  if (2 * numSets >= table.size())
    growTable();
  size_t place = hash & (table.size() - 1);
  for (; table[place].id; place = (place + 1) & (table.size() - 1)) {
    if (table[place].hash != hash)
      continue;
    View view = get(table[place].id - 1);
    if (std::equal(view.begin(), view.end(), members.begin(), members.end()))
      return table[place].id - 1;
  }
  if (getBytes() > maxBytes || numSets == kBlockSets * kBlocks)
    return std::nullopt;
  uint64_t id = numSets++;
  if (id % kBlockSets == 0) {
    ownedBlocks.push_back(std::make_unique<Node[]>(kBlockSets));
    blocks[id / kBlockSets].store(ownedBlocks.back().get(),
                                  std::memory_order_release);
    bytes.fetch_add(kBlockSets * sizeof(Node), std::memory_order_relaxed);
  }
  ownedBlocks.back()[id % kBlockSets] = {store(members),
                                         uint32_t(members.size())};
  table[place] = {hash, id + 1};
  return id;
}

void AccessSets::clear() {
  numSets = 0;
  table.clear();
  arena.clear();
  arenaUsed = kArenaMembers;
  ownedBlocks.clear();
  bytes.store(0, std::memory_order_relaxed);
}
