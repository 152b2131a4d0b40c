//===- Attention.h - Two products with rows in between ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention as it is in IR: scores = Q * K^T, anything that works on rows of
// scores (scaling, masks, softmax), and the result times V.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_ATTENTION_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_ATTENTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <string>

namespace nvfp4 {

/// The ops of one attention. `scores` is [.., M, N] from Q [.., M, D] and K
/// [.., N, D], `values` [.., M, E] from rows of N and V [.., N, E].
struct Attention {
  mlir::linalg::LinalgOp scores, values;
  /// All ops that depend on the scores, in program order: `scores` is the
  /// first, `values` the last.
  llvm::SmallVector<mlir::Operation *> ops;
};

/// Finds the attention that ends with the product `values`. Returns why there
/// is none: a clause without a period; `attention.scores` is null then if its
/// form is another one altogether. Otherwise
///
///   * nothing but `values` and the ops between reads any of them,
///   * the ops between are reshapes, element-wise ops, and reductions of rows
///     of N by an op with a neutral element; none moves scores to another row
///     or place of a row, and the result has its rows in the same order,
///   * Q, K and rows are contiguous along D and N, V and the result along E,
///   * D and E are static, and products sum in f32.
std::optional<std::string> findAttention(mlir::Operation *values,
                                         Attention &attention);

/// M, which may be dynamic, D and E.
struct AttentionExtents {
  int64_t rows, depth, columns;
};
AttentionExtents getExtents(const Attention &attention);

/// The operand of a product of queries and keys that holds the queries: what
/// does not vary along the columns of the result.
mlir::OpOperand *getQueries(mlir::linalg::LinalgOp scores);

/// Softmax of rows: the weights that multiply the values are
/// exp(logits - max) / sum(exp(logits - max)), rounded to the values' type.
struct Softmax {
  /// f32, as many rows as the scores, in their order.
  mlir::Value logits;
  /// If a logit is -infinity where a key comes too late for its row, the i1
  /// tensor that says so, and the value that it has there: where
  /// key > row + distance. Null: nothing is known.
  mlir::Value mask;
  bool isMaskedIf = true;
  int64_t distance = 0;
};

/// Finds the softmax of an attention whose rows are those of a head: the last
/// dimension but one of the scores, which no key depends on, is that of the
/// result. Returns why there is none: a clause without a period.
std::optional<std::string> findSoftmax(const Attention &attention,
                                       Softmax &softmax);

/// Whether the kernel that is chosen for a product computes all of an
/// attention, of which the product is the end.
bool isAttention(mlir::Operation *op);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_ATTENTION_H
