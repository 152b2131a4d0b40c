//===- StreamChoice.cpp - How weights in registers order are multiplied ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels for a few rows read weights at the speed of memory. Those for up to
// eight keep all activations of a CTA's part of K in shared memory; those for
// more bring them with the weights of as many tiles as a cluster has, up to
// four. A kernel with room for more rows than there are wastes it, so there is
// one for two rows, and one for each power of two from eight. A kernel for any
// number of rows comes last.
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

//===----------------------------------------------------------------------===//
// Activations that come with the weights
//===----------------------------------------------------------------------===//

namespace {
/// A stream whose stages have activations: tiles of the result at once, each a
/// group of warps; groups that share K; stages, and their tiles of K.
struct StagedStream {
  int64_t rows, rowTiles, groups, stages, stageTiles;
};
} // namespace

/// Rows of such kernels, and up to which registers are enough for two on a
/// multiprocessor; CTAs that share K, and tiles at once.
static constexpr int64_t kStagedRows[] = {16, 32, 64}, kSharingRows = 32;
static constexpr int64_t kStagedClusters = 2, kMostRowTiles = 4;
static constexpr int64_t kMostStages = 8;
/// To which a stage is aligned.
static constexpr int64_t kStageAlignment = 1024;

static int64_t getStageBytes(const StagedStream &stream) {
  int64_t tile = kRegisterTileCodeBytes + kRegisterTileScaleBytes;
  int64_t bytes = stream.stageTiles * (stream.rowTiles * tile +
                                       stream.rows * kRegisterTileCols * 2);
  return roundUpTo(bytes, kStageAlignment);
}

/// Bytes beside the stages: sums on their way, in two sets where there are
/// several rounds of one tile, and barriers.
static int64_t getOtherBytes(const StagedStream &stream) {
  int64_t sets = stream.rowTiles == 1 ? 2 : 1;
  int64_t columns = kRegisterTileRows / kStagedClusters;
  return sets * stream.rowTiles * stream.groups * kStagedClusters *
             stream.rows * (columns + 4) * 4 +
         kStageAlignment;
}

/// Gives `stream` the stages that `bytes` of memory have room for; whether they
/// are enough. A group needs two: it knows that it has read one when it is at
/// the next.
static bool fitStages(StagedStream &stream, int64_t bytes, int64_t least) {
  int64_t room = (bytes - getOtherBytes(stream)) / getStageBytes(stream);
  stream.stages =
      std::min(room, std::max(kMostStages / stream.stageTiles, least)) /
      stream.groups * stream.groups;
  return stream.stages >= std::max(least, 2 * stream.groups);
}

/// Longer copies are faster; with half of the memory the next kernel starts
/// under the end of this one, which is worth more where there is little to do
/// (measured on an H200).
static bool chooseStages(StagedStream &stream, bool hasPairs,
                         const ChipModel &chip) {
  constexpr int64_t kLeast = 3;
  int64_t half = chip.sharedBytes / 2 - kStageAlignment;
  for (int64_t bytes : {half, chip.sharedBytes})
    for (int64_t tiles : {2, 1}) {
      if (bytes == half && (stream.rowTiles > 2 || stream.rows > kSharingRows))
        continue;
      if (tiles == 2 && (!hasPairs || stream.rowTiles == 1))
        continue;
      stream.stageTiles = tiles;
      if (fitStages(stream, bytes, kLeast))
        return true;
    }
  return false;
}

static KernelAttr chooseStaged(MLIRContext *context, const Product &product,
                               const ChipModel &chip, int64_t rows) {
  if (!sharesDepth(product, kStagedClusters))
    return {};
  int64_t tiles = ceilDiv(product.columns, kRegisterTileRows);
  int64_t ofCluster = ceilDiv(tiles * kStagedClusters, chip.multiprocessors);
  int64_t depth = ceilDiv(product.depth, kRegisterTileCols);
  bool hasPairs = depth % (2 * kStagedClusters) == 0;
  StagedStream stream;
  stream.rows = rows;
  stream.rowTiles = std::min(ofCluster, kMostRowTiles);
  // One tile does not keep a multiprocessor busy.
  for (stream.groups = stream.rowTiles == 1 ? 4 : 1; stream.groups != 0;
       stream.groups /= 2)
    if (stream.groups * kStagedClusters <= depth &&
        chooseStages(stream, hasPairs, chip))
      break;
  if (stream.groups == 0)
    return {};
  int64_t warps = 4 * stream.rowTiles;
  // Whole fours of warps, or not many more: ptxas counts registers so.
  int64_t finishers = warps * stream.groups == 16 ? 2
                      : rows == 16 && warps == 8  ? 1
                                                  : 3;
  return KernelAttr::get(context, KernelSchedule::Stream,
                         32 * (warps * stream.groups + 1 + finishers),
                         {rows, stream.rowTiles * kRegisterTileRows,
                          stream.stageTiles * kRegisterTileCols},
                         {1, warps, stream.groups}, stream.stages,
                         /*swapped=*/true,
                         /*maxRows=*/rows, kStagedClusters);
}

//===----------------------------------------------------------------------===//
// All
//===----------------------------------------------------------------------===//

SmallVector<Attribute> nvfp4::chooseStreams(MLIRContext *context,
                                            const Product &product,
                                            const ChipModel &chip) {
  SmallVector<Attribute> kernels;
  bool isDynamic = ShapedType::isDynamic(product.rows);
  int64_t served = 0;
  auto add = [&](int64_t rows, function_ref<KernelAttr()> choose) {
    bool mayBe = isDynamic ? product.rowMultiple <= rows
                           : product.rows > served && product.rows <= rows;
    if (product.isBatched || !product.isPacked || !mayBe)
      return;
    if (KernelAttr kernel = choose()) {
      kernels.push_back(kernel);
      served = rows;
    }
  };
  for (const StreamWarps &warps : kStreamWarps)
    add(warps.maxRows,
        [&] { return chooseStream(context, product, chip, warps); });
  for (int64_t rows : kStagedRows)
    add(rows, [&] { return chooseStaged(context, product, chip, rows); });
  bool isServed = !isDynamic && !kernels.empty();
  if (!isServed)
    llvm::append_range(kernels,
                       chooseWarpgroups(context, product, served, chip));
  return kernels;
}
