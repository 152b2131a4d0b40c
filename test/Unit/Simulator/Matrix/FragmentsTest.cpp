//===- FragmentsTest.cpp - Which lane holds which element -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formulas of Fragments.h against the manual's tables (MmaReference.cpp),
// for every shape and type, and a few positions written out.
//
//===----------------------------------------------------------------------===//

#include "MmaReference.h"

#include <gtest/gtest.h>

#include <set>

using namespace nvfp4::ptx;
using namespace nvfp4::ptx::test;
using Type = ElementType;

namespace {

struct Case {
  Type type;
  MatrixShape shape;
  MmaKind kind = MmaKind::Plain;
};

constexpr Case kCases[] = {
    {Type::F64, {8, 8, 4}},
    {Type::F64, {16, 8, 4}},
    {Type::F64, {16, 8, 8}},
    {Type::F64, {16, 8, 16}},
    {Type::TF32, {16, 8, 4}},
    {Type::TF32, {16, 8, 8}},
    {Type::F16, {16, 8, 8}},
    {Type::BF16, {16, 8, 16}},
    {Type::E4M3, {16, 8, 16}},
    {Type::E5M2, {16, 8, 32}},
    {Type::S8, {8, 8, 16}},
    {Type::U8, {16, 8, 16}},
    {Type::S8, {16, 8, 32}},
    {Type::S4, {8, 8, 32}},
    {Type::U4, {16, 8, 32}},
    {Type::S4, {16, 8, 64}},
    {Type::B1, {8, 8, 128}},
    {Type::B1, {16, 8, 128}},
    {Type::B1, {16, 8, 256}},
    {Type::E2M1, {16, 8, 32}, MmaKind::F8F6F4},
    {Type::E2M1, {16, 8, 64}, MmaKind::MXF4NVF4},
};

TEST(Fragments, AgreeWithTheManualAndCoverTheMatrices) {
  for (const Case &test : kCases) {
    MmaDescriptor descriptor = {test.shape, test.type, test.type, Type::F32,
                                Type::F32};
    descriptor.kind = test.kind;
    const int bits = getBits(descriptor, test.type);
    const int width = test.type == Type::F64 ? 64 : 32;
    std::set<std::pair<int, int>> seenA, seenB;
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < width / bits; ++i) {
        for (int reg = 0; reg < getNumRegistersA(test.shape, bits, width);
             ++reg) {
          auto place =
              getPositionA(test.shape, bits, width, lane, reg, i * bits);
          EXPECT_EQ(place, placeA(descriptor, lane, reg, i));
          seenA.insert({place.row, place.col});
        }
        for (int reg = 0; reg < getNumRegistersB(test.shape, bits, width);
             ++reg) {
          auto place = getPositionB(bits, width, lane, reg, i * bits);
          EXPECT_EQ(place, placeB(descriptor, lane, reg, i));
          seenB.insert({place.row, place.col});
        }
      }
    EXPECT_EQ(int(seenA.size()), test.shape.m * test.shape.k);
    EXPECT_EQ(int(seenB.size()), test.shape.n * test.shape.k);
    EXPECT_EQ(seenA.rbegin()->first, test.shape.m - 1);
    EXPECT_EQ(seenB.rbegin()->first, test.shape.k - 1);
  }
}

TEST(Fragments, AccumulatorsAgreeWithTheManual) {
  const MmaDescriptor descriptor = {
      {16, 8, 16}, Type::F16, Type::F16, Type::F32, Type::F32};
  for (int lane = 0; lane < 32; ++lane)
    for (int reg = 0; reg < 4; ++reg) {
      EXPECT_EQ(getPositionC(false, lane, reg, 0),
                placeC(descriptor, false, lane, reg, 0));
      EXPECT_EQ(getPositionC(true, lane, reg / 2, reg % 2 * 16),
                placeC(descriptor, true, lane, reg / 2, reg % 2));
    }
}

TEST(Fragments, PositionsWrittenOut) {
  // m16n8k64, lane 13 (group 3, second pair): nibble 5 of a3 and of b1.
  EXPECT_EQ(getPositionA({16, 8, 64}, 4, 32, 13, 3, 20),
            (MatrixPosition{11, 45}));
  EXPECT_EQ(getPositionB(4, 32, 13, 1, 20), (MatrixPosition{45, 3}));
  EXPECT_EQ(getPositionC(false, 13, 2, 0), (MatrixPosition{11, 2}));
  EXPECT_EQ(getScaleLaneA(/*row=*/12, /*threadId=*/1), 4 * 4 + 3);
  EXPECT_EQ(getScaleLaneB(/*col=*/7, /*threadId=*/2), 30);
}

} // namespace
