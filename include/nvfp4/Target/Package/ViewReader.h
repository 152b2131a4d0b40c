//===- ViewReader.h - Carry out the strided reads of a view -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads any range of a view's elements. What a box of the range needs is read
// from the source in one piece if it lies close together; otherwise (a
// transpose) the whole source is read once and kept. At most one whole source
// is kept, and one thread at a time reads from it.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_TARGET_PACKAGE_VIEWREADER_H
#define NVFP4_TARGET_PACKAGE_VIEWREADER_H

#include "nvfp4/Target/Package/PackingPlan.h"
#include "nvfp4/Target/Package/WeightSource.h"

#include <mutex>
#include <vector>

namespace nvfp4 {

/// Checks a tensor of the weights against what the graph declares. Accepted are
/// the same dtype, integers that differ in signedness only, and BF16 or F16
/// where the graph says F32, which is exact.
///
/// Error: `FILE: tensor 'NAME': expected F32 [8, 16], but got I64 [8]`.
Status checkSource(const PackingSource &expected, const WeightTensor &actual);

/// Reads the elements of one `PackingRead`, which outlives it, as does
/// `tensors`: for each source of the plan its tensor, already checked.
class ViewReader {
public:
  /// Buffers of one read at a time, worth keeping for the next.
  struct Scratch {
    std::vector<char> part, uncast;
  };

  ViewReader(const PackingRead &read, const std::vector<WeightTensor> &tensors);

  /// Bytes of one element of `read.getDType()`.
  unsigned getElementBytes() const;
  /// Writes elements [begin, end) of the view, in row-major order and after all
  /// casts, to `out`. Safe from several threads, each with its own scratch.
  Status readElements(int64_t begin, int64_t end, void *out, Scratch &scratch);

private:
  Status readBox(const IndexBox &box, int64_t begin, char *out,
                 std::vector<char> &part);
  Status loadWhole(const WeightTensor &tensor, int64_t source);
  void applyCasts(int64_t count, const char *data, char *out) const;

  const PackingRead &read;
  const std::vector<WeightTensor> &tensors;
  /// In the graph's dtype, before casts.
  unsigned sourceElementBytes;
  Extents resultStrides;
  /// Guards the two below.
  std::mutex wholeMutex;
  int64_t wholeSource = -1;
  std::vector<char> whole;
};

} // namespace nvfp4

#endif // NVFP4_TARGET_PACKAGE_VIEWREADER_H
