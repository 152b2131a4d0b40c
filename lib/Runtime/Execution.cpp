//===- Execution.cpp - One entry, bound to its tensors --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One run: bind dimensions, plan, place inputs and results, borrow a workspace,
// call the program, read the error word, bring the results back.
//
//===----------------------------------------------------------------------===//

#include "Binding.h"
#include "SessionState.h"
#include "StridedCopy.h"
#include "nvfp4/Runtime/Messages.h"

#include <cstring>

using namespace nvfp4;

namespace {
/// An input of the device's memory that every run copies, because of its
/// strides or its alignment.
struct DeviceCopy {
  DeviceBuffer target;
  TensorView source;
};

/// A contiguous, aligned copy of an input of the host.
struct HostCopy {
  HostTensor target;
  TensorView source;

  void write() const {
    if (!isContiguous(source))
      copyStrided(target.data(), source);
    else if (target.getBytes() != 0)
      std::memcpy(target.data(), source.data, target.getBytes());
  }
};
} // namespace

struct Execution::State {
  State(std::shared_ptr<Session::State> session, size_t index)
      : session(std::move(session)), device(this->session->device),
        manifest(this->session->package->getManifest().entries[index]),
        entry(this->session->package->getEntry(index)) {}

  Status plan(const std::vector<TensorView> &inputs);
  Status placeInputs(const std::vector<TensorView> &inputs,
                     std::vector<const void *> weights);
  Status placeResults(const std::vector<ResultTensor> &given);
  Status borrowWorkspace();
  Status enqueue(DeviceStream stream);
  Status markEnd(DeviceStream stream);
  Status readErrorWord() const;

  /// Gone last: the memory below belongs to its device.
  std::shared_ptr<Session::State> session;
  std::shared_ptr<Device> device;
  const ManifestEntry &manifest;
  const nvfp4_entry &entry;
  RunStats stats;
  std::vector<int64_t> dims;
  std::vector<std::vector<int64_t>> resultShapes;
  int64_t workspaceBytes = 0;
  DeviceBuffer workspace;
  std::vector<HostCopy> hostCopies;
  std::vector<DeviceBuffer> inputBuffers, resultBuffers;
  std::vector<DeviceCopy> deviceCopies;
  std::vector<const void *> argumentPointers;
  std::vector<void *> resultPointers;
  std::vector<HostTensor> hostResults;
  std::vector<ResultTensor> results;
  /// The end of what was enqueued last; null before.
  std::unique_ptr<DeviceMark> mark;

private:
  Result<const void *> placeInput(const TensorView &input);
  Result<const void *> placeDeviceInput(const TensorView &input);
  Status placeResult(size_t index, const ResultTensor *given);
};

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

