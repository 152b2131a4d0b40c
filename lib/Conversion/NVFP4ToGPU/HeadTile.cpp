//===- HeadTile.cpp - Rows of a head in shared memory ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Source:  PTX ISA 9.0, fragments of mma.m16n8k16, ldmatrix.
//
//===----------------------------------------------------------------------===//

#include "HeadTile.h"

#include "Matmul/Arithmetic.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace nvfp4;

HeadTile::HeadTile(FloatContext context, Value tensor, int64_t rows,
                   int64_t size, int64_t threads)
    : context(context), b(context.kernel.getBuilder()), tensor(tensor),
      rows(rows), size(size), threads(threads),
      panel{rows, AttentionMemory::getPanelElements(size) * kElementBytes} {}

//===----------------------------------------------------------------------===//
// Where rows lie
//===----------------------------------------------------------------------===//

namespace {
/// A position along a dimension, which grows with the row and with the element
/// of a head by so much (null: not at all).
struct Position {
  Value base, perRow, perElement;
};

/// Follows positions from a tensor of the body to the argument that holds it.
class SourceFinder {
public:
  explicit SourceFinder(ElementEvaluator &evaluator) : e(evaluator) {}

  /// One step; nothing where elements are not those of the operand.
  Value step(Value tensor, SmallVector<Position> &at);
  /// Row-major.
  Position join(ArrayRef<Position> parts, ArrayRef<Value> extents);

private:
  bool split(Position whole, Value tensor, ArrayRef<int64_t> dims,
             SmallVectorImpl<Position> &parts);
  bool stepMap(linalg::LinalgOp op, OpOperand &operand, OpResult result,
               SmallVector<Position> &at);
  Value addIfThere(Value sum, Value term) {
    return sum && term ? e.add(sum, term) : sum ? sum : term;
  }

  ElementEvaluator &e;
};
} // namespace

Position SourceFinder::join(ArrayRef<Position> parts, ArrayRef<Value> extents) {
  Position whole{e.constant(0), Value(), Value()};
  Value stride = e.constant(1);
  for (size_t dim = parts.size(); dim-- > 0;) {
    auto scale = [&](Value value) {
      return value ? e.mul(value, stride) : Value();
    };
    whole.base = e.add(whole.base, scale(parts[dim].base));
    whole.perRow = addIfThere(whole.perRow, scale(parts[dim].perRow));
    whole.perElement =
        addIfThere(whole.perElement, scale(parts[dim].perElement));
    stride = e.mul(stride, extents[dim]);
  }
  return whole;
}

/// Rows and elements along a dimension are split only where all other parts
/// have one element.
bool SourceFinder::split(Position whole, Value tensor, ArrayRef<int64_t> dims,
                         SmallVectorImpl<Position> &parts) {
  auto type = cast<ShapedType>(tensor.getType());
  SmallVector<Value> extents;
  int64_t numLarge = 0, large = 0;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    extents.push_back(*e.getExtent(tensor, dim));
    if (type.getDimSize(dim) != 1) {
      ++numLarge;
      large = i;
    }
  }
  parts.assign(dims.size(), Position{e.constant(0), Value(), Value()});
  if (numLarge == 1) {
    parts[large] = whole;
    return true;
  }
  if (whole.perRow || whole.perElement)
    return false;
  for (auto [part, base] :
       llvm::zip_equal(parts, e.delinearize(whole.base, extents)))
    part.base = base;
  return true;
}

bool SourceFinder::stepMap(linalg::LinalgOp op, OpOperand &operand,
                           OpResult result, SmallVector<Position> &at) {
  SmallVector<Position> loops(op.getNumLoops());
  AffineMap map = op.getIndexingMapMatchingResult(result);
  for (auto [expr, position] : llvm::zip_equal(map.getResults(), at)) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return false;
    loops[dim.getPosition()] = position;
  }
  at.clear();
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    if (dim && loops[dim.getPosition()].base)
      at.push_back(loops[dim.getPosition()]);
    else if (constant)
      at.push_back({e.constant(constant.getValue()), Value(), Value()});
    else
      return false;
  }
  return true;
}

