//===- RegisterOperandPath.h - Weights decoded for warpgroups ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights in the layout of registers travel to shared memory by bulk copies, as
// they are. A thread of a warpgroup reads 16 bytes of codes and two scales per
// tile of K, and decodes them to its fragments of four instructions.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_REGISTEROPERANDPATH_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_REGISTEROPERANDPATH_H

#include "MmaAtom.h"
#include "OperandPath.h"

namespace nvfp4 {

/// `codes` and `scales` are the first bytes of an operand of `type`, which is
/// static. Handles are what `createDecodingMma` decodes: four words of codes
/// and a pair of scales.
std::unique_ptr<OperandPath> createRegisterPath(const MatmulConfig &config,
                                                BlockTensorType type,
                                                mlir::Value codes,
                                                mlir::Value scales);

/// `inner` with rows in registers that come from such handles: the weights
/// divided by `getDecodeFactor`.
std::unique_ptr<MmaAtom> createDecodingMma(std::unique_ptr<MmaAtom> inner,
                                           ScaleEncoding encoding);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_REGISTEROPERANDPATH_H
