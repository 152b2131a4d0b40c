//===- Policy.h - The Policy stage ------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_POLICY_H
#define NVFP4_PIPELINES_POLICY_H

#include "mlir/Pass/PassOptions.h"

#include <string>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace nvfp4 {

/// Options of the Policy stage.
struct PolicyOptions : mlir::PassPipelineOptions<PolicyOptions> {
  Option<std::string> policy{
      *this, "policy", llvm::cl::desc("A preset or the path of a policy file"),
      llvm::cl::init("inference")};
  Option<bool> strict{*this, "strict",
                      llvm::cl::desc("Make every fallback an error"),
                      llvm::cl::init(false)};
};

/// Decides the precision of every contraction. Needs normalized IR; leaves a
/// precision on every site.
void buildPolicyPipeline(mlir::OpPassManager &pm, const PolicyOptions &options);

/// Registers `nvfp4-policy`.
void registerPolicyPipeline();

} // namespace nvfp4

#endif // NVFP4_PIPELINES_POLICY_H
