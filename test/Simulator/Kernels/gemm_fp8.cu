//===- gemm_fp8.cu - Pipelined fp8 GEMM -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pipelined fp8 GEMM with mma.sync m16n8k32, e4m3 by e5m2.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

struct Fp8 {
  using Accumulator = float;
  using Output = float;
  static constexpr int kRegisters = 4;
  static __device__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                  const uint32_t *b) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e5m2.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                   "r"(b[1]));
  }
  static __device__ float get(const float (&d)[4], int i) { return d[i]; }
};

extern "C" __global__ void __launch_bounds__(128)
    gemm_fp8(const uint8_t *a, const uint8_t *b, float *d, GemmShape shape) {
  pipelinedGemm<Fp8, 3>(a, b, d, shape);
}
