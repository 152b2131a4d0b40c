//===- ExtractPlan.cpp - From values that depend on weights to plans ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: static shapes on everything that depends on weights.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/ExtractPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

std::optional<DType> nvfp4::getDTypeOf(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return DType::BOOL;
    case 8:
      return isUnsigned ? DType::U8 : DType::I8;
    case 16:
      return isUnsigned ? DType::U16 : DType::I16;
    case 32:
      return isUnsigned ? DType::U32 : DType::I32;
    case 64:
      return isUnsigned ? DType::U64 : DType::I64;
    default:
      return std::nullopt;
    }
  }
  if (auto complex = dyn_cast<ComplexType>(type))
    return complex.getElementType().isF32() ? std::optional(DType::C64)
                                            : std::nullopt;
  return llvm::TypeSwitch<Type, std::optional<DType>>(type)
      .Case([](Float16Type) { return DType::F16; })
      .Case([](BFloat16Type) { return DType::BF16; })
      .Case([](Float32Type) { return DType::F32; })
      .Case([](Float64Type) { return DType::F64; })
      .Case([](Float8E4M3FNType) { return DType::F8_E4M3; })
      .Case([](Float8E5M2Type) { return DType::F8_E5M2; })
      .Case([](Float8E8M0FNUType) { return DType::F8_E8M0; })
      .Case([](Float6E2M3FNType) { return DType::F6_E2M3; })
      .Case([](Float6E3M2FNType) { return DType::F6_E3M2; })
      .Case([](Float4E2M1FNType) { return DType::F4; })
      .Default([](Type) { return std::nullopt; });
}

static Extents toExtents(ArrayRef<int64_t> list) {
  return Extents(list.begin(), list.end());
}

static DType getScaleDType(ScaleEncoding encoding) {
  switch (encoding) {
  case ScaleEncoding::E4M3:
    return DType::F8_E4M3;
  case ScaleEncoding::E8M0:
    return DType::F8_E8M0;
  case ScaleEncoding::UE5M3:
    return DType::U8; // safetensors knows no such dtype
  }
  llvm_unreachable("all encodings are listed");
}

std::vector<TensorSpec> nvfp4::getComponents(Type type,
                                             const std::string &name) {
  if (auto plain = dyn_cast<RankedTensorType>(type))
    return {{name, *getDTypeOf(plain.getElementType()),
             toExtents(plain.getShape())}};
  auto block = cast<BlockTensorType>(type);
  auto toSpec = [&](const char *suffix, DType dtype, RankedTensorType part) {
    return TensorSpec{name + suffix, dtype, toExtents(part.getShape())};
  };
  std::vector<TensorSpec> specs = {
      toSpec(".codes", DType::U8, block.getCodesType()),
      toSpec(".scales", getScaleDType(block.getFormat().getScaleEncoding()),
             block.getScalesType())};
  if (RankedTensorType global = block.getGlobalScaleType())
    specs.push_back(toSpec(".global_scale", DType::F32, global));
  return specs;
}

//===----------------------------------------------------------------------===//
// The grammar
//===----------------------------------------------------------------------===//

namespace {

/// What an op makes of the weight values of its operands. Returns null and, if
/// the op could have been a view but is not, a reason.
class OpReader {
public:
  OpReader(WeightAnalysis &analysis, std::string &reason)
      : analysis(analysis), reason(reason) {}

  std::unique_ptr<WeightValue> read(Operation *op);

private:
  using Value = std::unique_ptr<WeightValue>;

  Value refuse(const Twine &why) {
    reason = why.str();
    return nullptr;
  }
  /// The plain value of an operand, copied.
  Value copyPlain(mlir::Value operand);
  /// A copy of the operand's value after `change`, which returns a Status.
  template <typename Fn> Value changeView(mlir::Value operand, Fn change);

  Value readTranspose(linalg::TransposeOp op);
  Value readBroadcast(linalg::BroadcastOp op);
  Value readGeneric(linalg::GenericOp op);
  Value readExpandShape(tensor::ExpandShapeOp op);
  Value readCollapseShape(tensor::CollapseShapeOp op);
  Value readExtractSlice(tensor::ExtractSliceOp op);
  Value readConcat(tensor::ConcatOp op);
  Value readCast(mlir::Value operand, Type resultType, bool hasRoundingMode);
  Value readGlobalScale(GlobalScaleOp op);
  Value readQuantize(QuantizeOp op);
  Value readRelayout(RelayoutOp op);

