//===- ElementEvaluator.cpp - Elements of a body's tensors ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What does not depend on the op: the cache, arithmetic on indices, arguments
// in memory, scalars.
//
// Expects: a body of one block, on tensors.
// Leaves:  arith, math, scf and llvm loads; the body as it was.
//
//===----------------------------------------------------------------------===//

#include "ElementEvaluatorImpl.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include <numeric>

using namespace mlir;
using namespace nvfp4;

using Implementation = ElementEvaluator::Implementation;

/// The widest access to memory that a thread has.
static constexpr int64_t kVectorBytes = 16;

//===----------------------------------------------------------------------===//
// Cache
//===----------------------------------------------------------------------===//

void Implementation::append(Key &key, Values values) {
  for (Value value : values)
    key.push_back(reinterpret_cast<uintptr_t>(value.getAsOpaquePointer()));
}

const ElementEvaluator::Run *Implementation::lookup(const Key &key) const {
  for (const std::map<Key, Run> &scope : llvm::reverse(scopes))
    if (auto it = scope.find(key); it != scope.end())
      return &it->second;
  return nullptr;
}

const ElementEvaluator::Run &Implementation::remember(const Key &key, Run run) {
  return scopes.back()[key] = std::move(run);
}

const ElementEvaluator::Run &Implementation::rememberForever(const Key &key,
                                                             Run run) {
  return scopes.front()[key] = std::move(run);
}

ElementEvaluator::Scope::Scope(ElementEvaluator &evaluator)
    : evaluator(evaluator) {
  evaluator.implementation->scopes.emplace_back();
}

ElementEvaluator::Scope::~Scope() {
  evaluator.implementation->scopes.pop_back();
}

//===----------------------------------------------------------------------===//
// Arithmetic on indices
//===----------------------------------------------------------------------===//

template <typename OpTy>
Value Implementation::binary(Tag tag, Value lhs, Value rhs) {
  Key key{tag};
  append(key, {lhs, rhs});
  if (const Run *known = lookup(key))
    return known->front();
  Value result = builder.createOrFold<OpTy>(lhs, rhs);
  // A folded constant is the one constant of its value.
  if (std::optional<int64_t> value = getConstantIntValue(result)) {
    Operation *op = result.getDefiningOp();
    result = self.constant(*value);
    if (op->use_empty() && op != lhs.getDefiningOp() &&
        op != rhs.getDefiningOp() && op != result.getDefiningOp())
      op->erase();
  }
  return remember(key, {result}).front();
}

Value ElementEvaluator::constant(int64_t value) {
  Implementation &impl = *implementation;
  Implementation::Key key{Implementation::Constant, uintptr_t(value)};
  if (const Run *known = impl.lookup(key))
    return known->front();
  OpBuilder::InsertionGuard guard(impl.builder);
  impl.builder.setInsertionPointToStart(
      &impl.kernel.getFunction().getBody().front());
  Value result = arith::ConstantIndexOp::create(impl.builder, value);
  return impl.rememberForever(key, {result}).front();
}

Value ElementEvaluator::add(Value lhs, Value rhs) {
  return implementation->binary<arith::AddIOp>(Implementation::Add, lhs, rhs);
}

Value ElementEvaluator::sub(Value lhs, Value rhs) {
  return implementation->binary<arith::SubIOp>(Implementation::Sub, lhs, rhs);
}

Value ElementEvaluator::mul(Value lhs, Value rhs) {
  return implementation->binary<arith::MulIOp>(Implementation::Mul, lhs, rhs);
}

Value ElementEvaluator::div(Value lhs, Value rhs) {
  return implementation->binary<arith::DivUIOp>(Implementation::Div, lhs, rhs);
}

Value ElementEvaluator::rem(Value lhs, Value rhs) {
  return implementation->binary<arith::RemUIOp>(Implementation::Rem, lhs, rhs);
}

Value ElementEvaluator::min(Value lhs, Value rhs) {
  return implementation->binary<arith::MinUIOp>(Implementation::Min, lhs, rhs);
}

/// Dimensions of one element have no part in positions, nor has the extent of
/// the first dimension.
static void makeLinearKey(Implementation::Key &key, ValueRange index,
                          ValueRange extents) {
  bool isFirst = true;
  for (auto [position, extent] : llvm::zip_equal(index, extents)) {
    if (getConstantIntValue(extent) == 1)
      continue;
    Implementation::append(key, {position});
    if (!isFirst)
      Implementation::append(key, {extent});
    isFirst = false;
  }
}

