//===- LaunchFileTest.cpp - Launch files, good and hostile ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/LaunchFile.h"
#include "../../Runtime/TestSupport.h"

#include <cmath>
#include <cstring>

using namespace nvfp4;
using namespace nvfp4::ptx;
using namespace nvfp4::test;

/// A file with these members besides the necessary ones.
static std::string makeFile(const std::string &members) {
  return R"({"ptx": "k.ptx", "grid": [1, 1, 1], "block": [32, 1, 1])" +
         (members.empty() ? "" : ", " + members) + "}";
}

static Result<LaunchFile> parse(const std::string &members) {
  return LaunchFile::parse(makeFile(members), "dir/l.json");
}

static Result<LaunchFile> parseArgument(const std::string &argument) {
  return parse(R"("inputs": "in", "args": [)" + argument + "]");
}

template <typename T> static T getValue(const Result<LaunchFile> &file) {
  T value = {};
  EXPECT_TRUE(succeeds(file));
  if (!file.ok())
    return value;
  EXPECT_EQ(file->arguments[0].value.size(), sizeof(T));
  std::memcpy(&value, file->arguments[0].value.data(), sizeof(T));
  return value;
}

/// The example of the architecture, as it stands there.
TEST(LaunchFileTest, Example) {
  auto file = LaunchFile::parse(
      R"({ "ptx": "kernel.ptx", "entry": "name", "grid": [4, 1, 1],
        "block": [128, 1, 1], "cluster": [1, 1, 1],
        "dynamic_shared_bytes": 33792, "inputs": "in.safetensors",
        "args": [ {"tensor": "a"},
                  {"zeros": [128, 128], "dtype": "F32", "name": "c"},
                  {"i32": 128}, {"f32": 1.0}, {"u64": 0} ],
        "outputs": ["c"] })",
      "some/folder/launch.json");
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->ptxPath, "some/folder/kernel.ptx");
  EXPECT_EQ(file->inputsPath, "some/folder/in.safetensors");
  EXPECT_EQ(file->entry, "name");
  EXPECT_EQ(file->grid, (std::array<uint32_t, 3>{4, 1, 1}));
  EXPECT_EQ(file->block, (std::array<uint32_t, 3>{128, 1, 1}));
  EXPECT_EQ(file->cluster, (std::array<uint32_t, 3>{1, 1, 1}));
  EXPECT_EQ(file->dynamicSharedBytes, 33792u);
  ASSERT_EQ(file->arguments.size(), 5u);
  ASSERT_EQ(file->buffers.size(), 2u);
  const LaunchBuffer &a = file->buffers[file->arguments[0].buffer];
  EXPECT_EQ(a.source, LaunchBuffer::Source::Tensor);
  EXPECT_EQ(a.name, "a");
  const LaunchBuffer &c = file->buffers[file->arguments[1].buffer];
  EXPECT_EQ(c.source, LaunchBuffer::Source::Zeros);
  EXPECT_EQ(c.dtype, DType::F32);
  EXPECT_EQ(c.shape, (std::vector<int64_t>{128, 128}));
  EXPECT_EQ(file->arguments[2].value, (std::vector<uint8_t>{0x80, 0, 0, 0}));
  EXPECT_EQ(file->arguments[3].value, (std::vector<uint8_t>{0, 0, 0x80, 0x3f}));
  EXPECT_EQ(file->arguments[4].value, std::vector<uint8_t>(8));
  EXPECT_EQ(file->outputs, (std::vector<size_t>{file->arguments[1].buffer}));
}

TEST(LaunchFileTest, Defaults) {
  auto file = parse("");
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->ptxPath, "dir/k.ptx");
  EXPECT_EQ(file->inputsPath, "");
  EXPECT_EQ(file->entry, "");
  EXPECT_EQ(file->cluster, (std::array<uint32_t, 3>{1, 1, 1}));
  EXPECT_EQ(file->dynamicSharedBytes, 0u);
  EXPECT_TRUE(file->arguments.empty());
  EXPECT_TRUE(file->outputs.empty());
}

TEST(LaunchFileTest, AbsolutePaths) {
  auto file = LaunchFile::parse(
      R"({"ptx": "/a/k.ptx", "grid": [1, 1, 1], "block": [1, 1, 1]})", "l");
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->ptxPath, "/a/k.ptx");
}

