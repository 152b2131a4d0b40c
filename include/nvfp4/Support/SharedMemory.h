//===- SharedMemory.h - How kernels use shared memory ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What those who choose kernels and those who generate them must agree on, of
// every schedule: how images of operands lie, what rings of stages have beside
// them, and how sums cross as f32, row by row, on their way to results.
//
// From row to row of sums are the columns and a few words, so that the lanes of
// a store meet in no bank. With g = lane / 4, t = lane mod 4:
//
//   a pair along n at (row g, columns 2t, 2t + 1):    pitch = 8 mod 32
//   swapped, single words at (row 2t, column g):      pitch = 4 mod 32
//   four along n at (row lane, columns 0 … 3):        pitch = 4 mod 32
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_SHAREDMEMORY_H
#define NVFP4_SUPPORT_SHAREDMEMORY_H

#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <cstdint>

namespace nvfp4 {

/// Of the unit's columns, how many cross at once where other warps fill stages
/// meanwhile: 128 x 64 sums are 36 KiB.
constexpr int64_t kSliceColumns = 64;

/// Words from row to row of so many columns, which threads store in pairs or
/// otherwise.
constexpr int64_t getSumsPitch(int64_t columns, bool isInPairs = false) {
  return roundUpTo(columns, std::min<int64_t>(columns, 32)) +
         (isInPairs ? 8 : 4);
}

/// What the barriers of a ring take, before its stages.
constexpr int64_t kRingBarrierBytes = 1024;

/// To which images of operands are aligned, for their swizzle.
constexpr int64_t kImageAlignment = 1024;

/// Bytes that each of so many CTAs of a multiprocessor may have, where one may
/// have `ofOne`: the system takes some for each.
constexpr int64_t getSharedBytesOfEach(int64_t ofOne, int64_t ctas) {
  constexpr int64_t kSystemBytes = 1024;
  return (ofOne + kSystemBytes) / ctas - kSystemBytes;
}

} // namespace nvfp4

#endif // NVFP4_SUPPORT_SHAREDMEMORY_H
