//===- StreamChoice.cpp - How weights in registers order are multiplied ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels for a few rows read weights at the speed of memory and keep all
// activations of a CTA's part of K in shared memory. How many rows fit depends
// on K and on how many CTAs share it; a kernel with room for more rows than
// there are wastes it, so there is one for two rows, and one for each power of
// two from eight. A kernel for any number of rows comes last.
//
//===----------------------------------------------------------------------===//

#include "KernelChoice.h"

#include "nvfp4/Support/RegisterLayout.h"
#include "nvfp4/Support/ScaleLayout.h"

using namespace mlir;
using namespace nvfp4;

/// Groups of four warps that share K, and stages.
static constexpr int64_t kGroups = 4, kStages = 8;

/// Tiles of K in a stage. Two stages for each group leave room for a second
/// CTA. Where each CTA has one tile of the result, fewer and longer copies are
/// there sooner than that is worth (measured on an H200).
static int64_t getStageTiles(const Product &product, int64_t clusters,
                             const ChipModel &chip) {
  int64_t tiles = ceilDiv(product.columns, kRegisterTileRows);
  return tiles * clusters <= chip.multiprocessors ? 4 : 2;
}

/// Bytes of shared memory of a stream for `rows` rows: weights, activations,
/// and sums on their way.
static int64_t getStreamBytes(const Product &product, int64_t rows,
                              int64_t clusters, int64_t stageTiles) {
  int64_t tile = kRegisterTileCodeBytes + kRegisterTileScaleBytes;
  int64_t depth = ceilDiv(ceilDiv(product.depth, kRegisterTileCols), clusters) *
                  kRegisterTileCols;
  int64_t columns = kRegisterTileRows / clusters;
  int64_t sums =
      2 * kGroups * clusters * std::max<int64_t>(rows, 8) * (columns + 4) * 4;
  constexpr int64_t kBarriers = 1024;
  return kStages * stageTiles * tile + depth * rows * 2 + sums + kBarriers;
}

/// Whether each CTA of a cluster has a part of K.
static bool sharesDepth(const Product &product, int64_t clusters) {
  int64_t tiles = ceilDiv(product.depth, kRegisterTileCols);
  return ceilDiv(tiles, clusters) * (clusters - 1) < tiles;
}

static KernelAttr chooseStream(MLIRContext *context, const Product &product,
                               const ChipModel &chip, int64_t rows) {
  // Two CTAs share K where they can: so there are enough for small layers, and
  // larger clusters leave multiprocessors idle.
  int64_t clusters = 0, stageTiles = 0;
  for (int64_t next : {2, 4, 8, 1}) {
    if (clusters != 0 || !sharesDepth(product, next))
      continue;
    for (int64_t tiles : {getStageTiles(product, next, chip), int64_t(2)})
      if (clusters == 0 &&
          getStreamBytes(product, rows, next, tiles) <= chip.sharedBytes) {
        clusters = next;
        stageTiles = tiles;
      }
  }
  if (clusters == 0)
    return {};
  int64_t finishers = rows <= 8 ? 1 : rows <= 16 ? 2 : 4;
  return KernelAttr::get(
      context, KernelSchedule::Stream, 32 * (4 * kGroups + 1 + finishers),
      {std::max<int64_t>(rows, 8), kRegisterTileRows,
       stageTiles * kRegisterTileCols},
      {1, 4, kGroups}, kStages, /*swapped=*/true, /*maxRows=*/rows, clusters);
}

SmallVector<Attribute> nvfp4::chooseStreams(MLIRContext *context,
                                            const Product &product,
                                            const ChipModel &chip) {
  SmallVector<Attribute> kernels;
  bool isDynamic = ShapedType::isDynamic(product.rows);
  int64_t served = 0;
  for (int64_t rows : {2, 8, 16, 32, 64}) {
    bool mayBe = isDynamic ? product.rowMultiple <= rows
                           : product.rows > served && product.rows <= rows;
    if (!product.isBatched && product.isPacked && mayBe)
      if (KernelAttr kernel = chooseStream(context, product, chip, rows)) {
        kernels.push_back(kernel);
        served = rows;
      }
  }
  bool isServed = !isDynamic && !kernels.empty();
  if (!isServed)
    llvm::append_range(kernels,
                       chooseWarpgroups(context, product, served, chip));
  return kernels;
}
