//===- Fragments.h - Which lane holds which element -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fragments of the warp-level matrix instructions. All shapes but the
// m8n8k4 form of f16 follow one scheme. With g = lane / 4 and t = lane mod 4,
// a register of A holds, over the warp, 8 rows of 16 bytes (32 with f64), row g
// in the four lanes of group g, in order of K; a register of B holds 8 columns
// likewise. Registers come first by rows, then along K:
//
//   A  register r   rows 8 * (r mod P) …, words 4 * (r div P) … of a row,
//                   where P = M / 8
//   B  register r   words 4 * r … of a column
//   C  register r   row 8 * (r div 2) + g, column 2t + r mod 2
//   C  of f16       row 8 * r + g, columns 2t (low half) and 2t + 1
//
// Sources: PTX ISA 9.7.14.5, the fragment tables of each shape, which the unit
// tests spell out.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_FRAGMENTS_H
#define NVFP4_SIMULATOR_PTX_MATRIX_FRAGMENTS_H

#include <cstdint>

namespace nvfp4::ptx {

constexpr int kWarpLanes = 32;
/// Registers of the largest fragment: A of m16n8k16 with f64.
constexpr int kMaxFragmentRegisters = 8;

struct MatrixShape {
  uint16_t m, n, k;
  constexpr bool operator==(const MatrixShape &other) const {
    return m == other.m && n == other.n && k == other.k;
  }
};

struct MatrixPosition {
  int row, col;
  constexpr bool operator==(const MatrixPosition &other) const {
    return row == other.row && col == other.col;
  }
};

/// Columns in the order in which the lanes of a C register meet them: first the
/// even ones.
constexpr int getColumnOfLine(int line) { return line % 4 * 2 + line / 4; }

/// Where A is: the element at `bit` of `reg` in `lane`. `registerBits` is 32,
/// or 64 with f64.
constexpr MatrixPosition getPositionA(MatrixShape shape, int elementBits,
                                      int registerBits, int lane, int reg,
                                      int bit) {
  const int panels = shape.m / 8, perRegister = registerBits / elementBits;
  return {lane / 4 + reg % panels * 8,
          (reg / panels * 4 + lane % 4) * perRegister + bit / elementBits};
}

constexpr MatrixPosition getPositionB(int elementBits, int registerBits,
                                      int lane, int reg, int bit) {
  const int perRegister = registerBits / elementBits;
  return {(reg * 4 + lane % 4) * perRegister + bit / elementBits, lane / 4};
}

constexpr MatrixPosition getPositionC(bool isF16, int lane, int reg, int bit) {
  if (isF16)
    return {reg * 8 + lane / 4, lane % 4 * 2 + bit / 16};
  return {reg / 2 * 8 + lane / 4, lane % 4 * 2 + reg % 2};
}

constexpr int getNumRegistersA(MatrixShape shape, int elementBits,
                               int registerBits) {
  return shape.m * shape.k * elementBits / (kWarpLanes * registerBits);
}
constexpr int getNumRegistersB(MatrixShape shape, int elementBits,
                               int registerBits) {
  return shape.n * shape.k * elementBits / (kWarpLanes * registerBits);
}
constexpr int getNumRegistersC(MatrixShape shape, bool isF16) {
  return shape.m * shape.n / kWarpLanes / (isF16 ? 2 : 1);
}

/// The lane whose scale register serves a row of A, and of B for a column.
constexpr int getScaleLaneA(int row, int threadId) {
  return row % 8 * 4 + threadId * 2 + row / 8;
}
constexpr int getScaleLaneB(int col, int threadId) {
  return col * 4 + threadId;
}

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_FRAGMENTS_H
