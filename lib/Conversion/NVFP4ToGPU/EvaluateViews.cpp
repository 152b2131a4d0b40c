//===- EvaluateViews.cpp - Elements of views, constants and the rest ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where an element of a view comes from. A run of the result is a run of the
// source where it provably does not cross an edge, else it goes element by
// element.
//
//===----------------------------------------------------------------------===//

#include "ElementEvaluatorImpl.h"
#include "EvaluateBlocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

using Implementation = ElementEvaluator::Implementation;

/// Constants of so many elements become a chain of selections.
static constexpr int64_t kSmallConstant = 32;

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

/// What a value is a reshape of, if it is one of memory.
static BlockArgument getReshapedArgument(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
            op))
      return {};
    value = op->getOperand(0);
  }
  return cast<BlockArgument>(value);
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluateReshape(Value source, Value result,
                                ArrayRef<ReassociationIndices> groups,
                                bool isExpansion, Values index, int64_t count) {
  // Arguments are contiguous: a position serves every shape.
  BlockArgument argument = getReshapedArgument(source);
  if (argument && !bound.contains(argument) && !bound.contains(source)) {
    FailureOr<Run> extents = self.getExtents(result);
    if (failed(extents))
      return failure();
    return load(argument, self.linearize(index, *extents), count);
  }
  FailureOr<Run> extents = self.getExtents(isExpansion ? result : source);
  if (failed(extents))
    return failure();
  Run sourceIndex;
  if (isExpansion) {
    for (const ReassociationIndices &group : groups) {
      Values range = index.slice(group.front(), group.size());
      sourceIndex.push_back(self.linearize(
          range, ArrayRef(*extents).slice(group.front(), group.size())));
    }
    // The last dimension of the result runs along that of the source.
    return evaluate(source, sourceIndex, count);
  }
  if (groups.empty())
    sourceIndex.assign(extents->size(), self.constant(0));
  for (auto [position, group] : llvm::zip(index, groups))
    llvm::append_range(
        sourceIndex,
        self.delinearize(
            position, ArrayRef(*extents).slice(group.front(), group.size())));
  bool isRun =
      count == 1 || groups.back().size() == 1 ||
      (isMultiple(index.back(), count) && isMultiple(extents->back(), count));
  if (isRun)
    return evaluate(source, sourceIndex, count);
  return evaluateApart(result, index, count);
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

FailureOr<ElementEvaluator::Run>
Implementation::evaluateExtractSlice(tensor::ExtractSliceOp op, Values index,
                                     int64_t count) {
  FailureOr<Run> offsets = getIndices(op.getMixedOffsets());
  FailureOr<Run> strides = getIndices(op.getMixedStrides());
  if (failed(offsets) || failed(strides))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  unsigned last = offsets->size() - 1;
  if (count > 1 &&
      (dropped.test(last) || getConstantIntValue((*strides)[last]) != 1))
    return evaluateApart(op, index, count);
  Run source;
  unsigned next = 0;
  for (auto [dim, offset] : llvm::enumerate(*offsets))
    source.push_back(
        dropped.test(dim)
            ? offset
            : self.add(offset, self.mul(index[next++], (*strides)[dim])));
  return evaluate(op.getSource(), source, count);
}

/// offset <= position < end. The differences of indices below an offset wrap,
/// and nobody uses them.
static Value isBetween(ImplicitLocOpBuilder &builder, Value position,
                       Value offset, Value end) {
  Value result =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, position, end);
  if (getConstantIntValue(offset) == 0)
    return result;
  Value above = arith::CmpIOp::create(builder, arith::CmpIPredicate::uge,
                                      position, offset);
  return arith::AndIOp::create(builder, result, above);
}

