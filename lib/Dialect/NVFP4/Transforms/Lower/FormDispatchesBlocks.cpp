//===- FormDispatchesBlocks.cpp - Quantizations behind products -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel of a product writes codes and scales of its results where a thread
// has whole blocks of them: blocks lie along the product's columns, in a tile,
// and the global scale does not depend on the results.
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

#include "nvfp4/Support/RegisterLayout.h"

using namespace mlir;
using namespace nvfp4;

/// Whether the dimensions behind the first of the last one's group are static:
/// what a reshape does to columns is known.
static bool hasKnownColumns(RankedTensorType type,
                            ArrayRef<ReassociationIndices> groups) {
  return llvm::none_of(ArrayRef(groups.back()).drop_front(),
                       [&](int64_t dim) { return type.isDynamicDim(dim); });
}

/// Whether a reshape's columns are those before it, or parts or multiples of
/// which it knows where they are.
static bool hasKnownColumns(Operation *view) {
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(view))
    return hasKnownColumns(expand.getResultType(),
                           expand.getReassociationIndices());
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(view))
    return hasKnownColumns(collapse.getSrcType(),
                           collapse.getReassociationIndices());
  return true;
}

/// The operand that holds the elements of the group, if results have its
/// columns.
static Value getSourceOfColumns(linalg::LinalgOp op, Value result,
                                function_ref<bool(Value)> isOfGroup) {
  OpOperand *init =
      op.getDpsInitOperand(cast<OpResult>(result).getResultNumber());
  AffineMap to = op.getMatchingIndexingMap(init);
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isOfGroup(input->get()))
      continue;
    AffineMap from = op.getMatchingIndexingMap(input);
    bool keeps = from.getNumResults() > 0 && to.getNumResults() > 0 &&
                 from.getResults().back() == to.getResults().back();
    return keeps ? input->get() : Value();
  }
  return Value();
}

/// Whether `columns` neighbours in a row of `value`, from a multiple of
/// `columns`, are that in a row of the product, too.
bool DispatchPlan::keepsBlocks(Group &group, Value value, int64_t columns) {
  while (true) {
    auto type = cast<RankedTensorType>(value.getType());
    Operation *op = value.getDefiningOp();
    if (!op || type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1) ||
        type.getShape().back() % columns != 0)
      return false;
    if (llvm::is_contained(group.roots, op))
      return true;
    if (getRole(op) == Role::View) {
      if (!hasKnownColumns(op))
        return false;
      value = op->getOperand(0);
      continue;
    }
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (linalgOp)
      value = getSourceOfColumns(linalgOp, value, [&](Value input) {
        return getPlacement(group, input).has_value();
      });
    if (!linalgOp || !value)
      return false;
  }
}

/// Columns of the result that a CTA has.
static int64_t getTileColumns(KernelAttr kernel) {
  if (kernel.getSchedule() == KernelSchedule::Stream)
    return kRegisterTileRows / kernel.getClusters();
  return kernel.getTile()[1];
}

DispatchPlan::Reason DispatchPlan::quantizeMatmul(Group &group,
                                                  QuantizeIntoOp op) {
  int64_t columns = op.getBlockType().getFormat().getBlockColumns();
  if (group.schedule == KernelSchedule::Attention)
    return "an attention leaves its results as they are";
  for (Value input : op.getInputs().drop_front())
    if (getOrder(input) == group.order)
      return "its global scale is known behind all of the product";
  if (op.getBlockType().getLayout() == BlockLayout::Registers)
    return "its codes do not lie in rows";
  if (!getPlacement(group, op.getSource()) ||
      !keepsBlocks(group, op.getSource(), columns))
    return "its blocks are not part of the product's rows";
  if (group.kernels)
    for (auto kernel : group.kernels.getAsRange<KernelAttr>())
      if (getTileColumns(kernel) % columns != 0)
        return "its blocks are larger than what a CTA has of the product's "
               "rows";
  return nullptr;
}
