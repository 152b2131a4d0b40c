//===- Compiler.cpp - From a model to a package ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Compiler/Compiler.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Pipelines/Normalize.h"
#include "nvfp4/Pipelines/Policy.h"
#include "nvfp4/Pipelines/Quantize.h"
#include "nvfp4/Register.h"
#include "nvfp4/Runtime/Safetensors.h"
#include "nvfp4/Target/Package/PackageModule.h"
#include "nvfp4/Target/Package/WritePackage.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace nvfp4 {

namespace {
struct StageName {
  Stage stage;
  StringLiteral name;
};
constexpr StageName kStages[] = {
    {Stage::Normalize, "normalize"}, {Stage::Policy, "policy"},
    {Stage::Quantize, "quantize"},   {Stage::Kernels, "kernels"},
    {Stage::Lower, "lower"},
};

} // namespace

StringRef stringifyStage(Stage stage) {
  return kStages[static_cast<int>(stage)].name;
}

std::optional<Stage> symbolizeStage(StringRef name) {
  for (const StageName &entry : kStages)
    if (entry.name == name)
      return entry.stage;
  return std::nullopt;
}

void Compiler::registerDialects(DialectRegistry &registry,
                                const TargetRegistry &targets) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerNVFP4Dialects(registry);
  targets.registerDialects(registry);
}

LogicalResult Compiler::runStage(ModuleOp module, Stage stage) {
  PassManager manager(module->getContext());
  // Checking all IR after every pass costs as much as half of the passes.
  manager.enableVerifier(options.verifyEach);
  if (options.configure && failed(options.configure(manager)))
    return failure();
  switch (stage) {
  case Stage::Normalize: {
    NormalizeOptions normalize;
    normalize.strict = options.strict;
    normalize.keepF64 = options.keepF64;
    buildNormalizePipeline(manager, normalize);
    break;
  }
  case Stage::Policy: {
    PolicyOptions policy;
    policy.policy = options.policy;
    policy.strict = options.strict;
    buildPolicyPipeline(manager, policy);
    break;
  }
  case Stage::Quantize:
    buildQuantizePipeline(manager);
    break;
  case Stage::Kernels:
    target.addKernelsPasses(manager);
    break;
  case Stage::Lower:
    target.addLowerPasses(manager);
    break;
  }
  if (failed(manager.run(module)) ||
      (!options.verifyEach && failed(verify(module))))
    return failure();
  if (stage == Stage::Policy)
    report = PrecisionReport::build(module);
  return success();
}

/// Erases packing functions and outlined constants: device and host code never
/// see a weight.
static void erasePacking(ModuleOp module) {
  for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (func->hasAttr(kPackAttrName))
      func.erase();
  module->removeAttr(kConstantsAttrName);
}

LogicalResult Compiler::runStages(ModuleOp module, Stage last) {
  for (const StageName &entry : kStages) {
    if (entry.stage > last)
      break;
    if (entry.stage == Stage::Lower)
      erasePacking(module);
    if (failed(runStage(module, entry.stage)))
      return failure();
  }
  return success();
}

FailureOr<std::string> Compiler::compileToText(ModuleOp module,
                                               StringRef level) {
  if (failed(runStages(module, Stage::Lower)))
    return failure();
  return target.emitText(module, level, options.emit);
}

/// The error of a module that needs weights where none were given.
static LogicalResult requireNoWeights(ModuleOp module,
                                      ArrayRef<PackingPlan> plans,
                                      const WeightSource &source) {
  for (const PackingPlan &plan : plans)
    for (const PackingSource &weight : plan.sources)
      if (!source.get(weight.name))
        return module.emitError("expected a weights file (--weights), because "
                                "the module reads '")
               << weight.name << "'";
  return success();
}

/// The error of a package that would have nothing to run.
static LogicalResult requireEntry(ModuleOp module) {
  for (auto func : module.getOps<func::FuncOp>())
    if (func.isPublic() && !func.isDeclaration())
      return success();
  return module.emitError("expected a public function with a body, which "
                          "becomes an entry of the package, but got none");
}

