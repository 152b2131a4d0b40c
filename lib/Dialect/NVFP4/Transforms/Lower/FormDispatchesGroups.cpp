//===- FormDispatchesGroups.cpp - Ops join groups in program order --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Groups are numbered in the order in which they run. An op that reads from
// groups 3 and 5 may join 5 or start 6: whatever else it needs is there before
// 5 runs, so no cycle can arise and nothing needs to be searched. That decides
// in one pass over the block, with one candidate for each op.
//
// Afterwards groups of elements that only one group reads move into it.
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

#include "nvfp4/Dialect/NVFP4/IR/Decoding.h"
#include "nvfp4/Dialect/NVFP4/IR/Transposes.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace nvfp4;

/// Bounds the size of a kernel, and of what is looked at for an op that joins.
constexpr size_t kMaxOps = 64;

/// Whether an op does work that should not be done again for each reader.
static bool isExpensive(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp)
    return getRole(op) != Role::Mover;
  if (linalgOp.getNumReductionLoops() > 0)
    return true;
  return llvm::any_of(*linalgOp.getBlock(), [](Operation &inner) {
    return isa_and_nonnull<math::MathDialect>(inner.getDialect());
  });
}

//===----------------------------------------------------------------------===//
// Dependences
//===----------------------------------------------------------------------===//

int64_t DispatchPlan::getOrder(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->getBlock() == &block ? getOrder(op) : -1;
}

int64_t DispatchPlan::getOrder(Operation *op) {
  if (Group *group = groupOf.lookup(op))
    return group->order;
  if (auto it = orders.find(op); it != orders.end())
    return it->second;
  // Chains of views and scalars are short; operands come first in the block.
  int64_t order = -1;
  for (Value operand : op->getOperands())
    order = std::max(order, getOrder(operand));
  if (op->getNumRegions() > 0)
    for (Value operand : getTensorOperands(op))
      order = std::max(order, getOrder(operand));
  return orders[op] = order;
}

Group *DispatchPlan::findLast(Operation *op) {
  int64_t last = -1;
  for (Value operand : getTensorOperands(op))
    last = std::max(last, getOrder(operand));
  return last < 0 ? nullptr : groups[last].get();
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

void DispatchPlan::add(Group &group, Operation *op) {
  group.ops.push_back(op);
  groupOf[op] = &group;
  group.expensive |= isExpensive(op);
}

Group &DispatchPlan::create(Operation *op, KernelSchedule schedule) {
  groups.push_back(std::make_unique<Group>());
  Group &group = *groups.back();
  group.schedule = schedule;
  group.order = groups.size() - 1;
  add(group, op);
  return group;
}

/// The operands that an op reads element by element, as it writes its results.
static SmallVector<Value> getEqualOperands(Operation *op) {
  SmallVector<Value> operands;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || getRole(op) != Role::Elementwise)
    return operands;
  for (OpOperand &init : linalgOp.getDpsInitsMutable())
    if (!linalgOp.getMatchingIndexingMap(&init).isIdentity())
      return operands;
  for (OpOperand *input : linalgOp.getDpsInputOperands())
    if (linalgOp.getMatchingIndexingMap(input).isIdentity())
      operands.push_back(input->get());
  return operands;
}

/// Joins a group that already reads the same tensor.
bool DispatchPlan::joinReader(Operation *op) {
  Group *last = findLast(op);
  for (Value operand : getEqualOperands(op)) {
    Operation *reader = readers.lookup(operand);
    Group *group = reader ? groupOf.lookup(reader) : nullptr;
    if (!group || group->schedule != KernelSchedule::Element ||
        !group->tops.contains(reader) || group->ops.size() >= kMaxOps ||
        (last && last->order > group->order))
      continue;
    group->tops.insert(op);
    add(*group, op);
    return true;
  }
  return false;
}

void DispatchPlan::startElements(Operation *op) {
  if (joinReader(op))
    return;
  Group &group = create(op, KernelSchedule::Element);
  group.tops.insert(op);
  for (Value operand : getEqualOperands(op))
    readers[operand] = op;
}

