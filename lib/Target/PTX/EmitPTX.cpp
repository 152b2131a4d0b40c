//===- EmitPTX.cpp - LLVM's code generator for PTX ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Nothing is approximated or contracted: LLVM writes the rounded forms of every
// instruction (`mul.rn.f32`, `div.rn.f32`, `sqrt.rn.f32`), which ptxas keeps,
// so that elementwise values are those of the CPU.
//
// Source: LLVM, "User Guide for NVPTX Back-end".
//
//===----------------------------------------------------------------------===//

#include "EmitPTX.h"

#include "../OptimizeLLVM.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;

namespace nvfp4 {

static constexpr StringLiteral kTriple = "nvptx64-nvidia-cuda";

/// LLVM's registries are process-wide and their initialization is not
/// synchronised.
static void initializeNVPTX() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
}

static std::unique_ptr<llvm::TargetMachine>
createMachine(const ChipModel &chip) {
  initializeNVPTX();
  llvm::Triple triple(kTriple);
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  // Aggressive code generation numbers values twice more, for the same code.
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, chip.name, "+ptx" + std::to_string(chip.ptxVersion), options,
      llvm::Reloc::PIC_, /*CM=*/std::nullopt, llvm::CodeGenOptLevel::Default));
}

namespace {
/// Turns LLVM's errors into one at an op.
struct ErrorCollector final : llvm::DiagnosticHandler {
  explicit ErrorCollector(std::string &text) : text(text) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() != llvm::DS_Error)
      return true;
    llvm::raw_string_ostream os(text);
    llvm::DiagnosticPrinterRawOStream printer(os);
    info.print(printer);
    return true;
  }
  std::string &text;
};
} // namespace

/// What all lanes of a warp do together must not move into a branch that only
/// some take. LLVM marks barriers and shuffles itself, not the block-scaled
/// matrix instructions, and knows nothing of assembly.
static void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      auto *call = dyn_cast<llvm::CallBase>(&instruction);
      if (!call)
        continue;
      const llvm::Function *callee = call->getCalledFunction();
      if (call->isInlineAsm() ||
          (callee && callee->getName().starts_with("llvm.nvvm.mma")))
        call->setConvergent();
    }
}

FailureOr<std::string> emitPTX(Operation *module, const ChipModel &chip) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(chip);
  if (!machine)
    return emitError(module->getLoc(),
                     "expected an LLVM with a code generator for '")
           << kTriple << "'";
  llvm::LLVMContext context;
  std::string errors;
  context.setDiagnosticHandler(std::make_unique<ErrorCollector>(errors));
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, "device");
  if (!llvmModule)
    return emitError(module->getLoc(),
                     "expected a device module of the LLVM dialect");
  llvmModule->setTargetTriple(machine->getTargetTriple());
  llvmModule->setDataLayout(machine->createDataLayout());
  markConvergent(*llvmModule);
  optimizeLLVM(*llvmModule, *machine);

  SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, /*DwoOut=*/nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return emitError(module->getLoc(),
                     "expected a code generator that writes PTX");
  passes.run(*llvmModule);
  if (!errors.empty())
    return emitError(module->getLoc(), "expected PTX, but got: ") << errors;
  return text.str().str();
}

} // namespace nvfp4
