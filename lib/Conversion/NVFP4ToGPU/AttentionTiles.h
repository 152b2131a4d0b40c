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

#include "HeadTile.h"
#include "Matmul/Arithmetic.h"
#include "Matmul/MmaAtom.h"
#include "Matmul/ResultMaps.h"
#include "Matmul/StageRing.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Attention.h"

namespace nvfp4 {

class TiledAttention {
public:
  explicit TiledAttention(const KernelRequest &request)
      : body(request.body), attr(request.attr), kernel(request),
        evaluator(kernel), b(kernel.getBuilder()), a(b) {}

  mlir::FailureOr<KernelVariant> run();

private:
  using Run = ElementEvaluator::Run;

  /// Rows of a warp that a thread has a part of: lane / 4, and 8 behind it.
  static constexpr int64_t kHalves = 2;
  static constexpr int64_t kWarpRows = 16, kWarp = 32;
  /// Stages of keys and values.
  static constexpr int64_t kStages = 2;
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
  mlir::LogicalResult storeResult(mlir::ValueRange at, mlir::ValueRange values);
  mlir::FailureOr<mlir::AffineMap> getGrid();
  Run getIndex(mlir::linalg::LinalgOp op, mlir::OpOperand *operand,
               mlir::ValueRange loops);

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
  mlir::Value exp2OfDifference(mlir::Value value, mlir::Value base);
  /// Of the four lanes that share a row.
  mlir::Value
  combineLanes(mlir::Value value,
               llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>);
  mlir::Value getF32(float value);

  mlir::func::FuncOp body;
  KernelAttr attr;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  mlir::ImplicitLocOpBuilder &b;
  Arithmetic a;

  Attention attention;
  Softmax softmax;
  mlir::linalg::LinalgOp scores, values;
  mlir::OpOperand *queries = nullptr, *keys = nullptr;
  AttentionExtents extents;
  ResultMaps maps;
  MatmulConfig config;
  int64_t tileRows, tileKeys;
  mlir::Type scoresElement, valuesElement;
  unsigned rowLoop, keyLoop, depthLoop;
  unsigned valuesKeyLoop, valuesColumnLoop;

  /// Whether units are those of warpgroups, which read keys and values from
  /// shared memory themselves.
  bool hasWarpgroups = false;
  std::unique_ptr<MmaAtom> valuesAtom;
  /// For all of a head; of warpgroups, for each panel.
  llvm::SmallVector<std::unique_ptr<MmaAtom>> scoresAtoms;
  std::optional<HeadTile> queryTile, keyTile, valueTile;
  std::optional<StageRing> ring;
  std::optional<CtaContext> cta;
  int64_t stageOffset, stageBytes, sharedBytes;

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
  /// The scores that the evaluator finds: one, or two neighbours, and the key
  /// of the second one.
  Run bound;
  mlir::Value secondKey;
};

/// Of an attention with `warps`.
mlir::FailureOr<KernelVariant> generateTiledAttention(const KernelRequest &);

} // namespace nvfp4

#endif // NVFP4_LIB_CONVERSION_NVFP4TOGPU_ATTENTIONTILES_H
