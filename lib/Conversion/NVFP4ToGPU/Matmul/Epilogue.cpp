//===- Epilogue.cpp - From accumulators to results ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Staging: f32 [warps along K][M][pitch], with the pitch of SharedMemory.h.
//
// Neighbouring threads take neighbouring runs of a row, then the next rows.
// Blocks of 16 are runs that half of the banks hold: four threads take one row,
// a sector of codes, and the next four the row behind it, in other banks.
//
//===----------------------------------------------------------------------===//

#include "Epilogue.h"

#include "../ElementEvaluator.h"
#include "Arithmetic.h"
#include "HopperPTX.h"

#include "nvfp4/Support/SharedMemory.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/MathExtras.h"

#include <list>

using namespace mlir;
using namespace nvfp4;

/// Bytes of the longest load or store.
static constexpr int64_t kVectorBytes = 16;
/// Elements of long runs, of which so many are taken by neighbouring threads
/// before those of the next row.
static constexpr int64_t kLongRun = 16, kNeighbours = 4;

/// Columns of a block.
static int64_t getBlock(QuantizationMap map) {
  return map.op.getBlockType().getFormat().getBlockColumns();
}

Epilogue::Epilogue(const MatmulConfig &config, Value product, ResultMaps maps)
    : config(config), product(product), maps(std::move(maps)) {}

FailureOr<Epilogue> Epilogue::get(func::FuncOp body, Value product,
                                  const MatmulConfig &config) {
  FailureOr<ResultMaps> maps = ResultMaps::get(body, product);
  if (failed(maps))
    return failure();
  Epilogue epilogue(config, product, *maps);
  if (epilogue.maps.quantizations.empty())
    epilogue.chooseRun();
  else if (failed(epilogue.chooseBlocks()))
    return failure();
  return epilogue;
}

void Epilogue::chooseRun() {
  int64_t columns = cast<ShapedType>(product.getType()).getShape().back();
  // A vector of the widest result, at most two of the staging memory.
  int64_t widest = 2;
  for (const ResultMap &result : maps.results)
    widest = std::max<int64_t>(
        widest,
        llvm::divideCeil(
            getElementTypeOrSelf(result.value).getIntOrFloatBitWidth(), 8));
  if (ShapedType::isStatic(columns))
    for (int64_t length = kVectorBytes / widest; length > 1; length /= 2)
      if (columns % length == 0 && config.tileN % length == 0 &&
          maps.keepsRuns(length)) {
        run = length;
        break;
      }
  parts.assign(maps.results.size(), run);
}

LogicalResult Epilogue::chooseBlocks() {
  int64_t columns = cast<ShapedType>(product.getType()).getShape().back();
  for (QuantizationMap map : maps.quantizations) {
    int64_t block = getBlock(map);
    BlockTensorType type = map.op.getBlockType();
    if (type.getFormat().getBlockRows() != 1 ||
        type.getLayout() == BlockLayout::Registers ||
        ShapedType::isDynamic(columns) || columns % block != 0 ||
        getSliceN() % block != 0 || !ResultMaps::keepsRuns(map.index, block))
      return map.op.emitError("expected blocks that are part of a row of the "
                              "matmul and of a tile with ")
             << getSliceN() << " columns, but got " << map.op.getAs();
    run = std::max(run, block);
  }
  for (const ResultMap &result : maps.results) {
    int64_t part = run;
    while (part > 1 && !ResultMaps::keepsRuns(result.index, part))
      part /= 2;
    parts.push_back(part);
  }
  return success();
}

int64_t Epilogue::getSliceColumns() const {
  int64_t columns = config.getExtent(UnitSide::Columns);
  return config.hasCopiers() ? std::min(columns, kSliceColumns) : columns;
}

int64_t Epilogue::getSliceM() const {
  return config.swapped ? getSliceColumns() : config.tileM;
}

int64_t Epilogue::getSliceN() const {
  return config.swapped ? config.tileN : getSliceColumns();
}

