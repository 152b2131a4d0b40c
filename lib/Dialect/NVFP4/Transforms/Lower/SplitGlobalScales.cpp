//===- SplitGlobalScales.cpp - Global scales of tensors, by rows ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A maximum over a tensor is the maximum of those of its rows. Rows are what
// kernels reduce in parallel, so the global scale of a tensor or a slice
// becomes two reductions of rows: of the source, to one magnitude each, and of
// these. No atomics: the order cannot matter, and nothing has to be cleared
// first.
//
// Expects: kernel-level ops on tensors (nvfp4-expand-tensors).
// Leaves:  global_scale_into with one global scale per row only.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/Utils.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace nvfp4 {
#define GEN_PASS_DEF_SPLITGLOBALSCALESPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

/// `op`'s format with one global scale per row, and another convention.
FormatAttr getRowFormat(FormatAttr format, GlobalScaleConvention convention) {
  return FormatAttr::get(format.getContext(), format.getName(),
                         /*blockRows=*/1, format.getBlockColumns(),
                         GlobalScaleGranularity::Row, convention,
                         format.getBound());
}

/// Largest magnitudes of rows are not negative and never NaN, which is all that
/// the second maximum needs to be the first one's.
struct SplitGlobalScale final : OpRewritePattern<GlobalScaleIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(GlobalScaleIntoOp op,
                                PatternRewriter &rewriter) const override {
    FormatAttr format = op.getFormat();
    if (format.getGranularity() == GlobalScaleGranularity::Row)
      return rewriter.notifyMatchFailure(op, "one global scale per row");
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "operands are not all tensors");

    Value source = op.getInputs()[0];
    auto result = cast<RankedTensorType>(op.getResultTypes().front());
    Value magnitudes = createRowScales(rewriter, op, source, Value(),
                                       GlobalScaleConvention::Amax);
    bool isOne = result.getRank() == 0;
    if (isOne)
      magnitudes = collapseToRow(rewriter, op.getLoc(), magnitudes);
    Value scales = createRowScales(rewriter, op, magnitudes,
                                   isOne ? Value() : op.getInits()[0],
                                   format.getConvention());
    if (isOne)
      scales =
          tensor::CollapseShapeOp::create(rewriter, op.getLoc(), result, scales,
                                          ArrayRef<ReassociationIndices>());
    rewriter.replaceOp(op, scales);
    return success();
  }

private:
  /// Global scales of the rows of `source`, into `init` or a new tensor.
  static Value createRowScales(PatternRewriter &rewriter, GlobalScaleIntoOp op,
                               Value source, Value init,
                               GlobalScaleConvention convention) {
    Location loc = op.getLoc();
    if (!init) {
      SmallVector<OpFoldResult> extents =
          getMixedExtents(rewriter, loc, source);
      extents.pop_back();
      init = tensor::EmptyOp::create(rewriter, loc, extents,
                                     rewriter.getF32Type());
    }
    return GlobalScaleIntoOp::create(rewriter, loc, init.getType(), source,
                                     init,
                                     getRowFormat(op.getFormat(), convention))
        .getResult(0);
  }

  /// All elements as one row.
  static Value collapseToRow(PatternRewriter &rewriter, Location loc,
                             Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() > 1) {
      ReassociationIndices all(
          llvm::to_vector(llvm::seq<int64_t>(type.getRank())));
      value = tensor::CollapseShapeOp::create(
          rewriter, loc, value, ArrayRef<ReassociationIndices>(all));
      type = cast<RankedTensorType>(value.getType());
    }
    SmallVector<OpFoldResult> extents = {
        rewriter.getIndexAttr(1), getMixedExtent(rewriter, loc, value, 0)};
    ReassociationIndices both = {0, 1};
    return tensor::ExpandShapeOp::create(
        rewriter, loc,
        RankedTensorType::get({1, type.getDimSize(0)}, type.getElementType()),
        value, ArrayRef<ReassociationIndices>(both), extents);
  }
};

struct SplitGlobalScalesPass final
    : impl::SplitGlobalScalesPassBase<SplitGlobalScalesPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SplitGlobalScale>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
} // namespace nvfp4
