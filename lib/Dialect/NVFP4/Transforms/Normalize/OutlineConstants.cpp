//===- OutlineConstants.cpp - Large constants become weights --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weight bytes must not become LLVM constants, so a large dense constant
// becomes an entry argument that names a tensor of the package, like any other
// weight. The bytes wait in the module attribute `nvfp4.constants` for the
// package writer.
//
// Expects: every function that is called is inlined.
// Leaves:  no arith.constant above the threshold in an entry.
//
//===----------------------------------------------------------------------===//

#include "EntryAttributes.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_OUTLINECONSTANTSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

/// The bytes a constant would occupy in a file; 0 if a scalar stands for all of
/// it (a splat).
static int64_t getStoredBytes(ElementsAttr elements) {
  Type type = elements.getElementType();
  if (elements.isSplat() || !type.isIntOrIndexOrFloat())
    return 0;
  int64_t bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return elements.getNumElements() * llvm::divideCeil(bits, 8);
}

static void collectNames(Location loc, std::string &name) {
  if (!name.empty())
    return;
  if (auto named = dyn_cast<NameLoc>(loc))
    name = named.getName().str();
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNames(part, name);
  else if (auto call = dyn_cast<CallSiteLoc>(loc))
    collectNames(call.getCallee(), name);
}

namespace {
struct OutlineConstantsPass final
    : nvfp4::impl::OutlineConstantsPassBase<OutlineConstantsPass> {
  using Base::Base;

  void runOnOperation() override;

private:
  void outline(func::FuncOp func, ArrayRef<arith::ConstantOp> constants);
  std::string makeUniqueName(Location loc);

  /// Attributes are unique in their context, so equal constants are one key.
  llvm::MapVector<Attribute, std::string> names;
  llvm::StringSet<> usedNames;
};
} // namespace

std::string OutlineConstantsPass::makeUniqueName(Location loc) {
  std::string base;
  collectNames(loc, base);
  base = "constant." + (base.empty() ? std::to_string(names.size()) : base);
  std::string name = base;
  for (unsigned suffix = 1; !usedNames.insert(name).second; ++suffix)
    name = base + "." + std::to_string(suffix);
  return name;
}

void OutlineConstantsPass::outline(func::FuncOp func,
                                   ArrayRef<arith::ConstantOp> constants) {
  Builder builder(func.getContext());
  llvm::DenseMap<Attribute, Value> arguments;
  for (arith::ConstantOp op : constants) {
    Attribute elements = op.getValue();
    auto it = names.find(elements);
    if (it == names.end())
      it = names.insert({elements, makeUniqueName(op.getLoc())}).first;
    Value &argument = arguments[elements];
    if (!argument) {
      unsigned number = func.getNumArguments();
      auto attributes = builder.getDictionaryAttr(builder.getNamedAttr(
          kWeightAttrName, builder.getStringAttr(it->second)));
      // Fails only for types that disagree with the body, which is ours.
      LogicalResult inserted =
          func.insertArgument(number, op.getType(), attributes, op.getLoc());
      (void)inserted;
      argument = func.getArgument(number);
      ++numOutlined;
    }
    remark::passed(op.getLoc(), remark::RemarkOpts::name("OutlineConstants")
                                    .category("nvfp4")
                                    .function(func.getName()))
        << "constant of type " << remark::metric("Type", Type(op.getType()))
        << " becomes the weight '" << it->second << "'";
    op.getResult().replaceAllUsesWith(argument);
    op.erase();
  }
}

void OutlineConstantsPass::runOnOperation() {
  ModuleOp module = getOperation();
  names.clear();
  usedNames.clear();
  // Names that the module has already, from weights or from an earlier run.
  SmallVector<NamedAttribute> stored;
  if (auto old = module->getAttrOfType<DictionaryAttr>(kConstantsAttrName))
    llvm::append_range(stored, old);
  for (NamedAttribute entry : stored)
    usedNames.insert(entry.getName());
  for (func::FuncOp func : module.getOps<func::FuncOp>())
    for (BlockArgument argument : func.getArguments())
      if (auto name = func.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                        kWeightAttrName))
        usedNames.insert(name);

  for (func::FuncOp func : module.getOps<func::FuncOp>()) {
    SmallVector<arith::ConstantOp> constants;
    func.walk([&](arith::ConstantOp op) {
      auto elements = dyn_cast<ElementsAttr>(op.getValue());
      if (elements && getStoredBytes(elements) > threshold)
        constants.push_back(op);
    });
    if (constants.empty())
      continue;
    if (!isEntry(func)) {
      constants.front().emitOpError("expected large constants only in entry "
                                    "functions, but got ")
          << constants.front().getType() << " in '" << func.getName()
          << "', which is not inlined";
      return signalPassFailure();
    }
    outline(func, constants);
  }
  for (auto &[elements, name] : names)
    stored.emplace_back(StringAttr::get(&getContext(), name), elements);
  if (!stored.empty())
    module->setAttr(kConstantsAttrName,
                    DictionaryAttr::get(&getContext(), stored));
}
