//===- BlockKernel.cpp - Quantization by blocks ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A thread quantizes 16 neighbouring columns of some rows, whose loads are all
// in flight before the first is used. A warp has `lanes` threads along a row
// and as many rows as are left, and every thread steps down by these; a CTA has
// warps side by side, and below each other where the columns end:
//
//   columns      0-15  16-31  …                   lanes = 8
//   row 0         0      1    …    7   | warp 1
//   row 1         8      9    …   15   |
//   row 2        16     17    …   23   |
//   row 3        24     25    …   31   |
//   row 4         0      1    …    7   |          second step
//
// Long rows are a row per warp, so that a CTA reads memory from end to end;
// blocks of several rows take four steps of a warp; and of a source that is
// transposed a warp has 32 rows, which are neighbours in memory.
//
// Expects: a body whose results are those of one quantize_into, or of the two
//          that TwoWayKernel.cpp takes.
// Leaves:  one function; padding of the layout is written, too.
//
//===----------------------------------------------------------------------===//

#include "QuantizeEmitter.h"
#include "TwoWayKernel.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

/// Elements of a run, lanes of a warp.
static constexpr int64_t kRun = 16, kWarp = 32;
/// Steps of a thread, where a block has not more rows: two blocks' loads hide
/// the latency of memory; more of them are live across the divisions of scales
/// than ptxas keeps in registers there.
static constexpr int64_t kSteps = 2;
/// Steps that a block takes if it has more rows than one.
static constexpr int64_t kBlockSteps = 4;
/// Lanes along a row at least: a line of memory.
static constexpr int64_t kMinLanes = 4;
/// Of lanes along a row, one in so many may have no column.
static constexpr int64_t kIdleShare = 8;
/// Lanes along a row where columns are not known.
static constexpr int64_t kUnknownLanes = 8;

namespace {

/// Who does what in a CTA.
struct ThreadTile {
  /// Threads of a warp, then warps, along columns and along rows.
  int64_t lanes, stepRows, warpColumns, warpRows;
  int64_t steps;

  int64_t getColumns() const { return lanes * warpColumns * kRun; }
  int64_t getRows() const { return warpRows * steps * stepRows; }
};

/// Whether neighbours along a row of the source are not neighbours in memory.
bool isTransposed(Value source) {
  auto op = source.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumReductionLoops() > 0)
    return false;
  AffineExpr column =
      op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults().back();
  return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    AffineMap map = op.getMatchingIndexingMap(input);
    return map.getNumResults() > 1 &&
           llvm::is_contained(map.getResults().drop_back(), column);
  });
}

/// Threads along a row, a power of two up to `most`: many, but few of them
/// without a column.
int64_t chooseRowThreads(int64_t columns, int64_t most) {
  if (ShapedType::isDynamic(columns))
    return std::min(kUnknownLanes, most);
  int64_t runs = ceilDiv(columns, kRun);
  int64_t threads = std::min<int64_t>(most, llvm::PowerOf2Ceil(runs));
  while (threads > kMinLanes &&
         roundUpTo(runs, threads) - runs > runs / kIdleShare)
    threads /= 2;
  return threads;
}

ThreadTile chooseTile(QuantizeIntoOp op, int64_t columns, int64_t threads) {
  FormatAttr format = op.getBlockType().getFormat();
  int64_t blockLanes = std::max<int64_t>(1, format.getBlockColumns() / kRun);
  int64_t warps = threads / kWarp;
  // Warps that can stand side by side.
  int64_t sideBySide = warps & -warps;
  // Rows of a warp at least and at most.
  int64_t least = 1, most = kWarp;
  if (int64_t rows = format.getBlockRows(); rows > 1) {
    least = rows / kBlockSteps;
    most = rows;
  } else if (isTransposed(op.getSource())) {
    least = kWarp / blockLanes;
  }
  int64_t rowThreads = std::max(
      chooseRowThreads(columns, kWarp * sideBySide / least), blockLanes);
  ThreadTile tile;
  tile.stepRows = std::clamp(kWarp / std::min(rowThreads, kWarp), least,
                             std::min(most, kWarp / blockLanes));
  tile.steps = std::max(kSteps, format.getBlockRows() / tile.stepRows);
  tile.lanes = kWarp / tile.stepRows;
  tile.warpColumns = std::max<int64_t>(1, rowThreads / tile.lanes);
  tile.warpRows = warps / tile.warpColumns;
  // Short rows leave many to a CTA, which must not span tiles of scales.
  while (tile.getRows() > kScaleTileRows &&
         tile.steps * tile.stepRows > format.getBlockRows() && tile.steps > 1)
    tile.steps /= 2;
  return tile;
}

