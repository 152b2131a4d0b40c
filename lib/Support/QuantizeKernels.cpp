//===- QuantizeKernels.cpp - The quantizer on vectors ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantize.cpp for speed. The work goes by chunks: up to 64 neighbouring blocks
// of one row of blocks, whose source stays in the first-level cache between the
// three steps
//
//   1. largest magnitude of each block,
//   2. scales and factors, one block per lane,
//   3. codes.
//
// A partly filled last block is copied to a buffer with zeros behind it and
// becomes a chunk of its own.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "QuantizeKernels.cpp"
#include <hwy/foreach_target.h>

#include "Kernels-inl.h"
#include "Philox-inl.h"

#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// One lane, which Highway falls back to for a few compilers: the reference.
static void quantizeImpl(const QuantizeOptions &options,
                         const MatrixRef &source, const float *globalScales,
                         const QuantizedRef &target, int64_t firstRow) {
  quantizeReference(options, source, globalScales, target, firstRow);
}

#else

using detail::kMaxBlockCols;
using detail::kMaxBlockRows;

/// Blocks of a chunk.
constexpr int64_t kChunkBlocks = 64;
/// One value per block of a chunk, and room for a vector that starts at the
/// last one.
constexpr int64_t kChunkLanes = kChunkBlocks + 16;

/// Neighbouring blocks, all of them full.
struct Chunk {
  const QuantizeOptions &options;
  const uint8_t *source;
  int64_t sourcePitch; ///< Bytes.
  int64_t rows;        ///< At most blockRows.
  int64_t numBlocks;
  float globalScale;
  GlobalScaleFactors factors;
  uint8_t *codes;
  int64_t codePitch;
  uint8_t *scales;
  /// Index of the first element in the tensor, and elements per row.
  uint64_t firstElement;
  uint64_t elementPitch;

  int64_t getBlockCols() const { return options.format.blockCols; }
};

//===----------------------------------------------------------------------===//
// Step 1: largest magnitudes
//===----------------------------------------------------------------------===//

/// Replaces `count` values, `width` neighbours at a time, by the largest of
/// each. What lies behind them, up to four vectors, is overwritten.
static void reduceNeighbours(int32_t *values, int64_t count, int64_t width) {
  const DI d;
  const int64_t lanes = hn::Lanes(d);
  std::memset(values + count, 0, sizeof(int32_t) * 4 * lanes);
  for (; width % 4 == 0; width /= 4, count /= 4)
    for (int64_t i = 0; i < count; i += 4 * lanes) {
      VI a, b, c, e;
      hn::LoadInterleaved4(d, values + i, a, b, c, e);
      hn::StoreU(hn::Max(hn::Max(a, b), hn::Max(c, e)), d, values + i / 4);
    }
  if (width == 2)
    for (int64_t i = 0; i < count; i += 2 * lanes) {
      VI a, b;
      hn::LoadInterleaved2(d, values + i, a, b);
      hn::StoreU(hn::Max(a, b), d, values + i / 2);
    }
}

/// Largest magnitude of a block without its NaNs.
template <class Access>
static float findAmaxWithoutNaN(const Chunk &chunk, int64_t block) {
  float amax = 0.0f;
  for (int64_t row = 0; row < chunk.rows; ++row)
    for (int64_t i = 0; i < chunk.getBlockCols(); ++i) {
      int64_t col = block * chunk.getBlockCols() + i;
      const uint8_t *address = chunk.source + row * chunk.sourcePitch +
                               col * getFloatTypeBytes(Access::kType);
      amax = std::fmax(amax,
                       std::fabs(detail::loadElement(Access::kType, address)));
    }
  return amax;
}

