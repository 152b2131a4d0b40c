//===- TensorMap.cpp - Tensor maps of a launch file -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The limits are those of tiled tensor maps: an encoder that a GPU's driver
// has would refuse the same ones.
//
// Source: PTX ISA, tensors (dimensions, strides, swizzle and out-of-bounds
// modes); CUDA driver API, encoding of tiled tensor maps.
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

using namespace nvfp4;
using namespace nvfp4::ptx;

static constexpr size_t kMaxRank = 5;
static constexpr uint64_t kMaxDim = uint64_t(1) << 32;
static constexpr uint64_t kMaxStride = (uint64_t(1) << 40) - 1;
static constexpr uint64_t kStrideAlignment = 16;
static constexpr uint64_t kMaxBox = 256;
static constexpr uint64_t kMaxElementStride = 8;
static constexpr uint64_t kBoxRowAlignment = 16;

/// Element types that a tensor map can have; 8-bit floats travel as bytes.
static constexpr DType kDTypes[] = {
    DType::U8,   DType::I8,  DType::F8_E4M3, DType::F8_E5M2, DType::F8_E8M0,
    DType::BOOL, DType::U16, DType::U32,     DType::I32,     DType::U64,
    DType::I64,  DType::F16, DType::BF16,    DType::F32,     DType::F64,
};

namespace {
struct SwizzleRow {
  const char *name;
  TensorMap::Swizzle swizzle;
  /// The innermost row of a box fits into this many bytes; 0: no limit.
  uint64_t rowBytes;
};
} // namespace

static constexpr SwizzleRow kSwizzles[] = {
    {"none", TensorMap::Swizzle::None, 0},
    {"32B", TensorMap::Swizzle::Bytes32, 32},
    {"64B", TensorMap::Swizzle::Bytes64, 64},
    {"128B", TensorMap::Swizzle::Bytes128, 128},
};

/// `rank` integers from `min` to `max` that are multiples of `step`.
static std::vector<uint64_t> readIntegers(const JsonNode &node, size_t rank,
                                          uint64_t min, uint64_t max,
                                          uint64_t step) {
  std::vector<JsonNode> elements = node.getElements();
  if (elements.size() != rank)
    node.fail("an array of " + std::to_string(rank) + " integers");
  std::vector<uint64_t> values;
  for (const JsonNode &element : elements) {
    uint64_t value = element.getUnsigned(max);
    if (value < min || value % step != 0)
      element.fail(
          "an integer from " + std::to_string(min) + " to " +
          std::to_string(max) +
          (step == 1 ? "" : " that is a multiple of " + std::to_string(step)));
    values.push_back(value);
  }
  return values;
}

static DType readDType(const JsonNode &node) {
  DType dtype = node.getDType();
  if (std::find(std::begin(kDTypes), std::end(kDTypes), dtype) ==
      std::end(kDTypes)) {
    std::string list;
    for (DType known : kDTypes)
      list += (list.empty() ? "" : ", ") + quote(getDTypeName(known));
    node.fail("one of " + list);
  }
  return dtype;
}

static const SwizzleRow &readSwizzle(const JsonNode &node) {
  std::string name = node.getString();
  for (const SwizzleRow &row : kSwizzles)
    if (name == row.name)
      return row;
  node.fail(R"("none", "32B", "64B" or "128B")");
}

static TensorMap::OutOfBounds readOutOfBounds(const JsonNode &node,
                                              DType dtype) {
  std::string name = node.getString();
  if (name == "zero")
    return TensorMap::OutOfBounds::Zero;
  bool isFloat = dtype == DType::F16 || dtype == DType::BF16 ||
                 dtype == DType::F32 || dtype == DType::F64;
  if (name == "nan" && isFloat)
    return TensorMap::OutOfBounds::NaN;
  node.fail(isFloat ? R"("zero" or "nan")" : "\"zero\" for this dtype");
}

static std::vector<uint32_t> narrow(const std::vector<uint64_t> &values) {
  return std::vector<uint32_t>(values.begin(), values.end());
}

uint64_t TensorMap::getSpanBytes() const {
  // At most 5 terms below 2^32 * 2^40: saturated, not wrapped.
  unsigned __int128 last = 0;
  uint64_t elementBytes = getDTypeBits(dtype) / 8;
  for (size_t i = 0; i < dims.size(); ++i)
    last += static_cast<unsigned __int128>(dims[i] - 1) *
            (i == 0 ? elementBytes : strides[i - 1]);
  last += elementBytes;
  return last > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(last);
}

TensorMap ptx::readTensorMap(const JsonNode &node) {
  node.checkKeys({"tensor", "offset", "dtype", "dims", "strides", "box",
                  "element_strides", "swizzle", "oob"});
  TensorMap map;
  map.dtype = readDType(node.get("dtype"));
  size_t rank = node.get("dims").getElements().size();
  if (rank < 1 || rank > kMaxRank)
    node.get("dims").fail("an array of 1 to " + std::to_string(kMaxRank) +
                          " integers");
  map.dims = readIntegers(node.get("dims"), rank, 1, kMaxDim, 1);
  map.strides = readIntegers(node.get("strides"), rank - 1, kStrideAlignment,
                             kMaxStride, kStrideAlignment);
  map.box = narrow(readIntegers(node.get("box"), rank, 1, kMaxBox, 1));
  map.elementStrides.assign(rank, 1);
  if (node.has("element_strides"))
    map.elementStrides = narrow(readIntegers(node.get("element_strides"), rank,
                                             1, kMaxElementStride, 1));
  uint64_t rowBytes = uint64_t(map.box[0]) * getDTypeBits(map.dtype) / 8;
  if (rowBytes % kBoxRowAlignment != 0)
    node.get("box").fail("a multiple of " + std::to_string(kBoxRowAlignment) +
                         " bytes in the innermost dimension, box[0]");
  if (node.has("swizzle")) {
    const SwizzleRow &row = readSwizzle(node.get("swizzle"));
    map.swizzle = row.swizzle;
    if (row.rowBytes != 0 && rowBytes > row.rowBytes)
      node.get("box").fail("at most " + std::to_string(row.rowBytes) +
                           " bytes in the innermost dimension, box[0], because "
                           "of the swizzle");
  }
  if (node.has("oob"))
    map.outOfBounds = readOutOfBounds(node.get("oob"), map.dtype);
  return map;
}
