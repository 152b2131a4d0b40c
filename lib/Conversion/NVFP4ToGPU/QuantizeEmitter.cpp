//===- QuantizeEmitter.cpp - How threads quantize -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source: PTX ISA, `cvt` (e2m1x2 and e4m3x2: the first operand is the upper
// half) and scale factor layout of block-scaled MMA; docs/Format.md.
//
//===----------------------------------------------------------------------===//

#include "QuantizeEmitter.h"

#include "Matmul/WeightDecode.h"
#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"
#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cfloat>

using namespace mlir;
using namespace nvfp4;

/// Bytes of a decoded value; pairs of them in the widest store.
static constexpr int64_t kValueBytes = 2, kPairsPerStore = 4;

/// Between these global scales, and their reciprocals, products with scales of
/// blocks and reciprocals of those are normal.
static constexpr float kMinPlainScale = 0x1p-110f, kMaxPlainScale = 0x1p110f;

//===----------------------------------------------------------------------===//
// Small builders
//===----------------------------------------------------------------------===//

static Value getF32(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

static Value getInt(ImplicitLocOpBuilder &b, unsigned width, int64_t value) {
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(b.getIntegerType(width), value));
}

/// Both conditions, of which either may be null: always true.
static Value emitBoth(ImplicitLocOpBuilder &b, Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  return arith::AndIOp::create(b, lhs, rhs);
}

/// `value` where `condition` holds, zero elsewhere.
static Value emitOrZero(ImplicitLocOpBuilder &b, Value condition, Value value) {
  if (!condition)
    return value;
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(value.getType()));
  return arith::SelectOp::create(b, condition, value, zero);
}

