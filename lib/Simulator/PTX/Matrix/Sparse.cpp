//===- Sparse.cpp - Structured sparsity of A ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sparse.h"

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::ptx;

SparseLayout::SparseLayout(const MmaDescriptor &descriptor, int elementBits) {
  granuleBits = elementBits >= 16 ? 16 : 8;
  numChunks = descriptor.shape.k * elementBits / (4 * granuleBits);
  // 16 or 32 bits of a lane belong to one row.
  lanesPerRow = numChunks * 4 / (granuleBits == 16 ? 16 : 32);
  numSelectors = (granuleBits == 16 ? 4 : 2) / lanesPerRow;
}

uint32_t SparseLayout::getCode(const uint32_t *metadata, unsigned selector,
                               int row, int chunk) const {
  const int group = row % 8, half = row / 8;
  if (granuleBits == 16) {
    const int lane = int(selector) * lanesPerRow + chunk / 4;
    return metadata[4 * group + lane] >> (16 * half + chunk % 4 * 4) & 15;
  }
  const int lane = 2 * (int(selector) * lanesPerRow + chunk / 8) + half;
  return metadata[4 * group + lane] >> chunk % 8 * 4 & 15;
}

Status nvfp4::ptx::readSparsePattern(const MmaDescriptor &descriptor,
                                     const SparseLayout &layout,
                                     const uint32_t *metadata,
                                     unsigned selector,
                                     SparsePattern &pattern) {
  if (selector >= unsigned(layout.getNumSelectors()))
    return Status::error("mma.sp: expected a sparsity selector below " +
                         std::to_string(layout.getNumSelectors()) +
                         ", but got " + std::to_string(selector));
  const bool isTF32 = descriptor.a == ElementType::TF32;
  const bool isOrdered = descriptor.sparsity == Sparsity::Ordered;
  for (int row = 0; row < descriptor.shape.m; ++row)
    for (int chunk = 0; chunk < layout.getNumChunks(); ++chunk) {
      const uint32_t code = layout.getCode(metadata, selector, row, chunk);
      const uint32_t first = code & 3, second = code >> 2;
      const bool isLegal = isTF32      ? code == 0x4 || code == 0xE
                           : isOrdered ? first < second
                                       : first != second;
      if (!isLegal)
        return Status::error(std::string("mma.sp: expected metadata of ") +
                             (isTF32      ? "0b0100 or 0b1110"
                              : isOrdered ? "two ascending places"
                                          : "two different places") +
                             " for row " + std::to_string(row) + ", chunk " +
                             std::to_string(chunk) + ", but got places " +
                             std::to_string(first) + " and " +
                             std::to_string(second));
      pattern.places[row][2 * chunk] = uint8_t(4 * chunk + first);
      pattern.places[row][2 * chunk + 1] = uint8_t(4 * chunk + second);
    }
  return Status();
}

void nvfp4::ptx::expandPanel(const SparseLayout &layout,
                             const SparsePattern &pattern, int firstRow,
                             const uint32_t *stored, uint32_t *expanded) {
  const int bits = layout.getGranuleBits(), perWord = 32 / bits;
  const uint32_t mask = (1u << bits) - 1;
  const int numStored = 2 * layout.getNumChunks();
  std::fill_n(expanded, 2 * numStored / perWord * kPanelLines, 0);
  for (int line = 0; line < kPanelLines; ++line)
    for (int i = 0; i < numStored; ++i) {
      const uint32_t word = stored[i / perWord * kPanelLines + line];
      const int place = pattern.places[firstRow + line][i];
      expanded[place / perWord * kPanelLines + line] |=
          (word >> i % perWord * bits & mask) << place % perWord * bits;
    }
}
