//===- DType.h - The element types of safetensors files --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every element type that the safetensors format knows, with its name in the
// file and its width. A dtype says how bytes are grouped, never what they mean:
// arithmetic on them is the business of Support.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_DTYPE_H
#define NVFP4_RUNTIME_DTYPE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nvfp4 {

// The names are the format's: NOLINTBEGIN(readability-identifier-naming)

/// An element type, spelled as in a safetensors file. The values are part of
/// the C API (`nvfp4_dtype`): they never change, new ones are appended.
enum class DType : uint8_t {
  BOOL = 0,
  U8 = 1,
  I8 = 2,
  U16 = 3,
  I16 = 4,
  U32 = 5,
  I32 = 6,
  U64 = 7,
  I64 = 8,
  F16 = 9,
  BF16 = 10,
  F32 = 11,
  F64 = 12,
  F8_E4M3 = 13,
  F8_E5M2 = 14,
  F8_E8M0 = 15,
  F6_E2M3 = 16,
  F6_E3M2 = 17,
  F4 = 18,
  C64 = 19,
};

// NOLINTEND(readability-identifier-naming)

/// How many dtypes there are; their values are 0 to this minus one.
inline constexpr unsigned kNumDTypes = 20;

/// The name in a safetensors file, such as "BF16".
std::string_view getDTypeName(DType dtype);

/// The dtype with this name, or nothing.
std::optional<DType> parseDType(std::string_view name);

/// The width of one element in bits: 4 and 6 occur, so bytes would not do.
unsigned getDTypeBits(DType dtype);

/// The bytes of a contiguous tensor. Nothing if an extent is negative, the
/// product does not fit 63 bits, or the bits do not fill whole bytes.
std::optional<uint64_t> getTensorBytes(DType dtype,
                                       const std::vector<int64_t> &shape);

/// "[8, 32]"; "[]" for a scalar.
std::string formatShape(const std::vector<int64_t> &shape);

} // namespace nvfp4

#endif // NVFP4_RUNTIME_DTYPE_H