TEST(LaunchFileTest, Integers) {
  EXPECT_EQ(getValue<int8_t>(parseArgument(R"({"i8": -128})")), -128);
  EXPECT_EQ(getValue<int8_t>(parseArgument(R"({"i8": 127})")), 127);
  EXPECT_EQ(getValue<int16_t>(parseArgument(R"({"i16": -32768})")), -32768);
  EXPECT_EQ(getValue<int32_t>(parseArgument(R"({"i32": -2147483648})")),
            INT32_MIN);
  EXPECT_EQ(
      getValue<int64_t>(parseArgument(R"({"i64": -9223372036854775808})")),
      INT64_MIN);
  EXPECT_EQ(getValue<int64_t>(parseArgument(R"({"i64": 9223372036854775807})")),
            INT64_MAX);
  EXPECT_EQ(getValue<uint8_t>(parseArgument(R"({"u8": 255})")), 255);
  EXPECT_EQ(getValue<uint16_t>(parseArgument(R"({"u16": 65535})")), 65535);
  EXPECT_EQ(getValue<uint32_t>(parseArgument(R"({"u32": 4294967295})")),
            UINT32_MAX);
  EXPECT_EQ(
      getValue<uint64_t>(parseArgument(R"({"u64": 18446744073709551615})")),
      UINT64_MAX);
}

TEST(LaunchFileTest, Floats) {
  EXPECT_EQ(getValue<double>(parseArgument(R"({"f64": 1e300})")), 1e300);
  EXPECT_EQ(getValue<float>(parseArgument(R"({"f32": -3})")), -3);
  EXPECT_TRUE(std::isnan(getValue<float>(parseArgument(R"({"f32": "nan"})"))));
  EXPECT_EQ(getValue<double>(parseArgument(R"({"f64": "-inf"})")), -INFINITY);
  EXPECT_EQ(getValue<uint16_t>(parseArgument(R"({"f16": "inf"})")), 0x7c00);
  EXPECT_EQ(getValue<uint16_t>(parseArgument(R"({"f16": 65504})")), 0x7bff);
  EXPECT_EQ(getValue<uint16_t>(parseArgument(R"({"bf16": 1})")), 0x3f80);
  // Just above the tie of 1 and the next f16. Rounding to f32 first would make
  // it the tie, which goes down.
  EXPECT_EQ(
      getValue<uint16_t>(parseArgument(R"({"f16": 1.00048828125000001})")),
      0x3c00);
  EXPECT_EQ(getValue<uint16_t>(parseArgument(R"({"f16": 1.0004882812500002})")),
            0x3c01);
  EXPECT_EQ(
      getValue<uint16_t>(parseArgument(R"({"f16": -1.0004882812500002})")),
      0xbc01);
  EXPECT_EQ(
      getValue<uint16_t>(parseArgument(R"({"bf16": 1.0039062500000002})")),
      0x3f81);
}

TEST(LaunchFileTest, Bytes) {
  auto file = parseArgument(R"({"bytes": "00fFa5"})");
  ASSERT_TRUE(succeeds(file));
  EXPECT_EQ(file->arguments[0].value, (std::vector<uint8_t>{0, 0xff, 0xa5}));
}

/// One name is one buffer, wherever it is defined.
TEST(LaunchFileTest, SharedBuffers) {
  auto file = parseArgument(
      R"({"tensor": "c", "offset": 64}, {"tensor": "a"}, {"tensor": "a", "offset": 4},
         {"undefined": [8], "dtype": "BF16", "name": "c"},
         {"zeros": [0, 3], "dtype": "F4"})");
  ASSERT_TRUE(succeeds(file));
  ASSERT_EQ(file->buffers.size(), 3u);
  const std::vector<LaunchArgument> &arguments = file->arguments;
  EXPECT_EQ(arguments[0].buffer, arguments[3].buffer);
  EXPECT_EQ(arguments[0].offset, 64u);
  EXPECT_EQ(arguments[3].offset, 0u);
  EXPECT_EQ(arguments[1].buffer, arguments[2].buffer);
  EXPECT_EQ(file->buffers[arguments[3].buffer].source,
            LaunchBuffer::Source::Undefined);
}

