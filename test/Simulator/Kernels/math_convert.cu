//===- math_convert.cu - Conversions between formats ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floats to integers and back in every rounding, to f16 and bf16, to fp8 and
// fp4 by the types of CUDA's headers (which for fp4 compute in software on this
// chip).
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp4.h>
#include <cuda_fp8.h>

#define EACH_MODE(put, function)                                               \
  put(function##_rn(x));                                                       \
  put(function##_rz(x));                                                       \
  put(function##_ru(x));                                                       \
  put(function##_rd(x));

/// Rows: int32, uint32 in four roundings each; then 64 bits.
extern "C" __global__ void float_to_integer(const float *xs, uint32_t *out,
                                            uint64_t *outLong, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float x = xs[i];
  auto put = [&](uint32_t value) {
    out[i] = value;
    out += n;
  };
  auto putLong = [&](uint64_t value) {
    outLong[i] = value;
    outLong += n;
  };
  EACH_MODE(put, __float2int)
  EACH_MODE(put, __float2uint)
  EACH_MODE(putLong, __float2ll)
  EACH_MODE(putLong, __float2ull)
}

extern "C" __global__ void integer_to_float(const int64_t *xs, float *out,
                                            double *outDouble, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  auto put = [&](float value) {
    out[i] = value;
    out += n;
  };
  auto putDouble = [&](double value) {
    outDouble[i] = value;
    outDouble += n;
  };
  {
    int64_t x = xs[i];
    EACH_MODE(put, __ll2float)
    EACH_MODE(putDouble, __ll2double)
  }
  {
    uint64_t x = xs[i];
    EACH_MODE(put, __ull2float)
    EACH_MODE(putDouble, __ull2double)
  }
  {
    int32_t x = static_cast<int32_t>(xs[i]);
    EACH_MODE(put, __int2float)
  }
  {
    uint32_t x = static_cast<uint32_t>(xs[i]);
    EACH_MODE(put, __uint2float)
  }
}

/// f64 → f32 in four roundings; f32 → f16 in four, bf16 in two.
extern "C" __global__ void narrow(const double *xs, const float *fs, float *out,
                                  __half *halves, __nv_bfloat16 *bfloats,
                                  int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  auto put = [&](float value) {
    out[i] = value;
    out += n;
  };
  auto putHalf = [&](__half value) {
    halves[i] = value;
    halves += n;
  };
  {
    double x = xs[i];
    EACH_MODE(put, __double2float)
  }
  float x = fs[i];
  EACH_MODE(putHalf, __float2half)
  bfloats[i] = __float2bfloat16_rn(x);
  bfloats[n + i] = __float2bfloat16_rz(x);
}

/// Pairs of f32 to two bytes of fp8, saturating or not, and to a byte of fp4.
extern "C" __global__ void to_small(const float2 *xs, uint16_t *out,
                                    uint8_t *fp4, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float2 x = xs[i];
  auto put = [&](uint16_t value) {
    out[i] = value;
    out += n;
  };
  put(__nv_cvt_float2_to_fp8x2(x, __NV_SATFINITE, __NV_E4M3));
  put(__nv_cvt_float2_to_fp8x2(x, __NV_SATFINITE, __NV_E5M2));
  __half2_raw h = __floats2half2_rn(x.x, x.y);
  put(__nv_cvt_halfraw2_to_fp8x2(h, __NV_SATFINITE, __NV_E4M3));
  put(__nv_cvt_halfraw2_to_fp8x2(h, __NV_SATFINITE, __NV_E5M2));
  fp4[i] = __nv_cvt_float2_to_fp4x2(x, __NV_E2M1, cudaRoundNearest);
}

/// All bytes: fp8 to halves, fp4 to halves.
extern "C" __global__ void from_small(uint32_t *e4m3, uint32_t *e5m2,
                                      uint32_t *e2m1) {
  unsigned i = threadIdx.x;
  auto bits = [](__half2_raw value) {
    return static_cast<uint32_t>(value.y) << 16 | value.x;
  };
  uint16_t pair = static_cast<uint16_t>(i | (255 - i) << 8);
  e4m3[i] = bits(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3));
  e5m2[i] = bits(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E5M2));
  e2m1[i] =
      bits(__nv_cvt_fp4x2_to_halfraw2(static_cast<uint8_t>(i), __NV_E2M1));
}
