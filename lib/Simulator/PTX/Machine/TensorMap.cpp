//===- TensorMap.cpp - Encoding and boxes of tensors ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorMap.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

namespace nvfp4::ptx {

namespace {
/// By number of the driver API.
struct ElementRow {
  const char *name;
  uint32_t bytes;
  Type type;
  /// Out of bounds, where NaN is asked for; 0: no such fill.
  uint64_t nan;
};
constexpr ElementRow kElements[] = {
    {"U8", 1, Type::U8, 0},
    {"U16", 2, Type::U16, 0},
    {"U32", 4, Type::U32, 0},
    {"I32", 4, Type::S32, 0},
    {"U64", 8, Type::U64, 0},
    {"I64", 8, Type::S64, 0},
    {"F16", 2, Type::F16, 0x7FF7},
    {"F32", 4, Type::F32, 0x7FF77FF7},
    {"F64", 8, Type::F64, 0x7FF77FF77FF77FF7},
    {"BF16", 2, Type::BF16, 0x7FF7},
};

constexpr uint64_t kMagic = 0x50414D5253544E53;

/// What the 128 bytes hold.
struct Encoded {
  uint64_t magic, address;
  uint64_t strides[kMaxTensorRank - 1];
  /// Extents less one: they may be 2^32.
  uint32_t lastIndex[kMaxTensorRank];
  uint16_t box[kMaxTensorRank];
  uint8_t elementStrides[kMaxTensorRank];
  uint8_t dtype, rank, swizzle, fill;
};
static_assert(sizeof(Encoded) <= kTensorMapBytes);
} // namespace

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

static Status expectRange(const char *what, uint32_t dimension, uint64_t value,
                          uint64_t least, uint64_t most, uint64_t step) {
  if (value >= least && value <= most && value % step == 0)
    return Status();
  std::string text = std::string("tensor map: expected ") + what + "[" +
                     std::to_string(dimension) + "] from " +
                     std::to_string(least) + " to " + std::to_string(most);
  if (step > 1)
    text += " that is a multiple of " + std::to_string(step);
  return Status::error(text + ", but got " + std::to_string(value));
}

static Status checkDimensions(const TiledTensorMap &map) {
  constexpr uint64_t kMaxDim = uint64_t(1) << 32;
  constexpr uint64_t kMaxStride = (uint64_t(1) << 40) - 1;
  for (uint32_t i = 0; i < map.rank; ++i) {
    Status status = expectRange("dims", i, map.dims[i], 1, kMaxDim, 1);
    if (status && i)
      status = expectRange("strides", i, map.strides[i], 16, kMaxStride, 16);
    if (status)
      status = expectRange("box", i, map.box[i], 1, 256, 1);
    if (status)
      status =
          expectRange("element_strides", i, map.elementStrides[i], 1, 8, 1);
    if (!status)
      return status;
  }
  return Status();
}

static Status checkMap(const TiledTensorMap &map) {
  const auto fail = [](const std::string &text) {
    return Status::error("tensor map: expected " + text);
  };
  if (map.dtype >= std::size(kElements))
    return fail("a dtype from 0 to 9, but got " + std::to_string(map.dtype));
  if (map.rank < 1 || map.rank > kMaxTensorRank)
    return fail("a rank from 1 to 5, but got " + std::to_string(map.rank));
  if (map.address % 16)
    return fail("an address that is a multiple of 16");
  if (map.interleave)
    return fail("no interleaving, which the simulator does not know, but got " +
                std::to_string(map.interleave));
  if (map.swizzle > 3)
    return fail("a swizzle from 0 to 3, but got " +
                std::to_string(map.swizzle));
  const ElementRow &element = kElements[map.dtype];
  if (map.fill > (element.nan ? 1u : 0u))
    return fail(std::string("fill 0") + (element.nan ? " or 1" : "") +
                " with dtype " + element.name + ", but got " +
                std::to_string(map.fill));
  if (Status status = checkDimensions(map); !status)
    return status;
  uint64_t rowBytes = uint64_t(map.box[0]) * element.bytes;
  if (rowBytes % 16)
    return fail("a multiple of 16 bytes in box[0], but got " +
                std::to_string(rowBytes));
  if (map.swizzle && rowBytes > (kSwizzleChunk << map.swizzle))
    return fail("at most " + std::to_string(kSwizzleChunk << map.swizzle) +
                " bytes in box[0] because of the swizzle, but got " +
                std::to_string(rowBytes));
  return Status();
}

Status encodeTensorMap(const TiledTensorMap &map,
                       uint8_t (&target)[kTensorMapBytes]) {
  if (Status status = checkMap(map); !status)
    return status;
  Encoded encoded = {};
  encoded.magic = kMagic;
  encoded.address = map.address;
  for (uint32_t i = 0; i < map.rank; ++i) {
    encoded.lastIndex[i] = uint32_t(map.dims[i] - 1);
    if (i)
      encoded.strides[i - 1] = map.strides[i];
    encoded.box[i] = uint16_t(map.box[i]);
    encoded.elementStrides[i] = uint8_t(map.elementStrides[i]);
  }
  encoded.dtype = uint8_t(map.dtype);
  encoded.rank = uint8_t(map.rank);
  encoded.swizzle = uint8_t(map.swizzle);
  encoded.fill = uint8_t(map.fill);
  std::memset(target, 0, kTensorMapBytes);
  std::memcpy(target, &encoded, sizeof(encoded));
  return Status();
}

bool decodeTensorMap(const uint8_t *bytes, TiledTensorMap &map) {
  Encoded encoded;
  std::memcpy(&encoded, bytes, sizeof(encoded));
  if (encoded.magic != kMagic || encoded.rank < 1 ||
      encoded.rank > kMaxTensorRank)
    return false;
  map.address = encoded.address;
  for (uint32_t i = 0; i < encoded.rank; ++i) {
    map.dims[i] = uint64_t(encoded.lastIndex[i]) + 1;
    if (i)
      map.strides[i] = encoded.strides[i - 1];
    map.box[i] = encoded.box[i];
    map.elementStrides[i] = encoded.elementStrides[i];
  }
  map.dtype = encoded.dtype;
  map.rank = encoded.rank;
  map.swizzle = encoded.swizzle;
  map.fill = encoded.fill;
  // A kernel may have written the bytes.
  return bool(checkMap(map));
}

//===----------------------------------------------------------------------===//
// Boxes
//===----------------------------------------------------------------------===//

Type getElementType(const TiledTensorMap &map) {
  return kElements[map.dtype].type;
}

uint64_t getFill(const TiledTensorMap &map) {
  return map.fill ? kElements[map.dtype].nan : 0;
}

void Box::widenRows() {
  uint32_t perChunk = kSwizzleChunk / elementBytes;
  for (BoxRow &row : rows)
    if (row.count)
      row.count = std::min(rowElements - row.first,
                           (row.count + perChunk - 1) / perChunk * perChunk);
}

/// Positions of a box along a dimension.
static uint32_t getExtent(const TiledTensorMap &map, uint32_t dimension) {
  uint32_t step = map.elementStrides[dimension];
  return (map.box[dimension] + step - 1) / step;
}

uint32_t countRows(const TiledTensorMap &map) {
  // A row has 16 bytes or more, a CTA less than 2^18.
  constexpr uint64_t kMaxRows = 1 << 14;
  uint64_t rows = 1;
  for (uint32_t i = 1; i < map.rank; ++i)
    rows *= getExtent(map, i);
  return rows <= kMaxRows ? uint32_t(rows) : 0;
}

Box makeBox(const TiledTensorMap &map, const int32_t *coordinates) {
  Box box;
  box.elementBytes = kElements[map.dtype].bytes;
  box.rowElements = map.box[0];
  box.swizzle = map.swizzle;
  box.pitch = map.swizzle ? kSwizzleChunk << map.swizzle : box.getRowBytes();
  // Elements in bounds of any row.
  int64_t begin = std::max<int64_t>(0, -int64_t(coordinates[0]));
  int64_t end =
      std::min<int64_t>(map.box[0], int64_t(map.dims[0]) - coordinates[0]);
  for (uint32_t row = 0, numRows = countRows(map); row < numRows; ++row) {
    BoxRow place;
    bool isInside = begin < end;
    uint64_t address =
        map.address + (coordinates[0] + begin) * box.elementBytes;
    uint32_t rest = row;
    for (uint32_t i = 1; i < map.rank; ++i) {
      int64_t index = coordinates[i] +
                      int64_t(rest % getExtent(map, i)) * map.elementStrides[i];
      rest /= getExtent(map, i);
      isInside &= index >= 0 && uint64_t(index) < map.dims[i];
      address += uint64_t(index) * map.strides[i];
    }
    if (isInside)
      place = {address, uint32_t(begin), uint32_t(end - begin)};
    box.rows.push_back(place);
  }
  return box;
}

} // namespace nvfp4::ptx
