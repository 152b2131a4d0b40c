//===- RaceTest.cpp - R4: overlapping bytes, an edge or none --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include <random>

using namespace nvfp4::ptx::ordering;

namespace {

using RaceTest = Trace;
constexpr AccessKind kRead = AccessKind::Read, kWrite = AccessKind::Write;

TEST_F(RaceTest, BarrierOrdersAllPairs) {
  for (AccessKind first : {kRead, kWrite})
    for (AccessKind second : {kRead, kWrite})
      for (bool ordered : {false, true}) {
        ASSERT_TRUE(clusterA.begin(0).ok());
        access(shared(), warp(0), first, 64, 4);
        if (ordered)
          barrier();
        bool races = !ordered && (first == kWrite || second == kWrite);
        EXPECT_EQ(access(shared(), warp(1), second, 64, 4),
                  races ? "R4 Race" : "");
      }
}

TEST_F(RaceTest, ConflictNamesBothSides) {
  write(shared(), warp(2), 64, kWeak, /*lane=*/5);
  uint64_t offsets[kNumLanes] = {};
  offsets[9] = 64;
  AccessEvent event;
  event.offsets = offsets;
  event.lanes = 1u << 9;
  event.bytesPerLane = 4;
  std::optional<Conflict> conflict = shared().access(warp(1), event);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->offset, 64u);
  EXPECT_EQ(conflict->lane, 9u);
  EXPECT_EQ(conflict->other.cluster, 0u);
  EXPECT_EQ(conflict->other.component, 2u);
  EXPECT_EQ(conflict->other.lane, 5u);
  EXPECT_EQ(conflict->other.instruction, 7u);
  EXPECT_TRUE(conflict->other.write);
  EXPECT_FALSE(conflict->other.async);
}

TEST_F(RaceTest, ConflictNamesTheLaneInsideACoalescedAccess) {
  for (uint32_t bytes : {1, 2, 4, 8, 16}) {
    ASSERT_TRUE(clusterA.begin(0).ok());
    all(shared(), warp(0), kWrite, 256, bytes, bytes);
    uint64_t offsets[kNumLanes] = {};
    offsets[1] = 256 + 13 * bytes;
    AccessEvent event;
    event.offsets = offsets;
    event.lanes = 2;
    event.bytesPerLane = bytes;
    std::optional<Conflict> conflict = shared().access(warp(1), event);
    ASSERT_TRUE(conflict);
    EXPECT_EQ(conflict->other.lane, 13u) << bytes;
    EXPECT_EQ(conflict->lane, 1u);
  }
}

TEST_F(RaceTest, BarrierOfOthersOrdersNothing) {
  write(shared(), warp(0), 64);
  barrier(1, 4);
  EXPECT_EQ(read(shared(), warp(1), 64), "R4 Race");
}

TEST_F(RaceTest, AccessAfterTheArrivalIsNotCovered) {
  SyncClock clock = clusterA.makeSyncClock();
  clock.release(warp(0));
  write(shared(), warp(0), 64);
  clock.acquire(warp(1));
  EXPECT_EQ(read(shared(), warp(1), 64), "R4 Race");
}

TEST_F(RaceTest, EdgesAreTransitive) {
  write(shared(), warp(0), 64);
  barrier(0, 2);
  barrier(1, 3);
  EXPECT_EQ(write(shared(), warp(2), 64), "");
  EXPECT_EQ(read(shared(), warp(0), 64), "R4 Race");
}

TEST_F(RaceTest, WriteAfterManyReaders) {
  // Whichever reader was not waited for, the write finds it.
  for (uint32_t missing = 1; missing < 4; ++missing) {
    ASSERT_TRUE(clusterA.begin(0).ok());
    write(shared(), warp(0), 64);
    barrier();
    for (uint32_t w = 1; w < 4; ++w)
      EXPECT_EQ(read(shared(), warp(w), 64), "");
    SyncClock clock = clusterA.makeSyncClock();
    for (uint32_t w = 1; w < 4; ++w)
      if (w != missing)
        clock.release(warp(w));
    clock.acquire(warp(0));
    EXPECT_EQ(write(shared(), warp(0), 64), "R4 Race") << missing;
  }
  ASSERT_TRUE(clusterA.begin(0).ok());
  for (uint32_t w = 0; w < 4; ++w)
    EXPECT_EQ(read(shared(), warp(w), 64), "");
  barrier();
  EXPECT_EQ(write(shared(), warp(0), 64), "");
}

