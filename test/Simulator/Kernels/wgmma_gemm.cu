//===- wgmma_gemm.cu - Warpgroup GEMM over tensor maps --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A producer warp copies boxes with a 128-byte swizzle; two consumer warpgroups
// multiply 64 rows each, one product in flight under the next wait, and store
// through a tensor map. A second kernel has A in registers and B transposed.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"

/// What a host encodes.
struct alignas(64) TensorMap {
  uint8_t bytes[128];
};

constexpr int kRows = 64, kColumns = 64, kDepth = 64, kStages = 3;
constexpr int kConsumers = 2;
/// 64 rows (or columns) of 128 bytes.
constexpr int kBoxBytes = 64 * 128;
constexpr int kStageBytes = (kConsumers + 1) * kBoxBytes;

__device__ __forceinline__ void tensorLoad(uint32_t to, const TensorMap *map,
                                           int x, int y, uint64_t *barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to),
               "l"(map), "r"(x), "r"(y), "r"(sharedAddress(barrier))
               : "memory");
}

__device__ __forceinline__ void tensorStore(const TensorMap *map, int x, int y,
                                            uint32_t from) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
               "[%0, {%1, %2}], [%3];" ::"l"(map),
               "r"(x), "r"(y), "r"(from)
               : "memory");
}

__device__ __forceinline__ void wgmmaFence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmmaCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// A descriptor of a matrix with a 128-byte swizzle. Between groups of eight
/// rows there are `stride` bytes.
__device__ __forceinline__ uint64_t describe(uint32_t address,
                                             uint32_t stride) {
  return uint64_t(address >> 4 & 0x3FFF) | uint64_t(1) << 16 |
         uint64_t(stride >> 4) << 32 | uint64_t(1) << 62;
}

#define ACCUMULATORS(d)                                                        \
  "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]),      \
      "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]),             \
      "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),         \
      "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),         \
      "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]),         \
      "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]),         \
      "+f"(d[31])

#define NAMES                                                                  \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "    \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, "     \
  "%30, %31}"

/// Four products along K: D = A * B + D, or without D at first.
__device__ __forceinline__ void multiply(float (&d)[32], uint64_t a, uint64_t b,
                                         int accumulates) {
#pragma unroll
  for (uint64_t step = 0; step < 8; step += 2)
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %34, 0;\n\t"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " NAMES
                 ", %32, %33, p, 1, 1, 0, 0;\n\t}"
                 : ACCUMULATORS(d)
                 : "l"(a + step), "l"(b + step), "r"(step ? 1 : accumulates));
}

template <int Pending>
__device__ __forceinline__ void wgmmaWait(float (&d)[32]) {
  // Tied, so that no use of D moves in front of it.
  asm volatile("wgmma.wait_group.sync.aligned %32;"
               : ACCUMULATORS(d)
               : "n"(Pending)
               : "memory");
}

/// D[M, N] = A[M, K] B[N, K]^T in bf16; a block makes 128 rows, 64 columns.
extern "C" __global__ void __launch_bounds__(384, 1)
    wgmma_gemm(const __grid_constant__ TensorMap a,
               const __grid_constant__ TensorMap b,
               const __grid_constant__ TensorMap out, int k) {
  extern __shared__ __align__(1024) uint8_t dynamic[];
  __shared__ uint64_t full[kStages], empty[kStages];
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      mbarrierInit(&full[i], 1);
      // One warp speaks for its warpgroup.
      mbarrierInit(&empty[i], kConsumers);
    }
    fenceMbarrierInit();
    fenceProxyAsync();
  }
  __syncthreads();
  int group = threadIdx.x / 128, thread = threadIdx.x % 128;
  int row = blockIdx.x * kConsumers * kRows, column = blockIdx.y * kColumns;
  int steps = (k + kDepth - 1) / kDepth;
  uint32_t stages = sharedAddress(dynamic);

  if (group == kConsumers) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (thread / 32 != 0 || !electOne())
      return;
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      int stage = step % kStages;
      mbarrierWait(&empty[stage], step / kStages % 2 ^ 1);
      mbarrierExpect(&full[stage], kStageBytes);
      uint32_t to = stages + stage * kStageBytes;
      for (int i = 0; i < kConsumers; ++i)
        tensorLoad(to + i * kBoxBytes, &a, step * kDepth, row + i * kRows,
                   &full[stage]);
      tensorLoad(to + kConsumers * kBoxBytes, &b, step * kDepth, column,
                 &full[stage]);
    }
    return;
  }

  asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
  float d[32];
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    int stage = step % kStages;
    mbarrierWait(&full[stage], step / kStages % 2);
    uint32_t from = stages + stage * kStageBytes;
    wgmmaFence();
    multiply(d, describe(from + group * kBoxBytes, 1024),
             describe(from + kConsumers * kBoxBytes, 1024), step);
    wgmmaCommit();
    wgmmaWait<1>(d);
    // The stage before this one is free.
    if (step > 0 && thread == 0)
      mbarrierArrive(&empty[(step + kStages - 1) % kStages]);
  }
  wgmmaWait<0>(d);

  // The first stage has 64 rows of 256 bytes for each warpgroup, in halves.
  asm volatile("bar.sync 1, 256;" ::: "memory");
  uint32_t tile = stages + group * 2 * kBoxBytes;
  int warp = thread / 32, lane = thread % 32;
