//===- WarpOpsTest.cpp - Shuffles, votes and convergence ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpKernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace nvfp4::ptx;

static WarpKernel::Outcome run(std::string body, unsigned numOutputs = 1) {
  WarpKernel kernel;
  kernel.body = std::move(body);
  kernel.inputs =
      makeInputs([](unsigned lane, unsigned) { return 1000 + 7 * lane; });
  kernel.numOutputs = numOutputs;
  return kernel.run();
}

//===----------------------------------------------------------------------===//
// shfl
//===----------------------------------------------------------------------===//

namespace {
/// Which lane to read, as the CUDA guide words it: within segments of `width`
/// lanes; the lane itself when the source is beyond the segment.
struct Shuffle {
  const char *mode;
  unsigned distance, width;
  int find(int lane) const {
    int first = lane / int(width) * int(width), last = first + int(width) - 1;
    switch (mode[0]) {
    case 'u':
      return lane - int(distance) >= first ? lane - int(distance) : -1;
    case 'd':
      return lane + int(distance) <= last ? lane + int(distance) : -1;
    case 'b':
      // May leave the segment downwards.
      return (lane ^ int(distance)) <= last ? lane ^ int(distance) : -1;
    default:
      return first + int(distance % width);
    }
  }
  /// The third operand as nvcc packs it.
  unsigned pack() const {
    return (32 - width) << 8 | (mode[0] == 'u' ? 0 : 31);
  }
};
} // namespace

TEST(Shuffle, ReadsWithinSegments) {
  for (const char *mode : {"up", "down", "bfly", "idx"})
    for (unsigned width : {32, 16, 8, 4, 2, 1})
      for (unsigned distance : {0, 1, 2, 3, 5, 8, 15, 16, 31}) {
        Shuffle shuffle{mode, distance, width};
        auto outcome =
            run(std::string("shfl.sync.") + mode + ".b32 %out0|%p1, %in0, " +
                    std::to_string(distance) + ", " +
                    std::to_string(shuffle.pack()) +
                    ", 0xffffffff;\n"
                    "selp.b32 %out1, 1, 0, %p1;",
                2);
        ASSERT_EQ(outcome.report.toString(), "");
        for (int lane = 0; lane < 32; ++lane) {
          int source = shuffle.find(lane);
          int from = source < 0 ? lane : source;
          EXPECT_EQ(outcome.outputs[unsigned(lane)][0],
                    1000u + 7u * unsigned(from))
              << mode << " " << distance << " of " << width << " lane " << lane;
          EXPECT_EQ(outcome.outputs[unsigned(lane)][1], unsigned(source >= 0));
        }
      }
}

TEST(Shuffle, PerLaneIndexInPlace) {
  auto outcome = run("xor.b32 %r1, %lane, 21;\n"
                     "mov.b32 %out0, %in0;\n"
                     "shfl.sync.idx.b32 %out0, %out0, %r1, 31, -1;");
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0], 1000 + 7 * (lane ^ 21));
}

TEST(Shuffle, UndefinedBitsMove) {
  // Only lane 3 has something undefined: bits 15:8.
  auto outcome = run("setp.ne.u32 %p1, %lane, 3;\n"
                     "mov.b32 %r2, 0;\n"
                     "and.b32 %r3, %r1, 0xff00;\n"
                     "selp.b32 %r2, 0, %r3, %p1;\n"
                     "shfl.sync.bfly.b32 %out0, %r2, 1, 31, -1;");
  ASSERT_EQ(outcome.report.toString(), "");
  EXPECT_EQ(outcome.getUndefinedLanes(0), 1u << 2);
  EXPECT_EQ(outcome.undefined[2][0], 0xFF00u);
}

TEST(Shuffle, SourceThatTakesNoPartIsUndefined) {
  auto outcome = run("mov.b32 %out0, 5;\n"
                     "setp.ge.u32 %p1, %lane, 8;\n"
                     "@%p1 bra END;\n"
                     "shfl.sync.down.b32 %out0, %in0, 4, 31, 0xff;\n"
                     "END:");
  ASSERT_EQ(outcome.report.toString(), "");
  EXPECT_EQ(outcome.getUndefinedLanes(0), 0xF0u);
  EXPECT_EQ(outcome.outputs[1][0], 1000u + 7 * 5);
}

//===----------------------------------------------------------------------===//
// vote, match, redux, elect, activemask
//===----------------------------------------------------------------------===//

