//===- large_offsets.cu - Offsets beyond 2^31 -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A buffer of more than 4 GiB, of which few bytes are touched: element offsets
// of 64 bits, offsets that 32 bits hold only without a sign, and negative ones
// from its end.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

/// Writes near 0, 2^31 and 2^32, then reads what the neighbour wrote.
extern "C" __global__ void large_offsets(uint32_t *big, uint32_t *out,
                                         int64_t words) {
  int thread = threadIdx.x;
  uint32_t low = 0x20000000u;
  int64_t offsets[4] = {0, int64_t(low) - 16, 0x40000000 - 16, words - 32};
#pragma unroll
  for (int i = 0; i < 4; ++i)
    big[offsets[i] + thread] = i * 100 + thread;
  __syncthreads();
  const uint32_t *end = big + words;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    // From the end backwards, and with the byte offset in an unsigned word.
    int64_t back = offsets[i] + (thread ^ 1) - words;
    out[i * 32 + thread] = end[back];
  }
  uint32_t bytes = 0x80000000u + 4u * thread;
  out[128 + thread] = *reinterpret_cast<const uint32_t *>(
      reinterpret_cast<const char *>(big) + bytes);
}
