//===- TensorProductTest.cpp - Descriptors of tcgen05.mma -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every field of an instruction descriptor, alone; layouts and sums are
// compared with NumPy: test/Simulator/Blackwell.
//
//===----------------------------------------------------------------------===//

#include "Matrix/TensorProduct.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::ptx;

using T = ElementType;

static Status decode(uint32_t bits, TensorKind kind, TensorDescriptor &result,
                     int ctas = 1, int scales = 0) {
  result = TensorDescriptor();
  result.kind = kind;
  result.ctas = ctas;
  result.scalesPerLine = scales;
  return decodeTensorDescriptor(bits, result);
}

/// The error, or "".
static std::string check(uint32_t bits, TensorKind kind, int ctas = 1,
                         int scales = 0) {
  TensorDescriptor result;
  Status status = decode(bits, kind, result, ctas, scales);
  return status.ok() ? "" : status.getMessage();
}

/// Fields that are no flags.
static uint32_t make(int m, int n, uint32_t a, uint32_t b, uint32_t d) {
  return uint32_t(m) / 16 << 24 | uint32_t(n) / 8 << 17 | b << 10 | a << 7 |
         d << 4;
}
static uint32_t makeScaled(int m, int n, uint32_t a, uint32_t b) {
  return uint32_t(m) / 128 << 27 | uint32_t(n) / 8 << 17 | b << 10 | a << 7;
}

TEST(TensorProductTest, ReadsFieldsOfPlainKinds) {
  TensorDescriptor form;
  ASSERT_TRUE(
      decode(make(128, 208, 0, 1, 1) | 1 << 13 | 1 << 16, TensorKind::F16, form)
          .ok());
  EXPECT_EQ(form.m, 128);
  EXPECT_EQ(form.n, 208);
  EXPECT_EQ(form.a, T::F16);
  EXPECT_EQ(form.b, T::BF16);
  EXPECT_EQ(form.d, T::F32);
  EXPECT_TRUE(form.negatesA && !form.negatesB);
  EXPECT_TRUE(!form.transposesA && form.transposesB);
  ASSERT_TRUE(
      decode(make(64, 24, 2, 2, 1) | 1 << 14 | 1 << 15, TensorKind::TF32, form)
          .ok());
  EXPECT_EQ(form.a, T::TF32);
  EXPECT_TRUE(form.negatesB && form.transposesA);
  ASSERT_TRUE(
      decode(make(256, 32, 1, 0, 2) | 1 << 3, TensorKind::I8, form, 2).ok());
  EXPECT_EQ(form.a, T::S8);
  EXPECT_EQ(form.b, T::U8);
  EXPECT_EQ(form.d, T::S32);
  EXPECT_TRUE(form.saturates);
  EXPECT_EQ(form.getRowsPerCta(), 128);
  EXPECT_EQ(form.getColumnsPerCta(), 16);
}

TEST(TensorProductTest, ReadsTypesOfEightBitsAndLess) {
  const std::pair<uint32_t, T> kTypes[] = {
      {0, T::E4M3}, {1, T::E5M2}, {3, T::E2M3}, {4, T::E3M2}, {5, T::E2M1}};
  TensorDescriptor form;
  for (auto [code, type] : kTypes) {
    ASSERT_TRUE(
        decode(make(128, 16, code, 0, 0), TensorKind::F8F6F4, form).ok());
    EXPECT_EQ(form.a, type);
    EXPECT_EQ(form.d, T::F16);
    ASSERT_TRUE(decode(makeScaled(128, 8, 0, code) | 1 << 23,
                       TensorKind::MXF8F6F4, form, 1, 1)
                    .ok());
    EXPECT_EQ(form.b, type);
  }
  EXPECT_NE(check(make(128, 16, 2, 0, 1), TensorKind::F8F6F4), "");
  EXPECT_NE(check(make(128, 16, 6, 0, 1), TensorKind::F8F6F4), "");
}

