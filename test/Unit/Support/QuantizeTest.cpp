//===- QuantizeTest.cpp - Worked examples and properties ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The examples can be followed by hand. Each runs through the reference and
// through the vectors. The properties hold for every input of their kind.
//
//===----------------------------------------------------------------------===//

#include "TestMatrices.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <array>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

using Bytes = std::vector<uint8_t>;

/// Quantizes with both implementations, which must agree, and cuts off guards.
TestQuantized quantizeBoth(const QuantizeOptions &options,
                           const TestMatrix &matrix,
                           const std::vector<float> &globalScales) {
  EXPECT_TRUE(verifyQuantizeOptions(options).ok());
  TestQuantized expected =
      makeQuantized(options.format, matrix.rows, matrix.cols);
  TestQuantized actual = expected;
  quantizeReference(options, matrix.ref(), globalScales.data(), expected.ref());
  quantize(options, matrix.ref(), globalScales.data(), actual.ref());
  EXPECT_TRUE(expected == actual);
  expected.codes.resize(size_t(expected.layout.codeBytes));
  expected.scales.resize(size_t(expected.layout.scaleBytes));
  return expected;
}

std::vector<float> dequantizeBoth(const QuantizeOptions &options,
                                  const TestQuantized &source,
                                  const std::vector<float> &globalScales) {
  int64_t rows = source.layout.rows, cols = source.layout.cols;
  std::vector<float> expected(size_t(rows * cols)), actual(expected.size());
  dequantizeReference(options, source.constRef(), globalScales.data(),
                      {expected.data(), FloatType::F32, rows, cols, cols});
  dequantize(options, source.constRef(), globalScales.data(),
             {actual.data(), FloatType::F32, rows, cols, cols});
  EXPECT_EQ(expected, actual);
  return expected;
}

/// A block with `values` first and zeros behind.
TestMatrix makeBlock(std::vector<float> values, int64_t cols = 16) {
  values.resize(size_t(cols));
  return makeMatrix({values});
}

//===----------------------------------------------------------------------===//
// Worked examples of the fact sheet, section 10
//===----------------------------------------------------------------------===//

const std::vector<float> kExampleA = {3,     -3,   0.125, -0.125, 0.375, 0.625,
                                      0.875, 1.25, 1.75,  2.5,    -2.5,  0.25,
                                      0.5,   0.75, 1,     0};

TEST(Examples, A_EveryTie) {
  TestQuantized q = quantizeBoth({}, makeBlock(kExampleA), {21});
  EXPECT_EQ(q.scales, Bytes{0x68});
  EXPECT_EQ(q.codes, (Bytes{0xF7, 0x80, 0x22, 0x44, 0x66, 0x1E, 0x32, 0x04}));
  EXPECT_EQ(dequantizeBoth({}, q, {21}),
            (std::vector<float>{3, -3, 0, -0.0f, 0.5, 0.5, 1, 1, 2, 2, -2, 0.25,
                                0.5, 0.75, 1, 0}));
}

TEST(Examples, B_ScaleRounding) {
  struct Row {
    float amax;
    uint8_t scale;
    float encode, decoded;
  };
  const Row rows[] = {{21, 0x7E, 128.0f / 448.0f, 21},
                      {0.78125f, 0x58, 8, 0.75f},
                      {0.8125f, 0x59, 128.0f / 18.0f, 0.84375f},
                      {0.796875f, 0x58, 8, 0.75f}};
  for (const Row &row : rows) {
    BlockScale scale = chooseBlockScale(
        {}, row.amax,
        getGlobalScaleFactors(21, GlobalScaleConvention::Amax, kE4M3Max));
    EXPECT_EQ(scale.byte, row.scale);
    EXPECT_FLOAT_EQ(scale.encode, row.encode);
    TestQuantized q = quantizeBoth({}, makeBlock({row.amax}), {21});
    EXPECT_EQ(q.scales, Bytes{row.scale});
    EXPECT_EQ(q.getCode(0, 0), 7);
    EXPECT_FLOAT_EQ(dequantizeBoth({}, q, {21})[0], row.decoded);
  }
}

