//===- BufferizableOpInterfaceImpl.cpp - Ops that reach bufferization -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/BufferizableOpInterfaceImpl.h"

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

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
} // namespace

void nvfp4::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, NVFP4Dialect *) {
    RecordErrorOp::attachInterface<RecordErrorOpInterface>(*context);
  });
}
