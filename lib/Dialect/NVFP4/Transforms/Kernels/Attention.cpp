//===- Attention.cpp - Find attention among linalg ops --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks backward from the second product, at a bounded number of ops, and asks
// nothing of what rows of scores go through but that it works on rows: kernels
// compute these ops as they are.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace nvfp4;

/// Softmax with scaling, masks and reshapes is about 15 ops.
static constexpr size_t kMaxOps = 64;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The loop of the last dimension of an operand, -1 if it is none.
static int64_t getLastLoop(linalg::LinalgOp op, OpOperand *operand) {
  AffineMap map = op.getMatchingIndexingMap(operand);
  if (map.getNumResults() == 0)
    return -1;
  auto dim = dyn_cast<AffineDimExpr>(map.getResults().back());
  return dim ? dim.getPosition() : -1;
}

static bool hasLoop(linalg::LinalgOp op, OpOperand *operand, int64_t loop) {
  return op.getMatchingIndexingMap(operand).isFunctionOfDim(loop);
}

/// A product of two tensors that sums along one loop in f32.
static bool isProduct(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalg::isaContractionOpInterface(linalgOp) &&
         linalgOp.getNumReductionLoops() == 1 &&
         getElementTypeOrSelf(op->getResult(0).getType()).isF32();
}

static int64_t getReductionLoop(linalg::LinalgOp op) {
  SmallVector<unsigned> loops;
  op.getReductionDims(loops);
  return loops.front();
}

/// Whether a product reads both operands along the loop that it sums along.
static bool isScores(linalg::LinalgOp op) {
  int64_t depth = getReductionLoop(op);
  int64_t column = getLastLoop(op, op.getDpsInitOperand(0));
  return column >= 0 &&
         llvm::all_of(op.getDpsInputOperands(),
                      [&](OpOperand *operand) {
                        return getLastLoop(op, operand) == depth;
                      }) &&
         hasLoop(op, op.getDpsInputOperand(0), column) !=
             hasLoop(op, op.getDpsInputOperand(1), column);
}

/// Whether a product reads its first operand along the sum, and its second one
/// along the columns of the result.
static bool isValues(linalg::LinalgOp op) {
  int64_t column = getLastLoop(op, op.getDpsInitOperand(0));
  return column >= 0 &&
         getLastLoop(op, op.getDpsInputOperand(0)) == getReductionLoop(op) &&
         getLastLoop(op, op.getDpsInputOperand(1)) == column &&
         !hasLoop(op, op.getDpsInputOperand(0), column);
}

OpOperand *nvfp4::getQueries(linalg::LinalgOp scores) {
  int64_t column = getLastLoop(scores, scores.getDpsInitOperand(0));
  OpOperand *first = scores.getDpsInputOperand(0);
  return hasLoop(scores, first, column) ? scores.getDpsInputOperand(1) : first;
}

