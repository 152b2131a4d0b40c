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
#include "nvfp4/Support/StreamMemory.h"

using namespace mlir;
using namespace nvfp4;

namespace {
/// Groups of four warps that share K, stages, which are a multiple of them,
/// tiles of K in a stage, and CTAs of a multiprocessor, for so many tiles of
/// the result of a cluster.
struct StreamShape {
  int64_t leastTiles, mostTiles, groups, stages, stageTiles, ctas;
};
} // namespace

/// The first that fits (measured on an H200). A CTA with many tiles has a
/// multiprocessor to itself: two would end at different times, and the one that
/// is left does not keep memory busy. Where there are few, there is room for a
/// second CTA, which fetches its weights while the first one ends; without it
/// longer copies are there sooner.
// clang-format off
constexpr StreamShape kStreamShapes[] = {
    {5, ShapedType::kDynamic, 5, 15, 2, 1},
    {1, 1,                    4, 16, 1, 2},
    {1, 1,                    4, 12, 1, 2},
    {1, 1,                    4,  8, 4, 1},
    {1, ShapedType::kDynamic, 4,  8, 2, 1},
};
// clang-format on
/// Rows of kernels whose activations stay.
static constexpr int64_t kResidentRows[] = {2, kOctet};

/// Tiles of the result of a cluster, where multiprocessors have one CTA each.
static int64_t getTilesOfCluster(const Product &product, int64_t clusters,
                                 const ChipModel &chip) {
  int64_t tiles = ceilDiv(product.columns, kRegisterTileRows);
  return ceilDiv(tiles * clusters, chip.multiprocessors);
}

static int64_t getDepthTiles(const Product &product) {
  return ceilDiv(product.depth, kRegisterTileCols);
}

static KernelAttr getAttr(MLIRContext *context, const StreamMemory &memory,
                          int64_t groupsN, int64_t finishers) {
  int64_t warps = kWarpsPerGroup * groupsN;
  return KernelAttr::get(context, KernelSchedule::Stream,
                         32 * (warps * memory.groups + 1 + finishers),
                         {memory.tileM,
                          memory.rowTilesAtOnce * kRegisterTileRows,
                          memory.stageTiles * kRegisterTileCols},
                         {1, warps, memory.groups}, memory.stages,
                         /*swapped=*/true, memory.maxRows, memory.clusters);
}

