//===- elementwise.cu - Element-wise kernels with ragged ends -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Grid-stride loops, 16-byte loads with a scalar tail, packed bf16.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cuda_bf16.h>

/// y = a x + y, one element per thread and step.
extern "C" __global__ void axpy(const float *__restrict__ x,
                                float *__restrict__ y, float a, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += gridDim.x * blockDim.x)
    y[i] = fmaf(a, x[i], y[i]);
}

/// out = max(alpha x + bias[i mod 4], 0), four elements at a time.
extern "C" __global__ void bias_relu(const float *__restrict__ x,
                                     const float *__restrict__ bias,
                                     float *__restrict__ out, float alpha,
                                     int n) {
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  float4 b = *reinterpret_cast<const float4 *>(bias);
  for (int i = thread; i < n / 4; i += gridDim.x * blockDim.x) {
    float4 v = reinterpret_cast<const float4 *>(x)[i];
    v.x = fmaxf(fmaf(alpha, v.x, b.x), 0.0f);
    v.y = fmaxf(fmaf(alpha, v.y, b.y), 0.0f);
    v.z = fmaxf(fmaf(alpha, v.z, b.z), 0.0f);
    v.w = fmaxf(fmaf(alpha, v.w, b.w), 0.0f);
    reinterpret_cast<float4 *>(out)[i] = v;
  }
  int tail = n / 4 * 4 + thread;
  if (tail < n)
    out[tail] = fmaxf(fmaf(alpha, x[tail], bias[tail % 4]), 0.0f);
}

/// z = x * y + x in bf16, eight elements at a time, each step rounded.
extern "C" __global__ void multiply_add_bf16(const uint4 *__restrict__ x,
                                             const uint4 *__restrict__ y,
                                             uint4 *__restrict__ z,
                                             int vectors) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= vectors)
    return;
  uint4 xs = x[i], ys = y[i], zs;
  auto *a = reinterpret_cast<const __nv_bfloat162 *>(&xs);
  auto *b = reinterpret_cast<const __nv_bfloat162 *>(&ys);
  auto *c = reinterpret_cast<__nv_bfloat162 *>(&zs);
#pragma unroll
  for (int j = 0; j < 4; ++j)
    c[j] = __hadd2_rn(__hmul2_rn(a[j], b[j]), a[j]);
  z[i] = zs;
}
