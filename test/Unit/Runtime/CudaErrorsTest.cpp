//===- CudaErrorsTest.cpp - What goes wrong on the device "cuda" ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTestSupport.h"
#include "Driver.h"

#include <set>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {
class CudaErrorsTest : public CudaTest {
protected:
  Status runOnce(const Session &session, int64_t count = 100) {
    HostTensor x = makeInput(count);
    return session.run(0, {x.getView()}).getStatus();
  }
};
} // namespace

TEST_F(CudaErrorsTest, NegativeLibraries) {
  DeviceRegistry without;
  addCudaDevice(without, CudaOptions{folder / "libcuda.so.1"});
  auto missing = without.create("cuda", {});
  EXPECT_TRUE(failsWith(missing, "device 'cuda': expected the driver of an "
                                 "NVIDIA GPU, '"));
  EXPECT_TRUE(failsWith(missing, "No such file"));
  addCudaDevice(without, CudaOptions{LAUNCH_PROGRAM});
  EXPECT_TRUE(failsWith(without.create("cuda", {}),
                        "expected a driver of CUDA 12.0 or later, but '"));
  EXPECT_TRUE(failsWith(without.create("cuda", {}), "has no cuInit"));
}

TEST_F(CudaErrorsTest, NegativeDevices) {
  EXPECT_TRUE(failsWith(devices.create("cuda:2", {}),
                        "device 'cuda:2': expected one of 2 GPUs, counted "
                        "from 0, but got 2"));
  EXPECT_TRUE(failsWith(devices.create("cuda:", {}), "expected one of 'cpu', "
                                                     "'cuda'"));
  EXPECT_TRUE(failsWith(devices.create("cuda:99999999999", {}),
                        "expected one of 'cpu', 'cuda'"));
}

TEST_F(CudaErrorsTest, NegativeImages) {
  fake.fakeSetCapability(90);
  EXPECT_TRUE(failsWith(
      open(LAUNCH_PROGRAM),
      "target: expected a chip that device 'cuda:0' (a fake GPU, compute "
      "capability 9.0) is, but got 'sm_120a'"));
  fake.fakeSetCapability(120);
  EXPECT_TRUE(failsWith(
      open(LAUNCH_PROGRAM_BAD_CUBIN),
      "program.so': expected an image that runs on device 'cuda:0' (a fake "
      "GPU, compute capability 12.0), but got:\n"
      "  machine code for sm_120a: "));
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM_KERNEL),
                        "kernel 'scael': device 'cuda:0'"));
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM_KERNEL),
                        "expected 'cuModuleGetFunction' to succeed, but got "
                        "CUDA_ERROR_OF_A_TEST: what the driver says"));
}

/// A kernel's error comes with the wait, ends the GPU for all packages, and
/// stops none of them.
TEST_F(CudaErrorsTest, NegativeKernels) {
  auto good = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(good));
  path = folder / "bad.nvfp4pkg"; // a loader knows programs by their path
  auto bad = open(LAUNCH_PROGRAM_OVERRUN);
  ASSERT_TRUE(succeeds(bad));
  EXPECT_TRUE(succeeds(runOnce(**good)));
  Status status = runOnce(**bad, 1000);
  EXPECT_TRUE(failsWith(status, "CUDA_ERROR_ILLEGAL_ADDRESS"));
  EXPECT_TRUE(failsWith(
      status, "since the last good wait, there were 1 launches for entry "
              "'main' of '"));
  EXPECT_TRUE(failsWith(status, "the last of kernel 'scale'"));
  EXPECT_TRUE(failsWith(runOnce(**good), "CUDA_ERROR_ILLEGAL_ADDRESS"));
  EXPECT_TRUE(failsWith(open(LAUNCH_PROGRAM), "CUDA_ERROR_ILLEGAL_ADDRESS"));
}

TEST_F(CudaErrorsTest, NegativeLaunches) {
  auto session = open(LAUNCH_PROGRAM_INDEX);
  ASSERT_TRUE(succeeds(session));
  EXPECT_TRUE(failsWith(runOnce(**session),
                        "entry 'main': launch: expected a kernel below 1, but "
                        "got 5"));
}

