//===- FakeCuda.cpp - A driver whose GPUs are the simulator ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: PTX. Machine code is refused, as a driver refuses that of another
//          chip.
//
//===----------------------------------------------------------------------===//

#include "FakeCuda.h"
#include "Driver.h"
#include "nvfp4/Simulator/PTX/Simulator.h"
#include "nvfp4/Simulator/PTX/TensorMap.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

using namespace nvfp4;
using namespace nvfp4::cuda;

namespace {
constexpr int kNumDevices = 2;
constexpr Code kInvalidValue = 1, kInvalidImage = 200, kInvalidPtx = 218,
               kNotFound = 500, kIllegalAddress = 700;
constexpr int kMaxShared = 232448, kPortableShared = 49152;

struct FakeModule {
  std::shared_ptr<const ptx::Program> program;
};
struct FakeFunction {
  FakeModule *module;
  const ptx::Program::Entry *entry;
  uint32_t maxDynamicShared = kPortableShared;
  bool isNonPortable = false;
};
using Work = std::function<Code()>;
struct FakeGraph {
  std::vector<Work> work;
};
struct FakeStream {
  std::unique_ptr<FakeGraph> captured;
};
struct FakeEvent {};

/// That of Launch.c's PTX, if the environment names no other.
int getDefaultCapability() {
  const char *given = std::getenv("FAKE_CUDA_CAPABILITY");
  return given ? static_cast<int>(std::strtol(given, nullptr, 10)) : 120;
}

/// All of the driver. One lock: tests are small.
struct State {
  std::recursive_mutex mutex;
  std::map<std::string, unsigned> calls;
  std::map<std::string, Code> failures;
  /// What a kernel did wrong; all calls say so after the next wait.
  Code unknown = 0, sticky = 0;
  int capability = getDefaultCapability();
  test::FakeLaunch launch = {};
  ptx::DeviceMemory memory;
  std::map<uint64_t, std::vector<char>> buffers;
  std::map<void *, std::vector<std::unique_ptr<FakeFunction>>> functions;
};

State &getState() {
  static State state;
  return state;
}

/// Counts a call. The code of an injected failure, else 0.
Code enter(const char *symbol) {
  State &state = getState();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  ++state.calls[symbol];
  auto it = state.failures.find(symbol);
  if (it == state.failures.end())
    return 0;
  Code code = it->second;
  state.failures.erase(it);
  return code;
}

/// The same, of a function that tells what kernels did wrong.
Code enterDevice(const char *symbol) {
  Code code = enter(symbol);
  return code != 0 ? code : getState().sticky;
}

/// The same, of a function that waits.
Code enterWait(const char *symbol) {
  State &state = getState();
  if (state.unknown != 0)
    state.sticky = state.unknown;
  return enterDevice(symbol);
}

Code enqueue(Stream stream, Work work) {
  State &state = getState();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  if (fake && fake->captured) {
    fake->captured->work.push_back(std::move(work));
    return 0;
  }
  return work();
}

/// Host memory of the fake GPU, or null.
char *find(DevicePtr address, size_t bytes) {
  return static_cast<char *>(getState().memory.find(address, bytes));
}

template <typename T>
Code enqueueFill(const char *symbol, DevicePtr target, T value, size_t count,
                 Stream stream) {
  if (Code code = enterDevice(symbol))
    return code;
  return enqueue(stream, [=]() -> Code {
    auto *to = reinterpret_cast<T *>(find(target, count * sizeof(T)));
    if (!to)
      return kInvalidValue;
    std::fill(to, to + count, value);
    getState().memory.markDefined(target, count * sizeof(T));
    return 0;
  });
}
} // namespace

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

