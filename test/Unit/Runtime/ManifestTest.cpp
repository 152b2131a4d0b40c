//===- ManifestTest.cpp - manifest.json and the package writer ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Manifest.h"
#include "TestSupport.h"
#include "nvfp4/Runtime/PackageWriter.h"
#include "nvfp4/Runtime/Safetensors.h"

using namespace nvfp4;
using namespace nvfp4::test;

static Manifest makeManifest() {
  Manifest manifest;
  manifest.producer = "nvfp4-compile 0.1.0";
  manifest.target = {
      "cpu", "cpu", "x86_64-unknown-linux-gnu", "x86-64-v3", {"avx2"}};
  ManifestEntry entry;
  entry.name = "main";
  entry.dimensions = {{"batch", 1, std::nullopt}, {"length", 0, 32}};
  entry.inputs = {
      {"ids",
       DType::I64,
       {ManifestExtent::named("batch"), ManifestExtent::named("length")}}};
  entry.results = {{"out",
                    DType::F32,
                    {ManifestExtent::named("batch"),
                     ManifestExtent::constant(4), ManifestExtent::unknown()}}};
  entry.arguments = {ManifestArgument::weight("w", DType::U8, {2, 2}),
                     ManifestArgument::input(0)};
  entry.checks = {"token id out of range"};
  manifest.entries = {entry};
  manifest.report = R"([{"site":"layer.0","precision":"nvfp4"}])";
  manifest.files = {{kWeightsFileName, computeDigest("w", 1)},
                    {kProgramFileName, computeDigest("p", 1)}};
  return manifest;
}

static std::string makeText() {
  auto text = makeManifest().toJson("'m'");
  EXPECT_TRUE(succeeds(text));
  return *text;
}

/// The manifest's text with the first `from` replaced by `to`.
static Result<Manifest> parseWith(const std::string &from,
                                  const std::string &to) {
  std::string text = makeText();
  size_t position = text.find(from);
  EXPECT_NE(position, std::string::npos) << from;
  if (position != std::string::npos)
    text.replace(position, from.size(), to);
  return Manifest::parse(text, "'m'");
}

