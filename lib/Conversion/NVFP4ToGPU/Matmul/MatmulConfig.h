//===- MatmulConfig.h - What a matmul kernel is told ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel computes a tile of D[.., M, N] per CTA. The unit that multiplies has
// two sides: *rows* (M of the instruction) and *columns* (N of it). The rows
// hold A and the columns B, unless the kernel is swapped: then the rows hold B
// (the weights) and the columns the few rows of A.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MATMULCONFIG_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MATMULCONFIG_H

#include "../Kernel.h"

namespace nvfp4 {

/// A side of the matrix unit.
enum class UnitSide { Rows, Columns };

/// The kernel attribute, checked.
struct MatmulConfig {
  /// Of a CTA, in elements of D and of K.
  int64_t tileM, tileN, tileK;
  /// Warps that share M, N and K.
  int64_t warpsM, warpsN, warpsK;
  int64_t threads;
  int64_t stages;
  bool swapped;
  /// 0: any number of rows.
  int64_t maxRows;
  /// CTAs of a cluster. Two multiply together, with tiles that follow each
  /// other along M: each has its rows, and copies half of the columns that both
  /// have. Of a swapped product, they share K.
  int64_t clusters = 1;

  /// Threads of a warpgroup that copies, and of a warp that issues products.
  static constexpr int64_t kCopiers = 128, kIssuers = 32;

  /// Threads of the warps that multiply. The others, if there are any, are a
  /// warpgroup before them that copies and, where sums are in tensor memory, a
  /// warp behind them that multiplies for them.
  int64_t getWorkers() const { return 32 * warpsM * warpsN * warpsK; }
  bool hasCopiers() const { return threads != getWorkers(); }
  bool hasIssuer() const {
    return threads == kCopiers + getWorkers() + kIssuers;
  }
  /// Threads that fill images.
  int64_t getFillers() const { return hasCopiers() ? kCopiers : threads; }

  /// Reports at `root` what no kernel of `threads`, `tile`, `warps` and
  /// `stages` can be. `stepK` is the K of one instruction.
  static mlir::FailureOr<MatmulConfig> get(mlir::Operation *root,
                                           KernelAttr attr, int64_t stepK);

  int64_t getExtent(UnitSide side) const {
    return (side == UnitSide::Rows) != swapped ? tileM : tileN;
  }
  /// Of it, rows of the operand that one CTA copies.
  int64_t getCopied(UnitSide side) const {
    return getExtent(side) / (side == UnitSide::Columns ? getTilesAtOnce() : 1);
  }
  int64_t getWarps(UnitSide side) const {
    return (side == UnitSide::Rows) != swapped ? warpsM : warpsN;
  }
  /// Whether all rows that the kernel serves are one tile of a swapped product.
  bool hasOneTileOfRows() const {
    return swapped && maxRows != 0 && maxRows <= tileM;
  }
  bool isPair() const { return clusters == 2 && !swapped; }
  bool sharesK() const { return clusters != 1 && swapped; }
  /// Of a cluster.
  int64_t getTilesAtOnce() const { return isPair() ? clusters : 1; }
};

/// i32: which block of its cluster this is.
mlir::Value emitClusterRank(KernelBuilder &kernel, const MatmulConfig &config);

/// The first of these rows, of an operand's tile that begins at `row` (an
/// index).
mlir::Value emitFirstCopied(KernelBuilder &kernel, const MatmulConfig &config,
                            UnitSide side, mlir::Value row);

/// Who a thread is. Warps are numbered along the unit's rows first, then its
/// columns, then K.
struct CtaContext {
  CtaContext(mlir::ImplicitLocOpBuilder &builder, const MatmulConfig &config,
             mlir::Value thread);

  mlir::ImplicitLocOpBuilder &b;
  const MatmulConfig &config;
  /// i32: thread in the CTA, lane in the warp; lane / 4 and lane mod 4.
  mlir::Value thread, lane, laneGroup, laneInGroup;
  /// i32: the warp's index along the rows, the columns, and K.
  mlir::Value warpRow, warpColumn, warpK;

  mlir::Value getWarp(UnitSide side) const {
    return side == UnitSide::Rows ? warpRow : warpColumn;
  }
};

/// How many warps share the rows of an operand's tile, and which rows each has,
/// in octets: 8 neighbouring rows of the tile, which are 8 neighbouring rows
/// (or columns) of an instruction. Octet o of a warp starts at row
/// emitWarpRow(warp) + getRow(o) of the tile.
///
/// The scales of 128 rows lie interleaved (Support/ScaleLayout.h): word 4 r + q
/// belongs to row 32 q + r. So that a warp reads 32 neighbouring words at once
/// (no bank twice), and an instruction picks lanes by its thread id, four
/// octets with equal r, one of each q, follow each other:
///
///   octet   0    1     2     3     4     5  …    (interleaved)
///   row     0   32    64    96     8    40  …
///
/// Operands without scales, and tiles of fewer than 128 rows, keep the order.
struct OctetMap {
  int64_t extent;
  int64_t warps;
  bool interleaved;

  int64_t getNumOctets() const { return extent / warps / 8; }
  int64_t getRow(int64_t octet) const;
  /// i32 of an i32.
  mlir::Value emitWarpRow(mlir::ImplicitLocOpBuilder &b,
                          mlir::Value warp) const;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_MATMULCONFIG_H
