//===- CPUTarget.cpp - Packages that run on the host ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The target `cpu`: everything becomes native code of one shared object. The
// Kernels stage has nothing to choose.
//
//===----------------------------------------------------------------------===//

#include "../Host/HostProgram.h"

#include "nvfp4/Pipelines/LowerCPU.h"
#include "nvfp4/Target/Target.h"

#include "mlir/Pass/PassManager.h"

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
    registerHostTranslations(registry);
  }

  void addLowerPasses(OpPassManager &pm) const override {
    buildLowerCPUPipeline(pm, LowerCPUOptions());
  }

  FailureOr<Program> emit(ModuleOp module,
                          const EmitOptions &options) const override {
    return emitHostProgram(module, options);
  }

  std::vector<StringRef> getTextLevels() const override { return {"llvm"}; }
  FailureOr<std::string> emitText(ModuleOp module, StringRef level,
                                  const EmitOptions &options) const override {
    return level == "llvm" ? emitHostLLVM(module, options)
                           : Target::emitText(module, level, options);
  }
};
} // namespace

std::unique_ptr<Target> createCPUTarget() {
  return std::make_unique<CPUTarget>();
}

} // namespace nvfp4
