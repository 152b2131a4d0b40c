//===- Epilogue.h - From accumulators to results ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accumulators cross shared memory once, so that threads own runs of a row of
// the result whatever the unit's layout, the order of rows, swapped sides or
// warps that share K. Then a loop over the CTA's rows computes each result of
// the body at the coordinates where the run goes, and stores it. Where other
// warps fill stages for the next tile meanwhile, accumulators cross in slices,
// beside the stages.
//
// Where a result is quantized, runs are whole blocks, so that a thread has all
// of what a scale depends on.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_EPILOGUE_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_EPILOGUE_H

#include "MatmulConfig.h"
#include "MmaAtom.h"
#include "ResultMaps.h"
#include "TileScheduler.h"

namespace nvfp4 {

/// An element of the product from its sum (f32): scales, conversion to the
/// product's element type. Called with one row at a time: `beginRow` emits
/// what depends on the row only.
class ProductFinish {
public:
  virtual ~ProductFinish() = default;
  /// Before the loops over rows.
  virtual void begin(mlir::ImplicitLocOpBuilder &b, const MatmulTile &tile) {}
  virtual void beginRow(mlir::ImplicitLocOpBuilder &b, mlir::Value m) {}
  virtual mlir::Value finish(mlir::ImplicitLocOpBuilder &b, mlir::Value sum,
                             mlir::Value n) = 0;
};

/// A tile whose sums become results, and who computes it.
struct EpilogueTile {
  KernelBuilder &kernel;
  const CtaContext &cta;
  const MatmulExtents &extents;
  const MatmulTile &tile;
  ProductFinish &finish;
  /// Where sums cross shared memory.
  mlir::Value staging;
};

/// The barrier of the threads that compute results, where others copy.
constexpr int64_t kWorkersBarrier = 1;

class Epilogue {
public:
  /// Follows `product` to the results of the body, which must keep its elements
  /// apart.
  /// Reports blocks that no thread can have.
  static mlir::FailureOr<Epilogue>
  get(mlir::func::FuncOp body, mlir::Value product, const MatmulConfig &config);

  /// Shared memory that accumulators need: of each of the warps along K a slab,
  /// the sums of the tile as f32, row by row, `getPitch` words from row to row.
  int64_t getStagingBytes() const { return config.warpsK * getSlabBytes(); }
  int64_t getSlabBytes() const { return 4 * getSliceM() * getPitch(); }
  int64_t getPitch() const;
  /// Emits everything. `staging` is free memory of getStagingBytes() bytes.
  mlir::LogicalResult emit(const EpilogueTile &tile, AccumulatorSource &source,
                           mlir::ValueRange accumulators);
  /// The same of accumulators that some columns at a time are read from: slice
  /// after slice, from the last one on if `isReversed` (i1). `drained` is
  /// called with the number of slices before (i32), behind a barrier of the
  /// workers: they have read all of the slice.
  mlir::LogicalResult emitSlices(const EpilogueTile &tile,
                                 AccumulatorSource &source,
                                 mlir::ValueRange accumulators,
                                 mlir::Value isReversed,
                                 llvm::function_ref<void(mlir::Value)> drained);
  int64_t getNumSlices() const {
    return config.getExtent(UnitSide::Columns) / getSliceColumns();
  }
  /// What crosses shared memory at once: all of the tile, or, where rings go on
  /// meanwhile, 64 of the unit's columns.
  int64_t getSliceColumns() const;
  /// The same of `slabs` parts of the sums that are in `staging` already, each
  /// of getSlabBytes() bytes: of a tile that is one slice.
  mlir::LogicalResult emitStaged(const EpilogueTile &tile, int64_t slabs);

private:
  class Emitter;

  Epilogue(const MatmulConfig &config, mlir::Value product, ResultMaps maps);

  /// A slice as extents of the result's tile.
  int64_t getSliceM() const;
  int64_t getSliceN() const;

  /// Makes runs the blocks of what is quantized.
  mlir::LogicalResult chooseBlocks();
  /// Makes runs as long as results allow.
  void chooseRun();

  const MatmulConfig &config;
  mlir::Value product;
  ResultMaps maps;
  /// Neighbouring columns that a thread has at once, and how many of them it
  /// stores at once of each result.
  int64_t run = 1;
  llvm::SmallVector<int64_t> parts;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_EPILOGUE_H
