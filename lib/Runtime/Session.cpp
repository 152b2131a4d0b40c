//===- Session.cpp - Run a package on a device ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One run: bind dimensions, plan, place inputs and results, borrow a workspace,
// call the program, read the error word, bring the results back.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Session.h"
#include "Binding.h"
#include "StridedCopy.h"
#include "nvfp4/Runtime/Messages.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace nvfp4;

static bool isAligned(const void *data) {
  return reinterpret_cast<uintptr_t>(data) % NVFP4_BUFFER_ALIGNMENT == 0;
}

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
// Workspaces
//===----------------------------------------------------------------------===//

namespace {

/// Workspaces that no run uses at the moment. There are never more than runs
/// were active at once.
class WorkspacePool {
public:
  /// The smallest workspace that suffices, else a new one, for which the
  /// largest that does not is given up.
  Result<DeviceBuffer> borrow(const std::shared_ptr<Device> &device,
                              uint64_t bytes) {
    DeviceBuffer tooSmall;
    {
      std::lock_guard<std::mutex> lock(mutex);
      auto it = idle.lower_bound(bytes);
      if (it == idle.end() && !idle.empty())
        it = std::prev(it);
      if (it != idle.end()) {
        DeviceBuffer buffer = std::move(it->second);
        idle.erase(it);
        if (buffer.size() >= bytes)
          return buffer;
        tooSmall = std::move(buffer);
      }
    }
    tooSmall = DeviceBuffer();
    Result<DeviceBuffer> buffer = DeviceBuffer::allocate(device, bytes);
    if (!buffer)
      return buffer.getStatus();
    // The error word is read even if a program forgets to clear it.
    if (Status status =
            device->zero(buffer->data(), NVFP4_WORKSPACE_HEADER_BYTES);
        !status)
      return status;
    return buffer;
  }

  void giveBack(DeviceBuffer buffer) {
    std::lock_guard<std::mutex> lock(mutex);
    uint64_t bytes = buffer.size();
    idle.emplace(bytes, std::move(buffer));
  }

private:
  std::mutex mutex;
  std::multimap<uint64_t, DeviceBuffer> idle;
};

} // namespace

//===----------------------------------------------------------------------===//
// Session
//===----------------------------------------------------------------------===//

struct Session::State {
  std::shared_ptr<Device> device;
  std::unique_ptr<Package> package;
  /// The program's kernels on the device; null if it has none. Gone before the
  /// package that holds their images.
  std::unique_ptr<DeviceModule> module;
  /// Weights that could not stay in the mapped file.
  std::map<std::string, DeviceBuffer> copiedWeights;
  uint64_t copiedWeightBytes = 0;
  /// Per entry, the arguments with the weights filled in and inputs null.
  std::vector<std::vector<const void *>> arguments;
  WorkspacePool workspaces;

  Result<const void *> placeWeight(const ManifestArgument &argument);
  Status placeWeights();
};

Session::Session(std::unique_ptr<State> state) : state(std::move(state)) {}
Session::~Session() = default;

Result<const void *>
Session::State::placeWeight(const ManifestArgument &argument) {
  const void *data = package->getWeightData(argument.weightName);
  if (device->usesHostMemory() && isAligned(data))
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
  auto state = std::make_unique<State>();
  state->device = std::move(*device);
  state->package = std::move(*package);
  Result<std::unique_ptr<DeviceModule>> module = state->device->loadModule(
      state->package->getProgram(),
      quote(path + "/" + std::string(kProgramFileName)));
  if (!module)
    return module.getStatus();
  state->module = std::move(*module);
  if (Status status = state->placeWeights(); !status)
    return status;
  return std::unique_ptr<Session>(new Session(std::move(state)));
}

const Manifest &Session::getManifest() const {
  return state->package->getManifest();
}

uint64_t Session::getCopiedWeightBytes() const {
  return state->copiedWeightBytes;
}

//===----------------------------------------------------------------------===//
// One run
//===----------------------------------------------------------------------===//

namespace {

/// The buffers of one run. What it owns lives until the results are copied out.
class Run {
public:
  Run(const std::shared_ptr<Device> &device, const ManifestEntry &manifest,
      const nvfp4_entry &entry, const DeviceModule *module)
      : device(device), manifest(manifest), entry(entry), module(module) {}

  Status plan(const std::vector<TensorView> &inputs);
  Status placeInputs(const std::vector<TensorView> &inputs,
                     std::vector<const void *> weights);
  Status placeResults();
  Status execute(WorkspacePool &workspaces);

  RunStats stats;
  std::vector<HostTensor> results;

private:
  Result<const void *> placeInput(const TensorView &input);
  Status readErrorWord(const void *workspace) const;

  std::shared_ptr<Device> device;
  const ManifestEntry &manifest;
  const nvfp4_entry &entry;
  const DeviceModule *module;
  std::vector<int64_t> dims;
  std::vector<std::vector<int64_t>> resultShapes;
  int64_t workspaceBytes = 0;
  std::vector<HostTensor> hostCopies;
  std::vector<DeviceBuffer> deviceCopies, deviceResults;
  std::vector<const void *> argumentPointers;
  std::vector<void *> resultPointers;
};

} // namespace

