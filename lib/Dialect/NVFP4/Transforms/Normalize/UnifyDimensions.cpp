//===- UnifyDimensions.cpp - Tie equal dimensions together ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rewrites shape arithmetic in terms of the named dimensions of the entry's
// arguments, so that equal extents are one SSA value and what compares them
// folds.
//
// Expects: torch-mlir's linalg on tensors, inlined.
// Leaves:  every dynamic dimension of an argument has a name; shape arithmetic
//          that is a polynomial of dimensions is computed at the start of the
//          function; comparisons with only one outcome are constants.
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"
#include "ExtentAnalysis.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_UNIFYDIMENSIONSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

/// Gives every unnamed dynamic dimension of an argument a name, with a warning,
/// or an error if `isStrict`: two such dimensions are never known to be equal.
static LogicalResult nameDimensions(func::FuncOp func, bool isStrict) {
  Builder builder(func.getContext());
  for (BlockArgument argument : func.getArguments()) {
    ShapedType type = getTensorType(argument.getType());
    if (!type || type.hasStaticShape())
      continue;
    unsigned number = argument.getArgNumber();
    SmallVector<Attribute> shape;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim)) {
        shape.push_back(builder.getI64IntegerAttr(type.getDimSize(dim)));
        continue;
      }
      std::string name = getDimensionName(func, number, dim);
      shape.push_back(builder.getStringAttr(name));
      if (isNamedDimension(func, number, dim))
        continue;
      InFlightDiagnostic diagnostic =
          isStrict ? mlir::emitError(argument.getLoc())
                   : mlir::emitWarning(argument.getLoc());
      diagnostic << "expected 'nvfp4.shape' to name every dynamic dimension of "
                    "an argument, but dimension "
                 << dim << " of " << describeArgument(func, number)
                 << " is an unnamed dynamic dimension";
      if (isStrict)
        return failure();
      diagnostic.attachNote()
          << "it becomes '" << name << "', which is tied to no other dimension";
    }
    func.setArgAttr(number, kShapeAttrName, builder.getArrayAttr(shape));
  }
  return success();
}

/// Names the dynamic dimensions of results that are dimensions of arguments,
/// where the model did not.
static void nameResults(func::FuncOp func, ExtentAnalysis &analysis) {
  if (!func.getFunctionBody().hasOneBlock())
    return;
  Builder builder(func.getContext());
  Operation *terminator = func.getFunctionBody().front().getTerminator();
  for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
    ShapedType type = getTensorType(value.getType());
    if (!type || type.hasStaticShape() ||
        func.getResultAttr(number, kShapeAttrName))
      continue;
    SmallVector<Attribute> shape;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      ExtentExpr extent = analysis.getExtent(value, dim);
      std::optional<SymbolId> id = extent.getSingleSymbol();
      if (!type.isDynamicDim(dim))
        shape.push_back(builder.getI64IntegerAttr(type.getDimSize(dim)));
      else if (id &&
               analysis.getSymbol(*id).kind == ExtentSymbol::Kind::Dimension)
        shape.push_back(builder.getStringAttr(analysis.getSymbol(*id).name));
    }
    if (static_cast<int64_t>(shape.size()) == type.getRank())
      func.setResultAttr(number, kShapeAttrName, builder.getArrayAttr(shape));
  }
}

namespace {
/// Replaces what ExtentAnalysis knows, one function at a time.
class ShapeRewriter {
public:
  explicit ShapeRewriter(ExtentAnalysis &analysis) : analysis(analysis) {}

  /// Rewrites `op` if it is integer arithmetic with a known meaning.
  /// Returns true if its result has been replaced.
  bool rewrite(Operation *op);

private:
  Value getBool(bool value);
  /// `expr` as a value of an integer type or index.
  Value getInteger(const ExtentExpr &expr, Type type);
  Value getReplacement(Operation *op);

