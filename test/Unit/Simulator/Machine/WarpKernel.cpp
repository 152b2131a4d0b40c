//===- WarpKernel.cpp - Runs a few PTX lines in one warp ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpKernel.h"

#include "Machine/Memory.h"

namespace nvfp4::ptx {

static std::string makeText(const WarpKernel &kernel, size_t numInputs) {
  auto number = [](size_t value) { return std::to_string(value); };
  std::string text = ".version 8.8\n.target " + kernel.target +
                     "\n.address_size 64\n"
                     ".visible .entry k(.param .u64 in, .param .u64 out) {\n"
                     "  .reg .b32 %lane, %in<64>, %out<64>, %r<64>;\n"
                     "  .reg .f32 %f<64>;\n  .reg .f64 %d<64>;\n"
                     "  .reg .b16 %h<16>;\n  .reg .b64 %w<16>;\n"
                     "  .reg .pred %p<16>;\n"
                     "  .reg .b64 %inAddress, %outAddress, %step;\n"
                     "  .shared .align 128 .b8 tile[4096];\n"
                     "  mov.u32 %lane, %tid.x;\n"
                     "  ld.param.u64 %inAddress, [in];\n"
                     "  ld.param.u64 %outAddress, [out];\n";
  text += "  mul.wide.u32 %step, %lane, " + number(4 * numInputs) + ";\n" +
          "  add.s64 %inAddress, %inAddress, %step;\n";
  for (size_t i = 0; i < numInputs; ++i)
    text += "  ld.global.b32 %in" + number(i) + ", [%inAddress+" +
            number(4 * i) + "];\n";
  text += kernel.body + "\n";
  text += "  mul.wide.u32 %step, %lane, " + number(4 * kernel.numOutputs) +
          ";\n  add.s64 %outAddress, %outAddress, %step;\n";
  for (size_t i = 0; i < kernel.numOutputs; ++i)
    text += "  st.global.b32 [%outAddress+" + number(4 * i) + "], %out" +
            number(i) + ";\n";
  return text + "  ret;\n}\n";
}

WarpKernel::Outcome WarpKernel::run() const {
  Outcome outcome;
  size_t numInputs = inputs.empty() ? 0 : inputs[0].size();
  auto program = Program::load(makeText(*this, numInputs), "warp.ptx");
  if (!program) {
    outcome.loadError = program.getMessage();
    return outcome;
  }
  std::vector<uint32_t> in, out(numLanes * numOutputs);
  for (const auto &row : inputs)
    in.insert(in.end(), row.begin(), row.end());
  in.resize(in.size() + 1);
  DeviceMemory memory;
  Launch launch;
  launch.entry = "k";
  launch.block = {numLanes, 1, 1};
  launch.addArgument(memory.map(in.data(), 4 * in.size(), "in"));
  uint64_t address = memory.map(out.data(), 4 * out.size(), "out",
                                DeviceMemory::Contents::Undefined);
  launch.addArgument(address);
  outcome.report = (*program)->run(launch, memory, options);
  std::vector<uint32_t> bits(out.size());
  memory.getImpl().findBuffer(address)->undefined.read(
      0, 4 * out.size(), reinterpret_cast<uint8_t *>(bits.data()));
  for (unsigned lane = 0; lane < numLanes; ++lane) {
    auto first = ptrdiff_t(lane * numOutputs);
    outcome.outputs.emplace_back(out.begin() + first,
                                 out.begin() + first + numOutputs);
    outcome.undefined.emplace_back(bits.begin() + first,
                                   bits.begin() + first + numOutputs);
  }
  return outcome;
}

} // namespace nvfp4::ptx
