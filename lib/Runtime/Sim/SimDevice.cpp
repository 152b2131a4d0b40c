//===- SimDevice.cpp - Run packages in the PTX simulator ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pointers of this device are addresses of simulated global memory, so that a
// program that touches them on the host fails here as it would on a GPU.
// Enqueued means done. One run at a time: simulated memory is not shared.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/SimDevice.h"
#include "nvfp4/Runtime/CpuFeatures.h"
#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Simulator/PTX/TensorMap.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>

using namespace nvfp4;

static uint64_t getAddress(const void *pointer) {
  return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(pointer));
}

namespace {

/// The kernels of one program.
class SimModule final : public DeviceModule {
public:
  struct Kernel {
    std::string name;
    std::vector<uint32_t> argumentBytes;
    std::array<uint32_t, 3> cluster = {1, 1, 1};
  };
  std::shared_ptr<const ptx::Program> program;
  std::vector<Kernel> kernels;
};

class SimDevice final : public Device {
public:
  explicit SimDevice(const ptx::Options &options) : options(options) {}
  ~SimDevice() override {
    for (auto &[address, buffer] : buffers)
      std::free(buffer.data);
  }

  std::string_view getName() const override { return "sim"; }
  bool runsPackagesFor(std::string_view device) const override {
    return device == "sim" || device == "cuda";
  }
  Status checkTarget(const ManifestTarget &target,
                     const std::string &place) const override {
    // The chip is what PTX says. The host code is this machine's business.
    return checkCpu(target, CpuFeatures::detect(), place);
  }

  MemorySpace getMemorySpace() const override {
    return {MemorySpace::Kind::Private, 0};
  }
  Result<void *> allocate(uint64_t bytes) override;
  void free(void *memory) override;
  Status copyIn(void *target, const void *source, uint64_t bytes) override;
  Status copyOut(void *target, const void *source, uint64_t bytes) override;
  Status zero(void *memory, uint64_t bytes) override;

  Result<std::unique_ptr<DeviceModule>>
  loadModule(const nvfp4_program_descriptor &program,
             const std::string &place) override;
  Status run(const nvfp4_entry &entry, const DeviceModule *module,
             const int64_t *dims, const void *const *args, void *const *results,
             void *workspace, DeviceStream stream) override;

private:
  struct Buffer {
    void *data = nullptr;
    uint64_t bytes = 0;
  };
  friend struct SimRun;

  /// Host memory behind a range of the device; null when it is none.
  Result<char *> find(const void *pointer, uint64_t bytes) const;

  ptx::Options options;
  std::mutex mutex;
  ptx::DeviceMemory memory;
  std::map<uint64_t, Buffer> buffers;
  uint64_t numAllocated = 0;
};

/// What a context's `user` points to: one run, under the device's mutex.
struct SimRun {
  SimDevice &device;
  const SimModule *module;
  std::mutex mutex;
  std::string message;

  static int32_t fail(void *user, const char *message) {
    SimRun &run = *static_cast<SimRun *>(user);
    std::lock_guard<std::mutex> lock(run.mutex);
    if (run.message.empty())
      run.message = message;
    return 1;
  }
  static int32_t fail(void *user, const Status &status) {
    return status ? 0 : fail(user, status.getMessage().c_str());
  }
  /// Kernels do the work here; the host's loops are small.
  static void parallelFor(void *, int64_t count,
                          void (*body)(void *, int64_t, int64_t), void *state) {
    if (count > 0)
      body(state, 0, count);
  }
  static int32_t launch(void *user, uint32_t kernel, const uint32_t grid[3],
                        const uint32_t block[3], uint32_t dynamicSharedBytes,
                        const void *const *args);
  static int32_t copy(void *user, void *target, const void *source,
                      uint64_t bytes);
  static int32_t fill(void *user, void *target, const void *value,
                      uint32_t valueBytes, uint64_t count);
  static int32_t encode(void *user, const nvfp4_tensor_map *map, void *target);
};

} // namespace

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result<void *> SimDevice::allocate(uint64_t bytes) {
  uint64_t rounded = std::max<uint64_t>(bytes, 1);
  void *data = nullptr;
  if (rounded <= SIZE_MAX - NVFP4_BUFFER_ALIGNMENT)
    data =
        std::aligned_alloc(NVFP4_BUFFER_ALIGNMENT,
                           (rounded + NVFP4_BUFFER_ALIGNMENT - 1) /
                               NVFP4_BUFFER_ALIGNMENT * NVFP4_BUFFER_ALIGNMENT);
  if (!data)
    return Status::error("device 'sim': expected " + std::to_string(bytes) +
                         " bytes of memory, but got none");
  std::lock_guard<std::mutex> lock(mutex);
  uint64_t address = memory.map(data, rounded,
                                "buffer " + std::to_string(numAllocated++) +
                                    " of " + std::to_string(bytes) + " bytes",
                                ptx::DeviceMemory::Contents::Undefined);
  buffers.emplace(address, Buffer{data, rounded});
  return reinterpret_cast<void *>(static_cast<uintptr_t>(address));
}

