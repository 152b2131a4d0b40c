//===- KeepRounding.cpp - Every operation rounds --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream marks the conversions around emulated arithmetic as contractible, so
// that `extf(truncf(x))` may fold to x. Whether it does depends on what was
// fused, and values must not.
//
// Expects: nothing.
// Leaves:  no fast-math flags on conversions between floats.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace nvfp4 {
#define GEN_PASS_DEF_KEEPROUNDINGPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;

namespace {
struct KeepRoundingPass final
    : nvfp4::impl::KeepRoundingPassBase<KeepRoundingPass> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      if (auto extend = dyn_cast<arith::ExtFOp>(op))
        extend.removeFastmathAttr();
      else if (auto truncate = dyn_cast<arith::TruncFOp>(op))
        truncate.removeFastmathAttr();
    });
  }
};
} // namespace
