//===- NVFP4TensorOps.cpp - Verifiers and shapes of the tensor level ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folds are in NVFP4Folds.cpp.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"

using namespace mlir;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

/// `type` has the components' shape and is i8 or the format's scale encoding.
static bool isScalesOf(RankedTensorType type, BlockTensorType tensor) {
  if (failed(verifyCompatibleShape(type, tensor.getScalesType())))
    return false;
  switch (tensor.getFormat().getScaleEncoding()) {
  case ScaleEncoding::E4M3:
    return isa<IntegerType, Float8E4M3FNType>(type.getElementType());
  case ScaleEncoding::E8M0:
    return isa<IntegerType, Float8E8M0FNUType>(type.getElementType());
  case ScaleEncoding::UE5M3:
    return isa<IntegerType>(type.getElementType());
  }
  llvm_unreachable("covered switch");
}

/// Codes, scales and global scale are the components of `tensor`.
static LogicalResult verifyComponents(Operation *op, BlockTensorType tensor,
                                      Type codes, Type scales,
                                      Value globalScale) {
  if (failed(verifyCompatibleShape(codes, tensor.getCodesType())))
    return op->emitOpError("expected codes of type ")
           << tensor.getCodesType() << ", but got " << codes;
  if (!isScalesOf(cast<RankedTensorType>(scales), tensor))
    return op->emitOpError("expected scales of type ")
           << tensor.getScalesType()
           << " or the same with the format's scale encoding, but got "
           << scales;
  RankedTensorType expected = tensor.getGlobalScaleType();
  if (!expected != !globalScale)
    return op->emitOpError("expected ")
           << (expected ? "a" : "no") << " global scale in a tensor of format "
           << tensor.getFormat().getName();
  if (expected &&
      failed(verifyCompatibleShape(globalScale.getType(), expected)))
    return op->emitOpError("expected a global scale of type ")
           << expected << ", but got " << globalScale.getType();
  return success();
}

/// Source and result have compatible shapes.
static LogicalResult verifySameShape(Operation *op, Type source, Type result) {
  if (failed(verifyCompatibleShape(source, result)))
    return op->emitOpError("expected source and result of the same shape, but "
                           "got ")
           << source << " and " << result;
  return success();
}

//===----------------------------------------------------------------------===//
// GlobalScaleOp
//===----------------------------------------------------------------------===//

/// Nothing, `per_row` or `per_slice` for the golden format, else `format <…>`.
static ParseResult parseGlobalScaleFormat(OpAsmParser &parser,
                                          FormatAttr &format) {
  auto granularity = GlobalScaleGranularity::Tensor;
  if (succeeded(parser.parseOptionalKeyword("format"))) {
    auto attr = dyn_cast_or_null<FormatAttr>(FormatAttr::parse(parser, Type()));
    if (!attr)
      return failure();
    format = attr;
    return success();
  }
  if (succeeded(parser.parseOptionalKeyword("per_row")))
    granularity = GlobalScaleGranularity::Row;
  else if (succeeded(parser.parseOptionalKeyword("per_slice")))
    granularity = GlobalScaleGranularity::Slice;
  format = FormatAttr::get(parser.getContext(), "nvfp4", granularity);
  return success();
}

static void printGlobalScaleFormat(OpAsmPrinter &printer, Operation *op,
                                   FormatAttr format) {
  if (format !=
      FormatAttr::get(op->getContext(), "nvfp4", format.getGranularity())) {
    printer << " format ";
    format.print(printer);
    return;
  }
  if (format.getGranularity() == GlobalScaleGranularity::Row)
    printer << " per_row";
  else if (format.getGranularity() == GlobalScaleGranularity::Slice)
    printer << " per_slice";
}

void GlobalScaleOp::build(OpBuilder &builder, OperationState &state,
                          Value source, FormatAttr format) {
  auto type = cast<RankedTensorType>(source.getType());
  build(builder, state,
        RankedTensorType::get(BlockTensorType::getGlobalScaleShape(
                                  type.getShape(), format.getGranularity()),
                              builder.getF32Type()),
        source, format);
}

