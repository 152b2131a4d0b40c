//===- ProductsTest.cpp - Matrix functions of the context -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls the functions as a program does, through the context of the device
// `cpu`, and compares with loops over single elements.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Support/BlockProduct.h"
#include "nvfp4/Support/Quantize.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>
#include <random>

using namespace nvfp4;

namespace {

using Body = std::function<int32_t(const nvfp4_context &)>;

int32_t runBody(const nvfp4_context *context, const int64_t *,
                const void *const *args, void *const *, void *) {
  return (*static_cast<const Body *>(args[0]))(*context);
}

/// Runs `body` with the context of a device; the text of the error, if any.
std::string run(const Body &body, unsigned threads = 2) {
  DeviceOptions options;
  options.numThreads = threads;
  nvfp4_entry entry = {};
  entry.name = "test";
  entry.run = runBody;
  const void *args[] = {&body};
  Status status = createCpuDevice(options)->run(
      entry, nullptr, nullptr, args, nullptr, nullptr, DeviceStream());
  return status ? "" : status.getMessage();
}

class Random {
public:
  float getFloat() {
    return std::uniform_real_distribution<float>(-1, 1)(engine);
  }
  int64_t getInt(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(engine);
  }

private:
  std::mt19937 engine{7};
};

/// A matrix with gaps, of any element type, in row or column order.
struct TestMatrix {
  TestMatrix(Random &random, int64_t rows, int64_t columns,
             uint32_t element = NVFP4_ELEMENT_F32, bool isTransposed = false,
             int64_t gap = 0, int64_t step = 1)
      : rows(rows), columns(columns), element(element),
        rowStride(isTransposed ? step : columns * step + gap),
        columnStride(isTransposed ? rows * step + gap : step),
        bytes(size_t((rows * rowStride + columns * columnStride) * 4 + 4)) {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        set(i, j, random.getFloat());
  }

  uint8_t *at(int64_t i, int64_t j) {
    return bytes.data() + (i * rowStride + j * columnStride) *
                              (element == NVFP4_ELEMENT_F32 ? 4 : 2);
  }
  float get(int64_t i, int64_t j) {
    float value;
    uint16_t bits;
    std::memcpy(&value, at(i, j), 4);
    std::memcpy(&bits, at(i, j), 2);
    return element == NVFP4_ELEMENT_F32    ? value
           : element == NVFP4_ELEMENT_BF16 ? decodeBF16(bits)
                                           : decodeF16(bits);
  }
  void set(int64_t i, int64_t j, float value) {
    uint16_t bits =
        element == NVFP4_ELEMENT_BF16 ? encodeBF16(value) : encodeF16(value);
    if (element == NVFP4_ELEMENT_F32)
      std::memcpy(at(i, j), &value, 4);
    else
      std::memcpy(at(i, j), &bits, 2);
  }
  nvfp4_matrix getView() {
    return {bytes.data(), rowStride, columnStride, {}, element, 0};
  }

  int64_t rows, columns;
  uint32_t element;
  int64_t rowStride, columnStride;
  std::vector<uint8_t> bytes;
};

nvfp4_gemm makeGemm(TestMatrix &a, TestMatrix &b, TestMatrix &c,
                    uint32_t flags = 0) {
  return {sizeof(nvfp4_gemm), flags,       a.rows,      b.columns,  a.columns,
          {1, 1, 1, 1},       a.getView(), b.getView(), c.getView()};
}

/// One chain of fused multiply-adds: the very bits.
void multiplyReference(TestMatrix &a, TestMatrix &b, TestMatrix &c,
                       bool accumulate) {
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.columns; ++j) {
      float sum = accumulate ? c.get(i, j) : 0.0f;
      for (int64_t k = 0; k < a.columns; ++k)
        sum = std::fma(a.get(i, k), b.get(k, j), sum);
      c.set(i, j, sum);
    }
}

/// Whether this machine has fused multiply-adds, which bits depend on.
bool hasFma() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("fma") != 0;
#else
  return true;
#endif
}

