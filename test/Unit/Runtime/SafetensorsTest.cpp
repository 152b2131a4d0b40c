//===- SafetensorsTest.cpp - Reader, checkpoints, writer ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Safetensors.h"
#include "TestSupport.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace nvfp4;
using namespace nvfp4::test;

static Result<SafetensorsHeader> parse(const std::string &file) {
  return SafetensorsHeader::parse(file, file.size(), "'f'");
}

static Result<SafetensorsHeader> parse(const std::string &header,
                                       size_t dataBytes) {
  return parse(makeSafetensors(header, std::string(dataBytes, 'x')));
}

//===----------------------------------------------------------------------===//
// DType
//===----------------------------------------------------------------------===//

TEST(DType, NamesRoundTrip) {
  for (unsigned i = 0; i < kNumDTypes; ++i) {
    DType dtype = static_cast<DType>(i);
    EXPECT_EQ(parseDType(getDTypeName(dtype)), dtype);
    EXPECT_NE(getDTypeBits(dtype), 0u);
  }
  EXPECT_FALSE(parseDType("f32"));
  EXPECT_FALSE(parseDType(""));
}

TEST(DType, TensorBytes) {
  EXPECT_EQ(getTensorBytes(DType::F32, {}), 4u);
  EXPECT_EQ(getTensorBytes(DType::F32, {2, 3}), 24u);
  EXPECT_EQ(getTensorBytes(DType::F4, {3, 2}), 3u);
  EXPECT_EQ(getTensorBytes(DType::F4, {3}), std::nullopt);
  EXPECT_EQ(getTensorBytes(DType::F6_E2M3, {4}), 3u);
  EXPECT_EQ(getTensorBytes(DType::F32, {0, INT64_MAX, INT64_MAX}), 0u);
  EXPECT_EQ(getTensorBytes(DType::U8, {INT64_MAX, 3}), std::nullopt);
  EXPECT_EQ(getTensorBytes(DType::U8, {-1}), std::nullopt);
}

//===----------------------------------------------------------------------===//
// Headers
//===----------------------------------------------------------------------===//

TEST(SafetensorsHeader, ReadsTensorsMetadataScalarsAndEmpty) {
  auto header =
      parse(R"({"__metadata__":{"format":"pt"},)"
            R"("b":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]},)"
            R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
            R"("empty":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}   )",
            12);
  ASSERT_TRUE(succeeds(header));
  EXPECT_EQ(header->getMetadata().at("format"), "pt");
  ASSERT_EQ(header->getTensors().size(), 3u);
  EXPECT_EQ(header->getTensors()[0].name, "scalar");
  EXPECT_EQ(header->getTensors()[1].name, "empty");
  const TensorInfo *b = header->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::BF16);
  EXPECT_EQ(b->bytes, 8u);
  EXPECT_EQ(b->shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(header->find("c"), nullptr);
}

/// Time that is quadratic in the number of tensors would not end here.
TEST(SafetensorsHeader, ReadsManyTensors) {
  constexpr size_t kCount = 100000;
  std::string header;
  for (size_t i = 0; i < kCount; ++i)
    header += std::string(i == 0 ? "{" : ",") + "\"t" + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  auto parsed = parse(header + "}", kCount);
  ASSERT_TRUE(succeeds(parsed));
  EXPECT_EQ(parsed->getTensors().size(), kCount);
}

TEST(SafetensorsHeader, AcceptsFileWithoutTensors) {
  EXPECT_TRUE(succeeds(parse("{}", 0)));
}

TEST(SafetensorsHeader, NegativeLength) {
  EXPECT_TRUE(
      failsWith(parse(""), "expected a safetensors file of at least 8"));
  EXPECT_TRUE(failsWith(parse(std::string("\x01\0\0", 3)), "but got 3"));
  std::string beyond = makeSafetensors("{}", "");
  beyond[0] = 100;
  EXPECT_TRUE(failsWith(parse(beyond), "but got a header length of 100"));
  std::string huge(16, '\xff');
  EXPECT_TRUE(failsWith(parse(huge), "expected a header of at most 100000000"));
  EXPECT_TRUE(failsWith(parse("", 4), "starts with '{'"));
}

TEST(SafetensorsHeader, NegativeJson) {
  EXPECT_TRUE(failsWith(parse(R"({"a":)", 0), "expected JSON"));
  EXPECT_TRUE(failsWith(parse(R"({"a":1})", 0), "tensor 'a'"));
  EXPECT_TRUE(failsWith(parse("{\"a\xff\":1}", 0), "expected JSON"));
  EXPECT_TRUE(failsWith(parse("{} x", 0), "expected JSON"));
  EXPECT_TRUE(failsWith(parse(" {}", 0), "starts with '{'"));
  std::string deep =
      "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}";
  EXPECT_TRUE(failsWith(parse(deep, 0), "nested levels"));
  EXPECT_TRUE(
      failsWith(parse(R"({"__metadata__":{"a":1}})", 0), "__metadata__"));
  EXPECT_TRUE(failsWith(parse(R"({"__metadata__":[]})", 0), "__metadata__"));
}

