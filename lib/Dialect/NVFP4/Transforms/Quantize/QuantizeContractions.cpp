//===- QuantizeContractions.cpp - Obeys the precision attributes ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rewrites each contraction to the precision that the Policy stage wrote on it:
// block-scaled ones to `nvfp4.matmul` on quantized operands, bf16 ones to bf16
// operands with f32 accumulation. Chooses nothing.
//
// Expects: normalized IR with `nvfp4.precision` on contractions.
// Leaves:  no `nvfp4.precision`; what prepares a weight depends on weight
//          arguments alone.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

namespace nvfp4 {
#define GEN_PASS_DEF_QUANTIZECONTRACTIONSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

//===----------------------------------------------------------------------===//
// Operands in canonical form
//===----------------------------------------------------------------------===//

/// A value and, for each of its dimensions, the loop that goes along it.
struct Operand {
  Value value;
  SmallVector<unsigned> loops;
};

Operand getOperand(linalg::LinalgOp op, OpOperand *operand) {
  Operand result{operand->get(), {}};
  for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
    result.loops.push_back(cast<AffineDimExpr>(expr).getPosition());
  return result;
}

/// The input of a linalg op that only copies, transposes or broadcasts it, and
/// its map from loops; the output's map is a permutation.
std::optional<std::pair<OpOperand *, AffineMap>>
matchCopy(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops())
    return std::nullopt;
  OpOperand *input = op.getDpsInputOperand(0);
  OpOperand *init = op.getDpsInitOperand(0);
  Operation *yield = op.getBlock()->getTerminator();
  if (yield->getNumOperands() != 1 ||
      yield->getOperand(0) != op.getMatchingBlockArgument(input))
    return std::nullopt;
  AffineMap inputMap = op.getMatchingIndexingMap(input);
  AffineMap initMap = op.getMatchingIndexingMap(init);
  if (!inputMap.isProjectedPermutation() || !initMap.isPermutation())
    return std::nullopt;
  return std::make_pair(input, inputMap.compose(inversePermutation(initMap)));
}

/// Walks a weight back through casts, transposes and broadcasts, so that a
/// repetition of the weight (torch-mlir broadcasts it over the batch) vanishes.
Operand peelCopies(Operand operand) {
  while (true) {
    if (auto cast = operand.value.getDefiningOp<tensor::CastOp>()) {
      operand.value = cast.getSource();
      continue;
    }
    auto op = operand.value.getDefiningOp<linalg::LinalgOp>();
    auto copy = op ? matchCopy(op) : std::nullopt;
    if (!copy)
      return operand;
    auto [input, map] = *copy;
    SmallVector<unsigned> loops;
    for (AffineExpr expr : map.getResults())
      loops.push_back(operand.loops[cast<AffineDimExpr>(expr).getPosition()]);
    operand = {input->get(), std::move(loops)};
  }
}

/// Takes the first of each repetition along loops that are not in `order`.
Operand dropLoops(OpBuilder &builder, Location loc, Operand operand,
                  ArrayRef<unsigned> order) {
  auto type = cast<RankedTensorType>(operand.value.getType());
  SmallVector<OpFoldResult> sizes =
      getMixedExtents(builder, loc, operand.value);
  SmallVector<int64_t> shape;
  SmallVector<unsigned> loops;
  for (auto [dim, loop] : llvm::enumerate(operand.loops)) {
    if (llvm::is_contained(order, loop)) {
      shape.push_back(type.getDimSize(dim));
      loops.push_back(loop);
    } else {
      sizes[dim] = builder.getIndexAttr(1);
    }
  }
  if (loops.size() == operand.loops.size())
    return operand;
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc, type.clone(shape), operand.value, offsets, sizes, strides);
  return {slice, std::move(loops)};
}

Value createTranspose(OpBuilder &builder, Location loc, Value value,
                      ArrayRef<int64_t> permutation) {
  if (llvm::equal(permutation, llvm::seq<int64_t>(permutation.size())))
    return value;
  SmallVector<OpFoldResult> extents = getMixedExtents(builder, loc, value);
  applyPermutationToVector(extents, permutation);
  Value init = tensor::EmptyOp::create(
      builder, loc, extents,
      cast<RankedTensorType>(value.getType()).getElementType());
  return linalg::TransposeOp::create(builder, loc, value, init, permutation)
      ->getResult(0);
}

