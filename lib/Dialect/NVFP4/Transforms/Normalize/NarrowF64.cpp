//===- NarrowF64.cpp - Compute in f32 what the model computes in f64 ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// torch-mlir computes the variance of layer norms on f64 tensors and keeps
// scalar parameters (eps, 1/sqrt(d)) as f64. Every f64 inside the module
// becomes f32, in place; arguments and results of entries keep their type, with
// a cast at the border.
//
// Expects: linalg on tensors.
// Leaves:  no value of type f64 or tensor of f64 except entry arguments and
//          results and the casts beside them.
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_NARROWF64PASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

/// The type with f32 for f64, or the type itself.
static Type narrowType(Type type) {
  if (type.isF64())
    return Float32Type::get(type.getContext());
  if (auto shaped = dyn_cast<ShapedType>(type);
      shaped && shaped.getElementType().isF64())
    return shaped.clone(Float32Type::get(type.getContext()));
  if (auto function = dyn_cast<FunctionType>(type)) {
    return FunctionType::get(
        type.getContext(),
        llvm::map_to_vector(function.getInputs(), narrowType),
        llvm::map_to_vector(function.getResults(), narrowType));
  }
  return type;
}

static bool isF64(Type type) { return narrowType(type) != type; }

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// The nearest f32. A finite value beyond the range of f32 has none. What would
/// round to 0 becomes the smallest normal number of its sign: an eps that
/// guards a division must not vanish.
static FailureOr<APFloat> narrowNumber(APFloat value, bool &isRaised) {
  bool isFinite = value.isFinite(), isZero = value.isZero();
  bool losesInfo;
  value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  if (isFinite && !value.isFinite())
    return failure();
  isRaised = !isZero && (value.isZero() || value.isDenormal());
  if (isRaised)
    value = APFloat::getSmallestNormalized(APFloat::IEEEsingle(),
                                           value.isNegative());
  return value;
}

static InFlightDiagnostic emitOutOfRange(Operation *op, double value) {
  return op->emitOpError("expected an f64 constant in the range of f32 "
                         "(magnitude up to 3.4e38), but got ")
         << value << "; the option 'keep' of nvfp4-narrow-f64 leaves f64 alone";
}

static void remarkRaised(Operation *op) {
  remark::missed(op->getLoc(),
                 remark::RemarkOpts::name("NarrowF64").category("nvfp4"))
      << "an f64 constant below the normal numbers of f32 becomes the smallest "
         "of them, 1.18e-38";
}

/// The attribute with f32 for f64; null after an error.
static TypedAttr narrowConstant(Operation *op, TypedAttr attribute) {
  bool isRaised = false, isAnyRaised = false;
  Type f32 = Float32Type::get(op->getContext());
  if (auto number = dyn_cast<FloatAttr>(attribute)) {
    FailureOr<APFloat> value = narrowNumber(number.getValue(), isRaised);
    if (failed(value)) {
      emitOutOfRange(op, number.getValueAsDouble());
      return {};
    }
    if (isRaised)
      remarkRaised(op);
    return FloatAttr::get(f32, *value);
  }
  auto dense = dyn_cast<DenseFPElementsAttr>(attribute);
  if (!dense) {
    op->emitOpError("expected f64 constants to be numbers or dense elements, "
                    "but got ")
        << attribute.getType();
    return {};
  }
  SmallVector<APFloat> values;
  auto append = [&](const APFloat &wide) {
    FailureOr<APFloat> value = narrowNumber(wide, isRaised);
    isAnyRaised |= isRaised;
    if (failed(value)) {
      emitOutOfRange(op, wide.convertToDouble());
      return false;
    }
    values.push_back(*value);
    return true;
  };
  if (dense.isSplat()) {
    if (!append(dense.getSplatValue<APFloat>()))
      return {};
  } else {
    values.reserve(dense.getNumElements());
    for (const APFloat &wide : dense.getValues<APFloat>())
      if (!append(wide))
        return {};
  }
  if (isAnyRaised)
    remarkRaised(op);
  return DenseElementsAttr::get(cast<ShapedType>(narrowType(dense.getType())),
                                values);
}

//===----------------------------------------------------------------------===//
// The borders of entries
//===----------------------------------------------------------------------===//

/// Converts a float or a tensor of floats to `type`, of the same shape.
static Value castFloat(OpBuilder &builder, Location loc, Value value,
                       Type type) {
  auto convert = [&](OpBuilder &b, Value scalar, Type to) -> Value {
    if (to.isF64())
      return arith::ExtFOp::create(b, loc, to, scalar);
    return arith::TruncFOp::create(b, loc, to, scalar);
  };
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!tensorType)
    return convert(builder, value, type);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
  Type element = tensorType.getElementType();
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);
  if (empty.getType() != type)
    empty = tensor::CastOp::create(builder, loc, type, empty);
  SmallVector<AffineMap> maps(
      2, builder.getMultiDimIdentityMap(tensorType.getRank()));
  SmallVector<utils::IteratorType> iterators(tensorType.getRank(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, value, empty, maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               linalg::YieldOp::create(b, loc,
                                       convert(b, arguments[0], element));
             })
      .getResult(0);
}

