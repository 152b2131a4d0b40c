//===- pipelined_gemm.cuh - A GEMM with cp.async and mma.sync ---*- CUDA
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// D[M, N] = A[M, K] B[N, K]^T for every element type: an mma.sync of any type
// takes 32 bytes of K, so loads, shared memory and fragments are the same and
// only the multiplication differs.
//
// A stage holds rows of 64 bytes in four chunks of 16. Chunk c of row r lies at
// position c ^ (r / 2 % 4), so that eight rows of one chunk, which is what a
// matrix of ldmatrix reads, lie in different banks:
//
//     row 0  | 0 1 2 3 |  row 2  | 1 0 3 2 |  row 4  | 2 3 0 1 |
//     row 1  | 0 1 2 3 |  row 3  | 1 0 3 2 |  row 5  | 2 3 0 1 |  …
//
// What lies outside the matrices is filled with zeros by copies of fewer bytes.
// Source: PTX ISA 9.0, sections 9.7.9.25 (cp.async), 9.7.14.5 (fragments).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_SIMULATOR_KERNELS_PIPELINED_GEMM_CUH
#define NVFP4_TEST_SIMULATOR_KERNELS_PIPELINED_GEMM_CUH

#include "device.cuh"

constexpr int kRowBytes = 64;
constexpr int kStepBytes = 32;

__device__ __forceinline__ uint32_t chunkOffset(int row, int chunk) {
  return row * kRowBytes + (chunk ^ (row / 2 % 4)) * 16;
}

/// Starts the copy of `Rows` rows from `firstRow`, bytes `firstByte` to
/// `firstByte + 64` of each, of a matrix of `rows` by `rowBytes` bytes.
template <int Rows, int Threads>
__device__ __forceinline__ void loadRows(uint32_t to, const uint8_t *from,
                                         int firstRow, int rows, int firstByte,
                                         int rowBytes, int pitch) {
  for (int i = threadIdx.x; i < Rows * 4; i += Threads) {
    int row = i / 4, chunk = i % 4;
    int byte = firstByte + 16 * chunk;
    int bytes = firstRow + row < rows ? min(max(rowBytes - byte, 0), 16) : 0;
    cpAsync16(to + chunkOffset(row, chunk),
              from + size_t(firstRow + row) * pitch + byte, bytes);
  }
}

/// The A fragment of rows `row` to `row + 15` and 32 bytes from chunk `chunk`.
__device__ __forceinline__ void loadA(uint32_t (&a)[4], uint32_t stage, int row,
                                      int chunk) {
  int lane = threadIdx.x % 32;
  ldmatrixX4(a, stage + chunkOffset(row + lane % 16, chunk + lane / 16));
}

/// The B fragments of columns `column` to `column + 15`: b[0], b[1] of the
/// first eight, b[2], b[3] of the others.
__device__ __forceinline__ void loadB(uint32_t (&b)[4], uint32_t stage,
                                      int column, int chunk) {
  int lane = threadIdx.x % 32;
  ldmatrixX4(b, stage + chunkOffset(column + lane / 16 * 8 + lane % 8,
                                    chunk + lane / 8 % 2));
}

/// The extents of a GEMM, K and the pitch of both operands in bytes. Kernels
/// take it by value.
struct GemmShape {
  int m, n, kBytes, pitch;
};

/// A block's tile of 64 by 64 with four warps of 32 by 32. `Mma` has a type
/// `Accumulator`, `kRegisters` of which a lane holds for a tile of 16 by 8, a
/// function `multiply`, and a function `get` of one of the four sums.
template <class Mma, int Stages>
__device__ __forceinline__ void
pipelinedGemm(const uint8_t *a, const uint8_t *b, typename Mma::Output *d,
              GemmShape shape) {
  constexpr int kTile = 64, kThreads = 128;
  constexpr int kMatrixBytes = kTile * kRowBytes;
  __shared__ __align__(128) uint8_t ring[Stages][2][kMatrixBytes];

  int firstRow = blockIdx.y * kTile, firstColumn = blockIdx.x * kTile;
  int steps = (shape.kBytes + kRowBytes - 1) / kRowBytes;
  auto load = [&](int step) {
    uint32_t stage = sharedAddress(ring[step % Stages]);
    loadRows<kTile, kThreads>(stage, a, firstRow, shape.m, step * kRowBytes,
                              shape.kBytes, shape.pitch);
    loadRows<kTile, kThreads>(stage + kMatrixBytes, b, firstColumn, shape.n,
                              step * kRowBytes, shape.kBytes, shape.pitch);
  };
  // A group per step even if it is empty, so that counting groups counts steps.
  for (int step = 0; step < Stages - 1; ++step) {
    if (step < steps)
      load(step);
    cpAsyncCommit();
  }

  int warp = threadIdx.x / 32;
  int warpRow = warp / 2 * 32, warpColumn = warp % 2 * 32;
  typename Mma::Accumulator acc[2][4][Mma::kRegisters] = {};
  for (int step = 0; step < steps; ++step) {
    cpAsyncWait<Stages - 2>();
    // Everyone's part of this stage is there, and everyone is done with the
    // stage that is filled next.
    __syncthreads();
    if (step + Stages - 1 < steps)
      load(step + Stages - 1);
    cpAsyncCommit();
    uint32_t stage = sharedAddress(ring[step % Stages]);
#pragma unroll
    for (int chunk = 0; chunk < 4; chunk += 2) {
      uint32_t fa[2][4], fb[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        loadA(fa[i], stage, warpRow + 16 * i, chunk);
        loadB(fb[i], stage + kMatrixBytes, warpColumn + 16 * i, chunk);
      }
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          Mma::multiply(acc[i][j], fa[i], &fb[j / 2][j % 2 * 2]);
    }
  }

  int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int row = firstRow + warpRow + 16 * i + 8 * half + lane / 4;
        int column = firstColumn + warpColumn + 8 * j + lane % 4 * 2;
        if (row >= shape.m)
          continue;
#pragma unroll
        for (int e = 0; e < 2; ++e)
          if (column + e < shape.n)
            d[size_t(row) * shape.n + column + e] =
                Mma::get(acc[i][j], 2 * half + e);
      }
}

#endif // NVFP4_TEST_SIMULATOR_KERNELS_PIPELINED_GEMM_CUH
