//===- BufferizableOpInterfaceImpl.h - Bufferization models ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace nvfp4 {

/// Makes the ops of the dialect that reach bufferization bufferizable: only
/// `nvfp4.record_error`; everything else is linalg by then.
void registerBufferizableOpInterfaceExternalModels(
    mlir::DialectRegistry &registry);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
