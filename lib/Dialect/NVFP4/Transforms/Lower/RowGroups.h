//===- RowGroups.h - Neighbouring ops over the same rows -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which linalg ops on buffers may share the loops over their leading
// dimensions: a row of one needs of the others nothing but the same row.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_ROWGROUPS_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_ROWGROUPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nvfp4 {

/// Ops in the order of the program. Between them are only ops that touch no
/// memory, so that all may move to the place of the last one.
struct RowGroup {
  llvm::SmallVector<mlir::linalg::LinalgOp> ops;
  /// How many leading iteration dimensions are shared; 0: the op has no
  /// parallel one besides its innermost, and is alone.
  unsigned numShared = 0;
};

/// The groups of a block, each as large as it gets.
llvm::SmallVector<RowGroup> findRowGroups(mlir::Block &block);

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_ROWGROUPS_H
