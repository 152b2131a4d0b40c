//===- Clocks.cpp - Vector clocks that share their storage ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ordering/Clocks.h"

#include <algorithm>
#include <cstring>
#include <new>

using namespace nvfp4::ptx::ordering;

//===----------------------------------------------------------------------===//
// Clock
//===----------------------------------------------------------------------===//

Clock::Data *Clock::Data::create(uint32_t size) {
  // Room for components that are added one at a time.
  size = (size + 15) & ~15u;
  void *memory = ::operator new(sizeof(Data) + size * sizeof(uint32_t));
  Data *data = new (memory) Data(size);
  std::memset(data->values(), 0, size * sizeof(uint32_t));
  return data;
}

void Clock::Data::destroy(Data *data) {
  data->~Data();
  ::operator delete(data);
}

/// Makes the storage writable and large enough.
void Clock::own(uint32_t size) {
  if (data && data->size >= size && data.unique())
    return;
  CowPtr<Data> fresh(Data::create(data ? std::max(size, data->size) : size));
  if (data)
    std::memcpy(fresh->values(), data->values(), data->size * sizeof(uint32_t));
  data = std::move(fresh);
}

void Clock::raise(uint32_t component, uint32_t clock) {
  if (get(component) >= clock)
    return;
  own(component + 1);
  data->values()[component] = clock;
}

/// Whether each of `size` values of `a` is at most its counterpart in `b`.
static bool isCovered(const uint32_t *a, const uint32_t *b, uint32_t size) {
  uint32_t above = 0;
  for (uint32_t i = 0; i < size; ++i)
    above |= a[i] > b[i];
  return !above;
}

void Clock::join(const Clock &other) {
  if (!other.data || data == other.data)
    return;
  if (!data) {
    data = other.data;
    return;
  }
  uint32_t common = std::min(data->size, other.data->size);
  const uint32_t *theirs = other.data->values();
  if (data->size == common && isCovered(data->values(), theirs, common)) {
    data = other.data;
    return;
  }
  if (other.data->size == common && isCovered(theirs, data->values(), common))
    return;
  own(other.data->size);
  uint32_t *ours = data->values();
  for (uint32_t i = 0, e = other.data->size; i < e; ++i)
    ours[i] = std::max(ours[i], theirs[i]);
}

//===----------------------------------------------------------------------===//
// ForeignClocks
//===----------------------------------------------------------------------===//

const Clock &ForeignClocks::get(uint32_t cluster) const {
  static const Clock unknown;
  uint32_t block = cluster / kBlockClusters;
  if (!index || block >= index->blocks.size() || !index->blocks[block])
    return unknown;
  return index->blocks[block]->clocks[cluster % kBlockClusters];
}

CowPtr<ForeignClocks::Block> &ForeignClocks::ownIndexSlot(uint32_t block) {
  if (!index) {
    index = CowPtr<Index>(new Index);
  } else if (!index.unique()) {
    Index *fresh = new Index;
    fresh->blocks = index->blocks;
    index = CowPtr<Index>(fresh);
  }
  if (block >= index->blocks.size())
    index->blocks.resize(block + 1);
  return index->blocks[block];
}

ForeignClocks::Block &ForeignClocks::ownBlock(CowPtr<Block> &block) {
  if (!block) {
    block = CowPtr<Block>(new Block);
  } else if (!block.unique()) {
    Block *fresh = new Block;
    fresh->clocks = block->clocks;
    block = CowPtr<Block>(fresh);
  }
  return *block;
}

void ForeignClocks::join(uint32_t cluster, const Clock &clock) {
  const Clock &known = get(cluster);
  if (clock.empty() || known.sameStorage(clock))
    return;
  Block &block = ownBlock(ownIndexSlot(cluster / kBlockClusters));
  block.clocks[cluster % kBlockClusters].join(clock);
}

void ForeignClocks::join(const ForeignClocks &other) {
  if (!other.index || index == other.index)
    return;
  if (!index) {
    index = other.index;
    return;
  }
  // `other` may be changed through us only after it has given up its share.
  const CowPtr<Index> theirs = other.index;
  for (uint32_t b = 0, e = theirs->blocks.size(); b < e; ++b) {
    const CowPtr<Block> &block = theirs->blocks[b];
    if (!block || (b < index->blocks.size() && index->blocks[b] == block))
      continue;
    CowPtr<Block> &slot = ownIndexSlot(b);
    if (!slot) {
      slot = block;
      continue;
    }
    for (uint32_t i = 0; i < kBlockClusters; ++i)
      if (!block->clocks[i].empty() &&
          !slot->clocks[i].sameStorage(block->clocks[i]))
        ownBlock(slot).clocks[i].join(block->clocks[i]);
  }
}

//===----------------------------------------------------------------------===//
// Knowledge
//===----------------------------------------------------------------------===//

void nvfp4::ptx::ordering::join(Knowledge &into, uint32_t intoHome,
                                const Knowledge &from, uint32_t fromHome) {
  into.foreign.join(from.foreign);
  if (intoHome == fromHome) {
    into.local.join(from.local);
    return;
  }
  if (fromHome != kNoCluster)
    into.foreign.join(fromHome, from.local);
  if (intoHome != kNoCluster)
    into.local.join(from.foreign.get(intoHome));
}
