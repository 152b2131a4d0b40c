//===- gemm_tf32.cu - Pipelined tf32 GEMM ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pipelined tf32 GEMM with mma.sync m16n8k8; operands are rounded on the way.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

struct Tf32 {
  using Accumulator = float;
  using Output = float;
  static constexpr int kRegisters = 4;
  static __device__ uint32_t round(uint32_t bits) {
    uint32_t result;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(__uint_as_float(bits)));
    return result;
  }
  static __device__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                  const uint32_t *b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(round(a[0])), "r"(round(a[1])), "r"(round(a[2])),
                   "r"(round(a[3])), "r"(round(b[0])), "r"(round(b[1])));
  }
  static __device__ float get(const float (&d)[4], int i) { return d[i]; }
};

extern "C" __global__ void __launch_bounds__(128)
    gemm_tf32(const uint8_t *a, const uint8_t *b, float *d, GemmShape shape) {
  pipelinedGemm<Tf32, 3>(a, b, d, shape);
}
