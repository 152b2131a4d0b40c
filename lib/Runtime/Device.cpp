//===- Device.cpp - Device memory and the registry ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Runtime/Messages.h"

#include <optional>
#include <utility>

using namespace nvfp4;

DeviceModule::~DeviceModule() = default;
DeviceMark::~DeviceMark() = default;
DeviceGraph::~DeviceGraph() = default;
Device::~Device() = default;

namespace {
/// Of devices for which enqueued means done.
struct DoneMark final : DeviceMark {
  Status record(DeviceStream) override { return Status(); }
  Status wait() override { return Status(); }
};
struct RepeatedCall final : DeviceGraph {
  std::function<Status(DeviceStream)> enqueue;
  Status launch(DeviceStream stream) override { return enqueue(stream); }
};
} // namespace

Status Device::copyStrided(void *, const void *, uint64_t,
                           const std::vector<int64_t> &,
                           const std::vector<int64_t> &, DeviceStream) {
  return Status::error("expected tensors in the host's memory for device " +
                       quote(getName()) + ", but got one in another");
}
Status Device::synchronize(DeviceStream) { return Status(); }
Result<std::unique_ptr<DeviceMark>> Device::createMark() {
  return std::unique_ptr<DeviceMark>(std::make_unique<DoneMark>());
}
bool Device::hasGraphs() const { return false; }
Result<std::unique_ptr<DeviceGraph>>
Device::record(std::function<Status(DeviceStream)> enqueue) {
  auto graph = std::make_unique<RepeatedCall>();
  graph->enqueue = std::move(enqueue);
  return std::unique_ptr<DeviceGraph>(std::move(graph));
}

bool Device::runsPackagesFor(std::string_view device) const {
  return device == getName();
}

Result<std::unique_ptr<DeviceModule>>
Device::loadModule(const nvfp4_program_descriptor &program,
                   const std::string &place) {
  if (program.num_kernels == 0)
    return std::unique_ptr<DeviceModule>();
  return Status::error(place +
                       ": expected a program without kernels for "
                       "device " +
                       quote(getName()) + ", which launches none, but got " +
                       std::to_string(program.num_kernels) +
                       ", the first of them " + quote(program.kernels[0].name));
}

//===----------------------------------------------------------------------===//
// DeviceBuffer
//===----------------------------------------------------------------------===//

Result<DeviceBuffer> DeviceBuffer::allocate(std::shared_ptr<Device> device,
                                            uint64_t bytes) {
  Result<void *> memory = device->allocate(bytes);
  if (!memory)
    return memory.getStatus();
  DeviceBuffer buffer;
  buffer.device = std::move(device);
  buffer.memory = *memory;
  buffer.bytes = bytes;
  return buffer;
}

DeviceBuffer::DeviceBuffer(DeviceBuffer &&other) noexcept {
  *this = std::move(other);
}

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  std::swap(device, other.device);
  std::swap(memory, other.memory);
  std::swap(bytes, other.bytes);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (device)
    device->free(memory);
}

//===----------------------------------------------------------------------===//
// DeviceRegistry
//===----------------------------------------------------------------------===//

DeviceRegistry DeviceRegistry::createDefault() {
  DeviceRegistry registry;
  registry.add("cpu", [](const DeviceOptions &options) {
    return Result<std::shared_ptr<Device>>(createCpuDevice(options));
  });
  return registry;
}

void DeviceRegistry::add(std::string name, Factory factory) {
  factories[std::move(name)] = std::move(factory);
}

std::vector<std::string> DeviceRegistry::getNames() const {
  std::vector<std::string> names;
  names.reserve(factories.size());
  for (const auto &[name, factory] : factories)
    names.push_back(name);
  return names;
}

/// "cuda:1" as "cuda" and 1; nothing if that is not its form.
static std::optional<std::pair<std::string, int32_t>>
splitOrdinal(const std::string &name) {
  size_t colon = name.rfind(':');
  // Nine digits fit; more devices do not.
  if (colon == std::string::npos || colon + 1 == name.size() ||
      name.size() - colon > 10 ||
      name.find_first_not_of("0123456789", colon + 1) != std::string::npos)
    return std::nullopt;
  return std::pair(name.substr(0, colon),
                   static_cast<int32_t>(std::stol(name.substr(colon + 1))));
}

Result<std::shared_ptr<Device>>
DeviceRegistry::create(const std::string &name,
                       const DeviceOptions &options) const {
  auto it = factories.find(name);
  if (it != factories.end())
    return it->second(options);
  if (auto split = splitOrdinal(name)) {
    it = factories.find(split->first);
    DeviceOptions numbered = options;
    numbered.ordinal = split->second;
    if (it != factories.end())
      return it->second(numbered);
  }
  std::string list;
  for (const std::string &known : getNames())
    list += (list.empty() ? "" : ", ") + quote(known);
  return Status::error("device " + quote(name) + ": expected one of " + list +
                       ", but got " + quote(name));
}
