//===- DType.cpp - The element types of safetensors files -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: the safetensors format description, table of dtypes.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/DType.h"

using namespace nvfp4;

namespace {
struct DTypeRow {
  std::string_view name;
  unsigned bits;
};
} // namespace

/// In the order of the enum.
static constexpr DTypeRow kRows[] = {
    {"BOOL", 8},    {"U8", 8},      {"I8", 8},      {"U16", 16},
    {"I16", 16},    {"U32", 32},    {"I32", 32},    {"U64", 64},
    {"I64", 64},    {"F16", 16},    {"BF16", 16},   {"F32", 32},
    {"F64", 64},    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8},
    {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},      {"C64", 64},
};
static_assert(sizeof(kRows) / sizeof(kRows[0]) == kNumDTypes);

std::string_view nvfp4::getDTypeName(DType dtype) {
  return kRows[static_cast<unsigned>(dtype)].name;
}

std::optional<DType> nvfp4::parseDType(std::string_view name) {
  for (unsigned i = 0; i < kNumDTypes; ++i)
    if (kRows[i].name == name)
      return static_cast<DType>(i);
  return std::nullopt;
}

unsigned nvfp4::getDTypeBits(DType dtype) {
  return kRows[static_cast<unsigned>(dtype)].bits;
}

std::optional<uint64_t>
nvfp4::getTensorBytes(DType dtype, const std::vector<int64_t> &shape) {
  // An extent of 0 makes the tensor empty however large the others are.
  bool isEmpty = false;
  for (int64_t extent : shape) {
    if (extent < 0)
      return std::nullopt;
    isEmpty |= extent == 0;
  }
  if (isEmpty)
    return 0;
  uint64_t bits = getDTypeBits(dtype);
  for (int64_t extent : shape)
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(extent), &bits))
      return std::nullopt;
  if (bits % 8 != 0)
    return std::nullopt;
  return bits / 8;
}

std::string nvfp4::formatShape(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i != 0)
      text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}
