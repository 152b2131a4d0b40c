//===- DimensionSlice.cpp - Arithmetic on dimensions ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DimensionSlice.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nvfp4 {

int64_t getElementBytes(Type type) {
  if (type.isIndex())
    return 8;
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

//===----------------------------------------------------------------------===//
// Where an extent comes from
//===----------------------------------------------------------------------===//

using Source = DimensionAnalysis::Source;

static Source fromConstant(int64_t value) {
  Source source;
  source.constant = value;
  return source;
}

static Source fromValue(Value value) {
  Source source;
  source.value = value;
  return source;
}

static Source fromFoldResult(OpFoldResult size) {
  if (auto attr = dyn_cast<Attribute>(size))
    return fromConstant(cast<IntegerAttr>(attr).getInt());
  return fromValue(cast<Value>(size));
}

/// The value among `dynamicSizes` that is extent `dim` of `type`.
static Value getDynamicSize(MemRefType type, ValueRange dynamicSizes,
                            int64_t dim) {
  return dynamicSizes[type.getDynamicDimIndex(dim)];
}

FailureOr<Source> DimensionAnalysis::getExtent(Value memref, int64_t dim) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dim))
    return fromConstant(type.getDimSize(dim));

  if (auto arg = dyn_cast<BlockArgument>(memref)) {
    culprit = arg.getOwner()->getParentOp();
    // A loop carries a buffer in place, so its shape is that of the first.
    if (auto loop = dyn_cast<scf::ForOp>(culprit))
      if (OpOperand *init = loop.getTiedLoopInit(arg))
        return getExtent(init->get(), dim);
    if (culprit != func)
      return failure();
    unsigned number = arg.getArgNumber();
    if (number < interface.arguments.size()) {
      Source source;
      source.dimension = interface.arguments[number].shape[dim].dimension;
      if (!source.dimension)
        return failure();
      return source;
    }
    // A destination: the function returns the extents of its results in order.
    unsigned position = 0;
    for (unsigned i = interface.arguments.size(); i < number; ++i)
      position +=
          cast<MemRefType>(func.getArgumentTypes()[i]).getNumDynamicDims();
    position += type.getDynamicDimIndex(dim);
    return fromValue(func.getBody().front().back().getOperand(position));
  }

  Operation *op = memref.getDefiningOp();
  culprit = op;
  using Result = FailureOr<Source>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<memref::AllocOp, memref::AllocaOp>([&](auto alloc) -> Result {
        return fromValue(getDynamicSize(type, alloc.getDynamicSizes(), dim));
      })
      .Case([&](memref::ViewOp view) -> Result {
        return fromValue(getDynamicSize(type, view.getSizes(), dim));
      })
      .Case<memref::CastOp, memref::MemorySpaceCastOp>(
          [&](auto cast) -> Result { return getExtent(cast.getSource(), dim); })
      .Case([&](memref::ExpandShapeOp expand) -> Result {
        return fromFoldResult(expand.getMixedOutputShape()[dim]);
      })
      .Case([&](memref::CollapseShapeOp collapse) -> Result {
        Source product;
        for (int64_t inner : collapse.getReassociationIndices()[dim]) {
          FailureOr<Source> factor = getExtent(collapse.getSrc(), inner);
          if (failed(factor))
            return failure();
          product.factors.push_back(*factor);
        }
        return product;
      })
      .Case([&](memref::SubViewOp subview) -> Result {
        llvm::SmallBitVector dropped = subview.getDroppedDims();
        for (auto [i, size] : llvm::enumerate(subview.getMixedSizes()))
          if (!dropped[i] && dim-- == 0)
            return fromFoldResult(size);
        return failure();
      })
      .Case([&](memref::ReinterpretCastOp cast) -> Result {
        return fromFoldResult(cast.getMixedSizes()[dim]);
      })
      .Case([&](memref::TransposeOp transpose) -> Result {
        return getExtent(transpose.getIn(),
                         transpose.getPermutation().getDimPosition(dim));
      })
      .Case([&](scf::ForOp loop) -> Result {
        return getExtent(loop.getTiedLoopInit(cast<OpResult>(memref))->get(),
                         dim);
      })
      .Case([&](scf::IfOp branch) -> Result {
        return getCommonExtent(branch, cast<OpResult>(memref).getResultNumber(),
                               dim);
      })
      .Default([](Operation *) -> Result { return failure(); });
}

