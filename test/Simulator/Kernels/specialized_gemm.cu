//===- specialized_gemm.cu - Warp-specialized GEMM over bulk copies -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A producer warpgroup gives registers away and starts bulk copies, one per
// row; a consumer warpgroup takes them and multiplies. Between them a ring of
// three stages with full and empty barriers, over several tiles of D per block.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

constexpr int kTile = 64, kStages = 3, kDepth = 32;
// Rows of 64 bytes without permutation, padded by 16 against bank conflicts.
constexpr int kPitch = kDepth * 2 + 16;
constexpr int kMatrix = kTile * kPitch;

/// D[M, N] = A[M, K] B[N, K]^T in bf16, M and N multiples of 64, K of 32.
/// Blocks take tiles in turn.
extern "C" __global__ void __launch_bounds__(256, 1)
    specialized_gemm(const uint8_t *a, const uint8_t *b, float *d, int m, int n,
                     int k) {
  extern __shared__ __align__(128) uint8_t dynamic[];
  __shared__ uint64_t full[kStages], empty[kStages];
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      mbarrierInit(&full[i], 1);
      mbarrierInit(&empty[i], 4);
    }
    fenceMbarrierInit();
    fenceProxyAsync();
  }
  __syncthreads();
  int columns = n / kTile, tiles = m / kTile * columns, steps = k / kDepth;
  int warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;

  if (threadIdx.x < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (warp != 0)
      return;
    int i = 0;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x)
      for (int step = 0; step < steps; ++step, ++i) {
        int stage = i % kStages;
        mbarrierWait(&empty[stage], i / kStages % 2 ^ 1);
        if (electOne())
          mbarrierExpect(&full[stage], 2 * kTile * kDepth * 2);
        __syncwarp();
        uint8_t *to = dynamic + stage * 2 * kMatrix;
        for (int row = lane; row < kTile; row += 32) {
          size_t rowOfA = size_t(tile / columns) * kTile + row;
          size_t rowOfB = size_t(tile % columns) * kTile + row;
          bulkLoad(to + row * kPitch, a + (rowOfA * k + step * kDepth) * 2,
                   kDepth * 2, &full[stage]);
          bulkLoad(to + kMatrix + row * kPitch,
                   b + (rowOfB * k + step * kDepth) * 2, kDepth * 2,
                   &full[stage]);
        }
      }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32, i = 0;
  for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    float acc[2][4][4] = {};
    for (int step = 0; step < steps; ++step, ++i) {
      int stage = i % kStages;
      mbarrierWait(&full[stage], i / kStages % 2);
      uint32_t from = sharedAddress(dynamic) + stage * 2 * kMatrix;
#pragma unroll
      for (int byte = 0; byte < kDepth * 2; byte += 32) {
        uint32_t fa[2][4], fb[2][4];
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          ldmatrixX4(fa[j], from + (warpRow + 16 * j + lane % 16) * kPitch +
                                byte + lane / 16 * 16);
          ldmatrixX4(fb[j],
                     from + kMatrix +
                         (warpColumn + 16 * j + lane / 16 * 8 + lane % 8) *
                             kPitch +
                         byte + lane / 8 % 2 * 16);
        }
#pragma unroll
        for (int x = 0; x < 2; ++x)
#pragma unroll
          for (int y = 0; y < 4; ++y)
            mmaBf16(acc[x][y], fa[x], &fb[y / 2][y % 2 * 2]);
      }
      __syncwarp();
      if (lane == 0)
        mbarrierArrive(&empty[stage]);
    }
    for (int x = 0; x < 2; ++x)
      for (int y = 0; y < 4; ++y)
        for (int half = 0; half < 2; ++half) {
          int row =
              tile / columns * kTile + warpRow + 16 * x + 8 * half + lane / 4;
          int column =
              tile % columns * kTile + warpColumn + 8 * y + lane % 4 * 2;
          *reinterpret_cast<float2 *>(d + size_t(row) * n + column) =
              make_float2(acc[x][y][2 * half], acc[x][y][2 * half + 1]);
        }
  }
}