class BlockKernel {
public:
  BlockKernel(const KernelRequest &request, QuantizeIntoOp op,
              const QuantizeTargets &targets)
      : op(op), kernel(request), evaluator(kernel), b(kernel.getBuilder()),
        quantize(kernel, evaluator, op, targets),
        threads(request.attr.getThreads()),
        tile(chooseTile(op, quantize.getCoveredColumnCount(), threads)) {}

  LogicalResult checkLimits();
  LogicalResult generate();
  KernelVariant getVariant();
  KernelBuilder &getKernel() { return kernel; }

private:
  Value ceilDivide(Value value, int64_t divisor) {
    return evaluator.div(evaluator.add(value, evaluator.constant(divisor - 1)),
                         evaluator.constant(divisor));
  }
  void placeThread();
  LogicalResult loadStep(int64_t step);
  LogicalResult emitBlocks(int64_t blockRows);

  /// What a thread holds of one of its rows.
  struct Step {
    /// Of the run, and of what is loaded.
    SmallVector<Value> index, safeIndex;
    QuantizeEmitter::Presence presence;
    Elements run;
    EmittedFactors factors;
  };

  QuantizeIntoOp op;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  ImplicitLocOpBuilder &b;
  QuantizeEmitter quantize;
  int64_t threads;
  ThreadTile tile;
  /// Of the thread: indices before the row, its first row, its column.
  SmallVector<Value> lead;
  Value firstRow, column;
  SmallVector<Step, 0> held;
};

/// Finds the thread's rows and columns from its place in the grid, in which
/// columns come first.
void BlockKernel::placeThread() {
  auto constant = [&](int64_t value) { return evaluator.constant(value); };
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  };
  Value thread = toIndex(kernel.getThreadId());
  Value lane = evaluator.rem(thread, constant(kWarp));
  Value warp = evaluator.div(thread, constant(kWarp));
  // The last rows first: a reduction of the source has left them in the cache.
  Value last = evaluator.sub(
      toIndex(NVVM::GridDimXOp::create(b, b.getI32Type())), constant(1));
  Value block = evaluator.sub(last, toIndex(kernel.getBlockId(0)));
  Value columnTiles =
      ceilDivide(quantize.getCoveredColumns(), tile.getColumns());
  Value run = evaluator.add(
      evaluator.mul(evaluator.rem(warp, constant(tile.warpColumns)),
                    constant(tile.lanes)),
      evaluator.rem(lane, constant(tile.lanes)));
  column = evaluator.add(evaluator.mul(evaluator.rem(block, columnTiles),
                                       constant(tile.getColumns())),
                         evaluator.mul(run, constant(kRun)));
  Value group = evaluator.div(block, columnTiles);
  if (!quantize.getLeadExtents().empty()) {
    Value groups = ceilDivide(quantize.getCoveredRows(), tile.getRows());
    lead = evaluator.delinearize(evaluator.div(group, groups),
                                 quantize.getLeadExtents());
    group = evaluator.rem(group, groups);
  }
  Value warpRow = evaluator.mul(evaluator.div(warp, constant(tile.warpColumns)),
                                constant(tile.steps * tile.stepRows));
  firstRow = evaluator.add(
      evaluator.add(evaluator.mul(group, constant(tile.getRows())), warpRow),
      evaluator.div(lane, constant(tile.lanes)));
}

/// Loads the run of one row. Rows and columns that do not exist load the last
/// ones: their codes are not stored and their scales become zero.
LogicalResult BlockKernel::loadStep(int64_t step) {
  // Nothing is missing where the extent is a multiple of what is covered.
  auto isBelow = [&](Value value, Value extent, int64_t covered) -> Value {
    std::optional<int64_t> fixed = getConstantIntValue(extent);
    if (fixed && *fixed % covered == 0)
      return Value();
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, value, extent);
  };
  auto clamp = [&](Value value, Value extent, int64_t run,
                   Value isPresent) -> Value {
    if (!isPresent)
      return value;
    Value last = evaluator.sub(extent, evaluator.constant(run));
    return arith::MinUIOp::create(b, value, last);
  };
  Step state;
  QuantizeEmitter::Presence &presence = state.presence;
  Value row = evaluator.add(firstRow, evaluator.constant(step * tile.stepRows));
  int64_t rowMultiple = tile.getRows(), columnMultiple = tile.getColumns();
  if (quantize.isTiled()) {
    presence.covered =
        isBelow(column, quantize.getCoveredColumns(), columnMultiple);
    // Powers of two: the larger one is a multiple of the other.
    rowMultiple = kScaleTileRows;
    columnMultiple = std::max(
        columnMultiple,
        kScaleTileCols * op.getBlockType().getFormat().getBlockColumns());
  }
  presence.row = isBelow(row, quantize.getRows(), rowMultiple);
  presence.column = isBelow(column, quantize.getColumns(), columnMultiple);
  Value safeRow = clamp(row, quantize.getRows(), 1, presence.row);
  Value safeColumn =
      clamp(column, quantize.getColumns(), kRun, presence.column);
  evaluator.assumeMultiple(safeColumn, kRun);
  evaluator.assumeMultiple(column, kRun);

  state.safeIndex = lead;
  llvm::append_values(state.safeIndex, safeRow, safeColumn);
  FailureOr<ElementEvaluator::Run> run =
      evaluator.getRun(op.getSource(), state.safeIndex, kRun);
  if (failed(run))
    return failure();
  state.run = getElements(b, *run);
  state.index = lead;
  llvm::append_values(state.index, row, column);
  held.push_back(std::move(state));
  return success();
}

