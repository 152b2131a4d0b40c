//===- SimDeviceTest.cpp - Packages with kernels, in the simulator --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/SimDevice.h"
#include "LaunchPackage.h"
#include "TestSupport.h"
#include "nvfp4/Runtime/Session.h"

#include <cstring>
#include <numeric>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

class SimDeviceTest : public testing::Test {
protected:
  SimDeviceTest() { addSimDevice(devices); }

  Result<std::unique_ptr<Session>> open(const std::string &program,
                                        const std::string &device = "sim") {
    Status status =
        writeScalePackage(path, program, makeLaunchManifest(device));
    if (!status)
      return status;
    SessionOptions options;
    options.device = "sim";
    return Session::open(path, devices, options);
  }

  /// Runs on 0, 1, 2, ….
  static Result<std::vector<HostTensor>> run(const Session &session,
                                             int64_t count) {
    HostTensor x = std::move(*HostTensor::allocate(DType::F32, {count}));
    float *values = static_cast<float *>(x.data());
    std::iota(values, values + count, 0.0f);
    return session.run(0, {x.getView()});
  }

  TemporaryFolder folder;
  std::string path = folder / "m.nvfp4pkg";
  DeviceRegistry devices = DeviceRegistry::createDefault();
};

} // namespace

/// A package that a GPU would run: kernel, copy and fill, more than once.
TEST_F(SimDeviceTest, Launches) {
  for (const char *device : {"sim", "cuda"}) {
    auto session = open(LAUNCH_PROGRAM, device);
    ASSERT_TRUE(succeeds(session));
    for (int64_t count : {1, 64, 1000}) {
      auto results = run(**session, count);
      ASSERT_TRUE(succeeds(results));
      const HostTensor &y = results->front();
      ASSERT_EQ(y.getShape(), (std::vector<int64_t>{count + 4}));
      const float *values = static_cast<const float *>(y.data());
      for (int64_t i = 0; i < count; ++i)
        EXPECT_EQ(values[i], 2 * static_cast<float>(i));
      EXPECT_EQ(values[count], 0); // a copy of x[0]
      for (int64_t i = 1; i < 4; ++i)
        EXPECT_EQ(values[count + i], 3);
    }
  }
}

TEST_F(SimDeviceTest, NegativePrograms) {
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM_KERNEL),
                        "program.so': kernel 'scael': expected an entry of the "
                        "PTX, but got none of that name; did you mean "
                        "'scale'?"));
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM_NUM_ARGS),
                        "kernel 'scale': expected 4 arguments, as the PTX "
                        "says, but got 2"));
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM_ARG_BYTES),
                        "expected 4 bytes for parameter 'count', as the PTX "
                        "says, but got 8"));
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM_CUBIN),
                        "expected an image in PTX for device 'sim', but got "
                        "none among 1"));
}

/// The fields of version 2 do not exist in a program of version 1.
TEST_F(SimDeviceTest, NegativeKernelsOfVersion1) {
  auto session = open(LAUNCH_PROGRAM_VERSION_1);
  ASSERT_TRUE(succeeds(session));
  EXPECT_TRUE(failsWith(run(**session, 4),
                        "launch: expected a kernel below 0, but got 0"));
}

TEST_F(SimDeviceTest, NegativeLaunches) {
  auto session = open(LAUNCH_PROGRAM_INDEX);
  ASSERT_TRUE(succeeds(session));
  EXPECT_TRUE(failsWith(run(**session, 4),
                        "entry 'main': launch: expected a kernel below 1, but "
                        "got 5"));
}

/// What the simulator finds is the error of the run, with the PTX line.
TEST_F(SimDeviceTest, NegativeKernels) {
  auto session = open(LAUNCH_PROGRAM_OVERRUN);
  ASSERT_TRUE(succeeds(session));
  auto results = run(**session, 1000);
  EXPECT_TRUE(failsWith(results, "entry 'main': kernel 'scale': expected a "
                                 "launch without errors, but got:\n"));
  EXPECT_TRUE(failsWith(results, "sm_120a.ptx:"));
}

TEST_F(SimDeviceTest, NegativeUndefinedResult) {
  auto session = open(LAUNCH_PROGRAM_UNDEFINED);
  ASSERT_TRUE(succeeds(session));
  EXPECT_TRUE(failsWith(run(**session, 10),
                        "R11: expected 56 defined bytes to copy to the host, "
                        "but got an undefined one at offset 52"));
}

TEST_F(SimDeviceTest, NegativeMemory) {
  auto device = createSimDevice({});
  EXPECT_TRUE(failsWith(device->allocate(UINT64_MAX),
                        "device 'sim': expected 18446744073709551615 bytes"));
  auto memory = device->allocate(16);
  ASSERT_TRUE(succeeds(memory));
  char bytes[32] = {};
  EXPECT_TRUE(failsWith(device->copyIn(*memory, bytes, 32),
                        "expected 32 bytes within one buffer"));
  EXPECT_TRUE(failsWith(device->copyOut(bytes, bytes, 1),
                        "expected 1 bytes within one buffer"));
  EXPECT_TRUE(failsWith(device->copyOut(bytes, *memory, 16),
                        "undefined one at offset 0"));
  EXPECT_TRUE(succeeds(device->zero(*memory, 8)));
  EXPECT_TRUE(succeeds(device->copyOut(bytes, *memory, 8)));
  EXPECT_TRUE(failsWith(device->copyOut(bytes, *memory, 9),
                        "undefined one at offset 8"));
  device->free(*memory);
  EXPECT_TRUE(failsWith(device->zero(*memory, 1), "within one buffer"));
}
