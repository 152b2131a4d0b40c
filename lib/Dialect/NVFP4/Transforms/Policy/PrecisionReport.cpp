//===- PrecisionReport.cpp - Building the precision report ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: a module after `nvfp4-assign-precision`. Changes nothing.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/PrecisionReport.h"

#include "DimensionNames.h"
#include "nvfp4/Dialect/NVFP4/IR/NVFP4.h"
#include "nvfp4/Dialect/NVFP4/Transforms/Policy.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
namespace json = llvm::json;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static std::string print(const std::optional<SymbolicExtent> &extent) {
  return extent ? extent->str() : "?";
}

static void appendShape(Value tensor, std::vector<std::string> &shape) {
  auto type = cast<RankedTensorType>(tensor.getType());
  for (int64_t dim = 0, rank = type.getRank(); dim < rank; ++dim)
    shape.push_back(print(getSymbolicExtent(tensor, dim)));
}

static std::vector<std::string> getShape(const Site &site) {
  std::vector<std::string> shape;
  if (site.contraction) {
    const ContractionInfo &info = *site.contraction;
    if (!info.batch.empty())
      shape.push_back(print(getSymbolicExtent(info.op, info.batch)));
    for (ArrayRef<unsigned> loops : {info.m, info.n, info.k})
      shape.push_back(print(getSymbolicExtent(info.op, loops)));
  } else if (site.siteClass == SiteClass::Embedding) {
    appendShape(site.weight->value, shape);
  } else {
    appendShape(site.op->getResult(0), shape);
    appendShape(site.op->getOperand(1), shape);
  }
  return shape;
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

/// Bytes of `count` elements of a weight whose rows along K have `rowLength`,
/// in `numMatrices` matrices, as the package stores them: unpadded.
static int64_t getStoredBytes(PrecisionAttr precision, int64_t count,
                              int64_t rowLength, int64_t numMatrices,
                              int64_t sourceBytes) {
  if (precision.isBF16())
    return 2 * count;
  if (precision.isF32())
    return 4 * count;
  if (precision.isKeep())
    return sourceBytes;
  StringRef name = precision.getFormatName();
  const BlockFormat *format = findFormat({name.data(), name.size()});
  int64_t rows = count / rowLength;
  int64_t scales = llvm::divideCeil(rows, format->blockRows) *
                   llvm::divideCeil(rowLength, format->blockCols);
  // Two codes to a byte, a byte per scale, an f32 per matrix.
  return llvm::divideCeil(count, 2) + scales +
         (format->hasGlobalScale ? 4 * numMatrices : 0);
}

static void setBytes(const Site &site, PrecisionAttr precision,
                     PrecisionReportEntry &entry) {
  if (!site.weight)
    return;
  int64_t count = site.weight->getNumElements();
  if (ShapedType::isDynamic(count))
    return;
  Type source = getElementTypeOrSelf(site.weight->weights.front().getType());
  int64_t sourceBytes =
      count * llvm::divideCeil(source.getIntOrFloatBitWidth(), 8);
  int64_t rowLength = 1, numMatrices = 1;
  if (precision.isBlockScaled()) {
    rowLength = site.contraction->getK();
    numMatrices = site.contraction->getBatch();
  }
  int64_t available = 0;
  for (BlockArgument weight : site.weight->weights)
    available += cast<RankedTensorType>(weight.getType()).getNumElements();
  entry.readsWholeWeight = count >= available;
  entry.bytesBefore = sourceBytes;
  entry.bytesAfter =
      getStoredBytes(precision, count, rowLength, numMatrices, sourceBytes);
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

static std::string getString(Operation *op, StringRef name) {
  auto attr = op->getAttrOfType<StringAttr>(name);
  return attr ? attr.str() : "";
}

static void setBlock(const Site &site, PrecisionReportEntry &entry) {
  if (!site.block)
    return;
  size_t begin = site.block->stack.size() + 1;
  size_t length = std::to_string(site.block->index).size();
  StringRef label = entry.site;
  entry.blockIndex = site.block->index;
  entry.siteBeforeIndex = label.take_front(begin).str();
  entry.siteAfterIndex = label.drop_front(begin + length).str();
}

static PrecisionReportEntry buildEntry(const Site &site) {
  Operation *op = site.op;
  auto realised = op->getAttrOfType<PrecisionAttr>(kPrecisionAttrName);
  if (!realised)
    realised = PrecisionAttr::get(op->getContext(), "keep");
  auto requested = op->getAttrOfType<PrecisionAttr>(kRequestedAttrName);
  PrecisionReportEntry entry;
  entry.site = site.getLabel();
  entry.siteClass = getString(op, kClassAttrName);
  if (entry.siteClass.empty())
    entry.siteClass = stringifySiteClass(site.siteClass).str();
  entry.weight = site.weightName;
  entry.shape = getShape(site);
  entry.realised = stringifyPrecision(realised);
  entry.requested = requested ? stringifyPrecision(requested) : entry.realised;
  entry.rule = getString(op, kRuleAttrName);
  entry.reason = getString(op, kReasonAttrName);
  setBytes(site, realised, entry);
  setBlock(site, entry);
  return entry;
}

PrecisionReport PrecisionReport::build(ModuleOp module) {
  PrecisionReport report;
  for (const Site &site : collectSites(module))
    report.entries.push_back(buildEntry(site));
  return report;
}

void PrecisionReport::setQuantizationError(StringRef weight, double sqnr) {
  for (PrecisionReportEntry &entry : entries) {
    StringRef kind = StringRef(entry.realised).split(',').first;
    bool isExact = kind == "keep" || kind == "f32" || kind == "bf16";
    if (entry.weight == weight && !isExact)
      entry.sqnr = sqnr;
  }
}

unsigned PrecisionReport::getNumFallbacks() const {
  return llvm::count_if(entries, [](const PrecisionReportEntry &entry) {
    return entry.requested != entry.realised;
  });
}

/// Sums `bytes` over slices, and over distinct pairs of whole weight and size.
static int64_t
sumDistinct(ArrayRef<PrecisionReportEntry> entries,
            std::optional<int64_t> PrecisionReportEntry::*bytes) {
  llvm::StringSet<> seen;
  int64_t sum = 0;
  for (const PrecisionReportEntry &entry : entries) {
    std::optional<int64_t> size = entry.*bytes;
    if (!size)
      continue;
    std::string key = entry.weight + "/" + std::to_string(*size);
    if (!entry.readsWholeWeight || seen.insert(key).second)
      sum += *size;
  }
  return sum;
}

int64_t PrecisionReport::getBytesBefore() const {
  return sumDistinct(entries, &PrecisionReportEntry::bytesBefore);
}

int64_t PrecisionReport::getBytesAfter() const {
  return sumDistinct(entries, &PrecisionReportEntry::bytesAfter);
}

json::Value PrecisionReport::toJSON() const {
  json::Array array;
  for (const PrecisionReportEntry &entry : entries) {
    json::Array shape;
    for (const std::string &extent : entry.shape) {
      int64_t number;
      if (StringRef(extent).getAsInteger(10, number))
        shape.push_back(extent);
      else
        shape.push_back(number);
    }
    array.push_back(json::Object{
        {"site", entry.site},
        {"class", entry.siteClass},
        {"weight", entry.weight.empty() ? json::Value(nullptr)
                                        : json::Value(entry.weight)},
        {"shape", std::move(shape)},
        {"requested", entry.requested},
        {"realised", entry.realised},
        {"rule", entry.rule},
        {"reason", entry.reason.empty() ? json::Value(nullptr)
                                        : json::Value(entry.reason)},
        {"bytes_before", entry.bytesBefore},
        {"bytes_after", entry.bytesAfter},
        // JSON has no infinity.
        {"sqnr_db", entry.sqnr && std::isfinite(*entry.sqnr)
                        ? json::Value(*entry.sqnr)
                        : json::Value(nullptr)},
    });
  }
  return array;
}

} // namespace nvfp4