/// Padding of the tiled layout is covered by whole CTAs.
LogicalResult BlockKernel::checkLimits() {
  if (kScaleTileRows % tile.getRows() == 0)
    return success();
  return op.emitError("expected threads whose rows divide ")
         << kScaleTileRows << ", but " << threads << " threads have "
         << tile.getRows() << " rows";
}

LogicalResult BlockKernel::generate() {
  placeThread();
  for (int64_t step = 0; step < tile.steps; ++step)
    if (failed(loadStep(step)))
      return failure();
  // Behind the loads, which need not wait for the division.
  for (Step &step : held) {
    FailureOr<EmittedFactors> factors =
        quantize.getFactors(ArrayRef(step.safeIndex).drop_back());
    if (failed(factors))
      return failure();
    step.factors = *factors;
  }
  int64_t blockRows = op.getBlockType().getFormat().getBlockRows();
  if (blockRows > 1)
    return emitBlocks(blockRows);
  for (const Step &step : held)
    if (failed(quantize.emitRow(step.index, step.presence, step.run,
                                step.factors)))
      return failure();
  return success();
}

/// Blocks of several rows: steps of a thread, then its lanes in other rows.
LogicalResult BlockKernel::emitBlocks(int64_t blockRows) {
  SmallVector<Value> amax;
  for (Step &step : held)
    amax.push_back(quantize.emitBlockAmax(step.run, step.presence.column));
  int64_t perBlock = blockRows / tile.stepRows;
  SmallVector<int32_t> lanes;
  for (int64_t lane = tile.lanes; lane < kWarp; lane *= 2)
    lanes.push_back(lane);
  for (int64_t first = 0; first < tile.steps; first += perBlock) {
    Value largest = amax[first];
    for (int64_t i = 1; i < perBlock; ++i)
      largest = arith::MaxNumFOp::create(b, largest, amax[first + i]);
    largest = emitMaxOfLanes(b, largest, lanes);
    std::fill_n(amax.begin() + first, perBlock, largest);
  }
  for (auto [step, largest] : llvm::zip_equal(held, amax))
    if (failed(quantize.emitRun(step.index, step.presence, step.run, largest,
                                step.factors)))
      return failure();
  return success();
}

KernelVariant BlockKernel::getVariant() {
  AffineExpr one = b.getAffineConstantExpr(1);
  AffineExpr blocks =
      quantize.getCoveredColumnsExpr().ceilDiv(tile.getColumns()) *
      quantize.getCoveredRowsExpr().ceilDiv(tile.getRows());
  for (AffineExpr extent : quantize.getLeadExtentExprs())
    blocks = blocks * extent;
  return {kernel.getFunction(), kernel.getGrid(blocks, one, one),
          /*serves=*/IntegerSet(), threads, /*dynamicSharedBytes=*/0};
}

} // namespace

FailureOr<KernelVariant>
nvfp4::generateBlockKernel(const KernelRequest &request) {
  if (std::optional<TwoWayQuantization> ops = getTwoWays(request.body))
    return generateTwoWayKernel(request, *ops);
  QuantizeIntoOp op = getOnlyQuantization(request.body);
  if (!op) {
    Operation *end = func::FuncOp(request.body).front().getTerminator();
    return end->emitError("expected the codes and scales of one quantize_into, "
                          "or what they decode to, as results of a kernel with "
                          "the block schedule");
  }
  FailureOr<QuantizeTargets> targets = getQuantizeTargets(request.body, op);
  if (failed(targets))
    return failure();
  BlockKernel kernel(request, op, *targets);
  if (failed(kernel.checkLimits()) || failed(kernel.generate())) {
    kernel.getKernel().getFunction().erase();
    return failure();
  }
  return kernel.getVariant();
}
