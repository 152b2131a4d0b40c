//===- ExtentAnalysis.cpp - What integers mean in terms of extents --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Symbols, bounds, extents of tensors, and building extents as IR. The meaning
// of scalar ops and of tensor elements is in ExtentAnalysisValues.cpp.
//
//===----------------------------------------------------------------------===//

#include "ExtentAnalysis.h"
#include "EntryAttributes.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;
using namespace nvfp4;

ExtentAnalysis::ExtentAnalysis(func::FuncOp func) : func(func) {
  for (int64_t position = 0; position < kMaxRank; ++position) {
    ExtentSymbol symbol{ExtentSymbol::Kind::Position, "position", ExtentExpr(0),
                        std::nullopt};
    symbol.number = position;
    addSymbol(symbol);
  }
  readEntryDimensions();
}

void ExtentAnalysis::readEntryDimensions() {
  if (func.isExternal())
    return;
  auto bounds = func->getAttrOfType<DictionaryAttr>(kDimensionsAttrName);
  for (BlockArgument argument : func.getArguments()) {
    ShapedType type = getTensorType(argument.getType());
    if (!type)
      continue;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim))
        continue;
      std::string name = getDimensionName(func, argument.getArgNumber(), dim);
      auto [it, isNew] = dimensionIds.try_emplace(name, symbols.size());
      if (isNew) {
        DimensionBounds range = getDimensionBounds(bounds, name);
        ExtentSymbol symbol{ExtentSymbol::Kind::Dimension, name,
                            ExtentExpr(range.minimum), std::nullopt};
        if (range.maximum >= 0)
          symbol.highest = ExtentExpr(range.maximum);
        symbol.argument = argument;
        symbol.number = dim;
        addSymbol(symbol);
      }
      extents[{argument, dim}] = ExtentExpr::getSymbol(it->second);
    }
  }
}

std::optional<ExtentExpr> ExtentAnalysis::getDimension(StringRef name) const {
  auto it = dimensionIds.find(name);
  if (it == dimensionIds.end())
    return std::nullopt;
  return ExtentExpr::getSymbol(it->second);
}

SymbolId ExtentAnalysis::addSymbol(ExtentSymbol symbol) {
  symbols.push_back(std::move(symbol));
  return symbols.size() - 1;
}

ExtentExpr ExtentAnalysis::addUnknown(bool isUniform,
                                      std::optional<ExtentExpr> lowest,
                                      std::optional<ExtentExpr> highest,
                                      bool isExtent) {
  ExtentSymbol symbol{ExtentSymbol::Kind::Unknown, "unknown", std::move(lowest),
                      std::move(highest)};
  symbol.isUniform = isUniform;
  symbol.isExtent = isExtent;
  return ExtentExpr::getSymbol(addSymbol(std::move(symbol)));
}

ExtentExpr ExtentAnalysis::addDerived(Opcode opcode, const ExtentExpr &lhs,
                                      const ExtentExpr &rhs,
                                      std::optional<ExtentExpr> lowest,
                                      std::optional<ExtentExpr> highest) {
  static constexpr const char *kNames[] = {"floordiv", "ceildiv", "mod", "min",
                                           "max"};
  ExtentSymbol symbol{ExtentSymbol::Kind::Derived, "", std::move(lowest),
                      std::move(highest)};
  symbol.name = "(" + toString(lhs) + " " +
                kNames[static_cast<unsigned>(opcode)] + " " + toString(rhs) +
                ")";
  symbol.isUniform = isUniform(lhs) && isUniform(rhs);
  symbol.isExtent = doesNotWrap(lhs) && doesNotWrap(rhs);
  symbol.opcode = opcode;
  symbol.lhs = lhs;
  symbol.rhs = rhs;
  return ExtentExpr::getSymbol(addSymbol(std::move(symbol)));
}

ExtentExpr ExtentAnalysis::addIndexBelow(const ExtentExpr &extent) {
  return addUnknown(/*isUniform=*/false, ExtentExpr(0),
                    subtract(extent, ExtentExpr(1)), /*isExtent=*/true);
}

