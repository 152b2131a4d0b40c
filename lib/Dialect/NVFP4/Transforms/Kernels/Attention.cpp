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
/// A number of elements, known up to dynamic factors.
struct Count {
  int64_t numDynamic = 0, factor = 1;

  explicit Count(ArrayRef<int64_t> extents) {
    for (int64_t extent : extents)
      if (ShapedType::isDynamic(extent))
        ++numDynamic;
      else
        factor *= extent;
  }
  bool operator==(const Count &other) const {
    return numDynamic == other.numDynamic && factor == other.factor;
  }
};
} // namespace

static bool isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
      op);
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

/// Why an op between the products is not one on rows of scores.
static const char *whyNotOnRows(Operation *op, ArrayRef<int64_t> scores) {
  if (isReshape(op))
    return nullptr;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  llvm::SetVector<Value> captures;
  getUsedValuesDefinedAbove(op->getRegions(), captures);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics() ||
      llvm::any_of(captures, [](Value value) {
        return isa<TensorType>(value.getType());
      }))
    return "something else than linalg works on the scores";
  SmallVector<int64_t> loops = linalgOp.getStaticLoopRanges();
  unsigned reductions = linalgOp.getNumReductionLoops();
  bool isFull = Count(loops) == Count(scores);
  bool isPerRow = Count(loops) == Count(scores.drop_back());
  if (reductions == 0)
    return isFull || isPerRow ? nullptr : "scores change their number";
  bool reducesRows =
      isFull && reductions == 1 && loops.back() == scores.back() &&
      linalg::isReductionIterator(linalgOp.getIteratorTypesArray().back());
  if (!reducesRows || !isCombinable(linalgOp))
    return "a reduction is not one of rows of scores";
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
  for (Operation *next : llvm::make_range(std::next(found), producers.end()))
    if (llvm::any_of(next->getOperands(), [&](Value operand) {
          return ops.contains(operand.getDefiningOp());
        }))
      ops.insert(next);
  if (ops.contains(op->getOperand(1).getDefiningOp()))
    return "its values come from the scores, too";

  auto scoresType =
      cast<RankedTensorType>(attention.scores->getResult(0).getType());
  bool reduces = false;
  for (Operation *member : ops) {
    for (Operation *user : member->getUsers())
      if (user != op && !ops.contains(user))
        return "the scores are needed elsewhere";
    if (member == *found)
      continue;
    if (const char *reason = whyNotOnRows(member, scoresType.getShape()))
      return reason;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(member);
    reduces |= linalgOp && linalgOp.getNumReductionLoops() > 0;
  }
  if (!reduces)
    return "no row of scores is reduced";
  AttentionExtents extents = getExtents(attention);
  if (ShapedType::isDynamic(extents.rows) ||
      ShapedType::isDynamic(extents.depth) ||
      ShapedType::isDynamic(extents.columns))
    return "its rows or heads have a dynamic size";
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
