//===- StreamMemory.h - Shared memory of a stream kernel --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a CTA of a `stream` keeps in shared memory: a ring of stages, sums on
// their way, barriers, and activations that stay; and what else those who
// choose kernels and those who generate them must agree on.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_SUPPORT_STREAMMEMORY_H
#define NVFP4_SUPPORT_STREAMMEMORY_H

#include "nvfp4/Support/RegisterLayout.h"
#include "nvfp4/Support/ScaleLayout.h"
#include "nvfp4/Support/SharedMemory.h"

namespace nvfp4 {

/// Warps that multiply one tile of weights, and their threads.
constexpr int64_t kWarpsPerGroup = 4;
constexpr int64_t kGroupThreads = 32 * kWarpsPerGroup;
/// CTAs that a multiprocessor is to hold, if memory lets it.
constexpr int64_t kResidentStreams = 2;
/// CTAs of a cluster: one alone is none, in which `st.async` is an illegal
/// instruction of an H200, and chips run eight.
constexpr int64_t kLeastClusters = 2, kMostClusters = 8;
/// Rows of activations: they come in eights, columns of an instruction of
/// warps, and up to as many as stages have room for.
constexpr int64_t kOctet = 8, kMostStreamRows = 64;

struct StreamMemory {
  /// Rows that accumulators are made for, and that activations may have.
  int64_t tileM, maxRows;
  /// Tiles of the result of a round; groups of warps that share K, and CTAs.
  int64_t rowTilesAtOnce, groups, clusters;
  int64_t stages;
  /// Tiles of K in a stage, and of a CTA.
  int64_t stageTiles, tilesPerRank;
  /// Whether activations come with the weights: in images of 64 columns, lines
  /// of 128 bytes.
  bool isStaged;

  static constexpr int64_t kBarrierBytes = 8;
  /// Of a tile of weights.
  static constexpr int64_t kTileBytes =
      kRegisterTileCodeBytes + kRegisterTileScaleBytes;

  /// What each CTA of a cluster but the last has of so many tiles of K, and
  /// whether that leaves something to the last.
  static int64_t getTilesPerRank(int64_t tiles, int64_t clusters) {
    return ceilDiv(tiles, clusters);
  }
  static bool sharesDepth(int64_t tiles, int64_t clusters) {
    return getTilesPerRank(tiles, clusters) * (clusters - 1) < tiles;
  }

  int64_t getTilesOfStage() const { return rowTilesAtOnce * stageTiles; }
  int64_t getImageBytes() const { return tileM * 128; }
  int64_t getStagedActivationBytes() const {
    return isStaged ? 2 * stageTiles * getImageBytes() : 0;
  }
  int64_t getStageBytes() const {
    int64_t bytes = getStagedActivationBytes() + getTilesOfStage() * kTileBytes;
    return isStaged ? roundUpTo(bytes, kImageAlignment) : bytes;
  }
  int64_t getRingBytes() const { return stages * getStageBytes(); }

  /// Sums of a CTA's columns of a tile; a slab from each group of the cluster.
  int64_t getSlabBytes() const {
    return 4 * tileM * getSumsPitch(kRegisterTileRows / clusters);
  }
  int64_t getSlabs() const { return groups * clusters; }
  /// Of a tile, and of a round. One set is read while the next is filled, where
  /// rounds are short.
  int64_t getSumBytes() const { return getSlabs() * getSlabBytes(); }
  int64_t getSetBytes() const { return rowTilesAtOnce * getSumBytes(); }
  int64_t getPartialSets() const { return rowTilesAtOnce == 1 ? 2 : 1; }

  /// Two for each stage and each set.
  int64_t getBarriersOffset() const {
    return getRingBytes() + getPartialSets() * getSetBytes();
  }
  int64_t getActivationsOffset() const {
    return roundUpTo(getBarriersOffset() +
                         2 * (stages + getPartialSets()) * kBarrierBytes,
                     128);
  }
  int64_t getActivationBytes() const {
    return isStaged ? 0 : tilesPerRank * kRegisterTileCols * maxRows * 2;
  }
  int64_t getBytes() const {
    return getActivationsOffset() + getActivationBytes();
  }
};

} // namespace nvfp4

#endif // NVFP4_SUPPORT_STREAMMEMORY_H
