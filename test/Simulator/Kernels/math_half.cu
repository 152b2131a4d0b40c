//===- math_half.cu - Packed f16 and bf16 ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each row of the output is one operation on pairs (a, b, c) of f16 or bf16.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// The same operations for both types: their functions have the same names.
template <class Pair>
__device__ void operations(const Pair *as, const Pair *bs, const Pair *cs,
                           Pair *out, unsigned *masks, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  Pair a = as[i], b = bs[i], c = cs[i];
  auto put = [&](Pair value) {
    out[i] = value;
    out += n;
  };
  put(__hadd2_rn(a, b));
  put(__hsub2(a, b));
  put(__hmul2_rn(a, b));
  put(__hfma2(a, b, c));
  put(__hfma2_relu(a, b, c));
  put(__hmax2(a, b));
  put(__hmin2(a, b));
  put(__hmax2_nan(a, b));
  put(__hneg2(a));
  put(__habs2(a));
  put(Pair(a.x, b.x));
  put(Pair(a.y, a.x));
  auto putMask = [&](unsigned value) {
    masks[i] = value;
    masks += n;
  };
  putMask(__hlt2_mask(a, b));
  putMask(__heq2_mask(a, b));
  putMask(__hgeu2_mask(a, b));
  putMask(__hne2_mask(a, b));
}

extern "C" __global__ void operations_f16(const __half2 *a, const __half2 *b,
                                          const __half2 *c, __half2 *out,
                                          unsigned *masks, int n) {
  operations(a, b, c, out, masks, n);
}

extern "C" __global__ void operations_bf16(const __nv_bfloat162 *a,
                                           const __nv_bfloat162 *b,
                                           const __nv_bfloat162 *c,
                                           __nv_bfloat162 *out, unsigned *masks,
                                           int n) {
  operations(a, b, c, out, masks, n);
}