TEST(SafetensorsHeader, NegativeDuplicateName) {
  EXPECT_TRUE(
      failsWith(parse(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                      1),
                "expected every key once, but got 'a' twice"));
}

TEST(SafetensorsHeader, NegativeDTypeAndShape) {
  auto one = [](const std::string &body) {
    return parse("{\"a\":{" + body + "}}", 4);
  };
  EXPECT_TRUE(failsWith(
      one(R"("dtype":"F33","shape":[1],"data_offsets":[0,4])"),
      "'f': tensor 'a': expected a safetensors dtype, but got \"F33\""));
  EXPECT_TRUE(failsWith(one(R"("dtype":7,"shape":[1],"data_offsets":[0,4])"),
                        "but got 7"));
  EXPECT_TRUE(failsWith(
      one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), "but got -1"));
  EXPECT_TRUE(
      failsWith(one(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"),
                "but got 1.0"));
  EXPECT_TRUE(failsWith(one(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"),
                        "'shape' to be an array"));
  EXPECT_TRUE(
      failsWith(one(R"("dtype":"F32","data_offsets":[0,4])"), "'shape'"));
  EXPECT_TRUE(
      failsWith(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
                "expected 8 bytes for shape [2] of F32"));
  EXPECT_TRUE(failsWith(
      one(R"("dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,4])"),
      "whole bytes below 2^61"));
  EXPECT_TRUE(failsWith(one(R"("dtype":"F4","shape":[7],"data_offsets":[0,4])"),
                        "whole bytes"));
}

