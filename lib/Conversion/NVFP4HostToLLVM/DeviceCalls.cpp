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
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
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
  /// The values of a launch's operands, and bytes of each.
  LogicalResult getOperands(gpu::LaunchFuncOp op, SmallVector<Value> &values,
                            ProgramKernel &kernel);
  /// Makes the tensor maps of a launch, and says where they and the other
  /// operands are: the address of an array.
  FailureOr<Value> makeTensorMaps(gpu::LaunchFuncOp op,
                                  ArrayRef<DictionaryAttr> maps);
  void describeTensorMap(DictionaryAttr map, Value address, ValueRange extents);
  LogicalResult lower(memref::CopyOp op);
  LogicalResult lower(linalg::FillOp op);
  /// After a call: returns from the function on a bad status. Erases what the
  /// call replaces, if it is given.
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
  /// The area: values of arguments, their addresses, a grid, a block; where
  /// there are tensor maps, addresses of arguments with some of them, those
  /// maps, and what one is made of.
  Value slots, addresses, grid, block;
  Value mixedAddresses, tensorMaps, description;
  /// Returns its argument, a status.
  Block *badStatus = nullptr;
};
} // namespace

/// Of a tensor map in memory.
static constexpr unsigned kTensorMapAlignment = 64;
static_assert(NVFP4_TENSOR_MAP_MAX_RANK == 5);
static_assert(offsetof(nvfp4_tensor_map, dims) == 24);
static_assert(offsetof(nvfp4_tensor_map, box) == 104);
static_assert(sizeof(nvfp4_tensor_map) == 160);
/// Strides are multiples of it.
static constexpr int kStrideBytes = 16;
/// CU_TENSOR_MAP_L2_PROMOTION_L2_256B.
static constexpr int64_t kPromotion256 = 3;

static Type getTensorMapType(MLIRContext *context) {
  return LLVM::LLVMArrayType::get(IntegerType::get(context, 8),
                                  NVFP4_TENSOR_MAP_BYTES);
}

/// nvfp4_tensor_map.
static Type getTensorMapDescriptionType(MLIRContext *context) {
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  Type wide = LLVM::LLVMArrayType::get(i64, NVFP4_TENSOR_MAP_MAX_RANK);
  Type narrow = LLVM::LLVMArrayType::get(i32, NVFP4_TENSOR_MAP_MAX_RANK);
  return LLVM::LLVMStructType::getLiteral(
      context, {i32, i32, LLVM::LLVMPointerType::get(context), i32, i32, wide,
                wide, narrow, narrow, i32, i32, i32, i32});
}

/// Bytes of a scalar in memory; 0 if it is no scalar.
static uint32_t getBytes(Type type) {
  if (isa<LLVM::LLVMPointerType>(type) || type.isIndex())
    return 8;
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8)
                             : 0;
}

/// The operands of a launch that are tensor maps.
static SmallVector<DictionaryAttr> getTensorMaps(gpu::LaunchFuncOp op) {
  auto maps = op->getAttrOfType<ArrayAttr>(kTensorMapsName);
  if (!maps)
    return {};
  return llvm::to_vector(maps.getAsRange<DictionaryAttr>());
}

/// Of the launch that has the most.
static size_t countTensorMaps(ArrayRef<Operation *> ops) {
  size_t count = 0;
  for (Operation *op : ops)
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op))
      count = std::max(count, getTensorMaps(launch).size());
  return count;
}

