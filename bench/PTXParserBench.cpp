//===- PTXParserBench.cpp - How fast PTX is parsed ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel of the shape that compilers write: one instruction per line, many
// registers, a label every few lines. The argument is the number of lines;
// 5,000 have 8 milliseconds.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Simulator/PTX/Syntax.h"

#include <benchmark/benchmark.h>

using namespace nvfp4;

static std::string makeKernel(int64_t lines) {
  std::string text = ".version 9.0\n.target sm_120a\n.address_size 64\n"
                     ".visible .entry kernel(.param .u64 kernel_param_0)\n{\n"
                     ".reg .pred %p<1000>;\n.reg .b32 %r<10000>;\n"
                     ".reg .b64 %rd<1000>;\n.reg .f32 %f<1000>;\n";
  for (int64_t i = 0; i < lines; ++i) {
    std::string number = std::to_string(i % 990);
    switch (i % 8) {
    case 0:
      text += "$L__BB0_" + std::to_string(i) + ":\n";
      break;
    case 1:
      text += "\tld.global.v4.u32 \t{%r" + number + ", %r1, %r2, %r3}, [%rd" +
              number + "+16];\n";
      break;
    case 2:
      text += "\tmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f" +
              number +
              ", %f1, %f2, %f3}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, "
              "{%f5, %f6, %f7, %f8};\n";
      break;
    case 3:
      text += "\tsetp.lt.s32 \t%p" + number + ", %r7, " + number + ";\n";
      break;
    case 4:
      text += "\t@%p" + number + " bra \t$L__BB0_" + std::to_string(i / 8 * 8) +
              ";\n";
      break;
    case 5:
      text += "\t.loc\t1 " + number + " 5\n";
      break;
    case 6:
      text += "\tadd.s32 \t%r" + number + ", %r8, %r9;\n";
      break;
    case 7:
      text += "\tfma.rn.f32 \t%f" + number + ", %f9, 0f3F800000, %f8;\n";
      break;
    }
  }
  return text + "\tret;\n}\n";
}

static void parse(benchmark::State &state) {
  std::string text = makeKernel(state.range(0));
  for (auto _ : state) {
    auto module = ptx::parseModule(text, "kernel.ptx");
    if (!module)
      state.SkipWithError(module.getMessage().c_str());
    benchmark::DoNotOptimize(module);
  }
  state.SetBytesProcessed(state.iterations() * int64_t(text.size()));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(parse)->Arg(1)->Arg(5000)->Arg(100000)->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
