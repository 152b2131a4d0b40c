//===- AttentionChoice.cpp - How an attention is computed -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Few rows of a head would leave the matrix unit nearly empty: then CTAs share
// the keys of a row. More rows share the keys that a CTA reads.
//
//===----------------------------------------------------------------------===//

#include "KernelChoice.h"

#include "nvfp4/Support/AttentionMemory.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace nvfp4 {

/// Rows per head that are few.
static constexpr int64_t kFewRows = 8;
/// Of few rows: elements of a head that a thread reads at once, threads, CTAs
/// of a cluster, which share the keys of a row, and scores of each.
static constexpr int64_t kRun = 8, kThreads = 256, kCtas = 8, kKeys = 4096;

/// Of many rows: warps of a CTA, twice as many where a multiprocessor has no
/// room for two CTAs, which do not wait for each other; keys of a tile, fewer
/// where heads are larger, because a thread has results of one row for each of
/// their elements and 8.
static constexpr int64_t kUnit = AttentionMemory::kUnit, kWarps = 4;
static constexpr int64_t kTileKeys = 64, kWideTileKeys = 32, kWideSize = 128;

static std::optional<std::string>
whyNotFewRows(const AttentionExtents &extents) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto splits = [](int64_t extent) {
    return extent % kRun == 0 && llvm::isPowerOf2_64(extent / kRun);
  };
  constexpr int64_t kMaxColumns = kRun * kThreads;
  if (!splits(extents.depth) || !splits(extents.columns))
    os << "keys of " << extents.depth << " and values of " << extents.columns
       << " elements are not " << kRun << " times a power of two";
  else if (extents.columns > kMaxColumns)
    os << "values have " << extents.columns << " elements, which are more than "
       << kMaxColumns;
  return text.empty() ? std::nullopt : std::optional(text);
}

static std::optional<std::string>
whyNotManyRows(const Attention &attention, const AttentionExtents &extents) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (int64_t size : {extents.depth, extents.columns})
    if (!AttentionMemory::isWholeUnits(size)) {
      os << "heads of " << size << " elements are no multiple of " << kUnit
         << " up to " << AttentionMemory::kMaxExtent;
      return text;
    }
  for (linalg::LinalgOp product : {attention.scores, attention.values}) {
    Type lhs = getElementTypeOrSelf(product.getDpsInputs()[0].getType());
    Type rhs = getElementTypeOrSelf(product.getDpsInputs()[1].getType());
    if (lhs != rhs || !(lhs.isBF16() || lhs.isF16())) {
      os << "its products are of " << lhs << " and " << rhs
         << ", not of bf16 or f16";
      return text;
    }
  }
  Softmax softmax;
  return findSoftmax(attention, softmax);
}

static KernelAttr getManyRows(MLIRContext *context,
                              const AttentionExtents &extents, int64_t numKeys,
                              const ChipModel &chip) {
  bool isWide = std::max(extents.depth, extents.columns) > kWideSize;
  int64_t warps = kWarps;
  int64_t keys = isWide ? kWideTileKeys : kTileKeys;
  auto getBytes = [&] {
    return AttentionMemory{kUnit * warps, keys, extents.depth, extents.columns}
        .getBytes();
  };
  if (!isWide && 2 * getBytes() > chip.sharedBytes)
    warps *= 2;
  if (!ShapedType::isDynamic(extents.rows))
    while (warps > 1 && kUnit * warps / 2 >= extents.rows)
      warps /= 2;
  if (!ShapedType::isDynamic(numKeys))
    keys = std::clamp<int64_t>(llvm::alignTo(numKeys, kUnit), kUnit, keys);
  while (warps > 1 && getBytes() > chip.sharedBytes)
    warps /= 2;
  return KernelAttr::get(context, KernelSchedule::Attention, 32 * warps,
                         /*tile=*/{kUnit * warps, keys},
                         /*warps=*/{warps, 1, 1}, /*stages=*/1,
                         /*swapped=*/false, /*maxRows=*/0, /*clusters=*/1);
}

std::optional<std::string> chooseAttention(const Attention &attention,
                                           const ChipModel &chip,
                                           KernelAttr &kernel) {
  linalg::LinalgOp scores = attention.scores;
  MLIRContext *context = scores->getContext();
  AttentionExtents extents = getExtents(attention);
  if (!ShapedType::isDynamic(extents.rows) && extents.rows <= kFewRows) {
    kernel = KernelAttr::get(context, KernelSchedule::Attention, kThreads,
                             /*tile=*/{kCtas, kKeys}, /*warps=*/{},
                             /*stages=*/1, /*swapped=*/false, /*maxRows=*/0,
                             /*clusters=*/1);
    return whyNotFewRows(extents);
  }
  kernel = getManyRows(
      context, extents,
      cast<ShapedType>(scores->getResult(0).getType()).getShape().back(), chip);
  return whyNotManyRows(attention, extents);
}

} // namespace nvfp4
