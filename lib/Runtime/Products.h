//===- Products.h - Matrix functions of the program ABI --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the device `cpu` does for the context's functions from gemm_f32 on.
// All check what the program says, and return errors that begin with the name
// of the function.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_PRODUCTS_H
#define NVFP4_LIB_RUNTIME_PRODUCTS_H

#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Runtime/ThreadPool.h"
#include "nvfp4/Support/Status.h"

namespace nvfp4 {

class ScratchPool;

/// What the functions of a context share.
struct CpuResources {
  ThreadPool &threads;
  ScratchPool &scratch;
};

/// `gemm_f32`
Status multiplyMatrices(const nvfp4_gemm &gemm, const CpuResources &cpu);
/// `scaled_product`
Status multiplyScaled(const nvfp4_scaled_product &product,
                      const CpuResources &cpu);
/// `quantize`
Status convertToBlocks(const nvfp4_conversion &conversion,
                       const CpuResources &cpu);
/// `dequantize`
Status convertFromBlocks(const nvfp4_conversion &conversion,
                         const CpuResources &cpu);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_PRODUCTS_H