/// The operand's value with its dimensions in the order of `order`, which has
/// exactly its loops.
Value orderLoops(OpBuilder &builder, Location loc, const Operand &operand,
                 ArrayRef<unsigned> order) {
  SmallVector<int64_t> permutation;
  for (unsigned loop : order)
    permutation.push_back(llvm::find(operand.loops, loop) -
                          operand.loops.begin());
  return createTranspose(builder, loc, operand.value, permutation);
}

/// [batch.., m.., last] to [batch.., M, last]; see `getRowGroups`.
SmallVector<ReassociationIndices> getRowGroups(unsigned numBatch,
                                               unsigned numRows) {
  SmallVector<ReassociationIndices> groups;
  for (unsigned i = 0; i < numBatch; ++i)
    groups.push_back({i});
  groups.emplace_back();
  for (unsigned i = 0; i < numRows; ++i)
    groups.back().push_back(numBatch + i);
  groups.push_back({static_cast<int64_t>(numBatch + numRows)});
  return groups;
}

/// A float tensor converted element by element.
Value convertElements(OpBuilder &builder, Location loc, Value value,
                      Type elementType) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == elementType)
    return value;
  bool isWider =
      type.getElementTypeBitWidth() < elementType.getIntOrFloatBitWidth();
  Value init = tensor::EmptyOp::create(
      builder, loc, getMixedExtents(builder, loc, value), elementType);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), value, init, {identity, identity},
      iterators, [&](OpBuilder &b, Location l, ValueRange args) {
        Value converted =
            isWider
                ? Value(arith::ExtFOp::create(b, l, elementType, args[0]))
                : Value(arith::TruncFOp::create(b, l, elementType, args[0]));
        linalg::YieldOp::create(b, l, converted);
      });
  return generic.getResult(0);
}

Value createZeros(OpBuilder &builder, Location loc,
                  ArrayRef<OpFoldResult> extents, Type elementType) {
  Value init = tensor::EmptyOp::create(builder, loc, extents, elementType);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(elementType));
  return linalg::FillOp::create(builder, loc, zero, init).getResult(0);
}

//===----------------------------------------------------------------------===//
// One contraction
//===----------------------------------------------------------------------===//

/// A linear layer as D[batch, M, N] = A[batch, M, K] * B[batch, N, K]^T, and
/// the way back to the original result.
class LinearRewriter {
public:
  LinearRewriter(OpBuilder &builder, ContractionInfo &info)
      : builder(builder), info(info), loc(info.op.getLoc()) {}

  /// A as [batch.., M, K].
  Value createA() {
    OpOperand *operand = info.op.getDpsInputOperand(info.aIndex);
    Operand a = getOperand(info.op, operand);
    SmallVector<unsigned> order = getOrder(info.m, info.k);
    for (unsigned loop : info.m)
      rowExtents.push_back(getMixedExtent(
          builder, loc, a.value, llvm::find(a.loops, loop) - a.loops.begin()));
    Value ordered = orderLoops(builder, loc, a, order);
    if (info.m.size() == 1)
      return ordered;
    return tensor::CollapseShapeOp::create(
        builder, loc, ordered, getRowGroups(info.batch.size(), info.m.size()));
  }

  /// B as [batch.., N, K].
  Value createB() {
    OpOperand *operand = info.op.getDpsInputOperand(info.bIndex);
    SmallVector<unsigned> order = getOrder(info.n, info.k);
    Operand b = dropLoops(builder, loc,
                          peelCopies(getOperand(info.op, operand)), order);
    Value ordered = orderLoops(builder, loc, b, order);
    // A peeled cast may have hidden a static extent of the loop.
    auto type = cast<RankedTensorType>(ordered.getType());
    SmallVector<int64_t> shape(type.getShape());
    for (auto [extent, loop] : llvm::zip_equal(shape, order))
      if (ShapedType::isDynamic(extent))
        extent = info.extents[loop];
    if (type.getShape() == ArrayRef<int64_t>(shape))
      return ordered;
    return tensor::CastOp::create(builder, loc, type.clone(shape), ordered);
  }

