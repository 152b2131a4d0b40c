//===- SyncTest.cpp - R2, R3: release and acquire through memory ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Message passing in every form: data at 0, the flag at 4096 of global memory.
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

using namespace nvfp4::ptx::ordering;

namespace {

constexpr Strong kCta{MemoryOrder::Release, Scope::Cta};

class SyncTest : public Trace {
protected:
  static constexpr uint64_t kFlag = 4096;

  std::string setFlag(WarpOrder &warp, Strong strong) {
    return write(global, warp, kFlag, strong);
  }
  std::string getFlag(WarpOrder &warp, Strong strong) {
    return read(global, warp, kFlag, strong);
  }
  static void fence(WarpOrder &warp, FenceKind kind = FenceKind::AcquireRelease,
                    Scope scope = Scope::Gpu) {
    EXPECT_FALSE(warp.fence(kind, scope, 0));
  }
};

TEST_F(SyncTest, ReleaseAndAcquire) {
  // Within a CTA, a cluster, across clusters.
  for (WarpOrder *reader : {&warp(1), &warp(2), &foreign(0)}) {
    global.reset();
    write(global, warp(0), 0);
    EXPECT_EQ(setFlag(warp(0), kRelease), "");
    EXPECT_EQ(getFlag(*reader, kAcquire), "");
    EXPECT_EQ(read(global, *reader, 0), "");
    EXPECT_EQ(write(global, *reader, 0), "");
    EXPECT_EQ(write(global, warp(0), 0), "R4 Race");
  }
}

TEST_F(SyncTest, EitherSideRelaxedIsNoEdge) {
  write(global, warp(0), 0);
  setFlag(warp(0), kRelaxed);
  getFlag(foreign(0), kAcquire);
  EXPECT_EQ(read(global, foreign(0), 0), "R4 Race");
  global.reset();
  write(global, warp(1), 0);
  setFlag(warp(1), kRelease);
  getFlag(foreign(1), kRelaxed);
  EXPECT_EQ(read(global, foreign(1), 0), "R4 Race");
}

TEST_F(SyncTest, StoreAfterTheReleaseIsNotCovered) {
  setFlag(warp(0), kRelease);
  write(global, warp(0), 0);
  getFlag(foreign(0), kAcquire);
  EXPECT_EQ(read(global, foreign(0), 0), "R4 Race");
}

TEST_F(SyncTest, FencesAroundRelaxedAccesses) {
  for (int missing = 0; missing < 3; ++missing) {
    ASSERT_TRUE(clusterA.begin(0).ok() && clusterB.begin(1).ok());
    global.reset();
    write(global, warp(0), 0);
    if (missing != 1)
      fence(warp(0));
    setFlag(warp(0), kRelaxed);
    getFlag(foreign(0), kRelaxed);
    if (missing != 2)
      fence(foreign(0));
    EXPECT_EQ(read(global, foreign(0), 0), missing ? "R4 Race" : "");
  }
}

TEST_F(SyncTest, FenceCoversWhatCameBeforeItOnly) {
  fence(warp(0));
  write(global, warp(0), 0);
  setFlag(warp(0), kRelaxed);
  getFlag(foreign(0), kAcquire);
  EXPECT_EQ(read(global, foreign(0), 0), "R4 Race");
}

TEST_F(SyncTest, OneSidedFences) {
  write(global, warp(0), 0);
  fence(warp(0), FenceKind::Release);
  setFlag(warp(0), kRelaxed);
  getFlag(foreign(0), kRelaxed);
  fence(foreign(0), FenceKind::Release);
  EXPECT_EQ(read(global, foreign(0), 0), "R4 Race");
  global.reset();
  write(global, warp(1), 0);
  fence(warp(1), FenceKind::Release);
  setFlag(warp(1), kRelaxed);
  getFlag(foreign(1), kRelaxed);
  fence(foreign(1), FenceKind::Acquire);
  EXPECT_EQ(read(global, foreign(1), 0), "");
}

TEST_F(SyncTest, WeakStoreEndsWhatWasPublished) {
  write(global, warp(0), 0);
  setFlag(warp(0), kRelease);
  write(global, warp(0), kFlag);
  EXPECT_EQ(getFlag(foreign(0), kAcquire), "R4 Race");
  EXPECT_EQ(read(global, foreign(0), 0), "R4 Race");
}

TEST_F(SyncTest, RelaxedStoreReplacesWhatWasPublished) {
  write(global, warp(0), 0);
  setFlag(warp(0), kRelease);
  setFlag(warp(1), kRelaxed);
  getFlag(foreign(0), kAcquire);
  EXPECT_EQ(read(global, foreign(0), 0), "R4 Race");
}

TEST_F(SyncTest, AnyReadModifyWriteContinuesTheChain) {
  for (AccessKind kind : {AccessKind::Atomic, AccessKind::Reduction}) {
    ASSERT_TRUE(clusterA.begin(0).ok() && clusterB.begin(1).ok());
    global.reset();
    write(global, warp(0), 0);
    setFlag(warp(0), kRelease);
    access(global, warp(1), kind, kFlag, 4, kRelaxed);
    getFlag(foreign(0), kAcquire);
    EXPECT_EQ(read(global, foreign(0), 0), "");
  }
}

TEST_F(SyncTest, ReductionNeverAcquires) {
  for (AccessKind kind : {AccessKind::Atomic, AccessKind::Reduction}) {
    ASSERT_TRUE(clusterA.begin(0).ok() && clusterB.begin(1).ok());
    global.reset();
    write(global, warp(0), 0);
    atomic(global, warp(0), kFlag, kRelease);
    access(global, foreign(0), kind, kFlag, 4, kAcquireRelease);
    EXPECT_EQ(read(global, foreign(0), 0),
              kind == AccessKind::Atomic ? "" : "R4 Race");
    // Nor through a fence.
    access(global, foreign(1), kind, kFlag, 4, kRelaxed);
    fence(foreign(1));
    EXPECT_EQ(read(global, foreign(1), 0),
              kind == AccessKind::Atomic ? "" : "R4 Race");
  }
}

TEST_F(SyncTest, LastBlockSeesAll) {
  // Every warp of both clusters writes its part, fences, counts; the last one
  // reads all. Without the fence before the count it does not.
  for (bool fences : {false, true}) {
    ASSERT_TRUE(clusterA.begin(0).ok() && clusterB.begin(1).ok());
    global.reset();
    for (uint32_t w = 0; w < 8; ++w) {
      WarpOrder &each = w < 4 ? warp(w) : foreign(w - 4);
      all(global, each, AccessKind::Write, w * 128, 4, 4);
      if (fences)
        fence(each);
      EXPECT_EQ(atomic(global, each, kFlag), "");
    }
    fence(foreign(3));
    foreign(3).syncLanes(kAllLanes);
    EXPECT_EQ(range(global, foreign(3), AccessKind::Read, 0, 1024),
              fences ? "" : "R4 Race");
  }
}

TEST_F(SyncTest, ChainThroughAThirdCluster) {
  ClusterOrdering clusterC(launch, getShape());
  ASSERT_TRUE(clusterC.begin(100).ok());
  write(global, warp(0), 0);
  write(global, warp(0), kFlag, kRelease);
  read(global, foreign(0), kFlag, kAcquire);
  write(global, foreign(0), 8192, kRelease);
  read(global, clusterC.getWarp(0), 8192, kAcquire);
  EXPECT_EQ(write(global, clusterC.getWarp(0), 0), "");
  EXPECT_EQ(read(global, clusterC.getWarp(1), 0), "R4 Race");
}

TEST_F(SyncTest, BackToTheClusterItCameFrom) {
  // Warp 0 knows what warp 1 did because another cluster passes it on.
  write(shared(), warp(1), 64);
  write(global, warp(1), kFlag, kRelease);
  read(global, foreign(0), kFlag, kAcquire);
  write(global, foreign(0), 8192, kRelease);
  read(global, warp(0), 8192, kAcquire);
  EXPECT_EQ(read(shared(), warp(0), 64), "");
  EXPECT_EQ(read(shared(), warp(2), 64), "R4 Race");
}

TEST_F(SyncTest, SharedMemoryVariables) {
  write(shared(), warp(0), 0);
  write(shared(), warp(0), 512, kRelease);
  read(shared(), warp(3), 512, kAcquire);
  EXPECT_EQ(write(shared(), warp(3), 0), "");
  EXPECT_EQ(write(shared(), warp(2), 0), "R4 Race");
}

TEST_F(SyncTest, ScFencesOrderInTheirOrder) {
  write(global, warp(0), 0);
  fence(warp(0), FenceKind::Sc);
  fence(foreign(0), FenceKind::Sc);
  EXPECT_EQ(read(global, foreign(0), 0), "");
  EXPECT_EQ(read(global, foreign(1), 0), "R4 Race");
}

TEST_F(SyncTest, ScFencesOfNarrowScopes) {
  auto ordered = [&](Scope first, Scope second, WarpOrder &reader) {
    global.reset();
    write(global, warp(0), 0);
    fence(warp(0), FenceKind::Sc, first);
    fence(reader, FenceKind::Sc, second);
    return read(global, reader, 0).empty();
  };
  EXPECT_TRUE(ordered(Scope::Cta, Scope::Gpu, warp(1)));
  EXPECT_TRUE(ordered(Scope::Gpu, Scope::Cta, warp(1)));
  EXPECT_TRUE(ordered(Scope::Cluster, Scope::Sys, warp(2)));
  EXPECT_FALSE(ordered(Scope::Cta, Scope::Gpu, warp(3)));
  EXPECT_FALSE(ordered(Scope::Cluster, Scope::Gpu, foreign(0)));
  EXPECT_TRUE(ordered(Scope::Gpu, Scope::Sys, foreign(1)));
}

TEST_F(SyncTest, NarrowScopeSynchronisesWithAWarning) {
  struct {
    Scope release, acquire;
    WarpOrder *reader;
    bool enough;
  } const cases[] = {
      {Scope::Cta, Scope::Cta, &warp(1), true},
      {Scope::Cta, Scope::Gpu, &warp(2), false},
      {Scope::Gpu, Scope::Cta, &warp(2), false},
      {Scope::Cluster, Scope::Cluster, &warp(2), true},
      {Scope::Cluster, Scope::Gpu, &foreign(0), false},
      {Scope::Gpu, Scope::Sys, &foreign(0), true},
  };
  for (const auto &each : cases) {
    global.reset();
    write(global, warp(0), 0);
    setFlag(warp(0), {MemoryOrder::Release, each.release});
    EXPECT_EQ(getFlag(*each.reader, {MemoryOrder::Acquire, each.acquire}),
              each.enough ? "" : "R3 ScopeTooNarrow");
    EXPECT_EQ(read(global, *each.reader, 0), "");
  }
}

TEST_F(SyncTest, NarrowFence) {
  write(global, warp(0), 0);
  fence(warp(0), FenceKind::AcquireRelease, Scope::Cta);
  setFlag(warp(0), kRelaxed);
  EXPECT_EQ(getFlag(foreign(0), kRelaxed), "");
  EXPECT_EQ(show(foreign(0).fence(FenceKind::AcquireRelease, Scope::Gpu, 0)),
            "R3 ScopeTooNarrow");
  EXPECT_EQ(read(global, foreign(0), 0), "");
}

TEST_F(SyncTest, ScopeWarningNamesBothSides) {
  setFlag(warp(3), kCta);
  uint64_t offsets[kNumLanes] = {kFlag};
  AccessEvent event;
  event.offsets = offsets;
  event.lanes = 1;
  event.bytesPerLane = 4;
  event.order = MemoryOrder::Acquire;
  event.scope = Scope::Gpu;
  std::optional<Conflict> conflict = global.access(foreign(0), event);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->offset, kFlag);
  EXPECT_EQ(conflict->other.component, 3u);
  EXPECT_EQ(conflict->other.instruction, 7u);
  EXPECT_EQ(conflict->otherScope, Scope::Cta);
  EXPECT_EQ(conflict->scope, Scope::Gpu);
}

