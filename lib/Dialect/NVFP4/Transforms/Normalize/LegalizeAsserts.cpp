//===- LegalizeAsserts.cpp - No code path aborts --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// torch-mlir checks indices with cf.assert in linalg bodies. There it blocks
// CSE and fusion, keeps loops on the host, and ends the process. Checks on
// shapes go to the start of the function, where the host runs them; checks on
// data become a reduction of their own, whose result `nvfp4.record_error`
// keeps, while the body goes on with an index in range.
//
// Expects: unified dimensions.
// Leaves:  cf.assert only at function level, on dimensions; every
// tensor.extract
//          has indices in range and every integer division a quotient.
//
//===----------------------------------------------------------------------===//

#include "BodyChecks.h"
#include "EntryAttributes.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_LEGALIZEASSERTSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

namespace {
/// The asserts, reads and divisions of one function.
class AssertLegalizer {
public:
  explicit AssertLegalizer(ExtentAnalysis &analysis)
      : analysis(analysis), bounds(analysis) {}

  LogicalResult run();

  unsigned numProved = 0, numHoisted = 0, numRecorded = 0;

private:
  LogicalResult verifyPlaces();
  LogicalResult legalizeBody(linalg::GenericOp op);
  LogicalResult legalizeFunctionLevel();
  /// Asserts `isFine` at the start of the function, where `slice` computes it.
  void hoist(ArrayRef<Operation *> slice, Value isFine, const Twine &message);
  /// The ops that compute `value` from dimensions of arguments, in order;
  /// nothing if anything else is involved.
  std::optional<SmallVector<Operation *>> getShapeSlice(Value value);

  ExtentAnalysis &analysis;
  ExtentChecks bounds;
};
} // namespace

