//===- MatrixDescriptorsTest.cpp - Every field of every descriptor --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fields are compared with the bits of the manual's tables, written out here,
// and whole words with ones that were computed by hand.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/MatrixDescriptors.h"

#include "gtest/gtest.h"

using namespace nvfp4;

namespace {

constexpr uint64_t kBase = uint64_t(1) << 46;

uint64_t encode(SharedMatrixDescriptor matrix) {
  return encodeForTensorMemory(matrix).value_or(~uint64_t(0));
}

TEST(MatrixDescriptors, SharedAddress) {
  EXPECT_EQ(encode({.address = 0x10}), kBase | 1);
  EXPECT_EQ(encode({.address = 0x3FFF0}), kBase | 0x3FFF);
  // The rank of a CTA in its cluster is no part of the address.
  EXPECT_EQ(encode({.address = 0x1000400}), kBase | 0x40);
  EXPECT_FALSE(encodeForTensorMemory({.address = 8}));
}

TEST(MatrixDescriptors, SharedDistances) {
  EXPECT_EQ(encode({.leadingBytes = 16}), kBase | 1 << 16);
  EXPECT_EQ(encode({.leadingBytes = 0x3FFF0}), kBase | uint64_t(0x3FFF) << 16);
  EXPECT_FALSE(encodeForTensorMemory({.leadingBytes = 0x40000}));
  EXPECT_FALSE(encodeForTensorMemory({.leadingBytes = 20}));
  EXPECT_EQ(encode({.strideBytes = 1024}), kBase | uint64_t(64) << 32);
  EXPECT_EQ(encode({.strideBytes = 0x3FFF0}), kBase | uint64_t(0x3FFF) << 32);
  EXPECT_FALSE(encodeForTensorMemory({.strideBytes = 0x40000}));
  EXPECT_FALSE(encodeForTensorMemory({.strideBytes = 8}));
  EXPECT_EQ(getDescriptorDistance(32), 2);
}

TEST(MatrixDescriptors, SharedSwizzle) {
  for (unsigned offset = 0; offset < 8; ++offset)
    EXPECT_EQ(encode({.baseOffset = offset}), kBase | uint64_t(offset) << 49);
  EXPECT_FALSE(encodeForTensorMemory({.baseOffset = 8}));
  const std::pair<MatrixSwizzle, uint64_t> codes[] = {
      {MatrixSwizzle::None, 0},
      {MatrixSwizzle::Bytes128Atom32, 1},
      {MatrixSwizzle::Bytes128, 2},
      {MatrixSwizzle::Bytes64, 4},
      {MatrixSwizzle::Bytes32, 6}};
  for (auto [swizzle, code] : codes)
    EXPECT_EQ(encode({.swizzle = swizzle}), kBase | code << 61);
}

TEST(MatrixDescriptors, Warpgroup) {
  // No constant, and two bits of swizzle: 1 is 128 bytes, 2 is 64, 3 is 32.
  const std::pair<MatrixSwizzle, uint64_t> codes[] = {
      {MatrixSwizzle::None, 0},
      {MatrixSwizzle::Bytes128, 1},
      {MatrixSwizzle::Bytes64, 2},
      {MatrixSwizzle::Bytes32, 3}};
  for (auto [swizzle, code] : codes)
    EXPECT_EQ(encodeForWarpgroup({.swizzle = swizzle}), code << 62);
  EXPECT_FALSE(encodeForWarpgroup({.swizzle = MatrixSwizzle::Bytes128Atom32}));
  EXPECT_EQ(encodeForWarpgroup({.address = 0x400,
                                .leadingBytes = 16,
                                .strideBytes = 1024,
                                .swizzle = MatrixSwizzle::Bytes128}),
            0x4000004000010040u);
}

TEST(MatrixDescriptors, ScaledProductWords) {
  EXPECT_EQ(encodeProduct(ScaledProductDescriptor{.columns = 128}),
            0x08200480u);
  EXPECT_EQ(encodeProduct(ScaledProductDescriptor{.columns = 256}),
            0x08400480u);
  EXPECT_EQ(encodeProduct(ScaledProductDescriptor{.rows = 256, .columns = 256}),
            0x10400480u);
  EXPECT_EQ(encodeProduct(
                ScaledProductDescriptor{.columns = 256, .hasE8M0Scales = true}),
            0x08C00480u);
}

TEST(MatrixDescriptors, ScaledProductFields) {
  constexpr uint32_t kWord = 0x08000480;
  for (uint32_t columns = 8; columns <= 256; columns += 8)
    EXPECT_EQ(encodeProduct(ScaledProductDescriptor{.columns = columns}),
              kWord | columns / 8 << 17);
  constexpr uint32_t kE8M0 = kWord | 1 << 17 | 1 << 23;
  ScaledProductDescriptor mx{.columns = 8, .hasE8M0Scales = true};
  mx.scaleIdA = 2;
  EXPECT_EQ(encodeProduct(mx), kE8M0 | uint32_t(2) << 29);
  mx.scaleIdA = 0, mx.scaleIdB = 2;
  EXPECT_EQ(encodeProduct(mx), kE8M0 | 2 << 4);
  mx.scaleIdB = 0, mx.negatesA = true;
  EXPECT_EQ(encodeProduct(mx), kE8M0 | 1 << 13);
  mx.negatesA = false, mx.negatesB = true;
  EXPECT_EQ(encodeProduct(mx), kE8M0 | 1 << 14);
}

TEST(MatrixDescriptors, ScaledProductErrors) {
  using Product = ScaledProductDescriptor;
  EXPECT_FALSE(encodeProduct(Product{.rows = 64, .columns = 128}));
  EXPECT_FALSE(encodeProduct(Product{.columns = 0}));
  EXPECT_FALSE(encodeProduct(Product{.columns = 12}));
  EXPECT_FALSE(encodeProduct(Product{.columns = 264}));
  EXPECT_FALSE(encodeProduct(Product{.rows = 256, .columns = 24}));
  // Scales of 16 elements fill a cell.
  EXPECT_FALSE(encodeProduct(Product{.columns = 128, .scaleIdA = 2}));
  EXPECT_FALSE(encodeProduct(
      Product{.columns = 128, .hasE8M0Scales = true, .scaleIdB = 1}));
  EXPECT_FALSE(encodeProduct(
      Product{.columns = 128, .hasE8M0Scales = true, .scaleIdB = 4}));
}

TEST(MatrixDescriptors, HalfProduct) {
  using Product = HalfProductDescriptor;
  constexpr uint32_t kF16 = 8 << 24 | 1 << 4 | 16 << 17;
  constexpr uint32_t kBF16 = kF16 | 1 << 7 | 1 << 10;
  EXPECT_EQ(encodeProduct(Product{.columns = 128}), kBF16);
  EXPECT_EQ(encodeProduct(Product{.columns = 128, .isBF16 = false}), kF16);
  EXPECT_EQ(encodeProduct(Product{.rows = 256, .columns = 128}),
            kBF16 + (8 << 24));
  EXPECT_EQ(encodeProduct(Product{.columns = 128, .negatesA = true}),
            kBF16 | 1 << 13);
  EXPECT_EQ(encodeProduct(Product{.columns = 128, .negatesB = true}),
            kBF16 | 1 << 14);
  EXPECT_EQ(encodeProduct(Product{.columns = 128, .transposesA = true}),
            kBF16 | 1 << 15);
  EXPECT_EQ(encodeProduct(Product{.columns = 128, .transposesB = true}),
            kBF16 | 1 << 16);
  EXPECT_FALSE(encodeProduct(Product{.columns = 8}));
  EXPECT_FALSE(encodeProduct(Product{.rows = 256, .columns = 16}));
}

} // namespace
