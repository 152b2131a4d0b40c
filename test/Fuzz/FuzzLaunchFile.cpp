//===- FuzzLaunchFile.cpp - Any bytes as a launch file --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is accepted and opens no file is launched too, on a kernel that loops
// and touches memory where its arguments say, under small limits.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/LaunchFile.h"

#include <cstdlib>

using namespace nvfp4;
using namespace nvfp4::ptx;

static const char kKernels[] = R"(
.version 8.7
.target sm_120a
.address_size 64
.visible .entry touch(.param .u64 p, .param .u32 n, .param .b8 s[12])
{
  .reg .pred %p;
  .reg .b32 %r<4>;
  .reg .b64 %d<3>;
  ld.param.u64 %d0, [p];
  ld.param.u32 %r0, [n];
  ld.param.u32 %r1, [s+8];
  mov.u32 %r2, %tid.x;
  mad.wide.u32 %d1, %r2, 4, %d0;
LOOP:
  st.global.u32 [%d1], %r1;
  bar.sync 0;
  add.u32 %r0, %r0, 1;
  setp.ne.u32 %p, %r0, 0;
  @%p bra LOOP;
  ret;
}
.visible .entry empty()
{
  ret;
}
)";

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  constexpr uint64_t kMaxBytes = 1 << 16;
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<LaunchFile> file = LaunchFile::parse(text, "l");
  if (!file) {
    if (file.getMessage().empty())
      std::abort();
    return 0;
  }
  if (!file->inputsPath.empty())
    return 0;
  static const auto program = Program::load(kKernels, "k.ptx");
  if (!program)
    std::abort();
  Result<LaunchBuffers> buffers =
      LaunchBuffers::create(std::move(*file), kMaxBytes);
  if (!buffers)
    return 0;
  DeviceMemory memory;
  Result<Launch> launch = buffers->bind(**program, memory);
  if (!launch)
    return 0;
  Options options;
  options.maxInstructions = 1000;
  options.maxMemory = 1 << 24;
  options.numThreads = 1;
  Report report = (*program)->run(*launch, memory, options);
  buffers->checkOutputs(memory, report);
  if (report.hasErrors() && report.toString().empty())
    std::abort();
  return 0;
}
