//===- EvaluateBlocks.cpp - Elements of block-scaled ops ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A run is cut into pieces that lie in one block, and in one byte or whole
// bytes of codes. Values are those of the reference lowering (NVFP4ToLinalg):
// conversions of the chip are exact, sums keep its order.
//
//===----------------------------------------------------------------------===//

#include "EvaluateBlocks.h"
#include "HadamardEmitter.h"

#include "nvfp4/Conversion/RegisterWords.h"
#include "nvfp4/Conversion/ScalarCodecs.h"
#include "nvfp4/Support/Hadamard.h"
#include "nvfp4/Support/RegisterLayout.h"
#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;
using Result = FailureOr<Run>;

/// Of the Hadamard matrix: H16 / 4.
static constexpr float kHadamardScale = 0.25f;

namespace {

class BlockEvaluator {
public:
  BlockEvaluator(ElementEvaluator &evaluator, KernelBuilder &kernel)
      : evaluator(evaluator), b(kernel.getBuilder()), chip(kernel.getChip()) {}

  Result dequantize(DequantizeIntoOp op, ValueRange index, int64_t count);
  Result hadamard(HadamardIntoOp op, ValueRange index, int64_t count);
  Result relayout(RelayoutIntoOp op, unsigned result, ValueRange index,
                  int64_t count);
  Result transpose(TransposeIntoOp op, unsigned result, ValueRange index,
                   int64_t count);

private:
  Value constant(int64_t value) { return evaluator.constant(value); }
  Value add(Value x, Value y) { return evaluator.add(x, y); }
  Value mul(Value x, int64_t y) { return evaluator.mul(x, constant(y)); }
  Value div(Value x, int64_t y) { return evaluator.div(x, constant(y)); }
  Value rem(Value x, int64_t y) { return evaluator.rem(x, constant(y)); }
  Value i32(int64_t value) {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
  }
  Value isBelow(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  }

  /// The run in pieces of neighbours that start at a multiple of their number,
  /// a power of two up to `most`.
  Result inPieces(ValueRange index, int64_t count, int64_t most,
                  function_ref<Result(ValueRange, int64_t)> evaluate);

  Value decodeScale(ScaleEncoding encoding, Value byte);
  Run decodePair(Value byte);
  Result decodeCodes(Value codes, ValueRange index, int64_t count);
  /// The scale byte of the block with row `row` of the matrix and `column` of
  /// the matrix of blocks.
  FailureOr<Value> getScale(BlockTensorType type, Value scales, ValueRange lead,
                            Value row, Value column);
  FailureOr<Value> decodeBlockScale(DequantizeIntoOp op, ValueRange index);
  Result hadamardPiece(HadamardIntoOp op, ValueRange index, int64_t count);

  /// Bytes of codes or scales of a layout, from those of the matrix: the
  /// function takes the row and the byte, or the row and the block's column;
  /// where there is neither, the byte is zero.
  using ByteSource =
      function_ref<FailureOr<Value>(ValueRange lead, Value row, Value column)>;
  Result makeCodes(BlockTensorType to, Value columns, ValueRange index,
                   int64_t count, ByteSource source);
  Result makeRegisterCodes(BlockTensorType to, ValueRange index, int64_t count,
                           ByteSource source);
  FailureOr<Value> getCodes(BlockTensorType type, Value codes, ValueRange lead,
                            Value row, Value column);
  Value apply(AffineMap map, unsigned result, ArrayRef<Value> operands);
  Result makeScales(BlockTensorType to, Value rows, ValueRange index,
                    int64_t count, ByteSource source);
  Result makeByte(Value exists, ValueRange lead, Value row, Value column,
                  ByteSource source);