/// Bits of the largest magnitude of each block; zeros behind them.
template <class Access>
static void computeBlockAmax(const Chunk &chunk, int32_t *amax) {
  const DI d;
  const int64_t lanes = hn::Lanes(d);
  const int64_t cols = chunk.getBlockCols();
  const int64_t step = lanes * getFloatTypeBytes(Access::kType);
  alignas(64) int32_t maxima[kChunkBlocks * 16 + 4 * 16];
  for (int64_t block = 0; block < chunk.numBlocks; ++block) {
    VI largest = hn::Zero(d);
    for (int64_t row = 0; row < chunk.rows; ++row) {
      const uint8_t *address = chunk.source + row * chunk.sourcePitch +
                               block * cols * getFloatTypeBytes(Access::kType);
      for (int64_t i = 0; i < cols; i += lanes, address += step)
        largest = hn::Max(largest, magnitudeBits(Access::load(address)));
    }
    hn::StoreU(largest, d, maxima + block * lanes);
  }
  reduceNeighbours(maxima, chunk.numBlocks * lanes, lanes);
  std::memcpy(amax, maxima, sizeof(int32_t) * chunk.numBlocks);
  std::memset(amax + chunk.numBlocks, 0,
              sizeof(int32_t) * (kChunkLanes - chunk.numBlocks));
  // As bits, NaN is larger than infinity: such blocks, which are rare, are
  // looked at again.
  for (int64_t block = 0; block < chunk.numBlocks; ++block)
    if (HWY_UNLIKELY(amax[block] > kInfBits))
      amax[block] =
          int32_t(bitsOfFloat(findAmaxWithoutNaN<Access>(chunk, block)));
}

//===----------------------------------------------------------------------===//
// Step 2: scales
//===----------------------------------------------------------------------===//

/// Bytes and factors of the blocks of a chunk.
struct Scales {
  alignas(64) uint8_t bytes[kChunkLanes];
  alignas(64) float encode[kChunkLanes];
};

HWY_INLINE VF getElementFactor(VF scale, const GlobalScaleFactors &factors) {
  VF product = hn::Mul(scale, hn::Set(DF(), factors.decode));
  return minFloatMax(hn::Div(hn::Set(DF(), 1.0f), product));
}

HWY_INLINE void storeScales(Scales &scales, int64_t block, VI bytes,
                            VF encode) {
  hn::StoreU(hn::TruncateTo(DU8(), hn::BitCast(DU(), bytes)), DU8(),
             scales.bytes + block);
  hn::StoreU(encode, DF(), scales.encode + block);
}

/// chooseBlockScale of Quantize.cpp for encodings with a mantissa.
template <class Traits>
static void chooseScales(const Chunk &chunk, const int32_t *amax,
                         Scales &scales) {
  const GlobalScaleFactors &factors = chunk.factors;
  const VF factor = hn::Set(DF(), factors.encode * detail::kSixth);
  const int64_t lanes = hn::Lanes(DF());
  for (int64_t block = 0; block < chunk.numBlocks; block += lanes) {
    VF largest = floatOf(hn::LoadU(DI(), amax + block));
    VF scale = minFloatMax(hn::Mul(largest, factor));
    switch (chunk.options.scaleRule) {
    case ScaleRule::NearestEven: {
      VI bytes = encodeScale<Traits, false>(scale);
      storeScales(scales, block, bytes,
                  getElementFactor(decodeScale<Traits>(bytes), factors));
      break;
    }
    case ScaleRule::UnroundedLocal: {
      scale = hn::Min(scale, hn::Set(DF(), Traits::kMax));
      storeScales(scales, block, encodeScale<Traits, false>(scale),
                  getElementFactor(scale, factors));
      break;
    }
    case ScaleRule::RoundUp: {
      VI bytes = encodeScale<Traits, true>(scale);
      storeScales(scales, block, bytes,
                  getElementFactor(decodeScale<Traits>(bytes), factors));
      break;
    }
    }
  }
}

/// The same for e8m0.
static void chooseE8M0Scales(const Chunk &chunk, const int32_t *amax,
                             Scales &scales) {
  const int64_t lanes = hn::Lanes(DF());
  for (int64_t block = 0; block < chunk.numBlocks; block += lanes) {
    VI bytes = chooseE8M0(chunk.options.e8m0Rule,
                          floatOf(hn::LoadU(DI(), amax + block)));
    storeScales(scales, block, bytes,
                hn::Div(hn::Set(DF(), 1.0f), decodeE8M0(bytes)));
  }
}

//===----------------------------------------------------------------------===//
// Four Over Six
//===----------------------------------------------------------------------===//