/// The extent of a result of an `scf.if`, if it is the same on both sides.
FailureOr<Source> DimensionAnalysis::getCommonExtent(scf::IfOp branch,
                                                     unsigned result,
                                                     int64_t dim) {
  if (branch.getElseRegion().empty())
    return failure();
  FailureOr<Source> onTrue =
      getExtent(branch.thenYield().getOperand(result), dim);
  FailureOr<Source> onFalse =
      getExtent(branch.elseYield().getOperand(result), dim);
  if (failed(onTrue) || failed(onFalse))
    return failure();
  FailureOr<SizePolynomial> lhs = getPolynomial(*onTrue);
  FailureOr<SizePolynomial> rhs = getPolynomial(*onFalse);
  if (failed(lhs) || failed(rhs))
    return failure();
  culprit = branch;
  if (!(*lhs == *rhs))
    return failure();
  return onTrue;
}

//===----------------------------------------------------------------------===//
// Polynomials
//===----------------------------------------------------------------------===//

std::optional<int64_t> DimensionAnalysis::getMinimum(unsigned symbol) const {
  if (symbol < interface.dimensions.size())
    return interface.dimensions[symbol].min;
  return std::nullopt;
}

std::string DimensionAnalysis::getName(unsigned symbol) const {
  if (symbol < interface.dimensions.size())
    return interface.dimensions[symbol].name;
  return "s" + std::to_string(symbol);
}

FailureOr<SizePolynomial>
DimensionAnalysis::getPolynomial(const Source &source) {
  if (source.dimension)
    return SizePolynomial::symbol(*source.dimension);
  if (source.constant)
    return SizePolynomial::constant(*source.constant);
  if (source.value)
    return getPolynomial(source.value);
  SizePolynomial product = SizePolynomial::constant(1);
  for (const Source &factor : source.factors) {
    FailureOr<SizePolynomial> polynomial = getPolynomial(factor);
    if (failed(polynomial))
      return failure();
    product = product * *polynomial;
  }
  return product;
}

FailureOr<SizePolynomial> DimensionAnalysis::getPolynomial(Value value) {
  auto it = known.find(value);
  if (it != known.end())
    return it->second;
  // The extent of a destination may refer to itself.
  if (!active.insert(value).second) {
    culprit = value.getDefiningOp();
    return failure();
  }
  FailureOr<SizePolynomial> polynomial = computePolynomial(value);
  active.erase(value);
  if (succeeded(polynomial))
    known[value] = *polynomial;
  return polynomial;
}

FailureOr<SizePolynomial> DimensionAnalysis::computePolynomial(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op) {
    culprit = value.getParentBlock()->getParentOp();
    return failure();
  }
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return SizePolynomial::constant(number.getSExtValue());
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    culprit = op;
    if (!index || !isa<MemRefType>(dim.getSource().getType()))
      return failure();
    FailureOr<Source> source = getExtent(dim.getSource(), *index);
    if (failed(source))
      return failure();
    return getPolynomial(*source);
  }
  // Integers of other widths may wrap: only index arithmetic is a polynomial.
  if (value.getType().isIndex() &&
      isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::FloorDivSIOp,
          arith::DivSIOp, arith::DivUIOp, arith::CeilDivSIOp,
          arith::CeilDivUIOp>(op)) {
    FailureOr<SizePolynomial> lhs = getPolynomial(op->getOperand(0));
    FailureOr<SizePolynomial> rhs = getPolynomial(op->getOperand(1));
    if (failed(lhs) || failed(rhs))
      return failure();
    if (isa<arith::AddIOp>(op))
      return *lhs + *rhs;
    if (isa<arith::SubIOp>(op))
      return *lhs - *rhs;
    if (isa<arith::MulIOp>(op))
      return *lhs * *rhs;
    std::optional<int64_t> divisor = rhs->getConstant();
    if (divisor && *divisor > 0)
      if (std::optional<SizePolynomial> quotient = lhs->divideExactly(*divisor))
        return *quotient;
  }
  return getOpaque(op, cast<OpResult>(value).getResultNumber());
}

