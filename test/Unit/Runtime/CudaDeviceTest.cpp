//===- CudaDeviceTest.cpp - The device "cuda", on a fake driver -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaContext.h"
#include "CudaTestSupport.h"

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

/// Tensors of a GPU that this test made.
class CudaTensors : public CudaTest {
protected:
  CudaTensors() {
    gpu = std::move(*devices.create("cuda", {}));
    devices.add("cuda", [this](const DeviceOptions &) {
      return Result<std::shared_ptr<Device>>(gpu);
    });
  }

  /// Copies a tensor of the host, whose view is kept but for the memory.
  TensorView upload(const HostTensor &tensor) {
    buffers.push_back(
        std::move(*DeviceBuffer::allocate(gpu, tensor.getBytes())));
    EXPECT_TRUE(
        gpu->copyIn(buffers.back().data(), tensor.data(), tensor.getBytes()));
    TensorView view = tensor.getView();
    view.data = buffers.back().data();
    view.space = gpu->getMemorySpace();
    return view;
  }

  std::shared_ptr<Device> gpu;
  std::vector<DeviceBuffer> buffers;
};

} // namespace

TEST(ChipName, Runs) {
  struct {
    const char *name;
    int capability;
    bool machineCode, ptx;
  } const rows[] = {
      {"sm_90a", 90, true, true},     {"sm_90a", 100, false, false},
      {"sm_80", 86, true, true},      {"sm_86", 80, false, false},
      {"sm_80", 90, false, true},     {"sm_120f", 121, true, true},
      {"sm_120f", 130, false, false}, {"sm_120a", 121, false, false},
  };
  for (const auto &row : rows) {
    cuda::ChipName chip;
    ASSERT_TRUE(cuda::ChipName::parse(row.name, chip)) << row.name;
    EXPECT_EQ(chip.runsMachineCodeOn(row.capability), row.machineCode)
        << row.name << " " << row.capability;
    EXPECT_EQ(chip.assemblesOn(row.capability), row.ptx)
        << row.name << " " << row.capability;
  }
  cuda::ChipName chip;
  for (const char *name : {"cpu", "sm_", "sm_90x", "sm_90aa", "gfx90a"})
    EXPECT_FALSE(cuda::ChipName::parse(name, chip)) << name;
}

TEST_F(CudaTest, Launches) {
  auto session = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(session));
  EXPECT_EQ((*session)->getCopiedWeightBytes(), sizeof(float));
  for (int64_t count : {1, 64, 1000}) {
    HostTensor x = makeInput(count);
    auto results = (*session)->run(0, {x.getView()});
    ASSERT_TRUE(succeeds(results));
    expectScaled(results->front(), count);
  }
}

/// More than both pinned buffers hold.
TEST_F(CudaTest, LongCopies) {
  auto gpu = devices.create("cuda", {});
  ASSERT_TRUE(succeeds(gpu));
  HostTensor x = makeInput((int64_t(13) << 20) / 4 + 3);
  HostTensor y = std::move(*HostTensor::allocate(DType::F32, x.getShape()));
  auto buffer = DeviceBuffer::allocate(*gpu, x.getBytes());
  ASSERT_TRUE(succeeds(buffer));
  ASSERT_TRUE((*gpu)->copyIn(buffer->data(), x.data(), x.getBytes()));
  ASSERT_TRUE((*gpu)->copyOut(y.data(), buffer->data(), x.getBytes()));
  EXPECT_EQ(std::memcmp(x.data(), y.data(), x.getBytes()), 0);
}

TEST_F(CudaTest, LaunchAttributes) {
  FakeLaunch launch;
  HostTensor x = makeInput(1000);
  auto run = [&](const char *program) {
    auto session = open(program);
    return session ? (*session)->run(0, {x.getView()}).getStatus()
                   : session.getStatus();
  };
  ASSERT_TRUE(succeeds(run(LAUNCH_PROGRAM_CLUSTER)));
  fake.fakeGetLaunch(&launch);
  EXPECT_EQ(launch.cluster[0], 2u);
  EXPECT_EQ(launch.grid[0], 16u);
  EXPECT_TRUE(launch.isProgrammatic);
  ASSERT_TRUE(succeeds(run(LAUNCH_PROGRAM_CLUSTER_NINE)));
  ASSERT_TRUE(succeeds(run(LAUNCH_PROGRAM_SHARED)));
  fake.fakeGetLaunch(&launch);
  EXPECT_EQ(launch.dynamicSharedBytes, 150000u);
  EXPECT_EQ(launch.cluster[0], 0u);
  EXPECT_FALSE(launch.isProgrammatic);
  // The fake kernel declares 1 KiB of its own.
  EXPECT_TRUE(failsWith(run(LAUNCH_PROGRAM_TOO_SHARED),
                        "expected at most 231424 bytes of dynamic shared "
                        "memory, but got 232000"));
}

