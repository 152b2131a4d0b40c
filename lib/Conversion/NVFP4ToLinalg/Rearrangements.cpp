//===- Rearrangements.cpp - Relayout, transpose and Hadamard in linalg ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel-level ops that move codes and scales, or mix elements, without
// quantizing: part of the reference lowering (NVFP4ToLinalg.cpp).
//
//===----------------------------------------------------------------------===//

#include "BlockViews.h"

#include "nvfp4/Dialect/NVFP4/IR/Utils.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nvfp4 {
namespace {

struct DecomposeRelayout final : OpRewritePattern<RelayoutIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(RelayoutIntoOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> extents =
        getExtentsOfCodes(rewriter, loc, op.getFromType(), op.getInputs()[0]);
    auto [linearCodes, linearScales] =
        createLinearComponents(rewriter, loc, op.getFromType(), extents,
                               op.getInputs()[0], op.getInputs()[1]);
    auto [codes, scales] = createComponentsInLayout(
        rewriter, loc, op.getToType(), extents, linearCodes, linearScales);
    rewriter.replaceOp(op,
                       {castTo(rewriter, loc, codes, op.getResultTypes()[0]),
                        castTo(rewriter, loc, scales, op.getResultTypes()[1])});
    return success();
  }
};

/// Codes of the transpose are nibbles of the source, gathered one by one.
struct DecomposeTranspose final : OpRewritePattern<TransposeIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(TransposeIntoOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    Location loc = op.getLoc();
    BlockTensorType from = op.getFromType();
    SmallVector<OpFoldResult> extents =
        getExtentsOfCodes(rewriter, loc, from, op.getInputs()[0]);
    auto [codes, scales] = createLinearComponents(
        rewriter, loc, from, extents, op.getInputs()[0], op.getInputs()[1]);
    int64_t rank = from.getRank();

    SmallVector<int64_t> permutation =
        llvm::to_vector(llvm::seq<int64_t>(rank));
    std::swap(permutation[rank - 1], permutation[rank - 2]);
    SmallVector<OpFoldResult> scaleExtents =
        getMixedExtents(rewriter, loc, scales);
    std::swap(scaleExtents[rank - 1], scaleExtents[rank - 2]);
    Value newScales =
        linalg::TransposeOp::create(
            rewriter, loc, scales,
            createEmpty(rewriter, loc, scaleExtents, rewriter.getI8Type()),
            permutation)
            ->getResult(0);
    std::swap(extents[rank - 1], extents[rank - 2]);
    Value newCodes = createCodes(rewriter, loc, codes, extents);

    SmallVector<int64_t> shape(from.getShape());
    std::swap(shape[rank - 1], shape[rank - 2]);
    auto to = BlockTensorType::get(shape, from.getFormat(), from.getLayout());
    auto [outCodes, outScales] = createComponentsInLayout(
        rewriter, loc, to, extents, newCodes, newScales);
    rewriter.replaceOp(
        op, {castTo(rewriter, loc, outCodes, op.getResultTypes()[0]),
             castTo(rewriter, loc, outScales, op.getResultTypes()[1])});
    return success();
  }

private:
  /// Packed codes of the transpose, whose extents are `extents`.
  static Value createCodes(OpBuilder &builder, Location loc, Value codes,
                           ArrayRef<OpFoldResult> extents) {
    int64_t rank = extents.size();
    SmallVector<OpFoldResult> byteExtents(extents);
    AffineExpr d0 = builder.getAffineDimExpr(0);
    byteExtents.back() = affine::makeComposedFoldedAffineApply(
        builder, loc, AffineMap::get(1, 0, d0.ceilDiv(2)), extents.back());
    auto emit = [&](OpBuilder &b, Location l, ValueRange) {
      Type i8 = b.getI8Type();
      SmallVector<Value> indices;
      for (int64_t dim = 0; dim < rank; ++dim)
        indices.push_back(linalg::IndexOp::create(b, l, dim));
      Value column = indices[rank - 2], pair = indices[rank - 1];
      Value sourceByte = affine::AffineApplyOp::create(
          b, l, AffineMap::get(1, 0, d0.floorDiv(2)), column);
      Value shift = arith::IndexCastOp::create(
          b, l, i8,
          affine::AffineApplyOp::create(b, l, AffineMap::get(1, 0, d0 % 2 * 4),
                                        column));
      Value mask = arith::ConstantOp::create(b, l, b.getI8IntegerAttr(15));
      Value four = arith::ConstantOp::create(b, l, b.getI8IntegerAttr(4));
      SmallVector<Value> nibbles;
      for (int64_t half : {0, 1}) {
        indices[rank - 2] = affine::AffineApplyOp::create(
            b, l, AffineMap::get(1, 0, d0 * 2 + half), pair);
        indices[rank - 1] = sourceByte;
        Value byte = tensor::ExtractOp::create(b, l, codes, indices);
        nibbles.push_back(arith::AndIOp::create(
            b, l, arith::ShRUIOp::create(b, l, byte, shift), mask));
      }
      Value high = arith::ShLIOp::create(b, l, nibbles[1], four);
      Value packed = arith::OrIOp::create(b, l, nibbles[0], high);
      return SmallVector<Value>{packed};
    };
    return createParallelGeneric(
               builder, loc, {},
               createEmpty(builder, loc, byteExtents, builder.getI8Type()),
               builder.getMultiDimIdentityMap(rank), emit)
        .front();
  }
};