static Value conjoin(ImplicitLocOpBuilder &builder, Value lhs, Value rhs) {
  return lhs ? arith::AndIOp::create(builder, lhs, rhs).getResult() : rhs;
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluateInsertSlice(tensor::InsertSliceOp op, Values index,
                                    int64_t count) {
  FailureOr<Run> offsets = getIndices(op.getMixedOffsets());
  FailureOr<Run> sizes = getIndices(op.getMixedSizes());
  FailureOr<Run> extents = self.getExtents(op.getDest());
  if (failed(offsets) || failed(sizes) || failed(extents))
    return failure();
  if (!op.hasUnitStride())
    return op.emitError("expected unit strides in a kernel");
  llvm::SmallBitVector dropped = op.getDroppedDims();
  bool isRun =
      count == 1 ||
      (!dropped.test(offsets->size() - 1) && isMultiple(index.back(), count) &&
       isMultiple(offsets->back(), count) && isMultiple(sizes->back(), count));
  if (!isRun)
    return evaluateApart(op, index, count);

  Value inside;
  Run source;
  for (unsigned dim = 0; dim < index.size(); ++dim) {
    Value offset = (*offsets)[dim], size = (*sizes)[dim];
    if (!dropped.test(dim))
      source.push_back(self.sub(index[dim], offset));
    if (getConstantIntValue(offset) != 0 || size != (*extents)[dim])
      inside = conjoin(
          builder, inside,
          isBetween(builder, index[dim], offset, self.add(offset, size)));
  }
  if (!inside)
    return evaluate(op.getSource(), source, count);
  return evaluateConditionally(
      inside, op.getType().getElementType(), count,
      [&] { return evaluate(op.getSource(), source, count); },
      [&] { return evaluate(op.getDest(), index, count); });
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluatePad(tensor::PadOp op, Values index, int64_t count) {
  Value padding = op.getConstantPaddingValue();
  if (!padding)
    return op.emitError("expected one padding value for all elements");
  FailureOr<Run> low = getIndices(op.getMixedLowPad());
  FailureOr<Run> extents = self.getExtents(op.getSource());
  if (failed(low) || failed(extents))
    return failure();
  bool isRun = count == 1 || (isMultiple(index.back(), count) &&
                              isMultiple(low->back(), count) &&
                              isMultiple(extents->back(), count));
  if (!isRun)
    return evaluateApart(op, index, count);

  Value inside;
  Run source;
  for (unsigned dim = 0; dim < index.size(); ++dim) {
    source.push_back(self.sub(index[dim], (*low)[dim]));
    if (op.getResultType().getDimSize(dim) != ShapedType::kDynamic &&
        op.getResultType().getDimSize(dim) ==
            op.getSourceType().getDimSize(dim))
      continue;
    inside = conjoin(builder, inside,
                     isBetween(builder, index[dim], (*low)[dim],
                               self.add((*low)[dim], (*extents)[dim])));
  }
  if (!inside)
    return evaluate(op.getSource(), source, count);
  return evaluateConditionally(
      inside, op.getResultType().getElementType(), count,
      [&] { return evaluate(op.getSource(), source, count); },
      [&]() -> FailureOr<Run> {
        FailureOr<Value> value = evaluateScalar(padding);
        return failed(value) ? FailureOr<Run>()
                             : FailureOr<Run>(Run(count, *value));
      });
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluateConcat(tensor::ConcatOp op, Values index,
                               int64_t count) {
  unsigned dim = op.getDim();
  Value end = self.constant(0);
  SmallVector<Value> starts;
  bool isRun =
      count == 1 || dim + 1 != index.size() || isMultiple(index.back(), count);
  for (Value input : op.getInputs()) {
    starts.push_back(end);
    FailureOr<Value> extent = evaluateExtent(input, dim);
    if (failed(extent))
      return failure();
    end = self.add(end, *extent);
    isRun &= count == 1 || dim + 1 != index.size() || isMultiple(end, count);
  }
  if (!isRun)
    return evaluateApart(op, index, count);

  // The first input whose end lies behind the index.
  std::function<FailureOr<Run>(unsigned)> search =
      [&](unsigned number) -> FailureOr<Run> {
    auto take = [&]() -> FailureOr<Run> {
      Run source(index);
      source[dim] = self.sub(index[dim], starts[number]);
      return evaluate(op.getInputs()[number], source, count);
    };
    if (number + 1 == op.getInputs().size())
      return take();
    Value isHere = arith::CmpIOp::create(builder, arith::CmpIPredicate::ult,
                                         index[dim], starts[number + 1]);
    return evaluateConditionally(isHere, op.getType().getElementType(), count,
                                 take, [&] { return search(number + 1); });
  };
  return search(0);
}

//===----------------------------------------------------------------------===//
// Constants and arithmetic
//===----------------------------------------------------------------------===//

FailureOr<ElementEvaluator::Run>
Implementation::evaluateConstant(Operation *op, Values index, int64_t count) {
  DenseElementsAttr values;
  matchPattern(op, m_Constant(&values));
  auto makeScalar = [&](Attribute value) -> Value {
    return arith::ConstantOp::create(builder, cast<TypedAttr>(value));
  };
  if (values && values.isSplat())
    return Run(count, makeScalar(values.getSplatValue<Attribute>()));
  if (!values || values.getNumElements() > kSmallConstant)
    return op->emitError("expected a constant of at most ")
           << kSmallConstant
           << " elements in a kernel: pass larger ones as arguments";
  FailureOr<Run> extents = self.getExtents(op->getResult(0));
  if (failed(extents))
    return failure();
  Run run;
  for (int64_t i = 0; i < count; ++i) {
    Value position = self.linearize(advance(index, i), *extents);
    Value chosen;
    for (auto [number, value] :
         llvm::enumerate(values.getValues<Attribute>())) {
      Value scalar = makeScalar(value);
      if (!chosen) {
        chosen = scalar;
        continue;
      }
      Value isThis = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq,
                                           position, self.constant(number));
      chosen = arith::SelectOp::create(builder, isThis, scalar, chosen);
    }
    run.push_back(chosen);
  }
  return run;
}

/// Arithmetic on tensors: the same on scalars.
FailureOr<ElementEvaluator::Run>
Implementation::evaluateElementwise(Operation *op, Value tensor, Values index,
                                    int64_t count) {
  SmallVector<Run> operands;
  for (Value operand : op->getOperands()) {
    if (isa<TensorType>(operand.getType())) {
      FailureOr<Run> run = evaluate(operand, index, count);
      if (failed(run))
        return failure();
      operands.push_back(*run);
      continue;
    }
    FailureOr<Value> scalar = evaluateScalar(operand);
    if (failed(scalar))
      return failure();
    operands.push_back(Run(count, *scalar));
  }
  Run run;
  for (int64_t i = 0; i < count; ++i) {
    OperationState state(op->getLoc(), op->getName());
    for (const Run &operand : operands)
      state.addOperands(operand[i]);
    for (Type type : op->getResultTypes())
      state.addTypes(getElementTypeOrSelf(type));
    state.addAttributes(op->getAttrs());
    run.push_back(builder.create(state)->getResult(
        cast<OpResult>(tensor).getResultNumber()));
  }
  return run;
}

/// tensor.from_elements: as small as a constant.
static FailureOr<SmallVector<Value>>
evaluateFromElements(ElementEvaluator &evaluator, ImplicitLocOpBuilder &builder,
                     tensor::FromElementsOp op, ArrayRef<Value> index,
                     int64_t count) {
  FailureOr<SmallVector<Value>> extents = evaluator.getExtents(op);
  if (failed(extents))
    return failure();
  SmallVector<Value> run;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> element(index);
    if (i)
      element.back() = evaluator.add(element.back(), evaluator.constant(i));
    Value position = evaluator.linearize(element, *extents), chosen;
    for (auto [number, value] : llvm::enumerate(op.getElements())) {
      FailureOr<Value> scalar = evaluator.getScalar(value);
      if (failed(scalar))
        return failure();
      if (!chosen) {
        chosen = *scalar;
        continue;
      }
      Value isThis =
          arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, position,
                                evaluator.constant(number));
      chosen = arith::SelectOp::create(builder, isThis, *scalar, chosen);
    }
    run.push_back(chosen);
  }
  return run;
}

