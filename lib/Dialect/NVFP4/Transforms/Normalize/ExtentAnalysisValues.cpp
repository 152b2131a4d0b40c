//===- ExtentAnalysisValues.cpp - Scalars and tensor elements -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The half of ExtentAnalysis that knows ops: integer arithmetic, comparisons,
// and the elements of integer tensors (iota, broadcasts and views of it), which
// end up as indices of gathers.
//
//===----------------------------------------------------------------------===//

#include "ExtentAnalysis.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nvfp4;

/// Dense constants up to this many elements are scanned for their bounds.
static constexpr int64_t kMaxScannedElements = 1024;

static bool isInteger(Type type) { return isa<IntegerType, IndexType>(type); }

/// The smallest and largest value of a signed integer narrower than 64 bits.
/// Indices are 64 bits wide on every target.
static std::optional<std::pair<int64_t, int64_t>> getTypeBounds(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() < 2 || integer.getWidth() >= 64)
    return std::nullopt;
  int64_t limit = int64_t(1) << (integer.getWidth() - 1);
  return std::make_pair(-limit, limit - 1);
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

ExtentExpr ExtentAnalysis::getExpr(Value value) {
  auto it = exprs.find(value);
  if (it != exprs.end())
    return it->second;
  ExtentExpr expr = computeExpr(value);
  exprs[value] = expr;
  return expr;
}

ExtentExpr ExtentAnalysis::getUnknown(Value value) {
  if (auto bounds = getTypeBounds(value.getType()))
    return addUnknown(isFunctionLevel(value), ExtentExpr(bounds->first),
                      ExtentExpr(bounds->second));
  return addUnknown(isFunctionLevel(value));
}

/// An input of a linalg body is an element of its operand.
ExtentExpr ExtentAnalysis::computeArgument(BlockArgument argument) {
  auto op = dyn_cast<linalg::LinalgOp>(argument.getOwner()->getParentOp());
  if (!op || argument.getArgNumber() >= op.getNumDpsInputs())
    return getUnknown(argument);
  OpOperand *operand = op.getDpsInputOperand(argument.getArgNumber());
  Value value = operand->get();
  if (!isa<RankedTensorType>(value.getType()))
    return isInteger(value.getType()) ? getExpr(value) : getUnknown(argument);
  SmallVector<std::optional<ExtentExpr>> positions;
  for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
    positions.push_back(getIndex(op, expr));
  return readElement(value, positions);
}

ExtentExpr ExtentAnalysis::computeExpr(Value value) {
  assert(isInteger(value.getType()) && "only integers have a polynomial");
  if (auto argument = dyn_cast<BlockArgument>(value))
    return computeArgument(argument);
  Operation *op = value.getDefiningOp();
  if (op->getNumResults() != 1)
    return getUnknown(value);
  if (std::optional<ExtentExpr> expr = computeCast(op))
    return *expr;
  return TypeSwitch<Operation *, ExtentExpr>(op)
      .Case([&](arith::ConstantOp constant) {
        auto integer = dyn_cast<IntegerAttr>(constant.getValue());
        return integer && integer.getValue().getSignificantBits() <= 64
                   ? ExtentExpr(integer.getValue().getSExtValue())
                   : getUnknown(value);
      })
      .Case([&](tensor::DimOp dim) {
        std::optional<int64_t> number = dim.getConstantIndex();
        auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
        return number && type && *number >= 0 && *number < type.getRank()
                   ? getExtent(dim.getSource(), *number)
                   : getUnknown(value);
      })
      .Case([&](nvfp4::DimOp dim) {
        return getExtent(dim.getSource(), dim.getPosition());
      })
      .Case([&](linalg::IndexOp index) {
        auto linalgOp = dyn_cast<linalg::LinalgOp>(op->getParentOp());
        return linalgOp ? getLoopIndex(linalgOp, index.getDim())
                        : getUnknown(value);
      })
      .Case([&](tensor::ExtractOp extract) {
        SmallVector<std::optional<ExtentExpr>> positions;
        for (Value index : extract.getIndices())
          positions.push_back(getExpr(index));
        return readElement(extract.getTensor(), positions);
      })
      .Case([&](arith::SelectOp select) { return computeSelect(select); })
      .Case([&](affine::AffineApplyOp apply) {
        return computeAffine(value, apply.getAffineMap(), apply.getOperands(),
                             true);
      })
      .Case([&](affine::AffineMinOp minimum) {
        return computeAffine(value, minimum.getAffineMap(),
                             minimum.getOperands(), true);
      })
      .Case([&](affine::AffineMaxOp maximum) {
        return computeAffine(value, maximum.getAffineMap(),
                             maximum.getOperands(), false);
      })
      .Default([&](Operation *) { return computeArithmetic(op); });
}

