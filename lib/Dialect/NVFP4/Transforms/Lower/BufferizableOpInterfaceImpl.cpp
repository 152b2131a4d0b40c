//===- BufferizableOpInterfaceImpl.cpp - Ops that reach bufferization -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/BufferizableOpInterfaceImpl.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace nvfp4;

namespace {
/// Reads the status and has no result.
struct RecordErrorOpInterface
    : BufferizableOpInterface::ExternalModel<RecordErrorOpInterface,
                                             RecordErrorOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto record = cast<RecordErrorOp>(op);
    FailureOr<Value> status =
        getBuffer(rewriter, record.getStatus(), options, state);
    if (failed(status))
      return failure();
    replaceOpWithNewBufferizedOp<RecordErrorOp>(rewriter, op, *status,
                                                record.getMessages());
    return success();
  }
};

/// A destination-style op becomes itself on buffers. It overwrites its inits,
/// padding included, and reads nothing of them.
template <typename OpTy>
struct KernelOpInterface
    : DstBufferizableOpInterfaceExternalModel<KernelOpInterface<OpTy>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto kernel = cast<OpTy>(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    rewriter.setInsertionPoint(op);
    clone(rewriter, op, /*newResultTypes=*/TypeRange(), buffers);
    replaceOpWithBufferizedValues(
        rewriter, op,
        ArrayRef<Value>(buffers).take_back(kernel.getInits().size()));
    return success();
  }
};

template <typename... Ops> void attachKernelOps(MLIRContext &context) {
  (Ops::template attachInterface<KernelOpInterface<Ops>>(context), ...);
}
} // namespace

void nvfp4::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, NVFP4Dialect *) {
    RecordErrorOp::attachInterface<RecordErrorOpInterface>(*context);
    attachKernelOps<GlobalScaleIntoOp, QuantizeIntoOp, DequantizeIntoOp,
                    ScaledMatmulOp, HadamardIntoOp, RelayoutIntoOp,
                    TransposeIntoOp, DispatchOp>(*context);
  });
}
