//===- FormDispatchesRules.cpp - Who may join a group ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One rule per kind of group. Each gets the last group that the op reads from,
// so operands that do not come from it are there before it runs.
//
//   matmul   an op reads each element of the product once, in any order, and
//            all that it reads of the group in the same one; or quantizes
//   row      an op reads along the rows of the group, or one value per row
//   element  an op has the shape of the results, or is their only reader
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

using namespace mlir;
using namespace nvfp4;

/// The operands that come from the group that an op wants to join; nothing if
/// the body of the op gathers from it.
static std::optional<SmallVector<OpOperand *>>
getOperandsOf(DispatchPlan &plan, const Group &group, Operation *op) {
  SmallVector<OpOperand *> operands;
  for (OpOperand &operand : op->getOpOperands())
    if (plan.getOrder(operand.get()) == group.order)
      operands.push_back(&operand);
  for (Value tensor :
       llvm::drop_begin(getTensorOperands(op),
                        llvm::count_if(op->getOperandTypes(),
                                       llvm::IsaPred<RankedTensorType>)))
    if (plan.getOrder(tensor) == group.order)
      return std::nullopt;
  return operands;
}

/// The loops of all results, if they agree.
static std::optional<SmallVector<unsigned>>
getResultOrder(linalg::LinalgOp op) {
  std::optional<SmallVector<unsigned>> order;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    std::optional<SmallVector<unsigned>> loops = getLoopOrder(op, init);
    if (!loops || (order && order != loops))
      return std::nullopt;
    order = loops;
  }
  return order;
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

/// The placement of what `op` computes from `operand`.
std::optional<Group::Placement>
DispatchPlan::permute(Group::Placement placement, linalg::LinalgOp op,
                      OpOperand &operand) {
  std::optional<SmallVector<unsigned>> from = getLoopOrder(op, operand);
  std::optional<SmallVector<unsigned>> to = getResultOrder(op);
  if (!from || !to || from->size() != to->size() ||
      to->size() != getLongLoops(op).size())
    return std::nullopt;
  if (from == to)
    return placement;
  SmallVector<unsigned> sorted(*from);
  llvm::sort(sorted);
  if (sorted != getLongLoops(op))
    return std::nullopt;
  std::vector<int64_t> key;
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (unsigned loop : *from) {
    key.push_back(extents[loop]);
    key.push_back(llvm::find(*to, loop) - to->begin());
  }
  unsigned next = permutations.size() + 1;
  placement.order =
      permutations.try_emplace({placement.order, std::move(key)}, next)
          .first->second;
  return placement;
}

std::optional<Group::Placement> DispatchPlan::getPlacement(Group &group,
                                                           Value value) {
  value = skipReshapes(value);
  if (auto it = group.placements.find(value); it != group.placements.end())
    return it->second;
  auto mover = value.getDefiningOp<linalg::LinalgOp>();
  if (!mover || getRole(mover) != Role::Mover)
    return std::nullopt;
  OpOperand &source = *mover.getDpsInputOperand(0);
  std::optional<Group::Placement> placement = getPlacement(group, source.get());
  return placement ? permute(*placement, mover, source) : std::nullopt;
}

DispatchPlan::Reason DispatchPlan::joinMatmul(Group &group, Operation *op) {
  if (auto quantize = dyn_cast<QuantizeIntoOp>(op))
    return quantizeMatmul(group, quantize);
  if (isa<GlobalScaleIntoOp>(op))
    return "the largest magnitude of a row is known behind all of its tiles";
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumReductionLoops() > 0)
    return "an epilogue is element-wise";
  // Elements that others read too would be stored twice.
  if (getRole(op) == Role::Mover) {
    Value source = skipReshapes(op->getOperand(0));
    while (!groupOf.contains(source.getDefiningOp())) {
      auto mover = source.getDefiningOp<linalg::LinalgOp>();
      if (!mover)
        return "it reads more than the product";
      source = skipReshapes(mover.getDpsInputOperand(0)->get());
    }
    if (!isOnlyReadBy(group, source, op))
      return "the product is needed in its own order, too";
  }
  std::optional<SmallVector<OpOperand *>> operands =
      getOperandsOf(*this, group, op);
  if (!operands)
    return "it gathers";
  std::optional<Group::Placement> placement;
  for (OpOperand *operand : *operands) {
    std::optional<Group::Placement> source =
        getPlacement(group, operand->get());
    std::optional<Group::Placement> target =
        source ? permute(*source, linalgOp, *operand) : std::nullopt;
    if (!target || (placement && !(*placement == *target)))
      return "it does not read each element of one product once";
    placement = target;
  }
  for (Value result : op->getResults())
    group.placements[result] = *placement;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// Whether a reshape keeps each of the dimensions from `first` on apart from
