//===- HostProgram.h - From the LLVM dialect to a program ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_HOST_HOSTPROGRAM_H
#define NVFP4_LIB_TARGET_HOST_HOSTPROGRAM_H

#include "nvfp4/Target/Target.h"

namespace nvfp4 {

/// Adds the translations that the functions below need.
void registerHostTranslations(mlir::DialectRegistry &registry);

/// Compiles and links a module of the LLVM dialect that exports
/// `nvfp4_program`.
mlir::FailureOr<Program> emitHostProgram(mlir::ModuleOp module,
                                         const EmitOptions &options);

/// The same module as optimized LLVM IR.
mlir::FailureOr<std::string> emitHostLLVM(mlir::ModuleOp module,
                                          const EmitOptions &options);

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_HOST_HOSTPROGRAM_H