LogicalResult GlobalScaleOp::verify() {
  // global_scale_c1
  if (!getFormat().hasGlobalScale())
    return emitOpError("expected a format with a global scale, but got ")
           << getFormat();
  RankedTensorType source = getSource().getType();
  if (source.getRank() < 2)
    return emitOpError("expected a source of rank 2 or more, but got ")
           << source;
  // global_scale_c2
  RankedTensorType expected = RankedTensorType::get(
      BlockTensorType::getGlobalScaleShape(source.getShape(),
                                           getFormat().getGranularity()),
      Float32Type::get(getContext()));
  if (failed(verifyCompatibleShape(getResult().getType(), expected)))
    return emitOpError("expected a result of type ")
           << expected << ", but got " << getResult().getType();
  return success();
}

LogicalResult
GlobalScaleOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims =
      getMixedExtents(builder, getLoc(), getSource());
  dims.truncate(getResult().getType().getRank());
  shapes.push_back(std::move(dims));
  return success();
}

//===----------------------------------------------------------------------===//
// QuantizeOp, DequantizeOp
//===----------------------------------------------------------------------===//

using OptionalOperand = std::optional<OpAsmParser::UnresolvedOperand>;

/// `, type` for each of the optional operands that is there.
static ParseResult parseTrailingTypes(OpAsmParser &parser,
                                      Type &globalScaleType,
                                      const OptionalOperand &globalScale,
                                      Type &stateType,
                                      const OptionalOperand &state) {
  auto parse = [&](const OptionalOperand &value, Type &type) -> ParseResult {
    if (!value)
      return success();
    return failure(parser.parseComma() || parser.parseType(type));
  };
  return failure(parse(globalScale, globalScaleType) ||
                 parse(state, stateType));
}

static void printTrailingTypes(OpAsmPrinter &printer, Operation *,
                               Type globalScaleType, Value globalScale,
                               Type stateType, Value state) {
  if (globalScale)
    printer << ", " << globalScaleType;
  if (state)
    printer << ", " << stateType;
}

LogicalResult QuantizeOp::verify() {
  BlockTensorType result = getResult().getType();
  // quantize_c1
  if (failed(verifySameShape(*this, getSource().getType(), result)))
    return failure();
  // quantize_c2
  RankedTensorType expected = result.getGlobalScaleType();
  if (!expected != !getGlobalScale())
    return emitOpError("expected ")
           << (expected ? "a" : "no") << " global scale for the result "
           << result;
  if (expected &&
      failed(verifyCompatibleShape(getGlobalScale().getType(), expected)))
    return emitOpError("expected a global scale of type ")
           << expected << ", but got " << getGlobalScale().getType();
  // quantize_c3
  bool isStochastic = getRounding() == RoundingMode::Stochastic;
  if (isStochastic != static_cast<bool>(getState()))
    return emitOpError("expected a random state exactly if the rounding is "
                       "stochastic");
  if (getState() && cast<RankedTensorType>(getState().getType()).getShape() !=
                        ArrayRef<int64_t>{2})
    return emitOpError("expected a random state of type tensor<2xi64>, but "
                       "got ")
           << getState().getType();
  return success();
}

LogicalResult
QuantizeOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedExtents(builder, getLoc(), getSource()));
  return success();
}

LogicalResult DequantizeOp::verify() {
  // dequantize_c1
  return verifySameShape(*this, getSource().getType(), getResult().getType());
}

LogicalResult
DequantizeOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedExtents(builder, getLoc(), getSource()));
  return success();
}

//===----------------------------------------------------------------------===//
// MatmulOp
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  auto lhs = cast<ShapedType>(getLhs().getType());
  auto rhs = cast<ShapedType>(getRhs().getType());
  auto lhsBlocks = dyn_cast<BlockTensorType>(getLhs().getType());
  auto rhsBlocks = dyn_cast<BlockTensorType>(getRhs().getType());
  // matmul_c1
  if (!lhsBlocks && !rhsBlocks)
    return emitOpError("expected a block-scaled operand, but got ")
           << lhs << " and " << rhs;
  // matmul_c5
  if (lhsBlocks && rhsBlocks &&
      lhsBlocks.getFormat().getName() != rhsBlocks.getFormat().getName())
    return emitOpError("expected operands of one format, but got ")
           << lhs << " and " << rhs;
  // matmul_c2 to matmul_c4
  return verifyMatmulShapes(*this, lhs.getShape(), rhs.getShape(),
                            getResult().getType().getShape());
}

