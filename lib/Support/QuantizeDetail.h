//===- QuantizeDetail.h - What both quantizers share ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Private to the library: access to single elements, the floating-point
// environment, and the constants that the scalar and the vector version must
// have in common.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_SUPPORT_QUANTIZEDETAIL_H
#define NVFP4_LIB_SUPPORT_QUANTIZEDETAIL_H

#include "nvfp4/Support/Quantize.h"

#include <cfenv>
#include <cstring>

namespace nvfp4::detail {

/// fl(1/6) = 0x3E2AAAAB, slightly above 1/6.
constexpr float kSixth = 1.0f / 6.0f;
/// Ratio of the two scales of Four Over Six.
constexpr float kSixOverFour = 1.5f;
/// Rows of the largest block; Four Over Six adds the errors of so many rows in
/// a fixed tree.
constexpr int64_t kMaxBlockRows = 16;
constexpr int64_t kMaxBlockCols = 64;

/// Default rounding, subnormals kept, no traps; the caller's environment comes
/// back at the end.
class DefaultFloatEnvironment {
public:
  DefaultFloatEnvironment() {
    std::fegetenv(&saved);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&saved); }
  DefaultFloatEnvironment(const DefaultFloatEnvironment &) = delete;
  DefaultFloatEnvironment &operator=(const DefaultFloatEnvironment &) = delete;

private:
  std::fenv_t saved;
};

/// The address of element (row, col).
inline const uint8_t *getElement(const MatrixRef &matrix, int64_t row,
                                 int64_t col) {
  return static_cast<const uint8_t *>(matrix.data) +
         (row * matrix.rowStride + col) * getFloatTypeBytes(matrix.type);
}
inline uint8_t *getElement(const MutableMatrixRef &matrix, int64_t row,
                           int64_t col) {
  return static_cast<uint8_t *>(matrix.data) +
         (row * matrix.rowStride + col) * getFloatTypeBytes(matrix.type);
}

inline float loadElement(FloatType type, const uint8_t *address) {
  if (type == FloatType::F32) {
    float value;
    std::memcpy(&value, address, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, address, sizeof(bits));
  return type == FloatType::BF16 ? decodeBF16(bits) : decodeF16(bits);
}

inline void storeElement(FloatType type, uint8_t *address, float value) {
  if (type == FloatType::F32) {
    std::memcpy(address, &value, sizeof(value));
    return;
  }
  uint16_t bits =
      type == FloatType::BF16 ? encodeBF16(value) : encodeF16(value);
  std::memcpy(address, &bits, sizeof(bits));
}

/// The global scale of `row`; 0 if the format has none.
inline float getGlobalScaleOfRow(const QuantizeOptions &options,
                                 const float *globalScales, int64_t row) {
  switch (options.granularity) {
  case GlobalScaleGranularity::None:
    return 0.0f;
  case GlobalScaleGranularity::Tensor:
  case GlobalScaleGranularity::Slice:
    return globalScales[0];
  case GlobalScaleGranularity::Row:
    return globalScales[row];
  }
  __builtin_unreachable();
}

/// Its factors; {1, 1} if the format has none.
inline GlobalScaleFactors getFactorsOfRow(const QuantizeOptions &options,
                                          const float *globalScales,
                                          int64_t row) {
  if (options.granularity == GlobalScaleGranularity::None)
    return {1.0f, 1.0f};
  return getGlobalScaleFactors(getGlobalScaleOfRow(options, globalScales, row),
                               options.convention, options.format.scaleBound);
}

/// The bytes of a row of codes, or of scales, that carry no information.
inline void clearRowPadding(uint8_t *row, int64_t used, int64_t pitch) {
  if (pitch > used)
    std::memset(row + used, 0, size_t(pitch - used));
}

} // namespace nvfp4::detail

#endif // NVFP4_LIB_SUPPORT_QUANTIZEDETAIL_H
