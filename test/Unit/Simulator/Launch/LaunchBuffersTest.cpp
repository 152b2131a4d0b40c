//===- LaunchBuffersTest.cpp - From a launch file to outputs --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels are those of test/Tools/Inputs/scale.ptx.
//
//===----------------------------------------------------------------------===//

#include "../../Runtime/TestSupport.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Simulator/PTX/LaunchFile.h"
#include "nvfp4/Simulator/PTX/ReportJson.h"

#include <nlohmann/json.hpp>
#include <numeric>

using namespace nvfp4;
using namespace nvfp4::ptx;
using namespace nvfp4::test;

static constexpr uint64_t kMaxBytes = uint64_t(8) << 30;

namespace {

class LaunchBuffersTest : public testing::Test {
protected:
  void SetUp() override {
    auto text = readPTX(SCALE_PTX);
    ASSERT_TRUE(succeeds(text));
    auto loaded = Program::load(*text, "scale.ptx");
    ASSERT_TRUE(succeeds(loaded));
    program = *loaded;
    // x = 0, 1, …, 9, and a tensor of no use.
    auto writer = SafetensorsWriter::create(
        folder / "in.safetensors",
        {{"x", DType::F32, {10}}, {"other", DType::U8, {1}}});
    ASSERT_TRUE(succeeds(writer));
    std::vector<float> x(10);
    std::iota(x.begin(), x.end(), 0.0f);
    ASSERT_TRUE(succeeds(writer->append("x", x.data(), 40)));
    ASSERT_TRUE(succeeds(writer->append("other", "o", 1)));
    ASSERT_TRUE(succeeds(writer->commit()));
  }

  /// Parses a launch of `scale` with these arguments.
  LaunchFile parse(const std::string &arguments,
                   const std::string &entry = "scale") {
    auto file =
        LaunchFile::parse(R"({"ptx": "scale.ptx", "entry": ")" + entry +
                              R"(", "grid": [2, 1, 1], "block": [32, 1, 1],
                "inputs": "in.safetensors", "args": [)" +
                              arguments + R"(], "outputs": ["y"]})",
                          folder / "l.json");
    EXPECT_TRUE(succeeds(file));
    return std::move(*file);
  }

  Status bind(const std::string &arguments,
              const std::string &entry = "scale") {
    auto buffers = LaunchBuffers::create(parse(arguments, entry), kMaxBytes);
    if (!buffers)
      return buffers.getStatus();
    DeviceMemory memory;
    return buffers->bind(*program, memory).getStatus();
  }

  TemporaryFolder folder;
  std::shared_ptr<const Program> program;
};

} // namespace

static const char *const kOutput =
    R"({"undefined": [5, 2], "dtype": "F32", "name": "y"})";

TEST_F(LaunchBuffersTest, Runs) {
  auto buffers = LaunchBuffers::create(parse(R"({"tensor": "x"}, )" +
                                             std::string(kOutput) +
                                             R"(, {"f32": 3}, {"u32": 10})"),
                                       kMaxBytes);
  ASSERT_TRUE(succeeds(buffers));
  DeviceMemory memory;
  auto launch = buffers->bind(*program, memory);
  ASSERT_TRUE(succeeds(launch));
  Report report = program->run(*launch, memory, Options());
  buffers->checkOutputs(memory, report);
  EXPECT_FALSE(report.hasErrors()) << report.toString();
  EXPECT_TRUE(report.findings.empty()) << report.toString();
  ASSERT_TRUE(succeeds(buffers->writeOutputs(folder / "out.safetensors")));
  auto file = SafetensorsFile::open(folder / "out.safetensors");
  ASSERT_TRUE(succeeds(file));
  ASSERT_EQ(file->getTensors().size(), 1u);
  const TensorInfo *y = file->find("y");
  ASSERT_NE(y, nullptr);
  EXPECT_EQ(y->dtype, DType::F32);
  EXPECT_EQ(y->shape, (std::vector<int64_t>{5, 2}));
  float values[10];
  ASSERT_TRUE(succeeds(file->readTensor(*y, values, 0, sizeof(values))));
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(values[i], 3.0f * static_cast<float>(i));
}

/// In place, from the fifth element on: one buffer under two parameters.
TEST_F(LaunchBuffersTest, SharesBuffers) {
  LaunchFile file = parse(
      R"({"tensor": "x", "offset": 20}, {"tensor": "y", "offset": 8},
         {"f32": -1}, {"u32": 2}, {"zeros": [6], "dtype": "F32", "name": "y"})");
  // The last argument only makes the buffer; the kernel has no parameter for
  // it.
  file.arguments.pop_back();
  auto buffers = LaunchBuffers::create(std::move(file), kMaxBytes);
  ASSERT_TRUE(succeeds(buffers));
  DeviceMemory memory;
  auto launch = buffers->bind(*program, memory);
  ASSERT_TRUE(succeeds(launch));
  Report report = program->run(*launch, memory, Options());
  EXPECT_TRUE(report.findings.empty()) << report.toString();
  size_t y = buffers->getFile().outputs[0];
  ASSERT_EQ(buffers->getBytes(y), 24u);
  const float *values = static_cast<const float *>(buffers->getData(y));
  const float expected[] = {0, 0, -5, -6, 0, 0};
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(values[i], expected[i]);
}