  WeightAnalysis &analysis;
  std::string &reason;
};

} // namespace

static bool isPackableFloat(Type type) {
  return type.isF32() || type.isBF16() || type.isF16();
}

std::unique_ptr<WeightValue> OpReader::read(Operation *op) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](linalg::TransposeOp op) { return readTranspose(op); })
      .Case([&](linalg::BroadcastOp op) { return readBroadcast(op); })
      .Case([&](linalg::GenericOp op) { return readGeneric(op); })
      .Case([&](tensor::ExpandShapeOp op) { return readExpandShape(op); })
      .Case([&](tensor::CollapseShapeOp op) { return readCollapseShape(op); })
      .Case([&](tensor::ExtractSliceOp op) { return readExtractSlice(op); })
      .Case([&](tensor::ConcatOp op) { return readConcat(op); })
      .Case([&](tensor::CastOp op) { return copyPlain(op.getSource()); })
      .Case([&](arith::ExtFOp op) {
        return readCast(op.getIn(), op.getType(), false);
      })
      .Case([&](arith::TruncFOp op) {
        return readCast(op.getIn(), op.getType(),
                        op.getRoundingmodeAttr() != nullptr);
      })
      .Case([&](GlobalScaleOp op) { return readGlobalScale(op); })
      .Case([&](QuantizeOp op) { return readQuantize(op); })
      .Case([&](RelayoutOp op) { return readRelayout(op); })
      .Default([&](Operation *) { return nullptr; });
}

std::unique_ptr<WeightValue> OpReader::copyPlain(mlir::Value operand) {
  const WeightValue *value = analysis.get(operand);
  if (!value || value->kind != WeightValue::Kind::Plain)
    return nullptr;
  return std::make_unique<WeightValue>(*value);
}

template <typename Fn>
std::unique_ptr<WeightValue> OpReader::changeView(mlir::Value operand,
                                                  Fn change) {
  Value value = copyPlain(operand);
  if (!value)
    return nullptr;
  if (getDTypeBits(value->read.sourceDType) % 8 != 0)
    return refuse("expected elements of whole bytes in a view, but got " +
                  std::string(getDTypeName(value->read.sourceDType)));
  if (Status status = change(value->read.view); !status)
    return refuse(status.getMessage());
  value->read.view.canonicalize();
  return value;
}

std::unique_ptr<WeightValue> OpReader::readTranspose(linalg::TransposeOp op) {
  return changeView(op.getInput(), [&](StridedView &view) {
    Extents shape = view.getShape(), result;
    for (int64_t dim : op.getPermutation())
      result.push_back(shape[dim]);
    return view.remap(toExtents(op.getPermutation()), result);
  });
}

std::unique_ptr<WeightValue> OpReader::readBroadcast(linalg::BroadcastOp op) {
  auto type = cast<ShapedType>(op.getInit().getType());
  return changeView(op.getInput(), [&](StridedView &view) {
    Extents dims;
    int64_t next = 0;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      dims.push_back(llvm::is_contained(op.getDimensions(), dim) ? -1 : next++);
    return view.remap(dims, toExtents(type.getShape()));
  });
}

/// The casts between the only input and what is yielded, or nothing if the body
/// computes anything else.
static std::optional<SmallVector<Operation *>>
getCastChain(linalg::GenericOp op) {
  SmallVector<Operation *> casts;
  Block *body = op.getBody();
  mlir::Value value = body->getTerminator()->getOperand(0);
  while (Operation *def = value.getDefiningOp()) {
    if (def->getBlock() != body || !isa<arith::ExtFOp, arith::TruncFOp>(def))
      return std::nullopt;
    casts.push_back(def);
    value = def->getOperand(0);
  }
  if (value != body->getArgument(0) ||
      !llvm::hasNItems(body->without_terminator(), casts.size()))
    return std::nullopt;
  std::reverse(casts.begin(), casts.end());
  return casts;
}

