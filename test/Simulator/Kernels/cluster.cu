//===- cluster.cu - Exchange inside clusters ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Distributed shared memory: loads by mapped addresses and by generic pointers,
// stores with arrival at a barrier of the other block, bulk copies between
// blocks, and a bulk copy that every block of the cluster receives.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"
#include <cooperative_groups.h>

namespace cg = cooperative_groups;

__device__ __forceinline__ uint32_t clusterRank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ __forceinline__ uint32_t clusterSize() {
  uint32_t size;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}

/// The address of `address` in the block of this rank.
__device__ __forceinline__ uint32_t mapToRank(uint32_t address, uint32_t rank) {
  uint32_t mapped;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
               : "=r"(mapped)
               : "r"(address), "r"(rank));
  return mapped;
}

__device__ __forceinline__ void clusterArrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}

__device__ __forceinline__ void clusterWait() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

/// Block rank r of a cluster gives out[cluster, j] for j ≡ r: the sum over the
/// cluster's blocks of x[block, j].
extern "C" __global__ void __launch_bounds__(64)
    cluster_sum(const int *x, int *out) {
  __shared__ int mine[64];
  uint32_t rank = clusterRank(), size = clusterSize();
  mine[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  clusterArrive();
  clusterWait();
  if (threadIdx.x % size == rank) {
    int sum = 0;
    for (uint32_t other = 0; other < size; ++other) {
      int value;
      asm volatile("ld.shared::cluster.s32 %0, [%1];"
                   : "=r"(value)
                   : "r"(mapToRank(sharedAddress(&mine[threadIdx.x]), other))
                   : "memory");
      sum += value;
    }
    out[blockIdx.x / size * 64 + threadIdx.x] = sum;
  }
  // Nobody leaves while others read.
  clusterArrive();
  clusterWait();
}

/// A histogram whose bins are spread over the cluster: atomics on the shared
/// memory of others, by the pointers of cooperative groups.
extern "C" __global__ void __launch_bounds__(64)
    cluster_histogram(const unsigned char *x, unsigned *counts, int n) {
  __shared__ unsigned bins[64];
  cg::cluster_group cluster = cg::this_cluster();
  unsigned size = cluster.num_blocks(), perBlock = 64 / size;
  bins[threadIdx.x] = 0;
  cluster.sync();
  for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) {
    unsigned bin = x[i] % 64;
    unsigned *remote = cluster.map_shared_rank(bins, bin / perBlock);
    atomicAdd(remote + bin % perBlock, 1);
  }
  cluster.sync();
  if (threadIdx.x < perBlock)
    atomicAdd(&counts[cluster.block_rank() * perBlock + threadIdx.x],
              bins[threadIdx.x]);
}

/// Each block passes its row on to the next one, round and round: `rounds`
/// times it adds rank + 1 to what came and stores it to its neighbour, then
/// arrives there. Two buffers; a second barrier says that a buffer may be
/// written again.
extern "C" __global__ void __launch_bounds__(32)
    cluster_ring(const int *x, int *out, int rounds) {
  __shared__ int buffer[2][32];
  __shared__ uint64_t full[2], empty[2];
  uint32_t rank = clusterRank(), size = clusterSize();
  uint32_t next = (rank + 1) % size, previous = (rank + size - 1) % size;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i) {
      mbarrierInit(&full[i], 32);
      mbarrierInit(&empty[i], 32);
    }
    fenceMbarrierInit();
  }
  clusterArrive();
  clusterWait();
  auto arriveRemote = [](uint64_t *barrier, uint32_t at) {
    asm volatile(
        "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(
            mapToRank(sharedAddress(barrier), at))
        : "memory");
  };
  auto waitCluster = [](uint64_t *barrier, uint32_t parity) {
    uint32_t done;
    do
      asm volatile("{\n\t"
                   ".reg .pred p;\n\t"
                   "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 "
                   "p, [%1], %2;\n\t"
                   "selp.u32 %0, 1, 0, p;\n\t"
                   "}"
                   : "=r"(done)
                   : "r"(sharedAddress(barrier)), "r"(parity)
                   : "memory");
    while (!done);
  };
  int value = x[blockIdx.x * 32 + threadIdx.x];
  for (int round = 0; round < rounds; ++round) {
    int slot = round % 2, phase = round / 2 % 2;
    // The neighbour has read what was in its buffer two rounds ago.
    waitCluster(&empty[slot], phase ^ 1);
    asm volatile("st.shared::cluster.s32 [%0], %1;" ::"r"(mapToRank(
                     sharedAddress(&buffer[slot][threadIdx.x]), next)),
                 "r"(value)
                 : "memory");
    arriveRemote(&full[slot], next);
    waitCluster(&full[slot], phase);
    value = buffer[slot][threadIdx.x] + static_cast<int>(rank) + 1;
    arriveRemote(&empty[slot], previous);
  }
  out[blockIdx.x * 32 + threadIdx.x] = value;
  clusterArrive();
  clusterWait();
}

