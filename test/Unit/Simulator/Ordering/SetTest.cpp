//===- SetTest.cpp - Interned sets, their collection and their bounds -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

using namespace nvfp4::ptx::ordering;

namespace {

using SetTest = Trace;
constexpr AccessKind kRead = AccessKind::Read, kWrite = AccessKind::Write;

TEST_F(SetTest, EqualSetsHaveOneNumber) {
  AccessSets sets(1 << 20, false);
  auto member = [](uint32_t component) {
    return SetMember{Record::access(0, component, 1), component};
  };
  SetMembers ab = {member(1), member(2)}, ba = {member(2), member(1)};
  SetMembers abc = {member(3), member(1), member(2)};
  std::optional<uint64_t> first = sets.intern(ab);
  ASSERT_TRUE(first);
  EXPECT_EQ(sets.intern(ba), first);
  EXPECT_NE(sets.intern(abc), first);
  EXPECT_EQ(sets.get(*first).count, 2u);
  EXPECT_EQ(sets.get(*first).begin()[1], member(2));
}

TEST_F(SetTest, ManySetsStayApart) {
  AccessSets sets(size_t(1) << 30, false);
  for (uint32_t i = 1; i < 20000; ++i) {
    SetMembers members = {{Record::access(0, 1, i), 0},
                          {Record::access(0, 2, i / 2 + 1), i}};
    EXPECT_EQ(sets.intern(members), i - 1);
  }
  for (uint32_t i = 1; i < 20000; i += 77) {
    SetMembers members = {{Record::access(0, 1, i), 0},
                          {Record::access(0, 2, i / 2 + 1), i}};
    EXPECT_EQ(sets.intern(members), i - 1);
  }
}

TEST_F(SetTest, FullStorageRefuses) {
  AccessSets sets(100000, false);
  uint32_t i = 0;
  for (std::optional<uint64_t> id = 0; id; ++i) {
    ASSERT_LT(i, 100000u);
    SetMembers members = {{Record::access(0, 1, i + 1), 0},
                          {Record::access(0, 2, 1), 0}};
    id = sets.intern(members);
  }
  EXPECT_LT(sets.getBytes(), 400000u);
}

TEST_F(SetTest, CollectionKeepsWhatCellsName) {
  // Warp 1 alone is not waited for, in every size of cell.
  auto readAll = [&](uint32_t w) {
    all(shared(), warp(w), kRead, 0, 16, 16);
    all(shared(), warp(w), kRead, 1024, 4, 8);
    all(shared(), warp(w), kRead, 2048, 1, 2);
  };
  for (uint32_t w = 0; w < 4; ++w)
    readAll(w);
  clusterA.collectSets();
  readAll(2);
  SyncClock clock = clusterA.makeSyncClock();
  clock.release(warp(2));
  clock.release(warp(3));
  clock.acquire(warp(0));
  warp(0).syncLanes(kAllLanes);
  for (uint64_t offset : {0, 16, 1032, 2050})
    EXPECT_EQ(access(shared(), warp(0), kWrite, offset, 1), "R4 Race")
        << offset;
  clock.release(warp(1));
  clock.acquire(warp(0));
  for (uint64_t offset : {32, 1040, 2052})
    EXPECT_EQ(access(shared(), warp(0), kWrite, offset, 1), "") << offset;
}

TEST_F(SetTest, LongKernelIsCollected) {
  for (uint32_t round = 0; round < 20000; ++round) {
    for (uint32_t part = 0; part < 4; ++part)
      for (uint32_t w = 0; w < 4; ++w)
        ASSERT_EQ(
            all(shared(), warp((w + part) % 4), kRead, part * 512, 16, 16), "");
    barrier();
    ASSERT_EQ(range(shared(), warp(round % 4), kWrite, 0, 2048), "");
    barrier();
  }
  EXPECT_LT(clusterA.getSets().getBytes(), size_t(20) << 20);
}

TEST_F(SetTest, ReadersOfManyClustersAreBounded) {
  for (uint32_t cluster = 2; cluster < 300; ++cluster) {
    ASSERT_TRUE(clusterA.begin(cluster).ok());
    for (uint32_t w = 0; w < 4; ++w)
      EXPECT_EQ(all(global, warp(w), kRead, 0, 16, 16), "");
  }
  EXPECT_LT(launch.sets.getBytes(), size_t(2) << 20);
  EXPECT_EQ(write(global, foreign(0), 64), "R4 Race");
}

TEST_F(SetTest, CounterOfManyClustersIsBounded) {
  for (uint32_t cluster = 2; cluster < 300; ++cluster) {
    ASSERT_TRUE(clusterA.begin(cluster).ok());
    for (uint32_t w = 0; w < 4; ++w)
      EXPECT_EQ(atomic(global, warp(w), 64), "");
  }
  EXPECT_LT(launch.sets.getBytes(), size_t(2) << 20);
  EXPECT_EQ(read(global, foreign(0), 64), "R4 Race");
}

TEST_F(SetTest, WithoutRoomTheLatestAccessCounts) {
  LaunchOrdering small(0);
  ClusterOrdering cluster(small, getShape());
  Shadow buffer(Shadow::Space::Global, 4096);
  ASSERT_TRUE(cluster.begin(0).ok());
  EXPECT_EQ(read(buffer, cluster.getWarp(0), 64), "");
  EXPECT_EQ(read(buffer, cluster.getWarp(1), 64), "");
  EXPECT_EQ(write(buffer, cluster.getWarp(2), 64), "R4 Race");
}

TEST_F(SetTest, ShadowIsMadeOnDemand) {
  Shadow large(Shadow::Space::Global, uint64_t(1) << 33);
  EXPECT_EQ(large.getBytes(), 0u);
  uint64_t far = (uint64_t(1) << 33) - 512;
  EXPECT_EQ(all(large, warp(0), kWrite, far, 16, 16), "");
  EXPECT_EQ(all(large, foreign(0), kRead, far, 16, 16), "R4 Race");
  EXPECT_EQ(all(large, foreign(0), kRead, far & 0xffffffff, 16, 16), "");
  EXPECT_LT(large.getBytes(), 20000u);
}

} // namespace