/// others, but for those of one element.
static bool keepsDims(Operation *view, unsigned first) {
  SmallVector<ReassociationIndices> groups;
  RankedTensorType type;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(view)) {
    groups = expand.getReassociationIndices();
    type = expand.getResultType();
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(view)) {
    groups = collapse.getReassociationIndices();
    type = collapse.getSrcType();
  } else {
    return true;
  }
  return llvm::all_of(ArrayRef(groups).drop_front(first),
                      [&](ArrayRef<int64_t> group) {
                        return llvm::count_if(group, [&](int64_t dim) {
                                 return type.getDimSize(dim) != 1;
                               }) <= 1;
                      });
}

/// Whether rows are the same before and after a reshape: the last dimension is
/// no part of a larger or smaller one.
static bool keepsRows(Operation *view) {
  auto type = cast<RankedTensorType>(isa<tensor::ExpandShapeOp>(view)
                                         ? view->getOperand(0).getType()
                                         : view->getResult(0).getType());
  return type.getRank() > 0 && keepsDims(view, type.getRank() - 1);
}

Value DispatchPlan::getColumns(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp) {
    Value source = op->getOperand(0);
    return extents.get(source,
                       cast<ShapedType>(source.getType()).getRank() - 1);
  }
  AffineExpr last =
      getAffineDimExpr(linalgOp.getNumLoops() - 1, op->getContext());
  for (OpOperand &operand : op->getOpOperands())
    if (isa<ShapedType>(operand.get().getType()))
      if (std::optional<unsigned> dim =
              linalgOp.getMatchingIndexingMap(&operand).getResultPosition(last))
        return extents.get(operand.get(), *dim);
  return Value();
}

std::optional<Alignment> DispatchPlan::getAlignment(const Group &group,
                                                    Value value) {
  bool isFull = true, isPerRow = true;
  while (!group.alignments.contains(value)) {
    Operation *view = value.getDefiningOp();
    if (!view || getRole(view) != Role::View)
      return std::nullopt;
    isFull &= keepsRows(view);
    isPerRow &= keepsDims(view, 0);
    value = view->getOperand(0);
  }
  Alignment alignment = group.alignments.at(value);
  if (!(alignment == Alignment::Full ? isFull : isPerRow))
    return std::nullopt;
  return alignment;
}

/// Finds the alignment of a linalg op's results.
DispatchPlan::Reason
DispatchPlan::alignLinalg(const Group &group, linalg::LinalgOp op, Role role,
                          std::optional<Alignment> &result) {
  std::optional<SmallVector<OpOperand *>> operands =
      getOperandsOf(*this, group, op);
  std::optional<SmallVector<unsigned>> order = getResultOrder(op);
  SmallVector<unsigned> loops = getLongLoops(op);
  bool isReduction = op.getNumReductionLoops() > 0;
  if (!operands || !order || (isReduction && role != Role::Row) ||
      (!isReduction && *order != loops))
    return "it does not write rows";
  std::optional<Alignment> space;
  bool knowsColumns = false;
  for (OpOperand *operand : *operands) {
    std::optional<Alignment> alignment = getAlignment(group, operand->get());
    std::optional<SmallVector<unsigned>> read = getLoopOrder(op, *operand);
    if (!alignment || !read)
      return "it does not read along the rows";
    // A value per row is read by ops on rows, or by ops on such values.
    bool reads = *read == loops;
    bool readsRow = !loops.empty() && loops.back() == op.getNumLoops() - 1 &&
                    *read == ArrayRef(loops).drop_back();
    Alignment needed = *alignment;
    knowsColumns |= needed == Alignment::Full;
    if (needed == Alignment::PerRow && readsRow)
      needed = Alignment::Full;
    else if (!reads)
      return "it does not read along the rows";
    if (space && space != needed)
      return "it reads rows and values per row alike";
    space = needed;
  }
  if (isReduction && space != Alignment::Full)
    return "it does not reduce the rows";
  if (space == Alignment::Full && !knowsColumns &&
      getColumns(op) != group.columns)
    return "its rows may have another length";
  result = isReduction ? Alignment::PerRow : space;
  return nullptr;
}

