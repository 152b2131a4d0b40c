//===- BlockKernel.cpp - Quantization by blocks ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp quantizes some rows of 64 neighbouring columns, a CTA as many such
// tiles, one below the other, as it has warps. Eight neighbouring lanes hold 8
// columns each, four such groups neighbouring rows, and every thread steps down
// 4 rows at a time:
//
//   columns    0-7  8-15  …  56-63
//   row 0       0    1    …    7        lanes
//   row 1       8    9    …   15
//   row 2      16   17    …   23
//   row 3      24   25    …   31
//   row 4       0    1    …    7        second step
//
// A tile has 8 rows, or those of a block that is higher. Loads of a warp touch
// whole sectors along rows, and after two steps those of an f32 source that is
// transposed.
//
// Expects: a body whose results are those of one quantize_into.
// Leaves:  one function; padding of the layout is written, too.
//
//===----------------------------------------------------------------------===//

#include "QuantizeEmitter.h"

#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

/// Elements of a run, lanes along a row, columns of a tile.
static constexpr int64_t kRun = 8, kRowLanes = 8, kTileColumns = 64;
/// Lanes of a warp, rows of a warp at a time, rows of a tile at least.
static constexpr int64_t kWarp = 32, kStepRows = 4, kMinTileRows = 8;
/// Largest extent of a grid's y.
static constexpr int64_t kMaxGridY = 65535;

namespace {

/// Steps of a thread: through 8 rows, or through the block. More would be live
/// across the divisions of scales than ptxas keeps in registers there.
int64_t getNumSteps(FormatAttr format) {
  return std::max(kMinTileRows, format.getBlockRows()) / kStepRows;
}

class BlockKernel {
public:
  BlockKernel(const KernelRequest &request, QuantizeIntoOp op,
              BlockArgument codes, BlockArgument scales)
      : op(op), kernel(request), evaluator(kernel), b(kernel.getBuilder()),
        quantize(kernel, evaluator, op, codes, scales),
        threads(request.attr.getThreads()),
        steps(getNumSteps(op.getBlockType().getFormat())) {}

  LogicalResult generate();
  KernelVariant getVariant();
  KernelBuilder &getKernel() { return kernel; }

private:
  int64_t getCtaRows() const { return threads / kWarp * steps * kStepRows; }
  void placeThread();
  LogicalResult loadStep(int64_t step);

  /// What a thread holds of one of its rows.
  struct Step {
    SmallVector<Value> index;
    QuantizeEmitter::Presence presence;
    SmallVector<Value> run;
    EmittedFactors factors;
  };

  QuantizeIntoOp op;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  ImplicitLocOpBuilder &b;
  QuantizeEmitter quantize;
  int64_t threads, steps;
  /// Of the thread: indices before the row, its first row, its column.
  SmallVector<Value> lead;
  Value firstRow, column;
  SmallVector<Step> held;
};

/// Finds the thread's rows and columns from its place in the grid.
void BlockKernel::placeThread() {
  auto constant = [&](int64_t value) { return evaluator.constant(value); };
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  };
  Value thread = toIndex(kernel.getThreadId());
  Value lane = evaluator.rem(thread, constant(kWarp));
  Value warp = evaluator.div(thread, constant(kWarp));
  Value tileColumn =
      evaluator.mul(toIndex(kernel.getBlockId(1)), constant(kTileColumns));
  column = evaluator.add(
      tileColumn,
      evaluator.mul(evaluator.rem(lane, constant(kRowLanes)), constant(kRun)));
  Value group = toIndex(kernel.getBlockId(0));
  if (!quantize.getLeadExtents().empty()) {
    Value groups = evaluator.div(
        evaluator.add(quantize.getCoveredRows(), constant(getCtaRows() - 1)),
        constant(getCtaRows()));
    lead = evaluator.delinearize(evaluator.div(group, groups),
                                 quantize.getLeadExtents());
    group = evaluator.rem(group, groups);
  }
  Value row = evaluator.add(evaluator.mul(group, constant(getCtaRows())),
                            evaluator.mul(warp, constant(steps * kStepRows)));
  firstRow = evaluator.add(row, evaluator.div(lane, constant(kRowLanes)));
}

