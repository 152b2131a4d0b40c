//===- histogram.cu - Counting bytes with atomics -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A histogram per block in shared memory, then one addition per bin to global
// memory.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

/// Four bytes at a time; the bytes after the last multiple of four one by one.
extern "C" __global__ void __launch_bounds__(128)
    histogram(const uint8_t *__restrict__ x, unsigned *counts, int n) {
  __shared__ unsigned bins[256];
  for (int i = threadIdx.x; i < 256; i += 128)
    bins[i] = 0;
  __syncthreads();
  int thread = blockIdx.x * 128 + threadIdx.x, threads = gridDim.x * 128;
  for (int i = thread; i < n / 4; i += threads) {
    uchar4 v = reinterpret_cast<const uchar4 *>(x)[i];
    atomicAdd(&bins[v.x], 1);
    atomicAdd(&bins[v.y], 1);
    atomicAdd(&bins[v.z], 1);
    atomicAdd(&bins[v.w], 1);
  }
  for (int i = n / 4 * 4 + thread; i < n; i += threads)
    atomicAdd(&bins[x[i]], 1);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += 128)
    if (unsigned count = bins[i])
      atomicAdd(&counts[i], count);
}

/// Lanes that hit the same bin elect one of them, which adds for all.
extern "C" __global__ void __launch_bounds__(128)
    histogram_match(const uint8_t *__restrict__ x, unsigned *counts, int n) {
  int i = blockIdx.x * 128 + threadIdx.x;
  unsigned active = __ballot_sync(~0u, i < n);
  if (i >= n)
    return;
  unsigned peers = __match_any_sync(active, static_cast<unsigned>(x[i]));
  int leader = __ffs(peers) - 1;
  if (static_cast<int>(threadIdx.x % 32) == leader)
    atomicAdd(&counts[x[i]], __popc(peers));
}
