//===- QuantizerShares.cpp - The quantizer against the memory it moves ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nvfp4-quantizer-bench --shares: what share of the streaming bandwidth of one
// core the quantizer reaches. Streaming moves the same bytes from and to the
// same buffers (read the source, write codes and scales) and computes next to
// nothing, with ordinary and with non-temporal stores, of which the faster
// counts. All contestants take turns on one thread; a share is the median of
// the shares of single turns, so that what else the machine does hits both
// sides alike.
//
//===----------------------------------------------------------------------===//

#include "QuantizerShares.h"

#include "nvfp4/Support/Quantize.h"
#include "nvfp4/Support/ScaleLayout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "QuantizerShares.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

//===----------------------------------------------------------------------===//
// Streaming
//===----------------------------------------------------------------------===//

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DB = hn::ScalableTag<uint8_t>;

/// Reads `ratio` vectors of source for each vector of codes, and writes a
/// vector of scales after every eight of those. With the vector types of all
/// machines the buffers are whole numbers of such steps.
template <bool kTemporal>
static void streamImpl(const uint8_t *source, int64_t ratio, int64_t codeBytes,
                       uint8_t *codes, uint8_t *scales) {
  const DB d;
  const int64_t bytes = hn::Lanes(d);
  const auto store = [&](hn::Vec<DB> value, uint8_t *address) HWY_ATTR {
    if (kTemporal)
      hn::Store(value, d, address);
    else
      hn::Stream(value, d, address);
  };
  for (int64_t i = 0; i < codeBytes; i += 8 * bytes) {
    auto all = hn::Zero(d);
    for (int64_t j = 0; j < 8; ++j) {
      auto a = hn::Zero(d), b = hn::Zero(d);
      for (int64_t k = 0; k < ratio; k += 4) {
        a = hn::Xor3(a, hn::Load(d, source), hn::Load(d, source + bytes));
        b = hn::Xor3(b, hn::Load(d, source + 2 * bytes),
                     hn::Load(d, source + 3 * bytes));
        source += 4 * bytes;
      }
      a = hn::Xor(a, b);
      all = hn::Xor(all, a);
      store(a, codes + i + j * bytes);
    }
    store(all, scales + i / 8);
  }
  hwy::FlushStream();
}

/// Reads a source and does nothing else with it.
static uint8_t readImpl(const uint8_t *source, int64_t size) {
  const DB d;
  const int64_t bytes = hn::Lanes(d);
  auto a = hn::Zero(d), b = hn::Zero(d);
  for (int64_t i = 0; i < size; i += 4 * bytes) {
    const uint8_t *part = source + i;
    a = hn::Xor3(a, hn::Load(d, part), hn::Load(d, part + bytes));
    b = hn::Xor3(b, hn::Load(d, part + 2 * bytes),
                 hn::Load(d, part + 3 * bytes));
  }
  return hn::GetLane(hn::Xor(a, b));
}

static void streamTemporal(const uint8_t *source, int64_t ratio,
                           int64_t codeBytes, uint8_t *codes, uint8_t *scales) {
  streamImpl<true>(source, ratio, codeBytes, codes, scales);
}
static void streamAround(const uint8_t *source, int64_t ratio,
                         int64_t codeBytes, uint8_t *codes, uint8_t *scales) {
  streamImpl<false>(source, ratio, codeBytes, codes, scales);
}
static const char *getTargetNameImpl() { return hwy::TargetName(HWY_TARGET); }

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <vector>

using namespace nvfp4;

namespace nvfp4 {
HWY_EXPORT(streamTemporal);
HWY_EXPORT(streamAround);
HWY_EXPORT(readImpl);
HWY_EXPORT(getTargetNameImpl);
} // namespace nvfp4

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t kRows = 8192;
constexpr int64_t kCols = 16384;
/// The reference takes this part of the rows.
constexpr int64_t kScalarPart = 64;
constexpr int kTurns = 15;

/// Processor time of this thread: what else runs may take the core away.
double getSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

double measure(const std::function<void()> &body) {
  double begin = getSeconds();
  body();
  return getSeconds() - begin;
}

double median(std::vector<double> values) {
  auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A source of one type with its codes and scales.
class Contest {
public:
  explicit Contest(FloatType type);
  void run();

private:
  MatrixRef getSource(int64_t rows = kRows) const {
    return {source.get(), type, rows, kCols, kCols};
  }
  double quantizeOnce();
  double streamOnce();
  double quantizeWithAmax();
  double readAndStream();
  double quantizeScalarRows();
  void print(const char *what, const std::vector<double> &seconds) const;

  FloatType type;
  int64_t sourceBytes;
  QuantizeOptions options;
  StorageLayout layout;
  float globalScale = 2.0f;
  hwy::AlignedFreeUniquePtr<uint8_t[]> source, codes, scales;
};

} // namespace

