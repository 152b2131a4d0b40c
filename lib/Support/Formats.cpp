//===- Formats.cpp - Block-scaled formats as data -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of formats and the arithmetic of global scales. Every operation is
// one correctly rounded f32 operation; the order is part of the format. The
// library is compiled without contraction into fused multiply-add.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Support/Formats.h"

#include <cfloat>
#include <cmath>

using namespace nvfp4;

static constexpr BlockFormat kFormats[] = {
    // name         block   scale encoding        global  bound
    {"nvfp4", 1, 16, ScaleEncoding::E4M3, true, kE4M3Max},
    {"mxfp4", 1, 32, ScaleEncoding::E8M0, false, 1.0f},
    {"nvfp4_ue5m3", 1, 16, ScaleEncoding::UE5M3, true, kUE5M3Max},
};

BlockFormat BlockFormat::withBlock(int64_t rows, int64_t cols) const {
  BlockFormat result = *this;
  result.blockRows = rows;
  result.blockCols = cols;
  return result;
}

BlockFormat BlockFormat::withScaleBound(float bound) const {
  BlockFormat result = *this;
  result.scaleBound = bound;
  return result;
}

bool BlockFormat::operator==(const BlockFormat &other) const {
  return name == other.name && blockRows == other.blockRows &&
         blockCols == other.blockCols && scaleEncoding == other.scaleEncoding &&
         hasGlobalScale == other.hasGlobalScale &&
         scaleBound == other.scaleBound;
}

const BlockFormat *nvfp4::getFormats(size_t &count) {
  count = sizeof(kFormats) / sizeof(kFormats[0]);
  return kFormats;
}

const BlockFormat *nvfp4::findFormat(std::string_view name) {
  for (const BlockFormat &format : kFormats)
    if (format.name == name)
      return &format;
  return nullptr;
}

const BlockFormat &nvfp4::getNVFP4Format() { return kFormats[0]; }
const BlockFormat &nvfp4::getMXFP4Format() { return kFormats[1]; }

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

namespace {
template <typename Enum> struct Named {
  Enum value;
  std::string_view name;
};
} // namespace

static constexpr Named<GlobalScaleConvention> kConventions[] = {
    {GlobalScaleConvention::Amax, "amax"},
    {GlobalScaleConvention::Multiply, "multiply"},
    {GlobalScaleConvention::Divide, "divide"},
};

static constexpr Named<GlobalScaleGranularity> kGranularities[] = {
    {GlobalScaleGranularity::None, "none"},
    {GlobalScaleGranularity::Tensor, "tensor"},
    {GlobalScaleGranularity::Slice, "slice"},
    {GlobalScaleGranularity::Row, "row"},
};

template <typename Enum, size_t N>
static std::string_view stringify(const Named<Enum> (&rows)[N], Enum value) {
  for (const Named<Enum> &row : rows)
    if (row.value == value)
      return row.name;
  return {};
}

template <typename Enum, size_t N>
static std::optional<Enum> parse(const Named<Enum> (&rows)[N],
                                 std::string_view name) {
  for (const Named<Enum> &row : rows)
    if (row.name == name)
      return row.value;
  return std::nullopt;
}

std::string_view nvfp4::stringifyConvention(GlobalScaleConvention convention) {
  return stringify(kConventions, convention);
}
std::optional<GlobalScaleConvention>
nvfp4::parseConvention(std::string_view name) {
  return parse(kConventions, name);
}
std::string_view
nvfp4::stringifyGranularity(GlobalScaleGranularity granularity) {
  return stringify(kGranularities, granularity);
}
std::optional<GlobalScaleGranularity>
nvfp4::parseGranularity(std::string_view name) {
  return parse(kGranularities, name);
}

//===----------------------------------------------------------------------===//
// Global scales
//===----------------------------------------------------------------------===//

/// What the tensor's values are multiplied by, before the guards.
static float getRawEncodeFactor(float g, GlobalScaleConvention convention,
                                float maxProduct) {
  switch (convention) {
  case GlobalScaleConvention::Amax:
    return maxProduct / g;
  case GlobalScaleConvention::Multiply:
    return 1.0f / g;
  case GlobalScaleConvention::Divide:
    return g;
  }
  __builtin_unreachable();
}

GlobalScaleFactors
nvfp4::getGlobalScaleFactors(float g, GlobalScaleConvention convention,
                             float scaleBound) {
  float encode = std::fmin(
      getRawEncodeFactor(g, convention, kE2M1Max * scaleBound), FLT_MAX);
  // A tensor of zeros, or one with an infinite maximum; a NaN or a negative
  // number is no global scale.
  if (!(g > 0.0f) || encode == 0.0f)
    return {1.0f, 1.0f};
  if (convention == GlobalScaleConvention::Multiply)
    return {encode, g};
  return {encode, 1.0f / encode};
}

float nvfp4::globalScaleFromAmax(float amax, GlobalScaleConvention convention,
                                 float scaleBound) {
  switch (convention) {
  case GlobalScaleConvention::Amax:
    return amax;
  case GlobalScaleConvention::Multiply:
    return amax / (kE2M1Max * scaleBound);
  case GlobalScaleConvention::Divide:
    return getGlobalScaleFactors(amax, GlobalScaleConvention::Amax, scaleBound)
        .encode;
  }
  __builtin_unreachable();
}

float nvfp4::decodedBlockScale(float scale, float g,
                               GlobalScaleConvention convention,
                               float scaleBound) {
  switch (convention) {
  case GlobalScaleConvention::Amax: {
    float product = scale * g;
    return product * (1.0f / (kE2M1Max * scaleBound));
  }
  case GlobalScaleConvention::Multiply:
    return scale * g;
  case GlobalScaleConvention::Divide:
    return scale / g;
  }
  __builtin_unreachable();
}

float nvfp4::decodedBlockScale(const BlockFormat &format, uint8_t scaleByte,
                               float g, GlobalScaleConvention convention) {
  float scale = decodeScale(format.scaleEncoding, scaleByte);
  if (!format.hasGlobalScale)
    return scale;
  return decodedBlockScale(scale, g, convention, format.scaleBound);
}

/// What an operand's scaled codes are multiplied by.
static float getMultiplier(const GlobalScale *scale) {
  if (!scale)
    return 1.0f;
  return decodedBlockScale(1.0f, scale->value, scale->convention,
                           scale->scaleBound);
}

float nvfp4::getMatmulAlpha(const GlobalScale *lhs, const GlobalScale *rhs) {
  if (lhs && rhs && lhs->convention == GlobalScaleConvention::Amax &&
      rhs->convention == GlobalScaleConvention::Amax) {
    float maxProducts =
        (kE2M1Max * lhs->scaleBound) * (kE2M1Max * rhs->scaleBound);
    return (lhs->value * rhs->value) * (1.0f / maxProducts);
  }
  return getMultiplier(lhs) * getMultiplier(rhs);
}
