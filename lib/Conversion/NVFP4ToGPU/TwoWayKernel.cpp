//===- TwoWayKernel.cpp - A matrix and its transpose, quantized -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CTA copies a tile of 128 rows to shared memory, all of it in flight at
// once. Threads quantize runs of 16 columns from there, then runs of 16 rows.
// Eight neighbouring lanes have eight such runs of a column, so that their
// codes fill two sectors of memory:
//
//   lane        0        1     …     7      |  8 …
//   rows      0-15    16-31    …  112-127   |  0-15 …
//   columns   those of word 0 of a row      |  word 1 …
//
// A warp reads four words of a row at eight rows at a time. Words of rows
// 16 n … lie exclusive-or 4 n, which makes these 32 different banks; vectors of
// every fourth run change places, so that eight lanes read eight runs of a row
// from different banks, too.
//
// What is no argument is computed in registers, run by run, and stored.
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
static constexpr int64_t kRun = 16, kTileRows = 128;
static constexpr int64_t kRowRuns = kTileRows / kRun;
/// Runs of a row that a thread has in flight.
static constexpr int64_t kInFlight = 2;
/// Bytes of a word, and words that lie together in shared memory.
static constexpr int64_t kWordBytes = 4, kVectorBytes = 16, kBankBytes = 128,
                         kGroupWords = kBankBytes / kWordBytes / kRowRuns;
/// Vectors of a row that change places.
static constexpr int64_t kExchanges = 4;
/// Registers that a thread needs not to be slower.
static constexpr int64_t kRegisters = 64, kAllRegisters = 65536;
/// Of shared memory, by the system, for a CTA.
static constexpr int64_t kReservedBytes = 1024;
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
  bool isCopied() const { return isa<BlockArgument>(source); }
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
  Value getAddress(Value row, Value rowRun, Value byte);
  Value clampTo(Value position, Value extent, int64_t count);
  LogicalResult copyTile();
  void keep(Value row, Value rowRun, Value column, ArrayRef<Value> run);
  FailureOr<Run> loadSource(Value row, Value column);
  Elements loadRow(Value row, Value rowRun, Value column);
  LogicalResult emitRows(Value step);
  SmallVector<Elements> loadColumns(Value rowRun, Value word);
  LogicalResult emitColumns(Value step);
  void limitRegisters();
  LogicalResult prepareFactors();
  LogicalResult emitLoop(int64_t count, int64_t stride,
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

/// Of a byte of a row of the tile, which is one of the rows 16 `rowRun` ….
Value TwoWayKernel::getAddress(Value row, Value rowRun, Value byte) {
  Value swizzle = evaluator.mul(rowRun, constant(kGroupWords * kWordBytes));
  Value exchange =
      evaluator.mul(evaluator.rem(evaluator.div(byte, constant(kBankBytes)),
                                  constant(kExchanges)),
                    constant(kVectorBytes));
  Value place = arith::XOrIOp::create(
      b, arith::XOrIOp::create(b, byte, exchange), swizzle);
  Value offset =
      evaluator.add(evaluator.mul(row, constant(getRowBytes())), place);
  return LLVM::GEPOp::create(
      b, shared.getType(), b.getI8Type(), shared,
      ValueRange{arith::IndexCastOp::create(b, b.getI64Type(), offset)});
}

void TwoWayKernel::keep(Value row, Value rowRun, Value column,
                        ArrayRef<Value> run) {
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
    LLVM::StoreOp::create(b, vector, getAddress(row, rowRun, byte),
                          kVectorBytes);
  }
}

