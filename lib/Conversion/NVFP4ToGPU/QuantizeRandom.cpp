//===- QuantizeRandom.cpp - Random bytes of a run -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Philox.h says which bits serve which element.
//
//===----------------------------------------------------------------------===//

#include "QuantizeEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace nvfp4;

/// Elements that one counter of the random generator serves, and those of one
/// of its words.
static constexpr int64_t kCounterElements = 16, kWordElements = 4;

static Value getInt(ImplicitLocOpBuilder &b, unsigned width, int64_t value) {
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(b.getIntegerType(width), value));
}

FailureOr<SmallVector<Value>> QuantizeEmitter::emitRandomBytes(ValueRange index,
                                                               int64_t count) {
  FailureOr<ElementEvaluator::Run> state =
      evaluator.getRun(op.getState(), evaluator.constant(0), 2);
  if (failed(state))
    return failure();
  SmallVector<Value> extents(leadExtents);
  llvm::append_values(extents, rows, columns);
  Type i64 = b.getI64Type();
  Value element =
      arith::IndexCastOp::create(b, i64, evaluator.linearize(index, extents));
  Value counter = arith::AddIOp::create(
      b, (*state)[1],
      arith::ShRUIOp::create(b, element,
                             getInt(b, 64, llvm::Log2_64(kCounterElements))));
  std::array<Value, 4> words =
      emitPhiloxWords(b, b.getLoc(), (*state)[0], counter);

  // The run is part of the elements of one counter; move its words to the front
  // by halving.
  Value position = arith::TruncIOp::create(b, b.getI32Type(), element);
  for (int64_t part = kCounterElements; part > count; part /= 2) {
    Value bit = arith::AndIOp::create(b, position, getInt(b, 32, part / 2));
    Value isUpper = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bit,
                                          getInt(b, 32, 0));
    int64_t numWords = part / 2 / kWordElements;
    for (int64_t i = 0; i < numWords; ++i)
      words[i] =
          arith::SelectOp::create(b, isUpper, words[i + numWords], words[i]);
  }
  SmallVector<Value> bytes;
  for (int64_t i = 0; i < count; ++i) {
    Value shifted = arith::ShRUIOp::create(
        b, words[i / kWordElements], getInt(b, 32, i % kWordElements * 8));
    bytes.push_back(arith::AndIOp::create(b, shifted, getInt(b, 32, 0xFF)));
  }
  return bytes;
}
