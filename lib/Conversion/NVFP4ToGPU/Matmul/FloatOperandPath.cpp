//===- FloatOperandPath.cpp - Operands of 16-bit units --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The image has the operand's own order: lines are rows if K is contiguous,
// else lines are elements along K. `ldmatrix` transposes the latter.
//
// Expects: M, N and K of any extent, also none of K.
// Leaves:  zeros beyond K; beyond the last row copies of the last rows.
// Source:  PTX ISA 9.0, fragments of mma.m16n8k16, ldmatrix.
//
//===----------------------------------------------------------------------===//

#include "FloatOperandPath.h"

#include "Arithmetic.h"
#include "TensorMapPath.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;

namespace nvfp4 {

/// Of bf16 and f16.
static constexpr int64_t kElementBytes = 2;
/// What a load of the unit, or a store of a thread, moves at once.
static constexpr int64_t kChunkBytes = 16;
static constexpr int64_t kChunkElements = kChunkBytes / kElementBytes;

unsigned FloatOperand::getDim(Role role) const {
  return llvm::find_if(dims, [&](const Dim &dim) { return dim.role == role; }) -
         dims.begin();
}

/// The argument whose buffer `tensor` is, if its elements lie there in order.
static BlockArgument getBuffer(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(
            op))
      return {};
    tensor = op->getOperand(0);
  }
  return cast<BlockArgument>(tensor);
}

/// The largest number of neighbours, 8, 4, 2 or 1, that start at a multiple of
/// it in every row of every matrix, and end with it: the last extent decides.
static int64_t getAlignedRun(Value tensor) {
  int64_t extent = cast<ShapedType>(tensor.getType()).getShape().back();
  if (ShapedType::isDynamic(extent))
    return 1;
  return std::gcd(extent, kChunkElements);
}

namespace {

class FloatPath final : public OperandPath {
public:
  FloatPath(FloatContext context, UnitSide side, const MatmulConfig &config,
            FloatOperand operand, Type element, FragmentOrder order,
            ValueRange batch);

  int64_t getImageBytes() const override { return image.getBytes(); }
  void begin(const CtaContext &cta, const OperandTile &tile) override {
    beginCopies(cta, tile);
    beginLoads(cta, tile);
  }
  void beginCopies(const CtaContext &cta, const OperandTile &tile) override;
  void beginLoads(const CtaContext &cta, const OperandTile &tile) override;
  bool stagesRegisters() const override {
    return order != FragmentOrder::Shared;
  }
  void copy(ImplicitLocOpBuilder &b, Value image, Value tile) override;
  SmallVector<Value> stage(ImplicitLocOpBuilder &b, Value image,
                           int64_t step) override;

private:
  void beginIndex(const OperandTile &tile);
  void beginUnits(const CtaContext &cta);
  /// Where a byte of the image stands in the tile: its row and its K (i32).
  std::pair<Value, Value> getPlace(ImplicitLocOpBuilder &b, Value line,
                                   Value byte);
  void copyAsync(ImplicitLocOpBuilder &b, Value image, Value tile);
  void copyEvaluated(ImplicitLocOpBuilder &b, Value image, Value tile);
  /// `count` elements along the last dimension at line and position (indices)
  /// of a tile, as f32 or the unit's type; zeros beyond K.
  SmallVector<Value> evaluate(Value row, Value k, int64_t count);
  SmallVector<Value> loadMatrices(ImplicitLocOpBuilder &b, Value image,
                                  int64_t step);
  SmallVector<Value> loadBlocks(ImplicitLocOpBuilder &b, Value image,
                                int64_t step);

  FloatContext context;
  UnitSide side;
  const MatmulConfig &config;
  FloatOperand operand;
  Type element;
  FragmentOrder order;
  SmallVector<Value> batch;
  OctetMap octets;
  LineImage image;
  /// The buffer to copy from; null where elements are evaluated.
  BlockArgument buffer;
  /// Neighbours that are copied or evaluated at once.
  int64_t run;

