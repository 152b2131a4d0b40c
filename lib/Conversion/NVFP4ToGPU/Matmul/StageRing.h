//===- StageRing.h - Tiles of operands in flight ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A ring of stages in shared memory, each the image of one tile along K. It
// orders copies and reads, and knows neither what is copied nor who reads.
//
//   state = start(fill)        copies of the first `stages` tiles begin, and
//                              the first has arrived
//   for t in 0 … tiles:        (the state is carried)
//     … reads getImage(state) …
//     state = advance(state)   all threads have read tile t, and tile t + 1 has
//                              arrived
//     … reads of tile t + 1 may begin …
//     refill(state, t, fill)   the copy of tile t + stages begins
//   finish()                   nobody reads any more: the memory is free
//
// This ring is `cp.async` groups and a barrier of the CTA. Where some warps
// copy and others multiply, `BarrierRing` has two barriers in shared memory per
// stage: it is full, and it is empty again.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STAGERING_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STAGERING_H

#include "MatmulConfig.h"

#include "nvfp4/Support/SharedMemory.h"

namespace nvfp4 {

class StageRing {
public:
  /// Begins the copies of tile `tile` (i32) to `image` (!llvm.ptr<3>). There is
  /// no tile `numTiles` and no later one, unless the ring is open: then `fill`
  /// sees to it, by copying zeros, and the loop needs no branch.
  using Fill = llvm::function_ref<void(mlir::Value image, mlir::Value tile)>;

  /// `base` is shared memory of stages * stageBytes bytes. With
  /// `isReadByUnit` a unit that reads shared memory itself sees the copies.
  StageRing(mlir::ImplicitLocOpBuilder &builder, mlir::Value base,
            int64_t stages, int64_t stageBytes, mlir::Value numTiles,
            bool isOpen, bool isReadByUnit = false)
      : b(builder), base(base), stages(stages), stageBytes(stageBytes),
        numTiles(numTiles), isOpen(isOpen), isReadByUnit(isReadByUnit) {}

  llvm::SmallVector<mlir::Value> start(Fill fill);
  void refill(mlir::ValueRange state, mlir::Value tile, Fill fill);
  llvm::SmallVector<mlir::Value> advance(mlir::ValueRange state);
  void finish();
  mlir::Value getImage(mlir::ValueRange state);

private:
  /// Fills a stage with tile `tile` (i32), if there is such a tile.
  void fillIfThere(mlir::Value image, mlir::Value tile, Fill fill);
  mlir::Value getImageAt(mlir::Value offset);
  /// Of the groups of copies, one per tile, all but the youngest `pending` are
  /// complete, for all threads.
  void waitFor(int64_t pending);
  /// The slot after `offset`.
  mlir::Value next(mlir::Value offset);

  mlir::ImplicitLocOpBuilder &b;
  mlir::Value base;
  int64_t stages, stageBytes;
  /// i32.
  mlir::Value numTiles;
  bool isOpen, isReadByUnit;
};

class BarrierRing {
public:
  /// Of memory that the barriers take, aligned like an image.
  static constexpr int64_t kBarrierBytes = kRingBarrierBytes;

  /// `base` is shared memory of getBytes() bytes: barriers, then stages.
  BarrierRing(mlir::ImplicitLocOpBuilder &builder, mlir::Value base,
              int64_t stages, int64_t stageBytes)
      : b(builder), base(base), stages(stages), stageBytes(stageBytes) {}

  int64_t getBytes() const { return kBarrierBytes + stages * stageBytes; }

  /// By one thread, before all others see a barrier of the CTA: arrivals that
  /// make a stage full and empty.
  void initialize(int64_t fullArrivals, int64_t emptyArrivals);
  /// Which stage, and the parity of its phase (i32 both): of the first tile,
  /// and of the next one.
  llvm::SmallVector<mlir::Value> start();
  llvm::SmallVector<mlir::Value> next(mlir::ValueRange state);

  mlir::Value getImage(mlir::ValueRange state);
  mlir::Value getFullBarrier(mlir::ValueRange state);
  mlir::Value getEmptyBarrier(mlir::ValueRange state);
  /// `isOfCluster`: threads of other CTAs fill it, too.
  void waitFull(mlir::ValueRange state, bool isOfCluster = false);
  void waitEmpty(mlir::ValueRange state);

private:
  mlir::ImplicitLocOpBuilder &b;
  mlir::Value base;
  int64_t stages, stageBytes;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STAGERING_H
