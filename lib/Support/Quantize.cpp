//===- Quantize.cpp - The quantizer, as its formulas ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference: one block after the other, one element after the other, with
// the codecs of Codecs.h. Every line is one step of docs/Format.md, sections 3
// and 4. QuantizeKernels.cpp must agree with it bit for bit.
//
//===----------------------------------------------------------------------===//

#include "QuantizeDetail.h"

#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>
#include <vector>

using namespace nvfp4;
using namespace nvfp4::detail;

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

QuantizeOptions nvfp4::getDefaultOptions(const BlockFormat &format) {
  QuantizeOptions options;
  options.format = format;
  options.granularity = format.hasGlobalScale ? GlobalScaleGranularity::Tensor
                                              : GlobalScaleGranularity::None;
  return options;
}

static std::string stringifyBlock(const BlockFormat &format) {
  return std::to_string(format.blockRows) + "x" +
         std::to_string(format.blockCols);
}

static Status verifyBlock(const BlockFormat &format) {
  if (format.blockRows < 1 || format.blockRows > kMaxBlockRows)
    return Status::error("block: expected 1 to 16 rows, but got " +
                         stringifyBlock(format));
  if (format.blockCols != 16 && format.blockCols != 32 &&
      format.blockCols != kMaxBlockCols)
    return Status::error("block: expected 16, 32 or 64 columns, but got " +
                         stringifyBlock(format));
  if (format.hasGlobalScale &&
      !(format.scaleBound > 0 &&
        format.scaleBound <= getMaxScale(format.scaleEncoding)))
    return Status::error("scale bound: expected at most " +
                         std::to_string(getMaxScale(format.scaleEncoding)) +
                         ", but got " + std::to_string(format.scaleBound));
  return {};
}

Status nvfp4::verifyQuantizeOptions(const QuantizeOptions &options) {
  const BlockFormat &format = options.format;
  if (Status status = verifyBlock(format); !status)
    return status;
  std::string name(format.name);
  bool hasGranularity = options.granularity != GlobalScaleGranularity::None;
  if (format.hasGlobalScale != hasGranularity)
    return Status::error(
        "format " + name + ": expected global scale granularity " +
        (format.hasGlobalScale ? "'tensor', 'slice' or 'row'" : "'none'") +
        ", but got '" + std::string(stringifyGranularity(options.granularity)) +
        "'");
  if (options.granularity == GlobalScaleGranularity::Row &&
      format.blockRows != 1)
    return Status::error("global scale per row: expected blocks of one row, "
                         "but got " +
                         stringifyBlock(format));
  bool isE8M0 = format.scaleEncoding == ScaleEncoding::E8M0;
  if (isE8M0 && format.hasGlobalScale)
    return Status::error("format " + name +
                         ": expected no global scale with e8m0 scales, but "
                         "got one");
  if (isE8M0 && options.scaleRule != ScaleRule::NearestEven)
    return Status::error("format " + name +
                         ": expected the e8m0 rule to round its scales, but "
                         "got another scale rule");
  if (options.fourOverSix == FourOverSix::Off)
    return {};
  if (isE8M0 || options.scaleRule != ScaleRule::NearestEven)
    return Status::error("Four Over Six: expected scales with a mantissa, "
                         "rounded to nearest, but got another rule");
  if (options.rounding != Rounding::NearestEven)
    return Status::error("Four Over Six: expected rounding to nearest, but got "
                         "stochastic rounding");
  return {};
}

//===----------------------------------------------------------------------===//
// Largest magnitudes
//===----------------------------------------------------------------------===//

void AmaxResult::merge(const AmaxResult &other) {
  amax = std::fmax(amax, other.amax);
  numNaN += other.numNaN;
  numInf += other.numInf;
}

