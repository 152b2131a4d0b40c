//===- gemm_nvfp4.cu - Block-scaled GEMM of 4-bit operands ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// D = alpha (A SFA)(B SFB)^T with e2m1 codes, two to a byte, and scales in
// tiles of 128 rows by 4 blocks (512 bytes): one e4m3 scale per 16 elements
// (NVFP4) or one e8m0 scale per 32 (MXFP4). cp.async brings codes and scales in
// three stages.
//
// A tile's word at 16 (row mod 32) + 4 (row mod 128 / 32) holds four blocks of
// a row: K = 64 of NVFP4, K = 128 of MXFP4. Blocks of 128 by 128 read whole
// tiles. Source: PTX ISA 9.0, section 9.7.14.3 (block scaling: which lane
// supplies what).
//
// arch: sm_120a
//
//===----------------------------------------------------------------------===//

#include "pipelined_gemm.cuh"

constexpr int kTile = 128, kThreads = 256, kStages = 3;
constexpr int kCodeBytes = kTile * kRowBytes;
constexpr int kScaleTile = 512;

/// K = 64 with a scale per 16 elements: all four bytes of a word.
struct Nvfp4 {
  // A stage has K = 128, so two words per row.
  static constexpr int kTiles = 2;
  static __device__ int tileOf(int step) { return step; }
  static __device__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                  const uint32_t *b, uint32_t sfa, uint32_t sfb,
                                  int /*step*/) {
    asm volatile(
        "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale."
        "scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3}, %10, {0, 0}, %11, {0, 0};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]),
          "r"(sfa), "r"(sfb));
  }
};

/// K = 64 with a scale per 32 elements: half of a word, picked by the byte id.
struct Mxfp4 {
  static constexpr int kTiles = 1;
  static __device__ int tileOf(int) { return 0; }
  static __device__ void multiply(float (&d)[4], const uint32_t (&a)[4],
                                  const uint32_t *b, uint32_t sfa, uint32_t sfb,
                                  int step) {
    asm volatile(
        "mma.sync.aligned.m16n8k64.row.col.kind::mxf4.block_scale."
        "scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3}, %10, {%12, 0}, %11, {%12, 0};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]),
          "r"(sfa), "r"(sfb), "h"(static_cast<uint16_t>(2 * step)));
  }
};

struct Operand {
  const uint8_t *codes, *scales;
};

__device__ __forceinline__ uint32_t loadWord(uint32_t from) {
  uint32_t word;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(from) : "memory");
  return word;
}

/// The scales of a row of an operand's 128 rows and one K = 64 or 128.
__device__ __forceinline__ uint32_t scaleWord(uint32_t tile, int row) {
  return loadWord(tile + row % 32 * 16 + row / 32 * 4);
}

