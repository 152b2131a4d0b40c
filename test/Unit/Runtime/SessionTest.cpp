//===- SessionTest.cpp - Running packages ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Session.h"
#include "LaunchPackage.h"
#include "ScalePackage.h"
#include "TestSupport.h"
#include "nvfp4/Runtime/ThreadPool.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

using namespace nvfp4;
using namespace nvfp4::test;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
/// A workspace too large for any machine is an error of the runtime's, also
/// under the sanitizer.
extern "C" const char *__asan_default_options() {
  return "allocator_may_return_null=1";
}
#endif
#endif

namespace {

/// Inputs of Scale.c with `rows` rows: x = 0, 1, 2, …; mask all 1.
struct Inputs {
  explicit Inputs(int64_t rows)
      : x(std::move(*HostTensor::allocate(DType::F32, {rows, 4}))),
        mask(std::move(*HostTensor::allocate(DType::U8, {rows}))) {
    for (int64_t i = 0; i < rows * 4; ++i)
      getX()[i] = static_cast<float>(i % 999);
    memset(mask.data(), 1, mask.getBytes());
  }
  float *getX() { return static_cast<float *>(x.data()); }
  std::vector<TensorView> getViews() const {
    return {x.getView(), mask.getView()};
  }
  HostTensor x, mask;
};

class SessionTest : public testing::Test {
protected:
  Result<std::unique_ptr<Session>>
  open(const std::string &program = SCALE_PROGRAM,
       const Manifest &manifest = makeScaleManifest(), unsigned threads = 2) {
    if (Status status = writeScalePackage(path, program, manifest); !status)
      return status;
    SessionOptions options;
    options.device = manifest.target.device;
    options.deviceOptions.numThreads = threads;
    return Session::open(path, devices, options);
  }

  TemporaryFolder folder;
  std::string path = folder / "m.nvfp4pkg";
  DeviceRegistry devices = DeviceRegistry::createDefault();
};

float at(const HostTensor &tensor, int64_t index) {
  return static_cast<const float *>(tensor.data())[index];
}

} // namespace

TEST_F(SessionTest, RunsInPlace) {
  auto session = open();
  ASSERT_TRUE(succeeds(session));
  EXPECT_EQ((*session)->getCopiedWeightBytes(), 4u);
  Inputs inputs(3);
  static_cast<uint8_t *>(inputs.mask.data())[1] = 0;
  RunStats stats;
  auto results = (*session)->run(0, inputs.getViews(), &stats);
  ASSERT_TRUE(succeeds(results));
  ASSERT_EQ(results->size(), 1u);
  EXPECT_EQ(results->front().getShape(), (std::vector<int64_t>{3, 4}));
  for (int64_t i = 0; i < 12; ++i)
    EXPECT_EQ(at(results->front(), i), i / 4 == 1 ? i : 2 * i) << i;
  EXPECT_EQ(stats.numCopiedInputs, 0u);
  EXPECT_EQ(stats.workspaceBytes, 64u + 12u);
}