/// Starts to write the package of a lowered module, whose program is missing.
FailureOr<PackageJob> Compiler::startPackage(ModuleOp module,
                                             std::vector<PackingPlan> plans,
                                             const WeightSource &source,
                                             const std::string &path,
                                             bool showProgress) {
  FailureOr<std::vector<ManifestEntry>> entries = readEntries(module);
  if (failed(entries))
    return failure();
  PackageContents contents;
  contents.producer = options.producer;
  contents.entries = std::move(*entries);
  contents.plans = std::move(plans);
  contents.makeReport = [this](const std::vector<PackingStats> &stats) {
    for (const PackingStats &tensor : stats)
      if (tensor.isQuantized)
        for (const std::string &weight : tensor.sources)
          report.setQuantizationError(weight, tensor.sqnr);
    std::string text;
    llvm::raw_string_ostream(text) << report.toJSON();
    return text;
  };
  MLIRContext *context = module->getContext();
  WritePackageOptions writeOptions;
  writeOptions.showProgress = showProgress;
  writeOptions.note = [context](const std::string &note) {
    emitRemark(UnknownLoc::get(context)) << note;
  };
  Result<PackageJob> job =
      PackageJob::start(path, std::move(contents), source, writeOptions);
  if (!job)
    return emitError(UnknownLoc::get(context)) << job.getMessage();
  return std::move(*job);
}

/// Fills in what a package says of its program.
LogicalResult Compiler::describeProgram(ModuleOp module, Program program,
                                        PackageContents &contents) const {
  contents.target.name = target.getName().str();
  contents.target.device = target.getDeviceName().str();
  contents.target.triple = std::move(program.triple);
  contents.target.cpu = std::move(program.cpu);
  contents.target.features = std::move(program.features);
  contents.entries.clear();
  for (const ProgramEntry &entry : program.entries) {
    FailureOr<ManifestEntry> manifest =
        readEntry(module, entry.name, entry.interface, entry.checks);
    if (failed(manifest))
      return failure();
    contents.entries.push_back(std::move(*manifest));
  }
  contents.program = std::move(program.image);
  return success();
}

LogicalResult Compiler::compileToPackage(ModuleOp module,
                                         const std::string &weightsPath,
                                         const std::string &packagePath,
                                         bool showProgress) {
  if (failed(requireEntry(module)))
    return failure();
  // Bad weights are found before time is spent on code.
  std::optional<Checkpoint> checkpoint;
  std::unique_ptr<CheckpointSource> checkpointSource;
  if (!weightsPath.empty()) {
    Result<Checkpoint> opened = Checkpoint::open(weightsPath);
    if (!opened)
      return emitError(UnknownLoc::get(module->getContext()))
             << opened.getMessage();
    checkpoint = std::move(*opened);
    checkpointSource = std::make_unique<CheckpointSource>(*checkpoint);
  }

  if (failed(runStages(module, Stage::Kernels)))
    return failure();
  FailureOr<std::vector<PackingPlan>> plans = extractPlans(module);
  if (failed(plans))
    return failure();
  FailureOr<std::unique_ptr<WeightSource>> source =
      makeWeightSource(module, checkpointSource.get());
  if (failed(source))
    return failure();
  if (!checkpoint && failed(requireNoWeights(module, *plans, **source)))
    return failure();
  Packer packer(**source);
  for (const PackingPlan &plan : *plans)
    if (Status status = packer.check(plan); !status)
      return emitError(UnknownLoc::get(module->getContext()))
             << status.getMessage();

  erasePacking(module);
  if (failed(runStage(module, Stage::Lower)))
    return failure();
  // Weights are packed on other cores while LLVM generates code.
  FailureOr<PackageJob> job = startPackage(module, std::move(*plans), **source,
                                           packagePath, showProgress);
  if (failed(job))
    return failure();
  FailureOr<Program> program = target.emit(module, options.emit);
  if (failed(program))
    return failure();
  if (failed(describeProgram(module, std::move(*program), job->getContents())))
    return failure();
  Result<std::vector<PackingStats>> written = job->finish();
  if (!written)
    return emitError(UnknownLoc::get(module->getContext()))
           << written.getMessage();
  return success();
}

} // namespace nvfp4
