//===- TwoWayKernel.cpp - A matrix and its transpose, quantized -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CTA reads a tile of 64 rows once. Threads quantize runs of 16 columns from
// registers, and leave them in shared memory; behind a barrier they quantize
// runs of 16 rows from there. Four neighbouring lanes have four such runs of a
// column, so that their codes fill a sector of memory:
//
//   lane        0        1        2        3     |  4 …
//   rows      0-15    16-31    32-47    48-63    |  0-15 …
//   columns   those of word 0 of a row           |  word 1 …
//
// A warp reads eight words of a row at four rows at a time. Words of rows
// 16 n … lie exclusive-or 8 n, which makes these 32 different banks.
//
// Expects: a body whose results are those of two quantize_into, in blocks of
//          one row, one of a transpose of the other one's source; or of the
//          former alone.
// Leaves:  one function; padding of the layouts is written, too.
//
//===----------------------------------------------------------------------===//

#include "TwoWayKernel.h"
#include "QuantizeEmitter.h"

#include "nvfp4/Dialect/NVFP4/IR/Transposes.h"
#include "nvfp4/Support/ScaleLayout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

/// Elements of a run, and rows of a tile, which has as many columns as the CTA
/// has threads.
static constexpr int64_t kRun = 16, kTileRows = 64;
static constexpr int64_t kRowRuns = kTileRows / kRun;
/// Runs of a row that a thread has in flight.
static constexpr int64_t kInFlight = 2;
/// Bytes of a word, and words that lie together in shared memory.
static constexpr int64_t kWordBytes = 4, kVectorBytes = 16,
                         kGroupWords = 32 / kRowRuns;
static constexpr int64_t kMinThreads = 64, kMaxThreads = 256;

std::optional<TwoWayQuantization> nvfp4::getTwoWays(func::FuncOp body) {
  Operation *end = body.front().getTerminator();
  auto getOp = [&](unsigned first) -> QuantizeIntoOp {
    auto op = end->getOperand(first).getDefiningOp<QuantizeIntoOp>();
    if (op && op->getResults() == end->getOperands().slice(first, 2) &&
        op.getBlockType().getFormat().getBlockRows() == 1)
      return op;
    return {};
  };
  if (end->getNumOperands() == 2)
    if (QuantizeIntoOp op = getOp(0); op && getTransposed(op.getSource()))
      return TwoWayQuantization{{}, op, 0, 0};
  if (end->getNumOperands() != 4)
    return std::nullopt;
  QuantizeIntoOp first = getOp(0), second = getOp(2);
  if (!first || !second)
    return std::nullopt;
  if (getTransposed(second.getSource()) == first.getSource())
    return TwoWayQuantization{first, second, 0, 2};
  if (getTransposed(first.getSource()) == second.getSource())
    return TwoWayQuantization{second, first, 2, 0};
  return std::nullopt;
}

namespace {
class TwoWayKernel {
public:
  TwoWayKernel(const KernelRequest &request, const TwoWayQuantization &ops)
      : ops(ops), kernel(request), evaluator(kernel), b(kernel.getBuilder()),
        threads(request.attr.getThreads()),
        turned(kernel, evaluator, ops.turned,
               getTargets(request, ops.turnedResult)),
        source(getTransposed(QuantizeIntoOp(ops.turned).getSource())) {
    if (ops.direct)
      direct.emplace(kernel, evaluator, ops.direct,
                     getTargets(request, ops.directResult));
  }

  LogicalResult checkLimits();
  LogicalResult generate();
  KernelVariant getVariant();
  KernelBuilder &getKernel() { return kernel; }

private:
  static QuantizeTargets getTargets(const KernelRequest &request,
                                    unsigned result) {
    func::FuncOp body = request.body;
    unsigned codes = body.getNumArguments() - body.getNumResults() + result;
    return {body.getArgument(codes), body.getArgument(codes + 1), {}};
  }
  Type getElementType() { return getElementTypeOrSelf(source.getType()); }
  /// Of the source.
  Value getRows() { return turned.getColumns(); }
  Value getColumns() { return turned.getRows(); }
  bool isDirectTiled() const { return direct && direct->isTiled(); }
  int64_t getElementBytes() {
    return getElementType().getIntOrFloatBitWidth() / 8;
  }
  int64_t getRowBytes() { return threads * getElementBytes(); }
  Value constant(int64_t value) { return evaluator.constant(value); }
  Value ceilDivide(Value value, int64_t divisor) {
    return evaluator.div(evaluator.add(value, constant(divisor - 1)),
                         constant(divisor));
  }

