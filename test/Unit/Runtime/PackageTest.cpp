//===- PackageTest.cpp - Opening packages, whole and broken ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Package.h"
#include "ScalePackage.h"
#include "TestSupport.h"
#include "nvfp4/Runtime/CpuFeatures.h"

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

class PackageTest : public testing::Test {
protected:
  Status write(const std::string &program = SCALE_PROGRAM,
               const Manifest &manifest = makeScaleManifest()) {
    return writeScalePackage(path, program, manifest);
  }
  Result<std::unique_ptr<Package>> open(bool verifyChecksums = true) {
    return Package::open(path, *createCpuDevice({1}), {verifyChecksums});
  }
  /// Opens a package with another program.
  Result<std::unique_ptr<Package>> openWith(const std::string &program) {
    if (Status status = write(program); !status)
      return status;
    return open();
  }
  /// Opens a package with another manifest.
  template <typename Edit>
  Result<std::unique_ptr<Package>> openEdited(Edit edit) {
    Manifest manifest = makeScaleManifest();
    edit(manifest);
    if (Status status = write(SCALE_PROGRAM, manifest); !status)
      return status;
    return open();
  }

  TemporaryFolder folder;
  std::string path = folder / "m.nvfp4pkg";
};

} // namespace

TEST_F(PackageTest, Opens) {
  ASSERT_TRUE(succeeds(write()));
  auto package = open();
  ASSERT_TRUE(succeeds(package));
  EXPECT_STREQ((*package)->getEntry(0).name, "main");
  float factor = 0;
  memcpy(&factor, (*package)->getWeightData("factor"), sizeof(factor));
  EXPECT_EQ(factor, 2);
}

TEST_F(PackageTest, NegativeMissing) {
  EXPECT_TRUE(failsWith(open(), "but got nothing there"));
  folder.write("m.nvfp4pkg", "x");
  EXPECT_TRUE(failsWith(open(), "but got a file"));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_TRUE(failsWith(open(), "manifest.json': cannot open"));
  std::filesystem::remove(path);
  for (const char *name :
       {"manifest.json", "weights.safetensors", "program.so"}) {
    std::filesystem::remove_all(path);
    ASSERT_TRUE(succeeds(write()));
    std::filesystem::remove(path + "/" + name);
    EXPECT_TRUE(failsWith(open(), std::string(name) + "': cannot open"));
  }
}

TEST_F(PackageTest, NegativeTorn) {
  ASSERT_TRUE(succeeds(write()));
  std::string program = folder.read("m.nvfp4pkg/program.so");
  folder.write("m.nvfp4pkg/program.so", program.substr(0, 100));
  EXPECT_TRUE(failsWith(open(), "program.so': expected " +
                                    std::to_string(program.size()) +
                                    " bytes, but got 100"));
  program.back() ^= 1;
  folder.write("m.nvfp4pkg/program.so", program);
  EXPECT_TRUE(failsWith(open(), "program.so': expected XXH3-128 checksum"));
  std::string manifest = folder.read("m.nvfp4pkg/manifest.json");
  folder.write("m.nvfp4pkg/manifest.json", manifest.substr(0, 200));
  EXPECT_TRUE(failsWith(open(), "manifest.json': expected JSON"));
}

TEST_F(PackageTest, NegativeForeignProgram) {
  std::string text = folder.write("text.so", "this is no shared object");
  EXPECT_TRUE(failsWith(openWith(text), "expected a shared object"));
  EXPECT_TRUE(failsWith(openWith(SCALE_PROGRAM_NO_SYMBOL),
                        "expected the symbol 'nvfp4_program'"));
  EXPECT_TRUE(
      failsWith(openWith(SCALE_PROGRAM_ABI),
                "expected a program ABI version from 1 to 4, but got 99"));
  EXPECT_TRUE(failsWith(openWith(SCALE_PROGRAM_STRUCT_SIZE),
                        "expected a descriptor of at least"));
  EXPECT_TRUE(failsWith(openWith(SCALE_PROGRAM_ENTRY),
                        "expected entry 0 to be 'main', but got 'other'"));
  EXPECT_TRUE(failsWith(openWith(SCALE_PROGRAM_ARGS),
                        "entry 'main': expected 3 arguments, as the manifest "
                        "says, but got 7"));
}