TEST_F(RaceTest, ReadersMayComeInAnyOrderAndAgain) {
  for (uint32_t round = 0; round < 3; ++round) {
    for (uint32_t w = 0; w < 4; ++w)
      EXPECT_EQ(all(shared(), warp((w + round) % 4), kRead, 0, 16, 16), "");
    for (uint32_t w = 0; w < 4; ++w)
      EXPECT_EQ(all(shared(), warp(w), kRead, 128, 4, 4), "");
    barrier();
    EXPECT_EQ(all(shared(), warp(round), kWrite, 0, 16, 16), "");
    barrier();
  }
}

TEST_F(RaceTest, NeighbouringBytesDoNotRace) {
  for (uint32_t bytes : {1, 2, 4, 8, 16}) {
    ASSERT_TRUE(clusterA.begin(0).ok());
    for (uint32_t i = 0; i < 64; ++i)
      EXPECT_EQ(access(shared(), warp(i % 4), kWrite, i * bytes, bytes), "");
    for (uint32_t i = 0; i < 64; ++i)
      EXPECT_EQ(access(shared(), warp((i + 1) % 4), kRead, i * bytes, bytes),
                "R4 Race");
  }
}

TEST_F(RaceTest, PartsOfAWiderAccessRace) {
  for (uint32_t wide : {2, 4, 8, 16})
    for (uint32_t narrow = 1; narrow < wide; narrow *= 2)
      for (uint32_t at = 0; at < 32; at += narrow) {
        ASSERT_TRUE(clusterA.begin(0).ok());
        uint32_t offset = 16 - 16 % wide;
        access(shared(), warp(0), kWrite, offset, wide);
        bool inside = at >= offset && at < offset + wide;
        EXPECT_EQ(access(shared(), warp(1), kWrite, at, narrow),
                  inside ? "R4 Race" : "");
        ASSERT_TRUE(clusterA.begin(0).ok());
        access(shared(), warp(0), kWrite, at, narrow);
        EXPECT_EQ(access(shared(), warp(1), kRead, offset, wide),
                  inside ? "R4 Race" : "");
      }
}

TEST_F(RaceTest, WideWriteJoinsBrokenCells) {
  for (uint32_t i = 0; i < 16; ++i)
    access(shared(), warp(i % 4), kWrite, i, 1);
  barrier();
  EXPECT_EQ(access(shared(), warp(3), kWrite, 0, 16), "");
  barrier(2, 4);
  EXPECT_EQ(access(shared(), warp(2), kRead, 5, 1), "");
  EXPECT_EQ(access(shared(), warp(1), kRead, 6, 1), "R4 Race");
}

TEST_F(RaceTest, StrongAccessesDoNotRaceAmongThemselves) {
  for (AccessKind first : {kRead, kWrite, AccessKind::Atomic})
    for (AccessKind second : {kRead, kWrite, AccessKind::Reduction})
      for (bool firstStrong : {false, true})
        for (bool secondStrong : {false, true}) {
          ASSERT_TRUE(clusterA.begin(0).ok());
          access(shared(), warp(0), first, 64, 4,
                 firstStrong ? kRelaxed : kWeak);
          bool races = (first != kRead || second != kRead) &&
                       !(firstStrong && secondStrong);
          EXPECT_EQ(access(shared(), warp(1), second, 64, 4,
                           secondStrong ? kRelaxed : kWeak),
                    races ? "R4 Race" : "");
        }
}