  /// The index of the first element; rows, K and their strides (indices).
  SmallVector<Value> index;
  OperandTile tile;
  Value extentK, strideRow, strideK;
  /// What a thread copies: its units, their first elements in the buffer at the
  /// first tile, and their K in a tile (i32).
  SmallVector<ImageUnit> units;
  SmallVector<Value> sources, unitK;
  /// i32: the lane's offset in an image at step 0 and octet 0.
  Value loadOffset, thread;
};

} // namespace

FloatPath::FloatPath(FloatContext context, UnitSide side,
                     const MatmulConfig &config, FloatOperand operand,
                     Type element, FragmentOrder order, ValueRange batch)
    : context(context), side(side), config(config), operand(operand),
      element(element), order(order), batch(batch),
      octets(getOctetsOfPlain(side, config)) {
  int64_t rows = config.getCopied(side);
  if (operand.isKContiguous())
    image = {rows, config.tileK * kElementBytes};
  else if (order == FragmentOrder::Shared)
    image = {config.tileK * rows * kElementBytes / kWgmmaLineBytes,
             kWgmmaLineBytes};
  else
    image = {config.tileK, rows * kElementBytes};
  run = getAlignedRun(operand.tensor);
  // Asynchronous copies are of 4 bytes at least.
  if (run > 1 && getElementTypeOrSelf(operand.tensor.getType()) == element)
    buffer = getBuffer(operand.tensor);
}

//===----------------------------------------------------------------------===//
// Before the loop
//===----------------------------------------------------------------------===//

void FloatPath::beginIndex(const OperandTile &operandTile) {
  ElementEvaluator &e = context.evaluator;
  tile = operandTile;
  tile.row = emitFirstCopied(context.kernel, config, side, tile.row);
  SmallVector<Value> matrix;
  if (tile.slice)
    matrix = e.delinearize(tile.slice, batch);
  unsigned dimK = operand.getDim(FloatOperand::Role::K);
  unsigned dimRow = operand.getDim(FloatOperand::Role::Row);
  Value stride = e.constant(1);
  for (int64_t dim = operand.dims.size() - 1; dim >= 0; --dim) {
    Value extent = *e.getExtent(operand.tensor, dim);
    if (dim == dimK) {
      strideK = stride;
      extentK = extent;
    }
    if (dim == dimRow)
      strideRow = stride;
    stride = e.mul(stride, extent);
  }
  for (const FloatOperand::Dim &dim : operand.dims)
    index.push_back(dim.role == FloatOperand::Role::Batch ? matrix[dim.batch]
                                                          : e.constant(0));
}

std::pair<Value, Value> FloatPath::getPlace(ImplicitLocOpBuilder &b, Value line,
                                            Value byte) {
  Arithmetic a(b);
  Value position = a.div(byte, kElementBytes);
  if (operand.isKContiguous())
    return {line, position};
  if (order != FragmentOrder::Shared)
    return {position, line};
  // Panels of rows follow each other.
  Value firstRow =
      a.mul(a.div(line, config.tileK), image.lineBytes / kElementBytes);
  return {a.add(firstRow, position), a.rem(line, config.tileK)};
}

void FloatPath::beginUnits(const CtaContext &cta) {
  ElementEvaluator &e = context.evaluator;
  Arithmetic a(cta.b);
  SmallVector<Value> extents = *e.getExtents(operand.tensor);
  Value matrix = e.linearize(index, extents);
  Value pointer = context.kernel.getPointer(buffer);
  units = getUnits(cta, image, run * kElementBytes);
  for (const ImageUnit &unit : units) {
    auto [rowInTile, k] = getPlace(cta.b, unit.line, unit.byte);
    Value row = a.add(tile.row, a.toIndex(rowInTile));
    // The last run of rows that is there.
    int64_t rowsAtOnce = operand.isKContiguous() ? 1 : run;
    row = a.min(row, a.sub(tile.rows, rowsAtOnce));
    Value first = a.add(
        matrix, a.add(a.mul(row, strideRow), a.mul(a.toIndex(k), strideK)));
    sources.push_back(a.offset(pointer, a.toI64(a.mul(first, kElementBytes))));
    unitK.push_back(k);
  }
}

