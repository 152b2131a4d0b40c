//===- RoundActivations.cpp - Activations as the unit multiplies ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A unit that decodes weights to bf16 rounds activations to bf16 (docs/
// Targets.md). Where tiles of them are copied by the hardware, which converts
// nothing, they are rounded once, by the kernel that makes them, and not by
// each tile of each product that reads them. Values do not change.
//
// Expects: quantized IR.
// Leaves:  weight-only matmuls with activations of bf16.
//
//===----------------------------------------------------------------------===//

#include "RoundActivations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

void nvfp4::remarkRounding(MatmulOp op, StringRef pass) {
  Type type = getElementTypeOrSelf(op.getLhs().getType());
  if (isa<BlockTensorType>(op.getLhs().getType()) || type.isBF16())
    return;
  std::string text;
  llvm::raw_string_ostream(text)
      << "the matrix unit decodes weights to bf16: activations of " << type
      << " are rounded to bf16, too";
  remark::missed(op.getLoc(), remark::RemarkOpts::name(pass).category("nvfp4"))
      << text;
}

void nvfp4::roundActivations(MatmulOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getLhs().getType());
  if (!type || type.getElementType().isBF16())
    return;
  remarkRounding(op, "AssignLayouts");
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value value = op.getLhs();
  if (type.getElementType().isF16())
    value = arith::ExtFOp::create(builder, loc,
                                  type.clone(builder.getF32Type()), value);
  value = arith::TruncFOp::create(builder, loc,
                                  type.clone(builder.getBF16Type()), value);
  op.getLhsMutable().assign(value);
}
