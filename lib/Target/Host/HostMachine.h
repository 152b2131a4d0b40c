//===- HostMachine.h - Which CPU host code is made for ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_HOST_HOSTMACHINE_H
#define NVFP4_LIB_TARGET_HOST_HOSTMACHINE_H

#include "nvfp4/Target/Target.h"

#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace nvfp4 {

/// A resolved `EmitOptions`.
struct HostMachine {
  std::unique_ptr<llvm::TargetMachine> machine;
  std::string triple;
  std::string cpu;
  /// Instruction set extensions, see `Program::features`.
  std::vector<std::string> features;
};

/// Resolves triple and CPU. Reports an error at `module` for a triple without a
/// code generator in this LLVM and for a CPU that LLVM does not know.
mlir::FailureOr<HostMachine> createHostMachine(mlir::ModuleOp module,
                                               const EmitOptions &options);

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_HOST_HOSTMACHINE_H
