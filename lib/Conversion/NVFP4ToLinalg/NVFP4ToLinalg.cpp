//===- NVFP4ToLinalg.cpp - The reference lowering -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decomposes the kernel-level ops into their definition in linalg and arith:
// the specification in executable form, and what the CPU runs. Quantized bytes
// are those of Support's quantizer, bit for bit; matmuls accumulate in f32.
//
// Expects: kernel-level ops on tensors (nvfp4-expand-tensors).
// Leaves:  no kernel-level op on tensors.
//
//===----------------------------------------------------------------------===//

#include "BlockViews.h"
#include "RuntimeKernels.h"

#include "nvfp4/Conversion/ScalarCodecs.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace nvfp4 {
#define GEN_PASS_DEF_CONVERTNVFP4TOLINALGPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

//===----------------------------------------------------------------------===//
// Shared steps
//===----------------------------------------------------------------------===//

/// The bits of |x| as i32, 0 for NaN: their integer order is that of the
/// magnitudes, so the maximum needs no floating-point rule about NaN.
Value emitMagnitudeBits(OpBuilder &builder, Location loc, Value value) {
  Type i32 = builder.getI32Type();
  value = convertFloat(builder, loc, value, builder.getF32Type());
  Value bits = arith::BitcastOp::create(builder, loc, i32, value);
  auto constant = [&](int32_t constant) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI32IntegerAttr(constant));
  };
  Value magnitude =
      arith::AndIOp::create(builder, loc, bits, constant(0x7FFFFFFF));
  Value isNaN = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt,
                                      magnitude, constant(0x7F800000));
  return arith::SelectOp::create(builder, loc, isNaN, constant(0), magnitude);
}

/// Largest magnitude bits of `source`, reduced along the loops that `map`
/// drops.
Value createAmaxBits(OpBuilder &builder, Location loc, Value source,
                     ArrayRef<OpFoldResult> extents, AffineMap map,
                     ArrayRef<utils::IteratorType> iterators) {
  Value init =
      createFilled(builder, loc, extents, builder.getI32IntegerAttr(0));
  AffineMap identity = builder.getMultiDimIdentityMap(map.getNumDims());
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), source, init, {identity, map}, iterators,
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value bits = emitMagnitudeBits(b, l, args[0]);
        Value max = arith::MaxSIOp::create(b, l, bits, args[1]);
        linalg::YieldOp::create(b, l, max);
      });
  return generic.getResult(0);
}

Value asFloat(OpBuilder &builder, Location loc, Value bits) {
  return arith::BitcastOp::create(builder, loc, builder.getF32Type(), bits);
}

