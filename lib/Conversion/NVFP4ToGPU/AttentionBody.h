//===- AttentionBody.h - What kernels of attention share --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The body of a kernel of the schedule `attention`: its products, their loops,
// and where elements of the second one go.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONBODY_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONBODY_H

#include "Matmul/Arithmetic.h"
#include "Matmul/ResultMaps.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"

namespace nvfp4 {

/// The base of those who generate such kernels.
class AttentionBody {
protected:
  using Run = ElementEvaluator::Run;

  explicit AttentionBody(const KernelRequest &request)
      : body(request.body), attr(request.attr), kernel(request),
        evaluator(kernel), b(kernel.getBuilder()), a(b) {}

  /// Fills in what follows `a`. Reports a body without attention, and results
  /// that no kernel of attention stores.
  mlir::LogicalResult findAttentionOfBody();

  /// Loops of a product at a place along the first dimensions of its result;
  /// the other loops are 0.
  Run getLoops(mlir::linalg::LinalgOp product, mlir::ValueRange place);
  /// The index of an operand of `op` at `loops`.
  Run getIndex(mlir::linalg::LinalgOp op, mlir::OpOperand *operand,
               mlir::ValueRange loops);
  /// Computes from elements of `values`, neighbours from `at` on, what the body
  /// makes of them, and stores it to all results.
  mlir::LogicalResult storeResults(mlir::ValueRange at, const Run &elements);

  mlir::func::FuncOp body;
  KernelAttr attr;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  mlir::ImplicitLocOpBuilder &b;
  Arithmetic a;

  Attention attention;
  mlir::linalg::LinalgOp scores, values;
  /// Operands of `scores`.
  mlir::OpOperand *queries = nullptr, *keys = nullptr;
  AttentionExtents extents;
  ResultMaps maps;
  /// Loops along keys, and along a head.
  unsigned scoresKey, scoresDepth, valuesKey, valuesColumn;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONBODY_H
