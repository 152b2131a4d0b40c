//===- norm.cu - Layer norm and RMS norm ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layer norm in f32 with a warp per row, RMS norm in bf16 with a block per row.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"
#include <cuda_bf16.h>

/// Mean and sum of squared differences of `count` numbers.
struct Moments {
  float mean, m2, count;
};

/// The moments of both together, after Chan, Golub and LeVeque.
__device__ Moments merge(Moments a, Moments b) {
  float count = a.count + b.count;
  if (count == 0)
    return a;
  float difference = b.mean - a.mean, share = b.count / count;
  return {fmaf(difference, share, a.mean),
          a.m2 + b.m2 + difference * difference * a.count * share, count};
}

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.
extern "C" __global__ void layer_norm(const float *__restrict__ x,
                                      const float *__restrict__ gamma,
                                      const float *__restrict__ beta,
                                      float *__restrict__ y, int rows,
                                      int columns, float epsilon) {
  int lane = threadIdx.x % 32;
  int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (row >= rows)
    return;
  Moments moments = {};
  for (int i = lane; i < columns; i += 32)
    moments = merge(moments, {x[row * columns + i], 0, 1});
  for (int offset = 16; offset > 0; offset /= 2)
    moments = merge(moments, {__shfl_xor_sync(~0u, moments.mean, offset),
                              __shfl_xor_sync(~0u, moments.m2, offset),
                              __shfl_xor_sync(~0u, moments.count, offset)});
  float scale = rsqrtf(moments.m2 / columns + epsilon);
  for (int i = lane; i < columns; i += 32)
    y[row * columns + i] =
        fmaf((x[row * columns + i] - moments.mean) * scale, gamma[i], beta[i]);
}

/// y = x / sqrt(mean(x²) + epsilon) * weight, eight bf16 at a time; what a
/// thread loaded stays in registers.
extern "C" __global__ void __launch_bounds__(128)
    rms_norm_bf16(const uint4 *__restrict__ x, const uint4 *__restrict__ weight,
                  uint4 *__restrict__ y, int vectors, float epsilon) {
  constexpr int kPerThread = 2;
  __shared__ float sums[4];
  float2 v[kPerThread][4] = {};
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    int vector = threadIdx.x + 128 * i;
    if (vector >= vectors)
      continue;
    uint4 bits = x[blockIdx.x * vectors + vector];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      v[i][j] = __bfloat1622float2(
          reinterpret_cast<const __nv_bfloat162 *>(&bits)[j]);
      sum = fmaf(v[i][j].x, v[i][j].x, fmaf(v[i][j].y, v[i][j].y, sum));
    }
  }
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0)
    sums[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = sums[0] + sums[1] + sums[2] + sums[3];
  float scale = rsqrtf(sum / (8 * vectors) + epsilon);
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    int vector = threadIdx.x + 128 * i;
    if (vector >= vectors)
      continue;
    uint4 bits = weight[vector], result;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float2 w = __bfloat1622float2(
          reinterpret_cast<const __nv_bfloat162 *>(&bits)[j]);
      reinterpret_cast<__nv_bfloat162 *>(&result)[j] = __floats2bfloat162_rn(
          v[i][j].x * scale * w.x, v[i][j].y * scale * w.y);
    }
    y[blockIdx.x * vectors + vector] = result;
  }
}
