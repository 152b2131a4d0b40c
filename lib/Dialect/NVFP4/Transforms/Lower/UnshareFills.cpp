//===- UnshareFills.cpp - A fill for every op that updates one ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Clones a fill, and the empty tensor below it, for all but the first of the
// ops that update its result.
//
// Expects: linalg on tensors.
// Leaves:  fills whose result one op updates.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace nvfp4 {
#define GEN_PASS_DEF_UNSHAREFILLSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

/// Whether an op writes one value, computed before it, to all of a tensor.
static bool isFill(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1)
    return false;
  if (isa<linalg::FillOp>(op))
    return true;
  return op.getNumDpsInputs() == 0 &&
         op.getBlock()->without_terminator().empty() &&
         !isa<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0));
}

/// A copy of a fill of a new tensor, in front of `user`.
static Value cloneFill(linalg::LinalgOp fill, Operation *user) {
  OpBuilder builder(user);
  Operation *empty = fill.getDpsInits()[0].getDefiningOp();
  IRMapping mapping;
  builder.clone(*empty, mapping);
  return builder.clone(*fill, mapping)->getResult(0);
}

namespace {
struct UnshareFillsPass final
    : nvfp4::impl::UnshareFillsPassBase<UnshareFillsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> fills;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isFill(op) && op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>())
        fills.push_back(op);
    });
    for (linalg::LinalgOp fill : fills) {
      for (OpOperand &use :
           llvm::make_early_inc_range(fill->getResult(0).getUses())) {
        auto user = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
        if (!user || !user.isDpsInit(&use) || fill->hasOneUse())
          continue;
        use.set(cloneFill(fill, user));
        ++numFills;
      }
    }
  }
};
} // namespace
