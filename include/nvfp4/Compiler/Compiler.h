//===- Compiler.h - From a model to a package -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages in order, for tools and for programs that embed the compiler.
// Every error is a diagnostic of the context.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_COMPILER_COMPILER_H
#define NVFP4_COMPILER_COMPILER_H

#include "nvfp4/Dialect/NVFP4/Transforms/PrecisionReport.h"
#include "nvfp4/Target/Package/WritePackage.h"
#include "nvfp4/Target/Target.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <optional>
#include <string>

namespace mlir {
class PassManager;
} // namespace mlir

namespace nvfp4 {

/// The stages, in order.
enum class Stage { Normalize, Policy, Quantize, Kernels, Lower };

/// `normalize`, `policy`, `quantize`, `kernels`, `lower`.
llvm::StringRef stringifyStage(Stage stage);
std::optional<Stage> symbolizeStage(llvm::StringRef name);

struct CompilerOptions {
  /// A preset or the path of a policy file.
  std::string policy = "inference";
  /// Every fallback in precision and every unnamed dynamic dimension is an
  /// error.
  bool strict = false;
  /// Computes in f64 what the model computes in f64.
  bool keepF64 = false;
  /// Verifies all IR after every pass, not only after every stage.
  bool verifyEach = false;
  /// What is written about the machine that runs the program.
  EmitOptions emit;
  /// The program that writes the package, with its version.
  std::string producer = "nvfp4";
  /// Sees every pass manager before it runs, for timing and IR printing.
  std::function<mlir::LogicalResult(mlir::PassManager &)> configure;
};

/// Compiles modules for one target. The target outlives the compiler.
class Compiler {
public:
  Compiler(const Target &target, CompilerOptions options)
      : target(target), options(std::move(options)) {}

  /// Adds to `registry` what parsing a model and running all stages needs.
  static void registerDialects(mlir::DialectRegistry &registry,
                               const TargetRegistry &targets);

  /// Runs the stages up to and including `last` on `module`. The report is
  /// there once Policy has run. Packing functions leave the module before
  /// Lower.
  mlir::LogicalResult runStages(mlir::ModuleOp module, Stage last);

  /// Runs all stages and returns the module as the target's text of `level`
  /// (`llvm`, …).
  mlir::FailureOr<std::string> compileToText(mlir::ModuleOp module,
                                             llvm::StringRef level);

  /// Runs all stages, packs the weights in `weightsPath` (a safetensors file,
  /// an index or a folder; empty if the module names none) and writes the
  /// package `packagePath`, which appears whole or not at all. `showProgress`
  /// draws a progress bar if stderr is a terminal.
  mlir::LogicalResult compileToPackage(mlir::ModuleOp module,
                                       const std::string &weightsPath,
                                       const std::string &packagePath,
                                       bool showProgress);

  /// Decisions and, after packing, errors of the weights.
  const PrecisionReport &getReport() const { return report; }

private:
  mlir::LogicalResult runStage(mlir::ModuleOp module, Stage stage);
  mlir::FailureOr<PackageJob> startPackage(mlir::ModuleOp module,
                                           std::vector<PackingPlan> plans,
                                           const WeightSource &source,
                                           const std::string &path,
                                           bool showProgress);
  mlir::LogicalResult describeProgram(mlir::ModuleOp module, Program program,
                                      PackageContents &contents) const;

  const Target &target;
  CompilerOptions options;
  PrecisionReport report;
};

} // namespace nvfp4

#endif // NVFP4_COMPILER_COMPILER_H
