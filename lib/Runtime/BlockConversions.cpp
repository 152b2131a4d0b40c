//===- BlockConversions.cpp - The context's quantize and dequantize -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of blocks are shared among threads; Support's vector kernels do the
// work, so the bytes are the golden ones. A global scale per matrix or batch
// needs a first pass over all its elements.
//
//===----------------------------------------------------------------------===//

#include "MatrixViews.h"
#include "Products.h"
#include "Scratch.h"

#include "nvfp4/Support/ScaleLayout.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <vector>

using namespace nvfp4;

namespace {

/// Elements that one task converts, at least one row of blocks.
constexpr int64_t kElementsPerTask = 1 << 13;
/// Elements below which waking a thread takes longer.
constexpr int64_t kMinParallelElements = 1 << 15;

class Conversion {
public:
  Conversion(const nvfp4_conversion &conversion, const CpuResources &cpu);

  bool quantize();
  bool dequantize();

private:
  /// Calls body(scratch, batch index, first row, rows) for all rows, on all
  /// threads; false if one call says so.
  template <typename Body> bool forEachRows(Body body) const;
  bool findSharedScales() const;
  bool getRows(Scratch &scratch, int64_t index, int64_t row, int64_t rows,
               MatrixRef &source) const;
  float *getGlobalScales(int64_t index, int64_t row) const {
    nvfp4_blocks part =
        getMatrixOfBatch(conversion.blocks, conversion.batch, index);
    return part.global_scales
               ? part.global_scales + row * part.global_scale_row_stride
               : nullptr;
  }
  QuantizedRef getBlocks(int64_t index, int64_t row) const;
  bool isPerRow() const {
    return conversion.blocks.global_scale_row_stride != 0;
  }

  const nvfp4_conversion &conversion;
  const CpuResources &cpu;
  const QuantizeOptions options;
  const int64_t batch;
  int64_t rowsPerTask, tasksPerMatrix;
};

} // namespace

Conversion::Conversion(const nvfp4_conversion &conversion,
                       const CpuResources &cpu)
    : conversion(conversion), cpu(cpu),
      options(getQuantizeOptions(conversion.blocks)),
      batch(countBatch(conversion.batch)) {
  int64_t columns = std::max<int64_t>(conversion.columns, 1);
  rowsPerTask = roundUpTo(std::max<int64_t>(kElementsPerTask / columns, 1),
                          options.format.blockRows);
  tasksPerMatrix = ceilDiv(conversion.rows, rowsPerTask);
}

template <typename Body> bool Conversion::forEachRows(Body body) const {
  struct State {
    const Conversion &conversion;
    Body &body;
    std::atomic<bool> isGood;
  } state{*this, body, {true}};
  auto run = [](void *opaque, int64_t begin, int64_t end) {
    auto &state = *static_cast<State *>(opaque);
    const Conversion &c = state.conversion;
    Scratch scratch(c.cpu.scratch);
    for (int64_t task = begin; task < end; ++task) {
      int64_t row = task % c.tasksPerMatrix * c.rowsPerTask;
      int64_t rows = std::min(c.rowsPerTask, c.conversion.rows - row);
      if (!state.body(scratch, task / c.tasksPerMatrix, row, rows))
        state.isGood = false;
    }
  };
  int64_t numTasks = batch * tasksPerMatrix;
  if (batch * conversion.rows * conversion.columns < kMinParallelElements)
    run(&state, 0, numTasks);
  else
    cpu.threads.parallelFor(numTasks, run, &state);
  return state.isGood;
}

/// Rows whose elements are neighbours: those of the matrix, or a copy in f32.
bool Conversion::getRows(Scratch &scratch, int64_t index, int64_t row,
                         int64_t rows, MatrixRef &source) const {
  StridedMatrix view =
      getView(getMatrixOfBatch(conversion.matrix, conversion.batch, index))
          .at(row, 0);
  const int64_t columns = conversion.columns;
  source = {view.data, view.type, rows, columns, view.rowStride};
  if (view.columnStride == 1)
    return true;
  float *copy = scratch.getFloats(size_t(rows * columns));
  if (!copy)
    return false;
  copyToF32(view, rows, columns, copy, columns);
  source = {copy, FloatType::F32, rows, columns, columns};
  return true;
}

QuantizedRef Conversion::getBlocks(int64_t index, int64_t row) const {
  nvfp4_blocks part =
      getMatrixOfBatch(conversion.blocks, conversion.batch, index);
  return {static_cast<uint8_t *>(part.codes) + row * part.code_row_stride,
          part.code_row_stride,
          static_cast<uint8_t *>(part.scales) +
              row / options.format.blockRows * part.scale_row_stride,
          part.scale_row_stride};
}

