//===- PackerTest.cpp - The interpreter against whole-matrix references ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackingTestSupport.h"

#include <cmath>
#include <limits>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

/// The values of a view, element by element.
std::vector<float> materialize(const Weights &weights,
                               const PackingRead &read) {
  std::vector<float> values(read.view.getNumElements());
  const Extents &factors = read.view.getFactors();
  for (const ViewSegment &segment : read.view.getSegments())
    for (int64_t i = 0; i < getNumElements(segment.extents); ++i) {
      int64_t rest = i, target = 0, element = segment.offset, pitch = 1;
      for (size_t f = factors.size(); f-- > 0;) {
        int64_t index = rest % segment.extents[f];
        rest /= segment.extents[f];
        target += (segment.origin[f] + index) * pitch;
        element += index * segment.strides[f];
        pitch *= factors[f];
      }
      float value = weights.getValue(segment.source, element);
      for (DType dtype : read.casts)
        if (dtype == DType::BF16)
          value = decodeBF16(encodeBF16(value));
        else if (dtype == DType::F16)
          value = decodeF16(encodeF16(value));
      values[target] = value;
    }
  return values;
}

/// The bytes that Support's reference quantizer makes of the whole tensor.
Packed quantizeWhole(const Weights &weights, const PackingPlan &plan) {
  const PackingQuantize &how = *plan.quantize;
  std::vector<float> values = materialize(weights, plan.read);
  Extents shape = plan.read.view.getShape();
  int64_t slices = 1, cols = shape.back(), rows = shape[shape.size() - 2];
  for (size_t i = 0; i + 2 < shape.size(); ++i)
    slices *= shape[i];
  QuantizeOptions options = getDefaultOptions(how.format);
  options.convention = how.convention;
  bool perRow = how.granularity == GlobalScaleGranularity::Row;
  if (perRow)
    options.granularity = GlobalScaleGranularity::Row;
  float all = computeAmaxReference(
                  {values.data(), FloatType::F32, slices * rows, cols, cols})
                  .amax;
  if (how.scaleRead) {
    all = 0.0f;
    for (float value : materialize(weights, *how.scaleRead))
      all = std::max(all, std::fabs(value));
  }

  Packed packed;
  for (int64_t slice = 0; slice < slices; ++slice) {
    MatrixRef matrix = {values.data() + slice * rows * cols, FloatType::F32,
                        rows, cols, cols};
    std::vector<float> amax(rows);
    float sliceAmax = computeAmaxReference(matrix, amax.data()).amax;
    if (!perRow)
      amax = {how.granularity == GlobalScaleGranularity::Slice ? sliceAmax
                                                               : all};
    for (float &value : amax)
      value = globalScaleFromAmax(value, how.convention, how.format.scaleBound);
    StorageLayout linear =
        getStorageLayout(how.format, BlockLayout::Linear, rows, cols);
    StorageLayout layout = getStorageLayout(how.format, how.layout, rows, cols);
    std::vector<uint8_t> codes(linear.codeBytes), scales(linear.scaleBytes);
    quantizeReference(
        options, matrix, how.format.hasGlobalScale ? amax.data() : nullptr,
        {codes.data(), linear.codePitch, scales.data(), linear.scaleCols});
    std::vector<uint8_t> out(layout.codeBytes);
    packCodes(layout, codes.data(), linear.codePitch, out.data());
    packed[plan.components[0].name].append(out.begin(), out.end());
    out.assign(layout.scaleBytes, 0);
    packScales(layout, scales.data(), linear.scaleCols, out.data());
    packed[plan.components[1].name].append(out.begin(), out.end());
    bool isNew =
        how.granularity != GlobalScaleGranularity::Tensor || slice == 0;
    if (how.format.hasGlobalScale && isNew)
      packed[plan.components[2].name].append(
          reinterpret_cast<const char *>(amax.data()), amax.size() * 4);
  }
  return packed;
}

void expectQuantized(const Weights &weights, const PackingPlan &plan,
                     const std::string &what) {
  Packed expected = quantizeWhole(weights, plan);
  // Panels of one tile, and all at once.
  for (int64_t panelElements : {1, 1 << 20}) {
    Packed packed;
    auto stats = packInto(packed, plan, weights.getSource(), panelElements);
    ASSERT_TRUE(stats.ok()) << what << ": " << stats.getMessage();
    for (const TensorSpec &component : plan.components)
      EXPECT_EQ(packed[component.name], expected[component.name])
          << what << ": " << component.name;
    uint64_t bytes = 0;
    for (auto &[name, data] : packed)
      bytes += data.size();
    EXPECT_EQ(stats->bytesAfter, bytes) << what;
  }
}

PackingPlan makePlan(const std::string &name, DType dtype,
                     const Extents &shape) {
  return PackingPlan::raw(name, dtype, shape);
}