TEST(Vote, AllModes) {
  for (uint32_t pattern : {0u, ~0u, 0x80000000u, 0x7FFFFFFFu, 0x00FF00FFu}) {
    auto outcome = run("shr.u32 %r1, " + std::to_string(pattern) +
                           ", %lane;\n"
                           "and.b32 %r1, %r1, 1;\n"
                           "setp.ne.u32 %p1, %r1, 0;\n"
                           "vote.sync.all.pred %p2, %p1, -1;\n"
                           "vote.sync.any.pred %p3, %p1, -1;\n"
                           "vote.sync.uni.pred %p4, %p1, -1;\n"
                           "vote.sync.ballot.b32 %out0, %p1, -1;\n"
                           "vote.sync.ballot.b32 %out1, !%p1, -1;\n"
                           "selp.b32 %out2, 1, 0, %p2;\n"
                           "selp.b32 %out3, 1, 0, %p3;\n"
                           "selp.b32 %out4, 1, 0, %p4;",
                       5);
    ASSERT_EQ(outcome.report.toString(), "");
    for (unsigned lane = 0; lane < 32; ++lane)
      EXPECT_EQ(outcome.outputs[lane],
                (std::vector<uint32_t>{pattern, ~pattern, pattern == ~0u,
                                       pattern != 0,
                                       pattern == 0 || pattern == ~0u}));
  }
}

TEST(Vote, UndefinedVotes) {
  // Lane 4's vote is undefined, that of lane 9 true, the others' false.
  auto outcome = run("setp.eq.u32 %p1, %lane, 4;\n"
                     "selp.b32 %r2, %r1, 0, %p1;\n"
                     "setp.eq.u32 %p2, %lane, 9;\n"
                     "selp.b32 %r2, 1, %r2, %p2;\n"
                     "setp.ne.u32 %p3, %r2, 0;\n"
                     "vote.sync.ballot.b32 %out0, %p3, -1;\n"
                     "vote.sync.any.pred %p4, %p3, -1;\n"
                     "vote.sync.all.pred %p5, %p3, -1;\n"
                     "selp.b32 %out1, 1, 0, %p4;\n"
                     "selp.b32 %out2, 1, 0, %p5;\n"
                     "setp.ne.u32 %p6, %r2, 0;\n"
                     "not.pred %p7, %p2;\n"
                     "and.pred %p6, %p6, %p7;\n"
                     "vote.sync.any.pred %p8, %p6, -1;\n"
                     "selp.b32 %out3, 1, 0, %p8;",
                     4);
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(outcome.undefined[lane][0], 1u << 4);
    EXPECT_EQ(outcome.outputs[lane][0] & ~(1u << 4), 1u << 9);
  }
  EXPECT_EQ(outcome.getUndefinedLanes(1), 0u);
  EXPECT_EQ(outcome.outputs[0][1], 1u);
  EXPECT_EQ(outcome.getUndefinedLanes(2), 0u);
  EXPECT_EQ(outcome.outputs[0][2], 0u);
  EXPECT_EQ(outcome.getUndefinedLanes(3), ~0u);
}

TEST(Match, AnyAndAll) {
  auto outcome = run("rem.u32 %r1, %lane, 5;\n"
                     "match.any.sync.b32 %out0, %r1, -1;\n"
                     "match.all.sync.b32 %out1|%p1, %r1, -1;\n"
                     "mov.b32 %r2, 9;\n"
                     "match.all.sync.b32 %out2|%p2, %r2, -1;\n"
                     "selp.b32 %out3, 1, 0, %p1;\n"
                     "selp.b32 %out4, 1, 0, %p2;\n"
                     "and.b32 %r3, %lane, 1;\n"
                     "mov.b64 %w1, {%r2, %r3};\n"
                     "match.any.sync.b64 %out5, %w1, -1;",
                     6);
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane) {
    uint32_t same = 0;
    for (unsigned other = 0; other < 32; ++other)
      same |= uint32_t(other % 5 == lane % 5) << other;
    EXPECT_EQ(outcome.outputs[lane],
              (std::vector<uint32_t>{same, 0, ~0u, 0, 1,
                                     lane % 2 ? 0xAAAAAAAA : 0x55555555}));
  }
}