TEST(LaunchFileTest, AllDTypes) {
  for (unsigned i = 0; i < kNumDTypes; ++i) {
    std::string name(getDTypeName(static_cast<DType>(i)));
    auto file = parseArgument(R"({"zeros": [8], "dtype": ")" + name + "\"}");
    ASSERT_TRUE(succeeds(file));
    EXPECT_EQ(file->buffers[0].dtype, static_cast<DType>(i));
  }
}

TEST(LaunchFileTest, TensorMap) {
  auto file = parseArgument(
      R"({"tensor_map": {"tensor": "a", "offset": 16, "dtype": "U8",
          "dims": [64, 32], "strides": [64], "box": [32, 8],
          "element_strides": [1, 2], "swizzle": "32B", "oob": "zero"}})");
  ASSERT_TRUE(succeeds(file));
  const LaunchArgument &argument = file->arguments[0];
  EXPECT_EQ(argument.kind, LaunchArgument::Kind::TensorMap);
  EXPECT_EQ(argument.offset, 16u);
  EXPECT_EQ(argument.tensorMap.box, (std::vector<uint32_t>{32, 8}));
  EXPECT_EQ(argument.tensorMap.elementStrides, (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(argument.tensorMap.swizzle, TensorMap::Swizzle::Bytes32);
  EXPECT_EQ(argument.tensorMap.getSpanBytes(), 31u * 64 + 64);
}

/// The sum of five large terms does not wrap.
TEST(LaunchFileTest, TensorMapSpanSaturates) {
  TensorMap map;
  map.dims.assign(5, uint64_t(1) << 32);
  map.strides.assign(4, (uint64_t(1) << 40) - 16);
  EXPECT_EQ(map.getSpanBytes(), UINT64_MAX);
}

namespace {
struct BadCase {
  std::string text, message;
};
} // namespace

static void expectErrors(const std::vector<BadCase> &cases,
                         Result<LaunchFile> (*parse)(const std::string &)) {
  for (const BadCase &bad : cases)
    EXPECT_TRUE(failsWith(parse(bad.text), bad.message)) << bad.text;
}

TEST(LaunchFileTest, NegativeText) {
  auto parseText = [](const std::string &text) {
    return LaunchFile::parse(text, "l");
  };
  expectErrors(
      {
          {"", "'l': expected JSON, but got "},
          {"{", "'l': expected JSON, but got "},
          {"[]", "'l': expected an object, but got []"},
          {"null", "'l': expected an object, but got null"},
          {"{}", "'l': expected an object with the key 'ptx', but got {}"},
          {R"({"ptx": "a", "ptx": "b"})",
           "every key once, but got 'ptx' twice"},
          {std::string(100000, '['), "at most 64 nested levels"},
          {R"({"ptx": 1e999})", "expected JSON, but got "},
          {"{\"ptx\": \"\xff\"}", "expected JSON, but got "},
          {R"({"ptx": "a", "grid": [1, 1, 1]})", "with the key 'block'"},
          {R"({"ptx": "", "grid": [1, 1, 1], "block": [1, 1, 1]})",
           "ptx: expected a string that is not empty"},
          {R"({"ptx": "a\u0000b", "grid": [1, 1, 1], "block": [1, 1, 1]})",
           "ptx: expected a string that is not empty and has no null byte"},
          {R"({"ptx": 7, "grid": [1, 1, 1], "block": [1, 1, 1]})",
           "ptx: expected a string, but got 7"},
      },
      parseText);
}

TEST(LaunchFileTest, NegativeShape) {
  auto parseShape = [](const std::string &members) {
    return LaunchFile::parse(R"({"ptx": "a", )" + members + "}", "l");
  };
  expectErrors(
      {
          {R"("grid": [0, 1, 1], "block": [1, 1, 1])",
           "'l': grid[0]: expected an integer from 1 to 2147483647, but got 0"},
          {R"("grid": [1, 65536, 1], "block": [1, 1, 1])",
           "grid[1]: expected an integer from 0 to 65535, but got 65536"},
          {R"("grid": [1, 1], "block": [1, 1, 1])",
           "grid: expected an array of three integers, but got [1,1]"},
          {R"("grid": 4, "block": [1, 1, 1])", "grid: expected an array"},
          {R"("grid": [-1, 1, 1], "block": [1, 1, 1])", "but got -1"},
          {R"("grid": [1e300, 1, 1], "block": [1, 1, 1])", "but got 1e+300"},
          {R"("grid": [1.0, 1, 1], "block": [1, 1, 1])", "but got 1.0"},
          {R"("grid": [18446744073709551616, 1, 1], "block": [1, 1, 1])",
           "grid[0]: expected an integer"},
          {R"("grid": [true, 1, 1], "block": [1, 1, 1])", "but got true"},
          {R"("grid": [1, 1, 1], "block": [1, 1, 65])", "from 0 to 64"},
          {R"("grid": [1, 1, 1], "block": [1024, 2, 1])",
           "block: expected at most 1024 threads in a block"},
          {R"("grid": [3, 1, 1], "block": [1, 1, 1], "cluster": [2, 1, 1])",
           "cluster[0]: expected a divisor of grid[0], that is 3, but got 2"},
          {R"("grid": [16, 16, 1], "block": [1, 1, 1], "cluster": [16, 2, 1])",
           "cluster: expected at most 16 blocks in a cluster"},
          {R"("grid": [1, 1, 1], "block": [1, 1, 1], "dynamic_shared_bytes": -1)",
           "dynamic_shared_bytes: expected an integer from 0 to 4294967295"},
      },
      parseShape);
}

TEST(LaunchFileTest, NegativeMembers) {
  expectErrors(
      {
          {R"("arg": [])",
           "'dir/l.json': expected no other keys, but got 'arg'"},
          {R"("args": {})", "args: expected an array, but got {}"},
          {R"("entry": "")", "entry: expected a string that is not empty"},
          {R"("args": [{"tensor": "a"}])",
           "args[0].tensor: expected a tensor of the file that 'inputs' names"},
          {R"("outputs": ["c"])",
           "outputs[0]: expected the name of a tensor that 'args' uses"},
          {R"("args": [{"zeros": [1], "dtype": "U8", "name": "out"}], "outputs": ["oat"])",
           "but got 'oat'; did you mean 'out'?"},
          {R"("args": [{"zeros": [1], "dtype": "U8"}], "outputs": [""])",
           "outputs[0]: expected a string that is not empty"},
          {R"("args": [{"zeros": [1], "dtype": "U8", "name": "c"}], "outputs": ["c", "c"])",
           "outputs[1]: expected every output once, but got 'c' twice"},
          {R"("args": [{"zeros": [1], "dtype": "U8", "name": "c"},
                       {"zeros": [1], "dtype": "U8", "name": "c"}])",
           "args[1]: expected a name of its own for each buffer, but got 'c', "
           "which args[0] has"},
      },
      parse);
}

