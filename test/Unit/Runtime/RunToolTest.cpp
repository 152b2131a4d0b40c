//===- RunToolTest.cpp - nvfp4-run from the command line ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchPackage.h"
#include "ScalePackage.h"
#include "TestSupport.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <sys/wait.h>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

/// A tensor of a test's file: one dtype is enough for most.
struct Floats {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct Outcome {
  int status;
  std::string text; // standard output and error
};

class RunToolTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(succeeds(
        writeScalePackage(package, SCALE_PROGRAM, makeScaleManifest())));
  }

  /// Runs nvfp4-run on the package.
  Outcome run(const std::string &arguments) {
    std::string command = NVFP4_RUN " '" + package + "' " + arguments + " 2>&1";
    std::FILE *pipe = ::popen(command.c_str(), "r");
    Outcome outcome;
    char buffer[4096];
    while (size_t count = std::fread(buffer, 1, sizeof(buffer), pipe))
      outcome.text.append(buffer, count);
    int status = ::pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }

  void writeFloats(const std::string &name,
                   const std::vector<Floats> &tensors) {
    std::vector<TensorSpec> specs;
    for (const Floats &tensor : tensors)
      specs.push_back({tensor.name, DType::F32, tensor.shape});
    auto writer = SafetensorsWriter::create(folder / name, specs);
    ASSERT_TRUE(succeeds(writer));
    for (const Floats &tensor : tensors)
      ASSERT_TRUE(succeeds(writer->append(tensor.name, tensor.values.data(),
                                          tensor.values.size() * 4)));
    ASSERT_TRUE(succeeds(writer->commit()));
  }

  /// Inputs of one row under these names.
  std::string writeInputs(const std::string &xName, const std::string &maskName,
                          std::vector<float> x = {1, 2, 3, 4},
                          DType maskDType = DType::U8) {
    auto writer =
        SafetensorsWriter::create(folder / "in", {{xName, DType::F32, {1, 4}},
                                                  {maskName, maskDType, {1}}});
    EXPECT_TRUE(succeeds(writer));
    EXPECT_TRUE(succeeds(writer->append(xName, x.data(), 16)));
    EXPECT_TRUE(succeeds(writer->append(maskName, "\1\0\0\0\0\0\0",
                                        getDTypeBits(maskDType) / 8)));
    EXPECT_TRUE(succeeds(writer->commit()));
    return " --input '" + (folder / "in") + "' ";
  }

  std::string path(const std::string &name) {
    return " '" + (folder / name) + "' ";
  }

  TemporaryFolder folder;
  std::string package = folder / "m.nvfp4pkg";
};

/// The tool stopped with this status and said this.
testing::AssertionResult says(const Outcome &outcome, int status,
                              const std::string &part) {
  if (outcome.status == status && outcome.text.find(part) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "status " << outcome.status << ": " << outcome.text;
}

} // namespace

TEST_F(RunToolTest, WritesResults) {
  std::string in = writeInputs("x", "mask");
  EXPECT_TRUE(says(run(in + "--threads 1 --output" + path("out")), 0, ""));
  auto file = SafetensorsFile::open(folder / "out");
  ASSERT_TRUE(succeeds(file));
  const TensorInfo *y = file->find("y");
  ASSERT_NE(y, nullptr);
  EXPECT_EQ(y->shape, (std::vector<int64_t>{1, 4}));
  float values[4];
  ASSERT_TRUE(succeeds(file->readTensor(*y, values, 0, 16)));
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(values[i], 2 * (i + 1));

  EXPECT_TRUE(says(run(in), 0, "y       F32    [1, 4]"));
  Outcome profile = run(in + "--profile --repeat 2 --output" + path("out"));
  for (const char *step :
       {"open package", "read inputs", "run 1", "run 2", "write results"})
    EXPECT_TRUE(says(profile, 0, step));
}

