//===- DequantizeKernels.cpp - Largest magnitudes and values, on vectors --===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vector forms of computeAmax and dequantize. Both read or write each
// element once and are bound by memory.
//
//===----------------------------------------------------------------------===//

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "DequantizeKernels.cpp"
#include <hwy/foreach_target.h>

#include "Kernels-inl.h"

#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace nvfp4::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// One lane, which Highway falls back to for a few compilers: the reference.
static AmaxResult computeAmaxImpl(const MatrixRef &source, float *rowAmax) {
  return computeAmaxReference(source, rowAmax);
}
static void dequantizeImpl(const QuantizeOptions &options,
                           const ConstQuantizedRef &source,
                           const float *globalScales,
                           const MutableMatrixRef &target) {
  dequantizeReference(options, source, globalScales, target);
}

#else

//===----------------------------------------------------------------------===//
// Largest magnitudes
//===----------------------------------------------------------------------===//

/// Elements that are looked at before a check for NaN and infinity.
constexpr int64_t kAmaxChunk = 4096;

/// Largest magnitude of `count` elements as bits of their own type, NaN being
/// largest: in every IEEE format magnitudes are ordered as their bits are.
template <typename Bits>
static uint32_t findLargestBits(const uint8_t *source, int64_t count) {
  using Signed = hwy::MakeSigned<Bits>;
  const hn::ScalableTag<Signed> d;
  const int64_t lanes = hn::Lanes(d);
  const auto mask = hn::Set(d, Signed(Bits(~Bits(0)) >> 1));
  const auto load = [&](int64_t i) HWY_ATTR {
    const auto *address = source + i * int64_t(sizeof(Bits));
    return hn::And(hn::LoadU(d, reinterpret_cast<const Signed *>(address)),
                   mask);
  };
  auto a = hn::Zero(d), b = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    a = hn::Max(a, load(i));
    b = hn::Max(b, load(i + lanes));
  }
  for (; i + lanes <= count; i += lanes)
    a = hn::Max(a, load(i));
  HWY_ALIGN Signed maxima[HWY_MAX_BYTES / sizeof(Signed)];
  hn::Store(hn::Max(a, b), d, maxima);
  Signed largest = *std::max_element(maxima, maxima + lanes);
  for (; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, source + i * int64_t(sizeof(Bits)), sizeof(bits));
    largest = std::max(largest, Signed(Bits(bits << 1) >> 1));
  }
  return uint32_t(largest);
}

static float toFloat(FloatType type, uint32_t bits) {
  if (type == FloatType::F32)
    return floatOfBits(bits);
  return type == FloatType::BF16 ? decodeBF16(uint16_t(bits))
                                 : decodeF16(uint16_t(bits));
}

/// One row or a part of it.
static AmaxResult computeAmaxOfRow(FloatType type, const uint8_t *source,
                                   int64_t count) {
  AmaxResult result;
  for (int64_t first = 0; first < count; first += kAmaxChunk) {
    int64_t size = std::min(kAmaxChunk, count - first);
    const uint8_t *part = source + first * getFloatTypeBytes(type);
    float largest = toFloat(type, type == FloatType::F32
                                      ? findLargestBits<uint32_t>(part, size)
                                      : findLargestBits<uint16_t>(part, size));
    if (HWY_LIKELY(std::isfinite(largest))) {
      result.amax = std::max(result.amax, largest);
      continue;
    }
    result.merge(computeAmaxReference({part, type, 1, size, size}));
  }
  return result;
}

