//===- RowsToLoops.cpp - Loops over rows, with vectors inside -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowers linalg ops on buffers, neighbours over the same rows together:
//
//   parallel r over all rows
//     i, j… = r as indices
//     for each op: for each further dimension…
//       for n in steps of 16            what does not depend on n is before
//         load vectors, compute, store
//       for the remaining n: the same with 8, 4 and single elements
//
// A reduction along the innermost dimension has one sum per lane: lane l adds
// elements l, l + 16, l + 32…; then lanes are added in halves (0 + 8, 1 + 9…);
// then come the initial value and the elements past the last whole vector. The
// order depends on the extent alone, not on the processor or on threads.
//
// Expects: linalg on buffers, before the planner, because ops move.
// Leaves:  no linalg op; loops over rows at the level of an entry are
//          `scf.parallel` with the number of rows that are worth a thread,
//          `nvfp4.grain`.
//
//===----------------------------------------------------------------------===//

#include "RowGroups.h"
#include "VectorBody.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"

namespace nvfp4 {
#define GEN_PASS_DEF_ROWSTOLOOPSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

//===----------------------------------------------------------------------===//
// What is worth a thread
//===----------------------------------------------------------------------===//

/// Instructions on single elements that take about 2 microseconds in vectors,
/// which is what handing a piece to a thread that looks for one may cost.
static constexpr int64_t kGrainCost = 200000;
/// Assumed for an extent that is not known.
static constexpr int64_t kTypicalExtent = 256;

/// Instructions for one element, roughly.
static int64_t estimateElement(linalg::LinalgOp op, const VectorPlan &plan) {
  int64_t cost = op->getNumOperands();
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<math::ExpOp>(inner))
      cost += 25;
    else if (isa<math::ErfOp, math::TanhOp>(inner))
      cost += 50;
    else if (isa<math::MathDialect>(inner.getDialect()))
      cost += 20;
    else
      cost += isa<arith::DivFOp>(inner) ? 5 : 1;
  }
  // A processor does about four independent scalar instructions at a time.
  return plan.lanes == 1 ? 4 * cost : cost;
}

/// The number of rows of a group that a thread should have at least.
static int64_t estimateGrain(const RowGroup &group) {
  int64_t cost = 0;
  for (linalg::LinalgOp op : group.ops) {
    int64_t elements = 1;
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    for (int64_t extent : ArrayRef(extents).drop_front(group.numShared))
      elements *= ShapedType::isDynamic(extent) ? kTypicalExtent : extent;
    cost += elements * estimateElement(op, planVectors(op));
  }
  return std::max<int64_t>(1, kGrainCost / std::max<int64_t>(1, cost));
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
/// Writes the loops of one group.
class GroupEmitter {
public:
  GroupEmitter(ImplicitLocOpBuilder &builder, const RowGroup &group)
      : b(builder), group(group) {}

  void emit(bool isParallel);

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  void emitFor(Value begin, Value end, int64_t step,
               function_ref<void(Value)> body);
  void emitRow(Value row, ArrayRef<Value> rowExtents);
  SmallVector<Value> getExtents(linalg::LinalgOp op);
  void emitOp(linalg::LinalgOp op, ArrayRef<Value> rowIndices);
  void emitDimension(linalg::LinalgOp op, unsigned dim,
                     ArrayRef<Value> extents);
  void emitInnermost(linalg::LinalgOp op, Value extent);
  void emitReduction(VectorBody &body, linalg::LinalgOp op, Value extent,
                     const VectorPlan &plan);
  Value emitFold(Value lanes, Operation *combiner);
  Value combine(Operation *combiner, Value lhs, Value rhs);

  ImplicitLocOpBuilder &b;
  const RowGroup &group;
  /// The current indices of the op that is being written.
  SmallVector<Value> ivs;
};
} // namespace

