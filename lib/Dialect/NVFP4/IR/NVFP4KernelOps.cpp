//===- NVFP4KernelOps.cpp - Verifiers and shapes of the kernel level ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"
#include "nvfp4/Dialect/NVFP4/IR/Utils.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Shared
//===----------------------------------------------------------------------===//

static StringRef plural(size_t count) { return count == 1 ? "" : "s"; }

static LogicalResult verifyCounts(Operation *op, size_t numInputs,
                                  size_t expectedInputs, size_t numInits,
                                  size_t expectedInits) {
  if (numInputs != expectedInputs)
    return op->emitOpError("expected ")
           << expectedInputs << " input" << plural(expectedInputs)
           << ", but got " << numInputs;
  if (numInits != expectedInits)
    return op->emitOpError("expected ")
           << expectedInits << " init" << plural(expectedInits) << ", but got "
           << numInits;
  return success();
}

/// `value` is a tensor or memref with the shape and element type of `expected`.
static LogicalResult verifyBuffer(Operation *op, StringRef what, Value value,
                                  ShapedType expected) {
  auto type = cast<ShapedType>(value.getType());
  if (type.getElementType() == expected.getElementType() &&
      succeeded(verifyCompatibleShape(type.getShape(), expected.getShape())))
    return success();
  return op->emitOpError("expected ") << what << " of shape and element type "
                                      << expected << ", but got " << type;
}

/// `value` is a float buffer of shape `shape`.
static LogicalResult verifyFloatBuffer(Operation *op, StringRef what,
                                       Value value, ArrayRef<int64_t> shape) {
  auto type = cast<ShapedType>(value.getType());
  if (isa<FloatType>(type.getElementType()) &&
      succeeded(verifyCompatibleShape(type.getShape(), shape)))
    return success();
  auto diag = op->emitOpError("expected ")
              << what << " of float elements and shape [";
  llvm::interleaveComma(shape, diag, [&](int64_t extent) {
    if (ShapedType::isDynamic(extent))
      diag << "?";
    else
      diag << extent;
  });
  return diag << "], but got " << type;
}

/// `values` are codes, scales and, if `count` is 3, the global scale of `type`.
static LogicalResult verifyComponents(Operation *op, StringRef what,
                                      ValueRange values, BlockTensorType type) {
  static constexpr StringLiteral kNames[] = {"codes", "scales", "global scale"};
  for (auto [name, value, component] :
       llvm::zip(kNames, values, type.getComponentTypes()))
    if (failed(verifyBuffer(op, (what + name).str(), value,
                            cast<ShapedType>(component))))
      return failure();
  return success();
}

static void
addEffects(DestinationStyleOpInterface op,
           SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
               &effects) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (isa<MemRefType>(input->get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), input);
  for (OpOperand &init : op.getDpsInitsMutable())
    if (isa<MemRefType>(init.get().getType()))
      effects.emplace_back(MemoryEffects::Write::get(), &init);
}

static LogicalResult reifyFromInits(DestinationStyleOpInterface op,
                                    OpBuilder &builder,
                                    ReifiedRankedShapedTypeDims &shapes) {
  for (OpOperand &init : op.getDpsInitsMutable())
    if (isa<RankedTensorType>(init.get().getType()))
      shapes.push_back(getMixedExtents(builder, op.getLoc(), init.get()));
  return success();
}

// The methods that every destination-style op has in the same words.
#define NVFP4_DEFINE_KERNEL_SHAPES(OpName)                                     \
  LogicalResult OpName::reifyResultShapes(                                     \
      OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {               \
    return reifyFromInits(cast<DestinationStyleOpInterface>(getOperation()),   \
                          builder, shapes);                                    \
  }
#define NVFP4_DEFINE_KERNEL_OP(OpName)                                         \
  void OpName::getEffects(                                                     \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    addEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);    \
  }                                                                            \
  NVFP4_DEFINE_KERNEL_SHAPES(OpName)