void expectNear(TestMatrix &c, TestMatrix &expected, double tolerance,
                const std::string &what) {
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.columns; ++j)
      ASSERT_NEAR(c.get(i, j), expected.get(i, j), tolerance)
          << what << " at " << i << ", " << j;
}

std::string describe(int64_t rows, int64_t columns, int64_t depth) {
  return std::to_string(rows) + " x " + std::to_string(columns) + " x " +
         std::to_string(depth);
}

//===----------------------------------------------------------------------===//
// gemm_f32
//===----------------------------------------------------------------------===//

TEST(Gemm, EveryShapeAndStride) {
  Random random;
  struct Shape {
    int64_t rows, columns, depth;
  };
  constexpr Shape kShapes[] = {{1, 1, 1},     {5, 7, 3},    {12, 32, 256},
                               {13, 33, 257}, {65, 40, 80}, {2, 50, 520},
                               {0, 4, 4},     {4, 0, 4},    {3, 9, 0}};
  for (Shape shape : kShapes)
    for (int variant = 0; variant < 12; ++variant) {
      bool accumulate = variant % 2 != 0;
      uint32_t types[3];
      for (uint32_t &type : types)
        type = uint32_t(random.getInt(NVFP4_ELEMENT_F32, NVFP4_ELEMENT_F16));
      if (variant < 6)
        std::fill(std::begin(types), std::end(types), NVFP4_ELEMENT_F32);
      auto make = [&](int64_t rows, int64_t columns, uint32_t type) {
        return TestMatrix(random, rows, columns, type, random.getInt(0, 1),
                          random.getInt(0, 2), random.getInt(0, 5) ? 1 : 2);
      };
      TestMatrix a = make(shape.rows, shape.depth, types[0]);
      TestMatrix b = make(shape.depth, shape.columns, types[1]);
      TestMatrix c = make(shape.rows, shape.columns, types[2]);
      TestMatrix expected = c;
      nvfp4_gemm gemm =
          makeGemm(a, b, c, accumulate ? NVFP4_GEMM_ACCUMULATE : 0);
      ASSERT_EQ(run([&](const nvfp4_context &context) {
                  return context.gemm_f32(context.user, &gemm);
                }),
                "");
      multiplyReference(a, b, expected, accumulate);
      std::string what = describe(shape.rows, shape.columns, shape.depth) +
                         ", variant " + std::to_string(variant);
      // Without f32 chains the rounding of the result hides last bits.
      if (hasFma())
        ASSERT_EQ(c.bytes, expected.bytes) << what;
      else
        expectNear(c, expected, 1e-2, what);
    }
}

TEST(Gemm, BatchesRepeatMatrices) {
  Random random;
  // 2 x 3 products of 4 x 5 x 6; B is the same for the 3.
  TestMatrix a(random, 2 * 3 * 4, 6), b(random, 2 * 6, 5), c(random, 24, 5);
  nvfp4_gemm gemm = makeGemm(a, b, c);
  gemm.rows = 4;
  gemm.depth = 6;
  gemm.batch[2] = 2;
  gemm.batch[3] = 3;
  gemm.a.batch_strides[2] = 3 * 4 * 6;
  gemm.a.batch_strides[3] = 4 * 6;
  gemm.b.batch_strides[2] = 6 * 5;
  gemm.c.batch_strides[2] = 3 * 4 * 5;
  gemm.c.batch_strides[3] = 4 * 5;
  ASSERT_EQ(run([&](const nvfp4_context &context) {
              return context.gemm_f32(context.user, &gemm);
            }),
            "");
  for (int64_t i = 0; i < 24; ++i)
    for (int64_t j = 0; j < 5; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < 6; ++k)
        sum += double(a.get(i, k)) * b.get(i / 12 * 6 + k, j);
      ASSERT_NEAR(c.get(i, j), sum, 1e-5);
    }
  // An empty batch touches nothing.
  gemm.batch[0] = 0;
  TestMatrix before = c;
  ASSERT_EQ(run([&](const nvfp4_context &context) {
              return context.gemm_f32(context.user, &gemm);
            }),
            "");
  EXPECT_EQ(c.bytes, before.bytes);
}

