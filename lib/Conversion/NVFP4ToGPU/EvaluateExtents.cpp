//===- EvaluateExtents.cpp - Extents of a body's tensors ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Extents come from the op, and from the earliest value that has the same one:
// where two tensors agree, so do the SSA values, and positions in one are known
// to be positions in the other.
//
//===----------------------------------------------------------------------===//

#include "ElementEvaluatorImpl.h"

#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

using Implementation = ElementEvaluator::Implementation;

/// The size that became dimension `dim` of a slice.
static OpFoldResult getSize(tensor::ExtractSliceOp slice, unsigned dim) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  unsigned source = 0;
  for (unsigned kept = 0; dropped.test(source) || kept++ != dim; ++source)
    ;
  return slice.getMixedSizes()[source];
}

FailureOr<Value> Implementation::evaluateExtentOfOp(Operation *op, Value tensor,
                                                    unsigned dim) {
  using Result = FailureOr<Value>;
  return TypeSwitch<Operation *, Result>(op)
      .Case([&](DestinationStyleOpInterface dps) {
        return evaluateExtent(
            dps.getTiedOpOperand(cast<OpResult>(tensor))->get(), dim);
      })
      .Case([&](tensor::ExpandShapeOp view) {
        return getIndex(view.getMixedOutputShape()[dim]);
      })
      .Case([&](tensor::CollapseShapeOp view) -> Result {
        Value product = self.constant(1);
        SmallVector<ReassociationIndices> groups =
            view.getReassociationIndices();
        for (int64_t source : groups[dim]) {
          Result extent = evaluateExtent(view.getSrc(), source);
          if (failed(extent))
            return failure();
          product = self.mul(product, *extent);
        }
        return product;
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return getIndex(getSize(slice, dim));
      })
      .Case([&](tensor::PadOp pad) -> Result {
        Result extent = evaluateExtent(pad.getSource(), dim);
        Result low = getIndex(pad.getMixedLowPad()[dim]);
        Result high = getIndex(pad.getMixedHighPad()[dim]);
        if (failed(extent) || failed(low) || failed(high))
          return failure();
        return self.add(self.add(*extent, *low), *high);
      })
      .Case([&](tensor::ConcatOp concat) -> Result {
        if (dim != concat.getDim())
          return evaluateExtent(concat.getInputs()[0], dim);
        Value sum = self.constant(0);
        for (Value input : concat.getInputs()) {
          Result extent = evaluateExtent(input, dim);
          if (failed(extent))
            return failure();
          sum = self.add(sum, *extent);
        }
        return sum;
      })
      .Case([&](tensor::EmptyOp empty) {
        return getIndex(empty.getMixedSizes()[dim]);
      })
      .Case<tensor::CastOp, tensor::InsertSliceOp>([&](Operation *same) {
        return evaluateExtent(isa<tensor::CastOp>(same) ? same->getOperand(0)
                                                        : same->getOperand(1),
                              dim);
      })
      .Default([&](Operation *other) -> Result {
        if (OpTrait::hasElementwiseMappableTraits(other))
          for (Value operand : other->getOperands())
            if (isa<TensorType>(operand.getType()))
              return evaluateExtent(operand, dim);
        return other->emitError("expected an op whose extents follow from its "
                                "operands, but got '")
               << other->getName() << "'";
      });
}

FailureOr<Value> ElementEvaluator::getExtent(Value tensor, unsigned dim) {
  return implementation->evaluateExtent(tensor, dim);
}

FailureOr<ElementEvaluator::Run> ElementEvaluator::getExtents(Value tensor) {
  Run extents;
  for (int64_t dim = 0; dim < cast<ShapedType>(tensor.getType()).getRank();
       ++dim) {
    FailureOr<Value> extent = getExtent(tensor, dim);
    if (failed(extent))
      return failure();
    extents.push_back(*extent);
  }
  return extents;
}

/// The result that `argument` is the init of, if it is one.
static Value getReturnedValue(BlockArgument argument) {
  Operation *end = argument.getOwner()->getTerminator();
  unsigned numInputs =
      argument.getOwner()->getNumArguments() - end->getNumOperands();
  if (argument.getArgNumber() < numInputs)
    return {};
  return end->getOperand(argument.getArgNumber() - numInputs);
}

/// The dimension of a tensor that a size is, if it is one.
static std::pair<Value, unsigned> getDimension(OpFoldResult size) {
  auto value = dyn_cast<Value>(size);
  auto dim = value ? value.getDefiningOp<tensor::DimOp>() : tensor::DimOp();
  std::optional<int64_t> index = dim ? dim.getConstantIndex() : std::nullopt;
  if (!index)
    return {};
  return {dim.getSource(), *index};
}