// The names are the driver's: NOLINTBEGIN(readability-identifier-naming)
extern "C" {

void fakeReset() {
  State &state = getState();
  state.calls.clear();
  state.failures.clear();
  state.unknown = state.sticky = 0;
  state.capability = getDefaultCapability();
}
unsigned fakeCountCalls(const char *symbol) { return getState().calls[symbol]; }
void fakeFail(const char *symbol, int code) {
  getState().failures[symbol] = code;
}
void fakeSetCapability(int capability) { getState().capability = capability; }
void fakeGetLaunch(test::FakeLaunch *launch) { *launch = getState().launch; }
uint64_t fakeGetAllocatedBytes() {
  uint64_t bytes = 0;
  for (const auto &[address, buffer] : getState().buffers)
    bytes += buffer.size();
  return bytes;
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

Code cuInit(unsigned) { return enter("cuInit"); }

Code cuDriverGetVersion(int *version) {
  *version = 13000;
  return enter("cuDriverGetVersion");
}
Code cuGetErrorName(Code code, const char **name) {
  if (Code failure = enter("cuGetErrorName"))
    return failure;
  *name = code == kOutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                    : "CUDA_ERROR_OF_A_TEST";
  return 0;
}
Code cuGetErrorString(Code, const char **text) {
  if (Code failure = enter("cuGetErrorString"))
    return failure;
  *text = "what the driver says";
  return 0;
}
Code cuDeviceGetCount(int *count) {
  *count = kNumDevices;
  return enter("cuDeviceGetCount");
}
Code cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return enter("cuDeviceGet");
}
Code cuDeviceGetName(char *name, int length, int) {
  std::snprintf(name, length, "a fake GPU");
  return enter("cuDeviceGetName");
}
Code cuDeviceGetAttribute(int *value, int attribute, int) {
  *value = attribute == kComputeCapabilityMajor   ? getState().capability / 10
           : attribute == kComputeCapabilityMinor ? getState().capability % 10
                                                  : kMaxShared;
  return enter("cuDeviceGetAttribute");
}
Code cuDevicePrimaryCtxRetain(Context *context, int) {
  static char object;
  *context = reinterpret_cast<Context>(&object);
  return enter("cuDevicePrimaryCtxRetain");
}
Code cuDevicePrimaryCtxRelease_v2(int) {
  return enter("cuDevicePrimaryCtxRelease_v2");
}
Code cuCtxPushCurrent_v2(Context) { return enter("cuCtxPushCurrent_v2"); }
Code cuCtxPopCurrent_v2(Context *) { return enter("cuCtxPopCurrent_v2"); }

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Code cuModuleLoadDataEx(Module *module, const void *image, unsigned count,
                        int *options, void **values) {
  if (Code code = enterDevice("cuModuleLoadDataEx"))
    return code;
  std::string text(static_cast<const char *>(image));
  if (text.find(".version") == std::string::npos)
    return kInvalidImage;
  auto program = ptx::Program::load(text, "fake.ptx");
  if (!program) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == kJitErrorLogBuffer)
        std::snprintf(static_cast<char *>(values[i]), 4096, "%s",
                      program.getMessage().c_str());
    return kInvalidPtx;
  }
  *module = reinterpret_cast<Module>(new FakeModule{std::move(*program)});
  return 0;
}
Code cuModuleUnload(Module module) {
  State &state = getState();
  state.functions.erase(module);
  delete reinterpret_cast<FakeModule *>(module);
  return enter("cuModuleUnload");
}
Code cuModuleGetFunction(Function *function, Module module, const char *name) {
  if (Code code = enterDevice("cuModuleGetFunction"))
    return code;
  auto *fake = reinterpret_cast<FakeModule *>(module);
  for (const ptx::Program::Entry &entry : fake->program->getEntries())
    if (entry.name == name) {
      auto &list = getState().functions[module];
      list.push_back(
          std::make_unique<FakeFunction>(FakeFunction{fake, &entry}));
      *function = reinterpret_cast<Function>(list.back().get());
      return 0;
    }
  return kNotFound;
}
Code cuFuncGetAttribute(int *value, int, Function) {
  *value = 1024; // of shared memory, which the kernel declares
  return enterDevice("cuFuncGetAttribute");
}
Code cuFuncSetAttribute(Function function, int attribute, int value) {
  auto *fake = reinterpret_cast<FakeFunction *>(function);
  if (attribute == kMaxDynamicSharedSizeBytes)
    fake->maxDynamicShared = value;
  if (attribute == kNonPortableClusterSizeAllowed)
    fake->isNonPortable = value != 0;
  return enterDevice("cuFuncSetAttribute");
}

