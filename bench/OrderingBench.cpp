//===- OrderingBench.cpp - What one checked warp access costs -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Time per access of one warp in the patterns that kernels use. To reach: well
// under 150 ns for a coalesced access of any width.
//
//===----------------------------------------------------------------------===//

#include "Ordering/Shadow.h"

#include "benchmark/benchmark.h"

using namespace nvfp4::ptx::ordering;

namespace {

constexpr uint64_t kSharedBytes = 128 << 10, kGlobalBytes = 64 << 20;
constexpr uint32_t kWarps = 8;

/// A CTA of eight warps and a buffer.
struct Setting {
  LaunchOrdering launch;
  ClusterOrdering cluster{launch, {1, kWarps, kAllLanes, kSharedBytes}};
  Shadow global{Shadow::Space::Global, kGlobalBytes};
  uint64_t offsets[kNumLanes];
  AccessEvent event;

  Setting(uint32_t bytes, uint64_t stride, AccessKind kind) {
    (void)cluster.begin(0);
    event.offsets = offsets;
    event.lanes = kAllLanes;
    event.bytesPerLane = bytes;
    event.kind = kind;
    setStride(0, stride);
  }
  void setStride(uint64_t base, uint64_t stride) {
    for (uint32_t lane = 0; lane < kNumLanes; ++lane)
      offsets[lane] = base + lane * stride;
  }
  void barrier() {
    SyncClock clock = cluster.makeSyncClock();
    for (uint32_t w = 0; w < kWarps; ++w)
      clock.release(cluster.getWarp(w));
    for (uint32_t w = 0; w < kWarps; ++w)
      clock.acquire(cluster.getWarp(w));
  }
};

/// Argument: bytes per lane. A stream through global memory.
void BM_GlobalStream(benchmark::State &state, AccessKind kind) {
  uint32_t bytes = state.range(0);
  Setting setting(bytes, bytes, kind);
  uint64_t base = 0, size = bytes * kNumLanes;
  for (auto _ : state) {
    setting.setStride(base, bytes);
    benchmark::DoNotOptimize(
        setting.global.access(setting.cluster.getWarp(0), setting.event));
    base = (base + size) % kGlobalBytes;
  }
}
BENCHMARK_CAPTURE(BM_GlobalStream, read, AccessKind::Read)
    ->Arg(2)
    ->Arg(4)
    ->Arg(8)
    ->Arg(16);
BENCHMARK_CAPTURE(BM_GlobalStream, write, AccessKind::Write)
    ->Arg(2)
    ->Arg(4)
    ->Arg(8)
    ->Arg(16);

/// Every warp writes its part of a tile, a barrier, every warp reads all of it,
/// a barrier. Per access; the barriers are included.
void BM_SharedTile(benchmark::State &state) {
  uint32_t bytes = state.range(0);
  Setting setting(bytes, bytes, AccessKind::Write);
  uint64_t size = bytes * kNumLanes;
  for (auto _ : state) {
    setting.event.kind = AccessKind::Write;
    for (uint32_t w = 0; w < kWarps; ++w) {
      setting.setStride(w * size, bytes);
      benchmark::DoNotOptimize(setting.cluster.getShared(0).access(
          setting.cluster.getWarp(w), setting.event));
    }
    setting.barrier();
    setting.event.kind = AccessKind::Read;
    for (uint32_t part = 0; part < kWarps; ++part) {
      setting.setStride(part * size, bytes);
      for (uint32_t w = 0; w < kWarps; ++w)
        benchmark::DoNotOptimize(setting.cluster.getShared(0).access(
            setting.cluster.getWarp(w), setting.event));
    }
    setting.barrier();
  }
  state.counters["perAccess"] =
      benchmark::Counter(double(kWarps + kWarps * kWarps),
                         benchmark::Counter::kIsIterationInvariantRate |
                             benchmark::Counter::kInvert);
}
BENCHMARK(BM_SharedTile)->Arg(4)->Arg(16);

/// Arguments: bytes per lane, stride. Rereads and rewrites shared memory.
void BM_SharedPattern(benchmark::State &state, AccessKind kind) {
  Setting setting(state.range(0), state.range(1), kind);
  if (kind == AccessKind::Atomic)
    setting.event.order = MemoryOrder::Relaxed;
  uint32_t w = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(setting.cluster.getShared(0).access(
        setting.cluster.getWarp(w), setting.event));
    w = kind == AccessKind::Write ? 0 : (w + 1) % kWarps;
  }
}
BENCHMARK_CAPTURE(BM_SharedPattern, read, AccessKind::Read)
    ->Args({4, 0})
    ->Args({4, 128})
    ->Args({4, 132})
    ->Args({1, 1})
    ->Args({1, 7});
BENCHMARK_CAPTURE(BM_SharedPattern, write, AccessKind::Write)
    ->Args({4, 128})
    ->Args({4, 132})
    ->Args({1, 1})
    ->Args({1, 7});
BENCHMARK_CAPTURE(BM_SharedPattern, atomic, AccessKind::Atomic)
    ->Args({4, 0})
    ->Args({4, 4});

/// Argument: bytes of one bulk copy into shared memory.
void BM_BulkCopy(benchmark::State &state) {
  Setting setting(4, 4, AccessKind::Write);
  WarpOrder &warp = setting.cluster.getWarp(0);
  uint32_t barrier = setting.cluster.addComponent(AsyncKind::Bulk);
  uint32_t phase = 0;
  RangeEvent event;
  event.size = state.range(0);
  event.kind = AccessKind::Write;
  for (auto _ : state) {
    AsyncOp op = setting.cluster.beginOp(AsyncKind::Bulk);
    benchmark::DoNotOptimize(
        setting.cluster.getShared(0).access(AsyncActor(warp, op, true), event));
    phase = phase % 1000000 + 1;
    setting.cluster.completeOp(op, barrier, phase);
    warp.observe(barrier, phase);
  }
}
BENCHMARK(BM_BulkCopy)->Arg(1024)->Arg(16384);

void BM_Barrier(benchmark::State &state) {
  Setting setting(4, 4, AccessKind::Write);
  for (auto _ : state)
    setting.barrier();
}
BENCHMARK(BM_Barrier);

} // namespace

BENCHMARK_MAIN();
