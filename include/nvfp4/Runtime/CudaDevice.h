//===- CudaDevice.h - Run packages on NVIDIA GPUs ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The device "cuda" (the first GPU), "cuda:1" and so on. CUDA's driver is
// loaded when a device is made; neither its headers nor its libraries are
// needed before.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_CUDADEVICE_H
#define NVFP4_RUNTIME_CUDADEVICE_H

#include "nvfp4/Runtime/Device.h"

namespace nvfp4 {

struct CudaOptions {
  /// The driver: a name that the system's loader finds, or a path.
  std::string library = "libcuda.so.1";
};

/// Makes the device of GPU `options.ordinal`. It enqueues on a stream of its
/// own where the caller gives none, and shares the GPU's primary context with
/// the rest of the process. Errors: no driver; no such GPU.
Result<std::shared_ptr<Device>> createCudaDevice(const DeviceOptions &options,
                                                 const CudaOptions &cuda = {});

/// Adds "cuda" to a registry.
void addCudaDevice(DeviceRegistry &registry, const CudaOptions &cuda = {});

} // namespace nvfp4

#endif // NVFP4_RUNTIME_CUDADEVICE_H
