//===- StridedView.h - Views of tensors, composed into strided reads -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a chain of transposes, reshapes, slices, concatenations and broadcasts
// of source tensors amounts to: a list of boxes, each filled by one strided
// read of one source. A chain is composed when the graph is compiled and
// carried out when the package is written.
//
// Each dimension of the result is a product of *factors*. Collapsing dimensions
// only regroups factors, so that a transpose that is collapsed afterwards,
// which has no single stride, still is one box:
//
//   source [4, 6] --transpose--> [6, 4] --collapse--> [24]
//     factors {6, 4}, groups {2}, strides {1, 6}
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_STRIDEDVIEW_H
#define NVFP4_TARGET_PACKAGE_STRIDEDVIEW_H

#include "nvfp4/Support/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nvfp4 {

using Extents = std::vector<int64_t>;

/// The product of extents; 1 for none.
int64_t getNumElements(const Extents &extents);

/// A box of a view, in the space of its factors, and where its elements are.
struct ViewSegment {
  /// Index of the source tensor; whose numbers these are is up to the user.
  int64_t source = 0;
  /// The source element of the box's first corner, in row-major order.
  int64_t offset = 0;
  /// First index and number of indices of the box, per factor.
  Extents origin, extents;
  /// Source elements from one index to the next, per factor; 0 repeats.
  Extents strides;
};

/// A tensor whose elements lie in source tensors. Shapes are static.
///
/// Every operation returns an error, and leaves the view undefined, when the
/// result would consist of more than `kMaxSegments` boxes.
class StridedView {
public:
  /// More boxes than this are no view but a gather.
  static constexpr size_t kMaxSegments = 4096;

  /// A whole row-major source tensor.
  static StridedView ofSource(int64_t source, const Extents &shape);

  Extents getShape() const;
  int64_t getNumElements() const;
  int64_t getRank() const { return groups.size(); }
  const Extents &getFactors() const { return factors; }
  /// Number of factors of each dimension.
  const Extents &getGroups() const { return groups; }
  /// Disjoint boxes that together cover the factor space.
  const std::vector<ViewSegment> &getSegments() const { return segments; }
  /// The sources that are read, ascending.
  std::vector<int64_t> getSources() const;

  /// Splits each dimension: `extents` holds one list per dimension, whose
  /// product is that dimension's extent. A 0-d view takes one list of ones.
  Status expand(const std::vector<Extents> &extents);
  /// Merges consecutive dimensions: `counts` holds how many dimensions each new
  /// one consists of. No count: the result is 0-d and all extents must be 1.
  Status collapse(const Extents &counts);
  /// Keeps `sizes[d]` indices of dimension d, from `offsets[d]`, `steps[d]`
  /// apart.
  Status slice(const Extents &offsets, const Extents &sizes,
               const Extents &steps);
  /// Dimension d of the result is dimension `dims[d]` of this, or, if -1, a new
  /// one with extent `shape[d]` along which values repeat. Each dimension of
  /// this occurs at most once; one that does not occur must have extent 1.
  /// Transposes, broadcasts and removal of unit dimensions are all of this
  /// form.
  Status remap(const Extents &dims, const Extents &shape);
  /// Joins views along one dimension. They agree in all others.
  static Result<StridedView> concat(std::vector<StridedView> views,
                                    int64_t dim);

  /// Replaces source i by `sources[i]`.
  void renumberSources(const std::vector<int64_t> &sources);
  /// Brings the view into the one form that `getKey` compares: no unit factor,
  /// no two adjacent factors of a dimension that are one stride.
  void canonicalize();
  /// Text that is equal for equal canonical views.
  std::string getKey() const;
  /// True if the elements are those of one whole source tensor of `numElements`
  /// elements in its order, whatever the shape. Needs a canonical view.
  bool isWholeSource(int64_t numElements) const;
  /// True if the elements are those of one source, each once, in another order.
  bool isPermutation(int64_t numElements) const;

private:
  int64_t getFirstFactor(int64_t dim) const;
  Status checkSegmentCount() const;
  Status mergeWithNext(size_t factor);
  void splitFactor(size_t factor, int64_t inner);
  void sliceFactor(size_t factor, int64_t offset, int64_t size, int64_t step);
  void eraseFactor(size_t factor);
  Status flattenDim(int64_t dim);
  Status splitDim(int64_t dim, const Extents &extents);
  Status sliceDim(int64_t dim, int64_t offset, int64_t size, int64_t step);
  bool canMergeWithNext(size_t factor) const;
  void becomeEmpty(const Extents &shape);

  Extents factors;
  Extents groups;
  std::vector<ViewSegment> segments;
};

/// Cuts the index range [begin, end) of a row-major space into boxes, in order.
/// Each box is a pair of first indices and extents, one of each per factor.
struct IndexBox {
  Extents origin, extents;
};
std::vector<IndexBox> splitRange(const Extents &factors, int64_t begin,
                                 int64_t end);

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_STRIDEDVIEW_H