TEST(SafetensorsHeader, NegativeOffsets) {
  auto two = [](const std::string &first, const std::string &second,
                size_t dataBytes) {
    return parse(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                     R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" +
                     second + "}}",
                 dataBytes);
  };
  EXPECT_TRUE(succeeds(two("[0,4]", "[4,8]", 8)));
  EXPECT_TRUE(failsWith(two("[0,4]", "[2,6]", 6), "tensors overlap"));
  EXPECT_TRUE(failsWith(two("[0,4]", "[0,4]", 4), "tensors overlap"));
  EXPECT_TRUE(failsWith(two("[0,4]", "[5,9]", 9), "a hole"));
  EXPECT_TRUE(failsWith(two("[1,5]", "[5,9]", 9), "a hole"));
  EXPECT_TRUE(failsWith(two("[0,4]", "[4,8]", 9), "but got 9"));
  EXPECT_TRUE(failsWith(two("[0,4]", "[4,8]", 7), "end <= 7"));
  EXPECT_TRUE(failsWith(two("[4,0]", "[4,8]", 8), "begin <= end"));
  EXPECT_TRUE(failsWith(two("[0]", "[4,8]", 8), "begin <= end"));
  EXPECT_TRUE(failsWith(two("[0,\"4\"]", "[4,8]", 8), "begin <= end"));
  EXPECT_TRUE(
      failsWith(two("[0,4]", "[4,18446744073709551615]", 8), "end <= 8"));
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST(SafetensorsFile, ReadsRanges) {
  TemporaryFolder folder;
  std::string path = folder.write(
      "a.safetensors",
      makeSafetensors(
          R"({"x":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}})", "abcde"));
  auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(succeeds(file));
  const TensorInfo *x = file->find("x");
  ASSERT_NE(x, nullptr);
  char bytes[4] = {};
  EXPECT_TRUE(succeeds(file->readTensor(*x, bytes, 1, 3)));
  EXPECT_STREQ(bytes, "bcd");
  EXPECT_TRUE(failsWith(file->readTensor(*x, bytes, 3, 3),
                        "expected a range within 5 bytes"));
  auto view = file->map();
  ASSERT_TRUE(succeeds(view));
  EXPECT_EQ(std::string(view->data() + x->offset, 5), "abcde");
}

TEST(SafetensorsFile, NegativeOpen) {
  TemporaryFolder folder;
  EXPECT_TRUE(failsWith(SafetensorsFile::open(folder / "none"),
                        "none': cannot open for reading: No such file"));
  EXPECT_TRUE(
      failsWith(SafetensorsFile::open(folder.getPath()), "but got a folder"));
  EXPECT_TRUE(
      failsWith(SafetensorsFile::open("/dev/null"), "but got a device"));
  EXPECT_TRUE(failsWith(SafetensorsFile::open(folder.write("empty", "")),
                        "at least 8 bytes, but got 0"));
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

static std::string makeOne(const std::string &name, char byte) {
  return makeSafetensors(
      "{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
      std::string(1, byte));
}

TEST(Checkpoint, OneFileShardsAndIndex) {
  TemporaryFolder folder;
  folder.write("m-1.safetensors", makeOne("a", '1'));
  folder.write("m-2.safetensors", makeOne("b", '2'));
  auto one = Checkpoint::open(folder / "m-1.safetensors");
  ASSERT_TRUE(succeeds(one));
  EXPECT_EQ(one->getNames(), std::vector<std::string>{"a"});

  auto shards = Checkpoint::open(folder.getPath());
  ASSERT_TRUE(succeeds(shards));
  EXPECT_EQ(shards->getNames(), (std::vector<std::string>{"a", "b"}));
  char byte = 0;
  ASSERT_TRUE(succeeds(Checkpoint::read(shards->find("b"), &byte, 0, 1)));
  EXPECT_EQ(byte, '2');
  EXPECT_EQ(shards->find("c").info, nullptr);
  EXPECT_TRUE(failsWith(shards->get("c"), "expected a tensor 'c'"));

  // An index wins over what lies beside it, and a pickle's index is no index.
  folder.write("pytorch_model.bin.index.json", "{}");
  folder.write("model.safetensors.index.json",
               R"({"metadata":{},"weight_map":{"b":"m-2.safetensors"}})");
  auto indexed = Checkpoint::open(folder.getPath());
  ASSERT_TRUE(succeeds(indexed));
  EXPECT_EQ(indexed->getNames(), std::vector<std::string>{"b"});
}

TEST(Checkpoint, NegativeIndex) {
  TemporaryFolder folder;
  EXPECT_TRUE(failsWith(Checkpoint::open(folder.getPath()), "but got neither"));
  folder.write("m-1.safetensors", makeOne("a", '1'));
  auto withMap = [&](const std::string &map) {
    folder.write("x.index.json", map);
    return Checkpoint::open(folder.getPath());
  };
  EXPECT_TRUE(failsWith(withMap("{}"), "'weight_map'"));
  EXPECT_TRUE(failsWith(withMap("{"), "expected JSON"));
  EXPECT_TRUE(failsWith(withMap(R"({"weight_map":{"a":"gone.safetensors"}})"),
                        "gone.safetensors': cannot open"));
  EXPECT_TRUE(failsWith(withMap(R"({"weight_map":{"b":"m-1.safetensors"}})"),
                        "tensor 'b': expected in"));
  EXPECT_TRUE(failsWith(withMap(R"({"weight_map":{"a":"../m-1.safetensors"}})"),
                        "in the same folder"));
  EXPECT_TRUE(failsWith(withMap(R"({"weight_map":{"a":1}})"), "but got 1"));
  folder.write("y.index.json", "{}");
  EXPECT_TRUE(failsWith(Checkpoint::open(folder.getPath()),
                        "expected one '*.index.json'"));
}

TEST(Checkpoint, NegativeSameNameInTwoShards) {
  TemporaryFolder folder;
  folder.write("m-1.safetensors", makeOne("a", '1'));
  folder.write("m-2.safetensors", makeOne("a", '2'));
  EXPECT_TRUE(
      failsWith(Checkpoint::open(folder.getPath()),
                "m-2.safetensors': tensor 'a': expected a name of its own"));
}

TEST(Checkpoint, SuggestsNearestName) {
  TemporaryFolder folder;
  folder.write("m.safetensors", makeOne("encoder.weight", '1'));
  auto checkpoint = Checkpoint::open(folder.getPath());
  ASSERT_TRUE(succeeds(checkpoint));
  EXPECT_TRUE(failsWith(checkpoint->get("encoder.wieght"),
                        "did you mean 'encoder.weight'?"));
}

//===----------------------------------------------------------------------===//
// Writer
//===----------------------------------------------------------------------===//

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  TemporaryFolder folder;
  std::string path = folder / "out.safetensors";
  auto writer = SafetensorsWriter::create(path,
                                          {{"w \"1\"", DType::U8, {5}},
                                           {"empty", DType::F32, {0}},
                                           {"s", DType::F32, {}}},
                                          {{"made", "here"}});
  ASSERT_TRUE(succeeds(writer));
  EXPECT_TRUE(succeeds(writer->append("w \"1\"", "abc", 3)));
  EXPECT_TRUE(failsWith(writer->append("s", "abcd", 4),
                        "expected bytes of tensor 'w \"1\"' first"));
  EXPECT_TRUE(failsWith(writer->append("w \"1\"", "abc", 3),
                        "expected 2 more bytes, but got 3"));
  EXPECT_TRUE(succeeds(writer->append("w \"1\"", "de", 2)));
  float value = 1.5f;
  EXPECT_TRUE(succeeds(writer->append("s", &value, 4)));
  EXPECT_TRUE(
      failsWith(writer->append("s", &value, 4), "expected no more data"));
  EXPECT_FALSE(std::filesystem::exists(path));
  auto digest = writer->commit();
  ASSERT_TRUE(succeeds(digest));

  auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->getMetadata().at("made"), "here");
  EXPECT_EQ(file->getTensors().front().offset % 64, 0u);
  float read = 0;
  EXPECT_TRUE(succeeds(file->readTensor(*file->find("s"), &read, 0, 4)));
  EXPECT_EQ(read, value);
  auto computed = computeFileDigest(path);
  ASSERT_TRUE(succeeds(computed));
  EXPECT_EQ(*computed, *digest);
  EXPECT_EQ(digest->bytes, std::filesystem::file_size(path));
  EXPECT_EQ(folder.countFiles(), 1u);
}

