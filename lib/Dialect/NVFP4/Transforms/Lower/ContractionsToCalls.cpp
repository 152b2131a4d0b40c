//===- ContractionsToCalls.cpp - Let the runtime multiply -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: linalg on buffers in entry functions.
// Leaves:  `nvfp4.gemm` where a contraction is a batch of products of matrices.
//          Contractions in loops and regions stay, since a call returns a
//          status, and only an entry function can pass it on.
//
//===----------------------------------------------------------------------===//

#include "MatchContraction.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/GemmDims.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace nvfp4 {
#define GEN_PASS_DEF_CONTRACTIONSTOCALLSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

/// The buffer that a memref is a part of.
static Value getBuffer(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

/// Whether an op, or one nested in it, uses a part of `buffer`.
static bool touches(Operation *op, Value buffer) {
  return op
      ->walk([&](Operation *nested) {
        bool isUser = llvm::any_of(nested->getOperands(), [&](Value operand) {
          return isa<MemRefType>(operand.getType()) &&
                 getBuffer(operand) == buffer;
        });
        return isUser ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether an op does nothing but write zero to all elements of `memref`.
static bool isZeroFill(Operation *op, Value memref) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInits() != 1 ||
      linalgOp.getDpsInits()[0] != memref ||
      !linalgOp.getIndexingMapsArray().back().isIdentity())
    return false;
  Value yielded = linalgOp.getBlock()->getTerminator()->getOperand(0);
  // The block argument of a fill stands for its scalar.
  if (auto argument = dyn_cast<BlockArgument>(yielded))
    if (argument.getOwner() == linalgOp.getBlock())
      yielded = linalgOp->getOperand(argument.getArgNumber());
  return matchPattern(yielded, m_PosZeroFloat());
}

/// The op before `op` that fills `memref` with zeros, if nobody uses the buffer
/// in between.
static Operation *findZeroFill(Operation *op, Value memref) {
  // A fill is cloned for its use, so that it is near.
  constexpr int kMaxDistance = 32;
  Value buffer = getBuffer(memref);
  for (int i = 0; i < kMaxDistance; ++i) {
    op = op->getPrevNode();
    if (!op)
      return nullptr;
    if (isZeroFill(op, memref))
      return op;
    if (!isa<ViewLikeOpInterface>(op) && touches(op, buffer))
      return nullptr;
  }
  return nullptr;
}

namespace {
class ContractionsToCallsPass final
    : public nvfp4::impl::ContractionsToCallsPassBase<ContractionsToCallsPass> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (!isEntryFunction(func))
      return;
    for (auto op :
         llvm::to_vector(func.getBody().front().getOps<linalg::LinalgOp>()))
      convert(op);
  }

  void convert(linalg::LinalgOp op) {
    FailureOr<Contraction> contraction = matchContraction(op);
    if (failed(contraction))
      return;
    const Contraction &c = *contraction;
    SmallVector<AffineMap> maps{c.lhsMap, c.rhsMap, c.outMap};
    SmallVector<MemRefType> types;
    for (Value value : {c.lhs, c.rhs, c.out})
      types.push_back(cast<MemRefType>(value.getType()));
    if (failed(getGemmDims(maps, types)))
      return;
    Operation *fill = findZeroFill(op, c.out);
    OpBuilder builder(op);
    GemmOp::create(builder, op.getLoc(), TypeRange(), ValueRange{c.lhs, c.rhs},
                   c.out, builder.getAffineMapArrayAttr(maps),
                   /*accumulate=*/fill == nullptr);
    if (fill)
      fill->erase();
    op->erase();
    ++numContractions;
  }
};
} // namespace
