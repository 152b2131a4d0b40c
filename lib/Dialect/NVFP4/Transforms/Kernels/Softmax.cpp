//===- Softmax.cpp - Find softmax between the products of attention -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel that sees keys tile by tile cannot compute what stands between the
// products op by op: the weights of the first tile depend on the last one. It
// must know that it is softmax, which can be corrected later. Ops are followed
// as scalars, through the bodies of linalg ops, so that it does not matter
// which of them are fused.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nvfp4;

using Index = SmallVector<AffineExpr>;

/// Softmax with masks is about 15 ops, each of few scalars.
static constexpr unsigned kMaxDepth = 128;

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// The place in the source of a reshape that belongs to a place in its result.
/// Null where a dimension is split or joined with another one.
static Index getSourceIndex(Operation *op, const Index &index) {
  if (isa<tensor::CastOp>(op))
    return index;
  auto expand = dyn_cast<tensor::ExpandShapeOp>(op);
  auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
  RankedTensorType wide =
      expand ? expand.getResultType() : collapse.getSrcType();
  auto groups = expand ? expand.getReassociationIndices()
                       : collapse.getReassociationIndices();
  AffineExpr zero = getAffineConstantExpr(0, op->getContext());
  Index source(expand ? groups.size() : size_t(wide.getRank()));
  for (auto [narrow, group] : llvm::enumerate(groups)) {
    SmallVector<int64_t> large;
    llvm::copy_if(group, std::back_inserter(large),
                  [&](int64_t dim) { return wide.getDimSize(dim) != 1; });
    if (expand)
      source[narrow] = large.empty()       ? zero
                       : large.size() == 1 ? index[large.front()]
                                           : AffineExpr();
    else
      for (int64_t dim : group)
        source[dim] = !llvm::is_contained(large, dim) ? zero
                      : large.size() == 1             ? index[narrow]
                                                      : AffineExpr();
  }
  return source;
}

/// The loops of an op at a place of its result.
static Index getLoops(linalg::LinalgOp op, OpResult result,
                      const Index &index) {
  Index loops(op.getNumLoops());
  AffineMap map = op.getIndexingMapMatchingResult(result);
  for (auto [expr, at] : llvm::zip_equal(map.getResults(), index))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      loops[dim.getPosition()] = at;
  return loops;
}

static Index getOperandIndex(linalg::LinalgOp op, OpOperand &operand,
                             const Index &loops) {
  Index index;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    index.push_back(dim                             ? loops[dim.getPosition()]
                    : isa<AffineConstantExpr>(expr) ? expr
                                                    : AffineExpr());
  }
  return index;
}

static Index getIdentity(Value tensor) {
  Index index;
  for (int64_t dim = 0; dim < cast<ShapedType>(tensor.getType()).getRank();
       ++dim)
    index.push_back(getAffineDimExpr(dim, tensor.getContext()));
  return index;
}

static bool isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
      op);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

namespace {
/// An element of a tensor: a scalar of the body of a linalg op without
/// reductions, or a scalar outside (then `op` is null), or else all that is
/// known is the tensor.
struct Element {
  Value scalar;
  linalg::LinalgOp op;
  /// Of `op` for this element.
  Index loops;
  Value tensor;

  bool operator==(const Element &other) const {
    return scalar ? scalar == other.scalar
                  : !other.scalar && tensor == other.tensor;
  }
  /// The op that gives the scalar, if it is one of that kind.
  template <typename OpTy> OpTy getAs() const {
    return scalar ? scalar.getDefiningOp<OpTy>() : OpTy();
  }
};
} // namespace

static Element traceScalar(linalg::LinalgOp op, Value scalar,
                           const Index &loops, Value tensor);

static Element traceTensor(Value tensor, Index index) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (isReshape(op)) {
      index = getSourceIndex(op, index);
      tensor = op->getOperand(0);
      continue;
    }
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp || linalgOp.getNumReductionLoops() != 0)
      break;
    auto result = cast<OpResult>(tensor);
    Operation *yield = linalgOp.getBlock()->getTerminator();
    return traceScalar(linalgOp, yield->getOperand(result.getResultNumber()),
                       getLoops(linalgOp, result, index), tensor);
  }
  return {Value(), nullptr, Index(), tensor};
}

