//===- Formats.h - Block-scaled formats as data -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block-scaled format is a row of a table: block shape, encoding of the block
// scale, and whether one float more, the global scale, applies to the tensor or
// to each row. This file also says what a stored global scale means and what a
// decoded block scale is, for everybody. Formulas: docs/Format.md, sections 2
// and 3.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_FORMATS_H
#define NVFP4_SUPPORT_FORMATS_H

#include "nvfp4/Support/Codecs.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nvfp4 {

/// One block-scaled format. Elements are always e2m1.
struct BlockFormat {
  std::string_view name;
  /// Elements of one block: rows x columns, columns along the contraction.
  int64_t blockRows;
  int64_t blockCols;
  ScaleEncoding scaleEncoding;
  bool hasGlobalScale;
  /// The block scale onto which the largest block of a tensor is mapped. 448
  /// uses all of e4m3; 256 leaves room for the factor 1.5 of Four Over Six.
  /// Meaningless without a global scale.
  float scaleBound;

  /// The same format with another block, e.g. 16x16, or another bound.
  BlockFormat withBlock(int64_t rows, int64_t cols) const;
  BlockFormat withScaleBound(float bound) const;

  /// 6 * scaleBound: what the largest magnitude of a tensor is mapped to. 2688
  /// for nvfp4.
  float getMaxProduct() const { return kE2M1Max * scaleBound; }

  bool operator==(const BlockFormat &other) const;
  bool operator!=(const BlockFormat &other) const { return !(*this == other); }
};

/// All named formats: nvfp4, mxfp4, nvfp4_ue5m3.
const BlockFormat *getFormats(size_t &count);
/// The format called `name`, or null.
const BlockFormat *findFormat(std::string_view name);
/// Shorthands of the two formats that hardware has. nvfp4 is 1x16.
const BlockFormat &getNVFP4Format();
const BlockFormat &getMXFP4Format();

/// How many global scales a tensor has.
enum class GlobalScaleGranularity {
  None,   ///< The format has none.
  Tensor, ///< One.
  Slice,  ///< One per matrix of a batch.
  Row,    ///< One per row.
};

/// What the stored global scale g means. A is the largest magnitude, P is
/// BlockFormat::getMaxProduct().
enum class GlobalScaleConvention {
  Amax,     ///< g = A, as Transformer Engine keeps it. The default, golden.
  Multiply, ///< g = A/P: value = code * scale * g (ModelOpt).
  Divide,   ///< g = P/A: value = code * scale / g (compressed-tensors).
};

/// "amax", "multiply", "divide"; "none", "tensor", "slice", "row".
std::string_view stringifyConvention(GlobalScaleConvention convention);
std::optional<GlobalScaleConvention> parseConvention(std::string_view name);
std::string_view stringifyGranularity(GlobalScaleGranularity granularity);
std::optional<GlobalScaleGranularity> parseGranularity(std::string_view name);

/// What the quantizer derives from a global scale: values are multiplied by
/// `encode` before block scales are chosen; `decode` is fl(1/encode), or g
/// itself under `Multiply`.
struct GlobalScaleFactors {
  float encode;
  float decode;
};

/// Factors of the stored global scale `g`. What is no positive number (0, NaN,
/// negative), or leaves nothing to multiply by, gives {1, 1}; `encode` never
/// exceeds FLT_MAX (Format.md 2.2).
GlobalScaleFactors getGlobalScaleFactors(float g,
                                         GlobalScaleConvention convention,
                                         float scaleBound);

/// The global scale to store for a tensor or row whose largest magnitude is
/// `amax`.
float globalScaleFromAmax(float amax, GlobalScaleConvention convention,
                          float scaleBound);

/// What a code is multiplied by in f32 to get its element: the one definition
/// of dequantization. `scale` is a decoded block scale.
///   Amax: (scale * g) * fl(1 / (6 * bound)).  Multiply: scale * g.
///   Divide: scale / g.
float decodedBlockScale(float scale, float g, GlobalScaleConvention convention,
                        float scaleBound);
/// The same from a scale byte; without a global scale `g` is ignored.
float decodedBlockScale(const BlockFormat &format, uint8_t scaleByte, float g,
                        GlobalScaleConvention convention);

/// One operand's global scale, for the factor of a matmul.
struct GlobalScale {
  float value;
  GlobalScaleConvention convention;
  float scaleBound;
};

/// The f32 factor that turns sum(code * scale * code * scale) into the product
/// of two matrices. For two `Amax` operands (lhs * rhs) * fl(1/(P * P')), the
/// rule of Transformer Engine; else the product of the two multipliers
/// g * fl(1/P), g, fl(1/g). Null stands for an operand without global scale.
float getMatmulAlpha(const GlobalScale *lhs, const GlobalScale *rhs);

} // namespace nvfp4

#endif // NVFP4_SUPPORT_FORMATS_H
