//===- KernelChoice.cpp - Tiles, warps and stages of a product ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelChoice.h"

#include "nvfp4/Support/StreamMemory.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nvfp4;

/// Warps of a CTA: enough to hide latency with two CTAs on a multiprocessor.
static constexpr int64_t kWarps = 4;
/// Largest extent of a tile along M and N: 64 x 64 results per warp are 128
/// registers of a thread.
static constexpr int64_t kMaxTile = 128;
/// Rows and columns of the matrix instruction that one ldmatrix.x4 serves.
static constexpr int64_t kWarpTile = 16;
/// More stages than this hide no more latency.
static constexpr int64_t kMaxStages = 4;

namespace {
struct Tile {
  int64_t m, n, k;
};
} // namespace

static int64_t getStageBytes(const ProductOperand &operand, int64_t rows,
                             int64_t depth) {
  int64_t bytes = rows * depth * operand.bits / 8;
  if (operand.blockColumns)
    bytes += roundUpTo(rows, kScaleTileRows) *
             roundUpTo(ceilDiv(depth, operand.blockColumns), kScaleTileCols);
  return roundUpTo(bytes, kImageAlignment);
}

int64_t nvfp4::getStageBytes(const Product &product, int64_t m, int64_t n,
                             int64_t k) {
  return ::getStageBytes(product.lhs, m, k) +
         ::getStageBytes(product.rhs, n, k);
}

int64_t nvfp4::getSavedBytes(const Product &product, int64_t n, int64_t k,
                             int64_t clusters) {
  return (n - n / clusters) * k * product.rhs.bits / 8;
}

int64_t nvfp4::getSharedBytes(const Product &product, KernelAttr kernel) {
  ArrayRef<int64_t> tile = kernel.getTile();
  // CTAs of a swapped product share K instead.
  int64_t together = kernel.getSwapped() ? 1 : kernel.getClusters();
  int64_t bytes = nvfp4::getStageBytes(product, tile[0], tile[1], tile[2]) -
                  getSavedBytes(product, tile[1], tile[2], together);
  return kernel.getStages() * bytes;
}

//===----------------------------------------------------------------------===//
// Of all units
//===----------------------------------------------------------------------===//

int64_t nvfp4::getRounds(const ResultTile &tile, int64_t rows, int64_t columns,
                         const ChipModel &chip) {
  int64_t tiles =
      ceilDiv(rows, tile.m * tile.clusters) * ceilDiv(columns, tile.n);
  return ceilDiv(tiles, chip.multiprocessors / tile.clusters);
}

const ResultTile &nvfp4::chooseTile(ArrayRef<ResultTile> tiles, int64_t rows,
                                    int64_t columns, const ChipModel &chip) {
  auto getCost = [&](const ResultTile &tile) {
    return tile.cost * getRounds(tile, rows, columns, chip) * tile.m * tile.n;
  };
  return *llvm::min_element(tiles,
                            [&](const ResultTile &a, const ResultTile &b) {
                              return getCost(a) < getCost(b);
                            });
}

/// The same kernel for another number of rows.
static KernelAttr withMaxRows(KernelAttr kernel, int64_t maxRows) {
  return KernelAttr::get(kernel.getContext(), kernel.getSchedule(),
                         kernel.getThreads(), kernel.getTile(),
                         kernel.getWarps(), kernel.getStages(),
                         kernel.getSwapped(), maxRows, kernel.getClusters());
}

SmallVector<Attribute>
nvfp4::chooseForBounds(ArrayRef<int64_t> bounds,
                       function_ref<KernelAttr(int64_t rows)> choose) {
  SmallVector<Attribute> kernels;
  for (int64_t bound : bounds) {
    KernelAttr kernel = choose(bound);
    if (!kernel)
      return {};
    if (bound != bounds.back())
      kernel = withMaxRows(kernel, bound);
    if (!kernels.empty() && withMaxRows(cast<KernelAttr>(kernels.back()), 0) ==
                                withMaxRows(kernel, 0))
      kernels.pop_back();
    kernels.push_back(kernel);
  }
  return kernels;
}

//===----------------------------------------------------------------------===//
// Warps
//===----------------------------------------------------------------------===//

/// The power of two that covers `extent`, within bounds that are such; the
/// upper one if it is unknown.
static int64_t cover(int64_t extent, int64_t least, int64_t most) {
  if (ShapedType::isDynamic(extent))
    return most;
  int64_t covered = llvm::PowerOf2Ceil(std::max<int64_t>(extent, 1));
  return std::clamp(covered, least, most);
}