TEST(Examples, C_UnderflowingBlock) {
  const float b = 0x1p-11f * 6 / 128;
  TestQuantized q = quantizeBoth({}, makeBlock({b, -b / 2, 0}), {21});
  EXPECT_EQ(q.scales, Bytes{0x00});
  EXPECT_EQ(q.codes, (Bytes{0xF7, 0, 0, 0, 0, 0, 0, 0}));
  std::vector<float> values = dequantizeBoth({}, q, {21});
  EXPECT_EQ(bitsOfFloat(values[0]), bitsOfFloat(0.0f));
  EXPECT_EQ(bitsOfFloat(values[1]), bitsOfFloat(-0.0f));
}

TEST(Examples, D_ZeroBlock) {
  TestQuantized q = quantizeBoth({}, makeBlock({}), {21});
  EXPECT_EQ(q.scales, Bytes{0x00});
  EXPECT_EQ(q.codes, Bytes(8, 0));
  // A tensor of zeros.
  EXPECT_TRUE(q == quantizeBoth({}, makeBlock({}), {0}));
}

TEST(Examples, E_FourOverSix) {
  QuantizeOptions options;
  options.format = getNVFP4Format().withScaleBound(256);
  for (FourOverSix mode : {FourOverSix::MAE, FourOverSix::MSE}) {
    options.fourOverSix = mode;
    TestQuantized q = quantizeBoth(options, makeBlock({10, 20, 30, 40}), {48});
    EXPECT_EQ(q.scales, Bytes{0x7A});
    EXPECT_EQ(q.codes, (Bytes{0x42, 0x65, 0, 0, 0, 0, 0, 0}));
    std::vector<float> values = dequantizeBoth(options, q, {48});
    values.resize(4);
    EXPECT_EQ(values, (std::vector<float>{10, 20, 30, 40}));
  }
  options.fourOverSix = FourOverSix::Off;
  TestQuantized q = quantizeBoth(options, makeBlock({10, 20, 30, 40}), {48});
  EXPECT_EQ(q.scales, Bytes{0x75});
  EXPECT_EQ(q.codes, (Bytes{0x53, 0x76, 0, 0, 0, 0, 0, 0}));
}

TEST(Examples, F_DotProductAndAlpha) {
  TestQuantized lhs = quantizeBoth({}, makeBlock(kExampleA), {21});
  TestQuantized rhs = quantizeBoth({},
                                   makeBlock({1, 2, 3, 4, -1, -2, -3, -4, 0.5,
                                              1.5, 0.5, 1.5, 6, -6, 0.25, 0}),
                                   {42});
  EXPECT_EQ(rhs.scales, Bytes{0x68});
  const uint8_t codes[16] = {2, 4, 5, 6, 0xA, 0xC, 0xD, 0xE,
                             1, 3, 1, 3, 7,   0xF, 0,   0};
  float dot = 0;
  for (int64_t i = 0; i < 16; ++i) {
    EXPECT_EQ(rhs.getCode(0, i), codes[i]);
    dot += decodeE2M1(lhs.getCode(0, i)) * decodeE2M1(rhs.getCode(0, i));
  }
  EXPECT_EQ(dot, -19.25f);
  float scaled = dot * decodeE4M3(lhs.scales[0]) * decodeE4M3(rhs.scales[0]);
  EXPECT_EQ(scaled, -78848.0f);
  GlobalScale left{21, GlobalScaleConvention::Amax, kE4M3Max};
  GlobalScale right{42, GlobalScaleConvention::Amax, kE4M3Max};
  EXPECT_FLOAT_EQ(scaled * getMatmulAlpha(&left, &right), -9.625f);
}

