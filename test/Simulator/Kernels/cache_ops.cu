//===- cache_ops.cu - Loads and stores with hints and orders --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cache operators, eviction policies, prefetches, discards: hints that change
// no value. Then the orders that do matter: relaxed, acquire, release,
// volatile, fences.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

/// y = x + 1 by every kind of load and store, 16 bytes at a time.
extern "C" __global__ void __launch_bounds__(64)
    hinted_copy(const uint4 *x, uint4 *y, uint32_t *scratch) {
  int i = blockIdx.x * 64 + threadIdx.x;
  auto from = __cvta_generic_to_global(x + i);
  auto to = __cvta_generic_to_global(y + i);
  uint64_t policy, fraction;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;"
               : "=l"(policy));
  asm volatile("createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 "
               "%0, 0.5;"
               : "=l"(fraction));
  asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
  asm volatile("prefetch.global.L1 [%0];" ::"l"(from));
  asm volatile("prefetch.global.L2::evict_last [%0];" ::"l"(from));
  uint4 v;
  switch (i % 8) {
  case 0:
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 "
                 "{%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from));
    break;
  case 1:
    asm volatile("ld.global.L2::cache_hint.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from), "l"(policy));
    break;
  case 2:
    v = __ldcs(x + i);
    break;
  case 3:
    v = __ldcv(x + i);
    break;
  case 4:
    v = __ldlu(x + i);
    break;
  case 5:
    v = __ldg(x + i);
    break;
  case 6:
    asm volatile("ld.global.L1::evict_last.L2::cache_hint.L2::256B.v4.u32 "
                 "{%0, %1, %2, %3}, [%4], %5;"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from), "l"(fraction));
    break;
  default:
    asm volatile("ld.weak.global.cg.v2.u64 {%0, %1}, [%2];"
                 : "=l"(*reinterpret_cast<uint64_t *>(&v.x)),
                   "=l"(*reinterpret_cast<uint64_t *>(&v.z))
                 : "l"(from));
  }
  v = make_uint4(v.x + 1, v.y + 1, v.z + 1, v.w + 1);
  switch (i % 5) {
  case 0:
    __stcs(y + i, v);
    break;
  case 1:
    __stwt(y + i, v);
    break;
  case 2:
    __stcg(y + i, v);
    break;
  case 3:
    asm volatile("st.global.L1::no_allocate.L2::cache_hint.v4.u32 [%0], "
                 "{%1, %2, %3, %4}, %5;" ::"l"(to),
                 "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w), "l"(policy)
                 : "memory");
    break;
  default:
    __stwb(y + i, v);
  }
  // Lines that this thread owns: priority back to normal, then contents given
  // up.
  uint32_t *mine = scratch + i * 32;
  mine[0] = i;
  asm volatile("applypriority.global.L2::evict_normal [%0], 128;" ::"l"(
      __cvta_generic_to_global(mine)));
  asm volatile(
      "discard.global.L2 [%0], 128;" ::"l"(__cvta_generic_to_global(mine))
      : "memory");
  mine[1] = i;
}

/// Message passing between blocks in every order that is strong enough. Block 2
/// p writes, block 2 p + 1 waits and reads.
extern "C" __global__ void message_passing(const int *x, int *data,
                                           unsigned *flags, int *out) {
  int pair = blockIdx.x / 2;
  int *mine = data + pair * 64;
  unsigned *flag = flags + pair;
  auto address = __cvta_generic_to_global(flag);
  unsigned ready = 0;
  if (blockIdx.x % 2 == 0) {
    mine[threadIdx.x] = x[pair * 64 + threadIdx.x];
    // Thread 0 publishes for all: the barrier orders them before it.
    __syncthreads();
    if (threadIdx.x != 0)
      return;
    switch (pair) {
    case 0:
      asm volatile("st.release.gpu.global.u32 [%0], 1;" ::"l"(address)
                   : "memory");
      break;
    case 1:
      __threadfence();
      *reinterpret_cast<volatile unsigned *>(flag) = 1;
      break;
    case 2:
      asm volatile("fence.acq_rel.gpu;" ::: "memory");
      asm volatile("st.relaxed.gpu.global.u32 [%0], 1;" ::"l"(address)
                   : "memory");
      break;
    case 3:
      asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(address)
                   : "memory");
      break;
    case 4:
      asm volatile("atom.acq_rel.sys.global.exch.b32 %0, [%1], 1;"
                   : "=r"(ready)
                   : "l"(address)
                   : "memory");
      break;
    default:
      asm volatile("fence.sc.sys;" ::: "memory");
      asm volatile("st.mmio.relaxed.sys.global.u32 [%0], 1;" ::"l"(address)
                   : "memory");
    }
    return;
  }
  if (threadIdx.x == 0)
    do
      switch (pair) {
      case 0:
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                     : "=r"(ready)
                     : "l"(address)
                     : "memory");
        break;
      case 1:
        ready = *reinterpret_cast<volatile unsigned *>(flag);
        __threadfence();
        break;
      case 2:
        asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
                     : "=r"(ready)
                     : "l"(address)
                     : "memory");
        asm volatile("fence.acq_rel.gpu;" ::: "memory");
        break;
      case 3:
        asm volatile("atom.acquire.gpu.global.or.b32 %0, [%1], 0;"
                     : "=r"(ready)
                     : "l"(address)
                     : "memory");
        break;
      case 4:
        asm volatile("atom.acq_rel.sys.global.cas.b32 %0, [%1], 1, 2;"
                     : "=r"(ready)
                     : "l"(address)
                     : "memory");
        break;
      default:
        asm volatile("ld.acquire.sys.global.u32 %0, [%1];"
                     : "=r"(ready)
                     : "l"(address)
                     : "memory");
      }
    while (ready == 0);
  __syncthreads();
  out[pair * 64 + threadIdx.x] = mine[threadIdx.x ^ 37];
}

/// Stores and loads of every width and type, to and from unaligned structs of
/// bytes.
extern "C" __global__ void widths(const uint8_t *x, uint8_t *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  const uint8_t *from = x + 32 * i;
  uint8_t *to = out + 32 * i;
  to[0] = from[1];
  *reinterpret_cast<int8_t *>(to + 1) =
      *reinterpret_cast<const int8_t *>(from) >> 1;
  *reinterpret_cast<uint16_t *>(to + 2) =
      *reinterpret_cast<const uint16_t *>(from + 2) + 1;
  *reinterpret_cast<short2 *>(to + 4) =
      make_short2(*reinterpret_cast<const short *>(from + 6),
                  *reinterpret_cast<const short *>(from + 4));
  uchar4 bytes = *reinterpret_cast<const uchar4 *>(from + 8);
  *reinterpret_cast<uchar4 *>(to + 8) =
      make_uchar4(bytes.w, bytes.z, bytes.y, bytes.x);
  *reinterpret_cast<uint32_t *>(to + 12) =
      *reinterpret_cast<const uint32_t *>(from + 12) * 3;
  double number = *reinterpret_cast<const double *>(from + 16);
  *reinterpret_cast<double *>(to + 16) = number + number;
  *reinterpret_cast<float2 *>(to + 24) = make_float2(
      static_cast<float>(from[24]),
      static_cast<float>(*reinterpret_cast<const int8_t *>(from + 25)));
}
