//===- Kernels.h - How a chip computes each product -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_PIPELINES_KERNELS_H
#define NVFP4_PIPELINES_KERNELS_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

#include <string>

namespace nvfp4 {

/// Options of the Kernels stage.
struct KernelsOptions : mlir::PassPipelineOptions<KernelsOptions> {
  Option<std::string> chip{
      *this, "chip",
      llvm::cl::desc("The chip that runs the kernels, for example sm_120a"),
      llvm::cl::init("")};
};

/// Adds the Kernels stage of a GPU. Expects quantized IR. Afterwards: operands
/// of block-scaled matmuls are tiled, also in the package, and every matmul has
/// `nvfp4.kernel`.
void buildKernelsPipeline(mlir::OpPassManager &manager,
                          const KernelsOptions &options);

/// Registers the stage as --nvfp4-kernels.
void registerKernelsPipeline();

} // namespace nvfp4

#endif // NVFP4_PIPELINES_KERNELS_H
