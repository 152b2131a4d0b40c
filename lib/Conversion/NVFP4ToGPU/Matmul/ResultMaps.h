//===- ResultMaps.h - Where elements of a product end up --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Follows a tensor through element-wise ops, permutations and views to the
// results of a body. Each element must end up in one place of each result; the
// place is an index map of the element's coordinates:
//
//   product[m, n] -> expand n by 64 -> transpose -> result[b, h, s, d]
//   (m, n)[s] -> (m floordiv s, n floordiv 64, m mod s, n mod 64)
//
// A quantization is an end, too: elements are followed to its source.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_RESULTMAPS_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_RESULTMAPS_H

#include "../QuantizeEmitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AffineExpr.h"

namespace nvfp4 {

/// A result of a body.
struct ResultMap {
  /// What is returned, and the argument that it is written to.
  mlir::Value value;
  mlir::BlockArgument init;
  /// Of the product's coordinates and of `ResultMaps::extents`.
  llvm::SmallVector<mlir::AffineExpr> index;
};

/// A quantization whose codes and scales, or what they stand for, are results.
struct QuantizationMap {
  QuantizeIntoOp op;
  QuantizeTargets targets;
  /// Of the source, as above.
  llvm::SmallVector<mlir::AffineExpr> index;
};

struct ResultMaps {
  llvm::SmallVector<ResultMap> results;
  llvm::SmallVector<QuantizationMap> quantizations;
  /// Symbols: dynamic extents of tensors of the body.
  llvm::SmallVector<std::pair<mlir::Value, unsigned>> extents;

  /// Reports the first op that does not keep the elements of `product` apart,
  /// and a result that does not hold them.
  static mlir::FailureOr<ResultMaps> get(mlir::func::FuncOp body,
                                         mlir::Value product);

  /// Whether `count` elements that are neighbours along the product's last
  /// dimension, from a multiple of `count`, are neighbours at `index`, or in
  /// all results.
  static bool keepsRuns(llvm::ArrayRef<mlir::AffineExpr> index, int64_t count);
  bool keepsRuns(int64_t count) const;

  /// `index` of the element at `coordinates` of the product.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emitIndex(ElementEvaluator &evaluator, llvm::ArrayRef<mlir::AffineExpr> index,
            mlir::ValueRange coordinates) const;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_RESULTMAPS_H
