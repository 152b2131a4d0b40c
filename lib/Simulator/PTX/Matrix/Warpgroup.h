//===- Warpgroup.h - Products of a warpgroup --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `wgmma.mma_async` as a function of panels (Cores.h), and where its operands
// lie in shared memory. K is 32 bytes for every type: two chunks of 16 bytes of
// a line along K, or, where the lines are contiguous ("transposed"), a row for
// each element of K, of chunks of lines.
//
// Sources: PTX ISA 9.7.15.5.1 (shapes, fragments, shared memory layouts, matrix
// descriptor).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_WARPGROUP_H
#define NVFP4_SIMULATOR_PTX_MATRIX_WARPGROUP_H

#include "Mma.h"

#include <vector>

namespace nvfp4::ptx {

/// Bytes of a chunk, and chunks of a line of A or B.
constexpr int kChunkBytes = 16;
constexpr int kLineChunks = 2;
/// Words of a line along K.
constexpr int kLineWords = 8;
/// Rows of A that a warp holds.
constexpr int kRowsPerWarp = 16;
constexpr int kRowPanelsPerWarp = kRowsPerWarp / kPanelLines;

//===----------------------------------------------------------------------===//
// Matrices in shared memory
//===----------------------------------------------------------------------===//

/// A 64-bit matrix descriptor, decoded. Offsets in bytes.
struct SharedMatrix {
  uint32_t start = 0;
  /// Between chunks along the contiguous dimension, where the swizzle does not
  /// place them; and along the other one, between groups of eight.
  uint32_t leading = 0, stride = 0;
  /// Row of the swizzle's pattern that begins at address 0 modulo its size.
  uint32_t baseOffset = 0;
  /// Chunks of a row of the pattern, as a power of two; 0: no swizzle.
  uint32_t swizzle = 0;
  /// Whether the pattern moves 32 bytes at a time, within four rows.
  bool isCoarse = false;

  static SharedMatrix decode(uint64_t descriptor);
  /// The same for `tcgen05`. False for a swizzle that is not known.
  static bool decodeTcgen05(uint64_t descriptor, SharedMatrix &matrix);
  /// Bits of a descriptor that mean nothing and must be zero.
  static constexpr uint64_t kReservedBits = 0x3FF1C000C000C000;
  static constexpr uint64_t kTcgen05ReservedBits = 0x1FF18000C000C000;

  /// Addresses of the chunks, in the order that gatherLines expects: by line
  /// and chunk, or, transposed, by element of K and chunk of lines.
  std::vector<uint32_t> listChunks(int lines, bool isTransposed,
                                   int elementBytes = 2) const;

  /// Where the byte goes that has this address without a swizzle.
  uint32_t place(uint32_t linear) const;
};

/// Lines of `kLineWords` words from the chunks of listChunks, one after the
/// other in `bytes`.
void gatherLines(const uint8_t *bytes, int lines, bool isTransposed,
                 uint32_t *target, int elementBytes = 2);

/// Panels of A from lines: line i of panel p is line 8 p + i.
void makeRowPanels(const uint32_t *lines, int panels, uint32_t *target);
/// Panels of B: their lines are columns in the order of getColumnOfLine.
void makeColumnPanels(const uint32_t *lines, int panels, uint32_t *target);

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Qualifiers and immediates of the instruction.
struct WarpgroupDescriptor {
  MatrixShape shape;
  ElementType a, b, d;
  bool satfinite = false;
  bool negatesA = false, negatesB = false;
  bool transposesA = false, transposesB = false;

  int getColPanels() const { return shape.n / kPanelLines; }
  bool isF16() const { return d == ElementType::F16; }
  /// Registers of D in a lane.
  int getNumRegistersD() const { return shape.n / (isF16() ? 4 : 2); }
};

/// Fails, naming what is legal, if PTX has no such instruction.
Status checkWarpgroupDescriptor(const WarpgroupDescriptor &descriptor);

/// Panels of some warps of a warpgroup; C and D by panel of B, then by row.
struct WarpgroupPanels {
  int rowPanels;
  const uint32_t *a, *b, *c;
  uint32_t *d;
};

/// D = A * B + C.
void multiplyWarpgroup(const WarpgroupDescriptor &descriptor, MmaMode mode,
                       const WarpgroupPanels &panels);

/// Which elements of D undefined bits reach, as in MmaPlan::taint: panels of
/// the same form, whose ones mark undefined bits. C's elements, 32 bits each,
/// may be null.
struct WarpgroupUndefined {
  const uint32_t *a, *b, *c;
  /// Nonzero: the element is undefined.
  uint32_t *d;
};
void taintWarpgroup(const WarpgroupDescriptor &descriptor,
                    const WarpgroupPanels &panels,
                    const WarpgroupUndefined &undefined);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_WARPGROUP_H
