//===- RowGroups.cpp - Neighbouring ops over the same rows ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row i of an op is what it computes at index i of its leading dimensions. Two
// ops may do their rows in turns if they have the same rows, and if a buffer
// that one writes and the other touches is cut into the same pieces by both:
// it has no layout, its first dimensions are the leading ones, and other views
// of it only reshape.
//
//===----------------------------------------------------------------------===//

#include "RowGroups.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace nvfp4 {

namespace {

/// An extent by what it is: a constant (null, size) or a dimension of a buffer
/// or a value (value, number).
using Extent = std::pair<Value, int64_t>;

/// How an op touches a buffer.
struct Access {
  /// Null: may be any.
  Value buffer;
  /// For how many leading dimensions d, dimension d of the buffer is the
  /// iteration dimension d.
  unsigned numLeading;
  bool writes;
};

/// Finds the groups of one block.
class RowGrouper {
public:
  SmallVector<RowGroup> run(Block &block);

private:
  void add(linalg::LinalgOp op);
  bool join(linalg::LinalgOp op, ArrayRef<Access> more);
  void flush();

  RowGroup group;
  /// The most dimensions that all ops of the group could share.
  unsigned maxShared = 0;
  SmallVector<Access> accesses;
  SmallVector<RowGroup> groups;
};

} // namespace

/// The buffer behind views that keep all elements in their order; `isWhole` is
/// false if there are other views on the way.
static Value getBuffer(Value memref, bool &isWhole) {
  isWhole = true;
  while (Operation *op = memref.getDefiningOp()) {
    if (isa<memref::AllocOp, memref::AllocaOp, memref::GetGlobalOp>(op))
      return memref;
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    if (!view)
      return Value();
    isWhole &= isa<memref::ExpandShapeOp, memref::CollapseShapeOp>(op);
    memref = view.getViewSource();
  }
  // Arguments of an entry do not overlap; those of loops may.
  auto argument = cast<BlockArgument>(memref);
  bool isFunction =
      isa<FunctionOpInterface>(argument.getOwner()->getParentOp());
  return isFunction ? memref : Value();
}

static Access getAccess(Value memref, AffineMap map, bool writes) {
  bool isWhole;
  Value buffer = getBuffer(memref, isWhole);
  unsigned numLeading = 0;
  if (isWhole && cast<MemRefType>(memref.getType()).getLayout().isIdentity())
    while (numLeading < map.getNumResults() &&
           map.getResult(numLeading) ==
               getAffineDimExpr(numLeading, map.getContext()))
      ++numLeading;
  return {buffer, numLeading, writes};
}

static SmallVector<Access> getAccesses(linalg::LinalgOp op) {
  SmallVector<Access> accesses;
  for (OpOperand &operand : op->getOpOperands())
    if (isa<MemRefType>(operand.get().getType()))
      accesses.push_back(getAccess(operand.get(),
                                   op.getMatchingIndexingMap(&operand),
                                   op.isDpsInit(&operand)));
  // A gather reads any place.
  op.getBlock()->walk([&](memref::LoadOp load) {
    bool isWhole;
    accesses.push_back({getBuffer(load.getMemRef(), isWhole), 0, false});
  });
  return accesses;
}

static bool conflict(const Access &lhs, const Access &rhs, unsigned numShared) {
  if (!lhs.writes && !rhs.writes)
    return false;
  if (!lhs.buffer || !rhs.buffer)
    return true;
  return lhs.buffer == rhs.buffer &&
         std::min(lhs.numLeading, rhs.numLeading) < numShared;
}

static Extent getExtent(Value memref, unsigned dim) {
  while (true) {
    auto type = cast<MemRefType>(memref.getType());
    if (!type.isDynamicDim(dim))
      return {Value(), type.getDimSize(dim)};
    Value size;
    if (auto alloc = memref.getDefiningOp<memref::AllocOp>())
      size = alloc.getDynamicSizes()[type.getDynamicDimIndex(dim)];
    else if (auto expand = memref.getDefiningOp<memref::ExpandShapeOp>())
      size = dyn_cast<Value>(expand.getMixedOutputShape()[dim]);
    if (!size)
      return {memref, dim};
    auto op = size.getDefiningOp<memref::DimOp>();
    if (!op || !op.getConstantIndex())
      return {size, -1};
    memref = op.getSource();
    dim = *op.getConstantIndex();
  }
}

/// All that is known to be the extent of a dimension.
static SmallVector<Extent> getExtents(linalg::LinalgOp op, unsigned dim) {
  SmallVector<Extent> extents;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [i, expr] : llvm::enumerate(map.getResults()))
      if (expr == getAffineDimExpr(dim, op->getContext()))
        extents.push_back(getExtent(operand.get(), i));
  }
  return extents;
}

static bool haveEqualExtent(linalg::LinalgOp lhs, linalg::LinalgOp rhs,
                            unsigned dim) {
  SmallVector<Extent> extents = getExtents(rhs, dim);
  return llvm::any_of(getExtents(lhs, dim), [&](const Extent &extent) {
    return llvm::is_contained(extents, extent);
  });
}

/// The parallel dimensions before the first other one.
static unsigned countParallel(linalg::LinalgOp op) {
  SmallVector<utils::IteratorType> types = op.getIteratorTypesArray();
  return llvm::find_if(types,
                       [](utils::IteratorType type) {
                         return type != utils::IteratorType::parallel;
                       }) -
         types.begin();
}

/// The dimensions that an op alone would share: all parallel ones but the
/// innermost, which is that of vectors.
static unsigned countRows(linalg::LinalgOp op) {
  return std::min(countParallel(op), std::max(op.getNumLoops(), 1u) - 1);
}

bool RowGrouper::join(linalg::LinalgOp op, ArrayRef<Access> more) {
  if (group.ops.empty())
    return false;
  // None shares fewer than alone, or threads would have less to share. One
  // whose innermost dimension becomes one of rows has but one element in each.
  unsigned numShared = std::max(group.numShared, countRows(op));
  if (numShared == 0 || numShared > std::min(maxShared, countParallel(op)))
    return false;
  for (unsigned dim = 0; dim < numShared; ++dim)
    if (!haveEqualExtent(group.ops.front(), op, dim))
      return false;
  SmallVector<Access> all(accesses);
  llvm::append_range(all, more);
  // Those of the group too, if it shares more dimensions than before.
  for (auto [i, lhs] : llvm::enumerate(all))
    for (const Access &rhs : ArrayRef(all).drop_front(i + 1))
      if (conflict(lhs, rhs, numShared))
        return false;
  group.numShared = numShared;
  maxShared = std::min(maxShared, countParallel(op));
  return true;
}

void RowGrouper::flush() {
  if (!group.ops.empty())
    groups.push_back(std::move(group));
  group = RowGroup();
  accesses.clear();
}

void RowGrouper::add(linalg::LinalgOp op) {
  SmallVector<Access> more = getAccesses(op);
  if (!join(op, more)) {
    flush();
    group.numShared = countRows(op);
    maxShared = countParallel(op);
  }
  group.ops.push_back(op);
  llvm::append_range(accesses, more);
}

SmallVector<RowGroup> RowGrouper::run(Block &block) {
  for (Operation &op : block) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (linalgOp && linalgOp.hasPureBufferSemantics())
      add(linalgOp);
    else if (!isMemoryEffectFree(&op) && !isa<memref::AllocOp>(op))
      flush();
  }
  flush();
  return std::move(groups);
}

SmallVector<RowGroup> findRowGroups(Block &block) {
  return RowGrouper().run(block);
}

} // namespace nvfp4