/// `kBytes` is a multiple of 32, so that K is whole multiplications.
template <class Format>
__device__ __forceinline__ void blockScaledGemm(Operand a, Operand b, float *d,
                                                const float *alpha,
                                                GemmShape shape) {
  extern __shared__ __align__(1024) uint8_t ring[];
  constexpr int kScaleBytes = Format::kTiles * kScaleTile;
  constexpr int kStageBytes = 2 * (kCodeBytes + kScaleBytes);
  uint32_t base = sharedAddress(ring);
  int firstRow = blockIdx.y * kTile, firstColumn = blockIdx.x * kTile;
  int stagesOfK = (shape.kBytes + kRowBytes - 1) / kRowBytes;
  // 32 bytes of codes are 64 elements.
  int tilesOfK = (shape.kBytes / 32 * Format::kTiles + 1) / 2;

  auto loadScales = [&](uint32_t to, const uint8_t *from, int block, int step) {
    constexpr int kChunks = kScaleBytes / 16;
    if (threadIdx.x < kChunks) {
      int tile = step * Format::kTiles + threadIdx.x / (kScaleTile / 16);
      cpAsync16(to + threadIdx.x * 16,
                from + (size_t(block) * tilesOfK + tile) * kScaleTile +
                    threadIdx.x % (kScaleTile / 16) * 16,
                tile < tilesOfK ? 16 : 0);
    }
  };
  auto load = [&](int step) {
    uint32_t stage = base + step % kStages * kStageBytes;
    loadRows<kTile, kThreads>(stage, a.codes, firstRow, shape.m,
                              step * kRowBytes, shape.kBytes, shape.pitch);
    loadRows<kTile, kThreads>(stage + kCodeBytes, b.codes, firstColumn, shape.n,
                              step * kRowBytes, shape.kBytes, shape.pitch);
    loadScales(stage + 2 * kCodeBytes, a.scales, blockIdx.y, step);
    loadScales(stage + 2 * kCodeBytes + kScaleBytes, b.scales, blockIdx.x,
               step);
  };
  for (int step = 0; step < kStages - 1; ++step) {
    if (step < stagesOfK)
      load(step);
    cpAsyncCommit();
  }

  // Two by four warps of 64 by 32.
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int warpRow = warp / 4 * 64, warpColumn = warp % 4 * 32;
  float acc[4][4][4] = {};
  for (int step = 0; step < stagesOfK; ++step) {
    cpAsyncWait<kStages - 2>();
    __syncthreads();
    if (step + kStages - 1 < stagesOfK)
      load(step + kStages - 1);
    cpAsyncCommit();
    uint32_t stage = base + step % kStages * kStageBytes;
    uint32_t scales = stage + 2 * kCodeBytes;
#pragma unroll
    for (int inner = 0; inner < 2; ++inner) {
      if (step * kRowBytes + inner * kStepBytes >= shape.kBytes)
        break;
      uint32_t tile = scales + Format::tileOf(inner) * kScaleTile;
      uint32_t fa[4][4], fb[2][4], sfa[4], sfb[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        loadA(fa[i], stage, warpRow + 16 * i, 2 * inner);
        // Lanes 4 g and 4 g + 1 supply rows g and g + 8.
        sfa[i] = scaleWord(tile, warpRow + 16 * i + lane / 4 + lane % 2 * 8);
      }
#pragma unroll
      for (int j = 0; j < 2; ++j)
        loadB(fb[j], stage + kCodeBytes, warpColumn + 16 * j, 2 * inner);
#pragma unroll
      for (int j = 0; j < 4; ++j)
        // Lane 4 g supplies column g.
        sfb[j] = scaleWord(tile + kScaleBytes, warpColumn + 8 * j + lane / 4);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          Format::multiply(acc[i][j], fa[i], &fb[j / 2][j % 2 * 2], sfa[i],
                           sfb[j], inner);
    }
  }

  float factor = *alpha;
#pragma unroll
  for (int i = 0; i < 4; ++i)
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
                factor * acc[i][j][2 * half + e];
      }
}

extern "C" __global__ void __launch_bounds__(kThreads)
    gemm_nvfp4(const uint8_t *a, const uint8_t *sfa, const uint8_t *b,
               const uint8_t *sfb, float *d, const float *alpha,
               GemmShape shape) {
  blockScaledGemm<Nvfp4>({a, sfa}, {b, sfb}, d, alpha, shape);
}

extern "C" __global__ void __launch_bounds__(kThreads)
    gemm_mxfp4(const uint8_t *a, const uint8_t *sfa, const uint8_t *b,
               const uint8_t *sfb, float *d, const float *alpha,
               GemmShape shape) {
  blockScaledGemm<Mxfp4>({a, sfa}, {b, sfb}, d, alpha, shape);
}

/// One warp, D[16, 8 n] for n = 0 … 3 with all scales in one register per lane:
/// the thread ids pick the rows of A (two tiles of 16) and the columns of B
/// (four of 8).
extern "C" __global__ void selectors(const uint32_t *a, const uint32_t *b,
                                     const uint32_t *sfa, const uint32_t *sfb,
                                     float *d) {
  int lane = threadIdx.x;
  uint32_t fa[4], fb[2];
  for (int i = 0; i < 4; ++i)
    fa[i] = a[i * 32 + lane];
  for (int i = 0; i < 2; ++i)
    fb[i] = b[i * 32 + lane];
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float c[4] = {};
      asm volatile(
          "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale."
          "scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
          "{%8,%9}, {%0,%1,%2,%3}, %10, {0, %12}, %11, {0, %13};"
          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
          : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]),
            "r"(fb[1]), "r"(sfa[lane]), "r"(sfb[lane]),
            "h"(static_cast<uint16_t>(i)), "h"(static_cast<uint16_t>(j)));
      for (int e = 0; e < 4; ++e)
        d[((i * 4 + j) * 4 + e) * 32 + lane] = c[e];
    }
}
