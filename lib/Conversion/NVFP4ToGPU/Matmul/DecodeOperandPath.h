//===- DecodeOperandPath.h - Weights decoded in registers -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Codes and scales of a tiled operand travel to shared memory as they are, and
// become bf16 on the way to the registers of the unit, in `Blocks` order: a
// lane decodes the 16 codes of one block (of half a block of 32) by one
// multiplier.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_DECODEOPERANDPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_DECODEOPERANDPATH_H

#include "FloatOperandPath.h"

namespace nvfp4 {

/// `codes` and `scales` are the first bytes of an operand of `type`. Handles
/// are weights divided by `getDecodeFactor`.
std::unique_ptr<OperandPath>
createDecodePath(UnitSide side, const MatmulConfig &config,
                 BlockTensorType type, mlir::Value codes, mlir::Value scales);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_DECODEOPERANDPATH_H