/// f32 values [lead, M, K] of codes and scales, times the global scale if
/// `globalScale` is given.
Value createDecoded(OpBuilder &builder, Location loc, BlockTensorType type,
                    ArrayRef<OpFoldResult> extents, Value codes, Value scales,
                    Value globalScale) {
  std::tie(codes, scales) =
      createLinearComponents(builder, loc, type, extents, codes, scales);
  FormatAttr format = type.getFormat();
  BlockViews views(builder, loc, type, extents);
  Type f32 = builder.getF32Type();

  Value scaleTable = getScaleTable(builder, loc, format.getScaleEncoding());
  AffineMap blockIdentity =
      builder.getMultiDimIdentityMap(views.getNumBlockLoops());
  SmallVector<Value> inputs = {scales};
  SmallVector<AffineMap> maps = {blockIdentity};
  if (globalScale) {
    inputs.push_back(globalScale);
    maps.push_back(views.getGlobalScaleMap());
  }
  maps.push_back(blockIdentity);
  Value blockScales =
      createParallelGeneric(
          builder, loc, inputs,
          createEmpty(builder, loc, views.getBlockExtents(), f32), maps,
          [&](OpBuilder &b, Location l, ValueRange args) {
            Value byte =
                arith::IndexCastUIOp::create(b, l, b.getIndexType(), args[0]);
            Value scale = tensor::ExtractOp::create(b, l, scaleTable, byte);
            if (globalScale)
              scale = emitDecodedBlockScale(b, l, scale, args[1],
                                            format.getConvention(),
                                            format.getBound());
            return SmallVector<Value>{scale};
          })
          .front();

  Value codeTable = getCodeTable(builder, loc);
  Value bytes = views.viewBytes(codes);
  SmallVector<OpFoldResult> elementExtents =
      getMixedExtents(builder, loc, bytes);
  elementExtents.push_back(builder.getIndexAttr(2));
  AffineMap identity = views.getIdentity(3);
  Value elements =
      createParallelGeneric(
          builder, loc, {bytes, blockScales},
          createEmpty(builder, loc, elementExtents, f32),
          {identity.dropResult(identity.getNumResults() - 1),
           views.getBlockMap(3), identity},
          [&](OpBuilder &b, Location l, ValueRange args) {
            // Nibble h of the byte.
            Value half =
                linalg::IndexOp::create(b, l, views.getNumLoops(3) - 1);
            Value byte = arith::ExtUIOp::create(b, l, b.getI32Type(), args[0]);
            Value four =
                arith::ConstantOp::create(b, l, b.getI32IntegerAttr(4));
            Value mask =
                arith::ConstantOp::create(b, l, b.getI32IntegerAttr(15));
            Value shift = arith::MulIOp::create(
                b, l, arith::IndexCastOp::create(b, l, b.getI32Type(), half),
                four);
            Value code = arith::AndIOp::create(
                b, l, arith::ShRUIOp::create(b, l, byte, shift), mask);
            Value index =
                arith::IndexCastUIOp::create(b, l, b.getIndexType(), code);
            Value value = tensor::ExtractOp::create(b, l, codeTable, index);
            Value scaled = arith::MulFOp::create(b, l, value, args[1]);
            return SmallVector<Value>{scaled};
          })
          .front();
  return views.unviewElements(elements);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

/// Global scale: the maximum of magnitudes, then the convention's formula.
struct DecomposeGlobalScale final : OpRewritePattern<GlobalScaleIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(GlobalScaleIntoOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    Location loc = op.getLoc();
    Value source = op.getInputs()[0];
    auto type = cast<RankedTensorType>(op.getResultTypes().front());
    int64_t rank = cast<RankedTensorType>(source.getType()).getRank();
    SmallVector<OpFoldResult> extents = getMixedExtents(rewriter, loc, source);
    extents.truncate(type.getRank());
    AffineMap map = getLeadingMap(rewriter, rank, type.getRank());
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::reduction);
    std::fill_n(iterators.begin(), type.getRank(),
                utils::IteratorType::parallel);
    Value bits = createAmaxBits(rewriter, loc, source, extents, map, iterators);
    AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
    FormatAttr format = op.getFormat();
    SmallVector<Value> result = createParallelGeneric(
        rewriter, loc, bits,
        createEmpty(rewriter, loc, extents, rewriter.getF32Type()),
        {identity, identity}, [&](OpBuilder &b, Location l, ValueRange args) {
          return SmallVector<Value>{emitGlobalScaleFromAmax(
              b, l, asFloat(b, l, args[0]), format.getConvention(),
              format.getBound())};
        });
    rewriter.replaceOp(op, castTo(rewriter, loc, result.front(), type));
    return success();
  }
};