/// A matrix and its transpose are quantized together, from one read.
bool DispatchPlan::joinOtherWay(Operation *op) {
  auto quantize = dyn_cast<QuantizeIntoOp>(op);
  if (!quantize || !quantize.hasPureTensorSemantics())
    return false;
  Value matrix = getTransposed(quantize.getSource());
  bool isTurned =
      matrix && !groupOf.contains(quantize.getSource().getDefiningOp());
  if (!isTurned)
    matrix = quantize.getSource();
  (isTurned ? quantizedTurned : quantized)[matrix] = op;
  Operation *other = (isTurned ? quantized : quantizedTurned).lookup(matrix);
  Group *group = other ? groupOf.lookup(other) : nullptr;
  if (!group || group->ops.size() != 1 || getOrder(op) >= group->order)
    return false;
  add(*group, op);
  group->schedule = KernelSchedule::Block;
  group->sealed = true;
  return true;
}

/// Values that are decoded are stored by the kernel that quantizes them, unless
/// it quantizes a matrix and its transpose.
bool DispatchPlan::joinQuantization(Operation *op) {
  QuantizeIntoOp quantize = getDecodedQuantization(cast<DequantizeIntoOp>(op));
  Group *group = groupOf.lookup(quantize);
  if (!group || (group->schedule == KernelSchedule::Block &&
                 llvm::count_if(group->ops, llvm::IsaPred<QuantizeIntoOp>) > 1))
    return false;
  add(*group, op);
  return true;
}

void DispatchPlan::startRow(Operation *op) {
  if (joinOtherWay(op))
    return;
  Group &group = create(op, KernelSchedule::Row);
  group.columns = getColumns(op);
  if (!isa<QuantizeIntoOp>(op))
    for (Value result : op->getResults())
      group.alignments[result] = Alignment::PerRow;
  // Everything along the rows that the op reads is an input of the group, and
  // other readers of it find their alignment by the results.
}

/// The operands that products of one group have in common.
static ValueRange getLeftOperands(Operation *op) {
  if (auto matmul = dyn_cast<ScaledMatmulOp>(op))
    return matmul.getLhsComponents();
  return op->getOperands().take_front(1);
}

void DispatchPlan::startMatmul(Operation *op) {
  ValueRange lhs = getLeftOperands(op);
  SmallVector<Type> types(op->getOperandTypes());
  llvm::hash_code key = llvm::hash_combine(
      op->getName(), llvm::hash_combine_range(lhs),
      llvm::hash_combine_range(types), op->getAttr(kKernelAttrName));
  auto isSibling = [&](Group *group) {
    Operation *root = group->roots.front();
    return isa<ScaledMatmulOp>(op) && root->getName() == op->getName() &&
           getLeftOperands(root) == lhs &&
           llvm::equal(root->getOperandTypes(), types) &&
           root->getAttr(kKernelAttrName) == op->getAttr(kKernelAttrName) &&
           group->ops.size() < kMaxOps && getOrder(op) < group->order;
  };
  SmallVector<Group *, 1> &candidates = siblings[key];
  auto *found = llvm::find_if(candidates, isSibling);
  Group *group;
  if (found != candidates.end()) {
    group = *found;
    add(*group, op);
  } else {
    group = &create(op, KernelSchedule::Matmul);
    group->kernels = op->getAttrOfType<ArrayAttr>(kKernelAttrName);
    candidates.push_back(group);
  }
  group->placements[op->getResult(0)] = {unsigned(group->roots.size()), 0};
  group->roots.push_back(op);
}

/// Remembers which ops wait for the end of their attention.
LogicalResult DispatchPlan::findAttentions() {
  for (Operation &op : block) {
    if (!isAttention(&op))
      continue;
    Attention attention;
    if (std::optional<std::string> reason = findAttention(&op, attention))
      return op.emitOpError("expected the end of an attention, as its ")
             << kKernelAttrName << " says, but " << *reason;
    for (Operation *member : attention.ops)
      ends[member] = &op;
    attentions[&op] = std::move(attention.ops);
  }
  return success();
}

/// All ops of an attention at its end: what they read is there by then, and
/// nobody else reads them.
void DispatchPlan::startAttention(Operation *end) {
  ArrayRef<Operation *> ops = attentions[end];
  Group &group = create(ops.front(), KernelSchedule::Attention);
  for (Operation *op : ops.drop_front())
    add(group, op);
  group.kernels = end->getAttrOfType<ArrayAttr>(kKernelAttrName);
  group.placements[end->getResult(0)] = {0, 0};
  group.roots.push_back(end);
}

//===----------------------------------------------------------------------===//
// In program order
//===----------------------------------------------------------------------===//

