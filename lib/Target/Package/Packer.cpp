//===- Packer.cpp - The interpreter of packing plans ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A quantized tensor takes two passes over its source: one for the global
// scale, which also finds NaN and infinity before a byte is written, and one
// that quantizes. Bytes equal those of Support's quantizer on the whole matrix,
// because with a known global scale no panel of whole blocks depends on
// another.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/Packer.h"

#include "nvfp4/Runtime/Messages.h"
#include "nvfp4/Support/Quantize.h"
#include "nvfp4/Target/Package/ViewReader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

using namespace nvfp4;

static std::optional<FloatType> getFloatType(DType dtype) {
  if (dtype == DType::F32)
    return FloatType::F32;
  if (dtype == DType::BF16)
    return FloatType::BF16;
  if (dtype == DType::F16)
    return FloatType::F16;
  return std::nullopt;
}

static std::string describeSources(const PackingPlan &plan) {
  std::string text = plan.sources.size() > 1 ? "weights " : "weight ";
  for (size_t i = 0; i < plan.sources.size(); ++i)
    text += (i ? ", " : "") + quote(plan.sources[i].name);
  return text;
}

//===----------------------------------------------------------------------===//
// Quantized tensors
//===----------------------------------------------------------------------===//

namespace {

/// The work on one quantized tensor.
class QuantizedPacking {
public:
  QuantizedPacking(const PackingPlan &plan,
                   const std::vector<WeightTensor> &tensors,
                   const PackerOptions &options, const PackingSink &sink,
                   PackingStats &stats);
  Status run();

private:
  int64_t getPanelRows(int64_t cols) const;
  Status findGlobalScales(const PackingRead &read);
  Status checkFinite() const;
  Status quantizeSlice(ViewReader &reader, int64_t slice);
  Status quantizePanel(ViewReader &reader, int64_t slice, int64_t firstRow,
                       int64_t panelRows);
  void addErrors(const MatrixRef &source, const QuantizedRef &panel,
                 const float *globalScale);

  const PackingPlan &plan;
  const PackingQuantize &how;
  const std::vector<WeightTensor> &tensors;
  const PackerOptions &options;
  const PackingSink &sink;
  PackingStats &stats;

  QuantizeOptions quantizeOptions;
  int64_t slices = 1, rows = 0, cols = 0;
  std::vector<float> globalScales;
  std::vector<uint8_t> scales; // of the whole tensor, in its layout
  std::vector<char> panel;
  std::vector<uint8_t> codes, packedCodes, panelScales;
  std::vector<float> values, original;
  double signal = 0.0, error = 0.0;
};

} // namespace

QuantizedPacking::QuantizedPacking(const PackingPlan &plan,
                                   const std::vector<WeightTensor> &tensors,
                                   const PackerOptions &options,
                                   const PackingSink &sink, PackingStats &stats)
    : plan(plan), how(*plan.quantize), tensors(tensors), options(options),
      sink(sink), stats(stats) {
  Extents shape = plan.read.view.getShape();
  cols = shape.back();
  rows = shape[shape.size() - 2];
  for (size_t i = 0; i + 2 < shape.size(); ++i)
    slices *= shape[i];
  quantizeOptions = getDefaultOptions(how.format);
  quantizeOptions.convention = how.convention;
  // A slice is handed over by itself, with its own scale.
  quantizeOptions.granularity = how.granularity == GlobalScaleGranularity::Slice
                                    ? GlobalScaleGranularity::Tensor
                                    : how.granularity;
}

/// Rows of a panel: whole tiles of scales, hence whole blocks.
int64_t QuantizedPacking::getPanelRows(int64_t cols) const {
  int64_t wanted = options.panelElements / std::max<int64_t>(cols, 1);
  return std::max(wanted / kScaleTileRows, int64_t(1)) * kScaleTileRows;
}

