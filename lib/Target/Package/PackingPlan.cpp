//===- PackingPlan.cpp - How a packed tensor is made of weights -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/PackingPlan.h"

using namespace nvfp4;

void PackingRead::addCast(DType dtype) {
  if (dtype == getDType())
    return;
  // The only widening target is F32, and it is exact: going back is nothing.
  if (!casts.empty() && casts.back() == DType::F32) {
    DType before = casts.size() > 1 ? casts[casts.size() - 2] : sourceDType;
    if (before == dtype) {
      casts.pop_back();
      return;
    }
  }
  casts.push_back(dtype);
}

std::string PackingRead::getKey() const {
  std::string key =
      view.getKey() + " " + std::string(getDTypeName(sourceDType));
  for (DType dtype : casts)
    key += ">" + std::string(getDTypeName(dtype));
  return key;
}

PackingPlan PackingPlan::raw(const std::string &name, DType dtype,
                             const Extents &shape) {
  PackingPlan plan;
  plan.name = name;
  plan.sources.push_back({name, dtype, shape});
  plan.read.view = StridedView::ofSource(0, shape);
  plan.read.view.canonicalize();
  plan.read.sourceDType = dtype;
  plan.components.push_back({name, dtype, shape});
  return plan;
}

std::string PackingPlan::getKey() const {
  std::string key;
  for (const PackingSource &source : sources)
    key += "\"" + source.name + "\" " +
           std::string(getDTypeName(source.dtype)) + formatShape(source.shape);
  key += read.getKey();
  if (!quantize)
    return key;
  const BlockFormat &format = quantize->format;
  key += " " + std::string(format.name) + std::to_string(format.blockRows) +
         "x" + std::to_string(format.blockCols) + " " +
         std::to_string(format.scaleBound) + " " +
         std::string(stringifyGranularity(quantize->granularity)) + " " +
         std::string(stringifyConvention(quantize->convention)) + " " +
         std::string(stringifyBlockLayout(quantize->layout));
  if (quantize->scaleRead)
    key += " scale " + quantize->scaleRead->getKey();
  return key;
}

uint64_t PackingPlan::getBytesBefore() const {
  return (uint64_t(getNumElements()) * getDTypeBits(read.sourceDType) + 7) / 8;
}

uint64_t PackingPlan::getBytesAfter() const {
  uint64_t bytes = 0;
  for (const TensorSpec &component : components)
    bytes += getTensorBytes(component.dtype, component.shape).value_or(0);
  return bytes;
}

uint64_t PackingPlan::getSourceBytes() const {
  uint64_t bytes = 0;
  for (const PackingSource &source : sources)
    bytes += getTensorBytes(source.dtype, source.shape).value_or(0);
  return bytes;
}