/// Groups of 16 times the signed Hadamard matrix, in f32.
struct DecomposeHadamard final : OpRewritePattern<HadamardIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(HadamardIntoOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    constexpr int64_t kSize = 16;
    Location loc = op.getLoc();
    Value source = op.getInputs()[0];
    auto type = cast<RankedTensorType>(source.getType());
    int64_t rank = type.getRank();

    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim < rank; ++dim)
      groups.push_back({dim});
    groups.back().push_back(rank);
    SmallVector<OpFoldResult> extents = getMixedExtents(rewriter, loc, source);
    extents.back() = affine::makeComposedFoldedAffineApply(
        rewriter, loc,
        AffineMap::get(1, 0, rewriter.getAffineDimExpr(0).floorDiv(kSize)),
        extents.back());
    extents.push_back(rewriter.getIndexAttr(kSize));
    SmallVector<int64_t> shape;
    for (OpFoldResult extent : extents)
      shape.push_back(
          getConstantIntValue(extent).value_or(ShapedType::kDynamic));
    Value view = tensor::ExpandShapeOp::create(rewriter, loc, type.clone(shape),
                                               source, groups, extents);

    Value matrix = createMatrix(rewriter, loc, op.getSigns());
    Value init =
        createFilled(rewriter, loc, extents, rewriter.getF32FloatAttr(0.0f));
    SmallVector<AffineExpr> lead;
    for (int64_t dim = 0; dim < rank; ++dim)
      lead.push_back(rewriter.getAffineDimExpr(dim));
    AffineExpr i = rewriter.getAffineDimExpr(rank + 1);
    AffineExpr j = rewriter.getAffineDimExpr(rank);
    auto withLead = [&](AffineExpr last) {
      SmallVector<AffineExpr> exprs(lead);
      exprs.push_back(last);
      return AffineMap::get(rank + 2, 0, exprs, rewriter.getContext());
    };
    SmallVector<AffineMap> maps = {
        withLead(i), AffineMap::get(rank + 2, 0, {i, j}, rewriter.getContext()),
        withLead(j)};
    SmallVector<utils::IteratorType> iterators(rank + 2,
                                               utils::IteratorType::parallel);
    iterators.back() = utils::IteratorType::reduction;
    auto generic = linalg::GenericOp::create(
        rewriter, loc, init.getType(), ValueRange{view, matrix}, init, maps,
        iterators, [&](OpBuilder &b, Location l, ValueRange args) {
          Value x = convertFloat(b, l, args[0], b.getF32Type());
          Value term = arith::MulFOp::create(b, l, x, args[1]);
          linalg::YieldOp::create(
              b, l, arith::AddFOp::create(b, l, args[2], term).getResult());
        });
    Value result = convertElements(rewriter, loc, generic.getResult(0),
                                   type.getElementType());
    result = tensor::CollapseShapeOp::create(rewriter, loc, result, groups);
    rewriter.replaceOp(op,
                       castTo(rewriter, loc, result, op.getResultTypes()[0]));
    return success();
  }

private:
  /// diag(s) * H16 / 4 as a constant; entry (i, j) of H16 is -1 where i & j has
  /// an odd number of bits.
  static Value createMatrix(OpBuilder &builder, Location loc, int64_t signs) {
    SmallVector<float> values;
    for (unsigned i = 0; i < 16; ++i)
      for (unsigned j = 0; j < 16; ++j) {
        bool isNegative =
            (llvm::popcount(i & j) % 2 != 0) != ((signs >> i & 1) != 0);
        values.push_back(isNegative ? -0.25f : 0.25f);
      }
    auto type = RankedTensorType::get({16, 16}, builder.getF32Type());
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, ArrayRef<float>(values)));
  }
};

} // namespace

void populateRearrangementPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeRelayout, DecomposeTranspose, DecomposeHadamard>(
      patterns.getContext());
}

} // namespace nvfp4