Value SourceFinder::step(Value tensor, SmallVector<Position> &at) {
  Operation *op = tensor.getDefiningOp();
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return cast.getSource();
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<Position> joined;
    for (ArrayRef<int64_t> group : expand.getReassociationIndices()) {
      SmallVector<Position> parts;
      SmallVector<Value> extents;
      for (int64_t dim : group) {
        parts.push_back(at[dim]);
        extents.push_back(*e.getExtent(tensor, dim));
      }
      joined.push_back(join(parts, extents));
    }
    at = std::move(joined);
    return expand.getSrc();
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    SmallVector<Position> wide;
    for (auto [position, group] :
         llvm::zip_equal(at, collapse.getReassociationIndices())) {
      SmallVector<Position> parts;
      if (!split(position, collapse.getSrc(), group, parts))
        return {};
      llvm::append_range(wide, parts);
    }
    at = std::move(wide);
    return collapse.getSrc();
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumReductionLoops() != 0)
    return {};
  auto result = cast<OpResult>(tensor);
  auto moved =
      dyn_cast<BlockArgument>(linalgOp.getBlock()->getTerminator()->getOperand(
          result.getResultNumber()));
  if (!moved || moved.getOwner() != linalgOp.getBlock())
    return {};
  OpOperand &operand = op->getOpOperand(moved.getArgNumber());
  if (!isa<ShapedType>(operand.get().getType()) ||
      !stepMap(linalgOp, operand, result, at))
    return {};
  return operand.get();
}

