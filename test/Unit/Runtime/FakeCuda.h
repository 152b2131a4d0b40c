//===- FakeCuda.h - What tests ask of the fake driver -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// FakeCuda.cpp is a shared object with the functions of libcuda.so.1 that the
// device "cuda" calls. Its GPUs are the PTX simulator. Work is done when it is
// enqueued, but what a kernel does wrong is told by later calls only, and by
// all of them.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_RUNTIME_FAKECUDA_H
#define NVFP4_TEST_UNIT_RUNTIME_FAKECUDA_H

#include <cstdint>

namespace nvfp4::test {

/// How one kernel was launched.
struct FakeLaunch {
  uint32_t grid[3], block[3], cluster[3];
  uint32_t dynamicSharedBytes;
  bool isProgrammatic;
  const void *stream;
};

/// The control functions, under these names in the shared object.
struct FakeCuda {
  /// Forgets counts, injected errors, and that a kernel failed.
  void (*fakeReset)();
  /// Calls of a function since the reset.
  unsigned (*fakeCountCalls)(const char *symbol);
  /// Lets the next call of a function fail with a code.
  void (*fakeFail)(const char *symbol, int code);
  /// 10 * major + minor of all GPUs.
  void (*fakeSetCapability)(int capability);
  /// The last launch.
  void (*fakeGetLaunch)(FakeLaunch *launch);
  /// Bytes of GPU memory that are allocated.
  uint64_t (*fakeGetAllocatedBytes)();
};

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_RUNTIME_FAKECUDA_H