  ExtentAnalysis &analysis;
  llvm::DenseMap<std::pair<Value, Type>, Value> casts;
  Value bools[2];
};
} // namespace

Value ShapeRewriter::getBool(bool value) {
  if (!bools[value]) {
    func::FuncOp func = analysis.getFunction();
    OpBuilder builder =
        OpBuilder::atBlockBegin(&func.getFunctionBody().front());
    bools[value] = arith::ConstantOp::create(builder, func.getLoc(),
                                             builder.getBoolAttr(value));
  }
  return bools[value];
}

Value ShapeRewriter::getInteger(const ExtentExpr &expr, Type type) {
  Value index = analysis.materialize(expr);
  if (type.isIndex())
    return index;
  Value &result = casts[{index, type}];
  if (!result) {
    OpBuilder builder(type.getContext());
    builder.setInsertionPointAfterValue(index);
    Location loc = index.getLoc();
    if (std::optional<int64_t> constant = expr.getConstant())
      result = arith::ConstantOp::create(
          builder, loc, builder.getIntegerAttr(type, *constant));
    else
      result = arith::IndexCastOp::create(builder, loc, type, index);
  }
  return result;
}

Value ShapeRewriter::getReplacement(Operation *op) {
  Type type = op->getResult(0).getType();
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    if (select.getCondition().getType().isInteger(1))
      if (std::optional<bool> known = analysis.getBool(select.getCondition()))
        return *known ? select.getTrueValue() : select.getFalseValue();
    // A broadcast of one element that never moves: see computeSelect.
    if (type.isIndex() || (type.isInteger() && !type.isInteger(1))) {
      ExtentExpr expr = analysis.getExpr(select);
      for (Value side : {select.getFalseValue(), select.getTrueValue()})
        if (analysis.getExpr(side) == expr)
          return side;
    }
  }
  if (type.isInteger(1)) {
    std::optional<bool> known = analysis.getBool(op->getResult(0));
    return known ? getBool(*known) : Value();
  }
  if (!isa<IntegerType, IndexType>(type))
    return {};
  ExtentExpr expr = analysis.getExpr(op->getResult(0));
  return analysis.isShapeExpr(expr) ? getInteger(expr, type) : Value();
}

bool ShapeRewriter::rewrite(Operation *op) {
  if (op->getNumResults() != 1 || isa<arith::ConstantOp>(op) ||
      !isa_and_nonnull<arith::ArithDialect, affine::AffineDialect,
                       tensor::TensorDialect, NVFP4Dialect>(op->getDialect()) ||
      !op->getResult(0).getType().isIntOrIndexOrFloat())
    return false;
  Value replacement = getReplacement(op);
  if (!replacement || replacement == op->getResult(0))
    return false;
  op->getResult(0).replaceAllUsesWith(replacement);
  return true;
}

namespace {
struct UnifyDimensionsPass final
    : nvfp4::impl::UnifyDimensionsPassBase<UnifyDimensionsPass> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      if (!isEntry(func))
        continue;
      if (failed(verifyEntryAttributes(func)) ||
          failed(nameDimensions(func, strict)))
        return signalPassFailure();
      ExtentAnalysis analysis(func);
      nameResults(func, analysis);
      rewriteFunction(func, analysis);
    }
  }

private:
  void rewriteFunction(func::FuncOp func, ExtentAnalysis &analysis) {
    // Only what the model contains, not what materializing adds.
    SmallVector<Operation *> ops;
    func.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op != func)
        ops.push_back(op);
    });
    ShapeRewriter rewriter(analysis);
    SmallVector<Operation *> replaced;
    for (Operation *op : ops)
      if (rewriter.rewrite(op))
        replaced.push_back(op);
    numUnified += replaced.size();
    // Users come later in the walk than what they use. The analysis holds
    // values of erased ops as keys and is not used after this.
    for (Operation *op : llvm::reverse(replaced))
      if (op->use_empty())
        op->erase();
  }
};
} // namespace