/// `tensor` holds the scalar if the op computes it.
static Element traceScalar(linalg::LinalgOp op, Value scalar,
                           const Index &loops, Value tensor) {
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (!argument || argument.getOwner() != op.getBlock())
    return {scalar, op, loops, tensor};
  OpOperand &operand = op->getOpOperand(argument.getArgNumber());
  if (!isa<ShapedType>(operand.get().getType()))
    return {operand.get(), nullptr, Index(), Value()};
  return traceTensor(operand.get(), getOperandIndex(op, operand, loops));
}

/// An operand of the op that gives a scalar. What the body of the same linalg
/// op computes is no tensor.
static Element getOperand(const Element &element, unsigned number) {
  Value operand = element.scalar.getDefiningOp()->getOperand(number);
  if (!element.op)
    return {operand, nullptr, Index(), Value()};
  return traceScalar(element.op, operand, element.loops, Value());
}

static std::optional<APFloat> getConstant(const Element &element) {
  APFloat value(0.0f);
  DenseElementsAttr elements;
  if (element.scalar && matchPattern(element.scalar, m_ConstantFloat(&value)))
    return value;
  if (!element.scalar && element.tensor &&
      matchPattern(element.tensor, m_Constant(&elements)) &&
      elements.isSplat() && isa<FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>();
  return std::nullopt;
}

static bool isLowest(const Element &element) {
  std::optional<APFloat> value = getConstant(element);
  return value && value->isInfinity() && value->isNegative();
}

/// Whether sums start at 0.
static bool startsAtZero(linalg::LinalgOp op) {
  Value init = op.getDpsInits().front();
  std::optional<APFloat> value =
      getConstant(traceTensor(init, getIdentity(init)));
  return value && value->isPosZero();
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// What a reduction of one tensor in f32 by `OpTy` reads; nothing if `tensor`
/// is none.
template <typename OpTy>
static std::optional<std::pair<linalg::LinalgOp, Element>>
getReduced(const Element &element) {
  auto op = element.scalar || !element.tensor
                ? nullptr
                : element.tensor.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 1)
    return std::nullopt;
  auto combiner = op.getBlock()
                      ->getTerminator()
                      ->getOperand(0)
                      .template getDefiningOp<OpTy>();
  if (!combiner || !combiner.getType().isF32())
    return std::nullopt;
  Value sum = op.getRegionOutputArgs().front();
  unsigned term = combiner->getOperand(0) == sum;
  if (combiner->getOperand(1 - term) != sum)
    return std::nullopt;
  // Places do not matter: these ops leave scores in theirs.
  return std::pair(op, traceScalar(op, combiner->getOperand(term),
                                   Index(op.getNumLoops()), Value()));
}

namespace {
/// exp(logit - largest).
struct Exponential {
  Element logit, largest;
};
} // namespace

static std::optional<Exponential> getExponential(const Element &element) {
  if (!element.getAs<math::ExpOp>())
    return std::nullopt;
  Element difference = getOperand(element, 0);
  if (!difference.getAs<arith::SubFOp>())
    return std::nullopt;
  return Exponential{getOperand(difference, 0), getOperand(difference, 1)};
}

/// Logits from weights.
static std::optional<std::string> findLogits(linalg::LinalgOp values,
                                             Value &logits) {
  Value weights = values.getDpsInputOperand(0)->get();
  Element weight = traceTensor(weights, getIdentity(weights));
  if (weight.getAs<arith::TruncFOp>())
    weight = getOperand(weight, 0);
  if (!weight.getAs<arith::DivFOp>())
    return "its weights are no quotients by the sum of a row";
  std::optional<Exponential> term = getExponential(getOperand(weight, 0));
  auto sum = getReduced<arith::AddFOp>(getOperand(weight, 1));
  if (!term || !sum || !startsAtZero(sum->first))
    return "its weights are no exponentials of differences, divided by their "
           "sum";
  std::optional<Exponential> summed = getExponential(sum->second);
  auto largest = getReduced<arith::MaximumFOp>(term->largest);
  if (!largest || !summed || !(summed->logit == term->logit) ||
      !(summed->largest == term->largest) || !(largest->second == term->logit))
    return "its weights are not relative to the largest score of a row";
  Value start = largest->first.getDpsInits().front();
  if (!isLowest(traceTensor(start, getIdentity(start))))
    return "the largest score of a row does not start at -infinity";
  logits = largest->first.getDpsInputOperand(0)->get();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// The place in `target` that belongs to a place in `tensor`, by element-wise
/// ops. False if there are several.
static bool findPlace(Value tensor, Index index, Value target,
                      llvm::function_ref<bool(Value)> depends, Index &place,
                      unsigned &budget) {
  if (budget-- == 0)
    return false;
  if (tensor == target) {
    if (!place.empty() && place != index)
      return false;
    place = index;
    return true;
  }
  Operation *op = tensor.getDefiningOp();
  if (isReshape(op))
    return findPlace(op->getOperand(0), getSourceIndex(op, index), target,
                     depends, place, budget);
  auto linalgOp = cast<linalg::LinalgOp>(op);
  // Scalars of a row come from all of its places.
  if (linalgOp.getNumReductionLoops() != 0)
    return true;
  Index loops = getLoops(linalgOp, cast<OpResult>(tensor), index);
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
    return !depends(operand.get()) ||
           findPlace(operand.get(), getOperandIndex(linalgOp, operand, loops),
                     target, depends, place, budget);
  });
}