/// A generic op that copies one input, maybe permuted, broadcast or cast.
std::unique_ptr<WeightValue> OpReader::readGeneric(linalg::GenericOp op) {
  auto type = op->getNumResults() == 1
                  ? dyn_cast<RankedTensorType>(op->getResult(0).getType())
                  : nullptr;
  if (!type || op.getNumDpsInputs() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops())
    return nullptr;
  mlir::Value input = op.getDpsInputOperand(0)->get();
  std::optional<SmallVector<Operation *>> casts = getCastChain(op);
  AffineMap inputMap = op.getIndexingMapsArray()[0];
  AffineMap resultMap = op.getIndexingMapsArray()[1];
  if (!casts || !resultMap.isPermutation())
    return nullptr;

  SmallVector<int64_t> dimOfLoop(op.getNumLoops(), -1);
  SmallVector<int64_t> constants;
  for (auto [dim, expr] : llvm::enumerate(inputMap.getResults())) {
    if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
      if (dimOfLoop[loop.getPosition()] != -1)
        return nullptr; // a diagonal
      dimOfLoop[loop.getPosition()] = dim;
    } else if (!isa<AffineConstantExpr>(expr)) {
      return nullptr;
    }
  }
  Value value = changeView(input, [&](StridedView &view) {
    Extents shape = view.getShape();
    Extents offsets(shape.size(), 0), sizes = shape, steps(shape.size(), 1);
    for (auto [dim, expr] : llvm::enumerate(inputMap.getResults()))
      if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
        offsets[dim] = constant.getValue();
        sizes[dim] = 1;
      }
    if (Status status = view.slice(offsets, sizes, steps); !status)
      return status;
    Extents dims;
    for (AffineExpr expr : resultMap.getResults())
      dims.push_back(dimOfLoop[cast<AffineDimExpr>(expr).getPosition()]);
    return view.remap(dims, toExtents(type.getShape()));
  });
  for (Operation *cast : *casts) {
    if (!value)
      return nullptr;
    auto truncf = dyn_cast<arith::TruncFOp>(cast);
    if (truncf && truncf.getRoundingmodeAttr())
      return refuse("expected a cast that rounds to nearest even");
    Type element = cast->getResult(0).getType();
    if (!isPackableFloat(element) ||
        !isPackableFloat(cast->getOperand(0).getType()))
      return refuse("expected a cast between f32, bf16 and f16");
    value->read.addCast(*getDTypeOf(element));
  }
  return value;
}

std::unique_ptr<WeightValue>
OpReader::readCast(mlir::Value operand, Type resultType, bool hasRoundingMode) {
  Value value = copyPlain(operand);
  if (!value)
    return nullptr;
  Type from = getElementTypeOrSelf(operand.getType());
  Type to = getElementTypeOrSelf(resultType);
  if (hasRoundingMode)
    return refuse("expected a cast that rounds to nearest even");
  if (!isPackableFloat(from) || !isPackableFloat(to))
    return refuse("expected a cast between f32, bf16 and f16");
  value->read.addCast(*getDTypeOf(to));
  return value;
}

std::unique_ptr<WeightValue>
OpReader::readExpandShape(tensor::ExpandShapeOp op) {
  RankedTensorType type = op.getResultType();
  return changeView(op.getSrc(), [&](StridedView &view) {
    std::vector<Extents> extents;
    for (const ReassociationIndices &group : op.getReassociationIndices()) {
      extents.emplace_back();
      for (int64_t dim : group)
        extents.back().push_back(type.getDimSize(dim));
    }
    if (extents.empty())
      extents.push_back(toExtents(type.getShape()));
    return view.expand(extents);
  });
}

std::unique_ptr<WeightValue>
OpReader::readCollapseShape(tensor::CollapseShapeOp op) {
  return changeView(op.getSrc(), [&](StridedView &view) {
    Extents counts;
    for (const ReassociationIndices &group : op.getReassociationIndices())
      counts.push_back(group.size());
    return view.collapse(counts);
  });
}

