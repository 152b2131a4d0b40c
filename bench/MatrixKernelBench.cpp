//===- MatrixKernelBench.cpp - Speed of kernels full of products ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Block-scaled m16n8k64 per second and core, from PTX to report: a warp that
// only multiplies, and one that loads its operands with ldmatrix first. And
// multiply-adds of wgmma m64n256k16, and tcgen05.mma of 128x256x64 with their
// copies of scales, A and B in shared memory.
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
/// Of tcgen05.
constexpr int kSteps = 64, kProductsPerStep = 4;
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

/// 10 KiB of 1.0 in bf16: A with two chunks of K for 64 rows, then B.
static std::string makeWarpgroupKernel() {
  std::string d = "{%f0";
  for (int i = 1; i < 128; ++i)
    d += ", %f" + std::to_string(i);
  return ".version 8.4\n.target sm_90a\n.address_size 64\n"
         ".visible .entry k(.param .u64 out) {\n"
         ".reg .b32 %r<8>;\n.reg .f32 %f<128>;\n.reg .b64 %w<4>;\n"
         ".reg .pred %p, %q;\n.shared .align 1024 .b8 tile[10240];\n"
         "mov.u32 %r0, %tid.x;\nshl.b32 %r1, %r0, 4;\n"
         "mov.b32 %r2, tile;\nadd.u32 %r1, %r1, %r2;\nadd.u32 %r3, %r2, "
         "10240;\nmov.b32 %r4, 0x3f803f80;\n"
         "FILL:\nst.shared.v4.b32 [%r1], {%r4, %r4, %r4, %r4};\n"
         "add.u32 %r1, %r1, 2048;\nsetp.lt.u32 %p, %r1, %r3;\n@%p bra FILL;\n"
         "fence.proxy.async;\nbar.sync 0;\nshr.u32 %r2, %r2, 4;\n"
         "cvt.u64.u32 %w0, %r2;\nor.b64 %w0, %w0, 0x1000080000;\n"
         "add.s64 %w1, %w0, 128;\nmov.b32 %r5, 0;\n"
         "setp.ne.u32 %q, %r0, %r0;\n"
         "LOOP:\nwgmma.fence.sync.aligned;\n"
         "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 " +
         d + "}, %w0, %w1, %q, 1, 1, 0, 0;\n" +
         "wgmma.commit_group.sync.aligned;\n"
         "wgmma.wait_group.sync.aligned 0;\n"
         "setp.eq.u32 %q, %r0, %r0;\nadd.u32 %r5, %r5, 1;\n"
         "setp.lt.u32 %p, %r5, " +
         std::to_string(kTrips) +
         ";\n@%p bra LOOP;\nld.param.u64 %w2, [out];\n"
         "mul.wide.u32 %w3, %r0, 4;\nadd.s64 %w2, %w2, %w3;\n"
         "st.global.f32 [%w2], %f0;\nret;\n}\n";
}

