//===- StridedCopy.cpp - Gather a strided tensor --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StridedCopy.h"

#include <cstring>

using namespace nvfp4;

bool nvfp4::isContiguous(const TensorView &view) {
  if (view.strides.empty())
    return true;
  for (int64_t extent : view.shape)
    if (extent == 0)
      return true;
  int64_t expected = 1;
  for (size_t i = view.shape.size(); i-- > 0;) {
    if (view.shape[i] != 1 && view.strides[i] != expected)
      return false;
    expected *= view.shape[i];
  }
  return true;
}

/// Copies one row of `count` elements of a size that the compiler knows.
template <size_t elementBytes>
static void copyRow(char *target, const char *source, int64_t count,
                    int64_t strideBytes) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(target + i * elementBytes, source + i * strideBytes,
                elementBytes);
}

static void copyRow(char *target, const char *source, int64_t count,
                    int64_t strideBytes, int64_t elementBytes) {
  if (strideBytes == elementBytes) {
    std::memcpy(target, source, count * elementBytes);
    return;
  }
  switch (elementBytes) {
  case 1:
    return copyRow<1>(target, source, count, strideBytes);
  case 2:
    return copyRow<2>(target, source, count, strideBytes);
  case 4:
    return copyRow<4>(target, source, count, strideBytes);
  default:
    return copyRow<8>(target, source, count, strideBytes);
  }
}

void nvfp4::copyStrided(void *target, const TensorView &view) {
  int64_t elementBytes = getDTypeBits(view.dtype) / 8;
  size_t rank = view.shape.size();
  int64_t rows = 1;
  for (size_t i = 0; i < rank; ++i) {
    if (view.shape[i] == 0)
      return;
    if (i + 1 < rank)
      rows *= view.shape[i];
  }
  int64_t rowLength = rank == 0 ? 1 : view.shape.back();
  int64_t rowStride = rank == 0 ? 1 : view.strides.back();
  const char *source = static_cast<const char *>(view.data);
  char *out = static_cast<char *>(target);
  std::vector<int64_t> index(rank, 0);
  for (int64_t row = 0; row < rows; ++row) {
    copyRow(out, source, rowLength, rowStride * elementBytes, elementBytes);
    out += rowLength * elementBytes;
    // Count up the outer index and follow it with the pointer.
    for (size_t i = rank; i-- > 1;) {
      source += view.strides[i - 1] * elementBytes;
      if (++index[i - 1] < view.shape[i - 1])
        break;
      source -= view.strides[i - 1] * view.shape[i - 1] * elementBytes;
      index[i - 1] = 0;
    }
  }
}
