//===- CudaRun.cpp - What a program's host code asks of a GPU -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaRun.h"
#include "nvfp4/Runtime/Messages.h"

#include <algorithm>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::cuda;

static DevicePtr getAddress(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

int32_t CudaRun::fail(const Status &status) {
  if (status)
    return 0;
  if (message.empty())
    message = status.getMessage();
  return 1;
}

nvfp4_context CudaRun::getTable() {
  nvfp4_context table = {};
  table.struct_size = sizeof(table);
  table.user = this;
  table.fail = [](void *user, const char *text) {
    return static_cast<CudaRun *>(user)->fail(Status::error(text));
  };
  // Kernels do the work here; the host's loops are small.
  table.parallel_for = [](void *, int64_t count,
                          void (*body)(void *, int64_t, int64_t), void *state) {
    if (count > 0)
      body(state, 0, count);
  };
  table.launch = [](void *user, uint32_t kernel, const uint32_t grid[3],
                    const uint32_t block[3], uint32_t dynamicSharedBytes,
                    const void *const *args) {
    auto &run = *static_cast<CudaRun *>(user);
    return run.fail(run.launch(kernel, grid, block, dynamicSharedBytes, args));
  };
  table.copy = [](void *user, void *target, const void *source,
                  uint64_t bytes) -> int32_t {
    auto &run = *static_cast<CudaRun *>(user);
    if (bytes == 0)
      return 0;
    return run.fail(run.context.check(
        run.context.getDriver().copyOnDevice(
            getAddress(target), getAddress(source), bytes, run.stream),
        "cuMemcpyDtoDAsync"));
  };
  table.fill = [](void *user, void *target, const void *value,
                  uint32_t valueBytes, uint64_t count) {
    auto &run = *static_cast<CudaRun *>(user);
    return run.fail(run.fill(target, value, valueBytes, count));
  };
  table.tensor_map = [](void *user, const nvfp4_tensor_map *map, void *target) {
    auto &run = *static_cast<CudaRun *>(user);
    return run.fail(run.encode(*map, target));
  };
  return table;
}

Status CudaRun::launch(uint32_t kernel, const uint32_t grid[3],
                       const uint32_t block[3], uint32_t dynamicSharedBytes,
                       const void *const *args) {
  size_t numKernels = module ? module->getKernels().size() : 0;
  if (kernel >= numKernels)
    return Status::error("launch: expected a kernel below " +
                         std::to_string(numKernels) + ", but got " +
                         std::to_string(kernel));
  const CudaModule::Kernel &found = module->getKernels()[kernel];
  std::string place =
      "kernel " + quote(found.name) + " of " + module->getPlace() + ": ";
  if (dynamicSharedBytes > static_cast<uint32_t>(found.maxDynamicSharedBytes))
    return Status::error(place + "expected at most " +
                         std::to_string(found.maxDynamicSharedBytes) +
                         " bytes of dynamic shared memory, but got " +
                         std::to_string(dynamicSharedBytes));
  LaunchAttribute attributes[2] = {};
  LaunchConfig config = {};
  std::copy(grid, grid + 3, config.grid);
  std::copy(block, block + 3, config.block);
  config.sharedMemBytes = dynamicSharedBytes;
  config.stream = stream;
  config.attributes = attributes;
  if (found.cluster[0] != 0) {
    LaunchAttribute &attribute = attributes[config.numAttributes++];
    attribute.id = kClusterDimension;
    std::copy(found.cluster, found.cluster + 3, attribute.value.clusterDim);
  }
  if (found.isProgrammatic) {
    LaunchAttribute &attribute = attributes[config.numAttributes++];
    attribute.id = kProgrammaticStreamSerialization;
    attribute.value.isProgrammatic = 1;
  }
  ++numLaunches;
  lastKernel = &found;
  // The driver copies the arguments, and does not write them.
  Status status = context.check(
      context.getDriver().launchKernel(&config, found.function,
                                       const_cast<void **>(args), nullptr),
      "cuLaunchKernelEx");
  return status ? status : Status::error(place + status.getMessage());
}

Status CudaRun::fill(void *target, const void *value, uint32_t valueBytes,
                     uint64_t count) {
  const Driver &driver = context.getDriver();
  DevicePtr address = getAddress(target);
  if (count == 0)
    return Status();
  uint32_t bits = 0;
  if (valueBytes <= sizeof(bits))
    std::memcpy(&bits, value, valueBytes);
  switch (valueBytes) {
  case 1:
    return context.check(
        driver.fill8(address, static_cast<uint8_t>(bits), count, stream),
        "cuMemsetD8Async");
  case 2:
    return context.check(
        driver.fill16(address, static_cast<uint16_t>(bits), count, stream),
        "cuMemsetD16Async");
  case 4:
    return context.check(driver.fill32(address, bits, count, stream),
                         "cuMemsetD32Async");
  default:
    return Status::error("fill: expected values of 1, 2 or 4 bytes, but got " +
                         std::to_string(valueBytes));
  }
}

Status CudaRun::encode(const nvfp4_tensor_map &map, void *target) {
  if (map.struct_size < sizeof(map) || map.rank == 0 ||
      map.rank > NVFP4_TENSOR_MAP_MAX_RANK)
    return Status::error("tensor map: expected a rank from 1 to " +
                         std::to_string(NVFP4_TENSOR_MAP_MAX_RANK) +
                         ", but got " + std::to_string(map.rank));
  uint64_t dims[NVFP4_TENSOR_MAP_MAX_RANK];
  for (uint32_t i = 0; i < map.rank; ++i)
    dims[i] = std::max<uint64_t>(map.dims[i], 1);
  TensorMap encoded;
  Status status = context.check(
      context.getDriver().tensorMapEncodeTiled(
          &encoded, static_cast<int>(map.dtype), map.rank,
          const_cast<void *>(map.address), dims, map.strides + 1, map.box,
          map.element_strides, static_cast<int>(map.interleave),
          static_cast<int>(map.swizzle), static_cast<int>(map.l2_promotion),
          static_cast<int>(map.fill)),
      "cuTensorMapEncodeTiled");
  if (status)
    std::memcpy(target, &encoded, sizeof(encoded));
  return status;
}