/// As many stages as there is room and work for; 0 if not even two fit.
static int64_t chooseStages(const Product &product, const Tile &tile,
                            const ChipModel &chip) {
  int64_t room =
      chip.sharedBytes / nvfp4::getStageBytes(product, tile.m, tile.n, tile.k);
  if (room < 2)
    return 0;
  int64_t work = ShapedType::isDynamic(product.depth)
                     ? kMaxStages
                     : std::max<int64_t>(2, ceilDiv(product.depth, tile.k));
  return std::min({room, work, kMaxStages});
}

/// Rows on the unit's N side, and warps that share K, because one row of tiles
/// does not keep a multiprocessor busy.
static KernelAttr chooseForFewRows(MLIRContext *context, const Product &product,
                                   const ChipModel &chip) {
  int64_t sharers = cover(ShapedType::isDynamic(product.depth)
                              ? product.depth
                              : product.depth / product.stepDepth,
                          1, kWarps);
  // A partial step at the end is no work for a warp of its own.
  while (sharers > 1 && !ShapedType::isDynamic(product.depth) &&
         sharers * product.stepDepth > product.depth)
    sharers /= 2;
  int64_t warpsN = kWarps / sharers;
  // At least 32 columns: around loops over fewer, ptxas spills, and so it does
  // where a warp decodes more of them while it multiplies others.
  int64_t leastColumns = kWarpTile * std::max<int64_t>(warpsN, 2);
  Tile tile = {kSmallRows,
               cover(product.columns, leastColumns,
                     product.decodesWeights() ? leastColumns : 64),
               std::max(sharers * product.stepDepth,
                        cover(product.depth, product.stepDepth, 128))};
  int64_t stages = chooseStages(product, tile, chip);
  if (!stages)
    return {};
  return KernelAttr::get(context, KernelSchedule::Matmul, 32 * kWarps,
                         {tile.m, tile.n, tile.k}, {1, warpsN, sharers}, stages,
                         /*swapped=*/true, kSmallRows, /*clusters=*/1);
}

static KernelAttr chooseForManyRows(MLIRContext *context,
                                    const Product &product,
                                    const ChipModel &chip) {
  constexpr int64_t kSide = 2; // warps along M and N
  // Decoded weights, and activations of 64 elements along K, take so many
  // registers that a warp has 32 x 32 results; 16-bit operands, which may have
  // to be read element by element, that it has 32 x 64.
  bool isScaled = product.lhs.blockColumns != 0;
  bool isDecoded = product.decodesWeights();
  bool isTall = cover(product.rows, kWarpTile, kMaxTile) == kMaxTile;
  int64_t warpsM = isDecoded || (!isScaled && isTall) ? 2 * kSide : kSide;
  int64_t mostColumns = isDecoded ? kMaxTile / 2 : kMaxTile;
  // 64 bytes of codes, 128 of wider elements, in a row of a tile.
  int64_t widest = std::max(product.lhs.bits, product.rhs.bits);
  int64_t mostDepth =
      std::max<int64_t>(product.stepDepth, widest == 4 ? 128 : 64);
  Tile tile = {cover(product.rows, warpsM * kWarpTile, kMaxTile),
               cover(product.columns, kSide * kWarpTile, mostColumns),
               cover(product.depth, std::max<int64_t>(product.stepDepth, 32),
                     mostDepth)};
  int64_t stages = chooseStages(product, tile, chip);
  while (!stages && tile.k > product.stepDepth) {
    tile.k /= 2;
    stages = chooseStages(product, tile, chip);
  }
  if (!stages)
    return {};
  return KernelAttr::get(context, KernelSchedule::Matmul, 32 * warpsM * kSide,
                         {tile.m, tile.n, tile.k}, {warpsM, kSide, 1}, stages,
                         /*swapped=*/false, /*maxRows=*/0, /*clusters=*/1);
}

//===----------------------------------------------------------------------===//
// Warpgroups
//===----------------------------------------------------------------------===//

/// Of a warpgroup: rows of the unit, which hold columns of the result, and K of
/// a tile.
static constexpr int64_t kGroupRows = 64, kGroupDepth = 64;
static constexpr int64_t kMaxGroupStages = 6;
/// 16-bit elements in 16 bytes.
static constexpr int64_t kRun = 8;

