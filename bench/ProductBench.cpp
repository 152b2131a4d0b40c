//===- ProductBench.cpp - Products on the CPU -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times the runtime's products, and beside them those of a library, if one is
// given: a shared object with `dnnl_sgemm` or `cblas_sgemm`. Contestants take
// turns.
//
//   nvfp4-product-bench [--threads N] [--library libdnnl.so.2]
//
// A library may have threads of its own: set OMP_NUM_THREADS or
// OPENBLAS_NUM_THREADS.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <vector>

using namespace nvfp4;

namespace {

using Body = std::function<int32_t(const nvfp4_context &)>;

/// C = A B^T or A B, row-major, for each of `batch` products.
struct Shape {
  int64_t batch, rows, columns, depth;
  bool isTransposed;
};

/// The products of MiniLM with 8 x 32 tokens, a square one and a vector.
constexpr Shape kShapes[] = {
    {1, 256, 384, 384, true},  {1, 256, 1536, 384, true},
    {1, 256, 384, 1536, true}, {96, 32, 32, 32, true},
    {96, 32, 32, 32, false},   {1, 1024, 1024, 1024, true},
    {1, 1, 4096, 4096, true},
};

/// Rows of x times weights in NVFP4 that no cache holds.
constexpr int64_t kFewRows[] = {1, 2, 4, 8, 16};
constexpr int64_t kWeightRows = 8192, kWeightColumns = 8192;

int32_t runBody(const nvfp4_context *context, const int64_t *,
                const void *const *args, void *const *, void *) {
  return (*static_cast<const Body *>(args[0]))(*context);
}

void run(Device &device, const Body &body) {
  nvfp4_entry entry = {};
  entry.name = "product";
  entry.run = runBody;
  const void *args[] = {&body};
  Status status = device.run(entry, nullptr, nullptr, args, nullptr, nullptr,
                             DeviceStream());
  if (status)
    return;
  std::fprintf(stderr, "nvfp4-product-bench: error: %s\n",
               status.getMessage().c_str());
  std::exit(1);
}

/// A library's product, or nothing.
class Library {
public:
  explicit Library(const char *path) {
    if (!path)
      return;
    void *handle = dlopen(path, RTLD_NOW);
    if (!handle) {
      std::fprintf(stderr, "nvfp4-product-bench: error: %s\n", dlerror());
      std::exit(1);
    }
    onednn = reinterpret_cast<OneDNN *>(dlsym(handle, "dnnl_sgemm"));
    blas = reinterpret_cast<Blas *>(dlsym(handle, "cblas_sgemm"));
  }

  explicit operator bool() const { return onednn || blas; }

