//===- FormDispatchesExtents.cpp - Extents come from arguments ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host knows the extents of everything before the first kernel runs: each
// is arithmetic on the extents of arguments. That keeps tensor.dim from tying
// host code to a kernel's result, and equal extents one value.
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace nvfp4;

Value ExtentResolver::getValue(OpFoldResult extent) {
  std::optional<int64_t> number = getConstantIntValue(extent);
  if (!number)
    return cast<Value>(extent);
  Value &constant = constants[*number];
  if (!constant) {
    OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
    constant = arith::ConstantIndexOp::create(builder, func.getLoc(), *number);
  }
  return constant;
}

/// Arithmetic, once for equal operands and as early as they permit.
template <typename OpTy> Value ExtentResolver::combine(Value lhs, Value rhs) {
  auto keyOf = [](Value first, Value second) {
    return std::make_tuple(TypeID::get<OpTy>().getAsOpaquePointer(),
                           first.getAsOpaquePointer(),
                           second.getAsOpaquePointer());
  };
  for (auto key : {keyOf(lhs, rhs), keyOf(rhs, lhs)})
    if (auto it = combined.find(key); it != combined.end())
      return it->second;
  OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
  Operation *first = lhs.getDefiningOp(), *second = rhs.getDefiningOp();
  Operation *last =
      !first || (second && first->isBeforeInBlock(second)) ? second : first;
  if (last)
    builder.setInsertionPointAfter(last);
  return combined[keyOf(lhs, rhs)] =
             OpTy::create(builder, func.getLoc(), lhs, rhs);
}

/// Constant factors come last and are one, so that equal products are equal.
Value ExtentResolver::multiply(Value lhs, Value rhs) {
  int64_t factor = 1;
  Value product;
  for (Value value : {lhs, rhs}) {
    if (auto inner = value.getDefiningOp<arith::MulIOp>())
      if (std::optional<int64_t> number = getConstantIntValue(inner.getRhs())) {
        factor *= *number;
        value = inner.getLhs();
      }
    if (std::optional<int64_t> number = getConstantIntValue(value))
      factor *= *number;
    else
      product = product ? combine<arith::MulIOp>(product, value) : value;
  }
  Value constant = getValue(OpBuilder(func.getContext()).getIndexAttr(factor));
  if (!product || factor == 1)
    return product ? product : constant;
  return combine<arith::MulIOp>(product, constant);
}

Value ExtentResolver::get(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return getValue(IntegerAttr::get(IndexType::get(func.getContext()),
                                     type.getDimSize(dim)));
  if (Value extent = known.lookup({tensor, dim}))
    return extent;
  Value extent = compute(tensor, dim);
  known[{tensor, dim}] = extent;
  return extent;
}

Value ExtentResolver::compute(Value tensor, int64_t dim) {
  OpBuilder builder = OpBuilder::atBlockBegin(&func.getBody().front());
  if (Operation *op = tensor.getDefiningOp()) {
    if (Value extent = computeOfOp(op, tensor, dim))
      return extent;
    builder.setInsertionPointAfter(op);
    return tensor::DimOp::create(builder, op->getLoc(), tensor, dim);
  }
  Value index = getValue(builder.getIndexAttr(dim));
  builder.setInsertionPointAfterValue(index);
  return tensor::DimOp::create(builder, func.getLoc(), tensor, index);
}

/// Null if the op does not say.
Value ExtentResolver::computeOfOp(Operation *op, Value tensor, int64_t dim) {
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return empty.getDynamicSize(dim);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return getValue(expand.getMixedOutputShape()[dim]);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return get(cast.getSource(), dim);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    SmallVector<ReassociationIndices> groups =
        collapse.getReassociationIndices();
    Value product = getValue(OpBuilder(op).getIndexAttr(1));
    for (int64_t source : groups[dim])
      product = multiply(product, get(collapse.getSrc(), source));
    return product;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    SmallVector<OpFoldResult> sizes;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(i))
        sizes.push_back(size);
    return getValue(sizes[dim]);
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return get(insert.getDest(), dim);
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Value extent = get(pad.getSource(), dim);
    extent =
        combine<arith::AddIOp>(extent, getValue(pad.getMixedLowPad()[dim]));
    return combine<arith::AddIOp>(extent, getValue(pad.getMixedHighPad()[dim]));
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (int64_t(concat.getDim()) != dim)
      return get(concat.getInputs().front(), dim);
    Value sum;
    for (Value input : concat.getInputs()) {
      Value extent = get(input, dim);
      sum = sum ? combine<arith::AddIOp>(sum, extent) : extent;
    }
    return sum;
  }
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    return get(dps.getTiedOpOperand(cast<OpResult>(tensor))->get(), dim);
  return Value();
}

LogicalResult ExtentResolver::readEntry() {
  if (!func->hasAttr(kEntryAttrName))
    return success();
  FailureOr<EntryInterface> entry = EntryInterface::read(func);
  if (failed(entry))
    return failure();
  llvm::DenseMap<unsigned, Value> dimensions;
  for (auto [tensor, argument] :
       llvm::zip(entry->arguments, func.getArguments()))
    for (auto [dim, extent] : llvm::enumerate(tensor.shape)) {
      if (!extent.dimension)
        continue;
      Value &value = dimensions[*extent.dimension];
      if (!value)
        value = get(argument, dim);
      known[{argument, dim}] = value;
    }
  return success();
}

SmallVector<Value> ExtentResolver::getDynamic(Value tensor) {
  SmallVector<Value> extents;
  auto type = cast<RankedTensorType>(tensor.getType());
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      extents.push_back(get(tensor, dim));
  return extents;
}

void ExtentResolver::replaceDims() {
  // In program order: what an op refers to has been replaced already.
  for (Operation &op : llvm::make_early_inc_range(func.getBody().front())) {
    Value extent;
    if (auto dim = dyn_cast<tensor::DimOp>(op)) {
      if (std::optional<int64_t> number = dim.getConstantIndex())
        extent = get(dim.getSource(), *number);
    } else if (op.getNumResults() == 1 && op.getResult(0).getType().isIndex()) {
      if (isa<arith::MulIOp>(op))
        extent = multiply(op.getOperand(0), op.getOperand(1));
      else if (isa<arith::AddIOp>(op))
        extent = combine<arith::AddIOp>(getValue(op.getOperand(0)),
                                        getValue(op.getOperand(1)));
    }
    if (!extent || extent.getDefiningOp() == &op)
      continue;
    op.getResult(0).replaceAllUsesWith(extent);
    op.erase();
  }
}