  void placeTile();
  Value isBelow(Value position, Value extent);
  Value emitBoth(Value lhs, Value rhs);
  QuantizeEmitter::Presence getPresence(QuantizeEmitter &quantize, Value row,
                                        Value column);
  LogicalResult emitRun(QuantizeEmitter &quantize, Value row, Value column,
                        const Elements &run);
  Value getAddress(Value row, Value byte);
  void keep(Value row, Value column, ArrayRef<Value> run);
  LogicalResult emitRows(Value firstItem);
  SmallVector<Elements> loadColumns(Value rowRun, Value word);
  LogicalResult emitColumns(Value item);
  LogicalResult emitLoop(int64_t count, int64_t step,
                         function_ref<LogicalResult(Value)> emit);

  TwoWayQuantization ops;
  KernelBuilder kernel;
  ElementEvaluator evaluator;
  ImplicitLocOpBuilder &b;
  int64_t threads;
  QuantizeEmitter turned;
  std::optional<QuantizeEmitter> direct;
  /// What is quantized, and transposed.
  Value source;
  Value thread, shared;
  /// Indices before the row; first row and column of the tile.
  SmallVector<Value> lead;
  Value tileRow, tileColumn;
};

void TwoWayKernel::placeTile() {
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  };
  shared = kernel.getSharedMemory();
  thread = toIndex(kernel.getThreadId());
  Value tile = toIndex(kernel.getBlockId(0));
  // A tile has at least the columns of a tile of scales.
  Value columnTiles = ceilDivide(turned.getCoveredRows(), threads);
  tileColumn =
      evaluator.mul(evaluator.rem(tile, columnTiles), constant(threads));
  Value group = evaluator.div(tile, columnTiles);
  if (!turned.getLeadExtents().empty()) {
    Value rowTiles = ceilDivide(isDirectTiled() ? direct->getCoveredRows()
                                                : turned.getCoveredColumns(),
                                kTileRows);
    lead = evaluator.delinearize(evaluator.div(group, rowTiles),
                                 turned.getLeadExtents());
    group = evaluator.rem(group, rowTiles);
  }
  tileRow = evaluator.mul(group, constant(kTileRows));
}

/// Null where tiles of both layouts end with the extent.
Value TwoWayKernel::isBelow(Value position, Value extent) {
  std::optional<int64_t> fixed = getConstantIntValue(extent);
  if (fixed && *fixed % std::max(threads, kScaleTileRows) == 0)
    return Value();
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, position, extent);
}

Value TwoWayKernel::emitBoth(Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  return arith::AndIOp::create(b, lhs, rhs);
}

QuantizeEmitter::Presence TwoWayKernel::getPresence(QuantizeEmitter &quantize,
                                                    Value row, Value column) {
  QuantizeEmitter::Presence presence;
  presence.row = isBelow(row, quantize.getRows());
  presence.column = isBelow(column, quantize.getColumns());
  if (quantize.isTiled())
    presence.covered = emitBoth(isBelow(row, quantize.getCoveredRows()),
                                isBelow(column, quantize.getCoveredColumns()));
  return presence;
}