NVFP4_DEFINE_KERNEL_OP(GlobalScaleIntoOp)
NVFP4_DEFINE_KERNEL_OP(QuantizeIntoOp)
NVFP4_DEFINE_KERNEL_OP(DequantizeIntoOp)
NVFP4_DEFINE_KERNEL_OP(ScaledMatmulOp)
NVFP4_DEFINE_KERNEL_OP(HadamardIntoOp)
NVFP4_DEFINE_KERNEL_OP(RelayoutIntoOp)
NVFP4_DEFINE_KERNEL_OP(TransposeIntoOp)
NVFP4_DEFINE_KERNEL_OP(DispatchOp)
NVFP4_DEFINE_KERNEL_SHAPES(GemmOp)

#undef NVFP4_DEFINE_KERNEL_OP
#undef NVFP4_DEFINE_KERNEL_SHAPES

//===----------------------------------------------------------------------===//
// GlobalScaleIntoOp
//===----------------------------------------------------------------------===//

LogicalResult GlobalScaleIntoOp::verify() {
  // global_scale_into_c1
  if (failed(verifyCounts(*this, getInputs().size(), 1, getInits().size(), 1)))
    return failure();
  auto source = cast<ShapedType>(getInputs()[0].getType());
  if (failed(verifyFloatBuffer(*this, "a source", getInputs()[0],
                               source.getShape())))
    return failure();
  if (!getFormat().hasGlobalScale() || source.getRank() < 2)
    return emitOpError("expected a format with a global scale and a source of "
                       "rank 2 or more, but got ")
           << getFormat() << " and " << source;
  return verifyBuffer(*this, "a global scale", getInits()[0],
                      RankedTensorType::get(
                          BlockTensorType::getGlobalScaleShape(
                              source.getShape(), getFormat().getGranularity()),
                          Float32Type::get(getContext())));
}

//===----------------------------------------------------------------------===//
// QuantizeIntoOp, DequantizeIntoOp
//===----------------------------------------------------------------------===//

Value QuantizeIntoOp::getGlobalScale() {
  return getBlockType().getFormat().hasGlobalScale() ? getInputs()[1] : Value();
}

Value QuantizeIntoOp::getState() {
  return getRounding() == RoundingMode::Stochastic ? getInputs().back()
                                                   : Value();
}

LogicalResult QuantizeIntoOp::verify() {
  BlockTensorType type = getBlockType();
  // quantize_into_c1
  size_t numInputs = 1 + type.getFormat().hasGlobalScale() +
                     (getRounding() == RoundingMode::Stochastic);
  if (failed(verifyCounts(*this, getInputs().size(), numInputs,
                          getInits().size(), 2)) ||
      failed(
          verifyFloatBuffer(*this, "a source", getSource(), type.getShape())))
    return failure();
  if (Value globalScale = getGlobalScale())
    if (failed(verifyBuffer(*this, "a global scale", globalScale,
                            type.getGlobalScaleType())))
      return failure();
  if (Value state = getState())
    if (failed(verifyBuffer(
            *this, "a random state", state,
            RankedTensorType::get({2}, IntegerType::get(getContext(), 64)))))
      return failure();
  // quantize_into_c2
  return verifyComponents(*this, "", getInits(), type);
}

LogicalResult DequantizeIntoOp::verify() {
  BlockTensorType type = getBlockType();
  // dequantize_into_c1
  if (failed(verifyCounts(*this, getInputs().size(),
                          type.getComponentTypes().size(), getInits().size(),
                          1)) ||
      failed(verifyComponents(*this, "", getInputs(), type)))
    return failure();
  // dequantize_into_c2
  return verifyFloatBuffer(*this, "a result", getInits()[0], type.getShape());
}

//===----------------------------------------------------------------------===//
// ScaledMatmulOp
//===----------------------------------------------------------------------===//

BlockTensorType ScaledMatmulOp::getLhsType() {
  return getLhs() ? cast<BlockTensorType>(*getLhs()) : BlockTensorType();
}

BlockTensorType ScaledMatmulOp::getRhsType() {
  return getRhs() ? cast<BlockTensorType>(*getRhs()) : BlockTensorType();
}

/// Of an operand of which `inputs` begins with the components.
static size_t getNumComponents(BlockTensorType type, ValueRange inputs) {
  if (!type)
    return 1;
  size_t count = type.getComponentTypes().size();
  return !inputs.empty() && areDecoded(inputs) ? count - 1 : count;
}

