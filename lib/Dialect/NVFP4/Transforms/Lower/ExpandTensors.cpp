//===- ExpandTensors.cpp - From one value per tensor to its components ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Replaces every value of type `!nvfp4.tensor` by its codes, scales and global
// scale, and every op of the tensor level by its destination-style form.
//
// Expects: quantized IR; entries carry `nvfp4.entry` (nvfp4-record-entry).
// Leaves:  no `!nvfp4.tensor` value and no tensor-level op; `nvfp4.entry` has
//          one element per program argument and result.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Conversion/ScalarCodecs.h"
#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/ControlFlow/Transforms/StructuralTypeConversions.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace nvfp4 {
#define GEN_PASS_DEF_EXPANDTENSORSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

Value createEmpty(OpBuilder &builder, Location loc, Type type,
                  ArrayRef<OpFoldResult> extents) {
  return tensor::EmptyOp::create(builder, loc, extents,
                                 cast<RankedTensorType>(type).getElementType());
}

/// Extents of a tensor whose codes are `components[0]`: the last one follows
/// from the type, or from two codes to a byte.
SmallVector<OpFoldResult> getExtents(OpBuilder &builder, Location loc,
                                     BlockTensorType type,
                                     ValueRange components) {
  SmallVector<OpFoldResult> extents;
  for (auto [dim, extent] : llvm::enumerate(type.getShape()))
    extents.push_back(
        ShapedType::isStatic(extent)
            ? builder.getIndexAttr(extent)
            : getMixedExtent(builder, loc, components.front(), dim));
  if (type.isDynamicDim(type.getRank() - 1))
    extents.back() = affine::makeComposedFoldedAffineApply(
        builder, loc, AffineMap::get(1, 0, builder.getAffineDimExpr(0) * 2),
        extents.back());
  return extents;
}

/// Empty destinations for codes and scales of a tensor of type `type`.
SmallVector<Value> createDestinations(OpBuilder &builder, Location loc,
                                      BlockTensorType type,
                                      ArrayRef<OpFoldResult> extents) {
  ReifiedRankedShapedTypeDims shapes =
      getComponentExtents(builder, loc, type, extents);
  return {createEmpty(builder, loc, type.getCodesType(), shapes[0]),
          createEmpty(builder, loc, type.getScalesType(), shapes[1])};
}

/// Casts `value` to `type` if a static extent is known only to one of them.
Value castIfNeeded(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(builder, loc, type, value);
}

SmallVector<Value> castComponents(OpBuilder &builder, Location loc,
                                  ValueRange values, BlockTensorType type) {
  SmallVector<Value> result;
  for (auto [value, component] :
       llvm::zip_equal(values, type.getComponentTypes()))
    result.push_back(castIfNeeded(builder, loc, value, component));
  return result;
}

/// `f` applied to every element of a tensor.
Value mapElements(OpBuilder &builder, Location loc, Value source,
                  Type elementType,
                  function_ref<Value(OpBuilder &, Location, Value)> f) {
  auto type = cast<RankedTensorType>(source.getType());
  Value init = createEmpty(builder, loc, type.clone(elementType),
                           getMixedExtents(builder, loc, source));
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), source, init, {identity, identity},
      iterators, [&](OpBuilder &b, Location l, ValueRange args) {
        linalg::YieldOp::create(b, l, f(b, l, args[0]));
      });
  return generic.getResult(0);
}

/// Reinterprets bytes as f8 or f8 as bytes.
Value bitcastElements(OpBuilder &builder, Location loc, Value value,
                      Type elementType) {
  if (cast<RankedTensorType>(value.getType()).getElementType() == elementType)
    return value;
  return mapElements(builder, loc, value, elementType,
                     [&](OpBuilder &b, Location l, Value element) -> Value {
                       return arith::BitcastOp::create(b, l, elementType,
                                                       element);
                     });
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

struct ExpandGlobalScale final : OpConversionPattern<GlobalScaleOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GlobalScaleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    RankedTensorType type = op.getResult().getType();
    SmallVector<OpFoldResult> extents =
        getMixedExtents(rewriter, op.getLoc(), adaptor.getSource());
    extents.truncate(type.getRank());
    Value init = createEmpty(rewriter, op.getLoc(), type, extents);
    auto into =
        GlobalScaleIntoOp::create(rewriter, op.getLoc(), init.getType(),
                                  adaptor.getSource(), init, op.getFormat());
    rewriter.replaceOp(
        op, castIfNeeded(rewriter, op.getLoc(), into.getResult(0), type));
    return success();
  }
};