/// Quantization in four steps: maximum of each block, factors of each global
/// scale, scale of each block, codes.
struct DecomposeQuantize final : OpRewritePattern<QuantizeIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(QuantizeIntoOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    Location loc = op.getLoc();
    BlockTensorType type = op.getBlockType();
    SmallVector<OpFoldResult> extents =
        getExtentsOf(rewriter, loc, type, op.getSource());
    BlockViews views(rewriter, loc, type, extents);
    Value elements = views.viewElements(op.getSource());
    Value amaxBits =
        createAmaxBits(rewriter, loc, elements, views.getBlockExtents(),
                       views.getBlockMap(3), views.getBlockReduction());
    auto [scales, factors] = createBlockScales(op, views, amaxBits, rewriter);
    Value codes = createCodes(op, extents, views, elements, factors, rewriter);
    auto [outCodes, outScales] =
        createComponentsInLayout(rewriter, loc, type, extents, codes, scales);
    rewriter.replaceOp(
        op, {castTo(rewriter, loc, outCodes, op.getResultTypes()[0]),
             castTo(rewriter, loc, outScales, op.getResultTypes()[1])});
    return success();
  }

private:
  /// Scale bytes and element factors, [lead, mb, kb].
  static std::pair<Value, Value> createBlockScales(QuantizeIntoOp op,
                                                   BlockViews &views,
                                                   Value amaxBits,
                                                   PatternRewriter &rewriter) {
    Location loc = op.getLoc();
    FormatAttr format = op.getBlockType().getFormat();
    Type f32 = rewriter.getF32Type();
    AffineMap identity =
        rewriter.getMultiDimIdentityMap(views.getNumBlockLoops());
    SmallVector<Value> inputs = {amaxBits};
    SmallVector<AffineMap> maps = {identity};
    if (Value globalScale = op.getGlobalScale()) {
      SmallVector<OpFoldResult> extents =
          getMixedExtents(rewriter, loc, globalScale);
      AffineMap globalIdentity =
          rewriter.getMultiDimIdentityMap(extents.size());
      Value init = createEmpty(rewriter, loc, extents, f32);
      SmallVector<Value> factors = createParallelGeneric(
          rewriter, loc, globalScale, {init, init},
          {globalIdentity, globalIdentity, globalIdentity},
          [&](OpBuilder &b, Location l, ValueRange args) {
            EmittedFactors emitted = emitGlobalScaleFactors(
                b, l, args[0], format.getConvention(), format.getBound());
            return SmallVector<Value>{emitted.encode, emitted.decode};
          });
      llvm::append_range(inputs, factors);
      maps.append(2, views.getGlobalScaleMap());
    }
    maps.append(2, identity);
    SmallVector<OpFoldResult> extents = views.getBlockExtents();
    SmallVector<Value> inits = {
        createEmpty(rewriter, loc, extents, rewriter.getI8Type()),
        createEmpty(rewriter, loc, extents, f32)};
    SmallVector<Value> results = createParallelGeneric(
        rewriter, loc, inputs, inits, maps,
        [&](OpBuilder &b, Location l, ValueRange args) {
          EmittedFactors factors;
          if (format.hasGlobalScale())
            factors = {args[1], args[2]};
          EmittedBlockScale scale = emitBlockScale(
              b, l, format.getScaleEncoding(), asFloat(b, l, args[0]),
              format.hasGlobalScale() ? &factors : nullptr);
          return SmallVector<Value>{scale.byte, scale.encode};
        });
    return {results[0], results[1]};
  }

  /// Packed codes, [lead, M, K/2].
  static Value createCodes(QuantizeIntoOp op, ArrayRef<OpFoldResult> extents,
                           BlockViews &views, Value elements, Value factors,
                           PatternRewriter &rewriter) {
    Location loc = op.getLoc();
    AffineMap identity = views.getIdentity(2);
    SmallVector<Value> inputs = {views.getHalf(elements, 0),
                                 views.getHalf(elements, 1), factors};
    SmallVector<AffineMap> maps = {identity, identity, views.getBlockMap(2),
                                   identity};
    Value state = op.getState();
    Value init =
        createEmpty(rewriter, loc, getMixedExtents(rewriter, loc, inputs[0]),
                    rewriter.getI8Type());
    SmallVector<Value> bytes = createParallelGeneric(
        rewriter, loc, inputs, init, maps,
        [&](OpBuilder &b, Location l, ValueRange args) {
          Type f32 = b.getF32Type();
          Value randomPair;
          if (state)
            randomPair = emitRandomPair(b, l, op, extents, views, state);
          Value byte;
          for (int half : {0, 1}) {
            Value scaled = arith::MulFOp::create(
                b, l, convertFloat(b, l, args[half], f32), args[2]);
            Value code =
                state ? emitEncodeE2M1Stochastic(
                            b, l, scaled, getByte(b, l, randomPair, half))
                      : emitEncodeE2M1(b, l, scaled);
            if (half == 0) {
              byte = code;
              continue;
            }
            Value four =
                arith::ConstantOp::create(b, l, b.getI32IntegerAttr(4));
            byte = arith::OrIOp::create(
                b, l, byte, arith::ShLIOp::create(b, l, code, four));
          }
          Value result = arith::TruncIOp::create(b, l, b.getI8Type(), byte);
          return SmallVector<Value>{result};
        });
    return views.unviewBytes(bytes.front());
  }

  /// Byte `index` of an i32.
  static Value getByte(OpBuilder &b, Location loc, Value word, int index) {
    Value shift =
        arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(8 * index));
    Value mask = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0xFF));
    return arith::AndIOp::create(
        b, loc, arith::ShRUIOp::create(b, loc, word, shift), mask);
  }

  /// The random bytes of the two elements of the current byte, in the two low
  /// bytes of an i32 (Philox.h says which bits serve which element).
  static Value emitRandomPair(OpBuilder &b, Location loc, QuantizeIntoOp op,
                              ArrayRef<OpFoldResult> extents, BlockViews &views,
                              Value state) {
    // The first of the two elements, counted in row-major order.
    FormatAttr format = op.getBlockType().getFormat();
    int64_t rank = op.getBlockType().getRank();
    bool hasRows = format.getBlockRows() > 1;
    int64_t loop = 0;
    auto next = [&]() -> Value {
      return linalg::IndexOp::create(b, loc, loop++);
    };
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    auto fuse = [&](Value x, Value extent, Value y) -> Value {
      return arith::AddIOp::create(b, loc,
                                   arith::MulIOp::create(b, loc, x, extent), y);
    };
    Value element = constant(0);
    for (int64_t dim = 0; dim < rank - 2; ++dim)
      element =
          fuse(element, getValueOrCreateConstantIndexOp(b, loc, extents[dim]),
               next());
    Value row = next();
    if (hasRows)
      row = fuse(row, constant(format.getBlockRows()), next());
    element =
        fuse(element,
             getValueOrCreateConstantIndexOp(b, loc, extents[rank - 2]), row);
    Value block = next(), run = next(), pair = next();
    Value column = fuse(block, constant(format.getBlockColumns() / 16), run);
    column = fuse(column, constant(16),
                  arith::MulIOp::create(b, loc, pair, constant(2)));
    element = fuse(element,
                   getValueOrCreateConstantIndexOp(b, loc, extents[rank - 1]),
                   column);

    Type i64 = b.getI64Type(), i32 = b.getI32Type();
    Value element64 = arith::IndexCastOp::create(b, loc, i64, element);
    Value seed = tensor::ExtractOp::create(b, loc, state, constant(0));
    Value offset = tensor::ExtractOp::create(b, loc, state, constant(1));
    auto i64Constant = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
    };
    Value counter = arith::AddIOp::create(
        b, loc, offset,
        arith::ShRUIOp::create(b, loc, element64, i64Constant(4)));
    std::array<Value, 4> words = emitPhiloxWords(b, loc, seed, counter);
    Value within = arith::TruncIOp::create(
        b, loc, i32, arith::AndIOp::create(b, loc, element64, i64Constant(15)));
    auto i32Constant = [&](int32_t value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
    };
    Value word = words[3];
    for (int i : {2, 1, 0}) {
      Value isBelow = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                            within, i32Constant(4 * (i + 1)));
      word = arith::SelectOp::create(b, loc, isBelow, words[i], word);
    }
    Value shift = arith::MulIOp::create(
        b, loc, arith::AndIOp::create(b, loc, within, i32Constant(3)),
        i32Constant(8));
    return arith::ShRUIOp::create(b, loc, word, shift);
  }
};

