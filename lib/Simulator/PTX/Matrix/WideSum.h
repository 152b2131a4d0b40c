//===- WideSum.h - Exact sums of doubles ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fixed-point number wide enough for any sum of products of operand elements:
// the way out where double arithmetic would round.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_WIDESUM_H
#define NVFP4_SIMULATOR_PTX_MATRIX_WIDESUM_H

#include <array>
#include <cstdint>

namespace nvfp4::ptx {

/// The exact sum of finite doubles that are multiples of 2^-384, below 2^320 in
/// magnitude. The extremes are e5m2 products under ue8m0 scales (2^-286 to
/// 2^286) and products of tf32 subnormals (2^-272).
class WideSum {
public:
  void add(double value);
  /// The sum, rounded to odd: rounding the result once more, to any format of
  /// at most 51 bits, gives the correctly rounded sum.
  double roundToOdd() const;

private:
  static constexpr int kWords = 12;
  static constexpr int kLowestExponent = -384;
  /// Two's complement, low word first; the unit is 2^kLowestExponent.
  std::array<uint64_t, kWords> words = {};
};

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_WIDESUM_H