struct ExpandQuantize final : OpConversionPattern<QuantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    BlockTensorType type = op.getResult().getType();
    SmallVector<Value> inits =
        createDestinations(rewriter, loc, type,
                           getMixedExtents(rewriter, loc, adaptor.getSource()));
    SmallVector<Value> inputs = {adaptor.getSource()};
    if (Value globalScale = adaptor.getGlobalScale())
      inputs.push_back(globalScale);
    if (Value state = adaptor.getState())
      inputs.push_back(state);
    auto into =
        QuantizeIntoOp::create(rewriter, loc, ValueRange(inits).getTypes(),
                               inputs, inits, type, op.getRounding());
    SmallVector<Value> components(into.getResults());
    if (Value globalScale = adaptor.getGlobalScale())
      components.push_back(globalScale);
    rewriter.replaceOpWithMultiple(
        op, {castComponents(rewriter, loc, components, type)});
    return success();
  }
};

struct ExpandDequantize final : OpConversionPattern<DequantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DequantizeOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    BlockTensorType type = op.getSource().getType();
    RankedTensorType result = op.getResult().getType();
    Value init =
        createEmpty(rewriter, loc, result,
                    getExtents(rewriter, loc, type, adaptor.getSource()));
    auto into = DequantizeIntoOp::create(rewriter, loc, init.getType(),
                                         adaptor.getSource(), init, type);
    rewriter.replaceOp(op,
                       castIfNeeded(rewriter, loc, into.getResult(0), result));
    return success();
  }
};

struct ExpandMatmul final : OpConversionPattern<MatmulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatmulOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto lhs = dyn_cast<BlockTensorType>(op.getLhs().getType());
    auto rhs = dyn_cast<BlockTensorType>(op.getRhs().getType());
    auto getOperandExtents = [&](BlockTensorType type, ValueRange values) {
      return type ? getExtents(rewriter, loc, type, values)
                  : getMixedExtents(rewriter, loc, values.front());
    };
    SmallVector<OpFoldResult> extents =
        getOperandExtents(lhs, adaptor.getLhs());
    SmallVector<OpFoldResult> rhsExtents =
        getOperandExtents(rhs, adaptor.getRhs());
    extents.back() = rhsExtents[rhsExtents.size() - 2];

    RankedTensorType result = op.getResult().getType();
    Value init = createEmpty(rewriter, loc, result, extents);
    SmallVector<Value> inputs(adaptor.getLhs());
    llvm::append_range(inputs, adaptor.getRhs());
    auto toAttr = [](BlockTensorType type) {
      return type ? TypeAttr::get(type) : TypeAttr();
    };
    auto matmul = ScaledMatmulOp::create(rewriter, loc, init.getType(), inputs,
                                         init, toAttr(lhs), toAttr(rhs));
    matmul->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(
        op, castIfNeeded(rewriter, loc, matmul.getResult(0), result));
    return success();
  }
};

struct ExpandHadamard final : OpConversionPattern<HadamardOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(HadamardOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value init = createEmpty(
        rewriter, op.getLoc(), op.getResult().getType(),
        getMixedExtents(rewriter, op.getLoc(), adaptor.getSource()));
    rewriter.replaceOpWithNewOp<HadamardIntoOp>(
        op, op.getResult().getType(), adaptor.getSource(),
        castIfNeeded(rewriter, op.getLoc(), init, op.getResult().getType()),
        op.getSigns());
    return success();
  }
};