TEST_F(RaceTest, AtomicDoesNotHideTheWeakStoreBeforeIt) {
  // Warp 0 clears a counter and goes on without a barrier.
  write(shared(), warp(0), 64);
  EXPECT_EQ(atomic(shared(), warp(0), 64), "");
  EXPECT_EQ(atomic(shared(), warp(1), 64), "R4 Race");
}

TEST_F(RaceTest, AtomicDoesNotHideTheOneBeforeIt) {
  atomic(shared(), warp(0), 64);
  atomic(shared(), warp(1), 64);
  barrier(1, 3);
  EXPECT_EQ(read(shared(), warp(2), 64), "R4 Race");
  ASSERT_TRUE(clusterA.begin(0).ok());
  for (uint32_t w = 0; w < 4; ++w)
    EXPECT_EQ(atomic(shared(), warp(w), 64), "");
  barrier();
  EXPECT_EQ(read(shared(), warp(2), 64), "");
}

TEST_F(RaceTest, StrongReadDoesNotHideTheWeakOneBeforeIt) {
  read(shared(), warp(0), 64);
  read(shared(), warp(0), 64, kRelaxed);
  EXPECT_EQ(write(shared(), warp(1), 64, kRelaxed), "R4 Race");
}

TEST_F(RaceTest, StrongWriteKeepsUnorderedReaders) {
  read(shared(), warp(0), 64, kRelaxed);
  EXPECT_EQ(write(shared(), warp(1), 64, kRelaxed), "");
  barrier(1, 3);
  EXPECT_EQ(write(shared(), warp(2), 64), "R4 Race");
}

TEST_F(RaceTest, EqualBytesAreAWarning) {
  uint8_t memory[128] = {}, values[128] = {};
  memory[64] = values[0] = 42;
  auto store = [&](uint32_t w) {
    return access(shared(), warp(w), kWrite, 64, 4, kWeak, 0, memory, values);
  };
  EXPECT_EQ(store(0), "");
  EXPECT_EQ(store(1), "R4 EqualWrites");
  values[3] = 1;
  EXPECT_EQ(store(2), "R4 Race");
}

TEST_F(RaceTest, EqualBytesOfAReadAreARace) {
  uint8_t memory[128] = {}, values[128] = {};
  read(shared(), warp(0), 64);
  EXPECT_EQ(access(shared(), warp(1), kWrite, 64, 4, kWeak, 0, memory, values),
            "R4 Race");
}

TEST_F(RaceTest, LanesOfOneWarp) {
  write(shared(), warp(0), 64, kWeak, 0);
  EXPECT_EQ(read(shared(), warp(0), 64, kWeak, 0), "");
  EXPECT_EQ(read(shared(), warp(0), 64, kWeak, 1), "R4 IntraWarp");
  EXPECT_EQ(write(shared(), warp(0), 64, kWeak, 2), "R4 IntraWarp");
  warp(0).syncLanes(kAllLanes);
  EXPECT_EQ(read(shared(), warp(0), 64, kWeak, 3), "");
  EXPECT_EQ(write(shared(), warp(0), 64, kWeak, 4), "R4 IntraWarp");
  // Lanes 5 and 6 only.
  write(shared(), warp(0), 128, kWeak, 5);
  warp(0).syncLanes(1u << 5 | 1u << 6);
  EXPECT_EQ(read(shared(), warp(0), 128, kWeak, 6), "");
  EXPECT_EQ(read(shared(), warp(0), 128, kWeak, 7), "R4 IntraWarp");
}

TEST_F(RaceTest, LanesOfOneWarpThroughABarrier) {
  write(shared(), warp(0), 64, kWeak, 0);
  barrier();
  EXPECT_EQ(read(shared(), warp(0), 64, kWeak, 1), "");
}

