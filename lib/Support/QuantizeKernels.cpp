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
#include "Scales-inl.h"

#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <limits>

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

//===----------------------------------------------------------------------===//
// Step 1: largest magnitudes
//===----------------------------------------------------------------------===//

/// Replaces `count` values, `width` neighbours at a time, by the largest of
/// each. What lies behind them, up to four vectors, is overwritten.
template <typename Bits>
static void reduceNeighbours(Bits *values, int64_t count, int64_t width) {
  const hn::CappedTag<Bits, kMaxVectorBytes / sizeof(Bits)> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = hn::Lanes(d);
  std::memset(values + count, 0, sizeof(Bits) * 4 * lanes);
  for (; width % 4 == 0; width /= 4, count /= 4)
    for (int64_t i = 0; i < count; i += 4 * lanes) {
      V a, b, c, e;
      hn::LoadInterleaved4(d, values + i, a, b, c, e);
      hn::StoreU(hn::Max(hn::Max(a, b), hn::Max(c, e)), d, values + i / 4);
    }
  if (width == 2)
    for (int64_t i = 0; i < count; i += 2 * lanes) {
      V a, b;
      hn::LoadInterleaved2(d, values + i, a, b);
      hn::StoreU(hn::Max(a, b), d, values + i / 2);
    }
}

/// Largest magnitude of a block without its NaNs, as bits.
template <class Access>
static typename Access::Bits findAmaxWithoutNaN(const Chunk &chunk,
                                                int64_t block) {
  using Bits = typename Access::Bits;
  Bits amax = 0;
  for (int64_t row = 0; row < chunk.rows; ++row)
    for (int64_t i = 0; i < chunk.getBlockCols(); ++i) {
      int64_t col = block * chunk.getBlockCols() + i;
      Bits bits;
      std::memcpy(&bits,
                  chunk.source + row * chunk.sourcePitch +
                      col * int64_t(sizeof(Bits)),
                  sizeof(bits));
      bits &= std::numeric_limits<Bits>::max();
      if (bits <= Access::kInfinity)
        amax = std::max(amax, bits);
    }
  return amax;
}

/// Largest magnitudes of one block, or of parts of it, one per lane. Magnitudes
/// are compared as bits of the source's own type, which are ordered as the
/// values are, NaN being largest.
template <class Access, int64_t kCols, class D>
HWY_INLINE hn::Vec<D> maximizeBlock(D d, const Chunk &chunk,
                                    const uint8_t *address) {
  using Bits = typename Access::Bits;
  const auto mask = hn::Set(d, std::numeric_limits<Bits>::max());
  auto largest = hn::Zero(d);
  for (int64_t row = 0;;) {
    for (size_t i = 0; i < size_t(kCols); i += hn::Lanes(d)) {
      auto bits = hn::LoadU(d, reinterpret_cast<const Bits *>(address) + i);
      largest = hn::Max(largest, hn::And(bits, mask));
    }
    if (++row == chunk.rows)
      return largest;
    address += chunk.sourcePitch;
  }
}