/// The two candidates: the maximum mapped to 6 and to 4.
template <class Traits>
static void chooseCandidates(const Chunk &chunk, const int32_t *amax,
                             Scales &toSix, Scales &toFour) {
  const DF d;
  const VF encode = hn::Set(d, chunk.factors.encode);
  const VF limit = hn::Set(d, Traits::kMax);
  for (int64_t block = 0; block < chunk.numBlocks; block += hn::Lanes(d)) {
    VF largest = floatOf(hn::LoadU(DI(), amax + block));
    VF scale = hn::Mul(hn::Div(largest, hn::Set(d, 6.0f)), encode);
    VF larger = hn::Mul(scale, hn::Set(d, detail::kSixOverFour));
    // fmin(scale, limit): NaN, from infinity times zero, gives the limit.
    VI bytes = encodeScale<Traits, false>(
        hn::IfThenElse(hn::Lt(scale, limit), scale, limit));
    storeScales(toSix, block, bytes,
                getElementFactor(decodeScale<Traits>(bytes), chunk.factors));
    bytes = encodeScale<Traits, false>(
        hn::IfThenElse(hn::Lt(larger, limit), larger, limit));
    storeScales(toFour, block, bytes,
                getElementFactor(decodeScale<Traits>(bytes), chunk.factors));
  }
}

/// Errors of all elements of one row, in order, under a candidate.
template <class Access>
static void computeErrors(const Chunk &chunk, int64_t row, const Scales &scales,
                          float *errors) {
  const DF d;
  const int64_t lanes = hn::Lanes(d);
  const QuantizeOptions &options = chunk.options;
  const bool isAmax = options.convention == GlobalScaleConvention::Amax;
  const bool isAbsolute = options.fourOverSix == FourOverSix::MAE;
  const VF globalScale = hn::Set(d, chunk.globalScale);
  const VF maxProduct = hn::Set(d, options.format.getMaxProduct());
  const uint8_t *address = chunk.source + row * chunk.sourcePitch;
  for (int64_t block = 0; block < chunk.numBlocks; ++block) {
    const VF encode = hn::Set(d, scales.encode[block]);
    const VF scale = decodeScaleOf(options.format.scaleEncoding,
                                   hn::Set(DI(), scales.bytes[block]));
    const VF decodedScale =
        decodedBlockScale(scale, options, chunk.globalScale);
    for (int64_t i = 0; i < chunk.getBlockCols(); i += lanes) {
      VF value = Access::load(address);
      VF code = decodeE2M1(encodeE2M1(hn::Mul(value, encode)));
      VF decoded = isAmax ? hn::Div(hn::Mul(hn::Mul(code, scale), globalScale),
                                    maxProduct)
                          : hn::Mul(code, decodedScale);
      VF difference = hn::Sub(decoded, value);
      hn::StoreU(isAbsolute ? hn::Abs(difference)
                            : hn::Mul(difference, difference),
                 d, errors + block * chunk.getBlockCols() + i);
      address += lanes * getFloatTypeBytes(Access::kType);
    }
  }
}

/// Error of each block: elements of a row one after the other, one block per
/// lane; then the rows in a fixed tree.
template <class Access>
static void computeBlockErrors(const Chunk &chunk, const Scales &scales,
                               float *blockErrors) {
  const DF d;
  const int64_t lanes = hn::Lanes(d);
  const int64_t cols = chunk.getBlockCols();
  alignas(64) float errors[kChunkLanes * kMaxBlockCols];
  alignas(64) float rowErrors[kMaxBlockRows][kChunkLanes] = {};
  std::memset(errors + chunk.numBlocks * cols, 0, sizeof(float) * lanes * cols);
  const VI stride = hn::Mul(hn::Iota(DI(), 0), hn::Set(DI(), int32_t(cols)));
  for (int64_t row = 0; row < chunk.rows; ++row) {
    computeErrors<Access>(chunk, row, scales, errors);
    for (int64_t block = 0; block < chunk.numBlocks; block += lanes) {
      VF sum = hn::Zero(d);
      for (int64_t i = 0; i < cols; ++i)
        sum =
            hn::Add(sum, hn::GatherIndex(d, errors + block * cols + i, stride));
      hn::StoreU(sum, d, rowErrors[row] + block);
    }
  }
  for (int64_t half = kMaxBlockRows / 2; half > 0; half /= 2)
    for (int64_t row = 0; row < half; ++row)
      for (int64_t block = 0; block < chunk.numBlocks; ++block)
        rowErrors[row][block] += rowErrors[row + half][block];
  std::memcpy(blockErrors, rowErrors[0], sizeof(float) * chunk.numBlocks);
}

