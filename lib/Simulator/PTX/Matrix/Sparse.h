//===- Sparse.h - Structured sparsity of A ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `mma.sp` stores half of A. In terms of *granules*, which are 16 bits for
// elements of 16 and 32 bits and 8 bits for smaller ones, a chunk is four
// neighbours along K, of which two are stored, and 4 bits of metadata are their
// places: so 2:4 for most types, 1:2 for tf32 and pairs in 4:8 for 4 bits.
//
// The metadata of row r, with g = r mod 8 and h = r div 8, chunk c:
//
//   16-bit granules   lane 4g + (selector or c div 4), bits 16h + 4 * (c mod 4)
//   8-bit granules    lane 4g + 2 * (selector or c div 8) + h,
//                     bits 4 * (c mod 8)
//
// where the larger K of a type needs two lanes for what the smaller needs one,
// and the selector counts in such groups.
//
// Sources: PTX ISA 9.7.14.6.1 and .2; the places of metadata, which the manual
// shows in figures, measured on an H200.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_SPARSE_H
#define NVFP4_SIMULATOR_PTX_MATRIX_SPARSE_H

#include "Mma.h"

namespace nvfp4::ptx {

/// Where the chunks of A's rows have their metadata, and how many there are.
class SparseLayout {
public:
  SparseLayout(const MmaDescriptor &descriptor, int elementBits);

  int getGranuleBits() const { return granuleBits; }
  int getNumChunks() const { return numChunks; }
  int getNumSelectors() const { return numSelectors; }
  /// The four bits of a chunk; in a register of undefined bits, which of them
  /// are.
  uint32_t getCode(const uint32_t *metadata, unsigned selector, int row,
                   int chunk) const;

private:
  int granuleBits;
  int numChunks;
  int lanesPerRow; ///< Of one row, that hold its metadata.
  int numSelectors;
};

/// The places of A's stored granules: [row][stored granule] along K.
struct SparsePattern {
  uint8_t places[16][32];
};

/// Reads the metadata. Fails where it, or the selector, is none.
Status readSparsePattern(const MmaDescriptor &descriptor,
                         const SparseLayout &layout, const uint32_t *metadata,
                         unsigned selector, SparsePattern &pattern);

/// Spreads a panel of stored words over K, with zeros in between.
void expandPanel(const SparseLayout &layout, const SparsePattern &pattern,
                 int firstRow, const uint32_t *stored, uint32_t *expanded);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_SPARSE_H