AttentionExtents nvfp4::getExtents(const Attention &attention) {
  linalg::LinalgOp scores = attention.scores, values = attention.values;
  SmallVector<int64_t> extents = scores.getStaticLoopRanges();
  // Rows are in Q alone: what the result has and K has not.
  int64_t rows = 1;
  OpOperand *keys =
      scores.getDpsInputOperand(1 - getQueries(scores)->getOperandNumber());
  for (auto [loop, iterator] : llvm::enumerate(scores.getIteratorTypesArray()))
    if (linalg::isParallelIterator(iterator) && !hasLoop(scores, keys, loop))
      rows = ShapedType::isDynamic(extents[loop]) || ShapedType::isDynamic(rows)
                 ? ShapedType::kDynamic
                 : rows * extents[loop];
  return {rows, extents[getReductionLoop(scores)],
          values.getStaticLoopRanges()[getLastLoop(
              values, values.getDpsInitOperand(0))]};
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

namespace {
/// What a value that depends on the scores holds. The kernel knows a row by its
/// number alone, so all have rows in the order of the scores, however their
/// dimensions are split.
enum class RowKind {
  /// Rows along N, which is the last dimension.
  Scores,
  /// Rows along a last dimension, of any size, whose elements are equal.
  Spread,
  /// One element for each row.
  Scalar,
};

/// Checks ops between the products, in program order.
class RowChecker {
public:
  explicit RowChecker(Value scores) { kinds[scores] = RowKind::Scores; }

  /// Why an op does not work on rows of scores.
  const char *visit(Operation *op);
  /// Why the second product does not multiply rows of scores.
  const char *visitValues(linalg::LinalgOp values) const;

private:
  const char *visitReshape(Operation *op);
  const char *visitElementwise(linalg::LinalgOp op);
  const char *visitReduction(linalg::LinalgOp op);
  SmallVector<std::pair<RowKind, AffineMap>>
  getOperands(linalg::LinalgOp op) const;

  llvm::DenseMap<Value, RowKind> kinds;
};
} // namespace

/// The loops of an operand's dimensions, in their order: those of size 1 may be
/// anywhere.
static SmallVector<unsigned> getLoops(ArrayRef<AffineExpr> dims,
                                      ArrayRef<int64_t> extents) {
  SmallVector<unsigned> loops;
  for (AffineExpr expr : dims)
    if (auto dim = dyn_cast<AffineDimExpr>(expr);
        dim && extents[dim.getPosition()] != 1)
      loops.push_back(dim.getPosition());
  return loops;
}

/// Whether two operands have the same loops in the same order, and the same
/// last one.
static bool haveSameRows(AffineMap lhs, AffineMap rhs,
                         ArrayRef<int64_t> extents) {
  return getLoops(lhs.getResults(), extents) ==
             getLoops(rhs.getResults(), extents) &&
         lhs.getNumResults() > 0 && rhs.getNumResults() > 0 &&
         lhs.getResults().back() == rhs.getResults().back();
}

/// Whether a reduction starts anywhere and combines by an op whose neutral
/// element is known, so that parts of rows can be combined.
static bool isCombinable(linalg::LinalgOp op) {
  return llvm::all_of(
      llvm::zip_equal(op.getBlock()->getTerminator()->getOperands(),
                      op.getRegionOutputArgs()),
      [](auto pair) {
        auto [value, sum] = pair;
        Operation *combiner = value.getDefiningOp();
        return combiner && combiner->getNumOperands() == 2 &&
               arith::getNeutralElement(combiner) &&
               llvm::is_contained(combiner->getOperands(), sum);
      });
}

/// The operands that depend on the scores.
SmallVector<std::pair<RowKind, AffineMap>>
RowChecker::getOperands(linalg::LinalgOp op) const {
  SmallVector<std::pair<RowKind, AffineMap>> operands;
  for (OpOperand &operand : op->getOpOperands())
    if (auto found = kinds.find(operand.get()); found != kinds.end())
      operands.emplace_back(found->second, op.getMatchingIndexingMap(&operand));
  return operands;
}

const char *RowChecker::visitReshape(Operation *op) {
  RowKind kind = kinds.at(op->getOperand(0));
  SmallVector<ReassociationIndices> groups;
  auto wide = cast<RankedTensorType>(op->getOperand(0).getType());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    groups = expand.getReassociationIndices();
    wide = expand.getResultType();
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    groups = collapse.getReassociationIndices();
  }
  bool isCast = isa<tensor::CastOp>(op);
  bool keepsLast =
      isCast ||
      (!groups.empty() &&
       llvm::all_of(ArrayRef(groups.back()).drop_back(),
                    [&](int64_t dim) { return wide.getDimSize(dim) == 1; }));
  if (kind != RowKind::Scalar && !keepsLast)
    return "a reshape changes the last dimension of the scores";
  kinds[op->getResult(0)] = kind;
  return nullptr;
}

const char *RowChecker::visitElementwise(linalg::LinalgOp op) {
  static constexpr char kMoved[] =
      "an op does not leave the scores in their order";
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (map.getNumResults() == 0)
    return kMoved;
  SmallVector<unsigned> all = getLoops(map.getResults(), extents);
  SmallVector<unsigned> rows = getLoops(map.getResults().drop_back(), extents);
  RowKind kind = RowKind::Scalar;
  for (auto [operandKind, operandMap] : getOperands(op)) {
    if (operandKind != RowKind::Scalar)
      kind = std::min(kind, operandKind);
    else if (getLoops(operandMap.getResults(), extents) != all)
      kind = std::min(kind, RowKind::Spread);
  }
  for (auto [operandKind, operandMap] : getOperands(op)) {
    bool keepsOrder =
        operandMap.isProjectedPermutation(/*allowZeroInResults=*/true) &&
        (operandKind == RowKind::Scalar
             ? getLoops(operandMap.getResults(), extents) ==
                   (kind == RowKind::Scalar ? all : rows)
             : haveSameRows(operandMap, map, extents));
    if (!keepsOrder)
      return kMoved;
  }
  for (OpResult result : op->getResults()) {
    AffineMap other = op.getIndexingMapMatchingResult(result);
    if (!other.isProjectedPermutation(/*allowZeroInResults=*/true) ||
        !haveSameRows(other, map, extents))
      return kMoved;
    kinds[result] = kind;
  }
  return nullptr;
}

