//===- BlockViews.cpp - Tensors seen as blocks ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockViews.h"

#include "RegisterComponents.h"
#include "RuntimeKernels.h"

#include "nvfp4/Dialect/NVFP4/IR/Utils.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nvfp4 {

/// Elements that one run of codes spans: 8 bytes of two.
static constexpr int64_t kRun = 16;

//===----------------------------------------------------------------------===//
// Small builders
//===----------------------------------------------------------------------===//

static OpFoldResult apply(OpBuilder &builder, Location loc, AffineExpr expr,
                          OpFoldResult operand) {
  return affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(1, 0, expr), operand);
}

Value createEmpty(OpBuilder &builder, Location loc,
                  ArrayRef<OpFoldResult> extents, Type elementType) {
  return tensor::EmptyOp::create(builder, loc, extents, elementType);
}

AffineMap getLeadingMap(OpBuilder &builder, int64_t numDims,
                        int64_t numResults) {
  SmallVector<AffineExpr> results;
  for (int64_t i = 0; i < numResults; ++i)
    results.push_back(builder.getAffineDimExpr(i));
  return AffineMap::get(numDims, 0, results, builder.getContext());
}

Value castTo(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(builder, loc, type, value);
}

Value convertFloat(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(builder, loc, type, value);
  return arith::TruncFOp::create(builder, loc, type, value);
}

SmallVector<Value> createParallelGeneric(
    OpBuilder &builder, Location loc, ValueRange inputs, ValueRange inits,
    ArrayRef<AffineMap> maps,
    function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)> body) {
  SmallVector<utils::IteratorType> iterators(maps.front().getNumDims(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, inits.getTypes(), inputs, inits, maps, iterators,
      [&](OpBuilder &b, Location l, ValueRange args) {
        linalg::YieldOp::create(b, l, body(b, l, args));
      });
  return SmallVector<Value>(generic.getResults());
}

Value createFilled(OpBuilder &builder, Location loc,
                   ArrayRef<OpFoldResult> extents, TypedAttr value) {
  Value init = createEmpty(builder, loc, extents, value.getType());
  Value constant = arith::ConstantOp::create(builder, loc, value);
  return linalg::FillOp::create(builder, loc, constant, init).getResult(0);
}

Value convertElements(OpBuilder &builder, Location loc, Value source,
                      Type elementType) {
  auto type = cast<RankedTensorType>(source.getType());
  if (type.getElementType() == elementType)
    return source;
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  return createParallelGeneric(
             builder, loc, source,
             createEmpty(builder, loc, getMixedExtents(builder, loc, source),
                         elementType),
             {identity, identity},
             [&](OpBuilder &b, Location l, ValueRange args) {
               return SmallVector<Value>{
                   convertFloat(b, l, args[0], elementType)};
             })
      .front();
}

SmallVector<OpFoldResult> getExtentsOf(OpBuilder &builder, Location loc,
                                       BlockTensorType type, Value value) {
  SmallVector<OpFoldResult> extents = getMixedExtents(builder, loc, value);
  for (auto [extent, fixed] : llvm::zip_equal(extents, type.getShape()))
    if (ShapedType::isStatic(fixed))
      extent = builder.getIndexAttr(fixed);
  return extents;
}

SmallVector<OpFoldResult> getExtentsOfCodes(OpBuilder &builder, Location loc,
                                            BlockTensorType type, Value codes) {
  SmallVector<OpFoldResult> extents = getExtentsOf(builder, loc, type, codes);
  if (type.isDynamicDim(type.getRank() - 1))
    extents.back() = affine::makeComposedFoldedAffineApply(
        builder, loc, AffineMap::get(1, 0, builder.getAffineDimExpr(0) * 2),
        extents.back());
  return extents;
}

LogicalResult requireTensors(Operation *op, PatternRewriter &rewriter) {
  if (op->hasAttr(kRuntimeKernelAttrName))
    return rewriter.notifyMatchFailure(op, "the runtime computes it");
  if (cast<DestinationStyleOpInterface>(op).hasPureTensorSemantics())
    return success();
  return rewriter.notifyMatchFailure(op, "operands are not all tensors");
}

/// Zeros after the last column up to `columns`.
static Value padColumns(OpBuilder &builder, Location loc, Value source,
                        OpFoldResult columns) {
  auto type = cast<RankedTensorType>(source.getType());
  int64_t last = type.getRank() - 1;
  SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> high(low);
  AffineExpr d0 = builder.getAffineDimExpr(0), d1 = builder.getAffineDimExpr(1);
  high[last] = affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(2, 0, d0 - d1),
      {columns, getMixedExtent(builder, loc, source, last)});
  if (isConstantIntValue(high[last], 0))
    return source;
  SmallVector<int64_t> shape(type.getShape());
  shape[last] = getConstantIntValue(columns).value_or(ShapedType::kDynamic);
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(type.getElementType()));
  return tensor::PadOp::create(builder, loc, type.clone(shape), source, low,
                               high, zero);
}

