//===- AttentionKernel.h - A cluster computes a row of attention *- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The generator. AttentionKernel.cpp has the order of things, values and
// results; AttentionScores.cpp has scores and what reduces them.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONKERNEL_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONKERNEL_H

#include "AttentionBody.h"
#include "RowKernel.h"

namespace nvfp4 {

class AttentionGenerator : private AttentionBody {
public:
  explicit AttentionGenerator(const KernelRequest &request)
      : AttentionBody(request) {}

  mlir::FailureOr<KernelVariant> run();

private:
  static constexpr int64_t kWarp = 32;
  /// Elements of a head that a thread reads at once.
  static constexpr int64_t kRun = 8;
  /// Threads that share a key, at most: a key of 128 elements is theirs.
  static constexpr int64_t kMaxLanes = 16;
  /// Keys and values of which a thread has loads in flight.
  static constexpr int64_t kInFlight = 4;
  /// `shared::cluster` of NVPTX.
  static constexpr unsigned kClusterSpace = 7;

  /// Shared memory, in bytes: what RowEmitter uses, one scalar per reduction
  /// for the cluster, and the scores.
  static constexpr int64_t kSlotsOffset = 1024, kSlotBytes = 8, kNumSlots = 64;
  static constexpr int64_t kScoresOffset =
      kSlotsOffset + kSlotBytes * kNumSlots;

  /// Keys that are in shared memory: from `first` on, of all keys.
  struct Block {
    mlir::Value first, count;
  };

  mlir::LogicalResult plan();
  mlir::LogicalResult loadQuery();
  mlir::LogicalResult emit();
  mlir::LogicalResult emitPlaces();
  mlir::LogicalResult emitScores(const Block &block);
  mlir::FailureOr<mlir::Value> emitScore(mlir::Value key);
  mlir::FailureOr<Run> forEachBlock(
      mlir::ValueRange carried,
      llvm::function_ref<mlir::FailureOr<Run>(const Block &, mlir::ValueRange)>
          visit);
  void bindScores(const Block &block);
  mlir::LogicalResult emitReduction(mlir::linalg::LinalgOp op);
  mlir::Value combineCluster(
      mlir::Value value,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);
  void bindScalar(mlir::OpResult result, mlir::Value scalar);
  mlir::LogicalResult emitWeights(const Block &block);
  mlir::FailureOr<Run> emitValues(const Block &block, mlir::ValueRange sums);
  mlir::FailureOr<Run> addValues(mlir::Value key, mlir::Value first,
                                 mlir::ValueRange sums);
  mlir::LogicalResult emitResult(mlir::ValueRange sums);
  mlir::LogicalResult storeResult(mlir::Value column);

  mlir::Value loadShared(mlir::Value element, int64_t base);
  void storeShared(mlir::Value value, mlir::Value element, int64_t base);
  void synchronizeCluster();
  mlir::Value getPeer(mlir::Value pointer, int64_t rank);
  mlir::Value toF32(mlir::Value value);

  int64_t ctas, maxKeys, threads;
  /// Threads that share a key, and those that share the columns of a value.
  int64_t lanes, columnLanes;
  int64_t partialsOffset, sumsOffset, sharedBytes;
  unsigned numSlots = 0;

  std::optional<RowEmitter> rows;
  mlir::Value shared, rank, thread, numKeys, firstKey, keysOfCta, numBlocks;
  /// Loops of both products at this row; the other loops are 0.
  Run scoresLoops, valuesLoops;
  /// The row of each of the values' dimensions but the last.
  Run coordinates;
  /// This thread's part of the query, in f32.
  Run query;
};

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONKERNEL_H