/// Conversions between integer types keep the value where it fits.
std::optional<ExtentExpr> ExtentAnalysis::computeCast(Operation *op) {
  if (!isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
           arith::ExtUIOp, arith::TruncIOp>(op))
    return std::nullopt;
  Value source = op->getOperand(0), result = op->getResult(0);
  if (!isInteger(source.getType()))
    return std::nullopt;
  bool isUnsigned = isa<arith::IndexCastUIOp, arith::ExtUIOp>(op);
  if (source.getType().isInteger(1)) {
    if (std::optional<bool> known = getBool(source))
      return ExtentExpr(*known ? (isUnsigned ? 1 : -1) : 0);
    return addUnknown(isFunctionLevel(result), ExtentExpr(isUnsigned ? 0 : -1),
                      ExtentExpr(isUnsigned ? 1 : 0));
  }
  ExtentExpr expr = getExpr(source);
  auto sourceBounds = getTypeBounds(source.getType());
  auto resultBounds = getTypeBounds(result.getType());
  if (isUnsigned && sourceBounds && !isNonNegative(expr))
    return addUnknown(isFunctionLevel(result), ExtentExpr(0),
                      ExtentExpr(sourceBounds->second - sourceBounds->first));
  bool isNarrower = resultBounds && (!sourceBounds || resultBounds->second <
                                                          sourceBounds->second);
  if (result.getType().isInteger(1) ||
      (isNarrower && !(isLessOrEqual(ExtentExpr(resultBounds->first), expr) &&
                       isLessOrEqual(expr, ExtentExpr(resultBounds->second)))))
    return getUnknown(result);
  return expr;
}

