//===- DeviceCalls.cpp - What host code asks of a device ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The context copies what it gets before it returns, so that a function has one
// area on its stack for the arguments of all launches: 8 bytes each, and a
// table of their addresses that is written once.
//
// Expects: an entry function with a context and a status.
// Leaves:  blocks and calls.
//
//===----------------------------------------------------------------------===//

#include "DeviceCalls.h"
#include "ContextCalls.h"

#include "nvfp4/Conversion/DeviceImages.h"
#include "nvfp4/Runtime/ProgramABI.h"

#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace nvfp4 {

uint32_t KernelList::insert(ProgramKernel kernel) {
  auto [it, isNew] = numbers.try_emplace(kernel.name, kernels.size());
  if (isNew)
    kernels.push_back(std::move(kernel));
  return it->second;
}

/// A region of a structured op cannot return a status.
static LogicalResult lowerControlFlow(func::FuncOp func) {
  RewritePatternSet patterns(func.getContext());
  populateSCFToControlFlowConversionPatterns(patterns);
  ConversionTarget target(*func.getContext());
  target.addIllegalDialect<scf::SCFDialect>();
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  return applyPartialConversion(func, target, std::move(patterns));
}

namespace {
class DeviceCallLowering {
public:
  DeviceCallLowering(func::FuncOp func, KernelList &kernels)
      : func(func), kernels(kernels), builder(func.getLoc(), func.getContext()),
        pointer(LLVM::LLVMPointerType::get(func.getContext())),
        i32(builder.getI32Type()), i64(builder.getI64Type()) {}

  LogicalResult run();

private:
  void createArea();
  LogicalResult lower(gpu::LaunchFuncOp op);
  LogicalResult lower(memref::CopyOp op);
  LogicalResult lower(linalg::FillOp op);
  /// Replaces an op by a call: returns from the function on a bad status.
  void finish(Operation *op, Value status);

  FailureOr<Value> getAddress(Operation *op, Value buffer);
  Value countElements(Value buffer);
  void storeElements(Value array, Type type, ValueRange values);
  Value constant(Type type, int64_t value) {
    return arith::ConstantOp::create(builder,
                                     builder.getIntegerAttr(type, value));
  }

  func::FuncOp func;
  KernelList &kernels;
  ImplicitLocOpBuilder builder;
  Type pointer, i32, i64;
  SmallVector<Operation *> ops;
  /// The area: values of arguments, their addresses, a grid, a block.
  Value slots, addresses, grid, block;
  /// Returns its argument, a status.
  Block *badStatus = nullptr;
};
} // namespace

/// Bytes of a scalar in memory; 0 if it is no scalar.
static uint32_t getBytes(Type type) {
  if (isa<LLVM::LLVMPointerType>(type) || type.isIndex())
    return 8;
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8)
                             : 0;
}

void DeviceCallLowering::createArea() {
  size_t numArguments = 1;
  for (Operation *op : ops)
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op))
      numArguments =
          std::max<size_t>(numArguments, launch.getKernelOperands().size());
  builder.setInsertionPointToStart(&func.getBody().front());
  auto allocate = [&](Type type, int64_t count) -> Value {
    return LLVM::AllocaOp::create(builder, pointer, type, constant(i64, count));
  };
  slots = allocate(i64, numArguments);
  addresses = allocate(pointer, numArguments);
  grid = allocate(i32, 3);
  block = allocate(i32, 3);
  SmallVector<Value> values;
  for (size_t i = 0; i < numArguments; ++i)
    values.push_back(LLVM::GEPOp::create(builder, pointer, i64, slots,
                                         ArrayRef<LLVM::GEPArg>{int32_t(i)}));
  storeElements(addresses, pointer, values);

  OpBuilder::InsertionGuard guard(builder);
  badStatus = builder.createBlock(&func.getBody(), func.getBody().end(), i32,
                                  func.getLoc());
  func::ReturnOp::create(builder, badStatus->getArgument(0));
}

/// Stores values in an array whose elements are of a type.
void DeviceCallLowering::storeElements(Value array, Type type,
                                       ValueRange values) {
  for (auto [i, value] : llvm::enumerate(values)) {
    Value address = LLVM::GEPOp::create(builder, pointer, type, array,
                                        ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, value, address);
  }
}

void DeviceCallLowering::finish(Operation *op, Value status) {
  Value isGood = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq,
                                       status, constant(i32, 0));
  Block *head = op->getBlock();
  Block *rest = head->splitBlock(op->getNextNode());
  builder.setInsertionPointToEnd(head);
  cf::CondBranchOp::create(builder, isGood, rest, ValueRange(), badStatus,
                           ValueRange{status});
  op->erase();
}

FailureOr<Value> DeviceCallLowering::getAddress(Operation *op, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.getLayout().isIdentity())
    return op->emitOpError("expected memrefs of identity layout, but got ")
           << type;
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(builder, buffer);
  address = arith::IndexCastOp::create(builder, i64, address);
  return LLVM::IntToPtrOp::create(builder, pointer, address).getResult();
}

