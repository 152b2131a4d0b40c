//===- GemmDims.h - Rows, columns and batch of a contraction ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_GEMMDIMS_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_GEMMDIMS_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"

namespace nvfp4 {

/// The dimensions of a contraction as those of a batch of products. Each of
/// rows, columns and depth is a list of neighbours, outermost first, that are
/// one dimension in memory: its stride is that of the last, its extent the
/// product. An empty list is an extent of 1.
struct GemmDims {
  llvm::SmallVector<unsigned> rows, columns, depth, batch;
};

/// Fails if the contracted dimensions are not one dimension in memory, or if a
/// batch has more dimensions than the runtime takes. `maps` and `types` are
/// those of lhs, rhs and result.
mlir::FailureOr<GemmDims> getGemmDims(llvm::ArrayRef<mlir::AffineMap> maps,
                                      llvm::ArrayRef<mlir::MemRefType> types);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_GEMMDIMS_H