/// The first `columns` columns.
static Value dropColumns(OpBuilder &builder, Location loc, Value source,
                         OpFoldResult columns) {
  auto type = cast<RankedTensorType>(source.getType());
  SmallVector<OpFoldResult> sizes = getMixedExtents(builder, loc, source);
  if (sizes.back() == columns)
    return source;
  sizes.back() = columns;
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, source, offsets, sizes,
                                        strides);
}

//===----------------------------------------------------------------------===//
// BlockViews
//===----------------------------------------------------------------------===//

BlockViews::BlockViews(OpBuilder &builder, Location loc, BlockTensorType type,
                       ArrayRef<OpFoldResult> extents)
    : builder(builder), loc(loc), type(type), extents(extents),
      numLead(type.getRank() - 2),
      hasRows(type.getFormat().getBlockRows() > 1) {
  FormatAttr format = type.getFormat();
  int64_t columns = type.getShape().back();
  isPadded = ShapedType::isDynamic(columns)
                 ? format.getBlockColumns() > kRun
                 : columns % format.getBlockColumns() != 0;
  AffineExpr d0 = builder.getAffineDimExpr(0);
  rowBlocks =
      apply(builder, loc, d0.ceilDiv(format.getBlockRows()), extents[numLead]);
  columnBlocks =
      apply(builder, loc, d0.ceilDiv(format.getBlockColumns()), extents.back());
}

SmallVector<OpFoldResult>
BlockViews::getViewExtents(ArrayRef<int64_t> inner) const {
  SmallVector<OpFoldResult> result(ArrayRef(extents).take_front(numLead));
  result.push_back(rowBlocks);
  if (hasRows)
    result.push_back(builder.getIndexAttr(type.getFormat().getBlockRows()));
  result.push_back(columnBlocks);
  for (int64_t extent : inner)
    result.push_back(builder.getIndexAttr(extent));
  return result;
}

SmallVector<ReassociationIndices>
BlockViews::getReassociation(int64_t numInner) const {
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (int64_t i = 0; i < numLead; ++i)
    groups.push_back({next++});
  groups.push_back({next++});
  if (hasRows)
    groups.back().push_back(next++);
  groups.push_back({next++});
  for (int64_t i = 0; i < numInner; ++i)
    groups.back().push_back(next++);
  return groups;
}

Value BlockViews::view(Value source, ArrayRef<int64_t> inner, int64_t perByte) {
  int64_t perBlock = type.getFormat().getBlockColumns() / perByte;
  if (isPadded)
    source =
        padColumns(builder, loc, source,
                   apply(builder, loc, builder.getAffineDimExpr(0) * perBlock,
                         columnBlocks));
  SmallVector<OpFoldResult> viewExtents = getViewExtents(inner);
  SmallVector<int64_t> shape;
  for (OpFoldResult extent : viewExtents)
    shape.push_back(getConstantIntValue(extent).value_or(ShapedType::kDynamic));
  auto sourceType = cast<RankedTensorType>(source.getType());
  // A collapsed extent is static exactly if all of its parts are.
  SmallVector<ReassociationIndices> groups = getReassociation(inner.size());
  SmallVector<int64_t> collapsed;
  for (const ReassociationIndices &group : groups) {
    int64_t product = 1;
    for (int64_t dim : group)
      product =
          ShapedType::isDynamic(product) || ShapedType::isDynamic(shape[dim])
              ? ShapedType::kDynamic
              : product * shape[dim];
    collapsed.push_back(product);
  }
  source = castTo(builder, loc, source, sourceType.clone(collapsed));
  return tensor::ExpandShapeOp::create(builder, loc, sourceType.clone(shape),
                                       source, groups, viewExtents);
}

Value BlockViews::unview(Value view, int64_t numInner, int64_t perByte) {
  Value collapsed = tensor::CollapseShapeOp::create(builder, loc, view,
                                                    getReassociation(numInner));
  OpFoldResult columns =
      apply(builder, loc, builder.getAffineDimExpr(0).ceilDiv(perByte),
            extents.back());
  return isPadded ? dropColumns(builder, loc, collapsed, columns) : collapsed;
}

