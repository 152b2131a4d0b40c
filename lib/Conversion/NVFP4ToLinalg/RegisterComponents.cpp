//===- RegisterComponents.cpp - To and from the order of registers --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each byte of a result finds its place in the source. Obvious beats fast: a
// word of codes is put together anew for each of its bytes.
//
// Source: Support/RegisterLayout.h.
//
//===----------------------------------------------------------------------===//

#include "RegisterComponents.h"

#include "nvfp4/Conversion/RegisterWords.h"
#include "nvfp4/Support/RegisterLayout.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace nvfp4 {
namespace {

/// Inside the body of a generic that computes bytes.
struct ByteBuilder {
  ByteBuilder(OpBuilder &builder, Location loc) : b(loc, builder) {}

  SmallVector<Value> getLoops(int64_t count) {
    SmallVector<Value> loops;
    for (int64_t dim = 0; dim < count; ++dim)
      loops.push_back(linalg::IndexOp::create(b, dim));
    return loops;
  }
  /// Result `result` of `map`.
  Value apply(AffineMap map, unsigned result, ValueRange operands) {
    return affine::AffineApplyOp::create(b, map.getSubMap(result), operands);
  }
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value load(Value tensor, ValueRange lead, ValueRange place) {
    SmallVector<Value> indices(lead);
    llvm::append_range(indices, place);
    return tensor::ExtractOp::create(b, tensor, indices);
  }
  /// A byte, or zero where it does not exist: then the first is read.
  Value loadInside(Value tensor, ValueRange lead, Value row, Value column,
                   int64_t rows, int64_t columns) {
    auto isBelow = [&](Value x, int64_t y) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x,
                                   constant(y));
    };
    Value exists =
        arith::AndIOp::create(b, isBelow(row, rows), isBelow(column, columns));
    Value zero = constant(0);
    row = arith::SelectOp::create(b, exists, row, zero);
    column = arith::SelectOp::create(b, exists, column, zero);
    Value none = arith::ConstantOp::create(b, b.getI8IntegerAttr(0));
    return arith::SelectOp::create(b, exists, load(tensor, lead, {row, column}),
                                   none);
  }

  ImplicitLocOpBuilder b;
};

using BodyFn = function_ref<Value(ByteBuilder &, ArrayRef<Value> loops)>;

/// A tensor of bytes.
Value createBytes(OpBuilder &builder, Location loc,
                  ArrayRef<OpFoldResult> extents, BodyFn body) {
  int64_t rank = extents.size();
  Value init = createEmpty(builder, loc, extents, builder.getI8Type());
  return createParallelGeneric(
             builder, loc, {}, init, builder.getMultiDimIdentityMap(rank),
             [&](OpBuilder &b, Location l, ValueRange) {
               ByteBuilder bytes(b, l);
               return SmallVector<Value>{body(bytes, bytes.getLoops(rank))};
             })
      .front();
}

/// Extents of a slice's linear components.
StorageLayout getLinearLayout(BlockTensorType type) {
  return getStorageLayout(type.getFormat().getFormat(), BlockLayout::Linear,
                          type.getShape().drop_back(1).back(),
                          type.getShape().back());
}

} // namespace

