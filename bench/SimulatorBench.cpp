//===- SimulatorBench.cpp - How fast the PTX simulator runs ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Thread instructions per second of one core, in an element-wise kernel
// (`nvcc` on y[i] = a * x[i] + y[i] with a bounds check) and in a loop of
// arithmetic, with the checks of rules R1 to R11 on and off; two cores against
// one; and the time from text to decoded instructions.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Simulator.h"

#include <benchmark/benchmark.h>

#include <vector>

using namespace nvfp4;
using namespace nvfp4::ptx;

static const char *const kAxpy = R"(
.version 9.0
.target sm_90a
.address_size 64
.visible .entry axpy(
  .param .f32 axpy_param_0,
  .param .u64 .ptr .align 1 axpy_param_1,
  .param .u64 .ptr .align 1 axpy_param_2,
  .param .u32 axpy_param_3
)
{
  .reg .pred %p<2>;
  .reg .b32 %r<11>;
  .reg .b64 %rd<8>;
  ld.param.b32 %r2, [axpy_param_0];
  ld.param.b64 %rd1, [axpy_param_1];
  ld.param.b64 %rd2, [axpy_param_2];
  ld.param.b32 %r3, [axpy_param_3];
  mov.u32 %r4, %ctaid.x;
  mov.u32 %r5, %ntid.x;
  mov.u32 %r6, %tid.x;
  mad.lo.s32 %r1, %r4, %r5, %r6;
  setp.ge.s32 %p1, %r1, %r3;
  @%p1 bra $L__BB0_2;
  cvta.to.global.u64 %rd3, %rd1;
  cvta.to.global.u64 %rd4, %rd2;
  mul.wide.s32 %rd5, %r1, 4;
  add.s64 %rd6, %rd3, %rd5;
  ld.global.b32 %r7, [%rd6];
  add.s64 %rd7, %rd4, %rd5;
  ld.global.b32 %r8, [%rd7];
  fma.rn.f32 %r9, %r2, %r7, %r8;
  st.global.b32 [%rd7], %r9;
$L__BB0_2:
  ret;
}
)";

static const char *const kLoop = R"(
.version 9.0
.target sm_90a
.address_size 64
.visible .entry loop(.param .f32 a, .param .u64 x, .param .u64 y, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .b32 %r<11>;
  .reg .f32 %f<8>;
  .reg .b64 %rd<8>;
  ld.param.f32 %f1, [a];
  ld.param.b64 %rd2, [y];
  ld.param.b32 %r3, [n];
  mov.u32 %r4, %ctaid.x;
  mov.u32 %r5, %ntid.x;
  mov.u32 %r6, %tid.x;
  mad.lo.s32 %r1, %r4, %r5, %r6;
  cvt.rn.f32.s32 %f2, %r1;
  mov.b32 %r7, 0;
LOOP:
  fma.rn.f32 %f3, %f2, %f1, %f1;
  mul.f32 %f4, %f3, %f1;
  add.f32 %f2, %f4, %f3;
  and.b32 %r8, %r7, 7;
  xor.b32 %r1, %r1, %r8;
  add.s32 %r7, %r7, 1;
  setp.lt.s32 %p1, %r7, 64;
  @%p1 bra LOOP;
  setp.ge.s32 %p1, %r4, %r3;
  @%p1 st.global.f32 [%rd2], %f2;
  ret;
}
)";

static Report launchOnce(const Program &program, DeviceMemory &memory,
                         uint64_t x, uint64_t y, uint32_t ctas,
                         Options &options, unsigned numThreads = 1) {
  constexpr uint32_t kThreads = 256;
  Launch launch;
  launch.entry = program.getEntries()[0].name;
  launch.grid = {ctas, 1, 1};
  launch.block = {kThreads, 1, 1};
  launch.addArgument(2.0f);
  launch.addArgument(x);
  launch.addArgument(y);
  launch.addArgument(int32_t(ctas * kThreads - 3));
  options.numThreads = numThreads;
  return program.run(launch, memory, options);
}