TEST(Gemm, RowsDoNotDependOnOthersNorOnThreads) {
  Random random;
  TestMatrix a(random, 300, 390), b(random, 390, 200, NVFP4_ELEMENT_F32, true);
  TestMatrix c(random, 300, 200), again = c, one(random, 1, 200);
  auto multiply = [&](TestMatrix &lhs, TestMatrix &result, unsigned threads) {
    nvfp4_gemm gemm = makeGemm(lhs, b, result);
    gemm.rows = result.rows;
    ASSERT_EQ(run(
                  [&](const nvfp4_context &context) {
                    return context.gemm_f32(context.user, &gemm);
                  },
                  threads),
              "");
  };
  multiply(a, c, 1);
  multiply(a, again, 3);
  EXPECT_EQ(c.bytes, again.bytes);
  multiply(a, one, 2);
  EXPECT_EQ(std::memcmp(one.at(0, 0), c.at(0, 0), 200 * sizeof(float)), 0);
}

TEST(Gemm, NegativeDescriptions) {
  Random random;
  TestMatrix a(random, 2, 2), b(random, 2, 2), c(random, 2, 2);
  auto error = [&](const std::function<void(nvfp4_gemm &)> &change) {
    nvfp4_gemm gemm = makeGemm(a, b, c);
    change(gemm);
    return run([&](const nvfp4_context &context) {
      return context.gemm_f32(context.user, &gemm);
    });
  };
  EXPECT_EQ(error([](nvfp4_gemm &gemm) { gemm.struct_size = 8; }),
            "entry 'test': gemm_f32: expected a struct of " +
                std::to_string(sizeof(nvfp4_gemm)) + " bytes, but got 8");
  EXPECT_EQ(error([](nvfp4_gemm &gemm) { gemm.depth = -1; }),
            "entry 'test': gemm_f32: expected extents of 0 or more, but got "
            "-1");
  EXPECT_EQ(error([](nvfp4_gemm &gemm) { gemm.b.element = 9; }),
            "entry 'test': gemm_f32: expected f32, bf16 or f16 as elements of "
            "B, but got element type 9");
}

//===----------------------------------------------------------------------===//
// scaled_product, quantize, dequantize
//===----------------------------------------------------------------------===//

enum class Granularity { None, Tensor, Row };

struct TestFormat {
  const char *name;
  uint32_t blockRows, blockColumns, encoding, globalScale;
  Granularity granularity;
};

constexpr TestFormat kFormats[] = {
    {"nvfp4", 1, 16, NVFP4_SCALES_E4M3, NVFP4_GLOBAL_SCALE_AMAX,
     Granularity::Tensor},
    {"nvfp4 per row", 1, 16, NVFP4_SCALES_E4M3, NVFP4_GLOBAL_SCALE_AMAX,
     Granularity::Row},
    {"nvfp4 multiply", 1, 16, NVFP4_SCALES_E4M3, NVFP4_GLOBAL_SCALE_MULTIPLY,
     Granularity::Tensor},
    {"nvfp4 divide", 1, 16, NVFP4_SCALES_UE5M3, NVFP4_GLOBAL_SCALE_DIVIDE,
     Granularity::Row},
    {"nvfp4 16x16", 16, 16, NVFP4_SCALES_E4M3, NVFP4_GLOBAL_SCALE_AMAX,
     Granularity::Tensor},
    {"mxfp4", 1, 32, NVFP4_SCALES_E8M0, NVFP4_GLOBAL_SCALE_NONE,
     Granularity::None},
};

