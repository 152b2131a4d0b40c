//===- LowerExpandShapes.cpp - Dimensions that split into several ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Computes sizes and strides of a `memref.expand_shape` that splits one
// dimension into several dynamic ones. Upstream's `expand-strided-metadata`
// infers a single dynamic size from the others and crashes on two (LLVM 22.1).
//
// Expects: bufferized IR.
// Leaves:  no such `memref.expand_shape`.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace nvfp4 {
#define GEN_PASS_DEF_LOWEREXPANDSHAPESPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

/// Valid because the op states all sizes; a stride is that of the next inner
/// dimension of the group times its size.
struct LowerExpandShape final : OpRewritePattern<memref::ExpandShapeOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(memref::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    MemRefType type = op.getResultType();
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    bool hasSeveral = llvm::any_of(groups, [&](const auto &group) {
      return llvm::count_if(group, [&](int64_t dim) {
               return type.isDynamicDim(dim);
             }) > 1;
    });
    if (!hasSeveral)
      return rewriter.notifyMatchFailure(
          op, "each group has at most one dynamic dimension");

    Location loc = op.getLoc();
    auto metadata =
        memref::ExtractStridedMetadataOp::create(rewriter, loc, op.getSrc());
    SmallVector<OpFoldResult> sourceStrides =
        metadata.getConstifiedMixedStrides();
    SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
    SmallVector<OpFoldResult> strides(sizes.size());
    AffineExpr product =
        rewriter.getAffineSymbolExpr(0) * rewriter.getAffineSymbolExpr(1);
    for (auto [group, sourceStride] : llvm::zip_equal(groups, sourceStrides)) {
      OpFoldResult stride = sourceStride;
      for (int64_t dim : llvm::reverse(group)) {
        strides[dim] = stride;
        stride = affine::makeComposedFoldedAffineApply(
            rewriter, loc, AffineMap::get(0, 2, product), {stride, sizes[dim]});
      }
    }
    rewriter.replaceOpWithNewOp<memref::ReinterpretCastOp>(
        op, type, metadata.getBaseBuffer(), metadata.getConstifiedMixedOffset(),
        sizes, strides);
    return success();
  }
};

struct LowerExpandShapesPass final
    : impl::LowerExpandShapesPassBase<LowerExpandShapesPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerExpandShape>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
} // namespace nvfp4
