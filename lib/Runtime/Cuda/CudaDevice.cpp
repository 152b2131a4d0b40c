//===- CudaDevice.cpp - Run packages on NVIDIA GPUs -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of kernels come late: whatever call waits next reports them. A GPU
// whose kernel failed is of no use to this process any more; every later call
// says so, and none of them waits.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/CudaDevice.h"
#include "CudaRun.h"
#include "Staging.h"
#include "nvfp4/Runtime/CpuFeatures.h"
#include "nvfp4/Runtime/Messages.h"

#include <algorithm>

using namespace nvfp4;
using namespace nvfp4::cuda;

static DevicePtr getAddress(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

namespace {
using ContextRef = std::shared_ptr<const CudaContext>;

/// Calls `body` with the context current.
template <typename Body>
Status withContext(const CudaContext &context, Body body) {
  CudaContext::Current current(context);
  return current.getStatus() ? body(context.getDriver()) : current.getStatus();
}

class CudaMark final : public DeviceMark {
public:
  CudaMark(ContextRef context, Stream own)
      : context(std::move(context)), own(own) {}
  ~CudaMark() override {
    if (event)
      (void)withContext(*context, [&](const Driver &driver) {
        return context->check(driver.eventDestroy(event), "cuEventDestroy");
      });
  }
  Status create() {
    return withContext(*context, [&](const Driver &driver) {
      return context->check(driver.eventCreate(&event, kEventDisableTiming),
                            "cuEventCreate");
    });
  }
  Status record(DeviceStream given) override {
    Stream stream = given ? static_cast<Stream>(given) : own;
    return withContext(*context, [&](const Driver &driver) {
      int isCapturing = 0;
      Status status =
          context->check(driver.streamIsCapturing(stream, &isCapturing),
                         "cuStreamIsCapturing");
      if (!status || isCapturing != 0)
        return status;
      return context->check(driver.eventRecord(event, stream), "cuEventRecord");
    });
  }
  Status wait() override {
    return withContext(*context, [&](const Driver &driver) {
      return context->check(driver.eventSynchronize(event),
                            "cuEventSynchronize");
    });
  }

private:
  ContextRef context;
  Stream own;
  Event event = nullptr;
};

class CudaGraph final : public DeviceGraph {
public:
  CudaGraph(ContextRef context, Stream own)
      : context(std::move(context)), own(own) {}
  ~CudaGraph() override {
    if (exec)
      (void)withContext(*context, [&](const Driver &driver) {
        return context->check(driver.graphExecDestroy(exec),
                              "cuGraphExecDestroy");
      });
  }
  Status launch(DeviceStream given) override {
    Stream stream = given ? static_cast<Stream>(given) : own;
    return withContext(*context, [&](const Driver &driver) {
      return context->check(driver.graphLaunch(exec, stream), "cuGraphLaunch");
    });
  }

  GraphExec exec = nullptr;

private:
  ContextRef context;
  Stream own;
};

class CudaDevice final : public Device {
public:
  explicit CudaDevice(ContextRef context)
      : context(context), staging(std::move(context)) {}
  ~CudaDevice() override;
  Status open();

  std::string_view getName() const override { return "cuda"; }
  Status checkTarget(const ManifestTarget &target,
                     const std::string &place) const override;

  MemorySpace getMemorySpace() const override {
    return {MemorySpace::Kind::Cuda, context->getOrdinal()};
  }
  Result<void *> allocate(uint64_t bytes) override;
  void free(void *memory) override;
  Status copyIn(void *target, const void *source, uint64_t bytes) override;
  Status copyOut(void *target, const void *source, uint64_t bytes) override;
  Status zero(void *memory, uint64_t bytes) override;
  Status copyStrided(void *target, const void *source, uint64_t elementBytes,
                     const std::vector<int64_t> &shape,
                     const std::vector<int64_t> &strides,
                     DeviceStream stream) override;

  Status synchronize(DeviceStream stream) override;
  Result<std::unique_ptr<DeviceMark>> createMark() override;
  bool hasGraphs() const override { return true; }
  Result<std::unique_ptr<DeviceGraph>>
  record(std::function<Status(DeviceStream)> enqueue) override;

  Result<std::unique_ptr<DeviceModule>>
  loadModule(const nvfp4_program_descriptor &program,
             const std::string &place) override {
    return CudaModule::load(context, program, place);
  }
  Status run(const nvfp4_entry &entry, const DeviceModule *module,
             const int64_t *dims, const void *const *args, void *const *results,
             void *workspace, DeviceStream stream) override;

private:
  Stream getStream(DeviceStream stream) const {
    return stream ? static_cast<Stream>(stream) : own;
  }
  /// Adds to an error of a call that waited what ran meanwhile.
  Status blame(const Status &status);

  ContextRef context;
  Staging staging;
  Stream own = nullptr;
  std::mutex mutex;
  /// What was enqueued last and not waited for, for errors that come late.
  std::string pending;
};
} // namespace

Status CudaDevice::open() {
  return withContext(*context, [&](const Driver &driver) {
    return context->check(driver.streamCreate(&own, kStreamNonBlocking),
                          "cuStreamCreate");
  });
}

CudaDevice::~CudaDevice() {
  (void)withContext(*context, [&](const Driver &driver) {
    staging.release();
    return own ? context->check(driver.streamDestroy(own), "cuStreamDestroy")
               : Status();
  });
}

Status CudaDevice::checkTarget(const ManifestTarget &target,
                               const std::string &place) const {
  if (Status status = checkCpu(target, CpuFeatures::detect(), place); !status)
    return status;
  // Of another name the images decide.
  ChipName chip;
  if (!ChipName::parse(target.name, chip) ||
      chip.assemblesOn(context->getCapability()))
    return Status();
  return Status::error(place + ": expected a chip that " + context->describe() +
                       " is, but got " + quote(target.name));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result<void *> CudaDevice::allocate(uint64_t bytes) {
  DevicePtr address = 0;
  Status status = withContext(*context, [&](const Driver &driver) {
    Code code = driver.memAlloc(&address, std::max<uint64_t>(bytes, 1));
    if (code == kOutOfMemory)
      return Status::error(
          context->describe() + ": expected " + std::to_string(bytes) +
          " bytes of memory, but got " + driver.describe(code));
    return context->check(code, "cuMemAlloc");
  });
  if (!status)
    return status;
  return reinterpret_cast<void *>(static_cast<uintptr_t>(address));
}

void CudaDevice::free(void *memory) {
  (void)withContext(*context, [&](const Driver &driver) {
    return context->check(driver.memFree(getAddress(memory)), "cuMemFree");
  });
}

Status CudaDevice::copyIn(void *target, const void *source, uint64_t bytes) {
  return withContext(*context, [&](const Driver &) {
    return staging.copyIn(getAddress(target), source, bytes, own);
  });
}

Status CudaDevice::copyOut(void *target, const void *source, uint64_t bytes) {
  return blame(withContext(*context, [&](const Driver &) {
    return staging.copyOut(target, getAddress(source), bytes, own);
  }));
}

Status CudaDevice::zero(void *memory, uint64_t bytes) {
  if (bytes == 0)
    return Status();
  return withContext(*context, [&](const Driver &driver) {
    return context->check(driver.fill8(getAddress(memory), 0, bytes, own),
                          "cuMemsetD8Async");
  });
}

/// The longest distance of lines that the driver's copies take.
static constexpr int64_t kMaxPitch = (int64_t(1) << 31) - 1;

namespace {
/// Enqueues the copy of a strided tensor as copies of two dimensions.
struct StridedEnqueue {
  const CudaContext &context;
  Stream stream;
  const std::vector<int64_t> &shape;
  const std::vector<int64_t> &strides;
  int64_t elementBytes;

  /// Elements `axis` and inwards; the target moves along.
  Status copy(size_t axis, DevicePtr &target, DevicePtr source) const {
    if (axis + 2 >= shape.size()) {
      bool isMatrix = axis + 2 == shape.size();
      return copyMatrix(isMatrix ? shape[axis] : 1,
                        isMatrix ? strides[axis] : 0, target, source);
    }
    for (int64_t i = 0; i < shape[axis]; ++i)
      if (Status status =
              copy(axis + 1, target, source + i * strides[axis] * elementBytes);
          !status)
        return status;
    return Status();
  }

private:
  /// The two innermost dimensions: at once, row by row, or row by row as
  /// columns of elements.
  Status copyMatrix(int64_t rows, int64_t rowStride, DevicePtr &target,
                    DevicePtr source) const {
    int64_t count = shape.back(), stride = strides.back();
    int64_t rowBytes = count * elementBytes;
    bool isDense = stride == 1 || count == 1;
    if (isDense && rowStride >= count)
      return copyLines(rows, rowBytes, rowStride * elementBytes, target,
                       source);
    for (int64_t i = 0; i < rows; ++i) {
      DevicePtr row = source + i * rowStride * elementBytes;
      Status status = isDense ? copyLines(1, rowBytes, rowBytes, target, row)
                              : copyLines(count, elementBytes,
                                          stride * elementBytes, target, row);
      if (!status)
        return status;
    }
    return Status();
  }

  /// `count` times `bytes` bytes that are `pitch` apart.
  Status copyLines(int64_t count, int64_t bytes, int64_t pitch,
                   DevicePtr &target, DevicePtr source) const {
    const Driver &driver = context.getDriver();
    DevicePtr begin = target;
    target += count * bytes;
    if (count == 1 || pitch == bytes)
      return context.check(
          driver.copyOnDevice(begin, source, count * bytes, stream),
          "cuMemcpyDtoDAsync");
    if (pitch < bytes || pitch > kMaxPitch) {
      for (int64_t i = 0; i < count; ++i)
        if (Status status = context.check(
                driver.copyOnDevice(begin + i * bytes, source + i * pitch,
                                    bytes, stream),
                "cuMemcpyDtoDAsync");
            !status)
          return status;
      return Status();
    }
    Memcpy2D copy = {};
    copy.sourceType = copy.targetType = kMemoryTypeDevice;
    copy.sourceDevice = source;
    copy.sourcePitch = pitch;
    copy.targetDevice = begin;
    copy.targetPitch = copy.width = bytes;
    copy.height = count;
    return context.check(driver.copy2D(&copy, stream), "cuMemcpy2DAsync");
  }
};
} // namespace

Status CudaDevice::copyStrided(void *target, const void *source,
                               uint64_t elementBytes,
                               const std::vector<int64_t> &shape,
                               const std::vector<int64_t> &strides,
                               DeviceStream stream) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return Status();
  return withContext(*context, [&](const Driver &driver) {
    DevicePtr address = getAddress(target);
    if (shape.empty())
      return context->check(driver.copyOnDevice(address, getAddress(source),
                                                elementBytes,
                                                getStream(stream)),
                            "cuMemcpyDtoDAsync");
    StridedEnqueue enqueue{*context, getStream(stream), shape, strides,
                           static_cast<int64_t>(elementBytes)};
    return enqueue.copy(0, address, getAddress(source));
  });
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

Status CudaDevice::blame(const Status &status) {
  std::lock_guard<std::mutex> lock(mutex);
  if (status) {
    pending.clear();
    return status;
  }
  if (pending.empty())
    return status;
  return Status::error(status.getMessage() + "; since the last good wait, " +
                       pending +
                       " (with CUDA_LAUNCH_BLOCKING=1 in the environment, the "
                       "error names the kernel)");
}

Status CudaDevice::synchronize(DeviceStream stream) {
  return blame(withContext(*context, [&](const Driver &driver) {
    return context->check(driver.streamSynchronize(getStream(stream)),
                          "cuStreamSynchronize");
  }));
}

Result<std::unique_ptr<DeviceMark>> CudaDevice::createMark() {
  auto mark = std::make_unique<CudaMark>(context, own);
  if (Status status = mark->create(); !status)
    return status;
  return std::unique_ptr<DeviceMark>(std::move(mark));
}

Result<std::unique_ptr<DeviceGraph>>
CudaDevice::record(std::function<Status(DeviceStream)> enqueue) {
  auto result = std::make_unique<CudaGraph>(context, own);
  Status status = withContext(*context, [&](const Driver &driver) {
    // Other threads may go on to use the stream's device, not the stream.
    Stream stream = nullptr;
    Graph graph = nullptr;
    Status status = context->check(
        driver.streamCreate(&stream, kStreamNonBlocking), "cuStreamCreate");
    if (!status)
      return status;
    status =
        context->check(driver.streamBeginCapture(stream, kCaptureThreadLocal),
                       "cuStreamBeginCapture");
    if (status) {
      status = enqueue(stream);
      Status ended = context->check(driver.streamEndCapture(stream, &graph),
                                    "cuStreamEndCapture");
      status = status ? ended : status;
    }
    if (status)
      status = context->check(
          driver.graphInstantiate(&result->exec, graph, /*flags=*/0),
          "cuGraphInstantiateWithFlags");
    if (graph)
      (void)driver.graphDestroy(graph);
    (void)driver.streamDestroy(stream);
    return status;
  });
  if (!status)
    return status;
  return std::unique_ptr<DeviceGraph>(std::move(result));
}

Status CudaDevice::run(const nvfp4_entry &entry, const DeviceModule *module,
                       const int64_t *dims, const void *const *args,
                       void *const *results, void *workspace,
                       DeviceStream stream) {
  CudaContext::Current current(*context);
  if (!current.getStatus())
    return current.getStatus();
  auto *kernels = static_cast<const CudaModule *>(module);
  CudaRun run(*context, kernels, getStream(stream));
  nvfp4_context table = run.getTable();
  int32_t status = entry.run(&table, dims, args, results, workspace);
  std::string place = "entry " + quote(entry.name);
  if (run.getNumLaunches() != 0) {
    std::lock_guard<std::mutex> lock(mutex);
    pending = "there were " + std::to_string(run.getNumLaunches()) +
              " launches for " + place + " of " + kernels->getPlace() +
              ", the last of kernel " + quote(run.getLastKernel());
  }
  if (status == 0)
    return Status();
  return Status::error(place + ": " +
                       (run.getMessage().empty()
                            ? "expected success, but got status " +
                                  std::to_string(status) + " without a message"
                            : run.getMessage()));
}

Result<std::shared_ptr<Device>>
nvfp4::createCudaDevice(const DeviceOptions &options, const CudaOptions &cuda) {
  Result<ContextRef> context =
      CudaContext::create(cuda.library, options.ordinal);
  if (!context)
    return context.getStatus();
  auto device = std::make_shared<CudaDevice>(std::move(*context));
  if (Status status = device->open(); !status)
    return status;
  return std::shared_ptr<Device>(std::move(device));
}

void nvfp4::addCudaDevice(DeviceRegistry &registry, const CudaOptions &cuda) {
  registry.add("cuda", [cuda](const DeviceOptions &options) {
    return createCudaDevice(options, cuda);
  });
}