/// Loads the run of one row. Rows and columns that do not exist load the last
/// ones: their codes are not stored and their scales become zero.
LogicalResult BlockKernel::loadStep(int64_t step) {
  // Nothing is missing where the extent is a multiple of what is covered.
  auto clamp = [&](Value value, Value extent, int64_t covered, int64_t run,
                   Value &presence) -> Value {
    std::optional<int64_t> fixed = getConstantIntValue(extent);
    if (fixed && *fixed % covered == 0)
      return value;
    presence =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, value, extent);
    Value last = evaluator.sub(extent, evaluator.constant(run));
    return arith::MinUIOp::create(b, value, last);
  };
  Step state;
  Value row = evaluator.add(firstRow, evaluator.constant(step * kStepRows));
  bool isTiled = quantize.isTiled();
  Value safeRow =
      clamp(row, quantize.getRows(), isTiled ? kScaleTileRows : getCtaRows(), 1,
            state.presence.row);
  int64_t columnMultiple =
      isTiled ? kScaleTileCols * op.getBlockType().getFormat().getBlockColumns()
              : kTileColumns;
  Value safeColumn = clamp(column, quantize.getColumns(), columnMultiple, kRun,
                           state.presence.column);
  evaluator.assumeMultiple(safeColumn, kRun);
  evaluator.assumeMultiple(column, kRun);

  SmallVector<Value> index(lead);
  index.push_back(safeRow);
  FailureOr<EmittedFactors> factors = quantize.getFactors(index);
  index.push_back(safeColumn);
  FailureOr<ElementEvaluator::Run> run =
      evaluator.getRun(op.getSource(), index, kRun);
  if (failed(factors) || failed(run))
    return failure();
  for (Value &value : *run)
    if (!value.getType().isF32())
      value = arith::ExtFOp::create(b, b.getF32Type(), value);
  state.factors = *factors;
  state.run = std::move(*run);
  state.index = lead;
  llvm::append_values(state.index, row, column);
  held.push_back(std::move(state));
  return success();
}

LogicalResult BlockKernel::generate() {
  placeThread();
  for (int64_t step = 0; step < steps; ++step)
    if (failed(loadStep(step)))
      return failure();
  SmallVector<Value> amax;
  for (Step &step : held)
    amax.push_back(quantize.emitBlockAmax(step.run, step.presence.column));
  int64_t blockRows = op.getBlockType().getFormat().getBlockRows();
  if (blockRows > 1) {
    // Steps of a block, then its lanes in other rows.
    int64_t perBlock = blockRows / kStepRows;
    for (int64_t first = 0; first < steps; first += perBlock) {
      Value largest = amax[first];
      for (int64_t i = 1; i < perBlock; ++i)
        largest = arith::MaxNumFOp::create(b, largest, amax[first + i]);
      largest = emitMaxOfLanes(b, largest, {kRowLanes, 2 * kRowLanes});
      std::fill_n(amax.begin() + first, perBlock, largest);
    }
  }
  for (auto [step, largest] : llvm::zip_equal(held, amax))
    if (failed(quantize.emitRun(step.index, step.presence, step.run, largest,
                                step.factors)))
      return failure();
  return success();
}

KernelVariant BlockKernel::getVariant() {
  AffineExpr blocks = quantize.getCoveredRowsExpr().ceilDiv(getCtaRows());
  for (AffineExpr extent : quantize.getLeadExtentExprs())
    blocks = extent * blocks;
  AffineExpr columns = quantize.getCoveredColumnsExpr().ceilDiv(kTileColumns);
  return {kernel.getFunction(),
          kernel.getGrid(blocks, columns, b.getAffineConstantExpr(1)),
          /*serves=*/IntegerSet(), threads, /*dynamicSharedBytes=*/0};
}

/// The op whose results the body returns, or an error at what is returned.
FailureOr<QuantizeIntoOp> getQuantize(func::FuncOp body) {
  auto end = cast<func::ReturnOp>(body.getBody().front().getTerminator());
  auto op = end.getNumOperands() == 2
                ? end.getOperand(0).getDefiningOp<QuantizeIntoOp>()
                : QuantizeIntoOp();
  if (!op || op->getResults() != end.getOperands())
    return end.emitError("expected the codes and scales of one quantize_into "
                         "as results of a kernel with the block schedule");
  return op;
}

/// What the schedule does not reach.
LogicalResult checkLimits(const KernelRequest &request, QuantizeIntoOp op) {
  BlockTensorType type = op.getBlockType();
  int64_t columns = type.getShape().back();
  if (columns > kMaxGridY * kTileColumns)
    return op.emitError("expected at most ")
           << kMaxGridY * kTileColumns << " columns, but got " << columns;
  int64_t rows = request.attr.getThreads() / kWarp * kStepRows *
                 getNumSteps(type.getFormat());
  if (kScaleTileRows % rows != 0)
    return op.emitError("expected threads whose rows divide ")
           << kScaleTileRows << ", but " << request.attr.getThreads()
           << " threads have " << rows << " rows";
  return success();
}

} // namespace

FailureOr<KernelVariant>
nvfp4::generateBlockKernel(const KernelRequest &request) {
  FailureOr<QuantizeIntoOp> op = getQuantize(request.body);
  if (failed(op) || failed(checkLimits(request, *op)))
    return failure();
  func::FuncOp body = request.body;
  unsigned first = body.getNumArguments() - body.getNumResults();
  BlockKernel kernel(request, *op, body.getArgument(first),
                     body.getArgument(first + 1));
  if (failed(kernel.generate())) {
    kernel.getKernel().getFunction().erase();
    return failure();
  }
  return kernel.getVariant();
}
