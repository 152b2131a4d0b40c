//===- Packer.cpp - The interpreter of packing plans ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A quantized tensor takes two passes over its source: one for the global
// scale, which also finds NaN and infinity before a byte is written, and one
// that quantizes. Bytes equal those of Support's quantizer on the whole matrix,
// because with a known global scale no panel of whole blocks depends on
// another. Panels are made on all threads and handed on in order; sums over
// panels are formed in order too, so nothing depends on the number of threads.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/Packer.h"

#include "PanelPipeline.h"

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

static void addTo(PackingStats &stats, const AmaxResult &found) {
  stats.amax = std::max(stats.amax, found.amax);
  stats.numNaN += found.numNaN;
  stats.numInf += found.numInf;
}

//===----------------------------------------------------------------------===//
// Quantized tensors
//===----------------------------------------------------------------------===//

namespace {

/// What the first pass learns from a panel.
struct FoundPanel {
  AmaxResult found;
  int64_t scale = 0;
};

/// What the second pass makes of one, in the layout of the tensor.
struct QuantizedPanel {
  std::vector<uint8_t> codes, scales;
  AmaxResult found;
  double signal = 0.0, error = 0.0;
  int64_t elements = 0;
};

struct PanelScratch {
  ViewReader::Scratch reading;
  std::vector<char> source;
  /// In linear layout.
  std::vector<uint8_t> codes, scales;
  std::vector<float> values;
};

/// The work on one quantized tensor.
class QuantizedPacking {
public:
  QuantizedPacking(const PackingPlan &plan,
                   const std::vector<WeightTensor> &tensors,
                   const PackerOptions &options, const PackingSink &sink,
                   PackingStats &stats);
  Status run();

private:
  int64_t getPanelRows() const;
  Status findGlobalScales();
  Status checkFinite() const;
  Status quantizePanels();
  Status quantizePanel(ViewReader &reader, int64_t slice, int64_t firstRow,
                       int64_t panelRows, QuantizedPanel &panel,
                       PanelScratch &scratch) const;
  const float *getGlobalScale(int64_t slice, int64_t row) const;
  void addErrors(const MatrixRef &source, const QuantizedRef &codes,
                 const float *globalScale, QuantizedPanel &panel,
                 std::vector<float> &values) const;

  const PackingPlan &plan;
  const PackingQuantize &how;
  /// Those of the plan, without widenings.
  PackingRead read, scaleRead;
  const std::vector<WeightTensor> &tensors;
  const PackerOptions &options;
  const PackingSink &sink;
  PackingStats &stats;

  QuantizeOptions quantizeOptions;
  int64_t slices = 1, rows = 0, cols = 0;
  std::vector<float> globalScales;
  std::vector<uint8_t> scales; // of the whole tensor, in its layout
  double signal = 0.0, error = 0.0;
};

} // namespace

/// The quantizer and the search for the largest magnitude widen by themselves,
/// exactly, and narrow elements are less to move.
static PackingRead withoutWidening(PackingRead read) {
  if (!read.casts.empty() && read.casts.back() == DType::F32)
    read.casts.pop_back();
  return read;
}

