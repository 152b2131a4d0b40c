//===- Utils.h - What the ops of both levels share --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_UTILS_H
#define NVFP4_DIALECT_NVFP4_IR_UTILS_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

namespace nvfp4 {

/// The last dimension of a block-scaled tensor is a multiple of this: a format
/// whose blocks are longer may leave the last one half-filled.
constexpr int64_t kColumnMultiple = 16;

/// The constraints that `matmul` and `scaled_matmul` share: same K, batch
/// dimensions of `rhs` absent or equal, result [.., M, N].
llvm::LogicalResult verifyMatmulShapes(mlir::Operation *op,
                                       llvm::ArrayRef<int64_t> lhs,
                                       llvm::ArrayRef<int64_t> rhs,
                                       llvm::ArrayRef<int64_t> result);

/// `signs` fits in 16 bits.
llvm::LogicalResult verifySignMask(mlir::Operation *op, int64_t signs);

/// One extent of a tensor, memref or block-scaled tensor.
mlir::OpFoldResult getMixedExtent(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::Value value, int64_t dim);
/// All extents.
llvm::SmallVector<mlir::OpFoldResult> getMixedExtents(mlir::OpBuilder &builder,
                                                      mlir::Location loc,
                                                      mlir::Value value);

/// The extents of the components of a tensor of type `type` whose own extents
/// are `extents`: codes, scales and, if there is one, the global scale.
mlir::ReifiedRankedShapedTypeDims
getComponentExtents(mlir::OpBuilder &builder, mlir::Location loc,
                    BlockTensorType type,
                    llvm::ArrayRef<mlir::OpFoldResult> extents);

/// `<0xD7E8>`: the sign mask of a Hadamard transform.
mlir::ParseResult parseSignMask(mlir::OpAsmParser &parser,
                                mlir::IntegerAttr &signs);
void printSignMask(mlir::OpAsmPrinter &printer, mlir::Operation *op,
                   mlir::IntegerAttr signs);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_IR_UTILS_H
