//===- FoldTransposes.cpp - Operands as they were before a transpose ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Swaps the last two dimensions of what a contraction reads where that keeps
// the innermost dimension of memory innermost and puts K last.
//
// Expects: linalg on tensors; operands already rounded to 16 bits.
// Leaves:  contractions over the same loops, in the same order.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/TypeSwitch.h"

namespace nvfp4 {
#define GEN_PASS_DEF_FOLDTRANSPOSESPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

class FoldTransposesPass final
    : public impl::FoldTransposesPassBase<FoldTransposesPass> {
public:
  using Base::Base;
  void runOnOperation() override;
};

} // namespace

template <typename Elements> static void swapLastTwo(Elements &elements) {
  std::swap(elements[elements.size() - 1], elements[elements.size() - 2]);
}

static RankedTensorType getSwapped(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  swapLastTwo(shape);
  return tensor.clone(shape);
}

//===----------------------------------------------------------------------===//
// What can be swapped
//===----------------------------------------------------------------------===//

/// The map of the input of an op that computes each element of its result from
/// one of its only input and nothing else; null for any other op.
static AffineMap getElementMap(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 1 ||
      op->getNumResults() != 1 ||
      linalgOp.getNumParallelLoops() != linalgOp.getNumLoops() ||
      linalgOp.hasIndexSemantics())
    return {};
  OpOperand *init = linalgOp.getDpsInitOperand(0);
  if (!linalgOp.getMatchingIndexingMap(init).isIdentity() ||
      linalgOp.payloadUsesValueFromOperand(init))
    return {};
  AffineMap map =
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(0));
  return map.getNumDims() >= 2 && map.getNumResults() >= 2 ? map : AffineMap();
}

/// Whether an op makes the innermost dimension of its input the last but one,
/// so that swapping the last two of its result makes it innermost again.
static bool isTranspose(Operation *op) {
  if (!isa<linalg::TransposeOp, linalg::GenericOp>(op))
    return false;
  AffineMap map = getElementMap(op);
  return map && map.isProjectedPermutation(/*allowZeroInResults=*/true) &&
         map.getResults().back() ==
             getAffineDimExpr(map.getNumDims() - 2, op->getContext());
}

static bool keepsLastTwo(ArrayRef<ReassociationIndices> groups) {
  return groups.size() >= 2 && groups.back().size() == 1 &&
         groups[groups.size() - 2].size() == 1;
}

/// Whether the last two dimensions of an op's result are those of its first
/// operand, and no other dimension has to do with them.
static bool keepsLastTwo(Operation *op) {
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return keepsLastTwo(collapse.getReassociationIndices());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return keepsLastTwo(expand.getReassociationIndices());
  if (isa<tensor::CastOp>(op) ||
      (OpTrait::hasElementwiseMappableTraits(op) && op->getNumOperands() == 1))
    return isa<RankedTensorType>(op->getOperand(0).getType());
  AffineMap map = getElementMap(op);
  if (!map)
    return false;
  unsigned last = map.getNumDims() - 1;
  auto others = map.getResults().drop_back(2);
  return map.getResults().take_back(2) ==
             ArrayRef{getAffineDimExpr(last - 1, op->getContext()),
                      getAffineDimExpr(last, op->getContext())} &&
         llvm::none_of(others, [&](AffineExpr expr) {
           return expr.isFunctionOfDim(last - 1) || expr.isFunctionOfDim(last);
         });
}

/// Whether one op reads `value`; others may ask for its extents.
static bool hasOneReader(Value value) {
  return llvm::count_if(value.getUses(), [](OpOperand &use) {
           auto dim = dyn_cast<tensor::DimOp>(use.getOwner());
           return !dim || !dim.getConstantIndex();
         }) == 1;
}

/// The ops from a transpose down to `operand`, the last one first; empty if
/// there is no transpose, or something reads what is in between.
static SmallVector<Operation *> findChain(Value operand) {
  SmallVector<Operation *> chain;
  for (Value value = operand; Operation *op = value.getDefiningOp();
       value = op->getOperand(0)) {
    if (!hasOneReader(value))
      break;
    chain.push_back(op);
    if (isTranspose(op))
      return chain;
    if (!keepsLastTwo(op))
      break;
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Swapping
//===----------------------------------------------------------------------===//

/// An init like that of `op` with its last two dimensions swapped.
static Value createSwappedInit(OpBuilder &builder, linalg::LinalgOp op) {
  Value init = op.getDpsInitOperand(0)->get();
  auto empty = init.getDefiningOp<tensor::EmptyOp>();
  SmallVector<OpFoldResult> sizes =
      empty ? empty.getMixedSizes()
            : tensor::getMixedSizes(builder, op.getLoc(), init);
  swapLastTwo(sizes);
  return tensor::EmptyOp::create(builder, op.getLoc(), sizes,
                                 getElementTypeOrSelf(init.getType()));
}

/// The result of a transpose with its last two dimensions swapped.
static Value swapTranspose(OpBuilder &builder, linalg::LinalgOp op) {
  Value source = op.getDpsInputOperand(0)->get();
  RankedTensorType type = getSwapped(op->getResult(0).getType());
  if (auto transpose = dyn_cast<linalg::TransposeOp>(*op)) {
    SmallVector<int64_t> permutation(transpose.getPermutation());
    swapLastTwo(permutation);
    if (!llvm::is_sorted(permutation))
      return linalg::TransposeOp::create(builder, op.getLoc(), source,
                                         createSwappedInit(builder, op),
                                         permutation)
          ->getResult(0);
    return source.getType() == type
               ? source
               : tensor::CastOp::create(builder, op.getLoc(), type, source);
  }
  Operation *swapped =
      clone(builder, op, type, {source, createSwappedInit(builder, op)});
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<AffineExpr> dims;
  for (unsigned i = 0; i < maps[0].getNumDims(); ++i)
    dims.push_back(builder.getAffineDimExpr(i));
  swapLastTwo(dims);
  maps[0] =
      maps[0].replaceDimsAndSymbols(dims, {}, dims.size(), /*numResultSyms=*/0);
  cast<linalg::GenericOp>(swapped).setIndexingMapsAttr(
      builder.getAffineMapArrayAttr(maps));
  return swapped->getResult(0);
}

/// The result of an op that keeps the last two dimensions, both swapped, of its
/// swapped source.
static Value swapKept(OpBuilder &builder, Operation *op, Value source) {
  RankedTensorType type = getSwapped(op->getResult(0).getType());
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](tensor::CollapseShapeOp collapse) {
        return tensor::CollapseShapeOp::create(
            builder, op->getLoc(), type, source,
            collapse.getReassociationIndices());
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        SmallVector<OpFoldResult> shape = expand.getMixedOutputShape();
        swapLastTwo(shape);
        return tensor::ExpandShapeOp::create(
            builder, op->getLoc(), type, source,
            expand.getReassociationIndices(), shape);
      })
      .Case([&](linalg::LinalgOp linalgOp) {
        Value init = createSwappedInit(builder, linalgOp);
        return clone(builder, op, type, {source, init})->getResult(0);
      })
      .Default([&](Operation *) {
        return clone(builder, op, type, source)->getResult(0);
      });
}

