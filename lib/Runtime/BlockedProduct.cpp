//===- BlockedProduct.cpp - One product, cut into tasks -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// C is cut into blocks, each a task for one thread:
//
//   for k in steps of at most kMaxDepth
//     panels = B[k…, columns of the block]      f32, in the second cache
//     rows = A[rows of the block, k…]           in place if it can be
//     block += rows * panels
//
// Values are those of one chain of multiply-adds per element, whatever the
// blocks (GemmKernels.h).
//
//===----------------------------------------------------------------------===//

#include "BlockedProduct.h"

#include "Scratch.h"

#include "nvfp4/Support/BlockProduct.h"
#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <atomic>

using namespace nvfp4;

namespace {

/// Rows of a block at most: with a depth of 256 half of a second cache of 1 MB.
constexpr int64_t kMaxBlockRows = 512;
/// Columns of a block at most: another quarter.
constexpr int64_t kMaxBlockColumns = 192;
/// Tasks per thread that even out what one thread takes longer for.
constexpr int64_t kTasksPerThread = 4;
/// Multiply-adds below which waking a thread takes longer.
constexpr double kMinParallelWork = 1 << 18;
/// Depth at a time is a multiple of this, so that it ends with a block.
constexpr int64_t kDepthUnit = 64;
/// Floats between rows of a copy of A beyond the depth: rows begin in different
/// sets of the first cache.
constexpr int64_t kRowPadding = 16;
/// Rows at multiples of so many bytes share a set of the first cache.
constexpr int64_t kCacheWayBytes = 4096;

class BlockedProduct {
public:
  BlockedProduct(const Product &product, const CpuResources &cpu);

  bool run();

private:
  void chooseBlocks();
  void countTasks();
  bool runTasks(int64_t begin, int64_t end);
  void runBlock(int64_t batch, int64_t row, int64_t column, float *memory);
  void multiply(const StridedMatrix &a, const nvfp4_matrix &b, int64_t column,
                int64_t rows, int64_t columns, float *c, int64_t cStride,
                float *memory) const;
  void fillPanel(const nvfp4_matrix &b, int64_t column, int64_t width,
                 int64_t k, int64_t depth, float *panel, float *strip) const;

  /// Parts of a task's memory, in floats.
  int64_t getPanelFloats() const { return blockColumns * depthStep; }
  int64_t getCopyFloats() const {
    return blockRows * (depthStep + kRowPadding);
  }
  int64_t getBlockFloats() const { return blockRows * blockColumns; }
  int64_t getStripFloats() const {
    return product.bBlocks ? panelColumns * kMaxDepth : 0;
  }
  size_t getScratchFloats() const {
    return size_t(getPanelFloats() + getCopyFloats() + getBlockFloats() +
                  getStripFloats());
  }

  const Product &product;
  const CpuResources &cpu;
  const int64_t panelColumns = getPanelColumns();
  int64_t blockRows = 0, blockColumns = 0, depthStep = 0;
  int64_t rowBlocks = 0, columnBlocks = 0, numTasks = 0;
  std::atomic<bool> isOutOfMemory{false};
};

} // namespace

BlockedProduct::BlockedProduct(const Product &product, const CpuResources &cpu)
    : product(product), cpu(cpu) {
  // Steps of the same length, but for the last.
  int64_t steps = std::max<int64_t>(ceilDiv(product.depth, kMaxDepth), 1);
  depthStep = std::max<int64_t>(ceilDiv(product.depth, steps), 1);
  depthStep = roundUpTo(depthStep, kDepthUnit);
  chooseBlocks();
}

void BlockedProduct::countTasks() {
  rowBlocks = ceilDiv(product.rows, blockRows);
  columnBlocks = ceilDiv(product.columns, blockColumns);
  numTasks = countBatch(product.batch) * rowBlocks * columnBlocks;
}

/// Blocks that fit in the second cache; narrower ones as long as there are
/// fewer than threads want, and lower ones if that is not enough.
void BlockedProduct::chooseBlocks() {
  const int64_t tileRows = getTileRows();
  auto cut = [](int64_t extent, int64_t most, int64_t unit) {
    int64_t blocks = std::max<int64_t>(ceilDiv(extent, most), 1);
    return std::max(roundUpTo(ceilDiv(extent, blocks), unit), unit);
  };
  blockRows = cut(product.rows, kMaxBlockRows, tileRows);
  blockColumns = cut(product.columns, kMaxBlockColumns, panelColumns);
  countTasks();
  int64_t numThreads = cpu.threads.getNumThreads();
  int64_t wanted = numThreads == 1 ? 1 : numThreads * kTasksPerThread;
  while (numTasks < wanted && blockColumns > 2 * panelColumns) {
    blockColumns = cut(blockColumns, ceilDiv(blockColumns, 2), panelColumns);
    countTasks();
  }
  while (numTasks < wanted && blockRows > 4 * tileRows) {
    blockRows = cut(blockRows, ceilDiv(blockRows, 2), tileRows);
    countTasks();
  }
}