void GroupEmitter::emitFor(Value begin, Value end, int64_t step,
                           function_ref<void(Value)> body) {
  std::optional<int64_t> first = getConstantIntValue(begin);
  std::optional<int64_t> last = getConstantIntValue(end);
  if (first && last && *first + step >= *last) {
    if (*first < *last)
      body(begin);
    return;
  }
  auto loop = scf::ForOp::create(b, begin, end, index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

SmallVector<Value> GroupEmitter::getExtents(linalg::LinalgOp op) {
  return llvm::map_to_vector(
      op.createLoopRanges(b, b.getLoc()), [&](const Range &range) {
        return getValueOrCreateConstantIndexOp(b, b.getLoc(), range.size);
      });
}

Value GroupEmitter::combine(Operation *combiner, Value lhs, Value rhs) {
  Operation *clone = combiner->clone();
  clone->setOperands({lhs, rhs});
  clone->getResult(0).setType(lhs.getType());
  b.insert(clone);
  return clone->getResult(0);
}

/// Combines lanes in halves until one is left.
Value GroupEmitter::emitFold(Value lanes, Operation *combiner) {
  int64_t count = cast<VectorType>(lanes.getType()).getNumElements();
  for (int64_t half = count / 2; half > 0; half /= 2) {
    auto slice = [&](int64_t offset) -> Value {
      auto mask = llvm::to_vector(llvm::seq<int64_t>(offset, offset + half));
      return vector::ShuffleOp::create(b, lanes, lanes, mask);
    };
    Value low = slice(0);
    lanes = combine(combiner, low, slice(half));
  }
  return vector::ExtractOp::create(b, lanes, 0);
}

void GroupEmitter::emitReduction(VectorBody &body, linalg::LinalgOp op,
                                 Value extent, const VectorPlan &plan) {
  Value rest = b.createOrFold<arith::RemUIOp>(extent, index(plan.lanes));
  Value whole = b.createOrFold<arith::SubIOp>(extent, rest);
  Type type = plan.combiner->getResult(0).getType();
  auto vectorType = VectorType::get(plan.lanes, type);
  TypedAttr neutral = *arith::getNeutralElement(plan.combiner);
  Value start = arith::ConstantOp::create(
      b, DenseElementsAttr::get(vectorType, Attribute(neutral)));

  auto emitLoop = [&](Value begin, Value end, int64_t lanes, Value initial) {
    auto loop = scf::ForOp::create(b, begin, end, index(lanes), initial);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ivs.back() = loop.getInductionVar();
    scf::YieldOp::create(b,
                         body.emitReduction(lanes, loop.getRegionIterArg(0)));
    return loop.getResult(0);
  };
  Value lanes = emitLoop(index(0), whole, plan.lanes, start);
  Value sum =
      combine(plan.combiner, body.loadResult(), emitFold(lanes, plan.combiner));
  if (getConstantIntValue(rest) != 0)
    sum = emitLoop(whole, extent, /*lanes=*/1, sum);
  body.storeResult(sum);
}

void GroupEmitter::emitInnermost(linalg::LinalgOp op, Value extent) {
  VectorPlan plan = planVectors(op);
  if (plan.lanes == 1)
    remark::missed(op.getLoc(),
                   remark::RemarkOpts::name("RowsToLoops").category("nvfp4"))
        << "one element at a time: " + plan.reason;
  VectorBody body(b, op, ivs);
  // A loop that may have no iteration may not read what only it reads.
  std::optional<int64_t> size = getConstantIntValue(extent);
  if (size && *size > 0)
    body.emitUniform();
  if (plan.combiner)
    return emitReduction(body, op, extent, plan);
  // What is left over in halves, because a function of single elements takes as
  // long as one of vectors.
  Value begin = index(0);
  for (int64_t lanes = plan.lanes; lanes > 0; lanes = lanes > kLeastLanes
                                                          ? lanes / 2
                                                      : lanes > 1 ? 1
                                                                  : 0) {
    Value rest = b.createOrFold<arith::RemUIOp>(extent, index(lanes));
    Value end = b.createOrFold<arith::SubIOp>(extent, rest);
    emitFor(begin, end, lanes, [&](Value iv) {
      ivs.back() = iv;
      body.emitElements(lanes);
    });
    begin = end;
  }
}

void GroupEmitter::emitDimension(linalg::LinalgOp op, unsigned dim,
                                 ArrayRef<Value> extents) {
  if (dim + 1 == op.getNumLoops())
    return emitInnermost(op, extents[dim]);
  emitFor(index(0), extents[dim], /*step=*/1, [&](Value iv) {
    ivs[dim] = iv;
    emitDimension(op, dim + 1, extents);
  });
}

void GroupEmitter::emitOp(linalg::LinalgOp op, ArrayRef<Value> rowIndices) {
  ivs.assign(op.getNumLoops(), Value());
  llvm::copy(rowIndices, ivs.begin());
  if (op.getNumLoops() == rowIndices.size())
    return VectorBody(b, op, ivs).emitElements(/*lanes=*/1);
  emitDimension(op, rowIndices.size(), getExtents(op));
}

void GroupEmitter::emitRow(Value row, ArrayRef<Value> rowExtents) {
  SmallVector<Value> indices(rowExtents.size());
  for (size_t i = rowExtents.size() - 1; i > 0; --i) {
    indices[i] = b.createOrFold<arith::RemUIOp>(row, rowExtents[i]);
    row = b.createOrFold<arith::DivUIOp>(row, rowExtents[i]);
  }
  indices[0] = row;
  for (linalg::LinalgOp op : group.ops)
    emitOp(op, indices);
}

void GroupEmitter::emit(bool isParallel) {
  if (group.numShared == 0)
    return emitOp(group.ops.front(), {});
  SmallVector<Value> extents = getExtents(group.ops.front());
  extents.truncate(group.numShared);
  Value rows = extents.front();
  for (Value extent : ArrayRef(extents).drop_front())
    rows = b.createOrFold<arith::MulIOp>(rows, extent);
  if (!isParallel)
    return emitFor(index(0), rows, /*step=*/1,
                   [&](Value row) { emitRow(row, extents); });
  auto loop = scf::ParallelOp::create(
      b, ValueRange(index(0)), ValueRange(rows), ValueRange(index(1)),
      [&](OpBuilder &, Location, ValueRange ivs) {
        emitRow(ivs.front(), extents);
      });
  loop->setAttr(kGrainAttrName, b.getI64IntegerAttr(estimateGrain(group)));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
class RowsToLoopsPass final
    : public nvfp4::impl::RowsToLoopsPassBase<RowsToLoopsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    // Only entries know a context, whose threads these are.
    Operation *parallel = isEntryFunction(func) ? func : nullptr;
    SmallVector<Block *> blocks;
    func.walk([&](Block *block) {
      if (!isa<linalg::LinalgOp>(block->getParentOp()))
        blocks.push_back(block);
    });
    for (Block *block : blocks) {
      for (const RowGroup &group : findRowGroups(*block)) {
        linalg::LinalgOp last = group.ops.back();
        ImplicitLocOpBuilder builder(last.getLoc(), last);
        GroupEmitter(builder, group).emit(block->getParentOp() == parallel);
        for (linalg::LinalgOp op : group.ops)
          op->erase();
        numOps += group.ops.size();
        ++numGroups;
      }
    }
  }
};
} // namespace
