//===- DimensionNames.h - Extents in the entry's words ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expresses a dynamic extent as a product of named dimensions of the entry
// function, such as `batch*32`, for reports.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TRANSFORMS_POLICY_DIMENSIONNAMES_H
#define NVFP4_LIB_TRANSFORMS_POLICY_DIMENSIONNAMES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>
#include <string>

namespace nvfp4 {

/// A product of named dimensions and a constant.
struct SymbolicExtent {
  int64_t factor = 1;
  /// Sorted; a name appears as often as it is a factor.
  llvm::SmallVector<std::string, 2> names;

  /// `384`, `batch`, or `batch*32`.
  std::string str() const;
  static SymbolicExtent multiply(const SymbolicExtent &a,
                                 const SymbolicExtent &b);
};

/// The extent of dimension `dim` of `tensor`; nothing if it is no such product.
std::optional<SymbolicExtent> getSymbolicExtent(mlir::Value tensor,
                                                int64_t dim);

/// The product of the extents of some loops of a linalg op, from the operand
/// dimensions that they walk along.
std::optional<SymbolicExtent> getSymbolicExtent(mlir::linalg::LinalgOp op,
                                                llvm::ArrayRef<unsigned> loops);

} // namespace nvfp4

#endif // NVFP4_LIB_TRANSFORMS_POLICY_DIMENSIONNAMES_H