TEST(Redux, Integers) {
  WarpKernel kernel;
  kernel.inputs = makeInputs([](unsigned lane, unsigned) {
    return 0x9E3779B9u * (lane + 3) ^ 0x5bd1e995u;
  });
  struct Case {
    const char *operation;
    uint32_t (*combine)(uint32_t, uint32_t);
  };
  const Case cases[] = {
      {"add.u32", [](uint32_t a, uint32_t b) { return a + b; }},
      {"add.s32", [](uint32_t a, uint32_t b) { return a + b; }},
      {"min.u32", [](uint32_t a, uint32_t b) { return a < b ? a : b; }},
      {"max.u32", [](uint32_t a, uint32_t b) { return a > b ? a : b; }},
      {"min.s32",
       [](uint32_t a, uint32_t b) { return int32_t(a) < int32_t(b) ? a : b; }},
      {"max.s32",
       [](uint32_t a, uint32_t b) { return int32_t(a) > int32_t(b) ? a : b; }},
      {"and.b32", [](uint32_t a, uint32_t b) { return a & b; }},
      {"or.b32", [](uint32_t a, uint32_t b) { return a | b; }},
      {"xor.b32", [](uint32_t a, uint32_t b) { return a ^ b; }},
  };
  for (const Case &test : cases) {
    // Two groups: even and odd lanes.
    kernel.body = "and.b32 %r1, %lane, 1;\n"
                  "shl.b32 %r2, 0x55555555, %r1;\n"
                  "redux.sync." +
                  std::string(test.operation) + " %out0, %in0, %r2;";
    auto outcome = kernel.run();
    ASSERT_EQ(outcome.report.toString() + outcome.loadError, "");
    for (unsigned odd = 0; odd < 2; ++odd) {
      uint32_t expected = kernel.inputs[odd][0];
      for (unsigned lane = odd + 2; lane < 32; lane += 2)
        expected = test.combine(expected, kernel.inputs[lane][0]);
      for (unsigned lane = odd; lane < 32; lane += 2)
        EXPECT_EQ(outcome.outputs[lane][0], expected) << test.operation;
    }
  }
}

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

TEST(Redux, Floats) {
  WarpKernel kernel;
  kernel.target = "sm_100a";
  kernel.inputs = makeInputs([](unsigned lane, unsigned) {
    if (lane == 9)
      return 0x7FC12345u;
    return bitsOf(lane == 17 ? -100.0f : float(lane) - 3.5f);
  });
  kernel.body = "redux.sync.min.f32 %f0, %in0, -1;\n"
                "redux.sync.max.f32 %f1, %in0, -1;\n"
                "redux.sync.max.abs.f32 %f2, %in0, -1;\n"
                "redux.sync.min.abs.NaN.f32 %f3, %in0, -1;\n"
                "mov.b32 %out0, %f0;\nmov.b32 %out1, %f1;\n"
                "mov.b32 %out2, %f2;\nmov.b32 %out3, %f3;";
  kernel.numOutputs = 4;
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.report.toString() + outcome.loadError, "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane],
              (std::vector<uint32_t>{bitsOf(-100.0f), bitsOf(27.5f),
                                     bitsOf(100.0f), 0x7FFFFFFF}));
  kernel.target = "sm_120a";
  EXPECT_NE(kernel.run().loadError.find("sm_100a, sm_100f"), std::string::npos);
}

TEST(Elect, LowestLaneOfTheMask) {
  auto outcome = run("mov.b32 %out0, 77;\n"
                     "mov.b32 %out1, 77;\n"
                     "mov.b32 %out2, 0;\n"
                     "setp.lt.u32 %p1, %lane, 20;\n"
                     "@%p1 bra END;\n"
                     "elect.sync %out0|%p2, 0xfff00000;\n"
                     "selp.b32 %out1, 1, 0, %p2;\n"
                     "activemask.b32 %out2;\n"
                     "END:\n"
                     "elect.sync _|%p3, -1;\n"
                     "selp.b32 %out3, 1, 0, %p3;",
                     4);
  ASSERT_EQ(outcome.report.toString() + outcome.loadError, "");
  for (unsigned lane = 0; lane < 32; ++lane) {
    bool isIn = lane >= 20;
    EXPECT_EQ(outcome.outputs[lane],
              (std::vector<uint32_t>{isIn ? 20u : 77u,
                                     isIn ? uint32_t(lane == 20) : 77u,
                                     isIn ? 0xFFF00000u : 0u, lane == 0}));
  }
}