/// A run and its graph wait for nothing, and one graph serves many runs.
TEST_F(CudaTensors, EnqueuesWithoutWaiting) {
  auto session = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(session));
  HostTensor x = makeInput(100);
  TensorView input = upload(x);
  auto execution = (*session)->bind(0, {input});
  ASSERT_TRUE(succeeds(execution));
  const char *const waits[] = {"cuStreamSynchronize", "cuEventSynchronize"};
  unsigned before[2];
  for (int i = 0; i < 2; ++i)
    before[i] = fake.fakeCountCalls(waits[i]);
  unsigned allocations = fake.fakeCountCalls("cuMemAlloc_v2");
  ASSERT_TRUE(succeeds((*execution)->enqueue()));
  {
    auto graph = (*execution)->record();
    ASSERT_TRUE(succeeds(graph));
    unsigned launches = fake.fakeCountCalls("cuLaunchKernelEx");
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(succeeds((*graph)->launch(nullptr)));
    EXPECT_EQ(fake.fakeCountCalls("cuGraphLaunch"), 3u);
    EXPECT_EQ(fake.fakeCountCalls("cuLaunchKernelEx"), launches);
  }
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(fake.fakeCountCalls(waits[i]), before[i]) << waits[i];
  EXPECT_EQ(fake.fakeCountCalls("cuMemAlloc_v2"), allocations);
  ASSERT_TRUE(succeeds((*execution)->wait()));
  auto results = (*execution)->takeResults();
  ASSERT_TRUE(succeeds(results));
  expectScaled(results->front(), 100);
}

/// A graph reads its tensors anew.
TEST_F(CudaTensors, GraphsReadTheirInputs) {
  auto session = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(session));
  HostTensor x = makeInput(10);
  TensorView input = upload(x);
  auto execution = (*session)->bind(0, {input});
  ASSERT_TRUE(succeeds(execution));
  auto graph = (*execution)->record();
  ASSERT_TRUE(succeeds(graph));
  for (int64_t i = 0; i < 10; ++i)
    static_cast<float *>(x.data())[i] *= 5;
  ASSERT_TRUE(gpu->copyIn(const_cast<void *>(input.data), x.data(), 40));
  ASSERT_TRUE(succeeds((*graph)->launch(nullptr)));
  ASSERT_TRUE(succeeds((*execution)->wait()));
  auto results = (*execution)->takeResults();
  ASSERT_TRUE(succeeds(results));
  expectScaled(results->front(), 10, 5);
}

/// Tensors of the GPU are used where they are, on the stream of the caller.
TEST_F(CudaTensors, InPlace) {
  auto session = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(session));
  HostTensor x = makeInput(100);
  TensorView input = upload(x);
  auto buffer = DeviceBuffer::allocate(gpu, 104 * sizeof(float));
  ASSERT_TRUE(succeeds(buffer));
  ResultTensor result{buffer->data(), DType::F32, {104}, gpu->getMemorySpace()};
  uint64_t allocated = fake.fakeGetAllocatedBytes();
  auto execution = (*session)->bind(0, {input}, {result});
  ASSERT_TRUE(succeeds(execution));
  // The workspace alone.
  EXPECT_EQ(fake.fakeGetAllocatedBytes(), allocated + 64);
  EXPECT_EQ((*execution)->getStats().numCopiedInputs, 0u);
  EXPECT_EQ((*execution)->getResults()[0].data, buffer->data());
  auto other = devices.create("cuda", {});
  ASSERT_TRUE(succeeds((*execution)->enqueue()));
  ASSERT_TRUE(succeeds((*execution)->wait()));
  auto results = (*execution)->takeResults();
  ASSERT_TRUE(succeeds(results));
  expectScaled(results->front(), 100);
}

