// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that move bytes and compute next to nothing: what others are measured
// against. hopper_table.py compiles this file and takes the fastest variant.
//
// `chunks` counts what one thread moves at a time. A grid of any size covers
// all of them; the launcher passes as many CTAs as there is work, or as many as
// the chip holds at once.

#include <cstdint>

namespace {

template <bool kStreaming>
__device__ __forceinline__ uint4 load(const uint4 *p) {
  if constexpr (kStreaming)
    return __ldcs(p);
  return __ldg(p);
}

template <bool kStreaming>
__device__ __forceinline__ void store(uint4 *p, uint4 value) {
  if constexpr (kStreaming)
    __stcs(p, value);
  else
    *p = value;
}

__device__ __forceinline__ uint4 mix(uint4 a, uint4 b) {
  return make_uint4(a.x ^ b.x, a.y ^ b.y, a.z ^ b.z, a.w ^ b.w);
}

/// Reads `kReads` vectors for each `kWrites` it writes, and one more write by
/// every eighth thread with `kWithScales`. A CTA's vectors are contiguous.
template <int kReads, int kWrites, bool kWithScales, bool kStreaming>
__device__ __forceinline__ void copy(const uint4 *source, uint4 *target,
                                     uint4 *scales, int64_t chunks) {
  int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t base = int64_t(blockIdx.x) * blockDim.x; base < chunks;
       base += stride) {
    uint4 values[kReads];
#pragma unroll
    for (int i = 0; i < kReads; ++i)
      values[i] = load<kStreaming>(source + base * kReads + i * blockDim.x +
                                   threadIdx.x);
    uint4 all = values[0];
#pragma unroll
    for (int i = 1; i < kReads; ++i)
      all = mix(all, values[i]);
    if constexpr (kWrites == 0) {
      // Never true of the data; keeps the loads.
      if (all.x == 0x9E3779B9u && all.y == 0x7F4A7C15u && all.z == 0xF39CC060u)
        target[0] = all;
    }
#pragma unroll
    for (int i = 0; i < kWrites; ++i)
      store<kStreaming>(target + base * kWrites + i * blockDim.x + threadIdx.x,
                        all);
    if constexpr (kWithScales) {
      if (threadIdx.x < blockDim.x / 8 * kWrites)
        store<kStreaming>(scales + base / 8 * kWrites + threadIdx.x, all);
    }
  }
}

__device__ __forceinline__ uint32_t shared(const void *p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// Reads by bulk copies into shared memory, `kStages` of `kBytes` in flight.
template <int kStages, int kBytes>
__device__ __forceinline__ void readBulk(const char *source, int64_t chunks) {
  extern __shared__ __align__(128) char ring[];
  __shared__ __align__(8) uint64_t full[kStages];
  if (threadIdx.x != 0)
    return;
  for (int i = 0; i < kStages; ++i)
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared(&full[i])));
  asm volatile("fence.mbarrier_init.release.cluster;");
  auto issue = [&](int64_t chunk, int stage) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                     shared(&full[stage])),
                 "r"(kBytes)
                 : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
                 "bytes [%0], [%1], %2, [%3];" ::"r"(
                     shared(ring + stage * kBytes)),
                 "l"(source + chunk * kBytes), "r"(kBytes),
                 "r"(shared(&full[stage]))
                 : "memory");
  };
  int64_t next = blockIdx.x;
  for (int i = 0; i < kStages && next < chunks; ++i, next += gridDim.x)
    issue(next, i);
  int stage = 0, phase = 0;
  for (int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    uint32_t done = 0;
    while (!done)
      asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 "
                   "p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                   : "=r"(done)
                   : "r"(shared(&full[stage])), "r"(phase)
                   : "memory");
    if (next < chunks) {
      issue(next, stage);
      next += gridDim.x;
    }
    if (++stage == kStages) {
      stage = 0;
      phase ^= 1;
    }
  }
}

} // namespace

#define COPY(name, reads, writes, scales)                                      \
  extern "C" __global__ void name(const uint4 *source, uint4 *target,          \
                                  uint4 *extra, int64_t chunks) {              \
    copy<reads, writes, scales, false>(source, target, extra, chunks);         \
  }                                                                            \
  extern "C" __global__ void name##_streaming(                                 \
      const uint4 *source, uint4 *target, uint4 *extra, int64_t chunks) {      \
    copy<reads, writes, scales, true>(source, target, extra, chunks);          \
  }

COPY(read_1, 1, 0, false)
COPY(read_2, 2, 0, false)
COPY(read_4, 4, 0, false)
COPY(read_8, 8, 0, false)
COPY(copy_1_1, 1, 1, false)
COPY(copy_2_2, 2, 2, false)
COPY(copy_4_4, 4, 4, false)
// Two tensors read for one written.
COPY(copy_2_1, 2, 1, false)
COPY(copy_4_2, 4, 2, false)
COPY(copy_8_4, 8, 4, false)
COPY(copy_4_1, 4, 1, false)
COPY(copy_8_2, 8, 2, false)
// 2 bytes read for 0.5625 written; twice 2 bytes; and for twice 0.5625.
COPY(quantize_4_1, 4, 1, true)
COPY(quantize_8_2, 8, 2, true)
COPY(quantize_two_passes_8_1, 8, 1, true)
COPY(quantize_two_ways_4_2, 4, 2, true)
COPY(quantize_two_ways_2_1, 2, 1, true)

extern "C" __global__ void read_bulk_12x16k(const char *source, char *,
                                            char *, int64_t chunks) {
  readBulk<12, 16384>(source, chunks);
}
extern "C" __global__ void read_bulk_24x8k(const char *source, char *, char *,
                                           int64_t chunks) {
  readBulk<24, 8192>(source, chunks);
}
extern "C" __global__ void read_bulk_6x32k(const char *source, char *, char *,
                                           int64_t chunks) {
  readBulk<6, 32768>(source, chunks);
}
