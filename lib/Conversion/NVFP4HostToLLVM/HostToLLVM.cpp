//===- HostToLLVM.cpp - Host code behind the program ABI ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns planned entry functions, and the loop functions that they call, into
// the LLVM dialect, and adds what `ProgramABI.h` promises to the runtime: per
// entry a `plan` and a `run` on raw pointers, and the exported, constant
// `nvfp4_program`. Bodies go through the upstream conversions. An error on the
// host is a call of the context's `fail` and a return; nothing aborts.
//
// Expects: entry functions as `nvfp4-plan-workspace` leaves them, loops and
//          memref accesses whose strided metadata is expanded.
// Leaves:  a module of the LLVM dialect; all but `nvfp4_program` is internal.
//
// With a device, entry functions launch kernels, copy and fill, through the
// context, and the device images become constants.
//
//===----------------------------------------------------------------------===//

#include "ContextCalls.h"
#include "DeviceCalls.h"
#include "ProgramDescriptor.h"
#include "RuntimeCalls.h"

#include "nvfp4/Conversion/DeviceImages.h"
#include "nvfp4/Dialect/NVFP4/Transforms/EntryInterface.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Runtime/ProgramABI.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace nvfp4 {
#define GEN_PASS_DEF_CONVERTNVFP4HOSTTOLLVMPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

namespace {
/// Lets the target choose between one fused instruction and two: a processor
/// without it would otherwise call the mathematics library.
struct ConvertFma final : ConvertOpToLLVMPattern<math::FmaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(math::FmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type type = getTypeConverter()->convertType(op.getType());
    if (!type ||
        !LLVM::isCompatibleFloatingPointType(
            isa<VectorType>(type) ? cast<VectorType>(type).getElementType()
                                  : type))
      return rewriter.notifyMatchFailure(op, "expected a scalar or a vector");
    rewriter.replaceOpWithNewOp<LLVM::FMulAddOp>(
        op, type, adaptor.getA(), adaptor.getB(), adaptor.getC());
    return success();
  }
};
} // namespace

/// Gives an entry function a leading context argument and an i32 status as its
/// result.
static void threadContext(func::FuncOp func) {
  MLIRContext *context = func.getContext();
  (void)func.insertArgument(0, LLVM::LLVMPointerType::get(context), {},
                            func.getLoc());
  OpBuilder builder(&func.getBody().front().back());
  Value success =
      arith::ConstantIntOp::create(builder, func.getLoc(), 0, /*width=*/32);
  func.getBody().front().back().setOperands(success);
  func.setFunctionType(
      builder.getFunctionType(func.getArgumentTypes(), {builder.getI32Type()}));
}

/// Turns the asserts of a function into branches to blocks that return what the
/// context's `fail` says. An entry's asserts are at function level; loops run
/// where no error can be returned.
static LogicalResult lowerAsserts(func::FuncOp func, bool isEntry,
                                  StringTable &strings) {
  SmallVector<cf::AssertOp> asserts;
  func.walk([&](cf::AssertOp op) { asserts.push_back(op); });
  for (cf::AssertOp op : asserts) {
    if (!isEntry || op->getParentOp() != func)
      return op.emitError("expected 'cf.assert' at the level of an entry "
                          "function, but got one in ")
             << (op->getParentOp() != func ? "a nested region" : "a callee");
    Location loc = op.getLoc();
    Block *head = op->getBlock();
    Block *rest = head->splitBlock(op->getNextNode());
    Block *fail = &func.getBody().emplaceBlock();

    OpBuilder builder = OpBuilder::atBlockEnd(fail);
    Value message = strings.getAddress(builder, loc, op.getMsg());
    Value status = emitFail(builder, loc, func.getArgument(0), message);
    func::ReturnOp::create(builder, loc, status);

    builder.setInsertionPoint(op);
    cf::CondBranchOp::create(builder, loc, op.getArg(), rest, ValueRange(),
                             fail, ValueRange());
    op.erase();
  }
  return success();
}