Value nvfp4::emitMaxOfLanes(ImplicitLocOpBuilder &b, Value value,
                            ArrayRef<int32_t> lanes) {
  for (int32_t lane : lanes) {
    Value other = NVVM::ShflOp::create(
        b, b.getF32Type(), getInt(b, 32, -1), value, getInt(b, 32, lane),
        getInt(b, 32, 31), NVVM::ShflKind::bfly, UnitAttr());
    value = arith::MaxNumFOp::create(b, value, other);
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Where results go
//===----------------------------------------------------------------------===//

/// The quantization that a value is the codes, the scales or the decoded values
/// of; null for any other.
static QuantizeIntoOp getQuantization(Value value) {
  if (auto decode = value.getDefiningOp<DequantizeIntoOp>())
    return getDecodedQuantization(decode);
  return value.getDefiningOp<QuantizeIntoOp>();
}

FailureOr<QuantizeTargets> nvfp4::getQuantizeTargets(func::FuncOp body,
                                                     QuantizeIntoOp op) {
  Operation *end = body.front().getTerminator();
  QuantizeTargets targets;
  for (auto [init, value] :
       llvm::zip_equal(body.getArguments().take_back(end->getNumOperands()),
                       end->getOperands())) {
    if (value == op->getResult(0))
      targets.codes = init;
    else if (value == op->getResult(1))
      targets.scales = init;
    else if (value.getDefiningOp<DequantizeIntoOp>() &&
             getQuantization(value) == op)
      targets.values = init;
  }
  bool isWhole = bool(targets.codes) == bool(targets.scales);
  if (!isWhole || !targets.getShaped())
    return op.emitError("expected codes and scales, or decoded values, to be "
                        "results of the kernel");
  return targets;
}

QuantizeIntoOp nvfp4::getOnlyQuantization(func::FuncOp body) {
  ValueRange results = body.front().getTerminator()->getOperands();
  QuantizeIntoOp op =
      results.empty() ? QuantizeIntoOp() : getQuantization(results.front());
  bool isAll = op && llvm::all_of(results, [&](Value result) {
                 return getQuantization(result) == op;
               });
  return isAll ? op : QuantizeIntoOp();
}

//===----------------------------------------------------------------------===//
// What must be covered
//===----------------------------------------------------------------------===//

QuantizeEmitter::QuantizeEmitter(KernelBuilder &kernel,
                                 ElementEvaluator &evaluator, QuantizeIntoOp op,
                                 const QuantizeTargets &targets)
    : kernel(kernel), evaluator(evaluator), b(kernel.getBuilder()), op(op),
      type(op.getBlockType()), targets(targets),
      encoder(kernel.getBuilder(), kernel.getChip()) {
  int64_t rank = type.getRank();
  for (int64_t dim = 0; dim < rank; ++dim) {
    bool isStatic = !type.isDynamicDim(dim);
    Value extent = isStatic ? evaluator.constant(type.getDimSize(dim))
                            : *evaluator.getExtent(targets.getShaped(), dim);
    if (dim + 2 < rank)
      leadExtents.push_back(extent);
    else if (dim + 2 == rank)
      rows = extent;
    else
      columns = isStatic || !targets.codes
                    ? extent
                    : evaluator.mul(extent, evaluator.constant(2));
  }
}

/// Columns that have room for a scale, of `columns` that exist, in the tiled
/// layout.
static int64_t getTiledColumns(BlockTensorType type) {
  int64_t blockColumns = type.getFormat().getBlockColumns();
  int64_t blocks = ceilDiv(type.getShape().back(), blockColumns);
  return roundUpTo(blocks, kScaleTileCols) * blockColumns;
}

Value QuantizeEmitter::getCoveredRows() {
  if (!isTiled())
    return rows;
  Value tileRows = evaluator.constant(kScaleTileRows);
  Value tiles = evaluator.div(
      evaluator.add(rows, evaluator.constant(kScaleTileRows - 1)), tileRows);
  return evaluator.mul(tiles, tileRows);
}

Value QuantizeEmitter::getCoveredColumns() {
  return isTiled() ? evaluator.constant(getTiledColumns(type)) : columns;
}

int64_t QuantizeEmitter::getCoveredColumnCount() const {
  return isTiled() ? getTiledColumns(type) : type.getShape().back();
}

/// Of a dimension before the columns.
AffineExpr QuantizeEmitter::getExtentExpr(unsigned dim) {
  return type.isDynamicDim(dim) ? kernel.getExtentExpr(targets.getShaped(), dim)
                                : b.getAffineConstantExpr(type.getDimSize(dim));
}

SmallVector<AffineExpr> QuantizeEmitter::getLeadExtentExprs() {
  SmallVector<AffineExpr> exprs;
  for (unsigned dim = 0; dim < leadExtents.size(); ++dim)
    exprs.push_back(getExtentExpr(dim));
  return exprs;
}

AffineExpr QuantizeEmitter::getCoveredRowsExpr() {
  AffineExpr extent = getExtentExpr(type.getRank() - 2);
  return isTiled() ? extent.ceilDiv(kScaleTileRows) * kScaleTileRows : extent;
}

AffineExpr QuantizeEmitter::getCoveredColumnsExpr() {
  unsigned dim = type.getRank() - 1;
  if (type.isDynamicDim(dim))
    return kernel.getExtentExpr(targets.getShaped(), dim) *
           (targets.codes ? 2 : 1);
  return b.getAffineConstantExpr(isTiled() ? getTiledColumns(type)
                                           : type.getDimSize(dim));
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

FailureOr<EmittedFactors> QuantizeEmitter::getFactors(ValueRange index) {
  Value globalScale = op.getGlobalScale();
  if (!globalScale)
    return EmittedFactors();
  int64_t rank = cast<ShapedType>(globalScale.getType()).getRank();
  FailureOr<ElementEvaluator::Run> run =
      evaluator.getRun(globalScale, index.take_front(rank), 1);
  if (failed(run))
    return failure();
  FormatAttr format = type.getFormat();
  return emitGlobalScaleFactors(b, b.getLoc(), run->front(),
                                format.getConvention(), format.getBound());
}

Value QuantizeEmitter::emitBlockAmax(const Elements &run, Value isColumn) {
  int64_t count = run.size();
  SmallVector<int32_t> lanes;
  for (int64_t lane = 1; lane * count < type.getFormat().getBlockColumns();
       lane *= 2)
    lanes.push_back(lane);
  return emitMaxOfLanes(b, emitOrZero(b, isColumn, emitAmax(b, run)), lanes);
}

/// The byte of a scale in e4m3, as an i16, and its value.
static std::pair<Value, Value> emitE4M3(ImplicitLocOpBuilder &b, Value scale) {
  Type e4m3 = Float8E4M3FNType::get(b.getContext());
  auto bytes = VectorType::get(2, b.getI8Type());
  Value code = NVVM::ConvertF32x2ToF8x2Op::create(
      b, b.getI16Type(), getF32(b, 0.0f), scale, NVVM::FPRoundingMode::RN,
      NVVM::SaturationMode::SATFINITE, /*relu=*/false, e4m3);
  Value halves = NVVM::ConvertF8x2ToF16x2Op::create(
      b, VectorType::get(2, b.getF16Type()),
      LLVM::BitcastOp::create(b, bytes, code), /*relu=*/false, e4m3);
  Value half = LLVM::ExtractElementOp::create(b, halves, getInt(b, 32, 0));
  return {code, arith::ExtFOp::create(b, b.getF32Type(), half)};
}

EmittedBlockScale QuantizeEmitter::emitScale(Value amax,
                                             const EmittedFactors &factors) {
  ScaleEncoding encoding = type.getFormat().getScaleEncoding();
  if (encoding != ScaleEncoding::E4M3)
    return emitBlockScale(b, b.getLoc(), encoding, amax,
                          factors.encode ? &factors : nullptr);
  // The steps of emitBlockScale, with the chip's conversions.
  Value largest = getF32(b, FLT_MAX);
  Value factor =
      arith::MulFOp::create(b, factors.encode, getF32(b, 1.0f / 6.0f));
  Value scale = arith::MinNumFOp::create(
      b, arith::MulFOp::create(b, amax, factor), largest);
  auto [code, decoded] = emitE4M3(b, scale);
  Value product = arith::MulFOp::create(b, decoded, factors.decode);
  Value encode = arith::MinNumFOp::create(
      b, arith::DivFOp::create(b, getF32(b, 1.0f), product), largest);
  return {arith::TruncIOp::create(b, b.getI8Type(), code), encode};
}

/// The same with an eighth of the factor, for amax that is no NaN and global
/// scales in whose range a reciprocal is an approximation and one step.
EmittedBlockScale
QuantizeEmitter::emitPlainScale(Value amax, const EmittedFactors &factors) {
  auto mul = [&](Value lhs, Value rhs) -> Value {
    return arith::MulFOp::create(b, lhs, rhs);
  };
  // The conversion makes the largest finite value of what is above it.
  Value factor = mul(factors.encode, getF32(b, 1.0f / 6.0f));
  auto [code, decoded] = emitE4M3(b, mul(amax, factor));
  Value product = mul(decoded, mul(factors.decode, getF32(b, 8.0f)));
  Value approximate =
      NVVM::RcpApproxFtzF32Op::create(b, b.getF32Type(), product);
  Value error = LLVM::FMAOp::create(b, arith::NegFOp::create(b, product),
                                    approximate, getF32(b, 1.0f));
  Value eighth = LLVM::FMAOp::create(b, approximate, error, approximate);
  // The reciprocal of zero has become NaN.
  eighth = arith::MinNumFOp::create(b, eighth, getF32(b, FLT_MAX / 8));
  return {arith::TruncIOp::create(b, b.getI8Type(), code), eighth};
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

LogicalResult QuantizeEmitter::emitRow(ValueRange index, Presence presence,
                                       const Elements &run,
                                       const EmittedFactors &factors) {
  FormatAttr format = type.getFormat();
  bool isStochastic(op.getState());
  if (!encoder.isArithmetic(isStochastic) ||
      format.getScaleEncoding() != ScaleEncoding::E4M3 ||
      run.size() != format.getBlockColumns())
    return emitRun(index, presence, run, emitBlockAmax(run, presence.column),
                   factors);

  SmallVector<Value> random;
  if (isStochastic) {
    FailureOr<SmallVector<Value>> bytes = emitRandomBytes(index, run.size());
    if (failed(bytes))
      return failure();
    random = std::move(*bytes);
  }
  auto compare = [&](arith::CmpFPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpFOp::create(b, predicate, lhs, rhs);
  };
  Value isSmall = compare(arith::CmpFPredicate::ULT, factors.decode,
                          getF32(b, kMinPlainScale));
  Value isLarge = compare(arith::CmpFPredicate::UGT, factors.decode,
                          getF32(b, kMaxPlainScale));
  Value isUnusual = arith::OrIOp::create(b, isSmall, isLarge);
  Value largest = emitOrZero(b, presence.column, emitLargest(b, run));
  Value isRare = arith::OrIOp::create(
      b, compare(arith::CmpFPredicate::UNO, largest, largest), isUnusual);
  SmallVector<Type> types(run.size() / kCodesPerWord, b.getI32Type());
  types.push_back(b.getI8Type());
  auto branch = scf::IfOp::create(b, types, isRare, /*withElseRegion=*/true);
  auto yield = [&](SmallVector<Value> words, Value byte) {
    words.push_back(byte);
    scf::YieldOp::create(b, words);
  };
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    EmittedBlockScale scale =
        emitScale(emitOrZero(b, presence.column, emitAmax(b, run)), factors);
    yield(encoder.emitWordsByCodec(run, scale.encode, random), scale.byte);
    b.setInsertionPointToStart(branch.elseBlock());
    EmittedBlockScale plain = emitPlainScale(largest, factors);
    yield(encoder.emitWordsByArithmetic(run, plain.encode, random), plain.byte);
  }
  storeRun(index, presence, SmallVector<Value>(branch.getResults().drop_back()),
           branch.getResults().back(), run.size());
  return success();
}

LogicalResult QuantizeEmitter::emitRun(ValueRange index, Presence presence,
                                       const Elements &run, Value amax,
                                       const EmittedFactors &factors) {
  int64_t count = run.size();
  EmittedBlockScale scale = emitScale(amax, factors);
  SmallVector<Value> random;
  if (op.getState()) {
    FailureOr<SmallVector<Value>> bytes = emitRandomBytes(index, count);
    if (failed(bytes))
      return failure();
    random = std::move(*bytes);
  }
  SmallVector<Value> words = encoder.emitWords(run, scale.encode, random);
  storeRun(index, presence, words, scale.byte, count);
  return success();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value QuantizeEmitter::getSlice(ValueRange index) {
  return evaluator.linearize(index.take_front(leadExtents.size()), leadExtents);
}

void QuantizeEmitter::store(Value value, BlockArgument argument, Value offset,
                            int64_t alignment) {
  Value base = kernel.getPointer(argument);
  Value offset64 = arith::IndexCastOp::create(b, b.getI64Type(), offset);
  Value address = LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base,
                                      ArrayRef<LLVM::GEPArg>{offset64});
  LLVM::StoreOp::create(b, value, address, alignment);
}

void QuantizeEmitter::storeRun(ValueRange index, Presence presence,
                               ArrayRef<Value> words, Value byte,
                               int64_t count) {
  if (targets.codes)
    storeCodes(index, presence, words, count);
  if (targets.scales)
    storeScale(index, presence, byte, count);
  if (targets.values)
    storeValues(index, presence, words, byte, count);
}

void QuantizeEmitter::storeCodes(ValueRange index, Presence presence,
                                 ArrayRef<Value> words, int64_t count) {
  Value column = index.back(), condition = presence.row;
  SmallVector<Value> values(words);
  Value pitch = evaluator.div(columns, evaluator.constant(2));
  if (isTiled()) {
    // Padding up to the pitch is zero; behind it are columns that have a scale
    // and no codes.
    int64_t padded = roundUpTo(type.getShape().back(), kTiledCodeCols);
    pitch = evaluator.constant(padded / 2);
    for (Value &value : values)
      value = emitOrZero(b, presence.column, value);
    if (padded != getTiledColumns(type))
      condition =
          emitBoth(b, condition,
                   arith::CmpIOp::create(b, arith::CmpIPredicate::ult, column,
                                         evaluator.constant(padded)));
  } else {
    condition = emitBoth(b, condition, presence.column);
  }
  condition = emitBoth(b, condition, presence.covered);
  Value offset = evaluator.add(evaluator.mul(getLine(index), pitch),
                               evaluator.div(column, evaluator.constant(2)));

  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(
        scf::IfOp::create(b, condition, /*withElseRegion=*/false).thenBlock());
  storeWords(values, targets.codes, offset, count / 2);
}

/// Code times block scale, as bf16: the multiplications that weights are
/// decoded by, and one by the power of two that those leave to sums.
void QuantizeEmitter::storeValues(ValueRange index, Presence presence,
                                  ArrayRef<Value> words, Value scale,
                                  int64_t count) {
  Value condition = emitBoth(b, presence.row, presence.column);
  condition = emitBoth(b, condition, presence.covered);
  Value element =
      evaluator.add(evaluator.mul(getLine(index), columns), index.back());
  Value offset = evaluator.mul(element, evaluator.constant(kValueBytes));

  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(
        scf::IfOp::create(b, condition, /*withElseRegion=*/false).thenBlock());
  ElementEvaluator::Scope scope(evaluator);
  ScaleEncoding encoding = type.getFormat().getScaleEncoding();
  Value byte = arith::ExtUIOp::create(b, b.getI32Type(), scale);
  Value multiplier = emitScaleMultipliers(b, encoding, byte)[0];
  auto pairType = cast<VectorType>(multiplier.getType());
  auto factor = b.getFloatAttr(b.getBF16Type(), getDecodeFactor(encoding));
  Value rest =
      arith::ConstantOp::create(b, DenseElementsAttr::get(pairType, factor));
  SmallVector<Value> pairs;
  for (Value word : words) {
    if (!word.getType().isInteger(32))
      word = arith::ExtUIOp::create(b, b.getI32Type(), word);
    for (Value pair : emitDecodeCodes(b, encoding, word, multiplier)) {
      if (!factor.getValue().isExactlyValue(1.0))
        pair = LLVM::BitcastOp::create(
            b, b.getI32Type(),
            LLVM::FMulOp::create(b, LLVM::BitcastOp::create(b, pairType, pair),
                                 rest));
      pairs.push_back(pair);
    }
  }
  // Four codes are half of a word.
  pairs.resize(count / 2);
  for (size_t i = 0; i < pairs.size(); i += kPairsPerStore) {
    ArrayRef<Value> part = ArrayRef(pairs).slice(i).take_front(kPairsPerStore);
    Value place = evaluator.add(offset, evaluator.constant(4 * i));
    storeWords(part, targets.values, place, 4 * part.size());
  }
}

/// Number of the row at `index` among those of all slices.
Value QuantizeEmitter::getLine(ValueRange index) {
  Value row = index.drop_back().back();
  if (leadExtents.empty())
    return row;
  return evaluator.add(evaluator.mul(getSlice(index), rows), row);
}

/// Neighbouring words by one store.
void QuantizeEmitter::storeWords(ArrayRef<Value> words, BlockArgument argument,
                                 Value offset, int64_t bytes) {
  Value value = words.front();
  if (words.size() > 1) {
    auto vector = VectorType::get(words.size(), b.getI32Type());
    value = LLVM::PoisonOp::create(b, vector);
    for (auto [i, word] : llvm::enumerate(words))
      value = LLVM::InsertElementOp::create(b, value, word, getInt(b, 32, i));
  }
  store(value, argument, offset, bytes);
}

/// Where the scale of the element at `index` lies, in bytes from the first.
Value QuantizeEmitter::getScaleOffset(ValueRange index) {
  auto constant = [&](int64_t value) { return evaluator.constant(value); };
  auto add = [&](Value x, Value y) { return evaluator.add(x, y); };
  auto mul = [&](Value x, int64_t y) { return evaluator.mul(x, constant(y)); };
  auto div = [&](Value x, int64_t y) { return evaluator.div(x, constant(y)); };
  auto rem = [&](Value x, int64_t y) { return evaluator.rem(x, constant(y)); };

  FormatAttr format = type.getFormat();
  Value row = index.drop_back().back();
  Value column = div(index.back(), format.getBlockColumns());
  Value offset, size;
  if (isTiled()) {
    // getTiledScaleOffset of ScaleLayout.h.
    int64_t tilesPerRow =
        getTiledColumns(type) / format.getBlockColumns() / kScaleTileCols;
    Value tile = add(mul(div(row, kScaleTileRows), tilesPerRow),
                     div(column, kScaleTileCols));
    Value within = add(mul(rem(row, 32), 16), mul(rem(div(row, 32), 4), 4));
    offset = add(mul(tile, kScaleTileBytes),
                 add(within, rem(column, kScaleTileCols)));
    if (!leadExtents.empty())
      size = mul(getCoveredRows(), tilesPerRow * kScaleTileCols);
  } else {
    Value pitch = div(add(columns, constant(format.getBlockColumns() - 1)),
                      format.getBlockColumns());
    offset = add(evaluator.mul(div(row, format.getBlockRows()), pitch), column);
    if (!leadExtents.empty())
      size = evaluator.mul(div(add(rows, constant(format.getBlockRows() - 1)),
                               format.getBlockRows()),
                           pitch);
  }
  return size ? add(evaluator.mul(getSlice(index), size), offset) : offset;
}

void QuantizeEmitter::storeScale(ValueRange index, Presence presence,
                                 Value byte, int64_t count) {
  auto isMultiple = [&](Value x, int64_t divisor) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                 evaluator.rem(x, evaluator.constant(divisor)),
                                 evaluator.constant(0));
  };
  FormatAttr format = type.getFormat();
  Value isPresent = emitBoth(b, presence.row, presence.column);
  Value condition;
  if (count < format.getBlockColumns())
    condition = isMultiple(index.back(), format.getBlockColumns());
  condition = emitBoth(b, condition, presence.covered);
  if (isTiled()) {
    byte = emitOrZero(b, isPresent, byte);
  } else {
    condition = emitBoth(b, condition, isPresent);
    // Linear scales of a block of several rows are stored once.
    if (format.getBlockRows() > 1)
      condition =
          emitBoth(b, condition,
                   isMultiple(index.drop_back().back(), format.getBlockRows()));
  }
  Value offset = getScaleOffset(index);
  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(
        scf::IfOp::create(b, condition, /*withElseRegion=*/false).thenBlock());
  store(byte, targets.scales, offset, 1);
}
