//===- TensorMemoryChoice.cpp - Tiles of products in tensor memory --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The unit has 128 rows and 16 to 256 columns. Few rows of a product stand in
// the unit's columns, so that all its rows have work: those of the weights.
// Weights that are decoded always stand in the rows: a tile of 256 rows of the
// product then decodes 128 of weights.
// If K is long, and such tiles are at most half as many as multiprocessors,
// CTAs share K. Where a chip is busy for some rounds of tiles of 256 x 256,
// pairs of CTAs multiply, so that each reads half of the columns.
//
//===----------------------------------------------------------------------===//

#include "KernelChoice.h"

#include "nvfp4/Support/SharedMemory.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nvfp4;

/// The unit's rows, and bytes of K in a stage: one line of shared memory.
static constexpr int64_t kUnitRows = 128, kLineBytes = 128;
/// The fewest of the unit's columns here: with scales, and with lines that may
/// run along rows.
static constexpr int64_t kLeastColumns = 16, kLeastPlainColumns = 64;
/// Rows up to which a product is swapped: half of the unit's rows.
static constexpr int64_t kMaxSwapped = 64;
static_assert(kMaxSwapped <= kSliceColumns,
              "CTAs that share K exchange their sums at once");
/// Warps that give out results, those that copy, and the one that multiplies.
static constexpr int64_t kWorkers = 4, kOthers = 4 + 1;
static constexpr int64_t kMaxStages = 6;
/// CTAs that share K, and stages of each.
static constexpr int64_t kMostSharers = 4, kLeastSharedStages = 4;
/// Columns of a tile, also of 16-bit operands, and rounds of tiles, from which
/// pairs multiply.
static constexpr int64_t kLeastPairColumns = 192, kLeastPlainPairColumns = 256,
                         kLeastPairRounds = 3;

// clang-format off
constexpr ResultTile kTiles[] = {
    {128, 256, 1, 1.00},
    {128, 192, 1, 1.10},
    {128, 128, 1, 1.20},
};
// clang-format on

/// Pairs of CTAs with narrow tiles, or that take more rounds than single ones,
/// or few, do not pay.
static bool prefersPairs(const ResultTile &single, const Product &product,
                         int64_t rows, int64_t columns, const ChipModel &chip) {
  bool isScaled = product.isScaled();
  ResultTile pair = {single.m, single.n, /*clusters=*/2, single.cost};
  int64_t rounds = getRounds(pair, rows, columns, chip);
  return !product.decodesWeights() &&
         single.n >= (isScaled ? kLeastPairColumns : kLeastPlainPairColumns) &&
         rounds >= kLeastPairRounds &&
         rounds <= getRounds(single, rows, columns, chip);
}

/// CTAs that share K where rows are few: as many as the chip has room for, as
/// long as each has some stages.
static int64_t chooseSharers(const Product &product, const ChipModel &chip) {
  if (!product.lhs.blockColumns || ShapedType::isDynamic(product.columns) ||
      ShapedType::isDynamic(product.depth))
    return 1;
  int64_t tiles = ceilDiv(product.columns, kUnitRows);
  int64_t stages = product.depth * product.rhs.bits / (8 * kLineBytes);
  int64_t sharers = 1;
  while (sharers < kMostSharers &&
         2 * sharers * tiles <= chip.multiprocessors &&
         2 * sharers * kLeastSharedStages <= stages)
    sharers *= 2;
  return sharers;
}

/// The kernel of that tile; null if there is no room for two stages.
static KernelAttr getKernel(MLIRContext *context, const Product &product,
                            const ResultTile &tile, bool isSwapped,
                            int64_t maxRows, const ChipModel &chip) {
  auto [m, n, clusters, cost] = tile;
  int64_t widest = std::max(product.lhs.bits, product.rhs.bits);
  int64_t k = kLineBytes * 8 / widest;
  // Beside stages: their barriers, and a slice of sums; where CTAs share K, one
  // of them has the slices of all.
  int64_t slice =
      4 * (isSwapped ? std::min(m, kSliceColumns) * getSumsPitch(n) * clusters
                     : m * getSumsPitch(std::min(n, kSliceColumns)));
  int64_t stage = getStageBytes(product, m, n, k) -
                  getSavedBytes(product, n, k, isSwapped ? 1 : clusters) +
                  (product.decodesWeights() ? n * kLineBytes : 0);
  int64_t room = (chip.sharedBytes - kRingBarrierBytes - slice) / stage;
  if (room < 2)
    return {};
  SmallVector<int64_t> warps = {isSwapped ? 1 : kWorkers,
                                isSwapped ? kWorkers : 1, 1};
  return KernelAttr::get(
      context, KernelSchedule::Matmul, 32 * (kWorkers + kOthers), {m, n, k},
      warps, std::min(room, kMaxStages), isSwapped, maxRows, clusters);
}

/// For up to `rows` rows.
static KernelAttr chooseFor(MLIRContext *context, const Product &product,
                            int64_t rows, const ChipModel &chip) {
  if (rows <= kMaxSwapped) {
    int64_t least =
        product.lhs.blockColumns ? kLeastColumns : kLeastPlainColumns;
    int64_t covered = llvm::PowerOf2Ceil(std::max(rows, least));
    return getKernel(context, product,
                     {covered, kUnitRows, chooseSharers(product, chip),
                      /*cost=*/1.00},
                     /*isSwapped=*/true, /*maxRows=*/covered, chip);
  }
  int64_t columns =
      ShapedType::isDynamic(product.columns) ? kManyRows : product.columns;
  bool isSwapped = product.decodesWeights();
  if (isSwapped)
    std::swap(rows, columns);
  ResultTile tile = chooseTile(kTiles, rows, columns, chip);
  if (prefersPairs(tile, product, rows, columns, chip))
    tile.clusters = 2;
  if (isSwapped)
    std::swap(tile.m, tile.n);
  return getKernel(context, product, tile, isSwapped, /*maxRows=*/0, chip);
}

SmallVector<Attribute> nvfp4::chooseTensorMemory(MLIRContext *context,
                                                 const Product &product,
                                                 const ChipModel &chip) {
  SmallVector<int64_t> bounds = {kLeastColumns, kMaxSwapped, 256, kManyRows};
  // Fewer rows than a multiple there are never; the last one serves all.
  llvm::erase_if(bounds, [&](int64_t bound) {
    return bound != kManyRows && bound < product.rowMultiple;
  });
  if (!ShapedType::isDynamic(product.rows))
    bounds = {product.rows};
  return chooseForBounds(bounds, [&](int64_t rows) {
    return chooseFor(context, product, rows, chip);
  });
}
