//===- TileScheduler.h - Which tile a CTA computes --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One CTA per tile: the grid's x counts the tiles of a matrix, and of one
// matrix of a batch after the other. CTAs that run together should share
// operands in L2, so x walks down a group of `kGroup` tiles of M before it goes
// to the next tiles of N:
//
//        n0  n1  n2
//   m0    0   2   4        (kGroup = 2)
//   m1    1   3   5
//   m2    6   8  10
//   m3    7   9  11
//
// Persistent blocks take the tiles with numbers x, x + blocks, x + 2 blocks, …
// Blocks of a cluster take one number together: a pair has a tile each,
// neighbours along M; others share the tile.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TILESCHEDULER_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TILESCHEDULER_H

#include "MatmulConfig.h"

namespace nvfp4 {

/// The extents of a product: on the host (over the extents of the kernel's
/// arguments), and, as indices, in the kernel.
struct MatmulExtents {
  mlir::AffineExpr mExpr, nExpr;
  llvm::SmallVector<mlir::AffineExpr> batchExprs;
  mlir::Value m, n;
  llvm::SmallVector<mlir::Value> batch;
  /// Also dynamic: an index.
  mlir::Value k;
};

/// Where a tile begins, as indices.
struct MatmulTile {
  mlir::Value m, n;
  /// Of the matrix in the batch: one index, and one per batch dimension.
  mlir::Value slice;
  llvm::SmallVector<mlir::Value> batch;
};

class TileScheduler {
public:
  TileScheduler(const MatmulConfig &config, const MatmulExtents &extents)
      : config(config), extents(extents) {}

  mlir::AffineMap getGrid(KernelBuilder &kernel) const;
  /// Of blocks that each compute tile after tile, one for each of the chip's
  /// multiprocessors, and the number of all tiles, an i32.
  mlir::AffineMap getPersistentGrid(KernelBuilder &kernel,
                                    const ChipModel &chip) const;
  mlir::Value emitNumTiles(KernelBuilder &kernel) const;
  /// `id` is the block in x, or its cluster.
  MatmulTile emitTile(KernelBuilder &kernel, mlir::Value id) const;
  const MatmulConfig &getConfig() const { return config; }

private:
  /// Of all matrices.
  mlir::AffineExpr getNumTiles() const;

  const MatmulConfig &config;
  const MatmulExtents &extents;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_TILESCHEDULER_H
