//===- SinkWeightCasts.cpp - Views before casts of weights ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SinkWeightCasts.h"

#include "nvfp4/Target/Package/ExtractPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

/// What a value is widened from, element by element, or null.
static Value getWidenedSource(Value value) {
  if (auto extf = value.getDefiningOp<arith::ExtFOp>())
    return extf.getIn();
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic.getNumDpsInputs() != 1 ||
      generic->getNumResults() != 1 ||
      generic.getNumParallelLoops() != generic.getNumLoops() ||
      !llvm::all_of(generic.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return nullptr;
  Block *body = generic.getBody();
  auto extf =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::ExtFOp>();
  if (!extf || extf->getBlock() != body || extf.getIn() != body->getArgument(0))
    return nullptr;
  return generic.getDpsInputOperand(0)->get();
}

static Value createEmpty(OpBuilder &builder, Location loc,
                         RankedTensorType type) {
  return tensor::EmptyOp::create(builder, loc, type.getShape(),
                                 type.getElementType());
}

/// The view that `op` is, of `source` instead of its wide operand.
static Value createView(OpBuilder &builder, Operation *op, Value source,
                        RankedTensorType type) {
  Location loc = op->getLoc();
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](linalg::TransposeOp op) {
        return linalg::TransposeOp::create(builder, loc, source,
                                           createEmpty(builder, loc, type),
                                           op.getPermutation())
            ->getResult(0);
      })
      .Case([&](tensor::ExpandShapeOp op) {
        return tensor::ExpandShapeOp::create(builder, loc, type, source,
                                             op.getReassociationIndices());
      })
      .Case([&](tensor::CollapseShapeOp op) {
        return tensor::CollapseShapeOp::create(builder, loc, type, source,
                                               op.getReassociationIndices());
      })
      .Case([&](tensor::ExtractSliceOp op) {
        return tensor::ExtractSliceOp::create(
            builder, loc, type, source, op.getMixedOffsets(),
            op.getMixedSizes(), op.getMixedStrides());
      })
      .Default([](Operation *) { return Value(); });
}

static Value createWidening(OpBuilder &builder, Location loc, Value source,
                            RankedTensorType type) {
  AffineMap map = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, source, createEmpty(builder, loc, type),
             ArrayRef<AffineMap>{map, map}, loops,
             [&](OpBuilder &nested, Location loc, ValueRange arguments) {
               Value wide = arith::ExtFOp::create(
                   nested, loc, type.getElementType(), arguments[0]);
               linalg::YieldOp::create(nested, loc, wide);
             })
      .getResult(0);
}

void nvfp4::sinkWeightCasts(func::FuncOp entry) {
  WeightAnalysis weights;
  SmallVector<Operation *> views;
  entry.walk([&](Operation *op) {
    if (isa<linalg::TransposeOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
            tensor::ExtractSliceOp>(op))
      views.push_back(op);
  });
  // In program order, so that a cast sinks through a whole chain.
  for (Operation *op : views) {
    if (op->getNumResults() != 1 || !weights.get(op->getResult(0)))
      continue;
    Value source = getWidenedSource(op->getOperand(0));
    if (!source)
      continue;
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    OpBuilder builder(op);
    Value view = createView(builder, op, source,
                            type.clone(getElementTypeOrSelf(source.getType())));
    op->getResult(0).replaceAllUsesWith(
        createWidening(builder, op->getLoc(), view, type));
  }
}
