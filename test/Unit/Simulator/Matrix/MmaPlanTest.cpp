//===- MmaPlanTest.cpp - Which matrix instructions exist ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Register counts of what exists, and what is said about the rest.
//
//===----------------------------------------------------------------------===//

#include "Matrix/Mma.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::ptx;
using Type = ElementType;

namespace {

MmaDescriptor make(MatrixShape shape, Type type, Type accumulator) {
  return {shape, type, type, accumulator, accumulator};
}

TEST(MmaPlan, CountsRegisters) {
  const struct {
    MmaDescriptor descriptor;
    int a, b, c;
  } cases[] = {
      {make({16, 8, 16}, Type::F16, Type::F32), 4, 2, 4},
      {make({16, 8, 16}, Type::F16, Type::F16), 4, 2, 2},
      {make({16, 8, 8}, Type::BF16, Type::F32), 2, 1, 4},
      {make({16, 8, 4}, Type::TF32, Type::F32), 2, 1, 4},
      {make({16, 8, 32}, Type::S8, Type::S32), 4, 2, 4},
      {make({8, 8, 16}, Type::S8, Type::S32), 1, 1, 2},
      {make({8, 8, 4}, Type::F64, Type::F64), 1, 1, 2},
      {make({16, 8, 16}, Type::F64, Type::F64), 8, 4, 4},
  };
  for (const auto &test : cases) {
    auto plan = MmaPlan::create(test.descriptor);
    ASSERT_TRUE(plan.ok()) << plan.getMessage();
    EXPECT_EQ(plan->getNumRegistersA(), test.a);
    EXPECT_EQ(plan->getNumRegistersB(), test.b);
    EXPECT_EQ(plan->getNumRegistersC(), test.c);
    EXPECT_EQ(plan->getNumRegistersD(), test.c);
  }
}

TEST(MmaPlan, NamesWhatIsLegal) {
  EXPECT_EQ(
      MmaPlan::create(make({16, 8, 64}, Type::S8, Type::S32)).getMessage(),
      "mma: expected shape m8n8k16, shape m16n8k16 or shape m16n8k32, "
      "but got m16n8k64");
  EXPECT_EQ(
      MmaPlan::create(make({16, 8, 16}, Type::BF16, Type::F16)).getMessage(),
      "mma: expected accumulators of f32, but got D of f16 and C of f16");
  MmaDescriptor scaled = make({16, 8, 64}, Type::E2M1, Type::F32);
  scaled.kind = MmaKind::MXF4NVF4;
  scaled.scaleType = ScaleType::UE4M3;
  scaled.scaleVec = 2;
  EXPECT_EQ(MmaPlan::create(scaled).getMessage(),
            "mma: expected scale_vec::2X with ue8m0, scale_vec::4X with ue4m3 "
            "or scale_vec::4X with ue8m0, but got scale_vec::2X with ue4m3");
  MmaDescriptor mixed = make({16, 8, 16}, Type::F16, Type::F32);
  mixed.b = Type::BF16;
  EXPECT_FALSE(MmaPlan::create(mixed).ok());
  MmaDescriptor saturating = make({16, 8, 16}, Type::F16, Type::F32);
  saturating.satfinite = true;
  EXPECT_EQ(MmaPlan::create(saturating).getMessage(),
            "mma: expected .satfinite with integer elements only, but got "
            "elements of f16");
  EXPECT_EQ(
      MmaPlan::create(make({16, 8, 256}, Type::B1, Type::S32)).getMessage(),
      "mma: expected .xor.popc or .and.popc exactly with b1 elements, "
      "but got neither with elements of b1");
  MmaDescriptor transposed = make({16, 8, 16}, Type::F16, Type::F32);
  transposed.layoutB = MatrixLayout::Row;
  EXPECT_EQ(MmaPlan::create(transposed).getMessage(),
            "mma: expected layouts .row.col, but got .row.row");
}

} // namespace
