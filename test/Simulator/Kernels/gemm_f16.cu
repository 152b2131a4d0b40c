//===- gemm_f16.cu - Pipelined f16 GEMM -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pipelined f16 GEMM with mma.sync m16n8k16 and f16 sums.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

struct F16 {
  using Accumulator = uint32_t;
  using Output = uint16_t;
  static constexpr int kRegisters = 2;
  static __device__ void multiply(uint32_t (&d)[2], const uint32_t (&a)[4],
                                  const uint32_t *b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 "
                 "{%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"
                 : "+r"(d[0]), "+r"(d[1])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                   "r"(b[1]));
  }
  static __device__ uint16_t get(const uint32_t (&d)[2], int i) {
    return static_cast<uint16_t>(d[i / 2] >> 16 * (i % 2));
  }
};

extern "C" __global__ void __launch_bounds__(128)
    gemm_f16(const uint8_t *a, const uint8_t *b, uint16_t *d, GemmShape shape) {
  pipelinedGemm<F16, 3>(a, b, d, shape);
}