//===----------------------------------------------------------------------===//
// Convergence
//===----------------------------------------------------------------------===//

/// Lanes that come by different ways wait for each other.
TEST(Convergence, LanesArriveOneByOne) {
  // Each lane loops as often as its number before it shuffles.
  auto outcome = run("mov.b32 %r1, %lane;\n"
                     "LOOP: setp.eq.u32 %p1, %r1, 0;\n"
                     "@%p1 bra DONE;\n"
                     "sub.u32 %r1, %r1, 1;\n"
                     "bra LOOP;\n"
                     "DONE: shfl.sync.bfly.b32 %out0, %in0, 16, 31, -1;");
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0], 1000 + 7 * (lane ^ 16));
}

/// A half that is sent away first must not be waited for by the other half's
/// mask.
TEST(Convergence, EachMaskIsAGroup) {
  auto outcome = run("setp.lt.u32 %p1, %lane, 16;\n"
                     "selp.b32 %r1, 0x0000ffff, 0xffff0000, %p1;\n"
                     "shfl.sync.idx.b32 %out0, %in0, 5, 0x101f, %r1;\n"
                     "vote.sync.ballot.b32 %out1, %p1, %r1;",
                     2);
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(outcome.outputs[lane][0], 1000 + 7 * (lane < 16 ? 5u : 21u));
    EXPECT_EQ(outcome.outputs[lane][1], lane < 16 ? 0xFFFFu : 0u);
  }
}

/// Some groups of one instruction are complete, others are not yet.
TEST(Convergence, GroupsCompleteSeparately) {
  auto outcome = run("setp.lt.u32 %p1, %lane, 8;\n"
                     "@%p1 bra SHUFFLE;\n"
                     "setp.lt.u32 %p2, %lane, 24;\n"
                     "mov.b32 %r2, 100;\n"
                     "LOOP: sub.u32 %r2, %r2, 1;\n"
                     "setp.ne.u32 %p3, %r2, 0;\n"
                     "@%p3 bra LOOP;\n"
                     "SHUFFLE: shr.u32 %r3, %lane, 2;\n"
                     "shl.b32 %r3, %r3, 2;\n"
                     "shl.b32 %r4, 15, %r3;\n"
                     "redux.sync.add.u32 %out0, %lane, %r4;");
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0], 4 * (lane / 4 * 4) + 6);
}

TEST(Convergence, GuardKeepsLanesOut) {
  auto outcome = run("mov.b32 %out0, 3;\n"
                     "setp.lt.u32 %p1, %lane, 4;\n"
                     "@%p1 shfl.sync.bfly.b32 %out0, %in0, 1, 31, 15;");
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0], lane < 4 ? 1000 + 7 * (lane ^ 1) : 3);
}

TEST(Convergence, ExitedLanesDoNotCount) {
  auto outcome = run("setp.ge.u32 %p1, %lane, 4;\n"
                     "@%p1 exit;\n"
                     "bar.warp.sync -1;\n"
                     "redux.sync.add.u32 %out0, %lane, -1;");
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 4; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0], 6u);
}

/// Lanes that exit after others began to wait for them.
TEST(Convergence, LateExitWakesWaiters) {
  auto outcome = run("setp.ge.u32 %p1, %lane, 4;\n"
                     "@%p1 bra AWAY;\n"
                     "vote.sync.ballot.b32 %out0, %p1, -1;\n"
                     "bra END;\n"
                     "AWAY: mov.b32 %r2, 500;\n"
                     "LOOP: sub.u32 %r2, %r2, 1;\n"
                     "setp.ne.u32 %p3, %r2, 0;\n"
                     "@%p3 bra LOOP;\n"
                     "exit;\n"
                     "END:");
  ASSERT_EQ(outcome.report.toString(), "");
  EXPECT_EQ(outcome.outputs[0][0], 0u);
}

TEST(Convergence, PartialWarp) {
  WarpKernel kernel;
  kernel.numLanes = 5;
  kernel.body = "activemask.b32 %r1;\n"
                "redux.sync.add.u32 %out0, %lane, -1;\n"
                "bar.warp.sync -1;\n"
                "mov.b32 %out1, %r1;";
  kernel.numOutputs = 2;
  auto outcome = kernel.run();
  ASSERT_EQ(outcome.report.toString() + outcome.loadError, "");
  for (unsigned lane = 0; lane < 5; ++lane)
    EXPECT_EQ(outcome.outputs[lane], (std::vector<uint32_t>{10, 31}));
}

