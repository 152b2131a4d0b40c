//===- Register.h - Everything of this project, for a tool ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_REGISTER_H
#define NVFP4_REGISTER_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace nvfp4 {

/// Adds the nvfp4 dialect and its interface models.
void registerNVFP4Dialects(mlir::DialectRegistry &registry);

/// Registers all passes and pipelines of the project by their flags.
void registerNVFP4Passes();

} // namespace nvfp4

#endif // NVFP4_REGISTER_H
