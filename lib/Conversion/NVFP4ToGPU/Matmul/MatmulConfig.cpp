//===- MatmulConfig.cpp - What a matmul kernel is told --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulConfig.h"

#include "Arithmetic.h"

#include "nvfp4/Support/ScaleLayout.h"
#include "nvfp4/Support/SharedMemory.h"

using namespace mlir;
using namespace nvfp4;

/// Rows and columns of a warp-level instruction.
static constexpr int64_t kUnitRows = 16, kUnitColumns = 8;
/// K of a step of block-scaled operands; of 16 bits it is 16.
static constexpr int64_t kScaledStep = 64;

/// Of warpgroups: lines of 128 bytes, the unit's rows, and what accumulators
/// there is room for.
static LogicalResult verifyWarpgroups(Operation *root,
                                      const MatmulConfig &config) {
  int64_t rows = config.getExtent(UnitSide::Rows);
  int64_t columns = config.getExtent(UnitSide::Columns);
  int64_t warps = config.getWarps(UnitSide::Rows);
  if (config.warpsK != 1 || config.getWarps(UnitSide::Columns) != 1 ||
      warps % 4 != 0 || rows != kUnitRows * warps)
    return root->emitError("expected warpgroups that each have 64 of the "
                           "unit's rows, but got ")
           << warps << " warps for " << rows << " rows";
  if (columns % 64 != 0 || columns > 256)
    return root->emitError("expected 64, 128, 192 or 256 of the unit's columns "
                           "for warpgroups, but got ")
           << columns;
  if (config.tileK != 64)
    return root->emitError("expected a tile whose K is 64 for warpgroups, but "
                           "got ")
           << config.tileK;
  return success();
}

/// Of tensor memory: all of the unit's rows, a warp for each quarter of its
/// lanes, and lines of 128 bytes. Columns are whole panels of lines, which may
/// run along them, so that a tile also begins where a column of scales does.
/// Block-scaled lines run along K, and of one tile the first scales are the
/// first of all.
static LogicalResult
verifyTensorMemory(Operation *root, const MatmulConfig &config, int64_t stepK) {
  constexpr int64_t kRows = 128, kWarps = 4, kSteps = 4;
  constexpr int64_t kLeastColumns = 16, kPanelColumns = 64, kMostColumns = 256;
  bool isScaled = stepK == kScaledStep;
  int64_t rows = config.getExtent(UnitSide::Rows);
  int64_t columns = config.getExtent(UnitSide::Columns);
  if (config.warpsK != 1 || config.getWarps(UnitSide::Columns) != 1 ||
      config.getWarps(UnitSide::Rows) != kWarps || rows != kRows)
    return root->emitError("expected 4 warps that share 128 of the unit's rows "
                           "in tensor memory, but got ")
           << config.getWarps(UnitSide::Rows) << " warps for " << rows
           << " rows";
  bool isOneTile = isScaled && config.hasOneTileOfRows() &&
                   llvm::isPowerOf2_64(columns) && columns >= kLeastColumns;
  if ((columns % kPanelColumns != 0 && !isOneTile) || columns > kMostColumns)
    return root->emitError("expected 64, 128, 192 or 256 of the unit's columns "
                           "in tensor memory, or a power of two from 16 that "
                           "holds all rows of a swapped, block-scaled product, "
                           "but got ")
           << columns;
  // CTAs exchange sums once: a slice of all that they have.
  if (config.sharesK() && (!isScaled || columns > kSliceColumns))
    return root->emitError("expected block-scaled operands and tiles of up to ")
           << kSliceColumns << " rows where CTAs share K, but got a step of "
           << stepK << " and " << columns << " rows";
  // Each of a pair has whole panels.
  if (config.isPair() && !isScaled && columns % (2 * kPanelColumns) != 0)
    return root->emitError("expected 128 or 256 of the unit's columns for a "
                           "pair of CTAs and 16-bit operands, but got ")
           << columns;
  if (config.tileK != kSteps * stepK)
    return root->emitError("expected a tile whose K is ")
           << kSteps * stepK << " in tensor memory, but got " << config.tileK;
  return success();
}