struct DecomposeDequantize final : OpRewritePattern<DequantizeIntoOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(DequantizeIntoOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    Location loc = op.getLoc();
    BlockTensorType type = op.getBlockType();
    auto result = cast<RankedTensorType>(op.getResultTypes().front());
    Value globalScale = op.getInputs().size() > 2 ? op.getInputs()[2] : Value();
    SmallVector<OpFoldResult> extents =
        getExtentsOfCodes(rewriter, loc, type, op.getInputs()[0]);
    Value values =
        createDecoded(rewriter, loc, type, extents, op.getInputs()[0],
                      op.getInputs()[1], globalScale);
    values = convertElements(rewriter, loc, values, result.getElementType());
    rewriter.replaceOp(op, castTo(rewriter, loc, values, result));
    return success();
  }
};

/// A matmul is: decode codes and block scales (exact in f32), multiply in f32,
/// apply the global scales once.
struct DecomposeScaledMatmul final : OpRewritePattern<ScaledMatmulOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(ScaledMatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(requireTensors(op, rewriter)))
      return failure();
    Location loc = op.getLoc();
    Value lhs =
        decodeOperand(rewriter, loc, op.getLhsType(), op.getLhsComponents());
    Value rhs =
        decodeOperand(rewriter, loc, op.getRhsType(), op.getRhsComponents());
    Value product = multiply(rewriter, loc, lhs, rhs);
    auto result = cast<RankedTensorType>(op.getResultTypes().front());
    Value scaled =
        applyGlobalScales(op, rewriter, product, result.getElementType());
    rewriter.replaceOp(op, castTo(rewriter, loc, scaled, result));
    return success();
  }

