//===- gemm_int8.cu - Pipelined int8 GEMM ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pipelined int8 GEMM with mma.sync m16n8k32, signed by unsigned.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

struct Int8 {
  using Accumulator = int;
  using Output = int;
  static constexpr int kRegisters = 4;
  static __device__ void multiply(int (&d)[4], const uint32_t (&a)[4],
                                  const uint32_t *b) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                   "r"(b[1]));
  }
  static __device__ int get(const int (&d)[4], int i) { return d[i]; }
};

extern "C" __global__ void __launch_bounds__(128)
    gemm_int8(const uint8_t *a, const uint8_t *b, int *d, GemmShape shape) {
  pipelinedGemm<Int8, 3>(a, b, d, shape);
}
