//===- AttentionTilesSoftmax.cpp - Softmax of a tile after the other ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exponentials are relative to the largest logit so far. Where a tile brings a
// larger one, sums and products until then are multiplied by the exponential of
// the difference:
//
//   m' = max(m, logits)    l' = l e^(m - m') + sum of e^(logits - m')
//                          o' = o e^(m - m') + e^(logits - m') values
//
// Four lanes share a row: each has neighbouring columns 2t and 2t + 1 of all
// octets.
//
// Leaves:  NaN in a row with a NaN or +infinity among its logits, or whose
//          logits are all -infinity, as a softmax op by op does.
// Source:  Milakov, Gimelshein: Online normalizer calculation for softmax;
//          Dao: FlashAttention-2.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace nvfp4;

using Run = ElementEvaluator::Run;

Value TiledAttention::getF32(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

/// e^(value - base). The error of a product of the difference, which is 0 or
/// less, and that of the instruction are below 2^-19 where the result is above
/// 2^-24.
Value TiledAttention::exp2OfDifference(Value value, Value base) {
  constexpr float kLog2E = 0x1.715476p0f;
  Value exponent = arith::MulFOp::create(
      b, arith::SubFOp::create(b, value, base), getF32(kLog2E));
  return LLVM::CallIntrinsicOp::create(
             b, b.getF32Type(), b.getStringAttr("llvm.nvvm.ex2.approx.ftz"),
             ValueRange{exponent})
      .getResult(0);
}

Value TiledAttention::combineLanes(
    Value value, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t distance : {1, 2}) {
    Value other = NVVM::ShflOp::create(b, value.getType(), a.i32(-1), value,
                                       a.i32(distance), a.i32(kWarp - 1),
                                       NVVM::ShflKind::bfly, UnitAttr());
    value = combine(value, other);
  }
  return value;
}

FailureOr<Run> TiledAttention::getKnownScores(ValueRange index, int64_t count) {
  // A key has one SSA value, as all numbers of the evaluator have.
  size_t first = llvm::find(knownKeys, index.back()) - knownKeys.begin();
  if (first + count > knownScores.size())
    return scores.emitError("expected ops that leave scores at their keys, but "
                            "got one that asks for another key");
  return Run(ArrayRef(knownScores).slice(first, count));
}

/// Two neighbours of a row. Keys that are not there have no weight.
FailureOr<Run> TiledAttention::getLogitPair(ValueRange index, Value key,
                                            ValueRange sums, bool isEdge) {
  Run at(index);
  at.push_back(key);
  std::optional<int64_t> known = getConstantIntValue(numKeys);
  if (!isEdge || (known && *known % tileKeys == 0)) {
    knownKeys = {key, evaluator.add(key, evaluator.constant(1))};
    knownScores = Run(sums);
    return evaluator.getRun(softmax.logits, at, 2);
  }
  Run pair;
  Value last = evaluator.sub(numKeys, evaluator.constant(1));
  for (int64_t i = 0; i < 2; ++i) {
    Value place = evaluator.add(key, evaluator.constant(i));
    at.back() = evaluator.min(place, last);
    knownKeys = {at.back()};
    knownScores = {sums[i]};
    // The last key may be asked for more than once.
    ElementEvaluator::Scope scope(evaluator);
    FailureOr<Run> logit = evaluator.getRun(softmax.logits, at, 1);
    if (failed(logit))
      return failure();
    pair.push_back(a.select(a.less(place, numKeys), logit->front(),
                            getF32(-std::numeric_limits<float>::infinity())));
  }
  return pair;
}

/// Of one half.
FailureOr<TiledAttention::Logits> TiledAttention::getLogits(ValueRange sums,
                                                            Value tile,
                                                            int64_t half,
                                                            bool isEdge) {
  Logits logits;
  Value first = evaluator.add(
      evaluator.mul(a.toIndex(tile), evaluator.constant(tileKeys)),
      evaluator.mul(a.toIndex(cta->laneInGroup), evaluator.constant(2)));
  for (int64_t octet = 0; octet < tileKeys / 8; ++octet) {
    FailureOr<Run> pair = getLogitPair(
        logitsIndex[half], evaluator.add(first, evaluator.constant(8 * octet)),
        sums.slice(4 * octet + 2 * half, 2), isEdge);
    if (failed(pair))
      return failure();
    llvm::append_range(logits, *pair);
  }
  return logits;
}

FailureOr<SmallVector<Value>> TiledAttention::emitWeights(State &state,
                                                          ValueRange sums,
                                                          Value tile,
                                                          bool isEdge) {
  auto larger = [&](Value lhs, Value rhs) -> Value {
    return arith::MaximumFOp::create(b, lhs, rhs);
  };
  Value lowest = getF32(-std::numeric_limits<float>::infinity());
  // Words of two keys: of each half, octet by octet.
  SmallVector<Value> words[kHalves];
  for (int64_t half = 0; half < kHalves; ++half) {
    FailureOr<Logits> logits = getLogits(sums, tile, half, isEdge);
    if (failed(logits))
      return failure();
    Value largest = logits->front();
    for (Value logit : ArrayRef(*logits).drop_front())
      largest = larger(largest, logit);
    largest = larger(state.largest[half], combineLanes(largest, larger));
    // Of -infinity alone, all exponentials are 0 so far.
    Value isLowest =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, largest, lowest);
    Value base = a.select(isLowest, getF32(0), largest);
    Value factor = exp2OfDifference(state.largest[half], base);
    Value sum = arith::MulFOp::create(b, state.sum[half], factor);
    for (size_t i = 0; i < logits->size(); i += 2) {
      Run pair;
      for (int64_t j = 0; j < 2; ++j) {
        pair.push_back(exp2OfDifference((*logits)[i + j], base));
        sum = arith::AddFOp::create(b, sum, pair.back());
      }
      Value word = convertRun(b, pair, valuesElement);
      words[half].push_back(LLVM::BitcastOp::create(b, b.getI32Type(), word));
    }
    state.largest[half] = largest;
    state.sum[half] = sum;
    for (size_t i = 2 * half; i < state.result.size(); i += 4)
      for (size_t j = i; j < i + 2; ++j)
        state.result[j] = arith::MulFOp::create(b, state.result[j], factor);
  }
  SmallVector<Value> registers;
  for (int64_t octet = 0; octet < tileKeys / 8; ++octet)
    for (auto &half : words)
      registers.push_back(half[octet]);
  return registers;
}