/// Which dimension of `tensor` is the scores' row in a head, if any is.
static std::optional<unsigned> getRowDim(const Attention &attention,
                                         Value tensor) {
  linalg::LinalgOp scores = attention.scores;
  auto depends = [&](Value value) {
    return llvm::is_contained(attention.ops, value.getDefiningOp());
  };
  Index place;
  unsigned budget = kMaxDepth;
  if (!findPlace(tensor, getIdentity(tensor), scores->getResult(0), depends,
                 place, budget) ||
      place.size() < 2)
    return std::nullopt;
  auto row = dyn_cast_or_null<AffineDimExpr>(place[place.size() - 2]);
  auto key = dyn_cast_or_null<AffineDimExpr>(place.back());
  if (!row || !key || key.getPosition() + 1 != getIdentity(tensor).size())
    return std::nullopt;
  return row.getPosition();
}

static std::optional<std::string> verifyRows(const Attention &attention) {
  linalg::LinalgOp scores = attention.scores, values = attention.values;
  AffineMap map = scores.getMatchingIndexingMap(scores.getDpsInitOperand(0));
  OpOperand *keys =
      scores.getDpsInputOperand(1 - getQueries(scores)->getOperandNumber());
  unsigned rank = map.getNumResults();
  auto row = rank < 2 ? AffineDimExpr(nullptr)
                      : dyn_cast<AffineDimExpr>(map.getResult(rank - 2));
  if (!row ||
      scores.getMatchingIndexingMap(keys).isFunctionOfDim(row.getPosition()))
    return "rows are not the last dimension of scores but one";
  // The same row of the result.
  OpOperand *weights = values.getDpsInputOperand(0);
  AffineMap result = values.getMatchingIndexingMap(values.getDpsInitOperand(0));
  std::optional<unsigned> dim = getRowDim(attention, weights->get());
  if (!dim || result.getNumResults() < 2 ||
      values.getMatchingIndexingMap(weights).getResult(*dim) !=
          result.getResult(result.getNumResults() - 2))
    return "rows of the result are not those of the scores";
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Keys that come too late
//===----------------------------------------------------------------------===//

/// Whether every dimension is a number of the type.
static bool holdsPositions(Type type) {
  return type.isIndex() || type.getIntOrFloatBitWidth() >= 32;
}

/// A number that is a dimension of the logits plus a constant.
static bool getPosition(Element element, unsigned &dim, int64_t &offset) {
  offset = 0;
  // Behind such a conversion a negative number is a large one.
  bool isUnsigned = false;
  for (unsigned depth = 0; depth < kMaxDepth && element.scalar; ++depth) {
    if (!holdsPositions(element.scalar.getType()))
      return false;
    Operation *op = element.scalar.getDefiningOp();
    APInt value;
    isUnsigned |= isa_and_nonnull<arith::IndexCastUIOp, arith::ExtUIOp>(op);
    if (isa_and_nonnull<arith::IndexCastOp, arith::IndexCastUIOp,
                        arith::ExtSIOp, arith::ExtUIOp>(op)) {
      element = getOperand(element, 0);
    } else if (auto add = dyn_cast_or_null<arith::AddIOp>(op);
               add && matchPattern(add.getRhs(), m_ConstantInt(&value))) {
      offset += value.getSExtValue();
      // The sum may not wrap.
      if (!llvm::isInt<31>(offset) || (isUnsigned && value.isNegative()))
        return false;
      element = getOperand(element, 0);
    } else if (auto index = dyn_cast_or_null<linalg::IndexOp>(op);
               index && element.op) {
      auto loop =
          dyn_cast_or_null<AffineDimExpr>(element.loops[index.getDim()]);
      dim = loop ? loop.getPosition() : 0;
      return bool(loop);
    } else {
      return false;
    }
  }
  return false;
}

/// The predicate of the same comparison with its operands exchanged, of those
/// that order signed numbers.
static arith::CmpIPredicate exchange(arith::CmpIPredicate predicate) {
  switch (predicate) {
  case arith::CmpIPredicate::slt:
    return arith::CmpIPredicate::sgt;
  case arith::CmpIPredicate::sle:
    return arith::CmpIPredicate::sge;
  case arith::CmpIPredicate::sgt:
    return arith::CmpIPredicate::slt;
  case arith::CmpIPredicate::sge:
    return arith::CmpIPredicate::sle;
  default:
    return predicate;
  }
}

/// Fills in the mask if the logits select -infinity by comparing key and row.
static void findMask(const Attention &attention, Softmax &softmax) {
  Element element = traceTensor(softmax.logits, getIdentity(softmax.logits));
  while (element.getAs<arith::ExtFOp>() || element.getAs<arith::TruncFOp>())
    element = getOperand(element, 0);
  auto select = element.getAs<arith::SelectOp>();
  if (!select)
    return;
  bool isMaskedIf = isLowest(getOperand(element, 1));
  if (!isMaskedIf && !isLowest(getOperand(element, 2)))
    return;
  Element condition = getOperand(element, 0);
  auto compare = condition.getAs<arith::CmpIOp>();
  std::optional<unsigned> row = getRowDim(attention, softmax.logits);
  // The kernel tells the evaluator what the tensor holds.
  if (!compare || !condition.tensor || !row)
    return;
  unsigned key = cast<ShapedType>(softmax.logits.getType()).getRank() - 1;
  unsigned lhs, rhs;
  int64_t lhsOffset, rhsOffset;
  if (!getPosition(getOperand(condition, 0), lhs, lhsOffset) ||
      !getPosition(getOperand(condition, 1), rhs, rhsOffset))
    return;
  arith::CmpIPredicate predicate = compare.getPredicate();
  if (lhs != key) {
    std::swap(lhs, rhs);
    std::swap(lhsOffset, rhsOffset);
    predicate = exchange(predicate);
  }
  if (!isMaskedIf)
    predicate = arith::invertPredicate(predicate);
  // key + lhsOffset > row + rhsOffset
  if (lhs != key || rhs != *row ||
      (predicate != arith::CmpIPredicate::sgt &&
       predicate != arith::CmpIPredicate::sge))
    return;
  softmax.mask = condition.tensor;
  softmax.isMaskedIf = isMaskedIf;
  softmax.distance =
      rhsOffset - lhsOffset - (predicate == arith::CmpIPredicate::sge ? 1 : 0);
}

std::optional<std::string> nvfp4::findSoftmax(const Attention &attention,
                                              Softmax &softmax) {
  linalg::LinalgOp scores = attention.scores, values = attention.values;
  if (!startsAtZero(scores) || !startsAtZero(values))
    return "its products do not start at 0";
  if (std::optional<std::string> reason = findLogits(values, softmax.logits))
    return reason;
  if (std::optional<std::string> reason = verifyRows(attention))
    return reason;
  findMask(attention, softmax);
  return std::nullopt;
}