/// A matrix in blocks, and what it means.
struct TestBlocks {
  TestBlocks(const TestFormat &format, int64_t rows, int64_t columns)
      : rows(rows), columns(columns), codes(size_t(rows * columns / 2), 0xEE),
        scales(size_t(ceilDiv(rows, format.blockRows) *
                      ceilDiv(columns, format.blockColumns)),
               0xEE),
        globalScales(size_t(rows + 1), -1.0f) {
    view = {};
    view.codes = codes.data();
    view.scales = scales.data();
    if (format.granularity != Granularity::None)
      view.global_scales = globalScales.data();
    view.code_row_stride = columns / 2;
    view.scale_row_stride = ceilDiv(columns, format.blockColumns);
    view.global_scale_row_stride = format.granularity == Granularity::Row;
    view.block_rows = format.blockRows;
    view.block_columns = format.blockColumns;
    view.scale_encoding = format.encoding;
    view.global_scale = format.globalScale;
    view.scale_bound = 448.0f;
  }

  QuantizeOptions getOptions() const {
    QuantizeOptions options;
    ScaleEncoding encoding =
        view.scale_encoding == NVFP4_SCALES_E4M3   ? ScaleEncoding::E4M3
        : view.scale_encoding == NVFP4_SCALES_E8M0 ? ScaleEncoding::E8M0
                                                   : ScaleEncoding::UE5M3;
    bool hasScale = view.global_scales != nullptr;
    options.format = {"test",   view.block_rows, view.block_columns,
                      encoding, hasScale,        view.scale_bound};
    options.granularity = !hasScale ? GlobalScaleGranularity::None
                          : view.global_scale_row_stride
                              ? GlobalScaleGranularity::Row
                              : GlobalScaleGranularity::Tensor;
    options.convention = view.global_scale == NVFP4_GLOBAL_SCALE_MULTIPLY
                             ? GlobalScaleConvention::Multiply
                         : view.global_scale == NVFP4_GLOBAL_SCALE_DIVIDE
                             ? GlobalScaleConvention::Divide
                             : GlobalScaleConvention::Amax;
    return options;
  }
  /// The values, by the scalar dequantizer.
  TestMatrix decode(Random &random) const {
    TestMatrix result(random, rows, columns);
    dequantizeReference(
        getOptions(),
        {codes.data(), view.code_row_stride, scales.data(),
         view.scale_row_stride},
        globalScales.data(),
        {result.bytes.data(), FloatType::F32, rows, columns, result.rowStride});
    return result;
  }

  int64_t rows, columns;
  std::vector<uint8_t> codes, scales;
  std::vector<float> globalScales;
  nvfp4_blocks view;
};

nvfp4_conversion makeConversion(TestMatrix &matrix, TestBlocks &blocks,
                                uint32_t flags) {
  return {sizeof(nvfp4_conversion),
          flags,
          matrix.rows,
          matrix.columns,
          {1, 1, 1, 1},
          matrix.getView(),
          blocks.view};
}

std::string quantizeBlocks(TestMatrix &matrix, TestBlocks &blocks) {
  nvfp4_conversion conversion = makeConversion(
      matrix, blocks,
      blocks.view.global_scales ? NVFP4_CONVERT_FIND_GLOBAL_SCALES : 0);
  return run([&](const nvfp4_context &context) {
    return context.quantize(context.user, &conversion);
  });
}

TEST(Conversion, BytesOfTheGoldenQuantizer) {
  Random random;
  for (const TestFormat &format : kFormats)
    for (int64_t rows : {0, 1, 5, 33, 200})
      for (int variant = 0; variant < 3; ++variant) {
        const int64_t columns = variant == 1 ? 16 : 272;
        TestMatrix matrix(random, rows, columns,
                          variant == 2 ? NVFP4_ELEMENT_BF16 : NVFP4_ELEMENT_F32,
                          /*isTransposed=*/variant == 1, /*gap=*/variant);
        TestBlocks blocks(format, rows, columns);
        ASSERT_EQ(quantizeBlocks(matrix, blocks), "");
        // The same elements, contiguous.
        std::vector<float> source;
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j)
            source.push_back(matrix.get(i, j));
        MatrixRef ref{source.data(), FloatType::F32, rows, columns, columns};
        TestBlocks expected(format, rows, columns);
        std::vector<float> maxima(size_t(rows + 1));
        float amax = computeAmaxReference(ref, maxima.data()).amax;
        QuantizeOptions options = blocks.getOptions();
        if (format.granularity == Granularity::Tensor)
          expected.globalScales[0] =
              globalScaleFromAmax(amax, options.convention, 448.0f);
        for (int64_t i = 0; format.granularity == Granularity::Row && i < rows;
             ++i)
          expected.globalScales[size_t(i)] = globalScaleFromAmax(
              maxima[size_t(i)], options.convention, 448.0f);
        quantizeReference(options, ref, expected.globalScales.data(),
                          {expected.codes.data(), expected.view.code_row_stride,
                           expected.scales.data(),
                           expected.view.scale_row_stride});
        ASSERT_EQ(blocks.globalScales, expected.globalScales) << format.name;
        ASSERT_EQ(blocks.codes, expected.codes) << format.name;
        ASSERT_EQ(blocks.scales, expected.scales) << format.name;
      }
}

