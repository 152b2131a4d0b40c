//===- nvfp4-compile.cpp - Model and weights to package -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Compiler/Compiler.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace nvfp4;

namespace {

namespace cl = llvm::cl;

constexpr StringLiteral kProducer = "nvfp4-compile " NVFP4_VERSION_STRING;

struct Options {
  cl::OptionCategory category{"nvfp4-compile options"};
  cl::opt<std::string> input{cl::Positional, cl::desc("<model.mlir>"),
                             cl::Required, cl::cat(category)};
  cl::opt<std::string> output{
      "o", cl::desc("The package, or the text file of --emit (default: -)"),
      cl::value_desc("path"), cl::cat(category)};
  cl::opt<std::string> weights{
      "weights",
      cl::desc("A safetensors file, an index of shards, or a folder of them"),
      cl::value_desc("path"), cl::cat(category)};
  cl::opt<std::string> policy{
      "policy",
      cl::desc("none, inference, weight-only, mlp-only, nvidia-pretraining, or "
               "a rules file"),
      cl::value_desc("name or path"), cl::init("inference"), cl::cat(category)};
  cl::opt<std::string> target{"target", cl::desc("What to compile for"),
                              cl::value_desc("name"), cl::init("cpu"),
                              cl::cat(category)};
  cl::opt<std::string> emit{
      "emit", cl::desc("package (default), mlir, or a text of the target"),
      cl::value_desc("level"), cl::init("package"), cl::cat(category)};
  cl::opt<std::string> stopAfter{
      "stop-after",
      cl::desc("normalize, policy, quantize, kernels or lower (with "
               "--emit=mlir; default: lower)"),
      cl::value_desc("stage"), cl::cat(category)};
  cl::opt<bool> strict{
      "strict",
      cl::desc("Make every fallback and every unnamed dimension an error"),
      cl::cat(category)};
  cl::opt<bool> explain{
      "explain", cl::desc("Print a remark for every decision, and its reason"),
      cl::cat(category)};
  cl::opt<std::string> report{"report",
                              cl::desc("Write the precision report as JSON"),
                              cl::value_desc("path"), cl::cat(category)};
  cl::opt<bool> quiet{"quiet", cl::desc("Print no report and no progress bar"),
                      cl::cat(category)};
  cl::opt<bool> keepF64{
      "keep-f64", cl::desc("Compute in f64 what the model computes in f64"),
      cl::cat(category)};
  cl::opt<bool> verifyEach{
      "verify-each",
      cl::desc("Verify all IR after every pass, not only after every stage"),
      cl::cat(category)};
  cl::opt<std::string> cpu{
      "cpu",
      cl::desc("Instruction set of the host code: a name that LLVM knows, or "
               "native (default: x86-64-v3)"),
      cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> triple{"triple",
                              cl::desc("Target triple of the host code"),
                              cl::value_desc("triple"), cl::cat(category)};
  cl::opt<std::string> linker{
      "linker", cl::desc("The ELF linker (default: ld.lld in PATH)"),
      cl::value_desc("path"), cl::cat(category)};
};

/// Prints `message` as the tools of LLVM do.
int fail(const Twine &message) {
  llvm::errs() << "nvfp4-compile: error: " << message << "\n";
  return 1;
}

/// Writes a text file; it appears whole or not at all.
int writeText(StringRef path, function_ref<void(llvm::raw_ostream &)> write) {
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(path, &error);
  if (!file)
    return fail(error);
  write(file->os());
  file->os().flush();
  if (file->os().has_error()) {
    std::string message = file->os().error().message();
    file->os().clear_error();
    return fail("cannot write '" + path + "': " + message);
  }
  file->keep();
  return 0;
}

LogicalResult enableExplanations(MLIRContext &context) {
  remark::RemarkCategories categories;
  categories.passed = categories.missed = "nvfp4.*";
  categories.analysis = categories.failed = "nvfp4.*";
  return remark::enableOptimizationRemarks(
      context, nullptr, std::make_unique<remark::RemarkEmittingPolicyAll>(),
      categories, /*printAsEmitRemarks=*/true);
}

/// Options that contradict each other; 0 if none do.
int checkOptions(const Options &options) {
  bool isPackage = options.emit == "package";
  if (isPackage && options.output.empty())
    return fail("expected -o with the path of the package");
  if (isPackage && !options.stopAfter.empty())
    return fail("expected --emit=mlir with --stop-after");
  if (!options.stopAfter.empty() && options.emit != "mlir")
    return fail("expected --emit=mlir with --stop-after, but got --emit=" +
                options.emit);
  if (!options.stopAfter.empty() && !symbolizeStage(options.stopAfter))
    return fail("expected normalize, policy, quantize, kernels or lower in "
                "--stop-after, but got '" +
                options.stopAfter + "'");
  return 0;
}

int compile(const Options &options, MLIRContext &context,
            const TargetRegistry &targets, llvm::SourceMgr &sourceMgr) {
  const Target *target = targets.lookup(
      options.target, [&] { return emitError(UnknownLoc::get(&context)); });
  if (!target)
    return 1;
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sourceMgr, ParserConfig(&context));
  if (!module)
    return 1;

