//===- ContractionsToLoops.cpp - Products of matrices as loops ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowers contractions on buffers, whatever the order of their dimensions, to
// one loop nest around a small kernel:
//
//   for batch…, outer n…
//     for n in steps of 16
//       panel[k][0..16) = B[…], zero beyond the last column
//       for outer m…
//         for m in steps of 4
//           acc[0..4) = C[m..m+4)[n..n+16)     four vectors of 16
//           for k…
//             acc[r] = fma(A[m + r][k], panel[k], acc[r])
//           C = acc
//         the same for the remaining rows, one at a time
//
// Each element of C is one chain of fused multiply-adds in f32, in the order of
// k, that starts with what C held. So a row of the result depends neither on
// the number of rows nor on its place among them.
//
// Expects: linalg on buffers. Leaves alone what is not such a contraction.
//
//===----------------------------------------------------------------------===//

#include "MatchContraction.h"

#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nvfp4 {
#define GEN_PASS_DEF_CONTRACTIONSTOLOOPSPASS
#include "nvfp4/Dialect/NVFP4/Transforms/Passes.h.inc"
} // namespace nvfp4

using namespace mlir;
using namespace nvfp4;

/// Columns of a panel: two registers of AVX, one of AVX-512, four of NEON.
static constexpr int64_t kColumns = 16;
/// Rows of a tile: with 16 columns, 8 accumulators of AVX, which is what two
/// multiply-add units of latency 4 need.
static constexpr int64_t kRows = 4;

namespace {
/// Writes the loop nest of one contraction.
class ContractionEmitter {
public:
  ContractionEmitter(ImplicitLocOpBuilder &builder, linalg::LinalgOp op,
                     Contraction contraction)
      : b(builder), c(std::move(contraction)), ivs(op.getNumLoops()) {
    SmallVector<Range> ranges = op.createLoopRanges(b, b.getLoc());
    for (Range &range : ranges)
      extents.push_back(
          getValueOrCreateConstantIndexOp(b, b.getLoc(), range.size));
    f32 = b.getF32Type();
    row = VectorType::get({kColumns}, f32);
    zero = index(0);
    one = index(1);
  }

  void emit();

private:
  using BodyFn = function_ref<void()>;

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  void emitLoop(Value begin, Value end, Value step,
                function_ref<void(Value)> body);
  void emitLoops(ArrayRef<unsigned> dims, BodyFn body);
  SmallVector<Value> getIndices(AffineMap map);
  Value loadElement(Value memref, AffineMap map);
  void storeElement(Value value, Value memref, AffineMap map);

  void allocateBuffers();
  void emitPanel(Value column, Value width, Value isFull);
  void emitPanelCopy(Value column, Value width);
  void emitRows(Value column, Value width, Value isFull);
  void emitTile(Value firstRow, int64_t rows, Value column, Value width,
                Value isFull);
  Value emitReadRow(int64_t r, Value column, Value width, Value isFull);
  void emitWriteRow(Value value, int64_t r, Value column, Value width,
                    Value isFull);
  SmallVector<Value> emitProducts(unsigned depth, Value position,
                                  Value firstRow, ValueRange accumulators);
  bool hasContiguousRows() const;

  ImplicitLocOpBuilder &b;
  Contraction c;
  /// Extent and current index of each dimension of the op.
  SmallVector<Value> extents, ivs;
  Type f32;
  VectorType row;
  Value zero, one;
  /// f32 [product of k][16], and one row for what is not contiguous in C.
  Value panel, scratch;
};
} // namespace

void ContractionEmitter::emitLoop(Value begin, Value end, Value step,
                                  function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, begin, end, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

/// One loop per dimension of `dims`, the last one innermost.
void ContractionEmitter::emitLoops(ArrayRef<unsigned> dims, BodyFn body) {
  if (dims.empty())
    return body();
  emitLoop(zero, extents[dims.front()], one, [&](Value iv) {
    ivs[dims.front()] = iv;
    emitLoops(dims.drop_front(), body);
  });
}

SmallVector<Value> ContractionEmitter::getIndices(AffineMap map) {
  SmallVector<Value> indices;
  for (AffineExpr result : map.getResults())
    indices.push_back(ivs[cast<AffineDimExpr>(result).getPosition()]);
  return indices;
}

/// The element at the current indices, as f32.
Value ContractionEmitter::loadElement(Value memref, AffineMap map) {
  Value value = memref::LoadOp::create(b, memref, getIndices(map));
  return value.getType() == f32 ? value : arith::ExtFOp::create(b, f32, value);
}

void ContractionEmitter::storeElement(Value value, Value memref,
                                      AffineMap map) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (element != f32)
    value = arith::TruncFOp::create(b, element, value);
  memref::StoreOp::create(b, value, memref, getIndices(map));
}