TEST(Examples, G_StochasticRounding) {
  const float value = 1.3f;
  EXPECT_EQ(bitsOfFloat(value), 0x3FA66666u);
  for (int random = 0; random < 256; ++random)
    EXPECT_EQ(encodeE2M1Stochastic(value, uint8_t(random)),
              random >= 103 ? 3 : 2);
}

TEST(Examples, I_MXFP4) {
  QuantizeOptions options = getDefaultOptions(getMXFP4Format());
  struct Row {
    E8M0Rule rule;
    float amax;
    uint8_t scale;
    float decoded;
  };
  const Row rows[] = {{E8M0Rule::Floor, 7, 0x7F, 6},
                      {E8M0Rule::RoundUp, 7, 0x80, 8},
                      {E8M0Rule::Even, 7, 0x80, 8},
                      {E8M0Rule::Floor, 6.5f, 0x7F, 6},
                      {E8M0Rule::RoundUp, 6.5f, 0x80, 6},
                      {E8M0Rule::Even, 6.5f, 0x7F, 6},
                      // ceil(log2) in f32 would give 0x6E.
                      {E8M0Rule::RoundUp, 0x1.800002p-15f, 0x6F, 0x1.8p-15f}};
  for (const Row &row : rows) {
    options.e8m0Rule = row.rule;
    TestQuantized q = quantizeBoth(options, makeBlock({row.amax}, 32), {});
    EXPECT_EQ(q.scales, Bytes{row.scale});
    EXPECT_EQ(dequantizeBoth(options, q, {})[0], row.decoded);
  }
}

/// The exact terms of the two probes; what an accumulator makes of them is the
/// simulator's business.
TEST(Examples, J_BlockTerms) {
  auto product = [](uint8_t a, uint8_t b) {
    return double(decodeE2M1(a)) * double(decodeE2M1(b));
  };
  auto scales = [](uint8_t byte) {
    return double(decodeE4M3(byte)) * double(decodeE4M3(byte));
  };
  EXPECT_EQ(product(0x1, 0x9) * scales(0x01), -0x1p-20);
  EXPECT_EQ(product(0x2, 0x2) * scales(0x7E), 200704.0);
  EXPECT_EQ(product(0x1, 0x3) * scales(0x20), 0.75 * 0x1p-6);
}

//===----------------------------------------------------------------------===//
// The golden chain
//===----------------------------------------------------------------------===//

/// b * (S_enc * (1/6)), not (b/6) * S_enc: the exact scale is 336, a tie.
TEST(GoldenChain, OrderOfScaleMultiplication) {
  TestQuantized q = quantizeBoth({}, makeBlock({0.8203125f}), {1.09375f});
  EXPECT_EQ(q.scales, Bytes{0x7B});
  volatile float textbook = 0.8203125f / 6.0f;
  EXPECT_EQ(encodeE4M3(textbook * (2688.0f / 1.09375f)), 0x7A);
}

TEST(GoldenChain, NaNAndInfinity) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // NaN does not touch the scale and becomes +6, whatever its sign.
  TestQuantized q = quantizeBoth({}, makeBlock({nan, -nan, 3, -3}), {21});
  EXPECT_EQ(q.scales, Bytes{0x68});
  EXPECT_EQ(q.codes, (Bytes{0x77, 0xF7, 0, 0, 0, 0, 0, 0}));
  // A block of nothing but NaN.
  q = quantizeBoth({}, makeBlock(std::vector<float>(16, nan)), {21});
  EXPECT_EQ(q.scales, Bytes{0x00});
  EXPECT_EQ(q.codes, Bytes(8, 0x77));
  // Infinity: S_enc is 1, the scale saturates.
  q = quantizeBoth({}, makeBlock({inf, -inf, 448}), {inf});
  EXPECT_EQ(q.scales, Bytes{0x7E});
  EXPECT_EQ(q.codes, (Bytes{0xF7, 0x02, 0, 0, 0, 0, 0, 0}));
}

