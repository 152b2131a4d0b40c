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
#include <hwy/cache_control.h>
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

/// Largest magnitudes of the columns of one block, or of two if they fit a
/// vector, folded to one vector. Magnitudes are compared as bits of the
/// source's own type, which are ordered as the values are, NaN being largest.
template <class Access, int64_t kCols, class D>
HWY_INLINE hn::Vec<D> foldBlock(D d, const Chunk &chunk,
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

/// The larger of neighbours, those of `a` and `b` alternating: half as many
/// lanes per vector, within 128 bits each.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V maximizeNeighbours(D d, V a, V b) {
  return hn::Max(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
}

/// Stores the lowest 128 bits of a vector.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE void storeLowest128(D d, hn::Vec<D> value, T *address) {
  if constexpr (!HWY_HAVE_SCALABLE && hn::MaxLanes(D()) * sizeof(T) > 16) {
    const hn::Half<D> half;
    storeLowest128(half, hn::LowerHalf(half, value), address);
  } else {
    hn::StoreU(value, d, address);
  }
}

/// What `maximizeGroup` works with. Where the length of vectors is not known
/// here, 128 bits are.
template <class Access, int64_t kCols> struct Group {
  using Bits = typename Access::Bits;
  static constexpr size_t kBytes =
      HWY_HAVE_SCALABLE ? 16 : HWY_MIN(size_t(HWY_MAX_BYTES), kMaxVectorBytes);
  using D = hn::CappedTag<Bits, kBytes / sizeof(Bits)>;
  static constexpr size_t kBlockBytes = size_t(kCols) * sizeof(Bits);
  static constexpr size_t kBlocksPerVector =
      kBytes > kBlockBytes ? kBytes / kBlockBytes : 1;
  static constexpr size_t kVectors = 16 / sizeof(Bits);
  static constexpr int64_t kBlocks = int64_t(kVectors * kBlocksPerVector);
};

/// Writes the largest magnitude of each block of a group. A tree: as many
/// vectors as 128 bits have lanes become one, lane by lane in order, and then
/// its 128-bit parts become one.
template <class Access, int64_t kCols, class G = Group<Access, kCols>>
HWY_INLINE void maximizeGroup(const Chunk &chunk, const uint8_t *address,
                              typename Access::Bits *maxima) {
  using D = typename G::D;
  const D d;
  const auto load = [&](size_t i) HWY_ATTR {
    return foldBlock<Access, kCols>(
        d, chunk, address + i * G::kBlocksPerVector * G::kBlockBytes);
  };
  const auto loadTwo = [&](size_t i) HWY_ATTR {
    return maximizeNeighbours(d, load(i), load(i + G::kVectors / 2));
  };
  auto largest = maximizeNeighbours(d, loadTwo(0), loadTwo(G::kVectors / 4));
  if constexpr (G::kVectors == 8)
    largest = maximizeNeighbours(d, largest,
                                 maximizeNeighbours(d, loadTwo(1), loadTwo(3)));

  if constexpr (G::kBytes >= 32)
    largest = hn::Max(largest, hn::SwapAdjacentBlocks(largest));
  if constexpr (G::kBlocksPerVector == 2) {
    const hn::Half<D> half;
    auto even = hn::LowerHalf(half, largest);
    auto odd = hn::UpperHalf(half, largest);
    storeLowest128(half, hn::InterleaveLower(half, even, odd), maxima);
    storeLowest128(half, hn::InterleaveUpper(half, even, odd),
                   maxima + G::kVectors);
  } else {
    if constexpr (G::kBytes == 64)
      largest = hn::Max(largest, hn::ConcatLowerUpper(d, largest, largest));
    storeLowest128(d, largest, maxima);
  }
}

/// Writes the largest magnitude of each block and returns whether all elements
/// are finite.
template <class Access, int64_t kCols>
static bool computeBlockAmax(const Chunk &chunk, float *amax) {
  using Bits = typename Access::Bits;
  using G = Group<Access, kCols>;
  alignas(64) Bits maxima[kChunkLanes];
  if (HWY_LIKELY(chunk.numBlocks >= G::kBlocks)) {
    // The last group may look at blocks again.
    for (int64_t end = G::kBlocks;; end += G::kBlocks) {
      int64_t block = std::min(end, chunk.numBlocks) - G::kBlocks;
      maximizeGroup<Access, kCols>(
          chunk, chunk.source + size_t(block) * G::kBlockBytes, maxima + block);
      if (end >= chunk.numBlocks)
        break;
    }
  } else {
    const hn::CappedTag<Bits, 16> d;
    alignas(64) Bits lanes[16];
    for (int64_t block = 0; block < chunk.numBlocks; ++block) {
      hn::Store(foldBlock<Access, kCols>(
                    d, chunk, chunk.source + size_t(block) * G::kBlockBytes),
                d, lanes);
      maxima[block] = *std::max_element(lanes, lanes + hn::Lanes(d));
    }
  }
  std::memset(maxima + chunk.numBlocks, 0, sizeof(Bits) * hn::Lanes(DF()));

  Bits largest = 0;
  for (int64_t block = 0; block < chunk.numBlocks; ++block)
    largest = std::max(largest, maxima[block]);
  const bool isFinite = largest < Access::kInfinity;
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

/// The factors of two vectors of neighbours, of which each lane has two.
template <int64_t kCols>
HWY_INLINE VF getPairFactors(const Scales &scales, int64_t element) {
  const DF d;
  const float *encode = scales.encode + element / kCols;
  VF factors = hn::Set(d, encode[0]);
  if constexpr (hn::MaxLanes(DF()) * 2 > size_t(kCols))
    if (int64_t(hn::Lanes(d)) * 2 > kCols)
      factors = hn::IfThenElse(hn::FirstN(d, kCols / 2), factors,
                               hn::Set(d, encode[1]));
  return factors;
}

/// How far ahead the source is asked for. While codes are computed the source
/// is in the first cache and nothing else would keep memory busy. Found by
/// trying: a quarter of it is slower, and from bf16 twice of it is.
constexpr int64_t kPrefetchElements = 4096;
constexpr int64_t kLineBytes = 64;

/// Codes of one row of finite elements to nearest even, two vectors at a time.
/// Returns how many elements that were.
template <class Access, int64_t kCols>
static int64_t encodePairs(const uint8_t *source, int64_t count,
                           const Scales &scales, uint8_t *codes) {
  constexpr int64_t kBytes = sizeof(typename Access::Bits);
  const int64_t lanes = hn::Lanes(DF());
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const uint8_t *address = source + i * kBytes;
    for (int64_t line = 0; line < 2 * lanes * kBytes; line += kLineBytes)
      hwy::Prefetch(address + kPrefetchElements * kBytes + line);
    VF even, odd;
    Access::loadPairs(address, even, odd);
    VF factors = getPairFactors<kCols>(scales, i);
    VU bytes = encodeE2M1Pairs(hn::Mul(even, factors), hn::Mul(odd, factors));
    hn::StoreU(hn::TruncateTo(DU8(), bytes), DU8(), codes + i / 2);
  }
  return i;
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
  int64_t i = 0;
  if constexpr (kIsFinite)
    i = encodePairs<Access, kCols>(source, count, scales, codes);
  for (; i < count; i += lanes) {
    VF value =
        Access::load(source + i * int64_t(sizeof(typename Access::Bits)));
    VI code = encodeE2M1<kIsFinite>(
        hn::Mul(value, hn::Set(d, scales.encode[i / kCols])));
    storeCodes(code, codes + i / 2);
  }
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
