//===- ResultMaps.cpp - Where elements of a product end up ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ResultMaps.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Forward along the body
//===----------------------------------------------------------------------===//

namespace {
using Index = SmallVector<AffineExpr>;

class Follower {
public:
  Follower(Value product, ResultMaps &maps) : maps(maps) {
    rank = cast<RankedTensorType>(product.getType()).getRank();
    for (int64_t dim = 0; dim < rank; ++dim)
      indices[product].push_back(getAffineDimExpr(dim, product.getContext()));
  }

  LogicalResult visit(Operation *op);
  const Index *lookup(Value value) const {
    auto it = indices.find(value);
    return it == indices.end() ? nullptr : &it->second;
  }

private:
  FailureOr<SmallVector<Index>> follow(Operation *op);
  FailureOr<SmallVector<Index>> follow(linalg::LinalgOp op);
  Index expand(tensor::ExpandShapeOp op);
  Index collapse(tensor::CollapseShapeOp op);

  AffineExpr getExtent(Value tensor, unsigned dim);
  AffineExpr simplify(AffineExpr expr) {
    return simplifyAffineExpr(expr, rank, maps.extents.size());
  }

  ResultMaps &maps;
  int64_t rank;
  DenseMap<Value, Index> indices;
};
} // namespace

AffineExpr Follower::getExtent(Value tensor, unsigned dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return getAffineConstantExpr(type.getDimSize(dim), tensor.getContext());
  std::pair<Value, unsigned> extent(tensor, dim);
  auto *it = llvm::find(maps.extents, extent);
  unsigned position = it - maps.extents.begin();
  if (it == maps.extents.end())
    maps.extents.push_back(extent);
  return getAffineSymbolExpr(position, tensor.getContext());
}

/// A loop's index is what the operands that hold the product say, and they must
/// agree; the results are at the index that their maps give.
FailureOr<SmallVector<Index>> Follower::follow(linalg::LinalgOp op) {
  if (op.getNumLoops() != op.getNumParallelLoops())
    return failure();
  SmallVector<AffineExpr> loops(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    const Index *index = lookup(operand.get());
    if (!index)
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [expr, at] : llvm::zip_equal(map.getResults(), *index)) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        return failure();
      AffineExpr &loop = loops[dim.getPosition()];
      if (loop && loop != at)
        return failure();
      loop = at;
    }
  }
  if (llvm::is_contained(loops, AffineExpr()))
    return failure();
  SmallVector<Index> results;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (!map.isPermutation())
      return failure();
    Index &index = results.emplace_back();
    for (AffineExpr expr : map.getResults())
      index.push_back(simplify(expr.replaceDims(loops)));
  }
  return results;
}

/// Row-major coordinates, dimension group by dimension group.
Index Follower::expand(tensor::ExpandShapeOp op) {
  Index result(op.getResultType().getRank());
  for (auto [group, at] :
       llvm::zip_equal(op.getReassociationIndices(), *lookup(op.getSrc()))) {
    AffineExpr rest = at;
    for (int64_t dim : llvm::reverse(ArrayRef(group).drop_front())) {
      AffineExpr extent = getExtent(op.getResult(), dim);
      result[dim] = simplify(rest % extent);
      rest = simplify(rest.floorDiv(extent));
    }
    result[group.front()] = rest;
  }
  return result;
}

Index Follower::collapse(tensor::CollapseShapeOp op) {
  const Index &index = *lookup(op.getSrc());
  Index result;
  for (ArrayRef<int64_t> group : op.getReassociationIndices()) {
    AffineExpr position = index[group.front()];
    for (int64_t dim : group.drop_front())
      position = position * getExtent(op.getSrc(), dim) + index[dim];
    result.push_back(simplify(position));
  }
  return result;
}

FailureOr<SmallVector<Index>> Follower::follow(Operation *op) {
  using Indices = FailureOr<SmallVector<Index>>;
  return llvm::TypeSwitch<Operation *, Indices>(op)
      .Case([&](tensor::ExpandShapeOp view) -> Indices {
        return SmallVector<Index>{expand(view)};
      })
      .Case([&](tensor::CollapseShapeOp view) -> Indices {
        return SmallVector<Index>{collapse(view)};
      })
      .Case([&](tensor::CastOp view) -> Indices {
        return SmallVector<Index>{*lookup(view.getSource())};
      })
      .Case([&](linalg::LinalgOp linalgOp) { return follow(linalgOp); })
      .Default([](Operation *) -> Indices { return failure(); });
}

LogicalResult Follower::visit(Operation *op) {
  auto isTensor = [](Type type) { return isa<RankedTensorType>(type); };
  if (llvm::none_of(op->getOperands(),
                    [&](Value value) { return lookup(value) != nullptr; }) ||
      llvm::none_of(op->getResultTypes(), isTensor))
    return success();
  FailureOr<SmallVector<Index>> results = follow(op);
  if (failed(results))
    return op->emitError("expected an element-wise op, a permutation or a "
                         "reshape after a matmul, but got ")
           << op->getName();
  for (auto [value, index] : llvm::zip_equal(op->getResults(), *results))
    indices[value] = std::move(index);
  return success();
}

