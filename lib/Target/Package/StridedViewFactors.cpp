//===- StridedViewFactors.cpp - The arithmetic of factors and boxes -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splitting, merging and slicing of single factors of a view. Where an
// operation does not fit the factors (a reshape across a transpose, say),
// `mergeWithNext` cuts boxes into smaller ones that have one stride, up to the
// limit of the class.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/StridedView.h"

#include <algorithm>

using namespace nvfp4;

static int64_t divideCeil(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <typename T>
static void insertAt(std::vector<T> &list, size_t index, T value) {
  list.insert(list.begin() + index, value);
}

/// Makes one factor of `factor` and the next. A box that has no single stride
/// over both is cut into one box per index of the outer one.
Status StridedView::mergeWithNext(size_t factor) {
  int64_t inner = factors[factor + 1];
  std::vector<ViewSegment> merged;
  for (ViewSegment &segment : segments) {
    int64_t outerCount = segment.extents[factor];
    int64_t innerCount = segment.extents[factor + 1];
    bool isWhole = innerCount == inner;
    bool hasOneStride =
        innerCount == 1 ||
        segment.strides[factor] == segment.strides[factor + 1] * inner;
    bool isOneBox = outerCount == 1 || (isWhole && hasOneStride);
    int64_t numBoxes = isOneBox ? 1 : outerCount;
    for (int64_t i = 0; i < numBoxes; ++i) {
      ViewSegment box = segment;
      box.offset += i * segment.strides[factor];
      box.origin[factor + 1] += (segment.origin[factor] + i) * inner;
      if (isOneBox) {
        box.extents[factor + 1] = outerCount * innerCount;
        if (innerCount == 1)
          box.strides[factor + 1] = segment.strides[factor];
      }
      box.origin.erase(box.origin.begin() + factor);
      box.extents.erase(box.extents.begin() + factor);
      box.strides.erase(box.strides.begin() + factor);
      merged.push_back(std::move(box));
      if (merged.size() > kMaxSegments)
        return Status::error("expected a view of at most " +
                             std::to_string(kMaxSegments) +
                             " boxes, but the reshape crosses a transpose or "
                             "a slice and needs more");
    }
  }
  segments = std::move(merged);
  factors[factor + 1] *= inner == 0 ? 0 : factors[factor];
  factors.erase(factors.begin() + factor);
  return {};
}

/// True if `mergeWithNext` keeps the number of boxes.
bool StridedView::canMergeWithNext(size_t factor) const {
  int64_t inner = factors[factor + 1];
  return std::all_of(
      segments.begin(), segments.end(), [&](const ViewSegment &segment) {
        if (segment.extents[factor] == 1 && segment.extents[factor + 1] == 1)
          return true;
        if (segment.extents[factor] == 1)
          return true;
        if (segment.extents[factor + 1] != inner)
          return false;
        return inner == 1 ||
               segment.strides[factor] == segment.strides[factor + 1] * inner;
      });
}

/// Makes two factors of one: (f / inner, inner). `inner` divides f. A box that
/// starts or ends inside a row is cut there.
void StridedView::splitFactor(size_t factor, int64_t inner) {
  int64_t outer = factors[factor] / inner;
  std::vector<ViewSegment> split;
  for (ViewSegment &segment : segments) {
    int64_t begin = segment.origin[factor];
    int64_t end = begin + segment.extents[factor];
    int64_t stride = segment.strides[factor];
    for (const IndexBox &part : splitRange({outer, inner}, begin, end)) {
      ViewSegment box = segment;
      box.offset += (part.origin[0] * inner + part.origin[1] - begin) * stride;
      box.origin[factor] = part.origin[1];
      box.extents[factor] = part.extents[1];
      insertAt(box.origin, factor, part.origin[0]);
      insertAt(box.extents, factor, part.extents[0]);
      insertAt(box.strides, factor, stride * inner);
      split.push_back(std::move(box));
    }
  }
  segments = std::move(split);
  factors[factor] = inner;
  insertAt(factors, factor, outer);
}

void StridedView::sliceFactor(size_t factor, int64_t offset, int64_t size,
                              int64_t step) {
  std::vector<ViewSegment> kept;
  for (ViewSegment &segment : segments) {
    // The i with offset + i * step inside the box.
    int64_t begin = segment.origin[factor];
    int64_t end = begin + segment.extents[factor];
    int64_t first = begin <= offset ? 0 : divideCeil(begin - offset, step);
    int64_t last =
        end <= offset ? 0 : std::min(size, divideCeil(end - offset, step));
    if (first >= last)
      continue;
    segment.offset += (offset + first * step - begin) * segment.strides[factor];
    segment.origin[factor] = first;
    segment.extents[factor] = last - first;
    segment.strides[factor] *= step;
    kept.push_back(std::move(segment));
  }
  segments = std::move(kept);
  factors[factor] = size;
}

/// Removes a factor of extent 1, but not its group's count.
void StridedView::eraseFactor(size_t factor) {
  factors.erase(factors.begin() + factor);
  for (ViewSegment &segment : segments) {
    segment.origin.erase(segment.origin.begin() + factor);
    segment.extents.erase(segment.extents.begin() + factor);
    segment.strides.erase(segment.strides.begin() + factor);
  }
}

/// Leaves exactly one factor in a dimension.
Status StridedView::flattenDim(int64_t dim) {
  int64_t first = getFirstFactor(dim);
  if (groups[dim] == 0) {
    insertAt(factors, first, int64_t(1));
    for (ViewSegment &segment : segments) {
      insertAt(segment.origin, first, int64_t(0));
      insertAt(segment.extents, first, int64_t(1));
      insertAt(segment.strides, first, int64_t(1));
    }
    groups[dim] = 1;
  }
  // From the inside: inner pairs that are one stride stay one box.
  for (; groups[dim] > 1; --groups[dim])
    if (Status status = mergeWithNext(first + groups[dim] - 2); !status)
      return status;
  return {};
}

/// Regroups the factors of a dimension so that it can be cut into dimensions of
/// the given extents, and cuts it.
Status StridedView::splitDim(int64_t dim, const Extents &extents) {
  auto fits = [&] {
    // Walks both lists from the inside; a factor must contain the rest of an
    // extent as a divisor, or be a divisor of it.
    int64_t factor = getFirstFactor(dim) + groups[dim] - 1;
    int64_t rest = groups[dim] ? factors[factor] : 1;
    for (size_t i = extents.size(); i-- > 0;) {
      int64_t need = extents[i];
      while (need > 1) {
        if (rest == 1)
          rest = factors[--factor];
        else if (rest % need == 0)
          rest /= need, need = 1;
        else if (need % rest == 0)
          need /= rest, rest = 1;
        else
          return false;
      }
    }
    return true;
  };
  if (!fits())
    if (Status status = flattenDim(dim); !status)
      return status;

  int64_t factor = getFirstFactor(dim) + groups[dim] - 1;
  Extents counts(extents.size(), 0);
  for (size_t i = extents.size(); i-- > 0;) {
    int64_t need = extents[i];
    while (need > 1) {
      int64_t extent = factors[factor];
      if (extent > need) {
        splitFactor(factor, need);
        ++factor; // `factor` is now the inner part.
        extent = need;
      }
      need /= extent;
      if (extent == 1) {
        // A unit factor belongs to no extent in particular: drop it.
        eraseFactor(factor--);
        continue;
      }
      --factor;
      ++counts[i];
    }
  }
  // What is left on the outside are unit factors.
  int64_t first = getFirstFactor(dim);
  while (factor >= first)
    eraseFactor(factor--);
  groups.erase(groups.begin() + dim);
  groups.insert(groups.begin() + dim, counts.begin(), counts.end());
  return checkSegmentCount();
}

/// Slices one dimension, without merging factors if the slice fits them.
Status StridedView::sliceDim(int64_t dim, int64_t offset, int64_t size,
                             int64_t step) {
  int64_t first = getFirstFactor(dim);
  for (int64_t i = 0; i + 1 < groups[dim]; ++i) {
    int64_t inner = 1;
    for (int64_t k = i + 1; k < groups[dim]; ++k)
      inner *= factors[first + k];
    if (offset == 0 && step == 1 && size == inner * factors[first + i])
      return {};
    if (step == 1 && offset % inner == 0 && size % inner == 0) {
      sliceFactor(first + i, offset / inner, size / inner, 1);
      return {};
    }
    if (offset / inner != (offset + (size - 1) * step) / inner)
      break;
    // All inside one index of this factor: go on with the next one.
    sliceFactor(first + i, offset / inner, 1, 1);
    offset %= inner;
  }
  if (Status status = flattenDim(dim); !status)
    return status;
  if (offset != 0 || step != 1 || size != factors[first])
    sliceFactor(first, offset, size, step);
  return {};
}

std::vector<IndexBox> nvfp4::splitRange(const Extents &factors, int64_t begin,
                                        int64_t end) {
  std::vector<IndexBox> boxes;
  while (begin < end) {
    // The largest box that starts here: all of the inner factors that fit, and
    // a run of the next one outside.
    int64_t size = 1;
    size_t factor = factors.size();
    while (factor > 1 && begin % (size * factors[factor - 1]) == 0 &&
           end - begin >= size * factors[factor - 1])
      size *= factors[--factor];
    IndexBox box;
    box.extents.assign(factors.size(), 1);
    for (size_t i = factor; i < factors.size(); ++i)
      box.extents[i] = factors[i];
    int64_t rest = begin;
    box.origin.assign(factors.size(), 0);
    for (size_t i = factors.size(); i-- > 0; rest /= factors[i])
      box.origin[i] = rest % factors[i];
    int64_t count = 1;
    if (factor > 0) {
      count = std::min(factors[factor - 1] - box.origin[factor - 1],
                       (end - begin) / size);
      box.extents[factor - 1] = count;
    }
    boxes.push_back(std::move(box));
    begin += size * count;
  }
  return boxes;
}
