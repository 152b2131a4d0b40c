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

/// An order in which a device does what it is asked for: a `CUstream` of the
/// device "cuda". Null is the device's own; other devices know no other.
using DeviceStream = void *;

/// Which memory an address belongs to.
struct MemorySpace {
  enum class Kind {
    Host,    ///< of this process
    Cuda,    ///< of the NVIDIA GPU `ordinal`
    Private, ///< of one device object, whose addresses nobody else has
  };
  Kind kind = Kind::Host;
  int32_t ordinal = 0;

  bool operator==(const MemorySpace &other) const {
    return kind == other.kind && ordinal == other.ordinal;
  }
  bool operator!=(const MemorySpace &other) const { return !(*this == other); }
};

/// A point in the work of a stream, to be waited for.
class DeviceMark {
public:
  virtual ~DeviceMark();
  /// Marks what has been enqueued. Does nothing while the stream is captured.
  virtual Status record(DeviceStream stream) = 0;
  /// Returns when what the last `record` marked is done.
  virtual Status wait() = 0;
};

/// Work that was recorded once. Lives no longer than what it uses.
class DeviceGraph {
public:
  virtual ~DeviceGraph();
  /// Enqueues the recorded work.
  virtual Status launch(DeviceStream stream) = 0;
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
  bool usesHostMemory() const {
    return getMemorySpace().kind == MemorySpace::Kind::Host;
  }
  /// The memory of `allocate`. Tensors there are used where they are.
  virtual MemorySpace getMemorySpace() const = 0;
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

  /// Enqueues a copy within the device of a tensor with any strides (in
  /// elements, of any sign) to a contiguous one.
  virtual Status copyStrided(void *target, const void *source,
                             uint64_t elementBytes,
                             const std::vector<int64_t> &shape,
                             const std::vector<int64_t> &strides,
                             DeviceStream stream);
  /// Waits for all that was enqueued on a stream. Errors: what a kernel did
  /// wrong meanwhile.
  virtual Status synchronize(DeviceStream stream);
  /// Makes a mark. By default enqueued means done.
  virtual Result<std::unique_ptr<DeviceMark>> createMark();
  /// Whether `record` makes a graph that costs less than what it records.
  virtual bool hasGraphs() const;
  /// Records what `enqueue` enqueues on the stream that it is given, which runs
  /// nothing. By default a graph that calls `enqueue`.
  virtual Result<std::unique_ptr<DeviceGraph>>
  record(std::function<Status(DeviceStream)> enqueue);

  /// Loads the device code of a program, once per package. Null for a program
  /// without kernels, which every device accepts. `place` names program.so.
  /// Errors: no image that this device can run, kernels that are not in it. By
  /// default a device launches no kernels.
  virtual Result<std::unique_ptr<DeviceModule>>
  loadModule(const nvfp4_program_descriptor &program, const std::string &place);

  /// Calls `entry.run` with this device's context, which enqueues on a stream.
  /// All pointers are memory of the device, but for `dims`. `module` is what
  /// `loadModule` gave. Errors: what the program passed to `fail`; what a
  /// kernel did wrong, if that is known yet.
  virtual Status run(const nvfp4_entry &entry, const DeviceModule *module,
                     const int64_t *dims, const void *const *args,
                     void *const *results, void *workspace,
                     DeviceStream stream) = 0;
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
  /// Which of several equal devices: the number behind the colon of "cuda:1".
  int32_t ordinal = 0;
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
  /// Makes a device; `name` may end in a colon and an ordinal, which wins over
  /// that of `options`. Errors: an unknown name; whatever the device needs.
  Result<std::shared_ptr<Device>> create(const std::string &name,
                                         const DeviceOptions &options) const;

private:
  std::map<std::string, Factory> factories;
};

/// The device "cpu": this process. Enqueued means done.
std::shared_ptr<Device> createCpuDevice(const DeviceOptions &options);

} // namespace nvfp4

#endif // NVFP4_RUNTIME_DEVICE_H
