//===- Device.h - Where a package runs -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device owns memory and calls a program's entry with the table of functions
// that the entry may use. The runtime knows devices through this interface
// alone: another one is a class and a line in a registry.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_RUNTIME_DEVICE_H
#define NVFP4_RUNTIME_DEVICE_H

#include "nvfp4/Runtime/Manifest.h"
#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Support/Status.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nvfp4 {

/// The device code of a program, loaded by the device that made this.
class DeviceModule {
public:
  virtual ~DeviceModule();
};

/// A place to run. All members are safe to call from several threads.
class Device {
public:
  virtual ~Device();

  /// The name that manifests give in `target.device`.
  virtual std::string_view getName() const = 0;
  /// Whether it runs packages whose manifest says `target.device` is `device`:
  /// by default its own.
  virtual bool runsPackagesFor(std::string_view device) const;
  /// Whether this device can run code for `target`. Called before program.so is
  /// loaded. `place` names the package in errors.
  virtual Status checkTarget(const ManifestTarget &target,
                             const std::string &place) const = 0;

  /// Whether a program on this device reads and writes the host's memory. If so
  /// inputs, weights and results are used where they are.
  virtual bool usesHostMemory() const = 0;
  /// Memory of at least `bytes` bytes, aligned to NVFP4_BUFFER_ALIGNMENT and
  /// never null, also for 0 bytes. Its contents are undefined.
  virtual Result<void *> allocate(uint64_t bytes) = 0;
  virtual void free(void *memory) = 0;
  /// Copies from the host to the device.
  virtual Status copyIn(void *target, const void *source, uint64_t bytes) = 0;
  /// Copies from the device to the host, after all that `run` enqueued.
  virtual Status copyOut(void *target, const void *source, uint64_t bytes) = 0;
  /// Fills device memory with zero bytes.
  virtual Status zero(void *memory, uint64_t bytes) = 0;

  /// Loads the device code of a program, once per package. Null for a program
  /// without kernels, which every device accepts. `place` names program.so.
  /// Errors: no image that this device can run, kernels that are not in it. By
  /// default a device launches no kernels.
  virtual Result<std::unique_ptr<DeviceModule>>
  loadModule(const nvfp4_program_descriptor &program, const std::string &place);

  /// Calls `entry.run` with this device's context. All pointers are memory of
  /// the device, but for `dims`. `module` is what `loadModule` gave. Errors:
  /// what the program passed to `fail`; what a kernel did wrong.
  virtual Status run(const nvfp4_entry &entry, const DeviceModule *module,
                     const int64_t *dims, const void *const *args,
                     void *const *results, void *workspace) = 0;
};

/// Memory of a device, freed on destruction.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  static Result<DeviceBuffer> allocate(std::shared_ptr<Device> device,
                                       uint64_t bytes);
  DeviceBuffer(DeviceBuffer &&other) noexcept;
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  void *data() const { return memory; }
  uint64_t size() const { return bytes; }

private:
  std::shared_ptr<Device> device;
  void *memory = nullptr;
  uint64_t bytes = 0;
};

/// What a device may be told when it is made.
struct DeviceOptions {
  /// Threads of the CPU, the caller's included; 0 means all.
  unsigned numThreads = 0;
};

/// The devices of a program, by name.
class DeviceRegistry {
public:
  using Factory =
      std::function<Result<std::shared_ptr<Device>>(const DeviceOptions &)>;

  /// A registry with the devices that this library brings: "cpu".
  static DeviceRegistry createDefault();

  /// Adds a device, or replaces the one of that name.
  void add(std::string name, Factory factory);
  /// All names, sorted.
  std::vector<std::string> getNames() const;
  /// Makes a device. Errors: an unknown name; whatever the device needs.
  Result<std::shared_ptr<Device>> create(const std::string &name,
                                         const DeviceOptions &options) const;

private:
  std::map<std::string, Factory> factories;
};

/// The device "cpu": this process. Enqueued means done.
std::shared_ptr<Device> createCpuDevice(const DeviceOptions &options);

} // namespace nvfp4

#endif // NVFP4_RUNTIME_DEVICE_H
