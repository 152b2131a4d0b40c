//===- MatrixKernelBench.cpp - Speed of kernels full of mma.sync ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Block-scaled m16n8k64 per second and core, from PTX to report: a warp that
// only multiplies, and one that loads its operands with ldmatrix first.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

using namespace nvfp4::ptx;

namespace {
constexpr int kTrips = 4096;
constexpr int kMmasPerTrip = 8;
} // namespace

static std::string makeKernel(bool hasLoads) {
  std::string text = ".version 8.7\n.target sm_120a\n.address_size 64\n"
                     ".visible .entry k(.param .u64 out) {\n"
                     ".reg .b32 %r<32>;\n.reg .f32 %f<64>;\n"
                     ".reg .b64 %w<2>;\n.reg .pred %p;\n"
                     ".shared .align 128 .b8 tile[1024];\n"
                     "mov.u32 %r0, %tid.x;\nshl.b32 %r1, %r0, 5;\n"
                     "mov.b32 %r2, tile;\nadd.u32 %r2, %r2, %r1;\n"
                     "mov.b32 %r3, 0x12345678;\n"
                     "st.shared.v4.b32 [%r2], {%r3, %r1, %r0, %r3};\n"
                     "st.shared.v4.b32 [%r2+16], {%r1, %r3, %r3, %r0};\n"
                     "bar.sync 0;\n"
                     "ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                     "{%r4, %r5, %r6, %r7}, [%r2];\n"
                     "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r8, %r9}, "
                     "[%r2+16];\n"
                     "mov.b32 %r10, 0x38383838;\nmov.b32 %r11, 0;\n";
  for (int i = 0; i < 4 * kMmasPerTrip; ++i)
    text += "mov.f32 %f" + std::to_string(i) + ", 0f00000000;\n";
  text += "LOOP:\n";
  for (int i = 0; i < kMmasPerTrip; ++i) {
    if (hasLoads)
      text += "ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
              "{%r4, %r5, %r6, %r7}, [%r2];\n"
              "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r8, %r9}, "
              "[%r2+16];\n";
    std::string d = "{";
    for (int j = 0; j < 4; ++j)
      d += (j ? ", %f" : "%f") + std::to_string(4 * i + j);
    d += "}";
    text += "mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale."
            "scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3 " +
            d + ", {%r4, %r5, %r6, %r7}, {%r8, %r9}, " + d +
            ", %r10, {0, 0}, %r10, {0, 0};\n";
  }
  text += "add.u32 %r11, %r11, 1;\nsetp.lt.u32 %p, %r11, " +
          std::to_string(kTrips) +
          ";\n@%p bra LOOP;\nld.param.u64 %w0, [out];\n"
          "mul.wide.u32 %w1, %r0, 4;\nadd.s64 %w0, %w0, %w1;\n"
          "st.global.f32 [%w0], %f0;\nret;\n}\n";
  return text;
}

static void runKernel(benchmark::State &state, bool hasLoads,
                      Accumulation accumulation, bool isChecked) {
  auto program = Program::load(makeKernel(hasLoads), "bench.ptx");
  if (!program)
    return state.SkipWithError(program.getMessage().c_str());
  std::vector<float> out(32);
  DeviceMemory memory;
  Launch launch;
  launch.entry = "k";
  launch.block = {32, 1, 1};
  launch.addArgument(memory.map(out.data(), 4 * out.size(), "out"));
  Options options;
  options.accumulation = accumulation;
  options.checkDefinedness = options.checkOrdering = isChecked;
  options.numThreads = 1;
  for (auto _ : state) {
    Report report = (*program)->run(launch, memory, options);
    if (report.hasErrors())
      return state.SkipWithError(report.toString().c_str());
  }
  state.counters["mma"] =
      benchmark::Counter(double(kTrips) * kMmasPerTrip,
                         benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(runKernel, exact, false, Accumulation::Exact, true);
BENCHMARK_CAPTURE(runKernel, exact_unchecked, false, Accumulation::Exact,
                  false);
BENCHMARK_CAPTURE(runKernel, hardware, false, Accumulation::Hardware, true);
BENCHMARK_CAPTURE(runKernel, loads_exact, true, Accumulation::Exact, true);
BENCHMARK_CAPTURE(runKernel, loads_exact_unchecked, true, Accumulation::Exact,
                  false);

BENCHMARK_MAIN();
