//===- StreamConfig.cpp - What a stream kernel is told --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamConfig.h"
#include "TensorMapPath.h"
#include "WeightDecode.h"

#include "nvfp4/Support/RegisterLayout.h"

using namespace mlir;
using namespace nvfp4;

/// Of a multiprocessor.
static constexpr int64_t kRegisters = 65536, kSchedulers = 4;

MatmulConfig StreamConfig::getUnit() const {
  return {tileM,
          kRegisterTileRows * groupsN,
          stageTiles * kRegisterTileCols,
          /*warpsM=*/1,
          /*warpsN=*/kWarpsPerGroup * groupsN,
          /*warpsK=*/groups,
          threads,
          stages,
          /*swapped=*/true,
          maxRows};
}

MatmulConfig StreamConfig::getResults() const {
  return {tileM,
          kRegisterTileRows / clusters,
          stageTiles * kRegisterTileCols,
          /*warpsM=*/1,
          /*warpsN=*/finishers,
          /*warpsK=*/1,
          32 * finishers,
          stages,
          /*swapped=*/true,
          maxRows};
}

static LogicalResult verifyOperands(ScaledMatmulOp root) {
  if (failed(verifyDecodedWeights(root, BlockLayout::Registers)))
    return failure();
  for (Type type :
       {root.getLhsComponents().front().getType(), Type(root.getRhsType())})
    if (cast<ShapedType>(type).getRank() != 2)
      return root.emitOpError("expected operands of a stream without batch, "
                              "but got ")
             << type;
  return success();
}

static LogicalResult verifyTile(ScaledMatmulOp root, KernelAttr attr) {
  ArrayRef<int64_t> tile = attr.getTile(), warps = attr.getWarps();
  if (tile[0] % kOctet != 0 || tile[0] > kMostStreamRows ||
      tile[1] % kRegisterTileRows != 0 || tile[2] % kRegisterTileCols != 0)
    return root.emitOpError("expected a tile of up to ")
           << kMostStreamRows << " rows, in eights, of a multiple of "
           << kRegisterTileRows << " columns, and of a multiple of "
           << kRegisterTileCols << " of K, but got " << attr;
  int64_t tiles = tile[1] / kRegisterTileRows;
  if (warps[0] != 1 ||
      (warps[1] != kWarpsPerGroup && warps[1] != kWarpsPerGroup * tiles) ||
      attr.getThreads() <= 32 * (warps[1] * warps[2] + 1))
    return root.emitOpError("expected ")
           << kWarpsPerGroup << " warps along N, or as many for each "
           << kRegisterTileRows
           << " columns, and more warps than those that multiply and one that "
              "copies, but got "
           << attr;
  return success();
}

static LogicalResult verifyAttr(ScaledMatmulOp root, KernelAttr attr) {
  if (failed(verifyTile(root, attr)))
    return failure();
  ArrayRef<int64_t> tile = attr.getTile(), warps = attr.getWarps();
  int64_t clusters = attr.getClusters();
  if (!attr.getSwapped())
    return root.emitOpError("expected weights in the unit's rows, that is "
                            "'swapped', but got ")
           << attr;
  if (!llvm::isPowerOf2_64(clusters) || clusters < kLeastClusters ||
      clusters > kMostClusters)
    return root.emitOpError("expected a power of two from ")
           << kLeastClusters << " to " << kMostClusters
           << " as 'clusters', but got " << clusters;
  if (attr.getStages() < 2 || attr.getStages() % warps[2] != 0)
    return root.emitOpError("expected at least 2 stages, a multiple of the ")
           << warps[2] << " groups of warps along K, but got "
           << attr.getStages();
  if (attr.getMaxRows() < 1 || attr.getMaxRows() > tile[0])
    return root.emitOpError("expected 'max_rows' of 1 to ")
           << tile[0] << ", the tile's, but got " << attr.getMaxRows();
  return success();
}

/// Whether activations come with the weights: for more rows than a warp-level
/// instruction takes, and a group of warps for each tile, of which there are
/// several, or tiles of K one by one.
static bool isStaged(KernelAttr attr) {
  ArrayRef<int64_t> tile = attr.getTile();
  int64_t groups = attr.getWarps()[1] / kWarpsPerGroup;
  return tile[0] > kOctet && tile[1] == kRegisterTileRows * groups &&
         (groups > 1 || tile[2] == kRegisterTileCols);
}