/// The kernel leaves the last element as it was: undefined.
TEST_F(LaunchBuffersTest, NegativeUndefinedOutput) {
  auto buffers = LaunchBuffers::create(parse(R"({"tensor": "x"}, )" +
                                             std::string(kOutput) +
                                             R"(, {"f32": 3}, {"u32": 9})"),
                                       kMaxBytes);
  ASSERT_TRUE(succeeds(buffers));
  DeviceMemory memory;
  auto launch = buffers->bind(*program, memory);
  ASSERT_TRUE(succeeds(launch));
  Report report = program->run(*launch, memory, Options());
  EXPECT_FALSE(report.hasErrors()) << report.toString();
  buffers->checkOutputs(memory, report);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "R11");
  EXPECT_NE(report.findings[0].message.find(
                "output 'y': expected defined bytes at the end, but got an "
                "undefined one in element [4, 1], byte 36"),
            std::string::npos)
      << report.findings[0].message;
  auto json = nlohmann::json::parse(formatFindingsAsJson(report));
  EXPECT_EQ(json["errors"], 1);
  EXPECT_EQ(json["findings"][0]["rule"], "R11");
}

TEST_F(LaunchBuffersTest, NegativeTensors) {
  EXPECT_TRUE(failsWith(bind(R"({"tensor": "xx"}, )" + std::string(kOutput)),
                        "l.json': args[0].tensor: expected a tensor of '"));
  EXPECT_TRUE(failsWith(bind(R"({"tensor": "xx"}, )" + std::string(kOutput)),
                        "but got 'xx', which it does not hold; did you mean "
                        "'x'?"));
  EXPECT_TRUE(failsWith(
      bind(R"({"tensor": "x", "offset": 41}, )" + std::string(kOutput)),
      "args[0].offset: expected at most 40, the bytes of 'x', but got 41"));
  EXPECT_TRUE(failsWith(bind(R"({"zeros": [1], "dtype": "U8", "name": "x"}, )" +
                             std::string(kOutput)),
                        "args[0]: expected a name that no tensor of '"));
  EXPECT_TRUE(failsWith(
      bind(R"({"tensor_map": {"tensor": "x", "dtype": "F32", "dims": [11],
                              "strides": [], "box": [4]}}, )" +
           std::string(kOutput)),
      "args[0].tensor_map: expected dims and strides that stay within 40 "
      "bytes, but got 44"));
}

TEST_F(LaunchBuffersTest, NegativeMemory) {
  std::string zeros = R"({"zeros": [1000000000000000000], "dtype": "U8"}, )";
  EXPECT_TRUE(failsWith(bind(zeros + kOutput),
                        "args[0]: expected buffers of at most 8589934592 bytes "
                        "together, but got 1000000000000000000 more"));
}

TEST_F(LaunchBuffersTest, NegativeParameters) {
  std::string arguments =
      R"({"tensor": "x"}, )" + std::string(kOutput) + R"(, {"f32": 3})";
  EXPECT_TRUE(failsWith(bind(arguments),
                        "args: expected 4, the parameters of entry 'scale', "
                        "but got 3"));
  EXPECT_TRUE(failsWith(bind(arguments + R"(, {"u64": 3})"),
                        "args[3]: expected 4 bytes for parameter 'count' of "
                        "entry 'scale', but got 8, from 'u64'"));
  EXPECT_TRUE(failsWith(bind(arguments, "scales"),
                        "but got 'scales'; did you mean 'scale'?"));
  LaunchFile file = parse(arguments);
  file.entry.clear();
  auto buffers = LaunchBuffers::create(std::move(file), kMaxBytes);
  ASSERT_TRUE(succeeds(buffers));
  DeviceMemory memory;
  EXPECT_TRUE(failsWith(buffers->bind(*program, memory),
                        "entry: expected one of 'scale', 'race', but got "
                        "none"));
}

TEST_F(LaunchBuffersTest, NegativeFiles) {
  LaunchFile file = parse(kOutput);
  file.inputsPath = folder / "none";
  EXPECT_TRUE(failsWith(LaunchBuffers::create(file, kMaxBytes),
                        "cannot open for reading"));
  EXPECT_TRUE(failsWith(readPTX(folder / "none"), "cannot open for reading"));
  EXPECT_TRUE(failsWith(LaunchFile::read(folder.getPath()),
                        "expected a regular file, but got a folder"));
}

TEST(ReportJsonTest, Statistics) {
  Statistics statistics;
  statistics.warpInstructions = 7;
  statistics.instructionsByClass = {{"float", 3}, {"memory", 4}};
  statistics.bytesBySpace = {{"global load", 128}};
  statistics.lines = {{12, "ld.global.f32", 1, 32, 4, 0, 0}};
  auto json = nlohmann::json::parse(formatStatisticsAsJson(statistics));
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["warp_instructions"], 7);
  EXPECT_EQ(json["instructions_by_class"]["memory"], 4);
  EXPECT_EQ(json["bytes_by_space"]["global load"], 128);
  EXPECT_EQ(json["lines"][0]["line"], 12);
  EXPECT_EQ(json["lines"][0]["sectors"], 4);
}

/// Names come from PTX, which may hold bytes that are no UTF-8.
TEST(ReportJsonTest, FindingsOfAnyBytes) {
  Report report;
  Finding finding;
  finding.severity = Finding::Severity::Warning;
  finding.rule = "R4";
  finding.message = "a\xff\"b";
  finding.cta = {1, 2, 3};
  report.findings.push_back(finding);
  auto json = nlohmann::json::parse(formatFindingsAsJson(report));
  EXPECT_EQ(json["errors"], 0);
  EXPECT_EQ(json["warnings"], 1);
  EXPECT_EQ(json["findings"][0]["severity"], "warning");
  EXPECT_EQ(json["findings"][0]["cta"], nlohmann::json({1, 2, 3}));
}
