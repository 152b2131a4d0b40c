//===- KernelsTest.cpp - Vectors against the reference, bit for bit -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every combination of options and source type, on matrices made to go wrong,
// on every instruction set of the machine. Together some ten million elements.
//
//===----------------------------------------------------------------------===//

#include "TestMatrices.h"

#include "gtest/gtest.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

constexpr FloatType kTypes[] = {FloatType::F32, FloatType::BF16,
                                FloatType::F16};

std::string describe(const QuantizeOptions &options) {
  return std::string(options.format.name) + " " +
         std::to_string(options.format.blockRows) + "x" +
         std::to_string(options.format.blockCols) + " bound " +
         std::to_string(options.format.scaleBound) + " " +
         std::string(stringifyGranularity(options.granularity)) + " " +
         std::string(stringifyConvention(options.convention)) + " rule " +
         std::to_string(int(options.scaleRule)) + " 4/6 " +
         std::to_string(int(options.fourOverSix)) + " rounding " +
         std::to_string(int(options.rounding)) + " e8m0 " +
         std::to_string(int(options.e8m0Rule));
}

/// All options that verify.
std::vector<QuantizeOptions> makeAllOptions() {
  const BlockFormat formats[] = {
      getNVFP4Format(),
      getNVFP4Format().withScaleBound(256),
      getNVFP4Format().withBlock(16, 16),
      getNVFP4Format().withBlock(16, 16).withScaleBound(256),
      getNVFP4Format().withBlock(1, 32),
      getNVFP4Format().withBlock(2, 64),
      *findFormat("nvfp4_ue5m3"),
      getMXFP4Format(),
      getMXFP4Format().withBlock(1, 16)};
  std::vector<QuantizeOptions> result;
  QuantizeOptions o;
  o.random = {0x0123456789ABCDEF, 0xFFFFFFF0};
  for (const BlockFormat &format : formats)
    for (auto granularity :
         {GlobalScaleGranularity::None, GlobalScaleGranularity::Tensor,
          GlobalScaleGranularity::Row})
      for (auto convention :
           {GlobalScaleConvention::Amax, GlobalScaleConvention::Multiply,
            GlobalScaleConvention::Divide})
        for (auto scaleRule : {ScaleRule::NearestEven,
                               ScaleRule::UnroundedLocal, ScaleRule::RoundUp})
          for (auto fourOverSix :
               {FourOverSix::Off, FourOverSix::MAE, FourOverSix::MSE})
            for (auto rounding : {Rounding::NearestEven, Rounding::Stochastic})
              for (auto rule :
                   {E8M0Rule::Floor, E8M0Rule::RoundUp, E8M0Rule::Even}) {
                o.format = format;
                o.granularity = granularity;
                o.convention = convention;
                o.scaleRule = scaleRule;
                o.fourOverSix = fourOverSix;
                o.rounding = rounding;
                o.e8m0Rule = rule;
                bool isE8M0 = format.scaleEncoding == ScaleEncoding::E8M0;
                bool isRepeated =
                    (!isE8M0 && rule != E8M0Rule::Floor) ||
                    (granularity == GlobalScaleGranularity::None &&
                     convention != GlobalScaleConvention::Amax);
                if (!isRepeated && verifyQuantizeOptions(o))
                  result.push_back(o);
              }
  return result;
}

void expectAgreement(const QuantizeOptions &options, const TestMatrix &matrix,
                     const std::vector<float> &globalScales, int64_t padding,
                     int64_t firstRow) {
  TestQuantized expected =
      makeQuantized(options.format, matrix.rows, matrix.cols, padding);
  TestQuantized actual = expected;
  quantizeReference(options, matrix.ref(), globalScales.data(), expected.ref(),
                    firstRow);
  quantize(options, matrix.ref(), globalScales.data(), actual.ref(), firstRow);
  if (expected == actual)
    return;
  for (int64_t row = 0; row < matrix.rows; ++row)
    for (int64_t col = 0; col < matrix.cols; ++col) {
      ASSERT_EQ(int(expected.getScale(row, col)),
                int(actual.getScale(row, col)))
          << "scale at " << row << ", " << col;
      ASSERT_EQ(int(expected.getCode(row, col)), int(actual.getCode(row, col)))
          << "code at " << row << ", " << col << " of " << matrix.get(row, col);
    }
  FAIL() << "padding or guard bytes differ";
}

