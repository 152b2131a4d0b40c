//===- SimplifyPowers.cpp - Powers become products and roots --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exports write x^2 of norms and 1/sqrt(x) as general powers, whose library
// functions cost a hundred times as much and have no LLVM operation.
//
// Expects: linalg on tensors.
// Leaves:  no math.fpowi with a constant exponent; math.powf only where the
//          exponent is neither a small integer nor a half.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace nvfp4 {
#define GEN_PASS_DEF_SIMPLIFYPOWERSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace nvfp4;

namespace {
struct SimplifyPowersPass final
    : nvfp4::impl::SimplifyPowersPassBase<SimplifyPowersPass> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    // Exponents beyond those that have a form of their own.
    math::populateExpansionPatterns(patterns, {"fpowi"});
    // No result of one is a power again, so one walk is enough.
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