QuantizedPacking::QuantizedPacking(const PackingPlan &plan,
                                   const std::vector<WeightTensor> &tensors,
                                   const PackerOptions &options,
                                   const PackingSink &sink, PackingStats &stats)
    : plan(plan), how(*plan.quantize), read(withoutWidening(plan.read)),
      scaleRead(how.scaleRead ? withoutWidening(*how.scaleRead) : read),
      tensors(tensors), options(options), sink(sink), stats(stats) {
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
int64_t QuantizedPacking::getPanelRows() const {
  int64_t wanted = options.panelElements / std::max<int64_t>(cols, 1);
  return std::max(wanted / kScaleTileRows, int64_t(1)) * kScaleTileRows;
}

Status QuantizedPacking::run() {
  if (Status status = verifyQuantizeOptions(quantizeOptions); !status)
    return status;
  if (how.format.hasGlobalScale) {
    if (Status status = findGlobalScales(); !status)
      return status;
    if (Status status = checkFinite(); !status)
      return status;
  }
  if (Status status = quantizePanels(); !status)
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
/// rows are those of the read, which IR verification made equal to the
/// tensor's.
Status QuantizedPacking::findGlobalScales() {
  int64_t count = scaleRead.view.getNumElements();
  int64_t width = cols, perScale = count; // a matrix is `width` wide
  std::vector<float> amax(1, 0.0f);
  if (how.granularity == GlobalScaleGranularity::Slice) {
    amax.assign(slices, 0.0f);
    perScale = slices ? count / slices : 0;
  } else if (how.granularity == GlobalScaleGranularity::Row) {
    amax.assign(slices * rows, 0.0f);
    width = scaleRead.view.getShape().back();
    perScale = width;
  }
  bool perRow = how.granularity == GlobalScaleGranularity::Row;
  int64_t step = std::max(options.panelElements, int64_t(1));
  if (perRow) {
    step = std::max(step / std::max<int64_t>(width, 1), int64_t(1)) * width;
    perScale = count; // panels may hold rows of several scales
  }
  int64_t panelsPerScale = perScale ? ceilDiv(perScale, step) : 0;
  int64_t numPanels = perScale ? count / perScale * panelsPerScale : 0;

  ViewReader reader(scaleRead, tensors);
  FloatType type = *getFloatType(scaleRead.getDType());
  auto look = [&](int64_t index, FoundPanel &panel, PanelScratch &scratch) {
    panel.scale = index / panelsPerScale;
    int64_t begin = panel.scale * perScale + index % panelsPerScale * step;
    int64_t end = std::min(begin + step, (panel.scale + 1) * perScale);
    scratch.source.resize((end - begin) * reader.getElementBytes());
    if (Status status = reader.readElements(begin, end, scratch.source.data(),
                                            scratch.reading);
        !status)
      return status;
    int64_t panelWidth = perRow ? width : end - begin;
    int64_t panelRows = (end - begin) / panelWidth;
    panel.found = computeAmax(
        {scratch.source.data(), type, panelRows, panelWidth, panelWidth},
        perRow ? &amax[begin / width] : nullptr);
    return Status();
  };
  auto note = [&](const FoundPanel &panel) {
    if (!perRow)
      amax[panel.scale] = std::max(amax[panel.scale], panel.found.amax);
    addTo(stats, panel.found);
    return Status();
  };
  PanelPipeline<FoundPanel, PanelScratch> pipeline(options.pool);
  if (Status status = pipeline.run(numPanels, look, note); !status)
    return status;
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

const float *QuantizedPacking::getGlobalScale(int64_t slice,
                                              int64_t row) const {
  switch (how.granularity) {
  case GlobalScaleGranularity::None:
    return nullptr;
  case GlobalScaleGranularity::Tensor:
    return globalScales.data();
  case GlobalScaleGranularity::Slice:
    return &globalScales[slice];
  case GlobalScaleGranularity::Row:
    return &globalScales[slice * rows + row];
  }
  __builtin_unreachable();
}

/// The second pass.
Status QuantizedPacking::quantizePanels() {
  int64_t step = getPanelRows();
  int64_t panelsPerSlice = ceilDiv(rows, step);
  ViewReader reader(read, tensors);
  auto make = [&](int64_t index, QuantizedPanel &panel, PanelScratch &scratch) {
    int64_t row = index % panelsPerSlice * step;
    return quantizePanel(reader, index / panelsPerSlice, row,
                         std::min(step, rows - row), panel, scratch);
  };
  auto use = [&](const QuantizedPanel &panel) {
    addTo(stats, panel.found);
    signal += panel.signal;
    error += panel.error;
    scales.insert(scales.end(), panel.scales.begin(), panel.scales.end());
    if (options.progress)
      options.progress(plan, panel.elements *
                                 getDTypeBits(plan.read.sourceDType) / 8);
    return sink(plan.components[0], panel.codes.data(), panel.codes.size());
  };
  PanelPipeline<QuantizedPanel, PanelScratch> pipeline(options.pool);
  return pipeline.run(slices * panelsPerSlice, make, use);
}

Status QuantizedPacking::quantizePanel(ViewReader &reader, int64_t slice,
                                       int64_t firstRow, int64_t panelRows,
                                       QuantizedPanel &panel,
                                       PanelScratch &scratch) const {
  panel.elements = panelRows * cols;
  int64_t begin = (slice * rows + firstRow) * cols;
  scratch.source.resize(panel.elements * reader.getElementBytes());
  if (Status status =
          reader.readElements(begin, begin + panel.elements,
                              scratch.source.data(), scratch.reading);
      !status)
    return status;
  MatrixRef source = {scratch.source.data(), *getFloatType(read.getDType()),
                      panelRows, cols, cols};
  // If the first pass did not see these values.
  panel.found = {};
  if (!how.format.hasGlobalScale || how.scaleRead)
    panel.found = computeAmax(source);

  // The panel in linear layout, then in the tensor's.
  StorageLayout linear =
      getStorageLayout(how.format, BlockLayout::Linear, panelRows, cols);
  StorageLayout packed =
      getStorageLayout(how.format, how.layout, panelRows, cols);
  scratch.codes.resize(linear.codeBytes);
  scratch.scales.resize(linear.scaleBytes);
  QuantizedRef target = {scratch.codes.data(), linear.codePitch,
                         scratch.scales.data(), linear.scaleCols};
  const float *globalScale = getGlobalScale(slice, firstRow);
  quantize(quantizeOptions, source, globalScale, target);
  addErrors(source, target, globalScale, panel, scratch.values);

  panel.scales.resize(packed.scaleBytes);
  packScales(packed, scratch.scales.data(), linear.scaleCols,
             panel.scales.data());
  panel.codes.resize(packed.codeBytes);
  packCodes(packed, scratch.codes.data(), linear.codePitch, panel.codes.data());
  return {};
}

/// Adds the squares of `count` values and of what they lost. Several sums each,
/// in a fixed order: one sum would wait for every addition.
template <typename Load>
static void addSquares(int64_t count, Load load, const float *decoded,
                       double &signal, double &error) {
  constexpr int64_t kSums = 8;
  double signals[kSums] = {}, errors[kSums] = {};
  auto add = [&](int64_t i, int64_t j) {
    double value = load(i), difference = value - decoded[i];
    signals[j] += value * value;
    errors[j] += difference * difference;
  };
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (int64_t j = 0; j < kSums; ++j)
      add(i + j, j);
  for (; i < count; ++i)
    add(i, 0);
  for (int64_t j = 0; j < kSums; ++j) {
    signal += signals[j];
    error += errors[j];
  }
}

/// Computes signal and error power of a panel, some rows at a time, so that the
/// decoded values stay in the cache.
void QuantizedPacking::addErrors(const MatrixRef &source,
                                 const QuantizedRef &codes,
                                 const float *globalScale,
                                 QuantizedPanel &panel,
                                 std::vector<float> &values) const {
  constexpr int64_t kElements = int64_t(1) << 14;
  int64_t blockRows = how.format.blockRows;
  int64_t step =
      std::max(kElements / std::max<int64_t>(cols * blockRows, 1), int64_t(1)) *
      blockRows;
  bool isPerRow = how.granularity == GlobalScaleGranularity::Row;
  panel.signal = panel.error = 0.0;
  for (int64_t row = 0; row < source.rows; row += step) {
    int64_t count = std::min(step, source.rows - row) * cols;
    values.resize(step * cols);
    dequantize(quantizeOptions,
               {codes.codes + row * codes.codePitch, codes.codePitch,
                codes.scales + row / blockRows * codes.scalePitch,
                codes.scalePitch},
               isPerRow ? globalScale + row : globalScale,
               {values.data(), FloatType::F32,
                count / std::max<int64_t>(cols, 1), cols, cols});
    const char *data = static_cast<const char *>(source.data) +
                       row * cols * getFloatTypeBytes(source.type);
    auto run = [&](auto load) {
      addSquares(count, load, values.data(), panel.signal, panel.error);
    };
    const auto *halves = reinterpret_cast<const uint16_t *>(data);
    switch (source.type) {
    case FloatType::F32:
      run([x = reinterpret_cast<const float *>(data)](int64_t i) {
        return x[i];
      });
      break;
    case FloatType::BF16:
      run([halves](int64_t i) {
        return floatOfBits(uint32_t(halves[i]) << 16);
      });
      break;
    case FloatType::F16:
      run([halves](int64_t i) { return decodeF16(halves[i]); });
      break;
    }
  }
}

//===----------------------------------------------------------------------===//
// Plain tensors
//===----------------------------------------------------------------------===//

namespace {

struct PlainPanel {
  std::vector<char> bytes;
  AmaxResult found;
  uint64_t bytesBefore = 0;
};

} // namespace

/// Looks for NaN and infinity in `bytes` bytes of a float dtype; finds nothing
/// in others.
static AmaxResult inspect(DType dtype, const char *data, uint64_t bytes) {
  if (std::optional<FloatType> type = getFloatType(dtype)) {
    int64_t count = bytes / getFloatTypeBytes(*type);
    return computeAmax({data, *type, 1, count, count});
  }
  AmaxResult found;
  if (dtype != DType::F64)
    return found;
  for (uint64_t i = 0; i + 8 <= bytes; i += 8) {
    double value;
    std::memcpy(&value, data + i, 8);
    found.numNaN += std::isnan(value);
    found.numInf += std::isinf(value);
    if (!std::isnan(value))
      found.amax = std::max(found.amax, static_cast<float>(std::fabs(value)));
  }
  return found;
}

/// Hands on the panels of a tensor that is not quantized.
template <typename Make>
static Status copyPanels(int64_t count, Make make, const PackingPlan &plan,
                         const PackerOptions &options, const PackingSink &sink,
                         PackingStats &stats) {
  auto use = [&](const PlainPanel &panel) {
    addTo(stats, panel.found);
    if (options.progress)
      options.progress(plan, panel.bytesBefore);
    return sink(plan.components[0], panel.bytes.data(), panel.bytes.size());
  };
  PanelPipeline<PlainPanel, ViewReader::Scratch> pipeline(options.pool);
  return pipeline.run(count, make, use);
}

/// Carries a tensor byte for byte, whatever its dtype.
static Status copyBytes(const PackingPlan &plan, const WeightTensor &tensor,
                        const PackerOptions &options, const PackingSink &sink,
                        PackingStats &stats) {
  // A multiple of every element size.
  constexpr uint64_t kPanelBytes = uint64_t(1) << 20;
  auto make = [&](int64_t index, PlainPanel &panel, ViewReader::Scratch &) {
    uint64_t begin = index * kPanelBytes;
    panel.bytesBefore = std::min(kPanelBytes, tensor.bytes - begin);
    panel.bytes.resize(panel.bytesBefore);
    Status status = tensor.read(panel.bytes.data(), begin, panel.bytesBefore);
    if (status)
      panel.found =
          inspect(tensor.dtype, panel.bytes.data(), panel.bytesBefore);
    return status;
  };
  int64_t count = ceilDiv(int64_t(tensor.bytes), int64_t(kPanelBytes));
  return copyPanels(count, make, plan, options, sink, stats);
}

static Status copyElements(const PackingPlan &plan,
                           const std::vector<WeightTensor> &tensors,
                           const PackerOptions &options,
                           const PackingSink &sink, PackingStats &stats) {
  ViewReader reader(plan.read, tensors);
  int64_t elements = plan.getNumElements();
  // Whole rows: a panel that ends inside one would need more boxes.
  Extents shape = plan.read.view.getShape();
  int64_t width = shape.empty() ? 1 : std::max<int64_t>(shape.back(), 1);
  int64_t step = std::max(options.panelElements / width, int64_t(1)) * width;
  auto make = [&](int64_t index, PlainPanel &panel,
                  ViewReader::Scratch &scratch) {
    int64_t begin = index * step, end = std::min(begin + step, elements);
    panel.bytesBefore = (end - begin) * getDTypeBits(plan.read.sourceDType) / 8;
    panel.bytes.resize((end - begin) * reader.getElementBytes());
    Status status =
        reader.readElements(begin, end, panel.bytes.data(), scratch);
    if (status)
      panel.found =
          inspect(plan.read.getDType(), panel.bytes.data(), panel.bytes.size());
    return status;
  };
  return copyPanels(ceilDiv(elements, step), make, plan, options, sink, stats);
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