private:
  static Value decodeOperand(OpBuilder &builder, Location loc,
                             BlockTensorType type, ValueRange components) {
    if (!type)
      return convertElements(builder, loc, components[0], builder.getF32Type());
    return createDecoded(builder, loc, type,
                         getExtentsOfCodes(builder, loc, type, components[0]),
                         components[0], components[1], Value());
  }

  /// Batch dimensions first, then `extra` loops: (lead…, m, n, k).
  static Value multiply(OpBuilder &builder, Location loc, Value lhs,
                        Value rhs) {
    int64_t rank = cast<RankedTensorType>(lhs.getType()).getRank();
    int64_t rhsRank = cast<RankedTensorType>(rhs.getType()).getRank();
    SmallVector<OpFoldResult> extents = getMixedExtents(builder, loc, lhs);
    extents.back() = getMixedExtent(builder, loc, rhs, rhsRank - 2);
    Value init =
        createFilled(builder, loc, extents, builder.getF32FloatAttr(0.0f));

    MLIRContext *context = builder.getContext();
    int64_t numLead = rank - 2;
    SmallVector<AffineExpr> lead, dims;
    for (int64_t i = 0; i < rank + 1; ++i)
      dims.push_back(builder.getAffineDimExpr(i));
    lead.append(dims.begin(), dims.begin() + numLead);
    AffineExpr m = dims[numLead], n = dims[numLead + 1], k = dims[numLead + 2];
    auto makeMap = [&](bool hasLead, AffineExpr x, AffineExpr y) {
      SmallVector<AffineExpr> exprs;
      if (hasLead)
        exprs = lead;
      exprs.push_back(x);
      exprs.push_back(y);
      return AffineMap::get(rank + 1, 0, exprs, context);
    };
    SmallVector<AffineMap> maps = {makeMap(true, m, k),
                                   makeMap(rhsRank == rank, n, k),
                                   makeMap(true, m, n)};
    SmallVector<utils::IteratorType> iterators(rank + 1,
                                               utils::IteratorType::parallel);
    iterators.back() = utils::IteratorType::reduction;
    auto generic = linalg::GenericOp::create(
        builder, loc, init.getType(), ValueRange{lhs, rhs}, init, maps,
        iterators, [&](OpBuilder &b, Location l, ValueRange args) {
          Value term = arith::MulFOp::create(b, l, args[0], args[1]);
          Value sum = arith::AddFOp::create(b, l, args[2], term);
          linalg::YieldOp::create(b, l, sum);
        });
    return generic.getResult(0);
  }

  /// D = alpha * product, alpha per tensor, slice or row of each operand.
  static Value applyGlobalScales(ScaledMatmulOp op, OpBuilder &builder,
                                 Value product, Type elementType) {
    Location loc = op.getLoc();
    int64_t rank = cast<RankedTensorType>(product.getType()).getRank();
    AffineMap identity = builder.getMultiDimIdentityMap(rank);
    SmallVector<Value> inputs = {product};
    SmallVector<AffineMap> maps = {identity};
    FormatAttr lhsFormat, rhsFormat;
    int64_t lhsIndex = 0, rhsIndex = 0;
    auto addOperand = [&](BlockTensorType type, ValueRange components,
                          bool isRhs, FormatAttr &format, int64_t &index) {
      if (!type || !type.getFormat().hasGlobalScale())
        return;
      format = type.getFormat();
      index = inputs.size();
      inputs.push_back(components.back());
      // An lhs row is a row of the result; a rhs row is a column of it.
      int64_t scaleRank =
          cast<RankedTensorType>(components.back().getType()).getRank();
      AffineMap map = getLeadingMap(builder, rank, scaleRank);
      if (isRhs && format.getGranularity() == GlobalScaleGranularity::Row) {
        SmallVector<AffineExpr> exprs(
            identity.getResults().take_front(scaleRank - 1));
        exprs.push_back(builder.getAffineDimExpr(rank - 1));
        map = AffineMap::get(rank, 0, exprs, builder.getContext());
      }
      maps.push_back(map);
    };
    addOperand(op.getLhsType(), op.getLhsComponents(), false, lhsFormat,
               lhsIndex);
    addOperand(op.getRhsType(), op.getRhsComponents(), true, rhsFormat,
               rhsIndex);
    if (inputs.size() == 1)
      return convertElements(builder, loc, product, elementType);
    maps.push_back(identity);
    return createParallelGeneric(
               builder, loc, inputs,
               createEmpty(builder, loc, getMixedExtents(builder, loc, product),
                           elementType),
               maps,
               [&](OpBuilder &b, Location l, ValueRange args) {
                 Value alpha = emitMatmulAlpha(
                     b, l, lhsIndex ? args[lhsIndex] : Value(), lhsFormat,
                     rhsIndex ? args[rhsIndex] : Value(), rhsFormat);
                 Value scaled = arith::MulFOp::create(b, l, args[0], alpha);
                 return SmallVector<Value>{
                     convertFloat(b, l, scaled, elementType)};
               })
        .front();
  }
};

struct ConvertNVFP4ToLinalgPass final
    : impl::ConvertNVFP4ToLinalgPassBase<ConvertNVFP4ToLinalgPass> {
  using Base::Base;

  void runOnOperation() override {
    if (runtimeKernels)
      markRuntimeKernels(getOperation());
    RewritePatternSet patterns(&getContext());
    populateNVFP4ToLinalgPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void populateNVFP4ToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeGlobalScale, DecomposeQuantize, DecomposeDequantize,
               DecomposeScaledMatmul>(patterns.getContext());
  populateRearrangementPatterns(patterns);
}

} // namespace nvfp4
