//===- AttentionMemory.h - Shared memory of attention -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a CTA that computes many rows of an attention keeps in shared memory:
// queries of its rows, and a ring of stages, each with a tile of keys and of
// their values. Those who choose kernels and those who generate them must agree
// on it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_ATTENTIONMEMORY_H
#define NVFP4_SUPPORT_ATTENTIONMEMORY_H

#include "nvfp4/Support/ScaleLayout.h"
#include "nvfp4/Support/SharedMemory.h"

namespace nvfp4 {

struct AttentionMemory {
  /// Rows of the CTA, and keys of a tile.
  int64_t rows, keys;
  /// Elements of a query and of a key, and of a value.
  int64_t depth, columns;

  /// Rows of a warp, and elements of a step of the unit.
  static constexpr int64_t kUnit = 16;
  /// Keys of a tile and elements of a head, at most.
  static constexpr int64_t kMaxExtent = 256;
  static constexpr int64_t kStages = 2;
  /// Of bf16 and f16.
  static constexpr int64_t kElementBytes = 2;
  /// Elements of a panel of a tile, at most.
  static constexpr int64_t kPanelElements = 64;

  static constexpr bool isWholeUnits(int64_t extent) {
    return extent % kUnit == 0 && extent >= kUnit && extent <= kMaxExtent;
  }

  /// A tile with heads of `size` elements consists of panels of so many: a
  /// power of two.
  static int64_t getPanelElements(int64_t size) {
    int64_t elements = kUnit;
    while (elements < size && elements < kPanelElements)
      elements *= 2;
    return elements;
  }
  static int64_t getTileBytes(int64_t rows, int64_t size) {
    return rows * roundUpTo(size, getPanelElements(size)) * kElementBytes;
  }

  /// Values are behind the keys of a stage.
  int64_t getValuesOffset() const { return getTileBytes(keys, depth); }
  int64_t getStageBytes() const {
    return roundUpTo(getValuesOffset() + getTileBytes(keys, columns),
                     kImageAlignment);
  }
  /// Stages are behind the queries.
  int64_t getStagesOffset() const {
    return roundUpTo(getTileBytes(rows, depth), kImageAlignment);
  }
  int64_t getBytes() const {
    return getStagesOffset() + kStages * getStageBytes();
  }
};

} // namespace nvfp4

#endif // NVFP4_SUPPORT_ATTENTIONMEMORY_H
