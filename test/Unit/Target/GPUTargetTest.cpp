//===- GPUTargetTest.cpp - Programs with kernels --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the descriptor of a program for a chip says, and what its host code asks
// of the context. No kernel runs here: a launch is written down.
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include "llvm/ADT/StringRef.h"

#include <gtest/gtest.h>

using namespace nvfp4;
using namespace nvfp4::test;

namespace {

constexpr char kExp[] = R"mlir(
func.func @main(%x: tensor<?xf32> {nvfp4.shape = ["n"]}) -> tensor<?xf32> {
  %y = math.exp %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
)mlir";

constexpr char kCopy[] = R"mlir(
func.func @main(%x: tensor<?xf32> {nvfp4.shape = ["n"]}) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}
)mlir";

/// A context that keeps what it is asked for.
struct Recorder {
  struct Launch {
    uint32_t kernel, grid[3], block[3], sharedBytes;
    std::vector<uint64_t> arguments;
  };
  explicit Recorder(const nvfp4_program_descriptor &program)
      : program(program) {
    context.struct_size = sizeof(context);
    context.user = this;
    context.launch = launch;
    context.copy = copy;
    context.fill = fill;
  }

  static int32_t launch(void *user, uint32_t kernel, const uint32_t grid[3],
                        const uint32_t block[3], uint32_t sharedBytes,
                        const void *const *args) {
    auto &self = *static_cast<Recorder *>(user);
    Launch launch{kernel,
                  {grid[0], grid[1], grid[2]},
                  {block[0], block[1], block[2]},
                  sharedBytes,
                  {}};
    for (uint32_t i = 0; i < self.program.kernels[kernel].num_args; ++i)
      launch.arguments.push_back(*static_cast<const uint64_t *>(args[i]));
    self.launches.push_back(launch);
    return self.status;
  }
  static int32_t copy(void *user, void *target, const void *source,
                      uint64_t bytes) {
    auto &self = *static_cast<Recorder *>(user);
    self.copies.push_back(bytes);
    return self.status;
  }
  static int32_t fill(void *user, void *target, const void *value,
                      uint32_t valueBytes, uint64_t count) {
    auto &self = *static_cast<Recorder *>(user);
    self.fills.push_back({target, valueBytes * count});
    return 0;
  }

  int32_t run(int64_t n) {
    const void *argument = kInput;
    void *result = kResult;
    return program.entries[0].run(&context, &n, &argument, &result, kWorkspace);
  }

  /// Addresses of a device: host code that touches them dies.
  static inline void *const kInput = reinterpret_cast<void *>(0x1000);
  static inline void *const kResult = reinterpret_cast<void *>(0x2000);
  static inline void *const kWorkspace = reinterpret_cast<void *>(0x3000);

  const nvfp4_program_descriptor &program;
  nvfp4_context context = {};
  int32_t status = 0;
  std::vector<Launch> launches;
  std::vector<uint64_t> copies;
  std::vector<std::pair<void *, uint64_t>> fills;
};

TEST(GPUTargetTest, DescribesImagesAndKernels) {
  CompiledProgram program(kExp, {}, "sm_120a");
  ASSERT_TRUE(program.isLoaded());
  const nvfp4_program_descriptor &descriptor = program.getDescriptor();
  EXPECT_EQ(descriptor.abi_version, unsigned(NVFP4_PROGRAM_ABI_VERSION_DEVICE));
  EXPECT_EQ(descriptor.struct_size, sizeof(nvfp4_program_descriptor));

  // Machine code, where ptxas is there, comes first.
  ASSERT_GE(descriptor.num_images, 1u);
  const nvfp4_image &image = descriptor.images[descriptor.num_images - 1];
  EXPECT_EQ(image.kind, unsigned(NVFP4_IMAGE_PTX));
  EXPECT_STREQ(image.chip, "sm_120a");
  llvm::StringRef text(static_cast<const char *>(image.data), image.bytes);
  EXPECT_TRUE(text.ends_with(llvm::StringRef("\0", 1)));
  EXPECT_TRUE(text.contains(".target sm_120a"));
  if (descriptor.num_images == 2)
    EXPECT_EQ(descriptor.images[0].kind, unsigned(NVFP4_IMAGE_CUBIN));

  ASSERT_EQ(descriptor.num_kernels, 1u);
  const nvfp4_kernel &kernel = descriptor.kernels[0];
  EXPECT_TRUE(text.contains((llvm::Twine(".entry ") + kernel.name).str()));
  // Two pointers and two extents.
  ASSERT_EQ(kernel.num_args, 4u);
  for (uint32_t i = 0; i < 4; ++i)
    EXPECT_EQ(kernel.arg_bytes[i], 8u);
}

TEST(GPUTargetTest, LaunchesAsManyBlocksAsTheDimensionsNeed) {
  CompiledProgram program(kExp, {}, "sm_120a");
  ASSERT_TRUE(program.isLoaded());
  Recorder recorder(program.getDescriptor());
  ASSERT_EQ(recorder.run(1000), 0);
  // The error word, before all else.
  ASSERT_EQ(recorder.fills.size(), 1u);
  EXPECT_EQ(recorder.fills[0], std::pair(Recorder::kWorkspace, uint64_t(4)));
  ASSERT_EQ(recorder.launches.size(), 1u);
  const Recorder::Launch &launch = recorder.launches[0];
  EXPECT_GE(uint64_t(launch.grid[0]) * launch.block[0] * 8, 1000u);
  EXPECT_EQ(launch.arguments,
            (std::vector<uint64_t>{0x1000, 0x2000, 1000, 1000}));
}

TEST(GPUTargetTest, LaunchesNothingForEmptyTensors) {
  CompiledProgram program(kExp, {}, "sm_120a");
  ASSERT_TRUE(program.isLoaded());
  Recorder recorder(program.getDescriptor());
  EXPECT_EQ(recorder.run(0), 0);
  EXPECT_TRUE(recorder.launches.empty());
}

TEST(GPUTargetTest, ReturnsTheStatusOfALaunch) {
  CompiledProgram program(kExp, {}, "sm_121a");
  ASSERT_TRUE(program.isLoaded());
  Recorder recorder(program.getDescriptor());
  recorder.status = 7;
  EXPECT_EQ(recorder.run(3), 7);
}

TEST(GPUTargetTest, CopiesOnTheDevice) {
  CompiledProgram program(kCopy, {}, "sm_120a");
  ASSERT_TRUE(program.isLoaded());
  EXPECT_EQ(program.getDescriptor().num_kernels, 0u);
  EXPECT_EQ(program.getDescriptor().num_images, 0u);
  Recorder recorder(program.getDescriptor());
  ASSERT_EQ(recorder.run(5), 0);
  EXPECT_EQ(recorder.copies, std::vector<uint64_t>{20});
}

TEST(GPUTargetTest, SaysWhichChipToWrite) {
  std::unique_ptr<mlir::MLIRContext> context = createContext();
  std::string error;
  EXPECT_TRUE(compile(*context, kExp, error, {}, "sm_120").image.empty());
  EXPECT_NE(error.find("but got 'sm_120'; write 'sm_120a'"), std::string::npos)
      << error;
}

} // namespace
