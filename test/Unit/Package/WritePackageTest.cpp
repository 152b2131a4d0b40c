//===- WritePackageTest.cpp - Whole packages, and none on errors ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/WritePackage.h"
#include "PackingTestSupport.h"

#include <cmath>
#include <fstream>
#include <sstream>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

PackingPlan makeQuantizedPlan(const std::string &name, const Extents &shape) {
  PackingPlan plan = PackingPlan::raw(name, DType::F32, shape);
  makeQuantized(plan, PackingQuantize());
  return plan;
}

/// A package with one entry that reads all components of `plans` and `raw`.
PackageContents makeContents(std::vector<PackingPlan> plans,
                             const std::vector<TensorSpec> &raw = {}) {
  PackageContents contents;
  contents.producer = "test";
  contents.target.triple = "x86_64-unknown-linux-gnu";
  contents.target.cpu = "x86-64-v3";
  contents.program = "not really a program";
  ManifestEntry entry;
  entry.name = "main";
  for (const TensorSpec &spec : raw)
    entry.arguments.push_back(
        ManifestArgument::weight(spec.name, spec.dtype, spec.shape));
  for (const PackingPlan &plan : plans)
    for (const TensorSpec &spec : plan.components)
      entry.arguments.push_back(
          ManifestArgument::weight(spec.name, spec.dtype, spec.shape));
  contents.entries.push_back(entry);
  contents.plans = std::move(plans);
  return contents;
}

class WritePackage : public testing::Test {
protected:
  /// Three weights in two files with an index.
  void writeShards() {
    weights.addRandom("layer.0.weight", DType::F32, {64, 128}, 1);
    weights.addRandom("layer.1.weight", DType::F32, {7, 16}, 2);
    weights.addBytes("ids", DType::I64, {3}, std::vector<char>(24, 'x'));
    weights.write(folder.file("model-00001-of-00002.safetensors"), {0});
    weights.write(folder.file("model-00002-of-00002.safetensors"), {1, 2});
    std::ofstream(folder.file("model.safetensors.index.json"))
        << R"({"metadata": {}, "weight_map": {)"
        << R"("layer.0.weight": "model-00001-of-00002.safetensors",)"
        << R"("layer.1.weight": "model-00002-of-00002.safetensors",)"
        << R"("ids": "model-00002-of-00002.safetensors"}})";
  }

  Checkpoint openShards() {
    auto checkpoint = Checkpoint::open(folder.file(""));
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.getMessage();
    return std::move(*checkpoint);
  }

  std::string packagePath() const { return output.file("model.nvfp4pkg"); }

  void expectError(const PackageContents &contents, const WeightSource &source,
                   const std::string &message) {
    auto stats = writePackage(packagePath(), contents, source);
    ASSERT_FALSE(stats.ok());
    EXPECT_NE(stats.getMessage().find(message), std::string::npos)
        << stats.getMessage();
    EXPECT_TRUE(output.isEmpty()) << "something was left behind";
  }

  Weights weights;
  TemporaryFolder folder, output;
};

TEST_F(WritePackage, ShardedCheckpoint) {
  writeShards();
  Checkpoint checkpoint = openShards();
  CheckpointSource source(checkpoint);
  std::vector<PackingPlan> plans = {
      makeQuantizedPlan("layer.1.weight", {7, 16}),
      makeQuantizedPlan("layer.0.weight", {64, 128})};
  PackageContents contents =
      makeContents(plans, {{"ids", DType::I64, {3}},
                           {"layer.0.weight", DType::F32, {64, 128}}});
  contents.makeReport = [](const std::vector<PackingStats> &stats) {
    return "[{\"tensors\": " + std::to_string(stats.size()) + "}]";
  };
  WritePackageOptions options;
  options.panelElements = 1000;
  auto stats = writePackage(packagePath(), contents, source, options);
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  ASSERT_EQ(stats->size(), 4u);

  auto file = SafetensorsFile::open(packagePath() + "/weights.safetensors");
  ASSERT_TRUE(file.ok()) << file.getMessage();
  std::vector<std::string> names;
  for (const TensorInfo &info : file->getTensors())
    names.push_back(info.name);
  // Multiples of 64 bytes first, so that they can be used in place.
  EXPECT_EQ(names, (std::vector<std::string>{
                       "layer.0.weight", "layer.0.weight.codes",
                       "layer.0.weight.scales", "ids", "layer.1.weight.codes",
                       "layer.1.weight.scales", "layer.1.weight.global_scale",
                       "layer.0.weight.global_scale"}));
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(file->getTensors()[i].offset % 64, 0u) << names[i];

  // The bytes are those of the packer.
  Packed packed;
  for (const PackingPlan &plan : plans)
    ASSERT_TRUE(packInto(packed, plan, weights.getSource()).ok());
  packed["ids"] = std::string(24, 'x');
  packed["layer.0.weight"] =
      std::string(weights.getBytes(0).begin(), weights.getBytes(0).end());
  for (const TensorInfo &info : file->getTensors()) {
    std::string bytes(info.bytes, '\0');
    ASSERT_TRUE(file->readTensor(info, bytes.data(), 0, info.bytes).ok());
    EXPECT_EQ(bytes, packed[info.name]) << info.name;
  }
  auto manifest = Manifest::parse(readFile(packagePath() + "/manifest.json"),
                                  "manifest.json");
  ASSERT_TRUE(manifest.ok()) << manifest.getMessage();
  EXPECT_EQ(manifest->producer, "test");
  EXPECT_NE(manifest->report.find("\"tensors\""), std::string::npos);
  EXPECT_EQ(readFile(packagePath() + "/program.so"), contents.program);
}

