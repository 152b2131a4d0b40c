//===- Normalize.cpp - From a framework's export to tied dimensions -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Pipelines/Normalize.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nvfp4::buildNormalizePipeline(OpPassManager &manager,
                                   const NormalizeOptions &options) {
  auto simplify = [&] {
    manager.addPass(createCanonicalizerPass());
    manager.addPass(createCSEPass());
  };
  // Entries only: every later pass looks at one function. Does not simplify
  // what it inlines, since all is simplified below.
  manager.addPass(createInlinerPass({}, [](OpPassManager &) {}));
  // Inlined functions, and seeds of generators that an export leaves behind.
  manager.addPass(createSymbolDCEPass());
  // Before anything folds large data.
  manager.addPass(
      createOutlineConstantsPass({/*threshold=*/options.constantThreshold}));
  // One value per extent, before anything asks whether two are equal.
  manager.addPass(createUnifyDimensionsPass({/*strict=*/options.strict}));
  // Folds what compared equal dimensions, and makes static types of constants.
  manager.addPass(createCanonicalizerPass());
  // Before CSE, which merges a mean in f64 with the same mean in f32.
  manager.addPass(createNarrowF64Pass({/*keep=*/options.keepF64}));
  // Squares and roots as exports write them; exponents are narrow by now.
  manager.addPass(createSimplifyPowersPass());
  // Views, so that extents behind a reshape are known to what follows.
  manager.addPass(createLegalizeReshapesPass());
  // Fewer reads by index are fewer checks.
  manager.addPass(createLiftExtractsPass());
  // Removes the copies that lifting has exposed, and conversions to f64.
  simplify();
  // After the last op that could disagree about extents is gone.
  manager.addPass(createCheckExtentsPass());
  // Last, since what it adds is nothing to simplify shapes by.
  manager.addPass(createLegalizeAssertsPass());
  // Merges equal checks and removes the conditions that bodies no longer need.
  simplify();
  VerifyStagePassOptions verify;
  verify.stage = "normalize";
  manager.addPass(createVerifyStagePass(verify));
}

void nvfp4::registerNormalizePipeline() {
  PassPipelineRegistration<NormalizeOptions>(
      "nvfp4-normalize",
      "Ties dimensions, removes asserts, f64 and large constants",
      buildNormalizePipeline);
}
