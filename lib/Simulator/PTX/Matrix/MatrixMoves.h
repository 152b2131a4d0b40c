//===- MatrixMoves.h - ldmatrix, stmatrix and movmatrix ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which row and byte of shared memory belongs to which lane, register and byte.
// The machine asks how many rows there are, reads or writes them at the
// addresses of the lanes (lane i supplies row i), and leaves the rest to these
// functions. They move bits and look at none, so they move the bits that mark
// what is undefined just as well.
//
//   m8n8 b16    matrix q is rows 8q …: lane L holds row L / 4, bytes
//               4 * (L mod 4) …; transposed: the 16-bit elements (row
//               2 * (L mod 4) + h, column L / 4) in half h
//   m8n16       the same after widening 16 codes to 16 bytes
//   m16n16      of bytes, transposed: matrix q is rows 16q …; register 2q + h
//               of lane L holds column L / 4 + 8h, rows 4 * (L mod 4) …
//   m16n8 b8    stmatrix, transposed: matrix q is 8 rows of 16 bytes; byte i of
//               lane L goes to row 2 * (L mod 4) + i mod 2, byte
//               L / 4 + 8 * (i div 2)
//
// Sources: PTX ISA 9.7.14.5.15 to .17. The manual shows the 8-bit forms in
// figures only; m16n16 as reported by measurement on sm_120a, m16n8 as
// epilogues in production use it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_MATRIXMOVES_H
#define NVFP4_SIMULATOR_PTX_MATRIX_MATRIXMOVES_H

#include "Fragments.h"

#include "nvfp4/Support/Status.h"

namespace nvfp4::ptx {

/// Bytes of a row at most, and registers of a lane.
constexpr int kMatrixRowBytes = 16;
constexpr int kMaxMoveRegisters = 4;

enum class MoveShape : uint8_t { M8N8, M8N16, M16N16, M16N8 };
enum class MoveFormat : uint8_t {
  B16,
  B8,
  B8x16FromB4x16P64, ///< 16 codes of 4 bits in 8 bytes, 8 bytes unused
  B8x16FromB6x16P32, ///< 16 codes of 6 bits in 12 bytes, 4 bytes unused
};

/// A form of ldmatrix.
class MatrixLoad {
public:
  /// Fails, naming what is legal, if PTX has no such form.
  static Result<MatrixLoad> create(MoveShape shape, int count, bool transposed,
                                   MoveFormat format);

  /// Rows, which lanes 0 … supply the addresses of; each is 16-byte aligned.
  int getNumRows() const;
  /// Bytes read of a row.
  int getRowBytes() const;
  int getNumRegisters() const;

  /// Fills registers of 32 lanes from the rows.
  void distribute(const uint8_t (*rows)[kMatrixRowBytes],
                  uint32_t *const *registers) const;

private:
  MoveShape shape;
  uint8_t count;
  bool transposed;
  MoveFormat format;
};

/// A form of stmatrix.
class MatrixStore {
public:
  static Result<MatrixStore> create(MoveShape shape, int count, bool transposed,
                                    MoveFormat format);

  /// Rows of 16 bytes, which lanes 0 … supply the addresses of.
  int getNumRows() const { return 8 * count; }
  int getNumRegisters() const { return count; }

  /// Fills the rows from registers of 32 lanes.
  void collect(const uint32_t *const *registers,
               uint8_t (*rows)[kMatrixRowBytes]) const;

private:
  MoveShape shape;
  uint8_t count;
  bool transposed;
};

/// movmatrix.sync.aligned.m8n8.trans.b16. `result` must not be `source`.
void transposeMatrix(const uint32_t *source, uint32_t *result);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_MATRIXMOVES_H