bool ExtentAnalysis::doesNotWrap(const ExtentExpr &expr) const {
  return llvm::all_of(expr.getSymbols(), [&](SymbolId id) {
    const ExtentSymbol &symbol = symbols[id];
    return symbol.isExtent || (symbol.lowest && symbol.highest);
  });
}

bool ExtentAnalysis::isFunctionLevel(Value value) {
  return value.getParentRegion()->getParentOp() == func;
}

bool ExtentAnalysis::isUniform(const ExtentExpr &expr) const {
  return llvm::all_of(expr.getSymbols(),
                      [&](SymbolId id) { return symbols[id].isUniform; });
}

bool ExtentAnalysis::isShapeExpr(const ExtentExpr &expr) const {
  return llvm::all_of(expr.getSymbols(), [&](SymbolId id) {
    const ExtentSymbol &symbol = symbols[id];
    return symbol.kind == ExtentSymbol::Kind::Dimension ||
           (symbol.kind == ExtentSymbol::Kind::Derived &&
            isShapeExpr(symbol.lhs) && isShapeExpr(symbol.rhs));
  });
}

std::string ExtentAnalysis::toString(const ExtentExpr &expr) const {
  return expr.toString([&](SymbolId id) { return symbols[id].name; });
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

/// Marks a symbol that stands for its distance from its lower bound, and is
/// therefore known to be at least 0.
static constexpr SymbolId kSlackBit = 1u << 31;

bool ExtentAnalysis::isNonNegativeSymbol(SymbolId id) {
  if (id & kSlackBit)
    return true;
  const std::optional<ExtentExpr> &lowest = symbols[id].lowest;
  if (!lowest)
    return false;
  if (std::optional<int64_t> constant = lowest->getConstant())
    return *constant >= 0;
  return isNonNegative(*lowest);
}

/// Whether the terms with `id` push the value up (1), down (-1), or both or
/// unknown ways (0) as the symbol grows.
static int getDirection(const ExtentExpr &expr, SymbolId id,
                        llvm::function_ref<bool(SymbolId)> isNonNegative) {
  int direction = 0;
  for (const auto &[monomial, coefficient] : expr.getTerms()) {
    if (!llvm::is_contained(monomial, id))
      continue;
    int sign = coefficient > 0 ? 1 : -1;
    if (direction == -sign || llvm::count(monomial, id) != 1)
      return 0;
    for (SymbolId other : monomial)
      if (other != id && !isNonNegative(other))
        return 0;
    direction = sign;
  }
  return direction;
}

// Replaces symbols, the latest first because bounds name earlier ones, by the
// bound that makes the polynomial smallest; where that depends, by lower bound
// plus slack. What remains is a polynomial in slacks, all at least 0.
bool ExtentAnalysis::isNonNegative(const ExtentExpr &start) {
  ExtentExpr expr = start;
  auto isKnown = [&](SymbolId id) { return isNonNegativeSymbol(id); };
  while (true) {
    std::optional<SymbolId> next;
    for (SymbolId id : expr.getSymbols())
      if (!(id & kSlackBit))
        next = id;
    if (!next)
      break;
    int direction = getDirection(expr, *next, isKnown);
    const ExtentSymbol &symbol = symbols[*next];
    std::optional<ExtentExpr> bound;
    if (direction < 0)
      bound = symbol.highest;
    else if (direction > 0)
      bound = symbol.lowest;
    else if (symbol.lowest)
      bound = add(*symbol.lowest, ExtentExpr::getSymbol(*next | kSlackBit));
    std::optional<ExtentExpr> replaced =
        bound ? expr.substitute(*next, *bound) : std::nullopt;
    if (!replaced)
      return false;
    expr = std::move(*replaced);
  }
  return llvm::all_of(expr.getTerms(),
                      [](const auto &term) { return term.second >= 0; });
}

bool ExtentAnalysis::isLessOrEqual(const ExtentExpr &lhs,
                                   const ExtentExpr &rhs) {
  std::optional<ExtentExpr> difference = subtract(rhs, lhs);
  return difference && isNonNegative(*difference);
}

bool ExtentAnalysis::isLess(const ExtentExpr &lhs, const ExtentExpr &rhs) {
  std::optional<ExtentExpr> next = add(lhs, ExtentExpr(1));
  return next && isLessOrEqual(*next, rhs);
}

std::optional<bool> ExtentAnalysis::compare(arith::CmpIPredicate predicate,
                                            const ExtentExpr &lhs,
                                            const ExtentExpr &rhs) {
  using Predicate = arith::CmpIPredicate;
  auto negate = [](std::optional<bool> known) {
    return known ? std::optional<bool>(!*known) : std::nullopt;
  };
  switch (predicate) {
  case Predicate::eq:
    if (lhs == rhs)
      return true;
    if (isLess(lhs, rhs) || isLess(rhs, lhs))
      return false;
    return std::nullopt;
  case Predicate::ne:
    return negate(compare(Predicate::eq, lhs, rhs));
  case Predicate::slt:
    if (isLess(lhs, rhs))
      return true;
    if (isLessOrEqual(rhs, lhs))
      return false;
    return std::nullopt;
  case Predicate::sge:
    return negate(compare(Predicate::slt, lhs, rhs));
  case Predicate::sgt:
    return compare(Predicate::slt, rhs, lhs);
  case Predicate::sle:
    return compare(Predicate::sge, rhs, lhs);
  case Predicate::ult:
  case Predicate::ule:
  case Predicate::ugt:
  case Predicate::uge: {
    // Unsigned and signed order agree from 0 up.
    if (!isNonNegative(lhs) || !isNonNegative(rhs))
      return std::nullopt;
    if (predicate == Predicate::ult)
      return compare(Predicate::slt, lhs, rhs);
    if (predicate == Predicate::ule)
      return compare(Predicate::sle, lhs, rhs);
    if (predicate == Predicate::ugt)
      return compare(Predicate::sgt, lhs, rhs);
    return compare(Predicate::sge, lhs, rhs);
  }
  }
  llvm_unreachable("unknown predicate");
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

ExtentExpr ExtentAnalysis::getExtent(Value shaped, int64_t dim) {
  auto type = cast<ShapedType>(shaped.getType());
  if (!type.isDynamicDim(dim))
    return ExtentExpr(type.getDimSize(dim));
  auto it = extents.find({shaped, dim});
  if (it != extents.end())
    return it->second;
  ExtentExpr extent = computeExtent(shaped, dim);
  extents[{shaped, dim}] = extent;
  return extent;
}

ExtentExpr ExtentAnalysis::getRemainder(const ExtentExpr &value,
                                        int64_t divisor) {
  return computeBinary(Opcode::Remainder, value, ExtentExpr(divisor));
}

ExtentExpr ExtentAnalysis::getSize(OpFoldResult size) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return ExtentExpr(*constant);
  return getExpr(cast<Value>(size));
}

std::optional<ExtentExpr> ExtentAnalysis::computeViewExtent(Operation *op,
                                                            int64_t dim) {
  if (auto castOp = dyn_cast<tensor::CastOp>(op)) {
    if (isa<RankedTensorType>(castOp.getSource().getType()))
      return getExtent(castOp.getSource(), dim);
    return std::nullopt;
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return getSize(expand.getMixedOutputShape()[dim]);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    std::optional<ExtentExpr> product = ExtentExpr(1);
    ReassociationIndices group = collapse.getReassociationIndices()[dim];
    for (int64_t source : group)
      if (product)
        product = multiply(*product, getExtent(collapse.getSrc(), source));
    return product;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    // Skip dimensions that a rank-reducing slice drops.
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    int64_t resultDim = -1;
    for (auto [index, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(index) && ++resultDim == dim)
        return getSize(size);
    return std::nullopt;
  }
  if (auto reshape = dyn_cast<tensor::ReshapeOp>(op))
    if (auto sizes = reshape.getShape().getDefiningOp<tensor::FromElementsOp>())
      return getExpr(sizes.getElements()[dim]);
  return std::nullopt;
}

std::optional<ExtentExpr> ExtentAnalysis::computeCreatedExtent(Operation *op,
                                                               int64_t dim) {
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return getSize(empty.getMixedSizes()[dim]);
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    std::optional<ExtentExpr> sum = add(getExtent(pad.getSource(), dim),
                                        getSize(pad.getMixedLowPad()[dim]));
    return sum ? add(*sum, getSize(pad.getMixedHighPad()[dim])) : std::nullopt;
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (static_cast<int64_t>(concat.getDim()) != dim)
      return getExtent(concat.getInputs().front(), dim);
    std::optional<ExtentExpr> sum = ExtentExpr(0);
    for (Value input : concat.getInputs())
      if (sum)
        sum = add(*sum, getExtent(input, dim));
    return sum;
  }
  if (auto generate = dyn_cast<tensor::GenerateOp>(op)) {
    unsigned number = generate.getType().getDynamicDimIndex(dim);
    return getExpr(generate.getDynamicExtents()[number]);
  }
  return std::nullopt;
}

ExtentExpr ExtentAnalysis::computeExtent(Value shaped, int64_t dim) {
  if (Operation *op = shaped.getDefiningOp()) {
    if (std::optional<ExtentExpr> extent = computeViewExtent(op, dim))
      return *extent;
    if (std::optional<ExtentExpr> extent = computeCreatedExtent(op, dim))
      return *extent;
    // Results of linalg ops, tensor.insert_slice and the like.
    auto result = cast<OpResult>(shaped);
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
      return getExtent(destination.getTiedOpOperand(result)->get(), dim);
    // All operands have one shape, which is checked.
    if (OpTrait::hasElementwiseMappableTraits(op))
      for (Value operand : op->getOperands())
        if (isa<RankedTensorType>(operand.getType()))
          return getExtent(operand, dim);
    // Ops that say it themselves, as those of our dialect do. What they build
    // to say it is dead afterwards.
    OpBuilder builder(op);
    ReifiedRankedShapedTypeDims shapes;
    if (isa_and_nonnull<NVFP4Dialect>(op->getDialect()) &&
        succeeded(reifyResultShapes(builder, op, shapes)))
      return getSize(shapes[result.getResultNumber()][dim]);
  }
  return addUnknown(isFunctionLevel(shaped), ExtentExpr(0), std::nullopt,
                    /*isExtent=*/true);
}

ExtentExpr ExtentAnalysis::getLoopExtent(linalg::LinalgOp op, unsigned loop) {
  // The first operand dimension that is exactly this loop defines its extent,
  // as in linalg's own createLoopRanges.
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (auto dimExpr = dyn_cast<AffineDimExpr>(expr);
          dimExpr && dimExpr.getPosition() == loop)
        return getExtent(operand.get(), dim);
  }
  return addUnknown(/*isUniform=*/false, ExtentExpr(0));
}

