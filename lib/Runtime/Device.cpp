//===- Device.cpp - Device memory and the registry ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Device.h"
#include "nvfp4/Runtime/Messages.h"

#include <utility>

using namespace nvfp4;

DeviceModule::~DeviceModule() = default;
Device::~Device() = default;

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

Result<std::shared_ptr<Device>>
DeviceRegistry::create(const std::string &name,
                       const DeviceOptions &options) const {
  auto it = factories.find(name);
  if (it != factories.end())
    return it->second(options);
  std::string list;
  for (const std::string &known : getNames())
    list += (list.empty() ? "" : ", ") + quote(known);
  return Status::error("device " + quote(name) + ": expected one of " + list +
                       ", but got " + quote(name));
}
