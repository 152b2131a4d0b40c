//===- QuantizeRows.h - Rows that are quantized -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the row schedule does with the dialect's ops: the threads of a row find
// its global scale together, and encode it, block by block of neighbouring
// lanes.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_QUANTIZEROWS_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_QUANTIZEROWS_H

#include "QuantizeEmitter.h"
#include "RowKernel.h"

namespace nvfp4 {

/// Shortest and longest run of a thread that encodes.
constexpr int64_t kMinQuantizedRun = 4, kMaxQuantizedRun = 16;

/// The tensor of whose rows `op` finds global scales, or which it encodes row
/// by row; null for any other op.
mlir::Value getQuantizedRows(mlir::Operation *op);

/// Whether the results of a body are those of one quantization whose blocks can
/// be encoded apart: the block schedule is then the better one.
bool isBlockwise(mlir::func::FuncOp body);

/// The global scale of this row, f32.
mlir::FailureOr<mlir::Value> emitGlobalScaleOfRow(ElementEvaluator &evaluator,
                                                  RowEmitter &rows,
                                                  GlobalScaleIntoOp op);

/// Encodes this row, whose global scale the evaluator knows, padding included.
mlir::LogicalResult emitQuantizedRow(KernelBuilder &kernel,
                                     ElementEvaluator &evaluator,
                                     RowEmitter &rows, QuantizeIntoOp op,
                                     const QuantizeTargets &targets);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_QUANTIZEROWS_H
