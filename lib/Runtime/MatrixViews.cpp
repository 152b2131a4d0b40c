//===- MatrixViews.cpp - Structs of the program ABI as views --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixViews.h"

#include <algorithm>

namespace nvfp4 {

FloatType getElementType(const nvfp4_matrix &matrix) {
  if (matrix.element == NVFP4_ELEMENT_F32)
    return FloatType::F32;
  return matrix.element == NVFP4_ELEMENT_BF16 ? FloatType::BF16
                                              : FloatType::F16;
}

StridedMatrix getView(const nvfp4_matrix &matrix) {
  return {matrix.data, getElementType(matrix), matrix.row_stride,
          matrix.column_stride};
}

int64_t countBatch(const int64_t *batch) {
  int64_t count = 1;
  for (int dim = 0; dim < NVFP4_MAX_BATCH_DIMS; ++dim)
    count *= batch[dim];
  return count;
}

/// Calls add(dim, index of that dimension) for every dimension of a batch.
template <typename Fn>
static void forEachDim(const int64_t *batch, int64_t index, Fn add) {
  for (int dim = NVFP4_MAX_BATCH_DIMS - 1; dim >= 0; --dim) {
    add(dim, index % batch[dim]);
    index /= batch[dim];
  }
}

nvfp4_matrix getPart(const nvfp4_matrix &matrix, int64_t row, int64_t column) {
  nvfp4_matrix part = matrix;
  part.data = static_cast<uint8_t *>(matrix.data) +
              (row * matrix.row_stride + column * matrix.column_stride) *
                  getFloatTypeBytes(getElementType(matrix));
  return part;
}

nvfp4_matrix getMatrixOfBatch(const nvfp4_matrix &matrix, const int64_t *batch,
                              int64_t index) {
  int64_t offset = 0;
  forEachDim(batch, index, [&](int dim, int64_t i) {
    offset += i * matrix.batch_strides[dim];
  });
  nvfp4_matrix part = matrix;
  part.data = static_cast<uint8_t *>(matrix.data) +
              offset * getFloatTypeBytes(getElementType(matrix));
  return part;
}

nvfp4_blocks getMatrixOfBatch(const nvfp4_blocks &blocks, const int64_t *batch,
                              int64_t index) {
  int64_t codes = 0, scales = 0, globalScales = 0;
  forEachDim(batch, index, [&](int dim, int64_t i) {
    codes += i * blocks.code_batch_strides[dim];
    scales += i * blocks.scale_batch_strides[dim];
    globalScales += i * blocks.global_scale_batch_strides[dim];
  });
  nvfp4_blocks part = blocks;
  part.codes = static_cast<uint8_t *>(blocks.codes) + codes;
  part.scales = static_cast<uint8_t *>(blocks.scales) + scales;
  if (blocks.global_scales)
    part.global_scales = blocks.global_scales + globalScales;
  return part;
}

static ScaleEncoding getEncoding(const nvfp4_blocks &blocks) {
  if (blocks.scale_encoding == NVFP4_SCALES_E4M3)
    return ScaleEncoding::E4M3;
  return blocks.scale_encoding == NVFP4_SCALES_E8M0 ? ScaleEncoding::E8M0
                                                    : ScaleEncoding::UE5M3;
}

BlockFormat getBlockFormat(const nvfp4_blocks &blocks) {
  return {"blocks",
          blocks.block_rows,
          blocks.block_columns,
          getEncoding(blocks),
          /*hasGlobalScale=*/false,
          blocks.scale_bound};
}

QuantizeOptions getQuantizeOptions(const nvfp4_blocks &blocks) {
  QuantizeOptions options;
  options.format = getBlockFormat(blocks);
  options.granularity = GlobalScaleGranularity::None;
  if (blocks.global_scale == NVFP4_GLOBAL_SCALE_NONE)
    return options;
  options.format.hasGlobalScale = true;
  options.granularity = blocks.global_scale_row_stride == 0
                            ? GlobalScaleGranularity::Tensor
                            : GlobalScaleGranularity::Row;
  options.convention = blocks.global_scale == NVFP4_GLOBAL_SCALE_AMAX
                           ? GlobalScaleConvention::Amax
                       : blocks.global_scale == NVFP4_GLOBAL_SCALE_MULTIPLY
                           ? GlobalScaleConvention::Multiply
                           : GlobalScaleConvention::Divide;
  return options;
}

void decodeToF32(const nvfp4_blocks &blocks, int64_t row, int64_t rows,
                 int64_t column, int64_t columns, float *target,
                 int64_t targetStride) {
  QuantizeOptions options;
  options.format = getBlockFormat(blocks);
  options.granularity = GlobalScaleGranularity::None;
  while (rows > 0) {
    // Up to the next row of blocks, if this one has begun before.
    int64_t begun = row % blocks.block_rows;
    int64_t count =
        begun == 0 ? rows : std::min(rows, blocks.block_rows - begun);
    ConstQuantizedRef source = {static_cast<const uint8_t *>(blocks.codes) +
                                    row * blocks.code_row_stride + column / 2,
                                blocks.code_row_stride,
                                static_cast<const uint8_t *>(blocks.scales) +
                                    row / blocks.block_rows *
                                        blocks.scale_row_stride +
                                    column / blocks.block_columns,
                                blocks.scale_row_stride};
    dequantize(options, source, nullptr,
               {target, FloatType::F32, count, columns, targetStride});
    row += count;
    rows -= count;
    target += count * targetStride;
  }
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

Status checkStruct(const std::string &function, uint32_t size,
                   size_t expected) {
  if (size >= expected)
    return Status();
  return Status::error(function + ": expected a struct of " +
                       std::to_string(expected) + " bytes, but got " +
                       std::to_string(size));
}

Status checkExtents(const std::string &function, int64_t rows, int64_t columns,
                    int64_t depth, const int64_t *batch) {
  int64_t smallest = std::min({rows, columns, depth});
  for (int dim = 0; dim < NVFP4_MAX_BATCH_DIMS; ++dim)
    smallest = std::min(smallest, batch[dim]);
  if (smallest >= 0)
    return Status();
  return Status::error(function + ": expected extents of 0 or more, but got " +
                       std::to_string(smallest));
}

Status checkMatrix(const std::string &function, const char *name,
                   const nvfp4_matrix &matrix) {
  if (matrix.element >= NVFP4_ELEMENT_F32 &&
      matrix.element <= NVFP4_ELEMENT_F16)
    return Status();
  return Status::error(
      function + ": expected f32, bf16 or f16 as elements of " + name +
      ", but got element type " + std::to_string(matrix.element));
}

Status checkBlocks(const std::string &function, const char *name,
                   const nvfp4_blocks &blocks) {
  if (blocks.scale_encoding < NVFP4_SCALES_E4M3 ||
      blocks.scale_encoding > NVFP4_SCALES_UE5M3 ||
      blocks.global_scale > NVFP4_GLOBAL_SCALE_DIVIDE)
    return Status::error(function + ": expected encodings of scales of " +
                         name + " that this runtime knows, but got " +
                         std::to_string(blocks.scale_encoding) + " and " +
                         std::to_string(blocks.global_scale));
  Status status = verifyQuantizeOptions(getQuantizeOptions(blocks));
  if (status)
    return Status();
  return Status::error(function + ": " + name + ": " + status.getMessage());
}

} // namespace nvfp4
