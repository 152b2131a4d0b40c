//===- CudaTestSupport.h - Packages on the fake driver ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TEST_UNIT_RUNTIME_CUDATESTSUPPORT_H
#define NVFP4_TEST_UNIT_RUNTIME_CUDATESTSUPPORT_H

#include "FakeCuda.h"
#include "LaunchPackage.h"
#include "TestSupport.h"
#include "nvfp4/Runtime/CudaDevice.h"
#include "nvfp4/Runtime/Session.h"

#include <cstring>
#include <dlfcn.h>
#include <numeric>

namespace nvfp4::test {

class CudaTest : public testing::Test {
protected:
  CudaTest() {
    void *library = ::dlopen(FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    auto find = [&](const char *name, auto &function) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(
          ::dlsym(library, name));
    };
    find("fakeReset", fake.fakeReset);
    find("fakeCountCalls", fake.fakeCountCalls);
    find("fakeFail", fake.fakeFail);
    find("fakeSetCapability", fake.fakeSetCapability);
    find("fakeGetLaunch", fake.fakeGetLaunch);
    find("fakeGetAllocatedBytes", fake.fakeGetAllocatedBytes);
    fake.fakeReset();
    addCudaDevice(devices, CudaOptions{FAKE_CUDA});
  }

  Result<std::unique_ptr<Session>> open(const std::string &program,
                                        const std::string &device = "cuda") {
    Status status =
        writeScalePackage(path, program, makeLaunchManifest("cuda"));
    if (!status)
      return status;
    SessionOptions options;
    options.device = device;
    return Session::open(path, devices, options);
  }

  /// 0, 1, 2, ….
  static HostTensor makeInput(int64_t count) {
    HostTensor x = std::move(*HostTensor::allocate(DType::F32, {count}));
    float *values = static_cast<float *>(x.data());
    std::iota(values, values + count, 0.0f);
    return x;
  }

  /// What Launch.c computes of `makeInput`, where x[i] is `step` * i.
  static void expectScaled(const HostTensor &y, int64_t count, float step = 1) {
    ASSERT_EQ(y.getShape(), (std::vector<int64_t>{count + 4}));
    const float *values = static_cast<const float *>(y.data());
    for (int64_t i = 0; i < count; ++i)
      ASSERT_EQ(values[i], 2 * step * static_cast<float>(i));
    EXPECT_EQ(values[count], 0); // a copy of x[0]
    for (int64_t i = 1; i < 4; ++i)
      EXPECT_EQ(values[count + i], 3);
  }

  FakeCuda fake = {};
  TemporaryFolder folder;
  std::string path = folder / "m.nvfp4pkg";
  DeviceRegistry devices = DeviceRegistry::createDefault();
};

} // namespace nvfp4::test

#endif // NVFP4_TEST_UNIT_RUNTIME_CUDATESTSUPPORT_H