std::unique_ptr<WeightValue>
OpReader::readExtractSlice(tensor::ExtractSliceOp op) {
  auto isDynamic = [](int64_t value) { return ShapedType::isDynamic(value); };
  if (llvm::any_of(op.getStaticOffsets(), isDynamic) ||
      llvm::any_of(op.getStaticSizes(), isDynamic) ||
      llvm::any_of(op.getStaticStrides(), isDynamic))
    return nullptr;
  return changeView(op.getSource(), [&](StridedView &view) {
    if (Status status = view.slice(toExtents(op.getStaticOffsets()),
                                   toExtents(op.getStaticSizes()),
                                   toExtents(op.getStaticStrides()));
        !status)
      return status;
    llvm::SmallBitVector dropped = op.getDroppedDims();
    Extents dims, shape;
    for (auto [dim, size] : llvm::enumerate(op.getStaticSizes()))
      if (!dropped.test(dim)) {
        dims.push_back(dim);
        shape.push_back(size);
      }
    return view.remap(dims, shape);
  });
}

std::unique_ptr<WeightValue> OpReader::readConcat(tensor::ConcatOp op) {
  std::vector<StridedView> views;
  Value result;
  for (mlir::Value input : op.getInputs()) {
    Value value = changeView(input, [](StridedView &) { return Status(); });
    if (!value)
      return nullptr;
    views.push_back(value->read.view);
    if (result && (result->read.sourceDType != value->read.sourceDType ||
                   result->read.casts != value->read.casts))
      return refuse("expected parts of a concatenation with equal casts");
    result = std::move(value);
  }
  auto joined = StridedView::concat(std::move(views), op.getDim());
  if (!joined)
    return refuse(joined.getMessage());
  result->read.view = std::move(*joined);
  result->read.view.canonicalize();
  return result;
}

std::unique_ptr<WeightValue> OpReader::readGlobalScale(GlobalScaleOp op) {
  Value value = copyPlain(op.getSource());
  if (!value)
    return nullptr;
  value->kind = WeightValue::Kind::GlobalScale;
  value->format = op.getFormat();
  return value;
}

std::unique_ptr<WeightValue> OpReader::readQuantize(QuantizeOp op) {
  Value value = copyPlain(op.getSource());
  if (!value)
    return nullptr;
  if (op.getRounding() != RoundingMode::NearestEven)
    return refuse("stochastic rounding needs random bits that are known at run "
                  "time only");
  BlockTensorType type = op.getResult().getType();
  value->kind = WeightValue::Kind::Quantized;
  value->format = type.getFormat();
  value->layout = type.getLayout();
  if (!type.getFormat().hasGlobalScale())
    return value;

  const WeightValue *scale = analysis.get(op.getGlobalScale());
  if (!scale || scale->kind != WeightValue::Kind::GlobalScale)
    return refuse("expected a global scale that is computed from weights");
  FormatAttr expected = type.getFormat(), actual = scale->format;
  if (expected.getGranularity() != actual.getGranularity() ||
      expected.getConvention() != actual.getConvention() ||
      expected.getBound() != actual.getBound())
    return refuse("expected a global scale of the tensor's format");
  // A maximum over the whole source does not depend on the order.
  auto readsAll = [&](const PackingRead &read) {
    return read.casts == value->read.casts &&
           read.view.isPermutation(value->read.view.getNumElements()) &&
           read.view.getSources() == value->read.view.getSources();
  };
  bool isSame = scale->read.getKey() == value->read.getKey() ||
                (expected.getGranularity() == GlobalScaleGranularity::Tensor &&
                 readsAll(scale->read) && readsAll(value->read));
  if (!isSame)
    value->scaleRead = scale->read;
  return value;
}

std::unique_ptr<WeightValue> OpReader::readRelayout(RelayoutOp op) {
  const WeightValue *source = analysis.get(op.getSource());
  if (!source || source->kind != WeightValue::Kind::Quantized)
    return nullptr;
  Value value = std::make_unique<WeightValue>(*source);
  value->layout = op.getResult().getType().getLayout();
  return value;
}

//===----------------------------------------------------------------------===//
// WeightAnalysis
//===----------------------------------------------------------------------===//

