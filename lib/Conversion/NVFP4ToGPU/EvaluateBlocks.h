//===- EvaluateBlocks.h - Elements of block-scaled ops ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the element evaluator knows of the dialect: decoding, moving codes and
// scales between layouts, and the Hadamard transform, all of which compute an
// element from the elements of one block.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_EVALUATEBLOCKS_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_EVALUATEBLOCKS_H

#include "ElementEvaluator.h"

namespace nvfp4 {

/// A run of the result `result` of dequantize_into, hadamard_into,
/// relayout_into or transpose_into; an error at any other op.
mlir::FailureOr<ElementEvaluator::Run>
evaluateBlockOp(ElementEvaluator &evaluator, KernelBuilder &kernel,
                mlir::Operation *op, unsigned result, mlir::ValueRange index,
                int64_t count);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_EVALUATEBLOCKS_H
