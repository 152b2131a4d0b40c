//===- Gemm.cpp - The context's gemm_f32 ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockedProduct.h"

using namespace nvfp4;

static Status checkGemm(const nvfp4_gemm &gemm) {
  const std::string name = "gemm_f32";
  if (Status status = checkStruct(name, gemm.struct_size, sizeof(gemm));
      !status)
    return status;
  if (Status status =
          checkExtents(name, gemm.rows, gemm.columns, gemm.depth, gemm.batch);
      !status)
    return status;
  if (Status status = checkMatrix(name, "A", gemm.a); !status)
    return status;
  if (Status status = checkMatrix(name, "B", gemm.b); !status)
    return status;
  return checkMatrix(name, "C", gemm.c);
}

Status nvfp4::multiplyMatrices(const nvfp4_gemm &gemm,
                               const CpuResources &cpu) {
  if (Status status = checkGemm(gemm); !status)
    return status;
  if (countBatch(gemm.batch) == 0)
    return Status();
  Product product = {gemm.rows, gemm.columns, gemm.depth, gemm.batch,
                     gemm.a,    gemm.b,       gemm.c};
  product.accumulate = (gemm.flags & NVFP4_GEMM_ACCUMULATE) != 0;
  if (runBlockedProduct(product, cpu))
    return Status();
  return Status::error("gemm_f32: expected memory for a block per thread, but "
                       "got none");
}