LogicalResult TwoWayKernel::emitRun(QuantizeEmitter &quantize, Value row,
                                    Value column, const Elements &run) {
  QuantizeEmitter::Presence presence = getPresence(quantize, row, column);
  SmallVector<Value> index(lead);
  // Global scales of rows exist for rows that do.
  Value safeRow = row;
  if (presence.row)
    safeRow =
        evaluator.min(row, evaluator.sub(quantize.getRows(), constant(1)));
  index.push_back(safeRow);
  FailureOr<EmittedFactors> factors = quantize.getFactors(index);
  if (failed(factors))
    return failure();
  index.back() = row;
  index.push_back(column);
  return quantize.emitRow(index, presence, run, *factors);
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// Of a byte of a row of the tile.
Value TwoWayKernel::getAddress(Value row, Value byte) {
  Value swizzle = evaluator.mul(
      evaluator.rem(evaluator.div(row, constant(kRun)), constant(kRowRuns)),
      constant(kGroupWords * kWordBytes));
  Value place = arith::XOrIOp::create(b, byte, swizzle);
  Value offset =
      evaluator.add(evaluator.mul(row, constant(getRowBytes())), place);
  return LLVM::GEPOp::create(
      b, shared.getType(), b.getI8Type(), shared,
      ValueRange{arith::IndexCastOp::create(b, b.getI64Type(), offset)});
}

void TwoWayKernel::keep(Value row, Value column, ArrayRef<Value> run) {
  int64_t length = kVectorBytes / getElementBytes();
  for (int64_t first = 0; first < kRun; first += length) {
    Value vector =
        LLVM::PoisonOp::create(b, VectorType::get(length, getElementType()));
    for (int64_t i = 0; i < length; ++i)
      vector = LLVM::InsertElementOp::create(
          b, vector, run[first + i],
          LLVM::ConstantOp::create(b, b.getI32IntegerAttr(i)));
    Value byte = evaluator.mul(evaluator.add(column, constant(first)),
                               constant(getElementBytes()));
    LLVM::StoreOp::create(b, vector, getAddress(row, byte), kVectorBytes);
  }
}

/// Runs of the columns that share a word.
SmallVector<Elements> TwoWayKernel::loadColumns(Value rowRun, Value word) {
  int64_t perWord = kWordBytes / getElementBytes();
  SmallVector<Elements> columns(perWord);
  Value first = evaluator.mul(rowRun, constant(kRun));
  Value base = getAddress(first, evaluator.mul(word, constant(kWordBytes)));
  for (int64_t row = 0; row < kRun; ++row) {
    Value address = LLVM::GEPOp::create(
        b, base.getType(), b.getI8Type(), base,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(row * getRowBytes())});
    Value word = LLVM::LoadOp::create(b, b.getI32Type(), address, kWordBytes);
    if (getElementType().isBF16()) {
      for (bool isUpper : {false, true})
        columns[isUpper].appendHalf(b, word, isUpper);
      continue;
    }
    auto type = VectorType::get(perWord, getElementType());
    Value vector = LLVM::BitcastOp::create(b, type, word);
    for (int64_t i = 0; i < perWord; ++i) {
      Value element = LLVM::ExtractElementOp::create(
          b, vector, LLVM::ConstantOp::create(b, b.getI32IntegerAttr(i)));
      columns[i].values.push_back(getElements(b, element).values.front());
    }
  }
  return columns;
}

//===----------------------------------------------------------------------===//
// Both ways
//===----------------------------------------------------------------------===//

/// Loads of several runs come before the first is used.
LogicalResult TwoWayKernel::emitRows(Value firstItem) {
  Value perRow = constant(threads / kRun);
  SmallVector<Run> held;
  SmallVector<std::pair<Value, Value>> places;
  for (int64_t i = 0; i < kInFlight; ++i) {
    Value item = evaluator.add(firstItem, constant(i * threads));
    Value row = evaluator.div(item, perRow);
    Value column = evaluator.mul(evaluator.rem(item, perRow), constant(kRun));
    places.push_back({row, column});
    Value sourceRow = evaluator.add(tileRow, row),
          sourceColumn = evaluator.add(tileColumn, column);
    if (isBelow(sourceRow, getRows()))
      sourceRow =
          evaluator.min(sourceRow, evaluator.sub(getRows(), constant(1)));
    if (isBelow(sourceColumn, getColumns()))
      sourceColumn = evaluator.min(sourceColumn,
                                   evaluator.sub(getColumns(), constant(kRun)));
    evaluator.assumeMultiple(sourceColumn, kRun);
    SmallVector<Value> index(lead);
    llvm::append_values(index, sourceRow, sourceColumn);
    FailureOr<Run> run = evaluator.getRun(source, index, kRun);
    if (failed(run))
      return failure();
    held.push_back(std::move(*run));
  }
  for (auto [run, place] : llvm::zip_equal(held, places)) {
    auto [row, column] = place;
    keep(row, column, run);
    if (!direct)
      continue;
    Value position = evaluator.add(tileColumn, column);
    evaluator.assumeMultiple(position, kRun);
    if (failed(emitRun(*direct, evaluator.add(tileRow, row), position,
                       getElements(b, run))))
      return failure();
  }
  return success();
}