TEST_F(WritePackage, MissingWeightsAreCounted) {
  writeShards();
  Checkpoint checkpoint = openShards();
  CheckpointSource source(checkpoint);
  expectError(makeContents({makeQuantizedPlan("layer.0.wieght", {64, 128}),
                            makeQuantizedPlan("other", {64, 128})}),
              source, "'layer.0.wieght'");
  auto stats =
      writePackage(packagePath(),
                   makeContents({makeQuantizedPlan("layer.0.wieght", {64, 128}),
                                 makeQuantizedPlan("other", {64, 128})}),
                   source);
  EXPECT_NE(stats.getMessage().find("did you mean 'layer.0.weight'?"),
            std::string::npos)
      << stats.getMessage();
  EXPECT_NE(stats.getMessage().find("(and 1 more such errors)"),
            std::string::npos);
}

TEST_F(WritePackage, FileThatShrinksMeanwhile) {
  writeShards();
  Checkpoint checkpoint = openShards();
  CheckpointSource source(checkpoint);
  std::string shard = folder.file("model-00001-of-00002.safetensors");
  std::filesystem::resize_file(shard, std::filesystem::file_size(shard) / 2);
  expectError(makeContents({makeQuantizedPlan("layer.0.weight", {64, 128})}),
              source, "model-00001-of-00002.safetensors");
}

TEST_F(WritePackage, NaNLeavesNothingBehind) {
  std::vector<float> values(64 * 64, 1.0f);
  values[5] = std::nanf("");
  weights.addRandom("good", DType::F32, {64, 64});
  weights.add("bad", DType::F32, {64, 64}, values);
  expectError(makeContents({makeQuantizedPlan("good", {64, 64}),
                            makeQuantizedPlan("bad", {64, 64})}),
              weights.getSource(),
              "weight 'bad': expected finite values in a tensor that is "
              "quantized to nvfp4, but got 1 NaN and 0 infinite of 4096");
}

TEST_F(WritePackage, ProgramAndPlanDisagree) {
  weights.addRandom("w", DType::F32, {64, 64});
  PackageContents contents = makeContents({makeQuantizedPlan("w", {64, 64})});
  contents.entries[0].arguments[0].shape = {64, 64};
  expectError(contents, weights.getSource(),
              "weights: expected 'w.codes' to be U8 [64, 64], as the program "
              "reads it, but its plan makes U8 [2048]");
}

TEST_F(WritePackage, Notes) {
  float infinity = std::numeric_limits<float>::infinity();
  weights.add("mask", DType::F32, {2}, {0.0f, -infinity});
  weights.addRandom("w", DType::BF16, {4});
  std::vector<std::string> notes;
  WritePackageOptions options;
  options.note = [&](const std::string &note) { notes.push_back(note); };
  auto stats = writePackage(
      packagePath(),
      makeContents({}, {{"mask", DType::F32, {2}}, {"w", DType::F32, {4}}}),
      weights.getSource(), options);
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  EXPECT_EQ(notes, (std::vector<std::string>{
                       "weight 'mask': holds 0 NaN and 1 infinite of 2 values",
                       "weight 'w': stored in a narrower float than the graph "
                       "declares; widened, which is exact"}));
}

TEST_F(WritePackage, ProgramArrivesWhileWeightsArePacked) {
  weights.addRandom("w", DType::F32, {256, 256});
  PackageContents contents = makeContents({makeQuantizedPlan("w", {256, 256})});
  auto whole = writePackage(packagePath(), contents, weights.getSource());
  ASSERT_TRUE(whole.ok()) << whole.getMessage();
  std::string manifest = readFile(packagePath() + "/manifest.json");

  ManifestTarget target = std::move(contents.target);
  std::string program = std::move(contents.program);
  contents.target = ManifestTarget();
  contents.program.clear();
  auto job = PackageJob::start(packagePath(), contents, weights.getSource());
  ASSERT_TRUE(job.ok()) << job.getMessage();
  job->getContents().target = std::move(target);
  job->getContents().program = std::move(program);
  auto stats = job->finish();
  ASSERT_TRUE(stats.ok()) << stats.getMessage();
  EXPECT_EQ(stats->size(), 1u);
  EXPECT_EQ(readFile(packagePath() + "/manifest.json"), manifest);
}

TEST_F(WritePackage, ProgramThatFailsLeavesNothingBehind) {
  weights.addRandom("w", DType::F32, {256, 256});
  {
    auto job = PackageJob::start(
        packagePath(), makeContents({makeQuantizedPlan("w", {256, 256})}),
        weights.getSource());
    ASSERT_TRUE(job.ok()) << job.getMessage();
  }
  EXPECT_TRUE(output.isEmpty()) << "something was left behind";
}

} // namespace
