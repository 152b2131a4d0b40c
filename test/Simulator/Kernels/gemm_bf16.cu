//===- gemm_bf16.cu - Pipelined bf16 GEMM ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async in three and four stages, ldmatrix, mma.sync m16n8k16, f32 sums.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

struct Bf16 {
  using Accumulator = float;
  using Output = float;
  static constexpr int kRegisters = 4;
  static __device__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                  const uint32_t *b) {
    mmaBf16(d, a, b);
  }
  static __device__ float get(const float (&d)[4], int i) { return d[i]; }
};

extern "C" __global__ void __launch_bounds__(128)
    gemm_3_stages(const uint8_t *a, const uint8_t *b, float *d,
                  GemmShape shape) {
  pipelinedGemm<Bf16, 3>(a, b, d, shape);
}

extern "C" __global__ void __launch_bounds__(128)
    gemm_4_stages(const uint8_t *a, const uint8_t *b, float *d,
                  GemmShape shape) {
  pipelinedGemm<Bf16, 4>(a, b, d, shape);
}

/// D = A B with B[K, N] as it lies in memory: ldmatrix transposes. K and N are
/// multiples of 32 and 64, M of 64; two stages in dynamic shared memory, rows
/// of B padded by 16 bytes.
extern "C" __global__ void __launch_bounds__(128)
    gemm_transposing(const uint8_t *a, const uint8_t *b, float *d, int n,
                     int k) {
  extern __shared__ __align__(128) uint8_t dynamic[];
  constexpr int kABytes = 64 * kRowBytes, kBPitch = 64 * 2 + 16;
  constexpr int kStage = kABytes + 32 * kBPitch;
  uint32_t ring = sharedAddress(dynamic);
  int firstRow = blockIdx.y * 64, firstColumn = blockIdx.x * 64;
  auto load = [&](int step) {
    uint32_t stage = ring + step % 2 * kStage;
    loadRows<64, 128>(stage, a, firstRow, firstRow + 64, step * kRowBytes,
                      k * 2, k * 2);
    for (int i = threadIdx.x; i < 32 * 8; i += 128)
      cpAsync16(stage + kABytes + i / 8 * kBPitch + i % 8 * 16,
                b + (size_t(step * 32 + i / 8) * n + firstColumn) * 2 +
                    i % 8 * 16,
                16);
    cpAsyncCommit();
  };
  load(0);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  float acc[2][4][4] = {};
  for (int step = 0; step < k / 32; ++step) {
    if (step + 1 < k / 32) {
      load(step + 1);
      cpAsyncWait<1>();
    } else {
      cpAsyncWait<0>();
    }
    __syncthreads();
    uint32_t stage = ring + step % 2 * kStage;
#pragma unroll
    for (int chunk = 0; chunk < 4; chunk += 2) {
      uint32_t fa[2][4], fb[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        loadA(fa[i], stage, warpRow + 16 * i, chunk);
        // Matrices: K 0-7 and 8-15 of eight columns, then of the next eight.
        ldmatrixX4Trans(fb[i], stage + kABytes +
                                   (chunk * 8 + lane % 16) * kBPitch +
                                   (warpColumn + 16 * i + lane / 16 * 8) * 2);
      }
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          mmaBf16(acc[i][j], fa[i], &fb[j / 2][j % 2 * 2]);
    }
    // The next step's copy overwrites this stage only after everyone has read
    // it.
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = firstRow + warpRow + 16 * i + 8 * half + lane / 4;
        int column = firstColumn + warpColumn + 8 * j + lane % 4 * 2;
        *reinterpret_cast<float2 *>(d + size_t(row) * n + column) =
            make_float2(acc[i][j][2 * half], acc[i][j][2 * half + 1]);
      }
}