struct ExpandTranspose final : OpConversionPattern<TransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TransposeOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    BlockTensorType from = op.getSource().getType();
    BlockTensorType to = op.getResult().getType();
    SmallVector<OpFoldResult> extents =
        getExtents(rewriter, loc, from, adaptor.getSource());
    std::swap(extents[extents.size() - 1], extents[extents.size() - 2]);
    SmallVector<Value> inits = createDestinations(rewriter, loc, to, extents);
    auto into =
        TransposeIntoOp::create(rewriter, loc, ValueRange(inits).getTypes(),
                                adaptor.getSource().take_front(2), inits, from);
    SmallVector<Value> components(into.getResults());
    llvm::append_range(components, adaptor.getSource().drop_front(2));
    rewriter.replaceOpWithMultiple(
        op, {castComponents(rewriter, loc, components, to)});
    return success();
  }
};

struct ExpandRelayout final : OpConversionPattern<RelayoutOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RelayoutOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    BlockTensorType from = op.getSource().getType();
    BlockTensorType to = op.getResult().getType();
    SmallVector<Value> inits = createDestinations(
        rewriter, loc, to,
        getExtents(rewriter, loc, from, adaptor.getSource()));
    auto into = RelayoutIntoOp::create(
        rewriter, loc, ValueRange(inits).getTypes(),
        adaptor.getSource().take_front(2), inits, from, to);
    SmallVector<Value> components(into.getResults());
    llvm::append_range(components, adaptor.getSource().drop_front(2));
    rewriter.replaceOpWithMultiple(
        op, {castComponents(rewriter, loc, components, to)});
    return success();
  }
};

struct ExpandAssemble final : OpConversionPattern<AssembleOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(AssembleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Value> components = {adaptor.getCodes(),
                                     bitcastElements(rewriter, op.getLoc(),
                                                     adaptor.getScales(),
                                                     rewriter.getI8Type())};
    if (Value globalScale = adaptor.getGlobalScale())
      components.push_back(globalScale);
    rewriter.replaceOpWithMultiple(
        op, {castComponents(rewriter, op.getLoc(), components,
                            op.getResult().getType())});
    return success();
  }
};

struct ExpandDisassemble final : OpConversionPattern<DisassembleOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DisassembleOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    ValueRange source = adaptor.getSource();
    Type scalesType = op.getScales().getType().getElementType();
    SmallVector<Value> results = {
        castIfNeeded(rewriter, loc, source[0], op.getCodes().getType()),
        castIfNeeded(rewriter, loc,
                     bitcastElements(rewriter, loc, source[1], scalesType),
                     op.getScales().getType())};
    if (op.getGlobalScale())
      results.push_back(castIfNeeded(
          rewriter, loc, convertGlobalScale(op, source[2], rewriter),
          op.getGlobalScale().getType()));
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  /// From the source's convention to the one that was asked for.
  static Value convertGlobalScale(DisassembleOp op, Value globalScale,
                                  OpBuilder &builder) {
    FormatAttr format = op.getSource().getType().getFormat();
    GlobalScaleConvention convention = op.getResultConvention();
    if (convention == format.getConvention())
      return globalScale;
    return mapElements(builder, op.getLoc(), globalScale, builder.getF32Type(),
                       [&](OpBuilder &b, Location loc, Value amax) {
                         return emitGlobalScaleFromAmax(
                             b, loc, amax, convention, format.getBound());
                       });
  }
};

struct ExpandDim final : OpConversionPattern<DimOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DimOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<OpFoldResult> extents = getExtents(
        rewriter, op.getLoc(), op.getSource().getType(), adaptor.getSource());
    rewriter.replaceOp(
        op, getValueOrCreateConstantIndexOp(rewriter, op.getLoc(),
                                            extents[op.getPosition()]));
    return success();
  }
};

struct ExpandCast final : OpConversionPattern<CastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(CastOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithMultiple(
        op, {castComponents(rewriter, op.getLoc(), adaptor.getSource(),
                            op.getResult().getType())});
    return success();
  }
};