void FloatPath::beginLoads(const CtaContext &cta, const OperandTile &) {
  Arithmetic a(cta.b);
  if (order == FragmentOrder::Shared) {
    loadOffset = emitSharedOffset(cta, side, operand, config);
    return;
  }
  int64_t steps = config.tileK / getStepK(order) / config.warpsK;
  Value firstStep = a.mul(cta.warpK, steps);
  Value warpRow = octets.emitWarpRow(cta.b, cta.getWarp(side));
  if (order == FragmentOrder::Blocks) {
    // A lane's 32 bytes of a step are two chunks.
    Value row = a.add(warpRow, cta.laneGroup);
    Value byte = a.add(a.mul(firstStep, getStepK(order) * kElementBytes),
                       a.mul(cta.laneInGroup, 2 * kChunkBytes));
    loadOffset = a.add(a.mul(row, image.lineBytes),
                       a.bitXor(byte, image.emitSwizzle(cta.b, row)));
    return;
  }
  // A lane addresses line `lane mod 8` of matrix `lane / 8`. Rows: two octets
  // of the lower half of K, then of the upper. Columns: both halves of an
  // octet, then of the next.
  Value matrix = a.div(cta.lane, 8), lineOfMatrix = a.rem(cta.lane, 8);
  bool isRows = side == UnitSide::Rows;
  Value octet = isRows ? a.rem(matrix, 2) : a.div(matrix, 2);
  Value half = isRows ? a.div(matrix, 2) : a.rem(matrix, 2);
  if (octets.getNumOctets() == 1)
    octet = a.i32(0);
  Value row = a.add(warpRow, a.mul(octet, 8));
  Value k = a.add(a.mul(firstStep, getStepK(order)), a.mul(half, 8));
  Value line = a.add(operand.isKContiguous() ? row : k, lineOfMatrix);
  Value position = operand.isKContiguous() ? k : row;
  loadOffset = a.add(
      a.mul(line, image.lineBytes),
      a.bitXor(a.mul(position, kElementBytes), image.emitSwizzle(cta.b, line)));
}

