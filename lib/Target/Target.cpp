//===- Target.cpp - Defaults of targets, and the registry -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Target.h"
#include "nvfp4/Target/Chips.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace nvfp4 {

Target::~Target() = default;

void Target::addKernelsPasses(OpPassManager &pm) const {}

std::vector<StringRef> Target::getTextLevels() const { return {}; }

FailureOr<std::string> Target::emitText(ModuleOp module, StringRef level,
                                        const EmitOptions &options) const {
  std::vector<StringRef> levels = getTextLevels();
  if (levels.empty())
    return module.emitError("expected a target with a text form, but target '")
           << getName() << "' has none";
  return module.emitError("expected one of the text forms ")
         << llvm::join(levels, ", ") << " of target '" << getName()
         << "', but got '" << level << "'";
}

LogicalResult TargetRegistry::add(std::unique_ptr<Target> target) {
  for (const std::unique_ptr<Target> &known : targets)
    if (known->getName() == target->getName())
      return failure();
  targets.push_back(std::move(target));
  return success();
}

const Target *
TargetRegistry::lookup(StringRef name,
                       function_ref<InFlightDiagnostic()> emitError) const {
  for (const std::unique_ptr<Target> &target : targets)
    if (target->getName() == name)
      return target.get();

  InFlightDiagnostic diag = emitError();
  if (targets.empty()) {
    diag << "expected a known target, but got '" << name
         << "' and no target is registered";
    return nullptr;
  }
  // Mostly a chip without its suffix.
  if (name.starts_with("sm_") && !findChip(name)) {
    diag << describeUnknownChip(name);
    return nullptr;
  }
  diag << "expected one of the targets ";
  llvm::interleaveComma(targets, diag,
                        [&](const std::unique_ptr<Target> &target) {
                          diag << target->getName();
                        });
  diag << ", but got '" << name << "'";
  return nullptr;
}

void TargetRegistry::registerDialects(DialectRegistry &registry) const {
  for (const std::unique_ptr<Target> &target : targets)
    target->registerDialects(registry);
}

} // namespace nvfp4