TEST(Packer, QuantizedBytesAreThoseOfTheReference) {
  Weights weights;
  weights.addRandom("f32", DType::F32, {2, 200, 96});
  weights.addRandom("bf16", DType::BF16, {2, 200, 96}, 2);
  weights.addRandom("f16", DType::F16, {2, 200, 96}, 3);
  const std::pair<const char *, DType> kSources[] = {
      {"f32", DType::F32}, {"bf16", DType::BF16}, {"f16", DType::F16}};
  for (size_t i = 0; i < 3; ++i)
    for (BlockLayout layout : {BlockLayout::Linear, BlockLayout::Tiled})
      for (auto granularity :
           {GlobalScaleGranularity::Tensor, GlobalScaleGranularity::Slice,
            GlobalScaleGranularity::Row, GlobalScaleGranularity::None})
        for (int64_t blockRows : {1, 16})
          for (bool transposed : {false, true}) {
            if (granularity == GlobalScaleGranularity::Row && blockRows > 1)
              continue; // no such type
            PackingPlan plan =
                makePlan(kSources[i].first, kSources[i].second, {2, 200, 96});
            plan.read.view = StridedView::ofSource(0, {2, 200, 96});
            if (transposed)
              ASSERT_TRUE(plan.read.view.remap({0, 2, 1}, {2, 96, 200}).ok());
            plan.read.view.canonicalize();
            PackingQuantize how;
            how.layout = layout;
            how.granularity = granularity;
            how.convention = GlobalScaleConvention::Multiply;
            if (granularity == GlobalScaleGranularity::None)
              how.format = getMXFP4Format();
            else
              how.format = getNVFP4Format().withBlock(blockRows, 16);
            makeQuantized(plan, how);
            // `materialize` numbers sources as `weights` does.
            PackingPlan reference = plan;
            reference.read.view.renumberSources({int64_t(i)});
            Packed expected = quantizeWhole(weights, reference);
            for (int64_t panelElements : {1, 1 << 20}) {
              Packed packed;
              auto stats = packInto(packed, plan, weights.getSource(),
                                    panelElements, panelElements == 1 ? 3 : 1);
              ASSERT_TRUE(stats.ok()) << stats.getMessage();
              EXPECT_EQ(packed, expected)
                  << kSources[i].first << " layout " << int(layout)
                  << " granularity " << int(granularity) << " block rows "
                  << blockRows << " transposed " << transposed << " panel "
                  << panelElements;
              EXPECT_TRUE(stats->isQuantized);
              EXPECT_GT(stats->sqnr, 15.0);
              EXPECT_LT(stats->sqnr, 30.0);
            }
          }
}

/// Bytes, sums and progress; panels of 128 rows, in several batches.
TEST(Packer, NothingDependsOnTheNumberOfThreads) {
  Weights weights;
  weights.addRandom("w", DType::BF16, {4000, 96});
  for (bool isQuantized : {false, true}) {
    PackingPlan plan = makePlan("w", DType::BF16, {4000, 96});
    plan.read.addCast(DType::F32);
    plan.components[0].dtype = DType::F32;
    if (isQuantized)
      makeQuantized(plan, {});
    Packed expected;
    auto alone = packInto(expected, plan, weights.getSource(), 1 << 12);
    ASSERT_TRUE(alone.ok()) << alone.getMessage();
    for (unsigned numThreads : {2u, 5u}) {
      Packed packed;
      auto stats =
          packInto(packed, plan, weights.getSource(), 1 << 12, numThreads);
      ASSERT_TRUE(stats.ok()) << stats.getMessage();
      EXPECT_EQ(packed, expected);
      EXPECT_EQ(stats->amax, alone->amax);
      EXPECT_EQ(stats->sqnr, alone->sqnr);
    }
  }
}

TEST(Packer, StopsAtTheFirstErrorOfTheSink) {
  Weights weights;
  weights.addRandom("w", DType::F32, {8000, 16});
  PackingPlan plan = makePlan("w", DType::F32, {8000, 16});
  makeQuantized(plan, {});
  for (unsigned numThreads : {1u, 3u}) {
    ThreadPool pool(numThreads);
    PackerOptions options;
    options.pool = &pool;
    options.panelElements = 1;
    int calls = 0;
    auto stats =
        Packer(weights.getSource(), options)
            .pack(plan, [&](const TensorSpec &, const void *, uint64_t) {
              return ++calls < 20 ? Status() : Status::error("disk is full");
            });
    EXPECT_EQ(stats.getMessage(), "disk is full");
    EXPECT_EQ(calls, 20);
  }
}

