//===- RuntimeKernels.cpp - What the runtime computes ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The choice between a kernel of the runtime and the reference lowering. Only
// an entry function can return the status of a call, so an op in a loop or in
// another function is decomposed.
//
//===----------------------------------------------------------------------===//

#include "RuntimeKernels.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Support/Quantize.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace nvfp4 {

/// A matrix, and as many dimensions before it as a batch of the runtime has.
static constexpr int64_t kMaxRank = 2 + NVFP4_MAX_BATCH_DIMS;

/// Whether the vector kernels have blocks of this shape.
static bool isKnown(FormatAttr format) {
  BlockFormat blocks = {"blocks",
                        format.getBlockRows(),
                        format.getBlockColumns(),
                        format.getScaleEncoding(),
                        /*hasGlobalScale=*/false,
                        /*scaleBound=*/0.0f};
  return verifyQuantizeOptions(getDefaultOptions(blocks)).ok();
}

/// Whether the runtime reads and writes tensors of this type; null stands for a
/// plain one.
static bool isKnown(BlockTensorType type) {
  return !type || (type.getLayout() == BlockLayout::Linear &&
                   type.getRank() <= kMaxRank && isKnown(type.getFormat()));
}

static bool isKnown(Value plain) {
  auto type = cast<ShapedType>(plain.getType());
  return type.getRank() >= 2 && type.getRank() <= kMaxRank;
}

static bool hasKernel(Operation *op) {
  auto func = dyn_cast_or_null<FunctionOpInterface>(op->getParentOp());
  if (!func || !func.isPublic())
    return false;
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<GlobalScaleIntoOp>([](GlobalScaleIntoOp op) {
        return isKnown(op.getInputs()[0]) && isKnown(op.getFormat());
      })
      .Case<QuantizeIntoOp>([](QuantizeIntoOp op) {
        return !op.getState() && isKnown(op.getBlockType());
      })
      .Case<DequantizeIntoOp>(
          [](DequantizeIntoOp op) { return isKnown(op.getBlockType()); })
      .Case<ScaledMatmulOp>([](ScaledMatmulOp op) {
        return isKnown(op.getLhsType()) && isKnown(op.getRhsType()) &&
               isKnown(op.getInit());
      })
      .Default([](Operation *) { return false; });
}

void markRuntimeKernels(Operation *root) {
  auto unit = UnitAttr::get(root->getContext());
  root->walk([&](Operation *op) {
    if (hasKernel(op))
      op->setAttr(kRuntimeKernelAttrName, unit);
  });
}

} // namespace nvfp4
