//===- MatrixViews.h - Structs of the program ABI as views -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the batches that a program hands over to single matrices, and the checks
// of what a program may have got wrong.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_RUNTIME_MATRIXVIEWS_H
#define NVFP4_LIB_RUNTIME_MATRIXVIEWS_H

#include "GemmKernels.h"

#include "nvfp4/Runtime/ProgramABI.h"
#include "nvfp4/Support/Status.h"

#include <string>

namespace nvfp4 {

/// The element type of a checked matrix.
FloatType getElementType(const nvfp4_matrix &matrix);
StridedMatrix getView(const nvfp4_matrix &matrix);

/// The number of matrices of a batch.
int64_t countBatch(const int64_t *batch);
/// Matrix `index` of a batch.
nvfp4_matrix getMatrixOfBatch(const nvfp4_matrix &matrix, const int64_t *batch,
                              int64_t index);
nvfp4_blocks getMatrixOfBatch(const nvfp4_blocks &blocks, const int64_t *batch,
                              int64_t index);
/// The part of a matrix that begins at (row, column).
nvfp4_matrix getPart(const nvfp4_matrix &matrix, int64_t row, int64_t column);

/// The format without its global scale: what codes times scales say.
BlockFormat getBlockFormat(const nvfp4_blocks &blocks);
/// The options of the golden quantizer for checked blocks.
QuantizeOptions getQuantizeOptions(const nvfp4_blocks &blocks);

/// Writes codes times block scales of rows [row, row + rows) and columns
/// [column, column + columns) as f32. `column` is a multiple of 64.
void decodeToF32(const nvfp4_blocks &blocks, int64_t row, int64_t rows,
                 int64_t column, int64_t columns, float *target,
                 int64_t targetStride);

/// Errors begin with `function`.
Status checkStruct(const std::string &function, uint32_t size, size_t expected);
Status checkExtents(const std::string &function, int64_t rows, int64_t columns,
                    int64_t depth, const int64_t *batch);
Status checkMatrix(const std::string &function, const char *name,
                   const nvfp4_matrix &matrix);
Status checkBlocks(const std::string &function, const char *name,
                   const nvfp4_blocks &blocks);

} // namespace nvfp4

#endif // NVFP4_LIB_RUNTIME_MATRIXVIEWS_H