ExtentExpr ExtentAnalysis::computeArithmetic(Operation *op) {
  Value result = op->getResult(0);
  if (op->getNumOperands() != 2 || !isInteger(op->getOperand(0).getType()) ||
      result.getType().isInteger(1) ||
      !isa_and_nonnull<arith::ArithDialect>(op->getDialect()))
    return getUnknown(result);
  ExtentExpr lhs = getExpr(op->getOperand(0));
  ExtentExpr rhs = getExpr(op->getOperand(1));
  bool isUnsigned = isa<arith::DivUIOp, arith::CeilDivUIOp, arith::RemUIOp,
                        arith::MinUIOp, arith::MaxUIOp>(op);
  if (isUnsigned && !(isNonNegative(lhs) && isNonNegative(rhs)))
    return getUnknown(result);
  if (isa<arith::MinSIOp, arith::MinUIOp>(op))
    return computeBinary(Opcode::Minimum, lhs, rhs);
  if (isa<arith::MaxSIOp, arith::MaxUIOp>(op))
    return computeBinary(Opcode::Maximum, lhs, rhs);
  if (!doesNotWrap(lhs) || !doesNotWrap(rhs))
    return getUnknown(result);

  std::optional<ExtentExpr> expr;
  if (isa<arith::AddIOp>(op))
    expr = add(lhs, rhs);
  else if (isa<arith::SubIOp>(op))
    expr = subtract(lhs, rhs);
  else if (isa<arith::MulIOp>(op))
    expr = multiply(lhs, rhs);
  else if (isa<arith::FloorDivSIOp>(op))
    expr = computeBinary(Opcode::FloorDivide, lhs, rhs);
  else if (isa<arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    expr = computeBinary(Opcode::CeilDivide, lhs, rhs);
  // These two round to zero, which is down only from 0 up; exact quotients
  // do not care.
  else if (isa<arith::DivSIOp, arith::DivUIOp>(op) &&
           (isNonNegative(lhs) || divideExactly(lhs, rhs)))
    expr = computeBinary(Opcode::FloorDivide, lhs, rhs);
  else if (isa<arith::RemSIOp, arith::RemUIOp>(op) &&
           (isNonNegative(lhs) || divideExactly(lhs, rhs)))
    expr = computeBinary(Opcode::Remainder, lhs, rhs);
  if (!expr)
    return getUnknown(result);
  if (auto bounds = getTypeBounds(result.getType()))
    if (!isLessOrEqual(ExtentExpr(bounds->first), *expr) ||
        !isLessOrEqual(*expr, ExtentExpr(bounds->second)))
      return getUnknown(result);
  return *expr;
}

std::pair<std::optional<ExtentExpr>, std::optional<ExtentExpr>>
ExtentAnalysis::getCommonBounds(const ExtentExpr &lhs, const ExtentExpr &rhs) {
  SmallVector<ExtentExpr> candidates = {lhs, rhs, ExtentExpr(0)};
  for (const ExtentExpr *side : {&lhs, &rhs}) {
    if (std::optional<SymbolId> id = side->getSingleSymbol()) {
      if (symbols[*id].lowest)
        candidates.push_back(*symbols[*id].lowest);
      if (symbols[*id].highest)
        candidates.push_back(*symbols[*id].highest);
    }
  }
  std::optional<ExtentExpr> lowest, highest;
  for (const ExtentExpr &candidate : candidates) {
    if (!doesNotWrap(candidate))
      continue;
    if (!lowest && isLessOrEqual(candidate, lhs) &&
        isLessOrEqual(candidate, rhs))
      lowest = candidate;
    if (!highest && isLessOrEqual(lhs, candidate) &&
        isLessOrEqual(rhs, candidate))
      highest = candidate;
  }
  return {lowest, highest};
}

ExtentExpr ExtentAnalysis::computeBinary(Opcode opcode, const ExtentExpr &lhs,
                                         const ExtentExpr &rhs) {
  auto key = std::make_tuple(opcode, lhs, rhs);
  auto it = binaries.find(key);
  if (it != binaries.end())
    return it->second;
  auto compute = [&]() -> ExtentExpr {
    switch (opcode) {
    case Opcode::FloorDivide:
    case Opcode::CeilDivide:
    case Opcode::Remainder: {
      bool isRemainder = opcode == Opcode::Remainder;
      if (std::optional<ExtentExpr> quotient = divideExactly(lhs, rhs))
        return isRemainder ? ExtentExpr(0) : *quotient;
      if (!isNonNegative(lhs) || !isLess(ExtentExpr(0), rhs))
        return addUnknown(isUniform(lhs) && isUniform(rhs));
      return addDerived(opcode, lhs, rhs, ExtentExpr(0),
                        isRemainder ? subtract(rhs, ExtentExpr(1)) : lhs);
    }
    case Opcode::Minimum:
    case Opcode::Maximum: {
      bool isMinimum = opcode == Opcode::Minimum;
      if (isLessOrEqual(lhs, rhs))
        return isMinimum ? lhs : rhs;
      if (isLessOrEqual(rhs, lhs))
        return isMinimum ? rhs : lhs;
      auto [lowest, highest] = getCommonBounds(lhs, rhs);
      // Also bounded by each side; one that does not wrap is worth more.
      for (const ExtentExpr *side : {&lhs, &rhs})
        if (doesNotWrap(*side))
          (isMinimum ? highest : lowest) = *side;
      return addDerived(opcode, lhs, rhs, lowest, highest);
    }
    }
    llvm_unreachable("unknown opcode");
  };
  ExtentExpr result = compute();
  binaries.emplace(key, result);
  return result;
}

ExtentExpr ExtentAnalysis::computeAffine(Value value, AffineMap map,
                                         ValueRange operands, bool isMinimum) {
  SmallVector<ExtentExpr> values;
  for (Value operand : operands) {
    values.push_back(getExpr(operand));
    if (!doesNotWrap(values.back()))
      return getUnknown(value);
  }
  ArrayRef<ExtentExpr> all(values);
  std::optional<ExtentExpr> result;
  for (AffineExpr expr : map.getResults()) {
    std::optional<ExtentExpr> next =
        evaluate(expr, all.take_front(map.getNumDims()),
                 all.drop_front(map.getNumDims()));
    if (!next)
      return getUnknown(value);
    result = result
                 ? computeBinary(isMinimum ? Opcode::Minimum : Opcode::Maximum,
                                 *result, *next)
                 : *next;
  }
  return result ? *result : getUnknown(value);
}

/// What is at most 0 where `compareOp` takes the special of its two outcomes:
/// equality, or the failure of `lhs >= rhs`.
static SmallVector<std::optional<ExtentExpr>>
getNonPositive(arith::CmpIPredicate predicate, const ExtentExpr &lhs,
               const ExtentExpr &rhs) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
  case arith::CmpIPredicate::ne:
    return {subtract(lhs, rhs), subtract(rhs, lhs)};
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::slt:
    if (std::optional<ExtentExpr> next = add(lhs, ExtentExpr(1)))
      return {subtract(*next, rhs)};
    return {};
  default:
    return {};
  }
}

