//===- MmaTaintTest.cpp - Undefined bits through a matrix instruction -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rule R11: which results an undefined bit reaches, and what stops it. Each
// undefined bit is also tried: a result that is said to be defined does not
// change with it.
//
//===----------------------------------------------------------------------===//

#include "MmaReference.h"

#include "nvfp4/Support/Codecs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

using namespace nvfp4;
using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;
using Type = ElementType;

namespace {

/// The undefined bits of a warp's registers, and of the result.
struct Shadow {
  Warp bits;
  MmaUndefined getUndefined() const {
    const MmaInputs inputs = bits.getInputs();
    MmaUndefined undefined;
    undefined.a = inputs.a;
    undefined.b = inputs.b;
    undefined.c = inputs.c;
    undefined.scaleA = bits.scaleA;
    undefined.scaleB = bits.scaleB;
    undefined.metadata = bits.metadata;
    return undefined;
  }
};

std::set<std::pair<int, int>> getTainted(const MmaDescriptor &descriptor,
                                         const Warp &warp, Shadow &shadow) {
  auto plan = MmaPlan::create(descriptor);
  EXPECT_TRUE(plan.ok()) << plan.getMessage();
  plan->taint(warp.getInputs(), shadow.getUndefined(),
              shadow.bits.getOutputs());
  const auto bits = readD(descriptor, shadow.bits);
  std::set<std::pair<int, int>> tainted;
  for (size_t i = 0; i < bits.size(); ++i) {
    if (bits[i] == 0)
      continue;
    tainted.insert({int(i) / 8, int(i) % 8});
    EXPECT_EQ(bits[i], descriptor.d == Type::F16   ? 0xFFFF
                       : descriptor.d == Type::F64 ? ~uint64_t(0)
                                                   : 0xFFFFFFFF);
  }
  return tainted;
}

MmaDescriptor makeNVFP4() {
  MmaDescriptor descriptor = {
      {16, 8, 64}, Type::E2M1, Type::E2M1, Type::F32, Type::F32};
  descriptor.kind = MmaKind::MXF4NVF4;
  descriptor.scaleType = ScaleType::UE4M3;
  descriptor.scaleVec = 4;
  return descriptor;
}

Warp makeOnes() {
  Warp warp;
  for (int lane = 0; lane < 32; ++lane) {
    warp.scaleA[lane] = warp.scaleB[lane] = 0x38383838;
    for (int reg = 0; reg < 8; ++reg)
      warp.a[reg][lane] = warp.b[reg][lane] = 0x22222222;
  }
  return warp;
}

TEST(MmaTaint, NothingUndefinedTaintsNothing) {
  Shadow shadow;
  EXPECT_TRUE(getTainted(makeNVFP4(), makeOnes(), shadow).empty());
}

TEST(MmaTaint, AnElementOfAReachesItsRowAndOfBItsColumn) {
  Shadow shadow;
  shadow.bits.a[1][4 * 3] = 0x10; // row 11, column 1
  shadow.bits.b[0][4 * 5] = 0x1;  // column 5
  const auto tainted = getTainted(makeNVFP4(), makeOnes(), shadow);
  EXPECT_EQ(tainted.size(), 8u + 15u);
  EXPECT_TRUE(tainted.count({11, 0}));
  EXPECT_TRUE(tainted.count({2, 5}));
}

TEST(MmaTaint, AnAccumulatorReachesItself) {
  Shadow shadow;
  shadow.bits.c[2][4 * 3 + 1] = 0x80000000; // row 11, column 2
  EXPECT_EQ(getTainted(makeNVFP4(), makeOnes(), shadow),
            (std::set<std::pair<int, int>>{{11, 2}}));
  MmaDescriptor f16 = {{16, 8, 16}, Type::F16, Type::F16, Type::F16, Type::F16};
  Shadow half;
  half.bits.c[1][4 * 3 + 1] = 0x10000; // row 11, column 3
  EXPECT_EQ(getTainted(f16, Warp(), half),
            (std::set<std::pair<int, int>>{{11, 3}}));
}

TEST(MmaTaint, AZeroScaleMakesCodesHarmless) {
  Warp warp = makeOnes();
  Shadow shadow;
  for (int lane = 0; lane < 4; ++lane)
    shadow.bits.a[0][lane] = ~0u; // row 0, K below 32
  EXPECT_EQ(getTainted(makeNVFP4(), warp, shadow).size(), 8u);
  // A's own scale of row 0 is zero for the first two blocks.
  warp.scaleA[0] = 0x38380000;
  EXPECT_TRUE(getTainted(makeNVFP4(), warp, shadow).empty());
  // Bit 7 does not count.
  warp.scaleA[0] = 0x38388080;
  EXPECT_TRUE(getTainted(makeNVFP4(), warp, shadow).empty());
  // One block is not enough.
  warp.scaleA[0] = 0x38383800;
  EXPECT_EQ(getTainted(makeNVFP4(), warp, shadow).size(), 8u);
  // A NaN on the other side of column 6.
  warp.scaleA[0] = 0x38380000;
  warp.scaleB[24] = 0x3838387F;
  EXPECT_EQ(getTainted(makeNVFP4(), warp, shadow),
            (std::set<std::pair<int, int>>{{0, 6}}));
  // The partner's scale is the zero one.
  warp = makeOnes();
  for (int col = 0; col < 8; ++col)
    warp.scaleB[4 * col] = 0x38380000;
  EXPECT_TRUE(getTainted(makeNVFP4(), warp, shadow).empty());
}

TEST(MmaTaint, AnUndefinedScaleReachesItsLine) {
  Shadow shadow;
  shadow.bits.scaleA[1] = 0x100; // row 8
  shadow.bits.scaleB[1] = 0xFF;  // of thread 1: not selected
  shadow.bits.scaleB[4] = 0x80;  // ue4m3 has no bit 7
  const auto tainted = getTainted(makeNVFP4(), makeOnes(), shadow);
  EXPECT_EQ(tainted.size(), 8u);
  EXPECT_EQ(tainted.begin()->first, 8);
}

TEST(MmaTaint, ZeroPartnersStopWhatCannotBeNaN) {
  Warp warp = makeOnes();
  std::memset(warp.b, 0, sizeof(warp.b));
  Shadow shadow;
  shadow.bits.a[0][0] = ~0u;
  EXPECT_TRUE(getTainted(makeNVFP4(), warp, shadow).empty());
  const MmaDescriptor s8 = {
      {16, 8, 32}, Type::S8, Type::S8, Type::S32, Type::S32};
  EXPECT_TRUE(getTainted(s8, warp, shadow).empty());
  // An infinity times zero is a NaN.
  const MmaDescriptor f16 = {
      {16, 8, 16}, Type::F16, Type::F16, Type::F32, Type::F32};
  EXPECT_EQ(getTainted(f16, warp, shadow).size(), 8u);
}

TEST(MmaTaint, UnusedBitsDoNotCount) {
  const MmaDescriptor tf32 = {
      {16, 8, 8}, Type::TF32, Type::TF32, Type::F32, Type::F32};
  Shadow shadow;
  shadow.bits.a[0][0] = 0x1FFF;
  EXPECT_TRUE(getTainted(tf32, makeOnes(), shadow).empty());
  shadow.bits.a[0][0] = 0x2000;
  EXPECT_EQ(getTainted(tf32, makeOnes(), shadow).size(), 8u);
  MmaDescriptor bytes = {
      {16, 8, 32}, Type::E2M1, Type::E3M2, Type::F32, Type::F32};
  bytes.kind = MmaKind::F8F6F4;
  Shadow padding;
  padding.bits.a[0][0] = 0xC3C3C3C3;
  padding.bits.b[0][0] = 0xC0C0C0C0;
  EXPECT_TRUE(getTainted(bytes, makeOnes(), padding).empty());
  padding.bits.a[0][0] = 0x04000000;
  EXPECT_EQ(getTainted(bytes, makeOnes(), padding).size(), 8u);
}

TEST(MmaTaint, ShapesOfOtherWidths) {
  const MmaDescriptor f64 = {
      {16, 8, 8}, Type::F64, Type::F64, Type::F64, Type::F64};
  Shadow shadow;
  shadow.bits.a64[3][5] = uint64_t(1) << 40; // row 9
  auto tainted = getTainted(f64, Warp(), shadow);
  EXPECT_EQ(tainted.size(), 8u);
  EXPECT_EQ(tainted.begin()->first, 9);
  MmaDescriptor b1 = {{8, 8, 128}, Type::B1, Type::B1, Type::S32, Type::S32};
  b1.bitOperation = BitOperation::Xor;
  Shadow bit;
  bit.bits.b[0][8] = 4; // column 2
  EXPECT_EQ(getTainted(b1, Warp(), bit).size(), 8u);
  b1.bitOperation = BitOperation::And;
  EXPECT_TRUE(getTainted(b1, Warp(), bit).empty());
}

TEST(MmaTaint, WhatSparseRowsLeaveOutIsHarmless) {
  MmaDescriptor f16 = {{16, 8, 32}, Type::F16, Type::F16, Type::F32, Type::F32};
  f16.sparsity = Sparsity::Ordered;
  Warp warp = makeOnes();
  for (uint32_t &word : warp.metadata)
    word = 0x44444444; // places 0 and 1 of each chunk
  Shadow shadow;
  shadow.bits.b[0][1] = ~0u; // K = 2 and 3 of column 0
  EXPECT_TRUE(getTainted(f16, warp, shadow).empty());
  warp.metadata[0] = 0x44440000 + 0x444C; // row 0 stores places 0 and 3
  EXPECT_EQ(getTainted(f16, warp, shadow),
            (std::set<std::pair<int, int>>{{0, 0}}));
  Shadow metadata;
  metadata.bits.metadata[1] = 0x10000; // row 8, second half of K
  auto tainted = getTainted(f16, warp, metadata);
  EXPECT_EQ(tainted.size(), 8u);
  EXPECT_EQ(tainted.begin()->first, 8);
}

/// Flipping undefined bits never changes what is called defined.
TEST(MmaTaint, DefinedResultsDoNotDependOnUndefinedBits) {
  std::mt19937_64 random(17);
  const MmaDescriptor descriptor = makeNVFP4();
  auto plan = MmaPlan::create(descriptor);
  for (int round = 0; round < 200; ++round) {
    Warp warp;
    Shadow shadow;
    for (int lane = 0; lane < 32; ++lane) {
      for (int reg = 0; reg < 4; ++reg) {
        warp.a[reg][lane] = uint32_t(random() & random());
        warp.b[reg][lane] = uint32_t(random() & random());
        warp.c[reg][lane] = bitsOfFloat(float(int(random() % 100)));
        if (random() % 32 == 0)
          shadow.bits.a[reg][lane] = uint32_t(random() & random());
        if (random() % 64 == 0)
          shadow.bits.b[reg][lane] = uint32_t(random() & random());
      }
      for (int i = 0; i < 32; i += 8) {
        warp.scaleA[lane] |= uint32_t(random() % 2 ? 0 : random() % 128) << i;
        warp.scaleB[lane] |= uint32_t(random() % 2 ? 0 : random() % 128) << i;
      }
    }
    const auto tainted = getTainted(descriptor, warp, shadow);
    const MmaMode mode = {round % 2 ? Accumulation::Exact
                                    : Accumulation::Hardware,
                          TensorCore::Blackwell};
    ASSERT_TRUE(plan->execute(warp.getInputs(), mode, warp.getOutputs()).ok());
    Warp flipped = warp;
    for (int reg = 0; reg < 4; ++reg)
      for (int lane = 0; lane < 32; ++lane) {
        flipped.a[reg][lane] ^= shadow.bits.a[reg][lane];
        flipped.b[reg][lane] ^= shadow.bits.b[reg][lane];
      }
    ASSERT_TRUE(
        plan->execute(flipped.getInputs(), mode, flipped.getOutputs()).ok());
    const auto before = readD(descriptor, warp);
    const auto after = readD(descriptor, flipped);
    for (int i = 0; i < 128; ++i)
      if (!tainted.count({i / 8, i % 8}))
        EXPECT_EQ(before[i], after[i]);
  }
}

} // namespace
