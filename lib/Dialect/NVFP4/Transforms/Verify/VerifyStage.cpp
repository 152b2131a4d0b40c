//===- VerifyStage.cpp - The contract between two stages ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a stage promises, checked: one function per stage, and one for what must
// hold everywhere. Reads only.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Contractions.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"

namespace nvfp4 {
#define GEN_PASS_DEF_VERIFYSTAGEPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace nvfp4 {
namespace {

bool isEntry(func::FuncOp func) {
  return func.isPublic() && !func.isDeclaration();
}

/// Ops that may carry a block-scaled value without looking inside.
bool mayCarryBlockTensors(Operation *op) {
  return isa<NVFP4Dialect, func::FuncDialect, scf::SCFDialect,
             cf::ControlFlowDialect>(op->getDialect()) ||
         isa<arith::SelectOp, ub::PoisonOp>(op);
}

/// Everywhere: a generic op would tear codes from scales.
LogicalResult verifyCarriers(Operation *op) {
  auto isBlocks = llvm::IsaPred<BlockTensorType>;
  bool hasBlocks = llvm::any_of(op->getOperandTypes(), isBlocks) ||
                   llvm::any_of(op->getResultTypes(), isBlocks);
  if (!hasBlocks || (op->getDialect() && mayCarryBlockTensors(op)))
    return success();
  return op->emitOpError(
      "expected only ops of nvfp4, func, scf, cf, arith.select and ub.poison "
      "to carry block-scaled tensors");
}

LogicalResult verifyNormalized(Operation *op) {
  if (isa<cf::AssertOp>(op) && !isa<func::FuncOp>(op->getParentOp()))
    return op->emitOpError(
        "expected no assert below function level after Normalize");
  if (isa<tensor::ReshapeOp>(op))
    return op->emitOpError("expected expand_shape or collapse_shape after "
                           "Normalize");
  // Every later pass looks at one function.
  if (auto call = dyn_cast<func::CallOp>(op))
    return op->emitOpError("expected no calls after Normalize; ")
           << "@" << call.getCallee()
           << " is recursive, external or has several blocks";
  auto func = dyn_cast<func::FuncOp>(op);
  if (!func || !isEntry(func))
    return success();
  for (BlockArgument arg : func.getArguments()) {
    auto type = dyn_cast<ShapedType>(arg.getType());
    if (type && type.hasRank() && !type.hasStaticShape() &&
        !func.getArgAttr(arg.getArgNumber(), kShapeAttrName))
      return func.emitOpError("expected ")
             << kShapeAttrName << " on argument " << arg.getArgNumber()
             << ", whose type is " << type;
  }
  return success();
}

LogicalResult verifyDecided(Operation *op) {
  if (!analyzeContraction(op) || op->hasAttr(kPrecisionAttrName))
    return success();
  return op->emitOpError("expected a precision on every contraction after "
                         "Policy");
}

LogicalResult verifyQuantized(Operation *op) {
  if (op->hasAttr(kPrecisionAttrName))
    return op->emitOpError("expected no ")
           << kPrecisionAttrName << " after Quantize";
  auto func = dyn_cast<func::FuncOp>(op);
  if (func && isEntry(func) && !func->hasAttr(kEntryAttrName))
    return func.emitOpError("expected ")
           << kEntryAttrName << " on every entry after Quantize";
  return success();
}

LogicalResult verifyKernels(Operation *op) {
  auto matmul = dyn_cast<MatmulOp>(op);
  if (!matmul)
    return success();
  // A linear left operand is one that is decoded, which a right one is only
  // beside such a one.
  auto isLinear = [](Value operand) {
    auto type = dyn_cast<BlockTensorType>(operand.getType());
    return type && type.getLayout() == BlockLayout::Linear;
  };
  if (isLinear(matmul.getRhs()) && !isLinear(matmul.getLhs()))
    return op->emitOpError(
               "expected no linear right operand after Kernels, but "
               "got ")
           << matmul.getRhs().getType();
  if (!op->hasAttr(kKernelAttrName))
    return op->emitOpError("expected ")
           << kKernelAttrName << " on every matmul after Kernels";
  return success();
}

/// Memory of a device is not the host's. An assert pretends to write.
LogicalResult verifyDispatched(Operation *op) {
  auto func = op->getParentOfType<func::FuncOp>();
  if (!func || func->getParentOfType<ModuleOp>()->getParentOp() ||
      isa<DispatchOp, memref::CopyOp, linalg::FillOp, cf::AssertOp>(op))
    return success();
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects || (!effects.hasEffect<MemoryEffects::Read>() &&
                   !effects.hasEffect<MemoryEffects::Write>()))
    return success();
  return op->emitOpError("expected host code to touch buffers by dispatches, "
                         "copies and fills only");
}

LogicalResult verifyLowered(Operation *op) {
  if (isa_and_nonnull<NVFP4Dialect>(op->getDialect()))
    return op->emitOpError("expected no op of nvfp4 after Lower");
  return success();
}

using Check = LogicalResult (*)(Operation *);
struct StageContract {
  StringLiteral name;
  Check check;
};
constexpr StageContract kContracts[] = {
    {"normalize", verifyNormalized}, {"policy", verifyDecided},
    {"quantize", verifyQuantized},   {"kernels", verifyKernels},
    {"dispatch", verifyDispatched},  {"lower", verifyLowered},
};

struct VerifyStagePass final : impl::VerifyStagePassBase<VerifyStagePass> {
  using Base::Base;

  void runOnOperation() override {
    const StageContract *contract =
        llvm::find_if(kContracts, [&](const StageContract &candidate) {
          return candidate.name == stage;
        });
    if (contract == std::end(kContracts)) {
      InFlightDiagnostic diag =
          getOperation()->emitError("expected the stage ");
      llvm::interleave(
          kContracts, diag,
          [&](const StageContract &candidate) { diag << candidate.name; },
          ", ");
      diag << ", but got '" << stage << "'";
      return signalPassFailure();
    }
    bool holds = true;
    getOperation()->walk([&](Operation *op) {
      holds &= succeeded(verifyCarriers(op)) && succeeded(contract->check(op));
    });
    if (!holds)
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace nvfp4