/// Where the two values differ by at least 0 and at most what the comparison
/// says is at most 0, they are equal. So a broadcast reads in place, whose
/// condition says that an extent is 1 and whose select then takes index 0; and
/// `i >= 0 ? i : i + n` is `i` for the last index `i = n - 1`.
ExtentExpr ExtentAnalysis::computeSelect(arith::SelectOp op) {
  if (std::optional<bool> known = getBool(op.getCondition()))
    return getExpr(*known ? op.getTrueValue() : op.getFalseValue());
  ExtentExpr whenTrue = getExpr(op.getTrueValue());
  ExtentExpr whenFalse = getExpr(op.getFalseValue());
  auto compareOp = op.getCondition().getDefiningOp<arith::CmpIOp>();
  if (compareOp && isInteger(compareOp.getLhs().getType()) &&
      !compareOp.getLhs().getType().isInteger(1)) {
    arith::CmpIPredicate predicate = compareOp.getPredicate();
    bool isTrueSpecial = llvm::is_contained(
        {arith::CmpIPredicate::eq, arith::CmpIPredicate::slt}, predicate);
    const ExtentExpr &special = isTrueSpecial ? whenTrue : whenFalse;
    const ExtentExpr &general = isTrueSpecial ? whenFalse : whenTrue;
    ExtentExpr lhs = getExpr(compareOp.getLhs());
    ExtentExpr rhs = getExpr(compareOp.getRhs());
    for (const auto &bound : getNonPositive(predicate, lhs, rhs))
      for (auto distance :
           {subtract(general, special), subtract(special, general)})
        if (distance && bound && isNonNegative(*distance) &&
            isLessOrEqual(*distance, *bound))
          return general;
  }
  if (whenTrue == whenFalse)
    return whenTrue;
  auto [lowest, highest] = getCommonBounds(whenTrue, whenFalse);
  return addUnknown(isUniform(whenTrue) && isUniform(whenFalse) &&
                        isFunctionLevel(op.getCondition()),
                    lowest, highest);
}

