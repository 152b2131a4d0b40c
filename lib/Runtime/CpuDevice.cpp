//===- CpuDevice.cpp - Run a package in this process ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Products.h"
#include "Scratch.h"

#include "nvfp4/Runtime/CpuFeatures.h"
#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Runtime/ThreadPool.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace nvfp4;

namespace {

/// What a context's `user` points to: one run.
struct CpuRun {
  CpuResources cpu;
  std::mutex mutex;
  /// The first message wins; several threads may fail at once.
  std::string message;

  static int32_t fail(void *user, const char *message) {
    CpuRun &run = *static_cast<CpuRun *>(user);
    std::lock_guard<std::mutex> lock(run.mutex);
    if (run.message.empty())
      run.message = message;
    return 1;
  }
  static void parallelFor(void *user, int64_t count, ThreadPool::Body body,
                          void *state) {
    static_cast<CpuRun *>(user)->cpu.threads.parallelFor(count, body, state);
  }
  static int32_t copy(void *, void *target, const void *source,
                      uint64_t bytes) {
    if (bytes != 0)
      std::memcpy(target, source, bytes);
    return 0;
  }
  static int32_t fill(void *user, void *target, const void *value,
                      uint32_t valueBytes, uint64_t count) {
    if (valueBytes != 1 && valueBytes != 2 && valueBytes != 4)
      return fail(user, "fill: expected values of 1, 2 or 4 bytes");
    char *out = static_cast<char *>(target);
    for (uint64_t i = 0; i < count; ++i)
      std::memcpy(out + i * valueBytes, value, valueBytes);
    return 0;
  }
  /// One of Products.h as a function of the context.
  template <typename Struct,
            Status (*function)(const Struct &, const CpuResources &)>
  static int32_t call(void *user, const Struct *operands) {
    Status status = function(*operands, static_cast<CpuRun *>(user)->cpu);
    return status ? 0 : fail(user, status.getMessage().c_str());
  }
};

class CpuDevice final : public Device {
public:
  explicit CpuDevice(const DeviceOptions &options)
      : threads(options.numThreads) {}

  std::string_view getName() const override { return "cpu"; }

  Status checkTarget(const ManifestTarget &target,
                     const std::string &place) const override {
    return checkCpu(target, CpuFeatures::detect(), place);
  }

  MemorySpace getMemorySpace() const override { return {}; }

  Result<void *> allocate(uint64_t bytes) override {
    // A size of aligned_alloc is a multiple of the alignment, and not 0.
    uint64_t rounded = std::max<uint64_t>(bytes, 1);
    if (rounded > SIZE_MAX - NVFP4_BUFFER_ALIGNMENT)
      return outOfMemory(bytes);
    rounded = (rounded + NVFP4_BUFFER_ALIGNMENT - 1) / NVFP4_BUFFER_ALIGNMENT *
              NVFP4_BUFFER_ALIGNMENT;
    void *memory = std::aligned_alloc(NVFP4_BUFFER_ALIGNMENT, rounded);
    if (!memory)
      return outOfMemory(bytes);
    return memory;
  }
  void free(void *memory) override { std::free(memory); }

  Status copyIn(void *target, const void *source, uint64_t bytes) override {
    return copy(target, source, bytes);
  }
  Status copyOut(void *target, const void *source, uint64_t bytes) override {
    return copy(target, source, bytes);
  }
  Status zero(void *memory, uint64_t bytes) override {
    if (bytes != 0)
      std::memset(memory, 0, bytes);
    return Status();
  }

  Status run(const nvfp4_entry &entry, const DeviceModule *,
             const int64_t *dims, const void *const *args, void *const *results,
             void *workspace, DeviceStream) override {
    CpuRun run{{threads, scratch}, {}, {}};
    nvfp4_context context = {};
    context.struct_size = sizeof(context);
    context.user = &run;
    context.fail = CpuRun::fail;
    context.parallel_for = CpuRun::parallelFor;
    context.copy = CpuRun::copy;
    context.fill = CpuRun::fill;
    context.gemm_f32 = CpuRun::call<nvfp4_gemm, multiplyMatrices>;
    context.scaled_product = CpuRun::call<nvfp4_scaled_product, multiplyScaled>;
    context.quantize = CpuRun::call<nvfp4_conversion, convertToBlocks>;
    context.dequantize = CpuRun::call<nvfp4_conversion, convertFromBlocks>;
    int32_t status = entry.run(&context, dims, args, results, workspace);
    if (status == 0)
      return Status();
    return Status::error(
        "entry '" + std::string(entry.name) + "': " +
        (run.message.empty() ? "expected success, but got status " +
                                   std::to_string(status) + " without a message"
                             : run.message));
  }

private:
  static Status outOfMemory(uint64_t bytes) {
    return Status::error("device 'cpu': expected " + std::to_string(bytes) +
                         " bytes of memory, but got none");
  }
  static Status copy(void *target, const void *source, uint64_t bytes) {
    if (bytes != 0)
      std::memcpy(target, source, bytes);
    return Status();
  }

  ThreadPool threads;
  ScratchPool scratch;
};

} // namespace

std::shared_ptr<Device> nvfp4::createCpuDevice(const DeviceOptions &options) {
  return std::make_shared<CpuDevice>(options);
}
