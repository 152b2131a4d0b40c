//===- OptimizeLLVM.h - LLVM's passes for host and device -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_TARGET_OPTIMIZELLVM_H
#define NVFP4_LIB_TARGET_OPTIMIZELLVM_H

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace nvfp4 {

/// Runs LLVM's O2 pipeline, tuned for `machine`. Not O3, which unrolls what
/// generators of kernels have left rolled: ptxas then spills in epilogues.
void optimizeLLVM(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace nvfp4

#endif // NVFP4_LIB_TARGET_OPTIMIZELLVM_H