std::optional<bool> ExtentAnalysis::getBool(Value condition) {
  APInt constant;
  if (matchPattern(condition, m_ConstantInt(&constant)))
    return !constant.isZero();
  Operation *op = condition.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto compareOp = dyn_cast<arith::CmpIOp>(op)) {
    Type type = compareOp.getLhs().getType();
    if (!isInteger(type) || type.isInteger(1))
      return std::nullopt;
    return compare(compareOp.getPredicate(), getExpr(compareOp.getLhs()),
                   getExpr(compareOp.getRhs()));
  }
  if (isa<arith::AndIOp, arith::OrIOp>(op)) {
    bool absorbing = isa<arith::OrIOp>(op);
    std::optional<bool> lhs = getBool(op->getOperand(0));
    std::optional<bool> rhs = getBool(op->getOperand(1));
    if (lhs == absorbing || rhs == absorbing)
      return absorbing;
    return lhs && rhs ? std::optional<bool>(!absorbing) : std::nullopt;
  }
  if (isa<arith::XOrIOp>(op)) {
    std::optional<bool> lhs = getBool(op->getOperand(0));
    std::optional<bool> rhs = getBool(op->getOperand(1));
    return lhs && rhs ? std::optional<bool>(*lhs != *rhs) : std::nullopt;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Elements of integer tensors
//===----------------------------------------------------------------------===//

/// Puts positions into an element's polynomial. Without a polynomial, or with
/// an unknown position in it, every read is a symbol of its own.
ExtentExpr
ExtentAnalysis::readElement(Value tensor,
                            ArrayRef<std::optional<ExtentExpr>> positions) {
  ElementInfo info = getElement(tensor);
  if (info.exact) {
    std::optional<ExtentExpr> expr = info.exact;
    // Position symbols have the smallest ids; values never contain any.
    for (auto [number, position] : llvm::enumerate(positions)) {
      SymbolId id = number;
      if (!expr || !llvm::is_contained(expr->getSymbols(), id))
        continue;
      expr = position ? expr->substitute(id, *position) : std::nullopt;
    }
    if (expr)
      return *expr;
  }
  return addUnknown(/*isUniform=*/false, info.lowest, info.highest);
}

const ElementInfo &ExtentAnalysis::getElement(Value tensor) {
  auto it = elements.find(tensor);
  if (it != elements.end())
    return it->second;
  ElementInfo info;
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (type && isInteger(type.getElementType()) &&
      !type.getElementType().isInteger(1)) {
    if (type.getRank() <= kMaxRank)
      info = computeElement(tensor);
    if (auto bounds = getTypeBounds(type.getElementType())) {
      if (!info.lowest)
        info.lowest = ExtentExpr(bounds->first);
      if (!info.highest)
        info.highest = ExtentExpr(bounds->second);
    }
  }
  return elements[tensor] = info;
}

ElementInfo ExtentAnalysis::computeElement(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  if (!op)
    return {};
  DenseIntElementsAttr constant;
  if (matchPattern(tensor, m_Constant(&constant))) {
    if (constant.isSplat() &&
        constant.getSplatValue<APInt>().getSignificantBits() <= 64)
      return {
          ExtentExpr(constant.getSplatValue<APInt>().getSExtValue()), {}, {}};
    if (constant.empty() || constant.getNumElements() > kMaxScannedElements ||
        constant.getElementType().getIntOrFloatBitWidth() > 64)
      return {};
    int64_t lowest = INT64_MAX, highest = INT64_MIN;
    for (const APInt &element : constant.getValues<APInt>()) {
      lowest = std::min(lowest, element.getSExtValue());
      highest = std::max(highest, element.getSExtValue());
    }
    return {std::nullopt, ExtentExpr(lowest), ExtentExpr(highest)};
  }
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    Value value = fill.getInputs().front();
    return isInteger(value.getType()) ? ElementInfo{getExpr(value), {}, {}}
                                      : ElementInfo();
  }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return computeLinalgElement(linalgOp,
                                cast<OpResult>(tensor).getResultNumber());
  return computeViewElement(op);
}

ElementInfo ExtentAnalysis::computeLinalgElement(linalg::LinalgOp op,
                                                 unsigned result) {
  OpOperand *init = op.getDpsInitOperand(result);
  AffineMap map = op.getMatchingIndexingMap(init);
  if (op.getNumParallelLoops() != op.getNumLoops() || !map.isPermutation())
    return {};
  Value yielded = op.getMatchingYieldValue(init)->get();
  if (!isInteger(yielded.getType()))
    return {};
  ExtentExpr expr = getExpr(yielded);
  // Bounds hold for every element only if nothing in them varies.
  ElementInfo info;
  if (std::optional<SymbolId> id = expr.getSingleSymbol()) {
    if (symbols[*id].lowest && isUniform(*symbols[*id].lowest))
      info.lowest = symbols[*id].lowest;
    if (symbols[*id].highest && isUniform(*symbols[*id].highest))
      info.highest = symbols[*id].highest;
  }
  std::optional<ExtentExpr> exact = expr;
  for (unsigned position = 0; position < map.getNumResults(); ++position) {
    ExtentExpr loop = getLoopIndex(op, map.getDimPosition(position));
    if (exact)
      exact = exact->substitute(*loop.getSingleSymbol(),
                                ExtentExpr::getSymbol(position));
  }
  if (exact && llvm::all_of(exact->getSymbols(), [&](SymbolId id) {
        return symbols[id].kind == ExtentSymbol::Kind::Position ||
               symbols[id].isUniform;
      }))
    info.exact = exact;
  return info;
}

