//===- Target.h - What a package may be compiled for -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seam between the stages, which know no target, and the targets, which
// do not know each other. A target says which passes its Kernels and Lower
// stages consist of and turns the lowered module into the bytes of program.so.
// Adding one means: a subclass, and one line in `registerBuiltinTargets`, or
// one call of `TargetRegistry::add` in a tool of one's own.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_TARGET_H
#define NVFP4_TARGET_TARGET_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/LLVM.h"

#include <memory>
#include <string>
#include <vector>

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace nvfp4 {

/// What a user may say about the machine that will run the program. An empty
/// string always means: the target's default.
struct EmitOptions {
  /// Instruction set of the host code: a CPU name that LLVM knows, or
  /// `native` for the machine that compiles.
  std::string cpu;
  /// LLVM target triple of the host code; default: the machine that compiles.
  std::string triple;
  /// Path of the ELF linker (`ld.lld`); default: searched in PATH.
  std::string linker;
};

/// An entry of a program, as the manifest describes it.
struct ProgramEntry {
  std::string name;
  /// `nvfp4.entry`: dimensions, arguments and results, in the program's order.
  mlir::DictionaryAttr interface;
  /// `nvfp4.checks`: strings; the error word n > 0 means check n-1.
  mlir::ArrayAttr checks;
};

/// A finished program and what a machine needs in order to load it.
struct Program {
  /// In the order of `nvfp4_program.entries`.
  std::vector<ProgramEntry> entries;
  /// The bytes of program.so.
  std::string image;
  /// Target triple of the host code.
  std::string triple;
  /// CPU name, resolved: never empty, never `native`.
  std::string cpu;
  /// Instruction set extensions that the host code may use, in LLVM's
  /// spelling, sorted (`avx2`, `fma`, …). A reader must find each of them in
  /// the machine before it loads the program.
  std::vector<std::string> features;
};

/// One thing that a package can be compiled for.
///
/// A target is immutable and has no state that depends on a module, so one
/// object serves any number of compilations at once.
class Target {
public:
  virtual ~Target();

  /// The name on the command line and in the manifest, e.g. `cpu`, `sm_120a`.
  virtual llvm::StringRef getName() const = 0;
  /// The runtime device that executes its programs, e.g. `cpu`, `cuda`.
  virtual llvm::StringRef getDeviceName() const = 0;
  /// One line for `--help` and for the error that lists known targets.
  virtual llvm::StringRef getDescription() const = 0;

  /// Adds what its passes and `emit` need beyond what the passes declare:
  /// dialects, interface models, translations. Called before the context is
  /// made.
  virtual void registerDialects(mlir::DialectRegistry &registry) const = 0;

  /// Adds the passes of the Kernels stage, which decide and only write
  /// attributes. Default: none.
  virtual void addKernelsPasses(mlir::OpPassManager &pm) const;
  /// Adds the passes of the Lower stage: from tensor-level IR of the dialect
  /// and upstream dialects to the module that `emit` takes.
  virtual void addLowerPasses(mlir::OpPassManager &pm) const = 0;

  /// Turns a lowered module into a program. Reports an error at the module, or
  /// at the op that cannot be emitted, and fails; never aborts.
  virtual mlir::FailureOr<Program> emit(mlir::ModuleOp module,
                                        const EmitOptions &options) const = 0;

  /// The names of the text forms of a lowered module that `emitText` knows,
  /// e.g. `llvm`, `ptx`. Default: none.
  virtual std::vector<llvm::StringRef> getTextLevels() const;
  /// Writes a lowered module as text of one of `getTextLevels()`. Reports an
  /// error for any other level.
  virtual mlir::FailureOr<std::string>
  emitText(mlir::ModuleOp module, llvm::StringRef level,
           const EmitOptions &options) const;
};

/// The targets that a tool offers. An object, not a global: two compilers in
/// one process may offer different targets.
class TargetRegistry {
public:
  /// Adds a target. Fails, and adds nothing, when the name is taken.
  mlir::LogicalResult add(std::unique_ptr<Target> target);

  /// The target of that name. Otherwise reports through `emitError` an error
  /// that lists the known names, and returns null.
  const Target *
  lookup(llvm::StringRef name,
         llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;

  /// All targets, in the order in which they were added.
  llvm::ArrayRef<std::unique_ptr<Target>> getTargets() const { return targets; }

  /// Calls `Target::registerDialects` of every target.
  void registerDialects(mlir::DialectRegistry &registry) const;

private:
  std::vector<std::unique_ptr<Target>> targets;
};

/// Adds the targets of this project (library NVFP4AllTargets).
void registerBuiltinTargets(TargetRegistry &registry);

/// The target `cpu` (library NVFP4TargetCPU).
std::unique_ptr<Target> createCPUTarget();

/// The target of a chip (library NVFP4TargetGPU); null for an unknown name.
std::unique_ptr<Target> createGPUTarget(llvm::StringRef chip);

} // namespace nvfp4

#endif // NVFP4_TARGET_TARGET_H