/// bar.warp.sync is matched across instructions; memory is ordered by it.
TEST(Convergence, WarpBarrierAcrossInstructions) {
  auto outcome = run("mov.b32 %r1, tile;\n"
                     "shl.b32 %r2, %lane, 2;\n"
                     "add.u32 %r2, %r1, %r2;\n"
                     "xor.b32 %r3, %r2, 64;\n"
                     "setp.lt.u32 %p1, %lane, 16;\n"
                     "@%p1 bra LOW;\n"
                     "st.shared.b32 [%r2], %in0;\n"
                     "bar.warp.sync -1;\n"
                     "ld.shared.b32 %out0, [%r3];\n"
                     "bra END;\n"
                     "LOW: st.shared.b32 [%r2], %in0;\n"
                     "bar.warp.sync -1;\n"
                     "ld.shared.b32 %out0, [%r3];\n"
                     "END:");
  ASSERT_EQ(outcome.report.toString(), "");
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(outcome.outputs[lane][0], 1000 + 7 * (lane ^ 16));
}

TEST(Convergence, WarpBarrierOrdersMemory) {
  std::string store = "mov.b32 %r1, tile;\n"
                      "shl.b32 %r2, %lane, 2;\n"
                      "add.u32 %r2, %r1, %r2;\n"
                      "xor.b32 %r3, %r2, 4;\n"
                      "st.shared.b32 [%r2], %in0;\n";
  std::string load = "ld.shared.b32 %out0, [%r3];";
  EXPECT_EQ(run(store + "bar.warp.sync -1;\n" + load).getRule(), "");
  // Shuffles and votes are no edge.
  EXPECT_EQ(run(store + "vote.sync.all.pred %p1, %p1, -1;\n" + load).getRule(),
            "R4");
}

TEST(Convergence, LaneOutsideOfItsMask) {
  auto outcome = run("shfl.sync.bfly.b32 %out0, %in0, 1, 31, 0xfffffffe;");
  EXPECT_EQ(outcome.getRule(), "convergence");
  EXPECT_EQ(outcome.report.findings.front().lane, 0u);
}

TEST(Convergence, UndefinedMembermask) {
  EXPECT_EQ(run("bar.warp.sync %r1;\nmov.b32 %out0, 0;").getRule(), "R11");
}

/// Two halves that wait for each other at different shuffles.
TEST(Convergence, DeadlockIsReported) {
  auto outcome = run("setp.lt.u32 %p1, %lane, 16;\n"
                     "@%p1 bra LOW;\n"
                     "shfl.sync.bfly.b32 %out0, %in0, 1, 31, -1;\n"
                     "bra END;\n"
                     "LOW: shfl.sync.bfly.b32 %out0, %in0, 2, 31, -1;\n"
                     "END:");
  EXPECT_EQ(outcome.getRule(), "R12");
  const std::string &message = outcome.report.findings.front().message;
  EXPECT_NE(message.find("lanes 0xffff0000 at warp.ptx:"), std::string::npos)
      << message;
  EXPECT_NE(message.find("for lanes 0x0000ffff"), std::string::npos) << message;
}

TEST(Convergence, AlignedNeedsAllLiveLanes) {
  std::string move = "movmatrix.sync.aligned.m8n8.trans.b16 %out0, %in0;\n";
  EXPECT_EQ(run("setp.lt.u32 %p1, %lane, 16;\n@%p1 " + move).getRule(), "R14");
  EXPECT_EQ(run("setp.lt.u32 %p1, %lane, 16;\n@%p1 bra LOW;\n" + move +
                "bra END;\nLOW: " + move + "END:")
                .getRule(),
            "R14");
  // The other half waits at a barrier that nobody else will come to.
  EXPECT_EQ(run("setp.lt.u32 %p1, %lane, 16;\n@%p1 bra LOW;\n" + move +
                "bra END;\nLOW: barrier.sync 1, 64;\nEND:")
                .getRule(),
            "R14");
  // Those who come later, or never will, are no error.
  EXPECT_EQ(run("setp.lt.u32 %p1, %lane, 16;\n@%p1 bra ON;\n"
                "mov.b32 %r1, 1;\nON: " +
                move)
                .getRule(),
            "");
  EXPECT_EQ(run("setp.lt.u32 %p1, %lane, 16;\n@%p1 exit;\n" + move).getRule(),
            "");
}