/// Kernels without a GPU; what they do wrong is the error of the run.
TEST_F(RunToolTest, RunsInTheSimulator) {
  writeFloats("in", {{"x", {3}, {1, 2, 3}}});
  std::string options = "--device=sim --input" + path("in");
  ASSERT_TRUE(succeeds(
      writeScalePackage(package, LAUNCH_PROGRAM, makeLaunchManifest("cuda"))));
  writeFloats("want", {{"y", {7}, {2, 4, 6, 1, 3, 3, 3}}});
  EXPECT_TRUE(says(run(options + "--compare" + path("want")), 0, "ok"));
  EXPECT_TRUE(says(run("--input" + path("in")), 2,
                   "expected a package for device 'cpu', but got one for "
                   "device 'cuda' (target 'sm_120a')"));
  ASSERT_TRUE(succeeds(writeScalePackage(package, LAUNCH_PROGRAM_OVERRUN,
                                         makeLaunchManifest("cuda"))));
  Outcome outcome = run(options + "--output" + path("out"));
  EXPECT_TRUE(says(outcome, 2,
                   "kernel 'scale': expected a launch without "
                   "errors, but got:\nerror: sm_120a.ptx:"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  ASSERT_TRUE(succeeds(
      writeScalePackage(package, LAUNCH_PROGRAM, makeLaunchManifest("cpu"))));
  EXPECT_TRUE(says(run("--input" + path("in")), 2,
                   "expected a program without kernels for device 'cpu'"));
}

TEST_F(RunToolTest, Inspects) {
  // The program is not loaded, so it need not even be one.
  folder.write("m.nvfp4pkg/program.so", "x");
  Outcome outcome = run("--inspect");
  for (const char *part : {"target    cpu on device cpu",
                           "input   x     F32    [batch, 4] where 0 "
                           "<= batch <= 1048576",
                           "result  y", "1 weights, 4 bytes", "report: 1 rows",
                           "site   precision  bytes", "scale  f32        4"})
    EXPECT_TRUE(says(outcome, 0, part));
}

TEST_F(RunToolTest, Compares) {
  std::string in = writeInputs("x", "mask");
  auto compare = [&](const std::string &name, std::vector<float> values,
                     const std::string &options = "") {
    writeFloats("want", {{name, {1, 4}, values}});
    return run(in + "--compare" + path("want") + options);
  };
  float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(says(compare("y", {2, 4, 6, 8}), 0, "1.0000000  0     ok"));
  EXPECT_TRUE(says(compare("y", {2, 4, 6, 8.007f}), 0, "ok"));
  EXPECT_TRUE(says(compare("y", {2, 4, 6, 8.1f}), 1, "1     OVER"));
  EXPECT_TRUE(says(compare("y", {2, 4, 6, 8.1f}, "--tolerance 0.1"), 0, "ok"));
  EXPECT_TRUE(says(compare("y", {2, 4, nan, 8}), 1, "nan"));
  EXPECT_TRUE(says(compare("z", {2, 4, 6, 8}), 2,
                   "tensor 'z': expected a result "
                   "of entry 'main', but got none "
                   "of that name"));
  writeFloats("want", {{"y", {4}, {2, 4, 6, 8}}});
  EXPECT_TRUE(says(run(in + "--compare" + path("want")), 2,
                   "expected the result to have shape [4], but got [1, 4]"));
  writeFloats("want", {});
  EXPECT_TRUE(says(run(in + "--compare" + path("want")), 2,
                   "expected tensors to compare, but got none"));
}

/// NaN and infinity on both sides: a NaN is wrong, equal infinities are not.
TEST_F(RunToolTest, ComparesNonFinite) {
  float infinity = std::numeric_limits<float>::infinity();
  float nan = std::numeric_limits<float>::quiet_NaN();
  std::string in = writeInputs("x", "mask", {-infinity, 2, 3, 4});
  writeFloats("want", {{"y", {1, 4}, {-infinity, 4, 6, 8}}});
  EXPECT_TRUE(says(run(in + "--compare" + path("want")), 0, "ok"));
  writeFloats("want", {{"y", {1, 4}, {4, 4, 6, 8}}});
  EXPECT_TRUE(says(run(in + "--compare" + path("want")), 1, "OVER"));
  in = writeInputs("x", "mask", {nan, 2, 3, 4});
  writeFloats("want", {{"y", {1, 4}, {nan, 4, 6, 8}}});
  EXPECT_TRUE(says(run(in + "--compare" + path("want")), 1, "OVER"));
}

TEST_F(RunToolTest, NegativeInputs) {
  EXPECT_TRUE(says(run(""), 2,
                   "expected --input FILE with the tensor 'x', F32 "
                   "[batch, 4]"));
  EXPECT_TRUE(
      says(run("--input" + path("none")), 2, "cannot open for reading"));
  EXPECT_TRUE(says(run(writeInputs("x", "maks")), 2,
                   "expected a tensor 'mask', U8 [batch]"));
  EXPECT_TRUE(says(run(writeInputs("x", "maks")), 2, "is 'maks' misspelled?"));
  EXPECT_TRUE(says(run(writeInputs("x", "mask", {1, 2, 3, 4}, DType::I64)), 2,
                   "input 'mask': expected dtype U8, but got I64"));
  EXPECT_TRUE(says(run(writeInputs("x", "mask", {1, 2, 3, 4000})), 2,
                   "entry 'main': expected elements of at most 1000"));
  writeFloats(
      "in",
      {{"x", {1, 4}, {1, 2, 3, 4}}, {"mask", {1}, {1}}, {"more", {1}, {1}}});
  EXPECT_TRUE(says(run("--input" + path("in")), 2,
                   "expected only the inputs of entry 'main', that is 'x', "
                   "'mask', but got 'more'"));
}

TEST_F(RunToolTest, NegativeOptions) {
  std::string in = writeInputs("x", "mask");
  EXPECT_TRUE(says(run("--colour"), 2, "--colour"));
  EXPECT_TRUE(says(run(in + "--entry mian"), 2,
                   "expected one of the entries 'main', but got 'mian'"));
  EXPECT_TRUE(says(run(in + "--device tpu"), 2, "expected one of 'cpu'"));
  EXPECT_TRUE(says(run(in + "--tolerance -1 --compare x"), 2, "--tolerance"));
}

TEST_F(RunToolTest, NegativeOutput) {
  std::string in = writeInputs("x", "mask");
  EXPECT_TRUE(says(run(in + "--output /dev/full"), 2,
                   "'/dev/full': cannot write: No space left on device"));
  EXPECT_TRUE(says(run(in + "--output" + path("no/such/folder")), 2,
                   "cannot create: No such file or directory"));
  EXPECT_TRUE(says(run(in + "--output" + path("")), 2, "but got a folder"));
  EXPECT_TRUE(says(run("--inspect > /dev/full"), 2, ""));
  EXPECT_EQ(folder.countFiles(), 2u); // the package and the inputs
}