struct Shape {
  int64_t rows, cols, gap, padding;
};
// Whole and partial chunks of 64 blocks, partial last blocks, odd columns.
constexpr Shape kShapes[] = {{3, 64, 0, 0},   {5, 33, 3, 5}, {17, 1061, 1, 1},
                             {1, 1, 0, 0},    {2, 15, 0, 9}, {33, 48, 7, 0},
                             {1, 2048, 0, 32}};

TEST(Kernels, QuantizeEqualsReferenceForAllOptions) {
  std::vector<QuantizeOptions> all = makeAllOptions();
  EXPECT_GT(all.size(), 150u);
  forEachInstructionSet([&](const char *name) {
    uint64_t seed = 1;
    for (const QuantizeOptions &options : all) {
      SCOPED_TRACE(std::string(name) + ": " + describe(options));
      for (int content = 0; content < int(Content::NumContents); ++content) {
        ++seed;
        Shape shape = kShapes[seed % std::size(kShapes)];
        float magnitude = std::pow(10.0f, float(int(seed % 13) - 6));
        for (FloatType type : kTypes) {
          TestMatrix matrix =
              makeMatrix(type, shape.rows, shape.cols, shape.gap,
                         Content(content), seed, magnitude);
          expectAgreement(options, matrix, makeGlobalScales(options, matrix),
                          shape.padding, 32);
          if (HasFatalFailure())
            return;
        }
      }
    }
  });
}

TEST(Kernels, QuantizeEqualsReferenceForAnyGlobalScale) {
  // Scales that do not belong to the matrix: too small, huge, or no number.
  const float scales[] = {0.0f,
                          -1.0f,
                          1e-45f,
                          1e-38f,
                          1e-30f,
                          0.5f,
                          1e30f,
                          3e38f,
                          std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()};
  forEachInstructionSet([&](const char *name) {
    for (QuantizeOptions options : makeAllOptions()) {
      if (options.granularity != GlobalScaleGranularity::Tensor)
        continue;
      SCOPED_TRACE(std::string(name) + ": " + describe(options));
      for (float scale : scales)
        for (Content content : {Content::Bits, Content::Specials}) {
          TestMatrix matrix = makeMatrix(FloatType::F32, 2, 272, 0, content, 7);
          expectAgreement(options, matrix, {scale}, 0, 0);
          if (HasFatalFailure())
            return;
        }
    }
  });
}

TEST(Kernels, QuantizeEqualsReferenceOnMillionsOfElements) {
  QuantizeOptions options;
  forEachInstructionSet([&](const char *name) {
    SCOPED_TRACE(name);
    for (FloatType type : kTypes)
      for (int content = 0; content < int(Content::NumContents); ++content) {
        TestMatrix matrix =
            makeMatrix(type, 64, 2000, 0, Content(content), 99 + content);
        // A global scale per row, so that the bits of one row do not push all
        // others below the smallest scale.
        options.granularity = GlobalScaleGranularity::Row;
        expectAgreement(options, matrix, makeGlobalScales(options, matrix), 0,
                        0);
        if (HasFatalFailure())
          return;
      }
  });
}

/// Blocks whose scale is exactly 1, so that every f32 near a rounding boundary
/// reaches the encoder unchanged.
TEST(Kernels, EncodersAgreeAroundEveryBoundary) {
  std::vector<float> values;
  for (int code = 0; code < 16; ++code)
    for (float center :
         {decodeE2M1(uint8_t(code)),
          (decodeE2M1(uint8_t(code)) + decodeE2M1(uint8_t(code ^ 1))) / 2,
          (decodeE2M1(uint8_t(code)) + decodeE2M1(uint8_t((code + 1) % 16))) /
              2})
      for (int delta = -40; delta <= 40; ++delta) {
        float value = floatOfBits(bitsOfFloat(center) + uint32_t(delta));
        // The first element of a block is the 6 that makes its scale 1.
        if (values.size() % 16 == 0)
          values.push_back(6.0f);
        values.push_back(std::fabs(value) < 6.0f ? value : 0.0f);
      }
  values.resize(values.size() / 16 * 16);
  TestMatrix matrix = makeMatrix({values});
  QuantizeOptions options;
  forEachInstructionSet([&](const char *name) {
    SCOPED_TRACE(name);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      options.rounding =
          seed == 0 ? Rounding::NearestEven : Rounding::Stochastic;
      options.random.seed = seed;
      expectAgreement(options, matrix, {6.0f * 448.0f}, 0, 0);
    }
  });
}

