//===- launch-kernel.cpp - A user of the simulator, from C++ --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches a kernel on an array, and one thread too many of it.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <cstdio>
#include <vector>

using namespace nvfp4::ptx;

static const char kKernel[] = R"(
.version 8.7
.target sm_90a
.address_size 64
.visible .entry square(.param .u64 data)
{
  .reg .b32 %r<2>;
  .reg .b64 %d<3>;
  mov.u32 %r0, %tid.x;
  mul.lo.u32 %r1, %r0, %r0;
  ld.param.u64 %d0, [data];
  mad.wide.u32 %d1, %r0, 4, %d0;
  st.global.u32 [%d1], %r1;
  ret;
}
)";

int main() {
  auto program = Program::load(kKernel, "square.ptx");
  if (!program) {
    std::fprintf(stderr, "%s\n", program.getMessage().c_str());
    return 1;
  }
  std::vector<uint32_t> data(100);
  DeviceMemory memory;
  Launch launch;
  launch.entry = "square";
  launch.block = {100, 1, 1};
  launch.addArgument(memory.map(data.data(), data.size() * 4, "data",
                                DeviceMemory::Contents::Undefined));
  Report report = (*program)->run(launch, memory, Options());
  std::fputs(report.toString().c_str(), stderr);
  bool isRight = !report.hasErrors();
  for (uint32_t i = 0; i < data.size(); ++i)
    isRight &= data[i] == i * i;
  launch.block = {101, 1, 1};
  isRight &= (*program)->run(launch, memory, Options()).hasErrors();
  return isRight ? 0 : 1;
}
