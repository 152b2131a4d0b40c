//===- ProxyTest.cpp - R5: ordinary stores and the asynchronous proxy -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

using namespace nvfp4::ptx::ordering;

namespace {

constexpr AccessKind kRead = AccessKind::Read, kWrite = AccessKind::Write;

class ProxyTest : public Trace {
protected:
  void SetUp() override {
    Trace::SetUp();
    restart();
  }
  void restart() {
    EXPECT_TRUE(clusterA.begin(0).ok());
    bulk = clusterA.addComponent(AsyncKind::Bulk);
  }
  /// An asynchronous access to bytes 0 to 1023 of shared memory, by warp `w`.
  std::string async(uint32_t w, AccessKind kind) {
    return range(shared(), AsyncActor(warp(w), bulk, ++clock, true), kind, 0,
                 1024);
  }
  void store(uint32_t w) { all(shared(), warp(w), kWrite, 128, 4, 4); }

  uint32_t bulk = 0, clock = 0;
};

TEST_F(ProxyTest, FenceOfTheWriter) {
  for (AccessKind kind : {kRead, kWrite}) {
    restart();
    store(0);
    warp(0).fenceProxy(true, false);
    barrier();
    EXPECT_EQ(async(1, kind), "");
  }
}

TEST_F(ProxyTest, FenceOfTheIssuer) {
  for (AccessKind kind : {kRead, kWrite}) {
    restart();
    store(0);
    barrier();
    warp(1).fenceProxy(true, false);
    EXPECT_EQ(async(1, kind), "");
  }
}

TEST_F(ProxyTest, FenceBetweenTwoEdges) {
  store(0);
  barrier(0, 2);
  warp(1).fenceProxy(true, false);
  barrier(1, 3);
  EXPECT_EQ(async(2, kRead), "");
}

TEST_F(ProxyTest, FenceOfTheWritersOwnStores) {
  store(0);
  EXPECT_EQ(async(0, kRead), "R5 MissingProxyFence");
  warp(0).fenceProxy(true, false);
  EXPECT_EQ(async(0, kRead), "");
}

TEST_F(ProxyTest, FenceOfAnotherForTheWritersStores) {
  // Warp 1 fences for warp 0, which issues after another barrier.
  store(0);
  barrier();
  warp(1).fenceProxy(true, false);
  EXPECT_EQ(async(0, kRead), "R5 MissingProxyFence");
  barrier();
  EXPECT_EQ(async(0, kRead), "");
}

TEST_F(ProxyTest, MissingFence) {
  for (AccessKind kind : {kRead, kWrite}) {
    restart();
    store(0);
    barrier();
    EXPECT_EQ(async(1, kind), "R5 MissingProxyFence");
  }
}

TEST_F(ProxyTest, FenceBeforeTheStore) {
  warp(0).fenceProxy(true, false);
  store(0);
  barrier();
  EXPECT_EQ(async(1, kRead), "R5 MissingProxyFence");
}

TEST_F(ProxyTest, FenceBeforeTheEdge) {
  store(0);
  warp(1).fenceProxy(true, false);
  barrier();
  EXPECT_EQ(async(1, kRead), "R5 MissingProxyFence");
}

TEST_F(ProxyTest, FenceIsNoEdge) {
  store(0);
  warp(0).fenceProxy(true, false);
  warp(1).fenceProxy(true, false);
  EXPECT_EQ(async(1, kRead), "R4 Race");
}

TEST_F(ProxyTest, FenceOfTheWrongSpace) {
  store(0);
  all(global, warp(0), kWrite, 0, 4, 4);
  warp(0).fenceProxy(false, true);
  barrier();
  EXPECT_EQ(async(1, kRead), "R5 MissingProxyFence");
  EXPECT_EQ(
      range(global, AsyncActor(warp(1), bulk, ++clock, true), kRead, 0, 128),
      "");
}

TEST_F(ProxyTest, OrdinaryReadNeedsNoFence) {
  all(shared(), warp(0), kRead, 128, 4, 4);
  EXPECT_EQ(async(1, kWrite), "R4 Race");
  restart();
  all(shared(), warp(0), kRead, 128, 4, 4);
  barrier();
  EXPECT_EQ(async(1, kWrite), "");
}

TEST_F(ProxyTest, ObservedCompletionIsAFenceBack) {
  EXPECT_EQ(async(0, kWrite), "");
  warp(0).observe(bulk, clock);
  barrier();
  EXPECT_EQ(all(shared(), warp(1), kRead, 128, 4, 4), "");
  barrier();
  EXPECT_EQ(all(shared(), warp(2), kWrite, 128, 4, 4), "");
}

TEST_F(ProxyTest, AsyncAfterObservedAsync) {
  EXPECT_EQ(async(0, kWrite), "");
  warp(0).observe(bulk, clock);
  barrier();
  EXPECT_EQ(async(1, kRead), "");
  warp(1).observe(bulk, clock);
  barrier();
  EXPECT_EQ(async(2, kWrite), "");
}

TEST_F(ProxyTest, BeforeTheLaunchNeedsNoFence) {
  EXPECT_EQ(range(global, AsyncActor(warp(0), bulk, 1, true), kRead, 0, 4096),
            "");
}

TEST_F(ProxyTest, CpAsyncIsOrdinary) {
  uint32_t copies = clusterA.addComponent(AsyncKind::CpAsync);
  EXPECT_EQ(
      all(shared(), AsyncActor(warp(0), copies, 1, false), kWrite, 0, 16, 16),
      "");
  warp(0).observe(copies, 1);
  EXPECT_EQ(async(0, kRead), "R5 MissingProxyFence");
  warp(0).fenceProxy(true, false);
  EXPECT_EQ(async(0, kRead), "");
}

TEST_F(ProxyTest, FenceReachesAnotherClusterThroughMemory) {
  uint32_t other = clusterB.addComponent(AsyncKind::Bulk);
  for (int fence = 0; fence < 2; ++fence) {
    global.reset();
    all(global, warp(0), kWrite, 0, 4, 4);
    if (fence)
      warp(0).fenceProxy(false, true);
    EXPECT_EQ(write(global, warp(0), 8192, kRelease), "");
    EXPECT_EQ(read(global, foreign(0), 8192, kAcquire), "");
    EXPECT_EQ(
        range(global, AsyncActor(foreign(0), other, 1, true), kRead, 0, 128),
        fence ? "" : "R5 MissingProxyFence");
  }
}

} // namespace