  void multiply(const Shape &s, const float *a, const float *b,
                float *c) const {
    constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
    int64_t ldb = s.isTransposed ? s.depth : s.columns;
    if (onednn)
      onednn('N', s.isTransposed ? 'T' : 'N', s.rows, s.columns, s.depth, 1.0f,
             a, s.depth, b, ldb, 0.0f, c, s.columns);
    else
      blas(kRowMajor, kNoTrans, s.isTransposed ? kTrans : kNoTrans, int(s.rows),
           int(s.columns), int(s.depth), 1.0f, a, int(s.depth), b, int(ldb),
           0.0f, c, int(s.columns));
  }

private:
  using OneDNN = int(char, char, int64_t, int64_t, int64_t, float,
                     const float *, int64_t, const float *, int64_t, float,
                     float *, int64_t);
  using Blas = void(int, int, int, int, int, int, float, const float *, int,
                    const float *, int, float, float *, int);
  OneDNN *onednn = nullptr;
  Blas *blas = nullptr;
};

/// Median seconds of each contestant, which take turns.
std::vector<double>
measure(const std::vector<std::function<void()>> &contestants) {
  constexpr int kTurns = 21;
  std::vector<std::vector<double>> times(contestants.size());
  for (int turn = -1; turn < kTurns; ++turn)
    for (size_t i = 0; i < contestants.size(); ++i) {
      auto start = std::chrono::steady_clock::now();
      contestants[i]();
      std::chrono::duration<double> time =
          std::chrono::steady_clock::now() - start;
      if (turn >= 0)
        times[i].push_back(time.count());
    }
  std::vector<double> medians;
  for (std::vector<double> &list : times) {
    std::sort(list.begin(), list.end());
    medians.push_back(list[list.size() / 2]);
  }
  return medians;
}

void benchDense(Device &device, const Library &library, const Shape &s) {
  std::vector<float> a(size_t(s.batch * s.rows * s.depth), 0.5f);
  std::vector<float> b(size_t(s.batch * s.columns * s.depth), 0.25f);
  std::vector<float> c(size_t(s.batch * s.rows * s.columns));
  nvfp4_gemm gemm = {sizeof(nvfp4_gemm), 0,  s.rows, s.columns, s.depth,
                     {1, 1, 1, s.batch}, {}, {},     {}};
  gemm.a = {a.data(),          s.depth, 1, {0, 0, 0, s.rows * s.depth},
            NVFP4_ELEMENT_F32, 0};
  gemm.b = {b.data(),
            s.isTransposed ? 1 : s.columns,
            s.isTransposed ? s.depth : 1,
            {0, 0, 0, s.columns * s.depth},
            NVFP4_ELEMENT_F32,
            0};
  gemm.c = {c.data(),          s.columns, 1, {0, 0, 0, s.rows * s.columns},
            NVFP4_ELEMENT_F32, 0};
  std::vector<std::function<void()>> contestants = {[&] {
    run(device, [&](const nvfp4_context &context) {
      return context.gemm_f32(context.user, &gemm);
    });
  }};
  if (library)
    contestants.push_back([&] {
      for (int64_t i = 0; i < s.batch; ++i)
        library.multiply(s, &a[size_t(i * s.rows * s.depth)],
                         &b[size_t(i * s.columns * s.depth)],
                         &c[size_t(i * s.rows * s.columns)]);
    });
  std::vector<double> times = measure(contestants);
  double work = 2e-9 * double(s.batch * s.rows * s.columns) * double(s.depth);
  std::printf("%3lld x [%lld, %lld] [%lld, %lld]%s", (long long)s.batch,
              (long long)s.rows, (long long)s.depth,
              (long long)(s.isTransposed ? s.columns : s.depth),
              (long long)(s.isTransposed ? s.depth : s.columns),
              s.isTransposed ? "^T" : "");
  for (double time : times)
    std::printf("  %9.1f us %6.1f Gflop/s", time * 1e6, work / time);
  std::printf("\n");
}

void benchFewRows(Device &device, int64_t rows) {
  constexpr int64_t kCodes = kWeightRows * kWeightColumns / 2;
  constexpr int64_t kScales = kWeightRows * kWeightColumns / 16;
  std::vector<uint8_t> codes(kCodes), scales(kScales, 0x38);
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = uint8_t(i * 37);
  std::vector<float> x(size_t(rows * kWeightColumns), 0.5f);
  std::vector<float> y(size_t(rows * kWeightRows));
  float globalScale = 1.0f;
  nvfp4_scaled_product product = {};
  product.struct_size = sizeof(product);
  product.flags = NVFP4_SCALED_RHS_BLOCKS;
  product.rows = rows;
  product.columns = kWeightRows;
  product.depth = kWeightColumns;
  std::fill(std::begin(product.batch), std::end(product.batch), 1);
  product.lhs = {x.data(), kWeightColumns, 1, {}, NVFP4_ELEMENT_F32, 0};
  product.result = {y.data(), kWeightRows, 1, {}, NVFP4_ELEMENT_F32, 0};
  nvfp4_blocks &blocks = product.rhs_blocks;
  blocks.codes = codes.data();
  blocks.scales = scales.data();
  blocks.global_scales = &globalScale;
  blocks.code_row_stride = kWeightColumns / 2;
  blocks.scale_row_stride = kWeightColumns / 16;
  blocks.block_rows = 1;
  blocks.block_columns = 16;
  blocks.scale_encoding = NVFP4_SCALES_E4M3;
  blocks.global_scale = NVFP4_GLOBAL_SCALE_AMAX;
  blocks.scale_bound = 448.0f;
  double time = measure({[&] {
    run(device, [&](const nvfp4_context &context) {
      return context.scaled_product(context.user, &product);
    });
  }})[0];
  std::printf("NVFP4 weights [%lld, %lld], %lld rows  %9.1f us %6.1f GB/s of "
              "weights\n",
              (long long)kWeightRows, (long long)kWeightColumns,
              (long long)rows, time * 1e6,
              double(kCodes + kScales) / time * 1e-9);
}

} // namespace

int main(int argc, char **argv) {
  DeviceOptions options;
  options.numThreads = 1;
  const char *path = nullptr;
  for (int i = 1; i < argc; ++i) {
    if (i + 1 < argc && std::strcmp(argv[i], "--threads") == 0) {
      options.numThreads = unsigned(std::atoi(argv[++i]));
    } else if (i + 1 < argc && std::strcmp(argv[i], "--library") == 0) {
      path = argv[++i];
    } else {
      std::fprintf(stderr, "usage: nvfp4-product-bench [--threads N] "
                           "[--library FILE]\n");
      return 2;
    }
  }
  std::shared_ptr<Device> device = createCpuDevice(options);
  Library library(path);
  for (const Shape &shape : kShapes)
    benchDense(*device, library, shape);
  for (int64_t rows : kFewRows)
    benchFewRows(*device, rows);
  return 0;
}
