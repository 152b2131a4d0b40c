//===- CudaRun.h - What a program's host code asks of a GPU -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_CUDA_CUDARUN_H
#define NVFP4_LIB_RUNTIME_CUDA_CUDARUN_H

#include "CudaModule.h"

namespace nvfp4::cuda {

/// The table of functions that a program calls in one run, all of which enqueue
/// on one stream and wait for nothing.
class CudaRun {
public:
  CudaRun(const CudaContext &context, const CudaModule *module, Stream stream)
      : context(context), module(module), stream(stream) {}

  /// A table for a program to call, which lives as long as this.
  nvfp4_context getTable();
  const std::string &getMessage() const { return message; }
  uint64_t getNumLaunches() const { return numLaunches; }
  /// Of the last launch, if there was one.
  std::string getLastKernel() const {
    return lastKernel ? lastKernel->name : std::string();
  }

private:
  int32_t fail(const Status &status);
  Status launch(uint32_t kernel, const uint32_t grid[3],
                const uint32_t block[3], uint32_t dynamicSharedBytes,
                const void *const *args);
  Status fill(void *target, const void *value, uint32_t valueBytes,
              uint64_t count);
  Status encode(const nvfp4_tensor_map &map, void *target);

  const CudaContext &context;
  const CudaModule *module;
  Stream stream;
  /// The first one wins.
  std::string message;
  uint64_t numLaunches = 0;
  const CudaModule::Kernel *lastKernel = nullptr;
};

} // namespace nvfp4::cuda

#endif // NVFP4_LIB_RUNTIME_CUDA_CUDARUN_H