struct ExpandConstant final : OpConversionPattern<ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConstantOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Value> components;
    for (DenseElementsAttr value :
         {op.getValue().getCodes(), op.getValue().getScales(),
          op.getValue().getGlobalScale()})
      if (value)
        components.push_back(
            arith::ConstantOp::create(rewriter, op.getLoc(), value));
    rewriter.replaceOpWithMultiple(op, {components});
    return success();
  }
};

struct ExpandSelect final : OpConversionPattern<arith::SelectOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(arith::SelectOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Value> components;
    for (auto [ifTrue, ifFalse] :
         llvm::zip_equal(adaptor.getTrueValue(), adaptor.getFalseValue()))
      components.push_back(arith::SelectOp::create(
          rewriter, op.getLoc(), adaptor.getCondition().front(), ifTrue,
          ifFalse));
    rewriter.replaceOpWithMultiple(op, {components});
    return success();
  }
};

struct ExpandPoison final : OpConversionPattern<ub::PoisonOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ub::PoisonOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<BlockTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "not a block-scaled tensor");
    SmallVector<Value> components;
    for (Type component : type.getComponentTypes())
      components.push_back(
          ub::PoisonOp::create(rewriter, op.getLoc(), component));
    rewriter.replaceOpWithMultiple(op, {components});
    return success();
  }
};

//===----------------------------------------------------------------------===//
// The entry's interface
//===----------------------------------------------------------------------===//

/// safetensors' name of a scale byte.
StringRef getScaleDType(ScaleEncoding encoding) {
  switch (encoding) {
  case ScaleEncoding::E4M3:
    return "F8_E4M3";
  case ScaleEncoding::E8M0:
    return "F8_E8M0";
  case ScaleEncoding::UE5M3:
    return "U8";
  }
  llvm_unreachable("covered switch");
}

enum Component { Codes, Scales, GlobalScale };

/// Whether a component's dimension has the extent of the tensor's dimension of
/// the same number: batch dimensions do, and rows unless blocks or padding come
/// in.
bool isOwnExtent(BlockTensorType tensor, Component component, int64_t dim) {
  if (dim + 2 < tensor.getRank())
    return true;
  if (dim + 2 > tensor.getRank() ||
      tensor.getLayout() == BlockLayout::Registers)
    return false;
  return component != Scales || (tensor.getLayout() == BlockLayout::Linear &&
                                 tensor.getFormat().getBlockRows() == 1);
}

/// The elements of `nvfp4.entry` for one argument or result: itself, or one per
/// component with `.codes`, `.scales` and `.global_scale` after its name. An
/// extent that is no dimension is "?".
void expandInterface(DictionaryAttr element, Type type,
                     SmallVectorImpl<Attribute> &out) {
  auto tensor = dyn_cast<BlockTensorType>(type);
  if (!tensor) {
    out.push_back(element);
    return;
  }
  Builder builder(element.getContext());
  auto name = element.getAs<StringAttr>("name");
  auto shape = element.getAs<ArrayAttr>("shape");
  const std::tuple<Component, StringRef, StringRef> kComponents[] = {
      {Codes, ".codes", "U8"},
      {Scales, ".scales", getScaleDType(tensor.getFormat().getScaleEncoding())},
      {GlobalScale, ".global_scale", "F32"}};
  for (auto [component, componentType] :
       llvm::zip(kComponents, tensor.getComponentTypes())) {
    auto [which, suffix, dtype] = component;
    SmallVector<Attribute> extents;
    for (auto [dim, extent] :
         llvm::enumerate(cast<ShapedType>(componentType).getShape())) {
      bool isOwn = shape && isOwnExtent(tensor, which, dim);
      extents.push_back(ShapedType::isStatic(extent)
                            ? Attribute(builder.getI64IntegerAttr(extent))
                        : isOwn ? shape[dim]
                                : Attribute(builder.getStringAttr("?")));
    }
    NamedAttrList attrs(element);
    attrs.set("name", builder.getStringAttr(name.getValue() + suffix));
    attrs.set("dtype", builder.getStringAttr(dtype));
    attrs.set("shape", builder.getArrayAttr(extents));
    out.push_back(attrs.getDictionary(element.getContext()));
  }
}

