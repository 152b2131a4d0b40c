//===- SerializeDevice.cpp - The device module as images ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: at most one `gpu.module`, in the LLVM dialect.
// Leaves:  a `gpu.binary` in its place, or nothing if it holds no function.
//
//===----------------------------------------------------------------------===//

#include "EmitPTX.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace nvfp4 {
#define GEN_PASS_DEF_SERIALIZEDEVICEPASS
#define GEN_PASS_DEF_PRINTDEVICEPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

namespace {
class SerializeDevicePass final
    : public nvfp4::impl::SerializeDevicePassBase<SerializeDevicePass> {
  using SerializeDevicePassBase::SerializeDevicePassBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    SerializeDevicePassBase::getDependentDialects(registry);
    registerBuiltinDialectTranslation(registry);
    registerGPUDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    registerNVVMDialectTranslation(registry);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    const ChipModel *model = findChip(chip);
    if (!model) {
      module.emitError(describeUnknownChip(chip));
      return signalPassFailure();
    }
    auto devices = llvm::to_vector(module.getOps<gpu::GPUModuleOp>());
    if (devices.size() > 1) {
      devices[1].emitError("expected one device module, but got ")
          << devices.size();
      return signalPassFailure();
    }
    if (!devices.empty() && failed(serialize(devices.front(), *model)))
      signalPassFailure();
  }

  LogicalResult serialize(gpu::GPUModuleOp device, const ChipModel &model) {
    if (device.getOps<LLVM::LLVMFuncOp>().empty()) {
      device.erase();
      return success();
    }
    FailureOr<std::string> ptx = emitPTX(device, model);
    if (failed(ptx))
      return failure();
    OpBuilder builder(device);
    Attribute target = NVVM::NVVMTargetAttr::get(
        &getContext(), /*optLevel=*/2, "nvptx64-nvidia-cuda", model.name,
        "+ptx" + std::to_string(model.ptxVersion));
    SmallVector<Attribute> objects{gpu::ObjectAttr::get(
        target, gpu::CompilationTarget::Assembly, builder.getStringAttr(*ptx))};
    std::optional<std::string> ptxas = assemble ? findPtxas() : std::nullopt;
    if (ptxas) {
      FailureOr<std::string> image = assemblePTX(device, *ptx, model, *ptxas);
      if (failed(image))
        return failure();
      objects.push_back(gpu::ObjectAttr::get(target,
                                             gpu::CompilationTarget::Binary,
                                             builder.getStringAttr(*image)));
    }
    gpu::BinaryOp::create(builder, device.getLoc(), device.getName(),
                          /*offloadingHandler=*/Attribute(), objects);
    device.erase();
    return success();
  }
};

class PrintDevicePass final
    : public nvfp4::impl::PrintDevicePassBase<PrintDevicePass> {
  using PrintDevicePassBase::PrintDevicePassBase;

  void runOnOperation() override {
    gpu::CompilationTarget format = cubin ? gpu::CompilationTarget::Binary
                                          : gpu::CompilationTarget::Assembly;
    for (auto binary : getOperation().getOps<gpu::BinaryOp>())
      for (auto object : binary.getObjects().getAsRange<gpu::ObjectAttr>())
        if (object.getFormat() == format) {
          if (failed(print(object.getObject().getValue())))
            signalPassFailure();
          return markAllAnalysesPreserved();
        }
    getOperation().emitError("expected a device image in ")
        << (cubin ? "machine code" : "PTX") << ", but got none";
    signalPassFailure();
  }

  LogicalResult print(StringRef image) {
    std::error_code error;
    llvm::raw_fd_ostream stream(output, error);
    if (error)
      return getOperation().emitError("expected to write '")
             << output << "', but got: " << error.message();
    stream << image;
    return success();
  }
};
} // namespace