TEST(LaunchFileTest, NegativeArguments) {
  expectErrors(
      {
          {"{}", "args[0]: expected one of the keys 'tensor', 'tensor_map', "},
          {"3", "args[0]: expected an object such as"},
          {R"({"i33": 3})", "; did you mean 'i"},
          {R"({"i32": 3, "dtype": "F32"})",
           "args[0]: expected no other keys, but got 'dtype'"},
          {R"({"i32": 3, "u32": 3})", "expected no other keys, but got 'u32'"},
          {R"({"i8": 128})",
           "args[0].i8: expected an integer from -128 to 127, but got 128"},
          {R"({"i8": -129})", "but got -129"},
          {R"({"i32": 2147483648})", "from -2147483648 to 2147483647"},
          {R"({"i32": 1.0})", "but got 1.0"},
          {R"({"i64": 9223372036854775808})", "but got 9223372036854775808"},
          {R"({"u64": -1})", "from 0 to 18446744073709551615, but got -1"},
          {R"({"u64": 18446744073709551616})", "args[0].u64: expected"},
          {R"({"u8": "1"})", "but got \"1\""},
          {R"({"f32": 1e300})", "args[0].f32: expected a number in the range "
                                "of f32, but got 1e+300"},
          {R"({"f16": 65520})", "in the range of f16"},
          {R"({"bf16": 3.4e38})", "in the range of bf16"},
          {R"({"f32": "NaN"})", "expected a number, \"nan\", \"inf\""},
          {R"({"f32": null})", "but got null"},
          {R"({"bytes": "0"})", "args[0].bytes: expected pairs of hexadecimal"},
          {R"({"bytes": ""})", "for 1 to 32764 bytes"},
          {R"({"bytes": "0x"})", "expected pairs of hexadecimal digits"},
          {R"({"bytes": [1]})", "expected a string, but got [1]"},
          {R"({"tensor": 1})", "args[0].tensor: expected a string, but got 1"},
          {R"({"tensor": "a", "offset": -1})", "args[0].offset: expected an "},
          {R"({"tensor": "a", "offset": 1e3})", "but got 1000.0"},
          {R"({"zeros": [1]})", "with the key 'dtype'"},
          {R"({"zeros": [1], "dtype": "F31"})", "dtype: expected a dtype"},
          {R"({"zeros": 1, "dtype": "F32"})", "zeros: expected an array"},
          {R"({"zeros": [-1], "dtype": "F32"})", "that is not negative"},
          {R"({"zeros": [1e300], "dtype": "F32"})", "expected an integer"},
          {R"({"zeros": [4611686018427387904, 4], "dtype": "F32"})",
           "zeros: expected a shape with a whole number of bytes below 2^63"},
          {R"({"zeros": [3], "dtype": "F4"})", "a whole number of bytes"},
          {R"({"zeros": [1], "undefined": [1], "dtype": "F32"})",
           "expected no other keys, but got 'undefined'"},
          {R"({"zeros": [1], "dtype": "F32", "name": ""})",
           "name: expected a name that is not empty"},
          {R"({"zeros": [1], "dtype": "F32", "offset": 4})",
           "but got 'offset'"},
      },
      parseArgument);
}

