//===- MmaReference.h - Matrix instructions, slowly -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The second opinion of the tests: fragments placed by the manual's tables into
// whole matrices of doubles, sums in exact arithmetic of its own, and the
// hardware's rules as the published floating-point formulas have them.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_SIMULATOR_MATRIX_MMAREFERENCE_H
#define NVFP4_TEST_UNIT_SIMULATOR_MATRIX_MMAREFERENCE_H

#include "Matrix/Mma.h"

#include <functional>
#include <random>
#include <vector>

namespace nvfp4::ptx::test {

/// The registers of one instruction.
struct Warp {
  uint32_t a[8][32] = {}, b[8][32] = {}, c[8][32] = {}, d[8][32] = {};
  uint64_t a64[8][32] = {}, b64[8][32] = {}, c64[8][32] = {}, d64[8][32] = {};
  uint32_t scaleA[32] = {}, scaleB[32] = {}, metadata[32] = {};
  unsigned byteIdA = 0, threadIdA = 0, byteIdB = 0, threadIdB = 0;
  unsigned sparsitySelector = 0;

  MmaInputs getInputs() const;
  MutableFragment getOutputs();
};

/// Where the manual's figures put an element of a fragment: register `reg`,
/// element `i` of it, counting from the low bits.
MatrixPosition placeA(const MmaDescriptor &descriptor, int lane, int reg,
                      int i);
MatrixPosition placeB(const MmaDescriptor &descriptor, int lane, int reg,
                      int i);
MatrixPosition placeC(const MmaDescriptor &descriptor, bool isF16, int lane,
                      int reg, int i);

/// Bits of an element of A or B in its register.
int getBits(const MmaDescriptor &descriptor, ElementType type);

/// An exact sum of doubles, in digits of 32 bits.
class DigitSum {
public:
  void add(double value);
  /// To `precision` bits and `minExponent`, nearest even; beyond `maxExponent`
  /// infinity.
  double round(int precision, int minExponent, int maxExponent) const;

private:
  static constexpr int kDigits = 26, kLowest = -416;
  int64_t digits[kDigits] = {};
};

/// D as [m][n] words (f64: 64 bits), by element.
std::vector<uint64_t> computeReference(const MmaDescriptor &descriptor,
                                       const Warp &warp, MmaMode mode);

/// Calls `function` once for every instruction set of this machine, in use.
void forEachInstructionSet(const std::function<void()> &function);

/// The bits of D[row][col] in the registers of `warp`.
std::vector<uint64_t> readD(const MmaDescriptor &descriptor, const Warp &warp);

} // namespace nvfp4::ptx::test

#endif // NVFP4_TEST_UNIT_SIMULATOR_MATRIX_MMAREFERENCE_H