TEST(GoldenChain, SignOfZero) {
  TestQuantized q =
      quantizeBoth({}, makeBlock({3, -0.0f, 0.0f, -1e-30f}), {21});
  EXPECT_EQ(q.codes, (Bytes{0x87, 0x80, 0, 0, 0, 0, 0, 0}));
}

TEST(GoldenChain, TinyTensorIsClamped) {
  // S_enc and the factor of the elements clamp to FLT_MAX, but decoding uses
  // A/2688: the maximum comes back as about 0.001 A.
  const float amax = 1e-38f;
  TestQuantized q = quantizeBoth({}, makeBlock({amax}), {amax});
  EXPECT_EQ(q.getCode(0, 0), 5);
  float decoded = dequantizeBoth({}, q, {amax})[0];
  EXPECT_GT(decoded, 0.0f);
  EXPECT_LT(decoded, 0.01f * amax);
}

//===----------------------------------------------------------------------===//
// Properties of the fact sheet, section 11
//===----------------------------------------------------------------------===//

/// Wherever the scale is a normal number, the largest element has code 7.
TEST(Properties, NormalBlocksContainTheLargestCode) {
  for (int64_t blockRows : {1, 16})
    for (int decade = -6; decade <= 6; ++decade) {
      QuantizeOptions options;
      options.format = getNVFP4Format().withBlock(blockRows, 16);
      TestMatrix matrix =
          makeMatrix(FloatType::BF16, 64, 256, 0,
                     decade % 2 ? Content::Normal : Content::Outliers,
                     uint64_t(decade + 100), std::pow(10.0f, float(decade)));
      TestQuantized q =
          quantizeBoth(options, matrix, makeGlobalScales(options, matrix));
      for (int64_t row = 0; row < 64; row += blockRows)
        for (int64_t col = 0; col < 256; col += 16) {
          if (q.getScale(row, col) < 0x08)
            continue;
          bool isFound = false;
          for (int64_t r = row; r < row + blockRows; ++r)
            for (int64_t c = col; c < col + 16; ++c)
              isFound |= (q.getCode(r, c) & 7) == 7;
          EXPECT_TRUE(isFound) << row << ", " << col;
        }
    }
}

/// Square blocks: the transpose of the codes is the codes of the transpose.
TEST(Properties, SquareBlocksCommuteWithTranspose) {
  QuantizeOptions options;
  options.format = getNVFP4Format().withBlock(16, 16);
  // 37 and 75: ragged in both directions.
  TestMatrix matrix =
      makeMatrix(FloatType::F32, 37, 75, 0, Content::Specials, 17);
  TestMatrix transposed = makeMatrix(FloatType::F32, 75, 37);
  for (int64_t row = 0; row < 37; ++row)
    for (int64_t col = 0; col < 75; ++col)
      transposed.set(col, row, matrix.get(row, col));
  TestQuantized a = quantizeBoth(options, matrix, {5.0f});
  TestQuantized b = quantizeBoth(options, transposed, {5.0f});
  for (int64_t row = 0; row < 37; ++row)
    for (int64_t col = 0; col < 75; ++col) {
      ASSERT_EQ(a.getCode(row, col), b.getCode(col, row));
      ASSERT_EQ(a.getScale(row, col), b.getScale(col, row));
    }
}