/// Fails if an f64 argument or result of an entry cannot be cast.
static LogicalResult verifyBorder(func::FuncOp func) {
  auto verify = [&](TypeRange types, StringRef what) -> LogicalResult {
    for (auto [number, type] : llvm::enumerate(types))
      if (isF64(type) && !type.isF64() && !isa<RankedTensorType>(type))
        return func.emitOpError("expected f64 ")
               << what << " " << number
               << " of an entry to be a number or a ranked tensor, but got "
               << type;
    return success();
  };
  return success(succeeded(verify(func.getArgumentTypes(), "argument")) &&
                 succeeded(verify(func.getResultTypes(), "result")));
}

namespace {
struct NarrowF64Pass final : nvfp4::impl::NarrowF64PassBase<NarrowF64Pass> {
  using Base::Base;

  void runOnOperation() override {
    if (keep)
      return;
    ModuleOp module = getOperation();
    auto entries =
        llvm::make_filter_range(module.getOps<func::FuncOp>(), isEntry);
    for (func::FuncOp func : entries) {
      if (failed(verifyBorder(func)))
        return signalPassFailure();
      castArguments(func);
    }
    // Operands before users, so that a user sees the new types.
    WalkResult result = module.walk<WalkOrder::PreOrder>([&](Operation *op) {
      return borderCasts.contains(op) ? WalkResult::skip() : narrow(op);
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (func::FuncOp func : entries)
      castResults(func);
    borderCasts.clear();
  }

private:
  void castArguments(func::FuncOp func);
  void castResults(func::FuncOp func);
  WalkResult narrow(Operation *op);
  LogicalResult narrowAttributes(Operation *op);

  /// Casts of entry arguments, which read f64.
  llvm::SmallPtrSet<Operation *, 8> borderCasts;
};
} // namespace

void NarrowF64Pass::castArguments(func::FuncOp func) {
  OpBuilder builder = OpBuilder::atBlockBegin(&func.getFunctionBody().front());
  for (BlockArgument argument : func.getArguments()) {
    if (!isF64(argument.getType()) || argument.use_empty())
      continue;
    SmallVector<OpOperand *> uses = llvm::map_to_vector(
        argument.getUses(), [](OpOperand &use) { return &use; });
    Value narrow = castFloat(builder, argument.getLoc(), argument,
                             narrowType(argument.getType()));
    borderCasts.insert(narrow.getDefiningOp());
    for (OpOperand *use : uses)
      use->set(narrow);
  }
}

void NarrowF64Pass::castResults(func::FuncOp func) {
  TypeRange types = func.getResultTypes();
  func.walk([&](func::ReturnOp op) {
    OpBuilder builder(op);
    for (OpOperand &operand : op->getOpOperands()) {
      Type type = types[operand.getOperandNumber()];
      if (operand.get().getType() != type)
        operand.set(castFloat(builder, op.getLoc(), operand.get(), type));
    }
  });
}

LogicalResult NarrowF64Pass::narrowAttributes(Operation *op) {
  for (NamedAttribute attribute : op->getAttrs()) {
    auto typed = dyn_cast<TypedAttr>(attribute.getValue());
    if (!typed || !isF64(typed.getType()))
      continue;
    TypedAttr narrowed = narrowConstant(op, typed);
    if (!narrowed)
      return failure();
    op->setAttr(attribute.getName(), narrowed);
  }
  return success();
}

WalkResult NarrowF64Pass::narrow(Operation *op) {
  if (auto func = dyn_cast<func::FuncOp>(op)) {
    if (isEntry(func))
      return WalkResult::advance();
    func.setFunctionType(
        cast<FunctionType>(narrowType(func.getFunctionType())));
  }
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (BlockArgument argument : block.getArguments())
        argument.setType(narrowType(argument.getType()));
  if (llvm::any_of(op->getResultTypes(), isF64)) {
    ++numNarrowed;
    for (OpResult value : op->getResults())
      value.setType(narrowType(value.getType()));
    if (failed(narrowAttributes(op)))
      return WalkResult::interrupt();
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op) &&
      op->getOperand(0).getType() == op->getResult(0).getType()) {
    op->getResult(0).replaceAllUsesWith(op->getOperand(0));
    op->erase();
    return WalkResult::skip();
  }
  if (isa<arith::BitcastOp, tensor::BitcastOp>(op) &&
      getElementTypeOrSelf(op->getOperand(0).getType())
              .getIntOrFloatBitWidth() !=
          getElementTypeOrSelf(op->getResult(0).getType())
              .getIntOrFloatBitWidth()) {
    op->emitOpError("expected no bitcast between f64 and integers in a model "
                    "whose f64 becomes f32; the option 'keep' of "
                    "nvfp4-narrow-f64 leaves f64 alone");
    return WalkResult::interrupt();
  }
  return WalkResult::advance();
}
