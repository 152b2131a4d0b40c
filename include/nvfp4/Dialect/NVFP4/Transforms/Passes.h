//===- Passes.h - The passes ------------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_H
#define NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_H

#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace nvfp4 {

#define GEN_PASS_DECL
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"

/// Adds patterns that replace kernel-level ops on tensors by their definition
/// in linalg and arith (pass convert-nvfp4-to-linalg).
void populateNVFP4ToLinalgPatterns(mlir::RewritePatternSet &patterns);

} // namespace nvfp4

#endif // NVFP4_DIALECT_NVFP4_TRANSFORMS_PASSES_H
