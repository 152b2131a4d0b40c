//===- ThreadTest.cpp - Clusters on several host threads ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whatever the host's schedule, of two unordered accesses one sees the other.
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include <thread>
#include <vector>

using namespace nvfp4::ptx::ordering;

namespace {

constexpr uint32_t kThreads = 2, kClustersPerThread = 20, kRounds = 64;

class ThreadTest : public ::testing::Test {
protected:
  /// Runs clusters on two threads; returns the verdicts of all their accesses.
  template <typename Body> std::vector<std::string> run(Body body) {
    std::vector<std::string> verdicts[kThreads];
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        ClusterOrdering cluster(launch, {1, 2, kAllLanes, 4096});
        for (uint32_t i = 0; i < kClustersPerThread; ++i) {
          uint32_t number = t * kClustersPerThread + i;
          if (!cluster.begin(number).ok())
            return;
          body(cluster, number, [&](const std::optional<Conflict> &conflict) {
            if (conflict)
              verdicts[t].push_back(show(conflict));
          });
        }
      });
    for (std::thread &thread : threads)
      thread.join();
    std::vector<std::string> result;
    for (std::vector<std::string> &part : verdicts)
      result.insert(result.end(), part.begin(), part.end());
    return result;
  }

  /// 32 lanes of 16 bytes.
  template <typename Warp>
  std::optional<Conflict> access(Warp &warp, AccessKind kind, uint64_t offset,
                                 MemoryOrder order = MemoryOrder::Weak) {
    uint64_t offsets[kNumLanes];
    for (uint32_t lane = 0; lane < kNumLanes; ++lane)
      offsets[lane] = offset + lane * 16;
    AccessEvent event;
    event.offsets = offsets;
    event.lanes = kAllLanes;
    event.bytesPerLane = 16;
    event.kind = kind;
    event.order = order;
    return global.access(warp, event);
  }

  LaunchOrdering launch;
  Shadow global{Shadow::Space::Global, 1 << 20};
};

TEST_F(ThreadTest, DisjointWritesAndSharedReads) {
  auto verdicts =
      run([&](ClusterOrdering &cluster, uint32_t number, auto report) {
        for (uint32_t round = 0; round < kRounds; ++round)
          for (uint32_t w = 0; w < 2; ++w) {
            WarpOrder &warp = cluster.getWarp(w);
            // Between pages: every page is shared by several clusters.
            uint64_t part = number * 2 + w;
            report(access(warp, AccessKind::Write, part * 512));
            report(access(warp, AccessKind::Read, 1 << 19 | (round * 512)));
          }
      });
  EXPECT_TRUE(verdicts.empty());
}

TEST_F(ThreadTest, EveryConflictIsFound) {
  for (uint32_t repeat = 0; repeat < 20; ++repeat) {
    global.reset();
    auto verdicts =
        run([&](ClusterOrdering &cluster, uint32_t number, auto report) {
          report(access(cluster.getWarp(0),
                        number ? AccessKind::Read : AccessKind::Write, 2048));
        });
    // One writer, all others readers. If the write comes first, each reader
    // finds it; a write that comes later finds them all, in one verdict.
    ASSERT_FALSE(verdicts.empty());
    for (const std::string &verdict : verdicts)
      EXPECT_EQ(verdict, "R4 Race");
  }
}

TEST_F(ThreadTest, TicketOrdersAfterAllEarlierOnes) {
  // The counter and who drew which number; changed under the lock only.
  struct Draw {
    std::vector<uint32_t> *tickets;
    uint32_t cluster;
    uint32_t ticket;
  };
  std::vector<uint32_t> tickets;
  tickets.reserve(kThreads * kClustersPerThread);
  auto verdicts =
      run([&](ClusterOrdering &cluster, uint32_t number, auto report) {
        Draw draw{&tickets, number, 0};
        uint64_t offsets[kNumLanes] = {8192};
        AccessEvent event;
        event.offsets = offsets;
        event.lanes = 1;
        event.bytesPerLane = 4;
        event.kind = AccessKind::Atomic;
        event.order = MemoryOrder::AcquireRelease;
        event.scope = Scope::Gpu;
        event.effect = {[](void *context, uint32_t) {
                          Draw &draw = *static_cast<Draw *>(context);
                          draw.ticket = draw.tickets->size();
                          draw.tickets->push_back(draw.cluster);
                        },
                        &draw};
        WarpOrder &warp = cluster.getWarp(0);
        report(access(warp, AccessKind::Write, 16384 + number * 512));
        report(global.access(warp, event));
        for (uint32_t t = 0; t < draw.ticket; ++t)
          report(access(warp, AccessKind::Read, 16384 + tickets[t] * 512));
      });
  EXPECT_EQ(tickets.size(), kThreads * kClustersPerThread);
  EXPECT_TRUE(verdicts.empty());
}

} // namespace