#pragma unroll
  for (int i = 0; i < 32; i += 2) {
    int line = 16 * warp + lane / 4 + i / 2 % 2 * 8, half = i / 16;
    int byte = (i / 4 % 4 * 8 + lane % 4 * 2) * 4;
    uint32_t to =
        tile + half * kBoxBytes + line * 128 + (byte ^ (line % 8) * 16);
    asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(to), "f"(d[i]),
                 "f"(d[i + 1])
                 : "memory");
  }
  fenceProxyAsync();
  asm volatile("bar.sync %0, 128;" ::"r"(2 + group) : "memory");
  if (thread != 0)
    return;
  for (int half = 0; half < 2; ++half)
    tensorStore(&out, column + half * 32, row + group * kRows,
                tile + half * kBoxBytes);
  bulkCommit();
  bulkWait<0>();
}

/// D[64, 64] += A[64, K] B[K, 64]: A in registers, B by rows along N.
extern "C" __global__ void __launch_bounds__(128, 1)
    wgmma_registers(const uint32_t *a, const __grid_constant__ TensorMap b,
                    float *out, int k) {
  extern __shared__ __align__(1024) uint8_t dynamic[];
  __shared__ uint64_t full[2];
  if (threadIdx.x == 0) {
    mbarrierInit(&full[0], 1);
    mbarrierInit(&full[1], 1);
    fenceMbarrierInit();
    fenceProxyAsync();
  }
  __syncthreads();
  int steps = k / kDepth, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  uint32_t stages = sharedAddress(dynamic);
  auto load = [&](int step) {
    if (threadIdx.x != 0 || step >= steps)
      return;
    mbarrierExpect(&full[step % 2], kBoxBytes);
    tensorLoad(stages + step % 2 * kBoxBytes, &b, 0, step * kDepth,
               &full[step % 2]);
  };
  load(0);
  float d[32];
  for (int i = 0; i < 32; ++i)
    d[i] = 0;
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
    load(step + 1);
    uint32_t fragments[4][4];
    for (int i = 0; i < 16; ++i) {
      int line = 16 * warp + lane / 4 + i % 2 * 8;
      int word = step * kDepth / 2 + i / 4 * 8 + i / 2 % 2 * 4 + lane % 4;
      fragments[i / 4][i % 4] = a[line * k / 2 + word];
    }
    mbarrierWait(&full[step % 2], step / 2 % 2);
    wgmmaFence();
    uint64_t from = describe(stages + step % 2 * kBoxBytes, 1024);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " NAMES
                   ", {%32, %33, %34, %35}, %36, 1, 1, 1, 1;"
                   : ACCUMULATORS(d)
                   : "r"(fragments[i][0]), "r"(fragments[i][1]),
                     "r"(fragments[i][2]), "r"(fragments[i][3]),
                     "l"(from + i * 16 * 128 / 16));
    wgmmaCommit();
    wgmmaWait<0>(d);
    __syncthreads();
  }
  for (int i = 0; i < 32; ++i) {
    int line = 16 * warp + lane / 4 + i / 2 % 2 * 8;
    out[line * kColumns + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
  }
}