/// A symbol for the result of a pure op whose operands are known.
FailureOr<SizePolynomial> DimensionAnalysis::getOpaque(Operation *op,
                                                       unsigned result) {
  if (!isMemoryEffectFree(op) || op->getNumRegions() != 0 ||
      llvm::any_of(op->getOperandTypes(), llvm::IsaPred<ShapedType>)) {
    culprit = op;
    return failure();
  }
  std::string expression;
  llvm::raw_string_ostream os(expression);
  os << op->getName() << op->getPropertiesAsAttribute() << " ";
  auto nameOf = [&](unsigned symbol) { return getName(symbol); };
  for (Value operand : op->getOperands()) {
    FailureOr<SizePolynomial> polynomial = getPolynomial(operand);
    if (failed(polynomial))
      return failure();
    os << polynomial->str(nameOf) << " ";
  }
  os << "#" << result << " " << op->getResult(result).getType();
  unsigned next = interface.dimensions.size() + opaque.size();
  return SizePolynomial::symbol(
      opaque.try_emplace(expression, next).first->second);
}

FailureOr<SizePolynomial> DimensionAnalysis::getBytes(MemRefType type,
                                                      ValueRange sizes) {
  SizePolynomial bytes =
      SizePolynomial::constant(getElementBytes(type.getElementType()));
  for (int64_t size : type.getShape())
    if (ShapedType::isStatic(size))
      bytes = bytes * SizePolynomial::constant(size);
  for (Value size : sizes) {
    FailureOr<SizePolynomial> polynomial = getPolynomial(size);
    if (failed(polynomial))
      return failure();
    bytes = bytes * *polynomial;
  }
  return bytes;
}

//===----------------------------------------------------------------------===//
// Repetition
//===----------------------------------------------------------------------===//

Value DimensionCloner::clone(const Source &source, Location loc) {
  if (source.dimension)
    return dimensions[*source.dimension];
  if (source.constant)
    return arith::ConstantIndexOp::create(builder, loc, *source.constant);
  if (source.value)
    return clone(source.value);
  Value product = arith::ConstantIndexOp::create(builder, loc, 1);
  for (const Source &factor : source.factors)
    product =
        builder.createOrFold<arith::MulIOp>(loc, product, clone(factor, loc));
  return product;
}

Value DimensionCloner::clone(Value value) {
  if (Value done = mapping.lookupOrNull(value))
    return done;
  Operation *op = value.getDefiningOp();
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    FailureOr<Source> source =
        analysis.getExtent(dim.getSource(), *dim.getConstantIndex());
    assert(succeeded(source) && "has a polynomial, so it has a source");
    Value extent = clone(*source, dim.getLoc());
    mapping.map(value, extent);
    return extent;
  }
  for (Value operand : op->getOperands())
    mapping.map(operand, clone(operand));
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

Value DimensionCloner::cloneBytes(Location loc, MemRefType type,
                                  ValueRange sizes) {
  int64_t factor = getElementBytes(type.getElementType());
  for (int64_t size : type.getShape())
    if (ShapedType::isStatic(size))
      factor *= size;
  Value bytes = arith::ConstantIndexOp::create(builder, loc, factor);
  for (Value size : sizes)
    bytes = builder.createOrFold<arith::MulIOp>(loc, bytes, clone(size));
  return bytes;
}

} // namespace nvfp4