static AmaxResult computeAmaxImpl(const MatrixRef &source, float *rowAmax) {
  // Without gaps between the rows, and if nobody asks for rows, the matrix is
  // one long row.
  if (!rowAmax && source.rowStride == source.cols)
    return computeAmaxOfRow(source.type, detail::getElement(source, 0, 0),
                            source.rows * source.cols);
  AmaxResult result;
  for (int64_t row = 0; row < source.rows; ++row) {
    AmaxResult ofRow = computeAmaxOfRow(
        source.type, detail::getElement(source, row, 0), source.cols);
    result.merge(ofRow);
    if (rowAmax)
      rowAmax[row] = ofRow.amax;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Dequantization
//===----------------------------------------------------------------------===//

/// Blocks whose scales are decoded at once.
constexpr int64_t kDecodeBlocks = 64;

/// The decoded scales of `count` neighbouring blocks.
static void decodeScales(const QuantizeOptions &options, const uint8_t *bytes,
                         int64_t count, float globalScale, float *scales) {
  const int64_t lanes = hn::Lanes(DF());
  alignas(64) uint8_t padded[kDecodeBlocks + 16] = {};
  std::memcpy(padded, bytes, size_t(count));
  for (int64_t i = 0; i < count; i += lanes) {
    VI byte = hn::PromoteTo(DI(), hn::LoadU(DU8(), padded + i));
    VF scale = decodeScaleOf(options.format.scaleEncoding, byte);
    hn::StoreU(decodedBlockScale(scale, options, globalScale), DF(),
               scales + i);
  }
}

/// Codes of one vector, one per lane: each byte goes to two lanes, of which the
/// second is shifted.
HWY_INLINE VI loadCodes(const uint8_t *address) {
  const hn::Repartition<uint64_t, DI> d64;
  const hn::Rebind<uint8_t, decltype(d64)> d8;
  auto bytes = hn::LoadU(d8, address);
  auto wide = hn::PromoteTo(hn::Rebind<uint32_t, decltype(d8)>(), bytes);
  auto pairs = hn::PromoteTo(d64, wide);
  pairs = hn::Or(pairs, hn::ShiftLeft<28>(pairs));
  return hn::And(hn::BitCast(DI(), pairs), hn::Set(DI(), 0xF));
}

/// Values of full blocks.
template <class Access>
static void decodeBlocks(const uint8_t *codes, const float *scales,
                         int64_t numBlocks, int64_t blockCols,
                         uint8_t *target) {
  const int64_t lanes = hn::Lanes(DF());
  for (int64_t block = 0; block < numBlocks; ++block) {
    const VF scale = hn::Set(DF(), scales[block]);
    for (int64_t i = 0; i < blockCols; i += lanes) {
      Access::store(hn::Mul(decodeE2M1(loadCodes(codes)), scale), target);
      codes += lanes / 2;
      target += lanes * getFloatTypeBytes(Access::kType);
    }
  }
}

template <class Access>
static void
dequantizeRows(const QuantizeOptions &options, const ConstQuantizedRef &source,
               const float *globalScales, const MutableMatrixRef &target) {
  const int64_t blockCols = options.format.blockCols;
  const int64_t numBlocks = ceilDiv(target.cols, blockCols);
  const int64_t fullBlocks = target.cols / blockCols;
  alignas(64) float scales[kDecodeBlocks + 16];
  for (int64_t row = 0; row < target.rows; ++row) {
    const uint8_t *codes = source.codes + row * source.codePitch;
    const uint8_t *bytes =
        source.scales + row / options.format.blockRows * source.scalePitch;
    float globalScale = detail::getGlobalScaleOfRow(options, globalScales, row);
    for (int64_t block = 0; block < numBlocks; block += kDecodeBlocks) {
      int64_t count = std::min(kDecodeBlocks, numBlocks - block);
      decodeScales(options, bytes + block, count, globalScale, scales);
      decodeBlocks<Access>(codes + block * blockCols / 2, scales,
                           std::min(count, fullBlocks - block), blockCols,
                           detail::getElement(target, row, block * blockCols));
      // The rest of the last block, element by element.
      if (block + count <= fullBlocks)
        continue;
      for (int64_t col = fullBlocks * blockCols; col < target.cols; ++col) {
        uint8_t code = uint8_t(codes[col / 2] >> (col % 2 * 4) & 0xF);
        detail::storeElement(target.type, detail::getElement(target, row, col),
                             nvfp4::decodeE2M1(code) * scales[count - 1]);
      }
    }
  }
}

static void dequantizeImpl(const QuantizeOptions &options,
                           const ConstQuantizedRef &source,
                           const float *globalScales,
                           const MutableMatrixRef &target) {
  switch (target.type) {
  case FloatType::F32:
    return dequantizeRows<F32Access>(options, source, globalScales, target);
  case FloatType::BF16:
    return dequantizeRows<BF16Access>(options, source, globalScales, target);
  case FloatType::F16:
    return dequantizeRows<F16Access>(options, source, globalScales, target);
  }
}

#endif // HWY_SCALAR

} // namespace nvfp4::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace nvfp4 {

HWY_EXPORT(computeAmaxImpl);
HWY_EXPORT(dequantizeImpl);

AmaxResult computeAmax(const MatrixRef &source, float *rowAmax) {
  detail::DefaultFloatEnvironment environment;
  return HWY_DYNAMIC_DISPATCH(computeAmaxImpl)(source, rowAmax);
}

void dequantize(const QuantizeOptions &options, const ConstQuantizedRef &source,
                const float *globalScales, const MutableMatrixRef &target) {
  detail::DefaultFloatEnvironment environment;
  HWY_DYNAMIC_DISPATCH(dequantizeImpl)(options, source, globalScales, target);
}

} // namespace nvfp4

#endif // HWY_ONCE
