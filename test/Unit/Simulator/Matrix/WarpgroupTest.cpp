//===- WarpgroupTest.cpp - Matrix descriptors and forms of wgmma ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums, and layouts by the thousand, are compared with a chip:
// test/Simulator/Hopper.
//
//===----------------------------------------------------------------------===//

#include "Matrix/Warpgroup.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::ptx;

/// Offsets in bytes; a swizzle of 0, 32, 64 or 128 bytes.
static SharedMatrix decode(uint64_t start, uint64_t leading, uint64_t stride,
                           unsigned swizzle, uint64_t base = 0) {
  const uint64_t code = swizzle == 128  ? 1
                        : swizzle == 64 ? 2
                        : swizzle == 32 ? 3
                                        : 0;
  return SharedMatrix::decode(start >> 4 | leading >> 4 << 16 |
                              stride >> 4 << 32 | base << 49 | code << 62);
}

TEST(WarpgroupTest, FindsChunksWithoutASwizzle) {
  auto chunks = decode(1024, 128, 256, 0).listChunks(16, false);
  ASSERT_EQ(chunks.size(), 32u);
  EXPECT_EQ(chunks[0], 1024u);
  EXPECT_EQ(chunks[1], 1024u + 128); // the second chunk of K
  EXPECT_EQ(chunks[2], 1024u + 16);  // the next line
  EXPECT_EQ(chunks[16], 1024u + 256);
  // Lines are contiguous: the offsets change their roles.
  chunks = decode(1024, 128, 256, 0).listChunks(16, true);
  EXPECT_EQ(chunks[1], 1024u + 256); // the next eight lines
  EXPECT_EQ(chunks[2], 1024u + 16);  // the next element of K
  EXPECT_EQ(chunks[16], 1024u + 128);
}

TEST(WarpgroupTest, ExchangesChunksByTheRowOfThePattern) {
  auto chunks = decode(2048, 16, 1024, 128).listChunks(16, false);
  EXPECT_EQ(chunks[0], 2048u);
  EXPECT_EQ(chunks[1], 2048u + 16);
  EXPECT_EQ(chunks[2], 2048u + 128 + 16); // row 1: chunk 0 is at 1
  EXPECT_EQ(chunks[3], 2048u + 128);
  EXPECT_EQ(chunks[14], 2048u + 7 * 128 + 7 * 16);
  EXPECT_EQ(chunks[16], 2048u + 1024);
  // The next step of K begins 32 bytes further.
  EXPECT_EQ(decode(2048 + 32, 16, 1024, 128).listChunks(16, false)[2],
            2048u + 128 + 3 * 16);
  EXPECT_EQ(decode(2048, 16, 512, 64).listChunks(16, false)[4],
            2048u + 128 + 16);
  EXPECT_EQ(decode(2048, 16, 256, 32).listChunks(16, false)[8],
            2048u + 128 + 16);
  // The pattern begins one row later.
  EXPECT_EQ(decode(2048 + 128, 16, 1024, 128, 1).listChunks(16, false)[0],
            2048u + 128);
}

TEST(WarpgroupTest, ReadsLinesOfBothLayouts) {
  // Element (line, k) is 16 * line + k.
  uint16_t plain[16 * 16], transposed[16 * 16];
  for (int line = 0; line < 16; ++line)
    for (int k = 0; k < 16; ++k)
      plain[line * 16 + k] = transposed[k * 16 + line] =
          uint16_t(16 * line + k);
  uint32_t lines[2][16 * kLineWords];
  gatherLines(reinterpret_cast<const uint8_t *>(plain), 16, false, lines[0]);
  gatherLines(reinterpret_cast<const uint8_t *>(transposed), 16, true,
              lines[1]);
  for (int i = 0; i < 16 * kLineWords; ++i) {
    EXPECT_EQ(lines[0][i], uint32_t(2 * i) | uint32_t(2 * i + 1) << 16);
    EXPECT_EQ(lines[1][i], lines[0][i]);
  }
}

TEST(WarpgroupTest, KnowsWhatExists) {
  using T = ElementType;
  const auto check = [](MatrixShape shape, T d, T a, T b) {
    WarpgroupDescriptor descriptor;
    descriptor.shape = shape;
    descriptor.d = d, descriptor.a = a, descriptor.b = b;
    Status status = checkWarpgroupDescriptor(descriptor);
    return status.ok() ? std::string() : status.getMessage();
  };
  EXPECT_EQ(check({64, 248, 16}, T::F32, T::BF16, T::BF16), "");
  EXPECT_EQ(check({64, 8, 32}, T::F16, T::E4M3, T::E5M2), "");
  EXPECT_EQ(check({64, 24, 32}, T::S32, T::S8, T::U8), "");
  EXPECT_EQ(check({64, 12, 16}, T::F32, T::F16, T::F16),
            "expected shape m64nNk16 with N a multiple of 8 up to 256, but got "
            "m64n12k16");
  EXPECT_EQ(check({64, 40, 32}, T::S32, T::S8, T::S8),
            "expected shape m64nNk32 with N of 8, 16, 24 or a multiple of 16 "
            "up to 256, but got m64n40k32");
  EXPECT_NE(check({64, 8, 16}, T::F16, T::BF16, T::BF16), "");
  EXPECT_NE(check({64, 8, 16}, T::F32, T::F16, T::BF16), "");
}