  ElementEvaluator &evaluator;
  ImplicitLocOpBuilder &b;
  const ChipModel &chip;
};

Result
BlockEvaluator::inPieces(ValueRange index, int64_t count, int64_t most,
                         function_ref<Result(ValueRange, int64_t)> evaluate) {
  int64_t divisor = std::gcd(evaluator.getKnownDivisor(index.back()), most);
  int64_t piece = std::gcd(divisor, count);
  Run run;
  for (int64_t start = 0; start < count; start += piece) {
    Run place(index);
    if (start > 0) {
      place.back() = add(index.back(), constant(start));
      evaluator.assumeMultiple(place.back(), piece);
    }
    Result values = evaluate(place, piece);
    if (failed(values))
      return failure();
    llvm::append_range(run, *values);
  }
  return run;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// f32 of a scale byte: `decodeScale` of Support.
Value BlockEvaluator::decodeScale(ScaleEncoding encoding, Value byte) {
  Type f32 = b.getF32Type();
  auto f32Bits = [&](Value bits) -> Value {
    return arith::BitcastOp::create(b, f32, bits);
  };
  Value code = arith::ExtUIOp::create(b, b.getI32Type(), byte);
  auto select = [&](arith::CmpIPredicate predicate, int64_t bound, Value x,
                    Value y) -> Value {
    Value condition = arith::CmpIOp::create(b, predicate, code, i32(bound));
    return arith::SelectOp::create(b, condition, x, y);
  };
  Value nan = i32(0x7FC00000);
  switch (encoding) {
  case ScaleEncoding::E4M3: {
    Type e4m3 = Float8E4M3FNType::get(b.getContext());
    auto bytes = VectorType::get(2, b.getI8Type());
    Value pair = LLVM::BitcastOp::create(
        b, bytes, arith::ExtUIOp::create(b, b.getI16Type(), byte));
    Value halves = NVVM::ConvertF8x2ToF16x2Op::create(
        b, VectorType::get(2, b.getF16Type()), pair, /*relu=*/false, e4m3);
    Value half = LLVM::ExtractElementOp::create(b, halves, i32(0));
    return arith::ExtFOp::create(b, f32, half);
  }
  case ScaleEncoding::E8M0: {
    // 2^(code - 127): the exponent field, but 2^-127 is subnormal.
    Value normal = arith::ShLIOp::create(b, code, i32(23));
    Value bits = select(arith::CmpIPredicate::eq, 0, i32(0x00400000), normal);
    return f32Bits(select(arith::CmpIPredicate::eq, kE8M0NaN, nan, bits));
  }
  case ScaleEncoding::UE5M3: {
    // The upper bits of an f16 without its sign.
    Value bits = arith::ShLIOp::create(b, code, i32(7));
    Value half = arith::BitcastOp::create(
        b, b.getF16Type(), arith::TruncIOp::create(b, b.getI16Type(), bits));
    Value value = arith::ExtFOp::create(b, f32, half);
    return select(arith::CmpIPredicate::uge, 0xF8, f32Bits(nan), value);
  }
  }
  llvm_unreachable("covered switch");
}

/// f32 of the two codes of a byte. Where the chip has no conversion, sign,
/// exponent and mantissa go to their places in an f16, whose exponent has
/// another bias.
Run BlockEvaluator::decodePair(Value byte) {
  Run run;
  if (chip.hasE2M1Conversion) {
    Value halves = NVVM::ConvertF4x2ToF16x2Op::create(
        b, VectorType::get(2, b.getF16Type()), byte, /*relu=*/false,
        b.getType<Float4E2M1FNType>());
    for (int64_t i : {0, 1})
      run.push_back(arith::ExtFOp::create(
          b, b.getF32Type(),
          LLVM::ExtractElementOp::create(b, halves, i32(i)).getResult()));
    return run;
  }
  Value bits = arith::ExtUIOp::create(b, b.getI32Type(), byte);
  Value factor = arith::ConstantOp::create(b, b.getF32FloatAttr(0x1p14f));
  for (int64_t i : {0, 1}) {
    auto place = [&](int64_t shift, int64_t mask) -> Value {
      Value moved = arith::ShLIOp::create(b, bits, i32(shift));
      return arith::AndIOp::create(b, moved, i32(mask));
    };
    // Of the upper code, four less.
    Value half = arith::OrIOp::create(b, place(12 - 4 * i, 0x8000),
                                      place(9 - 4 * i, 0x0E00));
    half = arith::TruncIOp::create(b, b.getI16Type(), half);
    half = arith::BitcastOp::create(b, b.getF16Type(), half);
    run.push_back(arith::MulFOp::create(
        b, arith::ExtFOp::create(b, b.getF32Type(), half), factor));
  }
  return run;
}

/// f32 of codes that lie in one byte or in whole bytes.
Result BlockEvaluator::decodeCodes(Value codes, ValueRange index,
                                   int64_t count) {
  Run place(index);
  place.back() = div(index.back(), 2);
  Result bytes =
      evaluator.getRun(codes, place, std::max<int64_t>(count / 2, 1));
  if (failed(bytes))
    return failure();
  Run run;
  for (Value byte : *bytes) {
    if (count == 1) {
      Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                          rem(index.back(), 2), constant(0));
      Value four = arith::ConstantOp::create(b, b.getI8IntegerAttr(4));
      Value upper = arith::ShRUIOp::create(b, byte, four);
      byte = arith::SelectOp::create(b, isOdd, upper, byte);
    }
    Run pair = decodePair(byte);
    run.append(pair.begin(), pair.begin() + std::min<int64_t>(count, 2));
  }
  return run;
}

FailureOr<Value> BlockEvaluator::getScale(BlockTensorType type, Value scales,
                                          ValueRange lead, Value row,
                                          Value column) {
  FormatAttr format = type.getFormat();
  Run place(lead);
  switch (type.getLayout()) {
  case BlockLayout::Linear:
    llvm::append_values(place, div(row, format.getBlockRows()), column);
    break;
  case BlockLayout::Registers:
    place.push_back(apply(getRegisterScaleMap(type), 0,
                          {div(row, format.getBlockRows()), column}));
    break;
  case BlockLayout::Tiled: {
    // getTiledScaleOffset of ScaleLayout.h.
    int64_t tilesPerRow =
        ceilDiv(ceilDiv(type.getShape().back(), format.getBlockColumns()),
                kScaleTileCols);
    Value tile = add(mul(div(row, kScaleTileRows), tilesPerRow),
                     div(column, kScaleTileCols));
    Value within = add(mul(rem(row, 32), 16), mul(rem(div(row, 32), 4), 4));
    place.push_back(add(add(mul(tile, kScaleTileBytes), within),
                        rem(column, kScaleTileCols)));
    break;
  }
  }
  Result byte = evaluator.getRun(scales, place, 1);
  if (failed(byte))
    return failure();
  return byte->front();
}

/// What the codes of the block at `index` are multiplied by.
FailureOr<Value> BlockEvaluator::decodeBlockScale(DequantizeIntoOp op,
                                                  ValueRange index) {
  BlockTensorType type = op.getBlockType();
  FormatAttr format = type.getFormat();
  FailureOr<Value> byte = getScale(type, op.getInputs()[1], index.drop_back(2),
                                   index.drop_back().back(),
                                   div(index.back(), format.getBlockColumns()));
  if (failed(byte))
    return failure();
  Value scale = decodeScale(format.getScaleEncoding(), *byte);
  if (!format.hasGlobalScale())
    return scale;
  Value globalScale = op.getInputs()[2];
  int64_t rank = cast<ShapedType>(globalScale.getType()).getRank();
  Result g = evaluator.getRun(globalScale, index.take_front(rank), 1);
  if (failed(g))
    return failure();
  return emitDecodedBlockScale(b, b.getLoc(), scale, g->front(),
                               format.getConvention(), format.getBound());
}

/// An f32 as another float.
static Value convertFromF32(ImplicitLocOpBuilder &b, Value value, Type type) {
  return value.getType() == type
             ? value
             : arith::TruncFOp::create(b, type, value).getResult();
}

Result BlockEvaluator::dequantize(DequantizeIntoOp op, ValueRange index,
                                  int64_t count) {
  Type elementType = getElementTypeOrSelf(op.getInits()[0].getType());
  int64_t most = op.getBlockType().getFormat().getBlockColumns();
  return inPieces(
      index, count, most, [&](ValueRange place, int64_t piece) -> Result {
        FailureOr<Value> scale = decodeBlockScale(op, place);
        Result run = decodeCodes(op.getInputs()[0], place, piece);
        if (failed(scale) || failed(run))
          return failure();
        for (Value &value : *run)
          value = convertFromF32(b, arith::MulFOp::create(b, value, *scale),
                                 elementType);
        return run;
      });
}

//===----------------------------------------------------------------------===//
// Hadamard transform
//===----------------------------------------------------------------------===//

Result BlockEvaluator::hadamard(HadamardIntoOp op, ValueRange index,
                                int64_t count) {
  return inPieces(index, count, kHadamardSize,
                  [&](ValueRange place, int64_t piece) {
                    return hadamardPiece(op, place, piece);
                  });
}

/// Elements first … first + count - 1 of a group, where `first` is known only
/// when the kernel runs. Entry (i, j) of H16 is negative where i & j has an odd
/// number of bits; j is the bits of `first`, which flip the sign of whole
/// inputs, and those within the piece.
Result BlockEvaluator::hadamardPiece(HadamardIntoOp op, ValueRange index,
                                     int64_t count) {
  Value source = op.getInputs()[0];
  Value first = rem(index.back(), kHadamardSize);
  Run place(index);
  place.back() = evaluator.sub(index.back(), first);
  evaluator.assumeMultiple(place.back(), kHadamardSize);
  Result inputs = evaluator.getRun(source, place, kHadamardSize);
  if (failed(inputs))
    return failure();

  Type elementType = getElementTypeOrSelf(source.getType());
  if (count == kHadamardSize)
    return emitFromF32(
        b, emitHadamardGroup(b, getElements(b, *inputs), op.getSigns()),
        elementType);
  Value first32 = arith::IndexCastUIOp::create(b, b.getI32Type(), first);
  Run terms;
  for (auto [i, input] : llvm::enumerate(*inputs)) {
    Value value = input;
    if (!elementType.isF32())
      value = arith::ExtFOp::create(b, b.getF32Type(), value);
    Value bits;
    for (int64_t bit = count; bit < kHadamardSize; bit *= 2) {
      if (!(i & bit))
        continue;
      Value sign =
          arith::ShLIOp::create(b, first32, i32(31 - llvm::Log2_64(bit)));
      bits = bits ? arith::XOrIOp::create(b, bits, sign).getResult() : sign;
    }
    if (bits) {
      Value sign = arith::AndIOp::create(b, bits, i32(INT32_MIN));
      Value asBits = arith::BitcastOp::create(b, b.getI32Type(), value);
      value = arith::BitcastOp::create(b, b.getF32Type(),
                                       arith::XOrIOp::create(b, asBits, sign));
    }
    Value scale =
        arith::ConstantOp::create(b, b.getF32FloatAttr(kHadamardScale));
    terms.push_back(arith::MulFOp::create(b, value, scale));
  }

  return emitFromF32(b, emitHadamardSums(b, terms, count, op.getSigns()),
                     elementType);
}

//===----------------------------------------------------------------------===//
// Moving codes and scales
//===----------------------------------------------------------------------===//

/// One byte, or zero where it does not exist: then the first is read.
Result BlockEvaluator::makeByte(Value exists, ValueRange lead, Value row,
                                Value column, ByteSource source) {
  auto safe = [&](Value value) -> Value {
    return arith::SelectOp::create(b, exists, value, constant(0));
  };
  FailureOr<Value> byte = source(lead, safe(row), safe(column));
  if (failed(byte))
    return failure();
  Value zero = arith::ConstantOp::create(b, b.getI8IntegerAttr(0));
  return Run{arith::SelectOp::create(b, exists, *byte, zero)};
}

/// Result `result` of a map of registers' places.
Value BlockEvaluator::apply(AffineMap map, unsigned result,
                            ArrayRef<Value> operands) {
  return affine::expandAffineExpr(b, b.getLoc(), map.getResult(result),
                                  operands, /*symbolValues=*/{});
}

/// Codes in the order of registers: each byte puts its word together.
Result BlockEvaluator::makeRegisterCodes(BlockTensorType to, ValueRange index,
                                         int64_t count, ByteSource source) {
  AffineMap map = getRegisterWordInverse(to);
  ArrayRef<int64_t> shape = to.getShape().take_back(2);
  return inPieces(index, count, 1, [&](ValueRange place, int64_t) -> Result {
    Value row = apply(map, 0, place.back());
    Value first = apply(map, 1, place.back());
    Run bytes;
    for (int64_t pair = 0; pair < 4; ++pair) {
      Value column = add(first, constant(4 * pair));
      Value exists =
          arith::AndIOp::create(b, isBelow(row, constant(shape[0])),
                                isBelow(column, constant(shape[1] / 2)));
      Result byte = makeByte(exists, place.drop_back(), row, column, source);
      if (failed(byte))
        return failure();
      bytes.push_back(byte->front());
    }
    Value word = emitRegisterWord(b, b.getLoc(), bytes);
    return Run{emitByteOfWord(b, b.getLoc(), word, place.back())};
  });
}

/// A byte of two codes in a tensor of `type`.
FailureOr<Value> BlockEvaluator::getCodes(BlockTensorType type, Value codes,
                                          ValueRange lead, Value row,
                                          Value column) {
  Run place(lead);
  if (type.getLayout() != BlockLayout::Registers) {
    llvm::append_values(place, row, column);
    Result byte = evaluator.getRun(codes, place, 1);
    return failed(byte) ? FailureOr<Value>() : FailureOr<Value>(byte->front());
  }
  AffineMap map = getRegisterWordMap(type);
  place.push_back(apply(map, 0, {row, column}));
  Result bytes = evaluator.getRun(codes, place, 4);
  if (failed(bytes))
    return failure();
  return emitCodesOfWord(b, b.getLoc(), emitWordOfBytes(b, b.getLoc(), *bytes),
                         apply(map, 1, {row, column}));
}

Result BlockEvaluator::makeCodes(BlockTensorType to, Value columns,
                                 ValueRange index, int64_t count,
                                 ByteSource source) {
  if (to.getLayout() == BlockLayout::Registers)
    return makeRegisterCodes(to, index, count, source);
  return inPieces(index, count, 1, [&](ValueRange place, int64_t) {
    return makeByte(isBelow(place.back(), div(columns, 2)), place.drop_back(2),
                    place.drop_back().back(), place.back(), source);
  });
}

Result BlockEvaluator::makeScales(BlockTensorType to, Value rows,
                                  ValueRange index, int64_t count,
                                  ByteSource source) {
  FormatAttr format = to.getFormat();
  return inPieces(index, count, 1, [&](ValueRange place, int64_t) -> Result {
    if (to.getLayout() == BlockLayout::Linear) {
      FailureOr<Value> byte = source(
          place.drop_back(2),
          mul(place.drop_back().back(), format.getBlockRows()), place.back());
      return failed(byte) ? Result() : Result(Run{*byte});
    }
    int64_t columns = ceilDiv(to.getShape().back(), format.getBlockColumns());
    if (to.getLayout() == BlockLayout::Registers) {
      AffineMap map = getRegisterScaleInverse(to);
      Value row = apply(map, 0, place.back());
      Value block = apply(map, 1, place.back());
      int64_t blocks = ceilDiv(to.getShape().back(), kRegisterScaleCols);
      Value exists = arith::AndIOp::create(b, isBelow(row, rows),
                                           isBelow(block, constant(blocks)));
      Value column = div(block, format.getBlockColumns() / kRegisterScaleCols);
      return makeByte(exists, place.drop_back(), row, column, source);
    }
    // The inverse of getTiledScaleOffset.
    int64_t tilesPerRow = ceilDiv(columns, kScaleTileCols);
    Value tile = div(place.back(), kScaleTileBytes);
    Value within = rem(place.back(), kScaleTileBytes);
    Value row = add(mul(div(tile, tilesPerRow), kScaleTileRows),
                    add(mul(rem(div(within, 4), 4), 32), div(within, 16)));
    Value column = add(mul(rem(tile, tilesPerRow), kScaleTileCols),
                       rem(within, kScaleTileCols));
    Value exists = arith::AndIOp::create(b, isBelow(row, rows),
                                         isBelow(column, constant(columns)));
    return makeByte(exists, place.drop_back(), row, column, source);
  });
}

Result BlockEvaluator::relayout(RelayoutIntoOp op, unsigned result,
                                ValueRange index, int64_t count) {
  Value codes = op.getInputs()[0], scales = op.getInputs()[1];
  BlockTensorType from = op.getFromType(), to = op.getToType();
  // One of the layouts is not linear, so that columns are static.
  if (result == 0)
    return makeCodes(to, constant(to.getShape().back()), index, count,
                     [&](ValueRange lead, Value row, Value column) {
                       return getCodes(from, codes, lead, row, column);
                     });
  int64_t rowDim = from.getRank() - 2;
  FailureOr<Value> rows = from.isDynamicDim(rowDim)
                              ? evaluator.getExtent(codes, rowDim)
                              : constant(from.getShape()[rowDim]);
  if (failed(rows))
    return failure();
  return makeScales(to, *rows, index, count,
                    [&](ValueRange lead, Value row, Value column) {
                      return getScale(from, scales, lead, row, column);
                    });
}

Result BlockEvaluator::transpose(TransposeIntoOp op, unsigned result,
                                 ValueRange index, int64_t count) {
  Value codes = op.getInputs()[0], scales = op.getInputs()[1];
  BlockTensorType from = op.getFromType();
  int64_t rank = from.getRank(), blockRows = from.getFormat().getBlockRows();
  SmallVector<int64_t> shape(from.getShape());
  std::swap(shape[rank - 1], shape[rank - 2]);
  auto to = BlockTensorType::get(shape, from.getFormat(), from.getLayout());
  FailureOr<Value> fromRows = evaluator.getExtent(codes, rank - 2);
  FailureOr<Value> fromBytes = evaluator.getExtent(codes, rank - 1);
  if (failed(fromRows) || failed(fromBytes))
    return failure();

  if (result == 1) {
    bool isStatic = ShapedType::isStatic(from.getShape().back());
    Value rows =
        isStatic ? constant(from.getShape().back()) : mul(*fromBytes, 2);
    return makeScales(
        to, rows, index, count, [&](ValueRange lead, Value row, Value column) {
          return getScale(from, scales, lead, mul(column, blockRows),
                          div(row, blockRows));
        });
  }
  // Two codes of one column of the source, from neighbouring rows.
  auto getPair = [&](ValueRange lead, Value row,
                     Value pair) -> FailureOr<Value> {
    Value isOdd = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                        rem(row, 2), constant(0));
    auto i8 = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(b, b.getI8IntegerAttr(value));
    };
    Value nibbles[2];
    for (int64_t half : {0, 1}) {
      Run place(lead);
      llvm::append_values(place, add(mul(pair, 2), constant(half)),
                          div(row, 2));
      Result byte = evaluator.getRun(codes, place, 1);
      if (failed(byte))
        return failure();
      Value upper = arith::ShRUIOp::create(b, byte->front(), i8(4));
      Value lower = arith::AndIOp::create(b, byte->front(), i8(15));
      nibbles[half] = arith::SelectOp::create(b, isOdd, upper, lower);
    }
    return arith::OrIOp::create(b, nibbles[0],
                                arith::ShLIOp::create(b, nibbles[1], i8(4)))
        .getResult();
  };
  return makeCodes(to, *fromRows, index, count, getPair);
}

} // namespace

Result nvfp4::evaluateBlockOp(ElementEvaluator &evaluator,
                              KernelBuilder &kernel, Operation *op,
                              unsigned result, ValueRange index,
                              int64_t count) {
  BlockEvaluator blocks(evaluator, kernel);
  return TypeSwitch<Operation *, Result>(op)
      .Case([&](DequantizeIntoOp decode) {
        return blocks.dequantize(decode, index, count);
      })
      .Case([&](HadamardIntoOp transform) {
        return blocks.hadamard(transform, index, count);
      })
      .Case([&](RelayoutIntoOp move) {
        return blocks.relayout(move, result, index, count);
      })
      .Case([&](TransposeIntoOp move) {
        return blocks.transpose(move, result, index, count);
      })
      .Default([](Operation *other) -> Result {
        return other->emitError("expected an op whose elements a kernel can "
                                "compute one by one, but got '")
               << other->getName() << "'";
      });
}
