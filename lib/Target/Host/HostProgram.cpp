//===- HostProgram.cpp - From the LLVM dialect to a program ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every target does with its host code, whatever its kernels run on.
//
//===----------------------------------------------------------------------===//

#include "HostProgram.h"
#include "HostMachine.h"
#include "SharedObject.h"

#include "../OptimizeLLVM.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nvfp4 {

void registerHostTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

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

FailureOr<Program> emitHostProgram(ModuleOp module,
                                   const EmitOptions &options) {
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

FailureOr<std::string> emitHostLLVM(ModuleOp module,
                                    const EmitOptions &options) {
  FailureOr<HostMachine> host = createHostMachine(module, options);
  if (failed(host))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translate(module, context, *host);
  if (!llvmModule)
    return failure();
  optimizeLLVM(*llvmModule, *host->machine);
  std::string text;
  llvm::raw_string_ostream(text) << *llvmModule;
  return text;
}

} // namespace nvfp4