Value DeviceCallLowering::countElements(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  Value count = constant(i64, 1);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    Value extent = memref::DimOp::create(builder, buffer, dim);
    extent = arith::IndexCastOp::create(builder, i64, extent);
    count = arith::MulIOp::create(builder, count, extent);
  }
  return count;
}

/// What the descriptor says of a kernel beside its parameters.
static LogicalResult readKernel(gpu::LaunchFuncOp op, ProgramKernel &kernel) {
  if (op->hasAttr(kProgrammaticLaunchName))
    kernel.flags |= NVFP4_KERNEL_PROGRAMMATIC_LAUNCH;
  if (!op.hasClusterSize())
    return success();
  gpu::KernelDim3 cluster = op.getClusterSizeOperandValues();
  for (auto [extent, value] : llvm::zip_equal(
           kernel.cluster, ValueRange{cluster.x, cluster.y, cluster.z})) {
    APInt constant;
    if (!matchPattern(value, m_ConstantInt(&constant)))
      return op.emitOpError("expected a constant cluster, but got ") << value;
    extent = constant.getZExtValue();
  }
  return success();
}

LogicalResult DeviceCallLowering::lower(gpu::LaunchFuncOp op) {
  ProgramKernel kernel;
  kernel.name = op.getKernelName().str();
  if (failed(readKernel(op, kernel)))
    return failure();
  SmallVector<Value> values;
  for (Value value : op.getKernelOperands()) {
    uint32_t bytes = getBytes(value.getType());
    if (bytes == 0 || bytes > 8)
      return op.emitOpError("expected pointers and scalars as arguments, but "
                            "got ")
             << value.getType();
    kernel.argumentBytes.push_back(bytes);
    if (value.getType().isIndex())
      value = arith::IndexCastOp::create(builder, i64, value);
    values.push_back(value);
  }
  storeElements(slots, i64, values);

  auto storeExtents = [&](Value area, gpu::KernelDim3 extents) {
    SmallVector<Value> narrow;
    for (Value extent : {extents.x, extents.y, extents.z})
      narrow.push_back(
          extent.getType().isIndex()
              ? arith::IndexCastOp::create(builder, i32, extent).getResult()
              : extent);
    storeElements(area, i32, narrow);
  };
  storeExtents(grid, op.getGridSizeOperandValues());
  storeExtents(block, op.getBlockSizeOperandValues());
  Value shared = op.getDynamicSharedMemorySize();
  Value number = constant(i32, kernels.insert(std::move(kernel)));
  finish(op, emitLaunch(builder, op.getLoc(), func.getArgument(0),
                        {number, grid, block,
                         shared ? shared : constant(i32, 0), addresses}));
  return success();
}

LogicalResult DeviceCallLowering::lower(memref::CopyOp op) {
  FailureOr<Value> target = getAddress(op, op.getTarget());
  FailureOr<Value> source = getAddress(op, op.getSource());
  if (failed(target) || failed(source))
    return failure();
  Type element = cast<MemRefType>(op.getSource().getType()).getElementType();
  Value bytes = arith::MulIOp::create(builder, countElements(op.getSource()),
                                      constant(i64, getBytes(element)));
  finish(op, emitCopy(builder, op.getLoc(), func.getArgument(0), *target,
                      *source, bytes));
  return success();
}

LogicalResult DeviceCallLowering::lower(linalg::FillOp op) {
  Value value = op.getInputs()[0];
  uint32_t bytes = getBytes(value.getType());
  if (bytes != 1 && bytes != 2 && bytes != 4)
    return op.emitOpError("expected a value of 1, 2 or 4 bytes, but got ")
           << value.getType();
  Value buffer = op.getOutputs()[0];
  FailureOr<Value> target = getAddress(op, buffer);
  if (failed(target))
    return failure();
  if (value.getType().isInteger(1))
    value = arith::ExtUIOp::create(builder, builder.getI8Type(), value);
  storeElements(slots, i64, value);
  Value count = countElements(buffer);
  finish(op, emitFill(builder, op.getLoc(), func.getArgument(0), *target, slots,
                      bytes, count));
  return success();
}

LogicalResult DeviceCallLowering::run() {
  func.walk([&](Operation *op) {
    if (isa<gpu::LaunchFuncOp, memref::CopyOp, linalg::FillOp>(op))
      ops.push_back(op);
  });
  if (ops.empty())
    return success();
  createArea();
  for (Operation *op : ops) {
    builder.setLoc(op->getLoc());
    builder.setInsertionPoint(op);
    LogicalResult result =
        llvm::TypeSwitch<Operation *, LogicalResult>(op)
            .Case<gpu::LaunchFuncOp, memref::CopyOp, linalg::FillOp>(
                [&](auto op) { return lower(op); });
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult lowerDeviceCalls(func::FuncOp func, KernelList &kernels) {
  if (failed(lowerControlFlow(func)))
    return failure();
  return DeviceCallLowering(func, kernels).run();
}

} // namespace nvfp4