namespace {
/// What the program descriptor needs to know of an entry after its signature is
/// one of LLVM's.
struct Entry {
  std::string name;
  EntryInterface interface;
  SmallVector<MemRefType, 0> buffers;
};

class ConvertNVFP4HostToLLVMPass final
    : public nvfp4::impl::ConvertNVFP4HostToLLVMPassBase<
          ConvertNVFP4HostToLLVMPass> {
  using ConvertNVFP4HostToLLVMPassBase::ConvertNVFP4HostToLLVMPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    StringTable strings(module);
    DeviceCode code;
    takeImages(module, code);
    SmallVector<Entry, 0> entries;
    bool usesKernels = false;
    for (auto func : llvm::to_vector(module.getOps<func::FuncOp>())) {
      bool isEntry = isEntryFunction(func);
      if (isEntry) {
        if (failed(recordEntry(func, entries)))
          return signalPassFailure();
        threadContext(func);
        if (device && failed(lowerDeviceCalls(func, code.kernels)))
          return signalPassFailure();
        if (!device && failed(lowerRuntimeCalls(func, usesKernels)))
          return signalPassFailure();
      }
      if (failed(lowerAsserts(func, isEntry, strings)))
        return signalPassFailure();
      if (isEntry)
        renameEntry(func);
      if (!func.isExternal())
        func->setAttr(
            "llvm.linkage",
            LLVM::LinkageAttr::get(&getContext(), LLVM::Linkage::Internal));
    }
    // Upstream's conversion drops the attribute. Without it LLVM undoes the
    // outlining of loops, and its time grows faster than the program.
    llvm::SmallDenseSet<StringAttr> notInlined;
    for (auto func : module.getOps<func::FuncOp>())
      if (func.getNoInline())
        notInlined.insert(func.getSymNameAttr());
    if (failed(convertBodies(module)))
      return signalPassFailure();
    for (Operation &op : *module.getBody())
      if (auto func = dyn_cast<LLVM::LLVMFuncOp>(op))
        func.setNoInline(notInlined.contains(func.getSymNameAttr()));

    ProgramDescriptorBuilder descriptor(module, strings,
                                        device ? &code : nullptr, usesKernels);
    for (const Entry &entry : entries)
      if (failed(
              descriptor.addEntry(entry.name, entry.interface, entry.buffers)))
        return signalPassFailure();
    descriptor.finish();
  }

  /// Moves the images out of the module. A driver takes machine code rather
  /// than compile PTX, so it is first.
  void takeImages(ModuleOp module, DeviceCode &code) {
    for (auto binary : llvm::to_vector(module.getOps<gpu::BinaryOp>())) {
      for (auto object : binary.getObjects().getAsRange<gpu::ObjectAttr>()) {
        auto target = dyn_cast<NVVM::NVVMTargetAttr>(object.getTarget());
        if (!target)
          continue;
        StringRef data = object.getObject().getValue();
        std::string chip = target.getChip().str();
        if (object.getFormat() == gpu::CompilationTarget::Binary)
          code.images.insert(
              code.images.begin(),
              {NVFP4_IMAGE_CUBIN, chip, kCubinGlobalName.str(), data.str()});
        else if (object.getFormat() == gpu::CompilationTarget::Assembly)
          // Drivers want a null byte behind text.
          code.images.push_back({NVFP4_IMAGE_PTX, chip, kPTXGlobalName.str(),
                                 (data + StringRef("\0", 1)).str()});
      }
      binary.erase();
    }
    module->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
  }

  /// Moves the entry out of the way of symbols that mean something to a
  /// linker, such as `main`.
  void renameEntry(func::FuncOp func) {
    func.setName(getBodyName(func.getName()));
    func.setPrivate();
  }

  LogicalResult recordEntry(func::FuncOp func,
                            SmallVectorImpl<Entry> &entries) {
    FailureOr<EntryInterface> interface = EntryInterface::read(func);
    if (failed(interface))
      return failure();
    Entry entry{func.getName().str(), std::move(*interface), {}};
    for (Type type : func.getArgumentTypes()) {
      auto buffer = dyn_cast<MemRefType>(type);
      if (!buffer || !buffer.getLayout().isIdentity())
        return func.emitError("expected memrefs of identity layout as "
                              "arguments of an entry function, but got ")
               << type;
      entry.buffers.push_back(buffer);
    }
    size_t expected =
        entry.interface.arguments.size() + entry.interface.results.size() + 1;
    if (entry.buffers.size() != expected)
      return func.emitError("expected ")
             << expected << " arguments (those in '" << kEntryAttrName
             << "', results and workspace), but got " << entry.buffers.size();
    if (func.getNumResults() != 0)
      return func.emitError("expected an entry function without results, but "
                            "got ")
             << func.getFunctionType();
    entries.push_back(std::move(entry));
    return success();
  }

  LogicalResult convertBodies(ModuleOp module) {
    LowerToLLVMOptions options(&getContext());
    LLVMTypeConverter converter(&getContext(), options);
    RewritePatternSet patterns(&getContext());
    SymbolTableCollection symbolTables;
    populateSCFToControlFlowConversionPatterns(patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    patterns.add<ConvertFma>(converter, /*benefit=*/2);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns,
                                                   &symbolTables);
    populateFuncToLLVMConversionPatterns(converter, patterns, &symbolTables);

    LLVMConversionTarget target(getContext());
    target.addLegalOp<ModuleOp>();
    return applyFullConversion(module, target, std::move(patterns));
  }
};
} // namespace
