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

namespace {
/// Groups of four warps that share K, warps that finish, and stages, which are
/// a multiple of the groups. A multiprocessor gives registers to four warps at
/// once: with the one that copies, threads of 20 warps have 96, of 12 warps
/// 168.
struct StreamWarps {
  int64_t maxRows, groups, finishers, stages;
};
} // namespace

// clang-format off
constexpr StreamWarps kStreamWarps[] = {
    { 2, 4, 1, 8},
    { 8, 4, 1, 8},
    {16, 4, 2, 8},
    {32, 4, 3, 8},
    {64, 2, 3, 8},
};
// clang-format on

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
static int64_t getStreamBytes(const Product &product, const StreamWarps &warps,
                              int64_t clusters, int64_t stageTiles) {
  int64_t tile = kRegisterTileCodeBytes + kRegisterTileScaleBytes;
  int64_t depth = ceilDiv(ceilDiv(product.depth, kRegisterTileCols), clusters) *
                  kRegisterTileCols;
  int64_t columns = kRegisterTileRows / clusters;
  int64_t sums = 2 * warps.groups * clusters *
                 std::max<int64_t>(warps.maxRows, 8) * (columns + 4) * 4;
  constexpr int64_t kBarriers = 1024;
  return warps.stages * stageTiles * tile + depth * warps.maxRows * 2 + sums +
         kBarriers;
}

/// Whether each CTA of a cluster has a part of K.
static bool sharesDepth(const Product &product, int64_t clusters) {
  int64_t tiles = ceilDiv(product.depth, kRegisterTileCols);
  return ceilDiv(tiles, clusters) * (clusters - 1) < tiles;
}

static KernelAttr chooseStream(MLIRContext *context, const Product &product,
                               const ChipModel &chip,
                               const StreamWarps &warps) {
  // Two CTAs share K where they can: so there are enough for small layers, and
  // larger clusters leave multiprocessors idle. One alone is no cluster, in
  // which `st.async` is an illegal instruction of an H200.
  int64_t clusters = 0, stageTiles = 0;
  for (int64_t next : {2, 4, 8}) {
    if (clusters != 0 || !sharesDepth(product, next))
      continue;
    for (int64_t tiles : {getStageTiles(product, next, chip), int64_t(2)})
      if (clusters == 0 &&
          getStreamBytes(product, warps, next, tiles) <= chip.sharedBytes) {
        clusters = next;
        stageTiles = tiles;
      }
  }
  if (clusters == 0)
    return {};
  return KernelAttr::get(context, KernelSchedule::Stream,
                         32 * (4 * warps.groups + 1 + warps.finishers),
                         {std::max<int64_t>(warps.maxRows, 8),
                          kRegisterTileRows, stageTiles * kRegisterTileCols},
                         {1, 4, warps.groups}, warps.stages, /*swapped=*/true,
                         warps.maxRows, clusters);
}

SmallVector<Attribute> nvfp4::chooseStreams(MLIRContext *context,
                                            const Product &product,
                                            const ChipModel &chip) {
  SmallVector<Attribute> kernels;
  bool isDynamic = ShapedType::isDynamic(product.rows);
  int64_t served = 0;
  for (const StreamWarps &warps : kStreamWarps) {
    int64_t rows = warps.maxRows;
    bool mayBe = isDynamic ? product.rowMultiple <= rows
                           : product.rows > served && product.rows <= rows;
    if (!product.isBatched && product.isPacked && mayBe)
      if (KernelAttr kernel = chooseStream(context, product, chip, warps)) {
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