void SimDevice::free(void *pointer) {
  std::lock_guard<std::mutex> lock(mutex);
  auto it = buffers.find(getAddress(pointer));
  if (it == buffers.end())
    return;
  memory.unmap(it->first);
  std::free(it->second.data);
  buffers.erase(it);
}

Result<char *> SimDevice::find(const void *pointer, uint64_t bytes) const {
  void *data = memory.find(getAddress(pointer), bytes);
  if (data)
    return static_cast<char *>(data);
  char address[32];
  std::snprintf(address, sizeof(address), "0x%llx",
                static_cast<unsigned long long>(getAddress(pointer)));
  return Status::error("expected " + std::to_string(bytes) +
                       " bytes within one buffer of device 'sim', but got "
                       "address " +
                       address);
}

Status SimDevice::copyIn(void *target, const void *source, uint64_t bytes) {
  if (bytes == 0)
    return Status();
  std::lock_guard<std::mutex> lock(mutex);
  Result<char *> data = find(target, bytes);
  if (!data)
    return data.getStatus();
  std::memcpy(*data, source, bytes);
  memory.markDefined(getAddress(target), bytes);
  return Status();
}

Status SimDevice::copyOut(void *target, const void *source, uint64_t bytes) {
  if (bytes == 0)
    return Status();
  std::lock_guard<std::mutex> lock(mutex);
  Result<char *> data = find(source, bytes);
  if (!data)
    return data.getStatus();
  int64_t undefined = memory.findUndefined(getAddress(source), bytes);
  if (options.checkDefinedness && undefined >= 0)
    return Status::error("R11: expected " + std::to_string(bytes) +
                         " defined bytes to copy to the host, but got an "
                         "undefined one at offset " +
                         std::to_string(undefined));
  std::memcpy(target, *data, bytes);
  return Status();
}