Contest::Contest(FloatType type)
    : type(type), sourceBytes(kRows * kCols * getFloatTypeBytes(type)),
      layout(
          getStorageLayout(options.format, BlockLayout::Linear, kRows, kCols)),
      source(hwy::AllocateAligned<uint8_t>(size_t(sourceBytes))),
      codes(hwy::AllocateAligned<uint8_t>(size_t(layout.codeBytes))),
      scales(hwy::AllocateAligned<uint8_t>(size_t(layout.scaleBytes))) {
  uint32_t state = 1;
  for (int64_t i = 0; i < kRows * kCols; ++i) {
    state = state * 1664525 + 1013904223;
    float value = float(int32_t(state)) * 0x1p-30f;
    uint16_t half = encodeBF16(value);
    if (type == FloatType::F32)
      std::memcpy(&source[size_t(i * 4)], &value, 4);
    else
      std::memcpy(&source[size_t(i * 2)], &half, 2);
  }
}

double Contest::quantizeOnce() {
  return measure([&] {
    quantize(options, getSource(), &globalScale,
             {codes.get(), layout.codePitch, scales.get(), layout.scaleCols});
  });
}

double Contest::streamOnce() {
  int64_t ratio = sourceBytes / layout.codeBytes;
  return std::min(
      measure([&] {
        HWY_DYNAMIC_DISPATCH(streamTemporal)
        (source.get(), ratio, layout.codeBytes, codes.get(), scales.get());
      }),
      measure([&] {
        HWY_DYNAMIC_DISPATCH(streamAround)
        (source.get(), ratio, layout.codeBytes, codes.get(), scales.get());
      }));
}

double Contest::quantizeWithAmax() {
  double amax = measure([&] { globalScale = computeAmax(getSource()).amax; });
  return amax + quantizeOnce();
}

double Contest::readAndStream() {
  volatile uint8_t sink;
  double read = measure([&] {
    sink = HWY_DYNAMIC_DISPATCH(readImpl)(source.get(), sourceBytes);
  });
  return read + streamOnce();
}

double Contest::quantizeScalarRows() {
  double time = measure([&] {
    quantizeReference(
        options, getSource(kRows / kScalarPart), &globalScale,
        {codes.get(), layout.codePitch, scales.get(), layout.scaleCols});
  });
  return time * kScalarPart;
}

void Contest::print(const char *what,
                    const std::vector<double> &seconds) const {
  std::printf("  %-34s %8.2f ms  %6.2f GB/s of source\n", what,
              median(seconds) * 1e3, sourceBytes / median(seconds) * 1e-9);
}

void Contest::run() {
  std::vector<double> stream, vectors, both, vectorsBoth, scalar;
  std::vector<double> share, shareBoth, speedup;
  for (int turn = 0; turn <= kTurns; ++turn) {
    double times[] = {streamOnce(), quantizeOnce(), readAndStream(),
                      quantizeWithAmax(), quantizeScalarRows()};
    // The first turn touches fresh pages.
    if (turn == 0)
      continue;
    stream.push_back(times[0]);
    vectors.push_back(times[1]);
    both.push_back(times[2]);
    vectorsBoth.push_back(times[3]);
    scalar.push_back(times[4]);
    share.push_back(times[0] / times[1]);
    shareBoth.push_back(times[2] / times[3]);
    speedup.push_back(times[4] / times[1]);
  }
  std::printf("%s, %.0f MB of source:\n",
              type == FloatType::F32 ? "f32" : "bf16", sourceBytes * 1e-6);
  print("stream", stream);
  print("quantize, global scale given", vectors);
  print("read, then stream", both);
  print("amax, then quantize", vectorsBoth);
  print("scalar version (extrapolated)", scalar);
  std::printf("  share of streaming: %.2f with the global scale given, %.2f "
              "without; %.0f x the scalar version\n",
              median(share), median(shareBoth), median(speedup));
}

void nvfp4::printQuantizerShares() {
  std::printf("one thread, %s, medians of %d turns\n",
              HWY_DYNAMIC_DISPATCH(getTargetNameImpl)(), kTurns);
  Contest(FloatType::F32).run();
  Contest(FloatType::BF16).run();
}

#endif // HWY_ONCE