/// Writes the largest magnitude of each block and returns whether all elements
/// are finite.
template <class Access, int64_t kCols>
static bool computeBlockAmax(const Chunk &chunk, float *amax) {
  using Bits = typename Access::Bits;
  const hn::CappedTag<Bits, 16> d;
  const int64_t lanes = hn::Lanes(d);
  alignas(64) Bits maxima[kChunkBlocks * 16 + 4 * kMaxVectorBytes];
  auto all = hn::Zero(d);
  const uint8_t *address = chunk.source;
  for (int64_t block = 0; block < chunk.numBlocks; ++block) {
    auto largest = maximizeBlock<Access, kCols>(d, chunk, address);
    all = hn::Max(all, largest);
    hn::StoreU(largest, d, maxima + block * lanes);
    address += kCols * sizeof(Bits);
  }
  const bool isFinite =
      hn::AllFalse(d, hn::Gt(all, hn::Set(d, Bits(Access::kInfinity - 1))));
  reduceNeighbours(maxima, chunk.numBlocks * lanes, lanes);
  if (HWY_UNLIKELY(!isFinite))
    for (int64_t block = 0; block < chunk.numBlocks; ++block)
      if (maxima[block] > Access::kInfinity)
        maxima[block] = findAmaxWithoutNaN<Access>(chunk, block);
  for (int64_t block = 0; block < chunk.numBlocks; block += hn::Lanes(DF()))
    hn::StoreU(Access::load(reinterpret_cast<const uint8_t *>(maxima + block)),
               DF(), amax + block);
  return isFinite;
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

/// Writes four vectors of codes, one after the other: as bytes of one vector,
/// so that pairs are joined and narrowed at once, and then a byte transpose.
HWY_INLINE void storeFourCodes(VI codes0, VI codes1, VI codes2, VI codes3,
                               uint8_t *address) {
  const hn::Repartition<uint64_t, DI> d64;
  const hn::Rebind<uint32_t, decltype(d64)> d32;
  const hn::Repartition<uint8_t, decltype(d32)> d8;
  auto joined = hn::BitCast(
      d64,
      hn::Or(hn::Or(codes0, hn::ShiftLeft<8>(codes1)),
             hn::Or(hn::ShiftLeft<16>(codes2), hn::ShiftLeft<24>(codes3))));
  joined = hn::Or(joined, hn::ShiftRight<28>(joined));
  // Lane i is now byte i of codes0, of codes1, of codes2, of codes3.
  auto lanes = hn::TruncateTo(d32, joined);
  const size_t numLanes = hn::Lanes(d32);
  alignas(16) static constexpr uint8_t kTransposeFour[16] = {
      0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  alignas(16) static constexpr uint8_t kTransposeTwo[16] = {0, 4, 1, 5,
                                                            2, 6, 3, 7};
  auto bytes = hn::TableLookupBytes(
      hn::BitCast(d8, lanes),
      hn::LoadDup128(d8, numLanes == 2 ? kTransposeTwo : kTransposeFour));
  if (numLanes == 8) {
    // Transposed within halves; bring the halves together.
    alignas(32) static constexpr int32_t kJoinHalves[8] = {0, 4, 1, 5,
                                                           2, 6, 3, 7};
    auto joinedHalves = hn::TableLookupLanes(
        hn::BitCast(d32, bytes), hn::SetTableIndices(d32, kJoinHalves));
    bytes = hn::BitCast(d8, joinedHalves);
  }
  hn::StoreU(bytes, d8, address);
}

/// Codes of one row to nearest even. `kCols` is the number of columns of a
/// block; `kIsFinite` promises that no element is infinite or NaN.
template <class Access, int64_t kCols, bool kIsFinite>
static void encodeRow(const Chunk &chunk, int64_t row, const Scales &scales) {
  const DF d;
  const int64_t lanes = hn::Lanes(d);
  const uint8_t *source = chunk.source + row * chunk.sourcePitch;
  uint8_t *codes = chunk.codes + row * chunk.codePitch;
  const int64_t count = chunk.numBlocks * kCols;
  const auto encode = [&](int64_t i) HWY_ATTR {
    VF value =
        Access::load(source + i * int64_t(sizeof(typename Access::Bits)));
    return encodeE2M1<kIsFinite>(
        hn::Mul(value, hn::Set(d, scales.encode[i / kCols])));
  };
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes)
    storeFourCodes(encode(i), encode(i + lanes), encode(i + 2 * lanes),
                   encode(i + 3 * lanes), codes + i / 2);
  for (; i < count; i += lanes)
    storeCodes(encode(i), codes + i / 2);
}

/// The same with stochastic rounding.
template <class Access, int64_t kCols>
static void encodeRowStochastic(const Chunk &chunk, int64_t row,
                                const Scales &scales) {
  const DF d;
  const int64_t lanes = hn::Lanes(d);
  const uint8_t *source = chunk.source + row * chunk.sourcePitch;
  uint8_t *codes = chunk.codes + row * chunk.codePitch;
  const int64_t count = chunk.numBlocks * kCols;
  alignas(64) uint8_t random[kChunkBlocks * kMaxBlockCols];
  fillRandomBytesImpl(chunk.options.random,
                      chunk.firstElement + uint64_t(row) * chunk.elementPitch,
                      uint64_t(count), random);
  const auto encode = [&](int64_t i) HWY_ATTR {
    VF value =
        Access::load(source + i * int64_t(sizeof(typename Access::Bits)));
    VI bits = hn::PromoteTo(DI(), hn::LoadU(DU8(), random + i));
    return encodeE2M1Stochastic(
        hn::Mul(value, hn::Set(d, scales.encode[i / kCols])), bits);
  };
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes)
    storeFourCodes(encode(i), encode(i + lanes), encode(i + 2 * lanes),
                   encode(i + 3 * lanes), codes + i / 2);
  for (; i < count; i += lanes)
    storeCodes(encode(i), codes + i / 2);
}