/// A warp's share of one side: whole instructions, in tiles of scales that it
/// can find its rows in.
static LogicalResult verifySide(Operation *root, const MatmulConfig &config,
                                UnitSide side) {
  int64_t extent = config.getExtent(side), warps = config.getWarps(side);
  int64_t unit = side == UnitSide::Rows ? kUnitRows : kUnitColumns;
  StringRef name = (side == UnitSide::Rows) != config.swapped ? "M" : "N";
  if (extent % (unit * warps) != 0)
    return root->emitError("expected a tile whose ")
           << name << " is a multiple of " << unit << " for each of " << warps
           << " warps, but got " << extent;
  if (extent < kScaleTileRows ? !llvm::isPowerOf2_64(extent)
                              : extent % kScaleTileRows != 0)
    return root->emitError("expected a tile whose ")
           << name << " is a power of two up to 128 or a multiple of 128, but "
           << "got " << extent;
  if (!llvm::isPowerOf2_64(warps))
    return root->emitError("expected a power of two as warps along ")
           << name << ", but got " << warps;
  // Interleaved rows are dealt out in fours of octets.
  if (extent >= kScaleTileRows) {
    int64_t fours = extent / warps / 32;
    if (fours == 0 || (fours % 4 != 0 && 4 % fours != 0))
      return root->emitError("expected warps that share whole groups of 32 of "
                             "a tile's ")
             << name << ", but got " << warps << " for " << extent;
  }
  return success();
}

FailureOr<MatmulConfig> MatmulConfig::get(Operation *root, KernelAttr attr,
                                          int64_t stepK) {
  if (attr.getSchedule() != KernelSchedule::Matmul)
    return root->emitError("expected a matmul schedule, but got ") << attr;
  ArrayRef<int64_t> tile = attr.getTile(), warps = attr.getWarps();
  MatmulConfig config{tile[0],           tile[1],           tile[2],
                      warps[0],          warps[1],          warps[2],
                      attr.getThreads(), attr.getStages(),  attr.getSwapped(),
                      attr.getMaxRows(), attr.getClusters()};
  if (config.stages < 2)
    return root->emitError("expected at least 2 stages, but got ")
           << config.stages;
  if (config.clusters != 1 && !config.hasIssuer())
    return root->emitError("expected a warp that multiplies in tensor memory "
                           "for clusters of CTAs, but got ")
           << attr;
  if (config.hasCopiers()) {
    if (failed(config.hasIssuer() ? verifyTensorMemory(root, config, stepK)
                                  : verifyWarpgroups(root, config)))
      return failure();
    return config;
  }
  int64_t steps = config.tileK / stepK;
  if (config.tileK % stepK != 0 || !llvm::isPowerOf2_64(steps) ||
      steps % config.warpsK != 0 || steps > 16)
    return root->emitError("expected a tile whose K is ")
           << stepK << " times a power of two up to 16, a multiple of "
           << config.warpsK << " (warps along K), but got " << config.tileK;
  if (failed(verifySide(root, config, UnitSide::Rows)) ||
      failed(verifySide(root, config, UnitSide::Columns)))
    return failure();
  return config;
}

Value nvfp4::emitClusterRank(KernelBuilder &kernel,
                             const MatmulConfig &config) {
  return Arithmetic(kernel.getBuilder())
      .rem(kernel.getBlockId(0), config.clusters);
}

Value nvfp4::emitFirstCopied(KernelBuilder &kernel, const MatmulConfig &config,
                             UnitSide side, Value row) {
  int64_t copied = config.getCopied(side);
  if (copied == config.getExtent(side))
    return row;
  Arithmetic a(kernel.getBuilder());
  Value rank = emitClusterRank(kernel, config);
  return a.add(row, a.toIndex(a.mul(rank, copied)));
}

CtaContext::CtaContext(ImplicitLocOpBuilder &builder,
                       const MatmulConfig &config, Value thread)
    : b(builder), config(config), thread(thread) {
  Arithmetic a(b);
  lane = a.rem(thread, 32);
  laneGroup = a.div(lane, 4);
  laneInGroup = a.rem(lane, 4);
  Value warp = a.div(thread, 32);
  int64_t rows = config.getWarps(UnitSide::Rows);
  int64_t columns = config.getWarps(UnitSide::Columns);
  warpRow = a.rem(warp, rows);
  warpColumn = a.rem(a.div(warp, rows), columns);
  warpK = a.div(warp, rows * columns);
}

int64_t OctetMap::getRow(int64_t octet) const {
  if (!interleaved)
    return 8 * octet;
  int64_t four = octet / 4;
  return four / 4 * kScaleTileRows + four % 4 * 8 + octet % 4 * 32;
}

Value OctetMap::emitWarpRow(ImplicitLocOpBuilder &b, Value warp) const {
  Arithmetic a(b);
  if (!interleaved)
    return a.mul(warp, extent / warps);
  Value four = a.mul(warp, extent / warps / 32);
  return a.add(a.mul(a.div(four, 4), kScaleTileRows), a.mul(a.rem(four, 4), 8));
}
