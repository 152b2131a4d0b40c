//===- WeightViews.cpp - The weights behind views -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks from an operand up to the entry arguments that name a tensor of the
// weights file, through ops that move, repeat or convert elements and compute
// nothing. On the way down it keeps, per dimension, whether the dimension walks
// over the weight or only repeats it: that tells a batch of weights (experts)
// from one weight that a batch shares.
//
// Expects: linalg and tensor ops on tensors. Changes nothing.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace nvfp4 {

StringRef getWeightName(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return {};
  auto function =
      dyn_cast_or_null<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function || !argument.getOwner()->isEntryBlock())
    return {};
  auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                    kWeightAttrName);
  return name ? name.getValue() : StringRef();
}

StringRef WeightView::getName() const { return getWeightName(weights.front()); }

int64_t WeightView::getNumElements() const {
  int64_t count = 1;
  for (auto [extent, isBroadcast] : llvm::zip_equal(extents, broadcast)) {
    if (isBroadcast)
      continue;
    if (ShapedType::isDynamic(extent))
      return ShapedType::kDynamic;
    count *= extent;
  }
  return count;
}

/// The value that a linalg body yields, before float casts.
static Value skipFloatCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Whether `op` writes each element of its only input, maybe converted, to one
/// or more places of its result.
static bool isLinalgView(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 0 || op->getNumResults() != 1)
    return false;
  OpOperand *input = op.getDpsInputOperand(0);
  if (!isa<RankedTensorType>(input->get().getType()))
    return false;
  AffineMap inputMap = op.getMatchingIndexingMap(input);
  AffineMap outputMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!outputMap.isPermutation() ||
      !inputMap.isProjectedPermutation(/*allowZeroInResults=*/true))
    return false;
  Block *body = op.getBlock();
  Value yielded = body->getTerminator()->getOperand(0);
  return skipFloatCasts(yielded) == body->getArgument(0);
}

bool isWeightViewOp(Operation *op) {
  if (isa<tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
          tensor::ConcatOp>(op))
    return true;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return !ShapedType::isDynamicShape(slice.getStaticOffsets()) &&
           !ShapedType::isDynamicShape(slice.getStaticSizes()) &&
           !ShapedType::isDynamicShape(slice.getStaticStrides());
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return isa<RankedTensorType>(op->getResult(0).getType());
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return isLinalgView(linalgOp);
  return false;
}

//===----------------------------------------------------------------------===//
// Dimensions on the way down
//===----------------------------------------------------------------------===//

namespace {
/// What is known of the dimensions of a view's value.
struct Dimensions {
  SmallVector<bool, 4> broadcast;
  SmallVector<int64_t, 4> extents;

  void append(bool isBroadcast, int64_t extent) {
    broadcast.push_back(isBroadcast || extent == 1);
    extents.push_back(extent);
  }
};
} // namespace

static Dimensions getDimensions(RankedTensorType type) {
  Dimensions result;
  for (int64_t extent : type.getShape())
    result.append(/*isBroadcast=*/false, extent);
  return result;
}

static Dimensions passThrough(tensor::ExpandShapeOp op,
                              const Dimensions &source) {
  Dimensions result;
  RankedTensorType type = op.getResultType();
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices()))
    for (int64_t index : group)
      result.append(source.broadcast[dim], group.size() == 1
                                               ? source.extents[dim]
                                               : type.getDimSize(index));
  return result;
}

static Dimensions passThrough(tensor::CollapseShapeOp op,
                              const Dimensions &source) {
  Dimensions result;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    bool isBroadcast = true;
    int64_t extent = 1;
    for (int64_t index : group) {
      isBroadcast &= source.broadcast[index];
      bool isDynamic = ShapedType::isDynamic(extent) ||
                       ShapedType::isDynamic(source.extents[index]);
      extent =
          isDynamic ? ShapedType::kDynamic : extent * source.extents[index];
    }
    result.append(isBroadcast, extent);
  }
  return result;
}

static Dimensions passThrough(tensor::ExtractSliceOp op,
                              const Dimensions &source) {
  Dimensions result;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(op.getStaticSizes()))
    if (!dropped.test(dim))
      result.append(source.broadcast[dim], size);
  return result;
}

static Dimensions passThrough(linalg::LinalgOp op, const Dimensions &source) {
  AffineMap inputMap = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap outputMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Dimensions result;
  for (auto [dim, expr] : llvm::enumerate(outputMap.getResults())) {
    std::optional<unsigned> from = inputMap.getResultPosition(expr);
    if (from)
      result.append(source.broadcast[*from], source.extents[*from]);
    else
      result.append(/*isBroadcast=*/true, type.getDimSize(dim));
  }
  return result;
}

/// The dimensions of `op`'s result, given those of the operand it moves.
static Dimensions passThrough(Operation *op, const Dimensions &source) {
  return llvm::TypeSwitch<Operation *, Dimensions>(op)
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
            tensor::ExtractSliceOp, linalg::LinalgOp>(
          [&](auto viewOp) { return passThrough(viewOp, source); })
      // Casts of the type keep shape and extents.
      .Default([&](Operation *) { return source; });
}

//===----------------------------------------------------------------------===//
// Tracing
//===----------------------------------------------------------------------===//

/// A concat of weights: every piece must be one.
static std::optional<WeightView> traceConcat(tensor::ConcatOp concat) {
  WeightView result;
  for (Value piece : concat.getInputs()) {
    std::optional<WeightView> view = traceWeight(piece);
    if (!view)
      return std::nullopt;
    result.weights.append(view->weights);
    result.views.append(view->views);
  }
  Dimensions dimensions = getDimensions(concat.getResultType());
  result.value = concat.getResult();
  result.views.push_back(concat);
  result.broadcast = dimensions.broadcast;
  result.extents = dimensions.extents;
  return result;
}

std::optional<WeightView> traceWeight(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return std::nullopt;
  if (!getWeightName(value).empty()) {
    Dimensions dimensions = getDimensions(type);
    return WeightView{{cast<BlockArgument>(value)},
                      {},
                      value,
                      dimensions.broadcast,
                      dimensions.extents};
  }
  Operation *op = value.getDefiningOp();
  if (!op || !isWeightViewOp(op))
    return std::nullopt;
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return traceConcat(concat);
  std::optional<WeightView> view = traceWeight(op->getOperand(0));
  if (!view)
    return std::nullopt;
  Dimensions dimensions = passThrough(op, {view->broadcast, view->extents});
  view->views.push_back(op);
  view->value = value;
  view->broadcast = std::move(dimensions.broadcast);
  view->extents = std::move(dimensions.extents);
  return view;
}

Value skipViews(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    // Two slices of one tensor are different values.
    if (!isWeightViewOp(op) ||
        isa<tensor::ConcatOp, tensor::ExtractSliceOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

} // namespace nvfp4