/// What is neither at function level nor directly in the body of a
/// linalg.generic has no loops that a reduction could repeat.
LogicalResult AssertLegalizer::verifyPlaces() {
  Operation *func = analysis.getFunction();
  WalkResult result = analysis.getFunction().walk([&](Operation *op) {
    Operation *parent = op->getParentOp();
    if (parent == func || isa_and_nonnull<linalg::GenericOp>(parent))
      return WalkResult::advance();
    bool isUnsafe = isa<cf::AssertOp>(op);
    if (auto extract = dyn_cast<tensor::ExtractOp>(op))
      for (auto [dim, index] : llvm::enumerate(extract.getIndices())) {
        ExtentExpr expr = analysis.getExpr(index);
        isUnsafe |= !analysis.isNonNegative(expr) ||
                    !analysis.isLess(
                        expr, analysis.getExtent(extract.getTensor(), dim));
      }
    if (!isUnsafe)
      return WalkResult::advance();
    op->emitOpError("expected checks on data at function level or directly in "
                    "a linalg.generic, but got one in '")
        << parent->getName() << "'";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult AssertLegalizer::legalizeBody(linalg::GenericOp op) {
  BlockGuard guard(analysis, bounds);
  if (failed(guard.guard(*op.getBody(), op)))
    return failure();
  for (auto assertOp :
       llvm::make_early_inc_range(op.getBody()->getOps<cf::AssertOp>())) {
    if (analysis.getBool(assertOp.getArg()) == true)
      ++numProved;
    else if (!guard.isImplied(assertOp.getArg()))
      guard.addAssert(assertOp);
    assertOp.erase();
  }
  SmallVector<DataCheck> checks = guard.takeChecks();
  if (checks.empty())
    return success();
  numRecorded += checks.size();
  for (const DataCheck &check : checks)
    remark::passed(
        op.getLoc(),
        remark::RemarkOpts::name("LegalizeAsserts").category("nvfp4"))
        << "checked at run time without aborting: " << check.message;
  return recordBodyChecks(analysis, op, checks);
}

std::optional<SmallVector<Operation *>>
AssertLegalizer::getShapeSlice(Value value) {
  SmallVector<Value> worklist = {value};
  llvm::SmallSetVector<Operation *, 8> slice;
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val().getDefiningOp();
    if (!op)
      return std::nullopt;
    if (!slice.insert(op))
      continue;
    if (auto dim = dyn_cast<nvfp4::DimOp>(op)) {
      if (!isa<BlockArgument>(dim.getSource()))
        return std::nullopt;
      continue;
    }
    if (auto dim = dyn_cast<tensor::DimOp>(op)) {
      // Every argument is there before anything is computed.
      if (!isa<BlockArgument>(dim.getSource()))
        return std::nullopt;
      worklist.push_back(dim.getIndex());
      continue;
    }
    if (!isa<arith::ArithDialect, affine::AffineDialect>(op->getDialect()) ||
        op->getNumRegions() != 0)
      return std::nullopt;
    llvm::append_range(worklist, op->getOperands());
  }
  SmallVector<Operation *> ordered = slice.takeVector();
  llvm::sort(ordered,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ordered;
}

void AssertLegalizer::hoist(ArrayRef<Operation *> slice, Value isFine,
                            const Twine &message) {
  ++numHoisted;
  OpBuilder builder = analysis.getBuilderAtStart();
  IRMapping mapping;
  for (Operation *op : slice)
    builder.clone(*op, mapping);
  cf::AssertOp::create(builder, isFine.getLoc(), mapping.lookup(isFine),
                       message.str());
}

LogicalResult AssertLegalizer::legalizeFunctionLevel() {
  Block &block = analysis.getFunction().getFunctionBody().front();
  SmallVector<cf::AssertOp> asserts(block.getOps<cf::AssertOp>());
  BlockGuard guard(analysis, bounds);
  if (failed(guard.guard(block, nullptr)))
    return failure();
  // One value asserted many times is one check.
  llvm::SmallPtrSet<Value, 16> seen;
  for (cf::AssertOp op : asserts) {
    if (analysis.getBool(op.getArg()) == true) {
      ++numProved;
    } else if (seen.insert(op.getArg()).second) {
      if (auto slice = getShapeSlice(op.getArg())) {
        std::string message = describeAssert(analysis, op);
        if (analysis.getBool(op.getArg()) == false)
          return op.emitOpError("expected inputs for which this holds, but "
                                "there are none: ")
                 << message;
        hoist(*slice, op.getArg(), message);
      } else if (!guard.isImplied(op.getArg())) {
        guard.addAssert(op);
      }
    }
    op.erase();
  }
  // A quotient of dimensions is no matter of data.
  SmallVector<DataCheck> checks;
  for (const DataCheck &check : guard.takeChecks()) {
    if (auto slice = getShapeSlice(check.isFine))
      hoist(*slice, check.isFine, check.message);
    else
      checks.push_back(check);
  }
  if (checks.empty())
    return success();
  numRecorded += checks.size();
  // Everything that is checked dominates the end.
  return recordFunctionChecks(block.getTerminator(), checks);
}

LogicalResult AssertLegalizer::run() {
  func::FuncOp func = analysis.getFunction();
  if (!func.getFunctionBody().hasOneBlock())
    return func.emitOpError("expected an entry function of one block, but got ")
           << func.getFunctionBody().getBlocks().size();
  if (failed(verifyPlaces()))
    return failure();
  SmallVector<linalg::GenericOp> generics;
  func.walk([&](linalg::GenericOp op) { generics.push_back(op); });
  for (linalg::GenericOp op : generics)
    if (failed(legalizeBody(op)))
      return failure();
  return legalizeFunctionLevel();
}

namespace {
struct LegalizeAssertsPass final
    : nvfp4::impl::LegalizeAssertsPassBase<LegalizeAssertsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      if (!isEntry(func))
        continue;
      ExtentAnalysis analysis(func);
      AssertLegalizer legalizer(analysis);
      if (failed(legalizer.run()))
        return signalPassFailure();
      numProved += legalizer.numProved;
      numHoisted += legalizer.numHoisted;
      numRecorded += legalizer.numRecorded;
    }
  }
};
} // namespace
