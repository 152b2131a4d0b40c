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

/// Of shared memory: barriers, and what a CTA takes beside its own.
static constexpr int64_t kOtherBytes = 2048;
/// Bytes of a bf16.
static constexpr int64_t kActivationBytes = 2;

int64_t StreamConfig::getTileBytes() const {
  return kRegisterTileCodeBytes + kRegisterTileScaleBytes;
}

int64_t StreamConfig::getActivationBytes() const {
  return tilesPerRank * kRegisterTileCols * maxRows * kActivationBytes;
}

MatmulConfig StreamConfig::getUnit() const {
  return {tileM,
          kRegisterTileRows,
          stageTiles * kRegisterTileCols,
          /*warpsM=*/1,
          /*warpsN=*/kWarpsPerGroup,
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

static LogicalResult verifyAttr(ScaledMatmulOp root, KernelAttr attr) {
  ArrayRef<int64_t> tile = attr.getTile(), warps = attr.getWarps();
  if (tile[0] % 8 != 0 || tile[0] > 64 || tile[1] != kRegisterTileRows ||
      tile[2] % kRegisterTileCols != 0)
    return root.emitOpError("expected a tile of up to 64 rows, in eights, of ")
           << kRegisterTileRows << " columns, and of a multiple of "
           << kRegisterTileCols << " of K, but got " << attr;
  if (warps[0] != 1 || warps[1] != kWarpsPerGroup ||
      attr.getThreads() <= 32 * (kWarpsPerGroup * warps[2] + 1))
    return root.emitOpError("expected ")
           << kWarpsPerGroup
           << " warps along N, and more warps than those that multiply and "
              "one that copies, but got "
           << attr;
  int64_t clusters = attr.getClusters();
  if (!llvm::isPowerOf2_64(clusters) || clusters > 8)
    return root.emitOpError("expected clusters of 1, 2, 4 or 8, but got ")
           << clusters;
  if (attr.getStages() < 2 || attr.getStages() % warps[2] != 0)
    return root.emitOpError("expected at least 2 stages, a multiple of the ")
           << warps[2] << " groups of warps along K, but got "
           << attr.getStages();
  if (attr.getMaxRows() < 1 || attr.getMaxRows() > tile[0])
    return root.emitOpError("expected 'max_rows' of 1 to ")
           << tile[0] << ", the tile's, but got " << attr.getMaxRows();
  return success();
}

/// Clusters that run at once; they need nothing of each other, so that a guess
/// costs time at worst.
static int64_t getResidentClusters(const StreamConfig &config,
                                   const ChipModel &chip) {
  // Sums are in two sets, rows of some words more than columns.
  int64_t sums = 2 * config.getSlabs() * config.tileM *
                 (kRegisterTileRows / config.clusters + 4) * 4;
  int64_t bytes =
      config.getRingBytes() + config.getActivationBytes() + sums + kOtherBytes;
  int64_t perMultiprocessor =
      std::clamp<int64_t>(chip.sharedBytes / bytes, 1, kResident);
  // Parts of a chip have multiprocessors that no larger cluster uses: of an
  // H200's 132, clusters of four and more take 120.
  int64_t multiprocessors = config.clusters > 2 ? chip.multiprocessors * 10 / 11
                                                : chip.multiprocessors;
  return std::max<int64_t>(1, perMultiprocessor * multiprocessors /
                                  config.clusters);
}

/// Products that share a launch share the chip.
static int64_t getProductsOfLaunch(ScaledMatmulOp root) {
  auto count =
      root->getParentOfType<func::FuncOp>()->getAttrOfType<IntegerAttr>(
          kSharesParametersName);
  return count ? count.getInt() : 1;
}

FailureOr<StreamConfig> StreamConfig::get(ScaledMatmulOp root, KernelAttr attr,
                                          const ChipModel &chip) {
  if (failed(verifyOperands(root)) || failed(verifyAttr(root, attr)))
    return failure();
  StreamConfig config;
  config.threads = attr.getThreads();
  config.stages = attr.getStages();
  config.clusters = attr.getClusters();
  config.maxRows = attr.getMaxRows();
  config.tileM = attr.getTile()[0];
  config.groups = attr.getWarps()[2];
  config.finishers = config.threads / 32 - kWarpsPerGroup * config.groups - 1;
  ArrayRef<int64_t> shape = root.getRhsType().getShape();
  config.n = shape[0];
  config.k = shape[1];
  config.tiles = ceilDiv(config.k, kRegisterTileCols);
  config.rowTiles = ceilDiv(config.n, kRegisterTileRows);
  config.tilesPerRank = ceilDiv(config.tiles, config.clusters);
  config.stageTiles = attr.getTile()[2] / kRegisterTileCols;
  if (config.tilesPerRank * (config.clusters - 1) >= config.tiles)
    return root.emitOpError("expected a part of K for each CTA of a cluster, "
                            "but got ")
           << config.tiles << " tiles of " << kRegisterTileCols << " for "
           << config.clusters;
  config.numClusters =
      std::min(config.rowTiles, ceilDiv(getResidentClusters(config, chip),
                                        getProductsOfLaunch(root)));
  return config;
}
