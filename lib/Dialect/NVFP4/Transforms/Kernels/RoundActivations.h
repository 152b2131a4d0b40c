//===- RoundActivations.h - Activations as the unit multiplies --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_KERNELS_ROUNDACTIVATIONS_H
#define NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_KERNELS_ROUNDACTIVATIONS_H

#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"

namespace nvfp4 {

/// Says so where a product rounds more than its types show: block-scaled
/// weights are decoded to bf16, and activations are rounded to it. The remark
/// has the name of `pass`.
void remarkRounding(MatmulOp op, llvm::StringRef pass);

/// Lets a product of plain activations and block-scaled weights read bf16.
void roundActivations(MatmulOp op);

} // namespace nvfp4

#endif // NVFP4_LIB_DIALECT_NVFP4_TRANSFORMS_KERNELS_ROUNDACTIVATIONS_H
