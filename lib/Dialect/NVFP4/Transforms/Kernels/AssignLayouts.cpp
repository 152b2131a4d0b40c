//===- AssignLayouts.cpp - Operands as matrix units read them -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gives operands of block-scaled matmuls the tiled layout where they are made:
// in quantizations of activations, and in the packing functions of weights.
//
// Expects: quantized IR; arguments with `nvfp4.packed` name packing functions.
// Leaves:  no linear operand of an `nvfp4.matmul`.
// Source:  docs/Format.md, section 5.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

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

BlockTensorType getTiled(Value value) {
  return withLayout(cast<BlockTensorType>(value.getType()), BlockLayout::Tiled);
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
  /// `value` with its scales tiled: itself if its maker can write that.
  Value getTiledValue(Value value);
  void tilePacked(FlatSymbolRefAttr packedBy);
  /// Other users than matmuls of a value that became tiled.
  void restoreOtherUsers(Value value);

  /// What stands for a value in matmuls.
  llvm::DenseMap<Value, Value> tiled;
  /// Values whose type has changed under their users.
  llvm::SetVector<Value> changed;
};

} // namespace

/// Makes a packing function return the tiled layout.
static void tilePackingFunction(func::FuncOp function) {
  Operation *terminator = function.front().getTerminator();
  Value result = terminator->getOperand(0);
  BlockTensorType type = getTiled(result);
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
void AssignLayoutsPass::tilePacked(FlatSymbolRefAttr packedBy) {
  ModuleOp module = getOperation();
  if (auto function = module.lookupSymbol<func::FuncOp>(packedBy.getAttr()))
    tilePackingFunction(function);
  ++numWeights;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    for (BlockArgument argument : function.getArguments())
      if (getPackedBy(argument) == packedBy) {
        argument.setType(getTiled(argument));
        tiled[argument] = argument;
        changed.insert(argument);
      }
    function.setType(FunctionType::get(module.getContext(),
                                       function.front().getArgumentTypes(),
                                       function.getResultTypes()));
  }
}

Value AssignLayoutsPass::getTiledValue(Value value) {
  auto type = dyn_cast<BlockTensorType>(value.getType());
  if (!type || type.getLayout() == BlockLayout::Tiled)
    return value;
  if (Value known = tiled.lookup(value))
    return known;
  if (FlatSymbolRefAttr packedBy = getPackedBy(value)) {
    tilePacked(packedBy);
    return value;
  }
  if (value.getDefiningOp<QuantizeOp>()) {
    ++numQuantized;
    value.setType(getTiled(value));
    changed.insert(value);
    return value;
  }
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  auto cast = value.getDefiningOp<CastOp>();
  bool isCastOfStatic =
      cast &&
      ShapedType::isStatic(cast.getSource().getType().getShape().back());
  if (isCastOfStatic) {
    Value source = getTiledValue(cast.getSource());
    return tiled[value] =
               CastOp::create(builder, cast.getLoc(), getTiled(value), source);
  }
  ++numRelayouts;
  emitMissed(value.getLoc(), "laid out anew in every run: expected an operand "
                             "of a matmul that a quantization or a packing "
                             "function makes");
  return tiled[value] = RelayoutOp::create(builder, value.getLoc(),
                                           getTiled(value), value);
}

void AssignLayoutsPass::restoreOtherUsers(Value value) {
  for (Operation *user : llvm::make_early_inc_range(value.getUsers()))
    if (isOpTriviallyDead(user))
      user->erase();
  auto readsLinear = [](OpOperand &use) {
    Operation *user = use.getOwner();
    // A cast that a matmul reads has been made of the tiled value.
    return !isa<MatmulOp, DimOp>(user) &&
           !(isa<CastOp>(user) &&
             cast<BlockTensorType>(user->getResult(0).getType()).getLayout() ==
                 BlockLayout::Tiled);
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

void AssignLayoutsPass::runOnOperation() {
  tiled.clear();
  changed.clear();
  SmallVector<MatmulOp> matmuls;
  getOperation()->walk([&](MatmulOp op) { matmuls.push_back(op); });
  for (MatmulOp op : matmuls)
    for (Value operand : {op.getLhs(), op.getRhs()}) {
      auto type = dyn_cast<BlockTensorType>(operand.getType());
      if (type && type.isDynamicDim(type.getRank() - 1)) {
        op.emitOpError("expected a static K, on which the padding of tiled "
                       "operands depends, but got ")
            << type;
        return signalPassFailure();
      }
    }
  for (MatmulOp op : matmuls)
    for (OpOperand &operand : op->getOpOperands())
      operand.set(getTiledValue(operand.get()));
  for (Value value : changed)
    restoreOtherUsers(value);
}

} // namespace nvfp4