/// Where in the source of an expand_shape the element at the Position symbols
/// of its result is: row-major, the last dimension of a group moves by one.
ExtentAnalysis::Positions
ExtentAnalysis::getExpandedPositions(tensor::ExpandShapeOp op) {
  Positions positions;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    std::optional<ExtentExpr> sum = ExtentExpr(0), stride = ExtentExpr(1);
    for (int64_t dim : llvm::reverse(group)) {
      ExtentExpr extent = getExtent(op.getResult(), dim);
      // The only position in a dimension of extent 1 is 0.
      if (extent == ExtentExpr(1))
        continue;
      std::optional<ExtentExpr> step =
          stride ? multiply(*stride, ExtentExpr::getSymbol(dim)) : std::nullopt;
      sum = sum && step ? add(*sum, *step) : std::nullopt;
      stride = stride ? multiply(*stride, extent) : std::nullopt;
    }
    positions.push_back(sum);
  }
  return positions;
}

/// The same for a collapse_shape, where all but one extent of a group is 1.
ExtentAnalysis::Positions
ExtentAnalysis::getCollapsedPositions(tensor::CollapseShapeOp op) {
  Positions positions;
  auto isUnit = [&](int64_t dim) {
    return getExtent(op.getSrc(), dim) == ExtentExpr(1);
  };
  for (auto [resultDim, group] :
       llvm::enumerate(op.getReassociationIndices())) {
    unsigned numMoving = group.size() - llvm::count_if(group, isUnit);
    for (int64_t dim : group) {
      if (isUnit(dim))
        positions.push_back(ExtentExpr(0));
      else if (numMoving == 1)
        positions.push_back(ExtentExpr::getSymbol(resultDim));
      else
        positions.push_back(std::nullopt);
    }
  }
  return positions;
}

/// The same for an extract_slice.
ExtentAnalysis::Positions
ExtentAnalysis::getSlicedPositions(tensor::ExtractSliceOp op) {
  Positions positions;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t resultDim = 0;
  for (auto [dim, offset, stride] :
       llvm::enumerate(op.getMixedOffsets(), op.getMixedStrides())) {
    std::optional<int64_t> start = getConstantIntValue(offset);
    std::optional<int64_t> step = getConstantIntValue(stride);
    ExtentExpr base = start ? ExtentExpr(*start) : getExpr(cast<Value>(offset));
    ExtentExpr index =
        dropped.test(dim) ? ExtentExpr(0) : ExtentExpr::getSymbol(resultDim++);
    std::optional<ExtentExpr> scaled =
        step ? multiply(index, ExtentExpr(*step)) : std::nullopt;
    positions.push_back(scaled ? add(base, *scaled) : std::nullopt);
  }
  return positions;
}

/// Views read an element of their source at another position.
ElementInfo ExtentAnalysis::computeViewElement(Operation *op) {
  Value source = op->getNumOperands() ? op->getOperand(0) : Value();
  Positions positions;
  if (auto castOp = dyn_cast<tensor::CastOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(castOp.getSource().getType());
    for (int64_t dim = 0; type && dim < type.getRank(); ++dim)
      positions.push_back(ExtentExpr::getSymbol(dim));
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    positions = getExpandedPositions(expand);
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    positions = getCollapsedPositions(collapse);
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    positions = getSlicedPositions(slice);
  } else {
    return {};
  }
  ElementInfo info = getElement(source);
  if (!info.exact)
    return info;
  // All at once: old and new positions have the same symbols.
  std::optional<ExtentExpr> exact = ExtentExpr(0);
  for (const auto &[monomial, coefficient] : info.exact->getTerms()) {
    std::optional<ExtentExpr> term = ExtentExpr(coefficient);
    for (SymbolId id : monomial) {
      bool isPosition = symbols[id].kind == ExtentSymbol::Kind::Position;
      std::optional<ExtentExpr> factor =
          isPosition ? positions[id] : ExtentExpr::getSymbol(id);
      term = term && factor ? multiply(*term, *factor) : std::nullopt;
    }
    exact = exact && term ? add(*exact, *term) : std::nullopt;
  }
  info.exact = exact;
  return info;
}
