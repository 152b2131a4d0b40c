//===- CudaContext.h - A GPU and its primary context ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The primary context is the one that other libraries of the process use, too,
// so that addresses are exchanged freely. It is current in a thread only while
// a function of the device "cuda" runs there.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_CUDA_CUDACONTEXT_H
#define NVFP4_LIB_RUNTIME_CUDA_CUDACONTEXT_H

#include "Driver.h"

#include <string_view>

namespace nvfp4::cuda {

/// A chip as its name says it, "sm_90a": what code for it runs on.
struct ChipName {
  /// 10 * major + minor.
  int number = 0;
  /// 'a': this chip alone; 'f': its family; 0: none.
  char suffix = 0;

  /// Nothing for another form of name.
  static bool parse(std::string_view text, ChipName &chip);
  /// Whether a GPU runs machine code, or assembles PTX, for the chip.
  bool runsMachineCodeOn(int capability) const;
  bool assemblesOn(int capability) const;
};

/// A GPU whose primary context is retained.
class CudaContext {
public:
  /// Errors: no driver; no such GPU; whatever the driver says.
  static Result<std::shared_ptr<const CudaContext>>
  create(const std::string &library, int32_t ordinal);
  ~CudaContext();

  const Driver &getDriver() const { return *driver; }
  int32_t getOrdinal() const { return ordinal; }
  /// `device 'cuda:1' (NVIDIA H200, compute capability 9.0)`
  std::string describe() const;
  /// 10 * major + minor.
  int getCapability() const { return capability; }
  int getMaxSharedBytes() const { return maxSharedBytes; }

  /// An error of a call that names the GPU.
  Status check(Code code, const char *what) const;

  /// Makes the context current in this thread while it lives.
  class Current {
  public:
    explicit Current(const CudaContext &context);
    ~Current();
    Current(const Current &) = delete;
    Current &operator=(const Current &) = delete;
    const Status &getStatus() const { return status; }

  private:
    const CudaContext &context;
    Status status;
  };

private:
  CudaContext() = default;
  Status open(int32_t wanted);

  std::shared_ptr<const Driver> driver;
  int32_t ordinal = 0;
  int device = 0;
  Context context = nullptr;
  std::string name;
  int capability = 0;
  int maxSharedBytes = 0;
};

} // namespace nvfp4::cuda

#endif // NVFP4_LIB_RUNTIME_CUDA_CUDACONTEXT_H