Value ElementEvaluator::linearize(ValueRange index, ValueRange extents) {
  Implementation &impl = *implementation;
  Implementation::Key key{Implementation::Linear};
  makeLinearKey(key, index, extents);
  if (key.size() == 1)
    return constant(0);
  if (key.size() == 2)
    return Value::getFromOpaquePointer(reinterpret_cast<void *>(key[1]));
  if (const Run *known = impl.lookup(key))
    return known->front();
  Value position;
  for (auto [value, extent] : llvm::zip_equal(index, extents)) {
    if (getConstantIntValue(extent) == 1)
      continue;
    position = position ? add(mul(position, extent), value) : value;
  }
  return impl.remember(key, {position}).front();
}

ElementEvaluator::Run ElementEvaluator::delinearize(Value position,
                                                    ValueRange extents) {
  Implementation &impl = *implementation;
  Run index(extents.size(), constant(0));
  unsigned start = 0;
  while (start < extents.size() && getConstantIntValue(extents[start]) == 1)
    ++start;
  // What is left of the position, dimension by dimension, from the last one.
  SmallVector<Value> rest(extents.size() + 1);
  rest[extents.size()] = position;
  for (unsigned dim = extents.size(); dim-- > start;) {
    bool isFirst = dim == start;
    index[dim] = isFirst ? rest[dim + 1] : rem(rest[dim + 1], extents[dim]);
    if (!isFirst)
      rest[dim] = div(rest[dim + 1], extents[dim]);
  }
  // The way back is known: for all of the index, and for its first dimensions.
  for (unsigned size = start + 2; size <= extents.size(); ++size) {
    Implementation::Key key{Implementation::Linear};
    makeLinearKey(key, ArrayRef(index).take_front(size),
                  extents.take_front(size));
    if (!impl.lookup(key))
      impl.remember(key, {rest[size]});
  }
  return index;
}

void ElementEvaluator::assumeMultiple(Value index, int64_t divisor) {
  implementation->multiples[index] = divisor;
}

int64_t ElementEvaluator::getKnownDivisor(Value index) {
  if (std::optional<int64_t> value = getConstantIntValue(index))
    return std::abs(*value);
  if (auto it = implementation->multiples.find(index);
      it != implementation->multiples.end())
    return it->second;
  Operation *op = index.getDefiningOp();
  if (isa_and_nonnull<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp,
                      arith::ExtSIOp>(op))
    return getKnownDivisor(op->getOperand(0));
  if (isa_and_nonnull<arith::MulIOp>(op))
    return std::min<int64_t>(getKnownDivisor(op->getOperand(0)), 1 << 20) *
           std::min<int64_t>(getKnownDivisor(op->getOperand(1)), 1 << 20);
  if (isa_and_nonnull<arith::AddIOp, arith::SubIOp, arith::RemUIOp,
                      arith::MinUIOp>(op))
    return std::gcd(getKnownDivisor(op->getOperand(0)),
                    getKnownDivisor(op->getOperand(1)));
  if (auto select = dyn_cast_or_null<arith::SelectOp>(op))
    return std::gcd(getKnownDivisor(select.getTrueValue()),
                    getKnownDivisor(select.getFalseValue()));
  if (isa_and_nonnull<arith::DivUIOp>(op)) {
    int64_t dividend = getKnownDivisor(op->getOperand(0));
    std::optional<int64_t> divisor = getConstantIntValue(op->getOperand(1));
    if (divisor && *divisor > 0 && dividend % *divisor == 0)
      return dividend / *divisor;
  }
  return 1;
}

bool Implementation::isMultiple(Value index, int64_t divisor) {
  return self.getKnownDivisor(index) % divisor == 0;
}

ElementEvaluator::Run Implementation::advance(ValueRange index,
                                              int64_t distance) {
  Run result(index);
  if (distance)
    result.back() = self.add(result.back(), self.constant(distance));
  return result;
}