/// Whether registers are enough for kResidentStreams CTAs: so many does a
/// thread need, which ptxas does not spill.
static bool haveRegisters(const StreamConfig &config) {
  int64_t needed = config.isStaged
                       ? 64 + config.tileM / 2
                       : 32 + config.rowTilesAtOnce * 8 + config.tileM;
  // Registers come in eights; four schedulers have a quarter each.
  int64_t warps = ceilDiv(kResidentStreams * config.threads / 32, kSchedulers);
  return 32 * warps * roundUpTo(needed, 8) <= kRegisters / kSchedulers;
}

/// Products that share a launch share the chip.
static int64_t getProductsOfLaunch(ScaledMatmulOp root) {
  auto count =
      root->getParentOfType<func::FuncOp>()->getAttrOfType<IntegerAttr>(
          kSharesParametersName);
  return count ? count.getInt() : 1;
}

/// As many as run at once, or as there is work for; they need nothing of each
/// other, so that a guess costs time at worst. Staged activations are read for
/// all tiles of a round, which are the fewer the more CTAs there are.
///
/// Where CTAs of two kernels share a multiprocessor each kernel takes a place
/// on all of them, with clusters that do nothing: on what one leaves free the
/// next would get two CTAs, for which all others would wait.
static int64_t getNumClusters(ScaledMatmulOp root, const StreamConfig &config,
                              const ChipModel &chip) {
  int64_t multiprocessors =
      config.clusters > 2 ? chip.clusterMultiprocessors : chip.multiprocessors;
  int64_t products = getProductsOfLaunch(root);
  auto getClusters = [&](int64_t ctas) {
    return std::max<int64_t>(
        1, ceilDiv(ctas * multiprocessors / config.clusters, products));
  };
  if (!config.sharesMultiprocessor)
    return std::min(config.rowTiles, getClusters(1));
  int64_t least = getClusters(1);
  int64_t most = config.isStaged ? least : getClusters(kResidentStreams);
  return std::clamp(config.rowTiles, least, most);
}

FailureOr<StreamConfig> StreamConfig::get(ScaledMatmulOp root, KernelAttr attr,
                                          const ChipModel &chip) {
  if (failed(verifyOperands(root)) || failed(verifyAttr(root, attr)))
    return failure();
  StreamConfig config;
  config.isStaged = ::isStaged(attr);
  config.threads = attr.getThreads();
  config.stages = attr.getStages();
  config.clusters = attr.getClusters();
  config.maxRows = attr.getMaxRows();
  config.tileM = attr.getTile()[0];
  config.groupsN = attr.getWarps()[1] / kWarpsPerGroup;
  config.groups = attr.getWarps()[2];
  config.finishers = config.threads / 32 - config.getMultipliers() - 1;
  ArrayRef<int64_t> shape = root.getRhsType().getShape();
  config.n = shape[0];
  config.k = shape[1];
  config.tiles = ceilDiv(config.k, kRegisterTileCols);
  config.rowTiles = ceilDiv(config.n, kRegisterTileRows);
  config.rowTilesAtOnce = attr.getTile()[1] / kRegisterTileRows;
  config.tilesPerRank = getTilesPerRank(config.tiles, config.clusters);
  config.stageTiles = attr.getTile()[2] / kRegisterTileCols;
  if (!sharesDepth(config.tiles, config.clusters))
    return root.emitOpError("expected a part of K for each CTA of a cluster, "
                            "but got ")
           << config.tiles << " tiles of " << kRegisterTileCols << " for "
           << config.clusters;
  if (!config.isStaged && config.groupsN != 1)
    return root.emitOpError("expected tiles of more than ")
           << kOctet << " rows for several groups of warps along N, but got "
           << attr;
  // A group knows that it has read a stage when it is at the next.
  if (config.isStaged && config.stages < 2 * config.groups)
    return root.emitOpError("expected two stages for each of ")
           << config.groups << " groups of warps along K, but got " << attr;
  if (config.isStaged && config.stageTiles > 1 && !config.hasWholeStages())
    return root.emitOpError("expected a K of whole stages for each of ")
           << config.clusters << " CTAs, but got " << config.k << " for "
           << attr;
  config.sharesMultiprocessor =
      haveRegisters(config) &&
      config.getBytes() <=
          getSharedBytesOfEach(chip.sharedBytes, kResidentStreams);
  config.numClusters = getNumClusters(root, config, chip);
  return config;
}