template <class Access, class Traits>
static void chooseFourOrSix(const Chunk &chunk, const int32_t *amax,
                            Scales &scales) {
  Scales toFour;
  chooseCandidates<Traits>(chunk, amax, scales, toFour);
  float errorOfFour[kChunkBlocks], errorOfSix[kChunkBlocks];
  computeBlockErrors<Access>(chunk, toFour, errorOfFour);
  computeBlockErrors<Access>(chunk, scales, errorOfSix);
  for (int64_t block = 0; block < chunk.numBlocks; ++block)
    if (errorOfFour[block] < errorOfSix[block]) {
      scales.bytes[block] = toFour.bytes[block];
      scales.encode[block] = toFour.encode[block];
    }
}

//===----------------------------------------------------------------------===//
// Step 3: codes
//===----------------------------------------------------------------------===//

/// Writes a vector of codes, two to a byte.
HWY_INLINE void storeCodes(VI codes, uint8_t *address) {
  const hn::Repartition<uint64_t, DI> d64;
  const hn::Rebind<uint8_t, decltype(d64)> d8;
  // Code 0 in bits 3:0 and code 1 in bits 35:32 of a 64-bit lane.
  auto pairs = hn::BitCast(d64, codes);
  pairs = hn::Or(pairs, hn::ShiftRight<28>(pairs));
  hn::StoreU(hn::TruncateTo(d8, pairs), d8, address);
}

template <class Access, bool isStochastic>
static void encodeRow(const Chunk &chunk, int64_t row, const Scales &scales) {
  const DF d;
  const int64_t lanes = hn::Lanes(d);
  const int64_t cols = chunk.getBlockCols();
  const uint8_t *source = chunk.source + row * chunk.sourcePitch;
  uint8_t *codes = chunk.codes + row * chunk.codePitch;
  alignas(64) uint8_t random[isStochastic ? kChunkBlocks * kMaxBlockCols : 1];
  if constexpr (isStochastic)
    fillRandomBytesImpl(chunk.options.random,
                        chunk.firstElement + uint64_t(row) * chunk.elementPitch,
                        uint64_t(chunk.numBlocks * cols), random);
  const uint8_t *nextRandom = random;
  for (int64_t block = 0; block < chunk.numBlocks; ++block) {
    const VF encode = hn::Set(d, scales.encode[block]);
    for (int64_t i = 0; i < cols; i += lanes) {
      VF scaled = hn::Mul(Access::load(source), encode);
      if constexpr (isStochastic) {
        VI bits = hn::PromoteTo(DI(), hn::LoadU(DU8(), nextRandom));
        storeCodes(encodeE2M1Stochastic(scaled, bits), codes);
        nextRandom += lanes;
      } else {
        storeCodes(encodeE2M1(scaled), codes);
      }
      source += lanes * getFloatTypeBytes(Access::kType);
      codes += lanes / 2;
    }
  }
}

template <class Access> static void quantizeChunk(const Chunk &chunk) {
  alignas(64) int32_t amax[kChunkLanes];
  Scales scales;
  computeBlockAmax<Access>(chunk, amax);
  bool isFourOverSix = chunk.options.fourOverSix != FourOverSix::Off;
  switch (chunk.options.format.scaleEncoding) {
  case ScaleEncoding::E4M3:
    if (isFourOverSix)
      chooseFourOrSix<Access, E4M3Traits>(chunk, amax, scales);
    else
      chooseScales<E4M3Traits>(chunk, amax, scales);
    break;
  case ScaleEncoding::UE5M3:
    if (isFourOverSix)
      chooseFourOrSix<Access, UE5M3Traits>(chunk, amax, scales);
    else
      chooseScales<UE5M3Traits>(chunk, amax, scales);
    break;
  case ScaleEncoding::E8M0:
    chooseE8M0Scales(chunk, amax, scales);
    break;
  }
  std::memcpy(chunk.scales, scales.bytes, size_t(chunk.numBlocks));
  for (int64_t row = 0; row < chunk.rows; ++row) {
    if (chunk.options.rounding == Rounding::Stochastic)
      encodeRow<Access, true>(chunk, row, scales);
    else
      encodeRow<Access, false>(chunk, row, scales);
  }
}

//===----------------------------------------------------------------------===//
// Rows of blocks
//===----------------------------------------------------------------------===//