Status QuantizedPacking::run() {
  if (Status status = verifyQuantizeOptions(quantizeOptions); !status)
    return status;
  if (how.format.hasGlobalScale) {
    const PackingRead &read = how.scaleRead ? *how.scaleRead : plan.read;
    if (Status status = findGlobalScales(read); !status)
      return status;
    if (Status status = checkFinite(); !status)
      return status;
  }
  ViewReader reader(plan.read, tensors);
  for (int64_t slice = 0; slice < slices; ++slice)
    if (Status status = quantizeSlice(reader, slice); !status)
      return status;
  if (Status status = checkFinite(); !status)
    return status;
  if (Status status = sink(plan.components[1], scales.data(), scales.size());
      !status)
    return status;
  stats.isQuantized = true;
  stats.format = std::string(how.format.name);
  stats.sqnr = error == 0.0 ? std::numeric_limits<double>::infinity()
                            : 10.0 * std::log10(signal / error);
  if (!how.format.hasGlobalScale)
    return {};
  return sink(plan.components[2], globalScales.data(),
              globalScales.size() * sizeof(float));
}

/// The first pass. The granularity says over what maxima are taken; slices and
/// rows are those of `read`, which IR verification made equal to the tensor's.
Status QuantizedPacking::findGlobalScales(const PackingRead &read) {
  int64_t count = read.view.getNumElements();
  int64_t width = cols, perScale = count; // a matrix is `width` wide
  std::vector<float> amax(1, 0.0f);
  if (how.granularity == GlobalScaleGranularity::Slice) {
    amax.assign(slices, 0.0f);
    perScale = slices ? count / slices : 0;
  } else if (how.granularity == GlobalScaleGranularity::Row) {
    amax.assign(slices * rows, 0.0f);
    width = read.view.getShape().back();
    perScale = width;
  }
  bool perRow = how.granularity == GlobalScaleGranularity::Row;
  int64_t step = std::max(options.panelElements, int64_t(1));
  if (perRow)
    step = std::max(step / std::max<int64_t>(width, 1), int64_t(1)) * width;

  ViewReader reader(read, tensors);
  FloatType type = *getFloatType(read.getDType());
  for (int64_t begin = 0; begin < count;) {
    int64_t end = std::min(begin + step, count);
    if (!perRow)
      end = std::min(end, (begin / perScale + 1) * perScale);
    panel.resize((end - begin) * reader.getElementBytes());
    if (Status status = reader.readElements(begin, end, panel.data()); !status)
      return status;
    int64_t panelWidth = perRow ? width : end - begin;
    int64_t panelRows = (end - begin) / panelWidth;
    AmaxResult found =
        computeAmax({panel.data(), type, panelRows, panelWidth, panelWidth},
                    perRow ? &amax[begin / width] : nullptr);
    if (!perRow)
      amax[begin / perScale] = std::max(amax[begin / perScale], found.amax);
    stats.amax = std::max(stats.amax, found.amax);
    stats.numNaN += found.numNaN;
    stats.numInf += found.numInf;
    begin = end;
  }
  for (float value : amax)
    globalScales.push_back(
        globalScaleFromAmax(value, how.convention, how.format.scaleBound));
  return {};
}

Status QuantizedPacking::checkFinite() const {
  if (stats.numNaN == 0 && stats.numInf == 0)
    return {};
  return Status::error(describeSources(plan) +
                       ": expected finite values in a tensor that is quantized "
                       "to " +
                       std::string(how.format.name) + ", but got " +
                       std::to_string(stats.numNaN) + " NaN and " +
                       std::to_string(stats.numInf) + " infinite of " +
                       std::to_string(plan.getNumElements()));
}

Status QuantizedPacking::quantizeSlice(ViewReader &reader, int64_t slice) {
  int64_t step = getPanelRows(cols);
  for (int64_t row = 0; row < rows; row += step)
    if (Status status =
            quantizePanel(reader, slice, row, std::min(step, rows - row));
        !status)
      return status;
  return {};
}

