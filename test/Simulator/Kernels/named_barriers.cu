//===- named_barriers.cu - Producers and consumers with bar.arrive --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers of some warps of a block: who needs what comes waits (bar.sync), who
// only says that it has come goes on (bar.arrive). Two buffers, two barriers
// each.
//
//     barrier 1 + b: buffer b is full      producer arrives, consumers wait
//     barrier 3 + b: buffer b is empty     consumers arrive, producer waits
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

constexpr int kProducers = 32, kConsumers = 64;
constexpr int kAll = kProducers + kConsumers;

__device__ __forceinline__ void barSync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

__device__ __forceinline__ void barArrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// out[piece, j] = x[piece, j] + x[piece, 63 - j], through shared memory.
extern "C" __global__ void __launch_bounds__(kAll)
    mirror_add(const int *x, int *out, int pieces) {
  __shared__ int buffers[2][64];
  bool isProducer = threadIdx.x < kProducers;
  if (isProducer) {
    int lane = threadIdx.x;
    for (int piece = 0; piece < pieces; ++piece) {
      int buffer = piece % 2;
      if (piece >= 2)
        barSync(3 + buffer, kAll);
      buffers[buffer][lane] = x[piece * 64 + lane];
      buffers[buffer][lane + 32] = x[piece * 64 + lane + 32];
      barArrive(1 + buffer, kAll);
    }
  } else {
    int i = threadIdx.x - kProducers;
    for (int piece = 0; piece < pieces; ++piece) {
      int buffer = piece % 2;
      barSync(1 + buffer, kAll);
      out[piece * 64 + i] = buffers[buffer][i] + buffers[buffer][63 - i];
      // The last two pieces have no successor that would wait.
      if (piece + 2 < pieces)
        barArrive(3 + buffer, kAll);
    }
  }
}

/// Pairs of warps with a barrier each, and reductions over all threads.
extern "C" __global__ void __launch_bounds__(128)
    pair_barriers(const int *x, int *out, unsigned *votes) {
  __shared__ int held[128];
  int thread = threadIdx.x, pair = thread / 64;
  held[thread] = x[thread];
  barSync(1 + pair, 64);
  int value = held[pair * 64 + (thread + 40) % 64];
  out[thread] = value;
  int positive = __syncthreads_count(value > 0);
  int all = __syncthreads_and(value > -1000),
      any = __syncthreads_or(value == 7);
  if (thread == 0) {
    votes[0] = positive;
    votes[1] = all != 0;
    votes[2] = any != 0;
  }
}