TEST_F(SessionTest, RunsEmptyAndLargeBatches) {
  auto session = open();
  ASSERT_TRUE(succeeds(session));
  auto empty = (*session)->run(
      0, {{nullptr, DType::F32, {0, 4}, {}}, {nullptr, DType::U8, {0}, {}}});
  ASSERT_TRUE(succeeds(empty));
  EXPECT_EQ(empty->front().getShape(), (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(empty->front().getBytes(), 0u);
  // The workspace of the small run does not suffice for the large one.
  for (int64_t rows : {1, 100000, 7}) {
    Inputs inputs(rows);
    auto results = (*session)->run(0, inputs.getViews());
    ASSERT_TRUE(succeeds(results));
    for (int64_t i = 0; i < rows * 4; ++i)
      ASSERT_EQ(at(results->front(), i), 2 * (i % 999));
  }
}

TEST_F(SessionTest, CopiesStridedInputsOnly) {
  auto session = open();
  ASSERT_TRUE(succeeds(session));
  Inputs inputs(2);
  std::vector<float> buffer(64);
  std::iota(buffer.begin(), buffer.end(), 0.0f);
  auto runWith = [&](const float *data, std::vector<int64_t> strides,
                     std::vector<float> expected) {
    auto views = inputs.getViews();
    views[0].data = data;
    views[0].strides = strides;
    RunStats stats;
    auto results = (*session)->run(0, views, &stats);
    ASSERT_TRUE(succeeds(results));
    for (int64_t i = 0; i < 8; ++i)
      EXPECT_EQ(at(results->front(), i), 2 * expected[i]);
    EXPECT_EQ(stats.numCopiedInputs, 1u);
    EXPECT_EQ(stats.copiedInputBytes, 32u);
  };
  runWith(&buffer[0], {1, 2}, {0, 2, 4, 6, 1, 3, 5, 7});      // transposed
  runWith(&buffer[0], {10, 1}, {0, 1, 2, 3, 10, 11, 12, 13}); // a slice
  runWith(&buffer[7], {-4, -1}, {7, 6, 5, 4, 3, 2, 1, 0});    // reversed
  runWith(&buffer[5], {0, 0}, {5, 5, 5, 5, 5, 5, 5, 5});      // broadcast
  std::vector<char> bytes(64 + 33);
  char *odd = bytes.data() + 1;
  memcpy(odd, buffer.data(), 32);
  runWith(reinterpret_cast<const float *>(odd), {4, 1},
          {0, 1, 2, 3, 4, 5, 6, 7}); // not aligned
}

TEST_F(SessionTest, NegativeInputs) {
  Manifest manifest = makeScaleManifest();
  manifest.entries[0].dimensions[0] = {"batch", 1, 8};
  auto session = open(SCALE_PROGRAM, manifest);
  ASSERT_TRUE(succeeds(session));
  Inputs inputs(8);
  auto runWith = [&](TensorView x, TensorView mask) {
    return (*session)->run(0, {x, mask});
  };
  TensorView x = inputs.x.getView(), mask = inputs.mask.getView();
  EXPECT_TRUE(failsWith((*session)->run(0, {x}),
                        "entry 'main': expected 2 inputs, but got 1"));
  EXPECT_TRUE(failsWith((*session)->run(1, {x}), "expected an entry below 1"));
  EXPECT_TRUE(failsWith(runWith(x, {mask.data, DType::U8, {1}, {}}),
                        "input 'mask': expected shape [batch=8], but got [1] "
                        "('batch' comes from input 'x')"));
  EXPECT_TRUE(
      failsWith(runWith({x.data, DType::F32, {8, 5}, {}}, mask),
                "input 'x': expected shape [batch, 4], but got [8, 5]"));
  EXPECT_TRUE(failsWith(runWith({x.data, DType::F32, {8}, {}}, mask),
                        "expected shape [batch, 4], but got [8]"));
  EXPECT_TRUE(failsWith(runWith({x.data, DType::BF16, {8, 4}, {}}, mask),
                        "input 'x': expected dtype F32, but got BF16"));
  EXPECT_TRUE(failsWith(runWith({nullptr, DType::F32, {8, 4}, {}}, mask),
                        "expected data, but got a null pointer"));
  EXPECT_TRUE(failsWith(runWith({x.data, DType::F32, {-8, 4}, {}}, mask),
                        "a shape of a possible size"));
  EXPECT_TRUE(failsWith(runWith({x.data, DType::F32, {8, 4}, {1}}, mask),
                        "expected 2 strides, but got 1"));
  EXPECT_TRUE(failsWith(runWith({x.data, DType::F32, {9, 4}, {}},
                                {mask.data, DType::U8, {9}, {}}),
                        "dimension 'batch': expected at most 8, but got 9"));
  EXPECT_TRUE(failsWith(runWith({x.data, DType::F32, {0, 4}, {}},
                                {mask.data, DType::U8, {0}, {}}),
                        "dimension 'batch': expected at least 1, but got 0"));
}

TEST_F(SessionTest, NegativeProgramErrors) {
  auto session = open();
  ASSERT_TRUE(succeeds(session));
  Inputs inputs(100);
  auto runWith = [&](float value) {
    inputs.getX()[301] = value;
    return (*session)->run(0, inputs.getViews());
  };
  EXPECT_TRUE(failsWith(runWith(1001), "entry 'main': expected elements of at "
                                       "most 1000, but got a larger one"));
  EXPECT_TRUE(failsWith(runWith(-1), "entry 'main': an element is -1"));
  EXPECT_TRUE(failsWith(runWith(-2), "expected an error word from 0 to 1, but "
                                     "got 9"));
  // An error belongs to its run.
  EXPECT_TRUE(succeeds(runWith(1)));
}

TEST_F(SessionTest, NegativePlan) {
  Inputs inputs(1);
  auto runProgram = [&](const char *program) -> Status {
    auto session = open(program);
    if (!session)
      return session.getStatus();
    return (*session)->run(0, inputs.getViews()).getStatus();
  };
  EXPECT_TRUE(failsWith(runProgram(SCALE_PROGRAM_PLAN_STATUS),
                        "expected the program to plan, but got status 3"));
  EXPECT_TRUE(failsWith(runProgram(SCALE_PROGRAM_PLAN_SHAPE),
                        "result 'y': expected the program to plan shape "
                        "[batch=1, 4], but got [1, 5]"));
  EXPECT_TRUE(failsWith(runProgram(SCALE_PROGRAM_PLAN_WORKSPACE),
                        "a workspace of at least 64 bytes, but got 8"));
  EXPECT_TRUE(failsWith(runProgram(SCALE_PROGRAM_PLAN_MEMORY),
                        "workspace: device 'cpu': expected 4611686018427387904 "
                        "bytes of memory, but got none"));
}

TEST_F(SessionTest, SeveralThreadsShareOneSession) {
  auto session = open(SCALE_PROGRAM, makeScaleManifest(), /*threads=*/3);
  ASSERT_TRUE(succeeds(session));
  std::atomic<unsigned> wrong{0};
  auto work = [&](unsigned seed) {
    for (unsigned round = 0; round < 50; ++round) {
      Inputs inputs(1 + (seed * 37 + round * 101) % 500);
      bool isBad = round % 10 == 9;
      if (isBad)
        inputs.getX()[0] = 5000;
      auto results = (*session)->run(0, inputs.getViews());
      if (results.ok() == isBad)
        ++wrong;
      if (!results)
        continue;
      for (int64_t i = 0; i < inputs.x.getShape()[0] * 4; ++i)
        wrong += at(results->front(), i) != 2 * (i % 999);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 6; ++i)
    threads.emplace_back(work, i);
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0u);
}

//===----------------------------------------------------------------------===//
// A second device
//===----------------------------------------------------------------------===//

namespace {

/// A device with memory of its own: what it did not allocate it does not
/// accept. It shows that a device needs nothing of the runtime but its
/// interface.
class RemoteDevice final : public Device {
public:
  std::string_view getName() const override { return "remote"; }
  Status checkTarget(const ManifestTarget &target,
                     const std::string &place) const override {
    if (target.name == "moon")
      return Status();
    return Status::error(place + ": expected target 'moon', but got '" +
                         target.name + "'");
  }
  MemorySpace getMemorySpace() const override {
    return {MemorySpace::Kind::Private, 0};
  }
  Result<void *> allocate(uint64_t bytes) override {
    auto memory = cpu->allocate(bytes);
    std::lock_guard<std::mutex> lock(mutex);
    owned.insert(*memory);
    return memory;
  }
  void free(void *memory) override {
    std::lock_guard<std::mutex> lock(mutex);
    EXPECT_EQ(owned.erase(memory), 1u);
    cpu->free(memory);
  }
  Status copyIn(void *target, const void *source, uint64_t bytes) override {
    EXPECT_TRUE(isOwned(target));
    ++numCopiesIn;
    return cpu->copyIn(target, source, bytes);
  }
  Status copyOut(void *target, const void *source, uint64_t bytes) override {
    EXPECT_TRUE(isOwned(source));
    return cpu->copyOut(target, source, bytes);
  }
  Status zero(void *memory, uint64_t bytes) override {
    EXPECT_TRUE(isOwned(memory));
    return cpu->zero(memory, bytes);
  }
  Status run(const nvfp4_entry &entry, const DeviceModule *module,
             const int64_t *dims, const void *const *args, void *const *results,
             void *workspace, DeviceStream stream) override {
    for (uint32_t i = 0; i < entry.num_args; ++i)
      EXPECT_TRUE(isOwned(args[i]));
    for (uint32_t i = 0; i < entry.num_results; ++i)
      EXPECT_TRUE(isOwned(results[i]));
    EXPECT_TRUE(isOwned(workspace));
    return cpu->run(entry, module, dims, args, results, workspace, stream);
  }

  bool isOwned(const void *memory) {
    std::lock_guard<std::mutex> lock(mutex);
    return owned.count(const_cast<void *>(memory)) != 0;
  }

  std::shared_ptr<Device> cpu = createCpuDevice({1, 0});
  std::mutex mutex;
  std::set<void *> owned;
  std::atomic<unsigned> numCopiesIn{0};
};

} // namespace

TEST_F(SessionTest, SecondDevice) {
  auto remote = std::make_shared<RemoteDevice>();
  devices.add("remote", [&](const DeviceOptions &) {
    return Result<std::shared_ptr<Device>>(remote);
  });
  EXPECT_EQ(devices.getNames(), (std::vector<std::string>{"cpu", "remote"}));
  Manifest manifest = makeScaleManifest();
  manifest.target.device = "remote";
  EXPECT_TRUE(
      failsWith(open(SCALE_PROGRAM, manifest), "expected target 'moon'"));
  manifest.target.name = "moon";
  {
    auto session = open(SCALE_PROGRAM, manifest);
    ASSERT_TRUE(succeeds(session));
    Inputs inputs(5);
    RunStats stats;
    auto results = (*session)->run(0, inputs.getViews(), &stats);
    ASSERT_TRUE(succeeds(results));
    for (int64_t i = 0; i < 20; ++i)
      EXPECT_EQ(at(results->front(), i), 2 * i);
    EXPECT_EQ(stats.numCopiedInputs, 0u);
    EXPECT_EQ(remote->numCopiesIn, 3u);
    inputs.getX()[3] = 2000;
    EXPECT_TRUE(
        failsWith((*session)->run(0, inputs.getViews()), "at most 1000"));
  }
  EXPECT_TRUE(remote->owned.empty());
}

/// The CPU says so when the package is opened, not when the program calls null.
TEST_F(SessionTest, NegativeKernelsOnCpu) {
  EXPECT_TRUE(failsWith(
      open(LAUNCH_PROGRAM, makeLaunchManifest("cpu")),
      "program.so': expected a program without kernels for device 'cpu', which "
      "launches none, but got 1, the first of them 'scale'"));
}

TEST_F(SessionTest, NegativeUnknownDevice) {
  Manifest manifest = makeScaleManifest();
  manifest.target.device = "cuda";
  EXPECT_TRUE(
      failsWith(open(SCALE_PROGRAM, manifest),
                "device 'cuda': expected one of 'cpu', but got 'cuda'"));
}

//===----------------------------------------------------------------------===//
// ThreadPool
//===----------------------------------------------------------------------===//

namespace {
struct Counts {
  ThreadPool *pool;
  std::vector<std::atomic<int>> visits;
  std::atomic<int64_t> total{0};
};
} // namespace

TEST(ThreadPool, CoversEveryIndexOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.getNumThreads(), threads);
    for (int64_t count : {0, 1, 2, 3, 19, 1000}) {
      Counts counts{&pool, std::vector<std::atomic<int>>(count)};
      pool.parallelFor(
          count,
          [](void *state, int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i)
              ++static_cast<Counts *>(state)->visits[i];
          },
          &counts);
      for (const auto &visits : counts.visits)
        EXPECT_EQ(visits, 1);
    }
  }
}

/// Helpers that look for the next loop, or sleep by now, miss none.
TEST(ThreadPool, LoopsOfSeveralCallersFollowEachOther) {
  ThreadPool pool(3);
  auto call = [&] {
    for (int i = 0; i < 1000; ++i) {
      int64_t visits[7] = {};
      pool.parallelFor(
          7,
          [](void *state, int64_t begin, int64_t end) {
            for (int64_t k = begin; k < end; ++k)
              ++static_cast<int64_t *>(state)[k];
          },
          visits);
      for (int64_t count : visits)
        ASSERT_EQ(count, 1);
      if (i % 300 == 0)
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  };
  std::thread other(call);
  call();
  other.join();
}

TEST(ThreadPool, Nests) {
  ThreadPool pool(4);
  Counts counts{&pool, {}};
  pool.parallelFor(
      20,
      [](void *state, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          static_cast<Counts *>(state)->pool->parallelFor(
              10,
              [](void *state, int64_t begin, int64_t end) {
                static_cast<Counts *>(state)->total += end - begin;
              },
              state);
      },
      &counts);
  EXPECT_EQ(counts.total, 200);
}
