//===- QuantizerBench.cpp - The quantizer against copying memory ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fast a matrix that does not fit the caches is quantized and dequantized:
// vectors, the scalar reference, and, as the limit, a plain copy of the source.
// Bytes per second count source bytes (target bytes for dequantization), so the
// rows compare. One thread. With `--shares`, and nothing else, the shares of
// QuantizerShares.cpp.
//
//===----------------------------------------------------------------------===//

#include "QuantizerShares.h"

#include "nvfp4/Support/Quantize.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

using namespace nvfp4;

namespace {

constexpr int64_t kRows = 4096;
constexpr int64_t kCols = 4096;

/// A source matrix, its codes and scales, and its values again.
struct Buffers {
  explicit Buffers(FloatType type, const BlockFormat &format)
      : type(type),
        layout(getStorageLayout(format, BlockLayout::Linear, kRows, kCols)),
        source(size_t(kRows * kCols * getFloatTypeBytes(type))),
        values(source.size()), codes(size_t(layout.codeBytes)),
        scales(size_t(layout.scaleBytes)) {
    uint32_t state = 1;
    for (int64_t i = 0; i < kRows * kCols; ++i) {
      state = state * 1664525 + 1013904223;
      float value = float(int32_t(state)) * 0x1p-30f;
      uint16_t half =
          type == FloatType::BF16 ? encodeBF16(value) : encodeF16(value);
      if (type == FloatType::F32)
        std::memcpy(&source[size_t(i * 4)], &value, 4);
      else
        std::memcpy(&source[size_t(i * 2)], &half, 2);
    }
  }

  MatrixRef getSource(int64_t rows = kRows) const {
    return {source.data(), type, rows, kCols, kCols};
  }
  QuantizedRef getTarget() {
    return {codes.data(), layout.codePitch, scales.data(), layout.scaleCols};
  }
  void setBytes(benchmark::State &state, int64_t rows = kRows) const {
    state.SetBytesProcessed(int64_t(state.iterations()) * rows * kCols *
                            getFloatTypeBytes(type));
  }

  FloatType type;
  StorageLayout layout;
  std::vector<uint8_t> source, values, codes, scales;
};

void copyBytes(benchmark::State &state, FloatType type) {
  Buffers buffers(type, getNVFP4Format());
  for (auto _ : state) {
    std::memcpy(buffers.values.data(), buffers.source.data(),
                buffers.source.size());
    benchmark::ClobberMemory();
  }
  buffers.setBytes(state);
}

void amax(benchmark::State &state, FloatType type) {
  Buffers buffers(type, getNVFP4Format());
  for (auto _ : state)
    benchmark::DoNotOptimize(computeAmax(buffers.getSource()));
  buffers.setBytes(state);
}

void quantizeVectors(benchmark::State &state, FloatType type,
                     QuantizeOptions options) {
  Buffers buffers(type, options.format);
  float globalScale = 2.0f;
  for (auto _ : state) {
    quantize(options, buffers.getSource(), &globalScale, buffers.getTarget());
    benchmark::ClobberMemory();
  }
  buffers.setBytes(state);
}

void quantizeScalar(benchmark::State &state, FloatType type,
                    QuantizeOptions options) {
  // A part of the matrix: the reference is some forty times slower.
  constexpr int64_t rows = kRows / 64;
  Buffers buffers(type, options.format);
  float globalScale = 2.0f;
  for (auto _ : state) {
    quantizeReference(options, buffers.getSource(rows), &globalScale,
                      buffers.getTarget());
    benchmark::ClobberMemory();
  }
  buffers.setBytes(state, rows);
}

void dequantizeVectors(benchmark::State &state, FloatType type) {
  QuantizeOptions options;
  Buffers buffers(type, options.format);
  float globalScale = 2.0f;
  quantize(options, buffers.getSource(), &globalScale, buffers.getTarget());
  QuantizedRef codes = buffers.getTarget();
  for (auto _ : state) {
    dequantize(
        options, {codes.codes, codes.codePitch, codes.scales, codes.scalePitch},
        &globalScale, {buffers.values.data(), type, kRows, kCols, kCols});
    benchmark::ClobberMemory();
  }
  buffers.setBytes(state);
}

QuantizeOptions makeStochastic() {
  QuantizeOptions options;
  options.rounding = Rounding::Stochastic;
  return options;
}

QuantizeOptions makeFourOverSix() {
  QuantizeOptions options;
  options.format = options.format.withScaleBound(256);
  options.fourOverSix = FourOverSix::MAE;
  return options;
}

QuantizeOptions makeSquare() {
  QuantizeOptions options;
  options.format = options.format.withBlock(16, 16);
  return options;
}

const QuantizeOptions kNVFP4;
const QuantizeOptions kMXFP4 = getDefaultOptions(getMXFP4Format());

} // namespace

BENCHMARK_CAPTURE(copyBytes, f32, FloatType::F32);
BENCHMARK_CAPTURE(copyBytes, bf16, FloatType::BF16);
BENCHMARK_CAPTURE(amax, f32, FloatType::F32);
BENCHMARK_CAPTURE(amax, bf16, FloatType::BF16);
BENCHMARK_CAPTURE(quantizeVectors, nvfp4_f32, FloatType::F32, kNVFP4);
BENCHMARK_CAPTURE(quantizeVectors, nvfp4_bf16, FloatType::BF16, kNVFP4);
BENCHMARK_CAPTURE(quantizeVectors, nvfp4_f16, FloatType::F16, kNVFP4);
BENCHMARK_CAPTURE(quantizeVectors, nvfp4_16x16_bf16, FloatType::BF16,
                  makeSquare());
BENCHMARK_CAPTURE(quantizeVectors, nvfp4_stochastic_bf16, FloatType::BF16,
                  makeStochastic());
BENCHMARK_CAPTURE(quantizeVectors, nvfp4_four_over_six_bf16, FloatType::BF16,
                  makeFourOverSix());
BENCHMARK_CAPTURE(quantizeVectors, mxfp4_bf16, FloatType::BF16, kMXFP4);
BENCHMARK_CAPTURE(quantizeScalar, nvfp4_f32, FloatType::F32, kNVFP4);
BENCHMARK_CAPTURE(quantizeScalar, nvfp4_bf16, FloatType::BF16, kNVFP4);
BENCHMARK_CAPTURE(dequantizeVectors, f32, FloatType::F32);
BENCHMARK_CAPTURE(dequantizeVectors, bf16, FloatType::BF16);

int main(int argc, char **argv) {
  if (argc == 2 && std::strcmp(argv[1], "--shares") == 0) {
    printQuantizerShares();
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
