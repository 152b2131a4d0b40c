//===- TensorMemoryChoice.cpp - Tiles of products in tensor memory --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The unit has 128 rows and 16 to 256 columns. Few rows of a product stand in
// the unit's columns, so that all its rows have work: those of the weights.
// Weights that are decoded always stand in the rows: a tile of 256 rows of the
// product then decodes 128 of weights.
// Where a chip is busy for some rounds of tiles of 256 x 256, pairs of CTAs
// multiply, so that each reads half of the columns.
//
//===----------------------------------------------------------------------===//

#include "KernelChoice.h"

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
/// Warps that give out results, those that copy, and the one that multiplies.
static constexpr int64_t kWorkers = 4, kOthers = 4 + 1;
/// Beside stages: barriers, and 64 of the unit's columns of sums, of 4 bytes,
/// in rows with four more.
static constexpr int64_t kBarrierBytes = 1024, kSliceColumns = 64,
                         kSlicePad = 4;
static constexpr int64_t kMaxStages = 6;
/// Rounds of tiles from which pairs multiply.
static constexpr int64_t kLeastPairRounds = 3;
/// Rows for which a tile of dynamically many is chosen.
static constexpr int64_t kManyRows = 4096;

namespace {
/// Of a CTA's result; how many CTAs multiply together; how long a
/// multiplication takes in it, compared with the largest: the fewer results,
/// the more operands for each.
struct TensorTile {
  int64_t m, n, clusters;
  double cost;
};
} // namespace

// clang-format off
constexpr TensorTile kTiles[] = {
    {128, 256, 1, 1.00},
    {128, 128, 1, 1.20},
};
constexpr TensorTile kPairTile = {128, 256, 2, 1.00};
// clang-format on

/// How often CTAs, or pairs of them, compute a tile, one on each
/// multiprocessor.
static int64_t getRounds(const TensorTile &tile, int64_t rows, int64_t columns,
                         const ChipModel &chip) {
  int64_t tiles =
      ceilDiv(rows, tile.m * tile.clusters) * ceilDiv(columns, tile.n);
  return ceilDiv(tiles, chip.multiprocessors / tile.clusters);
}

static double getCost(const TensorTile &tile, int64_t rows, int64_t columns,
                      const ChipModel &chip) {
  return tile.cost * getRounds(tile, rows, columns, chip) * tile.m * tile.n;
}

/// Pairs that take more rounds than single CTAs, or few, do not pay. Operands
/// of 16 bits are not multiplied in pairs.
static bool prefersPairs(const TensorTile &single, const Product &product,
                         int64_t rows, int64_t columns, const ChipModel &chip) {
  int64_t rounds = getRounds(kPairTile, rows, columns, chip);
  return product.lhs.blockColumns && product.rhs.blockColumns &&
         single.n == kPairTile.n && rounds >= kLeastPairRounds &&
         rounds <= getRounds(single, rows, columns, chip);
}

/// Whether codes are decoded in shared memory, beside which a stage then has
/// them.
static bool decodesWeights(const Product &product) {
  return !product.lhs.blockColumns && product.rhs.blockColumns;
}

/// The kernel of that tile; null if there is no room for two stages.
static KernelAttr getKernel(MLIRContext *context, const Product &product,
                            int64_t m, int64_t n, bool isSwapped,
                            int64_t clusters, const ChipModel &chip) {
  int64_t widest = std::max(product.lhs.bits, product.rhs.bits);
  int64_t k = kLineBytes * 8 / widest;
  int64_t slice =
      4 * (isSwapped ? std::min(m, kSliceColumns) * (n + kSlicePad)
                     : m * (std::min(n, kSliceColumns) + kSlicePad));
  int64_t stage = getStageBytes(product, m, n, k) -
                  getSavedBytes(product, n, k, clusters) +
                  (decodesWeights(product) ? n * kLineBytes : 0);
  int64_t room = (chip.sharedBytes - kBarrierBytes - slice) / stage;
  if (room < 2)
    return {};
  SmallVector<int64_t> warps = {isSwapped ? 1 : kWorkers,
                                isSwapped ? kWorkers : 1, 1};
  return KernelAttr::get(context, KernelSchedule::Matmul,
                         32 * (kWorkers + kOthers), {m, n, k}, warps,
                         std::min(room, kMaxStages), isSwapped,
                         /*maxRows=*/0, clusters);
}

/// For up to `rows` rows.
static KernelAttr chooseFor(MLIRContext *context, const Product &product,
                            int64_t rows, const ChipModel &chip) {
  if (rows <= kMaxSwapped) {
    int64_t least =
        product.lhs.blockColumns ? kLeastColumns : kLeastPlainColumns;
    int64_t covered = llvm::PowerOf2Ceil(std::max(rows, least));
    KernelAttr kernel = getKernel(context, product, covered, kUnitRows,
                                  /*isSwapped=*/true, /*clusters=*/1, chip);
    return kernel ? withMaxRows(kernel, covered) : kernel;
  }
  int64_t columns =
      ShapedType::isDynamic(product.columns) ? kManyRows : product.columns;
  bool isSwapped = decodesWeights(product);
  if (isSwapped)
    std::swap(rows, columns);
  TensorTile tile = *llvm::min_element(kTiles, [&](const TensorTile &a,
                                                   const TensorTile &b) {
    return getCost(a, rows, columns, chip) < getCost(b, rows, columns, chip);
  });
  if (prefersPairs(tile, product, rows, columns, chip))
    tile = kPairTile;
  if (isSwapped)
    std::swap(tile.m, tile.n);
  return getKernel(context, product, tile.m, tile.n, isSwapped, tile.clusters,
                   chip);
}

SmallVector<Attribute> nvfp4::chooseTensorMemory(MLIRContext *context,
                                                 const Product &product,
                                                 const ChipModel &chip) {
  SmallVector<int64_t> bounds = {kLeastColumns, kMaxSwapped, 256, kManyRows};
  if (!ShapedType::isDynamic(product.rows))
    bounds = {product.rows};
  SmallVector<Attribute> kernels;
  for (int64_t bound : bounds) {
    // Fewer rows than that there are never; the last one serves all.
    if (bound != bounds.back() && bound < product.rowMultiple)
      continue;
    KernelAttr kernel = chooseFor(context, product, bound, chip);
    if (!kernel)
      return {};
    if (bounds.size() > 1 && bound != bounds.back())
      kernel = withMaxRows(kernel, bound);
    // The last one serves all rows; equal ones are one.
    if (!kernels.empty() && withMaxRows(cast<KernelAttr>(kernels.back()), 0) ==
                                withMaxRows(kernel, 0))
      kernels.pop_back();
    kernels.push_back(kernel);
  }
  return kernels;
}
