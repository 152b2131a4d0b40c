//===- Epilogue.cpp - From accumulators to results ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Staging: f32 [warps along K][M][pitch], pitch = N and a few words, so
// that the lanes of a store meet in no bank. With g = lane / 4, t = lane mod 4:
//
//   a pair along n at (row g, columns 2t, 2t + 1):    pitch = 8 mod 32
//   swapped, single words at (row 2t, column g):      pitch = 4 mod 32
//   four along n at (row lane, columns 0 … 3):        pitch = 4 mod 32
//
// Neighbouring threads take neighbouring runs of a row, then the next rows.
//
//===----------------------------------------------------------------------===//

#include "Epilogue.h"

#include "../ElementEvaluator.h"
#include "Arithmetic.h"
#include "HopperPTX.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nvfp4;

/// Bytes of the longest load or store.
static constexpr int64_t kVectorBytes = 16;
/// Of a slice, beside stages: 128 x 64 sums are 36 KiB.
static constexpr int64_t kSliceColumns = 64;
/// The barrier of the threads that multiply, where others copy.
static constexpr int64_t kWorkersBarrier = 1;

Epilogue::Epilogue(const MatmulConfig &config, Value product, ResultMaps maps)
    : config(config), product(product), maps(std::move(maps)) {}

FailureOr<Epilogue> Epilogue::get(func::FuncOp body, Value product,
                                  const MatmulConfig &config) {
  FailureOr<ResultMaps> maps = ResultMaps::get(body, product);
  if (failed(maps))
    return failure();
  Epilogue epilogue(config, product, *maps);
  int64_t columns = cast<ShapedType>(product.getType()).getShape().back();
  if (ShapedType::isDynamic(columns))
    return epilogue;
  // A vector of the widest result, at most two of the staging memory.
  int64_t widest = 2;
  for (const ResultMap &result : epilogue.maps.results)
    widest = std::max<int64_t>(
        widest,
        llvm::divideCeil(
            getElementTypeOrSelf(result.value).getIntOrFloatBitWidth(), 8));
  for (int64_t run = kVectorBytes / widest; run > 1; run /= 2)
    if (columns % run == 0 && config.tileN % run == 0 &&
        epilogue.maps.keepsRuns(run)) {
      epilogue.run = run;
      break;
    }
  return epilogue;
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
  int64_t columns = getSliceN();
  // Threads of tensor memory have a row each.
  bool isInPairs = !config.swapped && !config.hasIssuer();
  return llvm::alignTo(columns, std::min<int64_t>(columns, 32)) +
         (isInPairs ? 8 : 4);
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

namespace {
/// What the loops of one epilogue share.
class EpilogueEmitter {
public:
  EpilogueEmitter(KernelBuilder &kernel, const CtaContext &cta,
                  const ResultMaps &maps, Value product, int64_t run,
                  int64_t pitch, int64_t sliceM, int64_t sliceN, int64_t slabs,
                  const MatmulExtents &extents, const MatmulTile &tile,
                  ProductFinish &finish, Value shared)
      : b(kernel.getBuilder()), a(b), cta(cta), config(cta.config), maps(maps),
        product(product), run(run), pitch(pitch), sliceM(sliceM),
        sliceN(sliceN), slabs(slabs), extents(extents), tile(tile),
        finish(finish), shared(shared), evaluator(kernel) {}

  /// Of the slice that starts at `first` (i32) of the unit's columns.
  void stage(AccumulatorSource &source, ValueRange accumulators, Value first);
  LogicalResult emitResults(Value first);
  /// Of all threads that multiply.
  void synchronize();

private:
  LogicalResult emitColumns(Value column, Value firstRow, int64_t rowStep,
                            Value numRows, Value m, Value n);
  LogicalResult emitRun(Value row, Value column, Value m, Value n);
  SmallVector<Value> loadSums(Value row, Value column);
  SmallVector<Value> loadSlab(Value address);
  LogicalResult emitResult(const ResultMap &result, ValueRange coordinates);

  ImplicitLocOpBuilder &b;
  Arithmetic a;
  const CtaContext &cta;
  const MatmulConfig &config;
  const ResultMaps &maps;
  Value product;
  int64_t run, pitch, sliceM, sliceN;
  /// Parts of the sums in shared memory.
  int64_t slabs;
  const MatmulExtents &extents;
  const MatmulTile &tile;
  ProductFinish &finish;
  Value shared;
  ElementEvaluator evaluator;
};
} // namespace

void EpilogueEmitter::synchronize() {
  if (config.hasCopiers())
    HopperPTX(b).syncThreads(kWorkersBarrier, config.getWorkers());
  else
    NVVM::BarrierOp::create(b);
}

void EpilogueEmitter::stage(AccumulatorSource &source, ValueRange accumulators,
                            Value first) {
  Value slab = a.mul(cta.warpK, sliceM * pitch);
  int64_t numColumns = config.swapped ? sliceM : sliceN;
  Value row, base;
  auto store = [&](const AccumulatorChunk &chunk) {
    auto [m, n] = config.swapped ? std::pair(chunk.column, chunk.row)
                                 : std::pair(chunk.row, chunk.column);
    if (row != chunk.row) {
      row = chunk.row;
      base = a.offset(shared, a.mul(a.add(a.add(slab, a.mul(m, pitch)), n), 4));
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
  source.drainColumns(cta, accumulators, first, numColumns, store);
  synchronize();
}

LogicalResult EpilogueEmitter::emitResults(Value first) {
  Value m = tile.m, n = tile.n;
  (config.swapped ? m : n) = a.add(config.swapped ? m : n, a.toIndex(first));
  // Rows of the slice that exist; of a tile there is one at least.
  Value left = a.sub(extents.m, m);
  if (sliceM != config.tileM)
    left = a.select(a.less(m, extents.m), left, a.index(0));
  Value numRows = a.toI32(a.min(left, sliceM));
  int64_t runs = sliceN / run, threads = config.getWorkers();
  if (runs <= threads) {
    Value row = a.div(cta.thread, runs);
    if (threads % runs != 0)
      numRows = a.select(a.less(row, threads / runs), numRows, a.i32(0));
    return emitColumns(a.mul(a.rem(cta.thread, runs), run), row, threads / runs,
                       numRows, m, n);
  }
  auto loop = scf::ForOp::create(b, cta.thread, a.i32(runs), a.i32(threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  return emitColumns(a.mul(loop.getInductionVar(), run), a.i32(0), 1, numRows,
                     m, n);
}

/// All rows of a thread, at its columns. The slice starts at (m, n).
LogicalResult EpilogueEmitter::emitColumns(Value column, Value firstRow,
                                           int64_t rowStep, Value numRows,
                                           Value m, Value n) {
  OpBuilder::InsertionGuard guard(b);
  n = a.add(n, a.toIndex(column));
  auto columns = dyn_cast<AffineConstantExpr>(extents.nExpr);
  if (!columns || columns.getValue() % config.tileN != 0) {
    auto branch = scf::IfOp::create(b, a.less(n, extents.n),
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
SmallVector<Value> EpilogueEmitter::loadSlab(Value address) {
  SmallVector<Value> values;
  int64_t length = std::min<int64_t>(run, kVectorBytes / 4);
  auto type = VectorType::get(length, b.getF32Type());
  for (int64_t i = 0; i < run; i += length) {
    Value vector = LLVM::LoadOp::create(b, type, a.offset(address, 4 * i),
                                        /*alignment=*/4 * length);
    for (int64_t j = 0; j < length; ++j)
      values.push_back(
          vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{j}));
  }
  return values;
}

/// Warps along K add up in the order of K.
SmallVector<Value> EpilogueEmitter::loadSums(Value row, Value column) {
  Value address = a.offset(shared, a.mul(a.add(a.mul(row, pitch), column), 4));
  SmallVector<Value> sums = loadSlab(address);
  for (int64_t slab = 1; slab < slabs; ++slab)
    for (auto [sum, part] : llvm::zip_equal(
             sums, loadSlab(a.offset(address, slab * sliceM * pitch * 4))))
      sum = arith::AddFOp::create(b, sum, part);
  return sums;
}

LogicalResult EpilogueEmitter::emitRun(Value row, Value column, Value m,
                                       Value n) {
  finish.beginRow(b, m);
  SmallVector<Value> values = loadSums(row, column);
  for (auto [i, value] : llvm::enumerate(values))
    value = finish.finish(b, value, a.add(n, i));

  SmallVector<Value> coordinates(tile.batch);
  llvm::append_values(coordinates, m, n);
  evaluator.assumeMultiple(n, run);
  // All results are asked for at these elements. A body that takes them one by
  // one names their columns: n + i.
  evaluator.bind(product,
                 [&](OpBuilder &, ValueRange index,
                     int64_t count) -> FailureOr<SmallVector<Value>> {
                   if (count == run)
                     return values;
                   product.getDefiningOp()->emitError(
                       "expected a body that reads runs of ")
                       << run << " elements of the matmul, but got " << count;
                   return failure();
                 });
  for (const ResultMap &result : maps.results)
    if (failed(emitResult(result, coordinates)))
      return failure();
  evaluator.unbind(product);
  return success();
}

LogicalResult EpilogueEmitter::emitResult(const ResultMap &result,
                                          ValueRange coordinates) {
  FailureOr<SmallVector<Value>> index =
      maps.emitIndex(evaluator, result, coordinates);
  if (failed(index))
    return failure();
  FailureOr<SmallVector<Value>> values =
      evaluator.getRun(result.value, *index, run);
  if (failed(values))
    return failure();
  evaluator.storeRun(result.init, *index, *values);
  return success();
}

LogicalResult Epilogue::emit(KernelBuilder &kernel, const CtaContext &cta,
                             AccumulatorSource &source, ValueRange accumulators,
                             const MatmulExtents &extents,
                             const MatmulTile &tile, ProductFinish &finish,
                             Value shared) {
  EpilogueEmitter emitter(kernel, cta, maps, product, run, getPitch(),
                          getSliceM(), getSliceN(), config.warpsK, extents,
                          tile, finish, shared);
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  finish.begin(b, tile);
  int64_t columns = config.getExtent(UnitSide::Columns);
  for (int64_t first = 0; first < columns; first += getSliceColumns()) {
    // The slice before, perhaps of another tile, has been read.
    if (config.hasCopiers())
      emitter.synchronize();
    Value start = Arithmetic(b).i32(first);
    emitter.stage(source, accumulators, start);
    if (failed(emitter.emitResults(start)))
      return failure();
  }
  return success();
}

LogicalResult
Epilogue::emitSlices(KernelBuilder &kernel, const CtaContext &cta,
                     AccumulatorSource &source, ValueRange accumulators,
                     const MatmulExtents &extents, const MatmulTile &tile,
                     ProductFinish &finish, Value shared, Value isReversed,
                     function_ref<void(Value)> drained) {
  EpilogueEmitter emitter(kernel, cta, maps, product, run, getPitch(),
                          getSliceM(), getSliceN(), config.warpsK, extents,
                          tile, finish, shared);
  ImplicitLocOpBuilder &b = kernel.getBuilder();
  Arithmetic a(b);
  finish.begin(b, tile);
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

LogicalResult Epilogue::emitStaged(KernelBuilder &kernel, const CtaContext &cta,
                                   const MatmulExtents &extents,
                                   const MatmulTile &tile,
                                   ProductFinish &finish, Value shared,
                                   int64_t slabs) {
  finish.begin(kernel.getBuilder(), tile);
  return EpilogueEmitter(kernel, cta, maps, product, run, getPitch(),
                         config.tileM, config.tileN, slabs, extents, tile,
                         finish, shared)
      .emitResults(Arithmetic(kernel.getBuilder()).i32(0));
}
