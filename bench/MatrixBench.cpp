//===- MatrixBench.cpp - Matrix instructions of the simulator -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many warp-level matrix instructions one core simulates per second, from
// registers to registers, per instruction and way of rounding. Items are
// instructions.
//
//===----------------------------------------------------------------------===//

#include "Matrix/Mma.h"

#include "nvfp4/Support/Codecs.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

using namespace nvfp4;
using namespace nvfp4::ptx;
using Type = ElementType;

namespace {

constexpr MmaMode kExact = {Accumulation::Exact, TensorCore::Blackwell};
constexpr MmaMode kHopper = {Accumulation::Hardware, TensorCore::Hopper};
constexpr MmaMode kBlackwell = {Accumulation::Hardware, TensorCore::Blackwell};

/// Registers of a warp with values as a network has them: normally distributed,
/// or like probabilities, spread over `spread` powers of two.
struct Warp {
  uint32_t a[8][32], b[8][32], c[8][32], scaleA[32], scaleB[32];

  Warp(const MmaDescriptor &descriptor, int spread) {
    std::mt19937 random(1);
    std::normal_distribution<float> distribution;
    const auto normal = [&](std::mt19937 &random) {
      return std::ldexp(distribution(random),
                        -int(random() % unsigned(spread)));
    };
    auto makeWord = [&](ElementType type) -> uint32_t {
      switch (type) {
      case Type::BF16:
        return encodeBF16(normal(random)) | uint32_t(encodeBF16(normal(random)))
                                                << 16;
      case Type::F16:
        return encodeF16(normal(random)) | uint32_t(encodeF16(normal(random)))
                                               << 16;
      case Type::F32:
      case Type::TF32:
        return bitsOfFloat(normal(random));
      case Type::E4M3: {
        uint32_t word = 0;
        for (int i = 0; i < 4; ++i)
          word = word << 8 | encodeE4M3(normal(random));
        return word;
      }
      default:
        return uint32_t(random());
      }
    };
    for (auto &words : a)
      for (uint32_t &word : words)
        word = makeWord(descriptor.a);
    for (auto &words : b)
      for (uint32_t &word : words)
        word = makeWord(descriptor.b);
    for (auto &words : c)
      for (uint32_t &word : words)
        word = makeWord(descriptor.c);
    const uint32_t base =
        descriptor.scaleType == ScaleType::UE8M0 ? 0x7C7C7C7C : 0x38383838;
    for (int lane = 0; lane < 32; ++lane) {
      scaleA[lane] = base + (uint32_t(random()) & 0x07070707);
      scaleB[lane] = base + (uint32_t(random()) & 0x07070707);
    }
  }
};

void mma(benchmark::State &state, MmaDescriptor descriptor, MmaMode mode,
         int spread = 1) {
  Result<MmaPlan> plan = MmaPlan::create(descriptor);
  if (!plan) {
    state.SkipWithError(plan.getMessage().c_str());
    return;
  }
  Warp warp(descriptor, spread);
  uint32_t results[8][32];
  MmaInputs inputs;
  MutableFragment d;
  for (int i = 0; i < 8; ++i) {
    inputs.a.words[i] = warp.a[i];
    inputs.b.words[i] = warp.b[i];
    inputs.c.words[i] = warp.c[i];
    d.words[i] = results[i];
  }
  inputs.scaleA.words = warp.scaleA;
  inputs.scaleB.words = warp.scaleB;
  for (auto _ : state) {
    if (!plan->execute(inputs, mode, d))
      state.SkipWithError("refused");
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(int64_t(state.iterations()));
}

constexpr MmaDescriptor makeScaled(MmaKind kind, Type type, uint16_t k,
                                   ScaleType scaleType, uint8_t scaleVec) {
  MmaDescriptor descriptor = {{16, 8, k}, type, type, Type::F32, Type::F32};
  descriptor.kind = kind;
  descriptor.scaleType = scaleType;
  descriptor.scaleVec = scaleVec;
  return descriptor;
}

constexpr MmaDescriptor kNVFP4 =
    makeScaled(MmaKind::MXF4NVF4, Type::E2M1, 64, ScaleType::UE4M3, 4);
constexpr MmaDescriptor kMXFP4 =
    makeScaled(MmaKind::MXF4, Type::E2M1, 64, ScaleType::UE8M0, 2);
constexpr MmaDescriptor kMXFP8 =
    makeScaled(MmaKind::MXF8F6F4, Type::E4M3, 32, ScaleType::UE8M0, 1);

constexpr MmaDescriptor makePlain(ElementType type, uint16_t k,
                                  ElementType accumulator) {
  return {{16, 8, k}, type, type, accumulator, accumulator};
}

} // namespace

BENCHMARK_CAPTURE(mma, nvfp4_exact, kNVFP4, kExact);
BENCHMARK_CAPTURE(mma, nvfp4_blackwell, kNVFP4, kBlackwell);
BENCHMARK_CAPTURE(mma, mxfp4_exact, kMXFP4, kExact);
BENCHMARK_CAPTURE(mma, mxfp4_blackwell, kMXFP4, kBlackwell);
BENCHMARK_CAPTURE(mma, mxfp8_exact, kMXFP8, kExact);
BENCHMARK_CAPTURE(mma, mxfp8_blackwell, kMXFP8, kBlackwell);
BENCHMARK_CAPTURE(mma, bf16_exact, makePlain(Type::BF16, 16, Type::F32),
                  kExact);
BENCHMARK_CAPTURE(mma, bf16_spread_exact, makePlain(Type::BF16, 16, Type::F32),
                  kExact, 40);
BENCHMARK_CAPTURE(mma, bf16_hopper, makePlain(Type::BF16, 16, Type::F32),
                  kHopper);
BENCHMARK_CAPTURE(mma, f16_exact, makePlain(Type::F16, 16, Type::F32), kExact);
BENCHMARK_CAPTURE(mma, f16_hopper, makePlain(Type::F16, 16, Type::F32),
                  kHopper);
BENCHMARK_CAPTURE(mma, f16_f16_exact, makePlain(Type::F16, 16, Type::F16),
                  kExact);
BENCHMARK_CAPTURE(mma, f16_f16_hopper, makePlain(Type::F16, 16, Type::F16),
                  kHopper);
BENCHMARK_CAPTURE(mma, tf32_exact, makePlain(Type::TF32, 8, Type::F32), kExact);
BENCHMARK_CAPTURE(mma, tf32_hopper, makePlain(Type::TF32, 8, Type::F32),
                  kHopper);
BENCHMARK_CAPTURE(mma, e4m3_exact, makePlain(Type::E4M3, 32, Type::F32),
                  kExact);
BENCHMARK_CAPTURE(mma, e4m3_hopper, makePlain(Type::E4M3, 32, Type::F32),
                  kHopper);
BENCHMARK_CAPTURE(mma, s8, makePlain(Type::S8, 32, Type::S32), kExact);
BENCHMARK_CAPTURE(mma, s4, makePlain(Type::S4, 64, Type::S32), kExact);

BENCHMARK_MAIN();
