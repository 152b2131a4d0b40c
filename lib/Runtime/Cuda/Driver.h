//===- Driver.h - CUDA's driver, loaded at run time -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of libcuda.so.1 that the device "cuda" calls, as a table that
// is filled by name, so that nothing here is compiled or linked against CUDA.
// Types are declared as the driver's binary interface has them.
//
// Source: CUDA driver API, version 12.0, the oldest that has all of them.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_CUDA_DRIVER_H
#define NVFP4_LIB_RUNTIME_CUDA_DRIVER_H

#include "nvfp4/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace nvfp4::cuda {

using DevicePtr = unsigned long long;
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using Function = struct FunctionTag *;
using Stream = struct StreamTag *;
using Event = struct EventTag *;
using Graph = struct GraphTag *;
using GraphExec = struct GraphExecTag *;

/// CUresult: 0 is success.
using Code = int;
constexpr Code kOutOfMemory = 2;

/// CUdevice_attribute
constexpr int kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76,
              kMaxSharedMemoryPerBlockOptin = 97;
/// CUfunction_attribute
constexpr int kSharedSizeBytes = 1, kMaxDynamicSharedSizeBytes = 8,
              kNonPortableClusterSizeAllowed = 14;
/// CUjit_option
constexpr int kJitErrorLogBuffer = 5, kJitErrorLogBufferSizeBytes = 6;
/// CUlaunchAttributeID
constexpr int kClusterDimension = 4, kProgrammaticStreamSerialization = 6;
constexpr unsigned kStreamNonBlocking = 1;
constexpr unsigned kEventDisableTiming = 2;
constexpr int kCaptureThreadLocal = 1;
constexpr int kMemoryTypeDevice = 2;

/// CUlaunchAttribute
struct LaunchAttribute {
  int id;
  char padding[4];
  union {
    char bytes[64];
    unsigned clusterDim[3];
    int isProgrammatic;
  } value;
};
static_assert(sizeof(LaunchAttribute) == 72);

/// CUlaunchConfig
struct LaunchConfig {
  unsigned grid[3], block[3];
  unsigned sharedMemBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned numAttributes;
};
static_assert(offsetof(LaunchConfig, stream) == 32);

/// CUtensorMap
struct alignas(64) TensorMap {
  uint64_t words[16];
};

/// CUDA_MEMCPY2D
struct Memcpy2D {
  size_t sourceX, sourceY;
  int sourceType;
  const void *sourceHost;
  DevicePtr sourceDevice;
  void *sourceArray;
  size_t sourcePitch, targetX, targetY;
  int targetType;
  void *targetHost;
  DevicePtr targetDevice;
  void *targetArray;
  size_t targetPitch, width, height;
};
static_assert(sizeof(Memcpy2D) == 128);

