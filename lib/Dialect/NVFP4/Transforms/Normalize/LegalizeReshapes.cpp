//===- LegalizeReshapes.cpp - tensor.reshape becomes views ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tensor.reshape hides which dimensions belong together, which blocks fusion,
// hoisting and bufferization without a copy. With extents known as polynomials
// the dimensions fall into groups of equal products, and the reshape is a
// collapse and an expansion of those groups.
//
// Expects: unified dimensions.
// Leaves:  no tensor.reshape.
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"
#include "ExtentAnalysis.h"
#include "ExtentChecks.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_LEGALIZERESHAPESPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

/// Dimensions [sourceBegin, sourceEnd) hold the same elements as
/// [resultBegin, resultEnd).
namespace {
struct DimensionGroup {
  ReassociationIndices source, result;
};
} // namespace

/// Splits both shapes into the smallest groups of equal products, from the
/// left. Everything is one group if no finer split is known.
static SmallVector<DimensionGroup>
groupDimensions(ArrayRef<ExtentExpr> source, ArrayRef<ExtentExpr> result) {
  SmallVector<DimensionGroup> groups;
  size_t i = 0, j = 0;
  auto giveUp = [&]() {
    DimensionGroup all;
    llvm::append_range(all.source, llvm::seq<int64_t>(0, source.size()));
    llvm::append_range(all.result, llvm::seq<int64_t>(0, result.size()));
    return SmallVector<DimensionGroup>{all};
  };
  while (i < source.size() && j < result.size()) {
    DimensionGroup group;
    std::optional<ExtentExpr> left = ExtentExpr(1), right = ExtentExpr(1);
    auto extendLeft = [&]() {
      group.source.push_back(i);
      left = multiply(*left, source[i++]);
    };
    auto extendRight = [&]() {
      group.result.push_back(j);
      right = multiply(*right, result[j++]);
    };
    extendLeft();
    extendRight();
    while (left && right && *left != *right) {
      // What divides the other is too small; if neither does, both are.
      bool isRightSmaller = divideExactly(*left, *right).has_value();
      bool isLeftSmaller = divideExactly(*right, *left).has_value();
      bool extendsLeft = isLeftSmaller || !isRightSmaller;
      bool extendsRight = isRightSmaller || !isLeftSmaller;
      if ((extendsLeft && i == source.size()) ||
          (extendsRight && j == result.size()))
        return giveUp();
      if (extendsLeft)
        extendLeft();
      if (extendsRight)
        extendRight();
      if (!left || !right)
        return giveUp();
    }
    if (!left || !right)
      return giveUp();
    groups.push_back(group);
  }
  // Trailing dimensions of extent 1 belong to the last group.
  for (; i < source.size(); ++i) {
    if (groups.empty() || source[i] != ExtentExpr(1))
      return giveUp();
    groups.back().source.push_back(i);
  }
  for (; j < result.size(); ++j) {
    if (groups.empty() || result[j] != ExtentExpr(1))
      return giveUp();
    groups.back().result.push_back(j);
  }
  return groups;
}

static RankedTensorType getTypeOf(ArrayRef<ExtentExpr> extents, Type element) {
  SmallVector<int64_t> shape;
  for (const ExtentExpr &extent : extents)
    shape.push_back(extent.getConstant().value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

static Value castTo(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(builder, loc, type, value);
}

namespace {
/// Rewrites the reshapes of one function.
class ReshapeRewriter {
public:
  ReshapeRewriter(ExtentAnalysis &analysis, ExtentChecks &checks)
      : analysis(analysis), checks(checks) {}

  LogicalResult rewrite(tensor::ReshapeOp op);

private:
  LogicalResult readSizes(tensor::ReshapeOp op,
                          SmallVector<ExtentExpr> &extents);
  LogicalResult requireEqualSize(tensor::ReshapeOp op,
                                 ArrayRef<ExtentExpr> source,
                                 ArrayRef<ExtentExpr> result);
  Value createViews(tensor::ReshapeOp op, ArrayRef<ExtentExpr> source,
                    ArrayRef<ExtentExpr> result);

  ExtentAnalysis &analysis;
  ExtentChecks &checks;
};
} // namespace

LogicalResult ReshapeRewriter::readSizes(tensor::ReshapeOp op,
                                         SmallVector<ExtentExpr> &extents) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Value shape = op.getShape();
  while (auto castOp = shape.getDefiningOp<tensor::CastOp>())
    shape = castOp.getSource();
  auto sizes = shape.getDefiningOp<tensor::FromElementsOp>();
  DenseIntElementsAttr constant;
  bool isConstant = matchPattern(shape, m_Constant(&constant));
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    ExtentExpr extent(0);
    if (!type.isDynamicDim(dim))
      extent = ExtentExpr(type.getDimSize(dim));
    else if (sizes)
      extent = analysis.getExpr(sizes.getElements()[dim]);
    else if (isConstant)
      extent = ExtentExpr(constant.getValues<APInt>()[dim].getSExtValue());
    if ((!sizes && !isConstant && type.isDynamicDim(dim)) ||
        !analysis.isShapeExpr(extent))
      return op.emitOpError("expected dimension ")
             << dim << " of " << type
             << " to be computed from dimensions of the entry's arguments";
    extents.push_back(extent);
  }
  return success();
}

