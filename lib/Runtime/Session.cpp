//===- Session.cpp - Run a package on a device ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opens a package on a device and places its weights there. What a run is:
// Execution.cpp.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Session.h"
#include "SessionState.h"
#include "nvfp4/Runtime/Messages.h"

#include <algorithm>
#include <cstdlib>

using namespace nvfp4;

//===----------------------------------------------------------------------===//
// HostTensor
//===----------------------------------------------------------------------===//

void HostTensor::Free::operator()(void *memory) const { std::free(memory); }

Result<HostTensor> HostTensor::allocate(DType dtype,
                                        std::vector<int64_t> shape) {
  std::optional<uint64_t> bytes = getTensorBytes(dtype, shape);
  if (!bytes)
    return Status::error(
        "expected a tensor of a possible size, but got shape " +
        formatShape(shape) + " of " + std::string(getDTypeName(dtype)));
  HostTensor tensor;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.bytes = *bytes;
  // Sizes end below 2^61, so the rounding cannot overflow; never 0.
  uint64_t rounded =
      (std::max<uint64_t>(*bytes, 1) + NVFP4_BUFFER_ALIGNMENT - 1) /
      NVFP4_BUFFER_ALIGNMENT * NVFP4_BUFFER_ALIGNMENT;
  tensor.memory.reset(std::aligned_alloc(NVFP4_BUFFER_ALIGNMENT, rounded));
  if (!tensor.memory)
    return Status::error("expected " + std::to_string(*bytes) +
                         " bytes of memory for a tensor, but got none");
  return tensor;
}

//===----------------------------------------------------------------------===//
// Session
//===----------------------------------------------------------------------===//

Session::Session(std::shared_ptr<State> state) : state(std::move(state)) {}
Session::~Session() = default;

Result<const void *>
Session::State::placeWeight(const ManifestArgument &argument) {
  const void *data = package->getWeightData(argument.weightName);
  if (device->usesHostMemory() && isBufferAligned(data))
    return data;
  auto it = copiedWeights.find(argument.weightName);
  if (it != copiedWeights.end())
    return const_cast<const void *>(it->second.data());
  uint64_t bytes = *getTensorBytes(argument.dtype, argument.shape);
  Result<DeviceBuffer> buffer = DeviceBuffer::allocate(device, bytes);
  if (!buffer)
    return buffer.getStatus();
  if (Status status = device->copyIn(buffer->data(), data, bytes); !status)
    return status;
  const void *copy = buffer->data();
  copiedWeights.emplace(argument.weightName, std::move(*buffer));
  copiedWeightBytes += bytes;
  return copy;
}

Status Session::State::placeWeights() {
  for (const ManifestEntry &entry : package->getManifest().entries) {
    std::vector<const void *> pointers;
    for (const ManifestArgument &argument : entry.arguments) {
      pointers.push_back(nullptr);
      if (argument.isInput())
        continue;
      Result<const void *> weight = placeWeight(argument);
      if (!weight)
        return Status::error("weight " + quote(argument.weightName) + ": " +
                             weight.getMessage());
      pointers.back() = *weight;
    }
    arguments.push_back(std::move(pointers));
  }
  return Status();
}

Result<std::unique_ptr<Session>> Session::open(const std::string &path,
                                               const DeviceRegistry &devices,
                                               const SessionOptions &options) {
  Result<std::shared_ptr<Device>> device =
      devices.create(options.device, options.deviceOptions);
  if (!device)
    return device.getStatus();
  Result<std::unique_ptr<Package>> package =
      Package::open(path, **device, options.packageOptions);
  if (!package)
    return package.getStatus();
  auto state = std::make_shared<State>();
  state->device = std::move(*device);
  state->package = std::move(*package);
  Result<std::unique_ptr<DeviceModule>> module = state->device->loadModule(
      state->package->getProgram(),
      quote(path + "/" + std::string(kProgramFileName)));
  if (!module)
    return module.getStatus();
  state->module = std::move(*module);
  Status status = state->placeWeights();
  // Runs may be enqueued on other streams than the copies of the weights.
  if (status)
    status = state->device->synchronize(nullptr);
  if (!status)
    return status;
  return std::unique_ptr<Session>(new Session(std::move(state)));
}

const Manifest &Session::getManifest() const {
  return state->package->getManifest();
}

const Device &Session::getDevice() const { return *state->device; }

uint64_t Session::getCopiedWeightBytes() const {
  return state->copiedWeightBytes;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Result<std::vector<HostTensor>>
Session::run(size_t entry, const std::vector<TensorView> &inputs,
             RunStats *stats) const {
  Result<std::unique_ptr<Execution>> execution = bind(entry, inputs);
  if (!execution)
    return execution.getStatus();
  Status status = (*execution)->enqueue();
  if (status)
    status = (*execution)->wait();
  if (!status)
    return status;
  if (stats)
    *stats = (*execution)->getStats();
  return (*execution)->takeResults();
}
