//===- RecordErrorKernel.cpp - Errors that a device records ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The status of a check and the error word are in the device's memory, which
// host code must not touch: comparing them is a kernel of one thread.
//
//===----------------------------------------------------------------------===//

#include "RecordErrorKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace nvfp4 {

static constexpr StringLiteral kKernelsName = "kernels";

static ModuleOp getKernels(ModuleOp module) {
  if (auto kernels = module.lookupSymbol<ModuleOp>(kKernelsName))
    return kernels;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  return ModuleOp::create(builder, module.getLoc(), kKernelsName);
}

Value emitNextErrorWord(OpBuilder &builder, Location loc, Value status,
                        Value old, int64_t base) {
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, /*width=*/32);
  Value offset = arith::ConstantIntOp::create(builder, loc, base, 32);
  Value isFirst =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, old, zero);
  Value isBad = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                      status, zero);
  Value both = arith::AndIOp::create(builder, loc, isFirst, isBad);
  Value number = arith::AddIOp::create(builder, loc, status, offset);
  return arith::SelectOp::create(builder, loc, both, number, old);
}

static func::FuncOp createKernel(ModuleOp kernels, StringRef name, Location loc,
                                 int64_t base) {
  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  auto scalar = RankedTensorType::get({}, builder.getI32Type());
  auto kernel = func::FuncOp::create(
      builder, loc, name, builder.getFunctionType({scalar, scalar}, {scalar}));
  kernel->setAttr(kKernelAttrName,
                  builder.getArrayAttr(KernelAttr::get(
                      builder.getContext(), KernelSchedule::Element,
                      /*threads=*/32, /*tile=*/{}, /*warps=*/{}, /*stages=*/1,
                      /*swapped=*/false, /*maxRows=*/0, /*clusters=*/1)));
  Block *body = kernel.addEntryBlock();
  builder.setInsertionPointToStart(body);
  AffineMap map = AffineMap::get(builder.getContext());
  auto generic = linalg::GenericOp::create(
      builder, loc, scalar, ValueRange{body->getArgument(0)},
      ValueRange{body->getArgument(1)}, ArrayRef<AffineMap>{map, map},
      ArrayRef<utils::IteratorType>{},
      [&](OpBuilder &nested, Location loc, ValueRange values) {
        linalg::YieldOp::create(
            nested, loc,
            emitNextErrorWord(nested, loc, values[0], values[1], base));
      });
  func::ReturnOp::create(builder, loc, generic.getResults());
  return kernel;
}

void dispatchRecordError(RecordErrorOp op, Value word, int64_t base) {
  ModuleOp kernels = getKernels(op->getParentOfType<ModuleOp>());
  std::string name = "record_error_" + std::to_string(base);
  if (!kernels.lookupSymbol(name))
    createKernel(kernels, name, op.getLoc(), base);
  OpBuilder builder(op);
  auto symbol =
      SymbolRefAttr::get(builder.getContext(), kKernelsName,
                         FlatSymbolRefAttr::get(builder.getContext(), name));
  DispatchOp::create(builder, op.getLoc(), TypeRange(), symbol,
                     ValueRange{op.getStatus()}, ValueRange{word});
}

} // namespace nvfp4
