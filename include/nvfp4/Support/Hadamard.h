//===- Hadamard.h - The random Hadamard transform of 16 values --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// x' = x * (1/4) * diag(s) * H with the Sylvester matrix H of order 16, applied
// to groups of 16 neighbouring values (docs/Format.md, section 6). The matrix
// is orthogonal: applied to both operands of a matrix product along the
// contraction, it cancels.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_HADAMARD_H
#define NVFP4_SUPPORT_HADAMARD_H

#include <cstdint>

namespace nvfp4 {

/// Values of one group.
constexpr int kHadamardSize = 16;

/// The signs that Transformer Engine uses everywhere; bit i is set if s[i] is
/// -1: + + + - + - - - - - - + - + - -.
constexpr uint16_t kDefaultHadamardSigns = 0xD7E8;

/// Entry (row, col) of H: -1 to the number of common one bits.
constexpr int getHadamardEntry(int row, int col) {
  int common = row & col;
  common ^= common >> 2;
  common ^= common >> 1;
  return common & 1 ? -1 : 1;
}

/// Transforms one group in place. Output i is the f32 sum of x[j] * (s[j] *
/// H[j][i] / 4) over j = 0, 1, …; the products are exact, and the caller rounds
/// the result to bf16 where the recipe says so.
inline void applyHadamard(float *group,
                          uint16_t signs = kDefaultHadamardSigns) {
  float result[kHadamardSize];
  for (int i = 0; i < kHadamardSize; ++i) {
    float sum = 0.0f;
    for (int j = 0; j < kHadamardSize; ++j) {
      bool isNegative = (getHadamardEntry(j, i) < 0) != (signs >> j & 1);
      float term = group[j] * 0.25f;
      sum += isNegative ? -term : term;
    }
    result[i] = sum;
  }
  for (int i = 0; i < kHadamardSize; ++i)
    group[i] = result[i];
}

} // namespace nvfp4

#endif // NVFP4_SUPPORT_HADAMARD_H