void FloatPath::beginCopies(const CtaContext &cta,
                            const OperandTile &operandTile) {
  thread = cta.thread;
  beginIndex(operandTile);
  if (buffer)
    beginUnits(cta);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

void FloatPath::copyAsync(ImplicitLocOpBuilder &b, Value to, Value tileOfK) {
  Arithmetic a(b);
  Value first = a.mul(tileOfK, config.tileK);
  Value offset =
      a.toI64(a.mul(a.mul(a.toIndex(first), strideK), kElementBytes));
  Value extent = a.toI32(extentK);
  std::optional<int64_t> known = getConstantIntValue(extentK);
  bool mayEnd = !known || *known % config.tileK != 0;
  for (auto [unit, source, k] : llvm::zip_equal(units, sources, unitK)) {
    Value isInside = mayEnd ? a.less(a.add(first, k), extent) : Value();
    emitAsyncCopy(b, unit, to, a.offset(source, offset), run * kElementBytes,
                  isInside);
  }
}

SmallVector<Value> FloatPath::evaluate(Value row, Value k, int64_t count) {
  ImplicitLocOpBuilder &b = context.kernel.getBuilder();
  Arithmetic a(b);
  Value isInside = a.less(k, extentK);
  SmallVector<Value> at = index;
  int64_t rowsAtOnce = operand.isKContiguous() ? 1 : count;
  at[operand.getDim(FloatOperand::Role::Row)] =
      a.min(row, a.sub(tile.rows, rowsAtOnce));
  at[operand.getDim(FloatOperand::Role::K)] = a.select(isInside, k, a.index(0));
  context.evaluator.assumeMultiple(at.back(), count);
  FailureOr<SmallVector<Value>> values =
      context.evaluator.getRun(operand.tensor, at, count);
  if (failed(values))
    return {};
  for (Value &value : *values)
    value = a.select(
        isInside, value,
        arith::ConstantOp::create(b, b.getFloatAttr(value.getType(), 0)));
  return *values;
}

Value convertRun(ImplicitLocOpBuilder &b, ArrayRef<Value> values,
                 Type element) {
  Type type = values.front().getType();
  Value run = vector::FromElementsOp::create(
      b, VectorType::get(values.size(), type), values);
  auto target = VectorType::get(values.size(), element);
  if (type == element)
    return run;
  if (type.getIntOrFloatBitWidth() == element.getIntOrFloatBitWidth())
    run = arith::ExtFOp::create(
        b, VectorType::get(values.size(), b.getF32Type()), run);
  return arith::TruncFOp::create(b, target, run);
}

void FloatPath::copyEvaluated(ImplicitLocOpBuilder &b, Value to,
                              Value tileOfK) {
  Arithmetic a(b);
  Value firstK = a.toIndex(a.mul(tileOfK, config.tileK));
  auto loop =
      scf::ForOp::create(b, thread, a.i32(image.getBytes() / kChunkBytes),
                         a.i32(config.getFillers()));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(context.evaluator);
  ImageUnit unit = getUnit(b, image, kChunkBytes, loop.getInductionVar());
  auto [rowInTile, kInTile] = getPlace(b, unit.line, unit.byte);
  Value firstRow = a.add(tile.row, a.toIndex(rowInTile));
  firstK = a.add(firstK, a.toIndex(kInTile));
  SmallVector<Value> values;
  for (int64_t next = 0; next < kChunkElements; next += run) {
    bool isAlongK = operand.isKContiguous();
    Value row = isAlongK ? firstRow : a.add(firstRow, next);
    Value k = isAlongK ? a.add(firstK, next) : firstK;
    llvm::append_range(values, evaluate(row, k, run));
  }
  if (values.empty())
    return;
  LLVM::StoreOp::create(b, convertRun(b, values, element),
                        a.offset(to, unit.offset), kChunkBytes);
}

void FloatPath::copy(ImplicitLocOpBuilder &b, Value to, Value tileOfK) {
  if (buffer)
    copyAsync(b, to, tileOfK);
  else
    copyEvaluated(b, to, tileOfK);
}

//===----------------------------------------------------------------------===//
// Loads
//===----------------------------------------------------------------------===//

SmallVector<Value> FloatPath::loadMatrices(ImplicitLocOpBuilder &b, Value from,
                                           int64_t step) {
  Arithmetic a(b);
  bool isTransposed = !operand.isKContiguous();
  int64_t numOctets = octets.getNumOctets();
  int64_t count = numOctets == 1 ? 2 : 4;
  SmallVector<Type> types(count, b.getI32Type());
  Type type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
  SmallVector<Value> registers;
  for (int64_t octet = 0; octet < numOctets; octet += 2) {
    // Along a line, an exclusive or; from line to line, an addition.
    int64_t along = step * getStepK(order) * kElementBytes;
    int64_t across = octet * 8 * image.lineBytes;
    if (isTransposed) {
      along = octet * 8 * kElementBytes;
      across = step * getStepK(order) * image.lineBytes;
    }
    Value pointer =
        a.offset(a.offset(from, a.bitXor(loadOffset, along)), across);
    Value matrices = NVVM::LdMatrixOp::create(
        b, type, pointer, count,
        isTransposed ? NVVM::MMALayout::col : NVVM::MMALayout::row, shape,
        NVVM::LdStMatrixEltType::B16);
    for (int64_t i = 0; i < count; ++i)
      registers.push_back(LLVM::ExtractValueOp::create(b, matrices, i));
  }
  return registers;
}

SmallVector<Value> FloatPath::loadBlocks(ImplicitLocOpBuilder &b, Value from,
                                         int64_t step) {
  Arithmetic a(b);
  auto type = VectorType::get(4, b.getI32Type());
  // Per octet the lane's 16 elements, two to a register.
  SmallVector<SmallVector<Value>> lanes(octets.getNumOctets());
  for (auto [octet, registers] : llvm::enumerate(lanes))
    for (int64_t chunk = 0; chunk < 2; ++chunk) {
      int64_t along =
          step * getStepK(order) * kElementBytes + chunk * kChunkBytes;
      Value pointer = a.offset(a.offset(from, a.bitXor(loadOffset, along)),
                               octet * 8 * image.lineBytes);
      Value words = LLVM::LoadOp::create(b, type, pointer, kChunkBytes);
      for (int64_t i = 0; i < 4; ++i)
        registers.push_back(LLVM::ExtractElementOp::create(b, words, a.i32(i)));
    }
  return arrangeBlocks(side, lanes);
}

SmallVector<Value> FloatPath::stage(ImplicitLocOpBuilder &b, Value from,
                                    int64_t step) {
  switch (order) {
  case FragmentOrder::Natural:
    return loadMatrices(b, from, step);
  case FragmentOrder::Blocks:
    return loadBlocks(b, from, step);
  case FragmentOrder::Shared:
    return {emitWgmmaDescriptor(b, Arithmetic(b).offset(from, loadOffset),
                                getSharedImage(operand, config))};
  }
  llvm_unreachable("all orders are above");
}

WgmmaImage getSharedImage(const FloatOperand &operand,
                          const MatmulConfig &config) {
  return {operand.isKContiguous(), config.tileK * kWgmmaLineBytes};
}

Value emitSharedOffset(const CtaContext &cta, UnitSide side,
                       const FloatOperand &operand,
                       const MatmulConfig &config) {
  Arithmetic a(cta.b);
  // Lines of 64 rows, or a panel of them.
  int64_t bytes = operand.isKContiguous()
                      ? kWgmmaRows * kWgmmaLineBytes
                      : getSharedImage(operand, config).panelBytes;
  return a.mul(a.div(cta.getWarp(side), 4), bytes);
}

SmallVector<Value> arrangeBlocks(UnitSide side,
                                 ArrayRef<SmallVector<Value>> lanes) {
  SmallVector<Value> registers;
  for (int64_t mma = 0; mma < getNumMmas(FragmentOrder::Blocks); ++mma) {
    int64_t low = 2 * mma, high = low + 1;
    if (side == UnitSide::Columns) {
      for (ArrayRef<Value> lane : lanes)
        registers.append({lane[low], lane[high]});
      continue;
    }
    for (size_t octet = 0; octet < lanes.size(); octet += 2) {
      ArrayRef<Value> upper = lanes[octet], lower = lanes[octet + 1];
      registers.append({upper[low], lower[low], upper[high], lower[high]});
    }
  }
  return registers;
}

std::unique_ptr<OperandPath>
createFloatPath(FloatContext context, UnitSide side, const MatmulConfig &config,
                FloatOperand operand, Type element, FragmentOrder order,
                ValueRange batch) {
  BlockArgument buffer = getBuffer(operand.tensor);
  if (order == FragmentOrder::Shared && buffer &&
      getElementTypeOrSelf(buffer.getType()) == element)
    if (std::unique_ptr<OperandPath> path =
            createTensorMapPath(context, side, config, operand, buffer, batch))
      return path;
  return std::make_unique<FloatPath>(context, side, config, std::move(operand),
                                     element, order, batch);
}

} // namespace nvfp4
