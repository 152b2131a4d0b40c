//===- TileScheduler.cpp - Which tile a CTA computes ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileScheduler.h"

#include "Arithmetic.h"

using namespace mlir;
using namespace nvfp4;

/// Tiles of M that share the tiles of B: 8 x 128 rows of NVFP4 with K = 4096
/// are 2 MiB of L2.
static constexpr int64_t kGroup = 8;

AffineExpr TileScheduler::getNumTiles() const {
  AffineExpr tiles =
      extents.mExpr.ceilDiv(config.tileM) * extents.nExpr.ceilDiv(config.tileN);
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
  int64_t blocks = chip.multiprocessors;
  if (auto tiles = dyn_cast<AffineConstantExpr>(getNumTiles()))
    blocks = std::min(blocks, tiles.getValue());
  return kernel.getGrid(b.getAffineConstantExpr(blocks), one, one);
}

Value TileScheduler::emitNumTiles(KernelBuilder &kernel) const {
  Arithmetic a(kernel.getBuilder());
  Value tiles = a.mul(a.ceilDiv(extents.m, config.tileM),
                      a.ceilDiv(extents.n, config.tileN));
  for (Value extent : extents.batch)
    tiles = a.mul(tiles, extent);
  return a.toI32(tiles);
}

MatmulTile TileScheduler::emitTile(KernelBuilder &kernel, Value id) const {
  Arithmetic a(kernel.getBuilder());
  Value tilesM = a.toI32(a.ceilDiv(extents.m, config.tileM));
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

  Value width = a.mul(tilesN, kGroup);
  Value first = a.mul(a.div(id, width), kGroup);
  Value inGroup = a.rem(id, width);
  Value height = a.min(a.sub(tilesM, first), kGroup);
  Value m = a.add(first, a.rem(inGroup, height));
  Value n = a.div(inGroup, height);
  tile.m = a.mul(a.toIndex(m), config.tileM);
  tile.n = a.mul(a.toIndex(n), config.tileN);
  return tile;
}