LogicalResult ReshapeRewriter::requireEqualSize(tensor::ReshapeOp op,
                                                ArrayRef<ExtentExpr> source,
                                                ArrayRef<ExtentExpr> result) {
  auto getSize = [](ArrayRef<ExtentExpr> extents) {
    std::optional<ExtentExpr> size = ExtentExpr(1);
    for (const ExtentExpr &extent : extents)
      size = size ? multiply(*size, extent) : std::nullopt;
    return size;
  };
  std::optional<ExtentExpr> from = getSize(source), to = getSize(result);
  if (!from || !to)
    return op.emitOpError("expected fewer terms in the number of elements");
  return checks.require(op, arith::CmpIPredicate::eq, *from, *to,
                        "a reshape of " + analysis.toString(*from) +
                            " elements to have as many, but got " +
                            analysis.toString(*to));
}

/// The type before an expansion: a dynamic dimension expands to at least one
/// dynamic dimension, a static one to none.
static RankedTensorType
getCollapsedType(RankedTensorType type, ArrayRef<ReassociationIndices> groups) {
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : groups) {
    int64_t size = 1;
    for (int64_t dim : group)
      size = type.isDynamicDim(dim) || ShapedType::isDynamic(size)
                 ? ShapedType::kDynamic
                 : size * type.getDimSize(dim);
    shape.push_back(size);
  }
  return RankedTensorType::get(shape, type.getElementType());
}

Value ReshapeRewriter::createViews(tensor::ReshapeOp op,
                                   ArrayRef<ExtentExpr> source,
                                   ArrayRef<ExtentExpr> result) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type element = getElementTypeOrSelf(op.getSource());
  // A rank of 0 has no groups.
  bool isScalar = source.empty() || result.empty();
  SmallVector<ReassociationIndices> collapsed, expanded;
  if (!isScalar) {
    for (const DimensionGroup &group : groupDimensions(source, result)) {
      collapsed.push_back(group.source);
      expanded.push_back(group.result);
    }
  }
  auto isTrivial = [](const ReassociationIndices &group) {
    return group.size() == 1;
  };
  Value value =
      castTo(builder, loc, op.getSource(), getTypeOf(source, element));
  if (!llvm::all_of(collapsed, isTrivial) || (isScalar && !source.empty()))
    value = tensor::CollapseShapeOp::create(builder, loc, value, collapsed);
  RankedTensorType finalType = getTypeOf(result, element);
  if (!llvm::all_of(expanded, isTrivial) || (isScalar && !result.empty())) {
    value = castTo(builder, loc, value, getCollapsedType(finalType, expanded));
    SmallVector<OpFoldResult> sizes;
    for (const ExtentExpr &extent : result)
      sizes.push_back(analysis.materializeExtent(extent));
    value = tensor::ExpandShapeOp::create(builder, loc, finalType, value,
                                          expanded, sizes);
  }
  return castTo(builder, loc, value, op.getResult().getType());
}

LogicalResult ReshapeRewriter::rewrite(tensor::ReshapeOp op) {
  auto sourceType = dyn_cast<RankedTensorType>(op.getSource().getType());
  auto resultType = dyn_cast<RankedTensorType>(op.getResult().getType());
  if (!sourceType || !resultType)
    return op.emitOpError("expected ranked tensors, but got ")
           << op.getSource().getType() << " to " << op.getResult().getType();
  SmallVector<ExtentExpr> source, result;
  for (int64_t dim = 0; dim < sourceType.getRank(); ++dim)
    source.push_back(analysis.getExtent(op.getSource(), dim));
  if (failed(readSizes(op, result)) ||
      failed(requireEqualSize(op, source, result)))
    return failure();
  op.replaceAllUsesWith(createViews(op, source, result));
  return success();
}

namespace {
struct LegalizeReshapesPass final
    : nvfp4::impl::LegalizeReshapesPassBase<LegalizeReshapesPass> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : getOperation().getOps<func::FuncOp>()) {
      if (!isEntry(func))
        continue;
      SmallVector<tensor::ReshapeOp> ops;
      func.walk([&](tensor::ReshapeOp op) { ops.push_back(op); });
      if (ops.empty())
        continue;
      ExtentAnalysis analysis(func);
      ExtentChecks checks(analysis);
      ReshapeRewriter rewriter(analysis, checks);
      for (tensor::ReshapeOp op : ops)
        if (failed(rewriter.rewrite(op)))
          return signalPassFailure();
      numLegalized += ops.size();
      for (tensor::ReshapeOp op : llvm::reverse(ops))
        op.erase();
    }
  }
};
} // namespace
