//===- MatchContraction.h - Which linalg ops are products ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_MATCHCONTRACTION_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_MATCHCONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nvfp4 {

/// The dimensions of a contraction by the operands that they occur in. There
/// are dimensions `n` and `k`.
struct Contraction {
  mlir::Value lhs, rhs, out;
  mlir::AffineMap lhsMap, rhsMap, outMap;
  llvm::SmallVector<unsigned> batch, m, n, k;
};

/// Recognises a contraction on buffers of f32, f16 or bf16 whose maps are
/// projected permutations.
mlir::FailureOr<Contraction> matchContraction(mlir::linalg::LinalgOp op);

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_LOWER_MATCHCONTRACTION_H
