//===- ModelTest.cpp - Random traces against a model without clocks -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The model knows no epochs, cells, lanes or shared storage: every access is a
// number, every actor a set of the numbers that are in its past, every byte the
// list of accesses that still count. A trace runs in both until the first
// error, which both must find at the same access.
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include <bitset>
#include <random>

using namespace nvfp4::ptx::ordering;

namespace {

constexpr uint32_t kMaxAccesses = 512, kWarps = 6, kObjects = 3, kBytes = 640;
using Past = std::bitset<kMaxAccesses>;

/// What is visible to ordinary accesses, and to the asynchronous proxy in
/// shared and in global memory.
using Pasts = std::array<Past, 3>;

struct ModelAccess {
  uint32_t number;
  bool write, strong, ordinaryProxy;
};

class ModelTest : public Trace {
protected:
  void start(uint32_t seed) {
    random.seed(seed);
    ASSERT_TRUE(clusterA.begin(0).ok() && clusterB.begin(1).ok());
    global.reset();
    numAccesses = 0;
    for (auto &space : bytes)
      for (auto &byte : space)
        byte.clear();
    pasts = {};
    objectPasts = {};
    for (uint32_t o = 0; o < kObjects; ++o)
      objects[o] = SyncClock(o ? kNoCluster : 0);
    groups.assign(kWarps, {});
    for (uint32_t w = 0; w < kWarps; ++w)
      components[w] = cluster(w).addComponent(AsyncKind::Bulk);
  }

  uint32_t draw(uint32_t below) { return uint32_t(random() % below); }
  ClusterOrdering &cluster(uint32_t w) { return w < 4 ? clusterA : clusterB; }
  WarpOrder &each(uint32_t w) { return w < 4 ? warp(w) : foreign(w - 4); }

  /// Whether an access of bytes [offset, offset + size) is an error, by the
  /// rules; then it becomes part of the history.
  bool model(uint32_t w, uint32_t space, uint64_t offset, uint64_t size,
             bool write, bool strong, bool asyncProxy, uint32_t number) {
    bool error = false;
    const Past &past = pasts[w][0], &visible = pasts[w][1 + space];
    for (uint64_t b = offset; b < offset + size; ++b) {
      std::vector<ModelAccess> &list = bytes[space][b];
      for (size_t i = 0; i < list.size();) {
        ModelAccess old = list[i];
        bool known = past[old.number];
        if ((write || old.write) && !(strong && old.strong) && !known)
          error = true;
        if (known && asyncProxy && old.write && old.ordinaryProxy &&
            !visible[old.number])
          error = true;
        if (known && (old.strong || !strong) && (write || !old.write))
          list.erase(list.begin() + i);
        else
          ++i;
      }
      list.push_back({number, write, strong, !asyncProxy});
    }
    return error;
  }

  /// One access of a random shape in both. Returns whether to go on.
  bool access(uint32_t w, bool isAsync) {
    uint32_t space = w < 4 ? draw(2) : 1;
    Shadow &shadow = space ? global : shared();
    bool write = draw(2), strong = !isAsync && draw(3) == 0;
    bool asyncProxy = isAsync && draw(2);
    uint32_t width = 1u << draw(5), number = numAccesses++;
    bool coalesced = draw(3) == 0;
    uint64_t size = coalesced && width <= 8 ? width * kNumLanes : width;
    uint64_t offset = draw(uint32_t((coalesced ? 256 : 96) / width)) * width;
    AccessKind kind = write ? AccessKind::Write : AccessKind::Read;
    bool expected =
        model(w, space, offset, size, write, strong, asyncProxy, number);
    Strong order = strong ? kRelaxed : kWeak;
    std::string verdict;
    if (isAsync) {
      groups[w].push_back(number);
      AsyncActor actor(each(w), components[w], groups[w].size(), asyncProxy);
      verdict = range(shadow, actor, kind, offset, size);
    } else {
      pasts[w][0][number] = true;
      if (size == width)
        verdict = Trace::access(shadow, each(w), kind, offset, width, order,
                                draw(kNumLanes));
      else
        verdict =
            all(shadow, each(w), kind, offset, width, width, kAllLanes, order);
    }
    bool found = !verdict.empty() && verdict != "R4 IntraWarp";
    EXPECT_EQ(found, expected) << verdict << " at access " << number;
    return !found && !expected;
  }

  void release(uint32_t w, uint32_t o) {
    objects[o].release(each(w));
    for (unsigned v = 0; v < 3; ++v)
      objectPasts[o][v] |= pasts[w][v];
  }
  void acquire(uint32_t w, uint32_t o) {
    objects[o].acquire(each(w));
    for (unsigned v = 0; v < 3; ++v)
      pasts[w][v] |= objectPasts[o][v];
  }

  void synchronise() {
    uint32_t w = draw(kWarps), o = w < 4 ? draw(kObjects) : 1 + draw(2);
    switch (draw(8)) {
    case 0:
    case 1:
      release(w, o);
      break;
    case 2:
    case 3:
      acquire(w, o);
      break;
    case 4: {
      bool inShared = draw(2), inGlobal = draw(2);
      each(w).fenceProxy(inShared, inGlobal);
      if (inShared)
        pasts[w][1] = pasts[w][0];
      if (inGlobal)
        pasts[w][2] = pasts[w][0];
      break;
    }
    case 5:
      if (!groups[w].empty()) {
        uint32_t done = 1 + draw(groups[w].size());
        each(w).observe(components[w], done);
        for (uint32_t i = 0; i < done; ++i)
          pasts[w][0][groups[w][i]] = true;
      }
      break;
    case 6: { // A barrier of the first cluster.
      SyncClock barrier = clusterA.makeSyncClock();
      Pasts sum;
      for (uint32_t i = 0; i < 4; ++i) {
        barrier.release(each(i));
        for (unsigned v = 0; v < 3; ++v)
          sum[v] |= pasts[i][v];
      }
      for (uint32_t i = 0; i < 4; ++i) {
        barrier.acquire(each(i));
        for (unsigned v = 0; v < 3; ++v)
          pasts[i][v] |= sum[v];
      }
      break;
    }
    case 7:
      clusterA.collectSets();
      break;
    }
  }

  std::mt19937 random;
  uint32_t numAccesses = 0;
  std::array<std::array<std::vector<ModelAccess>, kBytes>, 2> bytes;
  std::array<Pasts, kWarps> pasts;
  std::array<Pasts, kObjects> objectPasts;
  std::array<SyncClock, kObjects> objects;
  std::vector<std::vector<uint32_t>> groups;
  std::array<uint32_t, kWarps> components;
};

TEST_F(ModelTest, FirstErrorIsTheSame) {
  uint32_t longest = 0;
  for (uint32_t seed = 0; seed < 6000; ++seed) {
    start(seed);
    // Some traces synchronise rarely, some nearly always.
    uint32_t rarity = 1 + seed % 12;
    while (numAccesses < kMaxAccesses) {
      for (uint32_t i = draw(4 * rarity); i; --i)
        synchronise();
      if (!access(draw(kWarps), draw(4) == 0))
        break;
    }
    longest = std::max(longest, numAccesses);
    if (HasFailure())
      FAIL() << "seed " << seed;
  }
  EXPECT_GT(longest, 20u);
}

} // namespace