Status Run::plan(const std::vector<TensorView> &inputs) {
  Result<std::vector<int64_t>> bound = bindDimensions(manifest, inputs);
  if (!bound)
    return bound.getStatus();
  dims = std::move(*bound);
  size_t numExtents = 0;
  for (const ManifestTensor &result : manifest.results)
    numExtents += result.shape.size();
  std::vector<int64_t> extents(numExtents, -1);
  std::string place = "entry " + quote(manifest.name);
  if (int32_t status = entry.plan(dims.data(), extents.data(), &workspaceBytes))
    return Status::error(place +
                         ": expected the program to plan, but got "
                         "status " +
                         std::to_string(status));
  if (workspaceBytes < NVFP4_WORKSPACE_HEADER_BYTES)
    return Status::error(place +
                         ": expected the program to plan a workspace "
                         "of at least " +
                         std::to_string(NVFP4_WORKSPACE_HEADER_BYTES) +
                         " bytes, but got " + std::to_string(workspaceBytes));
  Result<std::vector<std::vector<int64_t>>> shapes =
      bindResultShapes(manifest, dims, extents);
  if (!shapes)
    return shapes.getStatus();
  resultShapes = std::move(*shapes);
  return Status();
}

Result<const void *> Run::placeInput(const TensorView &input) {
  TensorView view = input;
  bool isPacked = isContiguous(view);
  bool isUsable = isPacked && view.data &&
                  (isAligned(view.data) || !device->usesHostMemory());
  if (!isUsable) {
    if (!isPacked && getDTypeBits(view.dtype) % 8 != 0)
      return Status::error("expected contiguous elements of " +
                           std::string(getDTypeName(view.dtype)) +
                           ", which are no whole bytes, but got strides " +
                           formatShape(view.strides));
    Result<HostTensor> copy = HostTensor::allocate(view.dtype, view.shape);
    if (!copy)
      return copy.getStatus();
    if (!isPacked)
      copyStrided(copy->data(), view);
    else if (copy->getBytes() != 0)
      std::memcpy(copy->data(), view.data, copy->getBytes());
    if (copy->getBytes() != 0) {
      ++stats.numCopiedInputs;
      stats.copiedInputBytes += copy->getBytes();
    }
    view = copy->getView();
    hostCopies.push_back(std::move(*copy));
  }
  if (device->usesHostMemory())
    return view.data;
  uint64_t bytes = *getTensorBytes(view.dtype, view.shape);
  Result<DeviceBuffer> buffer = DeviceBuffer::allocate(device, bytes);
  if (!buffer)
    return buffer.getStatus();
  if (Status status = device->copyIn(buffer->data(), view.data, bytes); !status)
    return status;
  const void *data = buffer->data();
  deviceCopies.push_back(std::move(*buffer));
  return data;
}

Status Run::placeInputs(const std::vector<TensorView> &inputs,
                        std::vector<const void *> weights) {
  argumentPointers = std::move(weights);
  for (size_t i = 0; i < argumentPointers.size(); ++i) {
    if (!manifest.arguments[i].isInput())
      continue;
    size_t index = *manifest.arguments[i].inputIndex;
    Result<const void *> data = placeInput(inputs[index]);
    if (!data)
      return Status::error("input " + quote(manifest.inputs[index].name) +
                           ": " + data.getMessage());
    argumentPointers[i] = *data;
  }
  return Status();
}

Status Run::placeResults() {
  for (size_t i = 0; i < manifest.results.size(); ++i) {
    std::string place = "result " + quote(manifest.results[i].name) + ": ";
    Result<HostTensor> tensor =
        HostTensor::allocate(manifest.results[i].dtype, resultShapes[i]);
    if (!tensor)
      return Status::error(place + tensor.getMessage());
    resultPointers.push_back(tensor->data());
    results.push_back(std::move(*tensor));
    if (device->usesHostMemory())
      continue;
    Result<DeviceBuffer> buffer =
        DeviceBuffer::allocate(device, results.back().getBytes());
    if (!buffer)
      return Status::error(place + buffer.getMessage());
    resultPointers.back() = buffer->data();
    deviceResults.push_back(std::move(*buffer));
  }
  return Status();
}

Status Run::readErrorWord(const void *workspace) const {
  int32_t word = 0;
  if (Status status = device->copyOut(&word, workspace, sizeof(word)); !status)
    return status;
  if (word == 0)
    return Status();
  std::string place = "entry " + quote(manifest.name) + ": ";
  if (word < 0 || static_cast<size_t>(word) > manifest.checks.size())
    return Status::error(place + "expected an error word from 0 to " +
                         std::to_string(manifest.checks.size()) + ", but got " +
                         std::to_string(word));
  return Status::error(place + manifest.checks[word - 1]);
}

Status Run::execute(WorkspacePool &workspaces) {
  Result<DeviceBuffer> workspace =
      workspaces.borrow(device, static_cast<uint64_t>(workspaceBytes));
  if (!workspace)
    return Status::error("workspace: " + workspace.getMessage());
  stats.workspaceBytes = static_cast<uint64_t>(workspaceBytes);
  Status status =
      device->run(entry, module, dims.data(), argumentPointers.data(),
                  resultPointers.data(), workspace->data());
  if (status)
    status = readErrorWord(workspace->data());
  for (size_t i = 0; status && i < deviceResults.size(); ++i)
    status = device->copyOut(results[i].data(), deviceResults[i].data(),
                             results[i].getBytes());
  workspaces.giveBack(std::move(*workspace));
  return status;
}

Result<std::vector<HostTensor>>
Session::run(size_t entry, const std::vector<TensorView> &inputs,
             RunStats *stats) const {
  const Manifest &manifest = getManifest();
  if (entry >= manifest.entries.size())
    return Status::error("expected an entry below " +
                         std::to_string(manifest.entries.size()) +
                         ", but got " + std::to_string(entry));
  Run run(state->device, manifest.entries[entry],
          state->package->getEntry(entry), state->module.get());
  Status status = run.plan(inputs);
  if (status)
    status = run.placeInputs(inputs, state->arguments[entry]);
  if (status)
    status = run.placeResults();
  if (status)
    status = run.execute(state->workspaces);
  if (!status)
    return status;
  if (stats)
    *stats = run.stats;
  return std::move(run.results);
}