TEST_F(RaceTest, LanesOfOneCoalescedAccess) {
  for (uint32_t bytes : {1, 2, 4, 8, 16}) {
    ASSERT_TRUE(clusterA.begin(0).ok());
    EXPECT_EQ(all(shared(), warp(0), kWrite, 512, bytes, bytes), "");
    EXPECT_EQ(all(shared(), warp(0), kRead, 512, bytes, bytes), "");
    EXPECT_EQ(all(shared(), warp(0), kWrite, 512, bytes, bytes), "");
    // Every lane reads its neighbour's.
    EXPECT_EQ(
        all(shared(), warp(0), kRead, 512 + bytes, bytes, bytes, 0x7fffffff),
        "R4 IntraWarp");
  }
}

TEST_F(RaceTest, LanesOfOneStore) {
  EXPECT_EQ(all(shared(), warp(0), kWrite, 64, 4, 0), "R4 IntraWarp");
  EXPECT_EQ(all(shared(), warp(1), AccessKind::Atomic, 128, 4, 0, kAllLanes,
                kRelaxed),
            "");
  // Not neighbours: lanes 0 and 16 meet.
  uint64_t offsets[kNumLanes];
  for (uint32_t lane = 0; lane < kNumLanes; ++lane)
    offsets[lane] = 1024 + lane % 16 * 4;
  AccessEvent event;
  event.offsets = offsets;
  event.lanes = kAllLanes;
  event.bytesPerLane = 4;
  event.kind = kWrite;
  EXPECT_EQ(show(shared().access(warp(0), event)), "R4 IntraWarp");
}

TEST_F(RaceTest, BroadcastReadThenWriteByOneLane) {
  EXPECT_EQ(all(shared(), warp(0), kRead, 64, 4, 0), "");
  EXPECT_EQ(write(shared(), warp(0), 64, kWeak, 3), "R4 IntraWarp");
  EXPECT_EQ(all(shared(), warp(0), kRead, 128, 4, 0), "");
  warp(0).syncLanes(kAllLanes);
  EXPECT_EQ(write(shared(), warp(0), 128, kWeak, 3), "");
}

TEST_F(RaceTest, ErrorsComeBeforeWarnings) {
  write(shared(), warp(0), 0, kWeak, 5);
  write(shared(), warp(1), 4);
  EXPECT_EQ(all(shared(), warp(0), kRead, 0, 4, 4), "R4 Race");
  EXPECT_EQ(read(shared(), warp(0), 0, kWeak, 6), "R4 IntraWarp");
}

TEST_F(RaceTest, BeforeTheLaunchIsFree) {
  EXPECT_EQ(all(global, warp(0), kRead, 0, 16, 16), "");
  EXPECT_EQ(all(global, foreign(0), kRead, 0, 16, 16), "");
  EXPECT_EQ(all(global, foreign(0), kWrite, 0, 16, 16), "R4 Race");
  global.reset();
  EXPECT_EQ(all(global, foreign(1), kWrite, 0, 16, 16), "");
}

TEST_F(RaceTest, AnyRunAndMask) {
  // Eight words of warp 1, then a read with any base, width, stride and mask.
  std::mt19937 random(1);
  auto draw = [&](uint32_t below) { return uint32_t(random()) % below; };
  for (uint32_t round = 0; round < 1000; ++round) {
    ASSERT_TRUE(clusterA.begin(round).ok());
    uint32_t bytes = 1u << draw(5), base = draw(64) * bytes;
    uint64_t stride = draw(3) * bytes;
    uint32_t lanes = draw(2) ? kAllLanes : uint32_t(random()) | 1;
    bool overlaps = false;
    for (uint32_t i = 0; i < 8; ++i) {
      uint32_t word = draw(512) * 4;
      write(shared(), warp(1), word);
      for (uint32_t lane = 0; lane < kNumLanes; ++lane) {
        uint64_t begin = base + lane * stride;
        if (lanes >> lane & 1)
          overlaps |= begin < word + 4 && word < begin + bytes;
      }
    }
    EXPECT_EQ(all(shared(), warp(0), kRead, base, bytes, stride, lanes),
              overlaps ? "R4 Race" : "")
        << round;
  }
}

} // namespace
