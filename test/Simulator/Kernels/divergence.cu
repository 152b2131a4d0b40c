//===- divergence.cu - Lanes that go different ways -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Nested branches, loops that each lane leaves at its own time, switches
// through jump tables, locks between lanes of a warp, and synchronization of
// some lanes.
//
// arch: sm_90a
//
//===----------------------------------------------------------------------===//

#include <cstdint>

/// Steps until the Collatz sequence reaches 1; a lane that takes too long gives
/// up.
extern "C" __global__ void collatz(const unsigned *x, int *steps, int n,
                                   int limit) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  unsigned long long value = x[i];
  int count = 0;
  while (value != 1) {
    if (count == limit) {
      count = -1;
      break;
    }
    if (value % 2)
      value = 3 * value + 1;
    else
      value /= 2;
    ++count;
  }
  steps[i] = count;
}

/// A small machine: every lane interprets its own program of 8 instructions.
extern "C" __global__ void interpret(const uint8_t *programs, int *out) {
  int thread = blockIdx.x * blockDim.x + threadIdx.x;
  const uint8_t *program = programs + thread * 8;
  int value = thread, held = 1;
#pragma unroll 1
  for (int pc = 0; pc < 8; ++pc) {
    switch (program[pc]) {
    case 0:
      value += held;
      break;
    case 1:
      value *= 3;
      break;
    case 2:
      held = value ^ 21;
      break;
    case 3:
      if (value & 1)
        ++pc;
      break;
    case 4:
      value = -value;
      [[fallthrough]];
    case 5:
      value >>= 1;
      break;
    case 6:
      for (int i = 0; i < (held & 7); ++i)
        value += i * held;
      break;
    case 7:
      value = held - value;
      continue;
    case 8:
      out[thread] = value;
      return;
    default:
      held = ~held;
    }
    held += pc;
  }
  out[thread] = value + held;
}

/// A jump table, as compilers make of dense switches: four targets, one of them
/// twice.
extern "C" __global__ void jump_table(const unsigned *which, int *out) {
  int value = threadIdx.x;
  asm volatile("{\n\t"
               "table: .branchtargets $zero, $one, $two, $one;\n\t"
               "brx.idx %1, table;\n\t"
               "$zero:\n\t"
               "add.s32 %0, %0, 100;\n\t"
               "bra.uni $end;\n\t"
               "$one:\n\t"
               "mul.lo.s32 %0, %0, 3;\n\t"
               "bra.uni $end;\n\t"
               "$two:\n\t"
               "neg.s32 %0, %0;\n\t"
               "$end:\n\t"
               "}"
               : "+r"(value)
               : "r"(which[threadIdx.x]));
  out[threadIdx.x] = value;
}

/// Every lane of every warp takes the same lock once: progress although the
/// lanes of a warp wait for each other. What the lock protects are plain
/// accesses.
extern "C" __global__ void spin_lock(unsigned *lock, unsigned *counter,
                                     unsigned *order) {
  while (atomicCAS(lock, 0, 1) != 0)
    ;
  __threadfence();
  unsigned ticket = *counter;
  *counter = ticket + 1;
  order[blockIdx.x * blockDim.x + threadIdx.x] = ticket;
  __threadfence();
  atomicExch(lock, 0);
}

/// The same with the lock's whole use inside a branch, as written for chips
/// whose lanes cannot wait for each other.
extern "C" __global__ void spin_lock_branch(unsigned *lock, unsigned *sum) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      __threadfence();
      *sum = *sum * 2 % 65521 + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

/// Halves of a warp exchange by shared memory, each with its own mask, in
/// branches.
extern "C" __global__ void half_warps(const int *x, int *out) {
  __shared__ int held[64];
  int thread = threadIdx.x, lane = thread % 32;
  held[thread] = x[thread];
  if (lane < 16) {
    __syncwarp(0x0000ffff);
    int other = held[thread ^ 1];
    int sum = __shfl_xor_sync(0x0000ffff, other, 8);
    out[thread] = other - sum;
  } else {
    __syncwarp(0xffff0000);
    int other = held[thread ^ 2];
    int most = other;
    for (int offset = 8; offset > 0; offset /= 2)
      most = max(most, __shfl_xor_sync(0xffff0000, most, offset, 16));
    out[thread] = most - other;
  }
}

/// Votes among the lanes that are there, and a queue: each lane with work takes
/// a place, one addition per warp.
extern "C" __global__ void compact(const int *x, int *out, unsigned *size,
                                   unsigned *masks, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int value = i < n ? x[i] : 0;
  if (value > 0) {
    unsigned active = __activemask();
    int lane = threadIdx.x % 32, leader = __ffs(active) - 1;
    unsigned base;
    if (lane == leader)
      base = atomicAdd(size, __popc(active));
    base = __shfl_sync(active, base, leader);
    out[base + __popc(active & ((1u << lane) - 1))] = value;
  }
  unsigned positive = __ballot_sync(~0u, value > 0);
  bool all = __all_sync(~0u, value >= 0), any = __any_sync(~0u, value < -90);
  int same;
  unsigned equal = __match_all_sync(~0u, value, &same);
  if (threadIdx.x % 32 == 0)
    masks[i / 32] =
        positive ^ (all ? 1u : 0u) ^ (any ? 2u : 0u) ^ (same ? equal : 0u);
}