/// One step toward the origin of an extent; null where it is.
static std::pair<Value, unsigned> getNextOrigin(Value tensor, unsigned dim) {
  if (auto op = tensor.getDefiningOp<linalg::LinalgOp>()) {
    AffineMap map = op.getIndexingMapMatchingResult(cast<OpResult>(tensor));
    for (OpOperand &operand : op->getOpOperands())
      if (isa<ShapedType>(operand.get().getType()))
        if (std::optional<unsigned> position =
                op.getMatchingIndexingMap(&operand).getResultPosition(
                    map.getResult(dim)))
          return {operand.get(), *position};
    return {};
  }
  if (auto cast = tensor.getDefiningOp<tensor::CastOp>())
    return {cast.getSource(), dim};
  if (auto slice = tensor.getDefiningOp<tensor::ExtractSliceOp>())
    return getDimension(getSize(slice, dim));
  if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
    return getDimension(empty.getMixedSizes()[dim]);
  // Global scales, codes, decoded and transformed elements have the rows of
  // what they come from.
  Operation *op = tensor.getDefiningOp();
  if (isa_and_nonnull<GlobalScaleIntoOp, HadamardIntoOp>(op))
    return {op->getOperand(0), dim};
  bool isRow = dim + 1 < cast<ShapedType>(tensor.getType()).getRank();
  if (isRow && (isa_and_nonnull<DequantizeIntoOp>(op) ||
                (isa_and_nonnull<QuantizeIntoOp>(op) &&
                 cast<OpResult>(tensor).getResultNumber() == 0)))
    return {op->getOperand(0), dim};
  if (auto dps = dyn_cast_or_null<DestinationStyleOpInterface>(op))
    return {dps.getTiedOpOperand(cast<OpResult>(tensor))->get(), dim};
  if (auto collapse = tensor.getDefiningOp<tensor::CollapseShapeOp>()) {
    SmallVector<ReassociationIndices> groups =
        collapse.getReassociationIndices();
    auto isLong = [&](int64_t source) {
      return collapse.getSrcType().getDimSize(source) != 1;
    };
    if (llvm::count_if(groups[dim], isLong) != 1)
      return {};
    return {collapse.getSrc(), *llvm::find_if(groups[dim], isLong)};
  }
  auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand)
    return {};
  for (auto [source, group] : llvm::enumerate(expand.getReassociationIndices()))
    if (llvm::is_contained(group, dim) &&
        llvm::all_of(group, [&](unsigned other) {
          return other == dim || expand.getResultType().getDimSize(other) == 1;
        }))
      return {expand.getSrc(), source};
  return {};
}

/// Follows what has the same extent upward, not through inits.
static std::pair<Value, unsigned> followOrigin(Value tensor, unsigned dim) {
  while (true) {
    std::pair<Value, unsigned> next = getNextOrigin(tensor, dim);
    if (!next.first)
      return {tensor, dim};
    std::tie(tensor, dim) = next;
  }
}

std::pair<Value, unsigned> nvfp4::getExtentOrigin(Value tensor, unsigned dim) {
  auto [origin, originDim] = followOrigin(tensor, dim);
  auto argument = dyn_cast<BlockArgument>(origin);
  Value returned = argument ? getReturnedValue(argument) : Value();
  if (!returned)
    return {origin, originDim};
  // An init has the extents of what is returned in it. Only inputs end the
  // search: other values may have the init's extent again.
  auto [input, inputDim] = followOrigin(returned, originDim);
  auto inputArgument = dyn_cast<BlockArgument>(input);
  if (inputArgument && !getReturnedValue(inputArgument))
    return {input, inputDim};
  return {origin, originDim};
}

FailureOr<Value> Implementation::evaluateExtent(Value tensor, unsigned dim) {
  auto type = cast<ShapedType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return self.constant(type.getDimSize(dim));
  Key key{Extent, dim};
  append(key, {tensor});
  if (const Run *known = lookup(key))
    return known->front();
  auto [origin, originDim] = getExtentOrigin(tensor, dim);
  if (std::pair(origin, originDim) != std::pair(tensor, dim)) {
    FailureOr<Value> extent = evaluateExtent(origin, originDim);
    if (failed(extent))
      return failure();
    return remember(key, {*extent}).front();
  }
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (!argument) {
    FailureOr<Value> extent =
        evaluateExtentOfOp(tensor.getDefiningOp(), tensor, dim);
    if (failed(extent))
      return failure();
    return remember(key, {*extent}).front();
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&kernel.getFunction().getBody().front());
  return rememberForever(key, {kernel.getExtent(argument, dim)}).front();
}