const char *RowChecker::visitReduction(linalg::LinalgOp op) {
  static constexpr char kOther[] = "a reduction is not one of rows of scores";
  if (op.getNumReductionLoops() != 1 ||
      !linalg::isReductionIterator(op.getIteratorTypesArray().back()) ||
      !isCombinable(op))
    return kOther;
  // Rows are counted by the loops, in their order.
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  AffineMap map =
      AffineMap::getMultiDimIdentityMap(op.getNumLoops(), op->getContext());
  SmallVector<unsigned> rows = getLoops(map.getResults().drop_back(), extents);
  bool readsScores = false;
  for (auto [kind, operandMap] : getOperands(op)) {
    readsScores |= kind == RowKind::Scores;
    bool keepsOrder =
        operandMap.isProjectedPermutation(/*allowZeroInResults=*/true) &&
        (kind == RowKind::Scalar
             ? getLoops(operandMap.getResults(), extents) == rows
             : haveSameRows(operandMap, map, extents));
    if (!keepsOrder)
      return kOther;
  }
  for (OpResult result : op->getResults()) {
    AffineMap other = op.getIndexingMapMatchingResult(result);
    if (!other.isProjectedPermutation(/*allowZeroInResults=*/true) ||
        getLoops(other.getResults(), extents) != rows)
      return kOther;
    kinds[result] = RowKind::Scalar;
  }
  return readsScores ? nullptr : kOther;
}

const char *RowChecker::visit(Operation *op) {
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
    return visitReshape(op);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  llvm::SetVector<Value> captures;
  getUsedValuesDefinedAbove(op->getRegions(), captures);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics() ||
      llvm::any_of(captures, [](Value value) {
        return isa<TensorType>(value.getType());
      }))
    return "something else than linalg works on the scores";
  return linalgOp.getNumReductionLoops() == 0 ? visitElementwise(linalgOp)
                                              : visitReduction(linalgOp);
}

const char *RowChecker::visitValues(linalg::LinalgOp values) const {
  OpOperand *weights = values.getDpsInputOperand(0);
  auto kind = kinds.find(weights->get());
  if (kind == kinds.end() || kind->second != RowKind::Scores)
    return "its rows are not as long as those of scores";
  SmallVector<int64_t> extents = values.getStaticLoopRanges();
  auto getRows = [&](OpOperand *operand) {
    return getLoops(
        values.getMatchingIndexingMap(operand).getResults().drop_back(),
        extents);
  };
  if (getRows(weights) != getRows(values.getDpsInitOperand(0)))
    return "its result has rows in another order than the scores";
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

/// What `value` is computed from in its block, in program order, up to
/// products.
static SmallVector<Operation *> getProducers(Value value) {
  llvm::SetVector<Operation *> seen;
  SmallVector<Value> worklist{value};
  Block *block = value.getParentBlock();
  while (!worklist.empty() && seen.size() < kMaxOps) {
    Operation *op = worklist.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != block || !seen.insert(op) || isProduct(op))
      continue;
    llvm::append_range(worklist, op->getOperands());
  }
  SmallVector<Operation *> ops = seen.takeVector();
  llvm::sort(ops, [](Operation *lhs, Operation *rhs) {
    return lhs->isBeforeInBlock(rhs);
  });
  return ops;
}

std::optional<std::string> nvfp4::findAttention(Operation *op,
                                                Attention &attention) {
  auto values = dyn_cast<linalg::LinalgOp>(op);
  if (!values || !isProduct(op) || !isValues(values))
    return "it is no product of rows and values";
  SmallVector<Operation *> producers = getProducers(op->getOperand(0));
  auto found = llvm::find_if(producers, isProduct);
  if (found == producers.end() || !isScores(cast<linalg::LinalgOp>(*found)))
    return "its rows come from no product of queries and keys";
  attention.scores = cast<linalg::LinalgOp>(*found);
  attention.values = values;

  llvm::SetVector<Operation *> ops;
  ops.insert(*found);
  // An extent does not depend on elements.
  for (Operation *next : llvm::make_range(std::next(found), producers.end()))
    if (!isa<tensor::DimOp>(next) &&
        llvm::any_of(next->getOperands(), [&](Value operand) {
          return ops.contains(operand.getDefiningOp());
        }))
      ops.insert(next);
  if (ops.contains(op->getOperand(1).getDefiningOp()))
    return "its values come from the scores, too";

  RowChecker checker((*found)->getResult(0));
  bool reduces = false;
  for (Operation *member : ops) {
    for (Operation *user : member->getUsers())
      if (user != op && !ops.contains(user) && !isa<tensor::DimOp>(user))
        return "the scores are needed elsewhere";
    if (member == *found)
      continue;
    if (const char *reason = checker.visit(member))
      return reason;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(member);
    reduces |= linalgOp && linalgOp.getNumReductionLoops() > 0;
  }
  if (!reduces)
    return "no row of scores is reduced";
  if (const char *reason = checker.visitValues(values))
    return reason;
  AttentionExtents extents = getExtents(attention);
  if (ShapedType::isDynamic(extents.depth) ||
      ShapedType::isDynamic(extents.columns))
    return "its heads have a dynamic size";
  ops.insert(op);
  attention.ops = ops.takeVector();
  return std::nullopt;
}

bool nvfp4::isAttention(Operation *op) {
  auto kernels = op->getAttrOfType<ArrayAttr>(kKernelAttrName);
  return kernels && llvm::any_of(kernels, [](Attribute attr) {
           auto kernel = dyn_cast<KernelAttr>(attr);
           return kernel && kernel.getSchedule() == KernelSchedule::Attention;
         });
}