ExtentExpr ExtentAnalysis::getLoopIndex(linalg::LinalgOp op, unsigned loop) {
  auto it = loopIds.find({op, loop});
  if (it != loopIds.end())
    return ExtentExpr::getSymbol(it->second);
  ExtentExpr extent = getLoopExtent(op, loop);
  ExtentSymbol symbol{ExtentSymbol::Kind::Loop, "d" + std::to_string(loop),
                      ExtentExpr(0), subtract(extent, ExtentExpr(1))};
  symbol.isUniform = false;
  symbol.number = loop;
  symbol.loopOp = op;
  SymbolId id = addSymbol(symbol);
  loopIds[{op, loop}] = id;
  return ExtentExpr::getSymbol(id);
}

std::optional<ExtentExpr> ExtentAnalysis::getIndex(linalg::LinalgOp op,
                                                   AffineExpr expr) {
  SmallVector<ExtentExpr> loops;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    loops.push_back(getLoopIndex(op, loop));
  return evaluate(expr, loops, {});
}

std::optional<ExtentExpr>
ExtentAnalysis::evaluate(AffineExpr expr, ArrayRef<ExtentExpr> dims,
                         ArrayRef<ExtentExpr> symbolValues) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return ExtentExpr(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbolValues[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  std::optional<ExtentExpr> lhs = evaluate(binary.getLHS(), dims, symbolValues);
  std::optional<ExtentExpr> rhs = evaluate(binary.getRHS(), dims, symbolValues);
  if (!lhs || !rhs)
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return add(*lhs, *rhs);
  case AffineExprKind::Mul:
    return multiply(*lhs, *rhs);
  case AffineExprKind::Mod:
    return computeBinary(Opcode::Remainder, *lhs, *rhs);
  case AffineExprKind::FloorDiv:
    return computeBinary(Opcode::FloorDivide, *lhs, *rhs);
  case AffineExprKind::CeilDiv:
    return computeBinary(Opcode::CeilDivide, *lhs, *rhs);
  default:
    return std::nullopt;
  }
}