  /// Replaces the contraction by `product`, [batch.., M, N].
  void replace(Value product) {
    SmallVector<unsigned> order = getOrder(info.m, info.n);
    if (info.m.size() > 1)
      product = expandRows(product);
    // To the original order of dimensions.
    OpOperand *init = info.op.getDpsInitOperand(0);
    SmallVector<int64_t> permutation;
    for (AffineExpr expr : info.op.getMatchingIndexingMap(init).getResults())
      permutation.push_back(
          llvm::find(order, cast<AffineDimExpr>(expr).getPosition()) -
          order.begin());
    product = createTranspose(builder, loc, product, permutation);
    if (!info.startsFromZero())
      product = addInit(product, init->get());
    Type resultType = info.op->getResult(0).getType();
    if (product.getType() != resultType)
      product = tensor::CastOp::create(builder, loc, resultType, product);
    info.op->getResult(0).replaceAllUsesWith(product);
    info.op->erase();
  }

  Type getResultElementType() {
    return cast<RankedTensorType>(info.op->getResult(0).getType())
        .getElementType();
  }

private:
  SmallVector<unsigned> getOrder(ArrayRef<unsigned> rows,
                                 ArrayRef<unsigned> columns) {
    SmallVector<unsigned> order(info.batch.begin(), info.batch.end());
    order.append(rows.begin(), rows.end());
    order.append(columns.begin(), columns.end());
    return order;
  }

  Value expandRows(Value product) {
    SmallVector<OpFoldResult> extents = getMixedExtents(builder, loc, product);
    extents.erase(extents.begin() + info.batch.size());
    extents.insert(extents.begin() + info.batch.size(), rowExtents.begin(),
                   rowExtents.end());
    SmallVector<int64_t> shape;
    for (OpFoldResult extent : extents)
      shape.push_back(
          getConstantIntValue(extent).value_or(ShapedType::kDynamic));
    auto type = cast<RankedTensorType>(product.getType());
    return tensor::ExpandShapeOp::create(
        builder, loc, type.clone(shape), product,
        getRowGroups(info.batch.size(), info.m.size()), extents);
  }

  /// The contraction accumulated into `init`.
  Value addInit(Value product, Value init) {
    auto type = cast<RankedTensorType>(product.getType());
    Value empty = tensor::EmptyOp::create(
        builder, loc, getMixedExtents(builder, loc, product),
        type.getElementType());
    return linalg::AddOp::create(builder, loc, ValueRange{product, init},
                                 ValueRange{empty})
        .getResult(0);
  }

  OpBuilder &builder;
  ContractionInfo &info;
  Location loc;
  SmallVector<OpFoldResult> rowExtents;
};

/// Contracts bf16 (or f32) operands with f32 accumulation, by `maps`.
Value createFloatContraction(OpBuilder &builder, Location loc, Value a, Value b,
                             Value init, ArrayRef<AffineMap> maps,
                             ArrayRef<utils::IteratorType> iterators) {
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), ValueRange{a, b}, init, maps, iterators,
      [](OpBuilder &b, Location l, ValueRange args) {
        Type f32 = b.getF32Type();
        auto extend = [&](Value value) -> Value {
          if (value.getType() == f32)
            return value;
          return arith::ExtFOp::create(b, l, f32, value);
        };
        Value term =
            arith::MulFOp::create(b, l, extend(args[0]), extend(args[1]));
        Value sum = arith::AddFOp::create(b, l, args[2], term);
        linalg::YieldOp::create(b, l, sum);
      });
  return generic.getResult(0);
}

/// The argument that holds a static global scale; appended on first use.
Value getStaticScale(func::FuncOp func, StringRef name) {
  MLIRContext *context = func.getContext();
  for (BlockArgument arg : func.getArguments())
    if (getWeightName(arg) == name)
      return arg;
  auto type = RankedTensorType::get({}, Float32Type::get(context));
  auto attrs = DictionaryAttr::get(
      context, NamedAttribute(StringAttr::get(context, kWeightAttrName),
                              StringAttr::get(context, name)));
  unsigned index = func.getNumArguments();
  if (failed(func.insertArgument(index, type, attrs, func.getLoc())))
    return {};
  return func.getArgument(index);
}