/// Fills in `source` if units of all rows are aligned neighbours there.
void HeadTile::findSource(ValueRange start, unsigned rowDim) {
  ElementEvaluator &e = context.evaluator;
  SmallVector<Position> at;
  for (auto [dim, base] : llvm::enumerate(start))
    at.push_back({base, dim == rowDim ? e.constant(1) : Value(),
                  dim + 1 == start.size() ? e.constant(1) : Value()});
  SourceFinder finder(e);
  Value from = tensor;
  while (!isa<BlockArgument>(from)) {
    from = finder.step(from, at);
    if (!from)
      return;
  }
  Position position = finder.join(at, *e.getExtents(from));
  auto isAligned = [&](Value value) {
    return e.getKnownDivisor(value) % kUnitElements == 0;
  };
  if (!position.perRow || !position.perElement ||
      getConstantIntValue(position.perElement) != 1 ||
      !isAligned(position.base) || !isAligned(position.perRow))
    return;
  Arithmetic a(b);
  source = a.offset(context.kernel.getPointer(cast<BlockArgument>(from)),
                    a.toI64(a.mul(position.base, kElementBytes)));
  rowBytes = a.toI64(a.mul(position.perRow, kElementBytes));
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

LogicalResult HeadTile::begin(Value threadId, ValueRange start, unsigned dim,
                              Value count) {
  thread = threadId;
  index = SmallVector<Value>(start);
  rowDim = dim;
  numRows = count;
  if (failed(context.evaluator.getExtents(tensor)))
    return failure();
  findSource(start, dim);
  return success();
}

/// Unit `number` (i32), which is `first` of the first thread.
HeadTile::Unit HeadTile::getUnit(Value number, int64_t first) {
  Arithmetic a(b);
  int64_t perRow = size / kUnitElements;
  int64_t perLine = panel.lineBytes / kUnitBytes;
  Unit unit;
  unit.row = a.div(number, perRow);
  Value inRow = a.rem(number, perRow);
  unit.element = a.mul(inRow, kUnitElements);
  Value byte = a.mul(a.rem(inRow, perLine), kUnitBytes);
  unit.offset = a.add(a.mul(a.div(inRow, perLine), panel.getBytes()),
                      a.add(a.mul(unit.row, panel.lineBytes),
                            a.bitXor(byte, panel.emitSwizzle(b, unit.row))));
  if (first + threads > getNumUnits())
    unit.exists = a.less(number, getNumUnits());
  return unit;
}

void HeadTile::copyAsync(Value image, Value first) {
  Arithmetic a(b);
  int64_t perRow = size / kUnitElements;
  // Where a pass of all threads is whole periods of the permutation, a thread's
  // units are at one place in rows that are constants apart.
  int64_t rowsPerPass = threads / perRow;
  bool isRegular = threads % perRow == 0 && rowsPerPass % 8 == 0;
  Unit front = getUnit(thread, 0);
  Value start = a.offset(
      source, a.add(a.mul(a.add(a.toI64(first), a.toI64(front.row)), rowBytes),
                    a.toI64(a.mul(front.element, kElementBytes))));
  Value left = a.toI32(a.sub(numRows, first));
  for (int64_t number = 0; number < getNumUnits(); number += threads) {
    Unit unit = front;
    Value from = start;
    if (isRegular) {
      int64_t distance = number / threads * rowsPerPass;
      unit.row = a.add(front.row, distance);
      unit.offset = a.add(front.offset, distance * panel.lineBytes);
      from = a.offset(start, a.mul(rowBytes, distance));
      if (number + threads > getNumUnits())
        unit.exists = a.less(a.add(thread, number), getNumUnits());
    } else if (number > 0) {
      unit = getUnit(a.add(thread, number), number);
      from = a.offset(
          source,
          a.add(a.mul(a.add(a.toI64(first), a.toI64(unit.row)), rowBytes),
                a.toI64(a.mul(unit.element, kElementBytes))));
    }
    emitAsyncCopy(b, {unit.row, Value(), unit.offset, unit.exists}, image, from,
                  kUnitBytes, a.less(unit.row, left));
  }
}

LogicalResult HeadTile::copyEvaluated(Value image, Value first) {
  ElementEvaluator &e = context.evaluator;
  Arithmetic a(b);
  auto loop =
      scf::ForOp::create(b, thread, a.i32(getNumUnits()), a.i32(threads));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(e);
  Unit unit = getUnit(loop.getInductionVar(), /*first=*/0);
  Value row = a.add(first, a.toIndex(unit.row));
  Value isThere = a.less(row, numRows);
  SmallVector<Value> at(index);
  at[rowDim] = a.min(row, a.sub(numRows, 1));
  at.back() = a.toIndex(unit.element);
  e.assumeMultiple(at.back(), kUnitElements);
  FailureOr<SmallVector<Value>> values = e.getRun(tensor, at, kUnitElements);
  if (failed(values))
    return failure();
  for (Value &value : *values)
    value = a.select(
        isThere, value,
        arith::ConstantOp::create(b, b.getFloatAttr(value.getType(), 0)));
  LLVM::StoreOp::create(b, convertRun(b, *values, getElementTypeOrSelf(tensor)),
                        a.offset(image, unit.offset), kUnitBytes);
  return success();
}

LogicalResult HeadTile::copy(Value image, Value first) {
  if (!source)
    return copyEvaluated(image, first);
  copyAsync(image, first);
  return success();
}

//===----------------------------------------------------------------------===//
// Loads
//===----------------------------------------------------------------------===//

/// A lane addresses line `lane mod 8` of matrix `lane / 8`. Rows: both octets
/// of rows, then the other half of K. Columns: both halves of K, then the next
/// octet.
void HeadTile::beginLoads(Value lane) {
  Arithmetic a(b);
  Value low = a.rem(a.div(lane, 8), 2), high = a.div(lane, 16);
  Value line = a.rem(lane, 8);
  auto getPlace = [&](Value octet, Value chunk) {
    Value row = a.add(a.mul(octet, 8), line);
    return a.add(a.mul(row, panel.lineBytes),
                 a.bitXor(a.mul(chunk, kUnitBytes), panel.emitSwizzle(b, row)));
  };
  rowPlace = transposedPlace = getPlace(low, high);
  columnPlace = getPlace(high, low);
}

SmallVector<Value> HeadTile::load(Value image, Value place, int64_t panelNumber,
                                  int64_t row, int64_t elementInPanel,
                                  bool isTransposed) {
  Arithmetic a(b);
  SmallVector<Type> types(4, b.getI32Type());
  Type type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
  // Along a line, an exclusive or; from line to line, an addition.
  Value pointer =
      a.offset(a.offset(image, a.bitXor(place, elementInPanel * kElementBytes)),
               panelNumber * panel.getBytes() + row * panel.lineBytes);
  Value matrices = NVVM::LdMatrixOp::create(
      b, type, pointer, 4,
      isTransposed ? NVVM::MMALayout::col : NVVM::MMALayout::row, shape,
      NVVM::LdStMatrixEltType::B16);
  SmallVector<Value> registers;
  for (int64_t i = 0; i < 4; ++i)
    registers.push_back(LLVM::ExtractValueOp::create(b, matrices, i));
  return registers;
}

SmallVector<Value> HeadTile::loadRows(Value image, Value firstRow,
                                      int64_t step) {
  Arithmetic a(b);
  int64_t elements = panel.lineBytes / kElementBytes;
  return load(a.offset(image, a.mul(firstRow, panel.lineBytes)), rowPlace,
              16 * step / elements, 0, 16 * step % elements,
              /*isTransposed=*/false);
}

SmallVector<Value> HeadTile::loadColumns(Value image, int64_t step) {
  int64_t elements = panel.lineBytes / kElementBytes;
  SmallVector<Value> registers;
  for (int64_t row = 0; row < rows; row += 16)
    llvm::append_range(registers,
                       load(image, columnPlace, 16 * step / elements, row,
                            16 * step % elements, /*isTransposed=*/false));
  return registers;
}

SmallVector<Value> HeadTile::loadTransposed(Value image, int64_t step) {
  int64_t elements = panel.lineBytes / kElementBytes;
  SmallVector<Value> registers;
  for (int64_t first = 0; first < size; first += 16)
    llvm::append_range(registers,
                       load(image, transposedPlace, first / elements, 16 * step,
                            first % elements, /*isTransposed=*/true));
  return registers;
}