/// Lets those who ask for extents of `value` ask for those of `swapped`.
static void moveDims(OpBuilder &builder, Value value, Value swapped) {
  int64_t last = cast<RankedTensorType>(value.getType()).getRank() - 1;
  for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
    auto dim = dyn_cast<tensor::DimOp>(user);
    if (!dim)
      continue;
    int64_t index = *dim.getConstantIndex();
    if (index >= last - 1)
      index = 2 * last - 1 - index;
    builder.setInsertionPoint(dim);
    dim.replaceAllUsesWith(
        tensor::DimOp::create(builder, dim.getLoc(), swapped, index)
            .getResult());
    dim.erase();
  }
}

/// Makes a chain anew with the last two dimensions of its result swapped.
static Value swapChain(OpBuilder &builder, ArrayRef<Operation *> chain) {
  Value source;
  for (Operation *op : llvm::reverse(chain)) {
    builder.setInsertionPoint(op);
    source = source ? swapKept(builder, op, source)
                    : swapTranspose(builder, cast<linalg::LinalgOp>(op));
    moveDims(builder, op->getResult(0), source);
  }
  return source;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The input of a contraction that has K last but one, and a chain to swap.
static OpOperand *findOperand(const ContractionInfo &info,
                              SmallVector<Operation *> &chain) {
  linalg::LinalgOp op = info.op;
  if (info.k.size() != 1)
    return nullptr;
  AffineExpr k = getAffineDimExpr(info.k.front(), op.getContext());
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Type element = getElementTypeOrSelf(operand->get().getType());
    AffineMap map = op.getMatchingIndexingMap(operand);
    unsigned rank = map.getNumResults();
    if (!(element.isBF16() || element.isF16()) || rank < 2 ||
        map.getResult(rank - 2) != k)
      continue;
    chain = findChain(operand->get());
    if (!chain.empty())
      return operand;
  }
  return nullptr;
}

/// Swaps the last two dimensions of an input, which is `value` from now on.
static linalg::LinalgOp replaceInput(RewriterBase &rewriter,
                                     linalg::LinalgOp op, unsigned number,
                                     Value value) {
  auto generic = dyn_cast<linalg::GenericOp>(*op);
  if (!generic) {
    DictionaryAttr attributes = op->getDiscardableAttrDictionary();
    rewriter.setInsertionPoint(op);
    // Contractions have bodies, so this does not fail.
    generic = *linalg::generalizeNamedOp(rewriter, op);
    generic->setDiscardableAttrs(attributes);
  }
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  SmallVector<AffineExpr> results(maps[number].getResults());
  swapLastTwo(results);
  maps[number] = AffineMap::get(maps[number].getNumDims(), 0, results,
                                rewriter.getContext());
  generic.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
  generic->setOperand(number, value);
  return cast<linalg::LinalgOp>(*generic);
}

void FoldTransposesPass::runOnOperation() {
  if (getOperation()->hasAttr(kPackAttrName))
    return;
  SmallVector<Operation *> contractions;
  getOperation()->walk([&](linalg::LinalgOp op) {
    if (analyzeContraction(op))
      contractions.push_back(op);
  });
  IRRewriter rewriter(&getContext());
  SmallVector<Operation *> chain;
  for (Operation *op : contractions)
    while (OpOperand *operand = findOperand(*analyzeContraction(op), chain)) {
      unsigned number = operand->getOperandNumber();
      Value swapped = swapChain(rewriter, chain);
      op = replaceInput(rewriter, cast<linalg::LinalgOp>(op), number, swapped);
      for (Operation *old : chain)
        old->erase();
      ++numFolded;
      remark::passed(
          op->getLoc(),
          remark::RemarkOpts::name("FoldTransposes").category("nvfp4"))
          << "reads an operand as it was before a transpose";
    }
}

} // namespace nvfp4
