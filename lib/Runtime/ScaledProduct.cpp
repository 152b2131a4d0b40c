//===- ScaledProduct.cpp - The context's scaled_product -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two ways, by the number of rows:
//
//   few    codes of rhs are decoded in registers while they are multiplied
//   more   panels of rhs are decoded to f32 and multiplied by all rows
//
// A lhs in blocks is decoded first, some rows at a time. Global scales are
// factors of the sums.
//
//===----------------------------------------------------------------------===//

#include "BlockedProduct.h"
#include "Scratch.h"

#include "nvfp4/Support/BlockProduct.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <vector>

using namespace nvfp4;

namespace {

/// Bytes of decoded rows of lhs at a time, and rows at least.
constexpr int64_t kMaxDecodedBytes = 16 << 20;
constexpr int64_t kMinDecodedRows = 64;
/// Rows that one task decodes, and columns of few rows that one computes.
constexpr int64_t kRowsPerTask = 8;
constexpr int64_t kColumnsPerTask = 16;
/// Rows that take no longer to multiply while decoding, 8 at a time, than
/// decoding takes and multiplying by panels.
constexpr int64_t kMaxFewRows = 8;
/// Weights below which waking a thread takes longer.
constexpr int64_t kMinParallelWeights = 1 << 16;

/// One product of a batch.
class ScaledProduct {
public:
  ScaledProduct(const nvfp4_scaled_product &product, const CpuResources &cpu,
                int64_t index);

  bool run();

private:
  bool decodeRows(int64_t row, int64_t rows);
  bool runRows(const nvfp4_matrix &lhs, int64_t row, int64_t rows);
  bool runFewRows(const nvfp4_matrix &lhs, int64_t row, int64_t rows);
  void setScales();

  const nvfp4_scaled_product &product;
  const CpuResources &cpu;
  const bool hasLhsBlocks, hasRhsBlocks;
  nvfp4_matrix lhs, rhs, result;
  nvfp4_blocks lhsBlocks, rhsBlocks;
  /// Multipliers per row and column, and what both share.
  std::vector<float> left, right;
  ProductScale scale;
  /// Rows that are decoded or prepared, f32.
  Scratch scratch;
  float *rowMemory = nullptr;
};

} // namespace

/// Tells the threads of a loop what they work on.
template <typename Body>
static void parallelFor(const CpuResources &cpu, int64_t count, bool isSmall,
                        Body &body) {
  auto call = [](void *state, int64_t begin, int64_t end) {
    (*static_cast<Body *>(state))(begin, end);
  };
  if (isSmall)
    body(int64_t(0), count);
  else
    cpu.threads.parallelFor(count, call, &body);
}

ScaledProduct::ScaledProduct(const nvfp4_scaled_product &product,
                             const CpuResources &cpu, int64_t index)
    : product(product), cpu(cpu),
      hasLhsBlocks((product.flags & NVFP4_SCALED_LHS_BLOCKS) != 0),
      hasRhsBlocks((product.flags & NVFP4_SCALED_RHS_BLOCKS) != 0),
      scratch(cpu.scratch) {
  auto select = [&](const auto &batch) {
    return getMatrixOfBatch(batch, product.batch, index);
  };
  lhs = select(product.lhs);
  rhs = select(product.rhs);
  result = select(product.result);
  lhsBlocks = select(product.lhs_blocks);
  rhsBlocks = select(product.rhs_blocks);
}

/// getMatmulAlpha of each pair of rows, as factors.
void ScaledProduct::setScales() {
  auto fill = [](bool hasBlocks, const nvfp4_blocks &blocks, bool isAmax,
                 int64_t count, std::vector<float> &factors) {
    factors.assign(size_t(count), 1.0f);
    if (!hasBlocks || blocks.global_scale == NVFP4_GLOBAL_SCALE_NONE)
      return false;
    QuantizeOptions options = getQuantizeOptions(blocks);
    for (int64_t i = 0; i < count; ++i) {
      GlobalScale scale = {
          blocks.global_scales[i * blocks.global_scale_row_stride],
          options.convention, blocks.scale_bound};
      factors[size_t(i)] =
          isAmax ? scale.value : getMatmulAlpha(&scale, nullptr);
    }
    return true;
  };
  // Two maxima share one division.
  bool isAmax = hasLhsBlocks && hasRhsBlocks &&
                lhsBlocks.global_scale == NVFP4_GLOBAL_SCALE_AMAX &&
                rhsBlocks.global_scale == NVFP4_GLOBAL_SCALE_AMAX;
  bool hasLeft = fill(hasLhsBlocks, lhsBlocks, isAmax, product.rows, left);
  bool hasRight = fill(hasRhsBlocks, rhsBlocks, isAmax, product.columns, right);
  if (isAmax)
    scale.common = 1.0f / ((kE2M1Max * lhsBlocks.scale_bound) *
                           (kE2M1Max * rhsBlocks.scale_bound));
  if (!hasLeft && !hasRight)
    return;
  scale.left = left.data();
  scale.right = right.data();
}

/// Decodes rows of lhs to `rowMemory`.
bool ScaledProduct::decodeRows(int64_t row, int64_t rows) {
  rowMemory = scratch.getFloats(size_t(rows * product.depth));
  if (!rowMemory)
    return false;
  auto body = [&](int64_t begin, int64_t end) {
    begin *= kRowsPerTask;
    end = std::min(end * kRowsPerTask, rows);
    decodeToF32(lhsBlocks, row + begin, end - begin, 0, product.depth,
                rowMemory + begin * product.depth, product.depth);
  };
  parallelFor(cpu, ceilDiv(rows, kRowsPerTask),
              rows * product.depth < kMinParallelWeights, body);
  return true;
}