Status QuantizedPacking::quantizePanel(ViewReader &reader, int64_t slice,
                                       int64_t firstRow, int64_t panelRows) {
  int64_t begin = (slice * rows + firstRow) * cols;
  panel.resize(panelRows * cols * reader.getElementBytes());
  if (Status status =
          reader.readElements(begin, begin + panelRows * cols, panel.data());
      !status)
    return status;
  MatrixRef source = {panel.data(), *getFloatType(plan.read.getDType()),
                      panelRows, cols, cols};
  if (!how.format.hasGlobalScale || how.scaleRead) {
    // The first pass did not see these values.
    AmaxResult found = computeAmax(source);
    stats.amax = std::max(stats.amax, found.amax);
    stats.numNaN += found.numNaN;
    stats.numInf += found.numInf;
  }

  // The panel in linear layout, then in the tensor's.
  StorageLayout linear =
      getStorageLayout(how.format, BlockLayout::Linear, panelRows, cols);
  StorageLayout packed =
      getStorageLayout(how.format, how.layout, panelRows, cols);
  codes.resize(linear.codeBytes);
  panelScales.resize(linear.scaleBytes);
  QuantizedRef target = {codes.data(), linear.codePitch, panelScales.data(),
                         linear.scaleCols};
  const float *globalScale = nullptr;
  if (how.granularity == GlobalScaleGranularity::Tensor)
    globalScale = globalScales.data();
  else if (how.granularity == GlobalScaleGranularity::Slice)
    globalScale = &globalScales[slice];
  else if (how.granularity == GlobalScaleGranularity::Row)
    globalScale = &globalScales[slice * rows + firstRow];
  quantize(quantizeOptions, source, globalScale, target);
  addErrors(source, target, globalScale);

  size_t scalesBefore = scales.size();
  scales.resize(scalesBefore + packed.scaleBytes);
  packScales(packed, panelScales.data(), linear.scaleCols,
             scales.data() + scalesBefore);
  packedCodes.resize(packed.codeBytes);
  packCodes(packed, codes.data(), linear.codePitch, packedCodes.data());
  if (options.progress)
    options.progress(plan, panelRows * cols *
                               getDTypeBits(plan.read.sourceDType) / 8);
  return sink(plan.components[0], packedCodes.data(), packedCodes.size());
}

/// Adds the panel to signal and error power. A row is summed in f32 pieces of a
/// block, pieces in f64: exact enough for decibels, and it vectorizes.
void QuantizedPacking::addErrors(const MatrixRef &source,
                                 const QuantizedRef &panel,
                                 const float *globalScale) {
  values.resize(source.rows * source.cols);
  dequantize(
      quantizeOptions,
      {panel.codes, panel.codePitch, panel.scales, panel.scalePitch},
      globalScale,
      {values.data(), FloatType::F32, source.rows, source.cols, source.cols});
  int64_t count = source.rows * source.cols;
  const float *x = static_cast<const float *>(source.data);
  if (source.type != FloatType::F32) {
    original.resize(count);
    const uint16_t *halves = static_cast<const uint16_t *>(source.data);
    for (int64_t i = 0; i < count; ++i)
      original[i] = source.type == FloatType::BF16 ? decodeBF16(halves[i])
                                                   : decodeF16(halves[i]);
    x = original.data();
  }
  for (int64_t i = 0; i < count; ++i) {
    double value = x[i], difference = value - values[i];
    signal += value * value;
    error += difference * difference;
  }
}

//===----------------------------------------------------------------------===//
// Plain tensors
//===----------------------------------------------------------------------===//

/// Counts NaN and infinity of `bytes` bytes of a float dtype; no-op on others.
static void inspect(DType dtype, const char *data, uint64_t bytes,
                    PackingStats &stats) {
  if (std::optional<FloatType> type = getFloatType(dtype)) {
    int64_t count = bytes / getFloatTypeBytes(*type);
    AmaxResult found = computeAmax({data, *type, 1, count, count});
    stats.amax = std::max(stats.amax, found.amax);
    stats.numNaN += found.numNaN;
    stats.numInf += found.numInf;
    return;
  }
  if (dtype != DType::F64)
    return;
  for (uint64_t i = 0; i + 8 <= bytes; i += 8) {
    double value;
    std::memcpy(&value, data + i, 8);
    stats.numNaN += std::isnan(value);
    stats.numInf += std::isinf(value);
    if (!std::isnan(value))
      stats.amax = std::max(stats.amax, static_cast<float>(std::fabs(value)));
  }
}

