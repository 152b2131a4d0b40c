//===- ResultsToDestinations.cpp - Results go to the caller's buffers -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry function returns tensors; the host ABI hands it buffers to fill.
// This pass appends one memref argument per result and writes the result there,
// in a form that one-shot bufferization turns into a write in place by the op
// that computes it. What the function still returns is the extents of its
// dynamic results, from which the workspace planner makes `plan`.
//
// Expects: entry functions on tensors, one block, with `nvfp4.entry`.
// Leaves:  entry functions without tensor results, arguments not writable.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Utils/Utils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace nvfp4 {
#define GEN_PASS_DEF_RESULTSTODESTINATIONSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

/// Gives every use of an empty tensor one of its own. CSE merges them, and then
/// two ops compete for the one destination that could be the caller's buffer.
static void duplicateEmptyTensors(func::FuncOp func) {
  SmallVector<tensor::EmptyOp> empties;
  func.walk([&](tensor::EmptyOp op) { empties.push_back(op); });
  for (tensor::EmptyOp empty : empties) {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : empty->getUses())
      uses.push_back(&use);
    for (OpOperand *use : llvm::drop_begin(uses, uses.empty() ? 0 : 1)) {
      OpBuilder builder(empty);
      use->set(builder.clone(*empty)->getResult(0));
    }
  }
}

/// The operand whose buffer the op that computes `value` overwrites; null if
/// there is none.
static OpOperand *getOverwritten(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return nullptr;
  if (auto loop = dyn_cast<scf::ForOp>(result.getOwner()))
    return loop.getTiedLoopInit(result);
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(result.getOwner()))
    return dps.getTiedOpOperand(result);
  return nullptr;
}

/// Whether an op computes its only result from scalars alone.
static bool isFill(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  return linalgOp && op->getNumResults() == 1 &&
         linalgOp.isAllParallelLoops() &&
         llvm::none_of(linalgOp.getDpsInputs(), [](Value input) {
           return isa<TensorType>(input.getType());
         });
}

/// Gives the op of an operand a tensor to overwrite that nothing else uses.
static void separate(OpOperand &overwritten) {
  Value shared = overwritten.get();
  Operation *user = overwritten.getOwner();
  OpBuilder builder(user);
  if (isFill(shared.getDefiningOp())) {
    builder.setInsertionPoint(shared.getDefiningOp());
    overwritten.set(builder.clone(*shared.getDefiningOp())->getResult(0));
    return;
  }
  Location loc = user->getLoc();
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, shared),
      cast<RankedTensorType>(shared.getType()).getElementType());
  overwritten.set(
      linalg::CopyOp::create(builder, loc, shared, empty).getResult(0));
}

/// Makes the tensors that a result overwrites, one after the other, its own.
/// They all live in the caller's buffer. Bufferization does not see that the
/// write to that buffer, at the end, ends what another result keeps there.
static void separateDestinations(Value result) {
  OpOperand *overwritten = nullptr;
  for (Value value = result; value;) {
    if (overwritten && !value.hasOneUse() &&
        !value.getDefiningOp<tensor::EmptyOp>()) {
      separate(*overwritten);
      value = overwritten->get();
    }
    if (OpOperand *next = getOverwritten(value)) {
      overwritten = next;
      value = next->get();
    } else if (Operation *op = value.getDefiningOp();
               isa_and_nonnull<tensor::CastOp, tensor::ExpandShapeOp,
                               tensor::CollapseShapeOp>(op)) {
      value = op->getOperand(0);
    } else {
      return;
    }
  }
}

/// Makes every loop write its carried tensors in place, so that no buffer is
/// born in one iteration and read in the next.
static void writeLoopResultsInPlace(func::FuncOp func) {
  func.walk([](scf::ForOp loop) {
    Operation *yield = loop.getBody()->getTerminator();
    OpBuilder builder(yield);
    for (auto [arg, operand] :
         llvm::zip_equal(loop.getRegionIterArgs(), yield->getOpOperands())) {
      Value value = operand.get();
      if (!isa<RankedTensorType>(value.getType()) || value == arg)
        continue;
      operand.set(bufferization::MaterializeInDestinationOp::create(
                      builder, yield->getLoc(), value.getType(), value, arg)
                      .getResult());
    }
  });
}

/// The value to write and the memref to write it to. A trailing expand_shape is
/// undone on the destination, because no destination passes through it.
static std::pair<Value, Value> peelExpandShapes(OpBuilder &builder, Value value,
                                                Value dest) {
  while (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>()) {
    auto collapsed = memref::CollapseShapeOp::computeCollapsedType(
        cast<MemRefType>(dest.getType()), expand.getReassociationIndices());
    if (collapsed.getShape() != expand.getSrcType().getShape())
      break;
    dest = memref::CollapseShapeOp::create(builder, expand.getLoc(), dest,
                                           expand.getReassociationIndices());
    value = expand.getSrc();
  }
  return {value, dest};
}

/// Appends a buffer for result `index` and writes `value` there.
static void writeToNewArgument(func::FuncOp func, unsigned index, Value value,
                               func::ReturnOp returnOp) {
  auto type = cast<RankedTensorType>(value.getType());
  auto destType = MemRefType::get(type.getShape(), type.getElementType());
  OpBuilder builder(func.getContext());
  NamedAttrList attrs(func.getResultAttrDict(index));
  attrs.set(nvfp4::kResultAttrName, builder.getI64IntegerAttr(index));
  unsigned position = func.getNumArguments();
  (void)func.insertArgument(position, destType,
                            attrs.getDictionary(func.getContext()),
                            returnOp.getLoc());

  builder.setInsertionPointToStart(&func.getBody().front());
  auto [source, dest] =
      peelExpandShapes(builder, value, func.getArgument(position));
  builder.setInsertionPoint(returnOp);
  auto write = bufferization::MaterializeInDestinationOp::create(
      builder, returnOp.getLoc(), source, dest);
  write.setWritable(true);
  write.setRestrict(true);
}

