//===- BlockProduct.h - Few rows times a block-scaled matrix ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in which every weight is used a few times only: decoding into
// memory and reading again would take longer than multiplying. Codes are
// decoded in registers, so the work is that of streaming codes and scales. And
// the decoder for products in which a weight is used more often.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_BLOCKPRODUCT_H
#define NVFP4_SUPPORT_BLOCKPRODUCT_H

#include "nvfp4/Support/Quantize.h"

#include <cstdint>

namespace nvfp4 {

/// Floats that one prepared row of `depth` elements takes: a multiple of 64
/// bytes.
int64_t getPreparedLength(int64_t depth);

/// Reorders a row of x for `multiplyBlockRows`: the elements that share bytes
/// of codes apart, zeros behind the last one. `target` is aligned to 64 bytes.
void prepareBlockProductRow(const float *source, int64_t depth, float *target);

/// y[row * yStride + column] = sum over k of x[row, k] * code * scale of
/// weights[column, k], for blocks of one row and without global scales. `x`
/// holds `rows` prepared rows one after the other. Of `format`, the columns of
/// a block (a multiple of 16) and the encoding of the scales are read. A result
/// depends neither on the number of rows nor on that of columns.
void multiplyBlockRows(const BlockFormat &format,
                       const ConstQuantizedRef &weights, int64_t columns,
                       int64_t depth, const float *x, int64_t rows, float *y,
                       int64_t yStride);
void multiplyBlockRowsReference(const BlockFormat &format,
                                const ConstQuantizedRef &weights,
                                int64_t columns, int64_t depth, const float *x,
                                int64_t xStride, int64_t rows, float *y,
                                int64_t yStride);

/// Decodes rows of weights to one panel of the transpose: panel[k *
/// panelColumns
/// + row] = code * scale of weights[row, k], for blocks of one row. There are 1
/// to `panelColumns` rows, a multiple of 8; the other columns of the panel are
/// unspecified.
void decodePanel(const BlockFormat &format, const ConstQuantizedRef &weights,
                 int64_t rows, int64_t depth, float *panel,
                 int64_t panelColumns);

} // namespace nvfp4

#endif // NVFP4_SUPPORT_BLOCKPRODUCT_H
