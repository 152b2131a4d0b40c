//===- atomics.cu - Atomic operations of every type -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All threads on few words. Sums are of integers, so that the order in which
// threads come does not matter; what an operation returns is checked where it
// must be unique.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// Sums of x in every floating type, packed ones too.
extern "C" __global__ void atomic_sums(const float *x, float *f32, double *f64,
                                       __half2 *f16x2, __nv_bfloat162 *bf16x2,
                                       __half *f16, __nv_bfloat16 *bf16,
                                       float2 *v2, float4 *v4) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = x[i];
  atomicAdd(f32, v);
  atomicAdd(f64, static_cast<double>(v) * 0.25);
  atomicAdd(f16x2, __floats2half2_rn(v, -v));
  atomicAdd(bf16x2, __floats2bfloat162_rn(v, 1.0f));
  atomicAdd(f16 + i % 2, __float2half(v));
  atomicAdd(bf16 + 1, __float2bfloat16(v));
  atomicAdd(v2, make_float2(v, 2 * v));
  atomicAdd(v4, make_float4(v, 2 * v, -v, 1));
}

/// Reductions of vectors, which CUDA C++ has no function for.
extern "C" __global__ void vector_reductions(const float *x, float *sums,
                                             unsigned *packed) {
  float v = x[blockIdx.x * blockDim.x + threadIdx.x];
  asm volatile(
      "red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(
          __cvta_generic_to_global(sums)),
      "f"(v), "f"(v + 1), "f"(v + 2), "f"(-v)
      : "memory");
  asm volatile("red.relaxed.gpu.global.add.v2.f32 [%0], {%1, %2};" ::"l"(
                   __cvta_generic_to_global(sums + 4)),
               "f"(v), "f"(1.0f)
               : "memory");
  __half2 h = __floats2half2_rn(v, 2.0f);
  uint32_t bits = *reinterpret_cast<uint32_t *>(&h);
  asm volatile(
      "red.relaxed.gpu.global.add.noftz.v4.f16x2 [%0], {%1, %1, %1, %1};" ::"l"(
          __cvta_generic_to_global(packed)),
      "r"(bits)
      : "memory");
}

/// Every integer operation on words of 32 bits; inc and dec wrap around.
extern "C" __global__ void atomic_words(const unsigned *x, unsigned *u,
                                        int *s) {
  unsigned v = x[blockIdx.x * blockDim.x + threadIdx.x];
  atomicAdd(&u[0], v);
  atomicSub(&u[1], v);
  atomicMin(&u[2], v);
  atomicMax(&u[3], v);
  atomicAnd(&u[4], v | 0xfff);
  atomicOr(&u[5], v & 0x30f0f0);
  atomicXor(&u[6], v);
  atomicInc(&u[7], 99);
  atomicDec(&u[8], 70);
  atomicMin(&s[0], static_cast<int>(v));
  atomicMax(&s[1], static_cast<int>(v));
  atomicAdd_block(&s[2], 1);
  atomicAdd_system(&s[3], static_cast<int>(v));
}

extern "C" __global__ void atomic_longs(const unsigned long long *x,
                                        unsigned long long *u, long long *s) {
  unsigned long long v = x[blockIdx.x * blockDim.x + threadIdx.x];
  atomicAdd(&u[0], v);
  atomicMin(&u[1], v);
  atomicMax(&u[2], v);
  atomicAnd(&u[3], v | 0xffffff);
  atomicOr(&u[4], v & 0x30f0f000ull);
  atomicXor(&u[5], v);
  atomicMin(&s[0], static_cast<long long>(v));
  atomicMax(&s[1], static_cast<long long>(v));
}

/// What comes back: every ticket once; the values that pass through an exchange
/// are those that went in, but for one.
extern "C" __global__ void atomic_returns(unsigned *counters, unsigned *tickets,
                                          unsigned *passed) {
  __shared__ unsigned place;
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0)
    place = 1000 * (blockIdx.x + 1);
  __syncthreads();
  tickets[i] = atomicAdd(&counters[0], 1);
  passed[i] = atomicExch(&place, i);
  atomicMax(&counters[1], atomicInc(&counters[2], 9));
}

/// Addition by compare-and-swap loops: 16, 32, 64 and 128 bits.
struct alignas(16) Wide {
  unsigned long long low, high;
};

extern "C" __global__ void atomic_cas(const unsigned *x, unsigned short *h,
                                      unsigned *w, unsigned long long *l,
                                      Wide *wide) {
  unsigned v = x[blockIdx.x * blockDim.x + threadIdx.x];
  unsigned short seen16 = *reinterpret_cast<volatile unsigned short *>(h),
                 old16;
  do {
    old16 = seen16;
    seen16 = atomicCAS(h, old16, static_cast<unsigned short>(old16 + v));
  } while (seen16 != old16);
  unsigned seen32 = *reinterpret_cast<volatile unsigned *>(w), old32;
  do {
    old32 = seen32;
    seen32 = atomicCAS(w, old32, old32 ^ (v * 2654435761u));
  } while (seen32 != old32);
  unsigned long long seen64 =
                         *reinterpret_cast<volatile unsigned long long *>(l),
                     old64;
  do {
    old64 = seen64;
    seen64 =
        atomicCAS(l, old64, old64 + (static_cast<unsigned long long>(v) << 20));
  } while (seen64 != old64);
  Wide seen = {0, 0}, old;
  do {
    old = seen;
    Wide next = {old.low + v, old.high + 1};
    seen = atomicCAS(wide, old, next);
  } while (seen.low != old.low || seen.high != old.high);
}

/// The same operations in shared memory, and on its 64-bit words.
extern "C" __global__ void atomic_shared(const unsigned *x, unsigned *out,
                                         unsigned long long *outLong,
                                         float *outFloat) {
  __shared__ unsigned words[5];
  __shared__ unsigned long long longs[2];
  __shared__ float sum;
  if (threadIdx.x == 0) {
    words[0] = words[1] = words[3] = 0;
    words[2] = words[4] = ~0u;
    longs[0] = longs[1] = 0;
    sum = 0;
  }
  __syncthreads();
  unsigned v = x[blockIdx.x * blockDim.x + threadIdx.x];
  atomicAdd(&words[0], v);
  atomicMax(&words[1], v);
  atomicMin(&words[2], v);
  atomicXor(&words[3], v);
  atomicCAS(&words[4], ~0u, 5u);
  atomicAdd(&longs[0], static_cast<unsigned long long>(v) << 16);
  atomicMax(&longs[1], static_cast<unsigned long long>(v) << 31);
  atomicAdd(&sum, static_cast<float>(v & 255));
  __syncthreads();
  if (threadIdx.x < 5)
    out[blockIdx.x * 5 + threadIdx.x] = words[threadIdx.x];
  if (threadIdx.x < 2)
    outLong[blockIdx.x * 2 + threadIdx.x] = longs[threadIdx.x];
  if (threadIdx.x == 0)
    outFloat[blockIdx.x] = sum;
}
