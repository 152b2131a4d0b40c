//===- softmax.cu - Softmax of rows ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One warp per row in f32, one block per row with bf16 in and out.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"
#include <cuda_bf16.h>
#include <math_constants.h>

/// A warp per row; a lane keeps its columns in registers.
extern "C" __global__ void softmax_warp(const float *__restrict__ x,
                                        float *__restrict__ y, int rows,
                                        int columns) {
  constexpr int kPerLane = 4;
  int lane = threadIdx.x;
  int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows)
    return;
  float v[kPerLane], peak = -CUDART_INF_F;
#pragma unroll
  for (int j = 0; j < kPerLane; ++j) {
    int column = lane + 32 * j;
    v[j] = column < columns ? x[row * columns + column] : -CUDART_INF_F;
    peak = fmaxf(peak, v[j]);
  }
  peak = warpMax(peak);
  float sum = 0;
#pragma unroll
  for (int j = 0; j < kPerLane; ++j) {
    v[j] = __expf(v[j] - peak);
    sum += v[j];
  }
  float scale = 1.0f / warpSum(sum);
#pragma unroll
  for (int j = 0; j < kPerLane; ++j)
    if (lane + 32 * j < columns)
      y[row * columns + lane + 32 * j] = v[j] * scale;
}

/// A block per row, two elements at a time; maximum and sum in one pass, each
/// thread rescaling its sum when its maximum grows.
extern "C" __global__ void __launch_bounds__(128)
    softmax_block_bf16(const __nv_bfloat162 *__restrict__ x,
                       __nv_bfloat162 *__restrict__ y, int pairs) {
  __shared__ float peaks[4], sums[4];
  const __nv_bfloat162 *row = x + blockIdx.x * pairs;
  float peak = -CUDART_INF_F, sum = 0;
  for (int i = threadIdx.x; i < pairs; i += 128) {
    float2 v = __bfloat1622float2(row[i]);
    float next = fmaxf(peak, fmaxf(v.x, v.y));
    sum = sum * __expf(peak - next) + __expf(v.x - next) + __expf(v.y - next);
    peak = next;
  }
  float warpPeak = warpMax(peak);
  // A thread without elements has peak -inf and sum 0.
  sum = warpSum(peak == -CUDART_INF_F ? 0.0f : sum * __expf(peak - warpPeak));
  int warp = threadIdx.x / 32;
  if (threadIdx.x % 32 == 0) {
    peaks[warp] = warpPeak;
    sums[warp] = sum;
  }
  __syncthreads();
  peak = fmaxf(fmaxf(peaks[0], peaks[1]), fmaxf(peaks[2], peaks[3]));
  sum = 0;
  for (int i = 0; i < 4; ++i)
    sum += peaks[i] == -CUDART_INF_F ? 0.0f : sums[i] * __expf(peaks[i] - peak);
  float scale = __fdividef(1.0f, sum);
  for (int i = threadIdx.x; i < pairs; i += 128) {
    float2 v = __bfloat1622float2(row[i]);
    y[blockIdx.x * pairs + i] = __floats2bfloat162_rn(
        __expf(v.x - peak) * scale, __expf(v.y - peak) * scale);
  }
}
