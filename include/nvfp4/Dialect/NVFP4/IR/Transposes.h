//===- Transposes.h - Values that are transposes ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_IR_TRANSPOSES_H
#define NVFP4_DIALECT_NVFP4_IR_TRANSPOSES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nvfp4 {

/// The tensor whose last two dimensions `value` has in the other order, element
/// type and all else unchanged; null for any other value.
inline mlir::Value getTransposed(mlir::Value value) {
  auto op = value.getDefiningOp<mlir::linalg::LinalgOp>();
  if (!op || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0 || !op.hasPureTensorSemantics() ||
      op.getBlock()->getTerminator()->getOperand(0) !=
          op.getBlock()->getArgument(0))
    return {};
  mlir::AffineMap from = op.getMatchingIndexingMap(op.getDpsInputOperand(0)),
                  to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  llvm::SmallVector<mlir::AffineExpr> swapped(from.getResults());
  if (swapped.size() < 2 || !to.isPermutation())
    return {};
  std::swap(swapped.back(), swapped[swapped.size() - 2]);
  bool isTransposed = to.getResults() == llvm::ArrayRef(swapped);
  return isTransposed ? op.getDpsInputOperand(0)->get() : mlir::Value();
}

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_IR_TRANSPOSES_H