/// The end of a quantization's elements.
static LogicalResult addQuantization(func::FuncOp body, const Index &index,
                                     QuantizeIntoOp op, ResultMaps &maps) {
  FailureOr<QuantizeTargets> targets = getQuantizeTargets(body, op);
  if (failed(targets))
    return failure();
  maps.quantizations.push_back({op, *targets, index});
  return success();
}

FailureOr<ResultMaps> ResultMaps::get(func::FuncOp body, Value product) {
  ResultMaps maps;
  Follower follower(product, maps);
  Operation *root = product.getDefiningOp();
  for (Operation *op = root->getNextNode(); op; op = op->getNextNode()) {
    auto quantize = dyn_cast<QuantizeIntoOp>(op);
    const Index *index =
        quantize ? follower.lookup(quantize.getSource()) : nullptr;
    if (failed(index ? addQuantization(body, *index, quantize, maps)
                     : follower.visit(op)))
      return failure();
  }
  Operation *end = body.getBody().front().getTerminator();
  unsigned firstInit = body.getNumArguments() - end->getNumOperands();
  for (auto [i, value] : llvm::enumerate(end->getOperands())) {
    BlockArgument init = body.getArgument(firstInit + i);
    if (llvm::any_of(maps.quantizations, [&](const QuantizationMap &map) {
          return map.targets.contains(init);
        }))
      continue;
    const Index *index = follower.lookup(value);
    if (!index) {
      root->emitError("expected each result of the kernel to hold the "
                      "elements of the matmul, but result ")
          << i << " does not";
      return failure();
    }
    maps.results.push_back({value, init, *index});
  }
  return maps;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

/// By how much `expr` grows when the dimension `run` does, inside a run of
/// `count` elements that starts at a multiple of `count`. Nothing if that is
/// not the same everywhere.
static std::optional<int64_t> getRate(AffineExpr expr, unsigned run,
                                      int64_t count) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition() == run;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return 0;
  std::optional<int64_t> lhs = getRate(binary.getLHS(), run, count);
  std::optional<int64_t> rhs = getRate(binary.getRHS(), run, count);
  if (!lhs || !rhs)
    return std::nullopt;
  auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    if (*lhs == 0 && *rhs == 0)
      return 0;
    return factor ? std::optional(*lhs * factor.getValue()) : std::nullopt;
  default:
    break;
  }
  if (*lhs == 0 && *rhs == 0)
    return 0;
  // The run starts at a multiple of `count`, and so does each period.
  AffineExpr start =
      binary.getLHS().replace(getAffineDimExpr(run, expr.getContext()),
                              getAffineDimExpr(run, expr.getContext()) * count);
  if (*lhs != 1 || !factor || factor.getValue() % count != 0 ||
      start.getLargestKnownDivisor() % count != 0)
    return std::nullopt;
  return expr.getKind() == AffineExprKind::Mod;
}

bool ResultMaps::keepsRuns(ArrayRef<AffineExpr> index, int64_t count) {
  unsigned run = 0;
  for (AffineExpr expr : index)
    expr.walk([&](AffineExpr part) {
      if (auto dim = dyn_cast<AffineDimExpr>(part))
        run = std::max(run, dim.getPosition());
    });
  for (auto [i, expr] : llvm::enumerate(index))
    if (getRate(expr, run, count) != (i + 1 == index.size()))
      return false;
  return true;
}

bool ResultMaps::keepsRuns(int64_t count) const {
  return llvm::all_of(results, [&](const ResultMap &result) {
    return keepsRuns(result.index, count);
  });
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

static Value emitExpr(ElementEvaluator &evaluator, AffineExpr expr,
                      ValueRange dims, ValueRange symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return evaluator.constant(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = emitExpr(evaluator, binary.getLHS(), dims, symbols);
  Value rhs = emitExpr(evaluator, binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return evaluator.add(lhs, rhs);
  case AffineExprKind::Mul:
    return evaluator.mul(lhs, rhs);
  case AffineExprKind::FloorDiv:
    return evaluator.div(lhs, rhs);
  default:
    return evaluator.rem(lhs, rhs);
  }
}

FailureOr<SmallVector<Value>>
ResultMaps::emitIndex(ElementEvaluator &evaluator, ArrayRef<AffineExpr> index,
                      ValueRange coordinates) const {
  SmallVector<Value> symbols, place;
  for (auto [tensor, dim] : extents) {
    FailureOr<Value> extent = evaluator.getExtent(tensor, dim);
    if (failed(extent))
      return failure();
    symbols.push_back(*extent);
  }
  for (AffineExpr expr : index)
    place.push_back(emitExpr(evaluator, expr, coordinates, symbols));
  return place;
}
