//===- GemmDims.cpp - Rows, columns and batch of a contraction ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/GemmDims.h"

#include "nvfp4/Runtime/ProgramABI.h"

using namespace mlir;
using namespace nvfp4;

/// Whether two dimensions of a buffer are one: a step of `outer` is as far as
/// all steps of `inner`.
static bool areOne(AffineMap map, MemRefType type, unsigned outer,
                   unsigned inner) {
  std::optional<unsigned> first =
      map.getResultPosition(getAffineDimExpr(outer, map.getContext()));
  std::optional<unsigned> second =
      map.getResultPosition(getAffineDimExpr(inner, map.getContext()));
  if (!first || !second)
    return !first && !second;
  if (type.getLayout().isIdentity())
    return *second == *first + 1;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  return ShapedType::isStatic(strides[*first]) &&
         ShapedType::isStatic(strides[*second]) &&
         !type.isDynamicDim(*second) &&
         strides[*first] == strides[*second] * type.getDimSize(*second);
}

FailureOr<GemmDims> nvfp4::getGemmDims(ArrayRef<AffineMap> maps,
                                       ArrayRef<MemRefType> types) {
  GemmDims dims;
  // In the order of the first operand that has the dimension.
  auto visit = [&](AffineMap map, unsigned other, unsigned lacking,
                   SmallVectorImpl<unsigned> &list) {
    for (AffineExpr result : map.getResults()) {
      unsigned dim = cast<AffineDimExpr>(result).getPosition();
      if (maps[other].isFunctionOfDim(dim) &&
          !maps[lacking].isFunctionOfDim(dim))
        list.push_back(dim);
    }
  };
  visit(maps[2], 0, 1, dims.rows);
  visit(maps[2], 1, 0, dims.columns);
  visit(maps[0], 1, 2, dims.depth);
  for (unsigned dim = 0; dim < maps[0].getNumDims(); ++dim)
    if (llvm::all_of(maps,
                     [&](AffineMap map) { return map.isFunctionOfDim(dim); }))
      dims.batch.push_back(dim);

  // What does not continue the innermost dimension joins the batch.
  auto split = [&](SmallVectorImpl<unsigned> &list) {
    size_t first = list.empty() ? 0 : list.size() - 1;
    while (first > 0 &&
           llvm::all_of(llvm::zip_equal(maps, types), [&](auto operand) {
             auto [map, type] = operand;
             return areOne(map, type, list[first - 1], list[first]);
           }))
      --first;
    SmallVector<unsigned> outer(ArrayRef(list).take_front(first));
    list.erase(list.begin(), list.begin() + first);
    return outer;
  };
  llvm::append_range(dims.batch, split(dims.rows));
  llvm::append_range(dims.batch, split(dims.columns));
  if (!split(dims.depth).empty() || dims.batch.size() > NVFP4_MAX_BATCH_DIMS)
    return failure();
  return dims;
}
