//===- NVFP4Dialect.cpp - Registration and constants ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;

namespace nvfp4 {

namespace {
/// No op depends on the function around it.
struct NVFP4InlinerInterface final : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};
} // namespace

void NVFP4Dialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "nvfp4/Dialect/NVFP4/IR/NVFP4Ops.cpp.inc"
      >();
  addInterfaces<NVFP4InlinerInterface>();
}

Operation *NVFP4Dialect::materializeConstant(OpBuilder &builder,
                                             Attribute value, Type type,
                                             Location loc) {
  if (auto blocks = dyn_cast<BlocksAttr>(value))
    if (auto tensor = dyn_cast<BlockTensorType>(type))
      return ConstantOp::create(builder, loc, tensor, blocks);
  return arith::ConstantOp::materialize(builder, value, type, loc);
}

} // namespace nvfp4

#include "nvfp4/Dialect/NVFP4/IR/NVFP4Dialect.cpp.inc"
