//===- TensorMap.h - Tensor maps of the simulated device -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tensor map is 128 opaque bytes that a host encodes and that
// `cp.async.bulk.tensor` reads. Those of a GPU are its driver's secret; the
// simulator has its own, made by the function below, which refuses what the
// driver refuses.
//
// Source: CUDA driver API, cuTensorMapEncodeTiled.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SIMULATOR_PTX_TENSORMAP_H
#define NVFP4_SIMULATOR_PTX_TENSORMAP_H

#include "nvfp4/Support/Status.h"

#include <cstddef>
#include <cstdint>

namespace nvfp4::ptx {

constexpr size_t kTensorMapBytes = 128;
constexpr size_t kTensorMapAlignment = 64;
constexpr uint32_t kMaxTensorRank = 5;

/// What to encode. Numbers of dtype, swizzle, interleave and fill are those of
/// the driver API's enumerations; dimension 0 is the innermost.
struct TiledTensorMap {
  uint32_t dtype = 0;
  uint64_t address = 0;
  uint32_t rank = 0;
  uint64_t dims[kMaxTensorRank] = {};
  /// In bytes; that of dimension 0 is ignored.
  uint64_t strides[kMaxTensorRank] = {};
  uint32_t box[kMaxTensorRank] = {};
  /// That of dimension 0 is ignored, as by the hardware.
  uint32_t elementStrides[kMaxTensorRank] = {};
  /// 0: none, 1: 32 bytes, 2: 64 bytes, 3: 128 bytes.
  uint32_t swizzle = 0;
  uint32_t interleave = 0;
  /// Of elements out of bounds. 0: zeros, 1: NaN.
  uint32_t fill = 0;
};

/// Fails, saying why, if the driver would.
Status encodeTensorMap(const TiledTensorMap &map,
                       uint8_t (&target)[kTensorMapBytes]);

} // namespace nvfp4::ptx

#endif // NVFP4_SIMULATOR_PTX_TENSORMAP_H