Status Execution::State::plan(const std::vector<TensorView> &inputs) {
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

static std::string describe(const MemorySpace &space) {
  switch (space.kind) {
  case MemorySpace::Kind::Host:
    return "the host";
  case MemorySpace::Kind::Cuda:
    return "'cuda:" + std::to_string(space.ordinal) + "'";
  case MemorySpace::Kind::Private:
    return "the device";
  }
  return "";
}

static Status checkSpace(const MemorySpace &space, const Device &device) {
  if (space == device.getMemorySpace())
    return Status();
  return Status::error("expected memory of " +
                       describe(device.getMemorySpace()) +
                       ", but got that of " + describe(space));
}

static Status refusePackedBits(const TensorView &view) {
  return Status::error("expected contiguous elements of " +
                       std::string(getDTypeName(view.dtype)) +
                       ", which are no whole bytes, but got strides " +
                       formatShape(view.strides));
}

/// An input that is in the device's memory already.
Result<const void *>
Execution::State::placeDeviceInput(const TensorView &input) {
  if (Status status = checkSpace(input.space, *device); !status)
    return status;
  uint64_t bytes = *getTensorBytes(input.dtype, input.shape);
  bool isPacked = isContiguous(input);
  if (isPacked && input.data && isBufferAligned(input.data))
    return input.data;
  if (!isPacked && getDTypeBits(input.dtype) % 8 != 0)
    return refusePackedBits(input);
  Result<DeviceBuffer> buffer = DeviceBuffer::allocate(device, bytes);
  if (!buffer)
    return buffer.getStatus();
  const void *data = buffer->data();
  DeviceCopy copy{std::move(*buffer), input};
  if (isPacked) {
    copy.source.dtype = DType::U8;
    copy.source.shape = {static_cast<int64_t>(bytes)};
    copy.source.strides = {1};
  }
  if (bytes != 0) {
    ++stats.numCopiedInputs;
    stats.copiedInputBytes += bytes;
  }
  deviceCopies.push_back(std::move(copy));
  return data;
}

Result<const void *> Execution::State::placeInput(const TensorView &input) {
  if (input.space.kind != MemorySpace::Kind::Host)
    return placeDeviceInput(input);
  TensorView view = input;
  bool isPacked = isContiguous(view);
  bool isUsable = isPacked && view.data &&
                  (isBufferAligned(view.data) || !device->usesHostMemory());
  if (!isUsable) {
    if (!isPacked && getDTypeBits(view.dtype) % 8 != 0)
      return refusePackedBits(view);
    Result<HostTensor> copy = HostTensor::allocate(view.dtype, view.shape);
    if (!copy)
      return copy.getStatus();
    if (copy->getBytes() != 0) {
      ++stats.numCopiedInputs;
      stats.copiedInputBytes += copy->getBytes();
    }
    view = copy->getView();
    hostCopies.push_back({std::move(*copy), input});
    // Where the device reads the copy itself, every run writes it.
    if (!device->usesHostMemory())
      hostCopies.back().write();
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
  inputBuffers.push_back(std::move(*buffer));
  return data;
}

Status Execution::State::placeInputs(const std::vector<TensorView> &inputs,
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

/// Takes the tensor that the caller gave, or makes one.
Status Execution::State::placeResult(size_t index, const ResultTensor *given) {
  ResultTensor result{nullptr, manifest.results[index].dtype,
                      resultShapes[index], device->getMemorySpace()};
  if (given) {
    if (Status status = checkSpace(given->space, *device); !status)
      return status;
    if (given->dtype != result.dtype || given->shape != result.shape)
      return Status::error("expected " +
                           std::string(getDTypeName(result.dtype)) + " " +
                           formatShape(result.shape) + ", but got " +
                           std::string(getDTypeName(given->dtype)) + " " +
                           formatShape(given->shape));
    result.data = given->data;
    if (!result.data || !isBufferAligned(result.data))
      return Status::error("expected an address that is a multiple of " +
                           std::to_string(NVFP4_BUFFER_ALIGNMENT));
  } else if (device->usesHostMemory()) {
    Result<HostTensor> tensor =
        HostTensor::allocate(result.dtype, result.shape);
    if (!tensor)
      return tensor.getStatus();
    result.data = tensor->data();
    hostResults.push_back(std::move(*tensor));
  } else {
    std::optional<uint64_t> bytes = getTensorBytes(result.dtype, result.shape);
    if (!bytes)
      return Status::error("expected a tensor of a possible size, but got " +
                           formatShape(result.shape));
    Result<DeviceBuffer> buffer = DeviceBuffer::allocate(device, *bytes);
    if (!buffer)
      return buffer.getStatus();
    result.data = buffer->data();
    resultBuffers.push_back(std::move(*buffer));
  }
  resultPointers.push_back(result.data);
  results.push_back(std::move(result));
  return Status();
}

Status Execution::State::placeResults(const std::vector<ResultTensor> &given) {
  if (!given.empty() && given.size() != manifest.results.size())
    return Status::error("expected " + std::to_string(manifest.results.size()) +
                         " results, but got " + std::to_string(given.size()));
  for (size_t i = 0; i < manifest.results.size(); ++i)
    if (Status status = placeResult(i, given.empty() ? nullptr : &given[i]);
        !status)
      return Status::error("result " + quote(manifest.results[i].name) + ": " +
                           status.getMessage());
  return Status();
}

Status Execution::State::borrowWorkspace() {
  Result<DeviceBuffer> borrowed =
      session->workspaces.borrow(device, static_cast<uint64_t>(workspaceBytes));
  if (!borrowed)
    return Status::error("workspace: " + borrowed.getMessage());
  workspace = std::move(*borrowed);
  stats.workspaceBytes = static_cast<uint64_t>(workspaceBytes);
  return Status();
}

Result<std::unique_ptr<Execution>>
Session::bind(size_t entry, const std::vector<TensorView> &inputs,
              const std::vector<ResultTensor> &results) const {
  const Manifest &manifest = getManifest();
  if (entry >= manifest.entries.size())
    return Status::error("expected an entry below " +
                         std::to_string(manifest.entries.size()) +
                         ", but got " + std::to_string(entry));
  std::unique_ptr<Execution> execution(
      new Execution(std::make_unique<Execution::State>(state, entry)));
  Execution::State &run = *execution->state;
  Status status = run.plan(inputs);
  if (status)
    status = run.placeInputs(inputs, state->arguments[entry]);
  if (status)
    status = run.placeResults(results);
  if (status)
    status = run.borrowWorkspace();
  // Runs may be enqueued on other streams than the copies of the inputs.
  if (status && !run.inputBuffers.empty())
    status = state->device->synchronize(nullptr);
  if (!status)
    return status;
  return execution;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Status Execution::State::enqueue(DeviceStream stream) {
  if (device->usesHostMemory())
    for (const HostCopy &copy : hostCopies)
      copy.write();
  for (const DeviceCopy &copy : deviceCopies) {
    const TensorView &source = copy.source;
    if (Status status = device->copyStrided(
            copy.target.data(), source.data, getDTypeBits(source.dtype) / 8,
            source.shape, source.strides, stream);
        !status)
      return status;
  }
  Status status = device->run(entry, session->module.get(), dims.data(),
                              argumentPointers.data(), resultPointers.data(),
                              workspace.data(), stream);
  return status ? markEnd(stream) : status;
}

Status Execution::State::markEnd(DeviceStream stream) {
  if (!mark) {
    Result<std::unique_ptr<DeviceMark>> made = device->createMark();
    if (!made)
      return made.getStatus();
    mark = std::move(*made);
  }
  return mark->record(stream);
}

Status Execution::State::readErrorWord() const {
  int32_t word = 0;
  if (Status status = device->copyOut(&word, workspace.data(), sizeof(word));
      !status)
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

/// A graph whose execution knows what it has enqueued.
struct Execution::MarkedGraph final : DeviceGraph {
  explicit MarkedGraph(State &state) : state(state) {}
  Status launch(DeviceStream stream) override {
    Status status = graph->launch(stream);
    return status ? state.markEnd(stream) : status;
  }
  State &state;
  std::unique_ptr<DeviceGraph> graph;
};

Execution::Execution(std::unique_ptr<State> state) : state(std::move(state)) {}

Execution::~Execution() {
  // Memory must not serve something else while a run still uses it.
  if (state->mark)
    (void)state->mark->wait();
  if (state->workspace.data())
    state->session->workspaces.giveBack(std::move(state->workspace));
}

Status Execution::enqueue(DeviceStream stream) {
  return state->enqueue(stream);
}

Status Execution::wait(DeviceStream stream) {
  if (Status status = state->device->synchronize(stream); !status)
    return status;
  return state->readErrorWord();
}

Result<std::unique_ptr<DeviceGraph>> Execution::record() {
  Result<std::unique_ptr<DeviceGraph>> graph = state->device->record(
      [this](DeviceStream stream) { return state->enqueue(stream); });
  if (!graph)
    return graph.getStatus();
  auto marked = std::make_unique<MarkedGraph>(*state);
  marked->graph = std::move(*graph);
  return std::unique_ptr<DeviceGraph>(std::move(marked));
}

const std::vector<ResultTensor> &Execution::getResults() const {
  return state->results;
}

const RunStats &Execution::getStats() const { return state->stats; }

Result<std::vector<HostTensor>> Execution::takeResults() {
  if (state->device->usesHostMemory())
    return std::move(state->hostResults);
  std::vector<HostTensor> tensors;
  for (const ResultTensor &result : state->results) {
    Result<HostTensor> tensor =
        HostTensor::allocate(result.dtype, result.shape);
    Status status = tensor ? state->device->copyOut(tensor->data(), result.data,
                                                    tensor->getBytes())
                           : tensor.getStatus();
    if (!status)
      return status;
    tensors.push_back(std::move(*tensor));
  }
  return std::move(tensors);
}
