//===- GemmKernels.h - The inner loops of dense products -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product is cut into panels of B, `getPanelColumns()` columns side by side
// for each k, and groups of rows of A. Each element of C is one chain of fused
// multiply-adds in the order of k, so its bits depend neither on how a product
// is cut nor on the width of the vectors.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_GEMMKERNELS_H
#define NVFP4_LIB_RUNTIME_GEMMKERNELS_H

#include "nvfp4/Support/Quantize.h"

#include <cstdint>

namespace nvfp4 {

/// A matrix that is read, of any strides (in elements).
struct StridedMatrix {
  const void *data;
  FloatType type;
  int64_t rowStride, columnStride;

  StridedMatrix at(int64_t row, int64_t column) const {
    StridedMatrix part = *this;
    part.data =
        static_cast<const uint8_t *>(data) +
        (row * rowStride + column * columnStride) * getFloatTypeBytes(type);
    return part;
  }
  StridedMatrix transposed() const {
    return {data, type, columnStride, rowStride};
  }
};

/// Columns of a panel on this machine, at most kMaxPanelColumns.
int64_t getPanelColumns();
constexpr int64_t kMaxPanelColumns = 32;
/// Rows of A that are multiplied at once on this machine.
int64_t getTileRows();
/// The most k that one call below takes.
constexpr int64_t kMaxDepth = 256;

/// target[row * targetStride + column] = source[row, column], as f32.
void copyToF32(const StridedMatrix &source, int64_t rows, int64_t columns,
               float *target, int64_t targetStride);

/// target[row, column] = source[row * sourceStride + column], rounded to
/// nearest even. `target` says where and how the elements lie.
void copyFromF32(const float *source, int64_t sourceStride, int64_t rows,
                 int64_t columns, void *data, const StridedMatrix &target);

/// The same as copyToF32 for rows that lie side by side in memory, transposed:
/// target[column * targetStride + row]. `columns` <= kMaxDepth.
void transposeF32(const float *source, int64_t sourceStride, int64_t rows,
                  int64_t columns, float *target, int64_t targetStride);

/// C[0..rows)[0..columns) (+)= A[rows, depth] B, where B is `panels`,
/// ceil(columns / P) panels [depth][P] one after the other, P =
/// getPanelColumns().
void multiplyPanels(const float *a, int64_t aStride, int64_t rows,
                    const float *panels, int64_t columns, int64_t depth,
                    float *c, int64_t cStride, bool accumulate);

/// c[row, column] *= (left[row] * right[column]) * factor, in this order.
void scaleProduct(float *c, int64_t cStride, int64_t rows, int64_t columns,
                  const float *left, const float *right, float factor);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_GEMMKERNELS_H
