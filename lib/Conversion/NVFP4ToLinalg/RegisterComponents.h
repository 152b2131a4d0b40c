//===- RegisterComponents.h - To and from the order of registers -*- C++ -*-==//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_CONVERSION_NVFP4TOLINALG_REGISTERCOMPONENTS_H
#define LIB_CONVERSION_NVFP4TOLINALG_REGISTERCOMPONENTS_H

#include "BlockViews.h"

namespace nvfp4 {

/// Linear codes and scales of components in the registers layout of `type`.
/// Of a scale that is stored several times the first is taken.
std::pair<mlir::Value, mlir::Value>
createLinearFromRegisters(mlir::OpBuilder &builder, mlir::Location loc,
                          BlockTensorType type,
                          llvm::ArrayRef<mlir::OpFoldResult> extents,
                          mlir::Value codes, mlir::Value scales);

/// The inverse; padding becomes zero.
std::pair<mlir::Value, mlir::Value>
createRegistersFromLinear(mlir::OpBuilder &builder, mlir::Location loc,
                          BlockTensorType type,
                          llvm::ArrayRef<mlir::OpFoldResult> extents,
                          mlir::Value codes, mlir::Value scales);

} // namespace nvfp4

#endif // LIB_CONVERSION_NVFP4TOLINALG_REGISTERCOMPONENTS_H