TEST(Packer, ViewsCastsAndSharedScales) {
  Weights weights;
  weights.addRandom("a", DType::F32, {96, 64}, 1);
  weights.addRandom("b", DType::F32, {48, 96}, 2);
  PackingPlan plan;
  plan.name = "joined";
  plan.sources = {{"a", DType::F32, {96, 64}}, {"b", DType::F32, {48, 96}}};
  // b transposed has other strides than a; their concatenation two boxes.
  StridedView b = StridedView::ofSource(1, {48, 96});
  ASSERT_TRUE(b.remap({1, 0}, {96, 48}).ok());
  auto joined = StridedView::concat({StridedView::ofSource(0, {96, 64}), b}, 1);
  ASSERT_TRUE(joined.ok());
  plan.read.view = *joined;
  ASSERT_TRUE(plan.read.view.slice({3, 0}, {80, 112}, {1, 1}).ok());
  plan.read.view.canonicalize();
  plan.read.addCast(DType::BF16);
  plan.read.addCast(DType::F32);
  PackingQuantize how;
  makeQuantized(plan, how);
  expectQuantized(weights, plan, "own scale");

  // The scale of all of b, as for parts of one tensor that must agree.
  PackingRead scaleRead;
  scaleRead.view = StridedView::ofSource(1, {48, 96});
  scaleRead.view.canonicalize();
  how.scaleRead = scaleRead;
  makeQuantized(plan, how);
  expectQuantized(weights, plan, "scale of another read");
}

TEST(Packer, CastsCancelOrRound) {
  PackingRead read;
  read.sourceDType = DType::BF16;
  read.addCast(DType::F32);
  read.addCast(DType::BF16);
  EXPECT_TRUE(read.casts.empty());
  read.sourceDType = DType::F32;
  read.addCast(DType::BF16);
  read.addCast(DType::F32);
  EXPECT_EQ(read.casts, (std::vector<DType>{DType::BF16, DType::F32}));
  read.addCast(DType::BF16);
  EXPECT_EQ(read.casts, std::vector<DType>{DType::BF16});
}

TEST(Packer, NarrowedTensor) {
  Weights weights;
  weights.addRandom("w", DType::F32, {37, 53});
  PackingPlan plan = makePlan("w", DType::F32, {37, 53});
  ASSERT_TRUE(plan.read.view.remap({1, 0}, {53, 37}).ok());
  plan.read.addCast(DType::F16);
  plan.components = {{"w", DType::F16, {53, 37}}};
  Packed packed;
  auto stats = packInto(packed, plan, weights.getSource(), 100);
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  std::vector<float> expected = materialize(weights, plan.read);
  ASSERT_EQ(packed["w"].size(), expected.size() * 2);
  for (size_t i = 0; i < expected.size(); ++i) {
    uint16_t half;
    std::memcpy(&half, packed["w"].data() + 2 * i, 2);
    ASSERT_EQ(half, encodeF16(expected[i])) << i;
  }
}

/// A large transposed source must not be read once per panel.
TEST(Packer, TransposeReadsTheSourceOnce) {
  const int64_t rows = 1000, cols = 512;
  std::vector<float> values(rows * cols);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i);
  struct CountingSource final : WeightSource {
    Result<WeightTensor> get(const std::string &name) const override {
      auto tensor = inner.get(name);
      if (!tensor)
        return tensor;
      auto read = tensor->read;
      tensor->read = [this, read](void *buffer, uint64_t offset,
                                  uint64_t bytes) {
        bytesRead += bytes;
        return read(buffer, offset, bytes);
      };
      return tensor;
    }
    MemorySource inner;
    mutable uint64_t bytesRead = 0;
  } source;
  source.inner.add("w", DType::F32, {rows, cols}, values.data(), "test");
  PackingPlan plan = makePlan("w", DType::F32, {rows, cols});
  ASSERT_TRUE(plan.read.view.remap({1, 0}, {cols, rows}).ok());
  plan.components[0].shape = {cols, rows};
  Packed packed;
  ASSERT_TRUE(packInto(packed, plan, source, 10000).ok());
  EXPECT_EQ(source.bytesRead, values.size() * 4);
  for (int64_t i = 0; i < cols; ++i)
    for (int64_t j = 0; j < rows; ++j) {
      float value;
      std::memcpy(&value, packed["w"].data() + (i * rows + j) * 4, 4);
      ASSERT_EQ(value, values[j * cols + i]);
    }
}

TEST(Packer, EveryDTypeIsCarriedUnchanged) {
  for (unsigned code = 0; code < kNumDTypes; ++code) {
    DType dtype = static_cast<DType>(code);
    Extents shape = {4, 8};
    std::vector<char> bytes(*getTensorBytes(dtype, shape));
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = char(i * 37 + code);
    Weights weights;
    weights.addBytes("w", dtype, shape, bytes);
    Packed packed;
    auto stats =
        packInto(packed, makePlan("w", dtype, shape), weights.getSource());
    ASSERT_TRUE(stats.ok()) << stats.getMessage();
    EXPECT_EQ(packed["w"], std::string(bytes.begin(), bytes.end()))
        << getDTypeName(dtype);
  }
}