Code cuLaunchKernelEx(const LaunchConfig *config, Function function,
                      void **arguments, void **) {
  if (Code code = enterDevice("cuLaunchKernelEx"))
    return code;
  State &state = getState();
  auto *fake = reinterpret_cast<FakeFunction *>(function);
  test::FakeLaunch record = {};
  record.stream = config->stream;
  record.dynamicSharedBytes = config->sharedMemBytes;
  std::copy(config->grid, config->grid + 3, record.grid);
  std::copy(config->block, config->block + 3, record.block);
  for (unsigned i = 0; i < config->numAttributes; ++i) {
    const LaunchAttribute &attribute = config->attributes[i];
    if (attribute.id == kClusterDimension)
      std::copy(attribute.value.clusterDim, attribute.value.clusterDim + 3,
                record.cluster);
    else
      record.isProgrammatic = attribute.value.isProgrammatic != 0;
  }
  state.launch = record;
  uint32_t cluster = record.cluster[0] * record.cluster[1] * record.cluster[2];
  if (config->sharedMemBytes > fake->maxDynamicShared ||
      (cluster > 8 && !fake->isNonPortable))
    return kInvalidValue;
  ptx::Launch launch;
  launch.entry = fake->entry->name;
  launch.dynamicSharedBytes = config->sharedMemBytes;
  for (int i = 0; i < 3; ++i) {
    launch.grid[i] = config->grid[i];
    launch.block[i] = config->block[i];
    launch.cluster[i] = std::max(record.cluster[i], 1u);
  }
  for (size_t i = 0; i < fake->entry->parameters.size(); ++i) {
    auto *bytes = static_cast<const uint8_t *>(arguments[i]);
    launch.arguments.emplace_back(bytes,
                                  bytes + fake->entry->parameters[i].bytes);
  }
  auto program = fake->module->program;
  return enqueue(config->stream, [&state, launch, program]() -> Code {
    if (program->run(launch, state.memory, ptx::Options()).hasErrors())
      state.unknown = kIllegalAddress;
    return 0;
  });
}

Code cuTensorMapEncodeTiled(TensorMap *map, int dtype, unsigned rank,
                            void *address, const uint64_t *dims,
                            const uint64_t *strides, const unsigned *box,
                            const unsigned *elementStrides, int interleave,
                            int swizzle, int, int fill) {
  if (Code code = enter("cuTensorMapEncodeTiled"))
    return code;
  ptx::TiledTensorMap tiled;
  tiled.dtype = dtype;
  tiled.address = reinterpret_cast<uintptr_t>(address);
  tiled.rank = rank;
  for (unsigned i = 0; i < rank; ++i) {
    tiled.dims[i] = dims[i];
    tiled.strides[i] = i == 0 ? 0 : strides[i - 1];
    tiled.box[i] = box[i];
    tiled.elementStrides[i] = elementStrides[i];
  }
  tiled.swizzle = swizzle;
  tiled.interleave = interleave;
  tiled.fill = fill;
  uint8_t encoded[ptx::kTensorMapBytes];
  if (!ptx::encodeTensorMap(tiled, encoded))
    return kInvalidValue;
  std::memcpy(map, encoded, sizeof(encoded));
  return 0;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Code cuMemAlloc_v2(DevicePtr *address, size_t bytes) {
  if (Code code = enterDevice("cuMemAlloc_v2"))
    return code;
  if (bytes > (size_t(1) << 32))
    return kOutOfMemory;
  State &state = getState();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  std::vector<char> buffer(bytes);
  *address = state.memory.map(buffer.data(), bytes, "fake",
                              ptx::DeviceMemory::Contents::Undefined);
  state.buffers[*address] = std::move(buffer);
  return 0;
}
Code cuMemFree_v2(DevicePtr address) {
  State &state = getState();
  std::lock_guard<std::recursive_mutex> lock(state.mutex);
  state.memory.unmap(address);
  state.buffers.erase(address);
  return enterDevice("cuMemFree_v2");
}
Code cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  if (Code code = enterDevice("cuMemHostAlloc"))
    return code;
  *memory = std::malloc(bytes);
  return 0;
}
Code cuMemFreeHost(void *memory) {
  std::free(memory);
  return enter("cuMemFreeHost");
}
Code cuMemcpyHtoDAsync_v2(DevicePtr target, const void *source, size_t bytes,
                          Stream stream) {
  if (Code code = enterDevice("cuMemcpyHtoDAsync_v2"))
    return code;
  return enqueue(stream, [=]() -> Code {
    char *to = find(target, bytes);
    if (!to)
      return kInvalidValue;
    std::memcpy(to, source, bytes);
    getState().memory.markDefined(target, bytes);
    return 0;
  });
}
Code cuMemcpyDtoHAsync_v2(void *target, DevicePtr source, size_t bytes,
                          Stream stream) {
  if (Code code = enterDevice("cuMemcpyDtoHAsync_v2"))
    return code;
  return enqueue(stream, [=]() -> Code {
    char *from = find(source, bytes);
    if (!from)
      return kInvalidValue;
    std::memcpy(target, from, bytes);
    return 0;
  });
}
Code cuMemcpy2DAsync_v2(const Memcpy2D *given, Stream stream) {
  if (Code code = enterDevice("cuMemcpy2DAsync_v2"))
    return code;
  if (given->sourcePitch < given->width || given->targetPitch < given->width)
    return kInvalidValue;
  return enqueue(stream, [copy = *given]() -> Code {
    for (size_t i = 0; i < copy.height; ++i) {
      DevicePtr target = copy.targetDevice + i * copy.targetPitch;
      char *to = find(target, copy.width);
      char *from = find(copy.sourceDevice + i * copy.sourcePitch, copy.width);
      if (!to || !from)
        return kInvalidValue;
      std::memcpy(to, from, copy.width);
      getState().memory.markDefined(target, copy.width);
    }
    return 0;
  });
}
Code cuMemcpyDtoDAsync_v2(DevicePtr target, DevicePtr source, size_t bytes,
                          Stream stream) {
  if (Code code = enterDevice("cuMemcpyDtoDAsync_v2"))
    return code;
  return enqueue(stream, [=]() -> Code {
    char *to = find(target, bytes);
    char *from = find(source, bytes);
    if (!to || !from)
      return kInvalidValue;
    std::memmove(to, from, bytes);
    getState().memory.copyDefinedness(target, source, bytes);
    return 0;
  });
}
Code cuMemsetD8Async(DevicePtr target, unsigned char value, size_t count,
                     Stream stream) {
  return enqueueFill("cuMemsetD8Async", target, value, count, stream);
}
Code cuMemsetD16Async(DevicePtr target, unsigned short value, size_t count,
                      Stream stream) {
  return enqueueFill("cuMemsetD16Async", target, value, count, stream);
}
Code cuMemsetD32Async(DevicePtr target, unsigned value, size_t count,
                      Stream stream) {
  return enqueueFill("cuMemsetD32Async", target, value, count, stream);
}