template <class Access, int64_t kCols>
static void quantizeChunk(const Chunk &chunk) {
  alignas(64) float amax[kChunkLanes];
  Scales scales;
  const bool isFinite = computeBlockAmax<Access, kCols>(chunk, amax);
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
      encodeRowStochastic<Access, kCols>(chunk, row, scales);
    else if (HWY_LIKELY(isFinite))
      encodeRow<Access, kCols, true>(chunk, row, scales);
    else
      encodeRow<Access, kCols, false>(chunk, row, scales);
  }
}

//===----------------------------------------------------------------------===//
// Rows of blocks
//===----------------------------------------------------------------------===//

/// Quantizes the partly filled last block of a row of blocks. `chunk` describes
/// it as if it were full.
template <int64_t kCols>
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
  quantizeChunk<F32Access, kCols>(chunk);
  for (int64_t r = 0; r < chunk.rows; ++r) {
    // Zeros behind the source need not become zero codes.
    if (cols % 2)
      codes[r][cols / 2] &= 0x0F;
    std::memcpy(target + r * targetPitch, codes[r], size_t(ceilDiv(cols, 2)));
  }
}

template <class Access, int64_t kCols>
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
      quantizeChunk<Access, kCols>(chunk);
    }
    if (source.cols % format.blockCols != 0) {
      place(fullBlocks, 1);
      quantizeTail<kCols>(chunk, source, row, fullBlocks * format.blockCols);
    }
    detail::clearRowPadding(scales, ceilDiv(source.cols, format.blockCols),
                            target.scalePitch);
    for (int64_t r = 0; r < chunk.rows; ++r)
      detail::clearRowPadding(codes + r * target.codePitch,
                              ceilDiv(source.cols, 2), target.codePitch);
  }
}

template <class Access>
static void quantizeAs(const QuantizeOptions &options, const MatrixRef &source,
                       const float *globalScales, const QuantizedRef &target,
                       int64_t firstRow) {
  switch (options.format.blockCols) {
  case 16:
    return quantizeRows<Access, 16>(options, source, globalScales, target,
                                    firstRow);
  case 32:
    return quantizeRows<Access, 32>(options, source, globalScales, target,
                                    firstRow);
  default:
    // verifyQuantizeOptions admits no other.
    return quantizeRows<Access, kMaxBlockCols>(options, source, globalScales,
                                               target, firstRow);
  }
}

static void quantizeImpl(const QuantizeOptions &options,
                         const MatrixRef &source, const float *globalScales,
                         const QuantizedRef &target, int64_t firstRow) {
  switch (source.type) {
  case FloatType::F32:
    return quantizeAs<F32Access>(options, source, globalScales, target,
                                 firstRow);
  case FloatType::BF16:
    return quantizeAs<BF16Access>(options, source, globalScales, target,
                                  firstRow);
  case FloatType::F16:
    return quantizeAs<F16Access>(options, source, globalScales, target,
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
