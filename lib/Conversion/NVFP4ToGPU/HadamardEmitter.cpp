//===- HadamardEmitter.cpp - Groups that a thread transforms --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The definition sums 16 terms in order, and every output is rounded 15 times.
// Numbers of 8 bits whose exponents lie within 12 of each other have sums of at
// most 24 bits, in any order and with any signs: then four stages of
// butterflies have the same bits. A zero is +0 in both: the sum in order starts
// with one, and the last step of butterflies adds one.
//
//===----------------------------------------------------------------------===//

#include "HadamardEmitter.h"

#include "nvfp4/Support/Hadamard.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <map>

using namespace mlir;
using namespace nvfp4;

using Values = SmallVector<Value>;

static constexpr float kScale = 0.25f;
/// Of bf16: bits behind the exponent, and of exponents with room for sums of 16
/// numbers and for quarters, and how far they may be apart.
static constexpr int64_t kMantissaBits = 7, kMinExponent = 16,
                         kMaxExponent = 248, kMaxSpread = 12;

static Value getF32(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

static Value getI32(ImplicitLocOpBuilder &b, uint32_t value) {
  return arith::ConstantOp::create(
      b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
}

SmallVector<Value> nvfp4::emitHadamardSums(ImplicitLocOpBuilder &b,
                                           ArrayRef<Value> terms, int64_t count,
                                           int64_t signs) {
  // Outputs whose signs begin alike share the beginning of their sums.
  std::map<std::pair<size_t, uint32_t>, Value> sums;
  Values outputs;
  for (int64_t j = 0; j < count; ++j) {
    Value sum = getF32(b, 0.0f);
    uint32_t prefix = 0;
    for (auto [i, term] : llvm::enumerate(terms)) {
      bool isNegative = (getHadamardEntry(i, j) < 0) != (signs >> i & 1);
      prefix |= uint32_t(isNegative) << i;
      Value &next = sums[{i, prefix}];
      if (!next)
        next = isNegative ? arith::SubFOp::create(b, sum, term).getResult()
                          : arith::AddFOp::create(b, sum, term).getResult();
      sum = next;
    }
    outputs.push_back(sum);
  }
  return outputs;
}

/// Whether no sum of bf16 in words is rounded.
static Value emitIsExact(ImplicitLocOpBuilder &b, const Elements &group) {
  auto pair = VectorType::get(2, b.getI16Type());
  Value minusOne = arith::ConstantOp::create(
      b, DenseElementsAttr::get(pair, b.getI16IntegerAttr(-1)));
  // Zero, which has no bits, becomes the largest.
  Value least, most;
  for (int64_t i = 0; i < group.size(); i += 2) {
    Value bits =
        arith::AndIOp::create(b, group.halves[i].word, getI32(b, 0x7FFF7FFF));
    Value magnitudes = LLVM::BitcastOp::create(b, pair, bits);
    Value below = arith::AddIOp::create(b, magnitudes, minusOne);
    least = least ? arith::MinUIOp::create(b, least, below).getResult() : below;
    most = most ? arith::MaxUIOp::create(b, most, magnitudes).getResult()
                : magnitudes;
  }
  auto combine = [&](Value vector, auto op) -> Value {
    Value word = LLVM::BitcastOp::create(b, b.getI32Type(), vector);
    Value lower = arith::AndIOp::create(b, word, getI32(b, 0xFFFF));
    Value upper = arith::ShRUIOp::create(b, word, getI32(b, 16));
    return arith::ShRUIOp::create(b, op(lower, upper),
                                  getI32(b, kMantissaBits));
  };
  Value low = combine(least, [&](Value x, Value y) -> Value {
    return arith::MinUIOp::create(b, x, y);
  });
  Value high = combine(most, [&](Value x, Value y) -> Value {
    return arith::MaxUIOp::create(b, x, y);
  });
  auto compare = [&](arith::CmpIPredicate predicate, Value x,
                     int64_t bound) -> Value {
    return arith::CmpIOp::create(b, predicate, x, getI32(b, bound));
  };
  Value spread = arith::SubIOp::create(b, high, low);
  Value isNormal = arith::AndIOp::create(
      b, compare(arith::CmpIPredicate::uge, low, kMinExponent),
      compare(arith::CmpIPredicate::ule, high, kMaxExponent));
  return arith::AndIOp::create(
      b, compare(arith::CmpIPredicate::sle, spread, kMaxSpread), isNormal);
}

static Values emitButterflies(ImplicitLocOpBuilder &b, ArrayRef<Value> inputs,
                              int64_t signs) {
  Values values(inputs);
  for (auto [i, value] : llvm::enumerate(values))
    if (signs >> i & 1)
      value = arith::NegFOp::create(b, value);
  for (int distance = 1; distance < kHadamardSize; distance *= 2)
    for (int i = 0; i < kHadamardSize; ++i) {
      if (i & distance)
        continue;
      Value x = values[i], y = values[i + distance];
      values[i] = arith::AddFOp::create(b, x, y);
      values[i + distance] = arith::SubFOp::create(b, x, y);
    }
  for (Value &value : values)
    value = LLVM::FMAOp::create(b, value, getF32(b, kScale), getF32(b, 0.0f));
  return values;
}

SmallVector<Value> nvfp4::emitHadamardGroup(ImplicitLocOpBuilder &b,
                                            const Elements &group,
                                            int64_t signs) {
  auto emitInOrder = [&]() {
    Values terms;
    for (Value value : group.values)
      terms.push_back(arith::MulFOp::create(b, value, getF32(b, kScale)));
    return emitHadamardSums(b, terms, kHadamardSize, signs);
  };
  if (group.halves.empty())
    return emitInOrder();
  SmallVector<Type> types(kHadamardSize, b.getF32Type());
  auto branch = scf::IfOp::create(b, types, emitIsExact(b, group),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitButterflies(b, group.values, signs));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, emitInOrder());
  return Values(branch.getResults());
}

SmallVector<Value> nvfp4::emitFromF32(ImplicitLocOpBuilder &b,
                                      ArrayRef<Value> values, Type type) {
  Values results;
  if (!type.isBF16() || values.size() % 2 != 0) {
    for (Value value : values)
      results.push_back(
          type.isF32() ? value
                       : arith::TruncFOp::create(b, type, value).getResult());
    return results;
  }
  for (size_t i = 0; i < values.size(); i += 2) {
    Value pair = LLVM::PoisonOp::create(b, VectorType::get(2, b.getF32Type()));
    for (size_t half : {0, 1})
      pair = LLVM::InsertElementOp::create(b, pair, values[i + half],
                                           getI32(b, half));
    Value narrow = LLVM::FPTruncOp::create(b, VectorType::get(2, type), pair);
    for (size_t half : {0, 1})
      results.push_back(
          LLVM::ExtractElementOp::create(b, narrow, getI32(b, half)));
  }
  return results;
}