namespace {
/// Follows extents through structured control flow to values at function level,
/// which upstream's reification does not do. Otherwise the planner would see
/// the extent of a result as that of the destination, which is the question.
class ExtentTracer {
public:
  ExtentTracer(func::FuncOp func, OpBuilder &builder)
      : func(func), builder(builder) {}

  /// Extent `dim` of `tensor` as a value at function level; null if it cannot
  /// be traced there.
  Value trace(Value tensor, int64_t dim);

private:
  Value traceIndex(Value index);
  bool isVisible(Value value) {
    return value.getParentRegion() == &func.getBody();
  }

  func::FuncOp func;
  OpBuilder &builder;
};
} // namespace

/// Whether two values are the same extent, as far as one can see.
static bool isSameExtent(Value lhs, Value rhs) {
  if (lhs == rhs)
    return true;
  std::optional<int64_t> lhsConstant = getConstantIntValue(lhs);
  if (lhsConstant && lhsConstant == getConstantIntValue(rhs))
    return true;
  auto lhsDim = lhs.getDefiningOp<tensor::DimOp>();
  auto rhsDim = rhs.getDefiningOp<tensor::DimOp>();
  return lhsDim && rhsDim && lhsDim.getSource() == rhsDim.getSource() &&
         lhsDim.getConstantIndex() &&
         lhsDim.getConstantIndex() == rhsDim.getConstantIndex();
}

Value ExtentTracer::traceIndex(Value index) {
  if (isVisible(index))
    return index;
  if (auto dim = index.getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> number = dim.getConstantIndex())
      return trace(dim.getSource(), *number);
  return Value();
}

Value ExtentTracer::trace(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return arith::ConstantIndexOp::create(builder, func.getLoc(),
                                          type.getDimSize(dim));
  if (auto arg = dyn_cast<BlockArgument>(tensor))
    if (auto loop = dyn_cast<scf::ForOp>(arg.getOwner()->getParentOp()))
      return trace(loop.getTiedLoopInit(arg)->get(), dim);
  if (auto result = dyn_cast<OpResult>(tensor)) {
    Operation *op = result.getOwner();
    unsigned number = result.getResultNumber();
    if (auto empty = dyn_cast<tensor::EmptyOp>(op))
      return traceIndex(empty.getDynamicSize(dim));
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return trace(loop.getTiedLoopInit(result)->get(), dim);
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      Value onTrue = trace(branch.thenYield().getOperand(number), dim);
      Value onFalse = trace(branch.elseYield().getOperand(number), dim);
      if (onTrue && onFalse && isSameExtent(onTrue, onFalse))
        return onTrue;
    } else if (auto dps = dyn_cast<DestinationStyleOpInterface>(op)) {
      return trace(dps.getTiedOpOperand(result)->get(), dim);
    }
  }
  if (isVisible(tensor))
    return tensor::DimOp::create(builder, func.getLoc(), tensor, dim);
  return Value();
}

/// The extents of the dynamic dimensions of `values`, one after the other.
static SmallVector<Value>
getDynamicExtents(func::FuncOp func, OpBuilder &builder, ValueRange values) {
  ExtentTracer tracer(func, builder);
  SmallVector<Value> extents;
  for (Value value : values) {
    auto type = cast<RankedTensorType>(value.getType());
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        extents.push_back(tracer.trace(value, i));
  }
  return extents;
}

namespace {
class ResultsToDestinationsPass final
    : public nvfp4::impl::ResultsToDestinationsPassBase<
          ResultsToDestinationsPass> {
  void getDependentDialects(DialectRegistry &registry) const override {
    ResultsToDestinationsPassBase::getDependentDialects(registry);
    registry.insert<linalg::LinalgDialect>();
  }

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (!nvfp4::isEntryFunction(func))
      return;
    // Before the attributes that it comes from are gone.
    if (failed(nvfp4::EntryInterface::read(func)))
      return signalPassFailure();
    if (!func.getBody().hasOneBlock()) {
      func.emitError("expected an entry function of one block, but got ")
          << func.getBody().getBlocks().size()
          << "; branches must be structured ('scf')";
      return signalPassFailure();
    }

    for (Value result : func.getBody().front().back().getOperands())
      if (isa<TensorType>(result.getType()))
        separateDestinations(result);
    duplicateEmptyTensors(func);
    writeLoopResultsInPlace(func);

    Builder builder(func.getContext());
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (isa<TensorType>(func.getArgument(i).getType()))
        func.setArgAttr(i,
                        bufferization::BufferizationDialect::kWritableAttrName,
                        builder.getBoolAttr(false));
    rewriteResults(func);
  }

  void rewriteResults(func::FuncOp func) {
    auto returnOp = cast<func::ReturnOp>(func.getBody().front().back());
    SmallVector<Value> values(returnOp.getOperands());
    OpBuilder builder(returnOp);
    SmallVector<Value> extents = getDynamicExtents(func, builder, values);
    for (auto [i, value] : llvm::enumerate(values))
      writeToNewArgument(func, i, value, returnOp);
    numResults += values.size();

    func.removeResAttrsAttr();
    SmallVector<Type> types(extents.size(), builder.getIndexType());
    func.setFunctionType(
        builder.getFunctionType(func.getArgumentTypes(), types));
    returnOp.getOperandsMutable().assign(extents);
  }
};
} // namespace
