//===- SimToolTest.cpp - nvfp4-sim from the command line ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels are those of test/Tools/Inputs/scale.ptx.
//
//===----------------------------------------------------------------------===//

#include "../../Runtime/TestSupport.h"
#include "nvfp4/Runtime/Safetensors.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sys/wait.h>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

struct Outcome {
  int status;
  std::string out, error;
};

class SimToolTest : public testing::Test {
protected:
  void SetUp() override {
    std::filesystem::copy_file(SCALE_PTX, folder / "scale.ptx");
    auto writer = SafetensorsWriter::create(folder / "in.safetensors",
                                            {{"x", DType::F32, {100}}});
    ASSERT_TRUE(succeeds(writer));
    std::vector<float> x(100);
    std::iota(x.begin(), x.end(), 0.0f);
    ASSERT_TRUE(succeeds(writer->append("x", x.data(), 400)));
    ASSERT_TRUE(succeeds(writer->commit()));
  }

  /// Runs nvfp4-sim in the folder.
  Outcome run(const std::string &arguments) {
    std::string command = "cd '" + folder.getPath() + "' && '" NVFP4_SIM "' " +
                          arguments + " 2> error";
    std::FILE *pipe = ::popen(command.c_str(), "r");
    Outcome outcome;
    char buffer[4096];
    while (size_t count = std::fread(buffer, 1, sizeof(buffer), pipe))
      outcome.out.append(buffer, count);
    int status = ::pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.error = folder.read("error");
    return outcome;
  }

  /// Writes a launch of `scale` on `count` elements, with the output defined
  /// or not at first.
  void writeScale(unsigned count, const std::string &source = "undefined") {
    folder.write("l.json", R"({"ptx": "scale.ptx", "entry": "scale",
        "grid": [4, 1, 1], "block": [32, 1, 1], "inputs": "in.safetensors",
        "args": [{"tensor": "x"}, {")" +
                               source +
                               R"(": [100], "dtype": "F32", "name": "y"},
                 {"f32": 0.5}, {"u32": )" +
                               std::to_string(count) +
                               R"(}], "outputs": ["y"]})");
  }

  bool exists(const std::string &name) {
    return std::filesystem::exists(folder / name);
  }

  TemporaryFolder folder;
};

/// The tool stopped with this status and said this on standard error.
testing::AssertionResult says(const Outcome &outcome, int status,
                              const std::string &part) {
  if (outcome.status == status && outcome.error.find(part) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "status " << outcome.status << ": " << outcome.error << outcome.out;
}

/// The tool succeeded, said nothing on standard error, and this otherwise.
testing::AssertionResult prints(const Outcome &outcome,
                                const std::string &part) {
  if (outcome.status == 0 && outcome.error.empty() &&
      outcome.out.find(part) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "status " << outcome.status << ": " << outcome.error << outcome.out;
}

} // namespace

TEST_F(SimToolTest, WritesOutputs) {
  writeScale(100);
  for (const char *options :
       {"", "--async=late", "--async=early", "--async=random:7",
        "--accumulate=exact", "--accumulate=hardware", "--strict",
        "--threads 1 --no-check-ordering --no-check-definedness",
        "--max-instructions 100000 --max-memory 64MB"}) {
    std::filesystem::remove(folder / "out");
    EXPECT_TRUE(prints(run(std::string("l.json --output out ") + options), ""))
        << options;
    auto file = SafetensorsFile::open(folder / "out");
    ASSERT_TRUE(succeeds(file));
    float values[100];
    ASSERT_TRUE(succeeds(file->readTensor(*file->find("y"), values, 0, 400)));
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(values[i], 0.5f * static_cast<float>(i));
  }
  EXPECT_TRUE(prints(run("l.json"), "y       F32    [100]"));
}

TEST_F(SimToolTest, Lists) {
  writeScale(100);
  for (const char *file : {"l.json", "scale.ptx"}) {
    Outcome outcome = run(std::string("--list ") + file);
    for (const char *part : {"sm_120a", "entry scale", "entry race",
                             "2  4      4          factor"})
      EXPECT_TRUE(prints(outcome, part));
  }
}

TEST_F(SimToolTest, Counts) {
  writeScale(100);
  Outcome text = run("l.json --stats");
  for (const char *part :
       {"warp instructions", "class", "load", "ld.global.f32 %f0, [%d3];"})
    EXPECT_TRUE(prints(text, part));
  Outcome outcome = run("l.json --stats=json");
  ASSERT_EQ(outcome.status, 0) << outcome.error;
  auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["instructions_by_class"]["float"], 4);
  EXPECT_EQ(json["bytes_by_space"]["global load"], 400);
  EXPECT_EQ(json["bytes_by_space"]["global store"], 400);
  // tid, its global number, times 4, plus the base, the load, the product, the
  // store.
  EXPECT_EQ(json["longest_dependency"], 7);
  uint64_t sectors = 0;
  for (const auto &line : json["lines"])
    if (line["opcode"] == "ld")
      sectors += line["sectors"].get<uint64_t>();
  // 100 consecutive floats from an aligned address.
  EXPECT_EQ(sectors, 13u);
}

/// Waiting at a barrier counts once. A barrier ends chains. Stores whose lanes
/// are 128 bytes apart all hit one bank: 31 conflicts.
TEST_F(SimToolTest, CountsSharedMemory) {
  folder.write("k.ptx", R"(.version 8.7
.target sm_120a
.address_size 64
.shared .align 4 .b8 s[8192];
.visible .entry k()
{
  .reg .b32 %r<6>;
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, s;
  mad.lo.u32 %r2, %r0, 128, %r1;
  st.shared.u32 [%r2], %r0;
  bar.sync 0;
  mad.lo.u32 %r3, %r0, 4, %r1;
  ld.shared.u32 %r4, [%r3];
  ret;
})");
  folder.write("l.json",
               R"({"ptx": "k.ptx", "grid": [1, 1, 1], "block": [64, 1, 1]})");
  Outcome outcome = run("l.json --stats=json --no-check-definedness");
  ASSERT_EQ(outcome.status, 0) << outcome.error;
  auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["warp_instructions"], 16);
  EXPECT_EQ(json["instructions_by_class"]["barrier"], 2);
  EXPECT_EQ(json["longest_dependency"], 3);
  EXPECT_EQ(json["bytes_by_space"]["shared store"], 256);
  for (const auto &line : json["lines"]) {
    if (line["opcode"] == "st") {
      EXPECT_EQ(line["wavefronts"], 64);
      EXPECT_EQ(line["bank_conflicts"], 62);
    }
    if (line["opcode"] == "ld") {
      EXPECT_EQ(line["wavefronts"], 2);
      EXPECT_EQ(line["bank_conflicts"], 0);
    }
  }
}