/// Two CTAs share K where they can: so there are enough for small layers, and
/// larger clusters leave multiprocessors idle.
static KernelAttr chooseStream(MLIRContext *context, const Product &product,
                               const ChipModel &chip, int64_t rows) {
  int64_t depth = getDepthTiles(product);
  for (int64_t clusters = kLeastClusters; clusters <= kMostClusters;
       clusters *= 2) {
    if (!StreamMemory::sharesDepth(depth, clusters))
      continue;
    int64_t tiles = getTilesOfCluster(product, clusters, chip);
    for (const StreamShape &shape : kStreamShapes) {
      bool isLimited = !ShapedType::isDynamic(shape.mostTiles);
      if (tiles < shape.leastTiles || (isLimited && tiles > shape.mostTiles))
        continue;
      StreamMemory memory{std::max(rows, kOctet),
                          rows,
                          /*rowTilesAtOnce=*/1,
                          shape.groups,
                          clusters,
                          shape.stages,
                          shape.stageTiles,
                          StreamMemory::getTilesPerRank(depth, clusters),
                          /*isStaged=*/false};
      if (memory.getBytes() <=
          getSharedBytesOfEach(chip.sharedBytes, shape.ctas))
        return getAttr(context, memory, /*groupsN=*/1, /*finishers=*/1);
    }
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Activations that come with the weights
//===----------------------------------------------------------------------===//

/// Rows of such kernels, and up to which those of all groups leave room for two
/// on a multiprocessor; CTAs that share K, and tiles at once.
static constexpr int64_t kStagedRows[] = {16, 32, kMostStreamRows},
                         kSharingRows = 32;
static constexpr int64_t kStagedClusters = 2, kMostRowTiles = 4;
static constexpr int64_t kMostStages = 12;

/// Gives `stream` the stages that `bytes` of memory have room for; whether they
/// are enough. A group needs two: it knows that it has read one when it is at
/// the next.
static bool fitStages(StreamMemory &stream, int64_t bytes, int64_t least) {
  int64_t most = std::max(kMostStages / stream.stageTiles, least);
  for (stream.stages = most / stream.groups * stream.groups;
       stream.stages >= std::max(least, 2 * stream.groups);
       stream.stages -= stream.groups)
    if (stream.getBytes() <= bytes)
      return true;
  return false;
}

/// Longer copies are faster; with half of the memory the next kernel starts
/// under the end of this one, which is worth more where there is little to do
/// (measured on an H200).
static bool chooseStages(StreamMemory &stream, bool hasPairs,
                         const ChipModel &chip) {
  constexpr int64_t kLeast = 3;
  bool mayPair = hasPairs && stream.rowTilesAtOnce != 1;
  auto fits = [&](int64_t bytes) {
    for (stream.stageTiles = mayPair ? 2 : 1; stream.stageTiles != 0;
         --stream.stageTiles)
      if (fitStages(stream, bytes, kLeast))
        return true;
    return false;
  };
  bool mayShare = stream.rowTilesAtOnce * stream.groups <= 2 &&
                  stream.groups * stream.tileM <= kSharingRows;
  return (mayShare &&
          fits(getSharedBytesOfEach(chip.sharedBytes, kResidentStreams))) ||
         fits(chip.sharedBytes);
}

/// Warps that finish results: whole fours with those that multiply and the one
/// that copies, or not many more, because ptxas counts registers so.
static int64_t getFinishers(int64_t multipliers, const StreamMemory &stream) {
  if (multipliers == 16)
    return 2;
  return stream.tileM == kStagedRows[0] && stream.rowTilesAtOnce == 2 ? 1 : 3;
}

static KernelAttr chooseStaged(MLIRContext *context, const Product &product,
                               const ChipModel &chip, int64_t rows) {
  int64_t depth = getDepthTiles(product);
  if (!StreamMemory::sharesDepth(depth, kStagedClusters))
    return {};
  int64_t ofCluster = getTilesOfCluster(product, kStagedClusters, chip);
  bool hasPairs = depth % (2 * kStagedClusters) == 0;
  StreamMemory stream{rows,
                      rows,
                      std::min(ofCluster, kMostRowTiles),
                      /*groups=*/0,
                      kStagedClusters,
                      /*stages=*/0,
                      /*stageTiles=*/0,
                      StreamMemory::getTilesPerRank(depth, kStagedClusters),
                      /*isStaged=*/true};
  // One tile does not keep a multiprocessor busy, nor do two of few rows.
  bool isShort = stream.rowTilesAtOnce == 1 ||
                 (stream.rowTilesAtOnce == 2 && rows == kStagedRows[0]);
  int64_t most = isShort ? 2 : 1;
  for (stream.groups = most; stream.groups != 0; stream.groups /= 2)
    if (stream.groups * kStagedClusters <= depth &&
        chooseStages(stream, hasPairs, chip))
      break;
  if (stream.groups == 0)
    return {};
  int64_t multipliers = kWarpsPerGroup * stream.rowTilesAtOnce * stream.groups;
  return getAttr(context, stream, stream.rowTilesAtOnce,
                 getFinishers(multipliers, stream));
}

//===----------------------------------------------------------------------===//
// All
//===----------------------------------------------------------------------===//

/// Why no stream serves some number of rows.
static std::string whyNoStream(const Product &product, const ChipModel &chip) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (product.isBatched)
    os << "operands have batch dimensions";
  else if (!product.isPacked)
    os << "weights are not the package's, and may not be there before the run";
  else if (!StreamMemory::sharesDepth(getDepthTiles(product), kLeastClusters))
    os << "K of " << product.depth << " has no part of " << kRegisterTileCols
       << " for each of " << kLeastClusters << " CTAs";
  else
    os << "what K of " << product.depth << " needs does not fit "
       << chip.sharedBytes << " bytes of shared memory";
  return text;
}

SmallVector<Attribute> nvfp4::chooseStreams(MLIRContext *context,
                                            const Product &product,
                                            const ChipModel &chip,
                                            std::string &missed) {
  SmallVector<Attribute> kernels;
  bool isDynamic = ShapedType::isDynamic(product.rows);
  bool canStream = !product.isBatched && product.isPacked;
  int64_t served = 0;
  SmallVector<int64_t> without;
  auto add = [&](int64_t rows, function_ref<KernelAttr()> choose) {
    bool mayBe = isDynamic ? product.rowMultiple <= rows
                           : product.rows > served && product.rows <= rows;
    if (!mayBe)
      return;
    if (KernelAttr kernel = canStream ? choose() : KernelAttr()) {
      kernels.push_back(kernel);
      served = rows;
      return;
    }
    without.push_back(rows);
  };
  for (int64_t rows : kResidentRows)
    add(rows, [&] { return chooseStream(context, product, chip, rows); });
  for (int64_t rows : kStagedRows)
    add(rows, [&] { return chooseStaged(context, product, chip, rows); });
  bool isServed = !isDynamic && !kernels.empty();
  if (!without.empty()) {
    llvm::raw_string_ostream os(missed);
    os << "no stream for up to ";
    llvm::interleaveComma(without, os);
    os << " rows: " << whyNoStream(product, chip);
    if (without.front() < served)
      os << "; the stream for more rows serves them, up to " << served;
  }
  if (!isServed)
    llvm::append_range(kernels,
                       chooseWarpgroups(context, product, served, chip));
  return kernels;
}