TEST(SafetensorsWriter, LeavesNothingWithoutCommit) {
  TemporaryFolder folder;
  {
    auto writer =
        SafetensorsWriter::create(folder / "o", {{"a", DType::U8, {2}}});
    ASSERT_TRUE(succeeds(writer));
    EXPECT_TRUE(succeeds(writer->append("a", "x", 1)));
    EXPECT_TRUE(failsWith(writer->commit(), "expected 2 bytes, but got 1"));
  }
  EXPECT_EQ(folder.countFiles(), 0u);
}

TEST(SafetensorsWriter, NegativeSpecsAndPaths) {
  TemporaryFolder folder;
  using Specs = std::vector<TensorSpec>;
  auto create = [&](Specs specs) {
    return SafetensorsWriter::create(folder / "o", std::move(specs));
  };
  EXPECT_TRUE(failsWith(create({{"a", DType::U8, {}}, {"a", DType::U8, {}}}),
                        "tensor 'a': expected a name of its own"));
  EXPECT_TRUE(failsWith(create({{"a", DType::F4, {1}}}), "whole bytes"));
  EXPECT_TRUE(failsWith(create({{"a\xff", DType::U8, {1}}}), "UTF-8"));
  EXPECT_TRUE(failsWith(SafetensorsWriter::create(folder / "no/o", {}),
                        "cannot create: No such file"));
  EXPECT_TRUE(failsWith(SafetensorsWriter::create(folder.getPath(), {}),
                        "but got a folder"));
  EXPECT_EQ(folder.countFiles(), 0u);
}

TEST(SafetensorsWriter, NegativeFullDisk) {
  EXPECT_TRUE(
      failsWith(SafetensorsWriter::create("/dev/full", {{"a", DType::U8, {2}}}),
                "'/dev/full': cannot write: No space left on device"));
}

/// A limit on file sizes makes write stop half-way, as a disk that fills up
/// does.
TEST(SafetensorsWriter, NegativeShortWrite) {
  TemporaryFolder folder;
  pid_t child = fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    bool isRight = false;
    {
      auto writer =
          SafetensorsWriter::create(folder / "o", {{"a", DType::U8, {10000}}});
      std::string data(10000, 'x');
      isRight =
          writer.ok() && failsWith(writer->append("a", data.data(), 10000),
                                   "cannot write: File too large");
    }
    ::_exit(isRight && folder.countFiles() == 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(SafetensorsWriter, SortForAlignment) {
  std::vector<TensorSpec> specs = {{"scale", DType::F32, {}},
                                   {"w1", DType::U8, {64}},
                                   {"odd", DType::U8, {63}},
                                   {"w2", DType::F32, {16}}};
  sortForAlignment(specs);
  std::vector<std::string> names;
  for (const TensorSpec &spec : specs)
    names.push_back(spec.name);
  EXPECT_EQ(names, (std::vector<std::string>{"w1", "w2", "scale", "odd"}));
}

//===----------------------------------------------------------------------===//
// Digests
//===----------------------------------------------------------------------===//

TEST(FileDigest, KnownValue) {
  // The published XXH3-128 of no bytes, seed 0.
  EXPECT_EQ(computeDigest("", 0).xxh3, "99aa06d3014798d86001c324468d497f");
  FileDigest whole = computeDigest("hello world", 11);
  Hasher hasher;
  hasher.update("hello ", 6);
  hasher.update("world", 5);
  EXPECT_EQ(hasher.getDigest(), whole);
}