/// Only neighbours appear, and the mean is below the value by less than 1/256
/// of a step.
TEST(Properties, StochasticRoundingIsNearlyUnbiased) {
  QuantizeOptions options;
  options.rounding = Rounding::Stochastic;
  const float value = 2.7f; // between 2 and 3
  std::vector<float> row(4096, value);
  for (size_t i = 0; i < row.size(); i += 16)
    row[i] = 6.0f; // scale 1
  TestMatrix matrix = makeMatrix({row});
  double sum = 0;
  int64_t count = 0;
  for (uint64_t step = 0; step < 256; ++step) {
    options.random = {42, step * getNumPhiloxCounters(row.size())};
    TestQuantized q = quantizeBoth(options, matrix, {2688.0f});
    for (int64_t i = 0; i < 4096; ++i) {
      if (i % 16 == 0)
        continue;
      ASSERT_TRUE(q.getCode(0, i) == 4 || q.getCode(0, i) == 5);
      sum += decodeE2M1(q.getCode(0, i));
      ++count;
    }
  }
  double mean = sum / double(count);
  double deviation = 4 * 0.5 / std::sqrt(double(count));
  EXPECT_LT(mean, double(value) + deviation);
  EXPECT_GT(mean, double(value) - 1.0 / 256 - deviation);
}

/// The same layer through each convention of the global scale.
TEST(Properties, ConventionsDecodeToTheSameValues) {
  TestMatrix matrix =
      makeMatrix(FloatType::BF16, 16, 256, 0, Content::Normal, 23);
  QuantizeOptions golden;
  std::vector<float> amax = makeGlobalScales(golden, matrix);
  TestQuantized q = quantizeBoth(golden, matrix, amax);
  std::vector<float> expected = dequantizeBoth(golden, q, amax);
  for (auto convention :
       {GlobalScaleConvention::Multiply, GlobalScaleConvention::Divide}) {
    QuantizeOptions options;
    options.convention = convention;
    std::vector<float> values = dequantizeBoth(
        options, q, {globalScaleFromAmax(amax[0], convention, kE4M3Max)});
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], std::fabs(expected[i]) * 0x1p-21f);
  }
}

/// Per row: each row alone gives the same bytes as all together.
TEST(Properties, RowScalesDoNotDependOnTheBatch) {
  QuantizeOptions options;
  options.granularity = GlobalScaleGranularity::Row;
  TestMatrix matrix =
      makeMatrix(FloatType::F32, 8, 100, 0, Content::Outliers, 31);
  std::vector<float> scales = makeGlobalScales(options, matrix);
  TestQuantized all = quantizeBoth(options, matrix, scales);
  for (int64_t row = 0; row < 8; ++row) {
    TestQuantized one = makeQuantized(options.format, 1, 100);
    quantize(options, matrix.ref(row, 1), &scales[size_t(row)], one.ref());
    EXPECT_TRUE(std::equal(one.codes.begin(), one.codes.begin() + 50,
                           all.codes.begin() + row * 50));
  }
}

/// Rounding the scale up never clips; to nearest it does, by at most 1/16.
TEST(Properties, RoundUpDoesNotClip) {
  TestMatrix matrix =
      makeMatrix(FloatType::F32, 64, 256, 0, Content::Normal, 37);
  for (ScaleRule rule : {ScaleRule::RoundUp, ScaleRule::NearestEven}) {
    QuantizeOptions options;
    options.scaleRule = rule;
    GlobalScaleFactors factors = getGlobalScaleFactors(
        computeAmax(matrix.ref()).amax, options.convention, kE4M3Max);
    for (int64_t row = 0; row < 64; ++row)
      for (int64_t col = 0; col < 256; col += 16) {
        float amax = 0;
        for (int64_t i = 0; i < 16; ++i)
          amax = std::max(amax, std::fabs(matrix.get(row, col + i)));
        BlockScale scale = chooseBlockScale(options, amax, factors);
        float mapped = amax * scale.encode;
        EXPECT_LE(mapped, rule == ScaleRule::RoundUp ? 6.00001f : 6.37501f);
        EXPECT_GE(mapped, rule == ScaleRule::RoundUp ? 5.3f : 5.64f);
      }
  }
}

