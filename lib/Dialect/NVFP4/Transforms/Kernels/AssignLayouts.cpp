//===- AssignLayouts.cpp - Operands as matrix units read them -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gives operands of block-scaled matmuls the layout in which the chip's matrix
// unit reads them where they are made: in quantizations of activations, and in
// the packing functions of weights. That is the tiled layout, but for weights
// of a unit that multiplies 16-bit operands the one of its registers, and for
// its activations, which are decoded before the product, the linear one. Plain
// activations of such a unit, and of one with tensor memory, become bf16.
//
// Expects: quantized IR; arguments with `nvfp4.packed` name packing functions.
// Leaves:  no linear operand of an `nvfp4.matmul`, unless it is to be decoded.
// Source:  docs/Format.md, section 5.
//
//===----------------------------------------------------------------------===//

#include "RoundActivations.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Target/Chips.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace nvfp4 {
#define GEN_PASS_DEF_ASSIGNLAYOUTSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

BlockTensorType withLayout(BlockTensorType type, BlockLayout layout) {
  return BlockTensorType::get(type.getShape(), type.getFormat(), layout);
}

BlockTensorType getTypeIn(Value value, BlockLayout layout) {
  return withLayout(cast<BlockTensorType>(value.getType()), layout);
}

bool isLinear(Value value) {
  return cast<BlockTensorType>(value.getType()).getLayout() ==
         BlockLayout::Linear;
}

void emitMissed(Location loc, const Twine &reason) {
  std::string text = reason.str();
  remark::missed(loc,
                 remark::RemarkOpts::name("AssignLayouts").category("nvfp4"))
      << text;
}

/// The name of the packing function of an entry's argument; null for any other
/// value.
FlatSymbolRefAttr getPackedBy(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function =
      argument
          ? dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp())
          : func::FuncOp();
  if (!function || !argument.getOwner()->isEntryBlock())
    return {};
  return function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(),
                                                      kPackedAttrName);
}

class AssignLayoutsPass final
    : public impl::AssignLayoutsPassBase<AssignLayoutsPass> {
public:
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult verify(MatmulOp op);
  /// In which the unit reads an operand.
  BlockLayout getLayoutOf(OpOperand &operand);
  /// `value` in a layout: itself if its maker can write that.
  Value getValueIn(Value value, BlockLayout layout);
  void layPackedOut(FlatSymbolRefAttr packedBy, BlockLayout layout);
  /// Other users than matmuls of a value whose layout has changed.
  void restoreOtherUsers(Value value);

  /// Whether the unit reads weights from registers, and whether it multiplies
  /// block-scaled operands: otherwise what a run quantizes is decoded.
  bool readsRegisters = false, readsBlocks = true;
  /// What stands for a value in matmuls.
  llvm::DenseMap<std::pair<Value, unsigned>, Value> known;
  /// Values whose type has changed under their users.
  llvm::SetVector<Value> changed;
};

} // namespace

/// Makes a packing function return a layout.
static void setPackedLayout(func::FuncOp function, BlockLayout layout) {
  Operation *terminator = function.front().getTerminator();
  Value result = terminator->getOperand(0);
  BlockTensorType type = getTypeIn(result, layout);
  if (result.getDefiningOp<QuantizeOp>() && result.hasOneUse()) {
    result.setType(type);
  } else {
    OpBuilder builder(terminator);
    terminator->setOperand(
        0, RelayoutOp::create(builder, result.getLoc(), type, result));
  }
  function.setType(FunctionType::get(function.getContext(),
                                     function.getArgumentTypes(), {type}));
}

/// Of all entries, the arguments that a packing function makes: they are one
/// tensor of the package.
void AssignLayoutsPass::layPackedOut(FlatSymbolRefAttr packedBy,
                                     BlockLayout layout) {
  ModuleOp module = getOperation();
  if (auto function = module.lookupSymbol<func::FuncOp>(packedBy.getAttr()))
    setPackedLayout(function, layout);
  ++numWeights;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    for (BlockArgument argument : function.getArguments())
      if (getPackedBy(argument) == packedBy) {
        argument.setType(getTypeIn(argument, layout));
        changed.insert(argument);
      }
    function.setType(FunctionType::get(module.getContext(),
                                       function.front().getArgumentTypes(),
                                       function.getResultTypes()));
  }
}

