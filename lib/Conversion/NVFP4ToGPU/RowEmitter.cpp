//===- RowEmitter.cpp - Threads that share a row --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Deals out columns, and exchanges scalars: by shuffles in a warp, then through
// shared memory in a CTA. Every order is fixed, so that the same input gives
// the same bits.
//
//===----------------------------------------------------------------------===//

#include "RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nvfp4;

static constexpr int64_t kWarp = 32;
/// Room of a scalar in shared memory.
static constexpr int64_t kSlotBytes = 8;

RowEmitter::RowEmitter(KernelBuilder &kernel, ElementEvaluator &evaluator,
                       const RowSharing &sharing, Value rows, Value coveredRows)
    : kernel(kernel), evaluator(evaluator), builder(kernel.getBuilder()),
      sharing(sharing) {
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastUIOp::create(builder, builder.getIndexType(), value);
  };
  thread = toIndex(kernel.getThreadId());
  Value threads = evaluator.constant(sharing.threadsPerRow);
  bool isWarp = sharing.rowsPerBlock > 1;
  lane = isWarp ? evaluator.rem(thread, threads) : thread;
  if (getConstantIntValue(coveredRows) == 1) {
    row = rowPosition = evaluator.constant(0);
    return;
  }
  rowPosition = toIndex(kernel.getBlockId(0));
  if (sharing.blocksPerRow != 1)
    rowPosition =
        evaluator.div(rowPosition, evaluator.constant(sharing.blocksPerRow));
  if (isWarp)
    rowPosition = evaluator.add(
        evaluator.mul(rowPosition, evaluator.constant(sharing.rowsPerBlock)),
        evaluator.div(thread, threads));
  row = rowPosition;
  if (rows == coveredRows &&
      evaluator.getKnownDivisor(rows) % sharing.rowsPerBlock == 0)
    return;
  rowIsPresent = arith::CmpIOp::create(builder, arith::CmpIPredicate::ult,
                                       rowPosition, rows);
  row = evaluator.min(rowPosition, evaluator.sub(rows, evaluator.constant(1)));
}