DispatchPlan::Reason DispatchPlan::joinRow(Group &group, Operation *op,
                                           Role role) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    std::optional<Alignment> alignment;
    if (Reason reason = alignLinalg(group, linalgOp, role, alignment))
      return reason;
    for (Value result : op->getResults())
      group.alignments[result] = *alignment;
    return nullptr;
  }
  if (role != Role::Row)
    return "it does not write rows";
  // Global scales and codes of rows.
  if (auto quantize = dyn_cast<QuantizeIntoOp>(op))
    if (quantize.getGlobalScale() &&
        getOrder(quantize.getGlobalScale()) == group.order &&
        quantize.getBlockType().getFormat().getGranularity() !=
            GlobalScaleGranularity::Row)
      return "its rows have one global scale together";
  if (getColumns(op) != group.columns)
    return "its rows have another length";
  for (Value input : cast<DestinationStyleOpInterface>(op).getDpsInputs()) {
    if (getOrder(input) != group.order)
      continue;
    Alignment needed =
        input == op->getOperand(0) ? Alignment::Full : Alignment::PerRow;
    if (getAlignment(group, input) != needed)
      return "it does not read along the rows";
  }
  if (isa<GlobalScaleIntoOp>(op))
    group.alignments[op->getResult(0)] = Alignment::PerRow;
  return nullptr;
}

/// A reduction of rows takes over the group that computes them.
DispatchPlan::Reason DispatchPlan::becomeRow(Group &group, Operation *op) {
  bool sums = llvm::any_of(group.ops, [](Operation *member) {
    return getRole(member) == Role::Reduction;
  });
  if (sums)
    return "its rows are sums";
  group.columns = getColumns(op);
  for (Operation *top : group.tops)
    for (Value result : top->getResults())
      group.alignments[result] = Alignment::Full;
  if (Reason reason = joinRow(group, op, Role::Row)) {
    group.alignments.clear();
    return reason;
  }
  group.schedule = KernelSchedule::Row;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// Whether nothing outside of the group but `reader` reads a value, be it
/// through views and movers.
bool DispatchPlan::isOnlyReadBy(const Group &group, Value value,
                                Operation *reader) {
  // More readers than this are not worth following.
  constexpr size_t kMaxReaders = 64;
  llvm::SmallPtrSet<Operation *, 8> seen;
  SmallVector<Value> worklist = {value};
  while (!worklist.empty()) {
    for (Operation *user : worklist.pop_back_val().getUsers()) {
      Operation *op = block.findAncestorOpInBlock(*user);
      if (op == reader || groupOf.lookup(op) == &group ||
          !seen.insert(op).second)
        continue;
      Role role = getRole(op);
      if ((role != Role::View && role != Role::Mover) ||
          seen.size() > kMaxReaders)
        return false;
      worklist.push_back(op->getResult(0));
    }
  }
  return true;
}

DispatchPlan::Reason DispatchPlan::joinElements(Group &group, Operation *op) {
  std::optional<SmallVector<OpOperand *>> operands =
      getOperandsOf(*this, group, op);
  if (!operands)
    return "it gathers";
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  std::optional<SmallVector<unsigned>> order;
  if (linalgOp)
    order = getResultOrder(linalgOp);
  bool hasShape = false, readsOnce = true;
  for (OpOperand *operand : *operands) {
    bool isTop = group.tops.contains(operand->get().getDefiningOp());
    bool isEqual =
        linalgOp && order &&
        linalgOp.getMatchingIndexingMap(operand).isIdentity() &&
        linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0))
            .isIdentity();
    std::optional<SmallVector<unsigned>> read;
    if (linalgOp)
      read = getLoopOrder(linalgOp, *operand);
    hasShape |= isTop && isEqual;
    readsOnce &=
        read && read->size() == getLongLoops(linalgOp).size() &&
        getRole(skipReshapes(operand->get()).getDefiningOp()) != Role::Mover;
  }
  if (group.expensive && !readsOnce)
    return "work would be repeated";
  if (!hasShape) {
    for (Operation *top : group.tops)
      for (Value result : top->getResults())
        if (!isOnlyReadBy(group, result, op))
          return "others read its operand, too, which has another shape";
    group.tops.clear();
  }
  group.tops.insert(op);
  return nullptr;
}