Value Implementation::evaluateAffine(AffineExpr expr, Values dims,
                                     Values symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return self.constant(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = evaluateAffine(binary.getLHS(), dims, symbols);
  Value rhs = evaluateAffine(binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return self.add(lhs, rhs);
  case AffineExprKind::Mul:
    return self.mul(lhs, rhs);
  case AffineExprKind::Mod:
    return self.rem(lhs, rhs);
  case AffineExprKind::FloorDiv:
    return self.div(lhs, rhs);
  default: // CeilDiv
    return self.div(self.add(lhs, self.sub(rhs, self.constant(1))), rhs);
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static bool isFloatByte(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() == 8;
}

/// How an element lies in memory: an i1 and floats of 8 bits are bytes, an
/// index 64 bits.
static Type getMemoryType(Type type) {
  if (type.isInteger(1) || isFloatByte(type))
    return IntegerType::get(type.getContext(), 8);
  if (type.isIndex())
    return IntegerType::get(type.getContext(), 64);
  return type;
}

static Value fromMemory(ImplicitLocOpBuilder &builder, Value value, Type type) {
  if (type.isInteger(1))
    return arith::TruncIOp::create(builder, type, value);
  if (isFloatByte(type))
    return arith::BitcastOp::create(builder, type, value);
  if (type.isIndex())
    return arith::IndexCastOp::create(builder, type, value);
  return value;
}

static Value toMemory(ImplicitLocOpBuilder &builder, Value value) {
  Type type = getMemoryType(value.getType());
  if (value.getType().isInteger(1))
    return arith::ExtUIOp::create(builder, type, value);
  if (isFloatByte(value.getType()))
    return arith::BitcastOp::create(builder, type, value);
  if (value.getType().isIndex())
    return arith::IndexCastOp::create(builder, type, value);
  return value;
}

Value Implementation::getAddress(BlockArgument argument, Value position) {
  Key key{Cast};
  append(key, {position});
  const Run *known = lookup(key);
  if (!known)
    known = &remember(key, {arith::IndexCastOp::create(
                               builder, builder.getI64Type(), position)});
  Type element = cast<ShapedType>(argument.getType()).getElementType();
  Value base = kernel.getPointer(argument);
  return LLVM::GEPOp::create(builder, base.getType(), getMemoryType(element),
                             base, ValueRange{known->front()},
                             LLVM::GEPNoWrapFlags::inbounds);
}

int64_t Implementation::getVectorLength(Value position, int64_t count,
                                        unsigned bytes) {
  int64_t length = llvm::bit_floor(uint64_t(kVectorBytes / bytes));
  while (length > 1 && (count % length || !isMultiple(position, length)))
    length /= 2;
  return length;
}

FailureOr<ElementEvaluator::Run>
Implementation::load(BlockArgument argument, Value position, int64_t count) {
  Type type = cast<ShapedType>(argument.getType()).getElementType();
  Type memory = getMemoryType(type);
  unsigned bits = memory.isIntOrFloat() ? memory.getIntOrFloatBitWidth() : 0;
  if (bits % 8 || bits == 0 || bits > 64)
    return emitError(argument.getLoc())
           << "expected elements of 1, 2, 4 or 8 bytes in a kernel's argument, "
              "but got "
           << type;
  bool isInput = argument.getArgNumber() <
                 argument.getOwner()->getNumArguments() -
                     argument.getOwner()->getTerminator()->getNumOperands();
  int64_t length = getVectorLength(position, count, bits / 8);
  Run run;
  for (int64_t start = 0; start < count; start += length) {
    Value address = getAddress(argument, advance(position, start).front());
    Type loaded = length == 1 ? memory : VectorType::get(length, memory);
    Value value =
        LLVM::LoadOp::create(builder, loaded, address, length * bits / 8,
                             /*isVolatile=*/false, /*isNonTemporal=*/false,
                             /*isInvariant=*/isInput);
    for (int64_t i = 0; i < length; ++i) {
      Value element = value;
      if (length > 1)
        element = LLVM::ExtractElementOp::create(
            builder, value,
            LLVM::ConstantOp::create(builder, builder.getI32IntegerAttr(i)));
      run.push_back(fromMemory(builder, element, type));
    }
  }
  return run;
}

void ElementEvaluator::storeRun(BlockArgument argument, ValueRange index,
                                ValueRange run) {
  Implementation &impl = *implementation;
  ImplicitLocOpBuilder &builder = impl.builder;
  Run extents = *getExtents(argument);
  Value position = linearize(index, extents);
  Type memory = getMemoryType(run.front().getType());
  unsigned bytes = memory.getIntOrFloatBitWidth() / 8;
  int64_t length = impl.getVectorLength(position, run.size(), bytes);
  for (size_t start = 0; start < run.size(); start += length) {
    Value stored = toMemory(builder, run[start]);
    if (length > 1) {
      auto type = VectorType::get(length, memory);
      stored = LLVM::PoisonOp::create(builder, type);
      for (int64_t i = 0; i < length; ++i)
        stored = LLVM::InsertElementOp::create(
            builder, stored, toMemory(builder, run[start + i]),
            LLVM::ConstantOp::create(builder, builder.getI32IntegerAttr(i)));
    }
    Value address =
        impl.getAddress(argument, impl.advance(position, start).front());
    LLVM::StoreOp::create(builder, stored, address, length * bytes);
  }
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

ElementEvaluator::ElementEvaluator(KernelBuilder &kernel)
    : implementation(std::make_unique<Implementation>(*this, kernel)) {}

ElementEvaluator::~ElementEvaluator() = default;

void ElementEvaluator::bind(Value tensor, Producer producer) {
  implementation->bound[tensor] = std::move(producer);
}

void ElementEvaluator::unbind(Value tensor) {
  implementation->bound.erase(tensor);
}

FailureOr<ElementEvaluator::Run>
ElementEvaluator::getRun(Value tensor, ValueRange index, int64_t count) {
  return implementation->evaluate(tensor, SmallVector<Value>(index), count);
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluate(Value tensor, Values index, int64_t count) {
  if (auto it = bound.find(tensor); it != bound.end())
    return it->second(builder, index, count);
  Key key{reinterpret_cast<uintptr_t>(tensor.getAsOpaquePointer()),
          uintptr_t(count)};
  append(key, index);
  if (const Run *known = lookup(key))
    return *known;

  FailureOr<Run> run;
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    FailureOr<Run> extents = self.getExtents(argument);
    if (failed(extents))
      return failure();
    run = load(argument, self.linearize(index, *extents), count);
  } else {
    run = evaluateOp(tensor.getDefiningOp(), tensor, index, count);
  }
  if (failed(run))
    return failure();
  return remember(key, *run);
}

FailureOr<ElementEvaluator::Run>
Implementation::evaluateApart(Value tensor, Values index, int64_t count) {
  Run run;
  for (int64_t i = 0; i < count; ++i) {
    FailureOr<Run> element = evaluate(tensor, advance(index, i), 1);
    if (failed(element))
      return failure();
    run.push_back(element->front());
  }
  return run;
}

FailureOr<ElementEvaluator::Run> Implementation::evaluateConditionally(
    Value condition, Type type, int64_t count,
    llvm::function_ref<FailureOr<Run>()> thenRun,
    llvm::function_ref<FailureOr<Run>()> elseRun) {
  if (std::optional<int64_t> known = getConstantIntValue(condition))
    return *known ? thenRun() : elseRun();
  auto branch = scf::IfOp::create(builder, SmallVector<Type>(count, type),
                                  condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  for (auto [block, evaluateRun] : {std::pair(branch.thenBlock(), thenRun),
                                    std::pair(branch.elseBlock(), elseRun)}) {
    Scope scope(self);
    builder.setInsertionPointToStart(block);
    FailureOr<Run> run = evaluateRun();
    if (failed(run))
      return failure();
    scf::YieldOp::create(builder, *run);
  }
  return Run(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

FailureOr<Value> ElementEvaluator::getScalar(Value scalar) {
  return implementation->evaluateScalar(scalar);
}

FailureOr<Value> Implementation::evaluateScalar(Value scalar) {
  Key key;
  append(key, {scalar});
  if (const Run *known = lookup(key))
    return known->front();
  Operation *op = scalar.getDefiningOp();
  if (!op)
    return emitError(scalar.getLoc())
           << "expected a scalar that the kernel computes, but got an argument";
  if (std::optional<int64_t> value = getConstantIntValue(scalar);
      value && scalar.getType().isIndex())
    return self.constant(*value);
  if (auto dim = dyn_cast<tensor::DimOp>(op))
    if (std::optional<int64_t> position = dim.getConstantIndex())
      return self.getExtent(dim.getSource(), *position);

  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    if (isa<TensorType>(operand.getType()))
      continue;
    FailureOr<Value> value = evaluateScalar(operand);
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    FailureOr<Run> run = evaluate(extract.getTensor(), operands, 1);
    return failed(run) ? FailureOr<Value>() : FailureOr<Value>(run->front());
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    return evaluateAffine(map.getResult(0),
                          ArrayRef(operands).take_front(map.getNumDims()),
                          ArrayRef(operands).drop_front(map.getNumDims()));
  }
  if (operands.size() != op->getNumOperands() || op->getNumRegions() != 0)
    return op->emitError("expected arithmetic on scalars in a kernel");
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  Operation *clone = builder.clone(*op, mapping);
  Value result = clone->getResult(cast<OpResult>(scalar).getResultNumber());
  return remember(key, {result}).front();
}

FailureOr<Value> Implementation::getIndex(OpFoldResult value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return self.constant(*constant);
  return evaluateScalar(cast<Value>(value));
}

FailureOr<ElementEvaluator::Run>
Implementation::getIndices(ArrayRef<OpFoldResult> values) {
  Run indices;
  for (OpFoldResult value : values) {
    FailureOr<Value> index = getIndex(value);
    if (failed(index))
      return failure();
    indices.push_back(*index);
  }
  return indices;
}
