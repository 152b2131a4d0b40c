//===- scan.cu - Inclusive prefix sums ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kogge-Stone in a warp and in a block, and the scan of a whole array in one
// launch by looking back: a block publishes the sum of its tile, adds what the
// blocks before it have published until one of them knows its whole prefix, and
// publishes its own. Blocks take tiles in the order in which they start, so
// nobody waits for a block that has not started.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"

constexpr int kThreads = 64;
constexpr unsigned kAll = 0xffffffffu;

/// The inclusive scan of `value` over the block; `total` is that of all.
__device__ int blockScan(int value, int &total) {
  __shared__ int sums[kThreads];
  int thread = threadIdx.x;
  // In a warp by shuffles.
  for (int offset = 1; offset < 32; offset *= 2) {
    int before = __shfl_up_sync(kAll, value, offset);
    if (thread % 32 >= offset)
      value += before;
  }
  if (thread % 32 == 31)
    sums[thread / 32] = value;
  __syncthreads();
  total = 0;
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    if (warp == thread / 32)
      value += total;
    total += sums[warp];
  }
  return value;
}

/// Every block scans its own elements, in shared memory.
extern "C" __global__ void __launch_bounds__(256)
    scan_shared(const int *x, int *y, int n) {
  __shared__ int values[2][256];
  int thread = threadIdx.x, i = blockIdx.x * 256 + thread, from = 0;
  values[0][thread] = i < n ? x[i] : 0;
  __syncthreads();
  for (int offset = 1; offset < 256; offset *= 2, from ^= 1) {
    int value = values[from][thread];
    if (thread >= offset)
      value += values[from][thread - offset];
    values[from ^ 1][thread] = value;
    __syncthreads();
  }
  if (i < n)
    y[i] = values[from][thread];
}

enum Status : unsigned { kNothing = 0, kAggregate = 1, kPrefix = 2 };

extern "C" __device__ unsigned next_tile = 0;
extern "C" __device__ unsigned next_tile_acquire = 0;

/// Status in the upper word, sum in the lower: one volatile access moves both,
/// so no fence is needed. A warp looks at 32 tiles at a time.
extern "C" __global__ void __launch_bounds__(kThreads)
    scan_look_back(const int *x, int *y, volatile unsigned long long *states,
                   int n) {
  __shared__ unsigned sharedTile;
  __shared__ int sharedPrefix;
  if (threadIdx.x == 0)
    sharedTile = atomicAdd(&next_tile, 1);
  __syncthreads();
  int tile = sharedTile, i = tile * kThreads + threadIdx.x, total;
  int value = blockScan(i < n ? x[i] : 0, total);
  auto pack = [](Status status, int sum) {
    return static_cast<unsigned long long>(status) << 32 |
           static_cast<unsigned>(sum);
  };
  if (threadIdx.x == 0)
    states[tile] = pack(tile == 0 ? kPrefix : kAggregate, total);
  if (threadIdx.x < 32) {
    int prefix = 0, lane = threadIdx.x;
    for (int last = tile - 1; last >= 0; last -= 32) {
      int mine = last - lane;
      unsigned long long state;
      do {
        state = mine >= 0 ? states[mine] : pack(kPrefix, 0);
      } while (__any_sync(kAll, state >> 32 == kNothing));
      unsigned known = __ballot_sync(kAll, state >> 32 == kPrefix);
      // Up to the nearest tile that knows its prefix.
      int nearest = known ? __ffs(known) - 1 : 31;
      int sum = lane <= nearest ? static_cast<int>(state) : 0;
      prefix += __reduce_add_sync(kAll, sum);
      if (known)
        break;
    }
    if (lane == 0) {
      if (tile != 0)
        states[tile] = pack(kPrefix, prefix + total);
      sharedPrefix = prefix;
    }
  }
  __syncthreads();
  if (i < n)
    y[i] = sharedPrefix + value;
}

__device__ unsigned loadAcquire(const unsigned *from) {
  unsigned value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
               : "=r"(value)
               : "l"(__cvta_generic_to_global(from))
               : "memory");
  return value;
}

__device__ void storeRelease(unsigned *to, unsigned value) {
  asm volatile(
      "st.release.gpu.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(to)),
      "r"(value)
      : "memory");
}

/// Status and sums apart: plain stores of a sum, then a release of the status.
extern "C" __global__ void __launch_bounds__(kThreads)
    scan_acquire_release(const int *x, int *y, unsigned *status,
                         int *aggregates, int *prefixes, int n) {
  __shared__ unsigned sharedTile;
  __shared__ int sharedPrefix;
  if (threadIdx.x == 0)
    sharedTile = atomicAdd(&next_tile_acquire, 1);
  __syncthreads();
  int tile = sharedTile, i = tile * kThreads + threadIdx.x, total;
  int value = blockScan(i < n ? x[i] : 0, total);
  if (threadIdx.x == 0) {
    int prefix = 0;
    aggregates[tile] = total;
    storeRelease(&status[tile], kAggregate);
    for (int other = tile - 1; other >= 0; --other) {
      unsigned known;
      do
        known = loadAcquire(&status[other]);
      while (known == kNothing);
      if (known == kPrefix) {
        prefix += prefixes[other];
        break;
      }
      prefix += aggregates[other];
    }
    prefixes[tile] = prefix + total;
    storeRelease(&status[tile], kPrefix);
    sharedPrefix = prefix;
  }
  __syncthreads();
  if (i < n)
    y[i] = sharedPrefix + value;
}
