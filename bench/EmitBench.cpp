//===- EmitBench.cpp - How long a kernel takes from MLIR to a chip --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   nvfp4-emit-bench [kernels.mlir] [chip]
//
// Takes the functions of `module @kernels`, by default a few typical ones, and
// prints for each the least time of several runs from its MLIR to PTX, and to
// machine code if ptxas is in PATH: time of the processor, ptxas included, so
// that what else a machine does is not counted, nor is the start of this
// process. Exits with 1 if one takes longer than the limits below.
//
// A file for a whole model: `nvfp4-opt --nvfp4-lower-gpu=stop-at-dispatches`.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Pipelines/LowerGPU.h"
#include "nvfp4/Register.h"
#include "nvfp4/Target/Chips.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Program.h"

#include <cstdio>
#include <sys/resource.h>

using namespace mlir;
using namespace nvfp4;

static constexpr double kMaxPTX = 60, kMaxMachineCode = 300;
static constexpr int kRuns = 5;

static constexpr char kTypical[] = R"mlir(
module {
module @kernels {
  func.func @element(%x: tensor<?x384xf32>, %bias: tensor<384xf32>, %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<element, threads = 128>]} {
    %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x, %bias : tensor<?x384xf32>, tensor<384xf32>) outs(%init : tensor<?x384xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %sum = arith.addf %a, %b : f32
      %erf = math.erf %sum : f32
      %product = arith.mulf %erf, %sum : f32
      linalg.yield %product : f32
    } -> tensor<?x384xf32>
    return %y : tensor<?x384xf32>
  }
  func.func @row(%x: tensor<?x384xf32>, %init: tensor<?x384xf32>) -> tensor<?x384xf32>
      attributes {nvfp4.kernel = [#nvfp4.kernel<row, threads = 128>]} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %x, %c0 : tensor<?x384xf32>
    %empty = tensor.empty(%rows) : tensor<?xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
    %sums = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
        iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x384xf32>) outs(%zeros : tensor<?xf32>) {
    ^bb0(%a: f32, %out: f32):
      %e = math.exp %a : f32
      %sum = arith.addf %out, %e : f32
      linalg.yield %sum : f32
    } -> tensor<?xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%x, %sums : tensor<?x384xf32>, tensor<?xf32>) outs(%init : tensor<?x384xf32>) {
    ^bb0(%a: f32, %sum: f32, %out: f32):
      %e = math.exp %a : f32
      %share = arith.divf %e, %sum : f32
      linalg.yield %share : f32
    } -> tensor<?x384xf32>
    return %y : tensor<?x384xf32>
  }
}
}
)mlir";

/// Milliseconds of the processor that this process and its children had.
static double getTime() {
  double seconds = 0;
  for (int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage;
    getrusage(who, &usage);
    for (const timeval &time : {usage.ru_utime, usage.ru_stime})
      seconds += time.tv_sec + time.tv_usec * 1e-6;
  }
  return seconds * 1e3;
}

/// Milliseconds from a module with one kernel to its images; negative: failed.
static double measure(ModuleOp kernel, StringRef chip, bool assemble) {
  double best = -1;
  for (int run = 0; run < kRuns; ++run) {
    OwningOpRef<ModuleOp> module = kernel.clone();
    PassManager pm(module->getContext());
    LowerGPUOptions options;
    options.chip = chip.str();
    options.assemble = assemble;
    buildLowerDevicePipeline(pm, options);
    double start = getTime();
    if (failed(pm.run(*module)))
      return -1;
    double time = getTime() - start;
    if (best < 0 || time < best)
      best = time;
  }
  return best;
}

/// A module with nothing but one function of `module @kernels`.
static OwningOpRef<ModuleOp> isolate(func::FuncOp function) {
  OpBuilder builder(function.getContext());
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, function.getLoc());
  builder.setInsertionPointToEnd(module->getBody());
  auto kernels = ModuleOp::create(builder, function.getLoc(), "kernels");
  builder.setInsertionPointToEnd(kernels.getBody());
  builder.clone(*function);
  return module;
}

int main(int argc, char **argv) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerNVFP4Dialects(registry);
  registerLowerGPUDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module =
      argc > 1 ? parseSourceFile<ModuleOp>(argv[1], &context)
               : parseSourceString<ModuleOp>(kTypical, &context);
  StringRef chip = argc > 2 ? argv[2] : "sm_120a";
  auto kernels =
      module ? module->lookupSymbol<ModuleOp>("kernels") : ModuleOp();
  if (!kernels) {
    std::fprintf(stderr, "expected a file with 'module @kernels'\n");
    return 1;
  }
  bool hasPtxas = bool(llvm::sys::findProgramByName("ptxas"));
  bool isGood = true;
  std::printf("%-28s %10s %10s\n", "kernel", "PTX, ms", "cubin, ms");
  for (auto function : kernels.getOps<func::FuncOp>()) {
    OwningOpRef<ModuleOp> kernel = isolate(function);
    double ptx = measure(*kernel, chip, /*assemble=*/false);
    double cubin = hasPtxas ? measure(*kernel, chip, /*assemble=*/true) : 0;
    isGood &= ptx >= 0 && ptx <= kMaxPTX && cubin <= kMaxMachineCode;
    std::printf("%-28s %10.1f %10.1f\n", function.getName().str().c_str(), ptx,
                cubin);
  }
  return isGood ? 0 : 1;
}
