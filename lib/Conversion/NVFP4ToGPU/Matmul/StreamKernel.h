//===- StreamKernel.h - What all streams share ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel that StreamMatmul.cpp describes, but for the way of its
// activations and the unit that multiplies them, which subclasses give.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STREAMKERNEL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STREAMKERNEL_H

#include "../ElementEvaluator.h"
#include "Arithmetic.h"
#include "HopperPTX.h"
#include "MatmulKernel.h"
#include "StreamConfig.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace nvfp4 {

class StreamKernel {
public:
  virtual ~StreamKernel() = default;

  mlir::LogicalResult emit();
  KernelVariant getVariant();

protected:
  StreamKernel(KernelBuilder &kernel, const StreamConfig &config,
               Epilogue &epilogue, ScaledMatmulOp root,
               std::unique_ptr<MmaAtom> atom)
      : kernel(kernel), b(kernel.getBuilder()), a(b), ptx(b), config(config),
        unit(config.getUnit()), results(config.getResults()),
        epilogue(epilogue), root(root), evaluator(kernel),
        atom(std::move(atom)) {}

  //===--------------------------------------------------------------------===//
  // What subclasses give
  //===--------------------------------------------------------------------===//

  /// Before anything is emitted that only some threads do.
  virtual mlir::LogicalResult begin() { return mlir::success(); }
  /// By all threads, once.
  virtual mlir::LogicalResult emitActivations() { return mlir::success(); }
  /// Arrivals that make a stage full: the copying thread's, and others'.
  virtual int64_t getFullArrivals() const { return 1; }
  /// Bulk copies of activations to stage `stage`, the CTA's stage `unitOfK` of
  /// a round, and their bytes.
  virtual int64_t getBulkBytes() const { return 0; }
  virtual void emitBulkActivations(mlir::Value stage, mlir::Value unitOfK) {}
  /// By the warps that finish, before they wait for the sums of a round; `own`
  /// is the number of a thread among them.
  virtual mlir::LogicalResult emitStages(mlir::Value round, mlir::Value own) {
    return mlir::success();
  }
  /// By the warps that multiply: all stages of a round, and its sums.
  virtual void emitRound(mlir::Value round) = 0;

  //===--------------------------------------------------------------------===//
  // Where things are in shared memory
  //===--------------------------------------------------------------------===//

  /// Of stage or set `index` (i32): it holds what its readers wait for; they
  /// are done with it.
  mlir::Value getBarrier(int64_t first, mlir::Value index);
  mlir::Value getFull(mlir::Value stage) { return getBarrier(0, stage); }
  mlir::Value getEmpty(mlir::Value stage) {
    return getBarrier(config.stages, stage);
  }
  mlir::Value getArrived(mlir::Value set) {
    return getBarrier(2 * config.stages, set);
  }
  mlir::Value getDrained(mlir::Value set) {
    return getBarrier(2 * config.stages + config.getPartialSets(), set);
  }
  /// The images of activations, then codes, then scales.
  mlir::Value getStage(mlir::Value stage) {
    return a.offset(shared, a.mul(stage, config.getStageBytes()));
  }
  mlir::Value getSet(mlir::Value set) {
    return a.offset(
        shared, a.add(a.mul(set, config.getSetBytes()), config.getRingBytes()));
  }

  //===--------------------------------------------------------------------===//
  // What subclasses use
  //===--------------------------------------------------------------------===//

  /// `stage` and parity (i32) of use `number` of a ring of `count`.
  std::pair<mlir::Value, mlir::Value> getUse(mlir::Value number,
                                             int64_t count) {
    return {a.rem(number, count), a.rem(a.div(number, count), 2)};
  }
  void where(mlir::Value condition, llvm::function_ref<void()> body);
  /// Stages of group `group` (i32) along K in a round: the first one, and
  /// `groups` from one to the next.
  mlir::Value getFirstUnit(mlir::Value round, mlir::Value group);
  /// What this thread of a warpgroup has of tile `inStage` (i32), by halves:
  /// four words of codes, and a word with two scales.
  struct Weights {
    std::array<llvm::SmallVector<mlir::Value>, 2> codes;
    std::array<mlir::Value, 2> scales;
  };
  Weights loadWeights(mlir::Value image, mlir::Value inStage);
  /// Of tiles of the result that this round has (i32).
  mlir::Value getTilesOfRound(mlir::Value round);
  /// Before anything is sent: the other CTAs of the cluster are there, and have
  /// read the sums of the rounds before.
  void joinCluster(mlir::Value round);
  void waitForReceivers(mlir::Value round);
  /// Of tile `tile` (i32) of a round.
  void sendSums(const CtaContext &cta, mlir::ValueRange sums, mlir::Value round,
                mlir::Value tile);

  KernelBuilder &kernel;
  mlir::ImplicitLocOpBuilder &b;
  Arithmetic a;
  HopperPTX ptx;
  const StreamConfig &config;
  /// Of the warps that multiply, and of those that finish.
  const MatmulConfig unit, results;
  Epilogue &epilogue;
  ScaledMatmulOp root;
  ElementEvaluator evaluator;
  std::unique_ptr<MmaAtom> atom;
  MatmulExtents extents;

  /// i32: who the thread is; the cluster, and the CTA in it.
  mlir::Value shared, thread, warp, lane, cluster, rank;
  /// i32: rows of the product; the first of the CTA's tiles of K and how many
  /// there are; stages that hold them; tiles of the result for this cluster,
  /// and rounds in which it has them.
  mlir::Value rows, firstTile, numTiles, numUnits, numRowTiles, numRounds;

private:
  void emitPlace();
  /// i1: holds in the warp of the thread that copies.
  mlir::Value isCopier();
  mlir::LogicalResult emitStart(mlir::Value early);
  void emitBarriers();
  /// i32: what the copying thread fills next: which part of which round, where,
  /// and the parity of that stage's empty barrier that it waits for.
  struct Fill {
    mlir::Value round, unitOfK, stage, parity;
  };
  Fill getFill(mlir::ValueRange values) {
    return {values[0], values[1], values[2], values[3]};
  }
  Fill getNext(const Fill &fill);
  void emitFills(mlir::Value from, mlir::Value to, const Fill &first,
                 bool isEarly);
  void emitWeights(const Fill &fill);
  void emitEarlyActivations(mlir::Value early);
  void emitCopies(mlir::Value early, mlir::Value total);
  void emitProducts();
  mlir::LogicalResult emitResults();
  mlir::LogicalResult emitTiles(const CtaContext &cta, mlir::Value round,
                                ProductFinish &finish);
  void expectSums(mlir::Value set, mlir::Value round);
  void whereLaterRound(mlir::Value round, int64_t later,
                       llvm::function_ref<void()> body);
};

/// Activations that a CTA keeps, and a unit of warps.
std::unique_ptr<StreamKernel> createResidentStream(KernelBuilder &kernel,
                                                   const StreamConfig &config,
                                                   Epilogue &epilogue,
                                                   ScaledMatmulOp root);
/// Activations that come with the weights, and a unit of warpgroups.
std::unique_ptr<StreamKernel> createStagedStream(KernelBuilder &kernel,
                                                 const StreamConfig &config,
                                                 Epilogue &epilogue,
                                                 ScaledMatmulOp root);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_MATMUL_STREAMKERNEL_H