TEST(TensorProductTest, ReadsFieldsOfScaledKinds) {
  TensorDescriptor form;
  // The worked values of the large tiles.
  ASSERT_TRUE(decode(0x08400480, TensorKind::MXF4NVF4, form, 1, 4).ok());
  EXPECT_EQ(form.m, 128);
  EXPECT_EQ(form.n, 256);
  EXPECT_EQ(form.scaleType, ScaleType::UE4M3);
  ASSERT_TRUE(decode(0x10400480, TensorKind::MXF4NVF4, form, 2, 4).ok());
  EXPECT_EQ(form.m, 256);
  ASSERT_TRUE(
      decode(0x08C00480 | 2 << 4 | 2u << 29, TensorKind::MXF4, form, 1, 2)
          .ok());
  EXPECT_EQ(form.scaleType, ScaleType::UE8M0);
  EXPECT_EQ(form.scaleIdA, 2u);
  EXPECT_EQ(form.scaleIdB, 2u);
  ASSERT_TRUE(decode(makeScaled(128, 8, 0, 0) | 1 << 23 | 3 << 4 | 1u << 29,
                     TensorKind::MXF8F6F4, form, 1, 1)
                  .ok());
  EXPECT_EQ(form.scaleIdA, 1u);
  EXPECT_EQ(form.scaleIdB, 3u);
}

TEST(TensorProductTest, RefusesEveryReservedBit) {
  const uint32_t plain = make(128, 64, 0, 0, 1);
  for (unsigned bit : {0, 1, 2, 3, 6, 23, 29, 30, 31})
    EXPECT_NE(check(plain | 1u << bit, TensorKind::F16), "") << bit;
  const uint32_t bytes = make(128, 64, 0, 0, 2);
  for (unsigned bit : {0, 1, 2, 6, 13, 14, 23, 29, 30, 31})
    EXPECT_NE(check(bytes | 1u << bit, TensorKind::I8), "") << bit;
  const uint32_t scaled = makeScaled(128, 64, 1, 1);
  for (unsigned bit : {0, 1, 2, 3, 6, 12, 15, 16, 24, 25, 26, 31})
    EXPECT_NE(check(scaled | 1u << bit, TensorKind::MXF4NVF4, 1, 4), "") << bit;
  const uint32_t eight = makeScaled(128, 64, 0, 0) | 1 << 23;
  for (unsigned bit : {0, 1, 2, 3, 6, 24, 25, 26, 31})
    EXPECT_NE(check(eight | 1u << bit, TensorKind::MXF8F6F4, 1, 1), "") << bit;
}

TEST(TensorProductTest, KnowsShapes) {
  const auto plain = [](int m, int n, int ctas, TensorKind kind, uint32_t d) {
    uint32_t type = kind == TensorKind::TF32 ? 2 : 0;
    return check(make(m, n, type, type, d), kind, ctas).empty();
  };
  EXPECT_TRUE(plain(64, 8, 1, TensorKind::F16, 1));
  EXPECT_FALSE(plain(64, 4, 1, TensorKind::F16, 1));
  EXPECT_FALSE(plain(128, 24, 1, TensorKind::F16, 1));
  EXPECT_FALSE(plain(256, 16, 1, TensorKind::F16, 1));
  EXPECT_FALSE(plain(32, 64, 1, TensorKind::F16, 1));
  EXPECT_TRUE(plain(256, 16, 2, TensorKind::TF32, 1));
  EXPECT_FALSE(plain(64, 16, 2, TensorKind::TF32, 1));
  EXPECT_TRUE(plain(128, 24, 1, TensorKind::I8, 2));
  EXPECT_FALSE(plain(128, 40, 1, TensorKind::I8, 2));
  EXPECT_FALSE(plain(128, 16, 2, TensorKind::I8, 2));
  const auto scaled = [](int m, int n, int ctas) {
    return check(makeScaled(m, n, 1, 1), TensorKind::MXF4NVF4, ctas, 4).empty();
  };
  EXPECT_TRUE(scaled(128, 8, 1) && scaled(128, 256, 1));
  EXPECT_TRUE(scaled(128, 16, 2) && scaled(256, 256, 2));
  EXPECT_FALSE(scaled(256, 64, 1) || scaled(128, 24, 2) || scaled(128, 0, 1));
  EXPECT_EQ(check(makeScaled(128, 264, 1, 1), TensorKind::MXF4NVF4, 1, 4),
            "expected M of 128 and N a multiple of 8 up to 256 in an "
            "instruction descriptor, but got M = 128, N = 264");
}

