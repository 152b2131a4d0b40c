//===- Kernel.cpp - A kernel under construction ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"
#include "GridWait.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nvfp4;

/// Address spaces of NVPTX.
static constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3;
/// Of the array that stands for dynamic shared memory, one per device module.
static constexpr StringLiteral kSharedName = "nvfp4_shared";

KernelBuilder::KernelBuilder(const KernelRequest &request)
    : body(request.body), module(request.module), chip(request.chip),
      builder(body.getLoc(), body.getContext()) {
  MLIRContext *context = body.getContext();
  SmallVector<Type> types(body.getNumArguments(),
                          LLVM::LLVMPointerType::get(context, kGlobalSpace));
  for (Type type : body.getArgumentTypes()) {
    firstExtents.push_back(numExtents);
    numExtents += cast<ShapedType>(type).getNumDynamicDims();
  }
  types.append(numExtents, builder.getI64Type());

  builder.setInsertionPointToEnd(module.getBody());
  function = gpu::GPUFuncOp::create(builder, request.name,
                                    builder.getFunctionType(types, {}));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function.setKnownBlockSizeAttr(
      builder.getDenseI32ArrayAttr({int32_t(request.attr.getThreads()), 1, 1}));
  // Inits are the last arguments of the body, and overlap nothing.
  unsigned numInputs = body.getNumArguments() - body.getNumResults();
  for (unsigned i = 0; i < body.getNumArguments(); ++i)
    function.setArgAttr(i,
                        i < numInputs ? LLVM::LLVMDialect::getReadonlyAttrName()
                                      : LLVM::LLVMDialect::getNoAliasAttrName(),
                        builder.getUnitAttr());
  builder.setInsertionPointToStart(&function.getBody().front());
  auto end = gpu::ReturnOp::create(builder);
  builder.setInsertionPoint(end);
  emitLetNextStart(builder);
  emitGridWait(builder);
}

Value KernelBuilder::getPointer(BlockArgument argument) {
  return function.getArgument(argument.getArgNumber());
}

Value KernelBuilder::getExtent(BlockArgument argument, unsigned dim) {
  auto type = cast<ShapedType>(argument.getType());
  if (!type.isDynamicDim(dim))
    return arith::ConstantIndexOp::create(builder, type.getDimSize(dim));
  Value extent = function.getArgument(body.getNumArguments() +
                                      firstExtents[argument.getArgNumber()] +
                                      type.getDynamicDimIndex(dim));
  return arith::IndexCastOp::create(builder, builder.getIndexType(), extent);
}

AffineExpr KernelBuilder::getExtentExpr(BlockArgument argument, unsigned dim) {
  auto type = cast<ShapedType>(argument.getType());
  if (!type.isDynamicDim(dim))
    return builder.getAffineConstantExpr(type.getDimSize(dim));
  return builder.getAffineDimExpr(firstExtents[argument.getArgNumber()] +
                                  type.getDynamicDimIndex(dim));
}

AffineMap KernelBuilder::getGrid(AffineExpr x, AffineExpr y, AffineExpr z) {
  return AffineMap::get(numExtents, /*symbolCount=*/0, {x, y, z},
                        builder.getContext());
}

Value KernelBuilder::getSharedMemory() {
  auto global = module.lookupSymbol<LLVM::GlobalOp>(kSharedName);
  if (!global) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    // An external array without a size: the launch says how many bytes.
    global = LLVM::GlobalOp::create(
        builder, LLVM::LLVMArrayType::get(builder.getI8Type(), 0),
        /*isConstant=*/false, LLVM::Linkage::External, kSharedName,
        /*value=*/Attribute(), /*alignment=*/1024, kSharedSpace);
  }
  return LLVM::AddressOfOp::create(builder, global);
}

Value KernelBuilder::getThreadId() {
  return NVVM::ThreadIdXOp::create(builder, builder.getI32Type());
}

Value KernelBuilder::getBlockId(unsigned axis) {
  Type i32 = builder.getI32Type();
  switch (axis) {
  case 0:
    return NVVM::BlockIdXOp::create(builder, i32);
  case 1:
    return NVVM::BlockIdYOp::create(builder, i32);
  default:
    return NVVM::BlockIdZOp::create(builder, i32);
  }
}