/// Quantizes the partly filled last block of a row of blocks. `chunk` describes
/// it as if it were full.
static void quantizeTail(Chunk chunk, const MatrixRef &source, int64_t row,
                         int64_t col) {
  alignas(64) float values[kMaxBlockRows][kMaxBlockCols] = {};
  alignas(64) uint8_t codes[kMaxBlockRows][kMaxBlockCols / 2] = {};
  int64_t cols = source.cols - col;
  for (int64_t r = 0; r < chunk.rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      values[r][c] = detail::loadElement(
          source.type, detail::getElement(source, row + r, col + c));
  uint8_t *target = chunk.codes;
  int64_t targetPitch = chunk.codePitch;
  chunk.source = reinterpret_cast<const uint8_t *>(values);
  chunk.sourcePitch = sizeof(values[0]);
  chunk.codes = codes[0];
  chunk.codePitch = sizeof(codes[0]);
  quantizeChunk<F32Access>(chunk);
  for (int64_t r = 0; r < chunk.rows; ++r) {
    // Zeros behind the source need not become zero codes.
    if (cols % 2)
      codes[r][cols / 2] &= 0x0F;
    std::memcpy(target + r * targetPitch, codes[r], size_t(ceilDiv(cols, 2)));
  }
}

template <class Access>
static void quantizeRows(const QuantizeOptions &options,
                         const MatrixRef &source, const float *globalScales,
                         const QuantizedRef &target, int64_t firstRow) {
  const BlockFormat &format = options.format;
  const int64_t fullBlocks = source.cols / format.blockCols;
  for (int64_t row = 0; row < source.rows; row += format.blockRows) {
    uint8_t *scales =
        target.scales + row / format.blockRows * target.scalePitch;
    uint8_t *codes = target.codes + row * target.codePitch;
    uint64_t firstElement = uint64_t(firstRow + row) * uint64_t(source.cols);
    Chunk chunk{options,
                nullptr,
                source.rowStride * getFloatTypeBytes(source.type),
                std::min(format.blockRows, source.rows - row),
                0,
                detail::getGlobalScaleOfRow(options, globalScales, row),
                detail::getFactorsOfRow(options, globalScales, row),
                nullptr,
                target.codePitch,
                nullptr,
                0,
                uint64_t(source.cols)};
    const auto place = [&](int64_t block, int64_t numBlocks) {
      int64_t col = block * format.blockCols;
      chunk.numBlocks = numBlocks;
      chunk.source = detail::getElement(source, row, col);
      chunk.codes = codes + col / 2;
      chunk.scales = scales + block;
      chunk.firstElement = firstElement + uint64_t(col);
    };
    for (int64_t block = 0; block < fullBlocks; block += kChunkBlocks) {
      place(block, std::min(kChunkBlocks, fullBlocks - block));
      quantizeChunk<Access>(chunk);
    }
    if (source.cols % format.blockCols != 0) {
      place(fullBlocks, 1);
      quantizeTail(chunk, source, row, fullBlocks * format.blockCols);
    }
    detail::clearRowPadding(scales, ceilDiv(source.cols, format.blockCols),
                            target.scalePitch);
    for (int64_t r = 0; r < chunk.rows; ++r)
      detail::clearRowPadding(codes + r * target.codePitch,
                              ceilDiv(source.cols, 2), target.codePitch);
  }
}

static void quantizeImpl(const QuantizeOptions &options,
                         const MatrixRef &source, const float *globalScales,
                         const QuantizedRef &target, int64_t firstRow) {
  switch (source.type) {
  case FloatType::F32:
    return quantizeRows<F32Access>(options, source, globalScales, target,
                                   firstRow);
  case FloatType::BF16:
    return quantizeRows<BF16Access>(options, source, globalScales, target,
                                    firstRow);
  case FloatType::F16:
    return quantizeRows<F16Access>(options, source, globalScales, target,
                                   firstRow);
  }
}

#endif // HWY_SCALAR

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4 {

HWY_EXPORT(quantizeImpl);
HWY_EXPORT(fillRandomBytesImpl);

void quantize(const QuantizeOptions &options, const MatrixRef &source,
              const float *globalScales, const QuantizedRef &target,
              int64_t firstRow) {
  detail::DefaultFloatEnvironment environment;
  HWY_DYNAMIC_DISPATCH(quantizeImpl)
  (options, source, globalScales, target, firstRow);
}

void fillRandomBytes(const PhiloxState &state, uint64_t first, uint64_t count,
                     uint8_t *bytes) {
  HWY_DYNAMIC_DISPATCH(fillRandomBytesImpl)(state, first, count, bytes);
}

} // namespace nvfp4

#endif // HWY_ONCE
