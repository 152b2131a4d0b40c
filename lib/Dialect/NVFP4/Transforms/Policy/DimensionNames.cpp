//===- DimensionNames.cpp - Extents in the entry's words ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Follows an extent through tensor ops and index arithmetic up to entry
// arguments, whose `nvfp4.shape` names it. Only products survive the way; what
// else an extent may be prints as `?`.
//
//===----------------------------------------------------------------------===//

#include "DimensionNames.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace nvfp4 {

using Extent = std::optional<SymbolicExtent>;

/// Ops to look through before giving up: canonical IR needs a handful, and the
/// bound keeps a report of a deep graph linear.
static constexpr unsigned kMaxDepth = 32;

static Extent getDim(Value tensor, int64_t dim, unsigned depth);
static Extent getIndex(OpFoldResult index, unsigned depth);

std::string SymbolicExtent::str() const {
  if (names.empty())
    return std::to_string(factor);
  std::string text = llvm::join(names, "*");
  return factor == 1 ? text : text + "*" + std::to_string(factor);
}

SymbolicExtent SymbolicExtent::multiply(const SymbolicExtent &a,
                                        const SymbolicExtent &b) {
  SymbolicExtent product{a.factor * b.factor, a.names};
  product.names.append(b.names.begin(), b.names.end());
  llvm::sort(product.names);
  return product;
}

static Extent multiply(const Extent &a, const Extent &b) {
  if (!a || !b)
    return std::nullopt;
  return SymbolicExtent::multiply(*a, *b);
}

/// The quotient if it is exact: names cancel names, the factor divides.
static Extent divide(const Extent &a, const Extent &b) {
  if (!a || !b || b->factor == 0 || a->factor % b->factor != 0)
    return std::nullopt;
  SymbolicExtent quotient{a->factor / b->factor, a->names};
  for (const std::string &name : b->names) {
    auto *it = llvm::find(quotient.names, name);
    if (it == quotient.names.end())
      return std::nullopt;
    quotient.names.erase(it);
  }
  return quotient;
}

static Extent constant(int64_t value) { return SymbolicExtent{value, {}}; }

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

static Extent getAffine(AffineExpr expr, affine::AffineApplyOp op,
                        unsigned depth) {
  if (auto value = dyn_cast<AffineConstantExpr>(expr))
    return constant(value.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return getIndex(op.getDimOperands()[dim.getPosition()], depth);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return getIndex(op.getSymbolOperands()[symbol.getPosition()], depth);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Extent lhs = getAffine(binary.getLHS(), op, depth);
  Extent rhs = getAffine(binary.getRHS(), op, depth);
  if (expr.getKind() == AffineExprKind::Mul)
    return multiply(lhs, rhs);
  if (expr.getKind() == AffineExprKind::FloorDiv ||
      expr.getKind() == AffineExprKind::CeilDiv)
    return divide(lhs, rhs);
  return std::nullopt;
}

static Extent getIndex(OpFoldResult index, unsigned depth) {
  if (std::optional<int64_t> value = getConstantIntValue(index))
    return constant(*value);
  Operation *op = dyn_cast<Value>(index).getDefiningOp();
  if (!op || depth == 0)
    return std::nullopt;
  --depth;
  return llvm::TypeSwitch<Operation *, Extent>(op)
      .Case([&](tensor::DimOp dim) -> Extent {
        std::optional<int64_t> which = dim.getConstantIndex();
        return which ? getDim(dim.getSource(), *which, depth) : std::nullopt;
      })
      .Case<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
            arith::ExtUIOp, arith::TruncIOp>(
          [&](auto cast) { return getIndex(cast.getIn(), depth); })
      .Case([&](arith::MulIOp mul) {
        return multiply(getIndex(mul.getLhs(), depth),
                        getIndex(mul.getRhs(), depth));
      })
      .Case<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>([&](auto div) {
        return divide(getIndex(div.getLhs(), depth),
                      getIndex(div.getRhs(), depth));
      })
      .Case([&](affine::AffineApplyOp apply) {
        return getAffine(apply.getAffineMap().getResult(0), apply, depth);
      })
      .Default([](Operation *) { return std::nullopt; });
}

//===----------------------------------------------------------------------===//
// Dimensions of tensors
//===----------------------------------------------------------------------===//

/// The name that the entry gives to a dimension of its argument.
static Extent getArgumentDim(BlockArgument argument, int64_t dim) {
  auto function =
      dyn_cast_or_null<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function)
    return std::nullopt;
  auto shape = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                    kShapeAttrName);
  if (!shape || dim >= static_cast<int64_t>(shape.size()))
    return std::nullopt;
  auto name = dyn_cast<StringAttr>(shape[dim]);
  if (!name)
    return std::nullopt;
  return SymbolicExtent{1, {name.str()}};
}

static Extent getCollapsedDim(tensor::CollapseShapeOp op, int64_t dim,
                              unsigned depth) {
  Extent product = constant(1);
  ReassociationIndices group = op.getReassociationIndices()[dim];
  for (int64_t index : group)
    product = multiply(product, getDim(op.getSrc(), index, depth));
  return product;
}

static Extent getSliceDim(tensor::ExtractSliceOp op, int64_t dim,
                          unsigned depth) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [index, size] : llvm::enumerate(op.getMixedSizes()))
    if (!dropped.test(index) && dim-- == 0)
      return getIndex(size, depth);
  return std::nullopt;
}

static Extent getDim(Value tensor, int64_t dim, unsigned depth) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || depth == 0)
    return std::nullopt;
  if (!type.isDynamicDim(dim))
    return constant(type.getDimSize(dim));
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return getArgumentDim(argument, dim);
  --depth;
  return llvm::TypeSwitch<Operation *, Extent>(tensor.getDefiningOp())
      .Case([&](tensor::EmptyOp op) {
        return getIndex(op.getMixedSizes()[dim], depth);
      })
      .Case([&](tensor::ExpandShapeOp op) {
        return getIndex(op.getMixedOutputShape()[dim], depth);
      })
      .Case([&](tensor::CollapseShapeOp op) {
        return getCollapsedDim(op, dim, depth);
      })
      .Case([&](tensor::ExtractSliceOp op) {
        return getSliceDim(op, dim, depth);
      })
      .Case(
          [&](tensor::CastOp op) { return getDim(op.getSource(), dim, depth); })
      .Case([&](DestinationStyleOpInterface op) {
        OpOperand *init = op.getTiedOpOperand(cast<OpResult>(tensor));
        return getDim(init->get(), dim, depth);
      })
      .Default([](Operation *) { return std::nullopt; });
}

Extent getSymbolicExtent(Value tensor, int64_t dim) {
  return getDim(tensor, dim, kMaxDepth);
}

Extent getSymbolicExtent(linalg::LinalgOp op, ArrayRef<unsigned> loops) {
  Extent product = constant(1);
  for (unsigned loop : loops) {
    Extent extent;
    AffineExpr expr = getAffineDimExpr(loop, op.getContext());
    for (OpOperand &operand : op->getOpOperands()) {
      std::optional<unsigned> dim =
          op.getMatchingIndexingMap(&operand).getResultPosition(expr);
      if (dim && !extent)
        extent = getSymbolicExtent(operand.get(), *dim);
    }
    product = multiply(product, extent);
  }
  return product;
}

} // namespace nvfp4
