//===- TensorProduct.h - Products in tensor memory --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `tcgen05.mma` as a function of lines of A and B, its instruction descriptor,
// and which cells of tensor memory its operands fill. K is 32 bytes in tensor
// memory for every kind. Nothing here knows the machine.
//
// Sources: PTX ISA 9.7.16.2 (shapes), 9.7.16.4 (descriptors), 9.7.16.10
// (layouts, packing, scales). How it adds: MMA-Sim (arXiv 2511.10909).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_TENSORPRODUCT_H
#define NVFP4_SIMULATOR_PTX_MATRIX_TENSORPRODUCT_H

#include "Warpgroup.h"

#include <vector>

namespace nvfp4::ptx {

enum class TensorKind : uint8_t {
  F16,
  TF32,
  F8F6F4,
  I8,
  MXF8F6F4,
  MXF4,
  MXF4NVF4,
};
constexpr bool isBlockScaled(TensorKind kind) {
  return kind >= TensorKind::MXF8F6F4;
}

/// Qualifiers and instruction descriptor of one product. M, N and the rows of
/// D are those of all CTAs that take part.
struct TensorDescriptor {
  TensorKind kind = TensorKind::F16;
  /// CTAs: 1 or 2.
  int ctas = 1;
  /// Scales of a line; 0: none.
  int scalesPerLine = 0;
  ElementType a = ElementType::F16, b = ElementType::F16, d = ElementType::F32;
  ScaleType scaleType = ScaleType::None;
  int m = 0, n = 0;
  bool transposesA = false, transposesB = false;
  bool negatesA = false, negatesB = false;
  bool saturates = false;
  /// C counts 2^-shiftOfC of itself.
  int shiftOfC = 0;
  /// Bytes of the scales' cells at which a line's begin.
  unsigned scaleIdA = 0, scaleIdB = 0;

  int getRowsPerCta() const { return m / ctas; }
  int getColumnsPerCta() const { return n / ctas; }
  /// Columns of tensor memory that D fills.
  int getColumnsOfD() const { return isSplit() ? n / 2 : n; }
  /// Whether the columns of D are halved, one half in lanes 64 to 127.
  bool isSplit() const { return ctas == 2 && m == 128; }
  /// Whether D has 16 of 32 lanes.
  bool isHalf() const { return ctas == 1 && m == 64; }
  /// The lane, from the first one of D, and the column of an element of D.
  int getLane(int row, int column) const {
    return isHalf() ? row / 16 * 32 + row % 16
                    : row + (isSplit() && column >= n / 2 ? 64 : 0);
  }
  int getColumn(int column) const {
    return isSplit() ? column % (n / 2) : column;
  }
};

/// Reads an instruction descriptor. `descriptor` comes with kind, ctas and
/// scalesPerLine. Fails, naming what is legal, where there is no such product.
Status decodeTensorDescriptor(uint32_t bits, TensorDescriptor &descriptor);

/// Bytes of an element of A or B; elements of less than a byte count as one.
int getElementBytes(ElementType type);

/// Sixteen elements of 4 or 6 bits, packed from the first byte of a chunk, in a
/// byte each; undefined bits move with them.
void unpackChunk(ElementType type, const uint8_t *packed, uint8_t *bytes);

/// Lines of A or B.
struct TensorLines {
  /// `kLineWords` words for each line.
  std::vector<uint32_t> values;
  /// Their undefined bits; empty: none.
  std::vector<uint32_t> undefined;
  /// By line, the cell with its scales.
  std::vector<uint32_t> scales;
  std::vector<uint32_t> undefinedScales;
};

/// Rows of a slice of D.
constexpr int kSliceRows = kMaxRowPanels * kPanelLines;
/// D of one CTA: slices of 64 rows, each by panel of eight columns, then by
/// row. The element of a row at the first column of a panel:
constexpr int getSlicePlace(int columns, int row, int firstColumn) {
  return ((row / kSliceRows * columns + firstColumn) * kSliceRows) +
         row % kSliceRows * kPanelLines;
}

/// D = A * B + C for the rows of one CTA; elements of f16 are in the low half
/// of a word. `undefined` holds C's undefined bits, and gets D's; empty: none.
void multiplyTensor(const TensorDescriptor &descriptor,
                    Accumulation accumulation, TensorLines a, TensorLines b,
                    std::vector<uint32_t> c, std::vector<uint32_t> &d,
                    std::vector<uint32_t> &undefined);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_TENSORPRODUCT_H