TEST(TensorProductTest, KnowsWhatGoesTogether) {
  const uint32_t scaled = makeScaled(128, 64, 1, 1);
  // Scale types and ids.
  EXPECT_NE(check(scaled, TensorKind::MXF4, 1, 2), "");
  EXPECT_NE(check(scaled, TensorKind::MXF4NVF4, 1, 2), "");
  EXPECT_EQ(check(scaled | 1 << 23, TensorKind::MXF4NVF4, 1, 2), "");
  EXPECT_NE(check(scaled | 1 << 23 | 1 << 4, TensorKind::MXF4, 1, 2), "");
  EXPECT_NE(check(scaled | 2 << 4, TensorKind::MXF4NVF4, 1, 4), "");
  EXPECT_NE(check(makeScaled(128, 64, 0, 0), TensorKind::MXF8F6F4, 1, 1), "");
  // Types.
  EXPECT_NE(check(make(128, 64, 1, 1, 0), TensorKind::F16), "");
  EXPECT_NE(check(make(128, 64, 0, 0, 2), TensorKind::F16), "");
  EXPECT_NE(check(make(128, 64, 2, 2, 0), TensorKind::TF32), "");
  EXPECT_NE(check(makeScaled(128, 64, 0, 1), TensorKind::MXF4, 1, 2), "");
  // Transposed elements have 8 bits at least; those of 8 want steps of 16.
  EXPECT_NE(check(make(128, 64, 5, 0, 1) | 1 << 15, TensorKind::F8F6F4), "");
  EXPECT_NE(check(make(64, 8, 0, 0, 1) | 1 << 16, TensorKind::F8F6F4), "");
  EXPECT_EQ(check(make(64, 16, 0, 0, 1) | 1 << 16, TensorKind::F8F6F4), "");
}

TEST(TensorProductTest, PlacesD) {
  TensorDescriptor form;
  ASSERT_TRUE(decode(make(64, 64, 0, 0, 1), TensorKind::F16, form).ok());
  EXPECT_EQ(form.getLane(15, 0), 15);
  EXPECT_EQ(form.getLane(16, 0), 32);
  EXPECT_EQ(form.getLane(63, 63), 111);
  ASSERT_TRUE(decode(make(128, 64, 0, 0, 1), TensorKind::F16, form, 2).ok());
  EXPECT_EQ(form.getRowsPerCta(), 64);
  EXPECT_EQ(form.getColumnsOfD(), 32);
  EXPECT_EQ(form.getLane(5, 31), 5);
  EXPECT_EQ(form.getLane(5, 32), 69);
  EXPECT_EQ(form.getColumn(32), 0);
}

TEST(TensorProductTest, DecodesMatrixDescriptors) {
  const auto swizzle = [](uint64_t code, SharedMatrix &matrix) {
    return SharedMatrix::decodeTcgen05(
        0x40 | uint64_t(8) << 16 | uint64_t(64) << 32 | uint64_t(1) << 46 |
            uint64_t(5) << 49 | code << 61,
        matrix);
  };
  SharedMatrix matrix;
  ASSERT_TRUE(swizzle(2, matrix));
  EXPECT_EQ(matrix.start, 0x400u);
  EXPECT_EQ(matrix.leading, 128u);
  EXPECT_EQ(matrix.stride, 1024u);
  EXPECT_EQ(matrix.baseOffset, 5u);
  EXPECT_EQ(matrix.swizzle, 3u);
  EXPECT_FALSE(matrix.isCoarse);
  const std::pair<uint64_t, uint32_t> kCodes[] = {
      {0, 0}, {1, 3}, {4, 2}, {6, 1}};
  for (auto [code, exponent] : kCodes) {
    ASSERT_TRUE(swizzle(code, matrix));
    EXPECT_EQ(matrix.swizzle, exponent);
    EXPECT_EQ(matrix.isCoarse, code == 1);
  }
  for (uint64_t code : {3, 5, 7})
    EXPECT_FALSE(swizzle(code, matrix));
}

TEST(TensorProductTest, UnpacksNarrowElements) {
  uint8_t packed[17] = {0x21, 0x43, 0, 0, 0, 0, 0, 0xF0}, bytes[16];
  unpackChunk(T::E2M1, packed, bytes);
  EXPECT_EQ(bytes[0], 1 << 2);
  EXPECT_EQ(bytes[1], 2 << 2);
  EXPECT_EQ(bytes[3], 4 << 2);
  EXPECT_EQ(bytes[15], 15 << 2);
  // 63, 0, 1: bits 0 to 5, 6 to 11, 12 to 17.
  std::fill(std::begin(packed), std::end(packed), uint8_t(0));
  packed[0] = 0x3F, packed[1] = 0x10;
  unpackChunk(T::E3M2, packed, bytes);
  EXPECT_EQ(bytes[0], 63);
  EXPECT_EQ(bytes[1], 0);
  EXPECT_EQ(bytes[2], 1);
}