//===----------------------------------------------------------------------===//
// Streams, events, graphs
//===----------------------------------------------------------------------===//

Code cuStreamCreate(Stream *stream, unsigned) {
  if (Code code = enterDevice("cuStreamCreate"))
    return code;
  *stream = reinterpret_cast<Stream>(new FakeStream());
  return 0;
}
Code cuStreamDestroy_v2(Stream stream) {
  delete reinterpret_cast<FakeStream *>(stream);
  return enter("cuStreamDestroy_v2");
}
Code cuStreamSynchronize(Stream) { return enterWait("cuStreamSynchronize"); }
Code cuStreamIsCapturing(Stream stream, int *isCapturing) {
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  *isCapturing = fake && fake->captured;
  return enter("cuStreamIsCapturing");
}
Code cuStreamBeginCapture_v2(Stream stream, int) {
  if (Code code = enterDevice("cuStreamBeginCapture_v2"))
    return code;
  reinterpret_cast<FakeStream *>(stream)->captured =
      std::make_unique<FakeGraph>();
  return 0;
}
Code cuStreamEndCapture(Stream stream, Graph *graph) {
  if (Code code = enterDevice("cuStreamEndCapture"))
    return code;
  *graph = reinterpret_cast<Graph>(
      reinterpret_cast<FakeStream *>(stream)->captured.release());
  return 0;
}
Code cuEventCreate(Event *event, unsigned) {
  if (Code code = enterDevice("cuEventCreate"))
    return code;
  *event = reinterpret_cast<Event>(new FakeEvent());
  return 0;
}
Code cuEventDestroy_v2(Event event) {
  delete reinterpret_cast<FakeEvent *>(event);
  return enter("cuEventDestroy_v2");
}
Code cuEventRecord(Event, Stream) { return enterDevice("cuEventRecord"); }
Code cuEventSynchronize(Event) { return enterWait("cuEventSynchronize"); }
Code cuGraphInstantiateWithFlags(GraphExec *exec, Graph graph,
                                 unsigned long long) {
  if (Code code = enterDevice("cuGraphInstantiateWithFlags"))
    return code;
  *exec = reinterpret_cast<GraphExec>(
      new FakeGraph(*reinterpret_cast<FakeGraph *>(graph)));
  return 0;
}
Code cuGraphDestroy(Graph graph) {
  delete reinterpret_cast<FakeGraph *>(graph);
  return enter("cuGraphDestroy");
}
Code cuGraphExecDestroy(GraphExec exec) {
  delete reinterpret_cast<FakeGraph *>(exec);
  return enter("cuGraphExecDestroy");
}
Code cuGraphLaunch(GraphExec exec, Stream stream) {
  if (Code code = enterDevice("cuGraphLaunch"))
    return code;
  for (const Work &work : reinterpret_cast<FakeGraph *>(exec)->work)
    if (Code code = enqueue(stream, work))
      return code;
  return 0;
}

} // extern "C"
// NOLINTEND(readability-identifier-naming)