//===----------------------------------------------------------------------===//
// Building extents as IR
//===----------------------------------------------------------------------===//

OpBuilder ExtentAnalysis::getBuilderAtStart() {
  OpBuilder builder = OpBuilder::atBlockBegin(&func.getFunctionBody().front());
  if (lastMaterialized)
    builder.setInsertionPointAfter(lastMaterialized);
  return builder;
}

// Everything is inserted behind what was inserted before, so operands, which
// are materialized first, dominate.
Value ExtentAnalysis::insertAtStart(function_ref<Value(OpBuilder &)> create) {
  OpBuilder builder = getBuilderAtStart();
  Value value = create(builder);
  lastMaterialized = value.getDefiningOp();
  return value;
}

Value ExtentAnalysis::materializeDerived(const ExtentSymbol &symbol) {
  Value lhs = materialize(symbol.lhs), rhs = materialize(symbol.rhs);
  Location loc = func.getLoc();
  return insertAtStart([&](OpBuilder &builder) -> Value {
    switch (symbol.opcode) {
    case Opcode::FloorDivide:
      return arith::FloorDivSIOp::create(builder, loc, lhs, rhs);
    case Opcode::CeilDivide:
      return arith::CeilDivSIOp::create(builder, loc, lhs, rhs);
    case Opcode::Remainder:
      return arith::RemSIOp::create(builder, loc, lhs, rhs);
    case Opcode::Minimum:
      return arith::MinSIOp::create(builder, loc, lhs, rhs);
    case Opcode::Maximum:
      return arith::MaxSIOp::create(builder, loc, lhs, rhs);
    }
    llvm_unreachable("unknown opcode");
  });
}

