//===- StoringDecodePath.h - Weights decoded to shared memory ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For a unit that reads 16-bit operands from shared memory: codes and scales
// come by asynchronous copies, and the thread that copied a row's decodes it to
// the line that the unit reads.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STORINGDECODEPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STORINGDECODEPATH_H

#include "OperandPath.h"

namespace nvfp4 {

/// Rows of which a tile has whole multiples: one for each thread that copies.
constexpr int64_t kStoredRows = MatmulConfig::kCopiers;

/// `codes` and `scales` are the first bytes of an operand of `type`, whose K is
/// static, in tiled layout. Lines are the weights divided by `getDecodeFactor`
/// (WeightDecode.h), in bf16, K contiguous.
std::unique_ptr<OperandPath> createStoringDecodePath(UnitSide side,
                                                     const MatmulConfig &config,
                                                     BlockTensorType type,
                                                     mlir::Value codes,
                                                     mlir::Value scales);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STORINGDECODEPATH_H