TEST(Manifest, RoundTrip) {
  std::string text = makeText();
  auto manifest = Manifest::parse(text, "'m'");
  ASSERT_TRUE(succeeds(manifest));
  auto again = manifest->toJson("'m'");
  ASSERT_TRUE(succeeds(again));
  EXPECT_EQ(*again, text);
  const ManifestEntry &entry = manifest->entries.at(0);
  EXPECT_EQ(entry.dimensions[0].max, std::nullopt);
  EXPECT_EQ(entry.dimensions[1].max, 32);
  EXPECT_EQ(formatShape(entry.inputs[0].shape), "[batch, length]");
  EXPECT_EQ(formatShape(entry.results[0].shape), "[batch, 4, ?]");
  EXPECT_EQ(entry.arguments[0].weightName, "w");
  EXPECT_EQ(entry.arguments[0].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(entry.arguments[1].inputIndex, 0u);
}

TEST(Manifest, FindEntry) {
  Manifest manifest = makeManifest();
  EXPECT_EQ(*manifest.findEntry("", "'m'"), 0u);
  EXPECT_EQ(*manifest.findEntry("main", "'m'"), 0u);
  EXPECT_TRUE(failsWith(manifest.findEntry("x", "'m'"),
                        "expected one of the entries 'main', but got 'x'"));
}

TEST(Manifest, NegativeForm) {
  EXPECT_TRUE(failsWith(Manifest::parse("", "'m'"), "expected JSON"));
  EXPECT_TRUE(failsWith(Manifest::parse("[]", "'m'"), "nvfp4pkg"));
  EXPECT_TRUE(failsWith(Manifest::parse("{}", "'m'"), "nvfp4pkg"));
  EXPECT_TRUE(failsWith(parseWith("\"nvfp4pkg\"", "\"zip\""), "nvfp4pkg"));
  EXPECT_TRUE(
      failsWith(parseWith("\"version\": 1", "\"version\": 2"),
                "'m': version: expected package version 1, the one that "
                "this runtime reads, but got 2"));
  EXPECT_TRUE(failsWith(parseWith("\"version\"", "\"verzion\""),
                        "with the key 'version'"));
  EXPECT_TRUE(failsWith(parseWith("\"producer\"", "\"format\""),
                        "expected every key once"));
  EXPECT_TRUE(failsWith(parseWith("\"checks\"", "\"check\""),
                        "'check'; did you mean 'checks'?"));
  EXPECT_TRUE(failsWith(parseWith("\"I64\"", "\"i64\""),
                        "entries[0].inputs[0].dtype: expected a dtype"));
  EXPECT_TRUE(failsWith(parseWith("\"max\": 32", "\"max\": \"32\""),
                        "entries[0].dimensions[1].max: expected an integer"));
  EXPECT_TRUE(
      failsWith(parseWith("\"bytes\": 1", "\"bytes\": -1"), "not negative"));
  EXPECT_TRUE(failsWith(parseWith("\"xxh3_128\": \"", "\"xxh3_128\": \"z"),
                        "hexadecimal"));
  EXPECT_TRUE(failsWith(parseWith("\"program.so\"", "\"../x\""),
                        "expected no other keys, but got '../x'"));
  EXPECT_TRUE(failsWith(parseWith("\"site\": \"layer.0\"", "\"site\" 1"),
                        "expected JSON"));
}

TEST(Manifest, NegativeContents) {
  EXPECT_TRUE(
      failsWith(parseWith("\"name\": \"length\"", "\"name\": \"batch\""),
                "'batch' twice"));
  EXPECT_TRUE(failsWith(parseWith("\"min\": 0", "\"min\": 33"),
                        "expected a max of at least 33, but got 32"));
  EXPECT_TRUE(failsWith(parseWith("\"min\": 0", "\"min\": -1"),
                        "dimension 'length': expected a min of at least 0"));
  EXPECT_TRUE(failsWith(parseWith("\"input\": 0", "\"input\": 1"),
                        "one of 1 inputs, but got input 1"));
  EXPECT_TRUE(failsWith(parseWith("\"name\": \"ids\"", "\"name\": \"\""),
                        "but got an empty one"));

  Manifest manifest = makeManifest();
  manifest.entries[0].inputs[0].shape[1] = ManifestExtent::constant(3);
  EXPECT_TRUE(
      failsWith(manifest.validate("'m'"),
                "dimension 'length': expected in the shape of an input"));
  manifest = makeManifest();
  manifest.entries[0].inputs[0].shape[1] = ManifestExtent::unknown();
  EXPECT_TRUE(failsWith(manifest.validate("'m'"), "but got null"));
  manifest = makeManifest();
  manifest.entries[0].results[0].shape[0] = ManifestExtent::named("bach");
  EXPECT_TRUE(failsWith(manifest.validate("'m'"), "but got 'bach'"));
  manifest = makeManifest();
  manifest.entries[0].arguments.pop_back();
  EXPECT_TRUE(failsWith(manifest.validate("'m'"),
                        "expected input 'ids' to be one argument, but got 0"));
  manifest = makeManifest();
  manifest.entries.clear();
  EXPECT_TRUE(failsWith(manifest.validate("'m'"), "at least one entry"));
  manifest = makeManifest();
  manifest.report = "{}";
  EXPECT_TRUE(failsWith(manifest.toJson("'m'"), "report: expected an array"));
  manifest.report = "[1]";
  EXPECT_TRUE(
      failsWith(manifest.toJson("'m'"), "report[0]: expected an object"));
  manifest = makeManifest();
  manifest.producer = "\xff";
  EXPECT_TRUE(failsWith(manifest.toJson("'m'"), "UTF-8"));
}

//===----------------------------------------------------------------------===//
// PackageWriter
//===----------------------------------------------------------------------===//

static Status writePackage(const std::string &path, const std::string &program,
                           bool writeWeights = true) {
  auto writer = PackageWriter::create(path);
  if (!writer)
    return writer.getStatus();
  if (writeWeights) {
    auto weights = SafetensorsWriter::create(writer->getWeightsPath(),
                                             {{"w", DType::U8, {2, 2}}});
    if (!weights)
      return weights.getStatus();
    if (Status status = weights->append("w", "abcd", 4); !status)
      return status;
    if (auto digest = weights->commit(); !digest)
      return digest.getStatus();
  }
  if (Status status = writer->writeProgram(program.data(), program.size());
      !status)
    return status;
  return writer->commit(makeManifest());
}

TEST(PackageWriter, WritesAndReplaces) {
  TemporaryFolder folder;
  std::string path = folder / "m.nvfp4pkg";
  ASSERT_TRUE(succeeds(writePackage(path + "/", "one")));
  auto text = readTextFile(path + "/manifest.json", 1 << 20);
  ASSERT_TRUE(succeeds(text));
  auto manifest = Manifest::parse(*text, "'m'");
  ASSERT_TRUE(succeeds(manifest));
  EXPECT_EQ(manifest->files.at(kProgramFileName), computeDigest("one", 3));
  EXPECT_EQ(manifest->files.at(kWeightsFileName),
            *computeFileDigest(path + "/weights.safetensors"));

  ASSERT_TRUE(succeeds(writePackage(path, "two", /*writeWeights=*/false)));
  EXPECT_EQ(folder.read("m.nvfp4pkg/program.so"), "two");
  auto weights = SafetensorsFile::open(path + "/weights.safetensors");
  ASSERT_TRUE(succeeds(weights));
  EXPECT_TRUE(weights->getTensors().empty());
  EXPECT_EQ(folder.countFiles(), 1u);
}

TEST(PackageWriter, LeavesNothingWithoutCommit) {
  TemporaryFolder folder;
  {
    auto writer = PackageWriter::create(folder / "m");
    ASSERT_TRUE(succeeds(writer));
    ASSERT_TRUE(succeeds(writer->writeProgram("x", 1)));
    EXPECT_EQ(folder.countFiles(), 1u);
  }
  EXPECT_EQ(folder.countFiles(), 0u);
}

TEST(PackageWriter, NegativeCommit) {
  TemporaryFolder folder;
  {
    auto writer = PackageWriter::create(folder / "m");
    ASSERT_TRUE(succeeds(writer));
    EXPECT_TRUE(
        failsWith(writer->commit(makeManifest()), "program.so': cannot open"));
  }
  {
    auto writer = PackageWriter::create(folder / "m");
    ASSERT_TRUE(succeeds(writer));
    ASSERT_TRUE(succeeds(writer->writeProgram("x", 1)));
    EXPECT_TRUE(failsWith(writer->commit(Manifest()), "at least one entry"));
  }
  EXPECT_EQ(folder.countFiles(), 0u);
}

/// Whatever is in the way and no package stays.
TEST(PackageWriter, NegativeDestination) {
  TemporaryFolder folder;
  folder.write("file", "x");
  EXPECT_TRUE(
      failsWith(PackageWriter::create(folder / "file"), "but got a file"));
  std::filesystem::create_directory(folder / "photos");
  EXPECT_TRUE(failsWith(PackageWriter::create(folder / "photos"),
                        "a folder without manifest.json"));
  ASSERT_TRUE(succeeds(writePackage(folder / "m", "one")));
  folder.write("m/notes.txt", "mine");
  EXPECT_TRUE(failsWith(PackageWriter::create(folder / "m"),
                        "a folder that holds 'notes.txt'"));
  EXPECT_TRUE(failsWith(PackageWriter::create(folder / "no/m"),
                        "cannot create: No such file"));
  EXPECT_TRUE(failsWith(PackageWriter::create(""), "expected the name"));
  EXPECT_EQ(folder.countFiles(), 3u);
}