int64_t Epilogue::getPitch() const {
  // Threads of tensor memory have a row each.
  return getSumsPitch(getSliceN(),
                      /*isInPairs=*/!config.swapped && !config.hasIssuer());
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// What the loops of one epilogue share.
class Epilogue::Emitter {
public:
  Emitter(const Epilogue &plan, const EpilogueTile &target, int64_t slabs)
      : plan(plan), target(target), b(target.kernel.getBuilder()), a(b),
        config(plan.config), pitch(plan.getPitch()), sliceM(plan.getSliceM()),
        sliceN(plan.getSliceN()), slabs(slabs), evaluator(target.kernel) {}

  /// What all slices of the tile share.
  LogicalResult begin();
  /// Of the slice that starts at `first` (i32) of the unit's columns.
  void stage(AccumulatorSource &source, ValueRange accumulators, Value first);
  LogicalResult emitResults(Value first);
  /// Of all threads that multiply.
  void synchronize();

private:
  std::pair<Value, Value> placeThread(int64_t runs);
  LogicalResult emitColumns(Value column, Value firstRow, int64_t rowStep,
                            Value numRows, Value m, Value n);
  LogicalResult emitRun(Value row, Value column, Value m, Value n);
  SmallVector<Value> loadSums(Value row, Value column);
  SmallVector<Value> loadSlab(Value address);
  LogicalResult emitResult(const ResultMap &result, ValueRange coordinates,
                           int64_t count);
  struct Quantization;
  LogicalResult emitQuantized(Quantization &quantization,
                              ValueRange coordinates);

  const Epilogue &plan;
  const EpilogueTile &target;
  ImplicitLocOpBuilder &b;
  Arithmetic a;
  const MatmulConfig &config;
  int64_t pitch, sliceM, sliceN;
  /// Parts of the sums in shared memory.
  int64_t slabs;
  ElementEvaluator evaluator;
  struct Quantization {
    const QuantizationMap &map;
    QuantizeEmitter emitter;
    /// Of the tensor, if all rows have the same.
    EmittedFactors factors;
  };
  std::list<Quantization> quantizations;
};

LogicalResult Epilogue::Emitter::begin() {
  target.finish.begin(b, target.tile);
  for (const QuantizationMap &map : plan.maps.quantizations) {
    Quantization &quantization = quantizations.emplace_back(
        Quantization{map, {target.kernel, evaluator, map.op, map.targets}, {}});
    if (!quantization.emitter.hasOneGlobalScale())
      continue;
    FailureOr<EmittedFactors> factors =
        quantization.emitter.getFactors(/*index=*/{});
    if (failed(factors))
      return failure();
    quantization.factors = *factors;
  }
  return success();
}

void Epilogue::Emitter::synchronize() {
  if (config.hasCopiers())
    HopperPTX(b).syncThreads(kWorkersBarrier, config.getWorkers());
  else
    NVVM::BarrierOp::create(b);
}

void Epilogue::Emitter::stage(AccumulatorSource &source,
                              ValueRange accumulators, Value first) {
  Value slab = a.mul(target.cta.warpK, sliceM * pitch);
  int64_t numColumns = config.swapped ? sliceM : sliceN;
  Value row, base;
  auto store = [&](const AccumulatorChunk &chunk) {
    auto [m, n] = config.swapped ? std::pair(chunk.column, chunk.row)
                                 : std::pair(chunk.row, chunk.column);
    if (row != chunk.row) {
      row = chunk.row;
      base = a.offset(target.staging,
                      a.mul(a.add(a.add(slab, a.mul(m, pitch)), n), 4));
    }
    int64_t count = chunk.values.size();
    if (!config.swapped) {
      auto type = VectorType::get(count, b.getF32Type());
      Value vector = vector::FromElementsOp::create(b, type, chunk.values);
      int64_t offset = chunk.rowOffset * pitch + chunk.columnOffset;
      LLVM::StoreOp::create(b, vector, a.offset(base, 4 * offset),
                            /*alignment=*/4 * count);
      return;
    }
    for (auto [i, value] : llvm::enumerate(chunk.values)) {
      int64_t offset = (chunk.columnOffset + i) * pitch + chunk.rowOffset;
      LLVM::StoreOp::create(b, value, a.offset(base, 4 * offset),
                            /*alignment=*/4);
    }
  };
  source.drainColumns(target.cta, accumulators, first, numColumns, store);
  synchronize();
}

/// Row and run of the thread, if a row has `runs`.
std::pair<Value, Value> Epilogue::Emitter::placeThread(int64_t runs) {
  bool isInPairs = plan.run >= kLongRun && runs > kNeighbours &&
                   runs % kNeighbours == 0 &&
                   config.getWorkers() % (2 * runs) == 0;
  if (!isInPairs)
    return {a.div(target.cta.thread, runs), a.rem(target.cta.thread, runs)};
  int64_t groups = runs / kNeighbours;
  Value pair = a.div(target.cta.thread, 2 * kNeighbours);
  Value row = a.add(a.mul(a.div(pair, groups), 2),
                    a.rem(a.div(target.cta.thread, kNeighbours), 2));
  Value position = a.add(a.mul(a.rem(pair, groups), kNeighbours),
                         a.rem(target.cta.thread, kNeighbours));
  return {row, position};
}

LogicalResult Epilogue::Emitter::emitResults(Value first) {
  Value m = target.tile.m, n = target.tile.n;
  (config.swapped ? m : n) = a.add(config.swapped ? m : n, a.toIndex(first));
  // Rows of the slice that exist. A tile begins behind the last row at most;
  // its slices may begin further on.
  Value left = a.sub(target.extents.m, m);
  if (sliceM != config.tileM)
    left = a.select(a.less(m, target.extents.m), left, a.index(0));
  Value numRows = a.toI32(a.min(left, sliceM));
  int64_t runs = sliceN / plan.run, threads = config.getWorkers();
  if (runs <= threads) {
    auto [row, position] = placeThread(runs);
    if (threads % runs != 0)
      numRows = a.select(a.less(row, threads / runs), numRows, a.i32(0));
    return emitColumns(a.mul(position, plan.run), row, threads / runs, numRows,
                       m, n);
  }
  auto loop =
      scf::ForOp::create(b, target.cta.thread, a.i32(runs), a.i32(threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  return emitColumns(a.mul(loop.getInductionVar(), plan.run), a.i32(0), 1,
                     numRows, m, n);
}

/// All rows of a thread, at its columns. The slice starts at (m, n).
LogicalResult Epilogue::Emitter::emitColumns(Value column, Value firstRow,
                                             int64_t rowStep, Value numRows,
                                             Value m, Value n) {
  OpBuilder::InsertionGuard guard(b);
  n = a.add(n, a.toIndex(column));
  auto columns = dyn_cast<AffineConstantExpr>(target.extents.nExpr);
  if (!columns || columns.getValue() % config.tileN != 0) {
    auto branch = scf::IfOp::create(b, a.less(n, target.extents.n),
                                    /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
  }
  auto loop = scf::ForOp::create(b, firstRow, numRows, a.i32(rowStep));
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  Value row = loop.getInductionVar();
  return emitRun(row, column, a.add(m, a.toIndex(row)), n);
}

/// A run of f32 from staging memory.
SmallVector<Value> Epilogue::Emitter::loadSlab(Value address) {
  SmallVector<Value> values;
  int64_t length = std::min<int64_t>(plan.run, kVectorBytes / 4);
  auto type = VectorType::get(length, b.getF32Type());
  for (int64_t i = 0; i < plan.run; i += length) {
    Value vector = LLVM::LoadOp::create(b, type, a.offset(address, 4 * i),
                                        /*alignment=*/4 * length);
    for (int64_t j = 0; j < length; ++j)
      values.push_back(
          vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{j}));
  }
  return values;
}

/// Warps along K add up in the order of K.
SmallVector<Value> Epilogue::Emitter::loadSums(Value row, Value column) {
  Value address =
      a.offset(target.staging, a.mul(a.add(a.mul(row, pitch), column), 4));
  SmallVector<Value> sums = loadSlab(address);
  for (int64_t slab = 1; slab < slabs; ++slab)
    for (auto [sum, part] : llvm::zip_equal(
             sums, loadSlab(a.offset(address, slab * sliceM * pitch * 4))))
      sum = arith::AddFOp::create(b, sum, part);
  return sums;
}

LogicalResult Epilogue::Emitter::emitRun(Value row, Value column, Value m,
                                         Value n) {
  target.finish.beginRow(b, m);
  SmallVector<Value> values = loadSums(row, column);
  for (auto [i, value] : llvm::enumerate(values))
    value = target.finish.finish(b, value, a.add(n, i));

  // All results are asked for at these elements, in parts of the run. A body
  // that takes them one by one names their columns: n + i.
  int64_t first = 0, count = plan.run;
  evaluator.bind(plan.product,
                 [&](OpBuilder &, ValueRange index,
                     int64_t asked) -> FailureOr<SmallVector<Value>> {
                   if (asked == count)
                     return SmallVector<Value>(
                         ArrayRef(values).slice(first, count));
                   plan.product.getDefiningOp()->emitError(
                       "expected a body that reads runs of ")
                       << count << " elements of the matmul, but got " << asked;
                   return failure();
                 });
  auto forEachPart = [&](int64_t length,
                         function_ref<LogicalResult(ValueRange)> emitPart) {
    SmallVector<Value> coordinates(target.tile.batch);
    llvm::append_values(coordinates, m, n);
    count = length;
    for (first = 0; first < plan.run; first += count) {
      coordinates.back() = evaluator.add(n, evaluator.constant(first));
      evaluator.assumeMultiple(coordinates.back(), count);
      if (failed(emitPart(coordinates)))
        return failure();
    }
    return success();
  };
  for (size_t i = 0; i < plan.parts.size(); ++i)
    if (failed(forEachPart(plan.parts[i], [&](ValueRange coordinates) {
          return emitResult(plan.maps.results[i], coordinates, plan.parts[i]);
        })))
      return failure();
  for (Quantization &quantization : quantizations)
    if (failed(forEachPart(getBlock(quantization.map),
                           [&](ValueRange coordinates) {
                             return emitQuantized(quantization, coordinates);
                           })))
      return failure();
  evaluator.unbind(plan.product);
  return success();
}

LogicalResult Epilogue::Emitter::emitResult(const ResultMap &result,
                                            ValueRange coordinates,
                                            int64_t count) {
  FailureOr<SmallVector<Value>> index =
      plan.maps.emitIndex(evaluator, result.index, coordinates);
  if (failed(index))
    return failure();
  FailureOr<SmallVector<Value>> values =
      evaluator.getRun(result.value, *index, count);
  if (failed(values))
    return failure();
  evaluator.storeRun(result.init, *index, *values);
  return success();
}

/// One block.
LogicalResult Epilogue::Emitter::emitQuantized(Quantization &quantization,
                                               ValueRange coordinates) {
  QuantizationMap map = quantization.map;
  QuantizeEmitter &emitter = quantization.emitter;
  FailureOr<SmallVector<Value>> index =
      plan.maps.emitIndex(evaluator, map.index, coordinates);
  if (failed(index))
    return failure();
  int64_t block = getBlock(map);
  evaluator.assumeMultiple(index->back(), block);
  FailureOr<SmallVector<Value>> values =
      evaluator.getRun(map.op.getSource(), *index, block);
  if (failed(values))
    return failure();
  FailureOr<EmittedFactors> factors = quantization.factors;
  if (!emitter.hasOneGlobalScale())
    factors = emitter.getFactors(ArrayRef(*index).drop_back());
  if (failed(factors))
    return failure();
  return emitter.emitBlock(*index, getElements(b, *values), *factors);
}

LogicalResult Epilogue::emit(const EpilogueTile &tile,
                             AccumulatorSource &source,
                             ValueRange accumulators) {
  Emitter emitter(*this, tile, config.warpsK);
  if (failed(emitter.begin()))
    return failure();
  int64_t columns = config.getExtent(UnitSide::Columns);
  for (int64_t first = 0; first < columns; first += getSliceColumns()) {
    // The slice before, perhaps of another tile, has been read.
    if (config.hasCopiers())
      emitter.synchronize();
    Value start = Arithmetic(tile.kernel.getBuilder()).i32(first);
    emitter.stage(source, accumulators, start);
    if (failed(emitter.emitResults(start)))
      return failure();
  }
  return success();
}

LogicalResult Epilogue::emitSlices(const EpilogueTile &tile,
                                   AccumulatorSource &source,
                                   ValueRange accumulators, Value isReversed,
                                   function_ref<void(Value)> drained) {
  Emitter emitter(*this, tile, config.warpsK);
  ImplicitLocOpBuilder &b = tile.kernel.getBuilder();
  Arithmetic a(b);
  if (failed(emitter.begin()))
    return failure();
  int64_t count = getNumSlices();
  auto loop = scf::ForOp::create(b, a.i32(0), a.i32(count), a.i32(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value slice = loop.getInductionVar();
  Value place = a.select(isReversed, a.sub(a.i32(count - 1), slice), slice);
  emitter.synchronize();
  Value first = a.mul(place, getSliceColumns());
  emitter.stage(source, accumulators, first);
  drained(slice);
  return emitter.emitResults(first);
}

LogicalResult Epilogue::emitStaged(const EpilogueTile &tile, int64_t slabs) {
  Emitter emitter(*this, tile, slabs);
  if (failed(emitter.begin()))
    return failure();
  return emitter.emitResults(Arithmetic(tile.kernel.getBuilder()).i32(0));
}