/// Steps of K as a matrix product takes them: three copies of scales and four
/// products, then a commit that the next step waits for.
static std::string makeTensorKernel() {
  std::string step;
  for (int i = 0; i < kProductsPerStep; ++i)
    step += "tcgen05.cp.cta_group::1.32x128b.warpx4 [%r12], %w4;\n"
            "tcgen05.cp.cta_group::1.32x128b.warpx4 [%r13], %w4;\n"
            "tcgen05.cp.cta_group::1.32x128b.warpx4 [%r14], %w4;\n"
            "tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.block16 "
            "[%r11], %w2, %w3, 0x8400480, [%r12], [%r13], %q;\n"
            "setp.eq.u32 %q, %r0, %r0;\n";
  return ".version 8.8\n.target sm_100a\n.address_size 64\n"
         ".visible .entry k(.param .u64 out) {\n"
         ".reg .b32 %r<24>;\n.reg .b64 %w<8>;\n.reg .pred %p, %q;\n"
         ".shared .align 1024 .b8 tile[13312];\n"
         ".shared .align 8 .b64 m;\n.shared .align 16 .b32 t;\n"
         "mov.u32 %r0, %tid.x;\nmov.b32 %r1, tile;\nmov.b32 %r2, m;\n"
         "mov.b32 %r3, t;\nshl.b32 %r4, %r0, 4;\nadd.u32 %r4, %r4, %r1;\n"
         "add.u32 %r5, %r1, 13312;\nmov.b32 %r6, 0x2a2a2a2a;\n"
         "FILL:\nst.shared.v4.b32 [%r4], {%r6, %r6, %r6, %r6};\n"
         "add.u32 %r4, %r4, 512;\nsetp.lt.u32 %p, %r4, %r5;\n@%p bra FILL;\n"
         "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%r3], 512;\n"
         "setp.eq.u32 %p, %r0, 0;\n@%p mbarrier.init.shared.b64 [%r2], 1;\n"
         "fence.proxy.async;\nbar.warp.sync -1;\nld.shared.b32 %r11, [%r3];\n"
         "add.u32 %r12, %r11, 256;\nadd.u32 %r13, %r11, 260;\n"
         "add.u32 %r14, %r11, 264;\nshr.u32 %r1, %r1, 4;\n"
         "cvt.u64.u32 %w2, %r1;\nor.b64 %w2, %w2, 0x401000080000;\n"
         "add.s64 %w3, %w2, 256;\nadd.s64 %w4, %w2, 768;\n"
         "mov.b32 %r7, 0;\nsetp.ne.u32 %q, %r0, %r0;\n"
         "setp.ne.u32 %p, %r0, 0;\n@%p bra DONE;\nLOOP:\n" +
         step +
         "tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster."
         "b64 [%r2];\nand.b32 %r8, %r7, 1;\n"
         "WAIT:\nmbarrier.try_wait.parity.shared.b64 %p, [%r2], %r8;\n"
         "@!%p bra WAIT;\nadd.u32 %r7, %r7, 1;\nsetp.lt.u32 %p, %r7, " +
         std::to_string(kSteps) +
         ";\n@%p bra LOOP;\nDONE:\nbar.warp.sync -1;\n"
         "tcgen05.dealloc.cta_group::1.sync.aligned.b32 %r11, 512;\n"
         "ld.param.u64 %w5, [out];\nmul.wide.u32 %w6, %r0, 4;\n"
         "add.s64 %w5, %w5, %w6;\nst.global.b32 [%w5], %r7;\nret;\n}\n";
}

/// `count` things happen in a launch.
static void runText(benchmark::State &state, const std::string &text,
                    uint32_t threads, Accumulation accumulation, bool isChecked,
                    const char *counter, double count) {
  auto program = Program::load(text, "bench.ptx");
  if (!program)
    return state.SkipWithError(program.getMessage().c_str());
  std::vector<float> out(threads);
  DeviceMemory memory;
  Launch launch;
  launch.entry = "k";
  launch.block = {threads, 1, 1};
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
  state.counters[counter] =
      benchmark::Counter(count, benchmark::Counter::kIsIterationInvariantRate);
}

static void runKernel(benchmark::State &state, bool hasLoads,
                      Accumulation accumulation, bool isChecked) {
  runText(state, makeKernel(hasLoads), 32, accumulation, isChecked, "mma",
          kTrips * kMmasPerTrip);
}

static void runWarpgroup(benchmark::State &state, Accumulation accumulation,
                         bool isChecked) {
  runText(state, makeWarpgroupKernel(), 128, accumulation, isChecked,
          "multiplyAdds", kTrips * 64.0 * 256 * 16);
}

static void runTensor(benchmark::State &state, Accumulation accumulation,
                      bool isChecked) {
  runText(state, makeTensorKernel(), 32, accumulation, isChecked, "mma",
          kSteps * kProductsPerStep);
}

BENCHMARK_CAPTURE(runKernel, exact, false, Accumulation::Exact, true);
BENCHMARK_CAPTURE(runKernel, exact_unchecked, false, Accumulation::Exact,
                  false);
BENCHMARK_CAPTURE(runKernel, hardware, false, Accumulation::Hardware, true);
BENCHMARK_CAPTURE(runKernel, loads_exact, true, Accumulation::Exact, true);
BENCHMARK_CAPTURE(runKernel, loads_exact_unchecked, true, Accumulation::Exact,
                  false);
BENCHMARK_CAPTURE(runWarpgroup, hardware, Accumulation::Hardware, true);
BENCHMARK_CAPTURE(runWarpgroup, hardware_unchecked, Accumulation::Hardware,
                  false);
BENCHMARK_CAPTURE(runWarpgroup, exact, Accumulation::Exact, true);
BENCHMARK_CAPTURE(runTensor, hardware, Accumulation::Hardware, true);
BENCHMARK_CAPTURE(runTensor, hardware_unchecked, Accumulation::Hardware, false);
BENCHMARK_CAPTURE(runTensor, exact, Accumulation::Exact, true);

BENCHMARK_MAIN();
