//===- FloatMatmul.h - Contractions of bf16 and f16 -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which contractions of a body the matmul generator computes with a 16-bit
// unit, and the parts of their kernels.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_FLOATMATMUL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_FLOATMATMUL_H

#include "FloatOperandPath.h"
#include "MatmulKernel.h"

namespace nvfp4 {

/// A contraction D[batch …, m, n] = init + sum over k of A * B.
struct FloatProduct {
  /// A linalg op, if the sums start from something other than zeros.
  mlir::Operation *op;
  /// bf16 or f16.
  mlir::Type element;
  FloatOperand lhs, rhs;
  /// Whether the sums start from something other than zeros.
  bool hasInit = false;

  mlir::Value getResult() const { return op->getResult(0); }
  int64_t getBatchRank() const {
    return mlir::cast<mlir::ShapedType>(getResult().getType()).getRank() - 2;
  }
};

/// The product that `op` is. Reports what else was found.
mlir::FailureOr<FloatProduct> analyzeFloatProduct(mlir::linalg::LinalgOp op);

/// [batch …, row, K].
FloatOperand getRowsOfK(mlir::Value tensor);

/// The parts of a kernel for `product`.
mlir::FailureOr<MatmulParts> getFloatParts(FloatContext context,
                                           const FloatProduct &product,
                                           const MatmulConfig &config);

/// A kernel of 16-bit units whose result in the body is `result`, from the
/// parts that `getParts` gives it: of warps, or of warpgroups where `config`
/// has some that copy.
mlir::FailureOr<KernelVariant> composeFloatMatmul(
    const KernelRequest &request, const MatmulConfig &config,
    mlir::Value result,
    llvm::function_ref<mlir::FailureOr<MatmulParts>(FloatContext)> getParts);

/// The extent of a tensor value of the body over those of its arguments.
/// Reports an error where it is no affine expression.
mlir::FailureOr<mlir::AffineExpr>
getExtentExpr(KernelBuilder &kernel, mlir::Value tensor, unsigned dim);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_FLOATMATMUL_H