Value AssignLayoutsPass::getValueIn(Value value, BlockLayout layout) {
  auto type = dyn_cast<BlockTensorType>(value.getType());
  if (!type || type.getLayout() == layout)
    return value;
  Value &laidOut = known[{value, static_cast<unsigned>(layout)}];
  if (laidOut)
    return laidOut;
  FlatSymbolRefAttr packedBy = getPackedBy(value);
  if (packedBy && isLinear(value)) {
    layPackedOut(packedBy, layout);
    return value;
  }
  // Kernels quantize to the layout of activations.
  if (value.getDefiningOp<QuantizeOp>() && isLinear(value) &&
      layout == BlockLayout::Tiled) {
    ++numQuantized;
    value.setType(getTypeIn(value, layout));
    changed.insert(value);
    return value;
  }
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  auto cast = value.getDefiningOp<CastOp>();
  bool isCastOfStatic =
      cast &&
      ShapedType::isStatic(cast.getSource().getType().getShape().back());
  if (isCastOfStatic && layout == BlockLayout::Tiled) {
    Value source = getValueIn(cast.getSource(), layout);
    Value result = CastOp::create(builder, cast.getLoc(),
                                  getTypeIn(value, layout), source);
    return known[{value, static_cast<unsigned>(layout)}] = result;
  }
  ++numRelayouts;
  emitMissed(value.getLoc(), "laid out anew in every run: expected an operand "
                             "of a matmul that a quantization or a packing "
                             "function makes");
  return laidOut = RelayoutOp::create(builder, value.getLoc(),
                                      getTypeIn(value, layout), value);
}

void AssignLayoutsPass::restoreOtherUsers(Value value) {
  for (Operation *user : llvm::make_early_inc_range(value.getUsers()))
    if (isOpTriviallyDead(user))
      user->erase();
  auto readsLinear = [](OpOperand &use) {
    Operation *user = use.getOwner();
    // A cast that a matmul reads has been made of the tiled value.
    return !isa<MatmulOp, DimOp, RelayoutOp>(user) &&
           !(isa<CastOp>(user) && !isLinear(user->getResult(0)));
  };
  auto other = llvm::find_if(value.getUses(), readsLinear);
  if (other == value.use_end())
    return;
  ++numRelayouts;
  emitMissed(value.getLoc(),
             "laid out anew in every run: expected only matmuls to use it, "
             "but got '" +
                 other->getOwner()->getName().getStringRef() + "'");
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  auto linear = RelayoutOp::create(
      builder, value.getLoc(),
      withLayout(cast<BlockTensorType>(value.getType()), BlockLayout::Linear),
      value);
  value.replaceUsesWithIf(linear, [&](OpOperand &use) {
    return use.getOwner() != linear && readsLinear(use);
  });
}

LogicalResult AssignLayoutsPass::verify(MatmulOp op) {
  for (Value operand : {op.getLhs(), op.getRhs()}) {
    auto type = dyn_cast<BlockTensorType>(operand.getType());
    if (type && type.isDynamicDim(type.getRank() - 1))
      return op.emitOpError(
                 "expected a static K, on which the padding of tiled "
                 "operands depends, but got ")
             << type;
  }
  return success();
}

/// Operands for a unit without block scales: an activation is decoded by the
/// kernel that quantizes it; a weight on its way to the unit, unless a run
/// quantizes it for a product of quantized activations.
BlockLayout AssignLayoutsPass::getLayoutOf(OpOperand &operand) {
  if (readsBlocks)
    return BlockLayout::Tiled;
  auto matmul = cast<MatmulOp>(operand.getOwner());
  bool isWeight = operand.getOperandNumber() == 1;
  bool hasBlocks = isa<BlockTensorType>(matmul.getLhs().getType());
  if (!isWeight || (hasBlocks && operand.get().getDefiningOp<QuantizeOp>()))
    return BlockLayout::Linear;
  auto type = cast<BlockTensorType>(operand.get().getType());
  bool isStatic = !type.isDynamicDim(type.getRank() - 2);
  return readsRegisters && isStatic ? BlockLayout::Registers
                                    : BlockLayout::Tiled;
}

void AssignLayoutsPass::runOnOperation() {
  known.clear();
  changed.clear();
  const ChipModel *model = findChip(chip.getValue());
  if (!chip.empty() && !model) {
    getOperation()->emitError(describeUnknownChip(chip.getValue()));
    return signalPassFailure();
  }
  readsRegisters = model && model->mmaUnit == MmaUnit::WarpgroupAsync;
  readsBlocks = !model || model->hasBlockScaledMma;
  bool copiesByMap =
      readsRegisters || (model && model->mmaUnit == MmaUnit::TensorMemory);
  SmallVector<MatmulOp> matmuls;
  getOperation()->walk([&](MatmulOp op) { matmuls.push_back(op); });
  for (MatmulOp op : matmuls)
    if (failed(verify(op)))
      return signalPassFailure();
  if (copiesByMap)
    llvm::for_each(matmuls, roundActivations);
  // Linear ones last: a value that others read tiled is then not linear.
  for (bool isLinear : {false, true})
    for (MatmulOp op : matmuls)
      for (OpOperand &operand : op->getOpOperands())
        if (isa<BlockTensorType>(operand.get().getType()))
          if (BlockLayout layout = getLayoutOf(operand);
              (layout == BlockLayout::Linear) == isLinear)
            operand.set(getValueIn(operand.get(), layout));
  for (Value value : changed)
    restoreOtherUsers(value);
}

} // namespace nvfp4