/// Every block loads its part of `x` for all: out[block] = the whole, plus the
/// rank.
extern "C" __global__ void __launch_bounds__(64)
    cluster_multicast(const int *x, int *out) {
  __shared__ __align__(128) int all[256];
  __shared__ uint64_t full;
  uint32_t rank = clusterRank(), size = clusterSize();
  if (threadIdx.x == 0) {
    mbarrierInit(&full, 1);
    fenceMbarrierInit();
    // What the others send arrives here too.
    mbarrierExpect(&full, sizeof(all));
  }
  clusterArrive();
  clusterWait();
  int part = 256 / size;
  if (threadIdx.x == 0)
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
        ".multicast::cluster [%0], [%1], %2, [%3], %4;" ::"r"(
            sharedAddress(all + rank * part)),
        "l"(__cvta_generic_to_global(x + rank * part)),
        "r"(part * static_cast<int>(sizeof(int))), "r"(sharedAddress(&full)),
        "h"(static_cast<uint16_t>((1u << size) - 1))
        : "memory");
  mbarrierWait(&full, 0);
  for (int i = threadIdx.x; i < 256; i += 64)
    out[blockIdx.x * 256 + i] = all[i] + static_cast<int>(rank);
  // A block that left could not receive what another one still sends.
  clusterArrive();
  clusterWait();
}

/// Block 0 of a pair copies its array into the shared memory of block 1 by one
/// bulk copy, which completes a barrier there; st.async adds a word that does
/// the same.
extern "C" __global__ void __launch_bounds__(64)
    cluster_bulk_copy(const int *x, int *out) {
  __shared__ __align__(128) int data[64];
  __shared__ int extra;
  __shared__ uint64_t full;
  uint32_t rank = clusterRank();
  if (threadIdx.x == 0) {
    mbarrierInit(&full, 1);
    fenceMbarrierInit();
    if (rank == 1)
      mbarrierExpect(&full, sizeof(data) + sizeof(extra));
  }
  if (rank == 0) {
    data[threadIdx.x] = x[blockIdx.x / 2 * 64 + threadIdx.x];
    fenceProxyAsync();
  }
  clusterArrive();
  clusterWait();
  if (rank == 0 && threadIdx.x == 0) {
    uint32_t barrier = mapToRank(sharedAddress(&full), 1);
    asm volatile(
        "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::"
        "bytes "
        "[%0], [%1], %2, [%3];" ::"r"(mapToRank(sharedAddress(data), 1)),
        "r"(sharedAddress(data)), "n"(sizeof(data)), "r"(barrier)
        : "memory");
    asm volatile(
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.s32 [%0], %1, "
        "[%2];" ::"r"(mapToRank(sharedAddress(&extra), 1)),
        "r"(1000), "r"(barrier)
        : "memory");
  }
  if (rank == 1) {
    mbarrierWait(&full, 0);
    out[blockIdx.x / 2 * 64 + threadIdx.x] = data[threadIdx.x] + extra;
  }
  clusterArrive();
  clusterWait();
}
