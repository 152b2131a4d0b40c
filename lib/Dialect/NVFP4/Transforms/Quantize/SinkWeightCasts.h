//===- SinkWeightCasts.h - Views before casts of weights --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_QUANTIZE_SINKWEIGHTCASTS_H
#define NVFP4_LIB_QUANTIZE_SINKWEIGHTCASTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nvfp4 {

/// Rewrites `view(widen(w))` to `widen(view(w))` wherever `w` is made of
/// weights. The transposed bf16 weight can then be packed at its own size, and
/// only the cast stays in the entry. Exact, since views move elements and the
/// cast is one per element. Erases nothing.
void sinkWeightCasts(mlir::func::FuncOp entry);

} // namespace nvfp4

#endif // NVFP4_LIB_QUANTIZE_SINKWEIGHTCASTS_H