static void runKernel(benchmark::State &state, const char *text) {
  constexpr uint32_t kCtas = 2048;
  auto program = Program::load(text, "bench.ptx");
  if (!program.ok()) {
    state.SkipWithError(program.getStatus().getMessage().c_str());
    return;
  }
  std::vector<float> x(kCtas * 256, 1.0f), y(kCtas * 256, 2.0f);
  DeviceMemory memory;
  uint64_t addressX = memory.map(x.data(), x.size() * 4, "x");
  uint64_t addressY = memory.map(y.data(), y.size() * 4, "y");
  Options options;
  options.collectStatistics = true;
  Report counted =
      launchOnce(**program, memory, addressX, addressY, kCtas, options);
  if (counted.hasErrors()) {
    state.SkipWithError(counted.toString().c_str());
    return;
  }
  options.collectStatistics = false;
  options.checkOrdering = state.range(0);
  options.checkDefinedness = state.range(1);
  for (auto _ : state)
    launchOnce(**program, memory, addressX, addressY, kCtas, options);
  state.counters["threadInstructions"] =
      benchmark::Counter(double(counted.statistics.threadInstructions) *
                             double(state.iterations()),
                         benchmark::Counter::kIsRate);
}

static void axpy(benchmark::State &state) { runKernel(state, kAxpy); }
static void loop(benchmark::State &state) { runKernel(state, kLoop); }

/// 64 CTAs on one and on two host threads, with all checks.
static void threads(benchmark::State &state) {
  constexpr uint32_t kCtas = 64;
  auto program = Program::load(kLoop, "bench.ptx");
  std::vector<float> x(kCtas * 256), y(kCtas * 256);
  DeviceMemory memory;
  uint64_t addressX = memory.map(x.data(), x.size() * 4, "x");
  uint64_t addressY = memory.map(y.data(), y.size() * 4, "y");
  Options options;
  for (auto _ : state)
    launchOnce(**program, memory, addressX, addressY, kCtas, options,
               unsigned(state.range(0)));
}

/// Parsing and decoding 5,000 lines.
static void load(benchmark::State &state) {
  std::string text = ".version 9.0\n.target sm_90a\n.address_size 64\n"
                     ".visible .entry k(.param .u64 p)\n{\n"
                     ".reg .pred %p<100>;\n.reg .b32 %r<2000>;\n"
                     ".reg .f32 %f<2000>;\n.reg .b64 %rd<2000>;\n"
                     "ld.param.u64 %rd1, [p];\n";
  const char *const kBlock[] = {
      "mad.lo.s32 %rA, %rB, 4, %rA;",
      "ld.global.f32 %fA, [%rd1+4];",
      "fma.rn.f32 %fA, %fA, %fB, 0f3F800000;",
      "setp.ge.s32 %p1, %rA, %rB;",
      "@%p1 add.s64 %rdA, %rd1, 16;",
      "selp.b32 %rA, %rB, 7, %p1;",
      "cvt.rn.f32.s32 %fB, %rA;",
      "st.global.v2.f32 [%rd1], {%fA, %fB};",
  };
  for (unsigned i = 0; i < 4990; ++i) {
    std::string line = kBlock[i % std::size(kBlock)];
    for (size_t at; (at = line.find_first_of("AB")) != std::string::npos;)
      line.replace(at, 1, std::to_string(2 + (i + at) % 1900));
    text += line + "\n";
  }
  text += "ret;\n}\n";
  for (auto _ : state) {
    auto program = Program::load(text, "bench.ptx");
    if (!program.ok()) {
      state.SkipWithError(program.getMessage().c_str());
      return;
    }
  }
}

static void addChecks(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgNames({"ordering", "definedness"});
  benchmark->Args({0, 0})->Args({0, 1})->Args({1, 0})->Args({1, 1});
}

BENCHMARK(axpy)->Apply(addChecks);
BENCHMARK(loop)->Apply(addChecks);
BENCHMARK(threads)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(load)->Unit(benchmark::kMillisecond);
BENCHMARK_MAIN();
