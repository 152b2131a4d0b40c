//===- RegisterWords.cpp - Words of the registers layout in IR ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Conversion/RegisterWords.h"

#include "nvfp4/Support/RegisterLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

namespace {
/// i32 arithmetic.
struct Bits {
  Bits(OpBuilder &builder, Location loc) : b(loc, builder) {}

  Value constant(uint32_t bits) {
    return arith::ConstantIntOp::create(b, b.getI32Type(), int32_t(bits));
  }
  Value mask(Value x, uint32_t bits) {
    return b.createOrFold<arith::AndIOp>(x, constant(bits));
  }
  Value either(Value x, Value y) { return b.createOrFold<arith::OrIOp>(x, y); }
  Value left(Value x, uint32_t bits) {
    return b.createOrFold<arith::ShLIOp>(x, constant(bits));
  }
  Value right(Value x, uint32_t bits) {
    return b.createOrFold<arith::ShRUIOp>(x, constant(bits));
  }
  Value rotateLeft(Value x, uint32_t bits) {
    return either(left(x, bits), right(x, 32 - bits));
  }
  Value narrow(Value x) { return arith::TruncIOp::create(b, b.getI8Type(), x); }
  Value widen(Value x) { return arith::ExtUIOp::create(b, b.getI32Type(), x); }
  Value isEqual(Value x, int64_t y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x,
                                 arith::ConstantIndexOp::create(b, y));
  }

  ImplicitLocOpBuilder b;
};
} // namespace

std::array<Value, 4> emitRegisterPairs(OpBuilder &builder, Location loc,
                                       Value word) {
  Bits bits(builder, loc);
  Value rotated = bits.rotateLeft(word, kRegisterRotation);
  Value third =
      bits.b.createOrFold<arith::MulIOp>(bits.mask(rotated, kRegisterPair3Mask),
                                         bits.constant(kRegisterPair3Factor));
  return {bits.mask(word, kRegisterPairMask),
          bits.mask(bits.left(word, kRegisterShift1), kRegisterPairMask),
          bits.mask(rotated, kRegisterPairMask),
          bits.mask(third, kRegisterPairMask)};
}

/// spreadCodes of RegisterLayout.h.
static Value emitSpread(Bits &bits, Value byte) {
  Value x = bits.widen(byte);
  Value low = bits.either(bits.left(bits.mask(x, 0x07), 6),
                          bits.left(bits.mask(x, 0x08), 12));
  Value high = bits.either(bits.left(bits.mask(x, 0x70), 18),
                           bits.left(bits.mask(x, 0x80), 24));
  return bits.either(low, high);
}

/// packRegisterWord of RegisterLayout.h.
Value emitRegisterWord(OpBuilder &builder, Location loc,
                       ArrayRef<Value> bytes) {
  Bits bits(builder, loc);
  Value pairs[4];
  for (auto [pair, byte] : llvm::zip_equal(pairs, bytes))
    pair = emitSpread(bits, byte);
  Value third =
      bits.either(bits.either(bits.mask(bits.right(pairs[3], 7), 0x00030003),
                              bits.mask(bits.right(pairs[3], 2), 0x00100010)),
                  bits.mask(bits.right(pairs[3], 12), 0x00080008));
  Value rotated =
      bits.rotateLeft(bits.either(pairs[2], third), 32 - kRegisterRotation);
  return bits.either(
      bits.either(pairs[0], bits.right(pairs[1], kRegisterShift1)), rotated);
}

/// gatherCodes of RegisterLayout.h.
Value emitCodesOfWord(OpBuilder &builder, Location loc, Value word,
                      Value pair) {
  std::array<Value, 4> pairs = emitRegisterPairs(builder, loc, word);
  Bits bits(builder, loc);
  Value x = pairs[3];
  for (int64_t i = 0; i < 3; ++i)
    x = arith::SelectOp::create(bits.b, bits.isEqual(pair, i), pairs[i], x);
  Value low = bits.either(bits.mask(bits.right(x, 6), 0x07),
                          bits.mask(bits.right(x, 12), 0x08));
  Value high = bits.either(bits.mask(bits.right(x, 18), 0x70),
                           bits.mask(bits.right(x, 24), 0x80));
  return bits.narrow(bits.either(low, high));
}

Value emitByteOfWord(OpBuilder &builder, Location loc, Value word,
                     Value number) {
  Bits bits(builder, loc);
  Value shift =
      arith::IndexCastUIOp::create(bits.b, bits.b.getI32Type(), number);
  shift = bits.left(bits.mask(shift, 3), 3);
  return bits.narrow(arith::ShRUIOp::create(bits.b, word, shift));
}

Value emitWordOfBytes(OpBuilder &builder, Location loc, ArrayRef<Value> bytes) {
  Bits bits(builder, loc);
  Value word = bits.widen(bytes[0]);
  for (unsigned i = 1; i < 4; ++i)
    word = bits.either(word, bits.left(bits.widen(bytes[i]), 8 * i));
  return word;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

static AffineExpr divide(AffineExpr x, int64_t y) { return x.floorDiv(y); }

static int64_t getTiles(BlockTensorType type) {
  return ceilDiv(type.getShape().back(), kRegisterTileCols);
}

/// How many stored scales a scale of the format becomes along columns.
static int64_t getRepeats(BlockTensorType type) {
  return type.getFormat().getBlockColumns() / kRegisterScaleCols;
}

AffineMap getRegisterWordMap(BlockTensorType type) {
  AffineExpr row = getAffineDimExpr(0, type.getContext());
  AffineExpr col = getAffineDimExpr(1, type.getContext()) * 2;
  return AffineMap::get(
      2, 0,
      {getRegisterWordOffset(row, col, getTiles(type), divide),
       (col % 32).floorDiv(8)},
      type.getContext());
}

AffineMap getRegisterWordInverse(BlockTensorType type) {
  AffineExpr offset = getAffineDimExpr(0, type.getContext());
  int64_t tiles = getTiles(type);
  return AffineMap::get(1, 0,
                        {getRegisterWordRow(offset, tiles, divide),
                         getRegisterWordCol(offset, tiles, divide).floorDiv(2)},
                        type.getContext());
}

AffineMap getRegisterScaleMap(BlockTensorType type) {
  AffineExpr row =
      getAffineDimExpr(0, type.getContext()) * type.getFormat().getBlockRows();
  AffineExpr block = getAffineDimExpr(1, type.getContext()) * getRepeats(type);
  return AffineMap::get(
      2, 0, getRegisterScaleOffset(row, block, getTiles(type), divide));
}

AffineMap getRegisterScaleInverse(BlockTensorType type) {
  AffineExpr offset = getAffineDimExpr(0, type.getContext());
  int64_t tiles = getTiles(type);
  return AffineMap::get(1, 0,
                        {getRegisterScaleRow(offset, tiles, divide),
                         getRegisterScaleBlock(offset, tiles, divide)},
                        type.getContext());
}

} // namespace nvfp4
