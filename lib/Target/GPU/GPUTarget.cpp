//===- GPUTarget.cpp - Packages that run on a chip ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One target per chip: kernels as PTX, and as machine code where ptxas is
// there, inside a shared object whose host code launches them.
//
//===----------------------------------------------------------------------===//

#include "../Host/HostProgram.h"

#include "nvfp4/Conversion/DeviceImages.h"
#include "nvfp4/Pipelines/Kernels.h"
#include "nvfp4/Pipelines/LowerGPU.h"
#include "nvfp4/Target/Chips.h"
#include "nvfp4/Target/Target.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace nvfp4 {

namespace {
/// A text form that is a constant of the lowered module.
struct ImageLevel {
  StringLiteral level, global, missing;
};
constexpr ImageLevel kImageLevels[] = {
    {"ptx", kPTXGlobalName, "the module launches no kernel"},
    {"cubin", kCubinGlobalName,
     "ptxas is not in PATH, or no kernel is launched"},
};

class GPUTarget final : public Target {
public:
  explicit GPUTarget(const ChipModel &chip)
      : chip(chip), description(("kernels for " + chip.name).str()) {}

  StringRef getName() const override { return chip.name; }
  StringRef getDeviceName() const override { return "cuda"; }
  StringRef getDescription() const override { return description; }

  void registerDialects(DialectRegistry &registry) const override {
    registerLowerGPUDialects(registry);
    registerHostTranslations(registry);
  }

  void addKernelsPasses(OpPassManager &pm) const override {
    KernelsOptions options;
    options.chip = chip.name.str();
    buildKernelsPipeline(pm, options);
  }
  void addLowerPasses(OpPassManager &pm) const override {
    LowerGPUOptions options;
    options.chip = chip.name.str();
    buildLowerGPUPipeline(pm, options);
  }

  FailureOr<Program> emit(ModuleOp module,
                          const EmitOptions &options) const override {
    return emitHostProgram(module, options);
  }

  std::vector<StringRef> getTextLevels() const override {
    return {"ptx", "cubin", "llvm"};
  }
  FailureOr<std::string> emitText(ModuleOp module, StringRef level,
                                  const EmitOptions &options) const override;

private:
  const ChipModel &chip;
  std::string description;
};
} // namespace

FailureOr<std::string> GPUTarget::emitText(ModuleOp module, StringRef level,
                                           const EmitOptions &options) const {
  if (level == "llvm")
    return emitHostLLVM(module, options);
  for (const ImageLevel &image : kImageLevels) {
    if (image.level != level)
      continue;
    auto global = module.lookupSymbol<LLVM::GlobalOp>(image.global);
    auto bytes = global ? dyn_cast_or_null<StringAttr>(global.getValueOrNull())
                        : nullptr;
    if (!bytes)
      return module.emitError(
                 "expected a device image to print, but got none: ")
             << image.missing;
    // Behind text there is a null byte.
    return bytes.getValue().drop_back(level == "ptx").str();
  }
  return Target::emitText(module, level, options);
}

std::unique_ptr<Target> createGPUTarget(StringRef chip) {
  const ChipModel *model = findChip(chip);
  return model ? std::make_unique<GPUTarget>(*model) : nullptr;
}

} // namespace nvfp4
