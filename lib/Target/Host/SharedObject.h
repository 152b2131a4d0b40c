//===- SharedObject.h - From LLVM IR to program.so -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_HOST_SHAREDOBJECT_H
#define NVFP4_LIB_TARGET_HOST_SHAREDOBJECT_H

#include "nvfp4/Target/Target.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace nvfp4 {

/// Optimizes and compiles a module to an ELF object in memory.
mlir::FailureOr<llvm::SmallVector<char, 0>>
compileToObject(mlir::ModuleOp module, llvm::Module &llvmModule,
                llvm::TargetMachine &machine);

/// Fails, and names the symbols, if an object needs anything from outside but
/// `memcpy`, `memset` and `memmove`.
mlir::LogicalResult checkImports(mlir::ModuleOp module,
                                 llvm::ArrayRef<char> object);

/// Links an object to a shared object; `linker` as in `EmitOptions`.
mlir::FailureOr<std::string> linkSharedObject(mlir::ModuleOp module,
                                              llvm::ArrayRef<char> object,
                                              llvm::StringRef linker);

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_HOST_SHAREDOBJECT_H