/// Quantizing what was quantized is NOT the identity (style guide, rule 13).
TEST(Properties, RequantizationIsNoIdentity) {
  QuantizeOptions options;
  options.format =
      BlockFormat{"single-level", 1, 16, ScaleEncoding::E4M3, false, 448.0f};
  options.granularity = GlobalScaleGranularity::None;
  TestQuantized q = quantizeBoth(options, makeBlock({4, 3, 1.5f, 0}), {});
  EXPECT_EQ(decodeE4M3(q.scales[0]), 0.6875f);
  EXPECT_EQ(dequantizeBoth(options, q, {})[0], 4.125f);
}

/// MXFP4 with K = 48: the second block is half filled.
TEST(Properties, HalfFilledBlock) {
  QuantizeOptions options = getDefaultOptions(getMXFP4Format());
  TestMatrix matrix = makeMatrix(FloatType::F32, 3, 48, 0, Content::Normal, 41);
  TestQuantized q = quantizeBoth(options, matrix, {});
  EXPECT_EQ(q.layout.scaleCols, 2);
  TestMatrix padded = makeMatrix(FloatType::F32, 3, 64);
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t col = 0; col < 48; ++col)
      padded.set(row, col, matrix.get(row, col));
  TestQuantized full = quantizeBoth(options, padded, {});
  EXPECT_EQ(q.scales, full.scales);
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t col = 0; col < 48; ++col)
      EXPECT_EQ(q.getCode(row, col), full.getCode(row, col));
}

//===----------------------------------------------------------------------===//
// Options that make no sense, and random numbers
//===----------------------------------------------------------------------===//

TEST(Options, RejectsContradictions) {
  auto message = [](auto change) {
    QuantizeOptions options;
    change(options);
    return verifyQuantizeOptions(options).getMessage();
  };
  EXPECT_EQ(message([](QuantizeOptions &) {}), "");
  EXPECT_EQ(message([](QuantizeOptions &o) {
              o.granularity = GlobalScaleGranularity::None;
            }),
            "format nvfp4: expected global scale granularity 'tensor', 'slice' "
            "or 'row', but got 'none'");
  EXPECT_EQ(message([](QuantizeOptions &o) { o.format = getMXFP4Format(); }),
            "format mxfp4: expected global scale granularity 'none', but got "
            "'tensor'");
  EXPECT_EQ(message([](QuantizeOptions &o) {
              o.format = o.format.withBlock(16, 16);
              o.granularity = GlobalScaleGranularity::Row;
            }),
            "global scale per row: expected blocks of one row, but got 16x16");
  EXPECT_EQ(
      message([](QuantizeOptions &o) { o.format = o.format.withBlock(1, 24); }),
      "block: expected 16, 32 or 64 columns, but got 1x24");
  EXPECT_EQ(message([](QuantizeOptions &o) {
              o.format = o.format.withBlock(32, 16);
            }),
            "block: expected 1 to 16 rows, but got 32x16");
  EXPECT_EQ(message([](QuantizeOptions &o) {
              o.fourOverSix = FourOverSix::MAE;
              o.rounding = Rounding::Stochastic;
            }),
            "Four Over Six: expected rounding to nearest, but got stochastic "
            "rounding");
  EXPECT_NE(message([](QuantizeOptions &o) {
              o.format = o.format.withScaleBound(500);
            }),
            "");
}

/// Known answers of the authors' library, Random123, for 10 rounds.
TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                       {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, BytesOfElements) {
  PhiloxState state{0x0000000100000002, 0x0000000300000004};
  std::array<uint32_t, 4> words =
      philox4x32({0x00000004 + 5, 0x00000003, 0, 0}, {2, 1});
  for (uint64_t i = 0; i < 16; ++i)
    EXPECT_EQ(getRandomByte(state, 5 * 16 + i),
              uint8_t(words[i / 4] >> 8 * (i % 4)));
  EXPECT_EQ(getNumPhiloxCounters(0), 0u);
  EXPECT_EQ(getNumPhiloxCounters(16), 1u);
  EXPECT_EQ(getNumPhiloxCounters(17), 2u);
}

} // namespace
