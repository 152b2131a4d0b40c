//===- Utils.cpp - What the ops of both levels share ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/Utils.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace nvfp4 {

LogicalResult verifyMatmulShapes(Operation *op, ArrayRef<int64_t> lhs,
                                 ArrayRef<int64_t> rhs,
                                 ArrayRef<int64_t> result) {
  auto describe = [&](InFlightDiagnostic diag) {
    auto print = [&](ArrayRef<int64_t> shape) {
      diag << "[";
      llvm::interleaveComma(shape, diag, [&](int64_t extent) {
        if (ShapedType::isDynamic(extent))
          diag << "?";
        else
          diag << extent;
      });
      diag << "]";
    };
    diag << ", but got lhs ";
    print(lhs);
    diag << ", rhs ";
    print(rhs);
    diag << " and result ";
    print(result);
    return diag;
  };
  auto areCompatible = [](int64_t a, int64_t b) {
    return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
  };
  // matmul_c2
  if (lhs.size() < 2 || rhs.size() < 2 ||
      !areCompatible(lhs.back(), rhs.back()))
    return describe(op->emitOpError("expected A[.., M, K] and B[.., N, K]"));
  // matmul_c3
  if (rhs.size() != 2 &&
      failed(verifyCompatibleShape(lhs.drop_back(2), rhs.drop_back(2))))
    return describe(op->emitOpError(
        "expected an rhs with the batch dimensions of lhs or none"));
  // matmul_c4
  SmallVector<int64_t> expected(lhs);
  expected.back() = rhs[rhs.size() - 2];
  if (failed(verifyCompatibleShape(result, expected)))
    return describe(op->emitOpError("expected a result of shape [.., M, N]"));
  return success();
}

LogicalResult verifySignMask(Operation *op, int64_t signs) {
  if (signs < 0 || signs > 0xFFFF)
    return op->emitOpError("expected a mask of 16 signs, but got ") << signs;
  return success();
}

OpFoldResult getMixedExtent(OpBuilder &builder, Location loc, Value value,
                            int64_t dim) {
  auto type = cast<ShapedType>(value.getType());
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  if (isa<BlockTensorType>(type))
    return DimOp::create(builder, loc, value, dim).getResult();
  if (isa<MemRefType>(type))
    return memref::DimOp::create(builder, loc, value, dim).getResult();
  return tensor::DimOp::create(builder, loc, value, dim).getResult();
}

SmallVector<OpFoldResult> getMixedExtents(OpBuilder &builder, Location loc,
                                          Value value) {
  SmallVector<OpFoldResult> extents;
  for (int64_t dim : llvm::seq(cast<ShapedType>(value.getType()).getRank()))
    extents.push_back(getMixedExtent(builder, loc, value, dim));
  return extents;
}

/// `extent` rounded up to a multiple of `multiple`, then divided by `divisor`.
static OpFoldResult roundUpAndDivide(OpBuilder &builder, Location loc,
                                     OpFoldResult extent, int64_t multiple,
                                     int64_t divisor) {
  AffineExpr d0 = builder.getAffineDimExpr(0);
  AffineExpr rounded = d0.ceilDiv(multiple) * multiple;
  return affine::makeComposedFoldedAffineApply(
      builder, loc, AffineMap::get(1, 0, rounded.ceilDiv(divisor)), extent);
}

ReifiedRankedShapedTypeDims
getComponentExtents(OpBuilder &builder, Location loc, BlockTensorType type,
                    ArrayRef<OpFoldResult> extents) {
  ReifiedRankedShapedTypeDims shapes;
  FormatAttr format = type.getFormat();
  if (type.getLayout() == BlockLayout::Registers) {
    // One run of bytes for each slice, of static length.
    for (RankedTensorType component :
         {type.getCodesType(), type.getScalesType()}) {
      SmallVector<OpFoldResult> &shape =
          shapes.emplace_back(extents.drop_back(2));
      shape.push_back(builder.getIndexAttr(component.getShape().back()));
    }
    if (RankedTensorType globalScale = type.getGlobalScaleType())
      shapes.emplace_back(extents.take_front(globalScale.getRank()));
    return shapes;
  }
  bool isTiled = type.getLayout() == BlockLayout::Tiled;
  OpFoldResult rows = extents[extents.size() - 2], columns = extents.back();

  SmallVector<OpFoldResult> codes(extents);
  codes.back() =
      roundUpAndDivide(builder, loc, columns, isTiled ? kTiledCodeCols : 2, 2);
  shapes.push_back(std::move(codes));

  SmallVector<OpFoldResult> scales(extents);
  OpFoldResult blocks =
      roundUpAndDivide(builder, loc, columns, 1, format.getBlockColumns());
  if (isTiled) {
    // The type has a static last dimension in this layout.
    int64_t paddedBlocks =
        roundUpTo(*getConstantIntValue(blocks), kScaleTileCols);
    AffineExpr rowsExpr = builder.getAffineDimExpr(0);
    scales.pop_back();
    scales.back() = affine::makeComposedFoldedAffineApply(
        builder, loc,
        AffineMap::get(1, 0,
                       rowsExpr.ceilDiv(kScaleTileRows) *
                           (kScaleTileRows * paddedBlocks)),
        rows);
  } else {
    scales[scales.size() - 2] =
        roundUpAndDivide(builder, loc, rows, 1, format.getBlockRows());
    scales.back() = blocks;
  }
  shapes.push_back(std::move(scales));

  if (RankedTensorType globalScale = type.getGlobalScaleType())
    shapes.emplace_back(extents.take_front(globalScale.getRank()));
  return shapes;
}

ParseResult parseSignMask(OpAsmParser &parser, IntegerAttr &signs) {
  int64_t value = 0;
  SMLoc loc;
  if (parser.parseLess() || parser.getCurrentLocation(&loc) ||
      parser.parseInteger(value) || parser.parseGreater())
    return failure();
  // The attribute has 32 bits and would drop what exceeds them.
  if (!llvm::isUInt<16>(value))
    return parser.emitError(loc, "expected a mask of 16 signs, but got ")
           << value;
  signs = parser.getBuilder().getI32IntegerAttr(value);
  return success();
}

void printSignMask(OpAsmPrinter &printer, Operation *, IntegerAttr signs) {
  printer << "<0x";
  printer.getStream() << llvm::format("%04X",
                                      static_cast<unsigned>(signs.getInt()));
  printer << ">";
}

} // namespace nvfp4
