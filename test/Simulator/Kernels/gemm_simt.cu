//===- gemm_simt.cu - f32 GEMM without matrix instructions ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of 64 by 64 by 16 in shared memory, A transposed; 256 threads with 4 by
// 4 sums each. The next tile is loaded to registers while this one is
// multiplied.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

constexpr int kTile = 64, kDepth = 16, kThreads = 256;

/// D[M, N] = A[M, K] B[K, N].
extern "C" __global__ void __launch_bounds__(kThreads)
    gemm_simt(const float *__restrict__ a, const float *__restrict__ b,
              float *__restrict__ d, int m, int n, int k) {
  __shared__ __align__(16) float as[2][kDepth][kTile + 4];
  __shared__ __align__(16) float bs[2][kDepth][kTile];
  int thread = threadIdx.x;
  int firstRow = blockIdx.y * kTile, firstColumn = blockIdx.x * kTile;
  float nextA[4], nextB[4];
  auto fetch = [&](int depth) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int element = thread + i * kThreads;
      int row = firstRow + element / kDepth, inner = depth + element % kDepth;
      nextA[i] = row < m && inner < k ? a[row * k + inner] : 0.0f;
      inner = depth + element / kTile;
      int column = firstColumn + element % kTile;
      nextB[i] = inner < k && column < n ? b[inner * n + column] : 0.0f;
    }
  };
  auto put = [&](int buffer) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int element = thread + i * kThreads;
      as[buffer][element % kDepth][element / kDepth] = nextA[i];
      bs[buffer][element / kTile][element % kTile] = nextB[i];
    }
  };
  fetch(0);
  put(0);
  __syncthreads();
  int row = thread / 16 * 4, column = thread % 16 * 4;
  float sums[4][4] = {};
  for (int depth = 0, buffer = 0; depth < k; depth += kDepth, buffer ^= 1) {
    bool more = depth + kDepth < k;
    if (more)
      fetch(depth + kDepth);
#pragma unroll
    for (int inner = 0; inner < kDepth; ++inner) {
      float4 va = *reinterpret_cast<const float4 *>(&as[buffer][inner][row]);
      float4 vb = *reinterpret_cast<const float4 *>(&bs[buffer][inner][column]);
      float fa[4] = {va.x, va.y, va.z, va.w}, fb[4] = {vb.x, vb.y, vb.z, vb.w};
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          sums[i][j] = fmaf(fa[i], fb[j], sums[i][j]);
    }
    if (more)
      put(buffer ^ 1);
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      if (firstRow + row + i < m && firstColumn + column + j < n)
        d[(firstRow + row + i) * n + firstColumn + column + j] = sums[i][j];
}