std::pair<Value, Value>
createLinearFromRegisters(OpBuilder &builder, Location loc,
                          BlockTensorType type, ArrayRef<OpFoldResult> extents,
                          Value codes, Value scales) {
  StorageLayout linear = getLinearLayout(type);
  int64_t numLead = type.getRank() - 2;
  SmallVector<OpFoldResult> shape(extents);
  shape.back() = builder.getIndexAttr(linear.codePitch);
  AffineMap wordMap = getRegisterWordMap(type);
  Value linearCodes = createBytes(
      builder, loc, shape, [&](ByteBuilder &bytes, ArrayRef<Value> loops) {
        ArrayRef<Value> lead = loops.take_front(numLead);
        ArrayRef<Value> place = loops.drop_front(numLead);
        Value first = bytes.apply(wordMap, 0, place);
        SmallVector<Value> parts;
        for (int64_t i = 0; i < 4; ++i) {
          Value offset =
              arith::AddIOp::create(bytes.b, first, bytes.constant(i));
          parts.push_back(bytes.load(codes, lead, offset));
        }
        Value word = emitWordOfBytes(bytes.b, loc, parts);
        return emitCodesOfWord(bytes.b, loc, word,
                               bytes.apply(wordMap, 1, place));
      });
  shape[numLead] = builder.getIndexAttr(linear.scaleRows);
  shape.back() = builder.getIndexAttr(linear.scaleCols);
  AffineMap scaleMap = getRegisterScaleMap(type);
  Value linearScales = createBytes(
      builder, loc, shape, [&](ByteBuilder &bytes, ArrayRef<Value> loops) {
        return bytes.load(scales, loops.take_front(numLead),
                          bytes.apply(scaleMap, 0, loops.drop_front(numLead)));
      });
  return {linearCodes, linearScales};
}

std::pair<Value, Value>
createRegistersFromLinear(OpBuilder &builder, Location loc,
                          BlockTensorType type, ArrayRef<OpFoldResult> extents,
                          Value codes, Value scales) {
  StorageLayout linear = getLinearLayout(type);
  SmallVector<OpFoldResult> shape(extents.drop_back(1));
  shape.back() = builder.getIndexAttr(type.getCodesType().getShape().back());
  AffineMap wordMap = getRegisterWordInverse(type);
  Value packedCodes = createBytes(
      builder, loc, shape, [&](ByteBuilder &bytes, ArrayRef<Value> loops) {
        Value row = bytes.apply(wordMap, 0, loops.back());
        Value column = bytes.apply(wordMap, 1, loops.back());
        SmallVector<Value> parts;
        for (int64_t pair = 0; pair < 4; ++pair) {
          Value byte =
              arith::AddIOp::create(bytes.b, column, bytes.constant(4 * pair));
          parts.push_back(bytes.loadInside(codes, loops.drop_back(), row, byte,
                                           linear.rows, linear.codePitch));
        }
        Value word = emitRegisterWord(bytes.b, loc, parts);
        return emitByteOfWord(bytes.b, loc, word, loops.back());
      });
  shape.back() = builder.getIndexAttr(type.getScalesType().getShape().back());
  AffineMap scaleMap = getRegisterScaleInverse(type);
  int64_t blockRows = type.getFormat().getBlockRows();
  int64_t repeats = type.getFormat().getBlockColumns() / kRegisterScaleCols;
  Value packedScales = createBytes(
      builder, loc, shape, [&](ByteBuilder &bytes, ArrayRef<Value> loops) {
        AffineExpr d0 = builder.getAffineDimExpr(0);
        Value row = bytes.apply(scaleMap, 0, loops.back());
        Value scaleRow =
            bytes.apply(AffineMap::get(1, 0, d0.floorDiv(blockRows)), 0, row);
        Value block = bytes.apply(scaleMap, 1, loops.back());
        Value column =
            bytes.apply(AffineMap::get(1, 0, d0.floorDiv(repeats)), 0, block);
        // A block that is longer repeats its scale, but not beyond the columns.
        Value isColumn = arith::CmpIOp::create(
            bytes.b, arith::CmpIPredicate::slt, block,
            bytes.constant(ceilDiv(linear.cols, kRegisterScaleCols)));
        Value none =
            arith::ConstantOp::create(bytes.b, bytes.b.getI8IntegerAttr(0));
        Value byte =
            bytes.loadInside(scales, loops.drop_back(), scaleRow, column,
                             linear.scaleRows, linear.scaleCols);
        return Value(arith::SelectOp::create(bytes.b, isColumn, byte, none));
      });
  return {packedCodes, packedScales};
}

} // namespace nvfp4