Value BlockViews::viewElements(Value source) {
  return view(source, {type.getFormat().getBlockColumns() / kRun, kRun / 2, 2},
              1);
}
Value BlockViews::viewBytes(Value codes) {
  return view(codes, {type.getFormat().getBlockColumns() / kRun, kRun / 2}, 2);
}
Value BlockViews::unviewElements(Value view) { return unview(view, 3, 1); }
Value BlockViews::unviewBytes(Value view) { return unview(view, 2, 2); }

Value BlockViews::getHalf(Value elementsView, int64_t half) {
  auto viewType = cast<RankedTensorType>(elementsView.getType());
  int64_t rank = viewType.getRank();
  SmallVector<OpFoldResult> offsets(rank, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes = getMixedExtents(builder, loc, elementsView);
  offsets.back() = builder.getIndexAttr(half);
  sizes.back() = builder.getIndexAttr(1);
  auto resultType = RankedTensorType::get(viewType.getShape().drop_back(),
                                          viewType.getElementType());
  return tensor::ExtractSliceOp::create(builder, loc, resultType, elementsView,
                                        offsets, sizes, strides);
}

AffineMap BlockViews::getIdentity(int64_t numInner) const {
  return builder.getMultiDimIdentityMap(getNumLoops(numInner));
}

AffineMap BlockViews::getBlockMap(int64_t numInner) const {
  SmallVector<AffineExpr> results;
  for (int64_t i = 0; i <= numLead; ++i)
    results.push_back(builder.getAffineDimExpr(i));
  results.push_back(builder.getAffineDimExpr(numLead + 1 + hasRows));
  return AffineMap::get(getNumLoops(numInner), 0, results,
                        builder.getContext());
}

AffineMap BlockViews::getGlobalScaleMap() const {
  int64_t rank = BlockTensorType::getGlobalScaleShape(
                     type.getShape(), type.getFormat().getGranularity())
                     .size();
  return getLeadingMap(builder, getNumBlockLoops(), rank);
}

SmallVector<OpFoldResult> BlockViews::getBlockExtents() const {
  SmallVector<OpFoldResult> result(ArrayRef(extents).take_front(numLead));
  result.push_back(rowBlocks);
  result.push_back(columnBlocks);
  return result;
}

SmallVector<utils::IteratorType> BlockViews::getBlockReduction() const {
  SmallVector<utils::IteratorType> iterators(getNumLoops(3),
                                             utils::IteratorType::reduction);
  for (AffineExpr expr : getBlockMap(3).getResults())
    iterators[cast<AffineDimExpr>(expr).getPosition()] =
        utils::IteratorType::parallel;
  return iterators;
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// Where scale (row, column) lies within its slice (ScaleLayout.h,
/// getTiledScaleOffset), for `columns` scale columns.
static AffineExpr getTiledOffset(AffineExpr row, AffineExpr column,
                                 int64_t columns) {
  int64_t tilesPerRow = ceilDiv(columns, kScaleTileCols);
  AffineExpr tile = row.floorDiv(kScaleTileRows) * tilesPerRow +
                    column.floorDiv(kScaleTileCols);
  return tile * kScaleTileBytes + (row % 32) * 16 +
         (row % kScaleTileRows).floorDiv(32) * 4 + column % kScaleTileCols;
}

static Value getIndex(OpBuilder &builder, Location loc, int64_t dim) {
  return linalg::IndexOp::create(builder, loc, dim);
}

std::pair<Value, Value> createLinearComponents(OpBuilder &builder, Location loc,
                                               BlockTensorType type,
                                               ArrayRef<OpFoldResult> extents,
                                               Value codes, Value scales) {
  if (type.getLayout() == BlockLayout::Linear)
    return {codes, scales};
  if (type.getLayout() == BlockLayout::Registers)
    return createLinearFromRegisters(builder, loc, type, extents, codes,
                                     scales);
  int64_t blockRows = type.getFormat().getBlockRows();
  int64_t columns =
      ceilDiv(type.getShape().back(), type.getFormat().getBlockColumns());
  Value linearCodes =
      dropColumns(builder, loc, codes,
                  builder.getIndexAttr(ceilDiv(type.getShape().back(), 2)));

  SmallVector<OpFoldResult> scaleExtents(extents);
  int64_t rowDim = type.getRank() - 2;
  scaleExtents[rowDim] =
      apply(builder, loc, builder.getAffineDimExpr(0).ceilDiv(blockRows),
            extents[rowDim]);
  scaleExtents.back() = builder.getIndexAttr(columns);
  Value init = createEmpty(builder, loc, scaleExtents, builder.getI8Type());
  AffineExpr d0 = builder.getAffineDimExpr(0), d1 = builder.getAffineDimExpr(1);
  AffineMap offsetMap =
      AffineMap::get(2, 0, getTiledOffset(d0 * blockRows, d1, columns));
  Value linearScales =
      createParallelGeneric(builder, loc, {}, init,
                            builder.getMultiDimIdentityMap(type.getRank()),
                            [&](OpBuilder &b, Location l, ValueRange) {
                              SmallVector<Value> indices;
                              for (int64_t dim = 0; dim < rowDim; ++dim)
                                indices.push_back(getIndex(b, l, dim));
                              indices.push_back(affine::AffineApplyOp::create(
                                  b, l, offsetMap,
                                  ValueRange{getIndex(b, l, rowDim),
                                             getIndex(b, l, rowDim + 1)}));
                              Value byte = tensor::ExtractOp::create(
                                  b, l, scales, indices);
                              return SmallVector<Value>{byte};
                            })
          .front();
  return {linearCodes, linearScales};
}

std::pair<Value, Value> createComponentsInLayout(OpBuilder &builder,
                                                 Location loc,
                                                 BlockTensorType type,
                                                 ArrayRef<OpFoldResult> extents,
                                                 Value codes, Value scales) {
  if (type.getLayout() == BlockLayout::Linear)
    return {codes, scales};
  if (type.getLayout() == BlockLayout::Registers)
    return createRegistersFromLinear(builder, loc, type, extents, codes,
                                     scales);
  if (type.getLayout() == BlockLayout::Registers)
    return createLinearFromRegisters(builder, loc, type, extents, codes,
                                     scales);
  ReifiedRankedShapedTypeDims shapes =
      getComponentExtents(builder, loc, type, extents);
  Value tiledCodes = padColumns(builder, loc, codes, shapes[0].back());

  int64_t blockRows = type.getFormat().getBlockRows();
  int64_t columns =
      ceilDiv(type.getShape().back(), type.getFormat().getBlockColumns());
  int64_t tilesPerRow = ceilDiv(columns, kScaleTileCols);
  int64_t rowDim = type.getRank() - 2;
  Value rows = getValueOrCreateConstantIndexOp(builder, loc, extents[rowDim]);
  Value init = createEmpty(builder, loc, shapes[1], builder.getI8Type());
  // The inverse of getTiledOffset: which row and column a byte belongs to.
  AffineExpr offset = builder.getAffineDimExpr(0);
  AffineExpr tile = offset.floorDiv(kScaleTileBytes);
  AffineExpr within = offset % kScaleTileBytes;
  AffineMap rowMap =
      AffineMap::get(1, 0,
                     tile.floorDiv(tilesPerRow) * kScaleTileRows +
                         (within.floorDiv(4) % 4) * 32 + within.floorDiv(16));
  AffineMap columnMap =
      AffineMap::get(1, 0, (tile % tilesPerRow) * kScaleTileCols + within % 4);
  Value tiledScales =
      createParallelGeneric(
          builder, loc, {}, init,
          builder.getMultiDimIdentityMap(type.getRank() - 1),
          [&](OpBuilder &b, Location l, ValueRange) {
            Value byteOffset = getIndex(b, l, rowDim);
            Value row = affine::AffineApplyOp::create(b, l, rowMap, byteOffset);
            Value column =
                affine::AffineApplyOp::create(b, l, columnMap, byteOffset);
            Value lastColumn =
                arith::ConstantIndexOp::create(b, l, columns - 1);
            Value zero = arith::ConstantIndexOp::create(b, l, 0);
            Value isRow = arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt,
                                                row, rows);
            Value isColumn = arith::CmpIOp::create(
                b, l, arith::CmpIPredicate::sle, column, lastColumn);
            Value isScale = arith::AndIOp::create(b, l, isRow, isColumn);
            // Padding reads the first scale of the slice and drops it. A slice
            // without rows has no bytes, so the body does not run.
            Value safeRow = arith::SelectOp::create(b, l, isScale, row, zero);
            Value safeColumn =
                arith::SelectOp::create(b, l, isScale, column, zero);
            SmallVector<Value> indices;
            for (int64_t dim = 0; dim < rowDim; ++dim)
              indices.push_back(getIndex(b, l, dim));
            indices.push_back(affine::AffineApplyOp::create(
                b, l,
                AffineMap::get(1, 0, b.getAffineDimExpr(0).floorDiv(blockRows)),
                safeRow));
            indices.push_back(safeColumn);
            Value byte = tensor::ExtractOp::create(b, l, scales, indices);
            Value padding =
                arith::ConstantOp::create(b, l, b.getI8IntegerAttr(0));
            Value result =
                arith::SelectOp::create(b, l, isScale, byte, padding);
            return SmallVector<Value>{result};
          })
          .front();
  return {tiledCodes, tiledScales};
}

} // namespace nvfp4