TEST(Conversion, ValuesOfTheGoldenDequantizer) {
  Random random;
  for (const TestFormat &format : kFormats)
    for (bool isTransposed : {false, true}) {
      TestMatrix source(random, 37, 160);
      TestBlocks blocks(format, 37, 160);
      ASSERT_EQ(quantizeBlocks(source, blocks), "");
      TestMatrix result(random, 37, 160, NVFP4_ELEMENT_F32, isTransposed, 3);
      nvfp4_conversion conversion = makeConversion(result, blocks, 0);
      ASSERT_EQ(run([&](const nvfp4_context &context) {
                  return context.dequantize(context.user, &conversion);
                }),
                "");
      TestMatrix expected = blocks.decode(random);
      expectNear(result, expected, 0.0, format.name);
    }
}

TEST(Conversion, OneScalePerMatrixOrBatch) {
  Random random;
  TestMatrix source(random, 6 * 4, 32);
  for (bool isShared : {false, true}) {
    TestBlocks blocks(kFormats[0], 24, 32);
    nvfp4_conversion conversion = makeConversion(
        source, blocks,
        NVFP4_CONVERT_FIND_GLOBAL_SCALES | NVFP4_CONVERT_GLOBAL_SCALES_ONLY);
    conversion.rows = 4;
    conversion.batch[1] = 6;
    conversion.matrix.batch_strides[1] = 4 * 32;
    conversion.blocks.global_scale_batch_strides[1] = isShared ? 0 : 1;
    ASSERT_EQ(run([&](const nvfp4_context &context) {
                return context.quantize(context.user, &conversion);
              }),
              "");
    for (int64_t i = 0; i < (isShared ? 1 : 6); ++i) {
      MatrixRef part{source.at(i * 4, 0), FloatType::F32, isShared ? 24 : 4, 32,
                     32};
      EXPECT_EQ(blocks.globalScales[size_t(i)],
                computeAmaxReference(part).amax);
    }
    // Nothing else was written.
    EXPECT_EQ(std::count(blocks.codes.begin(), blocks.codes.end(), 0xEE),
              int64_t(blocks.codes.size()));
  }
}

