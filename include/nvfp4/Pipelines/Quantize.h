//===- Quantize.h - From precisions to quantized values ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_QUANTIZE_H
#define NVFP4_PIPELINES_QUANTIZE_H

#include "mlir/Pass/PassManager.h"

namespace nvfp4 {

/// Adds the Quantize stage. Expects normalized IR with precisions. Afterwards:
/// no precision attribute, every weight-only chain is a packing function, and
/// entries carry `nvfp4.entry`.
void buildQuantizePipeline(mlir::OpPassManager &manager);

/// Registers the stage as --nvfp4-quantize.
void registerQuantizePipeline();

} // namespace nvfp4

#endif // NVFP4_PIPELINES_QUANTIZE_H