TEST(Packer, ScalarsAndEmptyTensors) {
  Weights weights;
  weights.add("scalar", DType::F32, {}, {2.5f});
  weights.add("empty", DType::F32, {0, 16}, {});
  Packed packed;
  ASSERT_TRUE(
      packInto(packed, makePlan("scalar", DType::F32, {}), weights.getSource())
          .ok());
  EXPECT_EQ(packed["scalar"].size(), 4u);
  ASSERT_TRUE(packInto(packed, makePlan("empty", DType::F32, {0, 16}),
                       weights.getSource())
                  .ok());
  EXPECT_EQ(packed.count("empty"), 0u);
  PackingPlan plan = makePlan("empty", DType::F32, {0, 16});
  makeQuantized(plan, PackingQuantize());
  auto stats = packInto(packed, plan, weights.getSource());
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  EXPECT_TRUE(std::isinf(stats->sqnr));
}

/// A graph in f32 with a BF16 checkpoint: exact, quantized or not.
TEST(Packer, NarrowerFloatsOfTheFileAreWidened) {
  Weights weights;
  weights.addRandom("w", DType::BF16, {32, 64});
  PackingPlan plan = makePlan("w", DType::F32, {32, 64});
  Packed packed;
  auto stats = packInto(packed, plan, weights.getSource());
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  EXPECT_TRUE(stats->isWidened);
  EXPECT_EQ(stats->bytesBefore, 32u * 64 * 2);
  ASSERT_EQ(packed["w"].size(), 32u * 64 * 4);
  for (int64_t i = 0; i < 32 * 64; ++i) {
    float value;
    std::memcpy(&value, packed["w"].data() + 4 * i, 4);
    ASSERT_EQ(value, weights.getValue(0, i));
  }
  makeQuantized(plan, PackingQuantize());
  expectQuantized(weights, plan, "widened");
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

void expectError(const Weights &weights, const PackingPlan &plan,
                 const std::string &message) {
  Packed packed;
  auto stats = packInto(packed, plan, weights.getSource());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(stats.getMessage(), message);
  EXPECT_TRUE(packed.empty());
}

TEST(Packer, WrongSourcesAreErrors) {
  Weights weights;
  weights.addRandom("w", DType::F32, {32, 64});
  weights.addBytes("ids", DType::I64, {1}, std::vector<char>(8));
  expectError(
      weights, makePlan("w", DType::F32, {64, 32}),
      "'test': tensor 'w': expected F32 [64, 32], as the graph declares "
      "it, but got F32 [32, 64]");
  // Narrowing would lose digits without anyone having asked for it.
  expectError(weights, makePlan("w", DType::BF16, {32, 64}),
              "'test': tensor 'w': expected BF16 [32, 64], as the graph "
              "declares it, but got F32 [32, 64]");
  expectError(weights, makePlan("ids", DType::F64, {1}),
              "'test': tensor 'ids': expected F64 [1], as the graph declares "
              "it, but got I64 [1]");
  expectError(weights, makePlan("v", DType::F32, {1}),
              "expected weights with the tensor 'v', but got no weights");
  // Signedness is not part of a signless integer.
  Packed packed;
  EXPECT_TRUE(
      packInto(packed, makePlan("ids", DType::U64, {1}), weights.getSource())
          .ok());
}

TEST(Packer, NaNInAQuantizedTensorIsAnError) {
  std::vector<float> values(32 * 64, 1.0f);
  values[7] = std::nanf("");
  values[1000] = values[1001] = -std::numeric_limits<float>::infinity();
  Weights weights;
  weights.add("w", DType::F32, {32, 64}, values);
  PackingPlan plan = makePlan("w", DType::F32, {32, 64});
  makeQuantized(plan, PackingQuantize());
  expectError(weights, plan,
              "weight 'w': expected finite values in a tensor that is "
              "quantized to nvfp4, but got 1 NaN and 2 infinite of 2048");

  // Without a global scale there is no first pass; the error is the same.
  PackingQuantize how;
  how.format = getMXFP4Format();
  how.granularity = GlobalScaleGranularity::None;
  makeQuantized(plan, how);
  Packed packed;
  auto stats = packInto(packed, plan, weights.getSource());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(stats.getMessage(),
            "weight 'w': expected finite values in a tensor that is quantized "
            "to mxfp4, but got 1 NaN and 2 infinite of 2048");

  // Elsewhere it is counted.
  auto raw = packInto(packed, makePlan("w", DType::F32, {32, 64}),
                      weights.getSource());
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(raw->numNaN, 1);
  EXPECT_EQ(raw->numInf, 2);
}

} // namespace