TEST(ScaledProduct, EveryFormatAndNumberOfRows) {
  Random random;
  for (const TestFormat &format : kFormats)
    for (int64_t rows : {0, 1, 2, 8, 9, 65})
      for (bool hasLhsBlocks : {false, true}) {
        const int64_t columns = random.getInt(1, 70);
        const int64_t depth = 16 * random.getInt(1, 20);
        TestMatrix weights(random, columns, depth);
        TestBlocks rhs(format, columns, depth);
        ASSERT_EQ(quantizeBlocks(weights, rhs), "");
        TestMatrix x(
            random, rows, depth,
            uint32_t(random.getInt(NVFP4_ELEMENT_F32, NVFP4_ELEMENT_F16)),
            random.getInt(0, 1), 1);
        TestBlocks lhs(kFormats[1], rows, depth);
        ASSERT_EQ(quantizeBlocks(x, lhs), "");
        TestMatrix y(random, rows, columns, NVFP4_ELEMENT_F32,
                     random.getInt(0, 1), 2);
        nvfp4_scaled_product product = {};
        product.struct_size = sizeof(product);
        product.flags = NVFP4_SCALED_RHS_BLOCKS |
                        (hasLhsBlocks ? NVFP4_SCALED_LHS_BLOCKS : 0);
        product.rows = rows;
        product.columns = columns;
        product.depth = depth;
        std::fill(std::begin(product.batch), std::end(product.batch), 1);
        product.lhs = x.getView();
        product.lhs_blocks = lhs.view;
        product.rhs_blocks = rhs.view;
        product.result = y.getView();
        ASSERT_EQ(run([&](const nvfp4_context &context) {
                    return context.scaled_product(context.user, &product);
                  }),
                  "");
        TestMatrix w = rhs.decode(random), decoded = lhs.decode(random);
        TestMatrix &left = hasLhsBlocks ? decoded : x;
        TestMatrix expected(random, rows, columns);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j) {
            double sum = 0;
            for (int64_t k = 0; k < depth; ++k)
              sum += double(left.get(i, k)) * w.get(j, k);
            expected.set(i, j, float(sum));
          }
        expectNear(y, expected, 2e-6 * double(depth),
                   std::string(format.name) + ", " +
                       describe(rows, columns, depth));
      }
}

/// Codes and scales that end with the memory, and every number of columns: the
/// vector kernel reads no byte beyond.
TEST(ScaledProduct, FewRowsReadNothingBeyond) {
  Random random;
  for (int64_t columns : {1, 2, 3})
    for (int64_t depth : {16, 32, 48, 272, 528}) {
      TestMatrix weights(random, columns, depth);
      TestBlocks rhs(kFormats[0], columns, depth);
      ASSERT_EQ(quantizeBlocks(weights, rhs), "");
      BlockFormat format = getNVFP4Format();
      ConstQuantizedRef ref{rhs.codes.data(), depth / 2, rhs.scales.data(),
                            depth / 16};
      for (int64_t rows : {1, 2, 3, 4, 7, 8}) {
        int64_t length = getPreparedLength(depth);
        std::vector<float> memory(size_t(rows * length + 16));
        float *x = memory.data();
        while (reinterpret_cast<uintptr_t>(x) % 64 != 0)
          ++x;
        TestMatrix plain(random, rows, depth);
        for (int64_t i = 0; i < rows; ++i)
          prepareBlockProductRow(reinterpret_cast<float *>(plain.at(i, 0)),
                                 depth, x + i * length);
        std::vector<float> y(size_t(rows * columns)), expected(y);
        multiplyBlockRows(format, ref, columns, depth, x, rows, y.data(),
                          columns);
        multiplyBlockRowsReference(
            format, ref, columns, depth,
            reinterpret_cast<float *>(plain.bytes.data()), depth, rows,
            expected.data(), columns);
        for (size_t i = 0; i < y.size(); ++i)
          EXPECT_NEAR(y[i], expected[i], 1e-6 * double(depth) * 448 * 6)
              << columns << " x " << depth << ", " << rows << " rows";
      }
    }
}

TEST(ScaledProduct, NegativeFormat) {
  Random random;
  TestMatrix x(random, 2, 16), y(random, 2, 2);
  TestBlocks rhs(kFormats[0], 2, 16);
  nvfp4_scaled_product product = {};
  product.struct_size = sizeof(product);
  product.flags = NVFP4_SCALED_RHS_BLOCKS;
  product.rows = product.columns = 2;
  product.depth = 16;
  std::fill(std::begin(product.batch), std::end(product.batch), 1);
  product.lhs = x.getView();
  product.rhs_blocks = rhs.view;
  product.rhs_blocks.block_columns = 24;
  product.result = y.getView();
  EXPECT_EQ(run([&](const nvfp4_context &context) {
              return context.scaled_product(context.user, &product);
            }),
            "entry 'test': scaled_product: rhs: block: expected 16, 32 or 64 "
            "columns, but got 1x24");
}

} // namespace