static int64_t getInteger(DictionaryAttr map, StringRef name) {
  return map.getAs<IntegerAttr>(name).getInt();
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
  if (size_t numMaps = countTensorMaps(ops)) {
    mixedAddresses = allocate(pointer, numArguments);
    tensorMaps = LLVM::AllocaOp::create(
        builder, pointer, getTensorMapType(builder.getContext()),
        constant(i64, numMaps), kTensorMapAlignment);
    description =
        allocate(getTensorMapDescriptionType(builder.getContext()), 1);
  }
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
  Block *head = builder.getInsertionBlock();
  Block *rest = head->splitBlock(builder.getInsertionPoint());
  builder.setInsertionPointToEnd(head);
  cf::CondBranchOp::create(builder, isGood, rest, ValueRange(), badStatus,
                           ValueRange{status});
  builder.setInsertionPointToStart(rest);
  if (op)
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

/// Writes all fields, the unused extents too, because others left theirs.
void DeviceCallLowering::describeTensorMap(DictionaryAttr map, Value address,
                                           ValueRange extents) {
  Type type = getTensorMapDescriptionType(builder.getContext());
  auto box = map.getAs<DenseI64ArrayAttr>("box").asArrayRef();
  auto field = [&](int32_t number, int32_t element = -1) -> Value {
    SmallVector<LLVM::GEPArg> path{0, number};
    if (element >= 0)
      path.push_back(element);
    return LLVM::GEPOp::create(builder, pointer, type, description, path);
  };
  auto store = [&](int32_t number, int64_t value) {
    LLVM::StoreOp::create(builder, constant(i32, value), field(number));
  };
  store(0, sizeof(nvfp4_tensor_map));
  store(1, getInteger(map, "dtype"));
  LLVM::StoreOp::create(builder, address, field(2));
  store(3, box.size());
  store(4, getInteger(map, "swizzle"));
  // No map is of an empty tensor, whose launch has an empty grid.
  for (auto [number, name, least] :
       {std::tuple(5, "dims", 1), std::tuple(6, "strides", kStrideBytes)}) {
    AffineMap values = map.getAs<AffineMapAttr>(name).getValue();
    for (auto [i, expr] : llvm::enumerate(values.getResults())) {
      Location loc = builder.getLoc();
      Value value = affine::expandAffineExpr(builder, loc, expr, extents,
                                             /*symbolValues=*/{});
      Value bound = arith::ConstantIndexOp::create(builder, loc, least);
      value = builder.createOrFold<arith::MaxSIOp>(loc, value, bound);
      value = arith::IndexCastOp::create(builder, i64, value);
      LLVM::StoreOp::create(builder, value, field(number, i));
    }
  }
  for (auto [i, extent] : llvm::enumerate(box)) {
    LLVM::StoreOp::create(builder, constant(i32, extent), field(7, i));
    LLVM::StoreOp::create(builder, constant(i32, 1), field(8, i));
  }
  for (int32_t number : {9, 11, 12})
    store(number, 0);
  store(10, kPromotion256);
}

FailureOr<Value>
DeviceCallLowering::makeTensorMaps(gpu::LaunchFuncOp op,
                                   ArrayRef<DictionaryAttr> maps) {
  SmallVector<Value> extents;
  for (Value operand : op.getKernelOperands())
    if (operand.getType().isInteger(64))
      extents.push_back(
          arith::IndexCastOp::create(builder, builder.getIndexType(), operand));
  SmallVector<Value> places;
  for (size_t i = 0; i < op.getKernelOperands().size(); ++i)
    places.push_back(LLVM::GEPOp::create(builder, pointer, i64, slots,
                                         ArrayRef<LLVM::GEPArg>{int32_t(i)}));
  for (auto [i, map] : llvm::enumerate(maps)) {
    int64_t number = getInteger(map, "operand");
    Value address = op.getKernelOperands()[number];
    if (address.getType() != pointer)
      return op.emitOpError("expected an address as the operand of a tensor "
                            "map, but got ")
             << address.getType();
    places[number] = LLVM::GEPOp::create(
        builder, pointer, getTensorMapType(builder.getContext()), tensorMaps,
        ArrayRef<LLVM::GEPArg>{int32_t(i)});
    describeTensorMap(map, address, extents);
    // A call ends the block: what follows is built behind it.
    finish(nullptr, emitTensorMap(builder, op.getLoc(), func.getArgument(0),
                                  description, places[number]));
  }
  storeElements(mixedAddresses, pointer, places);
  return mixedAddresses;
}

LogicalResult DeviceCallLowering::getOperands(gpu::LaunchFuncOp op,
                                              SmallVector<Value> &values,
                                              ProgramKernel &kernel) {
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
  for (DictionaryAttr map : getTensorMaps(op))
    kernel.argumentBytes[getInteger(map, "operand")] = NVFP4_TENSOR_MAP_BYTES;
  return success();
}

LogicalResult DeviceCallLowering::lower(gpu::LaunchFuncOp op) {
  ProgramKernel kernel;
  kernel.name = op.getKernelName().str();
  SmallVector<Value> values;
  if (failed(readKernel(op, kernel)) || failed(getOperands(op, values, kernel)))
    return failure();
  Value operands = addresses;
  SmallVector<DictionaryAttr> maps = getTensorMaps(op);
  if (!maps.empty()) {
    FailureOr<Value> mixed = makeTensorMaps(op, maps);
    if (failed(mixed))
      return failure();
    operands = *mixed;
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
                         shared ? shared : constant(i32, 0), operands}));
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