LogicalResult MatmulOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims = getMixedExtents(builder, getLoc(), getLhs());
  int64_t rhsRank = cast<ShapedType>(getRhs().getType()).getRank();
  dims.back() = getMixedExtent(builder, getLoc(), getRhs(), rhsRank - 2);
  shapes.push_back(std::move(dims));
  return success();
}

//===----------------------------------------------------------------------===//
// HadamardOp
//===----------------------------------------------------------------------===//

LogicalResult HadamardOp::verify() {
  RankedTensorType type = getSource().getType();
  // hadamard_c2
  if (type.getRank() == 0 ||
      (!type.isDynamicDim(type.getRank() - 1) && type.getShape().back() % 16))
    return emitOpError("expected a last dimension that is a multiple of 16, "
                       "but got ")
           << type;
  // hadamard_c3
  return verifySignMask(*this, getSigns());
}

LogicalResult
HadamardOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedExtents(builder, getLoc(), getSource()));
  return success();
}

//===----------------------------------------------------------------------===//
// TransposeOp, RelayoutOp, CastOp
//===----------------------------------------------------------------------===//

static BlockTensorType getTransposedType(BlockTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  return BlockTensorType::get(shape, type.getFormat(), type.getLayout());
}

void TransposeOp::build(OpBuilder &builder, OperationState &state,
                        Value source) {
  build(builder, state,
        getTransposedType(cast<BlockTensorType>(source.getType())), source);
}

LogicalResult TransposeOp::verify() {
  BlockTensorType source = getSource().getType();
  FormatAttr format = source.getFormat();
  // transpose_c1
  if (format.getBlockRows() != format.getBlockColumns() ||
      format.getGranularity() == GlobalScaleGranularity::Row)
    return emitOpError("expected square blocks without a global scale per row, "
                       "but got ")
           << source;
  // transpose_c2
  BlockTensorType result = getResult().getType();
  SmallVector<int64_t> expected(source.getShape());
  std::swap(expected[expected.size() - 1], expected[expected.size() - 2]);
  if (failed(verifyCompatibleShape(result.getShape(), expected)) ||
      result.getFormat() != format || result.getLayout() != source.getLayout())
    return emitOpError("expected the result ")
           << BlockTensorType::get(expected, format, source.getLayout())
           << ", but got " << result;
  return success();
}

LogicalResult
TransposeOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims =
      getMixedExtents(builder, getLoc(), getSource());
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  shapes.push_back(std::move(dims));
  return success();
}

LogicalResult RelayoutOp::verify() {
  BlockTensorType source = getSource().getType();
  BlockTensorType result = getResult().getType();
  // relayout_c1
  if (source.getShape() != result.getShape() ||
      source.getFormat() != result.getFormat())
    return emitOpError("expected source and result to differ in layout only, "
                       "but got ")
           << source << " and " << result;
  return success();
}

LogicalResult
RelayoutOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedExtents(builder, getLoc(), getSource()));
  return success();
}

bool CastOp::areCastCompatible(TypeRange inputs, TypeRange outputs) {
  if (inputs.size() != 1 || outputs.size() != 1)
    return false;
  auto from = dyn_cast<BlockTensorType>(inputs.front());
  auto to = dyn_cast<BlockTensorType>(outputs.front());
  return from && to && from.getFormat() == to.getFormat() &&
         from.getLayout() == to.getLayout() &&
         succeeded(verifyCompatibleShape(from.getShape(), to.getShape()));
}

LogicalResult CastOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedExtents(builder, getLoc(), getSource()));
  return success();
}

//===----------------------------------------------------------------------===//
// AssembleOp, DisassembleOp
//===----------------------------------------------------------------------===//

LogicalResult AssembleOp::verify() {
  // assemble_c1
  return verifyComponents(*this, getResult().getType(), getCodes().getType(),
                          getScales().getType(), getGlobalScale());
}

