//===- TileScheduler.cpp - Which tile a CTA computes ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileScheduler.h"

#include "Arithmetic.h"

using namespace mlir;
using namespace nvfp4;

/// Tiles of M that share the tiles of N: with 128 rows of NVFP4 each and K =
/// 4096 they are 2 MiB of L2.
static constexpr int64_t kGroup = 8;

AffineExpr TileScheduler::getNumTiles() const {
  AffineExpr tiles =
      extents.mExpr.ceilDiv(config.tileM * config.getTilesAtOnce()) *
      extents.nExpr.ceilDiv(config.tileN);
  for (AffineExpr batch : extents.batchExprs)
    tiles = tiles * batch;
  return tiles;
}

AffineMap TileScheduler::getGrid(KernelBuilder &kernel) const {
  AffineExpr one = kernel.getBuilder().getAffineConstantExpr(1);
  return kernel.getGrid(getNumTiles(), one, one);
}

AffineMap TileScheduler::getPersistentGrid(KernelBuilder &kernel,
                                           const ChipModel &chip) const {
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  AffineExpr one = b.getAffineConstantExpr(1);
  // Blocks without a tile end at once.
  int64_t blocks = chip.multiprocessors / config.clusters;
  if (auto tiles = dyn_cast<AffineConstantExpr>(getNumTiles()))
    blocks = std::min(blocks, tiles.getValue());
  return kernel.getGrid(b.getAffineConstantExpr(blocks * config.clusters), one,
                        one);
}

Value TileScheduler::emitNumTiles(KernelBuilder &kernel) const {
  Arithmetic a(kernel.getBuilder());
  Value tiles =
      a.mul(a.ceilDiv(extents.m, config.tileM * config.getTilesAtOnce()),
            a.ceilDiv(extents.n, config.tileN));
  for (Value extent : extents.batch)
    tiles = a.mul(tiles, extent);
  return a.toI32(tiles);
}

MatmulTile TileScheduler::emitTile(KernelBuilder &kernel, Value id) const {
  Arithmetic a(kernel.getBuilder());
  Value tilesM =
      a.toI32(a.ceilDiv(extents.m, config.tileM * config.getTilesAtOnce()));
  Value tilesN = a.toI32(a.ceilDiv(extents.n, config.tileN));

  MatmulTile tile;
  if (!extents.batch.empty()) {
    Value tiles = a.mul(tilesM, tilesN);
    tile.slice = a.toIndex(a.div(id, tiles));
    id = a.rem(id, tiles);
    Value rest = tile.slice;
    for (Value extent : llvm::reverse(ArrayRef(extents.batch).drop_front())) {
      tile.batch.push_back(a.rem(rest, extent));
      rest = a.div(rest, extent);
    }
    tile.batch.push_back(rest);
    std::reverse(tile.batch.begin(), tile.batch.end());
  }

  int64_t group = kGroup / config.getTilesAtOnce();
  Value width = a.mul(tilesN, group);
  Value first = a.mul(a.div(id, width), group);
  Value inGroup = a.rem(id, width);
  Value height = a.min(a.sub(tilesM, first), group);
  Value m = a.add(first, a.rem(inGroup, height));
  if (config.isPair())
    m = a.add(a.mul(m, config.clusters), emitClusterRank(kernel, config));
  Value n = a.div(inGroup, height);
  tile.m = a.mul(a.toIndex(m), config.tileM);
  // The last CTA of a pair may have no rows.
  if (config.isPair())
    tile.m = a.min(tile.m, extents.m);
  tile.n = a.mul(a.toIndex(n), config.tileN);
  return tile;
}