/// B[k, k + depth)[column, column + width) as one panel, zeros behind it.
void BlockedProduct::fillPanel(const nvfp4_matrix &b, int64_t column,
                               int64_t width, int64_t k, int64_t depth,
                               float *panel, float *strip) const {
  if (product.bBlocks && product.bBlocks->block_rows == 1) {
    const nvfp4_blocks &blocks = *product.bBlocks;
    ConstQuantizedRef rows = {static_cast<const uint8_t *>(blocks.codes) +
                                  column * blocks.code_row_stride + k / 2,
                              blocks.code_row_stride,
                              static_cast<const uint8_t *>(blocks.scales) +
                                  column * blocks.scale_row_stride +
                                  k / blocks.block_columns,
                              blocks.scale_row_stride};
    decodePanel(getBlockFormat(blocks), rows, width, depth, panel,
                panelColumns);
  } else if (product.bBlocks) {
    decodeToF32(*product.bBlocks, column, width, k, depth, strip, kMaxDepth);
    transposeF32(strip, kMaxDepth, width, depth, panel, panelColumns);
  } else {
    copyToF32(getView(b).at(k, column), depth, width, panel, panelColumns);
  }
  for (int64_t i = 0; width < panelColumns && i < depth; ++i)
    std::fill(panel + i * panelColumns + width, panel + (i + 1) * panelColumns,
              0.0f);
}

/// Rows of A times columns of B from `column` on. `memory` holds the panels and
/// the copy of A; what lies behind the block is for strips.
void BlockedProduct::multiply(const StridedMatrix &a, const nvfp4_matrix &b,
                              int64_t column, int64_t rows, int64_t columns,
                              float *c, int64_t cStride, float *memory) const {
  bool isInPlace =
      a.type == FloatType::F32 && a.columnStride == 1 &&
      (rows <= 4 || a.rowStride * int64_t(sizeof(float)) % kCacheWayBytes != 0);
  float *copy = memory + getPanelFloats();
  float *strip = copy + getCopyFloats() + getBlockFloats();
  for (int64_t k = 0; k < product.depth; k += depthStep) {
    int64_t depth = std::min(depthStep, product.depth - k);
    for (int64_t i = 0; i < columns; i += panelColumns)
      fillPanel(b, column + i, std::min(panelColumns, columns - i), k, depth,
                memory + i * depth, strip);
    StridedMatrix part = a.at(0, k);
    const float *left = static_cast<const float *>(part.data);
    int64_t leftStride = a.rowStride;
    if (!isInPlace) {
      leftStride = depthStep + kRowPadding;
      copyToF32(part, rows, depth, copy, leftStride);
      left = copy;
    }
    multiplyPanels(left, leftStride, rows, memory, columns, depth, c, cStride,
                   product.accumulate || k > 0);
  }
}

void BlockedProduct::runBlock(int64_t batch, int64_t row, int64_t column,
                              float *memory) {
  const int64_t rows = std::min(blockRows, product.rows - row);
  const int64_t columns = std::min(blockColumns, product.columns - column);
  nvfp4_matrix a = getMatrixOfBatch(product.a, product.batch, batch);
  nvfp4_matrix b = getMatrixOfBatch(product.b, product.batch, batch);
  nvfp4_matrix c =
      getPart(getMatrixOfBatch(product.c, product.batch, batch), row, column);
  StridedMatrix target = getView(c);
  bool isDirect = target.type == FloatType::F32 && target.columnStride == 1;
  float *block = static_cast<float *>(c.data);
  int64_t stride = target.rowStride;
  if (!isDirect) {
    stride = blockColumns;
    block = memory + getPanelFloats() + getCopyFloats();
    if (product.accumulate)
      copyToF32(target, rows, columns, block, stride);
  }
  if (product.depth == 0 && !product.accumulate)
    for (int64_t i = 0; i < rows; ++i)
      std::fill(block + i * stride, block + i * stride + columns, 0.0f);
  multiply(getView(a).at(row, 0), b, column, rows, columns, block, stride,
           memory);
  if (const ProductScale *scale = product.scale)
    scaleProduct(block, stride, rows, columns, scale->left + row,
                 scale->right + column, scale->common);
  if (!isDirect)
    copyFromF32(block, stride, rows, columns, c.data, target);
}

/// The tasks of one piece; false without memory.
bool BlockedProduct::runTasks(int64_t begin, int64_t end) {
  Scratch scratch(cpu.scratch);
  float *memory = scratch.getFloats(getScratchFloats());
  if (!memory)
    return false;
  for (int64_t task = begin; task < end; ++task)
    runBlock(task / (rowBlocks * columnBlocks), task % rowBlocks * blockRows,
             task / rowBlocks % columnBlocks * blockColumns, memory);
  return true;
}

bool BlockedProduct::run() {
  if (numTasks == 0)
    return true;
  auto body = [](void *state, int64_t begin, int64_t end) {
    auto &product = *static_cast<BlockedProduct *>(state);
    if (!product.runTasks(begin, end))
      product.isOutOfMemory = true;
  };
  double work = double(product.rows) * double(product.columns) *
                double(product.depth) * double(countBatch(product.batch));
  if (work < kMinParallelWork)
    body(this, 0, numTasks);
  else
    cpu.threads.parallelFor(numTasks, body, this);
  return !isOutOfMemory;
}

bool nvfp4::runBlockedProduct(const Product &product, const CpuResources &cpu) {
  return BlockedProduct(product, cpu).run();
}