ValueRange ScaledMatmulOp::getLhsComponents() {
  ValueRange inputs = getInputs();
  return inputs.take_front(getNumComponents(getLhsType(), inputs));
}

ValueRange ScaledMatmulOp::getRhsComponents() {
  ValueRange inputs = getInputs();
  return inputs.drop_front(getNumComponents(getLhsType(), inputs));
}

/// Decoded values, and the global scale of `type` if it has one.
static LogicalResult verifyDecoded(Operation *op, StringRef what,
                                   ValueRange values, BlockTensorType type) {
  auto bf16 = BFloat16Type::get(op->getContext());
  if (failed(verifyBuffer(op, (what + "values").str(), values[0],
                          RankedTensorType::get(type.getShape(), bf16))))
    return failure();
  if (!type.getFormat().hasGlobalScale())
    return success();
  return verifyBuffer(op, (what + "global scale").str(), values[1],
                      type.getGlobalScaleType());
}

LogicalResult ScaledMatmulOp::verify() {
  BlockTensorType lhs = getLhsType(), rhs = getRhsType();
  // scaled_matmul_c1
  if (!lhs && !rhs)
    return emitOpError("expected the type of a block-scaled lhs or rhs");
  // scaled_matmul_c2
  ValueRange inputs = getInputs();
  size_t numLhs = std::min(getNumComponents(lhs, inputs), inputs.size());
  size_t numRhs = getNumComponents(rhs, inputs.drop_front(numLhs));
  if (failed(verifyCounts(*this, inputs.size(), numLhs + numRhs,
                          getInits().size(), 1)))
    return failure();
  auto verifyOperand = [&](StringRef what, ValueRange values,
                           BlockTensorType type) {
    if (type && areDecoded(values))
      return verifyDecoded(*this, what, values, type);
    if (type)
      return verifyComponents(*this, what, values, type);
    return verifyFloatBuffer(*this, what.rtrim(), values[0],
                             cast<ShapedType>(values[0].getType()).getShape());
  };
  if (failed(verifyOperand("lhs ", getLhsComponents(), lhs)) ||
      failed(verifyOperand("rhs ", getRhsComponents(), rhs)))
    return failure();
  // scaled_matmul_c3
  auto getShape = [](ValueRange values, BlockTensorType type) {
    return type ? type.getShape()
                : cast<ShapedType>(values[0].getType()).getShape();
  };
  auto init = cast<ShapedType>(getInit().getType());
  if (failed(verifyFloatBuffer(*this, "a result", getInit(), init.getShape())))
    return failure();
  return verifyMatmulShapes(*this, getShape(getLhsComponents(), lhs),
                            getShape(getRhsComponents(), rhs), init.getShape());
}

//===----------------------------------------------------------------------===//
// GemmOp
//===----------------------------------------------------------------------===//

void GemmOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  addEffects(cast<DestinationStyleOpInterface>(getOperation()), effects);
  if (getAccumulate())
    effects.emplace_back(MemoryEffects::Read::get(), &getInitsMutable()[0]);
}

LogicalResult GemmOp::verify() {
  // gemm_c1
  if (failed(verifyCounts(*this, getInputs().size(), 2, getInits().size(), 1)))
    return failure();
  for (Type type : getOperandTypes()) {
    auto buffer = dyn_cast<MemRefType>(type);
    if (!buffer ||
        !isa<Float32Type, BFloat16Type, Float16Type>(buffer.getElementType()))
      return emitOpError("expected memrefs of f32, bf16 or f16, but got ")
             << type;
  }
  // gemm_c2
  SmallVector<AffineMap> maps =
      llvm::to_vector(getIndexingMaps().getAsValueRange<AffineMapAttr>());
  if (maps.size() != getNumOperands())
    return emitOpError("expected ")
           << getNumOperands() << " maps, but got " << maps.size();
  for (auto [map, type] : llvm::zip_equal(maps, getOperandTypes()))
    if (map.getNumDims() != maps[0].getNumDims() ||
        !map.isProjectedPermutation() ||
        map.getNumResults() != cast<MemRefType>(type).getRank())
      return emitOpError("expected a projected permutation of ")
             << maps[0].getNumDims() << " dimensions to those of " << type
             << ", but got " << AffineMapAttr::get(map);
  // gemm_c3
  for (unsigned dim = 0; dim < maps[0].getNumDims(); ++dim)
    if (llvm::count_if(
            maps, [&](AffineMap map) { return map.isFunctionOfDim(dim); }) < 2)
      return emitOpError("expected every dimension in two maps, but got d")
             << dim << " in fewer";
  return success();
}