const WeightValue *WeightAnalysis::get(Value value) {
  auto it = answers.find(value);
  if (it == answers.end()) {
    Answer answer = compute(value);
    it = answers.try_emplace(value, std::move(answer)).first;
  }
  return it->second.value.get();
}

StringRef WeightAnalysis::getReason(Value value) {
  get(value);
  return answers.find(value)->second.reason;
}

WeightAnalysis::Answer WeightAnalysis::compute(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return computeArgument(argument);
  // Plans are static; a cast to a dynamic shape is for ops that are none.
  auto type = dyn_cast<ShapedType>(value.getType());
  Answer answer;
  if (type && type.hasStaticShape())
    answer.value = OpReader(*this, answer.reason).read(value.getDefiningOp());
  return answer;
}

WeightAnalysis::Answer WeightAnalysis::computeArgument(BlockArgument argument) {
  auto function =
      dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp());
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!function || !argument.getOwner()->isEntryBlock() || !type)
    return {};
  auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                    kWeightAttrName);
  std::optional<DType> dtype = getDTypeOf(type.getElementType());
  if (!name || !type.hasStaticShape() || !dtype)
    return {};

  // One weight that is declared with two types is two sources.
  PackingSource source = {name.str(), *dtype, toExtents(type.getShape())};
  std::string key = source.name + " " + std::string(getDTypeName(*dtype)) +
                    formatShape(source.shape);
  auto [it, isNew] = sourceIndex.try_emplace(key, sources.size());
  if (isNew)
    sources.push_back(source);
  Answer answer;
  answer.value = std::make_unique<WeightValue>();
  answer.value->read.sourceDType = *dtype;
  answer.value->read.view =
      StridedView::ofSource(it->second, toExtents(type.getShape()));
  answer.value->read.view.canonicalize();
  return answer;
}

PackingPlan WeightAnalysis::makePlan(Value value, const std::string &name) {
  const WeightValue &known = *get(value);
  PackingPlan plan;
  plan.name = name;
  plan.read = known.read;
  plan.components = getComponents(value.getType(), name);
  if (known.kind == WeightValue::Kind::Quantized) {
    plan.quantize.emplace();
    plan.quantize->format = known.format.getFormat();
    plan.quantize->granularity = known.format.getGranularity();
    plan.quantize->convention = known.format.getConvention();
    plan.quantize->layout = known.layout;
    plan.quantize->scaleRead = known.scaleRead;
  }

  // Number the sources as the plan lists them.
  std::vector<int64_t> numbers(sources.size(), -1);
  auto renumber = [&](StridedView &view) {
    for (int64_t source : view.getSources())
      if (numbers[source] < 0) {
        numbers[source] = plan.sources.size();
        plan.sources.push_back(sources[source]);
      }
    view.renumberSources(numbers);
  };
  renumber(plan.read.view);
  if (plan.quantize && plan.quantize->scaleRead)
    renumber(plan.quantize->scaleRead->view);
  return plan;
}

FailureOr<PackingPlan> nvfp4::extractPlan(func::FuncOp function) {
  auto name = function->getAttrOfType<StringAttr>(kPackAttrName);
  if (!name || function.isExternal() || function.getNumResults() != 1)
    return function.emitError(
               "expected a packing function with the attribute '")
           << kPackAttrName << "', a body and one result";
  auto shaped = dyn_cast<ShapedType>(function.getResultTypes()[0]);
  if (!shaped || !shaped.hasStaticShape())
    return function.emitError("expected a packing function whose result has a "
                              "static shape, but got ")
           << function.getResultTypes()[0];
  WeightAnalysis analysis;
  Value result = function.front().getTerminator()->getOperand(0);
  const WeightValue *value = analysis.get(result);
  if (value && value->kind != WeightValue::Kind::GlobalScale)
    return analysis.makePlan(result, name.str());

  // Name the first op that leaves the grammar.
  for (Operation &op : function.front().without_terminator())
    for (Value part : op.getResults())
      if (StringRef reason = analysis.getReason(part); !reason.empty()) {
        op.emitError("cannot be part of a packing function: ") << reason;
        return failure();
      }
  return function.emitError("expected a packing function of views, casts, "
                            "quantize and relayout of weights");
}
