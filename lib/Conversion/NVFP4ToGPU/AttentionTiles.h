//===- AttentionTiles.h - A CTA computes rows of attention ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The generator. AttentionTiles.cpp has the order of things, products and
// results; AttentionTilesSoftmax.cpp has what happens to the scores of a tile.
//
//===----------------------------------------------------------------------===//

#ifndef NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONTILES_H
#define NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONTILES_H

#include "AttentionBody.h"
#include "HeadTile.h"
#include "Matmul/MmaAtom.h"
#include "Matmul/StageRing.h"

namespace nvfp4 {

class TiledAttention : private AttentionBody {
public:
  explicit TiledAttention(const KernelRequest &request)
      : AttentionBody(request) {}

  mlir::FailureOr<KernelVariant> run();

private:
  /// Rows of a warp that a thread has a part of: lane / 4, and 8 behind it.
  static constexpr int64_t kHalves = 2;
  static constexpr int64_t kWarpRows = AttentionMemory::kUnit, kWarp = 32;
  static constexpr int64_t kStages = AttentionMemory::kStages;
  /// Queries of more elements are read again for each tile of keys.
  static constexpr int64_t kMaxResident = 128;

  /// What a loop over tiles of keys carries.
  struct State {
    llvm::SmallVector<mlir::Value> ring;
    /// Of each half: the largest logit so far, and this thread's part of the
    /// sum of exponentials relative to it.
    llvm::SmallVector<mlir::Value> largest, sum;
    /// Products of exponentials with values.
    llvm::SmallVector<mlir::Value> result;

    llvm::SmallVector<mlir::Value> flatten() const;
    State unflatten(mlir::ValueRange values) const;
  };
  /// Logits of a thread for a tile of keys: of each half, the pairs of
  /// neighbouring columns.
  using Logits = llvm::SmallVector<mlir::Value>;

  //===--------------------------------------------------------------------===//
  // AttentionTiles.cpp
  //===--------------------------------------------------------------------===//

  mlir::LogicalResult plan();
  mlir::LogicalResult verifyTile();
  mlir::LogicalResult emit();
  mlir::LogicalResult emitPlaces();
  void emitRanges();
  mlir::LogicalResult beginTiles();
  mlir::LogicalResult loadQueries();
  mlir::FailureOr<State> emitLoop(mlir::Value from, mlir::Value to, State state,
                                  bool isEdge);
  mlir::LogicalResult emitTile(State &state, mlir::Value tile, bool isEdge);
  llvm::SmallVector<mlir::Value> emitScores(mlir::Value image);
  llvm::SmallVector<mlir::Value> emitWarpgroupScores(mlir::Value image);
  void addValues(mlir::Value image, mlir::ValueRange weights, State &state);
  void createAtoms();
  mlir::LogicalResult fill(mlir::Value image, mlir::Value tile);
  mlir::LogicalResult emitResult(const State &state);
  mlir::FailureOr<mlir::AffineMap> getGrid();

  //===--------------------------------------------------------------------===//
  // AttentionTilesSoftmax.cpp
  //===--------------------------------------------------------------------===//

  /// Exponentials of a tile, as registers of the unit's rows, 16 keys after
  /// the other.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emitWeights(State &state, mlir::ValueRange sums, mlir::Value tile,
              bool isEdge);
  mlir::FailureOr<Logits> getLogits(mlir::ValueRange sums, mlir::Value tile,
                                    int64_t half, bool isEdge);
  mlir::FailureOr<Run> getLogitPair(mlir::ValueRange index, mlir::Value key,
                                    mlir::ValueRange sums, bool isEdge);
  /// What the evaluator is told of scores.
  mlir::FailureOr<Run> getKnownScores(mlir::ValueRange index, int64_t count);
  mlir::Value exp2OfDifference(mlir::Value value, mlir::Value base);
  /// Of the four lanes that share a row.
  mlir::Value
  combineLanes(mlir::Value value,
               llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>);
  mlir::Value getF32(float value);

  Softmax softmax;
  MatmulConfig config;
  AttentionMemory memory;
  int64_t tileRows, tileKeys;
  mlir::Type scoresElement, valuesElement;

  /// Whether units are those of warpgroups, which read keys and values from
  /// shared memory themselves.
  bool hasWarpgroups = false;
  std::unique_ptr<MmaAtom> valuesAtom;
  /// For all of a head; of warpgroups, for each panel.
  llvm::SmallVector<std::unique_ptr<MmaAtom>> scoresAtoms;
  std::optional<HeadTile> queryTile, keyTile, valueTile;
  std::optional<StageRing> ring;
  std::optional<CtaContext> cta;

  /// Indices: rows of a head and keys; the head, and the tile's first row.
  mlir::Value numRows, numKeys, head, firstRow;
  /// i32: tiles that any row sees, and the first of these that are whole.
  mlir::Value numTiles, numWhole;
  Run scoresExtents, valuesExtents, logitsExtents;
  /// Of each half: its row in the head, and whether it is there.
  llvm::SmallVector<mlir::Value> rows, rowExists;
  /// The logits' index of each half but the last dimension.
  llvm::SmallVector<Run> logitsIndex;
  /// What the unit has of queries; empty: they are read again.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> queryRegisters;
  /// The keys of which the evaluator may ask for scores now, neighbours, and
  /// these scores.
  Run knownKeys, knownScores;
};

/// Of an attention with `warps`.
mlir::FailureOr<KernelVariant> generateTiledAttention(const KernelRequest &);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONTILES_H