/// Quantizes an activation [batch.., M, K].
FailureOr<Value> quantizeActivation(OpBuilder &builder, linalg::LinalgOp op,
                                    Value a, PrecisionAttr precision) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(a.getType());
  FormatAttr format =
      FormatAttr::get(builder.getContext(), precision.getFormatName());
  Value globalScale;
  if (format.hasGlobalScale()) {
    switch (precision.getActivationScale()) {
    case ActivationScale::DynamicRow:
      format = format.withGranularity(GlobalScaleGranularity::Row);
      globalScale = GlobalScaleOp::create(builder, loc, a, format);
      break;
    case ActivationScale::DynamicTensor:
      globalScale = GlobalScaleOp::create(builder, loc, a, format);
      break;
    case ActivationScale::Static:
      // Checkpoints store activation scales as multipliers.
      format = FormatAttr::get(
          builder.getContext(), format.getName(), format.getBlockRows(),
          format.getBlockColumns(), GlobalScaleGranularity::Tensor,
          GlobalScaleConvention::Multiply, format.getBound());
      globalScale = getStaticScale(op->getParentOfType<func::FuncOp>(),
                                   precision.getStaticTensor());
      break;
    }
    if (!globalScale)
      return failure();
  }
  return QuantizeOp::create(builder, loc,
                            BlockTensorType::get(type.getShape(), format), a,
                            globalScale, Value(), RoundingMode::NearestEven)
      .getResult();
}

/// Quantizes a weight [N, K] or [E, N, K], each matrix with a global scale.
Value quantizeWeight(OpBuilder &builder, Location loc, Value b,
                     PrecisionAttr precision) {
  auto type = cast<RankedTensorType>(b.getType());
  FormatAttr format =
      FormatAttr::get(builder.getContext(), precision.getFormatName());
  if (type.getRank() > 2)
    format = format.withGranularity(GlobalScaleGranularity::Slice);
  Value globalScale;
  if (format.hasGlobalScale())
    globalScale = GlobalScaleOp::create(builder, loc, b, format);
  return QuantizeOp::create(builder, loc,
                            BlockTensorType::get(type.getShape(), format), b,
                            globalScale, Value(), RoundingMode::NearestEven);
}

/// The contraction as nvfp4.matmul.
LogicalResult rewriteBlockScaled(ContractionInfo &info,
                                 PrecisionAttr precision) {
  OpBuilder builder(info.op);
  Location loc = info.op.getLoc();
  // A user may have written the attribute: the policy's check is repeated.
  if (std::optional<std::string> reason = whyNotBlockScaled(info))
    return info.op.emitError("expected a contraction that has a form in ")
           << precision << ", but " << *reason;
  LinearRewriter linear(builder, info);
  Value a = linear.createA();
  Value b = quantizeWeight(builder, loc, linear.createB(), precision);
  if (!precision.isWeightOnly()) {
    FailureOr<Value> quantized =
        quantizeActivation(builder, info.op, a, precision);
    if (failed(quantized))
      return failure();
    a = *quantized;
  }
  auto aType = cast<ShapedType>(a.getType());
  auto bType = cast<ShapedType>(b.getType());
  SmallVector<int64_t> shape(aType.getShape());
  shape.back() = bType.getShape()[bType.getRank() - 2];
  auto matmul = MatmulOp::create(
      builder, loc, RankedTensorType::get(shape, linear.getResultElementType()),
      a, b);
  if (Attribute site = info.op->getAttr(kSiteAttrName))
    matmul->setAttr(kSiteAttrName, site);
  linear.replace(matmul);
  return success();
}