// The table: field, symbol, parameters. All functions return a Code.
// clang-format off
#define NVFP4_CUDA_FUNCTIONS(F)                                                \
  F(init,                 "cuInit",                       (unsigned))          \
  F(driverGetVersion,     "cuDriverGetVersion",           (int *))             \
  F(getErrorName,         "cuGetErrorName",               (Code, const char **)) \
  F(getErrorString,       "cuGetErrorString",             (Code, const char **)) \
  F(deviceGetCount,       "cuDeviceGetCount",             (int *))             \
  F(deviceGet,            "cuDeviceGet",                  (int *, int))        \
  F(deviceGetName,        "cuDeviceGetName",              (char *, int, int))  \
  F(deviceGetAttribute,   "cuDeviceGetAttribute",         (int *, int, int))   \
  F(primaryCtxRetain,     "cuDevicePrimaryCtxRetain",     (Context *, int))    \
  F(primaryCtxRelease,    "cuDevicePrimaryCtxRelease_v2", (int))               \
  F(ctxPush,              "cuCtxPushCurrent_v2",          (Context))           \
  F(ctxPop,               "cuCtxPopCurrent_v2",           (Context *))         \
  F(moduleLoad,           "cuModuleLoadDataEx",           (Module *, const void *, unsigned, int *, void **)) \
  F(moduleUnload,         "cuModuleUnload",               (Module))            \
  F(moduleGetFunction,    "cuModuleGetFunction",          (Function *, Module, const char *)) \
  F(funcGetAttribute,     "cuFuncGetAttribute",           (int *, int, Function)) \
  F(funcSetAttribute,     "cuFuncSetAttribute",           (Function, int, int)) \
  F(launchKernel,         "cuLaunchKernelEx",             (const LaunchConfig *, Function, void **, void **)) \
  F(memAlloc,             "cuMemAlloc_v2",                (DevicePtr *, size_t)) \
  F(memFree,              "cuMemFree_v2",                 (DevicePtr))         \
  F(memHostAlloc,         "cuMemHostAlloc",               (void **, size_t, unsigned)) \
  F(memFreeHost,          "cuMemFreeHost",                (void *))            \
  F(copyToDevice,         "cuMemcpyHtoDAsync_v2",         (DevicePtr, const void *, size_t, Stream)) \
  F(copyToHost,           "cuMemcpyDtoHAsync_v2",         (void *, DevicePtr, size_t, Stream)) \
  F(copyOnDevice,         "cuMemcpyDtoDAsync_v2",         (DevicePtr, DevicePtr, size_t, Stream)) \
  F(copy2D,               "cuMemcpy2DAsync_v2",           (const Memcpy2D *, Stream)) \
  F(fill8,                "cuMemsetD8Async",              (DevicePtr, unsigned char, size_t, Stream)) \
  F(fill16,               "cuMemsetD16Async",             (DevicePtr, unsigned short, size_t, Stream)) \
  F(fill32,               "cuMemsetD32Async",             (DevicePtr, unsigned, size_t, Stream)) \
  F(streamCreate,         "cuStreamCreate",               (Stream *, unsigned)) \
  F(streamDestroy,        "cuStreamDestroy_v2",           (Stream))            \
  F(streamSynchronize,    "cuStreamSynchronize",          (Stream))            \
  F(streamIsCapturing,    "cuStreamIsCapturing",          (Stream, int *))     \
  F(streamBeginCapture,   "cuStreamBeginCapture_v2",      (Stream, int))       \
  F(streamEndCapture,     "cuStreamEndCapture",           (Stream, Graph *))   \
  F(eventCreate,          "cuEventCreate",                (Event *, unsigned)) \
  F(eventDestroy,         "cuEventDestroy_v2",            (Event))             \
  F(eventRecord,          "cuEventRecord",                (Event, Stream))     \
  F(eventSynchronize,     "cuEventSynchronize",           (Event))             \
  F(graphInstantiate,     "cuGraphInstantiateWithFlags",  (GraphExec *, Graph, unsigned long long)) \
  F(graphDestroy,         "cuGraphDestroy",               (Graph))             \
  F(graphExecDestroy,     "cuGraphExecDestroy",           (GraphExec))         \
  F(graphLaunch,          "cuGraphLaunch",                (GraphExec, Stream)) \
  F(tensorMapEncodeTiled, "cuTensorMapEncodeTiled",       (TensorMap *, int, unsigned, void *, const uint64_t *, const uint64_t *, const unsigned *, const unsigned *, int, int, int, int))
// clang-format on

/// The driver of this process. Immutable.
class Driver {
public:
  static constexpr const char *kLibrary = "libcuda.so.1";

  /// Loads and initialises a driver. Errors: no such library; a function that
  /// it lacks; what `cuInit` says.
  static Result<std::shared_ptr<const Driver>>
  load(const std::string &library = kLibrary);

  /// 1000 * major + 10 * minor of the CUDA that it knows.
  int getVersion() const { return version; }
  /// `CUDA_ERROR_X: explanation`, both as the driver says them.
  std::string describe(Code code) const;
  /// Success of a call, else an error that names it: `expected 'what' to
  /// succeed, but got CUDA_ERROR_X: explanation`.
  Status check(Code code, const char *what) const;

#define NVFP4_CUDA_FIELD(field, symbol, parameters)                            \
  Code(*field) parameters = nullptr;
  NVFP4_CUDA_FUNCTIONS(NVFP4_CUDA_FIELD)
#undef NVFP4_CUDA_FIELD

private:
  Driver() = default;
  int version = 0;
};

} // namespace nvfp4::cuda

#endif // NVFP4_LIB_RUNTIME_CUDA_DRIVER_H