TEST(LaunchFileTest, NegativeTensorMaps) {
  auto parseMap = [](const std::string &members) {
    return parseArgument(R"({"tensor_map": {"tensor": "a", )" + members + "}}");
  };
  expectErrors(
      {
          {R"("dtype": "U8")", "with the key 'dims'"},
          {R"("dtype": "F6_E2M3", "dims": [1], "strides": [], "box": [16])",
           "tensor_map.dtype: expected one of 'U8', "},
          {R"("dtype": "U8", "dims": [], "strides": [], "box": [])",
           "dims: expected an array of 1 to 5 integers"},
          {R"("dtype": "U8", "dims": [1, 1, 1, 1, 1, 1], "strides": [], "box": [])",
           "dims: expected an array of 1 to 5 integers"},
          {R"("dtype": "U8", "dims": [0], "strides": [], "box": [16])",
           "dims[0]: expected an integer from 1 to 4294967296, but got 0"},
          {R"("dtype": "U8", "dims": [16, 2], "strides": [], "box": [16, 1])",
           "strides: expected an array of 1 integers"},
          {R"("dtype": "U8", "dims": [16, 2], "strides": [17], "box": [16, 1])",
           "that is a multiple of 16, but got 17"},
          {R"("dtype": "U8", "dims": [16, 2], "strides": [1099511627776], "box": [16, 1])",
           "strides[0]: expected an integer from 0 to 1099511627775"},
          {R"("dtype": "U8", "dims": [16], "strides": [], "box": [257])",
           "box[0]: expected an integer from 0 to 256"},
          {R"("dtype": "U8", "dims": [16], "strides": [], "box": [8])",
           "box: expected a multiple of 16 bytes in the innermost dimension"},
          {R"("dtype": "F32", "dims": [16], "strides": [], "box": [16], "swizzle": "32B")",
           "box: expected at most 32 bytes in the innermost dimension"},
          {R"("dtype": "U8", "dims": [16], "strides": [], "box": [16], "swizzle": "16B")",
           "swizzle: expected \"none\", \"32B\", \"64B\" or \"128B\""},
          {R"("dtype": "U8", "dims": [16], "strides": [], "box": [16], "oob": "nan")",
           "oob: expected \"zero\" for this dtype, but got \"nan\""},
          {R"("dtype": "F32", "dims": [16], "strides": [], "box": [4], "oob": "one")",
           "oob: expected \"zero\" or \"nan\", but got \"one\""},
          {R"("dtype": "U8", "dims": [16], "strides": [], "box": [16], "element_strides": [9])",
           "element_strides[0]: expected an integer from 0 to 8"},
          {R"("dtype": "U8", "dims": [16], "strides": [], "box": [16], "fill": 1)",
           "expected no other keys, but got 'fill'"},
      },
      parseMap);
}