/// Runs of the columns that share a word.
SmallVector<Elements> TwoWayKernel::loadColumns(Value rowRun, Value word) {
  int64_t perWord = kWordBytes / getElementBytes();
  SmallVector<Elements> columns(perWord);
  Value first = evaluator.mul(rowRun, constant(kRun));
  Value base =
      getAddress(first, rowRun, evaluator.mul(word, constant(kWordBytes)));
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

/// The last `count` elements where those at `position` may not exist.
Value TwoWayKernel::clampTo(Value position, Value extent, int64_t count) {
  if (!isBelow(position, extent))
    return position;
  return evaluator.min(position, evaluator.sub(extent, constant(count)));
}

/// By all threads, vector by vector.
LogicalResult TwoWayKernel::copyTile() {
  FailureOr<Run> extents = evaluator.getExtents(source);
  if (failed(extents))
    return failure();
  int64_t perRow = getRowBytes() / kVectorBytes;
  int64_t length = kVectorBytes / getElementBytes();
  Value vector = evaluator.rem(thread, constant(perRow));
  Value firstRow = evaluator.div(thread, constant(perRow));
  Value column = clampTo(
      evaluator.add(tileColumn, evaluator.mul(vector, constant(length))),
      getColumns(), length);
  Value base = kernel.getPointer(cast<BlockArgument>(source));
  // Rows of a step are a part of a run.
  int64_t rowsPerStep = threads / perRow;
  for (int64_t rows = 0; rows < kTileRows; rows += rowsPerStep) {
    Value row = evaluator.add(firstRow, constant(rows));
    SmallVector<Value> index(lead);
    llvm::append_values(
        index, clampTo(evaluator.add(tileRow, row), getRows(), 1), column);
    Value offset = evaluator.mul(evaluator.linearize(index, *extents),
                                 constant(getElementBytes()));
    Value from = LLVM::GEPOp::create(
        b, base.getType(), b.getI8Type(), base,
        ValueRange{arith::IndexCastOp::create(b, b.getI64Type(), offset)});
    Value to = getAddress(row, constant(rows / kRun),
                          evaluator.mul(vector, constant(kVectorBytes)));
    NVVM::CpAsyncOp::create(b, to, from, kVectorBytes,
                            NVVM::LoadCacheModifierKind::CG, Value());
  }
  NVVM::CpAsyncCommitGroupOp::create(b);
  return success();
}

/// A run of the source that is no argument.
FailureOr<Run> TwoWayKernel::loadSource(Value row, Value column) {
  Value sourceColumn =
      clampTo(evaluator.add(tileColumn, column), getColumns(), kRun);
  evaluator.assumeMultiple(sourceColumn, kRun);
  SmallVector<Value> index(lead);
  llvm::append_values(index, clampTo(evaluator.add(tileRow, row), getRows(), 1),
                      sourceColumn);
  return evaluator.getRun(source, index, kRun);
}

/// A run of a row that the tile has.
Elements TwoWayKernel::loadRow(Value row, Value rowRun, Value column) {
  Elements elements;
  int64_t length = kVectorBytes / getElementBytes();
  bool isBF16 = getElementType().isBF16();
  auto type = isBF16
                  ? VectorType::get(kVectorBytes / kWordBytes, b.getI32Type())
                  : VectorType::get(length, getElementType());
  for (int64_t first = 0; first < kRun; first += length) {
    Value byte = evaluator.mul(evaluator.add(column, constant(first)),
                               constant(getElementBytes()));
    Value vector = LLVM::LoadOp::create(b, type, getAddress(row, rowRun, byte),
                                        kVectorBytes);
    for (int64_t i = 0; i < type.getNumElements(); ++i) {
      Value element = LLVM::ExtractElementOp::create(
          b, vector, LLVM::ConstantOp::create(b, b.getI32IntegerAttr(i)));
      if (isBF16)
        elements.appendBoth(b, element);
      else
        elements.values.push_back(getElements(b, element).values.front());
    }
  }
  return elements;
}

/// Loads of several runs come before the first is used.
LogicalResult TwoWayKernel::emitRows(Value step) {
  // A step of all threads is 16 rows.
  Value perRow = constant(threads / kRun);
  Value firstRow = evaluator.div(thread, perRow);
  Value column = evaluator.mul(evaluator.rem(thread, perRow), constant(kRun));
  SmallVector<Value> rows;
  SmallVector<Elements> held;
  for (int64_t i = 0; i < kInFlight; ++i) {
    Value rowRun = evaluator.add(step, constant(i));
    Value row = evaluator.add(firstRow, evaluator.mul(rowRun, constant(kRun)));
    rows.push_back(row);
    if (isCopied()) {
      held.push_back(loadRow(row, rowRun, column));
      continue;
    }
    FailureOr<Run> run = loadSource(row, column);
    if (failed(run))
      return failure();
    keep(row, rowRun, column, *run);
    held.push_back(getElements(b, *run));
  }
  if (!direct)
    return success();
  Value position = evaluator.add(tileColumn, column);
  evaluator.assumeMultiple(position, kRun);
  for (auto [run, row] : llvm::zip_equal(held, rows))
    if (failed(emitRun(*direct, evaluator.add(tileRow, row), position, run)))
      return failure();
  return success();
}

LogicalResult TwoWayKernel::emitColumns(Value step) {
  Value rowRun = evaluator.rem(thread, constant(kRowRuns));
  Value word = evaluator.add(evaluator.div(thread, constant(kRowRuns)),
                             evaluator.mul(step, constant(threads / kRowRuns)));
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

/// Steps 0 … count - 1, `stride` of them at a time.
LogicalResult TwoWayKernel::emitLoop(int64_t count, int64_t stride,
                                     function_ref<LogicalResult(Value)> emit) {
  auto loop =
      scf::ForOp::create(b, constant(0), constant(count), constant(stride));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  return emit(loop.getInductionVar());
}

/// Divides by global scales of tensors while copies are in flight: later, these
/// are the same values.
LogicalResult TwoWayKernel::prepareFactors() {
  for (QuantizeEmitter *quantize : {direct ? &*direct : nullptr, &turned})
    if (quantize && quantize->hasOneGlobalScale() &&
        failed(quantize->getFactors({})))
      return failure();
  return success();
}

/// As many CTAs as shared memory has room for, if registers have, too: ptxas
/// would take more of them to hold more loads.
void TwoWayKernel::limitRegisters() {
  int64_t byMemory = kernel.getChip().sharedBytes /
                     (kTileRows * getRowBytes() + kReservedBytes);
  int64_t least = std::min(byMemory, kAllRegisters / (kRegisters * threads));
  kernel.getFunction()->setAttr(
      NVVM::NVVMDialect::getMinctasmAttrName(),
      b.getI32IntegerAttr(std::max<int64_t>(least, 1)));
}

LogicalResult TwoWayKernel::generate() {
  limitRegisters();
  placeTile();
  auto emitAllRows = [&]() {
    return emitLoop(kRowRuns, kInFlight,
                    [&](Value step) { return emitRows(step); });
  };
  if (isCopied()) {
    if (failed(copyTile()) || failed(prepareFactors()))
      return failure();
    NVVM::CpAsyncWaitGroupOp::create(b, /*n=*/0);
    NVVM::BarrierOp::create(b);
    if (direct && failed(emitAllRows()))
      return failure();
  } else {
    if (failed(emitAllRows()))
      return failure();
    NVVM::BarrierOp::create(b);
  }
  int64_t words = threads * getElementBytes() / kWordBytes;
  return emitLoop(words * kRowRuns / threads, 1,
                  [&](Value step) { return emitColumns(step); });
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
  int64_t tileBytes = kTileRows * getRowBytes();
  if (tileBytes > kernel.getChip().sharedBytes)
    return ops.turned.emitError("expected threads whose tile fits into ")
           << kernel.getChip().sharedBytes
           << " bytes of shared memory, but got " << threads << " threads and "
           << tileBytes << " bytes";
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
