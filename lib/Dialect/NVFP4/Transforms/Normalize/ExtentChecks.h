//===- ExtentChecks.h - Prove a relation of extents or check it -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_NORMALIZE_EXTENTCHECKS_H
#define NVFP4_LIB_NORMALIZE_EXTENTCHECKS_H

#include "ExtentAnalysis.h"

namespace nvfp4 {

/// Relations between extents that must hold at run time. What is not proved is
/// checked once, on the host, before anything else runs.
class ExtentChecks {
public:
  explicit ExtentChecks(ExtentAnalysis &analysis) : analysis(analysis) {}

  /// Requires `lhs predicate rhs` for `op`. `expectation` completes "expected
  /// …" for the user who passes wrong shapes. An error if it never holds, or
  /// if it cannot be checked from the dimensions of arguments.
  mlir::LogicalResult require(mlir::Operation *op,
                              mlir::arith::CmpIPredicate predicate,
                              const ExtentExpr &lhs, const ExtentExpr &rhs,
                              const llvm::Twine &expectation);

  unsigned getNumChecks() const { return numChecks; }

private:
  bool isImplied(const ExtentExpr &difference) const;

  ExtentAnalysis &analysis;
  /// Differences that are checked to be 0, and relations that are checked.
  llvm::SmallVector<ExtentExpr> zeros;
  std::map<std::tuple<mlir::arith::CmpIPredicate, ExtentExpr, ExtentExpr>, bool>
      checked;
  unsigned numChecks = 0;
};

} // namespace nvfp4

#endif // NVFP4_LIB_NORMALIZE_EXTENTCHECKS_H
