//===- reduce.cu - Sums and maxima of blocks and of grids -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Warp shuffles, shared memory between warps, and the pattern in which the last
// block to finish adds what the others left.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"

constexpr int kThreads = 256;

/// The sum of `value` over the block, in thread 0.
__device__ float blockSum(float value) {
  __shared__ float partial[kThreads / 32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  value = warpSum(value);
  if (lane == 0)
    partial[warp] = value;
  __syncthreads();
  value = lane < kThreads / 32 ? partial[lane] : 0.0f;
  return warp == 0 ? warpSum(value) : 0.0f;
}

/// One sum per block.
extern "C" __global__ void __launch_bounds__(kThreads)
    block_sum(const float *x, float *sums, int n) {
  float sum = 0;
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < n;
       i += gridDim.x * kThreads)
    sum += x[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0)
    sums[blockIdx.x] = sum;
}

extern "C" __device__ unsigned blocks_done = 0;

/// The sum of everything, in one launch: each block stores its sum, then takes
/// a ticket; who takes the last one adds them up and resets the counter.
extern "C" __global__ void __launch_bounds__(kThreads)
    grid_sum(const float *x, float *partials, float *total, int n) {
  __shared__ bool isLast;
  float sum = 0;
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < n;
       i += gridDim.x * kThreads)
    sum += x[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = sum;
    __threadfence();
    unsigned ticket = atomicInc(&blocks_done, gridDim.x - 1);
    // The other half of the pattern: what the other blocks stored is visible.
    __threadfence();
    isLast = ticket == gridDim.x - 1;
  }
  // Also between the two uses of `partial` in blockSum().
  __syncthreads();
  if (!isLast)
    return;
  sum = 0;
  for (int i = threadIdx.x; i < gridDim.x; i += kThreads)
    sum += partials[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0)
    *total = sum;
}

/// Integer sum, minimum and bitwise or by `redux.sync`, then by atomics.
extern "C" __global__ void __launch_bounds__(kThreads)
    integer_reductions(const int *x, int *out, int n) {
  int sum = 0, least = 0x7fffffff;
  unsigned bits = 0;
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < n;
       i += gridDim.x * kThreads) {
    sum += x[i];
    least = min(least, x[i]);
    bits |= x[i];
  }
  sum = __reduce_add_sync(0xffffffffu, sum);
  least = __reduce_min_sync(0xffffffffu, least);
  bits = __reduce_or_sync(0xffffffffu, bits);
  if (threadIdx.x % 32 == 0) {
    atomicAdd(&out[0], sum);
    atomicMin(&out[1], least);
    atomicOr(reinterpret_cast<unsigned *>(&out[2]), bits);
  }
}
