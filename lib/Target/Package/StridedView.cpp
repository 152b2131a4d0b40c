//===- StridedView.cpp - Views of tensors, composed into strided reads ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every operation is exact arithmetic on boxes; StridedViewFactors.cpp has what
// it does to single factors.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/StridedView.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <numeric>
#include <set>

using namespace nvfp4;

int64_t nvfp4::getNumElements(const Extents &extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t(1),
                         std::multiplies<>());
}

StridedView StridedView::ofSource(int64_t source, const Extents &shape) {
  StridedView view;
  view.factors = shape;
  view.groups.assign(shape.size(), 1);
  if (nvfp4::getNumElements(shape) == 0)
    return view;
  ViewSegment segment;
  segment.source = source;
  segment.origin.assign(shape.size(), 0);
  segment.extents = shape;
  segment.strides.assign(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    segment.strides[i] = segment.strides[i + 1] * shape[i + 1];
  view.segments.push_back(std::move(segment));
  return view;
}

Extents StridedView::getShape() const {
  Extents shape;
  size_t factor = 0;
  for (int64_t count : groups) {
    int64_t extent = 1;
    for (int64_t i = 0; i < count; ++i)
      extent *= factors[factor++];
    shape.push_back(extent);
  }
  return shape;
}

int64_t StridedView::getNumElements() const {
  return nvfp4::getNumElements(factors);
}

std::vector<int64_t> StridedView::getSources() const {
  std::set<int64_t> sources;
  for (const ViewSegment &segment : segments)
    sources.insert(segment.source);
  return {sources.begin(), sources.end()};
}

int64_t StridedView::getFirstFactor(int64_t dim) const {
  return std::accumulate(groups.begin(), groups.begin() + dim, int64_t(0));
}

Status StridedView::checkSegmentCount() const {
  if (segments.size() <= kMaxSegments)
    return {};
  return Status::error("expected a view of at most " +
                       std::to_string(kMaxSegments) + " boxes, but got " +
                       std::to_string(segments.size()));
}

void StridedView::becomeEmpty(const Extents &shape) {
  factors = shape;
  groups.assign(shape.size(), 1);
  segments.clear();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Status StridedView::expand(const std::vector<Extents> &extents) {
  Extents shape;
  for (const Extents &list : extents)
    shape.insert(shape.end(), list.begin(), list.end());
  if (nvfp4::getNumElements(shape) != getNumElements())
    return Status::error("expected a reshape to as many elements");
  if (getNumElements() == 0) {
    becomeEmpty(shape);
    return {};
  }
  if (groups.empty()) {
    groups.assign(shape.size(), 0);
    return {};
  }
  for (size_t dim = extents.size(); dim-- > 0;)
    if (Status status = splitDim(dim, extents[dim]); !status)
      return status;
  return {};
}

Status StridedView::collapse(const Extents &counts) {
  Extents shape = getShape(), newGroups, newShape;
  size_t dim = 0;
  for (int64_t count : counts) {
    int64_t numFactors = 0, extent = 1;
    for (int64_t i = 0; i < count; ++i, ++dim) {
      numFactors += groups[dim];
      extent *= shape[dim];
    }
    newGroups.push_back(numFactors);
    newShape.push_back(extent);
  }
  if (getNumElements() == 0) {
    becomeEmpty(newShape);
    return {};
  }
  if (counts.empty())
    while (!factors.empty())
      eraseFactor(0);
  groups = std::move(newGroups);
  return {};
}

Status StridedView::slice(const Extents &offsets, const Extents &sizes,
                          const Extents &steps) {
  Extents shape = getShape();
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    int64_t last = offsets[dim] + (sizes[dim] - 1) * steps[dim];
    if (offsets[dim] < 0 || sizes[dim] < 0 || steps[dim] < 1 ||
        (sizes[dim] > 0 && last >= shape[dim]))
      return Status::error(
          "expected a slice inside dimension " + std::to_string(dim) +
          " of extent " + std::to_string(shape[dim]) +
          " with positive steps, but got offset " +
          std::to_string(offsets[dim]) + ", size " +
          std::to_string(sizes[dim]) + ", step " + std::to_string(steps[dim]));
  }
  if (nvfp4::getNumElements(sizes) == 0) {
    becomeEmpty(sizes);
    return {};
  }
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (Status status = sliceDim(dim, offsets[dim], sizes[dim], steps[dim]);
        !status)
      return status;
  return {};
}

Status StridedView::remap(const Extents &dims, const Extents &shape) {
  Extents oldShape = getShape();
  std::vector<bool> used(oldShape.size(), false);
  for (int64_t dim : dims)
    if (dim >= 0)
      used[dim] = true;
  for (size_t dim = 0; dim < oldShape.size(); ++dim)
    if (!used[dim] && oldShape[dim] != 1)
      return Status::error(
          "expected a dropped dimension of extent 1, but got " +
          std::to_string(oldShape[dim]));
  if (nvfp4::getNumElements(shape) == 0) {
    becomeEmpty(shape);
    return {};
  }

  // Old factor of each new one; -1 repeats.
  Extents newFactors, newGroups, origins;
  for (size_t dim = 0; dim < dims.size(); ++dim) {
    if (dims[dim] < 0) {
      newFactors.push_back(shape[dim]);
      origins.push_back(-1);
      newGroups.push_back(1);
      continue;
    }
    int64_t first = getFirstFactor(dims[dim]);
    for (int64_t i = 0; i < groups[dims[dim]]; ++i) {
      newFactors.push_back(factors[first + i]);
      origins.push_back(first + i);
    }
    newGroups.push_back(groups[dims[dim]]);
  }
  for (ViewSegment &segment : segments) {
    ViewSegment box;
    box.source = segment.source;
    box.offset = segment.offset;
    for (size_t i = 0; i < origins.size(); ++i) {
      bool isNew = origins[i] < 0;
      box.origin.push_back(isNew ? 0 : segment.origin[origins[i]]);
      box.extents.push_back(isNew ? newFactors[i]
                                  : segment.extents[origins[i]]);
      box.strides.push_back(isNew ? 0 : segment.strides[origins[i]]);
    }
    segment = std::move(box);
  }
  factors = std::move(newFactors);
  groups = std::move(newGroups);
  return {};
}

Result<StridedView> StridedView::concat(std::vector<StridedView> views,
                                        int64_t dim) {
  Extents shape = views.front().getShape();
  shape[dim] = 0;
  for (const StridedView &view : views)
    shape[dim] += view.getShape()[dim];
  // Empty parts have no boxes, and factors of their own.
  views.erase(std::remove_if(views.begin(), views.end(),
                             [](const StridedView &view) {
                               return view.getNumElements() == 0;
                             }),
              views.end());
  StridedView result;
  if (views.empty()) {
    result.becomeEmpty(shape);
    return result;
  }

  // The factors must agree, except the outermost one of the joined dimension.
  for (int64_t d = 0; d < int64_t(shape.size()); ++d) {
    auto getFactorsOf = [&](const StridedView &view) {
      auto begin = view.factors.begin() + view.getFirstFactor(d);
      return Extents(begin + (d == dim && view.groups[d] ? 1 : 0),
                     begin + view.groups[d]);
    };
    bool agree = d != dim || views.front().groups[d] > 0;
    for (const StridedView &view : views)
      agree &= view.groups[d] == views.front().groups[d] &&
               getFactorsOf(view) == getFactorsOf(views.front());
    if (!agree)
      for (StridedView &view : views)
        if (Status status = view.flattenDim(d); !status)
          return status;
  }
  result = views.front();
  size_t joined = result.getFirstFactor(dim);
  for (size_t i = 1; i < views.size(); ++i) {
    for (ViewSegment &segment : views[i].segments) {
      segment.origin[joined] += result.factors[joined];
      result.segments.push_back(std::move(segment));
    }
    result.factors[joined] += views[i].factors[joined];
  }
  if (Status status = result.checkSegmentCount(); !status)
    return status;
  return result;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

void StridedView::renumberSources(const std::vector<int64_t> &sources) {
  for (ViewSegment &segment : segments)
    segment.source = sources[segment.source];
}

void StridedView::canonicalize() {
  if (getNumElements() == 0)
    return;
  size_t first = 0;
  for (int64_t &count : groups) {
    for (int64_t i = 0; i < count;) {
      size_t factor = first + i;
      if (factors[factor] == 1) {
        eraseFactor(factor);
        --count;
      } else if (i + 1 < count && canMergeWithNext(factor)) {
        Status status = mergeWithNext(factor);
        assert(status.ok() && "merging kept the number of boxes");
        (void)status;
        --count;
        // The merged factor may now merge with the one before it.
        i = std::max<int64_t>(0, i - 1);
      } else {
        ++i;
      }
    }
    first += count;
  }
  for (ViewSegment &segment : segments)
    for (size_t i = 0; i < factors.size(); ++i)
      if (segment.extents[i] == 1)
        segment.strides[i] = 0; // not used
  std::sort(segments.begin(), segments.end(),
            [](const ViewSegment &a, const ViewSegment &b) {
              return a.origin < b.origin;
            });
}

static void print(std::string &text, const Extents &list) {
  text += '[';
  for (size_t i = 0; i < list.size(); ++i)
    text += (i ? "," : "") + std::to_string(list[i]);
  text += ']';
}

std::string StridedView::getKey() const {
  std::string key;
  print(key, getShape());
  print(key, factors);
  print(key, groups);
  for (const ViewSegment &segment : segments) {
    key += " " + std::to_string(segment.source) + "+" +
           std::to_string(segment.offset);
    print(key, segment.origin);
    print(key, segment.extents);
    print(key, segment.strides);
  }
  return key;
}

bool StridedView::isWholeSource(int64_t numElements) const {
  if (getNumElements() != numElements)
    return false;
  if (numElements == 0)
    return true;
  if (segments.size() != 1 || segments[0].offset != 0)
    return false;
  int64_t stride = 1;
  for (size_t i = factors.size(); i-- > 0;) {
    if (factors[i] != 1 && segments[0].strides[i] != stride)
      return false;
    stride *= factors[i];
  }
  return true;
}

bool StridedView::isPermutation(int64_t numElements) const {
  if (getNumElements() != numElements || segments.size() != 1)
    return getNumElements() == numElements && numElements == 0;
  // Sorted by stride, the factors must be a row-major order of the source.
  std::vector<std::pair<int64_t, int64_t>> order;
  for (size_t i = 0; i < factors.size(); ++i)
    if (factors[i] != 1)
      order.push_back({segments[0].strides[i], factors[i]});
  std::sort(order.begin(), order.end());
  int64_t stride = 1;
  for (auto [actual, extent] : order) {
    if (actual != stride)
      return false;
    stride *= extent;
  }
  return segments[0].offset == 0;
}
