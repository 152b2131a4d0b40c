//===- Cores.h - Products of small matrices, without fragments --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic of every matrix instruction, on *panels*: 8 rows of A, or 8
// columns of B, as words of 32 bits that are contiguous along K. Word w of line
// i of a panel is `panel[w * 8 + i]`. Where the words come from (registers of a
// warp, shared or tensor memory) is the caller's business, and so is the order
// of the lines: they never meet.
//
// C and D are row-major with 8 columns. Elements of f16 accumulators come as
// f32 and leave as f16 in the low half of a word.
//
// Sources: PTX ISA 9.7.14. How tensor cores add: measured on Hopper, elsewhere
// the published model MMA-Sim (arXiv 2511.10909).
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_MATRIX_CORES_H
#define NVFP4_SIMULATOR_PTX_MATRIX_CORES_H

#include "Elements.h"

namespace nvfp4::ptx {

/// Lines of a panel.
constexpr int kPanelLines = 8;
/// Panels of A in one product: the 64 rows of a warpgroup.
constexpr int kMaxRowPanels = 8;
/// Largest K of a product of floating-point elements, sparse forms included.
constexpr int kMaxFloatK = 64;

/// A code of ue8m0 that is no number, and its bias.
constexpr uint8_t kUE8M0NaN = 0xFF;
constexpr int kUE8M0Bias = 127;

/// Canonical NaNs of results.
constexpr uint32_t kCanonicalNaN32 = 0x7FFFFFFF;
constexpr uint32_t kCanonicalNaN16 = 0x7FFF;

//===----------------------------------------------------------------------===//
// Floating-point elements of 8 to 32 bits
//===----------------------------------------------------------------------===//

/// D = A * B + C with accumulators of f32 or f16.
struct FloatProduct {
  ElementType typeA, typeB;
  bool toF16;    ///< Results are f16.
  int rowPanels; ///< Panels of A, one after the other.
  int k;
  const uint32_t *a; ///< [rowPanels][k * bits / 32][8]
  const uint32_t *b; ///< [k * bits / 32][8]
  /// ue8m0 codes that scale a whole line, or null.
  const uint8_t *scaleA, *scaleB;
  /// Which elements along K exist, per row of A, or null for all. What a
  /// sparse A leaves out is a zero in `a` and does not meet B's infinities.
  const uint64_t *present;
  const uint32_t *c; ///< [colPanels][8 * rowPanels][8], f32
  uint32_t *d;       ///< [colPanels][8 * rowPanels][8], f32 or f16
  /// Panels of B, one after the other; more than one without scales only.
  int colPanels = 1;
};

/// How a tensor core adds the terms of one step: E is the largest exponent of
/// the terms that are not zero, a product counting the sum of its factors'
/// exponents; every term is cut toward zero to a multiple of
/// 2^(E - fractionBits); the terms are added exactly, and the sum goes to f32
/// toward zero or to f16 to nearest even. From 2^128 on it is infinite, and a
/// zero, underflow included, is +0. The exponent of a subnormal is that of the
/// smallest normal number of its type.
struct FusedRule {
  int fractionBits;
  /// Products of a step; the result of one is the C of the next.
  int productsPerStep;
  /// Significant bits of f32 results.
  int resultBits = 24;
  /// If not zero, 8-bit elements become f16 first. Two steps take k with
  /// (k div pairWidth) mod 2 of 0 and of 1 and begin with zero; then C is added
  /// by an ordinary addition of its type.
  int pairWidth = 0;
};

/// The exact sum, rounded once to nearest even. An exact zero is +0.
void multiplyExact(const FloatProduct &product);
/// The sum as `rule` says.
void multiplyFused(const FloatProduct &product, const FusedRule &rule);

//===----------------------------------------------------------------------===//
// Packed e2m1 with block scales
//===----------------------------------------------------------------------===//

/// D = (A * scales) * (B * scales) + C on packed e2m1 with K = 64 (or 128, the
/// sparse form), f32 accumulators.
///
/// The fused rule: a quarter of K makes a group, whose exponent is the sum of
/// its scales' exponents, whatever its products. Each group's sum, scaled, and
/// C are cut toward zero to multiples of 2^(E - 35), where E is the largest of
/// the exponents, added exactly and brought to f32 toward zero.
struct BlockScaledProduct {
  ScaleType scaleType;
  int rowPanels;
  int k;
  const uint32_t *a; ///< [rowPanels][k / 8][8]
  const uint32_t *b; ///< [colPanels][k / 8][8]
  /// Four codes per line, one per quarter of K; byte i is quarter i.
  const uint32_t *scaleA; ///< [8 * rowPanels]
  const uint32_t *scaleB; ///< [8 * colPanels]
  const uint32_t *c;      ///< [colPanels][8 * rowPanels][8]
  uint32_t *d;
  int colPanels = 1;
};

void multiplyBlockScaledExact(const BlockScaledProduct &product);
void multiplyBlockScaledFused(const BlockScaledProduct &product);

//===----------------------------------------------------------------------===//
// Integers, bits and f64
//===----------------------------------------------------------------------===//

/// D = A * B + C with s32 accumulators: modulo 2^32, or clamped once.
struct IntegerProduct {
  ElementType typeA, typeB;
  bool saturate;
  int rowPanels;
  int k;
  const uint32_t *a, *b;
  const uint32_t *c;
  uint32_t *d;
};
void multiplyIntegers(const IntegerProduct &product);

/// D = C + number of ones in A xor B, or in A and B.
struct BitProduct {
  bool isAnd;
  int rowPanels;
  int k;
  const uint32_t *a, *b;
  const uint32_t *c;
  uint32_t *d;
};
void multiplyBits(const BitProduct &product);

/// f64: a chain of fused multiply-adds along K, rounded to nearest even.
/// Panels are of 64-bit words, which hold f64 bits.
struct DoubleProduct {
  int rowPanels;
  int k;
  const uint64_t *a, *b, *c;
  uint64_t *d; ///< May be `c`.
};
void multiplyDoubles(const DoubleProduct &product);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_MATRIX_CORES_H