//===----------------------------------------------------------------------===//
// All ops
//===----------------------------------------------------------------------===//

FailureOr<ElementEvaluator::Run> Implementation::evaluateOp(Operation *op,
                                                            Value tensor,
                                                            Values index,
                                                            int64_t count) {
  using Result = FailureOr<Run>;
  return TypeSwitch<Operation *, Result>(op)
      .Case([&](linalg::LinalgOp linalgOp) {
        return evaluateLinalg(
            linalgOp, cast<OpResult>(tensor).getResultNumber(), index, count);
      })
      .Case<DequantizeIntoOp, HadamardIntoOp, RelayoutIntoOp, TransposeIntoOp>(
          [&](Operation *blocks) {
            return evaluateBlockOp(self, kernel, blocks,
                                   cast<OpResult>(tensor).getResultNumber(),
                                   index, count);
          })
      .Case([&](tensor::ExpandShapeOp view) {
        return evaluateReshape(view.getSrc(), view,
                               view.getReassociationIndices(),
                               /*isExpansion=*/true, index, count);
      })
      .Case([&](tensor::CollapseShapeOp view) {
        return evaluateReshape(view.getSrc(), view,
                               view.getReassociationIndices(),
                               /*isExpansion=*/false, index, count);
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return evaluateExtractSlice(slice, index, count);
      })
      .Case([&](tensor::InsertSliceOp slice) {
        return evaluateInsertSlice(slice, index, count);
      })
      .Case([&](tensor::PadOp pad) { return evaluatePad(pad, index, count); })
      .Case([&](tensor::ConcatOp concat) {
        return evaluateConcat(concat, index, count);
      })
      .Case([&](tensor::CastOp cast) {
        return evaluate(cast.getSource(), index, count);
      })
      .Case([&](tensor::SplatOp splat) -> Result {
        FailureOr<Value> scalar = evaluateScalar(splat.getInput());
        return failed(scalar) ? Result() : Result(Run(count, *scalar));
      })
      .Case([&](tensor::FromElementsOp elements) {
        return evaluateFromElements(self, builder, elements, index, count);
      })
      // Nobody may depend on what an empty tensor holds.
      .Case([&](tensor::EmptyOp empty) -> Result {
        Type type = empty.getType().getElementType();
        Value zero =
            arith::ConstantOp::create(builder, type, builder.getZeroAttr(type));
        return Run(count, zero);
      })
      .Default([&](Operation *other) -> Result {
        if (other->hasTrait<OpTrait::ConstantLike>())
          return evaluateConstant(other, index, count);
        if (OpTrait::hasElementwiseMappableTraits(other))
          return evaluateElementwise(other, tensor, index, count);
        return other->emitError("expected an op whose elements a kernel can "
                                "compute one by one, but got '")
               << other->getName() << "'";
      });
}