bool ScaledProduct::runRows(const nvfp4_matrix &lhs, int64_t row,
                            int64_t rows) {
  if (hasRhsBlocks && rhsBlocks.block_rows == 1 && product.rows <= kMaxFewRows)
    return runFewRows(lhs, row, rows);
  static constexpr int64_t kOne[NVFP4_MAX_BATCH_DIMS] = {1, 1, 1, 1};
  nvfp4_matrix b = rhs;
  std::swap(b.row_stride, b.column_stride);
  Product part = {rows, product.columns,        product.depth, kOne, lhs,
                  b,    getPart(result, row, 0)};
  if (hasRhsBlocks)
    part.bBlocks = &rhsBlocks;
  ProductScale partScale = scale;
  if (scale.left) {
    partScale.left += row;
    part.scale = &partScale;
  }
  return runBlockedProduct(part, cpu);
}

bool ScaledProduct::runFewRows(const nvfp4_matrix &lhs, int64_t row,
                               int64_t rows) {
  const int64_t length = getPreparedLength(product.depth);
  // Prepared rows, and one row as f32.
  Scratch prepared(cpu.scratch);
  float *memory = prepared.getFloats(size_t((rows + 1) * length));
  if (!memory)
    return false;
  for (int64_t i = 0; i < rows; ++i) {
    float *line = memory + rows * length;
    copyToF32(getView(lhs).at(i, 0), 1, product.depth, line, length);
    prepareBlockProductRow(line, product.depth, memory + i * length);
  }
  const BlockFormat format = getBlockFormat(rhsBlocks);
  auto body = [&](int64_t begin, int64_t end) {
    alignas(64) float tile[kMaxFewRows * kColumnsPerTask];
    for (int64_t task = begin; task < end; ++task) {
      int64_t column = task * kColumnsPerTask;
      int64_t columns = std::min(kColumnsPerTask, product.columns - column);
      ConstQuantizedRef weights = {
          static_cast<const uint8_t *>(rhsBlocks.codes) +
              column * rhsBlocks.code_row_stride,
          rhsBlocks.code_row_stride,
          static_cast<const uint8_t *>(rhsBlocks.scales) +
              column * rhsBlocks.scale_row_stride,
          rhsBlocks.scale_row_stride};
      multiplyBlockRows(format, weights, columns, product.depth, memory, rows,
                        tile, kColumnsPerTask);
      if (scale.left)
        scaleProduct(tile, kColumnsPerTask, rows, columns, scale.left + row,
                     scale.right + column, scale.common);
      nvfp4_matrix target = getPart(result, row, column);
      copyFromF32(tile, kColumnsPerTask, rows, columns, target.data,
                  getView(target));
    }
  };
  parallelFor(cpu, ceilDiv(product.columns, kColumnsPerTask),
              product.columns * product.depth < kMinParallelWeights, body);
  return true;
}

bool ScaledProduct::run() {
  setScales();
  if (!hasLhsBlocks)
    return runRows(lhs, 0, product.rows);
  int64_t depth = std::max<int64_t>(product.depth, 1);
  int64_t step = std::max(kMaxDecodedBytes / int64_t(sizeof(float)) / depth,
                          kMinDecodedRows);
  for (int64_t row = 0; row < product.rows; row += step) {
    int64_t rows = std::min(step, product.rows - row);
    if (!decodeRows(row, rows))
      return false;
    nvfp4_matrix decoded = {};
    decoded.data = rowMemory;
    decoded.row_stride = product.depth;
    decoded.column_stride = 1;
    decoded.element = NVFP4_ELEMENT_F32;
    if (!runRows(decoded, row, rows))
      return false;
  }
  return true;
}

static Status checkProduct(const nvfp4_scaled_product &product) {
  const std::string name = "scaled_product";
  if (Status status = checkStruct(name, product.struct_size, sizeof(product));
      !status)
    return status;
  if (Status status = checkExtents(name, product.rows, product.columns,
                                   product.depth, product.batch);
      !status)
    return status;
  auto checkOperand = [&](const char *what, uint32_t flag,
                          const nvfp4_matrix &matrix,
                          const nvfp4_blocks &blocks) {
    return product.flags & flag ? checkBlocks(name, what, blocks)
                                : checkMatrix(name, what, matrix);
  };
  if (Status status = checkOperand("lhs", NVFP4_SCALED_LHS_BLOCKS, product.lhs,
                                   product.lhs_blocks);
      !status)
    return status;
  if (Status status = checkOperand("rhs", NVFP4_SCALED_RHS_BLOCKS, product.rhs,
                                   product.rhs_blocks);
      !status)
    return status;
  return checkMatrix(name, "the result", product.result);
}

Status nvfp4::multiplyScaled(const nvfp4_scaled_product &product,
                             const CpuResources &cpu) {
  if (Status status = checkProduct(product); !status)
    return status;
  if (product.rows == 0 || product.columns == 0)
    return Status();
  int64_t count = countBatch(product.batch);
  for (int64_t i = 0; i < count; ++i)
    if (!ScaledProduct(product, cpu, i).run())
      return Status::error("scaled_product: expected memory for rows and a "
                           "block per thread, but got none");
  return Status();
}
