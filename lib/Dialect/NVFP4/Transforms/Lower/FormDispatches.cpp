//===- FormDispatches.cpp - Groups of tensor ops become kernels -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splits a program in two: functions on tensors that say what kernels compute,
// and host code that orders them.
//
// Expects: expanded and fused entry functions on tensors, one block.
// Leaves:  entry functions of dispatches, empty tensors, reshapes and
//          arithmetic on dimensions; `module @kernels`.
//
//===----------------------------------------------------------------------===//

#include "FormDispatches.h"

#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace nvfp4 {
#define GEN_PASS_DEF_FORMDISPATCHESPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

namespace {
class FormDispatchesPass final
    : public nvfp4::impl::FormDispatchesPassBase<FormDispatchesPass> {
  void runOnOperation() override {
    if (Operation *other = getOperation().lookupSymbol(kKernelsName)) {
      other->emitError("expected no symbol '") << kKernelsName << "' yet";
      return signalPassFailure();
    }
    KernelOutliner outliner(getOperation());
    SmallVector<func::FuncOp> entries;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (isEntryFunction(func))
        entries.push_back(func);
    for (func::FuncOp func : entries)
      if (failed(form(func, outliner)))
        return signalPassFailure();
    numDispatches += outliner.numDispatches;
    numKernels += outliner.numKernels;
  }

  LogicalResult form(func::FuncOp func, KernelOutliner &outliner) {
    if (!func.getBody().hasOneBlock())
      return func.emitError("expected an entry function of one block, but got ")
             << func.getBody().getBlocks().size();
    ExtentResolver extents(func);
    if (failed(extents.readEntry()))
      return failure();
    extents.replaceDims();
    DispatchPlan plan(func.getBody().front(), extents);
    if (failed(plan.run()))
      return failure();
    return outliner.outline(func, plan, extents);
  }
};
} // namespace