/// More threads than the system has to give.
TEST_F(SimToolTest, ManyThreads) {
  writeScale(100);
  EXPECT_TRUE(prints(run("l.json --threads 4294967295"), "y"));
}

TEST_F(SimToolTest, Traces) {
  writeScale(100);
  Outcome outcome = run("l.json --trace=1,0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.error.find("mul.rn.f32"), std::string::npos)
      << outcome.error;
}

/// Errors of the program: status 1, a report, and no output.
TEST_F(SimToolTest, NegativeKernel) {
  writeScale(101);
  EXPECT_TRUE(
      says(run("l.json --output out --report r.json"), 1, "scale.ptx:"));
  EXPECT_FALSE(exists("out"));
  auto json = nlohmann::json::parse(folder.read("r.json"));
  EXPECT_EQ(json["errors"], 1);
  EXPECT_EQ(json["findings"][0]["severity"], "error");
  EXPECT_EQ(json["findings"][0]["rule"], "bounds");
  EXPECT_EQ(json["findings"][0]["cta"], nlohmann::json({3, 0, 0}));
}

TEST_F(SimToolTest, NegativeUndefinedOutput) {
  writeScale(99);
  EXPECT_TRUE(says(run("l.json --output out"), 1, "element [99], byte 396"));
  EXPECT_FALSE(exists("out"));
  EXPECT_TRUE(prints(run("l.json --output out --no-check-definedness"), ""));
  EXPECT_TRUE(exists("out"));
  writeScale(99, "zeros");
  EXPECT_TRUE(prints(run("l.json --output out"), ""));
}

TEST_F(SimToolTest, NegativeRace) {
  folder.write("l.json", R"({"ptx": "scale.ptx", "entry": "race",
      "grid": [4, 1, 1], "block": [32, 1, 1],
      "args": [{"undefined": [1], "dtype": "U32", "name": "y"}],
      "outputs": ["y"]})");
  for (const char *async : {"late", "early", "random:1", "random:2"})
    EXPECT_TRUE(says(run(std::string("l.json --async=") + async), 1, "R4"));
  EXPECT_TRUE(prints(run("l.json --no-check-ordering"), "y"));
}

TEST_F(SimToolTest, NegativeLimits) {
  writeScale(100);
  EXPECT_TRUE(says(run("l.json --output out --max-instructions 10"), 1, "10"));
  EXPECT_TRUE(says(run("l.json --max-memory 100"), 2,
                   "expected buffers of at most 100 bytes"));
  EXPECT_FALSE(exists("out"));
}

TEST_F(SimToolTest, NegativeUsage) {
  writeScale(100);
  EXPECT_TRUE(says(run(""), 2, "launch is required"));
  EXPECT_TRUE(says(run("none.json"), 2, "cannot open for reading"));
  EXPECT_TRUE(says(run("l.json --async=now"), 2,
                   "nvfp4-sim: error: --async: expected late, early or "
                   "random:SEED"));
  EXPECT_TRUE(says(run("l.json --async=random:"), 2, "--async: expected"));
  EXPECT_TRUE(says(run("l.json --async=random:1x"), 2, "--async: expected"));
  EXPECT_TRUE(says(run("l.json --trace=1:2:3:4"), 2, "--trace: expected"));
  EXPECT_TRUE(says(run("l.json --trace=-1"), 2, "--trace: expected"));
  EXPECT_TRUE(says(run("l.json --accumulate=fast"), 2, "--accumulate"));
  EXPECT_TRUE(says(run("l.json --stats=xml"), 2, "--stats"));
  EXPECT_TRUE(says(run("l.json --output no/such/folder"), 2, "cannot create"));
  folder.write("l.json", R"({"ptx": "none.ptx", "grid": [1, 1, 1],
                            "block": [1, 1, 1]})");
  EXPECT_TRUE(says(run("l.json"), 2, "none.ptx': cannot open for reading"));
  EXPECT_TRUE(says(run("l.json --output out"), 2,
                   "expected names in 'outputs', because of --output"));
  folder.write("none.ptx", "this is no PTX");
  EXPECT_TRUE(says(run("l.json"), 2, "nvfp4-sim: error: none.ptx:1:"));
}