TEST_F(CudaErrorsTest, NegativeMemory) {
  auto gpu = devices.create("cuda", {});
  ASSERT_TRUE(succeeds(gpu));
  EXPECT_TRUE(failsWith((*gpu)->allocate(uint64_t(1) << 40),
                        "expected 1099511627776 bytes of memory, but got "
                        "CUDA_ERROR_OUT_OF_MEMORY: what the driver says"));
}

namespace {
/// All that a package does on a GPU; the first error.
Status doEverything(const DeviceRegistry &devices, const std::string &path,
                    const HostTensor &x) {
  Result<std::shared_ptr<Device>> gpu = devices.create("cuda", {});
  if (!gpu)
    return gpu.getStatus();
  DeviceRegistry one;
  one.add("cuda", [&](const DeviceOptions &) { return gpu; });
  SessionOptions options;
  options.device = "cuda";
  auto session = Session::open(path, one, options);
  if (!session)
    return session.getStatus();
  auto buffer = DeviceBuffer::allocate(*gpu, x.getBytes());
  if (!buffer)
    return buffer.getStatus();
  Status status = (*gpu)->copyIn(buffer->data(), x.data(), x.getBytes());
  // Every second element, then a matrix whose rows are apart.
  TensorView view = x.getView();
  view.data = buffer->data();
  view.space = (*gpu)->getMemorySpace();
  view.shape = {x.getShape()[0] / 2};
  view.strides = {2};
  auto execution = (*session)->bind(0, {view});
  if (!status || !execution)
    return status ? execution.getStatus() : status;
  status = (*execution)->enqueue();
  if (status)
    status = (*execution)->wait();
  if (!status)
    return status;
  auto graph = (*execution)->record();
  if (!graph)
    return graph.getStatus();
  status = (*graph)->launch(nullptr);
  if (status)
    status = (*execution)->wait();
  return status ? (*execution)->takeResults().getStatus() : status;
}
} // namespace

/// Each function of the driver fails once: the error names it, or it only gives
/// something back, and nothing hangs, leaks or crashes.
TEST_F(CudaErrorsTest, NegativeCalls) {
  // What gives back, and what errors are described with.
  const std::set<std::string> ignored = {
      "cuGetErrorName",     "cuGetErrorString",
      "cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2",
      "cuModuleUnload",     "cuMemFree_v2",
      "cuMemFreeHost",      "cuStreamDestroy_v2",
      "cuEventDestroy_v2",  "cuGraphDestroy",
      "cuGraphExecDestroy"};
  // Launch.c fills 4 bytes at once, and copies no boxes.
  const std::set<std::string> unused = {"cuMemsetD16Async",
                                        "cuTensorMapEncodeTiled"};
  ASSERT_TRUE(succeeds(
      writeScalePackage(path, LAUNCH_PROGRAM, makeLaunchManifest("cuda"))));
  HostTensor x = makeInput(100);
#define NVFP4_CUDA_SYMBOL(field, symbol, parameters) symbol,
  for (const std::string symbol : {NVFP4_CUDA_FUNCTIONS(NVFP4_CUDA_SYMBOL)}) {
#undef NVFP4_CUDA_SYMBOL
    if (unused.count(symbol))
      continue;
    SCOPED_TRACE(symbol);
    fake.fakeReset();
    fake.fakeFail(symbol.c_str(), 999);
    Status status = doEverything(devices, path, x);
    if (ignored.count(symbol)) {
      EXPECT_TRUE(succeeds(status));
      continue;
    }
    EXPECT_GT(fake.fakeCountCalls(symbol.c_str()), 0u);
    std::string named = symbol.substr(0, symbol.rfind("_v2"));
    EXPECT_TRUE(failsWith(status, named));
    EXPECT_TRUE(failsWith(status, "CUDA_ERROR_OF_A_TEST"));
    EXPECT_EQ(fake.fakeGetAllocatedBytes(), 0u);
  }
}