/// Whether 16 columns of C lie side by side in memory, as f32.
bool ContractionEmitter::hasContiguousRows() const {
  auto type = cast<MemRefType>(c.out.getType());
  auto last = cast<AffineDimExpr>(c.outMap.getResults().back());
  return type.getElementType() == f32 && last.getPosition() == c.n.back() &&
         type.isLastDimUnitStride();
}

void ContractionEmitter::allocateBuffers() {
  int64_t depth = 1;
  Value dynamicDepth = one;
  for (unsigned dim : c.k) {
    std::optional<int64_t> size = getConstantIntValue(extents[dim]);
    depth = size && ShapedType::isStatic(depth) ? depth * *size
                                                : ShapedType::kDynamic;
    dynamicDepth = b.createOrFold<arith::MulIOp>(dynamicDepth, extents[dim]);
  }
  SmallVector<Value> sizes;
  if (ShapedType::isDynamic(depth))
    sizes.push_back(dynamicDepth);
  panel = memref::AllocOp::create(b, MemRefType::get({depth, kColumns}, f32),
                                  sizes);
  scratch = memref::AllocOp::create(b, MemRefType::get({kColumns}, f32));
}

/// Copies `width` columns of B to the panel and zeroes the others.
void ContractionEmitter::emitPanelCopy(Value column, Value width) {
  // Walk B in the order of its memory.
  auto last = cast<AffineDimExpr>(c.rhsMap.getResults().back());
  bool columnsInside = last.getPosition() == c.n.back();
  auto copyColumns = [&](Value begin, Value end, function_ref<Value()> value,
                         Value position) {
    emitLoop(begin, end, one, [&](Value j) {
      ivs[c.n.back()] = arith::AddIOp::create(b, column, j);
      memref::StoreOp::create(b, value(), panel, ValueRange{position, j});
    });
  };
  auto emitDepth = [&](function_ref<void(Value)> body) {
    emitLoops(c.k, [&] {
      Value position = zero;
      for (unsigned dim : c.k)
        position = b.createOrFold<arith::AddIOp>(
            b.createOrFold<arith::MulIOp>(position, extents[dim]), ivs[dim]);
      body(position);
    });
  };
  auto load = [&] { return loadElement(c.rhs, c.rhsMap); };
  if (columnsInside) {
    emitDepth(
        [&](Value position) { copyColumns(zero, width, load, position); });
  } else {
    emitLoop(zero, width, one, [&](Value j) {
      ivs[c.n.back()] = arith::AddIOp::create(b, column, j);
      emitDepth([&](Value position) {
        memref::StoreOp::create(b, load(), panel, ValueRange{position, j});
      });
    });
  }
  if (getConstantIntValue(width) == kColumns)
    return;
  Value none = arith::ConstantOp::create(b, b.getF32FloatAttr(0.0));
  emitDepth([&](Value position) {
    copyColumns(width, index(kColumns), [&] { return none; }, position);
  });
}

/// A full panel has a constant number of columns, which LLVM turns into
/// vectors.
void ContractionEmitter::emitPanel(Value column, Value width, Value isFull) {
  scf::IfOp::create(
      b, isFull,
      [&](OpBuilder &, Location) {
        emitPanelCopy(column, index(kColumns));
        scf::YieldOp::create(b);
      },
      [&](OpBuilder &, Location) {
        emitPanelCopy(column, width);
        scf::YieldOp::create(b);
      });
}

/// Row `r` of the tile, 16 columns of C.
Value ContractionEmitter::emitReadRow(int64_t r, Value column, Value width,
                                      Value isFull) {
  auto gather = [&]() -> Value {
    emitLoop(zero, width, one, [&](Value j) {
      ivs[c.n.back()] = arith::AddIOp::create(b, column, j);
      memref::StoreOp::create(b, loadElement(c.out, c.outMap), scratch, j);
    });
    return vector::LoadOp::create(b, row, scratch, ValueRange{zero});
  };
  if (!hasContiguousRows())
    return gather();
  auto branch = scf::IfOp::create(
      b, isFull,
      [&](OpBuilder &, Location) {
        ivs[c.n.back()] = column;
        Value value =
            vector::LoadOp::create(b, row, c.out, getIndices(c.outMap));
        scf::YieldOp::create(b, value);
      },
      [&](OpBuilder &, Location) { scf::YieldOp::create(b, gather()); });
  return branch.getResult(0);
}

