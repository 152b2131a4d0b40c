//===- CudaModule.h - The kernels of a program on a GPU ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_CUDA_CUDAMODULE_H
#define NVFP4_LIB_RUNTIME_CUDA_CUDAMODULE_H

#include "CudaContext.h"
#include "nvfp4/Runtime/Device.h"

namespace nvfp4::cuda {

/// The loaded kernels of one program, in the order of its descriptor.
class CudaModule final : public DeviceModule {
public:
  struct Kernel {
    std::string name;
    Function function = nullptr;
    uint32_t cluster[3] = {0, 0, 0};
    bool isProgrammatic = false;
    /// What the kernel may have beside the shared memory that it declares.
    int maxDynamicSharedBytes = 0;
  };

  /// Loads the first image that the GPU runs; one that the driver refuses gives
  /// way to the next. `place` names program.so.
  static Result<std::unique_ptr<DeviceModule>>
  load(std::shared_ptr<const CudaContext> context,
       const nvfp4_program_descriptor &program, const std::string &place);
  ~CudaModule() override;

  const std::vector<Kernel> &getKernels() const { return kernels; }
  const std::string &getPlace() const { return place; }

private:
  CudaModule() = default;
  Status loadImage(const nvfp4_image &image);
  Status loadKernel(const nvfp4_kernel &row);

  std::shared_ptr<const CudaContext> context;
  std::string place;
  Module handle = nullptr;
  std::vector<Kernel> kernels;
};

} // namespace nvfp4::cuda

#endif // NVFP4_LIB_RUNTIME_CUDA_CUDAMODULE_H
