//===- Staging.h - Copies through pinned memory -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU copies at full speed, and beside other work, only from and to pinned
// pages. Two pinned buffers take turns: while the GPU copies one, the CPU fills
// or empties the other.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_CUDA_STAGING_H
#define NVFP4_LIB_RUNTIME_CUDA_STAGING_H

#include "CudaContext.h"

#include <array>
#include <mutex>

namespace nvfp4::cuda {

/// Copies on one stream. The context must be current.
class Staging {
public:
  explicit Staging(std::shared_ptr<const CudaContext> context)
      : context(std::move(context)) {}
  /// Gives the buffers back. Nothing else may be called then.
  void release();

  /// Returns when `source` has been read, not when `target` is written.
  Status copyIn(DevicePtr target, const void *source, uint64_t bytes,
                Stream stream);
  /// Returns when `target` is written.
  Status copyOut(void *target, DevicePtr source, uint64_t bytes, Stream stream);

private:
  struct Slot {
    void *memory = nullptr;
    Event event = nullptr;
  };
  Status prepare(Slot &slot);

  std::shared_ptr<const CudaContext> context;
  std::mutex mutex;
  std::array<Slot, 2> slots;
};

} // namespace nvfp4::cuda

#endif // NVFP4_LIB_RUNTIME_CUDA_STAGING_H