void ContractionEmitter::emitWriteRow(Value value, int64_t r, Value column,
                                      Value width, Value isFull) {
  auto scatter = [&] {
    vector::StoreOp::create(b, value, scratch, ValueRange{zero});
    emitLoop(zero, width, one, [&](Value j) {
      ivs[c.n.back()] = arith::AddIOp::create(b, column, j);
      storeElement(memref::LoadOp::create(b, scratch, j), c.out, c.outMap);
    });
  };
  if (!hasContiguousRows())
    return scatter();
  scf::IfOp::create(
      b, isFull,
      [&](OpBuilder &, Location) {
        ivs[c.n.back()] = column;
        vector::StoreOp::create(b, value, c.out, getIndices(c.outMap));
        scf::YieldOp::create(b);
      },
      [&](OpBuilder &, Location) {
        scatter();
        scf::YieldOp::create(b);
      });
}

/// The loops over the k dimensions from `depth` on; the accumulators are loop
/// carried. `position` counts rows of the panel.
SmallVector<Value> ContractionEmitter::emitProducts(unsigned depth,
                                                    Value position,
                                                    Value firstRow,
                                                    ValueRange accumulators) {
  if (depth == c.k.size()) {
    SmallVector<Value> results;
    Value columns =
        vector::LoadOp::create(b, row, panel, ValueRange{position, zero});
    for (auto [r, accumulator] : llvm::enumerate(accumulators)) {
      if (!c.m.empty())
        ivs[c.m.back()] = arith::AddIOp::create(b, firstRow, index(r));
      Value factor =
          vector::BroadcastOp::create(b, row, loadElement(c.lhs, c.lhsMap));
      results.push_back(vector::FMAOp::create(b, factor, columns, accumulator));
    }
    return results;
  }
  unsigned dim = c.k[depth];
  auto loop = scf::ForOp::create(b, zero, extents[dim], one, accumulators);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ivs[dim] = loop.getInductionVar();
  Value next = b.createOrFold<arith::AddIOp>(
      b.createOrFold<arith::MulIOp>(position, extents[dim]), ivs[dim]);
  SmallVector<Value> results =
      emitProducts(depth + 1, next, firstRow, loop.getRegionIterArgs());
  scf::YieldOp::create(b, results);
  return loop.getResults();
}

void ContractionEmitter::emitTile(Value firstRow, int64_t rows, Value column,
                                  Value width, Value isFull) {
  auto setRow = [&](int64_t r) {
    if (!c.m.empty())
      ivs[c.m.back()] = b.createOrFold<arith::AddIOp>(firstRow, index(r));
  };
  SmallVector<Value> accumulators;
  for (int64_t r = 0; r < rows; ++r) {
    setRow(r);
    accumulators.push_back(emitReadRow(r, column, width, isFull));
  }
  SmallVector<Value> sums = emitProducts(0, zero, firstRow, accumulators);
  for (int64_t r = 0; r < rows; ++r) {
    setRow(r);
    emitWriteRow(sums[r], r, column, width, isFull);
  }
}

void ContractionEmitter::emitRows(Value column, Value width, Value isFull) {
  if (c.m.empty())
    return emitTile(zero, 1, column, width, isFull);
  emitLoops(ArrayRef(c.m).drop_back(), [&] {
    Value count = extents[c.m.back()];
    Value rest = b.createOrFold<arith::RemUIOp>(count, index(kRows));
    Value whole = b.createOrFold<arith::SubIOp>(count, rest);
    emitLoop(zero, whole, index(kRows),
             [&](Value i) { emitTile(i, kRows, column, width, isFull); });
    emitLoop(whole, count, one,
             [&](Value i) { emitTile(i, 1, column, width, isFull); });
  });
}

void ContractionEmitter::emit() {
  allocateBuffers();
  SmallVector<unsigned> outer(c.batch);
  llvm::append_range(outer, ArrayRef(c.n).drop_back());
  emitLoops(outer, [&] {
    Value columns = extents[c.n.back()];
    emitLoop(zero, columns, index(kColumns), [&](Value column) {
      Value left = arith::SubIOp::create(b, columns, column);
      Value width = arith::MinSIOp::create(b, left, index(kColumns));
      Value isFull = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, width,
                                           index(kColumns));
      emitPanel(column, width, isFull);
      emitRows(column, width, isFull);
    });
  });
}

namespace {
class ContractionsToLoopsPass final
    : public nvfp4::impl::ContractionsToLoopsPassBase<ContractionsToLoopsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      FailureOr<Contraction> contraction = matchContraction(op);
      if (failed(contraction))
        continue;
      ImplicitLocOpBuilder builder(op.getLoc(), op);
      ContractionEmitter(builder, op, std::move(*contraction)).emit();
      op->erase();
      ++numContractions;
    }
  }
};
} // namespace
