//===- BodyChecks.h - Checks on data leave loop bodies ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_NORMALIZE_BODYCHECKS_H
#define NVFP4_LIB_NORMALIZE_BODYCHECKS_H

#include "ExtentAnalysis.h"
#include "ExtentChecks.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace nvfp4 {

/// A condition that must hold for every iteration, and what to tell the user.
struct DataCheck {
  mlir::Value isFine;
  std::string message;
};

/// Makes one block total: reads clamp their index, divisions avoid 0, asserts
/// disappear, and each becomes a DataCheck.
class BlockGuard {
public:
  /// `bounds` takes the checks that depend on extents alone.
  BlockGuard(ExtentAnalysis &analysis, ExtentChecks &bounds)
      : analysis(analysis), bounds(bounds) {}

  /// Guards reads and divisions directly in `block`. `loops` is the linalg op
  /// that has it as its body, or null at function level.
  mlir::LogicalResult guard(mlir::Block &block, mlir::linalg::LinalgOp loops);

  /// True if `condition` follows from the indices that are checked by now.
  bool isImplied(mlir::Value condition);
  /// Adds an assert of the model as it is.
  void addAssert(mlir::cf::AssertOp op);

  llvm::SmallVector<DataCheck> takeChecks() { return std::move(checks); }

private:
  mlir::LogicalResult guardExtract(mlir::tensor::ExtractOp op,
                                   mlir::linalg::LinalgOp loops);
  mlir::LogicalResult guardDivision(mlir::Operation *op);
  mlir::Value getExtentValue(mlir::OpBuilder &builder, mlir::Value tensor,
                             int64_t dim);
  std::string describe(mlir::Value tensor);

  ExtentAnalysis &analysis;
  ExtentChecks &bounds;
  llvm::SmallVector<DataCheck> checks;
  /// Unknown index -> the symbol of an index in range.
  llvm::SmallVector<std::pair<SymbolId, ExtentExpr>> inRange;
};

/// Creates before `op` the reduction that looks for the first violated check
/// over the loops that the conditions depend on, and records it.
mlir::LogicalResult recordBodyChecks(ExtentAnalysis &analysis,
                                     mlir::linalg::GenericOp op,
                                     llvm::ArrayRef<DataCheck> checks);

/// The same at function level, before `anchor`: the conditions read tensors at
/// fixed positions.
mlir::LogicalResult recordFunctionChecks(mlir::Operation *anchor,
                                         llvm::ArrayRef<DataCheck> checks);

/// What a failing assert of the model tells the user: its own message and what
/// was compared, where that is known.
std::string describeAssert(ExtentAnalysis &analysis, mlir::cf::AssertOp op);

} // namespace nvfp4

#endif // NVFP4_LIB_NORMALIZE_BODYCHECKS_H