/// Block maxima around every boundary of the scale's encoding.
TEST(Kernels, ScalesAgreeAroundEveryBoundary) {
  for (const char *name : {"nvfp4", "nvfp4_ue5m3"}) {
    QuantizeOptions options;
    options.format = *findFormat(name);
    ScaleEncoding encoding = options.format.scaleEncoding;
    std::vector<float> maxima;
    for (int byte = 0; byte < (encoding == ScaleEncoding::E4M3 ? 0x7E : 0xF7);
         ++byte) {
      float low = decodeScale(encoding, uint8_t(byte));
      float high = decodeScale(encoding, uint8_t(byte + 1));
      for (float scale : {low, (low + high) / 2, high})
        for (int delta = -6; delta <= 6; ++delta)
          maxima.push_back(
              std::fabs(floatOfBits(bitsOfFloat(scale * 6) + uint32_t(delta))));
    }
    TestMatrix matrix =
        makeMatrix(FloatType::F32, int64_t(maxima.size()), 16, 0);
    for (size_t row = 0; row < maxima.size(); ++row)
      matrix.set(int64_t(row), 5, maxima[row]);
    float amax = options.format.getMaxProduct();
    forEachInstructionSet([&](const char *set) {
      for (ScaleRule rule : {ScaleRule::NearestEven, ScaleRule::RoundUp,
                             ScaleRule::UnroundedLocal}) {
        SCOPED_TRACE(std::string(set) + ": " + describe(options));
        options.scaleRule = rule;
        expectAgreement(options, matrix, {amax}, 0, 0);
      }
    });
  }
}

TEST(Kernels, AmaxEqualsReference) {
  forEachInstructionSet([&](const char *name) {
    SCOPED_TRACE(name);
    uint64_t seed = 0;
    for (FloatType type : kTypes)
      for (int content = 0; content < int(Content::NumContents); ++content)
        for (Shape shape : kShapes) {
          TestMatrix matrix = makeMatrix(type, shape.rows, shape.cols,
                                         shape.gap, Content(content), ++seed);
          std::vector<float> expectedRows(size_t(shape.rows)),
              rows(size_t(shape.rows));
          AmaxResult expected =
              computeAmaxReference(matrix.ref(), expectedRows.data());
          for (float *target : {rows.data(), static_cast<float *>(nullptr)}) {
            AmaxResult result = computeAmax(matrix.ref(), target);
            EXPECT_EQ(bitsOfFloat(result.amax), bitsOfFloat(expected.amax));
            EXPECT_EQ(result.numNaN, expected.numNaN);
            EXPECT_EQ(result.numInf, expected.numInf);
          }
          EXPECT_EQ(0, std::memcmp(rows.data(), expectedRows.data(),
                                   rows.size() * sizeof(float)));
        }
  });
}

TEST(Kernels, AmaxCountsWhatItDrops) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  TestMatrix matrix =
      makeMatrix({{1, nan, -3}, {-inf, nan, 2}, {nan, nan, nan}});
  std::vector<float> rows(3);
  AmaxResult result = computeAmax(matrix.ref(), rows.data());
  EXPECT_EQ(result.amax, inf);
  EXPECT_EQ(result.numNaN, 5);
  EXPECT_EQ(result.numInf, 1);
  EXPECT_EQ(rows, (std::vector<float>{3, inf, 0}));
  EXPECT_EQ(computeAmax(makeMatrix(FloatType::F32, 0, 16).ref()).amax, 0.0f);
}