Value RowEmitter::conjoin(Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  return arith::AndIOp::create(builder, lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

RowEmitter::Columns RowEmitter::getColumns(Value step, Value columns) {
  Columns result;
  Value run = evaluator.add(
      evaluator.mul(step, evaluator.constant(sharing.threadsPerRow)), lane);
  result.position = result.clamped =
      evaluator.mul(run, evaluator.constant(sharing.runLength));
  // The last step is the only one that may not exist for all lanes.
  int64_t perStep = sharing.threadsPerRow * sharing.runLength;
  std::optional<int64_t> number = getConstantIntValue(step),
                         extent = getConstantIntValue(columns);
  if (number && extent && (*number + 1) * perStep <= *extent)
    return result;
  result.isPresent = arith::CmpIOp::create(builder, arith::CmpIPredicate::ult,
                                           result.position, columns);
  result.clamped = evaluator.min(
      result.position,
      evaluator.sub(columns, evaluator.constant(sharing.runLength)));
  evaluator.assumeMultiple(result.clamped, sharing.runLength);
  return result;
}

FailureOr<RowEmitter::Run> RowEmitter::forEachRun(
    Value columns, Value covered, ValueRange carried,
    llvm::function_ref<FailureOr<Run>(const Columns &, ValueRange)> visit) {
  int64_t perStep = sharing.threadsPerRow * sharing.runLength;
  Value steps =
      evaluator.div(evaluator.add(covered, evaluator.constant(perStep - 1)),
                    evaluator.constant(perStep));
  std::optional<int64_t> known = getConstantIntValue(steps);
  if (known && sharing.isUnrolled) {
    Run values(carried);
    for (int64_t step = 0; step < *known; ++step) {
      FailureOr<Run> next =
          visit(getColumns(evaluator.constant(step), columns), values);
      if (failed(next))
        return failure();
      values = *next;
    }
    return values;
  }
  auto loop = scf::ForOp::create(builder, evaluator.constant(0), steps,
                                 evaluator.constant(1), carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  ElementEvaluator::Scope scope(evaluator);
  FailureOr<Run> next = visit(getColumns(loop.getInductionVar(), columns),
                              loop.getRegionIterArgs());
  if (failed(next))
    return failure();
  if (!carried.empty())
    scf::YieldOp::create(builder, *next);
  return Run(loop.getResults());
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

/// The bits of a scalar, in an integer of 32 or 64 bits.
static Value toBits(ImplicitLocOpBuilder &builder, Value value) {
  Type type = value.getType();
  if (type.isIndex())
    return arith::IndexCastOp::create(builder, builder.getI64Type(), value);
  unsigned width = type.getIntOrFloatBitWidth();
  if (isa<FloatType>(type))
    value =
        arith::BitcastOp::create(builder, builder.getIntegerType(width), value);
  if (width < 32)
    value = arith::ExtUIOp::create(builder, builder.getI32Type(), value);
  return value;
}

static Value fromBits(ImplicitLocOpBuilder &builder, Value bits, Type type) {
  if (type.isIndex())
    return arith::IndexCastOp::create(builder, type, bits);
  unsigned width = type.getIntOrFloatBitWidth();
  if (width < 32)
    bits =
        arith::TruncIOp::create(builder, builder.getIntegerType(width), bits);
  if (isa<FloatType>(type))
    bits = arith::BitcastOp::create(builder, type, bits);
  return bits;
}

/// A 32-bit value of the lane whose number differs in the bit `distance`.
static Value shuffleWord(ImplicitLocOpBuilder &builder, Value word,
                         int32_t distance) {
  auto getInt = [&](int32_t value) -> Value {
    return arith::ConstantIntOp::create(builder, value, /*width=*/32);
  };
  return NVVM::ShflOp::create(builder, word.getType(), getInt(-1), word,
                              getInt(distance), getInt(kWarp - 1),
                              NVVM::ShflKind::bfly, UnitAttr());
}

Value RowEmitter::shuffle(Value value, int32_t distance) {
  Type type = value.getType();
  if (type.isF32() || type.isInteger(32))
    return shuffleWord(builder, value, distance);
  Value bits = toBits(builder, value);
  if (bits.getType().isInteger(32))
    return fromBits(builder, shuffleWord(builder, bits, distance), type);
  Type word = builder.getI32Type();
  Value half = arith::ConstantIntOp::create(builder, 32, /*width=*/64);
  Value low = arith::TruncIOp::create(builder, word, bits);
  Value high = arith::TruncIOp::create(
      builder, word, arith::ShRUIOp::create(builder, bits, half));
  auto widen = [&](Value value) -> Value {
    return arith::ExtUIOp::create(builder, bits.getType(),
                                  shuffleWord(builder, value, distance));
  };
  Value shifted = arith::ShLIOp::create(builder, widen(high), half);
  return fromBits(builder, arith::OrIOp::create(builder, shifted, widen(low)),
                  type);
}

Value RowEmitter::combineThreads(
    Value value, llvm::function_ref<Value(Value, Value)> combine) {
  for (int32_t distance = std::min(sharing.threadsPerRow, kWarp) / 2;
       distance > 0; distance /= 2)
    value = combine(value, shuffle(value, distance));
  int64_t warps = sharing.threadsPerRow / kWarp;
  if (warps <= 1)
    return value;

  // One slot per warp, used once: whoever reads it is behind the barrier.
  Type type = value.getType();
  Value bits = toBits(builder, value);
  Value memory = kernel.getSharedMemory();
  auto getSlot = [&](Value warp) -> Value {
    Value offset = arith::IndexCastOp::create(
        builder, builder.getI64Type(),
        evaluator.add(evaluator.mul(warp, evaluator.constant(kSlotBytes)),
                      evaluator.constant(sharedBytes)));
    return LLVM::GEPOp::create(builder, memory.getType(), builder.getI8Type(),
                               memory, ValueRange{offset});
  };
  Value isFirst = arith::CmpIOp::create(
      builder, arith::CmpIPredicate::eq,
      evaluator.rem(thread, evaluator.constant(kWarp)), evaluator.constant(0));
  auto branch = scf::IfOp::create(builder, isFirst);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    ElementEvaluator::Scope scope(evaluator);
    Value warp = evaluator.div(thread, evaluator.constant(kWarp));
    LLVM::StoreOp::create(builder, bits, getSlot(warp), kSlotBytes);
  }
  NVVM::BarrierOp::create(builder);
  Value result;
  for (int64_t warp = 0; warp < warps; ++warp) {
    Value part = fromBits(
        builder,
        LLVM::LoadOp::create(builder, bits.getType(),
                             getSlot(evaluator.constant(warp)), kSlotBytes),
        type);
    result = result ? combine(result, part) : part;
  }
  sharedBytes += warps * kSlotBytes;
  return result;
}
