//===- FormDispatchesRoles.cpp - What an op is to a kernel ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks at one op at a time, changes nothing.
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace nvfp4;

SmallVector<Value> nvfp4::getTensorOperands(Operation *op) {
  SmallVector<Value> tensors;
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      tensors.push_back(operand);
  llvm::SetVector<Value> captures;
  getUsedValuesDefinedAbove(op->getRegions(), captures);
  for (Value capture : captures)
    if (isa<RankedTensorType>(capture.getType()))
      tensors.push_back(capture);
  return tensors;
}

Value nvfp4::skipReshapes(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
            op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

SmallVector<unsigned> nvfp4::getLongLoops(linalg::LinalgOp op) {
  SmallVector<unsigned> loops;
  for (auto [loop, extent] : llvm::enumerate(op.getStaticLoopRanges()))
    if (extent != 1)
      loops.push_back(loop);
  return loops;
}

std::optional<SmallVector<unsigned>> nvfp4::getLoopOrder(linalg::LinalgOp op,
                                                         OpOperand &operand) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  ArrayRef<int64_t> shape = op.getShape(&operand);
  SmallVector<unsigned> order;
  for (auto [expr, extent] : llvm::zip_equal(
           op.getMatchingIndexingMap(&operand).getResults(), shape)) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop && extent == 1)
      continue;
    if (!loop)
      return std::nullopt;
    if (extents[loop.getPosition()] != 1)
      order.push_back(loop.getPosition());
  }
  return order;
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// Whether every element is the same constant, or nobody asks.
static bool isFill(linalg::LinalgOp op) {
  return op.getNumReductionLoops() == 0 && !op.hasIndexSemantics() &&
         getTensorOperands(op).size() == 1 && op->getNumResults() == 1 &&
         llvm::all_of(op.getRegionOutputArgs(),
                      [](BlockArgument arg) { return arg.use_empty(); });
}

/// Whether elements are integers that follow from their places alone, by
/// arithmetic that costs less than to read them: masks of later positions.
static bool isIndexArithmetic(linalg::LinalgOp op, unsigned depth = 0) {
  constexpr unsigned kMaxDepth = 4;
  if (depth == kMaxDepth || op.getNumReductionLoops() != 0 ||
      op->getNumResults() != 1 ||
      !getElementTypeOrSelf(op->getResult(0).getType()).isIntOrIndex() ||
      !op.hasPureTensorSemantics())
    return false;
  auto isCheap = [](Operation &inner) {
    return isa<linalg::IndexOp, linalg::YieldOp, arith::ConstantOp,
               arith::IndexCastOp, arith::ExtSIOp, arith::ExtUIOp,
               arith::TruncIOp, arith::AddIOp, arith::SubIOp, arith::MulIOp,
               arith::CmpIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp,
               arith::SelectOp>(inner);
  };
  auto isKnown = [&](Value tensor) {
    Operation *source = skipReshapes(tensor).getDefiningOp();
    auto producer = dyn_cast_or_null<linalg::LinalgOp>(source);
    return isa_and_nonnull<tensor::EmptyOp>(source) ||
           (producer && isIndexArithmetic(producer, depth + 1));
  };
  return llvm::all_of(*op.getBlock(), isCheap) &&
         llvm::all_of(getTensorOperands(op), isKnown);
}

/// Whether the body yields its input, perhaps widened.
static bool isMover(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0 ||
      !isa<RankedTensorType>(op.getDpsInputOperand(0)->get().getType()) ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isPermutation())
    return false;
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  if (auto widened = yielded.getDefiningOp<arith::ExtFOp>())
    yielded = widened.getIn();
  return yielded == op.getRegionInputArgs()[0];
}

static Role getLinalgRole(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics())
    return Role::Unknown;
  if (isFill(op) || isIndexArithmetic(op))
    return Role::Free;
  if (isMover(op))
    return Role::Mover;
  // Somebody has chosen how the MMA unit computes it.
  if (op->hasAttr(kKernelAttrName))
    return Role::Matmul;
  unsigned numLoops = op.getNumLoops(),
           numReductions = op.getNumReductionLoops();
  if (numReductions == 0)
    return Role::Elementwise;
  if (numReductions == numLoops)
    return Role::FullReduction;
  if (numReductions > 1 || op.getNumParallelLoops() != numLoops - 1 ||
      !linalg::isReductionIterator(op.getIteratorTypesArray().back()))
    return Role::Reduction;
  // One element per row, in the order of rows.
  SmallVector<unsigned> rows = getLongLoops(op);
  if (rows.empty() || rows.back() != numLoops - 1)
    return Role::Reduction;
  rows.pop_back();
  for (OpOperand &init : op.getDpsInitsMutable())
    if (getLoopOrder(op, init) != rows)
      return Role::Reduction;
  bool readsRows =
      llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
        return getLoopOrder(op, *input) == getLongLoops(op);
      });
  return readsRows ? Role::Row : Role::Reduction;
}

/// Whether only quantizers of rows read a transform: each computes it again
/// from what it reads anyway, which costs less than to write and read it.
static bool isOnlyQuantized(HadamardIntoOp op) {
  return !op->use_empty() && llvm::all_of(op->getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    auto quantize = dyn_cast<QuantizeIntoOp>(user);
    bool readsRows =
        quantize ? quantize.getBlockType().getFormat().getBlockRows() == 1
                 : isa<GlobalScaleIntoOp>(user);
    return readsRows && use.getOperandNumber() == 0;
  });
}

Role nvfp4::getRole(Operation *op) {
  if (op->getNumResults() == 0 ||
      llvm::none_of(op->getResultTypes(),
                    [](Type type) { return isa<TensorType>(type); }))
    return isa<tensor::ExtractOp>(op) ? Role::Unknown : Role::Host;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return getLinalgRole(linalgOp);
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
    return Role::View;
  if (isa<tensor::EmptyOp, arith::ConstantOp>(op))
    return Role::Free;
  if (isa<tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::PadOp,
          tensor::ConcatOp>(op))
    return Role::Mover;
  if (isa<ScaledMatmulOp>(op))
    return Role::Matmul;
  if (auto scale = dyn_cast<GlobalScaleIntoOp>(op))
    return scale.getFormat().getGranularity() == GlobalScaleGranularity::Row
               ? Role::Row
               : Role::FullReduction;
  if (auto quantize = dyn_cast<QuantizeIntoOp>(op))
    return quantize.getBlockType().getFormat().getBlockRows() == 1
               ? Role::Row
               : Role::Block;
  if (auto dequantize = dyn_cast<DequantizeIntoOp>(op))
    return getDecodedQuantization(dequantize) ? Role::Decode : Role::Alone;
  if (auto transform = dyn_cast<HadamardIntoOp>(op);
      transform && isOnlyQuantized(transform))
    return Role::Mover;
  if (isa<HadamardIntoOp, RelayoutIntoOp, TransposeIntoOp>(op))
    return Role::Alone;
  return Role::Unknown;
}
