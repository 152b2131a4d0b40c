//===- flash_attention.cu - Attention without the matrix of scores --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// O = softmax(Q K^T / 8) V for heads of 64, bf16 in and out, one block per 64
// queries: four warps of 16. Keys and values come in pieces of 32 by cp.async,
// two buffers. The fragments of the probabilities are those of the next
// product's A, so they never leave the registers.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"
#include <cuda_bf16.h>
#include <math_constants.h>

constexpr int kHead = 64, kQueries = 64, kKeys = 32, kThreads = 128;
// Rows of 128 bytes, padded so that ldmatrix meets no bank twice.
constexpr int kPitch = kHead * 2 + 16;

__device__ __forceinline__ uint32_t packBf16(float low, float high) {
  __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<uint32_t *>(&pair);
}

template <int Rows>
__device__ __forceinline__ void loadTile(uint32_t to, const uint8_t *from,
                                         int first, int rows) {
  for (int i = threadIdx.x; i < Rows * 8; i += kThreads) {
    int row = i / 8, byte = i % 8 * 16;
    cpAsync16(to + row * kPitch + byte,
              from + size_t(first + row) * (kHead * 2) + byte,
              first + row < rows ? 16 : 0);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads)
    flash_attention(const uint8_t *q, const uint8_t *k, const uint8_t *v,
                    __nv_bfloat162 *o, int queries, int keys, int causal) {
  extern __shared__ __align__(128) uint8_t dynamic[];
  uint32_t qs = sharedAddress(dynamic);
  uint32_t ks = qs + kQueries * kPitch, vs = ks + 2 * kKeys * kPitch;
  // A head per grid row.
  q += size_t(blockIdx.y) * queries * kHead * 2;
  k += size_t(blockIdx.y) * keys * kHead * 2;
  v += size_t(blockIdx.y) * keys * kHead * 2;
  o += size_t(blockIdx.y) * queries * kHead / 2;
  int firstQuery = blockIdx.x * kQueries;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;

  loadTile<kQueries>(qs, q, firstQuery, queries);
  loadTile<kKeys>(ks, k, 0, keys);
  loadTile<kKeys>(vs, v, 0, keys);
  cpAsyncCommit();

  uint32_t fq[4][4];
  float out[8][4] = {}, peak[2] = {-CUDART_INF_F, -CUDART_INF_F}, sum[2] = {};
  int pieces = (keys + kKeys - 1) / kKeys;
  if (causal)
    pieces = min(pieces, (firstQuery + kQueries - 1) / kKeys + 1);
  for (int piece = 0; piece < pieces; ++piece) {
    uint32_t kb = ks + piece % 2 * kKeys * kPitch;
    uint32_t vb = vs + piece % 2 * kKeys * kPitch;
    if (piece + 1 < pieces) {
      uint32_t other = (piece + 1) % 2 * kKeys * kPitch;
      loadTile<kKeys>(ks + other, k, (piece + 1) * kKeys, keys);
      loadTile<kKeys>(vs + other, v, (piece + 1) * kKeys, keys);
    }
    cpAsyncCommit();
    cpAsyncWait<1>();
    __syncthreads();
    if (piece == 0)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        ldmatrixX4(fq[i], qs + (warp * 16 + lane % 16) * kPitch + i * 32 +
                              lane / 16 * 16);

    float scores[4][4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        uint32_t fk[4];
        ldmatrixX4(fk, kb + (j * 16 + lane / 16 * 8 + lane % 8) * kPitch +
                           i * 32 + lane / 8 % 2 * 16);
        mmaBf16(scores[2 * j], fq[i], &fk[0]);
        mmaBf16(scores[2 * j + 1], fq[i], &fk[2]);
      }

    // Rows g and g + 8 of the warp's 16; a lane has the columns 2 t and 2 t
    // + 1.
    float scale[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int query = firstQuery + warp * 16 + lane / 4 + 8 * half;
      float most = peak[half];
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          int key = piece * kKeys + 8 * j + lane % 4 * 2 + e;
          float &score = scores[j][2 * half + e];
          score = key < keys && (!causal || key <= query)
                      ? score * (0.125f * CUDART_L2E_F)
                      : -CUDART_INF_F;
          most = fmaxf(most, score);
        }
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
      most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
      scale[half] = exp2f(peak[half] - most);
      peak[half] = most;
      float part = 0;
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float &score = scores[j][2 * half + e];
          score = exp2f(score - most);
          part += score;
        }
      sum[half] = sum[half] * scale[half] + part;
    }
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        out[j][e] *= scale[e / 2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      uint32_t p[4] = {packBf16(scores[2 * i][0], scores[2 * i][1]),
                       packBf16(scores[2 * i][2], scores[2 * i][3]),
                       packBf16(scores[2 * i + 1][0], scores[2 * i + 1][1]),
                       packBf16(scores[2 * i + 1][2], scores[2 * i + 1][3])};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        uint32_t fv[4];
        ldmatrixX4Trans(fv, vb + (i * 16 + lane % 16) * kPitch + j * 32 +
                                lane / 16 * 16);
        mmaBf16(out[2 * j], p, &fv[0]);
        mmaBf16(out[2 * j + 1], p, &fv[2]);
      }
    }
    // Everyone has read this buffer before the copy after next.
    __syncthreads();
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float total = sum[half] + __shfl_xor_sync(~0u, sum[half], 1);
    total += __shfl_xor_sync(~0u, total, 2);
    int query = firstQuery + warp * 16 + lane / 4 + 8 * half;
    if (query >= queries)
      continue;
#pragma unroll
    for (int j = 0; j < 8; ++j)
      o[size_t(query) * (kHead / 2) + 4 * j + lane % 4] = __floats2bfloat162_rn(
          out[j][2 * half] / total, out[j][2 * half + 1] / total);
  }
}