void DispatchPlan::remark(Operation *op, const Group &group, Reason reason) {
  remark::missed(op->getLoc(), remark::RemarkOpts::name("FormDispatches")
                                   .category("nvfp4")
                                   .subCategory("fusion"))
      << (Twine("'") + op->getName().getStringRef() + "' does not join '" +
          group.ops.front()->getName().getStringRef() + "': " + reason)
             .str();
}

/// Somebody needs the whole buffer: what is behind `value` becomes part of a
/// group.
void DispatchPlan::materialize(Value value) {
  Operation *op = skipReshapes(value).getDefiningOp();
  if (!op || op->getBlock() != &block || groupOf.contains(op))
    return;
  Role role = getRole(op);
  if (role != Role::Mover && role != Role::Free)
    return;
  if (isa<tensor::EmptyOp>(op))
    return;
  join(op, Role::Elementwise);
}

/// Ops that read buffers; what sums start with is no buffer.
void DispatchPlan::materializeOperands(Operation *op) {
  if (isa<tensor::DimOp>(op))
    return;
  auto dps = dyn_cast<DestinationStyleOpInterface>(op);
  for (Value operand : getTensorOperands(op)) {
    Operation *def = operand.getDefiningOp();
    bool isStart = dps && def && getRole(def) == Role::Free &&
                   llvm::is_contained(dps.getDpsInits(), operand);
    if (!isStart)
      materialize(operand);
  }
}

/// A kernel repeats a chain of moves, and so does each reader of it.
void DispatchPlan::limitDepth(Operation *mover) {
  constexpr unsigned kMaxDepth = 16;
  unsigned depth = 1;
  for (Value operand : getTensorOperands(mover))
    if (Operation *source = skipReshapes(operand).getDefiningOp())
      depth = std::max(depth, depths.lookup(source) + 1);
  if (depth <= kMaxDepth)
    depths[mover] = depth;
  else
    materialize(mover->getResult(0));
}

/// Transpositions between a product and rows: the product stores its elements
/// where rows are contiguous.
void DispatchPlan::pushMovers(Group &group, Operation *op) {
  for (Value operand : getTensorOperands(op)) {
    Operation *mover = skipReshapes(operand).getDefiningOp();
    if (mover && getOrder(mover) == group.order && !groupOf.contains(mover) &&
        getRole(mover) == Role::Mover && !joinMatmul(group, mover))
      add(group, mover);
  }
}

void DispatchPlan::join(Operation *op, Role role) {
  auto start = [&] {
    if (role == Role::Row)
      startRow(op);
    else
      startElements(op);
  };
  Group *group = findLast(op);
  if (!group)
    return start();
  if (role == Role::Row && group->schedule == KernelSchedule::Matmul)
    pushMovers(*group, op);
  Reason reason = "it is computed alone";
  if (group->ops.size() >= kMaxOps)
    reason = "the kernel is large enough";
  else if (!group->sealed)
    switch (group->schedule) {
    case KernelSchedule::Stream:
    case KernelSchedule::Matmul:
    case KernelSchedule::Attention:
      reason = joinMatmul(*group, op);
      break;
    case KernelSchedule::Row:
      reason = joinRow(*group, op, role);
      break;
    case KernelSchedule::Element:
      reason =
          role == Role::Row ? becomeRow(*group, op) : joinElements(*group, op);
      break;
    case KernelSchedule::Block:
      break;
    }
  if (!reason)
    return add(*group, op);
  remark(op, *group, reason);
  start();
}

LogicalResult DispatchPlan::visit(Operation *op) {
  if (Operation *end = ends.lookup(op)) {
    if (op == end)
      startAttention(op);
    return success();
  }
  Role role = getRole(op);
  switch (role) {
  case Role::View:
  case Role::Free:
  case Role::Mover:
    // Remembered here, in program order, so that no chain is ever followed.
    getOrder(op);
    if (role == Role::Mover)
      limitDepth(op);
    return success();
  case Role::Host:
  case Role::Matmul:
  case Role::Alone:
  case Role::Block:
    materializeOperands(op);
    break;
  case Role::Elementwise:
  case Role::Row:
  case Role::FullReduction:
  case Role::Reduction:
  case Role::Decode:
    break;
  case Role::Unknown:
    return op->emitError("expected an op that a kernel can compute, but got '")
           << op->getName() << "'";
  }
  switch (role) {
  case Role::Matmul:
    startMatmul(op);
    break;
  case Role::Elementwise:
  case Role::Row:
    join(op, role);
    break;
  case Role::Reduction:
    startElements(op);
    break;
  case Role::FullReduction:
    create(op, KernelSchedule::Row).sealed = true;
    break;
  case Role::Decode:
    if (joinQuantization(op))
      break;
    [[fallthrough]];
  case Role::Alone:
    create(op, KernelSchedule::Element).sealed = true;
    break;
  case Role::Block:
    create(op, KernelSchedule::Block).sealed = true;
    break;
  case Role::Host:
  case Role::View:
  case Role::Free:
  case Role::Mover:
  case Role::Unknown:
    break;
  }
  return success();
}

