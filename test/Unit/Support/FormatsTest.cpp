//===- FormatsTest.cpp - The table of formats and global scales -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/Formats.h"

#include "gtest/gtest.h"

#include <cfloat>
#include <limits>

using namespace nvfp4;

namespace {

using Convention = GlobalScaleConvention;

TEST(Formats, TableIsFoundByName) {
  size_t count = 0;
  const BlockFormat *formats = getFormats(count);
  ASSERT_GE(count, 3u);
  for (size_t i = 0; i < count; ++i)
    EXPECT_EQ(findFormat(formats[i].name), &formats[i]);
  EXPECT_EQ(findFormat("fp4"), nullptr);
  EXPECT_EQ(findFormat("nvfp4"), &getNVFP4Format());
  EXPECT_EQ(findFormat("mxfp4"), &getMXFP4Format());
  EXPECT_EQ(getNVFP4Format().getMaxProduct(), 2688.0f);
  EXPECT_EQ(getNVFP4Format().withScaleBound(256).getMaxProduct(), 1536.0f);
  EXPECT_NE(getNVFP4Format().withBlock(16, 16), getNVFP4Format());
}

TEST(Formats, NamesRoundTrip) {
  for (Convention convention :
       {Convention::Amax, Convention::Multiply, Convention::Divide})
    EXPECT_EQ(parseConvention(stringifyConvention(convention)), convention);
  for (GlobalScaleGranularity granularity :
       {GlobalScaleGranularity::None, GlobalScaleGranularity::Tensor,
        GlobalScaleGranularity::Row})
    EXPECT_EQ(parseGranularity(stringifyGranularity(granularity)), granularity);
  EXPECT_EQ(parseConvention(""), std::nullopt);
}

TEST(GlobalScale, AmaxIsTheGoldenChain) {
  GlobalScaleFactors factors =
      getGlobalScaleFactors(21.0f, Convention::Amax, 448.0f);
  EXPECT_EQ(factors.encode, 128.0f);
  EXPECT_EQ(factors.decode, 0.0078125f);
  factors = getGlobalScaleFactors(48.0f, Convention::Amax, 256.0f);
  EXPECT_EQ(factors.encode, 32.0f);
}

TEST(GlobalScale, Edges) {
  const float inf = std::numeric_limits<float>::infinity();
  for (Convention convention :
       {Convention::Amax, Convention::Multiply, Convention::Divide}) {
    GlobalScaleFactors zero = getGlobalScaleFactors(0.0f, convention, 448.0f);
    EXPECT_EQ(zero.encode, 1.0f);
    EXPECT_EQ(zero.decode, 1.0f);
  }
  // An infinite maximum: 2688/inf is 0.
  EXPECT_EQ(getGlobalScaleFactors(inf, Convention::Amax, 448.0f).encode, 1.0f);
  // Below about 7.9e-36 the factor is clamped.
  GlobalScaleFactors tiny =
      getGlobalScaleFactors(1e-37f, Convention::Amax, 448.0f);
  EXPECT_EQ(tiny.encode, FLT_MAX);
  EXPECT_EQ(tiny.decode, 1.0f / FLT_MAX);
  EXPECT_EQ(getGlobalScaleFactors(1e-41f, Convention::Multiply, 448.0f).encode,
            FLT_MAX);
}

TEST(GlobalScale, ConventionsDescribeTheSameTensor) {
  // A = 42: 2688/42 = 64, a power of two, so all three are exact.
  const float amax = 42.0f;
  for (Convention convention :
       {Convention::Amax, Convention::Multiply, Convention::Divide}) {
    float g = globalScaleFromAmax(amax, convention, 448.0f);
    GlobalScaleFactors factors = getGlobalScaleFactors(g, convention, 448.0f);
    EXPECT_EQ(factors.encode, 64.0f);
    EXPECT_EQ(factors.decode, 0.015625f);
    EXPECT_EQ(decodedBlockScale(64.0f, g, convention, 448.0f), 1.0f);
  }
  EXPECT_EQ(globalScaleFromAmax(amax, Convention::Multiply, 448.0f), 0.015625f);
  EXPECT_EQ(globalScaleFromAmax(amax, Convention::Divide, 448.0f), 64.0f);
}

TEST(GlobalScale, DecodedBlockScaleIsOrderedAsDocumented) {
  // volatile keeps the compiler from evaluating in another way.
  volatile float v = 352.0f, a = 1.09375f, p = 2688.0f;
  volatile float product = v * a;
  volatile float inverse = 1.0f / p;
  EXPECT_EQ(
      decodedBlockScale(getNVFP4Format(), 0x7B, 1.09375f, Convention::Amax),
      product * inverse);
  EXPECT_EQ(
      decodedBlockScale(getNVFP4Format(), 0x7B, 3.0f, Convention::Multiply),
      352.0f * 3.0f);
  EXPECT_EQ(decodedBlockScale(getNVFP4Format(), 0x7B, 3.0f, Convention::Divide),
            352.0f / 3.0f);
  EXPECT_EQ(decodedBlockScale(getMXFP4Format(), 0x80, 3.0f, Convention::Amax),
            2.0f);
}

TEST(GlobalScale, MatmulAlpha) {
  // Example F: 21 * 42 / 2688^2 = 2^-13.
  GlobalScale lhs{21.0f, Convention::Amax, 448.0f};
  GlobalScale rhs{42.0f, Convention::Amax, 448.0f};
  EXPECT_NEAR(getMatmulAlpha(&lhs, &rhs), 0x1p-13f, 0x1p-36f);
  EXPECT_EQ(getMatmulAlpha(nullptr, nullptr), 1.0f);
  GlobalScale multiply{0.25f, Convention::Multiply, 448.0f};
  GlobalScale divide{8.0f, Convention::Divide, 448.0f};
  EXPECT_EQ(getMatmulAlpha(&multiply, &divide), 0.03125f);
  EXPECT_EQ(getMatmulAlpha(&multiply, nullptr), 0.25f);
}

} // namespace
