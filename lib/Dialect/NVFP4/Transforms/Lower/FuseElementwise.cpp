//===- FuseElementwise.cpp - One loop nest instead of several -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fuses elementwise producers into their consumers with the upstream patterns,
// where that saves memory traffic and repeats no work.
//
// Expects: linalg on tensors.
// Leaves:  linalg.generic for everything but contractions in named form.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace nvfp4 {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

/// Whether the body only moves elements, or widens them.
static bool isDataMovement(linalg::GenericOp op) {
  return llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return isa<arith::ExtFOp, arith::ConstantOp>(inner);
  });
}

/// Whether every iteration of the consumer reads another element.
static bool readsEachElementOnce(OpOperand *operand) {
  auto consumer = cast<linalg::GenericOp>(operand->getOwner());
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  return map.isPermutation();
}

static bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || linalg::isaContractionOpInterface(producer))
    return false;
  // See FuseIntoContraction.
  if (linalg::isaContractionOpInterface(consumer))
    return false;
  // Moving an element is no work that could be repeated.
  if (isDataMovement(producer))
    return true;
  return producer->hasOneUse() && readsEachElementOnce(operand);
}

/// Whether an expanding reshape may move from the result of an elementwise op
/// to its operands.
static bool shouldExpand(OpOperand *operand) {
  auto expand = dyn_cast<tensor::ExpandShapeOp>(operand->getOwner());
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  return expand && producer && producer->hasOneUse() &&
         producer.getNumDpsInputs() > 0 &&
         producer.getNumParallelLoops() == producer.getNumLoops();
}

namespace {
/// Turns a named op into a generic one. Contractions too: fusion must be able
/// to change their indexing maps.
struct GeneralizeNamedOp final : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    Attribute kernel = op->getAttr(kKernelAttrName);
    FailureOr<linalg::GenericOp> generic =
        linalg::generalizeNamedOp(rewriter, op);
    if (failed(generic))
      return rewriter.notifyMatchFailure(op, "not a named op");
    if (kernel)
      (*generic)->setAttr(kKernelAttrName, kernel);
    return success();
  }
};

/// Lets a contraction take over how its operands are laid out. It keeps its
/// body, by which its lowering recognises it, and its kernel.
struct FuseIntoContraction final : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!linalg::isaContractionOpInterface(op))
      return rewriter.notifyMatchFailure(op, "no contraction");
    OpOperand *operand = llvm::find_if(op->getOpOperands(), isTransposition);
    if (operand == op->getOpOperands().end())
      return rewriter.notifyMatchFailure(op, "no operand that only moves");
    FailureOr<linalg::ElementwiseOpFusionResult> fused =
        linalg::fuseElementwiseOps(rewriter, &*operand);
    if (failed(fused))
      return rewriter.notifyMatchFailure(op, "the operand cannot be fused");
    if (Attribute kernel = op->getAttr(kKernelAttrName))
      fused->fusedOp->setAttr(kKernelAttrName, kernel);
    rewriter.replaceOp(op, fused->replacements.lookup(op->getResult(0)));
    return success();
  }

private:
  static bool isTransposition(OpOperand &operand) {
    auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
    return producer && linalg::areElementwiseOpsFusable(&operand) &&
           !linalg::isaContractionOpInterface(producer) &&
           producer->hasOneUse() && isDataMovement(producer) &&
           producer.getNumDpsInputs() == 1 &&
           producer.getMatchingIndexingMap(producer.getDpsInputOperand(0))
               .isPermutation();
  }
};

class FuseElementwisePass final
    : public nvfp4::impl::FuseElementwisePassBase<FuseElementwisePass> {
  using FuseElementwisePassBase::FuseElementwisePassBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet generalization(context);
    generalization.add<GeneralizeNamedOp>(context);
    RewritePatternSet fusion(context);
    fusion.add<FuseIntoContraction>(context);
    linalg::populateElementwiseOpsFusionPatterns(fusion, shouldFuse);
    if (throughReshapes)
      linalg::populateFoldReshapeOpsByExpansionPatterns(fusion, shouldExpand);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(fusion);
    linalg::GenericOp::getCanonicalizationPatterns(fusion, context);
    tensor::EmptyOp::getCanonicalizationPatterns(fusion, context);
    context->getLoadedDialect<linalg::LinalgDialect>()
        ->getCanonicalizationPatterns(fusion);
    GreedyRewriteConfig config;
    // There are no branches, and the bodies of ops are one block each.
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    GreedyRewriteConfig topDown = config;
    topDown.setUseTopDownTraversal();
    if (failed(applyPatternsGreedily(getOperation(), std::move(generalization),
                                     config)) ||
        failed(
            applyPatternsGreedily(getOperation(), std::move(fusion), topDown)))
      signalPassFailure();
  }
};
} // namespace