LogicalResult DispatchPlan::run() {
  if (failed(findAttentions()))
    return failure();
  for (Operation &op : block)
    if (failed(visit(&op)))
      return failure();
  sinkElements();
  renumber();
  return success();
}

//===----------------------------------------------------------------------===//
// Afterwards
//===----------------------------------------------------------------------===//

/// The one group that reads results of `group`; null if there are several, or
/// host code does.
Group *DispatchPlan::findOnlyReader(Group &group) {
  Group *only = nullptr;
  SmallVector<Value> worklist;
  llvm::SmallPtrSet<Operation *, 8> seen;
  for (Operation *op : group.ops)
    llvm::append_range(worklist, op->getResults());
  while (!worklist.empty()) {
    for (Operation *user : worklist.pop_back_val().getUsers()) {
      Operation *reader = block.findAncestorOpInBlock(*user);
      // Gathers read anywhere; many readers are not worth following.
      if (reader != user || seen.size() > kMaxOps)
        return nullptr;
      Group *readerGroup = groupOf.lookup(reader);
      if (readerGroup == &group || !seen.insert(reader).second)
        continue;
      Role role = getRole(reader);
      if (!readerGroup && (role == Role::View || role == Role::Mover))
        llvm::append_range(worklist, reader->getResults());
      else if (!readerGroup || (only && only != readerGroup))
        return nullptr;
      else
        only = readerGroup;
    }
  }
  return only;
}

/// Whether an attention reads `group` as queries alone: each CTA reads its row
/// once, while keys and values are read by the rows of all heads that share
/// them.
bool DispatchPlan::makesQueries(const Group &group, const Group &attention) {
  auto scores = cast<linalg::LinalgOp>(attention.ops.front());
  auto isBehind = [&](Value value) {
    SmallVector<Value> worklist{value};
    llvm::SmallPtrSet<Operation *, 8> seen;
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val().getDefiningOp();
      if (!op || op->getBlock() != &block || !seen.insert(op).second)
        continue;
      if (Group *other = groupOf.lookup(op)) {
        if (other == &group)
          return true;
        continue;
      }
      llvm::append_range(worklist, getTensorOperands(op));
    }
    return false;
  };
  return llvm::none_of(attention.ops, [&](Operation *op) {
    return llvm::any_of(op->getOpOperands(), [&](OpOperand &operand) {
      return &operand != getQueries(scores) && isBehind(operand.get());
    });
  });
}

/// Moves groups of cheap elements into their only reader. From the last to the
/// first, so that what reads them has moved already.
void DispatchPlan::sinkElements() {
  auto sums = [](Group &group) {
    return llvm::any_of(group.ops, [](Operation *op) {
      return getRole(op) == Role::Reduction;
    });
  };
  for (auto &group : llvm::reverse(groups)) {
    if (group->sealed || group->expensive ||
        group->schedule != KernelSchedule::Element)
      continue;
    Group *reader = findOnlyReader(*group);
    if (!reader || reader->sealed || sums(*reader) ||
        reader->ops.size() + group->ops.size() > kMaxOps ||
        (reader->schedule != KernelSchedule::Element &&
         reader->schedule != KernelSchedule::Row &&
         (reader->schedule != KernelSchedule::Attention ||
          !makesQueries(*group, *reader))))
      continue;
    for (Operation *op : group->ops)
      add(*reader, op);
    group->ops.clear();
  }
}

void DispatchPlan::renumber() {
  llvm::erase_if(groups, [](auto &group) { return group->ops.empty(); });
  orders.clear();
  for (auto [order, group] : llvm::enumerate(groups)) {
    group->order = order;
    llvm::sort(group->ops, [](Operation *lhs, Operation *rhs) {
      return lhs->isBeforeInBlock(rhs);
    });
  }
}