/// One global scale for several rows: the largest magnitude of each task first,
/// then that of all tasks with the same scale. A maximum has no order.
bool Conversion::findSharedScales() const {
  // A matrix without elements has magnitude 0, hence one more.
  std::vector<float> maxima(size_t(batch * (tasksPerMatrix + 1) + 1), 0.0f);
  bool isGood = forEachRows(
      [&](Scratch &scratch, int64_t index, int64_t row, int64_t rows) {
        MatrixRef source;
        if (!getRows(scratch, index, row, rows, source))
          return false;
        maxima[size_t(index * (tasksPerMatrix + 1) + row / rowsPerTask)] =
            computeAmax(source).amax;
        return true;
      });
  if (!isGood)
    return false;
  auto convert = [&](float amax) {
    return globalScaleFromAmax(amax, options.convention,
                               options.format.scaleBound);
  };
  // One for the whole batch, even if it is empty, or one per matrix.
  const auto &strides = conversion.blocks.global_scale_batch_strides;
  bool isShared = std::all_of(std::begin(strides), std::end(strides),
                              [](int64_t stride) { return stride == 0; });
  if (isShared) {
    *conversion.blocks.global_scales =
        convert(*std::max_element(maxima.begin(), maxima.end()));
    return true;
  }
  for (int64_t index = 0; index < batch; ++index) {
    auto first = maxima.begin() + index * (tasksPerMatrix + 1);
    *getGlobalScales(index, 0) =
        convert(*std::max_element(first, first + tasksPerMatrix + 1));
  }
  return true;
}

bool Conversion::quantize() {
  const bool findsScales =
      (conversion.flags & NVFP4_CONVERT_FIND_GLOBAL_SCALES) != 0;
  const bool isOnlyScales =
      (conversion.flags & NVFP4_CONVERT_GLOBAL_SCALES_ONLY) != 0;
  if (findsScales && !isPerRow() && !findSharedScales())
    return false;
  if (isOnlyScales && !isPerRow())
    return true;
  return forEachRows(
      [&](Scratch &scratch, int64_t index, int64_t row, int64_t rows) {
        MatrixRef source;
        if (!getRows(scratch, index, row, rows, source))
          return false;
        float *scales = getGlobalScales(index, row);
        if (findsScales && isPerRow()) {
          computeAmax(source, scales);
          for (int64_t i = 0; i < rows; ++i)
            scales[i] = globalScaleFromAmax(scales[i], options.convention,
                                            options.format.scaleBound);
        }
        if (!isOnlyScales)
          nvfp4::quantize(options, source, scales, getBlocks(index, row));
        return true;
      });
}

bool Conversion::dequantize() {
  return forEachRows([&](Scratch &scratch, int64_t index, int64_t row,
                         int64_t rows) {
    nvfp4_matrix target = getPart(
        getMatrixOfBatch(conversion.matrix, conversion.batch, index), row, 0);
    const int64_t columns = conversion.columns;
    QuantizedRef blocks = getBlocks(index, row);
    ConstQuantizedRef source = {blocks.codes, blocks.codePitch, blocks.scales,
                                blocks.scalePitch};
    const float *scales = getGlobalScales(index, row);
    StridedMatrix view = getView(target);
    if (view.columnStride == 1) {
      nvfp4::dequantize(
          options, source, scales,
          {target.data, view.type, rows, columns, view.rowStride});
      return true;
    }
    float *copy = scratch.getFloats(size_t(rows * columns));
    if (!copy)
      return false;
    nvfp4::dequantize(options, source, scales,
                      {copy, FloatType::F32, rows, columns, columns});
    copyFromF32(copy, columns, rows, columns, target.data, view);
    return true;
  });
}

static Status checkConversion(const std::string &name,
                              const nvfp4_conversion &conversion) {
  if (Status status =
          checkStruct(name, conversion.struct_size, sizeof(conversion));
      !status)
    return status;
  if (Status status = checkExtents(name, conversion.rows, conversion.columns, 0,
                                   conversion.batch);
      !status)
    return status;
  if (Status status = checkMatrix(name, "the matrix", conversion.matrix);
      !status)
    return status;
  return checkBlocks(name, "the blocks", conversion.blocks);
}

static Status getMemoryError(const std::string &name) {
  return Status::error(name + ": expected memory for rows in f32, but got "
                              "none");
}

Status nvfp4::convertToBlocks(const nvfp4_conversion &conversion,
                              const CpuResources &cpu) {
  const std::string name = "quantize";
  if (Status status = checkConversion(name, conversion); !status)
    return status;
  if (Conversion(conversion, cpu).quantize())
    return Status();
  return getMemoryError(name);
}

Status nvfp4::convertFromBlocks(const nvfp4_conversion &conversion,
                                const CpuResources &cpu) {
  const std::string name = "dequantize";
  if (Status status = checkConversion(name, conversion); !status)
    return status;
  if (Conversion(conversion, cpu).dequantize())
    return Status();
  return getMemoryError(name);
}
