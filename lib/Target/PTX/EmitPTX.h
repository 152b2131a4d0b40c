//===- EmitPTX.h - From the LLVM dialect to device images -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_PTX_EMITPTX_H
#define NVFP4_LIB_TARGET_PTX_EMITPTX_H

#include "nvfp4/Target/Chips.h"

#include "mlir/IR/Operation.h"

#include <string>

namespace nvfp4 {

/// Compiles a device module in the LLVM dialect. Errors are reported at
/// `module`; what LLVM would abort on must be gone (`nvfp4-verify-chip`).
mlir::FailureOr<std::string> emitPTX(mlir::Operation *module,
                                     const ChipModel &chip);

/// The path of `ptxas`, or nothing when it is not in PATH.
std::optional<std::string> findPtxas();

/// Assembles PTX to the machine code of a chip.
mlir::FailureOr<std::string> assemblePTX(mlir::Operation *module,
                                         llvm::StringRef ptx,
                                         const ChipModel &chip,
                                         llvm::StringRef ptxas);

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_PTX_EMITPTX_H
