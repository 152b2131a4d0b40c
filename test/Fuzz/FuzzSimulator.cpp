//===- FuzzSimulator.cpp - Any bytes as a kernel to run -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decodes PTX and runs each of its kernels on two warps with small limits. The
// run ends, and never touches memory that is not its own. The first byte picks
// the order of asynchronous effects and the cluster.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Simulator.h"

using namespace nvfp4;
using namespace nvfp4::ptx;

static void runEntry(const Program &program, const Program::Entry &entry,
                     uint8_t choice) {
  std::vector<uint8_t> buffer(1024);
  DeviceMemory memory;
  uint64_t address = memory.map(buffer.data(), buffer.size(), "buffer");
  Launch launch;
  launch.entry = entry.name;
  launch.block = {48, 1, 1};
  launch.cluster = launch.grid = {choice & 4 ? 2u : 1u, 1, 1};
  launch.dynamicSharedBytes = 512;
  for (const Program::Parameter &parameter : entry.parameters) {
    if (parameter.bytes > 4096)
      return;
    std::vector<uint8_t> bytes(parameter.bytes);
    std::memcpy(bytes.data(), &address, std::min<size_t>(bytes.size(), 8));
    launch.arguments.push_back(std::move(bytes));
  }
  Options options;
  options.asynchrony = Asynchrony(choice % 3);
  options.seed = choice;
  options.maxInstructions = 2000;
  options.maxMemory = uint64_t(64) << 20;
  options.numThreads = 1;
  options.collectStatistics = choice & 8;
  (void)program.run(launch, memory, options).toString();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  std::string text(reinterpret_cast<const char *>(data) + 1, size - 1);
  auto program = Program::load(std::move(text), "fuzz.ptx");
  if (!program.ok())
    return 0;
  size_t count = 0;
  for (const Program::Entry &entry : (*program)->getEntries())
    if (++count <= 4)
      runEntry(**program, entry, data[0]);
  return 0;
}