//===----------------------------------------------------------------------===//
// HadamardIntoOp, RelayoutIntoOp, TransposeIntoOp
//===----------------------------------------------------------------------===//

LogicalResult HadamardIntoOp::verify() {
  // hadamard_into_c1
  if (failed(verifyCounts(*this, getInputs().size(), 1, getInits().size(), 1)))
    return failure();
  auto type = cast<ShapedType>(getInputs()[0].getType());
  if (type.getRank() == 0 ||
      (!type.isDynamicDim(type.getRank() - 1) && type.getShape().back() % 16))
    return emitOpError("expected a last dimension that is a multiple of 16, "
                       "but got ")
           << type;
  if (failed(verifyFloatBuffer(*this, "a source", getInputs()[0],
                               type.getShape())) ||
      failed(verifyBuffer(*this, "a result", getInits()[0], type)))
    return failure();
  return verifySignMask(*this, getSigns());
}

LogicalResult RelayoutIntoOp::verify() {
  // relayout_into_c1
  if (failed(verifyCounts(*this, getInputs().size(), 2, getInits().size(), 2)))
    return failure();
  BlockTensorType from = getFromType(), to = getToType();
  if (from.getShape() != to.getShape() || from.getFormat() != to.getFormat())
    return emitOpError("expected types that differ in layout only, but got ")
           << from << " and " << to;
  if (failed(verifyComponents(*this, "source ", getInputs(), from)))
    return failure();
  return verifyComponents(*this, "result ", getInits(), to);
}

LogicalResult TransposeIntoOp::verify() {
  // transpose_into_c1
  if (failed(verifyCounts(*this, getInputs().size(), 2, getInits().size(), 2)))
    return failure();
  BlockTensorType from = getFromType();
  SmallVector<int64_t> shape(from.getShape());
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  if (from.getFormat().getBlockRows() != from.getFormat().getBlockColumns())
    return emitOpError("expected square blocks, but got ") << from;
  if (failed(verifyComponents(*this, "source ", getInputs(), from)))
    return failure();
  return verifyComponents(
      *this, "result ", getInits(),
      BlockTensorType::get(shape, from.getFormat(), from.getLayout()));
}

//===----------------------------------------------------------------------===//
// DispatchOp
//===----------------------------------------------------------------------===//

LogicalResult
DispatchOp::verifySymbolUses(SymbolTableCollection &symbolTables) {
  // dispatch_c1
  auto kernel = symbolTables.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getKernel());
  if (!kernel || kernel.isExternal())
    return emitOpError("expected the name of a function with a body, but got ")
           << getKernel();
  // dispatch_c2
  auto verifyTypes = [&](StringRef what, TypeRange expected,
                         ValueRange values) -> LogicalResult {
    if (expected.size() != values.size())
      return emitOpError("expected ")
             << expected.size() << " " << what << ", as " << getKernel()
             << " has, but got " << values.size();
    for (auto [type, value] : llvm::zip_equal(expected, values)) {
      auto shaped = dyn_cast<ShapedType>(type);
      if (!shaped)
        return emitOpError("expected tensors as ")
               << what << " of " << getKernel() << ", but got " << type;
      if (failed(verifyBuffer(*this, "an operand", value, shaped)))
        return failure();
    }
    return success();
  };
  SmallVector<Value> operands(getInputs());
  llvm::append_range(operands, getInits());
  if (failed(verifyTypes("arguments", kernel.getArgumentTypes(), operands)))
    return failure();
  return verifyTypes("results", kernel.getResultTypes(), getInits());
}

} // namespace nvfp4
