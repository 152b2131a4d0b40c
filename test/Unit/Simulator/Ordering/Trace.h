//===- Trace.h - Hand-made traces for the happens-before engine -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A launch of one or two clusters, and short names for what warps do in it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SIMULATOR_ORDERING_TRACE_H
#define NVFP4_TEST_UNIT_SIMULATOR_ORDERING_TRACE_H

#include "Ordering/Shadow.h"

#include "gtest/gtest.h"

#include <optional>
#include <string>

namespace nvfp4::ptx::ordering {

/// The verdict as text: "" or "R4 Race".
inline std::string show(const std::optional<Conflict> &conflict) {
  static const char *const names[] = {
      "IntraWarp",          "EqualWrites",     "ScopeTooNarrow",
      "MissingTensorFence", "PipeOrder",       "Race",
      "MissingProxyFence",  "MissingMapFence", "InFlight"};
  if (!conflict)
    return "";
  return std::string(conflict->rule) + " " + names[unsigned(conflict->kind)];
}

/// A strong access of a trace.
struct Strong {
  MemoryOrder order;
  Scope scope = Scope::Gpu;
};
constexpr Strong kWeak = {MemoryOrder::Weak};
constexpr Strong kRelaxed = {MemoryOrder::Relaxed};
constexpr Strong kAcquire = {MemoryOrder::Acquire};
constexpr Strong kRelease = {MemoryOrder::Release};
constexpr Strong kAcquireRelease = {MemoryOrder::AcquireRelease};

/// Two clusters of two CTAs of two warps, and one global buffer.
class Trace : public ::testing::Test {
protected:
  static constexpr uint32_t kCtas = 2, kWarpsPerCta = 2;
  static constexpr uint64_t kShared = 16384, kGlobal = 65536;

  static ClusterShape getShape() {
    return {kCtas, kWarpsPerCta, kAllLanes, kShared};
  }
  void SetUp() override {
    EXPECT_TRUE(clusterA.begin(0).ok());
    EXPECT_TRUE(clusterB.begin(1).ok());
  }

  WarpOrder &warp(uint32_t w) { return clusterA.getWarp(w); }
  WarpOrder &foreign(uint32_t w) { return clusterB.getWarp(w); }
  Shadow &shared() { return clusterA.getShared(0); }

  /// One lane.
  template <typename Actor>
  static std::string
  access(Shadow &shadow, Actor &&actor, AccessKind kind, uint64_t offset,
         uint32_t bytes, Strong strong = kWeak, uint32_t lane = 0,
         const uint8_t *memory = nullptr, const uint8_t *values = nullptr) {
    uint64_t offsets[kNumLanes] = {};
    offsets[lane] = offset;
    AccessEvent event;
    event.offsets = offsets;
    event.lanes = 1u << lane;
    event.bytesPerLane = bytes;
    event.kind = kind;
    event.order = strong.order;
    event.scope = strong.scope;
    event.instruction = 7;
    event.memory = memory;
    event.values = values;
    return show(shadow.access(actor, event));
  }
  template <typename Actor>
  static std::string read(Shadow &shadow, Actor &&actor, uint64_t offset,
                          Strong strong = kWeak, uint32_t lane = 0) {
    return access(shadow, actor, AccessKind::Read, offset, 4, strong, lane);
  }
  template <typename Actor>
  static std::string write(Shadow &shadow, Actor &&actor, uint64_t offset,
                           Strong strong = kWeak, uint32_t lane = 0) {
    return access(shadow, actor, AccessKind::Write, offset, 4, strong, lane);
  }
  template <typename Actor>
  static std::string atomic(Shadow &shadow, Actor &&actor, uint64_t offset,
                            Strong strong = kRelaxed, uint32_t lane = 0) {
    return access(shadow, actor, AccessKind::Atomic, offset, 4, strong, lane);
  }
  /// All lanes, lane i at offset + i * stride.
  template <typename Actor>
  static std::string all(Shadow &shadow, Actor &&actor, AccessKind kind,
                         uint64_t offset, uint32_t bytes, uint64_t stride,
                         uint32_t lanes = kAllLanes, Strong strong = kWeak) {
    uint64_t offsets[kNumLanes];
    for (uint32_t lane = 0; lane < kNumLanes; ++lane)
      offsets[lane] = offset + lane * stride;
    AccessEvent event;
    event.offsets = offsets;
    event.lanes = lanes;
    event.bytesPerLane = bytes;
    event.kind = kind;
    event.order = strong.order;
    return show(shadow.access(actor, event));
  }
  template <typename Actor>
  static std::string range(Shadow &shadow, Actor &&actor, AccessKind kind,
                           uint64_t offset, uint64_t size,
                           Strong strong = kWeak) {
    return show(shadow.access(
        actor, RangeEvent{offset, size, kind, strong.order, 0, 9}));
  }

  /// A barrier of the warps [begin, end) of cluster A.
  void barrier(uint32_t begin = 0, uint32_t end = kCtas * kWarpsPerCta) {
    SyncClock clock = clusterA.makeSyncClock();
    for (uint32_t w = begin; w < end; ++w)
      clock.release(warp(w));
    for (uint32_t w = begin; w < end; ++w)
      clock.acquire(warp(w));
  }

  LaunchOrdering launch;
  ClusterOrdering clusterA{launch, getShape()};
  ClusterOrdering clusterB{launch, getShape()};
  Shadow global{Shadow::Space::Global, kGlobal};
};

} // namespace nvfp4::ptx::ordering

#endif // NVFP4_TEST_UNIT_SIMULATOR_ORDERING_TRACE_H
