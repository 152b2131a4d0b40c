//===- CPUTarget.cpp - Packages that run on the host ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The target `cpu`: everything becomes native code of one shared object. The
// Kernels stage has nothing to choose.
//
//===----------------------------------------------------------------------===//

#include "HostMachine.h"
#include "SharedObject.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Pipelines/LowerCPU.h"
#include "nvfp4/Target/Target.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nvfp4 {

namespace {
class CPUTarget final : public Target {
public:
  StringRef getName() const override { return "cpu"; }
  StringRef getDeviceName() const override { return "cpu"; }
  StringRef getDescription() const override {
    return "native code for x86-64 and AArch64";
  }

  void registerDialects(DialectRegistry &registry) const override {
    registerLowerCPUDialects(registry);
    registerBuiltinDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
  }

  void addLowerPasses(OpPassManager &pm) const override {
    buildLowerCPUPipeline(pm, LowerCPUOptions());
  }

  FailureOr<Program> emit(ModuleOp module,
                          const EmitOptions &options) const override;

  std::vector<StringRef> getTextLevels() const override { return {"llvm"}; }
  FailureOr<std::string> emitText(ModuleOp module, StringRef level,
                                  const EmitOptions &options) const override;
};
} // namespace

/// Translates a module of the LLVM dialect for the machine.
static std::unique_ptr<llvm::Module> translate(ModuleOp module,
                                               llvm::LLVMContext &context,
                                               const HostMachine &host) {
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, "program");
  if (!llvmModule) {
    module.emitError("expected a module of the LLVM dialect");
    return nullptr;
  }
  llvmModule->setTargetTriple(host.machine->getTargetTriple());
  llvmModule->setDataLayout(host.machine->createDataLayout());
  return llvmModule;
}

/// The entries that the Lower stage has left, in the order of the program.
static std::vector<ProgramEntry> collectEntries(ModuleOp module) {
  std::vector<ProgramEntry> entries;
  for (auto func : module.getOps<LLVM::LLVMFuncOp>()) {
    auto interface = func->getAttrOfType<DictionaryAttr>(kEntryAttrName);
    if (!interface)
      continue;
    StringRef name = func.getName();
    name.consume_back(".body");
    entries.push_back({name.str(), interface,
                       func->getAttrOfType<ArrayAttr>(kChecksAttrName)});
  }
  return entries;
}

FailureOr<Program> CPUTarget::emit(ModuleOp module,
                                   const EmitOptions &options) const {
  FailureOr<HostMachine> host = createHostMachine(module, options);
  if (failed(host))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translate(module, context, *host);
  if (!llvmModule)
    return failure();
  FailureOr<SmallVector<char, 0>> object =
      compileToObject(module, *llvmModule, *host->machine);
  if (failed(object) || failed(checkImports(module, *object)))
    return failure();
  FailureOr<std::string> image =
      linkSharedObject(module, *object, options.linker);
  if (failed(image))
    return failure();

  Program program;
  program.entries = collectEntries(module);
  program.image = std::move(*image);
  program.triple = host->triple;
  program.cpu = host->cpu;
  program.features = host->features;
  return std::move(program);
}

FailureOr<std::string> CPUTarget::emitText(ModuleOp module, StringRef level,
                                           const EmitOptions &options) const {
  if (level != "llvm")
    return Target::emitText(module, level, options);
  FailureOr<HostMachine> host = createHostMachine(module, options);
  if (failed(host))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translate(module, context, *host);
  if (!llvmModule)
    return failure();
  optimize(*llvmModule, *host->machine);
  std::string text;
  llvm::raw_string_ostream(text) << *llvmModule;
  return text;
}

std::unique_ptr<Target> createCPUTarget() {
  return std::make_unique<CPUTarget>();
}

} // namespace nvfp4
