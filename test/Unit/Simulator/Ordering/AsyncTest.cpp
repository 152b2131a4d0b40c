//===- AsyncTest.cpp - R6, R7: in flight until observed -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

using namespace nvfp4::ptx::ordering;

namespace {

using AsyncTest = Trace;
constexpr AccessKind kRead = AccessKind::Read, kWrite = AccessKind::Write;

TEST_F(AsyncTest, CpAsyncIsInFlightUntilTheWait) {
  uint32_t copies = clusterA.addComponent(AsyncKind::CpAsync);
  all(shared(), AsyncActor(warp(0), copies, 1, false), kWrite, 0, 16, 16);
  all(shared(), AsyncActor(warp(0), copies, 2, false), kWrite, 512, 16, 16);
  EXPECT_EQ(all(shared(), warp(0), kRead, 0, 4, 4), "R6 InFlight");
  // wait_group 1 completes the first group only.
  warp(0).observe(copies, 1);
  EXPECT_EQ(all(shared(), warp(0), kRead, 0, 4, 4), "");
  EXPECT_EQ(all(shared(), warp(0), kRead, 512, 4, 4), "R6 InFlight");
  // Others need an edge after the wait.
  EXPECT_EQ(all(shared(), warp(1), kRead, 0, 4, 4), "R6 InFlight");
  barrier();
  EXPECT_EQ(all(shared(), warp(1), kRead, 0, 4, 4), "");
  EXPECT_EQ(all(shared(), warp(1), kRead, 512, 4, 4), "R6 InFlight");
}

TEST_F(AsyncTest, BarrierWithoutTheWaitObservesNothing) {
  uint32_t copies = clusterA.addComponent(AsyncKind::CpAsync);
  all(shared(), AsyncActor(warp(0), copies, 1, false), kWrite, 0, 16, 16);
  barrier();
  EXPECT_EQ(all(shared(), warp(1), kRead, 0, 4, 4), "R6 InFlight");
  EXPECT_EQ(all(shared(), warp(1), kWrite, 0, 4, 4), "R6 InFlight");
}

TEST_F(AsyncTest, CpAsyncThroughAnMbarrier) {
  uint32_t copies = clusterA.addComponent(AsyncKind::CpAsync);
  all(shared(), AsyncActor(warp(0), copies, 1, false), kWrite, 0, 16, 16);
  SyncClock phase = clusterA.makeSyncClock();
  phase.include(copies, 1);
  phase.acquire(warp(1));
  EXPECT_EQ(all(shared(), warp(1), kRead, 0, 4, 4), "");
  EXPECT_EQ(all(shared(), warp(0), kRead, 0, 4, 4), "R6 InFlight");
}

TEST_F(AsyncTest, SourceOfCpAsyncIsRead) {
  uint32_t copies = clusterA.addComponent(AsyncKind::CpAsync);
  AsyncActor copy(warp(0), copies, 1, false);
  EXPECT_EQ(all(global, copy, kRead, 0, 16, 16), "");
  EXPECT_EQ(write(global, warp(0), 64), "R6 InFlight");
  global.reset();
  write(global, warp(1), 64);
  EXPECT_EQ(all(global, copy, kRead, 0, 16, 16), "R4 Race");
}

TEST_F(AsyncTest, IssueIsAnEdge) {
  uint32_t copies = clusterA.addComponent(AsyncKind::CpAsync);
  write(shared(), warp(0), 64);
  EXPECT_EQ(
      all(shared(), AsyncActor(warp(0), copies, 1, false), kWrite, 0, 16, 16),
      "");
  // But what the issuer does later is not before the operation.
  EXPECT_EQ(write(shared(), warp(0), 64), "R6 InFlight");
}

TEST_F(AsyncTest, BulkLoadCompletesAPhase) {
  uint32_t barrierClock = clusterA.addComponent(AsyncKind::Bulk);
  AsyncOp op = clusterA.beginOp(AsyncKind::Bulk);
  EXPECT_EQ(range(shared(), AsyncActor(warp(0), op, true), kWrite, 1024, 4096),
            "");
  EXPECT_EQ(read(shared(), warp(1), 2048), "R7 InFlight");
  clusterA.completeOp(op, barrierClock, 3);
  // Completed, but not observed.
  EXPECT_EQ(read(shared(), warp(1), 2048), "R7 InFlight");
  SyncClock phase = clusterA.makeSyncClock();
  phase.include(barrierClock, 2);
  phase.acquire(warp(1));
  EXPECT_EQ(read(shared(), warp(1), 2048), "R7 InFlight");
  phase.include(barrierClock, 3);
  phase.acquire(warp(1));
  EXPECT_EQ(read(shared(), warp(1), 2048), "");
  EXPECT_EQ(read(shared(), warp(1), 5116), "");
  EXPECT_EQ(read(shared(), warp(2), 2048), "R7 InFlight");
}

TEST_F(AsyncTest, BulkLoadOverUnreleasedReaders) {
  AsyncOp op = clusterA.beginOp(AsyncKind::Bulk);
  read(shared(), warp(1), 64);
  EXPECT_EQ(range(shared(), AsyncActor(warp(0), op, true), kWrite, 0, 128),
            "R4 Race");
  ASSERT_TRUE(clusterA.begin(0).ok());
  op = clusterA.beginOp(AsyncKind::Bulk);
  read(shared(), warp(1), 64);
  // The consumer's arrival frees the stage.
  SyncClock empty = clusterA.makeSyncClock();
  empty.release(warp(1));
  empty.acquire(warp(0));
  EXPECT_EQ(range(shared(), AsyncActor(warp(0), op, true), kWrite, 0, 128), "");
}

TEST_F(AsyncTest, BulkStoreFreesTheSourceBeforeTheResult) {
  uint32_t sources = clusterA.addComponent(AsyncKind::Bulk);
  uint32_t results = clusterA.addComponent(AsyncKind::Bulk);
  range(shared(), AsyncActor(warp(0), sources, 1, true), kRead, 0, 1024);
  range(global, AsyncActor(warp(0), results, 1, true), kWrite, 0, 1024);
  EXPECT_EQ(write(shared(), warp(0), 64), "R7 InFlight");
  EXPECT_EQ(read(shared(), warp(0), 128), "");
  warp(0).observe(sources, 1); // wait_group.read
  EXPECT_EQ(write(shared(), warp(0), 256), "");
  EXPECT_EQ(read(global, warp(0), 64), "R7 InFlight");
  warp(0).observe(results, 1); // wait_group
  EXPECT_EQ(read(global, warp(0), 128), "");
}

TEST_F(AsyncTest, BulkStoresToTheSameBytes) {
  uint32_t results = clusterA.addComponent(AsyncKind::Bulk);
  range(global, AsyncActor(warp(0), results, 1, true), kWrite, 0, 1024);
  EXPECT_EQ(
      range(global, AsyncActor(warp(0), results, 2, true), kWrite, 512, 1024),
      "R7 InFlight");
}

TEST_F(AsyncTest, BulkReductionsToTheSameBytes) {
  uint32_t results = clusterA.addComponent(AsyncKind::Bulk);
  uint32_t others = clusterB.addComponent(AsyncKind::Bulk);
  range(global, AsyncActor(warp(0), results, 1, true), AccessKind::Reduction, 0,
        1024, kRelaxed);
  EXPECT_EQ(range(global, AsyncActor(foreign(0), others, 1, true),
                  AccessKind::Reduction, 512, 1024, kRelaxed),
            "");
  EXPECT_EQ(atomic(global, foreign(1), 512), "");
  EXPECT_EQ(read(global, foreign(1), 512), "R7 InFlight");
}

TEST_F(AsyncTest, ResultOfABulkStoreReachesAnotherCluster) {
  uint32_t results = clusterA.addComponent(AsyncKind::Bulk);
  for (bool waits : {false, true}) {
    global.reset();
    uint32_t clock = waits ? 2 : 1;
    range(global, AsyncActor(warp(0), results, clock, true), kWrite, 0, 1024);
    if (waits)
      warp(0).observe(results, clock);
    write(global, warp(0), 4096, kRelease);
    EXPECT_EQ(read(global, foreign(0), 4096, kAcquire), "");
    EXPECT_EQ(read(global, foreign(0), 64), waits ? "" : "R7 InFlight");
  }
}

TEST_F(AsyncTest, SourceOfALoadIsResolvedInAnotherCluster) {
  uint32_t barrierClock = clusterA.addComponent(AsyncKind::Bulk);
  AsyncOp op = clusterA.beginOp(AsyncKind::Bulk);
  range(global, AsyncActor(warp(0), op, true), kRead, 0, 1024);
  clusterA.completeOp(op, barrierClock, 1);
  write(global, warp(1), 4096, kRelease);
  read(global, foreign(0), 4096, kAcquire);
  EXPECT_EQ(write(global, foreign(0), 64), "R7 InFlight");
  warp(1).observe(barrierClock, 1);
  write(global, warp(1), 4096, kRelease);
  read(global, foreign(0), 4096, kAcquire);
  EXPECT_EQ(write(global, foreign(0), 128), "");
}

TEST_F(AsyncTest, KindsNameTheirRule) {
  const std::pair<AsyncKind, const char *> rules[] = {
      {AsyncKind::CpAsync, "R6 InFlight"},
      {AsyncKind::Bulk, "R7 InFlight"},
      {AsyncKind::Wgmma, "R10 InFlight"},
      {AsyncKind::Tcgen05, "R9 InFlight"}};
  uint64_t offset = 0;
  for (auto [kind, verdict] : rules) {
    uint32_t component = clusterA.addComponent(kind);
    range(shared(), AsyncActor(warp(0), component, 1, true), kRead, offset, 64);
    EXPECT_EQ(write(shared(), warp(0), offset), verdict);
    range(shared(), AsyncActor(warp(0), clusterA.beginOp(kind), true), kRead,
          offset + 64, 64);
    EXPECT_EQ(write(shared(), warp(0), offset + 64), verdict);
    offset += 128;
  }
}

TEST_F(AsyncTest, TooManyComponentsAreALimit) {
  EXPECT_EQ(clusterA.getLimit(), nullptr);
  while (clusterA.addComponent(AsyncKind::Bulk) < kMaxComponents)
    ASSERT_EQ(clusterA.getLimit(), nullptr);
  EXPECT_NE(clusterA.getLimit(), nullptr);
  EXPECT_FALSE(clusterB.begin(kMaxClusters).ok());
}

TEST_F(AsyncTest, TooManyEpochsAreALimit) {
  SyncClock clock = clusterA.makeSyncClock();
  for (uint32_t i = 0; i < kMaxClock && !clusterA.getLimit(); ++i) {
    warp(0).useEpoch();
    clock.release(warp(0));
  }
  EXPECT_NE(clusterA.getLimit(), nullptr);
}

} // namespace