bool hasUnnamedExtent(Attribute element) {
  auto shape = cast<DictionaryAttr>(element).getAs<ArrayAttr>("shape");
  return shape && llvm::any_of(shape, [](Attribute extent) {
           auto name = dyn_cast<StringAttr>(extent);
           return name && name == "?";
         });
}

/// Rewrites `nvfp4.entry` and drops argument and result attributes, which
/// upstream's 1:N conversion would attach to other arguments.
LogicalResult expandEntry(func::FuncOp func) {
  bool hasBlocks =
      llvm::any_of(func.getArgumentTypes(), llvm::IsaPred<BlockTensorType>) ||
      llvm::any_of(func.getResultTypes(), llvm::IsaPred<BlockTensorType>);
  if (!hasBlocks)
    return success();
  func.setAllArgAttrs(SmallVector<DictionaryAttr>(
      func.getNumArguments(), DictionaryAttr::get(func.getContext())));
  func.setAllResultAttrs(SmallVector<DictionaryAttr>(
      func.getNumResults(), DictionaryAttr::get(func.getContext())));
  auto entry = func->getAttrOfType<DictionaryAttr>(kEntryAttrName);
  if (!entry)
    return success();
  NamedAttrList attrs(entry);
  auto expand = [&](StringRef key, TypeRange types) -> LogicalResult {
    auto elements = entry.getAs<ArrayAttr>(key);
    if (!elements || elements.size() != types.size())
      return func.emitOpError("expected one element of nvfp4.entry '")
             << key << "' for each of " << types.size() << ", but got "
             << (elements ? elements.size() : 0);
    SmallVector<Attribute> expanded;
    for (auto [element, type] : llvm::zip_equal(elements, types))
      expandInterface(cast<DictionaryAttr>(element), type, expanded);
    if (key == "arguments" && llvm::any_of(expanded, hasUnnamedExtent))
      return func.emitOpError(
          "expected dynamic extents of block-scaled arguments only where all "
          "components have them: not of columns, nor of rows with square "
          "blocks or in the tiled layout");
    attrs.set(key, ArrayAttr::get(func.getContext(), expanded));
    return success();
  };
  if (failed(expand("arguments", func.getArgumentTypes())) ||
      failed(expand("results", func.getResultTypes())))
    return failure();
  func->setAttr(kEntryAttrName, attrs.getDictionary(func.getContext()));
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

struct ExpandTensorsPass final
    : impl::ExpandTensorsPassBase<ExpandTensorsPass> {
  using Base::Base;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(expandEntry(func)))
        return signalPassFailure();

    TypeConverter converter;
    converter.addConversion([](Type type) { return type; });
    converter.addConversion(
        [](BlockTensorType type, SmallVectorImpl<Type> &results) {
          llvm::append_range(results, type.getComponentTypes());
          return success();
        });

    RewritePatternSet patterns(context);
    patterns.add<ExpandGlobalScale, ExpandQuantize, ExpandDequantize,
                 ExpandMatmul, ExpandHadamard, ExpandTranspose, ExpandRelayout,
                 ExpandAssemble, ExpandDisassemble, ExpandDim, ExpandCast,
                 ExpandConstant, ExpandSelect, ExpandPoison>(converter,
                                                             context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    populateCallOpTypeConversionPattern(patterns, converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    cf::populateCFStructuralTypeConversions(converter, patterns);

    ConversionTarget target(*context);
    scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns,
                                                         target);
    target.markUnknownOpDynamicallyLegal([&](Operation *op) {
      // The branches to the other blocks convert their arguments.
      if (auto func = dyn_cast<func::FuncOp>(op))
        return converter.isSignatureLegal(func.getFunctionType());
      return converter.isLegal(op);
    });
    target.addIllegalOp<GlobalScaleOp, HadamardOp>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace nvfp4