LogicalResult TwoWayKernel::emitColumns(Value item) {
  Value rowRun = evaluator.rem(item, constant(kRowRuns));
  Value word = evaluator.div(item, constant(kRowRuns));
  SmallVector<Elements> columns = loadColumns(rowRun, word);
  Value firstColumn =
      evaluator.add(tileColumn, evaluator.mul(word, constant(columns.size())));
  Value row = evaluator.add(tileRow, evaluator.mul(rowRun, constant(kRun)));
  evaluator.assumeMultiple(row, kRun);
  for (auto [i, run] : llvm::enumerate(columns))
    if (failed(
            emitRun(turned, evaluator.add(firstColumn, constant(i)), row, run)))
      return failure();
  return success();
}

/// Items of this thread among `count` of the CTA, `step` at a time.
LogicalResult TwoWayKernel::emitLoop(int64_t count, int64_t step,
                                     function_ref<LogicalResult(Value)> emit) {
  auto loop = scf::ForOp::create(b, constant(0), constant(count / threads),
                                 constant(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  return emit(evaluator.add(
      evaluator.mul(loop.getInductionVar(), constant(threads)), thread));
}

LogicalResult TwoWayKernel::generate() {
  placeTile();
  int64_t runs = kTileRows * threads / kRun;
  if (failed(emitLoop(runs, kInFlight,
                      [&](Value item) { return emitRows(item); })))
    return failure();
  NVVM::BarrierOp::create(b);
  int64_t words = threads * getElementBytes() / kWordBytes;
  return emitLoop(words * kRowRuns, 1,
                  [&](Value item) { return emitColumns(item); });
}

LogicalResult TwoWayKernel::checkLimits() {
  if (!llvm::isPowerOf2_64(threads) || threads < kMinThreads ||
      threads > kMaxThreads)
    return ops.turned.emitError("expected a power of two from ")
           << kMinThreads << " to " << kMaxThreads
           << " threads to quantize a transpose, but got " << threads;
  Type element = getElementType();
  if (!element.isF32() && element.getIntOrFloatBitWidth() != 16)
    return ops.turned.emitError("expected a source of f32, bf16 or f16 to "
                                "quantize a transpose, but got ")
           << element;
  return success();
}

KernelVariant TwoWayKernel::getVariant() {
  AffineExpr one = b.getAffineConstantExpr(1);
  AffineExpr rows = isDirectTiled() ? direct->getCoveredRowsExpr()
                                    : turned.getCoveredColumnsExpr();
  AffineExpr columns = turned.getCoveredRowsExpr();
  AffineExpr blocks = columns.ceilDiv(threads) * rows.ceilDiv(kTileRows);
  for (AffineExpr extent : turned.getLeadExtentExprs())
    blocks = blocks * extent;
  return {kernel.getFunction(), kernel.getGrid(blocks, one, one),
          /*serves=*/IntegerSet(), threads, kTileRows * getRowBytes()};
}

} // namespace

FailureOr<KernelVariant>
nvfp4::generateTwoWayKernel(const KernelRequest &request,
                            const TwoWayQuantization &ops) {
  TwoWayKernel kernel(request, ops);
  if (failed(kernel.checkLimits()) || failed(kernel.generate())) {
    kernel.getKernel().getFunction().erase();
    return failure();
  }
  return kernel.getVariant();
}