  DefaultTimingManager timing;
  applyDefaultTimingManagerCLOptions(timing);
  TimingScope scope = timing.getRootScope();

  CompilerOptions compilerOptions;
  compilerOptions.policy = options.policy;
  compilerOptions.strict = options.strict;
  compilerOptions.keepF64 = options.keepF64;
  compilerOptions.verifyEach = options.verifyEach;
  compilerOptions.emit = {options.cpu, options.triple, options.linker};
  compilerOptions.producer = kProducer.str();
  compilerOptions.configure = [&](PassManager &manager) {
    manager.enableTiming(scope);
    return applyPassManagerCLOptions(manager);
  };
  Compiler compiler(*target, std::move(compilerOptions));

  std::string output =
      options.output.empty() ? std::string("-") : options.output.getValue();
  bool isPackage = options.emit == "package";
  if (isPackage) {
    if (failed(compiler.compileToPackage(*module, options.weights, output,
                                         !options.quiet)))
      return 1;
  } else if (options.emit == "mlir") {
    Stage last = options.stopAfter.empty() ? Stage::Lower
                                           : *symbolizeStage(options.stopAfter);
    if (failed(compiler.runStages(*module, last)))
      return 1;
    if (int status = writeText(
            output, [&](llvm::raw_ostream &os) { module->print(os); }))
      return status;
  } else {
    FailureOr<std::string> text = compiler.compileToText(*module, options.emit);
    if (failed(text))
      return 1;
    if (int status =
            writeText(output, [&](llvm::raw_ostream &os) { os << *text; }))
      return status;
  }

  if (!options.report.empty())
    if (int status = writeText(options.report, [&](llvm::raw_ostream &os) {
          os << llvm::formatv("{0:2}", compiler.getReport().toJSON()) << "\n";
        }))
      return status;
  // The table goes where the package does not: standard output is free.
  if (isPackage && !options.quiet && !compiler.getReport().entries.empty())
    compiler.getReport().print(llvm::outs());
  else if (unsigned fallbacks = compiler.getReport().getNumFallbacks())
    llvm::errs() << "nvfp4-compile: note: " << fallbacks
                 << " contractions fell back to another precision; see "
                    "--report or --explain\n";
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // LLVM's code generator registers options for its own debugging, some under
  // names that mean a stage of ours.
  for (StringRef name : {"stop-after"})
    if (cl::Option *option = cl::getRegisteredOptions().lookup(name))
      option->removeArgument();
  Options options;
  registerMLIRContextCLOptions();
  registerPassManagerCLOptions();
  registerDefaultTimingManagerCLOptions();
  cl::HideUnrelatedOptions(options.category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Compiles a model (linalg on tensors) and its weights to a package\n");
  if (int status = checkOptions(options))
    return status;

  TargetRegistry targets;
  registerBuiltinTargets(targets);
  DialectRegistry registry;
  Compiler::registerDialects(registry, targets);
  MLIRContext context(registry);
  // An error names its place; a whole module behind it would hide it.
  context.printOpOnDiagnostic(false);

  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> buffer =
      openInputFile(options.input, &error);
  if (!buffer)
    return fail(error);
  llvm::SourceMgr sourceMgr;
  sourceMgr.AddNewSourceBuffer(std::move(buffer), SMLoc());
  SourceMgrDiagnosticHandler handler(sourceMgr, &context);
  if (options.explain && failed(enableExplanations(context)))
    return 1;
  return compile(options, context, targets, sourceMgr);
}