TEST_F(PackageTest, NegativeTarget) {
  EXPECT_TRUE(failsWith(
      openEdited([](Manifest &manifest) {
        manifest.target.name = "sm_120a";
        manifest.target.device = "sim";
      }),
      "expected a package for device 'cpu', but got one for device 'sim'"));
  EXPECT_TRUE(failsWith(openEdited([](Manifest &manifest) {
                          manifest.target.triple = "riscv64-linux-gnu";
                        }),
                        "but got code for 'riscv64-linux-gnu'"));
  EXPECT_TRUE(failsWith(openEdited([](Manifest &manifest) {
                          manifest.target.features = {"quantum"};
                        }),
                        "but got one without quantum"));
}

TEST_F(PackageTest, NegativeWeights) {
  auto openWithWeight = [&](const char *name, DType dtype,
                            std::vector<int64_t> shape) {
    return openEdited([&](Manifest &manifest) {
      manifest.entries[0].arguments[0] =
          ManifestArgument::weight(name, dtype, std::move(shape));
    });
  };
  EXPECT_TRUE(failsWith(openWithWeight("gone", DType::F32, {}),
                        "tensor 'gone': expected F32 [] for entry 'main', but "
                        "got no such tensor"));
  EXPECT_TRUE(failsWith(openWithWeight("factor", DType::U8, {}),
                        "expected U8 [], but got F32 []"));
  EXPECT_TRUE(failsWith(openWithWeight("factor", DType::F32, {1}),
                        "expected F32 [1], but got F32 []"));
}

TEST_F(PackageTest, NegativeManifestAgainstProgram) {
  EXPECT_TRUE(failsWith(openEdited([](Manifest &manifest) {
                          manifest.entries.push_back(manifest.entries[0]);
                          manifest.entries[1].name = "second";
                        }),
                        "expected 2 entries, as the manifest says, but got 1"));
}

TEST_F(PackageTest, ReadManifestLoadsNoCode) {
  ASSERT_TRUE(succeeds(write(folder.write("text.so", "no shared object"))));
  auto manifest = readManifest(path);
  ASSERT_TRUE(succeeds(manifest));
  EXPECT_EQ(manifest->entries[0].name, "main");
}

//===----------------------------------------------------------------------===//
// CPU features
//===----------------------------------------------------------------------===//

TEST(CpuFeatures, Levels) {
  CpuFeatures v2{
      "x86_64",
      {"cx16", "sahf", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2"}};
  ManifestTarget target;
  target.triple = "x86_64-pc-linux-gnu";
  target.cpu = "x86-64";
  EXPECT_TRUE(succeeds(checkCpu(target, v2, "'m'")));
  target.cpu = "x86-64-v2";
  EXPECT_TRUE(succeeds(checkCpu(target, v2, "'m'")));
  target.cpu = "x86-64-v3";
  EXPECT_TRUE(
      failsWith(checkCpu(target, v2, "'m'"),
                "'m': expected a CPU that can run code for 'x86-64-v3', "
                "but got one without avx, avx2"));
  target.cpu = "znver4";
  EXPECT_TRUE(
      failsWith(checkCpu(target, v2, "'m'"), "'znver4' without features"));
  target.features = {"sse3"};
  EXPECT_TRUE(succeeds(checkCpu(target, v2, "'m'")));
  target.triple = "arm64-apple-darwin";
  EXPECT_TRUE(
      failsWith(checkCpu(target, v2, "'m'"), "expected code for x86_64"));
  target.triple = "";
  EXPECT_TRUE(failsWith(checkCpu(target, v2, "'m'"), "but got code for ''"));
}

TEST(CpuFeatures, CheckedFeatures) {
  EXPECT_TRUE(isCheckedCpuFeature("x86_64", "avx512f"));
  EXPECT_TRUE(isCheckedCpuFeature("aarch64", "neon"));
  EXPECT_FALSE(isCheckedCpuFeature("aarch64", "fuse-aes"));
  EXPECT_FALSE(isCheckedCpuFeature("x86_64", "neon"));
  for (const std::string &feature : CpuFeatures::detect().features)
    EXPECT_TRUE(
        isCheckedCpuFeature(CpuFeatures::detect().architecture, feature));
}

#if defined(__x86_64__)
TEST(CpuFeatures, DetectAgreesWithTheCompiler) {
  CpuFeatures cpu = CpuFeatures::detect();
  EXPECT_TRUE(cpu.features.count("sse2"));
  EXPECT_TRUE(cpu.features.count("64bit"));
  __builtin_cpu_init();
  auto has = [&](const char *name) { return cpu.features.count(name) != 0; };
  EXPECT_EQ(has("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has("avx512vnni"), __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(has("bmi2"), __builtin_cpu_supports("bmi2") != 0);
  EXPECT_EQ(has("fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has("vpclmulqdq"), __builtin_cpu_supports("vpclmulqdq") != 0);
}
#endif
