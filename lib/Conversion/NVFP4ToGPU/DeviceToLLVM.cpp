//===- DeviceToLLVM.cpp - Device code in the LLVM dialect -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's conversions, less those that call libdevice. Arithmetic keeps its
// values: no flag permits LLVM to contract or to approximate.
//
// Expects: a device module; functions of math that have instructions.
// Leaves:  functions of the LLVM dialect, kernels marked for NVPTX.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Conversion/DeviceImages.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"
#include "nvfp4/Runtime/ProgramABI.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace nvfp4 {
#define GEN_PASS_DEF_CONVERTNVFP4DEVICETOLLVMPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

/// Of a tensor map in memory.
static constexpr int64_t kTensorMapAlignment = 64;

/// Tensor maps, a function's last parameters, come by value and stay where they
/// are: nothing writes them. Upstream's conversion knows no such parameters.
static void passTensorMaps(LLVM::LLVMFuncOp function) {
  auto maps = function->getAttrOfType<ArrayAttr>(kTensorMapsName);
  if (!maps)
    return;
  function->removeAttr(kTensorMapsName);
  Builder builder(function.getContext());
  auto bytes =
      LLVM::LLVMArrayType::get(builder.getI8Type(), NVFP4_TENSOR_MAP_BYTES);
  unsigned end = function.getNumArguments();
  for (unsigned i = end - maps.size(); i < end; ++i) {
    function.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                        TypeAttr::get(bytes));
    function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                        builder.getI64IntegerAttr(kTensorMapAlignment));
    function.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                        builder.getUnitAttr());
  }
}

namespace {
class ConvertNVFP4DeviceToLLVMPass final
    : public nvfp4::impl::ConvertNVFP4DeviceToLLVMPassBase<
          ConvertNVFP4DeviceToLLVMPass> {
  void runOnOperation() override {
    gpu::GPUModuleOp module = getOperation();
    // Vectors become those that LLVM has. Maxima stay, unlike on the CPU: they
    // are instructions.
    RewritePatternSet expansions(&getContext());
    arith::populateCeilFloorDivExpandOpsPatterns(expansions);
    vector::populateVectorBroadcastLoweringPatterns(expansions);
    vector::populateVectorShapeCastLoweringPatterns(expansions);
    vector::populateVectorInsertExtractStridedSliceTransforms(expansions);
    if (failed(applyPatternsGreedily(module, std::move(expansions))) ||
        failed(convert(module)))
      signalPassFailure();
  }

  LogicalResult convert(gpu::GPUModuleOp module) {
    LLVMTypeConverter converter(&getContext());
    configureGpuToNVVMTypeConverter(converter);
    RewritePatternSet patterns(&getContext());
    populateSCFToControlFlowConversionPatterns(patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    populateGpuToNVVMConversionPatterns(converter, patterns);
    populateNVVMToLLVMConversionPatterns(patterns);

    // Of nvvm only what is inline assembly has patterns.
    LLVMConversionTarget target(getContext());
    target.addIllegalDialect<gpu::GPUDialect>();
    target.addLegalOp<gpu::GPUModuleOp>();
    if (failed(applyPartialConversion(module, target, std::move(patterns))))
      return failure();
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      passTensorMaps(function);
    // A launch has exactly the block that the kernel was made for.
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (Attribute threads =
              function->removeAttr(NVVM::NVVMDialect::getMaxntidAttrName()))
        function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), threads);
    WalkResult walk = module.walk([&](Operation *op) {
      if (isa<gpu::GPUModuleOp>(op) ||
          isa_and_nonnull<LLVM::LLVMDialect, NVVM::NVVMDialect>(
              op->getDialect()))
        return WalkResult::advance();
      op->emitOpError("expected an op that the LLVM dialect has a form of");
      return WalkResult::interrupt();
    });
    return failure(walk.wasInterrupted());
  }
};
} // namespace
