//===- Epilogue.cpp - From accumulators to results ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Staging: f32 [warps along K][tileM][pitch], pitch = tileN and a few words, so
// that the lanes of a store meet in no bank. With g = lane / 4, t = lane mod 4:
//
//   a pair along n at (row g, columns 2t, 2t + 1):    pitch = 8 mod 32
//   swapped, single words at (row 2t, column g):      pitch = 4 mod 32
//
// Neighbouring threads take neighbouring runs of a row, then the next rows.
//
//===----------------------------------------------------------------------===//

#include "Epilogue.h"

#include "../ElementEvaluator.h"
#include "Arithmetic.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nvfp4;

/// Bytes of the longest load or store.
static constexpr int64_t kVectorBytes = 16;

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

int64_t Epilogue::getPitch() const {
  return llvm::alignTo(config.tileN, 32) + (config.swapped ? 4 : 8);
}

int64_t Epilogue::getStagingBytes() const {
  return config.warpsK * config.tileM * getPitch() * 4;
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
                  int64_t pitch, const MatmulExtents &extents,
                  const MatmulTile &tile, ProductFinish &finish, Value shared)
      : b(kernel.getBuilder()), a(b), cta(cta), config(cta.config), maps(maps),
        product(product), run(run), pitch(pitch), extents(extents), tile(tile),
        finish(finish), shared(shared), evaluator(kernel) {}

  void stage(MmaAtom &atom, ValueRange accumulators);
  LogicalResult emitResults();

private:
  LogicalResult emitColumns(Value column, Value firstRow, int64_t rowStep,
                            Value numRows);
  LogicalResult emitRun(Value row, Value column, Value m, Value n);
  SmallVector<Value> loadSums(Value row, Value column);
  SmallVector<Value> loadSlab(Value address);
  LogicalResult emitResult(const ResultMap &result, ValueRange coordinates,
                           ValueRange symbols);
  Value emitIndex(AffineExpr expr, ValueRange dims, ValueRange symbols);

  ImplicitLocOpBuilder &b;
  Arithmetic a;
  const CtaContext &cta;
  const MatmulConfig &config;
  const ResultMaps &maps;
  Value product;
  int64_t run, pitch;
  const MatmulExtents &extents;
  const MatmulTile &tile;
  ProductFinish &finish;
  Value shared;
  ElementEvaluator evaluator;
};
} // namespace

void EpilogueEmitter::stage(MmaAtom &atom, ValueRange accumulators) {
  Value slab = a.mul(cta.warpK, config.tileM * pitch);
  Value row, base;
  atom.drain(cta, accumulators, [&](const AccumulatorChunk &chunk) {
    auto [m, n] = config.swapped ? std::pair(chunk.column, chunk.row)
                                 : std::pair(chunk.row, chunk.column);
    if (row != chunk.row) {
      row = chunk.row;
      base = a.offset(shared, a.mul(a.add(a.add(slab, a.mul(m, pitch)), n), 4));
    }
    if (!config.swapped) {
      auto type = VectorType::get(chunk.values.size(), b.getF32Type());
      Value vector = vector::FromElementsOp::create(b, type, chunk.values);
      int64_t offset = chunk.rowOffset * pitch + chunk.columnOffset;
      LLVM::StoreOp::create(b, vector, a.offset(base, 4 * offset),
                            /*alignment=*/8);
      return;
    }
    for (auto [i, value] : llvm::enumerate(chunk.values)) {
      int64_t offset = (chunk.columnOffset + i) * pitch + chunk.rowOffset;
      LLVM::StoreOp::create(b, value, a.offset(base, 4 * offset),
                            /*alignment=*/4);
    }
  });
  NVVM::BarrierOp::create(b);
}

LogicalResult EpilogueEmitter::emitResults() {
  finish.begin(b, tile);
  // Rows of the tile that exist.
  Value numRows = a.toI32(a.min(a.sub(extents.m, tile.m), config.tileM));
  int64_t runs = config.tileN / run, threads = config.threads;
  if (runs <= threads) {
    Value row = a.div(cta.thread, runs);
    if (threads % runs != 0)
      numRows = a.select(a.less(row, threads / runs), numRows, a.i32(0));
    return emitColumns(a.mul(a.rem(cta.thread, runs), run), row, threads / runs,
                       numRows);
  }
  auto loop = scf::ForOp::create(b, cta.thread, a.i32(runs), a.i32(threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  return emitColumns(a.mul(loop.getInductionVar(), run), a.i32(0), 1, numRows);
}

/// All rows of a thread, at its columns.
LogicalResult EpilogueEmitter::emitColumns(Value column, Value firstRow,
                                           int64_t rowStep, Value numRows) {
  OpBuilder::InsertionGuard guard(b);
  Value n = a.add(tile.n, a.toIndex(column));
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
  Value m = a.add(tile.m, a.toIndex(row));
  return emitRun(row, column, m, n);
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
  for (int64_t slab = 1; slab < config.warpsK; ++slab)
    for (auto [sum, part] : llvm::zip_equal(
             sums,
             loadSlab(a.offset(address, slab * config.tileM * pitch * 4))))
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
  SmallVector<Value> symbols;
  for (auto [tensor, dim] : maps.extents) {
    FailureOr<Value> extent = evaluator.getExtent(tensor, dim);
    if (failed(extent))
      return failure();
    symbols.push_back(*extent);
  }
  for (const ResultMap &result : maps.results)
    if (failed(emitResult(result, coordinates, symbols)))
      return failure();
  evaluator.unbind(product);
  return success();
}

LogicalResult EpilogueEmitter::emitResult(const ResultMap &result,
                                          ValueRange coordinates,
                                          ValueRange symbols) {
  SmallVector<Value> index;
  for (AffineExpr expr : result.index)
    index.push_back(emitIndex(expr, coordinates, symbols));
  FailureOr<SmallVector<Value>> values =
      evaluator.getRun(result.value, index, run);
  if (failed(values))
    return failure();
  evaluator.storeRun(result.init, index, *values);
  return success();
}

Value EpilogueEmitter::emitIndex(AffineExpr expr, ValueRange dims,
                                 ValueRange symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return evaluator.constant(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = emitIndex(binary.getLHS(), dims, symbols);
  Value rhs = emitIndex(binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return evaluator.add(lhs, rhs);
  case AffineExprKind::Mul:
    return evaluator.mul(lhs, rhs);
  case AffineExprKind::FloorDiv:
    return evaluator.div(lhs, rhs);
  default:
    return evaluator.rem(lhs, rhs);
  }
}

LogicalResult Epilogue::emit(KernelBuilder &kernel, const CtaContext &cta,
                             MmaAtom &atom, ValueRange accumulators,
                             const MatmulExtents &extents,
                             const MatmulTile &tile, ProductFinish &finish,
                             Value shared) {
  EpilogueEmitter emitter(kernel, cta, maps, product, run, getPitch(), extents,
                          tile, finish, shared);
  emitter.stage(atom, accumulators);
  return emitter.emitResults();
}
