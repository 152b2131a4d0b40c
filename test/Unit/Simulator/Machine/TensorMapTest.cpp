//===- TensorMapTest.cpp - Which tensor maps can be encoded ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What copies through them do is compared with a chip: test/Simulator/Hopper.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/TensorMap.h"

#include <gtest/gtest.h>

#include <string>

using namespace nvfp4;
using namespace nvfp4::ptx;

namespace {
/// Rows of 64 f32, boxes of 32 x 8.
TiledTensorMap makeMap() {
  TiledTensorMap map;
  map.dtype = 7;
  map.address = 1024;
  map.rank = 2;
  map.dims[0] = 64, map.dims[1] = 100;
  map.strides[1] = 256;
  map.box[0] = 32, map.box[1] = 8;
  map.elementStrides[0] = map.elementStrides[1] = 1;
  return map;
}

/// The message, or nothing.
std::string encode(const TiledTensorMap &map) {
  uint8_t bytes[kTensorMapBytes];
  Status status = encodeTensorMap(map, bytes);
  return status.ok() ? "" : status.getMessage();
}

template <typename Edit> std::string encodeEdited(Edit edit) {
  TiledTensorMap map = makeMap();
  edit(map);
  return encode(map);
}
} // namespace

TEST(TensorMapTest, EncodesWhatIsLegal) {
  EXPECT_EQ(encode(makeMap()), "");
  for (uint32_t swizzle : {0u, 3u})
    EXPECT_EQ(encodeEdited([&](auto &map) { map.swizzle = swizzle; }), "");
  EXPECT_EQ(encodeEdited([](auto &map) { map.fill = 1; }), "");
  EXPECT_EQ(encodeEdited([](auto &map) { map.dims[1] = uint64_t(1) << 32; }),
            "");
  EXPECT_EQ(encodeEdited([](auto &map) { map.elementStrides[1] = 8; }), "");
}

TEST(TensorMapTest, RefusesWhatADriverRefuses) {
  using Map = TiledTensorMap;
  EXPECT_EQ(encodeEdited([](Map &map) { map.dtype = 10; }),
            "tensor map: expected a dtype from 0 to 9, but got 10");
  EXPECT_EQ(encodeEdited([](Map &map) { map.rank = 6; }),
            "tensor map: expected a rank from 1 to 5, but got 6");
  EXPECT_EQ(encodeEdited([](Map &map) { map.address = 8; }),
            "tensor map: expected an address that is a multiple of 16");
  EXPECT_EQ(encodeEdited([](Map &map) { map.dims[1] = 0; }),
            "tensor map: expected dims[1] from 1 to 4294967296, but got 0");
  EXPECT_EQ(encodeEdited([](Map &map) { map.strides[1] = 264; }),
            "tensor map: expected strides[1] from 16 to 1099511627775 that is "
            "a multiple of 16, but got 264");
  EXPECT_EQ(encodeEdited([](Map &map) { map.box[1] = 257; }),
            "tensor map: expected box[1] from 1 to 256, but got 257");
  EXPECT_EQ(encodeEdited([](Map &map) { map.elementStrides[1] = 9; }),
            "tensor map: expected element_strides[1] from 1 to 8, but got 9");
  EXPECT_EQ(encodeEdited([](Map &map) { map.box[0] = 3; }),
            "tensor map: expected a multiple of 16 bytes in box[0], but got "
            "12");
  EXPECT_EQ(encodeEdited([](Map &map) { map.swizzle = 2; }),
            "tensor map: expected at most 64 bytes in box[0] because of the "
            "swizzle, but got 128");
  EXPECT_EQ(encodeEdited([](Map &map) { map.dtype = 2, map.fill = 1; }),
            "tensor map: expected fill 0 with dtype U32, but got 1");
  EXPECT_EQ(encodeEdited([](Map &map) { map.interleave = 1; }),
            "tensor map: expected no interleaving, which the simulator does "
            "not know, but got 1");
}