LogicalResult
AssembleOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  BlockTensorType type = getResult().getType();
  SmallVector<OpFoldResult> dims =
      getMixedExtents(builder, getLoc(), getCodes());
  for (auto [dim, extent] : llvm::zip_equal(dims, type.getShape()))
    if (ShapedType::isStatic(extent))
      dim = builder.getIndexAttr(extent);
  if (type.isDynamicDim(type.getRank() - 1)) {
    // Two codes to a byte; the type admits multiples of 16 only.
    Value bytes =
        getValueOrCreateConstantIndexOp(builder, getLoc(), dims.back());
    Value two = arith::ConstantIndexOp::create(builder, getLoc(), 2);
    dims.back() =
        arith::MulIOp::create(builder, getLoc(), bytes, two).getResult();
  }
  shapes.push_back(std::move(dims));
  return success();
}

static ParseResult parseKeyword(OpAsmParser &parser, StringAttr &keyword) {
  StringRef text;
  if (parser.parseKeyword(&text))
    return failure();
  keyword = parser.getBuilder().getStringAttr(text);
  return success();
}

static void printKeyword(OpAsmPrinter &printer, Operation *,
                         StringAttr keyword) {
  printer << keyword.getValue();
}

GlobalScaleConvention DisassembleOp::getResultConvention() {
  if (std::optional<StringRef> name = getConvention())
    if (auto parsed = parseConvention({name->data(), name->size()}))
      return *parsed;
  return getSource().getType().getFormat().getConvention();
}

LogicalResult DisassembleOp::verify() {
  BlockTensorType source = getSource().getType();
  // disassemble_c1
  if (failed(verifyComponents(*this, source, getCodes().getType(),
                              getScales().getType(), getGlobalScale())))
    return failure();
  // disassemble_c2
  std::optional<StringRef> name = getConvention();
  if (!name)
    return success();
  auto parsed = parseConvention({name->data(), name->size()});
  if (!parsed)
    return emitOpError("expected the convention amax, multiply or divide, but "
                       "got '")
           << *name << "'";
  GlobalScaleConvention own = source.getFormat().getConvention();
  if (*parsed != own && own != GlobalScaleConvention::Amax)
    return emitOpError(
               "expected the source's own convention, because only "
               "from amax the others follow without rounding, but got '")
           << *name << "'";
  return success();
}

LogicalResult
DisassembleOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes = getComponentExtents(builder, getLoc(), getSource().getType(),
                               getMixedExtents(builder, getLoc(), getSource()));
  return success();
}

//===----------------------------------------------------------------------===//
// DimOp, ConstantOp
//===----------------------------------------------------------------------===//

Value DimOp::getShapedValue() { return getSource(); }

OpFoldResult DimOp::getDimension() {
  return IntegerAttr::get(IndexType::get(getContext()), getPosition());
}

LogicalResult DimOp::verify() {
  // dim_c1
  int64_t rank = getSource().getType().getRank();
  auto position = static_cast<int64_t>(getPosition());
  if (position < 0 || position >= rank)
    return emitOpError("expected a dimension below the rank ")
           << rank << ", but got " << position;
  return success();
}

LogicalResult ConstantOp::verify() {
  BlockTensorType type = getResult().getType();
  if (!type.hasStaticShape())
    return emitOpError("expected a static type, but got ") << type;
  // constant_c1
  BlocksAttr value = getValue();
  SmallVector<Type> components = {value.getCodes().getType(),
                                  value.getScales().getType()};
  if (value.getGlobalScale())
    components.push_back(value.getGlobalScale().getType());
  if (components != type.getComponentTypes())
    return emitOpError("expected components of types ")
           << type.getComponentTypes() << ", but got " << components;
  return success();
}

LogicalResult
ConstantOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims;
  for (int64_t extent : getResult().getType().getShape())
    dims.push_back(builder.getIndexAttr(extent));
  shapes.push_back(std::move(dims));
  return success();
}

} // namespace nvfp4

using namespace nvfp4;

#define GET_OP_CLASSES
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Ops.cpp.inc"
