//===- TensorMap.h - Boxes of tensors --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a decoded tensor map says about one copy: where each row of a box lies
// in global and in shared memory.
//
// Source: PTX ISA 5.5 (tensors, boxes, swizzle, out-of-bounds access); measured
// on an H200 where that says nothing.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MACHINE_TENSORMAP_H
#define NVFP4_SIMULATOR_PTX_MACHINE_TENSORMAP_H

#include "nvfp4/Simulator/PTX/Syntax.h"
#include "nvfp4/Simulator/PTX/TensorMap.h"

#include <vector>

namespace nvfp4::ptx {

/// Bytes that a swizzle moves as one.
constexpr uint32_t kSwizzleChunk = 16;

/// The elements of a box that are consecutive in both memories.
struct BoxRow {
  /// Of element `first`, if there is one in bounds.
  uint64_t address = 0;
  /// The elements in bounds.
  uint32_t first = 0, count = 0;
};

/// A box at its coordinates.
struct Box {
  uint32_t elementBytes = 0;
  /// Elements of a row, and bytes from row to row in shared memory.
  uint32_t rowElements = 0, pitch = 0;
  /// As a power of two, the chunks among which a row's are exchanged.
  uint32_t swizzle = 0;
  std::vector<BoxRow> rows;

  /// A chip stores whole chunks of 16 bytes: what of the last one lies behind
  /// the tensor is written, too.
  void widenRows();

  uint32_t getRowBytes() const { return rowElements * elementBytes; }
  /// What a copy counts, in bounds or not.
  uint64_t getBytes() const { return rows.size() * uint64_t(getRowBytes()); }
  /// Bytes of shared memory from the first row to behind the last one.
  uint64_t getSpan() const { return rows.size() * uint64_t(pitch); }
  /// Where byte `offset` of the layout without a swizzle goes, for a box at
  /// `start`. Both are addresses of shared memory.
  uint32_t place(uint32_t address) const {
    return address ^ ((address >> 7 & ((1u << swizzle) - 1)) * kSwizzleChunk);
  }
};

/// False if the bytes are no tensor map.
bool decodeTensorMap(const uint8_t *bytes, TiledTensorMap &map);
/// Rows of a box; 0 if one of that many fits no shared memory.
uint32_t countRows(const TiledTensorMap &map);
/// A box that has rows.
Box makeBox(const TiledTensorMap &map, const int32_t *coordinates);
/// The type of a map's elements, for reductions.
Type getElementType(const TiledTensorMap &map);
/// The bytes of an element out of bounds, from the lowest.
uint64_t getFill(const TiledTensorMap &map);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MACHINE_TENSORMAP_H