Value ExtentAnalysis::materialize(const ExtentExpr &expr) {
  auto it = materialized.find(expr);
  if (it != materialized.end())
    return it->second;
  Location loc = func.getLoc();
  Value result;
  if (std::optional<int64_t> value = expr.getConstant()) {
    result = insertAtStart([&](OpBuilder &builder) {
      return arith::ConstantIndexOp::create(builder, loc, *value);
    });
  } else if (std::optional<SymbolId> id = expr.getSingleSymbol()) {
    const ExtentSymbol &symbol = symbols[*id];
    if (symbol.kind == ExtentSymbol::Kind::Derived) {
      result = materializeDerived(symbol);
    } else if (isa<BlockTensorType>(symbol.argument.getType())) {
      result = insertAtStart([&](OpBuilder &builder) {
        return nvfp4::DimOp::create(builder, loc, symbol.argument,
                                    symbol.number);
      });
    } else {
      Value number = materialize(ExtentExpr(symbol.number));
      result = insertAtStart([&](OpBuilder &builder) {
        return tensor::DimOp::create(builder, loc, symbol.argument, number);
      });
    }
  } else {
    for (const auto &[monomial, coefficient] : expr.getTerms()) {
      SmallVector<Value> factors;
      for (SymbolId symbol : monomial)
        factors.push_back(materialize(ExtentExpr::getSymbol(symbol)));
      if (coefficient != 1 || factors.empty())
        factors.push_back(materialize(ExtentExpr(coefficient)));
      Value term = factors.front();
      for (Value factor : llvm::drop_begin(factors))
        term = insertAtStart([&](OpBuilder &builder) {
          return arith::MulIOp::create(builder, loc, term, factor);
        });
      if (!result) {
        result = term;
        continue;
      }
      result = insertAtStart([&](OpBuilder &builder) {
        return arith::AddIOp::create(builder, loc, result, term);
      });
    }
  }
  materialized[expr] = result;
  return result;
}

OpFoldResult ExtentAnalysis::materializeExtent(const ExtentExpr &expr) {
  if (std::optional<int64_t> constant = expr.getConstant())
    return Builder(func.getContext()).getIndexAttr(*constant);
  return materialize(expr);
}
