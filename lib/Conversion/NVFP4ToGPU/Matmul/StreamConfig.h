//===- StreamConfig.h - What a stream kernel is told ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel attribute of a `stream`, checked, and what follows from it and
// from the weights.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STREAMCONFIG_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STREAMCONFIG_H

#include "MatmulConfig.h"

#include "nvfp4/Support/StreamMemory.h"

namespace nvfp4 {

struct StreamConfig : StreamMemory {
  int64_t threads;
  /// Groups of warps that share the tiles of a stage; warps that finish
  /// results.
  int64_t groupsN, finishers;
  /// Of the weights; tiles of 128 along K, and of 64 columns of the result.
  int64_t n, k, tiles, rowTiles;
  /// Clusters that are launched.
  int64_t numClusters;
  /// Whether there is memory, and registers, for two CTAs of a multiprocessor.
  bool sharesMultiprocessor;

  /// Reports at `root` what no stream kernel can be.
  static mlir::FailureOr<StreamConfig> get(ScaledMatmulOp root, KernelAttr attr,
                                           const ChipModel &chip);

  /// Whether some clusters have nothing to do.
  bool hasIdleClusters() const { return numClusters > rowTiles; }
  /// Whether all stages of all CTAs are full.
  bool hasWholeStages() const { return tiles % (clusters * stageTiles) == 0; }
  /// Warps that multiply. Threads: the one that copies, and the first that
  /// finishes.
  int64_t getMultipliers() const { return groupsN * groups * kWarpsPerGroup; }
  int64_t getCopier() const { return 32 * getMultipliers(); }
  int64_t getFirstFinisher() const { return getCopier() + 32; }

  /// The same for those parts that are shared with other matmuls: of the warps
  /// that multiply, and of those that finish the sums.
  MatmulConfig getUnit() const;
  MatmulConfig getResults() const;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STREAMCONFIG_H
