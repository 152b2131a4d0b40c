//===- philox.cu - Counter-based random bits, stochastic rounding ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Philox 4x32 with ten rounds (Salmon et al., SC 2011), and rounding of f32 to
// e2m1 with eight random bits per element in software, as chips without the
// conversion must do it.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

__device__ uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    uint32_t high0 = __umulhi(0xD2511F53u, counter.x);
    uint32_t low0 = 0xD2511F53u * counter.x;
    uint32_t high1 = __umulhi(0xCD9E8D57u, counter.z);
    uint32_t low1 = 0xCD9E8D57u * counter.z;
    counter = make_uint4(high1 ^ counter.y ^ key.x, low1,
                         high0 ^ counter.w ^ key.y, low0);
    key.x += 0x9E3779B9u;
    key.y += 0xBB67AE85u;
  }
  return counter;
}

extern "C" __global__ void random_words(uint4 *out, uint64_t seed,
                                        uint64_t offset, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  uint64_t counter = offset + i;
  out[i] = philox(make_uint4(static_cast<uint32_t>(counter),
                             static_cast<uint32_t>(counter >> 32), 0, 0),
                  make_uint2(static_cast<uint32_t>(seed),
                             static_cast<uint32_t>(seed >> 32)));
}

/// The code below |x| plus one if the fraction of the step, in 256ths, and a
/// random byte carry. Steps are 1/2 below 2, 1 below 4, 2 below 6.
__device__ uint32_t roundStochastically(float x, uint32_t random) {
  float magnitude = fminf(fabsf(x), 6.0f);
  float step = magnitude < 2.0f ? 0.5f : magnitude < 4.0f ? 1.0f : 2.0f;
  int first = magnitude < 2.0f ? 0 : magnitude < 4.0f ? 2 : 4;
  // A division by a power of two is exact.
  float steps = magnitude / step;
  int whole = static_cast<int>(steps);
  int fraction = static_cast<int>((steps - whole) * 256.0f);
  uint32_t code = first + whole + (fraction + random >= 256 ? 1 : 0);
  return code | (__float_as_uint(x) >> 31) << 3;
}

/// Sixteen elements per thread, a word of random bits for four.
extern "C" __global__ void round_e2m1(const float4 *__restrict__ x, uint2 *out,
                                      uint64_t seed, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  uint4 random = philox(make_uint4(i, 0, 0, 0),
                        make_uint2(static_cast<uint32_t>(seed),
                                   static_cast<uint32_t>(seed >> 32)));
  uint32_t words[4] = {random.x, random.y, random.z, random.w};
  uint32_t codes[2] = {0, 0};
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    float4 v = x[4 * i + j];
    uint32_t four = roundStochastically(v.x, words[j] & 255) |
                    roundStochastically(v.y, words[j] >> 8 & 255) << 4 |
                    roundStochastically(v.z, words[j] >> 16 & 255) << 8 |
                    roundStochastically(v.w, words[j] >> 24) << 12;
    codes[j / 2] |= four << (j % 2 * 16);
  }
  out[i] = make_uint2(codes[0], codes[1]);
}
