//===- Quantize.h - Matrices to block-scaled form and back ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The quantizer of the whole project. Every function exists twice: `…Reference`
// reads like docs/Format.md, sections 2 to 4, and the plain name is vectorised,
// chooses the instruction set at run time, and gives the same bits on every
// input, NaN, infinity, subnormals and -0 included.
//
// A matrix may be handed over in panels of rows, from any thread: with a known
// global scale no row depends on another, except within blocks of several rows.
//
// All functions set the default floating-point environment for their duration,
// so a caller that flushes subnormals gets the same bits.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_QUANTIZE_H
#define NVFP4_SUPPORT_QUANTIZE_H

#include "nvfp4/Support/Formats.h"
#include "nvfp4/Support/Philox.h"
#include "nvfp4/Support/Status.h"

#include <cstdint>

namespace nvfp4 {

/// Element types of plain matrices. All are converted to f32 first, exactly.
enum class FloatType { F32, BF16, F16 };

constexpr int64_t getFloatTypeBytes(FloatType type) {
  return type == FloatType::F32 ? 4 : 2;
}

/// A row-major matrix that is read. `data` needs no alignment.
struct MatrixRef {
  const void *data;
  FloatType type;
  int64_t rows;
  int64_t cols;
  /// From one row to the next, in elements.
  int64_t rowStride;
};

/// A row-major matrix that is written.
struct MutableMatrixRef {
  void *data;
  FloatType type;
  int64_t rows;
  int64_t cols;
  int64_t rowStride;
};

/// Codes and scales that are written, in the linear layout of ScaleLayout.h
/// with pitches in bytes. codePitch >= ceil(cols/2) and scalePitch >=
/// ceil(cols/blockCols); what lies beyond in each row is written as zero.
struct QuantizedRef {
  uint8_t *codes;
  int64_t codePitch;
  uint8_t *scales;
  int64_t scalePitch;
};

/// Codes and scales that are read.
struct ConstQuantizedRef {
  const uint8_t *codes;
  int64_t codePitch;
  const uint8_t *scales;
  int64_t scalePitch;
};

/// How the scale of a block follows from its largest magnitude, for encodings
/// with a mantissa.
enum class ScaleRule {
  /// Nearest, ties to even, and elements divided by the rounded scale: the
  /// golden chain. About half of all blocks clip their maximum.
  NearestEven,
  /// Elements are divided by the scale before it is rounded (FlashInfer's f32
  /// path).
  UnroundedLocal,
  /// Rounded up: no element is clipped (cuDNN's documented rule).
  RoundUp,
};

/// Whether each block is quantized twice, its maximum mapped to 6 and to 4, and
/// the candidate with the smaller error kept. Meant for a scale bound of 256.
enum class FourOverSix {
  Off,
  MAE, ///< Sum of absolute errors (Transformer Engine).
  MSE, ///< Sum of squared errors.
};

enum class Rounding {
  NearestEven,
  Stochastic,
};

/// How an e8m0 scale follows from the largest magnitude b of a block.
enum class E8M0Rule {
  Floor,   ///< 2^(floor(log2 b) - 2): clips above 6 (OCP MX).
  RoundUp, ///< b/6 rounded up: never clips. The default.
  Even,    ///< Floor after b was rounded to one mantissa bit.
};

struct QuantizeOptions {
  BlockFormat format = getNVFP4Format();
  GlobalScaleGranularity granularity = GlobalScaleGranularity::Tensor;
  GlobalScaleConvention convention = GlobalScaleConvention::Amax;
  ScaleRule scaleRule = ScaleRule::NearestEven;
  FourOverSix fourOverSix = FourOverSix::Off;
  Rounding rounding = Rounding::NearestEven;
  E8M0Rule e8m0Rule = E8M0Rule::RoundUp;
  /// Read with stochastic rounding only.
  PhiloxState random;
};

/// Options of `format` with the granularity that it has by default: one global
/// scale per tensor, or none.
QuantizeOptions getDefaultOptions(const BlockFormat &format);

/// Success iff the options make sense together. The functions below require
/// options that pass.
Status verifyQuantizeOptions(const QuantizeOptions &options);

//===----------------------------------------------------------------------===//
// Largest magnitudes
//===----------------------------------------------------------------------===//

/// What was found in a matrix.
struct AmaxResult {
  /// Largest magnitude, NaN ignored; 0 without elements.
  float amax = 0.0f;
  int64_t numNaN = 0;
  int64_t numInf = 0;

  /// Joins the results of two panels.
  void merge(const AmaxResult &other);
};

/// Looks at a whole matrix. If `rowAmax` is not null, the largest magnitude of
/// each row goes there.
AmaxResult computeAmax(const MatrixRef &source, float *rowAmax = nullptr);
AmaxResult computeAmaxReference(const MatrixRef &source,
                                float *rowAmax = nullptr);

//===----------------------------------------------------------------------===//
// Quantization
//===----------------------------------------------------------------------===//

/// One block scale: the byte that is stored, and what elements are multiplied
/// by before they become codes.
struct BlockScale {
  uint8_t byte;
  float encode;
};

/// The scale of a block with largest magnitude `amax` (Format.md 3). Without a
/// global scale, `factors` is {1, 1}. Not for Four Over Six.
BlockScale chooseBlockScale(const QuantizeOptions &options, float amax,
                            const GlobalScaleFactors &factors);

/// Quantizes `source`. The last block of a row may be partly filled, and so may
/// the last rows of blocks that have several.
///
/// `globalScales` has no element (null), one, or one per row of `source`, by
/// the granularity; their meaning is the convention's. A batch with one global
/// scale per slice is quantized slice by slice, each with its own. `firstRow`
/// is the index of the panel's first row in the whole tensor: stochastic
/// rounding counts elements from there. It must be a multiple of blockRows.
void quantize(const QuantizeOptions &options, const MatrixRef &source,
              const float *globalScales, const QuantizedRef &target,
              int64_t firstRow = 0);
void quantizeReference(const QuantizeOptions &options, const MatrixRef &source,
                       const float *globalScales, const QuantizedRef &target,
                       int64_t firstRow = 0);

/// Writes the values of codes and scales: code * decodedBlockScale(…) in f32
/// (Formats.h), rounded to nearest even if the target is bf16 or f16. Of the
/// options, format, granularity and convention are read.
void dequantize(const QuantizeOptions &options, const ConstQuantizedRef &source,
                const float *globalScales, const MutableMatrixRef &target);
void dequantizeReference(const QuantizeOptions &options,
                         const ConstQuantizedRef &source,
                         const float *globalScales,
                         const MutableMatrixRef &target);

} // namespace nvfp4

#endif // NVFP4_SUPPORT_QUANTIZE_H