TEST_F(SyncTest, MbarrierPhasesCarryEarlierArrivals) {
  SyncClock object = clusterA.makeSyncClock();
  write(shared(), warp(0), 64);
  object.release(warp(0));
  object.release(warp(1)); // The next phase.
  object.acquire(warp(2));
  EXPECT_EQ(read(shared(), warp(2), 64), "");
}

TEST_F(SyncTest, ClearedBarrierCarriesNothing) {
  SyncClock object = clusterA.makeSyncClock();
  write(shared(), warp(0), 64);
  object.release(warp(0));
  object.clear();
  object.release(warp(1));
  object.acquire(warp(2));
  EXPECT_EQ(read(shared(), warp(2), 64), "R4 Race");
}

TEST_F(SyncTest, EffectRunsOncePerLane) {
  uint64_t offsets[kNumLanes];
  for (uint32_t lane = 0; lane < kNumLanes; ++lane)
    offsets[lane] = lane < 8 ? 4080 + lane * 4 : lane < 16 ? 128 : lane * 512;
  uint32_t counts[kNumLanes] = {};
  AccessEvent event;
  event.offsets = offsets;
  event.lanes = 0xfffffff7;
  event.bytesPerLane = 4;
  event.kind = AccessKind::Atomic;
  event.order = MemoryOrder::Relaxed;
  event.effect = {[](void *context, uint32_t lanes) {
                    for (uint32_t lane = 0; lane < kNumLanes; ++lane)
                      static_cast<uint32_t *>(context)[lane] +=
                          lanes >> lane & 1;
                  },
                  counts};
  EXPECT_FALSE(global.access(warp(0), event));
  for (uint32_t lane = 0; lane < kNumLanes; ++lane)
    EXPECT_EQ(counts[lane], lane != 3) << lane;
}

} // namespace