AmaxResult nvfp4::computeAmaxReference(const MatrixRef &source,
                                       float *rowAmax) {
  AmaxResult result;
  for (int64_t row = 0; row < source.rows; ++row) {
    float amax = 0.0f;
    for (int64_t col = 0; col < source.cols; ++col) {
      float value = loadElement(source.type, getElement(source, row, col));
      result.numNaN += std::isnan(value);
      result.numInf += std::isinf(value);
      amax = std::fmax(amax, std::fabs(value)); // drops NaN
    }
    result.amax = std::fmax(result.amax, amax);
    if (rowAmax)
      rowAmax[row] = amax;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

/// An e8m0 scale from the largest magnitude.
static uint8_t chooseE8M0(E8M0Rule rule, float amax) {
  if (rule == E8M0Rule::RoundUp)
    return encodeE8M0RoundUp(amax * kSixth);
  if (std::isinf(amax))
    return 0xFE;
  // The exponent field of amax, less the 2 that brings its binade to [4, 8).
  constexpr uint32_t kHalfUnit = 1u << 21;
  uint32_t bits = bitsOfFloat(amax);
  if (rule == E8M0Rule::Even)
    bits += kHalfUnit;
  return uint8_t(std::max(int(bits >> 23) - 2, 0));
}

static uint8_t encodeNearestScale(ScaleEncoding encoding, float scale) {
  return encoding == ScaleEncoding::UE5M3 ? encodeUE5M3(scale)
                                          : encodeE4M3(scale);
}

static uint8_t encodeScaleRoundUp(ScaleEncoding encoding, float scale) {
  return encoding == ScaleEncoding::UE5M3 ? encodeUE5M3RoundUp(scale)
                                          : encodeE4M3RoundUp(scale);
}

/// What elements are multiplied by under a block scale of value `scale`.
static float getElementFactor(float scale, const GlobalScaleFactors &factors) {
  return std::fmin(1.0f / (scale * factors.decode), FLT_MAX);
}

BlockScale nvfp4::chooseBlockScale(const QuantizeOptions &options, float amax,
                                   const GlobalScaleFactors &factors) {
  ScaleEncoding encoding = options.format.scaleEncoding;
  if (encoding == ScaleEncoding::E8M0) {
    uint8_t byte = chooseE8M0(options.e8m0Rule, amax);
    return {byte, 1.0f / decodeE8M0(byte)};
  }
  float factor = factors.encode * kSixth;
  float scale = std::fmin(amax * factor, FLT_MAX);
  switch (options.scaleRule) {
  case ScaleRule::NearestEven: {
    uint8_t byte = encodeNearestScale(encoding, scale);
    return {byte, getElementFactor(decodeScale(encoding, byte), factors)};
  }
  case ScaleRule::UnroundedLocal: {
    scale = std::min(scale, getMaxScale(encoding));
    return {encodeNearestScale(encoding, scale),
            getElementFactor(scale, factors)};
  }
  case ScaleRule::RoundUp: {
    uint8_t byte = encodeScaleRoundUp(encoding, scale);
    return {byte, getElementFactor(decodeScale(encoding, byte), factors)};
  }
  }
  __builtin_unreachable();
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

namespace {

/// One block of the source, cut off at the borders of the matrix.
struct Block {
  const QuantizeOptions &options;
  const MatrixRef &source;
  float globalScale;
  GlobalScaleFactors factors;
  int64_t firstRow, rows;
  int64_t firstCol, cols;

  float load(int64_t row, int64_t col) const {
    return loadElement(source.type,
                       getElement(source, firstRow + row, firstCol + col));
  }
  float computeAmax() const;
  float computeError(const BlockScale &scale) const;
  BlockScale chooseFourOrSix() const;
};

} // namespace

float Block::computeAmax() const {
  float amax = 0.0f;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t col = 0; col < cols; ++col)
      amax = std::fmax(amax, std::fabs(load(row, col)));
  return amax;
}

/// The error of one candidate of Four Over Six: elements of a row one after the
/// other, then rows r and r + 8, r + 4, r + 2, r + 1.
float Block::computeError(const BlockScale &candidate) const {
  float errors[kMaxBlockRows] = {};
  float scale = decodeScale(options.format.scaleEncoding, candidate.byte);
  float maxProduct = options.format.getMaxProduct();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t col = 0; col < cols; ++col) {
      float value = load(row, col);
      float code = decodeE2M1(encodeE2M1(value * candidate.encode));
      float decoded =
          options.convention == GlobalScaleConvention::Amax
              ? ((code * scale) * globalScale) / maxProduct
              : code * decodedBlockScale(scale, globalScale, options.convention,
                                         options.format.scaleBound);
      float difference = decoded - value;
      errors[row] += options.fourOverSix == FourOverSix::MAE
                         ? std::fabs(difference)
                         : difference * difference;
    }
  for (int64_t half = kMaxBlockRows / 2; half > 0; half /= 2)
    for (int64_t row = 0; row < half; ++row)
      errors[row] += errors[row + half];
  return errors[0];
}

BlockScale Block::chooseFourOrSix() const {
  ScaleEncoding encoding = options.format.scaleEncoding;
  float maxScale = getMaxScale(encoding);
  // Not the order of the golden chain: the source divides by 6 first.
  float scale = computeAmax() / 6.0f * factors.encode;
  auto makeCandidate = [&](float unrounded) -> BlockScale {
    uint8_t byte = encodeNearestScale(encoding, std::fmin(unrounded, maxScale));
    return {byte, getElementFactor(decodeScale(encoding, byte), factors)};
  };
  BlockScale toSix = makeCandidate(scale);
  BlockScale toFour = makeCandidate(scale * kSixOverFour);
  return computeError(toFour) < computeError(toSix) ? toFour : toSix;
}

void nvfp4::quantizeReference(const QuantizeOptions &options,
                              const MatrixRef &source,
                              const float *globalScales,
                              const QuantizedRef &target, int64_t firstRow) {
  DefaultFloatEnvironment environment;
  const BlockFormat &format = options.format;
  for (int64_t row = 0; row < source.rows; ++row)
    std::memset(target.codes + row * target.codePitch, 0,
                size_t(target.codePitch));

  auto encode = [&](float value, int64_t row, int64_t col) {
    if (options.rounding == Rounding::NearestEven)
      return encodeE2M1(value);
    uint64_t element =
        uint64_t(firstRow + row) * uint64_t(source.cols) + uint64_t(col);
    return encodeE2M1Stochastic(value, getRandomByte(options.random, element));
  };

  for (int64_t row = 0; row < source.rows; row += format.blockRows) {
    uint8_t *scales =
        target.scales + row / format.blockRows * target.scalePitch;
    clearRowPadding(scales, ceilDiv(source.cols, format.blockCols),
                    target.scalePitch);
    for (int64_t col = 0; col < source.cols; col += format.blockCols) {
      Block block{options,
                  source,
                  getGlobalScaleOfRow(options, globalScales, row),
                  getFactorsOfRow(options, globalScales, row),
                  row,
                  std::min(format.blockRows, source.rows - row),
                  col,
                  std::min(format.blockCols, source.cols - col)};
      BlockScale scale =
          options.fourOverSix == FourOverSix::Off
              ? chooseBlockScale(options, block.computeAmax(), block.factors)
              : block.chooseFourOrSix();
      scales[col / format.blockCols] = scale.byte;
      for (int64_t r = 0; r < block.rows; ++r)
        for (int64_t c = 0; c < block.cols; ++c) {
          uint8_t code =
              encode(block.load(r, c) * scale.encode, row + r, col + c);
          target.codes[(row + r) * target.codePitch + (col + c) / 2] |=
              uint8_t((col + c) % 2 ? code << 4 : code);
        }
    }
  }
}

void nvfp4::dequantizeReference(const QuantizeOptions &options,
                                const ConstQuantizedRef &source,
                                const float *globalScales,
                                const MutableMatrixRef &target) {
  DefaultFloatEnvironment environment;
  const BlockFormat &format = options.format;
  for (int64_t row = 0; row < target.rows; ++row) {
    const uint8_t *codes = source.codes + row * source.codePitch;
    const uint8_t *scales =
        source.scales + row / format.blockRows * source.scalePitch;
    float globalScale = getGlobalScaleOfRow(options, globalScales, row);
    for (int64_t col = 0; col < target.cols; ++col) {
      uint8_t code = uint8_t(codes[col / 2] >> (col % 2 * 4) & 0xF);
      float scale = decodedBlockScale(format, scales[col / format.blockCols],
                                      globalScale, options.convention);
      storeElement(target.type, getElement(target, row, col),
                   decodeE2M1(code) * scale);
    }
  }
}