/// Columns of a matrix, rows backwards, addresses that are not aligned.
TEST_F(CudaTensors, StridesAndAlignment) {
  auto session = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(session));
  HostTensor x = makeInput(101);
  TensorView whole = upload(x);
  const auto *address = static_cast<const float *>(whole.data);
  struct {
    int64_t offset, count, stride;
  } const rows[] = {{1, 100, 1}, {0, 50, 2}, {100, 101, -1}, {7, 9, 0}};
  for (const auto &row : rows) {
    TensorView view = whole;
    view.data = address + row.offset;
    view.shape = {row.count};
    view.strides = {row.stride};
    auto execution = (*session)->bind(0, {view});
    ASSERT_TRUE(succeeds(execution));
    EXPECT_EQ((*execution)->getStats().numCopiedInputs, 1u);
    ASSERT_TRUE(succeeds((*execution)->enqueue()));
    ASSERT_TRUE(succeeds((*execution)->wait()));
    auto results = (*execution)->takeResults();
    ASSERT_TRUE(succeeds(results));
    auto *y = static_cast<const float *>(results->front().data());
    for (int64_t i = 0; i < row.count; ++i)
      EXPECT_EQ(y[i], 2 * static_cast<float>(row.offset + i * row.stride));
  }
}

TEST_F(CudaTensors, StridedMatrices) {
  HostTensor x = makeInput(2 * 3 * 5);
  TensorView source = upload(x);
  auto target = DeviceBuffer::allocate(gpu, 120);
  ASSERT_TRUE(succeeds(target));
  // A permutation, a slice of columns, repeated rows.
  struct {
    std::vector<int64_t> shape, strides;
  } const rows[] = {{{5, 3, 2}, {1, 5, 15}},
                    {{2, 3, 4}, {15, 5, 1}},
                    {{2, 4, 3}, {15, 0, 1}},
                    {{3, 0, 2}, {5, 1, 1}}};
  for (const auto &row : rows) {
    ASSERT_TRUE(gpu->copyStrided(target->data(), source.data, 4, row.shape,
                                 row.strides, nullptr));
    std::vector<float> got(row.shape[0] * row.shape[1] * row.shape[2]);
    ASSERT_TRUE(gpu->copyOut(got.data(), target->data(), got.size() * 4));
    size_t next = 0;
    for (int64_t i = 0; i < row.shape[0]; ++i)
      for (int64_t j = 0; j < row.shape[1]; ++j)
        for (int64_t k = 0; k < row.shape[2]; ++k)
          EXPECT_EQ(got[next++], i * row.strides[0] + j * row.strides[1] +
                                     k * row.strides[2]);
  }
}

TEST_F(CudaTensors, NegativeTensors) {
  auto session = open(LAUNCH_PROGRAM);
  ASSERT_TRUE(succeeds(session));
  HostTensor x = makeInput(10);
  TensorView input = upload(x);
  TensorView other = input;
  other.space.ordinal = 1;
  EXPECT_TRUE(failsWith((*session)->bind(0, {other}),
                        "input 'x': expected memory of 'cuda:0', but got that "
                        "of 'cuda:1'"));
  ResultTensor result{buffers[0].data(), DType::F32, {13}, input.space};
  EXPECT_TRUE(failsWith((*session)->bind(0, {input}, {result}),
                        "result 'y': expected F32 [14], but got F32 [13]"));
  result.shape = {14};
  result.data = static_cast<char *>(result.data) + 16;
  EXPECT_TRUE(failsWith((*session)->bind(0, {input}, {result}),
                        "expected an address that is a multiple of 64"));
  result.space = {};
  EXPECT_TRUE(failsWith((*session)->bind(0, {input}, {result}),
                        "result 'y': expected memory of 'cuda:0', but got that "
                        "of the host"));
  EXPECT_TRUE(failsWith((*session)->bind(0, {input}, {result, result}),
                        "expected 1 results, but got 2"));
}

/// Two GPUs and three packages in one process.
TEST_F(CudaTest, Together) {
  std::vector<std::unique_ptr<Session>> sessions;
  for (const char *device : {"cuda", "cuda:0", "cuda:1"}) {
    auto session = open(LAUNCH_PROGRAM, device);
    ASSERT_TRUE(succeeds(session));
    sessions.push_back(std::move(*session));
  }
  EXPECT_EQ(sessions[2]->getDevice().getMemorySpace().ordinal, 1);
  for (int64_t count : {3, 300})
    for (auto &session : sessions) {
      HostTensor x = makeInput(count);
      auto results = session->run(0, {x.getView()});
      ASSERT_TRUE(succeeds(results));
      expectScaled(results->front(), count);
    }
  sessions.clear();
  EXPECT_EQ(fake.fakeGetAllocatedBytes(), 0u);
  EXPECT_EQ(fake.fakeCountCalls("cuDevicePrimaryCtxRetain"),
            fake.fakeCountCalls("cuDevicePrimaryCtxRelease_v2"));
  EXPECT_EQ(fake.fakeCountCalls("cuCtxPushCurrent_v2"),
            fake.fakeCountCalls("cuCtxPopCurrent_v2"));
}
