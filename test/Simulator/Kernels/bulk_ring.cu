//===- bulk_ring.cu - Producer and consumers over bulk copies -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A ring of four stages. Warp 0 is the producer: one lane waits for a stage to
// be empty, says how many bytes will come, and starts the copies. Warps 1 to 4
// consume. Results leave by bulk stores, or are added to memory by bulk
// reductions.
//
//     stage    0      1      2      3      0 …
//     parity   0      0      0      0      1 …     of the full barrier; the
//     producer
//                                                 waits for the other one of
//                                                 empty
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include "device.cuh"

constexpr int kStages = 4, kConsumers = 128, kElements = 256;
constexpr int kBytes = kElements * sizeof(float);

/// out = x + 2 y by pieces of 256; the last one may be shorter by a multiple
/// of 4.
extern "C" __global__ void __launch_bounds__(32 + kConsumers)
    ring_add(const float *x, const float *y, float *out, int n) {
  __shared__ __align__(128) float xs[kStages][kElements];
  __shared__ __align__(128) float ys[kStages][kElements];
  __shared__ __align__(128) float results[2][kElements];
  __shared__ uint64_t full[kStages], empty[kStages];
  int warp = threadIdx.x / 32;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      mbarrierInit(&full[i], 1);
      mbarrierInit(&empty[i], kConsumers / 32);
    }
    fenceMbarrierInit();
    fenceProxyAsync();
  }
  __syncthreads();

  int pieces = (n + kElements - 1) / kElements;
  if (warp == 0) {
    if (electOne()) {
      int i = 0;
      for (int piece = blockIdx.x; piece < pieces; piece += gridDim.x, ++i) {
        int stage = i % kStages, phase = i / kStages % 2;
        mbarrierWait(&empty[stage], phase ^ 1);
        int bytes = min(kElements, n - piece * kElements) * int(sizeof(float));
        mbarrierExpect(&full[stage], 2 * bytes);
        bulkLoad(xs[stage], x + piece * kElements, bytes, &full[stage]);
        bulkLoad(ys[stage], y + piece * kElements, bytes, &full[stage]);
      }
    }
    return;
  }

  int thread = threadIdx.x - 32, i = 0;
  for (int piece = blockIdx.x; piece < pieces; piece += gridDim.x, ++i) {
    int stage = i % kStages, phase = i / kStages % 2;
    int count = min(kElements, n - piece * kElements);
    mbarrierWait(&full[stage], phase);
    // The store of two pieces ago has read its results.
    if (thread == 0)
      bulkWaitRead<1>();
    asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");
    for (int j = thread; j < count; j += kConsumers)
      results[i % 2][j] = fmaf(2.0f, ys[stage][j], xs[stage][j]);
    // Everyone of the warp has read the stage.
    __syncwarp();
    if (thread % 32 == 0)
      mbarrierArrive(&empty[stage]);
    fenceProxyAsync();
    asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");
    if (thread == 0) {
      bulkStore(out + piece * kElements, results[i % 2],
                count * int(sizeof(float)));
      bulkCommit();
    }
  }
  // Shared memory must outlive the reads, and the results must be there at the
  // end.
  if (thread == 0)
    bulkWait<0>();
}

/// sums[0 … 255] += the columns of x[rows, 256]: every block adds its rows in
/// shared memory and then, by one bulk reduction, to global memory.
extern "C" __global__ void __launch_bounds__(kElements)
    bulk_reduce(const int *x, int *sums, int rows) {
  __shared__ __align__(128) int row[kElements];
  __shared__ __align__(128) int mine[kElements];
  __shared__ uint64_t loaded;
  if (threadIdx.x == 0) {
    mbarrierInit(&loaded, 1);
    fenceMbarrierInit();
    fenceProxyAsync();
  }
  __syncthreads();
  int sum = 0, parity = 0;
  for (int i = blockIdx.x; i < rows; i += gridDim.x, parity ^= 1) {
    if (threadIdx.x == 0) {
      mbarrierExpect(&loaded, kBytes);
      bulkLoad(row, x + size_t(i) * kElements, kBytes, &loaded);
    }
    mbarrierWait(&loaded, parity);
    sum += row[threadIdx.x];
    // All have read before the next copy writes.
    __syncthreads();
  }
  mine[threadIdx.x] = sum;
  fenceProxyAsync();
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.s32 "
                 "[%0], [%1], %2;" ::"l"(__cvta_generic_to_global(sums)),
                 "r"(sharedAddress(mine)), "n"(kBytes)
                 : "memory");
    bulkCommit();
    bulkWait<0>();
  }
}
