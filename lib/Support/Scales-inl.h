//===- Scales-inl.h - The scales of neighbouring blocks ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The second step of the vector quantizer: from the largest magnitudes of
// neighbouring blocks to their scale bytes and the factors of their elements,
// one block per lane. Four Over Six looks at the elements again.
//
//===----------------------------------------------------------------------===//

#if defined(NVFP4_LIB_SUPPORT_SCALES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NVFP4_LIB_SUPPORT_SCALES_INL_H
#undef NVFP4_LIB_SUPPORT_SCALES_INL_H
#else
#define NVFP4_LIB_SUPPORT_SCALES_INL_H
#endif

#include "Kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

using detail::kMaxBlockCols;
using detail::kMaxBlockRows;

/// Blocks of a chunk.
constexpr int64_t kChunkBlocks = 64;
/// One value per block of a chunk, and room for a vector that starts at the
/// last one.
constexpr int64_t kChunkLanes = kChunkBlocks + 16;
/// Vectors of all types are at most so long.
constexpr size_t kMaxVectorBytes = 64;

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
// Scales from largest magnitudes
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
static void chooseScales(const Chunk &chunk, const float *amax,
                         Scales &scales) {
  const GlobalScaleFactors &factors = chunk.factors;
  const VF factor = hn::Set(DF(), factors.encode * detail::kSixth);
  const int64_t lanes = hn::Lanes(DF());
  for (int64_t block = 0; block < chunk.numBlocks; block += lanes) {
    VF largest = hn::LoadU(DF(), amax + block);
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
static void chooseE8M0Scales(const Chunk &chunk, const float *amax,
                             Scales &scales) {
  const int64_t lanes = hn::Lanes(DF());
  for (int64_t block = 0; block < chunk.numBlocks; block += lanes) {
    VI bytes =
        chooseE8M0(chunk.options.e8m0Rule, hn::LoadU(DF(), amax + block));
    storeScales(scales, block, bytes,
                hn::Div(hn::Set(DF(), 1.0f), decodeE8M0(bytes)));
  }
}

//===----------------------------------------------------------------------===//
// Four Over Six
//===----------------------------------------------------------------------===//

/// The two candidates: the maximum mapped to 6 and to 4.
template <class Traits>
static void chooseCandidates(const Chunk &chunk, const float *amax,
                             Scales &toSix, Scales &toFour) {
  const DF d;
  const VF encode = hn::Set(d, chunk.factors.encode);
  const VF limit = hn::Set(d, Traits::kMax);
  for (int64_t block = 0; block < chunk.numBlocks; block += hn::Lanes(d)) {
    VF largest = hn::LoadU(DF(), amax + block);
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
static void chooseFourOrSix(const Chunk &chunk, const float *amax,
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

#endif // HWY_SCALAR

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