/// Carries a tensor byte for byte, whatever its dtype.
static Status copyBytes(const PackingPlan &plan, const WeightTensor &tensor,
                        const PackerOptions &options, const PackingSink &sink,
                        PackingStats &stats) {
  // A multiple of every element size.
  constexpr uint64_t kChunkBytes = uint64_t(4) << 20;
  std::vector<char> chunk(std::min(kChunkBytes, tensor.bytes));
  for (uint64_t begin = 0; begin < tensor.bytes; begin += kChunkBytes) {
    uint64_t bytes = std::min(kChunkBytes, tensor.bytes - begin);
    if (Status status = tensor.read(chunk.data(), begin, bytes); !status)
      return status;
    inspect(tensor.dtype, chunk.data(), bytes, stats);
    if (Status status = sink(plan.components[0], chunk.data(), bytes); !status)
      return status;
    if (options.progress)
      options.progress(plan, bytes);
  }
  return {};
}

static Status copyElements(const PackingPlan &plan,
                           const std::vector<WeightTensor> &tensors,
                           const PackerOptions &options,
                           const PackingSink &sink, PackingStats &stats) {
  ViewReader reader(plan.read, tensors);
  std::vector<char> panel;
  int64_t count = plan.getNumElements();
  // Whole rows: a panel that ends inside one would need more boxes.
  Extents shape = plan.read.view.getShape();
  int64_t width = shape.empty() ? 1 : std::max<int64_t>(shape.back(), 1);
  int64_t step = std::max(options.panelElements / width, int64_t(1)) * width;
  for (int64_t begin = 0; begin < count; begin += step) {
    int64_t end = std::min(begin + step, count);
    panel.resize((end - begin) * reader.getElementBytes());
    if (Status status = reader.readElements(begin, end, panel.data()); !status)
      return status;
    inspect(plan.read.getDType(), panel.data(), panel.size(), stats);
    if (Status status = sink(plan.components[0], panel.data(), panel.size());
        !status)
      return status;
    if (options.progress)
      options.progress(plan,
                       (end - begin) * getDTypeBits(plan.read.sourceDType) / 8);
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Packer
//===----------------------------------------------------------------------===//

Packer::Packer(const WeightSource &weights, PackerOptions options)
    : weights(weights), options(std::move(options)) {}

static Result<std::vector<WeightTensor>>
findTensors(const PackingPlan &plan, const WeightSource &weights) {
  std::vector<WeightTensor> tensors;
  for (const PackingSource &source : plan.sources) {
    Result<WeightTensor> tensor = weights.get(source.name);
    if (!tensor)
      return tensor.getStatus();
    if (Status status = checkSource(source, *tensor); !status)
      return status;
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

Status Packer::check(const PackingPlan &plan) const {
  return findTensors(plan, weights).getStatus();
}

Result<PackingStats> Packer::pack(const PackingPlan &plan,
                                  const PackingSink &sink) const {
  Result<std::vector<WeightTensor>> tensors = findTensors(plan, weights);
  if (!tensors)
    return tensors.getStatus();

  PackingStats stats;
  stats.name = plan.name;
  stats.elements = plan.getNumElements();
  stats.bytesAfter = plan.getBytesAfter();
  stats.format = std::string(getDTypeName(plan.read.getDType()));
  bool sameDTypes = true;
  unsigned bits = getDTypeBits(plan.read.sourceDType);
  for (size_t i = 0; i < tensors->size(); ++i) {
    stats.sources.push_back(plan.sources[i].name);
    unsigned actual = getDTypeBits((*tensors)[i].dtype);
    stats.isWidened |= actual < bits;
    sameDTypes &= actual == bits;
  }
  for (const WeightTensor &tensor : *tensors)
    bits = std::min(bits, getDTypeBits(tensor.dtype));
  stats.bytesBefore = (stats.elements * bits + 7) / 8;

  Status status;
  if (plan.quantize) {
    status = QuantizedPacking(plan, *tensors, options, sink, stats).run();
  } else if (sameDTypes && plan.read.casts.empty() && tensors->size() == 1 &&
             plan.read.view.isWholeSource(
                 getNumElements(plan.sources[0].shape))) {
    status = copyBytes(plan, (*tensors)[0], options, sink, stats);
  } else {
    status = copyElements(plan, *tensors, options, sink, stats);
  }
  if (!status)
    return status;
  return stats;
}
