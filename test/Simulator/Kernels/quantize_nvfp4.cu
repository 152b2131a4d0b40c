//===- quantize_nvfp4.cu - Quantization to NVFP4 --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The golden chain: all operations f32, rounded to nearest even, in this order.
//
//     S_enc = min(2688 / A, FLT_MAX), 1 if A or S_enc is 0;  S_dec = 1 / S_enc
//     SF    = e4m3(min(b (S_enc (1/6)), FLT_MAX))            b: maximum of a
//     block code  = e2m1(x min(1 / (SF S_dec), FLT_MAX))
//
// A thread takes a block of 16 elements. Scales are stored in tiles of 128 rows
// by 4 blocks, or row by row.
//
// arch: sm_120a
//
//===----------------------------------------------------------------------===//

#include <cfloat>
#include <cstdint>
#include <cuda_bf16.h>

/// The maximum magnitude of x, as bits, which order like the numbers. NaN is
/// skipped.
extern "C" __global__ void __launch_bounds__(128)
    tensor_amax(const float *__restrict__ x, unsigned *amax, int n) {
  float most = 0;
  for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128)
    most = fmaxf(most, fabsf(x[i]));
  unsigned bits = __reduce_max_sync(~0u, __float_as_uint(most));
  if (threadIdx.x % 32 == 0)
    atomicMax(amax, bits);
}

struct GlobalScale {
  float encode, decode;
};

__device__ GlobalScale globalScale(float amax) {
  float encode = fminf(__fdiv_rn(2688.0f, amax), FLT_MAX);
  if (amax == 0.0f || encode == 0.0f)
    encode = 1.0f;
  return {encode, __fdiv_rn(1.0f, encode)};
}

/// The low byte is the e4m3 of `x`.
__device__ uint16_t toE4M3(float x) {
  uint16_t pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;"
      : "=h"(pair)
      : "f"(0.0f), "f"(x));
  return pair;
}

__device__ float fromE4M3(uint16_t byte) {
  uint32_t pair;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(pair) : "h"(byte));
  __half_raw low;
  low.x = static_cast<unsigned short>(pair);
  return __half2float(__half(low));
}

/// Eight codes in a word, the first in the low nibble.
__device__ uint32_t toE2M1(const float *x, float scale) {
  uint32_t word;
  asm("{\n\t"
      ".reg .b8 b0, b1, b2, b3;\n\t"
      "cvt.rn.satfinite.e2m1x2.f32 b0, %2, %1;\n\t"
      "cvt.rn.satfinite.e2m1x2.f32 b1, %4, %3;\n\t"
      "cvt.rn.satfinite.e2m1x2.f32 b2, %6, %5;\n\t"
      "cvt.rn.satfinite.e2m1x2.f32 b3, %8, %7;\n\t"
      "mov.b32 %0, {b0, b1, b2, b3};\n\t"
      "}"
      : "=r"(word)
      : "f"(__fmul_rn(x[0], scale)), "f"(__fmul_rn(x[1], scale)),
        "f"(__fmul_rn(x[2], scale)), "f"(__fmul_rn(x[3], scale)),
        "f"(__fmul_rn(x[4], scale)), "f"(__fmul_rn(x[5], scale)),
        "f"(__fmul_rn(x[6], scale)), "f"(__fmul_rn(x[7], scale)));
  return word;
}

__device__ int tiledOffset(int row, int block, int blocks) {
  return (row / 128 * ((blocks + 3) / 4) + block / 4) * 512 + row % 32 * 16 +
         row % 128 / 32 * 4 + block % 4;
}

__device__ void quantizeBlock(const float (&x)[16], float most,
                              GlobalScale global, uint2 *codes,
                              uint8_t *scale) {
  float multiplier = __fmul_rn(global.encode, 1.0f / 6.0f);
  uint16_t byte = toE4M3(fminf(__fmul_rn(most, multiplier), FLT_MAX));
  float encode =
      fminf(__fdiv_rn(1.0f, __fmul_rn(fromE4M3(byte), global.decode)), FLT_MAX);
  *codes = make_uint2(toE2M1(x, encode), toE2M1(x + 8, encode));
  *scale = static_cast<uint8_t>(byte);
}

/// x[rows, 16 blocks] in f32, scales in tiles.
extern "C" __global__ void __launch_bounds__(64)
    quantize_f32(const float4 *__restrict__ x, const float *amax,
                 uint2 *__restrict__ codes, uint8_t *__restrict__ scales,
                 int rows, int blocks) {
  int block = blockIdx.x * 64 + threadIdx.x, row = blockIdx.y;
  if (block >= blocks)
    return;
  float values[16], most = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    float4 v = x[(row * blocks + block) * 4 + i];
    values[4 * i] = v.x, values[4 * i + 1] = v.y;
    values[4 * i + 2] = v.z, values[4 * i + 3] = v.w;
  }
#pragma unroll
  for (int i = 0; i < 16; ++i)
    most = fmaxf(most, fabsf(values[i]));
  quantizeBlock(values, most, globalScale(*amax), &codes[row * blocks + block],
                &scales[tiledOffset(row, block, blocks)]);
}

/// x[rows, 16 blocks] in bf16, scales row by row; maxima of pairs in bf16.
extern "C" __global__ void __launch_bounds__(64)
    quantize_bf16(const uint4 *__restrict__ x, const float *amax,
                  uint2 *__restrict__ codes, uint8_t *__restrict__ scales,
                  int blocks) {
  int block = blockIdx.x * 64 + threadIdx.x;
  if (block >= blocks)
    return;
  uint4 bits[2] = {x[2 * block], x[2 * block + 1]};
  auto *pairs = reinterpret_cast<const __nv_bfloat162 *>(bits);
  __nv_bfloat162 most = __habs2(pairs[0]);
  float values[16];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    most = __hmax2(most, __habs2(pairs[i]));
    float2 v = __bfloat1622float2(pairs[i]);
    values[2 * i] = v.x, values[2 * i + 1] = v.y;
  }
  quantizeBlock(values, fmaxf(__low2float(most), __high2float(most)),
                globalScale(*amax), &codes[block], &scales[block]);
}