// clang-format off
constexpr ResultTile kGroupTiles[] = {
    {256, 128, 1, 1.00},
    {192, 128, 1, 1.05},
    {128, 128, 1, 1.30},
    {128,  64, 1, 1.85},
    { 64, 128, 1, 1.85},
    { 64,  64, 1, 2.60},
};
// clang-format on

/// The kernel for up to `rows` rows; null if there is no room for two stages.
static KernelAttr chooseForWarpgroups(MLIRContext *context,
                                      const Product &product, int64_t rows,
                                      const ChipModel &chip) {
  const ResultTile &tile = chooseTile(kGroupTiles, rows, product.columns, chip);
  // Beside stages: their barriers, and a slice of sums.
  int64_t slice = 4 * kSliceColumns * getSumsPitch(tile.n);
  int64_t room = (chip.sharedBytes - kRingBarrierBytes - slice) /
                 nvfp4::getStageBytes(product, tile.m, tile.n, kGroupDepth);
  if (room < 2)
    return {};
  int64_t groups = tile.n / kGroupRows;
  return KernelAttr::get(context, KernelSchedule::Matmul,
                         (groups + 1) * kGroupThreads,
                         {tile.m, tile.n, kGroupDepth}, {1, 4 * groups, 1},
                         std::min(room, kMaxGroupStages),
                         /*swapped=*/true, /*maxRows=*/0, /*clusters=*/1);
}

/// Whether tiles of warpgroups have something to do, and operands come in runs
/// of 16 bytes.
static bool fillsWarpgroups(const Product &product) {
  auto isWide = [](int64_t extent) {
    return ShapedType::isStatic(extent) && extent >= kGroupDepth &&
           extent % kRun == 0;
  };
  return isWide(product.depth) && isWide(product.columns) &&
         (ShapedType::isDynamic(product.rows) || product.rows > kSmallRows);
}

SmallVector<Attribute> nvfp4::chooseWarpgroups(MLIRContext *context,
                                               const Product &product,
                                               int64_t least,
                                               const ChipModel &chip) {
  SmallVector<int64_t> bounds = {64, 128, 256, kManyRows};
  if (!ShapedType::isDynamic(product.rows))
    bounds = {product.rows};
  llvm::erase_if(bounds,
                 [&](int64_t bound) { return least != 0 && bound <= least; });
  return chooseForBounds(bounds, [&](int64_t rows) {
    return chooseForWarpgroups(context, product, rows, chip);
  });
}

SmallVector<Attribute> nvfp4::chooseKernels(MLIRContext *context,
                                            const Product &product,
                                            const ChipModel &chip,
                                            std::string &missed) {
  if (product.isInRegisters)
    return chooseStreams(context, product, chip, missed);
  bool isScaled = product.isScaled();
  if (chip.mmaUnit == MmaUnit::TensorMemory && isScaled)
    return chooseTensorMemory(context, product, chip);
  bool isDynamic = ShapedType::isDynamic(product.rows);
  bool mayBeFew = isDynamic ? product.rowMultiple <= kSmallRows
                            : product.rows <= kSmallRows;
  bool mayBeMany = isDynamic || product.rows > kSmallRows;
  SmallVector<Attribute> kernels;
  if (mayBeFew)
    if (KernelAttr kernel = chooseForFewRows(context, product, chip))
      kernels.push_back(kernel);
  // Units of warpgroups have decoded weights in registers.
  bool isPlain = !product.lhs.blockColumns && !product.rhs.blockColumns;
  bool isDecoded = chip.mmaUnit == MmaUnit::TensorMemory && !isScaled;
  if ((isPlain || isDecoded) && mayBeMany && fillsWarpgroups(product)) {
    SmallVector<Attribute> many;
    if (chip.mmaUnit == MmaUnit::WarpgroupAsync)
      many = chooseWarpgroups(context, product, kSmallRows, chip);
    else if (chip.mmaUnit == MmaUnit::TensorMemory)
      many = chooseTensorMemory(context, product, chip);
    if (!many.empty()) {
      llvm::append_range(kernels, many);
      return kernels;
    }
  }
  if (mayBeMany || kernels.empty())
    if (KernelAttr kernel = chooseForManyRows(context, product, chip))
      kernels.push_back(kernel);
  return kernels;
}