/// All codes under all scale bytes, and random ones; NaN compares equal to NaN.
TEST(Kernels, DequantizeEqualsReference) {
  const BlockFormat formats[] = {getNVFP4Format(), getMXFP4Format(),
                                 *findFormat("nvfp4_ue5m3"),
                                 getNVFP4Format().withBlock(16, 16)};
  forEachInstructionSet([&](const char *name) {
    for (const BlockFormat &format : formats)
      for (auto convention :
           {GlobalScaleConvention::Amax, GlobalScaleConvention::Multiply,
            GlobalScaleConvention::Divide})
        for (Shape shape :
             {Shape{256, 16, 0, 0}, Shape{40, 1061, 5, 3}, Shape{3, 31, 1, 1}})
          for (FloatType type : kTypes) {
            QuantizeOptions options = getDefaultOptions(format);
            options.convention = convention;
            SCOPED_TRACE(std::string(name) + ": " + describe(options));
            TestQuantized source =
                makeQuantized(format, shape.rows, shape.cols, shape.padding);
            Random random(5);
            for (uint8_t &byte : source.codes)
              byte = uint8_t(random.next32());
            for (size_t i = 0; i < source.scales.size(); ++i)
              source.scales[i] =
                  uint8_t(shape.cols == 16 ? i : random.next32());
            std::vector<float> globalScales = {0.37f};
            TestMatrix expected =
                makeMatrix(type, shape.rows, shape.cols, shape.gap);
            TestMatrix actual = expected;
            auto target = [](TestMatrix &matrix) -> MutableMatrixRef {
              return {matrix.bytes.data(), matrix.type, matrix.rows,
                      matrix.cols, matrix.rowStride};
            };
            dequantizeReference(options, source.constRef(), globalScales.data(),
                                target(expected));
            dequantize(options, source.constRef(), globalScales.data(),
                       target(actual));
            ASSERT_EQ(expected.bytes, actual.bytes);
          }
  });
}

TEST(Kernels, RandomBytesEqualTheDefinition) {
  forEachInstructionSet([&](const char *name) {
    SCOPED_TRACE(name);
    for (uint64_t offset : {uint64_t(0), uint64_t(0xFFFFFFFE), ~uint64_t(0)})
      for (uint64_t first : {0u, 1u, 15u, 16u, 100u})
        for (uint64_t count : {0u, 1u, 17u, 128u, 300u}) {
          PhiloxState state{0xDEADBEEF12345678, offset};
          std::vector<uint8_t> bytes(count + 1, 0xA5);
          fillRandomBytes(state, first, count, bytes.data());
          for (uint64_t i = 0; i < count; ++i)
            ASSERT_EQ(bytes[i], getRandomByte(state, first + i));
          ASSERT_EQ(bytes[count], 0xA5);
        }
  });
}

/// A matrix quantized in panels, each with its first row, is the matrix
/// quantized at once.
TEST(Kernels, PanelsJoin) {
  for (int64_t blockRows : {1, 16}) {
    QuantizeOptions options;
    options.format = getNVFP4Format().withBlock(blockRows, 16);
    options.rounding = Rounding::Stochastic;
    TestMatrix matrix =
        makeMatrix(FloatType::BF16, 100, 75, 0, Content::Normal, 3);
    float amax = computeAmax(matrix.ref()).amax;
    TestQuantized whole = makeQuantized(options.format, 100, 75);
    TestQuantized joined = whole;
    quantize(options, matrix.ref(), &amax, whole.ref());
    for (int64_t row = 0; row < 100; row += 32)
      quantize(options, matrix.ref(row, std::min<int64_t>(32, 100 - row)),
               &amax, joined.ref(row), row);
    EXPECT_TRUE(whole == joined);
  }
}

#if defined(__x86_64__)
/// A caller that flushes subnormals and rounds toward zero gets the same bits,
/// and its environment back.
TEST(Kernels, FloatEnvironmentOfTheCallerDoesNotMatter) {
  QuantizeOptions options;
  for (Content content : {Content::Subnormal, Content::Normal}) {
    TestMatrix matrix = makeMatrix(FloatType::F32, 8, 256, 0, content, 11);
    float amax = computeAmax(matrix.ref()).amax;
    TestQuantized expected = makeQuantized(options.format, 8, 256);
    TestQuantized actual = expected;
    quantize(options, matrix.ref(), &amax, expected.ref());
    unsigned saved = _mm_getcsr();
    const unsigned kFlushToZeroAndTruncate = 0x1F80 | 0x8040 | 0x6000;
    _mm_setcsr(kFlushToZeroAndTruncate);
    quantize(options, matrix.ref(), &amax, actual.ref());
    unsigned after = _mm_getcsr();
    _mm_setcsr(saved);
    EXPECT_EQ(after & 0xFFC0, kFlushToZeroAndTruncate);
    EXPECT_TRUE(expected == actual);
  }
}
#endif

} // namespace