/// The same contraction on operands of `elementType`, accumulated in f32.
LogicalResult rewriteFloat(ContractionInfo &info, Type elementType) {
  OpBuilder builder(info.op);
  Location loc = info.op.getLoc();
  if (std::optional<std::string> reason = whyNotBF16(info.op))
    return info.op.emitError("expected a contraction of floats for ")
           << elementType << " operands, but " << *reason;
  Type f32 = builder.getF32Type();
  auto convert = [&](Value value) {
    return convertElements(builder, loc, value, elementType);
  };
  // A linear layer in canonical form keeps repetitions of its weight away.
  bool isLinear = info.siteClass == SiteClass::Linear && info.n.size() == 1 &&
                  info.k.size() == 1 && info.batch.empty() && !info.m.empty();
  if (isLinear) {
    LinearRewriter linear(builder, info);
    Value a = convert(linear.createA());
    Value b = convert(linear.createB());
    SmallVector<OpFoldResult> extents = getMixedExtents(builder, loc, a);
    extents.back() = getMixedExtent(builder, loc, b, 0);
    Value init = createZeros(builder, loc, extents, f32);
    AffineExpr m = builder.getAffineDimExpr(0), n = builder.getAffineDimExpr(1),
               k = builder.getAffineDimExpr(2);
    auto map = [&](AffineExpr x, AffineExpr y) {
      return AffineMap::get(3, 0, {x, y}, builder.getContext());
    };
    using utils::IteratorType;
    Value product = createFloatContraction(
        builder, loc, a, b, init, {map(m, k), map(n, k), map(m, n)},
        {IteratorType::parallel, IteratorType::parallel,
         IteratorType::reduction});
    linear.replace(
        convertElements(builder, loc, product, linear.getResultElementType()));
    return success();
  }

  auto resultType = cast<RankedTensorType>(info.op->getResult(0).getType());
  Value init = info.getInit();
  init =
      info.startsFromZero()
          ? createZeros(builder, loc, getMixedExtents(builder, loc, init), f32)
          : convertElements(builder, loc, init, f32);
  Value product = createFloatContraction(
      builder, loc, convert(info.op.getDpsInputOperand(0)->get()),
      convert(info.op.getDpsInputOperand(1)->get()), init,
      info.op.getIndexingMapsArray(), info.op.getIteratorTypesArray());
  product = convertElements(builder, loc, product, resultType.getElementType());
  if (product.getType() != resultType)
    product = tensor::CastOp::create(builder, loc, resultType, product);
  info.op->getResult(0).replaceAllUsesWith(product);
  info.op->erase();
  return success();
}

/// Rounds the operands of a convolution to bf16 and keeps the op, whose
/// products and sums are those of f32.
LogicalResult roundConvolution(linalg::LinalgOp op) {
  if (std::optional<std::string> reason = whyNotBF16(op))
    return op->emitError(*reason);
  OpBuilder builder(op);
  for (OpOperand *input : op.getDpsInputOperands()) {
    Value value = input->get();
    Type type = getElementTypeOrSelf(value.getType());
    value = convertElements(builder, op.getLoc(), value, builder.getBF16Type());
    input->set(convertElements(builder, op.getLoc(), value, type));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

struct QuantizeContractionsPass final
    : impl::QuantizeContractionsPassBase<QuantizeContractionsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<Operation *> decided;
    getOperation()->walk([&](Operation *op) {
      if (op->hasAttr(kPrecisionAttrName) && !isa<FunctionOpInterface>(op))
        decided.push_back(op);
    });
    for (Operation *op : decided)
      if (failed(rewrite(op)))
        return signalPassFailure();
    // Decisions that left their op alone are obeyed too.
    getOperation()->walk([](Operation *op) {
      if (isa<linalg::LinalgOp>(op) || op->hasAttr(kPrecisionAttrName))
        for (StringLiteral name :
             {kPrecisionAttrName, kClassAttrName, kRuleAttrName,
              kRequestedAttrName, kReasonAttrName, kSiteAttrName})
          op->removeDiscardableAttr(name);
    });
  }

private:
  LogicalResult rewrite(Operation *op) {
    auto precision = dyn_cast<PrecisionAttr>(op->getAttr(kPrecisionAttrName));
    if (!precision)
      return op->emitError("expected #nvfp4.precision<…> in ")
             << kPrecisionAttrName << ", but got "
             << op->getAttr(kPrecisionAttrName);
    if (precision.isKeep())
      return success();
    std::optional<ContractionInfo> info = analyzeContraction(op);
    if (!info) {
      // An embedding or a convolution in f32 is what it was.
      if (precision.isF32())
        return success();
      if (precision.isBF16() && isConvolution(op)) {
        ++numBF16;
        return roundConvolution(cast<linalg::LinalgOp>(op));
      }
      return op->emitError("expected a contraction for ") << precision;
    }
    if (precision.isBlockScaled()) {
      ++numBlockScaled;
      return rewriteBlockScaled(*info, precision);
    }
    Builder builder(op->getContext());
    if (precision.isBF16())
      ++numBF16;
    return rewriteFloat(*info, precision.isBF16() ? Type(builder.getBF16Type())
                                                  : Type(builder.getF32Type()));
  }
};

} // namespace
} // namespace nvfp4