Status SimDevice::zero(void *pointer, uint64_t bytes) {
  if (bytes == 0)
    return Status();
  std::lock_guard<std::mutex> lock(mutex);
  Result<char *> data = find(pointer, bytes);
  if (!data)
    return data.getStatus();
  std::memset(*data, 0, bytes);
  memory.markDefined(getAddress(pointer), bytes);
  return Status();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

/// Compares a kernel of the descriptor with the entry of that name in the PTX.
static Result<SimModule::Kernel> loadKernel(const nvfp4_kernel &kernel,
                                            const ptx::Program &program,
                                            const std::string &place) {
  std::string kernelPlace = place + ": kernel " + quote(kernel.name);
  std::vector<std::string> names;
  const ptx::Program::Entry *entry = nullptr;
  for (const ptx::Program::Entry &candidate : program.getEntries()) {
    names.push_back(candidate.name);
    if (candidate.name == kernel.name)
      entry = &candidate;
  }
  if (!entry)
    return Status::error(kernelPlace +
                         ": expected an entry of the PTX, but got none of "
                         "that name" +
                         suggestNearest(kernel.name, names));
  if (entry->parameters.size() != kernel.num_args)
    return Status::error(kernelPlace + ": expected " +
                         std::to_string(entry->parameters.size()) +
                         " arguments, as the PTX says, but got " +
                         std::to_string(kernel.num_args));
  SimModule::Kernel result;
  result.name = kernel.name;
  for (uint32_t i = 0; i < kernel.num_args; ++i) {
    const ptx::Program::Parameter &parameter = entry->parameters[i];
    if (parameter.bytes != kernel.arg_bytes[i])
      return Status::error(
          kernelPlace + ": expected " + std::to_string(parameter.bytes) +
          " bytes for parameter " + quote(parameter.name) +
          ", as the PTX says, but got " + std::to_string(kernel.arg_bytes[i]));
    result.argumentBytes.push_back(kernel.arg_bytes[i]);
  }
  for (size_t i = 0; i < 3; ++i)
    result.cluster[i] = std::max(kernel.cluster[i], 1u);
  return result;
}

Result<std::unique_ptr<DeviceModule>>
SimDevice::loadModule(const nvfp4_program_descriptor &program,
                      const std::string &place) {
  if (program.num_kernels == 0)
    return std::unique_ptr<DeviceModule>();
  const nvfp4_image *end = program.images + program.num_images;
  const nvfp4_image *image =
      std::find_if(program.images, end, [](const nvfp4_image &candidate) {
        return candidate.kind == NVFP4_IMAGE_PTX;
      });
  if (image == end)
    return Status::error(place +
                         ": expected an image in PTX for device "
                         "'sim', but got none among " +
                         std::to_string(program.num_images));
  // Compilers put a null byte behind text.
  std::string text(static_cast<const char *>(image->data), image->bytes);
  text.resize(text.find_last_not_of('\0') + 1);
  auto loaded =
      ptx::Program::load(std::move(text), std::string(image->chip) + ".ptx");
  if (!loaded)
    return Status::error(place + ": " + loaded.getMessage());
  auto module = std::make_unique<SimModule>();
  module->program = std::move(*loaded);
  for (uint32_t i = 0; i < program.num_kernels; ++i) {
    Result<SimModule::Kernel> kernel =
        loadKernel(program.kernels[i], *module->program, place);
    if (!kernel)
      return kernel.getStatus();
    module->kernels.push_back(std::move(*kernel));
  }
  return std::unique_ptr<DeviceModule>(std::move(module));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

int32_t SimRun::launch(void *user, uint32_t kernel, const uint32_t grid[3],
                       const uint32_t block[3], uint32_t dynamicSharedBytes,
                       const void *const *args) {
  SimRun &run = *static_cast<SimRun *>(user);
  size_t numKernels = run.module ? run.module->kernels.size() : 0;
  if (kernel >= numKernels)
    return fail(user, Status::error("launch: expected a kernel below " +
                                    std::to_string(numKernels) + ", but got " +
                                    std::to_string(kernel)));
  const SimModule::Kernel &found = run.module->kernels[kernel];
  ptx::Launch launch;
  launch.entry = found.name;
  std::copy(grid, grid + 3, launch.grid.begin());
  std::copy(block, block + 3, launch.block.begin());
  launch.cluster = found.cluster;
  launch.dynamicSharedBytes = dynamicSharedBytes;
  for (size_t i = 0; i < found.argumentBytes.size(); ++i) {
    const uint8_t *bytes = static_cast<const uint8_t *>(args[i]);
    launch.arguments.emplace_back(bytes, bytes + found.argumentBytes[i]);
  }
  SimDevice &device = run.device;
  ptx::Report report =
      run.module->program->run(launch, device.memory, device.options);
  if (!report.hasErrors())
    return 0;
  return fail(user, Status::error("kernel " + quote(found.name) +
                                  ": expected a launch without errors, but "
                                  "got:\n" +
                                  report.toString()));
}

int32_t SimRun::copy(void *user, void *target, const void *source,
                     uint64_t bytes) {
  if (bytes == 0)
    return 0;
  SimDevice &device = static_cast<SimRun *>(user)->device;
  Result<char *> to = device.find(target, bytes);
  Result<char *> from = device.find(source, bytes);
  if (!to || !from)
    return fail(user, Status::error("copy: " + (to ? from : to).getMessage()));
  std::memmove(*to, *from, bytes);
  // Undefined bytes may be copied, and stay what they are.
  device.memory.copyDefinedness(getAddress(target), getAddress(source), bytes);
  return 0;
}

int32_t SimRun::fill(void *user, void *target, const void *value,
                     uint32_t valueBytes, uint64_t count) {
  uint64_t bytes;
  if ((valueBytes != 1 && valueBytes != 2 && valueBytes != 4) ||
      __builtin_mul_overflow(count, valueBytes, &bytes))
    return fail(user, "fill: expected values of 1, 2 or 4 bytes that fit into "
                      "memory");
  if (count == 0)
    return 0;
  SimDevice &device = static_cast<SimRun *>(user)->device;
  Result<char *> to = device.find(target, bytes);
  if (!to)
    return fail(user, Status::error("fill: " + to.getMessage()));
  for (uint64_t i = 0; i < count; ++i)
    std::memcpy(*to + i * valueBytes, value, valueBytes);
  device.memory.markDefined(getAddress(target), bytes);
  return 0;
}

static_assert(NVFP4_TENSOR_MAP_BYTES == ptx::kTensorMapBytes &&
              NVFP4_TENSOR_MAP_MAX_RANK == ptx::kMaxTensorRank);

int32_t SimRun::encode(void *user, const nvfp4_tensor_map *map, void *target) {
  ptx::TiledTensorMap tiled;
  tiled.dtype = map->dtype;
  tiled.address = getAddress(map->address);
  tiled.rank = map->rank;
  for (uint32_t i = 0; i < ptx::kMaxTensorRank; ++i) {
    tiled.dims[i] = std::max<uint64_t>(map->dims[i], 1);
    tiled.strides[i] = map->strides[i];
    tiled.box[i] = map->box[i];
    tiled.elementStrides[i] = map->element_strides[i];
  }
  tiled.swizzle = map->swizzle;
  tiled.interleave = map->interleave;
  tiled.fill = map->fill;
  uint8_t encoded[ptx::kTensorMapBytes];
  if (Status status = ptx::encodeTensorMap(tiled, encoded); !status)
    return fail(user, Status::error("tensor map: " + status.getMessage()));
  std::memcpy(target, encoded, sizeof(encoded));
  return 0;
}

Status SimDevice::run(const nvfp4_entry &entry, const DeviceModule *module,
                      const int64_t *dims, const void *const *args,
                      void *const *results, void *workspace, DeviceStream) {
  std::lock_guard<std::mutex> lock(mutex);
  SimRun run{*this, static_cast<const SimModule *>(module), {}, {}};
  nvfp4_context context = {};
  context.struct_size = sizeof(context);
  context.user = &run;
  context.fail = SimRun::fail;
  context.parallel_for = SimRun::parallelFor;
  context.launch = SimRun::launch;
  context.copy = SimRun::copy;
  context.fill = SimRun::fill;
  context.tensor_map = SimRun::encode;
  int32_t status = entry.run(&context, dims, args, results, workspace);
  if (status == 0)
    return Status();
  return Status::error("entry " + quote(entry.name) + ": " +
                       (run.message.empty()
                            ? "expected success, but got status " +
                                  std::to_string(status) + " without a message"
                            : run.message));
}

std::shared_ptr<Device> nvfp4::createSimDevice(const DeviceOptions &options,
                                               const ptx::Options &simulation) {
  ptx::Options merged = simulation;
  if (options.numThreads != 0)
    merged.numThreads = options.numThreads;
  return std::make_shared<SimDevice>(merged);
}

void nvfp4::addSimDevice(DeviceRegistry &registry,
                         const ptx::Options &simulation) {
  registry.add("sim", [simulation](const DeviceOptions &options) {
    return Result<std::shared_ptr<Device>>(
        createSimDevice(options, simulation));
  });
}
