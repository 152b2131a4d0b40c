//===- ExtentChecks.cpp - Prove a relation of extents or check it ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExtentChecks.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace nvfp4;

/// If a == b is checked, then 32 * a == 32 * b needs no check of its own. Few
/// equalities are checked in a model whose dimensions have names.
bool ExtentChecks::isImplied(const ExtentExpr &difference) const {
  return llvm::any_of(zeros, [&](const ExtentExpr &zero) {
    return divideExactly(difference, zero).has_value();
  });
}

LogicalResult ExtentChecks::require(Operation *op,
                                    arith::CmpIPredicate predicate,
                                    const ExtentExpr &lhs,
                                    const ExtentExpr &rhs,
                                    const Twine &expectation) {
  std::optional<bool> known = analysis.compare(predicate, lhs, rhs);
  if (known == true || !checked.try_emplace({predicate, lhs, rhs}).second)
    return success();
  if (known == false)
    return op->emitOpError("expected ") << expectation;
  std::optional<ExtentExpr> difference = subtract(lhs, rhs);
  if (predicate == arith::CmpIPredicate::eq && difference) {
    if (isImplied(*difference))
      return success();
    zeros.push_back(*difference);
  }
  if (!analysis.isShapeExpr(lhs) || !analysis.isShapeExpr(rhs))
    return op->emitOpError("expected ")
           << expectation
           << ", which cannot be checked before the run because it does not "
              "follow from the dimensions of the entry's arguments";
  Value left = analysis.materialize(lhs), right = analysis.materialize(rhs);
  OpBuilder builder = analysis.getBuilderAtStart();
  Value holds =
      arith::CmpIOp::create(builder, op->getLoc(), predicate, left, right);
  cf::AssertOp::create(builder, op->getLoc(), holds,
                       ("expected " + expectation).str());
  ++numChecks;
  return success();
}
