//===- BlockedProduct.h - One product, cut into tasks ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_BLOCKEDPRODUCT_H
#define NVFP4_LIB_RUNTIME_BLOCKEDPRODUCT_H

#include "MatrixViews.h"
#include "Products.h"

namespace nvfp4 {

/// The factor of the global scales of a scaled product: element (row, column)
/// is multiplied by (left[row] * right[column]) * common.
struct ProductScale {
  const float *left = nullptr;
  const float *right = nullptr;
  float common = 1.0f;
};

/// A batch of products C = A B.
struct Product {
  int64_t rows, columns, depth;
  /// NVFP4_MAX_BATCH_DIMS extents, all 1 or more.
  const int64_t *batch;
  nvfp4_matrix a, b, c;
  /// B^T [columns, depth] in blocks, instead of `b`.
  const nvfp4_blocks *bBlocks = nullptr;
  /// Null without global scales, which only a batch of one matrix has.
  const ProductScale *scale = nullptr;
  bool accumulate = false;
};

/// Multiplies on all threads; false without memory. The number of threads
/// changes no bit.
bool runBlockedProduct(const Product &product, const CpuResources &cpu);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_BLOCKEDPRODUCT_H
