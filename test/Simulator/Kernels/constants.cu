//===- constants.cu - Constant memory and initialised variables -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables in constant and global memory, pointers in initialisers, strings,
// variables that kernels write, and structs whose fields need padding.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

extern "C" __constant__ float polynomial[5] = {1.0f, -0.5f, 0.25f, -0.125f,
                                               2.0f};
extern "C" __constant__ short offsets[3][4] = {
    {1, -2, 3, -4}, {500, -600, 700, -800}, {0, 32767, -32768, 7}};
extern "C" __device__ const uint8_t bit_counts[16] = {0, 1, 1, 2, 1, 2, 2, 3,
                                                      1, 2, 2, 3, 2, 3, 3, 4};

struct Entry {
  char tag;
  double value;
  const short *row;
  uint16_t count;
};
extern "C" __device__ int shared_counter = 41;
extern "C" __constant__ Entry entries[3] = {{'a', 0.5, offsets[1], 4},
                                            {'b', -3.0, offsets[0] + 2, 2},
                                            {'c', 1e300, offsets[2], 3}};
// A pointer into the middle of another variable, and one to a variable that
// changes.
extern "C" __device__ const float *const middle_of_table = nullptr;
extern "C" __device__ int *counter_pointer = &shared_counter;
extern "C" __device__ const uint8_t *const nibble_pointers[2] = {
    bit_counts + 4, bit_counts + 12};

/// A polynomial whose coefficients every lane reads at once, then ones that
/// depend on the lane.
extern "C" __global__ void constant_tables(const float *x, float *y,
                                           int *sums) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float value = 0;
#pragma unroll
  for (int j = 4; j >= 0; --j)
    value = fmaf(value, x[i], polynomial[j]);
  y[i] = value + polynomial[i % 5];
  const Entry &entry = entries[i % 3];
  int sum = entry.tag + static_cast<int>(fmin(entry.value, 100.0) * 2.0);
  for (int j = 0; j < entry.count; ++j)
    sum += entry.row[j];
  sums[i] = sum + nibble_pointers[i % 2][i % 4];
}

/// Variables that a launch changes: the pointer leads to the counter.
extern "C" __global__ void module_variables(int *seen, uint64_t *isNull) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  seen[i] = atomicAdd(counter_pointer, 1);
  if (i == 0)
    *isNull = middle_of_table == nullptr;
}

/// What was left in the counter cannot be seen by this launch, which has its
/// own.
extern "C" __global__ void text_lengths(const int *which, int *lengths) {
  const char *const texts[3] = {"nvfp4", "", "a longer text\n"};
  const char *text = texts[which[threadIdx.x]];
  int length = 0;
  while (text[length])
    ++length;
  lengths[threadIdx.x] = length * 1000 + text[0];
}
